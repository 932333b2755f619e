/* Every command says what it is and what it can, on stdout, and that is no failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include <handfast/values.h>

static const char *const commands[] = {"",        "demo",  "gateway", "serve",
                                       "connect", "drill", "sim",     "wire"};

/** What the command with these words writes to stdout. */
static void run(const char *command, const char *option, char said[4096])
{
    char line[4096];
    snprintf(line, sizeof line, "'%s' %s %s", getenv("HF_COMMAND"), command, option);
    (void)fflush(NULL);
    FILE *pipe = popen(line, "r");
    assert_non_null(pipe);
    said[fread(said, 1, 4095, pipe)] = '\0';
    assert_int_equal(pclose(pipe), 0);
}

static void every_command_tells_its_version(void **state)
{
    (void)state;
    char said[4096];
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        run(commands[i], "--version", said);
        assert_string_equal(said, "handfast " HF_VERSION_TEXT "\n");
    }
}

/* Who asked and got nothing must not be told that all is well. */
static void a_full_disk_is_a_failure(void **state)
{
    (void)state;
    static const char *const words[] = {"--help",          "--version",      "--profiles",
                                        "demo --help",     "demo --no-tun",  "gateway --help",
                                        "serve --help",    "connect --help", "drill --version",
                                        "drill /dev/null", "wire --help"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        char line[4096], said[4096];
        snprintf(line, sizeof line, "'%s' %s 2>&1 >/dev/full", getenv("HF_COMMAND"), words[i]);
        (void)fflush(NULL);
        FILE *pipe = popen(line, "r");
        assert_non_null(pipe);
        said[fread(said, 1, sizeof said - 1, pipe)] = '\0';
        int status = pclose(pipe);
        assert_int_equal(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 1);
        assert_non_null(strstr(said, "standard output: "));
    }
}

static void every_command_has_help(void **state)
{
    (void)state;
    char said[4096];
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        run(commands[i], "--help", said);
        assert_non_null(strstr(said, "Usage: handfast"));
        assert_non_null(strstr(said, commands[i]));
    }
}

int main(void)
{
    if (getenv("HF_COMMAND") == NULL) {
        puts("skipped: HF_COMMAND does not tell where the command is");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_tells_its_version),
        cmocka_unit_test(a_full_disk_is_a_failure),
        cmocka_unit_test(every_command_has_help),
    };
    return cmocka_run_group_tests_name("words", tests, NULL, NULL);
}
