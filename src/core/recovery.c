/**
 * What loss does to the sender. ACKs go to the scoreboard; RACK finds from it what is lost
 * [RFC8985], duplicate ACKs do where the peer has no SACK [RFC5681] [RFC6582]; proportional rate
 * reduction says how much a recovery may send [RFC9937]; and a reduction that was a mistake is
 * taken back, by timestamps [RFC3522] [RFC4015] or told duplicates [RFC2883].
 *
 * How much may be in flight otherwise is the congestion control's (cc.h); when the timer fires is
 * decided in loss_timer.c, and what leaves next in output.c.
 */
#include "timers.h"

enum { DUP_ACK_THRESHOLD = 3, DUP_ACKS_MAX = 255 };

/** By so much slow start ends above what the path carries, at most. */
enum { SLOW_START_EXCESS_MOST = 4 };

/* [MAY-18] */
const struct hf_cc_algorithm *hf_stack_cc(const struct hf_stack *s)
{
    switch (s->p.cfg.congestion_control) {
    case 0: return &hf_cc_none;
    case 1: return &hf_cc_reno;
    }
    return &hf_cc_cubic;
}

struct hf_cc_event hf_recovery_event(const struct hf_stack *s, const struct hf_conn *c)
{
    return (struct hf_cc_event){
        .now_ns = s->p.now_ns,
        .mss_bytes = hf_conn_mss(c),
        .flight_bytes = hf_conn_in_flight(c),
        .snd_una = c->snd_una,
        .snd_nxt = c->snd_nxt,
        .srtt_ns = hf_rtt_srtt_ns(&c->rtt),
        .again = c->rtx_count > 1,
    };
}

struct hf_cc_event hf_recovery_start_event(const struct hf_stack *s, const struct hf_conn *c)
{
    uint32_t mss = hf_conn_mss(c), segs = (uint32_t)s->p.cfg.initial_window_segs;
    return (struct hf_cc_event){
        .now_ns = s->p.now_ns,
        .mss_bytes = mss,
        .initial_window_bytes = hf_cc_initial_window(mss, segs, c->syn_retransmitted),
    };
}

/* ---- growing ------------------------------------------------------------------------------ */

/** The most that was in flight in the round trip that ends with this ACK: before its first one. */
static uint32_t most_in_flight(const struct hf_conn *c, struct hf_flight *f, uint32_t flight_before)
{
    if (f == NULL)
        return flight_before;
    if (flight_before >= f->peak_bytes || hf_seq_gt(c->snd_una, f->peak_seq)) {
        f->peak_bytes = flight_before;
        f->peak_seq = c->snd_nxt;
    }
    return f->peak_bytes;
}

/** The window, not the application, is what holds the sender back: most of it was used in the last
 *  round trip. Slow start doubles what was used, and no more [CO-7661-03]. */
static bool is_cwnd_limited(const struct hf_conn *c, uint32_t peak_bytes)
{
    return peak_bytes + hf_conn_mss(c) > c->cc.cwnd_bytes ||
           (c->cc.cwnd_bytes < c->cc.ssthresh_bytes && peak_bytes > c->cc.cwnd_bytes / 2);
}

/** By how much an ACK may let the window grow. What had arrived before was counted out of the
 *  flight then: no window grows by it again. On a path that reorders most of what arrives is told
 *  by SACK first, and is no sign of loss. */
static uint32_t growth_bytes(const struct hf_conn *c, const struct hf_ack *a,
                             const struct hf_delivery *d)
{
    if (c->reordering.seen)
        return d->acked_bytes + d->sacked_bytes;
    return hf_min_u32(a->acked_bytes, d->acked_bytes);
}

static void grow(struct hf_stack *s, struct hf_conn *c, struct hf_flight *f, const struct hf_ack *a,
                 uint32_t acked_bytes, const struct hf_delivery *d)
{
    const struct hf_cc_algorithm *cc = hf_stack_cc(s);
    if (!is_cwnd_limited(c, most_in_flight(c, f, a->flight_before))) {
        cc->on_unused(f == NULL ? NULL : &f->cc, s->p.now_ns);
        return;
    }
    struct hf_cc_event e = hf_recovery_event(s, c);
    e.acked_bytes = acked_bytes;
    e.slow_start_segs = (uint32_t)s->p.cfg.slow_start_segs;
    if (d != NULL && d->has_newest && !d->newest_again)
        e.rtt_ns = hf_max_ns(s->p.now_ns - d->newest_sent_at, 1);
    cc->on_ack(&c->cc, f == NULL ? NULL : &f->cc, &e);
}

