/**
 * Listeners: who may connect. Finds the listener of a SYN, keeps its limits, and starts one of
 * three things: a half-open entry (automatic), a cookie (automatic, under load), a held connection.
 */
#include "timers.h"

enum { BACKLOG_DEFAULT = 128 };

hf_handle hf_listener_handle(const struct hf_stack *s, uint32_t listener)
{
    return hf_handle_make(HF_HANDLE_LISTENER, s->p.shard, hf_listener_at(s, listener)->generation,
                          listener);
}

struct hf_listener *hf_listener_of(const struct hf_stack *s, hf_handle h)
{
    uint32_t slot = hf_handle_slot(h);
    if (hf_handle_kind(h) != HF_HANDLE_LISTENER || hf_handle_shard(h) != s->p.shard ||
        !hf_pool_has(&s->listeners, slot))
        return NULL;
    struct hf_listener *l = hf_listener_at(s, slot);
    return l->generation == hf_handle_generation(h) && !l->closed ? l : NULL;
}

/* ---- finding ------------------------------------------------------------------------------ */

/** Without a key: which ports are listened on is the application's choice, not a stranger's. No two
 *  ports have the same, so what is found under it is of this port. */
static uint32_t port_hash(uint16_t port)
{
    uint32_t hash = (port + 1u) * 0x9e3779b1u;
    return hash ^ hash >> 16;
}

static bool listener_matches(const struct hf_listener *l, const struct hf_addr *local)
{
    return l->any_address ? !l->v6_only || !hf_addr_is_v4(local)
                          : hf_addr_prefix_equal(&l->addr, local, l->bits);
}

static bool takes(const struct hf_listener *l, const struct hf_endpoint *local)
{
    return (l->port == 0 || l->port == local->port) && listener_matches(l, &local->addr);
}

/** The longer prefix. */
static bool more_specific(const struct hf_listener *a, const struct hf_listener *b)
{
    int a_bits = a->any_address ? (int)a->v6_only - 2 : a->bits;
    int b_bits = b->any_address ? (int)b->v6_only - 2 : b->bits;
    return a_bits > b_bits;
}

uint32_t hf_listener_find(const struct hf_stack *s, const struct hf_endpoint *local)
{
    const uint16_t ports[2] = {local->port, 0}; /* of prefixes of one length the named port wins */
    uint32_t best = HF_NIL;
    if (s->listener_table.count == 0)
        return HF_NIL;
    for (size_t k = 0; k < 2; k++) {
        struct hf_table_probe probe = hf_table_find(&s->listener_table, port_hash(ports[k]));
        for (uint32_t i = hf_table_next(&probe); i != HF_NIL; i = hf_table_next(&probe)) {
            const struct hf_listener *l = hf_listener_at(s, i);
            if (listener_matches(l, &local->addr) &&
                (best == HF_NIL || more_specific(l, hf_listener_at(s, best))))
                best = i;
        }
    }
    return best;
}

/** The same, where segments ask for it. */
static uint32_t find_for_segment(struct hf_stack *s, const struct hf_endpoint *local)
{
    struct hf_recent_listener *r = &s->recent_listener;
    if (s->listener_table.count == 1 && r->index != HF_NIL)
        return takes(hf_listener_at(s, r->index), local) ? r->index : HF_NIL;
    if (r->index == HF_NIL || r->local.port != local->port ||
        !hf_addr_is_same(&r->local.addr, &local->addr))
        *r = (struct hf_recent_listener){*local, hf_listener_find(s, local)};
    HF_DEBUG_ASSERT(r->index == hf_listener_find(s, local));
    return r->index;
}

/* ---- opening and closing ------------------------------------------------------------------ */

