/**
 * For tests of commands in network namespaces: the command is the test program itself, called with
 * the name of a part to play. main hands its arguments to spawned_play if there are any.
 *
 *     connect ADDRESS PORT    connects, and waits as long as the kernel does
 *     tell FD                 writes what it finds in its place to FD, one line; ends with code 5
 *     exit CODE
 *     wait                    for a signal
 */
#ifndef HF_TEST_SPAWNED_H
#define HF_TEST_SPAWNED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "gateway/namespace.h"

enum { SPAWNED_SKIP = 77, SPAWNED_PATIENCE_MS = 20000 };

/** A command line of this program. */
struct spawned_command {
    char *argv[5];
};

/** Plays the part that argv[1] names; its exit code. */
int spawned_play(int argc, char **argv);
/** False, and says why on stderr, if namespaces can't be had here at all. Call it first. */
bool spawned_can(void);

/** A part and up to two arguments, NULL where there is none. */
struct spawned_command spawned_command(const char *part, const char *a, const char *b);
/** Spawns and starts a command with the given settings; the failure's text goes to stderr. */
int spawned_start(const struct hf_namespace_config *cfg, const struct spawned_command *c,
                  struct hf_namespace *ns);
/** What a command with these settings tells of itself. False: it could not be started. */
bool spawned_ask(const struct hf_namespace_config *cfg, char *text, size_t room_bytes);
/** Reads packets behind their virtio-net headers until a TCP one comes; its length, 0: none. */
size_t spawned_read_tcp(int tun_fd, uint8_t *packet, size_t room_bytes);

/** Descriptors that are open, or of them those that a command would inherit. */
int spawned_descriptors(bool inheritable_only);
bool spawned_has_capabilities(void);
bool spawned_has_children(void);
bool spawned_is_readable(int fd, int timeout_ms);
/** Whether text contains part; if not, says so on stderr. */
bool spawned_says(const char *text, const char *part);
/** Runs body in a process of its own, which it may ruin; its exit code. */
int spawned_in_process(int (*body)(void));

/** In such a process: names the line and ends it. */
#define SPAWNED_MUST(condition)                                                                    \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                          \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

#endif
