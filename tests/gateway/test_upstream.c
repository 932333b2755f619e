/**
 * Outside connections of the gateway: over the loopback against sockets of our own, and in a
 * network namespace where the test itself answers the SYN.
 */
#include "gateway/upstream.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/base.h"
#include "gateway/interface.h"

enum { SKIP = 77, PATIENCE_MS = 20000, VNET_BYTES = 10 };

static struct hf_upstream_config config(void)
{
    struct hf_upstream_config cfg;
    hf_upstream_config_init(&cfg);
    return cfg;
}

static bool wait_for(int fd, short events, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = events};
    return poll(&p, 1, timeout_ms) == 1;
}

static int count_descriptors(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (dir && readdir(dir))
        count++;
    (void)closedir(dir);
    return count;
}

/** A listening socket on the host's loopback, and the inner endpoint that means it. False: this
 *  machine has no such address family. */
static bool listen_on_host(bool v4, int *listener, struct hf_endpoint *inner)
{
    const struct hf_upstream_config cfg = config();
    struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr *a = v4 ? (struct sockaddr *)&a4 : (struct sockaddr *)&a6;
    socklen_t length = v4 ? sizeof a4 : sizeof a6;
    int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    if (bind(fd, a, length) < 0 || listen(fd, 8) < 0 || getsockname(fd, a, &length) < 0) {
        (void)close(fd);
        return false;
    }
    *listener = fd;
    inner->addr = v4 ? cfg.host_v4 : cfg.host_v6;
    inner->port = ntohs(v4 ? a4.sin_port : a6.sin6_port);
    return true;
}

/** A connected pair: ours, and the outer peer's descriptor. */
struct pair {
    struct hf_upstream ours;
    int peer;
};

static struct pair connect_pair(bool v4)
{
    const struct hf_upstream_config cfg = config();
    struct hf_endpoint inner;
    struct pair p = {.peer = -1};
    int listener;
    if (!listen_on_host(v4, &listener, &inner))
        skip();
    assert_int_equal(hf_upstream_open(&p.ours, &cfg, &inner), HF_OK);
    p.peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(p.peer >= 0);
    (void)close(listener);
    assert_true(wait_for(p.ours.fd, POLLOUT, PATIENCE_MS));
    assert_int_equal(hf_upstream_progress(&p.ours), HF_OK);
    assert_int_equal(p.ours.state, HF_UPSTREAM_CONNECTED);
    return p;
}

static void reset_by_peer(struct pair *p)
{
    struct linger at_once = {1, 0};
    assert_int_equal(setsockopt(p->peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    (void)close(p->peer);
    p->peer = -1;
    assert_true(wait_for(p->ours.fd, 0, PATIENCE_MS)); /* an error is told unasked */
}

static int64_t read_text(struct hf_upstream *u, char *text, size_t room)
{
    struct iovec piece = {text, room};
    return hf_upstream_read(u, &piece, 1);
}

static int64_t write_text(struct hf_upstream *u, const char *text)
{
    struct iovec piece = {(void *)(uintptr_t)text, strlen(text)};
    return hf_upstream_write(u, &piece, 1);
}

/* ---- where to ------------------------------------------------------------------------------- */

static struct hf_endpoint at(const char *text, uint16_t port)
{
    struct hf_endpoint e = {.port = port};
    struct in_addr v4;
    if (inet_pton(AF_INET, text, &v4) == 1) {
        const uint8_t *o = (const uint8_t *)&v4;
        e.addr = hf_addr_v4(o[0], o[1], o[2], o[3]);
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, e.addr.octets), 1);
    }
    return e;
}

