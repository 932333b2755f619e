/**
 * The receiving half of a connection: text and FIN of acceptable segments, when to acknowledge
 * them, the window, and the calls that read.
 */
#include "receive.h"
#include "timers.h"

/* ---- the window --------------------------------------------------------------------------- */

/** How far the window could reach from RCV.NXT with all of the pool for it. */
static uint32_t window_wanted(const struct hf_conn *c)
{
    uint32_t room = hf_rest_u32(c->options.receive_buffer_bytes, c->receive.bytes);
    if (c->receive.bytes == 0) /* a buffer below the window's unit could never be told of */
        room = hf_max_u32(room, 1u << c->rcv_shift);
    return hf_min_u32(room, (uint32_t)UINT16_MAX << c->rcv_shift);
}

/** How far it may reach: no further than a share of the pool. */
static uint32_t window_target(const struct hf_stack *s, const struct hf_conn *c)
{
    return hf_min_u32(window_wanted(c), hf_blocks_window_bytes(&s->blocks));
}

/** [MUST-39] the right edge moves by a segment or half the buffer at least, or not at all. */
static bool is_worth_opening(const struct hf_stack *s, const struct hf_conn *c, uint32_t target)
{
    uint32_t wnd = hf_conn_rcv_wnd(c);
    if (target <= wnd)
        return false;
    return target - wnd >= c->options.receive_buffer_bytes / 2 ||
           target - wnd >= hf_stack_own_mss(s, &c->remote, 0);
}

/** The window is closed to the peer, or not open for a segment, which is as good as closed. */
static bool peer_is_stopped(const struct hf_conn *c)
{
    uint32_t wnd = hf_conn_rcv_wnd(c);
    return wnd >> c->rcv_shift == 0 || wnd < c->rcv_mss;
}

/** Would the window open enough to tell the peer now? [MUST-39] */
static bool should_update(const struct hf_stack *s, const struct hf_conn *c)
{
    if (c->peer_fin || c->syn_unacked)
        return false;
    uint32_t target = window_target(s, c);
    if (!is_worth_opening(s, c, target))
        return false;
    /* Worth a segment of its own when the peer was stopped, or half the buffer became free. */
    return peer_is_stopped(c) || target - hf_conn_rcv_wnd(c) >= c->options.receive_buffer_bytes / 2;
}

/** The peer is stopped: if by the pool alone, not by its reader, it hears when blocks come back. */
static void wait_if_by_pool(struct hf_stack *s, struct hf_conn *c)
{
    if (!c->peer_fin && window_wanted(c) > hf_blocks_window_bytes(&s->blocks))
        hf_list_push(&s->p.waiting, &s->conns, HF_LIST_WAITING, c->index);
}

/** It is more than half open already: nothing that it could open by is worth telling, and nothing
 *  that it could wait for. */
static bool is_wide_open(const struct hf_conn *c)
{
    uint32_t buffer_bytes = c->options.receive_buffer_bytes;
    return hf_conn_rcv_wnd(c) > buffer_bytes - buffer_bytes / 2 && !peer_is_stopped(c);
}

/** Out of line: most readers keep it open. */
__attribute__((noinline)) static void reopen(struct hf_stack *s, struct hf_conn *c)
{
    if (should_update(s, c))
        hf_output_ack_now(s, c, HF_ACK_WINDOW_UPDATE);
    else if (peer_is_stopped(c))
        wait_if_by_pool(s, c);
}

/** How far the window reaches when a segment leaves that tells of it. */
static uint32_t window_to_tell(const struct hf_stack *s, const struct hf_conn *c)
{
    uint32_t wnd = hf_conn_rcv_wnd(c), target = window_target(s, c);
    if (c->peer_fin)
        return wnd;
    if (c->syn_unacked) /* the SYN,ACK may have to be repeated, and can't say more: not scaled */
        target = hf_min_u32(target, wnd);
    if (is_worth_opening(s, c, target))
        wnd = target; /* [SHLD-14] never to the left */
    /* Rounding down moves the announced edge left by less than a unit of the window [RFC7323#2.4];
     * with room to spare it is rounded up instead. DEVIATION D-14. */
    uint32_t below_unit = (1u << c->rcv_shift) - 1;
    uint32_t up = (wnd + below_unit) & ~below_unit;
    return up <= target ? up : wnd;
}

