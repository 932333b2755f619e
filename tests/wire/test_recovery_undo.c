/* Timeouts with SACK, and reductions that were a mistake: RFC 8985 section 6.3, RFC 2018 section 8,
 * RFC 3522 and RFC 4015, RFC 2883 section 5. */
#include "recovery.h"

static struct hf_config config;

static int reset_config(void **state)
{
    (void)state;
    recovery_config(&config);
    return 0;
}

/* An ACK whose echo is the timestamp of what left at that time after the opening. */
static void tell_echo(struct wire *w, hf_ns left_ns, uint32_t ack, const char *blocks)
{
    uint32_t newest = w->peer.ts_recent;
    hf_ns last_ns = w->peer.last.at_ns - w->start_ns;
    w->peer.ts_recent = newest - (uint32_t)(last_ns / HF_MS(1) - left_ns / HF_MS(1));
    tell(w, ack, blocks);
    w->peer.ts_recent = newest;
}

/* ---- timeouts ---- */

/* covers: CO-8985-08, CO-6675-12: the first is sent again, and what left a round trip ago is lost;
 * what left just now is not: its ACK may be on the way */
static void what_left_just_now_is_not_lost(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 3, 3);
    wait_rtt(&w);
    tell(&w, 1000, NULL);
    hf_rig_wait(&w.rig, HF_MS(950));
    send_segs(&w, 2, 2); /* at 1050 ms */
    EXPECT_BYTES_AT(&w, HF_MS(1100), 1000, 2000);
    WIRE_QUIET(&w);
    hf_rig_wait(&w.rig, HF_MS(45));
    tell(&w, 2000, NULL); /* the window is two segments by now, and two are in flight */
    WIRE_QUIET(&w);
    check_windows(&w, 2 * SEG, 2 * SEG);
    hf_rig_wait(&w.rig, HF_MS(5));
    tell(&w, 2000, "3000:5000");
    EXPECT_BYTES(&w, 2000, 3000);
    wait_rtt(&w);
    tell(&w, 5000, NULL);
    WIRE_QUIET(&w);
    assert_int_equal(wire_info(&w).segments_retransmitted, 2);
    wire_close(&w);
}

/* Where nothing that is known of was acknowledged no round trip tells what left just now: all is
 * lost, also where the path is known to reorder. Nor does one without SACK. */
static void without_a_round_trip_all_is_lost(void **state)
{
    (void)state;
    for (unsigned sack = 0; sack < 2; sack++) {
        struct wire w;
        recovery_open(&w, &config, sack ? WITH_SACK : 0);
        send_segs(&w, 3, 3);
        wait_rtt(&w);
        if (sack)
            tell(&w, 0, "1000:2000");
        tell(&w, sack ? 3000 : 1000, NULL);
        assert_int_equal(wire_info(&w).reordering, sack);
        w.start_ns = w.rig.now_ns;
        if (sack)
            send_segs(&w, 2, 2);
        hf_rig_run(&w.rig, w.start_ns + HF_MS(990));
        send_segs(&w, 1, 1);
        hf_rig_run(&w.rig, w.start_ns + HF_MS(1002));
        assert_int_equal(counted(&w, HF_RETRANSMIT_RTO), 1);
        assert_int_equal(wire_info(&w).in_flight_bytes, 3 * SEG);
        assert_int_equal(wire_info(&w).lost_bytes, 2 * SEG);
        wire_close(&w);
    }
}

/* covers: CO-2018-08, CO-6675-09: reported data is passed over after the first timeout, and no
 * recovery begins before all from before it is acknowledged */
static void reported_data_is_passed_over(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 10, 10);
    wait_rtt(&w);
    tell(&w, 0, "1000:3000");
    EXPECT_BYTES_AT(&w, HF_MS(125), 0, 1000); /* RACK */
    hf_ns at_ns = since_start(&w);
    EXPECT_BYTES_AT(&w, at_ns + HF_SEC(1), 0, 1000);
    WIRE_QUIET(&w);
    assert_int_equal(counted(&w, HF_RETRANSMIT_RTO), 1);
    check_windows(&w, SEG, wire_info(&w).ssthresh_bytes);
    wait_rtt(&w);
    tell(&w, 3000, NULL);
    EXPECT_BYTES(&w, 3000, 4000);
    EXPECT_BYTES(&w, 4000, 5000);
    WIRE_QUIET(&w);
    wait_rtt(&w);
    tell(&w, 3000, "6000:10000"); /* slow start goes on */
    assert_int_equal(counted(&w, HF_RECOVERY_BEGINS), 1);
    wire_close(&w);
}

