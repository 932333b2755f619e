/**
 * Half-open entries: connections in SYN-RECEIVED that came to an automatic listener, 64 bytes each.
 * They have no handle and no queues; the segment that completes the handshake turns them into a
 * connection. The checks are those of RFC 9293 3.10.7.4, as far as this state has them.
 */
#include "timers.h"
#include "tuples.h"

static struct hf_endpoint local_of(const struct hf_stack *s, const struct hf_half_open *h)
{
    return (struct hf_endpoint){*hf_local_addr(s, h->local), h->local_port};
}

static struct hf_endpoint remote_of(const struct hf_half_open *h)
{
    return (struct hf_endpoint){h->remote, h->remote_port};
}

static uint32_t ts_offset_of(struct hf_stack *s, const struct hf_half_open *h)
{
    return hf_stack_ts_offset(s, hf_local_addr(s, h->local), &h->remote);
}

static void trace(struct hf_stack *s, const struct hf_half_open *h, enum hf_trace type,
                  enum hf_reason reason, const struct hf_segment *seg)
{
    struct hf_endpoint local = local_of(s, h), remote = remote_of(h);
    hf_trace_stranger(s, type, reason, &local, &remote, 0, 0, seg);
}

/* ---- sending ------------------------------------------------------------------------------ */

static void reply(struct hf_stack *s, const struct hf_half_open *h, struct hf_segment *seg)
{
    struct hf_endpoint local = local_of(s, h), remote = remote_of(h);
    const struct hf_options *o = &hf_listener_at(s, h->listener)->options;
    seg->source_port = local.port;
    seg->destination_port = remote.port;
    seg->ack = hf_seq_add(h->irs, 1).v;
    if (h->ts_on) {
        seg->has_timestamps = true;
        seg->ts_value = hf_stack_timestamp(s, ts_offset_of(s, h));
        seg->ts_echo = h->ts_recent;
    }
    (void)hf_reply_segment(s, &local, &remote, o->ttl, o->traffic_class, seg);
}

static void send_syn_ack(struct hf_stack *s, const struct hf_half_open *h)
{
    struct hf_segment seg = {
        .seq = h->iss.v,
        .flags = HF_SYN | HF_ACK,
        .window = h->rcv_wnd,
        .has_mss = true,
        .mss_bytes = hf_stack_own_mss(s, &h->remote, hf_listener_at(s, h->listener)->mss_bytes),
        .has_sack_permitted = h->sack_on,
        .has_wscale = h->wscale_on,
        .wscale = hf_stack_shift(s),
    };
    reply(s, h, &seg);
}

/** <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK> */
static void send_ack(struct hf_stack *s, const struct hf_half_open *h, enum hf_reason reason)
{
    uint8_t shift = h->wscale_on ? hf_stack_shift(s) : 0;
    struct hf_segment seg = {
        .seq = hf_seq_add(h->iss, 1).v,
        .flags = HF_ACK,
        .window = (uint16_t)(h->rcv_wnd >> shift),
    };
    trace(s, h, HF_TRACE_ACK_OUT, reason, NULL);
    reply(s, h, &seg);
}

static bool may_challenge(struct hf_stack *s, struct hf_half_open *h)
{
    if (hf_challenge_allowed(s, &h->challenges, &h->challenge_at))
        return true;
    struct hf_endpoint local = local_of(s, h), remote = remote_of(h);
    hf_trace_stranger(s, HF_TRACE_LIMIT, HF_LIMIT_CHALLENGE, &local, &remote, h->challenges,
                      s->p.cfg.challenge_acks, NULL);
    return false;
}

static void challenge(struct hf_stack *s, struct hf_half_open *h, enum hf_reason reason)
{
    if (may_challenge(s, h))
        send_ack(s, h, reason);
}

/* ---- making and freeing ------------------------------------------------------------------- */

static hf_ns retry_after(const struct hf_stack *s, const struct hf_half_open *h)
{
    hf_ns rto = s->p.cfg.rto_initial_ns;
    for (unsigned i = 0; i < h->retries && rto < s->p.cfg.rto_max_ns; i++)
        rto *= 2;
    return hf_min_ns(rto, s->p.cfg.rto_max_ns);
}

static void arm(struct hf_stack *s, struct hf_half_open *h, uint32_t index)
{
    hf_ns at = hf_ns_add(s->p.now_ns, retry_after(s, h));
    hf_wheel_arm(&s->wheel, &h->wheel, hf_ref_make(HF_REF_HALF_OPEN, index), at);
}

