/* Plots: ticks that people can read, text that is well-formed, and a size that no data breaks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab/dice.h"
#include "show/plot.h"
#include "show/plot_scale.h"
#include "support/xml.h"

enum { TEXT_BYTES = 1 << 22, MANY = 200000 };

static char text[TEXT_BYTES];
static size_t text_bytes;

static void keep(void *ctx, const char *piece, size_t n)
{
    (void)ctx;
    assert_true(text_bytes + n < sizeof text);
    memcpy(text + text_bytes, piece, n);
    text_bytes += n;
    text[text_bytes] = '\0';
}

static void draw(const struct hf_plot *p)
{
    text_bytes = 0;
    hf_plot_draw(p, keep, NULL);
    const char *fault = xml_fault(text, text_bytes);
    if (fault != NULL)
        fail_msg("%s", fault);
}

static unsigned count(const char *piece)
{
    unsigned n = 0;
    for (const char *p = text; (p = strstr(p, piece)) != NULL; p += strlen(piece))
        n++;
    return n;
}

/* ---- scales ---- */

static void is_near(double a, double b)
{
    double size = b < 0 ? -b : b, off = a > b ? a - b : b - a;
    if (off > 1e-9 * (size > 1 ? size : 1) && off > 1e-9 * size)
        fail_msg("%.12g is not %.12g", a, b);
}

