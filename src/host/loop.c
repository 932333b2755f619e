/**
 * The loop: one stack, one link, and the application's descriptors, in one thread.
 *
 * Owns an epoll set, an eventfd to be woken by, and, if asked for, a signalfd. Each round does a
 * bounded amount of everything, so that neither packets nor descriptors starve the other:
 *
 *     wait; one batch of packets into the stack; each ready descriptor once; timers that are due;
 *     then in turns: the application pulls events, the stack's packets go out;
 *     and now and then a look at the memory that nothing uses.
 *
 * Packets that the link has no room for are copied and sent first when it has; until then nothing
 * is pulled from the stack, so that a full device slows the stack down instead of losing packets.
 */
#include "why.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    BATCH = 64,       /* packets at once, in and out */
    READY_MAX = 64,   /* descriptors a round */
    EXPIRE_MAX = 256, /* timers a round */
    OUTPUT_TURNS = 8, /* batches out a round, */
    /* and no more once so much has left: acknowledgments come meanwhile, and the sooner they are
     * taken, the sooner what they free is written again, in the processor's cache still. */
    OUTPUT_BYTES = 512 * 1024,
    LOOKS = 8, /* at how much memory is in use, before what is not is given back */
    UNUSED_BYTES_MIN = 1024 * 1024, /* less is not worth the walk over all of it */
    WATCH_MIN = 16,
    /* Serials of our own descriptors; the application's count from SERIAL_FIRST. */
    SERIAL_LINK = 0,
    SERIAL_WAKE = 1,
    SERIAL_SIGNAL = 2,
    SERIAL_FIRST = 3,
};

#define GIVE_BACK_AFTER_NS HF_SEC(8)

/* One descriptor of the application; its place in the array is its number. */
struct watch {
    hf_loop_fd_fn *callback; /* NULL: not watched */
    void *ctx;
    uint32_t serial; /* tells a descriptor from an earlier one of the same number */
};

/* The stack's memory that nothing uses. */
struct unused {
    hf_ns look_at_ns;         /* HF_NEVER: not until something happens */
    unsigned looks;           /* that found much, one after the other */
    uint64_t try_below_bytes; /* in use: of more it was tried already, and few entries keep much */
};

/* A packet that the link had no room for. */
struct waiting {
    struct waiting *next;
    struct hf_out_packet packet;
    struct hf_slice rest;
    uint8_t bytes[];
};

struct hf_loop {
    struct hf_loop_config cfg;
    int epoll_fd, wake_fd, signal_fd;
    int link_fd;
    uint32_t link_bits; /* what epoll watches it for now */
    int signal;
    sigset_t old_mask;
    hf_ns now_ns, wake_at_ns;
    bool no_ns_wait; /* the kernel has no epoll_pwait2 */
    bool more;       /* work was left over: don't wait */
    struct unused unused;
    atomic_bool stop;
    struct waiting *waiting, **waiting_end;
    struct watch *watches;
    size_t watch_count;
    uint32_t serial;
};

_Static_assert(ATOMIC_BOOL_LOCK_FREE == 2, "hf_loop_stop may be called in a signal handler");

static int fail(struct hf_why *why, const char *what)
{
    int e = errno;
    const char *hint = e == EMFILE || e == ENFILE ? " (too many open files: raise ulimit -n)" : "";
    return hf_why_set(why, hf_why_class(e), e, "%s: %s%s", what, strerror(e), hint);
}

/* ---- waiting -------------------------------------------------------------------------------- */

static uint64_t label(uint32_t serial, int fd)
{
    return (uint64_t)serial << 32 | (uint32_t)fd;
}

static int control(const struct hf_loop *l, int op, int fd, uint32_t bits, uint32_t serial)
{
    struct epoll_event e = {.events = bits, .data.u64 = label(serial, fd)};
    return epoll_ctl(l->epoll_fd, op, fd, &e);
}

/* By system call: the C library may be older than the kernel. */
static int wait_ns(struct hf_loop *l, struct epoll_event *ready, hf_ns span_ns)
{
    const struct timespec t = {.tv_sec = span_ns / HF_SEC(1), .tv_nsec = span_ns % HF_SEC(1)};
    return (int)syscall(SYS_epoll_pwait2, l->epoll_fd, ready, READY_MAX,
                        span_ns == HF_NEVER ? NULL : &t, NULL, 0);
}

