/**
 * Handfast: a TCP without I/O.
 *
 * A stack is fed with IP packets and the time, and asked for IP packets, events and the next
 * deadline. It reads no clock, opens no socket, calls nothing of the application, has no globals:
 *
 *     hf_stack_input(stack, packets, n, now)    packets came in
 *     hf_stack_output(stack, packets, max, now) packets to send, pulled until 0
 *     hf_stack_deadline(stack)                  when to call hf_stack_expire next
 *     hf_stack_expire(stack, now, max)          time has passed
 *     hf_stack_event(stack, &event)             what happened, pulled until false
 *
 * Time is a signed 64-bit count of nanoseconds from any origin; every call sees one instant. A
 * clock that goes back is taken as standing still and counted. One stack belongs to one thread at
 * a time.
 *
 * Functions that can fail return 0 (HF_OK) or more on success and a negative enum hf_err otherwise.
 */
#ifndef HANDFAST_HANDFAST_H
#define HANDFAST_HANDFAST_H

#include <handfast/events.h>
#include <handfast/values.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- settings ----------------------------------------------------------------------------- */

/**
 * Settings of a stack. Each field is an int64_t; its meaning, unit, range and value in each profile
 * stand in one table (core/config.c), printed by `handfast --profiles`. Fill with hf_config_init
 * or hf_config_profile, then change fields; hf_stack_new checks the ranges.
 */
struct hf_config {
    int64_t config_bytes; /**< set by hf_config_init: how much of this struct its writer knew */
    /* timers */
    int64_t msl_ns;
    int64_t rto_initial_ns;
    int64_t rto_min_ns;
    int64_t rto_max_ns;
    int64_t rto_min_on_variance; /**< 0: RTO = max(SRTT + 4 RTTVAR, min) [RFC6298]; 1: RTO = SRTT +
                                      max(4 RTTVAR, min) */
    int64_t syn_retries;         /**< SYN sent again this often before giving up (R2 for SYN) */
    int64_t synack_retries;      /**< SYN,ACK likewise */
    int64_t r1_retries;          /**< retransmissions until the application hears of trouble */
    int64_t r2_retries;          /**< retransmissions until the connection is given up */
    int64_t delayed_ack_ns;
    int64_t delayed_ack_segs; /**< at the latest every n-th full-sized segment is acknowledged */
    int64_t delayed_ack_any_size; /**< 1: a second segment of any size is acknowledged at once */
    int64_t quick_acks;           /**< segments acknowledged at once at the start of a connection */
    int64_t
        quick_acks_after_idle; /**< likewise after the peer was silent for longer than the RTO */
    int64_t hold_timeout_ns;
    int64_t fin_wait_2_ns; /**< FIN-WAIT-2 of a closed handle; 0 = 2 MSL */
    int64_t orphan_ns;     /**< closed handle without progress in the other states; 0 = 2 MSL */
    int64_t keepalive_idle_ns;
    int64_t keepalive_interval_ns;
    int64_t keepalive_probes;
    int64_t user_timeout_ns; /**< 0 = none: R2 alone decides */
    int64_t sws_override_ns;
    int64_t persist_max_ns;
    int64_t time_wait_ns; /**< 0 = 2 MSL */
    /* policies */
    int64_t time_wait_reuse; /**< a newer SYN reopens TIME-WAIT [RFC6191] */
    int64_t time_wait_rst;   /**< a RST ends TIME-WAIT: 0 never [RFC1337], 1 as RFC 9293 */
    int64_t challenge_acks;  /**< per connection and challenge_window_ns [RFC5961#7] */
    int64_t challenge_window_ns;
    int64_t rst_rate;        /**< RSTs to strangers a second; 0 = stay silent */
    int64_t icmp_rate;       /**< ICMP answers a second; 0 = stay silent */
    int64_t syn_cookies;     /**< 0 never, 1 when half-open entries run out, 2 always */
    int64_t abort_on_unread; /**< hf_close with unread data resets the peer [RFC9293#3.6.1] */
    /* options and sizes */
    int64_t mtu_bytes;
    int64_t mss_min_bytes; /**< a smaller MSS of the peer is taken as this */
    int64_t window_scale;  /**< 0..14: shift offered; -1: offer none */
    int64_t timestamps;    /**< 0 never, 1 offer and accept, 2 accept only */
    int64_t sack;          /**< likewise */
    int64_t option_layout; /**< order and padding of SYN options: 0 own, 1 linux, 2 freebsd */
    int64_t initial_window_segs;
    int64_t dont_fragment;
    int64_t ttl;
    int64_t dscp;
    int64_t nagle;
    int64_t keepalive;
    int64_t send_buffer_bytes;
    int64_t receive_buffer_bytes;
    int64_t send_buffer_max_bytes;    /**< autotuning: up to this; 0 = off */
    int64_t receive_buffer_max_bytes; /**< likewise */
    int64_t congestion_control;       /**< 0 none (fixed window), 1 Reno, 2 CUBIC */
    int64_t pacing;     /**< 1: packets leave at the rate of the window, not in bursts */
    int64_t loss_probe; /**< 1: the last segment is sent again before the timeout [RFC8985#7] */
    hf_ns loss_probe_ack_delay_ns; /**< how long a peer may delay the ACK of a lone segment */
    int64_t slow_start_segs; /**< growth of the window an ACK at most [RFC3465]; 0 = no limit */
    int64_t idle_restart;    /**< 1: after an idle time the window is the initial one at most */
    int64_t port_min;
    int64_t port_max;
    /* limits of the stack */
    int64_t block_bytes; /**< size of a data block, a power of two from 512 to 65536 */
    int64_t pool_bytes;  /**< budget of all data blocks */
    int64_t max_connections;
    int64_t max_half_open;
    int64_t max_time_wait;
    int64_t
        memory_bytes;   /**< taken from the allocator at most, for everything; 0 = no limit. Blocks
                               get half of it at most. Where it ends, a SYN meets what its listener
                               does without half-open entries, the last ACK of a handshake and data
                               are dropped, to come again; unused room comes back once a second */
    int64_t reply_ring; /**< answers waiting to be sent, a power of two */
    int64_t fast_path;  /**< the common segment takes a shorter way to the same result; 0 = all take
                               the long one, to compare */
    /* offloads of the link */
    int64_t offload_checksum;    /**< outgoing: leave the checksum to the link */
    int64_t offload_super_bytes; /**< outgoing: IP packets up to this many bytes, to be cut by the
                                      link; 0 = none */
};

