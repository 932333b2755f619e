/* Options and epoll, errno by errno: the same expectations put to two stacks and to the
 * kernel. */
#include <errno.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include "support/socket_ends.h"

#define CALL(e, end, name, ...) ((e)->posix[end].calls->name((e)->posix[end].self, __VA_ARGS__))
#define ARRAY_COUNT(a) (sizeof(a) / sizeof *(a))

static void close_both(struct socket_ends *e, const int fds[ENDS])
{
    assert_int_equal(end_close(e, END_A, fds[END_A]), 0);
    assert_int_equal(end_close(e, END_B, fds[END_B]), 0);
}

/* ---- options ------------------------------------------------------------------------------ */

static void options_are_told_back(void **state)
{
    static const struct {
        int level, name, value;
    } kept[] = {
        {SOL_SOCKET, SO_REUSEADDR, 1},    {SOL_SOCKET, SO_REUSEPORT, 1},
        {SOL_SOCKET, SO_KEEPALIVE, 1},    {SOL_SOCKET, SO_OOBINLINE, 1},
        {SOL_SOCKET, SO_BROADCAST, 1},    {SOL_SOCKET, SO_RCVLOWAT, 7},
        {SOL_SOCKET, SO_PRIORITY, 3},     {IPPROTO_TCP, TCP_NODELAY, 1},
        {IPPROTO_TCP, TCP_CORK, 1},       {IPPROTO_TCP, TCP_KEEPIDLE, 30},
        {IPPROTO_TCP, TCP_KEEPINTVL, 11}, {IPPROTO_TCP, TCP_KEEPCNT, 5},
        {IPPROTO_TCP, TCP_SYNCNT, 2},     {IPPROTO_TCP, TCP_USER_TIMEOUT, 3000},
        {IPPROTO_TCP, TCP_LINGER2, 4},    {IPPROTO_TCP, TCP_MAXSEG, 1100},
        {IPPROTO_IP, IP_TOS, 0x20},       {IPPROTO_IP, IP_TTL, 9},
        {IPPROTO_IP, IP_MTU_DISCOVER, 0},
    };
    struct socket_ends *e = *state;
    int fd = end_socket(e, END_A, AF_INET);
    if (!e->kernel) /* the kernel tells what it has computed so far */
        assert_int_equal(end_set(e, END_A, fd, SOL_SOCKET, SO_SNDBUF, 9999), 0);
    for (size_t i = 0; i < ARRAY_COUNT(kept); i++) {
        assert_int_equal(end_set(e, END_A, fd, kept[i].level, kept[i].name, kept[i].value), 0);
        int told = end_get(e, END_A, fd, kept[i].level, kept[i].name);
        if (told != kept[i].value)
            fail_msg("option %d of level %d is %d", kept[i].name, kept[i].level, told);
    }
    assert_int_equal(end_get(e, END_A, fd, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
    assert_int_equal(end_get(e, END_A, fd, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
    assert_int_equal(end_get(e, END_A, fd, SOL_SOCKET, SO_DOMAIN), AF_INET);
    assert_int_equal(end_get(e, END_A, fd, SOL_SOCKET, SO_SNDLOWAT), 1);
    assert_int_equal(end_close(e, END_A, fd), 0);
}

static void options_refused(void **state)
{
    static const struct {
        int level, name, value, error;
    } refused[] = {
        {SOL_SOCKET, 7777, 1, -ENOPROTOOPT},       {IPPROTO_TCP, 7777, 1, -ENOPROTOOPT},
        {IPPROTO_IP, 7777, 1, -ENOPROTOOPT},       {SOL_SOCKET, SO_ERROR, 1, -ENOPROTOOPT},
        {SOL_SOCKET, SO_TYPE, 1, -ENOPROTOOPT},    {SOL_SOCKET, SO_SNDLOWAT, 1, -ENOPROTOOPT},
        {IPPROTO_TCP, TCP_MAXSEG, 87, -EINVAL},    {IPPROTO_TCP, TCP_MAXSEG, 40000, -EINVAL},
        {IPPROTO_TCP, TCP_KEEPIDLE, 0, -EINVAL},   {IPPROTO_TCP, TCP_KEEPIDLE, 32768, -EINVAL},
        {IPPROTO_TCP, TCP_KEEPCNT, 0, -EINVAL},    {IPPROTO_TCP, TCP_SYNCNT, 0, -EINVAL},
        {IPPROTO_TCP, TCP_SYNCNT, 128, -EINVAL},   {IPPROTO_TCP, TCP_USER_TIMEOUT, -1, -EINVAL},
        {IPPROTO_IP, IP_TTL, 0, -EINVAL},          {IPPROTO_IP, IP_TTL, 256, -EINVAL},
        {IPPROTO_IP, IP_MTU_DISCOVER, 9, -EINVAL}, {IPPROTO_IPV6, IPV6_V6ONLY, 1, -ENOPROTOOPT},
    };
    struct socket_ends *e = *state;
    int fd = end_socket(e, END_A, AF_INET), value = 1;
    socklen_t length = sizeof value;
    for (size_t i = 0; i < ARRAY_COUNT(refused); i++) {
        int err = end_set(e, END_A, fd, refused[i].level, refused[i].name, refused[i].value);
        if (err != refused[i].error)
            fail_msg("option %d of level %d: %d", refused[i].name, refused[i].level, err);
    }
    assert_int_equal(end_get(e, END_A, fd, SOL_SOCKET, 7777), -ENOPROTOOPT);
    assert_int_equal(end_get(e, END_A, fd, 7777, 1), -EOPNOTSUPP);
    assert_int_equal(CALL(e, END_A, setsockopt, fd, IPPROTO_TCP, TCP_NODELAY, &value, 2), -EINVAL);
    assert_int_equal(CALL(e, END_A, setsockopt, fd, IPPROTO_IP, IP_TOS, &value, 1), 0);
    assert_int_equal(CALL(e, END_A, getsockopt, fd, SOL_SOCKET, SO_TYPE, NULL, &length), -EFAULT);
    length = 2;
    assert_int_equal(CALL(e, END_A, getsockopt, fd, SOL_SOCKET, SO_TYPE, &value, &length), 0);
    assert_int_equal(length, 2);
    assert_int_equal(end_close(e, END_A, fd), 0);
}

static void tcp_info_tells_states(void **state)
{
    struct socket_ends *e = *state;
    struct tcp_info info;
    socklen_t length = sizeof info;
    int fds[ENDS], fd = end_socket(e, END_A, AF_INET);
    assert_int_equal(CALL(e, END_A, getsockopt, fd, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
    assert_int_equal(info.tcpi_state, TCP_CLOSE);
    assert_int_equal(CALL(e, END_A, listen, fd, 3), 0);
    assert_int_equal(CALL(e, END_A, getsockopt, fd, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
    assert_int_equal(info.tcpi_state, TCP_LISTEN);
    assert_int_equal(end_set(e, END_A, fd, IPPROTO_TCP, TCP_SYNCNT, 3), 0);
    assert_int_equal(end_get(e, END_A, fd, IPPROTO_TCP, TCP_SYNCNT), 3);
    assert_int_equal(info.tcpi_sacked, 3);
    assert_int_equal(end_close(e, END_A, fd), 0);
    end_pair(e, AF_INET, 5190, fds);
    assert_int_equal(CALL(e, END_A, getsockopt, fds[0], IPPROTO_TCP, TCP_INFO, &info, &length), 0);
    assert_int_equal(info.tcpi_state, TCP_ESTABLISHED);
    assert_true((info.tcpi_options & TCPI_OPT_SACK) != 0);
    assert_int_equal(info.tcpi_snd_cwnd, 10);
    assert_int_equal(info.tcpi_ca_state, 0); /* TCP_CA_Open */
    assert_int_equal(info.tcpi_sacked + info.tcpi_lost + info.tcpi_retrans, 0);
    assert_int_equal(end_shutdown(e, END_A, fds[END_A], SHUT_WR), 0);
    for (int i = 0; i < 100 && info.tcpi_state != TCP_FIN_WAIT2; i++) { /* an ACK may be late */
        socket_ends_run(e, HF_MS(5));
        assert_int_equal(CALL(e, END_A, getsockopt, fds[0], IPPROTO_TCP, TCP_INFO, &info, &length),
                         0);
    }
    assert_int_equal(info.tcpi_state, TCP_FIN_WAIT2);
    assert_int_equal(CALL(e, END_B, getsockopt, fds[1], IPPROTO_TCP, TCP_INFO, &info, &length), 0);
    assert_int_equal(info.tcpi_state, TCP_CLOSE_WAIT);
    close_both(e, fds);
}

/* ---- epoll -------------------------------------------------------------------------------- */

static int epoll_at(struct socket_ends *e, unsigned end, int epoll, struct epoll_event *event)
{
    struct hf_posix_wait wait = {0};
    memset(event, 0, sizeof *event);
    return CALL(e, end, epoll_wait, epoll, event, 1, 0, &wait);
}

static int epoll_now(struct socket_ends *e, int epoll, struct epoll_event *event)
{
    return epoll_at(e, END_B, epoll, event);
}

static void epoll_by_level(void **state)
{
    struct socket_ends *e = *state;
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 77}, told;
    int fds[ENDS], epoll = CALL(e, END_B, epoll_create, 1);
    char text[8];
    end_pair(e, AF_INET, 5200, fds);
    assert_int_equal(CALL(e, END_B, epoll_ctl, epoll, EPOLL_CTL_MOD, fds[1], &event), -ENOENT);
    assert_int_equal(CALL(e, END_B, epoll_ctl, epoll, EPOLL_CTL_ADD, fds[1], &event), 0);
    assert_int_equal(CALL(e, END_B, epoll_ctl, epoll, EPOLL_CTL_ADD, fds[1], &event), -EEXIST);
    assert_int_equal(CALL(e, END_B, epoll_ctl, epoll, EPOLL_CTL_ADD, 999, &event), -EBADF);
    assert_int_equal(CALL(e, END_B, epoll_ctl, fds[1], EPOLL_CTL_ADD, epoll, &event), -EINVAL);
    assert_int_equal(epoll_now(e, epoll, &told), 0);
    assert_int_equal(end_send(e, END_A, fds[END_A], "abc", 3, 0), 3);
    socket_ends_run(e, HF_MS(5));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(epoll_now(e, epoll, &told), 1);
        assert_int_equal(told.events, EPOLLIN);
        assert_int_equal(told.data.u64, 77);
    }
    assert_int_equal(end_receive(e, END_B, fds[END_B], text, 8, 0), 3);
    assert_int_equal(epoll_now(e, epoll, &told), 0);
    event.events = EPOLLOUT | EPOLLONESHOT;
    assert_int_equal(CALL(e, END_B, epoll_ctl, epoll, EPOLL_CTL_MOD, fds[1], &event), 0);
    assert_int_equal(epoll_now(e, epoll, &told), 1);
    assert_int_equal(epoll_now(e, epoll, &told), 0);
    assert_int_equal(CALL(e, END_B, epoll_ctl, epoll, EPOLL_CTL_MOD, fds[1], &event), 0);
    assert_int_equal(epoll_now(e, epoll, &told), 1);
    assert_int_equal(CALL(e, END_B, epoll_ctl, epoll, EPOLL_CTL_DEL, fds[1], NULL), 0);
    assert_int_equal(CALL(e, END_B, epoll_ctl, epoll, EPOLL_CTL_DEL, fds[1], NULL), -ENOENT);
    close_both(e, fds);
    assert_int_equal(end_close(e, END_B, epoll), 0);
}

static void epoll_by_edge(void **state)
{
    struct socket_ends *e = *state;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET}, told;
    int fds[ENDS], epoll = CALL(e, END_B, epoll_create, 1);
    char text[8];
    end_pair(e, AF_INET, 5210, fds);
    assert_int_equal(CALL(e, END_B, epoll_ctl, epoll, EPOLL_CTL_ADD, fds[1], &event), 0);
    assert_int_equal(epoll_now(e, epoll, &told), 1);
    assert_int_equal(told.events, EPOLLOUT);
    assert_int_equal(epoll_now(e, epoll, &told), 0);
    for (int i = 0; i < 2; i++) { /* each arrival is an edge, read or not */
        assert_int_equal(end_send(e, END_A, fds[END_A], "abc", 3, 0), 3);
        socket_ends_run(e, HF_MS(5));
        assert_int_equal(epoll_now(e, epoll, &told), 1);
        assert_int_equal(told.events, EPOLLIN | EPOLLOUT);
        assert_int_equal(epoll_now(e, epoll, &told), 0);
        assert_int_equal(end_receive(e, END_B, fds[END_B], text, 1, 0), 1);
        assert_int_equal(epoll_now(e, epoll, &told), 0);
    }
    assert_int_equal(end_shutdown(e, END_A, fds[END_A], SHUT_WR), 0);
    socket_ends_run(e, HF_MS(5));
    assert_int_equal(epoll_now(e, epoll, &told), 1);
    assert_int_equal(told.events, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
    close_both(e, fds);
    assert_int_equal(epoll_now(e, epoll, &told), 0); /* closed: forgotten */
    assert_int_equal(end_close(e, END_B, epoll), 0);
}

/* An attempt to connect, and a listener, that end by shutdown or connect here: nobody's packet says
 * so. */
static void epoll_by_edge_sees_ends_made_here(void **state)
{
    struct socket_ends *e = *state;
    struct epoll_event event = {.events = EPOLLIN | EPOLLET}, told;
    struct sockaddr unspecified = {.sa_family = AF_UNSPEC};
    struct hf_posix_wait wait = {0};
    int fds[3], epoll[ENDS] = {CALL(e, END_A, epoll_create, 1), CALL(e, END_B, epoll_create, 1)};
    int listener = end_listen(e, END_B, AF_INET, 5220, 0);
    for (int i = 0; i < 3; i++) {
        fds[i] = end_socket(e, END_A, AF_INET);
        end_nonblocking(e, END_A, fds[i], true);
        assert_int_equal(end_connect(e, END_A, fds[i], END_B, AF_INET, 5220), -EINPROGRESS);
        socket_ends_run(e, HF_MS(5)); /* the first fills the backlog: the others get no answer */
    }
    for (int i = 1; i < 3; i++) {
        assert_int_equal(CALL(e, END_A, epoll_ctl, epoll[END_A], EPOLL_CTL_ADD, fds[i], &event), 0);
        assert_int_equal(epoll_at(e, END_A, epoll[END_A], &told), 0);
        if (i == 1)
            assert_int_equal(end_shutdown(e, END_A, fds[i], SHUT_RDWR), 0);
        else
            assert_int_equal(
                CALL(e, END_A, connect, fds[i], &unspecified, sizeof unspecified, &wait), 0);
        assert_int_equal(epoll_at(e, END_A, epoll[END_A], &told), 1);
        assert_int_equal(told.events, EPOLLERR | EPOLLHUP);
        assert_int_equal(epoll_at(e, END_A, epoll[END_A], &told), 0);
    }
    event.events = EPOLLRDHUP | EPOLLET;
    assert_int_equal(CALL(e, END_B, epoll_ctl, epoll[END_B], EPOLL_CTL_ADD, listener, &event), 0);
    assert_int_equal(epoll_at(e, END_B, epoll[END_B], &told), 0);
    assert_int_equal(end_shutdown(e, END_B, listener, SHUT_RD), 0);
    assert_int_equal(epoll_at(e, END_B, epoll[END_B], &told), 1);
    assert_int_equal(told.events, EPOLLHUP);
    for (int i = 0; i < 3; i++)
        assert_int_equal(end_close(e, END_A, fds[i]), 0);
    assert_int_equal(end_close(e, END_B, listener), 0);
    assert_int_equal(end_close(e, END_A, epoll[END_A]), 0);
    assert_int_equal(end_close(e, END_B, epoll[END_B]), 0);
}

static void epoll_arguments(void **state)
{
    struct socket_ends *e = *state;
    struct hf_posix_wait wait = {0};
    struct epoll_event event = {.events = EPOLLIN};
    int epoll = CALL(e, END_B, epoll_create, 1), fd = end_socket(e, END_B, AF_INET);
    assert_int_equal(CALL(e, END_B, epoll_create, 0), -EINVAL);
    assert_int_equal(CALL(e, END_B, epoll_wait, epoll, &event, 0, 0, &wait), -EINVAL);
    assert_int_equal(CALL(e, END_B, epoll_wait, fd, &event, 1, 0, &wait), -EINVAL);
    assert_int_equal(CALL(e, END_B, epoll_wait, 999, &event, 1, 0, &wait), -EBADF);
    assert_int_equal(CALL(e, END_B, epoll_ctl, epoll, EPOLL_CTL_ADD, fd, NULL), -EFAULT);
    assert_int_equal(CALL(e, END_B, epoll_ctl, epoll, 9, fd, &event), -EINVAL);
    wait = (struct hf_posix_wait){0};
    assert_int_equal(CALL(e, END_B, epoll_wait, epoll, &event, 1, 20, &wait), HF_POSIX_WAIT);
    for (int i = 0; i < 5; i++)
        socket_ends_run(e, HF_MS(5));
    assert_int_equal(CALL(e, END_B, epoll_wait, epoll, &event, 1, 20, &wait), 0);
    assert_int_equal(end_close(e, END_B, fd), 0);
    assert_int_equal(end_close(e, END_B, epoll), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_told_back),
        cmocka_unit_test(options_refused),
        cmocka_unit_test(tcp_info_tells_states),
        cmocka_unit_test(epoll_by_level),
        cmocka_unit_test(epoll_by_edge),
        cmocka_unit_test(epoll_by_edge_sees_ends_made_here),
        cmocka_unit_test(epoll_arguments),
    };
    return socket_ends_main(tests, sizeof tests / sizeof *tests);
}
