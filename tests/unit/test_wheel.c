/* The timer wheel: against a list of times, on all scales, with small budgets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/store/wheel.h"
#include "support/test_random.h"

enum { NODES = 64, CROWD = 3000, REF_OFFSET = 0x40000000 };

static const hf_ns TICK_NS = (hf_ns)1 << HF_WHEEL_TICK_SHIFT;
static const hf_ns DAY_NS = HF_SEC(86400);
static const hf_ns REACH_NS = HF_SEC(86400) * 51;

/** A wheel and what it should do. Time never goes back. */
struct bench {
    struct hf_wheel wheel;
    struct hf_wheel_node nodes[CROWD];
    hf_ns at[CROWD];       /* as armed */
    hf_ns armed_at[CROWD]; /* when that was */
    bool armed[CROWD];
    uint32_t count;
    size_t looked_up; /* nodes the wheel asked for: what it has done */
    hf_ns now;
    hf_ns done_until; /* the last expire with budget left over was at this time */
    bool is_done;     /* and nothing was armed since */
};

static struct bench g_bench;

static struct hf_wheel_node *node_of(void *owner, uint32_t ref)
{
    struct bench *b = owner;
    assert_true(ref >= REF_OFFSET && ref < REF_OFFSET + CROWD);
    b->looked_up++;
    return &b->nodes[ref - REF_OFFSET];
}

static struct bench *bench_open(hf_ns now)
{
    struct bench *b = &g_bench;
    memset(b, 0, sizeof *b);
    b->now = now;
    for (uint32_t i = 0; i < CROWD; i++)
        hf_wheel_node_init(&b->nodes[i]);
    hf_wheel_init(&b->wheel, node_of, b, now);
    assert_int_equal(hf_wheel_deadline(&b->wheel), HF_NEVER);
    return b;
}

/** The first tick boundary at or after a time. */
static hf_ns rounded_up(hf_ns at)
{
    hf_ns over = at & (TICK_NS - 1); /* two's complement: never negative */
    return over == 0 ? at : hf_ns_add(at - over, TICK_NS);
}

static void arm(struct bench *b, uint32_t i, hf_ns at)
{
    hf_wheel_arm(&b->wheel, &b->nodes[i], REF_OFFSET + i, at);
    assert_true(hf_wheel_node_is_armed(&b->nodes[i]));
    b->at[i] = at;
    b->armed_at[i] = b->now;
    b->armed[i] = true;
    b->is_done = b->is_done && at > b->now;
    b->count++;
}

static void disarm(struct bench *b, uint32_t i)
{
    hf_wheel_disarm(&b->wheel, &b->nodes[i]);
    assert_false(hf_wheel_node_is_armed(&b->nodes[i]));
    b->count -= b->armed[i];
    b->armed[i] = false;
}

/** The earliest time armed; HF_NEVER when there is none. */
static hf_ns earliest(const struct bench *b, uint32_t nodes)
{
    hf_ns first = HF_NEVER;
    for (uint32_t i = 0; i < nodes; i++)
        if (b->armed[i])
            first = hf_min_ns(first, b->at[i]);
    return first;
}

static void check_deadline(const struct bench *b, uint32_t nodes)
{
    hf_ns deadline = hf_wheel_deadline(&b->wheel);
    hf_ns first = earliest(b, nodes);
    assert_int_equal(b->wheel.count, b->count);
    assert_int_equal(deadline == HF_NEVER, b->count == 0);
    if (b->count > 0)
        assert_true(deadline <= hf_max_ns(rounded_up(first), b->now)); /* the past is due now */
    if (b->is_done)
        assert_true(deadline > b->done_until);
}

/** Expires once; the index of what fired, or HF_NIL. */
static uint32_t expire(struct bench *b, hf_ns now, size_t *budget, uint32_t nodes)
{
    size_t before = *budget;
    b->now = now;
    uint32_t ref = hf_wheel_expire(&b->wheel, now, budget);
    assert_true(*budget <= before);
    if (ref == HF_NIL) {
        if (*budget == 0)
            return HF_NIL;
        b->done_until = now;
        b->is_done = true;
        assert_true(b->count == 0 || rounded_up(earliest(b, nodes)) > now);
        return HF_NIL;
    }
    uint32_t i = ref - REF_OFFSET;
    assert_true(b->armed[i]);
    assert_false(hf_wheel_node_is_armed(&b->nodes[i]));
    assert_true(b->at[i] <= now); /* never early */
    b->armed[i] = false;
    b->count--;
    return i;
}

/* ---- single cases --------------------------------------------------------------------------- */

