/**
 * For tests of CUBIC: a flow that events are put to, and a model of its growth in floating point.
 */
#ifndef HF_TEST_CUBIC_FLOW_H
#define HF_TEST_CUBIC_FLOW_H

#include "core/cc.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { MSS = 1000 };

static const struct hf_cc_algorithm *const cubic = &hf_cc_cubic;

/** A connection with data in flight. */
struct flow {
    struct hf_cc cc;
    struct hf_cc_run run;
    struct hf_cc_event e; /**< what the next ACK brings, but for acked_bytes */
    bool unused;          /**< the window is not what holds the sender back */
};

static inline struct flow opened(uint32_t mss_bytes, uint32_t initial_window_bytes)
{
    struct flow f = {.e = {.mss_bytes = mss_bytes,
                           .initial_window_bytes = initial_window_bytes,
                           .now_ns = HF_SEC(1000),
                           .srtt_ns = HF_MS(100),
                           .slow_start_segs = 2}};
    cubic->on_open(&f.cc, &f.e);
    return f;
}

static inline void ack(struct flow *f, uint32_t acked_bytes)
{
    f->e.acked_bytes = acked_bytes;
    if (f->unused)
        cubic->on_unused(&f->run, f->e.now_ns);
    else
        cubic->on_ack(&f->cc, &f->run, &f->e);
}

/** Everything in flight, which fills the window, is acknowledged at once after `span_ns`. */
static inline void ack_window_after(struct flow *f, hf_ns span_ns)
{
    f->e.now_ns += span_ns;
    ack(f, f->cc.cwnd_bytes);
}

static inline void lose(struct flow *f, uint32_t flight_bytes)
{
    f->e.flight_bytes = flight_bytes;
    cubic->on_loss(&f->cc, &f->run, &f->e);
}

/** What the recovery does at its end. */
static inline void recover(struct flow *f)
{
    f->cc.cwnd_bytes = f->cc.ssthresh_bytes;
    cubic->on_recovered(&f->cc, &f->run, &f->e);
}

static inline void rto(struct flow *f, uint32_t flight_bytes, bool again)
{
    f->e.flight_bytes = flight_bytes;
    f->e.again = again;
    cubic->on_rto(&f->cc, &f->run, &f->e);
}

static inline void undo(struct flow *f)
{
    cubic->on_undo(&f->cc, &f->run, &f->e);
}

/** A flow whose full window of `segs` has met a loss and that has recovered. */
static inline struct flow reduced(uint32_t mss_bytes, uint32_t segs)
{
    struct flow f = opened(mss_bytes, segs * mss_bytes);
    lose(&f, f.cc.cwnd_bytes);
    recover(&f);
    return f;
}

/* ---- numbers; the tests do without libm ---- */

static inline double least(double a, double b)
{
    return a < b ? a : b;
}
static inline double most(double a, double b)
{
    return a > b ? a : b;
}
static inline double distance(double a, double b)
{
    return most(a, b) - least(a, b);
}
static inline double cube_root(double x)
{
    double root = most(x, 1);
    for (int i = 0; i < 100; i++) /* Newton */
        root -= (root * root * root - x) / (3 * root * root);
    return x == 0 ? 0 : root;
}

static inline void assert_near(double is, double ought, double share, double bytes)
{
    if (distance(is, ought) > share * ought + bytes)
        fail_msg("%.1f instead of %.1f", is, ought);
}

/* ---- the model: windows in segments, times in seconds [RFC9438#4] ---- */

struct model {
    double cwnd, w_max, prior, k, w_est, began_s, rtt_s;
};

static inline double model_curve(const struct model *m, double t_s)
{
    return 0.4 * (t_s - m->k) * (t_s - m->k) * (t_s - m->k) + m->w_max;
}

static inline struct model model_begin(const struct flow *f, double w_max_bytes, double prior_bytes)
{
    double mss = f->e.mss_bytes, cwnd = f->cc.cwnd_bytes / mss;
    struct model m = {.cwnd = cwnd,
                      .w_max = w_max_bytes / mss,
                      .prior = prior_bytes / mss,
                      .w_est = cwnd,
                      .began_s = (double)f->e.now_ns / 1e9,
                      .rtt_s = (double)f->e.srtt_ns / 1e9};
    m.k = cube_root((m.w_max - cwnd) / 0.4);
    return m;
}

static inline void model_ack(struct model *m, const struct flow *f, double acked)
{
    double t_s = (double)f->e.now_ns / 1e9 - m->began_s;
    double alpha = m->w_est >= m->prior ? 1 : 9.0 / 17.0;
    m->w_est += alpha * acked / m->cwnd;
    if (model_curve(m, t_s) < m->w_est) {
        m->cwnd = most(m->cwnd, m->w_est);
    } else {
        double target = least(most(model_curve(m, t_s + m->rtt_s), m->cwnd), 1.5 * m->cwnd);
        m->cwnd += (target - m->cwnd) / m->cwnd * acked;
    }
    m->cwnd = least(m->cwnd, (double)HF_CWND_MAX_BYTES / f->e.mss_bytes);
}

/** Segments of all sizes. */
static const uint32_t sizes_bytes[] = {1, 48, 536, 1460, 9000, 65483};

#endif
