/**
 * A pool: objects of one size, named by 32-bit indices, in chunks taken from the allocator.
 *
 * Take and give are O(1); a given object may be any. Memory grows by a chunk (no object ever moves)
 * and shrinks by whole free chunks on hf_pool_trim. Objects are 8-byte aligned, hold no absolute
 * pointers to be saveable, and are zeroed when taken only over their whole object_bytes.
 * Which objects are in use is known to the pool (a bit each), so that they can be walked over.
 *
 * Objects that come and go with every packet are lent: one that came back is kept at hand, and is
 * the next to be lent, without a look at its chunk.
 */
#ifndef HF_STORE_POOL_H
#define HF_STORE_POOL_H

#include "mem.h"

/** No object. */
#define HF_NIL UINT32_MAX

enum { HF_POOL_OBJECTS_MAX = 1024 };

/** The head of a chunk: private to the pool, but for what is looked up with every call. */
struct hf_pool_chunk {
    uint64_t in_use[HF_POOL_OBJECTS_MAX / 64]; /**< a bit for each object */
    uint32_t open_next, open_prev; /**< ring of chunks with a free object, by directory index */
    uint32_t free_head;            /**< slot given back last, or HF_NIL */
    uint32_t fresh;                /**< slots from here on were never taken */
    uint32_t used;
    uint32_t objects;       /**< it has room for */
    uint32_t skipped_bytes; /**< from the allocator's piece to this head */
};

static inline bool hf_pool_chunk_has(const struct hf_pool_chunk *c, uint32_t slot)
{
    return c->in_use[slot / 64] >> (slot % 64) & 1;
}

struct hf_pool {
    struct hf_mem *mem;
    struct hf_pool_chunk **chunks; /**< directory; NULL entries are chunks given back */
    uint32_t chunk_count;          /**< entries of the directory in use */
    uint32_t chunk_capacity;
    uint32_t object_bytes;
    uint32_t objects_shift; /**< log2 of objects a chunk */
    uint32_t slot_mask;     /**< of an index: its bits within a chunk */
    uint32_t limit;         /**< objects at most */
    uint32_t used;
    uint32_t open_head; /**< first chunk with a free object, HF_NIL: none */
    uint32_t at_hand;   /**< was lent and is free, though its chunk has it in use; HF_NIL: none.
                                  Its chunk is the one in front of the ring */
    uint32_t hole_head; /**< first directory entry without a chunk, HF_NIL: none */
    uint32_t fail_countdown; /**< tests: 0 = off; counts takes down, the one that reaches 0 fails,
                                  and all after it do not */
};

/** objects_per_chunk is rounded down to a power of two so that a chunk stays near chunk_bytes (at
 *  least 8 objects). Takes no memory yet. */
void hf_pool_init(struct hf_pool *p, struct hf_mem *mem, uint32_t object_bytes,
                  uint32_t chunk_bytes, uint32_t limit);
/** Gives all memory back. */
void hf_pool_free(struct hf_pool *p);
/** Gives whole free chunks back, and the directory when no chunk is left. */
void hf_pool_trim(struct hf_pool *p);
/** True if index names an object in use: for indices that come from outside (handles). */
static inline bool hf_pool_has(const struct hf_pool *p, uint32_t index)
{
    uint32_t at = index >> p->objects_shift;
    return at < p->chunk_count && p->chunks[at] != NULL && index != p->at_hand &&
           hf_pool_chunk_has(p->chunks[at], index & p->slot_mask);
}
/** The first used object at or after index, HF_NIL when there is none. */
uint32_t hf_pool_next(const struct hf_pool *p, uint32_t index);
/** Bytes taken for chunks and directory. */
uint64_t hf_pool_bytes(const struct hf_pool *p);

void hf_pool_save(const struct hf_pool *p, struct hf_writer *w);
/** Into an initialised, empty pool with the same sizes. HF_E_VERSION if the bytes don't fit,
 *  HF_E_MEMORY; then the pool is empty. */
HF_MUST_CHECK int hf_pool_restore(struct hf_pool *p, struct hf_reader *r);

