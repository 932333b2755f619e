/**
 * Bytes through `handfast gateway`: all of them, once, in order, in both directions and in any
 * pattern of pauses; never more of them in memory than the buffers are meant to hold.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/gateway_run.h"

enum {
    REQUEST_BYTES = 1000,
    SHORT_BYTES = 3 << 20,
    LATE_BYTES = 1130000,
    PARALLEL = 500,
    EACH_BYTES = 20000
};
enum { KEY_DOWN = 1, KEY_UP = 2 };

/* ---- one large file -------------------------------------------------------------------------- */

static int serve_download(int listening)
{
    int fd = accept(listening, NULL, NULL);
    GATEWAY_MUST(gateway_write(fd, 0, gateway_large_bytes(), KEY_DOWN));
    GATEWAY_MUST(shutdown(fd, SHUT_WR) == 0);
    GATEWAY_MUST(gateway_read_end(fd));
    return 0;
}

static int play_download(int argc, char **argv)
{
    int fd = gateway_connect(argv[1], argc == 3);
    double start = gateway_seconds();
    GATEWAY_MUST(fd >= 0);
    GATEWAY_MUST(gateway_read(fd, 0, gateway_large_bytes(), KEY_DOWN));
    GATEWAY_MUST(gateway_read_end(fd));
    (void)printf("down: %.2f Gbit/s\n",
                 (double)gateway_large_bytes() * 8e-9 / (gateway_seconds() - start));
    return 0;
}

static int serve_upload(int listening)
{
    int fd = accept(listening, NULL, NULL);
    double start = gateway_seconds();
    GATEWAY_MUST(gateway_read(fd, 0, gateway_large_bytes(), KEY_UP));
    GATEWAY_MUST(gateway_read_end(fd));
    (void)printf("up: %.2f Gbit/s\n",
                 (double)gateway_large_bytes() * 8e-9 / (gateway_seconds() - start));
    return 0;
}

static int play_upload(int argc, char **argv)
{
    (void)argc;
    int fd = gateway_connect(argv[1], false);
    GATEWAY_MUST(fd >= 0);
    GATEWAY_MUST(gateway_write(fd, 0, gateway_large_bytes(), KEY_UP));
    return 0; /* and ends at once: what is under way has to arrive */
}

/** Runs a part against a server and wants both to be content. */
static void run_part(const char *name, bool v6, int (*serve)(int listening),
                     struct gateway_run *run)
{
    struct gateway_server s = gateway_serve(v6, serve);
    const char *const part[] = {name, s.port_text, v6 ? "v6" : NULL, NULL};
    gateway_run(run, NULL, part);
    if (run->exit_code != 0)
        gateway_stop(&s);
    assert_int_equal(run->exit_code, 0);
    assert_int_equal(gateway_served(&s), 0);
    assert_string_equal(run->said, "");
}

static void a_large_file_comes_down(void **state)
{
    (void)state;
    struct gateway_run run;
    run_part("download", false, serve_download, &run);
    (void)printf("peak %ld KB\n", run.peak_kb);
}

static void a_large_file_comes_down_over_ipv6(void **state)
{
    (void)state;
    struct gateway_run run;
    run_part("download", true, serve_download, &run);
}

static void a_large_file_goes_up(void **state)
{
    (void)state;
    struct gateway_run run;
    run_part("upload", false, serve_upload, &run);
    (void)printf("peak %ld KB\n", run.peak_kb);
}

/* ---- both ways ------------------------------------------------------------------------------- */

/** Sends in a process of its own what it reads back here. */
static int play_both(int argc, char **argv)
{
    (void)argc;
    int fd = gateway_connect(argv[1], false);
    GATEWAY_MUST(fd >= 0);
    pid_t writer = fork();
    if (writer == 0)
        _exit(gateway_write(fd, 0, gateway_large_bytes(), KEY_UP) && shutdown(fd, SHUT_WR) == 0
                  ? 0
                  : 1);
    GATEWAY_MUST(gateway_read(fd, 0, gateway_large_bytes(), KEY_UP));
    GATEWAY_MUST(gateway_read_end(fd));
    return 0;
}

