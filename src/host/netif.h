/**
 * What the drivers ask about an interface, and whose an address is.
 */
#ifndef HF_HOST_NETIF_H
#define HF_HOST_NETIF_H

#include <handfast/host.h>

#include <net/if.h>

#include "resolve.h"

struct hf_netif {
    char name[IFNAMSIZ];
    int index;
    uint32_t mtu_bytes;
    uint8_t mac[HF_MAC_BYTES];
};

/** Looks at an Ethernet interface that is up; HF_E_DEVICE, and why, if it is not. */
HF_MUST_CHECK int hf_netif_find_ethernet(const char *name, struct hf_netif *out,
                                         struct hf_why *why);

/** False too if there is none of this name in the thread's network namespace. */
bool hf_netif_is_up(const char *name);

/** Whether the kernel takes packets to this address for its own, in the thread's network
 *  namespace. name: of the interface that has it, "" where only a route says so. */
bool hf_netif_is_kernels(const struct hf_addr *addr, char name[IFNAMSIZ]);

#endif
