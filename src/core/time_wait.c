/**
 * TIME-WAIT: 64 bytes that keep the old connection's sequence numbers for twice the maximum segment
 * lifetime, acknowledge the peer's FIN again if our last ACK was lost, and tell a new connection's
 * SYN from an old duplicate [RFC9293#3.6.1] [RFC6191] [RFC1337].
 *
 * What a segment means here is judged in one place (`judge`, `take_opening`), for entries and for
 * the rare connection that found no memory for one and waits itself.
 */
#include "timers.h"
#include "tuples.h"

static struct hf_endpoint local_of(const struct hf_stack *s, const struct hf_time_wait *t)
{
    return (struct hf_endpoint){*hf_local_addr(s, t->local), t->local_port};
}

static struct hf_endpoint remote_of(const struct hf_time_wait *t)
{
    return (struct hf_endpoint){t->remote, t->remote_port};
}

static uint32_t hash_of(const struct hf_stack *s, const struct hf_time_wait *t)
{
    struct hf_endpoint local = local_of(s, t), remote = remote_of(t);
    return hf_tuple_hash(s, &local, &remote);
}

/** 2 MSL [MUST-13]. */
static hf_ns span_ns(const struct hf_stack *s)
{
    return s->p.cfg.time_wait_ns > 0 ? s->p.cfg.time_wait_ns : 2 * s->p.cfg.msl_ns;
}

static void arm(struct hf_stack *s, struct hf_time_wait *t, uint32_t index)
{
    hf_ns at = hf_ns_add(s->p.now_ns, span_ns(s));
    hf_wheel_disarm(&s->wheel, &t->wheel);
    hf_wheel_arm(&s->wheel, &t->wheel, hf_ref_make(HF_REF_TIME_WAIT, index), at);
}

/* ---- entering and leaving ----------------------------------------------------------------- */

static void describe(const struct hf_conn *c, struct hf_time_wait *t)
{
    uint32_t wnd = hf_conn_rcv_wnd(c) >> c->rcv_shift;
    *t = (struct hf_time_wait){
        .remote = c->remote,
        .local = c->local,
        .local_port = c->local_port,
        .remote_port = c->remote_port,
        .snd_nxt = c->snd_nxt,
        .rcv_nxt = c->rcv_nxt,
        .ts_recent = c->ts_recent,
        .ts_offset = c->ts_offset,
        .conn = c->index,
        .rcv_wnd = (uint16_t)hf_min_u32(wnd, UINT16_MAX),
        .challenges = c->challenges,
        .challenge_at = c->challenge_at,
        .ttl = c->options.ttl,
        .traffic_class = c->options.traffic_class,
        .rcv_shift = c->rcv_shift & 15,
        .ts_on = c->ts_on,
    };
    hf_wheel_node_init(&t->wheel);
}

/** Sends the last ACK now: the connection that owed it is about to leave the table. */
static void send_ack(struct hf_stack *s, const struct hf_time_wait *t)
{
    struct hf_endpoint local = local_of(s, t), remote = remote_of(t);
    struct hf_segment seg = {
        .source_port = local.port,
        .destination_port = remote.port,
        .seq = t->snd_nxt.v,
        .ack = t->rcv_nxt.v,
        .flags = HF_ACK,
        .window = t->rcv_wnd,
    };
    if (t->ts_on) {
        seg.has_timestamps = true;
        seg.ts_value = hf_stack_timestamp(s, t->ts_offset);
        seg.ts_echo = t->ts_recent;
    }
    (void)hf_reply_segment(s, &local, &remote, t->ttl, t->traffic_class, &seg);
}

static bool may_challenge(struct hf_stack *s, struct hf_time_wait *t, const struct hf_arrival *in)
{
    if (hf_challenge_allowed(s, &t->challenges, &t->challenge_at))
        return true;
    hf_trace_stranger(s, HF_TRACE_LIMIT, HF_LIMIT_CHALLENGE, &in->local, &in->remote, t->challenges,
                      s->p.cfg.challenge_acks, NULL);
    return false;
}

