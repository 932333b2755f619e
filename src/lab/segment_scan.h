/**
 * Reads a segment from text in the form of show/segment_text.h, for peers driven by hand:
 *
 *     S seq 0 win 1000 <mss 1000,sackOK,TS 1 0,wscale 2>
 *     P. seq 1:101(100) ack 1
 *     1.200 . ack 101                what comes first may be a time in seconds, for expectations
 *
 * All but the flags may be left out; `has_...` tells what was there.
 */
#ifndef HF_LAB_SEGMENT_SCAN_H
#define HF_LAB_SEGMENT_SCAN_H

#include <handfast/handfast.h>

struct hf_scanned {
    struct hf_segment segment; /**< numbers as written */
    hf_ns time_ns;
    bool has_time, has_seq, has_ack, has_window, has_urgent, has_options;
    bool has_length;    /**< payload was told (`seq 1:101` or `len 100`) */
    bool has_ts_values; /**< `TS value echo`, not `TS` alone */
    const char *fault;  /**< where reading stopped, or NULL */
};

/** False, with `fault` at the place that was not understood. */
bool hf_segment_scan(const char *text, struct hf_scanned *scanned);

#endif
