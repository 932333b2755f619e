/**
 * The other end of bench/caller and bench/exchanger by Linux's own TCP: listens on some ports in a
 * row, until it is ended. On every second one it closes at once what it accepts, on the others it
 * echoes until the opener has closed.
 *
 *     callee ADDRESS PORT PORTS
 *
 * Says "ready" when it listens.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/words.h"

enum { READY_MAX = 64, BACKLOG = 4096, PIECE_BYTES = 4096 };

/* What a descriptor is, beside its number in what epoll gives back. */
enum kind { CONNECTION, LISTENER, LISTENER_THAT_CLOSES };

static void watch(int epoll_fd, int fd, enum kind kind)
{
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = (uint64_t)kind << 32 | (uint32_t)fd};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0)
        bench_fail("epoll_ctl");
}

static void open_listener(int epoll_fd, struct sockaddr_in at, uint32_t port_index)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    at.sin_port = htons((uint16_t)(ntohs(at.sin_port) + port_index));
    if (fd < 0)
        bench_fail("socket");
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        bench_fail("SO_REUSEADDR");
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) /* its children have it too */
        bench_fail("TCP_NODELAY");
    if (bind(fd, (const struct sockaddr *)&at, sizeof at) < 0)
        bench_fail("bind");
    if (listen(fd, BACKLOG) < 0)
        bench_fail("listen");
    watch(epoll_fd, fd, bench_listener_closes_first(port_index) ? LISTENER_THAT_CLOSES : LISTENER);
}

static void accept_all(int epoll_fd, int listener, bool closes)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (closes)
            (void)close(fd);
        else
            watch(epoll_fd, fd, CONNECTION);
    }
    if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
        bench_fail("accept");
}

static void echo(int fd)
{
    char bytes[PIECE_BYTES];
    ssize_t n = recv(fd, bytes, sizeof bytes, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 || send(fd, bytes, (size_t)n, MSG_NOSIGNAL) != n)
        (void)close(fd);
}

static _Noreturn void serve(int epoll_fd)
{
    for (;;) {
        struct epoll_event ready[READY_MAX];
        int n = epoll_wait(epoll_fd, ready, READY_MAX, -1);
        if (n < 0 && errno != EINTR)
            bench_fail("epoll_wait");
        for (int i = 0; i < n; i++) {
            int fd = (int)(uint32_t)ready[i].data.u64;
            enum kind kind = (enum kind)(ready[i].data.u64 >> 32);
            if (kind == CONNECTION)
                echo(fd);
            else
                accept_all(epoll_fd, fd, kind == LISTENER_THAT_CLOSES);
        }
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in at;
    uint32_t ports;
    if (argc != 4 || !bench_read_ports(argv[1], argv[2], argv[3], &at, &ports))
        bench_usage("ADDRESS PORT PORTS");
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0)
        bench_fail("epoll_create1");
    for (uint32_t i = 0; i < ports; i++)
        open_listener(epoll_fd, at, i);
    (void)puts("ready");
    (void)fflush(stdout);
    serve(epoll_fd);
}
