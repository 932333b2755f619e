/**
 * Congestion control: events in, window out. One algorithm is a table of functions and one file.
 *
 * The recovery code finds losses, decides what is sent again and, between on_loss and on_recovered,
 * how fast (PRR); here is decided only how much may be in flight. Functions see no connection, only
 * the facts of the event. What an algorithm remembers stands in two places: struct hf_cc is part of
 * every connection and survives idleness; struct hf_cc_run lives while something is in flight, and
 * begins as zeros each time. It is NULL when no flight record can be had (one segment at a time).
 * Invariant: cwnd_bytes is at least one segment and at most HF_CWND_MAX_BYTES.
 */
#ifndef HF_CORE_CC_H
#define HF_CORE_CC_H

#include "base.h"
#include "hystart.h"

/** No window can be larger: 65535 << 14 [RFC7323#2.3]. */
#define HF_CWND_MAX_BYTES (1u << 30)

struct hf_cc {
    uint32_t cwnd_bytes;
    uint32_t ssthresh_bytes;
    uint32_t w_max_bytes; /**< CUBIC: the window at which the last loss struck; 0: none yet */
    bool after_rto;       /**< in the slow start that follows a timeout */
    bool slow_start_over; /**< the first slow start has ended: HyStart++ is for that one only */
};
_Static_assert(sizeof(struct hf_cc) == 16, "part of a connection that is laid out by hand");

/** CUBIC's growth since the window was last reduced [RFC9438#4.1.2]: one stage of avoidance. */
struct hf_cubic {
    hf_ns epoch_at;       /**< when the stage began, later by the times without growth; while it is
                               paused, how old the stage had become */
    uint32_t k_ticks;     /**< K: from epoch_at until origin_bytes is reached; ticks of 2^20 ns */
    uint32_t w_est_bytes; /**< what Reno would have by now */
    uint32_t w_est_left;  /**< growth of w_est_bytes of less than a byte; the whole is cwnd_bytes */
    uint32_t origin_bytes; /**< W_max of this stage: the plateau of its curve */
    uint32_t prior_bytes;  /**< cwnd before the reduction [RFC9438#4.3], or what the path carries,
                                if that is less; 0: not known */
    uint16_t mss_bytes;    /**< what the stage counts segments by; 0: no stage has begun */
    bool paused;           /**< the last ACK found the window not used */
};

/** What stood before a reduction that may prove to be mistaken. */
struct hf_cc_prior {
    uint32_t cwnd_bytes, ssthresh_bytes, w_max_bytes, acked; /**< cwnd_bytes 0: nothing is kept */
    uint16_t mss_bytes;
    bool after_rto, slow_start_over;
    bool in_recovery; /**< between on_loss and on_recovered */
    struct hf_cubic cubic;
};

struct hf_cc_run {
    struct hf_cubic cubic;
    struct hf_cc_prior prior;
    struct hf_hystart hystart;
    uint32_t acked; /**< acknowledged in avoidance, not yet turned into window: in Reno bytes, in
                         CUBIC parts of a byte of window, of which cwnd_bytes make one */
};
_Static_assert(sizeof(struct hf_cc_run) <= 112, "part of a flight that is laid out by hand");

/** The facts of an event; each function says which it reads. */
struct hf_cc_event {
    hf_ns now_ns;
    uint32_t mss_bytes;            /**< SMSS; always set; at most 65535 */
    uint32_t flight_bytes;         /**< FlightSize, without what limited transmit added */
    uint32_t aim_bytes;            /**< of on_loss: ssthresh of the recovery that ends here, which
                                        held the flight down; otherwise 0 */
    uint32_t acked_bytes;          /**< newly acknowledged */
    uint32_t initial_window_bytes; /**< hf_cc_initial_window */
    uint32_t slow_start_segs;      /**< growth of slow start an ACK at most; 0: no limit */
    hf_seq snd_una, snd_nxt;       /**< after this ACK: rounds are told by them */
    hf_ns srtt_ns;                 /**< 0: not known */
    hf_ns rtt_ns;                  /**< measured by this very ACK; 0: it gave no sample */
    bool again;                    /**< the timer expired for this segment before */
};

