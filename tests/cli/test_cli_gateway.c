/**
 * `handfast gateway` as a command: exit codes, signals, options, and what it says where it can't.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/gateway_run.h"
#include "support/user_namespace.h"

enum { FILE_BYTES = 3 << 20, KEY = 7, PCAPNG_MAX = 64 << 20, RECORD_MAX_BYTES = 100 * 1000 };

static char record_path[64];

/** Runs `handfast gateway ARGS...`. */
static struct gateway_run run_words(const char *a, const char *b, const char *c, const char *d,
                                    int (*prepare)(void))
{
    const char *const args[] = {"gateway", a, b, c, d, NULL};
    struct gateway_run run;
    gateway_command(&run, args, prepare);
    return run;
}

static struct gateway_run run_shell(const char *script)
{
    return run_words("--", "/bin/sh", "-c", script, NULL);
}

/* ---- exit codes ------------------------------------------------------------------------------ */

static void the_exit_code_is_the_commands(void **state)
{
    (void)state;
    struct gateway_run run = run_shell("exit 37");
    assert_int_equal(run.exit_code, 37);
    assert_string_equal(run.said, "");
    assert_int_equal(run_shell("kill -KILL $$").exit_code, 137);
    assert_int_equal(run_shell("kill -SEGV $$").exit_code, 139);
}

static void what_follows_the_command_is_its_own(void **state)
{
    (void)state;
    struct gateway_run run = run_words("/bin/sh", "-c", "exit $#", "--mtu", NULL);
    assert_int_equal(run.exit_code, 0);
    run = run_words("--", "/bin/echo", "--no-such-option", NULL, NULL);
    assert_int_equal(run.exit_code, 0);
}

static void a_command_that_is_not_there_is_named(void **state)
{
    (void)state;
    struct gateway_run run = run_words("--", "no-such-command", NULL, NULL, NULL);
    assert_int_equal(run.exit_code, 127);
    assert_true(gateway_says_one_line(&run, "gateway"));
    assert_true(gateway_says(&run, "no-such-command: command not found in PATH"));
    run = run_words("--", "/etc/passwd", NULL, NULL, NULL);
    assert_int_equal(run.exit_code, 126);
    assert_true(gateway_says_one_line(&run, "gateway"));
    assert_true(gateway_left_nothing());
}

/* ---- signals --------------------------------------------------------------------------------- */

#define READY "; echo ready >&2; while :; do sleep 0.05; done"

/** Starts a script that says "ready" and then waits. */
static pid_t start_waiting(const char *script, int *said_fd)
{
    const char *const args[] = {"gateway", "--", "/bin/sh", "-c", script, NULL};
    char word[16] = "";
    pid_t pid = gateway_spawn(args, NULL, said_fd);
    assert_true(read(*said_fd, word, sizeof word - 1) > 0);
    assert_string_equal(word, "ready\n");
    return pid;
}

static void a_signal_to_the_gateway_alone_reaches_the_command(void **state)
{
    (void)state;
    static const int signals[] = {SIGTERM, SIGHUP, SIGINT, SIGUSR1};
    static const char *const names[] = {"TERM", "HUP", "INT", "USR1"};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        char script[128];
        (void)snprintf(script, sizeof script, "trap 'exit %zu' %s" READY, 40 + i, names[i]);
        struct gateway_run run;
        int said_fd = -1;
        pid_t pid = start_waiting(script, &said_fd);
        assert_int_equal(kill(pid, signals[i]), 0);
        gateway_finish(pid, said_fd, &run);
        assert_int_equal(run.exit_code, 40 + i);
    }
}

static void a_signal_to_the_group_ends_both(void **state)
{
    (void)state;
    struct gateway_run run;
    int said_fd = -1;
    pid_t pid = start_waiting("true" READY, &said_fd);
    assert_int_equal(kill(-pid, SIGINT), 0);
    gateway_finish(pid, said_fd, &run);
    assert_int_equal(run.exit_code, 128 + SIGINT);
    assert_true(gateway_left_nothing());
}

/** The command goes with a gateway that is killed. */
static void nothing_outlives_a_killed_gateway(void **state)
{
    (void)state;
    struct gateway_run run;
    int said_fd = -1;
    pid_t pid = start_waiting("exec sh -c 'true" READY "'", &said_fd);
    assert_int_equal(kill(pid, SIGKILL), 0);
    gateway_finish(pid, said_fd, &run);
    assert_int_equal(run.exit_code, 128 + SIGKILL);
    double start = gateway_seconds();
    while (waitpid(-1, NULL, WNOHANG) >= 0 && gateway_seconds() - start < 5)
        (void)usleep(10000);
    assert_true(gateway_left_nothing());
}

