/* Options one by one: what each may be, that it is told again, and what it does to timers. */
#include "opening.h"

/* The least and the most that an option may be, and what a connection begins with. */
struct row {
    enum hf_option option;
    int64_t least, most;
    bool of_conn, of_listener;
};

#define SPAN_MOST (INT64_C(1000000) * (UINT32_MAX - 1))

static const struct row rows[] = {
    {HF_OPT_TAG, INT64_MIN, INT64_MAX, true, true},
    {HF_OPT_NAGLE, 0, 1, true, true},
    {HF_OPT_CORK, 0, 1, true, true},
    {HF_OPT_KEEPALIVE, 0, 1, true, true},
    {HF_OPT_KEEPALIVE_IDLE_NS, HF_MS(1), SPAN_MOST, true, true},
    {HF_OPT_KEEPALIVE_INTERVAL_NS, HF_MS(1), SPAN_MOST, true, true},
    {HF_OPT_KEEPALIVE_PROBES, 2, 63, true, true},
    {HF_OPT_USER_TIMEOUT_NS, 0, SPAN_MOST, true, true},
    {HF_OPT_R2_RETRIES, 0, 63, true, true},
    {HF_OPT_LINGER_NS, -1, SPAN_MOST, true, true},
    {HF_OPT_TTL, 1, 255, true, true},
    {HF_OPT_DSCP, 0, 63, true, true},
    {HF_OPT_SEND_BUFFER_BYTES, 1, 1 << 30, true, true},
    {HF_OPT_RECEIVE_BUFFER_BYTES, 1, 1 << 30, true, true},
    {HF_OPT_SEND_LOW_WATER_BYTES, 1, 65535, true, true},
    {HF_OPT_RECEIVE_LOW_WATER_BYTES, 1, 65535, true, true},
    {HF_OPT_SOFT_ERRORS, 0, 1, true, true},
    {HF_OPT_SYN_RETRIES, 0, 255, false, false}, /* in SYN-SENT only */
    {HF_OPT_QUICK_ACKS, 0, 255, true, false},
    {HF_OPT_BACKLOG, 0, UINT32_MAX, false, true},
};

static void open_established(struct bench *b)
{
    bench_init(b);
    bench_open(b, false, 1);
    bench_syn_rcvd(b, HALF_OPEN, "<mss 1460>");
    hf_peer_send(&b->peer, ". ack 1");
    b->conn = bench_established(b, HALF_OPEN);
}

static int64_t value_of(const struct bench *b, hf_handle h, enum hf_option o)
{
    int64_t value = -77;
    assert_int_equal(hf_get(b->rig.stack, h, o, &value), HF_OK);
    return value;
}

static void expect_kept(struct bench *b, hf_handle h, const struct row *r)
{
    const int64_t good[] = {r->most, r->least};
    for (size_t k = 0; k < HF_COUNT_OF(good); k++) {
        assert_int_equal(hf_set(b->rig.stack, h, r->option, good[k], bench_now(b)), HF_OK);
        assert_true(value_of(b, h, r->option) == good[k]);
    }
    if (r->option == HF_OPT_TAG)
        return;
    assert_int_equal(hf_set(b->rig.stack, h, r->option, r->least - 1, bench_now(b)), HF_E_INVALID);
    assert_int_equal(hf_set(b->rig.stack, h, r->option, r->most + 1, bench_now(b)), HF_E_INVALID);
    assert_true(value_of(b, h, r->option) == r->least);
}

static void expect_refused(struct bench *b, hf_handle h, const struct row *r, int err)
{
    int64_t value = -77;
    assert_int_equal(hf_set(b->rig.stack, h, r->option, r->most, bench_now(b)), err);
    assert_int_equal(hf_get(b->rig.stack, h, r->option, &value), err);
    assert_int_equal(value, -77);
}