/** Sends back what comes, on one connection. */
static int echo(int fd)
{
    static char bytes[65536];
    ssize_t n;
    while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0)
        for (ssize_t done = 0; done < n;) {
            ssize_t put = send(fd, bytes + done, (size_t)(n - done), MSG_NOSIGNAL);
            GATEWAY_MUST(put > 0);
            done += put;
        }
    GATEWAY_MUST(n == 0);
    return close(fd);
}

static int serve_echo(int listening)
{
    return echo(accept(listening, NULL, NULL));
}

static void both_directions_run_at_once(void **state)
{
    (void)state;
    struct gateway_run run;
    run_part("both", false, serve_echo, &run);
}

/* ---- half-close ------------------------------------------------------------------------------ */

static int serve_after_request(int listening)
{
    int fd = accept(listening, NULL, NULL);
    GATEWAY_MUST(gateway_read(fd, 0, REQUEST_BYTES, KEY_UP));
    GATEWAY_MUST(gateway_read_end(fd)); /* the answer begins only now */
    GATEWAY_MUST(gateway_write(fd, 0, gateway_large_bytes(), KEY_DOWN));
    return 0;
}

static int play_request(int argc, char **argv)
{
    (void)argc;
    int fd = gateway_connect(argv[1], false);
    GATEWAY_MUST(fd >= 0);
    GATEWAY_MUST(gateway_write(fd, 0, REQUEST_BYTES, KEY_UP));
    GATEWAY_MUST(shutdown(fd, SHUT_WR) == 0);
    GATEWAY_MUST(gateway_read(fd, 0, gateway_large_bytes(), KEY_DOWN));
    GATEWAY_MUST(gateway_read_end(fd));
    return 0;
}

static void a_half_closed_client_gets_its_answer(void **state)
{
    (void)state;
    struct gateway_run run;
    run_part("request", false, serve_after_request, &run);
}

/** The server closes first; the client goes on sending. */
static int serve_half_closed(int listening)
{
    int fd = accept(listening, NULL, NULL);
    GATEWAY_MUST(gateway_write(fd, 0, REQUEST_BYTES, KEY_DOWN));
    GATEWAY_MUST(shutdown(fd, SHUT_WR) == 0);
    GATEWAY_MUST(gateway_read(fd, 0, gateway_large_bytes(), KEY_UP));
    GATEWAY_MUST(gateway_read_end(fd));
    return 0;
}

static int play_after_end(int argc, char **argv)
{
    (void)argc;
    int fd = gateway_connect(argv[1], false);
    GATEWAY_MUST(fd >= 0);
    GATEWAY_MUST(gateway_read(fd, 0, REQUEST_BYTES, KEY_DOWN));
    GATEWAY_MUST(gateway_read_end(fd));
    GATEWAY_MUST(gateway_write(fd, 0, gateway_large_bytes(), KEY_UP));
    return 0;
}

static void a_half_closed_server_gets_the_rest(void **state)
{
    (void)state;
    struct gateway_run run;
    run_part("after-end", false, serve_half_closed, &run);
}

/* ---- pauses ---------------------------------------------------------------------------------- */

enum { STALL_MS = 300, BUFFERS_MAX_BYTES = 32 << 20, GATEWAY_PEAK_KB = 16 << 10 };

