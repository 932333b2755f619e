/**
 * The input, the streams, the models of connections, and what must hold after each step.
 */
#include "conn_run.h"

#include <stdio.h>
#include <string.h>

#include "core/wire/ip.h"

enum {
    BATCH = 8,
    BURST_MAX_PACKETS = 40000, /* of one instant: whoever sends more never ends */
};

/* Some years are left for all that runs out, and for clocks that are ahead. */
static const hf_ns END_OF_TIME_NS = HF_NEVER - HF_SEC(INT64_C(1000000000));

static uint8_t out_bytes[FUZZ_PACKET_BYTES];

/* ---- the input ---- */

uint32_t fuzz_take(struct fuzz_run *r, uint32_t bound)
{
    uint32_t value = 0, bytes = bound <= 256 ? 1 : bound <= 65536 ? 2 : 4;
    for (; bytes > 0; bytes--) {
        value = value << 8 | (r->left_bytes > 0 ? *r->bytes : 0);
        r->bytes += r->left_bytes > 0;
        r->left_bytes -= r->left_bytes > 0;
    }
    return value % bound;
}

bool fuzz_chance(struct fuzz_run *r, uint32_t one_in)
{
    return fuzz_take(r, one_in) == one_in - 1;
}

/* ---- time ---- */

hf_ns fuzz_now(const struct fuzz_run *r, const struct fuzz_side *side)
{
    return r->now + side->clock_ns;
}

hf_ns fuzz_deadline(const struct fuzz_side *side)
{
    hf_ns deadline = hf_stack_deadline(side->stack);
    return deadline == HF_NEVER ? HF_NEVER : deadline - side->clock_ns;
}

void fuzz_pass(struct fuzz_run *r, hf_ns until_ns)
{
    r->now = hf_min_ns(hf_max_ns(r->now, until_ns), END_OF_TIME_NS);
}

/* ---- streams ---- */

static uint8_t byte_at(uint32_t seq)
{
    return (uint8_t)(seq * 2654435761u >> 24);
}

void fuzz_fill(uint8_t *bytes, uint32_t n, uint32_t seq)
{
    for (uint32_t i = 0; i < n; i++)
        bytes[i] = byte_at(seq + i);
}

bool fuzz_is_right(const uint8_t *bytes, size_t n, uint32_t seq)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != byte_at(seq + (uint32_t)i))
            return false;
    return true;
}

/* ---- models ---- */

struct fuzz_model *fuzz_model_of(struct fuzz_side *side, hf_handle h)
{
    for (size_t i = 0; h != 0 && i < FUZZ_MODELS; i++)
        if (side->models[i].handle == h)
            return &side->models[i];
    return NULL;
}

struct fuzz_model *fuzz_model_add(struct fuzz_side *side, hf_handle h)
{
    HF_ASSERT(h != 0 && fuzz_model_of(side, h) == NULL);
    for (size_t i = 0; i < FUZZ_MODELS; i++) {
        struct fuzz_model *m = &side->models[i];
        if (m->handle != 0 && !(m->closed && m->let_go))
            continue;
        *m = (struct fuzz_model){.handle = h};
        return m;
    }
    HF_UNREACHABLE("more handles alive than connections were allowed");
}

struct fuzz_model *fuzz_model_choose(struct fuzz_run *r, struct fuzz_side *side)
{
    static struct fuzz_model nobody;
    uint32_t nth = fuzz_take(r, 256), alive = 0;
    if (nth == 255) {
        nobody = (struct fuzz_model){.handle = (hf_handle)fuzz_take(r, UINT32_MAX) << 32 |
                                               fuzz_take(r, 65536)};
        return fuzz_model_of(side, nobody.handle) == NULL ? &nobody : &side->models[0];
    }
    for (size_t i = 0; i < FUZZ_MODELS; i++)
        alive += side->models[i].handle != 0;
    nth = alive == 0 ? 0 : nth % alive;
    for (size_t i = 0; i < FUZZ_MODELS; i++)
        if (side->models[i].handle != 0 && nth-- == 0)
            return &side->models[i];
    return &side->models[0];
}

bool fuzz_info(const struct fuzz_side *side, const struct fuzz_model *m, struct hf_info *info)
{
    int err = hf_info(side->stack, m->handle, info);
    if (m->handle != 0 && m->closed && m->let_go)
        HF_ASSERT(err == HF_E_HANDLE);
    return err == HF_OK;
}

