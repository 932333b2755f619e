/**
 * Runs of `handfast gateway`, for tests: see gateway_run.h.
 */
#include "support/gateway_run.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PIECE_BYTES = 65536, LARGE_BYTES = 100 << 20, LONG_BYTES = 1 << 30, NOT_RUN = 99 };

static char self_path[512];

/* ---- parts ----------------------------------------------------------------------------------- */

int gateway_play(const struct gateway_part *parts, size_t count, int argc, char **argv)
{
    (void)signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < count; i++)
        if (strcmp(parts[i].name, argv[1]) == 0)
            return parts[i].play(argc - 1, argv + 1);
    (void)fprintf(stderr, "no part '%s'\n", argv[1]);
    return NOT_RUN;
}

uint64_t gateway_large_bytes(void)
{
    const char *wanted = getenv("HF_TEST_LONG");
    return wanted && strcmp(wanted, "1") == 0 ? LONG_BYTES : LARGE_BYTES;
}

double gateway_seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- runs ------------------------------------------------------------------------------------ */

static _Noreturn void become(const char *const *args, int (*prepare)(void), int said_fd)
{
    union {
        const char *const *in;
        char *const *out;
    } same = {.in = args};
    (void)setpgid(0, 0);
    (void)dup2(said_fd, STDERR_FILENO);
    if (prepare && prepare() != 0) {
        (void)fprintf(stderr, "not prepared: %m\n");
        _exit(NOT_RUN);
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a change of the user has taken an earlier one back */
    (void)execv(args[0], same.out);
    _exit(NOT_RUN);
}

pid_t gateway_spawn(const char *const *args, int (*prepare)(void), int *said_fd)
{
    const char *all[GATEWAY_ARGS_MAX + 2] = {getenv("HF_COMMAND")};
    int ends[2];
    for (size_t n = 0; n < GATEWAY_ARGS_MAX && args[n]; n++)
        all[1 + n] = args[n];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        become(all, prepare, ends[1]);
    (void)close(ends[1]);
    *said_fd = ends[0];
    return pid;
}

void gateway_command(struct gateway_run *run, const char *const *args, int (*prepare)(void))
{
    int said_fd = -1;
    pid_t pid = gateway_spawn(args, prepare, &said_fd);
    gateway_finish(pid, said_fd, run);
}

void gateway_finish(pid_t pid, int said_fd, struct gateway_run *run)
{
    *run = (struct gateway_run){.exit_code = -1};
    double start = gateway_seconds();
    size_t length = 0;
    char rest[256];
    for (;;) {
        bool fits = length < sizeof run->said - 1;
        ssize_t n = fits ? read(said_fd, run->said + length, sizeof run->said - 1 - length)
                         : read(said_fd, rest, sizeof rest);
        if (n <= 0)
            break;
        length += fits ? (size_t)n : 0;
    }
    (void)close(said_fd);
    int status = 0;
    struct rusage used;
    if (wait4(pid, &status, 0, &used) == pid)
        run->exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    run->seconds = gateway_seconds() - start;
    run->peak_kb = used.ru_maxrss;
    run->cpu_seconds = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

void gateway_run_prepared(struct gateway_run *run, const char *const *options,
                          const char *const *part, int (*prepare)(void))
{
    const char *all[GATEWAY_ARGS_MAX] = {"gateway"};
    size_t n = 1;
    for (; options && *options && n < GATEWAY_ARGS_MAX - 4; options++)
        all[n++] = *options;
    all[n++] = "--";
    all[n++] = self_path;
    for (; *part && n < GATEWAY_ARGS_MAX - 1; part++)
        all[n++] = *part;
    gateway_command(run, all, prepare);
    if (run->exit_code != 0)
        (void)fprintf(stderr, "exit %d: %s\n", run->exit_code, run->said);
}

void gateway_run(struct gateway_run *run, const char *const *options, const char *const *part)
{
    gateway_run_prepared(run, options, part, NULL);
}

bool gateway_says(const struct gateway_run *run, const char *part)
{
    if (strstr(run->said, part))
        return true;
    (void)fprintf(stderr, "\"%s\" does not say \"%s\"\n", run->said, part);
    return false;
}

bool gateway_says_one_line(const struct gateway_run *run, const char *subcommand)
{
    char start[64];
    (void)snprintf(start, sizeof start, "handfast %s: ", subcommand);
    size_t length = strlen(run->said);
    return gateway_says(run, start) && strchr(run->said, '\n') == run->said + length - 1;
}

bool gateway_left_nothing(void)
{
    siginfo_t info = {.si_pid = 0};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
        return errno == ECHILD;
    (void)fprintf(stderr, "process %d is left\n", (int)info.si_pid);
    return false;
}

bool gateway_can(void)
{
    if (!getenv("HF_COMMAND")) {
        (void)fprintf(stderr, "skipped: HF_COMMAND does not name the command\n");
        return false;
    }
    ssize_t length = readlink("/proc/self/exe", self_path, sizeof self_path - 1);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    (void)signal(SIGPIPE, SIG_IGN);
    const char *const args[] = {"gateway", "--", "/bin/true", NULL};
    struct gateway_run run;
    gateway_command(&run, args, NULL);
    if (run.exit_code != 0)
        (void)fprintf(stderr, "skipped: %s", run.said);
    return length > 0 && run.exit_code == 0;
}

/* ---- places to run in ------------------------------------------------------------------------ */

enum { NOBODY = 65534 };

static int own_dev_net(void)
{
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return -1;
    return mount("none", "/dev/net", "tmpfs", 0, NULL);
}

int gateway_without_tun(void)
{
    return own_dev_net();
}

static int as_nobody(mode_t tun_mode)
{
    if (own_dev_net() < 0 || mknod("/dev/net/tun", S_IFCHR, makedev(10, 200)) < 0 ||
        chmod("/dev/net/tun", tun_mode) < 0)
        return -1;
    return setgid(NOBODY) < 0 || setuid(NOBODY) < 0 ? -1 : 0;
}

int gateway_as_nobody_with_tun(void)
{
    return as_nobody(0666);
}

int gateway_as_nobody_without_tun(void)
{
    return as_nobody(0600);
}

/* ---- servers --------------------------------------------------------------------------------- */

/** The loopback address of a family, or the one that stands for it inside. */
static socklen_t fill_address(struct sockaddr_storage *to, bool v6, bool inside, uint16_t port)
{
    memset(to, 0, sizeof *to);
    if (!v6) {
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
        a.sin_addr.s_addr = htonl(inside ? 0x0A000202 : INADDR_LOOPBACK);
        memcpy(to, &a, sizeof a);
        return sizeof a;
    }
    struct sockaddr_in6 a = {
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    const struct in6_addr stands_for_it = {{{0xfd, [13] = 2, [15] = 2}}};
    if (inside)
        a.sin6_addr = stands_for_it;
    memcpy(to, &a, sizeof a);
    return sizeof a;
}

int gateway_listen(bool v6, int backlog, uint16_t *port)
{
    struct sockaddr_storage here;
    socklen_t length = fill_address(&here, v6, false, 0);
    int fd = socket(here.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&here, length) < 0 || listen(fd, backlog) < 0 ||
        getsockname(fd, (struct sockaddr *)&here, &length) < 0) {
        (void)close(fd);
        return -1;
    }
    struct sockaddr_in v4;
    memcpy(&v4, &here, sizeof v4); /* the port stands at the same place in both */
    *port = ntohs(v4.sin_port);
    return fd;
}

struct gateway_server gateway_serve(bool v6, int (*serve)(int listening))
{
    struct gateway_server s = {.pid = -1};
    int fd = gateway_listen(v6, 1024, &s.port);
    (void)fflush(NULL);
    s.pid = fd < 0 ? -1 : fork();
    if (s.pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        int code = serve(fd);
        (void)fflush(NULL);
        _exit(code);
    }
    (void)close(fd);
    (void)snprintf(s.port_text, sizeof s.port_text, "%u", s.port);
    return s;
}

int gateway_served(const struct gateway_server *s)
{
    int status = 0;
    if (waitpid(s->pid, &status, 0) != s->pid)
        return -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void gateway_stop(const struct gateway_server *s)
{
    (void)kill(s->pid, SIGKILL);
    (void)gateway_served(s);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

int gateway_connect(const char *port, bool v6)
{
    struct sockaddr_storage to;
    socklen_t length = fill_address(&to, v6, true, (uint16_t)atoi(port));
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&to, length) == 0)
        return fd;
    int err = errno;
    (void)close(fd);
    return -err;
}

/** The pattern: a word a place, so that bytes that moved don't fit; offset is a multiple of 8. */
static void fill(uint64_t *words, size_t count, uint64_t offset, unsigned key)
{
    uint64_t place = offset / 8 + ((uint64_t)key << 40);
    for (size_t i = 0; i < count; i++)
        words[i] = (place + i) * UINT64_C(0x9E3779B97F4A7C15);
}

bool gateway_write(int fd, uint64_t offset, uint64_t n, unsigned key)
{
    static uint64_t words[PIECE_BYTES / 8];
    for (uint64_t done = 0; done < n;) {
        size_t piece = n - done < PIECE_BYTES ? (size_t)(n - done) : PIECE_BYTES;
        fill(words, (piece + 7) / 8, offset + done, key);
        for (size_t sent = 0; sent < piece;) {
            ssize_t put = send(fd, (char *)words + sent, piece - sent, MSG_NOSIGNAL);
            if (put <= 0)
                return false;
            sent += (size_t)put;
        }
        done += piece;
    }
    return true;
}

bool gateway_read(int fd, uint64_t offset, uint64_t n, unsigned key)
{
    static uint64_t words[PIECE_BYTES / 8], wanted[PIECE_BYTES / 8];
    for (uint64_t done = 0; done < n;) {
        size_t piece = n - done < PIECE_BYTES ? (size_t)(n - done) : PIECE_BYTES;
        ssize_t got = recv(fd, words, piece, MSG_WAITALL);
        if (got != (ssize_t)piece)
            return false;
        fill(wanted, (piece + 7) / 8, offset + done, key);
        if (memcmp(words, wanted, piece) != 0) {
            (void)fprintf(stderr, "wrong bytes behind %llu\n", (unsigned long long)(offset + done));
            errno = EILSEQ;
            return false;
        }
        done += piece;
    }
    return true;
}

bool gateway_read_end(int fd)
{
    char byte;
    return recv(fd, &byte, 1, 0) == 0;
}

void gateway_reset(int fd)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    (void)close(fd);
}
