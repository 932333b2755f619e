/* The calls that move data: in the stack's own blocks, up to low-water marks, at the edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lab/pattern.h"
#include "support/wire_calls.h"

static struct hf_config config;

static int reset_config(void **state)
{
    (void)state;
    hf_config_init(&config, sizeof config);
    return 0;
}

static void open_plain(struct wire *w)
{
    struct wire_setup setup = {.state = HF_ESTABLISHED, .config = &config};
    wire_open(w, &setup);
}

/* ---- blocks ---- */

static void written_in_place(void **state)
{
    (void)state;
    struct wire w;
    open_plain(&w);
    wire_set(&w, HF_OPT_NAGLE, 0);
    static uint8_t got[20000], wanted[20000];
    size_t done = 0;
    hf_pattern_fill(5, 0, wanted, sizeof wanted);
    while (done < sizeof wanted) {
        void *room;
        int64_t n = hf_send_reserve(w.rig.stack, w.conn, &room, w.rig.now_ns);
        assert_in_range(n, 1, config.block_bytes);
        size_t k = sizeof wanted - done < 777 ? sizeof wanted - done : 777;
        k = (size_t)n < k ? (size_t)n : k;
        memcpy(room, wanted + done, k);
        assert_int_equal(hf_send_commit(w.rig.stack, w.conn, k, 0, w.rig.now_ns), HF_OK);
        done += k;
        hf_rig_pull(&w.rig);
    }
    size_t n = 0;
    for (int i = 0; i < 20 && n < sizeof got; i++) {
        w.peer.irs--; /* the collected stream begins at "seq 0" */
        n += hf_peer_collect(&w.peer, (uint32_t)n, got + n, sizeof got - n);
        w.peer.irs++;
        hf_peer_send(&w.peer, ".");
    }
    assert_int_equal(n, sizeof got);
    assert_memory_equal(got, wanted, sizeof got);
    wire_close(&w);
}

/* Where the pool is what limits a buffer that grows by itself, the block that is lent counts too:
 * what was offered can be written all the same. */
static void all_that_is_offered_can_be_written(void **state)
{
    (void)state;
    struct wire w;
    struct hf_config small = config;
    small.block_bytes = 4096;
    small.pool_bytes = 18 * 4096;
    small.send_buffer_bytes = 1000;
    struct wire_setup setup = {.state = HF_ESTABLISHED, .config = &small};
    wire_open(&w, &setup);
    void *room;
    int64_t n, total = 0;
    while ((n = hf_send_reserve(w.rig.stack, w.conn, &room, w.rig.now_ns)) > 0) {
        memset(room, 0, (size_t)n);
        assert_int_equal(hf_send_commit(w.rig.stack, w.conn, (size_t)n, 0, w.rig.now_ns), HF_OK);
        total += n;
    }
    assert_int_equal(n, HF_E_AGAIN);
    assert_true(total > 2 * 4096);
    wire_close(&w);
}

/* Nothing was written: nothing is sent, and the room is given back. */
static void a_commit_of_nothing(void **state)
{
    (void)state;
    struct wire w;
    void *room;
    struct hf_stack_info info;
    open_plain(&w);
    assert_true(hf_send_reserve(w.rig.stack, w.conn, &room, w.rig.now_ns) > 0);
    assert_int_equal(hf_send_commit(w.rig.stack, w.conn, 0, 0, w.rig.now_ns), HF_OK);
    hf_rig_pull(&w.rig);
    WIRE_QUIET(&w);
    hf_stack_info(w.rig.stack, &info);
    assert_int_equal(info.pool_used_bytes, 0);
    /* A reservation ends with the next call on the stack. */
    assert_true(hf_send_reserve(w.rig.stack, w.conn, &room, w.rig.now_ns) > 0);
    hf_peer_send(&w.peer, "P. seq 0:10 ack 0");
    assert_int_equal(hf_send_commit(w.rig.stack, w.conn, 5, 0, w.rig.now_ns), HF_E_STATE);
    int64_t n = hf_send_reserve(w.rig.stack, w.conn, &room, w.rig.now_ns);
    assert_int_equal(hf_send_commit(w.rig.stack, w.conn, (size_t)n + 1, 0, w.rig.now_ns),
                     HF_E_INVALID);
    wire_close(&w);
}

