/**
 * The XDP link against the kernel over a veth pair: what is for us comes to it, and nothing else
 * does; the program goes with the link, and with a process that is killed; full rings; and what is
 * said when it can't be opened. Needs root and a kernel with AF_XDP; without them it is skipped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ether_bench.h"

enum { SKIPPED = 77, MANY = 5000, BATCH = 64 };

static struct hf_link *link_of_test;

static struct hf_link *open_link(void)
{
    struct hf_why why = {.text = ""};
    if (veth_open_xdp(&link_of_test, &why) != HF_OK)
        fail_msg("%s", why.text);
    return link_of_test;
}

static int tear_down(void **state)
{
    (void)state;
    veth_go_home();
    hf_link_close(link_of_test);
    link_of_test = NULL;
    return 0;
}

static void both_find_each_other(void **state)
{
    (void)state;
    struct hf_link *l = open_link();
    struct hf_link_caps caps;
    hf_link_caps(l, &caps);
    assert_true(!caps.checksum && caps.super_bytes == 0 && caps.mtu_bytes == 1500);
    assert_false(hf_link_xdp_is_zero_copy(l)); /* a veth can't */
    assert_true(answers(l, "10.9.0.2", "10.9.0.1", ETHER_WAIT_MS));
    if (veth_has_v6())
        assert_true(answers(l, "fd09::2", "fd09::1", ETHER_WAIT_MS));
    struct hf_ether_stats s = stats_of(l);
    assert_in_range(s.questions, 1, 4);
    assert_true(s.answers >= 2 && s.learned >= 1);
    assert_int_equal(0, s.packets_lost + s.conflicts + s.frames_lost + s.frames_foreign);
}

/* The kernel's answer to a connection from home: refused, by whoever has the address. */
static bool is_refused(const char *address)
{
    struct sockaddr_storage sa;
    socklen_t bytes;
    const struct timeval patience = {.tv_sec = 3};
    int fd = kernel_socket(SOCK_STREAM, address, 9, &sa, &bytes);
    struct pollfd poller = {.fd = fd, .events = POLLOUT};
    int error = 0;
    socklen_t error_bytes = sizeof error;
    (void)connect(fd, (struct sockaddr *)&sa, bytes);
    (void)poll(&poller, 1, (int)patience.tv_sec * 1000);
    (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_bytes);
    (void)close(fd);
    return error == ECONNREFUSED;
}

static void the_kernel_keeps_what_is_not_ours(void **state)
{
    (void)state;
    struct hf_addr v4 = veth_addr("10.9.0.20"), v6 = veth_addr("fd09::20");
    struct hf_link *l = open_link();
    struct hf_packet p;
    veth_go_ours();
    (void)veth_sysctl("net/ipv6/conf/hf1/accept_dad", "0");
    assert_int_equal(HF_OK, hf_netif_add_address("hf1", &v4, 24, NULL));
    if (veth_has_v6())
        assert_int_equal(HF_OK, hf_netif_add_address("hf1", &v6, 64, NULL));
    veth_go_home();
    assert_true(is_refused("10.9.0.20"));
    if (veth_has_v6())
        assert_true(is_refused("fd09::20"));
    assert_int_equal(0, pass(l, 50, &p, 1));
    assert_int_equal(0, stats_of(l).frames_foreign);
    assert_true(answers(l, "10.9.0.2", "10.9.0.1", ETHER_WAIT_MS));
}

