/*
 * Linear hashing of references.
 *
 * Owns its buckets: the primary ones in segments, found through a directory; the overflow ones in a
 * pool. Keys, and what a reference names, are left to the caller.
 *
 * Segments double from 64 buckets (4 KB) to 1024 (64 KB) and stay at that: a small table is
 * small, and a large one grows in steps that don't show. The first one stays until hf_table_trim.
 *
 * A chain of buckets is kept compact: all but its last bucket are full. Three rules follow from the
 * load of 2 to 5.5 entries a bucket. Splitting a chain needs no more overflow buckets than it had;
 * merging two may need one more, and is put off rather than ask the allocator; and each insert or
 * remove splits or merges at most once, which keeps up as a split makes room for five.
 */
#include "table.h"

enum {
    FIRST_SEGMENT_SHIFT = 6,
    LAST_SEGMENT_SHIFT = 10,
    FIRST_BUCKETS = 1 << FIRST_SEGMENT_SHIFT,
    LAST_BUCKETS = 1 << LAST_SEGMENT_SHIFT,
    GROWING_SEGMENTS = LAST_SEGMENT_SHIFT - FIRST_SEGMENT_SHIFT + 1,
    MOST_BUCKETS = 1 << 30,
    SPLIT_LOAD = 11,            /* half entries a bucket, on average, above which one is split */
    MERGE_LOAD = 4,             /* and below which two are merged */
    DIRECTORY_MIN_BYTES = 4096, /* the allocator is asked for large pieces only */
    OVERFLOW_CHUNK_BYTES = 5 * 1024, /* 64 buckets */
};

_Static_assert(sizeof(struct hf_table_bucket) == HF_LINE_BYTES, "a bucket is one cache line");

static const uint32_t SAVED_MAGIC = 0x48465431; /* "HFT1" */

struct saved_table {
    uint32_t magic;
    uint32_t bucket_count;
    uint32_t count;
};

struct saved_entry {
    uint32_t hash, ref;
};

/* ---- where buckets are ---------------------------------------------------------------------- */

/** A bucket of the table by linear hashing: those behind the last one are not split off yet. */
static uint32_t bucket_index(uint32_t bucket_count, uint32_t level_mask, uint32_t hash)
{
    uint32_t index = hash & (level_mask << 1 | 1);
    return index < bucket_count ? index : index & level_mask;
}

static uint32_t segment_of(uint32_t index)
{
    if (index >= LAST_BUCKETS)
        return (index >> LAST_SEGMENT_SHIFT) + GROWING_SEGMENTS - 1;
    if (index < FIRST_BUCKETS)
        return 0;
    return 32 - FIRST_SEGMENT_SHIFT - (uint32_t)__builtin_clz(index);
}

static uint32_t segment_first_bucket(uint32_t segment)
{
    if (segment >= GROWING_SEGMENTS)
        return (segment - GROWING_SEGMENTS + 1) << LAST_SEGMENT_SHIFT;
    return segment == 0 ? 0 : (uint32_t)FIRST_BUCKETS << (segment - 1);
}

static size_t segment_piece_bytes(uint32_t segment)
{
    size_t buckets = segment_first_bucket(segment + 1) - segment_first_bucket(segment);
    return buckets * sizeof(struct hf_table_bucket) + HF_LINE_BYTES;
}

static struct hf_table_bucket *bucket_at(const struct hf_table *t, uint32_t index)
{
    uint32_t segment = segment_of(index);
    struct hf_table_bucket *first = (struct hf_table_bucket *)(void *)t->segments[segment];
    return first + (index - segment_first_bucket(segment));
}

static struct hf_table_bucket *bucket_of(const struct hf_table *t, uint32_t hash)
{
    return bucket_at(t, bucket_index(t->bucket_count, t->level_mask, hash));
}

static struct hf_table_bucket *overflow_at(const struct hf_table *t, uint32_t index)
{
    return hf_pool_at(&t->overflow, index);
}

static uint64_t times(uint32_t buckets, uint32_t load)
{
    return (uint64_t)buckets * load;
}

