/*
 * Memory that runs out at any point: the n-th take from every pool, from the block store and the
 * tables, and the n-th piece asked of the allocator fails, for n = 1, 2, ... until none does, in
 * every kind of scenario. And many connections at once on too small a pool.
 *
 * No invariant breaks, nothing is left behind, and one failure costs a connection nothing but time,
 * unless the application was told: its hf_listen or hf_connect answered HF_E_MEMORY.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/stack.h"
#include "lab/farm.h"
#include "lab/runs.h"
#include "lab/scenarios.h"

enum { NTH_MAX = 5000, LOSSY_SAMPLE = 7 };

/* ---- what can run out ---- */

#define STORES(X)                                                                                  \
    HF_STACK_POOLS(X)                                                                              \
    HF_STACK_TABLES(X)

enum store {
#define STORE_ENUM(name, member) STORE_##name,
    STORES(STORE_ENUM)
#undef STORE_ENUM
        STORE_allocator,
    STORE_COUNT
};

static const char *const store_names[STORE_COUNT] = {
#define STORE_NAME(name, member) #name,
    STORES(STORE_NAME)
#undef STORE_NAME
        "allocator"};

static uint32_t *countdown(struct hf_stack *s, enum store which)
{
    switch (which) {
#define STORE_CASE(name, member)                                                                   \
    case STORE_##name: return &s->member.fail_countdown;
        STORES(STORE_CASE)
#undef STORE_CASE
    case STORE_allocator:
    case STORE_COUNT: break;
    }
    return NULL;
}

struct failure {
    enum store store;
    unsigned side;
    uint32_t nth;
};

static void arrange(void *ctx, struct hf_pair_side *side)
{
    const struct failure *f = ctx;
    if (f->store != STORE_allocator && side->number == f->side)
        *countdown(side->stack, f->store) = f->nth;
}

/** True if the n-th take came and failed. */
static bool was_met(const struct hf_pair *p, const struct failure *f)
{
    const struct hf_pair_side *side = f->side == 0 ? &p->a : &p->b;
    if (f->store == STORE_allocator)
        return f->side == 0 ? p->report.a.memory_refused : p->report.b.memory_refused;
    return side->stack != NULL && *countdown(side->stack, f->store) == 0;
}

/* ---- single failures ---- */

static bool was_told(const struct hf_pair_report *r)
{
    return r->a.open_error == HF_E_MEMORY || r->b.open_error == HF_E_MEMORY;
}

static bool ended_well(const struct hf_pair *p, const struct scenario *from)
{
    const struct hf_pair_report *r = &p->report;
    if (r->violations > 0 || !r->quiet)
        return false;
    if (!from->clean || was_told(r) || !r->a.made || !r->b.made)
        return true;
    /* The segment that brought the cookie back was dropped; the next one finds no connection. */
    if (from->cookies && r->a.how == HF_CLOSED_RESET &&
        (r->b.how == HF_CLOSED_NOT || r->b.how == HF_CLOSED_RESET))
        return true;
    return hf_pair_is_clean(p);
}

static void describe(struct runs *r, const struct hf_pair *p)
{
    char why[400];
    snprintf(why, sizeof why, "A: %s, B: %s%s%s%s", hf_closed_text(p->report.a.how),
             hf_closed_text(p->report.b.how), p->report.quiet ? "" : ", never quiet",
             p->report.violations > 0 ? "; " : "", p->report.violation);
    runs_fail(r, why);
}

static void run(struct hf_pair *p, struct runs *r, const struct scenario *from, struct failure *f)
{
    struct hf_config a_config, b_config;
    struct hf_transcript t;
    struct hf_pair_scenario s = scenario_make(from, &a_config, &b_config);
    s.made = arrange;
    s.hook_ctx = f;
    if (f->store == STORE_allocator)
        *(f->side == 0 ? &s.a_fail_nth : &s.b_fail_nth) = f->nth;
    if (r->only != NULL) {
        hf_transcript_init(&t, HF_DETAIL_WINDOW);
        s.transcript = &t;
    }
    hf_pair_run(p, &s);
    if (!ended_well(p, from))
        describe(r, p);
    if (r->only != NULL) {
        printf("%s", t.text != NULL ? t.text : "");
        hf_transcript_free(&t);
    }
}

/* How often each store failed: one that never did was not tested. */
static unsigned failures[STORE_COUNT];

/* Until a run passes untouched. Under a sanitizer the long scenarios take the first failures one by
 * one and then every seventh. */
static void run_all_nth(struct hf_pair *p, struct runs *r, const struct scenario *from,
                        enum store store, unsigned side)
{
    bool sparse = HF_TEST_SANITIZED && !runs_are_long() && from->lossy && r->only == NULL;
    for (uint32_t nth = 1; nth < NTH_MAX; nth += sparse && nth > LOSSY_SAMPLE ? LOSSY_SAMPLE : 1) {
        struct failure f = {store, side, nth};
        if (!runs_next(r, "%s/%s/%c/%u", from->name, store_names[store], "AB"[side], nth)) {
            if (r->only != NULL)
                continue;
            return;
        }
        run(p, r, from, &f);
        if (!was_met(p, &f))
            return;
        failures[store]++;
    }
    if (r->only == NULL)
        runs_fail(r, "never untouched");
}

