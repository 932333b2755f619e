/* `handfast drill`: paths, exit codes, forms of report, what goes into the capture. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

enum { SAID_BYTES = 65536 };

static char place[] = "/tmp/handfast-drill-test-XXXXXX";

static const char good[] = "// covers: MUST-12\n"
                           "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
                           "+0 < S 0:0(0) win 1000 <mss 1460>\n"
                           "+0 > R. 0:0(0) ack 1\n";
static const char bad[] = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
                          "+0 < S 0:0(0) win 1000 <mss 1460>\n"
                          "+0 > R. 0:0(0) ack 2\n";
static const char beyond[] = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
                             "+0 pipe([4, 5]) = 0\n";
static const char broken[] = "0 socket(..., SOCK_STREAM = 3\n";
static const char asks[] = "#ifdef WANTED\n"
                           "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = -1\n"
                           "#endif\n";

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
    char path[256];
    (void)state;
    assert_non_null(mkdtemp(place));
    snprintf(path, sizeof path, "%s/sub", place);
    assert_int_equal(mkdir(path, 0700), 0);
    put_file("good.pkt", good);
    put_file("bad.pkt", bad);
    put_file("beyond.pkt", beyond);
    put_file("broken.pkt", broken);
    put_file("asks.txt", asks);
    put_file("sub/b.pkt", good);
    put_file("sub/a.pkt", good);
    put_file("sub/readme.txt", "no script");
    return 0;
}

static int remove_place(void **state)
{
    char line[256];
    (void)state;
    snprintf(line, sizeof line, "rm -r '%s'", place);
    return system(line);
}

/** Runs it in the place, behind these words for the shell; returns the exit code. */
static int drill_after(const char *before, const char *arguments, char said[SAID_BYTES])
{
    char line[1024];
    snprintf(line, sizeof line, "exec 2>&1; cd '%s' && %s '%s' drill %s", place, before,
             getenv("HF_COMMAND"), arguments);
    (void)fflush(NULL);
    FILE *pipe = popen(line, "r");
    assert_non_null(pipe);
    said[fread(said, 1, SAID_BYTES - 1, pipe)] = '\0';
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int drill(const char *arguments, char said[SAID_BYTES])
{
    return drill_after("", arguments, said);
}

static char said[SAID_BYTES];

static void a_script_that_passes(void **state)
{
    (void)state;
    assert_int_equal(drill("good.pkt", said), 0);
    assert_non_null(strstr(said, "pass "));
    assert_non_null(strstr(said, " ms good.pkt\n"));
    assert_non_null(strstr(said, "\n1 passed, 0 failed, 0 skipped\n"));
}

static void a_script_that_fails(void **state)
{
    (void)state;
    assert_int_equal(drill("bad.pkt", said), 1);
    assert_non_null(strstr(said, "FAIL bad.pkt:3:1\n"));
    assert_non_null(strstr(said, "    expected  > R. 0:0(0) ack 2 at 0.000000 s\n"));
    assert_non_null(strstr(said, "    got       > R. 0:0(0) ack 1 win 0\n"));
    assert_non_null(strstr(said, "              ack 1, expected 2\n"));
    assert_non_null(strstr(said, "    state     no connection\n"));
    assert_non_null(strstr(said, "RST"));
    assert_non_null(strstr(said, "0 passed, 1 failed, 0 skipped\n"));
}

/* The ladder's times are those that the failure names; a window is told by its bytes and by what
 * the script writes. */
static void the_ladder_of_a_failure(void **state)
{
    (void)state;
    put_file("late.txt", "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
                         "+0 bind(3, ..., ...) = 0\n"
                         "+0 listen(3, 1) = 0\n"
                         "+1 < S 0:0(0) win 1000 <mss 1460,nop,wscale 7>\n"
                         "+0 > S. 0:0(0) ack 1 <...>\n"
                         "+.5 < . 1:1(0) ack 1 win 500\n"
                         "+0 accept(3, ..., ...) = 4\n"
                         "+0 close(4) = 0\n"
                         "+0 > F. 1:1(0) ack 2\n");
    assert_int_equal(drill("late.txt", said), 1);
    assert_non_null(strstr(said, "ack 2 at 1.500000 s\n"));
    assert_non_null(strstr(said, "\n script ms            stack "));
    assert_non_null(strstr(said, "\n  1000.000 "));
    assert_non_null(strstr(said, "SYN seq 0 win 1000 <mss 1460, wscale 7>"));
    assert_non_null(strstr(said, "\n  1500.000 "));
    assert_non_null(strstr(said, "ACK 1 win 64000 (500 << 7)"));
}

static void a_script_that_is_none(void **state)
{
    (void)state;
    assert_int_equal(drill("broken.pkt", said), 1);
    assert_non_null(strstr(said, "FAIL broken.pkt:1:"));
    assert_non_null(strstr(said, "expected ')'"));
}

static void a_script_that_is_skipped(void **state)
{
    (void)state;
    assert_int_equal(drill("beyond.pkt", said), 0);
    assert_non_null(strstr(said, "skip beyond.pkt:2: pipe() is not supported\n"));
}

static void a_directory_is_walked_in_order(void **state)
{
    (void)state;
    assert_int_equal(drill("sub", said), 0);
    const char *a = strstr(said, "sub/a.pkt"), *b = strstr(said, "sub/b.pkt");
    assert_non_null(a);
    assert_non_null(b);
    assert_true(a < b);
    assert_null(strstr(said, "readme"));
    assert_int_equal(drill(".", said), 1);
    assert_non_null(strstr(said, "3 passed, 2 failed, 1 skipped\n"));
}

static void json_lines(void **state)
{
    (void)state;
    assert_int_equal(drill("--json good.pkt bad.pkt beyond.pkt", said), 1);
    assert_non_null(strstr(said, "{\"outcome\":\"pass\",\"script\":\"good.pkt\",\"covers\":"
                                 "\"MUST-12\",\"packets\":2,"));
    assert_non_null(strstr(said, "{\"outcome\":\"fail\",\"script\":\"bad.pkt\",\"line\":3,"));
    assert_non_null(strstr(said, "\"got\":\"> R. 0:0(0) ack 1 win 0\\u000aack 1, expected 2\""));
    assert_non_null(strstr(said, "{\"outcome\":\"skip\",\"script\":\"beyond.pkt\",\"line\":2,"));
    assert_null(strstr(said, "passed"));
}

static void names_are_defined(void **state)
{
    (void)state;
    assert_int_equal(drill("asks.txt", said), 1);
    assert_non_null(strstr(said, "no event"));
    assert_int_equal(drill("-D WANTED=1 asks.txt", said), 1);
    assert_non_null(strstr(said, "asks.txt:2"));
}

static void packets_are_drawn_and_captured(void **state)
{
    (void)state;
    char path[256], head[4096];
    assert_int_equal(drill("--verbose --pcap all.pcapng good.pkt sub", said), 0);
    assert_non_null(strstr(said, "SYN"));
    snprintf(path, sizeof path, "%s/all.pcapng", place);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t n = fread(head, 1, sizeof head, file);
    (void)fclose(file);
    assert_true(n > 200);
    assert_memory_equal(head, "\x0a\x0d\x0d\x0a", 4);
    assert_non_null(memmem(head, n, "good.pkt", 8));
    assert_non_null(memmem(head, n, "sub/b.pkt", 9));
}

/* A slip of the pen must not cost a script, or anybody's work. */
static void only_captures_are_replaced(void **state)
{
    (void)state;
    put_file("precious.txt", "somebody's work");
    assert_int_equal(drill("--pcap precious.txt good.pkt", said), 1);
    assert_non_null(strstr(said, "precious.txt: it exists and is no recording of handfast's"));
    assert_null(strstr(said, "1 passed"));
    assert_int_equal(drill_after("grep -qx \"somebody's work\" precious.txt &&", "good.pkt", said),
                     0);
    assert_int_equal(drill("--pcap good.pkt good.pkt", said), 1);
    assert_int_equal(drill("good.pkt", said), 0);
    /* Another program's: the same head, another name. */
    assert_int_equal(drill("--pcap mine.pcapng good.pkt", said), 0);
    assert_int_equal(drill_after("sed s/handfast/dumpcap_/ mine.pcapng > theirs.pcapng &&",
                                 "--pcap theirs.pcapng good.pkt", said),
                     1);
    /* Ours, and longer than what comes: nothing of it stays. */
    assert_int_equal(drill("--pcap mine.pcapng good.pkt sub good.pkt", said), 0);
    assert_int_equal(drill("--pcap mine.pcapng good.pkt", said), 0);
    assert_int_equal(drill("--pcap again.pcapng good.pkt", said), 0);
    assert_int_equal(drill_after("cmp mine.pcapng again.pcapng &&", "good.pkt", said), 0);
    assert_int_equal(drill_after(": > empty &&", "--pcap empty good.pkt", said), 0);
    assert_int_equal(drill("--pcap /dev/null good.pkt", said), 0);
    assert_int_equal(drill("--pcap /dev/stdout good.pkt | grep -q -a handfast", said), 0);
}

static void wrong_usage(void **state)
{
    (void)state;
    assert_int_equal(drill("", said), 2);
    assert_int_equal(drill("--match loose good.pkt", said), 2);
    assert_int_equal(drill("--profile beos good.pkt", said), 2);
    assert_int_equal(drill("--set no_such_thing=1 good.pkt", said), 2);
    assert_int_equal(drill("-D X good.pkt", said), 2);
    assert_int_equal(drill("nowhere.pkt", said), 2);
    assert_non_null(strstr(said, "nowhere.pkt: No such file or directory"));
    assert_int_equal(drill("--pcap /nowhere/x good.pkt", said), 1);
}

/* What was found weighs more than what could not be looked at; both are said. */
static void a_path_that_cannot_be_read(void **state)
{
    (void)state;
    assert_int_equal(drill("good.pkt nowhere.pkt", said), 2);
    assert_non_null(strstr(said, "1 passed, 0 failed, 0 skipped\n"));
    assert_int_equal(drill("bad.pkt nowhere.pkt", said), 1);
    assert_non_null(strstr(said, "FAIL bad.pkt:3:1\n"));
    assert_non_null(strstr(said, "nowhere.pkt: No such file or directory"));
}

/* Who names a path wants it read, whatever it is; a link that leads nowhere is said to. */
static void paths_that_are_no_files(void **state)
{
    (void)state;
    assert_int_equal(
        drill_after("mkfifo pipe && (timeout 10 sh -c 'cat bad.pkt > pipe' &) &&", "pipe", said),
        1);
    assert_non_null(strstr(said, "FAIL pipe:3:1\n"));
    assert_int_equal(drill_after("cat good.pkt |", "/dev/stdin", said), 0);
    assert_non_null(strstr(said, "1 passed, 0 failed, 0 skipped\n"));
    assert_int_equal(drill_after("ln -s gone links-nowhere &&", "good.pkt links-nowhere", said), 2);
    assert_non_null(strstr(said, "links-nowhere: No such file or directory"));
    assert_int_equal(drill_after("mkdir links && ln -s gone links/a.pkt && ln -s gone links/b &&",
                                 "good.pkt links", said),
                     2);
    assert_non_null(strstr(said, "links/a.pkt: No such file or directory"));
    assert_null(strstr(said, "links/b"));
}

/* The scripts need not be run to know: it is one of usage, as in `serve`. */
static void settings_that_contradict_each_other(void **state)
{
    (void)state;
    assert_int_equal(drill("--set rto_min_ns=10s good.pkt", said), 2);
    assert_non_null(strstr(said, "rto_min_ns (10 s) must not be above rto_initial_ns"));
    assert_null(strstr(said, "good.pkt"));
    assert_int_equal(drill("--set rto_min_ns=10s --set rto_initial_ns=10s good.pkt", said), 0);
    assert_int_equal(drill("--set rto_initial_ns=10s --set rto_min_ns=10s --profile linux "
                           "good.pkt",
                           said),
                     0);
}

static void settings_of_the_command_line_win(void **state)
{
    (void)state;
    put_file("silent.pkt", "0 `sysctl -w net.inet.tcp.blackhole=0`\n"
                           "+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
                           "+0 < S 0:0(0) win 1000 <mss 1460>\n"
                           "+0 > R. 0:0(0) ack 1\n");
    assert_int_equal(drill("silent.pkt", said), 0);
    assert_int_equal(drill("--set rst_rate=0 silent.pkt", said), 1);
    assert_non_null(strstr(said, "nothing until 2.000000 s"));
}

int main(void)
{
    if (getenv("HF_COMMAND") == NULL) {
        puts("skipped: HF_COMMAND does not tell where the command is");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_script_that_passes),
        cmocka_unit_test(a_script_that_fails),
        cmocka_unit_test(the_ladder_of_a_failure),
        cmocka_unit_test(a_script_that_is_none),
        cmocka_unit_test(a_script_that_is_skipped),
        cmocka_unit_test(a_directory_is_walked_in_order),
        cmocka_unit_test(json_lines),
        cmocka_unit_test(names_are_defined),
        cmocka_unit_test(packets_are_drawn_and_captured),
        cmocka_unit_test(only_captures_are_replaced),
        cmocka_unit_test(wrong_usage),
        cmocka_unit_test(a_path_that_cannot_be_read),
        cmocka_unit_test(paths_that_are_no_files),
        cmocka_unit_test(settings_that_contradict_each_other),
        cmocka_unit_test(settings_of_the_command_line_win),
    };
    return cmocka_run_group_tests_name("drill", tests, make_place, remove_place);
}
