/**
 * How connections through `handfast gateway` begin and end: what the outside does, the inside sees,
 * and the other way round; and nothing of a connection is left when it is over.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/gateway_run.h"

enum {
    REQUEST_BYTES = 1000,
    ANSWER_BYTES = 20000,
    UNREAD_BYTES = 8 << 20,
    ROUNDS = 2000,
    CROWD = 40,
    PAGES_IN_MIB = 256,
    SILENT_MAX_S = 20
};
enum { KEY_DOWN = 1, KEY_UP = 2 };

/** Runs a part against a server and wants both to be content. */
static void run_part(const char *name, int (*serve)(int listening), struct gateway_run *run)
{
    struct gateway_server s = gateway_serve(false, serve);
    const char *const part[] = {name, s.port_text, NULL};
    gateway_run(run, NULL, part);
    if (run->exit_code != 0)
        gateway_stop(&s);
    assert_int_equal(run->exit_code, 0);
    assert_int_equal(gateway_served(&s), 0);
    assert_string_equal(run->said, "");
}

/** Waits for the other side's RST. */
static int see_reset(int fd)
{
    char byte;
    ssize_t n;
    while ((n = recv(fd, &byte, 1, 0)) > 0)
        continue;
    GATEWAY_MUST(n < 0);
    GATEWAY_MUST(errno == ECONNRESET);
    return 0;
}

/* ---- refusals -------------------------------------------------------------------------------- */

/** Nobody listens there: connect says so, each time, and never opens. */
static int play_refused(int argc, char **argv)
{
    (void)argc;
    for (int i = 0; i < 20; i++) {
        GATEWAY_MUST(gateway_connect(argv[1], false) == -ECONNREFUSED);
        GATEWAY_MUST(gateway_connect(argv[1], true) == -ECONNREFUSED);
    }
    return 0;
}

/** A port that nobody listens on: it was bound a moment ago. */
static void closed_port(char text[8])
{
    uint16_t port = 0;
    (void)close(gateway_listen(false, 1, &port));
    (void)snprintf(text, 8, "%u", port);
}

static void a_closed_port_refuses(void **state)
{
    (void)state;
    char port[8];
    closed_port(port);
    const char *const options[] = {"--stats", NULL};
    const char *const part[] = {"refused", port, NULL};
    struct gateway_run run;
    gateway_run(&run, options, part);
    assert_int_equal(run.exit_code, 0);
    assert_true(gateway_says(&run, "0 connections carried, 40 refused, 0 broken outside"));
    assert_true(run.seconds < 5);
}

/** A destination that no packet may have outside: ICMP says it inside. */
static int play_unroutable(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(80)};
    to.sin_addr.s_addr = htonl(0xF0000001); /* 240.0.0.1 */
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    GATEWAY_MUST(connect(fd, (struct sockaddr *)&to, sizeof to) < 0);
    GATEWAY_MUST(errno == ENETUNREACH);
    return 0;
}

static void what_cannot_be_reached_says_so(void **state)
{
    (void)state;
    const char *const part[] = {"unroutable", NULL};
    struct gateway_run run;
    gateway_run(&run, NULL, part);
    assert_int_equal(run.exit_code, 0);
    assert_true(run.seconds < 5);
}

/* ---- a silent host --------------------------------------------------------------------------- */

/** Connects to a silent host with one repetition of the SYN, and meanwhile to another. */
static int play_silent(int argc, char **argv)
{
    (void)argc;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
    to.sin_addr.s_addr = htonl(0x0A000202);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), once = 1, err = 0;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &once, sizeof once);
    GATEWAY_MUST(connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno == EINPROGRESS);
    double start = gateway_seconds();
    int other = gateway_connect(argv[2], false);
    GATEWAY_MUST(other >= 0);
    GATEWAY_MUST(gateway_write(other, 0, REQUEST_BYTES, KEY_UP));
    GATEWAY_MUST(gateway_read(other, 0, REQUEST_BYTES, KEY_UP));
    GATEWAY_MUST(gateway_seconds() - start < 1);
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    GATEWAY_MUST(poll(&p, 1, SILENT_MAX_S * 1000) == 1);
    socklen_t length = sizeof err;
    GATEWAY_MUST(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &length) == 0);
    errno = err;
    GATEWAY_MUST(err == ETIMEDOUT);
    GATEWAY_MUST(gateway_seconds() - start > 2); /* after 1 s and 2 s more */
    return 0;
}

