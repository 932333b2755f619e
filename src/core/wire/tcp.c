/**
 * The TCP header, bytes <-> struct hf_segment.
 *
 * This file owns the header's layout, the options that are known, and the orders they are written
 * in. What an option means, and where it may stand, is left to the connection. Checksums are the
 * caller's: only it knows the addresses and holds the payload.
 */
#include "tcp.h"

/** Option kinds and their lengths, kind and length octets included. */
enum {
    KIND_END = 0,
    KIND_NOP = 1,
    KIND_MSS = 2,
    KIND_WSCALE = 3,
    KIND_SACK_PERMITTED = 4,
    KIND_SACK = 5,
    KIND_TIMESTAMPS = 8,

    MSS_BYTES = 4,
    WSCALE_BYTES = 3,
    SACK_PERMITTED_BYTES = 2,
    SACK_HEAD_BYTES = 2,
    SACK_BLOCK_BYTES = 8,
    TIMESTAMPS_BYTES = HF_TCP_TIMESTAMPS_BYTES - 2,

    OPTIONS_MAX_BYTES = HF_TCP_HEADER_MAX_BYTES - HF_TCP_HEADER_BYTES,

    /* The usual SYN, in words: this and the MSS, this, both timestamps, this and the shift. */
    USUAL_SYN_BYTES = 20,
    USUAL_SYN_MSS = 0x0204,
    USUAL_SYN_TIMESTAMPS = 0x0402080a, /* SACK-permitted, kind, length */
    USUAL_SYN_WSCALE = 0x010303,       /* NOP, kind, length */
};

static void take_sack(const uint8_t *option, size_t length, struct hf_segment *seg)
{
    size_t blocks_bytes = length - SACK_HEAD_BYTES;
    if (seg->sack_count != 0 || blocks_bytes % SACK_BLOCK_BYTES != 0)
        return;
    /* A header of 60 bytes has no room for a fifth block. */
    seg->sack_count = (uint8_t)(blocks_bytes / SACK_BLOCK_BYTES);
    for (size_t i = 0; i < seg->sack_count; i++) {
        const uint8_t *block = option + SACK_HEAD_BYTES + i * SACK_BLOCK_BYTES;
        seg->sack[i].left = hf_get32(block);
        seg->sack[i].right = hf_get32(block + 4);
    }
}

/** One option that has a length, 2 at least [MUST-68]; on any segment [MUST-5]. What is of a known
 *  kind but not of its length, and what came before, is passed over like an unknown kind
 *  [RFC9293#3.1, MUST-6]. */
static void take_option(const uint8_t *option, size_t length, struct hf_segment *seg)
{
    switch (option[0]) {
    case KIND_MSS: /* [MUST-4] */
        if (length != MSS_BYTES || seg->has_mss)
            return;
        seg->has_mss = true;
        seg->mss_bytes = hf_get16(option + 2);
        return;
    case KIND_WSCALE:
        if (length != WSCALE_BYTES || seg->has_wscale)
            return;
        seg->has_wscale = true;
        seg->wscale = option[2];
        return;
    case KIND_SACK_PERMITTED:
        if (length == SACK_PERMITTED_BYTES)
            seg->has_sack_permitted = true;
        return;
    case KIND_SACK: take_sack(option, length, seg); return;
    case KIND_TIMESTAMPS:
        if (length != TIMESTAMPS_BYTES || seg->has_timestamps)
            return;
        seg->has_timestamps = true;
        seg->ts_value = hf_get32(option + 2);
        seg->ts_echo = hf_get32(option + 6);
        return;
    default: return;
    }
}

/** Out of line: the shapes below are nearly all. */
__attribute__((noinline)) static enum hf_reason parse_options(const uint8_t *options, size_t n,
                                                              struct hf_segment *seg)
{
    size_t at = 0; /* any octet may begin an option [MUST-64] */
    while (at < n && options[at] != KIND_END) {
        if (options[at] == KIND_NOP) {
            at++;
            continue;
        }
        /* [RFC9293#3.1, MUST-7] an illegal length must not lead out of the header or in circles.
         * DEVIATION D-11: it is no reason to reset either, one forged segment would do. */
        if (n - at < 2)
            return HF_DROP_TCP_OPTION;
        size_t length = options[at + 1];
        if (length < 2 || length > n - at)
            return HF_DROP_TCP_OPTION;
        take_option(options + at, length, seg);
        at += length;
    }
    return HF_NONE;
}

