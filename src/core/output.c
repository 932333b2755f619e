/**
 * What a connection has to send: the list of reasons, in order of urgency, each of which plans a
 * segment; then one builder that makes the packet, and one place that notes what was sent.
 */
#include "emit.h"
#include "receive.h"
#include "timers.h"

enum { SACK_OPTION_BYTES = 4, SACK_BLOCK_BYTES = 8, SUPER_HEADROOM_BYTES = 120 };

enum plan_kind { PLAN_SYN, PLAN_RESEND, PLAN_NEW, PLAN_PROBE, PLAN_ACK };

/** A segment that will be sent. */
struct plan {
    enum plan_kind kind;
    struct hf_flight *flight; /**< the connection's; NULL: there is none */
    hf_seq seq;
    uint32_t bytes; /**< payload */
    uint32_t mss;   /**< if bytes is more, the link cuts */
    bool fin, push;
    bool probe;           /**< the tail loss probe */
    enum hf_reason again; /**< why it is sent again; HF_NONE: told already, or it is not */
    hf_ns pace_ns;        /**< how long the rate has the next one wait; 0: it does not */
};

/* ---- wanting ------------------------------------------------------------------------------ */

void hf_output_ack_now(struct hf_stack *s, struct hf_conn *c, enum hf_reason reason)
{
    if (reason != HF_NONE)
        hf_trace_conn(s, c, HF_TRACE_ACK_OUT, reason, 0, 0, NULL);
    c->ack_due = true;
    hf_output_want(s, c);
}

static bool may_send_data(const struct hf_conn *c)
{
    switch ((enum hf_state)c->state) {
    case HF_ESTABLISHED:
    case HF_CLOSE_WAIT:
    case HF_FIN_WAIT_1:
    case HF_CLOSING:
    case HF_LAST_ACK: return true;
    case HF_CLOSED:
    case HF_LISTEN:
    case HF_SYN_SENT:
    case HF_SYN_RCVD:
    case HF_FIN_WAIT_2:
    case HF_TIME_WAIT: return false;
    }
    return false;
}

/* ---- planning ----------------------------------------------------------------------------- */

/** Options that tell of out-of-order data; no setting lets an MSS be below 48. */
static uint32_t sack_bytes(const struct hf_stack *s, const struct hf_conn *c)
{
    struct hf_segment seg = {0};
    hf_gaps_sack(s, c, &seg);
    if (seg.sack_count == 0)
        return 0;
    return SACK_OPTION_BYTES + (uint32_t)seg.sack_count * SACK_BLOCK_BYTES;
}

/** Payload of a full-sized segment beside the SACK blocks that go along [MUST-16]. */
static uint32_t payload_limit(const struct hf_stack *s, const struct hf_conn *c,
                              const struct hf_flight *f)
{
    /* More than a packet's slices can hold, of small blocks and a huge MTU, is no segment. */
    uint32_t mss = hf_min_u32(hf_conn_mss(c), hf_slices_limit(s));
    return hf_sack_is_due(c, f) ? mss - sack_bytes(s, c) : mss;
}

static bool is_urgent(const struct hf_conn *c, hf_seq seq)
{
    return c->urgent_out && hf_seq_gt(c->snd_up, seq);
}

/** The largest payload of one packet: a segment, or a super-packet of whole segments. Without a
 *  flight record one segment goes at a time; so do urgent ones, for the pointer differs in each of
 *  them, and no link that cuts sees to that. Nor to a duplicate being told once only. */
static uint32_t packet_limit(const struct hf_stack *s, const struct hf_conn *c, hf_seq next,
                             uint32_t mss)
{
    uint32_t super = (uint32_t)s->p.cfg.offload_super_bytes;
    if (super <= mss + SUPER_HEADROOM_BYTES || s->p.cfg.offload_checksum == 0 ||
        c->flight == HF_NIL || is_urgent(c, next) || c->twice_due)
        return mss;
    uint32_t limit = hf_min_u32(super - SUPER_HEADROOM_BYTES, hf_slices_limit(s));
    return limit - limit % mss;
}