/** Out of line: it happens to a reader that is slow. */
__attribute__((noinline)) static void set_window_closed(struct hf_stack *s, struct hf_conn *c,
                                                        bool closed)
{
    if (closed)
        hf_trace_conn(s, c, HF_TRACE_WINDOW, HF_WINDOW_CLOSED, 0, 0, NULL);
    else
        hf_trace_conn(s, c, HF_TRACE_WINDOW, HF_WINDOW_OPENED, hf_conn_rcv_wnd(c), 0, NULL);
    c->window_closed = closed;
}

void hf_receive_reopen(struct hf_stack *s, struct hf_conn *c)
{
    if (!is_wide_open(c))
        reopen(s, c);
}

uint16_t hf_receive_window(struct hf_stack *s, struct hf_conn *c)
{
    uint32_t wnd = window_to_tell(s, c), field = wnd >> c->rcv_shift;
    c->rcv_adv = hf_seq_add(c->rcv_nxt, wnd);
    bool closed = field == 0 && !c->peer_fin;
    if (closed != c->window_closed)
        set_window_closed(s, c, closed);
    /* Not only when it closes: what was to open it may have come to nothing by the time it left. */
    if (peer_is_stopped(c))
        wait_if_by_pool(s, c);
    return (uint16_t)hf_min_u32(field, UINT16_MAX);
}

/* ---- storing ------------------------------------------------------------------------------ */

/** A block for the next byte in order: one that holds later data already, a new one, or one freed
 *  by giving up out-of-order data. */
static uint32_t next_block(struct hf_stack *s, struct hf_conn *c)
{
    uint32_t ref = hf_gaps_exist(s, c) ? hf_gaps_take_next(s, c) : HF_NIL;
    if (ref == HF_NIL)
        ref = hf_blocks_take(&s->blocks, HF_BLOCK_IN_ORDER);
    if (ref == HF_NIL && hf_gaps_reclaim(s, c))
        ref = hf_blocks_take(&s->blocks, HF_BLOCK_IN_ORDER);
    return ref;
}

static void advance(struct hf_conn *c, uint32_t n)
{
    uint32_t before = c->rcv_nxt.v - c->irs.v;
    c->rcv_nxt = hf_seq_add(c->rcv_nxt, n);
    if (c->rcv_nxt.v - c->irs.v < before)
        c->rcv_wraps++;
}

uint32_t hf_receive_link(struct hf_stack *s, struct hf_conn *c, uint32_t block, uint32_t n)
{
    uint32_t begin = hf_receive_begin(s, c);
    n = hf_min_u32(n, s->blocks.block_bytes - begin);
    hf_queue_link(&s->blocks, &c->receive, block, begin, n);
    advance(c, n);
    return n;
}

uint32_t hf_receive_extend(struct hf_stack *s, struct hf_conn *c, uint32_t n)
{
    n = hf_min_u32(n, hf_queue_tail_room(&s->blocks, &c->receive));
    c->receive.bytes += n;
    advance(c, n);
    return n;
}

/** Appends data in order; returns how much found room. What was kept beyond a gap and comes again
 *  is overwritten: until it is in order, the latest copy counts. */
static uint32_t append(struct hf_stack *s, struct hf_conn *c, const uint8_t *bytes, uint32_t n)
{
    uint32_t done = 0;
    while (done < n) {
        uint32_t room = hf_queue_tail_room(&s->blocks, &c->receive);
        if (room > 0) {
            uint32_t k = hf_min_u32(room, n - done);
            memcpy(hf_queue_end(&s->blocks, &c->receive), bytes + done, k);
            done += hf_receive_extend(s, c, k);
            continue;
        }
        uint32_t block = next_block(s, c);
        if (block == HF_NIL)
            break;
        uint32_t begin = hf_receive_begin(s, c);
        uint32_t k = hf_min_u32(s->blocks.block_bytes - begin, n - done);
        memcpy(hf_block_at(&s->blocks, block)->data + begin, bytes + done, k);
        done += hf_receive_link(s, c, block, k);
    }
    return done;
}