/* covers: CO-2018-08, CO-2018-07: SND.UNA itself was reported, and yet is not acknowledged: the
 * peer has thrown away what it had, and all of it is sent again; a second timeout forgets it
 * anyway */
static void a_peer_that_reneges(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 4, 4);
    wait_rtt(&w);
    tell(&w, 0, "1000:4000");
    EXPECT_BYTES(&w, 0, 1000);
    wait_rtt(&w);
    tell(&w, 1000, NULL);
    WIRE_QUIET(&w);
    hf_ns at_ns = since_start(&w);
    EXPECT_BYTES_AT(&w, at_ns + HF_SEC(1), 1000, 2000);
    wait_rtt(&w);
    tell(&w, 2000, NULL);
    EXPECT_BYTES(&w, 2000, 3000);
    EXPECT_BYTES(&w, 3000, 4000);
    wire_close(&w);

    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 4, 4);
    wait_rtt(&w);
    tell(&w, 0, "2000:4000");
    at_ns = HF_MS(125);
    EXPECT_BYTES_AT(&w, at_ns, 0, 1000);
    hf_peer_skip(&w.peer);
    (void)wire_until_sent(&w, HF_SEC(3));
    EXPECT_BYTES(&w, 0, 1000); /* the first timeout */
    hf_peer_skip(&w.peer);
    (void)wire_until_sent(&w, HF_SEC(9));
    EXPECT_BYTES(&w, 0, 1000); /* the second */
    assert_int_equal(counted(&w, HF_RETRANSMIT_RTO), 2);
    wait_rtt(&w);
    tell(&w, 2000, NULL);
    EXPECT_BYTES(&w, 2000, 3000); /* not reported since */
    wire_close(&w);
}

/* covers: CO-5681-06: a timeout in a recovery, with most of the flight reported, leaves ssthresh no
 * higher than the recovery has */
static void a_timeout_in_a_recovery_reduces_again(void **state)
{
    (void)state;
    for (int cc = 1; cc <= 2; cc++) {
        struct wire w;
        config.congestion_control = cc;
        recovery_open(&w, &config, WITH_SACK);
        send_segs(&w, 40, 10);
        wait_rtt(&w);
        tell(&w, 0, "1000:10000");
        hf_peer_skip(&w.peer);
        wait_rtt(&w);
        tell(&w, 0, "1000:13000"); /* of what was sent since */
        uint32_t ssthresh = wire_info(&w).ssthresh_bytes;
        assert_true(wire_info(&w).in_flight_bytes > 2 * ssthresh);
        hf_rig_wait(&w.rig, HF_SEC(2));
        assert_true(counted(&w, HF_RETRANSMIT_RTO) >= 1);
        assert_true(wire_info(&w).ssthresh_bytes <= ssthresh);
        wire_close(&w);
    }
}

/* ---- by timestamps ---- */

/* covers: CO-9438-10: [RFC3522#3.2] the ACK echoes the original: the fast retransmission was
 * a mistake. Windows are as before, and nothing more is sent again */
static void a_mistaken_recovery_is_undone_by_its_stamp(void **state)
{
    (void)state;
    for (unsigned sack = 0; sack < 2; sack++) {
        struct wire w;
        recovery_open(&w, &config, WITH_STAMPS | (sack ? WITH_SACK : 0));
        send_segs(&w, 10, 10);
        wait_rtt(&w);
        tell(&w, 0, sack ? "1000:2000" : NULL);
        tell(&w, 0, sack ? "1000:3000" : NULL);
        tell(&w, 0, sack ? "1000:4000" : NULL);
        EXPECT_BYTES(&w, 0, 1000);
        assert_int_equal(wire_info(&w).ssthresh_bytes, 5 * SEG);
        hf_rig_wait(&w.rig, HF_MS(5));
        assert_false(wire_info(&w).reordering);
        tell_echo(&w, 0, 4000, NULL); /* the original, reordered: so the path does */
        assert_true(wire_info(&w).reordering);
        assert_int_equal(counted(&w, HF_RECOVERY_UNDO_TIMESTAMP), 1);
        assert_int_equal(wire_info(&w).ssthresh_bytes, 1u << 30);
        assert_true(wire_info(&w).cwnd_bytes >= 10 * SEG);
        hf_rig_wait(&w.rig, HF_MS(20));
        tell(&w, 10000, NULL);
        WIRE_QUIET(&w);
        assert_int_equal(wire_info(&w).segments_retransmitted, 1);
        assert_int_equal(wire_info(&w).ssthresh_bytes, 1u << 30);
        wire_close(&w);
    }
}

