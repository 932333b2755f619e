/**
 * Packets from one thread to another: a ring of bytes with one writer and one reader, without
 * locks. Each record lies in one piece; what is read stays where it is until it is released.
 */
#ifndef HF_HOST_RING_H
#define HF_HOST_RING_H

#include <handfast/handfast.h>

#include <stdatomic.h>
#include <string.h>

/** Positions only grow; where they stand in `bytes` is their remainder by the size. */
struct hf_ring {
    uint8_t *bytes;
    size_t size_bytes; /**< a power of two */
    /* On cache lines of their own: each is written by one side, and read by the other. */
    _Alignas(64) _Atomic size_t head; /**< the writer's: up to here there are records */
    _Alignas(64) _Atomic size_t tail; /**< the reader's: up to here there is room again */
    _Alignas(64) size_t next;         /**< the reader's own: up to here records were read */
};

enum { HF_RING_ALIGN = 16 };
#define HF_RING_SKIP UINT32_MAX /**< in place of a length */

/** Stands before each packet; a skip fills the rest of the ring where a packet does not fit. */
struct hf_ring_record {
    _Alignas(HF_RING_ALIGN) uint32_t length_bytes;
    uint16_t segment_bytes, flags;
};
_Static_assert(sizeof(struct hf_ring_record) == HF_RING_ALIGN, "the packet behind it is aligned");

/** Copies a packet in; false: there is no room now, or never if it takes more than half of the
 *  ring. Of the one writer. */
static inline bool hf_ring_put(struct hf_ring *r, const struct hf_packet *p)
{
    size_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    size_t used = head - atomic_load_explicit(&r->tail, memory_order_acquire);
    size_t at = head & (r->size_bytes - 1), to_end = r->size_bytes - at;
    size_t need = sizeof(struct hf_ring_record) +
                  (((size_t)p->length_bytes + HF_RING_ALIGN - 1) & ~(size_t)(HF_RING_ALIGN - 1));
    size_t skip = need > to_end ? to_end : 0;
    if (skip + need > r->size_bytes - used)
        return false;
    struct hf_ring_record record = {.length_bytes = HF_RING_SKIP};
    if (skip > 0)
        memcpy(r->bytes + at, &record, sizeof record);
    at = (at + skip) & (r->size_bytes - 1);
    record = (struct hf_ring_record){p->length_bytes, p->segment_bytes, p->flags};
    memcpy(r->bytes + at, &record, sizeof record);
    memcpy(r->bytes + at + sizeof record, p->bytes, p->length_bytes);
    atomic_store_explicit(&r->head, head + skip + need, memory_order_release);
    return true;
}

/** Whether something can be read. Of the one reader, as what follows. */
static inline bool hf_ring_has(const struct hf_ring *r)
{
    return atomic_load_explicit(&r->head, memory_order_acquire) != r->next;
}

/** Reads the next packet, whose bytes stay valid until hf_ring_release; false: there is none. */
static inline bool hf_ring_take(struct hf_ring *r, struct hf_packet *p)
{
    size_t head = atomic_load_explicit(&r->head, memory_order_acquire);
    struct hf_ring_record record;
    if (r->next == head)
        return false;
    size_t at = r->next & (r->size_bytes - 1);
    memcpy(&record, r->bytes + at, sizeof record);
    if (record.length_bytes == HF_RING_SKIP) { /* and a packet follows: both were put at once */
        r->next += r->size_bytes - at;
        at = 0;
        memcpy(&record, r->bytes, sizeof record);
    }
    *p = (struct hf_packet){r->bytes + at + sizeof record, record.length_bytes,
                            record.segment_bytes, record.flags};
    r->next += sizeof record +
               (((size_t)record.length_bytes + HF_RING_ALIGN - 1) & ~(size_t)(HF_RING_ALIGN - 1));
    return true;
}

/** How many bytes were read and not released. */
static inline size_t hf_ring_lent(const struct hf_ring *r)
{
    return r->next - atomic_load_explicit(&r->tail, memory_order_relaxed);
}

/** What was read is used no more. */
static inline void hf_ring_release(struct hf_ring *r)
{
    if (hf_ring_lent(r) > 0)
        atomic_store_explicit(&r->tail, r->next, memory_order_release);
}

#endif