/* ---- segments ------------------------------------------------------------------------------- */

static bool directory_grow(struct hf_table *t)
{
    const size_t entry = sizeof(uint8_t *);
    uint32_t capacity = t->segment_capacity * 2;
    if (capacity == 0)
        capacity = DIRECTORY_MIN_BYTES / (uint32_t)entry;
    uint8_t **segments =
        hf_mem_resize(t->mem, t->segments, t->segment_capacity * entry, capacity * entry);
    if (segments == NULL)
        return false;
    t->segments = segments;
    t->segment_capacity = capacity;
    return true;
}

/** Makes sure that the segment of a bucket is there; those before it are. */
static bool segment_reserve(struct hf_table *t, uint32_t index)
{
    uint32_t segment = segment_of(index);
    if (segment < t->segment_count)
        return true;
    if (segment == t->segment_capacity && !directory_grow(t))
        return false;
    uint8_t *piece = hf_mem_take(t->mem, segment_piece_bytes(segment));
    if (piece == NULL)
        return false;
    /* At least one byte lies before the aligned start: it tells how far the piece's start is. */
    uint32_t skipped = HF_LINE_BYTES - (uint32_t)((uintptr_t)piece % HF_LINE_BYTES);
    piece[skipped - 1] = (uint8_t)skipped;
    t->segments[segment] = piece + skipped;
    t->segment_count = segment + 1;
    return true;
}

static void segment_give(struct hf_table *t)
{
    uint32_t segment = --t->segment_count;
    uint8_t *start = t->segments[segment];
    hf_mem_give(t->mem, start - start[-1], segment_piece_bytes(segment));
}

static void bucket_clear(struct hf_table_bucket *b)
{
    b->used = 0;
    b->overflow = HF_NIL;
}

void hf_table_init(struct hf_table *t, struct hf_mem *mem)
{
    *t = (struct hf_table){.mem = mem};
    hf_pool_init(&t->overflow, mem, sizeof(struct hf_table_bucket), OVERFLOW_CHUNK_BYTES,
                 UINT32_MAX);
}

void hf_table_free(struct hf_table *t)
{
    while (t->segment_count > 0)
        segment_give(t);
    hf_mem_give(t->mem, t->segments, t->segment_capacity * sizeof(uint8_t *));
    hf_pool_free(&t->overflow);
    t->segments = NULL;
    t->segment_capacity = 0;
    t->bucket_count = 0;
    t->level_mask = 0;
    t->count = 0;
}

void hf_table_trim(struct hf_table *t)
{
    if (t->count == 0)
        hf_table_free(t);
    else
        hf_pool_trim(&t->overflow);
}

uint64_t hf_table_bytes(const struct hf_table *t)
{
    uint64_t bytes = (uint64_t)t->segment_capacity * sizeof(uint8_t *);
    for (uint32_t segment = 0; segment < t->segment_count; segment++)
        bytes += segment_piece_bytes(segment);
    return bytes + hf_pool_bytes(&t->overflow);
}

/* ---- chains --------------------------------------------------------------------------------- */

static struct hf_table_bucket *chain_last(const struct hf_table *t, struct hf_table_bucket *b)
{
    while (b->overflow != HF_NIL)
        b = overflow_at(t, b->overflow);
    return b;
}

static void bucket_put(struct hf_table_bucket *b, uint32_t hash, uint32_t ref)
{
    b->hash[b->used] = hash;
    b->ref[b->used] = ref;
    b->used++;
}

/** As chain_add; out of line, so that the common case needs no registers saved. */
__attribute__((noinline)) static bool chain_add_slowly(struct hf_table *t,
                                                       struct hf_table_bucket *b, uint32_t hash,
                                                       uint32_t ref)
{
    b = chain_last(t, b);
    if (b->used == HF_TABLE_BUCKET_ENTRIES) {
        uint32_t index = hf_pool_take_dirty(&t->overflow);
        if (index == HF_NIL)
            return false;
        b->overflow = index;
        b = overflow_at(t, index);
        bucket_clear(b);
    }
    bucket_put(b, hash, ref);
    return true;
}

