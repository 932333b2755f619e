/**
 * What the tests of the table of neighbours share: a table at a time that they turn by hand, frames
 * that other stations send, and what is expected to be sent.
 */
#ifndef HF_TEST_NEIGHBOUR_BENCH_H
#define HF_TEST_NEIGHBOUR_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/wire/ip.h"
#include "host/neighbour.h"

enum { FRAME_BYTES = 2048, ARP_AT = HF_ETHER_HEADER_BYTES };

static const uint8_t own_mac[] = {2, 0, 0, 0, 0, 1}, peer_mac[] = {2, 0, 0, 0, 0, 2};
static const uint8_t other_mac[] = {2, 0, 0, 0, 0, 3}, all_mac[] = {255, 255, 255, 255, 255, 255};

static struct hf_neighbours *n;
static hf_ns now;

static inline struct hf_addr addr(const char *text)
{
    struct hf_addr a;
    unsigned bits;
    assert_int_equal(HF_OK, hf_prefix_parse(text, &a, &bits, NULL));
    return a;
}

static inline struct hf_ether_stats stats(void)
{
    struct hf_ether_stats s;
    hf_neighbours_stats(n, &s);
    return s;
}

static inline void open_as(bool is_quiet)
{
    const struct hf_ether_address own[] = {{addr("10.9.0.2"), 24}, {addr("fd09::2"), 64}};
    struct hf_neighbours_config cfg = {.addrs = own,
                                       .addr_count = 2,
                                       .gateway_v4 = addr("10.9.0.1"),
                                       .key = {1, 2, 3},
                                       .is_quiet = is_quiet};
    memcpy(cfg.mac, own_mac, sizeof cfg.mac);
    n = hf_neighbours_new(&cfg);
    assert_non_null(n);
    now = HF_SEC(1000);
}

static inline size_t drain(void)
{
    struct hf_ether_frame f;
    size_t count = 0;
    for (; hf_neighbours_output(n, &f); count++)
        hf_neighbours_sent(n);
    return count;
}

static inline int set_up(void **state)
{
    (void)state;
    open_as(false);
    assert_int_equal(2, drain()); /* the announcements */
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    hf_neighbours_free(n);
    return 0;
}

static inline size_t frame_make(uint8_t *frame, const uint8_t *to, const uint8_t *from,
                                uint16_t type, const uint8_t *inner, size_t bytes)
{
    memcpy(frame, to, HF_MAC_BYTES);
    memcpy(frame + HF_MAC_BYTES, from, HF_MAC_BYTES);
    hf_put16(frame + 12, type);
    memcpy(frame + HF_ETHER_HEADER_BYTES, inner, bytes);
    return HF_ETHER_HEADER_BYTES + bytes;
}

/* What another station says, as a frame to `to`. */
static inline size_t message_make(uint8_t *frame, const uint8_t *to, const uint8_t *mac,
                                  bool answers, const char *its, const char *other)
{
    uint8_t bytes[HF_RESOLVE_MAX_BYTES];
    struct hf_resolve_out m = {.answers = answers, .own = addr(its), .other = addr(other)};
    memcpy(m.mac, mac, sizeof m.mac);
    memcpy(m.other_mac, own_mac, sizeof m.other_mac);
    size_t length = hf_resolve_write(&m, bytes);
    bool v4 = hf_addr_is_v4(&m.own);
    return frame_make(frame, to, mac, v4 ? HF_ETHER_ARP : HF_ETHER_IPV6, bytes, length);
}

static inline enum hf_frame_fate hear(const uint8_t *to, const uint8_t *mac, bool answers,
                                      const char *its, const char *other)
{
    uint8_t frame[FRAME_BYTES];
    size_t bytes = message_make(frame, to, mac, answers, its, other);
    return hf_neighbours_input(n, frame, bytes, false, now);
}

static inline void answer_from(const uint8_t *mac, const char *its)
{
    const char *own = strchr(its, ':') ? "fd09::2" : "10.9.0.2";
    assert_int_equal(HF_FRAME_TAKEN, hear(own_mac, mac, true, its, own));
}

