/**
 * An interface of the kernel's as a link, by AF_XDP: frames pass between the device and memory of
 * ours over four rings, and the kernel's network stack never sees them. Owns that memory (the
 * UMEM), the rings, the socket and the program in front of it; leaves addresses, MACs and frames
 * that are no packets to ether.c and neighbour.c.
 *
 * One half of the frames is for receiving: the kernel has them (in the fill ring, or under way),
 * or the caller, until the next receive. The other half is for sending: free, in the ring to
 * send, or on their way back in the completion ring. These two have half as many places each, so a
 * frame is free whenever the ring to send has room.
 */
#include "bpf.h"
#include "ether.h"
#include "why.h"
#include "xdp_program.h"

#include <errno.h>
#include <limits.h>
#include <linux/ethtool.h>
#include <linux/if_xdp.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/base.h"

enum {
    FRAME_BYTES = 4096,
    HEADROOM_BYTES = 256, /* XDP's own, before each frame that comes in */
    HALF = 2048,          /* frames to receive, and frames to send */
    RING = HALF / 2,      /* places in each of the two rings of sending */
    UMEM_BYTES = 2 * HALF * FRAME_BYTES,
    MTU_MAX = FRAME_BYTES - HEADROOM_BYTES - HF_ETHER_HEADER_BYTES - 4,
    BATCH = 64,
    KICK_FRAMES = 32, /* that the kernel sends a call, where the device does not take them itself */
    LOG_BYTES = 4096,
    BIND_TRIES = 100,
    BIND_PAUSE_NS = 5 * 1000 * 1000,
};
#define FULL_RETRY_NS HF_MS(1)
#define DOWN_RETRY_NS HF_MS(100)

/* One of the four. Who writes moves `producer`, who reads `consumer`. */
struct ring {
    uint32_t *producer, *consumer, *flags;
    void *entries; /* struct xdp_desc, or uint64_t in the fill and the completion ring */
    uint32_t mask;
    void *map;
    size_t map_bytes;
};

struct xdp_link {
    struct hf_ether ether; /* first */
    int fd, map_fd, program_fd, attached_fd;
    uint8_t *umem;
    struct ring fill, completion, received, to_send;
    uint64_t free_frames[HALF]; /* to send */
    size_t free_count;
    uint64_t lent[BATCH]; /* what was given out by the last receive */
    size_t lent_count;
    bool is_zero_copy;
};

static struct xdp_link *of(struct hf_link *l)
{
    return (struct xdp_link *)l;
}

/* ---- rings ---------------------------------------------------------------------------------- */

static uint32_t read_there(const uint32_t *position)
{
    return __atomic_load_n(position, __ATOMIC_ACQUIRE);
}

static void write_there(uint32_t *position, uint32_t value)
{
    __atomic_store_n(position, value, __ATOMIC_RELEASE);
}

/* Entries that wait in it. */
static uint32_t used(const struct ring *r)
{
    return read_there(r->producer) - read_there(r->consumer);
}

static bool wants_call(const struct ring *r)
{
    return (read_there(r->flags) & XDP_RING_NEED_WAKEUP) != 0;
}

static void put_address(struct ring *r, uint64_t address)
{
    uint32_t at = *r->producer;
    ((uint64_t *)r->entries)[at & r->mask] = address;
    write_there(r->producer, at + 1);
}

/* ---- sending -------------------------------------------------------------------------------- */

/* What has left is free again. */
static void take_back(struct xdp_link *l)
{
    uint32_t count = used(&l->completion), at = *l->completion.consumer;
    for (uint32_t i = 0; i < count; i++)
        l->free_frames[l->free_count++] =
            ((const uint64_t *)l->completion.entries)[(at + i) & l->completion.mask];
    if (count > 0)
        write_there(l->completion.consumer, at + count);
}

/* Has the kernel send what is in the ring. How long to wait before what stays there is tried again:
 * the device is busy, or down. */
static hf_ns kick(struct xdp_link *l)
{
    for (unsigned i = 0; i <= RING / KICK_FRAMES && used(&l->to_send) > 0; i++) {
        if (!wants_call(&l->to_send))
            break;
        ssize_t n = sendto(l->fd, NULL, 0, MSG_DONTWAIT, NULL, 0);
        /* EAGAIN: it has sent as many as it does at once. */
        if (n < 0 && errno != EAGAIN && errno != EINTR && errno != EBUSY) {
            l->ether.link.stats.last_errno = errno;
            return DOWN_RETRY_NS;
        }
    }
    return FULL_RETRY_NS;
}

