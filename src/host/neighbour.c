/**
 * The table of neighbours. See neighbour.h.
 *
 * Sets of eight by a keyed hash, so that nobody can choose whom he pushes out. Timers are few and
 * slow: the earliest is remembered, and when it is due all entries are looked at.
 */
#include "neighbour.h"

#include <stdlib.h>
#include <string.h>

#include "core/rate.h"
#include "core/siphash.h"
#include "core/wire/ip.h"

enum { WAYS = 8, SETS = HF_NEIGHBOURS_MAX / WAYS, TRIES = 3, QUESTIONS_BURST = 32 };

#define ASK_AGAIN_NS HF_SEC(1) /* [RFC1122#2.3.2.1] at most one a second; [RFC4861#10] */
#define TRUSTED_NS HF_SEC(30)  /* [RFC4861#10] REACHABLE_TIME */
#define IN_USE_NS HF_SEC(60)   /* not pushed out by somebody who only asked for us */
#define NEVER_USED_NS INT64_MIN

enum state {
    FREE,
    ASKED,     /* INCOMPLETE of [RFC4861#7.3.2]: no MAC yet */
    CONFIRMED, /* REACHABLE, and from trusted_until_ns on STALE */
    PROBED,    /* has a MAC that is used, and is asked whether it is right */
};

struct kept {
    struct kept *next;
    struct hf_out_packet packet;
    uint16_t type;
    uint8_t to[HF_MAC_BYTES];
    uint8_t bytes[];
};

struct neighbour {
    struct hf_addr addr;
    uint8_t mac[HF_MAC_BYTES];
    uint8_t state, tries, kept_count;
    hf_ns due_ns; /* of ASKED and PROBED: the next question, or the end */
    hf_ns trusted_until_ns;
    hf_ns used_ns;     /* when a packet last went to it */
    struct kept *kept; /* the oldest first */
};

_Static_assert(sizeof(struct neighbour) <= 64, "an entry");

/* A question or an answer that waits to leave. */
struct word {
    uint8_t to[HF_MAC_BYTES];
    uint16_t type, length_bytes;
    uint8_t bytes[HF_RESOLVE_MAX_BYTES];
};

struct hf_neighbours {
    uint8_t mac[HF_MAC_BYTES];
    struct hf_ether_address addrs[HF_ETHER_ADDRS_MAX];
    size_t addr_count;
    struct hf_addr gateway_v4, gateway_v6;
    struct hf_sip_key key;
    bool is_quiet;
    struct hf_rate questions;
    hf_ns next_ns;          /* no timer is due before */
    struct neighbour *last; /* that was found: most packets go where the one before went */
    struct neighbour table[SETS][WAYS];
    size_t kept_bytes;               /* of packets, in entries and in `ready` */
    struct kept *ready, **ready_end; /* whose way is known now */
    struct word words[HF_NEIGHBOURS_WORDS_MAX];
    size_t first_word, word_count;
    struct hf_ether_stats stats;
};

/* ---- addresses ------------------------------------------------------------------------------ */

static unsigned bits_in_mapped(const struct hf_ether_address *a)
{
    return a->prefix_bits + (hf_addr_is_v4(&a->addr) ? 96 : 0);
}

static bool is_own(const struct hf_neighbours *n, const struct hf_addr *addr)
{
    for (size_t i = 0; i < n->addr_count; i++)
        if (hf_addr_is_same(&n->addrs[i].addr, addr))
            return true;
    return false;
}

/* Our address on the same link; NULL: it is none of this link. */
static const struct hf_ether_address *link_of(const struct hf_neighbours *n,
                                              const struct hf_addr *addr)
{
    for (size_t i = 0; i < n->addr_count; i++)
        if (hf_addr_prefix_equal(&n->addrs[i].addr, addr, bits_in_mapped(&n->addrs[i])))
            return &n->addrs[i];
    return NULL;
}

/* fe80::/10: of this link wherever it is [RFC4291#2.5.6]. */
static bool is_link_local(const struct hf_addr *addr)
{
    return addr->octets[0] == 0xfe && (addr->octets[1] & 0xc0) == 0x80;
}

