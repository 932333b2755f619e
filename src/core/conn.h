/**
 * The kinds of state a connection goes through, laid out by hand.
 *
 *   half_open   64 bytes   SYN-RECEIVED from an automatic listener
 *   conn       312 bytes   everything that must survive idleness
 *   flight     pooled      only while data is in flight or out of order
 *   time_wait   64 bytes   TIME-WAIT
 *
 * All name each other by index, so that a stack can be saved and restored anywhere.
 */
#ifndef HF_CORE_CONN_H
#define HF_CORE_CONN_H

#include "cc.h"
#include "pacer.h"
#include "rack.h"
#include "rtt.h"
#include "store/blocks.h"
#include "store/ranges.h"
#include "store/wheel.h"

/** References in the table and the wheel: kind in the top two bits. */
enum hf_ref_kind { HF_REF_CONN = 0, HF_REF_HALF_OPEN = 1, HF_REF_TIME_WAIT = 2 };
enum { HF_REF_SHIFT = 30 };

static inline uint32_t hf_ref_make(enum hf_ref_kind kind, uint32_t index)
{
    return (uint32_t)kind << HF_REF_SHIFT | index;
}
static inline enum hf_ref_kind hf_ref_kind(uint32_t ref)
{
    return (enum hf_ref_kind)(ref >> HF_REF_SHIFT);
}
static inline uint32_t hf_ref_index(uint32_t ref)
{
    return ref & ((1u << HF_REF_SHIFT) - 1);
}

/** Objects of a chunk, as powers of two: of what is looked up with every packet. */
enum {
    HF_CONN_SHIFT = 7,
    HF_FLIGHT_SHIFT = 7,
    HF_ENTRY_SHIFT = 9,
    HF_LOCAL_SHIFT = 7,
    HF_LISTENER_SHIFT = 5,
};

/** Part of a connection: membership in one of the stack's lists. */
struct hf_list_node {
    uint32_t next, prev; /**< connection index; prev == own index: not in the list */
};

/** What the connection's one retransmission deadline is for: never two at a time. */
enum hf_rtx_timer {
    HF_RTX_OFF,
    HF_RTX_SYN,        /**< SYN or SYN,ACK unanswered */
    HF_RTX_RTO,        /**< data or FIN in flight */
    HF_RTX_LOSS_PROBE, /**< the same, and a probe is due before that [RFC8985#7.2] */
    HF_RTX_REORDER,    /**< the same, and what is missing is lost before that [RFC8985#6.2] */
    HF_RTX_SETTLE,     /**< nothing is in flight, but it may be told yet that it came twice */
    HF_RTX_PERSIST,    /**< the peer's window is closed and something waits */
    HF_RTX_OVERRIDE,   /**< held back by the sender's silly-window rule or cork */
    HF_RTX_KEEPALIVE,  /**< idle */
};

/** What the connection's life deadline is for. */
enum hf_life_timer { HF_LIFE_OFF, HF_LIFE_HOLD, HF_LIFE_ORPHAN, HF_LIFE_LINGER, HF_LIFE_TIME_WAIT };

enum { HF_LINGER_NONE = UINT32_MAX };
/** What has room beside a flag. */
#define HF_BUFFER_MASK 0x7fffffffu

/** A time as options keep it: in milliseconds, no shorter than asked for. */
static inline uint32_t hf_options_ms(int64_t ns)
{
    return (uint32_t)((ns + 999999) / 1000000);
}

/** What the application can set; a listener's are copied to what it accepts. */
struct hf_options {
    uint64_t tag;
    uint32_t keepalive_idle_ms, keepalive_interval_ms;
    uint32_t user_timeout_ms;        /**< 0: none */
    uint32_t linger_ms;              /**< HF_LINGER_NONE: none */
    uint32_t send_buffer_bytes : 31; /**< at least: hf_send_limit */
    bool send_fixed : 1;             /**< the application chose it: no autotuning */
    uint32_t receive_buffer_bytes : 31;
    bool receive_fixed : 1;
    uint16_t send_low_water_bytes, receive_low_water_bytes;
    uint8_t ttl;
    uint8_t traffic_class;
    uint8_t keepalive_probes : 6;
    bool keepalive : 1;
    bool soft_errors : 1;
    uint8_t r2_retries : 6; /**< 0: never give up */
    bool nagle : 1;
    bool cork : 1;
};