static bool take_over(struct hf_stack *s, struct hf_conn *c)
{
    uint32_t index = hf_pool_take_dirty(&s->time_waits); /* is filled as a whole */
    if (index == HF_NIL) {
        hf_trace_conn(s, c, HF_TRACE_LIMIT, HF_LIMIT_TIME_WAIT, s->time_waits.used,
                      s->time_waits.limit, NULL);
        return false;
    }
    struct hf_time_wait *t = hf_time_wait_at(s, index);
    describe(c, t);
    hf_local_share(s, c->local);
    hf_tuple_replace(s, hf_conn_hash(s, c), hf_ref_make(HF_REF_CONN, c->index),
                     hf_ref_make(HF_REF_TIME_WAIT, index));
    c->in_table = false;
    if (c->ack_due)
        send_ack(s, t);
    arm(s, t, index);
    return true;
}

void hf_time_wait_enter(struct hf_stack *s, struct hf_conn *c, enum hf_reason reason)
{
    hf_conn_set_state(s, c, HF_TIME_WAIT, reason);
    bool taken = take_over(s, c);
    bool ack_due = c->ack_due && !taken;
    hf_conn_finish(s, c, HF_CLOSED_FIN, true);
    if (taken)
        return;
    c->ack_due = ack_due;
    hf_output_want(s, c);
    hf_timer_life(s, c, HF_LIFE_TIME_WAIT, hf_ns_add(s->p.now_ns, span_ns(s)));
}

static void free_entry(struct hf_stack *s, uint32_t index)
{
    struct hf_time_wait *t = hf_time_wait_at(s, index);
    hf_wheel_disarm(&s->wheel, &t->wheel);
    hf_local_give(s, t->local);
    hf_pool_give(&s->time_waits, index);
}

/** Ends an entry that holds its tuple, this one. */
static void end(struct hf_stack *s, uint32_t index, const struct hf_endpoint *local,
                const struct hf_endpoint *remote, enum hf_reason reason)
{
    hf_tuple_remove(s, hf_tuple_hash(s, local, remote), hf_ref_make(HF_REF_TIME_WAIT, index));
    hf_trace_state(s, 0, local, remote, HF_TIME_WAIT, HF_CLOSED, reason);
    free_entry(s, index);
}

/** A newer SYN holds the tuple, and can fall back on this TIME-WAIT no more. */
static void forget_shadow(struct hf_stack *s, const struct hf_endpoint *local,
                          const struct hf_endpoint *remote)
{
    uint32_t ref = hf_tuple_find(s, hf_tuple_hash(s, local, remote), local, remote);
    HF_ASSERT(ref != HF_NIL && hf_ref_kind(ref) == HF_REF_HALF_OPEN);
    hf_half_open_at(s, hf_ref_index(ref))->shadowed = HF_NIL;
}

/** Ends an entry, whether it holds its tuple or is in the shadow of a newer SYN. */
static void end_anywhere(struct hf_stack *s, uint32_t index, const struct hf_endpoint *local,
                         const struct hf_endpoint *remote, enum hf_reason reason)
{
    if (!hf_time_wait_at(s, index)->shadow) {
        end(s, index, local, remote, reason);
        return;
    }
    forget_shadow(s, local, remote);
    free_entry(s, index);
}

/** The same for a connection that waits itself. */
static void end_own(struct hf_stack *s, struct hf_conn *c, enum hf_reason reason)
{
    if (!c->in_table) {
        struct hf_endpoint local = hf_conn_local(s, c), remote = hf_conn_remote(c);
        forget_shadow(s, &local, &remote);
    }
    hf_conn_end(s, c, HF_CLOSED_FIN, reason, true);
}

void hf_time_wait_fire(struct hf_stack *s, uint32_t index)
{
    const struct hf_time_wait *t = hf_time_wait_at(s, index);
    struct hf_endpoint local = local_of(s, t), remote = remote_of(t);
    hf_trace_stranger(s, HF_TRACE_TIMER, HF_TIMER_TIME_WAIT, &local, &remote, 0, 0, NULL);
    end_anywhere(s, index, &local, &remote, HF_WHY_TIME_WAIT_OVER);
}

void hf_time_wait_conn_fire(struct hf_stack *s, struct hf_conn *c)
{
    hf_trace_conn(s, c, HF_TRACE_TIMER, HF_TIMER_TIME_WAIT, 0, 0, NULL);
    end_own(s, c, HF_WHY_TIME_WAIT_OVER);
}

/* ---- a newer SYN takes the tuple ------------------------------------------------------------ */

