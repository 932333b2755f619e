/* The tail loss probe: when it leaves, what it is, and what its answer says, RFC 8985 section 7. */
#include "recovery.h"

/* Two round trips, and what a receiver may need to be woken; or may delay the ACK of one segment.
 * */
#define PROBE_NS HF_MS(202)
#define PROBE_ALONE_NS HF_MS(400)

static struct hf_config config;

static int reset_config(void **state)
{
    (void)state;
    recovery_config(&config);
    config.loss_probe = 1;
    return 0;
}

static void expect_no_reduction(const struct wire *w)
{
    check_windows(w, wire_info(w).cwnd_bytes, 1u << 30);
    assert_true(wire_info(w).cwnd_bytes >= 10 * SEG);
    assert_int_equal(counted(w, HF_RECOVERY_PROBE_REPAIRED), 0);
}

/* ---- when ---- */

/* covers: CO-8985-09, CO-8985-11: after two round trips the last segment again, once; then the
 * timeout, one RTO after the probe and not doubled */
static void the_last_segment_is_the_probe(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 3, 3);
    EXPECT_BYTES_AT(&w, PROBE_NS, 2000, 3000);
    assert_int_equal(counted(&w, HF_TIMER_LOSS_PROBE), 1);
    assert_int_equal(counted(&w, HF_RETRANSMIT_LOSS_PROBE), 1);
    assert_int_equal(wire_info(&w).retransmit_count, 0);
    assert_int_equal(wire_info(&w).rto_ns, HF_SEC(1));
    EXPECT_BYTES_AT(&w, PROBE_NS + HF_SEC(1), 0, 1000);
    EXPECT_BYTES_AT(&w, PROBE_NS + HF_SEC(3), 0, 1000);
    assert_int_equal(counted(&w, HF_TIMER_LOSS_PROBE), 1);
    wire_close(&w);
}

/* covers: CO-8985-11: the blocks that go along now leave it less room than the segment had: its end
 * shows as well whether it arrived */
static void beside_blocks_the_probe_is_its_end(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 3, 3);
    hf_peer_send(&w.peer, ". seq 1000:1500 ack 0");
    hf_peer_skip(&w.peer);
    EXPECT_BYTES_AT(&w, PROBE_NS, 2012, 3000);
    assert_int_equal(w.peer.last.segment.sack_count, 1);
    tell(&w, 0, "2000:3000"); /* so the others are lost */
    assert_int_equal(counted(&w, HF_RECOVERY_BEGINS), 1);
    wire_close(&w);
}

/* The FIN stays behind it: with the text of its segment, or bare behind a full one. */
static void beside_blocks_the_fin_goes_along(void **state)
{
    (void)state;
    static const uint8_t bytes[3 * SEG];
    for (unsigned bare = 0; bare < 2; bare++) {
        struct wire w;
        recovery_open(&w, &config, WITH_SACK);
        assert_int_equal(hf_send(w.rig.stack, w.conn, bytes, sizeof bytes, 0, w.rig.now_ns),
                         sizeof bytes);
        if (bare)
            hf_rig_pull(&w.rig);
        assert_int_equal(hf_shutdown(w.rig.stack, w.conn, w.rig.now_ns), HF_OK);
        hf_rig_pull(&w.rig);
        assert_int_equal(hf_peer_skip(&w.peer), 3 + bare);
        hf_peer_send(&w.peer, ". seq 1000:1500 ack 0");
        hf_peer_skip(&w.peer);
        assert_true(wire_until_sent(&w, HF_MS(600)) != HF_NEVER);
        EXPECT_BYTES(&w, 2013, 3000);
        assert_true(w.peer.last.segment.flags & HF_FIN);
        tell(&w, 0, "2013:3001");
        assert_int_equal(counted(&w, HF_RECOVERY_BEGINS), 1);
        tell(&w, 3001, NULL);
        wire_close(&w);
    }
}

