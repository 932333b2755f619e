/**
 * Checksum filling and segmentation. Works on header fields, as a card does: it changes lengths,
 * IDs, sequence numbers, flags and checksums and copies everything else.
 */
#include "cut.h"

#include <string.h>

#include "core/wire/ip.h"
#include "core/wire/tcp.h"

enum { PROTO_UDP = 17, UDP_HEADER_BYTES = 8, HOP_BY_HOP = 0, ROUTING = 43, DESTINATION = 60 };

/* ---- looking at a packet ---- */

/* Finds the transport header; its protocol, -1: none, or a fragment of one. */
static int find_transport_v4(struct hf_cut *c)
{
    const uint8_t *bytes = c->packet.bytes;
    c->ip_bytes = (bytes[0] & 15u) * 4u;
    bool is_fragment = (hf_get16(bytes + 6) & 0x3FFF) != 0;
    return c->ip_bytes < HF_IPV4_HEADER_BYTES || is_fragment ? -1 : bytes[9];
}

static int find_transport_v6(struct hf_cut *c)
{
    const uint8_t *bytes = c->packet.bytes;
    if (c->packet.length_bytes < HF_IPV6_HEADER_BYTES)
        return -1;
    uint8_t next = bytes[6];
    c->ip_bytes = HF_IPV6_HEADER_BYTES;
    while (next == HOP_BY_HOP || next == ROUTING || next == DESTINATION) {
        if (c->packet.length_bytes < c->ip_bytes + 8)
            return -1;
        next = bytes[c->ip_bytes];
        c->ip_bytes += (bytes[c->ip_bytes + 1] + 1u) * 8u;
    }
    return next;
}

/* Where the checksum is; false: not known, or the header is not all there. */
static bool find_checksum(struct hf_cut *c, int protocol)
{
    uint32_t need_bytes = UDP_HEADER_BYTES;
    switch (protocol) {
    case HF_IP_PROTO_TCP:
        need_bytes = HF_TCP_HEADER_BYTES;
        c->checksum_bytes = 16;
        break;
    case PROTO_UDP: c->checksum_bytes = 6; break;
    case HF_IP_PROTO_ICMP:
    case HF_IP_PROTO_ICMPV6: c->checksum_bytes = 2; break;
    default: return false;
    }
    return c->packet.length_bytes >= c->ip_bytes + need_bytes;
}

void hf_cut_plan(struct hf_cut *c, const struct hf_packet *packet)
{
    *c = (struct hf_cut){.packet = *packet, .count = 1};
    if (packet->length_bytes < HF_IPV4_HEADER_BYTES)
        return;
    c->v4 = packet->bytes[0] >> 4 == 4;
    int protocol = c->v4 ? find_transport_v4(c) : find_transport_v6(c);
    if (!find_checksum(c, protocol))
        return;
    c->protocol = (uint8_t)protocol;
    if (protocol != HF_IP_PROTO_TCP)
        return;
    c->header_bytes = c->ip_bytes + (packet->bytes[c->ip_bytes + 12] >> 4) * 4u;
    if (packet->segment_bytes == 0 || c->header_bytes < c->ip_bytes + HF_TCP_HEADER_BYTES ||
        c->header_bytes >= packet->length_bytes)
        return;
    uint32_t payload = packet->length_bytes - c->header_bytes;
    c->count = (payload + packet->segment_bytes - 1) / packet->segment_bytes;
}

/* ---- writing pieces ---- */

/* UDP has no checksum of zero: that would say that there is none [RFC768]. */
static uint16_t checksum_of(const struct hf_cut *c, hf_sum sum)
{
    uint16_t value = hf_sum_checksum(sum);
    return c->protocol == PROTO_UDP && value == 0 ? 0xFFFF : value;
}

static hf_sum pseudo_sum(const struct hf_cut *c, uint32_t transport)
{
    const uint8_t *bytes = c->packet.bytes;
    hf_sum sum = c->v4 ? hf_sum_bytes(0, bytes + 12, 8) : hf_sum_bytes(0, bytes + 8, 32);
    return hf_sum_u32(hf_sum_u16(sum, c->protocol), transport);
}

static void put_ip_lengths(const struct hf_cut *c, uint8_t *to, uint32_t n, uint32_t nth)
{
    if (!c->v4) {
        hf_put16(to + 4, (uint16_t)(n - HF_IPV6_HEADER_BYTES));
        return;
    }
    hf_put16(to + 2, (uint16_t)n);
    hf_put16(to + 4, (uint16_t)(hf_get16(to + 4) + nth));
    hf_put16(to + 10, 0);
    hf_put16(to + 10, hf_sum_checksum(hf_sum_bytes(0, to, c->ip_bytes)));
}

/* The sum that the checksum of one piece of n bytes starts from. Of a partial checksum it is the
 * field with the length exchanged, so that a wrong one stays wrong. */