static void fires_at_the_tick_after(void **state)
{
    (void)state;
    struct bench *b = bench_open(0);
    size_t budget = 100;
    arm(b, 0, 3 * TICK_NS + 1);
    arm(b, 1, 3 * TICK_NS);
    assert_int_equal(hf_wheel_deadline(&b->wheel), 3 * TICK_NS);
    assert_int_equal(expire(b, 3 * TICK_NS - 1, &budget, 2), HF_NIL);
    assert_int_equal(expire(b, 3 * TICK_NS, &budget, 2), 1);
    assert_int_equal(expire(b, 3 * TICK_NS, &budget, 2), HF_NIL);
    assert_int_equal(hf_wheel_deadline(&b->wheel), 4 * TICK_NS);
    assert_int_equal(expire(b, 4 * TICK_NS - 1, &budget, 2), HF_NIL);
    assert_int_equal(expire(b, 4 * TICK_NS, &budget, 2), 0);
    assert_int_equal(hf_wheel_deadline(&b->wheel), HF_NEVER);
    assert_int_equal(budget, 100);
}

static void the_past_fires_at_the_next_expire(void **state)
{
    (void)state;
    struct bench *b = bench_open(HF_SEC(5) + 77);
    size_t budget = 100;
    assert_int_equal(expire(b, HF_SEC(5) + 77, &budget, 3), HF_NIL);
    arm(b, 0, HF_SEC(1));
    arm(b, 1, -HF_SEC(1000));
    arm(b, 2, INT64_MIN);
    assert_true(hf_wheel_deadline(&b->wheel) <= b->now);
    for (uint32_t n = 0; n < 3; n++)
        assert_int_not_equal(expire(b, HF_SEC(5) + 77, &budget, 3), HF_NIL);
    assert_int_equal(expire(b, HF_SEC(5) + 77, &budget, 3), HF_NIL);
    assert_int_equal(b->count, 0);
}

static void an_older_now_does_nothing(void **state)
{
    (void)state;
    struct bench *b = bench_open(HF_SEC(5));
    size_t budget = 100;
    hf_wheel_arm(&b->wheel, &b->nodes[0], REF_OFFSET, HF_SEC(4));
    assert_int_equal(hf_wheel_expire(&b->wheel, HF_SEC(3), &budget), HF_NIL);
    assert_int_equal(hf_wheel_expire(&b->wheel, HF_SEC(5), &budget), REF_OFFSET);
    /* Nor does it turn the wheel back, so that what is armed would be due at another time. */
    b = bench_open(HF_SEC(5000));
    arm(b, 0, HF_SEC(5000) + 3 * TICK_NS);
    hf_ns deadline = hf_wheel_deadline(&b->wheel);
    assert_true(deadline > HF_SEC(5000));
    assert_int_equal(hf_wheel_expire(&b->wheel, HF_SEC(1), &budget), HF_NIL);
    assert_int_equal(hf_wheel_deadline(&b->wheel), deadline);
}

static void disarming_leaves_the_others(void **state)
{
    (void)state;
    /* All in one slot: first, last and middle of its list are taken out. */
    for (uint32_t out = 0; out < 5; out++) {
        struct bench *b = bench_open(0);
        size_t budget = 100;
        for (uint32_t i = 0; i < 5; i++)
            arm(b, i, HF_SEC(100));
        disarm(b, out);
        disarm(b, out); /* twice does no harm */
        check_deadline(b, 5);
        uint32_t fired = 0;
        while (expire(b, HF_SEC(101), &budget, 5) != HF_NIL)
            fired++;
        assert_int_equal(fired, 4);
        arm(b, out, HF_SEC(102));
        disarm(b, out);
        assert_int_equal(hf_wheel_deadline(&b->wheel), HF_NEVER);
    }
}

static void idle_months_cost_nothing(void **state)
{
    (void)state;
    /* However far a node is, and wherever the clock stands: a move for each level below. */
    static const hf_ns starts[] = {0, HF_SEC(1), -HF_SEC(86400) * 20, HF_SEC(86400) * 365 * 50};
    for (size_t s = 0; s < HF_COUNT_OF(starts); s++)
        for (hf_ns days = 1; days <= 51; days++) {
            struct bench *b = bench_open(starts[s]);
            size_t budget = HF_WHEEL_LEVELS;
            arm(b, 0, starts[s] + days * DAY_NS - 12345);
            assert_int_equal(expire(b, starts[s] + days * DAY_NS - 12346, &budget, 1), HF_NIL);
            assert_true(budget > 0);
            assert_int_equal(expire(b, starts[s] + days * DAY_NS + TICK_NS, &budget, 1), 0);
            assert_true(budget > 0);
        }
    /* And with nothing armed, any jump is one step. */
    struct bench *b = bench_open(INT64_MIN);
    size_t budget = 1;
    assert_int_equal(expire(b, INT64_MAX, &budget, 0), HF_NIL);
    assert_int_equal(budget, 1);
    /* The last tick of all is no instant any more. */
    hf_wheel_arm(&b->wheel, &b->nodes[0], REF_OFFSET, HF_NEVER);
    assert_int_equal(hf_wheel_deadline(&b->wheel), HF_NEVER);
    assert_int_equal(hf_wheel_expire(&b->wheel, HF_NEVER, &budget), HF_NIL);
}

