/**
 * Commands for tests. See command.h.
 */
#include "support/command.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { NOBODY = 65534, POLL_MS = 2, CANNOT_RUN = 127 };

static long long now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void nap(void)
{
    const struct timespec t = {.tv_nsec = POLL_MS * 1000000};
    (void)nanosleep(&t, NULL);
}

static void become_nobody(void)
{
    if (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
        _exit(CANNOT_RUN);
}

/* In the child. The command is opened before the privileges go: its folder may be closed. */
static void run(const struct command_start *how, int said_fd)
{
    char *argv[COMMAND_ARGS_MAX + 1] = {NULL};
    const char *path = how->argv[0] ? how->argv[0] : getenv("HF_COMMAND");
    size_t n = 0;
    argv[n++] = (char *)(uintptr_t)(how->argv[0] ? how->argv[0] : "handfast");
    for (; n < COMMAND_ARGS_MAX && how->argv[n]; n++)
        argv[n] = (char *)(uintptr_t)how->argv[n];
    int in = how->in_fd >= 0 ? how->in_fd : open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (dup2(in, STDIN_FILENO) < 0 || dup2(said_fd, STDERR_FILENO) < 0 ||
        dup2(how->out_fd >= 0 ? how->out_fd : said_fd, STDOUT_FILENO) < 0)
        _exit(CANNOT_RUN);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGXFSZ, SIG_IGN);
    int file = how->as_nobody && path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (how->as_nobody)
        become_nobody();
    if (file >= 0)
        (void)fexecve(file, argv, environ);
    else if (path)
        (void)execvp(path, argv);
    (void)dprintf(STDERR_FILENO, "%s: %s\n", path ? path : "HF_COMMAND", strerror(errno));
    _exit(CANNOT_RUN);
}

bool command_begin(struct command *c, const struct command_start *how)
{
    c->said_fd = memfd_create("said", MFD_CLOEXEC);
    (void)fflush(NULL);
    c->pid = c->said_fd < 0 ? -1 : fork();
    if (c->pid == 0)
        run(how, c->said_fd);
    if (c->pid > 0)
        return true;
    (void)fprintf(stderr, "start %s: %s\n", how->argv[0] ? how->argv[0] : "handfast",
                  strerror(errno));
    c->pid = 0;
    return false;
}

void command_said(const struct command *c, char text[COMMAND_SAID_BYTES])
{
    ssize_t n = pread(c->said_fd, text, COMMAND_SAID_BYTES - 1, 0);
    text[n > 0 ? n : 0] = '\0';
}

static bool has_ended(const struct command *c)
{
    siginfo_t info = {.si_pid = 0};
    return waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == c->pid;
}

bool command_await(struct command *c, const char *text, int patience_ms)
{
    char said[COMMAND_SAID_BYTES];
    long long until = now_ms() + patience_ms;
    bool ended = false;
    while (!ended && now_ms() < until) {
        ended = has_ended(c);
        command_said(c, said);
        if (strstr(said, text))
            return true;
        nap();
    }
    command_said(c, said);
    (void)fprintf(stderr, "never said \"%s\": %s\n", text, said);
    return false;
}

void command_limit(const struct command *c, int resource, uint64_t limit)
{
    const struct rlimit both = {limit, limit};
    if (prlimit(c->pid, (__rlimit_resource_t)resource, &both, NULL) != 0)
        (void)fprintf(stderr, "limit resource %d: %s\n", resource, strerror(errno));
}

void command_signal(const struct command *c, int signal_number)
{
    if (c->pid > 0)
        (void)kill(c->pid, signal_number);
}

int command_end(struct command *c, int patience_ms)
{
    int status = 0;
    bool late = false;
    long long until = now_ms() + patience_ms;
    while (!has_ended(c) && !late) {
        late = now_ms() >= until;
        nap();
    }
    if (late)
        command_signal(c, SIGKILL);
    (void)waitpid(c->pid, &status, 0);
    c->pid = 0;
    if (late)
        return COMMAND_TIMED_OUT;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void command_drop(struct command *c)
{
    if (c->pid > 0)
        (void)command_end(c, 0);
    if (c->said_fd > 0)
        (void)close(c->said_fd);
    *c = (struct command){0};
}

int command_run(const struct command_start *how, int patience_ms, char said[COMMAND_SAID_BYTES])
{
    struct command c = {0};
    said[0] = '\0';
    if (!command_begin(&c, how))
        return CANNOT_RUN;
    int code = command_end(&c, patience_ms);
    command_said(&c, said);
    command_drop(&c);
    return code;
}
