/**
 * Closing: half-close, close, abort [RFC9293#3.6] [RFC9293#3.10.4] [RFC9293#3.10.5].
 */
#include "receive.h"
#include "timers.h"

int hf_closed_err(enum hf_closed how)
{
    switch (how) {
    case HF_CLOSED_FIN: return HF_E_CLOSING;
    case HF_CLOSED_REFUSED: return HF_E_REFUSED;
    case HF_CLOSED_RESET:
    case HF_CLOSED_ABORTED:
    case HF_CLOSED_DATA_LOST:
    case HF_CLOSED_LINGER:
    case HF_CLOSED_REJECTED:
    case HF_CLOSED_WITHDRAWN: return HF_E_RESET;
    case HF_CLOSED_TIMED_OUT:
    case HF_CLOSED_USER_TIMEOUT:
    case HF_CLOSED_KEEPALIVE:
    case HF_CLOSED_ORPHAN:
    case HF_CLOSED_HOLD_TIMEOUT: return HF_E_TIMEOUT;
    case HF_CLOSED_UNREACHABLE: return HF_E_UNREACHABLE;
    case HF_CLOSED_NOT: break;
    }
    HF_UNREACHABLE("hf_closed_err: not over yet");
}

/** A FIN follows what was written: the state changes at once, the FIN leaves when its turn
 *  comes. */
static void queue_fin(struct hf_stack *s, struct hf_conn *c, enum hf_reason reason)
{
    c->fin_queued = true;
    c->more_coming = false;
    switch ((enum hf_state)c->state) {
    case HF_SYN_RCVD:
        if (c->send.bytes > 0)
            return; /* [RFC9293#3.10.4] first the data, and for that first ESTABLISHED */
        hf_conn_set_state(s, c, HF_FIN_WAIT_1, reason);
        break;
    case HF_ESTABLISHED: hf_conn_set_state(s, c, HF_FIN_WAIT_1, reason); break;
    case HF_CLOSE_WAIT: hf_conn_set_state(s, c, HF_LAST_ACK, reason); break;
    case HF_SYN_SENT: return; /* with the handshake done it goes on */
    case HF_CLOSED:
    case HF_LISTEN:
    case HF_FIN_WAIT_1:
    case HF_FIN_WAIT_2:
    case HF_CLOSING:
    case HF_LAST_ACK:
    case HF_TIME_WAIT: HF_UNREACHABLE("queue_fin: a FIN was queued before");
    }
    hf_output_want(s, c);
}

int hf_shutdown(struct hf_stack *s, hf_handle h, hf_ns now)
{
    hf_stack_end_loans(s);
    hf_stack_set_now(s, now);
    struct hf_conn *c = hf_conn_of(s, h);
    if (c == NULL)
        return HF_E_HANDLE;
    if (c->how != HF_CLOSED_NOT)
        return hf_closed_err((enum hf_closed)c->how);
    if (c->held)
        return HF_E_STATE;
    if (c->fin_queued)
        return HF_E_CLOSING;
    queue_fin(s, c, HF_WHY_SHUTDOWN);
    return HF_OK;
}

/** Lets go, and frees the slot if its closed event was pulled before. */
static void let_go(struct hf_stack *s, struct hf_conn *c)
{
    c->app_closed = true;
    c->wants_room = false;
    c->events &= HF_EV_CLOSED;
    if (c->events == 0)
        hf_list_remove(&s->p.ready, &s->conns, HF_LIST_READY, c->index);
    hf_listener_accepted(s, c);
    if (c->how != HF_CLOSED_NOT)
        hf_queue_clear(&s->blocks, &c->receive);
    hf_conn_release_if_done(s, c);
}

static bool has_unread(const struct hf_stack *s, const struct hf_conn *c)
{
    return c->receive.bytes > 0 || hf_gaps_exist(s, c);
}

