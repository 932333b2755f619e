/* CLOSE-WAIT: every row, and our half of the stream after the peer's has ended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/wire_flows.h"
#include "support/wire_rows.h"

static void common_rows(void **state)
{
    (void)state;
    assert_true(wire_rows_run(HF_CLOSE_WAIT) > 200);
    wire_broken_run(HF_CLOSE_WAIT);
}

/* covers: SM-CLW-1b-tsrec */
static void the_latest_timestamp_is_echoed(void **state)
{
    (void)state;
    wire_flow_timestamp(HF_CLOSE_WAIT);
}

/* covers: SM-CLW-2-rst */
static void a_reset_ends_everything(void **state)
{
    (void)state;
    wire_flow_reset(HF_CLOSE_WAIT);
}

/* covers: SM-CLW-4-syn, SM-CLW-2-rst-inwin, SM-CLW-5-ack-range */
static void challenges_are_limited(void **state)
{
    (void)state;
    wire_flow_challenge_limit(HF_CLOSE_WAIT);
    wire_flow_small_window_range(HF_CLOSE_WAIT);
}

/* covers: SM-CLW-5-ack-new, SM-CLW-5-ack-dup, SM-CLW-5-wnd */
static void acknowledgments_and_windows(void **state)
{
    (void)state;
    wire_flow_window(HF_CLOSE_WAIT);
    wire_flow_new_ack(HF_CLOSE_WAIT, HF_CLOSE_WAIT);
    wire_flow_duplicate_acks(HF_CLOSE_WAIT);
}

/* covers: SM-CLW-6-urg, SM-CLW-7-text: nothing of them reaches the application */
static void what_follows_a_fin_is_ignored(void **state)
{
    (void)state;
    struct wire w;
    wire_open(&w, &(struct wire_setup){.state = HF_CLOSE_WAIT});
    hf_peer_send(&w.peer, "UP. seq 0:100 ack 0 urg 50");
    hf_peer_send(&w.peer, "FUP. seq 100:200 ack 0 urg 50");
    assert_int_equal(wire_events(&w, NULL), 0);
    uint8_t byte;
    assert_int_equal(hf_receive(w.rig.stack, w.conn, &byte, 1, w.rig.now_ns), HF_E_END);
    wire_close(&w);
}

/* Hours of sending into a half-closed connection, then our FIN.
 * covers: SM-CLW-5-ack-new, SM-LAK-5-finacked */
static void our_half_goes_on_for_hours(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire w;
        struct wire_setup setup = {.state = HF_CLOSE_WAIT, .variant = variant};
        wire_open(&w, &setup);
        for (int i = 0; i < 30; i++) {
            wire_write(&w, 1000);
            assert_true(hf_peer_pop(&w.peer));
            assert_int_equal(w.peer.last.segment.payload_bytes, 1000);
            assert_int_equal(w.peer.last.segment.ack, w.peer.iss);
            hf_peer_send(&w.peer, ".");
            assert_int_equal(wire_events(&w, NULL), HF_EV_SENT_ALL);
            hf_rig_wait(&w.rig, HF_SEC(600));
            WIRE_QUIET(&w);
        }
        wire_finish(&w);
        WIRE_EXPECT(&w, "F. seq 30000 ack 0");
        assert_int_equal(wire_state(&w), HF_LAST_ACK);
        hf_peer_send(&w.peer, ".");
        assert_int_equal(wire_state(&w), HF_CLOSED);
        enum hf_closed how = HF_CLOSED_NOT;
        assert_true(wire_events(&w, &how) & HF_EV_CLOSED);
        assert_int_equal(how, HF_CLOSED_FIN);
        WIRE_QUIET(&w);
        wire_close(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(common_rows),
        cmocka_unit_test(the_latest_timestamp_is_echoed),
        cmocka_unit_test(a_reset_ends_everything),
        cmocka_unit_test(challenges_are_limited),
        cmocka_unit_test(acknowledgments_and_windows),
        cmocka_unit_test(what_follows_a_fin_is_ignored),
        cmocka_unit_test(our_half_goes_on_for_hours),
    };
    return cmocka_run_group_tests_name("sm_close_wait", tests, NULL, NULL);
}
