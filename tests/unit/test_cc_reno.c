/**
 * Reno's windows, event by event, and the algorithm that has none.
 */
#include "core/cc.h"
#include "core/siphash.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { MSS = 1000 };

static const struct hf_cc_algorithm *const reno = &hf_cc_reno;

/** A connection with data in flight. */
struct flow {
    struct hf_cc cc;
    struct hf_cc_run run;
};

static struct flow opened(uint32_t initial_window_bytes)
{
    struct flow f = {0};
    struct hf_cc_event e = {.mss_bytes = MSS, .initial_window_bytes = initial_window_bytes};
    reno->on_open(&f.cc, &e);
    return f;
}

static void ack(struct flow *f, uint32_t acked_bytes)
{
    struct hf_cc_event e = {.mss_bytes = MSS, .acked_bytes = acked_bytes, .slow_start_segs = 2};
    reno->on_ack(&f->cc, &f->run, &e);
}

static void lose(struct flow *f, uint32_t flight_bytes)
{
    struct hf_cc_event e = {.mss_bytes = MSS, .flight_bytes = flight_bytes};
    reno->on_loss(&f->cc, &f->run, &e);
}

/** What the recovery does at its end. */
static void recover(struct flow *f)
{
    struct hf_cc_event e = {.mss_bytes = MSS};
    f->cc.cwnd_bytes = f->cc.ssthresh_bytes;
    reno->on_recovered(&f->cc, &f->run, &e);
}

static void undo(struct flow *f)
{
    struct hf_cc_event e = {.mss_bytes = MSS};
    reno->on_undo(&f->cc, &f->run, &e);
}

static void rto(struct flow *f, uint32_t flight_bytes, bool again)
{
    struct hf_cc_event e = {.mss_bytes = MSS, .flight_bytes = flight_bytes, .again = again};
    reno->on_rto(&f->cc, &f->run, &e);
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
    struct flow f = opened(10 * MSS);
    assert_int_equal(f.cc.cwnd_bytes, 10 * MSS);
    assert_int_equal(f.cc.ssthresh_bytes, HF_CWND_MAX_BYTES);
    ack(&f, MSS);
    assert_int_equal(f.cc.cwnd_bytes, 11 * MSS);
    ack(&f, 2 * MSS); /* a delayed ACK [RFC3465#2.2] */
    assert_int_equal(f.cc.cwnd_bytes, 13 * MSS);
    ack(&f, 20 * MSS); /* L = 2 */
    assert_int_equal(f.cc.cwnd_bytes, 15 * MSS);
    for (int i = 0; i < MSS; i++) /* an ACK for each byte buys no more than one for all */
        ack(&f, 1);
    assert_int_equal(f.cc.cwnd_bytes, 16 * MSS);
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
        struct flow f = opened(10 * MSS);
        struct hf_cc_event e = {
            .mss_bytes = MSS, .acked_bytes = 20 * MSS, .slow_start_segs = rows[i].segs};
        reno->on_ack(&f.cc, &f.run, &e);
        assert_int_equal(f.cc.cwnd_bytes, rows[i].after_ack);
        rto(&f, 30 * MSS, false);
        e.acked_bytes = 4 * MSS;
        reno->on_ack(&f.cc, &f.run, &e);
        assert_int_equal(f.cc.cwnd_bytes, rows[i].after_rto);
    }
}

/* [RFC5681#3.1] In congestion avoidance one segment a window, however the ACKs are cut.
 * covers: CO-5681-05 */
