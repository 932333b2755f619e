/**
 * An interface of the kernel's as a link, by packet sockets. Owns the sockets and the receive
 * buffers; leaves addresses, MACs and frames that are no packets to ether.c and neighbour.c.
 *
 * Batches go by recvmmsg and sendmmsg, a virtio-net header before each frame: so a super-packet is
 * one message either way, and memory is taken by what comes. A ring (TPACKET_V3) copies as often,
 * and wakes its reader only when a block is full or a timer of 1 ms fires; see ARCHITECTURE.md.
 *
 * Of a group that shares an interface each link has two sockets: one gets its part of the flows,
 * the other all that neighbours say, since the answer to one link's question might come to another.
 */
#include "ether.h"
#include "packet_filter.h"
#include "vnet.h"
#include "why.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/base.h"

enum {
    PACKET_MAX_BYTES = 65535,
    VNET_BYTES = sizeof(struct virtio_net_hdr),
    /* A message is read to here, so that the IP header behind its two headers starts aligned. */
    MESSAGE_OFFSET = 32 - VNET_BYTES - HF_ETHER_HEADER_BYTES,
    BUFFER_BYTES = 65536 + 192, /* see tun.c */
    BATCH_DEFAULT = 32,
    BATCH_MAX = 1024,
    SEND_BATCH = 64,
    PIECES = 1024,                /* of all packets in a batch to send */
    ROOM_BYTES = 8 * 1024 * 1024, /* that the kernel may have waiting, each way */
    MESSAGES_BATCH = 16,
};
#define FULL_RETRY_NS HF_MS(1)

_Static_assert(PIECES <= IOV_MAX, "one packet may have them all");

/* Both headers before a packet that is sent. */
struct head {
    struct virtio_net_hdr vnet;
    uint8_t ether[HF_ETHER_HEADER_BYTES];
};
_Static_assert(sizeof(struct head) == VNET_BYTES + HF_ETHER_HEADER_BYTES, "one piece");

struct outbox {
    struct mmsghdr messages[SEND_BATCH];
    struct head heads[SEND_BATCH];
    struct iovec pieces[PIECES];
    size_t count, pieces_used;
    bool is_assembled; /* the assembly is in use */
};

struct packet_link {
    struct hf_ether ether;         /* first */
    int fd, messages_fd, epoll_fd; /* the last two: of a member of a group; else -1 */
    size_t batch;
    bool plain;
    uint64_t lost; /* that the kernel had no room for, as counted so far */
    uint8_t *buffers;
    struct mmsghdr *messages; /* to receive: batch of them, each with a buffer */
    struct iovec *pieces;
    uint8_t *assembly; /* for a packet of too many pieces; NULL until the first */
    struct outbox out;
};

static struct packet_link *of(struct hf_link *l)
{
    return (struct packet_link *)l;
}

static const struct packet_link *of_const(const struct hf_link *l)
{
    return (const struct packet_link *)l;
}

/* ---- sending -------------------------------------------------------------------------------- */

/* sendmmsg takes pointers to bytes that may change, and does not change them. */
static struct iovec piece(const void *bytes, size_t n)
{
    union {
        const void *in;
        void *out;
    } u = {.in = bytes};
    return (struct iovec){u.out, n};
}

/* Puts all of a packet behind its header together; its length, 0: it can't. */
static size_t assemble(struct packet_link *l, const struct hf_out_packet *p)
{
    if (l->assembly == NULL)
        l->assembly = malloc(PACKET_MAX_BYTES);
    if (l->assembly == NULL || p->length_bytes > PACKET_MAX_BYTES)
        return 0;
    size_t n = 0, most = p->length_bytes - p->header_bytes;
    for (size_t i = 0; i < p->slice_count && n < most; i++) {
        size_t take = hf_min_size(p->slices[i].length_bytes, most - n);
        memcpy(l->assembly + n, p->slices[i].bytes, take);
        n += take;
    }
    return n;
}

enum added { ADDED, NO_ROOM, REFUSED };