/* Once is enough, however many ACKs of originals follow; and an ACK that acknowledges nothing new
 * is none of an original: it may have been late itself. */
static void the_first_ack_decides(void **state)
{
    (void)state;
    for (unsigned mistaken = 0; mistaken < 2; mistaken++) {
        struct wire w;
        recovery_open(&w, &config, WITH_STAMPS | WITH_SACK);
        send_segs(&w, 10, 10);
        wait_rtt(&w);
        tell(&w, 0, "2000:10000");
        EXPECT_BYTES(&w, 0, 1000);
        EXPECT_BYTES(&w, 1000, 2000);
        if (mistaken)
            hf_rig_wait(&w.rig, HF_MS(5));
        else
            wait_rtt(&w);
        hf_ns echo_ns = mistaken ? 0 : RTT_NS;
        tell_echo(&w, echo_ns, 1000, "2000:10000");
        tell_echo(&w, 0, 1000, "2000:10000");
        assert_int_equal(counted(&w, HF_RECOVERY_UNDO_TIMESTAMP), mistaken);
        tell_echo(&w, echo_ns, 10000, NULL);
        assert_int_equal(counted(&w, HF_RECOVERY_UNDO_TIMESTAMP), mistaken);
        wire_close(&w);
    }
}

/* The same ACK, but it echoes the retransmission: it was needed. */
static void a_needed_recovery_stays(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_STAMPS | WITH_SACK);
    send_segs(&w, 10, 10);
    wait_rtt(&w);
    tell(&w, 0, "1000:4000");
    EXPECT_BYTES(&w, 0, 1000);
    wait_rtt(&w);
    tell(&w, 10000, NULL);
    check_windows(&w, 5 * SEG, 5 * SEG);
    assert_int_equal(counted(&w, HF_RECOVERY_UNDO_TIMESTAMP), 0);
    wire_close(&w);
}

/* [RFC3522#3.2] [RFC4015#3] ACKs were late, not lost: cwnd and ssthresh are as before the
 * timeout, and the rest of the window is not sent again */
static void a_mistaken_timeout_is_undone_by_its_stamp(void **state)
{
    (void)state;
    for (unsigned sack = 0; sack < 2; sack++) {
        struct wire w;
        recovery_open(&w, &config, WITH_STAMPS | (sack ? WITH_SACK : 0));
        send_segs(&w, 20, 10);
        EXPECT_BYTES_AT(&w, HF_SEC(1), 0, 1000);
        check_windows(&w, SEG, 5 * SEG);
        hf_rig_wait(&w.rig, HF_MS(200));
        tell_echo(&w, 0, 2000, NULL);
        assert_int_equal(counted(&w, HF_RECOVERY_UNDO_TIMESTAMP), 1);
        assert_false(wire_info(&w).reordering);
        assert_int_equal(wire_info(&w).ssthresh_bytes, 1u << 30);
        assert_in_range(wire_info(&w).cwnd_bytes, 10 * SEG, 12 * SEG);
        while (hf_peer_pop(&w.peer)) /* new data only */
            assert_true(w.peer.last.segment.seq - w.peer.irs >= 10000);
        assert_int_equal(wire_info(&w).segments_retransmitted, 1);
        wire_close(&w);
    }
}

/* Of an undone timeout the mark of what was in flight stays until something newer is acknowledged:
 * then the record of the flight goes, where an ACK takes the short way too, and the next timeout
 * finds in it no more than is in flight. */
