/**
 * A command in its own network namespace: limits, missing rights and devices. Each failure is said
 * in one line, and nothing stays behind.
 */
#include "gateway/namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "support/spawned.h"
#include "support/user_namespace.h"

static const unsigned nobody_id = 65534;

static void expect_process(int (*body)(void))
{
    int code = spawned_in_process(body);
    if (code == SPAWNED_SKIP)
        skip();
    assert_int_equal(code, 0);
}

/* ---- what fails ---------------------------------------------------------------------------- */

/** Spawning with these settings fails so, and leaves nothing. */
static int fails(const struct hf_namespace_config *cfg, int err, const char *text)
{
    struct spawned_command c = spawned_command("exit", "0", NULL);
    struct hf_namespace ns;
    struct hf_why why = {.text = ""};
    int before = spawned_descriptors(false);
    int got = hf_namespace_spawn(cfg, c.argv, &ns, &why);
    if (got == HF_OK)
        hf_namespace_close(&ns);
    if (got != err)
        (void)fprintf(stderr, "%s, not %s: %s\n", hf_err_name(got), hf_err_name(err), why.text);
    SPAWNED_MUST(got == err);
    SPAWNED_MUST(spawned_says(why.text, text));
    SPAWNED_MUST(!strchr(why.text, '\n'));
    SPAWNED_MUST(!spawned_has_children());
    SPAWNED_MUST(spawned_descriptors(false) == before);
    return 0;
}

static void wrong_settings_are_refused(void **state)
{
    (void)state;
    struct hf_namespace_config good, cfg;
    hf_namespace_config_init(&good);
    cfg = good;
    cfg.mtu_bytes = 67;
    assert_int_equal(fails(&cfg, HF_E_INVALID, "MTU 67"), 0);
    cfg = good;
    cfg.interface = "a-name-of-16-by.";
    assert_int_equal(fails(&cfg, HF_E_INVALID, "interface name"), 0);
    cfg = good;
    cfg.prefix_v4_bits = 33;
    assert_int_equal(fails(&cfg, HF_E_INVALID, "prefix"), 0);
    char *none[] = {NULL};
    struct hf_namespace ns;
    struct hf_why why;
    assert_int_equal(hf_namespace_spawn(&good, none, &ns, &why), HF_E_INVALID);
    assert_true(spawned_says(why.text, "no command"));
}

static void a_missing_device_is_named(void **state)
{
    (void)state;
    struct hf_namespace_config cfg;
    hf_namespace_config_init(&cfg);
    cfg.device = "/nonexistent/tun";
    assert_int_equal(fails(&cfg, HF_E_DEVICE, "open /nonexistent/tun: No such file"), 0);
    cfg.device = "/dev/null";
    assert_int_equal(fails(&cfg, HF_E_SYSTEM, "create tun0: "), 0);
    hf_namespace_config_init(&cfg);
    cfg.interface = "lo"; /* is there already, and is no TUN */
    assert_int_equal(fails(&cfg, HF_E_DEVICE, "create lo: "), 0);
}

static void a_command_that_cannot_run_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *text;
        int code;
    } rows[] = {
        {"no-such-command-anywhere", "run no-such-command-anywhere: command not found in PATH",
         127},
        {"/no/such/file", "run /no/such/file: no such file", 127},
        {"/dev/null", "run /dev/null: Permission denied (executable?)", 126},
        {"/", "run /: Permission denied", 126},
    };
    struct hf_namespace_config cfg;
    hf_namespace_config_init(&cfg);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *argv[] = {(char *)(uintptr_t)rows[i].name, NULL};
        struct hf_namespace ns;
        struct hf_why why = {.text = ""};
        int code = -1, before = spawned_descriptors(false);
        assert_int_equal(hf_namespace_spawn(&cfg, argv, &ns, &why), HF_OK);
        assert_int_equal(hf_namespace_go(&ns, &why), HF_E_SYSTEM);
        assert_true(spawned_says(why.text, rows[i].text));
        assert_int_equal(hf_namespace_wait(&ns, &code), HF_OK);
        assert_int_equal(code, rows[i].code);
        hf_namespace_close(&ns);
        assert_false(spawned_has_children());
        assert_int_equal(spawned_descriptors(false), before);
    }
}

static void a_script_without_interpreter_is_named(void **state)
{
    (void)state;
    char path[] = "/tmp/handfast-test-XXXXXX";
    struct hf_namespace_config cfg;
    struct hf_namespace ns;
    struct hf_why why = {.text = ""};
    int code = -1, fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_true(write(fd, "#!/no/such/interpreter\n", 23) == 23);
    assert_int_equal(fchmod(fd, 0700), 0);
    (void)close(fd);
    char *argv[] = {path, NULL};
    hf_namespace_config_init(&cfg);
    assert_int_equal(hf_namespace_spawn(&cfg, argv, &ns, &why), HF_OK);
    int err = hf_namespace_go(&ns, &why);
    (void)unlink(path);
    assert_int_equal(err, HF_E_SYSTEM);
    assert_true(spawned_says(why.text, "its interpreter or loader is missing"));
    assert_int_equal(hf_namespace_wait(&ns, &code), HF_OK);
    assert_int_equal(code, 126);
    hf_namespace_close(&ns);
}