/** The profiles: rows of one table. */
enum hf_profile { HF_PROFILE_RFC, HF_PROFILE_DEFAULT, HF_PROFILE_LINUX, HF_PROFILE_FREEBSD };
enum { HF_PROFILE_COUNT = 4 };

/** Fills the first config_bytes of a config with the default profile: pass sizeof *cfg, so that a
 *  program built against an older header keeps working. */
HF_API void hf_config_init(struct hf_config *cfg, size_t config_bytes);
HF_API void hf_config_profile(struct hf_config *cfg, size_t config_bytes, enum hf_profile p);
/** HF_E_INVALID, and the setting's name in *culprit (which may be NULL), when out of range. */
HF_API int hf_config_check(const struct hf_config *cfg, const char **culprit);

/** What is wrong with a config, as parts of a sentence: name, rule, other. */
struct hf_config_fault {
    const char *name;  /**< the setting */
    const char *rule;  /**< "is out of its range", "must not be above", ... */
    const char *other; /**< the setting that the rule measures it by; NULL: none */
};
/** The same check, with what is wrong in *fault. */
HF_API HF_MUST_CHECK int hf_config_explain(const struct hf_config *cfg,
                                           struct hf_config_fault *fault);

/** One row of the settings table. */
struct hf_setting {
    const char *name; /**< the field's name */
    const char *unit; /**< "ns", "bytes", "segs", "count", "flag", "choice", "per second" */
    int64_t value[HF_PROFILE_COUNT];
    int64_t min, max;
    const char *text; /**< one line of meaning */
};
/** The i-th setting, NULL beyond the last. */
HF_API const struct hf_setting *hf_setting_at(size_t i);
HF_API const char *hf_profile_name(enum hf_profile p);
/** Sets a field by name; HF_E_INVALID for an unknown name or a value out of range. */
HF_API HF_MUST_CHECK int hf_config_set(struct hf_config *cfg, const char *name, int64_t value);
HF_API HF_MUST_CHECK int hf_config_get(const struct hf_config *cfg, const char *name,
                                       int64_t *value);