static void after_an_undone_timeout_nothing_stays(void **state)
{
    (void)state;
    for (unsigned fast_path = 0; fast_path < 2; fast_path++) {
        struct wire w;
        config.fast_path = fast_path;
        recovery_open(&w, &config, WITH_STAMPS);
        send_segs(&w, 4, 4);
        EXPECT_BYTES_AT(&w, HF_SEC(1), 0, 1000);
        hf_rig_wait(&w.rig, HF_MS(10));
        tell_echo(&w, 0, 4000, NULL);
        assert_int_equal(counted(&w, HF_RECOVERY_UNDO_TIMESTAMP), 1);
        for (uint32_t i = 1; i <= 40; i++) { /* faster than a timeout */
            wire_send(&w, 100, 0);
            assert_int_equal(hf_peer_skip(&w.peer), 1);
            wait_rtt(&w);
            tell(&w, 4000 + i * 100, NULL);
        }
        struct hf_stack_info info;
        hf_stack_info(w.rig.stack, &info);
        assert_int_equal(info.flights, 0);
        wire_send(&w, 300, 0);
        assert_int_equal(hf_peer_skip(&w.peer), 1);
        hf_rig_wait(&w.rig, HF_SEC(2));
        assert_int_equal(wire_info(&w).lost_bytes, 0); /* it was sent again */
        wire_close(&w);
    }
}

/* A recovery that was needed, and then a timeout that was not: windows are as the recovery left
 * them, not as it found them. */
static void what_is_undone_is_the_last_reduction(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_STAMPS | WITH_SACK);
    send_segs(&w, 60, 10);
    wait_rtt(&w);
    tell(&w, 0, "1000:10000");
    assert_int_equal(hf_peer_skip(&w.peer), 5); /* up to 14000 */
    wait_rtt(&w);
    tell(&w, 13000, NULL);
    assert_int_equal(counted(&w, HF_RECOVERY_ENDS), 1);
    hf_peer_skip(&w.peer);
    EXPECT_BYTES_AT(&w, 2 * RTT_NS + HF_SEC(1), 13000, 14000);
    check_windows(&w, SEG, wire_info(&w).ssthresh_bytes);
    hf_rig_wait(&w.rig, HF_MS(50));
    tell_echo(&w, RTT_NS, 14000, NULL);
    assert_int_equal(counted(&w, HF_RECOVERY_UNDO_TIMESTAMP), 1);
    assert_int_equal(wire_info(&w).ssthresh_bytes, 5 * SEG);
    assert_in_range(wire_info(&w).cwnd_bytes, 5 * SEG, 6 * SEG);
    wire_close(&w);
}

/* So they are where the window closed upon the recovery, and all was sent again when it opened. */
static void a_recovery_ends_where_all_is_sent_again(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_STAMPS | WITH_SACK);
    send_segs(&w, 60, 10);
    wait_rtt(&w);
    tell(&w, 0, "1000:10000");
    assert_int_equal(hf_peer_skip(&w.peer), 5); /* up to 14000 */
    hf_peer_send(&w.peer, ". seq 0 ack 1000 win 0 <TS>");
    hf_rig_wait(&w.rig, HF_SEC(2)); /* a probe */
    hf_peer_skip(&w.peer);
    hf_peer_send(&w.peer, ". seq 0 ack 1000 win 65000 <TS>");
    assert_int_equal(counted(&w, HF_RECOVERY_AGAIN), 1);
    check_windows(&w, 5 * SEG, 5 * SEG);
    hf_peer_skip(&w.peer);
    wait_rtt(&w);
    uint32_t next = 14000;
    tell(&w, next, NULL);
    assert_true(wire_info(&w).in_flight_bytes > 0);
    hf_peer_skip(&w.peer);
    hf_ns last_ns = since_start(&w);
    assert_true(wire_until_sent(&w, last_ns + HF_SEC(20)) != HF_NEVER);
    EXPECT_BYTES(&w, next, next + SEG); /* a timeout, and it was not needed */
    assert_int_equal(wire_info(&w).cwnd_bytes, SEG);
    hf_rig_wait(&w.rig, HF_MS(50));
    tell_echo(&w, last_ns, next + SEG, NULL);
    assert_int_equal(counted(&w, HF_RECOVERY_UNDO_TIMESTAMP), 1);
    assert_int_equal(wire_info(&w).ssthresh_bytes, 5 * SEG);
    wire_close(&w);
}

/* The timer has fired again, and before anything leaves the ACK of the original comes: nothing is
 * sent again for that second timeout. */
static void an_undone_timeout_sends_nothing_any_more(void **state)
{
    (void)state;
    for (unsigned sack = 0; sack < 2; sack++) {
        struct wire w;
        recovery_open(&w, &config, WITH_STAMPS | (sack ? WITH_SACK : 0));
        send_segs(&w, 10, 10);
        EXPECT_BYTES_AT(&w, HF_SEC(1), 0, 1000);
        hf_rig_run(&w.rig, w.start_ns + HF_MS(2990));
        WIRE_QUIET(&w);
        hf_rig_fire(&w.rig, w.start_ns + HF_MS(3010));
        assert_int_equal(counted(&w, HF_RETRANSMIT_RTO), 2);
        tell_echo(&w, 0, 2000, NULL);
        assert_int_equal(counted(&w, HF_RECOVERY_UNDO_TIMESTAMP), 1);
        WIRE_QUIET(&w);
        assert_int_equal(wire_info(&w).segments_retransmitted, 1);
        wire_close(&w);
    }
}

