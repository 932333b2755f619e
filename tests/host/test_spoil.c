/**
 * Fault rules: their text, what they match, what becomes of the packet. On a link in memory, with a
 * clock turned by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "fake_link.h"
#include "segments.h"

struct bench {
    struct fake_link fake;
    struct hf_link *link;
    hf_ns now_ns;
    struct way client, server; /* out and in */
};

static hf_ns bench_clock(void *ctx)
{
    return *(hf_ns *)ctx;
}

static struct bench *bench_open(const char *text)
{
    struct bench *b = calloc(1, sizeof *b);
    struct hf_spoil_rule rules[HF_SPOIL_RULES_MAX];
    struct hf_why why = {.text = ""};
    size_t count;
    assert_non_null(b);
    fake_init(&b->fake);
    if (hf_spoil_parse(text, rules, HF_SPOIL_RULES_MAX, &count, &why) != HF_OK)
        fail_msg("%s: %s", text, why.text);
    b->now_ns = HF_SEC(100);
    b->client = (struct way){{hf_addr_v4(10, 0, 0, 1), 40000}, {hf_addr_v4(10, 0, 0, 2), 80}};
    b->server = way_back(&b->client);
    assert_int_equal(
        HF_OK, hf_link_spoil(&b->link, &b->fake.link, rules, count, bench_clock, &b->now_ns, NULL));
    return b;
}

static void bench_close(struct bench *b)
{
    hf_link_close(b->link);
    assert_int_equal(1, b->fake.closed);
    free(b);
}

static struct hf_segment seg_of(uint16_t flags, uint32_t seq, uint32_t ack, uint32_t payload_bytes)
{
    return (struct hf_segment){
        .flags = flags, .seq = seq, .ack = ack, .window = 1000, .payload_bytes = payload_bytes};
}

static const char payload[1500] = "some payload";

/* Sends a segment of the client; returns how many packets came out at the far end. */
static size_t out_flagged(struct bench *b, struct hf_segment seg, bool partial)
{
    uint8_t bytes[2000];
    size_t header, n = segment_make(&b->client, seg, payload, partial, bytes, &header);
    const struct hf_slice slice = {bytes + header, n - header};
    const struct hf_out_packet p = {.header = bytes,
                                    .header_bytes = (uint16_t)header,
                                    .ip_bytes = 20,
                                    .flags = partial ? HF_PACKET_CSUM_PARTIAL : 0,
                                    .checksum_offset = 16,
                                    .slice_count = n > header,
                                    .slices = &slice,
                                    .length_bytes = (uint32_t)n};
    size_t before = b->fake.sent_count;
    assert_int_equal(1, hf_link_send(b->link, &p, 1));
    return b->fake.sent_count - before;
}

static size_t out(struct bench *b, struct hf_segment seg)
{
    return out_flagged(b, seg, false);
}

/* Lets a segment of the server come in; returns how many packets were received. */
static size_t in(struct bench *b, struct hf_segment seg)
{
    uint8_t bytes[2000];
    struct hf_packet got[8];
    size_t header, n = segment_make(&b->server, seg, payload, false, bytes, &header);
    fake_put(&b->fake, bytes, n);
    int count = hf_link_receive(b->link, got, 8);
    assert_true(count >= 0);
    return (size_t)count;
}

enum { A = HF_ACK, S = HF_SYN, F = HF_FIN, P = HF_PSH };

