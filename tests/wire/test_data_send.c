/* When written data leaves, in segments of which size: Nagle, cork, more to come, pushes, and the
 * sender's part against silly windows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/wire_calls.h"

enum { MSS = 1460, MSS_TS = 1448 };

static void open_plain(struct wire *w)
{
    struct wire_setup setup = {.state = HF_ESTABLISHED};
    wire_open(w, &setup);
}

/* covers: SHLD-7, MAY-16, SHLD-27, CO-1122-15: small writes gather while data is unacknowledged */
static void small_writes_wait_for_the_acknowledgment(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire w;
        struct wire_setup setup = {.state = HF_ESTABLISHED, .variant = variant};
        wire_open(&w, &setup);
        wire_send(&w, 10, 0);
        WIRE_EXPECT(&w, "P. seq 0:10 ack 0");
        for (int i = 0; i < 20; i++)
            wire_send(&w, 10, 0);
        WIRE_QUIET(&w);
        hf_peer_send(&w.peer, ".");
        WIRE_EXPECT(&w, "P. seq 10:210 ack 0");
        WIRE_QUIET(&w);
        wire_close(&w);
    }
}

/* What leaves is counted in packets and bytes, and no limit is told of that was not met. */
static void what_is_sent_is_counted(void **state)
{
    (void)state;
    struct wire w;
    struct hf_stack_info before, after;
    uint64_t packets = 0, bytes = 0;
    open_plain(&w);
    hf_stack_info(w.rig.stack, &before);
    wire_send(&w, 3 * MSS + 7, 0);
    for (; hf_peer_pop(&w.peer); packets++)
        bytes += 40 + w.peer.last.segment.payload_bytes;
    hf_stack_info(w.rig.stack, &after);
    assert_int_equal(after.packets_out - before.packets_out, packets);
    assert_int_equal(after.bytes_out - before.bytes_out, bytes);
    assert_int_equal(hf_stack_count(w.rig.stack, HF_LIMIT_FLIGHT), 0);
    wire_close(&w);
}

/* covers: SHLD-7, SHLD-28: a full segment never waits, what is left over does */
static void full_segments_do_not_wait(void **state)
{
    (void)state;
    struct wire w;
    open_plain(&w);
    wire_send(&w, 10, 0);
    WIRE_EXPECT(&w, "P. seq 0:10 ack 0");
    wire_send(&w, MSS - 1, 0);
    WIRE_QUIET(&w);
    wire_send(&w, 1 + MSS + 5, 0);
    WIRE_EXPECT(&w, ". seq 10:1470 ack 0");
    WIRE_EXPECT(&w, ". seq 1470:2930 ack 0");
    WIRE_QUIET(&w);
    hf_peer_send(&w.peer, ".");
    WIRE_EXPECT(&w, "P. seq 2930:2935 ack 0");
    wire_close(&w);
}

/* covers: MUST-17, CO-1122-02: one connection without Nagle beside one with it; switched at will */
static void nagle_is_switched_per_connection(void **state)
{
    (void)state;
    struct wire w;
    open_plain(&w);
    struct hf_peer other;
    hf_peer_open(&other, &w.rig, false, WIRE_PEER_PORT + 1, WIRE_STACK_PORT, 500);
    assert_true(hf_peer_connect(&other, "<mss 1460>"));
    hf_handle second = hf_rig_event(&w.rig).handle;
    assert_int_equal(wire_get(&w, HF_OPT_NAGLE), 1);
    wire_set(&w, HF_OPT_NAGLE, 0);
    for (int i = 0; i < 5; i++) {
        wire_send(&w, 10, 0);
        assert_int_equal(hf_send(w.rig.stack, second, "12345", 5, 0, w.rig.now_ns), 5);
        hf_rig_pull(&w.rig);
    }
    WIRE_EXPECT(&w, "P. seq 0:10 ack 0");
    assert_int_equal(hf_peer_skip(&w.peer), 4);
    assert_true(hf_peer_expect(&other, "P. seq 1:6 ack 1"));
    assert_true(hf_peer_expect_nothing(&other));
    wire_set(&w, HF_OPT_NAGLE, 1);
    wire_send(&w, 7, 0);
    WIRE_QUIET(&w);
    wire_set(&w, HF_OPT_NAGLE, 0); /* lets go of what waits */
    WIRE_EXPECT(&w, "P. seq 50:57 ack 0");
    wire_close(&w);
}

