/**
 * CUBIC event by event, and what holds for any events.
 */
#include "cubic_flow.h"

#include "core/siphash.h"

/* [RFC9438#4.6] 0.7 of what was in flight, two segments at least; the window is the recovery's.
 * covers: CO-9438-01, CO-9438-07, CO-9438-12 */
static void loss_takes_three_tenths_of_the_flight(void **state)
{
    (void)state;
    struct flow f = opened(MSS, 100 * MSS);
    lose(&f, 90 * MSS);
    assert_int_equal(f.cc.ssthresh_bytes, 63 * MSS);
    assert_int_equal(f.cc.cwnd_bytes, 100 * MSS);
    assert_int_equal(f.cc.w_max_bytes, 100 * MSS);
    f = opened(MSS, 100 * MSS);
    lose(&f, 2 * MSS);
    assert_int_equal(f.cc.ssthresh_bytes, 2 * MSS);
    f = opened(MSS, 100 * MSS);
    lose(&f, UINT32_MAX);
    assert_int_equal(f.cc.ssthresh_bytes, HF_CWND_MAX_BYTES);
}

/* [RFC9438#4.7] covers: CO-9438-08 */
static void plateau_is_lower_after_an_early_loss(void **state)
{
    (void)state;
    struct flow f = opened(MSS, 100 * MSS);
    lose(&f, 100 * MSS);
    recover(&f);
    assert_int_equal(f.cc.w_max_bytes, 100 * MSS);
    lose(&f, 70 * MSS); /* before 100 were reached again */
    recover(&f);
    assert_int_equal(f.cc.w_max_bytes, 59500);
    assert_int_equal(f.cc.cwnd_bytes, 49 * MSS);
    f.cc.cwnd_bytes = 59500; /* reached: what was lost there is the plateau itself */
    lose(&f, 59500);
    assert_int_equal(f.cc.w_max_bytes, 59500);
}

/* [RFC9438#4.8] After a timeout: one segment, ssthresh by beta, slow start; where that ends is the
 * plateau of the next stage, and where what Reno would have begins.
 * covers: CO-9438-09, CO-5681-06 */
static void timeout(void **state)
{
    (void)state;
    struct flow f = opened(MSS, 100 * MSS);
    rto(&f, 100 * MSS, false);
    assert_int_equal(f.cc.cwnd_bytes, MSS);
    assert_int_equal(f.cc.ssthresh_bytes, 70 * MSS);
    rto(&f, MSS, true); /* the same segment again: ssthresh is held */
    assert_int_equal(f.cc.cwnd_bytes, MSS);
    assert_int_equal(f.cc.ssthresh_bytes, 70 * MSS);
    ack(&f, 6 * MSS); /* [RFC3465#2.3] */
    assert_int_equal(f.cc.cwnd_bytes, 2 * MSS);
    while (f.cc.cwnd_bytes < 70 * MSS)
        ack(&f, MSS);
    assert_int_equal(f.cc.cwnd_bytes, 70 * MSS);
    f.e.srtt_ns = HF_MS(900);
    ack(&f, 0);
    struct model m = model_begin(&f, 70 * MSS, 100 * MSS);
    assert_true(m.k == 0);
    for (int i = 0; i < 20; i++) {
        f.e.now_ns += HF_MS(900);
        model_ack(&m, &f, f.cc.cwnd_bytes / (double)MSS);
        ack(&f, f.cc.cwnd_bytes);
        assert_near(f.cc.cwnd_bytes, m.cwnd * MSS, 0.002, 2);
    }
    assert_true(f.cc.cwnd_bytes > 1000 * MSS);
}

/* [RFC9438#4.10] Slow start that HyStart++ ends: ssthresh and the plateau are here.
 * covers: CO-9438-11, CO-9406-02, CO-9406-04, CO-9406-05, CO-9406-06, CO-9406-07 */
