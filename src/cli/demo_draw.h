/**
 * Draws the demo's connection from a stack's trace events, as they happen: the ladder, and a line
 * of plain words at each turning point.
 */
#ifndef HF_CLI_DEMO_DRAW_H
#define HF_CLI_DEMO_DRAW_H

#include "show/guess.h"
#include "show/ladder.h"

struct hf_demo_draw {
    struct hf_ladder ladder;
    struct hf_ladder_style style;
    const char *intro, *client_name, *own_name;
    bool started;              /**< the ladder has its head */
    struct hf_endpoint client; /**< the one connection that is drawn */
    enum hf_state state;       /**< of Handfast's side */
    struct hf_guess peer;      /**< of the other */
    bool row_waits;            /**< a segment whose consequences are still coming */
    struct hf_ladder_row row;
    const char *note; /**< to be said after that row */
    unsigned told;    /**< which notes were said: each once */
    uint64_t segments;
    hf_ns time_wait_ns;       /**< how long it lasts */
    hf_ns time_wait_until_ns; /**< 0: not in TIME-WAIT yet */
    int seconds_told;         /**< of the countdown: the last one; 0: none yet */
};

/** Draws nothing before the first segment, then the intro first. Texts are kept by reference. */
void hf_demo_draw_init(struct hf_demo_draw *d, const struct hf_ladder_style *style,
                       const char *intro, const char *client_name, const char *own_name,
                       hf_ns time_wait_ns);
/** The trace sink of the stack that is drawn; ctx is the struct hf_demo_draw, or NULL. */
void hf_demo_trace(void *ctx, const struct hf_trace_event *e);
/** Tells how much of TIME-WAIT is left, each whole second once. Returns when the next is due. */
hf_ns hf_demo_draw_count_down(struct hf_demo_draw *d, hf_ns now);
void hf_demo_draw_end(struct hf_demo_draw *d);

#endif