/* covers: MUST-60: corked data waits for the rest of its segment, but not for ever */
static void a_cork_holds_short_segments_for_a_while(void **state)
{
    (void)state;
    struct wire w;
    open_plain(&w);
    wire_set(&w, HF_OPT_CORK, 1);
    wire_send(&w, MSS + 100, 0);
    WIRE_EXPECT(&w, ". seq 0:1460 ack 0");
    WIRE_QUIET(&w);
    hf_peer_send(&w.peer, ".");
    w.start_ns = w.rig.now_ns;
    WIRE_QUIET(&w);
    WIRE_EXPECT_AT(&w, HF_MS(200), "P. seq 1460:1560 ack 0");
    hf_peer_send(&w.peer, ".");
    wire_send(&w, 50, 0);
    WIRE_QUIET(&w);
    wire_set(&w, HF_OPT_CORK, 0);
    WIRE_EXPECT(&w, "P. seq 1560:1610 ack 0");
    wire_close(&w);
}

/* covers: MUST-60, MUST-61: what is said to go on waits for that, or for its time */
static void more_to_come_holds_the_last_segment(void **state)
{
    (void)state;
    struct wire w;
    open_plain(&w);
    wire_send(&w, 100, HF_SEND_MORE);
    WIRE_QUIET(&w);
    wire_send(&w, 100, 0);
    WIRE_EXPECT(&w, "P. seq 0:200 ack 0");
    WIRE_QUIET(&w);
    hf_peer_send(&w.peer, ".");
    wire_send(&w, 100, HF_SEND_MORE);
    w.start_ns = w.rig.now_ns;
    WIRE_EXPECT_AT(&w, HF_MS(200), "P. seq 200:300 ack 0");
    hf_peer_send(&w.peer, ".");
    wire_send(&w, 100, HF_SEND_MORE);
    assert_int_equal(hf_shutdown(w.rig.stack, w.conn, w.rig.now_ns), HF_OK);
    hf_rig_pull(&w.rig);
    WIRE_EXPECT(&w, "FP. seq 300:400 ack 0");
    wire_close(&w);
}

/* covers: MUST-61, CO-1122-15: PSH stands on the last segment of what is buffered, on no other */
static void the_last_segment_is_pushed(void **state)
{
    (void)state;
    struct wire w;
    open_plain(&w);
    wire_send(&w, 3 * MSS, 0);
    WIRE_EXPECT(&w, ". seq 0:1460 ack 0");
    WIRE_EXPECT(&w, ". seq 1460:2920 ack 0");
    WIRE_EXPECT(&w, "P. seq 2920:4380 ack 0");
    WIRE_QUIET(&w);
    /* Held back by the window it is not the last; sent again it is as it was. */
    hf_peer_send(&w.peer, ". seq 0 win 2920");
    wire_send(&w, 2 * MSS + 1, 0);
    WIRE_EXPECT(&w, ". seq 4380:5840 ack 0");
    WIRE_EXPECT(&w, ". seq 5840:7300 ack 0");
    WIRE_QUIET(&w);
    hf_peer_send(&w.peer, ". seq 0 win 2920");
    WIRE_EXPECT(&w, "P. seq 7300:7301 ack 0");
    assert_true(wire_until_sent(&w, HF_SEC(1)) != HF_NEVER);
    WIRE_EXPECT(&w, "P. seq 7300:7301 ack 0");
    wire_close(&w);
}

