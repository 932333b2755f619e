/* What the other tests of recovery leave: times finer than queues are long, what is not sent again,
 * pacing, and which congestion control reduces. */
#include "recovery.h"

static struct hf_config config;

static int reset_config(void **state)
{
    (void)state;
    recovery_config(&config);
    return 0;
}

/* covers: CO-8985-01: the least round trip is 10 ms, queues make it 400 ms: what leaves 5 ms apart
 * is told apart all the same, so the first of two is lost when the second has arrived */
static void times_are_finer_than_queues_are_long(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 2, 2);
    hf_rig_wait(&w.rig, HF_MS(10));
    uint32_t at = 1000;
    tell(&w, at, NULL);
    for (int n = 0; n < 15; n++, at += SEG) { /* there is always one left in flight */
        wire_send(&w, SEG, 0);
        assert_int_equal(hf_peer_skip(&w.peer), 1);
        hf_rig_wait(&w.rig, HF_MS(400));
        tell(&w, at + SEG, NULL);
    }
    assert_true(wire_info(&w).srtt_ns > HF_MS(320));
    wire_send(&w, SEG, 0);
    hf_rig_wait(&w.rig, HF_MS(5));
    wire_send(&w, SEG, 0);
    assert_int_equal(hf_peer_skip(&w.peer), 2);
    hf_rig_wait(&w.rig, HF_MS(395));
    char text[32];
    snprintf(text, sizeof text, "%u:%u", at + 2 * SEG, at + 3 * SEG);
    tell(&w, at + SEG, text);
    EXPECT_BYTES(&w, at + SEG, at + 2 * SEG);
    wire_close(&w);
}

/* covers: CO-6675-08, CO-6675-10: as much as fits leaves at once; but there is no rescue: the last
 * segment is missing, yet nothing says that it is lost, and it stays where it is */
static void what_is_not_lost_is_not_sent_again(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 10, 10);
    wait_rtt(&w);
    tell(&w, 0, "1000:4000,5000:8000");
    EXPECT_BYTES(&w, 0, 1000);
    EXPECT_BYTES(&w, 4000, 5000);
    WIRE_QUIET(&w);
    /* Four are in flight: one more would fit. */
    assert_int_equal(wire_info(&w).ssthresh_bytes, 5 * SEG);
    wire_send(&w, 3 * SEG, 0);
    EXPECT_BYTES(&w, 10000, 11000);
    WIRE_QUIET(&w);
    wire_close(&w);
}

/* [RFC7323#4.3] In a recovery without a timeout the echo of what was sent again first times it,
 * also when more was sent again since. */
static void what_is_sent_again_is_timed_by_its_echo(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK | WITH_STAMPS);
    send_segs(&w, 10, 10);
    wait_rtt(&w);
    tell(&w, 0, "1000:5000");
    EXPECT_BYTES(&w, 0, 1000); /* the peer's echo is of this from here on */
    hf_rig_wait(&w.rig, HF_MS(50));
    tell(&w, 0, "6000:10000,1000:5000");
    assert_true(w.rig.caught_count > 0); /* 5000:6000 again, on its way */
    hf_rig_wait(&w.rig, HF_MS(50));
    uint64_t timed = counted(&w, HF_RTT_TIMESTAMP);
    tell(&w, 5000, "6000:10000");
    assert_int_equal(counted(&w, HF_RTT_TIMESTAMP), timed + 1);
    EXPECT_BYTES(&w, 5000, 6000);
    wire_close(&w);
}

/* A FIN that is sent again takes nothing of the congestion window, nor of a segment: it goes with
 * the last byte. DEVIATION D-13 */
static void a_fin_is_sent_again_with_the_last_segment(void **state)
{
    (void)state;
    struct wire w;
    static const uint8_t bytes[3 * SEG];
    recovery_open(&w, &config, WITH_SACK);
    assert_int_equal(hf_send(w.rig.stack, w.conn, bytes, 3 * SEG, 0, w.rig.now_ns), 3 * SEG);
    wire_finish(&w);
    assert_int_equal(hf_peer_skip(&w.peer), 3);
    assert_true(wire_until_sent(&w, HF_SEC(3)) != HF_NEVER);
    EXPECT_BYTES(&w, 0, 1000);
    tell(&w, 1000, NULL);
    assert_int_equal(wire_info(&w).cwnd_bytes, 2 * SEG);
    WIRE_EXPECT(&w, ". seq 1000:2000 ack 0");
    WIRE_EXPECT(&w, "FP. seq 2000:3000 ack 0");
    WIRE_QUIET(&w);
    wire_close(&w);
}

