/**
 * The sending half of a connection: what acknowledgments and windows do to SND.*, and the calls
 * that queue data.
 */
#include "receive.h"
#include "timers.h"

enum { WAKE_MAX = 128 };
static const unsigned SEND_FLAGS = HF_SEND_MORE | HF_SEND_URGENT;

/** The peer has let more out, if there is more: unsent, or lost. */
static void more_may_leave(struct hf_stack *s, struct hf_conn *c)
{
    if (hf_conn_has_unsent(c) || hf_conn_in_flight(c) > 0)
        hf_output_want(s, c);
}

/* ---- acknowledgments ---------------------------------------------------------------------- */

/** Something was sent again, and this echoes a time before. Either what was sent before came late,
 *  or its ACK was lost and the duplicate drew one that echoes it still [RFC7323#4.3]: then it would
 *  be the timeout that is measured, and the next one as long again. */
static bool may_measure_timeout(const struct hf_conn *c, const struct hf_flight *f,
                                const struct hf_segment *seg)
{
    if (f == NULL || !f->undo.sent)
        return false;
    uint32_t resent_ms = (uint32_t)(f->resent_at / HF_MS(1)) + c->ts_offset;
    return (f->undo.open && (int32_t)(seg->ts_echo - f->undo.first_ms) < 0) ||
           (c->rtx_count > 0 && (int32_t)(seg->ts_echo - resent_ms) < 0);
}

/** Time since the segment that this timestamp echoes; 0: no use. */
static hf_ns timestamp_rtt(const struct hf_stack *s, const struct hf_conn *c,
                           const struct hf_flight *f, const struct hf_segment *seg)
{
    if (!c->ts_on || seg->ts_echo == 0 /* or none came */ || may_measure_timeout(c, f, seg))
        return 0;
    int32_t ms = (int32_t)(hf_stack_timestamp(s, c->ts_offset) - seg->ts_echo);
    return ms < 0 || ms > 600000 ? 0 : hf_max_ns(HF_MS(ms), HF_MS(1));
}

/** Our SYN left once. If it crossed the peer's it left as SYN and as SYN,ACK, and nobody can tell
 *  which of them is acknowledged [MUST-18]. */
static bool may_time_syn(const struct hf_conn *c)
{
    bool crossed = !c->passive && c->state != HF_SYN_SENT;
    return c->syn_unacked && !c->syn_retransmitted && !crossed && c->rtx_timer == HF_RTX_SYN;
}

static void take_sample(struct hf_stack *s, struct hf_conn *c, enum hf_reason reason, hf_ns rtt_ns)
{
    struct hf_rtt_limits limits = hf_stack_rtt_limits(s);
    hf_rtt_sample(&c->rtt, &limits, rtt_ns, 1);
    hf_trace_conn(s, c, HF_TRACE_RTT, reason, rtt_ns, hf_rtt_rto_ns(&c->rtt), NULL);
}

/** An answer may come at once. */
static hf_ns timed_rtt(const struct hf_stack *s, const struct hf_flight *f)
{
    return hf_max_ns(s->p.now_ns - f->timed_at, 1);
}

static bool acks_timed(const struct hf_flight *f, const struct hf_segment *seg)
{
    return f->timed_at != HF_NEVER && hf_seq_ge(hf_seq_make(seg->ack), f->timed_seq);
}

/**
 * Takes a round-trip sample [RFC6298#3]. A timed segment gives the exact time; what was sent again
 * can only be judged by the timestamp it carried (Karn).
 */
