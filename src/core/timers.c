/**
 * Deadlines of a connection. Five run side by side, on one node of the stack's wheel:
 *
 *   rtx    what is done when the peer stays silent: SYN, retransmission and what comes before it
 *          (loss_timer.c), persist, override, keep-alive; never two of them at a time
 *   pace   what the rate holds back: kept in the flight
 *   user   the user timeout, while one of the first three of these runs: computed, not kept
 *   ack    the delayed acknowledgment
 *   life   how long the connection may stay as it is: held, orphan, linger, TIME-WAIT
 *
 * The node is armed for the earliest. A deadline that moves later leaves it where it is: it fires
 * early, finds nothing due, and is armed anew.
 */
#include "timers.h"

enum { COUNT_MAX = 255, NO_LIMIT = -1, PROBE_DOUBLINGS_MAX = 20 };

/** When the user timeout ends the connection: what was sent or waits has been unanswered so long,
 *  probes before a closed window or not [RFC9293#3.9.1]. DEVIATION D-26. */
static hf_ns user_at(const struct hf_stack *s, const struct hf_conn *c)
{
    if (c->options.user_timeout_ms == 0)
        return HF_NEVER;
    switch ((enum hf_rtx_timer)c->rtx_timer) {
    case HF_RTX_SYN:
    case HF_RTX_RTO:
    case HF_RTX_LOSS_PROBE:
    case HF_RTX_REORDER:
    case HF_RTX_PERSIST: break;
    case HF_RTX_OFF:
    case HF_RTX_SETTLE:
    case HF_RTX_OVERRIDE:
    case HF_RTX_KEEPALIVE: return HF_NEVER;
    }
    return hf_ns_add(hf_stamp_ns(c->progress, s->p.now_ns),
                     HF_MS((int64_t)c->options.user_timeout_ms));
}

/** When what pacing holds back may leave. */
static hf_ns pace_at(const struct hf_stack *s, const struct hf_conn *c)
{
    const struct hf_flight *f = hf_flight_of(s, c);
    return f != NULL && f->pacer.waits ? f->pacer.next_at : HF_NEVER;
}

static hf_ns earliest(const struct hf_stack *s, const struct hf_conn *c)
{
    hf_ns sender = hf_min_ns(hf_min_ns(c->rtx_at, user_at(s, c)), pace_at(s, c));
    return hf_min_ns(sender, hf_min_ns(c->ack_at, c->life_at));
}

/** A deadline was set: the node is where the others have it, and moves if this one is earlier. */
void hf_timer_arm(struct hf_stack *s, struct hf_conn *c, hf_ns at)
{
    if (at == HF_NEVER)
        return;
    hf_ns reach = hf_ns_add(s->p.now_ns, HF_TIMER_REACH_NS);
    uint32_t ref = hf_ref_make(HF_REF_CONN, c->index);
    if (hf_wheel_node_is_armed(&c->wheel)) {
        at = hf_min_ns(hf_max_ns(at, s->p.now_ns), reach);
        if ((int32_t)((uint32_t)hf_wheel_tick(at) - c->wheel.tick) >= 0)
            return;
        hf_wheel_disarm(&s->wheel, &c->wheel);
        at = earliest(s, c); /* if the clock jumped, the node may have been for one long due */
    }
    hf_wheel_arm(&s->wheel, &c->wheel, ref, hf_min_ns(at, reach));
}

void hf_timer_arm_rtx(struct hf_stack *s, struct hf_conn *c, hf_ns at)
{
    hf_timer_arm(s, c, hf_min_ns(at, user_at(s, c)));
}

void hf_timer_again(struct hf_stack *s, struct hf_conn *c)
{
    hf_timer_arm(s, c, hf_min_ns(user_at(s, c), pace_at(s, c)));
}

void hf_timer_life(struct hf_stack *s, struct hf_conn *c, enum hf_life_timer what, hf_ns at)
{
    c->life_timer = (uint8_t)what & 7u;
    c->life_at = at;
    hf_timer_arm(s, c, at);
}

void hf_timers_off(struct hf_stack *s, struct hf_conn *c)
{
    c->rtx_at = c->ack_at = c->life_at = HF_NEVER;
    c->rtx_timer = HF_RTX_OFF;
    c->life_timer = HF_LIFE_OFF;
    c->syn_due = c->ack_due = c->rtx_due = c->probe_due = false;
    hf_wheel_disarm(&s->wheel, &c->wheel);
}