/** Each descriptor that the set-up takes is refused once, in the parent and in the child. */
static int run_short_of_descriptors(void)
{
    struct hf_namespace_config cfg;
    struct rlimit old, limit;
    struct spawned_command c = spawned_command("exit", "0", NULL);
    hf_namespace_config_init(&cfg);
    SPAWNED_MUST(getrlimit(RLIMIT_NOFILE, &old) == 0);
    int before = spawned_descriptors(false), failures = 0;
    for (rlim_t n = 3; n < 64; n++) {
        struct hf_namespace ns;
        struct hf_why why = {.text = ""};
        limit = (struct rlimit){n, old.rlim_max};
        SPAWNED_MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        int err = hf_namespace_spawn(&cfg, c.argv, &ns, &why);
        SPAWNED_MUST(setrlimit(RLIMIT_NOFILE, &old) == 0);
        bool whole = err == HF_OK && ns.ipv6;
        if (err == HF_OK)
            hf_namespace_close(&ns);
        else
            failures++;
        SPAWNED_MUST(err == HF_OK || why.text[0]);
        SPAWNED_MUST(!spawned_has_children());
        SPAWNED_MUST(spawned_descriptors(false) == before);
        if (whole)
            break;
    }
    SPAWNED_MUST(failures >= 3);
    return 0;
}

static void a_lack_of_descriptors_leaves_nothing(void **state)
{
    (void)state;
    expect_process(run_short_of_descriptors);
}

static bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    (void)close(fd);
    return written;
}

/** A user namespace of our own, in which its limits can be set without touching the machine's. */
static bool enter_user_namespace(void)
{
    char map[32];
    unsigned uid = geteuid(), gid = getegid();
    if (unshare(CLONE_NEWUSER) < 0)
        return false;
    (void)snprintf(map, sizeof map, "0 %u 1", uid);
    (void)write_text("/proc/self/setgroups", "deny");
    if (!write_text("/proc/self/uid_map", map))
        return false;
    (void)snprintf(map, sizeof map, "0 %u 1", gid);
    return write_text("/proc/self/gid_map", map);
}

static int run_nested(void)
{
    struct hf_namespace_config cfg;
    char text[512], user_ns[64] = "";
    hf_namespace_config_init(&cfg);
    if (!enter_user_namespace())
        return SPAWNED_SKIP;
    SPAWNED_MUST(spawned_ask(&cfg, text, sizeof text));
    SPAWNED_MUST(spawned_says(text, "uid=0 gid=0 "));
    SPAWNED_MUST(readlink("/proc/self/ns/user", user_ns, sizeof user_ns - 1) > 0);
    SPAWNED_MUST(spawned_says(text, user_ns));
    cfg.user_namespace = true;
    SPAWNED_MUST(spawned_ask(&cfg, text, sizeof text));
    SPAWNED_MUST(!strstr(text, user_ns));
    return 0;
}

static void it_works_inside_a_container(void **state)
{
    (void)state;
    user_namespace_needed(false);
    expect_process(run_nested);
}

static int run_at_limits(void)
{
    struct hf_namespace_config cfg;
    hf_namespace_config_init(&cfg);
    if (!enter_user_namespace() || !write_text("/proc/sys/user/max_net_namespaces", "0"))
        return SPAWNED_SKIP;
    SPAWNED_MUST(fails(&cfg, HF_E_PRIVILEGE, "sysctl user.max_net_namespaces, now 0") == 0);
    SPAWNED_MUST(write_text("/proc/sys/user/max_user_namespaces", "0"));
    cfg.user_namespace = true;
    SPAWNED_MUST(fails(&cfg, HF_E_PRIVILEGE, "sysctl user.max_user_namespaces, now 0") == 0);
    return 0;
}

static void exhausted_limits_are_named(void **state)
{
    (void)state;
    user_namespace_needed(false);
    expect_process(run_at_limits);
}

/** As under a container's profile: unshare is refused. */
static int run_under_seccomp(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_unshare, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};
    struct hf_namespace_config cfg;
    hf_namespace_config_init(&cfg);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        return SPAWNED_SKIP;
    cfg.user_namespace = true;
    SPAWNED_MUST(fails(&cfg, HF_E_PRIVILEGE, "make a user namespace: ") == 0);
    return 0;
}

static void forbidden_namespaces_are_named(void **state)
{
    (void)state;
    expect_process(run_under_seccomp);
}

/* ---- without privilege ----------------------------------------------------------------------- */

