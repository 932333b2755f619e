/**
 * The TUN link against the kernel, in a network namespace of its own: what the kernel sends is read
 * with the right facts, what we send is taken, super-packets both ways. Needs root and
 * /dev/net/tun; without them it is skipped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <handfast/host.h>

#include "host/uring.h"
#include "segments.h"
#include "tun_bench.h"

enum { WAIT_MS = 5000, DATA_BYTES = 20000, IP_PROTO_UDP = 17 };

/* All runs twice: many packets by a system call, where the kernel has io_uring, and one. */
static bool one_by_one;

/* ---- the bench: an interface that is up, the kernel at .1, we are everybody else ------------ */

static struct hf_link *open_bench(bool plain)
{
    const struct hf_tun_config cfg = {
        .name = "hf0", .plain = plain, .batch_packets = 8, .one_by_one = one_by_one};
    struct hf_link *l = open_tun(&cfg);
    struct hf_why why = {.text = ""};
    struct hf_addr a = addr_of("10.9.0.1"), far = addr_of("10.8.7.6");
    assert_string_equal("hf0", hf_link_tun_name(l));
    must(hf_netif_up("hf0", &why), &why);
    must(hf_netif_add_address("hf0", &a, 24, &why), &why);
    must(hf_netif_add_route("hf0", &far, 16, &why), &why);
    must(hf_netif_add_route("hf0", &far, 16, &why), &why); /* once more: no failure */
    if (!has_v6)
        return l;
    a = addr_of("fd09::1");
    far = addr_of("fd08::77");
    must(hf_netif_add_address("hf0", &a, 64, &why), &why);
    must(hf_netif_add_route("hf0", &far, 61, &why), &why);
    return l;
}

/* Reads until a packet of this protocol comes; the kernel says other things too. Copies it. */
static bool await_packet(struct hf_link *l, uint8_t protocol, struct hf_packet *p, uint8_t *bytes,
                         struct hf_ip *ip)
{
    for (int rounds = 0; rounds < 1000; rounds++) {
        struct hf_packet one;
        int n = hf_link_receive(l, &one, 1);
        assert_true(n >= 0);
        if (n == 0) {
            struct pollfd poller = {.fd = hf_link_fd(l), .events = POLLIN};
            if (poll(&poller, 1, WAIT_MS) <= 0)
                return false;
            continue;
        }
        if (hf_ip_parse(one.bytes, one.length_bytes, ip) != HF_NONE || ip->protocol != protocol)
            continue;
        memcpy(bytes, one.bytes, one.length_bytes);
        *p = one;
        p->bytes = bytes;
        return true;
    }
    return false;
}

static socklen_t sockaddr_of(const struct hf_endpoint *e, struct sockaddr_storage *to)
{
    memset(to, 0, sizeof *to);
    if (hf_addr_is_v4(&e->addr)) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(e->port)};
        memcpy(&in.sin_addr, e->addr.octets + 12, 4);
        memcpy(to, &in, sizeof in);
        return sizeof in;
    }
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(e->port)};
    memcpy(&in6.sin6_addr, e->addr.octets, 16);
    memcpy(to, &in6, sizeof in6);
    return sizeof in6;
}

/* ---- the kernel sends ----------------------------------------------------------------------- */

static void udp_comes_in(struct hf_link *l, const char *to, bool partial)
{
    static uint8_t bytes[65536];
    const struct hf_endpoint remote = {addr_of(to), 4321};
    struct sockaddr_storage sa;
    socklen_t sa_bytes = sockaddr_of(&remote, &sa);
    int s = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(s >= 0);
    assert_int_equal(5, sendto(s, "hello", 5, 0, (struct sockaddr *)&sa, sa_bytes));
    close(s);
    struct hf_packet p;
    struct hf_ip ip;
    assert_true(await_packet(l, IP_PROTO_UDP, &p, bytes, &ip));
    assert_int_equal(8 + 5, ip.payload_bytes);
    assert_true(hf_addr_equal(&remote.addr, &ip.destination));
    assert_memory_equal("hello", bytes + ip.header_bytes + 8, 5);
    assert_int_equal(0, p.segment_bytes);
    assert_int_equal(partial ? HF_PACKET_CSUM_PARTIAL : 0, p.flags & HF_PACKET_CSUM_PARTIAL);
    if (!partial) {
        assert_true(segment_sum_is_right(bytes, &ip));
        return;
    }
    hf_sum sum = hf_ip_pseudo_sum(&ip.source, &ip.destination, ip.protocol, ip.payload_bytes);
    assert_int_equal(hf_sum_fold(sum), hf_get16(bytes + ip.header_bytes + 6));
}

