/**
 * What a link card does to packets: fills checksums in and cuts super-packets into segments.
 */
#ifndef HF_LAB_CUT_H
#define HF_LAB_CUT_H

#include "world.h"

/** A packet, and how it falls into pieces. Fields are for reading only. */
struct hf_cut {
    struct hf_packet packet; /**< its bytes have to stay for as long as pieces are taken */
    uint32_t count;          /**< of pieces; 1: it stays whole */
    bool v4;
    /** 6 (TCP), 17 (UDP), 1 or 58 (ICMP) if the checksum's place is known, else 0: other protocols,
     *  fragments, and what is no IP. */
    uint8_t protocol;
    uint32_t ip_bytes;       /**< up to the transport header, IPv6 extension headers included */
    uint32_t header_bytes;   /**< in front of the payload that is cut */
    uint32_t checksum_bytes; /**< offset of the checksum in the transport header */
};

/** Looks at a packet. Whatever its bytes are, its pieces can be taken. */
void hf_cut_plan(struct hf_cut *c, const struct hf_packet *packet);
/** The length of a piece, nth < count. */
uint32_t hf_cut_piece_bytes(const struct hf_cut *c, uint32_t nth);
/** Writes a piece with its checksum filled in; `to` has room for it. */
void hf_cut_piece(const struct hf_cut *c, uint32_t nth, uint8_t *to);

/** Completes a checksum that was left to the link (HF_PACKET_CSUM_PARTIAL); other packets stay. */
void hf_frame_fill(struct hf_frame *f);

/** Cuts a super-packet into segments of segment_bytes and gives the original back; an ordinary
 *  packet is returned as it is, filled. The result is a list over `next`, in order. */
struct hf_frame *hf_frame_cut(struct hf_world *w, struct hf_frame *f);

#endif