/** Where chunks keep their objects: a fixed distance from the chunk's start. Inline for speed. */
enum { HF_POOL_CHUNK_HEAD_BYTES = 192 };

static inline uint8_t *hf_pool_object(const struct hf_pool *p, struct hf_pool_chunk *c,
                                      uint32_t slot)
{
    return (uint8_t *)c + HF_POOL_CHUNK_HEAD_BYTES + (size_t)slot * p->object_bytes;
}

/* What is left of the next functions when it is not the common case. */
uint32_t hf_pool_take_slowly(struct hf_pool *p, void **object);
void hf_pool_chunk_is_full(struct hf_pool *p, uint32_t at);
void hf_pool_chunk_is_open(struct hf_pool *p, uint32_t at);
void hf_pool_chunk_is_empty(struct hf_pool *p, uint32_t at);

/** Takes a slot of the chunk in front of the ring, which has one; *object: what is there. */
static inline uint32_t hf_pool_take_slot(struct hf_pool *p, uint32_t object_bytes,
                                         uint32_t objects_shift, void **object)
{
    uint32_t at = p->open_head;
    struct hf_pool_chunk *c = p->chunks[at];
    bool fresh = c->free_head == HF_NIL;
    uint32_t slot = fresh ? c->fresh++ : c->free_head;
    *object = (uint8_t *)c + HF_POOL_CHUNK_HEAD_BYTES + (size_t)slot * object_bytes;
    if (!fresh)
        memcpy(&c->free_head, *object, sizeof c->free_head);
    c->in_use[slot / 64] |= 1ull << (slot % 64);
    p->used++;
    if (++c->used == c->objects)
        hf_pool_chunk_is_full(p, at);
    return at << objects_shift | slot;
}
/** Nothing stands against taking from the chunk in front. */
static inline bool hf_pool_is_open(const struct hf_pool *p)
{
    return p->fail_countdown == 0 && p->used < p->limit && p->open_head != HF_NIL;
}
/** As hf_pool_take, but the object's content is undefined, and it is told where that is. */
HF_MUST_CHECK static inline uint32_t hf_pool_take_at(struct hf_pool *p, void **object)
{
    if (!hf_pool_is_open(p) || p->at_hand != HF_NIL)
        return hf_pool_take_slowly(p, object);
    return hf_pool_take_slot(p, p->object_bytes, p->objects_shift, object);
}
HF_MUST_CHECK static inline uint32_t hf_pool_take_dirty(struct hf_pool *p)
{
    void *object;
    return hf_pool_take_at(p, &object);
}
/** A zeroed object, or HF_NIL at the limit or without memory. */
HF_MUST_CHECK static inline uint32_t hf_pool_take(struct hf_pool *p)
{
    void *object;
    uint32_t index = hf_pool_take_at(p, &object);
    if (index != HF_NIL)
        memset(object, 0, p->object_bytes);
    return index;
}
/** Gives the object in a slot of chunk `at` back. */
static inline void hf_pool_give_slot(struct hf_pool *p, uint32_t at, uint32_t slot, void *object)
{
    HF_ASSERT(at < p->chunk_count && p->chunks[at] != NULL);
    struct hf_pool_chunk *c = p->chunks[at];
    uint64_t bit = 1ull << (slot % 64);
    HF_ASSERT((c->in_use[slot / 64] & bit) != 0);
    c->in_use[slot / 64] ^= bit;
    memcpy(object, &c->free_head, sizeof c->free_head);
    c->free_head = slot;
    p->used--;
    if (c->used-- == c->objects)
        hf_pool_chunk_is_open(p, at);
    else if (c->used == 0 && c->open_next != at) /* else it is alone in the ring */
        hf_pool_chunk_is_empty(p, at);
}
/** Gives an object back: it may be the next to be taken. */
static inline void hf_pool_give(struct hf_pool *p, uint32_t index)
{
    uint32_t at = index >> p->objects_shift, slot = index & p->slot_mask;
    HF_ASSERT(at < p->chunk_count && index != p->at_hand);
    uint8_t *objects = (uint8_t *)p->chunks[at] + HF_POOL_CHUNK_HEAD_BYTES;
    hf_pool_give_slot(p, at, slot, objects + (size_t)slot * p->object_bytes);
}

