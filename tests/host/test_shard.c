/* Shards: whose a packet is, the rings between them, and two threads over the queues of one TUN. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/wire/icmp.h"
#include "fake_link.h"
#include "host/ring.h"
#include "segments.h"
#include "support/test_random.h"

static const uint8_t key[16] = "a secret of ours";

/* ---- the ring ---- */

enum { RING_BYTES = 4096, PACKET_MOST = 2000 };

static void ring_open(struct hf_ring *r)
{
    memset(r, 0, sizeof *r);
    r->size_bytes = RING_BYTES;
    r->bytes = aligned_alloc(HF_RING_ALIGN, RING_BYTES);
    assert_non_null(r->bytes);
}

/** The n-th packet of a stream: its length and bytes follow from n. */
static struct hf_packet packet_of(uint32_t n, uint8_t bytes[PACKET_MOST])
{
    uint32_t length = 1 + n * 2654435761u % PACKET_MOST;
    memset(bytes, (int)(uint8_t)n, length);
    return (struct hf_packet){bytes, length, (uint16_t)n, (uint16_t)(n >> 16 & 3)};
}

static void expect_packet(const struct hf_packet *p, uint32_t n)
{
    uint8_t bytes[PACKET_MOST];
    struct hf_packet wanted = packet_of(n, bytes);
    assert_int_equal(p->length_bytes, wanted.length_bytes);
    assert_int_equal(p->segment_bytes, wanted.segment_bytes);
    assert_int_equal(p->flags, wanted.flags);
    assert_memory_equal(p->bytes, bytes, p->length_bytes);
    assert_int_equal((uintptr_t)p->bytes % HF_RING_ALIGN, 0);
}

/* In any order of putting, taking and releasing: all that was put is taken, in order, and what was
 * taken stays as it is until it is released. */
static void a_ring_keeps_order_and_bytes(void **state)
{
    (void)state;
    struct test_random random = test_random_make("a_ring_keeps_order_and_bytes", 7);
    struct hf_ring r;
    struct hf_packet p, lent[RING_BYTES / HF_RING_ALIGN];
    uint32_t put = 0, taken = 0, released = 0, full = 0;
    uint8_t bytes[PACKET_MOST];
    ring_open(&r);
    for (uint32_t i = 0, rounds = test_random_rounds(40000); i < rounds; i++) {
        uint32_t what = test_random_below(&random, 8);
        if (what < 4) {
            p = packet_of(put, bytes);
            bool has_room = hf_ring_put(&r, &p);
            put += has_room;
            full += !has_room;
        } else if (what < 7) {
            assert_int_equal(hf_ring_has(&r), taken < put);
            bool is_there = hf_ring_take(&r, &lent[taken - released]);
            assert_int_equal(is_there, taken < put);
            taken += is_there;
        } else {
            for (uint32_t k = 0; k < taken - released; k++)
                expect_packet(&lent[k], released + k);
            hf_ring_release(&r);
            released = taken;
        }
    }
    assert_true(put > 1000 && full > 1000 && released > 1000);
    free(r.bytes);
}

enum { STREAM = 50000 };

static void *put_all(void *ring)
{
    uint8_t bytes[PACKET_MOST];
    for (uint32_t n = 0; n < STREAM;) {
        struct hf_packet p = packet_of(n, bytes);
        if (hf_ring_put(ring, &p))
            n++;
        else
            sched_yield();
    }
    return NULL;
}

static void a_ring_joins_two_threads(void **state)
{
    (void)state;
    struct hf_ring r;
    pthread_t writer;
    ring_open(&r);
    assert_int_equal(pthread_create(&writer, NULL, put_all, &r), 0);
    for (uint32_t n = 0; n < STREAM;) {
        struct hf_packet p;
        while (n < STREAM && hf_ring_take(&r, &p))
            expect_packet(&p, n++);
        hf_ring_release(&r);
        if (!hf_ring_has(&r))
            sched_yield();
    }
    assert_int_equal(pthread_join(writer, NULL), 0);
    assert_false(hf_ring_has(&r));
    free(r.bytes);
}

/* ---- whose a packet is ---- */

enum { SHARDS = 3, TUPLES = 60 };

