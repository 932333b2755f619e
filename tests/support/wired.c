/**
 * Two namespaces and a wire between them. See wired.h.
 */
#include "support/wired.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <handfast/host.h>

#include "gateway/network.h"

enum { V4_BITS = 24, V6_BITS = 64, REPORT_BYTES = 8192 };

/* As few do not move a median. */
static const double LATE_FEW = 10, LATE_SHARE = 0.02;
static const char *const names[WIRED_SIDES] = {"hfl", "hfr"};
static int home_ns = -1, side_ns[WIRED_SIDES] = {-1, -1};
static bool has_v6;
static struct command command;
static int report_fd = -1;
static char report[REPORT_BYTES];

/* ---- namespaces ----------------------------------------------------------------------------- */

static bool enter_new(int *fd, struct hf_why *why)
{
    if (hf_network_enter(false, why) != HF_OK)
        return false;
    *fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    return *fd >= 0;
}

static void go_to(int ns)
{
    assert_int_equal(0, setns(ns, CLONE_NEWNET));
}

static struct hf_addr addr_of(int side, bool v6)
{
    uint8_t host = (uint8_t)(side + 1);
    return v6 ? (struct hf_addr){{0xfd, 9, [15] = host}} : hf_addr_v4(10, 9, 0, host);
}

/* IPv6 may be switched off in the kernel. */
static bool try_device(struct hf_why *why)
{
    struct hf_link *link;
    const struct hf_tun_config cfg = {.name = "hft"};
    struct hf_addr addr = addr_of(WIRED_LEFT, true);
    if (hf_link_tun_open(&link, &cfg, why) != HF_OK)
        return false;
    has_v6 = hf_netif_up("hft", NULL) == HF_OK &&
             hf_netif_add_address("hft", &addr, V6_BITS, NULL) == HF_OK;
    hf_link_close(link);
    return true;
}

const char *wired_missing(void)
{
    static struct hf_why why;
    if (!getenv("HF_COMMAND"))
        return "HF_COMMAND does not say where the command is";
    if (!enter_new(&side_ns[WIRED_LEFT], &why) || !enter_new(&side_ns[WIRED_RIGHT], &why) ||
        !enter_new(&home_ns, &why))
        return why.text;
    return try_device(&why) ? "" : why.text;
}

bool wired_has_v6(void)
{
    return has_v6;
}

/* ---- devices -------------------------------------------------------------------------------- */

/* Asks the kernel for a change of a link, in the present namespace; 0 or -errno. ns: where to move
 * it, -1: nowhere. */