static void avoidance_adds_one_segment_a_window(void **state)
{
    (void)state;
    static const uint32_t pieces[] = {1, 7, MSS / 2, MSS, 2 * MSS, 10 * MSS};
    for (size_t i = 0; i < HF_COUNT_OF(pieces); i++) {
        struct flow f = opened(10 * MSS);
        f.cc.ssthresh_bytes = 10 * MSS;
        for (uint32_t acked = pieces[i]; acked < 10 * MSS; acked += pieces[i]) {
            ack(&f, pieces[i]);
            assert_int_equal(f.cc.cwnd_bytes, 10 * MSS);
        }
        ack(&f, pieces[i]);
        assert_int_equal(f.cc.cwnd_bytes, 11 * MSS);
    }
    struct flow f = opened(10 * MSS);
    f.cc.ssthresh_bytes = 10 * MSS;
    ack(&f, 10 * MSS - 1);
    ack(&f, 2 * MSS); /* what is above one window counts for the next */
    assert_int_equal(f.cc.cwnd_bytes, 11 * MSS);
    ack(&f, 9 * MSS);
    assert_int_equal(f.cc.cwnd_bytes, 11 * MSS);
    ack(&f, 1);
    assert_int_equal(f.cc.cwnd_bytes, 12 * MSS);

    f = opened(10 * MSS);
    f.cc.ssthresh_bytes = 10 * MSS;
    ack(&f, 1000 * MSS); /* one ACK, one segment; what is left does not pile up */
    assert_int_equal(f.cc.cwnd_bytes, 11 * MSS);
    ack(&f, 1);
    ack(&f, 1);
    assert_true(f.cc.cwnd_bytes <= 12 * MSS);
}

/* [RFC5681#3.1] (4): FlightSize counts, not cwnd; never below two segments. The window itself is
 * moved by the recovery. covers: CO-5681-06 */
static void ssthresh_is_half_the_flight(void **state)
{
    (void)state;
    struct flow f = opened(100 * MSS);
    lose(&f, 8 * MSS);
    assert_int_equal(f.cc.ssthresh_bytes, 4 * MSS);
    assert_int_equal(f.cc.cwnd_bytes, 100 * MSS);
    recover(&f);
    assert_int_equal(f.cc.ssthresh_bytes, 4 * MSS);
    assert_int_equal(f.cc.cwnd_bytes, 4 * MSS);
    lose(&f, MSS);
    assert_int_equal(f.cc.ssthresh_bytes, 2 * MSS);
    lose(&f, UINT32_MAX);
    assert_int_equal(f.cc.ssthresh_bytes, HF_CWND_MAX_BYTES);
}

/* DEVIATION D-42: seven eighths of what the path carries, and CUBIC's plateau at it; no more than
 * the reduction left, and two segments at least. */
static void ssthresh_is_what_the_path_carries(void **state)
{
    (void)state;
    static const struct {
        uint32_t carries_bytes, ssthresh_bytes, w_max_bytes;
    } rows[] = {{80 * MSS, 70 * MSS, 200 * MSS},
                {80 * MSS - 8, 70 * MSS - 7, 80 * MSS - 8},
                {16 * MSS, 14 * MSS, 16 * MSS},
                {MSS, 2 * MSS, MSS}};
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++) {
        struct hf_cc cc = {200 * MSS, 70 * MSS, 200 * MSS, false, true};
        struct hf_cc_event e = {.mss_bytes = MSS};
        struct hf_cc_run run = {.cubic.prior_bytes = 200 * MSS};
        hf_cc_path_carries(&cc, i % 2 == 0 ? &run : NULL, &e, rows[i].carries_bytes);
        assert_int_equal(cc.ssthresh_bytes, rows[i].ssthresh_bytes);
        assert_int_equal(run.cubic.prior_bytes, i % 2 == 0 ? rows[i].w_max_bytes : 200 * MSS);
        assert_int_equal(cc.w_max_bytes, rows[i].w_max_bytes);
        assert_int_equal(cc.cwnd_bytes, 200 * MSS);
    }
}

/* What was acknowledged before a loss counts for nothing after it. */
static void loss_forgets_what_was_acknowledged(void **state)
{
    (void)state;
    struct flow f = opened(20 * MSS);
    f.cc.ssthresh_bytes = 20 * MSS;
    ack(&f, 19 * MSS);
    lose(&f, 20 * MSS);
    recover(&f);
    ack(&f, 9 * MSS);
    assert_int_equal(f.cc.cwnd_bytes, 10 * MSS);
    ack(&f, MSS);
    assert_int_equal(f.cc.cwnd_bytes, 11 * MSS);
}

static void assert_same(const struct flow *a, const struct flow *b)
{
    assert_int_equal(a->cc.cwnd_bytes, b->cc.cwnd_bytes);
    assert_int_equal(a->cc.ssthresh_bytes, b->cc.ssthresh_bytes);
    assert_int_equal(a->cc.after_rto, b->cc.after_rto);
    assert_int_equal(a->run.acked, b->run.acked);
}

