/**
 * When the sender stops waiting for ACKs of what is in flight: the retransmission timeout
 * [RFC6298], the tail loss probe ahead of it [RFC8985#7], and the end of RACK's patience. They are
 * kept in the flight; the connection's one timer is armed for the earliest, and named for it
 * [RFC8985#8].
 */
#include "timers.h"

/** On paths whose round trip is shorter than this, waking up takes longer than the path.
 *  DEVIATION D-16 from [RFC8985#7.2]. */
#define WAKE_NS HF_MS(2)

static hf_ns rto_from_now(const struct hf_stack *s, const struct hf_conn *c)
{
    return hf_ns_add(s->p.now_ns, hf_rtt_rto_ns(&c->rtt));
}

/** The earliest of the deadlines in a flight, and what it is for. */
static hf_ns earliest(const struct hf_flight *f, enum hf_rtx_timer *what)
{
    hf_ns at = f->rto_at;
    *what = HF_RTX_RTO;
    if (f->reorder_at < at) {
        *what = HF_RTX_REORDER;
        at = f->reorder_at;
    }
    if (f->probe.at != HF_NEVER && f->probe.at <= at) {
        *what = HF_RTX_LOSS_PROBE;
        at = f->probe.at;
    }
    return at;
}

/** Deadlines move later with nearly every ACK: the connection's timer follows when it fires. */
static void arm(struct hf_stack *s, struct hf_conn *c, const struct hf_flight *f)
{
    enum hf_rtx_timer what;
    hf_ns at = earliest(f, &what);
    if (at < c->rtx_at || !hf_loss_timer_runs(c))
        hf_timer_rtx(s, c, what, at);
}

bool hf_loss_timer_is_due(struct hf_stack *s, struct hf_conn *c)
{
    const struct hf_flight *f = hf_flight_of(s, c);
    enum hf_rtx_timer what;
    if (f == NULL || !hf_loss_timer_runs(c))
        return true;
    hf_ns at = earliest(f, &what);
    hf_timer_rtx(s, c, what, at);
    return at <= s->p.now_ns;
}

hf_ns hf_loss_timer_at(const struct hf_stack *s, const struct hf_conn *c)
{
    const struct hf_flight *f = hf_flight_of(s, c);
    enum hf_rtx_timer what;
    return f == NULL || !hf_loss_timer_runs(c) ? c->rtx_at : earliest(f, &what);
}

/** [RFC8985#7.2] [RFC8985#7.3] */
static bool may_probe(const struct hf_stack *s, const struct hf_conn *c, const struct hf_flight *f)
{
    return s->p.cfg.loss_probe != 0 && c->sack_on && f->phase == HF_PHASE_OPEN &&
           f->board.sacked_bytes == 0 && !f->probe.open && !c->rtt.was_probed &&
           c->rtx_count == 0 && c->snd_wnd > 0;
}

/** The probe time-out: two round trips, and what a receiver may delay the ACK of a lone segment; of
 *  several it still has to be woken for. */
static hf_ns probe_span(const struct hf_stack *s, const struct hf_conn *c, bool alone)
{
    if (!hf_rtt_is_known(&c->rtt))
        return HF_SEC(1);
    hf_ns delay_ns = alone ? s->p.cfg.loss_probe_ack_delay_ns : WAKE_NS;
    return 2 * hf_rtt_srtt_ns(&c->rtt) + delay_ns;
}

static void plan_probe(const struct hf_stack *s, const struct hf_conn *c, struct hf_flight *f,
                       uint32_t mss)
{
    bool alone = hf_conn_in_flight(c) <= mss;
    f->planned_at = alone ? INT64_MIN : s->p.now_ns;
    f->probe.at = HF_NEVER;
    if (may_probe(s, c, f)) /* in the timeout's place, if it is not due before */
        f->probe.at = hf_min_ns(hf_ns_add(s->p.now_ns, probe_span(s, c, alone)), f->rto_at);
}

/** Nothing is in flight any more, but the peer may tell yet that what was sent again came twice. */
static bool is_unsettled(const struct hf_conn *c, const struct hf_flight *f)
{
    if (!c->sack_on) /* by duplicate ACKs, which then are no sign of loss [RFC6582#3.2] */
        return f->recover_valid;
    /* A probe of new data has its answer: it is acknowledged. */
    return f->probe.open || (f->undo.open && f->undo.resent_bytes > 0);
}

/** [RFC6582#3.2] step 3: each further hole takes a round trip. Were the timer to run anew with
 *  each, or with what is sent again for it, it would never end a recovery of many.
 *  DEVIATION D-39 from [RFC6298#5]. */
static bool ends_by_timeout(const struct hf_conn *c, const struct hf_flight *f)
{
    return !c->sack_on && f->phase == HF_PHASE_RECOVERY && f->partial_acked;
}