static void reserved_room_ends_with_the_buffer(void **state)
{
    (void)state;
    struct wire w;
    void *room;
    open_plain(&w);
    wire_set(&w, HF_OPT_SEND_BUFFER_BYTES, 1000);
    assert_int_equal(hf_send_reserve(w.rig.stack, w.conn, &room, w.rig.now_ns), 1000);
    memset(room, 1, 1000);
    assert_int_equal(hf_send_commit(w.rig.stack, w.conn, 1000, 0, w.rig.now_ns), HF_OK);
    hf_rig_pull(&w.rig);
    assert_int_equal(hf_send_reserve(w.rig.stack, w.conn, &room, w.rig.now_ns), HF_E_AGAIN);
    WIRE_EXPECT(&w, "P. seq 0:1000 ack 0");
    wire_events(&w, NULL);
    hf_peer_send(&w.peer, ".");
    assert_true(wire_events(&w, NULL) & HF_EV_WRITABLE);
    assert_int_equal(hf_send_reserve(w.rig.stack, w.conn, &room, w.rig.now_ns), 1000);
    wire_close(&w);
}

/* Slices are the stream in order; a peek takes nothing; consuming parts moves on by them. */
static void read_in_place(void **state)
{
    (void)state;
    struct wire w;
    struct hf_slice slices[8];
    size_t count;
    open_plain(&w);
    for (int i = 0; i < 9; i++)
        hf_peer_send(&w.peer, ". len 1400");
    uint32_t at = 0;
    while (at < 9 * 1400) {
        int64_t n = hf_receive_peek(w.rig.stack, w.conn, slices, 8, &count), sum = 0;
        assert_int_equal(n, 9 * 1400 - at);
        for (size_t i = 0; i < count; sum += (int64_t)slices[i++].length_bytes)
            assert_int_equal(hf_pattern_check(w.peer.key, (uint64_t)(at + sum) + 0xFFFFFFFFu,
                                              slices[i].bytes, slices[i].length_bytes),
                             slices[i].length_bytes);
        assert_int_equal(sum, n);
        assert_int_equal(hf_receive_peek(w.rig.stack, w.conn, slices, 1, &count),
                         slices[0].length_bytes);
        size_t k = (size_t)n < 999 ? (size_t)n : 999;
        assert_int_equal(hf_receive_consume(w.rig.stack, w.conn, k, w.rig.now_ns), HF_OK);
        at += (uint32_t)k;
    }
    assert_int_equal(hf_receive_peek(w.rig.stack, w.conn, slices, 8, &count), HF_E_AGAIN);
    assert_int_equal(hf_receive_consume(w.rig.stack, w.conn, 1, w.rig.now_ns), HF_E_INVALID);
    assert_int_equal(hf_receive_consume(w.rig.stack, w.conn, 0, w.rig.now_ns), HF_OK);
    struct hf_stack_info info;
    hf_stack_info(w.rig.stack, &info);
    assert_int_equal(info.pool_used_bytes, 0);
    wire_close(&w);
}

/* To consume nothing is no reading: the peer hears nothing of the room that came back by other
 * means than that, until something is read. */
static void who_consumes_nothing_opens_no_window(void **state)
{
    (void)state;
    struct wire w;
    config.block_bytes = 1024;
    config.pool_bytes = 64 * 1024;
    config.receive_buffer_bytes = 30000;
    config.receive_buffer_max_bytes = 0;
    config.initial_window_segs = 22;
    open_plain(&w);
    for (int i = 0; i < 20; i++)
        hf_peer_send(&w.peer, "P. len 1400");
    hf_rig_wait(&w.rig, HF_SEC(1));
    hf_peer_skip(&w.peer);
    wire_send(&w, 22 * 1460, 0); /* what the pool has left is too little to open the window */
    assert_int_equal(hf_peer_skip(&w.peer), 22);
    wire_take(&w, 20 * 1400 - 1);
    WIRE_QUIET(&w);
    hf_peer_send(&w.peer, "."); /* now it has enough */
    assert_int_equal(hf_receive_consume(w.rig.stack, w.conn, 0, w.rig.now_ns), HF_OK);
    hf_rig_pull(&w.rig);
    WIRE_QUIET(&w);
    wire_take(&w, 1);
    WIRE_EXPECT(&w, ". ack 28000 win 30000");
    wire_close(&w);
}

/* ---- low-water marks ---- */

static void readable_from_the_mark_on(void **state)
{
    (void)state;
    struct wire w;
    open_plain(&w);
    wire_set(&w, HF_OPT_RECEIVE_LOW_WATER_BYTES, 1000);
    hf_peer_send(&w.peer, "P. len 600");
    assert_int_equal(wire_events(&w, NULL), 0);
    assert_int_equal(wire_info(&w).receive_queue_bytes, 600);
    hf_peer_send(&w.peer, "P. len 399");
    assert_int_equal(wire_events(&w, NULL), 0);
    hf_peer_send(&w.peer, "P. len 1");
    assert_int_equal(wire_events(&w, NULL), HF_EV_READABLE);
    wire_take(&w, 1000);
    hf_peer_send(&w.peer, "P. len 10");
    assert_int_equal(wire_events(&w, NULL), 0);
    hf_peer_send(&w.peer, "F."); /* the end is always news */
    assert_int_equal(wire_events(&w, NULL), HF_EV_READABLE | HF_EV_PEER_CLOSED);
    wire_close(&w);
}