static void rising_round_trips_end_slow_start(void **state)
{
    (void)state;
    struct flow f = opened(MSS, 20 * MSS);
    f.e.rtt_ns = HF_MS(40);
    f.e.snd_nxt = hf_seq_make(20 * MSS);
    for (int i = 0; i < 20; i++) {
        f.e.snd_una.v += MSS;
        ack(&f, MSS);
        f.e.snd_nxt.v += 2 * MSS;
    }
    assert_int_equal(f.cc.cwnd_bytes, 40 * MSS);
    f.e.rtt_ns = HF_MS(50);
    uint32_t segs = 0;
    while (f.cc.ssthresh_bytes == HF_CWND_MAX_BYTES) {
        struct flow lost = f;
        uint32_t before_bytes = f.cc.cwnd_bytes;
        f.e.snd_una.v += MSS;
        ack(&f, MSS);
        segs++;
        f.e.snd_nxt = hf_seq_add(f.e.snd_una, f.cc.cwnd_bytes);
        if (f.cc.ssthresh_bytes == HF_CWND_MAX_BYTES)
            assert_int_equal(f.cc.cwnd_bytes - before_bytes, segs < 5 ? MSS : 0);
        else
            assert_int_equal(f.cc.cwnd_bytes, before_bytes);
        /* A loss in any phase ends it at once. */
        lose(&lost, before_bytes);
        recover(&lost);
        assert_true(lost.cc.cwnd_bytes >= lost.cc.ssthresh_bytes);
        assert_true(lost.cc.slow_start_over);
        assert_true(segs < 1000);
    }
    assert_int_equal(f.cc.ssthresh_bytes, f.cc.cwnd_bytes);
    /* DEVIATION D-40: the window waits from the fifth segment on. */
    assert_int_equal(f.cc.cwnd_bytes, 44 * MSS);
    f.e.srtt_ns = HF_MS(900);
    ack(&f, 0);
    struct model m = model_begin(&f, f.cc.cwnd_bytes, f.cc.cwnd_bytes);
    for (int i = 0; i < 20; i++) {
        f.e.now_ns += HF_MS(900);
        model_ack(&m, &f, f.cc.cwnd_bytes / (double)MSS);
        ack(&f, f.cc.cwnd_bytes);
        assert_near(f.cc.cwnd_bytes, m.cwnd * MSS, 0.002, 2);
    }
}

/** Round trips that become longer each round. */
static void ack_rounds_that_rise(struct flow *f, uint32_t rounds)
{
    for (uint32_t i = 0; i < rounds; i++) {
        f->e.rtt_ns = HF_MS(20 + 10 * i);
        f->e.snd_nxt = hf_seq_add(f->e.snd_una, 1);
        for (int j = 0; j < 10; j++)
            ack(f, 1);
        f->e.snd_una = f->e.snd_nxt;
        f->e.snd_nxt = hf_seq_add(f->e.snd_una, 1);
        ack(f, 1);
    }
}

/* [RFC9406#4.3] The slow start after a timeout has a threshold to reach.
 * covers: CO-9406-08 */
static void hystart_is_for_the_first_slow_start(void **state)
{
    (void)state;
    struct flow f = opened(MSS, 100 * MSS);
    ack_rounds_that_rise(&f, 10);
    assert_true(f.cc.ssthresh_bytes < HF_CWND_MAX_BYTES);
    uint32_t reached_bytes = f.cc.ssthresh_bytes;
    f.e.initial_window_bytes = 10 * MSS;
    cubic->on_idle(&f.cc, &f.e);
    ack_rounds_that_rise(&f, 10);
    assert_int_equal(f.cc.ssthresh_bytes, reached_bytes);
    f = opened(MSS, 100 * MSS);
    rto(&f, 100 * MSS, false);
    ack_rounds_that_rise(&f, 10);
    assert_int_equal(f.cc.ssthresh_bytes, 70 * MSS);
    assert_int_equal(f.cc.cwnd_bytes, MSS + 110);
}

/* The window is what it was at the end of slow start, never under two segments. */
static void hystart_leaves_two_segments(void **state)
{
    (void)state;
    struct flow f = opened(MSS, MSS);
    ack_rounds_that_rise(&f, 10);
    assert_int_equal(f.cc.ssthresh_bytes, 2 * MSS);
}

/* covers: CO-5681-04, CO-9406-02, CO-9438-11 */
static void slow_start_by_bytes(void **state)
{
    (void)state;
    static const struct {
        uint32_t segs, ought;
    } rows[] = {{1, 11 * MSS}, {2, 12 * MSS}, {8, 18 * MSS}, {0, 50 * MSS}};
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++) {
        struct flow f = opened(MSS, 10 * MSS);
        f.e.slow_start_segs = rows[i].segs;
        ack(&f, 40 * MSS);
        assert_int_equal(f.cc.cwnd_bytes, rows[i].ought);
        f = opened(MSS, 10 * MSS);
        f.e.slow_start_segs = rows[i].segs;
        for (int j = 0; j < MSS; j++)
            ack(&f, 1);
        assert_int_equal(f.cc.cwnd_bytes, 11 * MSS);
        f.unused = true;
        ack(&f, MSS);
        assert_int_equal(f.cc.cwnd_bytes, 11 * MSS);
        f.cc.ssthresh_bytes = 11 * MSS + 1;
        f.unused = false;
        ack(&f, MSS);
        assert_int_equal(f.cc.cwnd_bytes, 11 * MSS + 1);
    }
}