/* Of a super-packet that the rate lets leave in parts, only the last one ends the stream. */
static void what_the_rate_parts_ends_once(void **state)
{
    (void)state;
    struct wire w;
    static const uint8_t bytes[20 * SEG];
    config.pacing = 1;
    config.offload_super_bytes = 65535;
    config.offload_checksum = 1;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 10, 10);
    wait_rtt(&w);
    tell(&w, 10 * SEG, NULL);
    assert_int_equal(hf_send(w.rig.stack, w.conn, bytes, 20 * SEG, 0, w.rig.now_ns), 20 * SEG);
    wire_finish(&w);
    size_t parts = 0;
    for (uint32_t end = 0; end < 30 * SEG; parts++) {
        assert_true(wire_until_sent(&w, since_start(&w) + RTT_NS) != HF_NEVER);
        while (hf_peer_pop(&w.peer)) {
            const struct hf_segment *seg = &w.peer.last.segment;
            end = seg->seq - w.peer.irs + seg->payload_bytes;
            assert_int_equal(seg->flags, end < 30 * SEG ? HF_ACK : HF_ACK | HF_PSH | HF_FIN);
        }
        if (end < 30 * SEG)
            tell(&w, end, NULL);
    }
    assert_in_range(parts, 2, 20);
    wire_close(&w);
}

/* covers: CO-9937-10: what a recovery sends is spread like anything else */
static void a_recovery_is_paced(void **state)
{
    (void)state;
    struct wire w;
    config.pacing = 1;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 10, 10); /* the initial window is not */
    wait_rtt(&w);
    tell(&w, 0, "4000:10000");
    hf_ns last_ns = since_start(&w);
    EXPECT_BYTES(&w, 0, 1000);
    for (uint32_t at = SEG; at < 4 * SEG; at += SEG) {
        hf_ns sent_ns = wire_until_sent(&w, last_ns + RTT_NS);
        assert_in_range(sent_ns, last_ns + HF_MS(2), last_ns + RTT_NS / 2);
        EXPECT_BYTES(&w, at, at + SEG);
        last_ns = sent_ns;
    }
    assert_int_equal(counted(&w, HF_RETRANSMIT_RACK), 4);
    wire_close(&w);
}

/* covers: MAY-18: the setting says which algorithm reduces */
static void the_setting_says_who_reduces(void **state)
{
    (void)state;
    static const uint32_t left_segs[] = {[1] = 5, [2] = 7};
    for (size_t i = 1; i < HF_COUNT_OF(left_segs); i++) {
        struct wire w;
        config.congestion_control = (int64_t)i;
        recovery_open(&w, &config, WITH_SACK);
        send_segs(&w, 10, 10);
        wait_rtt(&w);
        tell(&w, 0, "1000:5000");
        EXPECT_BYTES(&w, 0, 1000);
        assert_int_equal(wire_info(&w).ssthresh_bytes, left_segs[i] * SEG);
        wire_close(&w);
    }
}

/* covers: CO-7661-03, CO-5681-05: a window of which the application uses little stays as it is */
static void an_unused_window_does_not_grow(void **state)
{
    (void)state;
    for (int cc = 1; cc <= 2; cc++) {
        struct wire w;
        config.congestion_control = cc;
        recovery_open(&w, &config, WITH_SACK);
        uint32_t acked = 0;
        for (int i = 0; i < 50; i++) {
            send_segs(&w, 4, 4);
            wait_rtt(&w);
            tell(&w, acked += 4 * SEG, NULL);
        }
        check_windows(&w, 10 * SEG, 1u << 30);
        send_segs(&w, 10, 10);
        wait_rtt(&w);
        tell(&w, acked += 2 * SEG, NULL);
        check_windows(&w, 12 * SEG, 1u << 30);
        wire_close(&w);
    }
}

/* In congestion avoidance a window of which one segment is never used does not grow either; used as
 * a whole, it does. */
