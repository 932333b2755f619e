/**
 * The child's side of a namespace: leaves its parent's namespaces, has the interfaces made, hands
 * the TUN device over, waits for the word and becomes the command.
 *
 * Every way out of this file is an exec or an _exit: the child never runs the parent's code again.
 */
#include "gateway/child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/why.h"
#include "gateway/interface.h"
#include "gateway/network.h"

enum { EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 }; /* as shells have it */

/** Has the kernel end this process with its parent. False: the parent is gone already. */
static bool tie_to_parent(pid_t parent)
{
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent;
}

static int set_up(const struct hf_child *child, struct hf_child_report *report, int *tun_fd)
{
    int err = hf_network_enter(child->cfg->user_namespace, &report->why);
    if (err != HF_OK)
        return err;
    err = hf_interface_make(child->cfg, tun_fd, &report->ipv6_errno, &report->why);
    if (err == HF_E_PRIVILEGE)
        hf_network_explain(&report->why);
    report->ipv6 = err == HF_OK && report->ipv6_errno == 0 &&
                   !hf_addr_equal(&child->cfg->addr_v6, &HF_ADDR_ANY);
    return err;
}

/** Sends the report, with a descriptor if fd >= 0. */
static bool send_report(int control_fd, const struct hf_child_report *report, int fd)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct hf_child_report copy = *report;
    struct iovec part = {&copy, sizeof copy};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        message.msg_control = control.room;
        message.msg_controllen = sizeof control.room;
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    return sendmsg(control_fd, &message, MSG_NOSIGNAL) == (ssize_t)sizeof copy;
}

/** False: the parent changed its mind or is gone. */
static bool await_go(int control_fd)
{
    char word;
    return read(control_fd, &word, 1) == 1;
}

/** Default dispositions, nothing blocked. What came in meanwhile strikes here, before the exec. */
static void restore_signals(void)
{
    for (int s = 1; s <= SIGRTMAX; s++) {
        struct sigaction old;
        if (sigaction(s, NULL, &old) < 0)
            continue;
        bool by_request = s == SIGHUP || s == SIGINT || s == SIGQUIT;
        if (old.sa_handler == SIG_IGN && by_request)
            continue;
        (void)signal(s, SIG_DFL);
    }
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/** Says why the command can't be executed; returns the exit code that tells the same. */
static int fail_exec(struct hf_why *why, const char *name, int sys_errno)
{
    /* A script whose interpreter is missing gives the same errno as a missing script. */
    bool has_path = strchr(name, '/') != NULL;
    if (sys_errno == ENOENT && has_path && access(name, F_OK) == 0) {
        (void)hf_why_set(why, HF_E_SYSTEM, sys_errno,
                         "run %.150s: its interpreter or loader is missing", name);
        return EXIT_NOT_EXECUTABLE;
    }
    if (sys_errno == ENOENT || sys_errno == ENOTDIR) {
        (void)hf_why_set(why, HF_E_SYSTEM, sys_errno, "run %.150s: %s", name,
                         has_path ? "no such file" : "command not found in PATH");
        return EXIT_NOT_FOUND;
    }
    (void)hf_why_set(why, HF_E_SYSTEM, sys_errno, "run %.150s: %s%s", name, strerror(sys_errno),
                     sys_errno == EACCES ? " (executable?)" : "");
    return EXIT_NOT_EXECUTABLE;
}

_Noreturn void hf_child_run(const struct hf_child *child)
{
    struct hf_child_report report = {.err = HF_OK};
    int tun_fd = -1;
    /* At once, so that a hanging set-up has an end; and again below, since a change of credentials
     * takes it back. */
    if (!tie_to_parent(child->parent))
        _exit(EXIT_NOT_EXECUTABLE);
    report.err = set_up(child, &report, &tun_fd);
    if (!tie_to_parent(child->parent))
        _exit(EXIT_NOT_EXECUTABLE);
    bool told = send_report(child->control_fd, &report, tun_fd);
    if (!told || report.err != HF_OK)
        _exit(EXIT_NOT_EXECUTABLE);
    (void)close(tun_fd);
    if (!await_go(child->control_fd))
        _exit(EXIT_NOT_EXECUTABLE);
    restore_signals();
    (void)execvp(child->argv[0], child->argv);
    int exit_code = fail_exec(&report.why, child->argv[0], errno);
    report.err = HF_E_SYSTEM;
    (void)send_report(child->control_fd, &report, -1);
    _exit(exit_code);
}
