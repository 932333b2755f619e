/**
 * Address resolution by frames alone, in virtual time: questions, answers, what is believed and
 * what is not, packets that wait, silence, floods and malformed messages.
 */
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
#include "support/test_random.h"

enum { FRAME_BYTES = 2048, ARP_AT = HF_ETHER_HEADER_BYTES };

static const uint8_t own_mac[] = {2, 0, 0, 0, 0, 1}, peer_mac[] = {2, 0, 0, 0, 0, 2};
static const uint8_t other_mac[] = {2, 0, 0, 0, 0, 3}, all_mac[] = {255, 255, 255, 255, 255, 255};

/* ---- the bench ------------------------------------------------------------------------------ */

static struct hf_neighbours *n;
static hf_ns now;

static struct hf_addr addr(const char *text)
{
    struct hf_addr a;
    unsigned bits;
    assert_int_equal(HF_OK, hf_prefix_parse(text, &a, &bits, NULL));
    return a;
}

static struct hf_ether_stats stats(void)
{
    struct hf_ether_stats s;
    hf_neighbours_stats(n, &s);
    return s;
}

static void open_as(bool is_quiet)
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

static size_t drain(void)
{
    struct hf_ether_frame f;
    size_t count = 0;
    for (; hf_neighbours_output(n, &f); count++)
        hf_neighbours_sent(n);
    return count;
}

static int set_up(void **state)
{
    (void)state;
    open_as(false);
    assert_int_equal(2, drain()); /* the announcements */
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hf_neighbours_free(n);
    return 0;
}

static size_t frame_make(uint8_t *frame, const uint8_t *to, const uint8_t *from, uint16_t type,
                         const uint8_t *inner, size_t bytes)
{
    memcpy(frame, to, HF_MAC_BYTES);
    memcpy(frame + HF_MAC_BYTES, from, HF_MAC_BYTES);
    hf_put16(frame + 12, type);
    memcpy(frame + HF_ETHER_HEADER_BYTES, inner, bytes);
    return HF_ETHER_HEADER_BYTES + bytes;
}

/* What another station says, as a frame to `to`. */
static size_t message_make(uint8_t *frame, const uint8_t *to, const uint8_t *mac, bool answers,
                           const char *its, const char *other)
{
    uint8_t bytes[HF_RESOLVE_MAX_BYTES];
    struct hf_resolve_out m = {.answers = answers, .own = addr(its), .other = addr(other)};
    memcpy(m.mac, mac, sizeof m.mac);
    memcpy(m.other_mac, own_mac, sizeof m.other_mac);
    size_t length = hf_resolve_write(&m, bytes);
    bool v4 = hf_addr_is_v4(&m.own);
    return frame_make(frame, to, mac, v4 ? HF_ETHER_ARP : HF_ETHER_IPV6, bytes, length);
}

static enum hf_frame_fate hear(const uint8_t *to, const uint8_t *mac, bool answers, const char *its,
                               const char *other)
{
    uint8_t frame[FRAME_BYTES];
    size_t bytes = message_make(frame, to, mac, answers, its, other);
    return hf_neighbours_input(n, frame, bytes, false, now);
}

static void answer_from(const uint8_t *mac, const char *its)
{
    const char *own = strchr(its, ':') ? "fd09::2" : "10.9.0.2";
    assert_int_equal(HF_FRAME_TAKEN, hear(own_mac, mac, true, its, own));
}

static enum hf_way find(const char *to, const uint8_t *expected)
{
    uint8_t mac[HF_MAC_BYTES];
    struct hf_addr a = addr(to);
    enum hf_way way = hf_neighbours_find(n, &a, now, mac);
    if (way == HF_WAY_KNOWN && expected)
        assert_memory_equal(expected, mac, sizeof mac);
    return way;
}

/* Sends a packet of this many bytes, whose first tells it from others. */
static void keep(const char *to, uint8_t label, uint32_t bytes)
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

static void expect_question(const char *about, const uint8_t *to)
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

static void expect_answer(const char *own, const uint8_t *to)
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

static void expect_packet(uint8_t label, uint32_t bytes, const uint8_t *to)
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

static void expect_silence(void)
{
    struct hf_ether_frame f;
    assert_false(hf_neighbours_output(n, &f));
}

static void pass(hf_ns span_ns)
{
    now += span_ns;
    hf_neighbours_expire(n, now);
}

/* ---- asking --------------------------------------------------------------------------------- */

