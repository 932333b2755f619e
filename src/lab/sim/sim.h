/**
 * A simulation: the stacks of a scenario in virtual time, joined by one bottleneck path a
 * direction. The same scenario gives the same run, to the byte.
 *
 *     struct hf_sim *sim = hf_sim_new(&scenario, &hooks);
 *     if (hf_sim_run(sim) == HF_OK)
 *         ... read it ...
 *     hf_sim_free(sim);
 */
#ifndef HF_LAB_SIM_SIM_H
#define HF_LAB_SIM_SIM_H

#include "flow.h"
#include "lab/account.h"
#include "lab/world.h"

struct hf_sim;

/** What is told while it runs; each may be NULL. */
struct hf_sim_hooks {
    void (*event)(void *ctx, const struct hf_sim_flow *flow, bool is_sender,
                  const struct hf_trace_event *event);
    void (*sample)(void *ctx, const struct hf_sim *sim);
    void *ctx;
    bool curves; /**< gather what plots are drawn of */
};

struct hf_sim_host {
    struct hf_sim *sim;
    const struct hf_scenario_host *plan;
    unsigned number;
    struct hf_addr addr;
    struct hf_stack *stack;
    struct hf_account account;
    hf_ns planned_ns; /**< when it is woken next; HF_NEVER: not planned */
};

/** One direction of the bottleneck. */
struct hf_sim_way {
    struct hf_sim *sim;
    struct hf_path path;
    struct hf_path_slot *slots;
    uint32_t slot_count;
    hf_ns planned_ns;
    struct hf_series queue;               /**< packets */
    struct hf_series lost[HF_PATH_FATES]; /**< at the height of the queue */
};

/** Fields are for reading only. */
struct hf_sim {
    const struct hf_scenario *scenario;
    struct hf_sim_hooks hooks;
    struct hf_world world;
    struct hf_sim_way forward, back;
    struct hf_sim_host hosts[HF_SCENARIO_HOSTS_MAX];
    struct hf_sim_flow flows[HF_SCENARIO_FLOWS_MAX];
    unsigned flow_count, started_count, done_count;
    hf_ns ended_ns;
    /* The time in which all flows were there; until <= from: there was none. */
    hf_ns common_from_ns, common_until_ns;
    uint8_t pattern[2 * HF_SIM_PATTERN_BYTES]; /* the same twice */
    hf_ns arriving_sent_ns;                    /* of the packet that is being taken in */
};

/** Ends the program without memory. The scenario has to live as long. */
struct hf_sim *hf_sim_new(const struct hf_scenario *scenario, const struct hf_sim_hooks *hooks);
/** Once. HF_OK, or why a stack could not be made or a flow not begun. */
HF_MUST_CHECK int hf_sim_run(struct hf_sim *sim);
void hf_sim_free(struct hf_sim *sim);

/* ---- figures, after the run ---- */

/** What a flow came to. */
struct hf_sim_figures {
    uint64_t bytes; /**< delivered */
    bool is_complete;
    hf_ns duration_ns; /**< from its start to the last byte, or to the end of the run */
    int64_t goodput_bps;
    hf_ns ideal_ns;         /**< what an empty path without loss would need for these bytes */
    int64_t ratio_permille; /**< duration to ideal, in thousandths; 0: can't be told */
    hf_ns rtt_mean_ns;
};
void hf_sim_figures(const struct hf_sim *sim, unsigned flow, struct hf_sim_figures *out);

/** Jain's index of what the flows delivered in the time that all were there: 1 is fair, 1 / n is
 *  one flow that has all. In thousandths; -1: there was no such time, only one flow, or flows that
 *  go both ways. */
int64_t hf_sim_jain_permille(const struct hf_sim *sim);
/** How much of what a link could carry it did, in thousandths; -1: it has no rate. */
int64_t hf_sim_utilisation_permille(const struct hf_sim *sim, bool is_back);
const char *hf_sim_fate_name(enum hf_path_fate fate);

#endif
