/**
 * A connection's whole life without data: SYN, SYN,ACK, ACK; FIN, ACK, FIN, ACK; TIME-WAIT and its
 * end.
 */
#include "bench/bench.h"

enum {
    LIVE_MOST = 10000, /* entries in TIME-WAIT, at most */
    PACKETS = 7,
    WORD_BITS = 32,
};

/** One to one: different numbers become different, and look random. */
static uint32_t scatter(uint32_t x)
{
    x = (x ^ x >> 16) * 0x7feb352du;
    x = (x ^ x >> 15) * 0x846ca68bu;
    return x ^ x >> 16;
}

/** Addresses that no idle connection has: those have a host number below 2^16, and port 80. */
static struct hf_addr random_address(struct hf_bench *w, uint8_t net)
{
    uint64_t r = hf_bench_random(&w->pair);
    return hf_addr_v4(net, (uint8_t)(1 | r), (uint8_t)(r >> 8), (uint8_t)(1 + (r >> 16) % 250));
}

static void random_ends(struct hf_bench *w, struct hf_endpoint *from, struct hf_endpoint *to)
{
    *from = w->pair.a.here;
    *to = w->pair.b.here;
    do {
        uint32_t ports = scatter(++w->tuples);
        from->port = (uint16_t)(ports >> 16);
        to->port = (uint16_t)ports;
    } while (from->port == 0 || to->port == 0);
    if (w->setup.addresses) {
        from->addr = random_address(w, 10);
        to->addr = random_address(w, 11);
    }
}

/** Three segments to open, four to close; A goes through TIME-WAIT. */
static void live_once(struct hf_bench *bench)
{
    struct hf_bench_pair *w = &bench->pair;
    struct hf_endpoint from, to;
    hf_handle a, b;
    uint64_t packets = w->packets;
    random_ends(bench, &from, &to);
    hf_bench_connect(w, &from, &to, &a, &b);
    HF_BENCH_CHECK(hf_close(w->a.stack, a, w->now_ns) == HF_OK);
    hf_bench_carry_all(w);
    hf_bench_expect(&w->b, HF_EV_PEER_CLOSED);
    uint8_t byte;
    HF_BENCH_CHECK(hf_receive(w->b.stack, b, &byte, 1, w->now_ns) == HF_E_END);
    HF_BENCH_CHECK(hf_close(w->b.stack, b, w->now_ns) == HF_OK);
    hf_bench_carry_all(w);
    hf_bench_expect(&w->a, HF_EV_CLOSED);
    hf_bench_expect(&w->b, HF_EV_CLOSED);
    HF_BENCH_CHECK(w->packets == packets + PACKETS);
    hf_bench_pass(w, w->round_ns);
}

static uint64_t run_lives(struct hf_bench *w, uint64_t operations)
{
    for (uint64_t i = 0; i < operations; i++)
        live_once(w);
    return operations;
}

static void open_idle(struct hf_bench *w)
{
    for (uint32_t i = 0; i < w->setup.idle; i++) {
        struct hf_endpoint from, to;
        hf_handle a, b;
        hf_bench_ends(&w->pair, i, &from, &to);
        hf_bench_connect(&w->pair, &from, &to, &a, &b);
    }
}

static void open_lives(struct hf_bench *w)
{
    struct hf_config cfg;
    hf_config_init(&cfg, sizeof cfg);
    cfg.max_connections += w->setup.idle;
    hf_bench_pair_open(&w->pair, &cfg, false);
    open_idle(w);
    /* As many enter TIME-WAIT as leave it; the warm-up fills it. */
    w->pair.round_ns = 2 * cfg.msl_ns / (LIVE_MOST * 3 / 4);
    (void)run_lives(w, LIVE_MOST);
    struct hf_stack_info info;
    hf_stack_info(w->pair.a.stack, &info);
    HF_BENCH_CHECK(info.time_wait > LIVE_MOST / 2 && info.time_wait < LIVE_MOST);
    HF_BENCH_CHECK(info.connections == w->setup.idle);
}

const struct hf_bench_case hf_bench_lifecycle = {
    .name = "lifecycle",
    .line = "open and close without data, TIME-WAIT included",
    .per = "connection",
    .knows = HF_BENCH_IDLE | HF_BENCH_ADDRESSES,
    .open = open_lives,
    .run = run_lives,
    .counted = 4000,
    .timed = 50000,
};
