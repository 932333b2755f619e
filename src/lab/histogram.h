/**
 * Counts of times, in buckets that are a sixteenth of their value wide: what is read from it is at
 * most 1/16 too large, from nanoseconds to years.
 */
#ifndef HF_LAB_HISTOGRAM_H
#define HF_LAB_HISTOGRAM_H

#include <handfast/handfast.h>

enum { HF_HISTOGRAM_BUCKETS = 960 };

/** All zero: empty. Fields are for reading only. */
struct hf_histogram {
    uint64_t counts[HF_HISTOGRAM_BUCKETS];
    uint64_t count;
    hf_ns max_ns; /**< exactly */
};

/** Adds a time; one below 0 counts as 0. */
void hf_histogram_add(struct hf_histogram *h, hf_ns value_ns);
/** The smallest time that at least this many in a million are not above, rounded up to its bucket's
 *  end but never above the largest; 0 if there is none. */
hf_ns hf_histogram_quantile(const struct hf_histogram *h, uint32_t ppm);

#endif