/* The timer has fired, and before anything leaves all is acknowledged: nothing is sent again, then
 * or beside what is written next, and no report of it is waited for. It was only late, so the
 * window is as it was. */
static void what_arrives_ahead_of_its_timeout_is_not_sent_again(void **state)
{
    (void)state;
    for (unsigned sack = 0; sack < 2; sack++) {
        struct wire w;
        recovery_open(&w, &config, sack ? WITH_SACK : 0);
        send_segs(&w, 3, 3);
        hf_rig_fire(&w.rig, w.start_ns + HF_MS(1010));
        assert_int_equal(counted(&w, HF_RETRANSMIT_RTO), 1);
        tell(&w, 3000, NULL);
        WIRE_QUIET(&w);
        check_windows(&w, 10 * SEG, 1u << 30);
        assert_int_equal(counted(&w, HF_RECOVERY_UNDO_LATE), 1);
        assert_false(wire_info(&w).reordering);
        if (sack)
            assert_int_equal(flights(&w), 0);
        send_segs(&w, 1, 1);
        assert_int_equal(wire_info(&w).segments_retransmitted, 0);
        wire_close(&w);
    }
}

/* covers: CO-8985-08: the timer has fired, and before anything leaves a part is acknowledged. What
 * is the first by then is sent again if it was lost, whatever the window; not if it left just now:
 * when that arrives too, all was only late. */
static void a_part_arrives_ahead_of_its_timeout(void **state)
{
    (void)state;
    for (unsigned all_lost = 0; all_lost < 2; all_lost++) {
        struct wire w;
        recovery_open(&w, &config, WITH_SACK);
        send_segs(&w, 3, 3);
        wait_rtt(&w);
        tell(&w, 1000, NULL);
        hf_rig_wait(&w.rig, HF_MS(950));
        send_segs(&w, 2, 2);
        hf_rig_fire(&w.rig, w.start_ns + HF_MS(1101));
        assert_int_equal(counted(&w, HF_RETRANSMIT_RTO), 1);
        tell(&w, all_lost ? 2000 : 3000, NULL);
        if (all_lost)
            EXPECT_BYTES(&w, 2000, 3000); /* beside two that fill the window */
        WIRE_QUIET(&w);
        assert_int_equal(wire_info(&w).segments_retransmitted, all_lost);
        assert_int_equal(wire_info(&w).loss_state, HF_LOSS_TIMEOUT);
        hf_rig_wait(&w.rig, HF_MS(49));
        tell(&w, 5000, NULL);
        WIRE_QUIET(&w);
        assert_int_equal(counted(&w, HF_RECOVERY_UNDO_LATE), !all_lost);
        if (!all_lost)
            check_windows(&w, 10 * SEG, 1u << 30);
        wire_close(&w);
    }
}

/* Nor is anything taken back where nothing was reduced: the window closed and opened again, and
 * before what was sent into it leaves again all is acknowledged. */
static void without_a_reduction_nothing_is_undone(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 3, 3);
    hf_peer_send(&w.peer, ". seq 0 ack 0 win 0");
    hf_rig_wait(&w.rig, HF_SEC(2)); /* a probe */
    hf_peer_skip(&w.peer);
    wire_send_batch(&w, (const char *[]){". seq 0 ack 0 win 10000", ". seq 0 ack 3000 win 10000"},
                    2);
    WIRE_QUIET(&w);
    assert_int_equal(counted(&w, HF_RECOVERY_AGAIN), 1);
    assert_int_equal(counted(&w, HF_RECOVERY_UNDO_LATE), 0);
    check_windows(&w, 10 * SEG, 1u << 30);
    wire_close(&w);
}

/* All of it came before anything was sent again: it was only late. The reduction is taken back
 * without an echo or a report. */
