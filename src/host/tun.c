/**
 * A TUN interface as a link: IP packets with a virtio-net header before each, which carries the
 * offload facts both ways. Owns the descriptor and the receive buffers; leaves addresses and routes
 * to netif.c.
 */
#include "uring.h"
#include "vnet.h"
#include "why.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    VNET_BYTES = sizeof(struct virtio_net_hdr),
    PACKET_MAX_BYTES = 65535,
    /* The header is read to just before this offset, so that the packet starts aligned. */
    PACKET_OFFSET = 16,
    /* Not a power of two: the buffers' heads must not all fall into the same cache sets. */
    BUFFER_BYTES = 65536 + 192,
    BATCH_DEFAULT = 32,
    BATCH_MAX = 1024,
    /* Packets asked for, or handed over, by one system call at most: a power of two. */
    RUN_MAX = 32,
    /* Where one packet came, one is asked for, and every so many times whether there are more. */
    LONE_MAX = 8,
    /* Pieces of one packet: more are put together first. writev takes no more than IOV_MAX. */
    IOV_EACH = 256,
    IOV_COUNT = 1024, /* of all that go by one call */
    /* What the kernel may have waiting for us, in packets. Its own default of 500 is less than some
     * hundred connections have in flight: the rest is lost before anybody could read it. How many
     * bytes wait is bounded by the senders' windows, not by this. */
    QUEUE_PACKETS = 5000,
};

_Static_assert(VNET_BYTES == 10, "the short virtio-net header");
_Static_assert(BUFFER_BYTES >= PACKET_OFFSET + PACKET_MAX_BYTES, "room for the longest packet");
_Static_assert(IOV_EACH <= IOV_MAX, "writev's limit");

struct tun {
    struct hf_link link;
    int fd;
    uint32_t mtu_bytes;
    size_t batch;
    bool plain;
    char name[IFNAMSIZ];
    uint8_t *buffers;       /* batch * BUFFER_BYTES */
    uint8_t *assembly;      /* for packets of too many pieces; NULL until the first */
    struct hf_uring *uring; /* NULL: each packet takes a call of its own */
    size_t expected;        /* so many packets are likely to be there */
    unsigned lone;          /* receives in a row that found one packet */
    /* What one call reads or writes: of a packet to be sent the first piece is its header. */
    struct hf_transfer transfers[RUN_MAX];
    struct virtio_net_hdr vnets[RUN_MAX];
    struct iovec iov[IOV_COUNT];
};

static struct tun *of(struct hf_link *l)
{
    return (struct tun *)l;
}

static const struct tun *of_const(const struct hf_link *l)
{
    return (const struct tun *)l;
}

/* Does n transfers by one call; how many were done, 0: it can't. What will not pass ends all use of
 * it. */
static unsigned run(struct tun *t, enum hf_transfer_kind kind, unsigned n)
{
    unsigned done = hf_uring_run(t->uring, t->fd, kind, t->transfers, n);
    if (done == 0 && errno != EAGAIN && errno != EBUSY && errno != ENOMEM) {
        hf_uring_close(t->uring);
        t->uring = NULL;
    }
    return done;
}

/* ---- receiving ------------------------------------------------------------------------------ */

static uint8_t *buffer_at(const struct tun *t, size_t i)
{
    return t->buffers + i * BUFFER_BYTES + PACKET_OFFSET;
}

/* What was read into a buffer; false: it makes no sense. */
static bool understand(struct tun *t, const uint8_t *buffer, size_t n, struct hf_packet *p)
{
    struct virtio_net_hdr vnet;
    *p = (struct hf_packet){.bytes = buffer};
    if (n > VNET_BYTES) {
        memcpy(&vnet, buffer - VNET_BYTES, sizeof vnet);
        p->length_bytes = (uint32_t)(n - VNET_BYTES);
        if (hf_vnet_read(&vnet, p))
            return true;
    }
    t->link.stats.in_malformed++;
    return false;
}

static unsigned read_one(struct tun *t, struct hf_transfer *r)
{
    ssize_t n = readv(t->fd, r->iov, r->count);
    r->result = n < 0 ? -errno : (int)n;
    return 1;
}

