/**
 * The packet link against the kernel over a veth pair: what is let up, who is asked and answered,
 * facts of super-packets both ways, the way over a gateway, groups of links, and what is said when
 * it can't be opened. Needs root; without it only the filter is tested.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/packet_filter.h"
#include "host/resolve.h"
#include "ether_bench.h"
#include "support/veth.h"

enum { SKIPPED = 77, WAIT_MS = ETHER_WAIT_MS, DATA_BYTES = 20000, FLOWS = 64, FRAME_BYTES = 2048 };

static bool is_made; /* the veth pair: else only what needs none is tested */
static struct hf_link *link_of_test;

static void need_veth(void)
{
    if (!is_made)
        skip();
}

/* ---- the bench ------------------------------------------------------------------------------ */

static int open_with(struct hf_link **out, struct hf_packet_link_config *cfg, struct hf_why *why)
{
    const struct hf_ether_address own[] = {{veth_addr("10.9.0.2"), 24}, {veth_addr("fd09::2"), 64}};
    if (cfg->ether.interface == NULL)
        cfg->ether.interface = "hf1";
    if (cfg->ether.addrs == NULL) {
        cfg->ether.addrs = own;
        cfg->ether.addr_count = 2;
    }
    veth_go_ours();
    int err = hf_link_packet_open(out, cfg, why);
    veth_go_home();
    if (cfg->ether.addrs == own)
        cfg->ether.addrs = NULL;
    return err;
}

static struct hf_link *must_open(struct hf_packet_link_config cfg)
{
    struct hf_why why = {.text = ""};
    struct hf_link *l = NULL;
    if (open_with(&l, &cfg, &why) != HF_OK)
        fail_msg("%s", why.text);
    return l;
}

static int tear_down(void **state)
{
    (void)state;
    veth_go_home();
    hf_link_close(link_of_test);
    link_of_test = NULL;
    return 0;
}

static struct hf_link *open_link(void)
{
    need_veth();
    link_of_test = must_open((struct hf_packet_link_config){.plain = false});
    return link_of_test;
}

/* ---- the filter ----------------------------------------------------------------------------- */

static bool passes(enum hf_filter_part part, const uint8_t *frame, size_t bytes)
{
    const struct hf_ether_address own[] = {{veth_addr("10.9.0.2"), 24},
                                           {veth_addr("10.9.0.12"), 24},
                                           {veth_addr("fd09::2"), 64},
                                           {veth_addr("2001:db8:1:2:3:4:5:6"), 64}};
    struct sock_filter program[HF_PACKET_FILTER_MAX];
    struct sock_fprog filter = {(unsigned short)hf_packet_filter(program, part, own, 4), program};
    int ends[2];
    uint8_t got[FRAME_BYTES];
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends));
    assert_int_equal(0, setsockopt(ends[1], SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter));
    (void)!send(ends[0], frame, bytes, 0);
    ssize_t n = recv(ends[1], got, sizeof got, 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
    assert_true(n < 0 || (size_t)n == bytes);
    return n > 0;
}

struct filtered {
    const char *to; /* NULL: ARP */
    uint8_t protocol, icmp_type;
    bool all, packets, messages;
};