static bool listener_exists(const struct hf_stack *s, const struct hf_listener *what)
{
    struct hf_table_probe probe = hf_table_find(&s->listener_table, what->hash);
    for (uint32_t i = hf_table_next(&probe); i != HF_NIL; i = hf_table_next(&probe)) {
        const struct hf_listener *l = hf_listener_at(s, i);
        if (l->any_address == what->any_address && l->v6_only == what->v6_only &&
            (l->any_address ||
             (l->bits == what->bits && hf_addr_prefix_equal(&l->addr, &what->addr, l->bits))))
            return true;
    }
    return false;
}

/** The prefix in bits of 128. False: too long, or the address goes on behind it, as it does when
 *  somebody forgot to say how long it is. */
static bool prefix_of(const struct hf_listen *what, uint8_t *bits)
{
    unsigned base = hf_addr_is_v4(&what->addr) ? 96 : 0;
    if (what->prefix_bits > 128 - base)
        return false;
    *bits = (uint8_t)(what->prefix_bits + base);
    for (unsigned b = *bits; b < 128; b++)
        if ((what->addr.octets[b / 8] & (0x80u >> b % 8)) != 0)
            return false;
    return true;
}

/* [RFC9293#3.10.1] A record of its own: connections of the port, open or opening, stay as they are
 * [MUST-41] [MUST-42]. */
int hf_listen(struct hf_stack *s, const struct hf_listen *what, hf_handle *out, hf_ns now)
{
    hf_stack_end_loans(s);
    hf_stack_set_now(s, now);
    struct hf_listener l = {
        .addr = what->addr,
        .any_address = hf_addr_equal(&what->addr, &HF_ADDR_ANY),
        .v6_only = what->v6_only,
        .held = what->held,
        .reset_overflow = what->reset_overflow,
        .port = what->port,
        .hash = port_hash(what->port),
        .max_half_open = what->max_half_open ? what->max_half_open : UINT32_MAX,
        .backlog = what->backlog ? what->backlog : BACKLOG_DEFAULT,
        .max_connections = what->max_connections ? what->max_connections : UINT32_MAX,
        .max_per_remote = what->max_per_remote,
        .options = s->options,
    };
    if (l.any_address ? what->prefix_bits > 128 : what->v6_only || !prefix_of(what, &l.bits))
        return HF_E_INVALID;
    l.options.tag = what->tag;
    if (listener_exists(s, &l))
        return HF_E_EXISTS;
    uint32_t index = hf_pool_take(&s->listeners);
    if (index == HF_NIL)
        return HF_E_MEMORY;
    if (!hf_table_insert(&s->listener_table, l.hash, index)) {
        hf_pool_give(&s->listeners, index);
        return HF_E_MEMORY;
    }
    l.generation = ++s->p.generation & HF_HANDLE_GENERATION_MASK;
    *hf_listener_at(s, index) = l;
    s->recent_listener.index = HF_NIL;
    struct hf_endpoint local = {l.addr, l.port};
    hf_trace_state(s, hf_listener_handle(s, index), &local, &(struct hf_endpoint){0}, HF_CLOSED,
                   HF_LISTEN, HF_WHY_LISTEN);
    *out = hf_listener_handle(s, index);
    return HF_OK;
}

void hf_listener_release_if_done(struct hf_stack *s, uint32_t listener)
{
    const struct hf_listener *l = hf_listener_at(s, listener);
    if (l->closed && l->connections == 0 && l->half_open == 0 && l->unaccepted == 0)
        hf_pool_give(&s->listeners, listener);
}

void hf_listener_close(struct hf_stack *s, uint32_t index)
{
    struct hf_listener *l = hf_listener_at(s, index);
    struct hf_endpoint local = {l->addr, l->port};
    hf_trace_state(s, hf_listener_handle(s, index), &local, &(struct hf_endpoint){0}, HF_LISTEN,
                   HF_CLOSED, HF_WHY_CLOSE);
    hf_table_remove(&s->listener_table, l->hash, index);
    s->recent_listener.index = HF_NIL;
    l->closed = true;
    hf_listener_release_if_done(s, index);
}