/* [RFC5681#4.1] From the restart window slow start goes to ssthresh, which is then the plateau.
 * covers: CO-5681-11, CO-9438-11 */
static void idle_restarts_from_the_initial_window(void **state)
{
    (void)state;
    struct flow f = reduced(MSS, 100);
    f.run = (struct hf_cc_run){0};
    f.e.initial_window_bytes = 10 * MSS;
    struct flow small = f;
    cubic->on_idle(&f.cc, &f.e);
    assert_int_equal(f.cc.cwnd_bytes, 10 * MSS);
    assert_int_equal(f.cc.ssthresh_bytes, 70 * MSS);
    while (f.cc.cwnd_bytes < 70 * MSS)
        ack(&f, MSS);
    ack(&f, 0);
    assert_int_equal(f.cc.w_max_bytes, 70 * MSS);
    assert_int_equal(f.run.cubic.k_ticks, 0);

    small.e.initial_window_bytes = 70 * MSS;
    cubic->on_idle(&small.cc, &small.e);
    assert_int_equal(small.cc.cwnd_bytes, 70 * MSS); /* no slow start: the plateau stays */
    assert_int_equal(small.cc.w_max_bytes, 100 * MSS);
}

/* Without a record of the flight the window is reduced all the same, and grows in slow start. */
static void goes_without_a_run(void **state)
{
    (void)state;
    struct flow f = opened(MSS, 10 * MSS);
    f.e.flight_bytes = 10 * MSS;
    f.e.acked_bytes = 100 * MSS;
    cubic->on_loss(&f.cc, NULL, &f.e);
    cubic->on_recovered(&f.cc, NULL, &f.e);
    cubic->on_undo(&f.cc, NULL, &f.e);
    assert_int_equal(f.cc.ssthresh_bytes, 7 * MSS);
    assert_int_equal(f.cc.w_max_bytes, 10 * MSS);
    cubic->on_rto(&f.cc, NULL, &f.e);
    assert_int_equal(f.cc.cwnd_bytes, MSS);
    for (int i = 0; i < 10; i++)
        cubic->on_ack(&f.cc, NULL, &f.e);
    assert_int_equal(f.cc.cwnd_bytes, 7 * MSS);
    cubic->on_unused(NULL, f.e.now_ns);
    assert_int_equal(f.cc.cwnd_bytes, 7 * MSS);
}

/* ---- what holds for any events ---- */

static void assert_same(const struct flow *a, const struct flow *b)
{
    assert_int_equal(a->cc.cwnd_bytes, b->cc.cwnd_bytes);
    assert_int_equal(a->cc.ssthresh_bytes, b->cc.ssthresh_bytes);
    assert_int_equal(a->cc.w_max_bytes, b->cc.w_max_bytes);
    assert_int_equal(a->cc.after_rto, b->cc.after_rto);
    assert_int_equal(a->cc.slow_start_over, b->cc.slow_start_over);
    assert_int_equal(a->run.acked, b->run.acked);
    assert_int_equal(a->run.cubic.epoch_at, b->run.cubic.epoch_at);
    assert_int_equal(a->run.cubic.k_ticks, b->run.cubic.k_ticks);
    assert_int_equal(a->run.cubic.w_est_bytes, b->run.cubic.w_est_bytes);
    assert_int_equal(a->run.cubic.w_est_left, b->run.cubic.w_est_left);
    assert_int_equal(a->run.cubic.origin_bytes, b->run.cubic.origin_bytes);
    assert_int_equal(a->run.cubic.prior_bytes, b->run.cubic.prior_bytes);
    assert_int_equal(a->run.cubic.mss_bytes, b->run.cubic.mss_bytes);
    assert_int_equal(a->run.cubic.paused, b->run.cubic.paused);
}

/** Any event but a change of segments. */
static void random_event(struct flow *f, struct hf_random *random)
{
    uint64_t x = hf_random_next(random), y = hf_random_next(random);
    f->e.now_ns += (hf_ns)(y >> 24 >> y % 40);
    f->e.srtt_ns = (hf_ns)(y >> 28 >> x % 36);
    f->e.rtt_ns = f->e.srtt_ns / 2;
    f->e.snd_una.v += (uint32_t)(y >> 60);
    f->e.snd_nxt.v = f->e.snd_una.v + (uint32_t)(y >> 62);
    f->e.slow_start_segs = x >> 36 & 3;
    f->unused = (x >> 40 & 7) == 0;
    uint32_t bytes = (uint32_t)x >> (x >> 43) % 32;
    switch ((x >> 52) % 32) {
    case 0:
    case 1: lose(f, bytes); break;
    case 2: recover(f); break;
    case 3: rto(f, bytes, (x >> 50 & 1) != 0); break;
    case 4: undo(f); break;
    case 5: cubic->on_idle(&f->cc, &f->e); break;
    case 6: f->run = (struct hf_cc_run){0}; break;
    default:;
        uint32_t before_bytes = f->cc.cwnd_bytes;
        ack(f, bytes);
        assert_true(f->cc.cwnd_bytes >= before_bytes);
        break;
    }
}

