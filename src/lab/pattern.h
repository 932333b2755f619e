/**
 * Test data that depends on the offset in the stream, so that a byte at a wrong place is seen.
 */
#ifndef HF_LAB_PATTERN_H
#define HF_LAB_PATTERN_H

#include <stddef.h>
#include <stdint.h>

/** Writes n bytes of stream `key` from `offset` on (modulo 2^32). */
void hf_pattern_fill(uint64_t key, uint64_t offset, uint8_t *bytes, size_t n);
/** How many of the n bytes are right, from the first on: n if all are. */
size_t hf_pattern_check(uint64_t key, uint64_t offset, const uint8_t *bytes, size_t n);

#endif
