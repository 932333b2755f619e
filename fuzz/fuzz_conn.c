/**
 * Fuzz target: the input steers one stack, or two that are connected crosswise, through packets, calls
 * of the API, time and failing memory.
 *
 * All bytes of all streams are a function of their sequence number, whoever sends them: so what is
 * delivered, and what is sent, can be judged without a model of the peer. After each step the
 * invariants are asked for that show from outside; at the end everything is closed, and time
 * runs until nothing is left. The input's first bytes choose the settings, each later one a step.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/wire/icmp.h"
#include "core/wire/tcp.h"
#include "lab/checks.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length_bytes);

enum {
    MODELS = 64,
    TUPLES_MAX = 64,
    STEPS_MAX = 400,
    APP_BYTES = 4096,
    BATCH = 8,
    BURST_MAX_PACKETS = 40000, /* of one instant: whoever sends more never ends */
    END_STEPS_MAX = 100000,
    PACKET_BYTES = 65535 + HF_IPV6_HEADER_BYTES,
};

/* What is known of a connection by its handle. */
struct model {
    hf_handle handle;
    bool closed, let_go;
    uint32_t read_bytes;
    bool edge_known;
    uint32_t edge, ack; /* as sent last: neither moves left */
};

struct side {
    struct hf_stack *stack;
    struct hf_account account;
    struct model models[MODELS];
    uint64_t base_bytes;
    struct hf_addr v4, v6;
    hf_handle listeners[4];
};

struct run {
    const uint8_t *bytes;
    size_t left_bytes;
    struct side sides[2];
    unsigned side_count;
    hf_ns now;
    struct hf_checks checks;
    bool events_wait, packets_wait;
    uint8_t loss; /* between the sides: one in so many packets; 0: none */
    uint32_t packets_moved;
};

/* A place to aim a segment at. */
struct target {
    struct hf_tuple tuple;
    struct hf_info info;
    bool is_conn;
};

static uint8_t packet_bytes[PACKET_BYTES], out_bytes[PACKET_BYTES], app_bytes[APP_BYTES];

/* ---- the input ---- */

static uint32_t take(struct run *r, uint32_t bound)
{
    uint32_t value = 0, bytes = bound <= 256 ? 1 : bound <= 65536 ? 2 : 4;
    for (; bytes > 0; bytes--) {
        value = value << 8 | (r->left_bytes > 0 ? *r->bytes : 0);
        r->bytes += r->left_bytes > 0;
        r->left_bytes -= r->left_bytes > 0;
    }
    return value % bound;
}

static bool chance(struct run *r, uint32_t one_in)
{
    return take(r, one_in) == one_in - 1;
}

/* ---- streams ---- */

static uint8_t byte_at(uint32_t seq)
{
    return (uint8_t)(seq * 2654435761u >> 24);
}

static void fill(uint8_t *bytes, uint32_t n, uint32_t seq)
{
    for (uint32_t i = 0; i < n; i++)
        bytes[i] = byte_at(seq + i);
}

static bool is_right(const uint8_t *bytes, size_t n, uint32_t seq)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != byte_at(seq + (uint32_t)i))
            return false;
    return true;
}

/* ---- models ---- */

static struct model *model_of(struct side *side, hf_handle h)
{
    for (size_t i = 0; h != 0 && i < MODELS; i++)
        if (side->models[i].handle == h)
            return &side->models[i];
    return NULL;
}

static struct model *model_add(struct side *side, hf_handle h)
{
    HF_ASSERT(h != 0 && model_of(side, h) == NULL);
    for (size_t i = 0; i < MODELS; i++) {
        struct model *m = &side->models[i];
        if (m->handle != 0 && !(m->closed && m->let_go))
            continue;
        *m = (struct model){.handle = h};
        return m;
    }
    HF_UNREACHABLE("more handles alive than connections were allowed");
}

/* A handle of the past and present, mostly of a connection that lives. */
static struct model *choose_model(struct run *r, struct side *side)
{
    static struct model nobody;
    uint32_t nth = take(r, 256), alive = 0;
    if (nth == 255) {
        nobody = (struct model){.handle = (hf_handle)take(r, UINT32_MAX) << 32 | take(r, 65536)};
        return model_of(side, nobody.handle) == NULL ? &nobody : &side->models[0];
    }
    for (size_t i = 0; i < MODELS; i++)
        alive += side->models[i].handle != 0;
    nth = alive == 0 ? 0 : nth % alive;
    for (size_t i = 0; i < MODELS; i++)
        if (side->models[i].handle != 0 && nth-- == 0)
            return &side->models[i];
    return &side->models[0];
}

static bool info_of(const struct side *side, const struct model *m, struct hf_info *info)
{
    int err = hf_info(side->stack, m->handle, info);
    if (m->handle != 0 && m->closed && m->let_go)
        HF_ASSERT(err == HF_E_HANDLE);
    return err == HF_OK;
}

