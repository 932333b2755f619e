/**
 * Transfers over links of any kind, drawn from a seed: sizes, directions, profiles, options, and
 * all the trouble that a path knows. The same seed gives the same transfer.
 */
#ifndef HF_TEST_LAB_DRAWN_H
#define HF_TEST_LAB_DRAWN_H

#include <inttypes.h>
#include <stdio.h>

#include "lab/dice.h"
#include "lab/pair.h"
#include "lab/path_text.h"

struct drawn {
    struct hf_pair_scenario scenario;
    struct hf_config config[2]; /**< of A and B; the scenario points there */
    enum hf_profile profile[2];
};

/** From lo to hi, each power of two as likely as another; 0 < lo <= hi. */
static inline int64_t drawn_log(struct hf_dice *d, int64_t lo, int64_t hi)
{
    unsigned doublings = 0;
    while (lo << (doublings + 1) <= hi)
        doublings++;
    int64_t base = lo << hf_dice_below(d, doublings + 1);
    int64_t top = 2 * base < hi ? 2 * base : hi;
    return base + (int64_t)hf_dice_below(d, (uint64_t)(top - base) + 1);
}

static inline uint32_t drawn_ppm(struct hf_dice *d, int64_t lo, int64_t hi)
{
    return (uint32_t)drawn_log(d, lo, hi);
}

static inline bool drawn_one_in(struct hf_dice *d, unsigned n)
{
    return hf_dice_below(d, n) == 0;
}

static inline void drawn_loss(struct hf_dice *d, struct hf_path_config *p)
{
    switch (hf_dice_below(d, 8)) {
    case 0:
    case 1: p->loss_ppm = drawn_ppm(d, 100, 50000); return;
    case 2:
    case 3:
        p->burst_loss.good_to_bad_ppm = drawn_ppm(d, 100, 10000);
        p->burst_loss.bad_to_good_ppm = drawn_ppm(d, 250000, 700000);
        p->burst_loss.loss_bad_ppm = drawn_ppm(d, 300000, 800000);
        return;
    case 4: p->periodic_loss_packets = (uint32_t)drawn_log(d, 20, 1000); return;
    default: return;
    }
}

static inline void drawn_delay(struct hf_dice *d, struct hf_path_config *p)
{
    p->delay_ns = drawn_one_in(d, 8) ? 0 : drawn_log(d, HF_US(20), HF_MS(150));
    switch (hf_dice_below(d, 8)) {
    case 0:
    case 1:
        p->jitter_ns = (hf_ns)hf_dice_below(d, (uint64_t)p->delay_ns / 2 + 1);
        p->jitter_kind = drawn_one_in(d, 2) ? HF_PATH_JITTER_NORMAL : HF_PATH_JITTER_UNIFORM;
        p->jitter_keeps_order = drawn_one_in(d, 2);
        break;
    case 2:
        p->reorder_ppm = drawn_ppm(d, 500, 50000);
        p->reorder_wait_ns = p->delay_ns / 4 + HF_US(50); /* for packets that never come */
        break;
    case 3: p->late_ppm = drawn_ppm(d, 500, 20000); break;
    default: break;
    }
    if (drawn_one_in(d, 6))
        p->duplicate_ppm = drawn_ppm(d, 500, 50000);
    if (drawn_one_in(d, 12))
        p->corrupt_ppm = drawn_ppm(d, 100, 2000);
    if (drawn_one_in(d, 6))
        p->ack_loss_ppm = drawn_ppm(d, 10000, 300000);
    if (drawn_one_in(d, 6))
        p->ack_aggregate_ns = drawn_log(d, HF_US(200), HF_MS(20));
}

static inline void drawn_rate_changes(struct hf_dice *d, struct hf_path_config *p)
{
    hf_ns at_ns = 0;
    p->rate_change_count = 1 + (uint32_t)hf_dice_below(d, 4);
    for (uint32_t i = 0; i < p->rate_change_count; i++) {
        at_ns += drawn_log(d, HF_MS(20), HF_SEC(2));
        p->rate_changes[i] = (struct hf_path_rate_change){at_ns, drawn_log(d, 500000, 500000000)};
    }
}