static int serve_request(int listening)
{
    int fd = accept(listening, NULL, NULL);
    GATEWAY_MUST(gateway_read(fd, 0, REQUEST_BYTES, KEY_UP));
    GATEWAY_MUST(gateway_write(fd, 0, REQUEST_BYTES, KEY_UP));
    return gateway_read_end(fd) ? 0 : 1;
}

/** A full backlog drops SYNs without a word. */
static void fill_backlog(uint16_t port, int fds[8])
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < 8; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(fds[i], (struct sockaddr *)&to, sizeof to);
    }
}

static void a_silent_host_ends_in_a_time_out(void **state)
{
    (void)state;
    uint16_t port = 0;
    int silent = gateway_listen(false, 0, &port), fds[8];
    fill_backlog(port, fds);
    char silent_text[8];
    (void)snprintf(silent_text, sizeof silent_text, "%u", port);
    struct gateway_server s = gateway_serve(false, serve_request);
    const char *const part[] = {"silent", silent_text, s.port_text, NULL};
    struct gateway_run run;
    gateway_run(&run, NULL, part);
    for (int i = 0; i < 8; i++)
        (void)close(fds[i]);
    (void)close(silent);
    if (run.exit_code != 0)
        gateway_stop(&s);
    assert_int_equal(run.exit_code, 0);
    assert_int_equal(gateway_served(&s), 0);
}

/* ---- resets ---------------------------------------------------------------------------------- */

static int serve_reset(int listening)
{
    int fd = accept(listening, NULL, NULL);
    GATEWAY_MUST(gateway_read(fd, 0, REQUEST_BYTES, KEY_UP));
    gateway_reset(fd);
    return 0;
}

static int play_see_reset(int argc, char **argv)
{
    (void)argc;
    int fd = gateway_connect(argv[1], false);
    GATEWAY_MUST(fd >= 0);
    GATEWAY_MUST(gateway_write(fd, 0, REQUEST_BYTES, KEY_UP));
    return see_reset(fd);
}

static void a_reset_outside_is_one_inside(void **state)
{
    (void)state;
    struct gateway_run run;
    run_part("see-reset", serve_reset, &run);
}

/** After the client's half-close too. */
static int serve_reset_late(int listening)
{
    int fd = accept(listening, NULL, NULL);
    GATEWAY_MUST(gateway_read_end(fd));
    (void)usleep(100000);
    gateway_reset(fd);
    return 0;
}

static int play_see_late_reset(int argc, char **argv)
{
    (void)argc;
    int fd = gateway_connect(argv[1], false);
    GATEWAY_MUST(fd >= 0);
    GATEWAY_MUST(shutdown(fd, SHUT_WR) == 0);
    return see_reset(fd);
}

static void a_reset_after_the_half_close_is_passed_on(void **state)
{
    (void)state;
    struct gateway_run run;
    run_part("see-late-reset", serve_reset_late, &run);
}

/** While the client does not read, and the gateway waits for room. */
static int serve_reset_stalled(int listening)
{
    static char zeros[65536];
    int fd = accept(listening, NULL, NULL);
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    while (poll(&p, 1, 300) == 1)
        (void)send(fd, zeros, sizeof zeros, MSG_DONTWAIT | MSG_NOSIGNAL);
    gateway_reset(fd);
    return 0;
}

static int play_stalled(int argc, char **argv)
{
    (void)argc;
    int fd = gateway_connect(argv[1], false);
    GATEWAY_MUST(fd >= 0);
    struct pollfd p = {.fd = fd, .events = 0};
    GATEWAY_MUST(poll(&p, 1, 10000) == 1 && (p.revents & (POLLERR | POLLHUP)) != 0);
    return 0;
}