/* ---- the environment a stack gets ---------------------------------------------------------- */

/**
 * Gives, resizes and takes back memory, in large pieces only (4 KB and more, never on the path of a
 * packet for a stack that has reached its size). ptr NULL: allocate; new_bytes 0: free. The old
 * size is told. Returns NULL when there is none; then the old piece is untouched.
 */
typedef void *hf_realloc_fn(void *ctx, void *ptr, size_t old_bytes, size_t new_bytes);

/** Takes a trace event; it may not call the stack except for const functions. */
typedef void hf_trace_fn(void *ctx, const struct hf_trace_event *event);

struct hf_env {
    hf_realloc_fn *realloc; /**< required */
    void *realloc_ctx;
    uint8_t seed[32];   /**< required: unpredictable in production, fixed in tests */
    uint8_t shard;      /**< number of this stack among the stacks of one address, in its handles */
    hf_trace_fn *trace; /**< or NULL */
    void *trace_ctx;
};

/* ---- a stack ------------------------------------------------------------------------------- */

struct hf_stack;

/** Makes a stack. On failure *out is untouched. */
HF_API HF_MUST_CHECK int hf_stack_new(struct hf_stack **out, const struct hf_config *cfg,
                                      const struct hf_env *env, hf_ns now);
/** Frees all memory; nothing is sent. NULL is allowed. */
HF_API void hf_stack_free(struct hf_stack *s);

/**
 * Declares local addresses: addr/prefix_bits (of the address itself: 0..32 or 0..128). The first
 * single address of a family is the source of connections that name none. Packets to other
 * addresses are dropped unless a listener takes them. HF_E_EXISTS if it was declared before,
 * HF_E_MEMORY beyond 16 of them; none is ever taken back.
 */
HF_API HF_MUST_CHECK int hf_stack_add_address(struct hf_stack *s, const struct hf_addr *addr,
                                              unsigned prefix_bits);

/** Whether an address is one of those that were declared. */
HF_API bool hf_stack_has_address(const struct hf_stack *s, const struct hf_addr *addr);

enum {
    HF_PACKET_CSUM_VALID = 1,   /**< in: the transport checksum is known to be right */
    HF_PACKET_CSUM_PARTIAL = 2, /**< in: known to be right but not filled in (it holds the
                                     pseudo-header's sum only); out: likewise, to be filled in */
};

/** A packet that came in: an IP packet, or a super-packet that stands for several segments. */
struct hf_packet {
    const uint8_t *bytes; /**< from the first byte of the IP header; read only during the call */
    uint32_t length_bytes;
    uint16_t segment_bytes; /**< payload of each segment of a super-packet; 0: an ordinary one */
    uint16_t flags;
};

struct hf_slice {
    const uint8_t *bytes;
    size_t length_bytes;
};

/** A packet to send: header bytes, then slices of payload. Valid until the next call on the stack
 *  that is not const. */
struct hf_out_packet {
    const uint8_t *header;
    uint16_t header_bytes;  /**< IP and TCP (or ICMP) header */
    uint16_t ip_bytes;      /**< of them the IP header */
    uint16_t segment_bytes; /**< payload of each segment if the link must cut it; 0: as it is */
    uint16_t flags;
    uint16_t checksum_offset; /**< of the checksum field from the transport header's start */
    uint16_t slice_count;
    const struct hf_slice *slices;
    uint32_t length_bytes; /**< header and slices together */
};

HF_API void hf_stack_input(struct hf_stack *s, const struct hf_packet *packets, size_t n,
                           hf_ns now);
/** Gives at most max packets and returns how many; call again until it returns 0. */
HF_API size_t hf_stack_output(struct hf_stack *s, struct hf_out_packet *packets, size_t max,
                              hf_ns now);
/** When hf_stack_expire has work; HF_NEVER if nothing waits. May be early by a slot of the timer
 *  wheel, never late. Ask again once the events are pulled: while blocks are free and writers wait
 *  for them it is the present, until each has heard of it. */
