/**
 * The stack: creation, demultiplexing, and the four verbs input, output, deadline, expire.
 */
#include "config.h"
#include "emit.h"
#include "timers.h"
#include "tuples.h"

enum {
    CONN_CHUNK_BYTES = 48 * 1024,
    ENTRY_CHUNK_BYTES = 64 * 1024,
    SMALL_CHUNK_BYTES = 4 * 1024,
    LISTENERS_MAX = 65536,
    INPUT_BATCH = 32, /* packets that are taken apart ahead */
    FETCH_FROM = 4,   /* so many at least, for whose entries it is worth it to look ahead */
};

void hf_stack_take_time(struct hf_stack *s, hf_ns now)
{
    hf_ns own_ns = hf_stack_own_time(s, now);
    if (own_ns < s->p.now_ns) {
        hf_trace_stranger(s, HF_TRACE_LIMIT, HF_CLOCK_BACK, NULL, NULL, now,
                          hf_stack_caller_time(s, s->p.now_ns), NULL);
        return;
    }
    s->p.now_ns = own_ns;
    s->p.told_ns = now;
}

uint32_t hf_stack_ts_offset(struct hf_stack *s, const struct hf_addr *local,
                            const struct hf_addr *remote)
{
    struct hf_recent_offset *r = &s->recent_offset;
    if (!hf_addr_is_same(&r->remote, remote) || !hf_addr_is_same(&r->local, local))
        *r = (struct hf_recent_offset){*local, *remote, hf_ts_offset(&s->p.ts_key, local, remote)};
    return r->offset;
}

static struct hf_wheel_node *wheel_node(void *owner, uint32_t ref)
{
    struct hf_stack *s = owner;
    uint32_t index = hf_ref_index(ref);
    switch (hf_ref_kind(ref)) {
    case HF_REF_CONN: return &hf_conn_at(s, index)->wheel;
    case HF_REF_HALF_OPEN: return &hf_half_open_at(s, index)->wheel;
    case HF_REF_TIME_WAIT: return &hf_time_wait_at(s, index)->wheel;
    }
    HF_UNREACHABLE("wheel_node: unknown kind");
}

static void init_plain(struct hf_stack_plain *p, const struct hf_config *cfg,
                       const struct hf_env *env, hf_ns now)
{
    hf_config_complete(&p->cfg, cfg);
    p->now_ns = p->told_ns = now;
    hf_random_init(&p->random, env->seed);
    p->table_key = hf_random_key(&p->random);
    p->isn_key = hf_random_key(&p->random);
    p->ts_key = hf_random_key(&p->random);
    p->port_key = hf_random_key(&p->random);
    p->port_counter = (uint32_t)hf_random_next(&p->random);
    hf_cookie_keys_init(&p->cookie_keys, &p->random, now);
    p->cookie_sent_at = HF_NEVER;
    p->ready = p->output = p->waiting = (struct hf_list){HF_NIL, HF_NIL, 0};
    p->gaps_head = HF_NIL;
    p->shard = env->shard;
}

/** Shares of senders and windows are those of what there can be: half of all memory at most. */
static uint64_t pool_bytes_of(const struct hf_config *cfg)
{
    uint64_t pool = (uint64_t)cfg->pool_bytes, half = (uint64_t)cfg->memory_bytes / 2;
    return half > 0 ? hf_min_u64(pool, half) : pool;
}