static void beyond_the_reach_the_owner_arms_again(void **state)
{
    (void)state;
    struct bench *b = bench_open(DAY_NS);
    hf_ns wanted = DAY_NS * 500 + 1;
    uint32_t fired = 0;
    hf_wheel_arm(&b->wheel, &b->nodes[0], REF_OFFSET, wanted);
    for (hf_ns last = b->now; fired < 100;) {
        size_t budget = 100;
        hf_ns now = hf_wheel_deadline(&b->wheel);
        assert_true(now <= rounded_up(wanted));
        if (hf_wheel_expire(&b->wheel, now, &budget) == HF_NIL)
            continue;
        fired++;
        if (now >= wanted)
            break;
        assert_true(now - last >= REACH_NS);
        last = now;
        hf_wheel_arm(&b->wheel, &b->nodes[0], REF_OFFSET, wanted);
    }
    assert_true(fired >= 9 && fired <= 10);
}

/* ---- budgets -------------------------------------------------------------------------------- */

static void small_budgets_make_progress(void **state)
{
    (void)state;
    struct test_random r = test_random_make("small_budgets_make_progress", 12);
    for (size_t size = 1; size <= 3; size++) {
        struct bench *b = bench_open(HF_SEC(10));
        hf_ns base = HF_SEC(10) + DAY_NS * 40;
        for (uint32_t i = 0; i < CROWD; i++)
            arm(b, i, base + test_random_below(&r, 2000000000));
        uint32_t fired = 0, calls = 0;
        for (; b->count > 0; calls++) {
            size_t budget = size;
            b->looked_up = 0;
            fired += expire(b, base + HF_SEC(3), &budget, CROWD) != HF_NIL;
            assert_true(b->looked_up <= 3 * size + 2); /* a node and its neighbours */
            assert_true(calls <= CROWD * (HF_WHEEL_LEVELS + 1));
        }
        assert_int_equal(fired, CROWD);
    }
}

static void arming_amid_a_move_is_safe(void **state)
{
    (void)state;
    struct test_random r = test_random_make("arming_amid_a_move_is_safe", 13);
    uint32_t rounds = test_random_rounds(300);
    for (uint32_t round = 0; round < rounds; round++) {
        struct bench *b = bench_open(test_random_below(&r, 1u << 31));
        hf_ns span = TICK_NS << test_random_below(&r, 35);
        hf_ns base = b->now + span;
        for (uint32_t i = 0; i < NODES; i++)
            arm(b, i, base + (hf_ns)(test_random_u64(&r) % (uint64_t)span));
        for (hf_ns now = base; b->count > 0; now += span / 4) {
            for (uint32_t calls = 0; calls < 1000 && !(b->is_done && b->done_until == now);) {
                size_t budget = 1 + test_random_below(&r, 3);
                if (expire(b, now, &budget, NODES) != HF_NIL)
                    calls++;
                check_deadline(b, NODES);
                uint32_t i = test_random_below(&r, NODES);
                if (test_random_below(&r, 8) == 0)
                    disarm(b, i);
                else if (!b->armed[i] && test_random_below(&r, 8) == 0)
                    arm(b, i, now - span + (hf_ns)(test_random_u64(&r) % (uint64_t)(2 * span)));
            }
            b->is_done = false;
            if (now - base > 20 * span)
                for (uint32_t i = 0; i < NODES; i++)
                    disarm(b, i);
        }
    }
}

/* ---- against the model ---------------------------------------------------------------------- */

/** A span of time on a random scale up to `bits` bits of nanoseconds. */
static hf_ns random_span(struct test_random *r, uint32_t bits)
{
    return (hf_ns)(test_random_u64(r) >> (64 - 1 - test_random_below(r, bits)));
}

static void drain(struct bench *b, struct test_random *r, hf_ns now)
{
    for (uint32_t tries = 0; tries < 10000; tries++) {
        size_t budget = test_random_below(r, 4) == 0 ? 1 + test_random_below(r, 4) : 1000;
        bool fired = expire(b, now, &budget, NODES) != HF_NIL;
        if (!fired && budget > 0)
            return;
    }
    fail_msg("the wheel does not come to an end");
}