static void pull_events(struct fuzz_side *side)
{
    struct hf_event e;
    while (hf_stack_event(side->stack, &e)) {
        struct fuzz_model *m = fuzz_model_of(side, e.handle);
        if (m == NULL) {
            HF_ASSERT((e.bits & (HF_EV_ACCEPTED | HF_EV_SYN)) != 0);
            m = fuzz_model_add(side, e.handle);
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

static bool find_sender(const struct fuzz_side *side, const struct hf_ip *ip,
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

static void check_edges(struct fuzz_side *side, const struct hf_ip *ip,
                        const struct hf_segment *seg)
{
    struct hf_tuple t;
    struct hf_info info;
    if ((seg->flags & (HF_RST | HF_ACK)) != HF_ACK || !find_sender(side, ip, seg, &t))
        return;
    struct fuzz_model *m = fuzz_model_of(side, t.handle);
    if (m == NULL || !fuzz_info(side, m, &info) || info.state == HF_TIME_WAIT ||
        info.state == HF_CLOSED)
        return;
    /* An answer of an earlier connection with these addresses may have waited to be sent. */
    if (seg->seq - info.iss > info.snd_nxt - info.iss)
        return;
    /* Where no time has passed it has the same numbers. */
    if (seg->flags == HF_ACK && seg->payload_bytes == 0 && !m->settled)
        return;
    /* So may a SYN,ACK with a cookie, which keeps no account of the window that it told. */
    if ((seg->flags & HF_SYN) != 0 && info.state != HF_SYN_RCVD)
        return;
    const struct fuzz_syn_ack *first = &side->syn_ack;
    if (!m->edge_known && (seg->flags & HF_SYN) == 0 && first->seq == info.iss &&
        first->ack == info.irs + 1 && hf_addr_equal(&first->remote.addr, &t.remote.addr) &&
        hf_addr_equal(&first->local.addr, &t.local.addr) && first->remote.port == t.remote.port &&
        first->local.port == t.local.port) {
        m->ack = first->ack;
        m->edge = first->edge;
        m->edge_known = true;
    }
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

static void note_syn_ack(struct fuzz_side *side, const struct hf_ip *ip,
                         const struct hf_segment *seg)
{
    if ((seg->flags & (HF_SYN | HF_ACK)) != (HF_SYN | HF_ACK))
        return;
    side->syn_ack = (struct fuzz_syn_ack){
        .local = {ip->source, seg->source_port},
        .remote = {ip->destination, seg->destination_port},
        .seq = seg->seq,
        .ack = seg->ack,
        .edge = seg->ack + seg->window,
        .ts_value = seg->ts_value,
        .timestamps = seg->has_timestamps,
    };
}

static void check_sent(struct fuzz_side *side, const struct hf_packet *p)
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
    HF_ASSERT(fuzz_is_right(transport + seg.header_bytes, seg.payload_bytes,
                            seg.seq + ((seg.flags & HF_SYN) != 0)));
    note_syn_ack(side, &ip, &seg);
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
    HF_ASSERT(n == out->length_bytes && n <= FUZZ_PACKET_BYTES);
    *p = (struct hf_packet){out_bytes, out->length_bytes, out->segment_bytes, out->flags};
}

/* Takes what a side has to send, checks it, and hands it to the other one if there is one. */
static size_t pull_packets(struct fuzz_run *r, unsigned from)
{
    struct hf_out_packet out[BATCH];
    struct fuzz_side *side = &r->sides[from];
    size_t n = hf_stack_output(side->stack, out, BATCH, fuzz_now(r, side));
    for (size_t i = 0; i < n; i++) {
        struct hf_packet p;
        gather(&out[i], &p);
        check_sent(side, &p);
        bool lost = r->loss > 0 && ++r->packets_moved % r->loss == 0;
        if (r->side_count == 2 && !lost)
            hf_stack_input(r->sides[1 - from].stack, &p, 1, fuzz_now(r, &r->sides[1 - from]));
    }
    for (size_t i = 0; n == 0 && i < FUZZ_MODELS; i++)
        side->models[i].settled = side->models[i].handle != 0;
    return n;
}

void fuzz_settle(struct fuzz_run *r)
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
        /* What is due already is not late: expire was given a small budget. */
        struct fuzz_side *side = &r->sides[i];
        if (fuzz_deadline(side) > r->now)
            hf_checks_stack(&r->checks, i == 0 ? "A" : "B", side->stack, fuzz_now(r, side));
        HF_ASSERT(!side->account.wrong_size);
    }
    if (r->checks.violations > 0) {
        fprintf(stderr, "%s\n", r->checks.first);
        HF_UNREACHABLE("an invariant is violated");
    }
}

void fuzz_expire(struct fuzz_run *r, struct fuzz_side *side)
{
    hf_checks_expire(&r->checks, "side", side->stack, fuzz_now(r, side));
}
