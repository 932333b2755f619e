/**
 * IPv4 and IPv6 headers, bytes <-> struct hf_ip.
 *
 * This file owns the layout of both headers and the walk over IPv6 extension headers. Whether a
 * packet is for us, and whether its addresses make sense there, is left to the stack.
 */
#include "ip.h"

enum {
    IPV6_MORE_FRAGMENTS = 0x0001,
    IPV6_OFFSET_MASK = 0xfff8,
};

/** Next header values of IPv6 that are no transport [RFC8200#4.1]. */
enum {
    NEXT_HOP_BY_HOP = 0,
    NEXT_ROUTING = 43,
    NEXT_FRAGMENT = 44,
    NEXT_ESP = 50,
    NEXT_AH = 51,
    NEXT_NONE = 59,
    NEXT_DESTINATION = 60,
    NEXT_MOBILITY = 135,
    NEXT_HIP = 139,
    NEXT_SHIM6 = 140,
};

/** The options of a hop-by-hop or destination options header [RFC8200#4.2]: an unknown one says
 *  in its first two bits whether the packet may be taken. */
static bool options_may_pass(const uint8_t *options, size_t n)
{
    size_t at = 0;
    while (at < n) {
        uint8_t type = options[at];
        if (type == 0) { /* Pad1, the only one without a length */
            at++;
            continue;
        }
        if (n - at < 2 || options[at + 1] > n - at - 2)
            return false;
        if (type >> 6 != 0)
            return false;
        at += 2 + (size_t)options[at + 1];
    }
    return true;
}

/** One IPv6 extension header of the given kind, `bytes` bytes long. Of a quoted packet only the
 *  length counts: it may have been on its way, and is not taken in here. */
static enum hf_reason check_extension(uint8_t kind, const uint8_t *header, size_t bytes,
                                      bool quoted)
{
    if (kind == NEXT_FRAGMENT) {
        uint16_t field = hf_get16(header + 2);
        if ((field & IPV6_OFFSET_MASK) != 0)
            return HF_DROP_IP_FRAGMENT;
        /* Offset 0 and no more to come: an atomic fragment, a whole packet [RFC6946#4]. */
        return (field & IPV6_MORE_FRAGMENTS) != 0 && !quoted ? HF_DROP_IP_FRAGMENT : HF_NONE;
    }
    if (quoted)
        return HF_NONE;
    /* [RFC8200#4.4] with segments left, this is not the last stop: we are no router. */
    if (kind == NEXT_ROUTING)
        return header[3] == 0 ? HF_NONE : HF_DROP_IP_EXTENSION;
    if (kind == NEXT_HOP_BY_HOP || kind == NEXT_DESTINATION)
        return options_may_pass(header + 2, bytes - 2) ? HF_NONE : HF_DROP_IP_EXTENSION;
    return HF_NONE;
}

static size_t extension_bytes(uint8_t kind, const uint8_t *header)
{
    if (kind == NEXT_FRAGMENT)
        return 8;
    if (kind == NEXT_AH)
        return ((size_t)header[1] + 2) * 4; /* [RFC4302#2.2] counts in words, less 2 */
    return ((size_t)header[1] + 1) * 8;
}

/** Walks from the header at `at`, of kind `next`, to the transport; `end` is where bytes end. */
static enum hf_reason walk_extensions(const uint8_t *bytes, size_t end, uint8_t next, bool quoted,
                                      struct hf_ip *ip)
{
    size_t at = HF_IPV6_HEADER_BYTES;
    for (unsigned count = 0;; count++) {
        ip->protocol = next;
        ip->header_bytes = (uint16_t)at;
        switch (next) {
        case NEXT_HOP_BY_HOP:
            if (count != 0) /* [RFC8200#4.1] stands first or not at all */
                return HF_DROP_IP_EXTENSION;
            break;
        case NEXT_ROUTING:
        case NEXT_FRAGMENT:
        case NEXT_AH:
        case NEXT_DESTINATION: break;
        case NEXT_ESP:
        case NEXT_NONE:
        case NEXT_MOBILITY:
        case NEXT_HIP:
        case NEXT_SHIM6: return HF_DROP_IP_PROTOCOL;
        default: return HF_NONE;
        }
        if (count == HF_IPV6_EXTENSIONS_MAX || end - at < 8)
            return HF_DROP_IP_EXTENSION;
        size_t length = extension_bytes(next, bytes + at);
        if (length > end - at)
            return HF_DROP_IP_EXTENSION;
        enum hf_reason reason = check_extension(next, bytes + at, length, quoted);
        if (reason != HF_NONE)
            return reason;
        next = bytes[at];
        at += length;
    }
}

/** Out of line, so that IPv4 needs no registers saved. */
__attribute__((noinline)) static enum hf_reason parse_v6(const uint8_t *bytes, size_t n,
                                                         bool quoted, struct hf_ip *ip)
{
    if (n < HF_IPV6_HEADER_BYTES)
        return HF_DROP_IP_TRUNCATED;
    ip->traffic_class = (uint8_t)(bytes[0] << 4 | bytes[1] >> 4);
    ip->protocol = bytes[6];
    ip->ttl = bytes[7];
    ip->header_bytes = HF_IPV6_HEADER_BYTES;
    memcpy(ip->source.octets, bytes + 8, 16);
    memcpy(ip->destination.octets, bytes + 24, 16);
    /* Inside, the mapped form stands for IPv4: on the wire it would pass for somebody else. */
    if (hf_addr_is_mapped(&ip->source) || hf_addr_is_mapped(&ip->destination))
        return HF_DROP_IP_ADDRESS;

    size_t total = HF_IPV6_HEADER_BYTES + (size_t)hf_get16(bytes + 4);
    if (total > n && !quoted)
        return HF_DROP_IP_TRUNCATED;
    enum hf_reason reason = walk_extensions(bytes, hf_min_size(total, n), bytes[6], quoted, ip);
    /* No extension header goes past `total`, not even past the bytes that are there. */
    ip->payload_bytes = (uint32_t)(total - ip->header_bytes);
    return reason;
}

