/**
 * The life of a connection record: made, found by handle, moved from state to state, ended, freed.
 */
#include "timers.h"
#include "tuples.h"

enum { CHALLENGE_WINDOWS = 256 };

struct hf_conn *hf_conn_of(const struct hf_stack *s, hf_handle h)
{
    return hf_conn_find(s, h);
}

void hf_prefetch(const struct hf_stack *s, const hf_handle *conns, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t slot = hf_handle_slot(conns[i]);
        if (hf_handle_kind(conns[i]) == HF_HANDLE_CONN && hf_pool_has(&s->conns, slot))
            hf_fetch(hf_conn_at(s, slot), sizeof(struct hf_conn));
    }
}

struct hf_endpoint hf_conn_local(const struct hf_stack *s, const struct hf_conn *c)
{
    return (struct hf_endpoint){*hf_local_addr(s, c->local), c->local_port};
}

struct hf_endpoint hf_conn_remote(const struct hf_conn *c)
{
    return (struct hf_endpoint){c->remote, c->remote_port};
}

static uint32_t hash_anew(const struct hf_stack *s, const struct hf_conn *c)
{
    struct hf_endpoint local = hf_conn_local(s, c), remote = hf_conn_remote(c);
    return hf_tuple_hash(s, &local, &remote);
}

uint32_t hf_conn_hash(const struct hf_stack *s, const struct hf_conn *c)
{
    if (s->recent_tuple.ref != hf_ref_make(HF_REF_CONN, c->index))
        return hash_anew(s, c);
    HF_DEBUG_ASSERT(s->recent_tuple.hash == hash_anew(s, c));
    return s->recent_tuple.hash;
}

/* ---- making ------------------------------------------------------------------------------- */

static void init_lists(struct hf_conn *c, uint32_t index)
{
    struct hf_list_node none = {HF_NIL, index};
    hf_wheel_node_init(&c->wheel);
    c->ready = c->output = c->waiting = none;
    c->flight = HF_NIL;
    hf_queue_init(&c->send);
    hf_queue_init(&c->receive);
}

struct hf_conn *hf_conn_new(struct hf_stack *s, const struct hf_endpoint *local,
                            const struct hf_endpoint *remote, uint32_t hash,
                            const struct hf_options *options, uint32_t replaces)
{
    uint32_t index = hf_pool_take(&s->conns);
    if (index == HF_NIL)
        return NULL;
    uint32_t local_index = hf_local_take(s, &local->addr);
    if (local_index == HF_NIL)
        goto give_slot;
    uint32_t ref = hf_ref_make(HF_REF_CONN, index);
    if (!hf_tuple_put(s, hash, local, remote, replaces, ref))
        goto give_local;

    struct hf_conn *c = hf_conn_at(s, index);
    init_lists(c, index);
    c->index = index;
    c->remote = remote->addr;
    c->local = local_index;
    c->local_port = local->port;
    c->remote_port = remote->port;
    c->generation = ++s->p.generation & HF_HANDLE_GENERATION_MASK;
    c->listener = HF_NIL;
    c->options = *options;
    c->rtx_at = c->ack_at = c->life_at = HF_NEVER;
    c->heard = c->progress = hf_stamp_make(s->p.now_ns);
    c->path_mtu = (uint16_t)s->p.cfg.mtu_bytes;
    c->rcv_mss = (uint16_t)s->p.cfg.mss_min_bytes;
    c->quick_acks = (uint8_t)s->p.cfg.quick_acks;
    c->in_table = true;
    struct hf_rtt_limits limits = hf_stack_rtt_limits(s);
    hf_rtt_init(&c->rtt, &limits);
    return c;

give_local:
    hf_local_give(s, local_index);
give_slot:
    hf_pool_give(&s->conns, index);
    return NULL;
}

