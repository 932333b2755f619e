/**
 * The round-trip estimator: the formulas of RFC 6298, bounds, backoff, many samples a round trip.
 */
#include "core/rtt.h"
#include "core/siphash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct hf_rtt_limits rfc = {HF_SEC(1), HF_SEC(1), HF_SEC(60), false};
static const struct hf_rtt_limits low = {HF_SEC(1), HF_MS(1), HF_SEC(120), false};
static const struct hf_rtt_limits as_linux = {HF_SEC(1), HF_MS(200), HF_SEC(120), true};

static struct hf_rtt fresh(const struct hf_rtt_limits *limits)
{
    struct hf_rtt r;
    hf_rtt_init(&r, limits);
    return r;
}

/* covers: CO-6298-01 */
static void starts_with_the_initial_timeout(void **state)
{
    (void)state;
    struct hf_rtt r = fresh(&rfc);
    assert_int_equal(hf_rtt_rto_ns(&r), HF_SEC(1)); /* [RFC6298#2.1] */
    assert_false(hf_rtt_is_known(&r));
    assert_int_equal(hf_rtt_srtt_ns(&r), 0);
}

/* [RFC6298#2.2] SRTT = R, RTTVAR = R/2, RTO = SRTT + 4 RTTVAR.
 * covers: CO-6298-02 */
static void first_sample(void **state)
{
    (void)state;
    struct hf_rtt r = fresh(&low);
    hf_rtt_sample(&r, &low, HF_MS(40), 1);
    assert_int_equal(hf_rtt_srtt_ns(&r), HF_MS(40));
    assert_int_equal(hf_rtt_rttvar_ns(&r), HF_MS(20));
    assert_int_equal(hf_rtt_rto_ns(&r), HF_MS(120));
}

/* [RFC6298#2.3] worked by hand: RTTVAR from the old SRTT, then SRTT.
 * covers: CO-6298-03 */
static void later_samples(void **state)
{
    (void)state;
    struct hf_rtt r = fresh(&low);
    hf_rtt_sample(&r, &low, HF_MS(40), 1);
    hf_rtt_sample(&r, &low, HF_MS(80), 1);
    /* RTTVAR = 3/4 * 20 + 1/4 * 40 = 25, SRTT = 7/8 * 40 + 1/8 * 80 = 45 */
    assert_int_equal(hf_rtt_rttvar_ns(&r), HF_MS(25));
    assert_int_equal(hf_rtt_srtt_ns(&r), HF_MS(45));
    assert_int_equal(hf_rtt_rto_ns(&r), HF_MS(145));
    hf_rtt_sample(&r, &low, HF_MS(5), 1);
    /* RTTVAR = 3/4 * 25 + 1/4 * 40 = 28.75, SRTT = 45 - 5 = 40 */
    assert_int_equal(hf_rtt_rttvar_ns(&r), HF_US(28750));
    assert_int_equal(hf_rtt_srtt_ns(&r), HF_MS(40));
    assert_int_equal(hf_rtt_rto_ns(&r), HF_MS(155));
}

/* [RFC6298#2.4] [RFC6298#2.5] for both ways to read the minimum.
 * covers: CO-6298-04, CO-6298-05 */
static void bounds(void **state)
{
    (void)state;
    struct hf_rtt r = fresh(&rfc);
    hf_rtt_sample(&r, &rfc, HF_MS(1), 1);
    assert_int_equal(hf_rtt_rto_ns(&r), HF_SEC(1));
    r = fresh(&rfc);
    hf_rtt_sample(&r, &rfc, HF_SEC(30), 1);
    assert_int_equal(hf_rtt_rto_ns(&r), HF_SEC(60));
    r = fresh(&as_linux);
    hf_rtt_sample(&r, &as_linux, HF_MS(40), 1);
    assert_int_equal(hf_rtt_rto_ns(&r), HF_MS(240)); /* 40 + max(80, 200) */
    r = fresh(&as_linux);
    hf_rtt_sample(&r, &as_linux, HF_MS(300), 1);
    assert_int_equal(hf_rtt_rto_ns(&r), HF_MS(900)); /* 300 + max(600, 200) */
}

/* [RFC6298#4] On a steady path the variance dies out and the granularity of 1 ms stands for it; the
 * round trip is met exactly, from above and from below.
 * covers: CO-6298-08 */
static void steady_path(void **state)
{
    (void)state;
    static const hf_ns starts[] = {HF_US(1), HF_MS(3), HF_SEC(2)};
    for (size_t i = 0; i < HF_COUNT_OF(starts); i++) {
        struct hf_rtt r = fresh(&low);
        hf_rtt_sample(&r, &low, starts[i], 1);
        for (int n = 0; n < 400; n++)
            hf_rtt_sample(&r, &low, HF_MS(40), 1);
        assert_int_equal(hf_rtt_srtt_ns(&r), HF_MS(40));
        assert_int_equal(hf_rtt_rttvar_ns(&r), 0);
        assert_int_equal(hf_rtt_rto_ns(&r), HF_MS(41));
    }
}

/* Samples of a few nanoseconds, of none, of minutes: known afterwards, and in bounds. */
static void extreme_samples(void **state)
{
    (void)state;
    static const hf_ns samples[] = {0, 1, 124, 125, 126, HF_SEC(536), HF_SEC(100000), INT64_MAX};
    for (size_t i = 0; i < HF_COUNT_OF(samples); i++) {
        struct hf_rtt r = fresh(&low);
        for (int n = 0; n < 3; n++) {
            hf_rtt_sample(&r, &low, samples[i], 1);
            assert_true(hf_rtt_is_known(&r));
            assert_in_range(hf_rtt_rto_ns(&r), HF_MS(1), HF_SEC(120));
        }
    }
}