static void a_window_that_is_not_filled_does_not_grow(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 10, 10);
    wait_rtt(&w);
    tell(&w, 0, "1000:10000");
    EXPECT_BYTES(&w, 0, 1000);
    wait_rtt(&w);
    uint32_t acked = 10 * SEG;
    tell(&w, acked, NULL);
    check_windows(&w, 5 * SEG, 5 * SEG);
    for (int i = 0; i < 10; i++) {
        send_segs(&w, 4, 4);
        wait_rtt(&w);
        tell(&w, acked += 4 * SEG, NULL);
    }
    check_windows(&w, 5 * SEG, 5 * SEG);
    send_segs(&w, 5, 5);
    wait_rtt(&w);
    tell(&w, acked += 5 * SEG, NULL);
    check_windows(&w, 6 * SEG, 5 * SEG);
    wire_close(&w);
}

/* Without memory for the record of what is in flight one of two segments is. */
static void open_without_a_record(struct wire *w)
{
    static const uint8_t bytes[2 * SEG];
    recovery_open(w, &config, WITH_SACK);
    assert_int_equal(hf_send(w->rig.stack, w->conn, bytes, sizeof bytes, 0, w->rig.now_ns),
                     sizeof bytes);
    hf_rig_starve(&w->rig);
    hf_rig_pull(&w->rig);
    assert_true(counted(w, HF_LIMIT_FLIGHT) > 0);
    EXPECT_BYTES(w, 0, 1000);
    WIRE_QUIET(w);
    assert_int_equal(flights(w), 0);
}

/* It goes by a timer of its own: its ACK ends that. */
static void a_segment_without_a_record_has_a_timer(void **state)
{
    (void)state;
    struct wire w;
    open_without_a_record(&w);
    EXPECT_BYTES_AT(&w, HF_SEC(1), 0, 1000);
    tell(&w, 1000, NULL);
    EXPECT_BYTES(&w, 1000, 2000);
    tell(&w, 2000, NULL);
    assert_int_equal(wire_info(&w).rto_deadline_ns, HF_NEVER);
    wire_close(&w);
}

/* Nor is a time-out of it counted again before it has gone again. */
static void a_segment_without_a_record_counts_when_it_leaves(void **state)
{
    (void)state;
    struct wire w;
    open_without_a_record(&w);
    for (int hour = 1; hour <= 39; hour++)
        hf_rig_fire(&w.rig, w.start_ns + HF_SEC(3600) * hour);
    assert_int_equal(counted(&w, HF_RETRANSMIT_RTO), 1);
    assert_int_equal(wire_info(&w).retransmit_count, 1);
    hf_rig_pull(&w.rig);
    EXPECT_BYTES(&w, 0, 1000);
    wire_close(&w);
}

/* It times out, and a record is made later on, for text of the peer's that came out of order: an
 * ACK ends what was counted, whether it takes the short way or not. */
static void a_record_may_be_made_after_a_timeout(void **state)
{
    (void)state;
    for (uint32_t fast_path = 0; fast_path < 2; fast_path++) {
        struct wire w;
        config.fast_path = fast_path;
        open_without_a_record(&w);
        EXPECT_BYTES_AT(&w, HF_SEC(1), 0, 1000);
        assert_int_equal(wire_info(&w).retransmit_count, 1);
        hf_rig_feed(&w.rig);
        hf_peer_send(&w.peer, ". seq 1000:2000 ack 0");
        assert_int_equal(flights(&w), 1);
        hf_peer_send(&w.peer, ". seq 0:1000 ack 0");
        hf_peer_skip(&w.peer);
        hf_peer_send(&w.peer, ". seq 2000 ack 1000");
        assert_int_equal(wire_info(&w).retransmit_count, 0);
        EXPECT_BYTES(&w, 1000, 2000);
        hf_peer_send(&w.peer, ". seq 2000 ack 2000");
        assert_int_equal(wire_info(&w).rto_deadline_ns, HF_NEVER);
        wire_close(&w);
    }
}

/* [RFC6298#5.3] An ACK of a part of it has the timer count anew for the rest */
static void a_part_without_a_record_has_a_timer(void **state)
{
    (void)state;
    struct wire w;
    open_without_a_record(&w);
    hf_rig_wait(&w.rig, HF_MS(300));
    tell(&w, 400, NULL);
    WIRE_QUIET(&w);
    EXPECT_BYTES_AT(&w, HF_MS(1300), 400, 1000);
    wire_close(&w);
}

/* What was sent into a window that closed is sent again when it opens, record or not; also where
 * the ACK that opens it covers a part. */