static void pull_events(struct side *side)
{
    struct hf_event e;
    while (hf_stack_event(side->stack, &e)) {
        struct model *m = model_of(side, e.handle);
        if (m == NULL) {
            HF_ASSERT((e.bits & (HF_EV_ACCEPTED | HF_EV_SYN)) != 0);
            m = model_add(side, e.handle);
        }
        HF_ASSERT(e.bits != 0 && !m->closed);
        HF_ASSERT(((e.bits & HF_EV_CLOSED) != 0) == (e.how != HF_CLOSED_NOT) || e.bits != 0);
        HF_ASSERT(!m->let_go || e.bits == HF_EV_CLOSED);
        if ((e.bits & HF_EV_CLOSED) == 0)
            continue;
        HF_ASSERT(e.how != HF_CLOSED_NOT);
        m->closed = true;
    }
}

/* ---- what a stack sends ---- */

static bool find_sender(const struct side *side, const struct hf_ip *ip,
                        const struct hf_segment *seg, struct hf_tuple *t)
{
    uint64_t cursor = 0;
    while (hf_iterate(side->stack, &cursor, t))
        if (t->kind == HF_KIND_CONN && t->state != HF_CLOSED && t->local.port == seg->source_port &&
            t->remote.port == seg->destination_port && hf_addr_equal(&t->local.addr, &ip->source) &&
            hf_addr_equal(&t->remote.addr, &ip->destination))
            return true;
    return false;
}

static void check_edges(struct side *side, const struct hf_ip *ip, const struct hf_segment *seg)
{
    struct hf_tuple t;
    struct hf_info info;
    if ((seg->flags & (HF_RST | HF_ACK)) != HF_ACK || !find_sender(side, ip, seg, &t))
        return;
    struct model *m = model_of(side, t.handle);
    if (m == NULL || !info_of(side, m, &info) || info.state == HF_TIME_WAIT)
        return;
    HF_ASSERT((int32_t)(info.snd_nxt - (seg->seq + hf_segment_length(seg))) >= 0);
    uint32_t shift = (seg->flags & HF_SYN) != 0 ? 0 : info.rcv_shift;
    uint32_t edge = seg->ack + ((uint32_t)seg->window << shift);
    if (m->edge_known) {
        HF_ASSERT((int32_t)(seg->ack - m->ack) >= 0);
        /* Left by less than a unit of the window is rounding [RFC7323#2.4]. */
        HF_ASSERT(info.peer_closed || (int32_t)(edge - m->edge) > -(int32_t)(1u << shift));
    }
    if (!m->edge_known || (int32_t)(edge - m->edge) > 0)
        m->edge = edge;
    m->ack = seg->ack;
    m->edge_known = true;
}

static void check_sent(struct side *side, const struct hf_packet *p)
{
    struct hf_ip ip;
    struct hf_segment seg;
    HF_ASSERT(hf_ip_parse(p->bytes, p->length_bytes, &ip) == HF_NONE);
    const uint8_t *transport = p->bytes + ip.header_bytes;
    if (ip.protocol != HF_IP_PROTO_TCP)
        return;
    HF_ASSERT(hf_tcp_parse(transport, ip.payload_bytes, &seg) == HF_NONE);
    if ((p->flags & HF_PACKET_CSUM_PARTIAL) == 0) {
        hf_sum sum =
            hf_ip_pseudo_sum(&ip.source, &ip.destination, HF_IP_PROTO_TCP, ip.payload_bytes);
        HF_ASSERT(hf_sum_fold(hf_sum_bytes(sum, transport, ip.payload_bytes)) == 0xFFFF);
    }
    HF_ASSERT(is_right(transport + seg.header_bytes, seg.payload_bytes,
                       seg.seq + ((seg.flags & HF_SYN) != 0)));
    check_edges(side, &ip, &seg);
}

static void gather(const struct hf_out_packet *out, struct hf_packet *p)
{
    size_t n = out->header_bytes;
    memcpy(out_bytes, out->header, n);
    for (size_t i = 0; i < out->slice_count; i++) {
        memcpy(out_bytes + n, out->slices[i].bytes, out->slices[i].length_bytes);
        n += out->slices[i].length_bytes;
    }
    HF_ASSERT(n == out->length_bytes && n <= PACKET_BYTES);
    *p = (struct hf_packet){out_bytes, out->length_bytes, out->segment_bytes, out->flags};
}

/* Takes what a side has to send, checks it, and hands it to the other one if there is one. */
static size_t pull_packets(struct run *r, unsigned from)
{
    struct hf_out_packet out[BATCH];
    struct side *side = &r->sides[from];
    size_t n = hf_stack_output(side->stack, out, BATCH, r->now);
    for (size_t i = 0; i < n; i++) {
        struct hf_packet p;
        gather(&out[i], &p);
        check_sent(side, &p);
        bool lost = r->loss > 0 && ++r->packets_moved % r->loss == 0;
        if (r->side_count == 2 && !lost)
            hf_stack_input(r->sides[1 - from].stack, &p, 1, r->now);
    }
    return n;
}

