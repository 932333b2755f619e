/**
 * Local addresses: which are ours, which are in use (interned, so that an entry names its own by 4
 * bytes), and the choice of address and port for active opens.
 */
#include "tuples.h"

static uint32_t addr_hash(const struct hf_stack *s, const struct hf_addr *addr)
{
    return (uint32_t)hf_siphash13_pair(&s->p.table_key, hf_get64(addr->octets),
                                       hf_get64(addr->octets + 8));
}

void hf_local_forget(struct hf_stack *s, uint32_t index)
{
    hf_table_remove(&s->local_table, hf_local_at(s, index)->hash, index);
    hf_pool_give(&s->locals, index);
}

static bool one_is_idle(const struct hf_stack *s)
{
    return s->recent_local != HF_NIL && hf_local_at(s, s->recent_local)->references == 0;
}

void hf_local_drop_idle(struct hf_stack *s)
{
    if (one_is_idle(s))
        hf_local_forget(s, s->recent_local);
    s->recent_local = HF_NIL;
}

uint32_t hf_local_count(const struct hf_stack *s)
{
    return s->locals.used - one_is_idle(s);
}

void hf_local_find_idle(struct hf_stack *s)
{
    for (uint32_t i = hf_pool_next(&s->locals, 0); i != HF_NIL; i = hf_pool_next(&s->locals, i + 1))
        if (hf_local_at(s, i)->references == 0)
            s->recent_local = i;
}

/** Of an address that is in use; HF_NIL: it is not. */
static uint32_t find(const struct hf_stack *s, const struct hf_addr *addr, uint32_t hash)
{
    struct hf_table_probe probe = hf_table_find(&s->local_table, hash);
    for (uint32_t i = hf_table_next(&probe); i != HF_NIL; i = hf_table_next(&probe))
        if (hf_addr_is_same(hf_local_addr(s, i), addr))
            return i;
    return HF_NIL;
}

static uint32_t add(struct hf_stack *s, const struct hf_addr *addr, uint32_t hash)
{
    uint32_t index = hf_pool_take(&s->locals);
    if (index == HF_NIL)
        return HF_NIL;
    if (!hf_table_insert(&s->local_table, hash, index)) {
        hf_pool_give(&s->locals, index);
        return HF_NIL;
    }
    *hf_local_at(s, index) = (struct hf_local){.addr = *addr, .hash = hash};
    return index;
}

uint32_t hf_local_take_other(struct hf_stack *s, const struct hf_addr *addr)
{
    uint32_t hash = addr_hash(s, addr);
    hf_local_drop_idle(s); /* the recent one is another from now on */
    uint32_t index = find(s, addr, hash);
    if (index == HF_NIL)
        index = add(s, addr, hash);
    if (index == HF_NIL)
        return HF_NIL;
    hf_local_share(s, index);
    s->recent_local = index;
    return index;
}

/** Bits of 128 for a prefix of an address's own family. */
static bool prefix_of_128(const struct hf_addr *addr, unsigned bits, uint8_t *out)
{
    unsigned base = hf_addr_is_v4(addr) ? 96 : 0;
    if (bits > 128 - base)
        return false;
    *out = (uint8_t)(bits + base);
    return true;
}

int hf_stack_add_address(struct hf_stack *s, const struct hf_addr *addr, unsigned prefix_bits)
{
    struct hf_prefix prefix = {.addr = *addr};
    if (!hf_addr_is_unicast(addr) || !prefix_of_128(addr, prefix_bits, &prefix.bits))
        return HF_E_INVALID;
    for (uint32_t i = 0; i < s->p.prefix_count; i++)
        if (hf_addr_equal(&s->p.prefixes[i].addr, addr) && s->p.prefixes[i].bits == prefix.bits)
            return HF_E_EXISTS;
    if (s->p.prefix_count == HF_PREFIXES_MAX)
        return HF_E_MEMORY;
    s->p.prefixes[s->p.prefix_count++] = prefix;
    return HF_OK;
}

bool hf_local_is_ours(const struct hf_stack *s, const struct hf_addr *addr)
{
    for (uint32_t i = 0; i < s->p.prefix_count; i++) {
        const struct hf_prefix *p = &s->p.prefixes[i];
        /* Mostly it is the very address that was given with the prefix. */
        if (hf_addr_is_same(addr, &p->addr) || hf_addr_prefix_equal(addr, &p->addr, p->bits))
            return true;
    }
    return false;
}

bool hf_stack_has_address(const struct hf_stack *s, const struct hf_addr *addr)
{
    return hf_local_is_ours(s, addr);
}

bool hf_local_is_last_of_prefix(const struct hf_stack *s, const struct hf_addr *addr)
{
    uint32_t host = hf_get32(addr->octets + 12);
    for (uint32_t i = 0; i < s->p.prefix_count; i++) {
        unsigned host_bits = 128u - s->p.prefixes[i].bits;
        if (host_bits < 2 || host_bits > 31)
            continue; /* point-to-point and single addresses have no broadcast [RFC3021] */
        uint32_t mask = (1u << host_bits) - 1;
        if ((host & mask) == mask &&
            hf_addr_prefix_equal(addr, &s->p.prefixes[i].addr, s->p.prefixes[i].bits))
            return true;
    }
    return false;
}

bool hf_local_choose(const struct hf_stack *s, const struct hf_addr *remote, struct hf_addr *out)
{
    for (uint32_t i = 0; i < s->p.prefix_count; i++) {
        const struct hf_addr *addr = &s->p.prefixes[i].addr;
        if (hf_addr_is_v4(addr) == hf_addr_is_v4(remote)) {
            *out = *addr;
            return true;
        }
    }
    return false;
}

/* ---- ports to connect from ---------------------------------------------------------------- */

/** A listening port is never given out [RFC6056#3.1]. */
static bool is_listened(const struct hf_stack *s, const struct hf_endpoint *from)
{
    uint32_t listener = hf_listener_find(s, from);
    return listener != HF_NIL && hf_listener_at(s, listener)->port != 0;
}

/** How often a port may have become free so far, towards whomever. */
static uint64_t ports_freed(const struct hf_stack *s)
{
    return s->table.removals + s->listener_table.removals;
}

static bool is_known_full(const struct hf_stack *s, const struct hf_addr *local,
                          const struct hf_endpoint *remote)
{
    const struct hf_full_ports *f = &s->full_ports;
    return f->known && f->freed == ports_freed(s) && f->remote.port == remote->port &&
           hf_addr_is_same(&f->remote.addr, &remote->addr) && hf_addr_is_same(&f->local, local);
}

uint16_t hf_port_choose(struct hf_stack *s, const struct hf_addr *local,
                        const struct hf_endpoint *remote)
{
    /* Where all ports are taken that is found out once, not by each of many attempts. */
    if (is_known_full(s, local, remote))
        return 0;
    /* [RFC6056#3.3.3] algorithm 3: a keyed offset for each destination and one counter. */
    uint32_t low = (uint32_t)s->p.cfg.port_min;
    uint32_t range = (uint32_t)s->p.cfg.port_max - low + 1;
    uint32_t offset = hf_port_hash(&s->p.port_key, local, remote);
    for (uint32_t tries = 0; tries < range; tries++) {
        uint32_t pick = low + (offset + s->p.port_counter++) % range;
        struct hf_endpoint from = {*local, (uint16_t)pick};
        if (hf_tuple_find(s, hf_tuple_hash(s, &from, remote), &from, remote) == HF_NIL &&
            !is_listened(s, &from))
            return from.port;
    }
    s->full_ports = (struct hf_full_ports){true, *local, *remote, ports_freed(s)};
    return 0;
}