static void a_question_has_the_bytes_of_the_rfc(void **state)
{
    static const uint8_t expected[HF_ARP_BYTES] = {0,  1, 8, 0, 6, 4, 0, 1, 2, 0, 0,  0, 0, 1,
                                                   10, 9, 0, 2, 0, 0, 0, 0, 0, 0, 10, 9, 0, 7};
    static const uint8_t group_mac[] = {0x33, 0x33, 0xff, 0, 0, 7};
    struct hf_ether_frame f;
    (void)state;
    assert_int_equal(HF_WAY_ASKED, find("10.9.0.7", NULL));
    assert_true(hf_neighbours_output(n, &f));
    assert_int_equal(sizeof expected, f.packet.length_bytes);
    assert_memory_equal(expected, f.packet.header, sizeof expected);
    hf_neighbours_sent(n);
    assert_int_equal(HF_WAY_ASKED, find("fd09::7", NULL));
    assert_true(hf_neighbours_output(n, &f));
    const uint8_t *p = f.packet.header;
    assert_memory_equal(group_mac, f.to, sizeof group_mac);
    assert_int_equal(72, f.packet.length_bytes);
    assert_int_equal(255, p[7]);
    assert_memory_equal("\xff\x02\0\0\0\0\0\0\0\0\0\1\xff\0\0\7", p + 24, 16);
    assert_int_equal(135, p[40]);
    assert_memory_equal("\1\1\2\0\0\0\0\1", p + 64, 8); /* the source's MAC */
}

static void packets_wait_for_the_answer(void **state)
{
    static const char *const whom[] = {"10.9.0.7", "fd09::7"};
    static const uint8_t group_mac[] = {0x33, 0x33, 0xff, 0, 0, 7};
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(HF_WAY_ASKED, find(whom[i], NULL));
        keep(whom[i], 1, 60);
        assert_int_equal(HF_WAY_ASKED, find(whom[i], NULL));
        keep(whom[i], 2, 1500);
        expect_question(whom[i], i ? group_mac : all_mac);
        expect_silence();
        answer_from(peer_mac, whom[i]);
        expect_packet(1, 60, peer_mac);
        expect_packet(2, 1500, peer_mac);
        expect_silence();
        assert_int_equal(HF_WAY_KNOWN, find(whom[i], peer_mac));
    }
    pass(HF_SEC(1)); /* when the question would be repeated */
    expect_silence();
    assert_int_equal(HF_NEVER, hf_neighbours_deadline(n));
    assert_int_equal(0, stats().packets_lost);
    assert_int_equal(2, stats().questions);
}

static void a_lost_question_is_repeated_each_second(void **state)
{
    (void)state;
    assert_int_equal(HF_WAY_ASKED, find("10.9.0.7", NULL));
    keep("10.9.0.7", 1, 60);
    expect_question("10.9.0.7", all_mac);
    for (int i = 1; i < 3; i++) {
        assert_int_equal(now + HF_SEC(1), hf_neighbours_deadline(n));
        pass(HF_SEC(1) - 1);
        for (int k = 0; k < 5; k++) /* more packets ask no more often */
            assert_int_equal(HF_WAY_ASKED, find("10.9.0.7", NULL));
        expect_silence();
        pass(1);
        expect_question("10.9.0.7", all_mac);
    }
    answer_from(peer_mac, "10.9.0.7");
    expect_packet(1, 60, peer_mac);
    assert_int_equal(0, stats().silent);
}

static void who_keeps_silent_is_forgotten(void **state)
{
    (void)state;
    assert_int_equal(HF_WAY_ASKED, find("10.9.0.7", NULL));
    keep("10.9.0.7", 1, 60);
    pass(HF_SEC(1));
    pass(HF_SEC(1));
    assert_int_equal(3, drain());
    pass(HF_SEC(1));
    assert_int_equal(1, stats().silent);
    assert_int_equal(1, stats().packets_lost);
    assert_int_equal(HF_NEVER, hf_neighbours_deadline(n));
    answer_from(peer_mac, "10.9.0.7"); /* too late: nobody waits for it */
    expect_silence();
    assert_int_equal(1, stats().unasked);
    assert_int_equal(HF_WAY_ASKED, find("10.9.0.7", NULL)); /* anew */
    expect_question("10.9.0.7", all_mac);
}

