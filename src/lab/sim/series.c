/**
 * Thinning. When the points no longer fit, spans become twice as long and all points are put
 * through again.
 */
#include "series.h"

#include <stdlib.h>
#include <string.h>

#include "core/base.h"

enum { POINTS_FIRST = 64, POINTS_A_SPAN = 4 };
#define WIDTH_FIRST_NS HF_US(1)
#define NS_IN_SECOND 1e9

static void append(struct hf_series *s, const struct hf_plot_point *p)
{
    if (s->count == s->capacity) {
        s->capacity = s->capacity == 0 ? POINTS_FIRST : 2 * s->capacity;
        s->points = realloc(s->points, s->capacity * sizeof *s->points);
        HF_ASSERT(s->points != NULL);
    }
    s->points[s->count++] = *p;
}

static bool is_same(const struct hf_plot_point *a, const struct hf_plot_point *b)
{
    return a->x >= b->x && a->x <= b->x && a->high >= b->high && a->high <= b->high;
}

/** The points of the span in order of time, each once. */
static void close_span(struct hf_series *s)
{
    if (!s->is_open)
        return;
    s->is_open = false;
    if (s->kind == HF_SERIES_BARS) {
        s->first.low = s->least.low;
        s->first.high = s->largest.high;
        append(s, &s->first);
        return;
    }
    bool least_first = s->least.x <= s->largest.x;
    const struct hf_plot_point *order[POINTS_A_SPAN] = {
        &s->first, least_first ? &s->least : &s->largest, least_first ? &s->largest : &s->least,
        &s->last};
    for (int i = 0; i < POINTS_A_SPAN; i++)
        if (i == 0 || !is_same(order[i], order[i - 1]))
            append(s, order[i]);
}

static void gather(struct hf_series *s, const struct hf_plot_point *p)
{
    int64_t span = (int64_t)(p->x * NS_IN_SECOND) / s->width_ns;
    if (s->is_open && span != s->span)
        close_span(s);
    if (!s->is_open) {
        s->is_open = true;
        s->span = span;
        s->first = s->least = s->largest = s->last = *p;
        return;
    }
    if (p->low < s->least.low)
        s->least = *p;
    if (p->high > s->largest.high)
        s->largest = *p;
    s->last = *p;
}

static void thin(struct hf_series *s)
{
    while (s->count + POINTS_A_SPAN > HF_SERIES_POINTS_MAX) {
        struct hf_plot_point *points = s->points;
        size_t count = s->count;
        close_span(s); /* stays behind the others: its points come last */
        points = s->points;
        count = s->count;
        s->points = NULL;
        s->count = s->capacity = 0;
        s->width_ns *= 2;
        for (size_t i = 0; i < count; i++)
            gather(s, &points[i]);
        free(points);
    }
}

static void add(struct hf_series *s, hf_ns at_ns, const struct hf_plot_point *p)
{
    if (at_ns > s->until_ns)
        return;
    if (at_ns < s->from_ns) {
        /* What held when the span that is shown began. */
        s->count = 0;
        if (s->kind == HF_SERIES_VALUES)
            append(s, p);
        return;
    }
    if (s->kind == HF_SERIES_ALL) {
        append(s, p);
        return;
    }
    if (s->width_ns == 0)
        s->width_ns = WIDTH_FIRST_NS;
    gather(s, p);
    thin(s);
}

void hf_series_add(struct hf_series *s, hf_ns at_ns, double value)
{
    add(s, at_ns, &(struct hf_plot_point){(double)at_ns / NS_IN_SECOND, value, value});
}

void hf_series_add_bar(struct hf_series *s, hf_ns at_ns, double low, double high)
{
    add(s, at_ns, &(struct hf_plot_point){(double)at_ns / NS_IN_SECOND, low, high});
}

void hf_series_finish(struct hf_series *s)
{
    close_span(s);
}

void hf_series_free(struct hf_series *s)
{
    free(s->points);
    *s = (struct hf_series){.kind = s->kind, .from_ns = s->from_ns, .until_ns = s->until_ns};
}
