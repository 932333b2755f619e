/* How buffers grow: by what is read in a round trip, by the congestion window; and when they do
 * not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lab/pattern.h"
#include "support/wire_calls.h"

enum { BUFFER = 20000, MOST = 100000, ROUND_TRIP_MS = 100 };

static struct hf_config config;

static int reset_config(void **state)
{
    (void)state;
    hf_config_init(&config, sizeof config);
    config.receive_buffer_bytes = BUFFER;
    config.receive_buffer_max_bytes = MOST;
    config.quick_acks = config.quick_acks_after_idle = 0;
    return 0;
}

static void open_with(struct wire *w, unsigned variant)
{
    struct wire_setup setup = {.state = HF_ESTABLISHED, .variant = variant, .config = &config};
    wire_open(w, &setup);
    hf_rig_wait(&w->rig, HF_MS(5));
}

/* Data of the peer, who has heard of nothing that was sent since the last hf_peer_skip. */
static void arrive(struct wire *w, uint32_t bytes)
{
    char text[32];
    while (bytes > 0) {
        uint32_t n = bytes < 1000 ? bytes : 1000;
        snprintf(text, sizeof text, "P. len %u", (unsigned)n);
        hf_peer_send(&w->peer, text);
        bytes -= n;
    }
}

static void take(struct wire *w, uint32_t bytes)
{
    static uint8_t room[1 << 20];
    assert_int_equal(hf_receive(w->rig.stack, w->conn, room, bytes, w->rig.now_ns), bytes);
    hf_rig_pull(&w->rig);
}

static void pass(struct wire *w, uint32_t bytes)
{
    arrive(w, bytes);
    take(w, bytes);
}

static int64_t buffer(const struct wire *w)
{
    return wire_get(w, HF_OPT_RECEIVE_BUFFER_BYTES);
}

/* ---- the receive buffer, by timestamps ---- */

static void twice_what_is_read_in_a_round_trip(void **state)
{
    (void)state;
    struct wire w;
    open_with(&w, WIRE_OPTIONS);
    pass(&w, BUFFER / 2);
    assert_int_equal(buffer(&w), BUFFER);
    pass(&w, 1);
    assert_int_equal(buffer(&w), BUFFER + 2);
    pass(&w, 4000);
    assert_int_equal(buffer(&w), BUFFER + 8002);
    /* What lies unread was not read. */
    arrive(&w, 5000);
    assert_int_equal(buffer(&w), BUFFER + 8002);
    take(&w, 1000);
    assert_int_equal(buffer(&w), BUFFER + 10002);
    wire_close(&w);
}

/* The peer's echo of what was sent later than a round trip began ends it, and no other does. */
static void an_echo_ends_the_round_trip(void **state)
{
    (void)state;
    struct wire w;
    open_with(&w, WIRE_OPTIONS);
    pass(&w, BUFFER / 2);
    hf_rig_wait(&w.rig, HF_MS(500)); /* time alone says nothing */
    hf_peer_skip(&w.peer);           /* from here on the echo is another */
    pass(&w, 1000);
    assert_int_equal(buffer(&w), BUFFER);
    pass(&w, BUFFER / 2 - 1000);
    assert_int_equal(buffer(&w), BUFFER);
    /* These ACKs are of the millisecond in which the new round trip began. */
    hf_peer_skip(&w.peer);
    pass(&w, 100);
    assert_int_equal(buffer(&w), BUFFER + 200);
    hf_rig_wait(&w.rig, HF_MS(50));
    hf_peer_skip(&w.peer);
    pass(&w, BUFFER / 2 + 100);
    assert_int_equal(buffer(&w), BUFFER + 200);
    pass(&w, 1);
    assert_int_equal(buffer(&w), BUFFER + 202);
    wire_close(&w);
}

/* The peer is told of the larger window without being asked: half of it is new. */
static void a_larger_window_is_announced(void **state)
{
    (void)state;
    struct wire w;
    open_with(&w, WIRE_OPTIONS);
    uint32_t edge = wire_info(&w).rcv_wnd_bytes;
    assert_true(edge <= BUFFER);
    pass(&w, 18000);
    assert_int_equal(buffer(&w), 36000);
    assert_true(hf_peer_skip(&w.peer) > 0);
    assert_in_range(wire_info(&w).rcv_wnd_bytes, 35000, 36000);
    wire_close(&w);
}

/* ---- without timestamps: the round trip that was measured ---- */