/* ---- counting ----------------------------------------------------------------------------- */

static struct hf_remote_count *remote_count(struct hf_stack *s, uint32_t listener,
                                            const struct hf_addr *remote, uint32_t *hash,
                                            uint32_t *index)
{
    uint64_t words[3] = {0, 0, listener};
    memcpy(words, remote->octets, 16);
    *hash = (uint32_t)hf_siphash13_words(&s->p.table_key, words, 3);
    struct hf_table_probe probe = hf_table_find(&s->remote_count_table, *hash);
    for (*index = hf_table_next(&probe); *index != HF_NIL; *index = hf_table_next(&probe)) {
        struct hf_remote_count *r = hf_pool_at(&s->remote_counts, *index);
        if (r->listener == listener && hf_addr_equal(&r->remote, remote))
            return r;
    }
    return NULL;
}

bool hf_listener_may_have(struct hf_stack *s, uint32_t listener, const struct hf_addr *remote,
                          enum hf_reason *why)
{
    const struct hf_listener *l = hf_listener_at(s, listener);
    uint32_t hash, index;
    *why = HF_NONE;
    if (l->unaccepted >= l->backlog)
        *why = HF_LIMIT_BACKLOG;
    else if (l->connections >= l->max_connections || s->conns.used >= s->conns.limit)
        *why = HF_LIMIT_CONNECTIONS;
    else if (l->max_per_remote != 0) {
        const struct hf_remote_count *r = remote_count(s, listener, remote, &hash, &index);
        if (r != NULL && r->count >= l->max_per_remote)
            *why = HF_LIMIT_PER_REMOTE;
    }
    return *why == HF_NONE;
}

static bool count_remote(struct hf_stack *s, uint32_t listener, const struct hf_addr *remote)
{
    uint32_t hash, index;
    struct hf_remote_count *r = remote_count(s, listener, remote, &hash, &index);
    if (r != NULL) {
        r->count++;
        return true;
    }
    index = hf_pool_take(&s->remote_counts);
    if (index == HF_NIL)
        return false;
    if (!hf_table_insert(&s->remote_count_table, hash, index)) {
        hf_pool_give(&s->remote_counts, index);
        return false;
    }
    r = hf_pool_at(&s->remote_counts, index);
    *r = (struct hf_remote_count){*remote, listener, 1, hash, 0};
    return true;
}

bool hf_listener_adopt(struct hf_stack *s, uint32_t listener, struct hf_conn *c)
{
    struct hf_listener *l = hf_listener_at(s, listener);
    if (l->max_per_remote != 0 && !count_remote(s, listener, &c->remote))
        return false;
    if (l->mss_bytes > 0)
        hf_conn_set_mss_limit(s, c, l->mss_bytes);
    c->listener = listener;
    c->unaccepted = true;
    l->unaccepted++;
    l->connections++;
    return true;
}

void hf_listener_uncount(struct hf_stack *s, struct hf_conn *c)
{
    c->unaccepted = false;
    hf_listener_at(s, c->listener)->unaccepted--;
    if (c->how != HF_CLOSED_NOT)
        hf_listener_release_if_done(s, c->listener); /* disowned before */
}

void hf_listener_disown(struct hf_stack *s, struct hf_conn *c)
{
    if (c->listener == HF_NIL)
        return;
    uint32_t listener = c->listener;
    struct hf_listener *l = hf_listener_at(s, listener);
    if (l->max_per_remote != 0) {
        uint32_t hash, index;
        struct hf_remote_count *r = remote_count(s, listener, &c->remote, &hash, &index);
        HF_ASSERT(r != NULL);
        if (--r->count == 0) {
            hf_table_remove(&s->remote_count_table, hash, index);
            hf_pool_give(&s->remote_counts, index);
        }
    }
    l->connections--;
    /* Until its event is pulled it takes a slot, and its place in the backlog: else a peer that
     * opens and resets could fill the ready list. */
    if (!c->unaccepted)
        hf_listener_release_if_done(s, listener);
}

