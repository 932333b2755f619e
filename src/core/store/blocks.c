#include "blocks.h"

enum { BLOCK_CHUNK_BYTES = 256 * 1024, BLOCK_CHUNK_MIN_BLOCKS = 8 };

void hf_blocks_init(struct hf_blocks *b, struct hf_mem *mem, uint32_t block_bytes,
                    uint64_t budget_bytes)
{
    uint64_t limit = budget_bytes / block_bytes;
    HF_ASSERT(limit < HF_NIL); /* the settings' bounds see to it */
    *b = (struct hf_blocks){.block_bytes = block_bytes};
    while ((1u << b->shift) < block_bytes)
        b->shift++;
    hf_pool_init(&b->pool, mem, (uint32_t)sizeof(struct hf_block) + block_bytes, BLOCK_CHUNK_BYTES,
                 (uint32_t)limit);
}

static uint32_t free_blocks(const struct hf_blocks *b)
{
    return b->pool.limit - b->pool.used;
}

bool hf_blocks_may_send(const struct hf_blocks *b)
{
    return free_blocks(b) > 0 && b->send_used < (b->pool.limit + 1) / 2;
}

uint32_t hf_blocks_take(struct hf_blocks *b, enum hf_block_use use)
{
    if (use == HF_BLOCK_SEND && !hf_blocks_may_send(b))
        return HF_NIL;
    if (use == HF_BLOCK_OUT_OF_ORDER && free_blocks(b) <= b->pool.limit / 8)
        return HF_NIL;
    uint32_t ref = hf_pool_take_dirty(&b->pool);
    if (ref == HF_NIL)
        return HF_NIL;
    struct hf_block *block = hf_block_at(b, ref);
    block->next = HF_NIL;
    block->for_send = use == HF_BLOCK_SEND;
    b->send_used += block->for_send;
    b->turnover++;
    if (b->pool.used > b->peak)
        b->peak = b->pool.used;
    return ref;
}

void hf_blocks_give(struct hf_blocks *b, uint32_t ref)
{
    b->send_used -= hf_block_at(b, ref)->for_send;
    b->turnover++;
    hf_pool_give(&b->pool, ref);
}

uint32_t hf_queue_drain(struct hf_blocks *b, struct hf_queue *q)
{
    uint32_t kept = HF_NIL;
    while (q->head != HF_NIL) {
        uint32_t ref = q->head;
        q->head = hf_block_at(b, ref)->next;
        if (q->head == HF_NIL && hf_queue_tail_room(b, q) > 0)
            kept = ref;
        else
            hf_blocks_give(b, ref);
    }
    hf_queue_init(q);
    return kept;
}

void hf_queue_give_drained(struct hf_blocks *b, struct hf_queue *q)
{
    while (q->head != HF_NIL && (q->begin >= b->block_bytes || q->bytes == 0)) {
        uint32_t next = hf_block_at(b, q->head)->next;
        hf_blocks_give(b, q->head);
        q->head = next;
        q->begin -= hf_min_u32(q->begin, b->block_bytes);
    }
    if (q->head == HF_NIL)
        hf_queue_init(q);
}

void hf_queue_clear(struct hf_blocks *b, struct hf_queue *q)
{
    while (q->head != HF_NIL) {
        uint32_t next = hf_block_at(b, q->head)->next;
        hf_blocks_give(b, q->head);
        q->head = next;
    }
    hf_queue_init(q);
}

struct hf_place hf_place_walk(const struct hf_blocks *b, struct hf_place from)
{
    while (from.offset >= b->block_bytes) {
        uint32_t next = hf_block_at(b, from.block)->next;
        if (next == HF_NIL)
            break; /* the end of the queue: stays behind the last byte until more is linked */
        from.block = next;
        from.offset -= b->block_bytes;
    }
    return from;
}

size_t hf_place_slices(const struct hf_blocks *b, struct hf_place from, uint32_t bytes,
                       struct hf_slice *slices, size_t max, uint32_t *taken)
{
    size_t count = 0;
    uint32_t left = bytes;
    from = hf_place_advance(b, from, 0);
    while (left > 0 && count < max && from.block != HF_NIL) {
        slices[count] = hf_place_slice(b, from, left);
        left -= (uint32_t)slices[count++].length_bytes;
        from = (struct hf_place){hf_block_at(b, from.block)->next, 0};
    }
    *taken = bytes - left;
    return count;
}
