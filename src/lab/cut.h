/**
 * What a link card does to packets: fills checksums in and cuts super-packets into segments.
 */
#ifndef HF_LAB_CUT_H
#define HF_LAB_CUT_H

#include "world.h"

/** Completes a checksum that was left to the link (HF_PACKET_CSUM_PARTIAL); other packets stay. */
void hf_frame_fill(struct hf_frame *f);

/** Cuts a super-packet into segments of segment_bytes and gives the original back; an ordinary
 *  packet is returned as it is, filled. The result is a list over `next`, in order. */
struct hf_frame *hf_frame_cut(struct hf_world *w, struct hf_frame *f);

#endif
