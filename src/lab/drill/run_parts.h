/**
 * A script that runs: what runner.c, run_packets.c and run_code.c share.
 */
#ifndef HF_LAB_DRILL_RUN_PARTS_H
#define HF_LAB_DRILL_RUN_PARTS_H

#include "calls.h"
#include "python.h"
#include "runner.h"

/** Who began the live flow. */
enum hf_run_flow {
    HF_RUN_FLOW_NONE,
    HF_RUN_FLOW_PASSIVE, /**< the peer, or nobody yet: its port is chosen with its first packet */
    HF_RUN_FLOW_ACTIVE,  /**< a connect(): the local port shows in its SYN */
};

struct hf_run {
    const struct hf_script *script;
    const struct hf_drill_options *options;
    const struct hf_drill_config *config;
    const struct hf_drill_target *target;
    struct hf_commands commands;
    struct hf_drill_result *result;
    bool is_over; /**< the result stands */

    hf_ns start_ns; /**< on the target's clock; all other times count from here */
    const struct hf_script_event *event, *before;
    hf_ns due_ns, end_ns;     /**< of the event */
    hf_ns before_ns;          /**< script time of the event before */
    size_t first_other_event; /**< index; the commands before it have made their settings */
    size_t final_commands;    /**< index; nothing but commands from there on: they show nowhere */

    struct hf_call_env calls;
    const struct hf_script_event *waiting; /**< a call, or NULL */
    struct hf_posix_wait wait;
    hf_ns wait_due_ns, wait_end_ns; /**< when it was made, when it shall return */

    enum hf_run_flow flow_kind;
    struct hf_flow flow;
    bool is_bound;
    uint16_t next_port; /**< of the peer's next flow */
    int live_fd;        /**< the socket that the flow belongs to */

    struct hf_python python;
    char *program; /**< for python3, or NULL */
    size_t program_bytes, program_capacity;
    bool program_fails; /**< there was no memory for all of it */
};

/* runner.c */
hf_ns hf_run_now(const struct hf_run *run);
/** Lets time pass until something happened, at most to until_ns; false once the script is over. */
bool hf_run_step(struct hf_run *run, hf_ns until_ns);
/** How far off an event may be. */
hf_ns hf_run_tolerance(const struct hf_run *run, hf_ns script_span_ns);
/** The script has failed at its event; expected and got are set by the caller. */
void hf_run_fail(struct hf_run *run, struct hf_place place);
void hf_run_skip(struct hf_run *run, struct hf_place place, const char *reason);
/** "0.310 s, 10 ms too late" */
void hf_run_off_text(char *text, size_t capacity_bytes, hf_ns at_ns, hf_ns off_ns);

/* run_packets.c */
void hf_run_inbound(struct hf_run *run);
void hf_run_outbound(struct hf_run *run);
/** What a call that was made means for the live flow. */
void hf_run_follow_call(struct hf_run *run, const struct hf_script_call *call,
                        const struct hf_call_result *result, bool is_first_try);
/** Ends what is left of the flow at the target. */
void hf_run_reset_flow(struct hf_run *run);

/* run_code.c */
void hf_run_code(struct hf_run *run);
/** Hands what was gathered to python3. */
void hf_run_program(struct hf_run *run);

#endif
