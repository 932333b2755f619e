/* "Fragmentation needed" and "packet too big": the path's MTU, and lies about it [RFC1191]
 * [RFC8201] [RFC5927#7.2]. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/wire_calls.h"

enum { V4_HEADERS = 40, V6_HEADERS = 60 };

static struct hf_config config;

static int reset_config(void **state)
{
    (void)state;
    hf_config_init(&config, sizeof config);
    return 0;
}

static void open_plain(struct wire *w, bool v6)
{
    struct wire_setup setup = {
        .state = HF_ESTABLISHED, .variant = v6 ? WIRE_V6 : 0, .config = &config};
    wire_open(w, &setup);
}

static void send_too_big(struct wire *w, const struct wire_packet *quoted, uint32_t mtu)
{
    bool v6 = w->setup.variant & WIRE_V6;
    struct wire_error e = {
        .type = v6 ? 2 : 3, .code = v6 ? 0 : 4, .rest = mtu, .from_router = true};
    wire_icmp(w, quoted, &e);
}

/* Pops the segments that wait; their payloads' sum, *largest the largest of them. */
static uint32_t pop_all(struct wire *w, uint32_t *largest, uint32_t *count)
{
    uint32_t bytes = 0;
    for (*largest = *count = 0; hf_peer_pop(&w->peer); ++*count) {
        uint32_t n = w->peer.last.segment.payload_bytes;
        bytes += n;
        *largest = n > *largest ? n : *largest;
    }
    return bytes;
}

/* covers: CO-1191-01, CO-1191-02, CO-1191-04, CO-8201-05, CO-5681-03, MUST-16, UN-07: what was
 * refused is sent again at once in pieces that fit, as many of them as before */
static void a_smaller_mtu_is_used_at_once(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        struct wire w;
        uint32_t mtu = v6 ? 1300 : 1000, payload = mtu - (v6 ? V6_HEADERS : V4_HEADERS);
        uint32_t largest, count;
        open_plain(&w, v6);
        uint32_t two = 2u * (1500u - (v6 ? V6_HEADERS : V4_HEADERS));
        uint32_t cwnd_segs = 2 * wire_info(&w).cwnd_bytes / two;
        wire_send(&w, two, 0);
        assert_true(hf_peer_pop(&w.peer));
        struct wire_packet first = wire_last_packet(&w);
        assert_true(v6 || w.peer.last.ip.dont_fragment);
        hf_peer_skip(&w.peer);
        send_too_big(&w, &first, mtu);
        assert_int_equal(wire_info(&w).path_mtu_bytes, mtu);
        assert_int_equal(wire_info(&w).cwnd_bytes / payload, cwnd_segs);
        assert_int_equal(pop_all(&w, &largest, &count), two);
        assert_int_equal(largest, payload);
        assert_int_equal(wire_events(&w, NULL), 0);
        hf_peer_send(&w.peer, ".");
        wire_send(&w, 3 * payload, 0);
        assert_int_equal(pop_all(&w, &largest, &count), 3 * payload);
        assert_int_equal(count, 3);
        wire_close(&w);
    }
}

/* What was refused was not lost to congestion: that some of it still waits to be sent again when
 * the first ACK comes begins no recovery. */
static void a_refusal_is_no_congestion(void **state)
{
    (void)state;
    struct wire w;
    uint32_t largest, count;
    open_plain(&w, false);
    uint32_t flight = wire_info(&w).cwnd_bytes, ssthresh = wire_info(&w).ssthresh_bytes;
    wire_send(&w, flight, 0);
    assert_true(hf_peer_pop(&w.peer));
    struct wire_packet first = wire_last_packet(&w);
    hf_peer_skip(&w.peer);
    send_too_big(&w, &first, 1000);
    assert_true(pop_all(&w, &largest, &count) < flight);
    hf_peer_send(&w.peer, ". ack 960");
    assert_int_equal(hf_stack_count(w.rig.stack, HF_RECOVERY_BEGINS), 0);
    assert_int_equal(wire_info(&w).ssthresh_bytes, ssthresh);
    wire_close(&w);
}

