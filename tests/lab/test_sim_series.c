/* The parts of a simulation that only keep: curves that are thinned, bytes that have come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab/dice.h"
#include "lab/sim/coverage.h"
#include "lab/sim/series.h"

enum { MANY = 300000, BYTES = 400 };

/* ---- series ---- */

static struct hf_series empty(enum hf_series_kind kind)
{
    return (struct hf_series){.kind = kind, .until_ns = HF_SEC(100)};
}

static bool equals(double a, double b)
{
    return a >= b && a <= b;
}

static void few_points_stay_as_they_are(void **state)
{
    struct hf_series s = empty(HF_SERIES_VALUES);
    (void)state;
    for (int i = 0; i < 1000; i++)
        hf_series_add(&s, HF_MS(i), i % 7);
    hf_series_finish(&s);
    assert_int_equal(s.count, 1000);
    for (int i = 0; i < 1000; i++)
        assert_true(equals(s.points[i].high, i % 7));
    hf_series_free(&s);
    assert_null(s.points);
}

/* However many there are: in order, the ends are kept, and so is each extreme. */
static void many_points_keep_what_can_be_seen(void **state)
{
    struct hf_series s = empty(HF_SERIES_VALUES);
    struct hf_dice dice = {3};
    double least = 1e9, largest = -1e9, first = 0, last = 0;
    (void)state;
    for (int i = 0; i < MANY; i++) {
        double value = (double)hf_dice_below(&dice, 1000) + (i == MANY / 3 ? 5000 : 0) -
                       (i == MANY / 2 ? 5000 : 0);
        least = value < least ? value : least;
        largest = value > largest ? value : largest;
        first = i == 0 ? value : first;
        last = value;
        hf_series_add(&s, HF_US(i * 100), value);
        assert_true(s.count <= HF_SERIES_POINTS_MAX);
    }
    hf_series_finish(&s);
    assert_true(s.count <= HF_SERIES_POINTS_MAX && s.count > HF_SERIES_POINTS_MAX / 4);
    double seen_least = 1e9, seen_largest = -1e9;
    for (size_t i = 0; i < s.count; i++) {
        assert_true(i == 0 || s.points[i].x >= s.points[i - 1].x);
        seen_least = s.points[i].high < seen_least ? s.points[i].high : seen_least;
        seen_largest = s.points[i].high > seen_largest ? s.points[i].high : seen_largest;
    }
    assert_true(equals(seen_least, least) && equals(seen_largest, largest));
    assert_true(equals(s.points[0].high, first) && equals(s.points[s.count - 1].high, last));
    hf_series_free(&s);
}

static void bars_of_a_span_become_one(void **state)
{
    struct hf_series s = empty(HF_SERIES_BARS);
    (void)state;
    for (int i = 0; i < MANY; i++)
        hf_series_add_bar(&s, HF_US(i), i, i + 1);
    hf_series_finish(&s);
    assert_true(s.count <= HF_SERIES_POINTS_MAX);
    /* Without a gap between them. */
    for (size_t i = 1; i < s.count; i++)
        assert_true(equals(s.points[i].low, s.points[i - 1].high));
    assert_true(equals(s.points[0].low, 0) && equals(s.points[s.count - 1].high, MANY));
    hf_series_free(&s);
}

static void marks_are_all_kept(void **state)
{
    struct hf_series s = empty(HF_SERIES_ALL);
    (void)state;
    for (int i = 0; i < 20000; i++)
        hf_series_add(&s, HF_US(i), i);
    hf_series_finish(&s);
    assert_int_equal(s.count, 20000);
    hf_series_free(&s);
}

static void only_the_window_is_kept(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        struct hf_series s = {
            .kind = (enum hf_series_kind)kind, .from_ns = HF_SEC(2), .until_ns = HF_SEC(4)};
        for (int i = 0; i < 10; i++)
            hf_series_add(&s, HF_SEC(i), i);
        hf_series_finish(&s);
        /* 2, 3, 4; and of a curve what held before. */
        bool is_curve = s.kind == HF_SERIES_VALUES;
        assert_int_equal(s.count, is_curve ? 4 : 3);
        assert_true(equals(s.points[0].high, is_curve ? 1 : 2));
        assert_true(equals(s.points[s.count - 1].high, 4));
        hf_series_free(&s);
    }
}

/* ---- coverage ---- */

/* Against a plain array of flags. */
static void coverage_is_right(void **state)
{
    struct hf_dice dice = {9};
    (void)state;
    for (int round = 0; round < 300; round++) {
        struct hf_coverage c = {0};
        bool flags[BYTES] = {false};
        for (int step = 0; step < 60; step++) {
            uint64_t left = hf_dice_below(&dice, BYTES);
            uint64_t right = left + hf_dice_below(&dice, BYTES - left < 30 ? BYTES - left : 30);
            uint64_t fresh = 0;
            for (uint64_t i = left; i < right; i++) {
                fresh += !flags[i];
                flags[i] = true;
            }
            assert_int_equal(hf_coverage_add(&c, left, right), fresh);
            for (uint64_t i = 0; i < BYTES; i++)
                assert_int_equal(hf_coverage_has(&c, i), flags[i]);
            for (size_t i = 0; i < c.count; i++)
                assert_true(c.ranges[i].left > (i == 0 ? c.next : c.ranges[i - 1].right) &&
                            c.ranges[i].left < c.ranges[i].right);
        }
        hf_coverage_free(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_points_stay_as_they_are),
        cmocka_unit_test(many_points_keep_what_can_be_seen),
        cmocka_unit_test(bars_of_a_span_become_one),
        cmocka_unit_test(marks_are_all_kept),
        cmocka_unit_test(only_the_window_is_kept),
        cmocka_unit_test(coverage_is_right),
    };
    return cmocka_run_group_tests_name("sim_series", tests, NULL, NULL);
}
