/**
 * JSON lines. Times of lines are in milliseconds, as those of trace events; all other fields name
 * their unit.
 */
#include "sim_json.h"

#include <inttypes.h>

#include "core/base.h"
#include "show/event_json.h"

enum { LINE_BYTES = 8192, NS_IN_MS = 1000000, PERMILLE = 1000 };

static void put(const struct hf_sim_json *j, struct hf_text *t)
{
    hf_text_add(t, "}\n");
    HF_ASSERT(hf_text_stored(t) == t->length_bytes);
    j->sink(j->sink_ctx, t->bytes, t->length_bytes);
}

static void begin(struct hf_text *t, char bytes[LINE_BYTES], const char *type)
{
    hf_text_init(t, bytes, LINE_BYTES);
    hf_text_add(t, "{\"type\":\"%s\"", type);
}

static void add_ms(struct hf_text *t, const char *name, hf_ns ns)
{
    hf_text_add(t, ",\"%s\":%" PRId64 ".%06" PRId64, name, ns / NS_IN_MS, ns % NS_IN_MS);
}

static void add_number(struct hf_text *t, const char *name, int64_t value)
{
    hf_text_add(t, ",\"%s\":%" PRId64, name, value);
}

static void add_count(struct hf_text *t, const char *name, uint64_t value)
{
    hf_text_add(t, ",\"%s\":%" PRIu64, name, value);
}

/** Thousandths as a fraction; what is not known is null. */
static void add_permille(struct hf_text *t, const char *name, int64_t permille)
{
    if (permille < 0)
        hf_text_add(t, ",\"%s\":null", name);
    else
        hf_text_add(t, ",\"%s\":%" PRId64 ".%03" PRId64, name, permille / PERMILLE,
                    permille % PERMILLE);
}

/** Text of others: quotes, backslashes and control characters are escaped. */
static void add_text(struct hf_text *t, const char *name, const char *value)
{
    hf_text_add(t, ",\"%s\":\"", name);
    for (const char *p = value; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\')
            hf_text_add(t, "\\%c", *p);
        else if ((unsigned char)*p < 0x20)
            hf_text_add(t, "\\u%04x", (unsigned)*p);
        else
            hf_text_add(t, "%c", *p);
    }
    hf_text_add(t, "\"");
}

/* ---- events and samples ------------------------------------------------------------------- */

void hf_sim_json_event(void *ctx, const struct hf_sim_flow *flow, bool is_sender,
                       const struct hf_trace_event *event)
{
    const struct hf_sim_json *j = ctx;
    char line[LINE_BYTES], text[HF_EVENT_JSON_BYTES];
    struct hf_text t;
    if (!j->events[event->type])
        return;
    hf_event_json(event, 0, text, sizeof text);
    begin(&t, line, "event");
    hf_text_add(&t, ",\"flow\":\"%s\",\"end\":\"%s\",\"event\":%s", flow->plan->name,
                is_sender ? "sender" : "receiver", text);
    put(j, &t);
}

static void sample_flow(const struct hf_sim_json *j, const struct hf_sim_flow *f)
{
    char line[LINE_BYTES];
    struct hf_text t;
    begin(&t, line, "sample");
    add_ms(&t, "time", f->sampled_at_ns);
    hf_text_add(&t, ",\"flow\":\"%s\",\"state\":\"%s\"", f->plan->name,
                hf_state_name(f->info.state));
    add_count(&t, "delivered_bytes", f->delivered_bytes);
    add_number(&t, "delivered_bps", f->sampled_delivered_bps);
    add_number(&t, "sent_bps", f->sampled_sent_bps);
    add_count(&t, "retransmitted_segs", f->resent.segs);
    add_count(&t, "cwnd_bytes", f->info.cwnd_bytes);
    add_count(&t, "ssthresh_bytes", f->info.ssthresh_bytes);
    add_count(&t, "in_flight_bytes", f->info.in_flight_bytes);
    add_number(&t, "srtt_ns", f->info.srtt_ns);
    add_number(&t, "rto_ns", f->info.rto_ns);
    put(j, &t);
}

static void sample_link(const struct hf_sim_json *j, const struct hf_sim *sim, const char *name,
                        const struct hf_path_stats *stats)
{
    char line[LINE_BYTES];
    struct hf_text t;
    begin(&t, line, "queue");
    add_ms(&t, "time", sim->world.now_ns);
    hf_text_add(&t, ",\"link\":\"%s\"", name);
    add_count(&t, "packets", stats->queue_packets);
    add_count(&t, "bytes", stats->queue_bytes);
    add_count(&t, "lost", stats->lost);
    put(j, &t);
}

