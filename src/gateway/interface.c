/**
 * Sets up the interfaces of a new network namespace. The ioctls are the Linux layer's; here stands
 * what this namespace needs, in the order in which the kernel takes it.
 */
#include "gateway/interface.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/why.h"

/** Writes a setting of the interface's IPv6; without it things work too, so that a read-only
 *  /proc/sys is no failure. */
static void set_v6(const char *interface, const char *setting)
{
    char path[96];
    (void)snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/%s", interface, setting);
    char *value = strchr(path, '=');
    *value++ = '\0';
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t written = write(fd, value, strlen(value));
    (void)written;
    (void)close(fd);
}

/** No address of the kernel's own making, no talk about routers: nobody on the device answers. */
static void quieten_v6(const char *interface)
{
    set_v6(interface, "addr_gen_mode=1");
    set_v6(interface, "accept_ra=0");
    set_v6(interface, "router_solicitations=0");
}

/** 0, or the errno that says why there is no IPv6. The loopback's own address comes with "up". */
static int add_v6(const struct hf_namespace_config *cfg)
{
    struct hf_why why = {.sys_errno = 0};
    int err = hf_netif_add_address(cfg->interface, &cfg->addr_v6, cfg->prefix_v6_bits, &why);
    if (err == HF_OK)
        err = hf_netif_add_route(cfg->interface, &HF_ADDR_ANY, 0, &why);
    if (err == HF_OK)
        return 0;
    return why.sys_errno ? why.sys_errno : EINVAL;
}

/** All of it but the device itself and IPv6's address. A route needs the interface up. */
static int configure(const struct hf_namespace_config *cfg, struct hf_why *why)
{
    const struct hf_addr any_v4 = hf_addr_v4(0, 0, 0, 0);
    bool v4 = !hf_addr_equal(&cfg->addr_v4, &HF_ADDR_ANY);
    int err = hf_netif_up("lo", why);
    if (err == HF_OK && v4)
        err = hf_netif_add_address(cfg->interface, &cfg->addr_v4, cfg->prefix_v4_bits, why);
    if (err != HF_OK)
        return err;
    quieten_v6(cfg->interface);
    err = hf_netif_up(cfg->interface, why);
    if (err == HF_OK && v4)
        err = hf_netif_add_route(cfg->interface, &any_v4, 0, why);
    return err;
}

int hf_interface_make(const struct hf_namespace_config *cfg, int *tun_fd, int *ipv6_errno,
                      struct hf_why *why)
{
    const struct hf_tun_config tun = {.name = cfg->interface,
                                      .device = cfg->device,
                                      .mtu_bytes = cfg->mtu_bytes,
                                      .batch_packets = 1};
    struct hf_link *link;
    int err = hf_link_tun_open(&link, &tun, why);
    if (err != HF_OK)
        return err;
    int fd = -1;
    err = configure(cfg, why);
    if (err != HF_OK)
        goto close_link;
    /* The device outlives this link: its descriptor goes to the parent, which makes its own. */
    fd = fcntl(hf_link_fd(link), F_DUPFD_CLOEXEC, 0);
    if (fd < 0) {
        err = hf_why_set(why, hf_why_class(errno), errno, "duplicate the TUN descriptor: %s",
                         strerror(errno));
        goto close_link;
    }
    *ipv6_errno = hf_addr_equal(&cfg->addr_v6, &HF_ADDR_ANY) ? 0 : add_v6(cfg);
    *tun_fd = fd;
close_link:
    hf_link_close(link);
    return err;
}
