/**
 * SYN cookies: making and checking them, and their keys. Knows no segments and no listeners; when
 * cookies are sent, and how long they are looked for, is the listener's business.
 */
#include "syncookie.h"

enum {
    COUNT_S = 64,
    COUNTS_GOOD = 3,     /**< the present one included: [RFC4987#3.6] wants old cookies to end */
    COUNTS_ROTATION = 9, /**< 576 s; at least COUNTS_GOOD, or good cookies would lose their key */
    MSS_COUNT = 8,
};
_Static_assert(COUNTS_ROTATION >= COUNTS_GOOD, "a cookie may not outlive its key");

/* What paths have: with 40 bytes of options still 8 of data; small-packet links; the defaults of
 * IPv4 and IPv6 [RFC9293#3.7.1]; tunnels; IPv6 and IPv4 on Ethernet; jumbo frames. */
static const uint16_t mss_table[MSS_COUNT] = {
    HF_COOKIE_MSS_MIN_BYTES, 256, 536, 1220, 1360, 1440, 1460, 8960};

/* Layout of the options in a timestamp. */
enum {
    TS_WSCALE_MASK = 0xf,
    TS_WSCALE_NONE = 0xf, /**< no shift: 14 is the largest [RFC7323#2.3] */
    TS_WSCALE_MAX = 14,
    TS_SACK = 0x10,
    TS_STEP = 0x20,
};

static int64_t count_at(hf_ns now)
{
    return now / HF_SEC(COUNT_S);
}

void hf_cookie_keys_init(struct hf_cookie_keys *keys, struct hf_random *random, hf_ns now)
{
    keys->key[0] = hf_random_key(random);
    keys->key[1] = hf_random_key(random); /* used by nobody, but nobody may know it either */
    keys->first_count = count_at(now);
}

void hf_cookie_keys_rotate(struct hf_cookie_keys *keys, struct hf_random *random, hf_ns now)
{
    if (count_at(now) - keys->first_count < COUNTS_ROTATION)
        return;
    keys->key[1] = keys->key[0];
    keys->key[0] = hf_random_key(random);
    keys->first_count = count_at(now) + 1; /* cookies of this count may be out under the old key */
}

static uint32_t hash_at(const struct hf_cookie_keys *keys, const struct hf_cookie_handshake *h,
                        int64_t count)
{
    const struct hf_sip_key *key = &keys->key[count < keys->first_count];
    uint64_t more = (uint64_t)h->irs.v << 32 | (uint32_t)count;
    return (uint32_t)hf_hash_endpoints(key, HF_USE_COOKIE, &h->local, &h->remote, h->issuer, more);
}

static uint32_t mss_index(uint16_t mss_bytes)
{
    uint32_t index = MSS_COUNT - 1;
    while (index > 0 && mss_table[index] > mss_bytes)
        index--;
    return index;
}

hf_seq hf_cookie_make(const struct hf_cookie_keys *keys, const struct hf_cookie_handshake *h,
                      const struct hf_cookie_options *options, hf_ns now)
{
    uint32_t hash = hash_at(keys, h, count_at(now));
    return hf_seq_make(hash ^ mss_index(options->mss_bytes));
}

bool hf_cookie_check(const struct hf_cookie_keys *keys, const struct hf_cookie_handshake *h,
                     hf_seq iss, hf_ns now, uint16_t *mss_bytes)
{
    for (int64_t age = 0; age < COUNTS_GOOD; age++) {
        uint32_t index = iss.v ^ hash_at(keys, h, count_at(now) - age);
        if (index < MSS_COUNT) {
            *mss_bytes = mss_table[index];
            return true;
        }
    }
    return false;
}

uint32_t hf_cookie_timestamp(const struct hf_cookie_options *options, uint32_t ts_now)
{
    uint32_t bits = TS_WSCALE_NONE;
    if (options->has_wscale)
        bits = hf_min_u32(options->wscale, TS_WSCALE_MAX);
    if (options->sack)
        bits |= TS_SACK;
    uint32_t ts = (ts_now & ~(uint32_t)(TS_STEP - 1)) | bits;
    /* A timestamp ahead of the clock would make the next, true one look old to the peer's PAWS. */
    return bits > (ts_now & (TS_STEP - 1)) ? ts - TS_STEP : ts;
}

void hf_cookie_timestamp_decode(uint32_t ts_echo, struct hf_cookie_options *options)
{
    uint32_t wscale = ts_echo & TS_WSCALE_MASK;
    options->has_wscale = wscale != TS_WSCALE_NONE;
    options->wscale = options->has_wscale ? (uint8_t)wscale : 0;
    options->sack = (ts_echo & TS_SACK) != 0;
    options->timestamps = true;
}