static void what_was_only_late_is_undone_at_once(void **state)
{
    (void)state;
    for (unsigned sack = 0; sack < 2; sack++) {
        struct wire w;
        char text[64];
        recovery_open(&w, &config, sack ? WITH_SACK : 0);
        send_segs(&w, 10, 10);
        wait_rtt(&w);
        for (uint32_t n = 2; n < 5; n++) { /* nobody asks for packets */
            snprintf(text, sizeof text, ". seq 0 ack 0 <sack %d:%u>", SEG, n * SEG);
            wire_input_one(&w, sack ? text : ". seq 0 ack 0");
        }
        assert_int_equal(counted(&w, HF_RECOVERY_BEGINS), 1);
        tell(&w, 10000, NULL);
        WIRE_QUIET(&w);
        assert_int_equal(counted(&w, HF_RECOVERY_UNDO_LATE), 1);
        assert_true(wire_info(&w).cwnd_bytes >= 10 * SEG);
        assert_int_equal(wire_info(&w).ssthresh_bytes, 1u << 30);
        assert_true(wire_info(&w).reordering);
        wire_close(&w);
    }
}

/* The next window lost something too, and that was sent again already when the recovery ended: the
 * one that begins then sends something else again, later. What the first of them draws echoes a
 * time before that, and yet it is no original that answers. */
static void what_was_sent_again_before_is_no_original(void **state)
{
    (void)state;
    struct wire w;
    char blocks[80];
    recovery_open(&w, &config, WITH_STAMPS | WITH_SACK);
    send_segs(&w, 40, 10);
    wait_rtt(&w);
    tell_echo(&w, 0, 0, "1000:4000");
    EXPECT_BYTES(&w, 0, 1000);
    tell_echo(&w, 0, 0, "1000:9000");
    hf_peer_skip(&w.peer);
    uint32_t end = wire_info(&w).snd_nxt - w.peer.irs; /* 9000 and 10000 are lost */
    assert_true(end >= 12000);
    wait_rtt(&w);
    snprintf(blocks, sizeof blocks, "11000:%u", end);
    tell_echo(&w, RTT_NS, 9000, blocks);
    EXPECT_BYTES(&w, 9000, 10000);
    EXPECT_BYTES(&w, 10000, 11000);
    wait_rtt(&w);
    tell_echo(&w, 2 * RTT_NS, 10000, blocks);
    assert_int_equal(counted(&w, HF_RECOVERY_BEGINS), 2);
    hf_peer_skip(&w.peer);
    uint32_t next = wire_info(&w).snd_nxt - w.peer.irs; /* the first of these is lost as well */
    assert_true(next >= end + 2000);
    wait_rtt(&w);
    snprintf(blocks, sizeof blocks, "%u:%u,11000:%u", end + 1000, next, end);
    tell_echo(&w, 2 * RTT_NS, 10000, blocks);
    hf_rig_wait(&w.rig, HF_MS(40)); /* as long as RACK may wait */
    assert_true(wire_info(&w).segments_retransmitted >= 4);
    hf_peer_skip(&w.peer);
    snprintf(blocks, sizeof blocks, "%u:%u", end + 1000, next);
    tell_echo(&w, 2 * RTT_NS, end, blocks);
    assert_int_equal(counted(&w, HF_RECOVERY_UNDO_TIMESTAMP), 0);
    assert_int_equal(wire_info(&w).loss_state, HF_LOSS_RECOVERY);
    wire_close(&w);
}

/* ---- by D-SACK ---- */

/* Two segments are taken for lost and sent again; both originals were only late. */
static void open_mistaken(struct wire *w)
{
    recovery_open(w, &config, WITH_SACK);
    send_segs(w, 10, 10);
    wait_rtt(w);
    tell(w, 0, "2000:10000");
    EXPECT_BYTES(w, 0, 1000);
    EXPECT_BYTES(w, 1000, 2000);
    assert_int_equal(wire_info(w).ssthresh_bytes, 5 * SEG);
}

/* covers: CO-2883-12, CO-9438-10: all that was sent again came twice, told by then or when it was
 * over already */
static void a_mistaken_recovery_is_undone_by_reports(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) {
        struct wire w;
        open_mistaken(&w);
        hf_rig_wait(&w.rig, HF_MS(5));
        if (late)
            tell(&w, 10000, NULL);
        wait_rtt(&w);
        tell(&w, 10000, "0:1000");
        assert_int_equal(counted(&w, HF_RECOVERY_UNDO_DUPLICATE), 0);
        tell(&w, 10000, "1000:2000");
        assert_int_equal(counted(&w, HF_RECOVERY_UNDO_DUPLICATE), 1);
        check_windows(&w, 10 * SEG, 1u << 30);
        wire_close(&w);
    }
}

