/**
 * `handfast connect` against servers of the kernel: standard input there, the answer to standard
 * output, half-close at the end of input; and what the commands say when something is wrong: one
 * clear line, the right exit code, nothing left behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/pattern.h"
#include "support/command.h"
#include "support/interop.h"

enum { BYTES = 10 * 1000 * 1000, PIECE_BYTES = 65536, PATIENCE_MS = 20000, ECHO_PORT = 7 };
enum { RECORD_MAX_BYTES = 100 * 1000 };

static const char farewell[] = "that was all";
static char folder[] = "/tmp/hf-connect-XXXXXX";
static char input_path[64], output_path[64], record_path[64];
static pid_t echo_pid;

/* ---- the other end: a server of the kernel -------------------------------------------------- */

static bool write_all(int fd, const uint8_t *bytes, size_t n)
{
    while (n > 0) {
        ssize_t put = write(fd, bytes, n);
        if (put <= 0)
            return false;
        bytes += put;
        n -= (size_t)put;
    }
    return true;
}

/* Gives everything back; only after the end of what comes it says farewell. */
static void echo(int fd)
{
    static uint8_t bytes[PIECE_BYTES];
    ssize_t n;
    while ((n = read(fd, bytes, sizeof bytes)) > 0)
        if (!write_all(fd, bytes, (size_t)n))
            return;
    if (n == 0)
        (void)write_all(fd, (const uint8_t *)farewell, sizeof farewell - 1);
}

static void serve_echo(int listen_fd)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            _exit(1);
        echo(fd);
        (void)close(fd);
    }
}

static bool start_echo(void)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(ECHO_PORT)};
    struct sockaddr_in any_v4 = {.sin_family = AF_INET, .sin_port = htons(ECHO_PORT)};
    bool v6 = interop_has_v6(); /* a socket of IPv6 takes IPv4 as well */
    int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int result = v6 ? bind(fd, (struct sockaddr *)&any, sizeof any)
                    : bind(fd, (struct sockaddr *)&any_v4, sizeof any_v4);
    if (result < 0 || listen(fd, 16) < 0)
        return false;
    (void)fflush(NULL);
    echo_pid = fork();
    if (echo_pid == 0)
        serve_echo(fd);
    (void)close(fd);
    return echo_pid > 0;
}

/* ---- through and back ----------------------------------------------------------------------- */

static void make_input(void)
{
    static uint8_t piece[PIECE_BYTES];
    FILE *f = fopen(input_path, "wbe");
    assert_non_null(f);
    for (uint64_t done = 0; done < BYTES; done += sizeof piece) {
        size_t n = BYTES - done < sizeof piece ? (size_t)(BYTES - done) : sizeof piece;
        hf_pattern_fill(3, done, piece, n);
        assert_int_equal(n, fwrite(piece, 1, n, f));
    }
    assert_int_equal(0, fclose(f));
}

/* What went in came back, and the farewell behind it. */
struct echo_check {
    uint64_t done;
    size_t farewell_done;
};

static void check_echo(struct echo_check *k, const uint8_t *bytes, size_t n)
{
    size_t data = k->done + n > BYTES ? (size_t)(BYTES - k->done) : n;
    assert_int_equal(data, hf_pattern_check(3, k->done, bytes, data));
    k->done += data;
    n -= data;
    assert_true(k->farewell_done + n <= sizeof farewell - 1);
    assert_memory_equal(farewell + k->farewell_done, bytes + data, n);
    k->farewell_done += n;
}

static void check_echo_end(const struct echo_check *k)
{
    assert_int_equal(BYTES, k->done);
    assert_int_equal(sizeof farewell - 1, k->farewell_done);
}

static const char *const connect_v4[] = {NULL,          "connect",  "--tun", "hf0", "--addr",
                                         "10.9.0.2/24", "10.9.0.1", "7",     NULL};
static const char *const connect_v6[] = {NULL,         "connect", "--tun", "hf0", "--addr",
                                         "fd09::2/64", "fd09::1", "7",     NULL};