/* Reads n packets into the buffers from `first` on, as many as one call will; how many it tried. */
static unsigned read_some(struct tun *t, size_t first, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        t->iov[i] =
            (struct iovec){buffer_at(t, first + i) - VNET_BYTES, PACKET_MAX_BYTES + VNET_BYTES};
        t->transfers[i] = (struct hf_transfer){&t->iov[i], 1, 0};
    }
    unsigned done = 0;
    if (n > 1 && t->uring != NULL)
        done = run(t, HF_TRANSFER_READ, n);
    return done > 0 ? done : read_one(t, &t->transfers[0]);
}

/* What reading has come to. */
struct reading {
    size_t count; /* packets */
    int err;      /* 0: there may be more; EAGAIN: there was none; or what failed */
};

/* Takes what was read; how many reads got something. One that got nothing may stand before one that
 * did: a packet came in between. */
static unsigned take_read(struct tun *t, size_t first, unsigned n, struct hf_packet *packets,
                          struct reading *r)
{
    unsigned got = 0;
    for (unsigned i = 0; i < n; i++) {
        int result = t->transfers[i].result;
        if (result < 0) {
            r->err = result == -EINTR ? r->err : -result;
            continue;
        }
        got++;
        if (understand(t, buffer_at(t, first + i), (size_t)result, &packets[r->count]))
            r->count++;
    }
    return got;
}

/* One more than came last time, so that the call that finds the queue empty is the same: and twice
 * as many where all that were asked for came. */
static size_t expect(size_t asked, size_t got)
{
    size_t next = got == asked ? 2 * asked : got + 1;
    return next < RUN_MAX ? next : RUN_MAX;
}

/* Packets come one at a time, as where each answer waits for its question: to look for another
 * after each would cost a call, and whoever polls the descriptor is told if there is one. */
static bool come_alone(const struct tun *t)
{
    return t->lone % LONE_MAX != 0;
}

static int tun_receive(struct hf_link *l, struct hf_packet *packets, size_t max)
{
    struct tun *t = of(l);
    size_t most = come_alone(t) ? 1 : t->batch;
    size_t want = max < most ? max : most, used = 0;
    struct reading r = {0, 0};
    while (used < want && r.err == 0) {
        size_t asked = t->uring == NULL ? 1 : t->expected < want - used ? t->expected : want - used;
        unsigned tried = read_some(t, used, (unsigned)asked);
        unsigned got = take_read(t, used, tried, packets, &r);
        t->expected = expect(asked, got);
        if (tried > 1 && r.err != EAGAIN && r.err != 0) {
            t->expected = 1; /* io_uring may fail for reasons of its own: a plain read will say */
            r.err = 0;
        }
        used += tried;
    }
    t->lone = r.count == 1 ? t->lone + 1 : 0;
    if (r.err == 0 || r.err == EAGAIN)
        return (int)r.count;
    l->stats.last_errno = r.err;
    /* What was read before the failure is handed on; it will fail again next time. */
    return r.count > 0 ? (int)r.count : hf_why_class(r.err);
}

/* ---- sending -------------------------------------------------------------------------------- */

/* Puts header and slices behind each other; returns the length, 0 when it can't. */
static size_t assemble(struct tun *t, const struct hf_out_packet *p)
{
    if (p->length_bytes > PACKET_MAX_BYTES)
        return 0;
    if (!t->assembly)
        t->assembly = malloc(PACKET_MAX_BYTES);
    if (!t->assembly)
        return 0;
    memcpy(t->assembly, p->header, p->header_bytes);
    size_t n = p->header_bytes;
    for (size_t i = 0; i < p->slice_count && n < p->length_bytes; i++) {
        size_t left = p->length_bytes - n;
        size_t take = p->slices[i].length_bytes < left ? p->slices[i].length_bytes : left;
        memcpy(t->assembly + n, p->slices[i].bytes, take);
        n += take;
    }
    return n;
}

/* writev takes pointers to bytes that may change, and does not change them. */
static struct iovec piece(const void *bytes, size_t n)
{
    union {
        const void *in;
        void *out;
    } u = {.in = bytes};
    return (struct iovec){u.out, n};
}

static int pieces_of(const struct hf_out_packet *p)
{
    return p->slice_count + 2;
}

