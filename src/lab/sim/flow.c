/**
 * The measuring of a flow. Owns counts and curves. A retransmission is a segment below what was
 * sent before; its reason is what the stack told with it.
 */
#include "flow.h"

#include <stdlib.h>

#include "core/base.h"

enum { NS_IN_US = 1000 };

static void init_series(struct hf_series *s, enum hf_series_kind kind,
                        const struct hf_sim_curves *c)
{
    *s = (struct hf_series){.kind = kind, .from_ns = c->from_ns, .until_ns = c->until_ns};
}

static void init_curves(struct hf_sim_curves *c)
{
    struct hf_series *const values[] = {&c->acked, &c->edge,      &c->cwnd,     &c->ssthresh,
                                        &c->rtt,   &c->in_flight, &c->sent_bps, &c->delivered_bps};
    init_series(&c->sent, HF_SERIES_BARS, c);
    for (size_t i = 0; i < HF_COUNT_OF(values); i++)
        init_series(values[i], HF_SERIES_VALUES, c);
}

void hf_sim_flow_init(struct hf_sim_flow *f, const struct hf_scenario_flow *plan, unsigned number,
                      struct hf_sim_curves *curves)
{
    *f = (struct hf_sim_flow){
        .plan = plan,
        .number = number,
        .done_at_ns = HF_NEVER,
        .completed_at_ns = HF_NEVER,
        .curves = curves,
    };
    if (curves != NULL)
        init_curves(curves);
}

void hf_sim_flow_free(struct hf_sim_flow *f)
{
    hf_coverage_free(&f->arrived);
    struct hf_sim_curves *c = f->curves;
    if (c == NULL)
        return;
    struct hf_series *const all[] = {&c->sent,      &c->acked,    &c->edge,
                                     &c->cwnd,      &c->ssthresh, &c->rtt,
                                     &c->in_flight, &c->sent_bps, &c->delivered_bps};
    for (size_t i = 0; i < HF_COUNT_OF(all); i++)
        hf_series_free(all[i]);
    for (size_t i = 0; i < HF_REASON_COUNT; i++) {
        if (c->resent[i] != NULL)
            hf_series_free(c->resent[i]);
        free(c->resent[i]);
    }
}

/* ---- what the sender tells ---------------------------------------------------------------- */

/** The offset of a sequence number, the one that is nearest to `near`; negative below the first. */
static int64_t offset_of(const struct hf_sim_flow *f, uint32_t seq, uint64_t near)
{
    uint32_t low = seq - f->iss - 1;
    return (int64_t)near + (int32_t)(low - (uint32_t)near);
}

static void mark_resent(struct hf_sim_flow *f, const struct hf_sim_resent *r)
{
    struct hf_sim_curves *c = f->curves;
    if (c == NULL)
        return;
    if (c->resent[f->resend_reason] == NULL) {
        struct hf_series *s = malloc(sizeof *s);
        HF_ASSERT(s != NULL);
        init_series(s, HF_SERIES_ALL, c);
        c->resent[f->resend_reason] = s;
    }
    hf_series_add(c->resent[f->resend_reason], r->at_ns, (double)(r->left + r->right) / 2);
}

/** Counts what is held by the reason that was told last. */
static void settle_held(struct hf_sim_flow *f)
{
    if (!f->held.is_held)
        return;
    f->held.is_held = false;
    f->resent_by[f->resend_reason].segs += f->held.segs;
    f->resent_by[f->resend_reason].bytes += f->held.bytes;
    mark_resent(f, &f->held);
}

/** The reason is told just before the segment or just after it, or once for many. */
static void sent_again(struct hf_sim_flow *f, const struct hf_sim_resent *r)
{
    settle_held(f);
    f->resent.segs += r->segs;
    f->resent.bytes += r->bytes;
    f->held = *r;
    if (f->resend_is_told && f->resend_seq == r->seq)
        settle_held(f);
    f->resend_is_told = false;
}

static void reason_told(struct hf_sim_flow *f, const struct hf_trace_event *event)
{
    uint32_t seq = (uint32_t)event->a;
    bool is_of_held = f->held.is_held && f->held.seq == seq && f->held.at_ns == event->now_ns;
    if (!is_of_held)
        settle_held(f);
    f->resend_reason = event->reason;
    f->resend_seq = seq;
    f->resend_is_told = !is_of_held;
    settle_held(f);
}