HF_API hf_ns hf_stack_deadline(const struct hf_stack *s);
/** Handles at most max due entries; true: more are due, call again. */
HF_API bool hf_stack_expire(struct hf_stack *s, hf_ns now, size_t max);
/** Gives unused memory back. */
HF_API void hf_stack_trim(struct hf_stack *s);

/* ---- events -------------------------------------------------------------------------------- */

/** Bits of an event. They are OR-ed until pulled, edge-triggered: after an event, read or write
 *  until HF_E_AGAIN. hf_info gives the level. */
enum hf_event_bit {
    HF_EV_ACCEPTED = 1 << 0,    /**< a listener's new connection is established */
    HF_EV_SYN = 1 << 1,         /**< a held listener's new open request: hf_admit or hf_refuse */
    HF_EV_CONNECTED = 1 << 2,   /**< hf_connect or hf_admit: established */
    HF_EV_READABLE = 1 << 3,    /**< at least the receive low-water mark, or the end, can be read */
    HF_EV_WRITABLE = 1 << 4,    /**< room of the send low-water mark came back after a send that
                                     took less than asked; also comes with HF_EV_CONNECTED */
    HF_EV_PEER_CLOSED = 1 << 5, /**< the peer's FIN is in order: the end follows the unread data */
    HF_EV_URGENT = 1 << 6,      /**< the urgent mark appeared or moved forward: hf_info [RFC6093] */
    HF_EV_SENT_ALL = 1 << 7,    /**< everything written, and the FIN if any, is acknowledged */
    HF_EV_TROUBLE = 1 << 8,     /**< R1 reached or an ICMP error: hf_info tells which */
    HF_EV_CLOSED = 1 << 9,      /**< the connection is over; `how` says in what way */
};

struct hf_event {
    hf_handle handle;
    hf_handle listener; /**< of HF_EV_ACCEPTED and HF_EV_SYN, also of one that was closed; else 0 */
    uint64_t tag;       /**< what the application set on the connection (or inherited) */
    uint32_t bits;      /**< enum hf_event_bit */
    enum hf_closed how; /**< of HF_EV_CLOSED */
};

HF_API bool hf_stack_event(struct hf_stack *s, struct hf_event *event);

/* ---- opening ------------------------------------------------------------------------------- */

struct hf_listen {
    struct hf_addr addr;    /**< HF_ADDR_ANY: any address of any family, local or not */
    unsigned prefix_bits;   /**< how much of addr counts: 32 or 128 for one address; its bits behind
                                 that must be 0 */
    uint16_t port;          /**< 0: any port */
    bool held;              /**< the application decides before the SYN is answered */
    bool reset_overflow;    /**< at a limit: answer with RST rather than drop the SYN */
    uint32_t max_half_open; /**< 0: as the stack */
    uint32_t backlog;       /**< established or held connections not yet pulled as events, those
                                 that ended meanwhile with them; 0: 128 */
    uint32_t max_connections; /**< alive at once; 0: as the stack */
    uint32_t max_per_remote;  /**< connections alive from one remote address; 0: no limit */
    uint64_t tag;             /**< inherited by its connections */
    bool v6_only;             /**< of HF_ADDR_ANY: any IPv6 address */
};

/** Listens. The most specific listener gets a SYN: longer prefix first, then a named port.
 *  HF_E_EXISTS if one with the same address, prefix and port is there. */
HF_API HF_MUST_CHECK int hf_listen(struct hf_stack *s, const struct hf_listen *what, hf_handle *out,
                                   hf_ns now);

struct hf_connect {
    struct hf_endpoint local; /**< unspecified address: chosen; port 0: chosen [RFC6056] */
    struct hf_endpoint remote;
    uint64_t tag;
};

/** Opens actively: the SYN leaves with the next output. */
HF_API HF_MUST_CHECK int hf_connect(struct hf_stack *s, const struct hf_connect *what,
                                    hf_handle *out, hf_ns now);

/** Answers a held open request with SYN,ACK. */
HF_API HF_MUST_CHECK int hf_admit(struct hf_stack *s, hf_handle held, hf_ns now);

