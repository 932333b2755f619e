/* Data and the ways to end, errno by errno: the same expectations put to two stacks and to the
 * kernel. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/ioctl.h>

#include "support/socket_ends.h"

#define CALL(e, end, name, ...) ((e)->posix[end].calls->name((e)->posix[end].self, __VA_ARGS__))

static void close_both(struct socket_ends *e, const int fds[ENDS])
{
    assert_int_equal(end_close(e, END_A, fds[END_A]), 0);
    assert_int_equal(end_close(e, END_B, fds[END_B]), 0);
}

/* ---- data --------------------------------------------------------------------------------- */

static void reading_and_peeking(void **state)
{
    struct socket_ends *e = *state;
    int fds[ENDS], there = 0;
    char text[32] = "";
    end_pair(e, AF_INET6, 5070, fds);
    end_nonblocking(e, END_B, fds[END_B], true);
    assert_int_equal(end_receive(e, END_B, fds[END_B], text, 10, 0), -EAGAIN);
    assert_int_equal(end_poll(e, END_B, fds[END_B]), POLLOUT);
    assert_int_equal(end_send(e, END_A, fds[END_A], "0123456789", 10, 0), 10);
    socket_ends_run(e, HF_MS(5));
    assert_int_equal(end_poll(e, END_B, fds[END_B]), POLLIN | POLLOUT);
    assert_int_equal(CALL(e, END_B, ioctl, fds[END_B], FIONREAD, &there), 0);
    assert_int_equal(there, 10);
    assert_int_equal(end_receive(e, END_B, fds[END_B], text, 4, MSG_PEEK), 4);
    assert_memory_equal(text, "0123", 4);
    assert_int_equal(end_receive(e, END_B, fds[END_B], text, 2, MSG_TRUNC), 2); /* thrown away */
    assert_int_equal(end_receive(e, END_B, fds[END_B], text, 32, MSG_PEEK), 8);
    assert_memory_equal(text, "23456789", 8);
    assert_int_equal(end_receive(e, END_B, fds[END_B], text, 0, 0), 0);
    assert_int_equal(end_receive(e, END_B, fds[END_B], text, 32, 0), 8);
    assert_int_equal(end_receive(e, END_B, fds[END_B], text, 32, 0), -EAGAIN);
    assert_int_equal(end_send(e, END_A, fds[END_A], "", 0, 0), 0);
    close_both(e, fds);
}

/* Nothing is copied, so there need be no place to copy to. */
static void bytes_are_thrown_away_without_a_buffer(void **state)
{
    struct socket_ends *e = *state;
    int fds[ENDS];
    char text[8] = "......";
    end_pair(e, AF_INET, 5190, fds);
    assert_int_equal(end_send(e, END_A, fds[END_A], "abcdef", 6, 0), 6);
    socket_ends_run(e, HF_MS(5));
    assert_int_equal(end_receive(e, END_B, fds[END_B], NULL, 4, MSG_TRUNC | MSG_PEEK), 4);
    assert_int_equal(end_receive(e, END_B, fds[END_B], text, 4, MSG_TRUNC | MSG_PEEK), 4);
    assert_string_equal(text, "......");
    assert_int_equal(end_receive(e, END_B, fds[END_B], NULL, 4, MSG_TRUNC), 4);
    assert_int_equal(end_receive(e, END_B, fds[END_B], text, 4, 0), 2);
    assert_memory_equal(text, "ef", 2);
    assert_int_equal(end_send(e, END_A, fds[END_A], "!", 1, MSG_OOB), 1);
    socket_ends_run(e, HF_MS(5));
    assert_int_equal(end_receive(e, END_B, fds[END_B], NULL, 1, MSG_OOB | MSG_TRUNC), 1);
    close_both(e, fds);
}

static void waiting_for_all(void **state)
{
    struct socket_ends *e = *state;
    int fds[ENDS];
    char text[32] = "";
    struct iovec iov[2] = {{text, 4}, {text + 8, 8}};
    struct msghdr message = {.msg_iov = iov, .msg_iovlen = 2};
    struct hf_posix_wait wait = {0};
    end_pair(e, AF_INET, 5080, fds);
    assert_int_equal(end_send(e, END_A, fds[END_A], "abcdef", 6, 0), 6);
    socket_ends_run(e, HF_MS(5));
    assert_int_equal(CALL(e, END_B, recvmsg, fds[END_B], &message, MSG_WAITALL, &wait),
                     HF_POSIX_WAIT);
    assert_int_equal(end_send(e, END_A, fds[END_A], "ghijklmn", 8, 0), 8);
    socket_ends_run(e, HF_MS(5));
    assert_int_equal(CALL(e, END_B, recvmsg, fds[END_B], &message, MSG_WAITALL, &wait), 12);
    assert_memory_equal(text, "abcd", 4);
    assert_memory_equal(text + 8, "efghijkl", 8);
    assert_int_equal(end_shutdown(e, END_A, fds[END_A], SHUT_WR), 0);
    socket_ends_run(e, HF_MS(5));
    assert_int_equal(end_receive(e, END_B, fds[END_B], text, 20, MSG_WAITALL), 2); /* the end */
    close_both(e, fds);
}

