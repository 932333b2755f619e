/**
 * A hash table of 32-bit references, by linear hashing [Litwin 1980]: it grows and shrinks by one
 * bucket at a time, so that no call ever pauses for a rehash, and gives memory back.
 *
 * Keys live in the entries; the table keeps 32 bits of each entry's hash beside its reference: they
 * filter a search and place the entry when its bucket splits. A bucket is one cache line
 * of 7 entries and a link to overflow buckets. Equal references may not be inserted twice.
 */
#ifndef HF_STORE_TABLE_H
#define HF_STORE_TABLE_H

#include "pool.h"

enum { HF_TABLE_BUCKET_ENTRIES = 7 };
/** No reference. */
#define HF_TABLE_FURTHER (HF_NIL - 1)

struct hf_table_bucket {
    uint32_t hash[HF_TABLE_BUCKET_ENTRIES];
    uint32_t ref[HF_TABLE_BUCKET_ENTRIES];
    uint32_t overflow; /**< index of an overflow bucket, or HF_NIL */
    uint32_t used;     /**< entries: the first ones */
};

struct hf_table {
    struct hf_mem *mem;
    uint8_t **segments; /**< directory of segments of buckets, cache-line aligned inside */
    uint32_t segment_count;
    uint32_t segment_capacity;
    uint32_t bucket_count; /**< 0 until the first insert */
    uint32_t level_mask;   /**< (power of two <= bucket_count) - 1 */
    uint32_t count;
    uint64_t removals; /**< how many entries left it so far; not saved */
    uint64_t changes;  /**< how often anything changed so far; not saved */
    struct hf_pool overflow;
    uint32_t fail_countdown; /**< tests: as hf_pool's, counts inserts */
};

void hf_table_init(struct hf_table *t, struct hf_mem *mem);
void hf_table_free(struct hf_table *t);
/** False when there is no memory: the table is as before. A split that finds no memory is put off
 *  and is no failure. */
HF_MUST_CHECK bool hf_table_insert(struct hf_table *t, uint32_t hash, uint32_t ref);
/** Removes ref, which must be there under this hash. Never fails. */
void hf_table_remove(struct hf_table *t, uint32_t hash, uint32_t ref);
/** Puts another reference in the place of an old one, same hash (a connection becomes a time-wait
 *  entry). Never fails. */
void hf_table_replace(struct hf_table *t, uint32_t hash, uint32_t old_ref, uint32_t new_ref);
void hf_table_trim(struct hf_table *t);
uint64_t hf_table_bytes(const struct hf_table *t);

/** A search in progress; the table may not change meanwhile. */
struct hf_table_probe {
    const struct hf_table *table;
    const struct hf_table_bucket *bucket;
    uint32_t hash;
    uint32_t next; /**< slots left to look at in this bucket: from the last, the newest, down */
};

/** The bucket that a search begins in, NULL if the table has none; the one that it goes on in where
 *  a bucket has an overflow. For the two below. */
const struct hf_table_bucket *hf_table_begin(const struct hf_table *t, uint32_t hash);
const struct hf_table_bucket *hf_table_behind(const struct hf_table *t,
                                              const struct hf_table_bucket *b);

/** Begins a search for all references under a hash. Inline, as the next: once a packet, and the
 *  probe need not go through memory. */
static inline struct hf_table_probe hf_table_find(const struct hf_table *t, uint32_t hash)
{
    const struct hf_table_bucket *b = hf_table_begin(t, hash);
    return (struct hf_table_probe){t, b, hash, b != NULL ? b->used : 0};
}
/** The next reference whose stored hash is equal, HF_NIL when there are no more. */
static inline uint32_t hf_table_next(struct hf_table_probe *probe)
{
    const struct hf_table_bucket *b = probe->bucket;
    while (b != NULL) {
        for (uint32_t slot = probe->next; slot-- > 0;) {
            if (b->hash[slot] != probe->hash)
                continue;
            probe->next = slot;
            return b->ref[slot];
        }
        b = b->overflow != HF_NIL ? hf_table_behind(probe->table, b) : NULL;
        probe->bucket = b;
        probe->next = b != NULL ? b->used : 0;
    }
    return HF_NIL;
}

/** The bucket that a search for this hash begins in comes into the cache. */
void hf_table_fetch(const struct hf_table *t, uint32_t hash);
/** What hf_table_find would find first, HF_NIL: nothing; true while `changes` stays as it is. Looks
 *  no further than into that bucket, and says HF_TABLE_FURTHER if there is more behind it. */
uint32_t hf_table_guess(const struct hf_table *t, uint32_t hash);

void hf_table_save(const struct hf_table *t, struct hf_writer *w);
HF_MUST_CHECK int hf_table_restore(struct hf_table *t, struct hf_reader *r);

#endif