static void the_round_trip_of_the_handshake_counts(void **state)
{
    (void)state;
    for (unsigned late = 0; late < 2; late++) {
        struct wire w = {0};
        struct hf_rig_config rig = {.config = &config, .seed = 7};
        struct hf_listen listen = {.port = WIRE_STACK_PORT};
        assert_int_equal(hf_rig_open(&w.rig, &rig), HF_OK);
        hf_peer_open(&w.peer, &w.rig, false, WIRE_PEER_PORT, WIRE_STACK_PORT, 1000);
        assert_int_equal(hf_listen(w.rig.stack, &listen, &w.listener, 0), HF_OK);
        hf_peer_send(&w.peer, "S seq 0 <mss 1460>");
        assert_true(hf_peer_expect(&w.peer, "S. seq 0 ack 1 <mss 1460>"));
        hf_rig_wait(&w.rig, HF_MS(ROUND_TRIP_MS));
        hf_peer_send(&w.peer, ". ack 1");
        w.conn = hf_rig_event(&w.rig).handle;
        assert_in_range(wire_info(&w).srtt_ns, HF_MS(ROUND_TRIP_MS), HF_MS(ROUND_TRIP_MS + 1));
        pass(&w, BUFFER / 2);
        hf_rig_wait(&w.rig, HF_MS(ROUND_TRIP_MS - 2 + 5 * (int)late));
        pass(&w, 1000);
        assert_int_equal(buffer(&w), late ? BUFFER : BUFFER + 2000);
        wire_close(&w);
    }
}

/* ---- what does not count ---- */

/* The window was closed because nobody read: the peer sends again when somebody does, and that is
 * the pace of the reader. Whether what is left of it is a little or nothing. */
static void a_late_reader_changes_nothing(void **state)
{
    (void)state;
    for (uint32_t left = 0; left < 1000; left += 300)
        for (unsigned variant = 0; variant <= WIRE_OPTIONS; variant += WIRE_OPTIONS) {
            struct wire w;
            open_with(&w, variant);
            for (int i = 0; i < 4; i++) {
                uint32_t window = wire_info(&w).rcv_wnd_bytes;
                arrive(&w, window - left);
                hf_rig_wait(&w.rig, HF_SEC(1));
                hf_peer_skip(&w.peer);
                uint32_t unread = wire_info(&w).receive_queue_bytes;
                assert_true(unread > BUFFER / 2);
                take(&w, unread);
                hf_peer_skip(&w.peer);
                assert_int_equal(buffer(&w), BUFFER);
            }
            wire_close(&w);
        }
}

/* The same bytes, read before the peer could hear that its window is closed. */
static void a_reader_in_time_counts(void **state)
{
    (void)state;
    struct wire w;
    config.delayed_ack_segs = 64;
    open_with(&w, WIRE_OPTIONS);
    uint32_t window = wire_info(&w).rcv_wnd_bytes;
    arrive(&w, window);
    assert_int_equal(hf_peer_skip(&w.peer), 0);
    take(&w, window);
    assert_int_equal(buffer(&w), 2 * window);
    wire_close(&w);
}

static void the_application_has_the_last_word(void **state)
{
    (void)state;
    struct wire w;
    open_with(&w, WIRE_OPTIONS);
    wire_set(&w, HF_OPT_RECEIVE_BUFFER_BYTES, BUFFER);
    pass(&w, BUFFER - 2000);
    assert_int_equal(buffer(&w), BUFFER);
    wire_close(&w);
    config.receive_buffer_max_bytes = 0;
    open_with(&w, WIRE_OPTIONS);
    pass(&w, BUFFER - 2000);
    assert_int_equal(buffer(&w), BUFFER);
    wire_close(&w);
}

/* A listener's choice is that of its connections. */
static void a_listener_decides_for_its_connections(void **state)
{
    (void)state;
    struct wire w;
    open_with(&w, WIRE_OPTIONS);
    assert_int_equal(
        hf_set(w.rig.stack, w.listener, HF_OPT_RECEIVE_BUFFER_BYTES, BUFFER, w.rig.now_ns), HF_OK);
    assert_int_equal(hf_set(w.rig.stack, w.listener, HF_OPT_SEND_BUFFER_BYTES, 1000, w.rig.now_ns),
                     HF_OK);
    struct hf_peer own = w.peer;
    hf_peer_open(&w.peer, &w.rig, false, WIRE_PEER_PORT + 1, WIRE_STACK_PORT, 1000);
    w.peer.timestamps = true;
    assert_true(hf_peer_connect(&w.peer, "<mss 1460,sackOK,wscale 3>"));
    hf_handle first = w.conn;
    struct hf_event e = hf_rig_event(&w.rig);
    while (e.handle == first)
        e = hf_rig_event(&w.rig);
    w.conn = e.handle;
    pass(&w, BUFFER - 2000);
    assert_int_equal(buffer(&w), BUFFER);
    assert_int_equal(wire_get(&w, HF_OPT_SEND_BUFFER_BYTES), 1000);
    w.conn = first;
    w.peer = own;
    wire_close(&w);
}

