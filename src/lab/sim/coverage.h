/**
 * Which bytes of a stream have come so far: those before `next` all, and some ranges behind it.
 */
#ifndef HF_LAB_SIM_COVERAGE_H
#define HF_LAB_SIM_COVERAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hf_coverage_range {
    uint64_t left, right;
};

/** All-zero: nothing has come. */
struct hf_coverage {
    uint64_t next;
    struct hf_coverage_range *ranges; /**< in order, apart from each other and from next */
    size_t count, capacity;
};

/** Adds [left, right); returns how many bytes of it are new. */
uint64_t hf_coverage_add(struct hf_coverage *c, uint64_t left, uint64_t right);
bool hf_coverage_has(const struct hf_coverage *c, uint64_t offset);
void hf_coverage_free(struct hf_coverage *c);

#endif