static void init_containers(struct hf_stack *s)
{
    const struct hf_config *cfg = &s->p.cfg;
    struct hf_mem *mem = &s->mem;
    uint32_t conns = (uint32_t)cfg->max_connections;
    uint32_t half_opens = (uint32_t)cfg->max_half_open;
    uint32_t time_waits = (uint32_t)cfg->max_time_wait;
    hf_pool_init(&s->conns, mem, sizeof(struct hf_conn), CONN_CHUNK_BYTES, conns);
    hf_pool_init(&s->half_opens, mem, sizeof(struct hf_half_open), ENTRY_CHUNK_BYTES, half_opens);
    hf_pool_init(&s->time_waits, mem, sizeof(struct hf_time_wait), ENTRY_CHUNK_BYTES, time_waits);
    hf_pool_init(&s->flights, mem, sizeof(struct hf_flight), ENTRY_CHUNK_BYTES, conns);
    hf_pool_init(&s->runs_some, mem, HF_RUNS_SOME * sizeof(struct hf_run), ENTRY_CHUNK_BYTES,
                 conns);
    hf_pool_init(&s->runs_many, mem, HF_RUNS_MANY * sizeof(struct hf_run), ENTRY_CHUNK_BYTES,
                 conns);
    hf_pool_init(&s->runs_most, mem, HF_RUNS_MAX * sizeof(struct hf_run), ENTRY_CHUNK_BYTES, conns);
    hf_pool_init(&s->listeners, mem, sizeof(struct hf_listener), SMALL_CHUNK_BYTES, LISTENERS_MAX);
    hf_pool_init(&s->locals, mem, sizeof(struct hf_local), SMALL_CHUNK_BYTES,
                 conns + half_opens + time_waits);
    hf_pool_init(&s->remote_counts, mem, sizeof(struct hf_remote_count), SMALL_CHUNK_BYTES, conns);
    hf_blocks_init(&s->blocks, mem, (uint32_t)cfg->block_bytes, pool_bytes_of(cfg));
    hf_table_init(&s->table, mem);
    hf_table_init(&s->listener_table, mem);
    hf_table_init(&s->local_table, mem);
    hf_table_init(&s->remote_count_table, mem);
    HF_ASSERT(hf_pool_is_sized(&s->conns, sizeof(struct hf_conn), HF_CONN_SHIFT) &&
              hf_pool_is_sized(&s->flights, sizeof(struct hf_flight), HF_FLIGHT_SHIFT) &&
              hf_pool_is_sized(&s->half_opens, sizeof(struct hf_half_open), HF_ENTRY_SHIFT) &&
              hf_pool_is_sized(&s->time_waits, sizeof(struct hf_time_wait), HF_ENTRY_SHIFT) &&
              hf_pool_is_sized(&s->locals, sizeof(struct hf_local), HF_LOCAL_SHIFT) &&
              hf_pool_is_sized(&s->listeners, sizeof(struct hf_listener), HF_LISTENER_SHIFT));
    hf_wheel_init(&s->wheel, wheel_node, s, s->p.now_ns);
    s->reserved_conn = s->reserved_block = HF_NIL;
    s->recent_local = HF_NIL;
    s->recent_listener.index = HF_NIL;
    s->recent_tuple.ref = HF_NIL;
}

static size_t reply_ring_bytes(const struct hf_config *cfg)
{
    return (size_t)cfg->reply_ring * sizeof(struct hf_reply);
}

struct hf_stack *hf_stack_allocate(const struct hf_config *cfg, const struct hf_env *env, hf_ns now)
{
    struct hf_mem mem = {.realloc = env->realloc, .ctx = env->realloc_ctx};
    struct hf_stack *s = hf_mem_take(&mem, sizeof *s);
    if (s == NULL)
        return NULL;
    memset(s, 0, sizeof *s);
    init_plain(&s->p, cfg, env, now);
    mem.limit_bytes = (uint64_t)s->p.cfg.memory_bytes;
    s->replies = hf_mem_take(&mem, reply_ring_bytes(&s->p.cfg));
    if (s->replies == NULL) {
        hf_mem_give(&mem, s, sizeof *s);
        return NULL;
    }
    s->mem = mem;
    s->trace = env->trace;
    s->trace_ctx = env->trace_ctx;
    s->options = hf_options_of(&s->p.cfg);
    init_containers(s);
    return s;
}

int hf_stack_new(struct hf_stack **out, const struct hf_config *cfg, const struct hf_env *env,
                 hf_ns now)
{
    if (cfg == NULL || env == NULL || env->realloc == NULL || hf_config_check(cfg, NULL) != HF_OK)
        return HF_E_INVALID;
    struct hf_stack *s = hf_stack_allocate(cfg, env, now);
    if (s == NULL)
        return HF_E_MEMORY;
    *out = s;
    return HF_OK;
}