/* After each step: events and packets are taken until there are none, and the invariants hold. */
static void settle(struct run *r)
{
    size_t total = 0, moved = 1;
    while (moved > 0 && !r->packets_wait) {
        moved = 0;
        for (unsigned i = 0; i < r->side_count; i++)
            moved += pull_packets(r, i);
        total += moved;
        if (total > BURST_MAX_PACKETS)
            HF_UNREACHABLE("packets without end at one instant");
    }
    for (unsigned i = 0; i < r->side_count; i++) {
        if (!r->events_wait)
            pull_events(&r->sides[i]);
        hf_checks_stack(&r->checks, i == 0 ? "A" : "B", r->sides[i].stack, r->now);
        HF_ASSERT(!r->sides[i].account.wrong_size);
    }
    if (r->checks.violations > 0) {
        fprintf(stderr, "%s\n", r->checks.first);
        HF_UNREACHABLE("an invariant is violated");
    }
}

/* ---- packets that come in ---- */

static void fresh_tuple(struct run *r, const struct side *side, struct hf_tuple *t)
{
    uint32_t how = take(r, 256);
    bool v6 = (how & 1) != 0;
    *t = (struct hf_tuple){.kind = HF_KIND_NONE};
    t->local = (struct hf_endpoint){v6 ? side->v6 : side->v4, (uint16_t)(80 + (how >> 1 & 1))};
    t->remote.port = (uint16_t)(5000 + (how >> 2 & 7));
    t->remote.addr = v6 ? (struct hf_addr){{0xFD, [15] = 9}} : hf_addr_v4(10, 0, 0, 9);
    t->remote.addr.octets[15] = (uint8_t)(t->remote.addr.octets[15] + (how >> 5));
    t->rcv_nxt = (how & 8) != 0 ? 0xFFFFFFF0u : 0x7FFFFFF0u;
}

static void choose_target(struct run *r, struct side *side, struct target *target)
{
    struct hf_tuple tuples[TUPLES_MAX], t;
    uint32_t count = 0, nth = take(r, 256);
    uint64_t cursor = 0;
    *target = (struct target){0};
    while (hf_iterate(side->stack, &cursor, &t) && count < TUPLES_MAX)
        if (t.kind != HF_KIND_LISTENER && t.state != HF_CLOSED)
            tuples[count++] = t;
    if (count == 0 || nth >= 0xE0) {
        fresh_tuple(r, side, &target->tuple);
        return;
    }
    target->tuple = tuples[nth % count];
    if (target->tuple.kind == HF_KIND_CONN)
        target->is_conn = hf_info(side->stack, target->tuple.handle, &target->info) == HF_OK;
}

static uint32_t ts_now(const struct run *r)
{
    return (uint32_t)(r->now / HF_MS(1)) + 7777;
}

/* What a good peer would send next. */
static struct hf_segment next_segment(const struct run *r, const struct target *t)
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
static uint32_t add_raw_options(struct run *r, uint8_t *tcp, uint32_t header_bytes)
{
    uint32_t words = take(r, (60 - header_bytes) / 4 + 1);
    for (uint32_t i = 0; i < 4 * words; i++)
        tcp[header_bytes + i] = (uint8_t)take(r, 256);
    header_bytes += 4 * words;
    tcp[12] = (uint8_t)(header_bytes / 4 << 4 | (tcp[12] & 15));
    return header_bytes;
}

/* Harm done to a finished packet. */
static void spoil(struct run *r, const struct hf_ip *ip, uint32_t ip_bytes, uint32_t *n)
{
    switch (take(r, 5)) {
    case 0: packet_bytes[ip_bytes + 16] ^= 1; return;
    case 1: packet_bytes[take(r, *n < 256 ? *n : 256)] ^= (uint8_t)take(r, 256); return;
    case 2: *n = take(r, *n + 1); return;
    case 3: /* anything in the TCP header, under a right checksum */
        packet_bytes[ip_bytes + take(r, 20)] = (uint8_t)take(r, 256);
        put_checksum(ip, packet_bytes + ip_bytes, *n - ip_bytes);
        return;
    default: break;
    }
    if (ip->version != 4)
        return;
    hf_put16(packet_bytes + 6, (uint16_t)take(r, 65536)); /* fragments of all kinds */
    hf_put16(packet_bytes + 10, 0);
    hf_put16(packet_bytes + 10, hf_sum_checksum(hf_sum_bytes(0, packet_bytes, ip_bytes)));
}

enum { INJECT_RAW_OPTIONS = 1, INJECT_SPOIL = 2 };

