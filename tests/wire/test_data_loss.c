/* Round trips, timeouts and lost segments as the sender sees them: RFC 6298, RFC 5681, RFC 6582. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/wire_calls.h"

enum { MSS = 1460, MSS_TS = 1448 };

static struct hf_config config;

/* The default profile, with a floor that leaves the formulas to be seen, and Reno, whose numbers
 * are those of RFC 5681. The loss probe has tests of its own; here it would come ahead of all. */
static int reset_config(void **state)
{
    (void)state;
    hf_config_init(&config, sizeof config);
    config.rto_min_ns = HF_MS(1);
    config.rto_min_on_variance = 0; /* as RFC 6298 has it */
    config.congestion_control = 1;
    config.loss_probe = 0;
    return 0;
}

static void open_with(struct wire *w, unsigned variant)
{
    struct wire_setup setup = {.state = HF_ESTABLISHED, .variant = variant, .config = &config};
    wire_open(w, &setup);
}

static void acknowledge(struct wire *w, uint32_t ack)
{
    char text[32];
    snprintf(text, sizeof text, ". seq 0 ack %u", ack);
    hf_peer_send(&w->peer, text);
}

/* Pops what waits; where the last of it ended, as "seq". */
static uint32_t pop_all(struct wire *w)
{
    uint32_t end = 0;
    while (hf_peer_pop(&w->peer)) {
        const struct hf_segment *seg = &w->peer.last.segment;
        end = seg->seq + seg->payload_bytes - w->peer.irs;
    }
    return end;
}

/* One byte goes and is acknowledged after this time. */
static void round_trip(struct wire *w, hf_ns rtt_ns)
{
    wire_send(w, 1, 0);
    hf_peer_skip(&w->peer);
    hf_rig_wait(&w->rig, rtt_ns);
    hf_peer_send(&w->peer, ".");
}

static void expect_times(const struct wire *w, hf_ns srtt_ns, hf_ns rttvar_ns, hf_ns rto_ns)
{
    struct hf_info info = wire_info(w);
    assert_in_range(info.srtt_ns, srtt_ns, srtt_ns + HF_US(10));
    assert_in_range(info.rttvar_ns, rttvar_ns, rttvar_ns + HF_US(10));
    assert_in_range(info.rto_ns, rto_ns, rto_ns + HF_US(50));
}

/* ---- round trips ---- */

/* covers: MUST-18, CO-6298-01, CO-6298-02, CO-6298-03, CO-6298-07, CO-6298-08 */
static void the_timeout_follows_the_round_trip(void **state)
{
    (void)state;
    struct wire w = {.setup = {.state = HF_ESTABLISHED}};
    struct hf_rig_config rig = {.config = &config, .seed = 5};
    assert_int_equal(hf_rig_open(&w.rig, &rig), HF_OK);
    hf_peer_open(&w.peer, &w.rig, false, 80, 5000, 1000);
    struct hf_connect what = {.local = {.port = 5000}, .remote = w.peer.here};
    assert_int_equal(hf_connect(w.rig.stack, &what, &w.conn, 0), HF_OK);
    hf_rig_pull(&w.rig);
    assert_int_equal(wire_info(&w).rto_ns, HF_SEC(1));
    hf_rig_wait(&w.rig, HF_MS(500));
    assert_true(hf_peer_accept(&w.peer, ""));
    expect_times(&w, HF_MS(500), HF_MS(250), HF_MS(1500));
    round_trip(&w, HF_MS(300));
    expect_times(&w, HF_MS(475), HF_US(237500), HF_MS(1425));
    round_trip(&w, HF_MS(475));
    expect_times(&w, HF_MS(475), HF_US(178125), HF_US(1187500));
    for (int i = 0; i < 200; i++)
        round_trip(&w, HF_MS(475));
    assert_in_range(wire_info(&w).rto_ns, HF_MS(476), HF_MS(477)); /* the clock's granularity */
    wire_close(&w);
}

/* covers: MUST-18, CO-6298-06, CO-6298-11, CO-6298-15, CO-7323-09: without timestamps no sample of
 * what was sent twice; with them there is one, and it ends the backoff */
