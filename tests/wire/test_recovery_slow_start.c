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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