static void inject(struct run *r, struct side *side, const struct hf_tuple *t,
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
    fill(to + header_bytes, seg->payload_bytes, seg->seq + ((seg->flags & HF_SYN) != 0));
    put_checksum(&ip, to, ip.payload_bytes);
    uint32_t n = ip_bytes + ip.payload_bytes;
    if ((how & INJECT_SPOIL) != 0)
        spoil(r, &ip, ip_bytes, &n);
    uint8_t *exact = malloc(n + 1); /* so that a read beyond the end is seen */
    HF_ASSERT(exact != NULL);
    memcpy(exact, packet_bytes, n);
    struct hf_packet p = {exact, n, super_bytes, 0};
    hf_stack_input(side->stack, &p, 1, r->now);
    free(exact);
}

/* ---- steps: segments ---- */

static void step_handshake(struct run *r, struct side *side)
{
    struct target t = {0};
    fresh_tuple(r, side, &t.tuple);
    struct hf_segment syn = next_segment(r, &t);
    uint32_t options = take(r, 256);
    syn.flags = HF_SYN;
    syn.ack = 0;
    syn.window = (options & 1) != 0 ? 65535 : (uint16_t)take(r, 65536);
    syn.has_mss = (options & 2) != 0;
    syn.mss_bytes = (options & 4) != 0 ? 1460 : (uint16_t)take(r, 65536);
    syn.has_wscale = (options & 8) != 0;
    syn.wscale = (uint8_t)(options >> 5);
    syn.has_timestamps = (options & 16) != 0;
    syn.ts_value = ts_now(r);
    syn.has_sack_permitted = (options & 32) != 0;
    inject(r, side, &t.tuple, &syn, 0, 0);
    settle(r);
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

static uint32_t near_number(struct run *r, uint32_t base, uint32_t window)
{
    switch (take(r, 12)) {
    case 0: return base - 1;
    case 1: return base + 1;
    case 2: return base + window;
    case 3: return base + window - 1;
    case 4: return base + take(r, 65536);
    case 5: return base - take(r, 65536);
    case 6: return take(r, UINT32_MAX);
    case 7: return base + 0x7FFFFFFF + take(r, 3);
    default: return base;
    }
}

static void vary_options(struct run *r, struct hf_segment *seg, uint32_t base)
{
    uint32_t what = take(r, 256);
    if ((what & 1) != 0)
        seg->has_timestamps = !seg->has_timestamps;
    if ((what & 2) != 0)
        seg->ts_value += take(r, 65536) - 32768;
    if ((what & 4) != 0)
        seg->ts_echo = take(r, UINT32_MAX);
    seg->has_mss = (what & 8) != 0;
    seg->mss_bytes = (uint16_t)(what << 3);
    seg->has_wscale = (what & 16) != 0;
    seg->wscale = (uint8_t)(what >> 4);
    seg->has_sack_permitted = (what & 32) != 0;
    seg->sack_count = (uint8_t)(what >> 6);
    for (size_t i = 0; i < seg->sack_count; i++) {
        seg->sack[i].left = base + take(r, 65536) - 32768;
        seg->sack[i].right = seg->sack[i].left + take(r, 65536);
    }
}

static void step_any_segment(struct run *r, struct side *side)
{
    struct target t;
    choose_target(r, side, &t);
    struct hf_segment seg = next_segment(r, &t);
    uint32_t window = t.is_conn ? t.info.rcv_wnd_bytes : 65535, what = take(r, 256);
    seg.seq = near_number(r, (what & 1) != 0 && t.is_conn ? t.info.irs : seg.seq, window);
    seg.ack = near_number(r, (what & 2) != 0 && t.is_conn ? t.info.snd_una : seg.ack, window);
    seg.flags = (uint16_t)take(r, 256);
    if ((what & 4) != 0)
        seg.window = (uint16_t)take(r, 65536);
    if ((what & 8) != 0)
        seg.payload_bytes = take(r, 2000);
    seg.urgent_pointer = (seg.flags & HF_URG) != 0 ? (uint16_t)take(r, 65536) : 0;
    if ((what & 16) != 0)
        vary_options(r, &seg, t.tuple.snd_nxt);
    unsigned how = ((what & 0x60) == 0x60 ? INJECT_RAW_OPTIONS : 0u) |
                   ((what & 0x90) == 0x90 ? INJECT_SPOIL : 0u);
    inject(r, side, &t.tuple, &seg, 0, how);
}

static void step_data(struct run *r, struct side *side)
{
    struct target t;
    choose_target(r, side, &t);
    struct hf_segment seg = next_segment(r, &t);
    uint32_t what = take(r, 256);
    seg.seq += (what & 3) == 3 ? 100 * take(r, 64) : 0;
    seg.payload_bytes = (what & 4) != 0 ? take(r, 65536) % 40000 : take(r, 256) * 6;
    if ((what & 0x18) == 0x18)
        seg.flags |= HF_FIN;
    uint16_t super_bytes = (what & 0xE0) == 0xE0 ? (uint16_t)(1 + take(r, 2000)) : 0;
    inject(r, side, &t.tuple, &seg, super_bytes, 0);
}

static void step_ack(struct run *r, struct side *side)
{
    struct target t;
    choose_target(r, side, &t);
    struct hf_segment seg = next_segment(r, &t);
    uint32_t what = take(r, 256);
    if (t.is_conn && (what & 3) != 0)
        seg.ack = t.info.snd_una + (what & 1) * take(r, 4096);
    seg.window = (what & 12) == 12 ? (uint16_t)(take(r, 256) * (what >> 4)) : 8192;
    for (uint32_t times = (what & 16) != 0 ? 4 : 1; times > 0; times--)
        inject(r, side, &t.tuple, &seg, 0, 0);
}

static void step_fin(struct run *r, struct side *side)
{
    struct target t;
    choose_target(r, side, &t);
    struct hf_segment seg = next_segment(r, &t);
    seg.flags |= HF_FIN;
    inject(r, side, &t.tuple, &seg, 0, 0);
}

static void step_reset(struct run *r, struct side *side)
{
    struct target t;
    choose_target(r, side, &t);
    struct hf_segment seg = next_segment(r, &t);
    seg.flags = (uint16_t)(HF_RST | (chance(r, 2) ? HF_ACK : 0));
    inject(r, side, &t.tuple, &seg, 0, 0);
}

static void step_icmp(struct run *r, struct side *side)
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
    uint8_t type = (uint8_t)(chance(r, 2) ? take(r, 256) : v4 ? 3 : 2 - take(r, 2));
    uint8_t code = (uint8_t)(v4 && chance(r, 2) ? 4 : take(r, 8));
    struct hf_ip ip = quoted;
    ip.source = t.tuple.remote.addr;
    ip.destination = t.tuple.local.addr;
    ip.protocol = v4 ? HF_IP_PROTO_ICMP : HF_IP_PROTO_ICMPV6;
    ip.payload_bytes = (uint32_t)(HF_ICMP_HEADER_BYTES + n);
    size_t at = hf_ip_emit(&ip, packet_bytes);
    at += hf_icmp_emit_error(&ip, type, code, take(r, 2000), quote, n, packet_bytes + at);
    struct hf_packet p = {packet_bytes, (uint32_t)at, 0, 0};
    hf_stack_input(side->stack, &p, 1, r->now);
}