/* An MTU that is not below ours says nothing that we do not do already: dropped, and counted. */
static void a_larger_mtu_is_no_news(void **state)
{
    (void)state;
    static const uint32_t mtus[] = {1500, 1501, 9000};
    struct wire w;
    open_plain(&w, false);
    wire_send(&w, 1460, 0);
    assert_true(hf_peer_pop(&w.peer));
    struct wire_packet first = wire_last_packet(&w);
    for (size_t i = 0; i < HF_COUNT_OF(mtus); i++) {
        send_too_big(&w, &first, mtus[i]);
        assert_int_equal(hf_stack_count(w.rig.stack, HF_DROP_ICMP_IGNORED), i + 1);
        assert_int_equal(wire_info(&w).path_mtu_bytes, 1500);
        WIRE_QUIET(&w);
    }
    wire_close(&w);
}

/* covers: CO-1191-07, CO-1191-08: a burst that is refused packet by packet comes again once */
static void a_burst_of_refusals_is_one_round(void **state)
{
    (void)state;
    struct wire w;
    struct wire_packet packets[8];
    uint32_t largest, count;
    open_plain(&w, false);
    wire_send(&w, 8 * 1460, 0);
    for (size_t i = 0; i < HF_COUNT_OF(packets); i++) {
        assert_true(hf_peer_pop(&w.peer));
        packets[i] = wire_last_packet(&w);
    }
    for (size_t i = 0; i < HF_COUNT_OF(packets); i++)
        send_too_big(&w, &packets[i], 1400);
    assert_int_equal(pop_all(&w, &largest, &count), 8 * 1460);
    assert_int_equal(largest, 1360);
    assert_int_equal(hf_stack_count(w.rig.stack, HF_ICMP_TOO_BIG), 1);
    wire_close(&w);
}

/* covers: CO-1191-03, CO-8201-02: no message makes the MTU larger */
static void the_mtu_is_never_raised(void **state)
{
    (void)state;
    static const uint32_t claims[] = {1400, 1401, 1500, 9000, 65535};
    for (int v6 = 0; v6 < 2; v6++) {
        struct wire w;
        open_plain(&w, v6);
        wire_send(&w, 3000, 0);
        assert_true(hf_peer_pop(&w.peer));
        struct wire_packet first = wire_last_packet(&w);
        send_too_big(&w, &first, 1400);
        hf_peer_skip(&w.peer);
        for (size_t i = 0; i < HF_COUNT_OF(claims); i++) {
            send_too_big(&w, &first, claims[i]);
            assert_int_equal(wire_info(&w).path_mtu_bytes, 1400);
            WIRE_QUIET(&w);
        }
        wire_close(&w);
    }
}

/* covers: CO-1191-02: routers that do not tell their MTU: down from plateau to plateau */
static void a_message_without_an_mtu(void **state)
{
    (void)state;
    static const uint16_t plateaus[] = {1492, 1006, 508, 296, 168, 168};
    struct wire w;
    open_plain(&w, false);
    wire_send(&w, 1000, 0);
    for (size_t i = 0; i < HF_COUNT_OF(plateaus); i++) {
        if (hf_peer_pop(&w.peer)) {
            struct wire_packet first = wire_last_packet(&w);
            hf_peer_skip(&w.peer);
            send_too_big(&w, &first, 0);
        }
        assert_int_equal(wire_info(&w).path_mtu_bytes, plateaus[i]);
    }
    wire_close(&w);
}