/* In milliseconds, rounded up: to come late by a part of one is better than to spin through it. */
static int wait_ms(struct hf_loop *l, struct epoll_event *ready, hf_ns span_ns)
{
    int ms = -1;
    if (span_ns != HF_NEVER) {
        hf_ns up = span_ns / HF_MS(1) + (span_ns % HF_MS(1) != 0);
        ms = up < INT_MAX ? (int)up : INT_MAX;
    }
    return epoll_wait(l->epoll_fd, ready, READY_MAX, ms);
}

static int wait_ready(struct hf_loop *l, struct epoll_event *ready, hf_ns span_ns)
{
    int n = -1;
    if (!l->no_ns_wait) {
        n = wait_ns(l, ready, span_ns);
        /* EPERM: a sandbox that does not know the call. */
        l->no_ns_wait = n < 0 && (errno == ENOSYS || errno == EPERM);
    }
    if (l->no_ns_wait)
        n = wait_ms(l, ready, span_ns);
    return n < 0 && errno == EINTR ? 0 : n;
}

static hf_ns next_work(const struct hf_loop *l)
{
    hf_ns at = l->wake_at_ns;
    if (l->cfg.link && hf_link_deadline(l->cfg.link) < at)
        at = hf_link_deadline(l->cfg.link);
    if (l->cfg.stack && hf_stack_deadline(l->cfg.stack) < at)
        at = hf_stack_deadline(l->cfg.stack);
    return at;
}

static hf_ns span_to_wait(const struct hf_loop *l, hf_ns max_wait_ns)
{
    if (l->more || atomic_load(&l->stop))
        return 0;
    hf_ns at = next_work(l);
    if (l->unused.look_at_ns < at)
        at = l->unused.look_at_ns;
    if (at == HF_NEVER)
        return max_wait_ns;
    hf_ns now = hf_host_now();
    hf_ns span = at > now ? at - now : 0;
    return span < max_wait_ns ? span : max_wait_ns;
}

/* ---- packets in ----------------------------------------------------------------------------- */

static int take_packets(struct hf_loop *l, struct hf_why *why)
{
    struct hf_packet packets[BATCH];
    int n = hf_link_receive(l->cfg.link, packets, BATCH);
    if (n < 0) {
        struct hf_link_stats stats;
        hf_link_stats(l->cfg.link, &stats);
        return hf_why_set(why, n, stats.last_errno, "the link failed: %s%s%s", hf_err_text(n),
                          stats.last_errno ? ": " : "",
                          stats.last_errno ? strerror(stats.last_errno) : "");
    }
    if (n > 0 && l->cfg.stack)
        hf_stack_input(l->cfg.stack, packets, (size_t)n, l->now_ns);
    return HF_OK;
}

/* ---- packets out ---------------------------------------------------------------------------- */

/* Copies a packet: the stack's bytes are gone with its next call. Without memory it is lost, as on
 * any full queue. */
static void keep(struct hf_loop *l, const struct hf_out_packet *p)
{
    struct waiting *w = malloc(sizeof *w + p->length_bytes);
    if (!w)
        return;
    *w = (struct waiting){.packet = *p};
    memcpy(w->bytes, p->header, p->header_bytes);
    size_t n = p->header_bytes;
    for (size_t i = 0; i < p->slice_count && n < p->length_bytes; i++) {
        size_t left = p->length_bytes - n;
        size_t take = p->slices[i].length_bytes < left ? p->slices[i].length_bytes : left;
        memcpy(w->bytes + n, p->slices[i].bytes, take);
        n += take;
    }
    w->packet.header = w->bytes;
    w->rest = (struct hf_slice){w->bytes + p->header_bytes, n - p->header_bytes};
    w->packet.slices = &w->rest;
    w->packet.slice_count = w->rest.length_bytes > 0;
    *l->waiting_end = w;
    l->waiting_end = &w->next;
}

/* Sends what waits; false: the link is still full. */
static bool send_waiting(struct hf_loop *l)
{
    while (l->waiting) {
        struct waiting *w = l->waiting;
        if (hf_link_send(l->cfg.link, &w->packet, 1) == 0)
            return false;
        l->waiting = w->next;
        if (!l->waiting)
            l->waiting_end = &l->waiting;
        free(w);
    }
    return true;
}

/* Pulls one batch and sends it, its length added to *bytes; false: the stack has no more, or the
 * link no room. */
static bool send_batch(struct hf_loop *l, size_t *bytes)
{
    struct hf_out_packet packets[BATCH];
    size_t n = hf_stack_output(l->cfg.stack, packets, BATCH, l->now_ns);
    int taken = hf_link_send(l->cfg.link, packets, n);
    for (size_t i = 0; i < n; i++)
        *bytes += packets[i].length_bytes;
    for (size_t i = taken > 0 ? (size_t)taken : 0; i < n; i++)
        keep(l, &packets[i]);
    return n > 0 && !l->waiting;
}

