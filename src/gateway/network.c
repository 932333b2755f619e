/**
 * Leaves the network namespace, by way of a user namespace where the rights are missing.
 */
#include "gateway/network.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/why.h"

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

int hf_network_enter(bool user_namespace, struct hf_why *why)
{
    bool with_user = user_namespace || !may_make_network();
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

void hf_network_explain(struct hf_why *why)
{
    if (apparmor_forbids() && !may_make_network())
        (void)fail_user_namespace(why, why->sys_errno, "use a user namespace");
}
