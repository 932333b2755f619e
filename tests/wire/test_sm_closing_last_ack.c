/* CLOSING and LAST-ACK: every row, and the last segments when they are lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/wire_calls.h"
#include "support/wire_flows.h"
#include "support/wire_rows.h"

static void common_rows(void **state)
{
    (void)state;
    assert_true(wire_rows_run(HF_CLOSING) > 200);
    assert_true(wire_rows_run(HF_LAST_ACK) > 200);
    wire_broken_run(HF_CLOSING);
    wire_broken_run(HF_LAST_ACK);
}

/* covers: SM-CLG-1b-tsrec, SM-LAK-1b-tsrec */
static void the_latest_timestamp_is_echoed(void **state)
{
    (void)state;
    wire_flow_timestamp(HF_CLOSING);
    wire_flow_timestamp(HF_LAST_ACK);
}

/* covers: SM-CLG-2-rst, SM-LAK-2-rst */
static void a_reset_ends_everything(void **state)
{
    (void)state;
    wire_flow_reset(HF_CLOSING);
    wire_flow_reset(HF_LAST_ACK);
}

/* covers: SM-CLG-4-syn, SM-LAK-4-syn, SM-CLG-5-ack-range, SM-LAK-5-ack-range */
static void challenges_are_limited(void **state)
{
    (void)state;
    wire_flow_challenge_limit(HF_CLOSING);
    wire_flow_challenge_limit(HF_LAST_ACK);
    wire_flow_small_window_range(HF_CLOSING);
    wire_flow_small_window_range(HF_LAST_ACK);
}

/* covers: SM-CLG-5-ack-new, SM-CLG-5-ack-dup, SM-CLG-5-wnd, SM-CLG-5-finnot, SM-CLG-5-finacked
 * covers: SM-LAK-5-finnot, SM-LAK-5-finacked */
static void acknowledgments_and_windows(void **state)
{
    (void)state;
    wire_flow_window(HF_CLOSING);
    wire_flow_window(HF_LAST_ACK);
    wire_flow_new_ack(HF_CLOSING, HF_TIME_WAIT);
    wire_flow_new_ack(HF_LAST_ACK, HF_CLOSED);
    wire_flow_duplicate_acks(HF_CLOSING);
    wire_flow_duplicate_acks(HF_LAST_ACK);
}

/* Our FIN is lost: it comes again after the retransmission timeout, and doubling.
 * covers: SM-CLG-5-finnot, TMO-RTO-CLG, TMO-RTO-LAK */
static void a_lost_fin_comes_again(void **state)
{
    (void)state;
    static const enum hf_state states[] = {HF_CLOSING, HF_LAST_ACK, HF_FIN_WAIT_1};
    struct hf_config config;
    hf_config_profile(&config, sizeof config, HF_PROFILE_RFC);
    config.loss_probe = 0; /* it would come ahead of the first timeout */
    for (size_t i = 0; i < HF_COUNT_OF(states); i++)
        for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
            struct wire w;
            struct wire_setup setup = {.state = states[i], .variant = variant, .config = &config};
            wire_open(&w, &setup);
            WIRE_EXPECT_AT(&w, HF_SEC(1), "F. seq -1 ack 0");
            WIRE_EXPECT_AT(&w, HF_SEC(3), "F. seq -1 ack 0");
            WIRE_EXPECT_AT(&w, HF_SEC(7), "F. seq -1 ack 0");
            assert_int_equal(wire_info(&w).segments_retransmitted, 3);
            hf_peer_send(&w.peer, ". seq 0 ack 0");
            assert_int_not_equal(wire_state(&w), states[i]);
            assert_int_equal(wire_until_sent(&w, HF_SEC(3600)), HF_NEVER);
            wire_close(&w);
        }
}

/* Simultaneous close with the peer's FIN lost: it finds our FIN acknowledged before it comes again.
 * covers: SM-FW1-8-fin, SM-FW1-8-fin-acked, SM-CLG-5-finacked, UN-13 */
