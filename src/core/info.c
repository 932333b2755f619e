/**
 * What can be seen from outside: a connection's snapshot, the list of all entries, counters.
 */
#include "receive.h"
#include "timers.h"

static uint64_t stream_bytes(uint16_t wraps, hf_seq at, hf_seq start, bool begun, bool fin)
{
    uint64_t numbers = (uint64_t)wraps << 32 | (at.v - start.v);
    uint64_t taken = (uint64_t)begun + fin; /* SYN and FIN take a number each */
    return numbers > taken ? numbers - taken : 0;
}

/** [MUST-33] */
static uint32_t urgent_bytes(const struct hf_conn *c)
{
    return c->urgent_in ? c->rcv_up.v - hf_receive_unread(c).v : 0;
}

static void fill_sequence(const struct hf_stack *s, const struct hf_conn *c, struct hf_info *i)
{
    i->iss = c->iss.v;
    i->snd_una = c->snd_una.v;
    i->snd_nxt = i->snd_max = c->snd_nxt.v;
    i->snd_wnd_bytes = c->snd_wnd;
    i->irs = c->irs.v;
    i->rcv_nxt = c->rcv_nxt.v;
    i->rcv_wnd_bytes = hf_conn_rcv_wnd(c);
    i->ts_recent = c->ts_recent;
    i->ts_offset = c->ts_offset;
    i->in_flight_bytes = hf_conn_in_flight(c);
    i->send_queue_bytes = c->send.bytes;
    uint32_t limit = hf_send_limit(s, c);
    bool writable = !c->fin_queued && !c->app_closed && c->how == HF_CLOSED_NOT;
    i->send_room_bytes = writable ? hf_rest_u32(limit, c->send.bytes) : 0;
    i->receive_queue_bytes = c->receive.bytes;
    i->out_of_order_bytes = hf_gaps_bytes(s, c);
    i->urgent_bytes = urgent_bytes(c);
    i->bytes_sent =
        stream_bytes(c->snd_wraps, c->snd_una, c->iss, !c->syn_unacked, hf_fin_is_acked(c));
    i->bytes_received = stream_bytes(c->rcv_wraps, c->rcv_nxt, c->irs, true, c->peer_fin);
}

static void fill_loss(const struct hf_stack *s, const struct hf_conn *c, struct hf_info *i)
{
    static const enum hf_loss_state states[] = {
        [HF_PHASE_OPEN] = HF_LOSS_NONE,
        [HF_PHASE_RECOVERY] = HF_LOSS_RECOVERY,
        [HF_PHASE_LOSS] = HF_LOSS_TIMEOUT,
    };
    const struct hf_flight *f = hf_flight_of(s, c);
    i->pipe_bytes = hf_conn_pipe(c, hf_flight_of(s, c));
    i->reordering = c->reordering.seen;
    if (f == NULL)
        return;
    i->loss_state = states[f->phase];
    i->sacked_bytes = f->board.sacked_bytes;
    i->lost_bytes = f->board.lost_bytes;
    i->resent_bytes = hf_flight_resent_bytes(s, f);
}

/** A record outlives its TIME-WAIT until it is let go of. */
static enum hf_state state_of(const struct hf_stack *s, const struct hf_conn *c)
{
    bool over = c->state == HF_TIME_WAIT && c->life_timer != HF_LIFE_TIME_WAIT &&
                hf_time_wait_of(s, c) == HF_NIL;
    return over ? HF_CLOSED : (enum hf_state)c->state;
}

