/**
 * A hierarchical timer wheel [Varghese and Lauck 1987]: arm, disarm and expire in O(1).
 *
 * Nodes live inside the entries; the wheel names entries by 32-bit references and finds a node
 * through the function it was made with. A tick is 2^16 ns (65.5 us); six levels of 64 slots
 * reach 51 days. A node fires at the first tick boundary at or after its time: late by less
 * than a tick, never early; only what was armed for a time farther than that fires, and is armed
 * again by its owner, after 51 days.
 *
 * The owner re-arms lazily: when a deadline moves later it leaves the node where it is and, when
 * that fires, arms it again. So the exact deadline lives in the entry, not here.
 */
#ifndef HF_STORE_WHEEL_H
#define HF_STORE_WHEEL_H

#include "pool.h"

enum {
    HF_WHEEL_TICK_SHIFT = 16,
    HF_WHEEL_LEVELS = 6,
    HF_WHEEL_SLOT_BITS = 6,
    HF_WHEEL_SLOTS = 1 << HF_WHEEL_SLOT_BITS,
};

/** Part of an entry. All-zero bytes are NOT the unarmed state: hf_wheel_node_init. */
struct hf_wheel_node {
    uint32_t next; /**< if armed: reference, or HF_NIL at the end of a slot's list */
    uint32_t prev; /**< reference; HF_WHEEL_HEAD | slot number at the head; HF_NIL: not armed */
    uint32_t tick; /**< when it fires, if armed: hf_wheel_tick of its time, modulo 2^32 */
};

/** The first tick at or after an instant. Ticks count from the smallest hf_ns, which is a multiple
 *  of 2^32 ticks before 0: modulo 2^32 the instant 0 is tick 0. */
static inline uint64_t hf_wheel_tick(hf_ns at)
{
    uint64_t since_first = (uint64_t)at ^ 1ull << 63;
    return (since_first >> HF_WHEEL_TICK_SHIFT) +
           ((since_first & ((1u << HF_WHEEL_TICK_SHIFT) - 1)) != 0);
}

/** References given to the wheel stay below this. */
#define HF_WHEEL_HEAD 0xC0000000u

typedef struct hf_wheel_node *hf_wheel_node_fn(void *owner, uint32_t ref);

struct hf_wheel {
    hf_wheel_node_fn *node; /* of the owner; not part of saved state */
    void *owner;
    uint64_t now_tick; /**< ticks that have been expired completely */
    uint64_t used[HF_WHEEL_LEVELS];
    uint32_t heads[HF_WHEEL_LEVELS][HF_WHEEL_SLOTS];
    uint32_t count; /**< nodes armed */
};

void hf_wheel_init(struct hf_wheel *w, hf_wheel_node_fn *node, void *owner, hf_ns now);
static inline void hf_wheel_node_init(struct hf_wheel_node *n)
{
    n->prev = HF_NIL;
}
static inline bool hf_wheel_node_is_armed(const struct hf_wheel_node *n)
{
    return n->prev != HF_NIL;
}
/** Arms an unarmed node, that of ref. A time in the past fires at the next expire. */
void hf_wheel_arm(struct hf_wheel *w, struct hf_wheel_node *node, uint32_t ref, hf_ns at);
/** Takes a node out; an unarmed one is left alone. */
void hf_wheel_disarm(struct hf_wheel *w, struct hf_wheel_node *node);
/** The next instant at which hf_wheel_expire has something to do: HF_NEVER when nothing is armed.
 *  At most the earliest armed time rounded up to a tick, and greater than the `now` of the last
 *  hf_wheel_expire that returned HF_NIL. */
hf_ns hf_wheel_deadline(const struct hf_wheel *w);
/**
 * Takes out one node whose tick has come and returns its reference, HF_NIL when none is due at
 * `now`. Each call moves at most *budget nodes between levels and takes them off *budget; when it
 * reaches 0 the call returns HF_NIL although more may be due: call again with a new budget.
 */
uint32_t hf_wheel_expire(struct hf_wheel *w, hf_ns now, size_t *budget);

/** What the next hf_wheel_expire is likely to return, HF_NIL if that is not known. */
static inline uint32_t hf_wheel_next(const struct hf_wheel *w)
{
    return w->heads[0][w->now_tick & (HF_WHEEL_SLOTS - 1)];
}

#endif
