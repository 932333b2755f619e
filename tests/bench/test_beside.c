/* script/beside measures what it says, in short: each case and whoever takes part in it, and what
 * it writes. How fast anything is, is not judged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

enum { SAID_BYTES = 1 << 16, LINE_BYTES = 8192, EXIT_USAGE = 2, EXIT_SKIP = 77 };

static char said[SAID_BYTES];
static int exit_status;

/** Runs it with some words and this build; what it said on both outputs is in `said`. */
static void run_beside(const char *words)
{
    char folder[] = "/tmp/hf-beside-XXXXXX", line[LINE_BYTES];
    const char *command = getenv("HF_COMMAND");
    assert_non_null(command);
    assert_non_null(mkdtemp(folder));
    snprintf(line, sizeof line,
             "'" HF_SOURCE_DIR "/script/beside' --build '%.*s' --out '%s' %s 2>&1; "
             "status=$?; rm -r '%s'; exit $status",
             (int)(strrchr(command, '/') - command), command, folder, words, folder);
    (void)fflush(NULL);
    FILE *pipe = popen(line, "r");
    assert_non_null(pipe);
    said[fread(said, 1, SAID_BYTES - 1, pipe)] = '\0';
    int status = pclose(pipe);
    exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (exit_status == EXIT_SKIP) {
        print_message("%s", said);
        skip();
    }
}

/** 1: a ratio is short of its aim. */
static void assert_measured(void)
{
    if (exit_status != 0 && exit_status != 1)
        fail_msg("exit %d: %s", exit_status, said);
}

static void assert_said(const char *text)
{
    if (strstr(said, text) == NULL)
        fail_msg("no '%s' in %s", text, said);
}

static void every_case_is_measured(void **state)
{
    static const char *const rows[] = {
        "\n| tun-send | handfast | ",
        "\n| tun-send | floor | ",
        "\n| tun-send-read | handfast | ",
        "\n| tun-send-read | linux | ",
        "\n| tun-receive | handfast | ",
        "\n| tun-receive | floor | ",
        "\n| tun-receive | linux | ",
        "\n| tun-accept | handfast | ",
        "\n| tun-accept | linux | ",
        "\n| tun-open | handfast | ",
        "\n| tun-open | linux | ",
        "\n| tun-exchange-1cpu-p50 | handfast | ",
        "\n| tun-exchange-1cpu-p99 | linux | ",
        "\n| tun-exchange-2cpu-p50 | linux | ",
        "\n| gateway-send | handfast | ",
        "\n| gateway-receive | handfast | ",
        "\n| gateway-connections | handfast | ",
        "\n| gateway-exchange-1cpu-p50 | handfast | ",
        "\n| gateway-exchange-2cpu-p99 | handfast | ",
        "; all on one processor.\n",
        " 1 rounds of 0.2 s",
    };
    (void)state;
    run_beside("--rounds 1 --seconds 0.2");
    assert_measured();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_said(rows[i]);
}

/** Each has its rows, or is named with the way to get it. */
static void who_is_not_installed_is_named(void **state)
{
    static const char *const others[][3] = {
        {"| tun-send-read | iperf3 | ", "iperf3 is not installed", "apt-get install iperf3"},
        {"| gateway-send | pasta | ", "pasta is not installed", "apt-get install passt"},
        {"| gateway-connections | slirp4netns | ", "slirp4netns is not installed",
         "apt-get install slirp4netns"},
    };
    (void)state;
    assert_true(said[0] != '\0'); /* of the test before */
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (strstr(said, others[i][0]) != NULL)
            continue;
        assert_said(others[i][1]);
        assert_said(others[i][2]);
    }
}

static void lines_of_json_have_rounds_and_ratios(void **state)
{
    (void)state;
    run_beside("--rounds 2 --seconds 0.2 --json tun-exchange-1cpu");
    assert_measured();
    assert_said("\n{\"case\":\"tun-exchange-1cpu-p99\",\"peer\":\"linux\",\"round\":2,\"value\":");
    assert_said("\"unit\":\"s\",\"placement\":\"all on one processor\",\"reference_ns\":");
    assert_said("\"rounds\":2,\"better\":\"less\",\"placement\":\"all on one processor\","
                "\"handfast_ratio\":");
    assert_null(strstr(said, "tun-exchange-2cpu"));
    assert_null(strstr(said, "| case |"));
}

static void an_unknown_case_is_refused(void **state)
{
    (void)state;
    run_beside("tun-exchange tun-exchang");
    assert_int_equal(exit_status, EXIT_USAGE);
    assert_said("no case is called that");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_is_measured),
        cmocka_unit_test(who_is_not_installed_is_named),
        cmocka_unit_test(lines_of_json_have_rounds_and_ratios),
        cmocka_unit_test(an_unknown_case_is_refused),
    };
    int failed = cmocka_run_group_tests_name("beside", tests, NULL, NULL);
    return exit_status == EXIT_SKIP ? EXIT_SKIP : failed;
}