void hf_loss_timer_on_ack(struct hf_stack *s, struct hf_conn *c, struct hf_flight *f)
{
    bool idle = hf_conn_in_flight(c) == 0;
    /* Also where the timer had fired, and nothing has left since: what is the first now was sent
     * too late to be lost, if nothing is [RFC8985#6.3]. */
    if (idle || (f != NULL && f->board.lost_bytes == 0))
        c->rtx_due = false;
    if (f == NULL) {
        if (idle)
            hf_timer_idle(s, c);
        else
            hf_timer_rtx(s, c, HF_RTX_RTO, rto_from_now(s, c)); /* [RFC6298#5.3] */
        return;
    }
    f->probe.due = false; /* one that has not left yet is planned anew like any other */
    if (idle) {
        f->rto_at = f->reorder_at = f->probe.at = HF_NEVER;
        if (is_unsettled(c, f))
            hf_timer_rtx(s, c, HF_RTX_SETTLE, rto_from_now(s, c));
        else
            hf_timer_idle(s, c);
        return;
    }
    if (!ends_by_timeout(c, f))
        f->rto_at = rto_from_now(s, c);
    f->partial_acked |= !c->sack_on && f->phase == HF_PHASE_RECOVERY;
    plan_probe(s, c, f, hf_conn_mss(c));
    arm(s, c, f);
}

void hf_loss_timer_on_sack(struct hf_stack *s, struct hf_conn *c)
{
    struct hf_flight *f = hf_flight_of(s, c);
    if (f->rto_at == HF_NEVER)
        return;
    if (!may_probe(s, c, f)) { /* nor does one that is due leave: RACK has the say */
        f->probe.at = HF_NEVER;
        f->probe.due = false;
    }
    arm(s, c, f);
}

void hf_loss_timer_on_sent(struct hf_stack *s, struct hf_conn *c, struct hf_flight *f, uint32_t mss,
                           bool again)
{
    if (f == NULL) { /* a segment alone, so not beside a SYN of ours */
        if (c->rtx_timer != HF_RTX_RTO)
            hf_timer_rtx(s, c, HF_RTX_RTO, rto_from_now(s, c)); /* [RFC6298#5.1] */
        return;
    }
    if (c->rtx_timer == HF_RTX_SYN)
        return;
    /* [RFC6298#5.1], and after a retransmission [RFC6675#6]: nothing is sent again earlier than one
     * RTO after it was. */
    if (f->rto_at == HF_NEVER || (again && !ends_by_timeout(c, f)))
        f->rto_at = rto_from_now(s, c);
    if (!again)
        plan_probe(s, c, f, mss);
    arm(s, c, f);
}

void hf_loss_timer_put_off(struct hf_stack *s, struct hf_conn *c, hf_ns at)
{
    struct hf_flight *f = hf_flight_of(s, c);
    if (f != NULL) {
        f->rto_at = at;
        f->probe.at = f->reorder_at = HF_NEVER;
    }
    hf_timer_rtx(s, c, HF_RTX_RTO, at);
}

void hf_loss_timer_backed_off(struct hf_stack *s, struct hf_conn *c)
{
    hf_loss_timer_put_off(s, c, rto_from_now(s, c));
}

/* ---- the probe ------------------------------------------------------------------------------ */

void hf_loss_probe_fire(struct hf_stack *s, struct hf_conn *c)
{
    struct hf_flight *f = hf_flight_of(s, c);
    hf_trace_conn(s, c, HF_TRACE_TIMER, HF_TIMER_LOSS_PROBE, 0, 0, NULL);
    f->probe.at = HF_NEVER;
    if (c->snd_wnd == 0) { /* it closed meanwhile: the timeout probes that */
        arm(s, c, f);
        return;
    }
    f->probe.due = true;
    hf_loss_timer_backed_off(s, c); /* [RFC8985#7.3] the RTO follows, counted from the probe */
    hf_output_want(s, c);
}

void hf_loss_probe_sent(struct hf_conn *c, struct hf_flight *f, bool resent)
{
    f->probe = (struct hf_loss_probe){.at = HF_NEVER,
                                      .end = c->snd_nxt,
                                      .flight_bytes = hf_conn_in_flight(c),
                                      .open = true,
                                      .resent = resent};
    c->rtt.was_probed = true;
}

/** [RFC8985#7.4.2] What became of the probe. */
void hf_loss_probe_on_ack(struct hf_stack *s, struct hf_conn *c, struct hf_flight *f,
                          const struct hf_ack *a)
{
    hf_seq ack = hf_seq_make(a->seg->ack), end = f->probe.end;
    if (!f->probe.open || hf_seq_lt(ack, end))
        return;
    bool came_twice = hf_ack_tells_duplicate(c, a->seg) && a->seg->sack[0].right == end.v;
    bool repaired = f->probe.resent && !came_twice && hf_seq_gt(ack, end);
    bool nothing_lost = !f->probe.resent || came_twice || (a->duplicate && a->seg->sack_count == 0);
    if (repaired)
        hf_recovery_respond(s, c, f);
    f->probe.open = !repaired && !nothing_lost;
}

void hf_loss_timer_settle(struct hf_stack *s, struct hf_conn *c)
{
    struct hf_flight *f = hf_flight_of(s, c);
    /* Nobody said that the probe came twice: a loss is assumed that it repaired. */
    if (f->probe.open)
        hf_recovery_respond(s, c, f);
    f->probe.open = f->undo.open = false;
    hf_timer_idle(s, c);
    hf_conn_release_flight(s, c);
}
