/* Time-outs: when each strikes, what it sends, and what it ends; keep-alive's are in
 * test_tmo_probes.c. */
#include "tmo.h"

/* ---- retransmission ---- */

static const enum hf_state with_data[] = {HF_ESTABLISHED, HF_FIN_WAIT_1, HF_CLOSE_WAIT, HF_CLOSING,
                                          HF_LAST_ACK};

/* covers: TMO-RTO-EST, TMO-RTO-FW1, TMO-RTO-CLW, TMO-RTO-CLG, TMO-RTO-LAK, MUST-19, MUST-20,
 * SHLD-9, SHLD-10, SHLD-11, CO-1122-06, CO-6298-11 */
static void data_is_sent_again_until_r2(void **state)
{
    (void)state;
    for (size_t i = 0; i < HF_COUNT_OF(with_data); i++)
        for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
            struct wire w;
            struct wire_setup setup = setup_of(with_data[i], variant, DATA_BYTES);
            wire_open(&w, &setup);
            int fin = sends_fin(with_data[i]);
            char again[64];
            snprintf(again, sizeof again, "%sP. seq %d:%d ack 0", fin ? "F" : "", -DATA_BYTES - fin,
                     -fin);
            for (int n = 0; n < R2; n++) {
                wire_events(&w, NULL);
                assert_int_equal(wire_info(&w).retransmit_count, n);
                hf_ns sent_ns = wire_until_sent(&w, HF_SEC(backoff_s[n] + 1));
                assert_true(wire_is_about(sent_ns, HF_SEC(backoff_s[n])));
                WIRE_EXPECT(&w, again);
                WIRE_QUIET(&w); /* [RFC6298#5.4] the first segment only: cwnd is one segment */
                assert_int_equal((wire_events(&w, NULL) & HF_EV_TROUBLE) != 0, n + 1 == 3);
                assert_int_equal(wire_state(&w), with_data[i]);
            }
            WIRE_EXPECT_AT(&w, HF_SEC(backoff_s[R2]), "R. seq 0 ack 0");
            WIRE_QUIET(&w);
            expect_closed(&w, HF_CLOSED_TIMED_OUT, HF_E_TIMEOUT);
            wire_close(&w);
        }
}

/* covers: TMO-RTO-FW1: what was to go again and never left had no answer to miss. The user timeout
 * ends that all the same */
static void retransmissions_that_can_not_leave_do_not_count(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 2 * WIRE_VARIANTS; k++) {
        bool limited = k >= WIRE_VARIANTS;
        struct wire w;
        struct wire_setup setup = setup_of(HF_FIN_WAIT_1, k % WIRE_VARIANTS, DATA_BYTES);
        wire_open(&w, &setup);
        if (limited)
            set(&w, HF_OPT_USER_TIMEOUT_NS, HF_SEC(3600) * 40);
        for (int hour = 1; hour <= 39; hour++)
            hf_rig_fire(&w.rig, w.start_ns + HF_SEC(3600) * hour);
        assert_int_equal(hf_stack_count(w.rig.stack, HF_RETRANSMIT_RTO), 1);
        assert_int_equal(wire_info(&w).retransmit_count, 1);
        assert_int_equal(wire_info(&w).rto_ns, HF_SEC(2));
        assert_int_equal(wire_state(&w), HF_FIN_WAIT_1);
        if (limited) {
            hf_rig_fire(&w.rig, w.start_ns + HF_SEC(3600) * 41);
            expect_closed(&w, HF_CLOSED_USER_TIMEOUT, HF_E_TIMEOUT);
        } else {
            hf_rig_pull(&w.rig);
            WIRE_EXPECT(&w, "FP. seq -1001:-1 ack 0");
            w.start_ns = w.rig.now_ns;
            WIRE_EXPECT_AT(&w, HF_SEC(2), "FP. seq -1001:-1 ack 0");
        }
        wire_close(&w);
    }
}

