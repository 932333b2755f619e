/**
 * Checksum filling and segmentation. Works on header fields in place, as a card does: it changes
 * lengths, IDs, sequence numbers, flags and checksums and copies everything else.
 */
#include "cut.h"

#include <string.h>

#include "core/wire/ip.h"
#include "core/wire/tcp.h"

/* Where things are in a packet; protocol 0 if it is none that has a checksum here. */
struct layout {
    bool v4;
    uint8_t protocol;
    uint32_t ip_bytes;       /* the IP header */
    uint32_t checksum_bytes; /* offset of the checksum behind the IP header */
};

static struct layout layout_of(const struct hf_frame *f)
{
    struct layout at = {0};
    if (f->length_bytes < HF_IPV4_HEADER_BYTES)
        return at;
    at.v4 = f->bytes[0] >> 4 == 4;
    at.ip_bytes = at.v4 ? (f->bytes[0] & 15u) * 4u : HF_IPV6_HEADER_BYTES;
    if (f->length_bytes < at.ip_bytes + 8u)
        return at;
    uint8_t protocol = at.v4 ? f->bytes[9] : f->bytes[6];
    if (protocol == HF_IP_PROTO_TCP && f->length_bytes >= at.ip_bytes + HF_TCP_HEADER_BYTES) {
        at.protocol = protocol;
        at.checksum_bytes = 16;
    } else if (protocol == HF_IP_PROTO_ICMP || protocol == HF_IP_PROTO_ICMPV6) {
        at.protocol = protocol;
        at.checksum_bytes = 2;
    }
    return at;
}

static hf_sum pseudo_sum(const struct hf_frame *f, const struct layout *at, uint32_t transport)
{
    if (at->protocol == HF_IP_PROTO_ICMP)
        return 0; /* ICMP for IPv4 has no pseudo-header */
    hf_sum sum = at->v4 ? hf_sum_bytes(0, f->bytes + 12, 8) : hf_sum_bytes(0, f->bytes + 8, 32);
    sum = hf_sum_u16(sum, at->protocol);
    return hf_sum_u32(sum, transport);
}

void hf_frame_fill(struct hf_frame *f)
{
    struct layout at = layout_of(f);
    if (!(f->flags & HF_PACKET_CSUM_PARTIAL) || at.protocol == 0)
        return;
    /* The field holds the pseudo-header's sum already: a sender that put a wrong one there gets a
     * wrong checksum, as from a card. */
    uint8_t *transport = f->bytes + at.ip_bytes;
    hf_sum sum = hf_sum_bytes(0, transport, f->length_bytes - at.ip_bytes);
    hf_put16(transport + at.checksum_bytes, hf_sum_checksum(sum));
    f->flags = (uint16_t)(f->flags & ~(unsigned)HF_PACKET_CSUM_PARTIAL);
}

static void put_ip_lengths(struct hf_frame *f, const struct layout *at, uint32_t nth)
{
    if (!at->v4) {
        hf_put16(f->bytes + 4, (uint16_t)(f->length_bytes - at->ip_bytes));
        return;
    }
    hf_put16(f->bytes + 2, (uint16_t)f->length_bytes);
    hf_put16(f->bytes + 4, (uint16_t)(hf_get16(f->bytes + 4) + nth));
    hf_put16(f->bytes + 10, 0);
    hf_put16(f->bytes + 10, hf_sum_checksum(hf_sum_bytes(0, f->bytes, at->ip_bytes)));
}

/* The sum that the checksum of one piece starts from. Of a partial checksum it is the field with
 * the length exchanged, so that a wrong one stays wrong. */
static hf_sum piece_sum(const struct hf_frame *whole, const struct hf_frame *piece,
                        const struct layout *at)
{
    uint32_t old_bytes = whole->length_bytes - at->ip_bytes;
    uint32_t new_bytes = piece->length_bytes - at->ip_bytes;
    if (!(whole->flags & HF_PACKET_CSUM_PARTIAL))
        return pseudo_sum(whole, at, new_bytes);
    hf_sum sum = hf_get16(whole->bytes + at->ip_bytes + at->checksum_bytes);
    sum = hf_sum_u16(sum, (uint16_t)(0xFFFF ^ old_bytes));
    return hf_sum_u16(sum, (uint16_t)new_bytes);
}

static struct hf_frame *cut_piece(struct hf_world *w, const struct hf_frame *whole,
                                  const struct layout *at, uint32_t header_bytes, uint32_t nth)
{
    uint32_t offset = nth * whole->segment_bytes;
    uint32_t payload = whole->length_bytes - header_bytes;
    uint32_t n = hf_min_u32(whole->segment_bytes, payload - offset);
    bool last = offset + n == payload;
    struct hf_frame *f = hf_frame_take(w, header_bytes + n);
    f->length_bytes = header_bytes + n;
    memcpy(f->bytes, whole->bytes, header_bytes);
    memcpy(f->bytes + header_bytes, whole->bytes + header_bytes + offset, n);
    put_ip_lengths(f, at, nth);
    uint8_t *tcp = f->bytes + at->ip_bytes;
    hf_put32(tcp + 4, hf_get32(tcp + 4) + offset);
    if (!last)
        tcp[13] = (uint8_t)(tcp[13] & ~(unsigned)(HF_PSH | HF_FIN));
    if (nth > 0) /* [RFC3168#6.1.2] CWR stands on one new segment */
        tcp[13] = (uint8_t)(tcp[13] & ~(unsigned)HF_CWR);
    hf_sum sum = piece_sum(whole, f, at);
    hf_put16(tcp + 16, 0);
    sum = hf_sum_bytes(sum, tcp, f->length_bytes - at->ip_bytes);
    hf_put16(tcp + 16, hf_sum_checksum(sum));
    return f;
}

struct hf_frame *hf_frame_cut(struct hf_world *w, struct hf_frame *f)
{
    struct layout at = layout_of(f);
    f->next = NULL;
    uint32_t header_bytes = at.ip_bytes;
    if (at.protocol == HF_IP_PROTO_TCP)
        header_bytes += (f->bytes[at.ip_bytes + 12] >> 4) * 4u;
    if (f->segment_bytes == 0 || at.protocol != HF_IP_PROTO_TCP || header_bytes > f->length_bytes ||
        f->length_bytes - header_bytes <= f->segment_bytes) {
        f->segment_bytes = 0;
        hf_frame_fill(f);
        return f;
    }
    struct hf_frame *first = NULL, **end = &first;
    uint32_t payload = f->length_bytes - header_bytes;
    for (uint32_t nth = 0; nth * f->segment_bytes < payload; nth++) {
        *end = cut_piece(w, f, &at, header_bytes, nth);
        end = &(*end)->next;
    }
    hf_frame_give(w, f);
    return first;
}