void hf_stack_free(struct hf_stack *s)
{
    if (s == NULL)
        return;
    struct hf_mem *mem = &s->mem;
#define FREE_POOL(name, member) hf_pool_free(&s->member);
#define FREE_TABLE(name, member) hf_table_free(&s->member);
    HF_STACK_POOLS(FREE_POOL)
    HF_STACK_TABLES(FREE_TABLE)
#undef FREE_POOL
#undef FREE_TABLE
    hf_mem_give(mem, s->replies, reply_ring_bytes(&s->p.cfg));
    HF_ASSERT(mem->taken_bytes == sizeof *s);
    struct hf_mem last = *mem;
    hf_mem_give(&last, s, sizeof *s);
}

/* Every public call that may follow hf_send_reserve or hf_stack_output ends what they lent. */
void hf_stack_take_back(struct hf_stack *s)
{
    s->reserved_conn = HF_NIL;
    if (s->reserved_block != HF_NIL) {
        hf_blocks_give(&s->blocks, s->reserved_block);
        s->reserved_block = HF_NIL;
    }
    for (uint32_t i = 0; i < s->given_count; i++)
        hf_blocks_give(&s->blocks, s->given_blocks[i]);
    s->given_count = 0;
}

static void trim(struct hf_stack *s)
{
    hf_local_drop_idle(s);
#define TRIM_POOL(name, member) hf_pool_trim(&s->member);
#define TRIM_TABLE(name, member) hf_table_trim(&s->member);
    HF_STACK_POOLS(TRIM_POOL)
    HF_STACK_TABLES(TRIM_TABLE)
#undef TRIM_POOL
#undef TRIM_TABLE
}

void hf_stack_trim(struct hf_stack *s)
{
    hf_stack_end_loans(s);
    trim(s);
}

/** The budget was met: what one kind of entries has left free comes back for others, else a flood
 *  of SYNs would have it for ever. Once a second at most, for it goes over all chunks. */
__attribute__((noinline)) static void make_room(struct hf_stack *s)
{
    if (s->p.now_ns - s->trimmed_at < HF_SEC(1))
        return;
    s->trimmed_at = s->p.now_ns;
    s->mem.refused = false;
    trim(s);
}

/* ---- tuples ------------------------------------------------------------------------------- */

uint32_t hf_tuple_hash(const struct hf_stack *s, const struct hf_endpoint *local,
                       const struct hf_endpoint *remote)
{
    uint32_t ports = (uint32_t)local->port << 16 | remote->port;
    if (hf_addr_is_mapped(&remote->addr)) {
        uint64_t from = hf_get32(local->addr.octets + 12);
        uint64_t to = hf_get32(remote->addr.octets + 12);
        return (uint32_t)hf_siphash13_12(&s->p.table_key, from << 32 | to, ports);
    }
    uint64_t words[5];
    memcpy(words, local->addr.octets, 16);
    memcpy(words + 2, remote->addr.octets, 16);
    words[4] = ports;
    return (uint32_t)hf_siphash13_words(&s->p.table_key, words, 5);
}

/** The head that all kinds of entries share, wherever it lies in them. */
struct tuple_view {
    const struct hf_addr *remote;
    uint32_t local;
    uint16_t local_port, remote_port;
};

static struct tuple_view tuple_of(const struct hf_stack *s, uint32_t ref)
{
    uint32_t i = hf_ref_index(ref);
    switch (hf_ref_kind(ref)) {
    case HF_REF_CONN: {
        const struct hf_conn *c = hf_conn_at(s, i);
        return (struct tuple_view){&c->remote, c->local, c->local_port, c->remote_port};
    }
    case HF_REF_HALF_OPEN: {
        const struct hf_half_open *h = hf_half_open_at(s, i);
        return (struct tuple_view){&h->remote, h->local, h->local_port, h->remote_port};
    }
    case HF_REF_TIME_WAIT: {
        const struct hf_time_wait *t = hf_time_wait_at(s, i);
        return (struct tuple_view){&t->remote, t->local, t->local_port, t->remote_port};
    }
    }
    HF_UNREACHABLE("tuple_of: unknown kind");
}

