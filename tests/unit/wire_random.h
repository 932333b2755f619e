/**
 * What the tests of the wire formats share: repeatable random numbers, a checksum written down as
 * plainly as RFC 1071 says it, and copies on the heap, of exactly the input's size, so that a
 * sanitizer sees a read past the end.
 *
 * HF_TEST_SEED in the environment replaces the fixed seed; each random test prints the one it uses.
 */
#ifndef HF_TEST_WIRE_RANDOM_H
#define HF_TEST_WIRE_RANDOM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base.h"

struct random_source {
    uint64_t state;
};

/** Prints how the test is repeated; cmocka shows it above a failure. */
static inline struct random_source random_begin(const char *test)
{
    const char *text = getenv("HF_TEST_SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : 0x48616e6466617374;
    print_message("%s: repeat with HF_TEST_SEED=0x%llx\n", test, (unsigned long long)seed);
    return (struct random_source){seed};
}

/** splitmix64 */
static inline uint64_t random_u64(struct random_source *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static inline uint32_t random_u32(struct random_source *r)
{
    return (uint32_t)(random_u64(r) >> 32);
}

static inline uint16_t random_u16(struct random_source *r)
{
    return (uint16_t)(random_u64(r) >> 48);
}

static inline uint8_t random_u8(struct random_source *r)
{
    return (uint8_t)(random_u64(r) >> 56);
}

static inline bool random_bool(struct random_source *r)
{
    return random_u64(r) >> 63 != 0;
}

/** 0 <= result < limit */
static inline uint32_t random_below(struct random_source *r, uint32_t limit)
{
    return (uint32_t)((random_u64(r) >> 32) * limit >> 32);
}

static inline void random_bytes(struct random_source *r, uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = random_u8(r);
}

/** Changes up to four bytes, half of them in the first few, where the structure is. */
static inline void random_mutate(struct random_source *r, uint8_t *bytes, size_t n)
{
    if (n == 0)
        return;
    for (uint32_t i = random_below(r, 5); i > 0; i--) {
        size_t near_n = n < 48 && n > 0 ? n : 48;
        size_t at = random_below(r, (uint32_t)(random_bool(r) ? near_n : n));
        switch (random_below(r, 4)) {
        case 0: bytes[at] = random_u8(r); break;
        case 1: bytes[at] ^= (uint8_t)(1u << random_below(r, 8)); break;
        case 2: bytes[at] = (uint8_t)(bytes[at] + (random_bool(r) ? 1 : 255)); break;
        default: bytes[at] = random_bool(r) ? 0 : 255; break;
        }
    }
}

/** On the heap, n bytes exactly; for free(). */
static inline uint8_t *exact_copy(const uint8_t *bytes, size_t n)
{
    uint8_t *copy = malloc(n);
    assert_true(copy != NULL || n == 0);
    if (n != 0)
        memcpy(copy, bytes, n);
    return copy;
}

/** The folded one's complement sum, byte pair by byte pair. */
static inline uint16_t plain_sum(const uint8_t *bytes, size_t n)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

#endif
