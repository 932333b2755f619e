/* Cutting a packet straight from its bytes: what the frames of the lab's own stacks never are.
 * Random bytes too: whatever they say, every piece can be taken. Frames: test_lab_link.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/wire/ip.h"
#include "core/wire/tcp.h"
#include "lab/cut.h"
#include "lab/pattern.h"

enum { UDP = 17, UDP_BYTES = 8, ROOM = 4096, V4 = 20, V6 = 40, DESTINATION_OPTIONS = 60 };

/* A UDP packet of 10.0.0.1 or fd00::1 with a partial checksum, extension headers before it. */
static uint32_t make_udp(uint8_t *bytes, bool v6, uint32_t extension_bytes, uint32_t payload)
{
    struct hf_ip ip = {.source = hf_addr_v4(10, 0, 0, 1),
                       .destination = hf_addr_v4(10, 0, 0, 2),
                       .version = v6 ? 6 : 4,
                       .protocol = extension_bytes > 0 ? DESTINATION_OPTIONS : UDP,
                       .ttl = 64,
                       .payload_bytes = extension_bytes + UDP_BYTES + payload};
    if (v6) {
        ip.source = (struct hf_addr){{0xFD, [15] = 1}};
        ip.destination = (struct hf_addr){{0xFD, [15] = 2}};
    }
    size_t at = hf_ip_emit(&ip, bytes);
    if (extension_bytes > 0) {
        memset(bytes + at, 0, extension_bytes);
        bytes[at] = UDP;
        bytes[at + 1] = (uint8_t)(extension_bytes / 8 - 1);
        at += extension_bytes;
    }
    hf_put16(bytes + at, 7);
    hf_put16(bytes + at + 2, 7);
    hf_put16(bytes + at + 4, (uint16_t)(UDP_BYTES + payload));
    hf_put16(bytes + at + 6,
             hf_sum_fold(hf_ip_pseudo_sum(&ip.source, &ip.destination, UDP, UDP_BYTES + payload)));
    hf_pattern_fill(1, 0, bytes + at + UDP_BYTES, payload);
    return (uint32_t)at + UDP_BYTES + payload;
}

static uint16_t sum_of_udp(const uint8_t *bytes, uint32_t at, uint32_t n)
{
    hf_sum sum = at == V4 ? hf_sum_bytes(0, bytes + 12, 8) : hf_sum_bytes(0, bytes + 8, 32);
    sum = hf_sum_u32(hf_sum_u16(sum, UDP), n - at);
    return hf_sum_fold(hf_sum_bytes(sum, bytes + at, n - at));
}

static void udp_checksums_are_filled_in(void **state)
{
    static const struct {
        bool v6;
        uint32_t extension_bytes, at;
    } rows[] = {{false, 0, V4}, {true, 0, V6}, {true, 8, V6 + 8}, {true, 24, V6 + 24}};
    uint8_t bytes[ROOM], out[ROOM];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (uint32_t payload = 0; payload < 1400; payload += 99) {
            struct hf_cut c;
            uint32_t n = make_udp(bytes, rows[i].v6, rows[i].extension_bytes, payload);
            hf_cut_plan(&c, &(struct hf_packet){bytes, n, 0, HF_PACKET_CSUM_PARTIAL});
            assert_int_equal(c.count, 1);
            assert_int_equal(c.protocol, UDP);
            assert_int_equal(c.ip_bytes, rows[i].at);
            assert_int_equal(hf_cut_piece_bytes(&c, 0), n);
            hf_cut_piece(&c, 0, out);
            assert_int_equal(sum_of_udp(out, rows[i].at, n), 0xFFFF);
            /* Nothing else has changed. */
            memcpy(out + rows[i].at + 6, bytes + rows[i].at + 6, 2);
            assert_memory_equal(out, bytes, n);
        }
}

/* [RFC768] A sum of zero is sent as all ones, since zero says that there is none. */
static void a_udp_checksum_is_never_zero(void **state)
{
    uint8_t bytes[ROOM], out[ROOM];
    struct hf_cut c;
    unsigned met = 0;
    (void)state;
    for (unsigned v = 0; v < 0x10000; v++) {
        uint32_t n = make_udp(bytes, false, 0, 2);
        hf_put16(bytes + n - 2, (uint16_t)v);
        hf_cut_plan(&c, &(struct hf_packet){bytes, n, 0, HF_PACKET_CSUM_PARTIAL});
        hf_cut_piece(&c, 0, out);
        assert_int_equal(sum_of_udp(out, V4, n), 0xFFFF);
        assert_true(hf_get16(out + V4 + 6) != 0);
        met += hf_get16(out + V4 + 6) == 0xFFFF;
    }
    assert_true(met > 0);
}

