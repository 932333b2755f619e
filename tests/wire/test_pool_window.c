/* Windows that the pool of blocks keeps closed, not the reader: the peer hears when blocks come
 * back, at that instant and without having to ask. */
#include "opening.h"

enum {
    BLOCK = 512,
    BLOCKS = 128,
    HELD_BYTES = BLOCKS * 3 / 4 * BLOCK, /* from here on windows get nothing */
    BUFFER = 2920,
    MANY = 300, /* more than one call tells */
    TURNS_MAX = 1000
};

/* The bench's connection has a small buffer; a holder and a latecomer beside it were promised all
 * that windows may have. */
struct pool {
    struct bench b;
    struct hf_peer holder_peer, late_peer;
    hf_handle holder, late;
    uint32_t held_bytes; /**< unread at the holder */
};

static hf_handle open_conn(struct bench *b, struct hf_peer *p)
{
    assert_true(hf_peer_connect(p, "<mss 1460>"));
    hf_handle c = bench_event(b, HF_EV_ACCEPTED);
    assert_true(c != 0);
    return c;
}

static void open_pool(struct pool *t)
{
    struct bench *b = &t->b;
    bench_init(b);
    b->config.block_bytes = BLOCK;
    b->config.pool_bytes = BLOCKS * BLOCK;
    b->config.receive_buffer_bytes = 60000;
    bench_open(b, false, 1000);
    b->listener = bench_listen(b, &(struct hf_listen){.port = 80});
    t->holder_peer = bench_peer(b, 3, 4001, 1000);
    t->late_peer = bench_peer(b, 4, 4002, 1000);
    t->holder = open_conn(b, &t->holder_peer);
    t->late = open_conn(b, &t->late_peer);
    assert_int_equal(
        hf_set(b->rig.stack, b->listener, HF_OPT_RECEIVE_BUFFER_BYTES, BUFFER, bench_now(b)),
        HF_OK);
    b->conn = open_conn(b, &b->peer);
    assert_int_equal(b->peer.last.segment.window, BUFFER);
}

static void send_from(struct hf_peer *p, uint32_t begin, uint32_t end)
{
    char text[48];
    snprintf(text, sizeof text, ". seq %u:%u ack 1", begin + 1, end + 1);
    hf_peer_send(p, text);
    hf_peer_skip(p);
}

static void fill_pool(struct pool *t, struct hf_peer *p)
{
    send_from(p, 0, HELD_BYTES);
    assert_true(bench_sizes(&t->b).pool_used_bytes >= HELD_BYTES);
}

/* Reads this much; nobody asks for packets yet. */
static void take(struct bench *b, hf_handle c, uint32_t n)
{
    static uint8_t bytes[HELD_BYTES];
    assert_int_equal(hf_receive(b->rig.stack, c, bytes, n, bench_now(b)), n);
}

/* The peer has filled the buffer and knows it: no window is left. */
static void fill_buffer(struct bench *b)
{
    hf_peer_send(&b->peer, ". seq 1:1461 ack 1");
    hf_peer_send(&b->peer, "P. seq 1461:2921 ack 1");
    assert_true(hf_peer_skip(&b->peer) > 0);
    assert_int_equal(b->peer.last.segment.ack - b->peer.iss, 2921);
    assert_int_equal(b->peer.last.segment.window, 0);
}

/* The holder reads all: blocks come back, and the peer hears at once. */
static void expect_update(struct pool *t, const char *update)
{
    take(&t->b, t->holder, HELD_BYTES);
    hf_rig_pull(&t->b.rig);
    assert_true(hf_peer_expect(&t->b.peer, update));
    assert_true(hf_peer_expect_nothing(&t->b.peer));
    bench_close(&t->b);
}

/* The reader had let its window close; when it reads, the pool has nothing for it. That the peer
 * asks meanwhile changes nothing. covers: MUST-39 */
static void read_while_the_pool_is_full(void **state)
{
    (void)state;
    for (int probed = 0; probed < 2; probed++) {
        struct pool t;
        open_pool(&t);
        fill_buffer(&t.b);
        fill_pool(&t, &t.holder_peer);
        take(&t.b, t.b.conn, BUFFER);
        hf_rig_pull(&t.b.rig);
        assert_true(hf_peer_expect_nothing(&t.b.peer));
        if (probed) {
            hf_peer_send(&t.b.peer, "P. seq 2921:2922 ack 1");
            assert_true(hf_peer_expect(&t.b.peer, ". seq 1 ack 2921 win 0"));
        }
        expect_update(&t, ". seq 1 ack 2921 win 2920");
    }
}

/* It reads in pieces, none of them worth telling of, and in between there was room for them. */
static void read_in_pieces(void **state)
{
    (void)state;
    struct pool t;
    open_pool(&t);
    fill_buffer(&t.b);
    take(&t.b, t.b.conn, 500);
    fill_pool(&t, &t.holder_peer);
    take(&t.b, t.b.conn, 500);
    take(&t.b, t.holder, HELD_BYTES); /* now it waits for its reader again */
    fill_pool(&t, &t.late_peer);
    take(&t.b, t.b.conn, BUFFER - 1000);
    hf_rig_pull(&t.b.rig);
    assert_true(hf_peer_expect_nothing(&t.b.peer));
    take(&t.b, t.late, HELD_BYTES);
    hf_rig_pull(&t.b.rig);
    assert_true(hf_peer_expect(&t.b.peer, ". seq 1 ack 2921 win 2920"));
    assert_true(hf_peer_expect_nothing(&t.b.peer));
    bench_close(&t.b);
}

