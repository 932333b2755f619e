/**
 * `handfast wire` between two network namespaces, with the kernel's sockets at both ends, all in
 * one process and one thread: a socket belongs to the namespace that it was made in.
 *
 *     left      10.9.0.1  fd09::1        right     10.9.0.2  fd09::2
 */
#ifndef HF_TEST_WIRED_H
#define HF_TEST_WIRED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "support/command.h"

enum { WIRED_LEFT, WIRED_RIGHT, WIRED_SIDES };
enum { WIRED_SKIP = 77, WIRED_PATIENCE_MS = 20000, WIRED_OPTIONS_MAX = 12 };

/** Makes the namespaces; "" or what is missing for that. Call it first. */
const char *wired_missing(void);
bool wired_has_v6(void);

/** Starts the command with these options, NULL-terminated, moves its devices and gives them their
 *  addresses. Fails the test if that can't be done. */
void wired_start(const char *const options[]);
/** Ends it as a person does; it must succeed. What it reports can be asked for afterwards. */
void wired_stop(void);
/** Ends it if a test failed, and shows what it said. */
void wired_drop(void);
struct command *wired_command(void);
/** Takes the right device away while the command runs. */
void wired_remove_right(void);

/** A number of the report's line for packets from this side, by its JSON name. */
double wired_number(int from, const char *name);
/** False, and says so: wire reports that it was too slow for anybody to judge times by it. */
bool wired_kept_up(void);

/** A non-blocking socket of a side, bound to its address and this port (0: any). */
int wired_socket(int side, bool v6, int type, uint16_t port);
socklen_t wired_address(int side, bool v6, uint16_t port, struct sockaddr_storage *out);

#endif
