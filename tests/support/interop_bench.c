/**
 * Single matters over both families. See interop_bench.h.
 */
#include "support/interop_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

enum { OPEN_PATIENCE_S = 10, NAME_BYTES = 96 };

/* One test over one family; its state is the bench. */
struct bench_run {
    struct interop_bench bench;
    void (*run)(void **state);
    char name[NAME_BYTES];
};

static struct interop *open_with(struct interop_bench *b, const struct interop_setup *setup)
{
    b->w = interop_open(setup);
    b->w->trail_own_port = b->own_port;
    b->w->trail_kernel_port = b->kernel_port;
    return b->w;
}

struct interop *bench_open(struct interop_bench *b, struct hf_config *cfg)
{
    const struct interop_setup setup = {.v6 = b->v6, .config = cfg};
    return open_with(b, &setup);
}

struct interop *bench_open_plain(struct interop_bench *b, struct hf_config *cfg,
                                 struct hf_link *(*wrap)(struct hf_link *inner, void *ctx),
                                 void *wrap_ctx)
{
    const struct interop_setup setup = {
        .v6 = b->v6, .config = cfg, .plain = true, .wrap = wrap, .wrap_ctx = wrap_ctx};
    return open_with(b, &setup);
}

static bool are_open(const struct interop *w)
{
    return w->ours_count > 0 && w->theirs_count > 0 && w->ours[0].opened && w->theirs[0].opened;
}

void bench_connect(struct interop_bench *b, const struct interop_plan *ours,
                   const struct interop_plan *theirs)
{
    b->w->their_plan = *theirs;
    interop_kernel_listen(b->w, b->kernel_port);
    b->ours = interop_connect(b->w, b->own_port, b->kernel_port, ours);
    b->theirs = &b->w->theirs[0];
    bench_until(b, are_open, HF_SEC(OPEN_PATIENCE_S));
}

void bench_until(struct interop_bench *b, bool (*done)(const struct interop *w), hf_ns limit_ns)
{
    if (!interop_run(b->w, done, limit_ns))
        fail_msg("not done after %lld s", (long long)(limit_ns / HF_SEC(1)));
}

bool bench_all_over(const struct interop *w)
{
    for (size_t i = 0; i < w->ours_count; i++)
        if (!w->ours[i].over || !w->ours[i].let_go)
            return false;
    for (size_t i = 0; i < w->theirs_count; i++)
        if (w->theirs[i].fd >= 0)
            return false;
    return w->ours_count > 0 && w->theirs_count > 0;
}

static void run_one(void **state)
{
    struct bench_run *r = *state;
    hf_ns start_ns = hf_host_now();
    r->run(state);
    print_message("%s: %lld ms\n", r->name, (long long)((hf_host_now() - start_ns) / HF_MS(1)));
    interop_close(r->bench.w);
    r->bench.w = NULL;
}

static int tear_down(void **state)
{
    struct interop_bench *b = *state;
    if (b->w) { /* it failed */
        interop_tell(b->w);
        interop_close(b->w);
        b->w = NULL;
    }
    return 0;
}

static int run_group(const char *group, struct bench_run *runs, size_t count)
{
    struct CMUnitTest *tests = calloc(count, sizeof *tests);
    if (!tests)
        return 1;
    for (size_t i = 0; i < count; i++)
        tests[i] = (struct CMUnitTest){.name = runs[i].name,
                                       .test_func = run_one,
                                       .teardown_func = tear_down,
                                       .initial_state = &runs[i]};
    int failed = _cmocka_run_group_tests(group, tests, count, NULL, NULL);
    free(tests);
    return failed;
}

int bench_run_all(const char *group, const struct interop_bench_test *tests, size_t count)
{
    const char *what = interop_missing();
    if (*what) {
        (void)fprintf(stderr, "skipped: %s\n", what);
        return INTEROP_SKIP;
    }
    struct bench_run *runs = calloc(2 * count, sizeof *runs);
    size_t used = 0;
    if (!runs)
        return 1;
    for (unsigned v6 = 0; v6 < (interop_has_v6() ? 2u : 1u); v6++)
        for (size_t i = 0; i < count; i++, used++) {
            struct bench_run *r = &runs[used];
            r->run = tests[i].run;
            r->bench.v6 = v6 != 0;
            r->bench.own_port = (uint16_t)(BENCH_OWN_PORT + used);
            r->bench.kernel_port = (uint16_t)(BENCH_KERNEL_PORT + used);
            (void)snprintf(r->name, sizeof r->name, "%s, %s", v6 ? "IPv6" : "IPv4", tests[i].name);
        }
    int failed = run_group(group, runs, used);
    free(runs);
    return failed;
}
