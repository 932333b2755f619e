/**
 * The stack's own structure, and what the files of the protocol offer each other. Everything here
 * is private to src/core.
 *
 * Who does what, in the order a segment meets them:
 *   stack.c       demultiplexing by table; the public entry points for packets and time
 *   time_wait.c   TIME-WAIT entries          half_open.c   SYN-RECEIVED entries
 *   listener.c    SYNs to listeners          input.c       the eight checks for connections
 *   fast_path.c   the most common segment, ahead of them
 *   send.c        acknowledged data, written data
 *   output.c      what to send, and building it            reply.c    answers without a connection
 *   fast_output.c the most common of that
 *   timers.c      deadlines of connections   recovery.c    what loss does to the sender
 * What receive.c and tuning.c offer stands in receive.h; timers in timers.h; the table of tuples in
 * tuples.h.
 */
#ifndef HF_CORE_STACK_H
#define HF_CORE_STACK_H

#include "arrival.h"
#include "conn.h"
#include "handle.h"
#include "isn.h"
#include "list.h"
#include "rate.h"
#include "recent.h"
#include "siphash.h"
#include "store/table.h"
#include "syncookie.h"
#include "wire/icmp.h"
#include "wire/tcp.h"

enum {
    HF_OUTPUT_BATCH = 32,   /**< packets one call of hf_stack_output gives at most */
    HF_OUTPUT_SLICES = 640, /**< slices of all of them together */
    HF_OUTPUT_SLICES_EACH = 64,
    HF_HEADER_MAX_BYTES = 104, /**< IPv6 and TCP with all options: 100, rounded up */
    HF_REPLY_BYTES = 112,      /**< the largest answer that needs no block */
    HF_PREFIXES_MAX = 16,      /**< local addresses and prefixes of a stack */
    HF_COOKIE_MEMORY_S = 256,  /**< cookies are accepted this long after one was sent */
};

/** A local address in use, counted. */
struct hf_local {
    struct hf_addr addr;
    uint32_t references;
    uint32_t hash;
};

struct hf_prefix {
    struct hf_addr addr;
    uint8_t bits; /**< of 128 */
};

struct hf_listener {
    struct hf_addr addr;
    uint8_t bits; /**< of 128 */
    bool any_address;
    bool v6_only;       /**< of any address */
    uint16_t mss_bytes; /**< 0: that of the path */
    bool held;
    bool reset_overflow;
    bool closed; /**< freed when nothing is left that came to it */
    uint16_t port;
    uint32_t hash;
    uint32_t generation;
    uint32_t max_half_open, backlog, max_connections, max_per_remote;
    uint32_t half_open, connections; /**< alive at present */
    uint32_t unaccepted;             /**< alive or not, to be pulled as events */
    uint16_t cookie_window;          /**< the widest that a cookie promised */
    struct hf_options options;
};

/** Counts established and held connections of one remote address at one listener. */
struct hf_remote_count {
    struct hf_addr remote;
    uint32_t listener;
    uint32_t count;
    uint32_t hash;
    uint32_t spare;
};

/** An answer that waits to be sent: complete, but for a payload in a block. */
struct hf_reply {
    uint8_t bytes[HF_REPLY_BYTES];
    uint8_t length_bytes;
    uint8_t ip_bytes;
    uint16_t spare;
    uint32_t block; /**< HF_NIL: none */
    uint32_t block_bytes;
};

/** How far those who wait for blocks have been tried: send.c. */
struct hf_wake_round {
    uint64_t turnover; /**< of the blocks, when this round began */
    uint32_t left;     /**< connections that it has not tried yet */
    bool again;        /**< another was asked for */
    bool dry;          /**< the budget had blocks in this one, but the allocator had none */
    bool writers;      /**< some of those who wait may want to write */
    bool writers_met;  /**< one was met, or came, since this round began */
};

/** Everything that is plain data: saved and restored as it is. */
struct hf_stack_plain {
    struct hf_config cfg;
    hf_ns now_ns;         /**< of the last call, by our own clock, as all instants here */
    hf_ns told_ns;        /**< the same by the caller's clock */
    hf_ns clock_ahead_ns; /**< of our clock against the caller's: not 0 in restored stacks */
    struct hf_random random;
    struct hf_sip_key table_key, isn_key, ts_key, port_key;
    struct hf_cookie_keys cookie_keys;
    hf_ns cookie_sent_at; /**< last time; HF_NEVER: never */
    struct hf_list ready, output, waiting;
    struct hf_wake_round round;
    uint32_t generation; /**< serial of handles */
    uint32_t port_counter;
    uint32_t gaps_head; /**< flights with out-of-order data */
    uint32_t prefix_count;
    struct hf_prefix prefixes[HF_PREFIXES_MAX];
    struct hf_rate rst_rate, icmp_rate;
    uint32_t reply_head, reply_count;
    uint16_t ip_id;
    uint8_t shard;
    uint64_t packets_in, packets_out, bytes_in, bytes_out, segments_in, segments_out;
    uint64_t bytes_again, segments_again; /**< data that was sent again */
    uint64_t counts[HF_REASON_COUNT];
};

/** All that holds entries, each once, as X(name, member): freed, trimmed, saved, restored in this
 *  order. */
