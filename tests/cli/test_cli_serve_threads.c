/* `handfast serve --threads`: two stacks over the queues of one device answer as one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/command.h"
#include "support/interop.h"

enum { CONNS = 300, ROUNDS = 3, FILE_BYTES = 5000, PATIENCE_MS = 30000, ANSWER_BYTES = 8192 };

static const char request[] = "GET /file HTTP/1.1\r\n\r\n";
static char folder[] = "/tmp/hf-threads-XXXXXX", path[64];
static char content[FILE_BYTES + 1];
static struct command server;

static void start_server(const char *option, const char *value)
{
    const char *argv[COMMAND_ARGS_MAX] = {NULL,     "serve",       "--tun", "hf0",
                                          "--addr", "10.9.0.2/24", folder,  "--threads",
                                          "2",      option,        value};
    const struct command_start how = {.argv = argv, .in_fd = -1, .out_fd = -1};
    assert_true(command_begin(&server, &how));
    if (!command_await(&server, "serving", PATIENCE_MS)) {
        char said[COMMAND_SAID_BYTES];
        command_said(&server, said);
        fail_msg("%s", said);
    }
}

/** Ends it as a person does; then nothing is left. What it said at the end is in said. */
static void stop_server(char said[COMMAND_SAID_BYTES])
{
    command_signal(&server, SIGTERM);
    int code = command_end(&server, PATIENCE_MS);
    command_said(&server, said);
    if (code != 0)
        fail_msg("the server ended with %d: %s", code, said);
    command_drop(&server);
    assert_int_equal(0, if_nametoindex("hf0"));
}

static int tear_down(void **state)
{
    (void)state;
    command_drop(&server);
    return 0;
}

static int open_client(void)
{
    const struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(80)};
    there.sin_addr.s_addr = htonl(0x0a090002);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&there, sizeof there) != 0)
        fail_msg("connect: %s", strerror(errno));
    return fd;
}

static void ask(int fd)
{
    assert_int_equal(send(fd, request, sizeof request - 1, MSG_NOSIGNAL), sizeof request - 1);
}

/** Reads a head and the file, and no byte more. */
static void expect_file(int fd)
{
    char answer[ANSWER_BYTES];
    const char *body = NULL;
    size_t have = 0;
    while (body == NULL || have < (size_t)(body - answer) + FILE_BYTES) {
        ssize_t n = recv(fd, answer + have, sizeof answer - 1 - have, 0);
        if (n <= 0)
            fail_msg("an answer: %s", n == 0 ? "closed" : strerror(errno));
        have += (size_t)n;
        answer[have] = '\0';
        const char *end = strstr(answer, "\r\n\r\n");
        body = end == NULL ? NULL : end + 4;
    }
    assert_memory_equal(answer, "HTTP/1.1 200 ", 13);
    assert_int_equal(have - (size_t)(body - answer), FILE_BYTES);
    assert_memory_equal(body, content, FILE_BYTES);
}

/** So many requests, in rounds over connections that are all open; the last ones stay open. */
static void ask_on_many(void)
{
    static int fds[CONNS];
    for (unsigned i = 0; i < CONNS; i++)
        fds[i] = open_client();
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < CONNS; i++)
            ask(fds[i]);
        for (unsigned i = 0; i < CONNS; i++)
            expect_file(fds[i]);
    }
    for (unsigned i = 0; i < CONNS / 2; i++)
        (void)close(fds[i]);
}

static unsigned long number_after(const char *said, const char *text)
{
    const char *at = strstr(said, text);
    if (at == NULL)
        fail_msg("no '%s' in: %s", text, said);
    return strtoul(at + strlen(text), NULL, 10);
}

/* Both have their share of the conversations, whichever queue a packet came by; what both counted
 * is told as one; and both end at a signal, with conversations that are open. */
static void requests_are_shared_out(void **state)
{
    char said[COMMAND_SAID_BYTES];
    (void)state;
    start_server(NULL, NULL);
    ask_on_many();
    stop_server(said);
    unsigned long first = number_after(said, "thread 1: ");
    unsigned long second = number_after(said, "thread 2: ");
    assert_int_equal(first + second, CONNS * ROUNDS);
    assert_true(first > CONNS * ROUNDS / 4 && second > CONNS * ROUNDS / 4);
    assert_non_null(strstr(said, ": 900 requests, 0 failed; 4500000 bytes out, 0 in\n"));
    _Static_assert(CONNS * ROUNDS == 900 && FILE_BYTES == 5000, "as the line above says");
}

/* A wrapper with state of its own, in both threads. */
static void faults_are_injected_in_each(void **state)
{
    char said[COMMAND_SAID_BYTES];
    (void)state;
    start_server("--spoil", "duplicate every 2nd any; delay 5ms every 7th data");
    ask_on_many();
    stop_server(said);
    assert_non_null(strstr(said, ": 900 requests, 0 failed"));
}

static void wrong_usage(void **state)
{
    static const char *const cases[][4] = {
        {"--threads", "0", NULL, "--threads wants 1 to 16"},
        {"--threads", "17", NULL, "--threads wants 1 to 16"},
        {"--threads=2", "--threads=2", NULL, "--threads is given twice"},
        {"--threads=2", "--record", "/tmp/none.pcapng",
         "--record and --threads exclude each other"},
    };
    char said[COMMAND_SAID_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *argv[] = {NULL,        "serve",       "--tun", "hf0",
                              "--addr",    "10.9.0.2/24", folder,  cases[i][0],
                              cases[i][1], cases[i][2],   NULL};
        const struct command_start how = {.argv = argv, .in_fd = -1, .out_fd = -1};
        int code = command_run(&how, PATIENCE_MS, said);
        if (code != 2 || strstr(said, cases[i][3]) == NULL)
            fail_msg("%s %s: exit %d, %s", cases[i][0], cases[i][1], code, said);
    }
}

static bool make_folder(void)
{
    if (mkdtemp(folder) == NULL)
        return false;
    for (size_t i = 0; i < FILE_BYTES; i++)
        content[i] = (char)('a' + i * 7 % 26);
    (void)snprintf(path, sizeof path, "%s/file", folder);
    FILE *f = fopen(path, "wbe");
    return f != NULL && fwrite(content, 1, FILE_BYTES, f) == FILE_BYTES && fclose(f) == 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_usage),
        cmocka_unit_test_teardown(requests_are_shared_out, tear_down),
        cmocka_unit_test_teardown(faults_are_injected_in_each, tear_down),
    };
    const char *what = interop_missing();
    if (!*what && getenv("HF_COMMAND") == NULL)
        what = "HF_COMMAND does not say where the command is";
    if (*what) {
        (void)fprintf(stderr, "skipped: %s\n", what);
        return INTEROP_SKIP;
    }
    if (!make_folder()) {
        (void)fprintf(stderr, "%s: %s\n", folder, strerror(errno));
        return 1;
    }
    int failed = cmocka_run_group_tests_name("serve_threads", tests, NULL, NULL);
    (void)unlink(path);
    (void)rmdir(folder);
    return failed;
}
