/**
 * Makes the socket calls of scripts: arguments from the tree, what `...` leaves to the runner
 * supplied, results and what came out compared.
 *
 * Descriptors in scripts are labels; the live ones behind them are kept here. Payload is zeros and
 * is not compared.
 */
#ifndef HF_LAB_DRILL_CALLS_H
#define HF_LAB_DRILL_CALLS_H

#include "match.h"
#include "script_options.h"
#include "sockets/posix.h"

enum { HF_CALL_LABELS = 1024, HF_CALL_WORDS_BYTES = 320 };

/** What calls are made with. */
struct hf_call_env {
    const struct hf_posix *posix;
    const struct hf_drill_options *options;
    enum hf_drill_match match; /**< SEMANTIC: buffer sizes that the system tells don't count */
    int live[HF_CALL_LABELS];  /**< the live descriptor of a label, and 1; 0: none */
};

enum hf_call_outcome {
    HF_CALL_MET,
    HF_CALL_WAITS,   /**< make it again, with the same wait, after something happened */
    HF_CALL_DIFFERS, /**< expected and got say how */
    HF_CALL_BEYOND,  /**< can't be made: `got` says why */
};

struct hf_call_result {
    int64_t value; /**< of the call, or -errno */
    int fd;        /**< the live descriptor that it made, or -1 */
    char expected[HF_CALL_WORDS_BYTES], got[HF_CALL_WORDS_BYTES];
};

enum hf_call_outcome hf_call_try(struct hf_call_env *env, const struct hf_script_call *call,
                                 struct hf_posix_wait *wait, struct hf_call_result *result);
/** The name of each call that is known, be it supported or not; NULL behind the last. */
const char *hf_call_name(size_t n);
/** Whether the n-th argument of a call is that word. */
bool hf_call_has_word(const struct hf_script_call *call, size_t n, const char *word);
/** Closes every descriptor that is still open. */
void hf_calls_end(struct hf_call_env *env);

#endif