static void low_water_and_timeouts(void **state)
{
    struct socket_ends *e = *state;
    int fds[ENDS];
    char text[8];
    struct timeval soon = {.tv_usec = 30000};
    end_pair(e, AF_INET, 5090, fds);
    assert_int_equal(
        CALL(e, END_B, setsockopt, fds[END_B], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon), 0);
    assert_int_equal(end_receive(e, END_B, fds[END_B], text, 8, 0), -EAGAIN);
    assert_int_equal(end_set(e, END_B, fds[END_B], SOL_SOCKET, SO_RCVLOWAT, 3), 0);
    assert_int_equal(end_send(e, END_A, fds[END_A], "ab", 2, 0), 2);
    socket_ends_run(e, HF_MS(5));
    assert_int_equal(end_poll(e, END_B, fds[END_B]), POLLOUT);
    assert_int_equal(end_send(e, END_A, fds[END_A], "c", 1, 0), 1);
    socket_ends_run(e, HF_MS(5));
    assert_int_equal(end_poll(e, END_B, fds[END_B]), POLLIN | POLLOUT);
    assert_int_equal(end_receive(e, END_B, fds[END_B], text, 8, 0), 3);
    soon.tv_usec = 1000000;
    assert_int_equal(
        CALL(e, END_B, setsockopt, fds[END_B], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon), -EDOM);
    close_both(e, fds);
}

static void faults(void **state)
{
    struct socket_ends *e = *state;
    int fds[ENDS];
    end_pair(e, AF_INET, 5100, fds);
    assert_int_equal(end_send(e, END_A, fds[END_A], NULL, 5, 0), -EFAULT);
    assert_int_equal(end_send(e, END_A, fds[END_A], "x", 1, 0), 1);
    socket_ends_run(e, HF_MS(5));
    assert_int_equal(end_receive(e, END_B, fds[END_B], NULL, 5, 0), -EFAULT);
    assert_int_equal(CALL(e, END_A, ioctl, fds[END_A], FIONREAD, NULL), -EFAULT);
    assert_int_equal(CALL(e, END_A, setsockopt, fds[END_A], SOL_SOCKET, SO_KEEPALIVE, NULL, 4),
                     -EFAULT);
    close_both(e, fds);
}

/* ---- ends --------------------------------------------------------------------------------- */