/* covers: TMO-RTO-EST: [RFC6298#5.5] to 5.7 the doubled timeout holds until a fresh sample */
static void an_acknowledgment_ends_the_series(void **state)
{
    (void)state;
    struct wire w;
    struct wire_setup setup = setup_of(HF_ESTABLISHED, WIRE_V6, DATA_BYTES);
    wire_open(&w, &setup);
    WIRE_EXPECT_AT(&w, HF_SEC(1), "P. seq -1000:0 ack 0");
    WIRE_EXPECT_AT(&w, HF_SEC(3), "P. seq -1000:0 ack 0");
    hf_rig_wait(&w.rig, HF_SEC(1));
    hf_peer_send(&w.peer, ".");
    assert_int_equal(wire_info(&w).rto_deadline_ns, HF_NEVER);
    assert_int_equal(wire_info(&w).rto_ns, HF_SEC(4)); /* [MUST-18] no sample from these */
    hf_ns at_ns = w.rig.now_ns - w.start_ns;
    wire_write(&w, 10);
    hf_peer_skip(&w.peer);
    WIRE_EXPECT_AT(&w, at_ns + HF_SEC(4), "P. seq 0:10 ack 0");
    hf_peer_send(&w.peer, ".");
    at_ns = w.rig.now_ns - w.start_ns;
    wire_write(&w, 10);
    hf_peer_skip(&w.peer);
    hf_peer_send(&w.peer, ".");
    assert_int_equal(wire_info(&w).rto_ns, HF_SEC(1));
    wire_close(&w);
}

/* covers: MUST-21, CO-1122-06: R2 of a connection is the application's to choose, also infinite */
static void r2_is_set_per_connection(void **state)
{
    (void)state;
    struct wire w;
    struct wire_setup setup = setup_of(HF_ESTABLISHED, 0, DATA_BYTES);
    wire_open(&w, &setup);
    set(&w, HF_OPT_R2_RETRIES, 2);
    hf_ns end_ns = wire_until_state(&w, HF_CLOSED, HF_SEC(999));
    assert_true(wire_is_about(end_ns, HF_SEC(7)));
    expect_closed(&w, HF_CLOSED_TIMED_OUT, HF_E_TIMEOUT);
    wire_close(&w);

    wire_open(&w, &setup);
    set(&w, HF_OPT_R2_RETRIES, 0);
    hf_rig_wait(&w.rig, HF_SEC(86400));
    assert_int_equal(wire_state(&w), HF_ESTABLISHED);
    assert_true(hf_peer_skip(&w.peer) > 1000); /* one a minute, still */
    wire_close(&w);
}

/* covers: SHLD-20, CO-1122-14 */
static void reports_of_trouble_can_be_switched_off(void **state)
{
    (void)state;
    struct wire w;
    struct wire_setup setup = setup_of(HF_ESTABLISHED, 0, DATA_BYTES);
    wire_open(&w, &setup);
    set(&w, HF_OPT_SOFT_ERRORS, 0);
    hf_rig_wait(&w.rig, HF_SEC(20));
    assert_int_equal(wire_events(&w, NULL), 0);
    wire_close(&w);
}

/* A connection towards the peer; its SYN was popped. */
static void open_actively(struct wire *w, int64_t user_timeout_ns)
{
    struct hf_config config = rfc;
    config.user_timeout_ns = user_timeout_ns;
    *w = (struct wire){.setup = {.state = HF_SYN_SENT}};
    struct hf_rig_config rig = {.config = &config, .seed = 5};
    assert_int_equal(hf_rig_open(&w->rig, &rig), HF_OK);
    w->rig.config.config = NULL;
    hf_peer_open(&w->peer, &w->rig, false, 80, 5000, 1000);
    struct hf_connect what = {.local = {.port = 5000}, .remote = w->peer.here};
    assert_int_equal(hf_connect(w->rig.stack, &what, &w->conn, 0), HF_OK);
    hf_rig_pull(&w->rig);
    WIRE_EXPECT(w, "S seq 0");
}

