/**
 * What a simulation is made of, read from text: one thing a line, words name=value, # to the end of
 * the line is a comment. docs/SIM.md tells the language.
 *
 *     seed 1
 *     duration 30s
 *     link forward rate=10mbit delay=20ms queue=50p loss=0.1%
 *     link back delay=20ms
 *     flow a bytes=10M cc=reno
 *     flow b start=5s bytes=endless profile=linux set=nagle=off
 */
#ifndef HF_LAB_SIM_SCENARIO_H
#define HF_LAB_SIM_SCENARIO_H

#include "lab/path.h"

enum {
    HF_SCENARIO_MAX_BYTES = 64 * 1024,
    HF_SCENARIO_NAME_BYTES = 32,
    HF_SCENARIO_FLOWS_MAX = 64,
    HF_SCENARIO_HOSTS_MAX = 2 * HF_SCENARIO_FLOWS_MAX,
    HF_SCENARIO_FAULT_BYTES = 320,
};
#define HF_SCENARIO_ENDLESS UINT64_MAX
#define HF_SCENARIO_SPAN_MAX_NS HF_SEC(3600)

/** The sides of the bottleneck: forward leads from left to right. */
enum hf_scenario_side { HF_SCENARIO_NO_SIDE, HF_SCENARIO_LEFT, HF_SCENARIO_RIGHT };

/** A stack. */
struct hf_scenario_host {
    char name[HF_SCENARIO_NAME_BYTES]; /**< "" of one that a flow has for itself */
    struct hf_config config;
    hf_ns delay_ns; /**< between it and the bottleneck, each way */
    enum hf_scenario_side side;
};

struct hf_scenario_flow {
    char name[HF_SCENARIO_NAME_BYTES];
    unsigned from, to; /**< hosts: who sends, who receives */
    hf_ns start_ns;
    uint64_t bytes; /**< HF_SCENARIO_ENDLESS: until the end of the run */
};

struct hf_scenario {
    uint64_t seed;
    hf_ns duration_ns; /**< at most: the run ends when all flows have */
    hf_ns sample_ns;   /**< between samples */
    hf_ns plot_from_ns, plot_until_ns;
    struct hf_path_config forward, back;
    struct hf_scenario_host hosts[HF_SCENARIO_HOSTS_MAX];
    unsigned host_count;
    struct hf_scenario_flow flows[HF_SCENARIO_FLOWS_MAX];
    unsigned flow_count;
};

struct hf_scenario_fault {
    unsigned line, column; /**< from 1 */
    char text[HF_SCENARIO_FAULT_BYTES];
};

/** Reads a scenario. HF_OK; or HF_E_INVALID, and where and what in *fault. */
HF_MUST_CHECK int hf_scenario_parse(struct hf_scenario *s, const char *text, size_t length_bytes,
                                    struct hf_scenario_fault *fault);

/** Reads a seed: a whole number of up to 63 bits. */
bool hf_scenario_seed(const char *text, uint64_t *seed);

/** Changes a setting of all hosts, as "NAME=VALUE"; HF_E_INVALID, and why in one line. */
HF_MUST_CHECK int hf_scenario_set(struct hf_scenario *s, const char *assignment,
                                  char why[HF_SCENARIO_FAULT_BYTES]);

#endif
