/**
 * Diagrams. Owns layout and what of a series can be seen; plot_scale.c chooses the ticks.
 *
 * Coordinates are whole tenths of a pixel, so that the same data gives the same bytes whatever the
 * machine makes of the last bit of a double.
 */
#include "plot.h"

#include <float.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base.h"
#include "plot_scale.h"

enum {
    MARGIN = 12,
    AXIS_WIDTH = 68, /**< for ticks and the label of an axis at the side */
    TITLE_HEIGHT = 34,
    LEGEND_ROW = 18,
    AXIS_HEIGHT = 46, /**< below: ticks and label */
    SAMPLE_WIDTH = 24,
    LETTER_WIDTH = 7, /**< of text of 12 pixels, rather more than less */
    SPOT = 2,         /**< marks of one kind that lie in a square of this side are one */
    SPOTS_X = HF_PLOT_WIDTH / SPOT,
    SPOTS_Y = HF_PLOT_HEIGHT / SPOT,
    BAR_LEAST = 25, /**< tenths: what is too short to be seen is seen nevertheless */
    X_TICKS = 9,
    Y_TICKS = 6,
};

static const char *const colours[HF_PLOT_COLOURS] = {"#0072B2", "#D55E00", "#009E73", "#E69F00",
                                                     "#CC79A7", "#56B4E9", "#000000", "#8C8C8C"};

struct drawing {
    const struct hf_plot *plot;
    hf_sink_fn *sink;
    void *sink_ctx;
    int x0, y0, x1, y1; /**< the inside of the axes, in pixels; y0 is above y1 */
    struct hf_plot_scale x, left, right;
};

