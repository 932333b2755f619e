/**
 * Congestion control after RFC 5681, none, and what all algorithms have in common.
 * Windows in bytes; growth by bytes acknowledged [RFC3465], so that neither an ACK for each byte
 * nor one for many segments changes the speed.
 */
#include "cc.h"

enum {
    IW_FEW_SEGS = 4, /**< up to here RFC 5681, beyond RFC 6928 */
    IW_MEDIUM_MSS_BYTES = 1095,
    IW_ETHERNET_MSS_BYTES = 1460,
    IW_LARGE_MSS_BYTES = 2190,
};

uint32_t hf_cc_initial_window(uint32_t mss_bytes, uint32_t segs, bool syn_was_lost)
{
    if (syn_was_lost)
        return mss_bytes;
    if (segs > IW_FEW_SEGS) {
        uint32_t limit_bytes = hf_max_u32(2 * mss_bytes, segs * IW_ETHERNET_MSS_BYTES);
        return hf_min_u32(segs * mss_bytes, limit_bytes);
    }
    uint32_t limit_segs = IW_FEW_SEGS;
    if (mss_bytes > IW_MEDIUM_MSS_BYTES)
        limit_segs--;
    if (mss_bytes > IW_LARGE_MSS_BYTES)
        limit_segs--;
    return hf_min_u32(segs, limit_segs) * mss_bytes;
}

void hf_cc_set_ssthresh(struct hf_cc *cc, const struct hf_cc_event *e, uint64_t bytes)
{
    if (bytes > HF_CWND_MAX_BYTES)
        bytes = HF_CWND_MAX_BYTES;
    cc->ssthresh_bytes = hf_max_u32((uint32_t)bytes, 2 * e->mss_bytes);
}

uint32_t hf_cc_slow_start_bytes(const struct hf_cc *cc, const struct hf_cc_event *e)
{
    if (e->slow_start_segs == 0)
        return e->acked_bytes;
    /* [RFC3465#2.2] DEVIATION D-3 from [RFC5681#3.1], which adds one SMSS an ACK at most: two make
     * up for the segments whose ACK was delayed. [RFC3465#2.3] After a timeout one only: there a
     * single ACK may cover much that arrived long ago. */
    uint32_t limit_segs = cc->after_rto ? 1 : e->slow_start_segs;
    return hf_min_u32(e->acked_bytes, limit_segs * e->mss_bytes);
}

void hf_cc_slow_start(struct hf_cc *cc, const struct hf_cc_event *e, uint32_t bytes)
{
    /* From ssthresh on avoidance has the say; an ACK for much must not carry the window past it. */
    uint64_t grown_bytes = (uint64_t)cc->cwnd_bytes + bytes;
    hf_cc_set_window(cc, e, grown_bytes < cc->ssthresh_bytes ? grown_bytes : cc->ssthresh_bytes);
}

void hf_cc_keep_prior(const struct hf_cc *cc, struct hf_cc_run *run, const struct hf_cc_event *e)
{
    if (run == NULL || run->prior.in_recovery)
        return;
    run->prior = (struct hf_cc_prior){
        .cwnd_bytes = cc->cwnd_bytes,
        .ssthresh_bytes = cc->ssthresh_bytes,
        .w_max_bytes = cc->w_max_bytes,
        .acked = run->acked,
        .mss_bytes = (uint16_t)e->mss_bytes,
        .after_rto = cc->after_rto,
        .slow_start_over = cc->slow_start_over,
        .cubic = run->cubic,
    };
}

void hf_cc_enter_recovery(const struct hf_cc *cc, struct hf_cc_run *run,
                          const struct hf_cc_event *e)
{
    if (run == NULL)
        return;
    run->prior.in_recovery = false;
    hf_cc_keep_prior(cc, run, e);
    run->prior.in_recovery = true;
}

void hf_cc_reduce(struct hf_cc *cc, struct hf_cc_run *run, const struct hf_cc_event *e,
                  uint64_t ssthresh_bytes)
{
    hf_cc_set_ssthresh(cc, e, ssthresh_bytes);
    cc->after_rto = false;
    cc->slow_start_over = true; /* [RFC9406#4.2] */
    if (run != NULL)
        run->acked = 0;
}

void hf_cc_path_carries(struct hf_cc *cc, struct hf_cc_run *run, const struct hf_cc_event *e,
                        uint32_t bytes)
{
    uint32_t most_bytes = bytes - bytes / 8;
    if (cc->ssthresh_bytes <= most_bytes)
        return;
    cc->w_max_bytes = bytes;
    if (run != NULL)
        run->cubic.prior_bytes = hf_min_u32(run->cubic.prior_bytes, bytes);
    hf_cc_set_ssthresh(cc, e, most_bytes);
}

void hf_cc_restart(struct hf_cc *cc, struct hf_cc_run *run, const struct hf_cc_event *e)
{
    cc->after_rto = true;
    hf_cc_set_window(cc, e, e->mss_bytes);
    if (run != NULL) {
        run->acked = 0;
        run->prior.in_recovery = false;
    }
}

void hf_cc_open(struct hf_cc *cc, const struct hf_cc_event *e)
{
    /* [RFC5681#3.1] ssthresh is arbitrarily high: the path, not a guess, ends slow start. */
    *cc = (struct hf_cc){.ssthresh_bytes = HF_CWND_MAX_BYTES};
    hf_cc_set_window(cc, e, e->initial_window_bytes);
}

void hf_cc_recovered(struct hf_cc *cc, struct hf_cc_run *run, const struct hf_cc_event *e)
{
    (void)cc;
    (void)e;
    if (run != NULL)
        run->prior.in_recovery = false;
}