static void each_store_fails_once(void **state)
{
    struct runs r = runs_begin("starvation", 1);
    for (size_t i = 0; i < SCENARIOS; i++)
        for (unsigned store = 0; store < STORE_COUNT; store++)
            for (unsigned side = 0; side < 2; side++)
                run_all_nth(*state, &r, &scenarios[i], (enum store)store, side);
    for (unsigned store = STORE_runs_some; store <= STORE_runs_most; store++)
        run_all_nth(*state, &r, &many_holes, (enum store)store, 0);
    assert_true(runs_end(&r));
    for (unsigned store = 0; store < STORE_COUNT && r.only == NULL; store++)
        if (failures[store] == 0)
            fail_msg("%s never failed", store_names[store]);
}

/* ---- the allocator has nothing more from some point on ---- */

static void the_allocator_runs_dry(void **state)
{
    struct hf_pair *p = *state;
    struct runs r = runs_begin("dry", 1);
    for (size_t i = 0; i < SCENARIOS; i++) {
        bool met = true;
        for (uint32_t nth = 1; met && nth < NTH_MAX; nth++) {
            if (!runs_next(&r, "%s/dry/%u", scenarios[i].name, nth)) {
                met = nth < 100; /* only one run was asked for: look for it */
                continue;
            }
            struct hf_config a_config, b_config;
            struct hf_pair_scenario s = scenario_make(&scenarios[i], &a_config, &b_config);
            s.a_fail_nth = s.b_fail_nth = nth;
            s.fail_from = true;
            /* Nobody need wait for ever for a peer that can't have what it needs. */
            a_config.keepalive = b_config.keepalive = 1;
            a_config.user_timeout_ns = b_config.user_timeout_ns = HF_SEC(300);
            hf_pair_run(p, &s);
            if (p->report.violations > 0)
                describe(&r, p);
            met = p->report.a.memory_refused || p->report.b.memory_refused;
        }
    }
    assert_true(runs_end(&r));
}

/* ---- many connections on little memory ---- */

enum {
    FARM_WINDOW_BYTES = 64 << 10,
    FARM_STREAM_BYTES = 100000,
    FARM_SHARE = 10,
    FARM_LIMIT_S = 300
};

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* [Jain, Chiu and Hawe 1984] 1: all had the same, 1/n: one had everything. */
static double fairness(const uint32_t *x, uint32_t n)
{
    double sum = 0, squares = 0;
    for (uint32_t i = 0; i < n; i++) {
        sum += x[i];
        squares += (double)x[i] * x[i];
    }
    return sum * sum / (n * squares);
}

static void assert_all_arrived(const struct farm *f)
{
    for (unsigned side = 0; side < 2; side++)
        for (uint32_t i = 0; i < f->n; i++) {
            const struct farm_conn *c = &f->sides[side].conns[i];
            if (c->how != HF_CLOSED_FIN || c->received_bytes != f->stream_bytes || !c->at_end)
                fail_msg("connection %u at %c: %s after %u bytes", (unsigned)i, "AB"[side],
                         hf_closed_text(c->how), (unsigned)c -> received_bytes);
        }
}

/* A pool of a tenth of the windows, 5 % loss, readers that let data lie: none starves. */
static void a_tenth_of_the_memory_is_enough_for_all(void **state)
{
    (void)state;
    uint32_t n = HF_TEST_SANITIZED && !runs_are_long() ? 100 : 1000;
    struct hf_config config;
    hf_config_init(&config, sizeof config);
    config.receive_buffer_bytes = config.send_buffer_bytes = FARM_WINDOW_BYTES;
    config.pool_bytes = (int64_t)n * FARM_WINDOW_BYTES / FARM_SHARE;
    struct hf_lab_link_config link = {
        .path = {
            .delay_ns = HF_MS(10), .loss_ppm = 50000, .late_ppm = 10000, .duplicate_ppm = 1000}};
    struct farm f;
    farm_open(&f, n, FARM_STREAM_BYTES, HF_MS(50), &config, &link);
    struct runs clock = runs_begin("farm", 1);
    (void)runs_next(&clock, "farm");
    hf_ns end_ns = farm_run(&f, HF_SEC(2 * FARM_LIMIT_S));
    struct hf_stack_info info;
    hf_stack_info(f.sides[1].stack, &info);
    if (f.checks.violations > 0)
        fail_msg("%s", f.checks.first);
    assert_all_arrived(&f);
    double fair = fairness(f.at_half, n);
    qsort(f.at_half, n, sizeof *f.at_half, by_value);
    printf("%u connections, %u bytes each way, pool %u KB (peak %u KB): over after %.1f s; "
           "half-way: fairness %.3f, least %u, median %u, most %u bytes\n",
           (unsigned)n, (unsigned)FARM_STREAM_BYTES, (unsigned)(config.pool_bytes >> 10),
           (unsigned)(info.pool_peak_bytes >> 10), (double)end_ns / 1e9, fair,
           (unsigned)f.at_half[0], (unsigned)f.at_half[n / 2], (unsigned)f.at_half[n - 1]);
    (void)runs_end(&clock);
    assert_true(f.half_way && end_ns < HF_SEC(FARM_LIMIT_S));
    assert_true(fair > 0.8);
    /* But for some whose handshake, or first window, met the losses. */
    assert_true(f.at_half[n / 25] > 0);
    assert_true(info.pool_peak_bytes >= (uint64_t)config.pool_bytes / 10 * 9);
    farm_close(&f);
}

static int make_pair(void **state)
{
    *state = hf_pair_new();
    return 0;
}

static int free_pair(void **state)
{
    hf_pair_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_store_fails_once),
        cmocka_unit_test(the_allocator_runs_dry),
        cmocka_unit_test(a_tenth_of_the_memory_is_enough_for_all),
    };
    return cmocka_run_group_tests_name("lab_starvation", tests, make_pair, free_pair);
}
