/**
 * For tests of single matters between Handfast and the kernel: each runs over IPv4 and IPv6, and a
 * failure shows both sides.
 */
#ifndef HF_TEST_INTEROP_BENCH_H
#define HF_TEST_INTEROP_BENCH_H

#include "support/interop.h"

enum { BENCH_OWN_PORT = 7000, BENCH_KERNEL_PORT = 8000 };

/** State of such a test. */
struct interop_bench {
    bool v6;
    uint16_t own_port, kernel_port; /**< of this test alone */
    struct interop *w;              /**< NULL until bench_open */
    struct interop_ours *ours;      /**< of bench_open_pair */
    struct interop_theirs *theirs;
};

struct interop_bench_test {
    const char *name;
    void (*run)(void **state);
};
#define BENCH_TEST(function)                                                                       \
    {                                                                                              \
#function, function                                                                        \
    }

/** Opens the place; cfg NULL: interop_config. The trail is that of the bench's ports. */
struct interop *bench_open(struct interop_bench *b, struct hf_config *cfg);
/** The same over a link without super-packets, with wrap around it. */
struct interop *bench_open_plain(struct interop_bench *b, struct hf_config *cfg,
                                 struct hf_link *(*wrap)(struct hf_link *inner, void *ctx),
                                 void *wrap_ctx);
/** We connect to the kernel; both are established when this returns. */
void bench_connect(struct interop_bench *b, const struct interop_plan *ours,
                   const struct interop_plan *theirs);
/** Runs until done or fails. */
void bench_until(struct interop_bench *b, bool (*done)(const struct interop *w), hf_ns limit_ns);
/** All ends have come to their end. */
bool bench_all_over(const struct interop *w);
/** Runs all tests over both families; the program's exit code. */
int bench_run_all(const char *group, const struct interop_bench_test *tests, size_t count);

#endif
