/* What the sender takes from SACK: RFC 2018, RFC 6675's rules that RACK leaves, RFC 2883. */
#include "recovery.h"

static struct hf_config config;

static int reset_config(void **state)
{
    (void)state;
    recovery_config(&config);
    return 0;
}

/* covers: CO-6675-01, CO-6675-05, CO-6675-06, CO-2018-13, CO-5681-08, CO-8985-05: each
 * of the first two lets a new segment out; with the third the hole is filled at once */
static void three_blocks_begin_a_recovery(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 20, 10);
    wait_rtt(&w);
    tell(&w, 0, "1000:2000");
    EXPECT_BYTES(&w, 10000, 11000);
    WIRE_QUIET(&w);
    tell(&w, 0, "1000:3000");
    EXPECT_BYTES(&w, 11000, 12000);
    WIRE_QUIET(&w);
    check_windows(&w, 10 * SEG, 1u << 30);
    tell(&w, 0, "1000:4000");
    EXPECT_BYTES(&w, 0, 1000);
    WIRE_QUIET(&w);
    /* Half of the ten, without what limited transmit added. */
    assert_int_equal(wire_info(&w).ssthresh_bytes, 5 * SEG);
    assert_int_equal(counted(&w, HF_RETRANSMIT_RACK), 1);
    wire_close(&w);
}

/* covers: CO-6675-13 [RFC6675#6]: what is sent again has a whole timeout to arrive in */
static void the_timer_begins_anew_with_each_retransmission(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 10, 10);
    wait_rtt(&w);
    tell(&w, 0, "2000:5000");
    EXPECT_BYTES(&w, 0, 1000);
    assert_int_equal(wire_info(&w).rto_deadline_ns, w.rig.now_ns + wire_info(&w).rto_ns);
    hf_rig_wait(&w.rig, RTT_NS / 2);
    tell(&w, 0, "2000:6000");
    tell(&w, 0, "2000:7000");
    EXPECT_BYTES(&w, 1000, 2000);
    assert_int_equal(wire_info(&w).rto_deadline_ns, w.rig.now_ns + wire_info(&w).rto_ns);
    wire_close(&w);
}

/* covers: CO-6675-02, CO-6675-05: three segments in one block are as good, whatever was lost of
 * ACKs */
static void one_large_block_does_too(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 10, 10);
    wait_rtt(&w);
    tell(&w, 2000, "3000:5000"); /* also with an ACK that moves on */
    WIRE_QUIET(&w);
    tell(&w, 2000, "3000:6000");
    EXPECT_BYTES(&w, 2000, 3000);
    WIRE_QUIET(&w);
    wire_close(&w);
}

/* What the ACK that begins a recovery acknowledges lets no window grow, neither now nor later. */
static void the_ack_of_a_loss_grows_nothing(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 10, 10);
    wait_rtt(&w);
    tell(&w, 2000, "3000:6000");
    EXPECT_BYTES(&w, 2000, 3000);
    wait_rtt(&w);
    tell(&w, 10000, NULL);
    check_windows(&w, 4 * SEG, 4 * SEG); /* half of what was in flight then */
    send_segs(&w, 4, 4);
    wait_rtt(&w);
    tell(&w, 13000, NULL);
    check_windows(&w, 4 * SEG, 4 * SEG);
    tell(&w, 14000, NULL);
    check_windows(&w, 5 * SEG, 4 * SEG);
    wire_close(&w);
}

/* covers: CO-6675-11, CO-5681-08: without a new block an ACK tells of no loss, and lets nothing
 * out: it may be forged, or a duplicate of the network's */
static void repeated_acks_tell_nothing(void **state)
{
    (void)state;
    static const char *const blocks[] = {NULL, "4000:5000", "4000:4999", "4500:5500"};
    for (size_t i = 0; i < HF_COUNT_OF(blocks); i++) {
        struct wire w;
        recovery_open(&w, &config, WITH_SACK);
        send_segs(&w, 20, 10);
        tell(&w, 0, blocks[i]);
        hf_peer_skip(&w.peer);
        for (int n = 0; n < 10; n++)
            tell(&w, 0, blocks[i]);
        WIRE_QUIET(&w);
        assert_int_equal(wire_info(&w).segments_retransmitted, 0);
        wire_close(&w);
    }
}

