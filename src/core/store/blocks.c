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

void hf_queue_give_front(struct hf_blocks *b, struct hf_queue *q)
{
    while (q->begin >= b->block_bytes) {
        uint32_t next = hf_block_at(b, q->head)->next;
        hf_blocks_give(b, q->head);
        q->head = next;
        q->begin -= b->block_bytes;
    }
}

void hf_queue_clear(struct hf_blocks *b, struct hf_queue *q)
{
    for (uint32_t ref = q->head; ref != HF_NIL;) {
        struct hf_block *block = hf_block_at(b, ref);
        uint32_t next = block->next;
        hf_blocks_give_at(b, ref, block);
        ref = next;
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
