/**
 * What a run came to. Whole numbers all along, so that they are the same on every machine.
 */
#include "core/base.h"
#include "sim.h"

enum { PERMILLE = 1000, IP_TCP_BYTES = 40, TIMESTAMP_BYTES = 12, NS_IN_US = 1000 };
enum { PPM = 1000000, SUM_BITS = 40 };
#define BITS INT64_C(8)
#define US_IN_SECOND INT64_C(1000000)

/** n * times / by, where n % by * times fits. Spans are in microseconds for that. */
static int64_t scaled(int64_t n, int64_t times, int64_t by)
{
    return n / by * times + n % by * times / by;
}

int64_t hf_sim_rate_bps(uint64_t bytes, hf_ns span_ns)
{
    int64_t span_us = span_ns / NS_IN_US;
    return span_us <= 0 ? 0 : scaled((int64_t)bytes * BITS, US_IN_SECOND, span_us);
}

/* ---- what a link could do ----------------------------------------------------------------- */

static int64_t least_rate(const struct hf_path_config *c, int64_t rate_bps)
{
    if (c->shaper.rate_bps > 0 && (rate_bps == 0 || c->shaper.rate_bps < rate_bps))
        rate_bps = c->shaper.rate_bps;
    if (c->policer.rate_bps > 0 && (rate_bps == 0 || c->policer.rate_bps < rate_bps))
        rate_bps = c->policer.rate_bps;
    return rate_bps;
}

/** The rate at an instant, and until when it holds. */
static int64_t rate_at(const struct hf_path_config *c, hf_ns at_ns, hf_ns *until_ns)
{
    int64_t rate_bps = c->rate_bps;
    *until_ns = HF_NEVER;
    for (uint32_t i = 0; i < c->rate_change_count; i++) {
        if (c->rate_changes[i].at_ns > at_ns) {
            *until_ns = c->rate_changes[i].at_ns;
            break;
        }
        rate_bps = c->rate_changes[i].rate_bps;
    }
    return least_rate(c, rate_bps);
}

/** How many bits can pass in a span. */
static int64_t capacity_bits(const struct hf_path_config *c, hf_ns from_ns, hf_ns until_ns)
{
    int64_t sum = 0;
    while (from_ns < until_ns) {
        hf_ns holds_ns;
        int64_t rate_bps = rate_at(c, from_ns, &holds_ns);
        hf_ns end_ns = hf_min_ns(holds_ns, until_ns);
        sum += scaled(rate_bps, (end_ns - from_ns) / NS_IN_US, US_IN_SECOND);
        from_ns = end_ns;
    }
    return sum;
}

/** When so many bytes have left that began to leave at from_ns. */
static hf_ns serialised_ns(const struct hf_path_config *c, hf_ns from_ns, uint64_t bytes)
{
    int64_t left_bits = (int64_t)bytes * BITS;
    for (;;) {
        hf_ns holds_ns;
        int64_t rate_bps = rate_at(c, from_ns, &holds_ns);
        if (rate_bps == 0)
            return from_ns;
        hf_ns end_ns = from_ns + scaled(left_bits, US_IN_SECOND, rate_bps) * NS_IN_US;
        if (end_ns <= holds_ns)
            return end_ns;
        left_bits -= capacity_bits(c, from_ns, holds_ns);
        from_ns = holds_ns;
    }
}

/* ---- flows -------------------------------------------------------------------------------- */

/** Payload of a full segment: the MTU of the smaller host without headers and timestamps. */
static uint64_t segment_bytes(const struct hf_sim_flow *f)
{
    const struct hf_config *a = &f->from->plan->config, *b = &f->to->plan->config;
    int64_t mtu = a->mtu_bytes < b->mtu_bytes ? a->mtu_bytes : b->mtu_bytes;
    bool has_timestamps = a->timestamps == 1 && b->timestamps != 0;
    return (uint64_t)(mtu - IP_TCP_BYTES - (has_timestamps ? TIMESTAMP_BYTES : 0));
}

static uint64_t wire_bytes(const struct hf_sim_flow *f, uint64_t bytes)
{
    const struct hf_config *a = &f->from->plan->config, *b = &f->to->plan->config;
    int64_t mtu = a->mtu_bytes < b->mtu_bytes ? a->mtu_bytes : b->mtu_bytes;
    uint64_t each = segment_bytes(f), segs = (bytes + each - 1) / each;
    return bytes + segs * ((uint64_t)mtu - each);
}

