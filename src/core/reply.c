/**
 * Answers that need no connection: RSTs to strangers, SYN,ACKs of half-open entries and cookies,
 * ACKs of time-wait entries, ICMP errors and echo replies; and ACKs of a connection that must not
 * merge with later ones. They are complete when made and wait in a bounded ring that is drained
 * before anything else; when it is full they are dropped and counted.
 */
#include "emit.h"

static struct hf_reply *ring_at(const struct hf_stack *s, uint32_t position)
{
    return &s->replies[position & ((uint32_t)s->p.cfg.reply_ring - 1)];
}

/** A free place at the ring's end, or NULL; used once committed. */
static struct hf_reply *ring_take(struct hf_stack *s, const struct hf_endpoint *local,
                                  const struct hf_endpoint *remote)
{
    if (s->p.reply_count >= (uint32_t)s->p.cfg.reply_ring) {
        hf_trace_stranger(s, HF_TRACE_DROP, HF_DROP_REPLY_RING, local, remote, 0, 0, NULL);
        return NULL;
    }
    struct hf_reply *r = ring_at(s, s->p.reply_head + s->p.reply_count);
    r->block = HF_NIL;
    r->block_bytes = 0;
    return r;
}

/** The place is filled: so many header bytes, the first of them the IP header's. */
static void ring_commit(struct hf_stack *s, struct hf_reply *r, size_t ip_bytes,
                        size_t length_bytes)
{
    r->ip_bytes = (uint8_t)ip_bytes;
    r->length_bytes = (uint8_t)length_bytes;
    s->p.reply_count++;
}

bool hf_reply_has_room_apart(const struct hf_stack *s)
{
    return s->p.reply_count < (uint32_t)s->p.cfg.reply_ring / 2;
}

static bool put(struct hf_stack *s, const struct hf_endpoint *local,
                const struct hf_endpoint *remote, uint8_t ttl, uint8_t traffic_class,
                struct hf_segment *seg)
{
    struct hf_reply *r = ring_take(s, local, remote);
    if (r == NULL)
        return false;
    uint16_t ip_bytes;
    size_t n = hf_emit_segment(s, &local->addr, &remote->addr, ttl, traffic_class, seg, 0, false,
                               r->bytes, &ip_bytes);
    ring_commit(s, r, ip_bytes, n);
    s->p.segments_out++;
    return true;
}

bool hf_reply_segment(struct hf_stack *s, const struct hf_endpoint *local,
                      const struct hf_endpoint *remote, uint8_t ttl, uint8_t traffic_class,
                      struct hf_segment *seg)
{
    bool is_put = put(s, local, remote, ttl, traffic_class, seg);
    if (is_put && s->trace != NULL)
        hf_trace_stranger(s, HF_TRACE_SEGMENT_OUT, HF_NONE, local, remote, 0, 0, seg);
    return is_put;
}

bool hf_reply_conn_segment(struct hf_stack *s, const struct hf_conn *c, struct hf_segment *seg)
{
    struct hf_endpoint local = hf_conn_local(s, c), remote = hf_conn_remote(c);
    bool is_put = put(s, &local, &remote, c->options.ttl, c->options.traffic_class, seg);
    if (is_put && s->trace != NULL)
        hf_trace_conn(s, c, HF_TRACE_SEGMENT_OUT, HF_NONE, 0, 0, seg);
    return is_put;
}

/** True while the rate allows one more RST to a stranger. */
static bool rst_allowed(struct hf_stack *s, const struct hf_arrival *in)
{
    int64_t rate = s->p.cfg.rst_rate;
    if (hf_rate_take(&s->p.rst_rate, rate, rate, s->p.now_ns))
        return true;
    hf_trace_stranger(s, HF_TRACE_LIMIT, HF_LIMIT_RST_RATE, &in->local, &in->remote, rate, rate,
                      NULL);
    hf_drop_arrival(s, in, HF_DROP_STRANGER_SILENT);
    return false;
}

void hf_reply_rst(struct hf_stack *s, const struct hf_arrival *in, enum hf_reason reason)
{
    const struct hf_segment *cause = in->seg;
    if ((cause->flags & HF_RST) != 0 || !rst_allowed(s, in))
        return; /* never a RST for a RST */
    struct hf_segment rst = {
        .source_port = in->local.port,
        .destination_port = in->remote.port,
    };
    /* [RFC9293#3.5.2] [UN-03]: with ACK its number makes the RST believable, without ours must. */
    if ((cause->flags & HF_ACK) != 0) {
        rst.seq = cause->ack;
        rst.flags = HF_RST;
    } else {
        rst.ack = cause->seq + hf_segment_length(cause);
        rst.flags = HF_RST | HF_ACK;
    }
    hf_trace_stranger(s, HF_TRACE_RST_OUT, reason, &in->local, &in->remote, 0, 0, cause);
    (void)hf_reply_segment(s, &in->local, &in->remote, (uint8_t)s->p.cfg.ttl, 0, &rst);
}

void hf_reply_conn_rst(struct hf_stack *s, const struct hf_conn *c, enum hf_reason reason)
{
    struct hf_segment rst = {
        .source_port = c->local_port,
        .destination_port = c->remote_port,
        .seq = c->snd_nxt.v,
        .ack = c->rcv_nxt.v,
        .flags = HF_RST | HF_ACK,
    };
    if (c->held) {
        rst.seq = 0;       /* nothing was sent yet: as to a stranger's SYN */
    } else if (c->ts_on) { /* [RFC7323#3.2] SHOULD */
        rst.has_timestamps = true;
        rst.ts_value = hf_stack_timestamp(s, c->ts_offset);
        rst.ts_echo = c->ts_recent;
    }
    hf_trace_conn(s, c, HF_TRACE_RST_OUT, reason, 0, 0, NULL);
    (void)hf_reply_conn_segment(s, c, &rst);
}

