/**
 * Peers played by hand. Owns the numbers of one conversation; rig.c owns time and the stack.
 */
#include "peer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pattern.h"

void hf_peer_open(struct hf_peer *p, struct hf_rig *rig, bool v6, uint16_t peer_port,
                  uint16_t stack_port, uint32_t iss)
{
    *p = (struct hf_peer){
        .rig = rig,
        .iss = iss,
        .snd_nxt = iss,
        .window = 65535,
        .ttl = 64,
        .ts_base = 1000,
        .key = iss,
    };
    p->here.port = peer_port;
    p->there.port = stack_port;
    p->here.addr = v6 ? (struct hf_addr){{0xFD, [15] = 2}} : hf_addr_v4(10, 0, 0, 2);
    p->there.addr = v6 ? (struct hf_addr){{0xFD, [15] = 1}} : hf_addr_v4(10, 0, 0, 1);
}

/* ---- sending ---- */

static struct hf_ip ip_of(const struct hf_peer *p, uint8_t protocol, uint32_t payload_bytes)
{
    bool v4 = hf_addr_is_v4(&p->here.addr);
    return (struct hf_ip){
        .source = p->here.addr,
        .destination = p->there.addr,
        .version = v4 ? 4 : 6,
        .protocol = protocol,
        .ttl = p->ttl,
        .payload_bytes = payload_bytes,
    };
}

uint32_t hf_peer_packet(const struct hf_peer *p, const struct hf_segment *segment,
                        const uint8_t *payload, uint8_t *bytes)
{
    struct hf_segment seg = *segment;
    seg.source_port = p->here.port;
    seg.destination_port = p->there.port;
    uint8_t header[HF_TCP_HEADER_MAX_BYTES];
    size_t header_bytes = hf_tcp_emit(&seg, HF_LAYOUT_OWN, header);
    struct hf_ip ip = ip_of(p, HF_IP_PROTO_TCP, (uint32_t)header_bytes + seg.payload_bytes);
    size_t ip_bytes = hf_ip_emit(&ip, bytes);
    uint8_t *tcp = bytes + ip_bytes;
    memcpy(tcp, header, header_bytes);
    if (payload != NULL)
        memcpy(tcp + header_bytes, payload, seg.payload_bytes);
    else
        hf_pattern_fill(p->key, seg.seq + ((seg.flags & HF_SYN) != 0) - p->iss - 1,
                        tcp + header_bytes, seg.payload_bytes);
    hf_sum sum = hf_ip_pseudo_sum(&ip.source, &ip.destination, ip.protocol, ip.payload_bytes);
    sum = hf_sum_bytes(sum, tcp, ip.payload_bytes);
    hf_put16(tcp + 16, (uint16_t)(hf_sum_checksum(sum) + p->add_to_checksum));
    return (uint32_t)ip_bytes + ip.payload_bytes;
}

void hf_peer_send_segment(struct hf_peer *p, const struct hf_segment *seg, const uint8_t *payload)
{
    struct hf_frame *f = hf_frame_take(&p->rig->world, 128 + (size_t)seg->payload_bytes);
    f->length_bytes = hf_peer_packet(p, seg, payload, f->bytes);
    uint32_t end = seg->seq + hf_segment_length(seg);
    if ((int32_t)(end - p->snd_nxt) > 0 && !(seg->flags & HF_RST))
        p->snd_nxt = end;
    hf_rig_input(p->rig, f->bytes, f->length_bytes, 0, 0);
    hf_frame_give(&p->rig->world, f);
}

static void fill_timestamps(const struct hf_peer *p, const struct hf_scanned *s,
                            struct hf_segment *seg)
{
    if (p->timestamps && !(seg->flags & HF_RST))
        seg->has_timestamps = true;
    if (!seg->has_timestamps || s->has_ts_values)
        return;
    seg->ts_value = p->ts_base + (uint32_t)(p->rig->now_ns / HF_MS(1));
    seg->ts_echo = seg->flags & HF_ACK ? p->ts_recent : 0;
}