static void frames_come_and_go_by_the_thousand(void **state)
{
    (void)state;
    struct hf_link *l = open_link();
    struct hf_packet p[BATCH];
    struct sockaddr_storage sa;
    socklen_t bytes;
    assert_true(answers(l, "10.9.0.2", "10.9.0.1", ETHER_WAIT_MS));
    int fd = kernel_socket(SOCK_DGRAM, "10.9.0.2", 9, &sa, &bytes);
    uint32_t next = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        assert_int_equal(sizeof i, sendto(fd, &i, sizeof i, 0, (struct sockaddr *)&sa, bytes));
        int n = i % BATCH == BATCH - 1 || i == MANY - 1 ? pass(l, 1000, p, BATCH) : 0;
        for (int k = 0; k < n; k++) {
            struct hf_ip ip;
            uint32_t number;
            if (hf_ip_parse(p[k].bytes, p[k].length_bytes, &ip) != HF_NONE || ip.protocol != 17)
                continue;
            assert_true(segment_sum_is_right(p[k].bytes, &ip));
            memcpy(&number, p[k].bytes + ip.header_bytes + 8, sizeof number);
            assert_int_equal(next++, number);
        }
    }
    assert_int_equal(MANY, next);
    (void)close(fd);
    for (int i = 0; i < MANY; i++) { /* more than there are frames: all of them come back */
        const struct way w = {{veth_addr("10.9.0.2"), 1}, {veth_addr("10.9.0.1"), 9}};
        send_segment(l, &w, (struct hf_segment){.flags = HF_RST});
    }
    assert_true(answers(l, "10.9.0.2", "10.9.0.1", ETHER_WAIT_MS));
    assert_int_equal(0, stats_of(l).frames_lost);
}

/* What is not read in time is lost and counted; then all goes on. */
static void a_full_ring_loses_and_counts(void **state)
{
    (void)state;
    struct hf_link *l = open_link();
    struct hf_packet p[BATCH];
    struct sockaddr_storage sa;
    socklen_t bytes;
    unsigned got = 0;
    assert_true(answers(l, "10.9.0.2", "10.9.0.1", ETHER_WAIT_MS));
    int fd = kernel_socket(SOCK_DGRAM, "10.9.0.2", 9, &sa, &bytes);
    for (int i = 0; i < MANY; i++)
        (void)sendto(fd, "x", 1, 0, (struct sockaddr *)&sa, bytes);
    (void)close(fd);
    for (int n; (n = pass(l, 50, p, BATCH)) > 0; got += (unsigned)n)
        continue;
    assert_in_range(got, 1000, MANY - 1);
    assert_true(stats_of(l).frames_lost > 0);
    assert_true(answers(l, "10.9.0.2", "10.9.0.1", ETHER_WAIT_MS));
}

static void what_can_not_be_sent_is_counted(void **state)
{
    (void)state;
    struct hf_link *l = open_link();
    static uint8_t bytes[2000];
    const struct way w = {{veth_addr("10.9.0.2"), 1}, {veth_addr("10.9.0.1"), 2}};
    size_t header;
    assert_true(answers(l, "10.9.0.2", "10.9.0.1", ETHER_WAIT_MS)); /* the way is known */
    (void)segment_make(&w, (struct hf_segment){.flags = HF_RST}, NULL, false, bytes, &header);
    const struct hf_slice rest = {bytes + 40, 1461};
    const struct hf_out_packet p[] = {
        {.header = bytes, .header_bytes = 40, .flags = HF_PACKET_CSUM_PARTIAL, .length_bytes = 40},
        {.header = bytes,
         .header_bytes = 40,
         .slice_count = 1,
         .slices = &rest,
         .length_bytes = 1501},
        {.header = bytes, .header_bytes = 40, .length_bytes = 40},
    };
    struct hf_link_stats before, after;
    hf_link_stats(l, &before);
    assert_int_equal(3, hf_link_send(l, p, 3));
    hf_link_stats(l, &after);
    assert_int_equal(before.out_refused + 2, after.out_refused);
    assert_int_equal(EMSGSIZE, after.last_errno);
}

/* ---- opening -------------------------------------------------------------------------------- */

static void expect_failure(const char *address, const char *part)
{
    const struct hf_ether_address own = {veth_addr(address), 24};
    const struct hf_xdp_link_config cfg = {
        .ether = {.interface = "hf1", .addrs = &own, .addr_count = 1}};
    struct hf_why why = {.text = ""};
    struct hf_link *l = NULL;
    veth_go_ours();
    int err = hf_link_xdp_open(&l, &cfg, &why);
    veth_go_home();
    assert_int_equal(HF_E_DEVICE, err);
    assert_null(l);
    if (!strstr(why.text, part))
        fail_msg("\"%s\" does not contain \"%s\"", why.text, part);
}

