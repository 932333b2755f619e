/* Descriptors and opening, errno by errno: the same expectations put to two stacks and to the
 * kernel. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>

#include "support/socket_ends.h"

#define CALL(e, end, name, ...) ((e)->posix[end].calls->name((e)->posix[end].self, __VA_ARGS__))

static int bind_v4(struct socket_ends *e, unsigned end, int fd, uint16_t port)
{
    struct sockaddr_in a = socket_ends_v4(e, end, port);
    return CALL(e, end, bind, fd, (struct sockaddr *)&a, sizeof a);
}

static int try_connect(struct socket_ends *e, int fd, uint16_t port)
{
    struct sockaddr_in a = socket_ends_v4(e, END_B, port);
    struct hf_posix_wait wait = {0};
    return CALL(e, END_A, connect, fd, (struct sockaddr *)&a, sizeof a, &wait);
}

/* ---- descriptors -------------------------------------------------------------------------- */

static void descriptors(void **state)
{
    struct socket_ends *e = *state;
    struct hf_posix_wait wait = {0};
    int first = end_socket(e, END_A, AF_INET), second = end_socket(e, END_A, AF_INET6);
    int value = 0;
    assert_int_equal(end_close(e, END_A, first), 0);
    assert_int_equal(end_close(e, END_A, first), -EBADF);
    assert_int_equal(end_socket(e, END_A, AF_INET), first); /* the lowest free one */
    assert_int_equal(CALL(e, END_A, socket, AF_INET, SOCK_STREAM, IPPROTO_UDP), -EPROTONOSUPPORT);
    assert_int_equal(CALL(e, END_A, socket, 77, SOCK_STREAM, 0), -EAFNOSUPPORT);
    assert_int_equal(CALL(e, END_A, socket, AF_INET, 15, 0), -EINVAL);
    assert_int_equal(CALL(e, END_A, fcntl, first, F_GETFL, 0), O_RDWR);
    assert_int_equal(end_nonblocking(e, END_A, first, true), 0);
    assert_int_equal(CALL(e, END_A, fcntl, first, F_GETFL, 0), O_RDWR | O_NONBLOCK);
    assert_int_equal(CALL(e, END_A, ioctl, first, FIONBIO, &value), 0);
    assert_int_equal(CALL(e, END_A, fcntl, first, F_GETFL, 0), O_RDWR);
    assert_int_equal(CALL(e, END_A, fcntl, first, F_GETFD, 0), 0);
    assert_int_equal(CALL(e, END_A, fcntl, first, F_SETFD, FD_CLOEXEC), 0);
    assert_int_equal(CALL(e, END_A, fcntl, first, F_GETFD, 0), FD_CLOEXEC);
    int third = CALL(e, END_A, socket, AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(CALL(e, END_A, fcntl, third, F_GETFL, 0), O_RDWR | O_NONBLOCK);
    assert_int_equal(CALL(e, END_A, fcntl, third, F_GETFD, 0), FD_CLOEXEC);
    int epoll = CALL(e, END_A, epoll_create, 1);
    assert_int_equal(CALL(e, END_A, listen, epoll, 1), -ENOTSOCK);
    assert_int_equal(CALL(e, END_A, listen, 999, 1), -EBADF);
    assert_int_equal(CALL(e, END_A, accept, 999, NULL, NULL, &wait), -EBADF);
    assert_int_equal(end_poll(e, END_A, 999), POLLNVAL);
    assert_int_equal(end_close(e, END_A, epoll), 0);
    assert_int_equal(end_close(e, END_A, third), 0);
    assert_int_equal(end_close(e, END_A, second), 0);
    assert_int_equal(end_close(e, END_A, first), 0);
}

/* ---- before there is a connection --------------------------------------------------------- */

static void an_unconnected_socket(void **state)
{
    struct socket_ends *e = *state;
    struct hf_posix_wait wait = {0};
    int fd = end_socket(e, END_A, AF_INET), mark = -1;
    char byte = 0;
    assert_int_equal(end_send(e, END_A, fd, &byte, 1, 0), -EPIPE);
    assert_int_equal(end_receive(e, END_A, fd, &byte, 1, 0), -ENOTCONN);
    assert_int_equal(end_shutdown(e, END_A, fd, SHUT_RDWR), -ENOTCONN);
    assert_int_equal(CALL(e, END_A, accept, fd, NULL, NULL, &wait), -EINVAL);
    assert_int_equal(end_poll(e, END_A, fd), POLLHUP | POLLOUT | POLLIN | POLLRDHUP);
    assert_int_equal(end_close(e, END_A, fd), 0);
    fd = end_socket(e, END_A, AF_INET);
    assert_int_equal(end_poll(e, END_A, fd), POLLHUP | POLLOUT);
    assert_int_equal(end_shutdown(e, END_A, fd, 3), -EINVAL);
    assert_int_equal(CALL(e, END_A, ioctl, fd, SIOCATMARK, &mark), 0);
    assert_int_equal(mark, 0);
    assert_int_equal(CALL(e, END_A, ioctl, fd, 0x7777, &mark), -ENOTTY);
    assert_int_equal(end_close(e, END_A, fd), 0);
}

static void binding(void **state)
{
    struct socket_ends *e = *state;
    int fd = end_socket(e, END_A, AF_INET), other = end_socket(e, END_A, AF_INET);
    struct sockaddr_in a = socket_ends_v4(e, END_A, 5001);
    struct sockaddr_in6 a6 = socket_ends_v6(e, END_A, 5001);
    assert_int_equal(CALL(e, END_A, bind, fd, (struct sockaddr *)&a, 3), -EINVAL);
    assert_int_equal(CALL(e, END_A, bind, fd, (struct sockaddr *)&a6, sizeof a6), -EAFNOSUPPORT);
    struct sockaddr_in foreign = a;
    foreign.sin_addr.s_addr = htonl(0xc0000209);
    assert_int_equal(CALL(e, END_A, bind, fd, (struct sockaddr *)&foreign, sizeof a),
                     -EADDRNOTAVAIL);
    assert_int_equal(bind_v4(e, END_A, fd, 5001), 0);
    assert_int_equal(bind_v4(e, END_A, fd, 5002), -EINVAL); /* it is bound */
    assert_int_equal(bind_v4(e, END_A, other, 5001), -EADDRINUSE);
    end_set(e, END_A, other, SOL_SOCKET, SO_REUSEADDR, 1);
    assert_int_equal(bind_v4(e, END_A, other, 5001), -EADDRINUSE); /* both must say so */
    end_set(e, END_A, fd, SOL_SOCKET, SO_REUSEADDR, 1);
    assert_int_equal(bind_v4(e, END_A, other, 5001), 0);
    assert_int_equal(CALL(e, END_A, listen, fd, 1), 0);
    assert_int_equal(CALL(e, END_A, listen, other, 1), -EADDRINUSE);
    assert_int_equal(end_close(e, END_A, other), 0);
    other = end_socket(e, END_A, AF_INET);
    end_set(e, END_A, other, SOL_SOCKET, SO_REUSEADDR, 1);
    assert_int_equal(bind_v4(e, END_A, other, 5001), -EADDRINUSE); /* somebody listens */
    assert_int_equal(bind_v4(e, END_A, other, 0), 0);
    assert_int_equal(CALL(e, END_A, listen, other, 1), 0);
    assert_int_equal(end_close(e, END_A, other), 0);
    assert_int_equal(end_close(e, END_A, fd), 0);
}

static void wildcards_of_both_families(void **state)
{
    struct socket_ends *e = *state;
    struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = htons(5010)};
    struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons(5010)};
    for (int only = 0; only < 2; only++) {
        int six = end_socket(e, END_B, AF_INET6), four = end_socket(e, END_B, AF_INET);
        assert_int_equal(end_set(e, END_B, six, IPPROTO_IPV6, IPV6_V6ONLY, only), 0);
        assert_int_equal(CALL(e, END_B, bind, six, (struct sockaddr *)&any6, sizeof any6), 0);
        assert_int_equal(end_set(e, END_B, six, IPPROTO_IPV6, IPV6_V6ONLY, 1), -EINVAL);
        assert_int_equal(CALL(e, END_B, bind, four, (struct sockaddr *)&any4, sizeof any4),
                         only ? 0 : -EADDRINUSE);
        assert_int_equal(CALL(e, END_B, listen, six, 1), 0);
        int client = end_socket(e, END_A, AF_INET);
        assert_int_equal(end_connect(e, END_A, client, END_B, AF_INET, 5010),
                         only ? -ECONNREFUSED : 0);
        assert_int_equal(end_close(e, END_A, client), 0);
        assert_int_equal(end_close(e, END_B, four), 0);
        assert_int_equal(end_close(e, END_B, six), 0);
    }
}