static void one_address_means_the_host(void **state)
{
    (void)state;
    static const struct {
        const char *inner;
        const char *outer;
    } rows[] = {
        {"10.0.2.2", "127.0.0.1"},
        {"fd00::2:2", "::1"},
        {"10.0.2.3", "10.0.2.3"},
        {"192.0.2.1", "192.0.2.1"},
        {"2001:db8::1", "2001:db8::1"},
        {"127.0.0.1", NULL},
        {"127.8.8.8", NULL},
        {"0.0.0.0", NULL},
        {"0.1.2.3", NULL},
        {"224.0.0.1", NULL},
        {"255.255.255.255", NULL},
        {"::1", NULL},
        {"::", NULL},
        {"ff02::1", NULL},
    };
    const struct hf_upstream_config cfg = config();
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++) {
        struct hf_endpoint inner = at(rows[i].inner, 80), outer = {.port = 0};
        assert_int_equal(hf_upstream_target(&cfg, &inner, &outer), rows[i].outer != NULL);
        if (!rows[i].outer)
            continue;
        struct hf_endpoint expected = at(rows[i].outer, 80);
        assert_true(hf_addr_equal(&outer.addr, &expected.addr));
        assert_int_equal(outer.port, 80);
    }
    struct hf_endpoint inner = at("192.0.2.1", 0), outer;
    assert_false(hf_upstream_target(&cfg, &inner, &outer));
}

static void without_the_setting_nothing_means_the_host(void **state)
{
    (void)state;
    const struct hf_upstream_config cfg = {.host_v4 = HF_ADDR_ANY, .host_v6 = HF_ADDR_ANY};
    static const char *const forbidden[] = {"127.0.0.1", "::1", "::", "0.0.0.0"};
    int before = count_descriptors();
    for (size_t i = 0; i < HF_COUNT_OF(forbidden); i++) {
        struct hf_endpoint inner = at(forbidden[i], 80);
        struct hf_upstream u;
        assert_int_equal(hf_upstream_open(&u, &cfg, &inner), HF_E_REFUSED);
        assert_int_equal(u.refusal, HF_REFUSE_NET_UNREACHABLE);
        assert_int_equal(u.fd, -1);
    }
    assert_int_equal(count_descriptors(), before);
}

/* ---- a connection ---------------------------------------------------------------------------- */

static void talk(bool v4)
{
    struct pair p = connect_pair(v4);
    char text[16] = "";
    assert_int_equal(read_text(&p.ours, text, sizeof text), HF_E_AGAIN);
    assert_int_equal(write_text(&p.ours, "hello"), 5);
    assert_int_equal(recv(p.peer, text, 5, MSG_WAITALL), 5);
    assert_memory_equal(text, "hello", 5);
    assert_int_equal(send(p.peer, "world!", 6, 0), 6);
    char a[2], b[8];
    struct iovec pieces[] = {{a, sizeof a}, {b, sizeof b}};
    assert_true(wait_for(p.ours.fd, POLLIN, PATIENCE_MS));
    assert_int_equal(hf_upstream_read(&p.ours, pieces, 2), 6);
    assert_memory_equal(a, "wo", 2);
    assert_memory_equal(b, "rld!", 4);
    assert_int_equal(hf_upstream_trouble(&p.ours), HF_OK);
    hf_upstream_close(&p.ours);
    (void)close(p.peer);
}

static void bytes_go_both_ways(void **state)
{
    (void)state;
    talk(true);
}

static void bytes_go_both_ways_over_ipv6(void **state)
{
    (void)state;
    talk(false);
}

static void a_half_close_leaves_the_other_direction_open(void **state)
{
    (void)state;
    struct pair p = connect_pair(true);
    char text[16];
    assert_int_equal(write_text(&p.ours, "ask"), 3);
    assert_int_equal(hf_upstream_shut(&p.ours), HF_OK);
    assert_int_equal(hf_upstream_shut(&p.ours), HF_OK);
    assert_int_equal(write_text(&p.ours, "more"), HF_E_CLOSING);
    assert_int_equal(recv(p.peer, text, 3, MSG_WAITALL), 3);
    assert_int_equal(recv(p.peer, text, sizeof text, 0), 0); /* our FIN */
    assert_int_equal(read_text(&p.ours, text, sizeof text), HF_E_AGAIN);
    assert_int_equal(send(p.peer, "answer", 6, 0), 6);
    (void)close(p.peer);
    assert_true(wait_for(p.ours.fd, POLLIN, PATIENCE_MS));
    assert_int_equal(read_text(&p.ours, text, sizeof text), 6);
    assert_true(wait_for(p.ours.fd, POLLIN, PATIENCE_MS));
    assert_int_equal(read_text(&p.ours, text, 0), HF_E_INVALID); /* no room is no end */
    assert_int_equal(read_text(&p.ours, text, sizeof text), HF_E_END);
    assert_true(p.ours.peer_closed);
    assert_int_equal(read_text(&p.ours, text, sizeof text), HF_E_END);
    assert_int_equal(hf_upstream_trouble(&p.ours), HF_OK);
    hf_upstream_close(&p.ours);
}