static void only_one_at_a_time(void **state)
{
    (void)state;
    struct hf_link *l = open_link();
    expect_failure("10.9.0.3", "XDP on hf1: bind: Device or resource busy (another program uses");
    assert_true(answers(l, "10.9.0.2", "10.9.0.1", ETHER_WAIT_MS)); /* unharmed */
}

static void a_killed_process_leaves_nothing(void **state)
{
    int status, ready[2];
    char byte;
    (void)state;
    assert_int_equal(0, pipe(ready));
    pid_t child = fork();
    if (child == 0) {
        struct hf_why why;
        struct hf_link *l;
        (void)!write(ready[1], veth_open_xdp(&l, &why) == HF_OK ? "y" : "n", 1);
        (void)pause();
        _exit(0);
    }
    assert_int_equal(1, read(ready[0], &byte, 1));
    assert_int_equal('y', byte);
    assert_int_equal(0, kill(child, SIGKILL));
    assert_int_equal(child, waitpid(child, &status, 0));
    assert_true(answers(open_link(), "10.9.0.2", "10.9.0.1", ETHER_WAIT_MS));
    (void)close(ready[0]);
    (void)close(ready[1]);
}

static void settings_are_checked(void **state)
{
    (void)state;
    veth_go_ours();
    assert_int_equal(HF_OK, hf_netif_set_mtu("hf1", 9000, NULL));
    veth_go_home();
    expect_failure("10.9.0.2", "XDP on hf1: an MTU of 9000, of 3822 at most");
    veth_go_ours();
    assert_int_equal(HF_OK, hf_netif_set_mtu("hf1", 1500, NULL));
    veth_go_home();
    expect_failure("10.9.0.20", "10.9.0.20 is the kernel's own, on hf1"); /* from above */
}

/* The last test: nothing is left then. Nobody sends, and the loop, which waits for packets only,
 * hears of it. */
static void an_interface_that_is_removed_is_an_error(void **state)
{
    (void)state;
    const struct hf_loop_config cfg = {.link = open_link()};
    struct hf_loop *loop;
    struct hf_why why = {.text = ""};
    hf_ns until;
    int err = 0;
    assert_int_equal(HF_OK, hf_loop_new(&loop, &cfg, NULL));
    for (until = hf_host_now() + HF_MS(50); hf_host_now() < until;)
        assert_int_equal(0, hf_loop_turn(loop, HF_MS(1), NULL)); /* no more is under way */
    veth_remove();
    veth_go_ours();
    until = hf_host_now() + HF_MS(ETHER_WAIT_MS);
    while (err == 0 && hf_host_now() < until)
        err = hf_loop_turn(loop, HF_MS(ETHER_WAIT_MS), &why);
    veth_go_home();
    hf_loop_free(loop);
    assert_int_equal(HF_E_DEVICE, err);
    assert_non_null(strstr(why.text, "No such device"));
}

static const char *missing(void)
{
    static struct hf_why why;
    if (geteuid() != 0)
        return "root is needed";
    if (unshare(CLONE_NEWNET) != 0)
        return "no network namespace can be made";
    if (!veth_make(&why) || veth_open_xdp(&link_of_test, &why) != HF_OK)
        return why.text;
    (void)tear_down(NULL);
    return veth_no_offloads() ? "" : "the kernel's end can't fill in checksums";
}

int main(void)
{
#define CASE(name) cmocka_unit_test_teardown(name, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(both_find_each_other),
        CASE(frames_come_and_go_by_the_thousand),
        CASE(a_full_ring_loses_and_counts),
        CASE(what_can_not_be_sent_is_counted),
        CASE(only_one_at_a_time),
        CASE(a_killed_process_leaves_nothing),
        CASE(the_kernel_keeps_what_is_not_ours),
        CASE(settings_are_checked),
        CASE(an_interface_that_is_removed_is_an_error),
    };
#undef CASE
    const char *what = missing();
    if (*what) {
        (void)fprintf(stderr, "skipped: %s\n", what);
        return SKIPPED;
    }
    return cmocka_run_group_tests_name("xdp", tests, NULL, NULL);
}
