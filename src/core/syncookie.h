/**
 * SYN cookies [RFC4987#3.6]: a handshake whose state is in the numbers that the peer sends back.
 *
 * The cookie is the sequence number of our SYN,ACK: 32 bits of a keyed hash of both endpoints, who
 * issued it, the peer's sequence number and a counter of 64 s, the lowest 3 of them XORed with the
 * MSS, rounded down to one of 8. It is good for this and the next two counts: 128 to 192 s. Window
 * scale and SACK-permitted ride in the lowest 5 bits of our timestamp, so only peers with
 * timestamps keep them; nothing guards these bits, and a peer that alters them alters its own
 * connection only.
 *
 * A forged ACK passes with a probability of 3 counts * 2^-29 = 2^-27.4: each count has one key
 * only, so that rotation adds nothing to it.
 */
#ifndef HF_CORE_SYNCOOKIE_H
#define HF_CORE_SYNCOOKIE_H

#include "isn.h"

/** Plain data. A key holds from one count on, so that a cookie is tried with one key, its own. */
struct hf_cookie_keys {
    struct hf_sip_key key[2]; /**< the present one and the one before */
    int64_t first_count;      /**< from this count on key[0] holds, before it key[1] */
};

struct hf_cookie_options {
    uint16_t mss_bytes;
    uint8_t wscale;
    bool has_wscale, sack, timestamps;
};

/** What a cookie stands for. */
struct hf_cookie_handshake {
    struct hf_endpoint local, remote;
    hf_seq irs;      /**< the peer's initial number */
    uint32_t issuer; /**< who alone takes it back: below 2^28 */
};

enum { HF_COOKIE_MSS_MIN_BYTES = 48 };

void hf_cookie_keys_init(struct hf_cookie_keys *keys, struct hf_random *random, hf_ns now);
/** Takes a new key if the present one is older than about 10 min: call before making cookies. */
void hf_cookie_keys_rotate(struct hf_cookie_keys *keys, struct hf_random *random, hf_ns now);

/** The sequence number of the SYN,ACK. An MSS under HF_COOKIE_MSS_MIN_BYTES counts as that; the
 *  other options are hf_cookie_timestamp's. */
hf_seq hf_cookie_make(const struct hf_cookie_keys *keys, const struct hf_cookie_handshake *h,
                      const struct hf_cookie_options *options, hf_ns now);
/** True if iss is a cookie of ours that is still good; then *mss_bytes is what it carries. */
HF_MUST_CHECK bool hf_cookie_check(const struct hf_cookie_keys *keys,
                                   const struct hf_cookie_handshake *h, hf_seq iss, hf_ns now,
                                   uint16_t *mss_bytes);

/** The timestamp of the SYN,ACK: the last one up to ts_now (a clock of 1 ms, without the peer's
 *  offset) that carries the options; at most 31 ms back, never ahead. */
uint32_t hf_cookie_timestamp(const struct hf_cookie_options *options, uint32_t ts_now);
/** Sets has_wscale, wscale, sack and timestamps from such a timestamp that came back. */
void hf_cookie_timestamp_decode(uint32_t ts_echo, struct hf_cookie_options *options);

#endif
