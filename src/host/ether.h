/**
 * What all drivers of an Ethernet share: the interface, our addresses on it, its neighbours.
 */
#ifndef HF_HOST_ETHER_H
#define HF_HOST_ETHER_H

#include "neighbour.h"
#include "netif.h"

struct hf_ether {
    struct hf_link link; /**< first: a driver begins with a struct hf_ether */
    struct hf_netif netif;
    struct hf_neighbours *neighbours;
    int groups_fd;  /**< holds our multicast groups; -1: none */
    hf_ns retry_ns; /**< when a word that found the device full is tried again; HF_NEVER: none */
    hf_ns look_ns;  /**< when the interface is looked after; HF_NEVER: it is up */
    bool is_silent; /**< nothing tells the driver that the interface goes: it is looked after */
    uint64_t foreign;
    uint64_t (*count_lost)(struct hf_ether *e); /**< the driver's: frames that found no room */
};

/**
 * Checks the configuration, the interface, and that no address of ours is the kernel's; makes the
 * table of neighbours and joins the groups that they are asked by. Fills all but link.ops. On
 * failure there is nothing to close.
 */
HF_MUST_CHECK int hf_ether_open(struct hf_ether *e, const struct hf_ether_config *cfg,
                                bool is_quiet, struct hf_why *why);
void hf_ether_close(struct hf_ether *e);

/** Takes a frame: true if it holds a packet for the stack, which is then in p->bytes and
 *  p->length_bytes; flags of p tell about checksums and stay. Counts any other. */
bool hf_ether_take(struct hf_ether *e, const uint8_t *frame, size_t bytes, hf_ns now,
                   struct hf_packet *p);

/** Sends one frame; false: the device is full. */
typedef bool hf_ether_send_fn(struct hf_ether *e, const struct hf_ether_frame *frame);
/** Sends what the neighbours have to say, and packets that waited for them. */
void hf_ether_flush(struct hf_ether *e, hf_ether_send_fn *send, hf_ns now);

/**
 * An error said that the interface is down. It may come back; or it goes for good later, of which
 * the kernel says nothing more, so that it is looked after once a second. HF_OK, or HF_E_DEVICE,
 * with the link's last_errno, if it is not there any more.
 */
HF_MUST_CHECK int hf_ether_is_down(struct hf_ether *e, hf_ns now);
/** The look that is due, with the same results; before each receive. */
HF_MUST_CHECK int hf_ether_look(struct hf_ether *e, hf_ns now);

/** Of the link's vtable. */
hf_ns hf_ether_deadline(const struct hf_link *l);

/** The header in front of a packet to this MAC. */
void hf_ether_header(const struct hf_ether *e, const uint8_t to[HF_MAC_BYTES], uint16_t type,
                     uint8_t header[HF_ETHER_HEADER_BYTES]);
/** Where a packet of the stack's goes. */
struct hf_addr hf_ether_destination(const struct hf_out_packet *p);
/** HF_ETHER_IPV4 or HF_ETHER_IPV6. */
uint16_t hf_ether_type(const struct hf_out_packet *p);

#endif