/* Only the first fragment has a transport header, and its checksum is over all of them. */
static void fragments_stay_as_they_are(void **state)
{
    static const uint16_t fields[] = {0x2000, 0x0001, 0x2001, 0x1FFF};
    uint8_t bytes[ROOM], out[ROOM];
    struct hf_cut c;
    (void)state;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        uint32_t n = make_udp(bytes, false, 0, 100);
        hf_put16(bytes + 6, fields[i]);
        hf_cut_plan(&c, &(struct hf_packet){bytes, n, 0, HF_PACKET_CSUM_PARTIAL});
        assert_int_equal(c.protocol, 0);
        hf_cut_piece(&c, 0, out);
        assert_memory_equal(out, bytes, n);
    }
    uint32_t n = make_udp(bytes, false, 0, 100);
    hf_put16(bytes + 6, 0x4000); /* "don't fragment" is none */
    hf_cut_plan(&c, &(struct hf_packet){bytes, n, 0, HF_PACKET_CSUM_PARTIAL});
    assert_int_equal(c.protocol, UDP);
}

/* A super-packet behind an extension header: the IPv6 length counts it, the checksum does not. */
static void super_packets_behind_extension_headers_are_cut(void **state)
{
    enum { EXTENSION = 8, TCP = V6 + EXTENSION, PAYLOAD = 2500 };
    uint8_t bytes[ROOM], out[ROOM];
    struct hf_cut c;
    (void)state;
    uint32_t n = make_udp(bytes, true, EXTENSION, HF_TCP_HEADER_BYTES - UDP_BYTES + PAYLOAD);
    bytes[V6] = HF_IP_PROTO_TCP;
    memset(bytes + TCP, 0, HF_TCP_HEADER_BYTES);
    bytes[TCP + 12] = 5 << 4;
    bytes[TCP + 13] = HF_ACK;
    hf_sum sum = hf_sum_bytes(hf_sum_u16(0, HF_IP_PROTO_TCP), bytes + 8, 32);
    hf_put16(bytes + TCP + 16, hf_sum_fold(hf_sum_u32(sum, n - TCP)));
    hf_cut_plan(&c, &(struct hf_packet){bytes, n, 1000, HF_PACKET_CSUM_PARTIAL});
    assert_int_equal(c.count, 3);
    for (uint32_t nth = 0; nth < 3; nth++) {
        uint32_t m = hf_cut_piece_bytes(&c, nth);
        assert_int_equal(m, TCP + HF_TCP_HEADER_BYTES + (nth < 2 ? 1000 : 500));
        hf_cut_piece(&c, nth, out);
        assert_int_equal(hf_get16(out + 4), m - V6);
        assert_int_equal(hf_get32(out + TCP + 4), nth * 1000);
        hf_sum piece = hf_sum_bytes(hf_sum_u32(sum, m - TCP), out + TCP, m - TCP);
        assert_int_equal(hf_sum_fold(piece), 0xFFFF);
    }
}

static void any_bytes_can_be_cut(void **state)
{
    enum { RUNS = 200000, MAX = 300 };
    struct hf_dice dice = {11};
    static uint8_t bytes[MAX], out[MAX];
    (void)state;
    for (int run = 0; run < RUNS; run++) {
        static const uint8_t firsts[] = {0x45, 0x46, 0x60, 0x4F, 0x40, 0x00};
        static const uint8_t protocols[] = {6, 17, 1, 58, 0, 43, 60, 44};
        uint32_t n = 1 + (uint32_t)hf_dice_below(&dice, MAX);
        for (uint32_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)hf_dice_next(&dice);
        bytes[0] = firsts[hf_dice_below(&dice, sizeof firsts)];
        if (n > 9)
            bytes[6] = bytes[9] = protocols[hf_dice_below(&dice, sizeof protocols)];
        struct hf_cut c;
        uint16_t segment = (uint16_t)hf_dice_below(&dice, 60);
        uint16_t flags = (uint16_t)hf_dice_below(&dice, 4);
        hf_cut_plan(&c, &(struct hf_packet){bytes, n, segment, flags});
        uint64_t total = 0;
        for (uint32_t nth = 0; nth < c.count; nth++) {
            assert_in_range(hf_cut_piece_bytes(&c, nth), 1, n);
            hf_cut_piece(&c, nth, out);
            total += hf_cut_piece_bytes(&c, nth);
        }
        assert_true(total == n + (uint64_t)(c.count - 1) * c.header_bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(udp_checksums_are_filled_in),
        cmocka_unit_test(a_udp_checksum_is_never_zero),
        cmocka_unit_test(fragments_stay_as_they_are),
        cmocka_unit_test(super_packets_behind_extension_headers_are_cut),
        cmocka_unit_test(any_bytes_can_be_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
