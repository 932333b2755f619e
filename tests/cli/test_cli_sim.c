/* `handfast sim`: what it takes and refuses, exit codes, where it writes what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "support/xml.h"

enum { SAID_BYTES = 1 << 18 };

static char place[] = "/tmp/handfast-sim-test-XXXXXX";
static char said[SAID_BYTES];

static const char good[] = "duration 5s\n"
                           "link forward rate=10mbit delay=10ms queue=30p loss=1%\n"
                           "link back delay=10ms\n"
                           "flow one bytes=200K\n"
                           "flow two bytes=100K start=100ms\n";

static void put_file(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", place, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

/** What a file of the place holds. */
static size_t get_file(const char *name, char *text, size_t capacity_bytes)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", place, name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("%s is not there", name);
    size_t n = fread(text, 1, capacity_bytes - 1, file);
    fclose(file);
    text[n] = '\0';
    return n;
}

static int make_place(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(place));
    put_file("good.sim", good);
    put_file("bad.sim", "duration 5s\nlink forward delay=1ms\nflow a speed=1\n");
    return 0;
}

static int remove_place(void **state)
{
    char line[256];
    (void)state;
    snprintf(line, sizeof line, "rm -r '%s'", place);
    return system(line);
}

/** Runs it in the place; what it says on both outputs is in `said`. */
static int sim(const char *arguments)
{
    char line[1024];
    snprintf(line, sizeof line, "exec 2>&1; cd '%s' && '%s' sim %s", place, getenv("HF_COMMAND"),
             arguments);
    (void)fflush(NULL);
    FILE *pipe = popen(line, "r");
    assert_non_null(pipe);
    said[fread(said, 1, SAID_BYTES - 1, pipe)] = '\0';
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void a_run_prints_a_table(void **state)
{
    (void)state;
    assert_int_equal(sim("good.sim"), 0);
    assert_non_null(strstr(said, "flow "));
    assert_non_null(strstr(said, "\none               204800 "));
    assert_non_null(strstr(said, "\ntwo               102400 "));
    assert_non_null(strstr(said, "\nlink forward: "));
    assert_non_null(strstr(said, "\nJain's index "));
    assert_int_equal(sim("- < good.sim"), 0);
    assert_non_null(strstr(said, "\none               204800 "));
    put_file("perfect.sim", "duration 5s\nlink forward\nlink back rate=1mbit\nflow a bytes=1K\n");
    assert_int_equal(sim("perfect.sim"), 0);
    assert_non_null(strstr(said, "      no        0 ")); /* no ideal to be a multiple of */
}

static void wrong_usage(void **state)
{
    static const char *const cases[][2] = {
        {"", "SCENARIO is missing"},
        {"good.sim good.sim", "SCENARIO"},
        {"--frob good.sim", "unrecognized option"},
        {"--seed x good.sim", "--seed wants a whole number, not 'x'"},
        {"--seed -1 good.sim", "--seed wants a whole number, not '-1'"},
        {"--seed 9223372036854775808 good.sim", "--seed wants a whole number"},
        {"--seed 1 --seed 1 good.sim", "--seed is given twice"},
        {"--set frob=1 good.sim", "--set: there is no setting 'frob'"},
        {"--set nagle good.sim", "--set: NAME=VALUE is wanted"},
        {"--set rto_min_ns=2s good.sim", "rto_min_ns"},
        {"--events frob --json - good.sim", "there is no event 'frob'"},
        {"--events '' --json - good.sim", "--events"},
        {"--events all good.sim", "--events are told by --json"},
        {"--json - --json - good.sim", "--json"},
        {"--plots '' good.sim", "--plots"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int code = sim(cases[i][0]);
        if (code != 2 || strstr(said, cases[i][1]) == NULL)
            fail_msg("%s: exit %d, %s", cases[i][0], code, said);
    }
}

static void what_can_not_be_read_or_written(void **state)
{
    static const char *const cases[][2] = {
        {"missing.sim", "missing.sim: No such file"},
        {".", ".: Is a directory"},
        {"bad.sim", "bad.sim:3:8: expected start=, bytes="},
        {"--json no/such/place good.sim", "no/such/place: No such file"},
        {"--plots no/such/place good.sim", "no/such/place: No such file"},
        {"--plots good.sim good.sim", "good.sim/one-sequence.svg: Not a directory"},
        {"--golden missing good.sim", "missing: No such file"},
        {"--json /dev/full good.sim", "/dev/full: No space"},
        {"good.sim > /dev/full", "standard output: "},
        {"--json - good.sim > /dev/full", "standard output: "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int code = sim(cases[i][0]);
        if (code != 1 || strstr(said, cases[i][1]) == NULL)
            fail_msg("%s: exit %d, %s", cases[i][0], code, said);
    }
    /* Too large to be one. */
    assert_int_equal(sim("- < /dev/zero"), 1);
    assert_non_null(strstr(said, "-: too large"));
}

static void json_goes_where_it_is_told(void **state)
{
    static char text[SAID_BYTES];
    (void)state;
    assert_int_equal(sim("--json - good.sim"), 0);
    assert_int_equal(strncmp(said, "{\"type\":\"", 9), 0);
    assert_null(strstr(said, "\nflow "));
    assert_null(strstr(said, "\"type\":\"event\""));
    assert_non_null(strstr(said, "{\"type\":\"run\",\"scenario\":\"good\",\"seed\":1,"));
    assert_int_equal(sim("--json out.json --events retransmit,timer good.sim"), 0);
    assert_non_null(strstr(said, "\nlink forward: ")); /* the table all the same */
    get_file("out.json", text, sizeof text);
    assert_non_null(strstr(text, "\"name\":\"tcp:retransmit\""));
    assert_null(strstr(text, "\"name\":\"tcp:segment_out\""));
}

/* The last ending goes, and what only begins with a dot has none. */
static void the_name_is_the_files(void **state)
{
    static const char *const cases[][2] = {
        {"rate-1.5.sim", "\"scenario\":\"rate-1.5\""},
        {".hidden", "\"scenario\":\".hidden\""},
        {"plain", "\"scenario\":\"plain\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char arguments[64];
        put_file(cases[i][0], good);
        snprintf(arguments, sizeof arguments, "--json - %s", cases[i][0]);
        assert_int_equal(sim(arguments), 0);
        if (strstr(said, cases[i][1]) == NULL)
            fail_msg("%s: %s", cases[i][0], said);
    }
}

static void the_command_line_counts_more_than_the_file(void **state)
{
    static char first[SAID_BYTES];
    (void)state;
    assert_int_equal(sim("--json - good.sim"), 0);
    memcpy(first, said, sizeof first);
    assert_int_equal(sim("--json - good.sim"), 0);
    assert_string_equal(first, said);
    assert_int_equal(sim("--json - --seed 1 good.sim"), 0);
    assert_string_equal(first, said);
    assert_int_equal(sim("--json - --seed 2 good.sim"), 0);
    assert_string_not_equal(first, said);
    assert_non_null(strstr(said, "\"seed\":2,"));
    assert_int_equal(sim("--json - --seed 9223372036854775807 good.sim"), 0);
    assert_non_null(strstr(said, "\"seed\":9223372036854775807,"));
    assert_int_equal(sim("--json - --set initial_window_segs=1 good.sim"), 0);
    assert_string_not_equal(first, said);
}

static void plots_are_drawn(void **state)
{
    static const char *const names[] = {"one-sequence", "one-window", "one-rtt",
                                        "two-sequence", "rates",      "queue-forward",
                                        "queue-back"};
    static char text[SAID_BYTES];
    (void)state;
    for (int again = 0; again < 2; again++) {
        assert_int_equal(sim("--plots plots good.sim"), 0);
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            char name[64];
            snprintf(name, sizeof name, "plots/%s.svg", names[i]);
            size_t n = get_file(name, text, sizeof text);
            assert_null(xml_fault(text, n));
            assert_non_null(strstr(text, "</svg>"));
        }
    }
}

static void a_table_of_golden_figures(void **state)
{
    static char table[SAID_BYTES];
    (void)state;
    /* A table that knows nothing of it: what is shown is what is missing. */
    put_file("table.tsv", "scenario\tand so on\nother\tx\n");
    assert_int_equal(sim("--golden table.tsv good.sim"), 1);
    assert_non_null(strstr(said, "good: not what table.tsv says\n"));
    size_t n = 0;
    for (char *line = strstr(said, "\n+") + 1; *line == '+'; line += strcspn(line, "\n") + 1)
        n += (size_t)snprintf(table + n, sizeof table - n, "%.*s\n", (int)strcspn(line, "\n") - 1,
                              line + 1);
    put_file("table.tsv", table);
    assert_int_equal(sim("--golden table.tsv good.sim"), 0);
    assert_string_equal(said, "");
    assert_int_equal(sim("--golden table.tsv --seed 9 good.sim"), 1);
    assert_non_null(strstr(said, "\n-good\tone\t"));
    assert_non_null(strstr(said, "\n+good\tone\t"));
}

int main(void)
{
    if (getenv("HF_COMMAND") == NULL) {
        puts("skipped: HF_COMMAND does not tell where the command is");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_prints_a_table),
        cmocka_unit_test(wrong_usage),
        cmocka_unit_test(what_can_not_be_read_or_written),
        cmocka_unit_test(json_goes_where_it_is_told),
        cmocka_unit_test(the_name_is_the_files),
        cmocka_unit_test(the_command_line_counts_more_than_the_file),
        cmocka_unit_test(plots_are_drawn),
        cmocka_unit_test(a_table_of_golden_figures),
    };
    return cmocka_run_group_tests_name("sim", tests, make_place, remove_place);
}
