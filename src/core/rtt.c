/**
 * Round-trip estimator and retransmission timeout [RFC6298]. Owns struct hf_rtt; which segments are
 * timed, and when the timer runs, is the sender's business.
 */
#include "rtt.h"

/** G of RFC 6298: the timestamp clock ticks in milliseconds. */
#define GRANULARITY_NS HF_MS(1)
#define AFTER_LOST_SYN_NS HF_SEC(3)

/** A time >= 0 in units, rounded up. */
static inline uint32_t to_units(hf_ns t, uint64_t unit_ns)
{
    uint64_t units = ((uint64_t)t + unit_ns - 1) / unit_ns;
    return (uint32_t)hf_min_u64(units, UINT32_MAX);
}

/** The timeout without backoff. */
static hf_ns base_rto_ns(const struct hf_rtt *r, const struct hf_rtt_limits *limits)
{
    /* [RFC6298#2.1] */
    hf_ns rto_ns = limits->initial_ns;
    if (hf_rtt_is_known(r)) {
        /* [RFC6298#2.3] with K = 4; [RFC6298#4] a variance of zero counts as the granularity. */
        hf_ns variance_ns = hf_max_ns(GRANULARITY_NS, 4 * hf_rtt_rttvar_ns(r));
        if (limits->min_is_for_variance)
            variance_ns = hf_max_ns(variance_ns, limits->min_ns);
        rto_ns = hf_rtt_srtt_ns(r) + variance_ns;
    }
    if (r->syn_was_lost)
        rto_ns = hf_max_ns(rto_ns, AFTER_LOST_SYN_NS);
    /* [RFC6298#2.4] [RFC6298#2.5] */
    return hf_min_ns(hf_max_ns(rto_ns, limits->min_ns), limits->max_ns);
}

static void set_base_rto(struct hf_rtt *r, const struct hf_rtt_limits *limits)
{
    r->backoffs = 0;
    r->rto_us = to_units(base_rto_ns(r, limits), HF_US(1));
}

void hf_rtt_init(struct hf_rtt *r, const struct hf_rtt_limits *limits)
{
    *r = (struct hf_rtt){0};
    set_base_rto(r, limits);
}

/** Moves `from` towards `to` by the divisor-th part of the way. */
static uint32_t approach(uint32_t from, uint32_t to, uint64_t divisor)
{
    /* Steps are rounded up: rounded down, they would end short of a steady path's round trip. */
    if (to > from)
        return from + (uint32_t)((to - from + divisor - 1) / divisor);
    return from - (uint32_t)((from - to + divisor - 1) / divisor);
}

void hf_rtt_sample(struct hf_rtt *r, const struct hf_rtt_limits *limits, hf_ns rtt_ns,
                   uint32_t samples_per_rtt)
{
    /* 0 stands for "no sample yet", so an instant answer counts as one unit. */
    uint32_t sample = to_units(hf_max_ns(rtt_ns, 1), HF_RTT_UNIT_NS);
    uint64_t samples = hf_max_u32(samples_per_rtt, 1);
    if (!hf_rtt_is_known(r)) {
        /* [RFC6298#2.2] */
        r->srtt_8th_us = sample;
        r->rttvar_8th_us = sample / 2;
    } else {
        /* [RFC6298#2.3] RTTVAR first: it measures the distance from the *old* SRTT. Gains of 1/4
         * and 1/8, shared out among the samples of a round trip [RFC7323#G]. */
        uint32_t srtt = r->srtt_8th_us;
        uint32_t miss = sample > srtt ? sample - srtt : srtt - sample;
        r->rttvar_8th_us = approach(r->rttvar_8th_us, miss, 4 * samples);
        r->srtt_8th_us = approach(srtt, sample, 8 * samples);
    }
    /* A fresh sample ends backoff and the caution after a lost SYN [RFC6298#5]. */
    r->syn_was_lost = r->was_probed = false;
    set_base_rto(r, limits);
}

void hf_rtt_backoff(struct hf_rtt *r, const struct hf_rtt_limits *limits)
{
    r->rto_us = to_units(hf_min_ns(2 * hf_rtt_rto_ns(r), limits->max_ns), HF_US(1));
    if (r->backoffs < UINT16_MAX)
        r->backoffs++;
}

void hf_rtt_after_syn_retransmit(struct hf_rtt *r, const struct hf_rtt_limits *limits)
{
    r->syn_was_lost = true;
    set_base_rto(r, limits);
}
