/* Where a loss ends slow start, what of that flight arrived is what the path carries: D-42. */
#include "recovery.h"

static struct hf_config config;

static int reset_config(void **state)
{
    (void)state;
    recovery_config(&config);
    return 0;
}

/** Twenty segments are in flight, sent in slow start, and their ACKs are due. */
static void open_and_fly(struct wire *w)
{
    recovery_open_twenty(w, &config, WITH_SACK);
    send_segs(w, 20, 20);
    wait_rtt(w);
}

/** Of twenty the first are lost, which one ACK tells. */
static void lose_first(struct wire *w, uint32_t lost)
{
    char text[32];
    snprintf(text, sizeof text, "%u:20000", lost * SEG);
    tell(w, 0, text);
}

/* Half of what was in flight, 0.7 of it with CUBIC; seven eighths of what arrived, if that is less;
 * of a quarter at least. covers: CO-9438-07, CO-5681-09 */
static void what_arrived_is_the_measure(void **state)
{
    (void)state;
    static const struct {
        uint32_t lost, reno_bytes, cubic_bytes;
    } rows[] = {{1, 10000, 14000}, {4, 10000, 14000}, {5, 10000, 13125}, {8, 10000, 10500},
                {9, 9625, 9625},   {14, 5250, 5250},  {15, 4375, 4375},  {17, 4375, 4375}};
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++) {
        for (int cubic = 0; cubic < 2; cubic++) {
            config.congestion_control = cubic ? 2 : 1;
            struct wire w;
            open_and_fly(&w);
            lose_first(&w, rows[i].lost);
            uint32_t bytes = cubic ? rows[i].cubic_bytes : rows[i].reno_bytes;
            assert_int_equal(wire_info(&w).ssthresh_bytes, bytes);
            wire_close(&w);
        }
    }
}

/* Losses are heard of one after the other. When the fate of all twenty is known, that was it: what
 * was sent again and is lost again says no more. */
static void it_is_measured_until_all_is_known(void **state)
{
    (void)state;
    struct wire w;
    open_and_fly(&w);
    tell(&w, 0, "1000:4000");
    assert_int_equal(wire_info(&w).ssthresh_bytes, 10 * SEG);
    tell(&w, 0, "16000:19000,1000:4000");
    assert_int_equal(wire_info(&w).ssthresh_bytes, 6125); /* 19000 may have arrived, too */
    tell(&w, 0, "16000:20000,1000:4000");
    assert_int_equal(wire_info(&w).ssthresh_bytes, 6125);
    uint32_t resent = (uint32_t)counted(&w, HF_RETRANSMIT_RACK);
    assert_true(resent > 2);
    wait_rtt(&w);
    tell(&w, 0, "4000:5000,16000:20000,1000:4000"); /* left after 0:1000, which is lost again */
    hf_rig_wait(&w.rig, RTT_NS / 2);
    assert_int_equal(counted(&w, HF_RETRANSMIT_RACK) > resent, 1);
    assert_int_equal(wire_info(&w).ssthresh_bytes, 6125);
    wire_close(&w);
}

/* Where the last news come from the timer of RACK. */
static void what_a_timer_finds_counts(void **state)
{
    (void)state;
    struct wire w;
    open_and_fly(&w);
    tell(&w, 0, "1000:2000");
    hf_rig_wait(&w.rig, HF_MS(60)); /* a quarter of a round trip: the first is lost */
    assert_int_equal(wire_info(&w).ssthresh_bytes, 10 * SEG);
    tell(&w, 0, "14000:20000,1000:2000");
    hf_rig_wait(&w.rig, HF_MS(60));
    assert_int_equal(wire_info(&w).ssthresh_bytes, 6125);
    wire_close(&w);
}

/* In avoidance the window was near what the path carries, and a burst of loss is no measure. */
static void later_losses_are_none(void **state)
{
    (void)state;
    struct wire w;
    open_and_fly(&w);
    lose_first(&w, 1);
    (void)hf_peer_skip(&w.peer);
    wait_rtt(&w);
    tell(&w, 20000, NULL);
    check_windows(&w, 10 * SEG, 10 * SEG);
    wire_rebase(&w);
    send_segs(&w, 10, 10);
    wait_rtt(&w);
    tell(&w, 0, "7000:10000");
    assert_int_equal(wire_info(&w).ssthresh_bytes, 5 * SEG);
    wire_close(&w);
}