/** How many segments the link will make of it. */
static uint64_t segs_in(const struct hf_sim_flow *f, const struct hf_stack *stack, uint32_t payload)
{
    struct hf_info info;
    if (payload <= 1 || hf_info(stack, f->sender, &info) != HF_OK || info.snd_mss_bytes == 0)
        return 1;
    return (payload + info.snd_mss_bytes - 1u) / info.snd_mss_bytes;
}

static void sender_sent(struct hf_sim_flow *f, const struct hf_stack *stack,
                        const struct hf_trace_event *event)
{
    const struct hf_segment *seg = event->segment;
    if ((seg->flags & HF_SYN) != 0) {
        f->iss = seg->seq;
        f->sent.segs++;
        if (f->syns++ > 0)
            sent_again(f, &(struct hf_sim_resent){true, seg->seq, event->now_ns, 0, 0, 1, 0});
        return;
    }
    uint64_t length = seg->payload_bytes + ((seg->flags & HF_FIN) != 0);
    int64_t at = offset_of(f, seg->seq, f->sent_max);
    if (length == 0 || at < 0)
        return; /* an ACK, or a probe of what is below all data */
    uint64_t left = (uint64_t)at, right = left + length;
    uint64_t segs = segs_in(f, stack, seg->payload_bytes);
    f->sent.segs += segs;
    f->sent.bytes += seg->payload_bytes;
    if (left >= f->sent_max) {
        if (f->curves != NULL)
            hf_series_add_bar(&f->curves->sent, event->now_ns, (double)left, (double)right);
    } else {
        uint64_t old_end = right < f->sent_max ? right : f->sent_max;
        uint64_t again = old_end - left; /* the FIN is no byte */
        uint64_t bytes = again < seg->payload_bytes ? again : seg->payload_bytes;
        sent_again(
            f, &(struct hf_sim_resent){true, seg->seq, event->now_ns, left, right, segs, bytes});
    }
    if (right > f->sent_max)
        f->sent_max = right;
}

/** The timer expired for the first byte that is not acknowledged. It did so in vain if that byte
 *  has arrived, or does so by what was sent before. */
static void note_rto(struct hf_sim_flow *f, const struct hf_stack *stack, hf_ns now)
{
    struct hf_info info;
    f->rtos++;
    if (hf_info(stack, f->sender, &info) != HF_OK)
        return;
    int64_t at = offset_of(f, info.snd_una, f->sent_max);
    uint64_t offset = at < 0 ? 0 : (uint64_t)at;
    if (hf_coverage_has(&f->arrived, offset))
        f->spurious_rtos++;
    else if (f->open_rto_count < HF_SIM_RTOS_OPEN)
        f->open_rtos[f->open_rto_count++] = (struct hf_sim_rto){offset, now / NS_IN_US * NS_IN_US};
}

static void measured(struct hf_sim_flow *f, const struct hf_trace_event *event)
{
    hf_ns rtt_ns = event->a;
    f->rtt_min_ns = f->rtt_count == 0 ? rtt_ns : hf_min_ns(f->rtt_min_ns, rtt_ns);
    f->rtt_max_ns = hf_max_ns(f->rtt_max_ns, rtt_ns);
    f->rtt_sum_ns += rtt_ns;
    f->rtt_count++;
    if (f->curves != NULL)
        hf_series_add(&f->curves->rtt, event->now_ns, (double)rtt_ns / 1e9);
}

static void sender_traced(struct hf_sim_flow *f, const struct hf_stack *stack,
                          const struct hf_trace_event *event)
{
    if (event->type == HF_TRACE_SEGMENT_OUT && event->segment != NULL)
        sender_sent(f, stack, event);
    else if (event->type == HF_TRACE_RETRANSMIT)
        reason_told(f, event);
    else if (event->type == HF_TRACE_TIMER && event->reason == HF_TIMER_RTO)
        note_rto(f, stack, event->now_ns);
    else if (event->type == HF_TRACE_RTT)
        measured(f, event);
}

/* ---- what the receiver tells -------------------------------------------------------------- */