/** The object. index must be in use (checked in debug builds). */
static inline void *hf_pool_at(const struct hf_pool *p, uint32_t index)
{
    HF_DEBUG_ASSERT(hf_pool_has(p, index));
    uint8_t *chunk = (uint8_t *)p->chunks[index >> p->objects_shift];
    return chunk + HF_POOL_CHUNK_HEAD_BYTES + (size_t)(index & p->slot_mask) * p->object_bytes;
}

/** The same, of a pool whose sizes the compiler knows: those that it was made with, which
 *  hf_pool_is_sized tells. Three times as fast, and done some thirty times a packet. */
static inline void *hf_pool_at_sized(const struct hf_pool *p, uint32_t index, uint32_t object_bytes,
                                     uint32_t objects_shift)
{
    HF_DEBUG_ASSERT(hf_pool_has(p, index));
    uint8_t *chunk = (uint8_t *)p->chunks[index >> objects_shift];
    uint32_t slot = index & ((1u << objects_shift) - 1);
    return chunk + HF_POOL_CHUNK_HEAD_BYTES + (size_t)slot * object_bytes;
}
/** The same of an index that comes from outside, and a pool that lends nothing: NULL if it names no
 *  object in use. */
static inline void *hf_pool_find_sized(const struct hf_pool *p, uint32_t index,
                                       uint32_t object_bytes, uint32_t objects_shift)
{
    uint32_t at = index >> objects_shift, slot = index & ((1u << objects_shift) - 1);
    struct hf_pool_chunk *c = at < p->chunk_count ? p->chunks[at] : NULL;
    if (c == NULL || !hf_pool_chunk_has(c, slot))
        return NULL;
    return (uint8_t *)c + HF_POOL_CHUNK_HEAD_BYTES + (size_t)slot * object_bytes;
}
static inline bool hf_pool_is_sized(const struct hf_pool *p, uint32_t object_bytes,
                                    uint32_t objects_shift)
{
    return p->object_bytes == object_bytes && p->objects_shift == objects_shift;
}

/* ---- objects that are lent ---- */

/** One can be had without asking the allocator. */
static inline bool hf_pool_may_lend(const struct hf_pool *p)
{
    return p->fail_countdown == 0 && p->used < p->limit &&
           (p->at_hand != HF_NIL || p->open_head != HF_NIL);
}
/** As hf_pool_take_at, of objects that hf_pool_return gives back. The sizes are those of the pool,
 *  which the compiler may know. */
HF_MUST_CHECK static inline uint32_t hf_pool_lend(struct hf_pool *p, uint32_t object_bytes,
                                                  uint32_t objects_shift, void **object)
{
    uint32_t index = p->at_hand;
    if (index == HF_NIL || p->fail_countdown > 0 || p->used >= p->limit)
        return hf_pool_take_at(p, object);
    uint32_t slot = index & ((1u << objects_shift) - 1);
    uint8_t *objects = (uint8_t *)p->chunks[index >> objects_shift] + HF_POOL_CHUNK_HEAD_BYTES;
    p->at_hand = HF_NIL;
    p->used++;
    *object = objects + (size_t)slot * object_bytes;
    return index;
}
/** Gives back an object that was lent, and lies there. */
static inline void hf_pool_return(struct hf_pool *p, uint32_t index, uint32_t objects_shift,
                                  void *object)
{
    uint32_t at = index >> objects_shift, slot = index & ((1u << objects_shift) - 1);
    HF_ASSERT(index != p->at_hand);
    if (p->at_hand != HF_NIL || at != p->open_head) {
        hf_pool_give_slot(p, at, slot, object);
        return;
    }
    HF_ASSERT(hf_pool_chunk_has(p->chunks[at], slot));
    p->at_hand = index;
    p->used--;
}

#endif
