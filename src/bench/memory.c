/**
 * What an entry of each kind takes: by the stack's account with its share of tables and of unused
 * room, and by what the process has in memory.
 */
#include "bench/bench.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MORE_BYTES = 100, STATM_FIELDS = 2 };

int64_t hf_bench_resident_bytes(void)
{
    long long all = 0, resident = 0;
    (void)malloc_trim(0); /* what is free is not to count, wherever it lies */
    FILE *statm = fopen("/proc/self/statm", "re");
    if (statm == NULL)
        return -1;
    int fields = fscanf(statm, "%lld %lld", &all, &resident);
    fclose(statm);
    return fields == STATM_FIELDS ? resident * sysconf(_SC_PAGESIZE) : -1;
}

static int64_t held_bytes(struct hf_bench_end *e)
{
    struct hf_stack_info info;
    hf_stack_trim(e->stack);
    hf_stack_info(e->stack, &info);
    return (int64_t)info.memory_bytes;
}

static void tell_kind(const struct hf_bench_report *r, const struct hf_bench_setup *setup,
                      const char *kind, int64_t bytes)
{
    char more[MORE_BYTES], name[HF_BENCH_NAME_BYTES];
    hf_bench_name(&hf_bench_memory_kinds, setup, name);
    snprintf(more, sizeof more, ",\"entries\":%" PRIu32 ",\"address_family\":%d",
             setup->connections, setup->v6 ? 6 : 4);
    struct hf_bench_figure f = {
        .name = name,
        .kind = kind,
        .value = (double)bytes / setup->connections,
        .unit = "bytes",
        .per = "entry",
        .more = more,
    };
    hf_bench_tell(r, &f);
}

/** A SYN whose answer is lost. */
static void leave_half_open(struct hf_bench_pair *w, uint32_t n)
{
    struct hf_endpoint from, to;
    hf_bench_ends(w, n, &from, &to);
    struct hf_connect what = {.local = from, .remote = to};
    hf_handle conn;
    hf_bench_must(hf_connect(w->a.stack, &what, &conn, w->now_ns));
    size_t packets = hf_bench_pull(w, &w->a);
    hf_stack_input(w->b.stack, w->a.packets, packets, w->now_ns);
    HF_BENCH_CHECK(hf_bench_pull(w, &w->b) == 1);
    HF_BENCH_CHECK(hf_abort(w->a.stack, conn, w->now_ns) == HF_OK);
    struct hf_event event;
    while (hf_stack_event(w->a.stack, &event))
        HF_BENCH_CHECK((event.bits & HF_EV_CLOSED) != 0);
}

static void measure_kinds(const struct hf_bench_setup *setup, const struct hf_bench_report *r)
{
    struct hf_bench_pair w;
    struct hf_config cfg;
    struct hf_endpoint from, to;
    uint32_t n = setup->connections;
    hf_bench_config(&cfg, n);
    hf_bench_pair_open(&w, &cfg, setup->v6);
    hf_handle *a = hf_bench_memory(n, sizeof *a), *b = hf_bench_memory(n, sizeof *b);
    for (uint32_t i = 0; i < n; i++)
        a[i] = b[i] = 1; /* touched: none of it is counted below */
    int64_t empty_a = held_bytes(&w.a), empty_b = held_bytes(&w.b);
    int64_t resident = hf_bench_resident_bytes();
    for (uint32_t i = 0; i < n; i++) {
        hf_bench_ends(&w, i, &from, &to);
        hf_bench_connect(&w, &from, &to, &a[i], &b[i]);
    }
    tell_kind(r, setup, "established", held_bytes(&w.b) - empty_b);
    if (resident >= 0) /* of both ends */
        tell_kind(r, setup, "established, resident", (hf_bench_resident_bytes() - resident) / 2);
    for (uint32_t i = 0; i < n; i++)
        hf_bench_disconnect(&w, a[i], b[i]);
    tell_kind(r, setup, "time-wait", held_bytes(&w.a) - empty_a);
    for (uint32_t i = 0; i < n; i++)
        leave_half_open(&w, n + i);
    tell_kind(r, setup, "half-open", held_bytes(&w.b) - empty_b);
    free(a);
    free(b);
    hf_bench_pair_close(&w);
}

const struct hf_bench_case hf_bench_memory_kinds = {
    .name = "memory",
    .line = "what an entry of each kind takes",
    .knows = HF_BENCH_CONNECTIONS | HF_BENCH_V6,
    .measure = measure_kinds,
    .connections = 16384,
};
