/**
 * A segment arrives at a connection [RFC9293#3.10.7]: SYN-SENT has its own list of checks, the
 * synchronized states and SYN-RECEIVED share eight, one function each, in the RFC's order. Each
 * says whether the segment goes on to the next.
 */
#include "receive.h"
#include "timers.h"

enum { PAWS_VALID_S = 24 * 24 * 3600 }; /**< [RFC7323#5.5] 24 days */

/** An ACK that tells the peer where we stand [UN-04]. One that answers a segment which takes no
 *  sequence space counts as a challenge: two sides could otherwise answer each other for ever.
 *  DEVIATION D-28. */
static void answer(struct hf_stack *s, struct hf_conn *c, const struct hf_segment *seg,
                   enum hf_reason reason)
{
    if (hf_segment_length(seg) > 0 || hf_conn_may_challenge(s, c))
        hf_output_ack_now(s, c, reason);
}

static void challenge(struct hf_stack *s, struct hf_conn *c, enum hf_reason reason)
{
    if (hf_conn_may_challenge(s, c))
        hf_output_ack_now(s, c, reason);
}

/* ---- an open request that waits for the application ---------------------------------------- */

static void held_input(struct hf_stack *s, struct hf_conn *c, const struct hf_segment *seg)
{
    bool rst = (seg->flags & HF_RST) != 0, syn = (seg->flags & HF_SYN) != 0;
    bool exact = seg->seq == c->rcv_nxt.v;
    bool other_syn = syn && !rst && hf_seq_ge(hf_seq_make(seg->seq), c->rcv_nxt) &&
                     hf_seq_lt(hf_seq_make(seg->seq), c->rcv_adv);
    if ((rst && exact) || other_syn) {
        if (rst)
            hf_trace_conn(s, c, HF_TRACE_RST_IN, HF_RST_IN_EXACT, 0, 0, seg);
        else
            hf_drop(s, c, HF_DROP_SYN_RCVD, seg);
        hf_conn_end(s, c, HF_CLOSED_WITHDRAWN, rst ? HF_WHY_RST : HF_WHY_SYN_AGAIN, false);
        return;
    }
    hf_drop(s, c, HF_DROP_SYN_HELD, seg);
}

/* ---- SYN-SENT [RFC9293#3.10.7.3] ----------------------------------------------------------- */

static void begin_window(const struct hf_stack *s, struct hf_conn *c)
{
    struct hf_cc_event e = hf_recovery_start_event(s, c);
    hf_stack_cc(s)->on_open(&c->cc, &e);
}

void hf_conn_agree(struct hf_stack *s, struct hf_conn *c, const struct hf_handshake *h)
{
    c->iss = c->snd_wl2 = h->iss;
    c->irs = c->snd_wl1 = h->irs;
    c->rcv_nxt = c->last_ack_sent = hf_seq_add(h->irs, 1);
    c->rcv_adv = hf_seq_add(c->rcv_nxt, h->rcv_wnd);
    c->snd_mss = h->mss;
    c->wscale_on = h->wscale_on;
    c->snd_shift = (!h->wscale_on    ? 0u
                    : h->wscale > 14 ? 14u
                                     : h->wscale) &
                   15u; /* [RFC7323#2.3] */
    c->rcv_shift = (h->wscale_on ? hf_stack_shift(s) : 0u) & 15u;
    c->sack_on = h->sack_on;
    c->ts_on = h->ts_on;
    c->ts_recent = h->ts_recent;
    c->ts_recent_s = hf_stack_s(s);
    c->ts_offset = h->ts_offset;
    c->heard = hf_stamp_make(s->p.now_ns);
    c->syn_retransmitted |= h->syn_retransmitted;
    struct hf_rtt_limits limits = hf_stack_rtt_limits(s);
    if (h->rtt_ns > 0)
        hf_rtt_sample(&c->rtt, &limits, h->rtt_ns, 1);
    hf_round_begin(s, c);
    begin_window(s, c);
}

