/**
 * A million entries in TIME-WAIT whose time is over at the same moment.
 */
#include "bench/bench.h"

#include <inttypes.h>
#include <stdio.h>

enum { MORE_BYTES = 160 };
static const double MILLION = 1e6, NS_IN_US = 1e3;

static uint32_t time_waits(const struct hf_bench_end *e)
{
    struct hf_stack_info info;
    hf_stack_info(e->stack, &info);
    return info.time_wait;
}

static void measure_expiry(const struct hf_bench_setup *setup, const struct hf_bench_report *r)
{
    struct hf_bench_pair w;
    struct hf_config cfg;
    uint32_t n = setup->connections;
    hf_bench_config(&cfg, n);
    hf_bench_pair_open(&w, &cfg, false);
    for (uint32_t i = 0; i < n; i++) {
        struct hf_endpoint from, to;
        hf_handle a, b;
        hf_bench_ends(&w, i, &from, &to);
        hf_bench_connect(&w, &from, &to, &a, &b);
        hf_bench_disconnect(&w, a, b);
    }
    HF_BENCH_CHECK(time_waits(&w.a) == n);
    w.now_ns += 4 * cfg.msl_ns;
    hf_ns reference_ns = hf_bench_reference_ns(), began_ns = hf_bench_clock_ns();
    hf_ns longest_ns = hf_bench_expire(&w, &w.a);
    double each_ns = (double)(hf_bench_clock_ns() - began_ns) / n;
    HF_BENCH_CHECK(time_waits(&w.a) == 0);
    char more[MORE_BYTES], note[MORE_BYTES];
    snprintf(more, sizeof more,
             ",\"entries\":%" PRIu32 ",\"longest_call_ns\":%" PRId64 ",\"reference_ns\":%" PRId64
             ",\"millionths_of_reference\":%.4g",
             n, longest_ns, reference_ns, each_ns / (double)reference_ns * MILLION);
    snprintf(note, sizeof note, "longest call %.0f us", (double)longest_ns / NS_IN_US);
    struct hf_bench_figure f = {.name = hf_bench_expiry.name,
                                .value = each_ns,
                                .unit = "ns",
                                .per = "entry",
                                .more = more,
                                .note = note};
    hf_bench_tell(r, &f);
    hf_bench_pair_close(&w);
}

const struct hf_bench_case hf_bench_expiry = {
    .name = "expire",
    .line = "entries in TIME-WAIT whose time is over",
    .knows = HF_BENCH_CONNECTIONS,
    .measure = measure_expiry,
    .connections = 1000000,
};