/* A whole connection; which of its ten packets came through, as one digit each. */
static void whole_connection(struct bench *b, uint32_t isn, char passed[11])
{
    size_t n[10] = {
        out(b, seg_of(S, isn, 0, 0)),              /* SYN */
        in(b, seg_of(S | A, 5000, isn + 1, 0)),    /* SYN,ACK */
        out(b, seg_of(A, isn + 1, 5001, 0)),       /* third ACK */
        out(b, seg_of(A | P, isn + 1, 5001, 100)), /* first data */
        in(b, seg_of(A, 5001, isn + 101, 0)),      /* ACK */
        in(b, seg_of(A | P, 5001, isn + 101, 50)), /* first data of the server */
        out(b, seg_of(A | F, isn + 101, 5051, 0)), /* FIN */
        in(b, seg_of(A, 5051, isn + 102, 0)),      /* its ACK */
        in(b, seg_of(A | F, 5051, isn + 102, 0)),  /* second FIN */
        out(b, seg_of(A, isn + 102, 5052, 0)),     /* last ACK */
    };
    for (size_t i = 0; i < 10; i++)
        passed[i] = (char)('0' + n[i]);
    passed[10] = '\0';
}

static void check_connection(const char *rules, const char *first, const char *second)
{
    char passed[11];
    struct bench *b = bench_open(rules);
    whole_connection(b, 1000, passed);
    if (strcmp(passed, first) != 0)
        fail_msg("%s: got %s, expected %s", rules, passed, first);
    whole_connection(b, 900000, passed); /* same ports, anew: everything counts from one again */
    if (strcmp(passed, second) != 0)
        fail_msg("%s, second connection: got %s, expected %s", rules, passed, second);
    bench_close(b);
}

static void kinds_name_their_moment(void **state)
{
    (void)state;
    check_connection("drop syn", "0111111111", "0111111111");
    check_connection("drop synack", "1011111111", "1011111111");
    check_connection("drop third-ack once", "1101111111", "1101111111");
    check_connection("drop first-data", "1110101111", "1110101111");
    check_connection("drop first-data in", "1111101111", "1111101111");
    check_connection("drop data out", "1110111111", "1110111111");
    check_connection("drop fin", "1111110101", "1111110101");
    check_connection("drop last-ack", "1111111110", "1111111110");
    check_connection("drop ack", "1101011010", "1101011010");
    check_connection("drop 3rd ack", "1111111011", "1111111011");
    check_connection("drop every 2nd ack", "1111011110", "1111011110");
    check_connection("drop 2nd fin; duplicate syn", "2111111101", "2111111101");
    check_connection("drop any out 2nd", "1101111111", "1101111111");
    check_connection("drop rst", "1111111111", "1111111111");
}

static void a_retransmission_matches_again(void **state)
{
    (void)state;
    struct bench *b = bench_open("drop first-data once");
    assert_int_equal(1, out(b, seg_of(S, 7, 0, 0)));
    assert_int_equal(0, out(b, seg_of(A, 8, 1, 10)));
    assert_int_equal(1, out(b, seg_of(A, 8, 1, 10)));
    assert_int_equal(1, hf_link_spoil_hits(b->link, 0));
    bench_close(b);

    b = bench_open("drop first-data");
    (void)out(b, seg_of(S, 7, 0, 0));
    for (int i = 0; i < 3; i++)
        assert_int_equal(0, out(b, seg_of(A, 8, 1, 10)));
    assert_int_equal(1, out(b, seg_of(A, 18, 1, 10)));
    assert_int_equal(3, hf_link_spoil_hits(b->link, 0));
    bench_close(b);
}

static void connections_count_apart(void **state)
{
    (void)state;
    struct bench *b = bench_open("drop 2nd data");
    const struct way first = b->client;
    assert_int_equal(1, out(b, seg_of(A, 1, 1, 10)));
    b->client.from.port = 40001;
    assert_int_equal(1, out(b, seg_of(A, 1, 1, 10)));
    b->client = first;
    assert_int_equal(0, out(b, seg_of(A, 11, 1, 10)));
    b->client.from.port = 40001;
    assert_int_equal(0, out(b, seg_of(A, 11, 1, 10)));
    assert_int_equal(2, hf_link_spoil_hits(b->link, 0));
    bench_close(b);
}