static void refresh(struct hf_loop *l)
{
    l->now_ns = hf_host_now();
}

/* What the application does takes time: what leaves after it must not be dated before it, or the
 * round trip looks longer by as much. */
static void tell_events(struct hf_loop *l)
{
    if (!l->cfg.events)
        return;
    l->cfg.events(l->cfg.events_ctx, l, l->now_ns);
    refresh(l);
}

/* Events make packets, and packets that left make events: in turns, until both are quiet. */
static void pull(struct hf_loop *l)
{
    if (!l->cfg.stack || !l->cfg.link) {
        tell_events(l);
        return;
    }
    bool more = true;
    size_t bytes = 0;
    for (int turn = 0; turn < OUTPUT_TURNS && more && bytes < OUTPUT_BYTES; turn++) {
        tell_events(l);
        more = send_waiting(l) && send_batch(l, &bytes);
    }
    l->more = l->more || more;
}

/* Watches the link for room only while something waits for it: it is writable nearly always. */
static int watch_link(struct hf_loop *l, struct hf_why *why)
{
    uint32_t bits = EPOLLIN | (l->waiting ? (uint32_t)EPOLLOUT : 0);
    if (l->link_fd < 0 || bits == l->link_bits)
        return HF_OK;
    if (control(l, EPOLL_CTL_MOD, l->link_fd, bits, SERIAL_LINK) < 0)
        return fail(why, "watch the link");
    l->link_bits = bits;
    return HF_OK;
}

/* ---- memory that is not used ----------------------------------------------------------------- */

static hf_ns span_of_looks(const struct hf_loop *l)
{
    hf_ns after = l->cfg.give_back_after_ns;
    return (after > 0 ? after : GIVE_BACK_AFTER_NS) / LOOKS;
}

static void expect_unused(struct hf_loop *l)
{
    if (l->unused.look_at_ns == HF_NEVER && l->cfg.stack && l->cfg.give_back_after_ns != HF_NEVER)
        l->unused.look_at_ns = l->now_ns + span_of_looks(l);
}

/* Tables don't count as used: they follow the entries. */
static uint64_t used_by_entries(const struct hf_stack_info *info)
{
    return info->used_bytes - info->table_bytes;
}

static bool is_much_unused(struct unused *u, const struct hf_stack_info *info)
{
    uint64_t used = used_by_entries(info);
    if (info->memory_bytes >= 2 * used + UNUSED_BYTES_MIN)
        return used < u->try_below_bytes;
    u->try_below_bytes = UINT64_MAX;
    return false;
}

/* Gives back what has not been used for some time. A look is a sum of counters; giving back goes
 * over all that is free, and what is wanted again has to be taken again. */
static void look_at_memory(struct hf_loop *l)
{
    struct unused *u = &l->unused;
    struct hf_stack_info info;
    if (l->now_ns < u->look_at_ns)
        return;
    hf_stack_info(l->cfg.stack, &info);
    bool is_much = is_much_unused(u, &info);
    u->looks = is_much ? u->looks + 1 : 0;
    u->look_at_ns = is_much ? l->now_ns + span_of_looks(l) : HF_NEVER;
    if (u->looks < LOOKS)
        return;
    hf_host_trim(l->cfg.stack);
    u->looks = 0;
    u->try_below_bytes = used_by_entries(&info) / 2;
}

/* ---- a round -------------------------------------------------------------------------------- */

static void take_wake(struct hf_loop *l)
{
    uint64_t count;
    /* The round itself is the answer; EAGAIN: another round took it. */
    (void)!read(l->wake_fd, &count, sizeof count);
}

static void take_signal(struct hf_loop *l)
{
    struct signalfd_siginfo info;
    if (read(l->signal_fd, &info, sizeof info) != sizeof info)
        return;
    l->signal = (int)info.ssi_signo;
    atomic_store(&l->stop, true);
}

static unsigned bits_of(uint32_t events)
{
    return (events & EPOLLIN ? (unsigned)HF_LOOP_READ : 0) |
           (events & EPOLLOUT ? (unsigned)HF_LOOP_WRITE : 0) |
           (events & (EPOLLERR | EPOLLHUP) ? (unsigned)HF_LOOP_BROKEN : 0);
}

static void call_watch(struct hf_loop *l, uint32_t serial, int fd, uint32_t events)
{
    /* An earlier callback of this round may have removed it, and the number may live again. */
    if ((size_t)fd >= l->watch_count || l->watches[fd].serial != serial)
        return;
    struct watch w = l->watches[fd]; /* the callback may move the array */
    if (w.callback)
        w.callback(w.ctx, l, fd, bits_of(events));
}