/* covers: TMO-RTO-SYS, MUST-22, MUST-23, CO-1122-06 */
static void a_syn_is_sent_again_for_three_minutes(void **state)
{
    (void)state;
    struct wire w;
    open_actively(&w, 0);
    for (int n = 0; n < 7; n++) {
        WIRE_EXPECT_AT(&w, HF_SEC(backoff_s[n]), "S seq 0");
        assert_int_equal((wire_events(&w, NULL) & HF_EV_TROUBLE) != 0, n + 1 == 3);
    }
    hf_ns end_ns = wire_until_state(&w, HF_CLOSED, HF_SEC(999));
    assert_true(wire_is_about(end_ns, HF_SEC(183)));
    WIRE_QUIET(&w); /* nobody to reset */
    expect_closed(&w, HF_CLOSED_TIMED_OUT, HF_E_TIMEOUT);
    wire_close(&w);
}

/* The state is SYN-RECEIVED: a half-open entry, or an admitted request. */
static void open_half(struct wire *w, bool held, int64_t user_timeout_ns)
{
    struct hf_config config = rfc;
    config.user_timeout_ns = user_timeout_ns;
    *w = (struct wire){.setup = {.state = HF_SYN_RCVD}};
    struct hf_rig_config rig = {.config = &config, .seed = 5};
    assert_int_equal(hf_rig_open(&w->rig, &rig), HF_OK);
    w->rig.config.config = NULL;
    struct hf_listen listen = {.port = 80, .held = held};
    assert_int_equal(hf_listen(w->rig.stack, &listen, &w->listener, 0), HF_OK);
    hf_peer_open(&w->peer, &w->rig, false, 4000, 80, 1000);
    hf_peer_send(&w->peer, "S seq 0");
    if (held) {
        w->conn = hf_rig_event(&w->rig).handle;
        assert_int_equal(hf_admit(w->rig.stack, w->conn, 0), HF_OK);
        hf_rig_pull(&w->rig);
    }
    WIRE_EXPECT(w, "S. seq 0 ack 1");
}

/* covers: TMO-RTO-SYR */
static void a_syn_ack_is_sent_again(void **state)
{
    (void)state;
    for (int held = 0; held < 2; held++) {
        struct wire w;
        open_half(&w, held, 0);
        for (int n = 0; n < 7; n++) {
            WIRE_EXPECT_AT(&w, HF_SEC(backoff_s[n]), "S. seq 0 ack 1");
            assert_int_equal(wire_state(&w), HF_SYN_RCVD);
        }
        hf_ns end_ns = wire_until_state(&w, HF_CLOSED, HF_SEC(999));
        assert_true(wire_is_about(end_ns, HF_SEC(183)));
        if (held) {
            WIRE_EXPECT(&w, "R. seq 1 ack 1");
            expect_closed(&w, HF_CLOSED_TIMED_OUT, HF_E_TIMEOUT);
        }
        WIRE_QUIET(&w);
        struct hf_stack_info info;
        hf_stack_info(w.rig.stack, &info);
        assert_int_equal(info.half_open, 0);
        wire_close(&w);
    }
}

/* ---- user timeout ---- */

/* covers: TMO-USER-TIMEOUT-EST, TMO-USER-TIMEOUT-FW1, TMO-USER-TIMEOUT-CLW, TMO-USER-TIMEOUT-CLG,
 * TMO-USER-TIMEOUT-LAK */
static void unanswered_data_ends_by_the_user_timeout(void **state)
{
    (void)state;
    for (size_t i = 0; i < HF_COUNT_OF(with_data); i++)
        for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
            struct hf_config config = rfc;
            config.user_timeout_ns = HF_MS(5500);
            struct wire w;
            struct wire_setup setup = setup_of(with_data[i], variant | WIRE_FROM_ZERO, DATA_BYTES);
            setup.config = &config;
            wire_open(&w, &setup);
            hf_ns end_ns = wire_until_state(&w, HF_CLOSED, HF_SEC(999));
            assert_true(wire_is_about(end_ns, HF_MS(5500)));
            assert_int_equal(hf_peer_skip(&w.peer), 3); /* after 1 and 3 s, and the RST */
            assert_int_equal(w.peer.last.segment.flags, HF_RST | HF_ACK);
            assert_int_equal(w.peer.last.segment.seq, w.peer.irs);
            expect_closed(&w, HF_CLOSED_USER_TIMEOUT, HF_E_TIMEOUT);
            wire_close(&w);
        }
}

