/**
 * ARP and neighbour discovery, bytes <-> struct. See resolve.h.
 */
#include "resolve.h"

#include <string.h>

#include "core/wire/ip.h"

enum {
    ARP_ETHERNET = 1,
    ARP_REQUEST = 1,
    ARP_REPLY = 2,
    V4_AT = 12, /* in an address in mapped form */
    ND_ROUTER_FIRST = 133,
    ND_SOLICITATION = 135,
    ND_ADVERTISEMENT = 136,
    ND_REDIRECT = 137,
    ND_BYTES = 24, /* of both, without options */
    ND_HOP_LIMIT = 255,
    OPTION_SOURCE_MAC = 1,
    OPTION_TARGET_MAC = 2,
    OPTION_BYTES = 8, /* the unit of an option's length; as many has one with a MAC */
    IPV6_NEXT_HEADER_AT = 6,
    IPV6_HOP_LIMIT_AT = 7,
    IPV6_SOURCE_AT = 8,
    IPV6_DESTINATION_AT = 24,
};
#define ADVERT_SOLICITED 0x40000000u
#define ADVERT_OVERRIDE 0x20000000u

static const struct hf_addr all_nodes = {{0xff, 0x02, [15] = 1}};

static bool is_group(const uint8_t mac[HF_MAC_BYTES])
{
    return (mac[0] & 1) != 0;
}

static bool is_station(const uint8_t mac[HF_MAC_BYTES])
{
    static const uint8_t none[HF_MAC_BYTES];
    return !is_group(mac) && memcmp(mac, none, sizeof none) != 0;
}

static struct hf_addr v4_at(const uint8_t *p)
{
    return hf_addr_v4(p[0], p[1], p[2], p[3]);
}

static struct hf_addr v6_at(const uint8_t *p)
{
    struct hf_addr a = HF_ADDR_ANY;
    memcpy(a.octets, p, sizeof a.octets);
    return a;
}

/* ---- reading -------------------------------------------------------------------------------- */

enum hf_resolve_verdict hf_arp_read(const uint8_t *bytes, size_t n, struct hf_resolve *m)
{
    if (n < HF_ARP_BYTES || hf_get16(bytes) != ARP_ETHERNET ||
        hf_get16(bytes + 2) != HF_ETHER_IPV4 || bytes[4] != HF_MAC_BYTES || bytes[5] != 4)
        return HF_RESOLVE_MALFORMED;
    uint16_t op = hf_get16(bytes + 6);
    if (op != ARP_REQUEST && op != ARP_REPLY)
        return HF_RESOLVE_UNUSED;
    *m = (struct hf_resolve){.about = v4_at(bytes + 14),
                             .asked = v4_at(bytes + 24),
                             .has_mac = true,
                             .solicited = op == ARP_REPLY,
                             .is_override = true};
    memcpy(m->mac, bytes + 8, HF_MAC_BYTES);
    bool is_probe = op == ARP_REQUEST && hf_addr_is_any(&m->about);
    if (!is_station(m->mac) || (!is_probe && !hf_addr_is_unicast(&m->about)))
        return HF_RESOLVE_MALFORMED;
    return op == ARP_REQUEST ? HF_RESOLVE_QUESTION : HF_RESOLVE_ANSWER;
}

/* Looks for the option with a MAC. False: options are malformed. */
static bool read_options(const uint8_t *bytes, size_t n, uint8_t wanted, struct hf_resolve *m)
{
    for (size_t at = 0; at < n;) {
        size_t length = n - at >= 2 ? (size_t)bytes[at + 1] * OPTION_BYTES : 0;
        if (length == 0 || length > n - at)
            return false;
        if (bytes[at] == wanted && !m->has_mac && length == OPTION_BYTES) {
            memcpy(m->mac, bytes + at + 2, HF_MAC_BYTES);
            m->has_mac = true;
            if (!is_station(m->mac))
                return false;
        }
        at += length;
    }
    return true;
}

