/**
 * How headers of segments are made: of those of connections, where every packet passes, and of
 * answers without one.
 */
#ifndef HF_CORE_EMIT_H
#define HF_CORE_EMIT_H

#include "stack.h"

/** Writes IP header and TCP header of a segment; returns the header's length. The checksum covers
 *  payload_sum too, or stays partial. */
static inline size_t hf_emit_segment(struct hf_stack *s, const struct hf_addr *local,
                                     const struct hf_addr *remote, uint8_t ttl,
                                     uint8_t traffic_class, struct hf_segment *seg,
                                     hf_sum payload_sum, bool partial, uint8_t *header,
                                     uint16_t *ip_bytes)
{
    bool v4 = hf_addr_is_mapped(remote);
    size_t ip_length = v4 ? HF_IPV4_HEADER_BYTES : HF_IPV6_HEADER_BYTES;
    uint8_t *tcp = header + ip_length;
    hf_sum header_sum;
    size_t tcp_length =
        hf_tcp_emit_summed(seg, (enum hf_option_layout)s->p.cfg.option_layout, tcp, &header_sum);
    struct hf_ip ip = {
        .version = v4 ? 4 : 6,
        .protocol = HF_IP_PROTO_TCP,
        .ttl = ttl,
        .traffic_class = traffic_class,
        .dont_fragment = s->p.cfg.dont_fragment != 0,
        .payload_bytes = (uint32_t)tcp_length + seg->payload_bytes,
    };
    if (!ip.dont_fragment)
        ip.id = s->p.ip_id++; /* with DF set, 0 will do [RFC6864#4.1] */
    hf_ip_emit_between(&ip, local, remote, header);
    hf_sum sum = hf_ip_pseudo_sum(local, remote, HF_IP_PROTO_TCP, ip.payload_bytes);
    if (partial) {
        hf_put16(tcp + 16, hf_sum_fold(sum)); /* the link adds the rest [MUST-2] */
    } else {
        sum += header_sum + payload_sum; /* an even offset */
        hf_put16(tcp + 16, hf_sum_checksum(sum));
    }
    *ip_bytes = (uint16_t)ip_length;
    return ip_length + tcp_length;
}

#endif