enum hf_refusal {
    HF_REFUSE_RESET,            /**< RST: nobody listens */
    HF_REFUSE_HOST_UNREACHABLE, /**< ICMP 3/1, ICMPv6 1/3 */
    HF_REFUSE_NET_UNREACHABLE,  /**< ICMP 3/0, ICMPv6 1/0 */
    HF_REFUSE_PROHIBITED,       /**< ICMP 3/13, ICMPv6 1/1 */
    HF_REFUSE_SILENTLY,
};
/** Refuses a held open request and lets go of it: only its closed event still comes. */
HF_API HF_MUST_CHECK int hf_refuse(struct hf_stack *s, hf_handle held, enum hf_refusal how,
                                   hf_ns now);

/* ---- data ---------------------------------------------------------------------------------- */

enum {
    HF_SEND_MORE = 1,   /**< more follows at once: a last short segment may wait */
    HF_SEND_URGENT = 2, /**< the last byte ends urgent data; not for new applications [RFC6093#5] */
};

/** Queues bytes, also before the connection is established; returns how many were taken (> 0) or
 *  HF_E_AGAIN, HF_E_CLOSING, or the way the connection ended. After HF_E_AGAIN, or less than asked,
 *  HF_EV_WRITABLE follows. */
HF_API HF_MUST_CHECK int64_t hf_send(struct hf_stack *s, hf_handle c, const void *bytes,
                                     size_t length_bytes, unsigned flags, hf_ns now);
/** Gives room in the stack's own blocks to write into; returns its length or an error as hf_send.
 *  Valid until the next call on the stack; hf_send_commit takes what was written. */
HF_API HF_MUST_CHECK int64_t hf_send_reserve(struct hf_stack *s, hf_handle c, void **room,
                                             hf_ns now);
HF_API HF_MUST_CHECK int hf_send_commit(struct hf_stack *s, hf_handle c, size_t length_bytes,
                                        unsigned flags, hf_ns now);

/** Takes received bytes; returns how many (> 0), HF_E_AGAIN, HF_E_END, or how it ended. */
HF_API HF_MUST_CHECK int64_t hf_receive(struct hf_stack *s, hf_handle c, void *bytes,
                                        size_t length_bytes, hf_ns now);
/** Fills at most max slices with received bytes in order; returns the sum of their lengths or an
 *  error as hf_receive. Valid until the next call on the stack. */
HF_API HF_MUST_CHECK int64_t hf_receive_peek(struct hf_stack *s, hf_handle c,
                                             struct hf_slice *slices, size_t max, size_t *count);
/** Gives back the first bytes of what was peeked. */
HF_API HF_MUST_CHECK int hf_receive_consume(struct hf_stack *s, hf_handle c, size_t length_bytes,
                                            hf_ns now);

/* ---- closing ------------------------------------------------------------------------------- */

/** Half-close: a FIN follows what was written; reading goes on for as long as the peer sends. */
HF_API HF_MUST_CHECK int hf_shutdown(struct hf_stack *s, hf_handle c, hf_ns now);
/**
 * Lets go of a connection or listener. A connection is closed in order: a FIN follows what was
 * written (a RST if data was not read, HF_OPT_LINGER_NS decides what unsent data may cost). The
 * closed event still comes; the handle is gone once that event was pulled and hf_close or hf_abort
 * was called, in whichever order. A closed listener takes nobody any more: its half-open entries
 * end with RST, each when its peer speaks next or its timer fires, and so do those who come back
 * with a SYN cookie of it, whoever listens then; its connections stay.
 */
HF_API int hf_close(struct hf_stack *s, hf_handle h, hf_ns now);
/** Ends a connection with RST and lets go of it. Of a listener: as hf_close. */
HF_API int hf_abort(struct hf_stack *s, hf_handle c, hf_ns now);

/* ---- options, information ------------------------------------------------------------------ */