/* Puts a packet into the outbox; it stays where it is until that is sent. */
static enum added add(struct packet_link *l, const struct hf_out_packet *p, uint16_t type,
                      const uint8_t to[HF_MAC_BYTES])
{
    struct outbox *o = &l->out;
    size_t wanted = (size_t)p->slice_count + 2;
    bool is_long = wanted > PIECES;
    if (is_long)
        wanted = 3;
    if (o->count == SEND_BATCH || o->pieces_used + wanted > PIECES || (is_long && o->is_assembled))
        return NO_ROOM;
    struct head *head = &o->heads[o->count];
    struct iovec *pieces = &o->pieces[o->pieces_used];
    size_t assembled = is_long ? assemble(l, p) : 0;
    if (!hf_vnet_write(p, HF_ETHER_HEADER_BYTES, &head->vnet) || (is_long && assembled == 0)) {
        errno = EINVAL;
        return REFUSED;
    }
    hf_ether_header(&l->ether, to, type, head->ether);
    pieces[0] = (struct iovec){head, sizeof *head};
    pieces[1] = piece(p->header, p->header_bytes);
    for (size_t i = 0; i < p->slice_count && !is_long; i++)
        pieces[2 + i] = piece(p->slices[i].bytes, p->slices[i].length_bytes);
    if (is_long)
        pieces[2] = (struct iovec){l->assembly, assembled};
    o->is_assembled = o->is_assembled || is_long;
    o->messages[o->count++] =
        (struct mmsghdr){.msg_hdr = {.msg_iov = pieces, .msg_iovlen = wanted}};
    o->pieces_used += wanted;
    return ADDED;
}

static void count_refused(struct packet_link *l)
{
    l->ether.link.stats.out_refused++;
    l->ether.link.stats.last_errno = errno;
}

/* Empties the outbox; how many of its packets have gone, or were refused and count as that. Fewer
 * than there are: the socket is full. */
static size_t send_outbox(struct packet_link *l)
{
    struct outbox *o = &l->out;
    size_t done = 0;
    while (done < o->count) {
        int n = sendmmsg(l->fd, o->messages + done, (unsigned)(o->count - done), MSG_DONTWAIT);
        if (n > 0) {
            done += (size_t)n;
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            count_refused(l); /* ENOBUFS too: the queue of the device is full, and has lost it */
            done++;
        }
    }
    o->count = o->pieces_used = 0;
    o->is_assembled = false;
    return done;
}

/* One frame of the neighbours'. */
static bool send_frame(struct hf_ether *e, const struct hf_ether_frame *frame)
{
    struct packet_link *l = (struct packet_link *)e;
    if (add(l, &frame->packet, frame->type, frame->to) == ADDED)
        return send_outbox(l) == 1;
    count_refused(l);
    return true;
}

/* Fills the outbox with packets whose way is known; returns how many were put there. */
static size_t gather(struct packet_link *l, const struct hf_out_packet *packets, size_t n,
                     hf_ns now, enum hf_way *way)
{
    size_t count = 0;
    for (*way = HF_WAY_KNOWN; count < n; count++) {
        const struct hf_out_packet *p = &packets[count];
        struct hf_addr to = hf_ether_destination(p);
        uint8_t mac[HF_MAC_BYTES];
        *way = hf_neighbours_find(l->ether.neighbours, &to, now, mac);
        if (*way != HF_WAY_KNOWN)
            break;
        enum added added = add(l, p, hf_ether_type(p), mac);
        if (added == REFUSED) {
            count_refused(l);
            *way = HF_WAY_NOWHERE;
        }
        if (added != ADDED)
            break;
    }
    return count;
}

static int packet_send(struct hf_link *link, const struct hf_out_packet *packets, size_t n)
{
    struct packet_link *l = of(link);
    hf_ns now = hf_host_now();
    size_t done = 0, most = hf_min_size(n, INT_MAX);
    while (done < most) {
        enum hf_way way;
        size_t count = gather(l, packets + done, most - done, now, &way);
        size_t sent = send_outbox(l);
        done += sent;
        if (sent < count) {
            if (l->epoll_fd >= 0) /* which can't tell that there is room again */
                l->ether.retry_ns = now + FULL_RETRY_NS;
            return (int)done;
        }
        if (way == HF_WAY_KNOWN)
            continue;
        if (way == HF_WAY_ASKED) {
            struct hf_addr to = hf_ether_destination(&packets[done]);
            hf_neighbours_keep(l->ether.neighbours, &to, &packets[done]);
        }
        done++;
    }
    hf_ether_flush(&l->ether, send_frame, now); /* questions */
    return (int)done;
}

/* ---- receiving ------------------------------------------------------------------------------ */

static void prepare(struct packet_link *l, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        l->pieces[i] = (struct iovec){l->buffers + i * BUFFER_BYTES + MESSAGE_OFFSET,
                                      BUFFER_BYTES - MESSAGE_OFFSET};
        l->messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &l->pieces[i], .msg_iovlen = 1}};
    }
}

