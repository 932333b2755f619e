/**
 * SipHash-1-3, SipHash-2-4 and the generator. Pure computation without branches on secrets.
 */
#include "siphash.h"

static inline uint64_t load(const uint8_t *p)
{
    return (uint64_t)p[7] << 56 | (uint64_t)p[6] << 48 | (uint64_t)p[5] << 40 |
           (uint64_t)p[4] << 32 | (uint64_t)p[3] << 24 | (uint64_t)p[2] << 16 |
           (uint64_t)p[1] << 8 | p[0];
}

static inline uint64_t hash_bytes(const struct hf_sip_key *key, const uint8_t *bytes, size_t n,
                                  unsigned word_rounds, unsigned last_rounds)
{
    struct hf_sip_state s = hf_sip_begin(key);
    uint64_t last = (uint64_t)n << 56; /* the length modulo 256 over what fills no word */
    size_t whole = n - n % 8;
    for (size_t i = 0; i < whole; i += 8)
        hf_sip_absorb(&s, load(bytes + i), word_rounds);
    for (size_t i = whole; i < n; i++)
        last |= (uint64_t)bytes[i] << (i - whole) * 8;
    hf_sip_absorb(&s, last, word_rounds);
    return hf_sip_finish(&s, last_rounds);
}

static inline uint64_t hash_words(const struct hf_sip_key *key, const uint64_t *words, size_t n,
                                  unsigned word_rounds, unsigned last_rounds)
{
    struct hf_sip_state s = hf_sip_begin(key);
    for (size_t i = 0; i < n; i++)
        hf_sip_absorb(&s, words[i], word_rounds);
    hf_sip_absorb(&s, (uint64_t)n * 8 << 56, word_rounds);
    return hf_sip_finish(&s, last_rounds);
}

uint64_t hf_siphash13(const struct hf_sip_key *key, const uint8_t *bytes, size_t n)
{
    return hash_bytes(key, bytes, n, 1, 3);
}

uint64_t hf_siphash24(const struct hf_sip_key *key, const uint8_t *bytes, size_t n)
{
    return hash_bytes(key, bytes, n, 2, 4);
}

uint64_t hf_siphash13_words(const struct hf_sip_key *key, const uint64_t *words, size_t n)
{
    return hash_words(key, words, n, 1, 3);
}

uint64_t hf_siphash24_words(const struct hf_sip_key *key, const uint64_t *words, size_t n)
{
    return hash_words(key, words, n, 2, 4);
}

void hf_random_init(struct hf_random *r, const uint8_t seed[HF_RANDOM_SEED_BYTES])
{
    *r = (struct hf_random){
        .key = {load(seed), load(seed + 8)},
        .prefix = {load(seed + 16), load(seed + 24)},
    };
}

uint64_t hf_random_next(struct hf_random *r)
{
    uint64_t words[] = {r->prefix[0], r->prefix[1], r->counter++};
    return hf_siphash24_words(&r->key, words, HF_COUNT_OF(words));
}

struct hf_sip_key hf_random_key(struct hf_random *r)
{
    struct hf_sip_key key;
    key.k0 = hf_random_next(r);
    key.k1 = hf_random_next(r);
    return key;
}