/* [RFC1122#2.3.2.2] */
static void the_newest_packets_are_kept(void **state)
{
    (void)state;
    for (uint8_t i = 1; i <= 5; i++) {
        assert_int_equal(HF_WAY_ASKED, find("10.9.0.7", NULL));
        keep("10.9.0.7", i, 100);
    }
    assert_int_equal(1, drain());
    answer_from(peer_mac, "10.9.0.7");
    for (uint8_t i = 3; i <= 5; i++)
        expect_packet(i, 100, peer_mac);
    expect_silence();
    assert_int_equal(2, stats().packets_lost);
}

static void what_waits_is_bounded(void **state)
{
    char text[32];
    size_t sent = 0;
    (void)state;
    for (int i = 10; i < 40; i++) { /* 30 times 65 KB wait, a megabyte is kept */
        (void)snprintf(text, sizeof text, "10.9.0.%d", i);
        assert_int_equal(HF_WAY_ASKED, find(text, NULL));
        keep(text, 1, 65000);
    }
    assert_int_equal(30, drain());
    for (int i = 10; i < 40; i++) {
        (void)snprintf(text, sizeof text, "10.9.0.%d", i);
        answer_from(peer_mac, text);
        sent += drain();
    }
    assert_int_equal(HF_NEIGHBOURS_KEPT_BYTES / 65000, sent);
    assert_int_equal(30 - sent, stats().packets_lost);
}

static void questions_are_limited(void **state)
{
    char text[32];
    size_t asked = 0;
    (void)state;
    for (int i = 0; i < 250; i++) {
        (void)snprintf(text, sizeof text, "10.9.0.%d", i + 3);
        asked += find(text, NULL) == HF_WAY_ASKED;
    }
    assert_in_range(asked, 32, 33);
    assert_int_equal(250 - asked, stats().packets_lost);
    now += HF_MS(100);
    asked = 0;
    for (int i = 100; i < 200; i++) {
        (void)snprintf(text, sizeof text, "10.9.0.%d", i);
        asked += find(text, NULL) == HF_WAY_ASKED;
    }
    assert_in_range(asked, 9, 11);
}

/* ---- the way -------------------------------------------------------------------------------- */

static void what_is_far_goes_to_the_gateway(void **state)
{
    (void)state;
    assert_int_equal(HF_WAY_ASKED, find("192.0.2.1", NULL));
    keep("192.0.2.1", 1, 60);
    expect_question("10.9.0.1", all_mac);
    answer_from(peer_mac, "10.9.0.1");
    expect_packet(1, 60, peer_mac);
    assert_int_equal(HF_WAY_KNOWN, find("198.51.100.7", peer_mac));
    assert_int_equal(HF_WAY_KNOWN, find("10.9.0.1", peer_mac));
    assert_int_equal(HF_WAY_NOWHERE, find("2001:db8::1", NULL)); /* no gateway for IPv6 */
    assert_int_equal(1, stats().packets_lost);
    expect_silence();
}

static void link_local_is_near(void **state)
{
    static const uint8_t group_mac[] = {0x33, 0x33, 0xff, 0, 0, 0x17};
    (void)state;
    assert_int_equal(HF_WAY_ASKED, find("fe80::17", NULL));
    expect_question("fe80::17", group_mac);
}

static void nobody_to_ask(void **state)
{
    static const char *const whom[] = {"10.9.0.2", "fd09::2", "224.0.0.1", "ff02::1", "0.0.0.0"};
    (void)state;
    for (size_t i = 0; i < HF_COUNT_OF(whom); i++)
        assert_int_equal(HF_WAY_NOWHERE, find(whom[i], NULL));
    expect_silence();
}

/* ---- answering ------------------------------------------------------------------------------ */

static void our_addresses_are_announced(void **state)
{
    static const uint8_t nodes_mac[] = {0x33, 0x33, 0, 0, 0, 1};
    struct hf_ether_frame f;
    (void)state;
    hf_neighbours_free(n);
    open_as(false);
    assert_true(hf_neighbours_output(n, &f));
    assert_memory_equal(all_mac, f.to, sizeof f.to);
    assert_int_equal(1, f.packet.header[7]); /* a request that nobody answers [RFC5227#3] */
    assert_memory_equal("\x0a\x09\0\2", f.packet.header + 14, 4);
    assert_memory_equal("\x0a\x09\0\2", f.packet.header + 24, 4);
    hf_neighbours_sent(n);
    assert_true(hf_neighbours_output(n, &f));
    assert_int_equal(0x20, f.packet.header[44]); /* override, not solicited */
    expect_answer("fd09::2", nodes_mac);
    expect_silence();
    hf_neighbours_free(n);
    open_as(true);
    expect_silence(); /* another link does it */
    assert_int_equal(HF_FRAME_TAKEN, hear(all_mac, peer_mac, false, "10.9.0.7", "10.9.0.2"));
    expect_silence();
    assert_int_equal(HF_WAY_KNOWN, find("10.9.0.7", peer_mac)); /* but it has heard */
}

