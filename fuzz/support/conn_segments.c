/**
 * Steps of fuzz_conn that inject packets, built around the live numbers of a connection.
 */
#include <stdlib.h>
#include <string.h>

#include "conn_run.h"
#include "core/wire/icmp.h"

enum { TUPLES_MAX = 64 };

/* A place to aim a segment at. */
struct target {
    struct hf_tuple tuple;
    struct hf_info info;
    bool is_conn;
};

static uint8_t packet_bytes[FUZZ_PACKET_BYTES];

/* ---- packets that come in ---- */

void fuzz_fresh_tuple(struct fuzz_run *r, const struct fuzz_side *side, struct hf_tuple *t)
{
    uint32_t how = fuzz_take(r, 256);
    bool v6 = (how & 1) != 0;
    *t = (struct hf_tuple){.kind = HF_KIND_NONE};
    t->local = (struct hf_endpoint){v6 ? side->v6 : side->v4, (uint16_t)(80 + (how >> 1 & 1))};
    t->remote.port = (uint16_t)(5000 + (how >> 2 & 7));
    t->remote.addr = v6 ? (struct hf_addr){{0xFD, [15] = 9}} : hf_addr_v4(10, 0, 0, 9);
    t->remote.addr.octets[15] = (uint8_t)(t->remote.addr.octets[15] + (how >> 5));
    t->rcv_nxt = (how & 8) != 0 ? 0xFFFFFFF0u : 0x7FFFFFF0u;
}

static void choose_target(struct fuzz_run *r, struct fuzz_side *side, struct target *target)
{
    struct hf_tuple tuples[TUPLES_MAX], t;
    uint32_t count = 0, nth = fuzz_take(r, 256);
    uint64_t cursor = 0;
    *target = (struct target){0};
    while (hf_iterate(side->stack, &cursor, &t) && count < TUPLES_MAX)
        if (t.kind != HF_KIND_LISTENER && t.state != HF_CLOSED)
            tuples[count++] = t;
    if (count == 0 || nth >= 0xE0) {
        fuzz_fresh_tuple(r, side, &target->tuple);
        return;
    }
    target->tuple = tuples[nth % count];
    if (target->tuple.kind == HF_KIND_CONN)
        target->is_conn = hf_info(side->stack, target->tuple.handle, &target->info) == HF_OK;
}

static uint32_t ts_now(const struct fuzz_run *r)
{
    return (uint32_t)(r->now / HF_MS(1)) + 7777;
}

/* What a good peer would send next. */
static struct hf_segment next_segment(const struct fuzz_run *r, const struct target *t)
{
    struct hf_segment seg = {
        .source_port = t->tuple.remote.port,
        .destination_port = t->tuple.local.port,
        .seq = t->tuple.rcv_nxt,
        .ack = t->tuple.snd_nxt,
        .flags = HF_ACK,
        .window = 8192,
    };
    if (t->is_conn && t->info.timestamps) {
        seg.has_timestamps = true;
        seg.ts_value = ts_now(r);
        seg.ts_echo = t->info.ts_offset + (uint32_t)(r->now / HF_MS(1));
    }
    return seg;
}

static void put_checksum(const struct hf_ip *ip, uint8_t *tcp, uint32_t n)
{
    hf_put16(tcp + 16, 0);
    hf_sum sum = hf_ip_pseudo_sum(&ip->source, &ip->destination, HF_IP_PROTO_TCP, n);
    hf_put16(tcp + 16, hf_sum_checksum(hf_sum_bytes(sum, tcp, n)));
}

/* Option bytes as they come, behind those that are well formed. */
static uint32_t add_raw_options(struct fuzz_run *r, uint8_t *tcp, uint32_t header_bytes)
{
    uint32_t words = fuzz_take(r, (60 - header_bytes) / 4 + 1);
    for (uint32_t i = 0; i < 4 * words; i++)
        tcp[header_bytes + i] = (uint8_t)fuzz_take(r, 256);
    header_bytes += 4 * words;
    tcp[12] = (uint8_t)(header_bytes / 4 << 4 | (tcp[12] & 15));
    return header_bytes;
}

