/**
 * Scales of axes. Steps are chosen in the unit that is told, so that a tick says 250 ms or 0.25 s
 * but never 0.00025 ks.
 */
#include "plot_scale.h"

struct prefix {
    double factor;
    const char *name;
};

enum { PREFIXES = 4 };

/** From large to small; the first that the largest value reaches is told. */
static const struct prefix prefixes[][PREFIXES] = {
    [HF_PLOT_SECONDS] = {{1, "s"}, {1e-3, "ms"}, {1e-6, "µs"}, {1e-9, "ns"}},
    [HF_PLOT_BYTES] = {{1e9, "GB"}, {1e6, "MB"}, {1e3, "kB"}, {1, "bytes"}},
    [HF_PLOT_BITS_PER_SECOND] = {{1e9, "Gbit/s"}, {1e6, "Mbit/s"}, {1e3, "kbit/s"}, {1, "bit/s"}},
    [HF_PLOT_PACKETS] = {{1, "packets"}, {1, "packets"}, {1, "packets"}, {1, "packets"}},
};

static const struct prefix *prefix_for(enum hf_plot_unit unit, double largest)
{
    const struct prefix *p = prefixes[unit];
    for (int i = 0; i < PREFIXES - 1; i++, p++)
        if (largest >= p->factor)
            return p;
    return p;
}

/* The mathematical library is not needed for this, and would be one more thing to link. */

static double floor_of(double v)
{
    double whole = (double)(long long)v;
    return whole > v ? whole - 1 : whole;
}

static double ceil_of(double v)
{
    return 0 - floor_of(-v); /* not -0, which would be told with its sign */
}

static double size_of(double v)
{
    return v < 0 ? -v : v;
}

/** The least of 1, 2, 5 times a power of ten that is not below, and how many decimals it has. */
static double round_step(double least, int *decimals)
{
    static const double steps[] = {1, 2, 5};
    double power = 1;
    *decimals = 0;
    for (; power * 10 <= least * (1 + 1e-9); power *= 10)
        --*decimals;
    for (; power > least * (1 + 1e-9); power /= 10)
        ++*decimals;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (steps[i] * power >= least * (1 - 1e-9))
            return steps[i] * power;
    --*decimals;
    return 10 * power;
}

struct hf_plot_scale hf_plot_scale_make(enum hf_plot_unit unit, double low, double high,
                                        unsigned ticks, bool is_exact)
{
    double largest = size_of(low) > size_of(high) ? size_of(low) : size_of(high);
    const struct prefix *p = prefix_for(unit, largest);
    struct hf_plot_scale s = {.factor = p->factor, .unit_name = p->name, .from = low};
    /* A range of nothing still has to have a length; below one packet or byte there is nothing. */
    s.until = high > low ? high : low + (largest > 0 ? largest : p->factor);
    double step = round_step((s.until - s.from) / p->factor / ticks, &s.decimals);
    bool is_whole = unit == HF_PLOT_PACKETS || (unit == HF_PLOT_BYTES && p->factor <= 1);
    if (is_whole && step < 1)
        step = 1;
    if (s.decimals < 0 || is_whole)
        s.decimals = 0;
    s.step = step * p->factor;
    if (!is_exact) {
        s.from = floor_of(s.from / s.step + 1e-9) * s.step;
        s.until = ceil_of(s.until / s.step - 1e-9) * s.step;
    }
    return s;
}

double hf_plot_scale_first(const struct hf_plot_scale *s)
{
    return ceil_of(s->from / s->step - 1e-9) * s->step;
}
