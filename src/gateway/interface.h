/**
 * The interfaces of a new network namespace: a TUN device, the loopback, addresses, routes.
 */
#ifndef HF_GATEWAY_INTERFACE_H
#define HF_GATEWAY_INTERFACE_H

#include "gateway/namespace.h"

/**
 * Makes the configured TUN device in the calling thread's network namespace and brings it and the
 * loopback up, with default routes over the device. IPv6 that can't be had is no failure:
 * *ipv6_errno (0: fine, or not asked for) tells. *tun_fd is non-blocking and close-on-exec, and
 * written on success only.
 */
HF_MUST_CHECK int hf_interface_make(const struct hf_namespace_config *cfg, int *tun_fd,
                                    int *ipv6_errno, struct hf_why *why);

#endif