/* True if it is a packet for the stack, which is then in *p. */
static bool take_message(struct packet_link *l, size_t i, hf_ns now, struct hf_packet *p)
{
    const uint8_t *bytes = l->buffers + i * BUFFER_BYTES + MESSAGE_OFFSET;
    struct virtio_net_hdr vnet;
    *p = (struct hf_packet){.bytes = NULL};
    if (l->messages[i].msg_len < sizeof vnet || (l->messages[i].msg_hdr.msg_flags & MSG_TRUNC)) {
        l->ether.link.stats.in_malformed++;
        return false;
    }
    memcpy(&vnet, bytes, sizeof vnet);
    if (!hf_vnet_read(&vnet, p)) {
        l->ether.link.stats.in_malformed++;
        return false;
    }
    return hf_ether_take(&l->ether, bytes + sizeof vnet, l->messages[i].msg_len - sizeof vnet, now,
                         p);
}

/* How many came; 0: none there; negative: an error of the link. */
static int read_messages(struct packet_link *l, int fd, size_t n, hf_ns now)
{
    prepare(l, n);
    int got = recvmmsg(fd, l->messages, (unsigned)n, MSG_DONTWAIT, NULL);
    if (got >= 0 || errno == EAGAIN || errno == EINTR)
        return got < 0 ? 0 : got;
    int e = errno;
    l->ether.link.stats.last_errno = e;
    return e == ENETDOWN ? hf_ether_is_down(&l->ether, now) : hf_why_class(e);
}

/* What neighbours say to a member of a group; it holds no packets for the stack. */
static void read_words(struct packet_link *l, hf_ns now)
{
    struct hf_packet p;
    size_t batch = hf_min_size(l->batch, MESSAGES_BATCH);
    int got = l->messages_fd >= 0 ? read_messages(l, l->messages_fd, batch, now) : 0;
    for (int i = 0; i < got; i++)
        (void)take_message(l, (size_t)i, now, &p);
}

static int packet_receive(struct hf_link *link, struct hf_packet *packets, size_t max)
{
    struct packet_link *l = of(link);
    hf_ns now = hf_host_now();
    int err = hf_ether_look(&l->ether, now);
    if (err < 0)
        return err;
    read_words(l, now);
    int got = read_messages(l, l->fd, hf_min_size(max, l->batch), now), count = 0;
    for (int i = 0; i < got; i++)
        count += take_message(l, (size_t)i, now, &packets[count]);
    hf_ether_flush(&l->ether, send_frame, now);
    return got < 0 ? got : count;
}

/* ---- the rest of the vtable ----------------------------------------------------------------- */

static int packet_fd(const struct hf_link *link)
{
    const struct packet_link *l = of_const(link);
    return l->epoll_fd >= 0 ? l->epoll_fd : l->fd;
}

static void packet_caps(const struct hf_link *link, struct hf_link_caps *caps)
{
    const struct packet_link *l = of_const(link);
    *caps = (struct hf_link_caps){.checksum = !l->plain,
                                  .super_bytes = l->plain ? 0 : PACKET_MAX_BYTES,
                                  .mtu_bytes = l->ether.netif.mtu_bytes};
}

static void packet_expire(struct hf_link *link)
{
    struct packet_link *l = of(link);
    hf_ns now = hf_host_now();
    hf_neighbours_expire(l->ether.neighbours, now);
    hf_ether_flush(&l->ether, send_frame, now);
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

static void packet_close(struct hf_link *link)
{
    struct packet_link *l = of(link);
    close_fd(l->epoll_fd);
    close_fd(l->messages_fd);
    close_fd(l->fd);
    hf_ether_close(&l->ether);
    free(l->assembly);
    free(l->pieces);
    free(l->messages);
    free(l->buffers);
    free(l);
}

static uint64_t packet_lost(struct hf_ether *e)
{
    struct packet_link *l = (struct packet_link *)e;
    const int fds[] = {l->fd, l->messages_fd}; /* the latter -1: EBADF */
    for (size_t i = 0; i < HF_COUNT_OF(fds); i++) {
        struct tpacket_stats s = {0}; /* since it was last asked for */
        socklen_t bytes = sizeof s;
        if (getsockopt(fds[i], SOL_PACKET, PACKET_STATISTICS, &s, &bytes) == 0)
            l->lost += s.tp_drops;
    }
    return l->lost;
}

static const struct hf_link_ops packet_ops = {
    .receive = packet_receive,
    .send = packet_send,
    .fd = packet_fd,
    .caps = packet_caps,
    .deadline = hf_ether_deadline,
    .expire = packet_expire,
    .close = packet_close,
};

/* ---- opening -------------------------------------------------------------------------------- */

static int set(int fd, int option, int value)
{
    return setsockopt(fd, SOL_PACKET, option, &value, sizeof value);
}

/* Wishes: who may not go beyond the system's limit takes that. */
static void set_room(int fd)
{
    const int bytes = ROOM_BYTES;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

/* Last of all it is bound: nothing comes before the filter is there. */
static int set_up(int fd, const struct hf_ether_config *cfg, enum hf_filter_part part, int index)
{
    struct sock_filter program[HF_PACKET_FILTER_MAX];
    const struct sock_fprog filter = {
        (unsigned short)hf_packet_filter(program, part, cfg->addrs, cfg->addr_count), program};
    const struct sockaddr_ll where = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = index};
    set_room(fd);
    if (set(fd, PACKET_VNET_HDR, 1) < 0 || set(fd, PACKET_IGNORE_OUTGOING, 1) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) < 0)
        return -1;
    return bind(fd, (const struct sockaddr *)&where, sizeof where);
}