static void fill(struct hf_stack *s, struct hf_half_open *h, const struct hf_arrival *in)
{
    const struct hf_segment *syn = in->seg;
    const struct hf_config *cfg = &s->p.cfg;
    const struct hf_options *o = &hf_listener_at(s, h->listener)->options;
    h->remote = in->remote.addr;
    h->local_port = in->local.port;
    h->remote_port = in->remote.port;
    h->irs = hf_seq_make(syn->seq);
    h->iss = hf_isn(&s->p.isn_key, &in->local, &in->remote, s->p.now_ns);
    h->mss = hf_stack_peer_mss(s, &in->remote.addr, syn->has_mss, syn->mss_bytes);
    h->rcv_wnd = hf_stack_syn_window(s, o->receive_buffer_bytes);
    h->wscale_on = syn->has_wscale && cfg->window_scale >= 0;
    h->wscale = (syn->wscale > 14 ? 14u : syn->wscale) & 15u; /* [RFC7323#2.3] */
    h->ts_on = syn->has_timestamps && cfg->timestamps != 0;
    h->ts_recent = syn->ts_value;
    h->sack_on = syn->has_sack_permitted && cfg->sack != 0;
}

bool hf_half_open_new(struct hf_stack *s, uint32_t listener, const struct hf_arrival *in,
                      uint32_t time_wait)
{
    uint32_t index = hf_pool_take(&s->half_opens);
    if (index == HF_NIL)
        return false;
    uint32_t local = hf_local_take(s, &in->local.addr);
    if (local == HF_NIL)
        goto give_slot;
    uint32_t ref = hf_ref_make(HF_REF_HALF_OPEN, index);
    if (!hf_tuple_put(s, in->hash, &in->local, &in->remote, time_wait, ref))
        goto give_local;

    struct hf_half_open *h = hf_half_open_at(s, index);
    hf_wheel_node_init(&h->wheel);
    h->local = local;
    h->listener = listener;
    h->shadowed = time_wait;
    fill(s, h, in);
    if (time_wait != HF_NIL) {
        h->iss = hf_time_wait_next_iss(s, time_wait, h->iss);
        hf_time_wait_shadow(s, time_wait);
    }
    hf_listener_at(s, listener)->half_open++;
    hf_trace_state(s, 0, &in->local, &in->remote, time_wait == HF_NIL ? HF_LISTEN : HF_TIME_WAIT,
                   HF_SYN_RCVD, time_wait == HF_NIL ? HF_WHY_SYN : HF_WHY_TIME_WAIT_REUSED);
    send_syn_ack(s, h);
    arm(s, h, index);
    return true;

give_local:
    hf_local_give(s, local);
give_slot:
    hf_pool_give(&s->half_opens, index);
    return false;
}

/** Frees the entry; the tuple was taken over or goes out of the table by the caller. */
static void free_entry(struct hf_stack *s, uint32_t index)
{
    struct hf_half_open *h = hf_half_open_at(s, index);
    uint32_t listener = h->listener;
    hf_wheel_disarm(&s->wheel, &h->wheel);
    hf_listener_at(s, listener)->half_open--;
    hf_local_give(s, h->local);
    hf_pool_give(&s->half_opens, index);
    hf_listener_release_if_done(s, listener);
}

static void end(struct hf_stack *s, uint32_t index, enum hf_reason reason)
{
    struct hf_half_open *h = hf_half_open_at(s, index);
    struct hf_endpoint local = local_of(s, h), remote = remote_of(h);
    uint32_t ref = hf_ref_make(HF_REF_HALF_OPEN, index);
    if (h->shadowed != HF_NIL)
        hf_time_wait_unshadow(s, h->shadowed, ref);
    else
        hf_tuple_remove(s, hf_tuple_hash(s, &local, &remote), ref);
    hf_trace_state(s, 0, &local, &remote, HF_SYN_RCVD, HF_LISTEN, reason);
    free_entry(s, index);
}

/** Its listener was closed. Nobody looks for such entries then, there can be very many: each ends
 *  when its peer speaks or its timer fires. */
static bool is_left_over(const struct hf_stack *s, const struct hf_half_open *h)
{
    return hf_listener_at(s, h->listener)->closed;
}

static void refuse(struct hf_stack *s, uint32_t index, const struct hf_segment *cause)
{
    struct hf_half_open *h = hf_half_open_at(s, index);
    struct hf_segment rst = {.seq = hf_seq_add(h->iss, 1).v, .flags = HF_RST | HF_ACK};
    trace(s, h, HF_TRACE_RST_OUT, HF_RST_REFUSED, cause);
    reply(s, h, &rst);
    end(s, index, HF_WHY_LISTENER_CLOSED);
}

