/**
 * The most common segments to send, ahead of the list of reasons: new data of an established
 * connection that misses nothing, all that waits of it or a full segment; and an ACK alone.
 *
 * What is decided here output.c would decide too, which debug builds ask each time. All else is
 * left to it, and nothing was done then; so is everything where the setting fast_path is 0.
 */
#include "emit.h"
#include "receive.h"
#include "timers.h"

/** What is to leave, and of what. */
struct usual {
    struct hf_flight *flight; /**< NULL: there is none */
    uint32_t in_flight, waiting;
    uint32_t bytes, mss;
    bool v4;
    uint16_t flags, window;
    hf_sum sum; /**< of the payload, unless the link adds it */
};

/** Something else has to leave first, or goes along. In ESTABLISHED no SYN and no FIN is on its way
 *  or has to be. */
static inline bool has_other_reasons(const struct hf_conn *c)
{
    if (c->state != HF_ESTABLISHED)
        return true;
    HF_DEBUG_ASSERT(!c->syn_due && !c->syn_unacked && !c->fin_queued && !c->fin_sent);
    return c->rtx_due || c->probe_due || c->override_due || c->urgent_out || c->twice_due;
}

/** Not all that is in flight is on its way, or some that has come lies beyond a gap. */
static inline bool is_in_trouble(const struct hf_flight *f)
{
    HF_DEBUG_ASSERT(f->phase != HF_PHASE_OPEN || f->board.lost_bytes == 0);
    return f->phase != HF_PHASE_OPEN || f->board.sacked_bytes > 0 || f->probe.due ||
           f->gaps != HF_NIL;
}

/** There is a place to note what leaves, or one can be had. */
static inline bool can_note(const struct hf_stack *s, const struct usual *u)
{
    if (u->flight == NULL)
        return u->in_flight == 0 && hf_pool_may_lend(&s->flights);
    return u->flight->board.count < u->flight->runs_capacity;
}

/** Nothing was in flight for so long, perhaps, that the window starts anew; or the rate counts. */
static inline bool may_wait(const struct hf_stack *s, const struct hf_conn *c, uint32_t in_flight)
{
    if (s->p.cfg.pacing != 0 && hf_rtt_srtt_ns(&c->rtt) >= HF_PACER_SLACK_NS)
        return true;
    return in_flight == 0 && hf_stamp_longest_ns(c->progress, s->p.now_ns) > hf_rtt_rto_ns(&c->rtt);
}

/** So much of what waits may leave; 0: none, or it takes more to say. */
static inline uint32_t bytes_to_send(const struct hf_stack *s, const struct hf_conn *c,
                                     const struct usual *u)
{
    uint32_t room = hf_rest_u32(hf_min_u32(c->cc.cwnd_bytes, c->snd_wnd), u->in_flight);
    if (u->mss > hf_slices_limit(s))
        return 0;
    if (hf_min_u32(u->waiting, room) >= u->mss)
        return s->p.cfg.offload_super_bytes == 0 ? u->mss : 0;
    bool held = c->more_coming || c->options.cork || (c->options.nagle && u->in_flight > 0);
    return u->waiting <= room && !held ? u->waiting : 0;
}

/** False: this is nothing of the usual. */
static inline bool plan(const struct hf_stack *s, const struct hf_conn *c, struct usual *u)
{
    if (s->p.cfg.fast_path == 0 || has_other_reasons(c))
        return false;
    u->flight = hf_flight_of(s, c);
    if (u->flight != NULL && is_in_trouble(u->flight))
        return false;
    u->v4 = hf_addr_is_mapped(&c->remote);
    u->in_flight = hf_conn_in_flight(c);
    u->waiting = c->send.bytes - u->in_flight;
    u->bytes = u->mss = 0;
    if (u->waiting == 0)
        return c->ack_due;
    if (!can_note(s, u) || may_wait(s, c, u->in_flight))
        return false;
    u->mss = hf_conn_mss_of(c, u->v4);
    u->bytes = bytes_to_send(s, c, u);
    return u->bytes > 0;
}

/** The segment that leaves, as a struct. */
static struct hf_segment segment_of(const struct hf_stack *s, const struct hf_conn *c,
                                    const struct usual *u)
{
    return (struct hf_segment){
        .source_port = c->local_port,
        .destination_port = c->remote_port,
        .seq = c->snd_nxt.v,
        .ack = c->rcv_nxt.v,
        .flags = u->flags,
        .window = u->window,
        .payload_bytes = u->bytes,
        .has_timestamps = c->ts_on,
        .ts_value = c->ts_on ? hf_stack_timestamp(s, c->ts_offset) : 0,
        .ts_echo = c->ts_on ? c->ts_recent : 0,
    };
}

/** Over IPv6. Out of line, as what else needs the struct. */
__attribute__((noinline)) static size_t put_headers(struct hf_stack *s, const struct hf_conn *c,
                                                    const struct usual *u, uint8_t *header)
{
    uint16_t ip_bytes;
    struct hf_segment seg = segment_of(s, c, u);
    return hf_emit_segment(s, hf_local_addr(s, c->local), &c->remote, c->options.ttl,
                           c->options.traffic_class, &seg, u->sum, s->p.cfg.offload_checksum != 0,
                           header, &ip_bytes);
}

