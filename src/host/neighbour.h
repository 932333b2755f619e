/**
 * Neighbours on an Ethernet link: who of them has which MAC, by ARP [RFC826] [RFC1122#2.3.2] and
 * neighbour discovery [RFC4861]. Frames in, frames out, time from the caller: no I/O.
 *
 * What is believed: answers about an address that was asked for or is known, and the askers for an
 * address of ours, if they are on the link. Nothing else makes an entry. A table of 512; whoever
 * floods it pushes out nobody that packets went to in the last minute.
 *
 * An entry is asked for three times, a second apart, then forgotten with the packets that wait for
 * it. One that was confirmed is trusted for 30 s; the next packet after that goes out all the same,
 * and three questions to that MAC alone find out if it is still right.
 */
#ifndef HF_HOST_NEIGHBOUR_H
#define HF_HOST_NEIGHBOUR_H

#include "resolve.h"

enum {
    HF_NEIGHBOURS_MAX = 512,
    HF_NEIGHBOUR_KEPT_MAX = 3,                /**< packets that wait for one neighbour */
    HF_NEIGHBOURS_KEPT_BYTES = 1024 * 1024,   /**< and for all of them */
    HF_NEIGHBOURS_WORDS_MAX = 64,             /**< questions and answers that wait to leave */
    HF_NEIGHBOURS_QUESTIONS_PER_SECOND = 100, /**< about addresses not known yet */
};

struct hf_neighbours;

struct hf_neighbours_config {
    uint8_t mac[HF_MAC_BYTES];
    const struct hf_ether_address *addrs;  /**< ours; copied */
    size_t addr_count;                     /**< 1 to HF_ETHER_ADDRS_MAX */
    struct hf_addr gateway_v4, gateway_v6; /**< unspecified: none */
    uint8_t key[16];                       /**< of the table's hash: nobody can guess it */
    bool is_quiet; /**< neither answers nor announces: another link of the interface does */
};

/** NULL: no memory. The first output announces our addresses [RFC5227#3] [RFC4861#7.2.6]. */
struct hf_neighbours *hf_neighbours_new(const struct hf_neighbours_config *cfg);
void hf_neighbours_free(struct hf_neighbours *n);

enum hf_frame_fate {
    HF_FRAME_PACKET,    /**< IP for us: behind the Ethernet header, to the frame's end */
    HF_FRAME_TAKEN,     /**< was about neighbours, and is done with */
    HF_FRAME_MALFORMED, /**< to be counted */
    HF_FRAME_FOREIGN,   /**< well, but not for us */
};

/** Takes a frame that came in. sum_known: the checksums in it need not be verified. */
enum hf_frame_fate hf_neighbours_input(struct hf_neighbours *n, const uint8_t *frame, size_t bytes,
                                       bool sum_known, hf_ns now);

enum hf_way {
    HF_WAY_KNOWN,   /**< *mac is filled */
    HF_WAY_ASKED,   /**< not known yet: hf_neighbours_keep */
    HF_WAY_NOWHERE, /**< no gateway, or no more questions now: the packet is lost, and counted */
};

/** Where a packet to this address goes next; asks if it must. */
enum hf_way hf_neighbours_find(struct hf_neighbours *n, const struct hf_addr *to, hf_ns now,
                               uint8_t mac[HF_MAC_BYTES]);
/** Copies a packet whose way was HF_WAY_ASKED in this instant; the oldest that waits for the same
 *  neighbour gives room. What finds none is counted as lost. */
void hf_neighbours_keep(struct hf_neighbours *n, const struct hf_addr *to,
                        const struct hf_out_packet *p);

/** A frame that is to leave. */
struct hf_ether_frame {
    uint8_t to[HF_MAC_BYTES];
    uint16_t type;
    struct hf_out_packet packet; /**< in one piece: header_bytes, then at most one slice */
    struct hf_slice rest;
};

/** The next frame to send, valid until it is sent or anything else is called; false: there is
 *  none. Answers and questions leave before packets that waited. */
bool hf_neighbours_output(struct hf_neighbours *n, struct hf_ether_frame *frame);
/** It has left. */
void hf_neighbours_sent(struct hf_neighbours *n);

/** When hf_neighbours_expire has work; HF_NEVER: nothing waits. */
hf_ns hf_neighbours_deadline(const struct hf_neighbours *n);
/** Asks again, or gives up. */
void hf_neighbours_expire(struct hf_neighbours *n, hf_ns now);

/** Its counters; those of a driver are 0. */
void hf_neighbours_stats(const struct hf_neighbours *n, struct hf_ether_stats *stats);

#endif