/* [RFC9293#3.10.6]; a soft error stands there too [SHLD-25]. */
int hf_info(const struct hf_stack *s, hf_handle h, struct hf_info *i)
{
    const struct hf_conn *c = hf_conn_of(s, h);
    if (c == NULL)
        return HF_E_HANDLE;
    *i = (struct hf_info){
        .state = state_of(s, c),
        .how = (enum hf_closed)c->how,
        .local = hf_conn_local(s, c),
        .remote = hf_conn_remote(c),
        .held = c->held,
        .orphan = c->app_closed,
        .timestamps = c->ts_on,
        .sack = c->sack_on,
        .window_scale = c->wscale_on,
        .snd_shift = c->snd_shift,
        .rcv_shift = c->rcv_shift,
        .snd_mss_bytes = c->snd_mss,
        .rcv_mss_bytes = c->rcv_mss,
        .path_mtu_bytes = c->path_mtu,
        .cwnd_bytes = c->cc.cwnd_bytes,
        .ssthresh_bytes = c->cc.ssthresh_bytes,
        .srtt_ns = hf_rtt_srtt_ns(&c->rtt),
        .rttvar_ns = hf_rtt_rttvar_ns(&c->rtt),
        .rto_ns = hf_rtt_rto_ns(&c->rtt),
        .peer_closed = c->peer_fin,
        .retransmit_count = c->rtx_count,
        .probe_count = c->probe_count,
        .soft_error = c->soft_error,
        .segments_retransmitted = c->retransmitted_segs,
        .rto_deadline_ns = c->rtx_timer == HF_RTX_SETTLE /* nothing will be sent then */
                               ? HF_NEVER
                               : hf_stack_caller_time(s, hf_loss_timer_at(s, c)),
        .ack_deadline_ns = hf_stack_caller_time(s, c->ack_at),
        .life_deadline_ns = hf_stack_caller_time(s, c->life_at),
    };
    fill_sequence(s, c, i);
    fill_loss(s, c, i);
    return HF_OK;
}

/* ---- all entries -------------------------------------------------------------------------- */

static hf_ns tick_to_ns(const struct hf_stack *s, uint32_t tick)
{
    hf_ns now = s->p.now_ns - (s->p.now_ns & ((1 << HF_WHEEL_TICK_SHIFT) - 1));
    int64_t ahead = (int32_t)(tick - (uint32_t)hf_wheel_tick(now));
    return hf_stack_caller_time(s, now + ahead * (1 << HF_WHEEL_TICK_SHIFT));
}

static bool tuple_of_listener(const struct hf_stack *s, uint32_t i, struct hf_tuple *t)
{
    const struct hf_listener *l = hf_listener_at(s, i);
    *t = (struct hf_tuple){
        .kind = HF_KIND_LISTENER,
        .state = l->closed ? HF_CLOSED : HF_LISTEN,
        .handle = hf_listener_handle(s, i),
        .local = {l->addr, l->port},
        .deadline_ns = HF_NEVER,
    };
    return true;
}

static hf_ns conn_deadline(const struct hf_stack *s, const struct hf_conn *c)
{
    uint32_t entry = hf_time_wait_of(s, c);
    if (entry != HF_NIL)
        return tick_to_ns(s, hf_time_wait_at(s, entry)->wheel.tick);
    return hf_stack_caller_time(s, hf_min_ns(c->rtx_at, hf_min_ns(c->ack_at, c->life_at)));
}

static bool tuple_of_conn(const struct hf_stack *s, uint32_t i, struct hf_tuple *t)
{
    const struct hf_conn *c = hf_conn_at(s, i);
    bool gone = c->app_closed && c->closed_pulled; /* only its TIME-WAIT is left */
    *t = (struct hf_tuple){
        .kind = gone ? HF_KIND_TIME_WAIT : HF_KIND_CONN,
        .state = state_of(s, c),
        .handle = gone ? 0 : hf_conn_handle(s, c),
        .local = hf_conn_local(s, c),
        .remote = hf_conn_remote(c),
        .deadline_ns = conn_deadline(s, c),
        .snd_nxt = c->snd_nxt.v,
        .rcv_nxt = c->rcv_nxt.v,
    };
    return true;
}

static bool tuple_of_half_open(const struct hf_stack *s, uint32_t i, struct hf_tuple *t)
{
    const struct hf_half_open *h = hf_half_open_at(s, i);
    *t = (struct hf_tuple){
        .kind = HF_KIND_HALF_OPEN,
        .state = HF_SYN_RCVD,
        .local = {*hf_local_addr(s, h->local), h->local_port},
        .remote = {h->remote, h->remote_port},
        .deadline_ns = tick_to_ns(s, h->wheel.tick),
        .snd_nxt = h->iss.v + 1,
        .rcv_nxt = h->irs.v + 1,
    };
    return true;
}

