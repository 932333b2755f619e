/**
 * Commands in the test's own namespace: started, waited for with patience, and never left behind.
 */
#ifndef HF_TEST_COMMAND_H
#define HF_TEST_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { COMMAND_SAID_BYTES = 4096, COMMAND_ARGS_MAX = 24, COMMAND_TIMED_OUT = -1 };

struct command {
    pid_t pid; /**< 0: not running */
    int said_fd;
};

struct command_start {
    const char *const *argv; /**< NULL-terminated; argv[0] NULL: the handfast command */
    int in_fd, out_fd;       /**< -1: nothing comes, or goes to what it says */
    bool as_nobody;          /**< without privileges */
};

/** Starts it; what it says on stderr is kept. False, and says why, if that fails. */
bool command_begin(struct command *c, const struct command_start *how);
/** What it has said so far. */
void command_said(const struct command *c, char text[COMMAND_SAID_BYTES]);
/** Waits until it has said a text; false: it ended or the time is over. */
bool command_await(struct command *c, const char *text, int patience_ms);
/** Waits for its end; its exit code, 128 + n of a signal. After patience_ms it is killed:
 *  COMMAND_TIMED_OUT. */
int command_end(struct command *c, int patience_ms);
/** Of a running one: what it may have of a resource (RLIMIT_AS, ...) from now on. A file that may
 *  not grow is an error of its writes, no signal. */
void command_limit(const struct command *c, int resource, uint64_t limit);
void command_signal(const struct command *c, int signal_number);
/** Ends it if it runs still, and forgets what it said. */
void command_drop(struct command *c);
/** All of that at once; what it says is in said. */
int command_run(const struct command_start *how, int patience_ms, char said[COMMAND_SAID_BYTES]);

#endif