static void who_asks_for_us_is_answered_and_known(void **state)
{
    static const char *const whom[] = {"10.9.0.7", "fd09::7"};
    static const char *const us[] = {"10.9.0.2", "fd09::2"};
    static const uint8_t group_mac[] = {0x33, 0x33, 0xff, 0, 0, 2};
    (void)state;
    for (int i = 0; i < 2; i++) {
        const uint8_t *to = i ? group_mac : all_mac;
        assert_int_equal(HF_FRAME_TAKEN, hear(to, peer_mac, false, whom[i], us[i]));
        expect_answer(us[i], peer_mac);
        expect_silence();
        /* Only heard of: it is used, and asked whether it is right. */
        assert_int_equal(HF_WAY_KNOWN, find(whom[i], peer_mac));
        expect_question(whom[i], peer_mac);
        answer_from(peer_mac, whom[i]);
        assert_int_equal(HF_WAY_KNOWN, find(whom[i], peer_mac));
        expect_silence();
    }
}

static void others_are_not_answered_for(void **state)
{
    static const uint8_t group_mac[] = {0x33, 0x33, 0xff, 0, 0, 9};
    (void)state;
    assert_int_equal(HF_FRAME_TAKEN, hear(all_mac, peer_mac, false, "10.9.0.7", "10.9.0.9"));
    assert_int_equal(HF_FRAME_TAKEN, hear(group_mac, peer_mac, false, "fd09::7", "fd09::9"));
    expect_silence();
    assert_int_equal(HF_WAY_ASKED, find("10.9.0.7", NULL)); /* and nothing was learned */
    assert_int_equal(HF_WAY_ASKED, find("fd09::7", NULL));
}

/* [RFC5227#2.1.1] [RFC4862#5.4.3] */
static void who_tries_our_address_is_told(void **state)
{
    static const uint8_t nodes_mac[] = {0x33, 0x33, 0, 0, 0, 1},
                         group_mac[] = {0x33, 0x33, 0xff, 0, 0, 2};
    uint8_t frame[FRAME_BYTES], probe[64] = {0x60, [5] = 24, [6] = 58, [7] = 255};
    struct hf_ether_frame f;
    (void)state;
    assert_int_equal(HF_FRAME_TAKEN, hear(all_mac, peer_mac, false, "0.0.0.0", "10.9.0.2"));
    assert_true(hf_neighbours_output(n, &f));
    assert_memory_equal(all_mac, f.to, sizeof f.to);
    assert_memory_equal("\x0a\x09\0\2", f.packet.header + 14, 4);
    hf_neighbours_sent(n);
    struct hf_addr own = addr("fd09::2"), group = hf_solicited_node(&own), any = HF_ADDR_ANY;
    memcpy(probe + 24, group.octets, 16);
    probe[40] = 135;
    memcpy(probe + 48, own.octets, 16);
    hf_sum sum = hf_ip_pseudo_sum(&any, &group, 58, 24);
    hf_put16(probe + 42, hf_sum_checksum(hf_sum_bytes(sum, probe + 40, 24)));
    size_t bytes = frame_make(frame, group_mac, peer_mac, HF_ETHER_IPV6, probe, sizeof probe);
    assert_int_equal(HF_FRAME_TAKEN, hf_neighbours_input(n, frame, bytes, false, now));
    expect_answer("fd09::2", nodes_mac);
    expect_silence();
}

/* ---- what is believed ----------------------------------------------------------------------- */

static void what_was_not_asked_for_is_not_believed(void **state)
{
    static const char *const whom[] = {"10.9.0.7", "fd09::7"};
    static const uint8_t nodes_mac[] = {0x33, 0x33, 0, 0, 0, 1};
    (void)state;
    for (int i = 0; i < 2; i++) {
        answer_from(other_mac, whom[i]);
        assert_int_equal(HF_FRAME_TAKEN, hear(i ? nodes_mac : all_mac, other_mac, true, whom[i],
                                              i ? "::" : "0.0.0.0")); /* an announcement */
        assert_int_equal(HF_WAY_ASKED, find(whom[i], NULL));
    }
    /* An announcement by ARP is a request about itself, so only the answers count. */
    assert_int_equal(3, stats().unasked);
    assert_int_equal(0, stats().learned);
}

