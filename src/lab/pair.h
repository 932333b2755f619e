/**
 * Two stacks, A (address ...1) and B (...2), two links, two scripted applications: one connection
 * from start to end in virtual time, with every invariant checked after every step.
 *
 *     struct hf_pair *pair = hf_pair_new();
 *     struct hf_pair_scenario s = {.b.open = HF_APP_LISTEN, .a.send_bytes = 5000};
 *     s.ab.path.delay_ns = s.ba.path.delay_ns = HF_MS(10);
 *     s.ab.lose_mask = 0x5;
 *     hf_pair_run(pair, &s);
 *     assert_int_equal(pair->report.violations, 0);
 *
 * A pair is used for many runs, one after the other: its memory is kept. The same scenario gives
 * the same run.
 */
#ifndef HF_LAB_PAIR_H
#define HF_LAB_PAIR_H

#include "app.h"
#include "lab_link.h"
#include "picture.h"
#include "transcript.h"

struct hf_pair_side;
typedef void hf_pair_fn(void *ctx, struct hf_pair_side *side);

struct hf_pair_scenario {
    struct hf_app_script a, b;
    struct hf_lab_link_config ab, ba;
    const struct hf_config *a_config, *b_config; /**< NULL: the default profile */
    bool v6;
    uint64_t seed;
    hf_ns limit_ns;                  /**< 0: one hour */
    uint64_t max_steps;              /**< 0: four million */
    uint64_t a_fail_nth, b_fail_nth; /**< refuse that allocation of the stack */
    bool fail_from;                  /**< and all after it */
    hf_pair_fn *made;                /**< or NULL: called for each stack before anything else */
    hf_pair_fn *stepped;             /**< or NULL: called for each side after each step */
    void *hook_ctx;
    hf_trace_fn *trace; /**< or NULL: sees both stacks' trace events */
    void *trace_ctx[2];
    struct hf_transcript *transcript; /**< or NULL: gets every packet */
    struct hf_picture *picture;       /**< or NULL: gets every packet and state */
};

struct hf_pair_side_report {
    bool made; /**< the stack could be made */
    bool connected;
    enum hf_closed how;
    unsigned closed_events;
    uint64_t written_bytes, verified_bytes;
    int open_error, send_error, receive_error;
    hf_ns connected_at_ns, closed_at_ns; /**< HF_NEVER: did not happen */
    const struct hf_app_seen *events;
    size_t event_count;
    struct hf_stack_info info; /**< at the end, before trimming */
    uint64_t packets_sent;
    bool memory_refused; /**< an allocation was made to fail */
};

struct hf_pair_report {
    struct hf_pair_side_report a, b;
    bool quiet; /**< nothing is left to happen; false: the time limit came first */
    hf_ns ended_at_ns;
    uint64_t steps;
    unsigned violations;
    const char *violation; /**< the first one in words, "" if none */
};

/** Fields are for reading only. The stacks live until the next run or the end of the pair. */
struct hf_pair_side {
    struct hf_pair *pair;
    unsigned number;
    struct hf_stack *stack;
    struct hf_account account;
    struct hf_spares spares;
    struct hf_app app;
    struct hf_lab_link out;
    struct hf_node *node;
    uint64_t base_memory_bytes;
};

struct hf_pair {
    struct hf_world world;
    struct hf_pair_side a, b;
    struct hf_checks checks;
    struct hf_pair_scenario scenario;
    struct hf_pair_report report;
};

/** Ends the program without memory. */
struct hf_pair *hf_pair_new(void);
void hf_pair_free(struct hf_pair *p);
/** Runs a scenario; the result is in p->report. */
void hf_pair_run(struct hf_pair *p, const struct hf_pair_scenario *scenario);
/** Makes a stack from what hf_stack_save wrote and goes on with it in place of the side's; on an
 *  error that one stays. */
HF_MUST_CHECK int hf_pair_restore(struct hf_pair_side *side, const void *bytes,
                                  size_t length_bytes);

/** True if nothing was violated, the pair became quiet, and each side's bytes arrived whole: the
 *  common expectation of a run that ends in order. Says on stderr what is amiss. */
bool hf_pair_is_clean(const struct hf_pair *p);

#endif