/* covers: CO-8985-01: nor when a closed window has opened, and all is sent again */
static void no_probe_follows_an_opening(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 4, 4);
    hf_peer_send(&w.peer, ". seq 0 ack 0 win 0");
    hf_rig_wait(&w.rig, HF_MS(1500));
    hf_peer_skip(&w.peer);
    hf_peer_send(&w.peer, ". seq 0 ack 0 win 10000");
    assert_int_equal(hf_peer_skip(&w.peer), 4);
    EXPECT_BYTES_AT(&w, HF_MS(2500), 0, 1000);
    wire_close(&w);
}

/* covers: CO-8985-09: of one segment the receiver may delay the ACK */
static void a_lone_segment_waits_for_a_delayed_ack(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 1, 1);
    EXPECT_BYTES_AT(&w, PROBE_ALONE_NS, 0, 1000);
    wire_close(&w);
    config.loss_probe_ack_delay_ns = HF_MS(50);
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 1, 1);
    EXPECT_BYTES_AT(&w, HF_MS(250), 0, 1000);
    wire_close(&w);
}

/* covers: CO-8985-09: each new segment and each ACK of new data put it off */
static void the_probe_counts_from_the_last_event(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 3, 3);
    hf_rig_wait(&w.rig, HF_MS(50));
    send_segs(&w, 1, 1);
    hf_rig_wait(&w.rig, HF_MS(50));
    tell(&w, 1000, NULL);
    EXPECT_BYTES_AT(&w, HF_MS(100) + PROBE_NS, 3000, 4000);
    wire_close(&w);
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 2, 2);
    hf_rig_wait(&w.rig, HF_MS(150));
    send_segs(&w, 1, 1);
    EXPECT_BYTES_AT(&w, HF_MS(150) + PROBE_NS, 2000, 3000);
    wire_close(&w);
}

/* covers: CO-8985-09, CO-8985-13: never later than the RTO, in whose place it stands then */
static void the_probe_stands_in_the_timeouts_place(void **state)
{
    (void)state;
    struct wire w;
    config.rto_min_ns = HF_MS(1);
    recovery_open(&w, &config, WITH_SACK);
    assert_int_equal(wire_info(&w).rto_ns, HF_MS(300)); /* 100 + 4 * 50 */
    send_segs(&w, 1, 1);
    EXPECT_BYTES_AT(&w, HF_MS(300), 0, 1000);
    assert_int_equal(counted(&w, HF_RETRANSMIT_LOSS_PROBE), 1);
    EXPECT_BYTES_AT(&w, HF_MS(600), 0, 1000);
    assert_int_equal(counted(&w, HF_RETRANSMIT_RTO), 1);
    assert_int_equal(wire_info(&w).rto_ns, HF_MS(600));
    wire_close(&w);
}

/* covers: CO-8985-01, CO-8985-09: not without SACK, nor in a recovery, nor after a timeout, nor
 * where something is reported already: there RACK has the say; nor into a closed window */
static void there_is_not_always_a_probe(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_STAMPS);
    send_segs(&w, 3, 3);
    EXPECT_BYTES_AT(&w, HF_SEC(1), 0, 1000);
    wire_close(&w);

    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 10, 10);
    wait_rtt(&w);
    tell(&w, 0, "1000:4000");
    EXPECT_BYTES(&w, 0, 1000);
    hf_ns at_ns = since_start(&w);
    EXPECT_BYTES_AT(&w, at_ns + HF_SEC(1), 0, 1000);
    hf_peer_skip(&w.peer);
    wait_rtt(&w);
    tell(&w, 4000, NULL);
    hf_peer_skip(&w.peer);
    (void)wire_until_sent(&w, HF_SEC(9));
    assert_int_equal(counted(&w, HF_TIMER_LOSS_PROBE), 0);
    wire_close(&w);

    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 3, 3);
    hf_peer_send(&w.peer, ". seq 0 ack 1000 win 0");
    WIRE_EXPECT_AT(&w, HF_SEC(1), ". seq 999 ack 0"); /* of the window */
    assert_int_equal(counted(&w, HF_RETRANSMIT_LOSS_PROBE), 0);
    wire_close(&w);
    config.loss_probe = 0;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 3, 3);
    EXPECT_BYTES_AT(&w, HF_SEC(1), 0, 1000);
    wire_close(&w);
}