#define HF_STACK_POOLS(X)                                                                          \
    X(conns, conns)                                                                                \
    X(half_opens, half_opens)                                                                      \
    X(time_waits, time_waits)                                                                      \
    X(flights, flights)                                                                            \
    X(runs_some, runs_some)                                                                        \
    X(runs_many, runs_many)                                                                        \
    X(runs_most, runs_most)                                                                        \
    X(listeners, listeners)                                                                        \
    X(locals, locals)                                                                              \
    X(remote_counts, remote_counts)                                                                \
    X(blocks, blocks.pool)
#define HF_STACK_TABLES(X)                                                                         \
    X(table, table)                                                                                \
    X(listener_table, listener_table)                                                              \
    X(local_table, local_table)                                                                    \
    X(remote_count_table, remote_count_table)

struct hf_stack {
    struct hf_stack_plain p;
    struct hf_mem mem;
    hf_trace_fn *trace;
    void *trace_ctx;
    struct hf_pool conns, half_opens, time_waits, flights, listeners, locals, remote_counts;
    struct hf_pool runs_some, runs_many,
        runs_most; /**< of scoreboards, by how many there is room for */
    struct hf_blocks blocks;
    struct hf_table table; /**< tuples -> conn, half_open, time_wait */
    struct hf_table listener_table, local_table, remote_count_table;
    struct hf_wheel wheel;
    struct hf_reply *replies;
    struct hf_options options; /**< that the settings give a new connection: worked out once */
    struct hf_full_ports full_ports;
    struct hf_recent_offset recent_offset;
    struct hf_recent_listener recent_listener;
    struct hf_recent_tuple recent_tuple;
    hf_ns trimmed_at;        /**< for the budget's sake, last time */
    uint32_t recent_local;   /**< local address taken last, or HF_NIL: likely the next one too */
    uint32_t reserved_conn;  /**< by hf_send_reserve, until the next call: HF_NIL if none */
    uint32_t reserved_bytes; /**< so many were offered; valid with reserved_conn */
    uint32_t reserved_block; /**< likewise; HF_NIL too if the room is in a block that is in use */
    uint32_t given_blocks[HF_OUTPUT_BATCH]; /**< payloads of answers given out by the last output */
    uint32_t given_count;
    uint32_t slices_used;
    uint8_t headers[HF_OUTPUT_BATCH][HF_HEADER_MAX_BYTES + 8];
    struct hf_slice slices[HF_OUTPUT_SLICES];
};

/** Everything an established passive connection needs to know of its handshake. */
struct hf_handshake {
    uint32_t listener;
    hf_seq irs, iss;
    uint16_t mss, rcv_wnd;
    uint8_t wscale;
    bool wscale_on, ts_on, sack_on;
    uint32_t ts_recent, ts_offset;
    bool syn_retransmitted;
    hf_ns rtt_ns; /**< measured by the handshake; 0: not */
};

/** Memory and containers of a stack with nothing in them (for restoring); NULL without memory. */
struct hf_stack *hf_stack_allocate(const struct hf_config *cfg, const struct hf_env *env,
                                   hf_ns now);
/** Takes back what hf_send_reserve and hf_stack_output lent: at the start of every public call
 *  that is not const. */
void hf_stack_take_back(struct hf_stack *s);
static inline bool hf_stack_has_lent(const struct hf_stack *s)
{
    return s->reserved_conn != HF_NIL || s->given_count > 0;
}
static inline void hf_stack_end_loans(struct hf_stack *s)
{
    if (hf_stack_has_lent(s))
        hf_stack_take_back(s);
}

/* ---- time and counting (stack.c, trace.c) ---- */

static inline uint32_t hf_stack_ms(const struct hf_stack *s)
{
    return (uint32_t)(s->p.now_ns / 1000000);
}
/** Finer than needed and cheap: rounds of connections without timestamps. */
enum { HF_ROUND_TICK_SHIFT = 20 };
static inline uint32_t hf_stack_ticks(const struct hf_stack *s)
{
    return (uint32_t)(s->p.now_ns >> HF_ROUND_TICK_SHIFT);
}
static inline uint32_t hf_stack_s(const struct hf_stack *s)
{
    return (uint32_t)(s->p.now_ns / 1000000000);
}
/** Our timestamp clock: milliseconds and an offset for each pair of addresses [RFC7323#5.4]. */
static inline uint32_t hf_stack_timestamp(const struct hf_stack *s, uint32_t offset)
{
    return hf_stack_ms(s) + offset;
}
/** Our own clock never stops or goes back, though a restored stack's caller may have another one
 *  than before: peers know it by timestamps and initial sequence numbers. These two turn instants
 *  of the caller into ours, and ours into the caller's, at the border. */
static inline hf_ns hf_stack_own_time(const struct hf_stack *s, hf_ns caller_ns)
{
    return hf_ns_shift(caller_ns, s->p.clock_ahead_ns);
}
static inline hf_ns hf_stack_caller_time(const struct hf_stack *s, hf_ns own_ns)
{
    return hf_ns_shift(own_ns, -s->p.clock_ahead_ns);
}
/** hf_ts_offset of our key. */
uint32_t hf_stack_ts_offset(struct hf_stack *s, const struct hf_addr *local,
                            const struct hf_addr *remote);