static void the_filter_lets_up_what_is_for_us(void **state)
{
    static const struct filtered rows[] = {
        {NULL, 0, 0, true, false, true},
        {"10.9.0.2", 6, 0, true, true, false},
        {"10.9.0.12", 1, 135, true, true, false},
        {"10.9.0.3", 6, 0, false, false, false},
        {"10.9.0.255", 6, 0, false, false, false},
        {"224.0.0.1", 2, 0, false, false, false},
        {"fd09::2", 6, 0, true, true, false},
        {"fd09::2", 58, 1, true, true, false}, /* an error, no message of a neighbour */
        {"fd09::2", 58, 132, true, true, false},
        {"fd09::2", 58, 133, true, false, true},
        {"fd09::2", 58, 136, true, false, true},
        {"fd09::2", 58, 137, true, false, true},
        {"fd09::2", 58, 138, true, true, false},
        {"fd09::3", 6, 0, false, false, false},
        {"fd09::3", 58, 136, false, false, false},
        {"2001:db8:1:2:3:4:5:6", 6, 0, true, true, false},
        {"2001:db8:1:2:3:4:5:7", 6, 0, false, false, false},
        {"2001:db8:1:2:3:5:5:6", 6, 0, false, false, false},
        {"ff02::1:ff00:2", 58, 135, true, false, true},
        {"ff02::1:ff05:6", 58, 135, true, false, true},
        {"ff02::1:ff00:3", 58, 135, false, false, false},
        {"ff02::1", 58, 136, true, false, true},
        {"ff02::2", 58, 133, false, false, false},
    };
    (void)state;
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++) {
        const struct filtered *r = &rows[i];
        uint8_t frame[FRAME_BYTES] = {[12] = 0x08, [13] = 0x06};
        size_t bytes = HF_ETHER_HEADER_BYTES + HF_ARP_BYTES;
        if (r->to != NULL) {
            struct hf_addr to = veth_addr(r->to);
            bool v4 = hf_addr_is_v4(&to);
            hf_put16(frame + 12, v4 ? HF_ETHER_IPV4 : HF_ETHER_IPV6);
            const struct hf_ip ip = {.source = veth_addr(v4 ? "10.9.0.1" : "fd09::1"),
                                     .destination = to,
                                     .version = v4 ? 4 : 6,
                                     .protocol = r->protocol,
                                     .payload_bytes = 24};
            bytes = HF_ETHER_HEADER_BYTES + hf_ip_emit(&ip, frame + HF_ETHER_HEADER_BYTES);
            frame[bytes] = r->icmp_type;
            bytes += 24;
        }
        if (passes(HF_FILTER_ALL, frame, bytes) != r->all ||
            passes(HF_FILTER_PACKETS, frame, bytes) != r->packets ||
            passes(HF_FILTER_MESSAGES, frame, bytes) != r->messages)
            fail_msg("row %zu, to %s", i, r->to ? r->to : "all, ARP");
    }
}

static void the_longest_filter_fits(void **state)
{
    struct hf_ether_address own[HF_ETHER_ADDRS_MAX];
    struct sock_filter program[HF_PACKET_FILTER_MAX];
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        for (uint8_t i = 0; i < HF_ETHER_ADDRS_MAX; i++)
            own[i].addr = v6 ? (struct hf_addr){{0xfd, [15] = i}} : hf_addr_v4(10, 0, 0, i);
        size_t n = hf_packet_filter(program, HF_FILTER_ALL, own, HF_ETHER_ADDRS_MAX);
        struct sock_fprog filter = {(unsigned short)n, program};
        int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* the kernel checks the jumps */
        assert_int_equal(0, setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter));
        (void)close(s);
    }
}

/* ---- who is where --------------------------------------------------------------------------- */

static void the_kernel_finds_us_and_we_it(void **state)
{
    (void)state;
    struct hf_link *l = open_link();
    struct hf_link_caps caps;
    hf_link_caps(l, &caps);
    assert_true(caps.checksum && caps.super_bytes == 65535 && caps.mtu_bytes == 1500);
    assert_true(answers(l, "10.9.0.2", "10.9.0.1", WAIT_MS));
    if (veth_has_v6())
        assert_true(answers(l, "fd09::2", "fd09::1", WAIT_MS));
    struct hf_ether_stats s = stats_of(l);
    assert_in_range(s.questions, 1, 4);
    assert_true(s.answers >= 2 && s.learned >= 1);
    assert_int_equal(0, s.packets_lost + s.conflicts + s.frames_lost);
}

