/**
 * Draws one connection as a ladder: two lifelines, an arrow a segment, states at both sides where
 * they change, plain words between.
 *
 *     0.000     SYN-SENT │── SYN seq 0 win 64240 <mss 1460, sackOK, TS, wscale 7> ──▶│ SYN-RECEIVED
 *    20.000              │◀────────────────── SYN ACK seq 0 ack 1 ───────────────────│
 *
 * Rows are drawn as they come. The ladder finds the initial sequence numbers by itself and tells
 * numbers relative to them: the SYN is 0, the first byte 1. It shows an acknowledgment number
 * beside data when it is news, the window when it closes or opens again (or always, by style),
 * and marks what was sent before.
 */
#ifndef HF_SHOW_LADDER_H
#define HF_SHOW_LADDER_H

#include <handfast/handfast.h>

#include "text.h"

/** What became of a packet on its way. */
enum hf_fate {
    HF_FATE_DELIVERED,
    HF_FATE_LOST,
    HF_FATE_DUPLICATED, /**< arrives twice */
    HF_FATE_CORRUPTED,  /**< arrives with a bit flipped */
    HF_FATE_LATE,       /**< arrives behind its successor */
    HF_FATE_OVERFLOW,   /**< lost: the queue was full */
};

enum { HF_LADDER_STATE_UNKNOWN = -1 };

struct hf_ladder_row {
    hf_ns time_ns;
    bool left_to_right;
    enum hf_fate fate;
    struct hf_segment segment;
    int left_state, right_state; /**< enum hf_state after this row, or HF_LADDER_STATE_UNKNOWN */
    const char *note;            /**< plain words below the arrow, or NULL */
};

struct hf_ladder_style {
    unsigned width_columns; /**< 80..160; 0: 100 */
    bool ascii;
    bool colour;     /**< ANSI escape sequences */
    bool windows;    /**< the (scaled) window of every segment */
    bool scales;     /**< beside a scaled window its number in the header, and the scale */
    bool timestamps; /**< the values of timestamps */
    hf_ns gap_ns;    /**< a silence of this length is told; 0: one second */
    /** Whose time is told, up to 10 columns, as the rows have it; NULL: "time ms", since the first
     *  row. */
    const char *clock;
};

/** One direction: what the ladder knows of its sender's numbers. */
struct hf_ladder_side {
    const char *name;
    bool has_base, has_sent, has_acked, offered_wscale, window_closed;
    uint8_t wscale;
    uint32_t base;     /**< initial sequence number */
    uint32_t sent_max; /**< end of the highest segment, absolute */
    uint32_t acked;    /**< last acknowledgment number sent */
    int state;         /**< as drawn last */
};

/** A ladder in the making; memory of the caller, fields are the ladder's. */
struct hf_ladder {
    struct hf_ladder_style style;
    hf_sink_fn *sink;
    void *sink_ctx;
    struct hf_ladder_side left, right;
    unsigned lane_columns; /**< between the lifelines */
    bool started;
    hf_ns start_ns, last_ns;
};

/** Starts a ladder and draws its head. Names are kept by reference until the end. Time counts from
 *  the first row, unless the style names a clock. */
void hf_ladder_begin(struct hf_ladder *l, const struct hf_ladder_style *style, hf_sink_fn *sink,
                     void *sink_ctx, const char *left_name, const char *right_name);
void hf_ladder_add(struct hf_ladder *l, const struct hf_ladder_row *row);
/** A row without an arrow: states that changed by themselves, and a note (or NULL). */
void hf_ladder_pause(struct hf_ladder *l, hf_ns time_ns, int left_state, int right_state,
                     const char *note);
/** Words between the lifelines, wrapped. */
void hf_ladder_note(struct hf_ladder *l, const char *text);
void hf_ladder_end(struct hf_ladder *l);

#endif
