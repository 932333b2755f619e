/* Urgent data both ways [RFC6093]: a mark in the stream, and nothing but a mark. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/wire_calls.h"

enum { MSS = 1460 };

/* covers: MUST-30, MUST-62, CO-6093-01: the pointer names the octet behind the urgent ones */
static void the_pointer_names_the_octet_after(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire w;
        struct wire_setup setup = {.state = HF_ESTABLISHED, .variant = variant};
        wire_open(&w, &setup);
        wire_send(&w, 5, HF_SEND_URGENT);
        WIRE_EXPECT(&w, "PU. seq 0:5 ack 0 urg 5");
        hf_peer_send(&w.peer, ".");
        wire_send(&w, 5, 0); /* nothing urgent is left */
        WIRE_EXPECT(&w, "P. seq 5:10 ack 0");
        WIRE_QUIET(&w);
        wire_close(&w);
    }
}

/* covers: MUST-31: the mark may lie beyond the segment, by whole segments */
static void urgent_data_of_any_length(void **state)
{
    (void)state;
    struct wire w;
    struct wire_setup setup = {.state = HF_ESTABLISHED};
    wire_open(&w, &setup);
    wire_send(&w, 3 * MSS, HF_SEND_URGENT);
    WIRE_EXPECT(&w, "U. seq 0:1460 ack 0 urg 4380");
    WIRE_EXPECT(&w, "U. seq 1460:2920 ack 0 urg 2920");
    WIRE_EXPECT(&w, "PU. seq 2920:4380 ack 0 urg 1460");
    /* Sent again it still is urgent, and what follows it is not. */
    wire_send(&w, MSS, 0);
    WIRE_EXPECT(&w, "P. seq 4380:5840 ack 0");
    hf_peer_send(&w.peer, ". seq 0 ack 2920");
    WIRE_QUIET(&w);
    assert_true(wire_until_sent(&w, HF_SEC(2)) != HF_NEVER);
    WIRE_EXPECT(&w, "U. seq 2920:4380 ack 0 urg 1460");
    wire_close(&w);
}

/* covers: MUST-31: further ahead than 16 bits say, the pointer says as much as it can */
static void the_mark_is_further_ahead_than_a_pointer_reaches(void **state)
{
    (void)state;
    struct hf_config config;
    hf_config_init(&config, sizeof config);
    config.congestion_control = 0;
    struct wire w;
    struct wire_setup setup = {.state = HF_ESTABLISHED, .variant = WIRE_OPTIONS, .config = &config};
    wire_open(&w, &setup);
    const uint32_t length = 100000;
    wire_send(&w, length, HF_SEND_URGENT);
    uint32_t n = 0;
    while (hf_peer_pop(&w.peer)) {
        const struct hf_segment *seg = &w.peer.last.segment;
        uint32_t left = length - (seg->seq - w.peer.irs);
        assert_true(seg->flags & HF_URG);
        assert_int_equal(seg->urgent_pointer, left < 65535 ? left : 65535);
        n += seg->payload_bytes;
    }
    assert_int_equal(n, length);
    wire_close(&w);
}

/* covers: MUST-62: cut by the link, a super-packet would carry one pointer for all its segments */
static void urgent_segments_are_right_on_a_link_that_cuts(void **state)
{
    (void)state;
    struct hf_config config;
    hf_config_init(&config, sizeof config);
    config.offload_checksum = 1;
    config.offload_super_bytes = 65535;
    struct wire w;
    struct wire_setup setup = {.state = HF_ESTABLISHED, .config = &config};
    wire_open(&w, &setup);
    wire_send(&w, 2 * MSS + 40, HF_SEND_URGENT);
    wire_send(&w, MSS, 0);
    WIRE_EXPECT(&w, "U. seq 0:1460 ack 0 urg 2960");
    WIRE_EXPECT(&w, "U. seq 1460:2920 ack 0 urg 1500");
    WIRE_EXPECT(&w, "PU. seq 2920:2960 ack 0 urg 40");
    WIRE_EXPECT(&w, "P. seq 2960:4420 ack 0");
    WIRE_QUIET(&w);
    wire_close(&w);
}

/* covers: MUST-32: an urgent segment does not wait for others to be acknowledged */
static void urgent_data_is_not_gathered(void **state)
{
    (void)state;
    struct wire w;
    struct wire_setup setup = {.state = HF_ESTABLISHED};
    wire_open(&w, &setup);
    wire_send(&w, 10, 0);
    WIRE_EXPECT(&w, "P. seq 0:10 ack 0");
    wire_send(&w, 10, 0);
    WIRE_QUIET(&w);
    wire_send(&w, 1, HF_SEND_URGENT);
    WIRE_EXPECT(&w, "PU. seq 10:21 ack 0 urg 11");
    wire_close(&w);
}

/* covers: MUST-30, MUST-32, MUST-33, CO-6093-01, CO-6093-02, CO-1122-14: each step forward is told,
 * how much is left is known, and the octets stay in line */
static void the_reader_is_told_of_each_step(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire w;
        struct wire_setup setup = {.state = HF_ESTABLISHED, .variant = variant};
        wire_open(&w, &setup);
        assert_int_equal(wire_info(&w).urgent_bytes, 0);
        hf_peer_send(&w.peer, "PU. seq 0:10 urg 6");
        assert_int_equal(wire_events(&w, NULL), HF_EV_URGENT | HF_EV_READABLE);
        assert_int_equal(wire_info(&w).urgent_bytes, 6);
        assert_int_equal(wire_info(&w).receive_queue_bytes, 10);
        wire_take(&w, 2);
        assert_int_equal(wire_info(&w).urgent_bytes, 4);
        hf_peer_send(&w.peer, "PU. seq 10:20 urg 5"); /* on, to 15 */
        assert_true(wire_events(&w, NULL) & HF_EV_URGENT);
        assert_int_equal(wire_info(&w).urgent_bytes, 13);
        wire_take(&w, 13);
        assert_int_equal(wire_info(&w).urgent_bytes, 0);
        hf_peer_send(&w.peer, "PU. seq 20:30 urg 1"); /* all over again */
        assert_true(wire_events(&w, NULL) & HF_EV_URGENT);
        assert_int_equal(wire_info(&w).urgent_bytes, 6);
        wire_take(&w, 15);
        assert_int_equal(wire_info(&w).urgent_bytes, 0);
        wire_close(&w);
    }
}

