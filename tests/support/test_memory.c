#include "test_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 64, FRESH_FILL = 0xA5, FREED_FILL = 0xDD };

static const uint64_t HELD_MARK = 0x48656c6420706965;

/* Stands in the line before each piece. */
struct mark {
    uint64_t held;
    size_t bytes;
    void *raw;
};

static void fail(const char *what)
{
    fprintf(stderr, "test_memory: %s\n", what);
    abort();
}

static struct mark *mark_of(void *piece)
{
    return (struct mark *)(void *)((char *)piece - sizeof(struct mark));
}

static void *take(struct test_memory *m, size_t bytes)
{
    /* Room for the mark and to move the piece to where it is wanted in its line. */
    char *raw = malloc(bytes + 3 * LINE_BYTES);
    if (raw == NULL)
        fail("out of memory indeed");
    char *piece = raw + LINE_BYTES;
    piece += (LINE_BYTES - (uintptr_t)piece % LINE_BYTES) % LINE_BYTES + m->skew_bytes;
    *mark_of(piece) = (struct mark){HELD_MARK, bytes, raw};
    memset(piece, FRESH_FILL, bytes);
    m->pieces++;
    m->held_bytes += bytes;
    if (m->held_bytes > m->peak_bytes)
        m->peak_bytes = m->held_bytes;
    return piece;
}

static void give(struct test_memory *m, void *piece, size_t bytes)
{
    struct mark *mark = mark_of(piece);
    if (mark->held != HELD_MARK)
        fail("a piece that is not held");
    if (mark->bytes != bytes)
        fail("a wrong old size");
    void *raw = mark->raw;
    memset(piece, FREED_FILL, bytes);
    mark->held = 0;
    m->pieces--;
    m->held_bytes -= bytes;
    free(raw);
}

void *test_memory_realloc(void *ctx, void *ptr, size_t old_bytes, size_t new_bytes)
{
    struct test_memory *m = ctx;
    m->calls++;
    if (ptr == NULL && (old_bytes != 0 || new_bytes == 0))
        fail("a size of no piece");
    if (ptr != NULL && (mark_of(ptr)->held != HELD_MARK || mark_of(ptr)->bytes != old_bytes))
        fail("a pointer or an old size that was not given out");
    if (new_bytes == 0) {
        give(m, ptr, old_bytes);
        return NULL;
    }
    m->requests++;
    if (new_bytes < m->least_bytes)
        m->least_bytes = new_bytes;
    if (m->fail_in > 0 && --m->fail_in == 0)
        return NULL;
    void *piece = take(m, new_bytes);
    if (ptr != NULL) {
        memcpy(piece, ptr, old_bytes < new_bytes ? old_bytes : new_bytes);
        give(m, ptr, old_bytes);
    }
    return piece;
}