static void a_reset_reaches_a_client_that_does_not_read(void **state)
{
    (void)state;
    struct gateway_run run;
    run_part("stalled", serve_reset_stalled, &run);
}

static int serve_see_reset(int listening)
{
    int fd = accept(listening, NULL, NULL);
    GATEWAY_MUST(gateway_read(fd, 0, REQUEST_BYTES, KEY_UP));
    GATEWAY_MUST(gateway_write(fd, 0, REQUEST_BYTES, KEY_DOWN));
    return see_reset(fd);
}

static int play_reset(int argc, char **argv)
{
    (void)argc;
    int fd = gateway_connect(argv[1], false);
    GATEWAY_MUST(fd >= 0);
    GATEWAY_MUST(gateway_write(fd, 0, REQUEST_BYTES, KEY_UP));
    GATEWAY_MUST(gateway_read(fd, 0, REQUEST_BYTES, KEY_DOWN));
    gateway_reset(fd);
    return 0;
}

static void a_reset_inside_is_one_outside(void **state)
{
    (void)state;
    struct gateway_run run;
    run_part("reset", serve_see_reset, &run);
}

/** Killed with an answer unread: its kernel resets the connection. */
static int play_killed(int argc, char **argv)
{
    (void)argc;
    pid_t pid = fork();
    if (pid == 0) {
        int fd = gateway_connect(argv[1], false);
        (void)gateway_write(fd, 0, REQUEST_BYTES, KEY_UP);
        for (;;)
            (void)pause();
    }
    (void)usleep(300000);
    GATEWAY_MUST(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
    (void)usleep(300000);
    return 0;
}

static void a_client_killed_in_the_middle_resets(void **state)
{
    (void)state;
    struct gateway_run run;
    run_part("killed", serve_see_reset, &run);
}

/* ---- answers before the end ------------------------------------------------------------------ */

/** Answers what is too long without reading it, and closes: a RST follows the answer. */
static int serve_early(int listening)
{
    int fd = accept(listening, NULL, NULL);
    GATEWAY_MUST(gateway_read(fd, 0, REQUEST_BYTES, KEY_UP));
    GATEWAY_MUST(gateway_write(fd, 0, ANSWER_BYTES, KEY_DOWN));
    return close(fd);
}

/** Sends what it can; the answer is there all the same. */
static int play_early(int argc, char **argv)
{
    (void)argc;
    int fd = gateway_connect(argv[1], false);
    GATEWAY_MUST(fd >= 0);
    GATEWAY_MUST(!gateway_write(fd, 0, UNREAD_BYTES * 4, KEY_UP));
    GATEWAY_MUST(errno == ECONNRESET || errno == EPIPE);
    GATEWAY_MUST(gateway_read(fd, 0, ANSWER_BYTES, KEY_DOWN));
    return 0;
}

static void an_early_answer_is_not_lost_to_the_reset_behind_it(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        struct gateway_run run;
        run_part("early", serve_early, &run);
    }
}

/* ---- one after the other --------------------------------------------------------------------- */

static int serve_rounds(int listening)
{
    for (int i = 0; i < ROUNDS; i++) {
        int fd = accept(listening, NULL, NULL);
        GATEWAY_MUST(gateway_read(fd, 0, 40, (unsigned)i));
        GATEWAY_MUST(gateway_write(fd, 0, 400, (unsigned)i));
        if (i % 2 == 0) /* either side closes first */
            GATEWAY_MUST(gateway_read_end(fd));
        GATEWAY_MUST(close(fd) == 0);
    }
    return 0;
}

static int one_round(const char *port, unsigned i)
{
    int fd = gateway_connect(port, false);
    GATEWAY_MUST(fd >= 0);
    GATEWAY_MUST(gateway_write(fd, 0, 40, i));
    GATEWAY_MUST(gateway_read(fd, 0, 400, i));
    if (i % 2 != 0)
        GATEWAY_MUST(gateway_read_end(fd));
    return close(fd);
}

/** Descriptors and resident pages of the gateway, whose child the client is. */
static int descriptors_of_parent(void)
{
    char path[64];
    int count = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)getppid());
    DIR *dir = opendir(path);
    while (dir && readdir(dir))
        count++;
    if (dir)
        (void)closedir(dir);
    return count;
}