static void who_is_not_of_the_link_is_not_learned(void **state)
{
    (void)state;
    assert_int_equal(HF_FRAME_TAKEN, hear(all_mac, peer_mac, false, "192.0.2.7", "10.9.0.2"));
    expect_answer("10.9.0.2", peer_mac); /* it has asked, and may know why */
    assert_int_equal(0, stats().learned);
}

static void a_known_one_may_move(void **state)
{
    static const char *const whom[] = {"10.9.0.7", "fd09::7"};
    static const uint8_t nodes_mac[] = {0x33, 0x33, 0, 0, 0, 1};
    (void)state;
    for (int i = 0; i < 2; i++) {
        (void)find(whom[i], NULL);
        answer_from(peer_mac, whom[i]);
        (void)drain();
        assert_int_equal(HF_FRAME_TAKEN, hear(i ? nodes_mac : all_mac, other_mac, true, whom[i],
                                              i ? "::" : "0.0.0.0"));
        assert_int_equal(HF_WAY_KNOWN, find(whom[i], other_mac));
        expect_question(whom[i], other_mac); /* nobody has asked it yet */
    }
}

/* [RFC4861#7.2.5] without the override flag it is a reason to doubt only. */
static void an_answer_that_may_not_override(void **state)
{
    uint8_t frame[FRAME_BYTES];
    (void)state;
    (void)find("fd09::7", NULL);
    answer_from(peer_mac, "fd09::7");
    (void)drain();
    size_t bytes = message_make(frame, own_mac, other_mac, true, "fd09::7", "fd09::2");
    frame[14 + 44] &= 0xdf;
    assert_int_equal(HF_FRAME_TAKEN, hf_neighbours_input(n, frame, bytes, true, now));
    assert_int_equal(HF_WAY_KNOWN, find("fd09::7", peer_mac));
    expect_question("fd09::7", peer_mac);
}

static void trust_ends_and_comes_back(void **state)
{
    (void)state;
    (void)find("10.9.0.7", NULL);
    answer_from(peer_mac, "10.9.0.7");
    (void)drain();
    pass(HF_SEC(30) - 1);
    assert_int_equal(HF_WAY_KNOWN, find("10.9.0.7", peer_mac));
    expect_silence();
    pass(1);
    expect_silence(); /* nobody sends to it */
    assert_int_equal(HF_WAY_KNOWN, find("10.9.0.7", peer_mac));
    expect_question("10.9.0.7", peer_mac);
    pass(HF_SEC(1));
    expect_question("10.9.0.7", peer_mac);
    answer_from(peer_mac, "10.9.0.7");
    pass(HF_SEC(29));
    assert_int_equal(HF_WAY_KNOWN, find("10.9.0.7", peer_mac));
    expect_silence();
}

static void one_that_has_gone_is_looked_for_anew(void **state)
{
    (void)state;
    (void)find("10.9.0.7", NULL);
    answer_from(peer_mac, "10.9.0.7");
    pass(HF_SEC(31));
    (void)drain();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(HF_WAY_KNOWN, find("10.9.0.7", peer_mac));
        expect_question("10.9.0.7", peer_mac);
        pass(HF_SEC(1));
    }
    assert_int_equal(1, stats().silent);
    assert_int_equal(HF_WAY_ASKED, find("10.9.0.7", NULL));
    expect_question("10.9.0.7", all_mac);
    answer_from(other_mac, "10.9.0.7");
    assert_int_equal(HF_WAY_KNOWN, find("10.9.0.7", other_mac));
}

static void who_has_our_address_is_a_conflict(void **state)
{
    (void)state;
    assert_int_equal(HF_FRAME_TAKEN, hear(all_mac, other_mac, false, "10.9.0.2", "10.9.0.2"));
    assert_int_equal(HF_FRAME_TAKEN, hear(own_mac, other_mac, true, "10.9.0.2", "10.9.0.7"));
    answer_from(other_mac, "fd09::2");
    assert_int_equal(3, stats().conflicts);
    assert_int_equal(HF_FRAME_TAKEN, hear(all_mac, own_mac, false, "10.9.0.2", "10.9.0.2"));
    assert_int_equal(3, stats().conflicts); /* those were our own words */
    expect_silence();
}