/* The kernel asks, as it knows us from nothing yet, and its datagram comes with right facts. */
static void the_kernel_asks_for_us(void **state)
{
    (void)state;
    struct hf_link *l = open_link();
    for (int v6 = 0; v6 < (veth_has_v6() ? 2 : 1); v6++) {
        struct sockaddr_storage sa;
        socklen_t bytes;
        struct hf_packet p = {.bytes = NULL};
        struct hf_ip ip = {.version = 0};
        int fd = kernel_socket(SOCK_DGRAM, v6 ? "fd09::2" : "10.9.0.2", 9, &sa, &bytes);
        assert_int_equal(5, sendto(fd, "hello", 5, 0, (struct sockaddr *)&sa, bytes));
        (void)close(fd);
        while (ip.protocol != 17) {
            assert_int_equal(1, pass(l, WAIT_MS, &p, 1));
            assert_int_equal(HF_NONE, hf_ip_parse(p.bytes, p.length_bytes, &ip));
        }
        assert_memory_equal("hello", p.bytes + ip.header_bytes + 8, 5);
        assert_int_equal(HF_PACKET_CSUM_PARTIAL, p.flags & HF_PACKET_CSUM_PARTIAL);
    }
}

/* The kernel has joined the group for us, or at least lets it in. */
static void our_group_is_joined(void **state)
{
    char line[256];
    bool is_there = false;
    (void)state;
    if (!veth_has_v6())
        skip();
    open_link();
    veth_go_ours();
    FILE *f = fopen("/proc/thread-self/net/dev_mcast", "re");
    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        is_there = is_there || (strstr(line, "hf1") && strstr(line, "3333ff000002"));
    (void)fclose(f);
    assert_true(is_there);
    (void)veth_sysctl("net/ipv6/conf/hf1/disable_ipv6", "1");
    veth_go_home();
    tear_down(NULL);
    open_link(); /* without the kernel's IPv6 */
    assert_true(answers(link_of_test, "fd09::2", "fd09::1", ETHER_WAIT_MS));
    veth_go_ours();
    (void)veth_sysctl("net/ipv6/conf/hf1/disable_ipv6", "0");
    veth_go_home();
}

static void a_lost_question_is_asked_again(void **state)
{
    (void)state;
    struct hf_link *l = open_link();
    const struct way w = {{veth_addr("10.9.0.2"), 30000}, {veth_addr("10.9.0.1"), 9}};
    struct hf_packet p;
    struct hf_ip ip;
    struct hf_segment seg;
    assert_true(veth_sysctl("net/ipv4/conf/hf0/arp_ignore", "8")); /* the kernel is deaf */
    send_segment(l, &w, (struct hf_segment){.flags = HF_SYN, .seq = 1});
    bool came_early = await(l, 30000, 400, &p, &ip, &seg);
    assert_true(veth_sysctl("net/ipv4/conf/hf0/arp_ignore", "0"));
    assert_false(came_early);
    assert_int_equal(1, stats_of(l).questions);
    assert_true(await(l, 30000, WAIT_MS, &p, &ip, &seg)); /* the same SYN, sent once */
    assert_in_range(stats_of(l).questions, 2, 4);
    assert_int_equal(0, stats_of(l).packets_lost);
}

static void nobody_answers(void **state)
{
    (void)state;
    struct hf_link *l = open_link();
    assert_false(answers(l, "10.9.0.2", "10.9.0.9", 3300));
    struct hf_ether_stats s = stats_of(l);
    assert_int_equal(1, s.silent);
    assert_int_equal(1, s.packets_lost);
    assert_in_range(s.questions, 3, 4); /* 4: the kernel was asked, too */
}

static void far_hosts_are_reached_by_the_gateway(void **state)
{
    (void)state;
    need_veth();
    struct hf_addr far = veth_addr("192.0.2.1"), far_v6 = veth_addr("2001:db8::1");
    assert_int_equal(HF_OK, hf_netif_up("lo", NULL));
    assert_int_equal(HF_OK, hf_netif_add_address("lo", &far, 32, NULL));
    struct hf_packet_link_config cfg = {
        .ether = {.gateway_v4 = veth_addr("10.9.0.1"), .gateway_v6 = veth_addr("fd09::1")}};
    link_of_test = must_open(cfg);
    assert_true(answers(link_of_test, "10.9.0.2", "192.0.2.1", WAIT_MS));
    if (veth_has_v6()) {
        assert_int_equal(HF_OK, hf_netif_add_address("lo", &far_v6, 128, NULL));
        assert_true(answers(link_of_test, "fd09::2", "2001:db8::1", WAIT_MS));
    }
    assert_in_range(stats_of(link_of_test).questions, 1, 2);
    tear_down(NULL);
    open_link(); /* without one */
    assert_false(answers(link_of_test, "10.9.0.2", "192.0.2.1", 50));
    assert_int_equal(1, stats_of(link_of_test).packets_lost);
}