/** What our SYN offered and the peer's SYN answers. */
static void agree_with(struct hf_stack *s, struct hf_conn *c, const struct hf_segment *seg)
{
    const struct hf_config *cfg = &s->p.cfg;
    struct hf_handshake h = {
        .irs = hf_seq_make(seg->seq),
        .iss = c->iss,
        .mss = hf_stack_peer_mss(s, &c->remote, seg->has_mss, seg->mss_bytes),
        .rcv_wnd = hf_conn_syn_window(s, c),
        .wscale = seg->wscale,
        .wscale_on = seg->has_wscale && cfg->window_scale >= 0,
        .ts_on = seg->has_timestamps && cfg->timestamps == 1,
        .sack_on = seg->has_sack_permitted && cfg->sack == 1,
        .ts_recent = seg->ts_value,
        .ts_offset = c->ts_offset,
    };
    hf_conn_agree(s, c, &h);
    c->snd_wnd = c->max_snd_wnd = seg->window; /* of a SYN: never scaled [RFC7323#2.2] */
    if ((seg->flags & HF_ACK) != 0)
        c->snd_wl2 = hf_seq_make(seg->ack);
}

/** Where a connection goes that becomes established: on, if it was closed meanwhile. */
static void establish(struct hf_stack *s, struct hf_conn *c, enum hf_reason reason)
{
    hf_conn_set_state(s, c, HF_ESTABLISHED, reason);
    hf_conn_raise(s, c, HF_EV_CONNECTED | HF_EV_WRITABLE);
    if (c->fin_queued)
        hf_conn_set_state(s, c, HF_FIN_WAIT_1, HF_WHY_SHUTDOWN);
    if (c->rtx_timer == HF_RTX_OFF)
        hf_timer_idle(s, c); /* from here on keep-alive counts */
}

/** 6: URG [RFC6093] [UN-09]: a mark in the stream. The field means nothing without the flag
 *  [UN-15]. True: there is a new one. */
static bool mark_urgent(struct hf_conn *c, const struct hf_segment *seg)
{
    if ((seg->flags & HF_URG) == 0 || c->peer_fin)
        return false;
    hf_seq up = hf_seq_add(hf_seq_make(seg->seq), seg->urgent_pointer);
    if (hf_seq_le(up, hf_receive_unread(c)) || (c->urgent_in && hf_seq_le(up, c->rcv_up)))
        return false; /* the pointer never recedes */
    c->rcv_up = up;
    c->urgent_in = true;
    return true;
}

static void check_urg(struct hf_stack *s, struct hf_conn *c, const struct hf_segment *seg)
{
    if (mark_urgent(c, seg))
        hf_conn_raise(s, c, HF_EV_URGENT); /* [MUST-32] */
}

static void syn_sent_input(struct hf_stack *s, struct hf_conn *c, const struct hf_arrival *in)
{
    const struct hf_segment *seg = in->seg;
    bool ack = (seg->flags & HF_ACK) != 0, rst = (seg->flags & HF_RST) != 0;
    hf_seq seg_ack = hf_seq_make(seg->ack);
    bool acceptable = hf_seq_gt(seg_ack, c->iss) && hf_seq_le(seg_ack, c->snd_nxt);
    if (ack && !acceptable) {
        hf_drop(s, c, HF_DROP_SYN_SENT_ACK, seg);
        hf_reply_rst(s, in, HF_RST_SYN_SENT_ACK); /* none for a RST */
        return;
    }
    if (rst && ack) { /* whatever data it carries [SHLD-2] */
        hf_trace_conn(s, c, HF_TRACE_RST_IN, HF_RST_IN_REFUSED, 0, 0, seg);
        hf_conn_end(s, c, HF_CLOSED_REFUSED, HF_WHY_RST, false);
        return;
    }
    if (rst || (seg->flags & HF_SYN) == 0) {
        hf_drop(s, c, rst ? HF_DROP_SYN_SENT_RST : HF_DROP_SYN_SENT_NOTHING, seg);
        return;
    }
    bool path_is_told = c->syn_mtu > 0;
    agree_with(s, c, seg);
    if (!ack) { /* [MUST-10] [UN-13] our SYNs crossed: answer with SYN,ACK */
        hf_conn_set_state(s, c, HF_SYN_RCVD, HF_WHY_CROSSED_SYN);
        c->syn_due = true;
        hf_output_want(s, c);
        (void)mark_urgent(c, seg); /* URG, text and FIN are for ESTABLISHED */
        hf_receive_keep(s, c, in);
        return;
    }
    hf_send_acked(s, c, seg);
    if (path_is_told) /* now the segments are smaller than when the window began */
        begin_window(s, c);
    establish(s, c, HF_WHY_SYNACK);
    hf_output_ack_now(s, c, HF_NONE);
    check_urg(s, c, seg);
    hf_receive_text(s, c, in);
}

/* ---- the eight checks [RFC9293#3.10.7.4] --------------------------------------------------- */

