/*
 * Pools: objects of one size in chunks, named by index.
 *
 * Owns its chunks and the directory that finds them; all absolute pointers are in that directory.
 * What the objects mean, and who names whom, is left to the owners of the pool.
 *
 * A chunk is a head and its objects. Objects that were given back are linked through their first
 * four bytes; those never taken are only counted, so that a new chunk costs no walk over its
 * memory. Chunks with a free object form a ring: objects are taken from the one in front, a chunk
 * that becomes empty goes to the back, so that it stays empty for hf_pool_trim if it can.
 */
#include "pool.h"

enum {
    MIN_OBJECTS = 8,
    DIRECTORY_MIN_BYTES = 4096, /* the allocator is asked for large pieces only */
};

/* No index of a chunk that this limit lets begin is HF_NIL. */
static const uint32_t LIMIT_MAX = UINT32_MAX - HF_POOL_OBJECTS_MAX;
static const uint32_t SAVED_MAGIC = 0x48465031; /* "HFP1" */

_Static_assert(sizeof(struct hf_pool_chunk) <= HF_POOL_CHUNK_HEAD_BYTES, "the head fits");
_Static_assert(HF_POOL_CHUNK_HEAD_BYTES % HF_LINE_BYTES == 0, "objects can be aligned to lines");

struct saved_pool {
    uint32_t magic;
    uint32_t object_bytes;
    uint32_t objects_shift;
    uint32_t chunk_count;
    uint32_t used;
    uint32_t open_head;
};

/* ---- sizes -------------------------------------------------------------------------------- */

static uint32_t objects_per_chunk(const struct hf_pool *p)
{
    return 1u << p->objects_shift;
}

/** Objects of whole cache lines begin on one. */
static bool is_line_aligned(const struct hf_pool *p)
{
    return p->object_bytes % HF_LINE_BYTES == 0;
}

static size_t piece_bytes(const struct hf_pool *p)
{
    return HF_POOL_CHUNK_HEAD_BYTES + ((size_t)p->object_bytes << p->objects_shift) +
           (is_line_aligned(p) ? HF_LINE_BYTES : 0);
}

void hf_pool_init(struct hf_pool *p, struct hf_mem *mem, uint32_t object_bytes,
                  uint32_t chunk_bytes, uint32_t limit)
{
    HF_ASSERT(object_bytes > 0);
    *p = (struct hf_pool){
        .mem = mem,
        .object_bytes = (object_bytes + 7) & ~7u,
        .limit = hf_min_u32(limit, LIMIT_MAX),
        .open_head = HF_NIL,
        .at_hand = HF_NIL,
        .hole_head = HF_NIL,
    };
    uint32_t room = hf_max_u32(chunk_bytes, HF_POOL_CHUNK_HEAD_BYTES) - HF_POOL_CHUNK_HEAD_BYTES;
    uint32_t fitting =
        hf_min_u32(hf_max_u32(room / p->object_bytes, MIN_OBJECTS), HF_POOL_OBJECTS_MAX);
    while (fitting >> (p->objects_shift + 1) != 0)
        p->objects_shift++;
    p->slot_mask = (1u << p->objects_shift) - 1;
}

/* ---- the ring of chunks with a free object -------------------------------------------------- */

static void ring_push_back(struct hf_pool *p, uint32_t at)
{
    struct hf_pool_chunk *c = p->chunks[at];
    if (p->open_head == HF_NIL) {
        c->open_next = c->open_prev = p->open_head = at;
        return;
    }
    struct hf_pool_chunk *head = p->chunks[p->open_head];
    c->open_next = p->open_head;
    c->open_prev = head->open_prev;
    p->chunks[head->open_prev]->open_next = at;
    head->open_prev = at;
}

static void ring_remove(struct hf_pool *p, uint32_t at)
{
    struct hf_pool_chunk *c = p->chunks[at];
    if (c->open_next == at) {
        p->open_head = HF_NIL;
        return;
    }
    p->chunks[c->open_prev]->open_next = c->open_next;
    p->chunks[c->open_next]->open_prev = c->open_prev;
    if (p->open_head == at)
        p->open_head = c->open_next;
}

/* ---- chunks and their directory ------------------------------------------------------------- */

/** The first directory entry without a chunk at or after `from`, HF_NIL when all have one. */
static uint32_t find_hole(const struct hf_pool *p, uint32_t from)
{
    for (uint32_t at = from; at < p->chunk_count; at++)
        if (p->chunks[at] == NULL)
            return at;
    return HF_NIL;
}