static int dispatch(struct hf_loop *l, const struct epoll_event *ready, int n, struct hf_why *why)
{
    bool link_ready = l->cfg.link && hf_link_deadline(l->cfg.link) <= l->now_ns;
    if (link_ready)
        hf_link_expire(l->cfg.link);
    for (int i = 0; i < n; i++)
        if (ready[i].data.u64 >> 32 == SERIAL_LINK)
            link_ready = link_ready || (ready[i].events & ~(uint32_t)EPOLLOUT);
    int err = link_ready ? take_packets(l, why) : HF_OK;
    for (int i = 0; i < n && err == HF_OK; i++) {
        uint32_t serial = (uint32_t)(ready[i].data.u64 >> 32);
        if (serial == SERIAL_WAKE)
            take_wake(l);
        else if (serial == SERIAL_SIGNAL)
            take_signal(l);
        else if (serial != SERIAL_LINK)
            call_watch(l, serial, (int)(uint32_t)ready[i].data.u64, ready[i].events);
    }
    return err;
}

int hf_loop_turn(struct hf_loop *l, hf_ns max_wait_ns, struct hf_why *why)
{
    struct epoll_event ready[READY_MAX];
    int n = wait_ready(l, ready, span_to_wait(l, max_wait_ns));
    if (n < 0)
        return fail(why, "wait for events");
    refresh(l);
    l->more = false;
    if (n > 0 || next_work(l) <= l->now_ns)
        expect_unused(l);
    if (l->wake_at_ns <= l->now_ns)
        l->wake_at_ns = HF_NEVER;
    int err = dispatch(l, ready, n, why);
    if (err < 0)
        return err;
    refresh(l);
    if (l->cfg.stack && hf_stack_deadline(l->cfg.stack) <= l->now_ns)
        l->more = hf_stack_expire(l->cfg.stack, l->now_ns, EXPIRE_MAX);
    pull(l);
    look_at_memory(l);
    err = watch_link(l, why);
    if (err < 0)
        return err;
    return atomic_load(&l->stop) ? 1 : 0;
}

int hf_loop_run(struct hf_loop *l, struct hf_why *why)
{
    int result;
    /* The first round does not wait: what was begun before the loop ran has to go out. */
    hf_ns wait = 0;
    while ((result = hf_loop_turn(l, wait, why)) == 0)
        wait = HF_NEVER;
    atomic_store(&l->stop, false);
    return result < 0 ? result : HF_OK;
}

/* ---- from outside --------------------------------------------------------------------------- */

void hf_loop_wake(struct hf_loop *l)
{
    int e = errno; /* a signal handler may not change it */
    const uint64_t one = 1;
    /* EAGAIN: it has been woken 2^64 times and will wake. */
    (void)!write(l->wake_fd, &one, sizeof one);
    errno = e;
}

void hf_loop_stop(struct hf_loop *l)
{
    atomic_store(&l->stop, true);
    hf_loop_wake(l);
}

int hf_loop_stop_on_signals(struct hf_loop *l, struct hf_why *why)
{
    sigset_t set;
    if (l->signal_fd >= 0)
        return HF_OK;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    l->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (l->signal_fd < 0)
        return fail(why, "signalfd");
    if (control(l, EPOLL_CTL_ADD, l->signal_fd, EPOLLIN, SERIAL_SIGNAL) < 0) {
        int err = fail(why, "watch signals");
        close(l->signal_fd);
        l->signal_fd = -1;
        return err;
    }
    (void)pthread_sigmask(SIG_BLOCK, &set, &l->old_mask); /* both arguments are ours */
    return HF_OK;
}

int hf_loop_signal(const struct hf_loop *l)
{
    return l->signal;
}

hf_ns hf_loop_now(const struct hf_loop *l)
{
    return l->now_ns;
}

void hf_loop_wake_at(struct hf_loop *l, hf_ns at_ns)
{
    l->wake_at_ns = at_ns;
}

/* ---- descriptors ---------------------------------------------------------------------------- */

static uint32_t epoll_bits(unsigned bits)
{
    return (bits & HF_LOOP_READ ? (uint32_t)EPOLLIN : 0) |
           (bits & HF_LOOP_WRITE ? (uint32_t)EPOLLOUT : 0);
}

