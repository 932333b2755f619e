/**
 * Memory in chunks: small pieces share one, a large piece gets its own.
 */
#include "arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 16384, FIRST_ELEMENTS = 4 };

struct hf_arena_chunk {
    struct hf_arena_chunk *older;
    size_t used_bytes, capacity_bytes;
    alignas(max_align_t) unsigned char bytes[];
};

void *hf_arena_take(struct hf_arena *a, size_t n)
{
    size_t step = alignof(max_align_t);
    if (n > SIZE_MAX / 2)
        return NULL;
    size_t rounded = (n + step - 1) / step * step;
    struct hf_arena_chunk *chunk = a->newest;
    if (chunk == NULL || chunk->capacity_bytes - chunk->used_bytes < rounded) {
        size_t capacity_bytes = rounded > CHUNK_BYTES ? rounded : CHUNK_BYTES;
        chunk = malloc(sizeof *chunk + capacity_bytes);
        if (chunk == NULL)
            return NULL;
        *chunk = (struct hf_arena_chunk){.older = a->newest, .capacity_bytes = capacity_bytes};
        a->newest = chunk;
    }
    void *piece = chunk->bytes + chunk->used_bytes;
    chunk->used_bytes += rounded;
    memset(piece, 0, rounded);
    return piece;
}

char *hf_arena_text(struct hf_arena *a, const char *text, size_t n)
{
    char *copy = hf_arena_take(a, n + 1);
    if (copy != NULL && n > 0)
        memcpy(copy, text, n);
    return copy;
}

void *hf_arena_grow(struct hf_arena *a, void *array, size_t count, size_t element_bytes)
{
    size_t capacity = FIRST_ELEMENTS;
    while (capacity < count)
        capacity *= 2;
    if (array != NULL && count < capacity)
        return array;
    if (count == capacity)
        capacity *= 2;
    void *larger = hf_arena_take(a, capacity * element_bytes);
    if (larger != NULL && count > 0)
        memcpy(larger, array, count * element_bytes);
    return larger;
}

void hf_arena_free(struct hf_arena *a)
{
    while (a->newest != NULL) {
        struct hf_arena_chunk *older = a->newest->older;
        free(a->newest);
        a->newest = older;
    }
}