/* Nothing is outstanding, so nothing is late; in LISTEN likewise.
 * covers: TMO-USER-TIMEOUT-FW2, TMO-USER-TIMEOUT-TMW, TMO-USER-TIMEOUT-LIS */
static void with_nothing_outstanding_no_user_timeout_runs(void **state)
{
    (void)state;
    static const enum hf_state states[] = {HF_ESTABLISHED, HF_FIN_WAIT_2, HF_CLOSE_WAIT,
                                           HF_TIME_WAIT};
    struct hf_config config = rfc;
    config.user_timeout_ns = HF_SEC(5);
    for (size_t i = 0; i < HF_COUNT_OF(states); i++) {
        struct wire w;
        struct wire_setup setup = setup_of(states[i], 0, 0);
        setup.config = &config;
        wire_open(&w, &setup);
        hf_rig_wait(&w.rig, HF_SEC(200));
        WIRE_QUIET(&w);
        assert_int_equal(wire_state(&w), states[i]);
        struct hf_peer other;
        hf_peer_open(&other, &w.rig, false, WIRE_PEER_PORT + 1, WIRE_STACK_PORT, 1);
        assert_true(hf_peer_connect(&other, "")); /* the listener is there */
        wire_close(&w);
    }
}

/* covers: TMO-USER-TIMEOUT-SYS, TMO-USER-TIMEOUT-SYR */
static void an_open_ends_by_the_user_timeout(void **state)
{
    (void)state;
    struct wire w;
    open_actively(&w, HF_SEC(5));
    assert_true(wire_is_about(wire_until_state(&w, HF_CLOSED, HF_SEC(999)), HF_SEC(5)));
    assert_int_equal(hf_peer_skip(&w.peer), 2);
    expect_closed(&w, HF_CLOSED_USER_TIMEOUT, HF_E_TIMEOUT);
    wire_close(&w);

    open_half(&w, true, HF_SEC(5));
    assert_true(wire_is_about(wire_until_state(&w, HF_CLOSED, HF_SEC(999)), HF_SEC(5)));
    assert_int_equal(hf_peer_skip(&w.peer), 3);
    assert_int_equal(w.peer.last.segment.flags, HF_RST | HF_ACK);
    expect_closed(&w, HF_CLOSED_USER_TIMEOUT, HF_E_TIMEOUT);
    wire_close(&w);
}

/* Each acknowledgment begins the time anew; it is the peer's silence that counts. */
static void progress_restarts_the_user_timeout(void **state)
{
    (void)state;
    struct wire w;
    struct wire_setup setup = setup_of(HF_ESTABLISHED, 0, DATA_BYTES);
    wire_open(&w, &setup);
    set(&w, HF_OPT_USER_TIMEOUT_NS, HF_SEC(5));
    hf_rig_wait(&w.rig, HF_SEC(4));
    hf_peer_skip(&w.peer);
    hf_peer_send(&w.peer, ". seq 0 ack -500");
    assert_true(wire_is_about(wire_until_state(&w, HF_CLOSED, HF_SEC(999)), HF_SEC(9)));
    expect_closed(&w, HF_CLOSED_USER_TIMEOUT, HF_E_TIMEOUT);
    wire_close(&w);
}

/* ---- persist ---- */