static void half_close(void **state)
{
    struct socket_ends *e = *state;
    int fds[ENDS];
    char text[8];
    end_pair(e, AF_INET, 5110, fds);
    assert_int_equal(end_send(e, END_A, fds[END_A], "abc", 3, 0), 3);
    assert_int_equal(end_shutdown(e, END_A, fds[END_A], SHUT_WR), 0);
    assert_int_equal(end_shutdown(e, END_A, fds[END_A], SHUT_WR), 0);
    assert_int_equal(end_send(e, END_A, fds[END_A], "abc", 3, 0), -EPIPE);
    socket_ends_run(e, HF_MS(5));
    assert_int_equal(end_poll(e, END_B, fds[END_B]), POLLIN | POLLOUT | POLLRDHUP);
    assert_int_equal(end_receive(e, END_B, fds[END_B], text, 8, 0), 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(end_receive(e, END_B, fds[END_B], text, 8, 0), 0);
    assert_int_equal(end_send(e, END_B, fds[END_B], "late", 4, 0), 4);
    socket_ends_run(e, HF_MS(5));
    assert_int_equal(end_receive(e, END_A, fds[END_A], text, 8, 0), 4);
    assert_int_equal(end_close(e, END_B, fds[END_B]), 0);
    socket_ends_run(e, HF_MS(5));
    assert_int_equal(end_receive(e, END_A, fds[END_A], text, 8, 0), 0);
    assert_int_equal(end_poll(e, END_A, fds[END_A]), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
    assert_int_equal(end_close(e, END_A, fds[END_A]), 0);
}

static void shut_for_reading(void **state)
{
    struct socket_ends *e = *state;
    int fds[ENDS];
    char text[8];
    end_pair(e, AF_INET, 5120, fds);
    assert_int_equal(end_shutdown(e, END_B, fds[END_B], SHUT_RD), 0);
    assert_int_equal(end_receive(e, END_B, fds[END_B], text, 8, 0), 0);
    assert_int_equal(end_poll(e, END_B, fds[END_B]), POLLIN | POLLOUT | POLLRDHUP);
    assert_int_equal(end_send(e, END_A, fds[END_A], "abc", 3, 0), 3); /* nobody was told */
    socket_ends_run(e, HF_MS(5));
    assert_int_equal(end_receive(e, END_B, fds[END_B], text, 8, 0), 3);
    assert_int_equal(end_receive(e, END_B, fds[END_B], text, 8, 0), 0);
    assert_int_equal(end_send(e, END_B, fds[END_B], "abc", 3, 0), 3);
    close_both(e, fds);
}

/* Data for one that has shut both directions is lost, and the sender hears of it. */
static void shut_in_both_directions(void **state)
{
    struct socket_ends *e = *state;
    int fds[ENDS];
    char text[8];
    end_pair(e, AF_INET, 5130, fds);
    assert_int_equal(end_shutdown(e, END_B, fds[END_B], SHUT_RDWR), 0);
    assert_int_equal(end_poll(e, END_B, fds[END_B]), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
    socket_ends_run(e, HF_MS(5));
    assert_int_equal(end_receive(e, END_A, fds[END_A], text, 8, 0), 0);
    assert_int_equal(end_send(e, END_A, fds[END_A], "abc", 3, 0), 3);
    socket_ends_run(e, HF_MS(5));
    assert_int_equal(end_get(e, END_B, fds[END_B], SOL_SOCKET, SO_ERROR), ECONNRESET);
    assert_int_equal(end_send(e, END_A, fds[END_A], "abc", 3, 0),
                     e->kernel ? -EPIPE : -ECONNRESET); /* in CLOSE-WAIT, see sockets.c */
    close_both(e, fds);
}

static void abort_by_linger(void **state)
{
    struct socket_ends *e = *state;
    struct linger linger = {.l_onoff = 1}, told;
    socklen_t length = sizeof told;
    int fds[ENDS];
    char text[8];
    end_pair(e, AF_INET, 5140, fds);
    assert_int_equal(end_send(e, END_A, fds[END_A], "abc", 3, 0), 3);
    socket_ends_run(e, HF_MS(5));
    assert_int_equal(
        CALL(e, END_A, setsockopt, fds[END_A], SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    assert_int_equal(CALL(e, END_A, getsockopt, fds[END_A], SOL_SOCKET, SO_LINGER, &told, &length),
                     0);
    assert_int_equal(told.l_onoff, 1);
    assert_int_equal(end_close(e, END_A, fds[END_A]), 0);
    socket_ends_run(e, HF_MS(5));
    assert_int_equal(end_poll(e, END_B, fds[END_B]),
                     POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP);
    if (e->kernel) /* the core throws away what was not read, see sockets.c */
        assert_int_equal(end_receive(e, END_B, fds[END_B], text, 8, 0), 3);
    assert_int_equal(end_receive(e, END_B, fds[END_B], text, 8, 0), -ECONNRESET);
    assert_int_equal(end_receive(e, END_B, fds[END_B], text, 8, 0), 0);
    assert_int_equal(end_shutdown(e, END_B, fds[END_B], SHUT_WR), -ENOTCONN);
    assert_int_equal(end_close(e, END_B, fds[END_B]), 0);
}

static void close_with_data_unread_resets(void **state)
{
    struct socket_ends *e = *state;
    int fds[ENDS];
    end_pair(e, AF_INET, 5150, fds);
    assert_int_equal(end_send(e, END_A, fds[END_A], "abc", 3, 0), 3);
    socket_ends_run(e, HF_MS(5));
    assert_int_equal(end_close(e, END_B, fds[END_B]), 0);
    socket_ends_run(e, HF_MS(5));
    assert_int_equal(end_get(e, END_A, fds[END_A], SOL_SOCKET, SO_ERROR), ECONNRESET);
    assert_int_equal(end_close(e, END_A, fds[END_A]), 0);
}

static void disconnecting(void **state)
{
    struct socket_ends *e = *state;
    struct sockaddr unspecified = {.sa_family = AF_UNSPEC};
    struct hf_posix_wait wait = {0};
    int fds[ENDS];
    char text[8];
    end_pair(e, AF_INET, 5160, fds);
    assert_int_equal(CALL(e, END_A, connect, fds[END_A], &unspecified, sizeof unspecified, &wait),
                     0);
    socket_ends_run(e, HF_MS(5));
    assert_int_equal(end_receive(e, END_B, fds[END_B], text, 8, 0), -ECONNRESET);
    assert_int_equal(end_receive(e, END_A, fds[END_A], text, 8, 0), -ECONNRESET);
    assert_int_equal(end_receive(e, END_A, fds[END_A], text, 8, 0), -ENOTCONN);
    int listener = end_listen(e, END_B, AF_INET, 5161, 1);
    assert_int_equal(end_connect(e, END_A, fds[END_A], END_B, AF_INET, 5161), 0);
    close_both(e, fds);
    assert_int_equal(end_close(e, END_B, listener), 0);
}

/* ---- urgent data -------------------------------------------------------------------------- */

static void the_urgent_byte(void **state)
{
    struct socket_ends *e = *state;
    int fds[ENDS], mark = -1, there = -1;
    char text[16];
    end_pair(e, AF_INET, 5170, fds);
    end_nonblocking(e, END_B, fds[END_B], true);
    assert_int_equal(end_receive(e, END_B, fds[END_B], text, 1, MSG_OOB), -EINVAL);
    assert_int_equal(end_send(e, END_A, fds[END_A], "abc!", 4, MSG_OOB), 4);
    assert_int_equal(end_send(e, END_A, fds[END_A], "def", 3, 0), 3);
    socket_ends_run(e, HF_MS(5));
    assert_int_equal(end_poll(e, END_B, fds[END_B]), POLLIN | POLLPRI | POLLOUT);
    assert_int_equal(CALL(e, END_B, ioctl, fds[END_B], FIONREAD, &there), 0);
    assert_int_equal(there, 3);
    assert_int_equal(end_receive(e, END_B, fds[END_B], text, 16, MSG_OOB | MSG_PEEK), 1);
    assert_int_equal(end_receive(e, END_B, fds[END_B], text, 16, MSG_OOB), 1);
    assert_int_equal(text[0], '!');
    assert_int_equal(end_receive(e, END_B, fds[END_B], text, 16, MSG_OOB), -EINVAL);
    assert_int_equal(end_receive(e, END_B, fds[END_B], text, 16, 0), 3); /* up to the mark */
    assert_memory_equal(text, "abc", 3);
    assert_int_equal(CALL(e, END_B, ioctl, fds[END_B], SIOCATMARK, &mark), 0);
    assert_int_equal(mark, 1);
    assert_int_equal(end_receive(e, END_B, fds[END_B], text, 16, 0), 3);
    assert_memory_equal(text, "def", 3);
    assert_int_equal(CALL(e, END_B, ioctl, fds[END_B], SIOCATMARK, &mark), 0);
    assert_int_equal(mark, 0);
    close_both(e, fds);
}

static void the_urgent_byte_in_line(void **state)
{
    struct socket_ends *e = *state;
    int fds[ENDS], mark = 0;
    char text[16];
    end_pair(e, AF_INET, 5180, fds);
    assert_int_equal(end_set(e, END_B, fds[END_B], SOL_SOCKET, SO_OOBINLINE, 1), 0);
    assert_int_equal(end_send(e, END_A, fds[END_A], "abc!", 4, MSG_OOB), 4);
    assert_int_equal(end_send(e, END_A, fds[END_A], "def", 3, 0), 3);
    socket_ends_run(e, HF_MS(5));
    assert_int_equal(end_receive(e, END_B, fds[END_B], text, 16, MSG_OOB), -EINVAL);
    assert_int_equal(end_receive(e, END_B, fds[END_B], text, 16, 0), 3);
    assert_int_equal(CALL(e, END_B, ioctl, fds[END_B], SIOCATMARK, &mark), 0);
    assert_int_equal(mark, 1);
    assert_int_equal(end_receive(e, END_B, fds[END_B], text, 16, 0), 4);
    assert_memory_equal(text, "!def", 4);
    close_both(e, fds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_and_peeking),
        cmocka_unit_test(bytes_are_thrown_away_without_a_buffer),
        cmocka_unit_test(waiting_for_all),
        cmocka_unit_test(low_water_and_timeouts),
        cmocka_unit_test(faults),
        cmocka_unit_test(half_close),
        cmocka_unit_test(shut_for_reading),
        cmocka_unit_test(shut_in_both_directions),
        cmocka_unit_test(abort_by_linger),
        cmocka_unit_test(close_with_data_unread_resets),
        cmocka_unit_test(disconnecting),
        cmocka_unit_test(the_urgent_byte),
        cmocka_unit_test(the_urgent_byte_in_line),
    };
    return socket_ends_main(tests, sizeof tests / sizeof *tests);
}
