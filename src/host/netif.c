/**
 * The kernel's side of an interface: addresses, routes, MTU, up. By ioctl and netlink, in the
 * network namespace of the calling thread; no program is run. Leaves TUN itself to tun.c.
 */
#include "netif.h"
#include "why.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <limits.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
/* Behind netinet/in.h, whose structs it then leaves alone. */
#include <linux/ipv6.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

enum { V4_MAPPED_BYTES = 12, AWAIT_ADDRESS_ROUNDS = 4000 };

static int fail(struct hf_why *why, const char *doing, const char *name)
{
    int e = errno;
    const char *hint = "";
    if (e == EPERM || e == EACCES)
        hint = " (CAP_NET_ADMIN is needed in this network namespace)";
    else if (e == ENODEV)
        hint = " (no such interface in this network namespace)";
    else if (e == ENETUNREACH || e == ENETDOWN)
        hint = " (bring the interface up first)";
    else if (e == EAFNOSUPPORT)
        hint = " (the kernel has this address family switched off)";
    return hf_why_set(why, hf_why_class(e), e, "%s %s: %s%s", doing, name, strerror(e), hint);
}

/* A request struct with the name in it; HF_E_INVALID when it does not fit. */
static int name_request(struct ifreq *req, const char *name, struct hf_why *why)
{
    size_t n = strlen(name);
    if (n == 0 || n >= IFNAMSIZ)
        return hf_why_set(why, HF_E_INVALID, 0, "interface name \"%.40s\": must have 1 to %d bytes",
                          name, IFNAMSIZ - 1);
    memset(req, 0, sizeof *req);
    memcpy(req->ifr_name, name, n);
    return HF_OK;
}

/* One ioctl on a socket of its own: these calls are rare, and nothing is left open. */
static int request(int family, unsigned long code, void *arg)
{
    int s = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (s < 0)
        return -1;
    int result = ioctl(s, code, arg);
    int e = errno;
    close(s);
    errno = e;
    return result;
}

int hf_netif_up(const char *name, struct hf_why *why)
{
    struct ifreq req;
    int err = name_request(&req, name, why);
    if (err < 0)
        return err;
    if (request(AF_INET, SIOCGIFFLAGS, &req) < 0)
        return fail(why, "bring up", name);
    req.ifr_flags |= IFF_UP | IFF_RUNNING;
    if (request(AF_INET, SIOCSIFFLAGS, &req) < 0)
        return fail(why, "bring up", name);
    return HF_OK;
}

int hf_netif_set_mtu(const char *name, uint32_t mtu_bytes, struct hf_why *why)
{
    struct ifreq req;
    int err = name_request(&req, name, why);
    if (err < 0)
        return err;
    if (mtu_bytes < 68 || mtu_bytes > 65535)
        return hf_why_set(why, HF_E_INVALID, 0, "MTU %u of %s: must be 68 to 65535", mtu_bytes,
                          name);
    req.ifr_mtu = (int)mtu_bytes;
    if (request(AF_INET, SIOCSIFMTU, &req) < 0)
        return fail(why, "set the MTU of", name);
    return HF_OK;
}

int hf_netif_set_queue(const char *name, uint32_t packets, struct hf_why *why)
{
    struct ifreq req;
    int err = name_request(&req, name, why);
    if (err < 0)
        return err;
    if (packets < 1 || packets > INT_MAX)
        return hf_why_set(why, HF_E_INVALID, 0, "queue of %s: must be 1 to %d packets", name,
                          INT_MAX);
    req.ifr_qlen = (int)packets;
    if (request(AF_INET, SIOCSIFTXQLEN, &req) < 0)
        return fail(why, "set the queue of", name);
    return HF_OK;
}

static unsigned prefix_max(const struct hf_addr *addr)
{
    static const uint8_t mapped[V4_MAPPED_BYTES] = {[10] = 0xff, [11] = 0xff};
    return memcmp(addr->octets, mapped, sizeof mapped) == 0 ? 32 : 128;
}

static struct sockaddr_in v4_address(const struct hf_addr *addr)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    memcpy(&in.sin_addr, addr->octets + V4_MAPPED_BYTES, sizeof in.sin_addr);
    return in;
}

static struct sockaddr_in v4_mask(unsigned prefix_bits)
{
    uint32_t mask = prefix_bits ? UINT32_MAX << (32 - prefix_bits) : 0;
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(mask)};
}

static int check_prefix(const struct hf_addr *addr, unsigned prefix_bits, struct hf_why *why)
{
    if (prefix_bits <= prefix_max(addr))
        return HF_OK;
    return hf_why_set(why, HF_E_INVALID, 0, "prefix length %u: must be 0 to %u", prefix_bits,
                      prefix_max(addr));
}

static int add_v4_address(struct ifreq *req, const struct hf_addr *addr, unsigned prefix_bits)
{
    struct sockaddr_in in = v4_address(addr);
    memcpy(&req->ifr_addr, &in, sizeof in);
    if (request(AF_INET, SIOCSIFADDR, req) < 0)
        return -1;
    struct sockaddr_in mask = v4_mask(prefix_bits);
    memcpy(&req->ifr_netmask, &mask, sizeof mask);
    return request(AF_INET, SIOCSIFNETMASK, req);
}