/** Writes until nothing has been taken for a while: so much lies in buffers. */
static int serve_until_stalled(int listening)
{
    int fd = accept(listening, NULL, NULL);
    static char zeros[65536];
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    uint64_t total = 0;
    while (poll(&p, 1, STALL_MS) == 1 && total < gateway_large_bytes()) {
        ssize_t n = send(fd, zeros, sizeof zeros, MSG_DONTWAIT | MSG_NOSIGNAL);
        GATEWAY_MUST(n > 0 || errno == EAGAIN);
        total += n > 0 ? (uint64_t)n : 0;
    }
    (void)printf("a reader that does not read: %llu KB on the way\n",
                 (unsigned long long)total >> 10);
    GATEWAY_MUST(total < BUFFERS_MAX_BYTES);
    uint64_t told = total;
    GATEWAY_MUST(send(fd, &told, sizeof told, MSG_NOSIGNAL) == sizeof told);
    return shutdown(fd, SHUT_WR) == 0 && gateway_read_end(fd) ? 0 : 1;
}

/** Reads only after a pause, then counts what comes before the number that tells how much it is. */
static int play_pause(int argc, char **argv)
{
    (void)argc;
    static char bytes[65536];
    int fd = gateway_connect(argv[1], false);
    GATEWAY_MUST(fd >= 0);
    (void)usleep(1500000);
    uint64_t total = 0, told = 0;
    ssize_t n;
    while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0) {
        total += (uint64_t)n;
        if (n >= (ssize_t)sizeof told)
            memcpy(&told, bytes + n - (ssize_t)sizeof told, sizeof told);
    }
    GATEWAY_MUST(n == 0);
    GATEWAY_MUST(total == told + sizeof told);
    return 0;
}

static void a_reader_that_pauses_stops_the_sender(void **state)
{
    (void)state;
    struct gateway_run run;
    run_part("pause", false, serve_until_stalled, &run);
    (void)printf("peak %ld KB, CPU %.2f s\n", run.peak_kb, run.cpu_seconds);
    assert_true(run.peak_kb < GATEWAY_PEAK_KB || HF_TEST_SANITIZED);
}

/** More than there is room for inside, but little enough for the kernel outside to take it all, and
 *  the FIN behind it. */
static int serve_short(int listening)
{
    int fd = accept(listening, NULL, NULL);
    GATEWAY_MUST(gateway_read_end(fd));
    GATEWAY_MUST(gateway_write(fd, 0, LATE_BYTES, KEY_DOWN));
    return close(fd);
}

/** Half-closes, and reads much later: then outside all is over long since. */
static int play_late_reader(int argc, char **argv)
{
    (void)argc;
    int small = 65536;
    int fd = gateway_connect(argv[1], false);
    GATEWAY_MUST(fd >= 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    GATEWAY_MUST(shutdown(fd, SHUT_WR) == 0);
    (void)usleep(2000000);
    GATEWAY_MUST(gateway_read(fd, 0, LATE_BYTES, KEY_DOWN));
    GATEWAY_MUST(gateway_read_end(fd));
    return 0;
}

/** The kernel tells again and again that the outer connection has hung up: no reason to spin. */
static void waiting_for_a_late_reader_costs_nothing(void **state)
{
    (void)state;
    struct gateway_run run;
    run_part("late-reader", false, serve_short, &run);
    (void)printf("CPU %.2f s of %.2f s\n", run.cpu_seconds, run.seconds);
    assert_true(run.cpu_seconds < 0.5 || HF_TEST_SANITIZED);
}

/* ---- ends at once ---------------------------------------------------------------------------- */

static int serve_slow_upload(int listening)
{
    int fd = accept(listening, NULL, NULL);
    (void)usleep(500000);
    GATEWAY_MUST(gateway_read(fd, 0, SHORT_BYTES, KEY_UP));
    GATEWAY_MUST(gateway_read_end(fd));
    return 0;
}

static int play_write_and_go(int argc, char **argv)
{
    (void)argc;
    int fd = gateway_connect(argv[1], false);
    GATEWAY_MUST(fd >= 0);
    GATEWAY_MUST(gateway_write(fd, 0, SHORT_BYTES, KEY_UP));
    _exit(0);
}

static void what_was_written_before_the_end_arrives(void **state)
{
    (void)state;
    struct gateway_run run;
    run_part("write-and-go", false, serve_slow_upload, &run);
}

static int serve_tiny(int listening)
{
    int fd = accept(listening, NULL, NULL);
    GATEWAY_MUST(gateway_read(fd, 0, 5, KEY_UP));
    GATEWAY_MUST(gateway_read_end(fd));
    return 0;
}

static int play_tiny(int argc, char **argv)
{
    (void)argc;
    int fd = gateway_connect(argv[1], false);
    GATEWAY_MUST(fd >= 0);
    GATEWAY_MUST(gateway_write(fd, 0, 5, KEY_UP));
    _exit(0);
}

static void a_few_bytes_and_the_end_arrive(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct gateway_run run;
        run_part("tiny", false, serve_tiny, &run);
    }
}