/* covers: CO-5927-09, CO-1191-03: absurd claims leave room for data. DEVIATION D-31 */
static void a_tiny_mtu_is_as_good_as_a_small_one(void **state)
{
    (void)state;
    static const uint32_t claims[] = {1, 67, 68, 100, 167};
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant += 2)
        for (size_t i = 0; i < HF_COUNT_OF(claims); i++) {
            struct wire w;
            struct wire_setup setup = {
                .state = HF_ESTABLISHED, .variant = variant, .config = &config};
            uint32_t largest, count, least = 168;
            uint32_t headers = V4_HEADERS + (variant & WIRE_OPTIONS ? 12u : 0u);
            wire_open(&w, &setup);
            wire_send(&w, 1450, 0);
            assert_true(hf_peer_pop(&w.peer));
            struct wire_packet first = wire_last_packet(&w);
            hf_peer_skip(&w.peer);
            send_too_big(&w, &first, claims[i]);
            assert_int_equal(wire_info(&w).path_mtu_bytes, least);
            for (int n = 0; n < 10; n++) {
                pop_all(&w, &largest, &count);
                assert_in_range(largest, 0, least - headers);
                hf_peer_send(&w.peer, ".");
            }
            assert_int_equal(wire_info(&w).in_flight_bytes, 0);
            wire_close(&w);
        }
}

/* covers: CO-8201-01: no IPv6 link is so small: such a message is discarded, not rounded up */
static void a_claim_below_the_least_mtu_of_ipv6_is_discarded(void **state)
{
    (void)state;
    static const uint32_t claims[] = {0, 1, 600, 1279};
    for (size_t i = 0; i < HF_COUNT_OF(claims); i++) {
        struct wire w;
        open_plain(&w, true);
        wire_send(&w, 1440, 0);
        assert_true(hf_peer_pop(&w.peer));
        struct wire_packet first = wire_last_packet(&w);
        send_too_big(&w, &first, claims[i]);
        assert_int_equal(wire_info(&w).path_mtu_bytes, 1500);
        WIRE_QUIET(&w);
        send_too_big(&w, &first, 1280);
        assert_int_equal(wire_info(&w).path_mtu_bytes, 1280);
        wire_close(&w);
    }
}

/* 296, while acknowledgments flow. */
static void forge_claims(struct wire *w)
{
    struct wire_packet full;
    for (int i = 0; i < 10; i++) {
        wire_send(w, 1452, 0);
        assert_true(hf_peer_pop(&w->peer));
        full = wire_last_packet(w);
        send_too_big(w, &full, 296);
        WIRE_QUIET(w);
        hf_peer_send(&w->peer, ".");
    }
    /* The claim stands until what it quotes is acknowledged, not what lies before. */
    wire_send(w, 2 * 1452, 0);
    assert_true(hf_peer_pop(&w->peer));
    assert_true(hf_peer_pop(&w->peer));
    full = wire_last_packet(w);
    send_too_big(w, &full, 296);
    char text[32];
    snprintf(text, sizeof text, ". ack %u", w->peer.last.segment.seq - w->peer.irs);
    hf_peer_send(&w->peer, text);
    hf_peer_send(&w->peer, ".");
}

/* A link of 4464 bytes to a peer with this MSS option. */
static void open_wide(struct wire *w, const char *options)
{
    config.mtu_bytes = 4464;
    *w = (struct wire){.setup = {.state = HF_ESTABLISHED, .config = &config}};
    struct hf_rig_config rig = {.config = &config, .seed = 3, .cut = true};
    assert_int_equal(hf_rig_open(&w->rig, &rig), HF_OK);
    struct hf_listen listen = {.port = WIRE_STACK_PORT};
    assert_int_equal(hf_listen(w->rig.stack, &listen, &w->listener, 0), HF_OK);
    hf_peer_open(&w->peer, &w->rig, false, WIRE_PEER_PORT, WIRE_STACK_PORT, 4999);
    assert_true(hf_peer_connect(&w->peer, options));
    w->conn = hf_rig_event(&w->rig).handle;
    wire_set(w, HF_OPT_NAGLE, 0);
}