static void delay_holds_back_in_order(void **state)
{
    (void)state;
    struct bench *b = bench_open("delay 50ms syn; delay 20ms synack");
    struct hf_packet got[4];
    assert_true(hf_link_deadline(b->link) == HF_NEVER);
    hf_ns start = b->now_ns;
    assert_int_equal(0, out(b, seg_of(S, 1, 0, 0)));
    assert_int_equal(0, in(b, seg_of(S | A, 1, 2, 0)));
    assert_int_equal(start + HF_MS(20), hf_link_deadline(b->link));
    b->now_ns = start + HF_MS(20) - 1;
    assert_int_equal(0, hf_link_receive(b->link, got, 4));
    b->now_ns++;
    assert_int_equal(1, hf_link_receive(b->link, got, 4));
    struct hf_ip ip;
    struct hf_segment seg;
    assert_true(segment_read(got[0].bytes, got[0].length_bytes, &ip, &seg));
    assert_int_equal(S | A, seg.flags);
    assert_int_equal(start + HF_MS(50), hf_link_deadline(b->link));
    hf_link_expire(b->link);
    assert_int_equal(0, b->fake.sent_count);
    b->now_ns = start + HF_MS(50);
    hf_link_expire(b->link);
    assert_int_equal(1, b->fake.sent_count);
    assert_true(hf_link_deadline(b->link) == HF_NEVER);
    assert_true(segment_read(b->fake.sent[0].bytes, b->fake.sent[0].length_bytes, &ip, &seg));
    assert_int_equal(S, seg.flags);
    bench_close(b);
}

/* Held packets that nobody fetched are freed with the link: the leak checker watches. */
static void closing_frees_what_is_held(void **state)
{
    (void)state;
    struct bench *b = bench_open("delay 1s any");
    for (uint32_t i = 0; i < 5; i++) {
        (void)out(b, seg_of(A, i, 1, 10));
        (void)in(b, seg_of(A, i, 1, 10));
    }
    assert_int_equal(0, b->fake.sent_count);
    bench_close(b);
}

static bool differs_by_one_bit(const uint8_t *a, const uint8_t *b, size_t n, size_t *where)
{
    int bits = 0;
    for (size_t i = 0; i < n; i++) {
        for (unsigned x = a[i] ^ b[i]; x; x &= x - 1, bits++)
            *where = i;
    }
    return bits == 1;
}

static void corrupt_flips_one_bit_that_the_checksum_finds(void **state)
{
    (void)state;
    for (unsigned partial = 0; partial < 2; partial++) {
        for (unsigned seed = 0; seed < 40; seed++) {
            char text[64];
            snprintf(text, sizeof text, "corrupt data seed %u", seed);
            struct bench *b = bench_open(text);
            uint8_t right[2000];
            struct hf_segment seg = seg_of(A, 1, 1, 30);
            size_t header, n = segment_make(&b->client, seg, payload, false, right, &header);
            assert_int_equal(1, out_flagged(b, seg, partial != 0));
            const struct fake_packet *sent = &b->fake.sent[0];
            size_t where = 0;
            assert_int_equal(n, sent->length_bytes);
            assert_int_equal(0, sent->flags);
            assert_true(differs_by_one_bit(right, sent->bytes, n, &where));
            assert_true(where >= 20);
            struct hf_ip ip;
            assert_int_equal(HF_NONE, hf_ip_parse(sent->bytes, n, &ip));
            assert_false(segment_sum_is_right(sent->bytes, &ip));
            bench_close(b);
        }
    }
}

static void corrupt_comes_in_without_a_promise(void **state)
{
    (void)state;
    struct bench *b = bench_open("corrupt in");
    uint8_t bytes[200];
    size_t header, n = segment_make(&b->server, seg_of(A, 1, 1, 20), payload, true, bytes, &header);
    struct hf_packet got[2];
    fake_put(&b->fake, bytes, n)->flags = HF_PACKET_CSUM_PARTIAL;
    assert_int_equal(1, hf_link_receive(b->link, got, 2));
    assert_int_equal(0, got[0].flags);
    struct hf_ip ip;
    assert_int_equal(HF_NONE, hf_ip_parse(got[0].bytes, got[0].length_bytes, &ip));
    assert_false(segment_sum_is_right(got[0].bytes, &ip));
    bench_close(b);
}

