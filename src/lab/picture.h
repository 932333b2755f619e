/**
 * Keeps what happened between two sides, to be drawn as a ladder afterwards.
 *
 * Rows stand in the order of sending. The sender's state is that after sending; the receiver's is
 * told on the row that caused it, or on a row of its own where others came between.
 */
#ifndef HF_LAB_PICTURE_H
#define HF_LAB_PICTURE_H

#include "show/ladder.h"

enum hf_picture_kind { HF_PICTURE_ARROW, HF_PICTURE_STATES, HF_PICTURE_NOTE };

struct hf_picture_item {
    enum hf_picture_kind kind;
    struct hf_ladder_row row; /**< note: unused, the words are in `words` */
    char words[120];
};

struct hf_picture {
    struct hf_picture_item *items;
    size_t count, capacity;
    int state[2];      /**< as noted last; [0] is the left side */
    size_t told_at[2]; /**< count when a row last told the side's state, before this turn */
    size_t told_next[2];
    bool with_reasons; /**< why states change is noted too */
};

void hf_picture_init(struct hf_picture *p);
void hf_picture_free(struct hf_picture *p);
/** A side begins to work: what it sends from here on comes after what it was sent before. */
void hf_picture_turn(struct hf_picture *p, unsigned side);
/** A packet was sent by `side`, now in `state`. Returns its mark, 0 if it is no TCP. */
uint32_t hf_picture_sent(struct hf_picture *p, unsigned side, int state, hf_ns now,
                         const uint8_t *bytes, size_t length_bytes, enum hf_fate fate);
/** The packet of that mark (0: none) was taken by `side`, or time passed: it is in `state` now. */
void hf_picture_state(struct hf_picture *p, unsigned side, int state, uint32_t mark, hf_ns now);
/** Words from a trace event of a side called `name`, if it is one that a reader wants explained. */
void hf_picture_trace(struct hf_picture *p, const char *name, const struct hf_trace_event *event);
void hf_picture_note(struct hf_picture *p, hf_ns now, const char *words);
void hf_picture_draw(const struct hf_picture *p, const struct hf_ladder_style *style,
                     hf_sink_fn *sink, void *sink_ctx, const char *left_name,
                     const char *right_name);

#endif