struct bench {
    struct fake_link inner[SHARDS];
    struct hf_link *links[SHARDS];
};

static struct bench bench;

static void bench_open(void)
{
    struct hf_why why;
    for (unsigned i = 0; i < SHARDS; i++) {
        fake_init(&bench.inner[i]);
        bench.links[i] = &bench.inner[i].link;
    }
    assert_int_equal(hf_link_shards(bench.links, SHARDS, key, &why), HF_OK);
}

static void bench_close(void)
{
    for (unsigned i = 0; i < SHARDS; i++) {
        hf_link_close(bench.links[(i + 1) % SHARDS]);
        assert_int_equal(bench.inner[(i + 1) % SHARDS].closed, 1);
    }
}

/** The n-th conversation: from a peer to us. */
static struct way way_of(unsigned n)
{
    struct way w = {.from = {hf_addr_v4(10, 9, 0, (uint8_t)(2 + n % 7)), (uint16_t)(4000 + n)},
                    .to = {hf_addr_v4(10, 9, 0, 1), 80}};
    if (n % 2 == 1) {
        w.from.addr = (struct hf_addr){.octets = {0xfd, [15] = (uint8_t)(2 + n % 7)}};
        w.to.addr = (struct hf_addr){.octets = {0xfd, [15] = 1}};
    }
    return w;
}

static unsigned owner_of(unsigned n)
{
    struct way w = way_of(n);
    return hf_link_shard_of(bench.links[0], &w.to, &w.from);
}

static void put_segment(unsigned link, unsigned n)
{
    struct way w = way_of(n);
    uint8_t bytes[200];
    size_t header_bytes;
    struct hf_segment seg = {.flags = HF_ACK, .seq = n, .payload_bytes = 5};
    size_t length = segment_make(&w, seg, "hello", false, bytes, &header_bytes);
    fake_put(&bench.inner[link], bytes, length)->flags = HF_PACKET_CSUM_VALID;
}

/** An error about what we have sent in the n-th conversation. */
static void put_error(unsigned link, unsigned n)
{
    struct way w = way_of(n), back = way_back(&w);
    uint8_t quote[200], bytes[400];
    size_t header_bytes;
    bool v4 = hf_addr_is_v4(&w.from.addr);
    size_t quoted = segment_make(&back, (struct hf_segment){.flags = HF_ACK, .seq = n}, NULL, false,
                                 quote, &header_bytes);
    struct hf_ip ip = {.source = w.from.addr,
                       .destination = w.to.addr,
                       .version = v4 ? 4 : 6,
                       .protocol = v4 ? HF_IP_PROTO_ICMP : HF_IP_PROTO_ICMPV6,
                       .ttl = 64,
                       .payload_bytes = (uint32_t)(HF_ICMP_HEADER_BYTES + quoted)};
    size_t ip_bytes = hf_ip_emit(&ip, bytes);
    size_t n_bytes = hf_icmp_emit_error(&ip, v4 ? 3 : 1, 1, 0, quote, quoted, bytes + ip_bytes);
    fake_put(&bench.inner[link], bytes, ip_bytes + n_bytes);
}

/* Whichever link it comes by, a segment is received by its owner, and so is an error about it. */
static void each_packet_meets_its_owner(void **state)
{
    (void)state;
    struct hf_packet got[FAKE_MAX];
    unsigned segments = 0, errors = 0, of_each[SHARDS] = {0};
    bench_open();
    for (unsigned n = 0; n < TUPLES; n++) {
        put_segment(n % SHARDS, n);
        put_error((n + 1) % SHARDS, n);
    }
    for (unsigned round = 0; round < 4 * SHARDS; round++) {
        unsigned me = round % SHARDS;
        int count = hf_link_receive(bench.links[me], got, FAKE_MAX);
        for (int i = 0; i < count; i++) {
            struct hf_ip ip;
            struct hf_segment seg;
            struct hf_icmp icmp;
            if (segment_read(got[i].bytes, got[i].length_bytes, &ip, &seg)) {
                assert_int_equal(owner_of(seg.seq), me);
                assert_int_equal(got[i].flags, HF_PACKET_CSUM_VALID);
                segments++;
                of_each[me]++;
                continue;
            }
            assert_int_equal(
                hf_icmp_parse(&ip, got[i].bytes + ip.header_bytes, ip.payload_bytes, false, &icmp),
                HF_NONE);
            assert_int_equal(owner_of(icmp.quoted_seq), me);
            errors++;
        }
    }
    assert_int_equal(segments, TUPLES);
    assert_int_equal(errors, TUPLES);
    uint64_t handed = 0, taken = 0;
    for (unsigned i = 0; i < SHARDS; i++) {
        struct hf_shard_stats stats;
        hf_link_shard_stats(bench.links[i], &stats);
        handed += stats.handed;
        taken += stats.taken;
        assert_int_equal(stats.lost, 0);
        assert_true(of_each[i] > TUPLES / 6);
    }
    assert_int_equal(handed, taken);
    assert_in_range(handed, TUPLES, 2 * TUPLES - 20);
    bench_close();
}