/* ---- how far ---- */

static void grow_in_one_round_trip(struct wire *w, uint32_t bytes)
{
    while (bytes > 0) {
        uint32_t n = bytes < 5000 ? bytes : 5000;
        pass(w, n);
        bytes -= n;
    }
}

static void no_further_than_the_setting(void **state)
{
    (void)state;
    struct wire w;
    open_with(&w, WIRE_OPTIONS);
    grow_in_one_round_trip(&w, MOST / 2 - 1);
    assert_int_equal(buffer(&w), MOST - 2);
    grow_in_one_round_trip(&w, MOST);
    assert_int_equal(buffer(&w), MOST);
    wire_close(&w);
}

static void no_further_than_the_field_can_say(void **state)
{
    (void)state;
    struct wire w;
    open_with(&w, 0);
    grow_in_one_round_trip(&w, MOST);
    assert_int_equal(buffer(&w), 65535);
    wire_close(&w);
}

/* Three quarters of the pool, which nothing else uses; what is unread has its blocks already. */
static void no_further_than_the_pool(void **state)
{
    (void)state;
    struct wire w;
    config.pool_bytes = 65536;
    open_with(&w, WIRE_OPTIONS);
    grow_in_one_round_trip(&w, MOST);
    assert_int_equal(buffer(&w), 65536 / 4 * 3);
    wire_close(&w);
}

/* ---- urgent data has the place in which the round trip is kept ---- */

static void urgent_data_suspends_growth(void **state)
{
    (void)state;
    struct wire w;
    open_with(&w, WIRE_OPTIONS);
    hf_peer_send(&w.peer, "PU. len 1000 urg 1000");
    grow_in_one_round_trip(&w, 900);
    assert_int_equal(buffer(&w), BUFFER);
    take(&w, 99);
    arrive(&w, 18000);
    take(&w, 18001); /* the mark is passed: it begins here */
    assert_int_equal(buffer(&w), BUFFER);
    pass(&w, BUFFER / 2);
    assert_int_equal(buffer(&w), BUFFER);
    pass(&w, 1);
    assert_int_equal(buffer(&w), BUFFER + 2);
    /* Urgent data of our own: until it is acknowledged. */
    wire_send(&w, 100, HF_SEND_URGENT);
    pass(&w, 18000);
    assert_int_equal(buffer(&w), BUFFER + 2);
    hf_peer_skip(&w.peer);
    hf_peer_send(&w.peer, ".");
    pass(&w, BUFFER / 2 + 1);
    assert_int_equal(buffer(&w), BUFFER + 2);
    pass(&w, 1);
    assert_int_equal(buffer(&w), BUFFER + 4);
    wire_close(&w);
}

/* A round trip begins with the acknowledgment of our urgent data: what was read before it does not
 * count. */
static void the_end_of_what_is_urgent_begins_a_round_trip(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire w;
        open_with(&w, variant);
        pass(&w, 3000);
        wire_send(&w, 100, HF_SEND_URGENT);
        hf_peer_send(&w.peer, ". ack 100");
        pass(&w, BUFFER / 2);
        assert_int_equal(buffer(&w), BUFFER);
        pass(&w, 1);
        assert_int_equal(buffer(&w), BUFFER + 2);
        wire_close(&w);
    }
}

/* ---- the send buffer ---- */

static int64_t send_buffer(const struct wire *w)
{
    return wire_get(w, HF_OPT_SEND_BUFFER_BYTES);
}