/* Who asks for it: our address on its link, or else the first of its family; NULL: none. */
static const struct hf_addr *asker_for(const struct hf_neighbours *n, const struct hf_addr *addr)
{
    const struct hf_ether_address *a = link_of(n, addr);
    for (size_t i = 0; a == NULL && i < n->addr_count; i++)
        if (hf_addr_is_v4(&n->addrs[i].addr) == hf_addr_is_v4(addr))
            a = &n->addrs[i];
    return a != NULL ? &a->addr : NULL;
}

/* Of a family that we have an address of, else nobody could ask for it. */
static bool is_near(const struct hf_neighbours *n, const struct hf_addr *addr)
{
    return (is_link_local(addr) && asker_for(n, addr) != NULL) ||
           hf_addr_is_same(addr, &n->gateway_v4) || hf_addr_is_same(addr, &n->gateway_v6) ||
           link_of(n, addr) != NULL;
}

/* To whom a packet is handed; NULL: to nobody. */
static const struct hf_addr *next_hop(const struct hf_neighbours *n, const struct hf_addr *to)
{
    if (is_own(n, to) || !hf_addr_is_unicast(to))
        return NULL;
    if (is_link_local(to) || link_of(n, to) != NULL)
        return to;
    const struct hf_addr *gateway = hf_addr_is_v4(to) ? &n->gateway_v4 : &n->gateway_v6;
    return hf_addr_is_any(gateway) ? NULL : gateway;
}

/* ---- what leaves ---------------------------------------------------------------------------- */

/* When too many wait, it is lost as on any full queue: questions come again, and so do askers. */
static void say(struct hf_neighbours *n, const struct hf_resolve_out *m,
                const uint8_t to[HF_MAC_BYTES])
{
    if (n->word_count == HF_NEIGHBOURS_WORDS_MAX)
        return;
    struct word *w = &n->words[(n->first_word + n->word_count++) % HF_NEIGHBOURS_WORDS_MAX];
    memcpy(w->to, to, HF_MAC_BYTES);
    w->type = hf_addr_is_v4(&m->own) ? HF_ETHER_ARP : HF_ETHER_IPV6;
    w->length_bytes = (uint16_t)hf_resolve_write(m, w->bytes);
    if (m->answers)
        n->stats.answers++;
    else
        n->stats.questions++;
}

/* Where what everybody is to hear goes. */
static void mac_of_all(const struct hf_addr *group, bool v4, uint8_t mac[HF_MAC_BYTES])
{
    if (v4)
        memset(mac, 0xff, HF_MAC_BYTES);
    else
        hf_multicast_mac(group, mac);
}

static void ask(struct hf_neighbours *n, struct neighbour *e, hf_ns now)
{
    const struct hf_addr *own = asker_for(n, &e->addr);
    struct hf_resolve_out m = {.other = e->addr, .is_unicast = e->state == PROBED};
    struct hf_addr group = hf_solicited_node(&e->addr);
    uint8_t to[HF_MAC_BYTES];
    e->tries++;
    e->due_ns = hf_ns_add(now, ASK_AGAIN_NS);
    n->next_ns = hf_min_ns(n->next_ns, e->due_ns);
    m.own = *own;
    memcpy(m.mac, n->mac, sizeof m.mac);
    mac_of_all(&group, hf_addr_is_v4(&e->addr), to);
    say(n, &m, m.is_unicast ? e->mac : to);
}

/* other unspecified: to all. */
static void answer(struct hf_neighbours *n, const struct hf_addr *own, const struct hf_addr *other,
                   const uint8_t other_mac[HF_MAC_BYTES])
{
    static const struct hf_addr all_nodes = {{0xff, 0x02, [15] = 1}};
    struct hf_resolve_out m = {.answers = true, .own = *own, .other = *other};
    uint8_t to[HF_MAC_BYTES];
    if (n->is_quiet)
        return;
    memcpy(m.mac, n->mac, sizeof m.mac);
    if (hf_addr_is_any(other)) {
        mac_of_all(&all_nodes, hf_addr_is_v4(own), to);
    } else {
        memcpy(m.other_mac, other_mac, sizeof m.other_mac);
        memcpy(to, other_mac, sizeof to);
    }
    say(n, &m, to);
}