static void sample_rtt(struct hf_stack *s, struct hf_conn *c, struct hf_flight *f,
                       const struct hf_segment *seg)
{
    enum hf_reason reason = HF_RTT_TIMED;
    hf_ns rtt_ns = 0;
    /* A window that stayed closed for longer than a timeout kept it waiting: no round trip. */
    if (c->snd_wnd == 0 && c->rtx_count > 0 && !c->syn_unacked) {
        if (f != NULL)
            f->timed_at = HF_NEVER;
        return;
    }
    if (may_time_syn(c)) /* it left one RTO before its deadline */
        rtt_ns = s->p.now_ns - (c->rtx_at - hf_rtt_rto_ns(&c->rtt));
    else if (f != NULL && acks_timed(f, seg))
        rtt_ns = timed_rtt(s, f);
    else if (c->syn_unacked || f == NULL || f->phase != HF_PHASE_OPEN || c->rtx_count > 0) {
        rtt_ns = timestamp_rtt(s, c, f, seg);
        reason = HF_RTT_TIMESTAMP;
    }
    if (f != NULL && f->timed_at != HF_NEVER && rtt_ns > 0)
        f->timed_at = HF_NEVER;
    if (rtt_ns > 0)
        take_sample(s, c, reason, rtt_ns);
}

static void free_acked(struct hf_stack *s, struct hf_conn *c, hf_seq ack, uint32_t acked_bytes)
{
    uint32_t count_before = c->snd_una.v - c->iss.v;
    hf_queue_drop(&s->blocks, &c->send, acked_bytes);
    c->snd_una = ack;
    if (ack.v - c->iss.v < count_before)
        c->snd_wraps++;
}

/** Moves SND.UNA and frees what lies before; returns how many data bytes that were. */
static uint32_t advance_una(struct hf_stack *s, struct hf_conn *c, hf_seq ack)
{
    uint32_t acked = ack.v - c->snd_una.v;
    if (c->syn_unacked) {
        c->syn_unacked = c->syn_due = false;
        if (c->syn_mtu > 0)
            c->path_mtu = (uint16_t)hf_min_u32(c->path_mtu, c->syn_mtu);
        c->max_acked = 0;
        acked--;
    }
    if (acked > c->send.bytes)
        acked--; /* the FIN */
    free_acked(s, c, ack, acked);
    return acked;
}

/** The largest packet that is known to have arrived is that of a full segment. */
static void note_full_sized(struct hf_conn *c, uint32_t acked_bytes)
{
    uint32_t mss = hf_conn_mss(c);
    if (acked_bytes < mss)
        return;
    uint32_t full = mss + (c->ts_on ? 12 : 0) + HF_TCP_HEADER_BYTES + hf_conn_ip_bytes(c);
    c->max_acked = (uint16_t)hf_max_u32(c->max_acked, full);
}

void hf_send_acked(struct hf_stack *s, struct hf_conn *c, const struct hf_segment *seg)
{
    bool was_syn = c->syn_unacked;
    hf_seq una_before = c->snd_una;
    uint32_t flight_before = hf_conn_in_flight(c);
    struct hf_flight *f = hf_flight_of(s, c);
    sample_rtt(s, c, f, seg);
    uint32_t acked = advance_una(s, c, hf_seq_make(seg->ack));
    if (f != NULL && f->pending_mtu > 0 && hf_seq_gt(c->snd_una, f->pending_seq))
        f->pending_mtu = 0; /* [RFC5927#7.2] what was said not to fit has arrived */
    note_full_sized(c, acked);
    if (c->urgent_out && hf_seq_ge(c->snd_una, c->snd_up)) {
        c->urgent_out = false;
        hf_round_begin(s, c);
    }
    if (c->snd_wnd > 0 || was_syn) /* else it counts probes, until the window opens */
        c->rtx_count = 0;
    c->progress = hf_stamp_make(s->p.now_ns);
    struct hf_ack a = {seg, una_before, flight_before, acked, false};
    hf_recovery_on_ack(s, c, f, &a);
    c->dup_acks = 0;
    if (was_syn && c->syn_retransmitted) {
        struct hf_rtt_limits limits = hf_stack_rtt_limits(s);
        hf_rtt_after_syn_retransmit(&c->rtt, &limits); /* [RFC6298#5.7] */
    }
    hf_loss_timer_on_ack(s, c, f);
    if (f != NULL)
        hf_conn_release_flight(s, c);
    bool only_syn = was_syn && hf_seq_eq(c->snd_una, hf_seq_add(una_before, 1));
    if (c->send.bytes == 0 && hf_conn_in_flight(c) == 0 && !only_syn)
        hf_conn_raise(s, c, HF_EV_SENT_ALL);
    hf_send_room(s, c);
    if (c->app_closed)
        hf_timer_orphan(s, c); /* it makes progress */
    more_may_leave(s, c);
}