/** The shape that most segments of a connection with timestamps have: nothing else [RFC7323#A]. */
static inline bool is_aligned_timestamps(const uint8_t *options, size_t n)
{
    return n == 2 + TIMESTAMPS_BYTES && hf_get32(options) == HF_TCP_ALIGNED_TIMESTAMPS;
}

/** The shape that SYNs have which offer all there is, of Linux and of us. */
static inline bool is_usual_syn(const uint8_t *options, size_t n)
{
    return n == USUAL_SYN_BYTES && hf_get16(options) == USUAL_SYN_MSS &&
           hf_get32(options + 4) == USUAL_SYN_TIMESTAMPS &&
           hf_get32(options + 16) >> 8 == USUAL_SYN_WSCALE;
}

static inline void take_usual_syn(const uint8_t *options, struct hf_segment *seg)
{
    seg->has_mss = seg->has_wscale = seg->has_sack_permitted = seg->has_timestamps = true;
    seg->mss_bytes = hf_get16(options + 2);
    seg->ts_value = hf_get32(options + 8);
    seg->ts_echo = hf_get32(options + 12);
    seg->wscale = options[19];
}

enum hf_reason hf_tcp_parse(const uint8_t *bytes, size_t n, struct hf_segment *seg)
{
    *seg = (struct hf_segment){.flags = 0};
    if (n < HF_TCP_HEADER_BYTES)
        return HF_DROP_TCP_TRUNCATED;
    seg->source_port = hf_get16(bytes);
    seg->destination_port = hf_get16(bytes + 2);
    seg->seq = hf_get32(bytes + 4);
    seg->ack = hf_get32(bytes + 8);
    seg->flags = hf_get16(bytes + 12) & 0x1ff;
    seg->window = hf_get16(bytes + 14);
    seg->checksum = hf_get16(bytes + 16);
    seg->urgent_pointer = hf_get16(bytes + 18);
    seg->header_bytes = (uint8_t)(bytes[12] >> 4 << 2);
    if (seg->header_bytes < HF_TCP_HEADER_BYTES || seg->header_bytes > n)
        return HF_DROP_TCP_HEADER;
    seg->payload_bytes = (uint32_t)(n - seg->header_bytes);

    const uint8_t *options = bytes + HF_TCP_HEADER_BYTES;
    size_t options_bytes = (size_t)seg->header_bytes - HF_TCP_HEADER_BYTES;
    if (is_aligned_timestamps(options, options_bytes)) {
        seg->has_timestamps = true;
        seg->ts_value = hf_get32(options + 4);
        seg->ts_echo = hf_get32(options + 8);
        return HF_NONE;
    }
    if (!is_usual_syn(options, options_bytes))
        return parse_options(options, options_bytes, seg);
    take_usual_syn(options, seg);
    return HF_NONE;
}

/** How the options of a segment are laid out. */
struct option_plan {
    size_t fixed_bytes; /**< all but SACK, padding before it not counted */
    size_t sack_blocks; /**< as many as fit */
    size_t total_bytes; /**< a multiple of 4 */
};

static struct option_plan plan_options(const struct hf_segment *seg, enum hf_option_layout layout)
{
    struct option_plan plan = {0, 0, 0};
    size_t padding = layout == HF_LAYOUT_FREEBSD ? 0 : 2;
    if (seg->has_mss)
        plan.fixed_bytes += MSS_BYTES;
    if (seg->has_wscale)
        plan.fixed_bytes += 1 + WSCALE_BYTES;
    if (seg->has_timestamps) /* two octets before them, SACK-permitted or padding */
        plan.fixed_bytes += SACK_PERMITTED_BYTES + TIMESTAMPS_BYTES;
    else if (seg->has_sack_permitted)
        plan.fixed_bytes += padding + SACK_PERMITTED_BYTES;

