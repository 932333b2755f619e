/**
 * Numbers for random tests: the same in each run, unless HF_TEST_SEED names another seed.
 * HF_TEST_LONG=1 makes random tests longer.
 */
#ifndef HF_TEST_RANDOM_H
#define HF_TEST_RANDOM_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct test_random {
    uint64_t state;
};

/** Says on stdout how to repeat the test with this seed, so that a failing one's log has it. */
static inline struct test_random test_random_make(const char *test, uint64_t default_seed)
{
    const char *text = getenv("HF_TEST_SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : default_seed;
    printf("%s: repeat with HF_TEST_SEED=%" PRIu64 "\n", test, seed);
    fflush(stdout);
    return (struct test_random){seed};
}

/** SplitMix64 [Steele, Lea and Flood 2014]. */
static inline uint64_t test_random_u64(struct test_random *r)
{
    r->state += 0x9E3779B97F4A7C15u;
    uint64_t z = r->state;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/** A number below n > 0. */
static inline uint32_t test_random_below(struct test_random *r, uint32_t n)
{
    return (uint32_t)((test_random_u64(r) >> 32) * n >> 32);
}

/** How many rounds a random test makes. */
static inline uint32_t test_random_rounds(uint32_t rounds)
{
    const char *text = getenv("HF_TEST_LONG");
    return text != NULL && text[0] == '1' ? rounds * 20 : rounds;
}

#endif