/* Brings a connection into a state with data (and FIN) waiting before a closed window. */
static void open_waiting(struct wire *w, enum hf_state state, unsigned variant)
{
    bool peer_first = state == HF_CLOSE_WAIT || state == HF_LAST_ACK;
    struct wire_setup setup = setup_of(peer_first ? HF_CLOSE_WAIT : HF_ESTABLISHED, variant, 0);
    wire_open(w, &setup);
    w->peer.window = 0;
    hf_peer_send(&w->peer, ". seq 0 ack 0");
    wire_write(w, DATA_BYTES);
    if (sends_fin(state))
        wire_finish(w);
    if (state == HF_CLOSING) {
        hf_peer_send(&w->peer, "F. seq 0 ack 0");
        WIRE_EXPECT(w, ". seq 0 ack 1");
        wire_rebase(w);
    }
    WIRE_QUIET(w);
    assert_int_equal(wire_state(w), state);
    w->setup.state = state;
}

/* covers: TMO-PERSIST-EST, TMO-PERSIST-FW1, TMO-PERSIST-CLW, TMO-PERSIST-CLG, TMO-PERSIST-LAK,
 * MUST-36, MUST-37, SHLD-29, SHLD-30, CO-1122-10, CO-6429-01 */
static void a_closed_window_is_probed_for_ever_if_answered(void **state)
{
    (void)state;
    for (size_t i = 0; i < HF_COUNT_OF(with_data); i++)
        for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
            struct wire w;
            open_waiting(&w, with_data[i], variant);
            hf_ns at_ns = 0;
            for (int n = 0; n < 100; n++) {
                at_ns += n < 6 ? HF_SEC(1 << n) : HF_SEC(60);
                hf_ns sent_ns = wire_until_sent(&w, at_ns + HF_SEC(1));
                /* Each probe is late by a tick of the timer wheel at most, and so all after it. */
                assert_true(sent_ns >= at_ns && sent_ns < at_ns + HF_MS(1));
                at_ns = sent_ns;
                WIRE_EXPECT(&w, ". seq -1 ack 0");
                WIRE_QUIET(&w);
                hf_peer_send(&w.peer, ". seq 0 ack 0");
                WIRE_QUIET(&w);
            }
            assert_int_equal(wire_state(&w), with_data[i]);
            w.peer.window = 65535;
            hf_peer_send(&w.peer, ". seq 0 ack 0");
            WIRE_EXPECT(&w,
                        sends_fin(with_data[i]) ? "FP. seq 0:1000 ack 0" : "P. seq 0:1000 ack 0");
            WIRE_QUIET(&w);
            wire_close(&w);
        }
}

/* Probes that nobody answers end at R2 like everything else [RFC6429].
 * covers: CO-6429-03 */
static void unanswered_probes_end_at_r2(void **state)
{
    (void)state;
    for (size_t i = 0; i < HF_COUNT_OF(with_data); i++) {
        struct wire w;
        open_waiting(&w, with_data[i], 0);
        for (int n = 0; n < R2; n++)
            WIRE_EXPECT_AT(&w, HF_SEC(backoff_s[n]), ". seq -1 ack 0");
        WIRE_EXPECT_AT(&w, HF_SEC(backoff_s[R2]), "R. seq 0 ack 0");
        expect_closed(&w, HF_CLOSED_TIMED_OUT, HF_E_TIMEOUT);
        wire_close(&w);
    }
}

/* The window closes with data in flight: what lies beyond it is no reason to give up, and comes
 * again when it opens.
 * covers: MUST-34, MUST-35, SHLD-16, SHLD-17, CO-1122-09. DEVIATION D-34 */
static void a_window_that_shrinks_is_probed(void **state)
{
    (void)state;
    struct wire w;
    struct wire_setup setup = setup_of(HF_ESTABLISHED, 0, 2920);
    wire_open(&w, &setup);
    w.peer.window = 0;
    hf_peer_send(&w.peer, ". seq 0 ack -2920");
    for (int n = 0; n < 40; n++) {
        assert_true(wire_until_sent(&w, HF_SEC(70) * (n + 1)) != HF_NEVER);
        assert_true(hf_peer_pop(&w.peer));
        assert_int_equal(w.peer.last.segment.payload_bytes, 0);
        WIRE_QUIET(&w);
        hf_peer_send(&w.peer, ". seq 0 ack -2920");
    }
    assert_int_equal(wire_state(&w), HF_ESTABLISHED);
    hf_peer_send(&w.peer, ". seq 0 ack -2920 win 65535");
    assert_true(hf_peer_pop(&w.peer));
    assert_int_equal(w.peer.last.segment.seq, w.peer.irs - 2920);
    assert_int_equal(w.peer.last.segment.payload_bytes, 1460);
    wire_close(&w);
}

