/**
 * The stack's memory account: the injected allocator and what was taken from it.
 */
#ifndef HF_STORE_MEM_H
#define HF_STORE_MEM_H

#include "../base.h"

struct hf_mem {
    hf_realloc_fn *realloc;
    void *ctx;
    uint64_t taken_bytes; /**< held at present */
    uint64_t limit_bytes; /**< and at most; 0: no limit */
    bool refused;         /**< the limit was met since somebody looked */
};

static inline bool hf_mem_may_take(struct hf_mem *m, size_t bytes)
{
    if (m->limit_bytes == 0)
        return true;
    bool may = m->taken_bytes <= m->limit_bytes && bytes <= m->limit_bytes - m->taken_bytes;
    m->refused |= !may;
    return may;
}

/** NULL when there is none, or the limit is met. */
static inline void *hf_mem_take(struct hf_mem *m, size_t bytes)
{
    if (!hf_mem_may_take(m, bytes))
        return NULL;
    void *p = m->realloc(m->ctx, NULL, 0, bytes);
    if (p != NULL)
        m->taken_bytes += bytes;
    return p;
}

/** NULL when there is none: the old piece stays as it was. It grows. */
static inline void *hf_mem_resize(struct hf_mem *m, void *p, size_t old_bytes, size_t new_bytes)
{
    if (!hf_mem_may_take(m, new_bytes - old_bytes))
        return NULL;
    void *q = m->realloc(m->ctx, p, old_bytes, new_bytes);
    if (q != NULL)
        m->taken_bytes += new_bytes - old_bytes;
    return q;
}

static inline void hf_mem_give(struct hf_mem *m, void *p, size_t bytes)
{
    if (p == NULL)
        return;
    m->realloc(m->ctx, p, bytes, 0);
    m->taken_bytes -= bytes;
}

/** Where saved state goes: counts always, writes while it fits. */
struct hf_writer {
    uint8_t *bytes; /**< NULL: count only */
    size_t capacity_bytes;
    size_t used_bytes;
};

static inline void hf_write(struct hf_writer *w, const void *bytes, size_t n)
{
    if (w->bytes != NULL && w->used_bytes + n <= w->capacity_bytes)
        memcpy(w->bytes + w->used_bytes, bytes, n);
    w->used_bytes += n;
}

/** Where saved state comes from. */
struct hf_reader {
    const uint8_t *bytes;
    size_t length_bytes;
    size_t used_bytes;
};

/** False, and nothing read, when fewer than n bytes are left. */
HF_MUST_CHECK static inline bool hf_read(struct hf_reader *r, void *bytes, size_t n)
{
    if (r->length_bytes - r->used_bytes < n)
        return false;
    memcpy(bytes, r->bytes + r->used_bytes, n);
    r->used_bytes += n;
    return true;
}

#endif
