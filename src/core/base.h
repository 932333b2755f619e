/**
 * What every file of the core uses: sequence numbers, assertions, small helpers.
 * The core needs memcpy, memmove, memset, memcmp and hf_panic from outside, nothing else.
 */
#ifndef HF_CORE_BASE_H
#define HF_CORE_BASE_H

#include <handfast/handfast.h>

/* Freestanding: declared here, so that no libc header is needed. */
void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);
int memcmp(const void *a, const void *b, size_t n);

/** Called when an invariant is broken; must not return. The host library aborts with the text. */
_Noreturn void hf_panic(const char *what, const char *file, int line);

/** Our own mistakes, also in release builds. */
#define HF_ASSERT(condition) ((condition) ? (void)0 : hf_panic(#condition, __FILE__, __LINE__))
#define HF_UNREACHABLE(text) hf_panic(text, __FILE__, __LINE__)
/** Costly checks, in debug builds. */
#ifdef HF_DEBUG
#define HF_DEBUG_ASSERT(condition) HF_ASSERT(condition)
#else
#define HF_DEBUG_ASSERT(condition) ((void)0)
#endif

#define HF_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/** A sequence number [RFC9293#3.4]: a struct, so that `a < b` does not compile. */
typedef struct {
    uint32_t v;
} hf_seq;

static inline hf_seq hf_seq_make(uint32_t v)
{
    return (hf_seq){v};
}
static inline hf_seq hf_seq_add(hf_seq a, uint32_t n)
{
    return (hf_seq){a.v + n};
}
static inline hf_seq hf_seq_sub(hf_seq a, uint32_t n)
{
    return (hf_seq){a.v - n};
}
/** a - b as a signed distance: positive when a is after b [UN-01]. */
static inline int32_t hf_seq_diff(hf_seq a, hf_seq b)
{
    return (int32_t)(a.v - b.v);
}
static inline bool hf_seq_eq(hf_seq a, hf_seq b)
{
    return a.v == b.v;
}
static inline bool hf_seq_lt(hf_seq a, hf_seq b)
{
    return hf_seq_diff(a, b) < 0;
}
static inline bool hf_seq_le(hf_seq a, hf_seq b)
{
    return hf_seq_diff(a, b) <= 0;
}
static inline bool hf_seq_gt(hf_seq a, hf_seq b)
{
    return hf_seq_diff(a, b) > 0;
}
static inline bool hf_seq_ge(hf_seq a, hf_seq b)
{
    return hf_seq_diff(a, b) >= 0;
}
static inline hf_seq hf_seq_max(hf_seq a, hf_seq b)
{
    return hf_seq_gt(a, b) ? a : b;
}
static inline hf_seq hf_seq_min(hf_seq a, hf_seq b)
{
    return hf_seq_lt(a, b) ? a : b;
}

static inline uint32_t hf_min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}
static inline uint32_t hf_max_u32(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}
/** What is left of a when b is taken off: nothing, if b is more. */
static inline uint32_t hf_rest_u32(uint32_t a, uint32_t b)
{
    return a - hf_min_u32(a, b);
}
static inline uint64_t hf_min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}
static inline uint64_t hf_max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}
static inline size_t hf_min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}
static inline hf_ns hf_min_ns(hf_ns a, hf_ns b)
{
    return a < b ? a : b;
}
static inline hf_ns hf_max_ns(hf_ns a, hf_ns b)
{
    return a > b ? a : b;
}
/** a + b for an instant and a span >= 0, HF_NEVER when out of range. */
static inline hf_ns hf_ns_add(hf_ns a, hf_ns b)
{
    hf_ns sum;
    return __builtin_add_overflow(a, b, &sum) ? HF_NEVER : sum;
}
/** a + b for any two, to the nearest instant there is; HF_NEVER stays. */
static inline hf_ns hf_ns_shift(hf_ns a, hf_ns b)
{
    hf_ns sum;
    if (a == HF_NEVER)
        return HF_NEVER;
    if (__builtin_add_overflow(a, b, &sum))
        return b > 0 ? HF_NEVER : INT64_MIN;
    return sum;
}