static void what_was_sent_twice_is_timed_by_its_stamp_only(void **state)
{
    (void)state;
    for (int stamps = 0; stamps < 2; stamps++) {
        struct wire w;
        open_with(&w, stamps ? WIRE_OPTIONS : 0);
        for (int i = 0; i < 100; i++)
            round_trip(&w, HF_MS(100));
        struct hf_info before = wire_info(&w);
        wire_send(&w, 100, 0);
        hf_peer_skip(&w.peer);
        w.start_ns = w.rig.now_ns;
        assert_true(wire_until_sent(&w, HF_SEC(9)) != HF_NEVER);
        hf_peer_skip(&w.peer);
        assert_in_range(wire_info(&w).rto_ns, 2 * before.rto_ns, 2 * before.rto_ns + HF_US(2));
        hf_rig_wait(&w.rig, HF_MS(100));
        hf_peer_send(&w.peer, ".");
        if (stamps)
            assert_in_range(wire_info(&w).rto_ns, HF_MS(100), HF_MS(110));
        else
            assert_int_equal(wire_info(&w).rto_ns, 2 * before.rto_ns);
        assert_in_range(wire_info(&w).srtt_ns, HF_MS(100), HF_MS(101));
        wire_close(&w);
    }
}

/* covers: CO-7323-09: an echo on a segment that acknowledges nothing new is no sample */
static void echoes_of_duplicates_are_no_samples(void **state)
{
    (void)state;
    struct wire w;
    open_with(&w, WIRE_OPTIONS);
    round_trip(&w, HF_MS(100));
    hf_ns srtt_ns = wire_info(&w).srtt_ns;
    hf_rig_wait(&w.rig, HF_SEC(20));
    hf_peer_send(&w.peer, "P. seq 0:10 ack 1");
    hf_peer_send(&w.peer, ". seq 10 ack 1");
    assert_int_equal(wire_info(&w).srtt_ns, srtt_ns);
    wire_close(&w);
}

/* ---- the timer ---- */

/* covers: CO-6298-09, CO-6298-10, CO-6298-14: on with data, anew with each ACK of new data and none
 * other, off when all is acknowledged */
static void the_timer_runs_while_data_is_out(void **state)
{
    (void)state;
    struct wire w;
    config.rto_min_ns = HF_SEC(1);
    config.rto_min_on_variance = 0;
    open_with(&w, 0);
    assert_int_equal(wire_info(&w).rto_deadline_ns, HF_NEVER);
    wire_send(&w, 3 * MSS, 0);
    hf_peer_skip(&w.peer);
    hf_ns deadline_ns = w.rig.now_ns + HF_SEC(1);
    assert_int_equal(wire_info(&w).rto_deadline_ns, deadline_ns);
    hf_rig_wait(&w.rig, HF_MS(400));
    wire_send(&w, MSS, 0); /* more data: the first still counts */
    assert_int_equal(wire_info(&w).rto_deadline_ns, deadline_ns);
    acknowledge(&w, 0); /* nothing new */
    assert_int_equal(wire_info(&w).rto_deadline_ns, deadline_ns);
    acknowledge(&w, MSS);
    assert_int_equal(wire_info(&w).rto_deadline_ns, w.rig.now_ns + wire_info(&w).rto_ns);
    acknowledge(&w, 4 * MSS);
    assert_int_equal(wire_info(&w).rto_deadline_ns, HF_NEVER);
    hf_peer_skip(&w.peer);
    assert_int_equal(wire_until_sent(&w, HF_SEC(100)), HF_NEVER);
    wire_close(&w);
}

/* covers: MUST-19, CO-5681-06, CO-6582-05, CO-6582-06, CO-6298-11: one segment again, half of the
 * flight for the threshold, once; then slow start through what is lost */
static void a_timeout_begins_again_with_one_segment(void **state)
{
    (void)state;
    struct wire w;
    config.rto_min_ns = HF_SEC(1);
    open_with(&w, 0);
    wire_send(&w, 8 * MSS, 0);
    assert_int_equal(hf_peer_skip(&w.peer), 8);
    WIRE_EXPECT_AT(&w, HF_SEC(1), ". seq 0:1460 ack 0");
    WIRE_QUIET(&w);
    assert_int_equal(wire_info(&w).cwnd_bytes, MSS);
    assert_int_equal(wire_info(&w).ssthresh_bytes, 4 * MSS);
    WIRE_EXPECT_AT(&w, HF_SEC(3), ". seq 0:1460 ack 0");
    WIRE_QUIET(&w);
    assert_int_equal(wire_info(&w).cwnd_bytes, MSS);
    assert_int_equal(wire_info(&w).ssthresh_bytes, 4 * MSS);
    for (int i = 0; i < 5; i++) /* of what was sent before the timeout: they start nothing */
        acknowledge(&w, 0);
    WIRE_QUIET(&w);
    assert_int_equal(hf_stack_count(w.rig.stack, HF_RETRANSMIT_FAST), 0);
    acknowledge(&w, MSS);
    WIRE_EXPECT(&w, ". seq 1460:2920 ack 0");
    WIRE_EXPECT(&w, ". seq 2920:4380 ack 0");
    WIRE_QUIET(&w);
    acknowledge(&w, 8 * MSS); /* only the first was lost, after all */
    WIRE_QUIET(&w);
    assert_int_equal(wire_info(&w).in_flight_bytes, 0);
    wire_close(&w);
}

