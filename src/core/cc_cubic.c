/**
 * CUBIC [RFC9438] with HyStart++ [RFC9406]. Windows in bytes, by integers only.
 *
 * Units: a tick is 2^20 ns (K is kept in ticks), a unit 2^10 ns (times that are cubed). A window is
 * at most 2^30 bytes, so a curve is followed for at most 2^31 units (37 minutes) from its plateau:
 * there even segments of a byte would have made up the largest window. Constants of the RFC, which
 * counts segments and seconds, are scaled below where they stand.
 *
 * A stage of avoidance is told by its plateau and by where on the curve it begins: by w_max_bytes
 * and the window. Both survive in struct hf_cc, so a stage that is lost with the run goes on, while
 * below the plateau, where it was; above, it begins a new plateau and is slower, never faster.
 */
#include "cc.h"

enum {
    TICK_SHIFT = 20,
    UNIT_SHIFT = 10,
    CUBE_SHIFT = 22,
    C_SHIFT = 20,
    SEGS_SHIFT = 10,
    ROOT_BITS = 21, /**< of K in ticks, at most */
};

/** [RFC9438#4.6] beta, and (1 + beta) / 2 of [RFC9438#4.7] */
enum { BETA_PERCENT = 70, CONVERGENCE_PERCENT = 85, ALL_PERCENT = 100 };
/** [RFC9438#4.3] alpha = 3 * (1 - beta) / (1 + beta) = 9 / 17 */
enum { ALPHA_DIVIDEND = 9, ALPHA_DIVISOR = 17 };

#define DISTANCE_MAX_UNITS (1ll << 31)
/** 1 / C = 2.5 s^3, in ticks cubed: 2.5e27 / 2^60 */
#define INVERSE_C_TICKS3 2168404345ull
/** C = 0.4 / s^3, from 2^53 cubic units to 1/1024 segment: 0.4e-27 * 2^(30 + 53 + 10), * 2^20 */
#define C_SCALED 4153837

static uint32_t cube_root(uint64_t x)
{
    uint64_t root = 0;
    for (uint64_t bit = 1ull << (ROOT_BITS - 1); bit > 0; bit >>= 1) {
        uint64_t candidate = root | bit;
        if (candidate * candidate * candidate <= x)
            root = candidate;
    }
    return (uint32_t)root;
}

/** [RFC9438#4.2] K = cubic root of ((W_max - cwnd_epoch) / C). 2^30 * 2^31.1 fits in 64 bits. */
static uint32_t k_ticks(uint32_t missing_bytes, uint32_t mss_bytes)
{
    return cube_root(missing_bytes * INVERSE_C_TICKS3 / mss_bytes);
}

/**
 * [RFC9438#4.2] W_cubic(t) = C * (t - K)^3 + W_max for t >= 0. Not limited to what a window can be.
 * Right shifts of what is negative, before the plateau, round down, as all supported compilers do.
 */
static int64_t w_cubic(const struct hf_cubic *s, hf_ns t_ns)
{
    /* K < 2^31 units, so this is > -2^31. */
    int64_t d = (t_ns - ((hf_ns)s->k_ticks << TICK_SHIFT)) >> UNIT_SHIFT;
    if (d > DISTANCE_MAX_UNITS)
        d = DISTANCE_MAX_UNITS;
    /* d^2 and d^3 / 2^31 are <= 2^62, d^3 / 2^53 <= 2^40, C_SCALED < 2^22; the segments, in 1/1024,
     * are less than 2^42, an SMSS less than 2^16. */
    int64_t cube = (d * d >> 31) * d >> CUBE_SHIFT;
    int64_t bytes = (cube * C_SCALED >> C_SHIFT) * s->mss_bytes >> SEGS_SHIFT;
    return bytes + s->origin_bytes;
}