bool hf_neighbours_output(struct hf_neighbours *n, struct hf_ether_frame *frame)
{
    *frame = (struct hf_ether_frame){.type = 0};
    if (n->word_count > 0) {
        const struct word *w = &n->words[n->first_word];
        memcpy(frame->to, w->to, sizeof frame->to);
        frame->type = w->type;
        frame->packet.header = w->bytes;
        frame->packet.header_bytes = w->length_bytes;
        frame->packet.length_bytes = w->length_bytes;
        return true;
    }
    const struct kept *k = n->ready;
    if (k == NULL)
        return false;
    memcpy(frame->to, k->to, sizeof frame->to);
    frame->type = k->type;
    frame->packet = k->packet;
    frame->rest = (struct hf_slice){k->bytes + k->packet.header_bytes,
                                    k->packet.length_bytes - k->packet.header_bytes};
    frame->packet.slices = &frame->rest;
    return true;
}

static void drop(struct hf_neighbours *n, struct kept *k)
{
    n->kept_bytes -= k->packet.length_bytes;
    free(k);
}

void hf_neighbours_sent(struct hf_neighbours *n)
{
    if (n->word_count > 0) {
        n->first_word = (n->first_word + 1) % HF_NEIGHBOURS_WORDS_MAX;
        n->word_count--;
        return;
    }
    struct kept *k = n->ready;
    if (k == NULL)
        return;
    n->ready = k->next;
    if (n->ready == NULL)
        n->ready_end = &n->ready;
    drop(n, k);
}

/* ---- packets that wait ---------------------------------------------------------------------- */

static void lose_oldest(struct hf_neighbours *n, struct neighbour *e)
{
    struct kept *k = e->kept;
    e->kept = k->next;
    e->kept_count--;
    n->stats.packets_lost++;
    drop(n, k);
}

static void release(struct hf_neighbours *n, struct neighbour *e)
{
    if (e->kept == NULL)
        return;
    *n->ready_end = e->kept;
    for (struct kept *k = e->kept; k != NULL; k = k->next) {
        memcpy(k->to, e->mac, sizeof k->to);
        n->ready_end = &k->next;
    }
    e->kept = NULL;
    e->kept_count = 0;
}

static void forget(struct hf_neighbours *n, struct neighbour *e)
{
    while (e->kept != NULL)
        lose_oldest(n, e);
    *e = (struct neighbour){.state = FREE, .due_ns = HF_NEVER};
}

static struct kept *copy_of(const struct hf_out_packet *p, uint16_t type)
{
    struct kept *k = malloc(sizeof *k + p->length_bytes);
    if (k == NULL)
        return NULL;
    *k = (struct kept){.packet = *p, .type = type};
    memcpy(k->bytes, p->header, p->header_bytes);
    size_t at = p->header_bytes;
    for (size_t i = 0; i < p->slice_count && at < p->length_bytes; i++) {
        size_t take = hf_min_size(p->slices[i].length_bytes, p->length_bytes - at);
        memcpy(k->bytes + at, p->slices[i].bytes, take);
        at += take;
    }
    k->packet.header = k->bytes;
    k->packet.slice_count = p->length_bytes > p->header_bytes;
    k->packet.slices = NULL;
    return k;
}

/* ---- the table ------------------------------------------------------------------------------ */

static struct neighbour *set_of(struct hf_neighbours *n, const struct hf_addr *addr)
{
    uint64_t words[2];
    memcpy(words, addr->octets, sizeof words);
    return n->table[hf_siphash13_pair(&n->key, words[0], words[1]) % SETS];
}

static struct neighbour *lookup(struct hf_neighbours *n, const struct hf_addr *addr)
{
    if (n->last->state != FREE && hf_addr_is_same(&n->last->addr, addr))
        return n->last;
    struct neighbour *set = set_of(n, addr);
    for (size_t i = 0; i < WAYS; i++)
        if (set[i].state != FREE && hf_addr_is_same(&set[i].addr, addr))
            return &set[i];
    return NULL;
}

/* Since when it rests. Who has not answered counts as one that was used a minute before: packets to
 * many who are not there push out nobody who is. */
static hf_ns rests_since(const struct neighbour *e)
{
    return e->state == ASKED ? e->used_ns - IN_USE_NS : e->used_ns;
}