/* ---- acknowledging ------------------------------------------------------------------------ */

/** An ACK waits for the next segment, whatever its size, or this super-packet holds that too. */
static bool is_second(const struct hf_conn *c, const struct hf_arrival *in)
{
    return c->ack_at != HF_NEVER || in->seg->payload_bytes > in->full_sized;
}

/** When data in order is acknowledged [RFC9293#3.8.6.3] [RFC5681#4.2]: delayed [SHLD-18], but every
 *  second full segment at once [SHLD-19], and what fills a gap or comes with old data: at_once. The
 *  ACK itself leaves when output is asked for, so one stands for all that came in before [MUST-58]
 *  [MUST-59]. */
static void acknowledge(struct hf_stack *s, struct hf_conn *c, const struct hf_arrival *in,
                        enum hf_reason at_once)
{
    c->rcv_mss = (uint16_t)hf_max_u32(c->rcv_mss, in->full_sized);
    uint32_t owed = c->rcv_nxt.v - c->last_ack_sent.v;
    if (at_once != HF_NONE) {
        hf_output_ack_now(s, c, at_once);
    } else if (c->quick_acks > 0) {
        c->quick_acks--;
        hf_output_ack_now(s, c, HF_ACK_QUICK);
    } else if (owed >= (uint32_t)s->p.cfg.delayed_ack_segs * c->rcv_mss ||
               (s->p.cfg.delayed_ack_any_size == 1 && is_second(c, in))) {
        hf_output_ack_now(s, c, HF_ACK_EVERY_SECOND);
    } else if (c->ack_at == HF_NEVER) {
        hf_timer_ack(s, c, hf_ns_add(s->p.now_ns, s->p.cfg.delayed_ack_ns));
    }
}

void hf_receive_tell(struct hf_stack *s, struct hf_conn *c)
{
    uint32_t mark =
        hf_min_u32(c->options.receive_low_water_bytes, c->options.receive_buffer_bytes / 2u);
    if (c->receive.bytes >= mark || hf_conn_rcv_wnd(c) == 0)
        hf_conn_raise(s, c, HF_EV_READABLE);
}

void hf_receive_took(struct hf_stack *s, struct hf_conn *c, const struct hf_arrival *in,
                     enum hf_reason at_once)
{
    hf_round_on_arrival(s, c, in->seg);
    acknowledge(s, c, in, at_once);
    hf_receive_tell(s, c);
}

/* ---- text and FIN ------------------------------------------------------------------------- */

/** [RFC9293#3.10.7.4] eighth check: the FIN is the next octet in order. A repeated one lies left of
 *  the window and ends at the first check. */
static void take_fin(struct hf_stack *s, struct hf_conn *c)
{
    if (c->urgent_in) { /* nothing can be urgent behind the end */
        c->rcv_up = hf_seq_min(c->rcv_up, c->rcv_nxt);
        c->urgent_in = hf_seq_gt(c->rcv_up, hf_receive_unread(c));
    }
    advance(c, 1);
    c->peer_fin = true;
    hf_gaps_drop(s, c); /* what was said to lie beyond is no part of the stream */
    hf_output_ack_now(s, c, HF_ACK_FIN);
    hf_conn_raise(s, c, HF_EV_PEER_CLOSED | HF_EV_READABLE);
    switch ((enum hf_state)c->state) {
    case HF_SYN_RCVD:
    case HF_ESTABLISHED: hf_conn_set_state(s, c, HF_CLOSE_WAIT, HF_WHY_FIN); return;
    case HF_FIN_WAIT_1: hf_conn_set_state(s, c, HF_CLOSING, HF_WHY_FIN); return;
    case HF_FIN_WAIT_2: hf_time_wait_enter(s, c, HF_WHY_FIN); return;
    case HF_CLOSED:
    case HF_LISTEN:
    case HF_SYN_SENT:
    case HF_CLOSE_WAIT:
    case HF_CLOSING:
    case HF_LAST_ACK:
    case HF_TIME_WAIT: break;
    }
    HF_UNREACHABLE("take_fin: no FIN can be in order in this state");
}

