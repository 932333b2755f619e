/**
 * A veth pair. See veth.h.
 */
#include "support/veth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int home_ns = -1, our_ns = -1;
static bool has_v6;

/* ---- netlink -------------------------------------------------------------------------------- */

struct message {
    _Alignas(NLMSG_ALIGNTO) uint8_t bytes[512];
    size_t length;
};

static void put(struct message *m, const void *bytes, size_t n)
{
    memcpy(m->bytes + m->length, bytes, n);
    m->length += NLMSG_ALIGN(n);
}

static size_t begin(struct message *m, uint16_t type)
{
    const struct rtattr attr = {.rta_type = type};
    size_t at = m->length;
    put(m, &attr, sizeof attr);
    return at;
}

static void end(struct message *m, size_t at)
{
    const uint16_t length = (uint16_t)(m->length - at);
    memcpy(m->bytes + at, &length, sizeof length);
}

static void attribute(struct message *m, uint16_t type, const void *bytes, size_t n)
{
    const struct rtattr attr = {.rta_len = (uint16_t)RTA_LENGTH(n), .rta_type = type};
    put(m, &attr, sizeof attr);
    put(m, bytes, n);
}

static int ask(struct message *m)
{
    struct {
        struct nlmsghdr head;
        struct nlmsgerr error;
        char rest[1024];
    } answer = {.error = {.error = -EPROTO}};
    const uint32_t length = (uint32_t)m->length;
    memcpy(m->bytes, &length, sizeof length);
    int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (s < 0 || send(s, m->bytes, m->length, 0) < 0 || recv(s, &answer, sizeof answer, 0) < 0)
        answer.error.error = -errno;
    if (s >= 0)
        (void)close(s);
    return answer.error.error;
}

static int make_pair(void)
{
    struct message m = {.length = 0};
    const struct nlmsghdr head = {.nlmsg_type = RTM_NEWLINK,
                                  .nlmsg_flags =
                                      NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL};
    const struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
    put(&m, &head, sizeof head);
    put(&m, &link, sizeof link);
    attribute(&m, IFLA_IFNAME, "hf0", 4);
    size_t info = begin(&m, IFLA_LINKINFO);
    attribute(&m, IFLA_INFO_KIND, "veth", 5);
    size_t data = begin(&m, IFLA_INFO_DATA), peer = begin(&m, VETH_INFO_PEER);
    put(&m, &link, sizeof link);
    attribute(&m, IFLA_IFNAME, "hf1", 4);
    attribute(&m, IFLA_NET_NS_FD, &our_ns, sizeof our_ns);
    end(&m, peer);
    end(&m, data);
    end(&m, info);
    return ask(&m);
}

void veth_remove(void)
{
    struct message m = {.length = 0};
    const struct nlmsghdr head = {.nlmsg_type = RTM_DELLINK,
                                  .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK};
    const struct ifinfomsg link = {.ifi_index = (int)if_nametoindex("hf0")};
    put(&m, &head, sizeof head);
    put(&m, &link, sizeof link);
    assert_int_equal(0, ask(&m));
}

/* ---- the place ------------------------------------------------------------------------------ */

static int present_ns(void)
{
    return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

void veth_go_ours(void)
{
    assert_int_equal(0, setns(our_ns, CLONE_NEWNET));
}

void veth_go_home(void)
{
    assert_int_equal(0, setns(home_ns, CLONE_NEWNET));
}

bool veth_sysctl(const char *name, const char *value)
{
    char path[256];
    (void)snprintf(path, sizeof path, "/proc/sys/%s", name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool is_written = write(fd, value, strlen(value)) == (ssize_t)strlen(value);
    return close(fd) == 0 && is_written;
}

void veth_set_up(const char *name, bool is_up)
{
    struct ifreq req = {.ifr_flags = 0};
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(s >= 0);
    memcpy(req.ifr_name, name, strlen(name));
    assert_int_equal(0, ioctl(s, SIOCGIFFLAGS, &req));
    req.ifr_flags = (short)(is_up ? req.ifr_flags | IFF_UP : req.ifr_flags & ~IFF_UP);
    assert_int_equal(0, ioctl(s, SIOCSIFFLAGS, &req));
    (void)close(s);
}

struct hf_addr veth_addr(const char *text)
{
    struct hf_addr a;
    unsigned bits;
    assert_int_equal(HF_OK, hf_prefix_parse(text, &a, &bits, NULL));
    return a;
}

bool veth_make(struct hf_why *why)
{
    struct hf_addr v4 = veth_addr("10.9.0.1"), v6 = veth_addr("fd09::1");
    home_ns = present_ns();
    if (home_ns < 0 || unshare(CLONE_NEWNET) != 0 || (our_ns = present_ns()) < 0) {
        (void)snprintf(why->text, sizeof why->text, "no network namespace can be made");
        return false;
    }
    veth_go_home();
    int err = make_pair();
    if (err != 0) {
        (void)snprintf(why->text, sizeof why->text, "no veth pair: %s", strerror(-err));
        return false;
    }
    /* Nobody else can have the addresses: no need to wait until that is found out. */
    (void)veth_sysctl("net/ipv6/conf/hf0/accept_dad", "0");
    veth_go_ours();
    veth_set_up("hf1", true);
    veth_go_home();
    if (hf_netif_up("hf0", why) != HF_OK || hf_netif_add_address("hf0", &v4, 24, why) != HF_OK)
        return false;
    has_v6 = hf_netif_add_address("hf0", &v6, 64, why) == HF_OK;
    return true;
}

bool veth_has_v6(void)
{
    return has_v6;
}

bool veth_no_offloads(void)
{
    struct ethtool_value off = {.cmd = ETHTOOL_STXCSUM, .data = 0};
    struct ifreq req = {.ifr_name = "hf0"};
    req.ifr_data = (char *)&off;
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int result = ioctl(s, SIOCETHTOOL, &req);
    (void)close(s);
    return result == 0;
}

int veth_open_xdp(struct hf_link **out, struct hf_why *why)
{
    const struct hf_ether_address own[] = {{veth_addr("10.9.0.2"), 24}, {veth_addr("fd09::2"), 64}};
    const struct hf_xdp_link_config cfg = {
        .ether = {.interface = "hf1", .addrs = own, .addr_count = 2}};
    veth_go_ours();
    int err = hf_link_xdp_open(out, &cfg, why);
    veth_go_home();
    return err;
}

int veth_open_packet(struct hf_link **out, bool plain, struct hf_why *why)
{
    const struct hf_ether_address own[] = {{veth_addr("10.9.0.2"), 24}, {veth_addr("fd09::2"), 64}};
    const struct hf_packet_link_config cfg = {
        .ether = {.interface = "hf1", .addrs = own, .addr_count = 2}, .plain = plain};
    veth_go_ours();
    int err = hf_link_packet_open(out, &cfg, why);
    veth_go_home();
    return err;
}
