/**
 * A filter for packet sockets (classic BPF): lets frames up that are for addresses of ours, and
 * messages about neighbours.
 */
#ifndef HF_HOST_PACKET_FILTER_H
#define HF_HOST_PACKET_FILTER_H

#include <handfast/host.h>

#include <linux/filter.h>

enum { HF_PACKET_FILTER_MAX = 512 }; /**< instructions */

enum hf_filter_part {
    HF_FILTER_ALL,
    HF_FILTER_PACKETS,  /**< without the messages */
    HF_FILTER_MESSAGES, /**< ARP and neighbour discovery alone */
};

/** Writes the program; its length. count: at most HF_ETHER_ADDRS_MAX. */
size_t hf_packet_filter(struct sock_filter program[HF_PACKET_FILTER_MAX], enum hf_filter_part part,
                        const struct hf_ether_address *addrs, size_t count);

#endif