static inline bool has_tuple(const struct hf_stack *s, uint32_t ref,
                             const struct hf_endpoint *local, const struct hf_endpoint *remote)
{
    struct tuple_view t = tuple_of(s, ref);
    return t.remote_port == remote->port && t.local_port == local->port &&
           hf_addr_is_same(t.remote, &remote->addr) &&
           hf_addr_is_same(hf_local_addr(s, t.local), &local->addr);
}

uint32_t hf_tuple_find(const struct hf_stack *s, uint32_t hash, const struct hf_endpoint *local,
                       const struct hf_endpoint *remote)
{
    struct hf_table_probe probe = hf_table_find(&s->table, hash);
    for (uint32_t ref = hf_table_next(&probe); ref != HF_NIL; ref = hf_table_next(&probe))
        if (has_tuple(s, ref, local, remote))
            return ref;
    return HF_NIL;
}

static inline bool is_recent_tuple(const struct hf_stack *s, const struct hf_endpoint *local,
                                   const struct hf_endpoint *remote)
{
    const struct hf_recent_tuple *r = &s->recent_tuple;
    return r->ref != HF_NIL && r->remote.port == remote->port && r->local.port == local->port &&
           hf_addr_is_same(&r->remote.addr, &remote->addr) &&
           hf_addr_is_same(&r->local.addr, &local->addr);
}

void hf_tuple_replace(struct hf_stack *s, uint32_t hash, uint32_t old_ref, uint32_t new_ref)
{
    hf_table_replace(&s->table, hash, old_ref, new_ref);
    if (s->recent_tuple.ref == old_ref)
        s->recent_tuple.ref = new_ref;
}

void hf_tuple_remove(struct hf_stack *s, uint32_t hash, uint32_t ref)
{
    hf_table_remove(&s->table, hash, ref);
    if (s->recent_tuple.ref == ref)
        s->recent_tuple.ref = HF_NIL;
}

/** An entry comes into the cache, if this is the reference of one. */
static void fetch_entry(const struct hf_stack *s, uint32_t ref)
{
    if (ref == HF_NIL || ref == HF_TABLE_FURTHER)
        return;
    uint32_t index = hf_ref_index(ref);
    switch (hf_ref_kind(ref)) {
    case HF_REF_CONN: hf_fetch(hf_conn_at(s, index), sizeof(struct hf_conn)); return;
    case HF_REF_HALF_OPEN: hf_fetch(hf_half_open_at(s, index), sizeof(struct hf_half_open)); return;
    case HF_REF_TIME_WAIT: hf_fetch(hf_time_wait_at(s, index), sizeof(struct hf_time_wait)); return;
    }
}

/* ---- input -------------------------------------------------------------------------------- */

__attribute__((noinline)) static void trace_arrival(struct hf_stack *s, const struct hf_arrival *in,
                                                    uint32_t ref)
{
    if (ref != HF_NIL && hf_ref_kind(ref) == HF_REF_CONN)
        hf_trace_conn(s, hf_conn_at(s, hf_ref_index(ref)), HF_TRACE_SEGMENT_IN, HF_NONE, 0, 0,
                      in->seg);
    else
        hf_trace_stranger(s, HF_TRACE_SEGMENT_IN, HF_NONE, &in->local, &in->remote, 0, 0, in->seg);
}

/** Not addresses that no unicast packet can have [MUST-57] [MUST-63]. */
static bool is_unicast(const struct hf_stack *s, const struct hf_addr *source,
                       const struct hf_addr *destination)
{
    return hf_addr_is_unicast(source) && hf_addr_is_unicast(destination) &&
           !hf_local_is_broadcast(s, destination) && !hf_local_is_broadcast(s, source);
}

