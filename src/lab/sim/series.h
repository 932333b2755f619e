/**
 * Points over time, thinned as they come so that any run fits in the same memory, without losing
 * what can be seen: of each short span are kept the first, the least, the largest and the last
 * value. Spans grow as there are more points; a run with few points keeps them all.
 */
#ifndef HF_LAB_SIM_SERIES_H
#define HF_LAB_SIM_SERIES_H

#include <handfast/handfast.h>

#include "show/plot.h"

enum hf_series_kind {
    HF_SERIES_VALUES, /**< a curve */
    HF_SERIES_BARS,   /**< bars of one span become one bar from the least to the largest */
    HF_SERIES_ALL,    /**< nothing is left out */
};

enum { HF_SERIES_POINTS_MAX = 4096 };

/** Fields are for reading only; all-zero but for kind and span: empty. */
struct hf_series {
    enum hf_series_kind kind;
    hf_ns from_ns, until_ns; /**< points outside are not kept, but for the last one before */
    struct hf_plot_point *points;
    size_t count, capacity;
    hf_ns width_ns; /**< of a span; 0: not thinned so far */
    /* The span that is being filled: */
    bool is_open;
    int64_t span;
    struct hf_plot_point first, least, largest, last;
};

/** A value at a time; times never go back. Ends the program without memory, as all of the lab. */
void hf_series_add(struct hf_series *s, hf_ns at_ns, double value);
void hf_series_add_bar(struct hf_series *s, hf_ns at_ns, double low, double high);
/** Puts what is still being gathered among the points; before they are read. More may follow. */
void hf_series_finish(struct hf_series *s);
void hf_series_free(struct hf_series *s);

#endif