/* covers: CO-6675-11: what else the segment carries does not matter */
static void news_ride_on_data(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 10, 10);
    wait_rtt(&w);
    hf_peer_send(&w.peer, "P. seq 0:10 ack 0 win 60000 <sack 1000:2000>");
    hf_peer_send(&w.peer, "P. seq 10:20 ack 0 win 50000 <sack 1000:3000>");
    hf_peer_skip(&w.peer);
    assert_int_equal(wire_info(&w).segments_retransmitted, 0);
    hf_peer_send(&w.peer, "P. seq 20:30 ack 0 win 40000 <sack 1000:4000>");
    EXPECT_BYTES(&w, 0, 1000);
    wire_close(&w);
}

/* covers: CO-2018-10, CO-2018-12: blocks of what is not in flight say nothing; of one that reaches
 * into it, what lies there counts, as whole segments */
static void blocks_beside_the_flight_are_ignored(void **state)
{
    (void)state;
    static const char *const nothing[] = {
        "10000:13000",
        "9000:10001",
        "-3000:0",
        "5000:4000",
        "5000:5000",
        "100000:200000",
        "-2000000000:2000000000",
        "2147480000:2147490000",
    };
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 10, 10);
    wait_rtt(&w);
    for (size_t i = 0; i < HF_COUNT_OF(nothing); i++) {
        char text[64]; /* two of them: neither the first nor the second */
        snprintf(text, sizeof text, "%s,%s", nothing[i], nothing[i]);
        tell(&w, 0, text);
        WIRE_QUIET(&w);
    }
    tell(&w, 0, "6001:9999"); /* parts of two, and two */
    WIRE_QUIET(&w);
    tell(&w, 0, "6001:10000");
    for (uint32_t at = 0; at < 7000 && hf_peer_pop(&w.peer); at += SEG)
        assert_int_equal(w.peer.last.segment.seq - w.peer.irs, at);
    assert_true(wire_info(&w).segments_retransmitted > 0);
    wire_close(&w);
}

/* covers: CO-2883-03, CO-2883-05, CO-2883-08: a first block below the ACK, or inside the second
 * one, tells of a duplicate and not of an arrival; compared with that ACK, not with SND.UNA */
static void reports_of_duplicates_are_no_arrivals(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 20, 10);
    wait_rtt(&w);
    tell(&w, 5000, NULL);
    assert_true(hf_peer_skip(&w.peer) > 0);
    for (int n = 0; n < 5; n++) {
        tell(&w, 5000, "2000:5000");
        tell(&w, 1000, "0:1000"); /* late, of before SND.UNA */
    }
    WIRE_QUIET(&w);
    tell(&w, 5000, "6000:7000,6000:7000"); /* the second counts: one */
    hf_peer_skip(&w.peer);
    for (int n = 0; n < 5; n++)
        tell(&w, 5000, "6000:7000,6000:7000");
    WIRE_QUIET(&w);
    assert_int_equal(wire_info(&w).segments_retransmitted, 0);
    tell(&w, 1000, "7000:9000"); /* late, but news: above its own ACK */
    EXPECT_BYTES(&w, 5000, 6000);
    wire_close(&w);
}

/* covers: CO-6675-04, CO-8985-14, CO-2018-12: what is lost comes first, the left one first; then
 * new data; what was reported is passed over */
static void holes_are_filled_from_the_left(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 20, 10);
    wait_rtt(&w);
    tell(&w, 0, "1000:2000,3000:4000,5000:10000");
    EXPECT_BYTES(&w, 0, 1000); /* seven arrived: all three holes may be filled, and two more */
    EXPECT_BYTES(&w, 2000, 3000);
    EXPECT_BYTES(&w, 4000, 5000);
    EXPECT_BYTES(&w, 10000, 11000);
    EXPECT_BYTES(&w, 11000, 12000);
    WIRE_QUIET(&w);
    wait_rtt(&w);
    tell(&w, 12000, NULL);
    check_windows(&w, 5 * SEG, 5 * SEG);
    assert_int_equal(wire_info(&w).segments_retransmitted, 3);
    wire_close(&w);
}

