/**
 * Data blocks and the queues made of them.
 *
 * All payload of a stack, to be sent or to be read, lives in blocks of one size from one pool with
 * one budget. A block is taken when bytes arrive and given back when they drain: an idle connection
 * owns none. A queue is a chain of blocks that holds a piece of a byte stream; all blocks but
 * the first and the last are full.
 *
 * Three uses draw on the budget, with shares that keep over-commit from deadlocking: sending may
 * hold at most half of the blocks, out-of-order data leaves an eighth free, in-order data may
 * take the last one.
 */
#ifndef HF_STORE_BLOCKS_H
#define HF_STORE_BLOCKS_H

#include "pool.h"

struct hf_block {
    uint32_t next; /**< in its queue, or HF_NIL */
    uint32_t for_send;
    uint8_t data[]; /**< block_bytes of them */
};

struct hf_blocks {
    struct hf_pool pool;
    uint32_t block_bytes; /**< a power of two */
    uint32_t shift;
    uint32_t send_used; /**< blocks held for sending */
    uint32_t peak;      /**< most blocks ever in use */
    uint64_t turnover;  /**< blocks taken and given back so far: whether anything has moved */
};

enum hf_block_use { HF_BLOCK_SEND, HF_BLOCK_IN_ORDER, HF_BLOCK_OUT_OF_ORDER };

void hf_blocks_init(struct hf_blocks *b, struct hf_mem *mem, uint32_t block_bytes,
                    uint64_t budget_bytes);
/** Bytes that receive windows may promise while `used` blocks are in use: three quarters of the
 *  budget less those. */
static inline uint32_t hf_blocks_share_bytes(const struct hf_blocks *b, uint32_t used)
{
    uint64_t share = (uint64_t)b->pool.limit - b->pool.limit / 4;
    if (used >= share)
        return 0;
    uint64_t bytes = (share - used) << b->shift;
    return bytes > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)bytes;
}
/** Bytes that new receive windows may promise now. */
static inline uint32_t hf_blocks_window_bytes(const struct hf_blocks *b)
{
    return hf_blocks_share_bytes(b, b->pool.used);
}
/** Bytes that the blocks hold which only sends may still have: half of the budget less those. */
static inline uint32_t hf_blocks_send_bytes(const struct hf_blocks *b)
{
    uint32_t share = b->pool.limit / 2;
    uint64_t bytes = (uint64_t)(share > b->send_used ? share - b->send_used : 0) << b->shift;
    return bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes;
}
static inline uint32_t hf_blocks_free(const struct hf_blocks *b)
{
    return b->pool.limit - b->pool.used;
}
/** True if a send may have a block now. */
static inline bool hf_blocks_may_send(const struct hf_blocks *b)
{
    return hf_blocks_free(b) > 0 && b->send_used < (b->pool.limit + 1) / 2;
}

static inline struct hf_block *hf_block_at(const struct hf_blocks *b, uint32_t ref)
{
    return (struct hf_block *)hf_pool_at(&b->pool, ref);
}

/** A block with next = HF_NIL, and where it is; or HF_NIL when this use may have none now. */
HF_MUST_CHECK static inline uint32_t hf_blocks_take_at(struct hf_blocks *b, enum hf_block_use use,
                                                       struct hf_block **block)
{
    if (use == HF_BLOCK_SEND && !hf_blocks_may_send(b))
        return HF_NIL;
    if (use == HF_BLOCK_OUT_OF_ORDER && hf_blocks_free(b) <= b->pool.limit / 8)
        return HF_NIL;
    void *object;
    uint32_t ref = hf_pool_lend(&b->pool, b->pool.object_bytes, b->pool.objects_shift, &object);
    if (ref == HF_NIL)
        return HF_NIL;
    *block = object;
    (*block)->next = HF_NIL;
    (*block)->for_send = use == HF_BLOCK_SEND;
    b->send_used += use == HF_BLOCK_SEND;
    b->turnover++;
    b->peak = hf_max_u32(b->peak, b->pool.used);
    return ref;
}
HF_MUST_CHECK static inline uint32_t hf_blocks_take(struct hf_blocks *b, enum hf_block_use use)
{
    struct hf_block *block;
    return hf_blocks_take_at(b, use, &block);
}

/** Gives a block back, which lies there. */
static inline void hf_blocks_give_at(struct hf_blocks *b, uint32_t ref, struct hf_block *block)
{
    b->send_used -= block->for_send;
    b->turnover++;
    hf_pool_return(&b->pool, ref, b->pool.objects_shift, block);
}
static inline void hf_blocks_give(struct hf_blocks *b, uint32_t ref)
{
    hf_blocks_give_at(b, ref, hf_block_at(b, ref));
}

/** A piece of a byte stream. All-zero bytes are not the empty queue: hf_queue_init. */
struct hf_queue {
    uint32_t head, tail; /**< blocks, HF_NIL when empty */
    uint32_t begin;      /**< offset of the first byte in the head block */
    uint32_t bytes;
};

