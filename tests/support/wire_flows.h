/**
 * Conditions that take more than one segment and are the same in several states. Each function runs
 * in all variants of a connection that came into this state, and fails the test by itself.
 */
#ifndef HF_TESTS_SUPPORT_WIRE_FLOWS_H
#define HF_TESTS_SUPPORT_WIRE_FLOWS_H

#include "wire_states.h"

/* ---- any state of a whole connection ---- */

/** TS.Recent follows acceptable segments, and those only. */
void wire_flow_timestamp(enum hf_state state);
/** An exact RST: what the calls, the events and the unread data say afterwards. */
void wire_flow_reset(enum hf_state state);
/** Challenge ACKs end after ten, for this connection alone, and begin again with time. */
void wire_flow_challenge_limit(enum hf_state state);
/** The answers of two connections whose numbers do not fit go to each other: they fall silent. */
void wire_flow_ack_loop(enum hf_state a, enum hf_state b);
/** SND.WND follows the newest segment. */
void wire_flow_window(enum hf_state state);
/** An acknowledgment from before SND.UNA minus the widest window of a peer with small windows. */
void wire_flow_small_window_range(enum hf_state state);

/* ---- with data in flight: ESTABLISHED, CLOSE-WAIT, FIN-WAIT-1, CLOSING, LAST-ACK ---- */

/** Data is acknowledged in parts; what follows the last part is the FIN's own acknowledgment. */
void wire_flow_new_ack(enum hf_state state, enum hf_state after_fin_ack);
/** Three duplicate ACKs bring the first segment again; with SACK those that tell news. */
void wire_flow_duplicate_acks(enum hf_state state);

/* ---- while the peer may send: ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2 ---- */

/** Data in order, old data again, and data that straddles both. */
void wire_flow_text(enum hf_state state);
/** Data and a FIN out of order; after_fin is the state that the FIN leads to in the end. */
void wire_flow_out_of_order(enum hf_state state, enum hf_state after_fin);
/** The urgent mark: one event each time it moves forward. */
void wire_flow_urgent(enum hf_state state);
/** Our window is closed: text is refused, ACK, URG and RST count all the same. */
void wire_flow_zero_window(enum hf_state state);

#endif
