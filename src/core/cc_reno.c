/**
 * Congestion control after RFC 5681 with the recovery window of NewReno (RFC 6582), and none.
 * Windows in bytes; growth by bytes acknowledged [RFC3465], so that neither an ACK for each byte
 * nor one for many segments changes the speed.
 */
#include "cc.h"

enum {
    IW_FEW_SEGS = 4, /**< up to here RFC 5681, beyond RFC 6928 */
    IW_MEDIUM_MSS_BYTES = 1095,
    IW_ETHERNET_MSS_BYTES = 1460,
    IW_LARGE_MSS_BYTES = 2190,
    DUPLICATES = 3, /**< segments that the duplicate ACKs say have left the network */
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

static void set_cwnd(struct hf_cc *cc, const struct hf_cc_event *e, uint64_t bytes)
{
    if (bytes > HF_CWND_MAX_BYTES)
        bytes = HF_CWND_MAX_BYTES;
    cc->cwnd_bytes = hf_max_u32((uint32_t)bytes, e->mss_bytes);
    if (cc->cwnd_bytes >= cc->ssthresh_bytes)
        cc->after_rto = false;
}

static void reno_open(struct hf_cc *cc, const struct hf_cc_event *e)
{
    /* [RFC5681#3.1] ssthresh is arbitrarily high: the path, not a guess, ends slow start. */
    *cc = (struct hf_cc){.ssthresh_bytes = HF_CWND_MAX_BYTES};
    set_cwnd(cc, e, e->initial_window_bytes);
}

/* [MUST-19] slow start and congestion avoidance */
static void reno_ack(struct hf_cc *cc, const struct hf_cc_event *e)
{
    /* A window that is not used says nothing of what the path would bear. */
    if (!e->cwnd_limited)
        return;
    uint64_t cwnd_bytes = cc->cwnd_bytes;
    if (cwnd_bytes < cc->ssthresh_bytes) {
        /* [RFC3465#2.2] DEVIATION D-3 from [RFC5681#3.1], which adds one SMSS an ACK at most: two
         * make up for the segments whose ACK was delayed. [RFC3465#2.3] After a timeout one only:
         * there a single ACK may cover much that arrived long ago. */
        uint32_t limit = cc->after_rto ? 1 : e->slow_start_segs;
        bool limited = e->slow_start_segs > 0;
        set_cwnd(cc, e,
                 cwnd_bytes +
                     (limited ? hf_min_u32(e->acked_bytes, limit * e->mss_bytes) : e->acked_bytes));
        return;
    }
    /* [RFC3465#2.1] One SMSS for each window of bytes acknowledged: one a round trip. */
    uint64_t acked_bytes = (uint64_t)cc->acked_bytes + e->acked_bytes;
    if (acked_bytes >= cwnd_bytes) {
        acked_bytes -= cwnd_bytes;
        set_cwnd(cc, e, cwnd_bytes + e->mss_bytes);
    }
    cc->acked_bytes = hf_min_u32((uint32_t)acked_bytes, cc->cwnd_bytes);
}

/** [RFC5681#3.1] (4): of what was in flight, not of cwnd, which may have been far from filled. */
static void halve(struct hf_cc *cc, const struct hf_cc_event *e)
{
    uint32_t ssthresh_bytes = hf_max_u32(e->flight_bytes / 2, 2 * e->mss_bytes);
    cc->ssthresh_bytes = hf_min_u32(ssthresh_bytes, HF_CWND_MAX_BYTES);
    cc->acked_bytes = 0;
}

static void reno_enter_recovery(struct hf_cc *cc, const struct hf_cc_event *e)
{
    /* [RFC5681#3.2] steps 2 and 3 */
    halve(cc, e);
    set_cwnd(cc, e, (uint64_t)cc->ssthresh_bytes + DUPLICATES * e->mss_bytes);
}

static void reno_duplicate_ack(struct hf_cc *cc, const struct hf_cc_event *e)
{
    /* [RFC5681#3.2] step 4 */
    set_cwnd(cc, e, (uint64_t)cc->cwnd_bytes + e->mss_bytes);
}

static void reno_partial_ack(struct hf_cc *cc, const struct hf_cc_event *e)
{
    /* [RFC6582#3.2] step 3: what was acknowledged is in flight no more, so the window deflates by
     * as much; the segment sent again in its place is counted anew. */
    uint64_t left_bytes = cc->cwnd_bytes - hf_min_u32(cc->cwnd_bytes, e->acked_bytes);
    if (e->acked_bytes >= e->mss_bytes)
        left_bytes += e->mss_bytes;
    set_cwnd(cc, e, left_bytes);
}

static void reno_exit_recovery(struct hf_cc *cc, const struct hf_cc_event *e)
{
    /* [RFC6582#3.2] step 3, full acknowledgment, first choice: no burst if little is in flight. */
    uint64_t some_bytes = (uint64_t)hf_max_u32(e->flight_bytes, e->mss_bytes) + e->mss_bytes;
    set_cwnd(cc, e, some_bytes < cc->ssthresh_bytes ? some_bytes : cc->ssthresh_bytes);
    cc->acked_bytes = 0;
}

static void reno_rto(struct hf_cc *cc, const struct hf_cc_event *e)
{
    /* [RFC5681#3.1] ssthresh is held when the same segment is lost again: what was in flight when
     * the first timeout struck has been halved already. */
    if (!e->again)
        halve(cc, e);
    cc->acked_bytes = 0;
    cc->after_rto = true;
    set_cwnd(cc, e, e->mss_bytes);
}

static void reno_idle(struct hf_cc *cc, const struct hf_cc_event *e)
{
    /* [RFC5681#4.1] No ACKs are left to clock a large window out, and the path may have changed. */
    set_cwnd(cc, e, hf_min_u32(cc->cwnd_bytes, e->initial_window_bytes));
    cc->acked_bytes = 0;
}

static void reno_smaller_mss(struct hf_cc *cc, const struct hf_cc_event *e, uint32_t old_mss_bytes)
{
    /* [RFC5681#3.1] The same number of segments, or small ones would leave in a burst. */
    if (e->mss_bytes < old_mss_bytes)
        set_cwnd(cc, e, (uint64_t)cc->cwnd_bytes * e->mss_bytes / old_mss_bytes);
}

const struct hf_cc_algorithm hf_cc_reno = {
    .name = "reno",
    .on_open = reno_open,
    .on_ack = reno_ack,
    .on_enter_recovery = reno_enter_recovery,
    .on_duplicate_ack = reno_duplicate_ack,
    .on_partial_ack = reno_partial_ack,
    .on_exit_recovery = reno_exit_recovery,
    .on_rto = reno_rto,
    .on_idle = reno_idle,
    .on_smaller_mss = reno_smaller_mss,
};

/* None: for paths whose capacity is somebody else's care, as between two ends in one process. */

static void none_open(struct hf_cc *cc, const struct hf_cc_event *e)
{
    (void)e;
    *cc = (struct hf_cc){.cwnd_bytes = HF_CWND_MAX_BYTES, .ssthresh_bytes = HF_CWND_MAX_BYTES};
}

static void none_event(struct hf_cc *cc, const struct hf_cc_event *e)
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
    .on_ack = none_event,
    .on_enter_recovery = none_event,
    .on_duplicate_ack = none_event,
    .on_partial_ack = none_event,
    .on_exit_recovery = none_event,
    .on_rto = none_event,
    .on_idle = none_event,
    .on_smaller_mss = none_smaller_mss,
};
