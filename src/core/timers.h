/**
 * Timers of a connection: its deadlines, all in one node of the wheel, and among them the timer of
 * what is in flight. Private to src/core.
 */
#ifndef HF_CORE_TIMERS_H
#define HF_CORE_TIMERS_H

#include "stack.h"

/* ---- timers (timers.c) ---- */

/** Deadlines farther off fire early and are armed again: a node's tick is 32 bits wide. */
#define HF_TIMER_REACH_NS HF_SEC(24 * 3600)
/** A deadline moved to `at`: the node follows if it has to. */
void hf_timer_arm(struct hf_stack *s, struct hf_conn *c, hf_ns at);
void hf_timer_arm_rtx(struct hf_stack *s, struct hf_conn *c, hf_ns at);
/** The node fires then or before: it stays where it is. False, if that is not known. */
static inline bool hf_timer_is_covered(const struct hf_stack *s, const struct hf_conn *c, hf_ns at)
{
    return hf_wheel_node_is_armed(&c->wheel) &&
           (uint64_t)at - (uint64_t)s->p.now_ns < HF_TIMER_REACH_NS &&
           (int32_t)((uint32_t)hf_wheel_tick(at) - c->wheel.tick) >= 0;
}
static inline void hf_timer_rtx(struct hf_stack *s, struct hf_conn *c, enum hf_rtx_timer what,
                                hf_ns at)
{
    c->rtx_timer = (uint8_t)what & 15u;
    c->rtx_at = at;
    if (at != HF_NEVER && (c->options.user_timeout_ms > 0 || !hf_timer_is_covered(s, c, at)))
        hf_timer_arm_rtx(s, c, at);
}
/** A deadline that is kept elsewhere, the user timeout or the pacer's, was set. */
void hf_timer_again(struct hf_stack *s, struct hf_conn *c);
static inline void hf_timer_ack(struct hf_stack *s, struct hf_conn *c, hf_ns at)
{
    c->ack_at = at;
    if (!hf_timer_is_covered(s, c, at))
        hf_timer_arm(s, c, at);
}
void hf_timer_life(struct hf_stack *s, struct hf_conn *c, enum hf_life_timer what, hf_ns at);
/** Idle: keep-alive or nothing. */
void hf_timer_idle(struct hf_stack *s, struct hf_conn *c);
void hf_timers_off(struct hf_stack *s, struct hf_conn *c);
void hf_timers_fire(struct hf_stack *s, struct hf_conn *c);
/** The application let go: how long the peer may take from here. */
void hf_timer_orphan(struct hf_stack *s, struct hf_conn *c);

/* ---- the timer of what is in flight (loss_timer.c) ---- */

/** The connection's timer is for what is in flight. */
static inline bool hf_loss_timer_runs(const struct hf_conn *c)
{
    return c->rtx_timer == HF_RTX_RTO || c->rtx_timer == HF_RTX_LOSS_PROBE ||
           c->rtx_timer == HF_RTX_REORDER;
}
/** When it fires it may turn out to be early: then it is armed anew, and this is false. */
bool hf_loss_timer_is_due(struct hf_stack *s, struct hf_conn *c);
/** When that is, of any of the connection's timers. */
hf_ns hf_loss_timer_at(const struct hf_stack *s, const struct hf_conn *c);
/** SND.UNA moved. */
void hf_loss_timer_on_ack(struct hf_stack *s, struct hf_conn *c, struct hf_flight *f);
/** An ACK brought other news of what is in flight, or time did: there is a record of that. */
void hf_loss_timer_on_sack(struct hf_stack *s, struct hf_conn *c);
/** Data or a FIN left, for the first time or again. mss: hf_conn_mss. */
void hf_loss_timer_on_sent(struct hf_stack *s, struct hf_conn *c, struct hf_flight *f, uint32_t mss,
                           bool again);
/** Nothing would be changed by that: new data, and all was planned at this instant. */
static inline bool hf_loss_timer_is_planned(const struct hf_stack *s, const struct hf_flight *f)
{
    return f != NULL && f->planned_at == s->p.now_ns && f->rto_at != HF_NEVER;
}
/** Nothing is due before `at`. */
void hf_loss_timer_put_off(struct hf_stack *s, struct hf_conn *c, hf_ns at);
/** The timeout is another: it counts from now. */
void hf_loss_timer_backed_off(struct hf_stack *s, struct hf_conn *c);
/** Nothing more is to be heard of what was in flight. */
void hf_loss_timer_settle(struct hf_stack *s, struct hf_conn *c);
void hf_loss_probe_fire(struct hf_stack *s, struct hf_conn *c);
/** The probe has left, as new data or as the last segment again. */
void hf_loss_probe_sent(struct hf_conn *c, struct hf_flight *f, bool resent);
void hf_loss_probe_on_ack(struct hf_stack *s, struct hf_conn *c, struct hf_flight *f,
                          const struct hf_ack *a);

#endif
