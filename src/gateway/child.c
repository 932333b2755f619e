/**
 * The child's side of a namespace: leaves its parent's namespaces, has the interfaces made, hands
 * the TUN device over, waits for the word and becomes the command.
 *
 * Every way out of this file is an exec or an _exit: the child never runs the parent's code again.
 */
#include "gateway/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
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

enum { EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 }; /* as shells have it */

/** The number in a file of /proc/sys; -1 if there is none. */
static long read_sysctl(const char *path)
{
    char text[32];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t length = read(fd, text, sizeof text - 1);
    (void)close(fd);
    if (length <= 0)
        return -1;
    text[length] = '\0';
    return strtol(text, NULL, 10);
}

static bool apparmor_forbids(void)
{
    return read_sysctl("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") > 0;
}

/** Says who forbids user namespaces: the kernel's errno alone does not tell. */
static int fail_user_namespace(struct hf_why *why, int sys_errno, const char *what)
{
    int err = HF_E_PRIVILEGE;
    const char *text = strerror(sys_errno);
    switch (sys_errno) {
    case ENOSPC:
    case EUSERS:
        return hf_why_set(why, err, sys_errno,
                          "%s: limit reached (raise sysctl user.max_user_namespaces, now %ld,"
                          " or nest less deeply)",
                          what, read_sysctl("/proc/sys/user/max_user_namespaces"));
    case EINVAL:
    case ENOSYS:
        return hf_why_set(why, err, sys_errno,
                          "%s: %s (kernel without user namespaces: run as root)", what, text);
    default: break;
    }
    if (read_sysctl("/proc/sys/kernel/unprivileged_userns_clone") == 0)
        return hf_why_set(why, err, sys_errno,
                          "%s: %s (sysctl kernel.unprivileged_userns_clone=1, or run as root)",
                          what, text);
    if (apparmor_forbids())
        return hf_why_set(why, err, sys_errno,
                          "%s: AppArmor forbids it (sysctl"
                          " kernel.apparmor_restrict_unprivileged_userns=0, or run as root)",
                          what);
    return hf_why_set(why, err, sys_errno,
                      "%s: %s (a container's seccomp profile, a chroot or a security module"
                      " forbids it: allow it there, or run as root)",
                      what, text);
}

/** Whether a network namespace and a device in it can be had without a user namespace. */
static bool may_make_network(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0, 0, 0}};
    if (syscall(SYS_capget, &header, data) < 0)
        return false;
    uint32_t needed = UINT32_C(1) << CAP_SYS_ADMIN | UINT32_C(1) << CAP_NET_ADMIN;
    return (data[0].effective & needed) == needed;
}

/** Writes text to a file in one write, as the files of /proc demand. */
static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    size_t length = strlen(text);
    bool written = write(fd, text, length) == (ssize_t)length;
    int saved_errno = errno;
    (void)close(fd);
    errno = saved_errno;
    return written;
}

static bool write_map(const char *path, unsigned id)
{
    char line[32];
    (void)snprintf(line, sizeof line, "%u %u 1\n", id, id);
    return write_file(path, line);
}

static int enter_user_namespace(struct hf_why *why)
{
    unsigned uid = geteuid(), gid = getegid();
    if (unshare(CLONE_NEWUSER) < 0)
        return fail_user_namespace(why, errno, "make a user namespace");
    /* Without this an ordinary user may not map its group. Kernels before 3.19 have no such file
     * and do not ask for it. */
    if (!write_file("/proc/self/setgroups", "deny") && errno != ENOENT)
        return fail_user_namespace(why, errno, "forbid setgroups in the user namespace");
    if (!write_map("/proc/self/uid_map", uid))
        return fail_user_namespace(why, errno, "map the user into the user namespace");
    if (!write_map("/proc/self/gid_map", gid))
        return fail_user_namespace(why, errno, "map the group into the user namespace");
    return HF_OK;
}

static int enter_namespaces(const struct hf_namespace_config *cfg, struct hf_why *why)
{
    bool with_user = cfg->user_namespace || !may_make_network();
    if (with_user) {
        int err = enter_user_namespace(why);
        if (err != HF_OK)
            return err;
    }
    if (unshare(CLONE_NEWNET) == 0)
        return HF_OK;
    int sys_errno = errno;
    if (sys_errno == ENOSPC)
        return hf_why_set(why, HF_E_PRIVILEGE, sys_errno,
                          "make a network namespace: limit reached (raise sysctl"
                          " user.max_net_namespaces, now %ld)",
                          read_sysctl("/proc/sys/user/max_net_namespaces"));
    if (with_user && sys_errno == EPERM)
        return fail_user_namespace(why, sys_errno, "make a network namespace");
    return hf_why_set(why, hf_why_class(sys_errno), sys_errno,
                      "make a network namespace: %s (kernel with CONFIG_NET_NS?)",
                      strerror(sys_errno));
}

/** Has the kernel end this process with its parent. False: the parent is gone already. */
static bool tie_to_parent(pid_t parent)
{
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent;
}

static int set_up(const struct hf_child *child, struct hf_child_report *report, int *tun_fd)
{
    int err = enter_namespaces(child->cfg, &report->why);
    if (err != HF_OK)
        return err;
    err = hf_interface_make(child->cfg, tun_fd, &report->ipv6_errno, &report->why);
    if (err == HF_E_PRIVILEGE && apparmor_forbids() && !may_make_network())
        return fail_user_namespace(&report->why, report->why.sys_errno, "use a user namespace");
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
