/**
 * A path with enough slots, packets with numbers, and what came out: for the tests of the path
 * model. Time moves from deadline to deadline, as a user's does.
 */
#ifndef HF_TEST_PATH_BENCH_H
#define HF_TEST_PATH_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab/path.h"

enum { BENCH_PACKETS = 200000, BENCH_ARRIVALS = 2 * BENCH_PACKETS };

struct bench_arrival {
    uint32_t number;
    hf_ns at_ns;
    enum hf_path_fate fate;
    bool again;
    uint64_t corrupt_bit;
};

struct bench {
    struct hf_path path;
    struct hf_path_slot slots[BENCH_PACKETS];
    uint8_t packets[BENCH_PACKETS]; /* a packet is a place here: its number is the index */
    enum hf_path_fate fates[BENCH_PACKETS];
    uint32_t sent;
    struct bench_arrival arrivals[BENCH_ARRIVALS];
    uint32_t arrived;
};

/** At time 0. One at a time. */
static inline struct bench *bench_open(const struct hf_path_config *config, uint64_t seed)
{
    static struct bench b;
    b.sent = b.arrived = 0;
    hf_path_init(&b.path, config, seed, b.slots, BENCH_PACKETS, 0);
    return &b;
}

/** The rule that holds at every moment. */
static inline void bench_account(const struct bench *b)
{
    const struct hf_path_stats *s = &b->path.stats;
    uint64_t lost = 0, all = 0;
    for (unsigned i = 0; i < HF_PATH_FATES; i++) {
        all += s->fates[i];
        lost += hf_path_is_lost((enum hf_path_fate)i) ? s->fates[i] : 0;
    }
    assert_int_equal(s->sent, s->delivered + s->lost + s->waiting);
    assert_int_equal(s->sent, all);
    assert_int_equal(s->lost, lost);
    assert_true(s->queue_packets <= s->waiting + 1);
}

static inline enum hf_path_fate bench_send_packet(struct bench *b, uint32_t length_bytes,
                                                  bool is_pure_ack, hf_ns now)
{
    assert_true(b->sent < BENCH_PACKETS);
    struct hf_path_packet packet = {&b->packets[b->sent], length_bytes, is_pure_ack};
    enum hf_path_fate fate = hf_path_send(&b->path, &packet, now);
    b->fates[b->sent++] = fate;
    return fate;
}

static inline enum hf_path_fate bench_send(struct bench *b, uint32_t length_bytes, hf_ns now)
{
    return bench_send_packet(b, length_bytes, false, now);
}

/** Takes all that comes up to and including this instant, at the deadlines on the way there. */
static inline void bench_run(struct bench *b, hf_ns until_ns)
{
    for (hf_ns now; (now = hf_path_deadline(&b->path)) <= until_ns;) {
        struct hf_path_arrival a;
        if (now == HF_NEVER)
            return;
        bench_account(b);
        while (hf_path_take(&b->path, now, &a)) {
            assert_true(b->arrived < BENCH_ARRIVALS);
            assert_int_equal(a.at_ns, now);
            b->arrivals[b->arrived++] =
                (struct bench_arrival){(uint32_t)((uint8_t *)a.packet - b->packets), a.at_ns,
                                       a.fate, a.again, a.corrupt_bit};
        }
    }
}

/** Until the path is empty. */
static inline void bench_finish(struct bench *b)
{
    bench_run(b, HF_NEVER);
    bench_account(b);
    assert_int_equal(b->path.stats.waiting, 0);
}

#endif