/* Bytes as they come. */
static void step_noise(struct run *r, struct side *side)
{
    uint32_t n = take(r, 100);
    for (uint32_t i = 0; i < n; i++)
        packet_bytes[i] = (uint8_t)take(r, 256);
    struct hf_packet p = {packet_bytes, n, (uint16_t)(chance(r, 8) ? take(r, 65536) : 0),
                          (uint16_t)take(r, 4)};
    hf_stack_input(side->stack, &p, 1, r->now);
}

/* ---- steps: calls ---- */

static void step_connect(struct run *r, struct side *side)
{
    struct hf_connect what = {.tag = 1};
    struct hf_tuple t;
    fresh_tuple(r, side, &t);
    what.remote = t.remote;
    if (r->side_count == 2) {
        const struct side *other = &r->sides[side == &r->sides[0]];
        what.remote.addr = hf_addr_is_v4(&t.remote.addr) ? other->v4 : other->v6;
        what.remote.port = t.local.port;
    }
    if (chance(r, 2))
        what.local = t.local;
    hf_handle h = 0;
    if (hf_connect(side->stack, &what, &h, r->now) == HF_OK)
        model_add(side, h);
}

static void step_listen(struct run *r, struct side *side)
{
    uint32_t what = take(r, 256), slot = take(r, HF_COUNT_OF(side->listeners));
    struct hf_listen listen = {
        .addr = (what & 1) != 0 ? side->v4 : HF_ADDR_ANY,
        .prefix_bits = 32 - (what & 7),
        .port = (uint16_t)((what & 2) != 0 ? 80 + (what >> 2 & 1) : 0),
        .held = (what & 8) != 0,
        .reset_overflow = (what & 16) != 0,
        .max_half_open = what >> 5 & 3,
        .backlog = (what & 128) != 0 ? 1 : 0,
    };
    if (chance(r, 2)) {
        listen.max_connections = take(r, 4);
        listen.max_per_remote = take(r, 3);
    }
    hf_handle h = 0;
    if (hf_listen(side->stack, &listen, &h, r->now) != HF_OK)
        return;
    if (side->listeners[slot] != 0)
        (void)hf_close(side->stack, side->listeners[slot], r->now);
    side->listeners[slot] = h;
}

