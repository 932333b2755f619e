/**
 * Opens and closes connections of Linux's own TCP as fast as they go, many at once, to several
 * ports in turn: the more destinations, the less the kernel has to look for a free port of its
 * own. For script/beside. Prints one JSON object when its time is over.
 *
 *     caller ADDRESS PORT PORTS AT-ONCE SECONDS
 *
 * A connection counts when both directions have been closed. The ports decide who closes first, in
 * turns: bench_listener_closes_first.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/words.h"

enum { AT_ONCE_MAX = 1024, READY_MAX = 64, WAIT_MS = 10 };

struct call {
    int fd;
    uint32_t port_index;
    bool established;
};

struct caller {
    struct sockaddr_in to; /* with the first port */
    uint32_t ports, at_once;
    int64_t span_ns;
    int epoll_fd;
    uint64_t opened, closed, failed;
    struct call calls[AT_ONCE_MAX];
};

static void open_call(struct caller *c, struct call *k)
{
    struct sockaddr_in to = c->to;
    *k = (struct call){.port_index = (uint32_t)(c->opened++ % c->ports)};
    to.sin_port = htons((uint16_t)(ntohs(to.sin_port) + k->port_index));
    k->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (k->fd < 0)
        bench_fail("socket");
    if (connect(k->fd, (const struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS)
        bench_fail("connect");
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = k};
    if (epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, k->fd, &e) < 0)
        bench_fail("epoll_ctl");
}

static void end_call(struct caller *c, struct call *k, bool in_order)
{
    if (in_order)
        c->closed++;
    else
        c->failed++;
    (void)close(k->fd);
    open_call(c, k);
}

static void take_events(struct caller *c, struct call *k, uint32_t events)
{
    char byte;
    if ((events & EPOLLERR) != 0) {
        end_call(c, k, false);
        return;
    }
    if (!k->established && (events & EPOLLOUT) != 0) {
        k->established = true;
        if (!bench_listener_closes_first(k->port_index))
            (void)shutdown(k->fd, SHUT_WR);
    }
    if (!k->established || (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) == 0)
        return;
    ssize_t n = recv(k->fd, &byte, 1, 0);
    if (n == 0 || errno != EAGAIN)
        end_call(c, k, n == 0);
}

static double run(struct caller *c)
{
    int64_t began_ns = bench_now_ns();
    for (uint32_t i = 0; i < c->at_once; i++)
        open_call(c, &c->calls[i]);
    while (bench_now_ns() - began_ns < c->span_ns) {
        struct epoll_event ready[READY_MAX];
        int n = epoll_wait(c->epoll_fd, ready, READY_MAX, WAIT_MS);
        if (n < 0 && errno != EINTR)
            bench_fail("epoll_wait");
        for (int i = 0; i < n; i++)
            take_events(c, ready[i].data.ptr, ready[i].events);
    }
    return bench_seconds_since(began_ns);
}

int main(int argc, char **argv)
{
    static struct caller c;
    if (argc != 6 || !bench_read_ports(argv[1], argv[2], argv[3], &c.to, &c.ports) ||
        !bench_read_number(argv[4], 1, AT_ONCE_MAX, &c.at_once) ||
        !bench_read_seconds(argv[5], &c.span_ns))
        bench_usage("ADDRESS PORT PORTS AT-ONCE SECONDS");
    c.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (c.epoll_fd < 0)
        bench_fail("epoll_create1");
    double seconds = run(&c);
    printf("{\"connections\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"seconds\":%.6f}\n", c.closed,
           c.failed, seconds);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
