/* Probes that ask an idle peer, and what takes the place of a probe that is due. */
#include "tmo.h"

static void ask_for_keepalive(struct hf_config *config)
{
    config->keepalive = 1;
    config->keepalive_idle_ns = HF_SEC(60);
    config->keepalive_interval_ns = HF_SEC(10);
    config->keepalive_probes = 3;
}

static const enum hf_state idle_states[] = {HF_ESTABLISHED, HF_FIN_WAIT_2, HF_CLOSE_WAIT};

/* covers: TMO-KEEPALIVE-EST, TMO-KEEPALIVE-FW2, TMO-KEEPALIVE-CLW, MAY-5, MUST-24, MUST-27,
 * MUST-29, SHLD-12, CO-1122-01 */
static void an_idle_peer_is_probed(void **state)
{
    (void)state;
    struct hf_config config = rfc;
    ask_for_keepalive(&config);
    for (size_t i = 0; i < HF_COUNT_OF(idle_states); i++)
        for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
            struct wire w;
            struct wire_setup setup = setup_of(idle_states[i], variant, 0);
            setup.config = &config;
            wire_open(&w, &setup);
            WIRE_EXPECT_AT(&w, HF_SEC(60), ". seq -1 ack 0");
            assert_int_equal(w.peer.last.segment.payload_bytes, 0);
            WIRE_EXPECT_AT(&w, HF_SEC(70), ". seq -1 ack 0");
            hf_peer_send(&w.peer, ". seq 0 ack 0"); /* it lives */
            WIRE_EXPECT_AT(&w, HF_SEC(130), ". seq -1 ack 0");
            WIRE_EXPECT_AT(&w, HF_SEC(140), ". seq -1 ack 0");
            WIRE_EXPECT_AT(&w, HF_SEC(150), ". seq -1 ack 0");
            WIRE_EXPECT_AT(&w, HF_SEC(160), "R. seq 0 ack 0");
            expect_closed(&w, HF_CLOSED_KEEPALIVE, HF_E_TIMEOUT);
            wire_close(&w);
        }
}

/* The FIN is outstanding in these states: it is sent again, and no probe beside it. [MUST-26]
 * covers: TMO-KEEPALIVE-FW1, TMO-KEEPALIVE-CLG, TMO-KEEPALIVE-LAK */
static void an_outstanding_fin_needs_no_probe(void **state)
{
    (void)state;
    static const enum hf_state states[] = {HF_FIN_WAIT_1, HF_CLOSING, HF_LAST_ACK};
    struct hf_config config = rfc;
    ask_for_keepalive(&config);
    config.keepalive_idle_ns = config.keepalive_interval_ns = HF_MS(1500);
    for (size_t i = 0; i < HF_COUNT_OF(states); i++) {
        struct wire w;
        struct wire_setup setup = setup_of(states[i], 0, 0);
        setup.config = &config;
        wire_open(&w, &setup);
        for (int n = 0; n < R2; n++)
            WIRE_EXPECT_AT(&w, HF_SEC(backoff_s[n]), "F. seq -1 ack 0");
        assert_int_equal(hf_stack_count(w.rig.stack, HF_PROBE_KEEPALIVE), 0);
        wire_close(&w);
    }
}

/* covers: MUST-25, MUST-28, CO-1122-01 */
static void keepalive_is_off_unless_asked_for(void **state)
{
    (void)state;
    for (size_t i = 0; i < HF_COUNT_OF(idle_states); i++) {
        struct wire w;
        struct wire_setup setup = setup_of(idle_states[i], 0, 0);
        wire_open(&w, &setup);
        assert_int_equal(wire_until_sent(&w, 10 * HF_SEC(86400)), HF_NEVER);
        set(&w, HF_OPT_KEEPALIVE, 1);
        w.start_ns = w.rig.now_ns;
        hf_peer_send(&w.peer, ". seq 0 ack 0");
        WIRE_EXPECT_AT(&w, HF_SEC(7200), ". seq -1 ack 0");
        set(&w, HF_OPT_KEEPALIVE, 0);
        assert_int_equal(wire_until_sent(&w, 10 * HF_SEC(86400)), HF_NEVER);
        assert_int_equal(wire_state(&w), idle_states[i]);
        wire_close(&w);
    }
}

/* covers: MUST-26, CO-1122-01 */
static void what_is_heard_puts_the_probe_off(void **state)
{
    (void)state;
    struct hf_config config = rfc;
    ask_for_keepalive(&config);
    struct wire w;
    struct wire_setup setup = setup_of(HF_ESTABLISHED, WIRE_FROM_ZERO, 0);
    setup.config = &config;
    wire_open(&w, &setup);
    for (int n = 0; n < 10; n++) {
        hf_rig_wait(&w.rig, HF_SEC(50));
        hf_peer_send(&w.peer, ". seq 0 ack 0");
    }
    WIRE_QUIET(&w);
    WIRE_EXPECT_AT(&w, HF_SEC(560), ". seq -1 ack 0");
    wire_close(&w);
}

