/**
 * ICMP and ICMPv6: errors that quote a packet, and echo.
 *
 * This file owns the layout of the messages. Which connection a quote belongs to, whether it can be
 * believed, and what an error means for it, is left to the stack.
 */
#include "icmp.h"

/** Types of ICMP [RFC792] and of ICMPv6 [RFC4443]. */
enum {
    V4_ECHO_REPLY = 0,
    V4_UNREACHABLE = 3,
    V4_SOURCE_QUENCH = 4,
    V4_ECHO_REQUEST = 8,
    V4_TIME_EXCEEDED = 11,
    V4_PARAMETER_PROBLEM = 12,
    V4_CODE_FRAGMENTATION_NEEDED = 4,

    V6_UNREACHABLE = 1,
    V6_TOO_BIG = 2,
    V6_TIME_EXCEEDED = 3,
    V6_PARAMETER_PROBLEM = 4,
    V6_ECHO_REQUEST = 128,
    V6_ECHO_REPLY = 129,
};

static enum hf_icmp_kind kind_of(bool v6, uint8_t type)
{
    if (v6) {
        switch (type) {
        case V6_UNREACHABLE:
        case V6_TOO_BIG:
        case V6_TIME_EXCEEDED:
        case V6_PARAMETER_PROBLEM: return HF_ICMP_ERROR;
        case V6_ECHO_REQUEST: return HF_ICMP_ECHO_REQUEST;
        case V6_ECHO_REPLY: return HF_ICMP_ECHO_REPLY;
        default: return HF_ICMP_OTHER;
        }
    }
    switch (type) {
    case V4_UNREACHABLE:
    case V4_SOURCE_QUENCH:
    case V4_TIME_EXCEEDED:
    case V4_PARAMETER_PROBLEM: return HF_ICMP_ERROR;
    case V4_ECHO_REQUEST: return HF_ICMP_ECHO_REQUEST;
    case V4_ECHO_REPLY: return HF_ICMP_ECHO_REPLY;
    default: return HF_ICMP_OTHER;
    }
}

/** What the checksum covers before the message itself: ICMPv6 alone has a pseudo-header
 *  [RFC4443#2.3]. */
static hf_sum prior_sum(const struct hf_ip *ip, size_t message_bytes)
{
    if (ip->version != 6)
        return 0;
    return hf_ip_pseudo_sum(&ip->source, &ip->destination, HF_IP_PROTO_ICMPV6,
                            (uint32_t)message_bytes);
}

static uint32_t mtu_of(const struct hf_icmp *icmp)
{
    if (icmp->v6)
        return icmp->type == V6_TOO_BIG ? icmp->rest : 0;
    if (icmp->type == V4_UNREACHABLE && icmp->code == V4_CODE_FRAGMENTATION_NEEDED)
        return icmp->rest & 0xffff; /* [RFC1191#4] the low half */
    return 0;
}

static enum hf_reason parse_quote(const uint8_t *quote, size_t n, struct hf_icmp *icmp)
{
    enum hf_reason reason = hf_ip_parse_quoted(quote, n, &icmp->quoted);
    /* A well-formed quote of something that can't be TCP of ours is an error all the same. */
    if (reason == HF_DROP_IP_FRAGMENT || reason == HF_DROP_IP_PROTOCOL)
        return icmp->quoted.version == (icmp->v6 ? 6 : 4) ? HF_NONE : HF_DROP_ICMP_MALFORMED;
    if (reason != HF_NONE || icmp->quoted.version != (icmp->v6 ? 6 : 4))
        return HF_DROP_ICMP_MALFORMED;
    if (icmp->quoted.protocol != HF_IP_PROTO_TCP)
        return HF_NONE;
    /* [RFC792] promises 64 bits of the datagram's data: ports and sequence number. */
    if (n - icmp->quoted.header_bytes < HF_ICMP_QUOTE_BYTES ||
        icmp->quoted.payload_bytes < HF_ICMP_QUOTE_BYTES)
        return HF_NONE;
    const uint8_t *tcp = quote + icmp->quoted.header_bytes;
    icmp->quoted_tcp = true;
    icmp->quoted_source_port = hf_get16(tcp);
    icmp->quoted_destination_port = hf_get16(tcp + 2);
    icmp->quoted_seq = hf_get32(tcp + 4);
    return HF_NONE;
}

enum hf_reason hf_icmp_parse(const struct hf_ip *ip, const uint8_t *bytes, size_t n,
                             bool checksum_valid, struct hf_icmp *icmp)
{
    *icmp = (struct hf_icmp){.kind = HF_ICMP_OTHER, .v6 = ip->version == 6};
    if (n < HF_ICMP_HEADER_BYTES)
        return HF_DROP_ICMP_MALFORMED;
    if (!checksum_valid && hf_sum_fold(hf_sum_bytes(prior_sum(ip, n), bytes, n)) != 0xffff)
        return HF_DROP_ICMP_MALFORMED;
    icmp->type = bytes[0];
    icmp->code = bytes[1];
    icmp->rest = hf_get32(bytes + 4);
    icmp->kind = kind_of(icmp->v6, icmp->type);
    switch (icmp->kind) {
    case HF_ICMP_ECHO_REQUEST:
    case HF_ICMP_ECHO_REPLY:
        icmp->echo = bytes + HF_ICMP_HEADER_BYTES;
        icmp->echo_bytes = (uint32_t)(n - HF_ICMP_HEADER_BYTES);
        return HF_NONE;
    case HF_ICMP_ERROR:
        icmp->mtu_bytes = mtu_of(icmp);
        return parse_quote(bytes + HF_ICMP_HEADER_BYTES, n - HF_ICMP_HEADER_BYTES, icmp);
    case HF_ICMP_OTHER: return HF_NONE;
    }
    HF_UNREACHABLE("hf_icmp_parse: a kind beyond the enum");
}

/** Writes type, code and the second word, and returns their sum; the checksum follows. */
static hf_sum put_head(uint8_t *bytes, uint8_t type, uint8_t code, uint32_t rest)
{
    hf_put16(bytes, (uint16_t)(type << 8 | code));
    hf_put32(bytes + 4, rest);
    return hf_sum_u32(hf_sum_u16(0, hf_get16(bytes)), rest);
}

void hf_icmp_emit_echo_reply(const struct hf_ip *reply_ip, const struct hf_icmp *request,
                             uint8_t bytes[HF_ICMP_HEADER_BYTES])
{
    size_t message_bytes = HF_ICMP_HEADER_BYTES + (size_t)request->echo_bytes;
    uint8_t type = request->v6 ? V6_ECHO_REPLY : V4_ECHO_REPLY;
    hf_sum sum = put_head(bytes, type, 0, request->rest) + prior_sum(reply_ip, message_bytes);
    sum = hf_sum_bytes(sum, request->echo, request->echo_bytes);
    hf_put16(bytes + 2, hf_sum_checksum(sum));
}

size_t hf_icmp_emit_error(const struct hf_ip *ip, uint8_t type, uint8_t code, uint32_t rest,
                          const uint8_t *quote, size_t quote_bytes, uint8_t *bytes)
{
    size_t message_bytes = HF_ICMP_HEADER_BYTES + quote_bytes;
    hf_sum sum = put_head(bytes, type, code, rest) + prior_sum(ip, message_bytes);
    sum = hf_sum_copy(sum, bytes + HF_ICMP_HEADER_BYTES, quote, quote_bytes);
    hf_put16(bytes + 2, hf_sum_checksum(sum));
    return message_bytes;
}
