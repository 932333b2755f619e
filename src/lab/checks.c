/**
 * Invariant checks. Owns what was seen on the wire; the applications check their own data.
 */
#include "checks.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "core/wire/ip.h"
#include "pattern.h"

enum { EXPIRE_ROUNDS_MAX = 100000, EXPIRE_BATCH = 64 };

/* A deadline is kept by the tick of the timer wheel: entries may be up to one tick late. */
static const hf_ns tick_ns = (hf_ns)1 << 16;

void hf_checks_fail(struct hf_checks *c, hf_ns now, const char *format, ...)
{
    if (c->violations++ > 0)
        return;
    int n = snprintf(c->first, sizeof c->first, "at %" PRId64 " ns: ", now);
    va_list args;
    va_start(args, format);
    vsnprintf(c->first + n, sizeof c->first - (size_t)n, format, args);
    va_end(args);
}

void hf_checks_expire(struct hf_checks *c, const char *name, struct hf_stack *s, hf_ns now)
{
    for (int i = 0; hf_stack_expire(s, now, EXPIRE_BATCH); i++)
        if (i == EXPIRE_ROUNDS_MAX) {
            hf_checks_fail(c, now, "%s: expire never ends", name);
            return;
        }
    hf_ns deadline_ns = hf_stack_deadline(s);
    if (deadline_ns <= now)
        hf_checks_fail(c, now, "%s: deadline %" PRId64 " after expire was done", name, deadline_ns);
}

static void check_waits(struct hf_checks *c, const char *name, const struct hf_tuple *t,
                        hf_ns wanted_ns, hf_ns deadline_ns, hf_ns now)
{
    if (wanted_ns != HF_NEVER && deadline_ns > wanted_ns + tick_ns)
        hf_checks_fail(c, now, "%s: %s waits until %" PRId64 ", the stack until %" PRId64, name,
                       hf_state_name(t->state), wanted_ns, deadline_ns);
}

static void check_conn(struct hf_checks *c, const char *name, const struct hf_stack *s,
                       const struct hf_tuple *t, hf_ns deadline_ns, hf_ns now)
{
    struct hf_info info;
    if (hf_info(s, t->handle, &info) != HF_OK) {
        hf_checks_fail(c, now, "%s: no info about a connection in %s", name,
                       hf_state_name(t->state));
        return;
    }
    bool outstanding = info.snd_una != info.snd_max && info.state != HF_CLOSED &&
                       info.state != HF_TIME_WAIT && !info.held;
    bool armed = info.rto_deadline_ns != HF_NEVER || info.life_deadline_ns != HF_NEVER;
    if ((outstanding || info.held) && (!armed || deadline_ns == HF_NEVER))
        hf_checks_fail(c, now, "%s: %s with %" PRIu32 " outstanding and no timer", name,
                       hf_state_name(info.state), info.snd_max - info.snd_una);
    check_waits(c, name, t, info.rto_deadline_ns, deadline_ns, now);
    check_waits(c, name, t, info.ack_deadline_ns, deadline_ns, now);
    check_waits(c, name, t, info.life_deadline_ns, deadline_ns, now);
}

void hf_checks_stack(struct hf_checks *c, const char *name, const struct hf_stack *s, hf_ns now)
{
    hf_ns deadline_ns = hf_stack_deadline(s);
    uint64_t cursor = 0;
    struct hf_tuple t;
    while (hf_iterate(s, &cursor, &t)) {
        if (t.kind == HF_KIND_CONN)
            check_conn(c, name, s, &t, deadline_ns, now);
        if (t.kind != HF_KIND_HALF_OPEN && t.kind != HF_KIND_TIME_WAIT)
            continue;
        if (t.deadline_ns == HF_NEVER)
            hf_checks_fail(c, now, "%s: %s without a timer", name, hf_state_name(t.state));
        check_waits(c, name, &t, t.deadline_ns, deadline_ns, now);
    }
}

/* ---- the wire ---- */

void hf_checks_packet(struct hf_checks *c, const char *name, const struct hf_out_packet *packet,
                      hf_ns now)
{
    unsigned ip_bytes =
        packet->header[0] >> 4 == 4 ? HF_IPV4_HEADER_BYTES : (unsigned)HF_IPV6_HEADER_BYTES;
    if (packet->ip_bytes != ip_bytes)
        hf_checks_fail(c, now, "%s: says that the IP header has %u bytes", name, packet->ip_bytes);
}

