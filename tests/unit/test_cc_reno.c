/**
 * Reno and NewReno windows, event by event, and the algorithm that has none.
 */
#include "core/cc.h"
#include "core/siphash.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { MSS = 1000 };

static const struct hf_cc_algorithm *const reno = &hf_cc_reno;

static struct hf_cc opened(uint32_t initial_window_bytes)
{
    struct hf_cc cc;
    struct hf_cc_event e = {.mss_bytes = MSS, .initial_window_bytes = initial_window_bytes};
    reno->on_open(&cc, &e);
    return cc;
}

static void ack(struct hf_cc *cc, uint32_t acked_bytes)
{
    struct hf_cc_event e = {
        .mss_bytes = MSS, .acked_bytes = acked_bytes, .slow_start_segs = 2, .cwnd_limited = true};
    reno->on_ack(cc, &e);
}

static void rto(struct hf_cc *cc, uint32_t flight_bytes, bool again)
{
    struct hf_cc_event e = {.mss_bytes = MSS, .flight_bytes = flight_bytes, .again = again};
    reno->on_rto(cc, &e);
}

/* covers: CO-5681-02, CO-6928-01 */
static void initial_windows(void **state)
{
    (void)state;
    /* [RFC6928#2] min(10 * MSS, max(2 * MSS, 14600)) */
    assert_int_equal(hf_cc_initial_window(1460, 10, false), 14600);
    assert_int_equal(hf_cc_initial_window(536, 10, false), 5360);
    assert_int_equal(hf_cc_initial_window(4000, 10, false), 14600);
    assert_int_equal(hf_cc_initial_window(8960, 10, false), 17920);
    /* [RFC5681#3.1] at most 4 segments to 1095, 3 to 2190, 2 above */
    assert_int_equal(hf_cc_initial_window(536, 4, false), 4 * 536);
    assert_int_equal(hf_cc_initial_window(1095, 4, false), 4 * 1095);
    assert_int_equal(hf_cc_initial_window(1460, 4, false), 3 * 1460);
    assert_int_equal(hf_cc_initial_window(8960, 4, false), 2 * 8960);
    assert_int_equal(hf_cc_initial_window(1096, 4, false), 3 * 1096);
    assert_int_equal(hf_cc_initial_window(2190, 4, false), 3 * 2190);
    assert_int_equal(hf_cc_initial_window(2191, 4, false), 2 * 2191);
    assert_int_equal(hf_cc_initial_window(8960, 1, false), 8960);
    assert_int_equal(hf_cc_initial_window(1460, 1, false), 1460);
    /* [RFC5681#3.1] one segment after a lost SYN */
    assert_int_equal(hf_cc_initial_window(1460, 10, true), 1460);
}

/* covers: CO-5681-04 */
static void slow_start_by_bytes(void **state)
{
    (void)state;
    struct hf_cc cc = opened(10 * MSS);
    assert_int_equal(cc.cwnd_bytes, 10 * MSS);
    assert_int_equal(cc.ssthresh_bytes, HF_CWND_MAX_BYTES);
    ack(&cc, MSS);
    assert_int_equal(cc.cwnd_bytes, 11 * MSS);
    ack(&cc, 2 * MSS); /* a delayed ACK [RFC3465#2.2] */
    assert_int_equal(cc.cwnd_bytes, 13 * MSS);
    ack(&cc, 20 * MSS); /* L = 2 */
    assert_int_equal(cc.cwnd_bytes, 15 * MSS);
    for (int i = 0; i < MSS; i++) /* an ACK for each byte buys no more than one for all */
        ack(&cc, 1);
    assert_int_equal(cc.cwnd_bytes, 16 * MSS);
}

/* L of [RFC3465#2.2] is a setting: 1 is the rule of [RFC5681#3.1], 0 counts all that is
 * acknowledged. covers: CO-5681-04 */
static void slow_start_is_as_steep_as_set(void **state)
{
    (void)state;
    static const struct {
        uint32_t segs, after_ack, after_rto;
    } rows[] = {{1, 11 * MSS, 2 * MSS}, {4, 14 * MSS, 2 * MSS}, {0, 30 * MSS, 5 * MSS}};
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++) {
        struct hf_cc cc = opened(10 * MSS);
        struct hf_cc_event e = {.mss_bytes = MSS,
                                .acked_bytes = 20 * MSS,
                                .slow_start_segs = rows[i].segs,
                                .cwnd_limited = true};
        reno->on_ack(&cc, &e);
        assert_int_equal(cc.cwnd_bytes, rows[i].after_ack);
        rto(&cc, 30 * MSS, false);
        e.acked_bytes = 4 * MSS;
        reno->on_ack(&cc, &e);
        assert_int_equal(cc.cwnd_bytes, rows[i].after_rto);
    }
}

