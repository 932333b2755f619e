/**
 * Golden rows. Whole numbers only: they have to be the same on every machine.
 */
#include "golden.h"

#include <inttypes.h>
#include <string.h>

enum { NS_IN_US = 1000 };

const char hf_golden_head[] =
    "scenario\tflow\tbytes\tduration_us\tgoodput_bps\tratio_permille\tsent_segs\tresent_segs\t"
    "resent_bytes\tarrived_again_bytes\trtos\tspurious_rtos\trtt_mean_us\trtt_max_us\tcwnd_bytes\n";

static void add_flow(struct hf_text *t, const struct hf_sim *sim, unsigned i, const char *scenario)
{
    const struct hf_sim_flow *f = &sim->flows[i];
    struct hf_sim_figures figures;
    hf_sim_figures(sim, i, &figures);
    hf_text_add(t, "%s\t%s\t%" PRIu64 "\t%" PRId64 "\t%" PRId64 "\t%" PRId64, scenario,
                f->plan->name, figures.bytes, figures.duration_ns / NS_IN_US, figures.goodput_bps,
                figures.ratio_permille);
    hf_text_add(t, "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64,
                f->sent.segs, f->resent.segs, f->resent.bytes, f->arrived_again_bytes, f->rtos,
                f->spurious_rtos);
    hf_text_add(t, "\t%" PRId64 "\t%" PRId64 "\t%u\n", figures.rtt_mean_ns / NS_IN_US,
                f->rtt_max_ns / NS_IN_US, f->info.cwnd_bytes);
}

void hf_golden_rows(struct hf_text *t, const struct hf_sim *sim, const char *scenario)
{
    const struct hf_path_stats *forward = &sim->forward.path.stats, *back = &sim->back.path.stats;
    for (unsigned i = 0; i < sim->flow_count; i++)
        add_flow(t, sim, i, scenario);
    hf_text_add(t, "%s\t=\tended_us %" PRId64 "\tjain_permille %" PRId64, scenario,
                sim->ended_ns / NS_IN_US, hf_sim_jain_permille(sim));
    hf_text_add(t, "\tutilisation_permille %" PRId64 "\tqueue_peak_packets %u",
                hf_sim_utilisation_permille(sim, false), forward->queue_peak_packets);
    hf_text_add(t, "\tlost_forward %" PRIu64 " of %" PRIu64 "\tlost_back %" PRIu64 " of %" PRIu64,
                forward->lost, forward->sent, back->lost, back->sent);
    for (int i = HF_PATH_LOST_RANDOM; i < HF_PATH_FATES; i++)
        if (forward->fates[i] > 0)
            hf_text_add(t, "\t%s %" PRIu64, hf_sim_fate_name((enum hf_path_fate)i),
                        forward->fates[i]);
    hf_text_add(t, "\n");
}

/* ---- comparing ---------------------------------------------------------------------------- */

static size_t line_bytes(const char *text)
{
    size_t n = strcspn(text, "\n");
    return text[n] == '\n' ? n + 1 : n;
}

static bool is_of(const char *line, const char *scenario)
{
    size_t n = strlen(scenario);
    return strncmp(line, scenario, n) == 0 && line[n] == '\t';
}

/** The next line of this scenario, from `text` on; the end of the text if there is none. */
static const char *find(const char *text, const char *scenario)
{
    while (*text != '\0' && !is_of(text, scenario))
        text += line_bytes(text);
    return text;
}

static void add_line(struct hf_text *t, const char *sign, const char *line)
{
    hf_text_add(t, "%s%.*s\n", sign, (int)strcspn(line, "\n"), line);
}

bool hf_golden_compare(const char *table, const char *rows, const char *scenario,
                       struct hf_text *difference)
{
    bool is_same = true;
    for (;;) {
        table = find(table, scenario);
        rows = find(rows, scenario);
        if (*table == '\0' && *rows == '\0')
            return is_same;
        size_t n = line_bytes(table), m = line_bytes(rows);
        if (n != m || strncmp(table, rows, n) != 0) {
            is_same = false;
            if (*table != '\0')
                add_line(difference, "-", table);
            if (*rows != '\0')
                add_line(difference, "+", rows);
        }
        table += n;
        rows += m;
    }
}
