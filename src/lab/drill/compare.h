/**
 * What came of scripts that ran against two stacks, and where these differ:
 *
 *     same   tests/drill/release/we-close-first.pkt
 *     DIFFER tests/drill/handshake/listen-ignores.pkt
 *         core      passed
 *         linux     failed at line 14
 *         expected  > R 1:1(0)
 *         got       nothing until 2.010000 s
 *     31 same, 1 differ, 0 fail on both, 2 skipped
 *
 * Two failures at different lines differ too.
 */
#ifndef HF_LAB_DRILL_COMPARE_H
#define HF_LAB_DRILL_COMPARE_H

#include "report.h"

enum hf_compare_verdict {
    HF_COMPARE_SAME,
    HF_COMPARE_DIFFER,
    HF_COMPARE_BOTH_FAIL,
    HF_COMPARE_SKIPPED, /**< by one of them at least */
};

struct hf_compare {
    struct hf_report report; /**< how it is told; what it counts is not used */
    const char *names[2];    /**< of the stacks */
    unsigned counts[HF_COMPARE_SKIPPED + 1];
};

enum hf_compare_verdict hf_compare_verdict(const struct hf_drill_result results[2]);
/** Tells two results of a script. The second one counts for nothing if the first was skipped. */
void hf_compare_add(struct hf_compare *c, const char *path,
                    const struct hf_drill_result results[2]);
/** The last line, of text. */
void hf_compare_end(struct hf_compare *c);

#endif