void hf_stack_take_time(struct hf_stack *s, hf_ns now);
/** Takes the time of a call: never backwards. */
static inline void hf_stack_set_now(struct hf_stack *s, hf_ns now)
{
    if (now != s->p.told_ns)
        hf_stack_take_time(s, now);
}

static inline void hf_count(struct hf_stack *s, enum hf_reason r)
{
    s->p.counts[r]++;
}
/** Tells the sink, which is there. */
void hf_trace_tell(struct hf_stack *s, const struct hf_conn *c, enum hf_trace type,
                   enum hf_reason reason, int64_t a, int64_t b, const struct hf_segment *seg);
/** Counts the reason and, when a sink is there, tells it. */
static inline void hf_trace_conn(struct hf_stack *s, const struct hf_conn *c, enum hf_trace type,
                                 enum hf_reason reason, int64_t a, int64_t b,
                                 const struct hf_segment *seg)
{
    hf_count(s, reason);
    if (s->trace != NULL)
        hf_trace_tell(s, c, type, reason, a, b, seg);
}
void hf_trace_tell_stranger(struct hf_stack *s, enum hf_trace type, enum hf_reason reason,
                            const struct hf_endpoint *local, const struct hf_endpoint *remote,
                            int64_t a, int64_t b, const struct hf_segment *seg);
/** The same for what concerns no connection; local and remote may be NULL. */
static inline void hf_trace_stranger(struct hf_stack *s, enum hf_trace type, enum hf_reason reason,
                                     const struct hf_endpoint *local,
                                     const struct hf_endpoint *remote, int64_t a, int64_t b,
                                     const struct hf_segment *seg)
{
    hf_count(s, reason);
    if (s->trace != NULL)
        hf_trace_tell_stranger(s, type, reason, local, remote, a, b, seg);
}
void hf_trace_tell_state(struct hf_stack *s, hf_handle handle, const struct hf_endpoint *local,
                         const struct hf_endpoint *remote, enum hf_state from, enum hf_state to,
                         enum hf_reason reason);
/** A change of state, of an entry of any kind (handle 0: it has none). */
static inline void hf_trace_state(struct hf_stack *s, hf_handle handle,
                                  const struct hf_endpoint *local, const struct hf_endpoint *remote,
                                  enum hf_state from, enum hf_state to, enum hf_reason reason)
{
    hf_count(s, reason);
    if (s->trace != NULL)
        hf_trace_tell_state(s, handle, local, remote, from, to, reason);
}
/** A dropped segment of a connection. */
static inline void hf_drop(struct hf_stack *s, const struct hf_conn *c, enum hf_reason reason,
                           const struct hf_segment *seg)
{
    hf_trace_conn(s, c, HF_TRACE_DROP, reason, 0, 0, seg);
}
static inline void hf_drop_arrival(struct hf_stack *s, const struct hf_arrival *in,
                                   enum hf_reason reason)
{
    hf_trace_stranger(s, HF_TRACE_DROP, reason, &in->local, &in->remote, 0, 0, in->seg);
}

/* ---- local addresses (local.c) ---- */

static inline struct hf_local *hf_local_at(const struct hf_stack *s, uint32_t index)
{
    return (struct hf_local *)hf_pool_at_sized(&s->locals, index, sizeof(struct hf_local),
                                               HF_LOCAL_SHIFT);
}
static inline const struct hf_addr *hf_local_addr(const struct hf_stack *s, uint32_t index)
{
    return &hf_local_at(s, index)->addr;
}
static inline void hf_local_share(struct hf_stack *s, uint32_t index)
{
    hf_local_at(s, index)->references++;
}
/* What is left of the next two when it is another address than that of the last time. */
uint32_t hf_local_take_other(struct hf_stack *s, const struct hf_addr *addr);
void hf_local_forget(struct hf_stack *s, uint32_t index);
/** Index of the address, counted once more; HF_NIL without memory. */
HF_MUST_CHECK static inline uint32_t hf_local_take(struct hf_stack *s, const struct hf_addr *addr)
{
    uint32_t recent = s->recent_local;
    if (recent == HF_NIL || !hf_addr_is_same(hf_local_addr(s, recent), addr))
        return hf_local_take_other(s, addr);
    hf_local_share(s, recent);
    return recent;
}
/** The one that was taken last stays although nobody has it any more: whoever is next is likely to
 *  want it. */
static inline void hf_local_give(struct hf_stack *s, uint32_t index)
{
    struct hf_local *local = hf_local_at(s, index);
    HF_ASSERT(local->references > 0);
    if (--local->references == 0 && index != s->recent_local)
        hf_local_forget(s, index);
}
void hf_local_drop_idle(struct hf_stack *s);
/** Addresses that somebody has. */
uint32_t hf_local_count(const struct hf_stack *s);
/** After a restore: what stayed so in the saved stack does so in this one. */
void hf_local_find_idle(struct hf_stack *s);
bool hf_local_is_ours(const struct hf_stack *s, const struct hf_addr *addr);
/** Of an IPv4 address: the rest of the next. */
bool hf_local_is_last_of_prefix(const struct hf_stack *s, const struct hf_addr *addr);
/** A directed broadcast address of one of our prefixes. */
static inline bool hf_local_is_broadcast(const struct hf_stack *s, const struct hf_addr *addr)
{
    /* Two bits at least are the host's: of four addresses one can be any prefix's last. */
    return (addr->octets[15] & 3) == 3 && hf_addr_is_mapped(addr) &&
           hf_local_is_last_of_prefix(s, addr);
}
/** The address that connections to `remote` start from; false if there is none of its family. */
bool hf_local_choose(const struct hf_stack *s, const struct hf_addr *remote, struct hf_addr *out);
/** An unused port towards remote [RFC6056]; 0 when there is none. */
uint16_t hf_port_choose(struct hf_stack *s, const struct hf_addr *local,
                        const struct hf_endpoint *remote);

