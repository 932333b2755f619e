/**
 * Instants in six bytes, never earlier than what was kept and by less than a unit later; and the
 * ends of time.
 */
#include "core/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { UNIT_NS = 1024 };

static const hf_ns instants[] = {
    -HF_SEC(100) - 1,
    -UNIT_NS,
    -1,
    0,
    1,
    UNIT_NS - 1,
    UNIT_NS,
    UNIT_NS + 1,
    HF_MS(1) - 1,
    HF_SEC(281474) + 5,
    HF_SEC(288230376) - 1,
    HF_SEC(288230376) + 7,
    HF_SEC(4000000000) + 3,
};

static void comes_back_rounded_up(void **state)
{
    (void)state;
    static const hf_ns later_ns[] = {
        0, 1, UNIT_NS, HF_SEC(1) + 1, HF_SEC(50ll * 86400), HF_SEC(280000000)};
    for (size_t i = 0; i < sizeof instants / sizeof instants[0]; i++)
        for (size_t k = 0; k < sizeof later_ns / sizeof later_ns[0]; k++) {
            struct hf_stamp stamp = hf_stamp_make(instants[i]);
            hf_ns again = hf_stamp_ns(stamp, instants[i] + later_ns[k]);
            assert_true(again >= instants[i] && again < instants[i] + UNIT_NS);
        }
}

/* A clock that is ahead or behind by any span: what can't be told is the nearest that can, and
 * never stays never. */
static void shifts_stop_at_the_ends_of_time(void **state)
{
    (void)state;
    static const struct {
        hf_ns at, by, sum;
    } rows[] = {
        {5, 7, 12},
        {5, -7, -2},
        {HF_NEVER, -7, HF_NEVER},
        {HF_NEVER - 1, 1, HF_NEVER},
        {HF_NEVER - 1, 2, HF_NEVER},
        {INT64_MIN + 1, -1, INT64_MIN},
        {INT64_MIN + 1, -2, INT64_MIN},
        {INT64_MIN, INT64_MAX, -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_true(hf_ns_shift(rows[i].at, rows[i].by) == rows[i].sum);
    assert_true(hf_ns_add(HF_NEVER - 5, 5) == HF_NEVER);
    assert_true(hf_ns_add(HF_NEVER - 5, 6) == HF_NEVER);
    assert_true(hf_ns_add(HF_NEVER - 5, 4) == HF_NEVER - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_rounded_up),
        cmocka_unit_test(shifts_stop_at_the_ends_of_time),
    };
    return cmocka_run_group_tests_name("stamp", tests, NULL, NULL);
}
