/**
 * `handfast serve` against curl and against a thousand clients, through the Linux kernel's TCP:
 * every byte there and back, with and without loss, and nothing left behind. HF_TEST_LONG=1 in the
 * environment moves 1 GB instead of 100 MB.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab/pattern.h"
#include "support/command.h"
#include "support/interop.h"

enum {
    MB = 1000 * 1000,
    PATH_BYTES = 256,
    CLIENTS = 1000,
    START_MS = 20000,
    PIECE_BYTES = 65536,
    LONG_FACTOR = 10,
    HEAD_MAX_BYTES = 1024,
    IDLE_MS = 300,
};

static char folder[] = "/tmp/hf-serve-XXXXXX";
static struct command server;
static const char *server_addr, *server_url; /* of the running one */

static uint64_t bulk_bytes(void)
{
    const char *is_long = getenv("HF_TEST_LONG");
    return (uint64_t)100 * MB * (is_long && strcmp(is_long, "1") == 0 ? LONG_FACTOR : 1);
}

static int patience_ms(void)
{
    return (int)(bulk_bytes() / MB) * 600;
}

static const char *path_of(const char *name)
{
    static char paths[4][PATH_BYTES];
    static unsigned next;
    char *path = paths[next++ % 4];
    (void)snprintf(path, PATH_BYTES, "%s/%s", folder, name);
    return path;
}

/* ---- files ---------------------------------------------------------------------------------- */

static void make_file(const char *name, uint64_t bytes)
{
    static uint8_t piece[PIECE_BYTES];
    FILE *f = fopen(path_of(name), "wbe");
    assert_non_null(f);
    for (uint64_t done = 0; done < bytes; done += sizeof piece) {
        size_t n = bytes - done < sizeof piece ? (size_t)(bytes - done) : sizeof piece;
        hf_pattern_fill(7, done, piece, n);
        assert_int_equal(n, fwrite(piece, 1, n, f));
    }
    assert_int_equal(0, fclose(f));
}

/* Every byte of the pattern, so many and no more. */
static void check_file(const char *name, uint64_t bytes)
{
    static uint8_t piece[PIECE_BYTES];
    uint64_t done = 0;
    size_t n;
    FILE *f = fopen(path_of(name), "rbe");
    assert_non_null(f);
    while ((n = fread(piece, 1, sizeof piece, f)) > 0) {
        assert_int_equal(n, hf_pattern_check(7, done, piece, n));
        done += n;
    }
    (void)fclose(f);
    assert_int_equal(bytes, done);
}

static int count_files(void)
{
    int count = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (const struct dirent *e = readdir(dir); e; e = readdir(dir))
        count += e->d_name[0] != '.';
    (void)closedir(dir);
    return count;
}

static void empty_folder(void)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return;
    for (const struct dirent *e = readdir(dir); e; e = readdir(dir))
        if (e->d_name[0] != '.')
            (void)unlinkat(dirfd(dir), e->d_name, 0);
    (void)closedir(dir);
}

/* ---- the server ----------------------------------------------------------------------------- */

static void start_server_with(bool v6, const char *option, const char *value)
{
    const char *argv[COMMAND_ARGS_MAX] = {
        NULL,         "serve", "--tun", "hf0", "--addr", v6 ? "fd09::2/64" : "10.9.0.2/24",
        "--writable", folder,  option,  value};
    const struct command_start how = {.argv = argv, .in_fd = -1, .out_fd = -1};
    server_addr = v6 ? "fd09::2" : "10.9.0.2";
    server_url = v6 ? "http://[fd09::2]" : "http://10.9.0.2";
    assert_true(command_begin(&server, &how));
    assert_true(command_await(&server, "serving", START_MS));
}

static void start_server(bool v6, const char *spoil)
{
    start_server_with(v6, spoil ? "--spoil" : NULL, spoil);
}

/* Ends it as a person does; then all is gone that it made. */
static void stop_server(void)
{
    char said[COMMAND_SAID_BYTES];
    command_signal(&server, SIGTERM);
    int code = command_end(&server, START_MS);
    command_said(&server, said);
    if (code != 0)
        fail_msg("the server ended with %d: %s", code, said);
    command_drop(&server);
    assert_int_equal(0, if_nametoindex("hf0"));
}

static int tear_down(void **state)
{
    char said[COMMAND_SAID_BYTES];
    (void)state;
    if (server.pid > 0) { /* a test failed */
        command_said(&server, said);
        (void)fprintf(stderr, "the server said: %s\n", said);
    }
    command_drop(&server);
    empty_folder();
    return 0;
}