/** 1a: an old duplicate, by its timestamp [RFC7323#5.3]. */
static bool check_timestamp(struct hf_stack *s, struct hf_conn *c, const struct hf_segment *seg)
{
    if (!c->ts_on || (seg->flags & HF_RST) != 0)
        return true;
    if (!seg->has_timestamps) {
        /* A SYN, of a peer that has forgotten us, is challenged whatever it carries
         * [RFC5961#4.2]. */
        if ((seg->flags & HF_SYN) != 0)
            return true;
        hf_drop(s, c, HF_DROP_NO_TIMESTAMP, seg);
        return false;
    }
    if ((int32_t)(seg->ts_value - c->ts_recent) >= 0 ||
        hf_stack_s(s) - c->ts_recent_s > PAWS_VALID_S)
        return true;
    hf_drop(s, c, HF_DROP_PAWS, seg);
    answer(s, c, seg, HF_ACK_PAWS);
    return false;
}

/** A segment begins here, be it in a super-packet. */
static bool begins_at(const struct hf_arrival *in, hf_seq seq)
{
    uint32_t distance = seq.v - in->seg->seq;
    return distance == 0 || (distance < in->seg->payload_bytes && distance % in->full_sized == 0);
}

static bool is_in_window(const struct hf_conn *c, const struct hf_arrival *in)
{
    uint32_t length = hf_segment_length(in->seg);
    hf_seq seq = hf_seq_make(in->seg->seq);
    if (hf_conn_rcv_wnd(c) == 0) /* [MUST-66] [UN-12] ACK, RST, URG count without room for text */
        return begins_at(in, c->rcv_nxt);
    if (hf_seq_ge(seq, c->rcv_nxt))
        return hf_seq_lt(seq, c->rcv_adv);
    /* It may end behind the window too: RFC 9293 3.4 looks at both ends only, but what it asks for
     * is a segment with some octet inside, as a super-packet's segments would be. */
    return length > 0 && hf_seq_gt(hf_seq_add(seq, length), c->rcv_nxt);
}

/** The peer did not hear our SYN,ACK. DEVIATION D-1: SYN,ACK again rather than an ACK, which does
 *  not help a peer in SYN-SENT. */
static bool is_same_syn(const struct hf_conn *c, const struct hf_segment *seg)
{
    return c->state == HF_SYN_RCVD && (seg->flags & (HF_SYN | HF_ACK | HF_RST)) == HF_SYN &&
           hf_seq_eq(hf_seq_make(seg->seq), c->irs);
}

/** The octet before the next one, or no octet there: a keep-alive or window probe [SHLD-12]. */
static bool is_probe(const struct hf_conn *c, const struct hf_segment *seg)
{
    return hf_seq_eq(hf_seq_make(seg->seq), hf_seq_sub(c->rcv_nxt, 1)) &&
           hf_segment_length(seg) == seg->payload_bytes && seg->payload_bytes <= 1;
}

/** 1b: the sequence number. */
static bool check_sequence(struct hf_stack *s, struct hf_conn *c, const struct hf_arrival *in)
{
    const struct hf_segment *seg = in->seg;
    /* [RFC5961#4.2] a SYN is challenged wherever it stands, and counts as such. */
    bool syn = (seg->flags & (HF_SYN | HF_RST)) == HF_SYN && hf_conn_is_synchronized(c);
    if (is_in_window(c, in) || syn)
        return true;
    if ((seg->flags & HF_RST) != 0) {
        hf_drop(s, c, HF_DROP_RST_OUT_OF_WINDOW, seg);
        return false;
    }
    bool old = hf_seq_lt(hf_seq_make(seg->seq), c->rcv_nxt);
    if (old)
        hf_twice_note(s, c, hf_seq_make(seg->seq), hf_segment_length(seg));
    hf_drop(s, c, old ? HF_DROP_OLD_DUPLICATE : HF_DROP_OUT_OF_WINDOW, seg);
    answer(s, c, seg, is_probe(c, seg) ? HF_ACK_KEEPALIVE : HF_ACK_OUT_OF_WINDOW);
    return false;
}