static long pages_of_parent(void)
{
    char path[64];
    long all = 0, resident = -1;
    (void)snprintf(path, sizeof path, "/proc/%d/statm", (int)getppid());
    FILE *f = fopen(path, "re");
    if (f && fscanf(f, "%ld %ld", &all, &resident) != 2)
        resident = -1;
    if (f)
        (void)fclose(f);
    return resident;
}

static int play_rounds(int argc, char **argv)
{
    (void)argc;
    unsigned i = 0;
    for (; i < 100; i++) /* until it has its size */
        GATEWAY_MUST(one_round(argv[1], i) == 0);
    (void)usleep(100000);
    int descriptors = descriptors_of_parent();
    long pages = pages_of_parent();
    double start = gateway_seconds();
    for (; i < ROUNDS; i++)
        GATEWAY_MUST(one_round(argv[1], i) == 0);
    (void)printf("%.0f connections a second\n", (ROUNDS - 100) / (gateway_seconds() - start));
    (void)usleep(500000); /* the last one is over */
    long more = pages_of_parent() - pages;
    (void)printf("descriptors %d, then %d; %ld pages more\n", descriptors, descriptors_of_parent(),
                 more);
    GATEWAY_MUST(descriptors > 0 && descriptors_of_parent() == descriptors);
    /* 64 bytes each are in TIME-WAIT, and the table that finds them. */
    GATEWAY_MUST(more < 128 || HF_TEST_SANITIZED);
    return 0;
}

static void nothing_of_a_connection_is_left(void **state)
{
    (void)state;
    struct gateway_server s = gateway_serve(false, serve_rounds);
    const char *const options[] = {"--stats", NULL};
    const char *const part[] = {"rounds", s.port_text, NULL};
    struct gateway_run run;
    gateway_run(&run, options, part);
    if (run.exit_code != 0)
        gateway_stop(&s);
    assert_int_equal(run.exit_code, 0);
    assert_int_equal(gateway_served(&s), 0);
    assert_true(gateway_says(&run, "2000 connections carried, 0 refused, 0 broken outside"));
    assert_true(gateway_says(&run, "left at the end: 0 relays, 0 connections, "));
    assert_true(gateway_says(&run, " 0 bytes of data; "));
    assert_true(gateway_left_nothing());
}

/* ---- memory after a burst -------------------------------------------------------------------- */

/** Fills what takes it, until all are gone. */
static int serve_crowd(int listening)
{
    static const char bytes[1 << 16];
    struct pollfd conns[CROWD];
    int left = CROWD;
    for (int i = 0; i < CROWD; i++) {
        conns[i] = (struct pollfd){.fd = accept(listening, NULL, NULL), .events = POLLOUT};
        GATEWAY_MUST(conns[i].fd >= 0 && fcntl(conns[i].fd, F_SETFL, O_NONBLOCK) == 0);
    }
    while (left > 0) {
        GATEWAY_MUST(poll(conns, CROWD, SILENT_MAX_S * 1000) > 0);
        for (int i = 0; i < CROWD; i++) {
            if (conns[i].fd < 0 || conns[i].revents == 0)
                continue;
            ssize_t n = send(conns[i].fd, bytes, sizeof bytes, MSG_NOSIGNAL);
            if (n >= 0 || errno == EAGAIN)
                continue;
            (void)close(conns[i].fd);
            conns[i].fd = -1; /* poll passes it over */
            left--;
        }
    }
    return 0;
}

/** Waits until the gateway has at least, or at most, so many pages; how many it has. */
static long await_pages(bool at_least, long pages)
{
    double start = gateway_seconds();
    long have = pages_of_parent();
    while ((at_least ? have < pages : have > pages) && gateway_seconds() - start < SILENT_MAX_S) {
        (void)usleep(50000);
        have = pages_of_parent();
    }
    return have;
}