/* What belongs to no conversation stays; order is kept; a device that fails is told after what was
 * handed over. */
static void what_is_nobodys_stays(void **state)
{
    (void)state;
    struct hf_packet got[FAKE_MAX];
    uint8_t udp[28] = {0x45, [3] = 28, [8] = 64, [9] = 17, [12] = 10, [16] = 10};
    unsigned mine[2], count = 0, other = 0;
    bench_open();
    fake_put(&bench.inner[1], "junk", 4);
    fake_put(&bench.inner[1], udp, sizeof udp);
    for (unsigned n = 0; count < 2; n++)
        if (owner_of(n) == 1)
            mine[count++] = n;
    put_segment(0, mine[0]);
    put_segment(0, mine[1]);
    assert_int_equal(hf_link_receive(bench.links[0], got, FAKE_MAX), 0);
    assert_int_equal(hf_link_deadline(bench.links[0]), HF_NEVER);
    for (unsigned i = 0; i < 2; i++) {
        struct hf_ip ip;
        struct hf_segment seg;
        assert_int_equal(hf_link_deadline(bench.links[1]), 0);
        assert_int_equal(hf_link_receive(bench.links[1], got, 2), 2);
        assert_true(segment_read(got[0].bytes, got[0].length_bytes, &ip, &seg));
        assert_int_equal(seg.seq, mine[i]);
        assert_int_equal(got[1].length_bytes, i == 0 ? 4 : sizeof udp);
    }
    assert_int_equal(hf_link_deadline(bench.links[1]), HF_NEVER);
    bench.inner[2].fail = HF_E_SYSTEM;
    bench.inner[2].link.stats.last_errno = EIO;
    while (owner_of(other) != 2)
        other++;
    put_segment(0, other);
    assert_int_equal(hf_link_receive(bench.links[0], got, FAKE_MAX), 0);
    assert_int_equal(hf_link_receive(bench.links[2], got, 2), 1);
    assert_int_equal(hf_link_receive(bench.links[2], got, 2), HF_E_SYSTEM);
    assert_int_equal(bench.links[2]->stats.last_errno, EIO);
    bench_close();
}

/** So many segments of one conversation of shard 1 come in by link 0, which hands them over. */
static void hand_over(unsigned count)
{
    struct hf_packet got[FAKE_MAX];
    unsigned n = 0;
    while (owner_of(n) != 1)
        n++;
    while (count > 0) {
        bench.inner[0].in_count = bench.inner[0].in_taken = 0;
        for (unsigned i = 0; i < FAKE_MAX && count > 0; i++, count--)
            put_segment(0, n);
        assert_int_equal(hf_link_receive(bench.links[0], got, FAKE_MAX), 0);
        assert_int_equal(hf_link_receive(bench.links[0], got, FAKE_MAX), 0);
    }
}

static struct hf_shard_stats stats_of(unsigned i)
{
    struct hf_shard_stats stats;
    hf_link_shard_stats(bench.links[i], &stats);
    return stats;
}

