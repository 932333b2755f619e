/**
 * A simulation as JSON lines: trace events and samples as they come, a summary of each flow and of
 * the whole at the end. docs/SIM.md tells the fields.
 */
#ifndef HF_LAB_SIM_SIM_JSON_H
#define HF_LAB_SIM_SIM_JSON_H

#include "show/text.h"
#include "sim.h"

struct hf_sim_json {
    hf_sink_fn *sink;
    void *sink_ctx;
    bool samples;
    bool events[HF_TRACE_COUNT]; /**< which are told */
};

/** Hooks of a simulation; ctx is a struct hf_sim_json. */
void hf_sim_json_event(void *ctx, const struct hf_sim_flow *flow, bool is_sender,
                       const struct hf_trace_event *event);
void hf_sim_json_sample(void *ctx, const struct hf_sim *sim);
/** The summaries: a line a flow, and one for the whole. `name` is the scenario's. */
void hf_sim_json_summary(const struct hf_sim_json *json, const struct hf_sim *sim,
                         const char *name);

#endif
