/* `handfast bench`: what it takes and refuses, that every case runs, what an entry may take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

enum { SAID_BYTES = 1 << 16, LINE_BYTES = 512 };

static char said[SAID_BYTES];

/** Runs it; what it says on both outputs is in `said`. */
static int bench(const char *arguments)
{
    char line[1024];
    snprintf(line, sizeof line, "exec 2>&1; '%s' bench %s", getenv("HF_COMMAND"), arguments);
    (void)fflush(NULL);
    FILE *pipe = popen(line, "r");
    assert_non_null(pipe);
    said[fread(said, 1, SAID_BYTES - 1, pipe)] = '\0';
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void wrong_usage(void **state)
{
    static const char *const cases[][2] = {
        {"frob", "there is no case 'frob'"},
        {"tun", "the case 'tun' is one of script/beside's"},
        {"gateway-send", "the case 'gateway-send' is one of script/beside's"},
        {"--threads 2 --at-once 5", "--at-once changes no case that is named"},
        {"rr rr", "the case 'rr' is named twice"},
        {"--frob", "unrecognized option"},
        {"--idle 5", "--idle changes no case that is named"},
        {"bulk --idle 5", "--idle changes no case that is named"},
        {"lifecycle --idle 0", "--idle wants 1 to"},
        {"lifecycle --idle x", "--idle wants 1 to"},
        {"lifecycle --idle 5 --idle 5", "--idle is given twice"},
        {"rr --at-once 33", "--at-once wants 1 to 32"},
        {"rr --at-once 32 --connections 31", "--connections: fewer than --at-once"},
        {"--rounds 0", "--rounds wants 1 to"},
        {"--rounds 5 --rounds 5", "--rounds is given twice"},
        {"rr --operations 5 --operations 5", "--operations is given twice"},
        {"--threads 2 --threads 2", "--threads is given twice"},
        {"--operations 5", "--operations wants one case"},
        {"memory --operations 5", "--operations wants one case that is made of operations"},
        {"rr bulk --operations 5", "--operations wants one case"},
        {"--list rr", "--list stands alone"},
        {"--list --json", "--list stands alone"},
        {"--threads 1", "--threads wants 2 to 64"},
        {"--list --threads 2", "--list stands alone"},
        {"rr --threads 2 --operations 5", "--operations and --threads exclude each other"},
        {"rr memory --threads 2",
         "--threads wants cases that are made of operations, not 'memory'"},
        {"rr --operations 5 --rounds 2", "--operations measures nothing"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int code = bench(cases[i][0]);
        if (code != 2 || strstr(said, cases[i][1]) == NULL)
            fail_msg("%s: exit %d, %s", cases[i][0], code, said);
    }
}

/** The words of a line of --list, as a command line has them. */
static void words_of(const char *line, char words[LINE_BYTES])
{
    const char *from = strstr(line, "\"words\":[");
    size_t n = 0;
    assert_non_null(from);
    for (from += strlen("\"words\":["); *from != ']' && *from != '\n'; from++)
        if (*from != '"' && n < LINE_BYTES - 1)
            words[n++] = *from == ',' ? ' ' : *from;
    words[n] = '\0';
}

/* Each that is listed can be run by the words it is listed with, and says nothing when counted. */
static void what_is_listed_runs(void **state)
{
    static char listed[SAID_BYTES];
    char words[LINE_BYTES], arguments[LINE_BYTES + 40];
    unsigned count = 0;
    (void)state;
    assert_int_equal(bench("--list"), 0);
    memcpy(listed, said, sizeof listed);
    for (char *line = strtok(listed, "\n"); line != NULL; line = strtok(NULL, "\n"), count++) {
        words_of(line, words);
        for (int operations = 1; operations <= 67; operations += 66) {
            snprintf(arguments, sizeof arguments, "%s --operations %d", words, operations);
            if (bench(arguments) != 0 || said[0] != '\0')
                fail_msg("%s: %s", arguments, said);
        }
    }
    assert_true(count >= 10);
}

static void crowds_run(void **state)
{
    static const char *const cases[][3] = {
        {"lifecycle --idle 500 --operations 10", ""},
        {"rr --at-once 7 --operations 100", ""},
        {"rr --connections 63 --at-once 32 --operations 641", ""},
        {"rr --connections 500 --v6 --operations 501", ""},
        {"expire --connections 501", "expire ", "ns/entry"},
        {"expire flood --connections 501 --rounds 1", "flood  ", "SYN"},
        {"expire --connections 501 --json", "\"longest_call_ns\":", "\"entries\":501,"},
        {"many --connections 501", "many expired and given back", "process has"},
        {"many --connections 501 --v6 --json", "{\"case\":\"many-v6\",\"kind\":\"opened\"",
         "\"longest_step_ns\":"},
        {"memory --connections 501 --v6 --json", "\"case\":\"memory-v6\"", "\"address_family\":6"},
        {"honest", "honest done ", "100.00 %"},
        {"honest --cookies --json", "\"kind\":\"allocations\",\"value\":0,"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int code = bench(cases[i][0]);
        if (code != 0 || strstr(said, cases[i][1]) == NULL ||
            (cases[i][2] != NULL && strstr(said, cases[i][2]) == NULL))
            fail_msg("%s: exit %d, %s", cases[i][0], code, said);
    }
}

static void a_time_has_its_range_and_its_reference(void **state)
{
    (void)state;
    assert_int_equal(bench("rr --rounds 4 --json"), 0);
    const char *value = strstr(said, "{\"case\":\"rr\",\"value\":"),
               *min = strstr(said, "\"min\":");
    const char *max = strstr(said, "\"max\":");
    assert_true(value != NULL && min != NULL && max != NULL);
    double middle = atof(value + strlen("{\"case\":\"rr\",\"value\":")), least = atof(min + 6);
    assert_true(least > 0 && least <= middle && middle <= atof(max + 6));
    assert_non_null(strstr(said, "\"unit\":\"ns\",\"per\":\"exchange\""));
    assert_non_null(strstr(said, "\"packets\":2.00,\"reference_ns\":"));
    assert_int_equal(bench("rr --rounds 1"), 0);
    assert_ptr_equal(strstr(said, "rr "), said);
    assert_non_null(strstr(said, " ns/exchange "));
}

static void threads_run_at_once(void **state)
{
    (void)state;
    assert_int_equal(bench("--threads 2 --rounds 1 --json"), 0);
    assert_ptr_equal(strstr(said, "{\"case\":\"lifecycle\",\"kind\":\"threads\",\"value\":"), said);
    assert_non_null(strstr(said, "\n{\"case\":\"bulk\",\"kind\":\"threads\",\"value\":"));
    assert_non_null(strstr(said, "\"unit\":\"segments\",\"per\":\"s\""));
    assert_non_null(strstr(said, ",\"threads\":2,\"one_thread\":"));
    assert_int_equal(bench("--threads 2 --idle 5 --rounds 1"), 0);
    assert_ptr_equal(strstr(said, "lifecycle-idle-5 threads "), said);
    assert_int_equal(bench("rr --at-once 2 --threads 3 --rounds 1"), 0);
    assert_ptr_equal(strstr(said, "rr-by-2 threads "), said);
    assert_non_null(strstr(said, " exchanges/s "));
    assert_non_null(strstr(said, " 3 threads: "));
}

/** Bytes of an entry of a kind, as the last run told them. */
static double bytes_of(const char *kind)
{
    char begin[LINE_BYTES];
    snprintf(begin, sizeof begin, "\"kind\":\"%s\",\"value\":", kind);
    const char *at = strstr(said, begin);
    assert_non_null(at);
    return atof(at + strlen(begin));
}

/* The budget: entries with their share of the tables. */
static void an_entry_keeps_to_its_bytes(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        assert_int_equal(bench(v6 ? "memory --connections 100000 --json --v6"
                                  : "memory --connections 100000 --json"),
                         0);
        assert_in_range((int)bytes_of("established"), 200, 335);
        assert_in_range((int)bytes_of("time-wait"), 64, 79);
        assert_in_range((int)bytes_of("half-open"), 64, 79);
    }
}

static void output_that_is_lost_is_a_failure(void **state)
{
    (void)state;
    assert_int_equal(bench("--list > /dev/full"), 1);
    assert_non_null(strstr(said, "standard output: "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_usage),
        cmocka_unit_test(what_is_listed_runs),
        cmocka_unit_test(crowds_run),
        cmocka_unit_test(a_time_has_its_range_and_its_reference),
        cmocka_unit_test(threads_run_at_once),
        cmocka_unit_test(an_entry_keeps_to_its_bytes),
        cmocka_unit_test(output_that_is_lost_is_a_failure),
    };
    return cmocka_run_group_tests_name("cli_bench", tests, NULL, NULL);
}