/* ---- connections (conn.c) ---- */

static inline struct hf_conn *hf_conn_at(const struct hf_stack *s, uint32_t index)
{
    return (struct hf_conn *)hf_pool_at_sized(&s->conns, index, sizeof(struct hf_conn),
                                              HF_CONN_SHIFT);
}
static inline struct hf_listener *hf_listener_at(const struct hf_stack *s, uint32_t index)
{
    return (struct hf_listener *)hf_pool_at_sized(&s->listeners, index, sizeof(struct hf_listener),
                                                  HF_LISTENER_SHIFT);
}
static inline struct hf_half_open *hf_half_open_at(const struct hf_stack *s, uint32_t index)
{
    return (struct hf_half_open *)hf_pool_at_sized(&s->half_opens, index,
                                                   sizeof(struct hf_half_open), HF_ENTRY_SHIFT);
}
static inline struct hf_time_wait *hf_time_wait_at(const struct hf_stack *s, uint32_t index)
{
    return (struct hf_time_wait *)hf_pool_at_sized(&s->time_waits, index,
                                                   sizeof(struct hf_time_wait), HF_ENTRY_SHIFT);
}
static inline struct hf_flight *hf_flight_at(const struct hf_stack *s, uint32_t index)
{
    return (struct hf_flight *)hf_pool_at_sized(&s->flights, index, sizeof(struct hf_flight),
                                                HF_FLIGHT_SHIFT);
}
static inline struct hf_flight *hf_flight_of(const struct hf_stack *s, const struct hf_conn *c)
{
    return c->flight == HF_NIL ? NULL : hf_flight_at(s, c->flight);
}
static inline hf_handle hf_conn_handle(const struct hf_stack *s, const struct hf_conn *c)
{
    return hf_handle_make(HF_HANDLE_CONN, s->p.shard, c->generation, c->index);
}
/** NULL when the handle is stale or none of a connection. */
static inline struct hf_conn *hf_conn_find(const struct hf_stack *s, hf_handle h)
{
    if (hf_handle_kind(h) != HF_HANDLE_CONN || hf_handle_shard(h) != s->p.shard)
        return NULL;
    struct hf_conn *c = (struct hf_conn *)hf_pool_find_sized(&s->conns, hf_handle_slot(h),
                                                             sizeof(struct hf_conn), HF_CONN_SHIFT);
    if (c == NULL)
        return NULL;
    if (c->app_closed && c->closed_pulled)
        return NULL; /* stays for its TIME-WAIT only, which found no entry */
    return (c->generation & HF_HANDLE_GENERATION_MASK) == hf_handle_generation(h) ? c : NULL;
}
/** The same, out of line: for calls that are rare. */
struct hf_conn *hf_conn_of(const struct hf_stack *s, hf_handle h);
/** Of its tuple. */
uint32_t hf_conn_hash(const struct hf_stack *s, const struct hf_conn *c);
struct hf_endpoint hf_conn_local(const struct hf_stack *s, const struct hf_conn *c);
struct hf_endpoint hf_conn_remote(const struct hf_conn *c);
/** Makes a connection in state CLOSED and puts its tuple into the table. `replaces` is a reference
 *  that holds the tuple now (its entry is the caller's to free), or HF_NIL. NULL without memory. */
struct hf_conn *hf_conn_new(struct hf_stack *s, const struct hf_endpoint *local,
                            const struct hf_endpoint *remote, uint32_t hash,
                            const struct hf_options *options, uint32_t replaces);
/** Takes back a connection that nobody was told of, without a trace: its tuple is that of
 *  `replaced` again, or nobody's (HF_NIL). */
void hf_conn_unmake(struct hf_stack *s, struct hf_conn *c, uint32_t hash, uint32_t replaced);
/** The one writer of a connection's state: checks the edge, traces it. */
void hf_conn_set_state(struct hf_stack *s, struct hf_conn *c, enum hf_state to,
                       enum hf_reason reason);
/** Ends a connection: out of the table, timers off, sending queue dropped, closed event raised.
 *  Data in order stays readable when keep_unread. */
void hf_conn_end(struct hf_stack *s, struct hf_conn *c, enum hf_closed how, enum hf_reason reason,
                 bool keep_unread);
/** The part of that which a connection entering TIME-WAIT has in common: everything but the tuple
 *  and the state. */
void hf_conn_finish(struct hf_stack *s, struct hf_conn *c, enum hf_closed how, bool keep_unread);
/** Ends it and tells the peer by RST. */
void hf_conn_reset_peer(struct hf_stack *s, struct hf_conn *c, enum hf_closed how,
                        enum hf_reason why, enum hf_reason rst_reason);