static void ticks_are_round_in_the_unit_that_is_told(void **state)
{
    static const struct {
        enum hf_plot_unit unit;
        double low, high;
        const char *name;
        double step, until;
        int decimals;
    } cases[] = {
        {HF_PLOT_SECONDS, 0, 0.112, "ms", 0.02, 0.12, 0},
        {HF_PLOT_SECONDS, 0, 30, "s", 5, 30, 0},
        {HF_PLOT_SECONDS, 1.9, 2.4, "s", 0.1, 2.4, 1},
        {HF_PLOT_SECONDS, 0, 0.000004, "µs", 0.000001, 0.000004, 0},
        {HF_PLOT_BYTES, 0, 262144, "kB", 50000, 300000, 0},
        {HF_PLOT_BYTES, 0, 10485760, "MB", 2e6, 12e6, 0},
        {HF_PLOT_BYTES, 0, 3, "bytes", 1, 3, 0},
        {HF_PLOT_BITS_PER_SECOND, 0, 9.6e6, "Mbit/s", 2e6, 10e6, 0},
        {HF_PLOT_BITS_PER_SECOND, 0, 1.2e9, "Gbit/s", 0.2e9, 1.2e9, 1},
        {HF_PLOT_PACKETS, 0, 50, "packets", 10, 50, 0},
        {HF_PLOT_PACKETS, 0, 1, "packets", 1, 1, 0},
        {HF_PLOT_PACKETS, 0, 0, "packets", 1, 1, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hf_plot_scale s =
            hf_plot_scale_make(cases[i].unit, cases[i].low, cases[i].high, 6, false);
        assert_string_equal(s.unit_name, cases[i].name);
        is_near(s.step, cases[i].step);
        is_near(s.until, cases[i].until);
        assert_int_equal(s.decimals, cases[i].decimals);
    }
}

/* Whatever the range: it lies within the scale, and the ticks are neither one nor a wall. */
static void any_range_gets_a_few_ticks(void **state)
{
    struct hf_dice dice = {7};
    (void)state;
    for (int i = 0; i < 20000; i++) {
        double low = (double)hf_dice_below(&dice, 1000000) * 1e-3;
        double high =
            low +
            (double)(1 + hf_dice_below(&dice, UINT64_C(1) << hf_dice_below(&dice, 40))) * 1e-4;
        enum hf_plot_unit unit = (enum hf_plot_unit)hf_dice_below(&dice, HF_PLOT_PACKETS + 1);
        struct hf_plot_scale s = hf_plot_scale_make(unit, low, high, 6, false);
        assert_true(s.from <= low * (1 + 1e-6) && s.until >= high * (1 - 1e-6));
        assert_true(s.until > s.from && s.step > 0);
        assert_true((s.until - s.from) / s.step < 9);
        assert_true(s.decimals >= 0 && s.decimals < 10);
    }
}

/* ---- drawings ---- */

static const struct hf_plot_point few[] = {{0, 0, 10}, {0.5, 10, 20}, {1, 20, 30}};

static struct hf_plot_series series_of(const char *name, enum hf_plot_form form)
{
    return (struct hf_plot_series){.name = name, .form = form, .points = few, .point_count = 3};
}

static struct hf_plot plot_of(const struct hf_plot_series *series, size_t n)
{
    return (struct hf_plot){
        .title = "A title",
        .left = {"height", HF_PLOT_BYTES, false},
        .until_s = 1,
        .series = series,
        .series_count = n,
    };
}

static void has_axes_a_legend_and_every_form(void **state)
{
    const struct hf_plot_series series[] = {
        series_of("line", HF_PLOT_LINE),
        series_of("steps", HF_PLOT_STEPS),
        series_of("bars", HF_PLOT_BARS),
        series_of("marks", HF_PLOT_MARKS),
    };
    struct hf_plot p = plot_of(series, 4);
    (void)state;
    p.right = (struct hf_plot_axis){"other", HF_PLOT_SECONDS, false};
    draw(&p);
    static const char *const wanted[] = {"width=\"900\" height=\"420\"",
                                         ">A title<",
                                         ">time (s)<",
                                         ">height (bytes)<",
                                         ">other (",
                                         ">line<",
                                         ">steps<",
                                         ">bars<",
                                         ">marks<",
                                         ">30<",
                                         "fill=\"#fff\"",
                                         "</svg>\n"};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (strstr(text, wanted[i]) == NULL)
            fail_msg("%s is not there", wanted[i]);
    /* From (0, 10) to (1, 30) on axes that end at 30: x from 68 to 832, y from 61 to 374. */
    assert_non_null(strstr(text, "d=\"M68 269.7L450 165.3L832 61\""));
    assert_non_null(strstr(text, "d=\"M68 269.7H450V165.3H832V61\""));
    assert_non_null(strstr(text, "d=\"M68 374V269.7M450 269.7V165.3M832 165.3V61\""));
}

static void markup_in_names_is_text(void **state)
{
    struct hf_plot_series series = series_of("a<b & \"c\"'>", HF_PLOT_LINE);
    struct hf_plot p = plot_of(&series, 1);
    (void)state;
    p.title = "</svg><script>";
    draw(&p);
    assert_null(strstr(text, "<script"));
    assert_non_null(strstr(text, ">&lt;/svg&gt;&lt;script&gt;<"));
    assert_non_null(strstr(text, ">a&lt;b &amp; &quot;c&quot;&#39;&gt;<"));
}

static void nothing_to_draw_is_no_trouble(void **state)
{
    struct hf_plot_series series = series_of("none", HF_PLOT_LINE);
    struct hf_plot p = plot_of(&series, 1);
    (void)state;
    series.point_count = 0;
    draw(&p);
    assert_null(strstr(text, ">none<"));
    p.series_count = 0;
    p.until_s = 0;
    draw(&p);
}

static void a_guest_does_not_widen_the_axis(void **state)
{
    static const struct hf_plot_point high[] = {{0, 1e9, 1e9}, {1, 1e9, 1e9}};
    struct hf_plot_series series[] = {series_of("own", HF_PLOT_LINE),
                                      {.name = "guest", .points = high, .point_count = 2}};
    struct hf_plot p = plot_of(series, 2);
    (void)state;
    draw(&p);
    assert_non_null(strstr(text, ">height (GB)<"));
    series[1].is_guest = true;
    draw(&p);
    assert_non_null(strstr(text, ">height (bytes)<"));
}

static void a_long_legend_says_how_many_are_left_out(void **state)
{
    struct hf_plot_series series[HF_PLOT_LEGEND_MAX + 5];
    char names[HF_PLOT_LEGEND_MAX + 5][16];
    (void)state;
    for (int i = 0; i < HF_PLOT_LEGEND_MAX + 5; i++) {
        snprintf(names[i], sizeof names[i], "name%d", i);
        series[i] = series_of(names[i], HF_PLOT_LINE);
    }
    struct hf_plot p = plot_of(series, HF_PLOT_LEGEND_MAX + 5);
    draw(&p);
    assert_int_equal(count(">name"), HF_PLOT_LEGEND_MAX);
    assert_non_null(strstr(text, ">and 5 more<"));
}

/* Points outside of the span are not drawn, but the line comes from and goes to them. */
static void only_the_span_is_drawn(void **state)
{
    static const struct hf_plot_point points[] = {{0, 0, 1}, {1, 0, 2}, {2, 0, 3},
                                                  {3, 0, 4}, {4, 0, 5}, {5, 0, 6}};
    struct hf_plot_series series = {
        .name = "m", .form = HF_PLOT_MARKS, .points = points, .point_count = 6};
    struct hf_plot p = plot_of(&series, 1);
    (void)state;
    p.from_s = 1.5;
    p.until_s = 3.5;
    draw(&p);
    assert_int_equal(count("l7 7m0-7l-7 7"), 2 + 1); /* and one in the legend */
    series.form = HF_PLOT_LINE;
    draw(&p);
    const char *path = strstr(text, "d=\"M-");
    assert_non_null(path);
    unsigned corners = 0;
    for (const char *c = path; *c != '/'; c++)
        corners += *c == 'L';
    assert_int_equal(corners, 3); /* 2, 3 and 4 */
}

/* ---- size ---- */

static struct hf_plot_point many[MANY];

static void fill_many(unsigned spread)
{
    struct hf_dice dice = {11};
    for (int i = 0; i < MANY; i++) {
        double high = (double)i + (double)hf_dice_below(&dice, spread + 1);
        many[i] = (struct hf_plot_point){(double)i / MANY, high - 1, high};
    }
}

static void no_mark_is_lost_and_none_is_drawn_twice(void **state)
{
    struct hf_plot_series series = {
        .name = "m", .form = HF_PLOT_MARKS, .points = many, .point_count = MANY};
    struct hf_plot p = plot_of(&series, 1);
    (void)state;
    fill_many(0);
    draw(&p);
    /* A diagonal of 808 by 312 pixels, in spots of 2 by 2: each is marked, and once. */
    assert_in_range(count("l7 7m0-7l-7 7"), 404, 404 + 157 + 2);
    assert_true(text_bytes < 20000);
}

static void size_is_bounded_by_the_picture(void **state)
{
    static const enum hf_plot_form forms[] = {HF_PLOT_LINE, HF_PLOT_STEPS, HF_PLOT_BARS,
                                              HF_PLOT_MARKS};
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct hf_plot_series series = {
            .name = "m", .form = forms[i], .points = many, .point_count = MANY};
        struct hf_plot p = plot_of(&series, 1);
        fill_many(0);
        draw(&p);
        /* In tenths of a pixel, a corner wherever x or y is another. */
        assert_true(text_bytes < (size_t)(8080 + 3130) * 22);
    }
    /* The worst: marks in every spot. */
    struct hf_plot_series series = {
        .name = "m", .form = HF_PLOT_MARKS, .points = many, .point_count = MANY};
    struct hf_plot p = plot_of(&series, 1);
    fill_many(MANY);
    draw(&p);
    assert_true(text_bytes < (size_t)30 * 404 * 160);
}