static void a_full_ring_loses_and_counts(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    struct hf_packet got[FAKE_MAX];
    unsigned taken = 0;
    bench_open();
    hand_over(MANY);
    for (int count; (count = hf_link_receive(bench.links[1], got, FAKE_MAX)) > 0;)
        taken += (unsigned)count;
    assert_int_equal(stats_of(0).handed, taken);
    assert_int_equal(stats_of(0).handed + stats_of(0).lost, MANY);
    assert_true(stats_of(0).lost > 0 && taken > 20000);
    hand_over(1); /* there is room again */
    assert_int_equal(hf_link_receive(bench.links[1], got, FAKE_MAX), 1);
    bench_close();
}

/* What was received stays as it is until the next receive, whatever is handed over meanwhile; and
 * that is due at once while it keeps more than half of the ring. */
static void what_was_received_stays(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    static struct hf_packet got[2 * MANY];
    static uint8_t first[FAKE_BYTES];
    bench_open();
    hand_over(MANY);
    int count = hf_link_receive(bench.links[1], got, 2 * MANY);
    assert_true(count > 20000);
    assert_int_equal(hf_link_deadline(bench.links[1]), 0);
    uint64_t lost = stats_of(0).lost;
    memcpy(first, got[0].bytes, got[0].length_bytes);
    hand_over(MANY);
    assert_int_equal(stats_of(0).lost - lost, MANY);
    for (int i = 0; i < count; i++)
        assert_memory_equal(got[i].bytes, first, got[i].length_bytes);
    assert_int_equal(hf_link_receive(bench.links[1], got, FAKE_MAX), 0);
    assert_int_equal(hf_link_deadline(bench.links[1]), HF_NEVER);
    hand_over(10);
    assert_int_equal(stats_of(0).lost - lost, MANY);
    assert_int_equal(hf_link_receive(bench.links[1], got, 8), 4); /* half of it is the device's */
    assert_int_equal(hf_link_deadline(bench.links[1]), 0);
    assert_int_equal(hf_link_receive(bench.links[1], got, 16), 6);
    bench_close();
}

/* However much others hand over, the device is read; and the other way round. */
static void neither_source_starves_the_other(void **state)
{
    (void)state;
    bench_open();
    hand_over(60);
    unsigned n = 0;
    while (owner_of(n) != 1)
        n++;
    for (unsigned i = 0; i < 60; i++)
        put_segment(1, n);
    for (size_t max = 1; max <= 3; max++) {
        uint64_t taken = stats_of(1).taken;
        size_t own = bench.inner[1].in_taken, all = 0;
        for (unsigned round = 0; round < 6; round++) {
            struct hf_packet got[3];
            all += (size_t)hf_link_receive(bench.links[1], got, max);
        }
        assert_int_equal(all, 6 * max);
        assert_true(stats_of(1).taken - taken >= 3);
        assert_true(bench.inner[1].in_taken - own >= 3);
    }
    bench_close();
}

static void *turn_once(void *loop)
{
    struct hf_why why;
    hf_ns began_ns = hf_host_now();
    int result = hf_loop_turn(loop, HF_SEC(20), &why); /* the call of set_loop */
    result |= hf_loop_turn(loop, HF_SEC(20), &why);
    return result == 0 && hf_host_now() - began_ns < HF_SEC(10) ? loop : NULL;
}

/* A loop that sleeps is woken for what is handed over, though its own device is quiet. */
static void a_sleeping_loop_is_woken(void **state)
{
    (void)state;
    struct hf_why why;
    struct hf_loop *loop;
    pthread_t thread;
    void *came_in_time;
    bench_open();
    struct hf_loop_config cfg = {.link = bench.links[1]};
    assert_int_equal(hf_loop_new(&loop, &cfg, &why), HF_OK);
    hf_link_shard_set_loop(bench.links[1], loop);
    assert_int_equal(pthread_create(&thread, NULL, turn_once, loop), 0);
    usleep(100000); /* it sleeps by now, as a rule */
    hand_over(1);
    assert_int_equal(pthread_join(thread, &came_in_time), 0);
    assert_non_null(came_in_time);
    assert_int_equal(stats_of(1).taken, 1);
    hf_loop_free(loop);
    bench_close();
}