static hf_sum piece_sum(const struct hf_cut *c, uint32_t n)
{
    uint32_t old_bytes = c->packet.length_bytes - c->ip_bytes, new_bytes = n - c->ip_bytes;
    if (!(c->packet.flags & HF_PACKET_CSUM_PARTIAL))
        return pseudo_sum(c, new_bytes);
    hf_sum sum = hf_get16(c->packet.bytes + c->ip_bytes + c->checksum_bytes);
    sum = hf_sum_u16(sum, (uint16_t)(0xFFFF ^ old_bytes));
    return hf_sum_u16(sum, (uint16_t)new_bytes);
}

uint32_t hf_cut_piece_bytes(const struct hf_cut *c, uint32_t nth)
{
    if (c->count == 1)
        return c->packet.length_bytes;
    uint32_t payload = c->packet.length_bytes - c->header_bytes;
    uint32_t offset = nth * c->packet.segment_bytes;
    return c->header_bytes + hf_min_u32(c->packet.segment_bytes, payload - offset);
}

/* The packet as it is, but for its checksum. */
static void put_whole(const struct hf_cut *c, uint8_t *to)
{
    const struct hf_packet *p = &c->packet;
    if (!(p->flags & HF_PACKET_CSUM_PARTIAL) || c->protocol == 0) {
        memcpy(to, p->bytes, p->length_bytes);
        return;
    }
    /* The field holds the pseudo-header's sum already: a sender that put a wrong one there gets a
     * wrong checksum, as from a card. */
    memcpy(to, p->bytes, c->ip_bytes);
    hf_sum sum =
        hf_sum_copy(0, to + c->ip_bytes, p->bytes + c->ip_bytes, p->length_bytes - c->ip_bytes);
    hf_put16(to + c->ip_bytes + c->checksum_bytes, checksum_of(c, sum));
}

void hf_cut_piece(const struct hf_cut *c, uint32_t nth, uint8_t *to)
{
    if (c->count == 1) {
        put_whole(c, to);
        return;
    }
    uint32_t n = hf_cut_piece_bytes(c, nth), offset = nth * c->packet.segment_bytes;
    uint8_t *tcp = to + c->ip_bytes;
    memcpy(to, c->packet.bytes, c->header_bytes);
    put_ip_lengths(c, to, n, nth);
    hf_put32(tcp + 4, hf_get32(tcp + 4) + offset);
    if (nth + 1 < c->count)
        tcp[13] = (uint8_t)(tcp[13] & ~(unsigned)(HF_PSH | HF_FIN));
    if (nth > 0) /* [RFC3168#6.1.2] CWR stands on one new segment */
        tcp[13] = (uint8_t)(tcp[13] & ~(unsigned)HF_CWR);
    hf_put16(tcp + 16, 0);
    hf_sum sum = hf_sum_bytes(piece_sum(c, n), tcp, c->header_bytes - c->ip_bytes);
    sum = hf_sum_copy(sum, to + c->header_bytes, c->packet.bytes + c->header_bytes + offset,
                      n - c->header_bytes);
    hf_put16(tcp + 16, hf_sum_checksum(sum));
}

/* ---- frames ---- */

static struct hf_cut cut_of(const struct hf_frame *f)
{
    struct hf_cut c;
    const struct hf_packet p = {f->bytes, f->length_bytes, f->segment_bytes, f->flags};
    hf_cut_plan(&c, &p);
    return c;
}

void hf_frame_fill(struct hf_frame *f)
{
    struct hf_cut c = cut_of(f);
    if (!(f->flags & HF_PACKET_CSUM_PARTIAL) || c.protocol == 0)
        return;
    uint8_t *transport = f->bytes + c.ip_bytes; /* put_whole says why this is all */
    hf_sum sum = hf_sum_bytes(0, transport, f->length_bytes - c.ip_bytes);
    hf_put16(transport + c.checksum_bytes, checksum_of(&c, sum));
    f->flags = (uint16_t)(f->flags & ~(unsigned)HF_PACKET_CSUM_PARTIAL);
}

struct hf_frame *hf_frame_cut(struct hf_world *w, struct hf_frame *f)
{
    struct hf_cut c = cut_of(f);
    f->next = NULL;
    if (c.count == 1) {
        f->segment_bytes = 0;
        hf_frame_fill(f);
        return f;
    }
    struct hf_frame *first = NULL, **end = &first;
    for (uint32_t nth = 0; nth < c.count; nth++) {
        uint32_t n = hf_cut_piece_bytes(&c, nth);
        *end = hf_frame_take(w, n);
        (*end)->length_bytes = n;
        hf_cut_piece(&c, nth, (*end)->bytes);
        end = &(*end)->next;
    }
    hf_frame_give(w, f);
    return first;
}