/** What is left of a segment after trimming to what is new and in the window. */
struct text {
    hf_seq seq;
    const uint8_t *bytes;
    uint32_t n;
    bool fin;
    bool again; /**< it began with what was in order before */
};

static struct text trim(const struct hf_conn *c, const struct hf_arrival *in)
{
    const struct hf_segment *seg = in->seg;
    struct text t = {
        .seq = hf_seq_add(hf_seq_make(seg->seq), (seg->flags & HF_SYN) != 0),
        .bytes = in->payload,
        .n = seg->payload_bytes,
        .fin = (seg->flags & HF_FIN) != 0,
    };
    if (hf_seq_lt(t.seq, c->rcv_nxt)) { /* [UN-11] */
        uint32_t old = hf_min_u32(c->rcv_nxt.v - t.seq.v, t.n);
        t.seq = hf_seq_add(t.seq, old);
        t.bytes += old;
        t.n -= old;
        t.again = true;
    }
    uint32_t room = hf_seq_gt(c->rcv_adv, t.seq) ? c->rcv_adv.v - t.seq.v : 0;
    t.fin = t.fin && t.n < room; /* the FIN stands behind the text and takes a number too */
    t.n = hf_min_u32(t.n, room);
    return t;
}

/** True, and not again, when a FIN that came too early is the next octet now. */
static bool fin_is_next(struct hf_stack *s, struct hf_conn *c, struct hf_flight *f,
                        const struct hf_segment *seg)
{
    if (!f->fin_waits || hf_seq_gt(f->fin_seq, c->rcv_nxt))
        return false;
    f->fin_waits = false;
    if (hf_seq_eq(f->fin_seq, c->rcv_nxt))
        return true;
    hf_drop(s, c, HF_DROP_AFTER_FIN, seg); /* the peer went on behind it: it was no end */
    return false;
}

/** Text that came before, as far as it is in the window or before it. Out of line: it is rare. */
__attribute__((noinline)) static void note_twice(struct hf_stack *s, struct hf_conn *c,
                                                 const struct hf_arrival *in)
{
    const struct hf_segment *seg = in->seg;
    hf_seq seq = hf_seq_add(hf_seq_make(seg->seq), (seg->flags & HF_SYN) != 0);
    hf_twice_note(s, c, seq, seg->payload_bytes);
}

static void take_in_order(struct hf_stack *s, struct hf_conn *c, const struct hf_arrival *in,
                          const struct text *t)
{
    bool had_gap = hf_gaps_exist(s, c);
    if (had_gap && !t->again)
        note_twice(s, c, in);
    uint32_t stored = append(s, c, t->bytes, t->n);
    if (had_gap)
        hf_gaps_merge(s, c);
    if (stored < t->n) {
        hf_drop(s, c, HF_DROP_NO_BLOCK, in->seg);
        hf_output_ack_now(s, c, HF_NONE);
    }
    /* Who sends old data again waits for an ACK of it. */
    enum hf_reason at_once = had_gap ? HF_ACK_GAP_FILLED : t->again ? HF_ACK_DUPLICATE : HF_NONE;
    if (t->n > 0)
        hf_receive_took(s, c, in, at_once);
    bool fin = t->fin && hf_seq_eq(c->rcv_nxt, hf_seq_add(t->seq, t->n));
    struct hf_flight *f = hf_flight_of(s, c);
    if (f != NULL && fin_is_next(s, c, f, in->seg))
        fin = true;
    if (fin)
        take_fin(s, c);
    hf_conn_release_flight(s, c);
}