/** 2: RST [RFC5961#3.2]; text that it carries is passed over [SHLD-2]. */
static bool check_rst(struct hf_stack *s, struct hf_conn *c, const struct hf_segment *seg)
{
    if ((seg->flags & HF_RST) == 0)
        return true;
    if (seg->seq != c->rcv_nxt.v) {
        hf_drop(s, c, HF_DROP_RST_CHALLENGED, seg);
        challenge(s, c, HF_ACK_CHALLENGE_RST);
        return false;
    }
    hf_trace_conn(s, c, HF_TRACE_RST_IN, HF_RST_IN_EXACT, 0, 0, seg);
    bool refused = c->state == HF_SYN_RCVD && !c->passive;
    /* Both FINs were exchanged: nothing was lost by this RST. */
    bool done = c->state == HF_CLOSING || c->state == HF_LAST_ACK;
    enum hf_closed how = refused ? HF_CLOSED_REFUSED : HF_CLOSED_RESET;
    hf_conn_end(s, c, how, HF_WHY_RST, done);
    return false;
}

/** 4: SYN [RFC5961#4.2]. (3 is the security check that hosts do not have [RFC9293#A.1].) */
static bool check_syn(struct hf_stack *s, struct hf_conn *c, const struct hf_segment *seg)
{
    if ((seg->flags & HF_SYN) == 0)
        return true;
    if (c->state == HF_SYN_RCVD && c->passive) {
        hf_drop(s, c, HF_DROP_SYN_RCVD, seg);
        hf_conn_end(s, c, HF_CLOSED_RESET, HF_WHY_SYN_AGAIN, false);
        return false;
    }
    hf_drop(s, c, HF_DROP_SYN_CHALLENGED, seg);
    challenge(s, c, HF_ACK_CHALLENGE_SYN);
    return false;
}

/** The peer may have begun to send anew, with a small window: each ACK lets it grow, and a lone
 *  segment waits for its own. Out of line: it is rare. */
__attribute__((noinline)) static void after_silence(const struct hf_stack *s, struct hf_conn *c)
{
    c->quick_acks = (uint8_t)hf_max_u32(c->quick_acks, (uint32_t)s->p.cfg.quick_acks_after_idle);
}

/** After the checks that an attacker's segment fails. */
void hf_conn_heard(struct hf_stack *s, struct hf_conn *c, const struct hf_segment *seg)
{
    if (c->ts_on && hf_seq_le(hf_seq_make(seg->seq), c->last_ack_sent)) { /* [RFC7323#4.3] */
        c->ts_recent = seg->ts_value;
        c->ts_recent_s = hf_stack_s(s);
    }
    if (hf_stamp_age(c->heard, s->p.now_ns) > c->rtt.rto_us)
        after_silence(s, c);
    c->heard = hf_stamp_make(s->p.now_ns);
    c->probe_count = 0;
}

static bool acks_the_handshake(struct hf_stack *s, struct hf_conn *c, const struct hf_arrival *in)
{
    hf_seq ack = hf_seq_make(in->seg->ack);
    if (hf_seq_gt(ack, c->snd_una) && hf_seq_le(ack, c->snd_nxt))
        return true;
    hf_drop(s, c, HF_DROP_ACK_HANDSHAKE, in->seg);
    hf_reply_rst(s, in, HF_RST_HANDSHAKE_ACK);
    return false;
}

/** [RFC5961#5.2] acknowledgments that no segment of ours can have drawn. */
static bool ack_is_possible(struct hf_stack *s, struct hf_conn *c, const struct hf_segment *seg)
{
    hf_seq ack = hf_seq_make(seg->ack);
    enum hf_reason drop = HF_NONE;
    if (hf_seq_gt(ack, c->snd_nxt))
        drop = HF_DROP_ACK_UNSENT;
    else if (hf_seq_lt(ack, hf_seq_sub(c->snd_una, c->max_snd_wnd)))
        drop = HF_DROP_ACK_TOO_OLD;
    if (drop == HF_NONE)
        return true;
    hf_drop(s, c, drop, seg);
    challenge(s, c, HF_ACK_CHALLENGE_ACK);
    return false;
}

/** [RFC5681#2] (a) to (e). Before a closed window it answers a probe and says nothing of loss. A
 *  tail loss probe has an answer coming when nothing is in flight any more [RFC8985#7.4.2]. */
static bool is_duplicate_ack(const struct hf_stack *s, const struct hf_conn *c,
                             const struct hf_segment *seg)
{
    const struct hf_flight *f = hf_flight_of(s, c);
    bool awaits = hf_conn_in_flight(c) > 0 || (f != NULL && f->probe.open);
    return awaits && !c->syn_unacked && hf_segment_length(seg) == 0 && c->snd_wnd > 0 &&
           hf_seq_eq(hf_seq_make(seg->ack), c->snd_una) &&
           (uint32_t)seg->window << c->snd_shift == c->snd_wnd;
}

