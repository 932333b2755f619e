/**
 * Several stacks as one: each conversation belongs to one shard, by a hash of its ends under a
 * secret key. Who receives a packet of another's puts it into that one's ring and wakes it. So
 * every segment of a connection meets the stack that has it, whichever queue of a device it came
 * by.
 *
 * A group owns the rings, count * count of them; it lives until the last of its links is closed.
 * Cost of a packet of one's own: its header is parsed, and hashed by SipHash-1-3. Of another's: a
 * copy besides, and an eventfd written once a batch. A full ring loses what comes, as any full
 * queue.
 */
#include "ring.h"
#include "why.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/siphash.h"
#include "core/wire/icmp.h"

enum {
    SHARDS_MAX = 16,
    RING_BYTES = 4 << 20, /* more than a batch of super-packets */
    KEY_WORDS = 5,
    PORT_MIN = 1024,
};

struct group {
    unsigned count;
    struct hf_sip_key key;
    atomic_uint links;     /* that are open */
    struct hf_ring *rings; /* from i to j: i * count + j; none from i to i */
    struct shard **shards;
};

struct shard {
    struct hf_link link;
    struct group *group;
    unsigned own;
    _Atomic(struct hf_loop *) loop; /* to be woken; NULL: none yet */
    unsigned next;                  /* ring that is read first */
    bool device_first;              /* where there is room for one packet only */
    struct hf_shard_stats stats;
};

static struct shard *of(struct hf_link *l)
{
    return (struct shard *)l;
}

static const struct shard *of_const(const struct hf_link *l)
{
    return (const struct shard *)l;
}

static struct hf_ring *ring(const struct group *g, unsigned from, unsigned to)
{
    return &g->rings[(size_t)from * g->count + to];
}

/* ---- whose a packet is ---------------------------------------------------------------------- */

static unsigned owner_of(const struct group *g, const struct hf_endpoint *local,
                         const struct hf_endpoint *remote)
{
    uint64_t words[KEY_WORDS];
    memcpy(&words[0], local->addr.octets, sizeof local->addr.octets);
    memcpy(&words[2], remote->addr.octets, sizeof remote->addr.octets);
    words[4] = (uint64_t)local->port << 16 | remote->port;
    return (unsigned)(hf_siphash13_words(&g->key, words, KEY_WORDS) % g->count);
}

/* An error belongs to whoever sent what it quotes. What speaks of no connection, or is not
 * understood, stays where it is: any stack can answer or count it. */
static unsigned owner_of_icmp(const struct shard *s, const struct hf_ip *ip, const uint8_t *bytes)
{
    struct hf_icmp icmp;
    if (hf_icmp_parse(ip, bytes, ip->payload_bytes, true, &icmp) != HF_NONE ||
        icmp.kind != HF_ICMP_ERROR || !icmp.quoted_tcp)
        return s->own;
    struct hf_endpoint local = {icmp.quoted.source, icmp.quoted_source_port};
    struct hf_endpoint remote = {icmp.quoted.destination, icmp.quoted_destination_port};
    return owner_of(s->group, &local, &remote);
}

static unsigned owner_of_packet(const struct shard *s, const struct hf_packet *p)
{
    struct hf_ip ip;
    if (hf_ip_parse(p->bytes, p->length_bytes, &ip) != HF_NONE)
        return s->own;
    const uint8_t *bytes = p->bytes + ip.header_bytes;
    if (ip.protocol == (ip.version == 4 ? HF_IP_PROTO_ICMP : HF_IP_PROTO_ICMPV6))
        return owner_of_icmp(s, &ip, bytes);
    if (ip.protocol != HF_IP_PROTO_TCP || ip.payload_bytes < 4)
        return s->own;
    struct hf_endpoint local = {ip.destination, hf_get16(bytes + 2)};
    struct hf_endpoint remote = {ip.source, hf_get16(bytes)};
    return owner_of(s->group, &local, &remote);
}

/* ---- receiving ------------------------------------------------------------------------------ */

/* What others have handed over, beginning with another one each time. */
static size_t take_handed(struct shard *s, struct hf_packet *packets, size_t max)
{
    const struct group *g = s->group;
    size_t n = 0;
    for (unsigned i = 0; i < g->count; i++) {
        unsigned from = (s->next + i) % g->count;
        if (from == s->own)
            continue;
        hf_ring_release(ring(g, from, s->own)); /* of the receive before */
        while (n < max && hf_ring_take(ring(g, from, s->own), &packets[n]))
            n++;
    }
    s->next = (s->next + 1) % g->count;
    s->stats.taken += n;
    return n;
}

static void wake(const struct shard *s)
{
    struct hf_loop *loop = atomic_load_explicit(&s->loop, memory_order_acquire);
    if (loop != NULL)
        hf_loop_wake(loop);
}

/* Keeps those of our own, in their order; the others are handed over. How many are kept. */
static size_t sort_out(struct shard *s, struct hf_packet *packets, size_t n)
{
    const struct group *g = s->group;
    uint32_t met = 0; /* a bit for each of the others that is owed a call */
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned owner = owner_of_packet(s, &packets[i]);
        if (owner == s->own) {
            packets[kept++] = packets[i];
            continue;
        }
        bool has_room = hf_ring_put(ring(g, s->own, owner), &packets[i]);
        s->stats.handed += has_room;
        s->stats.lost += !has_room;
        met |= (uint32_t)1 << owner;
    }
    for (unsigned i = 0; met >> i != 0; i++)
        if ((met >> i & 1) != 0)
            wake(g->shards[i]);
    return kept;
}