static void step_decide(struct run *r, struct side *side)
{
    const struct model *m = choose_model(r, side);
    uint32_t what = take(r, 8);
    int err = what < 4 ? hf_admit(side->stack, m->handle, r->now)
                       : hf_refuse(side->stack, m->handle, (enum hf_refusal)(what - 4), r->now);
    if (err == HF_OK && what >= 4)
        ((struct model *)(uintptr_t)m)->let_go = true;
}

/* Where the next written byte stands in the stream. */
static uint32_t write_seq(const struct hf_info *info)
{
    return info->iss + 1 + (uint32_t)info->bytes_sent + info->send_queue_bytes;
}

static void step_send(struct run *r, struct side *side)
{
    const struct model *m = choose_model(r, side);
    struct hf_info info = {0};
    bool known = info_of(side, m, &info);
    uint32_t n = 1 + take(r, APP_BYTES);
    unsigned flags = take(r, 4);
    fill(app_bytes, n, write_seq(&info));
    if (chance(r, 2)) {
        int64_t done = hf_send(side->stack, m->handle, app_bytes, n, flags, r->now);
        HF_ASSERT(done != 0 && done <= n && (known || done == HF_E_HANDLE));
        return;
    }
    void *room;
    int64_t given = hf_send_reserve(side->stack, m->handle, &room, r->now);
    if (given <= 0)
        return;
    n = n < given ? n : (uint32_t)given;
    memcpy(room, app_bytes, n);
    HF_ASSERT(hf_send_commit(side->stack, m->handle, n, flags, r->now) == HF_OK);
}

static void took(struct model *m, const struct hf_info *info, const uint8_t *bytes, size_t n)
{
    HF_ASSERT(info->bytes_received - info->receive_queue_bytes == m->read_bytes);
    HF_ASSERT(is_right(bytes, n, info->irs + 1 + m->read_bytes));
    m->read_bytes += (uint32_t)n;
}

static void step_receive(struct run *r, struct side *side)
{
    struct model *m = choose_model(r, side);
    struct hf_info info;
    if (!info_of(side, m, &info)) {
        HF_ASSERT(hf_receive(side->stack, m->handle, app_bytes, 1, r->now) == HF_E_HANDLE);
        return;
    }
    uint32_t n = 1 + take(r, APP_BYTES);
    if (chance(r, 2)) {
        int64_t got = hf_receive(side->stack, m->handle, app_bytes, n, r->now);
        HF_ASSERT(got != 0 && got <= n && (got > 0) == (info.receive_queue_bytes > 0));
        if (got > 0)
            took(m, &info, app_bytes, (size_t)got);
        return;
    }
    struct hf_slice slices[4];
    size_t count = 0;
    int64_t seen = hf_receive_peek(side->stack, m->handle, slices, 1 + take(r, 4), &count);
    uint32_t before = m->read_bytes;
    for (size_t i = 0; i < count; i++)
        took(m, &info, slices[i].bytes, slices[i].length_bytes),
            info.receive_queue_bytes -= (uint32_t)slices[i].length_bytes;
    HF_ASSERT(seen <= 0 || m->read_bytes - before == seen);
    m->read_bytes = before;
    if (seen <= 0)
        return;
    n = n < seen ? n : (uint32_t)seen;
    HF_ASSERT(hf_receive_consume(side->stack, m->handle, n, r->now) == HF_OK);
    m->read_bytes += n;
}

static void step_close(struct run *r, struct side *side)
{
    struct model *m = choose_model(r, side);
    uint32_t how = take(r, 4);
    if (how < 2) {
        (void)hf_shutdown(side->stack, m->handle, r->now);
        return;
    }
    int err = how == 2 ? hf_close(side->stack, m->handle, r->now)
                       : hf_abort(side->stack, m->handle, r->now);
    m->let_go |= err == HF_OK;
}

static void step_options(struct run *r, struct side *side)
{
    const struct model *m = choose_model(r, side);
    enum hf_option o = (enum hf_option)take(r, HF_OPT_COUNT + 1);
    int64_t value = take(r, 4);
    if (chance(r, 2))
        value = HF_MS((int64_t)take(r, 65536));
    bool listener = chance(r, 8);
    hf_handle h = listener ? side->listeners[0] : m->handle;
    int64_t back = 0;
    if (hf_set(side->stack, h, o, value, r->now) == HF_OK)
        HF_ASSERT(hf_get(side->stack, h, o, &back) == HF_OK);
}

/* ---- steps: time, memory, everything else ---- */

static void expire(struct run *r, struct side *side)
{
    hf_checks_expire(&r->checks, "side", side->stack, r->now);
}