/* ---- connecting --------------------------------------------------------------------------- */

static void connect_without_waiting(void **state)
{
    struct socket_ends *e = *state;
    int listener = end_listen(e, END_B, AF_INET, 5020, 1), fd = end_socket(e, END_A, AF_INET);
    end_nonblocking(e, END_A, fd, true);
    assert_int_equal(try_connect(e, fd, 5020), -EINPROGRESS);
    if (!e->kernel) { /* the loopback answers at once */
        assert_int_equal(try_connect(e, fd, 5020), -EALREADY);
        assert_int_equal(end_poll(e, END_A, fd), 0);
    }
    socket_ends_run(e, HF_MS(10));
    assert_int_equal(end_poll(e, END_A, fd), POLLOUT);
    assert_int_equal(end_get(e, END_A, fd, SOL_SOCKET, SO_ERROR), 0);
    assert_int_equal(try_connect(e, fd, 5020), 0);
    assert_int_equal(try_connect(e, fd, 5020), -EISCONN);
    assert_int_equal(CALL(e, END_A, listen, fd, 1), -EINVAL);
    assert_int_equal(try_connect(e, listener, 5020), -EISCONN);
    assert_int_equal(end_close(e, END_A, fd), 0);
    assert_int_equal(end_close(e, END_B, listener), 0);
}

