/**
 * An interface, our addresses on it, its neighbours. See ether.h.
 */
#include "ether.h"
#include "why.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/wire/ip.h"

#define FULL_RETRY_NS HF_MS(1)
#define LOOK_NS HF_SEC(1)

/* ---- checking ------------------------------------------------------------------------------- */

static int refuse_kernels(const struct hf_ether_address *a, const char *owner, struct hf_why *why)
{
    char text[HF_ADDR_TEXT_BYTES];
    hf_addr_text(&a->addr, text);
    if (owner[0] == '\0')
        return hf_why_set(why, HF_E_DEVICE, 0,
                          "the kernel has a local route to %s: it would answer and reset our "
                          "connections (choose another address, or see: ip route show table local)",
                          text);
    return hf_why_set(why, HF_E_DEVICE, 0,
                      "%s is the kernel's own, on %s: it would answer and reset our connections "
                      "(choose a free address, or: ip addr del %s/%u dev %s)",
                      text, owner, text, a->prefix_bits, owner);
}

static int check_address(const struct hf_ether_address *a, struct hf_why *why)
{
    char text[HF_ADDR_TEXT_BYTES], owner[IFNAMSIZ];
    unsigned most = hf_addr_is_v4(&a->addr) ? 32 : 128;
    hf_addr_text(&a->addr, text);
    if (!hf_addr_is_unicast(&a->addr))
        return hf_why_set(why, HF_E_INVALID, 0, "%s is no address of a host", text);
    if (a->prefix_bits > most)
        return hf_why_set(why, HF_E_INVALID, 0, "prefix length %u of %s: must be 0 to %u",
                          a->prefix_bits, text, most);
    if (hf_netif_is_kernels(&a->addr, owner))
        return refuse_kernels(a, owner, why);
    return HF_OK;
}

static bool is_on_link(const struct hf_ether_config *cfg, const struct hf_addr *addr)
{
    for (size_t i = 0; i < cfg->addr_count; i++)
        if (hf_addr_equal(&cfg->addrs[i].addr, addr))
            return false;
    if (addr->octets[0] == 0xfe && (addr->octets[1] & 0xc0) == 0x80) /* link-local */
        return true;
    for (size_t i = 0; i < cfg->addr_count; i++) {
        const struct hf_ether_address *a = &cfg->addrs[i];
        if (hf_addr_prefix_equal(&a->addr, addr,
                                 a->prefix_bits + (hf_addr_is_v4(&a->addr) ? 96 : 0)))
            return true;
    }
    return false;
}

static int check_gateway(const struct hf_ether_config *cfg, const struct hf_addr *gateway, bool v4,
                         struct hf_why *why)
{
    char text[HF_ADDR_TEXT_BYTES];
    if (hf_addr_is_any(gateway))
        return HF_OK;
    hf_addr_text(gateway, text);
    if (hf_addr_is_v4(gateway) != v4)
        return hf_why_set(why, HF_E_INVALID, 0, "gateway %s is no %s address", text,
                          v4 ? "IPv4" : "IPv6");
    if (!is_on_link(cfg, gateway))
        return hf_why_set(why, HF_E_INVALID, 0,
                          "gateway %s is not another host of an address's network: it can't be "
                          "reached (check it and the prefix)",
                          text);
    return HF_OK;
}

static int check(const struct hf_ether_config *cfg, struct hf_why *why)
{
    if (cfg->addr_count < 1 || cfg->addr_count > HF_ETHER_ADDRS_MAX)
        return hf_why_set(why, HF_E_INVALID, 0, "%zu addresses: 1 to %d", cfg->addr_count,
                          HF_ETHER_ADDRS_MAX);
    int err = HF_OK;
    for (size_t i = 0; i < cfg->addr_count && err == HF_OK; i++)
        err = check_address(&cfg->addrs[i], why);
    if (err == HF_OK)
        err = check_gateway(cfg, &cfg->gateway_v4, true, why);
    return err == HF_OK ? check_gateway(cfg, &cfg->gateway_v6, false, why) : err;
}

/* ---- opening -------------------------------------------------------------------------------- */

/* By the kernel, which tells switches as well (MLD). */
static bool join(int fd, int index, const struct hf_addr *group)
{
    struct ipv6_mreq wish = {.ipv6mr_interface = (unsigned)index};
    memcpy(&wish.ipv6mr_multiaddr, group->octets, sizeof group->octets);
    return setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &wish, sizeof wish) == 0;
}

/* Only so that the device lets them in: where the kernel has IPv6 switched off. */
static bool admit(int fd, int index, const struct hf_addr *group)
{
    struct packet_mreq wish = {
        .mr_ifindex = index, .mr_type = PACKET_MR_MULTICAST, .mr_alen = HF_MAC_BYTES};
    hf_multicast_mac(group, wish.mr_address);
    return setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &wish, sizeof wish) == 0;
}

typedef bool join_fn(int fd, int index, const struct hf_addr *group);

/* Our solicited-node groups [RFC4861#7.2.1]; false: not all of them. */
static bool join_by(join_fn *how, int fd, int index, const struct hf_ether_config *cfg)
{
    bool is_joined = fd >= 0;
    for (size_t i = 0; is_joined && i < cfg->addr_count; i++) {
        struct hf_addr group = hf_solicited_node(&cfg->addrs[i].addr);
        is_joined = hf_addr_is_v4(&cfg->addrs[i].addr) || how(fd, index, &group);
    }
    return is_joined;
}

/* For as long as the descriptor is open; -1: none. Many devices and switches let everything pass,
 * so a failure is none of the link's. */