static inline enum hf_reason tcp_input(struct hf_stack *s, const struct hf_arrival *in,
                                       uint32_t ref)
{
    /* A known tuple passed this once. */
    if (ref == HF_NIL && !is_unicast(s, &in->remote.addr, &in->local.addr))
        return HF_DROP_IP_ADDRESS;
    s->p.segments_in++;
    if (s->trace != NULL)
        trace_arrival(s, in, ref);
    if (ref == HF_NIL) {
        hf_listener_input(s, in);
        return HF_NONE;
    }
    switch (hf_ref_kind(ref)) {
    case HF_REF_CONN: hf_conn_input(s, hf_conn_at(s, hf_ref_index(ref)), in); break;
    case HF_REF_HALF_OPEN: hf_half_open_input(s, hf_ref_index(ref), in); break;
    case HF_REF_TIME_WAIT: hf_time_wait_input(s, hf_ref_index(ref), in); break;
    }
    return HF_NONE;
}

/** Faults that a right checksum does not make good. */
static enum hf_reason check_segment(const struct hf_packet *p, const struct hf_segment *seg)
{
    if (seg->source_port == 0 || seg->destination_port == 0)
        return HF_DROP_TCP_PORT;
    if (p->segment_bytes > 0 && (seg->flags & (HF_SYN | HF_RST)) != 0 && seg->payload_bytes > 0)
        return HF_DROP_SUPER_PACKET;
    return HF_NONE;
}

/** A packet, taken apart. */
struct inbound {
    const struct hf_packet *packet;
    struct hf_segment seg;
    struct hf_arrival in; /**< if has_arrived: of TCP, and no fault but HF_DROP_TCP_OPTION */
    struct hf_ip ip;      /**< if not */
    bool has_arrived;
    uint32_t guess;       /**< hf_table_guess, when entries were fetched */
    enum hf_reason fault; /**< why it is dropped, once its checksum is known to be right */
};

static bool is_checksum_known(const struct hf_packet *p)
{
    return (p->flags & (HF_PACKET_CSUM_VALID | HF_PACKET_CSUM_PARTIAL)) != 0;
}

/** Takes the TCP header apart that follows an IP header. */
static inline void take_segment(const struct hf_packet *p, size_t ip_bytes, uint32_t tcp_bytes,
                                struct inbound *i)
{
    const uint8_t *bytes = p->bytes + ip_bytes;
    struct hf_segment *seg = &i->seg;
    i->fault = hf_tcp_parse(bytes, tcp_bytes, seg);
    i->has_arrived = i->fault != HF_DROP_TCP_TRUNCATED && i->fault != HF_DROP_TCP_HEADER;
    if (!i->has_arrived)
        return;
    struct hf_arrival *in = &i->in;
    in->seg = seg;
    in->payload = bytes + seg->header_bytes;
    in->full_sized = (uint16_t)hf_min_u32(
        p->segment_bytes > 0 ? p->segment_bytes : seg->payload_bytes, UINT16_MAX);
    in->local.port = seg->destination_port;
    in->remote.port = seg->source_port;
}

/** What take_apart does with any packet. */
__attribute__((noinline)) static void take_any_apart(const struct hf_packet *p, struct inbound *i)
{
    i->has_arrived = false;
    i->fault = hf_ip_parse(p->bytes, p->length_bytes, &i->ip);
    if (i->fault != HF_NONE || i->ip.protocol != HF_IP_PROTO_TCP)
        return;
    i->in.local.addr = i->ip.destination;
    i->in.remote.addr = i->ip.source;
    take_segment(p, i->ip.header_bytes, i->ip.payload_bytes, i);
}

/** Takes a packet apart. Looks at nothing of the stack, and hashes nothing. */
static inline void take_apart(const struct hf_packet *p, struct inbound *i)
{
    i->packet = p;
    if (!hf_ip_is_plain_tcp(p->bytes, p->length_bytes)) {
        take_any_apart(p, i);
        return;
    }
    i->in.local.addr = hf_ip_plain_destination(p->bytes);
    i->in.remote.addr = hf_ip_plain_source(p->bytes);
    take_segment(p, HF_IPV4_HEADER_BYTES, hf_ip_plain_payload_bytes(p->bytes), i);
}