void hf_conn_unmake(struct hf_stack *s, struct hf_conn *c, uint32_t hash, uint32_t replaced)
{
    uint32_t ref = hf_ref_make(HF_REF_CONN, c->index);
    if (replaced != HF_NIL)
        hf_tuple_replace(s, hash, ref, replaced);
    else
        hf_tuple_remove(s, hash, ref);
    hf_local_give(s, c->local);
    hf_pool_give(&s->conns, c->index);
}

/* ---- states ------------------------------------------------------------------------------- */

#define EDGE(state) (1u << (HF_##state))

/** Which states may follow each one [RFC9293#3.3.2 figure 5], with the user's aborts and the
 *  failures that lead to CLOSED from everywhere. */
static const uint16_t edges[HF_STATE_COUNT] = {
    [HF_CLOSED] = EDGE(SYN_SENT) | EDGE(SYN_RCVD) | EDGE(ESTABLISHED),
    [HF_LISTEN] = 0,
    [HF_SYN_SENT] = EDGE(SYN_RCVD) | EDGE(ESTABLISHED) | EDGE(CLOSED),
    [HF_SYN_RCVD] = EDGE(ESTABLISHED) | EDGE(FIN_WAIT_1) | EDGE(CLOSE_WAIT) | EDGE(CLOSED),
    [HF_ESTABLISHED] = EDGE(FIN_WAIT_1) | EDGE(CLOSE_WAIT) | EDGE(CLOSED),
    [HF_FIN_WAIT_1] = EDGE(FIN_WAIT_2) | EDGE(CLOSING) | EDGE(TIME_WAIT) | EDGE(CLOSED),
    [HF_FIN_WAIT_2] = EDGE(TIME_WAIT) | EDGE(CLOSED),
    [HF_CLOSE_WAIT] = EDGE(LAST_ACK) | EDGE(CLOSED),
    [HF_CLOSING] = EDGE(TIME_WAIT) | EDGE(CLOSED),
    [HF_LAST_ACK] = EDGE(CLOSED),
    [HF_TIME_WAIT] = EDGE(CLOSED),
};

/** Out of line, so that without a sink no registers are saved. */
__attribute__((noinline)) static void trace_state(struct hf_stack *s, const struct hf_conn *c,
                                                  enum hf_state from, enum hf_reason reason)
{
    struct hf_endpoint local = hf_conn_local(s, c), remote = hf_conn_remote(c);
    hf_trace_state(s, hf_conn_handle(s, c), &local, &remote, from, (enum hf_state)c->state, reason);
}

void hf_conn_set_state(struct hf_stack *s, struct hf_conn *c, enum hf_state to,
                       enum hf_reason reason)
{
    enum hf_state from = (enum hf_state)c->state;
    HF_ASSERT((edges[from] & (1u << to)) != 0);
    c->state = (uint8_t)to;
    if (s->trace == NULL)
        hf_count(s, reason);
    else
        trace_state(s, c, from, reason);
}

/* ---- ending ------------------------------------------------------------------------------- */

void hf_conn_end(struct hf_stack *s, struct hf_conn *c, enum hf_closed how, enum hf_reason reason,
                 bool keep_unread)
{
    if (c->in_table) {
        uint32_t ref = hf_ref_make(HF_REF_CONN, c->index);
        hf_tuple_remove(s, hf_conn_hash(s, c), ref);
        c->in_table = false;
    }
    if (c->state != HF_CLOSED)
        hf_conn_set_state(s, c, HF_CLOSED, reason);
    hf_conn_finish(s, c, how, keep_unread);
}

void hf_conn_finish(struct hf_stack *s, struct hf_conn *c, enum hf_closed how, bool keep_unread)
{
    hf_timers_off(s, c);
    hf_list_remove(&s->p.output, &s->conns, HF_LIST_OUTPUT, c->index);
    hf_list_remove(&s->p.waiting, &s->conns, HF_LIST_WAITING, c->index);
    hf_conn_drop_flight(s, c);
    hf_queue_clear(&s->blocks, &c->send);
    if (!keep_unread || c->app_closed)
        hf_queue_clear(&s->blocks, &c->receive);
    c->held = false;
    if (c->how != HF_CLOSED_NOT)
        return; /* told before: TIME-WAIT of a connection without an entry of its own */
    hf_listener_disown(s, c);
    c->how = (uint8_t)how & 127u;
    hf_trace_conn(s, c, HF_TRACE_CLOSED, HF_NONE, how, 0, NULL);
    hf_conn_raise(s, c, HF_EV_CLOSED);
}

