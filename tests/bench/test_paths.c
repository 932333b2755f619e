/* script/paths measures what it says, in short: one cell of each role, and the table that it
 * writes. Whatever becomes of it, nothing is left running. How fast anything is, is not judged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_SKIP = 77, PAGE_BYTES = 16384, LEFT_S = 5 };

static char folder[] = "/tmp/hf-paths-XXXXXX";
static char build[4096];

static pid_t start(const char *cells)
{
    char log[128];
    (void)snprintf(log, sizeof log, "%s/log", folder);
    (void)fflush(NULL);
    pid_t child = fork();
    if (child != 0)
        return child;
    int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    (void)dup2(fd, STDOUT_FILENO);
    (void)dup2(fd, STDERR_FILENO);
    execl(HF_SOURCE_DIR "/script/paths", "paths", "--cells", cells, "--rounds", "1", "--seconds",
          "1", "--build", build, "--out", folder, (char *)NULL);
    _exit(127);
}

static int end_of(pid_t child)
{
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* What the script started and left becomes a child of ours. */
static void nothing_is_left(void)
{
    for (int i = 0; i < LEFT_S * 100; i++) {
        if (waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD)
            return;
        (void)usleep(10000);
    }
    fail_msg("something still runs");
}

static void read_file(const char *name, char text[PAGE_BYTES])
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "re");
    text[0] = '\0';
    if (f == NULL)
        return;
    text[fread(text, 1, PAGE_BYTES - 1, f)] = '\0';
    (void)fclose(f);
}

/* The first two figures of a cell's row. */
static void row_of(const char *page, const char *cell, double *first, double *second)
{
    char begin[64];
    (void)snprintf(begin, sizeof begin, "\n| %s", cell);
    const char *row = strstr(page, begin);
    if (row == NULL)
        fail_msg("no row of %s in: %s", cell, page);
    const char *bar = row ? strchr(row + 3, '|') : NULL;
    assert_non_null(bar);
    assert_int_equal(2, sscanf(bar, "| %lf | %lf |", first, second));
}

/* 0 or 1: whether all cells hold is not the question here. */
static void each_role_has_its_row(void **state)
{
    static char page[PAGE_BYTES], log[PAGE_BYTES];
    double there, back, shares[2];
    (void)state;
    int code = end_of(start("10mbit-20ms-clean,receiver-100mbit-40ms-clean,fair-*"));
    read_file("paths.md", page);
    read_file("log", log);
    if (code != 0 && code != 1)
        fail_msg("exit status %d: %s", code, log);
    row_of(page, "10mbit-20ms-clean", &there, &back);
    assert_true(there > 1 && there <= 10 && back > 1 && back <= 10);
    row_of(page, "receiver-100mbit-40ms-clean", &there, &back);
    assert_true(there > 1 && there <= 100 && back > 1 && back <= 100);
    const char *at = strstr(page, "Handfast beside Linux | ");
    assert_non_null(at);
    assert_int_equal(2, sscanf(at, "Handfast beside Linux | %lf | %lf", &shares[0], &shares[1]));
    assert_true(shares[0] > 0 && shares[0] < 1 && shares[0] == shares[1]);
    nothing_is_left();
}

static bool is_running(pid_t child)
{
    siginfo_t info = {.si_pid = 0};
    return waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

static void what_interrupts_it_leaves_nothing(void **state)
{
    static const int signals[] = {SIGINT, SIGTERM};
    static char log[PAGE_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        pid_t child = start("10mbit-20ms-*");
        do { /* the first run is over, the second at work */
            (void)usleep(100000);
            read_file("log", log);
        } while (strstr(log, "again") == NULL && is_running(child));
        (void)usleep(700000);
        assert_int_equal(0, kill(child, signals[i]));
        assert_int_equal(130, end_of(child));
        nothing_is_left();
    }
}

static int set_up(void **state)
{
    (void)state;
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int clean_up(void **state)
{
    static const char *const names[] = {"log", "paths.md", "paths.json"};
    char path[128];
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    return rmdir(folder);
}

/* Whether it can run here is the script's to say. */
static int try_it(void)
{
    int status = 0;
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        execl(HF_SOURCE_DIR "/script/paths", "paths", "--check", (char *)NULL);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return 127;
    return WEXITSTATUS(status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_role_has_its_row),
        cmocka_unit_test(what_interrupts_it_leaves_nothing),
    };
    const char *command = getenv("HF_COMMAND");
    if (command == NULL || strchr(command, '/') == NULL) {
        (void)fputs("skipped: HF_COMMAND does not tell where the build is\n", stderr);
        return EXIT_SKIP;
    }
    if (try_it() == EXIT_SKIP)
        return EXIT_SKIP;
    (void)snprintf(build, sizeof build, "%.*s", (int)(strrchr(command, '/') - command), command);
    return cmocka_run_group_tests(tests, set_up, clean_up);
}
