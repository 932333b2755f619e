/*
 * A hierarchical timer wheel.
 *
 * Owns the heads of the slots' lists and which slots are in use. The nodes belong to the entries
 * of the owner; what a deadline means, and whether it is still the right one, is left to it.
 *
 * Ticks are written in digits of six bits. A node waits on the level of the highest digit in which
 * its tick differs from now_tick, in the slot of its own digit there. So the slots in use on
 * a level lie ahead of now_tick's digit, all of a level is due before anything above it, and
 * moving now_tick up to the next slot in use disturbs nothing. When now_tick arrives at a slot
 * of a level above the lowest, its nodes are spread over the levels below: each node moves at most
 * five times in its life.
 *
 * Two slots at now_tick's own digit mean something else. On the lowest level it holds what is due;
 * above, what was not spread yet because a budget ran out: now_tick stays until it is.
 *
 * On the last level digits wrap: slots up to 63 ahead are in use, so that a slot and the node's
 * low 30 bits tell the whole tick.
 */
#include "wheel.h"

enum {
    SLOT_MASK = HF_WHEEL_SLOTS - 1,
    LAST_LEVEL = HF_WHEEL_LEVELS - 1,
    LAST_SHIFT = LAST_LEVEL * HF_WHEEL_SLOT_BITS,
};

static const uint64_t NO_TICK = UINT64_MAX;

static struct hf_wheel_node *node_at(const struct hf_wheel *w, uint32_t ref)
{
    return w->node(w->owner, ref);
}

/** The last tick boundary at or before an instant. */
static uint64_t tick_passed(hf_ns now)
{
    return ((uint64_t)now ^ 1ull << 63) >> HF_WHEEL_TICK_SHIFT;
}

/** HF_NEVER for a tick behind the last instant, and for NO_TICK. */
static hf_ns tick_instant(uint64_t tick)
{
    if (tick > UINT64_MAX >> HF_WHEEL_TICK_SHIFT)
        return HF_NEVER;
    return (hf_ns)(tick << HF_WHEEL_TICK_SHIFT ^ 1ull << 63);
}

/** The tick at which a node for `tick` can be placed now: not in the past, and not beyond what the
 *  last level reaches. */
static uint64_t tick_in_reach(const struct hf_wheel *w, uint64_t tick)
{
    uint64_t farthest = (((w->now_tick >> LAST_SHIFT) + HF_WHEEL_SLOTS) << LAST_SHIFT) - 1;
    return hf_min_u64(hf_max_u64(tick, w->now_tick), farthest);
}

void hf_wheel_init(struct hf_wheel *w, hf_wheel_node_fn *node, void *owner, hf_ns now)
{
    *w = (struct hf_wheel){.node = node, .owner = owner, .now_tick = tick_passed(now)};
    for (uint32_t level = 0; level < HF_WHEEL_LEVELS; level++)
        for (uint32_t slot = 0; slot < HF_WHEEL_SLOTS; slot++)
            w->heads[level][slot] = HF_NIL;
}

/** What stands before the first node of a slot's list. */
static inline uint32_t head_of(uint32_t level, uint32_t slot)
{
    return HF_WHEEL_HEAD | level << HF_WHEEL_SLOT_BITS | slot;
}

/** Puts a node whose links mean nothing any more where its tick belongs: tick_in_reach of it. */
static void place(struct hf_wheel *w, uint32_t ref, struct hf_wheel_node *node, uint64_t tick)
{
    uint64_t differs = (tick ^ w->now_tick) | 1;
    uint32_t level = (63 - (uint32_t)__builtin_clzll(differs)) / HF_WHEEL_SLOT_BITS;
    level = hf_min_u32(level, LAST_LEVEL);
    uint32_t slot = (uint32_t)(tick >> level * HF_WHEEL_SLOT_BITS) & SLOT_MASK;
    uint32_t *head = &w->heads[level][slot];
    node->next = *head;
    node->prev = head_of(level, slot);
    if (*head != HF_NIL)
        node_at(w, *head)->prev = ref;
    *head = ref;
    w->used[level] |= 1ull << slot;
}