/* covers: CO-6675-07, CO-5681-14: it ends with an ACK of all that had been sent when it began;
 * marks above stay, and a hole there is a loss of another window: halved again */
static void a_recovery_ends_at_its_point(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 30, 10);
    wait_rtt(&w);
    tell(&w, 0, "1000:9000");
    EXPECT_BYTES(&w, 0, 1000);
    hf_peer_skip(&w.peer);
    wait_rtt(&w);
    tell(&w, 9999, "11000:12000"); /* one byte is missing: not yet */
    EXPECT_BYTES(&w, 9999, 10999); /* cut anew, into what is lost behind it */
    assert_int_equal(counted(&w, HF_RECOVERY_ENDS), 0);
    tell(&w, 10000, "11000:12000");
    assert_int_equal(counted(&w, HF_RECOVERY_ENDS), 1);
    wire_close(&w);

    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 30, 10);
    wait_rtt(&w);
    tell(&w, 0, "1000:10000");
    assert_int_equal(hf_peer_skip(&w.peer), 5);
    assert_int_equal(counted(&w, HF_RECOVERY_BEGINS), 1);
    wait_rtt(&w);
    tell(&w, 0, "1000:10000,11000:13000");
    assert_int_equal(counted(&w, HF_RECOVERY_ENDS), 0);
    hf_peer_skip(&w.peer);
    tell(&w, 10000, "11000:13000");
    assert_int_equal(counted(&w, HF_RECOVERY_ENDS), 1);
    assert_int_equal(counted(&w, HF_RECOVERY_BEGINS), 2);
    assert_true(wire_info(&w).ssthresh_bytes < 5 * SEG);
    wire_close(&w);
}

/* The ACK that ends it may tell of a loss in the next window, too: that is a recovery of its own,
 * and begins at once. */
static void a_recovery_may_follow_another(void **state)
{
    (void)state;
    struct wire w;
    char text[40];
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 30, 10);
    wait_rtt(&w);
    tell(&w, 0, "1000:10000");
    assert_int_equal(hf_peer_skip(&w.peer), 5);
    uint32_t end = wire_info(&w).snd_nxt - w.peer.irs;
    wait_rtt(&w);
    snprintf(text, sizeof text, "11000:%u", end);
    tell(&w, 10000, text);
    EXPECT_BYTES(&w, 10000, 11000);
    assert_int_equal(counted(&w, HF_RECOVERY_ENDS), 1);
    assert_int_equal(counted(&w, HF_RECOVERY_BEGINS), 2);
    assert_int_equal(wire_info(&w).loss_state, HF_LOSS_RECOVERY);
    wire_close(&w);
}

/* covers: CO-2018-07: a block frees nothing; the ACK does */
static void blocks_free_nothing(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 10, 10);
    tell(&w, 0, "1000:10000");
    assert_int_equal(wire_info(&w).send_queue_bytes, 10 * SEG);
    assert_int_equal(wire_info(&w).snd_una, w.peer.irs);
    tell(&w, 10000, NULL);
    assert_int_equal(wire_info(&w).send_queue_bytes, 0);
    wire_close(&w);
}

/* covers: CO-7323-09, CO-6298-06: all arrived, but the ACK was lost; the one that the
 * retransmission draws echoes the original still, and with SACK it says that this came twice. The
 * time between is none of the path: the RTO, twice as long since the timeout, is not measured by
 * it, but by what echoes the retransmission. */
static void a_timeout_is_no_round_trip(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < 4; variant++) {
        struct wire w;
        bool sack = variant & 1, fresh = variant & 2;
        recovery_open(&w, &config, WITH_STAMPS | (sack ? WITH_SACK : 0));
        hf_ns srtt_ns = wire_info(&w).srtt_ns;
        send_segs(&w, 4, 4);
        uint32_t value = w.peer.last.segment.ts_value;
        EXPECT_BYTES_AT(&w, HF_SEC(1), 0, 1000);
        assert_int_equal(wire_info(&w).rto_ns, HF_SEC(2));
        hf_rig_wait(&w.rig, 2 * RTT_NS);
        if (!fresh)
            w.peer.ts_recent = value;
        tell(&w, 4000, sack ? "0:1000" : "");
        hf_ns wanted_ns = fresh ? srtt_ns + (2 * RTT_NS - srtt_ns) / 8 : srtt_ns;
        assert_int_equal(wire_info(&w).srtt_ns, wanted_ns);
        assert_int_equal(wire_info(&w).rto_ns, fresh ? HF_SEC(1) : HF_SEC(2));
        assert_int_equal(counted(&w, HF_RECOVERY_UNDO_TIMESTAMP), !fresh);
        wire_close(&w);
    }
}