void hf_peer_send(struct hf_peer *p, const char *text)
{
    struct hf_scanned s;
    if (!hf_segment_scan(text, &s)) {
        fprintf(stderr, "not understood: \"%s\" from \"%s\" on\n", text, s.fault);
        hf_panic("a test sends a segment that can't be read", __FILE__, __LINE__);
    }
    uint32_t seq_base = p->absolute ? 0 : p->iss, ack_base = p->absolute ? 0 : p->irs;
    struct hf_segment seg = s.segment;
    seg.seq = s.has_seq ? s.segment.seq + seq_base : p->snd_nxt;
    if (seg.flags & HF_SYN && !s.has_seq)
        seg.seq = p->iss;
    if (s.has_ack)
        seg.ack = s.segment.ack + ack_base;
    else if (seg.flags & HF_ACK)
        seg.ack = p->rcv_nxt;
    if (!s.has_window)
        seg.window = p->window;
    for (unsigned i = 0; i < seg.sack_count; i++) {
        seg.sack[i].left += ack_base;
        seg.sack[i].right += ack_base;
    }
    fill_timestamps(p, &s, &seg);
    hf_peer_send_segment(p, &seg, NULL);
}

void hf_peer_send_icmp(struct hf_peer *p, uint8_t type, uint8_t code, uint32_t rest)
{
    const struct hf_frame *f = p->rig->popped;
    HF_ASSERT(f != NULL);
    bool v4 = hf_addr_is_v4(&p->here.addr);
    uint8_t bytes[HF_IP_EMIT_MAX_BYTES + HF_ICMP_HEADER_BYTES + 128], error[136];
    size_t quote = p->last.ip.header_bytes + 8u; /* [RFC792] the header and 64 bits of data */
    struct hf_ip ip = ip_of(p, v4 ? HF_IP_PROTO_ICMP : HF_IP_PROTO_ICMPV6,
                            (uint32_t)(HF_ICMP_HEADER_BYTES + quote));
    size_t error_bytes = hf_icmp_emit_error(&ip, type, code, rest, f->bytes, quote, error);
    size_t ip_bytes = hf_ip_emit(&ip, bytes);
    memcpy(bytes + ip_bytes, error, error_bytes);
    hf_rig_input(p->rig, bytes, (uint32_t)(ip_bytes + error_bytes), 0, 0);
}

/* ---- popping ---- */

/* What a receiver would take from a segment: numbers, timestamps. Data counts as received when it
 * was popped in order; a peer that wants otherwise tells `ack`. */
static void learn(struct hf_peer *p, const struct hf_segment *seg)
{
    if (seg->flags & HF_SYN) {
        p->irs = seg->seq;
        p->irs_known = true;
        p->rcv_nxt = seg->seq;
    }
    if (seg->has_timestamps)
        p->ts_recent = seg->ts_value;
    uint32_t end = seg->seq + hf_segment_length(seg);
    bool in_order = (int32_t)(seg->seq - p->rcv_nxt) <= 0 && (int32_t)(end - p->rcv_nxt) > 0;
    if (in_order && !(seg->flags & HF_RST))
        p->rcv_nxt = end;
}

bool hf_peer_pop(struct hf_peer *p)
{
    while (hf_rig_pop(p->rig, &p->there, &p->here, &p->last)) {
        if (!p->last.is_tcp)
            continue;
        learn(p, &p->last.segment);
        return true;
    }
    return false;
}

static struct hf_segment_bases bases_of(const struct hf_peer *p, const struct hf_segment *seg)
{
    /* A RST that acknowledges nothing has the bare number 0 [RFC9293#3.10.7.1]. */
    bool bare = p->absolute || ((seg->flags & HF_RST) && !p->irs_known);
    return (struct hf_segment_bases){bare ? 0 : p->irs, p->absolute ? 0 : p->iss};
}

static void describe(const struct hf_peer *p, const struct hf_caught *c, char *text, size_t n)
{
    struct hf_text t;
    hf_text_init(&t, text, n);
    hf_ns us = c->at_ns / 1000;
    hf_text_add(&t, "%" PRId64 ".%06" PRId64 " ", us / 1000000, us % 1000000);
    hf_segment_text(&t, &c->segment, bases_of(p, &c->segment),
                    HF_DETAIL_WINDOW | HF_DETAIL_OPTIONS | HF_DETAIL_TIMESTAMPS);
}

static bool same_options(const struct hf_scanned *s, const struct hf_segment *got,
                         uint32_t ack_base)
{
    const struct hf_segment *want = &s->segment;
    if (want->has_mss != got->has_mss || want->has_wscale != got->has_wscale ||
        want->has_sack_permitted != got->has_sack_permitted ||
        want->has_timestamps != got->has_timestamps || want->sack_count != got->sack_count)
        return false;
    if ((want->has_mss && want->mss_bytes != got->mss_bytes) ||
        (want->has_wscale && want->wscale != got->wscale))
        return false;
    if (s->has_ts_values && (want->ts_value != got->ts_value || want->ts_echo != got->ts_echo))
        return false;
    for (unsigned i = 0; i < got->sack_count; i++)
        if (want->sack[i].left + ack_base != got->sack[i].left ||
            want->sack[i].right + ack_base != got->sack[i].right)
            return false;
    return true;
}