/** Four bytes become an address in mapped form; it is all zero before. */
static inline void take_v4(struct hf_addr *a, const uint8_t *bytes)
{
    a->octets[10] = a->octets[11] = 0xff;
    memcpy(a->octets + 12, bytes, 4);
}

static inline enum hf_reason parse_v4(const uint8_t *bytes, size_t n, bool quoted, struct hf_ip *ip)
{
    if (n < HF_IPV4_HEADER_BYTES)
        return HF_DROP_IP_TRUNCATED;
    uint16_t total = hf_get16(bytes + 2);
    uint16_t fragment = hf_get16(bytes + 6);
    ip->header_bytes = (uint16_t)((bytes[0] & 15) * 4);
    ip->traffic_class = bytes[1];
    ip->id = hf_get16(bytes + 4);
    ip->dont_fragment = (fragment & HF_IPV4_DONT_FRAGMENT) != 0;
    ip->ttl = bytes[8];
    ip->protocol = bytes[9];
    take_v4(&ip->source, bytes + 12);
    take_v4(&ip->destination, bytes + 16);

    /* Options in the header are passed over [MUST-50], source routes too [MUST-51] [MUST-52]
     * [MUST-53] [SHLD-24]: DEVIATION D-32. */
    if (ip->header_bytes < HF_IPV4_HEADER_BYTES)
        return HF_DROP_IP_HEADER;
    if (ip->header_bytes > n)
        return HF_DROP_IP_TRUNCATED;
    if (total < ip->header_bytes)
        return HF_DROP_IP_HEADER;
    ip->payload_bytes = (uint32_t)total - ip->header_bytes;
    if (total > n && !quoted)
        return HF_DROP_IP_TRUNCATED;
    /* [RFC1122#3.2.1.2] a bad header checksum is a silent drop. In a quote the field may have
     * been changed by a router on the way. */
    if (!quoted && !hf_sum_is_right(hf_sum_header_unordered(bytes, ip->header_bytes)))
        return HF_DROP_IP_CHECKSUM;
    if ((fragment & HF_IPV4_OFFSET_MASK) != 0)
        return HF_DROP_IP_FRAGMENT;
    if ((fragment & HF_IPV4_MORE_FRAGMENTS) != 0 && !quoted)
        return HF_DROP_IP_FRAGMENT;
    return HF_NONE;
}

static inline enum hf_reason parse(const uint8_t *bytes, size_t n, bool quoted, struct hf_ip *ip)
{
    *ip = (struct hf_ip){.version = 0};
    if (n == 0)
        return HF_DROP_IP_TRUNCATED;
    ip->version = bytes[0] >> 4;
    if (ip->version == 4)
        return parse_v4(bytes, n, quoted, ip);
    if (ip->version == 6)
        return parse_v6(bytes, n, quoted, ip);
    return HF_DROP_IP_VERSION;
}

enum hf_reason hf_ip_parse(const uint8_t *bytes, size_t n, struct hf_ip *ip)
{
    return parse(bytes, n, false, ip);
}

enum hf_reason hf_ip_parse_quoted(const uint8_t *bytes, size_t n, struct hf_ip *ip)
{
    return parse(bytes, n, true, ip);
}

size_t hf_ipv6_emit(const struct hf_ip *ip, const struct hf_addr *source,
                    const struct hf_addr *destination, uint8_t *bytes)
{
    HF_ASSERT(ip->version == 6 && ip->payload_bytes <= HF_IP_LENGTH_MAX);
    hf_put32(bytes, (uint32_t)6 << 28 | (uint32_t)ip->traffic_class << 20);
    hf_put16(bytes + 4, (uint16_t)ip->payload_bytes);
    bytes[6] = ip->protocol;
    bytes[7] = ip->ttl;
    memcpy(bytes + 8, source->octets, 16);
    memcpy(bytes + 24, destination->octets, 16);
    return HF_IPV6_HEADER_BYTES;
}

bool hf_addr_prefix_equal(const struct hf_addr *a, const struct hf_addr *b, unsigned prefix_bits)
{
    HF_ASSERT(prefix_bits <= 128);
    size_t whole = prefix_bits / 8;
    if (memcmp(a->octets, b->octets, whole) != 0)
        return false;
    unsigned rest = prefix_bits % 8;
    return rest == 0 || (a->octets[whole] ^ b->octets[whole]) >> (8 - rest) == 0;
}

bool hf_addr_is_any(const struct hf_addr *a)
{
    static const uint8_t zero[16];
    if (hf_addr_is_mapped(a))
        return hf_get32(a->octets + 12) == 0;
    return memcmp(a->octets, zero, sizeof zero) == 0;
}