static int change_link(uint16_t type, const char *name, int ns)
{
    struct {
        struct nlmsghdr head;
        struct ifinfomsg link;
        struct rtattr attr;
        int ns;
    } ask = {.head = {.nlmsg_len = sizeof ask,
                      .nlmsg_type = type,
                      .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
             .link = {.ifi_index = (int)if_nametoindex(name)},
             .attr = {.rta_len = RTA_LENGTH(sizeof ask.ns), .rta_type = IFLA_NET_NS_FD},
             .ns = ns};
    struct {
        struct nlmsghdr head;
        struct nlmsgerr error;
        char rest[512];
    } answer = {.error = {.error = -EPROTO}};
    if (ns < 0)
        ask.head.nlmsg_len = NLMSG_LENGTH(sizeof ask.link);
    int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    assert_true(s >= 0);
    assert_int_equal(ask.head.nlmsg_len, send(s, &ask, ask.head.nlmsg_len, 0));
    assert_true(recv(s, &answer, sizeof answer, 0) > 0);
    (void)close(s);
    return answer.error.error;
}

static void set_up(int side)
{
    struct hf_why why = {.text = ""};
    assert_int_equal(0, change_link(RTM_NEWLINK, names[side], side_ns[side]));
    go_to(side_ns[side]);
    int err = hf_netif_up(names[side], &why);
    for (int v6 = 0; v6 < (has_v6 ? 2 : 1) && err == HF_OK; v6++) {
        struct hf_addr addr = addr_of(side, v6);
        err = hf_netif_add_address(names[side], &addr, v6 ? V6_BITS : V4_BITS, &why);
    }
    go_to(home_ns);
    if (err != HF_OK)
        fail_msg("%s: %s", names[side], why.text);
}

void wired_remove_right(void)
{
    go_to(side_ns[WIRED_RIGHT]);
    int err = change_link(RTM_DELLINK, names[WIRED_RIGHT], -1);
    go_to(home_ns);
    assert_int_equal(0, err);
}

/* ---- the command ---------------------------------------------------------------------------- */

void wired_start(const char *const options[])
{
    const char *argv[COMMAND_ARGS_MAX] = {
        NULL, "wire", "--left", names[WIRED_LEFT], "--right", names[WIRED_RIGHT], "--json"};
    size_t n = 7;
    for (size_t i = 0; options[i]; i++) {
        assert_true(i < WIRED_OPTIONS_MAX);
        argv[n++] = options[i];
    }
    report_fd = memfd_create("report", MFD_CLOEXEC);
    assert_true(report_fd >= 0);
    const struct command_start how = {.argv = argv, .in_fd = -1, .out_fd = report_fd};
    assert_true(command_begin(&command, &how));
    assert_true(command_await(&command, "ready", WIRED_PATIENCE_MS));
    for (int side = 0; side < WIRED_SIDES; side++)
        set_up(side);
}

struct command *wired_command(void)
{
    return &command;
}

void wired_stop(void)
{
    char said[COMMAND_SAID_BYTES];
    command_signal(&command, SIGINT);
    int code = command_end(&command, WIRED_PATIENCE_MS);
    command_said(&command, said);
    if (code != 0)
        fail_msg("wire ended with %d: %s", code, said);
    ssize_t n = pread(report_fd, report, sizeof report - 1, 0);
    assert_true(n > 0);
    report[n] = '\0';
    wired_drop();
}

void wired_drop(void)
{
    char said[COMMAND_SAID_BYTES];
    if (command.pid > 0) { /* a test failed */
        command_said(&command, said);
        (void)fprintf(stderr, "wire said: %s\n", said);
    }
    command_drop(&command);
    if (report_fd >= 0)
        (void)close(report_fd);
    report_fd = -1;
}

/* ---- the report ----------------------------------------------------------------------------- */

double wired_number(int from, const char *name)
{
    char key[64];
    const char *line = strstr(report, from == WIRED_LEFT ? "{\"direction\":\"left-to-right\""
                                                         : "{\"direction\":\"right-to-left\"");
    (void)snprintf(key, sizeof key, "\"%s\":", name);
    const char *at = line ? strstr(line, key) : NULL;
    if (!at || at > line + strcspn(line, "\n")) {
        fail_msg("the report has no %s: %s", name, report);
        return 0;
    }
    return strtod(at + strlen(key), NULL);
}

bool wired_kept_up(void)
{
    for (int side = 0; side < WIRED_SIDES; side++) {
        double late = wired_number(side, "left_late") + wired_number(side, "read_late"),
               share =
                   wired_number(side, "left_late_share") + wired_number(side, "read_late_share");
        if (late < LATE_FEW || share < LATE_SHARE)
            continue;
        (void)fprintf(stderr, "times not judged: wire could not keep up (%.3f late)\n", share);
        return false;
    }
    return true;
}

/* ---- sockets -------------------------------------------------------------------------------- */

socklen_t wired_address(int side, bool v6, uint16_t port, struct sockaddr_storage *out)
{
    struct hf_addr addr = addr_of(side, v6);
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    memcpy(&in6.sin6_addr, addr.octets, 16);
    memcpy(&in.sin_addr, addr.octets + 12, 4);
    if (v6)
        memcpy(out, &in6, sizeof in6);
    else
        memcpy(out, &in, sizeof in);
    return v6 ? sizeof in6 : sizeof in;
}

int wired_socket(int side, bool v6, int type, uint16_t port)
{
    struct sockaddr_storage sa;
    socklen_t n = wired_address(side, v6, port, &sa);
    const int on = 1;
    go_to(side_ns[side]);
    int fd = socket(v6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    go_to(home_ns);
    assert_true(fd >= 0);
    assert_int_equal(0, setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
    assert_int_equal(0, bind(fd, (struct sockaddr *)&sa, n));
    return fd;
}