/* ---- the handshake is complete ------------------------------------------------------------ */

/** What the segment says beyond that. Most say nothing: of the eight checks, which it has passed by
 *  what its entry or its cookie was asked, the timestamp and the window are left then. */
static void process_rest(struct hf_stack *s, struct hf_conn *c, const struct hf_arrival *in)
{
    const struct hf_segment *seg = in->seg;
    if (seg->payload_bytes > 0 || (seg->flags & (HF_SYN | HF_FIN | HF_RST | HF_URG)) != 0) {
        hf_conn_input(s, c, in);
        return;
    }
    hf_conn_heard(s, c, seg);
    hf_send_window(s, c, in);
}

bool hf_accept(struct hf_stack *s, const struct hf_handshake *h, const struct hf_arrival *in,
               uint32_t replaces, enum hf_reason reason)
{
    enum hf_reason limit;
    if (!hf_listener_may_have(s, h->listener, &in->remote.addr, &limit)) {
        hf_listener_trace_limit(s, hf_listener_at(s, h->listener), in, limit);
        hf_drop_arrival(s, in, HF_DROP_BACKLOG);
        return false;
    }
    const struct hf_options *o = &hf_listener_at(s, h->listener)->options;
    struct hf_conn *c = hf_conn_new(s, &in->local, &in->remote, in->hash, o, replaces);
    if (c != NULL && !hf_listener_adopt(s, h->listener, c)) {
        hf_conn_unmake(s, c, in->hash, replaces);
        c = NULL; /* its count of remote addresses found no memory */
    }
    if (c == NULL) {
        hf_drop_arrival(s, in, HF_DROP_NO_CONN);
        return false;
    }
    c->state = HF_SYN_RCVD;
    c->snd_una = c->snd_nxt = hf_seq_add(h->iss, 1);
    hf_conn_agree(s, c, h);
    c->snd_wnd = (uint32_t)in->seg->window << c->snd_shift;
    struct hf_rtt_limits limits = hf_stack_rtt_limits(s);
    if (h->syn_retransmitted)
        hf_rtt_after_syn_retransmit(&c->rtt, &limits); /* [RFC6298#5.7] */
    hf_conn_set_state(s, c, HF_ESTABLISHED, reason);
    hf_conn_raise(s, c, HF_EV_ACCEPTED);
    hf_timer_idle(s, c);
    process_rest(s, c, in);
    return true;
}

static void complete(struct hf_stack *s, uint32_t index, const struct hf_arrival *in)
{
    const struct hf_half_open *h = hf_half_open_at(s, index);
    struct hf_handshake hs = {
        .listener = h->listener,
        .irs = h->irs,
        .iss = h->iss,
        .mss = h->mss,
        .rcv_wnd = h->rcv_wnd,
        .wscale = h->wscale,
        .wscale_on = h->wscale_on,
        .ts_on = h->ts_on,
        .sack_on = h->sack_on,
        .ts_recent = h->ts_recent,
        .ts_offset = h->ts_on ? ts_offset_of(s, h) : 0,
        .syn_retransmitted = h->retries > 0 || h->repeated,
    };
    if (!hs.syn_retransmitted) { /* [MUST-18] Karn */
        /* The SYN,ACK left one initial RTO before the entry's deadline. */
        uint32_t tick = (uint32_t)hf_wheel_tick(hf_ns_add(s->p.now_ns, s->p.cfg.rto_initial_ns));
        int64_t waited = (int32_t)(tick - h->wheel.tick);
        hs.rtt_ns = hf_max_ns(waited * (1 << HF_WHEEL_TICK_SHIFT), 1);
    }
    uint32_t shadowed = h->shadowed;
    if (!hf_accept(s, &hs, in, hf_ref_make(HF_REF_HALF_OPEN, index), HF_WHY_HANDSHAKE_ACK))
        return; /* stays half-open: the SYN,ACK goes out again and brings another ACK */
    if (shadowed != HF_NIL)
        hf_time_wait_reused(s, shadowed);
    free_entry(s, index);
}

/* ---- segments ----------------------------------------------------------------------------- */