static void does_not_grow_unused(void **state)
{
    (void)state;
    struct hf_cc cc = opened(10 * MSS);
    struct hf_cc_event e = {.mss_bytes = MSS, .acked_bytes = MSS, .cwnd_limited = false};
    for (int i = 0; i < 100; i++)
        reno->on_ack(&cc, &e);
    assert_int_equal(cc.cwnd_bytes, 10 * MSS);
    cc.ssthresh_bytes = 5 * MSS;
    for (int i = 0; i < 100; i++)
        reno->on_ack(&cc, &e);
    assert_int_equal(cc.cwnd_bytes, 10 * MSS);
}

/* [RFC5681#3.1] In congestion avoidance one segment a window, however the ACKs are cut.
 * covers: CO-5681-05 */
static void avoidance_adds_one_segment_a_window(void **state)
{
    (void)state;
    static const uint32_t pieces[] = {1, 7, MSS / 2, MSS, 2 * MSS, 10 * MSS};
    for (size_t i = 0; i < HF_COUNT_OF(pieces); i++) {
        struct hf_cc cc = opened(10 * MSS);
        cc.ssthresh_bytes = 10 * MSS;
        for (uint32_t acked = pieces[i]; acked < 10 * MSS; acked += pieces[i]) {
            ack(&cc, pieces[i]);
            assert_int_equal(cc.cwnd_bytes, 10 * MSS);
        }
        ack(&cc, pieces[i]);
        assert_int_equal(cc.cwnd_bytes, 11 * MSS);
    }
    struct hf_cc cc = opened(10 * MSS);
    cc.ssthresh_bytes = 10 * MSS;
    ack(&cc, 10 * MSS - 1);
    ack(&cc, 2 * MSS); /* what is above one window counts for the next */
    assert_int_equal(cc.cwnd_bytes, 11 * MSS);
    ack(&cc, 9 * MSS);
    assert_int_equal(cc.cwnd_bytes, 11 * MSS);
    ack(&cc, 1);
    assert_int_equal(cc.cwnd_bytes, 12 * MSS);

    cc = opened(10 * MSS);
    cc.ssthresh_bytes = 10 * MSS;
    ack(&cc, 1000 * MSS); /* one ACK, one segment; what is left does not pile up */
    assert_int_equal(cc.cwnd_bytes, 11 * MSS);
    ack(&cc, 1);
    ack(&cc, 1);
    assert_true(cc.cwnd_bytes <= 12 * MSS);
}

/* A whole NewReno recovery: [RFC5681#3.2] [RFC6582#3.2].
 * covers: CO-5681-09, CO-5681-10, CO-6582-02, CO-6582-04 */
static void recovery(void **state)
{
    (void)state;
    struct hf_cc cc = opened(20 * MSS);
    struct hf_cc_event e = {.mss_bytes = MSS, .flight_bytes = 20 * MSS};
    reno->on_enter_recovery(&cc, &e);
    assert_int_equal(cc.ssthresh_bytes, 10 * MSS);
    assert_int_equal(cc.cwnd_bytes, 13 * MSS);
    for (int i = 0; i < 16; i++)
        reno->on_duplicate_ack(&cc, &e);
    assert_int_equal(cc.cwnd_bytes, 29 * MSS);
    e.acked_bytes = 5 * MSS;
    reno->on_partial_ack(&cc, &e); /* - 5, + 1 for the segment sent again */
    assert_int_equal(cc.cwnd_bytes, 25 * MSS);
    e.acked_bytes = MSS / 2;
    reno->on_partial_ack(&cc, &e); /* less than a segment: nothing added back */
    assert_int_equal(cc.cwnd_bytes, 25 * MSS - MSS / 2);
    e.acked_bytes = 100 * MSS;
    reno->on_partial_ack(&cc, &e);
    assert_int_equal(cc.cwnd_bytes, MSS); /* not below one */
    assert_int_equal(cc.ssthresh_bytes, 10 * MSS);

    struct hf_cc busy = cc, empty = cc;
    e.flight_bytes = 30 * MSS;
    reno->on_exit_recovery(&busy, &e);
    assert_int_equal(busy.cwnd_bytes, 10 * MSS); /* ssthresh */
    e.flight_bytes = 0;
    reno->on_exit_recovery(&empty, &e);
    assert_int_equal(empty.cwnd_bytes, 2 * MSS); /* max(FlightSize, SMSS) + SMSS */
}