/* Runs curl with an option and its value, twice; what it prints comes back. */
static int curl(const char *url_path, const char *const options[], char said[COMMAND_SAID_BYTES])
{
    char url[PATH_BYTES];
    const char *argv[COMMAND_ARGS_MAX] = {"curl", "-sS", "-g", "--noproxy", "*", url};
    size_t n = 6;
    (void)snprintf(url, sizeof url, "%s/%s", server_url, url_path);
    for (size_t i = 0; options[i]; i++)
        argv[n++] = options[i];
    argv[n] = NULL;
    const struct command_start how = {.argv = argv, .in_fd = -1, .out_fd = -1};
    return command_run(&how, patience_ms(), said);
}

/* ---- bulk ----------------------------------------------------------------------------------- */

static double gbit_of(const char *bytes_per_second)
{
    return strtod(bytes_per_second, NULL) * 8 / 1e9;
}

static void there_and_back(bool v6, const char *spoil, const char *name)
{
    char said[COMMAND_SAID_BYTES];
    make_file("bulk", bulk_bytes());
    start_server(v6, spoil);
    const char *const get[] = {"-o", path_of("got"), "-w", "%{speed_download}", NULL};
    assert_int_equal(0, curl("bulk", get, said));
    double down = gbit_of(said);
    check_file("got", bulk_bytes());
    const char *const put[] = {"-T", path_of("bulk"), "-w", " %{speed_upload}", NULL};
    assert_int_equal(0, curl("put", put, said));
    const char *speed = strrchr(said, ' ');
    assert_non_null(speed);
    check_file("put", bulk_bytes());
    assert_int_equal(3, count_files()); /* no leftovers of the upload */
    stop_server();
    print_message("%s: goodput of one stream, %llu MB: GET %.2f Gbit/s, PUT %.2f Gbit/s\n", name,
                  (unsigned long long)(bulk_bytes() / MB), down, gbit_of(speed));
}

static void bulk_over_v4(void **state)
{
    (void)state;
    there_and_back(false, NULL, "IPv4");
}

static void bulk_over_v6(void **state)
{
    (void)state;
    if (!interop_has_v6())
        skip();
    there_and_back(true, NULL, "IPv6");
}

static void bulk_with_loss(void **state)
{
    (void)state;
    there_and_back(false, "drop in 1%; drop out 1%", "IPv4, 1 % lost both ways");
}

/* ---- a thousand clients --------------------------------------------------------------------- */

struct client {
    int fd; /* -1: done */
    size_t head_bytes, body_bytes;
    bool in_body;
    char head[HEAD_MAX_BYTES];
};

static socklen_t server_sockaddr(struct sockaddr_storage *sa)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(80)};
    assert_int_equal(1, inet_pton(AF_INET, server_addr, &in.sin_addr));
    memset(sa, 0, sizeof *sa);
    memcpy(sa, &in, sizeof in);
    return sizeof in;
}

static int open_client(void)
{
    struct sockaddr_storage sa;
    socklen_t n = server_sockaddr(&sa);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    int result = connect(fd, (struct sockaddr *)&sa, n);
    assert_true(result == 0 || errno == EINPROGRESS);
    return fd;
}

/* Takes bytes that came: head, then body. */
static void take(struct client *c, const uint8_t *bytes, size_t n)
{
    static const char end[] = "\r\n\r\n";
    size_t i = 0;
    for (; i < n && !c->in_body; i++) {
        assert_true(c->head_bytes + 1 < sizeof c->head);
        c->head[c->head_bytes++] = (char)bytes[i];
        c->in_body =
            c->head_bytes >= 4 && memcmp(c->head + c->head_bytes - 4, end, sizeof end - 1) == 0;
    }
    assert_int_equal(n - i, hf_pattern_check(7, c->body_bytes, bytes + i, n - i));
    c->body_bytes += n - i;
}

static void finish_client(struct client *c)
{
    assert_memory_equal("HTTP/1.1 200 ", c->head, 13);
    assert_int_equal(MB, c->body_bytes);
    (void)close(c->fd);
    c->fd = -1;
}

/* True when this client is done. */
static bool client_ready(struct client *c, unsigned events, int epoll_fd)
{
    static const char request[] = "GET /one HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    static uint8_t bytes[PIECE_BYTES];
    if (events & EPOLLOUT) {
        assert_int_equal(sizeof request - 1,
                         send(c->fd, request, sizeof request - 1, MSG_NOSIGNAL));
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        assert_int_equal(0, epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e));
        return false;
    }
    ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);
    if (n > 0)
        take(c, bytes, (size_t)n);
    else if (n == 0)
        finish_client(c);
    else if (errno != EAGAIN)
        fail_msg("a client after %zu bytes: %s", c->body_bytes, strerror(errno));
    return n == 0;
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max < CLIENTS + 64) {
        print_message("%ju descriptors are too few\n", (uintmax_t)limit.rlim_max);
        skip();
    }
}

