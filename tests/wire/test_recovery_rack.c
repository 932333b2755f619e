/* RACK [RFC8985] as packets show it: times, the reordering window, lost retransmissions. */
#include "recovery.h"

static struct hf_config config;

static int reset_config(void **state)
{
    (void)state;
    recovery_config(&config);
    return 0;
}

/* covers: CO-8985-05, CO-8985-07, CO-8985-13: one segment behind the gap is no proof: it is waited
 * for a quarter of the least round trip, by timer */
static void one_block_waits_for_the_window(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 3, 3);
    wait_rtt(&w);
    tell(&w, 0, "1000:2000");
    WIRE_QUIET(&w);
    EXPECT_BYTES_AT(&w, HF_MS(125), 0, 1000);
    WIRE_QUIET(&w);
    assert_int_equal(counted(&w, HF_RETRANSMIT_RACK), 1);
    assert_int_equal(counted(&w, HF_TIMER_REORDER), 1);
    check_windows(&w, wire_info(&w).cwnd_bytes, 2 * SEG);
    wire_close(&w);
}

/* covers: CO-8985-07: what arrives within the window was late, not lost; nothing was reduced */
static void what_comes_late_is_not_lost(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 3, 3);
    wait_rtt(&w);
    tell(&w, 0, "1000:3000");
    hf_rig_wait(&w.rig, HF_MS(24));
    WIRE_QUIET(&w);
    tell(&w, 3000, NULL);
    assert_int_equal(wire_until_sent(&w, HF_SEC(10)), HF_NEVER);
    assert_int_equal(wire_info(&w).segments_retransmitted, 0);
    assert_int_equal(wire_info(&w).ssthresh_bytes, 1u << 30);
    wire_close(&w);
}

/* Shows the path's reordering: of two segments the first comes late. All is acknowledged. */
static void show_reordering(struct wire *w)
{
    wire_rebase(w);
    send_segs(w, 2, 2);
    wait_rtt(w);
    tell(w, 0, "1000:2000");
    tell(w, 2000, NULL);
    WIRE_QUIET(w);
    wire_rebase(w);
    w->start_ns = w->rig.now_ns;
}

/* covers: CO-8985-04, CO-8985-05: once a segment came late, three behind a gap are no proof any
 * more; the window is one quarter */
static void after_reordering_the_window_holds(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    show_reordering(&w);
    send_segs(&w, 8, 8);
    wait_rtt(&w);
    tell(&w, 0, "1000:2000");
    tell(&w, 0, "1000:3000");
    tell(&w, 0, "1000:5000");
    WIRE_QUIET(&w);
    EXPECT_BYTES_AT(&w, HF_MS(125), 0, 1000);
    wire_close(&w);
}

/* covers: CO-8985-02, CO-8985-07: what a probe draws is a SACK, whose echo is of a segment before
 * the gap. It tells the time all the same, and what is missing before the probe is found by it. */
static void a_probe_repairs_with_timestamps_too(void **state)
{
    (void)state;
    for (unsigned stamps = 0; stamps < 2; stamps++) {
        struct wire w;
        config.loss_probe = 1;
        recovery_open(&w, &config, WITH_SACK | (stamps ? WITH_STAMPS : 0));
        send_segs(&w, 4, 4);
        uint32_t value = w.peer.last.segment.ts_value;
        wait_rtt(&w);
        w.peer.ts_recent = value;
        tell(&w, 2000, NULL);
        EXPECT_BYTES_AT(&w, HF_MS(302), 3000, 4000); /* two round trips and 2 ms later */
        wait_rtt(&w);
        w.peer.ts_recent = value;
        tell(&w, 2000, "3000:4000");
        EXPECT_BYTES(&w, 2000, 3000);
        WIRE_QUIET(&w);
        assert_int_equal(counted(&w, HF_RETRANSMIT_RTO), 0);
        wire_close(&w);
    }
}

