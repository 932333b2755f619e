/**
 * What a TUN device can carry at most: one connection with the kernel, by a TCP that checks nothing
 * and sends no data twice. For script/beside, which holds Handfast against it. Prints one JSON
 * object when it is over.
 *
 *     floor listen|connect TUN OWN-ADDRESS KERNEL-ADDRESS PORT SECONDS
 *
 * `listen` takes a connection from the kernel and acknowledges what comes; `connect` opens one to
 * the kernel and sends super-packets, as many as its window has room for. Both read and write many
 * packets by one call where the kernel has io_uring. The time counts from the SYN,ACK. Data that is
 * lost would end it; on a TUN device whose queue is long enough none is.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/wire/ip.h"
#include "core/wire/tcp.h"
#include "host/uring.h"
#include "support/words.h"

enum {
    VNET_BYTES = 10,
    PACKET_BYTES = 65535,
    HEADERS_BYTES = 160, /* virtio-net, IP and TCP with all options: what is read of a packet */
    MSS = 1448,
    SUPER_SEGS = 44, /* of one packet */
    BATCH = 16,      /* packets between two looks in the other direction: each costs a call */
    FLIGHT_BYTES = 2 << 20, /* more than that leaves the processor's caches before it is taken */
    OWN_PORT = 5002,
    OWN_SCALE = 14,
    OWN_WINDOW = 65535,
    CHECKSUM_AT = 16,
    ISS = 1,
    WAIT_MS = 5000, /* for the kernel; and from SYN to SYN */
    AGAIN_MS = 50,
};

/** What waits to be written. */
struct out {
    struct virtio_net_hdr vnet;
    uint8_t header[HF_IP_EMIT_MAX_BYTES + HF_TCP_HEADER_MAX_BYTES];
    struct iovec iov[3];
};

struct floor {
    bool listens;
    const char *device;
    struct hf_addr own, kernel;
    uint16_t port;
    int64_t span_ns;
    int fd;
    struct hf_uring *uring; /* NULL: a call for each packet */
    uint8_t in[BATCH][HEADERS_BYTES];
    struct iovec in_iov[BATCH][2];
    struct hf_transfer reads[BATCH];
    unsigned expected;        /* so many are likely to be there */
    unsigned read, looked_at; /* so many were asked for, and of them so many looked at */
    struct out out[BATCH];
    struct hf_transfer writes[BATCH];
    unsigned waiting;        /* of out */
    struct hf_segment heard; /* the latest segment */
    uint32_t snd_nxt, rcv_nxt;
    uint8_t snd_shift;
    uint64_t bytes;
    int64_t began_ns;
};

/* Of all packets the rest goes here: nobody looks at it. */
static uint8_t payload_in[PACKET_BYTES];
static uint8_t zeros[SUPER_SEGS * MSS];

/* ---- the device ----------------------------------------------------------------------------- */

static void open_device(struct floor *f)
{
    struct ifreq ifr = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
    f->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (f->fd < 0)
        bench_fail("/dev/net/tun");
    (void)snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", f->device);
    if (ioctl(f->fd, TUNSETIFF, &ifr) < 0)
        bench_fail(f->device);
    if (ioctl(f->fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4) < 0)
        bench_fail("TUNSETOFFLOAD");
    if (hf_uring_suits(f->fd))
        f->uring = hf_uring_open(BATCH);
}

/** Does n transfers; how many the kernel looked at. */
static unsigned transfer(const struct floor *f, enum hf_transfer_kind kind, struct hf_transfer *t,
                         unsigned n)
{
    if (f->uring != NULL)
        return hf_uring_run(f->uring, f->fd, kind, t, n);
    ssize_t done =
        kind == HF_TRANSFER_READ ? readv(f->fd, t->iov, t->count) : writev(f->fd, t->iov, t->count);
    t->result = done < 0 ? -errno : (int)done;
    return 1;
}

/** Reads what is expected, and one more: the call that finds nothing is the same. False: there was
 *  nothing. */
static bool read_some(struct floor *f)
{
    unsigned n = f->expected + 1 < BATCH ? f->expected + 1 : BATCH, got = 0;
    for (unsigned i = 0; i < n; i++) {
        f->in_iov[i][0] = (struct iovec){f->in[i], HEADERS_BYTES};
        f->in_iov[i][1] = (struct iovec){payload_in, PACKET_BYTES};
        f->reads[i] = (struct hf_transfer){f->in_iov[i], 2, 0};
    }
    f->looked_at = 0;
    f->read = transfer(f, HF_TRANSFER_READ, f->reads, n);
    for (unsigned i = 0; i < f->read; i++)
        got += f->reads[i].result != -EAGAIN;
    f->expected = got == n ? 2 * n : got;
    return got > 0;
}

