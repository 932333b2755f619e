/**
 * Memory that is taken piece by piece and given back all at once.
 */
#ifndef HF_LAB_DRILL_ARENA_H
#define HF_LAB_DRILL_ARENA_H

#include <stddef.h>

/** Begins as {0}. */
struct hf_arena {
    struct hf_arena_chunk *newest;
};

/** Zeroed and aligned for any type; NULL without memory. */
void *hf_arena_take(struct hf_arena *a, size_t n);
/** A copy, NUL-terminated. */
char *hf_arena_text(struct hf_arena *a, const char *text, size_t n);
/** Room for one element more behind the first `count` of an array: the array itself, or a larger
 *  copy. The capacity follows from the count, so only this may have made the array. */
void *hf_arena_grow(struct hf_arena *a, void *array, size_t count, size_t element_bytes);
void hf_arena_free(struct hf_arena *a);

#endif
