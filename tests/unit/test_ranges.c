/* Sets of ranges: against a bitmap, also where offsets wrap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/store/ranges.h"
#include "support/test_random.h"

enum { CAPACITY = 8, SPAN = 200 };

struct fixture {
    struct hf_range items[CAPACITY + 1]; /* one behind the end, to see that it stays untouched */
    struct hf_ranges ranges;
};

static void fixture_open(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    f->items[CAPACITY] = (struct hf_range){0xAAAAAAAA, 0xBBBBBBBB};
    f->ranges = (struct hf_ranges){.items = f->items, .capacity = CAPACITY};
}

static void check_ranges(const struct fixture *f, const struct hf_range *wanted, uint32_t count)
{
    assert_int_equal(f->ranges.count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(f->items[i].begin, wanted[i].begin);
        assert_int_equal(f->items[i].end, wanted[i].end);
    }
}

#define CHECK_RANGES(f, ...)                                                                       \
    check_ranges(f, (const struct hf_range[]){__VA_ARGS__},                                        \
                 sizeof((const struct hf_range[]){__VA_ARGS__}) / sizeof(struct hf_range))

static void joins_what_touches(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f);
    assert_true(hf_ranges_add(&f.ranges, 10, 20));
    assert_true(hf_ranges_add(&f.ranges, 30, 40));
    CHECK_RANGES(&f, {10, 20}, {30, 40});
    assert_true(hf_ranges_add(&f.ranges, 20, 22)); /* touches on the left */
    assert_true(hf_ranges_add(&f.ranges, 28, 30)); /* and on the right */
    CHECK_RANGES(&f, {10, 22}, {28, 40});
    assert_true(hf_ranges_add(&f.ranges, 12, 15)); /* inside */
    CHECK_RANGES(&f, {10, 22}, {28, 40});
    assert_true(hf_ranges_add(&f.ranges, 22, 28)); /* fills the gap */
    CHECK_RANGES(&f, {10, 40});
    assert_true(hf_ranges_add(&f.ranges, 5, 50)); /* covers all */
    CHECK_RANGES(&f, {5, 50});
    assert_true(hf_ranges_add(&f.ranges, 1, 3));
    assert_true(hf_ranges_add(&f.ranges, 60, 60)); /* nothing */
    CHECK_RANGES(&f, {1, 3}, {5, 50});
    assert_int_equal(hf_ranges_bytes(&f.ranges), 47);
}

static void is_full_only_for_what_joins_nothing(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f);
    for (uint32_t i = 0; i < CAPACITY; i++)
        assert_true(hf_ranges_add(&f.ranges, 100 * i, 100 * i + 10));
    struct fixture before = f;
    assert_false(hf_ranges_add(&f.ranges, 50, 60));
    assert_false(hf_ranges_add(&f.ranges, 900, 960));
    assert_false(hf_ranges_add(&f.ranges, (uint32_t)-20, (uint32_t)-10));
    assert_memory_equal(f.items, before.items, sizeof f.items);
    assert_int_equal(f.ranges.count, CAPACITY);
    assert_true(hf_ranges_add(&f.ranges, 10, 60));
    assert_true(hf_ranges_add(&f.ranges, 60, 400));
    assert_int_equal(f.ranges.count, 4);
}

static void no_capacity_is_full(void **state)
{
    (void)state;
    struct hf_range none;
    struct hf_ranges r = {.items = &none, .capacity = 0};
    assert_false(hf_ranges_add(&r, 1, 2));
    hf_ranges_drop_before(&r, 7);
    assert_null(hf_ranges_at(&r, 7));
    assert_int_equal(hf_ranges_bytes(&r), 0);
}

/* ---- against a bitmap ----------------------------------------------------------------------- */

struct model {
    bool has[SPAN];
};

static uint32_t model_runs(const struct model *m)
{
    uint32_t runs = 0;
    for (uint32_t i = 0; i < SPAN; i++)
        runs += m->has[i] && (i == 0 || !m->has[i - 1]);
    return runs;
}

static void model_set(struct model *m, uint32_t from, uint32_t to, bool value)
{
    for (uint32_t i = from; i < to; i++)
        m->has[i] = value;
}

static bool model_contains(const struct model *m, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        if (!m->has[i])
            return false;
    return true;
}

static void check_all(const struct fixture *f, const struct model *m, uint32_t base)
{
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < SPAN; i++) {
        const struct hf_range *range = hf_ranges_at(&f->ranges, base + i);
        assert_int_equal(range != NULL, m->has[i]);
        uint32_t next = i; /* the first range with something in [i, i + 20) */
        while (next < SPAN && next < i + 20 && !m->has[next])
            next++;
        const struct hf_range *first = hf_ranges_overlap(&f->ranges, base + i, base + i + 20);
        bool any = next < SPAN && next < i + 20;
        assert_ptr_equal(first, any ? hf_ranges_at(&f->ranges, base + next) : NULL);
        bytes += m->has[i];
        if (range == NULL)
            continue;
        assert_true(base + i - range->begin < range->end - range->begin);
        assert_true(model_contains(m, range->begin - base, range->end - base));
    }
    assert_int_equal(f->ranges.count, model_runs(m));
    assert_int_equal(hf_ranges_bytes(&f->ranges), bytes);
    assert_int_equal(f->items[CAPACITY].begin, 0xAAAAAAAA);
    assert_int_equal(f->items[CAPACITY].end, 0xBBBBBBBB);
}

static void add_both(struct fixture *f, struct model *m, uint32_t base, uint32_t from, uint32_t to)
{
    struct model with = *m;
    model_set(&with, from, to, true);
    /* It joins something exactly when the number of runs does not grow. */
    bool joins = from == to || model_runs(&with) <= model_runs(m);
    bool added = hf_ranges_add(&f->ranges, base + from, base + to);
    assert_int_equal(added, joins || model_runs(m) < CAPACITY);
    if (added)
        *m = with;
}

static void one_step(struct fixture *f, struct model *m, uint32_t base, struct test_random *r)
{
    uint32_t from = test_random_below(r, SPAN);
    uint32_t most = test_random_below(r, 4) == 0 ? 100 : 10;
    uint32_t to = hf_min_u32(from + test_random_below(r, most), SPAN);
    uint32_t what = test_random_below(r, 40);
    if (what == 0) {
        hf_ranges_drop_before(&f->ranges, base + from);
        model_set(m, 0, from, false);
    } else {
        add_both(f, m, base, from, to);
    }
    const struct hf_range *at = hf_ranges_at(&f->ranges, base + from);
    bool contained = from == to || (at != NULL && at->end - base >= to);
    assert_int_equal(contained, model_contains(m, from, to));
}

static void behaves_as_a_bitmap(void **state)
{
    (void)state;
    static const uint32_t bases[] = {0,          1000,       UINT32_MAX - SPAN / 2,
                                     UINT32_MAX, 0u - SPAN,  0x80000000u - SPAN / 2,
                                     0x7FFFFFFF, 0x80000000u};
    struct test_random r = test_random_make("behaves_as_a_bitmap", 4);
    uint32_t rounds = test_random_rounds(20000);
    for (size_t i = 0; i < HF_COUNT_OF(bases); i++) {
        struct fixture f;
        struct model m = {0};
        fixture_open(&f);
        for (uint32_t round = 0; round < rounds; round++) {
            one_step(&f, &m, bases[i], &r);
            check_all(&f, &m, bases[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joins_what_touches),
        cmocka_unit_test(is_full_only_for_what_joins_nothing),
        cmocka_unit_test(no_capacity_is_full),
        cmocka_unit_test(behaves_as_a_bitmap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