/* ---- mistakes and missing things ------------------------------------------------------------- */

static void wrong_usage_is_said_and_ends_with_2(void **state)
{
    (void)state;
    struct gateway_run run = run_words(NULL, NULL, NULL, NULL, NULL);
    assert_int_equal(run.exit_code, 2);
    assert_true(gateway_says(&run, "handfast gateway: no command"));
    run = run_words("--no-such-option", "--", "/bin/true", NULL, NULL);
    assert_int_equal(run.exit_code, 2);
    assert_true(gateway_says(&run, "--no-such-option"));
    run = run_words("--mtu=100", "--", "/bin/true", NULL, NULL);
    assert_int_equal(run.exit_code, 2);
    assert_true(gateway_says(&run, "--mtu wants 576 to 65535, not '100'"));
    run = run_words("--spoil=drop sny", "--", "/bin/true", NULL, NULL);
    assert_int_equal(run.exit_code, 2);
    assert_true(gateway_says_one_line(&run, "gateway"));
    assert_true(gateway_says(&run, "sny"));
}

static void a_record_that_cannot_be_written_ends_with_1(void **state)
{
    (void)state;
    struct gateway_run run = run_words("--record=/no/such/place", "--", "/bin/sh", "-c", NULL);
    assert_int_equal(run.exit_code, 1);
    assert_true(gateway_says_one_line(&run, "gateway"));
    assert_true(gateway_says(&run, "/no/such/place"));
    assert_true(gateway_left_nothing());
}

/** These need a root who may make mount namespaces. */
static bool may_prepare(void)
{
    return geteuid() == 0 &&
           run_words("--version", NULL, NULL, NULL, gateway_without_tun).exit_code != 99;
}

static void a_missing_device_is_named(void **state)
{
    (void)state;
    if (!may_prepare())
        skip();
    struct gateway_run run = run_words("--", "/bin/true", NULL, NULL, gateway_without_tun);
    assert_int_equal(run.exit_code, 1);
    assert_true(gateway_says_one_line(&run, "gateway"));
    assert_true(gateway_says(&run, "/dev/net/tun"));
    assert_true(gateway_says(&run, "modprobe tun"));
    user_namespace_needed(true);
    run = run_words("--", "/bin/true", NULL, NULL, gateway_as_nobody_without_tun);
    assert_int_equal(run.exit_code, 1);
    assert_true(gateway_says_one_line(&run, "gateway"));
    assert_true(gateway_says(&run, "/dev/net/tun"));
    assert_true(gateway_left_nothing());
}

/* ---- options --------------------------------------------------------------------------------- */

static int serve_file(int listening)
{
    int fd = accept(listening, NULL, NULL);
    GATEWAY_MUST(gateway_write(fd, 0, FILE_BYTES, KEY));
    GATEWAY_MUST(shutdown(fd, SHUT_WR) == 0);
    GATEWAY_MUST(gateway_read(fd, 0, FILE_BYTES, KEY));
    GATEWAY_MUST(gateway_read_end(fd));
    return 0;
}

/** Takes the file and sends it back. */
static int play_file(int argc, char **argv)
{
    (void)argc;
    int fd = gateway_connect(argv[1], false);
    GATEWAY_MUST(fd >= 0);
    GATEWAY_MUST(gateway_read(fd, 0, FILE_BYTES, KEY));
    GATEWAY_MUST(gateway_read_end(fd));
    GATEWAY_MUST(gateway_write(fd, 0, FILE_BYTES, KEY));
    return 0;
}

static void run_file(const char *a, const char *b, int (*prepare)(void))
{
    struct gateway_server s = gateway_serve(false, serve_file);
    const char *const options[] = {a, b, NULL};
    const char *const part[] = {"file", s.port_text, NULL};
    struct gateway_run run;
    gateway_run_prepared(&run, options, part, prepare);
    if (run.exit_code != 0)
        gateway_stop(&s);
    assert_int_equal(run.exit_code, 0);
    assert_int_equal(gateway_served(&s), 0);
}

static void no_root_is_needed(void **state)
{
    (void)state;
    if (!may_prepare())
        skip();
    user_namespace_needed(true);
    struct gateway_run run = run_words("--", "/bin/sh", "-c", "test $(id -u) = 65534 && exit 5",
                                       gateway_as_nobody_with_tun);
    assert_string_equal(run.said, "");
    assert_int_equal(run.exit_code, 5);
    run_file(NULL, NULL, gateway_as_nobody_with_tun);
}