/** Adds an entry to a chain. False when that needs a bucket and there is no memory. */
static inline bool chain_add(struct hf_table *t, struct hf_table_bucket *b, uint32_t hash,
                             uint32_t ref)
{
    if (b->used == HF_TABLE_BUCKET_ENTRIES)
        return chain_add_slowly(t, b, hash, ref);
    bucket_put(b, hash, ref); /* not full: the last of its chain */
    return true;
}

/** Where an entry is. */
struct spot {
    struct hf_table_bucket *bucket;
    struct hf_table_bucket *before; /* the bucket before it in the chain, or NULL */
    uint32_t slot;
};

/** Buckets are searched from their end: who came last is likely to leave first. */
static inline struct spot find_ref(const struct hf_table *t, uint32_t hash, uint32_t ref)
{
    struct hf_table_bucket *before = NULL;
    HF_ASSERT(t->bucket_count > 0);
    for (struct hf_table_bucket *b = bucket_of(t, hash);; b = overflow_at(t, b->overflow)) {
        for (uint32_t slot = b->used; slot-- > 0;)
            if (b->ref[slot] == ref)
                return (struct spot){b, before, slot};
        HF_ASSERT(b->overflow != HF_NIL); /* or the entry is not there */
        before = b;
    }
}

/* ---- growing and shrinking by a bucket ---------------------------------------------------- */

/** Buckets taken from a chain that is being rewritten, linked by their overflow field. */
struct spares {
    struct hf_table *table;
    uint32_t head;
};

static void spares_push(struct spares *s, uint32_t index)
{
    overflow_at(s->table, index)->overflow = s->head;
    s->head = index;
}

static uint32_t spares_pop(struct spares *s)
{
    uint32_t index = s->head;
    HF_ASSERT(index != HF_NIL);
    s->head = overflow_at(s->table, index)->overflow;
    return index;
}

static void spares_give(struct spares *s)
{
    while (s->head != HF_NIL)
        hf_pool_give(&s->table->overflow, spares_pop(s));
}

/** Puts an entry behind the last bucket of a chain; the new last bucket. */
static struct hf_table_bucket *put_behind(struct spares *s, struct hf_table_bucket *last,
                                          uint32_t hash, uint32_t ref)
{
    if (last->used == HF_TABLE_BUCKET_ENTRIES) {
        last->overflow = spares_pop(s);
        last = overflow_at(s->table, last->overflow);
        bucket_clear(last);
    }
    bucket_put(last, hash, ref);
    return last;
}

/**
 * Deals the entries of a chain that was copied from its place out to the chains that end in
 * `zero` and `one`, by a bit of their hash. An overflow bucket becomes spare before its
 * entries are dealt, so that those always find room.
 */
static void deal(struct spares *s, struct hf_table_bucket chain, uint32_t bit,
                 struct hf_table_bucket *zero, struct hf_table_bucket *one)
{
    for (;;) {
        for (uint32_t i = 0; i < chain.used; i++) {
            if ((chain.hash[i] & bit) != 0)
                one = put_behind(s, one, chain.hash[i], chain.ref[i]);
            else
                zero = put_behind(s, zero, chain.hash[i], chain.ref[i]);
        }
        if (chain.overflow == HF_NIL)
            return;
        uint32_t index = chain.overflow;
        chain = *overflow_at(s->table, index);
        spares_push(s, index);
    }
}

/** Adds a bucket, and moves to it what belongs there from the one it is split off. */
__attribute__((noinline)) static void split(struct hf_table *t)
{
    uint32_t added = t->bucket_count;
    if (added == MOST_BUCKETS || !segment_reserve(t, added))
        return; /* put off: the next insert tries again */
    struct hf_table_bucket *zero = bucket_at(t, added & t->level_mask);
    struct hf_table_bucket *one = bucket_at(t, added);
    struct hf_table_bucket chain = *zero;
    struct spares spares = {t, HF_NIL};
    bucket_clear(zero);
    bucket_clear(one);
    deal(&spares, chain, t->level_mask + 1, zero, one);
    spares_give(&spares);
    t->bucket_count = added + 1;
    if (t->bucket_count > (t->level_mask << 1 | 1))
        t->level_mask = t->level_mask << 1 | 1;
}