/* ---- what an ACK says ---------------------------------------------------------------------- */

/* [CO-2883-03] by the ACK of the same segment [RFC2883#5] */
bool hf_ack_tells_duplicate(const struct hf_conn *c, const struct hf_segment *seg)
{
    if (!c->sack_on || seg->sack_count == 0)
        return false;
    hf_seq left = hf_seq_make(seg->sack[0].left), right = hf_seq_make(seg->sack[0].right);
    if (hf_seq_le(right, hf_seq_make(seg->ack)))
        return true;
    return seg->sack_count > 1 && hf_seq_ge(left, hf_seq_make(seg->sack[1].left)) &&
           hf_seq_le(right, hf_seq_make(seg->sack[1].right));
}

/** What a retransmission can't be answered faster than [RFC8985#6.2]; 0: not known. A probe leaves
 *  alone, and long after the original: it may be faster than what waited in a queue of our own. */
static hf_ns least_answer_ns(const struct hf_flight *f)
{
    hf_ns min_rtt_ns = hf_rack_min_rtt_ns(&f->rack, 0);
    return f->probe.open ? min_rtt_ns / 2 : min_rtt_ns;
}

static struct hf_delivery new_delivery(const struct hf_stack *s, const struct hf_conn *c,
                                       const struct hf_flight *f, const struct hf_segment *seg)
{
    return (struct hf_delivery){
        .has_echo = c->ts_on && seg->ts_echo != 0,
        .echo_ms = seg->ts_echo - c->ts_offset,
        .now_ns = s->p.now_ns,
        .min_rtt_ns = least_answer_ns(f),
        .fack = f->rack.fack,
        .foremost = f->rack.fack,
    };
}

/** Some receivers tell of a segment's text alone: with it the FIN behind it has arrived. */
static hf_seq with_fin(const struct hf_conn *c, const struct hf_board *b, hf_seq right)
{
    bool before_fin = c->fin_sent && hf_seq_eq(hf_seq_add(right, 1), c->snd_nxt);
    return before_fin && hf_board_fin_has_text(b) ? c->snd_nxt : right;
}

/** [CO-2018-10] blocks that lie outside of the flight say nothing. In every phase, also after a
 *  timeout [CO-6675-12]. */
static void take_sacks(struct hf_board *b, const struct hf_conn *c, const struct hf_segment *seg,
                       struct hf_delivery *d)
{
    for (uint32_t i = hf_ack_tells_duplicate(c, seg); i < seg->sack_count; i++) {
        hf_seq left = hf_seq_make(seg->sack[i].left), right = hf_seq_make(seg->sack[i].right);
        if (hf_seq_ge(left, right) || hf_seq_le(right, c->snd_una) || hf_seq_gt(right, c->snd_nxt))
            continue;
        hf_board_sack(b, hf_seq_max(left, c->snd_una), with_fin(c, b, right), d);
    }
}

/** [RFC6582#3.2] step 2: once for each window. ACKs of what was sent before the last loss was found
 *  say nothing new. */
static bool is_before_last_loss(const struct hf_conn *c, const struct hf_flight *f)
{
    return f->recover_valid && hf_seq_le(c->snd_una, f->recover);
}

/** How much more duplicate ACKs may say. In a recovery no more than what was out when it began
 *  [RFC9937#6.2]; before, two segments, and the third that begins one [RFC5681#3.2]. */
static uint32_t most_credit(const struct hf_conn *c, const struct hf_flight *f, uint32_t mss)
{
    uint32_t credit = f->board.sacked_bytes;
    if (f->phase == HF_PHASE_RECOVERY)
        return hf_rest_u32(f->prr.flight_bytes, f->prr.delivered_bytes);
    bool third = c->dup_acks == DUP_ACK_THRESHOLD - 1 && !is_before_last_loss(c, f);
    uint32_t limit = (third ? DUP_ACK_THRESHOLD : DUP_ACK_THRESHOLD - 1) * mss;
    return hf_rest_u32(limit, credit);
}