/** [seq, seq + numbers) again, of which the last may be the FIN. */
static void plan_again(const struct hf_conn *c, struct plan *p, hf_seq seq, uint32_t numbers,
                       uint32_t mss)
{
    hf_seq fin = hf_conn_data_end(c);
    p->kind = PLAN_RESEND;
    p->seq = seq;
    p->mss = mss;
    p->fin = c->fin_sent && hf_seq_gt(hf_seq_add(seq, numbers), fin);
    p->bytes = numbers - p->fin;
    p->push = p->bytes > 0 && hf_seq_eq(hf_seq_add(seq, p->bytes), fin);
}

/** As many numbers from seq on, which is in flight, as go into a segment. */
static uint32_t in_one_segment(const struct hf_conn *c, hf_seq seq, uint32_t mss)
{
    uint32_t numbers = c->snd_nxt.v - seq.v;
    return numbers - c->fin_sent <= mss ? numbers : mss;
}

/** The first unacknowledged segment again. [RFC7323#2.4] [SHLD-16] in the window or not: it was
 *  once. */
static void plan_resend_first(const struct hf_stack *s, const struct hf_conn *c, struct plan *p)
{
    hf_seq base = hf_conn_data_base(c);
    uint32_t mss = payload_limit(s, c, p->flight);
    plan_again(c, p, base, in_one_segment(c, base, mss), mss);
}

/** Sender's silly-window avoidance [MUST-38] and Nagle [SHLD-7] for a segment that is not full
 *  [RFC9293#3.8.6.2.1]. */
static bool may_send_short(const struct hf_conn *c, const struct plan *p, uint32_t waiting,
                           uint32_t in_flight)
{
    if (c->override_due || (c->fin_queued && p->bytes == waiting))
        return true;
    if (p->bytes < waiting) /* the window holds it back */
        return p->bytes >= c->max_snd_wnd / 2;
    if (c->options.cork || c->more_coming)
        return false;
    if (is_urgent(c, p->seq))
        return true;
    return !c->options.nagle || in_flight == 0; /* [RFC9293#3.7.4] */
}

/** How much from `next` on the peer's window admits. */
static uint32_t peer_room(const struct hf_conn *c, hf_seq next)
{
    uint32_t used = next.v - c->snd_una.v;
    /* [MUST-34] [SHLD-15] It may have shrunk below what is in flight. */
    return hf_rest_u32(c->snd_wnd, used);
}

/** How much the congestion window admits: what arrived or was lost is in flight no more. So the
 *  first duplicate ACKs each let a new segment out: limited transmit [RFC3042] [RFC6675#5]. */
static uint32_t cwnd_room(const struct hf_conn *c, const struct hf_flight *f)
{
    return hf_rest_u32(c->cc.cwnd_bytes, hf_conn_pipe(c, f));
}

/** New data, as much as the peer's window and `room` admit, in a plan that is empty yet; no FIN was
 *  sent. False: nothing may be sent. */
static bool plan_new(const struct hf_stack *s, const struct hf_conn *c, struct plan *p,
                     uint32_t room)
{
    hf_seq next = c->snd_nxt, end = hf_conn_data_end(c);
    uint32_t waiting = hf_seq_gt(end, next) ? end.v - next.v : 0;
    uint32_t in_flight = hf_conn_in_flight(c);
    p->kind = PLAN_NEW;
    p->seq = next;
    p->mss = payload_limit(s, c, p->flight);
    p->bytes = hf_min_u32(waiting, hf_min_u32(room, peer_room(c, next)));
    if (p->bytes >= p->mss) { /* [SHLD-28] */
        p->bytes = hf_min_u32(p->bytes, packet_limit(s, c, next, p->mss));
        p->bytes -= p->bytes % p->mss;
    } else if (waiting > 0 && !may_send_short(c, p, waiting, in_flight)) {
        return false;
    }
    bool last = p->bytes == waiting;
    /* A FIN takes one number of the window like a byte does, but of the congestion window not.
     * DEVIATION D-13: so it waits for a window. */
    p->fin = c->fin_queued && last && c->snd_wnd > in_flight + p->bytes;
    p->push = last && p->bytes > 0; /* [MUST-61] */
    return p->bytes > 0 || p->fin;
}