static void begin_stage(struct hf_cc *cc, struct hf_cc_run *run, const struct hf_cc_event *e)
{
    /* [RFC9438#4.8] [RFC9438#4.10] After a timeout, or when slow start ended without a loss, the
     * plateau is here: K = 0, W_max = cwnd. */
    if (cc->w_max_bytes == 0)
        cc->w_max_bytes = cc->cwnd_bytes;
    /* Not known, if the run was lost since. */
    uint32_t prior_bytes = run->cubic.prior_bytes;
    if (prior_bytes == 0)
        prior_bytes = cc->w_max_bytes;
    uint32_t origin_bytes = hf_max_u32(cc->w_max_bytes, cc->cwnd_bytes);
    run->cubic = (struct hf_cubic){
        .epoch_at = e->now_ns,
        .k_ticks = k_ticks(origin_bytes - cc->cwnd_bytes, e->mss_bytes),
        .w_est_bytes = cc->cwnd_bytes,
        .origin_bytes = origin_bytes,
        .prior_bytes = prior_bytes,
        .mss_bytes = (uint16_t)e->mss_bytes,
    };
}

/* [RFC9438#4.2] Time in which the window was not used, and so not tried, is not part of t
 * [RFC9438#5.8]. */
static void cubic_unused(struct hf_cc_run *run, hf_ns now_ns)
{
    if (run == NULL || run->cubic.paused)
        return;
    run->cubic.paused = true;
    run->cubic.epoch_at = now_ns - run->cubic.epoch_at;
}

static void resume_stage(struct hf_cubic *s, hf_ns now_ns)
{
    s->paused = false;
    s->epoch_at = now_ns - s->epoch_at;
}

/* [RFC9438#4.3] W_est += alpha * segments_acked / cwnd, by bytes */
static void grow_estimate(struct hf_cubic *s, uint32_t acked_bytes, uint32_t cwnd_bytes)
{
    uint64_t parts = (uint64_t)acked_bytes * s->mss_bytes;
    if (s->w_est_bytes < s->prior_bytes)
        parts = parts * ALPHA_DIVIDEND / ALPHA_DIVISOR;
    parts += s->w_est_left;
    uint32_t bytes = (uint32_t)(parts / cwnd_bytes);
    s->w_est_left = (uint32_t)(parts % cwnd_bytes);
    s->w_est_bytes = hf_min_u32(s->w_est_bytes + bytes, HF_CWND_MAX_BYTES);
}

static void avoid_congestion(struct hf_cc *cc, struct hf_cc_run *run, const struct hf_cc_event *e)
{
    struct hf_cubic *s = &run->cubic;
    if (s->mss_bytes != e->mss_bytes)
        begin_stage(cc, run, e);
    else if (s->paused)
        resume_stage(s, e->now_ns);
    uint32_t cwnd_bytes = cc->cwnd_bytes;
    /* However much an ACK covers, it grows the window to its target at most. */
    uint32_t acked_bytes = hf_min_u32(e->acked_bytes, cwnd_bytes);
    hf_ns t_ns = hf_max_ns(e->now_ns - s->epoch_at, 0);
    grow_estimate(s, acked_bytes, cwnd_bytes);
    /* [RFC9438#4.3] The Reno-friendly region. The window grows only: it may be ahead of both. */
    if (w_cubic(s, t_ns) < s->w_est_bytes) {
        hf_cc_set_window(cc, e, hf_max_u32(cwnd_bytes, s->w_est_bytes));
        return;
    }
    /* [RFC9438#4.2] */
    int64_t target = w_cubic(s, t_ns + e->srtt_ns);
    if (target <= cwnd_bytes)
        return;
    uint32_t step_bytes = cwnd_bytes / 2;
    if (target < (int64_t)cwnd_bytes + step_bytes)
        step_bytes = (uint32_t)target - cwnd_bytes;
    /* [RFC9438#4.4] [RFC9438#4.5] (target - cwnd) / cwnd for each segment acknowledged, whether its
     * ACK is shared or came in parts. */
    uint64_t parts = (uint64_t)step_bytes * acked_bytes + run->acked;
    run->acked = (uint32_t)(parts % cwnd_bytes);
    hf_cc_set_window(cc, e, cwnd_bytes + parts / cwnd_bytes);
}

