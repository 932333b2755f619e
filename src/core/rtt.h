/**
 * Round-trip estimator and retransmission timeout [RFC6298].
 *
 * Knows nothing of segments or timers: the sender feeds samples and expiries and reads the timeout.
 * Invariant: min_ns <= RTO <= max_ns to the microsecond, after every call. The timeout is rounded
 * up, so that nothing is sent again earlier than the RFC computes.
 */
#ifndef HF_CORE_RTT_H
#define HF_CORE_RTT_H

#include "base.h"

/** Settings, the same for all connections of a stack; 0 < min_ns <= initial_ns <= max_ns. */
struct hf_rtt_limits {
    hf_ns initial_ns; /**< RTO until the first sample */
    hf_ns min_ns, max_ns;
    bool min_is_for_variance; /**< false: RTO = max(SRTT + 4 RTTVAR, min), as RFC 6298; true:
                                   RTO = SRTT + max(4 RTTVAR, min), as Linux */
};

enum { HF_RTT_UNIT_NS = 125 };

/** 16 bytes: every connection has one. Reaches 536 s of round trip and 71 min of timeout. */
struct hf_rtt {
    uint32_t srtt_8th_us;   /**< smoothed round trip, 1/8 us; 0 until the first sample */
    uint32_t rttvar_8th_us; /**< smoothed mean deviation of the samples, 1/8 us */
    uint32_t rto_us;        /**< timeout to arm next, backoff included */
    uint16_t backoffs;      /**< how often the timeout was doubled since the last sample */
    bool syn_was_lost;      /**< no sample since a retransmitted SYN was answered */
    bool was_probed;        /**< no sample since the sender set this, for a loss probe */
};
_Static_assert(sizeof(struct hf_rtt) == 16, "part of a connection that is laid out by hand");

void hf_rtt_init(struct hf_rtt *r, const struct hf_rtt_limits *limits);

/**
 * Takes a sample >= 0, never of a retransmission without timestamps: Karn's rule is the caller's
 * [RFC6298#3]. samples_per_rtt: how many samples a round trip brings, 1 with one timed segment; the
 * gains are divided by it, so that the memory of the estimator spans the same time [RFC7323#G].
 */
void hf_rtt_sample(struct hf_rtt *r, const struct hf_rtt_limits *limits, hf_ns rtt_ns,
                   uint32_t samples_per_rtt);

/** The retransmission timer expired: doubles the timeout [RFC6298#5.5]. */
void hf_rtt_backoff(struct hf_rtt *r, const struct hf_rtt_limits *limits);
/** Data transfer begins on a connection whose SYN or SYN,ACK was sent again [RFC6298#5.7]. */
void hf_rtt_after_syn_retransmit(struct hf_rtt *r, const struct hf_rtt_limits *limits);

static inline bool hf_rtt_is_known(const struct hf_rtt *r)
{
    return r->srtt_8th_us != 0;
}
static inline hf_ns hf_rtt_srtt_ns(const struct hf_rtt *r)
{
    return (hf_ns)r->srtt_8th_us * HF_RTT_UNIT_NS;
}
static inline hf_ns hf_rtt_rttvar_ns(const struct hf_rtt *r)
{
    return (hf_ns)r->rttvar_8th_us * HF_RTT_UNIT_NS;
}
static inline hf_ns hf_rtt_rto_ns(const struct hf_rtt *r)
{
    return HF_US(r->rto_us);
}

#endif
