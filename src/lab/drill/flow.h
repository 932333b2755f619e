/**
 * What the parts of match.h share: the numbers of a flow, and packets read back into the script's
 * form.
 */
#ifndef HF_LAB_DRILL_FLOW_H
#define HF_LAB_DRILL_FLOW_H

#include "match.h"
#include "options.h"
#include "core/wire/tcp.h"
#include "show/text.h"

/** What is added to a script's number of the stack's (its seq, the peer's ack), and of the peer's,
 *  to make the number on the wire. */
uint32_t hf_flow_local_offset(const struct hf_flow *f, bool syn);
uint32_t hf_flow_remote_offset(const struct hf_flow *f, bool syn);

/** Remembers that the stack wrote `live` where the script has `script`. */
void hf_flow_remember(struct hf_flow *f, uint32_t script, uint32_t live);
/** The stack's timestamp that a script's `ecr` means; false if there was none such. */
bool hf_flow_live_stamp(const struct hf_flow *f, uint32_t script, uint32_t *live);
/** A timestamp of the stack, in the script's numbers: as on the wire until one is known. */
uint32_t hf_flow_script_stamp(const struct hf_flow *f, uint32_t live);

/** A packet as a script would write it, and as it is on the wire. */
struct hf_flow_packet {
    struct hf_ip ip;
    struct hf_script_packet script; /**< with the script's numbers; of IP only what is unusual */
    struct hf_script_option options[HF_OPTION_BYTES]; /**< of `script` */
    struct hf_script_option wire[HF_OPTION_BYTES];    /**< the same with the wire's numbers */
    uint32_t seq, ack;                                /**< the wire's */
    uint8_t tcp_header_bytes;
    uint8_t reserved; /**< those bits of the header that nobody uses */
    const uint8_t *payload;
    const char *fault; /**< why it can't be read, or NULL */
};

/** Reads a packet; false with p->fault if it is none of TCP or ICMP. */
bool hf_flow_read(const struct hf_flow *f, bool outbound, const uint8_t *bytes, size_t length_bytes,
                  struct hf_flow_packet *p);

/** Writes a segment behind the IP header that carries it: header, options as they are, payload of
 *  zeros, checksum. Returns its length. */
size_t hf_flow_put_segment(const struct hf_ip *ip, struct hf_segment *seg, const uint8_t *options,
                           size_t option_bytes, uint8_t *tcp);

/** Adds `<mss 1460,nop>`; nothing without options. */
void hf_script_options_text(struct hf_text *t, const struct hf_script_tcp *tcp);

#endif
