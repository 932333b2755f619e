/**
 * Offload facts in a virtio-net header. See vnet.h.
 */
#include "vnet.h"

bool hf_vnet_read(const struct virtio_net_hdr *vnet, struct hf_packet *p)
{
    if (vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
        p->flags |= HF_PACKET_CSUM_PARTIAL;
    if (vnet->flags & VIRTIO_NET_HDR_F_DATA_VALID)
        p->flags |= HF_PACKET_CSUM_VALID;
    switch (vnet->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
    case VIRTIO_NET_HDR_GSO_NONE: return true;
    case VIRTIO_NET_HDR_GSO_TCPV4:
    case VIRTIO_NET_HDR_GSO_TCPV6: p->segment_bytes = vnet->gso_size; return vnet->gso_size != 0;
    default: return false;
    }
}

bool hf_vnet_write(const struct hf_out_packet *p, unsigned link_bytes, struct virtio_net_hdr *vnet)
{
    *vnet = (struct virtio_net_hdr){0};
    if (p->flags & HF_PACKET_CSUM_PARTIAL) {
        vnet->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        vnet->csum_start = (uint16_t)(link_bytes + p->ip_bytes);
        vnet->csum_offset = p->checksum_offset;
    }
    if (p->segment_bytes == 0)
        return true;
    /* Each segment gets a checksum of its own: only the one who cuts can fill it in. */
    if (!(p->flags & HF_PACKET_CSUM_PARTIAL) || p->header_bytes == 0)
        return false;
    vnet->gso_type = p->header[0] >> 4 == 6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
    vnet->gso_size = p->segment_bytes;
    vnet->hdr_len = (uint16_t)(link_bytes + p->header_bytes);
    return true;
}