/* A probe is due, but nobody has asked for packets yet. */
static void open_with_a_probe_due(struct wire *w, struct hf_config *config)
{
    *config = rfc;
    ask_for_keepalive(config);
    struct wire_setup setup = setup_of(HF_ESTABLISHED, 0, 0);
    setup.config = config;
    wire_open(w, &setup);
    hf_rig_fire(&w->rig, w->start_ns + HF_MS(60010));
    assert_int_equal(hf_stack_count(w->rig.stack, HF_PROBE_KEEPALIVE), 1);
}

/* covers: MUST-26: before it leaves there is something to send: that asks as much */
static void data_leaves_in_place_of_a_probe(void **state)
{
    (void)state;
    struct hf_config config;
    struct wire w;
    open_with_a_probe_due(&w, &config);
    wire_write(&w, 5);
    WIRE_EXPECT(&w, "P. seq 0:5 ack 0");
    WIRE_QUIET(&w);
    wire_write(&w, 5); /* waits for its ACK, by Nagle */
    WIRE_QUIET(&w);
    wire_close(&w);
}

/* covers: MUST-26: before it leaves the peer is heard: the next is due a whole idle time later */
static void an_answer_ahead_of_a_probe_is_enough(void **state)
{
    (void)state;
    struct hf_config config;
    struct wire w;
    open_with_a_probe_due(&w, &config);
    hf_peer_send(&w.peer, ". seq 0 ack 0");
    WIRE_QUIET(&w);
    WIRE_EXPECT_AT(&w, HF_MS(120010), ". seq -1 ack 0");
    wire_close(&w);
}

/* covers: MUST-24, MUST-26: nor does it leave when keep-alive was switched off, or given longer */
static void a_probe_that_is_due_follows_the_option(void **state)
{
    (void)state;
    struct hf_config config;
    struct wire w;
    open_with_a_probe_due(&w, &config);
    set(&w, HF_OPT_KEEPALIVE, 0);
    hf_rig_pull(&w.rig);
    WIRE_QUIET(&w);
    wire_close(&w);
    open_with_a_probe_due(&w, &config);
    set(&w, HF_OPT_KEEPALIVE_IDLE_NS, HF_SEC(100));
    hf_rig_pull(&w.rig);
    WIRE_QUIET(&w);
    WIRE_EXPECT_AT(&w, HF_SEC(100), ". seq -1 ack 0");
    wire_close(&w);
}

/* covers: MUST-26: without memory for data another timer takes the place of keep-alive's */
static void an_answer_is_enough_beside_data_without_memory(void **state)
{
    (void)state;
    struct hf_config config;
    struct wire w;
    open_with_a_probe_due(&w, &config);
    wire_input_one(&w, ". seq 0 ack 0");
    hf_rig_starve(&w.rig);
    assert_int_equal(hf_send(w.rig.stack, w.conn, "x", 1, 0, w.rig.now_ns), HF_E_AGAIN);
    hf_rig_pull(&w.rig);
    WIRE_QUIET(&w);
    wire_close(&w);
}

/* covers: MUST-29: a link that takes nothing for hours ends no connection that was not asked */
static void probes_that_can_not_leave_do_not_count(void **state)
{
    (void)state;
    struct hf_config config;
    struct wire w;
    open_with_a_probe_due(&w, &config);
    for (int hour = 1; hour <= 50; hour++)
        hf_rig_fire(&w.rig, w.start_ns + HF_SEC(3600) * hour);
    assert_int_equal(hf_stack_count(w.rig.stack, HF_PROBE_KEEPALIVE), 1);
    assert_int_equal(wire_state(&w), HF_ESTABLISHED);
    hf_rig_pull(&w.rig);
    WIRE_EXPECT(&w, ". seq -1 ack 0");
    wire_close(&w);
}

/* covers: MUST-37: nor does one that can't leave count of a closed window: before data that waits,
 * or that lies beyond it. The user timeout ends that all the same */
static void window_probes_that_can_not_leave_do_not_count(void **state)
{
    (void)state;
    for (int k = 0; k < 4; k++) {
        bool in_flight = k & 1, limited = k & 2;
        struct wire w;
        struct wire_setup setup = setup_of(HF_ESTABLISHED, 0, in_flight ? 100 : 0);
        wire_open(&w, &setup);
        w.peer.window = 0;
        hf_peer_send(&w.peer, in_flight ? ". seq 0 ack -100" : ". seq 0 ack 0");
        if (!in_flight)
            wire_write(&w, 100);
        WIRE_QUIET(&w);
        if (limited)
            set(&w, HF_OPT_USER_TIMEOUT_NS, HF_SEC(3600) * 40);
        for (int hour = 1; hour <= 39; hour++)
            hf_rig_fire(&w.rig, w.start_ns + HF_SEC(3600) * hour);
        assert_int_equal(hf_stack_count(w.rig.stack, HF_PROBE_ZERO_WINDOW), 1);
        assert_int_equal(wire_state(&w), HF_ESTABLISHED);
        if (limited) {
            hf_rig_fire(&w.rig, w.start_ns + HF_SEC(3600) * 41);
            expect_closed(&w, HF_CLOSED_USER_TIMEOUT, HF_E_TIMEOUT);
        } else {
            hf_rig_pull(&w.rig);
            WIRE_EXPECT(&w, in_flight ? ". seq -101 ack 0" : ". seq -1 ack 0");
            WIRE_QUIET(&w);
        }
        wire_close(&w);
    }
}