/** The connection that waits itself, NULL if the reference is that of an entry. */
static struct hf_conn *conn_of(const struct hf_stack *s, uint32_t ref)
{
    return hf_ref_kind(ref) == HF_REF_CONN ? hf_conn_at(s, hf_ref_index(ref)) : NULL;
}

hf_seq hf_time_wait_next_iss(const struct hf_stack *s, uint32_t ref, hf_seq iss)
{
    const struct hf_conn *c = conn_of(s, ref);
    hf_seq snd_nxt = c != NULL ? c->snd_nxt : hf_time_wait_at(s, hf_ref_index(ref))->snd_nxt;
    /* More than a window above, so that no old segment of ours can look like a new one. */
    return hf_seq_max(iss, hf_seq_add(snd_nxt, 65535 + 2));
}

/** It answers nothing more under these addresses: not the ACK either that it may owe. */
static void leave_table(struct hf_stack *s, struct hf_conn *c)
{
    c->in_table = false;
    c->ack_due = false;
    hf_list_remove(&s->p.output, &s->conns, HF_LIST_OUTPUT, c->index);
}

void hf_time_wait_shadow(struct hf_stack *s, uint32_t ref)
{
    struct hf_conn *c = conn_of(s, ref);
    if (c != NULL)
        leave_table(s, c);
    else
        hf_time_wait_at(s, hf_ref_index(ref))->shadow = true;
}

void hf_time_wait_unshadow(struct hf_stack *s, uint32_t ref, uint32_t instead_of)
{
    struct hf_conn *c = conn_of(s, ref);
    struct hf_time_wait t;
    if (c != NULL) {
        c->in_table = true;
        describe(c, &t);
    } else {
        hf_time_wait_at(s, hf_ref_index(ref))->shadow = false;
        t = *hf_time_wait_at(s, hf_ref_index(ref));
    }
    hf_tuple_replace(s, hash_of(s, &t), instead_of, ref);
}

void hf_time_wait_reused(struct hf_stack *s, uint32_t ref)
{
    struct hf_conn *c = conn_of(s, ref);
    if (c == NULL) {
        free_entry(s, hf_ref_index(ref));
        return;
    }
    leave_table(s, c);
    hf_conn_end(s, c, HF_CLOSED_FIN, HF_WHY_TIME_WAIT_REUSED, true);
    hf_conn_release_if_done(s, c);
}

/* ---- a connection and its entry ------------------------------------------------------------- */

/** The TIME-WAIT of a tuple, in the table or below the newer SYN that holds it; HF_NIL if none. */
static uint32_t find_ref(const struct hf_stack *s, const struct hf_endpoint *local,
                         const struct hf_endpoint *remote)
{
    uint32_t ref = hf_tuple_find(s, hf_tuple_hash(s, local, remote), local, remote);
    if (ref == HF_NIL || hf_ref_kind(ref) != HF_REF_HALF_OPEN)
        return ref;
    return hf_half_open_at(s, hf_ref_index(ref))->shadowed;
}

uint32_t hf_time_wait_of(const struct hf_stack *s, const struct hf_conn *c)
{
    if (c->state != HF_TIME_WAIT || c->in_table)
        return HF_NIL;
    struct hf_endpoint local = hf_conn_local(s, c), remote = hf_conn_remote(c);
    uint32_t ref = find_ref(s, &local, &remote);
    if (ref == HF_NIL || hf_ref_kind(ref) != HF_REF_TIME_WAIT)
        return HF_NIL;
    uint32_t index = hf_ref_index(ref);
    return hf_time_wait_at(s, index)->conn == c->index ? index : HF_NIL;
}

bool hf_time_wait_has_conn(const struct hf_stack *s, uint32_t index)
{
    const struct hf_time_wait *t = hf_time_wait_at(s, index);
    return hf_pool_has(&s->conns, t->conn) && hf_time_wait_of(s, hf_conn_at(s, t->conn)) == index;
}

void hf_time_wait_abort(struct hf_stack *s, struct hf_conn *c)
{
    if (c->life_timer == HF_LIFE_TIME_WAIT) {
        end_own(s, c, HF_WHY_ABORT);
        return;
    }
    uint32_t index = hf_time_wait_of(s, c);
    struct hf_endpoint local = hf_conn_local(s, c), remote = hf_conn_remote(c);
    if (index != HF_NIL)
        end_anywhere(s, index, &local, &remote, HF_WHY_ABORT);
}

