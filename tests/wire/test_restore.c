/* A saved stack goes on by another clock: behind the old one, ahead of it, or before its origin.
 * For the stack no time has passed in between, and its peers see no clock go back. */
#include <stdlib.h>

#include "core/stack.h"
#include "opening.h"

enum { SAVED_AT_S = 100, TUPLES_MAX = 8 };

/* By which clock it is saved at SAVED_AT_S and restored at this. */
static const hf_ns clocks[] = {
    0,                          /* a clock that began anew */
    HF_SEC(3),                  /* behind, so that deadlines are still ahead of the saved instant */
    HF_SEC(SAVED_AT_S),         /* the same */
    HF_SEC(400000000) + 123456, /* years ahead, and off the tick of the timers */
    -HF_SEC(50) - 1,
};

/* A bench at the instant of saving less 30 s, with room to reach every state until then. */
static void open_early(struct bench *b)
{
    bench_init(b);
    struct hf_rig_config config = {
        .config = &b->config, .seed = 7, .start_ns = HF_SEC(SAVED_AT_S - 30)};
    assert_int_equal(hf_rig_open(&b->rig, &config), HF_OK);
    hf_peer_open(&b->peer, &b->rig, false, 4000, 80, 1000);
    b->listener = bench_listen(b, &(struct hf_listen){.port = 80});
}

/* The peer's own clock goes on as if nothing had happened. */
static void go_on(struct bench *b, hf_ns now)
{
    b->peer.ts_base += (uint32_t)(bench_now(b) / HF_MS(1)) - (uint32_t)(now / HF_MS(1));
    assert_int_equal(hf_rig_replace(&b->rig, now), HF_OK);
}

/* What is left until each deadline that can be seen from outside. */
struct ahead {
    hf_ns stack_ns, tuple_ns[TUPLES_MAX], rto_ns, life_ns;
    size_t count;
};

static hf_ns until(const struct bench *b, hf_ns at)
{
    return at == HF_NEVER ? HF_NEVER : at - bench_now(b);
}

static struct ahead look_ahead(struct bench *b)
{
    struct hf_info info = bench_info(b, b->conn);
    struct ahead a = {
        .stack_ns = until(b, hf_stack_deadline(b->rig.stack)),
        .rto_ns = until(b, info.rto_deadline_ns),
        .life_ns = until(b, info.life_deadline_ns),
    };
    uint64_t cursor = 0;
    struct hf_tuple t;
    while (hf_iterate(b->rig.stack, &cursor, &t)) {
        assert_in_range(a.count, 0, TUPLES_MAX - 1);
        a.tuple_ns[a.count++] = until(b, t.deadline_ns);
    }
    return a;
}

/* One of each kind with a deadline: data in flight, half-open, TIME-WAIT. */
static void deadlines_are_as_far_as_before(void **state)
{
    (void)state;
    for (size_t i = 0; i < HF_COUNT_OF(clocks); i++) {
        struct bench b;
        open_early(&b);
        struct hf_peer leaving = bench_peer(&b, 3, 4001, 1000), coming = bench_peer(&b, 4, 4002, 1);
        assert_true(hf_peer_connect(&leaving, "<mss 1460>"));
        hf_handle left = bench_event(&b, HF_EV_ACCEPTED);
        assert_int_equal(hf_close(b.rig.stack, left, bench_now(&b)), HF_OK);
        hf_rig_pull(&b.rig);
        hf_peer_send(&leaving, "F. seq 1 ack 2");
        assert_true(bench_event(&b, HF_EV_CLOSED) != 0);
        assert_true(hf_peer_connect(&b.peer, "<mss 1460>"));
        b.conn = bench_event(&b, HF_EV_ACCEPTED);
        hf_rig_run(&b.rig, HF_SEC(SAVED_AT_S) - HF_MS(100));
        hf_peer_send(&coming, "S seq 0 win 1000");
        assert_int_equal(hf_send(b.rig.stack, b.conn, "x", 1, 0, bench_now(&b)), 1);
        hf_rig_pull(&b.rig);
        hf_peer_skip(&b.peer);
        hf_rig_run(&b.rig, HF_SEC(SAVED_AT_S));
        struct ahead before = look_ahead(&b);
        assert_int_equal(before.count, 4);
        assert_in_range(before.rto_ns, 1, HF_SEC(2));
        go_on(&b, clocks[i]);
        struct ahead after = look_ahead(&b);
        assert_memory_equal(&before, &after, sizeof before);
        hf_rig_wait(&b.rig, before.rto_ns - 1);
        assert_true(hf_peer_expect_nothing(&b.peer));
        hf_rig_wait(&b.rig, HF_MS(1));
        assert_true(hf_peer_expect(&b.peer, "P. seq 1:2 ack 1"));
        hf_rig_wait(&b.rig, HF_SEC(29));
        assert_int_equal(hf_peer_state(&leaving), HF_TIME_WAIT); /* of 60 s */
        hf_rig_wait(&b.rig, HF_SEC(3));
        assert_int_equal(hf_peer_state(&leaving), HF_CLOSED);
        assert_int_equal(bench_count(&b, HF_CLOCK_BACK), 0);
        bench_close(&b);
    }
}