static void a_thousand_clients(void **state)
{
    (void)state;
    static struct client clients[CLIENTS];
    struct epoll_event ready[64];
    size_t left = CLIENTS;
    raise_descriptor_limit();
    make_file("one", MB);
    start_server(false, NULL);
    hf_ns start_ns = hf_host_now();
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (size_t i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){.fd = open_client()};
        struct epoll_event e = {.events = EPOLLOUT, .data.ptr = &clients[i]};
        assert_int_equal(0, epoll_ctl(epoll_fd, EPOLL_CTL_ADD, clients[i].fd, &e));
    }
    while (left > 0) {
        int n = epoll_wait(epoll_fd, ready, 64, START_MS);
        if (n <= 0)
            fail_msg("stalled: %zu of %d clients are not done", left, CLIENTS);
        for (int i = 0; i < n; i++)
            left -= client_ready(ready[i].data.ptr, ready[i].events, epoll_fd);
    }
    (void)close(epoll_fd);
    print_message("%d clients, 1 MB each: %lld ms\n", CLIENTS,
                  (long long)((hf_host_now() - start_ns) / HF_MS(1)));
    stop_server();
}

/* ---- HTTP ----------------------------------------------------------------------------------- */

static void expect_status(const char *url_path, const char *option, const char *value,
                          const char *status)
{
    char said[COMMAND_SAID_BYTES];
    const char *const options[] = {"-o",           "/dev/null", "--path-as-is", "-w",
                                   "%{http_code}", option,      value,          NULL};
    assert_int_equal(0, curl(url_path, options, said));
    assert_string_equal(status, said);
}

static void requests_are_answered(void **state)
{
    char said[COMMAND_SAID_BYTES];
    (void)state;
    make_file("page.html", 3000);
    start_server(false, NULL);
    expect_status("page.html", NULL, NULL, "200");
    expect_status("page.html", "-I", NULL, "200");
    expect_status("page.html", "-r", "100-199", "206");
    expect_status("page.html", "-r", "5000-", "416");
    expect_status("nothing", NULL, NULL, "404");
    expect_status("nothing", "-I", NULL, "404");
    expect_status("../../etc/passwd", NULL, NULL, "400");
    expect_status("%2e%2e/%2e%2e/etc/passwd", NULL, NULL, "400");
    expect_status("", NULL, NULL, "404");
    expect_status("page.html", "-d", "x=1", "405");
    expect_status("no/such/folder", "-T", path_of("page.html"), "404");
    /* One connection for three requests, the first without a body where one could be. */
    char url[PATH_BYTES];
    (void)snprintf(url, sizeof url, "%s/page.html", server_url);
    const char *const three[] = {
        "-I", "-o",         "/dev/null", "--next",          "-sS", "-g", url,
        "-o", path_of("a"), "-w",        "%{num_connects}", NULL};
    assert_int_equal(0, curl("nothing", three, said));
    assert_string_equal("0", said);
    check_file("a", 3000);
    stop_server();
}

/* Sends text on a connection of its own, ends it, and reads all that comes. */
static void converse(const char *text, char *answer, size_t room)
{
    struct sockaddr_storage sa;
    socklen_t sa_bytes = server_sockaddr(&sa);
    size_t have = 0;
    ssize_t n;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct timeval patience = {.tv_sec = START_MS / 1000};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(0, connect(fd, (struct sockaddr *)&sa, sa_bytes));
    assert_int_equal(strlen(text), send(fd, text, strlen(text), MSG_NOSIGNAL));
    assert_int_equal(0, shutdown(fd, SHUT_WR));
    while ((n = recv(fd, answer + have, room - 1 - have, 0)) > 0)
        have += (size_t)n;
    assert_int_equal(0, n); /* the end came, in order and in time */
    answer[have] = '\0';
    (void)close(fd);
}

/* Clients that end too early are answered and let go, and leave nothing in the folder. */
static void half_requests_come_to_an_end(void **state)
{
    char answer[4096];
    (void)state;
    start_server(false, NULL);
    converse("GET /some", answer, sizeof answer);
    assert_memory_equal("HTTP/1.1 400 ", answer, 13);
    converse("PUT /part HTTP/1.1\r\nContent-Length: 1000\r\n\r\nonly this", answer, sizeof answer);
    assert_memory_equal("HTTP/1.1 400 ", answer, 13);
    assert_int_equal(0, count_files());
    converse("", answer, sizeof answer);
    assert_string_equal("", answer);
    converse("GET /x HTTP/1.1\r\nConnection: close\r\n\r\nGET /y HTTP/1.1\r\n\r\n", answer,
             sizeof answer);
    assert_memory_equal("HTTP/1.1 404 ", answer, 13);
    assert_null(strstr(answer + 1, "HTTP/1.1 ")); /* the second one was not asked for */
    stop_server();
}

