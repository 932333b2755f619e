/**
 * What a stack needs from Linux: an instant, a seed, memory.
 */
#include "why.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>

/* From this size on a piece comes from the kernel: freed, it leaves the process at once, where the
 * heap would keep it until hf_host_trim. */
enum { MAP_FROM_BYTES = 64 * 1024 };

static hf_ns read_clock(clockid_t id)
{
    struct timespec t = {0};
    /* Can't fail: the clock exists on every Linux and t is ours. */
    (void)clock_gettime(id, &t);
    return HF_SEC(t.tv_sec) + t.tv_nsec;
}

/* CLOCK_MONOTONIC, not CLOCK_BOOTTIME: the latter counts the time a machine sleeps, and on waking
 * every timer of every connection would have expired though no peer had a chance to answer. With a
 * clock that sleeps too, retransmissions go on where they stopped. A peer that gave up meanwhile
 * answers with RST. */
hf_ns hf_host_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

hf_ns hf_host_wall_clock(void)
{
    return read_clock(CLOCK_REALTIME);
}

static bool is_mapped(size_t bytes)
{
    return bytes >= MAP_FROM_BYTES;
}

static void *take(size_t bytes)
{
    if (!is_mapped(bytes))
        return malloc(bytes);
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static void give_back(void *ptr, size_t bytes)
{
    if (is_mapped(bytes))
        (void)munmap(ptr, bytes);
    else
        free(ptr);
}

static void *resize_linux(void *ctx, void *ptr, size_t old_bytes, size_t new_bytes)
{
    (void)ctx;
    if (!ptr)
        return new_bytes ? take(new_bytes) : NULL;
    if (!new_bytes) {
        give_back(ptr, old_bytes);
        return NULL;
    }
    if (!is_mapped(old_bytes) && !is_mapped(new_bytes))
        return realloc(ptr, new_bytes);
    if (is_mapped(old_bytes) && is_mapped(new_bytes)) {
        void *moved = mremap(ptr, old_bytes, new_bytes, MREMAP_MAYMOVE);
        return moved == MAP_FAILED ? NULL : moved;
    }
    void *fresh = take(new_bytes);
    if (!fresh)
        return NULL;
    memcpy(fresh, ptr, old_bytes < new_bytes ? old_bytes : new_bytes);
    give_back(ptr, old_bytes);
    return fresh;
}

int hf_env_linux(struct hf_env *env, struct hf_why *why)
{
    struct hf_env made = {.realloc = resize_linux};
    size_t have_bytes = 0;
    while (have_bytes < sizeof made.seed) {
        ssize_t n = getrandom(made.seed + have_bytes, sizeof made.seed - have_bytes, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return hf_why_set(why, HF_E_SYSTEM, errno,
                              "getrandom: %s (the kernel must be 3.17 or newer, and a seccomp "
                              "filter must allow it)",
                              strerror(errno));
        have_bytes += (size_t)n;
    }
    *env = made;
    return HF_OK;
}

/* Chunks smaller than what is mapped lie in the heap, and not at its end. */
void hf_host_trim(struct hf_stack *s)
{
    hf_stack_trim(s);
    (void)malloc_trim(0);
}