static void datagrams_of_the_kernel_come_in(void **state)
{
    (void)state;
    for (int plain = 0; plain < 2; plain++) {
        struct hf_link *l = open_bench(plain);
        udp_comes_in(l, "10.9.0.2", !plain);
        udp_comes_in(l, "10.8.200.1", !plain); /* by the route */
        if (has_v6) {
            udp_comes_in(l, "fd09::2", !plain);
            udp_comes_in(l, "fd08:0:0:7::1", !plain);
        }
        struct hf_link_stats stats;
        hf_link_stats(l, &stats);
        assert_true(stats.packets_in >= 2 && stats.bytes_in >= 66);
        assert_int_equal(0, stats.in_malformed);
        hf_link_close(l);
        assert_int_equal(0, if_nametoindex("hf0"));
    }
}

/* ---- a connection of the kernel, answered by hand ------------------------------------------- */

struct talk {
    struct hf_link *link;
    int socket;
    struct way way; /* from us to the kernel */
    uint32_t snd_nxt, rcv_nxt;
    uint8_t bytes[70000];
    struct hf_packet packet; /* the last that came in */
    struct hf_segment seg;
    struct hf_ip ip;
};

static void await_segment(struct talk *t)
{
    assert_true(await_packet(t->link, HF_IP_PROTO_TCP, &t->packet, t->bytes, &t->ip));
    assert_true(segment_read(t->bytes, t->packet.length_bytes, &t->ip, &t->seg));
    assert_int_equal(HF_PACKET_CSUM_PARTIAL, t->packet.flags & HF_PACKET_CSUM_PARTIAL);
}

/* Sends one (super-)segment of n bytes, its payload cut into slices of slice_bytes. */
static void talk_send(struct talk *t, uint16_t flags, const uint8_t *payload, size_t n,
                      size_t slice_bytes, uint16_t segment_bytes)
{
    static uint8_t bytes[70000];
    static struct hf_slice slices[4000];
    struct hf_segment seg = {.flags = flags,
                             .seq = t->snd_nxt,
                             .ack = t->rcv_nxt,
                             .window = 65535,
                             .has_mss = flags & HF_SYN,
                             .mss_bytes = 1000,
                             .payload_bytes = (uint32_t)n};
    size_t header, length = segment_make(&t->way, seg, payload, true, bytes, &header), count = 0;
    for (size_t at = header; at < length; at += slice_bytes)
        slices[count++] = (struct hf_slice){bytes + at, hf_min_size(slice_bytes, length - at)};
    const struct hf_out_packet p = {.header = bytes,
                                    .header_bytes = (uint16_t)header,
                                    .ip_bytes = hf_addr_is_v4(&t->way.from.addr) ? 20 : 40,
                                    .segment_bytes = segment_bytes,
                                    .flags = HF_PACKET_CSUM_PARTIAL,
                                    .checksum_offset = 16,
                                    .slice_count = (uint16_t)count,
                                    .slices = slices,
                                    .length_bytes = (uint32_t)length};
    assert_int_equal(1, hf_link_send(t->link, &p, 1));
    t->snd_nxt += (uint32_t)n + ((flags & HF_SYN) != 0);
}

/* The kernel connects to us; the SYN comes in, and our SYN,ACK is taken. */
static struct talk *open_talk(const char *to)
{
    struct talk *t = calloc(1, sizeof *t);
    assert_non_null(t);
    t->link = open_bench(false);
    t->way.from = (struct hf_endpoint){addr_of(to), 7777};
    t->snd_nxt = 4294967000u; /* the numbers wrap during the test */
    struct sockaddr_storage sa;
    socklen_t sa_bytes = sockaddr_of(&t->way.from, &sa);
    t->socket = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(t->socket >= 0);
    assert_int_equal(-1, connect(t->socket, (struct sockaddr *)&sa, sa_bytes));
    assert_int_equal(EINPROGRESS, errno);
    await_segment(t);
    assert_int_equal(HF_SYN, t->seg.flags & (HF_SYN | HF_ACK | HF_RST | HF_FIN));
    assert_int_equal(7777, t->seg.destination_port);
    assert_int_equal(hf_addr_is_v4(&t->way.from.addr) ? 1460 : 1440, t->seg.mss_bytes);
    assert_int_equal(0, t->packet.segment_bytes);
    t->way.to = (struct hf_endpoint){t->ip.source, t->seg.source_port};
    t->rcv_nxt = t->seg.seq + 1;
    talk_send(t, HF_SYN | HF_ACK, NULL, 0, 1, 0);
    struct pollfd poller = {.fd = t->socket, .events = POLLOUT};
    int error = -1;
    socklen_t error_bytes = sizeof error;
    assert_int_equal(1, poll(&poller, 1, WAIT_MS));
    assert_int_equal(0, getsockopt(t->socket, SOL_SOCKET, SO_ERROR, &error, &error_bytes));
    assert_int_equal(0, error);
    return t;
}