/** The segment in the packet that was read; false: there is none, or it is none of ours. */
static bool understand(struct floor *f, const uint8_t *packet, int n)
{
    struct hf_ip ip;
    if (n <= VNET_BYTES ||
        hf_ip_parse(packet + VNET_BYTES, (size_t)n - VNET_BYTES, &ip) != HF_NONE ||
        ip.protocol != HF_IP_PROTO_TCP)
        return false;
    return hf_tcp_parse(packet + VNET_BYTES + ip.header_bytes, ip.payload_bytes, &f->heard) ==
           HF_NONE;
}

/** Takes a segment of the connection from what was read; false: there is none left. */
static bool take_read(struct floor *f)
{
    while (f->looked_at < f->read) {
        unsigned i = f->looked_at++;
        int n = f->reads[i].result;
        if (n < 0 && n != -EAGAIN && n != -EINTR) {
            errno = -n;
            bench_fail("read");
        }
        if (understand(f, f->in[i], n))
            return true;
    }
    return false;
}

/** Reads a segment of the connection into `heard`; false: there is none. */
static bool read_segment(struct floor *f)
{
    while (!take_read(f))
        if (!read_some(f))
            return false;
    return true;
}

/** Waits for one; false: the time is over. */
static bool await_segment(struct floor *f, int wait_ms)
{
    while (!read_segment(f)) {
        struct pollfd p = {f->fd, POLLIN, 0};
        int ready = poll(&p, 1, wait_ms);
        if (ready == 0)
            return false;
        if (ready < 0 && errno != EINTR)
            bench_fail("poll");
    }
    return true;
}

static _Noreturn void give_up(void)
{
    errno = ETIMEDOUT;
    bench_fail("waiting for the kernel");
}

/** Makes a segment of so many zeros, to be written with others. */
static void put_segment(struct floor *f, uint16_t flags, uint32_t payload_bytes)
{
    struct out *o = &f->out[f->waiting];
    bool is_syn = (flags & HF_SYN) != 0;
    struct hf_segment seg = {
        .source_port = f->listens ? f->port : OWN_PORT,
        .destination_port = f->listens ? f->heard.source_port : f->port,
        .seq = f->snd_nxt,
        .ack = f->rcv_nxt,
        .flags = flags,
        .window = OWN_WINDOW,
        .payload_bytes = payload_bytes,
        .has_mss = is_syn,
        .mss_bytes = MSS,
        .has_wscale = is_syn,
        .wscale = OWN_SCALE,
    };
    uint8_t tcp[HF_TCP_HEADER_MAX_BYTES];
    size_t tcp_bytes = hf_tcp_emit(&seg, HF_LAYOUT_OWN, tcp);
    struct hf_ip ip = {
        .source = f->own,
        .destination = f->kernel,
        .version = 4,
        .protocol = HF_IP_PROTO_TCP,
        .ttl = 64,
        .dont_fragment = true,
        .payload_bytes = (uint32_t)tcp_bytes + payload_bytes,
    };
    size_t ip_bytes = hf_ip_emit(&ip, o->header);
    hf_sum sum = hf_ip_pseudo_sum(&ip.source, &ip.destination, ip.protocol, ip.payload_bytes);
    hf_put16(tcp + CHECKSUM_AT, hf_sum_fold(sum)); /* the kernel adds the rest */
    memcpy(o->header + ip_bytes, tcp, tcp_bytes);
    o->vnet = (struct virtio_net_hdr){
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .gso_type = payload_bytes > MSS ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_NONE,
        .hdr_len = (uint16_t)(ip_bytes + tcp_bytes),
        .gso_size = payload_bytes > MSS ? MSS : 0,
        .csum_start = (uint16_t)ip_bytes,
        .csum_offset = CHECKSUM_AT,
    };
    o->iov[0] = (struct iovec){&o->vnet, VNET_BYTES};
    o->iov[1] = (struct iovec){o->header, ip_bytes + tcp_bytes};
    o->iov[2] = (struct iovec){zeros, payload_bytes};
    f->writes[f->waiting++] = (struct hf_transfer){o->iov, payload_bytes > 0 ? 3 : 2, 0};
}

/** Writes what waits; how many segments the device took. */
static unsigned write_waiting(struct floor *f)
{
    unsigned n = f->waiting, done = 0, taken = 0;
    while (done < n) {
        unsigned more = transfer(f, HF_TRANSFER_WRITE, &f->writes[done], n - done);
        if (more == 0)
            bench_fail("write");
        for (; more > 0; more--, done++) {
            int result = f->writes[done].result;
            taken += result >= 0;
            if (result >= 0 || result == -EAGAIN || result == -ENOBUFS)
                continue;
            errno = -result;
            bench_fail("write");
        }
    }
    f->waiting = 0;
    return taken;
}

static void write_segment(struct floor *f, uint16_t flags)
{
    put_segment(f, flags, 0);
    (void)write_waiting(f);
}

/* ---- the connection ------------------------------------------------------------------------- */