/* The same with two timeouts, and the echo of the first retransmission: its ACK was lost too. */
static void nor_is_the_second_timeout(void **state)
{
    (void)state;
    for (unsigned last = 0; last < 2; last++) {
        struct wire w;
        recovery_open(&w, &config, WITH_STAMPS);
        hf_ns srtt_ns = wire_info(&w).srtt_ns;
        send_segs(&w, 4, 4);
        EXPECT_BYTES_AT(&w, HF_SEC(1), 0, 1000);
        uint32_t value = w.peer.last.segment.ts_value;
        EXPECT_BYTES_AT(&w, HF_SEC(3), 0, 1000);
        hf_rig_wait(&w.rig, 2 * RTT_NS);
        if (!last)
            w.peer.ts_recent = value;
        tell(&w, 1000, NULL);
        hf_ns wanted_ns = last ? srtt_ns + (2 * RTT_NS - srtt_ns) / 8 : srtt_ns;
        assert_int_equal(wire_info(&w).srtt_ns, wanted_ns);
        assert_int_equal(wire_info(&w).rto_ns, last ? HF_SEC(1) : HF_SEC(4));
        wire_close(&w);
    }
}

static void check_loss(const struct wire *w, enum hf_loss_state state, const uint32_t segs[4])
{
    struct hf_info info = wire_info(w);
    assert_int_equal(info.loss_state, state);
    assert_int_equal(info.sacked_bytes, segs[0] * SEG);
    assert_int_equal(info.lost_bytes, segs[1] * SEG);
    assert_int_equal(info.resent_bytes, segs[2] * SEG);
    assert_int_equal(info.pipe_bytes, segs[3] * SEG);
}

/* What is told of a recovery, in segments: arrived, lost, sent again, in the pipe. */
static void recovery_shows_in_the_snapshot(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    check_loss(&w, HF_LOSS_NONE, (const uint32_t[]){0, 0, 0, 0});
    send_segs(&w, 10, 10);
    wait_rtt(&w);
    check_loss(&w, HF_LOSS_NONE, (const uint32_t[]){0, 0, 0, 10});
    tell(&w, 0, "5000:6000");
    check_loss(&w, HF_LOSS_NONE, (const uint32_t[]){1, 0, 0, 9});
    tell(&w, 0, "5000:9000");
    check_loss(&w, HF_LOSS_RECOVERY, (const uint32_t[]){4, 2, 3, 4});
    assert_false(wire_info(&w).reordering);
    tell(&w, 10000, NULL);
    check_loss(&w, HF_LOSS_NONE, (const uint32_t[]){0, 0, 0, 0});
    wire_rebase(&w);
    wire_send(&w, 2 * SEG, 0);
    hf_rig_wait(&w.rig, HF_MS(1100));
    check_loss(&w, HF_LOSS_TIMEOUT, (const uint32_t[]){0, 1, 1, 1});
    wire_close(&w);
}

static void shut(struct wire *w)
{
    assert_int_equal(hf_shutdown(w->rig.stack, w->conn, w->rig.now_ns), HF_OK);
    hf_rig_pull(&w->rig);
}

/* A block that ends with the text of the last segment, or with the FIN behind
 * it, says that the segment has arrived: RACK's time runs for what is missing before */
static void a_fin_arrives_with_its_text(void **state)
{
    (void)state;
    static const char *const blocks[] = {"1000:1600", "1000:1601"};
    for (size_t i = 0; i < HF_COUNT_OF(blocks); i++) {
        struct wire w;
        recovery_open(&w, &config, WITH_SACK);
        wire_send(&w, 1600, 0);
        shut(&w);
        EXPECT_BYTES(&w, 0, 1000);
        EXPECT_BYTES(&w, 1000, 1600);
        assert_true(w.peer.last.segment.flags & HF_FIN);
        wait_rtt(&w);
        tell(&w, 0, blocks[i]);
        WIRE_QUIET(&w);
        EXPECT_BYTES_AT(&w, since_start(&w) + RTT_NS / 4, 0, 1000);
        assert_int_equal(counted(&w, HF_RETRANSMIT_RACK), 1);
        tell(&w, 1601, NULL);
        assert_int_equal(wire_info(&w).in_flight_bytes, 0);
        wire_close(&w);
    }
}