/* covers: MUST-31, CO-6093-04: a mark beyond the data that is there stays until it is reached */
static void the_mark_may_be_ahead_of_the_data(void **state)
{
    (void)state;
    struct wire w;
    struct wire_setup setup = {.state = HF_ESTABLISHED};
    wire_open(&w, &setup);
    hf_peer_send(&w.peer, "PU. seq 0:10 urg 60000");
    assert_true(wire_events(&w, NULL) & HF_EV_URGENT);
    assert_int_equal(wire_info(&w).urgent_bytes, 60000);
    wire_take(&w, 10);
    assert_int_equal(wire_info(&w).urgent_bytes, 59990);
    hf_peer_send(&w.peer, "PU. seq 10:20 urg 100"); /* it never recedes */
    assert_int_equal(wire_events(&w, NULL), HF_EV_READABLE);
    assert_int_equal(wire_info(&w).urgent_bytes, 59990);
    wire_close(&w);
}

/* covers: UN-09, UN-15, CO-6093-03: a pointer without its flag, one that is behind, one on a FIN */
static void odd_pointers_change_nothing(void **state)
{
    (void)state;
    struct wire w;
    struct wire_setup setup = {.state = HF_ESTABLISHED};
    wire_open(&w, &setup);
    hf_peer_send(&w.peer, "P. seq 0:10 urg 6");
    assert_int_equal(wire_events(&w, NULL), HF_EV_READABLE);
    assert_int_equal(wire_info(&w).urgent_bytes, 0);
    wire_take(&w, 10);
    hf_peer_send(&w.peer, "U. seq 10 urg 0");
    assert_int_equal(wire_events(&w, NULL), 0);
    hf_peer_send(&w.peer, "FU. seq 10 urg 1000");
    assert_int_equal(wire_info(&w).urgent_bytes, 0);
    wire_events(&w, NULL);
    uint8_t byte;
    assert_int_equal(hf_receive(w.rig.stack, w.conn, &byte, 1, w.rig.now_ns), HF_E_END);
    hf_peer_send(&w.peer, "U. seq 11 urg 100"); /* behind the FIN nothing can be urgent */
    assert_int_equal(wire_events(&w, NULL) & HF_EV_URGENT, 0);
    wire_close(&w);
}

/* covers: MUST-33: the FIN takes a number, but is nothing that could be read */
static void the_mark_is_right_before_the_end(void **state)
{
    (void)state;
    struct wire w;
    struct wire_setup setup = {.state = HF_ESTABLISHED};
    wire_open(&w, &setup);
    hf_peer_send(&w.peer, "FPU. seq 0:10 urg 10");
    assert_int_equal(wire_info(&w).urgent_bytes, 10);
    wire_take(&w, 9);
    assert_int_equal(wire_info(&w).urgent_bytes, 1);
    wire_take(&w, 1);
    assert_int_equal(wire_info(&w).urgent_bytes, 0);
    wire_close(&w);

    wire_open(&w, &setup);
    hf_peer_send(&w.peer, "PU. seq 0:10 urg 300"); /* the rest of it never comes */
    hf_peer_send(&w.peer, "F. seq 10");
    assert_int_equal(wire_info(&w).urgent_bytes, 10);
    wire_close(&w);
}

/* covers: MUST-66, UN-12: with a closed window the mark still gets through */
static void the_mark_passes_a_closed_window(void **state)
{
    (void)state;
    struct wire w;
    struct wire_setup setup = {.state = HF_ESTABLISHED};
    struct hf_config config;
    hf_config_init(&config, sizeof config);
    config.receive_buffer_bytes = 2920;
    setup.config = &config;
    wire_open(&w, &setup);
    hf_peer_send(&w.peer, ". seq 0:1460");
    hf_peer_send(&w.peer, "P. seq 1460:2920");
    hf_peer_skip(&w.peer);
    assert_int_equal(wire_info(&w).rcv_wnd_bytes, 0);
    wire_events(&w, NULL);
    hf_peer_send(&w.peer, "PU. seq 2920:2921 urg 500");
    WIRE_EXPECT(&w, ". seq 0 ack 2920 win 0");
    assert_int_equal(wire_events(&w, NULL), HF_EV_URGENT);
    assert_int_equal(wire_info(&w).urgent_bytes, 3420);
    wire_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pointer_names_the_octet_after),
        cmocka_unit_test(urgent_data_of_any_length),
        cmocka_unit_test(the_mark_is_further_ahead_than_a_pointer_reaches),
        cmocka_unit_test(urgent_segments_are_right_on_a_link_that_cuts),
        cmocka_unit_test(urgent_data_is_not_gathered),
        cmocka_unit_test(the_reader_is_told_of_each_step),
        cmocka_unit_test(the_mark_may_be_ahead_of_the_data),
        cmocka_unit_test(odd_pointers_change_nothing),
        cmocka_unit_test(the_mark_is_right_before_the_end),
        cmocka_unit_test(the_mark_passes_a_closed_window),
    };
    return cmocka_run_group_tests_name("data_urgent", tests, NULL, NULL);
}