/** First check [RFC9293#3.10.7.4]: PAWS, then the window. True: go on. */
static bool check_sequence(struct hf_stack *s, struct hf_half_open *h, const struct hf_segment *seg)
{
    bool rst = (seg->flags & HF_RST) != 0;
    hf_seq seq = hf_seq_make(seg->seq), rcv_nxt = hf_seq_add(h->irs, 1);
    if (h->ts_on && !rst && !seg->has_timestamps) {
        trace(s, h, HF_TRACE_DROP, HF_DROP_NO_TIMESTAMP, seg);
        return false;
    }
    if (h->ts_on && !rst && (int32_t)(seg->ts_value - h->ts_recent) < 0) {
        trace(s, h, HF_TRACE_DROP, HF_DROP_PAWS, seg);
        challenge(s, h, HF_ACK_PAWS);
        return false;
    }
    uint32_t length = hf_segment_length(seg);
    hf_seq end = hf_seq_add(rcv_nxt, h->rcv_wnd);
    bool first_in = hf_seq_ge(seq, rcv_nxt) && hf_seq_lt(seq, end);
    hf_seq last = hf_seq_add(seq, length - 1);
    bool last_in = length > 0 && hf_seq_ge(last, rcv_nxt) && hf_seq_lt(last, end);
    if (first_in || last_in)
        return true;
    if (rst) {
        trace(s, h, HF_TRACE_DROP, HF_DROP_RST_OUT_OF_WINDOW, seg);
        return false;
    }
    trace(s, h, HF_TRACE_DROP, HF_DROP_OUT_OF_WINDOW, seg);
    challenge(s, h, HF_ACK_OUT_OF_WINDOW);
    return false;
}

/** The peer did not hear our SYN,ACK and sends its SYN again: so do we. RFC 9293 would have a plain
 *  ACK answer, which does not help a peer in SYN-SENT. DEVIATION D-1. */
static bool is_same_syn(const struct hf_half_open *h, const struct hf_segment *seg)
{
    return (seg->flags & (HF_SYN | HF_ACK | HF_RST)) == HF_SYN && seg->seq == h->irs.v;
}

static void repeat_syn_ack(struct hf_stack *s, struct hf_half_open *h, const struct hf_segment *seg)
{
    if (h->ts_on && seg->has_timestamps && (int32_t)(seg->ts_value - h->ts_recent) > 0)
        h->ts_recent = seg->ts_value;
    if (!may_challenge(s, h))
        return;
    trace(s, h, HF_TRACE_ACK_OUT, HF_ACK_SYN_AGAIN, seg);
    h->repeated = true;
    send_syn_ack(s, h);
}

void hf_half_open_input(struct hf_stack *s, uint32_t index, const struct hf_arrival *in)
{
    struct hf_half_open *h = hf_half_open_at(s, index);
    const struct hf_segment *seg = in->seg;
    if (is_left_over(s, h) && (seg->flags & HF_RST) == 0) {
        refuse(s, index, seg);
        return;
    }
    if (is_same_syn(h, seg)) {
        repeat_syn_ack(s, h, seg);
        return;
    }
    if (!check_sequence(s, h, seg))
        return;
    if ((seg->flags & HF_RST) != 0) {
        /* [RFC5961#3.2] only the exact one; then back to LISTEN, and nobody is told. */
        if (seg->seq == hf_seq_add(h->irs, 1).v) {
            trace(s, h, HF_TRACE_RST_IN, HF_RST_IN_EXACT, seg);
            end(s, index, HF_WHY_RST);
        } else {
            trace(s, h, HF_TRACE_DROP, HF_DROP_RST_CHALLENGED, seg);
            challenge(s, h, HF_ACK_CHALLENGE_RST);
        }
    } else if ((seg->flags & HF_SYN) != 0) {
        trace(s, h, HF_TRACE_DROP, HF_DROP_SYN_RCVD, seg);
        end(s, index, HF_WHY_SYN_AGAIN);
    } else if ((seg->flags & HF_ACK) == 0) {
        trace(s, h, HF_TRACE_DROP, HF_DROP_NO_ACK, seg);
    } else if (seg->ack != hf_seq_add(h->iss, 1).v) {
        trace(s, h, HF_TRACE_DROP, HF_DROP_ACK_HANDSHAKE, seg);
        hf_reply_rst(s, in, HF_RST_HANDSHAKE_ACK);
    } else {
        complete(s, index, in);
    }
}

void hf_half_open_fire(struct hf_stack *s, uint32_t index)
{
    struct hf_half_open *h = hf_half_open_at(s, index);
    trace(s, h, HF_TRACE_TIMER, HF_TIMER_SYNACK, NULL);
    if (is_left_over(s, h)) {
        refuse(s, index, NULL);
        return;
    }
    if (h->retries >= s->p.cfg.synack_retries) {
        end(s, index, HF_WHY_R2);
        return;
    }
    h->retries++;
    trace(s, h, HF_TRACE_RETRANSMIT, HF_RETRANSMIT_SYNACK, NULL);
    send_syn_ack(s, h);
    arm(s, h, index);
}
