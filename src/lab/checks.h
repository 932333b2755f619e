/**
 * The invariants of DESIGN 6 as far as they show from outside: asked of a stack through its public
 * functions after every step, and of the segments on the wire between two stacks.
 */
#ifndef HF_LAB_CHECKS_H
#define HF_LAB_CHECKS_H

#include "account.h"

/** One sender as the wire shows it. */
struct hf_wire_side {
    bool syn_seen, offered_wscale, edge_known, ack_known, fin_seen, peer_fin_acked;
    uint8_t wscale;
    uint32_t iss;
    uint32_t edge; /**< right edge of the window it advertised */
    uint32_t ack;  /**< highest acknowledgment it sent */
    uint32_t end;  /**< behind its FIN */
};

struct hf_checks {
    unsigned violations;
    char first[240]; /**< the first one in words */
    struct hf_wire_side wire[2];
    uint64_t key[2]; /**< patterns of the two streams */
};

void hf_checks_fail(struct hf_checks *c, hf_ns now, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** Calls expire until it says that it is done, and checks the deadline then. */
void hf_checks_expire(struct hf_checks *c, const char *name, struct hf_stack *s, hf_ns now);
/** Asks about every entry: what waits has a timer, and the stack's deadline is not behind it. */
void hf_checks_stack(struct hf_checks *c, const char *name, const struct hf_stack *s, hf_ns now);
/** A packet was given out: what it says of its own headers is so. */
void hf_checks_packet(struct hf_checks *c, const char *name, const struct hf_out_packet *packet,
                      hf_ns now);
/**
 * A segment was sent by side `from` (0 or 1). The window's right edge and the acknowledgment never
 * move left, nothing is sent beyond the window that was offered (but for a probe of one byte),
 * what is acknowledged was sent, and bytes are those of the pattern, also when sent again.
 */
void hf_checks_segment(struct hf_checks *c, unsigned from, const struct hf_segment *seg,
                       const uint8_t *payload, hf_ns now);

#endif
