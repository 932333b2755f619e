/* What an operation costs is part of what is tested: counted in this build, compared with the
 * committed figures by script/bench. Only builds that were made as those of the figures count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { EXIT_SKIP = 77 };

/** Runs script/bench on the build that the command belongs to; its exit status. */
static int count_instructions(void)
{
    const char *command = getenv("HF_COMMAND");
    if (command == NULL || strchr(command, '/') == NULL) {
        fprintf(stderr, "HF_COMMAND does not tell where the build is\n");
        return EXIT_SKIP;
    }
    char build[4096];
    snprintf(build, sizeof build, "%.*s", (int)(strrchr(command, '/') - command), command);
    pid_t child = fork();
    if (child == 0) {
        execl(HF_SOURCE_DIR "/script/bench", "bench", "--instructions", "--build", build,
              (char *)NULL);
        perror("script/bench");
        _exit(127);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return 127;
    return WEXITSTATUS(status);
}

static int exit_status;

static void no_case_costs_more_than_committed(void **state)
{
    (void)state;
    exit_status = count_instructions();
    if (exit_status == EXIT_SKIP)
        skip();
    assert_int_equal(exit_status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_case_costs_more_than_committed),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return exit_status == EXIT_SKIP ? EXIT_SKIP : failed;
}
