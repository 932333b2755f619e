/**
 * Sockets of a stack: file descriptors with POSIX semantics over the core's handles and events.
 *
 * Pure: no I/O, no clock, no thread. Whoever drives the stack calls hf_sockets_update with the time
 * after packets went in, after time has passed, and before calls; then it pulls the stack's output
 * as ever. Takes the stack's events: nobody else may pull them.
 *
 * What differs from a kernel's sockets is told in sockets.c, call by call.
 */
#ifndef HF_SOCKETS_SOCKETS_H
#define HF_SOCKETS_SOCKETS_H

#include "posix.h"

struct hf_sockets;

/** HF_OK or HF_E_MEMORY. The stack is the caller's and outlives it. */
HF_MUST_CHECK int hf_sockets_new(struct hf_sockets **out, struct hf_stack *stack, hf_ns now);
/** Closes what is open, without lingering. */
void hf_sockets_free(struct hf_sockets *s);
/** Sets the time that calls are made at and takes the stack's events. */
void hf_sockets_update(struct hf_sockets *s, hf_ns now);
/** The table of calls. That time passes until a call that waits goes on by it alone (poll,
 *  SO_RCVTIMEO ...) is its caller's business: until_ns of its wait. */
struct hf_posix hf_sockets_posix(struct hf_sockets *s);
/** The connection or listener behind a descriptor; 0 if there is none. */
hf_handle hf_sockets_handle(const struct hf_sockets *s, int fd);
/** Whether TCP_INFO of a connection tells that field of Linux's structure, "tcpi_rtt"; the others
 *  are always 0. */
bool hf_sockets_tell(const char *field);

#endif
