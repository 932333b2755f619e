#include "socket_ends.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <handfast/host.h>

#include "host/kernel_sockets.h"

enum { BATCH = 16, PACKET_BYTES = 65536, UNDER_WAY_MAX = 4096, STEP_MS = 10 };

/* ---- two stacks --------------------------------------------------------------------------- */

static void *take_memory(void *ctx, void *ptr, size_t old_bytes, size_t new_bytes)
{
    (void)ctx;
    (void)old_bytes;
    if (new_bytes == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, new_bytes);
}

static struct hf_addr address_of(bool v6, unsigned end)
{
    uint8_t host = (uint8_t)(end + 1);
    return v6 ? (struct hf_addr){{0xfd, [15] = host}} : hf_addr_v4(10, 0, 0, host);
}

void socket_ends_open(struct socket_ends *e, const struct hf_config *config)
{
    struct hf_config linux_config;
    hf_config_profile(&linux_config, sizeof linux_config, HF_PROFILE_LINUX);
    *e = (struct socket_ends){.kernel = false};
    for (unsigned end = 0; end < ENDS; end++) {
        struct hf_env env = {.realloc = take_memory, .seed = {(uint8_t)end}};
        struct hf_addr v4 = address_of(false, end), v6 = address_of(true, end);
        if (hf_stack_new(&e->stacks[end], config != NULL ? config : &linux_config, &env, 0) !=
                HF_OK ||
            hf_stack_add_address(e->stacks[end], &v4, 32) != HF_OK ||
            hf_stack_add_address(e->stacks[end], &v6, 128) != HF_OK ||
            hf_sockets_new(&e->sockets[end], e->stacks[end], 0) != HF_OK)
            abort();
        e->posix[end] = hf_sockets_posix(e->sockets[end]);
    }
}

static size_t flatten(const struct hf_out_packet *p, uint8_t *bytes)
{
    size_t n = p->header_bytes;
    memcpy(bytes, p->header, n);
    for (size_t i = 0; i < p->slice_count; i++) {
        memcpy(bytes + n, p->slices[i].bytes, p->slices[i].length_bytes);
        n += p->slices[i].length_bytes;
    }
    return n;
}

/** Carries what an end has to send. Returns whether there was anything. */
static bool carry(struct socket_ends *e, unsigned end)
{
    static uint8_t bytes[PACKET_BYTES];
    struct hf_out_packet out;
    bool any = false;
    while (hf_stack_output(e->stacks[end], &out, 1, e->now_ns) > 0) {
        any = true;
        struct hf_packet in = {.bytes = bytes, .length_bytes = (uint32_t)flatten(&out, bytes)};
        in.segment_bytes = out.segment_bytes;
        in.flags = out.flags;
        if (!e->cut)
            hf_stack_input(e->stacks[1 - end], &in, 1, e->now_ns);
    }
    return any;
}

static void settle(struct socket_ends *e)
{
    bool any = true;
    while (any) {
        any = false;
        for (unsigned end = 0; end < ENDS; end++) {
            while (hf_stack_expire(e->stacks[end], e->now_ns, BATCH))
                any = true;
            any |= carry(e, end);
        }
        for (unsigned end = 0; end < ENDS; end++)
            hf_sockets_update(e->sockets[end], e->now_ns);
    }
}

/* ---- the kernel --------------------------------------------------------------------------- */

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    return close(fd) == 0 && written;
}

/* Without root: root of a user namespace of one's own. */
static bool enter_namespace(void)
{
    char map[64];
    if (geteuid() == 0)
        return unshare(CLONE_NEWNET) == 0;
    (void)snprintf(map, sizeof map, "0 %u 1", geteuid());
    return unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 && write_file("/proc/self/uid_map", map);
}

bool socket_ends_open_kernel(struct socket_ends *e)
{
    struct hf_why why;
    *e = (struct socket_ends){.kernel = true};
    if (!enter_namespace() || hf_netif_up("lo", &why) != HF_OK)
        return false;
    for (unsigned end = 0; end < ENDS; end++)
        e->posix[end] = hf_kernel_sockets();
    return true;
}

/* ---- both --------------------------------------------------------------------------------- */

