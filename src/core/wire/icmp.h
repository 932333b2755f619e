/**
 * ICMP [RFC792] and ICMPv6 [RFC4443]: errors that quote a packet, and echo. Bytes <-> struct.
 */
#ifndef HF_WIRE_ICMP_H
#define HF_WIRE_ICMP_H

#include "ip.h"

enum hf_icmp_kind {
    HF_ICMP_ECHO_REQUEST,
    HF_ICMP_ECHO_REPLY,
    HF_ICMP_ERROR, /**< quotes a packet: `quoted` and what follows are filled */
    HF_ICMP_OTHER, /**< anything else: well formed, of no interest */
};

enum { HF_ICMP_HEADER_BYTES = 8, HF_ICMP_QUOTE_BYTES = 8 };

struct hf_icmp {
    enum hf_icmp_kind kind;
    bool v6;
    uint8_t type, code;
    uint32_t rest; /**< second word of the header: echo id and sequence, or MTU, host order */
    /* of an error */
    uint32_t mtu_bytes;  /**< of "fragmentation needed" and "packet too big", else 0 */
    struct hf_ip quoted; /**< the packet in question, as we or somebody sent it */
    bool quoted_tcp;     /**< it was TCP and ports and sequence number are there */
    uint16_t quoted_source_port, quoted_destination_port;
    uint32_t quoted_seq;
    /* of an echo */
    const uint8_t *echo; /**< the bytes behind the header */
    uint32_t echo_bytes;
};

/** Parses the transport part of a packet and verifies its checksum unless told that it is valid.
 *  Returns HF_NONE or HF_DROP_ICMP_MALFORMED. */
enum hf_reason hf_icmp_parse(const struct hf_ip *ip, const uint8_t *bytes, size_t n,
                             bool checksum_valid, struct hf_icmp *icmp);

/** Writes the 8-byte header of an echo reply to `icmp` (a request), checksum included. */
void hf_icmp_emit_echo_reply(const struct hf_ip *reply_ip, const struct hf_icmp *request,
                             uint8_t bytes[HF_ICMP_HEADER_BYTES]);

/** Writes an ICMP error with its quote of a packet's first bytes, checksum included; returns its
 *  length, 8 + quote_bytes. `ip` carries the addresses of the error itself. */
size_t hf_icmp_emit_error(const struct hf_ip *ip, uint8_t type, uint8_t code, uint32_t rest,
                          const uint8_t *quote, size_t quote_bytes, uint8_t *bytes);

#endif