/* covers: CO-8985-04: a retransmission that arrives below what had is no reordering */
static void a_retransmission_is_no_reordering(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 10, 10);
    wait_rtt(&w);
    tell(&w, 0, "1000:10000");
    EXPECT_BYTES(&w, 0, 1000);
    wait_rtt(&w);
    tell(&w, 10000, NULL);
    wire_rebase(&w);
    send_segs(&w, 4, 4);
    wait_rtt(&w);
    tell(&w, 0, "1000:4000");
    EXPECT_BYTES(&w, 0, 1000); /* at once, as before */
    wire_close(&w);
}

/* covers: CO-8985-06: each round with a D-SACK adds a quarter */
static void duplicates_widen_the_window(void **state)
{
    (void)state;
    static const hf_ns wait_ms[] = {25, 50, 75, 100, 100};
    for (size_t rounds = 0; rounds < HF_COUNT_OF(wait_ms); rounds++) {
        struct wire w;
        recovery_open(&w, &config, WITH_SACK);
        show_reordering(&w);
        for (size_t n = 0; n < rounds; n++) {
            send_segs(&w, 1, 1);
            wait_rtt(&w);
            tell(&w, 0, "-1000:0");
            tell(&w, 0, "-1000:0"); /* one round: counts once */
            tell(&w, 1000, NULL);
            wire_rebase(&w);
        }
        w.start_ns = w.rig.now_ns;
        send_segs(&w, 3, 3);
        wait_rtt(&w);
        tell(&w, 0, "1000:2000");
        EXPECT_BYTES_AT(&w, HF_MS(100 + wait_ms[rounds]), 0, 1000); /* SRTT at most */
        wire_close(&w);
    }
}

/* covers: CO-8985-07, CO-8985-15: the retransmission is lost too; what left after it and arrived
 * tells, a quarter of a round trip later at most, and no timeout is needed */
static void a_lost_retransmission_is_found(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 20, 10);
    wait_rtt(&w);
    tell(&w, 0, "1000:10000");
    EXPECT_BYTES(&w, 0, 1000);
    assert_int_equal(hf_peer_skip(&w.peer), 4); /* 10000:14000, in the same instant behind it */
    wait_rtt(&w);
    tell(&w, 0, "1000:11000");
    EXPECT_BYTES(&w, 0, 1000);
    assert_int_equal(counted(&w, HF_RETRANSMIT_RACK), 2);
    assert_int_equal(counted(&w, HF_RETRANSMIT_RTO), 0);
    assert_int_equal(counted(&w, HF_RECOVERY_BEGINS), 1);
    wire_close(&w);
}

/* covers: CO-8985-02: an ACK sooner than the least round trip after the retransmission is of the
 * original; it does not make the other retransmission look lost */
static void a_quick_answer_tells_no_time(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 12, 10);
    wait_rtt(&w);
    tell(&w, 0, "2000:10000");
    EXPECT_BYTES(&w, 0, 1000);
    EXPECT_BYTES(&w, 1000, 2000);
    hf_peer_skip(&w.peer);
    hf_rig_wait(&w.rig, HF_MS(50));
    tell(&w, 0, "1000:10000"); /* left 50 ms ago, in the same instant as the first */
    WIRE_QUIET(&w);
    assert_int_equal(counted(&w, HF_RETRANSMIT_RACK), 2);
    hf_rig_wait(&w.rig, HF_MS(50));
    tell(&w, 0, "1000:11000"); /* behind both, and after a round trip */
    EXPECT_BYTES(&w, 0, 1000);
    wire_close(&w);
}

/* covers: CO-8985-17, CO-5681-04: ACKs byte by byte, and blocks byte by byte, move nothing: no
 * segment has arrived */
static void split_acks_have_no_effect(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 10, 10);
    wait_rtt(&w);
    for (uint32_t n = 1; n < 1000; n++) {
        char text[32];
        snprintf(text, sizeof text, "9000:%u", 9000 + n);
        tell(&w, n, text);
    }
    WIRE_QUIET(&w);
    struct hf_info info = wire_info(&w);
    assert_int_equal(info.segments_retransmitted, 0);
    assert_int_equal(info.in_flight_bytes, 9001);
    assert_true(info.cwnd_bytes <= 11 * SEG); /* as for one ACK of one segment */
    assert_int_equal(counted(&w, HF_TIMER_REORDER), 0);
    tell(&w, 1000, "9000:10000"); /* the whole segment */
    EXPECT_BYTES_AT(&w, HF_MS(125), 1000, 2000);
    wire_close(&w);
}