/** What is lost, from its first segment on, as much as the windows admit [CO-8985-14]. Nothing else
 *  is sent again before its time [CO-6675-10]. */
static bool plan_lost(struct hf_stack *s, const struct hf_conn *c, struct plan *p)
{
    struct hf_board b = hf_flight_board(s, p->flight, 0);
    const struct hf_run *run = hf_board_first_lost(&b);
    uint32_t mss = payload_limit(s, c, p->flight), numbers = run->bytes;
    uint32_t fin = hf_seq_gt(hf_run_end(run), hf_conn_data_end(c)); /* DEVIATION D-13 */
    uint32_t room = hf_min_u32(cwnd_room(c, p->flight) + fin, peer_room(c, run->begin));
    room = hf_min_u32(room, packet_limit(s, c, run->begin, mss) + fin);
    if (numbers > room)
        numbers = room / mss * mss;
    if (numbers == 0)
        return false;
    plan_again(c, p, run->begin, numbers, mss);
    p->again = (enum hf_reason)run->why;
    return true;
}

/** New data if there is some, else the last segment again [RFC8985#7.3]: the ACK of either shows
 *  whether the tail was lost. A bare FIN would not: receivers need not report one beyond a gap. The
 *  congestion window has no say [CO-8985-18]. */
static bool plan_loss_probe(struct hf_stack *s, const struct hf_conn *c, struct plan *p)
{
    struct hf_flight *f = p->flight;
    uint32_t mss = payload_limit(s, c, f);
    f->probe.due = false;
    if (c->snd_wnd == 0) /* it closed since the timer fired: the timeout probes that. D-34 */
        return false;
    bool data = hf_seq_gt(hf_conn_data_end(c), c->snd_nxt);
    struct hf_board b = hf_flight_board(s, f, 1);
    if (!data || !hf_board_may_append(&b) || !plan_new(s, c, p, mss)) {
        hf_seq begin;
        uint32_t numbers = hf_board_last_segment(&b, c->fin_sent, &begin);
        HF_ASSERT(numbers > 0); /* that it has arrived would have ended this */
        /* Its end will do where it goes into a segment no more: the path's MTU is smaller now, or
         * blocks go along that did not then. */
        uint32_t fits = in_one_segment(c, begin, mss);
        if (fits < numbers) {
            begin = hf_seq_add(begin, numbers - fits);
            numbers = fits;
        }
        *p = (struct plan){.flight = f, .again = HF_RETRANSMIT_LOSS_PROBE};
        plan_again(c, p, begin, numbers, mss);
    }
    p->probe = true;
    return true;
}

/** The rate that packets leave at. Below the pacer's slack, a window's packets leave within what
 *  timers can tell apart. */
static bool has_pace(const struct hf_stack *s, const struct hf_conn *c)
{
    return s->p.cfg.pacing != 0 && hf_rtt_srtt_ns(&c->rtt) >= HF_PACER_SLACK_NS;
}

/** The rate lets this leave now, as much of it as may leave at once. */
static bool is_its_time(struct hf_stack *s, struct hf_conn *c, struct plan *p)
{
    struct hf_flight *f = p->flight;
    bool slow_start = c->cc.cwnd_bytes < c->cc.ssthresh_bytes;
    struct hf_pace pace = hf_pace_make(c->cc.cwnd_bytes, hf_rtt_srtt_ns(&c->rtt), slow_start);
    if (f->pacer.next_at == INT64_MIN)
        hf_pacer_start(&f->pacer, hf_recovery_start_event(s, c).initial_window_bytes, s->p.now_ns);
    f->pacer.waits = f->pacer.next_at > s->p.now_ns;
    if (f->pacer.waits) {
        hf_timer_again(s, c);
        return false;
    }
    uint32_t least = hf_pacer_segs(s->flights.used) * p->mss;
    if (p->bytes > least) {
        uint32_t most = hf_pace_burst_bytes(&pace, least) / p->mss * p->mss;
        if (p->bytes > most) {
            p->bytes = most;
            p->fin = p->push = false;
        }
    }
    p->pace_ns = hf_pacer_span(&f->pacer, &pace, p->bytes);
    return true;
}