/* covers: CO-5927-08, CO-1191-06: the runs of [RFC5927#7.3] */
static void a_claim_against_experience_waits_for_a_timeout(void **state)
{
    (void)state;
    struct wire w;
    uint32_t largest, count;
    open_wide(&w, "<mss 4424>");

    /* The first discovery: both are honoured at once. */
    wire_send(&w, 4424, 0);
    for (uint32_t mtu = 2048; mtu >= 1500; mtu -= 548) {
        assert_true(hf_peer_pop(&w.peer));
        struct wire_packet cut = {.ip_bytes = 20, .length_bytes = 28};
        memcpy(cut.bytes, w.rig.popped->bytes, 28);
        hf_peer_skip(&w.peer);
        send_too_big(&w, &cut, mtu);
        assert_int_equal(wire_info(&w).path_mtu_bytes, mtu);
    }
    assert_int_equal(pop_all(&w, &largest, &count), 4424);
    assert_int_equal(largest, 1460);
    hf_peer_send(&w.peer, ".");

    /* 1500 is known to pass; the path changes to 1492: believed with the timeout. */
    wire_send(&w, 1460, 0);
    assert_true(hf_peer_pop(&w.peer));
    struct wire_packet full = wire_last_packet(&w);
    send_too_big(&w, &full, 1492);
    assert_int_equal(wire_info(&w).path_mtu_bytes, 1500);
    WIRE_QUIET(&w);
    assert_true(wire_until_sent(&w, HF_SEC(9)) != HF_NEVER);
    assert_int_equal(wire_info(&w).path_mtu_bytes, 1492);
    assert_true(hf_peer_pop(&w.peer));
    assert_int_equal(w.peer.last.segment.payload_bytes, 1452);
    hf_peer_skip(&w.peer);
    hf_peer_send(&w.peer, ".");
    hf_peer_skip(&w.peer);
    hf_peer_send(&w.peer, ".");

    forge_claims(&w);
    hf_rig_wait(&w.rig, HF_SEC(60));
    assert_int_equal(wire_info(&w).path_mtu_bytes, 1492);
    wire_close(&w);
}

/* [RFC5927#7.2] A claim that waits is about the packet that it quotes: when that has arrived, the
 * timeout of a later one does not make it true. */
static void a_claim_ends_with_what_it_quotes(void **state)
{
    (void)state;
    for (int first_is_quoted = 0; first_is_quoted < 2; first_is_quoted++) {
        struct wire w;
        open_plain(&w, false);
        wire_send(&w, 1460, 0);
        assert_true(hf_peer_pop(&w.peer));
        hf_peer_send(&w.peer, "."); /* 1500 is known to pass */
        wire_send(&w, 2 * 1460, 0);
        assert_true(hf_peer_pop(&w.peer));
        struct wire_packet quoted = wire_last_packet(&w);
        assert_true(hf_peer_pop(&w.peer));
        if (!first_is_quoted)
            quoted = wire_last_packet(&w);
        send_too_big(&w, &quoted, 1300);
        hf_peer_send(&w.peer, ". ack 2920");
        WIRE_QUIET(&w);
        w.start_ns = w.rig.now_ns;
        assert_true(wire_until_sent(&w, HF_SEC(9)) != HF_NEVER);
        assert_int_equal(wire_info(&w).path_mtu_bytes, first_is_quoted ? 1500 : 1300);
        assert_true(hf_peer_pop(&w.peer));
        assert_int_equal(w.peer.last.segment.payload_bytes, first_is_quoted ? 1460 : 1260);
        wire_close(&w);
    }
}