/* [RFC7323#5.3] Timestamps that went back would make everything we send a duplicate of old. */
static void timestamps_go_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < HF_COUNT_OF(clocks); i++) {
        struct bench b;
        open_early(&b);
        b.peer.timestamps = true;
        b.peer.ts_base = 5000;
        assert_true(hf_peer_connect(&b.peer, "<mss 1460>"));
        b.conn = bench_event(&b, HF_EV_ACCEPTED);
        hf_rig_run(&b.rig, HF_SEC(SAVED_AT_S));
        assert_int_equal(hf_send(b.rig.stack, b.conn, "x", 1, 0, bench_now(&b)), 1);
        hf_rig_pull(&b.rig);
        assert_true(hf_peer_expect(&b.peer, "P. seq 1:2 ack 1"));
        uint32_t before = b.peer.last.segment.ts_value;
        hf_peer_send(&b.peer, ". ack 2");
        go_on(&b, clocks[i]);
        hf_rig_wait(&b.rig, HF_MS(7));
        assert_int_equal(hf_send(b.rig.stack, b.conn, "y", 1, 0, bench_now(&b)), 1);
        hf_rig_pull(&b.rig);
        assert_true(hf_peer_expect(&b.peer, "P. seq 2:3 ack 1"));
        assert_int_equal(b.peer.last.segment.ts_value - before, 7);
        hf_peer_send(&b.peer, "P. seq 1:11 ack 3");
        assert_int_equal(bench_info(&b, b.conn).receive_queue_bytes, 10);
        assert_int_equal(bench_count(&b, HF_DROP_PAWS), 0);
        bench_close(&b);
    }
}

