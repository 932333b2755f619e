/**
 * A diagram of series over time as an SVG file: axes with round ticks and units, a legend, lines,
 * bars and marks. Pure: text goes to a sink.
 *
 * Colours are those of Okabe and Ito, which people of any colour vision can tell apart; marks
 * differ in shape as well. What falls on the same spot is drawn once, so that the size of a file is
 * bounded by the size of the picture and not by the length of the run.
 */
#ifndef HF_SHOW_PLOT_H
#define HF_SHOW_PLOT_H

#include <stdbool.h>
#include <stddef.h>

#include "text.h"

enum hf_plot_unit {
    HF_PLOT_SECONDS,
    HF_PLOT_BYTES,
    HF_PLOT_BITS_PER_SECOND,
    HF_PLOT_PACKETS,
};

enum hf_plot_colour {
    HF_PLOT_BLUE,
    HF_PLOT_VERMILION,
    HF_PLOT_GREEN,
    HF_PLOT_ORANGE,
    HF_PLOT_PURPLE,
    HF_PLOT_SKY,
    HF_PLOT_BLACK,
    HF_PLOT_GREY,
    HF_PLOT_COLOURS, /**< how many there are */
};

enum hf_plot_form {
    HF_PLOT_LINE,  /**< point to point */
    HF_PLOT_STEPS, /**< a value holds until the next one */
    HF_PLOT_BARS,  /**< each point a bar from low to high */
    HF_PLOT_MARKS, /**< each point a mark at high */
};

enum hf_plot_mark {
    HF_PLOT_CROSS,
    HF_PLOT_TRIANGLE,
    HF_PLOT_SQUARE,
    HF_PLOT_DIAMOND,
    HF_PLOT_PLUS,
    HF_PLOT_WEDGE, /**< a triangle on its tip */
    HF_PLOT_DOT,
    HF_PLOT_MARK_SHAPES, /**< how many there are */
};

/** x and y in the axis' unit: seconds, bytes, bits a second, packets. */
struct hf_plot_point {
    double x, low, high; /**< low of bars only */
};

struct hf_plot_series {
    const char *name; /**< in the legend; NULL: not told there */
    enum hf_plot_form form;
    enum hf_plot_mark mark; /**< of marks */
    enum hf_plot_colour colour;
    bool dashed;
    bool on_right;                      /**< measured by the right axis */
    bool is_guest;                      /**< does not widen the axis: what lies beyond is cut off */
    const struct hf_plot_point *points; /**< in order of x */
    size_t point_count;
};

struct hf_plot_axis {
    const char *label; /**< without the unit; NULL: there is no such axis */
    enum hf_plot_unit unit;
    bool from_data; /**< begins at the least value; else at 0 */
};

enum { HF_PLOT_WIDTH = 900, HF_PLOT_HEIGHT = 420, HF_PLOT_LEGEND_MAX = 16 };

struct hf_plot {
    const char *title;
    struct hf_plot_axis left, right;
    double from_s, until_s; /**< the span of time that is shown */
    const struct hf_plot_series *series;
    size_t series_count; /**< the legend tells HF_PLOT_LEGEND_MAX of them, and how many more */
};

/** Draws a picture of HF_PLOT_WIDTH by HF_PLOT_HEIGHT. Series without points are left out. */
void hf_plot_draw(const struct hf_plot *plot, hf_sink_fn *sink, void *sink_ctx);

#endif