/* A new entry, in place of the one of its set that rests longest; not of one that was used after
 * `spare_since_ns`: NULL then. */
static struct neighbour *insert(struct hf_neighbours *n, const struct hf_addr *addr,
                                hf_ns spare_since_ns)
{
    struct neighbour *set = set_of(n, addr), *place = &set[0];
    for (size_t i = 1; i < WAYS && place->state != FREE; i++)
        if (set[i].state == FREE || rests_since(&set[i]) < rests_since(place))
            place = &set[i];
    if (place->state != FREE && place->used_ns > spare_since_ns)
        return NULL;
    forget(n, place);
    place->addr = *addr;
    place->used_ns = NEVER_USED_NS;
    return place;
}

/* Whether it answers or is only heard of: only an answer is trusted. */
static void learn(struct hf_neighbours *n, struct neighbour *e, const uint8_t mac[HF_MAC_BYTES],
                  bool is_answer, hf_ns now)
{
    memcpy(e->mac, mac, sizeof e->mac);
    e->state = CONFIRMED;
    e->tries = 0;
    e->due_ns = HF_NEVER;
    e->trusted_until_ns = is_answer ? hf_ns_add(now, TRUSTED_NS) : now;
    n->stats.learned++;
    release(n, e);
}

/* ---- what comes in -------------------------------------------------------------------------- */

/* [RFC4861#7.2.5], and for ARP the same as if it were always to override [RFC826]. */
static void update(struct hf_neighbours *n, struct neighbour *e, const struct hf_resolve *m,
                   bool is_answer, hf_ns now)
{
    bool differs = m->has_mac && memcmp(e->mac, m->mac, sizeof e->mac) != 0;
    if (e->state == ASKED) {
        if (m->has_mac)
            learn(n, e, m->mac, is_answer, now);
    } else if (differs && !m->is_override) {
        e->trusted_until_ns = hf_min_ns(e->trusted_until_ns, now); /* one of the two is wrong */
    } else if (differs || is_answer) {
        learn(n, e, m->has_mac ? m->mac : e->mac, is_answer, now);
    }
}

static bool is_conflict(const struct hf_neighbours *n, const struct hf_resolve *m)
{
    return is_own(n, &m->about) && m->has_mac && memcmp(m->mac, n->mac, sizeof n->mac) != 0;
}

static enum hf_frame_fate take_question(struct hf_neighbours *n, const struct hf_resolve *m,
                                        const uint8_t from_mac[HF_MAC_BYTES], hf_ns now)
{
    bool is_for_us = is_own(n, &m->asked), v4 = hf_addr_is_v4(&m->asked);
    if (is_conflict(n, m)) {
        n->stats.conflicts++;
        return HF_FRAME_TAKEN;
    }
    if (is_own(n, &m->about)) /* our own words, back from somewhere */
        return HF_FRAME_TAKEN;
    struct neighbour *e = lookup(n, &m->about);
    /* RFC 826 merges what any request says, RFC 4861 only that of questions for us. */
    if (e != NULL && m->has_mac && (v4 || is_for_us))
        update(n, e, m, false, now);
    if (!is_for_us)
        return HF_FRAME_TAKEN;
    if (e == NULL && m->has_mac && !hf_addr_is_any(&m->about) && is_near(n, &m->about))
        e = insert(n, &m->about, now - IN_USE_NS);
    if (e != NULL && e->state == FREE)
        learn(n, e, m->mac, false, now);
    answer(n, &m->asked, &m->about, m->has_mac ? m->mac : from_mac);
    return HF_FRAME_TAKEN;
}

static enum hf_frame_fate take_answer(struct hf_neighbours *n, const struct hf_resolve *m,
                                      hf_ns now)
{
    struct neighbour *e = lookup(n, &m->about);
    if (is_conflict(n, m))
        n->stats.conflicts++;
    else if (e != NULL)
        update(n, e, m, m->solicited && is_own(n, &m->asked), now);
    else if (!is_own(n, &m->about))
        n->stats.unasked++;
    return HF_FRAME_TAKEN;
}

