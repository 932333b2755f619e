/**
 * Buckets: 0 to 15 ns have one each; from there on each power of two is divided into 16.
 */
#include "histogram.h"

#include "core/base.h"

enum { STEPS_BITS = 4, STEPS = 1 << STEPS_BITS, PPM = 1000000 };

_Static_assert(HF_HISTOGRAM_BUCKETS == (63 - STEPS_BITS + 1) * STEPS, "up to 2^63 - 1");

static unsigned bucket_of(uint64_t value)
{
    if (value < STEPS)
        return (unsigned)value;
    unsigned top_bit = 63u - (unsigned)__builtin_clzll(value);
    unsigned shift = top_bit - STEPS_BITS;
    return (shift + 1) * STEPS + (unsigned)(value >> shift) % STEPS;
}

/* The largest value of a bucket. */
static hf_ns end_of(unsigned bucket)
{
    if (bucket < STEPS)
        return bucket;
    unsigned shift = bucket / STEPS - 1;
    uint64_t after = (uint64_t)(STEPS + bucket % STEPS + 1) << shift;
    return (hf_ns)(after - 1);
}

void hf_histogram_add(struct hf_histogram *h, hf_ns value_ns)
{
    hf_ns value = hf_max_ns(0, value_ns);
    h->counts[bucket_of((uint64_t)value)]++;
    h->count++;
    h->max_ns = hf_max_ns(h->max_ns, value);
}

hf_ns hf_histogram_quantile(const struct hf_histogram *h, uint32_t ppm)
{
    /* In parts, so that no count is too large to be multiplied. */
    uint64_t wanted = h->count / PPM * ppm + (h->count % PPM * ppm + PPM - 1) / PPM;
    uint64_t below = 0;
    for (unsigned b = 0; b < HF_HISTOGRAM_BUCKETS; b++) {
        below += h->counts[b];
        if (below > 0 && below >= wanted)
            return hf_min_ns(end_of(b), h->max_ns);
    }
    return 0;
}