/* covers: CO-8985-09: nor is one planned while the window is closed */
static void a_closed_window_plans_no_probe(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 3, 3);
    hf_peer_send(&w.peer, ". seq 0 ack 1000 win 0");
    hf_peer_send(&w.peer, ". seq 0 ack 2000 win 0");
    WIRE_EXPECT_AT(&w, HF_SEC(1), ". seq 1999 ack 0");
    assert_int_equal(counted(&w, HF_TIMER_LOSS_PROBE), 0);
    wire_close(&w);
}

/* covers: CO-8985-09: nor after time-outs that a report took back: they count until an ACK moves
 * SND.UNA */
static void an_undone_timeout_is_followed_by_no_probe(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 9, 9);
    wait_rtt(&w);
    tell(&w, 0, "1000:4000");
    EXPECT_BYTES(&w, 0, 1000);
    EXPECT_BYTES_AT(&w, HF_MS(1100), 0, 1000);
    EXPECT_BYTES_AT(&w, HF_MS(3100), 0, 1000); /* what was told to be there is taken back */
    tell(&w, 0, "0:9000,0:20000");
    assert_int_equal(counted(&w, HF_RECOVERY_UNDO_DUPLICATE), 1);
    assert_int_equal(wire_info(&w).loss_state, HF_LOSS_NONE);
    send_segs(&w, 1, 1);
    EXPECT_BYTES_AT(&w, HF_MS(7100), 0, 1000);
    assert_int_equal(counted(&w, HF_TIMER_LOSS_PROBE), 0);
    wire_close(&w);
}

/* covers: CO-8985-09: it is due, but nobody has asked for packets yet: an ACK that moves puts it
 * off like one that is not, and the timeout counts anew */
static void an_ack_puts_off_a_probe_that_is_due(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 3, 3);
    hf_rig_fire(&w.rig, w.start_ns + PROBE_NS + HF_MS(1));
    assert_int_equal(counted(&w, HF_TIMER_LOSS_PROBE), 1);
    wire_input_one(&w, ". seq 0 ack 1000");
    struct hf_info info = wire_info(&w);
    hf_ns probe_ns = 2 * info.srtt_ns + HF_MS(2);
    assert_int_equal(info.rto_deadline_ns, w.rig.now_ns + probe_ns);
    hf_rig_pull(&w.rig);
    WIRE_QUIET(&w);
    hf_ns at_ns = since_start(&w);
    EXPECT_BYTES_AT(&w, at_ns + probe_ns, 2000, 3000);
    assert_int_equal(counted(&w, HF_TIMER_LOSS_PROBE), 2);
    EXPECT_BYTES_AT(&w, at_ns + probe_ns + wire_info(&w).rto_ns, 1000, 2000);
    assert_int_equal(counted(&w, HF_RETRANSMIT_RTO), 1);
    wire_close(&w);
}

/* covers: CO-8985-09: it is due, and before it leaves one in the middle is reported: from there on
 * RACK has the say, which waits a quarter of the least round trip */
static void a_report_ends_a_probe_that_is_due(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 3, 3);
    hf_ns fired_ns = PROBE_NS + HF_MS(1);
    hf_rig_fire(&w.rig, w.start_ns + fired_ns);
    tell(&w, 0, "1000:2000");
    WIRE_QUIET(&w);
    assert_int_equal(counted(&w, HF_RETRANSMIT_LOSS_PROBE), 0);
    EXPECT_BYTES_AT(&w, fired_ns + fired_ns / 4, 0, 1000);
    WIRE_QUIET(&w);
    wire_close(&w);
}

/* covers: CO-8985-09, MUST-35: nor does one leave into a window that has closed since it became
 * due: the timeout probes that. DEVIATION D-34 */