static void take_syn(struct floor *f)
{
    f->rcv_nxt = f->heard.seq + 1;
    f->snd_shift = f->heard.has_wscale ? f->heard.wscale : 0;
}

/* The kernel may take a while to come: whoever has started this starts that too. */
static void listen_and_take(struct floor *f)
{
    do
        if (!await_segment(f, WAIT_MS))
            give_up();
    while ((f->heard.flags & HF_SYN) == 0 || f->heard.destination_port != f->port);
    take_syn(f);
    write_segment(f, HF_SYN | HF_ACK);
    f->snd_nxt++;
    f->began_ns = bench_now_ns();
    while (bench_now_ns() - f->began_ns < f->span_ns) {
        bool any = false;
        for (unsigned i = 0; i < BATCH && read_segment(f); i++) {
            uint32_t n = f->heard.seq == f->rcv_nxt ? f->heard.payload_bytes : 0;
            f->rcv_nxt += n;
            f->bytes += n;
            any |= f->heard.payload_bytes > 0;
        }
        if (any)
            write_segment(f, HF_ACK);
        else
            (void)poll(&(struct pollfd){f->fd, POLLIN, 0}, 1, 1);
    }
}

static uint32_t window_now(const struct floor *f)
{
    uint32_t window = (uint32_t)f->heard.window << f->snd_shift;
    return window < FLIGHT_BYTES ? window : FLIGHT_BYTES;
}

static void take_acks(struct floor *f, uint32_t *una, uint32_t *window)
{
    while (read_segment(f)) {
        if ((f->heard.flags & HF_SYN) != 0)
            continue; /* of a SYN that was sent again */
        f->bytes += f->heard.ack - *una;
        *una = f->heard.ack;
        *window = window_now(f);
    }
}

static void connect_and_send(struct floor *f)
{
    /* A device that has just been opened may take some time to carry packets both ways. */
    f->heard.flags = 0;
    for (int tries = 0; (f->heard.flags & (HF_SYN | HF_ACK)) != (HF_SYN | HF_ACK); tries++) {
        if (tries == WAIT_MS / AGAIN_MS)
            give_up();
        write_segment(f, HF_SYN);
        (void)await_segment(f, AGAIN_MS);
    }
    f->snd_nxt++;
    take_syn(f);
    write_segment(f, HF_ACK);
    uint32_t una = f->snd_nxt, window = f->heard.window; /* that of a SYN is not scaled */
    f->began_ns = bench_now_ns();
    while (bench_now_ns() - f->began_ns < f->span_ns) {
        take_acks(f, &una, &window);
        uint32_t first = f->snd_nxt;
        while (f->waiting < BATCH && f->snd_nxt - una + sizeof zeros <= window) {
            put_segment(f, HF_ACK, sizeof zeros);
            f->snd_nxt += sizeof zeros;
        }
        /* What it has no room for is the last of them. */
        f->snd_nxt = first + write_waiting(f) * (uint32_t)sizeof zeros;
        if (f->snd_nxt == first)
            (void)poll(&(struct pollfd){f->fd, POLLIN, 0}, 1, 1);
    }
}

/* ---- the command line ----------------------------------------------------------------------- */

static struct hf_addr address_of(const struct sockaddr_in *a)
{
    uint8_t o[4];
    memcpy(o, &a->sin_addr, sizeof o);
    return hf_addr_v4(o[0], o[1], o[2], o[3]);
}

static bool read_words(struct floor *f, int argc, char **argv)
{
    struct sockaddr_in own, kernel;
    uint32_t one;
    if (argc != 7 || (strcmp(argv[1], "listen") != 0 && strcmp(argv[1], "connect") != 0) ||
        !bench_read_ports(argv[3], "1", "1", &own, &one) ||
        !bench_read_ports(argv[4], argv[5], "1", &kernel, &one) ||
        !bench_read_seconds(argv[6], &f->span_ns))
        return false;
    f->listens = argv[1][0] == 'l';
    f->device = argv[2];
    f->own = address_of(&own);
    f->kernel = address_of(&kernel);
    f->port = ntohs(kernel.sin_port);
    return true;
}

int main(int argc, char **argv)
{
    static struct floor f = {.snd_nxt = ISS};
    if (!read_words(&f, argc, argv))
        bench_usage("listen|connect TUN OWN-ADDRESS KERNEL-ADDRESS PORT SECONDS");
    open_device(&f);
    if (f.listens) {
        (void)puts("ready");
        (void)fflush(stdout);
        listen_and_take(&f);
    } else {
        connect_and_send(&f);
    }
    double seconds = bench_seconds_since(f.began_ns);
    write_segment(&f, HF_RST | HF_ACK);
    printf("{\"bytes\":%" PRIu64 ",\"seconds\":%.6f}\n", f.bytes, seconds);
    return fflush(stdout) == 0 ? 0 : EXIT_FAILURE;
}