static bool directory_reserve(struct hf_pool *p, uint32_t entries)
{
    const size_t entry = sizeof(struct hf_pool_chunk *);
    uint32_t capacity = p->chunk_capacity;
    while (capacity < entries)
        capacity = capacity == 0 ? DIRECTORY_MIN_BYTES / (uint32_t)entry : 2 * capacity;
    if (capacity == p->chunk_capacity)
        return true;
    struct hf_pool_chunk **chunks =
        hf_mem_resize(p->mem, p->chunks, p->chunk_capacity * entry, capacity * entry);
    if (chunks == NULL)
        return false;
    p->chunks = chunks;
    p->chunk_capacity = capacity;
    return true;
}

static struct hf_pool_chunk *chunk_new(struct hf_pool *p)
{
    uint8_t *piece = hf_mem_take(p->mem, piece_bytes(p));
    if (piece == NULL)
        return NULL;
    uint32_t skipped = is_line_aligned(p) ? (uint32_t)(0 - (uintptr_t)piece) % HF_LINE_BYTES : 0;
    struct hf_pool_chunk *c = (struct hf_pool_chunk *)(void *)(piece + skipped);
    *c = (struct hf_pool_chunk){
        .free_head = HF_NIL,
        .objects = objects_per_chunk(p),
        .skipped_bytes = skipped,
    };
    return c;
}

static void chunk_delete(struct hf_pool *p, struct hf_pool_chunk *c)
{
    if (c != NULL)
        hf_mem_give(p->mem, (uint8_t *)c - c->skipped_bytes, piece_bytes(p));
}

/** Adds an empty chunk to the ring, in the lowest hole of the directory: indices stay small. */
static bool add_chunk(struct hf_pool *p)
{
    uint32_t at = p->hole_head != HF_NIL ? p->hole_head : p->chunk_count;
    if (!directory_reserve(p, at + 1))
        return false;
    struct hf_pool_chunk *c = chunk_new(p);
    if (c == NULL)
        return false;
    p->chunks[at] = c;
    if (at == p->chunk_count)
        p->chunk_count++;
    else
        p->hole_head = find_hole(p, at + 1);
    ring_push_back(p, at);
    return true;
}

static void directory_free(struct hf_pool *p)
{
    hf_mem_give(p->mem, p->chunks, p->chunk_capacity * sizeof(struct hf_pool_chunk *));
    p->chunks = NULL;
    p->chunk_capacity = 0;
}

void hf_pool_free(struct hf_pool *p)
{
    for (uint32_t at = 0; at < p->chunk_count; at++)
        chunk_delete(p, p->chunks[at]);
    directory_free(p);
    p->chunk_count = 0;
    p->used = 0;
    p->open_head = HF_NIL;
    p->at_hand = HF_NIL;
    p->hole_head = HF_NIL;
}

/** What is at hand goes back to its chunk: before another one comes to the front. */
static void put_away(struct hf_pool *p)
{
    uint32_t index = p->at_hand, slot = index & p->slot_mask, at = index >> p->objects_shift;
    if (index == HF_NIL)
        return;
    p->at_hand = HF_NIL;
    p->used++; /* it was counted out when it came back */
    hf_pool_give_slot(p, at, slot, hf_pool_object(p, p->chunks[at], slot));
}

void hf_pool_trim(struct hf_pool *p)
{
    put_away(p);
    for (uint32_t at = 0; at < p->chunk_count; at++) {
        struct hf_pool_chunk *c = p->chunks[at];
        if (c == NULL || c->used > 0)
            continue;
        ring_remove(p, at);
        chunk_delete(p, c);
        p->chunks[at] = NULL;
    }
    while (p->chunk_count > 0 && p->chunks[p->chunk_count - 1] == NULL)
        p->chunk_count--;
    p->hole_head = find_hole(p, 0);
    if (p->chunk_count == 0)
        directory_free(p);
}

uint64_t hf_pool_bytes(const struct hf_pool *p)
{
    uint64_t bytes = (uint64_t)p->chunk_capacity * sizeof(struct hf_pool_chunk *);
    for (uint32_t at = 0; at < p->chunk_count; at++)
        if (p->chunks[at] != NULL)
            bytes += piece_bytes(p);
    return bytes;
}

/* ---- objects ------------------------------------------------------------------------------ */