/* What proves to be a mistake leaves no trace, once. */
static void undo_restores(void **state)
{
    (void)state;
    struct flow f = opened(20 * MSS);
    struct flow start = f;
    undo(&f); /* nothing is kept */
    assert_same(&f, &start);
    lose(&f, 20 * MSS);
    undo(&f); /* before the recovery has moved the window */
    assert_same(&f, &start);
    f.cc.ssthresh_bytes = 20 * MSS;
    ack(&f, 7 * MSS);
    start = f;
    lose(&f, 20 * MSS);
    recover(&f);
    ack(&f, 3 * MSS);
    undo(&f);
    assert_same(&f, &start);
    rto(&f, 20 * MSS, false);
    rto(&f, MSS, true); /* before the first of both */
    ack(&f, MSS);
    undo(&f);
    assert_same(&f, &start);

    lose(&f, 20 * MSS);
    f.cc.cwnd_bytes = 15 * MSS;
    rto(&f, 15 * MSS, false); /* within the recovery: before that */
    undo(&f);
    assert_same(&f, &start);
    f.cc.cwnd_bytes = 5 * MSS; /* for whatever other reason */
    undo(&f);
    assert_int_equal(f.cc.cwnd_bytes, 5 * MSS);
    f.cc.cwnd_bytes = 20 * MSS;

    lose(&f, 20 * MSS);
    recover(&f);
    lose(&f, 10 * MSS); /* another: the first is decided */
    recover(&f);
    undo(&f);
    assert_int_equal(f.cc.cwnd_bytes, 10 * MSS);
    assert_int_equal(f.cc.ssthresh_bytes, 10 * MSS);
    rto(&f, 10 * MSS, false);
    rto(&f, 10 * MSS, false); /* for another segment, with nothing in recovery */
    undo(&f);
    assert_int_equal(f.cc.cwnd_bytes, MSS);
    assert_int_equal(f.cc.ssthresh_bytes, 5 * MSS);
    assert_true(f.cc.after_rto);
}

/* A window that has become larger since stays, as does one of segments of another size. */
static void undo_takes_nothing_away(void **state)
{
    (void)state;
    struct flow f = opened(4 * MSS);
    lose(&f, 40 * MSS);
    recover(&f);
    undo(&f);
    assert_int_equal(f.cc.cwnd_bytes, 20 * MSS);
    assert_int_equal(f.cc.ssthresh_bytes, 20 * MSS);

    f = opened(10 * MSS);
    lose(&f, 10 * MSS);
    recover(&f);
    struct hf_cc_event smaller = {.mss_bytes = MSS / 2};
    reno->on_smaller_mss(&f.cc, &smaller, MSS);
    reno->on_undo(&f.cc, &f.run, &smaller);
    assert_int_equal(f.cc.cwnd_bytes, 5 * MSS / 2);
}

/* Without a record of the flight the window is reduced all the same, and grows in slow start. */
static void goes_without_a_run(void **state)
{
    (void)state;
    struct flow f = opened(10 * MSS);
    struct hf_cc_event e = {
        .mss_bytes = MSS, .flight_bytes = 10 * MSS, .acked_bytes = 100 * MSS, .slow_start_segs = 2};
    reno->on_loss(&f.cc, NULL, &e);
    reno->on_recovered(&f.cc, NULL, &e);
    reno->on_undo(&f.cc, NULL, &e);
    assert_int_equal(f.cc.ssthresh_bytes, 5 * MSS);
    reno->on_rto(&f.cc, NULL, &e);
    assert_int_equal(f.cc.cwnd_bytes, MSS);
    reno->on_ack(&f.cc, NULL, &e);
    assert_int_equal(f.cc.cwnd_bytes, 2 * MSS);
    for (int i = 0; i < 10; i++)
        reno->on_ack(&f.cc, NULL, &e);
    assert_int_equal(f.cc.cwnd_bytes, 5 * MSS);
}