/* Neither what others hand over nor the device keeps the other from being read. */
static int shard_receive(struct hf_link *l, struct hf_packet *packets, size_t max)
{
    struct shard *s = of(l);
    s->device_first = !s->device_first;
    size_t n = take_handed(s, packets, max > 1 ? max - max / 2 : !s->device_first);
    int more = n < max ? hf_link_receive(l->inner, packets + n, max - n) : 0;
    if (more < 0) {
        l->stats.last_errno = l->inner->stats.last_errno;
        return n > 0 ? (int)n : more;
    }
    return (int)(n + sort_out(s, packets + n, (size_t)more));
}

/* Due at once while something was handed over, for the descriptor tells of the device only; and
 * while so much is lent that there is little room, for the next receive gives it back. */
static hf_ns shard_deadline(const struct hf_link *l)
{
    const struct shard *s = of_const(l);
    for (unsigned i = 0; i < s->group->count; i++) {
        const struct hf_ring *r = ring(s->group, i, s->own);
        if (i != s->own && (hf_ring_has(r) || hf_ring_lent(r) > r->size_bytes / 2))
            return 0;
    }
    return hf_link_deadline(l->inner);
}

/* ---- the rest of the vtable ----------------------------------------------------------------- */

static int shard_send(struct hf_link *l, const struct hf_out_packet *packets, size_t n)
{
    return hf_link_send(l->inner, packets, n);
}

static void free_group(struct group *g)
{
    for (size_t i = 0; g->rings != NULL && i < (size_t)g->count * g->count; i++)
        if (g->rings[i].bytes != NULL)
            (void)munmap(g->rings[i].bytes, g->rings[i].size_bytes);
    for (unsigned i = 0; g->shards != NULL && i < g->count; i++)
        free(g->shards[i]);
    free(g->rings);
    free(g->shards);
    free(g);
}

/* Others may still put into its rings and wake it: all of it goes with the last one. */
static void shard_close(struct hf_link *l)
{
    struct group *g = of(l)->group;
    hf_link_shard_set_loop(l, NULL);
    if (atomic_fetch_sub_explicit(&g->links, 1, memory_order_acq_rel) == 1)
        free_group(g);
}

static const struct hf_link_ops shard_ops = {
    .receive = shard_receive,
    .send = shard_send,
    .deadline = shard_deadline,
    .close = shard_close,
};

/* ---- making --------------------------------------------------------------------------------- */

static bool make_ring(struct hf_ring *r)
{
    void *bytes =
        mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes == MAP_FAILED)
        return false;
    r->bytes = bytes;
    r->size_bytes = RING_BYTES;
    return true;
}

static bool make_rings(struct group *g)
{
    size_t n = (size_t)g->count * g->count;
    g->rings = aligned_alloc(_Alignof(struct hf_ring), n * sizeof *g->rings);
    if (g->rings == NULL)
        return false;
    memset(g->rings, 0, n * sizeof *g->rings);
    for (size_t i = 0; i < n; i++)
        if (i / g->count != i % g->count && !make_ring(&g->rings[i]))
            return false;
    return true;
}

static bool make_shards(struct group *g)
{
    g->shards = calloc(g->count, sizeof(struct shard *));
    for (unsigned i = 0; g->shards != NULL && i < g->count; i++) {
        struct shard *s = g->shards[i] = calloc(1, sizeof *s);
        if (s == NULL)
            return false;
        s->link.ops = &shard_ops;
        s->group = g;
        s->own = i;
    }
    return g->shards != NULL;
}

int hf_link_shards(struct hf_link **links, unsigned count, const uint8_t key[16],
                   struct hf_why *why)
{
    if (count == 0 || count > SHARDS_MAX)
        return hf_why_set(why, HF_E_INVALID, 0, "%u shards: 1 to %d", count, SHARDS_MAX);
    struct group *g = calloc(1, sizeof *g);
    if (g == NULL)
        return hf_why_set(why, HF_E_MEMORY, ENOMEM, "no memory for %u shards", count);
    g->count = count;
    memcpy(&g->key, key, sizeof g->key);
    if (!make_rings(g) || !make_shards(g)) {
        free_group(g);
        return hf_why_set(why, HF_E_MEMORY, ENOMEM, "no memory for %u shards", count);
    }
    atomic_init(&g->links, count);
    for (unsigned i = 0; i < count; i++) {
        g->shards[i]->link.inner = links[i];
        links[i] = &g->shards[i]->link;
    }
    return HF_OK;
}

/* ---- asking --------------------------------------------------------------------------------- */

unsigned hf_link_shard_of(const struct hf_link *l, const struct hf_endpoint *local,
                          const struct hf_endpoint *remote)
{
    return owner_of(of_const(l)->group, local, remote);
}

uint16_t hf_link_shard_port(const struct hf_link *l, const struct hf_addr *local,
                            const struct hf_endpoint *remote, uint16_t from)
{
    const struct shard *s = of_const(l);
    struct hf_endpoint end = {*local, from};
    for (uint32_t i = 0; i <= UINT16_MAX; i++, end.port++)
        if (end.port >= PORT_MIN && owner_of(s->group, &end, remote) == s->own)
            return end.port;
    return 0;
}

/* Woken once: who has handed over before could not tell it. */
void hf_link_shard_set_loop(struct hf_link *l, struct hf_loop *loop)
{
    atomic_store_explicit(&of(l)->loop, loop, memory_order_release);
    if (loop != NULL)
        hf_loop_wake(loop);
}

void hf_link_shard_stats(const struct hf_link *l, struct hf_shard_stats *stats)
{
    *stats = of_const(l)->stats;
}