uint32_t hf_pool_take_slowly(struct hf_pool *p, void **object)
{
    if (p->fail_countdown > 0 && --p->fail_countdown == 0)
        return HF_NIL;
    if (p->used >= p->limit)
        return HF_NIL;
    put_away(p);
    if (p->open_head == HF_NIL && !add_chunk(p))
        return HF_NIL;
    return hf_pool_take_slot(p, p->object_bytes, p->objects_shift, object);
}

void hf_pool_chunk_is_full(struct hf_pool *p, uint32_t at)
{
    ring_remove(p, at);
}

void hf_pool_chunk_is_open(struct hf_pool *p, uint32_t at)
{
    put_away(p);
    ring_push_back(p, at);
    p->open_head = at; /* in front: it is in the cache, and nearly full */
}

void hf_pool_chunk_is_empty(struct hf_pool *p, uint32_t at)
{
    ring_remove(p, at);
    ring_push_back(p, at);
}

/** The first one at or after index that its chunk has in use. */
static uint32_t next_of_chunks(const struct hf_pool *p, uint32_t index)
{
    uint32_t words = (objects_per_chunk(p) + 63) / 64;
    uint32_t slot = index & p->slot_mask;
    for (uint32_t at = index >> p->objects_shift; at < p->chunk_count; at++, slot = 0) {
        const struct hf_pool_chunk *c = p->chunks[at];
        if (c == NULL || c->used == 0)
            continue;
        uint32_t word = slot / 64;
        uint64_t bits = c->in_use[word] & ~0ull << (slot % 64);
        while (bits == 0 && ++word < words)
            bits = c->in_use[word];
        if (bits != 0)
            return at << p->objects_shift | (word * 64 + (uint32_t)__builtin_ctzll(bits));
    }
    return HF_NIL;
}

uint32_t hf_pool_next(const struct hf_pool *p, uint32_t index)
{
    uint32_t next = next_of_chunks(p, index);
    return next != HF_NIL && next == p->at_hand ? next_of_chunks(p, next + 1) : next;
}

/* ---- save and restore ----------------------------------------------------------------------- */

/*
 * Saved are the head of each chunk and, of each slot ever taken, the object or the free list's
 * link. So a restored pool hands out the same indices as the saved one, and in the same order
 * where nothing was at hand: that is saved as the first of its chunk's free list, which stands in
 * front of the ring, while the saved pool may find its chunk empty and put it behind the others.
 */

static void chunk_save(const struct hf_pool *p, uint32_t at, struct hf_writer *w)
{
    struct hf_pool_chunk *c = p->chunks[at], head = *c;
    uint32_t link = c->free_head, free_slot = HF_NIL; /* of what is at hand */
    if (p->at_hand != HF_NIL && p->at_hand >> p->objects_shift == at) {
        head.free_head = free_slot = p->at_hand & p->slot_mask;
        head.in_use[free_slot / 64] ^= 1ull << (free_slot % 64);
        head.used--;
    }
    head.skipped_bytes = 0; /* an accident of the address */
    hf_write(w, &head, sizeof head);
    for (uint32_t slot = 0; slot < c->fresh; slot++) {
        if (slot == free_slot)
            hf_write(w, &link, sizeof link);
        else
            hf_write(w, hf_pool_object(p, c, slot),
                     hf_pool_chunk_has(c, slot) ? p->object_bytes : sizeof c->free_head);
    }
}

void hf_pool_save(const struct hf_pool *p, struct hf_writer *w)
{
    struct saved_pool saved = {
        .magic = SAVED_MAGIC,
        .object_bytes = p->object_bytes,
        .objects_shift = p->objects_shift,
        .chunk_count = p->chunk_count,
        .used = p->used,
        .open_head = p->open_head,
    };
    hf_write(w, &saved, sizeof saved);
    for (uint32_t at = 0; at < p->chunk_count; at++) {
        uint32_t is_there = p->chunks[at] != NULL;
        hf_write(w, &is_there, sizeof is_there);
        if (is_there)
            chunk_save(p, at, w);
    }
}

/** True if counts and bits of a head from outside agree with each other. */
static bool head_is_sound(const struct hf_pool *p, const struct hf_pool_chunk *head)
{
    if (head->objects != objects_per_chunk(p) || head->fresh > head->objects ||
        head->used > head->fresh || head->skipped_bytes != 0)
        return false;
    uint32_t bits = 0;
    for (uint32_t slot = 0; slot < HF_POOL_OBJECTS_MAX; slot++) {
        if (hf_pool_chunk_has(head, slot) && slot >= head->fresh)
            return false;
        bits += hf_pool_chunk_has(head, slot);
    }
    return bits == head->used;
}

