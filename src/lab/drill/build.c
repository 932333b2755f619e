/**
 * Inbound lines of a script as the bytes of a packet.
 */
#include "flow.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/wire/icmp.h"

enum { HOP_LIMIT = 64, IP_MAX_BYTES = 65535, QUOTE_MAX_BYTES = 64 };

struct build {
    struct hf_flow *flow;
    const struct hf_script_packet *packet;
    uint8_t *bytes;
    size_t capacity_bytes;
    char *fault;
};

static size_t fail(const struct build *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static size_t fail(const struct build *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(b->fault, HF_MISMATCH_BYTES, format, args);
    va_end(args);
    return 0;
}

/* ---- IP ----------------------------------------------------------------------------------- */

static uint8_t traffic_class(const struct hf_script_ip *ip)
{
    switch (ip->ecn) {
    case HF_SCRIPT_ECN_ANY: return ip->tos;
    case HF_SCRIPT_ECN_NONE: return ip->tos & 0xfc;
    case HF_SCRIPT_ECN_ECT1: return (ip->tos & 0xfc) | 1;
    case HF_SCRIPT_ECN_ECT0:
    case HF_SCRIPT_ECN_ECT01: return (ip->tos & 0xfc) | 2;
    case HF_SCRIPT_ECN_CE: return ip->tos | 3;
    }
    HF_UNREACHABLE("traffic_class: an ECN beyond the enum");
}

static struct hf_ip ip_of(const struct build *b, uint8_t protocol, uint32_t payload_bytes)
{
    const struct hf_script_ip *wanted = &b->packet->ip;
    return (struct hf_ip){
        .source = b->flow->remote.addr,
        .destination = b->flow->local.addr,
        .version = hf_addr_is_v4(&b->flow->remote.addr) ? 4 : 6,
        .protocol = protocol,
        .ttl = wanted->has_ttl ? wanted->ttl : HOP_LIMIT,
        .traffic_class = traffic_class(wanted),
        .dont_fragment = true,
        .payload_bytes = payload_bytes,
    };
}

/** Writes the IP header; returns its length, or 0 with a fault if the packet can't be. */
static size_t put_ip(const struct build *b, const struct hf_ip *ip)
{
    size_t header_bytes = ip->version == 4 ? HF_IPV4_HEADER_BYTES : HF_IPV6_HEADER_BYTES;
    size_t counted_bytes = ip->payload_bytes + (ip->version == 4 ? header_bytes : 0);
    if (counted_bytes > IP_MAX_BYTES || header_bytes + ip->payload_bytes > b->capacity_bytes)
        return fail(b, "a packet of %zu bytes is too large to inject",
                    header_bytes + ip->payload_bytes);
    hf_ip_emit(ip, b->bytes);
    if (b->packet->ip.has_flow_label && ip->version == 6)
        hf_put32(b->bytes, hf_get32(b->bytes) | b->packet->ip.flow_label);
    return header_bytes;
}

/* ---- TCP options -------------------------------------------------------------------------- */

/** An option of the line with the wire's numbers. */
static bool map_option(const struct build *b, struct hf_script_option *o)
{
    const struct hf_script_tcp *tcp = &b->packet->tcp;
    if (o->raw)
        return true;
    uint32_t offset = hf_flow_local_offset(b->flow, (tcp->flags & HF_SYN) != 0);
    for (size_t i = 0; i < o->block_count; i++) {
        o->blocks[i].left += offset;
        o->blocks[i].right += offset;
    }
    /* Without an ACK nothing is echoed: then the field is what the script says. */
    bool echoes = o->kind == HF_KIND_TIMESTAMPS && (tcp->flags & HF_ACK) && !o->ts_echo_exact;
    uint32_t live;
    if (!echoes)
        return true;
    if (!hf_flow_live_stamp(b->flow, o->ts_echo, &live)) {
        fail(b, "ecr %u: no timestamp %u was sent", o->ts_echo, o->ts_echo);
        return false;
    }
    o->ts_echo = live;
    return true;
}

static bool put_options(const struct build *b, uint8_t bytes[HF_OPTION_BYTES], size_t *n)
{
    *n = 0;
    for (size_t i = 0; i < b->packet->tcp.option_count; i++) {
        struct hf_script_option o = b->packet->tcp.option[i];
        uint8_t one[HF_OPTION_BYTES];
        if (!map_option(b, &o))
            return false;
        size_t one_bytes = hf_option_bytes(&o, one);
        if (*n + one_bytes > HF_OPTION_BYTES) {
            fail(b, "TCP options of more than %d bytes", HF_OPTION_BYTES);
            return false;
        }
        memcpy(bytes + *n, one, one_bytes);
        *n += one_bytes;
    }
    if (*n % 4 != 0) {
        fail(b, "TCP options of %zu bytes, no multiple of 4: nothing is padded", *n);
        return false;
    }
    return true;
}

/* ---- TCP ---------------------------------------------------------------------------------- */

static void learn_from_peer(struct hf_flow *f, const struct hf_script_tcp *tcp)
{
    f->remote_is_known = true;
    if ((tcp->flags & HF_SYN) == 0 || f->remote_iss_known)
        return;
    f->remote_iss = tcp->seq;
    f->remote_iss_known = true;
}

static struct hf_segment segment_of(const struct build *b)
{
    const struct hf_script_tcp *tcp = &b->packet->tcp;
    const struct hf_flow *f = b->flow;
    bool syn = (tcp->flags & HF_SYN) != 0, raw = tcp->seq_kind == HF_SCRIPT_SEQ_ABSOLUTE;
    bool ack = (tcp->flags & HF_ACK) != 0;
    return (struct hf_segment){
        .source_port = b->packet->has_ports ? b->packet->source_port : f->remote.port,
        .destination_port = b->packet->has_ports ? b->packet->destination_port : f->local.port,
        .seq = tcp->seq + (raw ? 0 : hf_flow_remote_offset(f, syn)),
        .ack = tcp->ack + (ack ? hf_flow_local_offset(f, syn) : 0),
        .flags = tcp->flags,
        .window = tcp->window,
        .urgent_pointer = tcp->urgent,
        .payload_bytes = tcp->length_bytes,
    };
}

size_t hf_flow_put_segment(const struct hf_ip *ip, struct hf_segment *seg, const uint8_t *options,
                           size_t option_bytes, uint8_t *tcp)
{
    size_t header_bytes = HF_TCP_HEADER_BYTES + option_bytes;
    uint32_t tcp_bytes = (uint32_t)header_bytes + seg->payload_bytes;
    hf_tcp_emit(seg, HF_LAYOUT_OWN, tcp);
    /* The options go in as the script has them, which no layout of the wire's would. */
    tcp[12] = (uint8_t)((tcp[12] & 0x0f) | header_bytes / 4 << 4);
    if (option_bytes > 0)
        memcpy(tcp + HF_TCP_HEADER_BYTES, options, option_bytes);
    memset(tcp + header_bytes, 0, seg->payload_bytes);
    hf_sum sum = hf_ip_pseudo_sum(&ip->source, &ip->destination, HF_IP_PROTO_TCP, tcp_bytes);
    hf_put16(tcp + 16, hf_sum_checksum(hf_sum_bytes(sum, tcp, tcp_bytes)));
    return tcp_bytes;
}

static size_t build_tcp(const struct build *b)
{
    uint8_t options[HF_OPTION_BYTES];
    size_t option_bytes;
    if (!put_options(b, options, &option_bytes))
        return 0;
    learn_from_peer(b->flow, &b->packet->tcp);
    struct hf_segment seg = segment_of(b);
    uint32_t tcp_bytes = HF_TCP_HEADER_BYTES + (uint32_t)option_bytes + seg.payload_bytes;
    struct hf_ip ip = ip_of(b, HF_IP_PROTO_TCP, tcp_bytes);
    size_t ip_bytes = put_ip(b, &ip);
    if (ip_bytes == 0)
        return 0;
    return ip_bytes + hf_flow_put_segment(&ip, &seg, options, option_bytes, b->bytes + ip_bytes);
}

/* ---- ICMP --------------------------------------------------------------------------------- */

/** The first bytes of the packet that the stack is said to have sent: its IP header and the part of
 *  the TCP header that every router quotes. */
static size_t put_quote(const struct build *b, uint8_t bytes[QUOTE_MAX_BYTES])
{
    const struct hf_script_icmp *icmp = &b->packet->icmp;
    const struct hf_flow *f = b->flow;
    if (!icmp->has_quote)
        return 0;
    struct hf_ip ip = {
        .source = f->local.addr,
        .destination = f->remote.addr,
        .version = hf_addr_is_v4(&f->remote.addr) ? 4 : 6,
        .protocol = HF_IP_PROTO_TCP,
        .ttl = HOP_LIMIT,
        .dont_fragment = true,
        .payload_bytes = HF_TCP_HEADER_BYTES + icmp->quote_length_bytes,
    };
    uint8_t *tcp = bytes + hf_ip_emit(&ip, bytes);
    hf_put16(tcp, f->local.port);
    hf_put16(tcp + 2, f->remote.port);
    hf_put32(tcp + 4, icmp->quote_seq + hf_flow_local_offset(f, false));
    return (size_t)(tcp - bytes) + HF_ICMP_QUOTE_BYTES;
}

static size_t build_icmp(const struct build *b)
{
    const struct hf_script_icmp *icmp = &b->packet->icmp;
    uint8_t quote[QUOTE_MAX_BYTES];
    uint32_t rest = icmp->has_mtu ? icmp->mtu : icmp->has_id ? icmp->id << 16 : 0;
    if (icmp->v6 == hf_addr_is_v4(&b->flow->remote.addr))
        return fail(b, "ICMP of the other IP version");
    if (icmp->quote_length_bytes > IP_MAX_BYTES - HF_TCP_HEADER_BYTES - HF_IPV4_HEADER_BYTES)
        return fail(b, "a quoted packet of %u bytes can't have been sent",
                    icmp->quote_length_bytes);
    size_t quote_bytes = put_quote(b, quote);
    uint32_t icmp_bytes = (uint32_t)(HF_ICMP_HEADER_BYTES + quote_bytes);
    struct hf_ip ip = ip_of(b, icmp->v6 ? HF_IP_PROTO_ICMPV6 : HF_IP_PROTO_ICMP, icmp_bytes);
    size_t ip_bytes = put_ip(b, &ip);
    if (ip_bytes == 0)
        return 0;
    hf_icmp_emit_error(&ip, icmp->type, icmp->code, rest, quote, quote_bytes, b->bytes + ip_bytes);
    return ip_bytes + icmp_bytes;
}

size_t hf_flow_build(struct hf_flow *f, const struct hf_script_packet *packet, uint8_t *bytes,
                     size_t capacity_bytes, char fault[HF_MISMATCH_BYTES])
{
    struct build b = {
        .flow = f,
        .packet = packet,
        .bytes = bytes,
        .capacity_bytes = capacity_bytes,
        .fault = fault,
    };
    fault[0] = '\0';
    return packet->protocol == HF_SCRIPT_TCP ? build_tcp(&b) : build_icmp(&b);
}