static void simultaneous_close_with_a_lost_fin(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < 2 * WIRE_VARIANTS; variant++) {
        struct wire w;
        struct wire_setup setup = {.state = HF_FIN_WAIT_1, .variant = variant};
        /* The peer's FIN and its answer to ours are lost; its FIN comes again with the ACK. */
        wire_open(&w, &setup);
        hf_peer_send(&w.peer, "F. seq 0 ack 0");
        WIRE_EXPECT(&w, ". seq 0 ack 1");
        assert_int_equal(wire_state(&w), HF_TIME_WAIT);
        wire_close(&w);
        /* Ours is lost: its FIN does not acknowledge it. Ours goes out again, is acknowledged. */
        wire_open(&w, &setup);
        hf_peer_send(&w.peer, "F. seq 0 ack -1");
        WIRE_EXPECT(&w, ". seq 0 ack 1");
        assert_int_equal(wire_state(&w), HF_CLOSING);
        WIRE_EXPECT_AT(&w, HF_MS(200), "F. seq -1 ack 1");
        hf_peer_send(&w.peer, "F. seq 0 ack -1"); /* our ACK was lost as well */
        WIRE_EXPECT(&w, ". seq 0 ack 1");
        hf_peer_send(&w.peer, ". seq 1 ack 0");
        assert_int_equal(wire_state(&w), HF_TIME_WAIT);
        enum hf_closed how = HF_CLOSED_NOT;
        assert_true(wire_events(&w, &how) & HF_EV_CLOSED);
        assert_int_equal(how, HF_CLOSED_FIN);
        wire_close(&w);
    }
}

/* The FIN again that acknowledges ours: its sequence number is refused, and so is its ACK; the ACK
 * that we answer with brings the peer's own.
 * covers: SM-CLG-8-fin, SM-LAK-8-fin */
static void a_repeated_fin_is_acknowledged_again(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < 2 * WIRE_VARIANTS; variant++)
        for (int last = 0; last < 2; last++) {
            struct wire w;
            struct wire_setup setup = {.state = last ? HF_LAST_ACK : HF_CLOSING,
                                       .variant = variant};
            wire_open(&w, &setup);
            for (int i = 0; i < 30; i++) { /* not limited: a peer may need it often */
                hf_peer_send(&w.peer, "F. seq -1 ack 0");
                WIRE_EXPECT(&w, ". seq 0 ack 0");
                WIRE_QUIET(&w);
            }
            assert_int_equal(wire_state(&w), setup.state);
            wire_close(&w);
        }
}

/* Both FINs were exchanged: an RST behind them takes nothing from what waits to be read.
 * covers: SM-CLG-2-rst, SM-LAK-2-rst */
static void a_reset_leaves_what_is_unread(void **state)
{
    (void)state;
    for (int last = 0; last < 2; last++) {
        struct wire w;
        wire_open(&w, &(struct wire_setup){.state = HF_ESTABLISHED});
        if (!last)
            wire_finish(&w);
        hf_peer_send(&w.peer, "F. seq 0:100 ack 0");
        if (last)
            wire_finish(&w);
        hf_peer_skip(&w.peer);
        assert_int_equal(wire_state(&w), last ? HF_LAST_ACK : HF_CLOSING);
        hf_peer_send(&w.peer, "R seq 101");
        assert_int_equal(wire_state(&w), HF_CLOSED);
        wire_take(&w, 100);
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
        cmocka_unit_test(a_lost_fin_comes_again),
        cmocka_unit_test(simultaneous_close_with_a_lost_fin),
        cmocka_unit_test(a_repeated_fin_is_acknowledged_again),
        cmocka_unit_test(a_reset_leaves_what_is_unread),
    };
    return cmocka_run_group_tests_name("sm_closing_last_ack", tests, NULL, NULL);
}
