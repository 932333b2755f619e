/**
 * io_uring by the kernel's own header: one ring of requests that we fill, one of results that the
 * kernel fills, in memory that both see. Every run is waited for, so both are empty between runs.
 */
#include "uring.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef _Atomic unsigned shared;

/* In a page of its own that a fork leaves empty: two processes that share a ring would take each
 * other's results. `most` is 0 there. */
struct hf_uring {
    int fd;
    unsigned most;
    uint8_t *rings; /* both, in one piece */
    size_t rings_bytes;
    struct io_uring_sqe *requests;
    size_t requests_bytes;
    shared *requests_head, *requests_tail;
    unsigned requests_mask;
    shared *results_head, *results_tail;
    unsigned results_mask;
    const struct io_uring_cqe *results;
};

/* ---- opening ------------------------------------------------------------------------------- */

static void *map(const struct hf_uring *u, size_t bytes, off_t at)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, u->fd, at);
    return p == MAP_FAILED ? NULL : p;
}

static shared *shared_at(const struct hf_uring *u, unsigned offset)
{
    return (shared *)(void *)(u->rings + offset);
}

static void find_parts(struct hf_uring *u, const struct io_uring_params *p)
{
    u->requests_head = shared_at(u, p->sq_off.head);
    u->requests_tail = shared_at(u, p->sq_off.tail);
    u->requests_mask = p->sq_entries - 1;
    u->results_head = shared_at(u, p->cq_off.head);
    u->results_tail = shared_at(u, p->cq_off.tail);
    u->results_mask = p->cq_entries - 1;
    u->results = (const struct io_uring_cqe *)(const void *)(u->rings + p->cq_off.cqes);
    /* Requests are asked for in the order in which they lie. */
    unsigned *order = (unsigned *)(void *)(u->rings + p->sq_off.array);
    for (unsigned i = 0; i < p->sq_entries; i++)
        order[i] = i;
}

static bool map_all(struct hf_uring *u, const struct io_uring_params *p)
{
    size_t requests = p->sq_off.array + p->sq_entries * sizeof(unsigned);
    size_t results = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
    if ((p->features & IORING_FEAT_SINGLE_MMAP) == 0) { /* before Linux 5.4 */
        errno = ENOSYS;
        return false;
    }
    u->rings_bytes = requests > results ? requests : results;
    u->rings = map(u, u->rings_bytes, IORING_OFF_SQ_RING);
    u->requests_bytes = p->sq_entries * sizeof(struct io_uring_sqe);
    u->requests = u->rings == NULL ? NULL : map(u, u->requests_bytes, IORING_OFF_SQES);
    return u->requests != NULL;
}

static struct hf_uring *allocate(void)
{
    struct hf_uring *u =
        mmap(NULL, sizeof *u, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (u == MAP_FAILED)
        return NULL;
    if (madvise(u, sizeof *u, MADV_WIPEONFORK) == 0)
        return u;
    int e = errno;
    munmap(u, sizeof *u);
    errno = e;
    return NULL;
}

struct hf_uring *hf_uring_open(unsigned most)
{
    struct io_uring_params p = {0};
    struct hf_uring *u = allocate();
    if (u == NULL)
        return NULL;
    u->most = most;
    u->fd = (int)syscall(SYS_io_uring_setup, most, &p);
    if (u->fd >= 0 && map_all(u, &p)) {
        find_parts(u, &p);
        return u;
    }
    int e = errno;
    hf_uring_close(u);
    errno = e;
    return NULL;
}

void hf_uring_close(struct hf_uring *u)
{
    if (u == NULL)
        return;
    if (u->requests != NULL)
        munmap(u->requests, u->requests_bytes);
    if (u->rings != NULL)
        munmap(u->rings, u->rings_bytes);
    if (u->most > 0 && u->fd >= 0)
        close(u->fd);
    munmap(u, sizeof *u);
}

bool hf_uring_suits(int fd)
{
    /* One byte is no packet with a header, and refused; but first for the flag, if that is not
     * known to the device. */
    uint8_t byte = 0;
    struct iovec iov = {&byte, 1};
    return pwritev2(fd, &iov, 1, -1, RWF_NOWAIT) < 0 && errno == EINVAL;
}

/* ---- running ------------------------------------------------------------------------------- */

static void ask(struct hf_uring *u, unsigned at, int fd, enum hf_transfer_kind kind,
                const struct hf_transfer *t, unsigned number)
{
    u->requests[at & u->requests_mask] = (struct io_uring_sqe){
        .opcode = kind == HF_TRANSFER_READ ? IORING_OP_READV : IORING_OP_WRITEV,
        .fd = fd,
        .addr = (uint64_t)(uintptr_t)t->iov,
        .len = (uint32_t)t->count,
        .rw_flags = RWF_NOWAIT, /* else what finds nothing waits, whatever the descriptor's mode */
        .user_data = number,
    };
}

/** Takes the results that are there; how many. */
static unsigned take_results(struct hf_uring *u, struct hf_transfer *transfers)
{
    unsigned head = atomic_load_explicit(u->results_head, memory_order_relaxed);
    unsigned tail = atomic_load_explicit(u->results_tail, memory_order_acquire);
    for (unsigned i = head; i != tail; i++) {
        const struct io_uring_cqe *r = &u->results[i & u->results_mask];
        transfers[r->user_data].result = r->res;
    }
    atomic_store_explicit(u->results_head, tail, memory_order_release);
    return tail - head;
}

/* Until all n are done, or no more can be: how many. */
static unsigned finish(struct hf_uring *u, unsigned first, unsigned n,
                       struct hf_transfer *transfers)
{
    unsigned asked = 0, done = 0;
    while (done < n) {
        long r = syscall(SYS_io_uring_enter, u->fd, n - asked, n - done, IORING_ENTER_GETEVENTS,
                         NULL, 0);
        int e = r < 0 ? errno : 0;
        unsigned before = asked;
        asked = atomic_load_explicit(u->requests_head, memory_order_acquire) - first;
        done += take_results(u, transfers);
        if (e == 0 || e == EINTR)
            continue;
        if (asked == n && before == n) { /* what it was asked for can't even be waited for */
            u->most = 0;
            break;
        }
        n = asked; /* what it has not looked at is taken back */
        atomic_store_explicit(u->requests_tail, first + n, memory_order_release);
        errno = e;
    }
    return done;
}

unsigned hf_uring_run(struct hf_uring *u, int fd, enum hf_transfer_kind kind,
                      struct hf_transfer *transfers, unsigned n)
{
    if (n > u->most) {
        errno = ECHILD;
        return 0;
    }
    unsigned first = atomic_load_explicit(u->requests_tail, memory_order_relaxed);
    for (unsigned i = 0; i < n; i++)
        ask(u, first + i, fd, kind, &transfers[i], i);
    atomic_store_explicit(u->requests_tail, first + n, memory_order_release);
    return finish(u, first, n, transfers);
}
