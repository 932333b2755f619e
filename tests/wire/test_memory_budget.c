/* The setting memory_bytes: what a stack takes from the allocator stays below it whatever comes,
 * newcomers meet the listener's rules, and those who are there go on. And hf_stack_info tells what
 * the memory is used for. */
#include "opening.h"

enum { BUDGET_BYTES = 512 * 1024, PEERS_MAX = 8000, PORT_FIRST = 5000 };

static void open_with_budget(struct bench *b, int64_t budget_bytes, int64_t cookies)
{
    bench_init(b);
    b->config.memory_bytes = budget_bytes;
    b->config.syn_cookies = cookies;
    bench_open(b, false, 1000);
    b->listener = bench_listen(b, &(struct hf_listen){.port = 80});
}

static struct hf_peer newcomer(struct bench *b, uint32_t n)
{
    struct hf_peer p;
    hf_peer_open(&p, &b->rig, false, (uint16_t)(PORT_FIRST + n), 80, 1000);
    return p;
}

static void check_budget(const struct bench *b)
{
    struct hf_stack_info i = bench_sizes(b);
    assert_in_range(i.memory_bytes, 1, BUDGET_BYTES);
    uint64_t told = i.connection_bytes + i.half_open_bytes + i.time_wait_bytes + i.flight_bytes +
                    i.table_bytes + i.pool_used_bytes;
    assert_in_range(i.used_bytes, told, i.memory_bytes);
}

/* What a transfer needs beside its connection: the record of what is in flight, and blocks. */
static void what_is_used_is_the_sum_of_its_kinds(void **state)
{
    (void)state;
    static const uint8_t bytes[1000];
    struct bench b;
    open_with_budget(&b, BUDGET_BYTES, 0);
    assert_true(hf_peer_connect(&b.peer, "<mss 1000>"));
    b.conn = bench_event(&b, HF_EV_ACCEPTED);
    struct hf_stack_info idle = bench_sizes(&b);
    assert_int_equal(hf_send(b.rig.stack, b.conn, bytes, sizeof bytes, 0, bench_now(&b)), 1000);
    hf_rig_pull(&b.rig);
    struct hf_stack_info busy = bench_sizes(&b);
    assert_int_equal(idle.flight_bytes, 0);
    assert_in_range(busy.flight_bytes, 100, 1000);
    assert_in_range(busy.pool_used_bytes, sizeof bytes, 10000);
    assert_int_equal(busy.used_bytes - idle.used_bytes, busy.flight_bytes + busy.pool_used_bytes);
    bench_close(&b);
}

/** Used by listeners and the like, which have no figure of their own. */
static uint64_t used_besides(const struct bench *b)
{
    struct hf_stack_info i = bench_sizes(b);
    return i.used_bytes - i.connection_bytes - i.half_open_bytes - i.time_wait_bytes -
           i.flight_bytes - i.table_bytes - i.pool_used_bytes;
}

