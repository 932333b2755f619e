/* FIN-WAIT-1 and FIN-WAIT-2: every row, half-close, and what becomes of data after close. */
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
    assert_true(wire_rows_run(HF_FIN_WAIT_1) > 200);
    assert_true(wire_rows_run(HF_FIN_WAIT_2) > 200);
    wire_broken_run(HF_FIN_WAIT_1);
    wire_broken_run(HF_FIN_WAIT_2);
}

/* covers: SM-FW1-1b-tsrec, SM-FW2-1b-tsrec */
static void the_latest_timestamp_is_echoed(void **state)
{
    (void)state;
    wire_flow_timestamp(HF_FIN_WAIT_1);
    wire_flow_timestamp(HF_FIN_WAIT_2);
}

/* covers: SM-FW1-2-rst, SM-FW2-2-rst */
static void a_reset_ends_everything(void **state)
{
    (void)state;
    wire_flow_reset(HF_FIN_WAIT_1);
    wire_flow_reset(HF_FIN_WAIT_2);
}

/* covers: SM-FW1-4-syn, SM-FW2-4-syn, SM-FW1-5-ack-range, SM-FW2-5-ack-range */
static void challenges_are_limited(void **state)
{
    (void)state;
    wire_flow_challenge_limit(HF_FIN_WAIT_1);
    wire_flow_challenge_limit(HF_FIN_WAIT_2);
    wire_flow_small_window_range(HF_FIN_WAIT_1);
    wire_flow_small_window_range(HF_FIN_WAIT_2);
}

/* covers: SM-FW1-5-ack-new, SM-FW1-5-ack-dup, SM-FW1-5-wnd, SM-FW2-5-wnd, SM-FW1-5-finacked
 * covers: SM-FW2-5-ack-new, SM-FW2-5-ack-dup: with the FIN acknowledged nothing is left to be */
static void acknowledgments_and_windows(void **state)
{
    (void)state;
    wire_flow_window(HF_FIN_WAIT_1);
    wire_flow_window(HF_FIN_WAIT_2);
    wire_flow_new_ack(HF_FIN_WAIT_1, HF_FIN_WAIT_2);
    wire_flow_duplicate_acks(HF_FIN_WAIT_1);
}

/* covers: SM-FW1-7-text, SM-FW2-7-text, SM-FW1-1b-ooo, SM-FW2-1b-ooo, SM-FW1-8-fin, SM-FW2-8-fin */
static void data_in_and_out_of_order(void **state)
{
    (void)state;
    wire_flow_text(HF_FIN_WAIT_1);
    wire_flow_text(HF_FIN_WAIT_2);
    wire_flow_out_of_order(HF_FIN_WAIT_1, HF_CLOSING);
    wire_flow_out_of_order(HF_FIN_WAIT_2, HF_TIME_WAIT);
}

/* covers: SM-FW1-6-urg, SM-FW2-6-urg */
static void urgent_data_leaves_a_mark(void **state)
{
    (void)state;
    wire_flow_urgent(HF_FIN_WAIT_1);
    wire_flow_urgent(HF_FIN_WAIT_2);
}

/* covers: SM-FW1-1b-win, SM-FW2-1b-win, MUST-66 */
static void a_closed_window_refuses_text_only(void **state)
{
    (void)state;
    wire_flow_zero_window(HF_FIN_WAIT_1);
    wire_flow_zero_window(HF_FIN_WAIT_2);
}

/* The RST/SYN/ACK fields of a segment beyond a gap count at once; its text and FIN do not.
 * covers: SM-FW1-1b-ooo, SM-FW1-5-finacked */
static void an_ack_beyond_a_gap_counts_at_once(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire w;
        struct wire_setup setup = {.state = HF_FIN_WAIT_1, .variant = variant};
        wire_open(&w, &setup);
        hf_peer_send(&w.peer, "FP. seq 100:200 ack 0");
        WIRE_EXPECT(&w, ". seq 0 ack 0");
        assert_int_equal(wire_state(&w), HF_FIN_WAIT_2);
        hf_peer_send(&w.peer, "P. seq 0:100 ack 0");
        WIRE_EXPECT(&w, ". seq 0 ack 201");
        assert_int_equal(wire_state(&w), HF_TIME_WAIT);
        assert_int_equal(wire_read(&w), 200);
        wire_close(&w);
    }
}