struct hf_cc_algorithm {
    const char *name;
    /** The connection is established. initial_window_bytes. */
    void (*on_open)(struct hf_cc *cc, const struct hf_cc_event *e);
    /** New data acknowledged outside of fast recovery, where the window is what held the sender
     *  back. acked_bytes, slow_start_segs, and what times and rounds are told by; also while what
     *  an RTO lost is sent again. Not for the ACK of a SYN [RFC5681#3.1]. */
    void (*on_ack)(struct hf_cc *cc, struct hf_cc_run *run, const struct hf_cc_event *e);
    /** The same, but the window was not used up: that says nothing of what the path would bear,
     *  and it stays. */
    void (*on_unused)(struct hf_cc_run *run, hf_ns now_ns);
    /** Loss was found: fast recovery begins. Sets ssthresh_bytes and keeps what was before;
     *  cwnd_bytes stays, the recovery moves it from here. flight_bytes, aim_bytes. */
    void (*on_loss)(struct hf_cc *cc, struct hf_cc_run *run, const struct hf_cc_event *e);
    /** Everything sent before the loss was found is acknowledged. The recovery has set cwnd_bytes
     *  to ssthresh_bytes or less. */
    void (*on_recovered)(struct hf_cc *cc, struct hf_cc_run *run, const struct hf_cc_event *e);
    /** The retransmission timer expired. flight_bytes, again: keeps what was before the first of
     *  several. Within fast recovery what was before that stays kept. */
    void (*on_rto)(struct hf_cc *cc, struct hf_cc_run *run, const struct hf_cc_event *e);
    /** The last on_loss or on_rto was a mistake: nothing had been lost. The window is again what it
     *  was, or what it has become if that is more. Nothing, if nothing was kept. */
    void (*on_undo)(struct hf_cc *cc, struct hf_cc_run *run, const struct hf_cc_event *e);
    /** About to send after nothing was sent for longer than the RTO. initial_window_bytes. */
    void (*on_idle)(struct hf_cc *cc, const struct hf_cc_event *e);
    /** The path takes smaller segments only. mss_bytes is the new one. */
    void (*on_smaller_mss)(struct hf_cc *cc, const struct hf_cc_event *e, uint32_t old_mss_bytes);
};

extern const struct hf_cc_algorithm hf_cc_none;  /**< a fixed window that never limits */
extern const struct hf_cc_algorithm hf_cc_reno;  /**< RFC 5681 */
extern const struct hf_cc_algorithm hf_cc_cubic; /**< RFC 9438, with HyStart++ [RFC9406] */

/**
 * The initial window for a setting of `segs` segments. Up to 4: as many, but at most 3 for an SMSS
 * above 1095, 2 above 2190 [RFC5681#3.1]. More: min(segs * SMSS, max(2 * SMSS, segs * 1460)), which
 * for 10 is [RFC6928#2]. One segment after a lost SYN or SYN,ACK [RFC5681#3.1].
 */
uint32_t hf_cc_initial_window(uint32_t mss_bytes, uint32_t segs, bool syn_was_lost);

/* ---- what algorithms have in common (cc_reno.c); a run may be NULL ---- */

/** Within the invariant; ends after_rto when ssthresh_bytes is reached. */
static inline void hf_cc_set_window(struct hf_cc *cc, const struct hf_cc_event *e, uint64_t bytes)
{
    if (bytes > HF_CWND_MAX_BYTES)
        bytes = HF_CWND_MAX_BYTES;
    cc->cwnd_bytes = hf_max_u32((uint32_t)bytes, e->mss_bytes);
    if (cc->cwnd_bytes >= cc->ssthresh_bytes)
        cc->after_rto = false;
}

/** At least two segments, at most HF_CWND_MAX_BYTES. */
void hf_cc_set_ssthresh(struct hf_cc *cc, const struct hf_cc_event *e, uint64_t bytes);
/** What an ACK adds in slow start at most. acked_bytes, slow_start_segs. */
uint32_t hf_cc_slow_start_bytes(const struct hf_cc *cc, const struct hf_cc_event *e);
/** Adds as much, up to ssthresh_bytes. */
void hf_cc_slow_start(struct hf_cc *cc, const struct hf_cc_event *e, uint32_t bytes);
/** Keeps all that on_undo restores, unless a recovery goes on, before which it was kept. */
void hf_cc_keep_prior(const struct hf_cc *cc, struct hf_cc_run *run, const struct hf_cc_event *e);
/** The same where a recovery begins: none goes on. */
void hf_cc_enter_recovery(const struct hf_cc *cc, struct hf_cc_run *run,
                          const struct hf_cc_event *e);
/** After a loss: slow start, if it was one, is over, and what ACKs have said is forgotten. */
void hf_cc_reduce(struct hf_cc *cc, struct hf_cc_run *run, const struct hf_cc_event *e,
                  uint64_t ssthresh_bytes);
/**
 * Of the flight in which slow start met its first loss so much was not lost: that is what the path
 * carries. Where the reduction left more than seven eighths of it, that is corrected, and so is the
 * plateau of CUBIC; the eighth lets the queue drain. DEVIATION D-42.
 */
void hf_cc_path_carries(struct hf_cc *cc, struct hf_cc_run *run, const struct hf_cc_event *e,
                        uint32_t bytes);
/** After a timeout, with ssthresh_bytes as it shall be: one segment, in no recovery. */
void hf_cc_restart(struct hf_cc *cc, struct hf_cc_run *run, const struct hf_cc_event *e);

/* Members of the table that don't differ. */
void hf_cc_unused(struct hf_cc_run *run, hf_ns now_ns);
void hf_cc_open(struct hf_cc *cc, const struct hf_cc_event *e);
void hf_cc_recovered(struct hf_cc *cc, struct hf_cc_run *run, const struct hf_cc_event *e);
void hf_cc_undo(struct hf_cc *cc, struct hf_cc_run *run, const struct hf_cc_event *e);
void hf_cc_smaller_mss(struct hf_cc *cc, const struct hf_cc_event *e, uint32_t old_mss_bytes);

#endif
