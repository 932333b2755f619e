/* What socket calls make of packets, and packets of calls: a peer played by hand. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include <cmocka.h>

#include "lab/drill/tcp_info.h"
#include "lab/peer.h"
#include "sockets/sockets.h"

struct desk {
    struct hf_rig rig;
    struct hf_peer peer;
    struct hf_sockets *sockets;
    struct hf_posix posix;
};

#define CALL(d, name, ...) ((d)->posix.calls->name((d)->posix.self, __VA_ARGS__))

static void open_desk(struct desk *d)
{
    struct hf_config config;
    hf_config_profile(&config, sizeof config, HF_PROFILE_LINUX);
    config.timestamps = config.sack = 0;
    config.window_scale = -1;
    struct hf_rig_config rig = {.config = &config, .seed = 3};
    *d = (struct desk){0};
    assert_int_equal(hf_rig_open(&d->rig, &rig), HF_OK);
    assert_int_equal(hf_sockets_new(&d->sockets, d->rig.stack, 0), HF_OK);
    d->posix = hf_sockets_posix(d->sockets);
    hf_peer_open(&d->peer, &d->rig, false, 4000, 80, 1000);
}

static void close_desk(struct desk *d)
{
    hf_sockets_free(d->sockets);
    hf_rig_close(&d->rig);
}

/* After calls and packets: events in, packets out. */
static void turn(struct desk *d)
{
    hf_sockets_update(d->sockets, d->rig.now_ns);
    hf_rig_pull(&d->rig);
}

static void say(struct desk *d, const char *text)
{
    hf_peer_send(&d->peer, text);
    turn(d);
}

static void wait_for(struct desk *d, hf_ns span_ns)
{
    hf_rig_wait(&d->rig, span_ns);
    turn(d);
}

static int new_socket(struct desk *d)
{
    int fd = CALL(d, socket, AF_INET, SOCK_STREAM, 0);
    assert_int_equal(fd >= 3, 1);
    return fd;
}

static int set(struct desk *d, int fd, int level, int name, int value)
{
    int err = CALL(d, setsockopt, fd, level, name, &value, sizeof value);
    turn(d);
    return err;
}

static int bind_to(struct desk *d, int fd, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    return CALL(d, bind, fd, (struct sockaddr *)&a, sizeof a);
}

static int connect_peer(struct desk *d, int fd, struct hf_posix_wait *wait)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(d->peer.here.port)};
    a.sin_addr.s_addr = htonl(0x0a000002);
    int r = CALL(d, connect, fd, (struct sockaddr *)&a, sizeof a, wait);
    turn(d);
    return r;
}

static ssize_t send_bytes(struct desk *d, int fd, size_t n, struct hf_posix_wait *wait)
{
    static uint8_t bytes[1 << 16];
    struct iovec iov = {bytes, n};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t r = CALL(d, sendmsg, fd, &message, 0, wait);
    turn(d);
    return r;
}

static ssize_t receive_bytes(struct desk *d, int fd, struct hf_posix_wait *wait)
{
    static uint8_t bytes[1 << 16];
    struct iovec iov = {bytes, sizeof bytes};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t r = CALL(d, recvmsg, fd, &message, 0, wait);
    turn(d);
    return r;
}

/* A connection of port 80, opened by us; what was said on the way was popped. */
static int connected(struct desk *d)
{
    struct hf_posix_wait wait = {0};
    int fd = new_socket(d);
    assert_int_equal(bind_to(d, fd, 80), 0);
    assert_int_equal(connect_peer(d, fd, &wait), HF_POSIX_WAIT);
    assert_true(hf_peer_expect(&d->peer, "S seq 0 <mss 1460>"));
    say(d, "S. seq 0 ack 1 win 60000 <mss 1000>");
    assert_true(hf_peer_expect(&d->peer, ". seq 1 ack 1"));
    assert_int_equal(connect_peer(d, fd, &wait), 0);
    return fd;
}

/* ---- how connecting fails ----------------------------------------------------------------- */

static void connecting_fails_as_the_network_says(void **state)
{
    (void)state;
    static const struct {
        uint8_t type, code;
        int error;
    } cases[] = {
        {3, 0, ENETUNREACH},  {3, 1, EHOSTUNREACH},  {3, 13, EHOSTUNREACH},
        {3, 3, ECONNREFUSED}, {11, 0, EHOSTUNREACH}, {0, 0, ETIMEDOUT}, /* nothing is said */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct desk d;
        struct hf_posix_wait wait = {0};
        open_desk(&d);
        int fd = new_socket(&d);
        assert_int_equal(bind_to(&d, fd, 80), 0);
        assert_int_equal(set(&d, fd, IPPROTO_TCP, TCP_SYNCNT, 1), 0);
        assert_int_equal(connect_peer(&d, fd, &wait), HF_POSIX_WAIT);
        assert_true(hf_peer_expect(&d.peer, "S seq 0"));
        if (cases[i].type != 0)
            hf_peer_send_icmp(&d.peer, cases[i].type, cases[i].code, 0);
        turn(&d);
        wait_for(&d, HF_SEC(10));
        assert_in_range(hf_peer_skip(&d.peer), 0, 1);
        assert_int_equal(connect_peer(&d, fd, &wait), -cases[i].error);
        close_desk(&d);
    }
}

