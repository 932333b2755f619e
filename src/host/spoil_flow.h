/**
 * What kind of packet this is, for fault rules: follows each connection's handshake and close as
 * far as needed to tell a third ACK or a last ACK from any other. Owns a table of bounded size;
 * when a set of it is full, the connection seen longest ago is forgotten, and counts anew if it is
 * seen again.
 */
#ifndef HF_HOST_SPOIL_FLOW_H
#define HF_HOST_SPOIL_FLOW_H

#include <handfast/host.h>

enum { HF_SPOIL_FLOW_SETS = 256, HF_SPOIL_FLOW_WAYS = 4 };

/** What one end has sent. */
struct hf_spoil_side {
    bool has_isn, has_data, sent_synack;
    uint32_t isn;
    uint32_t data_seq; /**< where its data starts, as far as seen */
    uint32_t fin_end;  /**< what acknowledges its FIN */
};

struct hf_spoil_flow {
    uint64_t used; /**< turn of the last packet; 0: the entry is free */
    struct hf_endpoint ends[2];
    struct hf_spoil_side sides[2];
    uint8_t fins;       /**< ends that sent a FIN */
    uint8_t second_fin; /**< which end was the last to start closing */
    bool has_fin[2];
    uint32_t matches[HF_SPOIL_RULES_MAX];
};

struct hf_spoil_flows {
    uint64_t turn;
    struct hf_spoil_flow strangers; /**< all that is not TCP; only its matches are used */
    struct hf_spoil_flow table[HF_SPOIL_FLOW_SETS][HF_SPOIL_FLOW_WAYS];
};

/** Looks at a packet, of which the first n bytes hold at least the IP and TCP header. Returns the
 *  kinds that it is, bit 1 << kind, and the connection whose matches it counts for. */
unsigned hf_spoil_look(struct hf_spoil_flows *flows, const uint8_t *bytes, size_t n,
                       struct hf_spoil_flow **flow);

#endif