static inline enum hf_way find(const char *to, const uint8_t *expected)
{
    uint8_t mac[HF_MAC_BYTES];
    struct hf_addr a = addr(to);
    enum hf_way way = hf_neighbours_find(n, &a, now, mac);
    if (way == HF_WAY_KNOWN && expected)
        assert_memory_equal(expected, mac, sizeof mac);
    return way;
}

/* Sends a packet of this many bytes, whose first tells it from others. */
static inline void keep(const char *to, uint8_t label, uint32_t bytes)
{
    static uint8_t payload[70000];
    uint8_t header[40] = {label};
    struct hf_slice slices[2] = {{payload, 7}, {payload, bytes - sizeof header - 7}};
    struct hf_out_packet p = {.header = header,
                              .header_bytes = sizeof header,
                              .flags = HF_PACKET_CSUM_PARTIAL,
                              .slice_count = 2,
                              .slices = slices,
                              .length_bytes = bytes};
    struct hf_addr a = addr(to);
    hf_neighbours_keep(n, &a, &p);
}

static inline void expect_question(const char *about, const uint8_t *to)
{
    struct hf_ether_frame f;
    struct hf_resolve m = {.has_mac = false};
    struct hf_addr a = addr(about), own = addr(hf_addr_is_v4(&a) ? "10.9.0.2" : "fd09::2");
    assert_true(hf_neighbours_output(n, &f));
    assert_memory_equal(to, f.to, sizeof f.to);
    assert_int_equal(HF_RESOLVE_QUESTION,
                     hf_addr_is_v4(&a)
                         ? hf_arp_read(f.packet.header, f.packet.header_bytes, &m)
                         : hf_nd_read(f.packet.header, f.packet.header_bytes, false, &m));
    assert_int_equal(hf_addr_is_v4(&a) ? HF_ETHER_ARP : HF_ETHER_IPV6, f.type);
    assert_true(hf_addr_equal(&a, &m.asked) && hf_addr_equal(&own, &m.about));
    assert_memory_equal(own_mac, m.mac, sizeof m.mac);
    hf_neighbours_sent(n);
}

static inline void expect_answer(const char *own, const uint8_t *to)
{
    struct hf_ether_frame f;
    struct hf_resolve m = {.has_mac = false};
    struct hf_addr a = addr(own);
    assert_true(hf_neighbours_output(n, &f));
    assert_memory_equal(to, f.to, sizeof f.to);
    assert_int_equal(HF_RESOLVE_ANSWER,
                     hf_addr_is_v4(&a)
                         ? hf_arp_read(f.packet.header, f.packet.header_bytes, &m)
                         : hf_nd_read(f.packet.header, f.packet.header_bytes, false, &m));
    assert_true(hf_addr_equal(&a, &m.about) && m.has_mac);
    assert_memory_equal(own_mac, m.mac, sizeof m.mac);
    hf_neighbours_sent(n);
}

static inline void expect_packet(uint8_t label, uint32_t bytes, const uint8_t *to)
{
    struct hf_ether_frame f;
    assert_true(hf_neighbours_output(n, &f));
    assert_memory_equal(to, f.to, sizeof f.to);
    assert_int_equal(label, f.packet.header[0]);
    assert_int_equal(bytes, f.packet.length_bytes);
    assert_int_equal(HF_PACKET_CSUM_PARTIAL, f.packet.flags);
    assert_int_equal(1, f.packet.slice_count);
    assert_int_equal(bytes - f.packet.header_bytes, f.packet.slices[0].length_bytes);
    hf_neighbours_sent(n);
}

static inline void expect_silence(void)
{
    struct hf_ether_frame f;
    assert_false(hf_neighbours_output(n, &f));
}

static inline void pass(hf_ns span_ns)
{
    now += span_ns;
    hf_neighbours_expire(n, now);
}

/** A test with a table of its own. */
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