static void a_timeout_ends_waiting_for_a_connection(void **state)
{
    (void)state;
    struct desk d;
    struct hf_posix_wait wait = {0};
    struct timeval t = {.tv_sec = 1};
    open_desk(&d);
    int fd = new_socket(&d);
    assert_int_equal(bind_to(&d, fd, 80), 0);
    assert_int_equal(CALL(&d, setsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t), 0);
    assert_int_equal(connect_peer(&d, fd, &wait), HF_POSIX_WAIT);
    wait_for(&d, HF_MS(1500));
    assert_int_equal(connect_peer(&d, fd, &wait), -EINPROGRESS); /* it goes on by itself */
    hf_peer_skip(&d.peer);
    say(&d, "S. seq 0 ack 1 <mss 1000>");
    wait = (struct hf_posix_wait){0};
    assert_int_equal(connect_peer(&d, fd, &wait), 0);
    close_desk(&d);
}

/* ---- listening ---------------------------------------------------------------------------- */

static bool shakes_hands(struct desk *d, uint16_t port)
{
    struct hf_peer p;
    hf_peer_open(&p, &d->rig, false, port, 80, port * 1000u);
    hf_peer_send(&p, "S seq 0 <mss 1000>");
    turn(d);
    if (!hf_peer_pop(&p))
        return false;
    hf_peer_send(&p, ". seq 1 ack 1");
    turn(d);
    return true;
}

/* One more than listen was told, as on Linux; who is accepted makes room. */
static void the_backlog_is_kept(void **state)
{
    (void)state;
    struct desk d;
    struct hf_posix_wait wait = {0};
    open_desk(&d);
    int fd = new_socket(&d);
    assert_int_equal(bind_to(&d, fd, 80), 0);
    assert_int_equal(CALL(&d, listen, fd, 1), 0);
    assert_true(shakes_hands(&d, 4001));
    assert_true(shakes_hands(&d, 4002));
    assert_false(shakes_hands(&d, 4003));
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    assert_int_equal(CALL(&d, accept, fd, (struct sockaddr *)&from, &length, &wait), fd + 1);
    assert_int_equal(ntohs(from.sin_port), 4001);
    assert_true(shakes_hands(&d, 4003));
    assert_false(shakes_hands(&d, 4004));
    assert_int_equal(CALL(&d, listen, fd, 2), 0);
    assert_true(shakes_hands(&d, 4004));
    assert_false(shakes_hands(&d, 4005));
    close_desk(&d);
}

