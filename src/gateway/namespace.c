/**
 * A command in a network namespace: the parent's side. Owns the child process, its descriptor and
 * the control socket; what the child does is in child.c.
 */
#include "gateway/namespace.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/child.h"
#include "host/why.h"

void hf_namespace_config_init(struct hf_namespace_config *cfg)
{
    *cfg = (struct hf_namespace_config){
        .interface = "tun0",
        .addr_v4 = hf_addr_v4(10, 0, 2, 100),
        .addr_v6 = {{0xfd, 0, [13] = 2, [14] = 1, [15] = 0}},
        .prefix_v4_bits = 24,
        .prefix_v6_bits = 64,
        .mtu_bytes = 65520,
    };
}

static int check_config(const struct hf_namespace_config *cfg, char *const argv[],
                        struct hf_why *why)
{
    if (!argv[0] || !argv[0][0])
        return hf_why_set(why, HF_E_INVALID, 0, "no command given: name one after --");
    size_t length = strlen(cfg->interface);
    if (length == 0 || length >= HF_CHILD_NAME_BYTES || strchr(cfg->interface, '/'))
        return hf_why_set(why, HF_E_INVALID, 0, "interface name '%.32s': use 1 to %d letters",
                          cfg->interface, HF_CHILD_NAME_BYTES - 1);
    if (cfg->mtu_bytes < 68 || cfg->mtu_bytes > 65535)
        return hf_why_set(why, HF_E_INVALID, 0, "MTU %u: use 68 to 65535 bytes",
                          (unsigned)cfg->mtu_bytes);
    if (cfg->prefix_v4_bits > 32 || cfg->prefix_v6_bits > 128)
        return hf_why_set(why, HF_E_INVALID, 0, "prefix: at most /32 for IPv4, /128 for IPv6");
    return HF_OK;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

/** Waits for the child and returns its wait status, or -1. */
static int reap(pid_t pid)
{
    int status = 0;
    pid_t got;
    do {
        got = waitpid(pid, &status, 0);
    } while (got < 0 && errno == EINTR);
    return got == pid ? status : -1;
}

/** Receives a report and, if one came along, a descriptor. Bytes received, 0 at the end, or -1. */
static ssize_t receive_report(int control_fd, struct hf_child_report *report, int *fd)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {report, sizeof *report};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof control.room};
    ssize_t length;
    do {
        length = recvmsg(control_fd, &message, MSG_CMSG_CLOEXEC);
    } while (length < 0 && errno == EINTR);
    if (length < 0)
        return -1;
    const struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(fd, CMSG_DATA(c), sizeof *fd);
    return length;
}

/** Forks with all signals blocked, so that no handler of ours ever runs in the child. */
static pid_t fork_blocked(void)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    int saved_errno = errno;
    if (pid != 0)
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = saved_errno;
    return pid;
}

/** Receives the device from the child, or its reason why there is none. */
static int take_setup(struct hf_namespace *ns, struct hf_why *why)
{
    struct hf_child_report report;
    ssize_t length = receive_report(ns->control_fd, &report, &ns->tun_fd);
    if (length < 0)
        return hf_why_set(why, HF_E_SYSTEM, errno, "hear from the child process: %s",
                          strerror(errno));
    if (length != (ssize_t)sizeof report)
        return hf_why_set(why, HF_E_SYSTEM, 0,
                          "the child process died while making the namespace (killed?)");
    if (report.err != HF_OK) {
        if (why)
            *why = report.why;
        return report.err;
    }
    if (ns->tun_fd < 0)
        return hf_why_set(why, HF_E_MEMORY, EMFILE,
                          "no descriptor left for the TUN device: raise ulimit -n");
    ns->ipv6 = report.ipv6;
    ns->ipv6_errno = report.ipv6_errno;
    return HF_OK;
}

int hf_namespace_spawn(const struct hf_namespace_config *cfg, char *const argv[],
                       struct hf_namespace *out, struct hf_why *why)
{
    int err = check_config(cfg, argv, why);
    if (err != HF_OK)
        return err;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return hf_why_set(why, hf_why_class(errno), errno, "make a socket pair: %s",
                          strerror(errno));
    struct hf_child child = {.cfg = cfg, .argv = argv, .control_fd = pair[1], .parent = getpid()};
    struct hf_namespace ns = {.pid_fd = -1, .tun_fd = -1, .control_fd = pair[0]};
    ns.pid = fork_blocked();
    if (ns.pid == 0) {
        (void)close(pair[0]);
        hf_child_run(&child);
    }
    (void)close(pair[1]);
    if (ns.pid < 0) {
        err = hf_why_set(why, hf_why_class(errno), errno, "start a process: %s (ulimit -u?)",
                         strerror(errno));
        ns.pid = 0;
        goto close_all;
    }
    ns.pid_fd = (int)syscall(SYS_pidfd_open, ns.pid, 0);
    if (ns.pid_fd < 0) {
        err = hf_why_set(why, hf_why_class(errno), errno,
                         "open a process descriptor: %s (Linux 5.3 or later?)", strerror(errno));
        goto close_all;
    }
    err = take_setup(&ns, why);
    if (err != HF_OK)
        goto close_all;
    *out = ns;
    return HF_OK;
close_all:
    hf_namespace_close(&ns);
    return err;
}

int hf_namespace_take_tun(struct hf_namespace *ns)
{
    int fd = ns->tun_fd;
    ns->tun_fd = -1;
    return fd;
}

int hf_namespace_go(struct hf_namespace *ns, struct hf_why *why)
{
    if (ns->control_fd < 0)
        return hf_why_set(why, HF_E_STATE, 0, "the command was started already");
    struct hf_child_report report;
    int stray_fd = -1;
    ssize_t length = send(ns->control_fd, "g", 1, MSG_NOSIGNAL);
    if (length == 1)
        length = receive_report(ns->control_fd, &report, &stray_fd);
    close_fd(&ns->control_fd);
    /* The child's end closes itself on exec: the end without a report is the success. */
    if (length == 0)
        return HF_OK;
    if (length == (ssize_t)sizeof report) {
        if (why)
            *why = report.why;
        return report.err;
    }
    return hf_why_set(why, HF_E_SYSTEM, errno,
                      "the command's process was ended before it could start");
}

int hf_namespace_pidfd(const struct hf_namespace *ns)
{
    return ns->pid_fd;
}

int hf_namespace_wait(struct hf_namespace *ns, int *exit_code)
{
    if (ns->pid == 0)
        return HF_E_STATE;
    int status = reap(ns->pid);
    ns->pid = 0;
    if (status == -1)
        return HF_E_STATE;
    *exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return HF_OK;
}

bool hf_namespace_forward(const struct hf_namespace *ns, int signal_number, int si_code)
{
    if (ns->pid == 0 || si_code > 0)
        return false;
    return syscall(SYS_pidfd_send_signal, ns->pid_fd, signal_number, NULL, 0) == 0;
}

void hf_namespace_close(struct hf_namespace *ns)
{
    if (ns->pid != 0) {
        /* By number only where there is no descriptor: the child is ours and not yet reaped, so the
         * number can't mean another process. */
        if (ns->pid_fd >= 0)
            (void)syscall(SYS_pidfd_send_signal, ns->pid_fd, SIGKILL, NULL, 0);
        else
            (void)kill(ns->pid, SIGKILL);
        (void)reap(ns->pid);
        ns->pid = 0;
    }
    close_fd(&ns->control_fd);
    close_fd(&ns->tun_fd);
    close_fd(&ns->pid_fd);
}
