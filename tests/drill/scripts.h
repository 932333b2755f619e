/**
 * Pieces of scripts that several tests begin with, and running a text.
 */
#ifndef HF_TEST_DRILL_SCRIPTS_H
#define HF_TEST_DRILL_SCRIPTS_H

#include <stdio.h>
#include <string.h>

#include "lab/drill/runner.h"

/** A listener on descriptor 3. */
#define LISTENER                                                                                   \
    "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"                                                \
    "+0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0\n"                                     \
    "+0 bind(3, ..., ...) = 0\n"                                                                   \
    "+0 listen(3, 1) = 0\n"

/** A connection from the peer, established; accepted as 4. Eight lines. */
#define ACCEPTED                                                                                   \
    LISTENER                                                                                       \
    "+0 < S 0:0(0) win 65535 <mss 1460>\n"                                                         \
    "+0 > S. 0:0(0) ack 1 <...>\n"                                                                 \
    "+.1 < . 1:1(0) ack 1 win 65535\n"                                                             \
    "+0 accept(3, ..., ...) = 4\n"

enum { ACCEPTED_LINES = 8, LISTENER_LINES = 4 };

static inline void run_script(struct hf_drill_result *result, const char *text)
{
    const struct hf_drill_config config = {.profile = HF_PROFILE_DEFAULT};
    hf_drill_text(result, text, strlen(text), &config);
}

static inline const char *outcome_name(enum hf_drill_outcome outcome)
{
    static const char *const names[] = {"passed", "failed", "skipped"};
    return names[outcome];
}

/** A script that passes; otherwise says why it did not. */
static inline bool passes(const char *text)
{
    struct hf_drill_result result;
    run_script(&result, text);
    bool is_good = result.outcome == HF_DRILL_PASSED;
    if (!is_good)
        fprintf(stderr, "%s in line %u\n  expected %s\n  got %s\n  state %s\n",
                outcome_name(result.outcome), result.place.line, result.expected, result.got,
                result.state);
    hf_drill_result_free(&result);
    return is_good;
}

/** A script that ends so, in that line, and says both texts. */
static inline bool ends(const char *text, enum hf_drill_outcome outcome, unsigned line,
                        const char *expected, const char *got)
{
    struct hf_drill_result result;
    run_script(&result, text);
    bool is_good = result.outcome == outcome && result.place.line == line &&
                   strstr(result.expected, expected) != NULL && strstr(result.got, got) != NULL;
    if (!is_good)
        fprintf(stderr, "%s in line %u\n  expected %s\n  got %s\n", outcome_name(result.outcome),
                result.place.line, result.expected, result.got);
    hf_drill_result_free(&result);
    return is_good;
}

#endif