/* ---- many ------------------------------------------------------------------------------------ */

/** Serves connections until it is stopped, each in a process of its own. */
static int serve_echo_all(int listening)
{
    (void)signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int fd = accept(listening, NULL, NULL);
        if (fd < 0)
            return 1;
        pid_t pid = fork();
        if (pid == 0)
            _exit(echo(fd));
        (void)close(fd);
    }
}

static int play_parallel(int argc, char **argv)
{
    (void)argc;
    static int fds[PARALLEL];
    for (int i = 0; i < PARALLEL; i++)
        GATEWAY_MUST((fds[i] = gateway_connect(argv[1], false)) >= 0);
    for (int i = 0; i < PARALLEL; i++)
        GATEWAY_MUST(gateway_write(fds[i], 0, EACH_BYTES, (unsigned)i));
    for (int i = PARALLEL - 1; i >= 0; i--)
        GATEWAY_MUST(gateway_read(fds[i], 0, EACH_BYTES, (unsigned)i));
    for (int i = 0; i < PARALLEL; i++)
        GATEWAY_MUST(shutdown(fds[i], SHUT_WR) == 0);
    for (int i = 0; i < PARALLEL; i++)
        GATEWAY_MUST(gateway_read_end(fds[i]));
    return 0;
}

static void many_connections_live_side_by_side(void **state)
{
    (void)state;
    struct gateway_server s = gateway_serve(false, serve_echo_all);
    const char *const options[] = {"--stats", NULL};
    const char *const part[] = {"parallel", s.port_text, NULL};
    struct gateway_run run;
    gateway_run(&run, options, part);
    gateway_stop(&s);
    assert_int_equal(run.exit_code, 0);
    assert_true(gateway_says(&run, "500 connections carried, 0 refused, 0 broken"));
    assert_true(gateway_says(&run, "10000000 bytes out, 10000000 bytes in"));
    (void)printf("peak %ld KB\n", run.peak_kb);
}

static const struct gateway_part parts[] = {
    {"download", play_download},
    {"upload", play_upload},
    {"both", play_both},
    {"request", play_request},
    {"after-end", play_after_end},
    {"pause", play_pause},
    {"late-reader", play_late_reader},
    {"write-and-go", play_write_and_go},
    {"tiny", play_tiny},
    {"parallel", play_parallel},
};

int main(int argc, char **argv)
{
    if (argc > 1)
        return gateway_play(parts, sizeof parts / sizeof parts[0], argc, argv);
    if (!gateway_can())
        return GATEWAY_SKIP;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_large_file_comes_down),
        cmocka_unit_test(a_large_file_comes_down_over_ipv6),
        cmocka_unit_test(a_large_file_goes_up),
        cmocka_unit_test(both_directions_run_at_once),
        cmocka_unit_test(a_half_closed_client_gets_its_answer),
        cmocka_unit_test(a_half_closed_server_gets_the_rest),
        cmocka_unit_test(a_reader_that_pauses_stops_the_sender),
        cmocka_unit_test(waiting_for_a_late_reader_costs_nothing),
        cmocka_unit_test(what_was_written_before_the_end_arrives),
        cmocka_unit_test(a_few_bytes_and_the_end_arrive),
        cmocka_unit_test(many_connections_live_side_by_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