static void a_super_packet_is_hit_whole(void **state)
{
    (void)state;
    struct bench *b = bench_open("drop 2nd data; corrupt 3rd data; duplicate 4th data");
    uint8_t bytes[2000];
    struct hf_packet got[4];
    const size_t expected[] = {1, 0, 0, 2, 1};
    for (uint32_t i = 0; i < 5; i++) {
        size_t header, n = segment_make(&b->server, seg_of(A, 1 + i * 1200, 1, 1200), payload, true,
                                        bytes, &header);
        struct fake_packet *p = fake_put(&b->fake, bytes, n);
        p->segment_bytes = 100;
        p->flags = HF_PACKET_CSUM_PARTIAL;
        assert_int_equal(expected[i], hf_link_receive(b->link, got, 4));
        for (size_t k = 0; k < expected[i]; k++) {
            assert_int_equal(100, got[k].segment_bytes);
            assert_int_equal(HF_PACKET_CSUM_PARTIAL, got[k].flags);
            assert_int_equal(n, got[k].length_bytes);
        }
    }
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(1, hf_link_spoil_hits(b->link, i));
    bench_close(b);
}

static void duplicates_need_no_more_room_than_there_is(void **state)
{
    (void)state;
    struct bench *b = bench_open("duplicate data");
    uint8_t bytes[200];
    struct hf_packet got[2];
    int count = 0;
    for (uint32_t i = 0; i < 3; i++) {
        size_t header,
            n = segment_make(&b->server, seg_of(A, 1 + i, 1, 1), payload, false, bytes, &header);
        fake_put(&b->fake, bytes, n);
    }
    for (int i = 0; i < 6; i++) {
        struct hf_ip ip;
        struct hf_segment seg;
        assert_int_equal(1, hf_link_receive(b->link, got, 1));
        assert_true(segment_read(got[0].bytes, got[0].length_bytes, &ip, &seg));
        assert_int_equal(1 + i / 2, seg.seq);
        count++;
    }
    assert_int_equal(0, hf_link_receive(b->link, got, 1));
    assert_int_equal(6, count);
    bench_close(b);
}

static size_t lost_of_thousands(const char *rule)
{
    struct bench *b = bench_open(rule);
    size_t lost = 0;
    for (uint32_t i = 0; i < 5000; i++) {
        b->fake.sent_count = 0;
        lost += out(b, seg_of(A, i, 1, 1)) == 0;
    }
    assert_int_equal(lost, hf_link_spoil_hits(b->link, 0));
    bench_close(b);
    return lost;
}

static void chance_keeps_its_word_and_repeats(void **state)
{
    (void)state;
    size_t lost = lost_of_thousands("drop 10% seed 3");
    assert_in_range(lost, 400, 600);
    assert_int_equal(lost, lost_of_thousands("drop 10% seed 3"));
    assert_int_equal(5000, lost_of_thousands("drop 100%"));
    assert_in_range(lost_of_thousands("drop 0.5%"), 5, 60);
}