/* Begins an upload that does not go on; its part is in the folder then. */
static void begin_upload(struct command *client, int *feed_fd)
{
    char url[PATH_BYTES];
    int ends[2];
    (void)snprintf(url, sizeof url, "%s/broken", server_url);
    assert_int_equal(0, pipe2(ends, O_CLOEXEC));
    const char *argv[] = {
        "curl", "-sS", "-T", "-", "-H", "Transfer-Encoding:", "-H", "Content-Length: 100000",
        url,    NULL};
    const struct command_start how = {.argv = argv, .in_fd = ends[0], .out_fd = -1};
    assert_true(command_begin(client, &how));
    (void)close(ends[0]);
    assert_int_equal(5, write(ends[1], "begin", 5));
    for (int i = 0; i < 1000 && count_files() == 0; i++)
        (void)usleep(5000);
    assert_int_equal(1, count_files());
    *feed_fd = ends[1];
}

/* A client that is killed in the middle of an upload, and a server that is. */
static void a_broken_upload_leaves_nothing(void **state)
{
    struct command client = {0};
    int feed_fd;
    (void)state;
    start_server(false, NULL);
    begin_upload(&client, &feed_fd);
    assert_int_equal(COMMAND_TIMED_OUT, command_end(&client, 0));
    command_drop(&client);
    (void)close(feed_fd);
    for (int i = 0; i < 1000 && count_files() > 0; i++)
        (void)usleep(5000);
    assert_int_equal(0, count_files());
    begin_upload(&client, &feed_fd);
    stop_server();
    assert_int_equal(0, count_files());
    command_drop(&client);
    (void)close(feed_fd);
}

/* ---- clients that rest ---------------------------------------------------------------------- */

static int open_blocking(void)
{
    struct sockaddr_storage sa;
    socklen_t sa_bytes = server_sockaddr(&sa);
    const struct timeval patience = {.tv_sec = START_MS / 1000};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(0, setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience));
    assert_int_equal(0, connect(fd, (struct sockaddr *)&sa, sa_bytes));
    return fd;
}

/* Says text, keeps its own direction open, and reads what comes until the server's end. */
static void rest_after(const char *text, char *answer, size_t room)
{
    size_t have = 0;
    ssize_t n;
    hf_ns start_ns = hf_host_now(); /* the server counts from the handshake on */
    int fd = open_blocking();
    assert_int_equal(strlen(text), send(fd, text, strlen(text), MSG_NOSIGNAL));
    while ((n = recv(fd, answer + have, room - 1 - have, 0)) > 0)
        have += (size_t)n;
    assert_int_equal(0, n); /* ended by the server, and not by a reset */
    assert_true(hf_host_now() - start_ns >= HF_MS(IDLE_MS));
    answer[have] = '\0';
    (void)close(fd);
}

static void who_rests_is_let_go(void **state)
{
    char answer[4096];
    (void)state;
    make_file("one", 1000);
    start_server_with(false, "--idle", "300ms");
    rest_after("", answer, sizeof answer);
    assert_string_equal("", answer);
    rest_after("GET /one HT", answer, sizeof answer);
    assert_memory_equal("HTTP/1.1 408 ", answer, 13);
    assert_non_null(strstr(answer, "Connection: close\r\n"));
    rest_after("PUT /part HTTP/1.1\r\nContent-Length: 1000\r\n\r\nonly this", answer,
               sizeof answer);
    assert_memory_equal("HTTP/1.1 408 ", answer, 13);
    assert_int_equal(1, count_files());                                 /* "one", and no part */
    rest_after("GET /nothing HTTP/1.1\r\n\r\n", answer, sizeof answer); /* keep-alive */
    assert_memory_equal("HTTP/1.1 404 ", answer, 13);
    assert_null(strstr(answer, "408"));
    stop_server();
}

/* A byte now and then is no request. */
static void who_trickles_is_let_go(void **state)
{
    char answer[4096];
    (void)state;
    start_server_with(false, "--idle", "300ms");
    int fd = open_blocking();
    ssize_t n = 0;
    for (int i = 0; i < 400 && n <= 0; i++) {
        assert_int_equal(1, send(fd, "G", 1, MSG_NOSIGNAL));
        (void)usleep(50000);
        n = recv(fd, answer, sizeof answer, MSG_DONTWAIT);
    }
    assert_true(n > 13);
    assert_memory_equal("HTTP/1.1 408 ", answer, 13);
    (void)close(fd);
    stop_server();
}

