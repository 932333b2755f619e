/*
 * Saving and restoring in the middle of every kind of scenario: the restored stack goes on byte for
 * byte and event for event like the one it was made from. And what was saved and then damaged is
 * refused, or gives a stack that works.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab/runs.h"
#include "lab/scenarios.h"

enum { EVERY_STEP = 0, SAMPLE = 29, DAMAGE_STRIDE = 101, EXERCISE_FROM_S = 1000 };

/* ---- what a run looked like ---- */

struct record {
    struct hf_transcript wire;
    uint64_t events; /**< a hash of all trace events of both stacks, in order */
    uint64_t steps;
};

static void mix(uint64_t *hash, uint64_t value)
{
    *hash = (*hash ^ value) * 0x9E3779B97F4A7C15u;
    *hash ^= *hash >> 29;
}

static void note_event(void *ctx, const struct hf_trace_event *e)
{
    struct record *r = ctx;
    mix(&r->events, (uint64_t)e->now_ns);
    mix(&r->events, e->handle);
    mix(&r->events, (uint64_t)e->type << 48 | (uint64_t)e->reason << 32 | (uint64_t)e->from << 16 |
                        (uint64_t)e->to);
    mix(&r->events, (uint64_t)e->a);
    mix(&r->events, (uint64_t)e->b);
    if (e->segment != NULL)
        mix(&r->events, (uint64_t)e->segment->seq << 32 | e->segment->ack);
}

static void record_init(struct record *r)
{
    *r = (struct record){.events = 1};
    hf_transcript_init(&r->wire, HF_DETAIL_WINDOW | HF_DETAIL_OPTIONS | HF_DETAIL_TIMESTAMPS);
    r->wire.microseconds = true;
}

static bool same_text(const struct hf_transcript *a, const struct hf_transcript *b)
{
    return a->length_bytes == b->length_bytes &&
           (a->length_bytes == 0 || memcmp(a->text, b->text, a->length_bytes) == 0);
}

static bool same_record(const struct record *a, const struct record *b)
{
    return a->events == b->events && a->steps == b->steps && same_text(&a->wire, &b->wire);
}

/* ---- a room for saved state ---- */

struct saved {
    uint8_t *bytes;
    size_t length_bytes, capacity_bytes;
};

static void save(struct saved *s, const struct hf_stack *stack, hf_ns now)
{
    s->length_bytes = hf_stack_save(stack, NULL, 0, now);
    if (s->length_bytes > s->capacity_bytes) {
        s->capacity_bytes = 2 * s->length_bytes;
        s->bytes = realloc(s->bytes, s->capacity_bytes);
        assert_non_null(s->bytes);
    }
    /* What is written and what is left out shows only on changing ground. */
    memset(s->bytes, 0xA5, s->length_bytes);
    assert_int_equal(hf_stack_save(stack, s->bytes, s->capacity_bytes, now), s->length_bytes);
}

struct lab {
    struct hf_pair *pair;
    struct saved first, second;
    struct hf_config a_config, b_config;
};

/* ---- restored in the middle ---- */

struct plan {
    struct lab *lab;
    uint64_t at_step; /**< EVERY_STEP, or the one after which both stacks are replaced */
    const char *trouble;
};

static void replace(void *ctx, struct hf_pair_side *side)
{
    struct plan *p = ctx;
    if (p->at_step != EVERY_STEP && p->at_step != side->pair->world.steps)
        return;
    hf_ns now = side->pair->world.now_ns;
    save(&p->lab->first, side->stack, now);
    int err = hf_pair_restore(side, p->lab->first.bytes, p->lab->first.length_bytes);
    if (err != HF_OK) {
        p->trouble = hf_err_name(err);
        return;
    }
    save(&p->lab->second, side->stack, now);
    if (p->lab->second.length_bytes != p->lab->first.length_bytes ||
        memcmp(p->lab->second.bytes, p->lab->first.bytes, p->lab->first.length_bytes) != 0)
        p->trouble = "saved again, it differs";
}

static void run(struct lab *lab, const struct scenario *from, struct record *r, struct plan *plan)
{
    record_init(r);
    struct hf_pair_scenario s = scenario_make(from, &lab->a_config, &lab->b_config);
    s.transcript = &r->wire;
    s.trace = note_event;
    s.trace_ctx[0] = s.trace_ctx[1] = r;
    if (plan != NULL) {
        s.stepped = replace;
        s.hook_ctx = plan;
    }
    hf_pair_run(lab->pair, &s);
    r->steps = lab->pair->report.steps;
}

