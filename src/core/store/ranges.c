/*
 * Sorted sets of disjoint ranges of stream offsets.
 *
 * Owns nothing: the array is the caller's. Offsets wrap, so they are compared by signed distance;
 * that orders any offsets which lie within 2^31 of each other, as those of one window do.
 */
#include "ranges.h"

static bool is_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

/** The number of ranges that end before `offset`. */
static uint32_t count_ending_before(const struct hf_ranges *r, uint32_t offset)
{
    uint32_t low = 0, high = r->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (is_before(r->items[middle].end, offset))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/** The number of ranges that begin before `offset`. */
static uint32_t count_beginning_before(const struct hf_ranges *r, uint32_t offset)
{
    uint32_t low = 0, high = r->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (is_before(r->items[middle].begin, offset))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/** Puts the ranges from `from` on to where `to` is, and counts them anew. */
static void shift(struct hf_ranges *r, uint32_t from, uint32_t to)
{
    memmove(&r->items[to], &r->items[from], (size_t)(r->count - from) * sizeof r->items[0]);
    r->count = r->count - from + to;
}

bool hf_ranges_add(struct hf_ranges *r, uint32_t begin, uint32_t end)
{
    HF_ASSERT(!is_before(end, begin));
    if (begin == end)
        return true;
    /* Ranges [first, behind) overlap or touch the new one. */
    uint32_t first = count_ending_before(r, begin);
    uint32_t behind = count_beginning_before(r, end + 1);
    if (first == behind) {
        if (r->count == r->capacity)
            return false;
        shift(r, first, first + 1);
    } else {
        if (is_before(r->items[first].begin, begin))
            begin = r->items[first].begin;
        if (is_before(end, r->items[behind - 1].end))
            end = r->items[behind - 1].end;
        shift(r, behind, first + 1);
    }
    r->items[first] = (struct hf_range){begin, end};
    return true;
}

void hf_ranges_drop_before(struct hf_ranges *r, uint32_t offset)
{
    shift(r, count_ending_before(r, offset + 1), 0);
    if (r->count > 0 && is_before(r->items[0].begin, offset))
        r->items[0].begin = offset;
}

const struct hf_range *hf_ranges_at(const struct hf_ranges *r, uint32_t offset)
{
    uint32_t i = count_ending_before(r, offset + 1);
    return i < r->count && !is_before(offset, r->items[i].begin) ? &r->items[i] : NULL;
}

const struct hf_range *hf_ranges_overlap(const struct hf_ranges *r, uint32_t begin, uint32_t end)
{
    uint32_t i = count_ending_before(r, begin + 1);
    return i < r->count && is_before(r->items[i].begin, end) ? &r->items[i] : NULL;
}

uint32_t hf_ranges_bytes(const struct hf_ranges *r)
{
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < r->count; i++)
        bytes += r->items[i].end - r->items[i].begin;
    return bytes;
}