void hf_sim_json_sample(void *ctx, const struct hf_sim *sim)
{
    const struct hf_sim_json *j = ctx;
    if (!j->samples)
        return;
    for (unsigned i = 0; i < sim->flow_count; i++)
        if (sim->flows[i].has_info && !sim->flows[i].is_done)
            sample_flow(j, &sim->flows[i]);
    sample_link(j, sim, "forward", &sim->forward.path.stats);
    sample_link(j, sim, "back", &sim->back.path.stats);
}

/* ---- summaries ---------------------------------------------------------------------------- */

static void add_reasons(struct hf_text *t, const struct hf_sim_flow *f)
{
    const char *separator = "";
    hf_text_add(t, ",\"retransmitted_by\":{");
    for (int i = 0; i < HF_REASON_COUNT; i++) {
        const struct hf_sim_count *c = &f->resent_by[i];
        if (c->segs == 0)
            continue;
        hf_text_add(t, "%s\"%s\":{\"segs\":%" PRIu64 ",\"bytes\":%" PRIu64 "}", separator,
                    hf_reason_name((enum hf_reason)i), c->segs, c->bytes);
        separator = ",";
    }
    hf_text_add(t, "}");
}

static void summary_of_flow(const struct hf_sim_json *j, const struct hf_sim *sim, unsigned i)
{
    const struct hf_sim_flow *f = &sim->flows[i];
    char line[LINE_BYTES];
    struct hf_sim_figures figures;
    struct hf_text t;
    hf_sim_figures(sim, i, &figures);
    begin(&t, line, "flow");
    hf_text_add(&t, ",\"flow\":\"%s\",\"complete\":%s", f->plan->name,
                figures.is_complete ? "true" : "false");
    add_text(&t, "closed", hf_closed_text(f->how));
    add_ms(&t, "start", f->plan->start_ns);
    add_ms(&t, "duration", figures.duration_ns);
    add_count(&t, "bytes", figures.bytes);
    add_number(&t, "goodput_bps", figures.goodput_bps);
    add_ms(&t, "ideal", figures.ideal_ns);
    add_permille(&t, "ratio", figures.ideal_ns > 0 ? figures.ratio_permille : -1);
    add_count(&t, "sent_segs", f->sent.segs);
    add_count(&t, "sent_bytes", f->sent.bytes);
    add_count(&t, "retransmitted_segs", f->resent.segs);
    add_count(&t, "retransmitted_bytes", f->resent.bytes);
    add_reasons(&t, f);
    add_count(&t, "arrived_again_bytes", f->arrived_again_bytes);
    add_count(&t, "rtos", f->rtos);
    add_count(&t, "spurious_rtos", f->spurious_rtos);
    add_number(&t, "rtt_min_ns", f->rtt_min_ns);
    add_number(&t, "rtt_mean_ns", figures.rtt_mean_ns);
    add_number(&t, "rtt_max_ns", f->rtt_max_ns);
    add_count(&t, "cwnd_bytes", f->info.cwnd_bytes);
    add_count(&t, "ssthresh_bytes", f->info.ssthresh_bytes);
    put(j, &t);
}

static void add_link(struct hf_text *t, const struct hf_sim *sim, bool is_back)
{
    const struct hf_path_stats *stats = is_back ? &sim->back.path.stats : &sim->forward.path.stats;
    hf_text_add(t, ",\"%s\":{\"sent\":%" PRIu64, is_back ? "back" : "forward", stats->sent);
    add_count(t, "sent_bytes", stats->sent_bytes);
    for (int i = 0; i < HF_PATH_FATES; i++)
        if (i == HF_PATH_DELIVERED)
            add_count(t, "arrived", stats->delivered);
        else if (stats->fates[i] > 0)
            add_count(t, hf_sim_fate_name((enum hf_path_fate)i), stats->fates[i]);
    add_count(t, "queue_peak_packets", stats->queue_peak_packets);
    add_count(t, "queue_peak_bytes", stats->queue_peak_bytes);
    add_permille(t, "utilisation", hf_sim_utilisation_permille(sim, is_back));
    hf_text_add(t, "}");
}

void hf_sim_json_summary(const struct hf_sim_json *json, const struct hf_sim *sim, const char *name)
{
    char line[LINE_BYTES];
    struct hf_text t;
    for (unsigned i = 0; i < sim->flow_count; i++)
        summary_of_flow(json, sim, i);
    begin(&t, line, "run");
    add_text(&t, "scenario", name);
    add_count(&t, "seed", sim->scenario->seed);
    add_ms(&t, "duration", sim->ended_ns);
    add_permille(&t, "jain", hf_sim_jain_permille(sim));
    add_link(&t, sim, false);
    add_link(&t, sim, true);
    put(json, &t);
}