/* A mark beyond the buffer could never be reached: half of the buffer will do. */
static void a_mark_beyond_the_buffer(void **state)
{
    (void)state;
    struct wire w;
    config.receive_buffer_bytes = 2000;
    open_plain(&w);
    wire_set(&w, HF_OPT_RECEIVE_LOW_WATER_BYTES, 60000);
    hf_peer_send(&w.peer, "P. len 999");
    assert_int_equal(wire_events(&w, NULL), 0);
    hf_peer_send(&w.peer, "P. len 1");
    assert_int_equal(wire_events(&w, NULL), HF_EV_READABLE);
    wire_close(&w);
}

/* A mark that is lowered below what waits already is reached by that. */
static void a_mark_is_lowered(void **state)
{
    (void)state;
    struct wire w;
    open_plain(&w);
    wire_set(&w, HF_OPT_RECEIVE_LOW_WATER_BYTES, 1000);
    hf_peer_send(&w.peer, "P. len 600");
    assert_int_equal(wire_events(&w, NULL), 0);
    wire_set(&w, HF_OPT_RECEIVE_LOW_WATER_BYTES, 500);
    assert_int_equal(wire_events(&w, NULL), HF_EV_READABLE);
    wire_close(&w);
}

static void writable_from_the_mark_on(void **state)
{
    (void)state;
    struct wire w;
    uint8_t bytes[4000] = {0};
    open_plain(&w);
    wire_set(&w, HF_OPT_SEND_BUFFER_BYTES, 4000);
    wire_set(&w, HF_OPT_SEND_LOW_WATER_BYTES, 2000);
    wire_send(&w, 3000, 0);
    hf_peer_skip(&w.peer);
    assert_int_equal(hf_send(w.rig.stack, w.conn, bytes, 4000, 0, w.rig.now_ns), 1000);
    hf_rig_pull(&w.rig);
    hf_peer_skip(&w.peer);
    wire_events(&w, NULL);
    hf_peer_send(&w.peer, ". ack 1999");
    assert_int_equal(wire_events(&w, NULL) & HF_EV_WRITABLE, 0);
    hf_peer_send(&w.peer, ". ack 2000");
    assert_true(wire_events(&w, NULL) & HF_EV_WRITABLE);
    /* Who was not refused is not woken. */
    hf_peer_send(&w.peer, ". ack 2500");
    assert_int_equal(wire_events(&w, NULL) & HF_EV_WRITABLE, 0);
    wire_close(&w);
}

static void calls_that_make_no_sense(void **state)
{
    (void)state;
    struct wire w;
    uint8_t byte = 0;
    open_plain(&w);
    hf_ns now = w.rig.now_ns;
    assert_int_equal(hf_send(w.rig.stack, w.conn, &byte, 0, 0, now), HF_E_INVALID);
    assert_int_equal(hf_send(w.rig.stack, w.conn, &byte, 1, 64, now), HF_E_INVALID);
    assert_int_equal(hf_receive(w.rig.stack, w.conn, &byte, 0, now), HF_E_INVALID);
    assert_int_equal(hf_receive(w.rig.stack, w.conn, &byte, 1, now), HF_E_AGAIN);
    assert_int_equal(hf_send(w.rig.stack, w.listener, &byte, 1, 0, now), HF_E_HANDLE);
    assert_int_equal(hf_receive(w.rig.stack, w.conn + 1, &byte, 1, now), HF_E_HANDLE);
    wire_close(&w);
}

int main(void)
{
#define CALL_TEST(f) cmocka_unit_test_setup(f, reset_config)
    const struct CMUnitTest tests[] = {
        CALL_TEST(written_in_place),
        CALL_TEST(all_that_is_offered_can_be_written),
        CALL_TEST(a_commit_of_nothing),
        CALL_TEST(reserved_room_ends_with_the_buffer),
        CALL_TEST(read_in_place),
        CALL_TEST(who_consumes_nothing_opens_no_window),
        CALL_TEST(readable_from_the_mark_on),
        CALL_TEST(a_mark_beyond_the_buffer),
        CALL_TEST(a_mark_is_lowered),
        CALL_TEST(writable_from_the_mark_on),
        CALL_TEST(calls_that_make_no_sense),
    };
    return cmocka_run_group_tests_name("data_calls", tests, NULL, NULL);
}