/** Events for the application, if it has not let go. */
static inline void hf_conn_raise(struct hf_stack *s, struct hf_conn *c, unsigned bits)
{
    if (c->app_closed)
        bits &= HF_EV_CLOSED;
    if (bits == 0)
        return;
    c->events |= (uint16_t)bits;
    hf_list_push_conn(&s->p.ready, &s->conns, HF_LIST_READY, c);
}
/** Frees the slot once the closed event was pulled and the application let go. */
void hf_conn_release_if_done(struct hf_stack *s, struct hf_conn *c);
/** Takes a flight record: there is none yet; NULL if it can't be had. */
struct hf_flight *hf_conn_take_flight(struct hf_stack *s, struct hf_conn *c);
/** The one that there is, or else takes one. */
static inline struct hf_flight *hf_conn_need_flight(struct hf_stack *s, struct hf_conn *c)
{
    return c->flight == HF_NIL ? hf_conn_take_flight(s, c) : hf_flight_of(s, c);
}
/** Gives it back whatever it holds. */
void hf_conn_drop_flight(struct hf_stack *s, struct hf_conn *c);
struct hf_board hf_flight_large_board(struct hf_stack *s, struct hf_flight *f, uint32_t more);
/** What is in flight for the second time or more, and neither arrived nor taken for lost. */
uint32_t hf_flight_resent_bytes(const struct hf_stack *s, const struct hf_flight *f);
/** Its scoreboard, with room for `more` runs than there are, if that can be had. */
static inline struct hf_board hf_flight_board(struct hf_stack *s, struct hf_flight *f,
                                              uint32_t more)
{
    if (f->runs == HF_NIL && f->board.count + more <= HF_RUNS_OWN)
        return (struct hf_board){&f->board, f->own_runs, HF_RUNS_OWN};
    return hf_flight_large_board(s, f, more);
}
/** Counts a listener's connection, or a held one; false at a limit (reason in *why). */
bool hf_listener_may_have(struct hf_stack *s, uint32_t listener, const struct hf_addr *remote,
                          enum hf_reason *why);
/** Tells which limit it is that a segment met, and how much there is of it. */
void hf_listener_trace_limit(struct hf_stack *s, const struct hf_listener *l,
                             const struct hf_arrival *in, enum hf_reason limit);
HF_MUST_CHECK bool hf_listener_adopt(struct hf_stack *s, uint32_t listener, struct hf_conn *c);
hf_handle hf_listener_handle(const struct hf_stack *s, uint32_t listener);
void hf_listener_uncount(struct hf_stack *s, struct hf_conn *c);
/** Its event was pulled: it counts against the backlog no more. */
static inline void hf_listener_accepted(struct hf_stack *s, struct hf_conn *c)
{
    if (c->unaccepted)
        hf_listener_uncount(s, c);
}
/** It ended: once for each that was adopted. */
void hf_listener_disown(struct hf_stack *s, struct hf_conn *c);
/** Frees a closed listener when nothing belongs to it any more. */
void hf_listener_release_if_done(struct hf_stack *s, uint32_t listener);

static inline bool hf_conn_is_synchronized(const struct hf_conn *c)
{
    return c->state >= HF_ESTABLISHED;
}
/** Sequence number of the first byte in the send queue. */
static inline hf_seq hf_conn_data_base(const struct hf_conn *c)
{
    return c->syn_unacked ? hf_seq_add(c->iss, 1) : c->snd_una;
}
/** Sequence number behind the last byte in the send queue: where the FIN stands. */
static inline hf_seq hf_conn_data_end(const struct hf_conn *c)
{
    return hf_seq_add(hf_conn_data_base(c), c->send.bytes);
}
static inline uint32_t hf_conn_in_flight(const struct hf_conn *c)
{
    return c->snd_nxt.v - c->snd_una.v;
}
/** Nothing is in flight, nothing out of order, and no duplicate to be told. */
static inline bool hf_flight_is_over(const struct hf_conn *c, const struct hf_flight *f)
{
    return hf_conn_in_flight(c) == 0 && f->gaps == HF_NIL && !f->fin_waits && !c->twice_due;
}
/** Gives the flight record back when that is over, and nothing is to be heard of any. */
static inline void hf_conn_release_flight(struct hf_stack *s, struct hf_conn *c)
{
    const struct hf_flight *f = hf_flight_of(s, c);
    if (f != NULL && hf_flight_is_over(c, f) && c->rtx_timer != HF_RTX_SETTLE)
        hf_conn_drop_flight(s, c);
}
static inline uint32_t hf_conn_rcv_wnd(const struct hf_conn *c)
{
    return c->rcv_adv.v - c->rcv_nxt.v;
}
/** Data or a FIN that was never sent. */
static inline bool hf_conn_has_unsent(const struct hf_conn *c)
{
    return !c->fin_sent && (c->fin_queued || hf_seq_gt(hf_conn_data_end(c), c->snd_nxt));
}
/** In flight as far as is known: neither arrived nor lost [RFC9937#6.2]. */
static inline uint32_t hf_conn_pipe(const struct hf_conn *c, const struct hf_flight *f)
{
    uint32_t all = hf_conn_in_flight(c);
    uint32_t gone = f == NULL ? 0 : f->board.sacked_bytes + f->board.lost_bytes;
    return hf_rest_u32(all, gone);
}
/** Bytes of an IP header towards this peer. */
static inline uint32_t hf_conn_ip_bytes(const struct hf_conn *c)
{
    return hf_addr_is_mapped(&c->remote) ? HF_IPV4_HEADER_BYTES : HF_IPV6_HEADER_BYTES;
}
/** Payload of the largest segment that the path, and the application, let through. */
static inline uint16_t hf_conn_mss_limit(const struct hf_conn *c)
{
    return (uint16_t)(c->path_mtu - hf_conn_ip_bytes(c) - HF_TCP_HEADER_BYTES);
}
/** Payload of a full-sized segment with timestamps counted, other options not [MUST-16]: the
 *  smaller of the peer's limit and the path's, less our own options. v4: hf_addr_is_mapped of the
 *  peer. */
