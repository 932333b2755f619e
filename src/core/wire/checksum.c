/**
 * The Internet checksum [RFC1071].
 *
 * Bytes are summed in the machine's own order, eight at a time, and the folded result is turned
 * into network order once [RFC1071#2]. This file owns the arithmetic; which bytes belong to a
 * checksum is known to ip.c, icmp.c and the users of tcp.h.
 */
#include "checksum.h"

enum { CHUNK_BYTES = 64 };

/** Of a function that goes over data: built for newer processors too (cmake/variants.cmake). */
#ifdef HF_VARIANTS
#define FOR_EACH_PROCESSOR __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif

/**
 * 64-bit words, summed in two plain additions each, which compilers turn into vectors without
 * widening anything: `all` is the sum of the words modulo 2^64, `high` that of their upper halves.
 * The sum of the lower halves is all - high * 2^32, exact for up to 2^32 words.
 */
struct words {
    uint64_t all, high;
};

/** A sum in the machine's order, of at most 2^32 words, to one of less than 2^34. */
static inline uint64_t words_sum(struct words w)
{
    uint64_t low = w.all - (w.high << 32);
    return (low & 0xffffffff) + (low >> 32) + (w.high & 0xffffffff) + (w.high >> 32);
}

static inline void add_word(struct words *w, uint64_t word)
{
    w->all += word;
    w->high += word >> 32;
}

/** Adds the words of less than a chunk and returns how many bytes they are. Not a loop: made into
 *  vectors, so short a one costs more than it saves. */
static inline size_t add_last_words(struct words *w, const uint8_t *p, size_t n)
{
    uint64_t word[4];
    size_t at = 0;
    if ((n & 32) != 0) {
        memcpy(word, p, 32);
        add_word(w, word[0]);
        add_word(w, word[1]);
        add_word(w, word[2]);
        add_word(w, word[3]);
        at = 32;
    }
    if ((n & 16) != 0) {
        memcpy(word, p + at, 16);
        add_word(w, word[0]);
        add_word(w, word[1]);
        at += 16;
    }
    if ((n & 8) != 0) {
        memcpy(word, p + at, 8);
        add_word(w, word[0]);
        at += 8;
    }
    return at;
}

/** The sum of the last n % 8 bytes in the machine's order; an odd one is padded with zero. */
static inline uint64_t tail_sum(const uint8_t *p, size_t n)
{
    uint64_t sum = 0;
    if ((n & 4) != 0) {
        uint32_t four;
        memcpy(&four, p, sizeof four);
        sum += four;
        p += sizeof four;
    }
    if ((n & 2) != 0) {
        uint16_t two;
        memcpy(&two, p, sizeof two);
        sum += two;
        p += sizeof two;
    }
    if ((n & 1) != 0) {
        const uint8_t pair[2] = {p[0], 0};
        uint16_t two;
        memcpy(&two, pair, sizeof two);
        sum += two;
    }
    return sum;
}

/* Static: an indirect function of the loader would be seen by users of the library otherwise. */
FOR_EACH_PROCESSOR static hf_sum sum_bytes(hf_sum sum, const uint8_t *bytes, size_t n)
{
    struct words w = {0, 0};
    /* Whole chunks apart, so that the vectors need no scalar rest of their own. */
    size_t chunk_words = n / CHUNK_BYTES * (CHUNK_BYTES / 8);
#pragma GCC unroll 4
    for (size_t i = 0; i < chunk_words; i++) {
        uint64_t word;
        memcpy(&word, bytes + 8 * i, sizeof word);
        add_word(&w, word);
    }
    bytes += 8 * chunk_words;
    bytes += add_last_words(&w, bytes, n);
    return sum + hf_sum_ordered(words_sum(w) + tail_sum(bytes, n));
}

FOR_EACH_PROCESSOR static hf_sum sum_copy(hf_sum sum, uint8_t *restrict to,
                                          const uint8_t *restrict from, size_t n)
{
    if (n == 0)
        return sum;
    struct words w = {0, 0};
    size_t chunk_words = n / CHUNK_BYTES * (CHUNK_BYTES / 8);
#pragma GCC unroll 4
    for (size_t i = 0; i < chunk_words; i++) {
        uint64_t word;
        memcpy(&word, from + 8 * i, sizeof word);
        memcpy(to + 8 * i, &word, sizeof word);
        add_word(&w, word);
    }
    size_t at = 8 * chunk_words;
    memcpy(to + at, from + at, n - at);
    at += add_last_words(&w, from + at, n);
    return sum + hf_sum_ordered(words_sum(w) + tail_sum(from + at, n));
}

hf_sum hf_sum_bytes(hf_sum sum, const uint8_t *bytes, size_t n)
{
    if (n < 8) /* a word said or answered needs no vectors */
        return sum + hf_sum_ordered(tail_sum(bytes, n));
    return sum_bytes(sum, bytes, n);
}

hf_sum hf_sum_copy(hf_sum sum, uint8_t *restrict to, const uint8_t *restrict from, size_t n)
{
    return sum_copy(sum, to, from, n);
}