/* [RFC5681#3.1] (4): FlightSize counts, not cwnd; never below two segments.
 * covers: CO-5681-06 */
static void ssthresh_is_half_the_flight(void **state)
{
    (void)state;
    struct hf_cc cc = opened(100 * MSS);
    struct hf_cc_event e = {.mss_bytes = MSS, .flight_bytes = 8 * MSS};
    reno->on_enter_recovery(&cc, &e);
    assert_int_equal(cc.ssthresh_bytes, 4 * MSS);
    e.flight_bytes = MSS;
    reno->on_enter_recovery(&cc, &e);
    assert_int_equal(cc.ssthresh_bytes, 2 * MSS);
    assert_int_equal(cc.cwnd_bytes, 5 * MSS);
}

/* covers: CO-5681-06 */
static void timeout(void **state)
{
    (void)state;
    struct hf_cc cc = opened(16 * MSS);
    rto(&cc, 16 * MSS, false);
    assert_int_equal(cc.cwnd_bytes, MSS);
    assert_int_equal(cc.ssthresh_bytes, 8 * MSS);
    rto(&cc, MSS, true); /* the same segment again: ssthresh is held */
    assert_int_equal(cc.cwnd_bytes, MSS);
    assert_int_equal(cc.ssthresh_bytes, 8 * MSS);
    ack(&cc, 6 * MSS); /* [RFC3465#2.3] L = 1 after a timeout */
    assert_int_equal(cc.cwnd_bytes, 2 * MSS);
    for (int i = 0; i < 6; i++)
        ack(&cc, 2 * MSS);
    assert_int_equal(cc.cwnd_bytes, 8 * MSS); /* = ssthresh: slow start is over */
    ack(&cc, 2 * MSS);
    assert_int_equal(cc.cwnd_bytes, 8 * MSS);
    rto(&cc, 8 * MSS, false); /* another loss halves again */
    assert_int_equal(cc.ssthresh_bytes, 4 * MSS);
    cc.ssthresh_bytes = HF_CWND_MAX_BYTES;
    ack(&cc, 2 * MSS);
    assert_int_equal(cc.cwnd_bytes, 2 * MSS);
}

/* The limit after a timeout ends with the slow start it belongs to. */
static void limit_after_timeout_ends(void **state)
{
    (void)state;
    struct hf_cc cc = opened(4 * MSS);
    rto(&cc, 4 * MSS, false);
    assert_true(cc.after_rto);
    ack(&cc, MSS);
    assert_int_equal(cc.cwnd_bytes, cc.ssthresh_bytes);
    assert_false(cc.after_rto);
}

/* [RFC5681#4.1]
 * covers: CO-5681-11, CO-6928-03 */
static void idle_restarts_from_the_initial_window(void **state)
{
    (void)state;
    struct hf_cc_event e = {.mss_bytes = MSS, .initial_window_bytes = 10 * MSS};
    struct hf_cc cc = opened(10 * MSS);
    cc.cwnd_bytes = 50 * MSS;
    cc.ssthresh_bytes = 40 * MSS;
    reno->on_idle(&cc, &e);
    assert_int_equal(cc.cwnd_bytes, 10 * MSS);
    assert_int_equal(cc.ssthresh_bytes, 40 * MSS);
    cc.cwnd_bytes = 3 * MSS;
    reno->on_idle(&cc, &e);
    assert_int_equal(cc.cwnd_bytes, 3 * MSS);

    cc = opened(10 * MSS);
    cc.ssthresh_bytes = 10 * MSS;
    ack(&cc, 9 * MSS); /* almost a segment more: forgotten with the rest of what the ACKs said */
    reno->on_idle(&cc, &e);
    ack(&cc, 9 * MSS);
    assert_int_equal(cc.cwnd_bytes, 10 * MSS);
    ack(&cc, MSS);
    assert_int_equal(cc.cwnd_bytes, 11 * MSS);
}

