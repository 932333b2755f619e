/**
 * A segment in words: the one short form that traces and transcripts share.
 *
 *     S seq 0 win 64240 <mss 1460,sackOK,TS,wscale 7>
 *     P. seq 1:1461(1460) ack 1
 *
 * Flags are those of tcpdump: S F R P U E W, A for AE, and `.` for ACK; `-` if there are none.
 */
#ifndef HF_SHOW_SEGMENT_TEXT_H
#define HF_SHOW_SEGMENT_TEXT_H

#include <handfast/handfast.h>

#include "text.h"

/** What is told beyond flags, numbers and length. A SYN's window and a window of 0 always are. */
enum hf_segment_detail {
    HF_DETAIL_WINDOW = 1,     /**< the window of every segment */
    HF_DETAIL_OPTIONS = 2,    /**< the options of SYNs, and SACK blocks */
    HF_DETAIL_TIMESTAMPS = 4, /**< timestamps of every segment, with their values */
    HF_DETAIL_PROSE = 8,      /**< for people only: `a, b` and `1..2` in place of `a,b` and `1:2` */
};

/** What sequence and acknowledgment numbers are counted from: 0, 0 leaves them absolute. */
struct hf_segment_bases {
    uint32_t seq, ack;
};

enum { HF_SEGMENT_TEXT_BYTES = 256, HF_FLAGS_TEXT_BYTES = 12 };

/** Writes the flags, NUL-terminated; returns the length. */
size_t hf_flags_text(uint16_t flags, char text[HF_FLAGS_TEXT_BYTES]);
/** number - base; small steps before the base as negative numbers rather than near 2^32. */
int64_t hf_relative(uint32_t number, uint32_t base);
/** Adds the options that `detail` asks for; false if there were none. */
bool hf_options_text(struct hf_text *t, const struct hf_segment *seg, struct hf_segment_bases bases,
                     unsigned detail);
/** Adds the whole segment. */
void hf_segment_text(struct hf_text *t, const struct hf_segment *seg, struct hf_segment_bases bases,
                     unsigned detail);

#endif