/* covers: CO-8985-01, CO-8985-13: while the window is waited for, the timeout is not forgotten */
static void the_timeout_stays_behind_the_window(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 3, 3);
    wait_rtt(&w);
    tell(&w, 0, "1000:2000");
    EXPECT_BYTES_AT(&w, HF_MS(125), 0, 1000);
    hf_ns at_ns = since_start(&w);
    assert_int_equal(wire_info(&w).rto_ns, HF_SEC(1));
    EXPECT_BYTES_AT(&w, at_ns + HF_SEC(1), 0, 1000); /* [RFC6298#5]: an RTO after it was sent */
    assert_int_equal(counted(&w, HF_RETRANSMIT_RTO), 1);
    wire_close(&w);
}

/* covers: CO-8985-07: what is found lost begins a recovery, and the segment behind it still has its
 * time: it is lost when that is over, and waits for no further ACK */
static void a_recovery_begins_while_another_is_waited_for(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 1, 1);
    hf_rig_wait(&w.rig, HF_MS(20));
    send_segs(&w, 1, 1);
    hf_rig_wait(&w.rig, HF_MS(1));
    send_segs(&w, 1, 1);
    hf_rig_wait(&w.rig, HF_MS(19));
    send_segs(&w, 1, 1);
    hf_rig_wait(&w.rig, HF_MS(81));
    tell(&w, 0, "2000:3000");
    hf_rig_wait(&w.rig, HF_MS(19));
    WIRE_QUIET(&w);
    tell(&w, 0, "2000:4000");
    EXPECT_BYTES(&w, 0, 1000);
    WIRE_QUIET(&w);
    assert_int_equal(counted(&w, HF_RECOVERY_BEGINS), 1);
    EXPECT_BYTES_AT(&w, HF_MS(145), 1000, 2000); /* left at 20, a round trip and a quarter ago */
    assert_int_equal(counted(&w, HF_RETRANSMIT_RACK), 2);
    assert_int_equal(counted(&w, HF_TIMER_REORDER), 1);
    wire_close(&w);
}

/* Once all is sent again nothing is waited for: the path's MTU is smaller, as it seems. */
static void what_is_sent_again_is_waited_for_no_more(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    wire_send(&w, 3 * SEG, 0);
    assert_true(hf_peer_pop(&w.peer));
    struct wire_packet first = wire_last_packet(&w);
    hf_peer_skip(&w.peer);
    wait_rtt(&w);
    tell(&w, 0, "1000:2000");
    WIRE_QUIET(&w);
    wire_icmp(&w, &first,
              &(struct wire_error){.type = 3, .code = 4, .rest = 1499, .from_router = true});
    EXPECT_BYTES(&w, 0, 1000);
    EXPECT_BYTES(&w, 2000, 3000);
    hf_rig_wait(&w.rig, HF_MS(50));
    WIRE_QUIET(&w);
    assert_int_equal(counted(&w, HF_TIMER_REORDER), 0);
    wire_close(&w);
}

int main(void)
{
#define RACK_TEST(f) cmocka_unit_test_setup(f, reset_config)
    const struct CMUnitTest tests[] = {
        RACK_TEST(one_block_waits_for_the_window),
        RACK_TEST(what_comes_late_is_not_lost),
        RACK_TEST(after_reordering_the_window_holds),
        RACK_TEST(a_probe_repairs_with_timestamps_too),
        RACK_TEST(a_retransmission_is_no_reordering),
        RACK_TEST(duplicates_widen_the_window),
        RACK_TEST(a_lost_retransmission_is_found),
        RACK_TEST(a_quick_answer_tells_no_time),
        RACK_TEST(split_acks_have_no_effect),
        RACK_TEST(the_timeout_stays_behind_the_window),
        RACK_TEST(a_recovery_begins_while_another_is_waited_for),
        RACK_TEST(what_is_sent_again_is_waited_for_no_more),
    };
    return cmocka_run_group_tests_name("recovery_rack", tests, NULL, NULL);
}