static bool has_too_many(const struct hf_out_packet *p)
{
    return pieces_of(p) > IOV_EACH;
}

/* Fills iov behind the virtio-net header; returns how many pieces in all, 0: it can't. */
static int gather(struct tun *t, const struct hf_out_packet *p, struct iovec *iov)
{
    if (has_too_many(p)) {
        size_t n = assemble(t, p);
        iov[1] = (struct iovec){t->assembly, n};
        return n ? 2 : 0;
    }
    iov[1] = piece(p->header, p->header_bytes);
    for (size_t i = 0; i < p->slice_count; i++)
        iov[2 + i] = piece(p->slices[i].bytes, p->slices[i].length_bytes);
    return pieces_of(p);
}

/* Makes the n-th transfer of a packet; false: it contradicts itself, or is too long. */
static bool plan(struct tun *t, const struct hf_out_packet *p, unsigned n, struct iovec *iov)
{
    iov[0] = (struct iovec){&t->vnets[n], VNET_BYTES};
    int pieces = hf_vnet_write(p, 0, &t->vnets[n]) ? gather(t, p, iov) : 0;
    t->transfers[n] = (struct hf_transfer){iov, pieces, -EINVAL};
    return pieces > 0;
}

static void refuse(struct tun *t, int err)
{
    t->link.stats.out_refused++;
    t->link.stats.last_errno = err;
}

/* False: the device is full. A packet that is refused counts as sent. */
static bool write_one(struct tun *t, const struct hf_out_packet *p)
{
    bool may_leave = plan(t, p, 0, t->iov);
    struct hf_transfer *w = &t->transfers[0];
    do {
        if (may_leave && writev(t->fd, w->iov, w->count) < 0)
            w->result = -errno;
        else if (may_leave)
            return true;
    } while (w->result == -EINTR);
    if (w->result == -EAGAIN)
        return false;
    refuse(t, -w->result);
    return true;
}

/* Plans packets for one call, none that needs a place for itself; how many. */
static unsigned plan_some(struct tun *t, const struct hf_out_packet *packets, size_t n)
{
    unsigned count = 0;
    size_t used = 0;
    while (count < n && count < RUN_MAX && !has_too_many(&packets[count]) &&
           used + (size_t)pieces_of(&packets[count]) <= IOV_COUNT &&
           plan(t, &packets[count], count, &t->iov[used]))
        used += (size_t)t->transfers[count++].count;
    return count;
}

static bool was_late(const struct hf_transfer *w)
{
    return w->result == -EAGAIN || w->result == -EINTR;
}

/* Sends some, by one call if it can; how many were taken, less than asked for: the device is full.
 * What it had no room for while it had some for a later one is gone, as on any queue. */
static size_t write_some(struct tun *t, const struct hf_out_packet *packets, size_t n,
                         size_t *asked)
{
    unsigned planned = n > 1 && t->uring != NULL ? plan_some(t, packets, n) : 0;
    unsigned done = 0;
    if (planned > 1)
        done = run(t, HF_TRANSFER_WRITE, planned);
    *asked = done > 0 ? done : 1;
    if (done == 0)
        return write_one(t, packets);
    while (done > 0 && was_late(&t->transfers[done - 1]))
        done--;
    for (unsigned i = 0; i < done; i++)
        if (t->transfers[i].result < 0)
            refuse(t, -t->transfers[i].result);
    return done;
}

static int tun_send(struct hf_link *l, const struct hf_out_packet *packets, size_t n)
{
    size_t most = n < INT_MAX ? n : INT_MAX, sent = 0;
    while (sent < most) {
        size_t asked;
        size_t taken = write_some(of(l), packets + sent, most - sent, &asked);
        sent += taken;
        if (taken < asked)
            break;
    }
    return (int)sent;
}

/* ---- the rest of the vtable ----------------------------------------------------------------- */

static int tun_fd(const struct hf_link *l)
{
    return of_const(l)->fd;
}

static void tun_caps(const struct hf_link *l, struct hf_link_caps *caps)
{
    const struct tun *t = of_const(l);
    *caps = (struct hf_link_caps){
        .checksum = !t->plain,
        .super_bytes = t->plain ? 0 : PACKET_MAX_BYTES,
        .mtu_bytes = t->mtu_bytes,
    };
}