/* Makes room for the number fd: numbers are small, so an array is the quickest map. */
static int grow(struct hf_loop *l, int fd)
{
    size_t count = l->watch_count;
    while (count <= (size_t)fd)
        count = count ? count * 2 : WATCH_MIN;
    if (count == l->watch_count)
        return HF_OK;
    struct watch *grown = realloc(l->watches, count * sizeof *grown);
    if (!grown)
        return HF_E_MEMORY;
    memset(grown + l->watch_count, 0, (count - l->watch_count) * sizeof *grown);
    l->watches = grown;
    l->watch_count = count;
    return HF_OK;
}

static bool is_watched(const struct hf_loop *l, int fd)
{
    return fd >= 0 && (size_t)fd < l->watch_count && l->watches[fd].callback;
}

int hf_loop_add_fd(struct hf_loop *l, int fd, unsigned bits, hf_loop_fd_fn *callback, void *ctx)
{
    if (fd < 0 || !callback)
        return HF_E_INVALID;
    if (is_watched(l, fd))
        return HF_E_EXISTS;
    int err = grow(l, fd);
    if (err < 0)
        return err;
    /* A serial comes again after 2^32 of them; what matters is only the present round. */
    if (++l->serial < SERIAL_FIRST)
        l->serial = SERIAL_FIRST;
    if (control(l, EPOLL_CTL_ADD, fd, epoll_bits(bits), l->serial) < 0)
        return errno == EEXIST ? HF_E_EXISTS : HF_E_SYSTEM;
    l->watches[fd] = (struct watch){callback, ctx, l->serial};
    return HF_OK;
}

int hf_loop_set_fd(struct hf_loop *l, int fd, unsigned bits)
{
    if (!is_watched(l, fd))
        return HF_E_HANDLE;
    if (control(l, EPOLL_CTL_MOD, fd, epoll_bits(bits), l->watches[fd].serial) < 0)
        return HF_E_SYSTEM;
    return HF_OK;
}

int hf_loop_remove_fd(struct hf_loop *l, int fd)
{
    if (!is_watched(l, fd))
        return HF_E_HANDLE;
    l->watches[fd] = (struct watch){0};
    /* Closed already, against the contract: then the kernel has forgotten it as well. */
    (void)control(l, EPOLL_CTL_DEL, fd, 0, 0);
    return HF_OK;
}

/* ---- making and freeing --------------------------------------------------------------------- */

static int open_fds(struct hf_loop *l, struct hf_why *why)
{
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (l->epoll_fd < 0 || l->wake_fd < 0)
        return fail(why, "make a loop");
    if (control(l, EPOLL_CTL_ADD, l->wake_fd, EPOLLIN, SERIAL_WAKE) < 0)
        return fail(why, "make a loop");
    l->link_fd = l->cfg.link ? hf_link_fd(l->cfg.link) : -1;
    if (l->link_fd < 0)
        return HF_OK;
    l->link_bits = EPOLLIN;
    if (control(l, EPOLL_CTL_ADD, l->link_fd, l->link_bits, SERIAL_LINK) < 0)
        return fail(why, "watch the link");
    return HF_OK;
}

int hf_loop_new(struct hf_loop **out, const struct hf_loop_config *cfg, struct hf_why *why)
{
    struct hf_loop *l = calloc(1, sizeof *l);
    if (!l)
        return hf_why_set(why, HF_E_MEMORY, ENOMEM, "make a loop: no memory");
    l->cfg = *cfg;
    l->epoll_fd = l->wake_fd = l->signal_fd = l->link_fd = -1;
    l->wake_at_ns = HF_NEVER;
    l->waiting_end = &l->waiting;
    l->unused = (struct unused){.look_at_ns = HF_NEVER, .try_below_bytes = UINT64_MAX};
    atomic_init(&l->stop, false);
    refresh(l);
    int err = open_fds(l, why);
    if (err < 0) {
        hf_loop_free(l);
        return err;
    }
    *out = l;
    return HF_OK;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

void hf_loop_free(struct hf_loop *l)
{
    if (!l)
        return;
    /* The link's descriptor lives on: it must not stay in a set that a fork may have shared. */
    if (l->link_fd >= 0)
        (void)control(l, EPOLL_CTL_DEL, l->link_fd, 0, SERIAL_LINK);
    if (l->signal_fd >= 0)
        (void)pthread_sigmask(SIG_SETMASK, &l->old_mask, NULL);
    while (l->waiting) {
        struct waiting *next = l->waiting->next;
        free(l->waiting);
        l->waiting = next;
    }
    close_fd(l->signal_fd);
    close_fd(l->wake_fd);
    close_fd(l->epoll_fd);
    free(l->watches);
    free(l);
}