/* An ACK for more than is missing takes the window to ssthresh, not past it. */
static void slow_start_ends_at_ssthresh(void **state)
{
    (void)state;
    struct flow f = opened(10 * MSS);
    f.cc.ssthresh_bytes = 11 * MSS + MSS / 2;
    ack(&f, 2 * MSS);
    assert_int_equal(f.cc.cwnd_bytes, 11 * MSS + MSS / 2);
}

/* covers: CO-5681-06, CO-7661-05 */
static void timeout(void **state)
{
    (void)state;
    struct flow f = opened(16 * MSS);
    rto(&f, 16 * MSS, false);
    assert_int_equal(f.cc.cwnd_bytes, MSS);
    assert_int_equal(f.cc.ssthresh_bytes, 8 * MSS);
    rto(&f, MSS, true); /* the same segment again: ssthresh is held */
    assert_int_equal(f.cc.cwnd_bytes, MSS);
    assert_int_equal(f.cc.ssthresh_bytes, 8 * MSS);
    ack(&f, 6 * MSS); /* [RFC3465#2.3] L = 1 after a timeout */
    assert_int_equal(f.cc.cwnd_bytes, 2 * MSS);
    for (int i = 0; i < 6; i++)
        ack(&f, 2 * MSS);
    assert_int_equal(f.cc.cwnd_bytes, 8 * MSS); /* = ssthresh: slow start is over */
    ack(&f, 2 * MSS);
    assert_int_equal(f.cc.cwnd_bytes, 8 * MSS);
    rto(&f, 8 * MSS, false); /* another loss halves again */
    assert_int_equal(f.cc.ssthresh_bytes, 4 * MSS);
    f.cc.ssthresh_bytes = HF_CWND_MAX_BYTES;
    ack(&f, 2 * MSS);
    assert_int_equal(f.cc.cwnd_bytes, 2 * MSS);
}

/* The limit after a timeout ends with the slow start it belongs to. */
static void limit_after_timeout_ends(void **state)
{
    (void)state;
    struct flow f = opened(4 * MSS);
    rto(&f, 4 * MSS, false);
    assert_true(f.cc.after_rto);
    ack(&f, MSS);
    assert_int_equal(f.cc.cwnd_bytes, f.cc.ssthresh_bytes);
    assert_false(f.cc.after_rto);
    rto(&f, 40 * MSS, false);
    ack(&f, MSS);
    lose(&f, 40 * MSS); /* a recovery may end below ssthresh */
    ack(&f, 2 * MSS);
    assert_int_equal(f.cc.cwnd_bytes, 4 * MSS);
}

/* [RFC5681#4.1]
 * covers: CO-5681-11, CO-6928-03 */
static void idle_restarts_from_the_initial_window(void **state)
{
    (void)state;
    struct hf_cc_event e = {.mss_bytes = MSS, .initial_window_bytes = 10 * MSS};
    struct flow f = opened(10 * MSS);
    f.cc.cwnd_bytes = 50 * MSS;
    f.cc.ssthresh_bytes = 40 * MSS;
    reno->on_idle(&f.cc, &e);
    assert_int_equal(f.cc.cwnd_bytes, 10 * MSS);
    assert_int_equal(f.cc.ssthresh_bytes, 40 * MSS);
    f.cc.cwnd_bytes = 3 * MSS;
    reno->on_idle(&f.cc, &e);
    assert_int_equal(f.cc.cwnd_bytes, 3 * MSS);

    f = opened(10 * MSS);
    f.cc.ssthresh_bytes = 10 * MSS;
    ack(&f, 9 * MSS); /* almost a segment more: forgotten with what ended when nothing was left */
    f.run = (struct hf_cc_run){0};
    reno->on_idle(&f.cc, &e);
    ack(&f, 9 * MSS);
    assert_int_equal(f.cc.cwnd_bytes, 10 * MSS);
    ack(&f, MSS);
    assert_int_equal(f.cc.cwnd_bytes, 11 * MSS);
}

/* covers: CO-5681-03 */
static void smaller_segments_keep_their_number(void **state)
{
    (void)state;
    struct flow f = opened(14600);
    struct hf_cc_event e = {.mss_bytes = 1240};
    reno->on_smaller_mss(&f.cc, &e, 1460);
    assert_int_equal(f.cc.cwnd_bytes, 10 * 1240);
    reno->on_smaller_mss(&f.cc, &e, 1000); /* not smaller: nothing changes */
    assert_int_equal(f.cc.cwnd_bytes, 10 * 1240);
}