static void keep(struct hf_stack *s, struct hf_conn *c, const struct hf_arrival *in,
                 const struct text *t)
{
    enum hf_reason refused = t->n > 0 ? hf_gaps_add(s, c, t->seq, t->bytes, t->n) : HF_NONE;
    if (refused != HF_NONE) /* else it is kept [SHLD-31] */
        hf_drop(s, c, refused, in->seg);
    if (t->fin) {
        struct hf_flight *f = hf_conn_need_flight(s, c);
        if (f != NULL) {
            f->fin_waits = true;
            f->fin_seq = hf_seq_add(t->seq, t->n);
        } else if (refused == HF_NONE) {
            hf_drop(s, c, HF_DROP_NO_BLOCK, in->seg);
        }
    }
}

void hf_receive_keep(struct hf_stack *s, struct hf_conn *c, const struct hf_arrival *in)
{
    struct text t = trim(c, in);
    keep(s, c, in, &t);
}

void hf_receive_kept(struct hf_stack *s, struct hf_conn *c, const struct hf_segment *seg)
{
    if (c->app_closed) /* the peer sends it again, and hears then that nobody reads */
        hf_gaps_drop(s, c);
    if (hf_gaps_exist(s, c)) {
        hf_gaps_merge(s, c);
        hf_output_ack_now(s, c, HF_ACK_GAP_FILLED);
        hf_receive_tell(s, c);
    }
    if (fin_is_next(s, c, hf_flight_of(s, c), seg))
        take_fin(s, c);
    hf_conn_release_flight(s, c);
}

/** [RFC5681#4.2] Without SACK it is their number that tells of a loss: one for each segment, and
 *  none of them with data. */
static void acknowledge_each(struct hf_stack *s, struct hf_conn *c, const struct hf_arrival *in)
{
    uint32_t left_bytes = in->seg->payload_bytes;
    do {
        if (!hf_output_ack_apart(s, c)) {
            hf_output_ack_now(s, c, HF_NONE);
            return;
        }
        left_bytes = hf_rest_u32(left_bytes, in->full_sized);
    } while (left_bytes > 0);
}

static void take_out_of_order(struct hf_stack *s, struct hf_conn *c, const struct hf_arrival *in,
                              const struct text *t)
{
    /* What is due already could not tell of this too. */
    if (c->ack_due && (!c->sack_on || hf_gaps_untold(s, c)))
        (void)hf_output_ack_apart(s, c);
    note_twice(s, c, in);
    keep(s, c, in, t);
    hf_output_ack_now(s, c, HF_ACK_OUT_OF_ORDER); /* [RFC5681#4.2] at once */
    if (!c->sack_on)
        acknowledge_each(s, c, in);
}

void hf_receive_text(struct hf_stack *s, struct hf_conn *c, const struct hf_arrival *in)
{
    struct text t = trim(c, in);
    bool had_text = in->seg->payload_bytes > 0 || (in->seg->flags & HF_FIN) != 0;
    if (!had_text)
        return;
    if (c->peer_fin) { /* CLOSE-WAIT, CLOSING, LAST-ACK: nothing can follow a FIN */
        if (t.n > 0 || t.fin)
            hf_drop(s, c, HF_DROP_AFTER_FIN, in->seg);
        /* [RFC9293#3.10.7.4] eighth step: a FIN is acknowledged, also one at a wrong place. */
        if (t.fin && hf_conn_may_challenge(s, c))
            hf_output_ack_now(s, c, HF_ACK_FIN);
        return;
    }
    if (t.n > 0 && c->app_closed) { /* [SHLD-3] the data is lost, and the peer must know */
        hf_conn_reset_peer(s, c, HF_CLOSED_DATA_LOST, HF_WHY_DATA_AFTER_CLOSE,
                           HF_RST_DATA_AFTER_CLOSE);
        return;
    }
    if (t.again)
        note_twice(s, c, in);
    if (t.n == 0 && !t.fin) { /* a probe of our closed window [UN-10], or nothing new after all */
        hf_output_ack_now(s, c, HF_ACK_ZERO_WINDOW_PROBE);
        return;
    }
    if (hf_seq_eq(t.seq, c->rcv_nxt))
        take_in_order(s, c, in, &t);
    else /* beyond it: what reached RCV.NXT and lay before was cut off */
        take_out_of_order(s, c, in, &t);
}

