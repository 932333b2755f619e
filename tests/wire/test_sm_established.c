/* ESTABLISHED: every row of the state machine, and what goes over several segments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/wire_flows.h"
#include "support/wire_rows.h"

/* covers: UN-04 */
static void common_rows(void **state)
{
    (void)state;
    assert_true(wire_rows_run(HF_ESTABLISHED) > 200);
    wire_broken_run(HF_ESTABLISHED);
}

/* covers: SM-EST-1b-tsrec, CO-7323-08 */
static void the_latest_timestamp_is_echoed(void **state)
{
    (void)state;
    wire_flow_timestamp(HF_ESTABLISHED);
}

/* covers: SM-EST-1a-paws, CO-7323-14: TS.Recent is good for 24 days and no longer [RFC7323#5.5] */
static void an_idle_connection_forgets_its_timestamp(void **state)
{
    (void)state;
    for (int days = 23; days <= 25; days += 2) {
        struct wire w;
        struct wire_setup setup = {.state = HF_ESTABLISHED, .variant = WIRE_OPTIONS};
        wire_open(&w, &setup);
        hf_rig_wait(&w.rig, HF_SEC(86400) * days);
        w.peer.ts_base -= (uint32_t)days * 86400000u + 1;
        hf_peer_send(&w.peer, "P. seq 0:10 ack 0");
        WIRE_EXPECT(&w, days < 24 ? ". seq 0 ack 0" : ". seq 0 ack 10");
        assert_int_equal(wire_read(&w), days < 24 ? 0 : 10);
        wire_close(&w);
    }
}

/* covers: SM-EST-2-rst, MUST-12 */
static void a_reset_ends_everything(void **state)
{
    (void)state;
    wire_flow_reset(HF_ESTABLISHED);
}

/* A RST that overtook data is challenged; the peer, which has forgotten all, answers that with one
 * that fits. covers: CO-5961-09, CO-5961-07 */
static void a_challenged_peer_resets_after_all(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire w;
        char reset[32];
        enum hf_closed how = HF_CLOSED_NOT;
        struct wire_setup setup = {.state = HF_ESTABLISHED, .variant = variant};
        wire_open(&w, &setup);
        hf_peer_send(&w.peer, "R seq 100");
        WIRE_EXPECT(&w, ". seq 0 ack 0");
        assert_int_equal(wire_state(&w), HF_ESTABLISHED);
        snprintf(reset, sizeof reset, "R seq %d", (int)(w.peer.last.segment.ack - w.peer.iss));
        hf_peer_send(&w.peer, reset);
        WIRE_QUIET(&w);
        assert_true(wire_events(&w, &how) & HF_EV_CLOSED);
        assert_int_equal(how, HF_CLOSED_RESET);
        wire_close(&w);
    }
}

/* covers: SM-EST-4-syn, SM-EST-2-rst-inwin, SM-EST-5-ack-range, CO-5961-03, CO-5961-04,
 * CO-5961-05 */
static void challenges_are_limited(void **state)
{
    (void)state;
    wire_flow_challenge_limit(HF_ESTABLISHED);
    wire_flow_small_window_range(HF_ESTABLISHED);
}

static void acks_do_not_answer_each_other_for_ever(void **state)
{
    (void)state;
    static const enum hf_state states[] = {HF_ESTABLISHED, HF_FIN_WAIT_1, HF_FIN_WAIT_2,
                                           HF_CLOSE_WAIT,  HF_CLOSING,    HF_LAST_ACK,
                                           HF_TIME_WAIT};
    for (size_t a = 0; a < HF_COUNT_OF(states); a++)
        for (size_t b = 0; b < HF_COUNT_OF(states); b++)
            wire_flow_ack_loop(states[a], states[b]);
}

/* covers: SM-EST-5-ack-new, SM-EST-5-ack-dup, SM-EST-5-wnd, CO-1122-13, CO-5681-07 */
static void acknowledgments_and_windows(void **state)
{
    (void)state;
    wire_flow_window(HF_ESTABLISHED);
    wire_flow_new_ack(HF_ESTABLISHED, HF_ESTABLISHED);
    wire_flow_duplicate_acks(HF_ESTABLISHED);
}

/* covers: SM-EST-7-text, SM-EST-1b-ooo, SM-EST-8-fin, SHLD-31 */
static void data_in_and_out_of_order(void **state)
{
    (void)state;
    wire_flow_text(HF_ESTABLISHED);
    wire_flow_out_of_order(HF_ESTABLISHED, HF_CLOSE_WAIT);
}

/* covers: SM-EST-6-urg, MUST-32 */
static void urgent_data_leaves_a_mark(void **state)
{
    (void)state;
    wire_flow_urgent(HF_ESTABLISHED);
}

/* covers: SM-EST-1b-win, MUST-66 */
static void a_closed_window_refuses_text_only(void **state)
{
    (void)state;
    wire_flow_zero_window(HF_ESTABLISHED);
}

/* covers: SM-EST-8-fin. An old ACK goes along with data and FIN: it is no reason to refuse them. */
static void a_fin_comes_with_data_and_an_old_ack(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire w;
        struct wire_setup setup = {.state = HF_ESTABLISHED, .variant = variant};
        setup.unacked_bytes = 500;
        wire_open(&w, &setup);
        hf_peer_send(&w.peer, "FP. seq 0:1000 ack -500");
        WIRE_EXPECT(&w, ". seq 0 ack 1001");
        WIRE_QUIET(&w);
        assert_int_equal(wire_state(&w), HF_CLOSE_WAIT);
        assert_int_equal(wire_events(&w, NULL), HF_EV_PEER_CLOSED | HF_EV_READABLE);
        assert_int_equal(wire_read(&w), 1000);
        uint8_t byte;
        assert_int_equal(hf_receive(w.rig.stack, w.conn, &byte, 1, w.rig.now_ns), HF_E_END);
        assert_int_equal(wire_info(&w).in_flight_bytes, 500);
        wire_close(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(common_rows),
        cmocka_unit_test(the_latest_timestamp_is_echoed),
        cmocka_unit_test(an_idle_connection_forgets_its_timestamp),
        cmocka_unit_test(a_reset_ends_everything),
        cmocka_unit_test(a_challenged_peer_resets_after_all),
        cmocka_unit_test(challenges_are_limited),
        cmocka_unit_test(acks_do_not_answer_each_other_for_ever),
        cmocka_unit_test(acknowledgments_and_windows),
        cmocka_unit_test(data_in_and_out_of_order),
        cmocka_unit_test(urgent_data_leaves_a_mark),
        cmocka_unit_test(a_closed_window_refuses_text_only),
        cmocka_unit_test(a_fin_comes_with_data_and_an_old_ack),
    };
    return cmocka_run_group_tests_name("sm_established", tests, NULL, NULL);
}