static void run_model(struct test_random *r, hf_ns start, uint32_t bits, uint32_t rounds)
{
    struct bench *b = bench_open(start);
    for (uint32_t round = 0; round < rounds; round++) {
        uint32_t i = test_random_below(r, NODES);
        uint32_t what = test_random_below(r, 8);
        if (what < 4) {
            if (b->armed[i])
                disarm(b, i);
            hf_ns span = hf_min_ns(random_span(r, bits), REACH_NS);
            bool in_past = test_random_below(r, 16) == 0 && b->now >= INT64_MIN + span;
            arm(b, i, in_past ? b->now - span : b->now + span);
        } else if (what == 4) {
            disarm(b, i);
        } else if (what == 5) {
            drain(b, r, b->now + random_span(r, bits - 4));
        } else if (hf_wheel_deadline(&b->wheel) != HF_NEVER) {
            drain(b, r, hf_max_ns(b->now, hf_wheel_deadline(&b->wheel)));
        }
        check_deadline(b, NODES);
    }
    drain(b, r, b->now + REACH_NS + TICK_NS); /* all fire in the end */
    assert_int_equal(b->count, 0);
}

static const hf_ns model_starts[] = {
    0,
    123456789,
    -HF_SEC(10),                          /* soon crosses 0 */
    INT64_MIN,                            /* the first instant there is */
    (((hf_ns)1 << 36) << 16) - HF_SEC(1), /* digits of the last level wrap */
    -((hf_ns)1 << 52) - 5,
    HF_SEC(1700000000),
    (hf_ns)1 << 61,
};

static void behaves_as_the_model(void **state)
{
    (void)state;
    static const uint32_t bits[] = {18, 23, 30, 36, 42, 48, 53};
    struct test_random r = test_random_make("behaves_as_the_model", 14);
    uint32_t rounds = test_random_rounds(30000);
    for (size_t s = 0; s < HF_COUNT_OF(model_starts); s++)
        for (size_t i = 0; i < HF_COUNT_OF(bits); i++)
            run_model(&r, model_starts[s], bits[i], rounds);
}

/** Called at each deadline and at no other time, the wheel is late by less than a tick. */
static void is_late_by_less_than_a_tick(void **state)
{
    (void)state;
    struct test_random r = test_random_make("is_late_by_less_than_a_tick", 15);
    uint32_t rounds = test_random_rounds(40000);
    for (size_t s = 0; s < HF_COUNT_OF(model_starts); s++) {
        struct bench *b = bench_open(model_starts[s]);
        uint32_t fired = 0, wakes = 0;
        for (uint32_t i = 0; i < NODES; i++)
            arm(b, i, b->now + random_span(&r, 48));
        while (fired < rounds) {
            hf_ns now = hf_wheel_deadline(&b->wheel);
            hf_ns wanted = rounded_up(earliest(b, NODES));
            assert_true(now <= wanted);
            now = hf_max_ns(now, b->now);
            size_t budget = 10000;
            wakes++;
            for (uint32_t i = expire(b, now, &budget, NODES); i != HF_NIL;
                 i = expire(b, now, &budget, NODES)) {
                assert_true(now - hf_max_ns(b->at[i], b->armed_at[i]) < TICK_NS);
                fired++;
                arm(b, i, now + random_span(&r, 48));
            }
            assert_true(budget > 0);
        }
        assert_true(wakes <= HF_WHEEL_LEVELS * (fired + NODES));
    }
}

static void the_tick_of_a_node_can_be_read(void **state)
{
    (void)state;
    struct bench *b = bench_open(-HF_SEC(1));
    assert_int_equal((uint32_t)hf_wheel_tick(0), 0);
    assert_int_equal((uint32_t)hf_wheel_tick(1), 1);
    assert_int_equal((uint32_t)hf_wheel_tick(TICK_NS), 1);
    assert_int_equal((uint32_t)hf_wheel_tick(-1), 0);
    assert_int_equal((uint32_t)hf_wheel_tick(-TICK_NS), UINT32_MAX);
    assert_int_equal(hf_wheel_tick(INT64_MIN), 0);
    assert_int_equal(hf_wheel_tick(INT64_MAX), 1ull << 48);
    arm(b, 0, HF_SEC(7));
    assert_int_equal(b->nodes[0].tick, (uint32_t)hf_wheel_tick(HF_SEC(7)));
    arm(b, 1, -HF_SEC(7)); /* the past is now */
    assert_int_equal(b->nodes[1].tick, (uint32_t)hf_wheel_tick(-HF_SEC(1)) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fires_at_the_tick_after),
        cmocka_unit_test(the_past_fires_at_the_next_expire),
        cmocka_unit_test(an_older_now_does_nothing),
        cmocka_unit_test(disarming_leaves_the_others),
        cmocka_unit_test(idle_months_cost_nothing),
        cmocka_unit_test(beyond_the_reach_the_owner_arms_again),
        cmocka_unit_test(small_budgets_make_progress),
        cmocka_unit_test(arming_amid_a_move_is_safe),
        cmocka_unit_test(behaves_as_the_model),
        cmocka_unit_test(is_late_by_less_than_a_tick),
        cmocka_unit_test(the_tick_of_a_node_can_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
