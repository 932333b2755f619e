/**
 * `handfast serve` and `connect` on an Ethernet: one end of a veth pair, the kernel's TCP at the
 * other. Files arrive whole both ways, over a gateway too, and what is said when the interface or
 * the address won't do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/pattern.h"
#include "support/command.h"
#include "support/veth.h"

enum { SKIPPED = 77, BYTES = 5 * 1000 * 1000, PIECE_BYTES = 65536, PATIENCE_MS = 20000 };
enum { ECHO_PORT = 7, KEY = 5 };

static char folder[] = "/tmp/hf-ether-XXXXXX";
static char in_path[64], out_path[64];
static pid_t echo_pid;

static void make_file(void)
{
    static uint8_t piece[PIECE_BYTES];
    FILE *f = fopen(in_path, "wbe");
    assert_non_null(f);
    for (uint64_t done = 0; done < BYTES; done += sizeof piece) {
        size_t n = BYTES - done < sizeof piece ? (size_t)(BYTES - done) : sizeof piece;
        hf_pattern_fill(KEY, done, piece, n);
        assert_int_equal(n, fwrite(piece, 1, n, f));
    }
    assert_int_equal(0, fclose(f));
}

/* Starts the command at our end of the pair. */
static void begin(struct command *c, const char *const *argv, int in, int out)
{
    const struct command_start how = {.argv = argv, .in_fd = in, .out_fd = out};
    veth_go_ours();
    bool is_begun = command_begin(c, &how);
    veth_go_home();
    assert_true(is_begun);
}

static int run(const char *const *argv, char said[COMMAND_SAID_BYTES])
{
    struct command c = {0};
    begin(&c, argv, -1, -1);
    int code = command_end(&c, PATIENCE_MS);
    command_said(&c, said);
    command_drop(&c);
    return code;
}

/* ---- serve ---------------------------------------------------------------------------------- */

static int connect_to(const char *address, uint16_t port)
{
    struct hf_addr a = veth_addr(address);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    const struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    bool v4 = hf_addr_is_v4(&a);
    memcpy(&in.sin_addr, a.octets + 12, 4);
    memcpy(&in6.sin6_addr, a.octets, 16);
    int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(0, setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience));
    assert_int_equal(0, connect(fd, v4 ? (struct sockaddr *)&in : (struct sockaddr *)&in6,
                                v4 ? sizeof in : sizeof in6));
    return fd;
}

/* The whole answer: a head, and the file behind it. */
static void fetch(const char *address)
{
    static const char request[] = "GET /in HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    static uint8_t bytes[BYTES + 4096];
    size_t have = 0;
    ssize_t n;
    int fd = connect_to(address, 80);
    assert_int_equal(sizeof request - 1, send(fd, request, sizeof request - 1, MSG_NOSIGNAL));
    while ((n = recv(fd, bytes + have, sizeof bytes - have, 0)) > 0)
        have += (size_t)n;
    assert_int_equal(0, n);
    (void)close(fd);
    const uint8_t *body = memmem(bytes, have, "\r\n\r\n", 4);
    assert_non_null(body);
    assert_memory_equal("HTTP/1.1 200", bytes, 12);
    body += 4;
    assert_int_equal(BYTES, bytes + have - body);
    assert_int_equal(BYTES, hf_pattern_check(KEY, 0, body, BYTES));
}

static void serve_and_fetch(const char *addr, const char *address, const char *more)
{
    const char *const argv[] = {NULL, "serve", "--interface", "hf1", "--addr",
                                addr, folder,  more,          NULL};
    struct command c = {0};
    char said[COMMAND_SAID_BYTES];
    begin(&c, argv, -1, -1);
    assert_true(command_await(&c, "serving", PATIENCE_MS));
    fetch(address);
    fetch(address);
    command_signal(&c, SIGINT);
    assert_int_equal(0, command_end(&c, PATIENCE_MS));
    command_said(&c, said);
    assert_non_null(strstr(said, "2 requests, 0 failed"));
    assert_null(strstr(said, "warning"));
    command_drop(&c);
}

static void files_are_served(void **state)
{
    (void)state;
    serve_and_fetch("10.9.0.2/24", "10.9.0.2", NULL);
    serve_and_fetch("10.9.0.2/24", "10.9.0.2", "--plain");
    serve_and_fetch("10.9.0.2/24", "10.9.0.2", "--set=mtu_bytes=1200");
    serve_and_fetch("10.9.0.2/24", "10.9.0.2", "--threads=3");
    if (veth_has_v6())
        serve_and_fetch("fd09::2/64", "fd09::2", NULL);
}

