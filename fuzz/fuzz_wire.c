/**
 * Fuzz target: any bytes as an IP packet, down to TCP or ICMP. Parsers must stay inside the input,
 * and what was parsed must survive being written and parsed again.
 *
 * The first byte of the input chooses the option layout and whether checksums count.
 */
#include <stdlib.h>
#include <string.h>

#include "core/wire/icmp.h"
#include "core/wire/ip.h"
#include "core/wire/tcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length_bytes);

enum { PACKET_MAX = 65535 + HF_IPV6_HEADER_BYTES };

static void check_same_ip(const struct hf_ip *a, const struct hf_ip *b)
{
    HF_ASSERT(hf_addr_equal(&a->source, &b->source));
    HF_ASSERT(hf_addr_equal(&a->destination, &b->destination));
    HF_ASSERT(a->version == b->version && a->protocol == b->protocol && a->ttl == b->ttl);
    HF_ASSERT(a->traffic_class == b->traffic_class && a->dont_fragment == b->dont_fragment);
    HF_ASSERT(a->id == b->id && a->payload_bytes == b->payload_bytes);
}

static void check_ip(const struct hf_ip *ip)
{
    uint8_t header[HF_IP_EMIT_MAX_BYTES];
    struct hf_ip back;
    size_t n = hf_ip_emit(ip, header);
    HF_ASSERT(hf_ip_parse_quoted(header, n, &back) == HF_NONE);
    check_same_ip(ip, &back);
    HF_ASSERT(back.header_bytes == n);
}

static void check_same_segment(const struct hf_segment *a, const struct hf_segment *b)
{
    HF_ASSERT(a->source_port == b->source_port && a->destination_port == b->destination_port);
    HF_ASSERT(a->seq == b->seq && a->ack == b->ack && a->flags == b->flags);
    HF_ASSERT(a->window == b->window && a->urgent_pointer == b->urgent_pointer);
    HF_ASSERT(a->has_mss == b->has_mss && a->mss_bytes == b->mss_bytes);
    HF_ASSERT(a->has_wscale == b->has_wscale && a->wscale == b->wscale);
    HF_ASSERT(a->has_sack_permitted == b->has_sack_permitted);
    HF_ASSERT(a->has_timestamps == b->has_timestamps);
    HF_ASSERT(a->ts_value == b->ts_value && a->ts_echo == b->ts_echo);
    HF_ASSERT(a->sack_count == b->sack_count);
    for (size_t i = 0; i < a->sack_count; i++)
        HF_ASSERT(a->sack[i].left == b->sack[i].left && a->sack[i].right == b->sack[i].right);
}

static void fuzz_tcp(const uint8_t *bytes, size_t n, enum hf_option_layout layout)
{
    struct hf_segment seg, back;
    if (hf_tcp_parse(bytes, n, &seg) != HF_NONE)
        return;
    HF_ASSERT(seg.header_bytes + seg.payload_bytes == n);
    uint8_t header[HF_TCP_HEADER_MAX_BYTES];
    size_t expected_bytes = hf_tcp_header_bytes(&seg, layout);
    size_t header_bytes = hf_tcp_emit(&seg, layout, header);
    HF_ASSERT(header_bytes == expected_bytes);
    HF_ASSERT(hf_tcp_parse(header, header_bytes, &back) == HF_NONE);
    check_same_segment(&seg, &back);
}

static void fuzz_icmp(const struct hf_ip *ip, const uint8_t *bytes, size_t n, bool checksum_valid)
{
    struct hf_icmp icmp, back;
    if (hf_icmp_parse(ip, bytes, n, checksum_valid, &icmp) != HF_NONE)
        return;
    if (icmp.kind == HF_ICMP_ERROR && icmp.quoted_tcp)
        check_ip(&icmp.quoted);
    uint8_t *out = malloc(n);
    HF_ASSERT(out != NULL);
    if (icmp.kind == HF_ICMP_ECHO_REQUEST) {
        hf_icmp_emit_echo_reply(ip, &icmp, out);
        memcpy(out + HF_ICMP_HEADER_BYTES, icmp.echo, icmp.echo_bytes);
        HF_ASSERT(hf_icmp_parse(ip, out, n, false, &back) == HF_NONE);
        HF_ASSERT(back.kind == HF_ICMP_ECHO_REPLY && back.rest == icmp.rest);
    } else {
        size_t made =
            hf_icmp_emit_error(ip, icmp.type, icmp.code, icmp.rest, bytes + HF_ICMP_HEADER_BYTES,
                               n - HF_ICMP_HEADER_BYTES, out);
        HF_ASSERT(made == n);
        HF_ASSERT(hf_icmp_parse(ip, out, n, false, &back) == HF_NONE);
        HF_ASSERT(back.kind == icmp.kind && back.mtu_bytes == icmp.mtu_bytes);
        HF_ASSERT(back.quoted_tcp == icmp.quoted_tcp && back.quoted_seq == icmp.quoted_seq);
    }
    free(out);
}

/** IPv4 headers with any checksum would never be taken: half of the inputs get the right one. */
static void fix_ipv4_checksum(uint8_t *packet, size_t n)
{
    size_t header_bytes = n == 0 ? 0 : (size_t)(packet[0] & 15) * 4;
    if (n == 0 || packet[0] >> 4 != 4 || header_bytes < HF_IPV4_HEADER_BYTES || header_bytes > n)
        return;
    hf_put16(packet + 10, 0);
    hf_put16(packet + 10, hf_sum_checksum(hf_sum_bytes(0, packet, header_bytes)));
}

static void fuzz_packet(const uint8_t *packet, size_t n, enum hf_option_layout layout,
                        bool checksum_valid)
{
    struct hf_ip ip;
    if (hf_ip_parse_quoted(packet, n, &ip) == HF_NONE) {
        HF_ASSERT(ip.header_bytes <= n);
        check_ip(&ip);
    }
    if (hf_ip_parse(packet, n, &ip) != HF_NONE)
        return;
    HF_ASSERT(ip.header_bytes + ip.payload_bytes <= n);
    check_ip(&ip);
    const uint8_t *transport = packet + ip.header_bytes;
    if (ip.protocol == HF_IP_PROTO_TCP)
        fuzz_tcp(transport, ip.payload_bytes, layout);
    if (ip.protocol == (ip.version == 4 ? HF_IP_PROTO_ICMP : HF_IP_PROTO_ICMPV6))
        fuzz_icmp(&ip, transport, ip.payload_bytes, checksum_valid);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length_bytes)
{
    if (length_bytes == 0 || length_bytes - 1 > PACKET_MAX)
        return 0;
    size_t n = length_bytes - 1;
    uint8_t *packet = malloc(n);
    HF_ASSERT(packet != NULL || n == 0);
    if (n != 0)
        memcpy(packet, bytes + 1, n);
    if ((bytes[0] & 1) != 0)
        fix_ipv4_checksum(packet, n);
    static const enum hf_option_layout layouts[] = {HF_LAYOUT_OWN, HF_LAYOUT_LINUX,
                                                    HF_LAYOUT_FREEBSD, HF_LAYOUT_FREEBSD};
    fuzz_packet(packet, n, layouts[bytes[0] >> 2 & 3], (bytes[0] & 2) != 0);
    free(packet);
    return 0;
}