void hf_listener_trace_limit(struct hf_stack *s, const struct hf_listener *l,
                             const struct hf_arrival *in, enum hf_reason limit)
{
    int64_t have = 0, most = 0;
    if (limit == HF_LIMIT_PER_REMOTE) {
        most = l->max_per_remote;
        have = most; /* never above it */
    } else if (limit == HF_LIMIT_BACKLOG) {
        have = l->unaccepted;
        most = l->backlog;
    } else if (limit == HF_LIMIT_CONNECTIONS) {
        bool own = l->connections >= l->max_connections;
        have = own ? l->connections : s->conns.used;
        most = own ? l->max_connections : s->conns.limit;
    } else if (limit == HF_LIMIT_HALF_OPEN) {
        bool own = l->half_open >= l->max_half_open;
        have = own ? l->half_open : s->half_opens.used;
        most = own ? l->max_half_open : s->half_opens.limit;
    }
    hf_trace_stranger(s, HF_TRACE_LIMIT, limit, &in->local, &in->remote, have, most, in->seg);
}

/* ---- segments ----------------------------------------------------------------------------- */

/** At a limit: silence, or RST [DESIGN: the listener's policy]. */
static void overflow(struct hf_stack *s, const struct hf_arrival *in, const struct hf_listener *l,
                     enum hf_reason limit)
{
    hf_listener_trace_limit(s, l, in, limit);
    hf_drop_arrival(s, in, HF_DROP_SYN_LIMIT);
    if (l->reset_overflow)
        hf_reply_rst(s, in, HF_RST_OVERFLOW);
}

/** A SYN to a held listener becomes a connection that waits for the application. */
static void hold(struct hf_stack *s, uint32_t listener, const struct hf_arrival *in,
                 uint32_t time_wait)
{
    const struct hf_listener *l = hf_listener_at(s, listener);
    struct hf_conn *c = hf_conn_new(s, &in->local, &in->remote, in->hash, &l->options, time_wait);
    if (c != NULL && !hf_listener_adopt(s, listener, c)) {
        hf_conn_unmake(s, c, in->hash, time_wait);
        c = NULL; /* its count of remote addresses found no memory */
    }
    if (c == NULL) {
        overflow(s, in, l, HF_LIMIT_CONNECTIONS);
        return;
    }
    hf_seq iss = hf_isn(&s->p.isn_key, &in->local, &in->remote, s->p.now_ns);
    if (time_wait != HF_NIL) {
        iss = hf_time_wait_next_iss(s, time_wait, iss);
        hf_time_wait_reused(s, time_wait);
    }
    const struct hf_segment *seg = in->seg;
    struct hf_handshake h = {
        .irs = hf_seq_make(seg->seq),
        .iss = iss,
        .mss = hf_stack_peer_mss(s, &in->remote.addr, seg->has_mss, seg->mss_bytes),
        .rcv_wnd = hf_stack_syn_window(s, l->options.receive_buffer_bytes),
        .wscale = seg->wscale,
        .wscale_on = seg->has_wscale && s->p.cfg.window_scale >= 0,
        .ts_on = seg->has_timestamps && s->p.cfg.timestamps != 0,
        .sack_on = seg->has_sack_permitted && s->p.cfg.sack != 0,
        .ts_recent = seg->ts_value,
        .ts_offset = hf_stack_ts_offset(s, &in->local.addr, &in->remote.addr),
    };
    hf_conn_agree(s, c, &h);
    c->syn_unacked = true;
    c->passive = true;
    c->held = true;
    c->snd_una = c->snd_nxt = iss;
    c->snd_wnd = c->max_snd_wnd = seg->window;
    hf_conn_set_state(s, c, HF_SYN_RCVD, HF_WHY_HELD);
    hf_timer_life(s, c, HF_LIFE_HOLD, hf_ns_add(s->p.now_ns, s->p.cfg.hold_timeout_ns));
    hf_conn_raise(s, c, HF_EV_SYN);
}

