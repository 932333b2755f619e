/**
 * Pacing: spreads what the congestion window admits over the round trip, so that a queue on the
 * path sees no bursts.
 *
 * Bound: in any span t no more leaves than rate * t, what the rate gives in HF_PACER_SLACK_NS, and
 * one packet, which is no larger than that or hf_pacer_segs; and, once in a flight, an initial
 * window.
 */
#ifndef HF_CORE_PACER_H
#define HF_CORE_PACER_H

#include "base.h"

/** A packet may be as large as so many segments, however slow the rate: two, or more where many
 *  flights share what time there is for packets. Two hundred connections that sent two at a time
 *  had none left to read. Only links that cut packets see it. */
enum { HF_PACER_SEGS_MIN = 2, HF_PACER_SEGS_MOST = 8, HF_PACER_FLIGHTS_EACH = 16 };
/** Timers come late by less than this: what they miss is made up for. Also the length of what
 *  leaves at once. */
#define HF_PACER_SLACK_NS HF_MS(1)

struct hf_pacer {
    hf_ns next_at;       /**< nothing leaves before; INT64_MIN: at the start */
    uint32_t free_bytes; /**< left of the initial window: they take no time */
    bool waits;          /**< something would leave, but for next_at */
};

/** The rate, as the time that a window takes: bytes of it leave in span_ns. 0: without limit. */
struct hf_pace {
    uint32_t window_bytes;
    hf_ns span_ns;
};

/** Of a window and a round trip. Twice as fast in slow start, where the window doubles, and faster
 *  by a fifth later, so that it is the window that limits. */
static inline struct hf_pace hf_pace_make(uint32_t cwnd_bytes, hf_ns srtt_ns, bool slow_start)
{
    return (struct hf_pace){cwnd_bytes, slow_start ? srtt_ns / 2 : srtt_ns - srtt_ns / 6};
}

static inline hf_ns hf_pace_span(const struct hf_pace *p, uint32_t bytes)
{
    return (hf_ns)((uint64_t)bytes * (uint64_t)p->span_ns / p->window_bytes);
}

/** So many segments are no burst, beside so many flights. */
static inline uint32_t hf_pacer_segs(uint32_t flights)
{
    uint32_t segs = hf_max_u32(HF_PACER_SEGS_MIN, flights / HF_PACER_FLIGHTS_EACH);
    return hf_min_u32(segs, HF_PACER_SEGS_MOST);
}

/** The largest packet that may leave at once; at least `least`. */
static inline uint32_t hf_pace_burst_bytes(const struct hf_pace *p, uint32_t least)
{
    uint64_t bytes = (uint64_t)p->window_bytes * (uint64_t)HF_PACER_SLACK_NS / (uint64_t)p->span_ns;
    return bytes > UINT32_MAX ? UINT32_MAX : hf_max_u32((uint32_t)bytes, least);
}

/** At the start of a flight: these may leave at once. */
static inline void hf_pacer_start(struct hf_pacer *p, uint32_t initial_bytes, hf_ns now)
{
    p->next_at = now;
    p->free_bytes = initial_bytes;
}

/** What a packet of these bytes takes at the rate: nothing, as far as it is of the first ones. */
static inline hf_ns hf_pacer_span(const struct hf_pacer *p, const struct hf_pace *pace,
                                  uint32_t bytes)
{
    return hf_pace_span(pace, hf_rest_u32(bytes, p->free_bytes));
}

/** Notes what leaves now, and takes span_ns. */
static inline void hf_pacer_sent(struct hf_pacer *p, uint32_t bytes, hf_ns span_ns, hf_ns now)
{
    p->free_bytes = hf_rest_u32(p->free_bytes, bytes);
    if (span_ns > 0)
        p->next_at = hf_max_ns(p->next_at, now - HF_PACER_SLACK_NS) + span_ns;
}

#endif