/* Copies the whole packet behind an Ethernet header; its length, 0: it does not fit. */
static uint32_t write_frame(const struct xdp_link *l, uint8_t *frame, const struct hf_out_packet *p,
                            uint16_t type, const uint8_t to[HF_MAC_BYTES])
{
    if (p->length_bytes > l->ether.netif.mtu_bytes)
        return 0;
    hf_ether_header(&l->ether, to, type, frame);
    size_t n = HF_ETHER_HEADER_BYTES, most = n + p->length_bytes;
    memcpy(frame + n, p->header, p->header_bytes);
    n += p->header_bytes;
    for (size_t i = 0; i < p->slice_count && n < most; i++) {
        size_t take = hf_min_size(p->slices[i].length_bytes, most - n);
        memcpy(frame + n, p->slices[i].bytes, take);
        n += take;
    }
    return (uint32_t)n;
}

/* False: the ring is full. What can't be sent is counted and passed over. */
static bool put_packet(struct xdp_link *l, const struct hf_out_packet *p, uint16_t type,
                       const uint8_t to[HF_MAC_BYTES])
{
    if (l->free_count == 0 || used(&l->to_send) > l->to_send.mask)
        return false;
    uint64_t address = l->free_frames[l->free_count - 1];
    bool is_whole = p->segment_bytes == 0 && !(p->flags & HF_PACKET_CSUM_PARTIAL);
    uint32_t length = is_whole ? write_frame(l, l->umem + address, p, type, to) : 0;
    if (length == 0) {
        l->ether.link.stats.out_refused++;
        l->ether.link.stats.last_errno = is_whole ? EMSGSIZE : EINVAL;
        return true;
    }
    l->free_count--;
    uint32_t at = *l->to_send.producer;
    ((struct xdp_desc *)l->to_send.entries)[at & l->to_send.mask] =
        (struct xdp_desc){.addr = address, .len = length};
    write_there(l->to_send.producer, at + 1);
    return true;
}

static bool send_frame(struct hf_ether *e, const struct hf_ether_frame *frame)
{
    return put_packet((struct xdp_link *)e, &frame->packet, frame->type, frame->to);
}

/* What the neighbours say goes too; then the kernel is called, once for all of it. */
static void finish_sending(struct xdp_link *l, hf_ns now)
{
    hf_ether_flush(&l->ether, send_frame, now);
    hf_ns pause_ns = kick(l);
    if (used(&l->to_send) > 0 && wants_call(&l->to_send))
        l->ether.retry_ns = now + pause_ns;
}

static int xdp_send(struct hf_link *link, const struct hf_out_packet *packets, size_t n)
{
    struct xdp_link *l = of(link);
    hf_ns now = hf_host_now();
    size_t done = 0, most = hf_min_size(n, INT_MAX);
    take_back(l);
    for (; done < most; done++) {
        const struct hf_out_packet *p = &packets[done];
        struct hf_addr to = hf_ether_destination(p);
        uint8_t mac[HF_MAC_BYTES];
        enum hf_way way = hf_neighbours_find(l->ether.neighbours, &to, now, mac);
        if (way == HF_WAY_ASKED)
            hf_neighbours_keep(l->ether.neighbours, &to, p);
        if (way == HF_WAY_KNOWN && !put_packet(l, p, hf_ether_type(p), mac))
            break;
    }
    finish_sending(l, now);
    return (int)done;
}

/* ---- receiving ------------------------------------------------------------------------------ */

static void give_back(struct xdp_link *l)
{
    for (size_t i = 0; i < l->lent_count; i++)
        put_address(&l->fill, l->lent[i]);
    l->lent_count = 0;
}

/* Tells the device about room in the fill ring, where it asks for that. */
static int call_device(struct xdp_link *l, hf_ns now)
{
    if (recvfrom(l->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL) >= 0)
        return HF_OK;
    int e = errno;
    if (e != ENXIO && e != ENETDOWN && e != ENODEV)
        return HF_OK;
    l->ether.link.stats.last_errno = e;
    return hf_ether_is_down(&l->ether, now);
}