static void spoilt_packets_cost_time_and_no_bytes(void **state)
{
    (void)state;
    run_file("--spoil=drop syn once; drop synack once; drop third-ack once; drop 3rd data; "
             "drop fin once",
             "--mtu=1500", NULL);
    run_file("--spoil=drop 1%; duplicate 1% seed 3; delay 3ms 1% seed 9", "--mtu=9000", NULL);
}

static uint32_t word_at(const uint8_t *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

/** Walks over the blocks of a pcapng file in our byte order; how many packets it holds, -1: it is
 *  none. */
static int count_packets(const char *path)
{
    uint8_t *bytes = malloc(PCAPNG_MAX);
    FILE *f = fopen(path, "re");
    size_t length = f && bytes ? fread(bytes, 1, PCAPNG_MAX, f) : 0, at = 0;
    int packets =
        length >= 12 && word_at(bytes) == 0x0A0D0D0A && word_at(bytes + 8) == 0x1A2B3C4D ? 0 : -1;
    while (packets >= 0 && at < length) {
        size_t block = length - at >= 12 ? word_at(bytes + at + 4) : 0;
        bool whole = block >= 12 && block % 4 == 0 && block <= length - at &&
                     word_at(bytes + at + block - 4) == block;
        packets = whole ? packets + (word_at(bytes + at) == 6) : -1;
        at += block;
    }
    if (f)
        (void)fclose(f);
    free(bytes);
    return packets;
}

static void the_record_can_be_read(void **state)
{
    (void)state;
    char option[96];
    (void)snprintf(option, sizeof option, "--record=%s", record_path);
    run_file(option, NULL, NULL);
    int packets = count_packets(record_path);
    (void)printf("%d packets\n", packets);
    /* 6 MB in packets of at most 64 KB, three to open, four to release. */
    assert_true(packets >= 96 + 7);
    assert_int_equal(unlink(record_path), 0);
}

static int limit_files(void)
{
    const struct rlimit tight = {RECORD_MAX_BYTES, RECORD_MAX_BYTES};
    return signal(SIGXFSZ, SIG_IGN) == SIG_ERR ? -1 : setrlimit(RLIMIT_FSIZE, &tight);
}

/** On a disk that is full: the command gets what it wants all the same. */
static void a_recording_that_ends_early_is_a_failure(void **state)
{
    (void)state;
    char option[96];
    (void)snprintf(option, sizeof option, "--record=%s", record_path);
    struct gateway_server s = gateway_serve(false, serve_file);
    const char *const options[] = {option, NULL}, *const part[] = {"file", s.port_text, NULL};
    struct gateway_run run;
    gateway_run_prepared(&run, options, part, limit_files);
    (void)unlink(record_path);
    assert_int_equal(gateway_served(&s), 0);
    assert_int_equal(run.exit_code, 1);
    assert_true(gateway_says(&run, "handfast gateway: record /tmp/"));
    assert_true(gateway_says(&run, "packets could not be written"));
}

static const struct gateway_part parts[] = {{"file", play_file}};

int main(int argc, char **argv)
{
    if (argc > 1)
        return gateway_play(parts, sizeof parts / sizeof parts[0], argc, argv);
    if (!gateway_can())
        return GATEWAY_SKIP;
    (void)snprintf(record_path, sizeof record_path, "/tmp/handfast-test-%d.pcapng", (int)getpid());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_exit_code_is_the_commands),
        cmocka_unit_test(what_follows_the_command_is_its_own),
        cmocka_unit_test(a_command_that_is_not_there_is_named),
        cmocka_unit_test(a_signal_to_the_gateway_alone_reaches_the_command),
        cmocka_unit_test(a_signal_to_the_group_ends_both),
        cmocka_unit_test(nothing_outlives_a_killed_gateway),
        cmocka_unit_test(wrong_usage_is_said_and_ends_with_2),
        cmocka_unit_test(a_record_that_cannot_be_written_ends_with_1),
        cmocka_unit_test(a_missing_device_is_named),
        cmocka_unit_test(no_root_is_needed),
        cmocka_unit_test(spoilt_packets_cost_time_and_no_bytes),
        cmocka_unit_test(the_record_can_be_read),
        cmocka_unit_test(a_recording_that_ends_early_is_a_failure),
    };
    return user_namespace_result(cmocka_run_group_tests(tests, NULL, NULL));
}