static void a_probe_that_is_due_meets_a_closed_window(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 3, 3);
    hf_ns fired_ns = PROBE_NS + HF_MS(1);
    hf_rig_fire(&w.rig, w.start_ns + fired_ns);
    hf_peer_send(&w.peer, ". seq 0 ack 0 win 0");
    WIRE_QUIET(&w);
    assert_int_equal(counted(&w, HF_TIMER_LOSS_PROBE), 1);
    WIRE_EXPECT_AT(&w, fired_ns + HF_SEC(1), ". seq -1 ack 0");
    hf_peer_send(&w.peer, ". seq 0 ack 0 win 10000");
    EXPECT_BYTES(&w, 0, 1000);
    assert_int_equal(counted(&w, HF_RETRANSMIT_LOSS_PROBE), 0);
    wire_close(&w);
}

/* It is due, and before it leaves the last segment is told to have arrived. */
static void a_probe_may_be_needless_before_it_leaves(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 3, 3);
    hf_rig_fire(&w.rig, w.start_ns + PROBE_NS + HF_MS(1));
    tell(&w, 0, "2000:3000");
    WIRE_QUIET(&w);
    assert_int_equal(counted(&w, HF_TIMER_LOSS_PROBE), 1);
    assert_int_equal(counted(&w, HF_RETRANSMIT_LOSS_PROBE), 0);
    wire_close(&w);
}

/* covers: CO-8985-10: after a probe none more until a round trip was measured */
static void a_probe_needs_a_sample(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 3, 3);
    EXPECT_BYTES_AT(&w, PROBE_NS, 2000, 3000);
    wait_rtt(&w);
    tell(&w, 3000, "2000:3000"); /* no sample: sent twice, and no timestamps */
    wire_rebase(&w);
    w.start_ns = w.rig.now_ns;
    send_segs(&w, 3, 3);
    EXPECT_BYTES_AT(&w, HF_SEC(1), 0, 1000); /* the RTO */
    assert_int_equal(counted(&w, HF_TIMER_LOSS_PROBE), 1);
    tell(&w, 3000, "0:1000");
    wire_rebase(&w);
    send_segs(&w, 3, 3);
    wait_rtt(&w);
    tell(&w, 3000, NULL); /* a sample */
    wire_rebase(&w);
    w.start_ns = w.rig.now_ns;
    send_segs(&w, 3, 3);
    EXPECT_BYTES_AT(&w, 2 * wire_info(&w).srtt_ns + HF_MS(2), 2000, 3000);
    wire_close(&w);
}

/* ---- what ---- */

/* covers: CO-8985-11, CO-8985-12, CO-8985-18: a new segment where there is one and the peer's
 * window lets it; the congestion window is exceeded by it. It needs no answer of its own */
static void a_new_segment_is_a_better_probe(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 12, 10);
    EXPECT_BYTES_AT(&w, PROBE_NS, 10000, 11000);
    WIRE_QUIET(&w);
    assert_int_equal(wire_info(&w).in_flight_bytes, 11 * SEG);
    assert_int_equal(wire_info(&w).segments_retransmitted, 0);
    wait_rtt(&w);
    tell(&w, 11000, NULL);
    EXPECT_BYTES(&w, 11000, 12000);
    tell(&w, 12000, NULL);
    expect_no_reduction(&w);
    wire_close(&w);

    recovery_open(&w, &config, WITH_SACK);
    hf_peer_send(&w.peer, ". seq 0 ack 0 win 5000");
    send_segs(&w, 12, 5);
    EXPECT_BYTES_AT(&w, PROBE_NS, 4000, 5000);
    wire_close(&w);
}

/* It has its answer to wait for like the other one: the timeout counts from it. */
static void the_timeout_counts_from_a_new_segment(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 12, 10);
    EXPECT_BYTES_AT(&w, PROBE_NS, 10000, 11000);
    EXPECT_BYTES_AT(&w, PROBE_NS + HF_SEC(1), 0, 1000);
    assert_int_equal(counted(&w, HF_RETRANSMIT_RTO), 1);
    wire_close(&w);
}

/* covers: CO-8985-11: the highest number is the FIN's: with the data before it, if one segment
 * takes both, or alone */