static void assert_in_bounds(const struct flow *f, int step)
{
    if (f->cc.cwnd_bytes < f->e.mss_bytes || f->cc.cwnd_bytes > HF_CWND_MAX_BYTES ||
        f->cc.ssthresh_bytes < f->e.mss_bytes || f->cc.ssthresh_bytes > HF_CWND_MAX_BYTES ||
        f->cc.w_max_bytes > HF_CWND_MAX_BYTES || f->run.cubic.w_est_bytes > HF_CWND_MAX_BYTES)
        fail_msg("step %d: cwnd %u ssthresh %u w_max %u", step, f->cc.cwnd_bytes,
                 f->cc.ssthresh_bytes, f->cc.w_max_bytes);
}

/* Any sequence of events leaves the window between one segment and the largest; ACKs never make it
 * smaller. */
static void window_stays_in_bounds(void **state)
{
    (void)state;
    struct hf_random random;
    const uint8_t seed[HF_RANDOM_SEED_BYTES] = {9, 4, 3, 8};
    hf_random_init(&random, seed);
    for (int i = 0; i < 2000; i++) {
        uint32_t mss_bytes = sizes_bytes[hf_random_next(&random) % HF_COUNT_OF(sizes_bytes)];
        struct flow f = opened(mss_bytes, 10 * mss_bytes);
        for (int j = 0; j < 300; j++) {
            random_event(&f, &random);
            if (hf_random_next(&random) % 64 == 0 && f.e.mss_bytes > 1) {
                uint32_t old_bytes = f.e.mss_bytes;
                f.e.mss_bytes = (old_bytes + 1) / 2;
                cubic->on_smaller_mss(&f.cc, &f.e, old_bytes);
            }
            assert_in_bounds(&f, j);
        }
    }
}

/* [RFC9438#4.9] Whatever the state, an undone reduction leaves no trace; only a window that has
 * become larger stays. covers: CO-9438-10 */
static void undo_restores(void **state)
{
    (void)state;
    struct hf_random random;
    const uint8_t seed[HF_RANDOM_SEED_BYTES] = {9, 4, 3, 8, 10};
    hf_random_init(&random, seed);
    struct flow f = opened(MSS, 10 * MSS);
    for (int i = 0; i < 100000; i++) {
        random_event(&f, &random);
        cubic->on_recovered(&f.cc, &f.run, &f.e);
        struct flow by_loss = f, by_rto = f, by_both = f;
        lose(&by_loss, f.cc.cwnd_bytes);
        by_loss.cc.cwnd_bytes = hf_min_u32(f.cc.cwnd_bytes, by_loss.cc.ssthresh_bytes);
        rto(&by_rto, f.cc.cwnd_bytes, false);
        rto(&by_rto, MSS, true);
        lose(&by_both, f.cc.cwnd_bytes);
        by_both.cc.cwnd_bytes = MSS;
        rto(&by_both, f.cc.cwnd_bytes, false);
        undo(&by_loss);
        undo(&by_rto);
        undo(&by_both);
        assert_same(&by_loss, &f);
        assert_same(&by_rto, &f);
        assert_same(&by_both, &f);
        undo(&by_rto); /* once */
        assert_same(&by_rto, &f);
    }
    f = reduced(MSS, 10); /* 7 segments */
    while (f.cc.cwnd_bytes <= 10 * MSS)
        ack_window_after(&f, HF_MS(100));
    struct flow grown = f;
    undo(&f);
    assert_same(&f, &grown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loss_takes_three_tenths_of_the_flight),
        cmocka_unit_test(plateau_is_lower_after_an_early_loss),
        cmocka_unit_test(timeout),
        cmocka_unit_test(rising_round_trips_end_slow_start),
        cmocka_unit_test(hystart_is_for_the_first_slow_start),
        cmocka_unit_test(hystart_leaves_two_segments),
        cmocka_unit_test(slow_start_by_bytes),
        cmocka_unit_test(idle_restarts_from_the_initial_window),
        cmocka_unit_test(goes_without_a_run),
        cmocka_unit_test(window_stays_in_bounds),
        cmocka_unit_test(undo_restores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