/** SND.UNA stays, and yet something may be said of what is in flight, or was. */
static void take_other_news(struct hf_stack *s, struct hf_conn *c, const struct hf_segment *seg)
{
    struct hf_ack a = {seg, c->snd_una, hf_conn_in_flight(c), 0, is_duplicate_ack(s, c, seg)};
    if (c->flight == HF_NIL || c->syn_unacked || (!a.duplicate && seg->sack_count == 0))
        return;
    hf_recovery_on_ack(s, c, hf_flight_of(s, c), &a);
    hf_loss_timer_on_sack(s, c);
    hf_output_want(s, c);
}

/** Our FIN is acknowledged: the next state of the ways to close. False: the connection is over. */
static bool after_fin_acked(struct hf_stack *s, struct hf_conn *c)
{
    switch ((enum hf_state)c->state) {
    case HF_FIN_WAIT_1:
        hf_conn_set_state(s, c, HF_FIN_WAIT_2, HF_WHY_FIN_ACKED);
        hf_timer_orphan(s, c);
        return true;
    case HF_CLOSING: hf_time_wait_enter(s, c, HF_WHY_FIN_ACKED); return false;
    case HF_LAST_ACK: hf_conn_end(s, c, HF_CLOSED_FIN, HF_WHY_FIN_ACKED, true); return false;
    case HF_FIN_WAIT_2:
    case HF_TIME_WAIT: return true;
    case HF_CLOSED:
    case HF_LISTEN:
    case HF_SYN_SENT:
    case HF_SYN_RCVD:
    case HF_ESTABLISHED:
    case HF_CLOSE_WAIT: break;
    }
    HF_UNREACHABLE("after_fin_acked: no FIN was sent in this state");
}

/** 5: ACK. */
static bool check_ack(struct hf_stack *s, struct hf_conn *c, const struct hf_arrival *in)
{
    const struct hf_segment *seg = in->seg;
    if ((seg->flags & HF_ACK) == 0) {
        hf_drop(s, c, HF_DROP_NO_ACK, seg);
        return false;
    }
    bool opening = c->state == HF_SYN_RCVD;
    if (opening ? !acks_the_handshake(s, c, in) : !ack_is_possible(s, c, seg))
        return false;
    hf_conn_heard(s, c, seg);
    bool syn_unacked = c->syn_unacked;
    if (hf_seq_gt(hf_seq_make(seg->ack), c->snd_una))
        hf_send_acked(s, c, seg);
    else
        take_other_news(s, c, seg);
    if (syn_unacked && !c->syn_unacked) {
        if (opening) {
            begin_window(s, c); /* [RFC5681#3.1] anew: by now it is known if our SYN was lost */
            establish(s, c, HF_WHY_HANDSHAKE_ACK);
            if (c->urgent_in) /* of the SYN that crossed ours */
                hf_conn_raise(s, c, HF_EV_URGENT);
        } else { /* closed before it was established */
            hf_conn_raise(s, c, HF_EV_CONNECTED);
        }
        if (c->flight != HF_NIL)
            hf_receive_kept(s, c, seg);
    }
    hf_send_window(s, c, in);
    return hf_fin_is_acked(c) ? after_fin_acked(s, c) : true;
}

static void checks(struct hf_stack *s, struct hf_conn *c, const struct hf_arrival *in)
{
    const struct hf_segment *seg = in->seg;
    if (is_same_syn(c, seg)) {
        if (!hf_conn_may_challenge(s, c))
            return;
        hf_trace_conn(s, c, HF_TRACE_ACK_OUT, HF_ACK_SYN_AGAIN, 0, 0, seg);
        if (!c->syn_due)                 /* else it draws what has not left yet: nothing was lost */
            c->syn_retransmitted = true; /* [MUST-18] Karn */
        c->syn_due = true;
        hf_output_want(s, c);
        return;
    }
    if (!check_timestamp(s, c, seg) || !check_sequence(s, c, in) || !check_rst(s, c, seg) ||
        !check_syn(s, c, seg) || !check_ack(s, c, in))
        return;
    check_urg(s, c, seg);
    hf_receive_text(s, c, in); /* 7: text, 8: FIN */
}

void hf_conn_input(struct hf_stack *s, struct hf_conn *c, const struct hf_arrival *in)
{
    if (c->held)
        held_input(s, c, in->seg);
    else if (c->state == HF_SYN_SENT)
        syn_sent_input(s, c, in);
    else if (c->state == HF_TIME_WAIT)
        hf_time_wait_conn_input(s, c, in);
    else
        checks(s, c, in);
}
