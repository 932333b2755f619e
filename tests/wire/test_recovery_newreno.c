/* Recovery from a peer without SACK: by duplicates that are counted, RFC 5681 and RFC 6582. */
#include "recovery.h"

static struct hf_config config;

static int reset_config(void **state)
{
    (void)state;
    recovery_config(&config);
    return 0;
}

static void repeat(struct wire *w, uint32_t ack, int n)
{
    for (int i = 0; i < n; i++)
        tell(w, ack, NULL);
}

/* covers: CO-5681-08, CO-5681-09, CO-6582-01: two new segments, then the lost one */
static void the_first_two_let_new_data_out(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, 0);
    send_segs(&w, 20, 10);
    wait_rtt(&w);
    repeat(&w, 0, 1);
    EXPECT_BYTES(&w, 10000, 11000);
    repeat(&w, 0, 1);
    EXPECT_BYTES(&w, 11000, 12000);
    WIRE_QUIET(&w);
    check_windows(&w, 10 * SEG, 1u << 30);
    repeat(&w, 0, 1);
    EXPECT_BYTES(&w, 0, 1000);
    WIRE_QUIET(&w);
    assert_int_equal(wire_info(&w).ssthresh_bytes, 5 * SEG);
    wire_close(&w);
}

/* covers: CO-5681-08: the peer's window bounds that too */
static void not_beyond_the_peers_window(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, 0);
    w.peer.window = 11 * SEG;
    tell(&w, 0, NULL);
    send_segs(&w, 20, 10);
    repeat(&w, 0, 1);
    EXPECT_BYTES(&w, 10000, 11000);
    repeat(&w, 0, 1);
    WIRE_QUIET(&w);
    repeat(&w, 0, 1);
    EXPECT_BYTES(&w, 0, 1000);
    wire_close(&w);
}

/* What duplicates said has arrived counts until SND.UNA passes it, and no more than that: the
 * window is not open for what else is in flight. */
static void what_duplicates_count_is_passed_once(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, 0);
    send_segs(&w, 40, 10);
    wait_rtt(&w);
    repeat(&w, 0, 1);
    EXPECT_BYTES(&w, 10000, 11000);
    assert_int_equal(wire_info(&w).sacked_bytes, SEG);
    tell(&w, 1000, NULL); /* what was missing: nothing of what had arrived is passed */
    assert_int_equal(wire_info(&w).sacked_bytes, SEG);
    assert_int_equal(hf_peer_skip(&w.peer), 2);
    tell(&w, 3000, NULL);
    assert_int_equal(wire_info(&w).sacked_bytes, 0);
    repeat(&w, 3000, 2);
    hf_peer_skip(&w.peer);
    struct hf_info info = wire_info(&w);
    assert_int_equal(info.sacked_bytes, 2 * SEG);
    tell(&w, info.snd_nxt - w.peer.irs - SEG / 2, NULL); /* no more than what is in flight */
    assert_int_equal(wire_info(&w).sacked_bytes, 0);
    wire_close(&w);
}

/* covers: CO-6582-02, CO-6582-04, CO-9937-02, CO-9937-09: three lost of ten: one a round trip, each
 * by the partial ACK of the one before; then the window is half of what it was */
static void partial_acks_fill_hole_after_hole(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, 0);
    send_segs(&w, 10, 10);
    wait_rtt(&w);
    repeat(&w, 0, 7);
    EXPECT_BYTES(&w, 0, 1000);
    WIRE_QUIET(&w);
    wait_rtt(&w);
    tell(&w, 3000, NULL);
    EXPECT_BYTES(&w, 3000, 4000);
    WIRE_QUIET(&w);
    wait_rtt(&w);
    tell(&w, 6000, NULL);
    EXPECT_BYTES(&w, 6000, 7000);
    WIRE_QUIET(&w);
    assert_int_equal(counted(&w, HF_RECOVERY_ENDS), 0);
    wait_rtt(&w);
    tell(&w, 10000, NULL);
    WIRE_QUIET(&w);
    check_windows(&w, 5 * SEG, 5 * SEG);
    assert_int_equal(counted(&w, HF_RECOVERY_ENDS), 1);
    assert_int_equal(counted(&w, HF_RETRANSMIT_PARTIAL_ACK), 2);
    assert_int_equal(wire_info(&w).segments_retransmitted, 3);
    wire_close(&w);
}

