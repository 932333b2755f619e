/**
 * Stacks on threads of their own that share an Ethernet interface: packet links of a group, whose
 * flows the kernel spreads by a hash of its own, and the wrapper that hands each packet to the
 * stack that has its conversation. Needs root; without it it is skipped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "ether_bench.h"

enum {
    SKIPPED = 77,
    THREADS = 2,
    CONNS = 100,
    ROUNDS = 3,
    GROUP = 4711,
    PIECE = 3000,
    OUR_PORT = 7
};

struct server {
    pthread_t thread;
    struct hf_link *link;
    struct hf_stack *stack;
    struct hf_loop *loop;
    hf_handle outgoing;
    unsigned accepted, connected;
};

static struct server servers[THREADS];
static const uint8_t key[16] = {7, 7, 7};

/** An echo, also on the connection that it has opened itself. */
static void on_events(void *ctx, struct hf_loop *loop, hf_ns now)
{
    struct server *me = ctx;
    struct hf_event e;
    (void)loop;
    while (hf_stack_event(me->stack, &e)) {
        uint8_t bytes[4096];
        int64_t n = 0;
        me->accepted += (e.bits & HF_EV_ACCEPTED) != 0;
        me->connected += (e.bits & HF_EV_CONNECTED) != 0;
        if ((e.bits & (HF_EV_READABLE | HF_EV_PEER_CLOSED)) != 0)
            while ((n = hf_receive(me->stack, e.handle, bytes, sizeof bytes, now)) > 0)
                (void)!hf_send(me->stack, e.handle, bytes, (size_t)n, 0, now);
        if (n == HF_E_END || (e.bits & HF_EV_CLOSED) != 0)
            (void)!hf_close(me->stack, e.handle, now);
    }
}

static void *serve(void *ctx)
{
    struct server *me = ctx;
    struct hf_why why;
    return hf_loop_run(me->loop, &why) == HF_OK ? NULL : me;
}

static void open_links(struct hf_link *links[THREADS])
{
    const struct hf_ether_address own = {veth_addr("10.9.0.2"), 24};
    struct hf_why why = {.text = ""};
    veth_go_ours();
    for (uint8_t i = 0; i < THREADS; i++) {
        const struct hf_packet_link_config cfg = {
            .ether = {.interface = "hf1", .addrs = &own, .addr_count = 1},
            .fanout_group = GROUP,
            .fanout_member = i};
        if (hf_link_packet_open(&links[i], &cfg, &why) != HF_OK)
            fail_msg("%s", why.text);
    }
    veth_go_home();
    assert_int_equal(HF_OK, hf_link_shards(links, THREADS, key, &why));
}

/* A stack of the group; it listens, and connects to the kernel from a port of its own. */
static void open_server(struct server *s, uint8_t shard, struct hf_link *link, uint16_t kernel_port)
{
    const struct hf_addr own = veth_addr("10.9.0.2");
    const struct hf_listen listen = {.port = OUR_PORT, .backlog = CONNS};
    struct hf_connect out = {.local = {own, 0}, .remote = {veth_addr("10.9.0.1"), kernel_port}};
    struct hf_config cfg;
    struct hf_env env;
    struct hf_why why;
    hf_handle listener;
    *s = (struct server){.link = link};
    hf_config_init(&cfg, sizeof cfg);
    cfg.offload_checksum = 1;
    cfg.offload_super_bytes = 65535;
    assert_int_equal(HF_OK, hf_env_linux(&env, &why));
    env.shard = shard;
    assert_int_equal(HF_OK, hf_stack_new(&s->stack, &cfg, &env, hf_host_now()));
    assert_int_equal(HF_OK, hf_stack_add_address(s->stack, &own, 32));
    assert_int_equal(HF_OK, hf_listen(s->stack, &listen, &listener, hf_host_now()));
    out.local.port = hf_link_shard_port(link, &own, &out.remote, 30000);
    assert_int_equal(HF_OK, hf_connect(s->stack, &out, &s->outgoing, hf_host_now()));
    const struct hf_loop_config loop = {
        .stack = s->stack, .link = link, .events = on_events, .events_ctx = s};
    assert_int_equal(HF_OK, hf_loop_new(&s->loop, &loop, &why));
    hf_link_shard_set_loop(link, s->loop);
}