/* ---- frames that are none ------------------------------------------------------------------- */

static void raw_send(const uint8_t *frame, size_t bytes)
{
    const struct sockaddr_ll to = {
        .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex("hf0"), .sll_halen = 6};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bytes, sendto(fd, frame, bytes, 0, (const struct sockaddr *)&to, sizeof to));
    (void)close(fd);
}

static void malformed_frames_are_counted(void **state)
{
    (void)state;
    struct hf_link *l = open_link();
    struct hf_packet p[4];
    struct hf_link_stats before, after;
    uint8_t arp[60] = {255, 255, 255, 255, 255, 255, 2, 9, 9, 9, 9, 9, 8, 6, 0, 6};
    uint8_t vlan[64] = {255, 255, 255, 255, 255, 255, 2, 9, 9, 9, 9, 9, 0x81, 0, 0, 7, 8, 6, 0, 6};
    uint8_t nd[14 + 64] = {0x33, 0x33, 0xff, 0, 0, 2, 2, 9, 9, 9, 9, 9, 0x86, 0xdd, 0x60};
    struct hf_addr group = veth_addr("ff02::1:ff00:2");
    nd[14 + 5] = 24;
    nd[14 + 6] = 58;
    nd[14 + 7] = 254; /* and the checksum is wrong */
    memcpy(nd + 14 + 24, group.octets, 16);
    nd[14 + 40] = 135;
    while (pass(l, 50, p, 4) > 0) /* what the kernel has to say */
        continue;
    hf_link_stats(l, &before);
    raw_send(arp, sizeof arp);
    raw_send(nd, sizeof nd);
    raw_send(vlan, sizeof vlan); /* of another network: does not come up */
    assert_int_equal(0, pass(l, 50, p, 4));
    hf_link_stats(l, &after);
    assert_int_equal(before.in_malformed + 2, after.in_malformed);
    assert_true(answers(l, "10.9.0.2", "10.9.0.1", WAIT_MS)); /* nothing is worse for it */
}

/* ---- super-packets -------------------------------------------------------------------------- */

struct talk {
    struct hf_link *link;
    int socket;
    struct way way; /* from us to the kernel */
    uint32_t snd_nxt, rcv_nxt;
    struct hf_packet packet;
    struct hf_segment seg;
    struct hf_ip ip;
};

static void talk_await(struct talk *t)
{
    assert_true(await(t->link, t->way.from.port, WAIT_MS, &t->packet, &t->ip, &t->seg));
}

static void talk_send(struct talk *t, uint16_t flags, const uint8_t *payload, size_t n,
                      size_t slice_bytes)
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
                                    .segment_bytes = n > 1000 ? 1000 : 0,
                                    .flags = HF_PACKET_CSUM_PARTIAL,
                                    .checksum_offset = 16,
                                    .slice_count = (uint16_t)count,
                                    .slices = slices,
                                    .length_bytes = (uint32_t)length};
    assert_int_equal(1, hf_link_send(t->link, &p, 1));
    t->snd_nxt += (uint32_t)n + ((flags & HF_SYN) != 0);
}