/* ---- reading ------------------------------------------------------------------------------ */

/** HF_OK when there is something to read, else why not: the end by FIN is told from the one by RST
 *  [MUST-12]. */
static int why_not_receive(const struct hf_conn *c)
{
    if (c->receive.bytes > 0)
        return HF_OK;
    if (c->peer_fin)
        return HF_E_END;
    if (c->how != HF_CLOSED_NOT)
        return hf_closed_err((enum hf_closed)c->how);
    return c->app_closed ? HF_E_CLOSING : HF_E_AGAIN;
}

static inline void consume(struct hf_stack *s, struct hf_conn *c, uint32_t n)
{
    if (n == c->receive.bytes && hf_gaps_exist(s, c)) {
        /* The last block may hold data from beyond the gap already. */
        uint32_t kept = hf_queue_drain(&s->blocks, &c->receive);
        if (kept != HF_NIL)
            hf_gaps_keep(s, c, kept);
    } else {
        hf_queue_drop(&s->blocks, &c->receive, n);
    }
    if (c->urgent_in && hf_seq_ge(hf_receive_unread(c), c->rcv_up)) {
        c->urgent_in = false;
        hf_round_begin(s, c);
    }
    hf_receive_tune(s, c);
    if (c->how == HF_CLOSED_NOT && !is_wide_open(c))
        reopen(s, c);
    hf_wake_waiting(s);
}

int64_t hf_receive_peek(struct hf_stack *s, hf_handle h, struct hf_slice *slices, size_t max,
                        size_t *count)
{
    hf_stack_end_loans(s);
    const struct hf_conn *c = hf_conn_of(s, h);
    if (c == NULL)
        return HF_E_HANDLE;
    int why = why_not_receive(c);
    if (why != HF_OK)
        return why;
    uint32_t taken;
    *count = hf_place_slices(&s->blocks, hf_queue_front(&c->receive), c->receive.bytes, slices, max,
                             &taken);
    return taken;
}

int hf_receive_consume(struct hf_stack *s, hf_handle h, size_t length_bytes, hf_ns now)
{
    hf_stack_end_loans(s);
    hf_stack_set_now(s, now);
    struct hf_conn *c = hf_conn_of(s, h);
    if (c == NULL)
        return HF_E_HANDLE;
    if (length_bytes > c->receive.bytes)
        return HF_E_INVALID;
    if (length_bytes > 0)
        consume(s, c, (uint32_t)length_bytes);
    return HF_OK;
}

/* [RFC9293#3.10.3] */
int64_t hf_receive(struct hf_stack *s, hf_handle h, void *bytes, size_t length_bytes, hf_ns now)
{
    hf_stack_end_loans(s);
    hf_stack_set_now(s, now);
    struct hf_conn *c = hf_conn_find(s, h);
    if (c == NULL)
        return HF_E_HANDLE;
    if (length_bytes == 0)
        return HF_E_INVALID;
    int why = why_not_receive(c);
    if (why != HF_OK)
        return why;
    uint32_t wanted = (uint32_t)hf_min_size(length_bytes, c->receive.bytes), done = 0;
    uint8_t *to = bytes;
    struct hf_place from = hf_queue_front(&c->receive);
    while (done < wanted) {
        struct hf_slice slice = hf_place_slice(&s->blocks, from, wanted - done);
        memcpy(to + done, slice.bytes, slice.length_bytes);
        done += (uint32_t)slice.length_bytes;
        from = hf_place_advance(&s->blocks, from, (uint32_t)slice.length_bytes);
    }
    consume(s, c, done);
    return done;
}