/** Takes the last bucket away, its entries go back to the one it was once split off. */
__attribute__((noinline)) static void merge(struct hf_table *t)
{
    uint32_t removed = t->bucket_count - 1;
    uint32_t mask = removed <= t->level_mask ? t->level_mask >> 1 : t->level_mask;
    struct hf_table_bucket *from = bucket_at(t, removed);
    struct hf_table_bucket *last = chain_last(t, bucket_at(t, removed & mask));
    struct spares spares = {t, HF_NIL};
    if (from->used > HF_TABLE_BUCKET_ENTRIES - last->used) {
        if (t->overflow.open_head == HF_NIL)
            return; /* put off: a bucket would have to come from the allocator */
        uint32_t index = hf_pool_take_dirty(&t->overflow);
        if (index == HF_NIL)
            return;
        spares_push(&spares, index);
    }
    deal(&spares, *from, 0, last, NULL);
    spares_give(&spares);
    t->bucket_count = removed;
    t->level_mask = mask;
    if (segment_first_bucket(t->segment_count - 1) == removed)
        segment_give(t);
}

/** The first buckets of an empty table. */
__attribute__((noinline)) static bool begin(struct hf_table *t)
{
    if (!segment_reserve(t, 0))
        return false;
    for (uint32_t index = 0; index < FIRST_BUCKETS; index++)
        bucket_clear(bucket_at(t, index));
    t->bucket_count = FIRST_BUCKETS;
    t->level_mask = FIRST_BUCKETS - 1;
    return true;
}

/* ---- entries -------------------------------------------------------------------------------- */

bool hf_table_insert(struct hf_table *t, uint32_t hash, uint32_t ref)
{
    HF_ASSERT(ref != HF_NIL);
    if (t->fail_countdown > 0 && --t->fail_countdown == 0)
        return false;
    if (t->bucket_count == 0 && !begin(t))
        return false;
    if (!chain_add(t, bucket_of(t, hash), hash, ref))
        return false;
    t->count++;
    t->changes++;
    if (2 * (uint64_t)t->count > times(t->bucket_count, SPLIT_LOAD))
        split(t);
    return true;
}

void hf_table_remove(struct hf_table *t, uint32_t hash, uint32_t ref)
{
    struct spot spot = find_ref(t, hash, ref);
    struct hf_table_bucket *last = spot.bucket, *before = spot.before;
    while (last->overflow != HF_NIL) {
        before = last;
        last = overflow_at(t, last->overflow);
    }
    last->used--;
    spot.bucket->hash[spot.slot] = last->hash[last->used];
    spot.bucket->ref[spot.slot] = last->ref[last->used];
    if (last->used == 0 && before != NULL) {
        hf_pool_give(&t->overflow, before->overflow);
        before->overflow = HF_NIL;
    }
    t->count--;
    t->removals++;
    t->changes++;
    if (2 * (uint64_t)t->count < times(t->bucket_count, MERGE_LOAD) &&
        t->bucket_count > FIRST_BUCKETS)
        merge(t);
}

void hf_table_replace(struct hf_table *t, uint32_t hash, uint32_t old_ref, uint32_t new_ref)
{
    HF_ASSERT(new_ref != HF_NIL);
    struct spot spot = find_ref(t, hash, old_ref);
    spot.bucket->ref[spot.slot] = new_ref;
    t->changes++;
}

const struct hf_table_bucket *hf_table_begin(const struct hf_table *t, uint32_t hash)
{
    return t->bucket_count > 0 ? bucket_of(t, hash) : NULL;
}

const struct hf_table_bucket *hf_table_behind(const struct hf_table *t,
                                              const struct hf_table_bucket *b)
{
    return overflow_at(t, b->overflow);
}

void hf_table_fetch(const struct hf_table *t, uint32_t hash)
{
    if (t->bucket_count > 0)
        __builtin_prefetch(bucket_of(t, hash));
}

