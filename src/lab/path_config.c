/**
 * What a path's configuration may say, and how much room it takes.
 */
#include "core/base.h"
#include "path_parts.h"

static bool is_span(hf_ns span_ns)
{
    return span_ns >= 0 && span_ns <= HF_PATH_SPAN_MAX_NS;
}

static bool is_rate(int64_t rate_bps)
{
    return rate_bps >= 0 && rate_bps <= HF_PATH_RATE_MAX_BPS;
}

static bool chances_are_right(const struct hf_path_config *c)
{
    const uint32_t all[] = {c->loss_ppm,
                            c->burst_loss.good_to_bad_ppm,
                            c->burst_loss.bad_to_good_ppm,
                            c->burst_loss.loss_bad_ppm,
                            c->burst_loss.loss_good_ppm,
                            c->ack_loss_ppm,
                            c->duplicate_ppm,
                            c->corrupt_ppm,
                            c->late_ppm,
                            c->reorder_ppm};
    for (size_t i = 0; i < HF_COUNT_OF(all); i++)
        if (all[i] > HF_PATH_PPM)
            return false;
    return true;
}

static bool spans_are_right(const struct hf_path_config *c)
{
    const hf_ns all[] = {c->delay_ns,         c->late_ns,         c->reorder_wait_ns,  c->jitter_ns,
                         c->ack_aggregate_ns, c->codel_target_ns, c->codel_interval_ns};
    for (size_t i = 0; i < HF_COUNT_OF(all); i++)
        if (!is_span(all[i]))
            return false;
    return true;
}

static bool bucket_is_right(const struct hf_path_bucket *b)
{
    return b->rate_bps == 0 ? b->burst_bytes == 0
                            : is_rate(b->rate_bps) && b->burst_bytes > 0 &&
                                  b->burst_bytes <= HF_PATH_BURST_MAX_BYTES;
}

static const char *check_rate_changes(const struct hf_path_config *c)
{
    if (c->rate_change_count > HF_PATH_RATE_CHANGES_MAX)
        return "there are more than 32 changes of the rate";
    for (uint32_t i = 0; i < c->rate_change_count; i++) {
        if (c->rate_changes[i].rate_bps == 0 || !is_rate(c->rate_changes[i].rate_bps))
            return "a rate that is changed to is from 1bit to 1000gbit";
        if (c->rate_changes[i].at_ns < 0 || c->rate_changes[i].at_ns > HF_PATH_CHANGE_MAX_NS)
            return "the rate changes in the first 1000000s";
        if (i > 0 && c->rate_changes[i].at_ns <= c->rate_changes[i - 1].at_ns)
            return "changes of the rate are in the order of time, each at another";
    }
    return NULL;
}

static const char *check_queue(const struct hf_path_config *c)
{
    bool is_limited = c->queue_limit_packets > 0 || c->queue_limit_bytes > 0;
    bool is_codel = c->queue == HF_PATH_CODEL;
    bool has_queue = c->rate_bps > 0 || c->rate_change_count > 0 || c->shaper.rate_bps > 0;
    if ((is_limited || is_codel) && !has_queue)
        return "a queue needs a rate or a shaper that makes packets wait";
    if (c->codel_interval_ns > HF_PATH_CODEL_MAX_NS)
        return "CoDel's interval is at most 4s";
    return NULL;
}

const char *hf_path_config_check(const struct hf_path_config *c)
{
    if (!is_rate(c->rate_bps))
        return "a rate is from 0 (without limit) to 1000gbit";
    if (!chances_are_right(c))
        return "a chance is from 0% to 100%";
    if (!spans_are_right(c))
        return "a time is from 0 to 3600s";
    if (!bucket_is_right(&c->shaper) || !bucket_is_right(&c->policer))
        return "a shaper or policer has a rate up to 1000gbit and a burst from 1 byte to 512M";
    if (c->reorder_min_packets > c->reorder_max_packets)
        return "a packet is held back for at least 1 packet, and at most for not fewer";
    if (c->reorder_min_packets == 0 && c->reorder_max_packets > 0)
        return "a packet is held back for at least 1 packet";
    const char *wrong = check_rate_changes(c);
    return wrong != NULL ? wrong : check_queue(c);
}

/* The highest rate at which packets set out on their way; 0: as fast as they come. */
static int64_t top_rate(const struct hf_path_config *c)
{
    int64_t rate_bps = c->rate_bps;
    if (rate_bps == 0)
        return c->shaper.rate_bps;
    for (uint32_t i = 0; i < c->rate_change_count; i++)
        if (c->rate_changes[i].rate_bps > rate_bps)
            rate_bps = c->rate_changes[i].rate_bps;
    return rate_bps;
}

uint32_t hf_path_slots_needed(const struct hf_path_config *config, uint32_t packet_bytes,
                              int64_t ingress_bps, uint32_t max)
{
    const struct hf_path_config *c = config;
    int64_t rate_bps = top_rate(c) > 0 ? top_rate(c) : ingress_bps;
    hf_ns late_ns = c->late_ns > 0 ? c->late_ns : 2 * c->delay_ns + HF_MS(1);
    hf_ns held_ns = c->reorder_wait_ns > 0 ? c->reorder_wait_ns : HF_MS(100);
    hf_ns span_ns = c->delay_ns + hf_path_jitter_reach(c) + c->ack_aggregate_ns +
                    hf_max_ns(c->late_ppm > 0 ? late_ns : 0, c->reorder_ppm > 0 ? held_ns : 0);
    /* In thousandths of seconds and of bits, rounded up: the product stays in range. */
    uint64_t on_way_bytes =
        (uint64_t)(rate_bps / 1000 + 1) * (uint64_t)(span_ns / HF_MS(1) + 1) / 8;
    uint64_t packets = (on_way_bytes + c->shaper.burst_bytes) / packet_bytes + 64;
    if (c->queue_limit_packets > 0)
        packets += c->queue_limit_packets;
    else if (c->queue_limit_bytes > 0)
        packets += c->queue_limit_bytes / packet_bytes;
    else
        packets += HF_PATH_QUEUE_PACKETS;
    return packets < max ? (uint32_t)packets : max;
}