static void a_fin_lets_us_go_on_writing(void **state)
{
    (void)state;
    struct pair p = connect_pair(true);
    char text[16];
    assert_int_equal(shutdown(p.peer, SHUT_WR), 0);
    assert_true(wait_for(p.ours.fd, POLLIN, PATIENCE_MS));
    assert_int_equal(read_text(&p.ours, text, sizeof text), HF_E_END);
    assert_int_equal(write_text(&p.ours, "late"), 4);
    assert_int_equal(recv(p.peer, text, 4, MSG_WAITALL), 4);
    /* And a RST after the FIN is still told. */
    reset_by_peer(&p);
    assert_int_equal(write_text(&p.ours, "too late"), HF_E_RESET);
    hf_upstream_close(&p.ours);
}

static void a_full_socket_takes_part_and_loses_nothing(void **state)
{
    (void)state;
    enum { CHUNK = 65536, ROUNDS_MAX = 2000 };
    struct pair p = connect_pair(true);
    static uint8_t bytes[CHUNK];
    uint64_t written = 0, got = 0;
    int64_t taken = 0;
    for (int i = 0; i < ROUNDS_MAX; i++) {
        for (size_t k = 0; k < CHUNK; k++)
            bytes[k] = (uint8_t)((written + k) * 7 >> 3);
        struct iovec pieces[] = {{bytes, 1000}, {bytes + 1000, CHUNK - 1000}};
        taken = hf_upstream_write(&p.ours, pieces, 2);
        if (taken < 0)
            break;
        written += (uint64_t)taken;
    }
    assert_int_equal(taken, HF_E_AGAIN);
    assert_int_equal(hf_upstream_shut(&p.ours), HF_OK);
    ssize_t length;
    while ((length = recv(p.peer, bytes, sizeof bytes, 0)) > 0) {
        for (ssize_t k = 0; k < length; k++)
            assert_int_equal(bytes[k], (uint8_t)((got + (uint64_t)k) * 7 >> 3));
        got += (uint64_t)length;
    }
    assert_int_equal(length, 0);
    assert_int_equal(got, written);
    hf_upstream_close(&p.ours);
    (void)close(p.peer);
}

/* ---- RST and FIN ----------------------------------------------------------------------------- */

static void a_reset_is_not_an_end(void **state)
{
    (void)state;
    struct pair p = connect_pair(true);
    char text[16];
    reset_by_peer(&p);
    assert_int_equal(read_text(&p.ours, text, sizeof text), HF_E_RESET);
    assert_int_equal(read_text(&p.ours, text, sizeof text), HF_E_RESET);
    assert_int_equal(write_text(&p.ours, "x"), HF_E_RESET);
    assert_int_equal(hf_upstream_shut(&p.ours), HF_E_RESET);
    assert_false(p.ours.peer_closed);
    hf_upstream_close(&p.ours);
}

static void a_reset_is_seen_without_reading(void **state)
{
    (void)state;
    struct pair p = connect_pair(true);
    char text[16];
    assert_int_equal(send(p.peer, "abc", 3, 0), 3);
    assert_true(wait_for(p.ours.fd, POLLIN, PATIENCE_MS));
    reset_by_peer(&p);
    assert_int_equal(hf_upstream_trouble(&p.ours), HF_E_RESET);
    assert_int_equal(hf_upstream_trouble(&p.ours), HF_E_RESET);
    /* What came before is still there; behind it stands the RST, not an end. */
    assert_int_equal(read_text(&p.ours, text, sizeof text), 3);
    assert_int_equal(read_text(&p.ours, text, sizeof text), HF_E_RESET);
    hf_upstream_close(&p.ours);
}

static void a_reset_is_seen_by_a_half_close(void **state)
{
    (void)state;
    struct pair p = connect_pair(true);
    reset_by_peer(&p);
    assert_int_equal(hf_upstream_shut(&p.ours), HF_E_RESET);
    hf_upstream_abort(&p.ours);
    hf_upstream_abort(&p.ours); /* allowed */
}

