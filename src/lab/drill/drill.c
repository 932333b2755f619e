/**
 * From a script's text to its result, against the core in virtual time or on another ground.
 */
#include "runner.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base.h"
#include "names.h"
#include "target_core.h"

static void conclude(struct hf_drill_result *result, enum hf_drill_outcome outcome,
                     struct hf_place place, const char *expected, const char *got)
{
    result->outcome = outcome;
    result->place = place;
    snprintf(result->expected, sizeof result->expected, "%s", expected);
    snprintf(result->got, sizeof result->got, "%s", got);
}

/** Commands ahead of everything else make settings, as long as there is no stack. False when one
 *  can't be done. */
static bool run_leading(const struct hf_script *script, const struct hf_commands *commands,
                        struct hf_drill_result *result)
{
    char words[HF_COMMAND_WORDS_BYTES];
    if (script->init != NULL && hf_commands_run(commands, script->init, words) != HF_COMMAND_DONE) {
        conclude(result, HF_DRILL_SKIPPED, script->init_place, "", words);
        return false;
    }
    for (size_t i = 0; i < script->event_count; i++) {
        const struct hf_script_event *e = &script->events[i];
        if (e->kind != HF_SCRIPT_SHELL)
            return true;
        if (hf_commands_run(commands, e->text, words) != HF_COMMAND_DONE) {
            conclude(result, HF_DRILL_SKIPPED, e->place, "", words);
            return false;
        }
    }
    return true;
}

/** Says which setting stands in the way. */
static bool refuse_config(struct hf_drill_result *result, const struct hf_config_fault *fault)
{
    char words[HF_COMMAND_WORDS_BYTES];
    snprintf(words, sizeof words, "the setting %s %s%s%s", fault->name, fault->rule,
             fault->other != NULL ? " " : "", fault->other != NULL ? fault->other : "");
    conclude(result, HF_DRILL_SKIPPED, (struct hf_place){0}, "", words);
    return false;
}

static bool make_config(struct hf_config *stack, const struct hf_drill_config *config,
                        const struct hf_script *script, const struct hf_drill_options *options,
                        struct hf_drill_result *result)
{
    struct hf_commands commands = {.config = stack, .is_ahead = true};
    struct hf_config_fault fault = {.rule = "is out of its range"};
    hf_config_profile(stack, sizeof *stack, config->profile);
    if (!run_leading(script, &commands, result))
        return false;
    if (options->mtu_bytes > 0)
        stack->mtu_bytes = options->mtu_bytes;
    for (size_t i = 0; i < config->setting_count; i++) {
        fault.name = config->settings[i].name;
        if (hf_config_set(stack, fault.name, config->settings[i].value) != HF_OK)
            return refuse_config(result, &fault);
    }
    return hf_config_explain(stack, &fault) == HF_OK || refuse_config(result, &fault);
}

static void run_on_core(struct hf_drill_result *result, const struct hf_script *script,
                        const struct hf_drill_options *options,
                        const struct hf_drill_config *config)
{
    struct hf_config stack;
    struct hf_target_core core;
    struct hf_drill_target target;
    if (!make_config(&stack, config, script, options, result))
        return;
    int err = hf_target_core_open(&core, &stack, &options->local, &target);
    if (err != HF_OK) {
        conclude(result, HF_DRILL_SKIPPED, (struct hf_place){0}, "", hf_err_text(err));
        return;
    }
    struct hf_commands commands = {.config = &stack, .target = &target};
    hf_drill_script(result, script, options, config, &commands);
    hf_target_core_close(&core);
}

/** The settings of another ground are its own: those of the config are not for it. */
static void run_on_ground(struct hf_drill_result *result, const struct hf_script *script,
                          const struct hf_drill_options *options,
                          const struct hf_drill_config *config)
{
    char words[HF_DRILL_TARGET_WORDS_BYTES] = "";
    struct hf_drill_target target;
    struct hf_commands commands = {.target = &target};
    if (config->ground->open(config->ground->self, options, &target, words) != HF_OK) {
        conclude(result, HF_DRILL_FAILED, (struct hf_place){0}, "a place to run", words);
        return;
    }
    if (run_leading(script, &commands, result))
        hf_drill_script(result, script, options, config, &commands);
    config->ground->close(config->ground->self);
}

/** What can be said of a script before it runs. */
static bool is_sound(const struct hf_script *script, struct hf_drill_result *result)
{
    struct hf_script_fault fault;
    if (script->event_count == 0)
        conclude(result, HF_DRILL_FAILED, (struct hf_place){1, 1}, "a script", "no event");
    else if (!hf_names_check(script, &fault))
        conclude(result, HF_DRILL_FAILED, fault.place, "names that are known", fault.text);
    return result->outcome == HF_DRILL_PASSED;
}

void hf_drill_text(struct hf_drill_result *result, const char *text, size_t length_bytes,
                   const struct hf_drill_config *config)
{
    struct hf_script script;
    struct hf_script_fault fault = {{0, 0}, ""};
    struct hf_script_settings settings = {config->defines, config->define_count, false};
    struct hf_drill_options options;
    *result = (struct hf_drill_result){.outcome = HF_DRILL_PASSED};
    int err = hf_script_parse(&script, text, length_bytes, &settings, &fault);
    if (err == HF_E_INVALID) {
        conclude(result, HF_DRILL_FAILED, fault.place, "a script", fault.text);
        return;
    }
    if (err != HF_OK) {
        conclude(result, HF_DRILL_SKIPPED, fault.place, "", hf_err_text(err));
        return;
    }
    if (script.covers != NULL)
        result->covers = strdup(script.covers);
    if (!is_sound(&script, result)) {
        hf_script_free(&script);
        return;
    }
    switch (hf_drill_options_read(&options, &script, &fault)) {
    case HF_OPTIONS_READ:
        options.tolerance_ns = hf_max_ns(options.tolerance_ns, config->tolerance_ns);
        if (config->ground != NULL)
            run_on_ground(result, &script, &options, config);
        else
            run_on_core(result, &script, &options, config);
        break;
    case HF_OPTIONS_WRONG:
        conclude(result, HF_DRILL_FAILED, fault.place, "an option", fault.text);
        break;
    case HF_OPTIONS_BEYOND: conclude(result, HF_DRILL_SKIPPED, fault.place, "", fault.text); break;
    }
    hf_script_free(&script);
}

void hf_drill_result_free(struct hf_drill_result *result)
{
    hf_log_free(&result->log);
    free(result->covers);
    result->covers = NULL;
}
