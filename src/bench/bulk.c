/**
 * Data one way: written, cut, carried, summed, acknowledged, read and compared with what was
 * written.
 */
#include "bench/bench.h"

#include <string.h>

enum {
    SOURCE_STEP = 4093, /* a prime: no two writes in a row begin alike */
    PLAIN_BYTES = 1460,
    STAMPED_BYTES = 1448,
    SUPER_SEGS = 45, /* whole segments that fit in one packet */
    WARM_UP = 64,    /* past slow start and the quick ACKs */
};

/** Takes what has arrived; how many bytes. */
static uint32_t take(struct hf_bench_pair *w, hf_handle conn, uint8_t *to)
{
    struct hf_event event;
    uint32_t n = 0;
    while (hf_stack_event(w->b.stack, &event)) {
        HF_BENCH_CHECK(event.bits == HF_EV_READABLE);
        for (;;) {
            int64_t got =
                hf_receive(w->b.stack, conn, to + n, HF_BENCH_SOURCE_BYTES / 2, w->now_ns);
            if (got == HF_E_AGAIN)
                break;
            HF_BENCH_CHECK(got > 0);
            n += (uint32_t)got;
        }
    }
    while (hf_stack_event(w->a.stack, &event))
        HF_BENCH_CHECK((event.bits & HF_EV_CLOSED) == 0);
    return n;
}

/** Sends n bytes that were not sent before, and takes them out at the other end. */
static void transfer(struct hf_bench *bench, uint32_t n)
{
    struct hf_bench_pair *w = &bench->pair;
    const uint8_t *bytes = w->source + bench->source_at;
    uint32_t received = 0;
    HF_BENCH_CHECK(hf_send(w->a.stack, bench->a_conns[0], bytes, n, 0, w->now_ns) == n);
    while (received < n) {
        HF_BENCH_CHECK(hf_bench_carry(w, &w->a, &w->b) > 0);
        received += take(w, bench->b_conns[0], w->sink + received);
    }
    HF_BENCH_CHECK(received == n && memcmp(w->sink, bytes, n) == 0);
    bench->source_at = (bench->source_at + SOURCE_STEP) % (HF_BENCH_SOURCE_BYTES / 2);
    hf_bench_pass(w, w->round_ns);
}

static void open_with(struct hf_bench *w, const struct hf_config *cfg, uint32_t batch)
{
    hf_bench_pair_open(&w->pair, cfg, false);
    w->pair.batch = batch;
    w->pair.round_ns = HF_US(400);
    w->payload_bytes = cfg->timestamps ? STAMPED_BYTES : PLAIN_BYTES;
    struct hf_endpoint from, to;
    hf_bench_ends(&w->pair, 0, &from, &to);
    hf_bench_connect(&w->pair, &from, &to, &w->a_conns[0], &w->b_conns[0]);
    for (unsigned i = 0; i < WARM_UP; i++)
        transfer(w, HF_BENCH_BURST * w->payload_bytes);
}

static void open_bulk(struct hf_bench *w)
{
    struct hf_config cfg;
    hf_config_init(&cfg, sizeof cfg);
    cfg.timestamps = w->setup.timestamps;
    open_with(w, &cfg, w->setup.batch ? HF_BENCH_BURST : 2);
}

static uint64_t run_bulk(struct hf_bench *w, uint64_t operations)
{
    uint64_t packets = w->pair.packets, done = 0;
    for (; done < operations; done += HF_BENCH_BURST)
        transfer(w, HF_BENCH_BURST * w->payload_bytes);
    /* An ACK for each batch, and full segments only. */
    uint64_t sent = w->pair.packets - packets, expected = done + done / w->pair.batch;
    HF_BENCH_CHECK(sent >= expected && sent <= expected + expected / 32 + 1);
    return done;
}

const struct hf_bench_case hf_bench_bulk = {
    .name = "bulk",
    .line = "a full segment: written, carried, read, compared",
    .per = "segment",
    .knows = HF_BENCH_TIMESTAMPS | HF_BENCH_BATCH,
    .open = open_bulk,
    .run = run_bulk,
    .counted = 6400,
    .timed = 320000,
};

static void open_super(struct hf_bench *w)
{
    struct hf_config cfg;
    hf_config_init(&cfg, sizeof cfg);
    cfg.offload_checksum = 1;
    cfg.offload_super_bytes = 65535;
    open_with(w, &cfg, HF_BENCH_BURST);
    w->pair.software_sum = w->setup.software;
    w->payload_bytes *= SUPER_SEGS;
}

static uint64_t run_super(struct hf_bench *w, uint64_t operations)
{
    uint64_t packets = w->pair.packets;
    for (uint64_t i = 0; i < operations; i++)
        transfer(w, w->payload_bytes);
    /* One, and its ACK. */
    HF_BENCH_CHECK(w->pair.packets - packets <= 2 * operations + operations / 8 + 1);
    return operations;
}

const struct hf_bench_case hf_bench_bulk_super = {
    .name = "bulk-super",
    .line = "the same with super-packets of 45 segments",
    .per = "super-packet",
    .knows = HF_BENCH_SOFTWARE,
    .open = open_super,
    .run = run_super,
    .counted = 400,
    .timed = 20000,
};