/** When the peer was last heard, as an instant. */
static hf_ns heard_at(const struct hf_stack *s, const struct hf_conn *c)
{
    return hf_stamp_ns(c->heard, s->p.now_ns);
}

void hf_timer_idle(struct hf_stack *s, struct hf_conn *c)
{
    c->probe_due = false; /* what it was to ask is known, or is not asked any more */
    if (!c->options.keepalive || !hf_conn_is_synchronized(c) || c->state == HF_TIME_WAIT) {
        hf_timer_rtx(s, c, HF_RTX_OFF, HF_NEVER);
        return;
    }
    hf_timer_rtx(s, c, HF_RTX_KEEPALIVE,
                 hf_ns_add(heard_at(s, c), HF_MS((int64_t)c->options.keepalive_idle_ms)));
}

void hf_timer_orphan(struct hf_stack *s, struct hf_conn *c)
{
    /* In FIN-WAIT-2 all that was sent is acknowledged: linger has got what it waited for. */
    bool lingers = c->life_timer == HF_LIFE_LINGER && c->state != HF_FIN_WAIT_2;
    if (!c->app_closed || lingers || c->how != HF_CLOSED_NOT)
        return;
    const struct hf_config *cfg = &s->p.cfg;
    int64_t setting = c->state == HF_FIN_WAIT_2 ? cfg->fin_wait_2_ns : cfg->orphan_ns;
    hf_ns span = setting > 0 ? setting : 2 * cfg->msl_ns;
    hf_timer_life(s, c, HF_LIFE_ORPHAN, hf_ns_add(s->p.now_ns, span));
}

/* ---- firing ------------------------------------------------------------------------------- */

static void give_up(struct hf_stack *s, struct hf_conn *c, enum hf_closed how,
                    enum hf_reason reason)
{
    if (c->state == HF_SYN_SENT)
        hf_conn_end(s, c, how, reason, false);
    else
        hf_conn_reset_peer(s, c, how, reason, HF_RST_TIMEOUT);
}

static void count_up(uint8_t *counter)
{
    if (*counter < COUNT_MAX)
        ++*counter;
}

/** So often it went unanswered, of `limit` (NO_LIMIT: never enough). False: the connection is
 *  over [RFC9293#3.10.8]. */
static bool may_go_on(struct hf_stack *s, struct hf_conn *c, uint8_t count, int64_t limit)
{
    if (limit != NO_LIMIT && count >= limit) {
        give_up(s, c, HF_CLOSED_TIMED_OUT, HF_WHY_R2);
        return false;
    }
    if (count + 1 == s->p.cfg.r1_retries) { /* [MUST-20] [SHLD-9] */
        hf_trace_conn(s, c, HF_TRACE_LIMIT, HF_LIMIT_R1, count + 1, s->p.cfg.r1_retries, NULL);
        if (c->options.soft_errors)
            hf_conn_raise(s, c, HF_EV_TROUBLE);
    }
    return true;
}

/** Counts one more time-out of the same thing. False: the connection is over. */
static bool try_again(struct hf_stack *s, struct hf_conn *c, int64_t limit)
{
    if (!may_go_on(s, c, c->rtx_count, limit))
        return false;
    count_up(&c->rtx_count);
    struct hf_rtt_limits limits = hf_stack_rtt_limits(s);
    hf_rtt_backoff(&c->rtt, &limits); /* [MUST-19] [SHLD-30] each wait is twice the last */
    return true;
}

static int64_t r2_of(const struct hf_conn *c)
{
    return c->options.r2_retries > 0 ? c->options.r2_retries : NO_LIMIT;
}

static hf_ns next_rto(const struct hf_stack *s, const struct hf_conn *c)
{
    return hf_ns_add(s->p.now_ns, hf_rtt_rto_ns(&c->rtt));
}

static void fire_syn(struct hf_stack *s, struct hf_conn *c)
{
    bool active = c->state == HF_SYN_SENT;
    hf_trace_conn(s, c, HF_TRACE_TIMER, active ? HF_TIMER_SYN : HF_TIMER_SYNACK, c->rtx_count, 0,
                  NULL);
    if (c->syn_due) { /* it has not left yet: nobody was asked, and nothing was lost */
        hf_timer_rtx(s, c, HF_RTX_SYN, next_rto(s, c));
        return;
    }
    if (!try_again(s, c, active ? c->syn_retries : s->p.cfg.synack_retries)) /* [MUST-22] */
        return;
    c->syn_retransmitted = true;
    c->syn_due = true;
    hf_trace_conn(s, c, HF_TRACE_RETRANSMIT, active ? HF_RETRANSMIT_SYN : HF_RETRANSMIT_SYNACK,
                  c->iss.v, c->rtx_count, NULL);
    hf_timer_rtx(s, c, HF_RTX_SYN, next_rto(s, c));
    hf_output_want(s, c);
}