/* What is left of the window is no room for a segment: as good as closed. */
static void read_before_the_window_is_closed(void **state)
{
    (void)state;
    struct pool t;
    open_pool(&t);
    hf_peer_send(&t.b.peer, ". seq 1:1461 ack 1");
    hf_peer_send(&t.b.peer, "P. seq 1461:2461 ack 1");
    assert_true(hf_peer_skip(&t.b.peer) > 0);
    assert_int_equal(t.b.peer.last.segment.window, 460);
    fill_pool(&t, &t.holder_peer);
    take(&t.b, t.b.conn, 2460);
    hf_rig_pull(&t.b.rig);
    assert_true(hf_peer_expect_nothing(&t.b.peer));
    expect_update(&t, ". seq 1 ack 2461 win 2920");
}

/* There was room, and the peer was to hear of it; by the time that the segment left there was none
 * any more. */
static void room_that_is_gone_again(void **state)
{
    (void)state;
    struct pool t;
    open_pool(&t);
    fill_buffer(&t.b);
    fill_pool(&t, &t.holder_peer);
    take(&t.b, t.b.conn, BUFFER);
    take(&t.b, t.holder, HELD_BYTES);
    fill_pool(&t, &t.late_peer);
    assert_true(hf_peer_expect(&t.b.peer, ". seq 1 ack 2921 win 0"));
    assert_true(hf_peer_expect_nothing(&t.b.peer));
    take(&t.b, t.late, HELD_BYTES);
    hf_rig_pull(&t.b.rig);
    assert_true(hf_peer_expect(&t.b.peer, ". seq 1 ack 2921 win 2920"));
    bench_close(&t.b);
}

/* A larger buffer is room as well. */
static void a_larger_buffer_while_the_pool_is_full(void **state)
{
    (void)state;
    struct pool t;
    open_pool(&t);
    fill_buffer(&t.b);
    fill_pool(&t, &t.holder_peer);
    assert_int_equal(
        hf_set(t.b.rig.stack, t.b.conn, HF_OPT_RECEIVE_BUFFER_BYTES, 10000, bench_now(&t.b)),
        HF_OK);
    hf_rig_pull(&t.b.rig);
    assert_true(hf_peer_expect_nothing(&t.b.peer));
    expect_update(&t, ". seq 1 ack 2921 win 7080");
}

/* Who waits for that and ends, by call or by the peer's FIN, waits no more. */
static void who_ends_waits_no_more(void **state)
{
    (void)state;
    for (int by_peer = 0; by_peer < 2; by_peer++) {
        struct pool t;
        open_pool(&t);
        hf_peer_send(&t.b.peer, ". seq 1:1461 ack 1");
        hf_peer_send(&t.b.peer, "P. seq 1461:2920 ack 1"); /* leaves the FIN its number */
        fill_pool(&t, &t.holder_peer);
        take(&t.b, t.b.conn, BUFFER - 1);
        hf_rig_pull(&t.b.rig);
        hf_peer_skip(&t.b.peer);
        if (by_peer)
            hf_peer_send(&t.b.peer, "F. seq 2920 ack 1");
        else
            assert_int_equal(hf_abort(t.b.rig.stack, t.b.conn, bench_now(&t.b)), HF_OK);
        hf_rig_pull(&t.b.rig);
        assert_true(hf_peer_expect(&t.b.peer, by_peer ? ". seq 1 ack 2921" : "R. seq 1"));
        take(&t.b, t.holder, HELD_BYTES);
        hf_rig_pull(&t.b.rig);
        assert_true(hf_peer_expect_nothing(&t.b.peer));
        bench_close(&t.b);
    }
}

/* ---- who wants to write as well ---- */

/* Does what an application does at one instant, and writes this much (or nothing) when it is told
 * that it may; how much of it was taken. */
static uint32_t settle(struct bench *b, uint32_t bytes)
{
    static const uint8_t zeros[8 * BLOCK];
    uint32_t written = 0;
    for (int turns = 0; turns < TURNS_MAX; turns++) {
        struct hf_event e;
        while ((e = hf_rig_event(&b->rig)).bits != 0) {
            if (e.handle != b->conn || (e.bits & HF_EV_WRITABLE) == 0 || written == bytes)
                continue;
            int64_t n = hf_send(b->rig.stack, b->conn, zeros, bytes - written, 0, bench_now(b));
            assert_in_range(n, 1, BLOCK); /* it was told that it may: a block a turn */
            written += (uint32_t)n;
        }
        if (hf_stack_deadline(b->rig.stack) > bench_now(b))
            return written;
        hf_checks_expire(&b->rig.checks, "stack", b->rig.stack, bench_now(b));
    }
    fail_msg("time stands still");
    return 0;
}