/* Which part differs, or NULL. Times are compared by the millisecond. */
static const char *difference(const struct hf_peer *p, const struct hf_scanned *s,
                              const struct hf_caught *c)
{
    const struct hf_segment *want = &s->segment, *got = &c->segment;
    struct hf_segment_bases bases = bases_of(p, got);
    if (s->has_time && s->time_ns / HF_MS(1) != c->at_ns / HF_MS(1))
        return "the time";
    if (want->flags != got->flags)
        return "the flags";
    if (s->has_seq && want->seq != got->seq - bases.seq)
        return "seq";
    if ((s->has_length || s->has_seq) && want->payload_bytes != got->payload_bytes)
        return "the length";
    if (s->has_ack && want->ack != got->ack - bases.ack)
        return "ack";
    if (s->has_window && want->window != got->window)
        return "the window";
    if (s->has_urgent && want->urgent_pointer != got->urgent_pointer)
        return "the urgent pointer";
    if (s->has_options && !same_options(s, got, bases.ack))
        return "the options";
    return NULL;
}

bool hf_peer_expect(struct hf_peer *p, const char *text)
{
    struct hf_scanned s;
    char got[HF_SEGMENT_TEXT_BYTES + 32];
    if (!hf_segment_scan(text, &s)) {
        fprintf(stderr, "not understood: \"%s\" from \"%s\" on\n", text, s.fault);
        return false;
    }
    if (!hf_peer_pop(p)) {
        fprintf(stderr, "expected \"%s\", but nothing was sent\n", text);
        return false;
    }
    const char *what = difference(p, &s, &p->last);
    if (what == NULL)
        return true;
    describe(p, &p->last, got, sizeof got);
    fprintf(stderr, "expected \"%s\", got \"%s\": %s differs\n", text, got, what);
    return false;
}

bool hf_peer_expect_nothing(struct hf_peer *p)
{
    char got[HF_SEGMENT_TEXT_BYTES + 32];
    if (!hf_peer_pop(p))
        return true;
    describe(p, &p->last, got, sizeof got);
    fprintf(stderr, "expected nothing, got \"%s\"\n", got);
    return false;
}

size_t hf_peer_skip(struct hf_peer *p)
{
    size_t n = 0;
    while (hf_peer_pop(p))
        n++;
    return n;
}

size_t hf_peer_collect(struct hf_peer *p, uint32_t offset, uint8_t *bytes, size_t max)
{
    size_t filled = 0;
    while (filled < max && hf_peer_pop(p)) {
        const struct hf_segment *seg = &p->last.segment;
        uint32_t wanted = p->irs + 1 + offset + (uint32_t)filled;
        uint32_t skip = wanted - seg->seq;
        if ((int32_t)skip < 0 || skip >= seg->payload_bytes)
            continue; /* old, or beyond a gap */
        size_t n = hf_min_size(seg->payload_bytes - skip, max - filled);
        memcpy(bytes + filled, p->last.payload + skip, n);
        filled += n;
    }
    return filled;
}

/* ---- handshakes ---- */

bool hf_peer_connect(struct hf_peer *p, const char *options)
{
    char text[160];
    snprintf(text, sizeof text, "S seq 0 %s", options);
    p->snd_nxt = p->iss;
    hf_peer_send(p, text);
    if (!hf_peer_expect(p, "S. seq 0 ack 1"))
        return false;
    hf_peer_send(p, ".");
    return true;
}

bool hf_peer_accept(struct hf_peer *p, const char *options)
{
    char text[160];
    /* The stack may have chosen its port: learn it. */
    if (p->there.port == 0 && p->rig->caught_count > 0)
        p->there.port = p->rig->caught[p->rig->caught_count - 1].segment.source_port;
    if (!hf_peer_expect(p, "S seq 0"))
        return false;
    snprintf(text, sizeof text, "S. seq 0 ack 1 %s", options);
    hf_peer_send(p, text);
    return hf_peer_expect(p, ". seq 1 ack 1");
}

enum hf_state hf_peer_state(const struct hf_peer *p)
{
    return hf_rig_state(p->rig, &p->there, &p->here);
}