/** An instant that is kept in six bytes: in units of 1.024 us, rounded up, so that no span that is
 *  counted from it ends early. */
struct hf_stamp {
    uint16_t units[3]; /**< the lowest first */
};

static inline uint64_t hf_stamp_units(hf_ns at)
{
    uint64_t since_first = (uint64_t)at ^ 1ull << 63;
    return (since_first >> 10) + ((since_first & 1023) != 0);
}
static inline struct hf_stamp hf_stamp_make(hf_ns at)
{
    uint64_t units = hf_stamp_units(at);
    return (struct hf_stamp){{(uint16_t)units, (uint16_t)(units >> 16), (uint16_t)(units >> 32)}};
}
/** The instant again, if it is none of more than nine years before `now`. */
static inline hf_ns hf_stamp_ns(struct hf_stamp stamp, hf_ns now)
{
    uint64_t low = (uint64_t)stamp.units[2] << 32 | (uint64_t)stamp.units[1] << 16 | stamp.units[0];
    uint64_t present = hf_stamp_units(now), since = (present - low) & ((1ull << 48) - 1);
    return (hf_ns)((present - since) << 10 ^ 1ull << 63);
}
/** How long ago that is at most, to 1.024 us. */
static inline hf_ns hf_stamp_longest_ns(struct hf_stamp stamp, hf_ns now)
{
    uint64_t low = (uint64_t)stamp.units[2] << 32 | (uint64_t)stamp.units[1] << 16 | stamp.units[0];
    return (hf_ns)(((hf_stamp_units(now) - low) & ((1ull << 48) - 1)) << 10);
}
/** How long ago it is in its units, less whole spans of 73 minutes. */
static inline uint32_t hf_stamp_age(struct hf_stamp stamp, hf_ns now)
{
    return (uint32_t)hf_stamp_units(now) - ((uint32_t)stamp.units[1] << 16 | stamp.units[0]);
}

static inline uint16_t hf_get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}
static inline uint32_t hf_get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline uint64_t hf_get64(const uint8_t *p)
{
    return (uint64_t)hf_get32(p) << 32 | hf_get32(p + 4);
}
/* In one store: a compiler that knows what v is made of would take it apart again. */
static inline void hf_put16(uint8_t *p, uint16_t v)
{
    if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
        v = __builtin_bswap16(v);
    memcpy(p, &v, sizeof v);
}
static inline void hf_put32(uint8_t *p, uint32_t v)
{
    if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
        v = __builtin_bswap32(v);
    memcpy(p, &v, sizeof v);
}
static inline void hf_put64(uint8_t *p, uint64_t v)
{
    if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
        v = __builtin_bswap64(v);
    memcpy(p, &v, sizeof v);
}

enum { HF_LINE_BYTES = 64 };

/** What lies there comes into the cache while something else is done. */
static inline void hf_fetch(const void *from, size_t bytes)
{
    const uint8_t *p = from;
    for (size_t at = 0; at < bytes; at += HF_LINE_BYTES)
        __builtin_prefetch(p + at);
    __builtin_prefetch(p + bytes - 1); /* it need not begin on a line */
}

/** hf_addr_is_v4, where packets pass. */
static inline bool hf_addr_is_mapped(const struct hf_addr *a)
{
    uint64_t first;
    memcpy(&first, a->octets, sizeof first);
    return first == 0 && hf_get32(a->octets + 8) == 0xffff;
}
/** An IPv4 address of four bytes. */
static inline struct hf_addr hf_addr_mapped(const uint8_t *bytes)
{
    struct hf_addr a = {.octets = {[10] = 0xff, [11] = 0xff}};
    memcpy(a.octets + 12, bytes, 4);
    return a;
}
/** hf_addr_equal, likewise. */
static inline bool hf_addr_is_same(const struct hf_addr *a, const struct hf_addr *b)
{
    return memcmp(a->octets, b->octets, sizeof a->octets) == 0;
}

#endif