/** A probe has not left yet, and nothing was heard that answers it: the next is counted when it
 *  has. So neither a clock that jumps over hours [MUST-29] nor a link that takes nothing for as
 *  long ends a connection whose peer was not asked. */
static bool probe_waits(const struct hf_conn *c)
{
    return c->probe_due && c->probe_count > 0;
}

/** [SHLD-30] Twice as long each time. The RTO stays as it is: it was the window that kept the data
 *  waiting, not the path. */
static hf_ns next_probe(const struct hf_stack *s, const struct hf_conn *c)
{
    hf_ns wait = hf_rtt_rto_ns(&c->rtt) << hf_min_u32(c->rtx_count, PROBE_DOUBLINGS_MAX);
    return hf_ns_add(s->p.now_ns, hf_min_ns(wait, s->p.cfg.persist_max_ns));
}

/** False: enough of them had no answer, and the connection is over. */
static bool next_window_probe(struct hf_stack *s, struct hf_conn *c)
{
    if (!may_go_on(s, c, c->probe_count, r2_of(c)))
        return false;
    count_up(&c->probe_count);
    count_up(&c->rtx_count);
    hf_trace_conn(s, c, HF_TRACE_RETRANSMIT, HF_PROBE_ZERO_WINDOW, c->snd_una.v, c->probe_count,
                  NULL);
    c->probe_due = true;
    return true;
}

/** The peer's window is closed: probe, more and more seldom, for as long as it answers [MUST-37]:
 *  each answer takes probe_count back to 0. */
static void fire_persist(struct hf_stack *s, struct hf_conn *c)
{
    hf_trace_conn(s, c, HF_TRACE_TIMER, HF_TIMER_PERSIST, c->probe_count, 0, NULL);
    if (!probe_waits(c) && !next_window_probe(s, c))
        return;
    if (hf_loss_timer_runs(c)) /* data that lies beyond the window */
        hf_loss_timer_put_off(s, c, next_probe(s, c));
    else
        hf_timer_rtx(s, c, HF_RTX_PERSIST, next_probe(s, c));
    hf_output_want(s, c);
}

static void fire_rto(struct hf_stack *s, struct hf_conn *c)
{
    /* [MUST-35] [SHLD-17] What lies beyond the window is no time-out. DEVIATION D-34 */
    if (c->snd_wnd == 0) {
        fire_persist(s, c);
        return;
    }
    hf_trace_conn(s, c, HF_TRACE_TIMER, HF_TIMER_RTO, c->rtx_count, 0, NULL);
    if (!c->rtx_due) { /* else what the last time-out asked for has not left yet */
        if (!try_again(s, c, r2_of(c)))
            return;
        hf_path_on_rto(s, c);
        hf_recovery_on_rto(s, c);
    }
    hf_loss_timer_backed_off(s, c);
}

/** False: enough of them had no answer, and the connection is over. */
static bool next_keepalive_probe(struct hf_stack *s, struct hf_conn *c)
{
    if (c->probe_count >= c->options.keepalive_probes) {
        give_up(s, c, HF_CLOSED_KEEPALIVE, HF_WHY_KEEPALIVE);
        return false;
    }
    count_up(&c->probe_count);
    hf_trace_conn(s, c, HF_TRACE_RETRANSMIT, HF_PROBE_KEEPALIVE, c->snd_nxt.v - 1, c->probe_count,
                  NULL);
    c->probe_due = true;
    return true;
}

static void fire_keepalive(struct hf_stack *s, struct hf_conn *c)
{
    hf_ns idle_at = hf_ns_add(heard_at(s, c), HF_MS((int64_t)c->options.keepalive_idle_ms));
    if (s->p.now_ns < idle_at) { /* [MUST-26] something was heard meanwhile */
        hf_timer_idle(s, c);
        return;
    }
    hf_trace_conn(s, c, HF_TRACE_TIMER, HF_TIMER_KEEPALIVE, c->probe_count, 0, NULL);
    if (!probe_waits(c) && !next_keepalive_probe(s, c))
        return;
    hf_timer_rtx(s, c, HF_RTX_KEEPALIVE,
                 hf_ns_add(s->p.now_ns, HF_MS((int64_t)c->options.keepalive_interval_ms)));
    hf_output_want(s, c);
}