static void tun_close(struct hf_link *l)
{
    struct tun *t = of(l);
    hf_uring_close(t->uring);
    close(t->fd);
    free(t->assembly);
    free(t->buffers);
    free(t);
}

static const struct hf_link_ops tun_ops = {
    .receive = tun_receive,
    .send = tun_send,
    .fd = tun_fd,
    .caps = tun_caps,
    .close = tun_close,
};

bool hf_link_tun_is_batched(const struct hf_link *l)
{
    return of_const(l)->uring != NULL;
}

const char *hf_link_tun_name(const struct hf_link *l)
{
    return of_const(l)->name;
}

/* ---- opening -------------------------------------------------------------------------------- */

static int open_device(const char *path, int *out, struct hf_why *why)
{
    int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0) {
        *out = fd;
        return HF_OK;
    }
    int e = errno;
    const char *hint = "see errno(3)";
    if (e == ENOENT)
        hint = "modprobe tun; in a container hand the device in, or mknod it: c 10 200";
    else if (e == ENODEV || e == ENXIO)
        hint = "the kernel has no TUN driver: modprobe tun";
    else if (e == EACCES || e == EPERM)
        hint = "run as root, or give this user access to the device";
    return hf_why_set(why, hf_why_class(e), e, "open %s: %s (%s)", path, strerror(e), hint);
}

static int attach_failed(const char *name, bool queue, struct hf_why *why)
{
    int e = errno;
    if (e == EPERM)
        return hf_why_set(why, HF_E_PRIVILEGE, e,
                          "create %s: %s (CAP_NET_ADMIN is needed in this network namespace: run "
                          "as root)",
                          name, strerror(e));
    if (e == EBUSY)
        return hf_why_set(why, HF_E_DEVICE, e,
                          "create %s: %s (the name is in use by another process: choose another)",
                          name, strerror(e));
    if (e == EINVAL && if_nametoindex(name))
        return hf_why_set(why, HF_E_DEVICE, e,
                          "create %s: the name is in use by an interface that is not a TUN, or by "
                          "one that was made %s several queues (choose another)",
                          name, queue ? "without" : "for");
    if (e == EINVAL)
        return hf_why_set(why, HF_E_INVALID, e,
                          "create %s: the kernel does not take this name (no '/', ':' or blanks)",
                          name);
    return hf_why_set(why, hf_why_class(e), e, "create %s: %s", name, strerror(e));
}

static int attach(int fd, const char *name, bool queue, struct hf_why *why)
{
    struct ifreq req = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
    if (queue)
        req.ifr_flags |= IFF_MULTI_QUEUE;
    size_t n = strlen(name);
    if (n >= IFNAMSIZ)
        return hf_why_set(why, HF_E_INVALID, 0,
                          "interface name \"%.40s\": longer than %d bytes (choose a shorter one)",
                          name, IFNAMSIZ - 1);
    memcpy(req.ifr_name, name, n);
    if (ioctl(fd, TUNSETIFF, &req) < 0)
        return attach_failed(name, queue, why);
    return HF_OK;
}

/* Asks the kernel to leave checksums and cutting to us, as far as it will: what it refuses it does
 * itself, which is slower and no failure. What we send may be offloaded in any case. */
static void set_offload(int fd, bool plain)
{
    static const unsigned wishes[] = {TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6, TUN_F_CSUM, 0};
    size_t i = plain ? 2 : 0;
    while (i < sizeof wishes / sizeof wishes[0] && ioctl(fd, TUNSETOFFLOAD, wishes[i]) < 0)
        i++;
}