/* Half of the window or less was in flight: the application sets the pace, and what is lost of that
 * says nothing of the path. */
static void a_window_that_is_not_used_is_none(void **state)
{
    (void)state;
    for (uint32_t segs = 10; segs <= 11; segs++) {
        struct wire w;
        recovery_open_twenty(&w, &config, WITH_SACK);
        send_segs(&w, segs, segs);
        wait_rtt(&w);
        char text[32];
        snprintf(text, sizeof text, "7000:%u", segs * SEG);
        tell(&w, 0, text);
        assert_int_equal(wire_info(&w).ssthresh_bytes, segs == 10 ? 5000 : 3500);
        wire_close(&w);
    }
}

/* Without congestion control nothing is concluded from it. */
static void no_algorithm_no_measure(void **state)
{
    (void)state;
    config.congestion_control = 0;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 20, 20);
    wait_rtt(&w);
    struct hf_info before = wire_info(&w);
    lose_first(&w, 17);
    assert_int_equal(wire_info(&w).ssthresh_bytes, before.ssthresh_bytes);
    assert_true(hf_peer_skip(&w.peer) > 0);
    wire_close(&w);
}

/* Two segments at least, however small the flight [RFC5681#3.1]. */
static void small_flights_leave_two_segments(void **state)
{
    (void)state;
    config.initial_window_segs = 3;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 3, 3);
    wait_rtt(&w);
    tell(&w, 0, "2000:3000");
    hf_rig_wait(&w.rig, HF_MS(60));
    assert_int_equal(wire_info(&w).loss_state, HF_LOSS_RECOVERY);
    assert_int_equal(wire_info(&w).ssthresh_bytes, 2 * SEG);
    wire_close(&w);
}

/* Where the path reorders, much that is only late is taken for lost first. */
static void what_may_be_late_is_no_measure(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) {
        struct wire w;
        open_and_fly(&w);
        if (late) {
            tell(&w, 0, "2000:3000");
            tell(&w, 0, "1000:3000"); /* behind what left after it */
        }
        assert_int_equal(wire_info(&w).reordering, late);
        tell(&w, 0, "1000:3000,17000:20000");
        hf_rig_wait(&w.rig, HF_MS(60));
        assert_int_equal(wire_info(&w).loss_state, HF_LOSS_RECOVERY);
        assert_int_equal(wire_info(&w).ssthresh_bytes, late ? 10 * SEG : 4375);
        wire_close(&w);
    }
}

/* Nothing had been lost: neither the reduction nor the measure is left. */
static void a_measure_is_undone_with_its_recovery(void **state)
{
    (void)state;
    for (int cubic = 0; cubic < 2; cubic++) {
        config.congestion_control = cubic ? 2 : 1;
        struct wire w;
        open_and_fly(&w);
        lose_first(&w, 14);
        assert_int_equal(wire_info(&w).ssthresh_bytes, 5250);
        uint32_t again = (uint32_t)hf_peer_skip(&w.peer);
        assert_true(again > 0);
        tell(&w, 14000, "0:1000,14000:20000");
        for (uint32_t n = 1; n < again; n++) {
            char text[40];
            snprintf(text, sizeof text, "%u:%u", n * SEG, (n + 1) * SEG);
            tell(&w, 20000, text);
        }
        assert_int_equal(counted(&w, HF_RECOVERY_UNDO_DUPLICATE), 1);
        assert_int_equal(wire_info(&w).ssthresh_bytes, 1u << 30);
        assert_true(wire_info(&w).cwnd_bytes >= 20 * SEG);
        wire_close(&w);
    }
}