void hf_conn_reset_peer(struct hf_stack *s, struct hf_conn *c, enum hf_closed how,
                        enum hf_reason why, enum hf_reason rst_reason)
{
    hf_reply_conn_rst(s, c, rst_reason);
    hf_conn_end(s, c, how, why, false);
}

void hf_conn_release_if_done(struct hf_stack *s, struct hf_conn *c)
{
    /* A TIME-WAIT of its own runs on, also while a newer SYN holds its tuple. */
    if (!c->app_closed || !c->closed_pulled || c->in_table || c->life_timer == HF_LIFE_TIME_WAIT)
        return;
    hf_queue_clear(&s->blocks, &c->receive);
    hf_local_give(s, c->local);
    hf_pool_give(&s->conns, c->index);
}

/* ---- sizes -------------------------------------------------------------------------------- */

void hf_conn_set_mss_limit(const struct hf_stack *s, struct hf_conn *c, uint16_t limit_bytes)
{
    uint16_t mss = hf_stack_own_mss(s, &c->remote, limit_bytes);
    c->path_mtu = (uint16_t)(mss + hf_conn_ip_bytes(c) + HF_TCP_HEADER_BYTES);
}

uint16_t hf_stack_peer_mss(const struct hf_stack *s, const struct hf_addr *remote, bool has_mss,
                           uint16_t mss)
{
    if (!has_mss) /* [MUST-15] */
        mss = hf_addr_is_v4(remote) ? 536 : 1220;
    uint16_t floor = (uint16_t)s->p.cfg.mss_min_bytes;
    return mss < floor ? floor : mss;
}

uint16_t hf_stack_syn_window(const struct hf_stack *s, uint32_t receive_buffer_bytes)
{
    uint32_t share = hf_blocks_window_bytes(&s->blocks);
    uint32_t least = 2 * (uint32_t)s->p.cfg.block_bytes;
    uint32_t wanted = hf_min_u32(receive_buffer_bytes, share > least ? share : least);
    return (uint16_t)hf_min_u32(wanted, UINT16_MAX);
}

uint16_t hf_conn_syn_window(const struct hf_stack *s, struct hf_conn *c)
{
    /* Once told, the right edge stays, whatever the pool of blocks holds by then [SHLD-14]. */
    if (hf_seq_eq(c->snd_nxt, c->iss)) {
        uint32_t wnd = hf_stack_syn_window(s, c->options.receive_buffer_bytes);
        c->rcv_adv = hf_seq_add(c->rcv_nxt, wnd);
    }
    return (uint16_t)hf_min_u32(hf_conn_rcv_wnd(c), UINT16_MAX);
}

bool hf_challenge_allowed(const struct hf_stack *s, uint8_t *challenges, uint8_t *challenge_at)
{
    /* [RFC5961#7] a counter and the number of the time window it counts for, per connection: a
     * global one tells an attacker about connections of others. */
    hf_ns window = s->p.now_ns / s->p.cfg.challenge_window_ns;
    uint8_t at = (uint8_t)(window % CHALLENGE_WINDOWS);
    if (*challenge_at != at) {
        *challenge_at = at;
        *challenges = 0;
    }
    if (*challenges >= s->p.cfg.challenge_acks)
        return false;
    ++*challenges;
    return true;
}

bool hf_conn_may_challenge(struct hf_stack *s, struct hf_conn *c)
{
    if (hf_challenge_allowed(s, &c->challenges, &c->challenge_at))
        return true;
    hf_trace_conn(s, c, HF_TRACE_LIMIT, HF_LIMIT_CHALLENGE, c->challenges, s->p.cfg.challenge_acks,
                  NULL);
    return false;
}