/** Options of a connection; those of a listener are inherited by what it accepts. */
enum hf_option {
    HF_OPT_TAG,       /**< the application's 64 bits */
    HF_OPT_NAGLE,     /**< 0: send short segments at once */
    HF_OPT_CORK,      /**< 1: send full segments only; what is left waits for at most
                           sws_override_ns once nothing is in flight */
    HF_OPT_KEEPALIVE, /**< 1: probe an idle peer */
    HF_OPT_KEEPALIVE_IDLE_NS,
    HF_OPT_KEEPALIVE_INTERVAL_NS,
    HF_OPT_KEEPALIVE_PROBES,
    HF_OPT_USER_TIMEOUT_NS, /**< 0: R2 alone. Data that is not acknowledged ends the connection
                                 after this, counted from the oldest and from the latest progress;
                                 also data that waits before a closed window, though the peer
                                 answers the probes. A change counts at once. */
    HF_OPT_R2_RETRIES,      /**< 0: never give up */
    HF_OPT_LINGER_NS,       /**< -1: none; 0: hf_close aborts; else hf_close aborts after this,
                                 unless the peer has acknowledged everything by then */
    HF_OPT_TTL,
    HF_OPT_DSCP,
    HF_OPT_SEND_BUFFER_BYTES, /**< once set it stays; until then it grows: hf_get tells how far */
    HF_OPT_RECEIVE_BUFFER_BYTES, /**< likewise */
    HF_OPT_SEND_LOW_WATER_BYTES,
    HF_OPT_RECEIVE_LOW_WATER_BYTES,
    HF_OPT_SOFT_ERRORS, /**< 0: no HF_EV_TROUBLE */
    HF_OPT_MSS_BYTES,   /**< from 88 on: no larger segment is offered or sent; 0: the path alone
                             decides. Offered with the SYN: set it before that leaves. Of a
                             connection it tells what holds, the path counted in */
    HF_OPT_SYN_RETRIES, /**< in SYN-SENT: the SYN is sent again this often */
    HF_OPT_QUICK_ACKS,  /**< so many segments more are acknowledged at once; counts down */
    HF_OPT_BACKLOG,     /**< of a listener: as in hf_listen, but 0: no connection more */
    HF_OPT_COUNT
};
HF_API HF_MUST_CHECK int hf_set(struct hf_stack *s, hf_handle h, enum hf_option o, int64_t value,
                                hf_ns now);
/** Of the handle 0: what new connections begin with. */
HF_API HF_MUST_CHECK int hf_get(const struct hf_stack *s, hf_handle h, enum hf_option o,
                                int64_t *value);

/** What the sender makes of losses [RFC9937] [RFC6298]. */
enum hf_loss_state {
    HF_LOSS_NONE,     /**< nothing is taken for lost; something may be in doubt */
    HF_LOSS_RECOVERY, /**< what was lost is sent again, at a lower rate */
    HF_LOSS_TIMEOUT,  /**< likewise after a timeout, from one segment on */
};

/** What a connection is at this moment. Sequence numbers as on the wire. */
struct hf_info {
    enum hf_state state;
    enum hf_closed how;
    struct hf_endpoint local, remote;
    bool held, orphan;
    bool timestamps, sack, window_scale;
    uint8_t snd_shift, rcv_shift;
    uint16_t snd_mss_bytes, rcv_mss_bytes, path_mtu_bytes;
    uint32_t iss, snd_una, snd_nxt, snd_max, snd_wnd_bytes, irs, rcv_nxt, rcv_wnd_bytes;
    uint32_t ts_recent, ts_offset;
    uint32_t cwnd_bytes, ssthresh_bytes, in_flight_bytes;
    hf_ns srtt_ns, rttvar_ns, rto_ns;
    uint32_t send_queue_bytes;    /**< written, not yet acknowledged */
    uint32_t send_room_bytes;     /**< hf_send would take this much */
    uint32_t receive_queue_bytes; /**< readable now */
    uint32_t out_of_order_bytes;
    uint32_t urgent_bytes; /**< unread bytes up to the urgent mark; 0: no mark ahead */
    bool peer_closed;      /**< the peer's FIN was taken */
    uint8_t retransmit_count, probe_count;
    uint16_t soft_error; /**< last ICMP error: type * 256 + code, ICMPv6 types + 32768; 0: none */
    uint64_t bytes_sent, bytes_received; /**< acknowledged, and taken in order */
    uint32_t segments_retransmitted;     /**< counted up to 65535 */
    hf_ns rto_deadline_ns, ack_deadline_ns, life_deadline_ns; /**< HF_NEVER: not armed */
    enum hf_loss_state loss_state;
    uint32_t pipe_bytes;   /**< of in_flight_bytes, what is thought to be on its way */
    uint32_t sacked_bytes; /**< has arrived beyond a gap; without SACK, what duplicate ACKs say */
    uint32_t lost_bytes;   /**< taken for lost, and not sent again yet */
    uint32_t resent_bytes; /**< on its way for the second time or more */
    bool reordering;       /**< the path was seen to reorder */
};
HF_API HF_MUST_CHECK int hf_info(const struct hf_stack *s, hf_handle c, struct hf_info *info);
/** A hint: these n connections are about to be used. Of a million the processor's cache holds few;
 *  who names some ahead waits for the memory of all of them at once. Handles that are none are
 *  passed over. The connections of events, and of packets that came in together, need no hint. */