/* ---- delayed acknowledgment ---- */

static const enum hf_state that_receive[] = {HF_ESTABLISHED, HF_FIN_WAIT_1, HF_FIN_WAIT_2};

/* covers: TMO-DELACK-EST, TMO-DELACK-FW1, TMO-DELACK-FW2, MUST-40, SHLD-18, SHLD-19, CO-1122-04,
 * CO-5681-12 */
static void a_small_segment_is_acknowledged_later(void **state)
{
    (void)state;
    struct hf_config config = rfc;
    for (size_t i = 0; i < HF_COUNT_OF(that_receive); i++)
        for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
            struct wire w;
            struct wire_setup setup = setup_of(that_receive[i], variant, 0);
            config.delayed_ack_ns = variant & WIRE_HIGH ? HF_MS(499) : HF_MS(200);
            setup.config = &config;
            wire_open(&w, &setup);
            hf_peer_send(&w.peer, "P. seq 0:10 ack -1");
            WIRE_QUIET(&w);
            WIRE_EXPECT_AT(&w, config.delayed_ack_ns, ". seq 0 ack 10");
            assert_int_equal(wire_info(&w).ack_deadline_ns, HF_NEVER);
            /* Every second full-sized one at once; what is written takes the ACK along. */
            hf_peer_send(&w.peer, ". seq 10:1410 ack -1");
            WIRE_QUIET(&w);
            hf_peer_send(&w.peer, ". seq 1410:2810 ack -1");
            WIRE_EXPECT(&w, ". seq 0 ack 2810");
            WIRE_QUIET(&w);
            wire_close(&w);
        }
}

static void written_data_takes_the_ack_along(void **state)
{
    (void)state;
    struct wire w;
    struct wire_setup setup = setup_of(HF_ESTABLISHED, 0, 0);
    wire_open(&w, &setup);
    hf_peer_send(&w.peer, "P. seq 0:10 ack 0");
    hf_rig_wait(&w.rig, HF_MS(100));
    wire_write(&w, 5);
    WIRE_EXPECT(&w, "P. seq 0:5 ack 10");
    hf_peer_send(&w.peer, ".");
    assert_int_equal(wire_until_sent(&w, HF_SEC(60)), HF_NEVER);
    wire_close(&w);
}

/* ---- silly windows ---- */

/* covers: TMO-SWS-OVERRIDE-EST, TMO-SWS-OVERRIDE-CLW, TMO-SWS-OVERRIDE-FW1, MUST-38, CO-1122-02 */
static void data_held_back_leaves_after_the_override_time(void **state)
{
    (void)state;
    static const enum hf_state states[] = {HF_ESTABLISHED, HF_CLOSE_WAIT, HF_FIN_WAIT_1};
    for (size_t i = 0; i < HF_COUNT_OF(states); i++)
        for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
            struct wire w;
            bool fin = states[i] == HF_FIN_WAIT_1;
            struct wire_setup setup =
                setup_of(fin ? HF_ESTABLISHED : states[i], variant & ~(unsigned)WIRE_OPTIONS, 0);
            setup.window = 1000;
            wire_open(&w, &setup);
            w.peer.window = 300; /* less than half of the widest, and than a segment */
            hf_peer_send(&w.peer, ". seq 0 ack 0");
            wire_write(&w, 400);
            if (fin)
                wire_finish(&w);
            WIRE_QUIET(&w);
            WIRE_EXPECT_AT(&w, HF_MS(200), ". seq 0:300 ack 0");
            WIRE_QUIET(&w);
            w.peer.window = 500; /* half of the widest: no silly window */
            hf_peer_send(&w.peer, ".");
            WIRE_EXPECT(&w, fin ? "FP. seq 300:400 ack 0" : "P. seq 300:400 ack 0");
            assert_int_equal(wire_state(&w), states[i]);
            wire_close(&w);
        }
}