/* ---- fast retransmit ---- */

static void send_duplicates(struct wire *w, uint32_t ack, int n)
{
    for (int i = 0; i < n; i++)
        acknowledge(w, ack);
}

/* covers: CO-5681-08, CO-5681-09, CO-5681-10, CO-5681-14, CO-6582-01, CO-6582-04, CO-6582-10,
 * CO-9937-01, CO-9937-02, CO-9937-03, CO-9937-05, CO-9937-07: of ten segments the first is lost.
 * Each of the first two duplicates lets a new one out; the third brings the lost one, at once and
 * whatever PRR's share is, which then is a segment for every second ACK */
static void the_third_duplicate_brings_the_segment_again(void **state)
{
    (void)state;
    struct wire w;
    open_with(&w, 0);
    wire_send(&w, 20 * MSS, 0);
    assert_int_equal(hf_peer_skip(&w.peer), 10);
    send_duplicates(&w, 0, 1);
    WIRE_EXPECT(&w, ". seq 14600:16060 ack 0");
    send_duplicates(&w, 0, 1);
    WIRE_EXPECT(&w, ". seq 16060:17520 ack 0");
    WIRE_QUIET(&w);
    assert_int_equal(wire_info(&w).cwnd_bytes, 10 * MSS);
    send_duplicates(&w, 0, 1);
    WIRE_EXPECT(&w, ". seq 0:1460 ack 0");
    WIRE_QUIET(&w);
    /* Of the ten segments without those two. */
    assert_int_equal(wire_info(&w).ssthresh_bytes, 5 * MSS);
    /* RecoverFS is 10: 12 are out, 2 had arrived. While more than 5 are in flight, half as many may
     * leave as arrive, and the lost one was of those; then as many. Ten have arrived with the
     * twelfth: further duplicates are of nothing that was out. */
    static const size_t leave[] = {0, 0, 1, 0, 0, 1, 1, 1, 1, 0, 0, 0};
    for (size_t i = 0; i < HF_COUNT_OF(leave); i++) {
        send_duplicates(&w, 0, 1);
        assert_int_equal(hf_peer_skip(&w.peer), leave[i]);
    }
    assert_int_equal(hf_stack_count(w.rig.stack, HF_RETRANSMIT_FAST), 1);
    acknowledge(&w, 10 * MSS);
    assert_int_equal(wire_info(&w).ssthresh_bytes, 5 * MSS);
    assert_int_equal(wire_info(&w).cwnd_bytes, 5 * MSS);
    wire_close(&w);
}

/* covers: CO-6582-02, CO-6582-04: two lost of one window: the second comes with the partial ACK */
static void a_partial_acknowledgment_brings_the_next_hole(void **state)
{
    (void)state;
    struct wire w;
    open_with(&w, 0);
    wire_send(&w, 10 * MSS, 0);
    hf_peer_skip(&w.peer);
    send_duplicates(&w, 0, 8);
    WIRE_EXPECT(&w, ". seq 0:1460 ack 0");
    WIRE_QUIET(&w);
    acknowledge(&w, 5 * MSS);
    WIRE_EXPECT(&w, ". seq 7300:8760 ack 0");
    WIRE_QUIET(&w);
    acknowledge(&w, 10 * MSS);
    WIRE_QUIET(&w);
    assert_int_equal(wire_info(&w).cwnd_bytes, 5 * MSS); /* [RFC9937#6.4] */
    assert_int_equal(wire_info(&w).ssthresh_bytes, 5 * MSS);
    assert_int_equal(hf_stack_count(w.rig.stack, HF_RETRANSMIT_FAST), 1);
    assert_int_equal(hf_stack_count(w.rig.stack, HF_RETRANSMIT_PARTIAL_ACK), 1);
    wire_close(&w);
}