static int xdp_receive(struct hf_link *link, struct hf_packet *packets, size_t max)
{
    struct xdp_link *l = of(link);
    hf_ns now = hf_host_now();
    int count = 0;
    int err = hf_ether_look(&l->ether, now);
    if (err < 0)
        return err;
    give_back(l);
    take_back(l);
    uint32_t n = hf_min_u32(used(&l->received), (uint32_t)hf_min_size(max, BATCH));
    uint32_t at = *l->received.consumer;
    for (uint32_t i = 0; i < n; i++) {
        const struct xdp_desc *d =
            &((const struct xdp_desc *)l->received.entries)[(at + i) & l->received.mask];
        l->lent[l->lent_count++] = d->addr & ~(uint64_t)(FRAME_BYTES - 1);
        packets[count] = (struct hf_packet){.bytes = NULL};
        count += hf_ether_take(&l->ether, l->umem + d->addr, d->len, now, &packets[count]);
    }
    if (n > 0)
        write_there(l->received.consumer, at + n);
    finish_sending(l, now);
    if (n == 0 || wants_call(&l->fill))
        err = call_device(l, now);
    return err < 0 ? err : count;
}

/* ---- the rest of the vtable ----------------------------------------------------------------- */

static int xdp_fd(const struct hf_link *link)
{
    return ((const struct xdp_link *)link)->fd;
}

static void xdp_caps(const struct hf_link *link, struct hf_link_caps *caps)
{
    const struct xdp_link *l = (const struct xdp_link *)link;
    *caps = (struct hf_link_caps){.mtu_bytes = l->ether.netif.mtu_bytes};
}

