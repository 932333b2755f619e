/**
 * What tests of data and of ICMP do to a connection of wire_states.h beyond its own calls: options,
 * flags of a send, batches of segments, packets of any form, ICMP errors with any quote.
 */
#ifndef HF_TESTS_SUPPORT_WIRE_CALLS_H
#define HF_TESTS_SUPPORT_WIRE_CALLS_H

#include "wire_states.h"

/** Sets an option; the test fails if it is refused. What it sets free leaves at once. */
void wire_set(struct wire *w, enum hf_option o, int64_t value);
int64_t wire_get(const struct wire *w, enum hf_option o);
/** As wire_write, with flags of hf_send. */
void wire_send(struct wire *w, uint32_t bytes, unsigned flags);
/** Reads this many bytes, as one call; what the stack says to that leaves. */
void wire_take(struct wire *w, uint32_t bytes);

/** Hands segments (as hf_peer_send has them) to the stack in one call, as a busy link does. */
void wire_send_batch(struct wire *w, const char *const *texts, size_t count);
/** The same, and nobody asks for packets yet. */
void wire_input(struct wire *w, const char *const *texts, size_t count);
void wire_input_one(struct wire *w, const char *text);

/** A packet as bytes: to be changed, and sent or quoted. */
struct wire_packet {
    uint8_t bytes[2048];
    uint32_t length_bytes, ip_bytes;
};
/** The packet that the stack sent last (and the peer popped). */
struct wire_packet wire_last_packet(const struct wire *w);
/** The packet that hf_peer_send would send for this text. */
struct wire_packet wire_packet_of(struct wire *w, const char *text);
/** Puts options, a multiple of 4 bytes, into the IPv4 header and makes its checksum right. */
void wire_packet_ip_options(struct wire_packet *p, const uint8_t *options, uint32_t n);
void wire_packet_send(struct wire *w, const struct wire_packet *p);

/** An ICMP error. */
struct wire_error {
    uint8_t type, code;
    uint32_t rest;        /**< the second word of its header: an MTU */
    uint32_t quote_bytes; /**< 0: the IP header and 8 bytes */
    int32_t seq_offset;   /**< added to the sequence number that is quoted */
    bool from_router;     /**< else from the peer */
    bool wrong_checksum;
};
/** Sends an error that quotes this packet. */
void wire_icmp(struct wire *w, const struct wire_packet *quoted, const struct wire_error *e);

#endif