static void close_sends_fin_and_abort_sends_rst(void **state)
{
    (void)state;
    char text[16];
    struct pair p = connect_pair(true);
    assert_int_equal(write_text(&p.ours, "bye"), 3);
    hf_upstream_close(&p.ours);
    assert_int_equal(recv(p.peer, text, 3, MSG_WAITALL), 3);
    assert_int_equal(recv(p.peer, text, sizeof text, 0), 0);
    (void)close(p.peer);
    p = connect_pair(true);
    hf_upstream_abort(&p.ours);
    assert_int_equal(recv(p.peer, text, sizeof text, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    (void)close(p.peer);
}

/* ---- refusals ------------------------------------------------------------------------------- */

/** Starts a connection and waits for its refusal. */
static int refused_by(const struct hf_endpoint *inner, struct hf_upstream *u)
{
    const struct hf_upstream_config cfg = config();
    int err = hf_upstream_open(u, &cfg, inner);
    if (err == HF_OK && wait_for(u->fd, POLLOUT, PATIENCE_MS))
        err = hf_upstream_progress(u);
    return err;
}

static void a_closed_port_refuses(void **state)
{
    (void)state;
    for (int v4 = 0; v4 < 2; v4++) {
        struct hf_endpoint inner;
        struct hf_upstream u;
        int listener, before = count_descriptors();
        if (!listen_on_host(v4 == 1, &listener, &inner))
            continue;
        (void)close(listener);
        assert_int_equal(refused_by(&inner, &u), HF_E_REFUSED);
        assert_int_equal(u.state, HF_UPSTREAM_FAILED);
        assert_int_equal(u.refusal, HF_REFUSE_RESET);
        assert_int_equal(u.sys_errno, ECONNREFUSED);
        assert_int_equal(hf_upstream_progress(&u), HF_E_REFUSED);
        assert_int_equal(count_descriptors(), before);
    }
}

/** In a process of its own, which may ruin itself; its exit code. */
static int in_process(int (*body)(const void *), const void *argument)
{
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        int result = body(argument);
        (void)fflush(NULL);
        _exit(result);
    }
    int status = -1;
    (void)waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/** In such a process: names the line and ends it. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                          \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

struct errno_row {
    int sys_errno;
    int err;
    enum hf_refusal refusal;
};

/** connect fails with this errno, whatever the machine's routes are. */
static int run_with_errno(const void *argument)
{
    const struct errno_row *row = argument;
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_connect, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)row->sys_errno),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = HF_COUNT_OF(code), .filter = code};
    const struct hf_upstream_config cfg = config();
    struct hf_upstream u;
    const struct hf_endpoint inner = {.addr = hf_addr_v4(192, 0, 2, 1), .port = 80};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        return SKIP;
    int before = count_descriptors();
    MUST(hf_upstream_open(&u, &cfg, &inner) == row->err);
    MUST(u.state == HF_UPSTREAM_FAILED && u.refusal == row->refusal);
    MUST(u.sys_errno == row->sys_errno);
    MUST(count_descriptors() == before);
    return 0;
}

static void each_failure_has_its_refusal(void **state)
{
    (void)state;
    static const struct errno_row rows[] = {
        {ECONNREFUSED, HF_E_REFUSED, HF_REFUSE_RESET},
        {EHOSTUNREACH, HF_E_REFUSED, HF_REFUSE_HOST_UNREACHABLE},
        {ENETUNREACH, HF_E_REFUSED, HF_REFUSE_NET_UNREACHABLE},
        {EINVAL, HF_E_REFUSED, HF_REFUSE_NET_UNREACHABLE},
        {EACCES, HF_E_REFUSED, HF_REFUSE_PROHIBITED},
        {EPERM, HF_E_REFUSED, HF_REFUSE_PROHIBITED},
        {ETIMEDOUT, HF_E_REFUSED, HF_REFUSE_SILENTLY},
        {EADDRNOTAVAIL, HF_E_PORTS, HF_REFUSE_SILENTLY},
        {ENOBUFS, HF_E_MEMORY, HF_REFUSE_SILENTLY},
        {EMFILE, HF_E_MEMORY, HF_REFUSE_SILENTLY},
        {EIO, HF_E_SYSTEM, HF_REFUSE_HOST_UNREACHABLE},
    };
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++) {
        int code = in_process(run_with_errno, &rows[i]);
        if (code == SKIP)
            skip();
        if (code != 0)
            fail_msg("errno %d", rows[i].sys_errno);
    }
}