/* covers: CO-5681-07, CO-2018-13: another window, data, nothing outstanding */
static void what_is_no_duplicate(void **state)
{
    (void)state;
    struct wire w;
    open_with(&w, 0);
    send_duplicates(&w, 0, 10); /* nothing is out */
    wire_send(&w, 5 * MSS, 0);
    hf_peer_skip(&w.peer);
    for (int i = 0; i < 10; i++) {
        char text[64];
        snprintf(text, sizeof text, ". seq 0 ack 0 win %d", 60000 + i);
        hf_peer_send(&w.peer, text);
        snprintf(text, sizeof text, "P. seq %d:%d ack 0", 10 * i, 10 * i + 10);
        hf_peer_send(&w.peer, text);
    }
    assert_int_equal(hf_stack_count(w.rig.stack, HF_RETRANSMIT_FAST), 0);
    assert_int_equal(wire_info(&w).segments_retransmitted, 0);
    wire_close(&w);
}

/* ---- how much is out ---- */

/* covers: CO-5681-01, CO-5681-04, CO-5681-05, CO-6928-01, MUST-19: never more than the smaller of
 * both windows; slow start doubles, congestion avoidance adds a segment a round trip */
static void the_flight_grows_with_acknowledgments(void **state)
{
    (void)state;
    struct wire w;
    open_with(&w, WIRE_OPTIONS);
    wire_set(&w, HF_OPT_SEND_BUFFER_BYTES, 1 << 20);
    wire_send(&w, 1 << 20, 0);
    uint32_t una = 0, end = pop_all(&w), flight = end;
    assert_int_equal(end, 10 * MSS_TS);
    for (int turn = 0; turn < 3; turn++) { /* slow start */
        for (; una < end; una += MSS_TS) {
            acknowledge(&w, una + MSS_TS);
            struct hf_info info = wire_info(&w);
            assert_true(info.in_flight_bytes <= info.cwnd_bytes);
        }
        end = pop_all(&w);
        assert_int_equal(end - una, 2 * flight);
        flight *= 2;
    }
    char text[64]; /* the first of the window is lost: half of it is left */
    snprintf(text, sizeof text, ". seq 0 ack %u <TS,sack %u:%u>", una, una + MSS_TS,
             una + 4 * MSS_TS);
    hf_peer_send(&w.peer, text);
    hf_peer_skip(&w.peer);
    acknowledge(&w, end);
    una = end;
    uint32_t cwnd = flight / 2;
    assert_int_equal(wire_info(&w).ssthresh_bytes, cwnd);
    assert_int_equal(wire_info(&w).cwnd_bytes, cwnd);
    for (uint32_t acked = 0; acked < cwnd; acked += MSS_TS, una += MSS_TS) {
        assert_int_equal(wire_info(&w).cwnd_bytes, cwnd);
        acknowledge(&w, una + MSS_TS);
    }
    assert_int_equal(wire_info(&w).cwnd_bytes, cwnd + MSS_TS);
    wire_close(&w);
}

/* covers: CO-5681-01: the peer's window bounds the flight as well */
static void the_smaller_window_counts(void **state)
{
    (void)state;
    struct wire w;
    struct wire_setup setup = {.state = HF_ESTABLISHED, .config = &config, .window = 5 * MSS};
    wire_open(&w, &setup);
    wire_send(&w, 20 * MSS, 0);
    assert_int_equal(hf_peer_skip(&w.peer), 5);
    assert_int_equal(wire_info(&w).in_flight_bytes, 5 * MSS);
    wire_close(&w);
}

/* As much as was used in the last round trip is doubled, whoever ended it: ACKs that arrive one by
 * one count alike, and the window never passes twice of what was out. */
static void slow_start_doubles_what_was_used(void **state)
{
    (void)state;
    static const struct {
        uint32_t sent, cwnd;
    } rows[] = {{10, 20}, {9, 18}, {6, 12}, {5, 10}, {2, 10}};
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++) {
        struct wire w;
        open_with(&w, 0);
        for (int turn = 0; turn < 2; turn++) { /* the second finds the window unused */
            wire_rebase(&w);
            wire_send(&w, (turn == 0 ? rows[i].sent : 2) * MSS, 0);
            while (wire_info(&w).in_flight_bytes > 0) {
                hf_peer_pop(&w.peer);
                const struct hf_segment *seg = &w.peer.last.segment;
                hf_rig_wait(&w.rig, HF_MS(1));
                acknowledge(&w, seg->seq + seg->payload_bytes - w.peer.irs);
            }
            assert_int_equal(wire_info(&w).cwnd_bytes, rows[i].cwnd * MSS);
        }
        wire_close(&w);
    }
}

/* covers: CO-5681-11, CO-6928-03: after a rest of more than an RTO the window begins anew, unless
 * that is switched off */