/* A port to connect from, so that the answers are ours. */
static void a_port_is_chosen_for_the_shard(void **state)
{
    (void)state;
    bench_open();
    struct hf_addr local = hf_addr_v4(10, 9, 0, 1);
    struct hf_endpoint remote = {hf_addr_v4(10, 9, 0, 2), 443};
    for (unsigned i = 0; i < SHARDS; i++) {
        uint16_t port = 0;
        for (unsigned k = 0; k < 50; k++) {
            uint16_t next =
                hf_link_shard_port(bench.links[i], &local, &remote, (uint16_t)(port + 1));
            struct hf_endpoint end = {local, next};
            assert_true(next > port && next >= 1024);
            assert_int_equal(hf_link_shard_of(bench.links[0], &end, &remote), i);
            port = next;
        }
        assert_in_range(port, 1024 + 51, 1024 + 600);
        struct hf_endpoint last = {local, 65535};
        uint16_t first = hf_link_shard_port(bench.links[i], &local, &remote, 1024);
        assert_int_equal(hf_link_shard_port(bench.links[i], &local, &remote, 65535),
                         hf_link_shard_of(bench.links[0], &last, &remote) == i ? 65535 : first);
    }
    bench_close();
}

static void counts_are_checked(void **state)
{
    (void)state;
    struct fake_link inner;
    struct hf_why why;
    fake_init(&inner);
    struct hf_link *link = &inner.link;
    assert_int_equal(hf_link_shards(&link, 0, key, &why), HF_E_INVALID);
    assert_int_equal(hf_link_shards(&link, 17, key, &why), HF_E_INVALID);
    assert_ptr_equal(link, &inner.link);
    assert_int_equal(hf_link_shards(&link, 1, key, &why), HF_OK);
    struct hf_link_caps caps;
    hf_link_caps(link, &caps);
    assert_int_equal(caps.mtu_bytes, 1234);
    hf_link_close(link);
    assert_int_equal(inner.closed, 1);
}

/* ---- two threads over the queues of one TUN ---- */

enum { THREADS = 2, CONNS = 900, ROUNDS = 3 };

struct server {
    pthread_t thread;
    struct hf_link *link;
    struct hf_stack *stack;
    struct hf_loop *loop;
    unsigned accepted;
};

static struct server servers[THREADS];
static bool has_tun;