/* ---- refusals that come over the wire ------------------------------------------------------- */

struct icmp_row {
    bool v4;
    uint8_t type, code;
    enum hf_refusal refusal;
};

/** Reads the SYN behind its virtio-net header; its length, 0: none came. */
static size_t read_syn(int tun_fd, uint8_t *packet, size_t room_bytes)
{
    uint8_t bytes[2048];
    while (wait_for(tun_fd, POLLIN, PATIENCE_MS)) {
        ssize_t length = read(tun_fd, bytes, sizeof bytes);
        const uint8_t *ip = bytes + VNET_BYTES;
        if (length < VNET_BYTES + 40 || (size_t)length - VNET_BYTES > room_bytes)
            continue;
        if ((ip[0] >> 4 == 4 ? ip[9] : ip[6]) != IPPROTO_TCP)
            continue;
        memcpy(packet, ip, (size_t)length - VNET_BYTES);
        return (size_t)length - VNET_BYTES;
    }
    return 0;
}

/** The Internet checksum, the simple way [RFC1071]. */
static uint16_t sum_up(uint32_t sum, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/** Answers the packet with an ICMP error from the address that it went to. */
static bool answer_icmp(int tun_fd, const struct icmp_row *row, const uint8_t *syn, size_t length)
{
    uint8_t out[VNET_BYTES + 512] = {0};
    uint8_t *ip = out + VNET_BYTES, *icmp = ip + (row->v4 ? 20 : 40);
    size_t icmp_bytes = 8 + length;
    uint32_t pseudo = 0;
    if (row->v4) {
        ip[0] = 0x45;
        hf_put16(ip + 2, (uint16_t)(20 + icmp_bytes));
        ip[8] = 64;
        ip[9] = IPPROTO_ICMP;
        memcpy(ip + 12, syn + 16, 4);
        memcpy(ip + 16, syn + 12, 4);
        hf_put16(ip + 10, sum_up(0, ip, 20));
    } else {
        ip[0] = 0x60;
        hf_put16(ip + 4, (uint16_t)icmp_bytes);
        ip[6] = IPPROTO_ICMPV6;
        ip[7] = 64;
        memcpy(ip + 8, syn + 24, 16);
        memcpy(ip + 24, syn + 8, 16);
        pseudo = (uint32_t)(uint16_t)~sum_up(0, ip + 8, 32) + (uint32_t)icmp_bytes + IPPROTO_ICMPV6;
    }
    icmp[0] = row->type;
    icmp[1] = row->code;
    memcpy(icmp + 8, syn, length);
    hf_put16(icmp + 2, sum_up(pseudo, icmp, icmp_bytes));
    size_t total = (size_t)(icmp - out) + icmp_bytes;
    return write(tun_fd, out, total) == (ssize_t)total;
}

static int run_on_wire(const void *argument)
{
    (void)argument;
    static const struct icmp_row rows[] = {
        {true, 3, 0, HF_REFUSE_NET_UNREACHABLE},
        {true, 3, 1, HF_REFUSE_HOST_UNREACHABLE},
        {true, 3, 3, HF_REFUSE_RESET},
        {true, 3, 9, HF_REFUSE_PROHIBITED},
        {true, 3, 10, HF_REFUSE_PROHIBITED},
        {true, 3, 13, HF_REFUSE_PROHIBITED},
        {false, 1, 0, HF_REFUSE_NET_UNREACHABLE},
        {false, 1, 1, HF_REFUSE_PROHIBITED},
        {false, 1, 3, HF_REFUSE_HOST_UNREACHABLE},
        {false, 1, 4, HF_REFUSE_RESET},
        {false, 1, 5, HF_REFUSE_PROHIBITED},
        {false, 1, 6, HF_REFUSE_PROHIBITED},
    };
    struct hf_namespace_config cfg;
    struct hf_why why;
    int tun_fd, ipv6_errno = 0;
    hf_namespace_config_init(&cfg);
    if (unshare(CLONE_NEWNET) < 0)
        return SKIP;
    const struct hf_upstream_config upstream_cfg = config();
    struct hf_endpoint to = {.addr = hf_addr_v4(192, 0, 2, 1), .port = 80};
    struct hf_upstream u;
    MUST(hf_upstream_open(&u, &upstream_cfg, &to) == HF_E_REFUSED); /* no route at all */
    MUST(u.refusal == HF_REFUSE_NET_UNREACHABLE);
    if (hf_interface_make(&cfg, &tun_fd, &ipv6_errno, &why) != HF_OK)
        return SKIP;
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++) {
        uint8_t syn[256];
        if (!rows[i].v4 && ipv6_errno != 0)
            continue;
        if (!rows[i].v4)
            to.addr = (struct hf_addr){{0x20, 0x01, 0x0d, 0xb8, [15] = (uint8_t)(i + 1)}};
        MUST(hf_upstream_open(&u, &upstream_cfg, &to) == HF_OK);
        MUST(u.state == HF_UPSTREAM_CONNECTING);
        MUST(hf_upstream_progress(&u) == HF_OK && u.state == HF_UPSTREAM_CONNECTING);
        size_t length = read_syn(tun_fd, syn, sizeof syn);
        MUST(length >= 40);
        MUST(answer_icmp(tun_fd, &rows[i], syn, length));
        MUST(wait_for(u.fd, POLLOUT, PATIENCE_MS));
        MUST(hf_upstream_progress(&u) == HF_E_REFUSED);
        if (u.refusal != rows[i].refusal)
            (void)fprintf(stderr, "row %zu: %d, errno %d\n", i, (int)u.refusal, u.sys_errno);
        MUST(u.refusal == rows[i].refusal);
        MUST(u.fd == -1);
    }
    MUST(close(tun_fd) == 0);
    return 0;
}