/** The window of a cookie's SYN,ACK, and of the connection it comes back to. Nothing was kept of
 *  what it said, and no window may shrink [SHLD-14]: so it does not depend on how full the pool of
 *  blocks is, and a listener's buffer that was made smaller counts as it was. */
static uint16_t cookie_window(const struct hf_stack *s, struct hf_listener *l)
{
    uint32_t share = hf_blocks_share_bytes(&s->blocks, 0);
    uint32_t wnd = hf_min_u32(l->options.receive_buffer_bytes, hf_min_u32(share, UINT16_MAX));
    l->cookie_window = (uint16_t)hf_max_u32(l->cookie_window, wnd);
    return l->cookie_window;
}

/** A cookie is good for the listener that sent it only: a closed one takes nobody any more, and
 *  those that come after it do not know what it promised. */
static struct hf_cookie_handshake cookie_of(const struct hf_listener *l,
                                            const struct hf_arrival *in, uint32_t irs)
{
    _Static_assert(HF_HANDLE_GENERATION_BITS <= 28, "an issuer has no more");
    return (struct hf_cookie_handshake){in->local, in->remote, hf_seq_make(irs), l->generation};
}

/** Answers with a cookie: nothing is kept [RFC4987#3.6]. */
static void send_cookie(struct hf_stack *s, struct hf_listener *l, const struct hf_arrival *in)
{
    const struct hf_segment *syn = in->seg;
    const struct hf_config *cfg = &s->p.cfg;
    struct hf_cookie_options o = {
        .mss_bytes = hf_stack_peer_mss(s, &in->remote.addr, syn->has_mss, syn->mss_bytes),
        .wscale = syn->wscale,
        .has_wscale = syn->has_wscale && cfg->window_scale >= 0,
        .sack = syn->has_sack_permitted && cfg->sack != 0,
        .timestamps = syn->has_timestamps && cfg->timestamps != 0,
    };
    hf_cookie_keys_rotate(&s->p.cookie_keys, &s->p.random, s->p.now_ns);
    struct hf_cookie_handshake h = cookie_of(l, in, syn->seq);
    hf_seq iss = hf_cookie_make(&s->p.cookie_keys, &h, &o, s->p.now_ns);
    uint32_t ts_offset = hf_stack_ts_offset(s, &in->local.addr, &in->remote.addr);
    struct hf_segment seg = {
        .source_port = in->local.port,
        .destination_port = in->remote.port,
        .seq = iss.v,
        .ack = syn->seq + 1,
        .flags = HF_SYN | HF_ACK,
        .window = cookie_window(s, l),
        .has_mss = true,
        .mss_bytes = hf_stack_own_mss(s, &in->remote.addr, l->mss_bytes),
    };
    /* Without a timestamp the other options can't come back to us: not offered [RFC4987#3.6]. */
    if (o.timestamps) {
        seg.has_timestamps = true;
        seg.ts_value = hf_cookie_timestamp(&o, hf_stack_ms(s)) + ts_offset;
        seg.ts_echo = syn->ts_value;
        seg.has_sack_permitted = o.sack;
        seg.has_wscale = o.has_wscale;
        seg.wscale = hf_stack_shift(s);
    }
    s->p.cookie_sent_at = s->p.now_ns;
    hf_trace_stranger(s, HF_TRACE_LIMIT, HF_LIMIT_COOKIES, &in->local, &in->remote,
                      s->half_opens.used, (int64_t)s->half_opens.limit, syn);
    (void)hf_reply_segment(s, &in->local, &in->remote, l->options.ttl, l->options.traffic_class,
                           &seg);
}