static inline void drawn_queue(struct hf_dice *d, struct hf_path_config *p)
{
    p->rate_bps = drawn_log(d, 500000, 500000000);
    switch (hf_dice_below(d, 6)) {
    case 0:
    case 1: p->queue_limit_packets = (uint32_t)drawn_log(d, 5, 30); break;
    case 2: p->queue_limit_packets = (uint32_t)drawn_log(d, 200, 4000); break;
    case 3: p->queue = HF_PATH_CODEL; break;
    case 4: p->queue_limit_bytes = (uint64_t)drawn_log(d, 15000, 500000); break;
    default: p->queue_limit_packets = (uint32_t)drawn_log(d, 30, 200); break;
    }
    if (drawn_one_in(d, 8)) {
        p->policer.rate_bps = p->rate_bps / (int64_t)(1 + hf_dice_below(d, 4));
        p->policer.burst_bytes = (uint64_t)drawn_log(d, 10000, 200000);
    }
    if (drawn_one_in(d, 8))
        drawn_rate_changes(d, p);
}

static inline void drawn_path(struct hf_dice *d, struct hf_path_config *p)
{
    *p = (struct hf_path_config){0};
    drawn_queue(d, p);
    drawn_delay(d, p);
    drawn_loss(d, p);
}

/** Patience, so that no luck of the dice ends a connection: giving up is the matter of others. */
static inline void drawn_config(struct hf_dice *d, struct hf_config *c, enum hf_profile profile)
{
    hf_config_profile(c, sizeof *c, profile);
    c->syn_retries = c->synack_retries = 20;
    c->r2_retries = 60;
    c->orphan_ns = c->fin_wait_2_ns = HF_SEC(86400);
    c->offload_checksum = 1;
    if (drawn_one_in(d, 2))
        c->offload_super_bytes = 65535;
    if (drawn_one_in(d, 5))
        c->sack = 0;
    if (drawn_one_in(d, 5))
        c->timestamps = 0;
    if (drawn_one_in(d, 4))
        c->congestion_control = 1 + (int64_t)hf_dice_below(d, 2);
    if (drawn_one_in(d, 4))
        c->pacing = !c->pacing;
    if (drawn_one_in(d, 3))
        c->send_buffer_bytes = c->receive_buffer_bytes = 2 << 20;
}

static inline void drawn_make(struct drawn *t, uint64_t seed)
{
    struct hf_dice d = {seed};
    *t = (struct drawn){
        .scenario = {.seed = seed, .b.open = HF_APP_LISTEN, .limit_ns = HF_SEC(86400)}};
    struct hf_pair_scenario *s = &t->scenario;
    for (int i = 0; i < 2; i++) {
        t->profile[i] = (enum hf_profile)hf_dice_below(&d, HF_PROFILE_COUNT);
        drawn_config(&d, &t->config[i], t->profile[i]);
    }
    unsigned direction = (unsigned)hf_dice_below(&d, 3);
    if (direction != 1)
        s->a.send_bytes = (uint64_t)drawn_log(&d, 20000, 2000000);
    if (direction != 0)
        s->b.send_bytes = (uint64_t)drawn_log(&d, 20000, 2000000);
    s->v6 = drawn_one_in(&d, 4);
    s->a_config = &t->config[0];
    s->b_config = &t->config[1];
    s->ab.cut = s->ba.cut = true;
    drawn_path(&d, &s->ab.path);
    drawn_path(&d, &s->ba.path);
}

static inline void drawn_print_side(const struct drawn *t, unsigned i)
{
    const struct hf_config *c = &t->config[i];
    const struct hf_pair_scenario *s = &t->scenario;
    char text[HF_PATH_TEXT_MAX_BYTES];
    hf_path_print(i == 0 ? &s->ab.path : &s->ba.path, text);
    printf("  %c: %" PRIu64 " bytes, profile %s, congestion_control %" PRId64 ", pacing %" PRId64
           ", sack %" PRId64 ", timestamps %" PRId64 ", buffers %" PRId64 " and %" PRId64
           ", super-packets %" PRId64 "\n     link %s\n",
           'A' + (int)i, i == 0 ? s->a.send_bytes : s->b.send_bytes, hf_profile_name(t->profile[i]),
           c->congestion_control, c->pacing, c->sack, c->timestamps, c->send_buffer_bytes,
           c->receive_buffer_bytes, c->offload_super_bytes, text);
}

static inline void drawn_print(const struct drawn *t)
{
    drawn_print_side(t, 0);
    drawn_print_side(t, 1);
}

#endif