/* [RFC9293#3.4.1] Nor may the numbers of a new connection lie below those of the old one. */
static void initial_numbers_go_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < HF_COUNT_OF(clocks); i++) {
        struct bench b;
        open_early(&b);
        hf_rig_run(&b.rig, HF_SEC(SAVED_AT_S));
        b.conn = bench_connect(&b);
        uint32_t before = bench_info(&b, b.conn).iss;
        assert_int_equal(hf_abort(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
        go_on(&b, clocks[i]);
        hf_rig_wait(&b.rig, HF_US(400));
        assert_int_equal(bench_info(&b, bench_connect(&b)).iss - before, 100); /* of 4 us each */
        bench_close(&b);
    }
}

/* The pause counts for who restores at the instant of saving and goes on at the present one. */
static void a_pause_counts_if_it_is_told(void **state)
{
    (void)state;
    struct bench b;
    open_early(&b);
    assert_true(hf_peer_connect(&b.peer, "<mss 1460>"));
    b.conn = bench_event(&b, HF_EV_ACCEPTED);
    hf_rig_run(&b.rig, HF_SEC(SAVED_AT_S));
    assert_int_equal(hf_send(b.rig.stack, b.conn, "x", 1, 0, bench_now(&b)), 1);
    hf_rig_pull(&b.rig);
    hf_peer_skip(&b.peer);
    go_on(&b, HF_SEC(5));
    b.rig.now_ns = HF_SEC(25);
    hf_checks_expire(&b.rig.checks, "stack", b.rig.stack, bench_now(&b));
    hf_rig_pull(&b.rig);
    assert_true(hf_peer_expect(&b.peer, "P. seq 1:2 ack 1"));
    assert_int_equal(bench_count(&b, HF_RETRANSMIT_RTO), 1);
    bench_close(&b);
}

/* No time passes for the stack from its last call to saving unless saving tells of it: it does. */
static void saving_tells_the_time(void **state)
{
    (void)state;
    struct bench b;
    open_early(&b);
    assert_true(hf_peer_connect(&b.peer, "<mss 1460>"));
    b.conn = bench_event(&b, HF_EV_ACCEPTED);
    assert_int_equal(hf_send(b.rig.stack, b.conn, "x", 1, 0, bench_now(&b)), 1);
    hf_rig_pull(&b.rig);
    hf_ns left = until(&b, bench_info(&b, b.conn).rto_deadline_ns);
    b.rig.now_ns += HF_MS(100); /* without a call */
    go_on(&b, HF_SEC(5));
    assert_int_equal(until(&b, bench_info(&b, b.conn).rto_deadline_ns), left - HF_MS(100));
    bench_close(&b);
}

static void keep_time(void *ctx, const struct hf_trace_event *e)
{
    *(hf_ns *)ctx = e->now_ns;
}

/* What is traced, and a clock that goes back, is told in the caller's time. */
static void traces_tell_the_callers_time(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    hf_ns traced_ns = -1;
    struct hf_rig_config config = {.config = &b.config,
                                   .seed = 7,
                                   .start_ns = HF_SEC(SAVED_AT_S),
                                   .trace = keep_time,
                                   .trace_ctx = &traced_ns};
    assert_int_equal(hf_rig_open(&b.rig, &config), HF_OK);
    hf_peer_open(&b.peer, &b.rig, false, 4000, 80, 1000);
    go_on(&b, HF_SEC(3));
    (void)bench_connect(&b);
    assert_int_equal(traced_ns, HF_SEC(3));
    assert_int_equal(bench_count(&b, HF_CLOCK_BACK), 0);
    assert_false(hf_stack_expire(b.rig.stack, HF_SEC(2), 1));
    assert_int_equal(bench_count(&b, HF_CLOCK_BACK), 1);
    assert_int_equal(traced_ns, HF_SEC(3));
    bench_close(&b);
}

/* Handles name the shard: another one would make all of them stale. And clocks that no number of
 * nanoseconds lies between. */
static void what_can_not_go_on_is_refused(void **state)
{
    (void)state;
    struct bench b;
    open_early(&b);
    size_t n = hf_stack_save(b.rig.stack, NULL, 0, bench_now(&b));
    uint8_t *bytes = malloc(n);
    assert_non_null(bytes);
    assert_int_equal(hf_stack_save(b.rig.stack, bytes, n, bench_now(&b)), n);
    struct hf_account account = {0};
    struct hf_env env = {.realloc = hf_account_realloc, .realloc_ctx = &account, .shard = 1};
    struct hf_stack *s = NULL;
    assert_int_equal(hf_stack_restore(&s, bytes, n, &env, 0), HF_E_INVALID);
    env.shard = 0;
    assert_int_equal(hf_stack_restore(&s, bytes, n, &env, INT64_MIN), HF_E_INVALID);
    assert_null(s);
    assert_int_equal(account.held_bytes, 0);
    assert_int_equal(hf_stack_restore(&s, bytes, n, &env, 0), HF_OK);
    hf_stack_free(s);
    free(bytes);
    bench_close(&b);
}

/* A handle of one shard is none of another, though all else of both is the same. */
static void a_handle_is_of_its_shard(void **state)
{
    (void)state;
    struct hf_account account = {0};
    struct hf_config config;
    hf_config_init(&config, sizeof config);
    struct hf_stack *stacks[2] = {NULL, NULL};
    hf_handle listeners[2] = {0, 0};
    for (uint8_t i = 0; i < 2; i++) {
        struct hf_env env = {.realloc = hf_account_realloc, .realloc_ctx = &account, .shard = i};
        assert_int_equal(hf_stack_new(&stacks[i], &config, &env, 0), HF_OK);
        assert_int_equal(hf_listen(stacks[i], &(struct hf_listen){.port = 80}, &listeners[i], 0),
                         HF_OK);
    }
    assert_true(listeners[0] != listeners[1]);
    assert_int_equal(hf_close(stacks[0], listeners[1], 0), HF_E_HANDLE);
    assert_int_equal(hf_close(stacks[1], listeners[0], 0), HF_E_HANDLE);
    for (uint8_t i = 0; i < 2; i++) {
        assert_int_equal(hf_close(stacks[i], listeners[i], 0), HF_OK);
        hf_stack_free(stacks[i]);
    }
    assert_int_equal(account.held_bytes, 0);
}

/* Blocks that the caller of hf_stack_output has in hand are nobody's in the restored stack, however
 * many: it takes them back. */
static void blocks_in_hand_come_back(void **state)
{
    (void)state;
    enum { MOST = 32 };
    struct bench b;
    open_early(&b);
    uint8_t ping[128] = {0};
    struct hf_ip ip = {
        .source = b.peer.here.addr,
        .destination = b.peer.there.addr,
        .version = 4,
        .protocol = HF_IP_PROTO_ICMP,
        .ttl = 64,
        .payload_bytes = HF_ICMP_HEADER_BYTES + 16,
    };
    size_t n = hf_ip_emit(&ip, ping);
    ping[n] = 8; /* echo request */
    hf_put16(ping + n + 2, 0xF7FF);
    struct hf_packet packet = {ping, (uint32_t)n + ip.payload_bytes, 0, 0};
    for (int i = 0; i < MOST; i++)
        hf_stack_input(b.rig.stack, &packet, 1, bench_now(&b));
    struct hf_out_packet out[MOST];
    assert_int_equal(hf_stack_output(b.rig.stack, out, MOST, bench_now(&b)), MOST);
    assert_int_equal(bench_sizes(&b).pool_used_bytes, MOST * b.config.block_bytes);
    go_on(&b, bench_now(&b));
    assert_int_equal(bench_sizes(&b).pool_used_bytes, 0);
    bench_close(&b);
}

/* The local address that was in use last is kept for the next connection. In the restored stack it
 * is too, and makes room there as it would have here. */
static void an_idle_local_address_is_not_forgotten(void **state)
{
    (void)state;
    struct bench b;
    open_early(&b);
    for (uint8_t k = 0; k < 4; k++) {
        struct hf_peer peer = bench_peer(&b, 2, (uint16_t)(4000 + k), 1000);
        peer.there.addr.octets[15] += k / 2; /* the same again, another, and that again */
        assert_true(hf_peer_connect(&peer, "<mss 1460>"));
        assert_int_equal(bench_sizes(&b).local_addresses, 1);
        assert_int_equal(b.rig.stack->locals.used, 1);
        assert_int_equal(hf_abort(b.rig.stack, bench_event(&b, HF_EV_ACCEPTED), bench_now(&b)),
                         HF_OK);
        hf_rig_pull(&b.rig);
        assert_true(bench_event(&b, HF_EV_CLOSED) != 0);
        assert_int_equal(bench_sizes(&b).local_addresses, 0);
        assert_int_equal(b.rig.stack->locals.used, 1);
        go_on(&b, bench_now(&b));
        assert_int_equal(bench_sizes(&b).local_addresses, 0);
    }
    hf_stack_trim(b.rig.stack);
    assert_int_equal(b.rig.stack->locals.used, 0);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deadlines_are_as_far_as_before),
        cmocka_unit_test(timestamps_go_on),
        cmocka_unit_test(initial_numbers_go_on),
        cmocka_unit_test(a_pause_counts_if_it_is_told),
        cmocka_unit_test(saving_tells_the_time),
        cmocka_unit_test(traces_tell_the_callers_time),
        cmocka_unit_test(what_can_not_go_on_is_refused),
        cmocka_unit_test(a_handle_is_of_its_shard),
        cmocka_unit_test(blocks_in_hand_come_back),
        cmocka_unit_test(an_idle_local_address_is_not_forgotten),
    };
    return cmocka_run_group_tests_name("wire_restore", tests, NULL, NULL);
}