static enum hf_frame_fate take_message(struct hf_neighbours *n, enum hf_resolve_verdict verdict,
                                       const struct hf_resolve *m,
                                       const uint8_t from_mac[HF_MAC_BYTES], hf_ns now)
{
    switch (verdict) {
    case HF_RESOLVE_OTHER: return HF_FRAME_PACKET;
    case HF_RESOLVE_MALFORMED: return HF_FRAME_MALFORMED;
    case HF_RESOLVE_QUESTION: return take_question(n, m, from_mac, now);
    case HF_RESOLVE_ANSWER: return take_answer(n, m, now);
    case HF_RESOLVE_UNUSED: return HF_FRAME_TAKEN;
    }
    return HF_FRAME_MALFORMED;
}

/* Addressed to this station, and to an address of ours in it [RFC1122#3.3.6]. */
static enum hf_frame_fate judge_packet(const struct hf_neighbours *n, const uint8_t *frame,
                                       size_t bytes, bool v4)
{
    const uint8_t *packet = frame + HF_ETHER_HEADER_BYTES;
    struct hf_addr to;
    if (bytes < HF_ETHER_HEADER_BYTES + (size_t)(v4 ? HF_IPV4_HEADER_BYTES : HF_IPV6_HEADER_BYTES))
        return HF_FRAME_MALFORMED;
    if (memcmp(frame, n->mac, sizeof n->mac) != 0)
        return HF_FRAME_FOREIGN;
    if (v4)
        to = hf_addr_v4(packet[16], packet[17], packet[18], packet[19]);
    else
        memcpy(to.octets, packet + 24, sizeof to.octets);
    return is_own(n, &to) ? HF_FRAME_PACKET : HF_FRAME_FOREIGN;
}

enum hf_frame_fate hf_neighbours_input(struct hf_neighbours *n, const uint8_t *frame, size_t bytes,
                                       bool sum_known, hf_ns now)
{
    struct hf_resolve m = {.has_mac = false};
    if (bytes < HF_ETHER_HEADER_BYTES || (frame[HF_MAC_BYTES] & 1) != 0)
        return HF_FRAME_MALFORMED; /* no station is a group */
    bool is_to_us = memcmp(frame, n->mac, sizeof n->mac) == 0 || (frame[0] & 1) != 0;
    const uint8_t *inner = frame + HF_ETHER_HEADER_BYTES, *from_mac = frame + HF_MAC_BYTES;
    size_t inner_bytes = bytes - HF_ETHER_HEADER_BYTES;
    uint16_t type = hf_get16(frame + 2 * (size_t)HF_MAC_BYTES);
    if (!is_to_us)
        return HF_FRAME_FOREIGN;
    if (type == HF_ETHER_ARP)
        return take_message(n, hf_arp_read(inner, inner_bytes, &m), &m, from_mac, now);
    if (type == HF_ETHER_IPV4)
        return judge_packet(n, frame, bytes, true);
    if (type != HF_ETHER_IPV6)
        return HF_FRAME_FOREIGN;
    enum hf_resolve_verdict verdict = hf_nd_read(inner, inner_bytes, sum_known, &m);
    if (verdict == HF_RESOLVE_OTHER)
        return judge_packet(n, frame, bytes, false);
    return take_message(n, verdict, &m, from_mac, now);
}

/* ---- where to ------------------------------------------------------------------------------- */

static enum hf_way go_nowhere(struct hf_neighbours *n)
{
    n->stats.packets_lost++;
    return HF_WAY_NOWHERE;
}

static enum hf_way begin_to_ask(struct hf_neighbours *n, const struct hf_addr *hop, hf_ns now)
{
    struct neighbour *e = NULL;
    if (asker_for(n, hop) != NULL &&
        hf_rate_take(&n->questions, HF_NEIGHBOURS_QUESTIONS_PER_SECOND, QUESTIONS_BURST, now))
        e = insert(n, hop, HF_NEVER);
    if (e == NULL)
        return go_nowhere(n);
    e->state = ASKED;
    e->used_ns = now;
    ask(n, e, now);
    n->last = e;
    return HF_WAY_ASKED;
}