    /* Blocks are aligned: the two octets of their head stand at the end of a word. */
    size_t blocks_at = (plan.fixed_bytes / 4 + 1) * 4;
    size_t room = blocks_at < OPTIONS_MAX_BYTES ? OPTIONS_MAX_BYTES - blocks_at : 0;
    plan.sack_blocks =
        hf_min_size(hf_min_size(seg->sack_count, HF_SACK_BLOCKS_MAX), room / SACK_BLOCK_BYTES);
    if (plan.sack_blocks > 0)
        plan.total_bytes = blocks_at + plan.sack_blocks * SACK_BLOCK_BYTES;
    else
        plan.total_bytes = (plan.fixed_bytes + 3) & ~(size_t)3;
    return plan;
}

size_t hf_tcp_header_bytes(const struct hf_segment *seg, enum hf_option_layout layout)
{
    return HF_TCP_HEADER_BYTES + plan_options(seg, layout).total_bytes;
}

static uint8_t *put_nops(uint8_t *p, size_t n)
{
    memset(p, KIND_NOP, n);
    return p + n;
}

static uint8_t *put_mss(uint8_t *p, const struct hf_segment *seg)
{
    if (!seg->has_mss)
        return p;
    p[0] = KIND_MSS;
    p[1] = MSS_BYTES;
    hf_put16(p + 2, seg->mss_bytes);
    return p + MSS_BYTES;
}

static uint8_t *put_wscale(uint8_t *p, const struct hf_segment *seg)
{
    if (!seg->has_wscale)
        return p;
    p[0] = KIND_NOP;
    p[1] = KIND_WSCALE;
    p[2] = WSCALE_BYTES;
    p[3] = seg->wscale;
    return p + 1 + WSCALE_BYTES;
}

/** SACK-permitted and timestamps: together they fill three words, alone they are padded. */
static uint8_t *put_sack_permitted_and_timestamps(uint8_t *p, const struct hf_segment *seg,
                                                  enum hf_option_layout layout)
{
    if (seg->has_sack_permitted) {
        if (!seg->has_timestamps && layout != HF_LAYOUT_FREEBSD)
            p = put_nops(p, 2);
        p[0] = KIND_SACK_PERMITTED;
        p[1] = SACK_PERMITTED_BYTES;
        p += SACK_PERMITTED_BYTES;
    } else if (seg->has_timestamps) {
        p = put_nops(p, 2);
    }
    if (!seg->has_timestamps)
        return p;
    p[0] = KIND_TIMESTAMPS;
    p[1] = TIMESTAMPS_BYTES;
    hf_put32(p + 2, seg->ts_value);
    hf_put32(p + 6, seg->ts_echo);
    return p + TIMESTAMPS_BYTES;
}

static uint8_t *put_sack(uint8_t *p, const struct hf_segment *seg, const struct option_plan *plan)
{
    if (plan->sack_blocks == 0)
        return p;
    /* Padding, if any is due: FreeBSD's SACK-permitted leaves half a word, just the head's size. */
    p = put_nops(p, plan->fixed_bytes % 4 == 0 ? 2 : 0);
    p[0] = KIND_SACK;
    p[1] = (uint8_t)(SACK_HEAD_BYTES + plan->sack_blocks * SACK_BLOCK_BYTES);
    p += SACK_HEAD_BYTES;
    for (size_t i = 0; i < plan->sack_blocks; i++, p += SACK_BLOCK_BYTES) {
        hf_put32(p, seg->sack[i].left);
        hf_put32(p + 4, seg->sack[i].right);
    }
    return p;
}

static void put_options(uint8_t *p, const struct hf_segment *seg, enum hf_option_layout layout,
                        const struct option_plan *plan)
{
    const uint8_t *end = p + plan->total_bytes;
    p = put_mss(p, seg);
    if (layout == HF_LAYOUT_FREEBSD)
        p = put_wscale(p, seg);
    p = put_sack_permitted_and_timestamps(p, seg, layout);
    if (layout != HF_LAYOUT_FREEBSD)
        p = put_wscale(p, seg);
    p = put_sack(p, seg, plan);
    memset(p, KIND_END, (size_t)(end - p)); /* [RFC9293#3.1, MUST-69] zeroes to the end */
}