static void icmp_errors_keep_their_meaning(void **state)
{
    (void)state;
    int code = in_process(run_on_wire, NULL);
    if (code == SKIP)
        skip();
    assert_int_equal(code, 0);
}

/** Nobody answers, and the kernel gives up. */
static int run_into_silence(const void *argument)
{
    (void)argument;
    struct hf_namespace_config cfg;
    struct hf_why why;
    int tun_fd, ipv6_errno = 0;
    const struct hf_upstream_config upstream_cfg = config();
    const struct hf_endpoint to = {.addr = hf_addr_v4(192, 0, 2, 1), .port = 80};
    struct hf_upstream u;
    hf_namespace_config_init(&cfg);
    if (unshare(CLONE_NEWNET) < 0 || hf_interface_make(&cfg, &tun_fd, &ipv6_errno, &why) != HF_OK)
        return SKIP;
    MUST(hf_upstream_open(&u, &upstream_cfg, &to) == HF_OK);
    unsigned patience_ms = 100;
    MUST(setsockopt(u.fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience_ms, sizeof patience_ms) == 0);
    MUST(wait_for(u.fd, POLLOUT, PATIENCE_MS));
    MUST(hf_upstream_progress(&u) == HF_E_REFUSED);
    MUST(u.sys_errno == ETIMEDOUT);
    MUST(u.refusal == HF_REFUSE_SILENTLY);
    MUST(close(tun_fd) == 0);
    return 0;
}

static void silence_outside_is_silence_inside(void **state)
{
    (void)state;
    int code = in_process(run_into_silence, NULL);
    if (code == SKIP)
        skip();
    assert_int_equal(code, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_address_means_the_host),
        cmocka_unit_test(without_the_setting_nothing_means_the_host),
        cmocka_unit_test(bytes_go_both_ways),
        cmocka_unit_test(bytes_go_both_ways_over_ipv6),
        cmocka_unit_test(a_half_close_leaves_the_other_direction_open),
        cmocka_unit_test(a_fin_lets_us_go_on_writing),
        cmocka_unit_test(a_full_socket_takes_part_and_loses_nothing),
        cmocka_unit_test(a_reset_is_not_an_end),
        cmocka_unit_test(a_reset_is_seen_without_reading),
        cmocka_unit_test(a_reset_is_seen_by_a_half_close),
        cmocka_unit_test(close_sends_fin_and_abort_sends_rst),
        cmocka_unit_test(a_closed_port_refuses),
        cmocka_unit_test(each_failure_has_its_refusal),
        cmocka_unit_test(icmp_errors_keep_their_meaning),
        cmocka_unit_test(silence_outside_is_silence_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