static void without_a_record_a_window_opens_too(void **state)
{
    (void)state;
    for (uint32_t acked = 0; acked <= 400; acked += 400) {
        struct wire w;
        open_without_a_record(&w);
        hf_peer_send(&w.peer, ". seq 0 ack 0 win 0");
        hf_rig_wait(&w.rig, HF_MS(1500));
        assert_int_equal(hf_peer_skip(&w.peer), 1); /* a probe */
        char text[48];
        snprintf(text, sizeof text, ". seq 0 ack %u win 10000", acked);
        hf_peer_send(&w.peer, text);
        EXPECT_BYTES(&w, acked, 1000);
        WIRE_QUIET(&w);
        EXPECT_BYTES_AT(&w, HF_MS(2500), acked, 1000);
        wire_close(&w);
    }
}

/* A record that can't grow is full of what has to be told apart: new data waits until an ACK makes
 * room, be it due as a probe or not. */
static void new_data_waits_for_room_in_the_record(void **state)
{
    (void)state;
    static const uint8_t bytes[SEG];
    for (int64_t probe = 0; probe < 2; probe++) {
        struct wire w;
        config.loss_probe = probe;
        recovery_open(&w, &config, WITH_SACK);
        for (int n = 0; n < 4; n++) {
            send_segs(&w, 1, 1);
            hf_rig_wait(&w.rig, HF_MS(2));
        }
        hf_rig_starve(&w.rig);
        hf_rig_fire(&w.rig, w.start_ns + HF_MS(210));
        assert_int_equal(counted(&w, HF_TIMER_LOSS_PROBE), probe);
        assert_int_equal(hf_send(w.rig.stack, w.conn, bytes, SEG, 0, w.rig.now_ns), SEG);
        tell(&w, 0, "3000:4000"); /* the last, and its neighbour is not */
        WIRE_QUIET(&w);
        tell(&w, 1000, NULL);
        EXPECT_BYTES(&w, 4000, 5000);
        wire_close(&w);
    }
}

/* Where the path reorders, what blocks tell of lets the window grow at once, and not again when the
 * ACK passes it. */
static void reordered_data_lets_the_window_grow_once(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 60, 10);
    wait_rtt(&w);
    tell(&w, 0, "1000:2000");
    check_windows(&w, 10 * SEG, 1u << 30);
    tell(&w, 2000, NULL);
    assert_true(wire_info(&w).reordering);
    check_windows(&w, 11 * SEG, 1u << 30);
    tell(&w, 3000, "4000:5000");
    check_windows(&w, 13 * SEG, 1u << 30);
    tell(&w, 5000, NULL);
    check_windows(&w, 14 * SEG, 1u << 30);
    wire_close(&w);
}

/* The ACK that opens a window may acknowledge more, too. What else is in flight was sent into the
 * closed window: it comes at once; and the time that passed was no round trip. */
static void a_window_that_opens_with_an_ack(void **state)
{
    (void)state;
    for (unsigned with = 0; with <= (WITH_SACK | WITH_STAMPS); with++) {
        struct wire w;
        bool ts = with & WITH_STAMPS;
        recovery_open(&w, &config, with);
        send_segs(&w, 10, 10);
        wait_rtt(&w);
        hf_peer_send(&w.peer, ts ? ". seq 0 ack 0 win 0 <TS>" : ". seq 0 ack 0 win 0");
        hf_rig_wait(&w.rig, HF_SEC(20));
        hf_peer_skip(&w.peer);
        hf_peer_send(&w.peer,
                     ts ? ". seq 0 ack 3000 win 10000 <TS>" : ". seq 0 ack 3000 win 10000");
        hf_ns opened_ns = since_start(&w);
        EXPECT_BYTES(&w, 3000, 4000);
        assert_int_equal(hf_peer_skip(&w.peer), 6);
        EXPECT_BYTES_AT(&w, opened_ns + HF_SEC(1), 3000, 4000);
        wire_close(&w);
    }
}

/* One that was closed for less than a timeout kept nothing waiting: a round trip like any other. */
static void a_window_that_opens_soon_is_timed(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 1, 1);
    wait_rtt(&w);
    hf_peer_send(&w.peer, ". seq 0 ack 0 win 0");
    wait_rtt(&w);
    hf_peer_send(&w.peer, ". seq 0 ack 1000 win 10000");
    assert_true(wire_info(&w).srtt_ns > RTT_NS + HF_MS(5));
    wire_close(&w);
}

/* The deadline of the next probe is none of what is sent again: NewReno's neither, whose timer an
 * ACK does not move. */