void socket_ends_close(struct socket_ends *e)
{
    for (unsigned end = 0; end < ENDS && !e->kernel; end++) {
        hf_sockets_free(e->sockets[end]);
        hf_stack_free(e->stacks[end]);
    }
}

void socket_ends_run(struct socket_ends *e, hf_ns span_ns)
{
    hf_ns until = e->now_ns + span_ns;
    if (e->kernel) {
        struct timespec t = {.tv_nsec = (long)(span_ns < HF_MS(5) ? span_ns : HF_MS(5))};
        nanosleep(&t, NULL);
        e->now_ns = until;
        return;
    }
    settle(e);
    while (e->now_ns < until) {
        hf_ns next = until;
        for (unsigned end = 0; end < ENDS; end++) {
            hf_ns deadline = hf_stack_deadline(e->stacks[end]);
            next = deadline < next ? deadline : next;
        }
        e->now_ns = next > e->now_ns ? next : e->now_ns + HF_US(1);
        settle(e);
    }
}

struct sockaddr_in socket_ends_v4(const struct socket_ends *e, unsigned end, uint16_t port)
{
    uint32_t host = e->kernel ? INADDR_LOOPBACK : 0x0a000001 + end;
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(host)};
}

struct sockaddr_in6 socket_ends_v6(const struct socket_ends *e, unsigned end, uint16_t port)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct hf_addr ours = address_of(true, end);
    if (e->kernel)
        a.sin6_addr = (struct in6_addr)IN6ADDR_LOOPBACK_INIT;
    else
        memcpy(&a.sin6_addr, ours.octets, sizeof a.sin6_addr);
    return a;
}

#define CALL(e, end, name, ...) ((e)->posix[end].calls->name((e)->posix[end].self, __VA_ARGS__))

/** Lets some time pass for a call that waits; false when it has waited long enough. */
static bool go_on(struct socket_ends *e, hf_ns *waited_ns)
{
    hf_ns limit_ns = e->kernel ? HF_MS(500) : HF_SEC(10);
    socket_ends_run(e, HF_MS(STEP_MS));
    *waited_ns += HF_MS(STEP_MS);
    return *waited_ns < limit_ns;
}

int end_socket(struct socket_ends *e, unsigned end, int family)
{
    int fd = CALL(e, end, socket, family, SOCK_STREAM, IPPROTO_TCP);
    assert_true(fd >= 3);
    return fd;
}

int end_listen(struct socket_ends *e, unsigned end, int family, uint16_t port, int backlog)
{
    struct sockaddr_in v4 = socket_ends_v4(e, end, port);
    struct sockaddr_in6 v6 = socket_ends_v6(e, end, port);
    int fd = end_socket(e, end, family);
    assert_int_equal(end_set(e, end, fd, SOL_SOCKET, SO_REUSEADDR, 1), 0);
    if (family == AF_INET)
        assert_int_equal(CALL(e, end, bind, fd, (struct sockaddr *)&v4, sizeof v4), 0);
    else
        assert_int_equal(CALL(e, end, bind, fd, (struct sockaddr *)&v6, sizeof v6), 0);
    assert_int_equal(CALL(e, end, listen, fd, backlog), 0);
    return fd;
}

int end_connect(struct socket_ends *e, unsigned end, int fd, unsigned to, int family, uint16_t port)
{
    struct sockaddr_in v4 = socket_ends_v4(e, to, port);
    struct sockaddr_in6 v6 = socket_ends_v6(e, to, port);
    const struct sockaddr *address = (struct sockaddr *)&v4;
    socklen_t length = sizeof v4;
    if (family == AF_INET6) {
        address = (struct sockaddr *)&v6;
        length = sizeof v6;
    }
    struct hf_posix_wait wait = {0};
    hf_ns waited_ns = 0;
    int r;
    do {
        r = CALL(e, end, connect, fd, address, length, &wait);
    } while (r == HF_POSIX_WAIT && go_on(e, &waited_ns));
    socket_ends_run(e, 0);
    return r;
}