/* Harm done to a finished packet. */
static void spoil(struct fuzz_run *r, const struct hf_ip *ip, uint32_t ip_bytes, uint32_t *n)
{
    static const uint8_t may_change[] = {0, 1, 2, 3, 8, 9, 10, 11, 14, 15, 18, 19};
    switch (fuzz_take(r, 5)) {
    case 0: packet_bytes[ip_bytes + 16] ^= 1; return;
    case 1: packet_bytes[fuzz_take(r, *n < 256 ? *n : 256)] ^= (uint8_t)fuzz_take(r, 256); return;
    case 2: *n = fuzz_take(r, *n + 1); return;
    case 3: /* in the TCP header, under a right checksum; but numbers go with their bytes */
        packet_bytes[ip_bytes + may_change[fuzz_take(r, sizeof may_change)]] =
            (uint8_t)fuzz_take(r, 256);
        put_checksum(ip, packet_bytes + ip_bytes, *n - ip_bytes);
        return;
    default: break;
    }
    if (ip->version != 4)
        return;
    hf_put16(packet_bytes + 6, (uint16_t)fuzz_take(r, 65536)); /* fragments of all kinds */
    hf_put16(packet_bytes + 10, 0);
    hf_put16(packet_bytes + 10, hf_sum_checksum(hf_sum_bytes(0, packet_bytes, ip_bytes)));
}

enum { INJECT_RAW_OPTIONS = 1, INJECT_SPOIL = 2 };

static void inject(struct fuzz_run *r, struct fuzz_side *side, const struct hf_tuple *t,
                   struct hf_segment *seg, uint16_t super_bytes, unsigned how)
{
    struct hf_ip ip = {
        .source = t->remote.addr,
        .destination = t->local.addr,
        .version = hf_addr_is_v4(&t->remote.addr) ? 4 : 6,
        .protocol = HF_IP_PROTO_TCP,
        .ttl = 64,
    };
    uint8_t tcp[HF_TCP_HEADER_MAX_BYTES];
    uint32_t header_bytes = (uint32_t)hf_tcp_emit(seg, HF_LAYOUT_LINUX, tcp);
    if ((how & INJECT_RAW_OPTIONS) != 0)
        header_bytes = add_raw_options(r, tcp, header_bytes);
    ip.payload_bytes = header_bytes + seg->payload_bytes;
    uint32_t ip_bytes = (uint32_t)hf_ip_emit(&ip, packet_bytes);
    uint8_t *to = packet_bytes + ip_bytes;
    memcpy(to, tcp, header_bytes);
    fuzz_fill(to + header_bytes, seg->payload_bytes, seg->seq + ((seg->flags & HF_SYN) != 0));
    put_checksum(&ip, to, ip.payload_bytes);
    uint32_t n = ip_bytes + ip.payload_bytes;
    if ((how & INJECT_SPOIL) != 0)
        spoil(r, &ip, ip_bytes, &n);
    uint8_t *exact = malloc(n + 1); /* so that a read beyond the end is seen */
    HF_ASSERT(exact != NULL);
    memcpy(exact, packet_bytes, n);
    struct hf_packet p = {exact, n, super_bytes, 0};
    hf_stack_input(side->stack, &p, 1, fuzz_now(r, side));
    free(exact);
}

/* ---- steps: segments ---- */

void fuzz_step_handshake(struct fuzz_run *r, struct fuzz_side *side)
{
    struct target t = {0};
    fuzz_fresh_tuple(r, side, &t.tuple);
    struct hf_segment syn = next_segment(r, &t);
    uint32_t options = fuzz_take(r, 256);
    syn.flags = HF_SYN;
    syn.ack = 0;
    syn.window = (options & 1) != 0 ? 65535 : (uint16_t)fuzz_take(r, 65536);
    syn.has_mss = (options & 2) != 0;
    syn.mss_bytes = (options & 4) != 0 ? 1460 : (uint16_t)fuzz_take(r, 65536);
    syn.has_wscale = (options & 8) != 0;
    syn.wscale = (uint8_t)(options >> 5);
    syn.has_timestamps = (options & 16) != 0;
    syn.ts_value = ts_now(r);
    syn.has_sack_permitted = (options & 32) != 0;
    inject(r, side, &t.tuple, &syn, 0, 0);
    fuzz_settle(r);
    uint64_t cursor = 0;
    struct hf_tuple now;
    while (hf_iterate(side->stack, &cursor, &now))
        if (now.kind == HF_KIND_HALF_OPEN && now.remote.port == t.tuple.remote.port &&
            hf_addr_equal(&now.remote.addr, &t.tuple.remote.addr)) {
            struct target open = {.tuple = now};
            struct hf_segment ack = next_segment(r, &open);
            ack.has_timestamps = syn.has_timestamps;
            ack.ts_value = ts_now(r);
            inject(r, side, &now, &ack, 0, 0);
            return;
        }
}

