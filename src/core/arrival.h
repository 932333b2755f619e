/**
 * A segment that has arrived: taken apart, and not yet checked.
 */
#ifndef HF_CORE_ARRIVAL_H
#define HF_CORE_ARRIVAL_H

#include "wire/ip.h"

/** A segment on its way through the checks. */
struct hf_arrival {
    const struct hf_segment *seg;
    const uint8_t *payload;
    uint16_t full_sized; /**< payload of one segment: smaller than payload_bytes in super-packets */
    uint32_t hash;       /**< of the tuple */
    struct hf_endpoint local, remote;
};

/** The sequence number of the last segment: what a super-packet says, that one said last. */
static inline hf_seq hf_arrival_last_seq(const struct hf_arrival *in)
{
    uint32_t n = in->seg->payload_bytes, full = in->full_sized;
    return hf_seq_make(in->seg->seq + (n > full ? (n - 1) / full * full : 0));
}
/** The sum of pseudo-header and TCP header in the machine's order. */
static inline hf_sum hf_arrival_header_sum_unordered(const struct hf_arrival *in)
{
    size_t header_bytes = in->seg->header_bytes;
    uint32_t tcp_bytes = (uint32_t)header_bytes + in->seg->payload_bytes;
    return hf_sum_header_unordered(in->payload - header_bytes, header_bytes) +
           hf_ip_pseudo_sum_unordered(&in->remote.addr, &in->local.addr, HF_IP_PROTO_TCP,
                                      tcp_bytes);
}
/** The same in network order. */
static inline hf_sum hf_arrival_header_sum(const struct hf_arrival *in)
{
    return hf_sum_ordered(hf_arrival_header_sum_unordered(in));
}
/** Its checksum is right. */
static inline bool hf_arrival_is_whole(const struct hf_arrival *in)
{
    hf_sum sum = hf_arrival_header_sum_unordered(in);
    if (in->seg->payload_bytes > 0)
        sum = hf_sum_bytes(hf_sum_ordered(sum), in->payload, in->seg->payload_bytes);
    return hf_sum_is_right(sum); /* in either order */
}

#endif