static int open_socket(const struct hf_ether_config *cfg, enum hf_filter_part part, int index,
                       int *out, struct hf_why *why)
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && set_up(fd, cfg, part, index) == 0) {
        *out = fd;
        return HF_OK;
    }
    int e = errno;
    close_fd(fd);
    const char *hint = "see packet(7)";
    if (e == EPERM || e == EACCES)
        hint = "CAP_NET_RAW is needed in this network namespace: run as root";
    else if (e == ENOPROTOOPT || e == EAFNOSUPPORT)
        hint = "the kernel must have packet sockets, and be 4.20 or newer";
    return hf_why_set(why, hf_why_class(e), e, "packet socket on %s: %s (%s)", cfg->interface,
                      strerror(e), hint);
}

static int watch(int epoll_fd, int fd)
{
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
}

/* Joins the group, and gets the second socket. */
static int join_group(struct packet_link *l, const struct hf_packet_link_config *cfg,
                      struct hf_why *why)
{
    const char *name = cfg->ether.interface;
    int how = PACKET_FANOUT_HASH;
    if (set(l->fd, PACKET_FANOUT, cfg->fanout_group | how << 16) < 0)
        return hf_why_set(why, hf_why_class(errno), errno,
                          "join group %u of packet sockets on %s: %s (another program may use the "
                          "number: choose another)",
                          cfg->fanout_group, name, strerror(errno));
    int err =
        open_socket(&cfg->ether, HF_FILTER_MESSAGES, l->ether.netif.index, &l->messages_fd, why);
    if (err < 0)
        return err;
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (l->epoll_fd < 0 || watch(l->epoll_fd, l->fd) < 0 || watch(l->epoll_fd, l->messages_fd) < 0)
        return hf_why_set(why, hf_why_class(errno), errno, "watch %s: %s", name, strerror(errno));
    return HF_OK;
}

static int open_sockets(struct packet_link *l, const struct hf_packet_link_config *cfg,
                        struct hf_why *why)
{
    bool is_member = cfg->fanout_group != 0;
    int err = open_socket(&cfg->ether, is_member ? HF_FILTER_PACKETS : HF_FILTER_ALL,
                          l->ether.netif.index, &l->fd, why);
    return err == HF_OK && is_member ? join_group(l, cfg, why) : err;
}

int hf_link_packet_open(struct hf_link **out, const struct hf_packet_link_config *cfg,
                        struct hf_why *why)
{
    size_t batch = cfg->batch_packets ? cfg->batch_packets : BATCH_DEFAULT;
    if (batch > BATCH_MAX)
        return hf_why_set(why, HF_E_INVALID, 0, "batch of %zu packets: at most %d", batch,
                          BATCH_MAX);
    struct packet_link *l = calloc(1, sizeof *l);
    if (l == NULL)
        return hf_why_set(why, HF_E_MEMORY, ENOMEM, "%s: no memory", cfg->ether.interface);
    l->fd = l->messages_fd = l->epoll_fd = -1;
    int err = hf_ether_open(&l->ether, &cfg->ether,
                            cfg->fanout_group != 0 && cfg->fanout_member != 0, why);
    if (err < 0) {
        free(l);
        return err;
    }
    l->ether.link.ops = &packet_ops;
    l->ether.count_lost = packet_lost;
    l->batch = batch;
    l->plain = cfg->plain;
    l->buffers = malloc(batch * BUFFER_BYTES);
    l->messages = calloc(batch, sizeof *l->messages);
    l->pieces = calloc(batch, sizeof *l->pieces);
    if (l->buffers == NULL || l->messages == NULL || l->pieces == NULL)
        err = hf_why_set(why, HF_E_MEMORY, ENOMEM, "%s: no memory for %zu receive buffers",
                         cfg->ether.interface, batch);
    if (err == HF_OK)
        err = open_sockets(l, cfg, why);
    if (err < 0) {
        packet_close(&l->ether.link);
        return err;
    }
    hf_ether_flush(&l->ether, send_frame, hf_host_now()); /* our announcements */
    *out = &l->ether.link;
    return HF_OK;
}