static void each_option_has_its_range(void **state)
{
    (void)state;
    struct bench b;
    open_established(&b);
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++) {
        const struct row *r = &rows[i];
        if (r->of_conn)
            expect_kept(&b, b.conn, r);
        else
            expect_refused(&b, b.conn, r,
                           r->option == HF_OPT_SYN_RETRIES ? HF_E_STATE : HF_E_INVALID);
        if (r->of_listener)
            expect_kept(&b, b.listener, r);
        else
            expect_refused(&b, b.listener, r, HF_E_INVALID);
        expect_refused(&b, b.conn + 1, r, HF_E_HANDLE);
    }
    const struct row none = {HF_OPT_COUNT, 0, 0, false, false};
    expect_refused(&b, b.conn, &none, HF_E_INVALID);
    expect_refused(&b, b.listener, &none, HF_E_INVALID);
    bench_close(&b);
}

/* In SYN-SENT the retries of the SYN are told; without a handle the stack's own are. */
static void a_syn_tells_its_retries(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    b.config.syn_retries = 5;
    bench_open(&b, false, 1);
    b.conn = bench_connect(&b);
    assert_int_equal(value_of(&b, b.conn, HF_OPT_SYN_RETRIES), 5);
    assert_int_equal(hf_set(b.rig.stack, b.conn, HF_OPT_SYN_RETRIES, 2, bench_now(&b)), HF_OK);
    assert_int_equal(value_of(&b, b.conn, HF_OPT_SYN_RETRIES), 2);
    assert_int_equal(value_of(&b, 0, HF_OPT_SYN_RETRIES), 5);
    bench_close(&b);
}

/* Without a handle: what a connection of this stack begins with. */
static void defaults_are_those_of_a_connection(void **state)
{
    (void)state;
    struct bench b;
    open_established(&b);
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++)
        if (rows[i].of_conn && rows[i].option != HF_OPT_QUICK_ACKS)
            assert_int_equal(value_of(&b, 0, rows[i].option), value_of(&b, b.conn, rows[i].option));
    assert_int_equal(value_of(&b, 0, HF_OPT_QUICK_ACKS), b.config.quick_acks);
    assert_int_equal(value_of(&b, 0, HF_OPT_MSS_BYTES), 0);
    int64_t value;
    assert_int_equal(hf_get(b.rig.stack, 0, HF_OPT_BACKLOG, &value), HF_E_INVALID);
    bench_close(&b);
}

/* Times are kept in milliseconds, never shorter than asked for. */
static void spans_are_rounded_up(void **state)
{
    (void)state;
    static const enum hf_option spans[] = {HF_OPT_KEEPALIVE_IDLE_NS, HF_OPT_KEEPALIVE_INTERVAL_NS,
                                           HF_OPT_USER_TIMEOUT_NS, HF_OPT_LINGER_NS};
    struct bench b;
    open_established(&b);
    for (size_t i = 0; i < HF_COUNT_OF(spans); i++) {
        assert_int_equal(hf_set(b.rig.stack, b.conn, spans[i], HF_MS(7) + 1, bench_now(&b)), HF_OK);
        assert_int_equal(value_of(&b, b.conn, spans[i]), HF_MS(8));
    }
    bench_close(&b);
}

/* [RFC9293#3.8.4] Keep-alive begins when nothing waits for an answer: switching it on does not move
 * a retransmission, and another idle time moves the probe that is ahead. */