static void a_fin_is_probed(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 2, 2);
    wire_finish(&w);
    WIRE_EXPECT(&w, "F. seq 2000 ack 0");
    WIRE_EXPECT_AT(&w, PROBE_NS, "FP. seq 1000:2000 ack 0");
    wait_rtt(&w);
    hf_peer_send(&w.peer, ". seq 0 ack 0 <sack 1000:2001>"); /* what stands before is lost */
    EXPECT_BYTES(&w, 0, 1000);
    WIRE_QUIET(&w);
    hf_peer_send(&w.peer, ". seq 0 ack 2001");
    assert_int_equal(wire_state(&w), HF_FIN_WAIT_2);
    wire_close(&w);

    recovery_open(&w, &config, WITH_SACK);
    wire_finish(&w);
    WIRE_EXPECT(&w, "F. seq 0 ack 0");
    WIRE_EXPECT_AT(&w, PROBE_ALONE_NS, "F. seq 0 ack 0");
    assert_int_equal(counted(&w, HF_RETRANSMIT_LOSS_PROBE), 1);
    wire_close(&w);

    recovery_open(&w, &config, WITH_SACK);
    wire_set(&w, HF_OPT_CORK, 1);
    wire_send(&w, 10, 0);
    wire_finish(&w);
    WIRE_EXPECT(&w, "FP. seq 0:10 ack 0");
    WIRE_EXPECT_AT(&w, PROBE_ALONE_NS, "FP. seq 0:10 ack 0");
    wire_close(&w);
}

/* covers: CO-8985-07: the probe shows by SACK that the rest is lost, and RACK sends it */
static void the_probe_finds_a_lost_tail(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 5, 5);
    wait_rtt(&w);
    tell(&w, 2000, NULL);
    EXPECT_BYTES_AT(&w, HF_MS(100) + PROBE_NS, 4000, 5000);
    wait_rtt(&w);
    tell(&w, 2000, "4000:5000"); /* 200 ms late for the others, so even a window is over */
    EXPECT_BYTES(&w, 2000, 3000);
    WIRE_QUIET(&w); /* one for one: PRR */
    wait_rtt(&w);
    tell(&w, 3000, "4000:5000");
    EXPECT_BYTES(&w, 3000, 4000);
    assert_int_equal(counted(&w, HF_RETRANSMIT_RTO), 0);
    assert_int_equal(counted(&w, HF_RECOVERY_BEGINS), 1);
    tell(&w, 5000, NULL);
    wire_close(&w);
}

/* ---- its answer ---- */

/* Three segments, the last of which was sent again as a probe; a round trip has passed since. */
static void open_probed(struct wire *w)
{
    recovery_open(w, &config, WITH_SACK);
    send_segs(w, 3, 3);
    EXPECT_BYTES_AT(w, PROBE_NS, 2000, 3000);
    wait_rtt(w);
}

/* Two round trips and a timeout later it is still as it was. */
static void expect_nothing_later(struct wire *w)
{
    send_segs(w, 1, 1);
    wait_rtt(w);
    tell(w, 4000, NULL);
    assert_int_equal(wire_until_sent(w, since_start(w) + HF_SEC(5)), HF_NEVER);
}

/* covers: CO-8985-12: it came twice, so nothing was lost */
static void a_probe_that_came_twice(void **state)
{
    (void)state;
    for (int first = 0; first < 2; first++) {
        struct wire w;
        open_probed(&w);
        if (first)
            tell(&w, 3000, NULL); /* the ACK of the originals came late */
        tell(&w, 3000, "2000:3000");
        expect_no_reduction(&w);
        expect_nothing_later(&w);
        expect_no_reduction(&w);
        wire_close(&w);
    }
}

/* With its answer the probe is done with: what is acknowledged later leaves nothing to wait for. */
static void an_answered_probe_leaves_nothing(void **state)
{
    (void)state;
    struct wire w;
    open_probed(&w);
    tell(&w, 3000, NULL);
    assert_int_equal(flights(&w), 1); /* it may yet be told */
    send_segs(&w, 1, 1);
    tell(&w, 3000, "2000:3000");
    tell(&w, 4000, NULL);
    assert_int_equal(flights(&w), 0);
    wire_close(&w);
}