static void close_talk(struct talk *t)
{
    talk_send(t, HF_RST | HF_ACK, NULL, 0, 1, 0);
    close(t->socket);
    hf_link_close(t->link);
    free(t);
}

static uint8_t data_at(size_t i)
{
    return (uint8_t)(i * 7 + (i >> 8));
}

/* The kernel sends 20,000 bytes: they arrive as super-packets of segments of our MSS. */
static void kernel_sends_super_packets(struct talk *t)
{
    static uint8_t data[DATA_BYTES];
    size_t got = 0;
    bool super = false;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = data_at(i);
    assert_int_equal(DATA_BYTES, send(t->socket, data, sizeof data, 0));
    while (got < DATA_BYTES) {
        await_segment(t);
        if (t->seg.payload_bytes == 0)
            continue;
        assert_int_equal(t->rcv_nxt, t->seg.seq);
        const uint8_t *payload = t->bytes + t->ip.header_bytes + t->seg.header_bytes;
        assert_true(t->seg.payload_bytes <= DATA_BYTES - got);
        assert_memory_equal(data + got, payload, t->seg.payload_bytes);
        if (t->seg.payload_bytes > 1000)
            assert_int_equal(1000, t->packet.segment_bytes);
        super = super || t->packet.segment_bytes;
        got += t->seg.payload_bytes;
        t->rcv_nxt += t->seg.payload_bytes;
        talk_send(t, HF_ACK, NULL, 0, 1, 0);
    }
    assert_true(super);
}

/* We send a super-packet of 20,000 bytes: the kernel's socket gives exactly these. */
static void kernel_takes_super_packets(struct talk *t, size_t slice_bytes)
{
    static uint8_t data[DATA_BYTES], got[DATA_BYTES + 1];
    size_t have = 0;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = data_at(i + slice_bytes);
    talk_send(t, HF_ACK | HF_PSH, data, sizeof data, slice_bytes, 1000);
    while (have < DATA_BYTES) {
        struct pollfd poller = {.fd = t->socket, .events = POLLIN};
        assert_int_equal(1, poll(&poller, 1, WAIT_MS));
        ssize_t n = recv(t->socket, got + have, sizeof got - have, 0);
        assert_true(n > 0);
        have += (size_t)n;
    }
    assert_int_equal(DATA_BYTES, have);
    assert_memory_equal(data, got, DATA_BYTES);
}

static void whole_talk(const char *to)
{
    struct talk *t = open_talk(to);
    kernel_sends_super_packets(t);
    kernel_takes_super_packets(t, 4096);
    kernel_takes_super_packets(t, 7); /* more pieces than one writev takes */
    struct hf_link_stats stats;
    hf_link_stats(t->link, &stats);
    assert_int_equal(0, stats.out_refused);
    assert_int_equal(0, stats.last_errno);
    close_talk(t);
}

static void a_connection_of_the_kernel_over_v4(void **state)
{
    (void)state;
    whole_talk("10.9.0.2");
}

static void a_connection_of_the_kernel_over_v6(void **state)
{
    (void)state;
    if (has_v6)
        whole_talk("fd09::2");
    else
        skip();
}