/* True if packets to this address are taken in: the kernel's local table has a route to it. */
static bool is_local(const struct hf_addr *addr)
{
    struct {
        struct nlmsghdr head;
        struct rtmsg what;
        struct rtattr to;
        uint8_t octets[16];
    } m = {
        .head = {.nlmsg_type = RTM_GETROUTE, .nlmsg_flags = NLM_F_REQUEST},
        .what = {.rtm_family = AF_INET6, .rtm_dst_len = 128},
        .to = {.rta_type = RTA_DST},
    };
    struct {
        struct nlmsghdr head;
        struct rtmsg what;
        uint8_t more[1024];
    } answer;
    _Static_assert(sizeof m == 16 + 12 + 4 + 16, "netlink's layout, without gaps");
    size_t bytes = sizeof m.octets, skip = 0;
    if (prefix_max(addr) == 32) {
        m.what.rtm_family = AF_INET;
        m.what.rtm_dst_len = 32;
        bytes = 4;
        skip = V4_MAPPED_BYTES;
    }
    memcpy(m.octets, addr->octets + skip, bytes);
    m.to.rta_len = (unsigned short)(sizeof m.to + bytes);
    m.head.nlmsg_len = (uint32_t)(sizeof m - sizeof m.octets + bytes);
    int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (s < 0)
        return false;
    ssize_t n = send(s, &m, m.head.nlmsg_len, 0);
    if (n >= 0)
        n = recv(s, &answer, sizeof answer, 0);
    close(s);
    return n >= (ssize_t)offsetof(__typeof__(answer), more) &&
           answer.head.nlmsg_type == RTM_NEWROUTE && answer.what.rtm_type == RTN_LOCAL;
}

/* The kernel puts a new address to use a little later, in a thread of its own: until then a connect
 * from it fails with EADDRNOTAVAIL, and what comes for it is dropped. Gives up after a while: then
 * it is no worse than not having waited. */
static void await_v6_address(const struct hf_addr *addr)
{
    const struct timespec pause = {.tv_nsec = 500000};
    for (int i = 0; i < AWAIT_ADDRESS_ROUNDS && !is_local(addr); i++)
        (void)nanosleep(&pause, NULL);
}

bool hf_netif_is_up(const char *name)
{
    struct ifreq req = {0};
    memcpy(req.ifr_name, name, strlen(name));
    return request(AF_INET, SIOCGIFFLAGS, &req) == 0 && (req.ifr_flags & IFF_UP);
}

static int add_v6_address(const char *name, const struct hf_addr *addr, unsigned prefix_bits)
{
    struct in6_ifreq req = {.ifr6_prefixlen = prefix_bits};
    memcpy(&req.ifr6_addr, addr->octets, sizeof req.ifr6_addr);
    req.ifr6_ifindex = (int)if_nametoindex(name);
    if (req.ifr6_ifindex == 0) {
        errno = ENODEV;
        return -1;
    }
    if (request(AF_INET6, SIOCSIFADDR, &req) < 0 && errno != EEXIST)
        return -1;
    if (hf_netif_is_up(name))
        await_v6_address(addr);
    return 0;
}

int hf_netif_add_address(const char *name, const struct hf_addr *addr, unsigned prefix_bits,
                         struct hf_why *why)
{
    struct ifreq req;
    int err = name_request(&req, name, why);
    if (err == HF_OK)
        err = check_prefix(addr, prefix_bits, why);
    if (err < 0)
        return err;
    int result = prefix_max(addr) == 32 ? add_v4_address(&req, addr, prefix_bits)
                                        : add_v6_address(name, addr, prefix_bits);
    return result < 0 ? fail(why, "give an address to", name) : HF_OK;
}

static int add_v4_route(char *name, const struct hf_addr *addr, unsigned prefix_bits)
{
    struct rtentry route = {.rt_flags = RTF_UP, .rt_dev = name};
    struct sockaddr_in in = v4_address(addr), mask = v4_mask(prefix_bits);
    /* The kernel refuses a destination with bits outside of its mask. */
    in.sin_addr.s_addr &= mask.sin_addr.s_addr;
    memcpy(&route.rt_dst, &in, sizeof in);
    memcpy(&route.rt_genmask, &mask, sizeof mask);
    return request(AF_INET, SIOCADDRT, &route);
}

static int add_v6_route(const char *name, const struct hf_addr *addr, unsigned prefix_bits)
{
    struct in6_rtmsg route = {.rtmsg_flags = RTF_UP, .rtmsg_metric = 1};
    route.rtmsg_dst_len = (uint16_t)prefix_bits;
    uint8_t octets[16] = {0};
    memcpy(octets, addr->octets, (prefix_bits + 7) / 8);
    if (prefix_bits % 8)
        octets[prefix_bits / 8] &= (uint8_t)(0xff00u >> prefix_bits % 8);
    memcpy(&route.rtmsg_dst, octets, sizeof octets);
    route.rtmsg_ifindex = (int)if_nametoindex(name);
    if (route.rtmsg_ifindex == 0) {
        errno = ENODEV;
        return -1;
    }
    return request(AF_INET6, SIOCADDRT, &route);
}

