/**
 * The shell commands of scripts. None is run: settings are made in the config, queries are put to
 * the target, and of what else is asked the script is told that it can't be had.
 */
#ifndef HF_LAB_DRILL_COMMANDS_H
#define HF_LAB_DRILL_COMMANDS_H

#include "target.h"

enum { HF_COMMAND_WORDS_BYTES = HF_DRILL_TARGET_WORDS_BYTES };

enum hf_command_outcome {
    HF_COMMAND_DONE,
    HF_COMMAND_FAILED, /**< a query whose answer is another: words */
    HF_COMMAND_BEYOND, /**< not to be had: words say what */
};

/** What the commands of a script act on. */
struct hf_commands {
    struct hf_config *config; /**< of the stack; NULL: settings are the target's to make */
    const struct hf_drill_target *target; /**< NULL: not made yet, settings may change */
    bool is_ahead; /**< ahead of all other events: settings are made before there is a target */
    bool is_over;  /**< nothing follows that could show what a command does: it is passed over */
};

/** Does all commands of a text, up to the first that is not DONE. */
enum hf_command_outcome hf_commands_run(const struct hf_commands *c, const char *text,
                                        char words[HF_COMMAND_WORDS_BYTES]);

#endif
