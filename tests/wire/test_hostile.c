/* What a hostile peer, network or application once broke: each finding stays as a test. */
#include "opening.h"

/* A peer whose window was closed opens it before it acknowledges our SYN, while our FIN waits: what
 * is sent again then may not begin before the first byte. */
static void window_opens_before_the_syn_is_acknowledged(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 1000);
    struct hf_listen listen = {.port = 80, .held = true};
    bench_listen(&b, &listen);
    hf_peer_send(&b.peer, "S seq 0 win 0");
    b.conn = bench_event(&b, HF_EV_SYN);
    assert_int_equal(hf_admit(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
    assert_int_equal(hf_shutdown(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
    hf_rig_pull(&b.rig);
    assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
    hf_peer_send(&b.peer, ". seq 1 ack 0 win 1000");
    assert_true(hf_peer_expect(&b.peer, "F. seq 1 ack 1"));
    assert_true(hf_peer_expect_nothing(&b.peer));
    hf_peer_send(&b.peer, ". seq 1 ack 2");
    assert_int_equal(hf_peer_state(&b.peer), HF_FIN_WAIT_2);
    bench_close(&b);
}

/* Duplicate ACKs below our SYN are no sign of loss either. */
static void duplicate_acks_before_the_syn_is_acknowledged(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 1000);
    struct hf_listen listen = {.port = 80, .held = true};
    bench_listen(&b, &listen);
    hf_peer_send(&b.peer, "S seq 0 win 1000");
    b.conn = bench_event(&b, HF_EV_SYN);
    assert_int_equal(hf_admit(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
    assert_int_equal(hf_shutdown(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
    hf_rig_pull(&b.rig);
    assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
    assert_true(hf_peer_expect(&b.peer, "F. seq 1 ack 1"));
    for (int i = 0; i < 8; i++)
        hf_peer_send(&b.peer, ". seq 1 ack 0 win 1000");
    assert_int_equal(bench_count(&b, HF_RETRANSMIT_FAST), 0);
    hf_peer_send(&b.peer, ". seq 1 ack 1");
    assert_true(hf_peer_expect_nothing(&b.peer));
    bench_close(&b);
}

/* A FIN in order although data beyond it came before: that data is not part of the stream, and may
 * not stand in the way of reading. The FIN's number opens another block than the last byte's. */
static void fin_below_data_that_was_received(void **state)
{
    (void)state;
    for (uint32_t last = 4090; last < 4100; last++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, false, 0xFFFFF000u);
        struct hf_listen listen = {.port = 80};
        bench_listen(&b, &listen);
        assert_true(hf_peer_connect(&b.peer, "<mss 1460,sackOK>"));
        b.conn = bench_event(&b, HF_EV_ACCEPTED);
        char text[64];
        snprintf(text, sizeof text, "P. seq 1:%u ack 1", last);
        hf_peer_send(&b.peer, text);
        hf_peer_send(&b.peer, "P. seq 5000:5100 ack 1");
        snprintf(text, sizeof text, "F. seq %u ack 1", last);
        hf_peer_send(&b.peer, text);
        hf_peer_skip(&b.peer);
        assert_int_equal(hf_peer_state(&b.peer), HF_CLOSE_WAIT);
        assert_int_equal(bench_info(&b, b.conn).out_of_order_bytes, 0);
        uint8_t bytes[5000];
        hf_ns now = bench_now(&b);
        assert_int_equal(hf_receive(b.rig.stack, b.conn, bytes, sizeof bytes, now), last - 1);
        assert_int_equal(hf_pattern_check(b.peer.key, 0, bytes, last - 1), last - 1);
        assert_int_equal(hf_receive(b.rig.stack, b.conn, bytes, sizeof bytes, now), HF_E_END);
        assert_int_equal(bench_sizes(&b).pool_used_bytes, 0);
        bench_close(&b);
    }
}

/* Segments of a huge MTU lie in more small blocks than one packet may have slices. */
static void segments_of_many_small_blocks(void **state)
{
    (void)state;
    enum { BYTES = 100000 };
    struct bench b;
    bench_init(&b);
    b.config.mtu_bytes = 65535;
    b.config.block_bytes = 512;
    b.config.nagle = 0;
    bench_open(&b, false, 1000);
    struct hf_listen listen = {.port = 80};
    bench_listen(&b, &listen);
    assert_true(hf_peer_connect(&b.peer, "<mss 65495,wscale 7>"));
    b.conn = bench_event(&b, HF_EV_ACCEPTED);
    static uint8_t sent[BYTES], got[BYTES];
    hf_pattern_fill(3, 0, sent, sizeof sent);
    int64_t n = hf_send(b.rig.stack, b.conn, sent, sizeof sent, 0, bench_now(&b));
    assert_int_equal(n, BYTES);
    hf_rig_pull(&b.rig);
    assert_int_equal(hf_peer_collect(&b.peer, 0, got, sizeof got), BYTES);
    assert_memory_equal(sent, got, BYTES);
    bench_close(&b);
}

/* No retries means none: not for ever. */
static void no_retries_end_a_handshake(void **state)
{
    (void)state;
    for (int admitted = 0; admitted < 2; admitted++) {
        struct bench b;
        bench_init(&b);
        b.config.syn_retries = b.config.synack_retries = 0;
        bench_open(&b, false, 1000);
        if (admitted) {
            struct hf_listen listen = {.port = 80, .held = true};
            bench_listen(&b, &listen);
            hf_peer_send(&b.peer, "S seq 0 win 1000");
            b.conn = bench_event(&b, HF_EV_SYN);
            assert_int_equal(hf_admit(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
            hf_rig_pull(&b.rig);
            assert_true(hf_peer_expect(&b.peer, "0.000 S. seq 0 ack 1"));
        } else {
            b.conn = bench_connect(&b);
            assert_true(hf_peer_expect(&b.peer, "0.000 S seq 0"));
        }
        hf_rig_wait(&b.rig, HF_SEC(2));
        struct hf_event e = hf_rig_event(&b.rig);
        assert_int_equal(e.bits, HF_EV_CLOSED);
        assert_int_equal(e.how, HF_CLOSED_TIMED_OUT);
        assert_int_equal(bench_count(&b, HF_RETRANSMIT_SYN), 0);
        assert_int_equal(bench_count(&b, HF_RETRANSMIT_SYNACK), 0);
        assert_int_equal(hf_stack_deadline(b.rig.stack), HF_NEVER);
        bench_close(&b);
    }
}

/* A user timeout shorter than the RTO moves the timer, not the time at which the SYN left. */
static void user_timeout_does_not_falsify_the_round_trip(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    b.config.user_timeout_ns = HF_MS(300);
    bench_open(&b, false, 1000);
    b.conn = bench_connect(&b);
    hf_rig_wait(&b.rig, HF_MS(20));
    assert_true(hf_peer_accept(&b.peer, ""));
    hf_ns srtt_ns = bench_info(&b, b.conn).srtt_ns;
    assert_true(srtt_ns == 0 || (srtt_ns >= HF_MS(19) && srtt_ns <= HF_MS(22)));
    bench_close(&b);
}

/* What was not reserved, or was reserved before another call, is not there to be sent. */
static void commit_needs_its_own_reservation(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 1000);
    struct hf_listen listen = {.port = 80};
    bench_listen(&b, &listen);
    assert_true(hf_peer_connect(&b.peer, ""));
    b.conn = bench_event(&b, HF_EV_ACCEPTED);
    struct hf_stack *s = b.rig.stack;
    hf_ns now = bench_now(&b);
    void *room;
    assert_int_equal(hf_send(s, b.conn, "x", 1, HF_SEND_MORE, now), 1);
    assert_int_equal(hf_send_commit(s, b.conn, 1, 0, now), HF_E_STATE);
    assert_true(hf_send_reserve(s, b.conn, &room, now) > 0);
    assert_int_equal(hf_send(s, b.conn, "y", 1, HF_SEND_MORE, now), 1);
    assert_int_equal(hf_send_commit(s, b.conn, 1, 0, now), HF_E_STATE);
    assert_true(hf_send_reserve(s, b.conn, &room, now) > 0);
    memcpy(room, "z", 1);
    assert_int_equal(hf_send_commit(s, b.conn, 1, 0, now), HF_OK);
    assert_int_equal(hf_send_commit(s, b.conn, 1, 0, now), HF_E_STATE);
    hf_rig_pull(&b.rig);
    assert_true(hf_peer_expect(&b.peer, "P. seq 1:4 ack 1"));
    assert_memory_equal(b.peer.last.payload, "xyz", 3);
    bench_close(&b);
}

enum { HELD_BYTES = 96 * 512 };

/* A connection holds three quarters of the pool unread; of the other, at the bench's peer, the
 * window was closed for that. */
static hf_handle close_a_window_by_the_pool(struct bench *b)
{
    bench_init(b);
    b->config.block_bytes = 512;
    b->config.pool_bytes = 128 * 512;
    b->config.receive_buffer_bytes = 60000;
    bench_open(b, false, 1000);
    bench_listen(b, &(struct hf_listen){.port = 80});
    struct hf_peer first = bench_peer(b, 2, 4001, 1000);
    assert_true(hf_peer_connect(&first, "<mss 1460>"));
    hf_handle reader = bench_event(b, HF_EV_ACCEPTED);
    hf_peer_send(&first, ". seq 1:49153 ack 1");
    assert_int_equal(bench_info(b, reader).receive_queue_bytes, HELD_BYTES);
    hf_peer_skip(&first);
    assert_true(hf_peer_connect(&b->peer, "<mss 1460>"));
    assert_int_equal(b->peer.last.segment.window, 1024);
    while (b->conn == 0)
        b->conn = bench_event(b, HF_EV_ACCEPTED);
    hf_peer_send(&b->peer, "P. seq 1:1025 ack 1");
    uint8_t bytes[1024];
    int64_t n = hf_receive(b->rig.stack, b->conn, bytes, sizeof bytes, bench_now(b));
    assert_int_equal(n, sizeof bytes);
    hf_rig_pull(&b->rig);
    assert_true(hf_peer_expect(&b->peer, ". seq 1 ack 1025 win 0"));
    return reader;
}

/* The pool closed a window; blocks come back one by one, each too few to open it again. The peer
 * must hear of the opening without having to ask. */
static void window_closed_by_the_pool_opens_again(void **state)
{
    (void)state;
    struct bench b;
    hf_handle reader = close_a_window_by_the_pool(&b);
    static uint8_t bytes[HELD_BYTES];
    hf_ns now = bench_now(&b);
    assert_int_equal(hf_receive(b.rig.stack, reader, bytes, 512, now), 512);
    hf_rig_pull(&b.rig);
    int64_t rest = hf_receive(b.rig.stack, reader, bytes, sizeof bytes, now);
    assert_int_equal(rest, HELD_BYTES - 512);
    hf_rig_pull(&b.rig);
    assert_true(hf_peer_pop(&b.peer));
    assert_true(b.peer.last.segment.window > 1460);
    bench_close(&b);
}

/* Pulls every event and keeps every deadline that is due, as any application does; how many were
 * told that they may write. Time stands still. */
static int count_writable(struct bench *b)
{
    int writable = 0;
    for (int turns = 0;; turns++) {
        struct hf_event e;
        while ((e = hf_rig_event(&b->rig)).bits != 0)
            writable += (e.bits & HF_EV_WRITABLE) != 0;
        if (hf_stack_deadline(b->rig.stack) > bench_now(b))
            return writable;
        assert_true(turns < 1000); /* whoever has nothing to say falls silent */
        hf_checks_expire(&b->rig.checks, "stack", b->rig.stack, bench_now(b));
    }
}

enum { WAITERS = 100, WAITERS_MAX_BLOCKS = 16 };

/* The first connection holds all that sending may have; those behind it find no block. */
static void fill_the_pool(struct bench *b, hf_handle *conns)
{
    static const uint8_t bytes[65536];
    bench_init(b);
    b->config.pool_bytes = WAITERS_MAX_BLOCKS * b->config.block_bytes;
    bench_open(b, false, 1000);
    bench_listen(b, &(struct hf_listen){.port = 80});
    for (uint16_t i = 0; i < WAITERS + 1; i++) {
        struct hf_peer p = bench_peer(b, 2, (uint16_t)(5000 + i), 1000);
        assert_true(hf_peer_connect(&p, "<mss 1000>"));
        conns[i] = bench_event(b, HF_EV_ACCEPTED);
        if (i == 0)
            hf_peer_send(&p, ". seq 1 ack 1 win 0");
    }
    hf_ns now = bench_now(b);
    int64_t share = b->config.pool_bytes / 2;
    assert_int_equal(hf_send(b->rig.stack, conns[0], bytes, sizeof bytes, 0, now), share);
    for (int i = 1; i < WAITERS + 1; i++)
        assert_int_equal(hf_send(b->rig.stack, conns[i], bytes, 100, 0, now), HF_E_AGAIN);
    hf_rig_pull(&b->rig);
    assert_int_equal(count_writable(b), 0);
}

/* Many wait for blocks, and those that are woken first do not write: the others hear of the room
 * as well, without a segment or the passing of time to help. */
static void everyone_who_waits_for_blocks_is_woken(void **state)
{
    (void)state;
    struct bench b;
    hf_handle conns[WAITERS + 1];
    fill_the_pool(&b, conns);
    assert_int_equal(hf_abort(b.rig.stack, conns[0], bench_now(&b)), HF_OK);
    assert_int_equal(count_writable(&b), WAITERS);
    assert_int_equal(hf_stack_deadline(b.rig.stack) > bench_now(&b), true);
    bench_close(&b);
}

/* The same when a round in which nobody could have a block is over already. */
static void room_that_comes_after_a_vain_round_is_told(void **state)
{
    (void)state;
    struct bench b;
    hf_handle conns[WAITERS + 1];
    fill_the_pool(&b, conns);
    for (int i = 0; i < WAITERS; i++) { /* each call tries as many as there are blocks */
        struct hf_peer stranger = bench_peer(&b, 3, (uint16_t)(7000 + i), 1000);
        hf_peer_send(&stranger, "R. seq 1 ack 1");
    }
    assert_int_equal(count_writable(&b), 0);
    assert_int_equal(hf_abort(b.rig.stack, conns[0], bench_now(&b)), HF_OK);
    assert_int_equal(count_writable(&b), WAITERS);
    bench_close(&b);
}

/* No more hear of it than there are blocks before the first ones had their chance to write, however
 * often time is asked for meanwhile: who is woken first would keep what is not for all. */
static void those_who_are_woken_have_their_turn_first(void **state)
{
    (void)state;
    struct bench b;
    hf_handle conns[WAITERS + 1];
    fill_the_pool(&b, conns);
    assert_int_equal(hf_abort(b.rig.stack, conns[0], bench_now(&b)), HF_OK);
    for (int i = 0; i < 1000 && hf_stack_deadline(b.rig.stack) <= bench_now(&b); i++)
        (void)hf_stack_expire(b.rig.stack, bench_now(&b), 64);
    int writable = 0;
    struct hf_event e;
    while ((e = hf_rig_event(&b.rig)).bits != 0)
        writable += (e.bits & HF_EV_WRITABLE) != 0;
    assert_in_range(writable, 1, WAITERS_MAX_BLOCKS);
    assert_int_equal(writable + count_writable(&b), WAITERS);
    bench_close(&b);
}

/* Some write as soon as they hear, others never do: those who took a block in their turn and want
 * another get one, as long as there are some. */
static void all_waiters_write_what_they_have(void **state)
{
    (void)state;
    enum { WRITERS = 4, WANTED_BYTES = 2 * 4096 };
    static const uint8_t bytes[WANTED_BYTES];
    struct bench b;
    hf_handle conns[WAITERS + 1];
    int64_t left[WAITERS + 1];
    fill_the_pool(&b, conns);
    assert_int_equal(b.config.block_bytes, 4096);
    for (int i = 0; i < WAITERS + 1; i++)
        left[i] = i >= 1 && i <= WRITERS ? WANTED_BYTES : 0;
    assert_int_equal(hf_abort(b.rig.stack, conns[0], bench_now(&b)), HF_OK);
    for (int turns = 0; turns < 1000; turns++) {
        struct hf_event e;
        while ((e = hf_rig_event(&b.rig)).bits != 0)
            for (int i = 1; i <= WRITERS && (e.bits & HF_EV_WRITABLE) != 0; i++) {
                if (conns[i] != e.handle)
                    continue;
                int64_t n =
                    hf_send(b.rig.stack, conns[i], bytes, (size_t)left[i], 0, bench_now(&b));
                left[i] -= n > 0 ? n : 0;
            }
        if (hf_stack_deadline(b.rig.stack) > bench_now(&b))
            break;
        hf_checks_expire(&b.rig.checks, "stack", b.rig.stack, bench_now(&b));
    }
    for (int i = 1; i <= WRITERS; i++)
        assert_int_equal(left[i], 0);
    bench_close(&b);
}

/* Whose window waits for blocks was looked at already when it asks to write as well: it hears of
 * the room all the same, though no block moves. */
static void a_window_that_waits_does_not_keep_its_writer_waiting(void **state)
{
    (void)state;
    struct bench b;
    (void)close_a_window_by_the_pool(&b);
    (void)count_writable(&b);
    assert_false(hf_stack_expire(b.rig.stack, bench_now(&b), 64));
    assert_int_equal(hf_send(b.rig.stack, b.conn, "x", 1, 0, bench_now(&b)), HF_E_AGAIN);
    assert_int_equal(count_writable(&b), 1);
    assert_int_equal(hf_send(b.rig.stack, b.conn, "x", 1, 0, bench_now(&b)), 1);
    bench_close(&b);
}

/* The allocator has nothing although the budget has: who waits is asked to try now and then, and
 * not without end. */
static void waiters_rest_while_the_allocator_is_dry(void **state)
{
    (void)state;
    enum { COUNT = 40 };
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 1000);
    bench_listen(&b, &(struct hf_listen){.port = 80});
    hf_handle conns[COUNT];
    for (uint16_t i = 0; i < COUNT; i++) {
        struct hf_peer p = bench_peer(&b, 2, (uint16_t)(5000 + i), 1000);
        assert_true(hf_peer_connect(&p, "<mss 1000>"));
        conns[i] = bench_event(&b, HF_EV_ACCEPTED);
    }
    hf_rig_starve(&b.rig);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(hf_send(b.rig.stack, conns[i], "x", 1, 0, bench_now(&b)), HF_E_AGAIN);
    hf_ns end = bench_now(&b) + HF_SEC(1);
    int turns = 0, tries = 0;
    for (; turns < 100000 && hf_stack_deadline(b.rig.stack) <= end; turns++) {
        b.rig.now_ns = hf_max_ns(bench_now(&b), hf_stack_deadline(b.rig.stack));
        hf_checks_expire(&b.rig.checks, "stack", b.rig.stack, bench_now(&b));
        struct hf_event e;
        while ((e = hf_rig_event(&b.rig)).bits != 0) {
            assert_int_equal(hf_send(b.rig.stack, e.handle, "x", 1, 0, bench_now(&b)), HF_E_AGAIN);
            tries++;
        }
    }
    assert_in_range(turns, 1, 100 * COUNT);
    assert_in_range(tries, COUNT, 100 * COUNT);
    hf_rig_feed(&b.rig);
    int writable = 0;
    end = bench_now(&b) + HF_SEC(1);
    while (hf_stack_deadline(b.rig.stack) <= end) {
        b.rig.now_ns = hf_max_ns(bench_now(&b), hf_stack_deadline(b.rig.stack));
        writable += count_writable(&b);
    }
    assert_int_equal(writable, COUNT);
    bench_close(&b);
}

/* A buffer smaller than the window's unit: still the peer may send. */
static void window_unit_larger_than_the_buffer(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    b.config.window_scale = 14;
    b.config.receive_buffer_bytes = 2000;
    bench_open(&b, false, 1000);
    struct hf_listen listen = {.port = 80};
    bench_listen(&b, &listen);
    assert_true(hf_peer_connect(&b.peer, "<mss 1460,wscale 0>"));
    b.conn = bench_event(&b, HF_EV_ACCEPTED);
    uint8_t bytes[2000];
    for (uint32_t i = 0; i < 10; i++) {
        char text[64];
        snprintf(text, sizeof text, "P. seq %u:%u ack 1", 1 + i * 1000, 1001 + i * 1000);
        hf_peer_send(&b.peer, text);
        assert_int_equal(hf_receive(b.rig.stack, b.conn, bytes, sizeof bytes, bench_now(&b)), 1000);
        hf_rig_pull(&b.rig);
    }
    hf_rig_wait(&b.rig, HF_SEC(1));
    hf_peer_skip(&b.peer);
    assert_true(b.peer.last.segment.window > 0);
    bench_close(&b);
}

/* Lengths of prefixes that exceed the address, also by far. */
static void impossible_prefixes_are_refused(void **state)
{
    (void)state;
    static const unsigned lengths[] = {33, 128, 129, 0x7FFFFFFF, 0xFFFFFFA0u, 0xFFFFFFFFu};
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 1000);
    struct hf_addr addr = hf_addr_v4(10, 7, 7, 7);
    for (size_t i = 0; i < HF_COUNT_OF(lengths); i++) {
        struct hf_listen listen = {.addr = addr, .prefix_bits = lengths[i], .port = 80};
        hf_handle h;
        assert_int_equal(hf_listen(b.rig.stack, &listen, &h, bench_now(&b)), HF_E_INVALID);
        assert_int_equal(hf_stack_add_address(b.rig.stack, &addr, lengths[i]), HF_E_INVALID);
    }
    bench_close(&b);
}

/* A request that is refused before its first event was pulled has the closed event only. */
static void refusal_before_the_event_was_pulled(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 1000);
    struct hf_listen listen = {.port = 80, .held = true};
    bench_listen(&b, &listen);
    hf_peer_send(&b.peer, "S seq 0 win 1000");
    uint64_t cursor = 0;
    struct hf_tuple t;
    while (hf_iterate(b.rig.stack, &cursor, &t) && t.kind != HF_KIND_CONN)
        continue;
    assert_int_equal(t.kind, HF_KIND_CONN);
    assert_int_equal(hf_refuse(b.rig.stack, t.handle, HF_REFUSE_RESET, bench_now(&b)), HF_OK);
    struct hf_event e = hf_rig_event(&b.rig);
    assert_int_equal(e.bits, HF_EV_CLOSED);
    assert_int_equal(e.how, HF_CLOSED_REJECTED);
    assert_false(hf_rig_event(&b.rig).bits);
    bench_close(&b);
}

/* NewReno's mark of the last recovery may not come to life again after half of the number space;
 * and bytes are counted beyond all of it. covers: CO-6582-10 */
static void fast_retransmit_after_gigabytes(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    b.config.offload_checksum = 1;
    b.config.offload_super_bytes = 65535;
    b.config.congestion_control = 0;
    b.config.send_buffer_bytes = 1 << 20;
    b.config.block_bytes = 65536;
    bench_open(&b, false, 1000);
    struct hf_listen listen = {.port = 80};
    bench_listen(&b, &listen);
    assert_true(hf_peer_connect(&b.peer, "<mss 1460,wscale 7>"));
    b.conn = bench_event(&b, HF_EV_ACCEPTED);
    static uint8_t zeros[1 << 20];
    const uint64_t END = (uint64_t)5 << 30;
    struct hf_segment ack = {.flags = HF_ACK, .window = 65535, .seq = b.peer.iss + 1};
    bool once = false;
    uint64_t done = 0;
    while (done < END) {
        int64_t n = hf_send(b.rig.stack, b.conn, zeros, sizeof zeros, 0, bench_now(&b));
        done += n > 0 ? (uint64_t)n : 0;
        hf_rig_pull(&b.rig);
        while (hf_peer_pop(&b.peer))
            ack.ack = b.peer.last.segment.seq; /* the last one stays in flight: so never idle */
        hf_peer_send_segment(&b.peer, &ack, NULL);
        if (!once || done >= END) {
            for (int i = 0; i < 3; i++)
                hf_peer_send_segment(&b.peer, &ack, NULL);
            assert_int_equal(bench_count(&b, HF_RETRANSMIT_FAST), once ? 2 : 1);
            once = true;
        }
    }
    struct hf_info info = bench_info(&b, b.conn);
    assert_int_equal(info.bytes_sent + info.send_queue_bytes, done);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(window_opens_before_the_syn_is_acknowledged),
        cmocka_unit_test(duplicate_acks_before_the_syn_is_acknowledged),
        cmocka_unit_test(fin_below_data_that_was_received),
        cmocka_unit_test(segments_of_many_small_blocks),
        cmocka_unit_test(no_retries_end_a_handshake),
        cmocka_unit_test(user_timeout_does_not_falsify_the_round_trip),
        cmocka_unit_test(commit_needs_its_own_reservation),
        cmocka_unit_test(window_closed_by_the_pool_opens_again),
        cmocka_unit_test(everyone_who_waits_for_blocks_is_woken),
        cmocka_unit_test(room_that_comes_after_a_vain_round_is_told),
        cmocka_unit_test(those_who_are_woken_have_their_turn_first),
        cmocka_unit_test(all_waiters_write_what_they_have),
        cmocka_unit_test(a_window_that_waits_does_not_keep_its_writer_waiting),
        cmocka_unit_test(waiters_rest_while_the_allocator_is_dry),
        cmocka_unit_test(window_unit_larger_than_the_buffer),
        cmocka_unit_test(impossible_prefixes_are_refused),
        cmocka_unit_test(refusal_before_the_event_was_pulled),
        cmocka_unit_test(fast_retransmit_after_gigabytes),
    };
    return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