/* Entries that come and go are each in one figure, and once in the sum. */
static void each_kind_is_in_the_sum_once(void **state)
{
    (void)state;
    struct bench b;
    open_with_budget(&b, BUDGET_BYTES, 0);
    assert_true(hf_peer_connect(&b.peer, "<mss 1000>"));
    b.conn = bench_event(&b, HF_EV_ACCEPTED);
    uint64_t besides = used_besides(&b);
    struct hf_peer half_open = newcomer(&b, 1);
    hf_peer_send(&half_open, "S seq 0 win 1000");
    assert_int_equal(used_besides(&b), besides);
    assert_true(bench_sizes(&b).half_open_bytes > 0 && bench_sizes(&b).connection_bytes > 0);
    assert_int_equal(hf_close(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
    hf_rig_pull(&b.rig);
    hf_peer_skip(&b.peer);
    hf_peer_send(&b.peer, "F. seq 1 ack 2");
    assert_int_equal(bench_sizes(&b).time_wait, 1);
    assert_int_equal(bench_sizes(&b).time_wait_bytes, 64);
    assert_int_equal(used_besides(&b), besides);
    bench_close(&b);
}

/* Half-open entries take what there is; then SYNs are answered by cookies, or not at all. */
static void syns_meet_the_budget(void **state)
{
    (void)state;
    for (int64_t cookies = 0; cookies <= 1; cookies++) {
        struct bench b;
        open_with_budget(&b, BUDGET_BYTES, cookies);
        for (uint32_t n = 0; n < PEERS_MAX; n++) {
            struct hf_peer p = newcomer(&b, n);
            hf_peer_send(&p, "S seq 0 win 1000");
            hf_rig_pull(&b.rig);
            hf_peer_skip(&p);
        }
        check_budget(&b);
        uint32_t half_open = bench_sizes(&b).half_open;
        assert_in_range(half_open, 1000, PEERS_MAX - 1);
        enum hf_reason limit = cookies == 1 ? HF_LIMIT_COOKIES : HF_LIMIT_HALF_OPEN;
        assert_int_equal(bench_count(&b, limit), PEERS_MAX - half_open);
        bench_close(&b);
    }
}

/* Connections likewise: the last ACK of a handshake is dropped, counted, and may come again. */
static void connections_meet_the_budget(void **state)
{
    (void)state;
    struct bench b;
    open_with_budget(&b, BUDGET_BYTES, 1);
    assert_true(hf_peer_connect(&b.peer, "<mss 1460>"));
    b.conn = bench_event(&b, HF_EV_ACCEPTED);
    uint32_t n = 0;
    for (; n < PEERS_MAX && bench_count(&b, HF_DROP_NO_CONN) == 0; n++) {
        struct hf_peer p = newcomer(&b, n);
        hf_peer_send(&p, "S seq 0 win 1000");
        hf_peer_skip(&p);
        hf_peer_send(&p, ". seq 1 ack 1");
        struct hf_event event;
        while (hf_stack_event(b.rig.stack, &event)) /* or the backlog would be met */
            assert_int_equal(event.bits, HF_EV_ACCEPTED);
    }
    assert_in_range(n, 300, PEERS_MAX - 1);
    check_budget(&b);
    assert_int_equal(bench_sizes(&b).connections, n);
    assert_int_equal(bench_sizes(&b).connection_bytes % n, 0);
    bench_close(&b);
}

/* Data finds no block when entries have taken all: it is dropped and counted, and once memory is
 * there again it comes again. */
static void data_waits_for_memory(void **state)
{
    (void)state;
    struct bench b;
    open_with_budget(&b, BUDGET_BYTES, 0);
    assert_true(hf_peer_connect(&b.peer, "<mss 1460>"));
    b.conn = bench_event(&b, HF_EV_ACCEPTED);
    for (uint32_t n = 0; n < PEERS_MAX; n++) {
        struct hf_peer p = newcomer(&b, n);
        hf_peer_send(&p, "S seq 0 win 1000");
        hf_peer_skip(&p);
    }
    hf_peer_send(&b.peer, "P. seq 1:101 ack 1");
    assert_int_equal(bench_count(&b, HF_DROP_NO_BLOCK), 1);
    check_budget(&b);
    hf_rig_wait(&b.rig, HF_SEC(200)); /* the half-open entries give up */
    assert_int_equal(bench_sizes(&b).half_open, 0);
    /* What they left free comes back by itself, once somebody asks for it. */
    hf_peer_send(&b.peer, "P. seq 1:101 ack 1");
    hf_rig_wait(&b.rig, HF_SEC(1));
    hf_peer_skip(&b.peer);
    hf_peer_send(&b.peer, "P. seq 1:101 ack 1");
    assert_true(hf_peer_expect(&b.peer, ". ack 101"));
    uint8_t got[200];
    assert_int_equal(hf_receive(b.rig.stack, b.conn, got, sizeof got, bench_now(&b)), 100);
    bench_close(&b);
}

/* A SYN of each newcomer, and an RST behind it: what their entries took is free again. */
static void flood_and_leave(struct bench *b)
{
    for (uint32_t n = 0; n < PEERS_MAX; n++) {
        struct hf_peer p = newcomer(b, n);
        hf_peer_send(&p, "S seq 0 win 1000");
        hf_peer_skip(&p);
    }
    assert_in_range(bench_sizes(b).half_open, 1000, PEERS_MAX - 1);
    for (uint32_t n = 0; n < PEERS_MAX; n++) {
        struct hf_peer p = newcomer(b, n);
        hf_peer_send(&p, "R. seq 1 ack 1");
        hf_peer_skip(&p);
    }
    assert_int_equal(bench_sizes(b).half_open, 0);
}

/* To look for room goes over all chunks: a flood has it done once a second, not at each SYN. */
static void room_is_made_once_a_second(void **state)
{
    (void)state;
    struct bench b;
    open_with_budget(&b, BUDGET_BYTES, 0);
    hf_rig_wait(&b.rig, HF_SEC(10));
    flood_and_leave(&b); /* the budget was met: looked, when nothing was free */
    uint64_t held = bench_sizes(&b).memory_bytes;
    assert_in_range(held, BUDGET_BYTES / 2, BUDGET_BYTES);
    hf_rig_wait(&b.rig, HF_MS(900));
    hf_peer_send(&b.peer, "S seq 0 win 1000");
    assert_int_equal(bench_sizes(&b).memory_bytes, held);
    hf_rig_wait(&b.rig, HF_MS(100));
    hf_peer_send(&b.peer, "S seq 0 win 1000");
    assert_in_range(bench_sizes(&b).memory_bytes, 1, held / 2);
    bench_close(&b);
}

/* Less than a stack takes for itself is no budget. */
static void too_little_is_refused(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    b.config.block_bytes = 512;
    b.config.memory_bytes = 32 * b.config.block_bytes; /* a stack and its ring take more */
    struct hf_rig_config config = {.config = &b.config, .seed = 7};
    assert_int_equal(hf_rig_open(&b.rig, &config), HF_E_MEMORY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(syns_meet_the_budget),
        cmocka_unit_test(connections_meet_the_budget),
        cmocka_unit_test(data_waits_for_memory),
        cmocka_unit_test(room_is_made_once_a_second),
        cmocka_unit_test(too_little_is_refused),
        cmocka_unit_test(what_is_used_is_the_sum_of_its_kinds),
        cmocka_unit_test(each_kind_is_in_the_sum_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