void hf_listener_syn(struct hf_stack *s, uint32_t listener, const struct hf_arrival *in,
                     uint32_t time_wait)
{
    struct hf_listener *l = hf_listener_at(s, listener);
    enum hf_reason limit;
    if (!hf_listener_may_have(s, listener, &in->remote.addr, &limit)) {
        overflow(s, in, l, limit);
        return;
    }
    if (l->held) {
        hold(s, listener, in, time_wait);
        return;
    }
    bool full = l->half_open >= l->max_half_open;
    bool cookie = s->p.cfg.syn_cookies == 2 && time_wait == HF_NIL;
    if (!full && !cookie && hf_half_open_new(s, listener, in, time_wait))
        return;
    if ((cookie || s->p.cfg.syn_cookies == 1) && time_wait == HF_NIL)
        send_cookie(s, l, in);
    else
        overflow(s, in, l, HF_LIMIT_HALF_OPEN);
}

/** An ACK that nothing is known of may bring a cookie back [RFC4987#3.6]. */
static bool cookie_input(struct hf_stack *s, uint32_t listener, const struct hf_arrival *in)
{
    const struct hf_segment *seg = in->seg;
    struct hf_listener *l = hf_listener_at(s, listener);
    if (l->held || s->p.cookie_sent_at == HF_NEVER ||
        s->p.now_ns - s->p.cookie_sent_at > HF_SEC(HF_COOKIE_MEMORY_S))
        return false;
    struct hf_cookie_handshake of = cookie_of(l, in, seg->seq - 1);
    hf_seq iss = hf_seq_make(seg->ack - 1);
    uint16_t mss;
    if (!hf_cookie_check(&s->p.cookie_keys, &of, iss, s->p.now_ns, &mss))
        return false;
    struct hf_handshake h = {
        .listener = listener,
        .irs = of.irs,
        .iss = iss,
        .mss = mss,
        .rcv_wnd = cookie_window(s, l),
        .ts_offset = hf_stack_ts_offset(s, &in->local.addr, &in->remote.addr),
    };
    if (seg->has_timestamps && s->p.cfg.timestamps != 0) { /* [RFC7323#3.2] else not agreed on */
        struct hf_cookie_options o = {0};
        hf_cookie_timestamp_decode(seg->ts_echo - h.ts_offset, &o);
        h.ts_on = true;
        h.ts_recent = seg->ts_value;
        h.sack_on = o.sack;
        h.wscale_on = o.has_wscale;
        h.wscale = o.wscale;
    }
    hf_accept(s, &h, in, HF_NIL, HF_WHY_COOKIE);
    return true;
}

void hf_listener_input(struct hf_stack *s, const struct hf_arrival *in)
{
    const struct hf_segment *seg = in->seg;
    uint32_t listener = find_for_segment(s, &in->local);
    if (listener == HF_NIL) {
        /* [RFC9293#3.10.7.1] CLOSED */
        if (!hf_local_is_ours(s, &in->local.addr))
            hf_drop_arrival(s, in, HF_DROP_NOT_OURS);
        else if ((seg->flags & HF_RST) != 0)
            hf_drop_arrival(s, in, HF_DROP_STRANGER_RST);
        else
            hf_reply_rst(s, in, HF_RST_NO_LISTENER);
        return;
    }
    /* [RFC9293#3.10.7.2] LISTEN: RST, ACK, SYN, other, in this order. */
    if ((seg->flags & HF_RST) != 0) {
        hf_drop_arrival(s, in, HF_DROP_LISTEN_RST);
    } else if ((seg->flags & HF_ACK) != 0) {
        if ((seg->flags & HF_SYN) != 0 || !cookie_input(s, listener, in))
            hf_reply_rst(s, in, HF_RST_LISTEN_ACK);
    } else if ((seg->flags & HF_SYN) != 0) {
        hf_listener_syn(s, listener, in, HF_NIL);
    } else {
        hf_drop_arrival(s, in, HF_DROP_LISTEN_NOTHING);
    }
}
