/**
 * Request and response: a byte there, a byte back. No quick ACKs: with a hot connection each ACK
 * travels with data; among many the answer's comes later by its timer, a third packet.
 */
#include "bench/bench.h"

enum { WARM_UP = 1000 };

/** Picks the connections of a round, none twice: each from a slice of its own. */
static void pick(struct hf_bench *w, uint32_t picked[HF_BENCH_BURST])
{
    uint64_t n = w->setup.connections, slices = w->setup.at_once;
    for (uint32_t i = 0; i < slices; i++) {
        uint64_t begin = i * n / slices, end = (i + 1) * n / slices;
        picked[i] = (uint32_t)(begin + hf_bench_random(&w->pair) % (end - begin));
    }
}

/** Reads the byte that each of n connections got; their handles. */
static void read_bytes(struct hf_bench_pair *w, struct hf_bench_end *e, uint32_t n, uint8_t byte,
                       hf_handle *conns)
{
    struct hf_event event;
    for (uint32_t i = 0; i < n;) {
        uint8_t got = (uint8_t)~byte;
        HF_BENCH_CHECK(hf_stack_event(e->stack, &event) && (event.bits & HF_EV_CLOSED) == 0);
        if ((event.bits & HF_EV_READABLE) == 0)
            continue; /* all that was sent has arrived */
        HF_BENCH_CHECK(hf_receive(e->stack, event.handle, &got, 1, w->now_ns) == 1 && got == byte);
        conns[i++] = event.handle;
    }
}

static void write_bytes(struct hf_bench_pair *w, struct hf_bench_end *e, uint32_t n, uint8_t byte,
                        const hf_handle *conns)
{
    for (uint32_t i = 0; i < n; i++)
        HF_BENCH_CHECK(hf_send(e->stack, conns[i], &byte, 1, 0, w->now_ns) == 1);
}

/** Of several the stack is told ahead. */
static void write_picked(struct hf_bench_pair *w, uint32_t n, uint8_t byte, const hf_handle *conns)
{
    if (n > 1)
        hf_prefetch(w->a.stack, conns, n);
    write_bytes(w, &w->a, n, byte, conns);
}

static void carry_all(struct hf_bench_pair *w, struct hf_bench_end *from, struct hf_bench_end *to)
{
    while (hf_bench_carry(w, from, to) == HF_BENCH_BURST)
        continue;
}

static bool is_hot(const struct hf_bench_setup *setup)
{
    return setup->connections == setup->at_once;
}

static void exchange(struct hf_bench *bench, uint8_t byte)
{
    struct hf_bench_pair *w = &bench->pair;
    uint32_t picked[HF_BENCH_BURST], n = bench->setup.at_once;
    hf_handle conns[HF_BENCH_BURST];
    pick(bench, picked);
    for (uint32_t i = 0; i < n; i++)
        conns[i] = bench->a_conns[picked[i]];
    write_picked(w, n, byte, conns);
    carry_all(w, &w->a, &w->b);
    read_bytes(w, &w->b, n, byte, conns);
    write_bytes(w, &w->b, n, byte, conns);
    carry_all(w, &w->b, &w->a);
    read_bytes(w, &w->a, n, byte, conns);
    struct hf_event event;
    while (hf_stack_event(w->b.stack, &event))
        HF_BENCH_CHECK((event.bits & HF_EV_CLOSED) == 0);
    hf_bench_pass(w, w->round_ns);
}

static uint64_t run_rr(struct hf_bench *w, uint64_t operations)
{
    uint64_t packets = w->pair.packets, done = 0;
    for (; done < operations; done += w->setup.at_once)
        exchange(w, (uint8_t)done);
    uint64_t sent = w->pair.packets - packets;
    HF_BENCH_CHECK(is_hot(&w->setup) ? sent == 2 * done : sent >= 2 * done);
    return done;
}

static void open_rr(struct hf_bench *w)
{
    struct hf_bench_setup *setup = &w->setup;
    struct hf_config cfg;
    hf_config_init(&cfg, sizeof cfg);
    cfg.quick_acks = 0;
    cfg.quick_acks_after_idle = 0;
    cfg.max_connections += setup->connections;
    hf_bench_pair_open(&w->pair, &cfg, setup->v6);
    setup->at_once = setup->at_once == 0 ? 1 : setup->at_once;
    setup->connections = setup->connections == 0 ? setup->at_once : setup->connections;
    HF_BENCH_CHECK(setup->connections >= setup->at_once && setup->at_once <= HF_BENCH_BURST);
    for (uint32_t i = 0; i < setup->connections; i++) {
        struct hf_endpoint from, to;
        hf_bench_ends(&w->pair, i, &from, &to);
        hf_bench_connect(&w->pair, &from, &to, &w->a_conns[i], &w->b_conns[i]);
    }
    hf_bench_pass(&w->pair, HF_SEC(2)); /* the timers of the handshakes are left to fire */
    hf_bench_carry_all(&w->pair);
    w->pair.round_ns *= setup->at_once;
    (void)run_rr(w, WARM_UP * (is_hot(setup) ? setup->at_once : HF_BENCH_BURST));
}

const struct hf_bench_case hf_bench_rr = {
    .name = "rr",
    .line = "a byte there, a byte back",
    .per = "exchange",
    .knows = HF_BENCH_CONNECTIONS | HF_BENCH_AT_ONCE | HF_BENCH_V6,
    .open = open_rr,
    .run = run_rr,
    .counted = 4000,
    .timed = 200000,
};