enum hf_way hf_neighbours_find(struct hf_neighbours *n, const struct hf_addr *to, hf_ns now,
                               uint8_t mac[HF_MAC_BYTES])
{
    const struct hf_addr *hop = next_hop(n, to);
    if (hop == NULL)
        return go_nowhere(n);
    struct neighbour *e = lookup(n, hop);
    if (e == NULL)
        return begin_to_ask(n, hop, now);
    n->last = e;
    e->used_ns = now;
    if (e->state == ASKED)
        return HF_WAY_ASKED;
    if (e->state == CONFIRMED && now >= e->trusted_until_ns) {
        e->state = PROBED;
        e->tries = 0;
        ask(n, e, now);
    }
    memcpy(mac, e->mac, HF_MAC_BYTES);
    return HF_WAY_KNOWN;
}

void hf_neighbours_keep(struct hf_neighbours *n, const struct hf_addr *to,
                        const struct hf_out_packet *p)
{
    const struct hf_addr *hop = next_hop(n, to);
    struct neighbour *e = hop != NULL ? lookup(n, hop) : NULL;
    struct kept *k = NULL;
    if (e != NULL && e->state == ASKED) {
        /* [RFC1122#2.3.2.2] the latest at least */
        if (e->kept_count == HF_NEIGHBOUR_KEPT_MAX)
            lose_oldest(n, e);
        while (e->kept != NULL && n->kept_bytes + p->length_bytes > HF_NEIGHBOURS_KEPT_BYTES)
            lose_oldest(n, e);
        if (n->kept_bytes + p->length_bytes <= HF_NEIGHBOURS_KEPT_BYTES)
            k = copy_of(p, hf_addr_is_v4(to) ? HF_ETHER_IPV4 : HF_ETHER_IPV6);
    }
    if (k == NULL) {
        n->stats.packets_lost++;
        return;
    }
    struct kept **end = &e->kept;
    while (*end != NULL)
        end = &(*end)->next;
    *end = k;
    e->kept_count++;
    n->kept_bytes += p->length_bytes;
}

/* ---- time ----------------------------------------------------------------------------------- */

hf_ns hf_neighbours_deadline(const struct hf_neighbours *n)
{
    return n->next_ns;
}

void hf_neighbours_expire(struct hf_neighbours *n, hf_ns now)
{
    if (now < n->next_ns)
        return;
    n->next_ns = HF_NEVER;
    for (size_t i = 0; i < HF_NEIGHBOURS_MAX; i++) {
        struct neighbour *e = &n->table[i / WAYS][i % WAYS];
        if (e->state != ASKED && e->state != PROBED)
            continue;
        if (e->due_ns > now) {
            n->next_ns = hf_min_ns(n->next_ns, e->due_ns);
        } else if (e->tries < TRIES) {
            ask(n, e, now);
        } else {
            n->stats.silent++;
            forget(n, e);
        }
    }
}

/* ---- making --------------------------------------------------------------------------------- */

struct hf_neighbours *hf_neighbours_new(const struct hf_neighbours_config *cfg)
{
    struct hf_neighbours *n = calloc(1, sizeof *n);
    if (n == NULL)
        return NULL;
    memcpy(n->mac, cfg->mac, sizeof n->mac);
    n->addr_count = hf_min_size(cfg->addr_count, HF_ETHER_ADDRS_MAX);
    memcpy(n->addrs, cfg->addrs, n->addr_count * sizeof n->addrs[0]);
    n->gateway_v4 = cfg->gateway_v4;
    n->gateway_v6 = cfg->gateway_v6;
    memcpy(&n->key, cfg->key, sizeof n->key);
    n->is_quiet = cfg->is_quiet;
    n->next_ns = HF_NEVER;
    n->last = &n->table[0][0];
    n->ready_end = &n->ready;
    for (size_t i = 0; i < n->addr_count; i++)
        answer(n, &n->addrs[i].addr, &HF_ADDR_ANY, n->mac);
    return n;
}

void hf_neighbours_free(struct hf_neighbours *n)
{
    if (n == NULL)
        return;
    for (size_t i = 0; i < HF_NEIGHBOURS_MAX; i++)
        forget(n, &n->table[i / WAYS][i % WAYS]);
    while (n->ready != NULL) {
        struct kept *next = n->ready->next;
        free(n->ready);
        n->ready = next;
    }
    free(n);
}

void hf_neighbours_stats(const struct hf_neighbours *n, struct hf_ether_stats *stats)
{
    *stats = n->stats;
}