static bool may_leave(struct hf_stack *s, struct hf_conn *c, struct plan *p)
{
    return !has_pace(s, c) || is_its_time(s, c, p);
}

/** Nothing is in flight, and nothing was for longer than a timeout. */
static bool was_idle(const struct hf_stack *s, const struct hf_conn *c)
{
    hf_ns idle_ns = s->p.now_ns - hf_stamp_ns(c->progress, s->p.now_ns);
    return hf_conn_in_flight(c) == 0 && idle_ns > hf_rtt_rto_ns(&c->rtt);
}

/** A burst into a path that was idle for long starts small again [RFC5681#4.1]. */
static void restart_after_idle(struct hf_stack *s, struct hf_conn *c)
{
    if (s->p.cfg.idle_restart == 0)
        return;
    struct hf_cc_event e = hf_recovery_start_event(s, c);
    hf_stack_cc(s)->on_idle(&c->cc, &e);
}

/** What the congestion window and the rate have to admit. */
static bool plan_in_window(struct hf_stack *s, struct hf_conn *c, struct plan *p)
{
    if (p->flight != NULL && p->flight->board.lost_bytes > 0)
        return plan_lost(s, c, p) && may_leave(s, c, p);
    if (!hf_conn_has_unsent(c))
        return false;
    if (was_idle(s, c))
        restart_after_idle(s, c);
    if (p->flight == NULL)
        p->flight = hf_conn_need_flight(s, c);
    if (p->flight == NULL) {
        hf_trace_conn(s, c, HF_TRACE_LIMIT, HF_LIMIT_FLIGHT, s->flights.used, s->flights.limit,
                      NULL);
        return hf_conn_in_flight(c) == 0 && plan_new(s, c, p, cwnd_room(c, NULL));
    }
    struct hf_board b = hf_flight_board(s, p->flight, 1);
    if (!hf_board_may_append(&b)) /* there is an ACK to come, or a time-out, that makes room */
        return false;
    return plan_new(s, c, p, cwnd_room(c, p->flight)) && may_leave(s, c, p);
}

static bool plan_data(struct hf_stack *s, struct hf_conn *c, struct plan *p)
{
    if (c->rtx_due) {
        plan_resend_first(s, c, p);
        return true;
    }
    if (p->flight != NULL && p->flight->probe.due && plan_loss_probe(s, c, p))
        return true;
    return plan_in_window(s, c, p);
}

/** An octet from before the window, so that the peer has to answer [RFC9293#3.8.6.1] [MUST-36]
 *  [SHLD-12]; nothing of the stream goes along: DEVIATION D-12 for the window's probe. False: the
 *  peer was heard since it became due, and has said what it would say [MUST-26]. */
static bool plan_probe(struct hf_conn *c, struct plan *p)
{
    c->probe_due = c->probe_count > 0;
    hf_seq seq = c->rtx_timer == HF_RTX_KEEPALIVE ? c->snd_nxt : c->snd_una;
    if (c->probe_due)
        *p = (struct plan){.kind = PLAN_PROBE, .flight = p->flight, .seq = hf_seq_sub(seq, 1)};
    return c->probe_due;
}