static inline uint32_t hf_conn_mss_of(const struct hf_conn *c, bool v4)
{
    uint32_t ip = v4 ? HF_IPV4_HEADER_BYTES : HF_IPV6_HEADER_BYTES;
    uint32_t limit = (uint16_t)(c->path_mtu - ip - HF_TCP_HEADER_BYTES);
    /* 65535 limits nothing, as [UN-08] has it */
    return hf_min_u32(c->snd_mss, limit) - (c->ts_on ? 12 : 0);
}
static inline uint32_t hf_conn_mss(const struct hf_conn *c)
{
    return hf_conn_mss_of(c, hf_addr_is_mapped(&c->remote));
}
/** 0: that of the stack's MTU. */
void hf_conn_set_mss_limit(const struct hf_stack *s, struct hf_conn *c, uint16_t limit_bytes);
/** MSS option for a path of this family, and no more than limit_bytes unless that is 0
 *  [RFC9293#3.7.1]. */
static inline uint16_t hf_stack_own_mss(const struct hf_stack *s, const struct hf_addr *remote,
                                        uint16_t limit_bytes)
{
    /* [MUST-67] options are the sender's care. */
    uint32_t ip = hf_addr_is_mapped(remote) ? HF_IPV4_HEADER_BYTES : HF_IPV6_HEADER_BYTES;
    uint16_t path = (uint16_t)((uint32_t)s->p.cfg.mtu_bytes - ip - HF_TCP_HEADER_BYTES);
    return limit_bytes > 0 && limit_bytes < path ? limit_bytes : path;
}
static inline struct hf_rtt_limits hf_stack_rtt_limits(const struct hf_stack *s)
{
    const struct hf_config *cfg = &s->p.cfg;
    return (struct hf_rtt_limits){cfg->rto_initial_ns, cfg->rto_min_ns, cfg->rto_max_ns,
                                  cfg->rto_min_on_variance != 0};
}
/** The peer's MSS as it counts: default when absent, floor of the settings. */
uint16_t hf_stack_peer_mss(const struct hf_stack *s, const struct hf_addr *remote, bool has_mss,
                           uint16_t mss);
/** Our window shift: the setting's; 0 if we offer none. */
static inline uint8_t hf_stack_shift(const struct hf_stack *s)
{
    int64_t shift = s->p.cfg.window_scale;
    return shift < 0 ? 0 : (uint8_t)shift;
}
/** The options that settings give a new connection. */
struct hf_options hf_options_of(const struct hf_config *cfg);
/** Takes over what both SYNs agreed on. */
void hf_conn_agree(struct hf_stack *s, struct hf_conn *c, const struct hf_handshake *h);
/** Chooses the window for a SYN or SYN,ACK: unscaled. */
uint16_t hf_stack_syn_window(const struct hf_stack *s, uint32_t receive_buffer_bytes);
/** The window of a connection's own SYN or SYN,ACK: chosen anew until that left, then kept. */
uint16_t hf_conn_syn_window(const struct hf_stack *s, struct hf_conn *c);

/** True, and counted, while one entry may send another challenge ACK [RFC5961#7]; else it is for
 *  the caller to trace HF_LIMIT_CHALLENGE. */
bool hf_challenge_allowed(const struct hf_stack *s, uint8_t *challenges, uint8_t *challenge_at);
/** The same of a connection, traced. */
bool hf_conn_may_challenge(struct hf_stack *s, struct hf_conn *c);

/* ---- segments that came in ---- */

void hf_listener_input(struct hf_stack *s, const struct hf_arrival *in);
/** A SYN to a listener, also from TIME-WAIT (its reference, or HF_NIL): opens a connection, or is
 *  at a limit: dropped or answered. */
void hf_listener_syn(struct hf_stack *s, uint32_t listener, const struct hf_arrival *in,
                     uint32_t time_wait);
/** NULL when the handle is stale or none of a listener. */
struct hf_listener *hf_listener_of(const struct hf_stack *s, hf_handle h);
void hf_listener_close(struct hf_stack *s, uint32_t listener);
/** The listener for a local endpoint, HF_NIL if there is none. */
uint32_t hf_listener_find(const struct hf_stack *s, const struct hf_endpoint *local);
void hf_half_open_input(struct hf_stack *s, uint32_t index, const struct hf_arrival *in);
/** Makes an entry and answers; false without memory. */
bool hf_half_open_new(struct hf_stack *s, uint32_t listener, const struct hf_arrival *in,
                      uint32_t time_wait);
void hf_half_open_fire(struct hf_stack *s, uint32_t index);
/** Makes an established connection for the ACK that completed a handshake and lets it process the
 *  rest of that segment. False: no memory or backlog, the segment was dropped and counted. */