static void a_rest_makes_the_window_small_again(void **state)
{
    (void)state;
    config.rto_min_ns = HF_SEC(1);
    for (int round = 0; round < 3; round++) {
        bool long_rest = round > 0;
        config.idle_restart = round < 2;
        struct wire w;
        open_with(&w, 0);
        wire_set(&w, HF_OPT_SEND_BUFFER_BYTES, 1 << 20);
        wire_send(&w, 40 * MSS, 0);
        for (uint32_t una = 0; una < 40 * MSS; una += MSS) {
            hf_rig_wait(&w.rig, HF_MS(10));
            acknowledge(&w, una + MSS);
        }
        hf_peer_skip(&w.peer);
        uint32_t cwnd = wire_info(&w).cwnd_bytes;
        assert_true(cwnd > 12 * MSS);
        hf_ns rto_ns = wire_info(&w).rto_ns;
        hf_rig_wait(&w.rig, long_rest ? rto_ns + HF_MS(10) : rto_ns / 2);
        wire_send(&w, 30 * MSS, 0);
        assert_int_equal(wire_info(&w).cwnd_bytes, round == 1 ? 10 * MSS : cwnd);
        wire_close(&w);
    }
}

/* ---- SACK from the peer ---- */

/* covers: CO-2018-07, CO-2018-08, CO-2018-10: what the peer reported can be taken back: it is kept,
 * and sent again after a timeout; blocks of what was never sent are ignored. A timeout sends the
 * left edge, and where that was reported itself, all that was */
static void reported_data_is_kept(void **state)
{
    (void)state;
    struct wire w;
    config.rto_min_ns = HF_SEC(1);
    open_with(&w, WIRE_OPTIONS);
    wire_send(&w, 3 * MSS_TS, 0);
    hf_peer_skip(&w.peer);
    hf_peer_send(&w.peer, ". seq 0 ack 0 <TS,sack 1448:4344>");
    hf_peer_send(&w.peer, ". seq 0 ack 0 <TS,sack 100000:200000>");
    hf_peer_send(&w.peer, ". seq 0 ack 0 <TS,sack -5000:-1000>");
    hf_peer_send(&w.peer, ". seq 0 ack 0 <TS,sack 2000:1000>");
    WIRE_EXPECT_AT(&w, 0, ". seq 0:1448 ack 0"); /* a quarter of no round trip later */
    assert_int_equal(hf_stack_count(w.rig.stack, HF_RETRANSMIT_RACK), 1);
    assert_int_equal(wire_info(&w).send_queue_bytes, 3 * MSS_TS);
    WIRE_EXPECT_AT(&w, HF_SEC(1), ". seq 0:1448 ack 0");
    WIRE_QUIET(&w);
    acknowledge(&w, MSS_TS); /* reneged */
    WIRE_QUIET(&w);
    hf_ns at_ns = w.rig.now_ns - w.start_ns;
    WIRE_EXPECT_AT(&w, at_ns + wire_info(&w).rto_ns, ". seq 1448:2896 ack 0");
    WIRE_QUIET(&w);
    acknowledge(&w, 2 * MSS_TS);
    WIRE_EXPECT(&w, "P. seq 2896:4344 ack 0");
    acknowledge(&w, 3 * MSS_TS);
    WIRE_QUIET(&w);
    wire_close(&w);
}

int main(void)
{
#define LOSS_TEST(f) cmocka_unit_test_setup(f, reset_config)
    const struct CMUnitTest tests[] = {
        LOSS_TEST(the_timeout_follows_the_round_trip),
        LOSS_TEST(what_was_sent_twice_is_timed_by_its_stamp_only),
        LOSS_TEST(echoes_of_duplicates_are_no_samples),
        LOSS_TEST(the_timer_runs_while_data_is_out),
        LOSS_TEST(a_timeout_begins_again_with_one_segment),
        LOSS_TEST(the_third_duplicate_brings_the_segment_again),
        LOSS_TEST(a_partial_acknowledgment_brings_the_next_hole),
        LOSS_TEST(what_is_no_duplicate),
        LOSS_TEST(the_flight_grows_with_acknowledgments),
        LOSS_TEST(the_smaller_window_counts),
        LOSS_TEST(slow_start_doubles_what_was_used),
        LOSS_TEST(a_rest_makes_the_window_small_again),
        LOSS_TEST(reported_data_is_kept),
    };
    return cmocka_run_group_tests_name("data_loss", tests, NULL, NULL);
}