void hf_send_acked_plain(struct hf_stack *s, struct hf_conn *c, struct hf_flight *f,
                         const struct hf_segment *seg)
{
    struct hf_ack a = {seg, c->snd_una, hf_conn_in_flight(c), seg->ack - c->snd_una.v, false};
    if (acks_timed(f, seg)) {
        take_sample(s, c, HF_RTT_TIMED, timed_rtt(s, f));
        f->timed_at = HF_NEVER;
    }
    free_acked(s, c, hf_seq_make(seg->ack), a.acked_bytes);
    note_full_sized(c, a.acked_bytes);
    c->progress = hf_stamp_make(s->p.now_ns);
    hf_recovery_on_plain_ack(s, c, f, &a);
    c->dup_acks = 0;
    hf_loss_timer_on_ack(s, c, f);
    if (hf_conn_in_flight(c) == 0) {
        hf_conn_release_flight(s, c);
        if (c->send.bytes == 0)
            hf_conn_raise(s, c, HF_EV_SENT_ALL);
    }
    more_may_leave(s, c);
}

void hf_send_window(struct hf_stack *s, struct hf_conn *c, const struct hf_arrival *in)
{
    const struct hf_segment *seg = in->seg;
    hf_seq seq = hf_arrival_last_seq(in), ack = hf_seq_make(seg->ack);
    /* DEVIATION D-41 from [RFC9293#3.10.7.4]: who acknowledges more spoke later, also where the
     * segment is one sent again. Its ACK moves the window; without its size the edge would move too
     * far. Among those that acknowledge as much it is the number that tells. */
    bool newest =
        hf_seq_gt(ack, c->snd_wl2) || (hf_seq_eq(ack, c->snd_wl2) && hf_seq_ge(seq, c->snd_wl1));
    if (!newest || hf_seq_lt(ack, c->snd_una))
        return;
    uint32_t wnd = (uint32_t)seg->window << c->snd_shift; /* [MUST-1] [REC-1] */
    hf_seq old_edge = hf_seq_add(c->snd_wl2, c->snd_wnd);
    /* Left by less than a unit is the peer's rounding [RFC7323#2.4]. More is endured [MUST-34]. */
    if (hf_seq_diff(hf_seq_add(ack, wnd), old_edge) <= -(int32_t)(1u << c->snd_shift))
        hf_trace_conn(s, c, HF_TRACE_WINDOW, HF_WINDOW_PEER_SHRANK, wnd, 0, seg);
    if (wnd == 0 && c->snd_wnd > 0) {
        hf_trace_conn(s, c, HF_TRACE_WINDOW, HF_WINDOW_PEER_CLOSED, 0, 0, seg);
        c->rtx_count = 0; /* from here on it counts probes */
    }
    bool opens = wnd > 0 && c->snd_wnd == 0;
    bool moves = wnd != c->snd_wnd || !hf_seq_eq(ack, c->snd_wl2);
    c->snd_wnd = wnd;
    c->snd_wl1 = seq;
    c->snd_wl2 = ack;
    c->max_snd_wnd = hf_max_u32(c->max_snd_wnd, wnd);
    if (opens) {
        hf_trace_conn(s, c, HF_TRACE_WINDOW, HF_WINDOW_PEER_OPENED, wnd, 0, seg);
        /* What is in flight was sent into the closed window, and is gone if its time ran out there.
         * A window that only flaps is no sign of that: it may not draw all of it each time.
         * DEVIATION D-34 */
        bool timed_out = c->rtx_count > 0;
        c->rtx_count = 0;
        c->probe_due = false;
        if (c->rtx_timer == HF_RTX_PERSIST)
            hf_timer_idle(s, c);
        if (timed_out && hf_conn_in_flight(c) > 0 && !c->syn_unacked) {
            hf_recovery_resend_all(s, c, HF_RETRANSMIT_RTO);
            hf_loss_timer_on_ack(s, c,
                                 hf_flight_of(s, c)); /* the deadline was that of the next probe */
        }
    }
    if (moves)
        more_may_leave(s, c);
}

