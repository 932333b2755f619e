/**
 * SipHash, the keyed hash of Aumasson and Bernstein, and a generator made of it.
 *
 * SipHash-2-4 where an outsider sees the result (sequence numbers, cookies); SipHash-1-3 where
 * only collisions matter (hash tables). A word of a message stands for 8 bytes in little-endian
 * order: hf_siphash13_words over n words is hf_siphash13 over those 8 n bytes, on any machine.
 */
#ifndef HF_CORE_SIPHASH_H
#define HF_CORE_SIPHASH_H

#include "base.h"

struct hf_sip_key {
    uint64_t k0, k1;
};

/* ---- the parts, for the inline hash below ---- */

struct hf_sip_state {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t hf_sip_rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static inline struct hf_sip_state hf_sip_begin(const struct hf_sip_key *key)
{
    /* The four constants spell "somepseudorandomlygeneratedbytes". */
    return (struct hf_sip_state){
        key->k0 ^ 0x736f6d6570736575u,
        key->k1 ^ 0x646f72616e646f6du,
        key->k0 ^ 0x6c7967656e657261u,
        key->k1 ^ 0x7465646279746573u,
    };
}

static inline void hf_sip_mix(struct hf_sip_state *s, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        s->v0 += s->v1;
        s->v2 += s->v3;
        s->v1 = hf_sip_rotate(s->v1, 13) ^ s->v0;
        s->v3 = hf_sip_rotate(s->v3, 16) ^ s->v2;
        s->v0 = hf_sip_rotate(s->v0, 32) + s->v3;
        s->v2 += s->v1;
        s->v3 = hf_sip_rotate(s->v3, 21) ^ s->v0;
        s->v1 = hf_sip_rotate(s->v1, 17) ^ s->v2;
        s->v2 = hf_sip_rotate(s->v2, 32);
    }
}

static inline void hf_sip_absorb(struct hf_sip_state *s, uint64_t word, unsigned rounds)
{
    s->v3 ^= word;
    hf_sip_mix(s, rounds);
    s->v0 ^= word;
}

static inline uint64_t hf_sip_finish(struct hf_sip_state *s, unsigned rounds)
{
    s->v2 ^= 0xff;
    hf_sip_mix(s, rounds);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/* ---- hashes ---- */

uint64_t hf_siphash13(const struct hf_sip_key *key, const uint8_t *bytes, size_t n);
uint64_t hf_siphash24(const struct hf_sip_key *key, const uint8_t *bytes, size_t n);
uint64_t hf_siphash13_words(const struct hf_sip_key *key, const uint64_t *words, size_t n);
uint64_t hf_siphash24_words(const struct hf_sip_key *key, const uint64_t *words, size_t n);
/** hf_siphash13 of 12 bytes, a word and half of one: once a packet. */
static inline uint64_t hf_siphash13_12(const struct hf_sip_key *key, uint64_t first, uint32_t last)
{
    struct hf_sip_state s = hf_sip_begin(key);
    hf_sip_absorb(&s, first, 1);
    hf_sip_absorb(&s, (uint64_t)12 << 56 | last, 1);
    return hf_sip_finish(&s, 3);
}
/** hf_siphash13_words of two words. */
static inline uint64_t hf_siphash13_pair(const struct hf_sip_key *key, uint64_t first,
                                         uint64_t second)
{
    struct hf_sip_state s = hf_sip_begin(key);
    hf_sip_absorb(&s, first, 1);
    hf_sip_absorb(&s, second, 1);
    hf_sip_absorb(&s, (uint64_t)16 << 56, 1);
    return hf_sip_finish(&s, 3);
}

/** hf_siphash24_words of three words. */
static inline uint64_t hf_siphash24_three(const struct hf_sip_key *key, uint64_t first,
                                          uint64_t second, uint64_t third)
{
    struct hf_sip_state s = hf_sip_begin(key);
    hf_sip_absorb(&s, first, 2);
    hf_sip_absorb(&s, second, 2);
    hf_sip_absorb(&s, third, 2);
    hf_sip_absorb(&s, (uint64_t)24 << 56, 2);
    return hf_sip_finish(&s, 4);
}

enum { HF_RANDOM_SEED_BYTES = 32 };

/**
 * A generator: SipHash-2-4 in counter mode. Plain data: copied or saved it goes on where it was.
 * Unpredictable to those who see its output; who sees its state can compute past output too.
 */
struct hf_random {
    struct hf_sip_key key; /**< first half of the seed */
    uint64_t prefix[2];    /**< second half: leads every message */
    uint64_t counter;
};

void hf_random_init(struct hf_random *r, const uint8_t seed[HF_RANDOM_SEED_BYTES]);
uint64_t hf_random_next(struct hf_random *r);
/** Two numbers make a key. */
struct hf_sip_key hf_random_key(struct hf_random *r);

#endif