/* covers: MUST-38, CO-1122-02: the time was that of one window; it is over, and before the data
 * leaves that window closes: a silly one that opens then has its own */
static void the_override_ends_with_the_window(void **state)
{
    (void)state;
    struct wire w;
    struct wire_setup setup = setup_of(HF_ESTABLISHED, 0, 0);
    setup.window = 1000;
    wire_open(&w, &setup);
    w.peer.window = 300;
    hf_peer_send(&w.peer, ". seq 0 ack 0");
    wire_write(&w, 400);
    hf_rig_fire(&w.rig, w.start_ns + HF_MS(201));
    assert_int_equal(hf_stack_count(w.rig.stack, HF_TIMER_SWS_OVERRIDE), 1);
    w.peer.window = 0;
    hf_peer_send(&w.peer, ". seq 0 ack 0");
    WIRE_QUIET(&w);
    w.peer.window = 300;
    hf_peer_send(&w.peer, ". seq 0 ack 0");
    WIRE_QUIET(&w);
    WIRE_EXPECT_AT(&w, HF_MS(401), ". seq 0:300 ack 0");
    wire_close(&w);
}

/* ---- after the application let go ---- */

/* The profile's 2 MSL are 240 s; R2 would come after 243 s. */
static void an_orphan_gets_so_much_time(void **state)
{
    (void)state;
    static const enum hf_state states[] = {HF_FIN_WAIT_1, HF_FIN_WAIT_2, HF_CLOSING, HF_LAST_ACK};
    for (int own = 0; own < 2; own++)
        for (size_t i = 0; i < HF_COUNT_OF(states); i++)
            for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
                struct hf_config config = rfc;
                config.fin_wait_2_ns = own ? HF_SEC(20) : 0;
                config.orphan_ns = own ? HF_SEC(40) : 0;
                struct wire w;
                struct wire_setup setup = setup_of(states[i], variant | WIRE_CLOSED, 0);
                setup.config = &config;
                wire_open(&w, &setup);
                hf_ns expected_ns = !own                         ? 2 * config.msl_ns
                                    : states[i] == HF_FIN_WAIT_2 ? HF_SEC(20)
                                                                 : HF_SEC(40);
                hf_ns end_ns = wire_until_state(&w, HF_CLOSED, HF_SEC(999));
                assert_true(wire_is_about(end_ns, expected_ns));
                hf_peer_skip(&w.peer);
                assert_int_equal(w.peer.last.segment.flags & HF_RST, 0);
                expect_closed(&w, HF_CLOSED_ORPHAN, HF_E_TIMEOUT);
                hf_peer_send(&w.peer, "F. seq 0 ack 0"); /* nobody is there any more */
                WIRE_EXPECT(&w, "R seq 0");
                wire_close(&w);
            }
}

/* Half-closed is no orphan: it has no such limit. */
static void a_half_closed_connection_is_no_orphan(void **state)
{
    (void)state;
    struct wire w;
    struct wire_setup setup = setup_of(HF_FIN_WAIT_2, 0, 0);
    wire_open(&w, &setup);
    hf_rig_wait(&w.rig, HF_SEC(86400));
    assert_int_equal(wire_state(&w), HF_FIN_WAIT_2);
    assert_int_equal(hf_close(w.rig.stack, w.conn, w.rig.now_ns), HF_OK);
    w.start_ns = w.rig.now_ns;
    assert_true(wire_is_about(wire_until_state(&w, HF_CLOSED, HF_SEC(999)), HF_SEC(240)));
    w.setup.variant |= WIRE_CLOSED;
    expect_closed(&w, HF_CLOSED_ORPHAN, HF_E_TIMEOUT);
    wire_close(&w);
}

