/**
 * A bounded, sorted set of disjoint half-open ranges of stream offsets, in memory of the caller.
 * Add, find and drop in O(log n) plus the move of at most `capacity` small elements.
 */
#ifndef HF_STORE_RANGES_H
#define HF_STORE_RANGES_H

#include "../base.h"

struct hf_range {
    uint32_t begin, end; /**< [begin, end), compared modulo 2^32 around the set's base */
};

struct hf_ranges {
    struct hf_range *items; /**< owned by the caller */
    uint32_t capacity;
    uint32_t count;
};

/** Adds [begin, end), joining what touches it. All ranges of a set lie within 2^31 of each other.
 *  False, and nothing changed, when the set is full and the range joins none. */
HF_MUST_CHECK bool hf_ranges_add(struct hf_ranges *r, uint32_t begin, uint32_t end);
/** Removes everything before `offset`. */
void hf_ranges_drop_before(struct hf_ranges *r, uint32_t offset);
/** The range that contains offset, or NULL. */
const struct hf_range *hf_ranges_at(const struct hf_ranges *r, uint32_t offset);
/** The first range that has an offset in [begin, end), or NULL. */
const struct hf_range *hf_ranges_overlap(const struct hf_ranges *r, uint32_t begin, uint32_t end);
/** Sum of the lengths. */
uint32_t hf_ranges_bytes(const struct hf_ranges *r);

#endif