/* ---- segments ----------------------------------------------------------------------------- */

/** What a segment asks for. */
struct verdict {
    enum hf_reason drop;
    enum hf_reason ack; /**< HF_NONE: no answer */
    bool limited;       /**< the answer counts as a challenge: it might start a loop otherwise */
    bool restart;       /**< of the 2 MSL */
    bool close;
};

/** [RFC6191#2] [SHLD-4] with the peer's FIN as the last sequence number of the old connection. */
static bool syn_is_newer(const struct hf_stack *s, const struct hf_time_wait *t,
                         const struct hf_segment *seg)
{
    bool beyond = hf_seq_ge(hf_seq_make(seg->seq), t->rcv_nxt);
    bool ts_new = seg->has_timestamps && s->p.cfg.timestamps != 0;
    if (t->ts_on && ts_new) {
        int32_t newer = (int32_t)(seg->ts_value - t->ts_recent);
        return newer > 0 || (newer == 0 && beyond);
    }
    return t->ts_on ? beyond : ts_new || beyond;
}

static bool in_window(const struct hf_time_wait *t, const struct hf_segment *seg)
{
    uint32_t wnd = (uint32_t)t->rcv_wnd << t->rcv_shift, length = hf_segment_length(seg);
    hf_seq seq = hf_seq_make(seg->seq), end = hf_seq_add(t->rcv_nxt, wnd);
    if (wnd == 0)
        return length == 0 && hf_seq_eq(seq, t->rcv_nxt);
    hf_seq last = hf_seq_add(seq, length - 1);
    return (hf_seq_ge(seq, t->rcv_nxt) && hf_seq_lt(seq, end)) ||
           (length > 0 && hf_seq_ge(last, t->rcv_nxt) && hf_seq_lt(last, end));
}

/** Our last ACK was lost and the FIN comes again: it ends where RCV.NXT stands, so it lies left of
 *  the window, and this is the place to acknowledge it. */
static bool is_fin_again(const struct hf_time_wait *t, const struct hf_segment *seg)
{
    return (seg->flags & (HF_FIN | HF_SYN | HF_RST)) == HF_FIN &&
           seg->seq + hf_segment_length(seg) == t->rcv_nxt.v;
}

static struct verdict judge_rst(const struct hf_stack *s, const struct hf_time_wait *t,
                                const struct hf_segment *seg)
{
    if (s->p.cfg.time_wait_rst == 0) /* [RFC1337#3] F1 */
        return (struct verdict){.drop = HF_DROP_RST_TIME_WAIT};
    if (seg->seq == t->rcv_nxt.v)
        return (struct verdict){.close = true};
    return (struct verdict){HF_DROP_RST_CHALLENGED, HF_ACK_CHALLENGE_RST, true, false, false};
}

/** The checks of RFC 9293 3.10.7.4, as far as TIME-WAIT has them. */
static struct verdict judge(const struct hf_stack *s, const struct hf_time_wait *t,
                            const struct hf_segment *seg)
{
    bool rst = (seg->flags & HF_RST) != 0, empty = hf_segment_length(seg) == 0;
    if (t->ts_on && !rst && !seg->has_timestamps)
        return (struct verdict){.drop = HF_DROP_NO_TIMESTAMP};
    if (t->ts_on && !rst && (int32_t)(seg->ts_value - t->ts_recent) < 0)
        return (struct verdict){HF_DROP_PAWS, HF_ACK_PAWS, empty, false, false};
    if (is_fin_again(t, seg))
        return (struct verdict){HF_DROP_TIME_WAIT_TEXT, HF_ACK_TIME_WAIT, false, true, false};
    if ((seg->flags & HF_SYN) != 0 && !rst) /* [RFC5961#4.2] wherever it stands */
        return (struct verdict){HF_DROP_SYN_CHALLENGED, HF_ACK_CHALLENGE_SYN, true, false, false};
    bool inside = in_window(t, seg);
    if (rst && !inside)
        return (struct verdict){.drop = HF_DROP_RST_OUT_OF_WINDOW};
    if (!inside)
        return (struct verdict){HF_DROP_OUT_OF_WINDOW, HF_ACK_OUT_OF_WINDOW, empty, false, false};
    if (rst)
        return judge_rst(s, t, seg);
    if ((seg->flags & HF_ACK) == 0)
        return (struct verdict){.drop = HF_DROP_NO_ACK};
    if (hf_seq_gt(hf_seq_make(seg->ack), t->snd_nxt))
        return (struct verdict){HF_DROP_ACK_UNSENT, HF_ACK_CHALLENGE_ACK, true, false, false};
    if (empty)
        return (struct verdict){.drop = HF_DROP_OLD_DUPLICATE};
    /* Data behind a FIN can't be; a FIN there can't either: the RFC has it acknowledged. */
    return (struct verdict){HF_DROP_AFTER_FIN, HF_ACK_TIME_WAIT, true, (seg->flags & HF_FIN) != 0,
                            false};
}