/** Becomes nobody. False: this process may not. */
static bool become_nobody(void)
{
    if (geteuid() != 0)
        return true;
    if (setgroups(0, NULL) < 0 || setgid(nobody_id) < 0 || setuid(nobody_id) < 0)
        return false;
    /* A fresh login would be: without it /proc/self belongs to root. */
    return prctl(PR_SET_DUMPABLE, 1) == 0;
}

static int run_unprivileged(const char *device)
{
    struct hf_namespace_config cfg;
    struct hf_namespace ns;
    char text[512], expected[64];
    uint8_t packet[256] = {0};
    if (!become_nobody())
        return SPAWNED_SKIP;
    hf_namespace_config_init(&cfg);
    cfg.device = device;
    if (!device && access("/dev/net/tun", R_OK | W_OK) < 0) {
        SPAWNED_MUST(
            fails(&cfg, HF_E_PRIVILEGE, "open /dev/net/tun: Permission denied (run as root") == 0);
        return SPAWNED_SKIP;
    }
    SPAWNED_MUST(spawned_ask(&cfg, text, sizeof text));
    (void)snprintf(expected, sizeof expected, "uid=%u gid=%u caps=0 ", geteuid(), getegid());
    SPAWNED_MUST(spawned_says(text, expected));
    (void)snprintf(expected, sizeof expected, " death=%d lo=1 mtu=65520 ", SIGKILL);
    SPAWNED_MUST(spawned_says(text, expected));
    struct spawned_command c = spawned_command("connect", "198.51.100.9", "25");
    SPAWNED_MUST(spawned_start(&cfg, &c, &ns) == HF_OK);
    SPAWNED_MUST(spawned_read_tcp(ns.tun_fd, packet, sizeof packet) >= 40);
    SPAWNED_MUST(packet[16] == 198 && packet[19] == 9 && packet[23] == 25);
    hf_namespace_close(&ns);
    SPAWNED_MUST(!spawned_has_children());
    SPAWNED_MUST(setrlimit(RLIMIT_NPROC, &(struct rlimit){0, 0}) == 0);
    SPAWNED_MUST(fails(&cfg, HF_E_SYSTEM, "start a process: ") == 0);
    return 0;
}

static char device_path[64];

static int run_with_own_device(void)
{
    return run_unprivileged(device_path[0] ? device_path : NULL);
}

static void an_ordinary_user_needs_no_privilege(void **state)
{
    (void)state;
    user_namespace_needed(true);
    char directory[] = "/tmp/handfast-test-XXXXXX";
    assert_non_null(mkdtemp(directory));
    assert_int_equal(chmod(directory, 0755), 0);
    (void)snprintf(device_path, sizeof device_path, "%s/tun", directory);
    /* Many machines let everybody use the device; where not, a node of the test's own does. */
    if (mknod(device_path, S_IFCHR | 0666, makedev(10, 200)) < 0 || chmod(device_path, 0666) < 0)
        device_path[0] = '\0';
    int code = spawned_in_process(run_with_own_device);
    if (device_path[0])
        (void)unlink(device_path);
    (void)rmdir(directory);
    if (code == SPAWNED_SKIP)
        skip();
    assert_int_equal(code, 0);
}

static int run_without_access(void)
{
    struct hf_namespace_config cfg;
    hf_namespace_config_init(&cfg);
    cfg.device = device_path;
    if (geteuid() != 0 || !become_nobody())
        return SPAWNED_SKIP;
    return fails(&cfg, HF_E_PRIVILEGE, "Permission denied (run as root, or give this user access");
}

static void a_device_without_access_is_named(void **state)
{
    (void)state;
    user_namespace_needed(true);
    (void)snprintf(device_path, sizeof device_path, "/tmp/handfast-test-XXXXXX");
    int fd = mkstemp(device_path);
    assert_true(fd >= 0);
    (void)close(fd);
    int code = spawned_in_process(run_without_access);
    (void)unlink(device_path);
    if (code == SPAWNED_SKIP)
        skip();
    assert_int_equal(code, 0);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return spawned_play(argc, argv);
    if (!spawned_can())
        return SPAWNED_SKIP;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_settings_are_refused),
        cmocka_unit_test(a_missing_device_is_named),
        cmocka_unit_test(a_command_that_cannot_run_is_named),
        cmocka_unit_test(a_script_without_interpreter_is_named),
        cmocka_unit_test(a_lack_of_descriptors_leaves_nothing),
        cmocka_unit_test(it_works_inside_a_container),
        cmocka_unit_test(exhausted_limits_are_named),
        cmocka_unit_test(forbidden_namespaces_are_named),
        cmocka_unit_test(an_ordinary_user_needs_no_privilege),
        cmocka_unit_test(a_device_without_access_is_named),
    };
    return user_namespace_result(cmocka_run_group_tests(tests, NULL, NULL));
}