/* ---- writing ------------------------------------------------------------------------------ */

/** Room for `wanted` bytes, or as much as there is: the buffer's growth is asked for only if it
 *  matters. */
static uint32_t send_room(const struct hf_stack *s, const struct hf_conn *c, size_t wanted)
{
    uint32_t limit = c->options.send_buffer_bytes;
    if (c->send.bytes + wanted > limit)
        limit = hf_send_limit(s, c);
    return hf_rest_u32(limit, c->send.bytes);
}

/** 0, or why nothing can be written. */
static int why_not_send(const struct hf_conn *c)
{
    if (c->how != HF_CLOSED_NOT)
        return hf_closed_err((enum hf_closed)c->how);
    if (c->fin_queued) /* by hf_shutdown or hf_close */
        return HF_E_CLOSING;
    return HF_OK;
}

/*
 * Those who wait for blocks are woken in rounds: each is tried once, in the order in which they
 * came, and the next round begins when blocks were taken or given back since this one did, or when
 * one of them tries again to write. So nobody is passed over, however many of those before it do
 * not use the room they heard of; and where blocks can't be had although the budget has some (the
 * allocator is dry) it ends after one, however often they try.
 *
 * A call wakes no more than there are blocks for, and none when the application has events to pull
 * yet unless something else happened: who is woken first would take what is there for all.
 */
static bool round_is_due(const struct hf_stack *s)
{
    bool again = s->p.round.again && !s->p.round.dry;
    return again || s->p.round.turnover != s->blocks.turnover;
}

/** There is more than a segment for any window: whoever is tried hears of it and leaves the list,
 *  so that no list is gone through in vain. */
static bool windows_may_open(const struct hf_stack *s)
{
    return hf_blocks_window_bytes(&s->blocks) >= 2 * (uint32_t)s->p.cfg.mtu_bytes;
}

bool hf_wake_is_due(const struct hf_stack *s)
{
    if (s->p.waiting.count == 0 || s->p.ready.head != HF_NIL)
        return false;
    if (s->p.round.left == 0 && !round_is_due(s))
        return false;
    return (s->p.round.writers && hf_blocks_may_send(&s->blocks)) || windows_may_open(s);
}

static void begin_round(struct hf_stack *s)
{
    s->p.round = (struct hf_wake_round){
        .turnover = s->blocks.turnover,
        .left = s->p.waiting.count,
        .writers = s->p.round.writers_met, /* in the last one: else there are none */
    };
}

static void note_writer(struct hf_stack *s)
{
    s->p.round.writers = s->p.round.writers_met = true;
}

/** Its turn to have a block comes yet. Who was told of room, and waits on for its window to open,
 *  has had it. */
static bool awaits_turn(const struct hf_conn *c)
{
    return hf_list_has(&c->waiting, c->index) && !c->has_turn;
}

void hf_send_tell_room(struct hf_stack *s, struct hf_conn *c)
{
    uint32_t mark = hf_max_u32(c->options.send_low_water_bytes, 1);
    mark = hf_min_u32(mark, c->options.send_buffer_bytes);
    if (send_room(s, c, mark) < mark)
        return;
    if (hf_queue_tail_room(&s->blocks, &c->send) == 0 &&
        (awaits_turn(c) || !hf_blocks_may_send(&s->blocks))) {
        note_writer(s);
        hf_list_push(&s->p.waiting, &s->conns, HF_LIST_WAITING, c->index);
        return;
    }
    c->wants_room = false;
    hf_conn_raise(s, c, HF_EV_WRITABLE);
}