/* It is cut off, and its file is closed. */
static void who_does_not_read_is_let_go(void **state)
{
    static const char request[] = "GET /bulk HTTP/1.1\r\n\r\n";
    static char piece[PIECE_BYTES];
    (void)state;
    make_file("bulk", (uint64_t)100 * MB);
    start_server_with(false, "--idle", "300ms");
    int fd = open_blocking(), error = 0;
    socklen_t n = sizeof error;
    assert_int_equal(sizeof request - 1, send(fd, request, sizeof request - 1, MSG_NOSIGNAL));
    for (int i = 0; i < 400 && error == 0; i++) {
        (void)usleep(50000);
        assert_int_equal(0, getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n));
    }
    assert_int_equal(ECONNRESET, error);
    (void)recv(fd, piece, sizeof piece, 0);
    (void)close(fd);
    stop_server();
}

/* The time counts from the last step, not from the start. */
static void who_goes_on_may_stay(void **state)
{
    static const char request[] = "GET /one HTTP/1.1\r\n\r\n";
    char answer[8192];
    (void)state;
    make_file("one", 1000);
    start_server_with(false, "--idle", "3s");
    int fd = open_blocking();
    for (int i = 0; i < 8; i++) {
        size_t have = 0;
        assert_int_equal(sizeof request - 1, send(fd, request, sizeof request - 1, MSG_NOSIGNAL));
        do {
            ssize_t n = recv(fd, answer + have, sizeof answer - 1 - have, 0);
            assert_true(n > 0);
            have += (size_t)n;
            answer[have] = '\0';
        } while (!strstr(answer, "\r\n\r\n") ||
                 have < (size_t)(strstr(answer, "\r\n\r\n") - answer) + 4 + 1000);
        assert_memory_equal("HTTP/1.1 200 ", answer, 13);
        (void)usleep(500000);
    }
    (void)close(fd);
    stop_server();
}

/* The file is served to its end; that not all of it is in the recording is a failure. */
static void a_recording_that_ends_early_is_a_failure(void **state)
{
    char said[COMMAND_SAID_BYTES];
    const char *const get[] = {"-o", path_of("got"), NULL};
    (void)state;
    make_file("bulk", MB);
    start_server_with(false, "--record", path_of("record"));
    command_limit(&server, RLIMIT_FSIZE, MB / 10);
    assert_int_equal(0, curl("bulk", get, said));
    check_file("got", MB);
    command_signal(&server, SIGTERM);
    assert_int_equal(1, command_end(&server, START_MS));
    command_said(&server, said);
    command_drop(&server);
    assert_non_null(strstr(said, "handfast serve: 1 requests, 0 failed"));
    assert_non_null(strstr(said, "handfast serve: record /tmp/"));
    assert_non_null(strstr(said, "packets could not be written"));
}

static int clean_up(void **state)
{
    (void)state;
    empty_folder();
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(requests_are_answered, tear_down),
        cmocka_unit_test_teardown(half_requests_come_to_an_end, tear_down),
        cmocka_unit_test_teardown(a_broken_upload_leaves_nothing, tear_down),
        cmocka_unit_test_teardown(who_rests_is_let_go, tear_down),
        cmocka_unit_test_teardown(who_trickles_is_let_go, tear_down),
        cmocka_unit_test_teardown(who_does_not_read_is_let_go, tear_down),
        cmocka_unit_test_teardown(who_goes_on_may_stay, tear_down),
        cmocka_unit_test_teardown(a_recording_that_ends_early_is_a_failure, tear_down),
        cmocka_unit_test_teardown(bulk_over_v4, tear_down),
        cmocka_unit_test_teardown(bulk_over_v6, tear_down),
        cmocka_unit_test_teardown(bulk_with_loss, tear_down),
        cmocka_unit_test_teardown(a_thousand_clients, tear_down),
    };
    const char *what = interop_missing();
    if (!*what && system("curl --version >/dev/null 2>&1") != 0)
        what = "there is no curl";
    if (!*what && !getenv("HF_COMMAND"))
        what = "HF_COMMAND does not say where the command is";
    if (*what) {
        (void)fprintf(stderr, "skipped: %s\n", what);
        return INTEROP_SKIP;
    }
    if (!mkdtemp(folder)) {
        (void)fprintf(stderr, "%s: %s\n", folder, strerror(errno));
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, clean_up);
}