static void stop_servers(void)
{
    for (unsigned i = 0; i < THREADS; i++)
        hf_loop_stop(servers[i].loop);
    for (unsigned i = 0; i < THREADS; i++) {
        void *failed;
        assert_int_equal(0, pthread_join(servers[i].thread, &failed));
        assert_null(failed);
    }
}

static void close_servers(void)
{
    for (unsigned i = 0; i < THREADS; i++) {
        hf_loop_free(servers[i].loop);
        hf_stack_free(servers[i].stack);
        hf_link_close(servers[i].link);
    }
}

static void set_patience(int fd)
{
    const struct timeval patience = {.tv_sec = 20};
    assert_int_equal(0, setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience));
}

static void exchange(int fd, unsigned n)
{
    uint8_t sent[PIECE], got[PIECE];
    memset(sent, (int)n, sizeof sent);
    assert_int_equal(sizeof sent, send(fd, sent, sizeof sent, MSG_NOSIGNAL));
    for (size_t at = 0; at < sizeof got;) {
        ssize_t k = recv(fd, got + at, sizeof got - at, 0);
        if (k <= 0)
            fail_msg("connection %u: %s", n, k == 0 ? "closed" : strerror(errno));
        at += (size_t)k;
    }
    assert_memory_equal(sent, got, sizeof got);
}

static void end(int fd)
{
    uint8_t byte;
    assert_int_equal(0, shutdown(fd, SHUT_WR));
    assert_int_equal(0, recv(fd, &byte, 1, 0));
    (void)close(fd);
}

static int listen_here(uint16_t *port)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    socklen_t bytes = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    set_patience(fd);
    assert_int_equal(0, bind(fd, (struct sockaddr *)&in, sizeof in));
    assert_int_equal(0, listen(fd, THREADS));
    assert_int_equal(0, getsockname(fd, (struct sockaddr *)&in, &bytes));
    *port = ntohs(in.sin_port);
    return fd;
}

static int connect_to_us(void)
{
    const struct hf_addr own = veth_addr("10.9.0.2");
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(OUR_PORT)};
    memcpy(&there.sin_addr, own.octets + 12, 4);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    set_patience(fd);
    assert_int_equal(0, connect(fd, (struct sockaddr *)&there, sizeof there));
    return fd;
}

static void many_connections_over_a_group(void **state)
{
    static int fds[CONNS + THREADS];
    struct hf_link *links[THREADS];
    struct hf_shard_stats stats[THREADS];
    uint16_t kernel_port;
    unsigned accepted = 0;
    (void)state;
    int listener = listen_here(&kernel_port);
    open_links(links);
    for (uint8_t i = 0; i < THREADS; i++)
        open_server(&servers[i], i, links[i], kernel_port);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(0, pthread_create(&servers[i].thread, NULL, serve, &servers[i]));
    for (unsigned i = 0; i < THREADS; i++) {
        fds[i] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        assert_true(fds[i] >= 0);
        set_patience(fds[i]);
    }
    for (unsigned i = 0; i < CONNS; i++)
        fds[THREADS + i] = connect_to_us();
    for (unsigned round = 0; round < ROUNDS; round++)
        for (unsigned i = 0; i < THREADS + CONNS; i++)
            exchange(fds[i], round * CONNS + i);
    for (unsigned i = 0; i < THREADS + CONNS; i++)
        end(fds[i]);
    (void)close(listener);
    stop_servers();
    for (unsigned i = 0; i < THREADS; i++) {
        hf_link_shard_stats(servers[i].link, &stats[i]);
        accepted += servers[i].accepted;
        assert_true(servers[i].accepted > CONNS / 8);
        assert_int_equal(1, servers[i].connected);
        assert_int_equal(0, stats[i].lost);
        assert_true(stats[i].taken > 0);
    }
    assert_int_equal(CONNS, accepted);
    close_servers();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(many_connections_over_a_group)};
    struct hf_why why = {.text = "root is needed"};
    if (geteuid() == 0 && unshare(CLONE_NEWNET) == 0 && veth_make(&why))
        return cmocka_run_group_tests_name("packet shards", tests, NULL, NULL);
    (void)fprintf(stderr, "skipped: %s\n", why.text);
    return SKIPPED;
}