/**
 * Without SACK each duplicate ACK says that a segment has arrived, but not which: they are counted
 * as bytes, and taken off again as SND.UNA passes them [RFC9937#6.2]. The first of what is passed
 * was missing: it arrives only now.
 */
static void take_credits(struct hf_conn *c, struct hf_flight *f, const struct hf_ack *a,
                         struct hf_delivery *d)
{
    uint32_t mss = hf_conn_mss(c), credit = f->board.sacked_bytes;
    /* After a time-out all is taken for lost: to count what arrives as well would let more out than
     * the window of one segment [RFC5681#3.1]. */
    if (a->duplicate && f->phase == HF_PHASE_LOSS)
        return;
    if (a->duplicate) {
        uint32_t most = hf_rest_u32(hf_conn_in_flight(c), credit + mss);
        d->sacked_bytes = hf_min_u32(hf_min_u32(mss, most), most_credit(c, f, mss));
        f->board.sacked_bytes = credit + d->sacked_bytes;
    } else if (credit > 0) {
        uint32_t moved = c->snd_una.v - a->una_before.v;
        uint32_t passed = hf_min_u32(credit, hf_rest_u32(moved, mss));
        d->acked_bytes = hf_rest_u32(d->acked_bytes, passed);
        f->board.sacked_bytes = hf_min_u32(credit - passed, hf_conn_in_flight(c));
    }
}

/* ---- phases ------------------------------------------------------------------------------- */

static void trace(struct hf_stack *s, const struct hf_conn *c, enum hf_reason reason)
{
    hf_trace_conn(s, c, HF_TRACE_RECOVERY, reason, c->cc.cwnd_bytes, c->cc.ssthresh_bytes, NULL);
}

/** From here on it is watched whether what is sent again was lost at all. What was sent again
 *  before and is still out counts: its ACK is none of an original, nor its duplicates of others. */
static void open_undo(const struct hf_conn *c, struct hf_flight *f, const struct hf_board *b,
                      bool timeout)
{
    struct hf_undo before = f->undo;
    f->undo = (struct hf_undo){.from = c->snd_una, .open = true, .timeout = timeout};
    if (!hf_board_was_resent(b, c->snd_una, c->snd_nxt))
        return;
    f->undo.open = f->undo.sent = before.sent;
    f->undo.first_ms = before.first_ms;
    f->undo.resent_bytes = before.resent_bytes;
}

static void set_phase(struct hf_conn *c, struct hf_flight *f, enum hf_phase phase)
{
    f->phase = (uint8_t)phase;
    f->recover = c->snd_nxt;
    f->recover_valid = true;
    f->partial_acked = false;
    f->probe.open = f->probe.due = false; /* [RFC8985#7.1] */
}

/** What an ACK did for a recovery; a timer: it finds losses only. */
struct progress {
    uint32_t delivered_bytes;
    uint32_t lost_bytes; /**< found by it */
    bool safe;           /**< SND.UNA moved, and nothing more was found lost */
    bool partial;        /**< without SACK: it moved to the next hole */
};

/**
 * DEVIATION D-42 from [RFC9438#4.6]. Slow start may end far above what the path carries: it doubles
 * what filled the queue, and once more until it hears of the first loss. What of that flight is not
 * lost is what the path carries: a quarter at least, by the same reason; what takes more is no
 * queue. Losses are heard of one after the other, until the fate of all is known.
 */
static void measure_path(struct hf_stack *s, struct hf_conn *c, struct hf_flight *f,
                         const struct progress *ack)
{
    if (f->carried_bytes == 0)
        return;
    uint32_t least_bytes = f->prr.flight_bytes / SLOW_START_EXCESS_MOST;
    f->carried_bytes = hf_max_u32(hf_rest_u32(f->carried_bytes, ack->lost_bytes), least_bytes);
    struct hf_cc_event e = hf_recovery_event(s, c);
    hf_cc_path_carries(&c->cc, &f->cc, &e, f->carried_bytes);
    uint32_t arrived_bytes = c->snd_una.v - f->undo.from.v + f->board.sacked_bytes;
    if (arrived_bytes >= f->carried_bytes)
        f->carried_bytes = 0;
}

/** One reduction for one window: FlightSize without what limited transmit added [RFC5681#3.2], or
 *  by aim_bytes of the event. */