/* What was sent again long before is of no account when a probe leaves and a recovery begins while
 * that is out: both came twice, and that was all. */
static void a_probe_opens_a_new_account(void **state)
{
    (void)state;
    struct wire w;
    char text[40];
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 10, 10);
    wait_rtt(&w);
    tell(&w, 0, "1000:10000");
    EXPECT_BYTES(&w, 0, 1000);
    uint32_t at = 10 * SEG;
    for (int i = 0; i < 30; i++, at += SEG) { /* one is always in flight, longer than two RTOs */
        send_segs(&w, 1, 1);
        wait_rtt(&w);
        tell(&w, at, NULL);
    }
    at -= SEG;
    send_segs(&w, 3, 3);
    EXPECT_BYTES_AT(&w, since_start(&w) + 2 * wire_info(&w).srtt_ns + HF_MS(2), at + 3000,
                    at + 4000);
    wait_rtt(&w);
    snprintf(text, sizeof text, "%u:%u", at + 1000, at + 4000);
    tell(&w, at, text);
    EXPECT_BYTES(&w, at, at + 1000);
    assert_int_equal(counted(&w, HF_RECOVERY_BEGINS), 2);
    hf_rig_wait(&w.rig, HF_MS(5));
    tell(&w, at + 4000, NULL); /* the original, late */
    snprintf(text, sizeof text, "%u:%u", at + 3000, at + 4000);
    tell(&w, at + 4000, text);
    assert_int_equal(counted(&w, HF_RECOVERY_UNDO_DUPLICATE), 0);
    snprintf(text, sizeof text, "%u:%u", at, at + 1000);
    tell(&w, at + 4000, text);
    assert_int_equal(counted(&w, HF_RECOVERY_UNDO_DUPLICATE), 1);
    wire_close(&w);
}

/* covers: CO-8985-12: the receiver has SACK but no D-SACK: the second ACK is a duplicate */
static void a_probe_whose_duplicate_is_not_told(void **state)
{
    (void)state;
    struct wire w;
    open_probed(&w);
    tell(&w, 3000, NULL);
    tell(&w, 3000, NULL);
    expect_nothing_later(&w);
    expect_no_reduction(&w);
    wire_close(&w);
}

/* covers: CO-8985-12: an ACK beyond it and no sign of a second copy: the probe repaired a loss,
 * which counts as one: half of what was in flight then */
static void a_probe_that_repaired(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 8, 8);
    EXPECT_BYTES_AT(&w, PROBE_NS, 7000, 8000);
    wait_rtt(&w);
    tell(&w, 8000, NULL);
    assert_int_equal(wire_info(&w).ssthresh_bytes, 1u << 30); /* not known yet */
    send_segs(&w, 1, 1);
    wait_rtt(&w);
    tell(&w, 9000, NULL);
    check_windows(&w, 4 * SEG, 4 * SEG);
    assert_int_equal(counted(&w, HF_RECOVERY_PROBE_REPAIRED), 1);
    send_segs(&w, 1, 1);
    tell(&w, 10000, NULL);
    check_windows(&w, 4 * SEG, 4 * SEG); /* once */
    assert_int_equal(wire_until_sent(&w, since_start(&w) + HF_SEC(5)), HF_NEVER);
    wire_close(&w);
}

/* The same where nothing more is sent: an RTO later nobody will tell any more. A choice of ours,
 * the RFC waits for an ACK. */
static void a_probe_that_nobody_speaks_of(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 8, 8);
    EXPECT_BYTES_AT(&w, PROBE_NS, 7000, 8000);
    wait_rtt(&w);
    tell(&w, 8000, NULL);
    hf_rig_wait(&w.rig, HF_MS(999));
    assert_int_equal(counted(&w, HF_RECOVERY_PROBE_REPAIRED), 0);
    hf_rig_wait(&w.rig, HF_MS(2));
    assert_int_equal(counted(&w, HF_RECOVERY_PROBE_REPAIRED), 1);
    check_windows(&w, 4 * SEG, 4 * SEG);
    assert_int_equal(flights(&w), 0);
    wire_close(&w);
}

