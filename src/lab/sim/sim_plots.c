/**
 * Plots of a simulation. Owns which curves stand together; show/plot.c draws them.
 */
#include "sim_plots.h"

#include <stdio.h>

#include "core/base.h"
#include "show/plot.h"

enum {
    SERIES_MAX = HF_SCENARIO_FLOWS_MAX + 8,
    FLOW_SERIES_MAX = 3 + HF_REASON_COUNT,
    TITLE_BYTES = 160,
};

enum plot_kind { PLOT_SEQUENCE, PLOT_WINDOW, PLOT_RTT, PLOT_KINDS };

static const char *const plot_names[PLOT_KINDS] = {"sequence", "window", "rtt"};

static void put(const struct hf_sim *sim, struct hf_plot *p, hf_sink_fn *sink, void *ctx)
{
    hf_ns until_ns = hf_min_ns(sim->scenario->plot_until_ns, sim->ended_ns);
    p->from_s = (double)sim->scenario->plot_from_ns / 1e9;
    p->until_s = (double)until_ns / 1e9;
    hf_plot_draw(p, sink, ctx);
}

static struct hf_plot_series of(const char *name, const struct hf_series *s, enum hf_plot_form form,
                                enum hf_plot_colour colour)
{
    return (struct hf_plot_series){
        .name = name,
        .form = form,
        .colour = colour,
        .points = s->points,
        .point_count = s->count,
    };
}

/* ---- of one flow -------------------------------------------------------------------------- */

/** Colour and shape together are another for each of the first 30 kinds, and the same in every
 *  plot. Lines are blue, sky or grey. */
static struct hf_plot_series kind_of_marks(const char *name, const struct hf_series *s, int kind)
{
    static const enum hf_plot_colour colours[] = {HF_PLOT_VERMILION, HF_PLOT_BLACK, HF_PLOT_GREEN,
                                                  HF_PLOT_PURPLE, HF_PLOT_ORANGE};
    struct hf_plot_series marks =
        of(name, s, HF_PLOT_MARKS, colours[(size_t)kind % HF_COUNT_OF(colours)]);
    marks.mark = (enum hf_plot_mark)(kind % HF_PLOT_DOT);
    return marks;
}

static size_t add_reasons(const struct hf_sim_curves *c, struct hf_plot_series *series)
{
    size_t n = 0;
    for (int i = 0; i < HF_REASON_COUNT; i++)
        if (c->resent[i] != NULL)
            series[n++] = kind_of_marks(hf_reason_name((enum hf_reason)i), c->resent[i],
                                        i < HF_RETRANSMIT_SYN ? i : i - HF_RETRANSMIT_SYN);
    return n;
}

static void draw_sequence(const struct hf_sim *sim, const struct hf_sim_flow *f, hf_sink_fn *sink,
                          void *ctx)
{
    struct hf_plot_series series[FLOW_SERIES_MAX];
    const struct hf_sim_curves *c = f->curves;
    char title[TITLE_BYTES];
    size_t n = 0;
    series[n] = of("receive window", &c->edge, HF_PLOT_STEPS, HF_PLOT_GREY);
    series[n++].is_guest = true;
    series[n++] = of("acknowledged", &c->acked, HF_PLOT_STEPS, HF_PLOT_SKY);
    series[n++] = of("sent", &c->sent, HF_PLOT_BARS, HF_PLOT_BLUE);
    n += add_reasons(c, &series[n]);
    snprintf(title, sizeof title, "Flow %s: bytes sent and acknowledged", f->plan->name);
    struct hf_plot p = {
        .title = title,
        .left = {"offset in the stream", HF_PLOT_BYTES, true},
        .series = series,
        .series_count = n,
    };
    put(sim, &p, sink, ctx);
}

static void draw_window(const struct hf_sim *sim, const struct hf_sim_flow *f, hf_sink_fn *sink,
                        void *ctx)
{
    const struct hf_sim_curves *c = f->curves;
    char title[TITLE_BYTES];
    struct hf_plot_series series[] = {
        of("in flight", &c->in_flight, HF_PLOT_STEPS, HF_PLOT_SKY),
        of("ssthresh", &c->ssthresh, HF_PLOT_STEPS, HF_PLOT_VERMILION),
        of("cwnd", &c->cwnd, HF_PLOT_STEPS, HF_PLOT_BLUE),
    };
    series[1].dashed = true;
    series[1].is_guest = true; /* without bound at first */
    snprintf(title, sizeof title, "Flow %s: congestion window", f->plan->name);
    struct hf_plot p = {
        .title = title,
        .left = {"window", HF_PLOT_BYTES, false},
        .series = series,
        .series_count = HF_COUNT_OF(series),
    };
    put(sim, &p, sink, ctx);
}

