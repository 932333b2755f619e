/**
 * A token bucket in one instant: limits what is sent to strangers (RST, ICMP), bursts allowed.
 */
#ifndef HF_CORE_RATE_H
#define HF_CORE_RATE_H

#include "base.h"

struct hf_rate {
    hf_ns full_at; /**< when the bucket is full again; all-zero is a full bucket */
};

/**
 * Takes a token if there is one. The bucket holds `burst` >= 0 tokens and gains per_second >= 0 a
 * second (rounded so that it is never more); if either is 0 there is none, ever.
 */
HF_MUST_CHECK bool hf_rate_take(struct hf_rate *r, int64_t per_second, int64_t burst, hf_ns now);

#endif
