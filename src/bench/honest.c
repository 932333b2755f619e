/**
 * Handshakes of honest peers while a flood goes on, by the wall's clock: how many succeed, and how
 * much longer they take than without it. One thread plays all parts: what an honest one sends
 * arrives somewhere in a burst of the flood, and what it waits counts from the instant that it was
 * due, so all work before it is in it.
 */
#include "bench/flood.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    MOST = 20000, /* handshakes of a span */
    MORE_BYTES = 100,
    PERCENT = 100,
    A_NET = 10,          /* first octet of A's addresses: the flood's are others */
    DESTINATION_AT = 16, /* in an IPv4 header */
    BURST_MOST = 2 * HF_BENCH_BURST,
};
#define EVERY_NS HF_US(500) /* one is due so often */
#define SPAN_NS HF_SEC(1)
static const double NS_IN_US = 1000, NS_IN_S = 1e9, NEARLY_ALL = 0.99;

/** What those met that were due in a span of time. */
struct honest {
    hf_ns due_ns[MOST];     /* by the pair's clock */
    double waited_us[MOST]; /* of those that are done */
    uint32_t begun, done;
    uint32_t first; /* their numbers: no two of a run have the same ends */
    uint64_t syns;  /* of the flood */
};

struct run {
    struct hf_bench bench;
    hf_ns zero_ns; /* by the wall's clock, when the pair's is 0 */
    bool flood;
};

static hf_ns clock_of(const struct run *run)
{
    return hf_bench_clock_ns() - run->zero_ns;
}

/** What A sends, and if there is a flood 32 SYNs about it, arrive at B in one batch. */
static void send_burst(struct run *run, struct honest *h)
{
    struct hf_bench_pair *w = &run->bench.pair;
    struct hf_packet burst[BURST_MOST];
    size_t n = 0, own = hf_bench_pull(w, &w->a);
    unsigned flood = run->flood ? HF_BENCH_BURST : 0;
    unsigned before = flood > 0 ? (unsigned)(hf_bench_random(w) % flood) : 0;
    for (unsigned i = 0; i < before; i++)
        burst[n++] = hf_bench_flood_syn(&run->bench, i);
    for (size_t i = 0; i < own; i++)
        burst[n++] = w->a.packets[i];
    for (unsigned i = before; i < flood; i++)
        burst[n++] = hf_bench_flood_syn(&run->bench, i);
    if (n > 0)
        hf_stack_input(w->b.stack, burst, n, w->now_ns);
    h->syns += flood;
}

/** What B answers to A's addresses arrives; what it answers to others is gone. */
static void take_answers(struct run *run)
{
    struct hf_bench_pair *w = &run->bench.pair;
    struct hf_packet kept[HF_BENCH_BURST];
    for (size_t n; (n = hf_bench_pull(w, &w->b)) > 0;) {
        size_t k = 0;
        for (size_t i = 0; i < n; i++)
            if (w->b.packets[i].bytes[DESTINATION_AT] == A_NET)
                kept[k++] = w->b.packets[i];
        if (k > 0)
            hf_stack_input(w->a.stack, kept, k, w->now_ns);
    }
}

static void begin_one(struct run *run, struct honest *h, hf_ns due_ns)
{
    struct hf_bench_pair *w = &run->bench.pair;
    struct hf_connect what = {.tag = h->begun};
    hf_handle conn;
    hf_bench_ends(w, h->first + h->begun, &what.local, &what.remote);
    h->due_ns[h->begun++] = due_ns;
    hf_bench_must(hf_connect(w->a.stack, &what, &conn, w->now_ns));
}

/** Notes who is connected, and lets go of them: the peers are reset, and are gone. */
static void end_those_that_are_done(struct run *run, struct honest *h)
{
    struct hf_bench_pair *w = &run->bench.pair;
    struct hf_event event;
    while (hf_stack_event(w->a.stack, &event)) {
        if ((event.bits & HF_EV_CONNECTED) == 0)
            continue;
        h->waited_us[h->done++] = (double)(clock_of(run) - h->due_ns[event.tag]) / NS_IN_US;
        HF_BENCH_CHECK(hf_abort(w->a.stack, event.handle, w->now_ns) == HF_OK);
    }
    while (hf_stack_event(w->b.stack, &event))
        if ((event.bits & HF_EV_CLOSED) != 0)
            (void)!hf_close(w->b.stack, event.handle, w->now_ns);
}