/* [RFC4861#7.1.1] */
static enum hf_resolve_verdict read_solicitation(const struct hf_ip *ip, const uint8_t *bytes,
                                                 struct hf_resolve *m)
{
    *m = (struct hf_resolve){
        .about = ip->source, .asked = v6_at(bytes + 8), .solicited = true, .is_override = true};
    if (!hf_addr_is_unicast(&m->asked) || hf_addr_is_v4(&m->asked) ||
        !read_options(bytes + ND_BYTES, ip->payload_bytes - ND_BYTES, OPTION_SOURCE_MAC, m))
        return HF_RESOLVE_MALFORMED;
    if (hf_addr_is_any(&m->about)) {
        struct hf_addr group = hf_solicited_node(&m->asked);
        return m->has_mac || !hf_addr_equal(&ip->destination, &group) ? HF_RESOLVE_MALFORMED
                                                                      : HF_RESOLVE_QUESTION;
    }
    return hf_addr_is_unicast(&m->about) ? HF_RESOLVE_QUESTION : HF_RESOLVE_MALFORMED;
}

/* [RFC4861#7.1.2] */
static enum hf_resolve_verdict read_advertisement(const struct hf_ip *ip, const uint8_t *bytes,
                                                  struct hf_resolve *m)
{
    uint32_t flags = hf_get32(bytes + 4);
    *m = (struct hf_resolve){.about = v6_at(bytes + 8),
                             .asked = ip->destination,
                             .solicited = (flags & ADVERT_SOLICITED) != 0,
                             .is_override = (flags & ADVERT_OVERRIDE) != 0};
    bool to_many = ip->destination.octets[0] == 0xff;
    if (!hf_addr_is_unicast(&m->about) || hf_addr_is_v4(&m->about) || (to_many && m->solicited) ||
        !read_options(bytes + ND_BYTES, ip->payload_bytes - ND_BYTES, OPTION_TARGET_MAC, m))
        return HF_RESOLVE_MALFORMED;
    return HF_RESOLVE_ANSWER;
}

static bool sum_is_right(const struct hf_ip *ip, const uint8_t *bytes)
{
    hf_sum sum = hf_ip_pseudo_sum(&ip->source, &ip->destination, ip->protocol, ip->payload_bytes);
    return hf_sum_fold(hf_sum_bytes(sum, bytes, ip->payload_bytes)) == 0xffff;
}

/* By the first header alone: behind extension headers these messages are never sent, and are not
 * taken there either. */
static bool is_nd(const uint8_t *bytes, size_t n)
{
    return n > HF_IPV6_HEADER_BYTES && bytes[IPV6_NEXT_HEADER_AT] == HF_IP_PROTO_ICMPV6 &&
           bytes[HF_IPV6_HEADER_BYTES] >= ND_ROUTER_FIRST &&
           bytes[HF_IPV6_HEADER_BYTES] <= ND_REDIRECT;
}

/* What hf_ip_parse refuses here: packets without a source are none for TCP. */
static bool read_ip(const uint8_t *bytes, size_t n, struct hf_ip *ip)
{
    uint32_t payload_bytes = hf_get16(bytes + 4);
    *ip = (struct hf_ip){.source = v6_at(bytes + IPV6_SOURCE_AT),
                         .destination = v6_at(bytes + IPV6_DESTINATION_AT),
                         .version = bytes[0] >> 4,
                         .protocol = HF_IP_PROTO_ICMPV6,
                         .ttl = bytes[IPV6_HOP_LIMIT_AT],
                         .payload_bytes = payload_bytes};
    /* The mapped form stands for IPv4 inside: on the wire it would pass for somebody else. */
    return ip->version == 6 && payload_bytes <= n - HF_IPV6_HEADER_BYTES &&
           !hf_addr_is_v4(&ip->source) && !hf_addr_is_v4(&ip->destination);
}

enum hf_resolve_verdict hf_nd_read(const uint8_t *bytes, size_t n, bool sum_known,
                                   struct hf_resolve *m)
{
    struct hf_ip ip;
    if (!is_nd(bytes, n))
        return HF_RESOLVE_OTHER;
    const uint8_t *message = bytes + HF_IPV6_HEADER_BYTES;
    if (message[0] != ND_SOLICITATION && message[0] != ND_ADVERTISEMENT)
        return HF_RESOLVE_UNUSED;
    /* 255: it has passed no router, so it is of this link. */
    if (!read_ip(bytes, n, &ip) || ip.ttl != ND_HOP_LIMIT || ip.payload_bytes < ND_BYTES ||
        message[1] != 0 || (!sum_known && !sum_is_right(&ip, message)))
        return HF_RESOLVE_MALFORMED;
    return message[0] == ND_SOLICITATION ? read_solicitation(&ip, message, m)
                                         : read_advertisement(&ip, message, m);
}

