/**
 * What loss does to the sender: fast retransmit and NewReno recovery [RFC5681] [RFC6582], go-back
 * after a time-out [RFC6298]. How much may be in flight is the congestion control's (cc.h); here is
 * decided what is sent again.
 */
#include "stack.h"

enum { DUP_ACK_THRESHOLD = 3, DUP_ACKS_MAX = 255 };

const struct hf_cc_algorithm *hf_stack_cc(const struct hf_stack *s)
{
    return s->p.cfg.congestion_control == 0 ? &hf_cc_none : &hf_cc_reno;
}

struct hf_cc_event hf_recovery_event(const struct hf_stack *s, const struct hf_conn *c)
{
    uint32_t mss = hf_conn_mss(c);
    uint32_t initial =
        hf_cc_initial_window(mss, (uint32_t)s->p.cfg.initial_window_segs, c->syn_retransmitted);
    return (struct hf_cc_event){
        .now_ns = s->p.now_ns,
        .mss_bytes = mss,
        .flight_bytes = hf_conn_in_flight(c),
        .initial_window_bytes = initial,
        .again = c->rtx_count > 1,
    };
}

static void retransmit_first(struct hf_stack *s, struct hf_conn *c, enum hf_reason reason)
{
    hf_trace_conn(s, c, HF_TRACE_RETRANSMIT, reason, c->snd_una.v, c->rtx_count, NULL);
    c->rtx_due = true;
    hf_output_want(s, c);
}

static void enter_recovery(struct hf_stack *s, struct hf_conn *c, struct hf_flight *f)
{
    /* [RFC6582#3.2] once for each window: ACKs of what was sent before the last loss was found
     * say nothing new. */
    if (f->recover_valid && hf_seq_le(c->snd_una, f->recover))
        return;
    struct hf_cc_event e = hf_recovery_event(s, c);
    hf_stack_cc(s)->on_enter_recovery(&c->cc, &e);
    f->phase = HF_PHASE_RECOVERY;
    f->recover = c->snd_nxt;
    f->recover_valid = true;
    retransmit_first(s, c, HF_RETRANSMIT_FAST);
}

void hf_recovery_on_dup_ack(struct hf_stack *s, struct hf_conn *c)
{
    struct hf_flight *f = hf_flight_of(s, c);
    if (c->dup_acks < DUP_ACKS_MAX)
        c->dup_acks++;
    if (f == NULL)
        return; /* one segment at a time: its loss is found by the timer */
    if (f->phase == HF_PHASE_RECOVERY) {
        struct hf_cc_event e = hf_recovery_event(s, c);
        hf_stack_cc(s)->on_duplicate_ack(&c->cc, &e);
        hf_output_want(s, c);
    } else if (f->phase == HF_PHASE_OPEN && c->dup_acks == DUP_ACK_THRESHOLD) {
        enter_recovery(s, c, f);
    }
}

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
 *  round trip. Slow start doubles what was used, and no more. */
static bool is_cwnd_limited(const struct hf_conn *c, uint32_t peak_bytes)
{
    uint32_t mss = hf_conn_mss(c);
    return peak_bytes + mss > c->cc.cwnd_bytes ||
           (c->cc.cwnd_bytes < c->cc.ssthresh_bytes && peak_bytes > c->cc.cwnd_bytes / 2);
}

void hf_recovery_on_ack(struct hf_stack *s, struct hf_conn *c, uint32_t acked_bytes,
                        uint32_t flight_before)
{
    const struct hf_cc_algorithm *cc = hf_stack_cc(s);
    struct hf_flight *f = hf_flight_of(s, c);
    struct hf_cc_event e = hf_recovery_event(s, c);
    e.acked_bytes = acked_bytes;
    e.slow_start_segs = (uint32_t)s->p.cfg.slow_start_segs;
    e.cwnd_limited = is_cwnd_limited(c, most_in_flight(c, f, flight_before));
    if (f != NULL && f->phase == HF_PHASE_RECOVERY) {
        if (hf_seq_ge(c->snd_una, f->recover)) {
            f->phase = HF_PHASE_OPEN;
            cc->on_exit_recovery(&c->cc, &e);
        } else {
            cc->on_partial_ack(&c->cc, &e);
            retransmit_first(s, c, HF_RETRANSMIT_PARTIAL_ACK);
        }
        return;
    }
    if (f != NULL && f->phase == HF_PHASE_LOSS) {
        f->resend_next = hf_seq_max(f->resend_next, c->snd_una);
        if (hf_seq_ge(f->resend_next, c->snd_nxt))
            f->phase = HF_PHASE_OPEN;
    }
    /* Passed: kept on, the mark would lie ahead again after half of the number space. */
    if (f != NULL && hf_seq_gt(c->snd_una, f->recover))
        f->recover_valid = false;
    cc->on_ack(&c->cc, &e);
}

static void go_back(struct hf_stack *s, struct hf_conn *c)
{
    struct hf_flight *f = hf_flight_of(s, c);
    if (f == NULL || hf_conn_in_flight(c) == 0) {
        c->rtx_due = hf_conn_in_flight(c) > 0;
        return;
    }
    f->phase = HF_PHASE_LOSS;
    f->resend_next = c->snd_una;
    f->resend_told = true; /* by the caller */
    f->recover = c->snd_nxt;
    f->recover_valid = true;
    f->timed_at = HF_NEVER; /* Karn */
    c->rtx_due = false;
}

void hf_recovery_on_rto(struct hf_stack *s, struct hf_conn *c)
{
    struct hf_cc_event e = hf_recovery_event(s, c);
    hf_stack_cc(s)->on_rto(&c->cc, &e);
    c->dup_acks = 0;
    bool only_fin = c->fin_sent && c->send.bytes == 0;
    hf_trace_conn(s, c, HF_TRACE_RETRANSMIT, only_fin ? HF_RETRANSMIT_FIN : HF_RETRANSMIT_RTO,
                  c->snd_una.v, c->rtx_count, NULL);
    go_back(s, c);
    hf_output_want(s, c);
}

void hf_recovery_resend_all(struct hf_stack *s, struct hf_conn *c, enum hf_reason reason)
{
    hf_trace_conn(s, c, HF_TRACE_RETRANSMIT, reason, c->snd_una.v, c->rtx_count, NULL);
    go_back(s, c);
    hf_output_want(s, c);
}
