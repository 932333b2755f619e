/**
 * Script packets and real ones: makes the bytes of a packet to inject, and compares a packet of the
 * stack with what the script expects. Keeps what a script's relative numbers stand for: initial
 * sequence numbers, timestamps, ports of the one live flow.
 *
 * Numbers: a packet with SYN carries the script's number as it is if it comes from the peer, and
 * the script's number + (live - script) initial number if it comes from the stack; in all others
 * numbers count from the sender's SYN. Before the stack's number is known its offset is 0.
 */
#ifndef HF_LAB_DRILL_MATCH_H
#define HF_LAB_DRILL_MATCH_H

#include "core/wire/ip.h"
#include "script.h"

enum hf_drill_match { HF_DRILL_STRICT, HF_DRILL_SEMANTIC };

enum { HF_FLOW_STAMPS = 4096, HF_MISMATCH_BYTES = 512 };

/** The live flow as seen from the wire; local is the stack's end. */
struct hf_flow {
    struct hf_endpoint local, remote;
    bool remote_is_known; /**< of a listener: only once a packet came in */
    bool local_iss_known, remote_iss_known;
    uint32_t local_iss, local_script_iss; /**< live, and as the script writes it */
    uint32_t remote_iss;                  /**< the same on both sides */
    bool stamps_known;
    uint32_t stamp_script, stamp_live; /**< the first timestamp of the stack */
    struct hf_flow_stamp {
        uint32_t script, live;
    } stamps
        [HF_FLOW_STAMPS]; /**< every one sent: a script's `ecr` names them; the oldest go first */
    size_t stamp_count;
    hf_ns ts_tick_ns;       /**< --tcp_ts_tick_usecs; 0: values are not compared */
    bool ts_echo_is_scaled; /**< --tcp_ts_ecr_scaled */
};

/** Forgets all but the settings (ts_*). */
void hf_flow_begin(struct hf_flow *f, const struct hf_endpoint *local,
                   const struct hf_endpoint *remote, bool remote_is_known);
/** Whether a packet of the stack belongs to the flow; or to its ports, for ICMP. A local address or
 *  port of 0 is the stack's choice: any, until hf_flow_match has seen its first packet. */
bool hf_flow_has(const struct hf_flow *f, const uint8_t *bytes, size_t length_bytes);

/** Writes the IP packet of an inbound line; learns the peer's initial number from its SYN. Payload
 *  is zeros. Returns the length, or 0 with words in fault (an `ecr` never sent, options not a
 *  multiple of 4 ...). */
size_t hf_flow_build(struct hf_flow *f, const struct hf_script_packet *packet, uint8_t *bytes,
                     size_t capacity_bytes, char fault[HF_MISMATCH_BYTES]);

/** How far an expected line is met. */
enum hf_flow_verdict {
    HF_FLOW_MATCHES,
    HF_FLOW_PARTLY, /**< the first of several segments that together may make up the line */
    HF_FLOW_DIFFERS,
};

/** What was gathered so far for a line that several segments may meet. Zero it for each line. */
struct hf_flow_gathered {
    uint32_t bytes, segments, next_seq, segment_bytes;
    uint16_t window;
    uint8_t header_bytes;
};

struct hf_flow_rules {
    enum hf_drill_match match;
    bool strict_segments;   /**< one packet for one line */
    hf_ns tolerance_ns;     /**< for timestamps */
    uint32_t tolerance_ppm; /**< likewise, of the time since the script's start */
    hf_ns since_start_ns;
};

/**
 * Compares a packet of the stack with a line; learns from it (initial number, timestamps).
 *
 * Strict is packetdrill's comparison: every field, options as they lie, padding too. Semantic:
 * options as a set without NOP and EOL (values as far as they are told), PSH not at all, of the
 * window only whether it is 0: how large it is otherwise is a system's accounting. A line whose
 * payload comes in several segments is met by them together, unless strict_segments; a super-packet
 * is one segment. In words what differs: "ack 1, expected 2; window 65535, expected 1000".
 */
enum hf_flow_verdict hf_flow_match(struct hf_flow *f, const struct hf_script_packet *packet,
                                   const struct hf_flow_rules *rules, const uint8_t *bytes,
                                   size_t length_bytes, struct hf_flow_gathered *gathered,
                                   char words[HF_MISMATCH_BYTES]);

/** A packet in the script's notation and numbers: `> P. 1:11(10) ack 1 win 65535 <...>`. */
void hf_flow_text(const struct hf_flow *f, bool outbound, const uint8_t *bytes, size_t length_bytes,
                  char *text, size_t capacity_bytes);
/** A script line likewise. */
void hf_script_packet_text(const struct hf_script_packet *packet, char *text,
                           size_t capacity_bytes);

#endif