static void open_talk(struct talk *t, const char *own)
{
    struct sockaddr_storage sa;
    socklen_t bytes;
    static uint16_t port = 7777;
    *t = (struct talk){.link = link_of_test, .way.from = {veth_addr(own), ++port}, .snd_nxt = 77};
    t->socket = kernel_socket(SOCK_STREAM, own, port, &sa, &bytes);
    assert_int_equal(-1, connect(t->socket, (struct sockaddr *)&sa, bytes));
    assert_int_equal(EINPROGRESS, errno);
    talk_await(t);
    assert_int_equal(HF_SYN, t->seg.flags & (HF_SYN | HF_ACK));
    t->way.to = (struct hf_endpoint){t->ip.source, t->seg.source_port};
    t->rcv_nxt = t->seg.seq + 1;
    talk_send(t, HF_SYN | HF_ACK, NULL, 0, 1);
    talk_await(t);
}

static void kernel_sends(struct talk *t, const uint8_t *data)
{
    size_t got = 0;
    bool super = false;
    assert_int_equal(DATA_BYTES, send(t->socket, data, DATA_BYTES, 0));
    while (got < DATA_BYTES) {
        talk_await(t);
        const uint8_t *payload = t->packet.bytes + t->ip.header_bytes + t->seg.header_bytes;
        if (t->seg.payload_bytes == 0 || t->seg.seq != t->rcv_nxt)
            continue;
        assert_true(t->seg.payload_bytes <= DATA_BYTES - got);
        assert_memory_equal(data + got, payload, t->seg.payload_bytes);
        if (t->seg.payload_bytes > 1000)
            assert_int_equal(1000, t->packet.segment_bytes);
        assert_int_equal(HF_PACKET_CSUM_PARTIAL, t->packet.flags & HF_PACKET_CSUM_PARTIAL);
        super = super || t->packet.segment_bytes;
        got += t->seg.payload_bytes;
        t->rcv_nxt += t->seg.payload_bytes;
        talk_send(t, HF_ACK, NULL, 0, 1);
    }
    assert_true(super);
}

static void kernel_takes(struct talk *t, const uint8_t *data, size_t slice_bytes)
{
    static uint8_t got[DATA_BYTES + 1];
    size_t have = 0;
    talk_send(t, HF_ACK | HF_PSH, data, DATA_BYTES, slice_bytes);
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

static void super_packets_go_both_ways(void **state)
{
    static uint8_t data[DATA_BYTES];
    (void)state;
    open_link();
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7 + (i >> 8));
    for (int v6 = 0; v6 < (veth_has_v6() ? 2 : 1); v6++) {
        struct talk t;
        open_talk(&t, v6 ? "fd09::2" : "10.9.0.2");
        kernel_sends(&t, data);
        kernel_takes(&t, data, 4096);
        kernel_takes(&t, data, 7); /* more pieces than one message has */
        talk_send(&t, HF_RST | HF_ACK, NULL, 0, 1);
        (void)close(t.socket);
    }
    struct hf_link_stats s;
    hf_link_stats(link_of_test, &s);
    assert_int_equal(0, s.out_refused);
}

static void what_can_not_be_sent_is_counted(void **state)
{
    (void)state;
    struct hf_link *l = open_link();
    static uint8_t bytes[4000];
    const struct way w = {{veth_addr("10.9.0.2"), 1}, {veth_addr("10.9.0.1"), 2}};
    size_t header;
    assert_true(answers(l, "10.9.0.2", "10.9.0.1", WAIT_MS)); /* the way is known */
    (void)segment_make(&w, (struct hf_segment){.flags = HF_RST}, NULL, false, bytes, &header);
    const struct hf_slice rest = {bytes + 40, 3000};
    const struct hf_out_packet p[] = {
        {.header = bytes, .header_bytes = 40, .segment_bytes = 500, .length_bytes = 40},
        {.header = bytes,
         .header_bytes = 40,
         .slice_count = 1,
         .slices = &rest,
         .length_bytes = 3040},
        {.header = bytes, .header_bytes = 40, .length_bytes = 40},
    };
    struct hf_link_stats before, after;
    hf_link_stats(l, &before);
    assert_int_equal(3, hf_link_send(l, p, 3)); /* who fills the sum in?; above the MTU; good */
    hf_link_stats(l, &after);
    assert_int_equal(before.out_refused + 2, after.out_refused);
    assert_int_equal(EMSGSIZE, after.last_errno);
}