uint32_t hf_table_guess(const struct hf_table *t, uint32_t hash)
{
    if (t->bucket_count == 0)
        return HF_NIL;
    const struct hf_table_bucket *b = bucket_of(t, hash);
    for (uint32_t slot = b->used; slot-- > 0;)
        if (b->hash[slot] == hash)
            return b->ref[slot];
    return b->overflow != HF_NIL ? HF_TABLE_FURTHER : HF_NIL;
}

/* ---- save and restore ----------------------------------------------------------------------- */

/* Saved are the entries of each bucket in their order: searches of a restored table find the same
 * references in the same order, wherever its overflow buckets came to lie. */

static uint32_t chain_count(const struct hf_table *t, const struct hf_table_bucket *b)
{
    uint32_t count = b->used;
    for (; b->overflow != HF_NIL; count += b->used)
        b = overflow_at(t, b->overflow);
    return count;
}

static void chain_save(const struct hf_table *t, const struct hf_table_bucket *b,
                       struct hf_writer *w)
{
    uint32_t count = chain_count(t, b);
    hf_write(w, &count, sizeof count);
    for (;; b = overflow_at(t, b->overflow)) {
        for (uint32_t i = 0; i < b->used; i++) {
            struct saved_entry entry = {b->hash[i], b->ref[i]};
            hf_write(w, &entry, sizeof entry);
        }
        if (b->overflow == HF_NIL)
            return;
    }
}

void hf_table_save(const struct hf_table *t, struct hf_writer *w)
{
    struct saved_table saved = {SAVED_MAGIC, t->bucket_count, t->count};
    hf_write(w, &saved, sizeof saved);
    for (uint32_t index = 0; index < t->bucket_count; index++)
        chain_save(t, bucket_at(t, index), w);
}

/** Reads the entries of the bucket `index`, which all belong there. */
static int chain_restore(struct hf_table *t, uint32_t index, struct hf_reader *r)
{
    uint32_t count;
    struct saved_entry entry;
    if (!hf_read(r, &count, sizeof count))
        return HF_E_VERSION;
    if (!segment_reserve(t, index))
        return HF_E_MEMORY;
    struct hf_table_bucket *b = bucket_at(t, index);
    bucket_clear(b);
    for (; count > 0; count--) {
        if (!hf_read(r, &entry, sizeof entry) || entry.ref == HF_NIL ||
            bucket_index(t->bucket_count, t->level_mask, entry.hash) != index)
            return HF_E_VERSION;
        if (!chain_add(t, b, entry.hash, entry.ref))
            return HF_E_MEMORY;
        b = chain_last(t, b);
        t->count++;
    }
    return HF_OK;
}

static int restore(struct hf_table *t, struct hf_reader *r)
{
    struct saved_table saved;
    if (!hf_read(r, &saved, sizeof saved) || saved.magic != SAVED_MAGIC)
        return HF_E_VERSION;
    if (saved.bucket_count == 0)
        return saved.count == 0 ? HF_OK : HF_E_VERSION;
    /* Bounded by the bytes that are there before memory is asked for. */
    if (saved.bucket_count < FIRST_BUCKETS || saved.bucket_count > MOST_BUCKETS ||
        saved.bucket_count > (r->length_bytes - r->used_bytes) / sizeof(uint32_t))
        return HF_E_VERSION;
    t->bucket_count = saved.bucket_count;
    t->level_mask = FIRST_BUCKETS - 1;
    while ((t->level_mask << 1 | 1) < t->bucket_count)
        t->level_mask = t->level_mask << 1 | 1;
    for (uint32_t index = 0; index < t->bucket_count; index++) {
        int err = chain_restore(t, index, r);
        if (err != HF_OK)
            return err;
    }
    return t->count == saved.count ? HF_OK : HF_E_VERSION;
}

int hf_table_restore(struct hf_table *t, struct hf_reader *r)
{
    HF_ASSERT(t->bucket_count == 0);
    int err = restore(t, r);
    if (err != HF_OK)
        hf_table_free(t);
    return err;
}