static void what_the_kernel_refuses_is_counted(void **state)
{
    (void)state;
    struct hf_link *l = open_bench(false);
    uint8_t junk[100] = {0x15};
    /* Neither IPv4 nor IPv6; a super-packet whose checksum nobody would fill in; a good one. */
    uint8_t good[100];
    const struct way w = {{addr_of("10.9.0.2"), 1}, {addr_of("10.9.0.1"), 2}};
    size_t header,
        n = segment_make(&w, (struct hf_segment){.flags = HF_RST}, NULL, false, good, &header);
    const struct hf_out_packet p[] = {
        {.header = junk, .header_bytes = 100, .length_bytes = 100},
        {.header = good,
         .header_bytes = 40,
         .ip_bytes = 20,
         .segment_bytes = 500,
         .length_bytes = 40},
        {.header = good, .header_bytes = (uint16_t)n, .ip_bytes = 20, .length_bytes = (uint32_t)n},
    };
    struct hf_link_stats stats;
    assert_int_equal(3, hf_link_send(l, p, 3));
    hf_link_stats(l, &stats);
    assert_int_equal(2, stats.out_refused);
    assert_int_equal(EINVAL, stats.last_errno);
    assert_int_equal(0, stats.out_busy);
    hf_link_close(l);
}

static bool may_have_uring(void)
{
    struct io_uring_params params = {0};
    long fd = syscall(SYS_io_uring_setup, 2, &params);
    if (fd >= 0)
        close((int)fd);
    return fd >= 0;
}

/* What is refused or asks for a place of its own stands among what is not: all that can leave does,
 * in order. */
static void a_batch_goes_out_in_order(void **state)
{
    (void)state;
    enum { COUNT = 100, PIECES = 300 };
    struct hf_link *l = open_bench(false);
    assert_int_equal(hf_link_tun_is_batched(l),
                     !one_by_one && may_have_uring() && hf_uring_suits(hf_link_fd(l)));
    const struct hf_endpoint own = {addr_of("10.9.0.1"), 7}, far = {addr_of("10.9.0.2"), 9};
    struct sockaddr_storage sa;
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s, (struct sockaddr *)&sa, sockaddr_of(&own, &sa)), 0);
    static uint8_t bytes[COUNT][28];
    static struct hf_out_packet packets[COUNT];
    static struct hf_slice slices[PIECES];
    for (unsigned i = 0; i < COUNT; i++) {
        const struct hf_ip ip = {.version = 4,
                                 .protocol = IP_PROTO_UDP,
                                 .ttl = 64,
                                 .source = far.addr,
                                 .destination = own.addr,
                                 .payload_bytes = 8 + (i == 50 ? PIECES : 1)};
        hf_ip_emit(&ip, bytes[i]);
        hf_put16(bytes[i] + 20, far.port);
        hf_put16(bytes[i] + 22, own.port);
        hf_put16(bytes[i] + 24, (uint16_t)ip.payload_bytes); /* and no checksum */
        slices[i] = (struct hf_slice){(const uint8_t *)&"0123456789"[i % 10], 1};
        packets[i] = (struct hf_out_packet){.header = bytes[i],
                                            .header_bytes = 28,
                                            .ip_bytes = 20,
                                            .slices = &slices[i],
                                            .slice_count = 1,
                                            .length_bytes = 29};
    }
    bytes[33][0] = 0x15; /* no IP */
    packets[64].segment_bytes = 500;
    for (unsigned i = 0; i < PIECES; i++)
        slices[i] = slices[i % 10];
    packets[50].slice_count = PIECES;
    packets[50].slices = slices;
    packets[50].length_bytes = 28 + PIECES;
    assert_int_equal(hf_link_send(l, packets, COUNT), COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        uint8_t got[1000];
        if (i == 33 || i == 64)
            continue;
        assert_int_equal(recv(s, got, sizeof got, MSG_DONTWAIT), i == 50 ? PIECES : 1);
        assert_int_equal(got[0], i == 50 ? '0' : "0123456789"[i % 10]);
    }
    struct hf_link_stats stats;
    hf_link_stats(l, &stats);
    assert_int_equal(stats.out_refused, 2);
    close(s);
    hf_link_close(l);
}

/* The kernel sends datagrams of one byte, which counts from `first`. */
static void send_numbers(uint8_t first, uint8_t count)
{
    const struct hf_endpoint remote = {addr_of("10.9.0.2"), 9};
    struct sockaddr_storage sa;
    socklen_t sa_bytes = sockaddr_of(&remote, &sa);
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    for (uint8_t i = first; i < first + count; i++)
        assert_int_equal(1, sendto(s, &i, 1, 0, (struct sockaddr *)&sa, sa_bytes));
    close(s);
}