static void reduce(struct hf_stack *s, struct hf_conn *c, struct hf_flight *f,
                   uint32_t flight_bytes, uint32_t aim_bytes)
{
    struct hf_cc_event e = hf_recovery_event(s, c);
    e.flight_bytes = hf_min_u32(flight_bytes, c->cc.cwnd_bytes);
    e.aim_bytes = hf_min_u32(aim_bytes, c->cc.cwnd_bytes);
    hf_stack_cc(s)->on_loss(&c->cc, &f->cc, &e);
}

/** Where the application sets the pace the flight is no measure of the path; nor without SACK,
 *  where holes are heard of one a round trip; nor where it is known that much comes late. */
static bool may_measure_path(const struct hf_conn *c)
{
    return c->sack_on && !c->reordering.seen && !c->cc.slow_start_over &&
           hf_conn_in_flight(c) > c->cc.cwnd_bytes / 2;
}

/** By this ACK; aim_bytes: what the recovery that ends with it aimed at, or 0. */
static void enter(struct hf_stack *s, struct hf_conn *c, struct hf_flight *f,
                  const struct hf_board *b, const struct progress *ack, uint32_t aim_bytes)
{
    uint32_t flight_bytes = hf_conn_in_flight(c);
    bool measures = may_measure_path(c);
    reduce(s, c, f, flight_bytes, aim_bytes);
    set_phase(c, f, HF_PHASE_RECOVERY);
    open_undo(c, f, b, false);
    /* [RFC9937#6.1] what was in flight before this ACK */
    f->prr = (struct hf_prr){flight_bytes - f->board.sacked_bytes + ack->delivered_bytes, 0, 0};
    measures = measures && c->cc.slow_start_over; /* ended by this, and not without an algorithm */
    f->carried_bytes = measures ? flight_bytes : 0;
    measure_path(s, c, f, ack);
    trace(s, c, HF_RECOVERY_BEGINS);
}

/** What recovery let cwnd become ends with it [RFC9937#6.4]. */
static void deflate(struct hf_stack *s, struct hf_conn *c, struct hf_flight *f,
                    const struct hf_cc_event *e)
{
    hf_cc_set_window(&c->cc, e, c->cc.ssthresh_bytes);
    hf_stack_cc(s)->on_recovered(&c->cc, &f->cc, e);
}

static void leave(struct hf_stack *s, struct hf_conn *c, struct hf_flight *f)
{
    struct hf_cc_event e = hf_recovery_event(s, c);
    bool was_recovery = f->phase == HF_PHASE_RECOVERY;
    f->phase = HF_PHASE_OPEN;
    f->undo.until = c->snd_nxt;
    hf_reordering_recovered(&c->reordering);
    if (!c->sack_on)
        f->board.sacked_bytes = 0;
    if (was_recovery)
        deflate(s, c, f, &e);
    /* All came before anything was sent again: it was only late. Not if there was no reduction. */
    if (f->undo.open && !f->undo.sent) {
        hf_stack_cc(s)->on_undo(&c->cc, &f->cc, &e);
        c->reordering.seen |= was_recovery; /* a timeout says nothing of the order */
        f->undo.open = false;
        trace(s, c, HF_RECOVERY_UNDO_LATE);
        return;
    }
    trace(s, c, HF_RECOVERY_ENDS);
}

/** How much recovery may send, by what this ACK delivered [RFC9937#6.2]. DEVIATION D-37 from
 *  [RFC5681#3.2]. */
static void reduce_proportionally(struct hf_stack *s, struct hf_conn *c, struct hf_flight *f,
                                  const struct progress *ack)
{
    uint32_t delivered_bytes = ack->delivered_bytes;
    struct hf_cc_event e = hf_recovery_event(s, c);
    struct hf_prr *p = &f->prr;
    if (delivered_bytes == 0 && p->sent_bytes > 0)
        return;
    p->delivered_bytes += delivered_bytes;
    uint32_t pipe = hf_conn_pipe(c, f), ssthresh = c->cc.ssthresh_bytes, send = 0;
    if (pipe > ssthresh) {
        uint64_t whole = (uint64_t)p->delivered_bytes * ssthresh;
        uint64_t share = (whole + p->flight_bytes - 1) / hf_max_u32(p->flight_bytes, 1);
        send = share > p->sent_bytes ? (uint32_t)share - p->sent_bytes : 0;
    } else {
        uint32_t owed = hf_rest_u32(p->delivered_bytes, p->sent_bytes);
        send = hf_max_u32(owed, delivered_bytes) + (ack->safe ? e.mss_bytes : 0);
        send = hf_min_u32(send, ssthresh - pipe);
    }
    /* The fast retransmit itself; no share of a segment keeps it back. Nor the one that a partial
     * ACK asks for [RFC6582#3.2]: other holes, not known yet, still count as in flight. */
    if ((p->sent_bytes == 0 || ack->partial) && send < e.mss_bytes)
        send = e.mss_bytes;
    hf_cc_set_window(&c->cc, &e, (uint64_t)pipe + send);
}