/* After all others: the kernel's end sends no super-packets any more. */
static void files_are_served_by_xdp(void **state)
{
    struct hf_link *link;
    struct hf_why why = {.text = "the kernel's end can't fill in checksums"};
    (void)state;
    if (veth_open_xdp(&link, &why) != HF_OK || !veth_no_offloads()) {
        print_message("no XDP: %s\n", why.text);
        skip();
    }
    hf_link_close(link);
    serve_and_fetch("10.9.0.2/24", "10.9.0.2", "--xdp");
    if (veth_has_v6())
        serve_and_fetch("fd09::2/64", "fd09::2", "--xdp");
}

/* ---- connect -------------------------------------------------------------------------------- */

static void echo(int fd)
{
    static uint8_t bytes[PIECE_BYTES];
    ssize_t n;
    while ((n = read(fd, bytes, sizeof bytes)) > 0)
        for (ssize_t done = 0, put; done < n; done += put)
            if ((put = write(fd, bytes + done, (size_t)(n - done))) <= 0)
                return;
}

static bool start_echo(void)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(ECHO_PORT)};
    struct sockaddr_in any_v4 = {.sin_family = AF_INET, .sin_port = htons(ECHO_PORT)};
    bool v6 = veth_has_v6(); /* a socket of IPv6 takes IPv4 as well */
    int listener = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int result = v6 ? bind(listener, (struct sockaddr *)&any, sizeof any)
                    : bind(listener, (struct sockaddr *)&any_v4, sizeof any_v4);
    if (result < 0 || listen(listener, 16) < 0)
        return false;
    (void)fflush(NULL);
    echo_pid = fork();
    if (echo_pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0; (void)close(fd))
            echo(fd);
        _exit(1);
    }
    (void)close(listener);
    return echo_pid > 0;
}

static void send_and_get_back(const char *addr, const char *host, const char *gateway)
{
    const char *argv[] = {NULL, "connect", "--interface", "hf1",   "--addr",
                          addr, host,      "7",           gateway, NULL};
    static uint8_t piece[PIECE_BYTES];
    struct command c = {0};
    char said[COMMAND_SAID_BYTES];
    uint64_t done = 0;
    ssize_t n;
    int in = open(in_path, O_RDONLY | O_CLOEXEC);
    int out = open(out_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(in >= 0 && out >= 0);
    begin(&c, argv, in, out);
    int code = command_end(&c, PATIENCE_MS);
    command_said(&c, said);
    command_drop(&c);
    if (code != 0)
        fail_msg("exit code %d: %s", code, said);
    assert_int_equal(0, lseek(out, 0, SEEK_SET));
    for (; (n = read(out, piece, sizeof piece)) > 0; done += (uint64_t)n)
        assert_int_equal(n, hf_pattern_check(KEY, done, piece, (size_t)n));
    assert_int_equal(BYTES, done);
    (void)close(in);
    (void)close(out);
}

static void what_is_sent_comes_back(void **state)
{
    (void)state;
    send_and_get_back("10.9.0.2/24", "10.9.0.1", NULL);
    if (veth_has_v6())
        send_and_get_back("fd09::2/64", "fd09::1", NULL);
}

static void a_far_host_is_reached(void **state)
{
    (void)state;
    struct hf_addr far = veth_addr("192.0.2.1"), far_v6 = veth_addr("2001:db8::1");
    assert_int_equal(HF_OK, hf_netif_up("lo", NULL));
    assert_int_equal(HF_OK, hf_netif_add_address("lo", &far, 32, NULL));
    send_and_get_back("10.9.0.2/24", "192.0.2.1", "--gateway=10.9.0.1");
    if (!veth_has_v6())
        return;
    assert_int_equal(HF_OK, hf_netif_add_address("lo", &far_v6, 128, NULL));
    send_and_get_back("fd09::2/64", "2001:db8::1", "--gateway=fd09::1");
}

/* ---- what is wrong -------------------------------------------------------------------------- */

struct wrong {
    int code;
    const char *says;
    const char *argv[COMMAND_ARGS_MAX];
};

#define ON(name) NULL, "serve", "--interface", name, "--addr"

static const struct wrong wrongs[] = {
    {1, "look at hf9: No such device", {ON("hf9"), "10.9.0.2/24", "/usr", NULL}},
    {1, "lo is no Ethernet", {ON("lo"), "10.9.0.2/24", "/usr", NULL}},
    {1, "10.5.0.9 is the kernel's own, on lo: it would", {ON("hf1"), "10.5.0.9/24", "/usr", NULL}},
    {2, "a name has 1 to 15 bytes", {ON("a-name-of-20-letters"), "10.9.0.2/24", "/usr", NULL}},
    {2, "exclude each other", {ON("hf1"), "10.9.0.2/24", "--tun", "hf0", "/usr", NULL}},
    {2, "--interface is given twice", {ON("hf1"), "10.9.0.2/24", "--interface=hf1", "/usr", NULL}},
    {2, "leaves no room for others", {ON("hf1"), "10.9.0.2", "/usr", NULL}},
    {2, "--kernel-addr is for --tun", {ON("hf1"), "10.9.0.2/24", "--kernel-addr=10.9.0.1", NULL}},
    {2, "--no-configure is for --tun", {ON("hf1"), "10.9.0.2/24", "--no-configure", "/usr", NULL}},
    {2,
     "--gateway: \"nonsense\"",
     {ON("hf1"), "10.9.0.2/24", "--gateway", "nonsense", "/usr", NULL}},
    {2, "without a prefix", {ON("hf1"), "10.9.0.2/24", "--gateway", "10.9.0.1/24", "/usr", NULL}},
    {2, "one is IPv4", {ON("hf1"), "10.9.0.2/24", "--gateway", "fd09::1", "/usr", NULL}},
    {2,
     "is not on the network of --addr",
     {ON("hf1"), "10.9.0.2/24", "--gateway", "10.8.0.1", "/usr", NULL}},
    {2,
     "--gateway 10.9.0.2 is the stack's own",
     {ON("hf1"), "10.9.0.2/24", "--gateway", "10.9.0.2", "/usr", NULL}},
    {2,
     "192.0.2.1 is on another network, and no --gateway is given",
     {NULL, "connect", "--interface", "hf1", "--addr", "10.9.0.2/24", "192.0.2.1", "7", NULL}},
    {1,
     "(the next host on the way has not answered who it is)",
     {NULL, "connect", "--interface", "hf1", "--addr", "10.9.0.2/24", "--set", "syn_retries=2",
      "10.9.0.99", "7", NULL}},
    {2,
     "--xdp and --threads exclude each other",
     {ON("hf1"), "10.9.0.2/24", "--xdp", "--threads", "2", "/usr", NULL}},
    {2,
     "--gateway is for --interface",
     {NULL, "serve", "--tun", "hf0", "--addr", "10.9.0.2/24", "--gateway", "10.9.0.1", "/usr",
      NULL}},
};

static void wrong_calls_are_answered(void **state)
{
    int failed = 0;
    struct hf_addr kernels = veth_addr("10.5.0.9");
    (void)state;
    veth_go_ours();
    assert_int_equal(HF_OK, hf_netif_add_address("lo", &kernels, 24, NULL));
    veth_go_home();
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        const struct wrong *x = &wrongs[i];
        char said[COMMAND_SAID_BYTES];
        int code = run(x->argv, said);
        bool is_right = code == x->code && strstr(said, x->says) != NULL;
        if (!is_right)
            print_message("\"%s\": exit code %d, not %d: %s\n", x->says, code, x->code, said);
        failed += !is_right;
    }
    assert_int_equal(0, failed);
}