/* covers: MUST-26: one that could not leave, and whose answer came all the same, is no reason to
 * put off the next */
static void a_probe_is_due_again_after_what_was_heard(void **state)
{
    (void)state;
    struct hf_config config;
    struct wire w;
    open_with_a_probe_due(&w, &config);
    wire_input(&w, (const char *[]){". seq 0 ack 0"}, 1);
    hf_rig_fire(&w.rig, w.start_ns + HF_MS(120020));
    assert_int_equal(hf_stack_count(w.rig.stack, HF_PROBE_KEEPALIVE), 2);
    hf_rig_pull(&w.rig);
    WIRE_EXPECT(&w, ". seq -1 ack 0");
    wire_close(&w);
}

/* covers: MUST-29: an option that is set while the peer is asked has that begin anew: each probe
 * has its time to be answered */
static void an_option_set_meanwhile_leaves_probes_their_time(void **state)
{
    (void)state;
    static const enum hf_option options[] = {HF_OPT_KEEPALIVE_INTERVAL_NS, HF_OPT_KEEPALIVE_IDLE_NS,
                                             HF_OPT_KEEPALIVE};
    struct hf_config config = rfc;
    ask_for_keepalive(&config);
    config.keepalive_probes = 2;
    struct wire w;
    struct wire_setup setup = setup_of(HF_ESTABLISHED, 0, 0);
    setup.config = &config;
    wire_open(&w, &setup);
    WIRE_EXPECT_AT(&w, HF_SEC(60), ". seq -1 ack 0");
    for (size_t i = 0; i < HF_COUNT_OF(options); i++) {
        set(&w, options[i], options[i] == HF_OPT_KEEPALIVE ? 1 : HF_SEC(10));
        hf_rig_wait(&w.rig, HF_MS(10));
        assert_int_equal(wire_state(&w), HF_ESTABLISHED);
    }
    hf_peer_skip(&w.peer);
    WIRE_EXPECT_AT(&w, HF_MS(70020), ". seq -1 ack 0");
    WIRE_EXPECT_AT(&w, HF_MS(80020), "R. seq 0 ack 0");
    expect_closed(&w, HF_CLOSED_KEEPALIVE, HF_E_TIMEOUT);
    wire_close(&w);
}

/* A probe of the window is due, and before it leaves all that it would have asked for is here. */
static void an_answer_ahead_of_a_window_probe_is_enough(void **state)
{
    (void)state;
    struct wire w;
    struct wire_setup setup = setup_of(HF_ESTABLISHED, 0, 0);
    wire_open(&w, &setup);
    wire_write(&w, 100);
    WIRE_EXPECT(&w, "P. seq 0:100 ack 0");
    w.peer.window = 0;
    hf_peer_send(&w.peer, ". seq 0 ack 0");
    WIRE_QUIET(&w);
    hf_rig_fire(&w.rig, w.start_ns + HF_SEC(2));
    assert_int_equal(hf_stack_count(w.rig.stack, HF_PROBE_ZERO_WINDOW), 1);
    hf_peer_send(&w.peer, ". seq 0 ack 100");
    WIRE_QUIET(&w);
    wire_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_peer_is_probed),
        cmocka_unit_test(an_outstanding_fin_needs_no_probe),
        cmocka_unit_test(keepalive_is_off_unless_asked_for),
        cmocka_unit_test(what_is_heard_puts_the_probe_off),
        cmocka_unit_test(data_leaves_in_place_of_a_probe),
        cmocka_unit_test(an_answer_ahead_of_a_probe_is_enough),
        cmocka_unit_test(a_probe_that_is_due_follows_the_option),
        cmocka_unit_test(an_answer_is_enough_beside_data_without_memory),
        cmocka_unit_test(probes_that_can_not_leave_do_not_count),
        cmocka_unit_test(window_probes_that_can_not_leave_do_not_count),
        cmocka_unit_test(a_probe_is_due_again_after_what_was_heard),
        cmocka_unit_test(an_option_set_meanwhile_leaves_probes_their_time),
        cmocka_unit_test(an_answer_ahead_of_a_window_probe_is_enough),
    };
    return cmocka_run_group_tests_name("tmo_probes", tests, fill_rfc, NULL);
}