static int play_crowd(int argc, char **argv)
{
    int conns[CROWD];
    (void)argc;
    long before = pages_of_parent();
    GATEWAY_MUST(before > 0);
    for (int i = 0; i < CROWD; i++)
        GATEWAY_MUST((conns[i] = gateway_connect(argv[1], false)) >= 0);
    long most = await_pages(true, before + 16L * PAGES_IN_MIB);
    (void)printf("%ld pages more with them\n", most - before);
    GATEWAY_MUST(most >= before + 16L * PAGES_IN_MIB);
    for (int i = 0; i < CROWD; i++)
        (void)close(conns[i]);
    long after = await_pages(false, before + 2L * PAGES_IN_MIB);
    (void)printf("%ld after them\n", after - before);
    GATEWAY_MUST(after <= before + 2L * PAGES_IN_MIB || HF_TEST_SANITIZED);
    return 0;
}

/* Connections that nobody reads hold data; when they are gone the memory goes back to the system,
 * though the gateway runs on. */
static void what_a_burst_took_goes_back(void **state)
{
    (void)state;
    struct gateway_server s = gateway_serve(false, serve_crowd);
    const char *const part[] = {"crowd", s.port_text, NULL};
    struct gateway_run run;
    gateway_run(&run, NULL, part);
    if (run.exit_code != 0) {
        print_error("%s", run.said);
        gateway_stop(&s);
    }
    assert_int_equal(run.exit_code, 0);
    assert_int_equal(gateway_served(&s), 0);
}

/* ---- who outlives the command ---------------------------------------------------------------- */

static int serve_until_reset(int listening)
{
    int fd = accept(listening, NULL, NULL);
    return see_reset(fd);
}

/** Leaves a process behind that holds a connection. */
static int play_leave(int argc, char **argv)
{
    (void)argc;
    int fd = gateway_connect(argv[1], false);
    GATEWAY_MUST(fd >= 0);
    if (fork() == 0) {
        (void)close(STDERR_FILENO);
        (void)sleep(8);
        _exit(0);
    }
    return 0;
}

static void a_connection_that_outlives_the_command_is_cut_off(void **state)
{
    (void)state;
    struct gateway_server s = gateway_serve(false, serve_until_reset);
    const char *const part[] = {"leave", s.port_text, NULL};
    struct gateway_run run;
    gateway_run(&run, NULL, part);
    if (run.exit_code != 0)
        gateway_stop(&s);
    assert_int_equal(run.exit_code, 0);
    assert_int_equal(gateway_served(&s), 0);
    assert_true(gateway_says(&run, "1 connections outlived the command and were cut off"));
    assert_true(run.seconds > 4 && run.seconds < 7.5);
}

static const struct gateway_part parts[] = {
    {"refused", play_refused}, {"unroutable", play_unroutable},
    {"silent", play_silent},   {"see-reset", play_see_reset},
    {"stalled", play_stalled}, {"see-late-reset", play_see_late_reset},
    {"reset", play_reset},     {"killed", play_killed},
    {"early", play_early},     {"rounds", play_rounds},
    {"leave", play_leave},     {"crowd", play_crowd},
};

int main(int argc, char **argv)
{
    if (argc > 1)
        return gateway_play(parts, sizeof parts / sizeof parts[0], argc, argv);
    if (!gateway_can())
        return GATEWAY_SKIP;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_closed_port_refuses),
        cmocka_unit_test(what_cannot_be_reached_says_so),
        cmocka_unit_test(a_silent_host_ends_in_a_time_out),
        cmocka_unit_test(a_reset_outside_is_one_inside),
        cmocka_unit_test(a_reset_after_the_half_close_is_passed_on),
        cmocka_unit_test(a_reset_reaches_a_client_that_does_not_read),
        cmocka_unit_test(a_reset_inside_is_one_outside),
        cmocka_unit_test(a_client_killed_in_the_middle_resets),
        cmocka_unit_test(an_early_answer_is_not_lost_to_the_reset_behind_it),
        cmocka_unit_test(nothing_of_a_connection_is_left),
        cmocka_unit_test(what_a_burst_took_goes_back),
        cmocka_unit_test(a_connection_that_outlives_the_command_is_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
