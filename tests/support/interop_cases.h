/**
 * One connection between Handfast and the kernel from its first SYN to what is left of it: who
 * opens, who ends it and how, and what the path does meanwhile. Shared by the tests that run tables
 * of such cases; each case is a test of its own, with a namespace entry, TUN and ports of its own.
 */
#ifndef HF_TEST_INTEROP_CASES_H
#define HF_TEST_INTEROP_CASES_H

#include "support/interop.h"

enum interop_opening { OPENING_WE_ACCEPT, OPENING_WE_CONNECT, OPENING_BOTH };
enum { OPENING_COUNT = OPENING_BOTH + 1 };

enum interop_close {
    CLOSE_PEER_FIRST,
    CLOSE_WE_FIRST,
    CLOSE_BOTH,
    CLOSE_HALF_OURS,  /**< we shut down, then the kernel sends 10 MB */
    CLOSE_HALF_PEERS, /**< the other way round */
    CLOSE_WE_ABORT,
    CLOSE_PEER_ABORTS,
    CLOSE_CLOSED_PORT, /**< nobody listens: there never is a connection */
    CLOSE_SILENT_PORT, /**< nobody answers */
};
enum { CLOSE_COUNT = CLOSE_SILENT_PORT + 1 };

struct interop_case {
    enum interop_opening opening;
    enum interop_close close;
    bool v6;
    const char *drop;     /**< a rule that must act exactly once, NULL: none */
    bool keeps_time_wait; /**< our TIME-WAIT is looked at, but its end is not waited for */
    bool plain;           /**< no super-packets: a lost one is a single segment */
};

/** A case is a test whose initial state is one of these; the rest is the runner's. */
struct interop_run {
    struct interop_case what;
    unsigned number; /**< of the case in its program: makes its ports */
    char name[96];
    struct interop *w;
};

/** Names the case; number must differ from that of all others in the namespace. */
void interop_run_init(struct interop_run *run, const struct interop_case *what, unsigned number);
/** A cmocka test and its teardown; *state is a struct interop_run. */
void interop_run_test(void **state);
int interop_run_teardown(void **state);
/** Runs them as a group; its exit code. */
int interop_run_all(const char *group, struct interop_run *runs, size_t count);

#endif