/* ---- mistakes ------------------------------------------------------------------------------ */

static void undo(struct hf_stack *s, struct hf_conn *c, struct hf_flight *f, struct hf_board *b,
                 enum hf_reason reason)
{
    struct hf_cc_event e = hf_recovery_event(s, c);
    hf_board_find_all(b);
    hf_stack_cc(s)->on_undo(&c->cc, &f->cc, &e);
    /* Three segments passed what was taken for lost: where that is never seen before it is sent
     * again, this is the only way to know [RFC8985#4]. */
    c->reordering.seen |= !f->undo.timeout;
    f->phase = HF_PHASE_OPEN;
    f->undo.open = false;
    c->rtx_due = false;
    trace(s, c, reason);
}

/** [RFC3522#3.2] the first ACK of what was sent again that echoes a time before: the original drew
 *  it. */
static bool is_answer_to_original(const struct hf_conn *c, const struct hf_flight *f,
                                  const struct hf_ack *a)
{
    return f->undo.sent && c->ts_on && a->seg->ts_echo != 0 &&
           hf_seq_gt(c->snd_una, a->una_before) &&
           (int32_t)(a->seg->ts_echo - f->undo.first_ms) < 0;
}

/** Everything that was sent again came twice [RFC2883#5]. */
static bool all_came_twice(const struct hf_conn *c, struct hf_flight *f,
                           const struct hf_segment *seg)
{
    if (!f->undo.sent || !hf_ack_tells_duplicate(c, seg))
        return false;
    hf_seq left = hf_seq_make(seg->sack[0].left), right = hf_seq_make(seg->sack[0].right);
    if (hf_seq_lt(left, f->undo.from) || hf_seq_ge(left, right) || hf_seq_gt(right, f->recover))
        return false; /* of an older episode, or of nothing that we sent again */
    uint32_t before = f->undo.resent_bytes;
    f->undo.resent_bytes = hf_rest_u32(before, right.v - left.v);
    return before > 0 && f->undo.resent_bytes == 0;
}

static void judge(struct hf_stack *s, struct hf_conn *c, struct hf_flight *f,
                  const struct hf_ack *a, struct hf_board *b)
{
    if (hf_ack_tells_duplicate(c, a->seg))
        hf_rack_duplicate(&f->rack, &c->reordering, c->snd_una, c->snd_nxt);
    if (!f->undo.open)
        return;
    if (is_answer_to_original(c, f, a))
        undo(s, c, f, b, HF_RECOVERY_UNDO_TIMESTAMP);
    else if (all_came_twice(c, f, a->seg))
        undo(s, c, f, b, HF_RECOVERY_UNDO_DUPLICATE);
    else if (f->phase == HF_PHASE_OPEN && hf_seq_gt(c->snd_una, f->undo.until) &&
             s->p.now_ns - f->resent_at > 2 * hf_rtt_rto_ns(&c->rtt))
        f->undo.open = false; /* what left an RTO behind its original would have arrived */
}

/* ---- loss --------------------------------------------------------------------------------- */

/** RACK [RFC8985#6.2] steps 4 and 5, also when its timer fires. */
static void find_lost(struct hf_stack *s, struct hf_conn *c, struct hf_flight *f,
                      struct hf_board *b)
{
    bool enough = c->dup_acks >= DUP_ACK_THRESHOLD ||
                  f->board.sacked_bytes > (DUP_ACK_THRESHOLD - 1) * hf_conn_mss(c);
    hf_ns window_ns = hf_rack_window_ns(&f->rack, &c->reordering, hf_rtt_srtt_ns(&c->rtt),
                                        enough || f->phase != HF_PHASE_OPEN);
    hf_ns wait_ns = hf_rack_find_lost(&f->rack, b, s->p.now_ns, window_ns);
    f->reorder_at = wait_ns > 0 ? hf_ns_add(s->p.now_ns, wait_ns) : HF_NEVER;
}