static void connect_is_refused(void **state)
{
    struct socket_ends *e = *state;
    int fd = end_socket(e, END_A, AF_INET);
    char byte;
    assert_int_equal(end_connect(e, END_A, fd, END_B, AF_INET, 5030), -ECONNREFUSED);
    assert_int_equal(end_get(e, END_A, fd, SOL_SOCKET, SO_ERROR), 0); /* connect has told it */
    end_nonblocking(e, END_A, fd, true);
    assert_int_equal(try_connect(e, fd, 5030), -EINPROGRESS);
    socket_ends_run(e, HF_MS(10));
    assert_int_equal(end_poll(e, END_A, fd), POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP);
    assert_int_equal(end_get(e, END_A, fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
    assert_int_equal(end_get(e, END_A, fd, SOL_SOCKET, SO_ERROR), 0);
    assert_int_equal(try_connect(e, fd, 5030), -ECONNABORTED); /* the error was taken already */
    assert_int_equal(try_connect(e, fd, 5030), -EINPROGRESS);
    socket_ends_run(e, HF_MS(10));
    assert_int_equal(end_receive(e, END_A, fd, &byte, 1, 0), -ECONNREFUSED);
    assert_int_equal(end_receive(e, END_A, fd, &byte, 1, 0), 0);
    int listener = end_listen(e, END_B, AF_INET, 5030, 1); /* the socket is as good as new */
    assert_int_equal(try_connect(e, fd, 5030), -ECONNABORTED);
    assert_int_equal(end_nonblocking(e, END_A, fd, false), 0);
    assert_int_equal(end_connect(e, END_A, fd, END_B, AF_INET, 5030), 0);
    assert_int_equal(end_close(e, END_A, fd), 0);
    assert_int_equal(end_close(e, END_B, listener), 0);
}

static void wrong_addresses(void **state)
{
    struct socket_ends *e = *state;
    struct hf_posix_wait wait = {0};
    int fd = end_socket(e, END_A, AF_INET), six = end_socket(e, END_A, AF_INET6);
    struct sockaddr_in a = socket_ends_v4(e, END_B, 5040);
    struct sockaddr_in6 a6 = socket_ends_v6(e, END_B, 5040);
    assert_int_equal(CALL(e, END_A, connect, fd, (struct sockaddr *)&a, 1, &wait), -EINVAL);
    assert_int_equal(CALL(e, END_A, connect, fd, (struct sockaddr *)&a, 8, &wait), -EINVAL);
    assert_int_equal(CALL(e, END_A, connect, fd, (struct sockaddr *)&a6, sizeof a6, &wait),
                     -EAFNOSUPPORT);
    a.sin_addr.s_addr = htonl(0xe0000001); /* multicast */
    assert_int_equal(CALL(e, END_A, connect, fd, (struct sockaddr *)&a, sizeof a, &wait),
                     -ENETUNREACH);
    end_set(e, END_A, six, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1};
    memcpy(&a6.sin6_addr, mapped, sizeof mapped);
    assert_int_equal(CALL(e, END_A, connect, six, (struct sockaddr *)&a6, sizeof a6, &wait),
                     -ENETUNREACH);
    assert_int_equal(end_close(e, END_A, six), 0);
    assert_int_equal(end_close(e, END_A, fd), 0);
}

/* ---- accepting ---------------------------------------------------------------------------- */

static void accept_gives_them_in_order(void **state)
{
    struct socket_ends *e = *state;
    int listener = end_listen(e, END_B, AF_INET, 5050, 5);
    int clients[3];
    struct hf_posix_wait wait = {0};
    end_nonblocking(e, END_B, listener, true);
    assert_int_equal(CALL(e, END_B, accept, listener, NULL, NULL, &wait), -EAGAIN);
    assert_int_equal(end_poll(e, END_B, listener), 0);
    end_set(e, END_B, listener, SOL_SOCKET, SO_KEEPALIVE, 1);
    end_set(e, END_B, listener, IPPROTO_TCP, TCP_NODELAY, 1);
    for (uint16_t i = 0; i < 3; i++) {
        clients[i] = end_socket(e, END_A, AF_INET);
        assert_int_equal(bind_v4(e, END_A, clients[i], (uint16_t)(5051 + i)), 0);
        assert_int_equal(end_connect(e, END_A, clients[i], END_B, AF_INET, 5050), 0);
    }
    assert_int_equal(end_poll(e, END_B, listener), POLLIN);
    for (uint16_t i = 0; i < 3; i++) {
        struct sockaddr_in from;
        socklen_t length = sizeof from;
        int fd = CALL(e, END_B, accept, listener, (struct sockaddr *)&from, &length, &wait);
        assert_true(fd >= 3);
        assert_int_equal(length, sizeof from);
        assert_int_equal(ntohs(from.sin_port), 5051 + i);
        struct sockaddr_in expected = socket_ends_v4(e, END_A, 0);
        assert_int_equal(from.sin_addr.s_addr, expected.sin_addr.s_addr);
        assert_int_equal(CALL(e, END_B, fcntl, fd, F_GETFL, 0), O_RDWR); /* not inherited */
        assert_int_equal(end_get(e, END_B, fd, SOL_SOCKET, SO_KEEPALIVE), 1);
        assert_int_equal(end_get(e, END_B, fd, IPPROTO_TCP, TCP_NODELAY), 1);
        assert_int_equal(end_get(e, END_B, fd, SOL_SOCKET, SO_ACCEPTCONN), 0);
        assert_int_equal(end_close(e, END_B, fd), 0);
        assert_int_equal(end_close(e, END_A, clients[i]), 0);
    }
    assert_int_equal(end_get(e, END_B, listener, SOL_SOCKET, SO_ACCEPTCONN), 1);
    assert_int_equal(end_close(e, END_B, listener), 0);
}

/** It has nothing to wait for: a read that blocks says so at once. */
static void a_listener_has_no_data(void **state)
{
    struct socket_ends *e = *state;
    int listener = end_listen(e, END_B, AF_INET, 5061, 5);
    char byte = 0;
    assert_int_equal(end_receive(e, END_B, listener, &byte, 1, 0), -ENOTCONN);
    assert_int_equal(end_send(e, END_B, listener, &byte, 1, 0), -EPIPE);
    assert_int_equal(end_set(e, END_B, listener, SOL_SOCKET, SO_RCVLOWAT, 10), 0);
    assert_int_equal(end_receive(e, END_B, listener, &byte, 1, 0), -ENOTCONN);
    assert_int_equal(end_close(e, END_B, listener), 0);
}

static void closing_a_listener_resets_what_waits(void **state)
{
    struct socket_ends *e = *state;
    int listener = end_listen(e, END_B, AF_INET, 5060, 5), fd = end_socket(e, END_A, AF_INET);
    char byte;
    assert_int_equal(end_connect(e, END_A, fd, END_B, AF_INET, 5060), 0);
    assert_int_equal(end_close(e, END_B, listener), 0);
    socket_ends_run(e, HF_MS(10));
    assert_int_equal(end_receive(e, END_A, fd, &byte, 1, 0), -ECONNRESET);
    assert_int_equal(end_receive(e, END_A, fd, &byte, 1, 0), 0);
    assert_int_equal(end_send(e, END_A, fd, &byte, 1, 0), -EPIPE);
    assert_int_equal(end_close(e, END_A, fd), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptors),
        cmocka_unit_test(an_unconnected_socket),
        cmocka_unit_test(binding),
        cmocka_unit_test(wildcards_of_both_families),
        cmocka_unit_test(connect_without_waiting),
        cmocka_unit_test(connect_is_refused),
        cmocka_unit_test(wrong_addresses),
        cmocka_unit_test(accept_gives_them_in_order),
        cmocka_unit_test(a_listener_has_no_data),
        cmocka_unit_test(closing_a_listener_resets_what_waits),
    };
    return socket_ends_main(tests, sizeof tests / sizeof *tests);
}