/* Receives the next of them, while the descriptor says that there is something; how many packets of
 * any kind the link gave, the most it may give being 8, as many as there are buffers. */
static int receive_numbers(struct hf_link *l, uint8_t *next)
{
    struct hf_packet got[16];
    struct hf_ip ip;
    struct pollfd poller = {.fd = hf_link_fd(l), .events = POLLIN};
    assert_int_equal(1, poll(&poller, 1, WAIT_MS));
    int n = hf_link_receive(l, got, 16);
    assert_in_range(n, 1, 8);
    for (int i = 0; i < n; i++)
        if (hf_ip_parse(got[i].bytes, got[i].length_bytes, &ip) == HF_NONE &&
            ip.protocol == IP_PROTO_UDP) {
            assert_int_equal(*next, got[i].bytes[ip.header_bytes + 8]);
            (*next)++;
        }
    return n;
}

static void batches_keep_every_packet(void **state)
{
    (void)state;
    struct hf_link *l = open_bench(false);
    uint8_t next = 0;
    send_numbers(0, 20);
    while (next < 20)
        (void)receive_numbers(l, &next);
    hf_link_close(l);
}

static void many_after_packets_that_came_alone_come_in_batches_again(void **state)
{
    (void)state;
    struct hf_link *l = open_bench(false);
    uint8_t next = 0;
    int most = 0;
    for (uint8_t i = 0; i < 20; i++) {
        send_numbers(i, 1);
        while (next <= i)
            (void)receive_numbers(l, &next);
    }
    send_numbers(20, 40);
    while (next < 60) {
        int n = receive_numbers(l, &next);
        most = n > most ? n : most;
    }
    assert_int_equal(8, most);
    hf_link_close(l);
}

