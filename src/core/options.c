/**
 * hf_set and hf_get: options of connections, and those that a listener hands on.
 */
#include "receive.h"
#include "timers.h"

enum {
    MARK_MAX_BYTES = 65535,
    RETRIES_MAX = 63,
    BUFFER_MAX_BYTES = 1 << 30,
    MSS_MIN_BYTES = 88, /* leaves room for data beside all options */
};

#define NS_PER_MS 1000000
/** Times are kept in milliseconds, in 32 bits. */
#define SPAN_MAX_NS ((int64_t)(UINT32_MAX - 1) * NS_PER_MS)

/** What an option may be. */
struct range {
    int64_t min, max;
};

static struct range range_of(enum hf_option o)
{
    switch (o) {
    case HF_OPT_TAG: return (struct range){INT64_MIN, INT64_MAX};
    case HF_OPT_NAGLE:
    case HF_OPT_CORK:
    case HF_OPT_KEEPALIVE:
    case HF_OPT_SOFT_ERRORS: return (struct range){0, 1};
    case HF_OPT_KEEPALIVE_IDLE_NS:
    case HF_OPT_KEEPALIVE_INTERVAL_NS: return (struct range){NS_PER_MS, SPAN_MAX_NS};
    case HF_OPT_KEEPALIVE_PROBES: return (struct range){2, RETRIES_MAX}; /* [MUST-29] */
    case HF_OPT_USER_TIMEOUT_NS: return (struct range){0, SPAN_MAX_NS};
    case HF_OPT_R2_RETRIES: return (struct range){0, RETRIES_MAX};
    case HF_OPT_LINGER_NS: return (struct range){-1, SPAN_MAX_NS};
    case HF_OPT_TTL: return (struct range){1, 255};
    case HF_OPT_DSCP: return (struct range){0, 63};
    case HF_OPT_SEND_BUFFER_BYTES:
    case HF_OPT_RECEIVE_BUFFER_BYTES: return (struct range){1, BUFFER_MAX_BYTES};
    case HF_OPT_SEND_LOW_WATER_BYTES:
    case HF_OPT_RECEIVE_LOW_WATER_BYTES: return (struct range){1, MARK_MAX_BYTES};
    case HF_OPT_MSS_BYTES: return (struct range){MSS_MIN_BYTES, UINT16_MAX}; /* or 0 */
    case HF_OPT_SYN_RETRIES:
    case HF_OPT_QUICK_ACKS: return (struct range){0, UINT8_MAX};
    case HF_OPT_BACKLOG: return (struct range){0, UINT32_MAX};
    case HF_OPT_COUNT: break;
    }
    return (struct range){1, 0};
}

static void store(struct hf_options *to, enum hf_option o, int64_t v)
{
    switch (o) {
    case HF_OPT_TAG: to->tag = (uint64_t)v; return;
    case HF_OPT_NAGLE: to->nagle = v != 0; return; /* [MUST-17] */
    case HF_OPT_CORK: to->cork = v != 0; return;
    case HF_OPT_KEEPALIVE: to->keepalive = v != 0; return;                           /* [MUST-24] */
    case HF_OPT_KEEPALIVE_IDLE_NS: to->keepalive_idle_ms = hf_options_ms(v); return; /* [MUST-27] */
    case HF_OPT_KEEPALIVE_INTERVAL_NS: to->keepalive_interval_ms = hf_options_ms(v); return;
    case HF_OPT_KEEPALIVE_PROBES: to->keepalive_probes = (uint8_t)v & 63u; return;
    case HF_OPT_USER_TIMEOUT_NS: to->user_timeout_ms = hf_options_ms(v); return;
    case HF_OPT_R2_RETRIES: to->r2_retries = (uint8_t)v & 63u; return; /* [MUST-21] */
    case HF_OPT_LINGER_NS: to->linger_ms = v < 0 ? HF_LINGER_NONE : hf_options_ms(v); return;
    case HF_OPT_TTL:
        to->ttl = (uint8_t)v;
        return; /* [MUST-49] */
    /* [MUST-48] at any time [SHLD-21] */
    case HF_OPT_DSCP: to->traffic_class = (uint8_t)(v << 2); return;
    case HF_OPT_SEND_BUFFER_BYTES:
        to->send_buffer_bytes = (uint32_t)v & HF_BUFFER_MASK;
        to->send_fixed = true;
        return;
    case HF_OPT_RECEIVE_BUFFER_BYTES:
        to->receive_buffer_bytes = (uint32_t)v & HF_BUFFER_MASK;
        to->receive_fixed = true;
        return;
    case HF_OPT_SEND_LOW_WATER_BYTES: to->send_low_water_bytes = (uint16_t)v; return;
    case HF_OPT_RECEIVE_LOW_WATER_BYTES: to->receive_low_water_bytes = (uint16_t)v; return;
    case HF_OPT_SOFT_ERRORS: to->soft_errors = v != 0; return;
    case HF_OPT_MSS_BYTES:
    case HF_OPT_SYN_RETRIES:
    case HF_OPT_QUICK_ACKS:
    case HF_OPT_BACKLOG:
    case HF_OPT_COUNT: break;
    }
    HF_UNREACHABLE("store: unknown option");
}