/* covers: MUST-38, CO-1122-02: with less window than a segment, half of the widest is enough */
static void half_of_the_widest_window_is_enough(void **state)
{
    (void)state;
    static const struct {
        uint16_t window;
        bool leaves;
    } cases[] = {{399, false}, {400, true}, {401, true}, {800, true}};
    for (size_t i = 0; i < HF_COUNT_OF(cases); i++) {
        struct wire w;
        struct wire_setup setup = {.state = HF_ESTABLISHED, .window = 800};
        wire_open(&w, &setup);
        w.peer.window = cases[i].window;
        hf_peer_send(&w.peer, ". seq 0 ack 0");
        wire_send(&w, 1000, 0);
        assert_int_equal(hf_peer_pop(&w.peer), cases[i].leaves);
        if (cases[i].leaves)
            assert_int_equal(w.peer.last.segment.payload_bytes, cases[i].window);
        WIRE_QUIET(&w);
        wire_close(&w);
    }
}

/* covers: MUST-38: all that is written, if it fits, goes into any window */
static void what_fits_wholly_is_not_silly(void **state)
{
    (void)state;
    struct wire w;
    open_plain(&w);
    w.peer.window = 10;
    hf_peer_send(&w.peer, ". seq 0 ack 0");
    wire_send(&w, 10, 0);
    WIRE_EXPECT(&w, "P. seq 0:10 ack 0");
    wire_close(&w);
}

/* covers: MUST-38: the override time is a setting, from 0.1 to 1 s in the RFC */
static void the_override_time_is_a_setting(void **state)
{
    (void)state;
    struct hf_config config;
    hf_config_init(&config, sizeof config);
    config.sws_override_ns = HF_MS(900);
    struct wire w;
    struct wire_setup setup = {.state = HF_ESTABLISHED, .config = &config};
    wire_open(&w, &setup);
    w.peer.window = 100;
    hf_peer_send(&w.peer, ". seq 0 ack 0");
    wire_send(&w, 1000, 0);
    WIRE_EXPECT_AT(&w, HF_MS(900), ". seq 0:100 ack 0");
    wire_close(&w);
}

/* covers: MUST-16, CO-879-02, CO-7323-05: timestamps take their room from the payload */
static void options_take_room_from_the_payload(void **state)
{
    (void)state;
    struct wire w;
    struct wire_setup setup = {.state = HF_ESTABLISHED, .variant = WIRE_OPTIONS};
    wire_open(&w, &setup);
    wire_send(&w, 2 * MSS_TS, 0);
    for (int i = 0; i < 2; i++) {
        assert_true(hf_peer_pop(&w.peer));
        assert_int_equal(w.peer.last.segment.payload_bytes, MSS_TS);
        assert_true(w.peer.last.segment.has_timestamps);
    }
    /* A gap in what the peer sends: its SACK block takes 12 bytes more. */
    hf_peer_send(&w.peer, "P. seq 100:200");
    hf_peer_skip(&w.peer);
    wire_send(&w, MSS, 0);
    assert_true(hf_peer_pop(&w.peer));
    assert_int_equal(w.peer.last.segment.payload_bytes, MSS_TS - 12);
    assert_int_equal(w.peer.last.segment.sack_count, 1);
    wire_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_writes_wait_for_the_acknowledgment),
        cmocka_unit_test(what_is_sent_is_counted),
        cmocka_unit_test(full_segments_do_not_wait),
        cmocka_unit_test(nagle_is_switched_per_connection),
        cmocka_unit_test(a_cork_holds_short_segments_for_a_while),
        cmocka_unit_test(more_to_come_holds_the_last_segment),
        cmocka_unit_test(the_last_segment_is_pushed),
        cmocka_unit_test(half_of_the_widest_window_is_enough),
        cmocka_unit_test(what_fits_wholly_is_not_silly),
        cmocka_unit_test(the_override_time_is_a_setting),
        cmocka_unit_test(options_take_room_from_the_payload),
    };
    return cmocka_run_group_tests_name("data_send", tests, NULL, NULL);
}