int end_accept(struct socket_ends *e, unsigned end, int fd)
{
    struct hf_posix_wait wait = {0};
    hf_ns waited_ns = 0;
    int r;
    do {
        r = CALL(e, end, accept, fd, NULL, NULL, &wait);
    } while (r == HF_POSIX_WAIT && go_on(e, &waited_ns));
    return r;
}

ssize_t end_send(struct socket_ends *e, unsigned end, int fd, const void *bytes, size_t n,
                 int flags)
{
    union {
        const void *from;
        void *base;
    } u = {.from = bytes};
    struct iovec iov = {u.base, n};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    struct hf_posix_wait wait = {0};
    hf_ns waited_ns = 0;
    ssize_t r;
    do {
        r = CALL(e, end, sendmsg, fd, &message, flags, &wait);
    } while (r == HF_POSIX_WAIT && go_on(e, &waited_ns));
    socket_ends_run(e, 0);
    return r;
}

ssize_t end_receive(struct socket_ends *e, unsigned end, int fd, void *bytes, size_t n, int flags)
{
    struct iovec iov = {bytes, n};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    struct hf_posix_wait wait = {0};
    hf_ns waited_ns = 0;
    ssize_t r;
    do {
        r = CALL(e, end, recvmsg, fd, &message, flags, &wait);
    } while (r == HF_POSIX_WAIT && go_on(e, &waited_ns));
    socket_ends_run(e, 0);
    return r;
}

int end_close(struct socket_ends *e, unsigned end, int fd)
{
    struct hf_posix_wait wait = {0};
    hf_ns waited_ns = 0;
    int r;
    do {
        r = CALL(e, end, close, fd, &wait);
    } while (r == HF_POSIX_WAIT && go_on(e, &waited_ns));
    socket_ends_run(e, 0);
    return r;
}

int end_shutdown(struct socket_ends *e, unsigned end, int fd, int how)
{
    int r = CALL(e, end, shutdown, fd, how);
    socket_ends_run(e, 0);
    return r;
}

int end_set(struct socket_ends *e, unsigned end, int fd, int level, int name, int value)
{
    return CALL(e, end, setsockopt, fd, level, name, &value, sizeof value);
}

int end_get(struct socket_ends *e, unsigned end, int fd, int level, int name)
{
    int value = 0;
    socklen_t length = sizeof value;
    int err = CALL(e, end, getsockopt, fd, level, name, &value, &length);
    return err != 0 ? err : value;
}

int end_nonblocking(struct socket_ends *e, unsigned end, int fd, bool on)
{
    return CALL(e, end, fcntl, fd, F_SETFL, on ? O_RDWR | O_NONBLOCK : O_RDWR);
}

int end_poll(struct socket_ends *e, unsigned end, int fd)
{
    struct hf_posix_wait wait = {0};
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP};
    int r = CALL(e, end, poll, &p, 1, 0, &wait);
    return r < 0 ? r : p.revents;
}

void end_pair(struct socket_ends *e, int family, uint16_t port, int fds[ENDS])
{
    int listener = end_listen(e, END_B, family, port, 1);
    fds[END_A] = end_socket(e, END_A, family);
    assert_int_equal(end_connect(e, END_A, fds[END_A], END_B, family, port), 0);
    fds[END_B] = end_accept(e, END_B, listener);
    assert_true(fds[END_B] >= 3);
    assert_int_equal(end_close(e, END_B, listener), 0);
}

/* ---- running tests ------------------------------------------------------------------------ */

static struct socket_ends shared;

static int open_stacks(void **state)
{
    socket_ends_open(&shared, NULL);
    *state = &shared;
    return 0;
}

static int show_kernel(void **state)
{
    *state = &shared;
    return 0;
}

static int close_ends(void **state)
{
    socket_ends_close(*state);
    return 0;
}

int socket_ends_main(const struct CMUnitTest *tests, size_t count)
{
    enum { SKIPPED = 77 };
    int failed = _cmocka_run_group_tests("stacks", tests, count, open_stacks, close_ends);
    if (failed != 0)
        return failed;
    if (!socket_ends_open_kernel(&shared))
        return SKIPPED;
    return _cmocka_run_group_tests("kernel", tests, count, show_kernel, close_ends);
}