static void step_time(struct run *r, struct side *side)
{
    static const hf_ns spans[] = {
        0,         HF_US(100),  HF_MS(1),     HF_MS(40),       HF_MS(200),
        HF_SEC(1), HF_SEC(10),  HF_SEC(60),   HF_SEC(3600),    HF_SEC(86400),
        -1,        HF_SEC(300), -HF_SEC(999), HF_SEC(3000000), HF_SEC(20000000),
    };
    hf_ns span = spans[take(r, HF_COUNT_OF(spans))];
    hf_ns deadline = hf_stack_deadline(side->stack);
    if (span == 0 && deadline != HF_NEVER && deadline > r->now)
        span = deadline - r->now;
    if (span < 0) { /* the clock goes back for one call */
        (void)hf_stack_expire(side->stack, r->now + span, take(r, 3));
        return;
    }
    r->now += span;
    if (chance(r, 8)) {
        (void)hf_stack_expire(side->stack, r->now, take(r, 3));
        return;
    }
    for (unsigned i = 0; i < r->side_count; i++)
        expire(r, &r->sides[i]);
}

static void step_deadline(struct run *r, struct side *side)
{
    for (uint32_t n = 1 + take(r, 8); n > 0; n--) {
        hf_ns deadline = hf_stack_deadline(side->stack);
        if (deadline == HF_NEVER)
            return;
        r->now = hf_max_ns(r->now, deadline);
        expire(r, side);
        settle(r);
    }
}

static void step_memory(struct run *r, struct side *side)
{
    uint32_t what = take(r, 8);
    side->account.fail_from = what == 7;
    side->account.fail_nth = what == 0 ? 0 : side->account.asked + what;
    if (chance(r, 4))
        hf_stack_trim(side->stack);
}

static void step_waiting(struct run *r, struct side *side)
{
    (void)side;
    uint32_t what = take(r, 8);
    r->events_wait = (what & 3) == 1;
    r->packets_wait = (what & 3) == 2;
    r->loss = (uint8_t)((what & 4) != 0 ? 1 + take(r, 5) : 0);
}

static void step_save(struct run *r, struct side *side)
{
    (void)r;
    size_t n = hf_stack_save(side->stack, NULL, 0);
    uint8_t *saved = malloc(n);
    HF_ASSERT(saved != NULL && hf_stack_save(side->stack, saved, n) == n);
    struct hf_env env = {.realloc = hf_account_realloc, .realloc_ctx = &side->account};
    struct hf_stack *again = NULL;
    uint64_t held = side->account.held_bytes;
    int err = hf_stack_restore(&again, saved, n, &env);
    free(saved);
    HF_ASSERT(err == HF_OK || (err == HF_E_MEMORY && side->account.failed));
    HF_ASSERT(err == HF_OK || side->account.held_bytes == held);
    if (err != HF_OK)
        return;
    hf_stack_free(side->stack);
    side->stack = again;
}

typedef void step_fn(struct run *r, struct side *side);

/* What is wanted often stands more than once. */
static step_fn *const steps[] = {
    step_handshake,   step_handshake,   step_listen, step_connect, step_any_segment,
    step_any_segment, step_any_segment, step_data,   step_data,    step_data,
    step_ack,         step_ack,         step_fin,    step_reset,   step_icmp,
    step_noise,       step_decide,      step_send,   step_send,    step_receive,
    step_receive,     step_close,       step_close,  step_options, step_time,
    step_time,        step_deadline,    step_memory, step_waiting, step_save,
    step_data,        step_ack,
};

/* ---- begin and end ---- */

static void change_setting(struct run *r, struct hf_config *cfg)
{
    const struct hf_setting *row = hf_setting_at(take(r, 64));
    static const char *const big[] = {"reply_ring", "max_connections", "pool_bytes"};
    if (row == NULL)
        return;
    for (size_t i = 0; i < HF_COUNT_OF(big); i++)
        if (strcmp(row->name, big[i]) == 0)
            return;
    const int64_t values[] = {row->min, row->max, row->min + 1, (row->min + row->max) / 2};
    HF_ASSERT(hf_config_set(cfg, row->name, values[take(r, 4)]) == HF_OK);
}

static void choose_config(struct run *r, struct hf_config *cfg)
{
    hf_config_profile(cfg, sizeof *cfg, (enum hf_profile)take(r, HF_PROFILE_COUNT));
    cfg->max_connections = 1 << take(r, 5);
    cfg->max_half_open = 1 + take(r, 4);
    cfg->max_time_wait = take(r, 4);
    cfg->syn_cookies = take(r, 3);
    cfg->reply_ring = 16;
    uint32_t sizes = take(r, 256);
    cfg->pool_bytes = 65536;
    cfg->block_bytes = (sizes & 1) != 0 ? 512 : 4096;
    cfg->send_buffer_bytes = 256 << (sizes >> 1 & 7);
    cfg->receive_buffer_bytes = 256 << (sizes >> 4 & 7);
    cfg->offload_super_bytes = sizes >> 7 != 0 ? 65535 : 0;
    cfg->offload_checksum = sizes >> 7;
    struct hf_config fits = *cfg;
    for (uint32_t n = take(r, 6); n > 0; n--) {
        change_setting(r, cfg);
        if (hf_config_check(cfg, NULL) == HF_OK)
            fits = *cfg;
        else
            *cfg = fits;
    }
}