/* ---- groups --------------------------------------------------------------------------------- */

static void links_of_a_group_share_the_flows(void **state)
{
    struct hf_link *links[2];
    unsigned got[2] = {0, 0};
    int fds[FLOWS];
    (void)state;
    need_veth();
    for (uint8_t i = 0; i < 2; i++) {
        struct hf_packet_link_config cfg = {.fanout_group = 77, .fanout_member = i};
        links[i] = must_open(cfg);
    }
    /* Each asks for itself, and hears the answer, whoever of them has got it. */
    struct hf_packet p;
    for (int i = 0; i < 2; i++) {
        const struct way w = {{veth_addr("10.9.0.2"), 40000}, {veth_addr("10.9.0.1"), 9}};
        send_segment(links[i], &w, (struct hf_segment){.flags = HF_SYN, .seq = 1});
        (void)pass(links[i], 100, &p, 1);
        assert_in_range(stats_of(links[i]).learned, 1, 2);
    }
    for (size_t i = 0; i < FLOWS; i++) {
        struct sockaddr_storage sa;
        socklen_t bytes;
        fds[i] = kernel_socket(SOCK_STREAM, "10.9.0.2", 7, &sa, &bytes);
        assert_int_equal(-1, connect(fds[i], (struct sockaddr *)&sa, bytes));
    }
    for (int i = 0; i < 2; i++)
        while (pass(links[i], 50, &p, 1) == 1) {
            struct hf_ip ip;
            struct hf_segment seg;
            got[i] += segment_read(p.bytes, p.length_bytes, &ip, &seg) && seg.destination_port == 7;
        }
    for (size_t i = 0; i < FLOWS; i++)
        (void)close(fds[i]);
    assert_int_equal(FLOWS, got[0] + got[1]);
    assert_true(got[0] > FLOWS / 8 && got[1] > FLOWS / 8);
    assert_int_equal(0, stats_of(links[1]).answers); /* the first one answers */
    hf_link_close(links[1]);
    hf_link_close(links[0]);
}

/* ---- what is said when it can't be opened --------------------------------------------------- */

static void expect_failure(struct hf_packet_link_config cfg, int err, const char *part)
{
    struct hf_why why = {.text = ""};
    struct hf_link *l = NULL;
    assert_int_equal(err, open_with(&l, &cfg, &why));
    assert_null(l);
    if (!strstr(why.text, part))
        fail_msg("\"%s\" does not contain \"%s\"", why.text, part);
}

#define WITH(address, bits)                                                                        \
    (struct hf_packet_link_config)                                                                 \
    {                                                                                              \
        .ether = {                                                                                 \
            .addrs = &(const struct hf_ether_address){veth_addr(address), bits},                   \
            .addr_count = 1                                                                        \
        }                                                                                          \
    }

static void addresses_of_the_kernel_are_refused(void **state)
{
    struct hf_addr v4 = veth_addr("10.5.0.9"), v6 = veth_addr("fd05::9");
    (void)state;
    need_veth();
    veth_go_ours();
    assert_int_equal(HF_OK, hf_netif_up("lo", NULL));
    veth_go_home();
    expect_failure(WITH("127.0.0.5", 8), HF_E_DEVICE, "the kernel has a local route to 127.0.0.5");
    veth_go_ours();
    assert_int_equal(HF_OK, hf_netif_add_address("lo", &v4, 24, NULL));
    if (veth_has_v6())
        assert_int_equal(HF_OK, hf_netif_add_address("lo", &v6, 64, NULL));
    veth_go_home();
    expect_failure(WITH("10.5.0.9", 24), HF_E_DEVICE,
                   "10.5.0.9 is the kernel's own, on lo: it would answer and reset our connections "
                   "(choose a free address, or: ip addr del 10.5.0.9/24 dev lo)");
    if (veth_has_v6())
        expect_failure(WITH("fd05::9", 64), HF_E_DEVICE, "fd05::9 is the kernel's own, on lo");
    /* On loopback an address makes the kernel take all of its network for itself. */
    expect_failure(WITH("10.5.0.8", 24), HF_E_DEVICE, "the kernel has a local route to 10.5.0.8");
    link_of_test = must_open(WITH("10.9.0.1", 24)); /* one of another namespace's kernel */
}