static void run_replaced(struct lab *lab, struct runs *runs, const struct scenario *from,
                         const struct record *original, uint64_t at_step)
{
    struct record r;
    struct plan plan = {.lab = lab, .at_step = at_step};
    run(lab, from, &r, &plan);
    if (plan.trouble != NULL)
        runs_fail(runs, plan.trouble);
    else if (lab->pair->report.violations > 0)
        runs_fail(runs, lab->pair->report.violation);
    else if (!same_record(&r, original))
        runs_fail(runs, "the restored stack behaves differently");
    hf_transcript_free(&r.wire);
}

static void restored_stacks_go_on_the_same(void **state)
{
    struct lab *lab = *state;
    struct runs runs = runs_begin("restored", SAMPLE);
    for (size_t i = 0; i < SCENARIOS; i++) {
        const struct scenario *from = &scenarios[i];
        struct record original;
        run(lab, from, &original, NULL);
        assert_int_equal(lab->pair->report.violations, 0);
        assert_true(original.steps > 1);
        if (runs_next(&runs, "%s/every-step", from->name))
            run_replaced(lab, &runs, from, &original, EVERY_STEP);
        for (uint64_t k = 1; k <= original.steps; k++)
            if (runs_next(&runs, "%s/step-%u", from->name, (unsigned)k))
                run_replaced(lab, &runs, from, &original, k);
        hf_transcript_free(&original.wire);
    }
    assert_true(runs_end(&runs));
}

/* ---- damaged ---- */

/* Saves A's and B's stack after a number of steps; the last one that was asked for stays. */
struct capture {
    struct lab *lab;
    uint64_t at_step;
    unsigned side;
    bool taken;
};

static void take(void *ctx, struct hf_pair_side *side)
{
    struct capture *c = ctx;
    if (side->number != c->side || side->pair->world.steps != c->at_step)
        return;
    save(&c->lab->first, side->stack, side->pair->world.now_ns);
    c->taken = true;
}

static bool capture(struct lab *lab, const struct scenario *from, unsigned side, uint64_t at_step)
{
    struct capture c = {.lab = lab, .at_step = at_step, .side = side};
    struct hf_pair_scenario s = scenario_make(from, &lab->a_config, &lab->b_config);
    s.stepped = take;
    s.hook_ctx = &c;
    hf_pair_run(lab->pair, &s);
    return c.taken;
}

/* Lets a stack do what a stack does until nothing is left or an hour is over. */
static void exercise(struct hf_stack *s)
{
    struct hf_checks checks = {0};
    struct hf_out_packet out[16];
    struct hf_event e;
    struct hf_tuple t;
    struct hf_info info;
    hf_ns now = HF_SEC(EXERCISE_FROM_S);
    for (int round = 0; round < 200; round++) {
        while (hf_stack_event(s, &e))
            (void)hf_close(s, e.handle, now);
        for (int i = 0; i < 100 && hf_stack_output(s, out, 16, now) > 0; i++)
            continue;
        uint64_t cursor = 0;
        while (hf_iterate(s, &cursor, &t))
            (void)!hf_info(s, t.handle, &info);
        hf_ns next = hf_stack_deadline(s);
        if (next == HF_NEVER || next > HF_SEC(5000))
            break;
        now = next > now ? next : now;
        hf_checks_expire(&checks, "restored", s, now);
    }
    assert_int_equal(checks.violations, 0);
}

/* Damaged state must be refused without a trace, or work. */
static void try(const struct saved *saved, size_t length_bytes, struct runs *runs)
{
    struct hf_account account = {0};
    struct hf_env env = {.realloc = hf_account_realloc, .realloc_ctx = &account};
    struct hf_stack *s = NULL;
    /* A copy of its own, so that a sanitizer sees who reads beyond the end. */
    uint8_t *bytes = malloc(length_bytes > 0 ? length_bytes : 1);
    assert_non_null(bytes);
    memcpy(bytes, saved->bytes, length_bytes);
    int err = hf_stack_restore(&s, bytes, length_bytes, &env, HF_SEC(EXERCISE_FROM_S));
    free(bytes);
    if (err == HF_OK) {
        exercise(s);
        hf_stack_free(s);
    } else if (err != HF_E_VERSION || s != NULL) {
        runs_fail(runs, hf_err_name(err));
    }
    if (account.held_bytes != 0 || account.wrong_size)
        runs_fail(runs, "memory was left behind");
}

static const struct scenario *scenario_named(const char *name)
{
    for (size_t i = 0; i < SCENARIOS; i++)
        if (strcmp(scenarios[i].name, name) == 0)
            return &scenarios[i];
    return NULL;
}