/** Closes in order; a linger time starts when one is set and something is left to wait for. */
static void close_in_order(struct hf_stack *s, struct hf_conn *c)
{
    hf_queue_clear(&s->blocks, &c->receive);
    if (!c->fin_queued)
        queue_fin(s, c, HF_WHY_CLOSE);
    c->app_closed = true;
    if (c->options.linger_ms != HF_LINGER_NONE && c->state != HF_FIN_WAIT_2)
        hf_timer_life(s, c, HF_LIFE_LINGER,
                      hf_ns_add(s->p.now_ns, HF_MS((int64_t)c->options.linger_ms)));
    else
        hf_timer_orphan(s, c);
    let_go(s, c);
}

static void close_conn(struct hf_stack *s, struct hf_conn *c)
{
    if (c->how != HF_CLOSED_NOT) {
        let_go(s, c);
        return;
    }
    bool unread = has_unread(s, c) && s->p.cfg.abort_on_unread != 0;
    if (c->held) {
        hf_conn_reset_peer(s, c, HF_CLOSED_REJECTED, HF_WHY_REFUSE, HF_RST_REFUSED);
        let_go(s, c);
    } else if (c->state == HF_SYN_SENT) { /* nothing to tell the peer [RFC9293#3.10.4] */
        hf_conn_end(s, c, HF_CLOSED_ABORTED, HF_WHY_CLOSE, false);
        let_go(s, c);
    } else if (unread || c->options.linger_ms == 0) { /* [SHLD-3] */
        hf_conn_reset_peer(s, c, unread ? HF_CLOSED_DATA_LOST : HF_CLOSED_LINGER,
                           unread ? HF_WHY_UNREAD : HF_WHY_LINGER,
                           unread ? HF_RST_UNREAD : HF_RST_ABORT);
        let_go(s, c);
    } else {
        close_in_order(s, c);
    }
}

int hf_close(struct hf_stack *s, hf_handle h, hf_ns now)
{
    hf_stack_end_loans(s);
    hf_stack_set_now(s, now);
    if (hf_listener_of(s, h) != NULL) {
        hf_listener_close(s, hf_handle_slot(h));
        return HF_OK;
    }
    struct hf_conn *c = hf_conn_of(s, h);
    if (c == NULL)
        return HF_E_HANDLE;
    if (c->app_closed)
        return HF_E_CLOSING;
    close_conn(s, c);
    hf_wake_waiting(s);
    return HF_OK;
}

/** [RFC9293#3.10.5] no RST where the peer knows already that we have closed, or never heard of
 *  us. */
static bool abort_tells_peer(const struct hf_conn *c)
{
    switch ((enum hf_state)c->state) {
    case HF_SYN_RCVD:
    case HF_ESTABLISHED:
    case HF_FIN_WAIT_1:
    case HF_FIN_WAIT_2:
    case HF_CLOSE_WAIT: return true;
    case HF_CLOSED:
    case HF_LISTEN:
    case HF_SYN_SENT:
    case HF_CLOSING:
    case HF_LAST_ACK:
    case HF_TIME_WAIT: return false;
    }
    return false;
}

/* No TIME-WAIT behind a RST [UN-05]: DEVIATION D-25. */
int hf_abort(struct hf_stack *s, hf_handle h, hf_ns now)
{
    hf_stack_end_loans(s);
    hf_stack_set_now(s, now);
    struct hf_conn *c = hf_conn_of(s, h);
    if (c == NULL)
        return hf_listener_of(s, h) != NULL ? hf_close(s, h, now) : HF_E_HANDLE;
    if (c->state == HF_TIME_WAIT)
        hf_time_wait_abort(s, c);
    else if (c->how == HF_CLOSED_NOT && abort_tells_peer(c))
        hf_conn_reset_peer(s, c, HF_CLOSED_ABORTED, HF_WHY_ABORT, HF_RST_ABORT);
    else if (c->how == HF_CLOSED_NOT)
        hf_conn_end(s, c, HF_CLOSED_ABORTED, HF_WHY_ABORT, false);
    let_go(s, c);
    hf_wake_waiting(s);
    return HF_OK;
}