static inline void hf_queue_init(struct hf_queue *q)
{
    *q = (struct hf_queue){HF_NIL, HF_NIL, 0, 0};
}
/** Room left in the last block. */
static inline uint32_t hf_queue_tail_room(const struct hf_blocks *b, const struct hf_queue *q)
{
    /* A queue with a block has bytes in its last one, so a whole block of room means none. */
    return q->tail == HF_NIL ? 0 : -(q->begin + q->bytes) & (b->block_bytes - 1);
}
/** Where the next byte goes; the queue must have tail room. */
static inline uint8_t *hf_queue_end(const struct hf_blocks *b, const struct hf_queue *q)
{
    return hf_block_at(b, q->tail)->data + b->block_bytes - hf_queue_tail_room(b, q);
}
/** Hangs a block, which lies there, with `bytes` > 0 bytes of data to the end. The last block must
 *  be full, or the queue without blocks: then `begin` is where its data starts; otherwise begin is
 *  0. */
static inline void hf_queue_link_at(struct hf_blocks *b, struct hf_queue *q, uint32_t ref,
                                    struct hf_block *block, uint32_t begin, uint32_t bytes)
{
    HF_ASSERT(bytes > 0 && begin + bytes <= b->block_bytes);
    block->next = HF_NIL;
    if (q->tail == HF_NIL) {
        q->head = ref;
        q->begin = begin;
    } else {
        HF_ASSERT(begin == 0 && hf_queue_tail_room(b, q) == 0);
        hf_block_at(b, q->tail)->next = ref;
    }
    q->tail = ref;
    q->bytes += bytes;
}
static inline void hf_queue_link(struct hf_blocks *b, struct hf_queue *q, uint32_t ref,
                                 uint32_t begin, uint32_t bytes)
{
    hf_queue_link_at(b, q, ref, hf_block_at(b, ref), begin, bytes);
}
/** Drops all bytes. A last block that is not full is taken out of the queue and returned, all
 *  others are given back: HF_NIL if there is none to keep. */
HF_MUST_CHECK uint32_t hf_queue_drain(struct hf_blocks *b, struct hf_queue *q);
/** Drops all bytes, and gives all blocks back. */
void hf_queue_clear(struct hf_blocks *b, struct hf_queue *q);
/** Gives back the blocks in front of `begin`: the rest of hf_queue_drop. */
void hf_queue_give_front(struct hf_blocks *b, struct hf_queue *q);
/** The same of a queue that has one block or none. */
static inline void hf_queue_give_last(struct hf_blocks *b, struct hf_queue *q)
{
    if (q->head != HF_NIL)
        hf_blocks_give(b, q->head);
    hf_queue_init(q);
}
/** Drops n <= bytes from the front, giving drained blocks back. An empty queue keeps no block. */
static inline void hf_queue_drop(struct hf_blocks *b, struct hf_queue *q, uint32_t n)
{
    HF_ASSERT(n <= q->bytes);
    q->bytes -= n;
    q->begin += n;
    if (q->bytes == 0 && q->head == q->tail)
        hf_queue_give_last(b, q);
    else if (q->bytes == 0)
        hf_queue_clear(b, q);
    else if (q->begin >= b->block_bytes)
        hf_queue_give_front(b, q);
}
/** A place in a queue: the block that holds a byte, and where in it. */
struct hf_place {
    uint32_t block;
    uint32_t offset;
};
/** The place at an offset that lies behind the end of `from`'s block: the rest of
 *  hf_place_advance. */
struct hf_place hf_place_walk(const struct hf_blocks *b, struct hf_place from);
/** The place `distance` bytes after `from`, which must lie in the queue. */
static inline struct hf_place hf_place_advance(const struct hf_blocks *b, struct hf_place from,
                                               uint32_t distance)
{
    from.offset += distance;
    return from.offset < b->block_bytes ? from : hf_place_walk(b, from);
}
static inline struct hf_place hf_queue_front(const struct hf_queue *q)
{
    return (struct hf_place){q->head, q->begin};
}
/** What lies at a place, up to the end of its block, for bytes > 0. */
static inline struct hf_slice hf_place_slice(const struct hf_blocks *b, struct hf_place from,
                                             uint32_t bytes)
{
    const struct hf_block *block = hf_block_at(b, from.block);
    return (struct hf_slice){block->data + from.offset,
                             hf_min_u32(bytes, b->block_bytes - from.offset)};
}
/** Fills slices with up to `bytes` bytes from a place on; returns how many slices; *taken is the
 *  sum of their lengths (less than `bytes` when max was not enough). */
size_t hf_place_slices(const struct hf_blocks *b, struct hf_place from, uint32_t bytes,
                       struct hf_slice *slices, size_t max, uint32_t *taken);

#endif