static bool tuple_of_time_wait(const struct hf_stack *s, uint32_t i, struct hf_tuple *t)
{
    const struct hf_time_wait *w = hf_time_wait_at(s, i);
    if (hf_time_wait_has_conn(s, i))
        return false; /* the connection is listed, with the handle and in this state */
    *t = (struct hf_tuple){
        .kind = HF_KIND_TIME_WAIT,
        .state = HF_TIME_WAIT,
        .local = {*hf_local_addr(s, w->local), w->local_port},
        .remote = {w->remote, w->remote_port},
        .deadline_ns = tick_to_ns(s, w->wheel.tick),
        .snd_nxt = w->snd_nxt.v,
        .rcv_nxt = w->rcv_nxt.v,
    };
    return true;
}

bool hf_iterate(const struct hf_stack *s, uint64_t *cursor, struct hf_tuple *tuple)
{
    /* The cursor is which of these pools, and the index to go on from. An entry that another one
     * stands for fills in nothing. */
    static const struct {
        size_t pool;
        bool (*fill)(const struct hf_stack *s, uint32_t i, struct hf_tuple *t);
    } kinds[] = {
        {offsetof(struct hf_stack, listeners), tuple_of_listener},
        {offsetof(struct hf_stack, conns), tuple_of_conn},
        {offsetof(struct hf_stack, half_opens), tuple_of_half_open},
        {offsetof(struct hf_stack, time_waits), tuple_of_time_wait},
    };
    uint64_t kind = *cursor >> 32;
    uint32_t from = (uint32_t)*cursor;
    for (; kind < HF_COUNT_OF(kinds); kind++, from = 0) {
        const struct hf_pool *pool =
            (const struct hf_pool *)(const void *)((const uint8_t *)s + kinds[kind].pool);
        for (uint32_t i; (i = hf_pool_next(pool, from)) != HF_NIL; from = i + 1)
            if (kinds[kind].fill(s, i, tuple)) {
                *cursor = kind << 32 | (i + 1);
                return true;
            }
    }
    return false;
}

/* ---- counters ----------------------------------------------------------------------------- */

static uint64_t pool_used_bytes(const struct hf_pool *p)
{
    return (uint64_t)p->used * p->object_bytes;
}

void hf_stack_info(const struct hf_stack *s, struct hf_stack_info *i)
{
    *i = (struct hf_stack_info){
        .listeners = s->listeners.used,
        .connections = s->conns.used,
        .half_open = s->half_opens.used,
        .time_wait = s->time_waits.used,
        .flights = s->flights.used,
        .local_addresses = hf_local_count(s),
        .memory_bytes = s->mem.taken_bytes,
        .pool_used_bytes = (uint64_t)s->blocks.pool.used << s->blocks.shift,
        .pool_peak_bytes = (uint64_t)s->blocks.peak << s->blocks.shift,
        .packets_in = s->p.packets_in,
        .packets_out = s->p.packets_out,
        .bytes_in = s->p.bytes_in,
        .bytes_out = s->p.bytes_out,
        .segments_in = s->p.segments_in,
        .segments_out = s->p.segments_out,
        .clock_went_back = s->p.counts[HF_CLOCK_BACK],
        .bytes_retransmitted = s->p.bytes_again,
        .segments_retransmitted = s->p.segments_again,
    };
    i->connection_bytes = pool_used_bytes(&s->conns);
    i->half_open_bytes = pool_used_bytes(&s->half_opens);
    i->time_wait_bytes = pool_used_bytes(&s->time_waits);
    i->flight_bytes = pool_used_bytes(&s->flights) + pool_used_bytes(&s->runs_some) +
                      pool_used_bytes(&s->runs_many) + pool_used_bytes(&s->runs_most);
    i->table_bytes = hf_table_bytes(&s->table) + hf_table_bytes(&s->listener_table) +
                     hf_table_bytes(&s->local_table) + hf_table_bytes(&s->remote_count_table);
    i->used_bytes =
        i->connection_bytes + i->half_open_bytes + i->time_wait_bytes + i->flight_bytes +
        i->table_bytes + i->pool_used_bytes + pool_used_bytes(&s->listeners) +
        (uint64_t)hf_local_count(s) * s->locals.object_bytes + pool_used_bytes(&s->remote_counts);
}

uint64_t hf_stack_count(const struct hf_stack *s, enum hf_reason reason)
{
    return (unsigned)reason < HF_REASON_COUNT ? s->p.counts[reason] : 0;
}
