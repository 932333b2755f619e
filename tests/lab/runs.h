/**
 * For tests that make very many runs: which of them to make, and what to say about them.
 *
 * Under a sanitizer an evenly spread sample is made, unless HF_TEST_LONG=1. A run that fails prints
 * a line HF_TEST_RUN=name; with that in the environment the test makes this run only.
 */
#ifndef HF_TEST_LAB_RUNS_H
#define HF_TEST_LAB_RUNS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/sanitized.h"

enum { RUN_NAME_BYTES = 120, RUNS_FAILURES_SHOWN = 20 };

struct runs {
    const char *test;
    const char *only;    /**< or NULL */
    unsigned sample;     /**< one in so many is made */
    uint64_t seen, made; /**< runs asked about, and made */
    uint64_t failed;
    char name[RUN_NAME_BYTES]; /**< of the present run */
    struct timespec start;
};

static inline bool runs_are_long(void)
{
    const char *text = getenv("HF_TEST_LONG");
    return text != NULL && text[0] == '1';
}

/** Under a sanitizer one run in `sample` is made. */
static inline struct runs runs_begin(const char *test, unsigned sample)
{
    struct runs r = {.test = test, .only = getenv("HF_TEST_RUN"), .sample = 1};
    if (HF_TEST_SANITIZED && !runs_are_long())
        r.sample = sample;
    clock_gettime(CLOCK_MONOTONIC, &r.start);
    return r;
}

/** Names the next run; false if it is not to be made. */
__attribute__((format(printf, 2, 3))) static inline bool runs_next(struct runs *r,
                                                                   const char *format, ...)
{
    bool chosen = r->seen++ % r->sample == 0;
    if (!chosen && r->only == NULL)
        return false;
    va_list args;
    va_start(args, format);
    vsnprintf(r->name, sizeof r->name, format, args);
    va_end(args);
    if (r->only != NULL && strcmp(r->only, r->name) != 0)
        return false;
    r->made++;
    return true;
}

/** The present run failed. */
static inline void runs_fail(struct runs *r, const char *why)
{
    if (r->failed++ < RUNS_FAILURES_SHOWN)
        fprintf(stderr, "%s: %s\n  repeat with HF_TEST_RUN='%s'\n", r->test, why, r->name);
}

/** Prints how many runs it was and how long; true if none failed and there was one at all. */
static inline bool runs_end(const struct runs *r)
{
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    double s =
        (double)(end.tv_sec - r->start.tv_sec) + (double)(end.tv_nsec - r->start.tv_nsec) / 1e9;
    printf("%s: %llu of %llu runs in %.2f s, %llu failed\n", r->test, (unsigned long long)r->made,
           (unsigned long long)r->seen, s, (unsigned long long)r->failed);
    fflush(stdout);
    return r->failed == 0 && (r->made > 0 || r->only != NULL);
}

#endif