/** [RFC7323#4.3] TS.Recent follows what is acceptable, and a FIN that comes again. */
static bool may_take_timestamp(const struct hf_time_wait *t, const struct hf_segment *seg,
                               const struct verdict *v)
{
    bool acceptable =
        v->restart || v->drop == HF_DROP_OLD_DUPLICATE || v->drop == HF_DROP_AFTER_FIN;
    return acceptable && t->ts_on && hf_seq_le(hf_seq_make(seg->seq), t->rcv_nxt);
}

static bool is_opening(const struct hf_segment *seg)
{
    return (seg->flags & (HF_SYN | HF_ACK | HF_RST)) == HF_SYN;
}

/** A SYN that may open the tuple anew [RFC9293#3.6.1] [RFC6191]. False: it is judged like any other
 *  segment. */
static bool take_opening(struct hf_stack *s, const struct hf_time_wait *t, uint32_t ref,
                         const struct hf_arrival *in)
{
    bool reuse = is_opening(in->seg) && s->p.cfg.time_wait_reuse != 0;
    uint32_t listener = reuse ? hf_listener_find(s, &in->local) : HF_NIL;
    if (listener == HF_NIL)
        return false;
    if (syn_is_newer(s, t, in->seg))
        hf_listener_syn(s, listener, in, ref);
    else
        hf_drop_arrival(s, in, HF_DROP_SYN_TIME_WAIT);
    return true;
}

void hf_time_wait_input(struct hf_stack *s, uint32_t index, const struct hf_arrival *in)
{
    struct hf_time_wait *t = hf_time_wait_at(s, index);
    const struct hf_segment *seg = in->seg;
    if (take_opening(s, t, hf_ref_make(HF_REF_TIME_WAIT, index), in))
        return;
    struct verdict v = judge(s, t, seg);
    if (v.close) {
        hf_trace_stranger(s, HF_TRACE_RST_IN, HF_RST_IN_EXACT, &in->local, &in->remote, 0, 0, seg);
        end(s, index, &in->local, &in->remote, HF_WHY_RST);
        return;
    }
    hf_drop_arrival(s, in, v.drop);
    if (may_take_timestamp(t, seg, &v))
        t->ts_recent = seg->ts_value;
    if (v.restart)
        arm(s, t, index);
    if (v.ack == HF_NONE || (v.limited && !may_challenge(s, t, in)))
        return;
    hf_trace_stranger(s, HF_TRACE_ACK_OUT, v.ack, &in->local, &in->remote, 0, 0, seg);
    send_ack(s, t);
}

void hf_time_wait_conn_input(struct hf_stack *s, struct hf_conn *c, const struct hf_arrival *in)
{
    struct hf_time_wait t;
    describe(c, &t);
    if (take_opening(s, &t, hf_ref_make(HF_REF_CONN, c->index), in))
        return;
    struct verdict v = judge(s, &t, in->seg);
    if (v.close) {
        hf_trace_conn(s, c, HF_TRACE_RST_IN, HF_RST_IN_EXACT, 0, 0, in->seg);
        hf_conn_end(s, c, HF_CLOSED_FIN, HF_WHY_RST, true);
        hf_conn_release_if_done(s, c);
        return;
    }
    hf_drop(s, c, v.drop, in->seg);
    if (may_take_timestamp(&t, in->seg, &v))
        c->ts_recent = in->seg->ts_value;
    if (v.restart)
        hf_timer_life(s, c, HF_LIFE_TIME_WAIT, hf_ns_add(s->p.now_ns, span_ns(s)));
    if (v.ack != HF_NONE && (!v.limited || hf_conn_may_challenge(s, c)))
        hf_output_ack_now(s, c, v.ack);
}
