/**
 * The virtio-net header, which TUN and packet sockets put before a packet: its facts as the core
 * speaks of them, both ways.
 */
#ifndef HF_HOST_VNET_H
#define HF_HOST_VNET_H

#include <handfast/host.h>

#include <linux/virtio_net.h>

/** What came in; false: it makes no sense to us. */
bool hf_vnet_read(const struct virtio_net_hdr *vnet, struct hf_packet *p);
/** For what goes out behind link_bytes of a link's header; false: the facts contradict each other,
 *  and the kernel would fill in a wrong checksum. */
bool hf_vnet_write(const struct hf_out_packet *p, unsigned link_bytes, struct virtio_net_hdr *vnet);

#endif