/** An echo. */
static void on_events(void *ctx, struct hf_loop *loop, hf_ns now)
{
    struct server *me = ctx;
    struct hf_event e;
    (void)loop;
    while (hf_stack_event(me->stack, &e)) {
        uint8_t bytes[256];
        int64_t n = 0;
        me->accepted += (e.bits & HF_EV_ACCEPTED) != 0;
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

static void open_servers(const struct hf_addr *own)
{
    struct hf_link *links[THREADS];
    struct hf_why why;
    struct hf_tun_config tun = {.name = "hf0", .queue = true};
    for (unsigned i = 0; i < THREADS; i++)
        if (hf_link_tun_open(&links[i], &tun, &why) != HF_OK)
            fail_msg("%s", why.text);
    const struct hf_addr kernel = hf_addr_v4(10, 9, 0, 1);
    assert_int_equal(hf_netif_up("hf0", &why), HF_OK);
    assert_int_equal(hf_netif_add_address("hf0", &kernel, 24, &why), HF_OK);
    assert_int_equal(hf_link_shards(links, THREADS, key, &why), HF_OK);
    for (unsigned i = 0; i < THREADS; i++) {
        struct server *s = &servers[i];
        struct hf_config cfg;
        struct hf_env env;
        hf_handle listener;
        struct hf_listen listen = {.port = 7, .backlog = CONNS};
        *s = (struct server){.link = links[i]};
        hf_config_init(&cfg, sizeof cfg);
        cfg.offload_checksum = 1;
        cfg.offload_super_bytes = 65535;
        assert_int_equal(hf_env_linux(&env, &why), HF_OK);
        env.shard = (uint8_t)i;
        assert_int_equal(hf_stack_new(&s->stack, &cfg, &env, hf_host_now()), HF_OK);
        assert_int_equal(hf_stack_add_address(s->stack, own, 32), HF_OK);
        assert_int_equal(hf_listen(s->stack, &listen, &listener, hf_host_now()), HF_OK);
        struct hf_loop_config loop = {
            .stack = s->stack, .link = s->link, .events = on_events, .events_ctx = s};
        assert_int_equal(hf_loop_new(&s->loop, &loop, &why), HF_OK);
        hf_link_shard_set_loop(s->link, s->loop);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&servers[i].thread, NULL, serve, &servers[i]), 0);
}

static void stop_servers(void)
{
    for (unsigned i = 0; i < THREADS; i++)
        hf_loop_stop(servers[i].loop);
    for (unsigned i = 0; i < THREADS; i++) {
        void *failed;
        assert_int_equal(pthread_join(servers[i].thread, &failed), 0);
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

static void exchange(int fd, unsigned round, unsigned n)
{
    uint8_t sent[100], got[100];
    memset(sent, (int)(round * 31 + n), sizeof sent);
    assert_int_equal(send(fd, sent, sizeof sent, MSG_NOSIGNAL), sizeof sent);
    for (size_t at = 0; at < sizeof got;) {
        ssize_t k = recv(fd, got + at, sizeof got - at, 0);
        if (k <= 0)
            fail_msg("connection %u, round %u: %s", n, round, k == 0 ? "closed" : strerror(errno));
        at += (size_t)k;
    }
    assert_memory_equal(got, sent, sizeof got);
}

/* Nine hundred connections of the kernel. Between the rounds they are idle for longer than the
 * device remembers which queue they belong to. */
static void many_connections_over_two_queues(void **state)
{
    (void)state;
    static int fds[CONNS];
    const struct hf_addr own = hf_addr_v4(10, 9, 0, 2);
    const struct timeval patience = {.tv_sec = 20};
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(7)};
    if (!has_tun)
        skip();
    memcpy(&there.sin_addr, own.octets + 12, 4);
    open_servers(&own);
    for (unsigned i = 0; i < CONNS; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fds[i] >= 0);
        (void)setsockopt(fds[i], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        assert_int_equal(connect(fds[i], (struct sockaddr *)&there, sizeof there), 0);
    }
    const unsigned idle_s = getenv("HF_TEST_LONG") != NULL ? 10 : 4;
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < CONNS; i++)
            exchange(fds[i], round, i);
        if (round + 1 < ROUNDS)
            sleep(idle_s);
    }
    for (unsigned i = 0; i < CONNS; i++) {
        uint8_t byte;
        assert_int_equal(shutdown(fds[i], SHUT_WR), 0);
        assert_int_equal(recv(fds[i], &byte, 1, 0), 0);
        close(fds[i]);
    }
    struct hf_shard_stats stats[THREADS];
    unsigned accepted = 0;
    stop_servers();
    for (unsigned i = 0; i < THREADS; i++) {
        hf_link_shard_stats(servers[i].link, &stats[i]);
        accepted += servers[i].accepted;
        assert_true(servers[i].accepted > CONNS / 4);
        assert_int_equal(stats[i].lost, 0);
    }
    assert_int_equal(accepted, CONNS);
    assert_true(stats[0].handed + stats[1].handed > CONNS); /* also after each silence */
    print_message("handed over: %u and %u packets\n", (unsigned)stats[0].handed,
                  (unsigned)stats[1].handed);
    close_servers();
}

static bool find_tun(void)
{
    struct hf_link *l;
    const struct hf_tun_config cfg = {.name = "probe", .queue = true};
    if (unshare(CLONE_NEWNET) != 0 || hf_link_tun_open(&l, &cfg, NULL) != HF_OK)
        return false;
    hf_link_close(l);
    return true;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ring_keeps_order_and_bytes),
        cmocka_unit_test(a_ring_joins_two_threads),
        cmocka_unit_test(each_packet_meets_its_owner),
        cmocka_unit_test(what_is_nobodys_stays),
        cmocka_unit_test(a_full_ring_loses_and_counts),
        cmocka_unit_test(what_was_received_stays),
        cmocka_unit_test(neither_source_starves_the_other),
        cmocka_unit_test(a_sleeping_loop_is_woken),
        cmocka_unit_test(a_port_is_chosen_for_the_shard),
        cmocka_unit_test(counts_are_checked),
        cmocka_unit_test(many_connections_over_two_queues),
    };
    has_tun = find_tun();
    int failed = cmocka_run_group_tests_name("shard", tests, NULL, NULL);
    return failed == 0 && !has_tun ? 77 : failed;
}