/** One round trip for the handshake; then all bytes at the link's rate, and the way of the last. */
static hf_ns ideal_ns(const struct hf_sim *sim, const struct hf_sim_flow *f, uint64_t bytes)
{
    bool is_back = f->from->plan->side == HF_SCENARIO_RIGHT;
    const struct hf_path_config *out = is_back ? &sim->scenario->back : &sim->scenario->forward;
    const struct hf_path_config *in = is_back ? &sim->scenario->forward : &sim->scenario->back;
    hf_ns access_ns = f->from->plan->delay_ns + f->to->plan->delay_ns;
    hf_ns round_ns = out->delay_ns + in->delay_ns + 2 * access_ns;
    hf_ns begin_ns = f->plan->start_ns + round_ns;
    hf_ns end_ns = serialised_ns(out, begin_ns, wire_bytes(f, bytes));
    return end_ns + out->delay_ns + access_ns - f->plan->start_ns;
}

void hf_sim_figures(const struct hf_sim *sim, unsigned flow, struct hf_sim_figures *out)
{
    const struct hf_sim_flow *f = &sim->flows[flow];
    bool is_complete = f->completed_at_ns != HF_NEVER;
    *out = (struct hf_sim_figures){.bytes = f->delivered_bytes, .is_complete = is_complete};
    if (!f->started)
        return;
    out->duration_ns = (is_complete ? f->completed_at_ns : sim->ended_ns) - f->plan->start_ns;
    if (f->rtt_count > 0)
        out->rtt_mean_ns = f->rtt_sum_ns / (hf_ns)f->rtt_count;
    if (f->delivered_bytes == 0 || out->duration_ns == 0)
        return;
    out->goodput_bps = hf_sim_rate_bps(f->delivered_bytes, out->duration_ns);
    out->ideal_ns = ideal_ns(sim, f, f->delivered_bytes);
    /* A perfect wire with a bottleneck only on the way back takes no time: no ratio to tell. */
    if (out->ideal_ns > 0)
        out->ratio_permille = out->duration_ns * PERMILLE / out->ideal_ns;
}

/* ---- the whole ---------------------------------------------------------------------------- */

static uint64_t common_bytes(const struct hf_sim_flow *f)
{
    return f->common_until_bytes - f->common_from_bytes;
}

/** Those that do not share a bottleneck have nothing to share fairly. */
static bool all_go_one_way(const struct hf_sim *sim)
{
    for (unsigned i = 1; i < sim->flow_count; i++)
        if (sim->flows[i].from->plan->side != sim->flows[0].from->plan->side)
            return false;
    return true;
}

int64_t hf_sim_jain_permille(const struct hf_sim *sim)
{
    uint64_t sum = 0, squares = 0;
    unsigned shift = 0;
    if (sim->flow_count < 2 || sim->common_until_ns <= sim->common_from_ns ||
        sim->started_count < sim->flow_count || !all_go_one_way(sim))
        return -1;
    for (unsigned i = 0; i < sim->flow_count; i++)
        sum += common_bytes(&sim->flows[i]);
    while (sum >> shift >> SUM_BITS != 0)
        shift++;
    if (sum == 0)
        return -1;
    /* By shares of the sum: 1 / (n * sum of their squares). */
    for (unsigned i = 0; i < sim->flow_count; i++) {
        uint64_t share = (common_bytes(&sim->flows[i]) >> shift) * PPM / (sum >> shift);
        squares += share * share;
    }
    return (int64_t)((uint64_t)PERMILLE * PPM * PPM / (squares * sim->flow_count));
}

int64_t hf_sim_utilisation_permille(const struct hf_sim *sim, bool is_back)
{
    const struct hf_path_config *c = is_back ? &sim->scenario->back : &sim->scenario->forward;
    const struct hf_sim_way *w = is_back ? &sim->back : &sim->forward;
    int64_t could_bits = capacity_bits(c, 0, sim->ended_ns);
    if (could_bits == 0)
        return -1;
    return (int64_t)w->path.stats.delivered_bytes * BITS * PERMILLE / could_bits;
}

const char *hf_sim_fate_name(enum hf_path_fate fate)
{
    static const char *const names[HF_PATH_FATES] = {
        [HF_PATH_DELIVERED] = "delivered",
        [HF_PATH_CORRUPTED] = "corrupted",
        [HF_PATH_DUPLICATED] = "duplicated",
        [HF_PATH_REORDERED] = "reordered",
        [HF_PATH_LATE] = "late",
        [HF_PATH_LOST_RANDOM] = "lost_random",
        [HF_PATH_LOST_BURST] = "lost_burst",
        [HF_PATH_LOST_PERIODIC] = "lost_periodic",
        [HF_PATH_LOST_ACK] = "lost_ack",
        [HF_PATH_LOST_POLICER] = "lost_policer",
        [HF_PATH_LOST_QUEUE] = "lost_queue",
        [HF_PATH_LOST_CODEL] = "lost_codel",
        [HF_PATH_LOST_NO_SLOT] = "lost_no_slot",
        [HF_PATH_LOST_BY_CALLER] = "lost_by_caller",
    };
    return (unsigned)fate < HF_PATH_FATES ? names[fate] : "unknown";
}