static int64_t load(const struct hf_options *from, enum hf_option o)
{
    switch (o) {
    case HF_OPT_TAG: return (int64_t)from->tag;
    case HF_OPT_NAGLE: return from->nagle;
    case HF_OPT_CORK: return from->cork;
    case HF_OPT_KEEPALIVE: return from->keepalive;
    case HF_OPT_KEEPALIVE_IDLE_NS: return HF_MS((int64_t)from->keepalive_idle_ms);
    case HF_OPT_KEEPALIVE_INTERVAL_NS: return HF_MS((int64_t)from->keepalive_interval_ms);
    case HF_OPT_KEEPALIVE_PROBES: return from->keepalive_probes;
    case HF_OPT_USER_TIMEOUT_NS: return HF_MS((int64_t)from->user_timeout_ms);
    case HF_OPT_R2_RETRIES: return from->r2_retries;
    case HF_OPT_LINGER_NS:
        return from->linger_ms == HF_LINGER_NONE ? -1 : HF_MS((int64_t)from->linger_ms);
    case HF_OPT_TTL: return from->ttl;
    case HF_OPT_DSCP: return from->traffic_class >> 2;
    case HF_OPT_SEND_BUFFER_BYTES: return from->send_buffer_bytes;
    case HF_OPT_RECEIVE_BUFFER_BYTES: return from->receive_buffer_bytes;
    case HF_OPT_SEND_LOW_WATER_BYTES: return from->send_low_water_bytes;
    case HF_OPT_RECEIVE_LOW_WATER_BYTES: return from->receive_low_water_bytes;
    case HF_OPT_SOFT_ERRORS: return from->soft_errors;
    case HF_OPT_MSS_BYTES:
    case HF_OPT_SYN_RETRIES:
    case HF_OPT_QUICK_ACKS:
    case HF_OPT_BACKLOG:
    case HF_OPT_COUNT: break;
    }
    HF_UNREACHABLE("load: unknown option");
}

/** What a changed option means for a connection that lives. */
static void take_effect(struct hf_stack *s, struct hf_conn *c, enum hf_option o)
{
    bool keepalive =
        o == HF_OPT_KEEPALIVE || o == HF_OPT_KEEPALIVE_IDLE_NS || o == HF_OPT_KEEPALIVE_INTERVAL_NS;
    if (c->how != HF_CLOSED_NOT)
        return;
    if (keepalive && (c->rtx_timer == HF_RTX_OFF || c->rtx_timer == HF_RTX_KEEPALIVE)) {
        c->probe_count = 0; /* [MUST-29] it is asked anew: the next may be due at once */
        hf_timer_idle(s, c);
    } else if (o == HF_OPT_USER_TIMEOUT_NS) {
        hf_timer_again(s, c);
    }
    if (o == HF_OPT_RECEIVE_LOW_WATER_BYTES && c->receive.bytes > 0)
        hf_receive_tell(s, c);
    if (o == HF_OPT_RECEIVE_BUFFER_BYTES)
        hf_receive_reopen(s, c);
    if (hf_conn_is_synchronized(c))
        hf_output_want(s, c); /* Nagle or cork may hold something back no more */
    hf_send_room(s, c);
}

/** What is no part of the inherited options: it lies where it is used. */
static bool is_kept_apart(enum hf_option o)
{
    return o == HF_OPT_MSS_BYTES || o == HF_OPT_SYN_RETRIES || o == HF_OPT_QUICK_ACKS ||
           o == HF_OPT_BACKLOG;
}

static int set_mss(const struct hf_stack *s, struct hf_conn *c, uint16_t limit_bytes)
{
    uint16_t path_mtu = c->path_mtu;
    hf_conn_set_mss_limit(s, c, limit_bytes);
    if (hf_conn_is_synchronized(c) && c->path_mtu > path_mtu)
        c->path_mtu = path_mtu; /* what the path said stays true */
    return HF_OK;
}