/* A full device: nothing is lost, judged twice or overtaken. */
static void a_full_link_delays_and_loses_nothing(void **state)
{
    (void)state;
    struct bench *b = bench_open("drop 2nd data; duplicate 3rd data");
    uint8_t bytes[4][200];
    struct hf_out_packet p[4];
    for (uint32_t i = 0; i < 4; i++) {
        size_t header, n = segment_make(&b->client, seg_of(A, 100 + i, 1, 1), payload, false,
                                        bytes[i], &header);
        p[i] = (struct hf_out_packet){.header = bytes[i],
                                      .header_bytes = (uint16_t)n,
                                      .ip_bytes = 20,
                                      .length_bytes = (uint32_t)n};
    }
    b->fake.room = 0;
    size_t taken = 0;
    for (int step = 0; step < 20; step++) {
        taken += (size_t)hf_link_send(b->link, p + taken, 4 - taken);
        b->fake.room = step % 3 == 2;
        b->now_ns += HF_MS(1);
        hf_link_expire(b->link);
    }
    assert_int_equal(4, taken);
    const uint32_t expected[] = {100, 102, 102, 103};
    assert_int_equal(4, b->fake.sent_count);
    for (size_t i = 0; i < 4; i++) {
        struct hf_ip ip;
        struct hf_segment seg;
        assert_true(segment_read(b->fake.sent[i].bytes, b->fake.sent[i].length_bytes, &ip, &seg));
        assert_int_equal(expected[i], seg.seq);
    }
    assert_true(hf_link_deadline(b->link) == HF_NEVER);
    bench_close(b);
}

static void what_is_no_tcp_passes_or_is_any(void **state)
{
    (void)state;
    static const uint8_t junk[3] = {0x45, 0, 0};
    struct hf_packet got[2];
    struct bench *b = bench_open("drop data; drop ack; drop syn");
    fake_put(&b->fake, junk, sizeof junk);
    assert_int_equal(1, hf_link_receive(b->link, got, 2));
    bench_close(b);
    b = bench_open("drop any");
    fake_put(&b->fake, junk, sizeof junk);
    assert_int_equal(0, hf_link_receive(b->link, got, 2));
    bench_close(b);
}

static void the_wrapper_answers_with_the_inner_link(void **state)
{
    (void)state;
    struct bench *b = bench_open("drop syn");
    struct hf_link_caps caps;
    struct hf_link_stats stats;
    b->fake.fd = 77;
    hf_link_caps(b->link, &caps);
    assert_int_equal(1234, caps.mtu_bytes);
    assert_int_equal(77, hf_link_fd(b->link));
    (void)out(b, seg_of(S, 1, 0, 0));
    (void)out(b, seg_of(A, 1, 0, 0));
    hf_link_stats(b->link, &stats);
    assert_int_equal(2, stats.packets_out);
    hf_link_stats(&b->fake.link, &stats);
    assert_int_equal(1, stats.packets_out);
    struct hf_packet got[2];
    b->fake.fail = HF_E_DEVICE;
    assert_int_equal(HF_E_DEVICE, hf_link_receive(b->link, got, 2));
    bench_close(b);
}

static void rules_are_read(void **state)
{
    (void)state;
    struct hf_spoil_rule r[4];
    size_t n = 0;
    assert_int_equal(HF_OK, hf_spoil_parse("drop third-ack once; DELAY every SYN 50ms in;"
                                           "duplicate 1.25% seed 99 ; corrupt out every 3rd data",
                                           r, 4, &n, NULL));
    assert_int_equal(4, n);
    assert_int_equal(HF_SPOIL_DROP, r[0].action);
    assert_int_equal(HF_SPOIL_THIRD_ACK, r[0].kind);
    assert_true(r[0].once);
    assert_int_equal(1, r[0].occurrence);
    assert_int_equal(HF_SPOIL_ALWAYS, r[0].per_million);
    assert_int_equal(HF_SPOIL_DELAY, r[1].action);
    assert_int_equal(HF_SPOIL_IN, r[1].direction);
    assert_int_equal(HF_SPOIL_SYN, r[1].kind);
    assert_int_equal(HF_MS(50), r[1].delay_ns);
    assert_false(r[1].once);
    assert_int_equal(HF_SPOIL_DUPLICATE, r[2].action);
    assert_int_equal(HF_SPOIL_ANY, r[2].kind);
    assert_int_equal(HF_SPOIL_BOTH, r[2].direction);
    assert_int_equal(12500, r[2].per_million);
    assert_int_equal(99, r[2].seed);
    assert_int_equal(HF_SPOIL_CORRUPT, r[3].action);
    assert_int_equal(3, r[3].occurrence);
    assert_false(r[3].once);
    assert_int_equal(HF_OK, hf_spoil_parse("drop 3rd ack", r, 4, &n, NULL));
    assert_true(r[0].once && r[0].occurrence == 3);
}

