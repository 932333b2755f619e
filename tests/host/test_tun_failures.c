/* TUN devices and interfaces: what is said when something is missing, wrong, or not allowed. In a
 * network namespace of its own; skipped where none can be made. */
#include "tun_bench.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static void expect_failure(const struct hf_tun_config *cfg, int err, const char *part)
{
    struct hf_why why = {.text = ""};
    struct hf_link *l = NULL;
    int fd_before = dup(0);
    close(fd_before);
    int got = hf_link_tun_open(&l, cfg, &why);
    if (got != err || !strstr(why.text, part))
        fail_msg("%s \"%s\"; expected %s with \"%s\"", hf_err_name(got), why.text, hf_err_name(err),
                 part);
    assert_null(l);
    assert_null(strchr(why.text, '\n'));
    int fd_after = dup(0); /* nothing is left open: the same number is free */
    close(fd_after);
    assert_int_equal(fd_before, fd_after);
}

static void names_are_checked(void **state)
{
    (void)state;
    struct hf_tun_config cfg = {.name = "sixteen-bytes-it"};
    expect_failure(&cfg, HF_E_INVALID, "\"sixteen-bytes-it\": longer than 15 bytes");
    cfg.name = "a/b";
    expect_failure(&cfg, HF_E_INVALID, "create a/b: the kernel does not take this name");
    cfg.name = "lo";
    expect_failure(&cfg, HF_E_DEVICE, "create lo: the name is in use by an interface that is not");
    cfg.name = "hf0";
    struct hf_link *l = open_tun(&cfg);
    expect_failure(&cfg, HF_E_DEVICE, "create hf0: Device or resource busy (the name is in use");
    hf_link_close(l);
    cfg.mtu_bytes = 20;
    expect_failure(&cfg, HF_E_INVALID, "MTU 20 of hf0: must be 68 to 65535");
    cfg.mtu_bytes = 0;
    cfg.batch_packets = 5000;
    expect_failure(&cfg, HF_E_INVALID, "batch of 5000 packets: at most 1024");
    assert_int_equal(0, if_nametoindex("hf0"));
}

static void devices_are_checked(void **state)
{
    (void)state;
    struct hf_tun_config cfg = {.device = "/nonexistent/net/tun"};
    expect_failure(&cfg, HF_E_DEVICE,
                   "open /nonexistent/net/tun: No such file or directory (modprobe tun");
    cfg.device = "/dev/zero";
    expect_failure(&cfg, HF_E_SYSTEM, "create tun%d: Inappropriate ioctl for device");
}

static void descriptors_are_checked(void **state)
{
    (void)state;
    struct hf_tun_config cfg = {.name = NULL};
    struct hf_why why = {.text = ""};
    struct hf_link *l = NULL;
    int fd = eventfd(0, EFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(HF_E_DEVICE, hf_link_tun_from_fd(&l, fd, &cfg, &why));
    assert_non_null(strstr(why.text, "is not an attached TUN"));
    assert_int_equal(0, fcntl(fd, F_GETFL) < 0); /* it is still the caller's */
    close(fd);
}

/* Runs a check in a child: what it gives up does not come back. */
static int in_child(int (*check)(void))
{
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(check());
    assert_true(child > 0);
    assert_int_equal(child, waitpid(child, &status, 0));
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int opens_without(const struct hf_tun_config *cfg, const char *part)
{
    struct hf_why why = {.text = ""};
    struct hf_link *l = NULL;
    int err = hf_link_tun_open(&l, cfg, &why);
    if (err == HF_E_PRIVILEGE && strstr(why.text, part))
        return 0;
    fprintf(stderr, "%s \"%s\"\n", hf_err_name(err), why.text);
    return 1;
}

static int without_capabilities(void)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {{0}};
    const struct hf_tun_config cfg = {.name = "hf0"};
    if (syscall(SYS_capset, &head, none) != 0)
        return 2;
    struct hf_why why = {.text = ""};
    if (hf_netif_set_mtu("lo", 1400, &why) != HF_E_PRIVILEGE || !strstr(why.text, "CAP_NET_ADMIN"))
        return 3;
    return opens_without(&cfg, "create hf0: Operation not permitted (CAP_NET_ADMIN is needed");
}

static char locked_path[] = "/tmp/hf-test-tun-XXXXXX";

static int as_nobody(void)
{
    const struct hf_tun_config cfg = {.device = locked_path};
    if (setgid(65534) != 0 || setuid(65534) != 0)
        return 2;
    return opens_without(&cfg, ": Permission denied (run as root");
}

static void privileges_are_named(void **state)
{
    (void)state;
    assert_int_equal(0, in_child(without_capabilities));
    int fd = mkstemp(locked_path); /* mode 0600 */
    assert_true(fd >= 0);
    assert_int_equal(0, in_child(as_nobody));
    close(fd);
    unlink(locked_path);
}

static void interfaces_are_checked(void **state)
{
    (void)state;
    struct hf_why why = {.text = ""};
    struct hf_addr v4 = addr_of("10.0.0.1"), v6 = addr_of("fd00::1");
    assert_int_equal(HF_E_DEVICE, hf_netif_up("hf9", &why));
    assert_non_null(strstr(why.text, "bring up hf9: No such device (no such interface"));
    assert_int_equal(HF_E_DEVICE, hf_netif_add_address("hf9", &v4, 24, &why));
    assert_int_equal(HF_E_DEVICE, hf_netif_add_route("hf9", &v4, 24, &why));
    if (has_v6)
        assert_int_equal(HF_E_DEVICE, hf_netif_add_route("hf9", &v6, 64, &why));
    assert_int_equal(HF_E_INVALID, hf_netif_add_address("lo", &v4, 33, &why));
    assert_non_null(strstr(why.text, "prefix length 33: must be 0 to 32"));
    assert_int_equal(HF_E_INVALID, hf_netif_add_route("lo", &v6, 129, &why));
    assert_int_equal(HF_E_INVALID, hf_netif_up("", &why));
    assert_int_equal(HF_E_INVALID, hf_netif_up("a-name-that-is-too-long", &why));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_checked),       cmocka_unit_test(devices_are_checked),
        cmocka_unit_test(descriptors_are_checked), cmocka_unit_test(interfaces_are_checked),
        cmocka_unit_test(privileges_are_named),
    };
    const char *what = missing();
    if (*what) {
        fprintf(stderr, "skipped: %s\n", what);
        return SKIPPED;
    }
    return cmocka_run_group_tests_name("tun_failures", tests, NULL, NULL);
}