static uint32_t near_number(struct fuzz_run *r, uint32_t base, uint32_t window)
{
    switch (fuzz_take(r, 12)) {
    case 0: return base - 1;
    case 1: return base + 1;
    case 2: return base + window;
    case 3: return base + window - 1;
    case 4: return base + fuzz_take(r, 65536);
    case 5: return base - fuzz_take(r, 65536);
    case 6: return fuzz_take(r, UINT32_MAX);
    case 7: return base + 0x7FFFFFFF + fuzz_take(r, 3);
    default: return base;
    }
}

static void vary_options(struct fuzz_run *r, struct hf_segment *seg, uint32_t base)
{
    uint32_t what = fuzz_take(r, 256);
    if ((what & 1) != 0)
        seg->has_timestamps = !seg->has_timestamps;
    if ((what & 2) != 0)
        seg->ts_value += fuzz_take(r, 65536) - 32768;
    if ((what & 4) != 0)
        seg->ts_echo = fuzz_take(r, UINT32_MAX);
    seg->has_mss = (what & 8) != 0;
    seg->mss_bytes = (uint16_t)(what << 3);
    seg->has_wscale = (what & 16) != 0;
    seg->wscale = (uint8_t)(what >> 4);
    seg->has_sack_permitted = (what & 32) != 0;
    seg->sack_count = (uint8_t)(what >> 6);
    for (size_t i = 0; i < seg->sack_count; i++) {
        seg->sack[i].left = base + fuzz_take(r, 65536) - 32768;
        seg->sack[i].right = seg->sack[i].left + fuzz_take(r, 65536);
    }
}

void fuzz_step_any_segment(struct fuzz_run *r, struct fuzz_side *side)
{
    struct target t;
    choose_target(r, side, &t);
    struct hf_segment seg = next_segment(r, &t);
    uint32_t window = t.is_conn ? t.info.rcv_wnd_bytes : 65535, what = fuzz_take(r, 256);
    seg.seq = near_number(r, (what & 1) != 0 && t.is_conn ? t.info.irs : seg.seq, window);
    seg.ack = near_number(r, (what & 2) != 0 && t.is_conn ? t.info.snd_una : seg.ack, window);
    seg.flags = (uint16_t)fuzz_take(r, 256);
    if ((what & 4) != 0)
        seg.window = (uint16_t)fuzz_take(r, 65536);
    if ((what & 8) != 0)
        seg.payload_bytes = fuzz_take(r, 2000);
    seg.urgent_pointer = (seg.flags & HF_URG) != 0 ? (uint16_t)fuzz_take(r, 65536) : 0;
    if ((what & 16) != 0)
        vary_options(r, &seg, t.tuple.snd_nxt);
    unsigned how = ((what & 0x60) == 0x60 ? INJECT_RAW_OPTIONS : 0u) |
                   ((what & 0x90) == 0x90 ? INJECT_SPOIL : 0u);
    inject(r, side, &t.tuple, &seg, 0, how);
}

void fuzz_step_data(struct fuzz_run *r, struct fuzz_side *side)
{
    struct target t;
    choose_target(r, side, &t);
    struct hf_segment seg = next_segment(r, &t);
    uint32_t what = fuzz_take(r, 256);
    seg.seq += (what & 3) == 3 ? 100 * fuzz_take(r, 64) : 0;
    seg.payload_bytes = (what & 4) != 0 ? fuzz_take(r, 65536) % 40000 : fuzz_take(r, 256) * 6;
    if ((what & 0x18) == 0x18)
        seg.flags |= HF_FIN;
    uint16_t super_bytes = (what & 0xE0) == 0xE0 ? (uint16_t)(1 + fuzz_take(r, 2000)) : 0;
    inject(r, side, &t.tuple, &seg, super_bytes, 0);
}

void fuzz_step_ack(struct fuzz_run *r, struct fuzz_side *side)
{
    struct target t;
    choose_target(r, side, &t);
    struct hf_segment seg = next_segment(r, &t);
    uint32_t what = fuzz_take(r, 256);
    if (t.is_conn && (what & 3) != 0)
        seg.ack = t.info.snd_una + (what & 1) * fuzz_take(r, 4096);
    seg.window = (what & 12) == 12 ? (uint16_t)(fuzz_take(r, 256) * (what >> 4)) : 8192;
    for (uint32_t times = (what & 16) != 0 ? 4 : 1; times > 0; times--)
        inject(r, side, &t.tuple, &seg, 0, 0);
}

void fuzz_step_fin(struct fuzz_run *r, struct fuzz_side *side)
{
    struct target t;
    choose_target(r, side, &t);
    struct hf_segment seg = next_segment(r, &t);
    seg.flags |= HF_FIN;
    inject(r, side, &t.tuple, &seg, 0, 0);
}

