/**
 * A segment that has arrived: taken apart, and not yet checked.
 */
#ifndef HF_CORE_ARRIVAL_H
#define HF_CORE_ARRIVAL_H

#include "wire/ip.h"

/** A segment on its way through the checks. */
struct hf_arrival {
    const struct hf_ip *ip;
    const struct hf_segment *seg;
    const uint8_t *payload;
    uint16_t full_sized; /**< payload of one segment: smaller than payload_bytes in super-packets */
    uint32_t hash;       /**< of the tuple */
    struct hf_endpoint local, remote;
};

/** The sum of pseudo-header and TCP header. */
static inline hf_sum hf_arrival_header_sum(const struct hf_arrival *in)
{
    hf_sum sum = hf_ip_pseudo_sum(&in->ip->source, &in->ip->destination, HF_IP_PROTO_TCP,
                                  in->ip->payload_bytes);
    size_t header_bytes = in->seg->header_bytes;
    return sum + hf_sum_ordered(hf_sum_header_unordered(in->payload - header_bytes, header_bytes));
}

#endif