/** Writes all but the options; returns its sum. */
static inline hf_sum put_fixed_part(uint8_t *bytes, const struct hf_segment *seg,
                                    size_t header_bytes)
{
    uint32_t ports = hf_tcp_ports(seg->source_port, seg->destination_port);
    uint32_t rest = hf_tcp_rest(header_bytes, seg->flags, seg->window);
    hf_sum sum = hf_tcp_put_words(bytes, ports, seg->seq, seg->ack, rest);
    hf_put16(bytes + 18, seg->urgent_pointer);
    return sum + seg->urgent_pointer;
}

/** Any options; returns the header's length. Out of line: the shape below is nearly all. */
__attribute__((noinline)) static size_t emit_options(struct hf_segment *seg,
                                                     enum hf_option_layout layout, uint8_t *bytes,
                                                     hf_sum *sum)
{
    uint8_t *options = bytes + HF_TCP_HEADER_BYTES;
    struct option_plan plan = plan_options(seg, layout);
    size_t header_bytes = HF_TCP_HEADER_BYTES + plan.total_bytes;
    seg->sack_count = (uint8_t)plan.sack_blocks;
    *sum = put_fixed_part(bytes, seg, header_bytes);
    if (plan.total_bytes != 0)
        put_options(options, seg, layout, &plan);
    for (size_t at = 0; at < plan.total_bytes; at += 4)
        *sum += hf_get32(options + at);
    return header_bytes;
}

static inline size_t emit_usual_syn(const struct hf_segment *seg, uint8_t *bytes, hf_sum *sum)
{
    uint8_t *options = bytes + HF_TCP_HEADER_BYTES;
    size_t header_bytes = HF_TCP_HEADER_BYTES + USUAL_SYN_BYTES;
    uint32_t mss = (uint32_t)USUAL_SYN_MSS << 16 | seg->mss_bytes;
    uint32_t wscale = (uint32_t)USUAL_SYN_WSCALE << 8 | seg->wscale;
    hf_put32(options, mss);
    hf_put32(options + 4, USUAL_SYN_TIMESTAMPS);
    hf_put32(options + 8, seg->ts_value);
    hf_put32(options + 12, seg->ts_echo);
    hf_put32(options + 16, wscale);
    *sum = put_fixed_part(bytes, seg, header_bytes) + USUAL_SYN_TIMESTAMPS;
    *sum += (hf_sum)mss + seg->ts_value + seg->ts_echo + wscale;
    return header_bytes;
}

size_t hf_tcp_emit_summed(struct hf_segment *seg, enum hf_option_layout layout,
                          uint8_t bytes[HF_TCP_HEADER_MAX_BYTES], hf_sum *sum)
{
    bool any = seg->has_mss || seg->has_wscale || seg->has_sack_permitted;
    bool all = seg->has_mss && seg->has_wscale && seg->has_sack_permitted && seg->has_timestamps;
    if (seg->sack_count > 0 || (any && (!all || layout == HF_LAYOUT_FREEBSD)))
        return emit_options(seg, layout, bytes, sum);
    if (any)
        return emit_usual_syn(seg, bytes, sum);
    size_t header_bytes = HF_TCP_HEADER_BYTES + (seg->has_timestamps ? HF_TCP_TIMESTAMPS_BYTES : 0);
    *sum = put_fixed_part(bytes, seg, header_bytes);
    if (seg->has_timestamps)
        *sum += hf_tcp_put_timestamps(bytes, seg->ts_value, seg->ts_echo);
    return header_bytes;
}

size_t hf_tcp_emit(struct hf_segment *seg, enum hf_option_layout layout,
                   uint8_t bytes[HF_TCP_HEADER_MAX_BYTES])
{
    hf_sum sum;
    return hf_tcp_emit_summed(seg, layout, bytes, &sum);
}
