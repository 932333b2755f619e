/**
 * The arithmetic of an axis: which unit its numbers are told in, and where its ticks stand.
 */
#ifndef HF_SHOW_PLOT_SCALE_H
#define HF_SHOW_PLOT_SCALE_H

#include "plot.h"

struct hf_plot_scale {
    double from, until;    /**< the values at both ends; from < until */
    double step;           /**< between ticks: 1, 2 or 5 times a power of ten of the told unit */
    double factor;         /**< a value divided by this is what the tick says */
    const char *unit_name; /**< "ms", "MB", "Mbit/s" */
    int decimals;          /**< of the ticks' numbers */
};

/** A scale that holds low to high with about so many ticks. Unless it is exact, its ends are moved
 *  out to ticks. */
struct hf_plot_scale hf_plot_scale_make(enum hf_plot_unit unit, double low, double high,
                                        unsigned ticks, bool is_exact);
/** The first tick; the others follow by steps. */
double hf_plot_scale_first(const struct hf_plot_scale *s);

#endif