static void a_flood_of_askers_pushes_nobody_out(void **state)
{
    char text[32];
    (void)state;
    for (int i = 0; i < 20; i++) {
        (void)snprintf(text, sizeof text, "10.9.0.%d", i + 10);
        assert_int_equal(HF_WAY_ASKED, find(text, NULL));
        answer_from(peer_mac, text);
        (void)find(text, NULL);
    }
    for (uint32_t i = 0; i < 20000; i++) {
        (void)snprintf(text, sizeof text, "fd09::%x:%x", i / 65536 + 1, i % 65536);
        assert_int_equal(HF_FRAME_TAKEN, hear(own_mac, other_mac, false, text, "fd09::2"));
        now += HF_US(100);
    }
    (void)drain();
    for (int i = 0; i < 20; i++) {
        (void)snprintf(text, sizeof text, "10.9.0.%d", i + 10);
        assert_int_equal(HF_WAY_KNOWN, find(text, peer_mac));
    }
    expect_silence();
}

/* Packets to many who are not there, as answers to SYNs with made-up sources are. */
static void a_flood_of_questions_pushes_nobody_out(void **state)
{
    char text[32];
    (void)state;
    for (int i = 0; i < 20; i++) {
        (void)snprintf(text, sizeof text, "10.9.0.%d", i + 10);
        assert_int_equal(HF_WAY_ASKED, find(text, NULL));
        answer_from(peer_mac, text);
        (void)find(text, NULL);
    }
    for (uint32_t i = 0; i < 2000; i++) {
        (void)snprintf(text, sizeof text, "fd09::%x", i + 1000);
        (void)find(text, NULL);
        now += HF_MS(5);
        hf_neighbours_expire(n, now);
        (void)drain();
    }
    for (int i = 0; i < 20; i++) {
        (void)snprintf(text, sizeof text, "10.9.0.%d", i + 10);
        assert_int_equal(HF_WAY_KNOWN, find(text, peer_mac));
    }
}

/* ---- frames --------------------------------------------------------------------------------- */

static void packets_are_told_from_messages(void **state)
{
    static const struct {
        const uint8_t *to;
        const char *address;
        enum hf_frame_fate fate;
    } rows[] = {
        {own_mac, "10.9.0.2", HF_FRAME_PACKET},    {own_mac, "fd09::2", HF_FRAME_PACKET},
        {own_mac, "10.9.0.3", HF_FRAME_FOREIGN},   {own_mac, "fd09::3", HF_FRAME_FOREIGN},
        {other_mac, "10.9.0.2", HF_FRAME_FOREIGN}, {other_mac, "fd09::2", HF_FRAME_FOREIGN},
        {all_mac, "10.9.0.2", HF_FRAME_FOREIGN}, /* [RFC1122#3.3.6] */
    };
    (void)state;
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++) {
        uint8_t frame[FRAME_BYTES], packet[60] = {0};
        struct hf_addr to = addr(rows[i].address);
        bool v4 = hf_addr_is_v4(&to);
        const struct hf_ip ip = {.source = addr(v4 ? "10.9.0.7" : "fd09::7"),
                                 .destination = to,
                                 .version = v4 ? 4 : 6,
                                 .protocol = HF_IP_PROTO_TCP,
                                 .ttl = 64,
                                 .payload_bytes = 20};
        size_t bytes = hf_ip_emit(&ip, packet) + 20;
        bytes = frame_make(frame, rows[i].to, peer_mac, v4 ? HF_ETHER_IPV4 : HF_ETHER_IPV6, packet,
                           bytes);
        assert_int_equal(rows[i].fate, hf_neighbours_input(n, frame, bytes, false, now));
        frame[12] = 0x88; /* another protocol */
        assert_int_equal(HF_FRAME_FOREIGN, hf_neighbours_input(n, frame, bytes, false, now));
    }
    expect_silence();
}

/* A good message with one thing wrong. */
struct wrong {
    const char *what;
    bool v6, answers;
    size_t at; /* in the frame */
    uint8_t value;
    bool sum_stays; /* the checksum is not mended */
};

