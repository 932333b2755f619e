/**
 * One end of a stream of Linux's own TCP, for script/paths and script/beside: sends zeros, or takes
 * what comes and notes when. Prints one JSON object when it is over.
 *
 *     stream listen|connect send ADDRESS PORT SECONDS [ALGORITHM]
 *     stream listen|connect receive|read ADDRESS PORT SECONDS [BYTES]
 *
 * `receive` only counts what has come, and the kernel copies nothing; `read` reads it, as programs
 * do. With BYTES the receiver sleeps until so many have come. Otherwise each packet wakes it, and
 * to wake somebody on another processor may take its sender as long as to send the packet.
 *
 * The time counts from the call of connect, or from the moment that a connection was accepted.
 * When it is over the connection is reset: what is still on its way is of no interest. A listener
 * says "ready" on a line of its own when it listens.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "support/words.h"

enum {
    PIECE_BYTES = 1 << 17,
    TAKEN_BYTES = 1 << 22, /* by one call, at most */
    SAMPLE_NS = 10 * 1000 * 1000,
    SAMPLES_MAX = 100000,
    PATIENCE_S = 30, /* for somebody to connect */
};

struct stream {
    bool listens, sends, reads;
    struct sockaddr_in address;
    int64_t span_ns;
    const char *algorithm; /* NULL: the system's */
    uint32_t wake_bytes;   /* 0: with each packet */
    int fd;
    int64_t began_ns, ended_ns;
    uint64_t bytes;                 /* written, or read */
    uint64_t bytes_at[SAMPLES_MAX]; /* read by began_ns + i * SAMPLE_NS */
    size_t samples;
};

/* ---- opening -------------------------------------------------------------------------------- */

static int make_socket(const struct stream *s)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    if (fd < 0)
        bench_fail("socket");
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        bench_fail("SO_REUSEADDR");
    if (s->algorithm != NULL && setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, s->algorithm,
                                           (socklen_t)strlen(s->algorithm)) < 0)
        bench_fail(s->algorithm);
    return fd;
}

/** False: the time is over. */
static bool wait_for(int fd, short what, int64_t until_ns)
{
    int64_t left_ns = until_ns - bench_now_ns();
    if (left_ns <= 0)
        return false;
    const struct timespec t = {.tv_sec = left_ns / 1000000000, .tv_nsec = left_ns % 1000000000};
    struct pollfd p = {fd, what, 0};
    if (ppoll(&p, 1, &t, NULL) < 0 && errno != EINTR)
        bench_fail("poll");
    return true;
}

/* What is accepted has the algorithm of the socket that listens. */
static void open_by_listening(struct stream *s)
{
    int fd = make_socket(s);
    if (bind(fd, (const struct sockaddr *)&s->address, sizeof s->address) < 0)
        bench_fail("bind");
    if (listen(fd, 1) < 0)
        bench_fail("listen");
    (void)puts("ready");
    (void)fflush(stdout);
    int64_t until_ns = bench_now_ns() + (int64_t)PATIENCE_S * 1000000000;
    while ((s->fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) < 0) {
        if (errno != EAGAIN && errno != EINTR)
            bench_fail("accept");
        errno = ETIMEDOUT;
        if (!wait_for(fd, POLLIN, until_ns))
            bench_fail("nobody connects");
    }
    s->began_ns = bench_now_ns();
    (void)close(fd);
}

static void open_by_connecting(struct stream *s)
{
    int error = 0;
    socklen_t size = sizeof error;
    s->fd = make_socket(s);
    s->began_ns = bench_now_ns();
    if (connect(s->fd, (const struct sockaddr *)&s->address, sizeof s->address) < 0 &&
        errno != EINPROGRESS)
        bench_fail("connect");
    errno = ETIMEDOUT;
    if (!wait_for(s->fd, POLLOUT, s->began_ns + s->span_ns))
        bench_fail("connect");
    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        bench_fail("SO_ERROR");
    errno = error;
    if (error != 0)
        bench_fail("connect");
}

/* It has to be the one that was asked for: a kernel may have refused without a word. */
static void check_algorithm(const struct stream *s)
{
    char name[64] = "";
    socklen_t size = sizeof name - 1;
    if (getsockopt(s->fd, IPPROTO_TCP, TCP_CONGESTION, name, &size) < 0)
        bench_fail("TCP_CONGESTION");
    if (s->algorithm != NULL && strcmp(name, s->algorithm) != 0) {
        errno = EPROTO;
        bench_fail(name);
    }
}

static void set_wake_bytes(const struct stream *s)
{
    int bytes = (int)s->wake_bytes;
    if (bytes > 0 && setsockopt(s->fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes) < 0)
        bench_fail("SO_RCVLOWAT");
}

/* ---- data ----------------------------------------------------------------------------------- */

