/**
 * The token bucket as a "virtual schedule": instead of tokens it keeps the instant at which the
 * bucket would be full. Each token taken puts that off by the time one token needs to come back.
 */
#include "rate.h"

enum { BURST_MAX = 1000000000 }; /* so that burst * interval stays below 2^63 */

bool hf_rate_take(struct hf_rate *r, int64_t per_second, int64_t burst, hf_ns now)
{
    if (per_second == 0)
        return false;
    hf_ns interval_ns = (HF_SEC(1) + per_second - 1) / per_second;
    hf_ns capacity_ns = interval_ns * (burst < BURST_MAX ? burst : BURST_MAX);
    hf_ns full_at = r->full_at;
    /* Further ahead than an empty bucket: written under other settings or another clock. */
    if (full_at < now || full_at > hf_ns_add(now, capacity_ns))
        full_at = now;
    if (full_at - now > capacity_ns - interval_ns)
        return false;
    r->full_at = hf_ns_add(full_at, interval_ns);
    return true;
}
