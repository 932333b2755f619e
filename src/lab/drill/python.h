/**
 * The assertions of %{ }% blocks, as far as scripts use them: a small evaluator for
 *
 *     assert EXPRESSION [, message]; NAME = EXPRESSION; print(...) is passed over
 *
 * with integers, comparisons (chained too), arithmetic, bit operations, and/or/not, parentheses,
 * abs() min() max(), strings with % (in messages only), and the names tcpi_*, TCP_*, TCPI_*.
 * Statements are parted by newlines and semicolons; `#` begins a comment. What it does not know it
 * says: the runner then skips the script, or hands its blocks to Python.
 */
#ifndef HF_LAB_DRILL_PYTHON_H
#define HF_LAB_DRILL_PYTHON_H

#include <handfast/handfast.h>

enum hf_python_verdict {
    HF_PYTHON_PASSED,
    HF_PYTHON_FAILED,  /**< an assertion does not hold: words say which, with its values */
    HF_PYTHON_UNKNOWN, /**< beyond the evaluator: words say what */
};

/** Value of a name that is not a variable of the script; false if there is none. */
typedef bool hf_python_name_fn(void *ctx, const char *name, int64_t *value);

enum { HF_PYTHON_VARIABLES = 64, HF_PYTHON_NAME_BYTES = 48 };

/** Variables persist from block to block. Zero it first. */
struct hf_python {
    hf_python_name_fn *name;
    void *name_ctx;
    struct hf_python_variable {
        char name[HF_PYTHON_NAME_BYTES];
        int64_t value;
    } variables[HF_PYTHON_VARIABLES];
    size_t variable_count;
};

enum hf_python_verdict hf_python_run(struct hf_python *p, const char *block, char *words,
                                     size_t words_bytes);

#endif
