/**
 * A TUN interface as a link: IP packets with a virtio-net header before each, which carries the
 * offload facts both ways. Owns the descriptor and the receive buffers; leaves addresses and routes
 * to netif.c.
 */
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
    /* More pieces are put together first; writev takes no more than IOV_MAX at once. */
    IOV_COUNT = 256,
    /* What the kernel may have waiting for us, in packets. Its own default of 500 is less than some
     * hundred connections have in flight: the rest is lost before anybody could read it. How many
     * bytes wait is bounded by the senders' windows, not by this. */
    QUEUE_PACKETS = 5000,
};

_Static_assert(VNET_BYTES == 10, "the short virtio-net header");
_Static_assert(BUFFER_BYTES >= PACKET_OFFSET + PACKET_MAX_BYTES, "room for the longest packet");
_Static_assert(IOV_COUNT <= IOV_MAX, "writev's limit");

struct tun {
    struct hf_link link;
    int fd;
    uint32_t mtu_bytes;
    size_t batch;
    bool plain;
    char name[IFNAMSIZ];
    uint8_t *buffers;            /* batch * BUFFER_BYTES */
    uint8_t *assembly;           /* for packets of too many pieces; NULL until the first */
    struct virtio_net_hdr vnet;  /* of the packet being sent */
    struct iovec iov[IOV_COUNT]; /* its pieces: the first is vnet */
};

static struct tun *of(struct hf_link *l)
{
    return (struct tun *)l;
}

static const struct tun *of_const(const struct hf_link *l)
{
    return (const struct tun *)l;
}

/* ---- receiving ------------------------------------------------------------------------------ */

/* Reads one packet: 1 taken, 0 none there, -1 failed with errno. */
static int read_packet(struct tun *t, uint8_t *buffer, struct hf_packet *p)
{
    for (;;) {
        uint8_t *start = buffer + PACKET_OFFSET - VNET_BYTES;
        ssize_t n = read(t->fd, start, PACKET_MAX_BYTES + VNET_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? 0 : -1;
        struct virtio_net_hdr vnet;
        *p = (struct hf_packet){.bytes = buffer + PACKET_OFFSET};
        if (n > VNET_BYTES) {
            memcpy(&vnet, start, sizeof vnet);
            p->length_bytes = (uint32_t)(n - VNET_BYTES);
            if (hf_vnet_read(&vnet, p))
                return 1;
        }
        t->link.stats.in_malformed++;
    }
}

static int tun_receive(struct hf_link *l, struct hf_packet *packets, size_t max)
{
    struct tun *t = of(l);
    size_t want = max < t->batch ? max : t->batch;
    for (size_t i = 0; i < want; i++) {
        int got = read_packet(t, t->buffers + i * BUFFER_BYTES, &packets[i]);
        if (got > 0)
            continue;
        if (got < 0)
            l->stats.last_errno = errno;
        /* What was read before the failure is handed on; it will fail again next time. */
        if (got == 0 || i > 0)
            return (int)i;
        return hf_why_class(errno);
    }
    return (int)want;
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

/* Fills t->iov behind the virtio-net header; returns how many pieces in all, 0: it can't. */
static int gather(struct tun *t, const struct hf_out_packet *p)
{
    if ((size_t)p->slice_count + 2 > IOV_COUNT) {
        size_t n = assemble(t, p);
        t->iov[1] = (struct iovec){t->assembly, n};
        return n ? 2 : 0;
    }
    t->iov[1] = piece(p->header, p->header_bytes);
    for (size_t i = 0; i < p->slice_count; i++)
        t->iov[2 + i] = piece(p->slices[i].bytes, p->slices[i].length_bytes);
    return p->slice_count + 2;
}

/* False: the device is full. A packet that is refused counts as sent. */
static bool write_packet(struct tun *t, const struct hf_out_packet *p)
{
    int pieces = hf_vnet_write(p, 0, &t->vnet) ? gather(t, p) : 0;
    const struct iovec *iov = t->iov;
    errno = EINVAL;
    while (pieces > 0) {
        if (writev(t->fd, iov, pieces) >= 0)
            return true;
        if (errno == EAGAIN)
            return false;
        if (errno != EINTR)
            break;
    }
    t->link.stats.out_refused++;
    t->link.stats.last_errno = errno;
    return true;
}

static int tun_send(struct hf_link *l, const struct hf_out_packet *packets, size_t n)
{
    size_t most = n < INT_MAX ? n : INT_MAX;
    for (size_t i = 0; i < most; i++)
        if (!write_packet(of(l), &packets[i]))
            return (int)i;
    return (int)most;
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
    t->iov[0] = (struct iovec){&t->vnet, sizeof t->vnet};
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