/* The timeout of a FIN before which nothing is missing is told apart. */
static void a_timeout_of_a_fin_is_named(void **state)
{
    (void)state;
    for (unsigned text = 0; text < 2; text++) {
        struct wire w;
        recovery_open(&w, &config, WITH_SACK);
        if (text)
            wire_send(&w, 600, 0);
        shut(&w);
        hf_peer_skip(&w.peer);
        EXPECT_BYTES_AT(&w, HF_SEC(1), 0, text ? 600 : 0);
        assert_int_equal(counted(&w, HF_RETRANSMIT_FIN), !text);
        assert_int_equal(counted(&w, HF_RETRANSMIT_RTO), text);
        wire_close(&w);
    }
}

/* A FIN that left by itself may be lost though the text before it has arrived. */
static void a_bare_fin_arrives_alone(void **state)
{
    (void)state;
    struct wire w;
    config.nagle = 0;
    recovery_open(&w, &config, WITH_SACK);
    wire_send(&w, 1600, 0);
    assert_int_equal(hf_peer_skip(&w.peer), 2);
    shut(&w);
    EXPECT_BYTES(&w, 1600, 1600);
    tell(&w, 0, "1000:1600");
    hf_rig_wait(&w.rig, RTT_NS);
    tell(&w, 1600, NULL);
    hf_peer_skip(&w.peer);
    EXPECT_BYTES_AT(&w, since_start(&w) + HF_SEC(1), 1600, 1600);
    assert_true(w.peer.last.segment.flags & HF_FIN);
    wire_close(&w);
}

/* The FIN that left by itself has arrived, the text before it has not: only that comes again. */
static void text_comes_again_without_a_fin_that_arrived(void **state)
{
    (void)state;
    struct wire w;
    config.nagle = 0;
    recovery_open(&w, &config, WITH_SACK);
    wire_send(&w, 600, 0);
    EXPECT_BYTES(&w, 0, 600);
    shut(&w);
    EXPECT_BYTES(&w, 600, 600);
    wait_rtt(&w);
    tell(&w, 0, "600:601");
    EXPECT_BYTES_AT(&w, since_start(&w) + RTT_NS / 4, 0, 600);
    assert_false(w.peer.last.segment.flags & HF_FIN);
    tell(&w, 601, NULL);
    assert_int_equal(wire_info(&w).in_flight_bytes, 0);
    wire_close(&w);
}

int main(void)
{
#define SACK_TEST(f) cmocka_unit_test_setup(f, reset_config)
    const struct CMUnitTest tests[] = {
        SACK_TEST(three_blocks_begin_a_recovery),
        SACK_TEST(the_timer_begins_anew_with_each_retransmission),
        SACK_TEST(one_large_block_does_too),
        SACK_TEST(the_ack_of_a_loss_grows_nothing),
        SACK_TEST(repeated_acks_tell_nothing),
        SACK_TEST(news_ride_on_data),
        SACK_TEST(blocks_beside_the_flight_are_ignored),
        SACK_TEST(reports_of_duplicates_are_no_arrivals),
        SACK_TEST(holes_are_filled_from_the_left),
        SACK_TEST(a_recovery_ends_at_its_point),
        SACK_TEST(a_recovery_may_follow_another),
        SACK_TEST(blocks_free_nothing),
        SACK_TEST(a_timeout_is_no_round_trip),
        SACK_TEST(recovery_shows_in_the_snapshot),
        SACK_TEST(nor_is_the_second_timeout),
        SACK_TEST(a_fin_arrives_with_its_text),
        SACK_TEST(a_timeout_of_a_fin_is_named),
        SACK_TEST(a_bare_fin_arrives_alone),
        SACK_TEST(text_comes_again_without_a_fin_that_arrived),
    };
    return cmocka_run_group_tests_name("recovery_sack", tests, NULL, NULL);
}
