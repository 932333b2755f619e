/**
 * IPv4 and IPv6 headers, bytes <-> struct [RFC791] [RFC8200]. Total functions: any bytes give a
 * struct or a reason. IPv4 options and IPv6 extension headers are skipped.
 */
#ifndef HF_WIRE_IP_H
#define HF_WIRE_IP_H

#include "checksum.h"

enum {
    HF_IP_PROTO_ICMP = 1,
    HF_IP_PROTO_TCP = 6,
    HF_IP_PROTO_ICMPV6 = 58,
    HF_IPV4_HEADER_BYTES = 20,
    HF_IPV6_HEADER_BYTES = 40,
    HF_IPV4_PLAIN = 0x45, /**< the first byte, if there are no options */
    HF_IPV4_DONT_FRAGMENT = 0x4000,
    HF_IPV4_FIRST = 0x45000000, /**< version and header length, where they stand */
    HF_IPV4_MORE_FRAGMENTS = 0x2000,
    HF_IPV4_OFFSET_MASK = 0x1fff,
    HF_IP_LENGTH_MAX = 65535,
    HF_IP_EMIT_MAX_BYTES = 40,  /**< what hf_ip_emit writes at most */
    HF_IPV6_EXTENSIONS_MAX = 8, /**< extension headers that are walked at most */
};

struct hf_ip {
    struct hf_addr source, destination;
    uint8_t version;  /**< 4 or 6 */
    uint8_t protocol; /**< of the transport: an IPv6 extension header never stands here */
    uint8_t ttl;
    uint8_t traffic_class;  /**< DSCP and ECN */
    bool dont_fragment;     /**< IPv4 only */
    uint16_t id;            /**< IPv4 only */
    uint16_t header_bytes;  /**< up to the transport header; not used to emit */
    uint32_t payload_bytes; /**< behind that, without padding behind the IP length */
};

/** Parses n bytes. Returns HF_NONE or the reason to drop the packet (HF_DROP_IP_*). Fragments are
 *  refused; an atomic IPv6 fragment [RFC6946] is not one. On a reason *ip is as far as known. */
enum hf_reason hf_ip_parse(const uint8_t *bytes, size_t n, struct hf_ip *ip);

/** The header that nearly all packets of TCP have: IPv4, no options, no fragment, and nothing is
 *  wrong with it. Then hf_ip_parse need not be asked; the next three tell what it would. */
static inline bool hf_ip_is_plain_tcp(const uint8_t *bytes, size_t n)
{
    if (n < HF_IPV4_HEADER_BYTES || bytes[0] != HF_IPV4_PLAIN || bytes[9] != HF_IP_PROTO_TCP)
        return false;
    uint32_t total = hf_get16(bytes + 2), fragment = hf_get16(bytes + 6);
    return total >= HF_IPV4_HEADER_BYTES && total <= n &&
           (fragment & (HF_IPV4_MORE_FRAGMENTS | HF_IPV4_OFFSET_MASK)) == 0 &&
           hf_sum_is_right(hf_sum_header_unordered(bytes, HF_IPV4_HEADER_BYTES));
}
static inline struct hf_addr hf_ip_plain_source(const uint8_t *bytes)
{
    return hf_addr_mapped(bytes + 12);
}
static inline struct hf_addr hf_ip_plain_destination(const uint8_t *bytes)
{
    return hf_addr_mapped(bytes + 16);
}
static inline uint32_t hf_ip_plain_payload_bytes(const uint8_t *bytes)
{
    return hf_get16(bytes + 2) - (uint32_t)HF_IPV4_HEADER_BYTES;
}

/**
 * Parses the IP header quoted in an ICMP error: as hf_ip_parse, but what lies behind the header may
 * be cut off, the IPv4 checksum is not verified, and a first fragment is allowed.
 */
enum hf_reason hf_ip_parse_quoted(const uint8_t *bytes, size_t n, struct hf_ip *ip);

/** hf_ip_emit_between of version 6. */
size_t hf_ipv6_emit(const struct hf_ip *ip, const struct hf_addr *source,
                    const struct hf_addr *destination, uint8_t *bytes);
/** An IPv4 header without options, in words: version to length, identification and fragment, TTL
 *  and protocol (the checksum goes below them), addresses. */
static inline void hf_ipv4_put_words(uint8_t *bytes, uint32_t first, uint32_t second,
                                     uint32_t third, uint32_t source, uint32_t destination)
{
    /* Summed from the words: reading back what was just written would stall. */
    third |= hf_sum_checksum((hf_sum)first + second + third + source + destination);
    hf_put64(bytes, (uint64_t)first << 32 | second);
    hf_put64(bytes + 8, (uint64_t)third << 32 | source);
    hf_put32(bytes + 16, destination);
}
/** Writes a header without options for ip->payload_bytes, between other addresses than those of
 *  ip; returns its length, 20 or 40. Inline: what is in the struct need not go through memory. */