/* covers: CO-6582-02: an ACK of a part of a segment is a partial one, too */
static void an_ack_inside_a_segment_is_partial(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, 0);
    send_segs(&w, 10, 10);
    wait_rtt(&w);
    repeat(&w, 0, 3);
    EXPECT_BYTES(&w, 0, 1000);
    tell(&w, 400, NULL);
    EXPECT_BYTES(&w, 400, 1000);
    hf_peer_skip(&w.peer);
    tell(&w, 1000, NULL);
    EXPECT_BYTES(&w, 1000, 1400); /* what was taken for lost with it */
    hf_peer_skip(&w.peer);
    tell(&w, 10000, NULL);
    WIRE_QUIET(&w);
    assert_int_equal(counted(&w, HF_RECOVERY_ENDS), 1);
    wire_close(&w);
}

/* covers: CO-6582-03: the timer runs anew with the first partial ACK and with no other, so that a
 * recovery of many holes ends by a timeout */
static void only_the_first_partial_ack_restarts_the_timer(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, 0);
    send_segs(&w, 10, 10);
    wait_rtt(&w);
    repeat(&w, 0, 3);
    EXPECT_BYTES(&w, 0, 1000);
    hf_rig_wait(&w.rig, HF_MS(300));
    tell(&w, 1000, NULL);
    EXPECT_BYTES(&w, 1000, 2000);
    hf_ns first_ns = since_start(&w);
    for (uint32_t n = 2; n < 5; n++) {
        hf_rig_wait(&w.rig, HF_MS(300));
        tell(&w, n * SEG, NULL);
        EXPECT_BYTES(&w, n * SEG, n * SEG + SEG);
    }
    EXPECT_BYTES_AT(&w, first_ns + HF_SEC(1), 4000, 5000);
    assert_int_equal(counted(&w, HF_RETRANSMIT_RTO), 1);
    check_windows(&w, SEG, wire_info(&w).ssthresh_bytes);
    wire_close(&w);
}

/* covers: CO-6582-01, CO-6582-05, CO-6582-06, CO-5681-06: after a timeout duplicates of what was
 * sent before start no fast retransmit, nor does the ACK of just that; they let nothing out */
static void duplicates_after_a_timeout_start_nothing(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, 0);
    send_segs(&w, 14, 10);
    EXPECT_BYTES_AT(&w, HF_SEC(1), 0, 1000);
    repeat(&w, 0, 9);
    WIRE_QUIET(&w);
    check_windows(&w, SEG, 5 * SEG);
    wait_rtt(&w);
    tell(&w, 10000, NULL); /* all that was sent before it: up to `recover` */
    size_t out = hf_peer_skip(&w.peer);
    assert_int_equal(out, 2);
    repeat(&w, 10000, 2);
    assert_int_equal(hf_peer_skip(&w.peer), 2); /* limited transmit */
    repeat(&w, 10000, 5);
    WIRE_QUIET(&w);
    assert_int_equal(counted(&w, HF_RETRANSMIT_FAST), 0);
    tell(&w, 11000, NULL); /* beyond it */
    repeat(&w, 11000, 3);
    EXPECT_BYTES(&w, 11000, 12000);
    assert_int_equal(counted(&w, HF_RETRANSMIT_FAST), 1);
    wire_close(&w);
}

/* Duplicates of what was sent before the last loss was found let two segments out, however many
 * they are and however much there is to send. */
static void old_duplicates_let_two_out(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, 0);
    send_segs(&w, 40, 10);
    EXPECT_BYTES_AT(&w, HF_SEC(1), 0, 1000);
    wait_rtt(&w);
    tell(&w, 10000, NULL);
    assert_int_equal(hf_peer_skip(&w.peer), 2);
    repeat(&w, 10000, 2);
    assert_int_equal(hf_peer_skip(&w.peer), 2);
    repeat(&w, 10000, 9);
    WIRE_QUIET(&w);
    assert_int_equal(wire_info(&w).sacked_bytes, 2 * SEG);
    wire_close(&w);
}

/* At least the segment at SND.UNA is missing, however many duplicates come. */
static void duplicates_count_less_than_is_in_flight(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, 0);
    send_segs(&w, 2, 2);
    repeat(&w, 0, 2);
    assert_int_equal(wire_info(&w).sacked_bytes, SEG);
    wire_close(&w);
}

/* When a recovery is over nothing is left of what duplicates said. */
static void the_count_ends_with_the_recovery(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, 0);
    send_segs(&w, 40, 10);
    wait_rtt(&w);
    repeat(&w, 0, 20);
    assert_int_equal(counted(&w, HF_RECOVERY_BEGINS), 1);
    assert_true(wire_info(&w).sacked_bytes >= 12 * SEG);
    hf_peer_skip(&w.peer);
    wait_rtt(&w);
    tell(&w, 12000, NULL);
    assert_int_equal(counted(&w, HF_RECOVERY_ENDS), 1);
    assert_true(wire_info(&w).in_flight_bytes >= SEG);
    assert_int_equal(wire_info(&w).sacked_bytes, 0);
    wire_close(&w);
}