/* What is asked for on a listener goes out with its SYN,ACK, and is what an accepted one has. */
static void a_segment_size_is_asked_for(void **state)
{
    (void)state;
    struct desk d;
    struct hf_posix_wait wait = {0};
    struct tcp_info info;
    socklen_t length = sizeof info;
    open_desk(&d);
    int fd = new_socket(&d);
    assert_int_equal(set(&d, fd, SOL_SOCKET, SO_RCVBUF, 30000), 0);
    assert_int_equal(bind_to(&d, fd, 80), 0);
    assert_int_equal(CALL(&d, listen, fd, 1), 0);
    assert_int_equal(set(&d, fd, IPPROTO_TCP, TCP_MAXSEG, 1100), 0);
    say(&d, "S seq 0 <mss 1300>");
    assert_true(hf_peer_expect(&d.peer, "S. seq 0 ack 1 win 30000 <mss 1100>"));
    say(&d, ". ack 1");
    int child = CALL(&d, accept, fd, NULL, NULL, &wait);
    assert_int_equal(child, fd + 1);
    assert_int_equal(CALL(&d, getsockopt, child, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
    assert_int_equal(info.tcpi_advmss, 1100);
    assert_int_equal(info.tcpi_snd_mss, 1100);
    close_desk(&d);
}

/* Data went both ways, more of it waits: a field shows something only if it is told. */
static void fields_that_are_not_told_are_zero(void **state)
{
    (void)state;
    struct desk d;
    struct hf_posix_wait wait = {0}, again = {0};
    struct hf_tcp_info info = {.length = sizeof info.bytes};
    const char *name;
    int64_t value;
    open_desk(&d);
    int fd = connected(&d);
    assert_int_equal(send_bytes(&d, fd, 3000, &wait), 3000);
    say(&d, ". seq 1:101 ack 3001");
    assert_int_equal(send_bytes(&d, fd, 20000, &again), 20000);
    assert_int_equal(CALL(&d, getsockopt, fd, IPPROTO_TCP, TCP_INFO, info.bytes, &info.length), 0);
    for (size_t i = 0; (name = hf_tcp_info_name(i)) != NULL; i++) {
        assert_true(hf_tcp_info_value(&info, name, &value));
        if (value != 0 && !hf_sockets_tell(name))
            fail_msg("%s is %lld, and not told", name, (long long)value);
    }
    assert_true(hf_tcp_info_value(&info, "tcpi_bytes_received", &value));
    assert_int_equal(value, 100);
    assert_false(hf_sockets_tell("tcpi_segs_in"));
    close_desk(&d);
}

/* ---- data --------------------------------------------------------------------------------- */

static void a_write_waits_until_all_is_taken(void **state)
{
    (void)state;
    struct desk d;
    struct hf_posix_wait wait = {0};
    open_desk(&d);
    int fd = connected(&d), unsent = 0;
    assert_int_equal(set(&d, fd, SOL_SOCKET, SO_SNDBUF, 2000), 0);
    assert_int_equal(send_bytes(&d, fd, 3000, &wait), HF_POSIX_WAIT);
    assert_int_equal(CALL(&d, ioctl, fd, SIOCOUTQ, &unsent), 0);
    assert_int_equal(unsent, 2000);
    assert_int_equal(hf_peer_skip(&d.peer), 2);
    say(&d, ". ack 2001");
    assert_int_equal(send_bytes(&d, fd, 3000, &wait), 3000);
    assert_true(hf_peer_expect(&d.peer, "P. seq 2001:3001 ack 1"));
    wait = (struct hf_posix_wait){0};
    say(&d, ". ack 3001");
    assert_int_equal(CALL(&d, fcntl, fd, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(send_bytes(&d, fd, 3000, &wait), 2000); /* as much as there is room for */
    wait = (struct hf_posix_wait){0};
    assert_int_equal(send_bytes(&d, fd, 3000, &wait), -EAGAIN);
    close_desk(&d);
}

/* A write that was taken in part says how much it was; why no more is for the next call to say. */
static void a_write_cut_short_leaves_the_error(void **state)
{
    (void)state;
    struct desk d;
    struct hf_posix_wait wait = {0};
    open_desk(&d);
    int fd = connected(&d), error = 0;
    socklen_t length = sizeof error;
    assert_int_equal(set(&d, fd, SOL_SOCKET, SO_SNDBUF, 2000), 0);
    assert_int_equal(send_bytes(&d, fd, 3000, &wait), HF_POSIX_WAIT);
    say(&d, "R seq 1");
    assert_int_equal(send_bytes(&d, fd, 3000, &wait), 2000);
    assert_int_equal(CALL(&d, getsockopt, fd, SOL_SOCKET, SO_ERROR, &error, &length), 0);
    assert_int_equal(error, ECONNRESET);
    wait = (struct hf_posix_wait){0};
    assert_int_equal(send_bytes(&d, fd, 3000, &wait), -EPIPE);
    close_desk(&d);
}

static void the_user_timeout_is_an_error_to_readers(void **state)
{
    (void)state;
    struct desk d;
    struct hf_posix_wait wait = {0}, reading = {0};
    open_desk(&d);
    int fd = connected(&d);
    assert_int_equal(set(&d, fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 3000), 0);
    assert_int_equal(send_bytes(&d, fd, 10, &wait), 10);
    assert_int_equal(receive_bytes(&d, fd, &reading), HF_POSIX_WAIT);
    wait_for(&d, HF_SEC(4));
    assert_int_equal(receive_bytes(&d, fd, &reading), -ETIMEDOUT);
    assert_int_equal(receive_bytes(&d, fd, &reading), 0);
    wait = (struct hf_posix_wait){0};
    assert_int_equal(send_bytes(&d, fd, 10, &wait), -EPIPE);
    close_desk(&d);
}

/* ---- closing ------------------------------------------------------------------------------ */

static void linger(struct desk *d, int fd, int seconds)
{
    struct linger l = {.l_onoff = 1, .l_linger = seconds};
    assert_int_equal(CALL(d, setsockopt, fd, SOL_SOCKET, SO_LINGER, &l, sizeof l), 0);
}

static int close_it(struct desk *d, int fd, struct hf_posix_wait *wait)
{
    int r = CALL(d, close, fd, wait);
    turn(d);
    return r;
}

static void close_lingers_until_all_is_acknowledged(void **state)
{
    (void)state;
    struct desk d;
    struct hf_posix_wait wait = {0}, closing = {0}, other = {0};
    open_desk(&d);
    int fd = connected(&d);
    linger(&d, fd, 5);
    assert_int_equal(send_bytes(&d, fd, 10, &wait), 10);
    assert_int_equal(close_it(&d, fd, &closing), HF_POSIX_WAIT);
    assert_int_equal(receive_bytes(&d, fd, &other), -EBADF); /* it is on its way */
    assert_true(hf_peer_expect(&d.peer, "P. seq 1:11 ack 1"));
    assert_true(hf_peer_expect(&d.peer, "F. seq 11 ack 1"));
    wait_for(&d, HF_MS(100));
    assert_int_equal(close_it(&d, fd, &closing), HF_POSIX_WAIT);
    say(&d, ". ack 12");
    assert_int_equal(close_it(&d, fd, &closing), 0);
    assert_int_equal(new_socket(&d), fd); /* free again */
    close_desk(&d);
}

static void close_lingers_no_longer_than_told(void **state)
{
    (void)state;
    struct desk d;
    struct hf_posix_wait wait = {0}, closing = {0};
    open_desk(&d);
    int fd = connected(&d);
    linger(&d, fd, 2);
    assert_int_equal(send_bytes(&d, fd, 10, &wait), 10);
    assert_int_equal(close_it(&d, fd, &closing), HF_POSIX_WAIT);
    wait_for(&d, HF_MS(1900));
    assert_int_equal(close_it(&d, fd, &closing), HF_POSIX_WAIT);
    wait_for(&d, HF_MS(200));
    assert_int_equal(close_it(&d, fd, &closing), 0);
    hf_peer_skip(&d.peer);
    assert_int_equal(hf_peer_state(&d.peer), HF_FIN_WAIT_1); /* and goes on by itself */
    close_desk(&d);
}

/* A port with a connection in TIME-WAIT is for those who say that they know. */
static void time_wait_keeps_the_port(void **state)
{
    (void)state;
    struct desk d;
    struct hf_posix_wait wait = {0};
    open_desk(&d);
    int fd = connected(&d);
    assert_int_equal(close_it(&d, fd, &wait), 0);
    assert_true(hf_peer_expect(&d.peer, "F. seq 1 ack 1"));
    say(&d, "F. seq 1 ack 2");
    assert_int_equal(hf_peer_state(&d.peer), HF_TIME_WAIT);
    fd = new_socket(&d);
    assert_int_equal(bind_to(&d, fd, 80), -EADDRINUSE);
    assert_int_equal(set(&d, fd, SOL_SOCKET, SO_REUSEADDR, 1), 0);
    assert_int_equal(bind_to(&d, fd, 80), 0);
    close_desk(&d);
}

static void descriptors_run_out(void **state)
{
    (void)state;
    struct desk d;
    struct hf_posix_wait wait = {0};
    open_desk(&d);
    for (int i = 0; i < 1024; i++)
        assert_int_equal(new_socket(&d), 3 + i);
    assert_int_equal(CALL(&d, socket, AF_INET, SOCK_STREAM, 0), -EMFILE);
    assert_int_equal(bind_to(&d, 3, 80), 0);
    assert_int_equal(CALL(&d, listen, 3, 1), 0);
    assert_true(shakes_hands(&d, 4001));
    assert_int_equal(CALL(&d, accept, 3, NULL, NULL, &wait), -EMFILE); /* it stays in the queue */
    assert_int_equal(close_it(&d, 500, &wait), 0);
    assert_int_equal(CALL(&d, accept, 3, NULL, NULL, &wait), 500);
    close_desk(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connecting_fails_as_the_network_says),
        cmocka_unit_test(a_timeout_ends_waiting_for_a_connection),
        cmocka_unit_test(the_backlog_is_kept),
        cmocka_unit_test(a_segment_size_is_asked_for),
        cmocka_unit_test(fields_that_are_not_told_are_zero),
        cmocka_unit_test(a_write_waits_until_all_is_taken),
        cmocka_unit_test(a_write_cut_short_leaves_the_error),
        cmocka_unit_test(the_user_timeout_is_an_error_to_readers),
        cmocka_unit_test(close_lingers_until_all_is_acknowledged),
        cmocka_unit_test(close_lingers_no_longer_than_told),
        cmocka_unit_test(time_wait_keeps_the_port),
        cmocka_unit_test(descriptors_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