static const struct wrong wrongs[] = {
    {"group as sender", false, false, 6, 0x03, false},
    {"hardware type", false, false, ARP_AT + 1, 6, false},
    {"protocol type", false, false, ARP_AT + 2, 0x86, false},
    {"hardware length", false, false, ARP_AT + 4, 8, false},
    {"protocol length", false, true, ARP_AT + 5, 16, false},
    {"MAC of a group", false, true, ARP_AT + 8, 0x01, false},
    {"sender is a group", false, true, ARP_AT + 14, 224, false},
    {"hop limit", true, false, 14 + 7, 254, false},
    {"version", true, false, 14, 0x40, false},
    {"payload beyond the frame", true, false, 14 + 5, 200, false},
    {"payload too short", true, false, 14 + 5, 23, false},
    {"code", true, false, 14 + 41, 1, false},
    {"checksum", true, false, 14 + 43, 0x5a, true},
    {"target is a group", true, false, 14 + 48, 0xff, false},
    {"option of no length", true, false, 14 + 65, 0, false},
    {"option beyond the end", true, false, 14 + 65, 2, false},
    {"option with the MAC of a group", true, false, 14 + 66, 1, false},
    {"source is a group", true, false, 14 + 8, 0xff, false},
    {"answer: hop limit", true, true, 14 + 7, 1, false},
    {"answer: code", true, true, 14 + 41, 9, false},
    {"answer: checksum", true, true, 14 + 42, 0x5a, true},
    {"answer: target is a group", true, true, 14 + 48, 0xff, false},
    {"answer: solicited, to a group", true, true, 14 + 24, 0xff, false},
    {"answer: option of no length", true, true, 14 + 65, 0, false},
};

static void mend_sum(uint8_t *packet)
{
    struct hf_addr from, to;
    uint16_t bytes = hf_get16(packet + 4);
    if (bytes > 32)
        return;
    memcpy(from.octets, packet + 8, 16);
    memcpy(to.octets, packet + 24, 16);
    hf_put16(packet + 42, 0);
    hf_sum sum = hf_ip_pseudo_sum(&from, &to, 58, bytes);
    hf_put16(packet + 42, hf_sum_checksum(hf_sum_bytes(sum, packet + 40, bytes)));
}

static void malformed_messages_change_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < HF_COUNT_OF(wrongs); i++) {
        const struct wrong *w = &wrongs[i];
        const char *peer = w->v6 ? "fd09::7" : "10.9.0.7", *own = w->v6 ? "fd09::2" : "10.9.0.2";
        uint8_t frame[FRAME_BYTES];
        (void)find(peer, NULL);
        (void)drain();
        uint64_t learned = stats().learned;
        size_t bytes = message_make(frame, own_mac, peer_mac, w->answers, peer, own);
        frame[w->at] = w->value;
        if (w->v6 && !w->sum_stays)
            mend_sum(frame + HF_ETHER_HEADER_BYTES);
        enum hf_frame_fate fate = hf_neighbours_input(n, frame, bytes, false, now);
        if (fate != HF_FRAME_MALFORMED)
            fail_msg("%s: fate %d", w->what, fate);
        assert_int_equal(learned, stats().learned);
        expect_silence();
    }
}

/* An IPv6 message about an address in mapped form would be one about an IPv4 neighbour. */
static void a_mapped_address_is_malformed(void **state)
{
    enum { TARGET_AT = HF_ETHER_HEADER_BYTES + HF_IPV6_HEADER_BYTES + 8 };
    uint8_t frame[FRAME_BYTES];
    struct hf_addr mapped = addr("10.9.0.7");
    (void)state;
    assert_int_equal(HF_WAY_ASKED, find("10.9.0.7", NULL));
    answer_from(peer_mac, "10.9.0.7");
    size_t bytes = message_make(frame, own_mac, other_mac, true, "fd09::7", "fd09::2");
    memcpy(frame + TARGET_AT, mapped.octets, sizeof mapped.octets);
    mend_sum(frame + HF_ETHER_HEADER_BYTES);
    assert_int_equal(HF_FRAME_MALFORMED, hf_neighbours_input(n, frame, bytes, false, now));
    assert_int_equal(HF_WAY_KNOWN, find("10.9.0.7", peer_mac));
}