static void put(const struct drawing *d, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void put(const struct drawing *d, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    HF_ASSERT(n >= 0 && (size_t)n < sizeof text);
    d->sink(d->sink_ctx, text, (size_t)n);
}

/** Text of others: markup in it is none. */
static void put_escaped(const struct drawing *d, const char *text)
{
    static const char special[] = "&<>\"'";
    static const char *const entities[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
    while (*text != '\0') {
        size_t n = strcspn(text, special);
        d->sink(d->sink_ctx, text, n);
        text += n;
        if (*text != '\0')
            put(d, "%s", entities[strchr(special, *text++) - special]);
    }
}

static bool is_shown(const struct hf_plot_series *s)
{
    return s->point_count > 0;
}

/* ---- where things are --------------------------------------------------------------------- */

/** Tenths of a pixel; far outside is as good as just outside. */
static int tenths(double pixels)
{
    double bounded = pixels < -1000 ? -1000 : pixels > 2000 ? 2000 : pixels;
    return (int)(bounded * 10 + 10000.5) - 10000;
}

static int x_at(const struct drawing *d, double seconds)
{
    double share = (seconds - d->x.from) / (d->x.until - d->x.from);
    return tenths(d->x0 + share * (d->x1 - d->x0));
}

static int y_on(const struct drawing *d, const struct hf_plot_scale *s, double value)
{
    double share = (value - s->from) / (s->until - s->from);
    return tenths(d->y1 - share * (d->y1 - d->y0));
}

static int y_at(const struct drawing *d, const struct hf_plot_series *s, double value)
{
    return y_on(d, s->on_right ? &d->right : &d->left, value);
}

static bool is_in_span(const struct hf_plot *p, const struct hf_plot_point *point)
{
    return point->x >= p->from_s && point->x <= p->until_s;
}

/** The values that an axis has to hold. */
static void widen(const struct hf_plot *p, const struct hf_plot_series *s, double *low,
                  double *high)
{
    for (size_t i = 0; i < s->point_count; i++) {
        const struct hf_plot_point *at = &s->points[i];
        if (!is_in_span(p, at))
            continue;
        double least = s->form == HF_PLOT_BARS ? at->low : at->high;
        *low = least < *low ? least : *low;
        *high = at->high > *high ? at->high : *high;
    }
}

static struct hf_plot_scale scale_of(const struct hf_plot *p, bool is_right)
{
    const struct hf_plot_axis *axis = is_right ? &p->right : &p->left;
    double low = DBL_MAX, high = -DBL_MAX;
    for (size_t i = 0; i < p->series_count; i++)
        if (p->series[i].on_right == is_right && !p->series[i].is_guest)
            widen(p, &p->series[i], &low, &high);
    if (high < low)
        low = high = 0;
    return hf_plot_scale_make(axis->unit, axis->from_data ? low : 0, high, Y_TICKS, false);
}

/* ---- the legend --------------------------------------------------------------------------- */

static void shape(const struct drawing *d, enum hf_plot_mark mark, int x, int y);

static void stroke(const struct drawing *d, const struct hf_plot_series *s)
{
    double width = s->form == HF_PLOT_BARS ? 1.6 : 1.4;
    if (s->form == HF_PLOT_MARKS && s->mark == HF_PLOT_DOT)
        width = 5;
    put(d, "fill=\"none\" stroke=\"%s\" stroke-width=\"%.1f\"", colours[s->colour], width);
    if (s->dashed)
        put(d, " stroke-dasharray=\"5 3\"");
    if (s->form == HF_PLOT_MARKS)
        put(d, " stroke-linecap=\"round\"");
}

static void sample(const struct drawing *d, const struct hf_plot_series *s, int x, int y)
{
    put(d, "<path ");
    stroke(d, s);
    put(d, " d=\"");
    if (s->form == HF_PLOT_MARKS)
        shape(d, s->mark, (x + SAMPLE_WIDTH / 2) * 10, y * 10);
    else if (s->form == HF_PLOT_BARS)
        put(d, "M%d %dv-8m5 6v-8m5 6v-8", x + 5, y + 6);
    else
        put(d, "M%d %dh%d", x, y, SAMPLE_WIDTH);
    put(d, "\"/>\n");
}

struct legend {
    size_t told;
    int x, y;
};

/** Moves to where an entry of this text has room; true if it is to be drawn there. */
static void place(const struct drawing *d, struct legend *l, const char *text)
{
    int width = SAMPLE_WIDTH + 22 + LETTER_WIDTH * (int)hf_text_columns(text, strlen(text));
    if (l->x > d->x0 && l->x + width > HF_PLOT_WIDTH - MARGIN) {
        l->x = d->x0;
        l->y += LEGEND_ROW;
    }
    l->x += width;
}

/** Draws it, or only finds out how much room it takes: the y of its last row. */
static int legend(const struct drawing *d, bool draw)
{
    struct legend l = {.x = d->x0, .y = TITLE_HEIGHT + LEGEND_ROW / 2};
    size_t beyond = 0;
    for (size_t i = 0; i < d->plot->series_count; i++) {
        const struct hf_plot_series *s = &d->plot->series[i];
        if (s->name == NULL || !is_shown(s))
            continue;
        if (l.told++ >= HF_PLOT_LEGEND_MAX) {
            beyond++;
            continue;
        }
        place(d, &l, s->name);
        if (!draw)
            continue;
        int columns = (int)hf_text_columns(s->name, strlen(s->name));
        int x = l.x - (SAMPLE_WIDTH + 22 + LETTER_WIDTH * columns);
        sample(d, s, x, l.y);
        put(d, "<text x=\"%d\" y=\"%d\">", x + SAMPLE_WIDTH + 6, l.y + 4);
        put_escaped(d, s->name);
        put(d, "</text>\n");
    }
    if (beyond > 0 && draw)
        put(d, "<text x=\"%d\" y=\"%d\">and %zu more</text>\n", l.x, l.y + 4, beyond);
    return l.y;
}

/* ---- axes --------------------------------------------------------------------------------- */

static void x_axis(const struct drawing *d)
{
    const struct hf_plot_scale *s = &d->x;
    for (double v = hf_plot_scale_first(s); v <= s->until + s->step * 1e-6; v += s->step) {
        int x = x_at(d, v);
        put(d, "<path class=\"g\" d=\"M%d.%d %dV%d\"/>", x / 10, x % 10, d->y0, d->y1);
        put(d, "<text class=\"m\" x=\"%d\" y=\"%d\">%.*f</text>\n", x / 10, d->y1 + 16, s->decimals,
            v / s->factor);
    }
    put(d, "<text class=\"m\" x=\"%d\" y=\"%d\">time (%s)</text>\n", (d->x0 + d->x1) / 2,
        d->y1 + 36, s->unit_name);
}

static void y_axis(const struct drawing *d, bool is_right)
{
    const struct hf_plot_scale *s = is_right ? &d->right : &d->left;
    const struct hf_plot_axis *axis = is_right ? &d->plot->right : &d->plot->left;
    if (axis->label == NULL)
        return;
    for (double v = hf_plot_scale_first(s); v <= s->until + s->step * 1e-6; v += s->step) {
        int y = y_on(d, s, v);
        if (!is_right) /* one grid is enough */
            put(d, "<path class=\"g\" d=\"M%d %d.%dH%d\"/>", d->x0, y / 10, y % 10, d->x1);
        put(d, "<text%s x=\"%d\" y=\"%d\">%.*f</text>\n", is_right ? "" : " class=\"e\"",
            is_right ? d->x1 + 6 : d->x0 - 6, y / 10 + 4, s->decimals, v / s->factor);
    }
    int x = is_right ? HF_PLOT_WIDTH - MARGIN : MARGIN + 6, y = (d->y0 + d->y1) / 2;
    put(d, "<text class=\"m\" transform=\"translate(%d %d) rotate(-90)\">", x, y);
    put_escaped(d, axis->label);
    if (axis->unit != HF_PLOT_PACKETS)
        put(d, " (%s)", s->unit_name);
    put(d, "</text>\n");
}

/* ---- series ------------------------------------------------------------------------------- */

/** A number of tenths, as short as it can be. */
static void put_tenths(const struct drawing *d, const char *before, int value)
{
    const char *sign = value < 0 ? "-" : "";
    int size = value < 0 ? -value : value;
    if (size % 10 == 0)
        put(d, "%s%s%d", before, sign, size / 10);
    else
        put(d, "%s%s%d.%d", before, sign, size / 10, size % 10);
}

static void shape(const struct drawing *d, enum hf_plot_mark mark, int x, int y)
{
    static const struct {
        int dx, dy;
        const char *path;
    } shapes[HF_PLOT_MARK_SHAPES] = {
        [HF_PLOT_CROSS] = {-35, -35, "l7 7m0-7l-7 7"},
        [HF_PLOT_TRIANGLE] = {0, -45, "l4 7.5h-8z"},
        [HF_PLOT_SQUARE] = {-35, -35, "h7v7h-7z"},
        [HF_PLOT_DIAMOND] = {0, -48, "l4.8 4.8l-4.8 4.8l-4.8-4.8z"},
        [HF_PLOT_PLUS] = {-45, 0, "h9m-4.5-4.5v9"},
        [HF_PLOT_WEDGE] = {0, 45, "l4-7.5h-8z"},
        [HF_PLOT_DOT] = {0, 0, "h.01"},
    };
    put_tenths(d, "M", x + shapes[mark].dx);
    put_tenths(d, " ", y + shapes[mark].dy);
    put(d, "%s", shapes[mark].path);
}

/** Marks that were drawn, by the spot where they lie. */
struct spots {
    unsigned char taken[(SPOTS_X * SPOTS_Y + 7) / 8];
};

static bool take_spot(struct spots *spots, int x, int y)
{
    int column = x / (10 * SPOT), row = y / (10 * SPOT);
    if (x < 0 || y < 0 || column >= SPOTS_X || row >= SPOTS_Y)
        return false;
    int bit = row * SPOTS_X + column;
    unsigned char mask = (unsigned char)(1u << bit % 8);
    bool is_free = (spots->taken[bit / 8] & mask) == 0;
    spots->taken[bit / 8] |= mask;
    return is_free;
}

static void marks(const struct drawing *d, const struct hf_plot_series *s)
{
    struct spots spots;
    memset(&spots, 0, sizeof spots);
    for (size_t i = 0; i < s->point_count; i++) {
        int x = x_at(d, s->points[i].x), y = y_at(d, s, s->points[i].high);
        if (is_in_span(d->plot, &s->points[i]) && take_spot(&spots, x, y))
            shape(d, s->mark, x, y);
    }
}

static void bars(const struct drawing *d, const struct hf_plot_series *s)
{
    int last_x = -1, last_low = 0, last_high = 0;
    for (size_t i = 0; i < s->point_count; i++) {
        int x = x_at(d, s->points[i].x);
        int low = y_at(d, s, s->points[i].low), high = y_at(d, s, s->points[i].high);
        if (!is_in_span(d->plot, &s->points[i]))
            continue;
        if (low - high < BAR_LEAST)
            low = high + BAR_LEAST;
        if (x == last_x && low <= last_low && high >= last_high)
            continue;
        put_tenths(d, "M", x);
        put_tenths(d, " ", low);
        put_tenths(d, "V", high);
        last_x = x;
        last_low = low;
        last_high = high;
    }
}

/** From the last point before the span, so that the line does not begin in the middle of nothing,
 *  to the first one behind it. */
static void line(const struct drawing *d, const struct hf_plot_series *s)
{
    size_t first = 0, end = 0;
    while (first + 1 < s->point_count && s->points[first + 1].x <= d->plot->from_s)
        first++;
    for (end = first; end < s->point_count && s->points[end].x <= d->plot->until_s;)
        end++;
    if (end < s->point_count)
        end++;
    int last_x = 0, last_y = 0;
    for (size_t i = first; i < end; i++) {
        int x = x_at(d, s->points[i].x), y = y_at(d, s, s->points[i].high);
        if (i > first && x == last_x && y == last_y)
            continue;
        if (i == first) {
            put_tenths(d, "M", x);
            put_tenths(d, " ", y);
        } else if (s->form == HF_PLOT_STEPS) {
            put_tenths(d, "H", x);
            put_tenths(d, "V", y);
        } else {
            put_tenths(d, "L", x);
            put_tenths(d, " ", y);
        }
        last_x = x;
        last_y = y;
    }
}

static void series(const struct drawing *d, const struct hf_plot_series *s)
{
    if (!is_shown(s))
        return;
    put(d, "<path ");
    stroke(d, s);
    put(d, " d=\"");
    switch (s->form) {
    case HF_PLOT_LINE:
    case HF_PLOT_STEPS: line(d, s); break;
    case HF_PLOT_BARS: bars(d, s); break;
    case HF_PLOT_MARKS: marks(d, s); break;
    }
    put(d, "\"/>\n");
}

/** Marks come last and may stand out over the edge: they are never far outside. */
static void all_series(const struct drawing *d, bool are_marks)
{
    for (size_t i = 0; i < d->plot->series_count; i++)
        if ((d->plot->series[i].form == HF_PLOT_MARKS) == are_marks)
            series(d, &d->plot->series[i]);
}

/* ---- the whole ---------------------------------------------------------------------------- */

static void head(const struct drawing *d)
{
    put(d,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
        "viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n",
        HF_PLOT_WIDTH, HF_PLOT_HEIGHT, HF_PLOT_WIDTH, HF_PLOT_HEIGHT);
    put(d, "<style>.g{stroke:#ddd}.m{text-anchor:middle}.e{text-anchor:end}</style>\n"
           "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n");
    put(d, "<text x=\"%d\" y=\"22\" font-size=\"15\" font-weight=\"bold\">", d->x0);
    put_escaped(d, d->plot->title);
    put(d, "</text>\n");
}

void hf_plot_draw(const struct hf_plot *plot, hf_sink_fn *sink, void *sink_ctx)
{
    bool has_right = plot->right.label != NULL;
    struct drawing d = {
        .plot = plot,
        .sink = sink,
        .sink_ctx = sink_ctx,
        .x0 = AXIS_WIDTH,
        .x1 = HF_PLOT_WIDTH - (has_right ? AXIS_WIDTH : 2 * MARGIN),
        .y1 = HF_PLOT_HEIGHT - AXIS_HEIGHT,
    };
    d.y0 = legend(&d, false) + LEGEND_ROW;
    d.x = hf_plot_scale_make(HF_PLOT_SECONDS, plot->from_s, plot->until_s, X_TICKS, true);
    d.left = scale_of(plot, false);
    d.right = scale_of(plot, true);
    head(&d);
    (void)legend(&d, true);
    x_axis(&d);
    y_axis(&d, false);
    y_axis(&d, true);
    put(&d, "<clipPath id=\"c\"><rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/></clipPath>\n",
        d.x0, d.y0 - 1, d.x1 - d.x0, d.y1 - d.y0 + 2);
    put(&d, "<g clip-path=\"url(#c)\">\n");
    all_series(&d, false);
    put(&d, "</g>\n<path fill=\"none\" stroke=\"#444\" d=\"M%d %dV%dH%d\"/>\n", d.x0, d.y0, d.y1,
        d.x1);
    if (has_right)
        put(&d, "<path fill=\"none\" stroke=\"#444\" d=\"M%d %dV%d\"/>\n", d.x1, d.y0, d.y1);
    all_series(&d, true);
    put(&d, "</svg>\n");
}