/** Where the peer has no SACK: the third duplicate ACK, and each hole that a partial ACK shows.
 *  Returns whether this is one. */
static bool find_lost_by_count(struct hf_conn *c, struct hf_flight *f, struct hf_board *b,
                               bool moved)
{
    hf_seq end = hf_seq_min(hf_seq_add(c->snd_una, hf_conn_mss(c)), c->snd_nxt);
    bool partial = f->phase == HF_PHASE_RECOVERY && moved && hf_seq_lt(c->snd_una, f->recover);
    bool third =
        f->phase == HF_PHASE_OPEN && c->dup_acks == DUP_ACK_THRESHOLD && !is_before_last_loss(c, f);
    if (partial || third)
        hf_board_lose(b, c->snd_una, end, partial ? HF_RETRANSMIT_PARTIAL_ACK : HF_RETRANSMIT_FAST);
    return partial;
}

static void count_duplicate(struct hf_conn *c, const struct hf_ack *a, const struct hf_delivery *d)
{
    /* [RFC6675#2] with SACK it is the news that count, whatever else the segment says. */
    bool news = c->sack_on ? d->sacked_bytes > 0 : a->duplicate;
    if (news && c->dup_acks < DUP_ACKS_MAX)
        c->dup_acks++;
}

/** After what is lost was found: phases and windows. */
static void step(struct hf_stack *s, struct hf_conn *c, struct hf_flight *f,
                 const struct hf_board *b, const struct progress *ack)
{
    bool lost = f->board.lost_bytes > 0;
    uint32_t aim_bytes = 0;
    if (f->phase != HF_PHASE_OPEN && hf_seq_ge(c->snd_una, f->recover)) {
        aim_bytes = f->phase == HF_PHASE_RECOVERY ? c->cc.ssthresh_bytes : 0;
        leave(s, c, f);
        /* [RFC5681#4.3] What of the next window was lost meanwhile, and is sent again already, is
         * another sign. */
        lost |= c->sack_on && hf_board_was_resent(b, c->snd_una, c->snd_nxt);
    }
    if (f->phase == HF_PHASE_OPEN && lost)
        enter(s, c, f, b, ack, aim_bytes);
    else if (f->phase == HF_PHASE_RECOVERY)
        measure_path(s, c, f, ack);
    if (f->phase == HF_PHASE_RECOVERY)
        reduce_proportionally(s, c, f, ack);
}

/** Kept on, the mark would lie ahead again after half of the number space. */
static void pass_recover(const struct hf_conn *c, struct hf_flight *f)
{
    if (f->recover_valid && hf_seq_gt(c->snd_una, f->recover))
        f->recover_valid = false;
}

void hf_recovery_on_plain_ack(struct hf_stack *s, struct hf_conn *c, struct hf_flight *f,
                              const struct hf_ack *a)
{
    /* What else it would note goes with the record at once, which nothing else keeps. */
    if (hf_flight_is_over(c, f) && !f->recover_valid &&
        !is_cwnd_limited(c, most_in_flight(c, f, a->flight_before)))
        return;
    struct hf_board b = hf_flight_board(s, f, 0);
    struct hf_delivery d = new_delivery(s, c, f, a->seg);
    hf_board_ack(&b, c->snd_una, &d);
    hf_rack_take(&f->rack, &c->reordering, &d);
    f->reorder_at = HF_NEVER;
    if (a->acked_bytes > 0)
        grow(s, c, f, a, hf_min_u32(a->acked_bytes, d.acked_bytes), &d);
    pass_recover(c, f);
}

