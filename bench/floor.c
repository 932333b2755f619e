/**
 * What a TUN device can carry at most: one connection with the kernel, by a TCP that checks nothing
 * and sends no data twice. For script/beside, which holds Handfast against it. Prints one JSON
 * object when it is over.
 *
 *     floor listen|connect TUN OWN-ADDRESS KERNEL-ADDRESS PORT SECONDS
 *
 * `listen` takes a connection from the kernel and acknowledges what comes; `connect` opens one to
 * the kernel and sends super-packets, as many as its window has room for. The time counts from the
 * SYN,ACK. Data that is lost would end it; on a TUN device whose queue is long enough none is.
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
#include "support/words.h"

enum {
    VNET_BYTES = 10,
    PACKET_BYTES = 65535,
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

struct floor {
    bool listens;
    const char *device;
    struct hf_addr own, kernel;
    uint16_t port;
    int64_t span_ns;
    int fd;
    struct hf_segment heard; /* the latest segment */
    uint32_t snd_nxt, rcv_nxt;
    uint8_t snd_shift;
    uint64_t bytes;
    int64_t began_ns;
};

static uint8_t packet_in[VNET_BYTES + PACKET_BYTES];
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
}

/** Reads a segment of the connection into `heard`; false: there is none. */
static bool read_segment(struct floor *f)
{
    for (;;) {
        ssize_t n = read(f->fd, packet_in, sizeof packet_in);
        if (n < 0 && errno == EAGAIN)
            return false;
        if (n < 0 && errno != EINTR)
            bench_fail("read");
        struct hf_ip ip;
        if (n <= VNET_BYTES ||
            hf_ip_parse(packet_in + VNET_BYTES, (size_t)n - VNET_BYTES, &ip) != HF_NONE ||
            ip.protocol != HF_IP_PROTO_TCP)
            continue;
        const uint8_t *tcp = packet_in + VNET_BYTES + ip.header_bytes;
        if (hf_tcp_parse(tcp, ip.payload_bytes, &f->heard) == HF_NONE)
            return true;
    }
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

/** Sends a segment with so many zeros. False: the device takes no more now. */
static bool write_segment(const struct floor *f, uint16_t flags, uint32_t payload_bytes)
{
    uint8_t header[HF_IP_EMIT_MAX_BYTES + HF_TCP_HEADER_MAX_BYTES];
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
    size_t ip_bytes = hf_ip_emit(&ip, header);
    hf_sum sum = hf_ip_pseudo_sum(&ip.source, &ip.destination, ip.protocol, ip.payload_bytes);
    hf_put16(tcp + CHECKSUM_AT, hf_sum_fold(sum)); /* the kernel adds the rest */
    memcpy(header + ip_bytes, tcp, tcp_bytes);
    struct virtio_net_hdr vnet = {
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .gso_type = payload_bytes > MSS ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_NONE,
        .hdr_len = (uint16_t)(ip_bytes + tcp_bytes),
        .gso_size = payload_bytes > MSS ? MSS : 0,
        .csum_start = (uint16_t)ip_bytes,
        .csum_offset = CHECKSUM_AT,
    };
    struct iovec iov[] = {
        {&vnet, VNET_BYTES}, {header, ip_bytes + tcp_bytes}, {zeros, payload_bytes}};
    if (writev(f->fd, iov, payload_bytes > 0 ? 3 : 2) >= 0)
        return true;
    if (errno != EAGAIN && errno != ENOBUFS)
        bench_fail("write");
    return false;
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
    (void)write_segment(f, HF_SYN | HF_ACK, 0);
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
            (void)write_segment(f, HF_ACK, 0);
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
        (void)write_segment(f, HF_SYN, 0);
        (void)await_segment(f, AGAIN_MS);
    }
    f->snd_nxt++;
    take_syn(f);
    (void)write_segment(f, HF_ACK, 0);
    uint32_t una = f->snd_nxt, window = f->heard.window; /* that of a SYN is not scaled */
    f->began_ns = bench_now_ns();
    while (bench_now_ns() - f->began_ns < f->span_ns) {
        take_acks(f, &una, &window);
        unsigned sent = 0;
        while (sent < BATCH && f->snd_nxt - una + sizeof zeros <= window &&
               write_segment(f, HF_ACK, sizeof zeros)) {
            f->snd_nxt += sizeof zeros;
            sent++;
        }
        if (sent == 0)
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
    struct floor f = {.snd_nxt = ISS};
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
    (void)write_segment(&f, HF_RST | HF_ACK, 0);
    printf("{\"bytes\":%" PRIu64 ",\"seconds\":%.6f}\n", f.bytes, seconds);
    return fflush(stdout) == 0 ? 0 : EXIT_FAILURE;
}
