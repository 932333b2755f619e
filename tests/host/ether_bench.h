/**
 * Links to an Ethernet in tests: the loop's part by hand, a SYN by hand, sockets of the kernel's.
 */
#ifndef HF_TEST_ETHER_BENCH_H
#define HF_TEST_ETHER_BENCH_H

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <handfast/host.h>

#include "segments.h"
#include "support/veth.h"

enum { ETHER_WAIT_MS = 5000, ETHER_SYN_BYTES = 128 };

static inline struct hf_ether_stats stats_of(struct hf_link *l)
{
    struct hf_ether_stats s;
    hf_link_ether_stats(l, &s);
    return s;
}

/* As the loop does it, until ms have passed or something is there to be read. */
static inline int pass(struct hf_link *l, int ms, struct hf_packet *p, size_t max)
{
    hf_ns until = hf_host_now() + HF_MS(ms);
    for (;;) {
        hf_ns now = hf_host_now(), due = hf_link_deadline(l);
        int n = hf_link_receive(l, p, max);
        if (n != 0 || now >= until)
            return n;
        hf_ns wait_ns = due < until ? due - now : until - now;
        struct pollfd poller = {.fd = hf_link_fd(l), .events = POLLIN};
        (void)poll(&poller, 1, wait_ns > 0 ? (int)(wait_ns / HF_MS(1)) + 1 : 0);
        if (hf_link_deadline(l) <= hf_host_now())
            hf_link_expire(l);
    }
}

/* The next TCP segment to this port of ours. Its packet stays until the next receive. */
static inline bool await(struct hf_link *l, uint16_t port, int ms, struct hf_packet *p,
                         struct hf_ip *ip, struct hf_segment *seg)
{
    hf_ns until = hf_host_now() + HF_MS(ms);
    while (hf_host_now() < until) {
        int n = pass(l, (int)((until - hf_host_now()) / HF_MS(1)), p, 1);
        assert_true(n >= 0);
        if (n == 1 && segment_read(p->bytes, p->length_bytes, ip, seg) &&
            seg->destination_port == port)
            return true;
    }
    return false;
}

static inline void send_segment(struct hf_link *l, const struct way *w, struct hf_segment seg)
{
    uint8_t bytes[ETHER_SYN_BYTES];
    struct hf_link_caps caps;
    hf_link_caps(l, &caps);
    size_t header, length = segment_make(w, seg, NULL, caps.checksum, bytes, &header);
    const struct hf_out_packet p = {.header = bytes,
                                    .header_bytes = (uint16_t)header,
                                    .ip_bytes = hf_addr_is_v4(&w->from.addr) ? 20 : 40,
                                    .flags = caps.checksum ? HF_PACKET_CSUM_PARTIAL : 0,
                                    .checksum_offset = 16,
                                    .length_bytes = (uint32_t)length};
    assert_int_equal(1, hf_link_send(l, &p, 1));
}

/* A SYN to a closed port of the kernel's: its RST shows that both ways are there. */
static inline bool answers(struct hf_link *l, const char *from, const char *to, int ms)
{
    static uint16_t port = 20000;
    const struct way w = {{veth_addr(from), ++port}, {veth_addr(to), 9}};
    struct hf_packet p;
    struct hf_ip ip;
    struct hf_segment seg;
    send_segment(l, &w, (struct hf_segment){.flags = HF_SYN, .seq = 1});
    return await(l, port, ms, &p, &ip, &seg) && (seg.flags & HF_RST) != 0;
}

static inline int kernel_socket(int type, const char *to, uint16_t port,
                                struct sockaddr_storage *sa, socklen_t *bytes)
{
    struct hf_addr a = veth_addr(to);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    bool v4 = hf_addr_is_v4(&a);
    memcpy(&in.sin_addr, a.octets + 12, 4);
    memcpy(&in6.sin6_addr, a.octets, 16);
    memset(sa, 0, sizeof *sa);
    memcpy(sa, v4 ? (void *)&in : (void *)&in6, v4 ? sizeof in : sizeof in6);
    *bytes = v4 ? sizeof in : sizeof in6;
    int fd = socket(sa->ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    return fd;
}

#endif