/* Reads back what the descriptor is, sets the header size, non-blocking mode and offloads. */
static int take_over(int fd, bool plain, char name[IFNAMSIZ], struct hf_why *why)
{
    struct ifreq req = {0};
    if (ioctl(fd, TUNGETIFF, &req) < 0)
        return hf_why_set(why, HF_E_DEVICE, errno,
                          "descriptor %d is not an attached TUN: %s (open /dev/net/tun and "
                          "TUNSETIFF first)",
                          fd, strerror(errno));
    const short need = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
    if ((req.ifr_flags & need) != need)
        return hf_why_set(why, HF_E_DEVICE, 0,
                          "%.15s was made without IFF_TUN, IFF_NO_PI or IFF_VNET_HDR (all three "
                          "are needed)",
                          req.ifr_name);
    int size = VNET_BYTES;
    if (ioctl(fd, TUNSETVNETHDRSZ, &size) < 0)
        return hf_why_set(why, HF_E_SYSTEM, errno, "set the virtio-net header of %.15s: %s",
                          req.ifr_name, strerror(errno));
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return hf_why_set(why, HF_E_SYSTEM, errno, "make %.15s non-blocking: %s", req.ifr_name,
                          strerror(errno));
    set_offload(fd, plain);
    memcpy(name, req.ifr_name, IFNAMSIZ);
    name[IFNAMSIZ - 1] = '\0';
    return HF_OK;
}

/* Packets of a batch that find no room are told apart from others only where there always is some:
 * unless somebody has set a limit. */
static bool always_has_room(int fd)
{
    int bytes;
    return ioctl(fd, TUNGETSNDBUF, &bytes) == 0 && bytes == INT_MAX;
}

int hf_link_tun_from_fd(struct hf_link **out, int fd, const struct hf_tun_config *cfg,
                        struct hf_why *why)
{
    size_t batch = cfg->batch_packets ? cfg->batch_packets : BATCH_DEFAULT;
    if (batch > BATCH_MAX)
        return hf_why_set(why, HF_E_INVALID, 0, "batch of %zu packets: at most %d", batch,
                          BATCH_MAX);
    char name[IFNAMSIZ];
    int err = take_over(fd, cfg->plain, name, why);
    if (err < 0)
        return err;
    struct tun *t = calloc(1, sizeof *t);
    uint8_t *buffers = malloc(batch * BUFFER_BYTES);
    if (!t || !buffers) {
        err = hf_why_set(why, HF_E_MEMORY, ENOMEM, "%s: no memory for %zu receive buffers", name,
                         batch);
        goto free_both;
    }
    t->link.ops = &tun_ops;
    t->fd = fd;
    t->mtu_bytes = cfg->mtu_bytes;
    t->batch = batch;
    t->plain = cfg->plain;
    t->buffers = buffers;
    t->expected = 1;
    if (!cfg->one_by_one && always_has_room(fd) && hf_uring_suits(fd))
        t->uring = hf_uring_open(RUN_MAX);
    memcpy(t->name, name, sizeof name);
    *out = &t->link;
    return HF_OK;
free_both:
    free(buffers);
    free(t);
    return err;
}

/* The MTU that the interface has; 0 when that can't be told. */
static uint32_t read_mtu(const char *name)
{
    struct ifreq req = {0};
    memcpy(req.ifr_name, name, strlen(name));
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (s < 0)
        return 0;
    int result = ioctl(s, SIOCGIFMTU, &req);
    close(s);
    return result < 0 || req.ifr_mtu < 0 ? 0 : (uint32_t)req.ifr_mtu;
}

/* A wish: who may use an interface that somebody else made may not always change it. */
static void lengthen_queue(const char *name)
{
    (void)!hf_netif_set_queue(name, QUEUE_PACKETS, NULL);
}

int hf_link_tun_open(struct hf_link **out, const struct hf_tun_config *cfg, struct hf_why *why)
{
    int fd = -1;
    int err = open_device(cfg->device ? cfg->device : "/dev/net/tun", &fd, why);
    if (err < 0)
        return err;
    struct hf_link *made = NULL;
    err = attach(fd, cfg->name ? cfg->name : "tun%d", cfg->queue, why);
    if (err == HF_OK)
        err = hf_link_tun_from_fd(&made, fd, cfg, why);
    if (err < 0)
        goto close_fd;
    if (cfg->mtu_bytes)
        err = hf_netif_set_mtu(of(made)->name, cfg->mtu_bytes, why);
    else
        of(made)->mtu_bytes = read_mtu(of(made)->name);
    if (err < 0)
        goto close_link;
    lengthen_queue(of(made)->name);
    *out = made;
    return HF_OK;
close_link:
    hf_link_close(made); /* and with it the descriptor */
    return err;
close_fd:
    close(fd);
    return err;
}