static void the_send_buffer_follows_the_window(void **state)
{
    (void)state;
    struct wire w;
    config.send_buffer_bytes = 5000;
    config.congestion_control = 1;
    config.pacing = 0;
    open_with(&w, 0);
    uint32_t cwnd = wire_info(&w).cwnd_bytes;
    assert_int_equal(cwnd, 14600);
    assert_int_equal(send_buffer(&w), 2 * cwnd);
    assert_int_equal(wire_info(&w).send_room_bytes, 2 * cwnd);
    static uint8_t bytes[200000];
    assert_int_equal(hf_send(w.rig.stack, w.conn, bytes, sizeof bytes, 0, w.rig.now_ns), 2 * cwnd);
    assert_int_equal(hf_send(w.rig.stack, w.conn, bytes, 1, 0, w.rig.now_ns), HF_E_AGAIN);
    hf_rig_pull(&w.rig);
    wire_events(&w, NULL);
    /* Each ACK makes room, and so does what it adds to the window. */
    hf_rig_wait(&w.rig, HF_MS(20));
    while (hf_peer_pop(&w.peer))
        continue;
    hf_peer_send(&w.peer, ".");
    assert_true(wire_events(&w, NULL) & HF_EV_WRITABLE);
    uint32_t grown = wire_info(&w).cwnd_bytes;
    assert_true(grown > cwnd);
    assert_int_equal(send_buffer(&w), 2 * grown);
    assert_int_equal(wire_info(&w).send_room_bytes, 2 * grown - cwnd);
    wire_close(&w);
}

static void the_send_buffer_has_its_limits(void **state)
{
    (void)state;
    struct wire w;
    config.congestion_control = 0; /* as large as can be */
    config.send_buffer_bytes = 5000;
    open_with(&w, WIRE_OPTIONS);
    uint32_t window = wire_info(&w).snd_wnd_bytes; /* more can't be sent */
    assert_int_equal(send_buffer(&w), 2 * window);
    wire_set(&w, HF_OPT_SEND_BUFFER_BYTES, 6000);
    assert_int_equal(send_buffer(&w), 6000);
    wire_close(&w);
    config.send_buffer_max_bytes = 7777;
    open_with(&w, WIRE_OPTIONS);
    assert_int_equal(send_buffer(&w), 7777);
    wire_close(&w);
    config.send_buffer_max_bytes = 0;
    open_with(&w, WIRE_OPTIONS);
    assert_int_equal(send_buffer(&w), 5000);
    wire_close(&w);
    /* No more than the others leave of the half that sends may use. */
    config.send_buffer_max_bytes = 1 << 20;
    config.pool_bytes = 16 * 4096;
    open_with(&w, WIRE_OPTIONS);
    static uint8_t bytes[200000];
    assert_int_equal(send_buffer(&w), 8 * 4096);
    int64_t n = hf_send(w.rig.stack, w.conn, bytes, 3 * 4096, 0, w.rig.now_ns);
    assert_int_equal(n, 3 * 4096);
    assert_int_equal(send_buffer(&w), 5 * 4096);
    wire_close(&w);
}

/* ---- the rest ---- */

/* Amid a round trip the stack is saved, and another goes on at another time. */
static void a_restored_stack_goes_on_measuring(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant <= WIRE_OPTIONS; variant += WIRE_OPTIONS) {
        struct wire w;
        open_with(&w, variant);
        pass(&w, BUFFER / 2);
        w.peer.ts_base += (uint32_t)((w.rig.now_ns + HF_SEC(5000)) / HF_MS(1));
        assert_int_equal(hf_rig_replace(&w.rig, HF_SEC(-5000)), HF_OK);
        if ((variant & WIRE_OPTIONS) != 0) {
            pass(&w, 1);
            assert_int_equal(buffer(&w), BUFFER + 2);
        }
        hf_rig_wait(&w.rig, HF_MS(200));
        hf_peer_skip(&w.peer);
        pass(&w, BUFFER / 2 + 1 - (variant == 0));
        assert_int_equal(buffer(&w), variant == 0 ? BUFFER : BUFFER + 2);
        wire_close(&w);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, reset_config)
    const struct CMUnitTest tests[] = {
        TEST(twice_what_is_read_in_a_round_trip),
        TEST(an_echo_ends_the_round_trip),
        TEST(a_larger_window_is_announced),
        TEST(the_round_trip_of_the_handshake_counts),
        TEST(a_late_reader_changes_nothing),
        TEST(a_reader_in_time_counts),
        TEST(the_application_has_the_last_word),
        TEST(a_listener_decides_for_its_connections),
        TEST(no_further_than_the_setting),
        TEST(no_further_than_the_field_can_say),
        TEST(no_further_than_the_pool),
        TEST(urgent_data_suspends_growth),
        TEST(the_end_of_what_is_urgent_begins_a_round_trip),
        TEST(the_send_buffer_follows_the_window),
        TEST(the_send_buffer_has_its_limits),
        TEST(a_restored_stack_goes_on_measuring),
    };
    return cmocka_run_group_tests_name("tuning", tests, NULL, NULL);
}