static void settle_rtos(struct hf_sim_flow *f, uint64_t left, uint64_t right, hf_ns sent_ns)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < f->open_rto_count; i++) {
        const struct hf_sim_rto *rto = &f->open_rtos[i];
        if (rto->offset < left || rto->offset >= right)
            f->open_rtos[kept++] = *rto;
        else
            f->spurious_rtos += sent_ns < rto->at_ns;
    }
    f->open_rto_count = kept;
}

static void receiver_traced(struct hf_sim_flow *f, const struct hf_trace_event *event,
                            hf_ns sent_ns)
{
    const struct hf_segment *seg = event->segment;
    if (event->type != HF_TRACE_SEGMENT_IN || seg == NULL || (seg->flags & HF_SYN) != 0)
        return;
    uint64_t length = seg->payload_bytes + ((seg->flags & HF_FIN) != 0);
    int64_t at = offset_of(f, seg->seq, f->arrived.next);
    if (length == 0 || at < 0)
        return;
    uint64_t left = (uint64_t)at, right = left + length;
    uint64_t fresh = hf_coverage_add(&f->arrived, left, right);
    f->arrived_again_bytes += length - fresh;
    if (f->open_rto_count > 0)
        settle_rtos(f, left, right, sent_ns);
}

void hf_sim_flow_trace(struct hf_sim_flow *f, bool is_sender, const struct hf_stack *stack,
                       const struct hf_trace_event *event, hf_ns sent_ns)
{
    if (is_sender)
        sender_traced(f, stack, event);
    else
        receiver_traced(f, event, sent_ns);
}

/* ---- state and samples -------------------------------------------------------------------- */

void hf_sim_flow_look(struct hf_sim_flow *f, const struct hf_stack *sender, hf_ns now)
{
    struct hf_info info;
    if (hf_info(sender, f->sender, &info) != HF_OK || info.state < HF_ESTABLISHED)
        return;
    f->info = info;
    f->has_info = true;
    struct hf_sim_curves *c = f->curves;
    if (c == NULL)
        return;
    int64_t una = offset_of(f, info.snd_una, f->sent_max);
    hf_series_add(&c->acked, now, (double)una);
    hf_series_add(&c->edge, now, (double)(una + info.snd_wnd_bytes));
    hf_series_add(&c->cwnd, now, (double)info.cwnd_bytes);
    hf_series_add(&c->ssthresh, now, (double)info.ssthresh_bytes);
    hf_series_add(&c->in_flight, now, (double)info.in_flight_bytes);
}

void hf_sim_flow_sample(struct hf_sim_flow *f, hf_ns now)
{
    hf_ns span_ns = now - f->sampled_at_ns;
    f->sampled_delivered_bps = hf_sim_rate_bps(f->delivered_bytes - f->sampled_delivered, span_ns);
    f->sampled_sent_bps = hf_sim_rate_bps(f->sent.bytes - f->sampled_sent, span_ns);
    if (f->curves != NULL && f->started && span_ns > 0) {
        /* Of the span that ends now: the step begins with it. */
        hf_series_add(&f->curves->delivered_bps, f->sampled_at_ns,
                      (double)f->sampled_delivered_bps);
        hf_series_add(&f->curves->sent_bps, f->sampled_at_ns, (double)f->sampled_sent_bps);
    }
    f->sampled_delivered = f->delivered_bytes;
    f->sampled_sent = f->sent.bytes;
    f->sampled_at_ns = now;
}

/** What holds at the end holds up to there. */
static void extend(struct hf_series *s, hf_ns now)
{
    hf_series_finish(s);
    if (s->count > 0)
        hf_series_add(s, now, s->points[s->count - 1].high);
    hf_series_finish(s);
}

void hf_sim_flow_finish(struct hf_sim_flow *f, hf_ns now)
{
    struct hf_sim_curves *c = f->curves;
    settle_held(f);
    if (c == NULL)
        return;
    struct hf_series *const held[] = {&c->acked,     &c->edge,     &c->cwnd,         &c->ssthresh,
                                      &c->in_flight, &c->sent_bps, &c->delivered_bps};
    hf_series_finish(&c->sent);
    hf_series_finish(&c->rtt);
    for (size_t i = 0; i < HF_COUNT_OF(held); i++)
        extend(held[i], hf_min_ns(now, f->done_at_ns));
}
