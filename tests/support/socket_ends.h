/**
 * Two places to make socket calls from, with a network between them: two stacks in virtual time, or
 * the kernel and its loopback in a network namespace of our own. So the same expectation is put to
 * two implementations.
 *
 *     A 10.0.0.1 fd00::1   B 10.0.0.2 fd00::2     of the kernel both are 127.0.0.1 ::1
 */
#ifndef HF_TEST_SOCKET_ENDS_H
#define HF_TEST_SOCKET_ENDS_H

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sockets/sockets.h"

enum { END_A, END_B, ENDS };

struct socket_ends {
    bool kernel;
    struct hf_posix posix[ENDS];
    struct hf_stack *stacks[ENDS];
    struct hf_sockets *sockets[ENDS];
    hf_ns now_ns;
    bool cut; /**< nothing arrives */
};

/** Runs tests over two stacks, then over the kernel; each gets the ends as its state. The program's
 *  result: 77 where the kernel's part can't be run. */
int socket_ends_main(const struct CMUnitTest *tests, size_t count);

/** Two stacks with these settings (NULL: the profile linux). Ends the program without memory. */
void socket_ends_open(struct socket_ends *e, const struct hf_config *config);
/** The kernel. False where no namespace can be made. Once a process: it stays in there. */
bool socket_ends_open_kernel(struct socket_ends *e);
void socket_ends_close(struct socket_ends *e);
/** Lets time pass, and carries packets. Of the kernel: a little time at most. */
void socket_ends_run(struct socket_ends *e, hf_ns span_ns);
/** The address of an end, with this port. */
struct sockaddr_in socket_ends_v4(const struct socket_ends *e, unsigned end, uint16_t port);
struct sockaddr_in6 socket_ends_v6(const struct socket_ends *e, unsigned end, uint16_t port);

/* Calls; those that wait are made again until they say something, or HF_POSIX_WAIT after ten
 * seconds (of the kernel: half a second). */
int end_socket(struct socket_ends *e, unsigned end, int family);
/** A listener at this port of the end; ends the test if it can't be had. */
int end_listen(struct socket_ends *e, unsigned end, int family, uint16_t port, int backlog);
int end_connect(struct socket_ends *e, unsigned end, int fd, unsigned to, int family,
                uint16_t port);
int end_accept(struct socket_ends *e, unsigned end, int fd);
ssize_t end_send(struct socket_ends *e, unsigned end, int fd, const void *bytes, size_t n,
                 int flags);
ssize_t end_receive(struct socket_ends *e, unsigned end, int fd, void *bytes, size_t n, int flags);
int end_close(struct socket_ends *e, unsigned end, int fd);
int end_shutdown(struct socket_ends *e, unsigned end, int fd, int how);
int end_set(struct socket_ends *e, unsigned end, int fd, int level, int name, int value);
/** The value of an option of type int, or a negative errno. */
int end_get(struct socket_ends *e, unsigned end, int fd, int level, int name);
int end_nonblocking(struct socket_ends *e, unsigned end, int fd, bool on);
/** revents at this moment, of all bits. */
int end_poll(struct socket_ends *e, unsigned end, int fd);
/** A connection from A to B: fds[END_A], fds[END_B]. */
void end_pair(struct socket_ends *e, int family, uint16_t port, int fds[ENDS]);

#endif
