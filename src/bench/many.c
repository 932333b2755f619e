/**
 * Very many connections: all are opened, each carries a byte both ways, all close, all expire. How
 * long each stage takes, its longest step, and the memory behind it.
 */
#include "bench/bench.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

enum { MORE_BYTES = 400, NOTE_BYTES = 100 };
static const double MIB = 1048576, NS_IN_S = 1e9, NS_IN_US = 1e3;

enum what { OPEN, SPEAK, CLOSE, EXPIRE };

/** A stage: how long it took, and the longest step. */
struct stage {
    hf_ns began_ns, longest_ns;
};

static struct hf_stack_info info_of(const struct hf_bench_end *e)
{
    struct hf_stack_info info;
    hf_stack_info(e->stack, &info);
    return info;
}

static void tell_stage(const struct hf_bench_report *r, const struct hf_bench_setup *setup,
                       const struct stage *s, enum what what, const struct hf_bench_pair *w)
{
    static const char *const kinds[] = {[OPEN] = "opened",
                                        [SPEAK] = "exchanged a byte",
                                        [CLOSE] = "closed",
                                        [EXPIRE] = "expired and given back"};
    char more[MORE_BYTES], note[NOTE_BYTES], name[HF_BENCH_NAME_BYTES];
    double seconds = (double)(hf_bench_clock_ns() - s->began_ns) / NS_IN_S;
    struct hf_stack_info a = info_of(&w->a), b = info_of(&w->b);
    double resident_mib = (double)hf_bench_resident_bytes() / MIB;
    hf_bench_name(&hf_bench_many, setup, name);
    snprintf(more, sizeof more,
             ",\"connections\":%" PRIu32 ",\"longest_step_ns\":%" PRId64
             ",\"resident_mib\":%.1f,\"memory_mib\":[%.1f,%.1f],\"used_mib\":[%.1f,%.1f]",
             setup->connections, s->longest_ns, resident_mib, (double)a.memory_bytes / MIB,
             (double)b.memory_bytes / MIB, (double)a.used_bytes / MIB, (double)b.used_bytes / MIB);
    snprintf(note, sizeof note, "longest step %.0f us, process has %.0f MiB",
             (double)s->longest_ns / NS_IN_US, resident_mib);
    struct hf_bench_figure f = {.name = name,
                                .kind = kinds[what],
                                .value = seconds,
                                .unit = "s",
                                .more = more,
                                .note = note};
    hf_bench_tell(r, &f);
}

/** A step is as long as its longest call, or some calls longer. */
static void note_step(struct stage *s, hf_ns took_ns)
{
    if (took_ns > s->longest_ns)
        s->longest_ns = took_ns;
}

static void pass_byte(struct hf_bench_pair *w, struct hf_bench_end *from, hf_handle from_conn,
                      struct hf_bench_end *to, hf_handle to_conn, uint8_t byte)
{
    uint8_t got = (uint8_t)~byte;
    HF_BENCH_CHECK(hf_send(from->stack, from_conn, &byte, 1, 0, w->now_ns) == 1);
    hf_bench_carry(w, from, to);
    hf_bench_expect(to, HF_EV_READABLE);
    HF_BENCH_CHECK(hf_receive(to->stack, to_conn, &got, 1, w->now_ns) == 1 && got == byte);
    struct hf_event event;
    while (hf_stack_event(from->stack, &event))
        HF_BENCH_CHECK((event.bits & HF_EV_CLOSED) == 0);
}

static void step(struct hf_bench_pair *w, enum what what, uint32_t i, hf_handle *a, hf_handle *b)
{
    struct hf_endpoint from, to;
    switch (what) {
    case OPEN:
        hf_bench_ends(w, i, &from, &to);
        hf_bench_connect(w, &from, &to, a, b);
        break;
    case SPEAK:
        pass_byte(w, &w->a, *a, &w->b, *b, (uint8_t)i);
        pass_byte(w, &w->b, *b, &w->a, *a, (uint8_t)i);
        break;
    case CLOSE: hf_bench_disconnect(w, *a, *b); break;
    case EXPIRE: break;
    }
}

/** Time passes, and what is due at either end fires. */
static void pass_time(struct hf_bench_pair *w, struct stage *s, hf_ns span_ns)
{
    w->now_ns += span_ns;
    note_step(s, hf_bench_expire(w, &w->a));
    note_step(s, hf_bench_expire(w, &w->b));
    hf_bench_carry_all(w);
}

/** What is left of the memory goes back, as by hf_host_trim. */
static void give_back(struct hf_bench_pair *w, struct stage *s)
{
    HF_BENCH_CHECK(info_of(&w->a).time_wait == 0 && info_of(&w->b).connections == 0);
    struct hf_stack *stacks[] = {w->a.stack, w->b.stack};
    for (size_t i = 0; i < 2; i++) {
        hf_ns began_ns = hf_bench_clock_ns();
        hf_stack_trim(stacks[i]);
        (void)malloc_trim(0);
        note_step(s, hf_bench_clock_ns() - began_ns);
    }
}

static void measure_many(const struct hf_bench_setup *setup, const struct hf_bench_report *r)
{
    struct hf_bench_pair w;
    struct hf_config cfg;
    uint32_t n = setup->connections;
    hf_bench_config(&cfg, n);
    hf_bench_pair_open(&w, &cfg, setup->v6);
    hf_handle *a = hf_bench_memory(n, sizeof *a), *b = hf_bench_memory(n, sizeof *b);
    for (enum what what = OPEN; what <= EXPIRE; what++) {
        struct stage s = {.began_ns = hf_bench_clock_ns()};
        for (uint32_t i = 0; i < n && what != EXPIRE; i++) {
            hf_ns began_ns = hf_bench_clock_ns();
            step(&w, what, i, &a[i], &b[i]);
            note_step(&s, hf_bench_clock_ns() - began_ns);
        }
        pass_time(&w, &s, what == EXPIRE ? 4 * cfg.msl_ns : HF_SEC(2));
        if (what == EXPIRE)
            give_back(&w, &s);
        tell_stage(r, setup, &s, what, &w);
    }
    free(a);
    free(b);
    hf_bench_pair_close(&w);
}

const struct hf_bench_case hf_bench_many = {
    .name = "many",
    .line = "very many connections: all open, all carry a byte, all close",
    .knows = HF_BENCH_CONNECTIONS | HF_BENCH_V6,
    .measure = measure_many,
    .connections = 100000,
};