static void settings_are_checked(void **state)
{
    (void)state;
    need_veth();
    struct hf_packet_link_config cfg = {.ether = {.interface = "hf9"}};
    expect_failure(cfg, HF_E_DEVICE, "look at hf9: No such device (no such interface");
    cfg.ether.interface = "lo";
    expect_failure(cfg, HF_E_DEVICE, "lo is no Ethernet");
    cfg.ether.interface = "a-name-that-is-too-long";
    expect_failure(cfg, HF_E_INVALID, "must have 1 to 15 bytes");
    cfg = (struct hf_packet_link_config){.batch_packets = 5000};
    expect_failure(cfg, HF_E_INVALID, "batch of 5000 packets: at most 1024");
    cfg = (struct hf_packet_link_config){.ether = {.gateway_v4 = veth_addr("10.8.0.1")}};
    expect_failure(cfg, HF_E_INVALID, "gateway 10.8.0.1 is not another host of an address's");
    cfg.ether.gateway_v4 = veth_addr("10.9.0.2");
    expect_failure(cfg, HF_E_INVALID, "gateway 10.9.0.2 is not another host of an address's");
    cfg.ether.gateway_v4 = veth_addr("fd09::1");
    expect_failure(cfg, HF_E_INVALID, "gateway fd09::1 is no IPv4 address");
    expect_failure(WITH("224.0.0.1", 24), HF_E_INVALID, "224.0.0.1 is no address of a host");
    expect_failure(WITH("10.9.0.2", 33), HF_E_INVALID, "prefix length 33 of 10.9.0.2");
    struct hf_ether_address many[HF_ETHER_ADDRS_MAX + 1];
    cfg = (struct hf_packet_link_config){
        .ether = {.addrs = many, .addr_count = HF_ETHER_ADDRS_MAX + 1}};
    expect_failure(cfg, HF_E_INVALID, "17 addresses: 1 to 16");
}

static int without_capabilities(void)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {{0}};
    const struct hf_ether_address own = {veth_addr("10.9.0.2"), 24};
    const struct hf_packet_link_config cfg = {
        .ether = {.interface = "hf1", .addrs = &own, .addr_count = 1}};
    struct hf_why why = {.text = ""};
    struct hf_link *l = NULL;
    veth_go_ours();
    if (syscall(SYS_capset, &head, none) != 0)
        return 2;
    if (hf_link_packet_open(&l, &cfg, &why) == HF_E_PRIVILEGE && strstr(why.text, "CAP_NET_RAW"))
        return 0;
    (void)fprintf(stderr, "\"%s\"\n", why.text);
    return 1;
}

static void privileges_are_named(void **state)
{
    int status;
    (void)state;
    need_veth();
    pid_t child = fork();
    if (child == 0)
        _exit(without_capabilities());
    assert_int_equal(child, waitpid(child, &status, 0));
    assert_int_equal(0, status);
}

/* ---- the interface goes --------------------------------------------------------------------- */

static void an_interface_that_is_down_may_come_back(void **state)
{
    (void)state;
    struct hf_link *l = open_link();
    struct hf_packet p;
    assert_true(answers(l, "10.9.0.2", "10.9.0.1", WAIT_MS));
    veth_go_ours();
    veth_set_up("hf1", false);
    assert_int_equal(0, pass(l, 20, &p, 1));
    assert_false(answers(l, "10.9.0.2", "10.9.0.1", 20));
    veth_set_up("hf1", true);
    veth_go_home();
    bool is_back = false;
    for (int i = 0; i < 20 && !is_back; i++) /* its carrier takes a moment */
        is_back = answers(l, "10.9.0.2", "10.9.0.1", 250);
    assert_true(is_back);
    struct hf_link_caps caps;
    struct hf_packet_link_config down = {.ether = {.interface = "hf1"}};
    hf_link_caps(l, &caps);
    veth_go_ours();
    veth_set_up("hf1", false);
    veth_go_home();
    expect_failure(down, HF_E_DEVICE, "hf1 is down (ip link set hf1 up)");
    veth_go_ours();
    veth_set_up("hf1", true);
    veth_go_home();
}