/* Both have the descriptor, and only one of them the rings. */
static void a_child_of_a_fork_reads_and_writes_too(void **state)
{
    (void)state;
    struct hf_link *l = open_bench(false);
    uint8_t next = 0;
    send_numbers(0, 40);
    while (next < 10)
        (void)receive_numbers(l, &next);
    pid_t child = fork();
    if (child == 0) {
        (void)alarm(10);
        while (next < 25)
            (void)receive_numbers(l, &next);
        bool batched = hf_link_tun_is_batched(l);
        hf_link_close(l);
        _exit(batched ? 0 : next);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_in_range(WEXITSTATUS(status), 25, 32); /* what it read, and not by rings */
    next = (uint8_t)WEXITSTATUS(status);
    while (next < 40)
        (void)receive_numbers(l, &next);
    hf_link_close(l);
}

/* ---- settings ------------------------------------------------------------------------------- */

static void caps_tell_what_was_asked_for(void **state)
{
    (void)state;
    struct hf_link_caps caps;
    const struct hf_tun_config cfg = {.name = "hf%d", .mtu_bytes = 1400};
    struct hf_link *l = open_tun(&cfg);
    assert_true(if_nametoindex(hf_link_tun_name(l)) > 0);
    assert_string_equal("hf0", hf_link_tun_name(l));
    hf_link_caps(l, &caps);
    assert_true(caps.checksum);
    assert_int_equal(65535, caps.super_bytes);
    assert_int_equal(1400, caps.mtu_bytes);
    hf_link_close(l);
    const struct hf_tun_config plain = {.plain = true};
    l = open_tun(&plain);
    hf_link_caps(l, &caps);
    assert_false(caps.checksum);
    assert_int_equal(0, caps.super_bytes);
    assert_int_equal(1500, caps.mtu_bytes);
    hf_link_close(l);
}

static int queue_packets_of(const char *name)
{
    struct ifreq req = {0};
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    memcpy(req.ifr_name, name, strlen(name));
    assert_int_equal(0, ioctl(s, SIOCGIFTXQLEN, &req));
    close(s);
    return req.ifr_qlen;
}

/* The kernel's default is 500, which some hundred connections overflow. */
static void many_packets_may_wait(void **state)
{
    (void)state;
    struct hf_why why = {.text = ""};
    const struct hf_tun_config cfg = {.name = "hf0"};
    struct hf_link *l = open_tun(&cfg);
    assert_int_equal(5000, queue_packets_of("hf0"));
    assert_int_equal(HF_OK, hf_netif_set_queue("hf0", 300, &why));
    assert_int_equal(300, queue_packets_of("hf0"));
    assert_int_equal(HF_E_INVALID, hf_netif_set_queue("hf0", 0, &why));
    assert_string_equal("queue of hf0: must be 1 to 2147483647 packets", why.text);
    assert_int_equal(HF_E_DEVICE, hf_netif_set_queue("hf9", 300, &why));
    hf_link_close(l);
}

static void a_second_descriptor_keeps_the_interface(void **state)
{
    (void)state;
    const struct hf_tun_config cfg = {.name = "hf0"};
    struct hf_link *l = open_tun(&cfg), *again;
    struct hf_packet p;
    int fd = fcntl(hf_link_fd(l), F_DUPFD_CLOEXEC, 3);
    assert_true(fd >= 0);
    assert_int_equal(0, hf_link_receive(l, &p, 1));
    struct hf_tun_config adopted = {.mtu_bytes = 1234};
    struct hf_link_caps caps;
    assert_int_equal(HF_OK, hf_link_tun_from_fd(&again, fd, &adopted, NULL));
    assert_string_equal("hf0", hf_link_tun_name(again));
    hf_link_caps(again, &caps);
    assert_int_equal(1234, caps.mtu_bytes);
    hf_link_close(l);
    assert_true(if_nametoindex("hf0") > 0); /* the second descriptor keeps it */
    hf_link_close(again);
    assert_int_equal(0, if_nametoindex("hf0"));
}

static void delete_interface(const char *name)
{
    struct {
        struct nlmsghdr head;
        struct ifinfomsg info;
    } m = {.head = {.nlmsg_len = sizeof m,
                    .nlmsg_type = RTM_DELLINK,
                    .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
           .info = {.ifi_index = (int)if_nametoindex(name)}};
    struct {
        struct nlmsghdr head;
        struct nlmsgerr error;
        char more[256];
    } answer;
    int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    assert_true(s >= 0);
    assert_int_equal(sizeof m, send(s, &m, sizeof m, 0));
    assert_true(recv(s, &answer, sizeof answer, 0) > 0);
    assert_int_equal(0, answer.error.error);
    close(s);
}

static void a_removed_interface_is_an_error(void **state)
{
    (void)state;
    struct hf_link *l = open_bench(false);
    struct hf_packet p[8];
    struct hf_link_stats stats;
    int n = 0;
    delete_interface("hf0");
    for (int i = 0; i < 10 && n >= 0; i++)
        n = hf_link_receive(l, p, 8);
    assert_int_equal(HF_E_DEVICE, n);
    hf_link_stats(l, &stats);
    assert_int_equal(EBADFD, stats.last_errno);

    /* A loop over it ends, and says why. */
    struct hf_loop *loop;
    struct hf_why why = {.text = ""};
    const struct hf_loop_config cfg = {.link = l};
    assert_int_equal(HF_OK, hf_loop_new(&loop, &cfg, &why));
    assert_int_equal(HF_E_DEVICE, hf_loop_run(loop, &why));
    assert_non_null(strstr(why.text, "the link failed: "));
    hf_loop_free(loop);
    hf_link_close(l);
}

/* ---- main ----------------------------------------------------------------------------------- */

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagrams_of_the_kernel_come_in),
        cmocka_unit_test(a_connection_of_the_kernel_over_v4),
        cmocka_unit_test(a_connection_of_the_kernel_over_v6),
        cmocka_unit_test(what_the_kernel_refuses_is_counted),
        cmocka_unit_test(a_batch_goes_out_in_order),
        cmocka_unit_test(batches_keep_every_packet),
        cmocka_unit_test(many_after_packets_that_came_alone_come_in_batches_again),
        cmocka_unit_test(a_child_of_a_fork_reads_and_writes_too),
        cmocka_unit_test(caps_tell_what_was_asked_for),
        cmocka_unit_test(many_packets_may_wait),
        cmocka_unit_test(a_second_descriptor_keeps_the_interface),
        cmocka_unit_test(a_removed_interface_is_an_error),
    };
    const char *what = missing();
    if (*what) {
        fprintf(stderr, "skipped: %s\n", what);
        return SKIPPED;
    }
    int failed = cmocka_run_group_tests_name("many by a call", tests, NULL, NULL);
    one_by_one = true;
    return failed + cmocka_run_group_tests_name("one by one", tests, NULL, NULL);
}