/* Progress begins the time anew: acknowledged data in FIN-WAIT-1, and the way to FIN-WAIT-2. */
static void progress_gives_an_orphan_more_time(void **state)
{
    (void)state;
    struct hf_config config = rfc;
    config.orphan_ns = HF_SEC(30);
    config.fin_wait_2_ns = HF_SEC(50);
    config.r2_retries = 0;
    struct wire w;
    struct wire_setup setup = setup_of(HF_FIN_WAIT_1, WIRE_CLOSED, DATA_BYTES);
    setup.config = &config;
    wire_open(&w, &setup);
    hf_rig_wait(&w.rig, HF_SEC(25));
    hf_peer_send(&w.peer, ". seq 0 ack -500");
    hf_rig_wait(&w.rig, HF_SEC(25));
    hf_peer_send(&w.peer, ". seq 0 ack 0");
    assert_int_equal(wire_state(&w), HF_FIN_WAIT_2);
    assert_true(wire_is_about(wire_until_state(&w, HF_CLOSED, HF_SEC(999)), HF_SEC(100)));
    expect_closed(&w, HF_CLOSED_ORPHAN, HF_E_TIMEOUT);
    wire_close(&w);
}

/* A peer that answers probes of its closed window makes no progress.
 * covers: CO-6429-02 */
static void a_closed_window_does_not_keep_an_orphan(void **state)
{
    (void)state;
    struct wire w;
    open_waiting(&w, HF_FIN_WAIT_1, WIRE_CLOSED);
    hf_ns end_ns = HF_NEVER;
    while (end_ns == HF_NEVER && w.rig.now_ns - w.start_ns < HF_SEC(3600)) {
        hf_ns limit_ns = w.rig.now_ns - w.start_ns + HF_SEC(1);
        end_ns = wire_until_state(&w, HF_CLOSED, limit_ns);
        if (end_ns == HF_NEVER && hf_peer_skip(&w.peer) > 0)
            hf_peer_send(&w.peer, ". seq 0 ack 0");
        hf_rig_run(&w.rig, end_ns == HF_NEVER ? w.start_ns + limit_ns : 0);
    }
    assert_true(wire_is_about(end_ns, HF_SEC(240)));
    expect_closed(&w, HF_CLOSED_ORPHAN, HF_E_TIMEOUT);
    wire_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_is_sent_again_until_r2),
        cmocka_unit_test(retransmissions_that_can_not_leave_do_not_count),
        cmocka_unit_test(an_acknowledgment_ends_the_series),
        cmocka_unit_test(r2_is_set_per_connection),
        cmocka_unit_test(reports_of_trouble_can_be_switched_off),
        cmocka_unit_test(a_syn_is_sent_again_for_three_minutes),
        cmocka_unit_test(a_syn_ack_is_sent_again),
        cmocka_unit_test(unanswered_data_ends_by_the_user_timeout),
        cmocka_unit_test(with_nothing_outstanding_no_user_timeout_runs),
        cmocka_unit_test(an_open_ends_by_the_user_timeout),
        cmocka_unit_test(progress_restarts_the_user_timeout),
        cmocka_unit_test(a_closed_window_is_probed_for_ever_if_answered),
        cmocka_unit_test(unanswered_probes_end_at_r2),
        cmocka_unit_test(a_window_that_shrinks_is_probed),
        cmocka_unit_test(a_small_segment_is_acknowledged_later),
        cmocka_unit_test(written_data_takes_the_ack_along),
        cmocka_unit_test(data_held_back_leaves_after_the_override_time),
        cmocka_unit_test(the_override_ends_with_the_window),
        cmocka_unit_test(an_orphan_gets_so_much_time),
        cmocka_unit_test(a_half_closed_connection_is_no_orphan),
        cmocka_unit_test(progress_gives_an_orphan_more_time),
        cmocka_unit_test(a_closed_window_does_not_keep_an_orphan),
    };
    return cmocka_run_group_tests_name("tmo", tests, fill_rfc, NULL);
}