__attribute__((noinline)) static void tell(struct hf_stack *s, const struct hf_conn *c,
                                           const struct usual *u)
{
    struct hf_segment seg = segment_of(s, c, u);
    hf_trace_conn(s, c, HF_TRACE_SEGMENT_OUT, HF_NONE, 0, 0, &seg);
}

/** What put_headers does, over IPv4: from the connection to the packet, with no struct between.
 *  Twice there, so that lengths are known when compiling. */
static inline size_t put_headers_v4(struct hf_stack *s, const struct hf_conn *c,
                                    const struct usual *u, bool ts_on, uint8_t *header)
{
    uint32_t source = hf_get32(hf_local_addr(s, c->local)->octets + 12);
    uint32_t destination = hf_get32(c->remote.octets + 12);
    uint32_t tcp_bytes = HF_TCP_HEADER_BYTES + (ts_on ? HF_TCP_TIMESTAMPS_BYTES : 0);
    uint32_t total = HF_IPV4_HEADER_BYTES + tcp_bytes + u->bytes;
    HF_ASSERT(total <= HF_IP_LENGTH_MAX);
    uint32_t second = HF_IPV4_DONT_FRAGMENT;
    if (s->p.cfg.dont_fragment == 0)
        second = (uint32_t)s->p.ip_id++ << 16;
    hf_ipv4_put_words(header, HF_IPV4_FIRST | (uint32_t)c->options.traffic_class << 16 | total,
                      second, (uint32_t)c->options.ttl << 24 | HF_IP_PROTO_TCP << 16, source,
                      destination);
    uint8_t *tcp = header + HF_IPV4_HEADER_BYTES;
    hf_sum sum = hf_tcp_put_words(tcp, hf_tcp_ports(c->local_port, c->remote_port), c->snd_nxt.v,
                                  c->rcv_nxt.v, hf_tcp_rest(tcp_bytes, u->flags, u->window));
    if (ts_on)
        sum += hf_tcp_put_timestamps(tcp, hf_stack_timestamp(s, c->ts_offset), c->ts_recent);
    hf_sum pseudo = (hf_sum)source + destination + HF_IP_PROTO_TCP + tcp_bytes + u->bytes;
    hf_put16(tcp + HF_TCP_CHECKSUM_OFFSET, s->p.cfg.offload_checksum != 0
                                               ? hf_sum_fold(pseudo)
                                               : hf_sum_checksum(pseudo + sum + u->sum));
    return HF_IPV4_HEADER_BYTES + tcp_bytes;
}

/** For debug builds: put_headers writes the same. */
__attribute__((unused)) static bool are_right(struct hf_stack *s, const struct hf_conn *c,
                                              const struct usual *u, const uint8_t *header,
                                              size_t n)
{
    uint8_t other[HF_HEADER_MAX_BYTES];
    s->p.ip_id = (uint16_t)(s->p.ip_id - (s->p.cfg.dont_fragment == 0)); /* the same again */
    return put_headers(s, c, u, other) == n && memcmp(header, other, n) == 0;
}

static inline void build(struct hf_stack *s, struct hf_conn *c, struct usual *u, uint8_t *header,
                         struct hf_out_packet *out)
{
    bool partial = s->p.cfg.offload_checksum != 0;
    u->window = hf_receive_window(s, c);
    u->flags = HF_ACK;
    u->sum = 0;
    out->slices = NULL;
    out->slice_count = 0;
    if (u->bytes > 0) {
        u->sum = hf_emit_payload(s, c, u->flight, c->snd_nxt, u->bytes, !partial, out);
        if (u->bytes == u->waiting)
            u->flags = HF_ACK | HF_PSH; /* [MUST-61] */
    }
    size_t n;
    if (!u->v4)
        n = put_headers(s, c, u, header);
    else if (c->ts_on)
        n = put_headers_v4(s, c, u, true, header);
    else
        n = put_headers_v4(s, c, u, false, header);
    HF_DEBUG_ASSERT(are_right(s, c, u, header, n));
    out->header = header;
    out->header_bytes = (uint16_t)n;
    out->ip_bytes = u->v4 ? HF_IPV4_HEADER_BYTES : HF_IPV6_HEADER_BYTES;
    out->segment_bytes = 0;
    out->flags = partial ? HF_PACKET_CSUM_PARTIAL : 0;
    out->checksum_offset = HF_TCP_CHECKSUM_OFFSET;
    out->length_bytes = (uint32_t)n + u->bytes;
    if (s->trace != NULL)
        tell(s, c, u);
}

enum hf_turn hf_output_usual(struct hf_stack *s, struct hf_conn *c, uint8_t *header,
                             struct hf_out_packet *out)
{
    struct usual u;
    if (!plan(s, c, &u))
        return HF_TURN_NOTHING;
    if (u.bytes > 0 && u.flight == NULL)
        u.flight = hf_conn_take_flight(s, c);
    HF_DEBUG_ASSERT(hf_output_agrees(s, c, u.bytes, u.mss));
    build(s, c, &u, header, out);
    if (u.bytes > 0)
        hf_emit_sent_new(s, c, u.flight, u.bytes, false, u.mss, 0);
    if (u.bytes > 0 && !hf_loss_timer_is_planned(s, u.flight))
        hf_loss_timer_on_sent(s, c, u.flight, u.mss, false);
    hf_emit_sent_ack(c, u.flight);
    if (u.bytes < u.waiting)
        return HF_TURN_MORE;
    if (u.bytes == 0)
        hf_output_arm(s, c);
    return HF_TURN_LAST;
}