static void send_all(struct stream *s)
{
    static const char zeros[PIECE_BYTES];
    int64_t until_ns = s->began_ns + s->span_ns;
    while (bench_now_ns() < until_ns) {
        ssize_t n = send(s->fd, zeros, sizeof zeros, MSG_NOSIGNAL);
        if (n > 0)
            s->bytes += (uint64_t)n;
        else if (n < 0 && errno != EAGAIN && errno != EINTR)
            return; /* the other end has had enough */
        else if (!wait_for(s->fd, POLLOUT, until_ns))
            return;
    }
}

static void note_samples(struct stream *s, int64_t at_ns)
{
    while (s->samples < SAMPLES_MAX && s->began_ns + (int64_t)s->samples * SAMPLE_NS < at_ns)
        s->bytes_at[s->samples++] = s->bytes;
}

static ssize_t take(const struct stream *s)
{
    static char bytes[PIECE_BYTES];
    if (s->reads)
        return recv(s->fd, bytes, sizeof bytes, 0);
    return recv(s->fd, NULL, TAKEN_BYTES, MSG_TRUNC);
}

static void receive_all(struct stream *s)
{
    int64_t until_ns = s->began_ns + s->span_ns;
    for (;;) {
        ssize_t n = take(s);
        int64_t at_ns = bench_now_ns();
        if (at_ns >= until_ns)
            return;
        note_samples(s, at_ns);
        if (n > 0)
            s->bytes += (uint64_t)n;
        else if (n == 0 || (errno != EAGAIN && errno != EINTR))
            return;
        else if (!wait_for(s->fd, POLLIN, until_ns))
            return;
    }
}

/* ---- the end -------------------------------------------------------------------------------- */

static void print(const struct stream *s)
{
    struct tcp_info i = {0};
    socklen_t size = sizeof i;
    if (getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, &i, &size) < 0)
        bench_fail("TCP_INFO");
    printf("{\"began_ns\":%" PRId64 ",\"ended_ns\":%" PRId64 ",\"bytes\":%" PRIu64
           ",\"bytes_sent\":%" PRIu64 ",\"bytes_retransmitted\":%" PRIu64
           ",\"segments_retransmitted\":%" PRIu32 ",\"mss_bytes\":%" PRIu32
           ",\"cwnd_segs\":%" PRIu32 ",\"rtt_us\":%" PRIu32 ",\"dsacks\":%" PRIu32
           ",\"reorderings\":%" PRIu32 ",\"receive_window_limited_us\":%" PRIu64
           ",\"send_buffer_limited_us\":%" PRIu64,
           s->began_ns, s->ended_ns, s->bytes, (uint64_t)i.tcpi_bytes_sent,
           (uint64_t)i.tcpi_bytes_retrans, i.tcpi_total_retrans, i.tcpi_snd_mss, i.tcpi_snd_cwnd,
           i.tcpi_rtt, i.tcpi_dsack_dups, i.tcpi_reord_seen, (uint64_t)i.tcpi_rwnd_limited,
           (uint64_t)i.tcpi_sndbuf_limited);
    if (!s->sends) {
        printf(",\"sample_ns\":%d,\"bytes_at\":[", SAMPLE_NS);
        for (size_t n = 0; n < s->samples; n++)
            printf("%s%" PRIu64, n > 0 ? "," : "", s->bytes_at[n]);
        printf("]");
    }
    printf("}\n");
    if (fflush(stdout) != 0)
        bench_fail("standard output");
}

static void reset(const struct stream *s)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    (void)close(s->fd);
}

/* ---- the command line ----------------------------------------------------------------------- */

static bool read_verbs(struct stream *s, const char *opens, const char *moves)
{
    s->listens = strcmp(opens, "listen") == 0;
    s->sends = strcmp(moves, "send") == 0;
    s->reads = strcmp(moves, "read") == 0;
    return (s->listens || strcmp(opens, "connect") == 0) &&
           (s->sends || s->reads || strcmp(moves, "receive") == 0);
}

static bool read_words(struct stream *s, int argc, char **argv)
{
    uint32_t one;
    if (argc < 6 || argc > 7 || !read_verbs(s, argv[1], argv[2]) ||
        !bench_read_ports(argv[3], argv[4], "1", &s->address, &one) ||
        !bench_read_seconds(argv[5], &s->span_ns))
        return false;
    if (argc == 6)
        return true;
    s->algorithm = s->sends ? argv[6] : NULL;
    return s->sends || bench_read_number(argv[6], 1, INT_MAX, &s->wake_bytes);
}

int main(int argc, char **argv)
{
    static struct stream s;
    if (!read_words(&s, argc, argv))
        bench_usage("listen|connect send ADDRESS PORT SECONDS [ALGORITHM]\n"
                    "       stream listen|connect receive|read ADDRESS PORT SECONDS [BYTES]");
    if (s.listens)
        open_by_listening(&s);
    else
        open_by_connecting(&s);
    check_algorithm(&s);
    set_wake_bytes(&s);
    if (s.sends)
        send_all(&s);
    else
        receive_all(&s);
    s.ended_ns = bench_now_ns();
    print(&s);
    reset(&s);
    return 0;
}