bool hf_accept(struct hf_stack *s, const struct hf_handshake *h, const struct hf_arrival *in,
               uint32_t replaces, enum hf_reason reason);
void hf_time_wait_input(struct hf_stack *s, uint32_t index, const struct hf_arrival *in);
/** The connection enters TIME-WAIT: an entry takes its tuple over, or the connection keeps it if
 *  there is no memory for one. The closed event is raised. */
void hf_time_wait_enter(struct hf_stack *s, struct hf_conn *c, enum hf_reason reason);
/** TIME-WAIT of a connection that could not have an entry. */
void hf_time_wait_conn_input(struct hf_stack *s, struct hf_conn *c, const struct hf_arrival *in);
void hf_time_wait_fire(struct hf_stack *s, uint32_t index);
void hf_time_wait_conn_fire(struct hf_stack *s, struct hf_conn *c);
/* The next four take the reference of an entry or of a connection that waits itself. */
/** A new SYN holds this tuple from now on; TIME-WAIT runs on, out of the table. */
void hf_time_wait_shadow(struct hf_stack *s, uint32_t ref);
/** The SYN that shadowed it came to nothing: back into the table. */
void hf_time_wait_unshadow(struct hf_stack *s, uint32_t ref, uint32_t instead_of);
/** A new connection has the tuple for good: TIME-WAIT is over. */
void hf_time_wait_reused(struct hf_stack *s, uint32_t ref);
/** An ISS above everything the old connection sent [RFC9293#3.6.1 MAY-2]. */
hf_seq hf_time_wait_next_iss(const struct hf_stack *s, uint32_t ref, hf_seq iss);
void hf_conn_input(struct hf_stack *s, struct hf_conn *c, const struct hf_arrival *in);
/** The peer lives: an acceptable segment of it is here. Takes its timestamp [RFC7323#4.3]. */
void hf_conn_heard(struct hf_stack *s, struct hf_conn *c, const struct hf_segment *seg);
/** What the fast path says of a segment: not for it, taken, or its checksum is wrong. */
enum hf_fast_path { HF_FAST_PATH_NOT, HF_FAST_PATH_TAKEN, HF_FAST_PATH_WRONG };
/** Of a segment whose checksum is to be verified, unless `vouched` says that the link has: does so
 *  by itself if it takes it. */
enum hf_fast_path hf_fast_path_input(struct hf_stack *s, struct hf_conn *c,
                                     const struct hf_arrival *in, bool vouched);
/** The retransmission timer fired: a pending claim of a smaller path MTU is believed now. */
void hf_path_on_rto(struct hf_stack *s, struct hf_conn *c);
/** Ends the TIME-WAIT of a connection, in its entry or its own. */
void hf_time_wait_abort(struct hf_stack *s, struct hf_conn *c);
/** The entry that took a connection's tuple over, in the shadow of a newer SYN too; HF_NIL if there
 *  is none any more. */
uint32_t hf_time_wait_of(const struct hf_stack *s, const struct hf_conn *c);
/** True while the connection that the entry was made for is still there beside it. */
bool hf_time_wait_has_conn(const struct hf_stack *s, uint32_t index);
void hf_icmp_input(struct hf_stack *s, const struct hf_ip *ip, const uint8_t *bytes,
                   bool checksum_valid);

/* ---- sending (send.c, recovery.c, output.c) ---- */

/** SEG.ACK moves SND.UNA: frees what is acknowledged, samples the round trip, restarts timers. */
void hf_send_acked(struct hf_stack *s, struct hf_conn *c, const struct hf_segment *seg);
/** The same, where nothing is in doubt: of text only, in ESTABLISHED, with a plain flight in which
 *  no claim of a smaller MTU waits, before an open window; no timeout is counted, nothing of ours
 *  is urgent, and nobody waits for room. */
void hf_send_acked_plain(struct hf_stack *s, struct hf_conn *c, struct hf_flight *f,
                         const struct hf_segment *seg);
/** Takes the window of a segment if it is the newest [RFC9293#3.10.7.4 step 5]. */
void hf_send_window(struct hf_stack *s, struct hf_conn *c, const struct hf_arrival *in);
/** Our FIN is acknowledged. */
static inline bool hf_fin_is_acked(const struct hf_conn *c)
{
    return c->fin_sent && hf_seq_eq(c->snd_una, c->snd_nxt);
}
/** A writer waits for room: tells it, if there is some. */
void hf_send_tell_room(struct hf_stack *s, struct hf_conn *c);
static inline void hf_send_room(struct hf_stack *s, struct hf_conn *c)
{
    if (c->wants_room)
        hf_send_tell_room(s, c);
}
void hf_wake_some(struct hf_stack *s);
/** True if more of those who wait should hear of room, at once. */
bool hf_wake_is_due(const struct hf_stack *s);
/** Blocks came back: wakes connections that wait for some. */
static inline void hf_wake_waiting(struct hf_stack *s)
{
    if (s->p.waiting.count > 0)
        hf_wake_some(s);
}