static void xdp_expire(struct hf_link *link)
{
    struct xdp_link *l = of(link);
    hf_ns now = hf_host_now();
    hf_neighbours_expire(l->ether.neighbours, now);
    take_back(l);
    finish_sending(l, now);
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

static void unmap(void *map, size_t bytes)
{
    if (map != NULL)
        (void)munmap(map, bytes);
}

static void xdp_close(struct hf_link *link)
{
    struct xdp_link *l = of(link);
    struct ring *rings[] = {&l->fill, &l->completion, &l->received, &l->to_send};
    close_fd(l->attached_fd); /* first: nothing more is sent our way */
    close_fd(l->program_fd);
    close_fd(l->map_fd);
    for (size_t i = 0; i < HF_COUNT_OF(rings); i++)
        unmap(rings[i]->map, rings[i]->map_bytes);
    close_fd(l->fd);
    unmap(l->umem, UMEM_BYTES);
    hf_ether_close(&l->ether);
    free(l);
}

static uint64_t xdp_lost(struct hf_ether *e)
{
    struct xdp_statistics s = {0};
    socklen_t bytes = sizeof s;
    (void)getsockopt(((const struct xdp_link *)e)->fd, SOL_XDP, XDP_STATISTICS, &s, &bytes);
    return s.rx_dropped + s.rx_ring_full;
}

static const struct hf_link_ops xdp_ops = {
    .receive = xdp_receive,
    .send = xdp_send,
    .fd = xdp_fd,
    .caps = xdp_caps,
    .deadline = hf_ether_deadline,
    .expire = xdp_expire,
    .close = xdp_close,
};

/* ---- opening -------------------------------------------------------------------------------- */

static int fail(struct hf_why *why, const struct xdp_link *l, const char *doing)
{
    int e = errno;
    const char *hint = "see errno(3); a packet socket may do";
    if (e == EPERM || e == EACCES)
        hint = "CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF are needed: run as root";
    else if (e == EBUSY || e == EEXIST)
        hint = "another program uses XDP there: end it first";
    else if (e == EAFNOSUPPORT || e == ENOSYS || e == EINVAL)
        hint = "the kernel must be 5.9 or newer, with AF_XDP and BPF";
    else if (e == EOPNOTSUPP)
        hint = "its driver has no XDP: use a packet socket";
    else if (e == ENOBUFS || e == ENOMEM)
        hint = "locked memory: raise ulimit -l";
    return hf_why_set(why, hf_why_class(e), e, "XDP on %s: %s: %s (%s)", l->ether.netif.name, doing,
                      strerror(e), hint);
}

/* One queue is what a socket gets: frames of others would go to the kernel, which does not know
 * them. A device that can't tell has one. */
static int check_queues(const struct xdp_link *l, struct hf_why *why)
{
    struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
    struct ifreq req = {.ifr_flags = 0};
    memcpy(req.ifr_name, l->ether.netif.name, sizeof req.ifr_name);
    req.ifr_data = (char *)&channels;
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int result = s < 0 ? -1 : ioctl(s, SIOCETHTOOL, &req);
    close_fd(s);
    uint32_t queues = channels.rx_count + channels.combined_count;
    if (result < 0 || queues <= 1)
        return HF_OK;
    return hf_why_set(why, HF_E_DEVICE, 0,
                      "XDP on %s: it has %u queues, and a link serves one (ethtool -L %s %s 1, or "
                      "use a packet socket)",
                      l->ether.netif.name, queues, l->ether.netif.name,
                      channels.combined_count > 0 ? "combined" : "rx");
}

static int check_mtu(const struct xdp_link *l, struct hf_why *why)
{
    if (l->ether.netif.mtu_bytes <= MTU_MAX)
        return HF_OK;
    return hf_why_set(why, HF_E_DEVICE, 0,
                      "XDP on %s: an MTU of %u, of %d at most (ip link set %s mtu 1500, or use a "
                      "packet socket)",
                      l->ether.netif.name, l->ether.netif.mtu_bytes, MTU_MAX, l->ether.netif.name);
}

static int map_ring(const struct xdp_link *l, struct ring *r, const struct xdp_ring_offset *at,
                    size_t entry_bytes, uint32_t places, off_t where)
{
    r->map_bytes = at->desc + places * entry_bytes;
    r->map =
        mmap(NULL, r->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, l->fd, where);
    if (r->map == MAP_FAILED) {
        r->map = NULL;
        return -1;
    }
    uint8_t *bytes = r->map;
    r->producer = (uint32_t *)(void *)(bytes + at->producer);
    r->consumer = (uint32_t *)(void *)(bytes + at->consumer);
    r->flags = (uint32_t *)(void *)(bytes + at->flags);
    r->entries = bytes + at->desc;
    r->mask = places - 1;
    return 0;
}

static int set_places(const struct xdp_link *l, int option, int places)
{
    return setsockopt(l->fd, SOL_XDP, option, &places, sizeof places);
}

static int make_rings(struct xdp_link *l)
{
    struct xdp_mmap_offsets at;
    socklen_t bytes = sizeof at;
    const struct xdp_umem_reg umem = {
        .addr = (uint64_t)(uintptr_t)l->umem, .len = UMEM_BYTES, .chunk_size = FRAME_BYTES};
    if (setsockopt(l->fd, SOL_XDP, XDP_UMEM_REG, &umem, sizeof umem) < 0 ||
        set_places(l, XDP_UMEM_FILL_RING, HALF) < 0 ||
        set_places(l, XDP_UMEM_COMPLETION_RING, RING) < 0 || set_places(l, XDP_RX_RING, HALF) < 0 ||
        set_places(l, XDP_TX_RING, RING) < 0 ||
        getsockopt(l->fd, SOL_XDP, XDP_MMAP_OFFSETS, &at, &bytes) < 0)
        return -1;
    if (map_ring(l, &l->fill, &at.fr, sizeof(uint64_t), HALF, (off_t)XDP_UMEM_PGOFF_FILL_RING) <
            0 ||
        map_ring(l, &l->completion, &at.cr, sizeof(uint64_t), RING,
                 (off_t)XDP_UMEM_PGOFF_COMPLETION_RING) < 0 ||
        map_ring(l, &l->received, &at.rx, sizeof(struct xdp_desc), HALF, XDP_PGOFF_RX_RING) < 0 ||
        map_ring(l, &l->to_send, &at.tx, sizeof(struct xdp_desc), RING, XDP_PGOFF_TX_RING) < 0)
        return -1;
    for (uint64_t i = 0; i < HALF; i++)
        put_address(&l->fill, i * FRAME_BYTES);
    for (uint64_t i = 0; i < HALF; i++)
        l->free_frames[l->free_count++] = (HALF + i) * FRAME_BYTES;
    return 0;
}

static int bind_socket(struct xdp_link *l, bool copy)
{
    struct xdp_options options = {0};
    socklen_t bytes = sizeof options;
    /* Without XDP_COPY the kernel takes zero-copy if the device can, and copies if not. */
    struct sockaddr_xdp where = {.sxdp_family = AF_XDP,
                                 .sxdp_flags = XDP_USE_NEED_WAKEUP,
                                 .sxdp_ifindex = (uint32_t)l->ether.netif.index};
    if (copy)
        where.sxdp_flags |= XDP_COPY;
    /* The kernel lets go of a queue some time after its last user has closed it. */
    const struct timespec pause = {.tv_nsec = BIND_PAUSE_NS};
    int tries = 0;
    while (bind(l->fd, (const struct sockaddr *)&where, sizeof where) < 0) {
        if (errno != EBUSY || ++tries == BIND_TRIES)
            return -1;
        (void)nanosleep(&pause, NULL);
    }
    if (getsockopt(l->fd, SOL_XDP, XDP_OPTIONS, &options, &bytes) == 0)
        l->is_zero_copy = (options.flags & XDP_OPTIONS_ZEROCOPY) != 0;
    return 0;
}

static int open_socket(struct xdp_link *l, const struct hf_xdp_link_config *cfg, struct hf_why *why)
{
    void *umem = mmap(NULL, UMEM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (umem == MAP_FAILED)
        return fail(why, l, "memory for frames");
    l->umem = umem;
    l->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (l->fd < 0)
        return fail(why, l, "socket");
    if (make_rings(l) < 0)
        return fail(why, l, "rings");
    return bind_socket(l, cfg->copy) < 0 ? fail(why, l, "bind") : HF_OK;
}

/* Why the kernel refused the program: the last line of its log that does not count instructions. */
static const char *reason_in(char *log)
{
    const char *reason = log;
    char *rest;
    for (char *line = strtok_r(log, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        if (strncmp(line, "processed ", strlen("processed ")) != 0)
            reason = line;
    return reason;
}

static int attach(struct xdp_link *l, const struct hf_ether_config *cfg, struct hf_why *why)
{
    struct bpf_insn program[HF_XDP_PROGRAM_MAX];
    char log[LOG_BYTES] = "";
    l->map_fd = hf_bpf_xsk_map(1);
    if (l->map_fd < 0)
        return fail(why, l, "map of sockets");
    size_t length = hf_xdp_program(program, l->map_fd, cfg->addrs, cfg->addr_count);
    l->program_fd = hf_bpf_load_xdp(program, length, log, sizeof log);
    if (l->program_fd < 0) {
        char doing[LOG_BYTES + 32];
        bool is_told = log[0] != '\0';
        (void)snprintf(doing, sizeof doing, "load the program: %s", reason_in(log));
        return fail(why, l, is_told ? doing : "load the program");
    }
    if (hf_bpf_set_socket(l->map_fd, 0, l->fd) < 0)
        return fail(why, l, "put the socket into its map");
    l->attached_fd = hf_bpf_attach_xdp(l->program_fd, l->ether.netif.index);
    return l->attached_fd < 0 ? fail(why, l, "attach the program") : HF_OK;
}

int hf_link_xdp_open(struct hf_link **out, const struct hf_xdp_link_config *cfg, struct hf_why *why)
{
    struct xdp_link *l = calloc(1, sizeof *l);
    if (l == NULL)
        return hf_why_set(why, HF_E_MEMORY, ENOMEM, "%s: no memory", cfg->ether.interface);
    l->fd = l->map_fd = l->program_fd = l->attached_fd = -1;
    int err = hf_ether_open(&l->ether, &cfg->ether, false, why);
    if (err < 0) {
        free(l);
        return err;
    }
    l->ether.link.ops = &xdp_ops;
    l->ether.count_lost = xdp_lost;
    /* Its descriptor says nothing of an interface that is removed, by poll. */
    l->ether.is_silent = true;
    l->ether.look_ns = 0;
    err = check_queues(l, why);
    if (err == HF_OK)
        err = check_mtu(l, why);
    if (err == HF_OK)
        err = open_socket(l, cfg, why);
    if (err == HF_OK)
        err = attach(l, &cfg->ether, why);
    if (err < 0) {
        xdp_close(&l->ether.link);
        return err;
    }
    finish_sending(l, hf_host_now()); /* our announcements */
    *out = &l->ether.link;
    return HF_OK;
}

bool hf_link_xdp_is_zero_copy(const struct hf_link *l)
{
    return ((const struct xdp_link *)l)->is_zero_copy;
}
