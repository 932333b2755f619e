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

uint64_t hf_siphash13(const struct hf_sip_key *key, const uint8_t *bytes, size_t n);
uint64_t hf_siphash24(const struct hf_sip_key *key, const uint8_t *bytes, size_t n);
uint64_t hf_siphash13_words(const struct hf_sip_key *key, const uint64_t *words, size_t n);
uint64_t hf_siphash24_words(const struct hf_sip_key *key, const uint64_t *words, size_t n);

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