static bool plan_next(struct hf_stack *s, struct hf_conn *c, struct plan *p)
{
    *p = (struct plan){.kind = PLAN_SYN, .seq = c->iss, .flight = hf_flight_of(s, c)};
    if (c->syn_due)
        return true;
    if (may_send_data(c) && plan_data(s, c, p))
        return true;
    if (c->probe_due && plan_probe(c, p))
        return true;
    if (c->ack_due) {
        *p = (struct plan){.kind = PLAN_ACK, .flight = p->flight, .seq = c->snd_nxt};
        return true;
    }
    return false;
}

/* ---- building ----------------------------------------------------------------------------- */

static void fill_syn(struct hf_stack *s, struct hf_conn *c, struct hf_segment *seg)
{
    const struct hf_config *cfg = &s->p.cfg;
    bool answer = c->state != HF_SYN_SENT;
    seg->flags = answer ? HF_SYN | HF_ACK : HF_SYN; /* no ECE, no CWR [SHLD-8]: DEVIATION D-18 */
    seg->ack = answer ? c->rcv_nxt.v : 0;
    seg->has_mss = true; /* [MUST-14] [SHLD-5] [MAY-3], and on no other segment [MUST-65] */
    seg->mss_bytes = hf_conn_mss_limit(c);
    seg->has_wscale = answer ? c->wscale_on : cfg->window_scale >= 0;
    seg->wscale = hf_stack_shift(s);
    seg->has_sack_permitted = answer ? c->sack_on : cfg->sack == 1;
    seg->has_timestamps = answer ? c->ts_on : cfg->timestamps == 1;
    seg->window = hf_conn_syn_window(s, c);
}

static void fill_segment(struct hf_stack *s, struct hf_conn *c, const struct plan *p,
                         struct hf_segment *seg)
{
    *seg = (struct hf_segment){
        .source_port = c->local_port,
        .destination_port = c->remote_port,
        .seq = p->seq.v,
        .payload_bytes = p->bytes,
    };
    if (p->kind == PLAN_SYN) {
        fill_syn(s, c, seg);
    } else {
        seg->flags = (uint16_t)(HF_ACK | (p->push ? HF_PSH : 0) | (p->fin ? HF_FIN : 0));
        seg->ack = c->rcv_nxt.v;
        seg->window = hf_receive_window(s, c);
        seg->has_timestamps = c->ts_on;
        if (hf_sack_is_due(c, p->flight))
            hf_gaps_sack(s, c, seg);
        if (p->bytes > 0 && is_urgent(c, p->seq)) {
            seg->flags |= HF_URG; /* [MUST-30] */
            seg->urgent_pointer = (uint16_t)hf_min_u32(c->snd_up.v - p->seq.v, UINT16_MAX);
        }
    }
    if (seg->has_timestamps) {
        seg->ts_value = hf_stack_timestamp(s, c->ts_offset);
        seg->ts_echo = (seg->flags & HF_ACK) != 0 ? c->ts_recent : 0; /* [RFC7323#3.2] */
    }
}

hf_sum hf_emit_more_slices(struct hf_stack *s, struct hf_place at, uint32_t bytes, bool summed,
                           struct hf_out_packet *out)
{
    struct hf_slice *slices = &s->slices[s->slices_used - 1];
    uint32_t count = 1, done = (uint32_t)slices[0].length_bytes, length = done;
    hf_sum sum = 0;
    while (done < bytes) {
        at = hf_place_advance(&s->blocks, at, length);
        HF_ASSERT(count < HF_OUTPUT_SLICES_EACH && at.block != HF_NIL);
        struct hf_slice slice = hf_place_slice(&s->blocks, at, bytes - done);
        if (summed)
            sum = hf_sum_join(sum, hf_sum_bytes(0, slice.bytes, slice.length_bytes), done);
        slices[count++] = slice;
        length = (uint32_t)slice.length_bytes;
        done += length;
    }
    s->slices_used += count - 1;
    out->slice_count = (uint16_t)count;
    return sum;
}