static uint64_t memory_of(const struct side *side)
{
    struct hf_stack_info info;
    hf_stack_info(side->stack, &info);
    return info.memory_bytes;
}

static void open_side(struct run *r, struct side *side, const struct hf_config *cfg, uint8_t host)
{
    struct hf_env env = {
        .realloc = hf_account_realloc, .realloc_ctx = &side->account, .seed = {host}};
    side->v4 = hf_addr_v4(10, 0, 0, host);
    side->v6 = (struct hf_addr){{0xFD, [15] = host}};
    HF_ASSERT(hf_stack_new(&side->stack, cfg, &env, r->now) == HF_OK);
    HF_ASSERT(hf_stack_add_address(side->stack, &side->v4, 32) == HF_OK);
    HF_ASSERT(hf_stack_add_address(side->stack, &side->v6, 128) == HF_OK);
    side->base_bytes = memory_of(side);
}

static void let_go_of_all(struct run *r, struct side *side, bool abort)
{
    for (size_t i = 0; i < HF_COUNT_OF(side->listeners); i++)
        if (side->listeners[i] != 0)
            HF_ASSERT(hf_close(side->stack, side->listeners[i], r->now) == HF_OK);
    for (size_t i = 0; i < MODELS; i++) {
        struct model *m = &side->models[i];
        if (m->handle == 0 || m->let_go)
            continue;
        int err = abort ? hf_abort(side->stack, m->handle, r->now)
                        : hf_close(side->stack, m->handle, r->now);
        HF_ASSERT(err == HF_OK);
        m->let_go = true;
    }
}

static void close_side(struct side *side)
{
    struct hf_stack_info info;
    for (size_t i = 0; i < MODELS; i++)
        HF_ASSERT(side->models[i].handle == 0 || side->models[i].closed);
    hf_stack_info(side->stack, &info);
    HF_ASSERT(info.connections + info.half_open + info.time_wait + info.listeners == 0);
    HF_ASSERT(info.flights == 0 && info.local_addresses == 0 && info.pool_used_bytes == 0);
    hf_stack_trim(side->stack);
    HF_ASSERT(memory_of(side) == side->base_bytes);
    hf_stack_free(side->stack);
    HF_ASSERT(side->account.held_bytes == 0);
}

/* Everything is let go, and time passes until nothing is left. */
static void finish(struct run *r)
{
    r->events_wait = r->packets_wait = false;
    settle(r);
    bool abort = r->now % 2 != 0;
    for (unsigned i = 0; i < r->side_count; i++)
        let_go_of_all(r, &r->sides[i], abort);
    settle(r);
    for (int i = 0;; i++) {
        hf_ns deadline = HF_NEVER;
        for (unsigned k = 0; k < r->side_count; k++)
            deadline = hf_min_ns(deadline, hf_stack_deadline(r->sides[k].stack));
        if (deadline == HF_NEVER)
            break;
        HF_ASSERT(i < END_STEPS_MAX);
        r->now = hf_max_ns(r->now, deadline);
        for (unsigned k = 0; k < r->side_count; k++)
            expire(r, &r->sides[k]);
        settle(r);
    }
    for (unsigned i = 0; i < r->side_count; i++)
        close_side(&r->sides[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length_bytes)
{
    static struct run run;
    static const hf_ns starts[] = {0, -HF_SEC(100), HF_NEVER / 2, -HF_NEVER / 2};
    struct run *r = &run;
    *r = (struct run){.bytes = bytes, .left_bytes = length_bytes};
    uint32_t mode = take(r, 256);
    r->side_count = 1 + (mode & 1);
    r->now = starts[mode >> 1 & 3] + (mode >> 3 & 1);
    struct hf_config cfg;
    choose_config(r, &cfg);
    for (unsigned i = 0; i < r->side_count; i++)
        open_side(r, &r->sides[i], &cfg, (uint8_t)(1 + i));
    if ((mode & 16) != 0) {
        struct hf_listen any = {.held = (mode & 32) != 0};
        HF_ASSERT(hf_listen(r->sides[0].stack, &any, &r->sides[0].listeners[0], r->now) == HF_OK);
    }
    for (int i = 0; i < STEPS_MAX && r->left_bytes > 0; i++) {
        uint32_t what = take(r, 256);
        struct side *side = &r->sides[what >> 7 & (r->side_count - 1)];
        steps[what & 127 & (HF_COUNT_OF(steps) - 1)](r, side);
        settle(r);
    }
    finish(r);
    return 0;
}
