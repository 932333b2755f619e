/**
 * Facts about packets, by the core's own parsers.
 */
#include "packet_facts.h"

#include "core/wire/ip.h"
#include "core/wire/tcp.h"

bool hf_packet_is_pure_ack(const uint8_t *bytes, size_t length_bytes)
{
    struct hf_ip ip;
    struct hf_segment seg;
    if (hf_ip_parse(bytes, length_bytes, &ip) != HF_NONE || ip.protocol != HF_IP_PROTO_TCP ||
        hf_tcp_parse(bytes + ip.header_bytes, ip.payload_bytes, &seg) != HF_NONE)
        return false;
    unsigned flags = seg.flags & (HF_FIN | HF_SYN | HF_RST | HF_PSH | HF_ACK | HF_URG);
    return flags == HF_ACK && seg.payload_bytes == 0;
}