static void build(struct hf_stack *s, struct hf_conn *c, const struct plan *p, uint8_t *header,
                  struct hf_out_packet *out)
{
    struct hf_segment seg;
    fill_segment(s, c, p, &seg);
    bool partial = s->p.cfg.offload_checksum != 0;
    *out = (struct hf_out_packet){
        .header = header,
        .segment_bytes = p->bytes > p->mss ? (uint16_t)p->mss : 0,
        .flags = partial ? HF_PACKET_CSUM_PARTIAL : 0,
        .checksum_offset = HF_TCP_CHECKSUM_OFFSET,
    };
    hf_sum sum = 0;
    if (p->bytes > 0)
        sum = hf_emit_payload(s, c, p->flight, p->seq, p->bytes, !partial, out);
    /* The connection's own local address [MUST-45], Diffserv as it was given [SHLD-22]. */
    size_t n =
        hf_emit_segment(s, hf_local_addr(s, c->local), &c->remote, c->options.ttl,
                        c->options.traffic_class, &seg, sum, partial, header, &out->ip_bytes);
    out->header_bytes = (uint16_t)n;
    out->length_bytes = (uint32_t)n + p->bytes;
    if (s->trace != NULL)
        hf_trace_conn(s, c, HF_TRACE_SEGMENT_OUT, HF_NONE, 0, 0, &seg);
}

/* ---- noting what was sent ------------------------------------------------------------------ */

static void sent_new(struct hf_stack *s, struct hf_conn *c, const struct plan *p)
{
    struct hf_flight *f = p->flight;
    if (p->fin)
        c->fin_sent = true;
    c->override_due = false;
    c->probe_due = false; /* [MUST-26] data is outstanding now, and asks as much */
    hf_emit_sent_new(s, c, f, p->bytes, p->fin, p->mss, p->pace_ns);
}

static void sent_again(struct hf_stack *s, struct hf_conn *c, const struct plan *p)
{
    struct hf_flight *f = p->flight;
    c->rtx_due = false;
    uint32_t segs = p->bytes > p->mss ? p->bytes / p->mss : 1; /* of a super-packet: whole ones */
    c->retransmitted_segs = (uint16_t)hf_min_u32(c->retransmitted_segs + segs, UINT16_MAX);
    s->p.segments_again += segs;
    s->p.bytes_again += p->bytes;
    if (p->again != HF_NONE)
        hf_trace_conn(s, c, HF_TRACE_RETRANSMIT, p->again, p->seq.v, c->rtx_count, NULL);
    if (f == NULL)
        return;
    hf_recovery_sent_again(s, c, f, p->seq, p->bytes + p->fin, p->mss);
    hf_pacer_sent(&f->pacer, p->bytes, p->pace_ns, s->p.now_ns);
}

static void sent_data(struct hf_stack *s, struct hf_conn *c, const struct plan *p)
{
    bool again = p->kind == PLAN_RESEND;
    if (again)
        sent_again(s, c, p);
    else
        sent_new(s, c, p);
    if (p->probe)
        hf_loss_probe_sent(c, p->flight, again);
    if (again || p->probe || !hf_loss_timer_is_planned(s, p->flight))
        hf_loss_timer_on_sent(s, c, p->flight, hf_conn_mss(c), again);
}

/** Its round trip and its timer begin now, whenever it was asked for. */
static void sent_first_syn(struct hf_stack *s, struct hf_conn *c)
{
    hf_ns again_at = hf_ns_add(s->p.now_ns, hf_rtt_rto_ns(&c->rtt));
    c->snd_nxt = hf_seq_add(c->iss, 1);
    if (c->rtx_at != again_at)
        hf_timer_rtx(s, c, HF_RTX_SYN, again_at);
}

static void sent(struct hf_stack *s, struct hf_conn *c, const struct plan *p)
{
    switch (p->kind) {
    case PLAN_SYN:
        c->syn_due = false;
        if (hf_seq_eq(c->snd_nxt, c->iss))
            sent_first_syn(s, c);
        if (c->state == HF_SYN_SENT)
            return; /* no ACK went along */
        break;
    case PLAN_RESEND:
    case PLAN_NEW: sent_data(s, c, p); break;
    case PLAN_PROBE: /* the peer may drop it unread, so it takes no ACK along */
        c->probe_due = false;
        return;
    case PLAN_ACK: break;
    }
    hf_emit_sent_ack(c, p->flight);
    if (c->twice_due) { /* [RFC2883#4] once only, whether this arrives or not */
        c->twice_due = false;
        hf_conn_release_flight(s, c);
    }
}

