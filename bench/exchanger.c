/**
 * Exchanges of one byte by Linux's own TCP, one after the other on one connection, with whoever
 * echoes at the other end. Prints one JSON object when its time is over.
 *
 *     exchanger ADDRESS PORT SECONDS
 *
 * An exchange is timed from the call that sends to the return of the one that receives. The first
 * ones, WARM_NS long, do not count.
 */
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "bench/bench.h"
#include "support/words.h"

enum { SAMPLES_MAX = 1 << 22, PATIENCE_S = 10 };
#define WARM_NS HF_MS(100)

static double samples_us[SAMPLES_MAX];

static int open_connection(const struct sockaddr_in *to)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0)
        bench_fail("socket");
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
        bench_fail("TCP_NODELAY");
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0)
        bench_fail("SO_RCVTIMEO");
    if (connect(fd, (const struct sockaddr *)to, sizeof *to) < 0)
        bench_fail("connect");
    return fd;
}

static int64_t exchange(int fd)
{
    char byte = 'x';
    int64_t began_ns = bench_now_ns();
    if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
        bench_fail("send");
    ssize_t n = recv(fd, &byte, 1, 0);
    if (n == 0)
        errno = ECONNRESET;
    if (n != 1)
        bench_fail("no answer");
    return bench_now_ns() - began_ns;
}

int main(int argc, char **argv)
{
    struct sockaddr_in to;
    uint32_t one;
    int64_t span_ns;
    if (argc != 4 || !bench_read_ports(argv[1], argv[2], "1", &to, &one) ||
        !bench_read_seconds(argv[3], &span_ns))
        bench_usage("ADDRESS PORT SECONDS");
    int fd = open_connection(&to);
    int64_t began_ns = bench_now_ns();
    while (bench_now_ns() - began_ns < WARM_NS)
        (void)exchange(fd);
    size_t n = 0;
    for (began_ns = bench_now_ns(); n < SAMPLES_MAX && bench_now_ns() - began_ns < span_ns; n++)
        samples_us[n] = (double)exchange(fd) / 1e3;
    double seconds = bench_seconds_since(began_ns);
    (void)close(fd);
    printf("{\"exchanges\":%zu,\"seconds\":%.6f,\"p50_us\":%.3f,\"p99_us\":%.3f}\n", n, seconds,
           hf_bench_quantile(samples_us, n, 0.5), hf_bench_quantile(samples_us, n, 0.99));
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