/** The entry of a tuple that is hashed already. Out of line: mostly it is the recent one. */
__attribute__((noinline)) static uint32_t find_hashed(struct hf_stack *s,
                                                      const struct hf_arrival *in)
{
    uint32_t ref = hf_tuple_find(s, in->hash, &in->local, &in->remote);
    if (ref != HF_NIL)
        hf_tuple_remember(s, in->hash, &in->local, &in->remote, ref);
    return ref;
}

/** Hashes a tuple, and finds its entry. */
static inline uint32_t find(struct hf_stack *s, struct hf_arrival *in)
{
    bool recent = is_recent_tuple(s, &in->local, &in->remote);
    in->hash = recent ? s->recent_tuple.hash : hf_tuple_hash(s, &in->local, &in->remote);
    HF_DEBUG_ASSERT(in->hash == hf_tuple_hash(s, &in->local, &in->remote));
    HF_DEBUG_ASSERT(!recent ||
                    s->recent_tuple.ref == hf_tuple_find(s, in->hash, &in->local, &in->remote));
    return recent ? s->recent_tuple.ref : find_hashed(s, in);
}

/** Checks the checksum and the addresses, and hands the segment on; or the reason not to. */
static inline enum hf_reason tcp_packet(struct hf_stack *s, const struct inbound *i, uint32_t ref)
{
    enum hf_reason fault = i->fault;
    const struct hf_arrival *in = &i->in;
    bool known = is_checksum_known(i->packet);
    enum hf_fast_path fast = HF_FAST_PATH_NOT;
    if (fault == HF_NONE && ref != HF_NIL && hf_ref_kind(ref) == HF_REF_CONN)
        fast = hf_fast_path_input(s, hf_conn_at(s, hf_ref_index(ref)), in, known);
    if (fast == HF_FAST_PATH_TAKEN)
        return HF_NONE;
    if (fast == HF_FAST_PATH_WRONG || (!known && !hf_arrival_is_whole(in)))
        return HF_DROP_TCP_CHECKSUM; /* [MUST-3] */
    if (fault == HF_NONE)
        fault = check_segment(i->packet, &i->seg);
    return fault == HF_NONE ? tcp_input(s, in, ref) : fault;
}

/** Out of line, as what else is rare here: the common way then keeps what it needs in registers. */
__attribute__((noinline)) static enum hf_reason other_packet(struct hf_stack *s,
                                                             const struct inbound *i)
{
    const struct hf_ip *ip = &i->ip;
    if (i->fault != HF_NONE)
        return i->fault;
    if (ip->protocol != (ip->version == 4 ? HF_IP_PROTO_ICMP : HF_IP_PROTO_ICMPV6))
        return HF_DROP_IP_PROTOCOL;
    if (!is_unicast(s, &ip->source, &ip->destination))
        return HF_DROP_IP_ADDRESS;
    hf_icmp_input(s, ip, i->packet->bytes + ip->header_bytes, is_checksum_known(i->packet));
    return HF_NONE;
}

static void count_packet(struct hf_stack *s, const struct hf_packet *p)
{
    s->p.packets_in++;
    s->p.bytes_in += p->length_bytes;
}

static inline void drop_if(struct hf_stack *s, enum hf_reason fault)
{
    if (fault != HF_NONE)
        hf_trace_stranger(s, HF_TRACE_DROP, fault, NULL, NULL, 0, 0, NULL);
}

static void packet_input(struct hf_stack *s, const struct hf_packet *p)
{
    struct inbound i;
    take_apart(p, &i);
    count_packet(s, p);
    drop_if(s, i.has_arrived ? tcp_packet(s, &i, find(s, &i.in)) : other_packet(s, &i));
}