static void draw_rtt(const struct hf_sim *sim, const struct hf_sim_flow *f, hf_sink_fn *sink,
                     void *ctx)
{
    const struct hf_sim_curves *c = f->curves;
    char title[TITLE_BYTES];
    struct hf_plot_series series[] = {
        of("sent", &c->sent_bps, HF_PLOT_STEPS, HF_PLOT_ORANGE),
        of("delivered", &c->delivered_bps, HF_PLOT_STEPS, HF_PLOT_GREEN),
        of("round trip", &c->rtt, HF_PLOT_LINE, HF_PLOT_BLUE),
    };
    series[0].on_right = series[1].on_right = true;
    snprintf(title, sizeof title, "Flow %s: round-trip time and rate", f->plan->name);
    struct hf_plot p = {
        .title = title,
        .left = {"round-trip time", HF_PLOT_SECONDS, false},
        .right = {"rate", HF_PLOT_BITS_PER_SECOND, false},
        .series = series,
        .series_count = HF_COUNT_OF(series),
    };
    put(sim, &p, sink, ctx);
}

static void draw_flow(const struct hf_sim *sim, unsigned flow, enum plot_kind kind,
                      hf_sink_fn *sink, void *ctx)
{
    const struct hf_sim_flow *f = &sim->flows[flow];
    switch (kind) {
    case PLOT_SEQUENCE: draw_sequence(sim, f, sink, ctx); return;
    case PLOT_WINDOW: draw_window(sim, f, sink, ctx); return;
    case PLOT_RTT: draw_rtt(sim, f, sink, ctx); return;
    case PLOT_KINDS: break;
    }
    HF_UNREACHABLE("draw_flow: a kind beyond the enum");
}

/* ---- of all ------------------------------------------------------------------------------- */

static void draw_rates(const struct hf_sim *sim, hf_sink_fn *sink, void *ctx)
{
    struct hf_plot_series series[HF_SCENARIO_FLOWS_MAX];
    for (unsigned i = 0; i < sim->flow_count; i++) {
        const struct hf_sim_flow *f = &sim->flows[i];
        series[i] = of(f->plan->name, &f->curves->delivered_bps, HF_PLOT_STEPS,
                       (enum hf_plot_colour)(i % HF_PLOT_COLOURS));
        series[i].dashed = i / HF_PLOT_COLOURS % 2 == 1;
    }
    struct hf_plot p = {
        .title = "Delivered bytes of each flow",
        .left = {"rate", HF_PLOT_BITS_PER_SECOND, false},
        .series = series,
        .series_count = sim->flow_count,
    };
    put(sim, &p, sink, ctx);
}

static void draw_queue(const struct hf_sim *sim, const struct hf_sim_way *w, const char *title,
                       hf_sink_fn *sink, void *ctx)
{
    struct hf_plot_series series[HF_PATH_FATES + 1];
    size_t n = 0;
    series[n++] = of("in the queue", &w->queue, HF_PLOT_STEPS, HF_PLOT_BLUE);
    for (int i = HF_PATH_LOST_RANDOM; i < HF_PATH_FATES; i++)
        if (w->lost[i].count > 0)
            series[n++] = kind_of_marks(hf_sim_fate_name((enum hf_path_fate)i), &w->lost[i],
                                        i - HF_PATH_LOST_RANDOM);
    struct hf_plot p = {
        .title = title,
        .left = {"packets", HF_PLOT_PACKETS, false},
        .series = series,
        .series_count = n,
    };
    put(sim, &p, sink, ctx);
}

/* ---- by number ---------------------------------------------------------------------------- */

bool hf_sim_plot_name(const struct hf_sim *sim, unsigned i, char name[HF_SIM_PLOT_NAME_BYTES])
{
    static const char *const common[] = {"rates", "queue-forward", "queue-back"};
    unsigned of_flows = sim->flow_count * PLOT_KINDS;
    if (i >= of_flows + HF_COUNT_OF(common))
        return false;
    if (i < of_flows)
        snprintf(name, HF_SIM_PLOT_NAME_BYTES, "%s-%s", sim->flows[i / PLOT_KINDS].plan->name,
                 plot_names[i % PLOT_KINDS]);
    else
        snprintf(name, HF_SIM_PLOT_NAME_BYTES, "%s", common[i - of_flows]);
    return true;
}

bool hf_sim_plot(const struct hf_sim *sim, unsigned i, char name[HF_SIM_PLOT_NAME_BYTES],
                 hf_sink_fn *sink, void *sink_ctx)
{
    unsigned of_flows = sim->flow_count * PLOT_KINDS;
    if (!hf_sim_plot_name(sim, i, name))
        return false;
    if (i < of_flows)
        draw_flow(sim, i / PLOT_KINDS, (enum plot_kind)(i % PLOT_KINDS), sink, sink_ctx);
    else if (i == of_flows)
        draw_rates(sim, sink, sink_ctx);
    else if (i == of_flows + 1)
        draw_queue(sim, &sim->forward, "Queue of the link forward", sink, sink_ctx);
    else
        draw_queue(sim, &sim->back, "Queue of the link back", sink, sink_ctx);
    return true;
}
