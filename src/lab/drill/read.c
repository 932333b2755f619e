/**
 * Packets read back into the script's form and numbers.
 */
#include "flow.h"

#include "core/wire/icmp.h"
#include "core/wire/tcp.h"

/** What is taken from numbers of this packet to get the script's. */
struct offsets {
    uint32_t seq, ack;
};

static struct offsets offsets_of(const struct hf_flow *f, bool outbound, bool syn)
{
    uint32_t local = hf_flow_local_offset(f, syn), remote = hf_flow_remote_offset(f, syn);
    return outbound ? (struct offsets){local, remote} : (struct offsets){remote, local};
}

static void map_options(const struct hf_flow *f, struct hf_flow_packet *p, struct offsets offsets)
{
    struct hf_script_tcp *tcp = &p->script.tcp;
    for (size_t i = 0; i < tcp->option_count; i++) {
        struct hf_script_option *o = &p->options[i];
        *o = p->wire[i];
        if (o->raw)
            continue;
        for (size_t k = 0; k < o->block_count; k++) {
            o->blocks[k].left -= offsets.ack;
            o->blocks[k].right -= offsets.ack;
        }
        if (o->kind != HF_KIND_TIMESTAMPS)
            continue;
        if (p->script.outbound)
            o->ts_value = hf_flow_script_stamp(f, o->ts_value);
        else if (tcp->flags & HF_ACK)
            o->ts_echo = hf_flow_script_stamp(f, o->ts_echo);
    }
}

static bool read_tcp(const struct hf_flow *f, const uint8_t *bytes, size_t n,
                     struct hf_flow_packet *p)
{
    struct hf_segment seg;
    enum hf_reason reason = hf_tcp_parse(bytes, n, &seg);
    if (reason != HF_NONE && reason != HF_DROP_TCP_OPTION) {
        p->fault = hf_reason_text(reason);
        return false;
    }
    size_t header_bytes = (size_t)(bytes[12] >> 4) * 4;
    bool outbound = p->script.outbound, syn = (seg.flags & HF_SYN) != 0;
    bool ack = (seg.flags & HF_ACK) != 0;
    struct offsets offsets = offsets_of(f, outbound, syn);
    bool is_unknown = outbound && syn && !f->local_iss_known;
    struct hf_script_tcp *tcp = &p->script.tcp;
    *tcp = (struct hf_script_tcp){
        .flags = seg.flags,
        .seq = is_unknown ? 0 : seg.seq - offsets.seq,
        .length_bytes = (uint32_t)(n - header_bytes),
        .has_ack = ack || seg.ack != 0,
        .ack = ack ? seg.ack - offsets.ack : seg.ack,
        .has_window = true,
        .window = seg.window,
        .has_urgent = (seg.flags & HF_URG) || seg.urgent_pointer != 0,
        .urgent = seg.urgent_pointer,
        .option = p->options,
    };
    tcp->option_count =
        hf_options_read(bytes + HF_TCP_HEADER_BYTES, header_bytes - HF_TCP_HEADER_BYTES, p->wire);
    tcp->options = tcp->option_count > 0 ? HF_SCRIPT_OPTIONS_LIST : HF_SCRIPT_OPTIONS_NONE;
    map_options(f, p, offsets);
    p->script.source_port = seg.source_port;
    p->script.destination_port = seg.destination_port;
    p->seq = seg.seq;
    p->ack = seg.ack;
    p->tcp_header_bytes = (uint8_t)header_bytes;
    p->reserved = bytes[12] & 0x0e;
    p->payload = bytes + header_bytes;
    return true;
}

static bool read_icmp(const struct hf_flow *f, const uint8_t *bytes, size_t n,
                      struct hf_flow_packet *p)
{
    struct hf_icmp icmp;
    enum hf_reason reason = hf_icmp_parse(&p->ip, bytes, n, false, &icmp);
    if (reason != HF_NONE) {
        p->fault = hf_reason_text(reason);
        return false;
    }
    bool is_echo = icmp.kind == HF_ICMP_ECHO_REQUEST || icmp.kind == HF_ICMP_ECHO_REPLY;
    /* What it quotes went the other way. */
    uint32_t offset =
        p->script.outbound ? hf_flow_remote_offset(f, false) : hf_flow_local_offset(f, false);
    uint32_t quoted_bytes = icmp.quoted.payload_bytes;
    p->script.protocol = HF_SCRIPT_ICMP;
    p->script.icmp = (struct hf_script_icmp){
        .v6 = icmp.v6,
        .type = icmp.type,
        .code = icmp.code,
        .has_mtu = icmp.mtu_bytes != 0,
        .mtu = icmp.mtu_bytes,
        .has_id = is_echo,
        .id = is_echo ? icmp.rest >> 16 : 0,
        .has_quote = icmp.quoted_tcp,
        .quote_seq = icmp.quoted_seq - offset,
        .quote_length_bytes =
            quoted_bytes > HF_TCP_HEADER_BYTES ? quoted_bytes - HF_TCP_HEADER_BYTES : 0,
    };
    return true;
}

bool hf_flow_read(const struct hf_flow *f, bool outbound, const uint8_t *bytes, size_t length_bytes,
                  struct hf_flow_packet *p)
{
    static const enum hf_script_ecn ecn[] = {HF_SCRIPT_ECN_ANY, HF_SCRIPT_ECN_ECT1,
                                             HF_SCRIPT_ECN_ECT0, HF_SCRIPT_ECN_CE};
    p->script = (struct hf_script_packet){.outbound = outbound};
    p->fault = NULL;
    enum hf_reason reason = hf_ip_parse(bytes, length_bytes, &p->ip);
    if (reason != HF_NONE) {
        p->fault = hf_reason_text(reason);
        return false;
    }
    p->script.ip.ecn = ecn[p->ip.traffic_class & 3];
    const uint8_t *transport = bytes + p->ip.header_bytes;
    if (p->ip.protocol == HF_IP_PROTO_TCP)
        return read_tcp(f, transport, p->ip.payload_bytes, p);
    if (p->ip.protocol == (p->ip.version == 4 ? HF_IP_PROTO_ICMP : HF_IP_PROTO_ICMPV6))
        return read_icmp(f, transport, p->ip.payload_bytes, p);
    p->fault = "neither TCP nor ICMP";
    return false;
}
