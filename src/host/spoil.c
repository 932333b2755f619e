/**
 * A wrapper that spoils packets by rule: drops, delays, duplicates, corrupts. Owns copies of what
 * is held back. What a packet is comes from spoil_flow.c, the text of rules from spoil_parse.c.
 *
 * Packets that no rule hits pass at once and in order. A packet is judged once: what the inner link
 * has no room for is kept here and sent first, later.
 */
#include "spoil_flow.h"
#include "why.h"

#include "core/wire/ip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH = 64,
    /* Bounds of what is held back in one direction; more is lost, and counted. */
    HELD_MAX_PACKETS = 4096,
    HELD_MAX_BYTES = 16 * 1024 * 1024,
    CHECKSUM_NOWHERE = UINT16_MAX,
};

/* A full device says nothing about when it will not be: look again then. */
static const hf_ns busy_retry_ns = HF_MS(1);

/* A copy of a packet, going either way. */
struct held {
    struct held *next;
    hf_ns due_ns;
    struct hf_out_packet packet; /* header and one slice, both in bytes; of an incoming one only
                                    segment_bytes, flags and length_bytes */
    struct hf_slice rest;
    uint8_t bytes[];
};

struct queue {
    struct held *first, *last; /* by due_ns, equal ones in order of arrival */
    size_t packets, bytes;
};

struct spoil {
    struct hf_link link;
    hf_clock_fn *clock;
    void *clock_ctx;
    size_t rule_count;
    struct hf_spoil_rule rules[HF_SPOIL_RULES_MAX];
    uint64_t random[HF_SPOIL_RULES_MAX];
    uint64_t hits[HF_SPOIL_RULES_MAX];
    uint64_t overflow;
    struct queue in, out;
    struct held *lent; /* incoming copies that the last receive gave out */
    hf_ns retry_ns;    /* the inner link was full: no attempt before */
    struct hf_spoil_flows flows;
};

static struct spoil *of(struct hf_link *l)
{
    return (struct spoil *)l;
}

static hf_ns spoil_now(const struct spoil *s)
{
    return s->clock ? s->clock(s->clock_ctx) : hf_host_now();
}

/* ---- chance and judgement ------------------------------------------------------------------- */

/* splitmix64: every seed gives a good sequence, the same on every machine. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static bool acts(struct spoil *s, size_t i, uint32_t match)
{
    const struct hf_spoil_rule *r = &s->rules[i];
    if (r->once ? match != r->occurrence : match % r->occurrence != 0)
        return false;
    return r->per_million >= HF_SPOIL_ALWAYS ||
           next_random(&s->random[i]) % HF_SPOIL_ALWAYS < r->per_million;
}

/* The rule that decides over this packet; NULL: it passes. */
static const struct hf_spoil_rule *judge(struct spoil *s, enum hf_spoil_direction direction,
                                         const uint8_t *head, size_t n)
{
    struct hf_spoil_flow *flow;
    unsigned kinds = hf_spoil_look(&s->flows, head, n, &flow);
    const struct hf_spoil_rule *hit = NULL;
    for (size_t i = 0; i < s->rule_count; i++) {
        const struct hf_spoil_rule *r = &s->rules[i];
        if (r->direction != HF_SPOIL_BOTH && r->direction != direction)
            continue;
        if (!(kinds >> r->kind & 1) || !acts(s, i, ++flow->matches[i]) || hit)
            continue;
        hit = r;
        s->hits[i]++;
    }
    return hit;
}

/* ---- copies --------------------------------------------------------------------------------- */

static struct held *copy_in(const struct hf_packet *p)
{
    struct held *h = malloc(sizeof *h + p->length_bytes);
    if (!h)
        return NULL;
    *h = (struct held){.packet = {.length_bytes = p->length_bytes,
                                  .segment_bytes = p->segment_bytes,
                                  .flags = p->flags}};
    memcpy(h->bytes, p->bytes, p->length_bytes);
    return h;
}

