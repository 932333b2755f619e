/**
 * The path model's chance: the policer and all that can happen to a packet by itself. Leaves queue
 * and time to path.c.
 *
 * Every packet that passes the policer draws the same numbers, whatever they decide: raising one
 * chance changes no other fate but by what was lost or marked already.
 */
#include "core/base.h"
#include "path_parts.h"

/* The state changes first, then its chance counts. */
static bool is_lost_in_burst(struct hf_path *p)
{
    const struct hf_path_burst_loss *b = &p->config.burst_loss;
    if (b->good_to_bad_ppm == 0 && b->loss_good_ppm == 0)
        return false;
    uint64_t change = hf_dice_below(&p->dice, HF_PATH_PPM);
    uint64_t loss = hf_dice_below(&p->dice, HF_PATH_PPM);
    if (change < (p->is_bad ? b->bad_to_good_ppm : b->good_to_bad_ppm))
        p->is_bad = !p->is_bad;
    return loss < (p->is_bad ? b->loss_bad_ppm : b->loss_good_ppm);
}

static bool is_lost_by_turn(const struct hf_path *p)
{
    uint32_t period = p->config.periodic_loss_packets;
    return period > 0 && p->judged % period == 0;
}

/* What each trouble has to say, in the order of precedence. */
static enum hf_path_fate fate_of(struct hf_path *p, const struct hf_path_packet *packet)
{
    const struct hf_path_config *c = &p->config;
    struct hf_dice *d = &p->dice;
    const bool wants[] = {
        [HF_PATH_LOST_RANDOM] = hf_dice_chance(d, c->loss_ppm),
        [HF_PATH_LOST_BURST] = is_lost_in_burst(p),
        [HF_PATH_LOST_PERIODIC] = is_lost_by_turn(p),
        [HF_PATH_LOST_ACK] = packet->is_pure_ack && hf_dice_chance(d, c->ack_loss_ppm),
        [HF_PATH_CORRUPTED] = hf_dice_chance(d, c->corrupt_ppm),
        [HF_PATH_DUPLICATED] = hf_dice_chance(d, c->duplicate_ppm),
        [HF_PATH_REORDERED] = hf_dice_chance(d, c->reorder_ppm),
        [HF_PATH_LATE] = hf_dice_chance(d, c->late_ppm),
    };
    static const enum hf_path_fate precedence[] = {
        HF_PATH_LOST_RANDOM, HF_PATH_LOST_BURST, HF_PATH_LOST_PERIODIC, HF_PATH_LOST_ACK,
        HF_PATH_CORRUPTED,   HF_PATH_DUPLICATED, HF_PATH_REORDERED,     HF_PATH_LATE};
    for (size_t i = 0; i < HF_COUNT_OF(precedence); i++)
        if (wants[precedence[i]])
            return precedence[i];
    return HF_PATH_DELIVERED;
}

static uint32_t hold_of(struct hf_path *p)
{
    uint32_t first = p->config.reorder_min_packets, last = p->config.reorder_max_packets;
    return first + (uint32_t)hf_dice_below(&p->dice, (uint64_t)last - first + 1);
}

/* The sum of twelve numbers, each even over a range of one, has a standard deviation of one and
 * is near enough to normal. */
static hf_ns normal_jitter(struct hf_path *p, hf_ns deviation_ns)
{
    int64_t sum = -6 * 65535;
    for (int i = 0; i < 3; i++) {
        uint64_t four = hf_dice_next(&p->dice);
        sum +=
            (int64_t)((four & 65535) + (four >> 16 & 65535) + (four >> 32 & 65535) + (four >> 48));
    }
    /* In two steps, so that an hour does not overflow. */
    hf_ns jitter_ns = deviation_ns / 65536 * sum + deviation_ns % 65536 * sum / 65536;
    hf_ns reach_ns = hf_path_jitter_reach(&p->config);
    return hf_max_ns(-reach_ns, hf_min_ns(jitter_ns, reach_ns));
}

static hf_ns jitter_of(struct hf_path *p)
{
    hf_ns jitter_ns = p->config.jitter_ns;
    switch (p->config.jitter_kind) {
    case HF_PATH_JITTER_UNIFORM:
        return (hf_ns)hf_dice_below(&p->dice, 2 * (uint64_t)jitter_ns + 1) - jitter_ns;
    case HF_PATH_JITTER_NORMAL: return normal_jitter(p, jitter_ns);
    }
    HF_UNREACHABLE("jitter of no kind");
}

struct hf_path_plan hf_path_judge(struct hf_path *p, const struct hf_path_packet *packet, hf_ns now)
{
    const struct hf_path_config *c = &p->config;
    struct hf_path_plan plan = {.fate = HF_PATH_LOST_POLICER};
    if (c->policer.rate_bps > 0 &&
        !hf_path_tokens_take(&p->policer, &c->policer, packet->length_bytes,
                             hf_max_ns(now, p->now_ns)))
        return plan;
    p->judged++;
    plan.fate = fate_of(p, packet);
    plan.wait_ns = c->reorder_wait_ns;
    plan.late_ns = c->late_ns;
    if (c->corrupt_ppm > 0)
        plan.corrupt_bit = hf_dice_below(&p->dice, 8 * (uint64_t)packet->length_bytes);
    if (c->reorder_ppm > 0)
        plan.hold_packets = hold_of(p);
    if (c->jitter_ns > 0)
        plan.jitter_ns = jitter_of(p);
    return plan;
}