/* The answer to the last SYN,ACK, however long ago that was and whatever happened since. */
void fuzz_step_cookie(struct fuzz_run *r, struct fuzz_side *side)
{
    const struct fuzz_syn_ack *from = &side->syn_ack;
    if (from->local.port == 0)
        return;
    uint32_t what = fuzz_take(r, 256);
    struct target t = {.tuple = {.local = from->local, .remote = from->remote}};
    t.tuple.rcv_nxt = from->ack;
    t.tuple.snd_nxt = from->seq + 1 + ((what & 7) == 7);
    struct hf_segment seg = next_segment(r, &t);
    seg.has_timestamps = from->timestamps != ((what & 0x38) == 0x38);
    seg.ts_value = ts_now(r);
    seg.ts_echo = from->ts_value;
    seg.payload_bytes = (what & 0x40) != 0 ? fuzz_take(r, 65536) % 40000 : 0;
    inject(r, side, &t.tuple, &seg, 0, 0);
}

/* A SYN that looks newer than all that the peer sent before, or nearly. */
void fuzz_step_reopen(struct fuzz_run *r, struct fuzz_side *side)
{
    struct target t;
    choose_target(r, side, &t);
    struct hf_segment seg = next_segment(r, &t);
    uint32_t what = fuzz_take(r, 256);
    seg.flags = HF_SYN;
    seg.ack = 0;
    seg.seq += (what & 3) == 3 ? 0u - fuzz_take(r, 256) : fuzz_take(r, 65536);
    seg.has_timestamps = (what & 4) != 0;
    seg.ts_value = ts_now(r) + (what >> 3 & 1);
    seg.ts_echo = 0;
    inject(r, side, &t.tuple, &seg, 0, 0);
}

void fuzz_step_reset(struct fuzz_run *r, struct fuzz_side *side)
{
    struct target t;
    choose_target(r, side, &t);
    struct hf_segment seg = next_segment(r, &t);
    seg.flags = (uint16_t)(HF_RST | (fuzz_chance(r, 2) ? HF_ACK : 0));
    inject(r, side, &t.tuple, &seg, 0, 0);
}

void fuzz_step_icmp(struct fuzz_run *r, struct fuzz_side *side)
{
    struct target t;
    choose_target(r, side, &t);
    bool v4 = hf_addr_is_v4(&t.tuple.local.addr);
    struct hf_ip quoted = {
        .source = t.tuple.local.addr,
        .destination = t.tuple.remote.addr,
        .version = v4 ? 4 : 6,
        .protocol = HF_IP_PROTO_TCP,
        .ttl = 9,
        .payload_bytes = 20,
    };
    uint8_t quote[HF_IP_EMIT_MAX_BYTES + HF_ICMP_QUOTE_BYTES];
    size_t n = hf_ip_emit(&quoted, quote);
    hf_put16(quote + n, t.tuple.local.port);
    hf_put16(quote + n + 2, t.tuple.remote.port);
    hf_put32(quote + n + 4, near_number(r, t.is_conn ? t.info.snd_una : t.tuple.snd_nxt, 1));
    n += HF_ICMP_QUOTE_BYTES;
    uint8_t type = (uint8_t)(fuzz_chance(r, 2) ? fuzz_take(r, 256) : v4 ? 3 : 2 - fuzz_take(r, 2));
    uint8_t code = (uint8_t)(v4 && fuzz_chance(r, 2) ? 4 : fuzz_take(r, 8));
    struct hf_ip ip = quoted;
    ip.source = t.tuple.remote.addr;
    ip.destination = t.tuple.local.addr;
    ip.protocol = v4 ? HF_IP_PROTO_ICMP : HF_IP_PROTO_ICMPV6;
    ip.payload_bytes = (uint32_t)(HF_ICMP_HEADER_BYTES + n);
    size_t at = hf_ip_emit(&ip, packet_bytes);
    at += hf_icmp_emit_error(&ip, type, code, fuzz_take(r, 2000), quote, n, packet_bytes + at);
    struct hf_packet p = {packet_bytes, (uint32_t)at, 0, 0};
    hf_stack_input(side->stack, &p, 1, fuzz_now(r, side));
}

/* Bytes as they come. */
void fuzz_step_noise(struct fuzz_run *r, struct fuzz_side *side)
{
    uint32_t n = fuzz_take(r, 100);
    for (uint32_t i = 0; i < n; i++)
        packet_bytes[i] = (uint8_t)fuzz_take(r, 256);
    struct hf_packet p = {packet_bytes, n, (uint16_t)(fuzz_chance(r, 8) ? fuzz_take(r, 65536) : 0),
                          (uint16_t)fuzz_take(r, 4)};
    hf_stack_input(side->stack, &p, 1, fuzz_now(r, side));
}
