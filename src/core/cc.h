/**
 * Congestion control: events in, window out. One algorithm is a table of functions; the state of
 * each fits the same 16 bytes of a connection.
 *
 * The recovery code finds losses, counts duplicate ACKs and decides what to send again; here is
 * decided only how much may be in flight. Functions see no connection, only the facts of the event.
 * Invariant: cwnd_bytes is at least one segment and at most HF_CWND_MAX_BYTES.
 */
#ifndef HF_CORE_CC_H
#define HF_CORE_CC_H

#include "base.h"

/** No window can be larger: 65535 << 14 [RFC7323#2.3]. */
#define HF_CWND_MAX_BYTES (1u << 30)

struct hf_cc {
    uint32_t cwnd_bytes;
    uint32_t ssthresh_bytes;
    uint32_t acked_bytes; /**< acknowledged in congestion avoidance, not yet turned into window */
    bool after_rto;       /**< in the slow start that follows a timeout */
};
_Static_assert(sizeof(struct hf_cc) == 16, "part of a connection that is laid out by hand");

/** The facts of an event; each function says which it reads. */
struct hf_cc_event {
    hf_ns now_ns;
    uint32_t mss_bytes;            /**< SMSS; always set */
    uint32_t flight_bytes;         /**< FlightSize, without what limited transmit added */
    uint32_t acked_bytes;          /**< newly acknowledged */
    uint32_t initial_window_bytes; /**< hf_cc_initial_window */
    uint32_t slow_start_segs;      /**< growth of slow start an ACK at most; 0: no limit */
    bool cwnd_limited;             /**< the window was what held the sender back */
    bool again;                    /**< the timer expired for this segment before */
};

struct hf_cc_algorithm {
    const char *name;
    /** The connection is established. initial_window_bytes. */
    void (*on_open)(struct hf_cc *cc, const struct hf_cc_event *e);
    /** New data acknowledged outside of recovery. acked_bytes, slow_start_segs, cwnd_limited; also
     *  while what an RTO lost is sent again. Not for the ACK of a SYN [RFC5681#3.1]. */
    void (*on_ack)(struct hf_cc *cc, const struct hf_cc_event *e);
    /** The third duplicate ACK: a segment is lost. flight_bytes. */
    void (*on_enter_recovery)(struct hf_cc *cc, const struct hf_cc_event *e);
    /** One more duplicate ACK in recovery: a segment has left the network. */
    void (*on_duplicate_ack)(struct hf_cc *cc, const struct hf_cc_event *e);
    /** In recovery an ACK shows the next hole. acked_bytes. */
    void (*on_partial_ack)(struct hf_cc *cc, const struct hf_cc_event *e);
    /** Everything sent before the loss was found is acknowledged. flight_bytes: after this ACK. */
    void (*on_exit_recovery)(struct hf_cc *cc, const struct hf_cc_event *e);
    /** The retransmission timer expired. flight_bytes, again. */
    void (*on_rto)(struct hf_cc *cc, const struct hf_cc_event *e);
    /** About to send after nothing was sent for longer than the RTO. initial_window_bytes. */
    void (*on_idle)(struct hf_cc *cc, const struct hf_cc_event *e);
    /** The path takes smaller segments only. mss_bytes is the new one. */
    void (*on_smaller_mss)(struct hf_cc *cc, const struct hf_cc_event *e, uint32_t old_mss_bytes);
};

extern const struct hf_cc_algorithm hf_cc_none; /**< a fixed window that never limits */
extern const struct hf_cc_algorithm hf_cc_reno; /**< RFC 5681 and RFC 6582 */

/**
 * The initial window for a setting of `segs` segments. Up to 4: as many, but at most 3 for an SMSS
 * above 1095, 2 above 2190 [RFC5681#3.1]. More: min(segs * SMSS, max(2 * SMSS, segs * 1460)), which
 * for 10 is [RFC6928#2]. One segment after a lost SYN or SYN,ACK [RFC5681#3.1].
 */
uint32_t hf_cc_initial_window(uint32_t mss_bytes, uint32_t segs, bool syn_was_lost);

#endif
