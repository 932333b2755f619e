/* script/beside measures what it says, in short: each kind of run, and the table that it writes.
 * How fast anything is, is not judged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

enum { SAID_BYTES = 1 << 15, EXIT_SKIP = 77 };

static int exit_status;

static void every_kind_is_measured(void **state)
{
    static const char *const rows[] = {
        "\n| handfast sends | ",
        "\n| floor sends | ",
        "\n| handfast receives | ",
        "\n| floor receives | ",
        "\n| linux | ",
        "\n| handfast sends / floor sends | ",
        "\n| handfast receives / linux",
        " rounds of 1 s",
    };
    static char said[SAID_BYTES];
    char folder[] = "/tmp/hf-beside-XXXXXX", line[8192];
    const char *command = getenv("HF_COMMAND");
    (void)state;
    assert_non_null(command);
    assert_non_null(mkdtemp(folder));
    snprintf(line, sizeof line,
             "'" HF_SOURCE_DIR
             "/script/beside' --rounds 1 --seconds 1 --build '%.*s' --out '%s' 2>&1; "
             "status=$?; rm -r '%s'; exit $status",
             (int)(strrchr(command, '/') - command), command, folder, folder);
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
    if (exit_status != 0 && exit_status != 1)
        fail_msg("exit %d: %s", exit_status, said);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strstr(said, rows[i]) == NULL)
            fail_msg("no '%s' in %s", rows[i], said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_measured),
    };
    int failed = cmocka_run_group_tests_name("beside", tests, NULL, NULL);
    return exit_status == EXIT_SKIP ? EXIT_SKIP : failed;
}