/* covers: SM-FW2-5-rtxempty: the close is complete for the writer, the connection stays */
static void an_acknowledged_fin_is_told_once(void **state)
{
    (void)state;
    struct wire w;
    wire_open(&w, &(struct wire_setup){.state = HF_FIN_WAIT_1});
    hf_peer_send(&w.peer, ". seq 0 ack 0");
    assert_int_equal(wire_events(&w, NULL), HF_EV_SENT_ALL);
    hf_peer_send(&w.peer, ". seq 0 ack 0");
    assert_int_equal(wire_events(&w, NULL), 0);
    hf_rig_wait(&w.rig, HF_SEC(86400));
    WIRE_QUIET(&w);
    assert_int_equal(wire_state(&w), HF_FIN_WAIT_2);
    wire_close(&w);
}

static void expect_data_after_close(enum hf_state state, unsigned variant, const char *segment)
{
    struct wire w;
    struct wire_setup setup = {.state = state, .variant = variant | WIRE_CLOSED};
    wire_open(&w, &setup);
    hf_peer_send(&w.peer, segment);
    WIRE_EXPECT(&w, "R. seq 0 ack 0");
    WIRE_QUIET(&w);
    assert_int_equal(wire_state(&w), HF_CLOSED);
    enum hf_closed how = HF_CLOSED_NOT;
    assert_int_equal(wire_events(&w, &how), HF_EV_CLOSED);
    assert_int_equal(how, HF_CLOSED_DATA_LOST);
    assert_int_equal(hf_stack_count(w.rig.stack, HF_RST_DATA_AFTER_CLOSE), 1);
    struct hf_info info;
    assert_int_equal(hf_info(w.rig.stack, w.conn, &info), HF_E_HANDLE);
    wire_close(&w);
}

/* covers: SM-FW1-7-text-closed, SM-FW2-7-text-closed, SHLD-3, MAY-1 */
static void data_after_close_resets_the_peer(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        expect_data_after_close(HF_FIN_WAIT_1, variant, "P. seq 0:1 ack -1");
        expect_data_after_close(HF_FIN_WAIT_2, variant, "P. seq 0:1 ack 0");
        expect_data_after_close(HF_FIN_WAIT_2, variant, "FP. seq 0:100 ack 0");
        expect_data_after_close(HF_FIN_WAIT_2, variant, "P. seq 100:200 ack 0");
        expect_data_after_close(HF_FIN_WAIT_2, variant, "P. seq -10:1 ack 0");
    }
}

/* What was received before is no news: a repeated segment does not reset. */
static void old_data_after_close_does_not(void **state)
{
    (void)state;
    struct wire w;
    struct wire_setup setup = {.state = HF_ESTABLISHED, .variant = WIRE_OPTIONS};
    wire_open(&w, &setup);
    hf_peer_send(&w.peer, "P. seq 0:100 ack 0");
    assert_int_equal(wire_read(&w), 100);
    assert_int_equal(hf_close(w.rig.stack, w.conn, w.rig.now_ns), HF_OK);
    hf_rig_pull(&w.rig);
    hf_peer_skip(&w.peer);
    hf_peer_send(&w.peer, "P. seq 0:100 ack 0");
    WIRE_EXPECT(&w, ". seq 1 ack 100");
    assert_int_equal(wire_state(&w), HF_FIN_WAIT_1);
    wire_close(&w);
}

/* covers: SM-FW2-7-text: a half-closed connection receives for as long as the peer sends */
static void half_closed_for_hours(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire w;
        struct wire_setup setup = {.state = HF_FIN_WAIT_2, .variant = variant};
        wire_open(&w, &setup);
        uint32_t received = 0;
        for (int minutes = 0; minutes < 300; minutes += 10) {
            hf_rig_wait(&w.rig, HF_SEC(600));
            hf_peer_send(&w.peer, "P. len 1000");
            received += 1000;
            hf_rig_wait(&w.rig, HF_MS(50));
            assert_true(hf_peer_pop(&w.peer));
            assert_int_equal(w.peer.last.segment.ack - w.peer.iss, received);
            WIRE_QUIET(&w);
        }
        assert_int_equal(wire_read(&w), received);
        hf_peer_skip(&w.peer);
        hf_peer_send(&w.peer, "F.");
        assert_int_equal(wire_state(&w), HF_TIME_WAIT);
        WIRE_EXPECT(&w, ". seq 0 ack 30001");
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
        cmocka_unit_test(data_in_and_out_of_order),
        cmocka_unit_test(urgent_data_leaves_a_mark),
        cmocka_unit_test(a_closed_window_refuses_text_only),
        cmocka_unit_test(an_ack_beyond_a_gap_counts_at_once),
        cmocka_unit_test(an_acknowledged_fin_is_told_once),
        cmocka_unit_test(data_after_close_resets_the_peer),
        cmocka_unit_test(old_data_after_close_does_not),
        cmocka_unit_test(half_closed_for_hours),
    };
    return cmocka_run_group_tests_name("sm_fin_wait", tests, NULL, NULL);
}
