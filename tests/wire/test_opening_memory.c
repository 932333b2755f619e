/* Memory that can't be had while a connection comes in, at each request of it: the segment is
 * dropped and counted, or answered by a cookie; nothing is kept of it, and the next one finds
 * everything as it was. */
#include "opening.h"

enum { REQUESTS_MAX = 20 };

static uint64_t held_bytes(struct bench *b)
{
    hf_stack_trim(b->rig.stack);
    return b->rig.account.held_bytes;
}

static void fail_in(struct bench *b, uint64_t nth)
{
    b->rig.account.failed = false;
    b->rig.account.fail_nth = b->rig.account.asked + nth;
}

static void expect_nothing_kept(struct bench *b, uint64_t base_bytes)
{
    struct hf_stack_info sizes = bench_sizes(b);
    assert_int_equal(sizes.connections, 0);
    assert_int_equal(sizes.half_open, 0);
    assert_int_equal(sizes.local_addresses, 0);
    assert_int_equal(held_bytes(b), base_bytes);
}

/* The whole of a connection, with memory. */
static void open_and_end(struct bench *b, bool held, uint64_t base_bytes)
{
    hf_peer_send(&b->peer, "S seq 0 <mss 1460>");
    if (held)
        assert_int_equal(hf_admit(b->rig.stack, bench_event(b, HF_EV_SYN), bench_now(b)), HF_OK);
    hf_rig_pull(&b->rig);
    assert_true(hf_peer_expect(&b->peer, "S. seq 0 ack 1"));
    hf_peer_send(&b->peer, ". seq 1 ack 1");
    b->conn = bench_event(b, held ? HF_EV_CONNECTED : HF_EV_ACCEPTED);
    assert_int_equal(hf_abort(b->rig.stack, b->conn, bench_now(b)), HF_OK);
    hf_rig_pull(&b->rig);
    assert_true(bench_event(b, HF_EV_CLOSED) != 0);
    expect_nothing_kept(b, base_bytes);
}

static uint64_t open_listener(struct bench *b, bool held, int64_t cookies)
{
    bench_init(b);
    b->config.syn_cookies = cookies;
    bench_open(b, false, 1000);
    bench_listen(b, &(struct hf_listen){
                        .port = 80, .held = held, .max_per_remote = 1, .reset_overflow = true});
    return held_bytes(b);
}

static void a_syn_without_memory_meets_a_limit(void **state)
{
    (void)state;
    for (int held = 0; held < 2; held++) {
        bool failed = true;
        uint64_t nth = 1;
        for (; failed; nth++) {
            struct bench b;
            uint64_t base_bytes = open_listener(&b, held, 0);
            fail_in(&b, nth);
            hf_peer_send(&b.peer, "S seq 0 <mss 1460>");
            failed = b.rig.account.failed;
            if (failed) {
                assert_true(hf_peer_expect(&b.peer, "R. seq 0 ack 1"));
                assert_int_equal(bench_count(&b, HF_DROP_SYN_LIMIT), 1);
                expect_nothing_kept(&b, base_bytes);
                open_and_end(&b, held, base_bytes);
            }
            bench_close(&b);
        }
        assert_in_range(nth, 4, REQUESTS_MAX);
    }
}

static void a_syn_without_memory_gets_a_cookie(void **state)
{
    (void)state;
    bool failed = true;
    for (uint64_t nth = 1; failed; nth++) {
        struct bench b;
        uint64_t base_bytes = open_listener(&b, false, 1);
        fail_in(&b, nth);
        hf_peer_send(&b.peer, "S seq 0 <mss 1460>");
        failed = b.rig.account.failed;
        b.rig.account.fail_nth = 0;
        assert_int_equal(bench_count(&b, HF_LIMIT_COOKIES), failed);
        assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
        if (failed)
            expect_nothing_kept(&b, base_bytes);
        hf_peer_send(&b.peer, ". seq 1 ack 1");
        assert_true(bench_event(&b, HF_EV_ACCEPTED) != 0);
        bench_close(&b);
    }
}

/* The half-open entry stays, and takes the next acknowledgment; a cookie is as good as before. */
static void a_handshake_without_memory_can_be_completed_later(void **state)
{
    (void)state;
    for (int64_t cookies = 0; cookies <= 2; cookies += 2) {
        bool failed = true;
        uint64_t nth = 1;
        for (; failed; nth++) {
            struct bench b;
            (void)open_listener(&b, false, cookies);
            hf_peer_send(&b.peer, "S seq 0 <mss 1460>");
            assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
            uint64_t base_bytes = held_bytes(&b);
            fail_in(&b, nth);
            hf_peer_send(&b.peer, ". seq 1 ack 1");
            failed = b.rig.account.failed;
            assert_int_equal(bench_count(&b, HF_DROP_NO_CONN), failed);
            if (failed) {
                assert_int_equal(bench_event(&b, HF_EV_ACCEPTED), 0);
                assert_int_equal(bench_sizes(&b).connections, 0);
                assert_int_equal(bench_sizes(&b).half_open, cookies == 0);
                assert_int_equal(held_bytes(&b), base_bytes);
                hf_peer_send(&b.peer, ". seq 1 ack 1");
            }
            assert_true(bench_event(&b, HF_EV_ACCEPTED) != 0);
            bench_close(&b);
        }
        assert_in_range(nth, 4, REQUESTS_MAX);
    }
}

/* A listener itself. */
static void a_listener_without_memory_is_none(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 1000);
    uint64_t base_bytes = held_bytes(&b), nth = 1;
    struct hf_listen what = {.port = 80};
    int err = HF_E_MEMORY;
    for (; err == HF_E_MEMORY; nth++) {
        fail_in(&b, nth);
        err = hf_listen(b.rig.stack, &what, &b.listener, bench_now(&b));
        assert_int_equal(err, b.rig.account.failed ? HF_E_MEMORY : HF_OK);
        if (err == HF_E_MEMORY)
            assert_int_equal(held_bytes(&b), base_bytes);
    }
    assert_in_range(nth, 3, REQUESTS_MAX);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_syn_without_memory_meets_a_limit),
        cmocka_unit_test(a_syn_without_memory_gets_a_cookie),
        cmocka_unit_test(a_handshake_without_memory_can_be_completed_later),
        cmocka_unit_test(a_listener_without_memory_is_none),
    };
    return cmocka_run_group_tests_name("opening_memory", tests, NULL, NULL);
}