static void fire_reorder(struct hf_stack *s, struct hf_conn *c)
{
    hf_trace_conn(s, c, HF_TRACE_TIMER, HF_TIMER_REORDER, 0, 0, NULL);
    hf_recovery_on_reorder_timer(s, c);
    hf_loss_timer_on_sack(s, c);
}

static void fire_rtx(struct hf_stack *s, struct hf_conn *c)
{
    if (!hf_loss_timer_is_due(s, c))
        return;
    enum hf_rtx_timer what = (enum hf_rtx_timer)c->rtx_timer;
    c->rtx_at = HF_NEVER;
    switch (what) {
    case HF_RTX_OFF: return;
    case HF_RTX_SYN: fire_syn(s, c); return;
    case HF_RTX_RTO: fire_rto(s, c); return;
    case HF_RTX_LOSS_PROBE: hf_loss_probe_fire(s, c); return;
    case HF_RTX_REORDER: fire_reorder(s, c); return;
    case HF_RTX_SETTLE: hf_loss_timer_settle(s, c); return;
    case HF_RTX_PERSIST: fire_persist(s, c); return;
    case HF_RTX_KEEPALIVE: fire_keepalive(s, c); return;
    case HF_RTX_OVERRIDE:
        hf_trace_conn(s, c, HF_TRACE_TIMER, HF_TIMER_SWS_OVERRIDE, 0, 0, NULL);
        c->rtx_timer = HF_RTX_OFF;
        c->override_due = hf_conn_has_unsent(c); /* else it was to look for memory */
        hf_output_want(s, c);
        return;
    }
}

static void fire_user(struct hf_stack *s, struct hf_conn *c)
{
    hf_trace_conn(s, c, HF_TRACE_TIMER, HF_TIMER_USER, c->rtx_count, 0, NULL);
    give_up(s, c, HF_CLOSED_USER_TIMEOUT, HF_WHY_USER_TIMEOUT);
}

static void fire_life(struct hf_stack *s, struct hf_conn *c)
{
    enum hf_life_timer what = (enum hf_life_timer)c->life_timer;
    c->life_at = HF_NEVER;
    switch (what) {
    case HF_LIFE_OFF: return;
    case HF_LIFE_HOLD:
        hf_trace_conn(s, c, HF_TRACE_TIMER, HF_TIMER_HOLD, 0, 0, NULL);
        give_up(s, c, HF_CLOSED_HOLD_TIMEOUT, HF_WHY_HOLD_TIMEOUT);
        return;
    case HF_LIFE_ORPHAN:
        hf_trace_conn(s, c, HF_TRACE_TIMER, HF_TIMER_ORPHAN, 0, 0, NULL);
        hf_conn_end(s, c, HF_CLOSED_ORPHAN, HF_WHY_ORPHAN, false);
        return;
    case HF_LIFE_LINGER:
        hf_trace_conn(s, c, HF_TRACE_TIMER, HF_TIMER_LINGER, 0, 0, NULL);
        give_up(s, c, HF_CLOSED_LINGER, HF_WHY_LINGER);
        return;
    case HF_LIFE_TIME_WAIT: hf_time_wait_conn_fire(s, c); return;
    }
}

void hf_timers_fire(struct hf_stack *s, struct hf_conn *c)
{
    hf_ns now = s->p.now_ns;
    if (c->ack_at <= now) {
        c->ack_at = HF_NEVER;
        hf_trace_conn(s, c, HF_TRACE_TIMER, HF_TIMER_DELAYED_ACK, 0, 0, NULL);
        hf_output_ack_now(s, c, HF_NONE);
    }
    if (pace_at(s, c) <= now) {
        hf_flight_of(s, c)->pacer.waits = false;
        hf_output_want(s, c);
    }
    if (user_at(s, c) <= now)
        fire_user(s, c);
    else if (c->rtx_at <= now)
        fire_rtx(s, c);
    if (c->life_at <= now)
        fire_life(s, c);
    if (c->state == HF_CLOSED)
        hf_conn_release_if_done(s, c);
    else
        hf_timer_arm(s, c, earliest(s, c));
}