static struct held *copy_out(const struct hf_out_packet *p)
{
    struct held *h = malloc(sizeof *h + p->length_bytes);
    if (!h)
        return NULL;
    *h = (struct held){.packet = *p};
    memcpy(h->bytes, p->header, p->header_bytes);
    size_t n = p->header_bytes;
    for (size_t i = 0; i < p->slice_count; i++) {
        size_t take = hf_min_size(p->slices[i].length_bytes, p->length_bytes - n);
        memcpy(h->bytes + n, p->slices[i].bytes, take);
        n += take;
    }
    h->packet.length_bytes = (uint32_t)n;
    h->packet.header = h->bytes;
    h->rest = (struct hf_slice){h->bytes + p->header_bytes, n - p->header_bytes};
    h->packet.slices = &h->rest;
    h->packet.slice_count = h->rest.length_bytes > 0;
    return h;
}

static uint16_t checksum_offset_of(uint8_t protocol)
{
    switch (protocol) {
    case HF_IP_PROTO_TCP: return 16;
    case HF_IP_PROTO_ICMPV6: return 2;
    case 17: return 6; /* UDP */
    default: return CHECKSUM_NOWHERE;
    }
}

/* Flips one bit behind the IP header; the checksum is filled in first if it was not. A receiver
 * that looks finds out: one bit always changes the sum. */