/** True if the free list holds each free slot below `fresh` once: a list that ends after as many
 *  steps as there are free slots can't have met one twice. */
static bool free_list_is_sound(const struct hf_pool *p, struct hf_pool_chunk *c)
{
    uint32_t slot = c->free_head;
    for (uint32_t left = c->fresh - c->used; left > 0; left--) {
        if (slot >= c->fresh || hf_pool_chunk_has(c, slot))
            return false;
        memcpy(&slot, hf_pool_object(p, c, slot), sizeof slot);
    }
    return slot == HF_NIL;
}

/** Reads one chunk into the last, still empty entry of the directory. */
static int chunk_restore(struct hf_pool *p, struct hf_reader *r)
{
    struct hf_pool_chunk head;
    if (!hf_read(r, &head, sizeof head) || !head_is_sound(p, &head))
        return HF_E_VERSION;
    struct hf_pool_chunk *c = chunk_new(p);
    if (c == NULL)
        return HF_E_MEMORY;
    head.skipped_bytes = c->skipped_bytes;
    *c = head;
    p->chunks[p->chunk_count - 1] = c;
    p->used += c->used;
    for (uint32_t slot = 0; slot < c->fresh; slot++)
        if (!hf_read(r, hf_pool_object(p, c, slot),
                     hf_pool_chunk_has(c, slot) ? p->object_bytes : sizeof c->free_head))
            return HF_E_VERSION;
    return free_list_is_sound(p, c) ? HF_OK : HF_E_VERSION;
}

static bool chunk_is_open(const struct hf_pool *p, uint32_t at)
{
    return p->chunks[at] != NULL && p->chunks[at]->used < p->chunks[at]->objects;
}

/** True if the ring holds each chunk with a free object once. */
static bool ring_is_sound(const struct hf_pool *p)
{
    uint32_t open = 0;
    for (uint32_t at = 0; at < p->chunk_count; at++)
        open += chunk_is_open(p, at);
    if (open == 0)
        return p->open_head == HF_NIL;
    uint32_t at = p->open_head;
    for (uint32_t seen = 0; seen < open; seen++) {
        if (at >= p->chunk_count || !chunk_is_open(p, at) || (seen > 0 && at == p->open_head))
            return false;
        uint32_t next = p->chunks[at]->open_next;
        if (next >= p->chunk_count || !chunk_is_open(p, next) || p->chunks[next]->open_prev != at)
            return false;
        at = next;
    }
    return at == p->open_head;
}

static bool saved_fits(const struct hf_pool *p, const struct saved_pool *s,
                       const struct hf_reader *r)
{
    if (s->magic != SAVED_MAGIC || s->object_bytes != p->object_bytes ||
        s->objects_shift != p->objects_shift || s->used > p->limit)
        return false;
    /* Bounded before memory is asked for: by the limit, and by the bytes that are there. */
    uint32_t most = (p->limit >> p->objects_shift) + 1;
    return s->chunk_count <= most &&
           s->chunk_count <= (r->length_bytes - r->used_bytes) / sizeof(uint32_t);
}

static int restore(struct hf_pool *p, struct hf_reader *r)
{
    struct saved_pool saved;
    if (!hf_read(r, &saved, sizeof saved) || !saved_fits(p, &saved, r))
        return HF_E_VERSION;
    if (saved.chunk_count > 0 && !directory_reserve(p, saved.chunk_count))
        return HF_E_MEMORY;
    while (p->chunk_count < saved.chunk_count) {
        uint32_t is_there;
        if (!hf_read(r, &is_there, sizeof is_there) || is_there > 1)
            return HF_E_VERSION;
        p->chunks[p->chunk_count++] = NULL;
        int err = is_there ? chunk_restore(p, r) : HF_OK;
        if (err != HF_OK)
            return err;
    }
    p->open_head = saved.open_head;
    p->hole_head = find_hole(p, 0);
    return p->used == saved.used && ring_is_sound(p) ? HF_OK : HF_E_VERSION;
}

int hf_pool_restore(struct hf_pool *p, struct hf_reader *r)
{
    HF_ASSERT(p->chunk_count == 0);
    int err = restore(p, r);
    if (err != HF_OK)
        hf_pool_free(p);
    return err;
}
