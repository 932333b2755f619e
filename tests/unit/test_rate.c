/**
 * The token bucket: bursts, the long-term rate, and clocks that are odd.
 */
#include "core/rate.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static int64_t take_all(struct hf_rate *r, int64_t per_second, int64_t burst, hf_ns now)
{
    int64_t taken = 0;
    while (hf_rate_take(r, per_second, burst, now))
        taken++;
    return taken;
}

static void starts_full(void **state)
{
    (void)state;
    for (int64_t burst = 1; burst <= 100; burst++) {
        struct hf_rate r = {0};
        assert_int_equal(take_all(&r, 10, burst, HF_SEC(1000)), burst);
    }
}

static void fills_with_time(void **state)
{
    (void)state;
    struct hf_rate r = {0};
    hf_ns now = HF_SEC(50);
    assert_int_equal(take_all(&r, 10, 5, now), 5);
    assert_false(hf_rate_take(&r, 10, 5, now + HF_MS(100) - 1));
    assert_true(hf_rate_take(&r, 10, 5, now + HF_MS(100)));
    assert_false(hf_rate_take(&r, 10, 5, now + HF_MS(100)));
    assert_int_equal(take_all(&r, 10, 5, now + HF_MS(350)), 2);
    assert_int_equal(take_all(&r, 10, 5, now + HF_SEC(60)), 5); /* full, not more */
}

/* Asked every microsecond for 10 s it gives the burst and the rate, for rates that don't divide a
 * second evenly too; never more. */
static void long_term_rate_holds(void **state)
{
    (void)state;
    static const int64_t rates[] = {1, 3, 7, 100, 999, 1000, 4097, 333333};
    for (size_t i = 0; i < HF_COUNT_OF(rates); i++) {
        struct hf_rate r = {0};
        int64_t taken = 0;
        for (hf_ns now = HF_SEC(7); now < HF_SEC(17); now += HF_US(1))
            taken += hf_rate_take(&r, rates[i], 20, now);
        /* The interval is rounded up to a nanosecond: by that much it may be less. */
        int64_t rounding = 10 * rates[i] * rates[i] / HF_SEC(1);
        assert_in_range(taken, 10 * rates[i] + 18 - rounding, 10 * rates[i] + 20);
    }
}

static void refused_leaves_no_mark(void **state)
{
    (void)state;
    struct hf_rate r = {0};
    assert_int_equal(take_all(&r, 1, 1, HF_SEC(9)), 1);
    for (int i = 0; i < 1000; i++)
        assert_false(hf_rate_take(&r, 1, 1, HF_SEC(9) + HF_MS(i)));
    assert_true(hf_rate_take(&r, 1, 1, HF_SEC(10)));
}

static void zero_is_never(void **state)
{
    (void)state;
    struct hf_rate r = {0};
    for (int i = 0; i < 100; i++)
        assert_false(hf_rate_take(&r, 0, 100, HF_SEC(i)));
    assert_false(hf_rate_take(&r, 100, 0, HF_SEC(200)));
}

/* A bucket that was emptied under another clock or a slower rate does not block for long. */
static void odd_clocks_and_settings(void **state)
{
    (void)state;
    struct hf_rate r = {0};
    assert_int_equal(take_all(&r, 10, 5, -HF_SEC(1000)), 5);
    assert_int_equal(take_all(&r, 10, 5, HF_SEC(1000)), 5);
    assert_int_equal(take_all(&r, 10, 5, 0), 5);
    r.full_at = HF_NEVER;
    assert_int_equal(take_all(&r, 10, 5, HF_SEC(1)), 5);
    assert_int_equal(take_all(&r, 1, 100, HF_SEC(2000)), 100);
    assert_int_equal(take_all(&r, 1000000, 3, HF_SEC(2000)), 3);
    /* no overflow at the far end of time, nor for any burst */
    assert_true(hf_rate_take(&r, 1, 3, HF_NEVER));
    assert_true(hf_rate_take(&r, 1, INT64_MAX, HF_SEC(1)));
    assert_true(hf_rate_take(&r, INT64_MAX / 2, INT64_MAX, HF_SEC(5)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_full),          cmocka_unit_test(fills_with_time),
        cmocka_unit_test(long_term_rate_holds), cmocka_unit_test(refused_leaves_no_mark),
        cmocka_unit_test(zero_is_never),        cmocka_unit_test(odd_clocks_and_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