int hf_netif_add_route(const char *name, const struct hf_addr *addr, unsigned prefix_bits,
                       struct hf_why *why)
{
    struct ifreq req;
    int err = name_request(&req, name, why);
    if (err == HF_OK)
        err = check_prefix(addr, prefix_bits, why);
    if (err < 0)
        return err;
    int result = prefix_max(addr) == 32 ? add_v4_route(req.ifr_name, addr, prefix_bits)
                                        : add_v6_route(name, addr, prefix_bits);
    if (result < 0 && errno != EEXIST)
        return fail(why, "add a route to", name);
    return HF_OK;
}

static bool is_address(const struct sockaddr *sa, const struct hf_addr *addr)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    if (sa == NULL || (sa->sa_family != AF_INET && sa->sa_family != AF_INET6))
        return false;
    if (sa->sa_family == AF_INET) {
        memcpy(&in, sa, sizeof in);
        return prefix_max(addr) == 32 &&
               memcmp(&in.sin_addr, addr->octets + V4_MAPPED_BYTES, sizeof in.sin_addr) == 0;
    }
    memcpy(&in6, sa, sizeof in6);
    return memcmp(&in6.sin6_addr, addr->octets, sizeof in6.sin6_addr) == 0;
}

bool hf_netif_is_kernels(const struct hf_addr *addr, char name[IFNAMSIZ])
{
    struct ifaddrs *list = NULL;
    bool is_found = false;
    name[0] = '\0';
    if (getifaddrs(&list) == 0) { /* also of interfaces that are down */
        for (const struct ifaddrs *i = list; i != NULL && !is_found; i = i->ifa_next) {
            is_found = is_address(i->ifa_addr, addr);
            if (is_found)
                (void)snprintf(name, IFNAMSIZ, "%s", i->ifa_name);
        }
        freeifaddrs(list);
    }
    return is_found || is_local(addr);
}

static int look_at(struct hf_netif *found, struct ifreq *req, struct hf_why *why)
{
    if (request(AF_INET, SIOCGIFINDEX, req) < 0)
        return fail(why, "look at", found->name);
    found->index = req->ifr_ifindex;
    if (request(AF_INET, SIOCGIFHWADDR, req) < 0)
        return fail(why, "look at", found->name);
    if (req->ifr_hwaddr.sa_family != ARPHRD_ETHER)
        return hf_why_set(why, HF_E_DEVICE, 0,
                          "%s is no Ethernet (choose one that has a MAC, or use TUN)", found->name);
    memcpy(found->mac, req->ifr_hwaddr.sa_data, sizeof found->mac);
    if (request(AF_INET, SIOCGIFMTU, req) < 0)
        return fail(why, "look at", found->name);
    found->mtu_bytes = (uint32_t)req->ifr_mtu;
    if (request(AF_INET, SIOCGIFFLAGS, req) < 0)
        return fail(why, "look at", found->name);
    if ((req->ifr_flags & IFF_UP) == 0)
        return hf_why_set(why, HF_E_DEVICE, ENETDOWN, "%s is down (ip link set %s up)", found->name,
                          found->name);
    return HF_OK;
}

int hf_netif_find_ethernet(const char *name, struct hf_netif *out, struct hf_why *why)
{
    struct ifreq req;
    struct hf_netif found = {.index = 0};
    int err = name_request(&req, name, why);
    if (err < 0)
        return err;
    memcpy(found.name, name, strlen(name));
    err = look_at(&found, &req, why);
    if (err == HF_OK)
        *out = found;
    return err;
}

int hf_prefix_parse(const char *text, struct hf_addr *addr, unsigned *prefix_bits,
                    struct hf_why *why)
{
    char host[HF_ADDR_TEXT_BYTES];
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);
    struct hf_addr made = {.octets = {[10] = 0xff, [11] = 0xff}};
    if (n >= sizeof host)
        return hf_why_set(why, HF_E_INVALID, 0, "\"%.60s\" is not an IP address", text);
    memcpy(host, text, n);
    host[n] = '\0';
    if (inet_pton(AF_INET, host, made.octets + V4_MAPPED_BYTES) != 1 &&
        inet_pton(AF_INET6, host, made.octets) != 1)
        return hf_why_set(why, HF_E_INVALID, 0, "\"%s\" is not an IP address", host);
    unsigned long bits = prefix_max(&made);
    if (slash) {
        char *end;
        unsigned long max = bits;
        bits = strtoul(slash + 1, &end, 10);
        if (slash[1] < '0' || slash[1] > '9' || *end || bits > max)
            return hf_why_set(why, HF_E_INVALID, 0, "\"%.60s\": behind / must stand 0 to %lu", text,
                              max);
    }
    *addr = made;
    *prefix_bits = (unsigned)bits;
    return HF_OK;
}