/* ---- the rest ----------------------------------------------------------------------------- */

bool hf_output_ack_apart(struct hf_stack *s, struct hf_conn *c)
{
    if (c->syn_due || !hf_reply_has_room_apart(s)) /* nothing leaves ahead of a SYN */
        return false;
    struct plan p = {.kind = PLAN_ACK, .flight = hf_flight_of(s, c), .seq = c->snd_nxt};
    struct hf_segment seg;
    fill_segment(s, c, &p, &seg);
    (void)hf_reply_conn_segment(s, c, &seg);
    sent(s, c, &p);
    return true;
}

void hf_output_arm(struct hf_stack *s, struct hf_conn *c)
{
    if (c->syn_unacked || hf_conn_in_flight(c) > 0)
        return; /* their timer runs */
    if (!may_send_data(c) || !hf_conn_has_unsent(c)) {
        if (c->rtx_timer != HF_RTX_KEEPALIVE && c->rtx_timer != HF_RTX_SETTLE)
            hf_timer_idle(s, c);
        return;
    }
    /* Something waits and nothing is in flight: the peer's window or our own rules hold it. */
    if (c->rtx_timer == HF_RTX_PERSIST || c->rtx_timer == HF_RTX_OVERRIDE)
        return;
    c->progress = hf_stamp_make(s->p.now_ns);
    if (c->snd_wnd == 0) { /* [SHLD-29]; and [MUST-60]: what waits has a timer, whatever holds it */
        c->override_due = false; /* [MUST-38] of the window that will open nothing is known */
        hf_timer_rtx(s, c, HF_RTX_PERSIST, hf_ns_add(s->p.now_ns, hf_rtt_rto_ns(&c->rtt)));
    } else {
        hf_timer_rtx(s, c, HF_RTX_OVERRIDE, hf_ns_add(s->p.now_ns, s->p.cfg.sws_override_ns));
    }
}

/** Nothing can follow a plain ACK, the last of the reasons; nor new data that was all there is. */
static bool may_send_more(const struct hf_conn *c, const struct plan *p)
{
    if (p->kind == PLAN_ACK)
        return false;
    return p->kind != PLAN_NEW || hf_conn_has_unsent(c);
}

enum hf_turn hf_output_conn(struct hf_stack *s, struct hf_conn *c, uint8_t *header,
                            struct hf_out_packet *out)
{
    struct plan p;
    bool any = plan_next(s, c, &p);
    if (any) {
        build(s, c, &p, header, out);
        sent(s, c, &p);
        if (may_send_more(c, &p))
            return HF_TURN_MORE;
    }
    hf_output_arm(s, c);
    return any ? HF_TURN_LAST : HF_TURN_NOTHING;
}

bool hf_output_agrees(const struct hf_stack *s, const struct hf_conn *c, uint32_t bytes,
                      uint32_t mss)
{
    struct hf_flight *f = hf_flight_of(s, c);
    struct plan p = {.flight = f};
    if (!may_send_data(c) || c->syn_due || c->rtx_due || c->probe_due || hf_sack_is_due(c, f) ||
        (f != NULL && (f->probe.due || f->board.lost_bytes > 0)))
        return false;
    if (bytes == 0)
        return c->ack_due && !hf_conn_has_unsent(c);
    return hf_conn_has_unsent(c) && !has_pace(s, c) && !was_idle(s, c) &&
           plan_new(s, c, &p, cwnd_room(c, f)) && p.bytes == bytes && p.mss == mss && !p.fin &&
           !is_urgent(c, p.seq);
}