/* Each recovery has a first partial ACK, and that restarts the timer. */
static void the_first_partial_ack_of_the_next_does_too(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, 0);
    send_segs(&w, 40, 10);
    wait_rtt(&w);
    repeat(&w, 0, 3);
    tell(&w, 1000, NULL);
    tell(&w, 12000, NULL); /* what limited transmit sent, too */
    assert_int_equal(counted(&w, HF_RECOVERY_ENDS), 1);
    tell(&w, 13000, NULL);
    wait_rtt(&w);
    repeat(&w, 13000, 3);
    assert_int_equal(counted(&w, HF_RECOVERY_BEGINS), 2);
    hf_rig_wait(&w.rig, HF_MS(300));
    tell(&w, 14000, NULL);
    struct hf_info info = wire_info(&w);
    assert_int_equal(info.loss_state, HF_LOSS_RECOVERY);
    assert_int_equal(info.rto_deadline_ns, w.rig.now_ns + info.rto_ns);
    wire_close(&w);
}

/* covers: CO-9937-02, CO-9937-03: a peer that repeats itself for ever draws out no more than was in
 * flight when recovery began */
static void a_flood_of_duplicates_is_bounded(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, 0);
    send_segs(&w, 50, 10);
    repeat(&w, 0, 500);
    size_t sent = hf_peer_skip(&w.peer);
    assert_in_range(sent, 3, 2 + 1 + 10);
    assert_true(wire_info(&w).in_flight_bytes <= 22 * SEG);
    wire_close(&w);
}

/* covers: CO-5681-07: what is no duplicate: data, another window, nothing in flight */
static void what_is_no_duplicate(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, 0);
    repeat(&w, 0, 9);
    send_segs(&w, 12, 10);
    for (int n = 0; n < 9; n++) {
        char text[64];
        snprintf(text, sizeof text, ". seq 0 ack 0 win %d", 30000 + n);
        hf_peer_send(&w.peer, text);
        snprintf(text, sizeof text, "P. seq %d:%d ack 0 win %d", n, n + 1, 30000 + n);
        hf_peer_send(&w.peer, text);
    }
    while (hf_peer_pop(&w.peer))
        assert_int_equal(w.peer.last.segment.payload_bytes, 0);
    assert_int_equal(counted(&w, HF_RETRANSMIT_FAST), 0);
    wire_close(&w);
}

/* [RFC5681#3.1] After a time-out one segment leaves, whatever duplicate ACKs came before it: what
 * they said to have arrived is taken for lost as well. */
static void duplicates_before_a_timeout_are_forgotten(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, 0);
    send_segs(&w, 6, 6);
    wait_rtt(&w);
    tell(&w, 0, NULL);
    tell(&w, 0, NULL);
    WIRE_QUIET(&w);
    assert_true(wire_until_sent(&w, HF_SEC(5)) != HF_NEVER);
    EXPECT_BYTES(&w, 0, 1000);
    WIRE_QUIET(&w);
    assert_int_equal(wire_info(&w).pipe_bytes, SEG);
    wire_close(&w);
}

int main(void)
{
#define NEWRENO_TEST(f) cmocka_unit_test_setup(f, reset_config)
    const struct CMUnitTest tests[] = {
        NEWRENO_TEST(the_first_two_let_new_data_out),
        NEWRENO_TEST(duplicates_before_a_timeout_are_forgotten),
        NEWRENO_TEST(not_beyond_the_peers_window),
        NEWRENO_TEST(what_duplicates_count_is_passed_once),
        NEWRENO_TEST(partial_acks_fill_hole_after_hole),
        NEWRENO_TEST(an_ack_inside_a_segment_is_partial),
        NEWRENO_TEST(only_the_first_partial_ack_restarts_the_timer),
        NEWRENO_TEST(duplicates_after_a_timeout_start_nothing),
        NEWRENO_TEST(old_duplicates_let_two_out),
        NEWRENO_TEST(duplicates_count_less_than_is_in_flight),
        NEWRENO_TEST(the_count_ends_with_the_recovery),
        NEWRENO_TEST(the_first_partial_ack_of_the_next_does_too),
        NEWRENO_TEST(a_flood_of_duplicates_is_bounded),
        NEWRENO_TEST(what_is_no_duplicate),
    };
    return cmocka_run_group_tests_name("recovery_newreno", tests, NULL, NULL);
}