/* Somebody who speaks of something else does not change that. */
static void other_reports_do_not_settle_it(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 8, 8);
    EXPECT_BYTES_AT(&w, PROBE_NS, 7000, 8000);
    wait_rtt(&w);
    tell(&w, 8000, NULL);
    tell(&w, 8000, "0:1000");
    hf_rig_wait(&w.rig, HF_MS(1001));
    assert_int_equal(counted(&w, HF_RECOVERY_PROBE_REPAIRED), 1);
    check_windows(&w, 4 * SEG, 4 * SEG);
    wire_close(&w);
}

/* covers: CO-8985-16: a recovery ends the probe's episode: one reduction, not two */
static void a_recovery_ends_the_episode(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 12, 10);
    wait_rtt(&w);
    tell(&w, 2000, NULL); /* slow start: all is out */
    assert_int_equal(hf_peer_skip(&w.peer), 2);
    EXPECT_BYTES_AT(&w, HF_MS(100) + PROBE_NS, 11000, 12000);
    wait_rtt(&w);
    tell(&w, 2000, "3000:12000");
    EXPECT_BYTES(&w, 2000, 3000);
    uint32_t ssthresh = wire_info(&w).ssthresh_bytes;
    wait_rtt(&w);
    tell(&w, 12000, NULL);
    wire_send(&w, SEG, 0);
    tell(&w, 13000, NULL);
    assert_int_equal(wire_info(&w).ssthresh_bytes, ssthresh);
    assert_int_equal(counted(&w, HF_RECOVERY_PROBE_REPAIRED), 0);
    wire_close(&w);
}

int main(void)
{
#define PROBE_TEST(f) cmocka_unit_test_setup(f, reset_config)
    const struct CMUnitTest tests[] = {
        PROBE_TEST(the_last_segment_is_the_probe),
        PROBE_TEST(beside_blocks_the_probe_is_its_end),
        PROBE_TEST(beside_blocks_the_fin_goes_along),
        PROBE_TEST(no_probe_follows_an_opening),
        PROBE_TEST(a_lone_segment_waits_for_a_delayed_ack),
        PROBE_TEST(the_probe_counts_from_the_last_event),
        PROBE_TEST(the_probe_stands_in_the_timeouts_place),
        PROBE_TEST(there_is_not_always_a_probe),
        PROBE_TEST(a_closed_window_plans_no_probe),
        PROBE_TEST(an_undone_timeout_is_followed_by_no_probe),
        PROBE_TEST(an_ack_puts_off_a_probe_that_is_due),
        PROBE_TEST(a_report_ends_a_probe_that_is_due),
        PROBE_TEST(a_probe_that_is_due_meets_a_closed_window),
        PROBE_TEST(a_probe_may_be_needless_before_it_leaves),
        PROBE_TEST(a_probe_needs_a_sample),
        PROBE_TEST(a_new_segment_is_a_better_probe),
        PROBE_TEST(the_timeout_counts_from_a_new_segment),
        PROBE_TEST(a_fin_is_probed),
        PROBE_TEST(the_probe_finds_a_lost_tail),
        PROBE_TEST(a_probe_that_came_twice),
        PROBE_TEST(an_answered_probe_leaves_nothing),
        PROBE_TEST(a_probe_opens_a_new_account),
        PROBE_TEST(a_probe_whose_duplicate_is_not_told),
        PROBE_TEST(a_probe_that_repaired),
        PROBE_TEST(a_probe_that_nobody_speaks_of),
        PROBE_TEST(other_reports_do_not_settle_it),
        PROBE_TEST(a_recovery_ends_the_episode),
    };
    return cmocka_run_group_tests_name("recovery_probe", tests, NULL, NULL);
}