/* A report from beyond the ACK counts as well, also where the block that it lies in is no larger
 * than what came twice. */
static void a_report_may_be_as_large_as_its_block(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 10, 10);
    wait_rtt(&w);
    tell(&w, 0, "3000:10000");
    EXPECT_BYTES(&w, 0, 1000);
    EXPECT_BYTES(&w, 1000, 2000);
    EXPECT_BYTES(&w, 2000, 3000);
    hf_rig_wait(&w.rig, HF_MS(5));
    tell(&w, 0, "1000:2000,3000:10000"); /* the original, late */
    wait_rtt(&w);
    tell(&w, 0, "1000:2000,1000:2000,3000:10000");
    tell(&w, 10000, "0:1000");
    assert_int_equal(counted(&w, HF_RECOVERY_UNDO_DUPLICATE), 0);
    tell(&w, 10000, "2000:3000");
    assert_int_equal(counted(&w, HF_RECOVERY_UNDO_DUPLICATE), 1);
    wire_close(&w);
}

/* covers: CO-2883-12: a timeout that came too early, told in the same way */
static void a_mistaken_timeout_is_undone_by_a_report(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) {
        struct wire w;
        recovery_open(&w, &config, WITH_SACK);
        send_segs(&w, 10, 10);
        EXPECT_BYTES_AT(&w, HF_SEC(1), 0, 1000);
        check_windows(&w, SEG, 5 * SEG);
        hf_rig_wait(&w.rig, HF_MS(50));
        if (late)
            tell(&w, 10000, NULL);
        wait_rtt(&w);
        tell(&w, 10000, "0:1000");
        assert_int_equal(counted(&w, HF_RECOVERY_UNDO_DUPLICATE), 1);
        assert_int_equal(wire_info(&w).ssthresh_bytes, 1u << 30);
        assert_in_range(wire_info(&w).cwnd_bytes, 10 * SEG, 12 * SEG);
        WIRE_QUIET(&w);
        wire_close(&w);
    }
}

/* A peer that reports what it does not acknowledge: the timeout is taken back, and what it counted
 * stays until the ACK, whose stamp is the round trip then. */
static void a_report_ahead_of_its_ack(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK | WITH_STAMPS);
    send_segs(&w, 2, 2);
    EXPECT_BYTES_AT(&w, HF_SEC(1), 0, 1000);
    tell(&w, 0, "0:1000,0:2000");
    assert_int_equal(counted(&w, HF_RECOVERY_UNDO_DUPLICATE), 1);
    uint64_t samples = counted(&w, HF_RTT_TIMESTAMP);
    tell(&w, 2000, NULL);
    assert_int_equal(counted(&w, HF_RTT_TIMESTAMP), samples + 1);
    wire_close(&w);
}

/* covers: CO-2883-06, CO-2883-12: some of it is not all; nor is a report of what was never sent
 * again, a copy of the network's; nor one that ends before it begins */
static void reports_of_some_undo_nothing(void **state)
{
    (void)state;
    static const char *const reports[] = {"0:1000", "2000:3000", "1000:1500", "-1000:0",
                                          "3000:2000"};
    for (size_t i = 0; i < HF_COUNT_OF(reports); i++) {
        struct wire w;
        open_mistaken(&w);
        wait_rtt(&w);
        tell(&w, 10000, reports[i]);
        assert_int_equal(counted(&w, HF_RECOVERY_UNDO_DUPLICATE), 0);
        assert_int_equal(wire_info(&w).ssthresh_bytes, 5 * SEG);
        wire_close(&w);
    }
}

/* Nor do reports before anything was sent again for this recovery: the one before was taken back,
 * by a copy of the network's, and left nothing of its own. */
static void reports_before_the_first_undo_nothing(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 10, 10);
    wait_rtt(&w);
    tell(&w, 0, "1000:4000");
    EXPECT_BYTES(&w, 0, 1000);
    tell(&w, 0, "1000:2000,1000:4000");
    assert_int_equal(counted(&w, HF_RECOVERY_UNDO_DUPLICATE), 1);
    hf_rig_wait(&w.rig, 3 * RTT_NS);
    send_segs(&w, 1, 1);
    wait_rtt(&w);
    wire_send_batch(&w,
                    (const char *[]){". seq 0 ack 0 <sack 10000:11000,sack 1000:4000>",
                                     ". seq 0 ack 0 <sack 2000:3000,sack 1000:4000>"},
                    2);
    assert_int_equal(counted(&w, HF_RECOVERY_BEGINS), 2);
    assert_int_equal(counted(&w, HF_RECOVERY_UNDO_DUPLICATE), 1);
    EXPECT_BYTES(&w, 0, 1000);
    wire_close(&w);
}