/* [RFC6298#5.5] doubles up to the maximum; a sample ends it [RFC6298#5].
 * covers: CO-6298-11, CO-6298-15 */
static void backoff(void **state)
{
    (void)state;
    static const int64_t seconds[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
    struct hf_rtt r = fresh(&rfc);
    for (size_t i = 0; i < HF_COUNT_OF(seconds); i++) {
        assert_int_equal(hf_rtt_rto_ns(&r), HF_SEC(seconds[i]));
        assert_int_equal(r.backoffs, i);
        hf_rtt_backoff(&r, &rfc);
    }
    hf_rtt_sample(&r, &rfc, HF_MS(700), 1);
    assert_int_equal(hf_rtt_rto_ns(&r), HF_MS(2100));
    assert_int_equal(r.backoffs, 0);
}

/* [RFC6298#5.7] 3 s when data begins, if the RTO in use is below; the first sample ends it.
 * covers: CO-6298-12 */
static void after_syn_retransmit(void **state)
{
    (void)state;
    struct hf_rtt r = fresh(&rfc);
    for (int i = 0; i < 3; i++)
        hf_rtt_backoff(&r, &rfc);
    hf_rtt_after_syn_retransmit(&r, &rfc);
    assert_int_equal(hf_rtt_rto_ns(&r), HF_SEC(3));
    hf_rtt_backoff(&r, &rfc);
    assert_int_equal(hf_rtt_rto_ns(&r), HF_SEC(6));
    hf_rtt_sample(&r, &rfc, HF_MS(10), 1);
    assert_int_equal(hf_rtt_rto_ns(&r), HF_SEC(1));

    const struct hf_rtt_limits slow = {HF_SEC(5), HF_SEC(1), HF_SEC(60), false};
    r = fresh(&slow);
    hf_rtt_after_syn_retransmit(&r, &slow);
    assert_int_equal(hf_rtt_rto_ns(&r), HF_SEC(5));
    const struct hf_rtt_limits short_max = {HF_MS(500), HF_MS(100), HF_SEC(2), false};
    r = fresh(&short_max);
    hf_rtt_after_syn_retransmit(&r, &short_max);
    assert_int_equal(hf_rtt_rto_ns(&r), HF_SEC(2));
}

/* [RFC7323#G] After a jump of the path, ten samples a round trip move the estimate in that time as
 * far, about, as one sample does alone.
 * covers: CO-7323-10 */
static void many_samples_keep_the_memory(void **state)
{
    (void)state;
    struct hf_rtt one = fresh(&low), ten = fresh(&low);
    hf_rtt_sample(&one, &low, HF_MS(40), 1);
    hf_rtt_sample(&ten, &low, HF_MS(40), 10);
    for (int trips = 1; trips <= 20; trips++) {
        hf_rtt_sample(&one, &low, HF_MS(120), 1);
        for (int i = 0; i < 10; i++)
            hf_rtt_sample(&ten, &low, HF_MS(120), 10);
        assert_in_range(hf_rtt_srtt_ns(&ten), hf_rtt_srtt_ns(&one) - HF_MS(2),
                        hf_rtt_srtt_ns(&one) + HF_MS(2));
    }
}

/* Whatever comes: the timeout is in its bounds and not shorter than RFC 6298 has it.
 * covers: CO-6298-14 */
static void invariants_under_anything(void **state)
{
    (void)state;
    struct hf_random random;
    const uint8_t seed[HF_RANDOM_SEED_BYTES] = {6, 2, 9, 8};
    hf_random_init(&random, seed);
    struct hf_rtt r = fresh(&rfc);
    for (int i = 0; i < 200000; i++) {
        uint64_t x = hf_random_next(&random);
        hf_ns before = hf_rtt_rto_ns(&r);
        bool fine = true;
        switch (x % 8) {
        case 0:
            hf_rtt_backoff(&r, &rfc);
            fine = hf_rtt_rto_ns(&r) >= before;
            break;
        case 1: hf_rtt_after_syn_retransmit(&r, &rfc); break;
        default:
            hf_rtt_sample(&r, &rfc, (hf_ns)(x >> (8 + x / 8 % 50)), (uint32_t)(x >> 32) % 100);
            fine = hf_rtt_rto_ns(&r) == HF_SEC(60) ||
                   hf_rtt_rto_ns(&r) >= hf_rtt_srtt_ns(&r) + 4 * hf_rtt_rttvar_ns(&r);
        }
        fine = fine && hf_rtt_rto_ns(&r) >= HF_SEC(1) && hf_rtt_rto_ns(&r) <= HF_SEC(60);
        if (!fine)
            fail_msg("step %d: srtt %lld rttvar %lld rto %lld", i, (long long)hf_rtt_srtt_ns(&r),
                     (long long)hf_rtt_rttvar_ns(&r), (long long)hf_rtt_rto_ns(&r));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_with_the_initial_timeout),
        cmocka_unit_test(first_sample),
        cmocka_unit_test(later_samples),
        cmocka_unit_test(bounds),
        cmocka_unit_test(steady_path),
        cmocka_unit_test(extreme_samples),
        cmocka_unit_test(backoff),
        cmocka_unit_test(after_syn_retransmit),
        cmocka_unit_test(many_samples_keep_the_memory),
        cmocka_unit_test(invariants_under_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