static int set_apart(const struct hf_stack *s, struct hf_conn *c, enum hf_option o, int64_t value)
{
    if (o == HF_OPT_MSS_BYTES)
        return set_mss(s, c, (uint16_t)value);
    if (o == HF_OPT_BACKLOG)
        return HF_E_INVALID;
    if (o == HF_OPT_SYN_RETRIES && c->state != HF_SYN_SENT)
        return HF_E_STATE;
    if (o == HF_OPT_SYN_RETRIES)
        c->syn_retries = (uint8_t)value;
    else
        c->quick_acks = (uint8_t)value;
    return HF_OK;
}

static int set_conn(struct hf_stack *s, struct hf_conn *c, enum hf_option o, int64_t value)
{
    int err = HF_OK;
    if (is_kept_apart(o))
        err = set_apart(s, c, o, value);
    else
        store(&c->options, o, value);
    if (err == HF_OK)
        take_effect(s, c, o);
    return err;
}

static int set_listener(struct hf_listener *l, enum hf_option o, int64_t value)
{
    if (o == HF_OPT_QUICK_ACKS || o == HF_OPT_SYN_RETRIES)
        return HF_E_INVALID;
    if (o == HF_OPT_BACKLOG)
        l->backlog = (uint32_t)value;
    else if (o == HF_OPT_MSS_BYTES)
        l->mss_bytes = (uint16_t)value;
    else
        store(&l->options, o, value);
    return HF_OK;
}

static int get_apart(const struct hf_conn *c, enum hf_option o, int64_t *value)
{
    if (o == HF_OPT_BACKLOG)
        return HF_E_INVALID;
    if (o == HF_OPT_SYN_RETRIES && c->state != HF_SYN_SENT)
        return HF_E_STATE;
    *value = o == HF_OPT_MSS_BYTES     ? hf_conn_mss_limit(c)
             : o == HF_OPT_SYN_RETRIES ? c->syn_retries
                                       : c->quick_acks;
    return HF_OK;
}

static int get_apart_of_listener(const struct hf_listener *l, enum hf_option o, int64_t *value)
{
    if (o == HF_OPT_QUICK_ACKS || o == HF_OPT_SYN_RETRIES)
        return HF_E_INVALID;
    *value = o == HF_OPT_MSS_BYTES ? (int64_t)l->mss_bytes : (int64_t)l->backlog;
    return HF_OK;
}

static int get_default(const struct hf_stack *s, enum hf_option o, int64_t *value)
{
    struct hf_options options = s->options;
    if (o == HF_OPT_BACKLOG)
        return HF_E_INVALID;
    if (!is_kept_apart(o))
        *value = load(&options, o);
    else if (o == HF_OPT_QUICK_ACKS)
        *value = s->p.cfg.quick_acks;
    else
        *value = o == HF_OPT_SYN_RETRIES ? s->p.cfg.syn_retries : 0;
    return HF_OK;
}

int hf_set(struct hf_stack *s, hf_handle h, enum hf_option o, int64_t value, hf_ns now)
{
    hf_stack_end_loans(s);
    hf_stack_set_now(s, now);
    struct range r = range_of(o);
    bool is_none = o == HF_OPT_MSS_BYTES && value == 0; /* no limit of its own */
    if (!is_none && (value < r.min || value > r.max))
        return HF_E_INVALID;
    struct hf_conn *c = hf_conn_of(s, h);
    if (c != NULL)
        return set_conn(s, c, o, value);
    struct hf_listener *l = hf_listener_of(s, h);
    return l != NULL ? set_listener(l, o, value) : HF_E_HANDLE;
}

int hf_get(const struct hf_stack *s, hf_handle h, enum hf_option o, int64_t *value)
{
    struct range r = range_of(o);
    if (r.min > r.max)
        return HF_E_INVALID;
    if (h == 0)
        return get_default(s, o, value);
    const struct hf_conn *c = hf_conn_of(s, h);
    const struct hf_listener *l = c == NULL ? hf_listener_of(s, h) : NULL;
    if (c == NULL && l == NULL)
        return HF_E_HANDLE;
    if (is_kept_apart(o))
        return c != NULL ? get_apart(c, o, value) : get_apart_of_listener(l, o, value);
    *value = load(c != NULL ? &c->options : &l->options, o);
    if (c != NULL && o == HF_OPT_SEND_BUFFER_BYTES)
        *value = hf_send_limit(s, c);
    return HF_OK;
}