/* After a timeout what is heard of that flight moves nothing. */
static void a_timeout_ends_the_measure(void **state)
{
    (void)state;
    struct wire w;
    open_and_fly(&w);
    lose_first(&w, 9);
    assert_int_equal(wire_info(&w).ssthresh_bytes, 9625);
    hf_rig_wait(&w.rig, HF_SEC(2));
    assert_int_equal(wire_info(&w).loss_state, HF_LOSS_TIMEOUT);
    uint32_t ssthresh_bytes = wire_info(&w).ssthresh_bytes;
    tell(&w, 1000, "19000:20000");
    hf_rig_wait(&w.rig, HF_MS(60));
    assert_int_equal(wire_info(&w).ssthresh_bytes, ssthresh_bytes);
    wire_close(&w);
}

struct beginning {
    uint32_t count;
    int64_t cwnd_bytes, ssthresh_bytes;
};

static void note_beginning(void *ctx, const struct hf_trace_event *e)
{
    struct beginning *b = ctx;
    if (e->type != HF_TRACE_RECOVERY || e->reason != HF_RECOVERY_BEGINS)
        return;
    b->count++;
    b->cwnd_bytes = e->a;
    b->ssthresh_bytes = e->b;
}

/* What is told of a recovery's beginning is what it begins with. */
static void the_trace_tells_what_was_measured(void **state)
{
    (void)state;
    struct beginning b = {0};
    struct wire w;
    recovery_open_traced(&w, &config, WITH_SACK, note_beginning, &b);
    send_segs(&w, 10, 10);
    wait_rtt(&w);
    tell(&w, 0, "7000:10000");
    assert_int_equal(b.count, 1);
    assert_int_equal(b.cwnd_bytes, 10 * SEG);
    assert_int_equal(b.ssthresh_bytes, 2625);
    assert_int_equal(wire_info(&w).ssthresh_bytes, 2625);
    wire_close(&w);
}

/* The ACK that ends a recovery shows that a segment sent within it is lost: a second reduction
 * [RFC5681#4.3]. Little is in flight, as most of the flight before was lost and a recovery sends no
 * more than arrives. Reno takes half of that [RFC5681#3.1], CUBIC 0.7 of what the recovery aimed
 * at, as it may [RFC9438#4.6]. covers: CO-9438-07, CO-5681-09 */
static void a_second_loss_reduces_from_the_aim(void **state)
{
    (void)state;
    for (int cubic = 0; cubic < 2; cubic++) {
        config.congestion_control = cubic ? 2 : 1;
        struct wire w;
        recovery_open_twenty(&w, &config, WITH_SACK);
        send_segs(&w, 23, 20);
        wait_rtt(&w);
        lose_first(&w, 9);
        assert_int_equal(wire_info(&w).ssthresh_bytes, 9625);
        wait_rtt(&w);
        tell(&w, 3000, "9000:20000");
        assert_int_equal(wire_info(&w).in_flight_bytes, 20 * SEG);
        wait_rtt(&w);
        tell(&w, 20000, "21000:23000");
        assert_int_equal(counted(&w, HF_RECOVERY_BEGINS), 2);
        assert_int_equal(wire_info(&w).in_flight_bytes, 3 * SEG);
        assert_int_equal(wire_info(&w).ssthresh_bytes, cubic ? 6737 : 2 * SEG);
        wire_close(&w);
    }
}

#define SLOW_START_TEST(f) cmocka_unit_test_setup(f, reset_config)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SLOW_START_TEST(what_arrived_is_the_measure),
        SLOW_START_TEST(it_is_measured_until_all_is_known),
        SLOW_START_TEST(what_a_timer_finds_counts),
        SLOW_START_TEST(later_losses_are_none),
        SLOW_START_TEST(a_window_that_is_not_used_is_none),
        SLOW_START_TEST(no_algorithm_no_measure),
        SLOW_START_TEST(small_flights_leave_two_segments),
        SLOW_START_TEST(what_may_be_late_is_no_measure),
        SLOW_START_TEST(a_measure_is_undone_with_its_recovery),
        SLOW_START_TEST(a_timeout_ends_the_measure),
        SLOW_START_TEST(the_trace_tells_what_was_measured),
        SLOW_START_TEST(a_second_loss_reduces_from_the_aim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