static void keepalive_is_switched_beside_other_timers(void **state)
{
    (void)state;
    struct bench b;
    open_established(&b);
    assert_int_equal(hf_send(b.rig.stack, b.conn, "x", 1, 0, bench_now(&b)), 1);
    hf_rig_pull(&b.rig);
    assert_true(hf_peer_expect(&b.peer, "P. seq 1:2 ack 1"));
    hf_ns rto_ns = bench_info(&b, b.conn).rto_deadline_ns;
    assert_int_equal(hf_set(b.rig.stack, b.conn, HF_OPT_KEEPALIVE, 1, bench_now(&b)), HF_OK);
    assert_int_equal(
        hf_set(b.rig.stack, b.conn, HF_OPT_KEEPALIVE_INTERVAL_NS, HF_SEC(1), bench_now(&b)), HF_OK);
    assert_int_equal(bench_info(&b, b.conn).rto_deadline_ns, rto_ns);
    hf_peer_send(&b.peer, ". ack 2");
    assert_int_equal(
        hf_set(b.rig.stack, b.conn, HF_OPT_KEEPALIVE_IDLE_NS, HF_SEC(5), bench_now(&b)), HF_OK);
    hf_rig_wait(&b.rig, HF_MS(4990));
    assert_true(hf_peer_expect_nothing(&b.peer));
    hf_rig_wait(&b.rig, HF_MS(20));
    assert_true(hf_peer_expect(&b.peer, ". seq 1 ack 1"));
    hf_peer_send(&b.peer, ". ack 2");
    /* And off again: no further probe. */
    assert_int_equal(hf_set(b.rig.stack, b.conn, HF_OPT_KEEPALIVE, 0, bench_now(&b)), HF_OK);
    hf_rig_wait(&b.rig, HF_SEC(100));
    assert_true(hf_peer_expect_nothing(&b.peer));
    bench_close(&b);
}

/* A limit set on a live connection makes its segments smaller at once, and never larger again: the
 * path may have said why. */
static void segments_of_a_live_connection_only_shrink(void **state)
{
    (void)state;
    static const uint8_t data[3000];
    struct bench b;
    open_established(&b);
    assert_int_equal(value_of(&b, b.conn, HF_OPT_MSS_BYTES), 1460);
    static const int64_t limits[] = {1000, 0, 1400};
    for (size_t i = 0; i < HF_COUNT_OF(limits); i++) {
        assert_int_equal(hf_set(b.rig.stack, b.conn, HF_OPT_MSS_BYTES, limits[i], bench_now(&b)),
                         HF_OK);
        assert_int_equal(value_of(&b, b.conn, HF_OPT_MSS_BYTES), 1000);
    }
    assert_int_equal(hf_send(b.rig.stack, b.conn, data, 3000, 0, bench_now(&b)), 3000);
    hf_rig_pull(&b.rig);
    assert_true(hf_peer_expect(&b.peer, ". seq 1:1001"));
    bench_close(&b);
}

/* What is set when all is over is kept, and starts nothing. */
static void options_of_a_dead_connection_start_nothing(void **state)
{
    (void)state;
    struct bench b;
    open_established(&b);
    hf_peer_send(&b.peer, "R seq 1");
    assert_int_equal(bench_info(&b, b.conn).how, HF_CLOSED_RESET);
    assert_int_equal(hf_set(b.rig.stack, b.conn, HF_OPT_KEEPALIVE, 1, bench_now(&b)), HF_OK);
    assert_int_equal(
        hf_set(b.rig.stack, b.conn, HF_OPT_KEEPALIVE_IDLE_NS, HF_SEC(1), bench_now(&b)), HF_OK);
    assert_int_equal(value_of(&b, b.conn, HF_OPT_KEEPALIVE), 1);
    hf_rig_wait(&b.rig, HF_SEC(10));
    assert_true(hf_peer_expect_nothing(&b.peer));
    assert_true(hf_stack_deadline(b.rig.stack) == HF_NEVER);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_option_has_its_range),
        cmocka_unit_test(a_syn_tells_its_retries),
        cmocka_unit_test(defaults_are_those_of_a_connection),
        cmocka_unit_test(spans_are_rounded_up),
        cmocka_unit_test(keepalive_is_switched_beside_other_timers),
        cmocka_unit_test(segments_of_a_live_connection_only_shrink),
        cmocka_unit_test(options_of_a_dead_connection_start_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