/* It would tell others that we can't be reached. */
static void a_kernel_that_forwards_is_warned_of(void **state)
{
    static const char *const argv[] = {NULL,     "serve",       "--interface", "hf1",
                                       "--addr", "10.9.0.2/24", folder,        NULL};
    struct command c = {0};
    (void)state;
    veth_go_ours();
    bool is_set = veth_sysctl("net/ipv4/ip_forward", "1");
    veth_go_home();
    if (!is_set)
        skip();
    begin(&c, argv, -1, -1);
    assert_true(command_await(&c, "warning: the kernel forwards on hf1", PATIENCE_MS));
    command_drop(&c);
    veth_go_ours();
    assert_true(veth_sysctl("net/ipv4/ip_forward", "0"));
    veth_go_home();
}

/* ---- main ----------------------------------------------------------------------------------- */

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(in_path, sizeof in_path, "%s/in", folder);
    (void)snprintf(out_path, sizeof out_path, "%s/out", folder);
    make_file();
    return start_echo() ? 0 : -1;
}

static int clean_up(void **state)
{
    (void)state;
    (void)unlink(in_path);
    (void)unlink(out_path);
    if (echo_pid > 0) {
        (void)kill(echo_pid, SIGKILL);
        (void)waitpid(echo_pid, NULL, 0);
    }
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_served),
        cmocka_unit_test(what_is_sent_comes_back),
        cmocka_unit_test(a_far_host_is_reached),
        cmocka_unit_test(a_kernel_that_forwards_is_warned_of),
        cmocka_unit_test(wrong_calls_are_answered),
        cmocka_unit_test(files_are_served_by_xdp),
    };
    struct hf_why why = {.text = "root is needed"};
    if (!getenv("HF_COMMAND"))
        (void)snprintf(why.text, sizeof why.text, "HF_COMMAND does not say where the command is");
    else if (geteuid() == 0 && unshare(CLONE_NEWNET) == 0 && veth_make(&why))
        return cmocka_run_group_tests_name("ether", tests, set_up, clean_up);
    (void)fprintf(stderr, "skipped: %s\n", why.text);
    return SKIPPED;
}