static void no_deadline_of_a_probe_is_left(void **state)
{
    (void)state;
    for (int by = 500; by <= 10000; by += 9500) {
        struct wire w;
        char text[60];
        recovery_open(&w, &config, 0);
        send_segs(&w, 10, 10);
        wait_rtt(&w);
        for (int i = 0; i < 3; i++)
            tell(&w, 0, NULL);
        wait_rtt(&w);
        tell(&w, 2000, NULL);
        hf_peer_skip(&w.peer);
        hf_peer_send(&w.peer, ". seq 0 ack 2000 win 0");
        while (since_start(&w) < HF_SEC(40)) {
            hf_rig_wait(&w.rig, HF_SEC(1));
            while (hf_peer_pop(&w.peer))
                hf_peer_send(&w.peer, ". seq 0 ack 2000 win 0");
        }
        hf_ns opened_ns = since_start(&w);
        snprintf(text, sizeof text, ". seq 0 ack 3000 win %d", by);
        hf_peer_send(&w.peer, text);
        hf_peer_skip(&w.peer);
        EXPECT_BYTES_AT(&w, opened_ns + HF_SEC(1), 3000, 4000);
        wire_close(&w);
    }
}

/* covers: CO-5681-03: the same number of segments as recovery would have left */
static void a_smaller_mtu_ends_a_recovery(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    wire_send(&w, 10 * SEG, 0);
    assert_true(hf_peer_pop(&w.peer));
    struct wire_packet first = wire_last_packet(&w);
    hf_peer_skip(&w.peer);
    wait_rtt(&w);
    tell(&w, 0, "1000:4000");
    hf_peer_skip(&w.peer);
    wire_icmp(&w, &first,
              &(struct wire_error){.type = 3, .code = 4, .rest = 576, .from_router = true});
    check_windows(&w, 5 * 536, 5 * SEG);
    assert_int_equal(hf_peer_skip(&w.peer), 5);
    wire_close(&w);
}

/* Recovery has a window of its own, which goes with it however it ends. */
static void without_congestion_control_no_window_stays(void **state)
{
    (void)state;
    for (int undone = 0; undone < 2; undone++) {
        struct wire w;
        config.congestion_control = 0;
        recovery_open(&w, &config, WITH_SACK);
        send_segs(&w, 20, 20);
        wait_rtt(&w);
        tell(&w, 0, undone ? "1000:20000" : "3000:6000");
        if (!undone)
            hf_rig_wait(&w.rig, HF_SEC(3));
        hf_peer_skip(&w.peer);
        tell(&w, 20000, undone ? "0:1000" : NULL);
        assert_int_equal(counted(&w, HF_RECOVERY_UNDO_DUPLICATE), undone);
        send_segs(&w, 60, 60);
        wire_close(&w);
    }
}

int main(void)
{
#define CORNERS_TEST(f) cmocka_unit_test_setup(f, reset_config)
    const struct CMUnitTest tests[] = {
        CORNERS_TEST(times_are_finer_than_queues_are_long),
        CORNERS_TEST(an_unused_window_does_not_grow),
        CORNERS_TEST(a_window_that_is_not_filled_does_not_grow),
        CORNERS_TEST(a_segment_without_a_record_has_a_timer),
        CORNERS_TEST(a_segment_without_a_record_counts_when_it_leaves),
        CORNERS_TEST(a_record_may_be_made_after_a_timeout),
        CORNERS_TEST(a_part_without_a_record_has_a_timer),
        CORNERS_TEST(without_a_record_a_window_opens_too),
        CORNERS_TEST(a_window_that_opens_with_an_ack),
        CORNERS_TEST(a_window_that_opens_soon_is_timed),
        CORNERS_TEST(no_deadline_of_a_probe_is_left),
        CORNERS_TEST(a_smaller_mtu_ends_a_recovery),
        CORNERS_TEST(without_congestion_control_no_window_stays),
        CORNERS_TEST(new_data_waits_for_room_in_the_record),
        CORNERS_TEST(reordered_data_lets_the_window_grow_once),
        CORNERS_TEST(what_is_not_lost_is_not_sent_again),
        CORNERS_TEST(what_is_sent_again_is_timed_by_its_echo),
        CORNERS_TEST(a_fin_is_sent_again_with_the_last_segment),
        CORNERS_TEST(what_the_rate_parts_ends_once),
        CORNERS_TEST(a_recovery_is_paced),
        CORNERS_TEST(the_setting_says_who_reduces),
    };
    return cmocka_run_group_tests_name("recovery_corners", tests, NULL, NULL);
}