/* Nor do reports of more than the recovery is about: a copy of what was sent after it. */
static void reports_of_newer_data_undo_nothing(void **state)
{
    (void)state;
    struct wire w;
    open_mistaken(&w);
    wait_rtt(&w);
    tell(&w, 10000, NULL);
    send_segs(&w, 2, 2);
    wait_rtt(&w);
    tell(&w, 12000, NULL);
    tell(&w, 12000, "10000:12000");
    assert_int_equal(counted(&w, HF_RECOVERY_UNDO_DUPLICATE), 0);
    wire_close(&w);
}

/* The reports may be late: new data was sent and acknowledged meanwhile. */
static void late_reports_undo_too(void **state)
{
    (void)state;
    struct wire w;
    open_mistaken(&w);
    wait_rtt(&w);
    tell(&w, 10000, NULL);
    for (uint32_t ack = 11000; ack <= 13000; ack += SEG) {
        send_segs(&w, 1, 1);
        wait_rtt(&w);
        tell(&w, ack, NULL);
    }
    tell(&w, 13000, "0:1000");
    tell(&w, 13000, "1000:2000");
    assert_int_equal(counted(&w, HF_RECOVERY_UNDO_DUPLICATE), 1);
    wire_close(&w);
}

/* All that was in flight was sent again, the last of it too. */
static void a_lone_segment_that_came_twice(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 1, 1);
    EXPECT_BYTES_AT(&w, HF_SEC(1), 0, 1000);
    check_windows(&w, SEG, 2 * SEG);
    tell(&w, 1000, NULL);
    wait_rtt(&w);
    tell(&w, 1000, "0:1000");
    assert_int_equal(counted(&w, HF_RECOVERY_UNDO_DUPLICATE), 1);
    assert_int_equal(wire_info(&w).ssthresh_bytes, 1u << 30);
    wire_close(&w);
}

int main(void)
{
#define UNDO_TEST(f) cmocka_unit_test_setup(f, reset_config)
    const struct CMUnitTest tests[] = {
        UNDO_TEST(what_left_just_now_is_not_lost),
        UNDO_TEST(without_a_round_trip_all_is_lost),
        UNDO_TEST(reported_data_is_passed_over),
        UNDO_TEST(a_peer_that_reneges),
        UNDO_TEST(a_timeout_in_a_recovery_reduces_again),
        UNDO_TEST(a_mistaken_recovery_is_undone_by_its_stamp),
        UNDO_TEST(the_first_ack_decides),
        UNDO_TEST(a_needed_recovery_stays),
        UNDO_TEST(a_mistaken_timeout_is_undone_by_its_stamp),
        UNDO_TEST(after_an_undone_timeout_nothing_stays),
        UNDO_TEST(an_undone_timeout_sends_nothing_any_more),
        UNDO_TEST(what_arrives_ahead_of_its_timeout_is_not_sent_again),
        UNDO_TEST(a_part_arrives_ahead_of_its_timeout),
        UNDO_TEST(without_a_reduction_nothing_is_undone),
        UNDO_TEST(what_was_only_late_is_undone_at_once),
        UNDO_TEST(what_is_undone_is_the_last_reduction),
        UNDO_TEST(a_recovery_ends_where_all_is_sent_again),
        UNDO_TEST(what_was_sent_again_before_is_no_original),
        UNDO_TEST(a_mistaken_recovery_is_undone_by_reports),
        UNDO_TEST(a_report_may_be_as_large_as_its_block),
        UNDO_TEST(a_mistaken_timeout_is_undone_by_a_report),
        UNDO_TEST(reports_before_the_first_undo_nothing),
        UNDO_TEST(reports_of_newer_data_undo_nothing),
        UNDO_TEST(late_reports_undo_too),
        UNDO_TEST(a_lone_segment_that_came_twice),
        UNDO_TEST(a_report_ahead_of_its_ack),
        UNDO_TEST(reports_of_some_undo_nothing),
    };
    return cmocka_run_group_tests_name("recovery_undo", tests, NULL, NULL);
}