/* ---- writing -------------------------------------------------------------------------------- */

struct hf_addr hf_solicited_node(const struct hf_addr *addr)
{
    struct hf_addr group = {{0xff, 0x02, [11] = 1, [12] = 0xff}};
    memcpy(group.octets + 13, addr->octets + 13, 3);
    return group;
}

void hf_multicast_mac(const struct hf_addr *group, uint8_t mac[HF_MAC_BYTES])
{
    mac[0] = mac[1] = 0x33;
    memcpy(mac + 2, group->octets + 12, 4);
}

/* An unspecified receiver of an answer: it is an announcement, which asks for the sender itself so
 * that nobody has to answer [RFC5227#3]. */
static size_t write_arp(const struct hf_resolve_out *m, uint8_t *bytes)
{
    bool announces = m->answers && hf_addr_is_any(&m->other);
    const struct hf_addr *other = announces ? &m->own : &m->other;
    memset(bytes, 0, HF_ARP_BYTES);
    hf_put16(bytes, ARP_ETHERNET);
    hf_put16(bytes + 2, HF_ETHER_IPV4);
    bytes[4] = HF_MAC_BYTES;
    bytes[5] = 4;
    hf_put16(bytes + 6, m->answers && !announces ? ARP_REPLY : ARP_REQUEST);
    memcpy(bytes + 8, m->mac, HF_MAC_BYTES);
    memcpy(bytes + 14, m->own.octets + V4_AT, 4);
    if (m->answers && !announces)
        memcpy(bytes + 18, m->other_mac, HF_MAC_BYTES);
    memcpy(bytes + 24, other->octets + V4_AT, 4);
    return HF_ARP_BYTES;
}

static struct hf_addr destination_of(const struct hf_resolve_out *m)
{
    if (m->answers)
        return hf_addr_is_any(&m->other) ? all_nodes : m->other;
    return m->is_unicast ? m->other : hf_solicited_node(&m->other);
}

static size_t write_nd(const struct hf_resolve_out *m, uint8_t *bytes)
{
    const struct hf_ip ip = {.source = m->own,
                             .destination = destination_of(m),
                             .version = 6,
                             .protocol = HF_IP_PROTO_ICMPV6,
                             .ttl = ND_HOP_LIMIT,
                             .payload_bytes = ND_BYTES + OPTION_BYTES};
    uint8_t *message = bytes + hf_ip_emit(&ip, bytes);
    memset(message, 0, ip.payload_bytes);
    message[0] = m->answers ? ND_ADVERTISEMENT : ND_SOLICITATION;
    if (m->answers)
        hf_put32(message + 4, ADVERT_OVERRIDE | (hf_addr_is_any(&m->other) ? 0 : ADVERT_SOLICITED));
    memcpy(message + 8, m->answers ? m->own.octets : m->other.octets, sizeof m->own.octets);
    message[ND_BYTES] = m->answers ? OPTION_TARGET_MAC : OPTION_SOURCE_MAC;
    message[ND_BYTES + 1] = 1;
    memcpy(message + ND_BYTES + 2, m->mac, HF_MAC_BYTES);
    hf_sum sum = hf_ip_pseudo_sum(&ip.source, &ip.destination, ip.protocol, ip.payload_bytes);
    hf_put16(message + 2, hf_sum_checksum(hf_sum_bytes(sum, message, ip.payload_bytes)));
    return HF_IPV6_HEADER_BYTES + ip.payload_bytes;
}

size_t hf_resolve_write(const struct hf_resolve_out *m, uint8_t bytes[HF_RESOLVE_MAX_BYTES])
{
    return hf_addr_is_v4(&m->own) ? write_arp(m, bytes) : write_nd(m, bytes);
}