static void corrupt(struct held *h, uint64_t random)
{
    struct hf_ip ip;
    uint8_t *transport = h->bytes;
    size_t n = h->packet.length_bytes;
    if (hf_ip_parse_quoted(h->bytes, n, &ip) == HF_NONE && ip.header_bytes < n) {
        transport += ip.header_bytes;
        n = hf_min_size(n - ip.header_bytes, ip.payload_bytes);
        uint16_t at = checksum_offset_of(ip.protocol);
        /* The field holds the pseudo-header's sum and is summed up with the rest. */
        if ((h->packet.flags & HF_PACKET_CSUM_PARTIAL) && (size_t)at + 2 <= n)
            hf_put16(transport + at, hf_sum_checksum(hf_sum_bytes(0, transport, n)));
    }
    h->packet.flags = 0;
    size_t bit = n ? (size_t)(random % (n * 8)) : 0;
    if (n)
        transport[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

/* ---- what is held back ---------------------------------------------------------------------- */

/* Takes over h, which may be NULL: no memory is no room. */
static void hold(struct spoil *s, struct queue *q, struct held *h, hf_ns due_ns)
{
    if (!h || q->packets == HELD_MAX_PACKETS ||
        q->bytes + h->packet.length_bytes > HELD_MAX_BYTES) {
        s->overflow++;
        free(h);
        return;
    }
    h->due_ns = due_ns;
    struct held **place = &q->first;
    if (q->last && q->last->due_ns <= due_ns)
        place = &q->last->next;
    while (*place && (*place)->due_ns <= due_ns)
        place = &(*place)->next;
    h->next = *place;
    *place = h;
    if (!h->next)
        q->last = h;
    q->packets++;
    q->bytes += h->packet.length_bytes;
}

static struct held *take_first(struct queue *q)
{
    struct held *h = q->first;
    q->first = h->next;
    if (!q->first)
        q->last = NULL;
    q->packets--;
    q->bytes -= h->packet.length_bytes;
    return h;
}

static void free_list(struct held *h)
{
    while (h) {
        struct held *next = h->next;
        free(h);
        h = next;
    }
}

/* ---- receiving ------------------------------------------------------------------------------ */

/* What a receive fills in. */
struct basket {
    struct hf_packet *packets;
    size_t n, max;
};

static void lend(struct spoil *s, struct basket *b, struct held *h)
{
    h->next = s->lent;
    s->lent = h;
    b->packets[b->n++] = (struct hf_packet){.bytes = h->bytes,
                                            .length_bytes = h->packet.length_bytes,
                                            .segment_bytes = h->packet.segment_bytes,
                                            .flags = h->packet.flags};
}

static void lend_due(struct spoil *s, struct basket *b, hf_ns now)
{
    while (b->n < b->max && s->in.first && s->in.first->due_ns <= now)
        lend(s, b, take_first(&s->in));
}

/* The corrupted copy of an incoming packet; NULL: a super-packet, or no memory. */
static struct held *corrupted_in(struct spoil *s, const struct hf_packet *p, size_t rule)
{
    struct held *h = p->segment_bytes ? NULL : copy_in(p);
    if (h)
        corrupt(h, next_random(&s->random[rule]));
    return h;
}

static void take_in(struct spoil *s, struct basket *b, const struct hf_packet *p, hf_ns now)
{
    const struct hf_spoil_rule *r = judge(s, HF_SPOIL_IN, p->bytes, p->length_bytes);
    if (!r) {
        b->packets[b->n++] = *p;
        return;
    }
    switch (r->action) {
    case HF_SPOIL_DROP: return;
    case HF_SPOIL_DELAY: hold(s, &s->in, copy_in(p), hf_ns_add(now, r->delay_ns)); return;
    case HF_SPOIL_DUPLICATE:
        b->packets[b->n++] = *p;
        if (b->n < b->max)
            b->packets[b->n++] = *p;
        else
            hold(s, &s->in, copy_in(p), now);
        return;
    case HF_SPOIL_CORRUPT: {
        struct held *h = corrupted_in(s, p, (size_t)(r - s->rules));
        if (h)
            lend(s, b, h);
        return;
    }
    }
    HF_UNREACHABLE("take_in: no such action");
}

static int spoil_receive(struct hf_link *l, struct hf_packet *packets, size_t max)
{
    struct spoil *s = of(l);
    struct basket b = {packets, 0, max};
    struct hf_packet fresh[BATCH];
    free_list(s->lent);
    s->lent = NULL;
    hf_ns now = spoil_now(s);
    lend_due(s, &b, now);
    if (b.n == max)
        return (int)b.n;
    /* Half the room, so that each packet may come twice. */
    size_t ask = hf_min_size((max - b.n + 1) / 2, BATCH);
    int got = hf_link_receive(l->inner, fresh, ask);
    for (int i = 0; i < got; i++)
        take_in(s, &b, &fresh[i], now);
    return got < 0 && b.n == 0 ? got : (int)b.n;
}

/* ---- sending -------------------------------------------------------------------------------- */

static bool send_one(struct spoil *s, const struct hf_out_packet *p)
{
    return hf_link_send(s->link.inner, p, 1) == 1;
}

/* False: the inner link is full, and something that is due waits. */
static bool send_due(struct spoil *s, hf_ns now)
{
    while (s->out.first && s->out.first->due_ns <= now) {
        if (!send_one(s, &s->out.first->packet)) {
            s->retry_ns = hf_ns_add(now, busy_retry_ns);
            return false;
        }
        free(take_first(&s->out));
    }
    return true;
}

/* Now, or as soon as there is room. */
static void send_or_hold(struct spoil *s, const struct hf_out_packet *p, hf_ns now)
{
    if (send_one(s, p))
        return;
    hold(s, &s->out, copy_out(p), now);
    s->retry_ns = hf_ns_add(now, busy_retry_ns);
}

static void send_corrupted(struct spoil *s, const struct hf_out_packet *p, size_t rule, hf_ns now)
{
    struct held *h = p->segment_bytes ? NULL : copy_out(p);
    if (!h)
        return;
    corrupt(h, next_random(&s->random[rule]));
    send_or_hold(s, &h->packet, now);
    free(h);
}

static void take_out(struct spoil *s, const struct hf_out_packet *p, hf_ns now)
{
    const struct hf_spoil_rule *r = judge(s, HF_SPOIL_OUT, p->header, p->header_bytes);
    if (!r) {
        send_or_hold(s, p, now);
        return;
    }
    switch (r->action) {
    case HF_SPOIL_DROP: return;
    case HF_SPOIL_DELAY: hold(s, &s->out, copy_out(p), hf_ns_add(now, r->delay_ns)); return;
    case HF_SPOIL_DUPLICATE:
        send_or_hold(s, p, now);
        send_or_hold(s, p, now);
        return;
    case HF_SPOIL_CORRUPT: send_corrupted(s, p, (size_t)(r - s->rules), now); return;
    }
    HF_UNREACHABLE("take_out: no such action");
}

static int spoil_send(struct hf_link *l, const struct hf_out_packet *packets, size_t n)
{
    struct spoil *s = of(l);
    hf_ns now = spoil_now(s);
    for (size_t i = 0; i < n; i++) {
        if (!send_due(s, now))
            return (int)i;
        take_out(s, &packets[i], now);
    }
    return (int)n;
}

/* ---- the rest of the vtable ----------------------------------------------------------------- */

static hf_ns spoil_deadline(const struct hf_link *l)
{
    const struct spoil *s = (const struct spoil *)l;
    hf_ns at = hf_link_deadline(l->inner);
    if (s->in.first)
        at = hf_min_ns(at, s->in.first->due_ns);
    if (s->out.first)
        at = hf_min_ns(at, hf_max_ns(s->out.first->due_ns, s->retry_ns));
    return at;
}

static void spoil_expire(struct hf_link *l)
{
    struct spoil *s = of(l);
    hf_link_expire(l->inner);
    (void)send_due(s, spoil_now(s));
}

static void spoil_close(struct hf_link *l)
{
    struct spoil *s = of(l);
    free_list(s->lent);
    free_list(s->in.first);
    free_list(s->out.first);
    free(s);
}

static const struct hf_link_ops spoil_ops = {
    .receive = spoil_receive,
    .send = spoil_send,
    .deadline = spoil_deadline,
    .expire = spoil_expire,
    .close = spoil_close,
};

int hf_link_spoil(struct hf_link **out, struct hf_link *inner, const struct hf_spoil_rule *rules,
                  size_t count, hf_clock_fn *clock, void *clock_ctx, struct hf_why *why)
{
    if (count > HF_SPOIL_RULES_MAX)
        return hf_why_set(why, HF_E_INVALID, 0, "%zu fault rules: at most %d", count,
                          HF_SPOIL_RULES_MAX);
    for (size_t i = 0; i < count; i++)
        if (rules[i].occurrence == 0 || (int)rules[i].kind >= HF_SPOIL_KIND_COUNT)
            return hf_why_set(why, HF_E_INVALID, 0,
                              "fault rule %zu: occurrence must be 1 or more, kind one of the list",
                              i + 1);
    struct spoil *s = calloc(1, sizeof *s);
    if (!s)
        return hf_why_set(why, HF_E_MEMORY, ENOMEM, "fault rules: no memory");
    s->link = (struct hf_link){.ops = &spoil_ops, .inner = inner};
    s->clock = clock;
    s->clock_ctx = clock_ctx;
    s->rule_count = count;
    for (size_t i = 0; i < count; i++) {
        s->rules[i] = rules[i];
        /* Rules with the same seed must not throw the same dice. */
        s->random[i] = rules[i].seed + (uint64_t)i * 0xd1b54a32d192ed03u;
    }
    *out = &s->link;
    return HF_OK;
}

uint64_t hf_link_spoil_hits(const struct hf_link *l, size_t i)
{
    const struct spoil *s = (const struct spoil *)l;
    return i < s->rule_count ? s->hits[i] : 0;
}

uint64_t hf_link_spoil_overflow(const struct hf_link *l)
{
    return ((const struct spoil *)l)->overflow;
}