/* The pool keeps its window closed, and it found no block to write: there is none at all. The
 * latecomer has written this much, the holder keeps the rest. */
static void wait_for_both(struct pool *t, uint32_t written_bytes)
{
    static const uint8_t zeros[BLOCKS * BLOCK];
    struct bench *b = &t->b;
    uint32_t held_bytes = BLOCKS * BLOCK - written_bytes;
    open_pool(t);
    hf_peer_send(&t->late_peer, ". seq 1 ack 1 win 0");
    assert_int_equal(hf_send(b->rig.stack, t->late, zeros, written_bytes, 0, bench_now(b)),
                     written_bytes);
    fill_buffer(b);
    send_from(&t->holder_peer, 0, held_bytes - 6 * BLOCK);
    take(b, b->conn, BUFFER); /* the six that were left */
    send_from(&t->holder_peer, held_bytes - 6 * BLOCK, held_bytes);
    assert_int_equal(bench_sizes(b).pool_used_bytes, BLOCKS * BLOCK);
    t->held_bytes = held_bytes;
    assert_int_equal(hf_send(b->rig.stack, b->conn, "x", 1, 0, bench_now(b)), HF_E_AGAIN);
    assert_int_equal(settle(b, 1), 0);
    assert_true(hf_peer_expect_nothing(&b->peer));
}

/* Blocks come back, enough to write and too few for the window: it writes, whatever it has, or
 * keeps silent, and waits on for the other. */
static void told_to_write_it_waits_for_its_window(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {0, 1, BLOCK, 8 * BLOCK};
    for (size_t i = 0; i < HF_COUNT_OF(sizes); i++) {
        struct pool t;
        wait_for_both(&t, BLOCKS / 4 * BLOCK);
        assert_int_equal(hf_abort(t.b.rig.stack, t.late, bench_now(&t.b)), HF_OK);
        assert_int_equal(settle(&t.b, sizes[i]), sizes[i]);
        hf_rig_pull(&t.b.rig);
        while (hf_peer_pop(&t.b.peer))
            assert_int_equal(t.b.peer.last.segment.window, 0);
        take(&t.b, t.holder, t.held_bytes);
        hf_rig_pull(&t.b.rig);
        assert_true(hf_peer_pop(&t.b.peer));
        assert_int_equal(t.b.peer.last.segment.window, BUFFER);
        bench_close(&t.b);
    }
}

/* The other way round: the window opens while sending has all that it may have. */
static void told_of_its_window_it_waits_to_write(void **state)
{
    (void)state;
    struct pool t;
    wait_for_both(&t, BLOCKS / 2 * BLOCK);
    take(&t.b, t.holder, t.held_bytes);
    hf_rig_pull(&t.b.rig);
    assert_true(hf_peer_expect(&t.b.peer, ". seq 1 ack 2921 win 2920"));
    assert_int_equal(settle(&t.b, 1), 0);
    assert_int_equal(hf_abort(t.b.rig.stack, t.late, bench_now(&t.b)), HF_OK);
    assert_int_equal(settle(&t.b, 1), 1);
    bench_close(&t.b);
}

/* ---- many of them ---- */

/* More windows wait than a call looks at: all peers hear before time goes on. */
static void everyone_whose_window_waits_hears(void **state)
{
    (void)state;
    static struct hf_peer peers[MANY];
    struct pool t;
    open_pool(&t);
    fill_pool(&t, &t.holder_peer);
    for (uint16_t i = 0; i < MANY; i++) {
        peers[i] = bench_peer(&t.b, 5, (uint16_t)(5000 + i), 1000);
        assert_true(hf_peer_connect(&peers[i], "<mss 1460>"));
        hf_handle c = 0;
        while (c == 0)
            c = bench_event(&t.b, HF_EV_ACCEPTED);
        hf_peer_send(&peers[i], "P. seq 1:1025 ack 1"); /* all that it was promised */
        take(&t.b, c, 1024);
        hf_rig_pull(&t.b.rig);
        assert_true(hf_peer_expect(&peers[i], ". seq 1 ack 1025 win 0"));
    }
    take(&t.b, t.holder, HELD_BYTES);
    (void)settle(&t.b, 0);
    hf_rig_pull(&t.b.rig);
    for (size_t i = 0; i < MANY; i++) {
        assert_true(hf_peer_expect(&peers[i], ". seq 1 ack 1025 win 2920"));
        assert_true(hf_peer_expect_nothing(&peers[i]));
    }
    bench_close(&t.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_while_the_pool_is_full),
        cmocka_unit_test(read_in_pieces),
        cmocka_unit_test(read_before_the_window_is_closed),
        cmocka_unit_test(room_that_is_gone_again),
        cmocka_unit_test(a_larger_buffer_while_the_pool_is_full),
        cmocka_unit_test(who_ends_waits_no_more),
        cmocka_unit_test(told_to_write_it_waits_for_its_window),
        cmocka_unit_test(told_of_its_window_it_waits_to_write),
        cmocka_unit_test(everyone_whose_window_waits_hears),
    };
    return cmocka_run_group_tests_name("pool_window", tests, NULL, NULL);
}
