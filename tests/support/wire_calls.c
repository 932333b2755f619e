/**
 * Calls and packets for tests of data and ICMP. The connection itself is wire_states.c's.
 */
#include "wire_calls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "lab/pattern.h"

enum { DATA_MAX = 1 << 20, BATCH_MAX = 16, TCP_SEQ_OFFSET = 4 };

void wire_set(struct wire *w, enum hf_option o, int64_t value)
{
    assert_int_equal(hf_set(w->rig.stack, w->conn, o, value, w->rig.now_ns), HF_OK);
    hf_rig_pull(&w->rig);
}

int64_t wire_get(const struct wire *w, enum hf_option o)
{
    int64_t value = 0;
    assert_int_equal(hf_get(w->rig.stack, w->conn, o, &value), HF_OK);
    return value;
}

void wire_send(struct wire *w, uint32_t bytes, unsigned flags)
{
    static uint8_t data[DATA_MAX];
    assert_true(bytes <= sizeof data);
    hf_pattern_fill(w->conn, 0, data, bytes);
    assert_int_equal(hf_send(w->rig.stack, w->conn, data, bytes, flags, w->rig.now_ns), bytes);
    hf_rig_pull(&w->rig);
}

void wire_take(struct wire *w, uint32_t bytes)
{
    static uint8_t data[DATA_MAX];
    assert_true(bytes <= sizeof data);
    assert_int_equal(hf_receive(w->rig.stack, w->conn, data, bytes, w->rig.now_ns), bytes);
    hf_rig_pull(&w->rig);
}

/* ---- packets ---- */

struct wire_packet wire_last_packet(const struct wire *w)
{
    struct wire_packet p = {.ip_bytes = w->peer.last.ip.header_bytes};
    const struct hf_frame *f = w->rig.popped;
    assert_non_null(f);
    p.length_bytes = f->length_bytes;
    assert_true(p.length_bytes <= sizeof p.bytes);
    memcpy(p.bytes, f->bytes, p.length_bytes);
    return p;
}

struct wire_packet wire_packet_of(struct wire *w, const char *text)
{
    struct hf_peer *p = &w->peer;
    struct hf_scanned s;
    struct wire_packet packet;
    assert_true(hf_segment_scan(text, &s));
    assert_true(s.segment.payload_bytes + 120 <= sizeof packet.bytes);
    struct hf_segment seg = s.segment;
    seg.seq = s.has_seq ? seg.seq + p->iss : p->snd_nxt;
    seg.ack = s.has_ack ? seg.ack + p->irs : p->rcv_nxt;
    if (!s.has_window)
        seg.window = p->window;
    if (p->timestamps && !s.has_options) {
        seg.has_timestamps = true;
        seg.ts_value = p->ts_base + (uint32_t)(w->rig.now_ns / HF_MS(1));
        seg.ts_echo = p->ts_recent;
    }
    for (unsigned i = 0; i < seg.sack_count; i++) {
        seg.sack[i].left += p->irs;
        seg.sack[i].right += p->irs;
    }
    uint32_t end = seg.seq + hf_segment_length(&seg);
    if ((int32_t)(end - p->snd_nxt) > 0)
        p->snd_nxt = end;
    packet.length_bytes = hf_peer_packet(p, &seg, NULL, packet.bytes);
    packet.ip_bytes = hf_addr_is_v4(&p->here.addr) ? HF_IPV4_HEADER_BYTES : HF_IPV6_HEADER_BYTES;
    return packet;
}

void wire_packet_ip_options(struct wire_packet *p, const uint8_t *options, uint32_t n)
{
    assert_true(n % 4 == 0 && n <= 40 && p->ip_bytes == HF_IPV4_HEADER_BYTES);
    memmove(p->bytes + p->ip_bytes + n, p->bytes + p->ip_bytes, p->length_bytes - p->ip_bytes);
    memcpy(p->bytes + p->ip_bytes, options, n);
    p->ip_bytes += n;
    p->length_bytes += n;
    p->bytes[0] = (uint8_t)(4u << 4 | p->ip_bytes / 4);
    hf_put16(p->bytes + 2, (uint16_t)p->length_bytes);
    hf_put16(p->bytes + 10, 0);
    hf_put16(p->bytes + 10, hf_sum_checksum(hf_sum_bytes(0, p->bytes, p->ip_bytes)));
}

void wire_packet_send(struct wire *w, const struct wire_packet *p)
{
    hf_rig_input(&w->rig, p->bytes, p->length_bytes, 0, 0);
}

void wire_input(struct wire *w, const char *const *texts, size_t count)
{
    static struct wire_packet packets[BATCH_MAX];
    struct hf_packet batch[BATCH_MAX];
    assert_true(count <= BATCH_MAX);
    for (size_t i = 0; i < count; i++) {
        packets[i] = wire_packet_of(w, texts[i]);
        batch[i] = (struct hf_packet){packets[i].bytes, packets[i].length_bytes, 0, 0};
    }
    hf_stack_input(w->rig.stack, batch, count, w->rig.now_ns);
}

void wire_input_one(struct wire *w, const char *text)
{
    wire_input(w, &text, 1);
}

void wire_send_batch(struct wire *w, const char *const *texts, size_t count)
{
    wire_input(w, texts, count);
    hf_rig_pull(&w->rig);
}

/* ---- ICMP ---- */

void wire_icmp(struct wire *w, const struct wire_packet *quoted, const struct wire_error *e)
{
    const struct hf_peer *p = &w->peer;
    bool v4 = hf_addr_is_v4(&p->here.addr);
    uint8_t quote[sizeof quoted->bytes];
    uint32_t n = e->quote_bytes > 0 ? e->quote_bytes : quoted->ip_bytes + HF_ICMP_QUOTE_BYTES;
    assert_true(n <= quoted->length_bytes);
    memcpy(quote, quoted->bytes, quoted->length_bytes);
    uint8_t *seq = quote + quoted->ip_bytes + TCP_SEQ_OFFSET;
    hf_put32(seq, hf_get32(seq) + (uint32_t)e->seq_offset);
    struct hf_ip ip = {
        .source = p->here.addr,
        .destination = p->there.addr,
        .version = v4 ? 4 : 6,
        .protocol = v4 ? HF_IP_PROTO_ICMP : HF_IP_PROTO_ICMPV6,
        .ttl = 64,
        .payload_bytes = HF_ICMP_HEADER_BYTES + n,
    };
    if (e->from_router)
        ip.source.octets[15] = 254;
    uint8_t bytes[HF_IP_EMIT_MAX_BYTES + HF_ICMP_HEADER_BYTES + sizeof quote];
    size_t ip_bytes = hf_ip_emit(&ip, bytes);
    size_t error_bytes =
        hf_icmp_emit_error(&ip, e->type, e->code, e->rest, quote, n, bytes + ip_bytes);
    if (e->wrong_checksum)
        bytes[ip_bytes + 2] ^= 1;
    hf_rig_input(&w->rig, bytes, (uint32_t)(ip_bytes + error_bytes), 0, 0);
}
