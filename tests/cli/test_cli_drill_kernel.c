/* `handfast drill --against linux` and `--compare`: the same scripts put to the kernel. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/gateway_run.h"
#include "support/user_namespace.h"

enum { SAID_BYTES = 65536, NOT_PREPARED = 99 };

static char place[] = "/tmp/handfast-kernel-test-XXXXXX";
static char said[SAID_BYTES];

/* Times are generous: what is shown here hangs on none. */
#define ROUGHLY "--tolerance_usecs=100000\n"
#define LISTEN                                                                                     \
    "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"                                                \
    "+0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0\n"                                     \
    "+0 bind(3, ..., ...) = 0\n"                                                                   \
    "+0 listen(3, 1) = 0\n"
#define OPEN                                                                                       \
    "+.01 < S 0:0(0) win 65535 <mss 1000>\n"                                                       \
    "+0 > S. 0:0(0) ack 1 <...>\n"                                                                 \
    "+.01 < . 1:1(0) ack 1 win 65535\n"                                                            \
    "+0 accept(3, ..., ...) = 4\n"

/* Ends in TIME-WAIT: a second one on the same ports would see it. */
static const char passive[] = ROUGHLY LISTEN OPEN "+0 %{ assert tcpi_state == TCP_ESTABLISHED }%\n"
                                                  "+0 write(4, ..., 1000) = 1000\n"
                                                  "+0 > P. 1:1001(1000) ack 1\n"
                                                  "+.01 < P. 1:101(100) ack 1001 win 65535\n"
                                                  "* > . 1001:1001(0) ack 101\n"
                                                  "+0 read(4, ..., 1000) = 100\n"
                                                  "+0 close(4) = 0\n"
                                                  "+0 > F. 1001:1001(0) ack 101\n"
                                                  "+.01 < F. 101:101(0) ack 1002 win 65535\n"
                                                  "+0 > . 1002:1002(0) ack 102\n"
                                                  "+0 `sockstat | grep -c TIME_WAIT | grep 1`\n";
static const char active[] =
    ROUGHLY "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
            "+0...0.05 connect(3, ..., ...) = 0\n"
            "+0 > S 0:0(0) <...>\n"
            "+.05 < S. 0:0(0) ack 1 win 65535 <mss 1000>\n"
            "+0 > . 1:1(0) ack 1\n"
            "+.01 < R. 1:1(0) ack 1 win 0\n"
            "+.01 read(3, ..., 10) = -1 ECONNRESET (Connection reset by peer)\n";
static const char v6[] = "--ip_version=ipv6\n" ROUGHLY LISTEN OPEN "+0 close(4) = 0\n"
                         "+0 > F. 1:1(0) ack 1\n";
/* The kernel offers timestamps to who does, unless it is told not to. */
static const char setting[] =
    ROUGHLY "`sysctl -w net.ipv4.tcp_timestamps=0`\n" LISTEN
            "+.01 < S 0:0(0) win 65535 <mss 1000,nop,nop,TS val 1 ecr 0>\n"
            "+0 > S. 0:0(0) ack 1 <mss 1460>\n";
static const char icmp[] =
    ROUGHLY "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
            "+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n"
            "+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)\n"
            "+0 > S 0:0(0) <...>\n"
            "+.01 < icmp unreachable port_unreachable [0:0(0)]\n"
            "+.01 getsockopt(3, SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4]) = 0\n";
/* Linux announces 64240 at first, the stack's default 65535. */
static const char window[] = ROUGHLY LISTEN "+.01 < S 0:0(0) win 65535 <mss 1460>\n"
                                            "+0 > S. 0:0(0) ack 1 win 64240 <mss 1460>\n";
/* No stack does this. */
static const char wrong[] = ROUGHLY "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
                                    "+0 < S 0:0(0) win 1000 <mss 1460>\n"
                                    "+0 > R. 0:0(0) ack 7\n";
static const char slow[] = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
                           "+31 < S 0:0(0) win 1000 <mss 1460>\n"
                           "+0 > R. 0:0(0) ack 1\n";
/* Nothing comes, at any time. */
static const char silent[] = ROUGHLY LISTEN "+0 < . 1:1(0) win 0\n"
                                            "+0 > R 0:0(0)\n"
                                            "* > R 0:0(0)\n";
