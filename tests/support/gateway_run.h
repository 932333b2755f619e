/**
 * For tests of `handfast gateway`: servers on the host's loopback, and runs of the command with
 * this test program as the client inside, called with the name of a part to play.
 */
#ifndef HF_TEST_GATEWAY_RUN_H
#define HF_TEST_GATEWAY_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "support/sanitized.h"

enum { GATEWAY_SKIP = 77, GATEWAY_TEXT_BYTES = 4096, GATEWAY_ARGS_MAX = 16 };

/** How a run of the command ended. */
struct gateway_run {
    int exit_code;                 /**< 128 + signal, as a shell has it */
    char said[GATEWAY_TEXT_BYTES]; /**< on stderr, by the gateway and by the command */
    long peak_kb;                  /**< resident */
    double seconds, cpu_seconds;   /**< CPU: of the gateway and its command together */
};

/** A process that runs while others do. */
struct gateway_server {
    pid_t pid;
    uint16_t port;
    char port_text[8];
};

/** A part of the client; its arguments begin with the part's name. */
struct gateway_part {
    const char *name;
    int (*play)(int argc, char **argv);
};

/** Plays the part that argv[1] names; its exit code. */
int gateway_play(const struct gateway_part *parts, size_t count, int argc, char **argv);
/** False, and says why on stderr, if a gateway can't be had here. Call it first. */
bool gateway_can(void);
/** Bytes of a large transfer: 100 MB, 1 GB if HF_TEST_LONG=1. */
uint64_t gateway_large_bytes(void);

/** Starts `handfast ARGS...`, a NULL-ended list, as the head of a process group; its stderr comes
 *  out of *said_fd. prepare, if any, runs in it first; it is not started unless that gives 0. */
pid_t gateway_spawn(const char *const *args, int (*prepare)(void), int *said_fd);
/** Starts it, and waits for it. */
void gateway_command(struct gateway_run *run, const char *const *args, int (*prepare)(void));
/** Waits for what gateway_spawn started. */
void gateway_finish(pid_t pid, int said_fd, struct gateway_run *run);
/** Runs `handfast gateway OPTIONS... -- SELF PART...`; NULL ends both, and options may be NULL. */
void gateway_run(struct gateway_run *run, const char *const *options, const char *const *part);
/** The same with a `prepare`. */
void gateway_run_prepared(struct gateway_run *run, const char *const *options,
                          const char *const *part, int (*prepare)(void));
/** Whether what was said contains part; if not, shows it. */
bool gateway_says(const struct gateway_run *run, const char *part);
/** What was said is one line, in the name of a subcommand. */
bool gateway_says_one_line(const struct gateway_run *run, const char *subcommand);
/** No process of a run is left. Runs of this program leave their orphans to it. */
bool gateway_left_nothing(void);

/** A process that serves on 127.0.0.1, or ::1: serve gets the listening socket. */
struct gateway_server gateway_serve(bool v6, int (*serve)(int listening));
/** Waits for its end; its exit code, 128 + signal. */
int gateway_served(const struct gateway_server *s);
/** Ends it. */
void gateway_stop(const struct gateway_server *s);
int gateway_listen(bool v6, int backlog, uint16_t *port);

/** Connects to the host's loopback from inside; a descriptor, or -errno. */
int gateway_connect(const char *port, bool v6);
/** Writes n bytes of a pattern, from an offset on; false: errno says why. */
bool gateway_write(int fd, uint64_t offset, uint64_t n, unsigned key);
/** Reads n bytes and compares them. */
bool gateway_read(int fd, uint64_t offset, uint64_t n, unsigned key);
/** The peer's FIN is next. */
bool gateway_read_end(int fd);
/** Closes with a RST. */
void gateway_reset(int fd);
double gateway_seconds(void);

/* For `prepare`, as root: in a mount namespace of its own, which goes with the run. */

/** No /dev/net/tun. */
int gateway_without_tun(void);
/** Not root any more; /dev/net/tun is open to all, or to root alone. */
int gateway_as_nobody_with_tun(void);
int gateway_as_nobody_without_tun(void);

/** In a process that is no test itself: names the line and gives 1 back. */
#define GATEWAY_MUST(condition)                                                                    \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: %s (%m)\n", __func__, __LINE__, #condition);             \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

#endif