/* These three come last: nothing is left then. */
static void an_interface_that_is_removed_is_an_error(void **state)
{
    (void)state;
    struct hf_link *l = open_link();
    struct hf_packet p;
    veth_remove();
    veth_go_ours();
    assert_int_equal(HF_E_DEVICE, pass(l, WAIT_MS, &p, 1));
    veth_go_home();
}

/* The kernel tells that it is down, and then nothing more. */
static void so_is_one_that_is_removed_while_it_is_down(void **state)
{
    (void)state;
    struct hf_why why;
    need_veth();
    assert_true(veth_make(&why));
    struct hf_link *l = open_link();
    struct hf_packet p;
    veth_go_ours();
    veth_set_up("hf1", false);
    assert_int_equal(0, pass(l, 20, &p, 1));
    veth_go_home();
    veth_remove();
    veth_go_ours();
    assert_int_equal(HF_E_DEVICE, pass(l, WAIT_MS, &p, 1));
    assert_int_equal(HF_E_DEVICE, pass(l, 0, &p, 1)); /* for whoever did not hear it */
    veth_go_home();
}

/* What had come before it went down is read after the kernel's word: no sign that it is up. */
static void what_came_before_it_went_down_says_nothing(void **state)
{
    (void)state;
    struct hf_why why;
    need_veth();
    assert_true(veth_make(&why));
    struct hf_link *l = open_link();
    struct hf_packet p[8];
    bool is_known = false;
    for (int i = 0; i < 20 && !is_known; i++)
        is_known = answers(l, "10.9.0.2", "10.9.0.1", 250);
    assert_true(is_known);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), got = 0;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
    assert_int_equal(1, inet_pton(AF_INET, "10.9.0.2", &to.sin_addr));
    assert_int_equal(1, sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to));
    (void)close(fd);
    veth_go_ours();
    veth_set_up("hf1", false);
    for (int i = 0; i < 10; i++) {
        int n = hf_link_receive(l, p, 8);
        assert_true(n >= 0);
        got += n;
    }
    assert_int_equal(got, 1);
    veth_go_home();
    veth_remove();
    veth_go_ours();
    assert_int_equal(HF_E_DEVICE, pass(l, WAIT_MS, p, 1));
    veth_go_home();
}

int main(void)
{
#define CASE(name) cmocka_unit_test_teardown(name, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(the_filter_lets_up_what_is_for_us),
        CASE(the_longest_filter_fits),
        CASE(the_kernel_asks_for_us),
        CASE(the_kernel_finds_us_and_we_it),
        CASE(our_group_is_joined),
        CASE(a_lost_question_is_asked_again),
        CASE(nobody_answers),
        CASE(far_hosts_are_reached_by_the_gateway),
        CASE(malformed_frames_are_counted),
        CASE(super_packets_go_both_ways),
        CASE(what_can_not_be_sent_is_counted),
        CASE(links_of_a_group_share_the_flows),
        CASE(addresses_of_the_kernel_are_refused),
        CASE(settings_are_checked),
        CASE(privileges_are_named),
        CASE(an_interface_that_is_down_may_come_back),
        CASE(an_interface_that_is_removed_is_an_error),
        CASE(so_is_one_that_is_removed_while_it_is_down),
        CASE(what_came_before_it_went_down_says_nothing),
    };
#undef CASE
    struct hf_why why = {.text = "root is needed"};
    is_made = geteuid() == 0 && unshare(CLONE_NEWNET) == 0 && veth_make(&why);
    if (!is_made)
        (void)fprintf(stderr, "skipped, but for the filter: %s\n", why.text);
    int failed = cmocka_run_group_tests_name("packet", tests, NULL, NULL);
    return failed == 0 && !is_made ? SKIPPED : failed;
}