/* The checker itself: what it lets through would be let through everywhere. */
static void the_checker_finds_fault(void **state)
{
    static const char *const bad[] = {"",
                                      "a",
                                      "<a>",
                                      "<a></b>",
                                      "<a b=c/>",
                                      "<a b=\"1\" b=\"2\"/>",
                                      "<a/><b/>",
                                      "<a>&</a>",
                                      "<a>x < y</a>",
                                      "<a b=\"<\"/>",
                                      "<a/>x",
                                      "</a>",
                                      "<a>\001</a>",
                                      "<a b=\"1\"c=\"2\"/>"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (xml_fault(bad[i], strlen(bad[i])) == NULL)
            fail_msg("let through: %s", bad[i]);
    static const char good[] = "<a b=\"1\" c=\"&lt;\">x &amp; y<d/><e>1</e></a>\n";
    assert_null(xml_fault(good, sizeof good - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ticks_are_round_in_the_unit_that_is_told),
        cmocka_unit_test(any_range_gets_a_few_ticks),
        cmocka_unit_test(has_axes_a_legend_and_every_form),
        cmocka_unit_test(markup_in_names_is_text),
        cmocka_unit_test(nothing_to_draw_is_no_trouble),
        cmocka_unit_test(a_guest_does_not_widen_the_axis),
        cmocka_unit_test(a_long_legend_says_how_many_are_left_out),
        cmocka_unit_test(only_the_span_is_drawn),
        cmocka_unit_test(no_mark_is_lost_and_none_is_drawn_twice),
        cmocka_unit_test(size_is_bounded_by_the_picture),
        cmocka_unit_test(the_checker_finds_fault),
    };
    return cmocka_run_group_tests_name("plot", tests, NULL, NULL);
}