/* The SYN,ACK comes again after one second, not after 1.7. */
static const char early[] = LISTEN "+.01 < S 0:0(0) win 65535 <mss 1000>\n"
                                   "+0 > S. 0:0(0) ack 1 <...>\n"
                                   "+1.7 > S. 0:0(0) ack 1 <...>\n";
static const char strange[] = "`sysctl -w net.ipv4.no_such_setting=1`\n" LISTEN;
static const char outside[] = "`sysctl -w kernel.hostname=elsewhere`\n" LISTEN;
/* A close that lingers when the script ends must not leave its socket behind. */
static const char lingers[] =
    ROUGHLY LISTEN OPEN "+0 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=60}, 8) = 0\n"
                        "+0 write(4, ..., 100) = 100\n"
                        "+0 > P. 1:101(100) ack 1\n";

static void put_file(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", place, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static int make_place(void **state)
{
    static const struct {
        const char *name, *text;
    } files[] = {
        {"passive.pkt", passive}, {"active.pkt", active},   {"v6.pkt", v6},
        {"setting.pkt", setting}, {"icmp.pkt", icmp},       {"window.pkt", window},
        {"wrong.pkt", wrong},     {"slow.pkt", slow},       {"silent.pkt", silent},
        {"early.pkt", early},     {"strange.pkt", strange}, {"outside.pkt", outside},
        {"lingers.pkt", lingers},
    };
    (void)state;
    assert_non_null(mkdtemp(place));
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        put_file(files[i].name, files[i].text);
    return 0;
}

static int remove_place(void **state)
{
    char line[256];
    (void)state;
    snprintf(line, sizeof line, "rm -r '%s'", place);
    return system(line);
}

/** Runs it in the place, behind a command of the shell; returns the exit code. */
static int drill_after(const char *before, const char *arguments)
{
    char line[1024];
    snprintf(line, sizeof line, "cd '%s' && %s && '%s' drill %s 2>&1", place, before,
             getenv("HF_COMMAND"), arguments);
    (void)fflush(NULL);
    FILE *pipe = popen(line, "r");
    assert_non_null(pipe);
    said[fread(said, 1, SAID_BYTES - 1, pipe)] = '\0';
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int drill(const char *arguments)
{
    return drill_after("true", arguments);
}

static void says(const char *part)
{
    if (strstr(said, part) == NULL)
        print_error("%s\n", said);
    assert_non_null(strstr(said, part));
}

/* ---- scripts ------------------------------------------------------------------------------ */

static void scripts_pass_on_the_kernel(void **state)
{
    (void)state;
    int code = drill("--against linux passive.pkt active.pkt v6.pkt setting.pkt icmp.pkt");
    says("5 passed, 0 failed, 0 skipped\n");
    assert_int_equal(code, 0);
}

static void a_failure_on_the_kernel_is_told(void **state)
{
    (void)state;
    assert_int_equal(drill("--against linux wrong.pkt"), 1);
    says("FAIL wrong.pkt:4:1\n");
    says("ack 1, expected 7\n");
    says("0 passed, 1 failed, 0 skipped\n");
}

static void each_script_has_a_fresh_kernel(void **state)
{
    (void)state;
    int code = drill("--against linux passive.pkt setting.pkt passive.pkt passive.pkt");
    says("4 passed, 0 failed, 0 skipped\n");
    assert_int_equal(code, 0);
}

static void the_capture_has_the_kernels_packets(void **state)
{
    struct stat about;
    char path[256];
    (void)state;
    assert_int_equal(drill("--against linux --json --pcap k.pcapng v6.pkt"), 0);
    says("{\"outcome\":\"pass\",\"script\":\"v6.pkt\"");
    says("\"packets\":4,");
    snprintf(path, sizeof path, "%s/k.pcapng", place);
    assert_int_equal(stat(path, &about), 0);
    assert_true(about.st_size > 400);
}

/* ---- both --------------------------------------------------------------------------------- */

static void both_do_the_same(void **state)
{
    (void)state;
    int code = drill("--compare passive.pkt active.pkt v6.pkt setting.pkt icmp.pkt");
    says("same   passive.pkt\n");
    says("\n5 same, 0 differ, 0 fail on both, 0 skipped\n");
    assert_int_equal(code, 0);
}

static void a_difference_is_told(void **state)
{
    (void)state;
    assert_int_equal(drill("--compare window.pkt passive.pkt"), 1);
    says("DIFFER window.pkt\n");
    says("    core      failed at line 7\n");
    says("win 64240");
    says("window 65535, expected 64240\n");
    says("    linux     passed\n");
    says(" script ms            core ");
    says(" script ms            linux ");
    says("1 same, 1 differ, 0 fail on both, 0 skipped\n");
    assert_int_equal(drill("--compare --json window.pkt"), 1);
    says("{\"verdict\":\"differ\",\"script\":\"window.pkt\",\"core\":{\"outcome\":\"fail\","
         "\"line\":7,");
    says("\"linux\":{\"outcome\":\"pass\",");
}

static void a_setting_of_the_stack_ends_a_difference(void **state)
{
    (void)state;
    assert_int_equal(drill("--compare --set receive_buffer_bytes=64240 window.pkt"), 0);
    says("1 same, 0 differ, 0 fail on both, 0 skipped\n");
}

static void what_fails_on_both_is_no_difference(void **state)
{
    (void)state;
    assert_int_equal(drill("--compare wrong.pkt"), 1);
    says("FAIL   wrong.pkt\n");
    says("    core      failed at line 4\n");
    says("    linux     failed at line 4\n");
    says("0 same, 0 differ, 1 fail on both, 0 skipped\n");
}

/* ---- limits ------------------------------------------------------------------------------- */

static void a_slow_script_is_skipped(void **state)
{
    (void)state;
    double before = gateway_seconds();
    assert_int_equal(drill("--against linux slow.pkt"), 0);
    says("skip slow.pkt: takes 31.000 s or more, the limit is 30.000 s\n");
    assert_int_equal(drill("--compare slow.pkt"), 0);
    says("skip   slow.pkt: linux: takes 31.000 s or more, the limit is 30.000 s\n");
    assert_int_equal(drill("--max-time 30 slow.pkt"), 0);
    says("skip slow.pkt: takes 31.000 s or more, the limit is 30.000 s\n");
    assert_int_equal(drill("slow.pkt"), 0);
    says("1 passed");
    assert_true(gateway_seconds() - before < 20);
}

static void what_never_comes_is_not_waited_for_long(void **state)
{
    (void)state;
    assert_int_equal(drill("--against linux --max-time 1.5 silent.pkt"), 1);
    says("nothing until 1.5");
    says("FAIL silent.pkt:8:1\n");
}

static void a_setting_that_is_not_there_skips(void **state)
{
    char before[256], after[256];
    (void)state;
    assert_int_equal(gethostname(before, sizeof before), 0);
    assert_int_equal(drill("--against linux strange.pkt outside.pkt"), 0);
    assert_int_equal(gethostname(after, sizeof after), 0);
    says("skip strange.pkt:1: net.ipv4.no_such_setting=1: no such setting");
    says("skip outside.pkt:1: kernel.hostname=elsewhere: no such setting");
    assert_string_equal(before, after);
}

/** Twelve scripts with room for few descriptors: none may stay open. */
static void a_close_that_lingers_leaves_no_socket(void **state)
{
#define FOUR_TIMES "lingers.pkt lingers.pkt lingers.pkt lingers.pkt "
    (void)state;
    double before = gateway_seconds();
    int code = drill_after("ulimit -n 16", "--against linux " FOUR_TIMES FOUR_TIMES FOUR_TIMES);
    says("12 passed, 0 failed, 0 skipped\n");
    assert_int_equal(code, 0);
    assert_true(gateway_seconds() - before < 20);
#undef FOUR_TIMES
}

static void a_tolerance_counts_more_than_the_scripts(void **state)
{
    (void)state;
    assert_int_equal(drill("--against linux early.pkt"), 1);
    says("ms too early; tolerance 212.500 ms\n");
    assert_int_equal(drill("--against linux --tolerance 800 early.pkt"), 0);
}

/* ---- without the kernel ------------------------------------------------------------------- */

static struct gateway_run run_without(const char *option, int (*prepare)(void))
{
    const char *const linux_only[] = {"drill", "--against", "linux", "passive.pkt", NULL};
    const char *const both[] = {"drill", "--compare", "passive.pkt", NULL};
    struct gateway_run run;
    assert_int_equal(chdir(place), 0);
    gateway_command(&run, strcmp(option, "--compare") == 0 ? both : linux_only, prepare);
    return run;
}

/** As under a container's profile: unshare is refused. */
static int forbid_unshare(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_unshare, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0;
}

static void forbidden_namespaces_are_named(void **state)
{
    (void)state;
    struct gateway_run run = run_without("--compare", forbid_unshare);
    if (run.exit_code == NOT_PREPARED)
        skip();
    assert_int_equal(run.exit_code, 1);
    assert_true(gateway_says_one_line(&run, "drill"));
    assert_true(gateway_says(&run, "namespace: Operation not permitted"));
    assert_true(gateway_left_nothing());
}

static int no_more_than_ever(void)
{
    return 0;
}

/** These need a root who may make mount namespaces. */
static bool may_prepare(void)
{
    return geteuid() == 0 &&
           run_without("--against", gateway_without_tun).exit_code != NOT_PREPARED;
}

static void a_missing_device_is_named(void **state)
{
    (void)state;
    if (!may_prepare())
        skip();
    struct gateway_run run = run_without("--against", gateway_without_tun);
    assert_int_equal(run.exit_code, 1);
    assert_true(gateway_says_one_line(&run, "drill"));
    assert_true(gateway_says(&run, "/dev/net/tun"));
    assert_true(gateway_says(&run, "modprobe tun"));
    user_namespace_needed(true);
    run = run_without("--compare", gateway_as_nobody_without_tun);
    assert_int_equal(run.exit_code, 1);
    assert_true(gateway_says_one_line(&run, "drill"));
    assert_true(gateway_says(&run, "/dev/net/tun"));
    assert_true(gateway_left_nothing());
}

static void nobody_may_as_well(void **state)
{
    (void)state;
    if (!may_prepare())
        skip();
    user_namespace_needed(true);
    assert_int_equal(chmod(place, 0755), 0);
    assert_int_equal(run_without("--against", gateway_as_nobody_with_tun).exit_code, 0);
    assert_true(gateway_left_nothing());
}

/** Lines of /proc/net/dev: interfaces. */
static unsigned count_interfaces(void)
{
    unsigned lines = 0;
    FILE *file = fopen("/proc/self/net/dev", "r");
    assert_non_null(file);
    for (int c; (c = fgetc(file)) != EOF;)
        lines += c == '\n';
    (void)fclose(file);
    return lines;
}

static void nothing_is_left(void **state)
{
    (void)state;
    unsigned before = count_interfaces();
    assert_int_equal(run_without("--against", no_more_than_ever).exit_code, 0);
    assert_int_equal(count_interfaces(), before);
    assert_true(gateway_left_nothing());
}

static void wrong_usage(void **state)
{
    (void)state;
    assert_int_equal(drill("--against bsd passive.pkt"), 2);
    says("--against is core or linux, not 'bsd'");
    assert_int_equal(drill("--against linux --compare passive.pkt"), 2);
    says("no --against with it");
    assert_int_equal(drill("--against linux --set sack=0 passive.pkt"), 2);
    says("not for the kernel");
    assert_int_equal(drill("--against linux --profile linux passive.pkt"), 2);
    assert_int_equal(drill("--max-time 0 passive.pkt"), 2);
    assert_int_equal(drill("--tolerance 0 passive.pkt"), 2);
    assert_int_equal(drill("--max-time soon passive.pkt"), 2);
    says("--max-time wants seconds, not 'soon'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scripts_pass_on_the_kernel),
        cmocka_unit_test(a_failure_on_the_kernel_is_told),
        cmocka_unit_test(each_script_has_a_fresh_kernel),
        cmocka_unit_test(the_capture_has_the_kernels_packets),
        cmocka_unit_test(both_do_the_same),
        cmocka_unit_test(a_difference_is_told),
        cmocka_unit_test(a_setting_of_the_stack_ends_a_difference),
        cmocka_unit_test(what_fails_on_both_is_no_difference),
        cmocka_unit_test(a_slow_script_is_skipped),
        cmocka_unit_test(what_never_comes_is_not_waited_for_long),
        cmocka_unit_test(a_setting_that_is_not_there_skips),
        cmocka_unit_test(a_close_that_lingers_leaves_no_socket),
        cmocka_unit_test(a_tolerance_counts_more_than_the_scripts),
        cmocka_unit_test(a_missing_device_is_named),
        cmocka_unit_test(forbidden_namespaces_are_named),
        cmocka_unit_test(nobody_may_as_well),
        cmocka_unit_test(nothing_is_left),
        cmocka_unit_test(wrong_usage),
    };
    if (!gateway_can())
        return GATEWAY_SKIP;
    return user_namespace_result(cmocka_run_group_tests(tests, make_place, remove_place));
}