/** Of very many connections few are in the cache: the waits for the others run side by side. */
static void fetch_entries(struct hf_stack *s, struct inbound *inbound, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct hf_arrival *in = &inbound[i].in;
        if (!inbound[i].has_arrived)
            continue;
        in->hash = is_recent_tuple(s, &in->local, &in->remote)
                       ? s->recent_tuple.hash
                       : hf_tuple_hash(s, &in->local, &in->remote);
        hf_table_fetch(&s->table, in->hash);
    }
    for (size_t i = 0; i < n; i++) {
        if (!inbound[i].has_arrived)
            continue;
        inbound[i].guess = hf_table_guess(&s->table, inbound[i].in.hash);
        fetch_entry(s, inbound[i].guess);
    }
}

/** The guess is right: the table is as it was, when it had changed so often. */
static inline bool guess_holds(const struct hf_stack *s, const struct inbound *i, uint64_t changes)
{
    if (s->table.changes != changes || i->guess == HF_TABLE_FURTHER)
        return false;
    return i->guess == HF_NIL || has_tuple(s, i->guess, &i->in.local, &i->in.remote);
}

static uint32_t find_fetched(struct hf_stack *s, const struct inbound *i, uint64_t changes)
{
    const struct hf_arrival *in = &i->in;
    if (in->hash == s->recent_tuple.hash && is_recent_tuple(s, &in->local, &in->remote))
        return s->recent_tuple.ref;
    if (!guess_holds(s, i, changes))
        return find_hashed(s, in);
    HF_DEBUG_ASSERT(i->guess == hf_tuple_find(s, in->hash, &in->local, &in->remote));
    if (i->guess != HF_NIL)
        hf_tuple_remember(s, in->hash, &in->local, &in->remote, i->guess);
    return i->guess;
}

__attribute__((noinline)) static void batch_input(struct hf_stack *s,
                                                  const struct hf_packet *packets, size_t n)
{
    struct inbound inbound[INPUT_BATCH];
    for (size_t i = 0; i < n; i++)
        take_apart(&packets[i], &inbound[i]);
    fetch_entries(s, inbound, n);
    uint64_t changes = s->table.changes;
    for (size_t i = 0; i < n; i++) {
        const struct inbound *p = &inbound[i];
        count_packet(s, &packets[i]);
        drop_if(s, p->has_arrived ? tcp_packet(s, p, find_fetched(s, p, changes))
                                  : other_packet(s, p));
    }
}

void hf_stack_input(struct hf_stack *s, const struct hf_packet *packets, size_t n, hf_ns now)
{
    hf_stack_end_loans(s);
    hf_stack_set_now(s, now);
    if (s->mem.refused)
        make_room(s);
    while (n >= FETCH_FROM) {
        size_t batch = hf_min_size(n, INPUT_BATCH);
        batch_input(s, packets, batch);
        packets += batch;
        n -= batch;
    }
    for (size_t i = 0; i < n; i++)
        packet_input(s, &packets[i]);
    hf_wake_waiting(s);
}

/* ---- output ------------------------------------------------------------------------------- */

static size_t conns_output(struct hf_stack *s, struct hf_out_packet *packets, size_t max)
{
    size_t n = 0;
    while (n < max && s->p.output.head != HF_NIL &&
           s->slices_used + HF_OUTPUT_SLICES_EACH <= HF_OUTPUT_SLICES) {
        struct hf_conn *c = hf_conn_at(s, s->p.output.head);
        enum hf_turn turn = hf_output_usual(s, c, s->headers[n], &packets[n]);
        if (turn == HF_TURN_NOTHING)
            turn = hf_output_conn(s, c, s->headers[n], &packets[n]);
        if (turn != HF_TURN_NOTHING)
            s->p.bytes_out += packets[n++].length_bytes;
        if (turn == HF_TURN_MORE) /* round-robin: its next turn comes after everybody else's */
            hf_list_rotate(&s->p.output, &s->conns, HF_LIST_OUTPUT, c);
        else
            hf_list_pop(&s->p.output, &s->conns, HF_LIST_OUTPUT, c);
    }
    s->p.segments_out += n;
    return n;
}