static void errors_name_the_position(void **state)
{
    (void)state;
    static const struct {
        const char *text, *start;
    } cases[] = {
        {"", "position 1: no rule here"},
        {"  ; ;", "position 6: no rule here"},
        {"lose syn", "position 1: \"lose\": a rule starts with"},
        {"drop syn; dorp fin", "position 11: \"dorp\": a rule starts with"},
        {"drop sin", "position 6: \"sin\": not understood"},
        {"drop syn fin", "position 10: \"fin\": the rule has this already"},
        {"drop in out", "position 9: \"out\": the rule has this already"},
        {"drop once every", "position 11: \"every\": once and every"},
        {"drop 50ms", "position 6: \"50ms\": only delay"},
        {"delay syn", "position 10: delay needs a time"},
        {"delay 50 syn", "position 7: \"50\": not understood"},
        {"drop 0th ack", "position 6: \"0th\": not understood"},
        {"drop 101%", "position 6: \"101%\": not understood"},
        {"drop 100.5%", "position 6: \"100.5%\": not understood"},
        {"drop 0%", "position 6: \"0%\": not understood"},
        {"drop seed", "position 10: not understood"},
        {"drop seed x", "position 11: \"x\": not understood"},
        {"drop 99999999999th ack", "position 6: \"99999999999th\": not understood"},
        {"drop seed 99999999999999999999999", "position 11: \"99999999999999999999999\": not"},
        {"drop syn; drop fin; drop rst", "position 21: \"drop\": one rule too many"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hf_spoil_rule r[2];
        struct hf_why why = {.text = ""};
        size_t n = 55;
        assert_int_equal(HF_E_INVALID, hf_spoil_parse(cases[i].text, r, 2, &n, &why));
        if (strncmp(why.text, cases[i].start, strlen(cases[i].start)) != 0)
            fail_msg("\"%s\" gave: %s", cases[i].text, why.text);
        assert_null(strchr(why.text, '\n'));
        assert_int_equal(55, n);
    }
}

static void bad_rules_are_refused(void **state)
{
    (void)state;
    struct fake_link fake;
    fake_init(&fake);
    struct hf_link *out_link = NULL;
    struct hf_spoil_rule r = {.occurrence = 0, .per_million = HF_SPOIL_ALWAYS};
    assert_int_equal(HF_E_INVALID, hf_link_spoil(&out_link, &fake.link, &r, 1, NULL, NULL, NULL));
    assert_int_equal(HF_E_INVALID, hf_link_spoil(&out_link, &fake.link, &r, HF_SPOIL_RULES_MAX + 1,
                                                 NULL, NULL, NULL));
    assert_null(out_link);
    assert_int_equal(0, fake.closed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_name_their_moment),
        cmocka_unit_test(a_retransmission_matches_again),
        cmocka_unit_test(connections_count_apart),
        cmocka_unit_test(delay_holds_back_in_order),
        cmocka_unit_test(closing_frees_what_is_held),
        cmocka_unit_test(corrupt_flips_one_bit_that_the_checksum_finds),
        cmocka_unit_test(corrupt_comes_in_without_a_promise),
        cmocka_unit_test(a_super_packet_is_hit_whole),
        cmocka_unit_test(duplicates_need_no_more_room_than_there_is),
        cmocka_unit_test(chance_keeps_its_word_and_repeats),
        cmocka_unit_test(a_full_link_delays_and_loses_nothing),
        cmocka_unit_test(what_is_no_tcp_passes_or_is_any),
        cmocka_unit_test(the_wrapper_answers_with_the_inner_link),
        cmocka_unit_test(rules_are_read),
        cmocka_unit_test(errors_name_the_position),
        cmocka_unit_test(bad_rules_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