/* covers: CO-1191-03: nor does a claim that waits, if meanwhile the application wants still less */
static void a_claim_that_waited_raises_nothing(void **state)
{
    (void)state;
    struct wire w;
    open_plain(&w, false);
    wire_send(&w, 1460, 0);
    assert_true(hf_peer_pop(&w.peer));
    hf_peer_send(&w.peer, "."); /* 1500 is known to pass */
    wire_send(&w, 1460, 0);
    assert_true(hf_peer_pop(&w.peer));
    struct wire_packet full = wire_last_packet(&w);
    send_too_big(&w, &full, 1000);
    assert_int_equal(hf_stack_count(w.rig.stack, HF_ICMP_TOO_BIG_PENDING), 1);
    wire_set(&w, HF_OPT_MSS_BYTES, 500);
    assert_int_equal(wire_info(&w).path_mtu_bytes, 540);
    assert_true(wire_until_sent(&w, HF_SEC(9)) != HF_NEVER);
    assert_int_equal(wire_info(&w).path_mtu_bytes, 540);
    assert_true(hf_peer_pop(&w.peer));
    assert_int_equal(w.peer.last.segment.payload_bytes, 500);
    wire_close(&w);
}

/* [RFC5927#7.2] Of the packets that have passed, the largest tells which claims are doubtful: those
 * below it. */
static void a_claim_of_what_has_passed_is_believed_at_once(void **state)
{
    (void)state;
    for (uint32_t mtu = 999; mtu <= 1000; mtu++) {
        struct wire w;
        open_wide(&w, "<mss 960>");
        wire_send(&w, 960, 0);
        assert_true(hf_peer_pop(&w.peer));
        hf_peer_send(&w.peer, "."); /* a packet of 1000 bytes has passed */
        wire_send(&w, 960, 0);
        assert_true(hf_peer_pop(&w.peer));
        struct wire_packet full = wire_last_packet(&w);
        send_too_big(&w, &full, mtu);
        assert_int_equal(wire_info(&w).path_mtu_bytes, mtu == 1000 ? 1000 : 4464);
        wire_close(&w);
    }
}

/* The options of a segment have passed with it: of 1500 bytes, 1499 are doubtful. */
static void options_are_part_of_what_has_passed(void **state)
{
    (void)state;
    struct wire w;
    struct wire_setup setup = {.state = HF_ESTABLISHED, .variant = WIRE_OPTIONS, .config = &config};
    wire_open(&w, &setup);
    wire_send(&w, 1448, 0);
    assert_true(hf_peer_pop(&w.peer));
    hf_peer_send(&w.peer, ".");
    wire_send(&w, 1448, 0);
    assert_true(hf_peer_pop(&w.peer));
    struct wire_packet full = wire_last_packet(&w);
    assert_int_equal(full.length_bytes, 1500);
    send_too_big(&w, &full, 1499);
    assert_int_equal(wire_info(&w).path_mtu_bytes, 1500);
    wire_close(&w);
}

/* covers: CO-5927-01, CO-8201-02: quotes of what is not in flight, or not ours */
static void a_quote_of_nothing_in_flight_is_refused(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        struct wire w;
        open_plain(&w, v6);
        wire_send(&w, 1400, 0);
        assert_true(hf_peer_pop(&w.peer));
        struct wire_packet first = wire_last_packet(&w);
        struct wire_error e = {.type = v6 ? 2 : 3, .code = v6 ? 0 : 4, .rest = 1300};
        static const int32_t outside[] = {-1, 1400, -100000, 100000};
        for (size_t i = 0; i < HF_COUNT_OF(outside); i++) {
            e.seq_offset = outside[i];
            wire_icmp(&w, &first, &e);
        }
        assert_int_equal(wire_info(&w).path_mtu_bytes, 1500);
        assert_int_equal(hf_stack_count(w.rig.stack, HF_DROP_ICMP_SEQUENCE), 4);
        WIRE_QUIET(&w);
        wire_close(&w);
    }
}

/* covers: CO-1191-11, CO-8201-05, SHLD-26: what is said about the SYN counts when
 * data flows, and our MSS option does not follow it */