void hf_recovery_on_ack(struct hf_stack *s, struct hf_conn *c, struct hf_flight *f,
                        const struct hf_ack *a)
{
    if (f == NULL) {
        if (a->acked_bytes > 0)
            grow(s, c, NULL, a, a->acked_bytes, NULL);
        return;
    }
    /* It says no more than how far all arrived. */
    if (hf_flight_is_plain(f) && a->seg->sack_count == 0 && !a->duplicate) {
        hf_recovery_on_plain_ack(s, c, f, a);
        return;
    }
    bool moved = hf_seq_gt(c->snd_una, a->una_before);
    uint32_t cuts = c->sack_on ? 2u * a->seg->sack_count : 1; /* or the first segment is lost */
    struct hf_board b = hf_flight_board(s, f, cuts > 0 ? cuts + HF_RUNS_RESERVE : 0);
    struct hf_delivery d = new_delivery(s, c, f, a->seg);
    if (moved)
        hf_board_ack(&b, c->snd_una, &d);
    if (c->sack_on)
        take_sacks(&b, c, a->seg, &d);
    else
        take_credits(c, f, a, &d);
    hf_rack_take(&f->rack, &c->reordering, &d);
    if (!moved)
        count_duplicate(c, a, &d);
    judge(s, c, f, a, &b);
    hf_loss_probe_on_ack(s, c, f, a);
    uint32_t lost_before = f->board.lost_bytes;
    struct progress ack = {.delivered_bytes = d.acked_bytes + d.sacked_bytes};
    if (c->sack_on)
        find_lost(s, c, f, &b);
    else
        ack.partial = find_lost_by_count(c, f, &b, moved);
    ack.lost_bytes = f->board.lost_bytes - lost_before;
    ack.safe = moved && ack.lost_bytes == 0;
    HF_DEBUG_ASSERT(hf_board_is_sound(&b, c->snd_una, c->snd_nxt, c->sack_on));
    bool was_recovery = f->phase == HF_PHASE_RECOVERY;
    step(s, c, f, &b, &ack);
    uint32_t growth = growth_bytes(c, a, &d);
    if (growth > 0 && f->phase != HF_PHASE_RECOVERY && !was_recovery)
        grow(s, c, f, a, growth, &d);
    pass_recover(c, f);
}

void hf_recovery_on_reorder_timer(struct hf_stack *s, struct hf_conn *c)
{
    struct hf_flight *f = hf_flight_of(s, c);
    struct hf_board b = hf_flight_board(s, f, 0);
    uint32_t lost_before = f->board.lost_bytes;
    find_lost(s, c, f, &b);
    step(s, c, f, &b, &(struct progress){.lost_bytes = f->board.lost_bytes - lost_before});
    hf_output_want(s, c);
}

void hf_recovery_respond(struct hf_stack *s, struct hf_conn *c, struct hf_flight *f)
{
    struct hf_cc_event e = hf_recovery_event(s, c);
    reduce(s, c, f, f->probe.flight_bytes, 0); /* now nothing is in flight, as a rule */
    deflate(s, c, f, &e);
    trace(s, c, HF_RECOVERY_PROBE_REPAIRED);
}

/* ---- time-outs ---------------------------------------------------------------------------- */

/** What is in flight and not known to have arrived is lost; false: there is no scoreboard. */
static bool lose_all(struct hf_stack *s, struct hf_conn *c, struct hf_flight *f, hf_ns sent_before,
                     enum hf_reason why)
{
    if (f == NULL) {
        c->rtx_due = true;
        return false;
    }
    struct hf_board b = hf_flight_board(s, f, 2 + HF_RUNS_RESERVE);
    /* DEVIATION D-36: marks are kept over the first time-out [RFC2018#5.1]. A receiver that still
     * lacks SND.UNA and yet holds what lies right behind it has thrown data away. */
    if (c->sack_on && (c->rtx_count > 1 || hf_board_front_is_sacked(&b)))
        hf_board_unsack(&b);
    if (!c->sack_on)
        f->board.sacked_bytes = 0;
    hf_board_lose_old(&b, sent_before, why);
    f->timed_at = HF_NEVER; /* Karn */
    /* Only here: where a recovery begins, others may still have their time [RFC8985#6.2]. */
    f->reorder_at = HF_NEVER;
    return true;
}

