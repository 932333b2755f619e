/**
 * SipHash-1-3, SipHash-2-4 and the generator. Pure computation without branches on secrets.
 */
#include "siphash.h"

struct state {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static inline uint64_t load(const uint8_t *p)
{
    return (uint64_t)p[7] << 56 | (uint64_t)p[6] << 48 | (uint64_t)p[5] << 40 |
           (uint64_t)p[4] << 32 | (uint64_t)p[3] << 24 | (uint64_t)p[2] << 16 |
           (uint64_t)p[1] << 8 | p[0];
}

static inline struct state begin(const struct hf_sip_key *key)
{
    /* The four constants spell "somepseudorandomlygeneratedbytes". */
    return (struct state){
        key->k0 ^ 0x736f6d6570736575u,
        key->k1 ^ 0x646f72616e646f6du,
        key->k0 ^ 0x6c7967656e657261u,
        key->k1 ^ 0x7465646279746573u,
    };
}

static inline void mix(struct state *s, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        s->v0 += s->v1;
        s->v2 += s->v3;
        s->v1 = rotate(s->v1, 13) ^ s->v0;
        s->v3 = rotate(s->v3, 16) ^ s->v2;
        s->v0 = rotate(s->v0, 32) + s->v3;
        s->v2 += s->v1;
        s->v3 = rotate(s->v3, 21) ^ s->v0;
        s->v1 = rotate(s->v1, 17) ^ s->v2;
        s->v2 = rotate(s->v2, 32);
    }
}

static inline void absorb(struct state *s, uint64_t word, unsigned rounds)
{
    s->v3 ^= word;
    mix(s, rounds);
    s->v0 ^= word;
}

static inline uint64_t finish(struct state *s, unsigned rounds)
{
    s->v2 ^= 0xff;
    mix(s, rounds);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

static inline uint64_t hash_bytes(const struct hf_sip_key *key, const uint8_t *bytes, size_t n,
                                  unsigned word_rounds, unsigned last_rounds)
{
    struct state s = begin(key);
    uint64_t last = (uint64_t)n << 56; /* the length modulo 256 over what fills no word */
    size_t whole = n - n % 8;
    for (size_t i = 0; i < whole; i += 8)
        absorb(&s, load(bytes + i), word_rounds);
    for (size_t i = whole; i < n; i++)
        last |= (uint64_t)bytes[i] << (i - whole) * 8;
    absorb(&s, last, word_rounds);
    return finish(&s, last_rounds);
}

static inline uint64_t hash_words(const struct hf_sip_key *key, const uint64_t *words, size_t n,
                                  unsigned word_rounds, unsigned last_rounds)
{
    struct state s = begin(key);
    for (size_t i = 0; i < n; i++)
        absorb(&s, words[i], word_rounds);
    absorb(&s, (uint64_t)n * 8 << 56, word_rounds);
    return finish(&s, last_rounds);
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