/* Moments with every kind of entry: half-open, held, queues with out-of-order data, TIME-WAIT. */
static const struct {
    const char *scenario;
    unsigned side;
    uint64_t at_step;
} moments[] = {
    {"passive", 1, 2}, {"held", 1, 2},         {"lossy", 0, 60},   {"lossy", 1, 120},
    {"lossy", 1, 200}, {"slow-reader", 1, 50}, {"a-first", 0, 14}, {"passive-v6", 0, 9},
};

enum { MOMENTS = sizeof moments / sizeof moments[0] };

static void truncated_state_is_refused(void **state)
{
    struct lab *lab = *state;
    struct runs runs = runs_begin("truncated", 1);
    for (size_t i = 0; i < MOMENTS; i++) {
        const struct scenario *from = scenario_named(moments[i].scenario);
        assert_true(capture(lab, from, moments[i].side, moments[i].at_step));
        size_t whole = lab->first.length_bytes;
        for (size_t n = 0; n < whole; n += n < 64 || n + 64 > whole ? 1 : DAMAGE_STRIDE)
            if (runs_next(&runs, "truncated/%u/%u", (unsigned)i, (unsigned)n)) {
                struct hf_account account = {0};
                struct hf_env env = {.realloc = hf_account_realloc, .realloc_ctx = &account};
                struct hf_stack *s = NULL;
                if (hf_stack_restore(&s, lab->first.bytes, n, &env, 0) != HF_E_VERSION || s != NULL)
                    runs_fail(&runs, "taken although truncated");
                try(&lab->first, n, &runs);
            }
        if (runs_next(&runs, "truncated/%u/whole", (unsigned)i))
            try(&lab->first, whole, &runs);
    }
    assert_true(runs_end(&runs));
}

static void damaged_state_does_no_harm(void **state)
{
    struct lab *lab = *state;
    struct runs runs = runs_begin("damaged", SAMPLE);
    for (size_t i = 0; i < MOMENTS; i++) {
        const struct scenario *from = scenario_named(moments[i].scenario);
        assert_true(capture(lab, from, moments[i].side, moments[i].at_step));
        for (size_t at = 0; at < lab->first.length_bytes; at += 3) {
            uint8_t *byte = &lab->first.bytes[at], before = *byte;
            if (!runs_next(&runs, "damaged/%u/%u", (unsigned)i, (unsigned)at))
                continue;
            *byte = (uint8_t)(before ^ 1u << at % 8);
            try(&lab->first, lab->first.length_bytes, &runs);
            *byte = 0xFF;
            try(&lab->first, lab->first.length_bytes, &runs);
            *byte = before;
        }
    }
    assert_true(runs_end(&runs));
}

/* ---- without memory ---- */

static void a_restore_without_memory_leaves_nothing(void **state)
{
    struct lab *lab = *state;
    for (size_t i = 0; i < MOMENTS; i++) {
        const struct scenario *from = scenario_named(moments[i].scenario);
        assert_true(capture(lab, from, moments[i].side, moments[i].at_step));
        int err = HF_E_MEMORY;
        uint64_t nth = 1;
        for (; err == HF_E_MEMORY && nth < 1000; nth++) {
            struct hf_account account = {.fail_nth = nth};
            struct hf_env env = {.realloc = hf_account_realloc, .realloc_ctx = &account};
            struct hf_stack *s = NULL;
            err = hf_stack_restore(&s, lab->first.bytes, lab->first.length_bytes, &env, 0);
            assert_int_equal(err, account.failed ? HF_E_MEMORY : HF_OK);
            assert_int_equal(s != NULL, err == HF_OK);
            hf_stack_free(s);
            assert_int_equal(account.held_bytes, 0);
        }
        assert_int_equal(err, HF_OK);
        assert_true(nth > 5);
    }
}

static int make_lab(void **state)
{
    static struct lab lab;
    lab.pair = hf_pair_new();
    *state = &lab;
    return 0;
}

static int free_lab(void **state)
{
    struct lab *lab = *state;
    hf_pair_free(lab->pair);
    free(lab->first.bytes);
    free(lab->second.bytes);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(restored_stacks_go_on_the_same),
        cmocka_unit_test(truncated_state_is_refused),
        cmocka_unit_test(damaged_state_does_no_harm),
        cmocka_unit_test(a_restore_without_memory_leaves_nothing),
    };
    return cmocka_run_group_tests_name("lab_save", tests, make_lab, free_lab);
}