struct hf_conn {
    /* identity */
    struct hf_addr remote;
    uint32_t local; /**< index of the local address */
    uint16_t local_port, remote_port;
    uint32_t generation;
    uint32_t index;    /**< its own */
    uint32_t listener; /**< index, good until it is over and accepted; HF_NIL: opened actively */
    /* lists and neighbours */
    struct hf_wheel_node wheel;
    struct hf_list_node ready;   /**< has events to be pulled */
    struct hf_list_node output;  /**< may have something to send */
    struct hf_list_node waiting; /**< waits for blocks: to send, or to open its window */
    uint32_t flight;             /**< index, or HF_NIL */
    /* send: RFC 9293 3.3.1 */
    hf_seq iss;
    hf_seq snd_una, snd_nxt;
    hf_seq snd_wl1, snd_wl2;
    union {
        hf_seq snd_up;      /**< while urgent_out */
        uint32_t round_end; /**< else: the echo, or the tick, that ends the round trip: tuning.c */
    };
    uint32_t snd_wnd, max_snd_wnd; /**< bytes */
    struct hf_queue send;          /**< from SND.UNA on (without SYN) */
    /* receive */
    hf_seq irs;
    hf_seq rcv_nxt;
    hf_seq rcv_adv; /**< right edge of the widest window announced: it never moves left */
    union {
        hf_seq rcv_up;     /**< while urgent_in */
        hf_seq round_from; /**< else: first byte that was unread when it began */
    };
    hf_seq last_ack_sent;    /**< [RFC7323#4.3] */
    struct hf_queue receive; /**< in order, unread */
    uint32_t ts_recent;
    uint32_t ts_recent_s; /**< when ts_recent was taken: stack seconds */
    uint32_t ts_offset;
    /* congestion and round trip */
    struct hf_rtt rtt;
    struct hf_cc cc;
    /* deadlines */
    struct hf_stamp heard;         /**< last segment from the peer */
    struct hf_stamp progress;      /**< last time SND.UNA moved, or something went out anew */
    hf_ns rtx_at, ack_at, life_at; /**< HF_NEVER: not armed */
    struct hf_options options;
    /* small things */
    uint16_t snd_mss;  /**< what the peer's MSS option said, or the default */
    uint16_t rcv_mss;  /**< largest payload seen: what a full-sized segment is */
    uint16_t path_mtu; /**< or less: no larger segment than the application wants */
    union {
        uint16_t max_acked; /**< largest packet known to have arrived [RFC5927#7.2] */
        uint16_t syn_mtu;   /**< before our SYN is acknowledged: what ICMP said of the path, or 0 */
    };
    uint16_t soft_error;
    uint16_t events;               /**< enum hf_event_bit, to be pulled */
    uint16_t snd_wraps, rcv_wraps; /**< how often the byte counts passed 2^32 */
    uint16_t retransmitted_segs;
    uint8_t state;     /**< enum hf_state */
    uint8_t how : 7;   /**< enum hf_closed */
    bool has_turn : 1; /**< may take a block to send, though it waits: its window does */
    struct hf_reordering reordering;
    uint8_t rtx_timer : 4;  /**< enum hf_rtx_timer */
    uint8_t life_timer : 3; /**< enum hf_life_timer */
    bool twice_due : 1;     /**< the next ACK reports what came twice: it stands in the flight */
    uint8_t rtx_count;      /**< retransmissions of the same thing; of a closed window, probes */
    uint8_t probe_count;    /**< probes without an answer */
    union {
        uint8_t dup_acks;
        uint8_t syn_retries; /**< in SYN-SENT: nothing can be acknowledged twice yet */
    };
    uint8_t challenges;   /**< sent in this window of time */
    uint8_t challenge_at; /**< when that began: in windows, modulo 256 */
    uint8_t quick_acks;   /**< left */
    uint8_t snd_shift : 4;
    uint8_t rcv_shift : 4;
    /* facts */
    bool in_table : 1;   /**< the tuple is this connection's */
    bool passive : 1;    /**< its SYN-RECEIVED came from LISTEN [MUST-11] */
    bool held : 1;       /**< open request that waits for the application */
    bool unaccepted : 1; /**< counts against the listener's backlog */
    bool ts_on : 1, sack_on : 1, wscale_on : 1;
    bool fin_queued : 1;    /**< a FIN follows the send queue */
    bool fin_sent : 1;      /**< it was sent at least once: SND.NXT is behind it */
    bool peer_fin : 1;      /**< the peer's FIN was taken */
    bool app_closed : 1;    /**< the application let go */
    bool closed_pulled : 1; /**< the closed event was given out */
    /* things to do */
    bool syn_due : 1, ack_due : 1, rtx_due : 1, probe_due : 1, override_due : 1;
    bool more_coming : 1; /**< the last send said so */
    bool wants_room : 1;  /**< a send met HF_E_AGAIN */
    bool urgent_out : 1, urgent_in : 1;
    bool window_closed : 1; /**< ours was announced as zero */
    bool syn_retransmitted : 1;
    bool syn_unacked : 1; /**< our SYN is not acknowledged: SND.UNA stands on it */
};

enum hf_phase { HF_PHASE_OPEN, HF_PHASE_RECOVERY, HF_PHASE_LOSS };

/** Proportional rate reduction: how much recovery may send [RFC9937]. */
struct hf_prr {
    uint32_t flight_bytes;    /**< RecoverFS: in flight when it began */
    uint32_t delivered_bytes; /**< since */
    uint32_t sent_bytes;      /**< since */
};

