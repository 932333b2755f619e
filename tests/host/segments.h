/**
 * TCP packets for tests, made with the wire files of the core.
 */
#ifndef HF_TEST_SEGMENTS_H
#define HF_TEST_SEGMENTS_H

#include "core/wire/ip.h"
#include "core/wire/tcp.h"

/** One end's view of a connection: where from, where to. */
struct way {
    struct hf_endpoint from, to;
};

static inline struct way way_back(const struct way *w)
{
    return (struct way){w->to, w->from};
}

/**
 * Writes IP and TCP header and payload; returns the length of the packet, in *header_bytes that of
 * both headers. partial: the checksum field holds the pseudo-header's sum only.
 */
static inline size_t segment_make(const struct way *w, struct hf_segment seg, const void *payload,
                                  bool partial, uint8_t *bytes, size_t *header_bytes)
{
    uint8_t tcp[HF_TCP_HEADER_MAX_BYTES];
    seg.source_port = w->from.port;
    seg.destination_port = w->to.port;
    size_t tcp_bytes = hf_tcp_emit(&seg, HF_LAYOUT_OWN, tcp);
    uint32_t transport_bytes = (uint32_t)tcp_bytes + seg.payload_bytes;
    const struct hf_ip ip = {.source = w->from.addr,
                             .destination = w->to.addr,
                             .version = hf_addr_is_v4(&w->from.addr) ? 4 : 6,
                             .protocol = HF_IP_PROTO_TCP,
                             .ttl = 64,
                             .payload_bytes = transport_bytes};
    size_t ip_bytes = hf_ip_emit(&ip, bytes);
    memcpy(bytes + ip_bytes, tcp, tcp_bytes);
    if (payload)
        memcpy(bytes + ip_bytes + tcp_bytes, payload, seg.payload_bytes);
    hf_sum sum = hf_ip_pseudo_sum(&ip.source, &ip.destination, HF_IP_PROTO_TCP, transport_bytes);
    uint16_t field = partial
                         ? hf_sum_fold(sum)
                         : hf_sum_checksum(hf_sum_bytes(sum, bytes + ip_bytes, transport_bytes));
    hf_put16(bytes + ip_bytes + 16, field);
    *header_bytes = ip_bytes + tcp_bytes;
    return ip_bytes + transport_bytes;
}

/** Parses an IP packet with TCP in it; false if it is none. */
static inline bool segment_read(const uint8_t *bytes, size_t n, struct hf_ip *ip,
                                struct hf_segment *seg)
{
    return hf_ip_parse(bytes, n, ip) == HF_NONE && ip->protocol == HF_IP_PROTO_TCP &&
           hf_tcp_parse(bytes + ip->header_bytes, ip->payload_bytes, seg) == HF_NONE;
}

/** True if the transport checksum is right, filled in. */
static inline bool segment_sum_is_right(const uint8_t *bytes, const struct hf_ip *ip)
{
    hf_sum sum = hf_ip_pseudo_sum(&ip->source, &ip->destination, ip->protocol, ip->payload_bytes);
    return hf_sum_fold(hf_sum_bytes(sum, bytes + ip->header_bytes, ip->payload_bytes)) == 0xffff;
}

#endif