/* ---- ICMP --------------------------------------------------------------------------------- */

static bool icmp_allowed(struct hf_stack *s, const struct hf_endpoint *local,
                         const struct hf_endpoint *remote)
{
    int64_t rate = s->p.cfg.icmp_rate;
    if (hf_rate_take(&s->p.icmp_rate, rate, rate, s->p.now_ns))
        return true;
    hf_trace_stranger(s, HF_TRACE_LIMIT, HF_LIMIT_ICMP_RATE, local, remote, rate, rate, NULL);
    return false;
}

static struct hf_ip icmp_header(const struct hf_stack *s, const struct hf_addr *local,
                                const struct hf_addr *remote, size_t payload_bytes)
{
    bool v4 = hf_addr_is_v4(remote);
    return (struct hf_ip){
        .source = *local,
        .destination = *remote,
        .version = v4 ? 4 : 6,
        .protocol = v4 ? HF_IP_PROTO_ICMP : HF_IP_PROTO_ICMPV6,
        .ttl = (uint8_t)s->p.cfg.ttl,
        .payload_bytes = (uint32_t)payload_bytes,
    };
}

/** The first bytes of the SYN that a held connection came from, written anew. */
static size_t quote_syn(const struct hf_stack *s, const struct hf_conn *c, uint8_t *quote)
{
    struct hf_ip ip = icmp_header(s, &c->remote, hf_local_addr(s, c->local), HF_TCP_HEADER_BYTES);
    ip.protocol = HF_IP_PROTO_TCP;
    size_t n = hf_ip_emit(&ip, quote);
    hf_put16(quote + n, c->remote_port);
    hf_put16(quote + n + 2, c->local_port);
    hf_put32(quote + n + 4, c->irs.v);
    return n + HF_ICMP_QUOTE_BYTES;
}

void hf_reply_unreachable(struct hf_stack *s, const struct hf_conn *c, uint8_t type, uint8_t code)
{
    struct hf_endpoint local = hf_conn_local(s, c), remote = hf_conn_remote(c);
    struct hf_reply *r = icmp_allowed(s, &local, &remote) ? ring_take(s, &local, &remote) : NULL;
    if (r == NULL)
        return;
    uint8_t quote[HF_IP_EMIT_MAX_BYTES + HF_ICMP_QUOTE_BYTES];
    size_t quoted = quote_syn(s, c, quote);
    struct hf_ip ip = icmp_header(s, &local.addr, &remote.addr, HF_ICMP_HEADER_BYTES + quoted);
    size_t n = hf_ip_emit(&ip, r->bytes);
    size_t icmp = hf_icmp_emit_error(&ip, type, code, 0, quote, quoted, r->bytes + n);
    ring_commit(s, r, n, n + icmp);
}

void hf_reply_echo(struct hf_stack *s, const struct hf_ip *ip, const struct hf_icmp *icmp)
{
    struct hf_endpoint local = {ip->destination, 0}, remote = {ip->source, 0};
    if (icmp->echo_bytes > s->blocks.block_bytes) {
        hf_trace_stranger(s, HF_TRACE_DROP, HF_DROP_ICMP_TOO_LARGE, &local, &remote, 0, 0, NULL);
        return;
    }
    struct hf_reply *r = icmp_allowed(s, &local, &remote) ? ring_take(s, &local, &remote) : NULL;
    if (r == NULL)
        return;
    if (icmp->echo_bytes > 0) {
        r->block = hf_blocks_take(&s->blocks, HF_BLOCK_SEND);
        if (r->block == HF_NIL) {
            hf_trace_stranger(s, HF_TRACE_DROP, HF_DROP_NO_BLOCK, &local, &remote, 0, 0, NULL);
            return;
        }
        memcpy(hf_block_at(&s->blocks, r->block)->data, icmp->echo, icmp->echo_bytes);
        r->block_bytes = icmp->echo_bytes;
    }
    struct hf_ip reply =
        icmp_header(s, &local.addr, &remote.addr, HF_ICMP_HEADER_BYTES + icmp->echo_bytes);
    size_t n = hf_ip_emit(&reply, r->bytes);
    hf_icmp_emit_echo_reply(&reply, icmp, r->bytes + n);
    ring_commit(s, r, n, n + HF_ICMP_HEADER_BYTES);
}

/* ---- giving out --------------------------------------------------------------------------- */

size_t hf_reply_output(struct hf_stack *s, struct hf_out_packet *packets, size_t max)
{
    size_t n = 0;
    for (; n < max && s->p.reply_count > 0; n++) {
        const struct hf_reply *r = ring_at(s, s->p.reply_head);
        packets[n] = (struct hf_out_packet){
            .header = r->bytes, /* stays there until the next call that may make an answer */
            .header_bytes = r->length_bytes,
            .ip_bytes = r->ip_bytes,
            .length_bytes = r->length_bytes + r->block_bytes,
        };
        s->p.bytes_out += packets[n].length_bytes;
        if (r->block != HF_NIL) {
            struct hf_slice *slice = &s->slices[s->slices_used++];
            slice->bytes = hf_block_at(&s->blocks, r->block)->data;
            slice->length_bytes = r->block_bytes;
            packets[n].slices = slice;
            packets[n].slice_count = 1;
            s->given_blocks[s->given_count++] = r->block;
        }
        s->p.reply_head++;
        s->p.reply_count--;
    }
    return n;
}
