/**
 * The Internet checksum [RFC1071]: sums over bytes, carried as a 64-bit accumulator that is folded
 * at the end. Sums are in network order of byte pairs, whatever the machine; parts may be added in
 * any order, a part that starts at an odd offset through hf_sum_join.
 */
#ifndef HF_WIRE_CHECKSUM_H
#define HF_WIRE_CHECKSUM_H

#include "../base.h"

/** An unfolded sum. 0 is the empty sum. */
typedef uint64_t hf_sum;

/** sum + the sum of n bytes that start at an even offset of the whole. */
hf_sum hf_sum_bytes(hf_sum sum, const uint8_t *bytes, size_t n);
/** The same, and copies the bytes from `from` to `to` in the same pass. They may not overlap. */
hf_sum hf_sum_copy(hf_sum sum, uint8_t *restrict to, const uint8_t *restrict from, size_t n);
/** Four bytes in the machine's order. */
static inline hf_sum hf_sum_word(const uint8_t *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}
/** The sum of a header in the machine's order, which tells as well whether it is right [RFC1071#2]:
 *  n is a multiple of 4, from 20 to 60. */
static inline hf_sum hf_sum_header_unordered(const uint8_t *bytes, size_t n)
{
    hf_sum sum = hf_sum_word(bytes) + hf_sum_word(bytes + 4) + hf_sum_word(bytes + 8);
    sum += hf_sum_word(bytes + 12) + hf_sum_word(bytes + 16);
    if (n == 20)
        return sum;
    /* Three words are the timestamps. */
    for (; n > 28; n -= 12) {
        const uint8_t *last = bytes + n - 12;
        sum += hf_sum_word(last) + hf_sum_word(last + 4) + hf_sum_word(last + 8);
    }
    if (n > 20)
        sum += hf_sum_word(bytes + 20);
    if (n > 24)
        sum += hf_sum_word(bytes + 24);
    return sum;
}
/** A sum in the machine's order as one in network order, less than 2^33: all of its byte pairs
 *  swapped at once. */
static inline hf_sum hf_sum_ordered(hf_sum unordered)
{
    uint8_t pairs[8];
    memcpy(pairs, &unordered, sizeof pairs);
    return (hf_sum)hf_get32(pairs) + hf_get32(pairs + 4);
}
/** Adds one 16-bit number (host order). */
static inline hf_sum hf_sum_u16(hf_sum sum, uint16_t v)
{
    return sum + v;
}
/** Adds one 32-bit number (host order) as two 16-bit ones. */
static inline hf_sum hf_sum_u32(hf_sum sum, uint32_t v)
{
    return sum + (v >> 16) + (v & 0xffff);
}
/** The folded sum as 16 bits (host order), not complemented. */
static inline uint16_t hf_sum_fold(hf_sum sum)
{
    /* Added to itself with its halves exchanged, the upper half is the sum of both, and what that
     * carries is added to it from below. */
    sum += sum << 32 | sum >> 32;
    uint32_t half = (uint32_t)(sum >> 32);
    half += half << 16 | half >> 16;
    return (uint16_t)(half >> 16);
}
/** A sum over something and its checksum: the fold is 0xffff. Something in it has to be other than
 *  0, as in headers of IPv4 and pseudo-headers of TCP (in ICMP nothing need be). */
static inline bool hf_sum_is_right(hf_sum sum)
{
    HF_DEBUG_ASSERT(sum > 0);
    return sum % 0xffff == 0;
}
/** The checksum field's value (host order) for a sum: the complement of the fold. */
static inline uint16_t hf_sum_checksum(hf_sum sum)
{
    return (uint16_t)~hf_sum_fold(sum);
}
/** whole + part, where part was summed on its own and stands at byte `offset` of the whole. */
static inline hf_sum hf_sum_join(hf_sum whole, hf_sum part, size_t offset)
{
    if ((offset & 1) == 0)
        return whole + part;
    /* At an odd offset each byte of the part stands in the other half of its pair [RFC1071#2]. */
    uint16_t sum = hf_sum_fold(part);
    return whole + (uint16_t)(sum << 8 | sum >> 8);
}

#endif
