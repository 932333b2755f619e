/**
 * Scripts in tests: parsed from text that is part of the test.
 */
#ifndef HF_TESTS_LAB_DRILL_H
#define HF_TESTS_LAB_DRILL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base.h"
#include "lab/drill/script.h"

static const struct hf_script_define drill_defines[] = {
    {"KNOWN", "1"},
    {"COOKIE", "0a0b0c0d"},
    {"NAME", "\"a name\""},
    {"COMMAND", "`true`"},
    {"CODE", "host_unknown"},
    {"LARGE", "70000"},
    {"LARGEST", "9999999999"},
    {"DELAY", "1.5"},
    {"OPENING", "SE"},
    {"ENDING", "F."},
};

/** Parses what must be a script; the caller frees it. */
static inline struct hf_script drill_parse_as(const char *text, bool v6)
{
    struct hf_script script;
    struct hf_script_fault fault;
    struct hf_script_settings settings = {
        .defines = drill_defines, .define_count = HF_COUNT_OF(drill_defines), .v6 = v6};
    int err = hf_script_parse(&script, text, strlen(text), &settings, &fault);
    if (err != HF_OK)
        fail_msg("%u:%u: %s", fault.place.line, fault.place.column, fault.text);
    return script;
}

static inline struct hf_script drill_parse(const char *text)
{
    return drill_parse_as(text, false);
}

#endif