static inline size_t hf_ip_emit_between(const struct hf_ip *ip, const struct hf_addr *from,
                                        const struct hf_addr *to, uint8_t *bytes)
{
    if (ip->version != 4) {
        struct hf_ip copy = *ip; /* so that for IPv4 the struct stays out of memory */
        return hf_ipv6_emit(&copy, from, to, bytes);
    }
    HF_ASSERT(ip->payload_bytes <= HF_IP_LENGTH_MAX - HF_IPV4_HEADER_BYTES);
    HF_DEBUG_ASSERT(hf_addr_is_mapped(from) && hf_addr_is_mapped(to));
    uint32_t class_total =
        (uint32_t)ip->traffic_class << 16 | (HF_IPV4_HEADER_BYTES + ip->payload_bytes);
    uint32_t fragment = ip->dont_fragment ? HF_IPV4_DONT_FRAGMENT : 0;
    hf_ipv4_put_words(bytes, HF_IPV4_FIRST | class_total, (uint32_t)ip->id << 16 | fragment,
                      (uint32_t)ip->ttl << 24 | (uint32_t)ip->protocol << 16,
                      hf_get32(from->octets + 12), hf_get32(to->octets + 12));
    return HF_IPV4_HEADER_BYTES;
}
/** The same between those of ip. */
static inline size_t hf_ip_emit(const struct hf_ip *ip, uint8_t *bytes)
{
    return hf_ip_emit_between(ip, &ip->source, &ip->destination, bytes);
}

/** The sum of the pseudo-header [RFC9293#3.1] [RFC8200#8.1]; v4: hf_addr_is_mapped of both. */
static inline hf_sum hf_ip_pseudo_sum_of(bool v4, const struct hf_addr *source,
                                         const struct hf_addr *destination, uint8_t protocol,
                                         uint32_t transport_bytes)
{
    const uint8_t *from = source->octets, *to = destination->octets;
    hf_sum sum = (hf_sum)protocol + transport_bytes + hf_get32(from + 12) + hf_get32(to + 12);
    if (v4)
        return sum;
    sum += (hf_sum)hf_get32(from) + hf_get32(from + 4) + hf_get32(from + 8);
    return sum + hf_get32(to) + hf_get32(to + 4) + hf_get32(to + 8);
}
static inline hf_sum hf_ip_pseudo_sum(const struct hf_addr *source,
                                      const struct hf_addr *destination, uint8_t protocol,
                                      uint32_t transport_bytes)
{
    return hf_ip_pseudo_sum_of(hf_addr_is_mapped(source), source, destination, protocol,
                               transport_bytes);
}

/** The same in the machine's order: hf_sum_ordered makes the other of it. */
static inline hf_sum hf_ip_pseudo_sum_unordered(const struct hf_addr *source,
                                                const struct hf_addr *destination, uint8_t protocol,
                                                uint32_t transport_bytes)
{
    const uint8_t *from = source->octets, *to = destination->octets;
    uint8_t rest[4];
    hf_put32(rest, protocol + transport_bytes);
    hf_sum sum = hf_sum_word(rest) + hf_sum_word(from + 12) + hf_sum_word(to + 12);
    if (hf_addr_is_mapped(source))
        return sum;
    sum += hf_sum_word(from) + hf_sum_word(from + 4) + hf_sum_word(from + 8);
    return sum + hf_sum_word(to) + hf_sum_word(to + 4) + hf_sum_word(to + 8);
}

bool hf_addr_is_any(const struct hf_addr *a);
/** True for an address that may stand as source of a unicast conversation: not unspecified,
 *  broadcast, multicast [RFC9293#3.9.2.3]; on the wire an IPv4-mapped IPv6 address is none either
 *  (hf_ip_parse refuses it). */
static inline bool hf_addr_is_unicast(const struct hf_addr *a)
{
    if (!hf_addr_is_mapped(a))
        return a->octets[0] != 0xff && !hf_addr_is_any(a); /* ff00::/8 [RFC4291#2.7] */
    uint32_t v4 = hf_get32(a->octets + 12);
    if (v4 >> 24 == 0) /* this network [RFC1122#3.2.1.3] */
        return false;
    return v4 >> 28 != 14 && v4 != UINT32_MAX; /* 224/4 and limited broadcast */
}
/** True if the first prefix_bits (0..128, IPv4 counted from 96) are equal. */
bool hf_addr_prefix_equal(const struct hf_addr *a, const struct hf_addr *b, unsigned prefix_bits);

#endif
