/* Histograms of times: exact at the ends, and never more than a sixteenth off between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lab/dice.h"
#include "lab/histogram.h"

enum { PPM = 1000000, VALUES = 5000 };

static void an_empty_one_has_no_times(void **state)
{
    struct hf_histogram h = {.count = 0};
    (void)state;
    assert_int_equal(hf_histogram_quantile(&h, 0), 0);
    assert_int_equal(hf_histogram_quantile(&h, PPM), 0);
}

/* One value alone is known exactly: no quantile is above the largest. */
static void one_time_is_exact(void **state)
{
    (void)state;
    for (int bit = 0; bit < 63; bit++)
        for (int64_t step = -1; step <= 1; step++) {
            struct hf_histogram h = {.count = 0};
            int64_t value = ((int64_t)1 << bit) + step;
            hf_histogram_add(&h, value);
            assert_true(hf_histogram_quantile(&h, 1) == value);
            assert_true(hf_histogram_quantile(&h, PPM) == value);
            assert_true(h.max_ns == value);
        }
    struct hf_histogram h = {.count = 0};
    hf_histogram_add(&h, INT64_MAX);
    hf_histogram_add(&h, -5);
    assert_true(hf_histogram_quantile(&h, PPM) == INT64_MAX);
    assert_true(hf_histogram_quantile(&h, PPM / 2) == 0);
}

static int compare(const void *a, const void *b)
{
    hf_ns x = *(const hf_ns *)a, y = *(const hf_ns *)b;
    return (x > y) - (x < y);
}

static void quantiles_are_near(void **state)
{
    static const uint32_t shares[] = {1, 1000, 250000, 500000, 900000, 990000, 999999, PPM};
    static hf_ns values[VALUES];
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct hf_dice dice = {seed};
        struct hf_histogram h = {.count = 0};
        for (int i = 0; i < VALUES; i++) {
            values[i] = (hf_ns)(hf_dice_next(&dice) >> (1 + hf_dice_below(&dice, 63)));
            hf_histogram_add(&h, values[i]);
        }
        qsort(values, VALUES, sizeof *values, compare);
        for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
            uint64_t at = ((uint64_t)shares[i] * VALUES + PPM - 1) / PPM;
            hf_ns exact = values[at - 1], read = hf_histogram_quantile(&h, shares[i]);
            if (read < exact || read - exact > exact / 16)
                fail_msg("seed %ju, %u ppm: %jd read as %jd", (uintmax_t)seed, shares[i],
                         (intmax_t)exact, (intmax_t)read);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_one_has_no_times),
        cmocka_unit_test(one_time_is_exact),
        cmocka_unit_test(quantiles_are_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