void hf_recovery_on_rto(struct hf_stack *s, struct hf_conn *c)
{
    struct hf_flight *f = hf_flight_of(s, c);
    struct hf_cc_event e = hf_recovery_event(s, c);
    /* In a recovery most of the flight has arrived beyond a gap, or is gone. */
    e.flight_bytes = hf_min_u32(e.flight_bytes, c->cc.cwnd_bytes);
    hf_stack_cc(s)->on_rto(&c->cc, f == NULL ? NULL : &f->cc, &e);
    c->dup_acks = 0;
    bool only_fin = c->fin_sent && c->send.bytes == 0;
    hf_trace_conn(s, c, HF_TRACE_RETRANSMIT, only_fin ? HF_RETRANSMIT_FIN : HF_RETRANSMIT_RTO,
                  c->snd_una.v, c->rtx_count, NULL);
    hf_ns sent_before = HF_NEVER;
    if (f != NULL && c->sack_on && f->rack.sent_at != INT64_MIN) { /* [RFC8985#6.3] */
        hf_ns window_ns =
            hf_rack_window_ns(&f->rack, &c->reordering, hf_rtt_srtt_ns(&c->rtt), true);
        sent_before = s->p.now_ns - f->rack.rtt_ns - window_ns;
    }
    if (lose_all(s, c, f, sent_before, HF_RETRANSMIT_GO_BACK)) {
        if (c->rtx_count <= 1) {
            struct hf_board b = hf_flight_board(s, f, 0);
            open_undo(c, f, &b, true);
        }
        set_phase(c, f, HF_PHASE_LOSS); /* no recovery before its end [CO-6675-09] [CO-6582-06] */
        c->rtx_due = true;              /* the first of them, whatever the window */
    }
    hf_output_want(s, c);
}

void hf_recovery_resend_all(struct hf_stack *s, struct hf_conn *c, enum hf_reason reason)
{
    struct hf_flight *f = hf_flight_of(s, c);
    if (f != NULL && f->phase == HF_PHASE_RECOVERY) { /* which ends here */
        struct hf_cc_event e = hf_recovery_event(s, c);
        deflate(s, c, f, &e);
    }
    if (f != NULL)
        trace(s, c, HF_RECOVERY_AGAIN);
    else
        hf_trace_conn(s, c, HF_TRACE_RETRANSMIT, reason, c->snd_una.v, c->rtx_count, NULL);
    if (lose_all(s, c, f, HF_NEVER, reason))
        set_phase(c, f, HF_PHASE_LOSS);
    hf_output_want(s, c);
}

/* ---- what output did ----------------------------------------------------------------------- */

/** What leaves within a 64th of a round trip counts as sent at one time: few enough runs. Where
 *  queues make round trips long, it is finer than the quarter of the least one that [RFC8985#4]
 *  [CO-8985-01] asks for. */
static hf_ns grain_ns(const struct hf_stack *s, const struct hf_conn *c, const struct hf_flight *f)
{
    hf_ns srtt_ns = hf_rtt_srtt_ns(&c->rtt);
    hf_ns grain = hf_min_ns(srtt_ns / 64, hf_rack_min_rtt_ns(&f->rack, srtt_ns) / 8);
    /* But not with what left before the last retransmission: RACK tells by the times which of them
     * was sent first. */
    return hf_min_ns(grain, s->p.now_ns - f->resent_at - 1);
}

void hf_recovery_note_new(struct hf_stack *s, const struct hf_conn *c, struct hf_flight *f,
                          hf_seq seq, uint32_t bytes, uint32_t mss)
{
    struct hf_board b = hf_flight_board(s, f, 1);
    hf_ns grain = f->board.count > 0 ? grain_ns(s, c, f) : 0;
    hf_board_append(&b, seq, bytes, mss, s->p.now_ns, grain);
}

void hf_recovery_sent_again(struct hf_stack *s, struct hf_conn *c, struct hf_flight *f, hf_seq seq,
                            uint32_t bytes, uint32_t mss)
{
    struct hf_board b = hf_flight_board(s, f, 2 + HF_RUNS_RESERVE);
    /* Also a probe, and all that is sent again without blame: a recovery may follow. */
    if (!f->undo.open && !hf_board_was_resent(&b, c->snd_una, c->snd_nxt))
        f->undo = (struct hf_undo){0};
    hf_board_resent(&b, seq, bytes, mss, s->p.now_ns);
    hf_prr_sent(f, bytes);
    f->resent_at = s->p.now_ns;
    f->timed_at = HF_NEVER; /* [MUST-18] Karn */
    f->undo.resent_bytes += bytes;
    if (!f->undo.sent)
        f->undo.first_ms = hf_stack_timestamp(s, c->ts_offset);
    f->undo.sent = true;
}