/** The turn of the connection that has waited longest: it leaves the list, or goes to the end if
 *  there is not all of what it waits for: room to write, more of a window, or both. */
static void take_turn(struct hf_stack *s)
{
    uint32_t index = s->p.waiting.head;
    struct hf_conn *c = hf_conn_at(s, index);
    bool room = c->wants_room && hf_blocks_may_send(&s->blocks);
    if (c->wants_room)
        note_writer(s);
    hf_list_remove(&s->p.waiting, &s->conns, HF_LIST_WAITING, index);
    if (room)
        hf_send_room(s, c);
    else if (c->wants_room)
        hf_list_push(&s->p.waiting, &s->conns, HF_LIST_WAITING, index);
    hf_receive_reopen(s, c);
    if (room)
        c->has_turn = hf_list_has(&c->waiting, index);
}

void hf_wake_some(struct hf_stack *s)
{
    if (s->p.round.left == 0 && round_is_due(s))
        begin_round(s);
    /* Windows were all looked at, and no block has moved since. Writers are tried again: the
     * allocator may have what it had not. */
    if (s->p.round.left == 0 && !s->p.round.writers)
        return;
    uint32_t turns = hf_min_u32(s->p.waiting.count, WAKE_MAX);
    uint32_t blocks = s->blocks.pool.limit - s->blocks.pool.used;
    for (; turns > 0 && blocks > 0; turns--, blocks--) {
        take_turn(s);
        s->p.round.left -= s->p.round.left > 0;
    }
}

/** Room at the end of the send queue: in the last block, or in a new one. */
struct room {
    uint8_t *bytes; /**< NULL: there is none */
    uint32_t length_bytes;
    uint32_t ref; /**< of the new block, or HF_NIL */
    struct hf_block *block;
};

static inline struct room end_of_queue(struct hf_stack *s, struct hf_conn *c)
{
    struct room r = {.ref = HF_NIL, .length_bytes = hf_queue_tail_room(&s->blocks, &c->send)};
    if (r.length_bytes > 0) {
        r.bytes = hf_queue_end(&s->blocks, &c->send);
        return r;
    }
    /* While others wait for blocks it is one a turn: whoever has some would keep them all. */
    if (awaits_turn(c)) {
        s->p.round.again = true; /* it may have had its turn for other reasons than this */
        return r;
    }
    c->has_turn = false;
    r.ref = hf_blocks_take_at(&s->blocks, HF_BLOCK_SEND, &r.block);
    if (r.ref == HF_NIL) {
        s->p.round.dry |= hf_blocks_may_send(&s->blocks);
        return r;
    }
    if (s->p.waiting.head != HF_NIL)
        hf_list_push_conn(&s->p.waiting, &s->conns, HF_LIST_WAITING, c);
    r.bytes = r.block->data;
    r.length_bytes = s->blocks.block_bytes;
    return r;
}

/** n bytes were written there. */
static inline void append(struct hf_stack *s, struct hf_conn *c, const struct room *r, uint32_t n)
{
    if (r->ref != HF_NIL)
        hf_queue_link_at(&s->blocks, &c->send, r->ref, r->block, 0, n);
    else
        c->send.bytes += n;
}

/** No room: the writable event comes when there is some. */
static int64_t full(struct hf_stack *s, struct hf_conn *c)
{
    c->wants_room = true;
    if (send_room(s, c, 1) > 0) {
        hf_trace_conn(s, c, HF_TRACE_LIMIT, HF_LIMIT_POOL, s->blocks.pool.used,
                      s->blocks.pool.limit, NULL);
        note_writer(s);
        hf_list_push(&s->p.waiting, &s->conns, HF_LIST_WAITING, c->index);
        /* With the allocator at its end no block need ever come back to wake us: look again. */
        hf_ns again = hf_ns_add(s->p.now_ns, s->p.cfg.sws_override_ns);
        bool idle =
            c->rtx_timer == HF_RTX_OFF || (c->rtx_timer == HF_RTX_KEEPALIVE && c->probe_count == 0);
        if (idle && c->rtx_at > again)
            hf_timer_rtx(s, c, HF_RTX_OVERRIDE, again);
    }
    return HF_E_AGAIN;
}