static void a_message_about_the_syn(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        struct wire w = {.setup = {.state = HF_SYN_SENT, .variant = v6 ? WIRE_V6 : 0}};
        struct hf_rig_config rig = {.seed = 5, .cut = true};
        assert_int_equal(hf_rig_open(&w.rig, &rig), HF_OK);
        hf_peer_open(&w.peer, &w.rig, v6, 80, 5000, 1000);
        struct hf_connect what = {.local = {.port = 5000}, .remote = w.peer.here};
        assert_int_equal(hf_connect(w.rig.stack, &what, &w.conn, 0), HF_OK);
        hf_rig_pull(&w.rig);
        WIRE_EXPECT(&w, "S seq 0");
        struct wire_packet syn = wire_last_packet(&w);
        send_too_big(&w, &syn, 1400);
        send_too_big(&w, &syn, 1300);
        send_too_big(&w, &syn, 1350); /* the least of them counts */
        assert_int_equal(wire_events(&w, NULL), 0);
        assert_int_equal(wire_state(&w), HF_SYN_SENT);
        assert_true(wire_until_sent(&w, HF_SEC(2)) != HF_NEVER);
        WIRE_EXPECT(&w, "S seq 0");
        assert_int_equal(w.peer.last.segment.mss_bytes, v6 ? 1440 : 1460);
        hf_peer_send(&w.peer, "S. seq 0 ack 1 <mss 1440>");
        WIRE_EXPECT(&w, ". seq 1 ack 1");
        wire_send(&w, 1400, 0);
        assert_true(hf_peer_pop(&w.peer));
        assert_int_equal(w.peer.last.segment.payload_bytes, v6 ? 1240 : 1260);
        /* Nothing has passed yet that would make the next one doubtful. */
        struct wire_packet full = wire_last_packet(&w);
        send_too_big(&w, &full, 1290);
        assert_int_equal(wire_info(&w).path_mtu_bytes, 1290);
        wire_close(&w);
    }
}

/* covers: CO-1191-12, CO-1191-01: without discovery DF is clear, and the identification counts */
static void discovery_can_be_switched_off(void **state)
{
    (void)state;
    struct wire w;
    config.dont_fragment = 0;
    open_plain(&w, false);
    wire_send(&w, 3000, 0);
    uint16_t id = 0;
    for (int i = 0; i < 2; i++) {
        assert_true(hf_peer_pop(&w.peer));
        assert_false(w.peer.last.ip.dont_fragment);
        assert_true(i == 0 || w.peer.last.ip.id == (uint16_t)(id + 1));
        id = w.peer.last.ip.id;
    }
    wire_close(&w);
}

int main(void)
{
#define MTU_TEST(f) cmocka_unit_test_setup(f, reset_config)
    const struct CMUnitTest tests[] = {
        MTU_TEST(a_smaller_mtu_is_used_at_once),
        MTU_TEST(a_refusal_is_no_congestion),
        MTU_TEST(a_larger_mtu_is_no_news),
        MTU_TEST(a_burst_of_refusals_is_one_round),
        MTU_TEST(the_mtu_is_never_raised),
        MTU_TEST(a_message_without_an_mtu),
        MTU_TEST(a_tiny_mtu_is_as_good_as_a_small_one),
        MTU_TEST(a_claim_below_the_least_mtu_of_ipv6_is_discarded),
        MTU_TEST(a_claim_against_experience_waits_for_a_timeout),
        MTU_TEST(a_claim_ends_with_what_it_quotes),
        MTU_TEST(a_claim_that_waited_raises_nothing),
        MTU_TEST(a_claim_of_what_has_passed_is_believed_at_once),
        MTU_TEST(options_are_part_of_what_has_passed),
        MTU_TEST(a_quote_of_nothing_in_flight_is_refused),
        MTU_TEST(a_message_about_the_syn),
        MTU_TEST(discovery_can_be_switched_off),
    };
    return cmocka_run_group_tests_name("icmp_mtu", tests, NULL, NULL);
}
