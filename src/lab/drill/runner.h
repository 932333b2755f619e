/**
 * Runs a packet script: its events in time, calls and packets against a target, and what came of
 * it. hf_drill_text does all of it for the core in virtual time.
 */
#ifndef HF_LAB_DRILL_RUNNER_H
#define HF_LAB_DRILL_RUNNER_H

#include "commands.h"
#include "log.h"
#include "match.h"
#include "script_options.h"
#include "target.h"

enum hf_drill_outcome { HF_DRILL_PASSED, HF_DRILL_FAILED, HF_DRILL_SKIPPED };

enum { HF_DRILL_WORDS_BYTES = 640 };

/** What became of a script. */
struct hf_drill_result {
    enum hf_drill_outcome outcome;
    struct hf_place place;               /**< of a failure: the event; of a skip, if it has one */
    char expected[HF_DRILL_WORDS_BYTES]; /**< of a failure */
    char got[HF_DRILL_WORDS_BYTES];      /**< of a failure; of a skip, the reason */
    char state[HF_DRILL_WORDS_BYTES];    /**< states of the connections at the end of a failure */
    char *covers;                        /**< of the script, or NULL */
    struct hf_drill_log log;
    hf_ns span_ns; /**< script time that passed */
    bool by_time;  /**< failed by a time alone: with a target in real time that may be chance */
};

/** A setting of the stack, by name. */
struct hf_drill_setting {
    const char *name;
    int64_t value;
};

/** Where scripts run if not on the core: makes a target for each. */
struct hf_drill_ground {
    void *self;
    const char *name;
    /** HF_OK, or an error with words and nothing left behind. */
    int (*open)(void *self, const struct hf_drill_options *options, struct hf_drill_target *target,
                char words[HF_DRILL_TARGET_WORDS_BYTES]);
    void (*close)(void *self);
};

struct hf_drill_config {
    enum hf_profile profile;
    enum hf_drill_match match;
    const struct hf_script_define *defines;
    size_t define_count;
    const struct hf_drill_setting *settings; /**< have the last word */
    size_t setting_count;
    bool use_python;                      /**< hand %{ }% blocks to python3 */
    const struct hf_drill_ground *ground; /**< NULL: the core, in virtual time */
    /** Script time that a run may take, 0: any. A script that must take longer is skipped; what may
     *  come at any time is waited for that long. For targets in real time. */
    hf_ns limit_ns;
    hf_ns tolerance_ns; /**< how far off times may be at least, whatever the script says */
};

/** Runs a script's text against a new stack of the core, or on the config's ground. Free the result
 *  in any case. */
void hf_drill_text(struct hf_drill_result *result, const char *text, size_t length_bytes,
                   const struct hf_drill_config *config);
void hf_drill_result_free(struct hf_drill_result *result);

/** Runs a script against the target of its commands, which have made the settings of the commands
 *  ahead of all other events. */
void hf_drill_script(struct hf_drill_result *result, const struct hf_script *script,
                     const struct hf_drill_options *options, const struct hf_drill_config *config,
                     const struct hf_commands *commands);

#endif
