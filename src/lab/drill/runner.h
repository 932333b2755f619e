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
};

/** A setting of the stack, by name. */
struct hf_drill_setting {
    const char *name;
    int64_t value;
};

struct hf_drill_config {
    enum hf_profile profile;
    enum hf_drill_match match;
    const struct hf_script_define *defines;
    size_t define_count;
    const struct hf_drill_setting *settings; /**< have the last word */
    size_t setting_count;
    bool use_python; /**< hand %{ }% blocks to python3 */
};

/** Runs a script's text against a new stack of the core. Free the result in any case. */
void hf_drill_text(struct hf_drill_result *result, const char *text, size_t length_bytes,
                   const struct hf_drill_config *config);
void hf_drill_result_free(struct hf_drill_result *result);

/** Runs a script against the target of its commands, which have made the settings of the commands
 *  ahead of all other events. */
void hf_drill_script(struct hf_drill_result *result, const struct hf_script *script,
                     const struct hf_drill_options *options, const struct hf_drill_config *config,
                     const struct hf_commands *commands);

#endif