HF_API void hf_prefetch(const struct hf_stack *s, const hf_handle *conns, size_t n);

/** Kinds of state, for counting. */
enum hf_kind { HF_KIND_NONE, HF_KIND_LISTENER, HF_KIND_CONN, HF_KIND_HALF_OPEN, HF_KIND_TIME_WAIT };

struct hf_tuple {
    enum hf_kind kind;
    enum hf_state state;
    hf_handle handle; /**< 0 for half-open and time-wait entries, which have none */
    struct hf_endpoint local, remote;
    hf_ns deadline_ns; /**< when a time-wait entry ends or a half-open one is tried again */
    uint32_t snd_nxt, rcv_nxt;
};
/** Walks over all entries: start with *cursor = 0; false at the end. Do not change the stack
 *  meanwhile. A connection in TIME-WAIT is listed once: as a connection while its handle is good,
 *  then as a time-wait entry. */
HF_API bool hf_iterate(const struct hf_stack *s, uint64_t *cursor, struct hf_tuple *tuple);

/** Counters and sizes of a stack. */
struct hf_stack_info {
    uint32_t listeners, connections, half_open, time_wait, flights, local_addresses;
    uint64_t memory_bytes;                     /**< taken from the allocator */
    uint64_t used_bytes;                       /**< of them in use by entries, tables and blocks */
    uint64_t pool_used_bytes, pool_peak_bytes; /**< blocks of data, of used_bytes; at most so far */
    uint64_t connection_bytes, half_open_bytes, time_wait_bytes; /**< likewise, of used_bytes */
    uint64_t flight_bytes; /**< what is known of data in flight or out of order */
    uint64_t table_bytes;  /**< by which entries are found */
    uint64_t packets_in, packets_out, bytes_in, bytes_out, segments_in, segments_out;
    uint64_t clock_went_back;
    uint64_t bytes_retransmitted, segments_retransmitted; /**< data, and a FIN; no SYN */
};
HF_API void hf_stack_info(const struct hf_stack *s, struct hf_stack_info *info);

/* ---- save and restore ---------------------------------------------------------------------- */

/** Writes the whole state of a stack at the instant `now`; returns the bytes needed, and writes
 *  nothing if they are more than capacity (bytes may be NULL then). Secrets are in it: keep it as
 *  such. */
HF_API size_t hf_stack_save(const struct hf_stack *s, void *bytes, size_t capacity_bytes,
                            hf_ns now);
/**
 * Makes a stack from saved state. Allocator and trace come from env; its seed is not used, and its
 * shard must be the saved stack's, which all handles name: HF_E_INVALID. Only state saved by this
 * very version on a machine of this kind is taken: HF_E_VERSION.
 *
 * The stack goes on at `now`, by any clock, be it behind the one it was saved by or ahead. For
 * the stack no time has passed in between: what was to happen 3 s after saving happens 3 s after
 * `now`, and the clocks that peers see, of timestamps and of initial sequence numbers, go on from
 * where they stood, so that nothing it sends looks old. If the time in between is to count, let
 * `now` be the instant of saving by the new clock: the next call brings the present.
 */
HF_API HF_MUST_CHECK int hf_stack_restore(struct hf_stack **out, const void *bytes,
                                          size_t length_bytes, const struct hf_env *env, hf_ns now);

/* ---- reasons and trace --------------------------------------------------------------------- */

/** How often a reason was met since the stack was made. */
HF_API uint64_t hf_stack_count(const struct hf_stack *s, enum hf_reason reason);

#ifdef __cplusplus
}
#endif
#endif