/** One due each 500 us; whoever is not done as long again after the span's end is not served. */
static void run_for(struct run *run, struct honest *h, uint32_t first, hf_ns span_ns)
{
    struct hf_bench_pair *w = &run->bench.pair;
    hf_ns next_ns = clock_of(run), end_ns = next_ns + span_ns;
    *h = (struct honest){.first = first};
    while (w->now_ns < end_ns || (h->done < h->begun && w->now_ns < end_ns + span_ns)) {
        hf_bench_pass(w, clock_of(run) - w->now_ns);
        for (; next_ns <= w->now_ns && next_ns < end_ns && h->begun < MOST; next_ns += EVERY_NS)
            begin_one(run, h, next_ns);
        send_burst(run, h);
        take_answers(run);
        end_those_that_are_done(run, h);
    }
    HF_BENCH_CHECK(h->done > 0);
}

static void tell(const struct hf_bench_report *r, const char *name, const char *kind, double value,
                 const char *unit, const char *more)
{
    struct hf_bench_figure f = {
        .name = name, .kind = kind, .value = value, .unit = unit, .more = more};
    hf_bench_tell(r, &f);
}

/** A span with a flood: what it did to the stack at its end, and to whom. */
static void measure_flood(struct run *run, struct honest *h, const char *name,
                          const struct hf_bench_report *r)
{
    struct hf_bench_end *e = &run->bench.pair.b;
    struct hf_stack_info before, after;
    char more[MORE_BYTES];
    hf_stack_info(e->stack, &before);
    uint64_t allocations = e->allocations;
    hf_ns began_ns = hf_bench_clock_ns();
    run_for(run, h, h->first + h->begun, SPAN_NS);
    double seconds = (double)(hf_bench_clock_ns() - began_ns) / NS_IN_S;
    hf_stack_info(e->stack, &after);
    HF_BENCH_CHECK(hf_bench_flood_is_full(&run->bench));
    tell(r, name, "flood", (double)h->syns / seconds, "SYNs/s", "");
    snprintf(more, sizeof more, ",\"begun\":%" PRIu32, h->begun);
    tell(r, name, "done", (double)PERCENT * h->done / h->begun, "%", more);
    tell(r, name, "99 % wait at most", hf_bench_quantile(h->waited_us, h->done, NEARLY_ALL), "us",
         "");
    tell(r, name, "longest wait", hf_bench_quantile(h->waited_us, h->done, 1), "us", "");
    tell(r, name, "growth", (double)after.memory_bytes - (double)before.memory_bytes, "bytes", "");
    tell(r, name, "allocations", (double)(e->allocations - allocations), "calls", "");
}

static void measure_honest(const struct hf_bench_setup *setup, const struct hf_bench_report *r)
{
    struct run *run = hf_bench_memory(1, sizeof *run);
    struct honest *h = hf_bench_memory(1, sizeof *h);
    char name[HF_BENCH_NAME_BYTES];
    hf_bench_name(&hf_bench_honest, setup, name);
    run->bench.setup = *setup;
    hf_bench_flood_open(&run->bench);
    run->zero_ns = hf_bench_clock_ns();
    run_for(run, h, 0, SPAN_NS / 2);
    tell(r, name, "99 % wait at most, no flood",
         hf_bench_quantile(h->waited_us, h->done, NEARLY_ALL), "us", "");
    run->flood = true;
    do /* the flood takes what it can, however slow the machine is */
        run_for(run, h, h->first + h->begun, SPAN_NS / 2);
    while (!hf_bench_flood_is_full(&run->bench));
    measure_flood(run, h, name, r);
    hf_bench_pair_close(&run->bench.pair);
    free(h);
    free(run);
}

const struct hf_bench_case hf_bench_honest = {
    .name = "honest",
    .line = "handshakes of honest peers beside a flood, by the wall's clock",
    .knows = HF_BENCH_COOKIES,
    .measure = measure_honest,
};