/* covers: CO-5681-03 */
static void smaller_segments_keep_their_number(void **state)
{
    (void)state;
    struct hf_cc cc = opened(14600);
    struct hf_cc_event e = {.mss_bytes = 1240};
    reno->on_smaller_mss(&cc, &e, 1460);
    assert_int_equal(cc.cwnd_bytes, 10 * 1240);
    reno->on_smaller_mss(&cc, &e, 1000); /* not smaller: nothing changes */
    assert_int_equal(cc.cwnd_bytes, 10 * 1240);
}

/* Any sequence of events leaves the window between one segment and the largest. */
static void window_stays_in_bounds(void **state)
{
    (void)state;
    struct hf_random random;
    const uint8_t seed[HF_RANDOM_SEED_BYTES] = {5, 6, 8, 1};
    hf_random_init(&random, seed);
    struct hf_cc cc = opened(10 * MSS);
    for (int i = 0; i < 200000; i++) {
        uint64_t x = hf_random_next(&random);
        struct hf_cc_event e = {
            .mss_bytes = MSS,
            .flight_bytes = (uint32_t)(x >> 32 >> x % 32),
            .acked_bytes = (uint32_t)x >> (x >> 40) % 32,
            .initial_window_bytes = 10 * MSS,
            .cwnd_limited = (x >> 50 & 1) != 0,
            .again = (x >> 51 & 1) != 0,
        };
        void (*const events[])(struct hf_cc *, const struct hf_cc_event *) = {
            reno->on_ack,
            reno->on_ack,
            reno->on_ack,
            reno->on_duplicate_ack,
            reno->on_enter_recovery,
            reno->on_partial_ack,
            reno->on_exit_recovery,
            reno->on_rto,
            reno->on_idle,
        };
        events[(x >> 52) % HF_COUNT_OF(events)](&cc, &e);
        if (cc.cwnd_bytes < MSS || cc.cwnd_bytes > HF_CWND_MAX_BYTES ||
            cc.ssthresh_bytes < 2 * MSS || cc.ssthresh_bytes > HF_CWND_MAX_BYTES)
            fail_msg("step %d: cwnd %u ssthresh %u", i, cc.cwnd_bytes, cc.ssthresh_bytes);
    }
    cc = opened(10 * MSS);
    for (int i = 0; i < 1000000; i++)
        ack(&cc, 2 * MSS);
    assert_int_equal(cc.cwnd_bytes, HF_CWND_MAX_BYTES);
}

static void none_never_limits(void **state)
{
    (void)state;
    const struct hf_cc_algorithm *none = &hf_cc_none;
    struct hf_cc cc;
    struct hf_cc_event e = {.mss_bytes = MSS,
                            .flight_bytes = MSS,
                            .acked_bytes = MSS,
                            .initial_window_bytes = MSS,
                            .cwnd_limited = true};
    none->on_open(&cc, &e);
    assert_int_equal(cc.cwnd_bytes, HF_CWND_MAX_BYTES);
    struct hf_cc before = cc;
    none->on_ack(&cc, &e);
    none->on_enter_recovery(&cc, &e);
    none->on_duplicate_ack(&cc, &e);
    none->on_partial_ack(&cc, &e);
    none->on_exit_recovery(&cc, &e);
    none->on_rto(&cc, &e);
    none->on_idle(&cc, &e);
    none->on_smaller_mss(&cc, &e, 2 * MSS);
    assert_memory_equal(&cc, &before, sizeof cc);
    assert_string_equal(none->name, "none");
    assert_string_equal(reno->name, "reno");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(initial_windows),
        cmocka_unit_test(slow_start_by_bytes),
        cmocka_unit_test(slow_start_is_as_steep_as_set),
        cmocka_unit_test(does_not_grow_unused),
        cmocka_unit_test(avoidance_adds_one_segment_a_window),
        cmocka_unit_test(recovery),
        cmocka_unit_test(ssthresh_is_half_the_flight),
        cmocka_unit_test(timeout),
        cmocka_unit_test(limit_after_timeout_ends),
        cmocka_unit_test(idle_restarts_from_the_initial_window),
        cmocka_unit_test(smaller_segments_keep_their_number),
        cmocka_unit_test(window_stays_in_bounds),
        cmocka_unit_test(none_never_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