/** Out of line: every second call finds nothing. */
__attribute__((noinline)) static size_t some_output(struct hf_stack *s,
                                                    struct hf_out_packet *packets, size_t max)
{
    s->slices_used = 0;
    size_t room = hf_min_size(max, HF_OUTPUT_BATCH);
    size_t n = s->p.reply_count > 0 ? hf_reply_output(s, packets, room) : 0;
    if (n == 0)
        n = conns_output(s, packets, room);
    s->p.packets_out += n;
    return n;
}

/** There is something to take back, or a new instant. Out of line, so that asking once more in a
 *  round, which finds nothing, needs no registers saved. */
__attribute__((noinline)) static size_t first_output(struct hf_stack *s,
                                                     struct hf_out_packet *packets, size_t max,
                                                     hf_ns now)
{
    hf_stack_end_loans(s);
    hf_stack_set_now(s, now);
    if (s->p.reply_count == 0 && s->p.output.head == HF_NIL)
        return 0;
    return some_output(s, packets, max);
}

size_t hf_stack_output(struct hf_stack *s, struct hf_out_packet *packets, size_t max, hf_ns now)
{
    if (hf_stack_has_lent(s) || now != s->p.told_ns)
        return first_output(s, packets, max, now);
    if (s->p.reply_count == 0 && s->p.output.head == HF_NIL)
        return 0;
    return some_output(s, packets, max);
}

/* ---- time --------------------------------------------------------------------------------- */

static hf_ns own_deadline(const struct hf_stack *s)
{
    hf_ns wheel_ns = hf_wheel_deadline(&s->wheel);
    return hf_wake_is_due(s) ? hf_min_ns(wheel_ns, s->p.now_ns) : wheel_ns;
}

hf_ns hf_stack_deadline(const struct hf_stack *s)
{
    return hf_stack_caller_time(s, own_deadline(s));
}

bool hf_stack_expire(struct hf_stack *s, hf_ns now, size_t max)
{
    hf_stack_end_loans(s);
    hf_stack_set_now(s, now);
    if (s->mem.refused)
        make_room(s);
    size_t budget = max;
    while (budget > 0) {
        uint32_t ref = hf_wheel_expire(&s->wheel, s->p.now_ns, &budget);
        if (ref == HF_NIL)
            break;
        budget -= budget > 0;
        fetch_entry(s, hf_wheel_next(&s->wheel)); /* while this one is looked at */
        switch (hf_ref_kind(ref)) {
        case HF_REF_CONN: hf_timers_fire(s, hf_conn_at(s, hf_ref_index(ref))); break;
        case HF_REF_HALF_OPEN: hf_half_open_fire(s, hf_ref_index(ref)); break;
        case HF_REF_TIME_WAIT: hf_time_wait_fire(s, hf_ref_index(ref)); break;
        }
    }
    if (budget > 0 && s->p.waiting.count == 0)
        return false; /* the wheel has said that it has no more */
    hf_wake_waiting(s);
    return own_deadline(s) <= s->p.now_ns;
}

/* ---- events ------------------------------------------------------------------------------- */

bool hf_stack_event(struct hf_stack *s, struct hf_event *event)
{
    hf_stack_end_loans(s);
    uint32_t index = s->p.ready.head;
    if (index == HF_NIL)
        return false;
    struct hf_conn *c = hf_conn_at(s, index);
    hf_list_pop(&s->p.ready, &s->conns, HF_LIST_READY, c);
    if (s->p.ready.head != HF_NIL) /* is asked for next */
        hf_fetch(hf_conn_at(s, s->p.ready.head), sizeof(struct hf_conn));
    *event = (struct hf_event){
        .handle = hf_conn_handle(s, c),
        .tag = c->options.tag,
        .bits = c->events,
        .how = (enum hf_closed)c->how,
    };
    c->events = 0;
    if ((event->bits & (HF_EV_ACCEPTED | HF_EV_SYN)) != 0)
        event->listener = hf_listener_handle(s, c->listener);
    if (c->unaccepted)
        hf_listener_accepted(s, c);
    if ((event->bits & HF_EV_CLOSED) != 0) {
        c->closed_pulled = true;
        hf_conn_release_if_done(s, c);
    }
    return true;
}
