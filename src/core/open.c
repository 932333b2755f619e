/**
 * Opening: the active open, and the application's decision on held open requests.
 */
#include "timers.h"
#include "tuples.h"

enum { DSCP_SHIFT = 2 };

struct hf_options hf_options_of(const struct hf_config *cfg)
{
    return (struct hf_options){
        .keepalive_idle_ms = hf_options_ms(cfg->keepalive_idle_ns),
        .keepalive_interval_ms = hf_options_ms(cfg->keepalive_interval_ns),
        .user_timeout_ms = hf_options_ms(cfg->user_timeout_ns),
        .linger_ms = HF_LINGER_NONE,
        .send_buffer_bytes = (uint32_t)cfg->send_buffer_bytes & HF_BUFFER_MASK,
        .receive_buffer_bytes = (uint32_t)cfg->receive_buffer_bytes & HF_BUFFER_MASK,
        .send_low_water_bytes = 1,
        .receive_low_water_bytes = 1,
        .ttl = (uint8_t)cfg->ttl,
        .traffic_class = (uint8_t)(cfg->dscp << DSCP_SHIFT),
        .keepalive_probes = (uint8_t)cfg->keepalive_probes & 63u,
        .keepalive = cfg->keepalive != 0,
        .soft_errors = true,
        .r2_retries = (uint8_t)cfg->r2_retries & 63u,
        .nagle = cfg->nagle != 0,
    };
}

/** Fills in the local endpoint of an active open. */
static int choose_local(struct hf_stack *s, struct hf_endpoint *local,
                        const struct hf_endpoint *remote)
{
    if (hf_addr_is_any(&local->addr)) { /* [MUST-44] */
        if (!hf_local_choose(s, &remote->addr, &local->addr))
            return HF_E_UNREACHABLE;
    } else if (hf_addr_is_v4(&local->addr) != hf_addr_is_v4(&remote->addr)) {
        return HF_E_INVALID;
    } else if (!hf_local_is_ours(s, &local->addr)) { /* [MUST-43] */
        return HF_E_UNREACHABLE;
    }
    if (local->port == 0)
        local->port = hf_port_choose(s, &local->addr, remote);
    return local->port == 0 ? HF_E_PORTS : HF_OK;
}

/* [RFC9293#3.10.1] */
int hf_connect(struct hf_stack *s, const struct hf_connect *what, hf_handle *out, hf_ns now)
{
    hf_stack_end_loans(s);
    hf_stack_set_now(s, now);
    if (what->remote.port == 0)
        return HF_E_INVALID;
    if (!hf_addr_is_unicast(&what->remote.addr) || hf_local_is_broadcast(s, &what->remote.addr))
        return HF_E_UNREACHABLE; /* [MUST-46] */
    struct hf_endpoint local = what->local;
    int err = choose_local(s, &local, &what->remote);
    if (err != HF_OK)
        return err;
    uint32_t hash = hf_tuple_hash(s, &local, &what->remote);
    if (hf_tuple_find(s, hash, &local, &what->remote) != HF_NIL)
        return HF_E_EXISTS;
    struct hf_options options = s->options;
    options.tag = what->tag;
    struct hf_conn *c = hf_conn_new(s, &local, &what->remote, hash, &options, HF_NIL);
    if (c == NULL)
        return HF_E_MEMORY;
    c->iss = hf_isn(&s->p.isn_key, &local, &what->remote, s->p.now_ns);
    c->snd_una = c->snd_nxt = c->iss;
    c->ts_offset = hf_stack_ts_offset(s, &local.addr, &what->remote.addr);
    c->snd_mss = hf_stack_peer_mss(s, &c->remote, false, 0);
    c->syn_unacked = true;
    c->syn_due = true;
    c->syn_retries = (uint8_t)s->p.cfg.syn_retries;
    hf_conn_set_state(s, c, HF_SYN_SENT, HF_WHY_CONNECT);
    hf_timer_rtx(s, c, HF_RTX_SYN, hf_ns_add(s->p.now_ns, hf_rtt_rto_ns(&c->rtt)));
    hf_output_want(s, c);
    *out = hf_conn_handle(s, c);
    return HF_OK;
}

/** The connection of a handle that waits for the application; HF_E_STATE if it does not. */
static int held_of(struct hf_stack *s, hf_handle h, struct hf_conn **out)
{
    struct hf_conn *c = hf_conn_of(s, h);
    if (c == NULL)
        return HF_E_HANDLE;
    if (!c->held)
        return c->how != HF_CLOSED_NOT ? hf_closed_err((enum hf_closed)c->how) : HF_E_STATE;
    *out = c;
    return HF_OK;
}

int hf_admit(struct hf_stack *s, hf_handle h, hf_ns now)
{
    hf_stack_end_loans(s);
    hf_stack_set_now(s, now);
    struct hf_conn *c = NULL;
    int err = held_of(s, h, &c);
    if (err != HF_OK)
        return err;
    c->held = false;
    c->syn_due = true;
    c->progress = hf_stamp_make(s->p.now_ns);
    /* Its SYN was all it heard. */
    hf_ns held_ns = hf_max_ns(s->p.now_ns - hf_stamp_ns(c->heard, s->p.now_ns), 0);
    hf_trace_conn(s, c, HF_TRACE_ADMIT, HF_WHY_ADMIT, held_ns, 0, NULL);
    hf_timer_life(s, c, HF_LIFE_OFF, HF_NEVER);
    hf_timer_rtx(s, c, HF_RTX_SYN, hf_ns_add(s->p.now_ns, hf_rtt_rto_ns(&c->rtt)));
    hf_output_want(s, c);
    return HF_OK;
}

/** ICMP type and code of a refusal [RFC1812#5.2.7.1] [RFC4443#3.1]. */
static void unreachable_code(enum hf_refusal how, bool v4, uint8_t *type, uint8_t *code)
{
    *type = v4 ? 3 : 1;
    switch (how) {
    case HF_REFUSE_HOST_UNREACHABLE: *code = v4 ? 1 : 3; return;
    case HF_REFUSE_NET_UNREACHABLE: *code = 0; return;
    case HF_REFUSE_PROHIBITED: *code = v4 ? 13 : 1; return;
    case HF_REFUSE_RESET:
    case HF_REFUSE_SILENTLY: break;
    }
    HF_UNREACHABLE("unreachable_code: not an ICMP refusal");
}

int hf_refuse(struct hf_stack *s, hf_handle h, enum hf_refusal how, hf_ns now)
{
    hf_stack_end_loans(s);
    hf_stack_set_now(s, now);
    struct hf_conn *c = NULL;
    int err = held_of(s, h, &c);
    if (err != HF_OK)
        return err;
    if ((unsigned)how > HF_REFUSE_SILENTLY)
        return HF_E_INVALID;
    if (how == HF_REFUSE_RESET) {
        hf_reply_conn_rst(s, c, HF_RST_REFUSED);
    } else if (how != HF_REFUSE_SILENTLY) {
        uint8_t type, code;
        unreachable_code(how, hf_addr_is_v4(&c->remote), &type, &code);
        hf_reply_unreachable(s, c, type, code);
    }
    c->app_closed = true;
    c->events = 0; /* only the closed event still comes */
    hf_conn_end(s, c, HF_CLOSED_REJECTED, HF_WHY_REFUSE, false);
    return HF_OK;
}
