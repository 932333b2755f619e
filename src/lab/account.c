/**
 * The accounting allocator. Sizes are kept beside the pieces to catch a caller that tells a wrong
 * one; the pieces themselves come from malloc, where a sanitizer watches their edges.
 */
#include "account.h"

#include <stdlib.h>
#include <string.h>

/* Keeps what follows aligned as malloc does. */
union prefix {
    size_t bytes;
    max_align_t align;
};

#if defined(__SANITIZE_ADDRESS__)
static const bool may_keep = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
static const bool may_keep = false;
#else
static const bool may_keep = true;
#endif
#else
static const bool may_keep = true;
#endif

static union prefix *take_spare(struct hf_spares *s, size_t bytes)
{
    for (size_t i = 0; s != NULL && i < HF_SPARES; i++) {
        union prefix *p = s->pieces[i];
        if (p == NULL || p->bytes != bytes)
            continue;
        s->pieces[i] = NULL;
        return p;
    }
    return malloc(sizeof(union prefix) + bytes);
}

static void keep_spare(struct hf_spares *s, union prefix *p)
{
    for (size_t i = 0; may_keep && s != NULL && i < HF_SPARES; i++)
        if (s->pieces[i] == NULL) {
            s->pieces[i] = p;
            return;
        }
    free(p);
}

void hf_spares_free(struct hf_spares *s)
{
    for (size_t i = 0; i < HF_SPARES; i++) {
        free(s->pieces[i]);
        s->pieces[i] = NULL;
    }
}

static bool may_give(struct hf_account *a)
{
    a->asked++;
    bool refused =
        a->fail_nth != 0 && (a->fail_from ? a->asked >= a->fail_nth : a->asked == a->fail_nth);
    a->failed |= refused;
    return !refused;
}

static union prefix *prefix_of(void *ptr)
{
    return (union prefix *)ptr - 1;
}

static void give_back(struct hf_account *a, void *ptr, size_t old_bytes)
{
    union prefix *p = prefix_of(ptr);
    a->wrong_size |= p->bytes != old_bytes;
    a->held_bytes -= p->bytes;
    a->pieces--;
    keep_spare(a->spares, p);
}

void *hf_account_realloc(void *ctx, void *ptr, size_t old_bytes, size_t new_bytes)
{
    struct hf_account *a = ctx;
    if (new_bytes == 0) {
        if (ptr != NULL)
            give_back(a, ptr, old_bytes);
        return NULL;
    }
    if (!may_give(a))
        return NULL;
    union prefix *p = take_spare(a->spares, new_bytes);
    if (p == NULL)
        return NULL;
    p->bytes = new_bytes;
    a->held_bytes += new_bytes;
    a->pieces++;
    if (a->held_bytes > a->peak_bytes)
        a->peak_bytes = a->held_bytes;
    /* Growth moves always: whoever kept the old place is found out. */
    if (ptr != NULL) {
        memcpy(p + 1, ptr, old_bytes < new_bytes ? old_bytes : new_bytes);
        give_back(a, ptr, old_bytes);
    }
    return p + 1;
}