/* [RFC9438#4.10] with the conservative phase of [RFC9406#4.2] */
static void slow_start(struct hf_cc *cc, struct hf_cc_run *run, const struct hf_cc_event *e)
{
    uint32_t bytes = hf_cc_slow_start_bytes(cc, e);
    /* [RFC9406#4.3] Only the first slow start knows nothing of the path. */
    if (run != NULL && !cc->slow_start_over) {
        switch (hf_hystart_ack(&run->hystart, e->rtt_ns, e->snd_una, e->snd_nxt)) {
        case HF_HYSTART_SLOW_START: break;
        case HF_HYSTART_CONSERVATIVE: bytes = 0; break; /* DEVIATION D-40 */
        case HF_HYSTART_OVER:
            hf_cc_set_ssthresh(cc, e, cc->cwnd_bytes);
            cc->slow_start_over = true;
            return;
        }
    }
    hf_cc_slow_start(cc, e, bytes);
}

static void cubic_ack(struct hf_cc *cc, struct hf_cc_run *run, const struct hf_cc_event *e)
{
    if (cc->cwnd_bytes < cc->ssthresh_bytes) /* DEVIATION D-38: not if it is equal */
        slow_start(cc, run, e);
    else if (run != NULL)
        avoid_congestion(cc, run, e);
}

/** [RFC9438#4.6] Of what was in flight, not of cwnd; but where a recovery has just held the flight
 *  down, of what it aimed at: the RFC lets that be cwnd. A new stage follows. */
static void reduce(struct hf_cc *cc, struct hf_cc_run *run, const struct hf_cc_event *e)
{
    uint32_t flight_bytes = hf_max_u32(e->flight_bytes, e->aim_bytes);
    hf_cc_reduce(cc, run, e, (uint64_t)flight_bytes * BETA_PERCENT / ALL_PERCENT);
    if (run != NULL)
        run->cubic = (struct hf_cubic){.prior_bytes = cc->cwnd_bytes};
}

static void cubic_loss(struct hf_cc *cc, struct hf_cc_run *run, const struct hf_cc_event *e)
{
    hf_cc_enter_recovery(cc, run, e);
    /* [RFC9438#4.7] Lost earlier than the time before: others have come, for whom room is left. */
    bool sooner = cc->cwnd_bytes < cc->w_max_bytes;
    uint64_t percent = sooner ? CONVERGENCE_PERCENT : ALL_PERCENT;
    cc->w_max_bytes = (uint32_t)(cc->cwnd_bytes * percent / ALL_PERCENT);
    reduce(cc, run, e);
}

static void cubic_rto(struct hf_cc *cc, struct hf_cc_run *run, const struct hf_cc_event *e)
{
    /* [RFC9438#4.8] as Reno [RFC5681#3.1], and W_max shall be where slow start ends */
    if (!e->again) {
        hf_cc_keep_prior(cc, run, e);
        reduce(cc, run, e);
    }
    cc->w_max_bytes = 0;
    hf_cc_restart(cc, run, e);
}

static void cubic_idle(struct hf_cc *cc, const struct hf_cc_event *e)
{
    /* [RFC5681#4.1] No ACKs are left to clock a large window out, and the path may have changed. */
    hf_cc_set_window(cc, e, hf_min_u32(cc->cwnd_bytes, e->initial_window_bytes));
    /* [RFC9438#4.10] This slow start will end without a loss. */
    if (cc->cwnd_bytes < cc->ssthresh_bytes)
        cc->w_max_bytes = 0;
}

const struct hf_cc_algorithm hf_cc_cubic = {
    .name = "cubic",
    .on_open = hf_cc_open,
    .on_ack = cubic_ack,
    .on_unused = cubic_unused,
    .on_loss = cubic_loss,
    .on_recovered = hf_cc_recovered,
    .on_rto = cubic_rto,
    .on_undo = hf_cc_undo,
    .on_idle = cubic_idle,
    .on_smaller_mss = hf_cc_smaller_mss,
};