/* Plain files at both ends: they can't be polled. */
static void files_through(const char *const *argv)
{
    static uint8_t piece[PIECE_BYTES];
    char said[COMMAND_SAID_BYTES];
    struct echo_check k = {0, 0};
    ssize_t n;
    make_input();
    int in = open(input_path, O_RDONLY | O_CLOEXEC);
    int out = open(output_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(in >= 0 && out >= 0);
    const struct command_start how = {.argv = argv, .in_fd = in, .out_fd = out};
    int code = command_run(&how, PATIENCE_MS, said);
    if (code != 0)
        fail_msg("exit code %d: %s", code, said);
    assert_int_equal(0, lseek(out, 0, SEEK_SET));
    while ((n = read(out, piece, sizeof piece)) > 0)
        check_echo(&k, piece, (size_t)n);
    check_echo_end(&k);
    (void)close(in);
    (void)close(out);
    assert_int_equal(0, if_nametoindex("hf0"));
}

static void files_through_v4(void **state)
{
    (void)state;
    files_through(connect_v4);
}

static void files_through_v6(void **state)
{
    (void)state;
    if (!interop_has_v6())
        skip();
    files_through(connect_v6);
}

static void files_through_loss(void **state)
{
    static const char *const argv[] = {NULL,       "connect",     "--tun",   "hf0",
                                       "--addr",   "10.9.0.2/24", "--spoil", "drop 1%",
                                       "10.9.0.1", "7",           NULL};
    (void)state;
    files_through(argv);
}

/* Feeds a pipe with the input, from another process, and ends. */
static pid_t feed(int to, int other)
{
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    static uint8_t piece[PIECE_BYTES];
    (void)close(other);
    for (uint64_t done = 0; done < BYTES; done += sizeof piece) {
        size_t n = BYTES - done < sizeof piece ? (size_t)(BYTES - done) : sizeof piece;
        hf_pattern_fill(3, done, piece, n);
        if (!write_all(to, piece, n))
            _exit(1);
    }
    _exit(0);
}

/* Pipes at both ends, and a reader that does not read at first. */
static void pipes_through_with_a_slow_reader(void **state)
{
    static uint8_t piece[PIECE_BYTES];
    struct echo_check k = {0, 0};
    struct command c = {0};
    int in[2], out[2], status = -1;
    ssize_t n;
    (void)state;
    assert_int_equal(0, pipe2(in, O_CLOEXEC));
    assert_int_equal(0, pipe2(out, O_CLOEXEC));
    const struct command_start how = {.argv = connect_v4, .in_fd = in[0], .out_fd = out[1]};
    assert_true(command_begin(&c, &how));
    (void)close(in[0]);
    (void)close(out[1]);
    pid_t feeder = feed(in[1], out[0]);
    (void)close(in[1]);
    (void)usleep(300 * 1000); /* all buffers on the way are full by now */
    while ((n = read(out[0], piece, sizeof piece)) > 0)
        check_echo(&k, piece, (size_t)n);
    check_echo_end(&k);
    (void)close(out[0]);
    assert_int_equal(feeder, waitpid(feeder, &status, 0));
    assert_int_equal(0, status);
    assert_int_equal(0, command_end(&c, PATIENCE_MS));
    command_drop(&c);
}

/* A reader that goes away ends the command with a word, not with a signal. */
static void a_reader_that_goes_away(void **state)
{
    char said[COMMAND_SAID_BYTES];
    struct command c = {0};
    int out[2];
    (void)state;
    make_input();
    int in = open(input_path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(0, pipe2(out, O_CLOEXEC));
    const struct command_start how = {.argv = connect_v4, .in_fd = in, .out_fd = out[1]};
    assert_true(command_begin(&c, &how));
    (void)close(out[1]);
    (void)close(out[0]);
    assert_int_equal(1, command_end(&c, PATIENCE_MS));
    command_said(&c, said);
    assert_non_null(strstr(said, "Broken pipe"));
    command_drop(&c);
    (void)close(in);
    assert_int_equal(0, if_nametoindex("hf0"));
}

/* A full disk ends the recording and not the traffic; that not all is in it is a failure. */
static void a_recording_that_ends_early_is_a_failure(void **state)
{
    const char *const argv[] = {NULL,       "connect",   "--tun",    "hf0", "--addr", "10.9.0.2/24",
                                "--record", record_path, "10.9.0.1", "7",   NULL};
    char said[COMMAND_SAID_BYTES];
    struct command c = {0};
    (void)state;
    make_input();
    int in = open(input_path, O_RDONLY | O_CLOEXEC), out = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert_true(in >= 0 && out >= 0);
    const struct command_start how = {.argv = argv, .in_fd = in, .out_fd = out};
    assert_true(command_begin(&c, &how));
    command_limit(&c, RLIMIT_FSIZE, RECORD_MAX_BYTES);
    assert_int_equal(1, command_end(&c, PATIENCE_MS));
    command_said(&c, said);
    command_drop(&c);
    (void)close(in);
    (void)close(out);
    (void)unlink(record_path);
    assert_non_null(strstr(said, "handfast connect: sent 10000000 bytes"));
    assert_non_null(strstr(said, "handfast connect: record /tmp/"));
    assert_non_null(strstr(said, "File too large (recording ends"));
    assert_non_null(strstr(said, "packets could not be written"));
}

/* ---- a connection of limited time, and its figures ------------------------------------------ */

static uint64_t figure(const char *said, const char *name)
{
    char key[64];
    (void)snprintf(key, sizeof key, "\"%s\":", name);
    const char *at = strstr(said, key);
    if (!at)
        fail_msg("no %s in: %s", key, said);
    return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

/* The echo never ends by itself: zeros without end go there and come back. The last of all tests:
 * where data is missing before it, the reset is doubted, and the echo waits for ever. */
static void the_time_ends_it_and_figures_are_told(void **state)
{
    static const char *const argv[] = {
        NULL,          "connect",    "--tun", "hf0",     "--addr",   "10.9.0.2/24", "--spoil",
        "drop out 1%", "--duration", "500ms", "--stats", "10.9.0.1", "7",           NULL};
    char said[COMMAND_SAID_BYTES];
    (void)state;
    int in = open("/dev/zero", O_RDONLY | O_CLOEXEC), out = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert_true(in >= 0 && out >= 0);
    const struct command_start how = {.argv = argv, .in_fd = in, .out_fd = out};
    assert_int_equal(0, command_run(&how, PATIENCE_MS, said));
    (void)close(in);
    (void)close(out);
    uint64_t took_ns = figure(said, "ended_ns") - figure(said, "began_ns");
    assert_in_range(took_ns, 500000000, 2000000000);
    assert_true(figure(said, "bytes_sent") > 100000 && figure(said, "bytes_received") > 100000);
    uint64_t again = figure(said, "segments_retransmitted");
    assert_true(again > 0 && figure(said, "bytes_retransmitted") >= again);
    assert_int_equal(1, figure(said, "RST_ABORT"));
    assert_int_equal(0, if_nametoindex("hf0"));
}

/* Without --duration both directions end as ever, and what was sent is all acknowledged. */
static void figures_of_a_whole_connection(void **state)
{
    static const char *const argv[] = {NULL,          "connect", "--tun",    "hf0", "--addr",
                                       "10.9.0.2/24", "--stats", "10.9.0.1", "7",   NULL};
    char said[COMMAND_SAID_BYTES];
    (void)state;
    make_input();
    int in = open(input_path, O_RDONLY | O_CLOEXEC), out = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert_true(in >= 0 && out >= 0);
    const struct command_start how = {.argv = argv, .in_fd = in, .out_fd = out};
    assert_int_equal(0, command_run(&how, PATIENCE_MS, said));
    (void)close(in);
    (void)close(out);
    assert_int_equal(BYTES, figure(said, "bytes_sent"));
    assert_int_equal(BYTES + sizeof farewell - 1, figure(said, "bytes_received"));
}

/* ---- what is said when something is wrong --------------------------------------------------- */

struct wrong {
    const char *name;
    int code;
    bool as_nobody;
    const char *says; /* somewhere in its line; or the text behind a bar */
    const char *argv[COMMAND_ARGS_MAX];
};

#define SERVE NULL, "serve", "--tun", "hf0"

static const struct wrong wrongs[] = {
    {"no privilege",
     1,
     true,
     "Operation not permitted|Permission denied",
     {SERVE, "--addr", "10.9.0.2/24", "/usr", NULL}},
    {"no privilege, connect",
     1,
     true,
     "Operation not permitted|Permission denied",
     {NULL, "connect", "--tun", "hf0", "--addr", "10.9.0.2/24", "10.9.0.1", "7", NULL}},
    {"folder closed to us",
     1,
     true,
     "Permission denied",
     {SERVE, "--addr", "10.9.0.2/24", folder, NULL}},
    {"no such folder",
     1,
     false,
     "/nonexistent: No such file",
     {SERVE, "--addr", "10.9.0.2/24", "/nonexistent", NULL}},
    {"a file as folder",
     1,
     false,
     "/etc/passwd: Not a directory",
     {SERVE, "--addr", "10.9.0.2/24", "/etc/passwd", NULL}},
    {"bad address", 2, false, "--addr: \"10.9.0\"", {SERVE, "--addr", "10.9.0/24", "/usr", NULL}},
    {"bad prefix",
     2,
     false,
     "--addr: \"10.9.0.2/33\"",
     {SERVE, "--addr", "10.9.0.2/33", "/usr", NULL}},
    {"no prefix", 2, false, "10.9.0.2", {SERVE, "--addr", "10.9.0.2", "/usr", NULL}},
    {"bad kernel address",
     2,
     false,
     "--kernel-addr: \"nonsense\"",
     {SERVE, "--addr", "10.9.0.2/24", "--kernel-addr", "nonsense", "/usr", NULL}},
    {"device is none",
     1,
     false,
     "lo",
     {NULL, "serve", "--tun", "lo", "--addr", "10.9.0.2/24", "/usr", NULL}},
    {"device name too long",
     2,
     false,
     "has 1 to 15 bytes",
     {NULL, "serve", "--tun", "a-name-of-20-letters", "--addr", "10.9.0.2/24", "/usr", NULL}},
    {"bad fault rule",
     2,
     false,
     "--spoil, position 6: \"nonsense\"",
     {SERVE, "--addr", "10.9.0.2/24", "--spoil", "drop nonsense", "/usr", NULL}},
    {"record nowhere",
     1,
     false,
     "/nonexistent/x",
     {SERVE, "--addr", "10.9.0.2/24", "--record", "/nonexistent/x", "/usr", NULL}},
    {"closed port",
     1,
     false,
     "refused",
     {NULL, "connect", "--tun", "hf0", "--addr", "10.9.0.2/24", "10.9.0.1", "9", NULL}},
    {"no such host",
     1,
     false,
     "no.such.host.invalid",
     {NULL, "connect", "--tun", "hf0", "--addr", "10.9.0.2/24", "no.such.host.invalid", "9", NULL}},
    {"host of the other family",
     2,
     false,
     "fd09::1 is IPv6",
     {NULL, "connect", "--tun", "hf0", "--addr", "10.9.0.2/24", "fd09::1", "9", NULL}},
    {"service that nobody knows",
     2,
     false,
     "no service 'nosuch'",
     {NULL, "connect", "--tun", "hf0", "--addr", "10.9.0.2/24", "10.9.0.1", "nosuch", NULL}},
    {"unknown option", 2, false, "--nonsense", {SERVE, "--nonsense", NULL}},
    {"bad port",
     2,
     false,
     "--port wants 1 to 65535, not '0'",
     {SERVE, "--addr", "10.9.0.2/24", "--port", "0", "/usr", NULL}},
    {"a time without its unit",
     2,
     false,
     "--duration takes a time",
     {NULL, "connect", "--tun", "hf0", "--addr", "10.9.0.2/24", "--duration", "5", "10.9.0.1", "7",
      NULL}},
    {"no time at all",
     2,
     false,
     "--duration takes a time",
     {NULL, "connect", "--tun", "hf0", "--addr", "10.9.0.2/24", "--duration", "0s", "10.9.0.1", "7",
      NULL}},
    {"no folder", 2, false, "DIR is missing", {SERVE, "--addr", "10.9.0.2/24", NULL}},
    {"no address", 2, false, "--tun and --addr are required", {SERVE, "/usr", NULL}},
    {"unknown setting",
     2,
     false,
     "there is no setting 'nonsense'",
     {SERVE, "--addr", "10.9.0.2/24", "--set", "nonsense=1", "/usr", NULL}},
    {"unknown profile",
     2,
     false,
     "'nonsense' is no profile",
     {SERVE, "--addr", "10.9.0.2/24", "--profile", "nonsense", "/usr", NULL}},
    {"unknown command", 2, false, "'nonsense' is no command", {NULL, "nonsense", NULL}},
};

/* One line; where the usage is wrong, a sentence behind it says where the help is. */
static bool is_one_line(const char *said)
{
    const char *end = strchr(said, '\n');
    if (!end || end[1] == '\0')
        return end != NULL;
    const char *last = strstr(end, "information.\n");
    return strncmp(end + 1, "Try ", 4) == 0 && last && last[13] == '\0';
}

static bool says_one_of(const char *said, const char *texts)
{
    char first[128];
    const char *bar = strchr(texts, '|');
    if (!bar)
        return strstr(said, texts) != NULL;
    (void)snprintf(first, sizeof first, "%.*s", (int)(bar - texts), texts);
    return strstr(said, first) || strstr(said, bar + 1);
}

static void wrong_calls_are_answered(void **state)
{
    int failed = 0;
    (void)state;
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        const struct wrong *x = &wrongs[i];
        char said[COMMAND_SAID_BYTES];
        const struct command_start how = {
            .argv = x->argv, .in_fd = -1, .out_fd = -1, .as_nobody = x->as_nobody};
        if (x->as_nobody && geteuid() != 0)
            continue;
        int code = command_run(&how, PATIENCE_MS, said);
        bool right = code == x->code && strncmp(said, "handfast", 8) == 0 && is_one_line(said) &&
                     says_one_of(said, x->says) && if_nametoindex("hf0") == 0;
        if (!right)
            print_message("%s: exit code %d, not %d: %s\n", x->name, code, x->code, said);
        failed += !right;
    }
    assert_int_equal(0, failed);
}

static void a_device_in_use_is_named(void **state)
{
    static const char *const argv[] = {SERVE, "--addr", "10.9.0.2/24", "/usr", NULL};
    static const char *const second[] = {SERVE, "--addr", "10.9.0.3/24", "/usr", NULL};
    const struct command_start how = {.argv = argv, .in_fd = -1, .out_fd = -1};
    const struct command_start again = {.argv = second, .in_fd = -1, .out_fd = -1};
    char said[COMMAND_SAID_BYTES];
    struct command c = {0};
    (void)state;
    assert_true(command_begin(&c, &how));
    assert_true(command_await(&c, "serving", PATIENCE_MS));
    assert_int_equal(1, command_run(&again, PATIENCE_MS, said));
    assert_non_null(strstr(said, "hf0: Device or resource busy"));
    assert_true(is_one_line(said));
    assert_true(if_nametoindex("hf0") != 0); /* the first one goes on */
    command_signal(&c, SIGINT);
    assert_int_equal(0, command_end(&c, PATIENCE_MS));
    command_drop(&c);
    assert_int_equal(0, if_nametoindex("hf0"));
}

/* ---- main ----------------------------------------------------------------------------------- */

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder) || chmod(folder, 0700) != 0)
        return -1;
    (void)snprintf(input_path, sizeof input_path, "%s/in", folder);
    (void)snprintf(output_path, sizeof output_path, "%s/out", folder);
    (void)snprintf(record_path, sizeof record_path, "%s/record", folder);
    return start_echo() ? 0 : -1;
}

static int clean_up(void **state)
{
    (void)state;
    (void)unlink(input_path);
    (void)unlink(output_path);
    if (echo_pid > 0) {
        (void)kill(echo_pid, SIGKILL);
        (void)waitpid(echo_pid, NULL, 0);
    }
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_through_v4),
        cmocka_unit_test(files_through_v6),
        cmocka_unit_test(files_through_loss),
        cmocka_unit_test(pipes_through_with_a_slow_reader),
        cmocka_unit_test(a_reader_that_goes_away),
        cmocka_unit_test(a_recording_that_ends_early_is_a_failure),
        cmocka_unit_test(figures_of_a_whole_connection),
        cmocka_unit_test(wrong_calls_are_answered),
        cmocka_unit_test(a_device_in_use_is_named),
        cmocka_unit_test(the_time_ends_it_and_figures_are_told),
    };
    const char *what = interop_missing();
    if (!*what && !getenv("HF_COMMAND"))
        what = "HF_COMMAND does not say where the command is";
    if (*what) {
        (void)fprintf(stderr, "skipped: %s\n", what);
        return INTEROP_SKIP;
    }
    return cmocka_run_group_tests(tests, set_up, clean_up);
}