static int join_groups(const struct hf_ether_config *cfg, int index)
{
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (join_by(join, fd, index, cfg))
        return fd;
    if (fd >= 0)
        close(fd);
    fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0); /* receives nothing */
    (void)join_by(admit, fd, index, cfg);
    return fd;
}

int hf_ether_open(struct hf_ether *e, const struct hf_ether_config *cfg, bool is_quiet,
                  struct hf_why *why)
{
    struct hf_ether made = {.groups_fd = -1, .retry_ns = HF_NEVER, .look_ns = HF_NEVER};
    struct hf_env env; /* for its seed */
    int err = hf_netif_find_ethernet(cfg->interface, &made.netif, why);
    if (err == HF_OK)
        err = check(cfg, why);
    if (err == HF_OK)
        err = hf_env_linux(&env, why);
    if (err < 0)
        return err;
    struct hf_neighbours_config neighbours = {.addrs = cfg->addrs,
                                              .addr_count = cfg->addr_count,
                                              .gateway_v4 = cfg->gateway_v4,
                                              .gateway_v6 = cfg->gateway_v6,
                                              .is_quiet = is_quiet};
    memcpy(neighbours.mac, made.netif.mac, sizeof neighbours.mac);
    memcpy(neighbours.key, env.seed, sizeof neighbours.key);
    made.neighbours = hf_neighbours_new(&neighbours);
    if (made.neighbours == NULL)
        return hf_why_set(why, HF_E_MEMORY, ENOMEM, "%s: no memory for a table of neighbours",
                          cfg->interface);
    made.groups_fd = join_groups(cfg, made.netif.index);
    *e = made;
    return HF_OK;
}

void hf_ether_close(struct hf_ether *e)
{
    if (e->groups_fd >= 0)
        close(e->groups_fd);
    hf_neighbours_free(e->neighbours);
}

/* ---- frames --------------------------------------------------------------------------------- */

bool hf_ether_take(struct hf_ether *e, const uint8_t *frame, size_t bytes, hf_ns now,
                   struct hf_packet *p)
{
    bool sum_known = (p->flags & (HF_PACKET_CSUM_VALID | HF_PACKET_CSUM_PARTIAL)) != 0;
    switch (hf_neighbours_input(e->neighbours, frame, bytes, sum_known, now)) {
    case HF_FRAME_PACKET:
        p->bytes = frame + HF_ETHER_HEADER_BYTES;
        p->length_bytes = (uint32_t)(bytes - HF_ETHER_HEADER_BYTES);
        return true;
    case HF_FRAME_TAKEN: break;
    case HF_FRAME_MALFORMED: e->link.stats.in_malformed++; break;
    case HF_FRAME_FOREIGN: e->foreign++; break;
    }
    return false;
}

void hf_ether_flush(struct hf_ether *e, hf_ether_send_fn *send, hf_ns now)
{
    struct hf_ether_frame frame;
    e->retry_ns = HF_NEVER;
    while (hf_neighbours_output(e->neighbours, &frame)) {
        if (!send(e, &frame)) {
            e->retry_ns = now + FULL_RETRY_NS;
            return;
        }
        hf_neighbours_sent(e->neighbours);
    }
}

int hf_ether_look(struct hf_ether *e, hf_ns now)
{
    char name[IF_NAMESIZE];
    if (now < e->look_ns)
        return HF_OK;
    bool is_there = if_indextoname((unsigned)e->netif.index, name) != NULL;
    if (!is_there && errno == ENXIO) {
        e->link.stats.last_errno = ENODEV;
        return HF_E_DEVICE; /* and again, each time: the look stays due */
    }
    bool is_up = is_there && hf_netif_is_up(name);
    e->look_ns = is_up && !e->is_silent ? HF_NEVER : now + LOOK_NS;
    return HF_OK;
}

int hf_ether_is_down(struct hf_ether *e, hf_ns now)
{
    e->look_ns = now;
    return hf_ether_look(e, now);
}

hf_ns hf_ether_deadline(const struct hf_link *l)
{
    const struct hf_ether *e = (const struct hf_ether *)l;
    hf_ns at = hf_neighbours_deadline(e->neighbours);
    return hf_min_ns(hf_min_ns(at, e->retry_ns), e->look_ns);
}

void hf_ether_header(const struct hf_ether *e, const uint8_t to[HF_MAC_BYTES], uint16_t type,
                     uint8_t header[HF_ETHER_HEADER_BYTES])
{
    memcpy(header, to, HF_MAC_BYTES);
    memcpy(header + HF_MAC_BYTES, e->netif.mac, HF_MAC_BYTES);
    header[2 * HF_MAC_BYTES] = (uint8_t)(type >> 8);
    header[2 * HF_MAC_BYTES + 1] = (uint8_t)type;
}

uint16_t hf_ether_type(const struct hf_out_packet *p)
{
    return p->header[0] >> 4 == 6 ? HF_ETHER_IPV6 : HF_ETHER_IPV4;
}

struct hf_addr hf_ether_destination(const struct hf_out_packet *p)
{
    struct hf_addr to = HF_ADDR_ANY;
    const uint8_t *h = p->header;
    if (hf_ether_type(p) == HF_ETHER_IPV4)
        return hf_addr_v4(h[16], h[17], h[18], h[19]);
    memcpy(to.octets, h + 24, sizeof to.octets);
    return to;
}

void hf_link_ether_stats(struct hf_link *l, struct hf_ether_stats *stats)
{
    struct hf_ether *e = (struct hf_ether *)l;
    hf_neighbours_stats(e->neighbours, stats);
    stats->frames_foreign = e->foreign;
    stats->frames_lost = e->count_lost(e);
}