/** Facts for the congestion control, as they are now. */
struct hf_cc_event hf_recovery_event(const struct hf_stack *s, const struct hf_conn *c);
/** The same where a window begins: with the initial one. */
struct hf_cc_event hf_recovery_start_event(const struct hf_stack *s, const struct hf_conn *c);
/** How a connection's end is told to its reader or writer. */
int hf_closed_err(enum hf_closed how);
/** An acceptable ACK, as the recovery sees it: after SND.UNA was moved. */
struct hf_ack {
    const struct hf_segment *seg;
    hf_seq una_before;
    uint32_t flight_before; /**< in flight, bytes */
    uint32_t acked_bytes;   /**< of data, newly; the SYN's, and of a FIN, is none */
    bool duplicate;         /**< by all five conditions of [RFC5681#2] */
};
/** Nothing is missing, and nothing is in doubt. */
static inline bool hf_flight_is_plain(const struct hf_flight *f)
{
    HF_DEBUG_ASSERT(f->phase != HF_PHASE_OPEN || f->board.lost_bytes == 0);
    return f->phase == HF_PHASE_OPEN && f->board.sacked_bytes == 0 && !f->undo.open &&
           !f->probe.open;
}
/** SND.UNA moved in a plain flight, and the ACK says nothing else. */
void hf_recovery_on_plain_ack(struct hf_stack *s, struct hf_conn *c, struct hf_flight *f,
                              const struct hf_ack *a);
/** A segment acknowledges, or brings other news. f is the connection's flight, or NULL. */
void hf_recovery_on_ack(struct hf_stack *s, struct hf_conn *c, struct hf_flight *f,
                        const struct hf_ack *a);
/** The first block tells of data that came twice, and not of something that is new there: it lies
 *  below this very ACK (SND.UNA may be ahead of it) or in the second block [RFC2883#5]. */
bool hf_ack_tells_duplicate(const struct hf_conn *c, const struct hf_segment *seg);
/** RACK's patience is at its end. */
void hf_recovery_on_reorder_timer(struct hf_stack *s, struct hf_conn *c);
/** One loss was repaired without a recovery: one reduction for it [RFC8985#7.4.2]. */
void hf_recovery_respond(struct hf_stack *s, struct hf_conn *c, struct hf_flight *f);
void hf_recovery_on_rto(struct hf_stack *s, struct hf_conn *c);
/** Notes in the scoreboard what is sent for the first time. */
void hf_recovery_note_new(struct hf_stack *s, const struct hf_conn *c, struct hf_flight *f,
                          hf_seq seq, uint32_t bytes, uint32_t mss);
static inline void hf_prr_sent(struct hf_flight *f, uint32_t bytes)
{
    if (f->phase == HF_PHASE_RECOVERY)
        f->prr.sent_bytes += bytes; /* [RFC9937#6.3] */
}
/** Output has sent [seq, seq + bytes), a FIN counted, again. */
void hf_recovery_sent_again(struct hf_stack *s, struct hf_conn *c, struct hf_flight *f, hf_seq seq,
                            uint32_t bytes, uint32_t mss);
/** Sends everything from SND.UNA again, without blaming congestion. */
void hf_recovery_resend_all(struct hf_stack *s, struct hf_conn *c, enum hf_reason reason);
const struct hf_cc_algorithm *hf_stack_cc(const struct hf_stack *s);

/* ---- what a connection may have to send (output.c) ---- */

/** Puts the connection on the list of those that may have something to send. */
static inline void hf_output_want(struct hf_stack *s, struct hf_conn *c)
{
    if (c->state != HF_CLOSED && !c->held)
        hf_list_push_conn(&s->p.output, &s->conns, HF_LIST_OUTPUT, c);
}
/** An ACK leaves with the next output. */
void hf_output_ack_now(struct hf_stack *s, struct hf_conn *c, enum hf_reason reason);
/** An ACK of what is here now leaves, and is not merged with what comes before the next output.
 *  What it told is settled, D-SACK and flight record included. False: there was no room for it,
 *  or a SYN has to leave first. */
bool hf_output_ack_apart(struct hf_stack *s, struct hf_conn *c);

/* ---- answers without a connection (reply.c) ---- */

/** True while an ACK that could wait for its connection's turn may take a place: one peer's batch
 *  takes no more than half of them. */
bool hf_reply_has_room_apart(const struct hf_stack *s);
/** Sends a segment without payload for a tuple; false: there is no room, and it is counted. */
bool hf_reply_segment(struct hf_stack *s, const struct hf_endpoint *local,
                      const struct hf_endpoint *remote, uint8_t ttl, uint8_t traffic_class,
                      struct hf_segment *seg);
/** The same of a connection. */
bool hf_reply_conn_segment(struct hf_stack *s, const struct hf_conn *c, struct hf_segment *seg);
/** RST as RFC 9293 3.5.2 builds it for a segment that belongs nowhere; within the rate. */
void hf_reply_rst(struct hf_stack *s, const struct hf_arrival *in, enum hf_reason reason);
/** RST of a connection: <SEQ=SND.NXT>. */
void hf_reply_conn_rst(struct hf_stack *s, const struct hf_conn *c, enum hf_reason reason);
/** ICMP error that quotes the SYN of a held connection. */
void hf_reply_unreachable(struct hf_stack *s, const struct hf_conn *c, uint8_t type, uint8_t code);
void hf_reply_echo(struct hf_stack *s, const struct hf_ip *ip, const struct hf_icmp *icmp);
/** Gives out waiting answers; returns how many. */
size_t hf_reply_output(struct hf_stack *s, struct hf_out_packet *packets, size_t max);

#endif