/* [RFC9438#4.9] All that was before, or nothing of it; Reno needs no other rule. */
void hf_cc_undo(struct hf_cc *cc, struct hf_cc_run *run, const struct hf_cc_event *e)
{
    if (run == NULL)
        return;
    const struct hf_cc_prior *prior = &run->prior;
    /* If segments have another size by now, the path has changed too. */
    if (prior->cwnd_bytes >= cc->cwnd_bytes && prior->mss_bytes == e->mss_bytes) {
        *cc = (struct hf_cc){
            .cwnd_bytes = prior->cwnd_bytes,
            .ssthresh_bytes = prior->ssthresh_bytes,
            .w_max_bytes = prior->w_max_bytes,
            .after_rto = prior->after_rto,
            .slow_start_over = prior->slow_start_over,
        };
        run->acked = prior->acked;
        run->cubic = prior->cubic;
    }
    run->prior = (struct hf_cc_prior){0};
}

void hf_cc_smaller_mss(struct hf_cc *cc, const struct hf_cc_event *e, uint32_t old_mss_bytes)
{
    /* [RFC5681#3.1] The same number of segments, or small ones would leave in a burst. What else is
     * known of the path is known in bytes. */
    if (e->mss_bytes < old_mss_bytes)
        hf_cc_set_window(cc, e, (uint64_t)cc->cwnd_bytes * e->mss_bytes / old_mss_bytes);
}

void hf_cc_unused(struct hf_cc_run *run, hf_ns now_ns)
{
    (void)run;
    (void)now_ns;
}

/* Reno. */

/* [MUST-19] slow start and congestion avoidance */
static void reno_ack(struct hf_cc *cc, struct hf_cc_run *run, const struct hf_cc_event *e)
{
    uint32_t cwnd_bytes = cc->cwnd_bytes;
    if (cwnd_bytes < cc->ssthresh_bytes) {
        hf_cc_slow_start(cc, e, hf_cc_slow_start_bytes(cc, e));
        return;
    }
    if (run == NULL)
        return;
    /* [RFC3465#2.1] One SMSS for each window of bytes acknowledged: one a round trip. */
    uint64_t acked_bytes = (uint64_t)run->acked + e->acked_bytes;
    if (acked_bytes >= cwnd_bytes) {
        acked_bytes -= cwnd_bytes;
        hf_cc_set_window(cc, e, (uint64_t)cwnd_bytes + e->mss_bytes);
    }
    run->acked = acked_bytes < cc->cwnd_bytes ? (uint32_t)acked_bytes : cc->cwnd_bytes;
}

static void reno_loss(struct hf_cc *cc, struct hf_cc_run *run, const struct hf_cc_event *e)
{
    hf_cc_enter_recovery(cc, run, e);
    /* [RFC5681#3.1] (4): of what was in flight, not of cwnd, which may have been far from filled.
     * [RFC5681#3.2] step 2 */
    hf_cc_reduce(cc, run, e, e->flight_bytes / 2);
}

static void reno_rto(struct hf_cc *cc, struct hf_cc_run *run, const struct hf_cc_event *e)
{
    /* [RFC5681#3.1] ssthresh is held when the same segment is lost again: what was in flight when
     * the first timeout struck has been halved already. */
    if (!e->again) {
        hf_cc_keep_prior(cc, run, e);
        hf_cc_reduce(cc, run, e, e->flight_bytes / 2);
    }
    hf_cc_restart(cc, run, e);
}

static void reno_idle(struct hf_cc *cc, const struct hf_cc_event *e)
{
    /* [RFC5681#4.1] No ACKs are left to clock a large window out, and the path may have changed. */
    hf_cc_set_window(cc, e, hf_min_u32(cc->cwnd_bytes, e->initial_window_bytes));
}

const struct hf_cc_algorithm hf_cc_reno = {
    .name = "reno",
    .on_open = hf_cc_open,
    .on_ack = reno_ack,
    .on_unused = hf_cc_unused,
    .on_loss = reno_loss,
    .on_recovered = hf_cc_recovered,
    .on_rto = reno_rto,
    .on_undo = hf_cc_undo,
    .on_idle = reno_idle,
    .on_smaller_mss = hf_cc_smaller_mss,
};

/* None: for paths whose capacity is somebody else's care, as between two ends in one process. */

static void none_open(struct hf_cc *cc, const struct hf_cc_event *e)
{
    (void)e;
    *cc = (struct hf_cc){.cwnd_bytes = HF_CWND_MAX_BYTES, .ssthresh_bytes = HF_CWND_MAX_BYTES};
}

static void none_run_event(struct hf_cc *cc, struct hf_cc_run *run, const struct hf_cc_event *e)
{
    (void)cc;
    (void)run;
    (void)e;
}

/* A recovery that ends so has left its own window. */
static void none_ends_recovery(struct hf_cc *cc, struct hf_cc_run *run, const struct hf_cc_event *e)
{
    (void)run;
    (void)e;
    cc->cwnd_bytes = HF_CWND_MAX_BYTES;
}

static void none_idle(struct hf_cc *cc, const struct hf_cc_event *e)
{
    (void)cc;
    (void)e;
}

static void none_smaller_mss(struct hf_cc *cc, const struct hf_cc_event *e, uint32_t old_mss_bytes)
{
    (void)cc;
    (void)e;
    (void)old_mss_bytes;
}

const struct hf_cc_algorithm hf_cc_none = {
    .name = "none",
    .on_open = none_open,
    .on_ack = none_run_event,
    .on_unused = hf_cc_unused,
    .on_loss = none_run_event,
    .on_recovered = none_run_event,
    .on_rto = none_ends_recovery,
    .on_undo = none_ends_recovery,
    .on_idle = none_idle,
    .on_smaller_mss = none_smaller_mss,
};