static int32_t distance(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b);
}

static void see_numbers(struct hf_wire_side *me, const struct hf_segment *seg)
{
    if (seg->flags & HF_SYN) {
        if (me->syn_seen && me->iss != seg->seq)
            *me = (struct hf_wire_side){0}; /* opened again */
        if (!me->syn_seen)
            me->end = seg->seq; /* a SYN that comes again may follow a FIN */
        me->syn_seen = true;
        me->iss = seg->seq;
        me->offered_wscale = seg->has_wscale;
        me->wscale = seg->wscale;
    }
    uint32_t end =
        seg->seq + seg->payload_bytes + ((seg->flags & HF_SYN) != 0) + ((seg->flags & HF_FIN) != 0);
    if (distance(end, me->end) > 0)
        me->end = end;
    me->fin_seen |= (seg->flags & HF_FIN) != 0;
}

static void check_ack(struct hf_checks *c, unsigned from, const struct hf_segment *seg, hf_ns now)
{
    struct hf_wire_side *me = &c->wire[from], *peer = &c->wire[1 - from];
    if (me->ack_known && distance(seg->ack, me->ack) < 0)
        hf_checks_fail(c, now, "%c: ACK moved back by %" PRId32, 'A' + (int)from,
                       distance(me->ack, seg->ack));
    if (peer->syn_seen && distance(seg->ack, peer->end) > 0)
        hf_checks_fail(c, now, "%c: ACK of %" PRId32 " that were not sent", 'A' + (int)from,
                       distance(seg->ack, peer->end));
    me->ack = seg->ack;
    me->ack_known = true;
    me->peer_fin_acked |= peer->fin_seen && seg->ack == peer->end;
    if (me->peer_fin_acked)
        return; /* nothing more can come: the window means nothing now */
    bool scaled = !(seg->flags & HF_SYN) && me->offered_wscale && peer->offered_wscale;
    uint32_t shift = scaled ? me->wscale & 31 : 0;
    uint32_t edge = seg->ack + ((uint32_t)seg->window << shift);
    /* Left by less than a unit of the window is rounding [RFC7323#2.4]. */
    if (me->edge_known && distance(edge, me->edge) <= -(int32_t)(1u << shift))
        hf_checks_fail(c, now,
                       "%c: the window's edge moved left by %" PRId32 " (ack %" PRIu32 " win %u)",
                       'A' + (int)from, distance(me->edge, edge), seg->ack, seg->window);
    if (!me->edge_known || distance(edge, me->edge) > 0)
        me->edge = edge;
    me->edge_known = true;
}

static void check_payload(struct hf_checks *c, unsigned from, const struct hf_segment *seg,
                          const uint8_t *payload, hf_ns now)
{
    const struct hf_wire_side *me = &c->wire[from], *peer = &c->wire[1 - from];
    if (!me->syn_seen || seg->payload_bytes == 0)
        return;
    uint32_t offset = seg->seq + ((seg->flags & HF_SYN) != 0) - me->iss - 1;
    size_t right = hf_pattern_check(c->key[from], offset, payload, seg->payload_bytes);
    if (right != seg->payload_bytes)
        hf_checks_fail(c, now, "%c: sent a wrong byte at offset %" PRIu32, 'A' + (int)from,
                       offset + (uint32_t)right);
    uint32_t end = seg->seq + seg->payload_bytes;
    if (peer->edge_known && !peer->peer_fin_acked && distance(end, peer->edge) > 1)
        hf_checks_fail(c, now, "%c: sent %" PRId32 " beyond the window", 'A' + (int)from,
                       distance(end, peer->edge));
}

void hf_checks_segment(struct hf_checks *c, unsigned from, const struct hf_segment *seg,
                       const uint8_t *payload, hf_ns now)
{
    if (seg->flags & HF_RST)
        return;
    see_numbers(&c->wire[from], seg);
    if (seg->flags & HF_ACK)
        check_ack(c, from, seg, now);
    check_payload(c, from, seg, payload, now);
}
