/**
 * The TCP header, bytes <-> struct hf_segment [RFC9293#3.1], with the options of RFC 9293 3.2 (end,
 * no-op, MSS), RFC 7323 (window scale, timestamps) and RFC 2018 (SACK permitted, SACK).
 */
#ifndef HF_WIRE_TCP_H
#define HF_WIRE_TCP_H

#include "checksum.h"

enum {
    HF_TCP_HEADER_BYTES = 20,
    HF_TCP_HEADER_MAX_BYTES = 60,
    HF_TCP_CHECKSUM_OFFSET = 16,
    HF_TCP_TIMESTAMPS_BYTES = 12,           /**< aligned: two of padding, the option */
    HF_TCP_ALIGNED_TIMESTAMPS = 0x0101080a, /**< NOP, NOP, kind, length */
};

/** Order and padding of the options that hf_tcp_emit writes. */
enum hf_option_layout { HF_LAYOUT_OWN, HF_LAYOUT_LINUX, HF_LAYOUT_FREEBSD };

/**
 * Parses n bytes: header, options, payload (n covers the payload: payload_bytes = n - header).
 * Returns HF_NONE, HF_DROP_TCP_TRUNCATED, HF_DROP_TCP_HEADER (data offset under 5 or beyond n) or
 * HF_DROP_TCP_OPTION (a length of 0, 1 or past the header [MUST-7]; the fixed part of *seg is valid
 * then). An option of a known kind with another length than the kind's is skipped like an unknown
 * one [MUST-6]. An option that appears twice: the first counts. Does not look at the checksum.
 */
enum hf_reason hf_tcp_parse(const uint8_t *bytes, size_t n, struct hf_segment *seg);

/** How long the header of a segment gets: 20..60, a multiple of 4. */
size_t hf_tcp_header_bytes(const struct hf_segment *seg, enum hf_option_layout layout);

/**
 * Writes the header with its options and a checksum field of 0; returns its length. Options that
 * fit no more (SACK blocks beside others) are left out from the end: the number of SACK blocks
 * written is stored in seg->sack_count. Bytes after an end-of-list option are 0 [MUST-69].
 * OWN puts a header with timestamps alone as NOP NOP TS (12 bytes, aligned).
 */
size_t hf_tcp_emit(struct hf_segment *seg, enum hf_option_layout layout,
                   uint8_t bytes[HF_TCP_HEADER_MAX_BYTES]);
/** The same, and *sum is that of the header: what was just written need not be read again, but for
 *  options that are rare. */
size_t hf_tcp_emit_summed(struct hf_segment *seg, enum hf_option_layout layout,
                          uint8_t bytes[HF_TCP_HEADER_MAX_BYTES], hf_sum *sum);

/** All but the options, in words; rest: data offset, flags, window. Returns its sum. */
static inline hf_sum hf_tcp_put_words(uint8_t *bytes, uint32_t ports, uint32_t seq, uint32_t ack,
                                      uint32_t rest)
{
    hf_put64(bytes, (uint64_t)ports << 32 | seq);
    hf_put64(bytes + 8, (uint64_t)ack << 32 | rest);
    hf_put32(bytes + 16, 0); /* checksum and urgent pointer */
    return (hf_sum)ports + seq + ack + rest;
}
/** The timestamps behind them, when there are no other options: in every layout the same. */
static inline hf_sum hf_tcp_put_timestamps(uint8_t *bytes, uint32_t value, uint32_t echo)
{
    hf_put32(bytes + HF_TCP_HEADER_BYTES, HF_TCP_ALIGNED_TIMESTAMPS);
    hf_put64(bytes + HF_TCP_HEADER_BYTES + 4, (uint64_t)value << 32 | echo);
    return (hf_sum)HF_TCP_ALIGNED_TIMESTAMPS + value + echo;
}
static inline uint32_t hf_tcp_ports(uint16_t source, uint16_t destination)
{
    return (uint32_t)source << 16 | destination;
}
/** The reserved bits stay zero [UN-15]. */
static inline uint32_t hf_tcp_rest(size_t header_bytes, uint16_t flags, uint16_t window)
{
    return ((uint32_t)header_bytes << 10 | (flags & 0x1ff)) << 16 | window;
}

/** SEG.LEN: payload, SYN and FIN counted [RFC9293#3.4] [UN-02]. */
static inline uint32_t hf_segment_length(const struct hf_segment *seg)
{
    return seg->payload_bytes + ((seg->flags & HF_SYN) != 0) + ((seg->flags & HF_FIN) != 0);
}

#endif