/** Takes a node out of its list. */
static void detach(struct hf_wheel *w, struct hf_wheel_node *node)
{
    if (node->next != HF_NIL)
        node_at(w, node->next)->prev = node->prev;
    if (node->prev < HF_WHEEL_HEAD) {
        node_at(w, node->prev)->next = node->next;
    } else {
        uint32_t level = (node->prev & ~HF_WHEEL_HEAD) >> HF_WHEEL_SLOT_BITS;
        uint32_t slot = node->prev & SLOT_MASK;
        w->heads[level][slot] = node->next;
        if (node->next == HF_NIL)
            w->used[level] &= ~(1ull << slot);
    }
    hf_wheel_node_init(node);
}

void hf_wheel_arm(struct hf_wheel *w, struct hf_wheel_node *node, uint32_t ref, hf_ns at)
{
    HF_DEBUG_ASSERT(node == node_at(w, ref));
    HF_ASSERT(ref < HF_WHEEL_HEAD && !hf_wheel_node_is_armed(node));
    uint64_t tick = hf_wheel_tick(at);
    if (tick - w->now_tick > 1ull << LAST_SHIFT) /* or in the past, as unsigned */
        tick = tick_in_reach(w, tick);
    node->tick = (uint32_t)tick;
    place(w, ref, node, tick);
    w->count++;
}

void hf_wheel_disarm(struct hf_wheel *w, struct hf_wheel_node *node)
{
    if (!hf_wheel_node_is_armed(node))
        return;
    detach(w, node);
    w->count--;
}

/** The tick at which something is to be done next, and the level on which: a slot to fire on the
 *  lowest, one to spread above. NO_TICK when nothing is armed. What is found on a level is due
 *  before all above it, but for what was not spread yet: that can be only where all digits below
 *  are 0. */
static uint64_t next_tick(const struct hf_wheel *w, uint32_t *level_found)
{
    uint64_t best = NO_TICK;
    for (uint32_t level = 0; level < HF_WHEEL_LEVELS; level++) {
        uint64_t used = w->used[level];
        if (used == 0)
            continue;
        uint32_t shift = level * HF_WHEEL_SLOT_BITS;
        uint64_t here = w->now_tick >> shift;
        uint32_t digit = (uint32_t)here & SLOT_MASK;
        uint64_t from_digit = used >> digit | used << (-digit & SLOT_MASK);
        uint64_t tick = (here + (uint32_t)__builtin_ctzll(from_digit)) << shift;
        if (tick < best) {
            best = tick;
            *level_found = level;
        }
        if (digit != 0 || tick == w->now_tick)
            break; /* nothing is earlier */
    }
    return best;
}

hf_ns hf_wheel_deadline(const struct hf_wheel *w)
{
    uint32_t level = 0;
    return tick_instant(next_tick(w, &level));
}

/** Spreads nodes of the slot that now_tick has arrived at over the levels below. */
static void spread(struct hf_wheel *w, uint32_t level, size_t *budget)
{
    uint32_t shift = level * HF_WHEEL_SLOT_BITS;
    uint32_t slot = (uint32_t)(w->now_tick >> shift) & SLOT_MASK;
    uint32_t ref = w->heads[level][slot], next;
    for (; ref != HF_NIL && *budget > 0; ref = next, --*budget) {
        struct hf_wheel_node *node = node_at(w, ref);
        next = node->next;
        place(w, ref, node, w->now_tick | (node->tick & ((1u << shift) - 1)));
    }
    /* None was put back into this list: what is left of it has a new first one. */
    w->heads[level][slot] = ref;
    if (ref == HF_NIL)
        w->used[level] &= ~(1ull << slot);
    else
        node_at(w, ref)->prev = head_of(level, slot);
}

uint32_t hf_wheel_expire(struct hf_wheel *w, hf_ns now, size_t *budget)
{
    uint64_t passed = tick_passed(now);
    while (*budget > 0) {
        uint32_t level = 0;
        uint64_t tick = next_tick(w, &level);
        if (tick > passed) {
            if (w->now_tick < passed)
                w->now_tick = passed;
            return HF_NIL;
        }
        w->now_tick = tick;
        if (level == 0) {
            uint32_t ref = w->heads[0][tick & SLOT_MASK];
            detach(w, node_at(w, ref));
            w->count--;
            return ref;
        }
        spread(w, level, budget);
    }
    return HF_NIL;
}