static void cut_messages_are_malformed(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        uint8_t frame[FRAME_BYTES];
        size_t whole = message_make(frame, own_mac, peer_mac, false, v6 ? "fd09::7" : "10.9.0.7",
                                    v6 ? "fd09::2" : "10.9.0.2");
        for (size_t bytes = 0; bytes < whole; bytes++) {
            uint8_t *cut = malloc(bytes + 1); /* its end is watched */
            assert_non_null(cut);
            memcpy(cut, frame, bytes);
            /* A bare IPv6 header is no message yet, and goes to a group. */
            bool is_header = v6 && bytes == HF_ETHER_HEADER_BYTES + HF_IPV6_HEADER_BYTES;
            assert_int_equal(is_header ? HF_FRAME_FOREIGN : HF_FRAME_MALFORMED,
                             hf_neighbours_input(n, cut, bytes, false, now));
            free(cut);
        }
        assert_int_equal(HF_FRAME_TAKEN, hf_neighbours_input(n, frame, whole, false, now));
        assert_int_equal(1, drain());
    }
}

static void router_messages_are_passed_over(void **state)
{
    (void)state;
    static const uint8_t types[] = {133, 134, 137};
    for (size_t i = 0; i < HF_COUNT_OF(types); i++) {
        uint8_t frame[FRAME_BYTES];
        size_t bytes = message_make(frame, own_mac, peer_mac, false, "fd09::7", "fd09::2");
        frame[14 + 40] = types[i];
        assert_int_equal(HF_FRAME_TAKEN, hf_neighbours_input(n, frame, bytes, true, now));
    }
    expect_silence();
    assert_int_equal(0, stats().learned);
}

/* Whatever comes, in any order with packets and time, what is kept stays bounded. */
static void noise_does_no_harm(void **state)
{
    struct test_random r = test_random_make("noise_does_no_harm", 20261130);
    (void)state;
    for (uint32_t i = test_random_rounds(30000); i > 0; i--) {
        uint8_t frame[FRAME_BYTES];
        char peer[32];
        bool v6 = test_random_below(&r, 2) != 0;
        (void)snprintf(peer, sizeof peer, v6 ? "fd09::%u" : "10.9.0.%u",
                       10 + test_random_below(&r, 80));
        size_t bytes = message_make(frame, own_mac, peer_mac, test_random_below(&r, 2) != 0, peer,
                                    v6 ? "fd09::2" : "10.9.0.2");
        for (size_t k = test_random_below(&r, 3); k > 0; k--)
            frame[test_random_below(&r, (uint32_t)bytes)] = (uint8_t)test_random_below(&r, 256);
        bytes -= test_random_below(&r, 20) == 0 ? test_random_below(&r, (uint32_t)bytes) : 0;
        (void)hf_neighbours_input(n, frame, bytes, test_random_below(&r, 2) != 0, now);
        if (find(peer, NULL) == HF_WAY_ASKED)
            keep(peer, 1, 60 + test_random_below(&r, 60000));
        if (test_random_below(&r, 4) == 0)
            (void)drain();
        pass((hf_ns)test_random_below(&r, (uint32_t)HF_MS(200)));
        assert_true(hf_neighbours_deadline(n) > now);
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(a_question_has_the_bytes_of_the_rfc),
        CASE(packets_wait_for_the_answer),
        CASE(a_lost_question_is_repeated_each_second),
        CASE(who_keeps_silent_is_forgotten),
        CASE(the_newest_packets_are_kept),
        CASE(what_waits_is_bounded),
        CASE(questions_are_limited),
        CASE(what_is_far_goes_to_the_gateway),
        CASE(link_local_is_near),
        CASE(nobody_to_ask),
        CASE(our_addresses_are_announced),
        CASE(who_asks_for_us_is_answered_and_known),
        CASE(others_are_not_answered_for),
        CASE(who_tries_our_address_is_told),
        CASE(what_was_not_asked_for_is_not_believed),
        CASE(who_is_not_of_the_link_is_not_learned),
        CASE(a_known_one_may_move),
        CASE(an_answer_that_may_not_override),
        CASE(trust_ends_and_comes_back),
        CASE(one_that_has_gone_is_looked_for_anew),
        CASE(who_has_our_address_is_a_conflict),
        CASE(a_flood_of_askers_pushes_nobody_out),
        CASE(a_flood_of_questions_pushes_nobody_out),
        CASE(a_mapped_address_is_malformed),
        CASE(packets_are_told_from_messages),
        CASE(malformed_messages_change_nothing),
        CASE(cut_messages_are_malformed),
        CASE(router_messages_are_passed_over),
        CASE(noise_does_no_harm),
    };
#undef CASE
    return cmocka_run_group_tests_name("neighbour", tests, NULL, NULL);
}