/** Whether a reduction was a mistake: open from its first retransmission on. */
struct hf_undo {
    hf_seq from;           /**< SND.UNA when it was made */
    hf_seq until;          /**< when this is acknowledged it is too late for an answer */
    uint32_t resent_bytes; /**< sent again since, and not told to have come twice */
    uint32_t first_ms;     /**< our timestamp clock when the first left */
    bool open, sent;
    bool timeout; /**< it was for the timer, not for what arrived out of order */
};

/** Tail loss probe [RFC8985#7]. */
struct hf_loss_probe {
    hf_ns at;              /**< HF_NEVER: none is planned */
    hf_seq end;            /**< SND.NXT when it was sent */
    uint32_t flight_bytes; /**< and FlightSize */
    bool due;              /**< leaves next */
    bool open;             /**< was sent, and it is not known yet what it did */
    bool resent;           /**< it was a retransmission */
};

/** Lives while something is in flight or out of order. */
struct hf_flight {
    /* send */
    struct hf_place cursor; /**< place of cursor_seq in the send queue */
    hf_seq cursor_seq;
    hf_seq recover;         /**< SND.NXT when loss was found */
    uint32_t carried_bytes; /**< of the flight that ended slow start, what is not lost so far: what
                                 the path carries; 0: that is known, or another flight did */
    hf_seq timed_seq;       /**< end of the timed segment */
    hf_ns timed_at;         /**< when it was sent; HF_NEVER: none is timed */
    uint32_t peak_bytes;    /**< most in flight in this round trip, which ends at peak_seq */
    hf_seq peak_seq;
    uint32_t pending_mtu; /**< claim of a smaller path MTU that waits; 0: none */
    hf_seq pending_seq;   /**< what it quoted */
    uint8_t phase;        /**< enum hf_phase */
    bool recover_valid;
    bool partial_acked; /**< the timer was restarted by this recovery's first [RFC6582#3.2] */
    /* loss */
    struct hf_board_state board;
    uint32_t runs;          /**< where they are, if not in own_runs: HF_NIL */
    uint16_t runs_capacity; /**< HF_RUNS_OWN, _SOME, _MANY or _MAX */
    struct hf_run own_runs[HF_RUNS_OWN];
    struct hf_rack rack;
    struct hf_prr prr;
    struct hf_undo undo;
    struct hf_loss_probe probe;
    hf_ns rto_at;     /**< the retransmission timeout, whatever the timer is armed for */
    hf_ns planned_at; /**< when these were planned with more than one segment in flight */
    hf_ns reorder_at; /**< HF_NEVER: nothing waits for that */
    hf_ns resent_at;  /**< when something was sent again last */
    struct hf_pacer pacer;
    struct hf_cc_run cc;
    /* receive */
    bool fin_waits; /**< a FIN came beyond a gap */
    uint8_t untold; /**< so many of `recent` grew since the last ACK */
    hf_seq fin_seq;
    uint32_t gaps; /**< index block of out-of-order data, HF_NIL: none */
    uint32_t conn;
    uint32_t gaps_next, gaps_prev;     /**< flights with out-of-order data, for reclaiming */
    hf_seq recent[HF_SACK_BLOCKS_MAX]; /**< one in each block that grew last, the latest first */
    struct hf_range twice;             /**< came again; valid if twice_due [RFC2883#4] */
};

struct hf_half_open {
    struct hf_addr remote;
    uint32_t local;
    uint16_t local_port, remote_port;
    hf_seq irs, iss;
    uint32_t listener;
    struct hf_wheel_node wheel;
    uint32_t ts_recent;
    uint16_t mss;
    uint16_t rcv_wnd; /**< what the SYN,ACK announced */
    uint32_t
        shadowed; /**< reference of the TIME-WAIT that this SYN took the tuple from, or HF_NIL */
    uint8_t retries;
    uint8_t challenges;
    uint8_t challenge_at;
    uint8_t wscale : 4;
    bool wscale_on : 1, ts_on : 1, sack_on : 1;
    bool repeated : 1; /**< the SYN,ACK went out again because the SYN came again */
};

struct hf_time_wait {
    struct hf_addr remote;
    uint32_t local;
    uint16_t local_port, remote_port;
    hf_seq snd_nxt, rcv_nxt;
    uint32_t ts_recent, ts_offset;
    struct hf_wheel_node wheel;
    uint32_t conn;    /**< whose tuple this took over: it may be gone, or another by now */
    uint16_t rcv_wnd; /**< unscaled */
    uint8_t challenges;
    uint8_t challenge_at;
    uint8_t ttl;
    uint8_t traffic_class;
    uint8_t rcv_shift : 4;
    bool ts_on : 1;
    bool shadow : 1; /**< a newer SYN holds the tuple; comes back if that proves old [MAY-2] */
};

_Static_assert(sizeof(struct hf_conn) == 312, "what an idle connection costs");
_Static_assert(sizeof(struct hf_flight) == 480, "what data in flight costs");
_Static_assert(sizeof(struct hf_half_open) == 64, "a half-open entry is one cache line");
_Static_assert(sizeof(struct hf_time_wait) == 64, "a time-wait entry is one cache line");

#endif