static void written(struct hf_stack *s, struct hf_conn *c, unsigned flags)
{
    c->more_coming = (flags & HF_SEND_MORE) != 0;
    if ((flags & HF_SEND_URGENT) != 0) {
        c->snd_up = hf_conn_data_end(c); /* [MUST-62] [MUST-31] after the last one, however many */
        c->urgent_out = true;
    }
    if (hf_conn_is_synchronized(c))
        hf_output_want(s, c);
}

/* [RFC9293#3.10.2]; what short writes leave behind is joined [MAY-16] [SHLD-27]. */
int64_t hf_send(struct hf_stack *s, hf_handle h, const void *bytes, size_t length_bytes,
                unsigned flags, hf_ns now)
{
    hf_stack_end_loans(s);
    hf_stack_set_now(s, now);
    struct hf_conn *c = hf_conn_find(s, h);
    if (c == NULL)
        return HF_E_HANDLE;
    int why = why_not_send(c);
    if (why != HF_OK)
        return why;
    if (length_bytes == 0 || (flags & ~SEND_FLAGS) != 0)
        return HF_E_INVALID;
    const uint8_t *from = bytes;
    uint32_t left = (uint32_t)hf_min_size(length_bytes, send_room(s, c, length_bytes)),
             wanted = left;
    while (left > 0) {
        struct room room = end_of_queue(s, c);
        if (room.bytes == NULL)
            break;
        uint32_t n = hf_min_u32(left, room.length_bytes);
        memcpy(room.bytes, from, n);
        append(s, c, &room, n);
        from += n;
        left -= n;
    }
    if (wanted == left)
        return full(s, c);
    if (wanted - left < length_bytes)
        full(s, c); /* a short count says as much as HF_E_AGAIN */
    written(s, c, flags);
    return wanted - left;
}

int64_t hf_send_reserve(struct hf_stack *s, hf_handle h, void **room, hf_ns now)
{
    hf_stack_end_loans(s);
    hf_stack_set_now(s, now);
    struct hf_conn *c = hf_conn_of(s, h);
    if (c == NULL)
        return HF_E_HANDLE;
    int why = why_not_send(c);
    if (why != HF_OK)
        return why;
    uint32_t limit = send_room(s, c, s->blocks.block_bytes);
    struct room end = {.ref = HF_NIL};
    if (limit > 0)
        end = end_of_queue(s, c);
    if (end.bytes == NULL)
        return full(s, c);
    *room = end.bytes;
    s->reserved_conn = c->index;
    s->reserved_block = end.ref;
    s->reserved_bytes = hf_min_u32(end.length_bytes, limit);
    return s->reserved_bytes;
}

int hf_send_commit(struct hf_stack *s, hf_handle h, size_t length_bytes, unsigned flags, hf_ns now)
{
    uint32_t block = s->reserved_block, reserved_conn = s->reserved_conn;
    s->reserved_conn = s->reserved_block = HF_NIL;
    hf_stack_end_loans(s);
    hf_stack_set_now(s, now);
    struct hf_conn *c = hf_conn_of(s, h);
    int err = c == NULL ? HF_E_HANDLE : why_not_send(c);
    if (err == HF_OK && reserved_conn != c->index)
        err = HF_E_STATE; /* nothing was reserved for this connection */
    if (err == HF_OK && length_bytes > s->reserved_bytes)
        err = HF_E_INVALID;
    if (err != HF_OK || length_bytes == 0) {
        if (block != HF_NIL)
            hf_blocks_give(&s->blocks, block);
        return err;
    }
    if (block != HF_NIL)
        hf_queue_link(&s->blocks, &c->send, block, 0, (uint32_t)length_bytes);
    else
        c->send.bytes += (uint32_t)length_bytes;
    written(s, c, flags);
    return HF_OK;
}