/* Any sequence of events leaves the window between one segment and the largest. */
static void window_stays_in_bounds(void **state)
{
    (void)state;
    struct hf_random random;
    const uint8_t seed[HF_RANDOM_SEED_BYTES] = {5, 6, 8, 1};
    hf_random_init(&random, seed);
    struct flow f = opened(10 * MSS);
    for (int i = 0; i < 200000; i++) {
        uint64_t x = hf_random_next(&random);
        struct hf_cc_event e = {
            .mss_bytes = MSS,
            .flight_bytes = (uint32_t)(x >> 32 >> x % 32),
            .acked_bytes = (uint32_t)x >> (x >> 40) % 32,
            .initial_window_bytes = 10 * MSS,
            .again = (x >> 51 & 1) != 0,
        };
        void (*const events[])(struct hf_cc *, struct hf_cc_run *, const struct hf_cc_event *) = {
            reno->on_ack,  reno->on_ack,       reno->on_ack, reno->on_ack,
            reno->on_loss, reno->on_recovered, reno->on_rto, reno->on_undo,
        };
        if ((x >> 52) % 9 == 8)
            reno->on_idle(&f.cc, &e);
        else
            events[(x >> 52) % 9](&f.cc, &f.run, &e);
        if (f.cc.cwnd_bytes < MSS || f.cc.cwnd_bytes > HF_CWND_MAX_BYTES ||
            f.cc.ssthresh_bytes < 2 * MSS || f.cc.ssthresh_bytes > HF_CWND_MAX_BYTES)
            fail_msg("step %d: cwnd %u ssthresh %u", i, f.cc.cwnd_bytes, f.cc.ssthresh_bytes);
    }
    f = opened(10 * MSS);
    for (int i = 0; i < 1000000; i++)
        ack(&f, 2 * MSS);
    assert_int_equal(f.cc.cwnd_bytes, HF_CWND_MAX_BYTES);
}

static void none_never_limits(void **state)
{
    (void)state;
    const struct hf_cc_algorithm *none = &hf_cc_none;
    struct hf_cc cc;
    struct hf_cc_event e = {
        .mss_bytes = MSS, .flight_bytes = MSS, .acked_bytes = MSS, .initial_window_bytes = MSS};
    none->on_open(&cc, &e);
    assert_int_equal(cc.cwnd_bytes, HF_CWND_MAX_BYTES);
    struct hf_cc before = cc;
    struct hf_cc_run run = {0}, run_before = {0};
    none->on_ack(&cc, &run, &e);
    none->on_unused(&run, 1);
    none->on_loss(&cc, &run, &e);
    none->on_recovered(&cc, &run, &e);
    none->on_rto(&cc, &run, &e);
    none->on_undo(&cc, &run, &e);
    none->on_idle(&cc, &e);
    none->on_smaller_mss(&cc, &e, 2 * MSS);
    assert_memory_equal(&cc, &before, sizeof cc);
    assert_memory_equal(&run, &run_before, sizeof run);
    assert_string_equal(none->name, "none");
    assert_string_equal(reno->name, "reno");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(initial_windows),
        cmocka_unit_test(slow_start_by_bytes),
        cmocka_unit_test(slow_start_is_as_steep_as_set),
        cmocka_unit_test(avoidance_adds_one_segment_a_window),
        cmocka_unit_test(slow_start_ends_at_ssthresh),
        cmocka_unit_test(ssthresh_is_half_the_flight),
        cmocka_unit_test(ssthresh_is_what_the_path_carries),
        cmocka_unit_test(loss_forgets_what_was_acknowledged),
        cmocka_unit_test(undo_restores),
        cmocka_unit_test(undo_takes_nothing_away),
        cmocka_unit_test(goes_without_a_run),
        cmocka_unit_test(timeout),
        cmocka_unit_test(limit_after_timeout_ends),
        cmocka_unit_test(idle_restarts_from_the_initial_window),
        cmocka_unit_test(smaller_segments_keep_their_number),
        cmocka_unit_test(window_stays_in_bounds),
        cmocka_unit_test(none_never_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
