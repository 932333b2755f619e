/* Held listeners: the application decides before a SYN is answered. */
#include "opening.h"

/* A request that was held: the event was pulled, nothing was sent. */
static void hold(struct bench *b, bool v6, const char *syn)
{
    bench_init(b);
    bench_open(b, v6, 0xFFFFFFF0u);
    b->listener = bench_listen(b, &(struct hf_listen){.port = 80, .held = true, .tag = 5});
    hf_peer_send(&b->peer, syn);
    struct hf_event e = hf_rig_event(&b->rig);
    assert_int_equal(e.bits, HF_EV_SYN);
    assert_int_equal(e.listener, b->listener);
    assert_int_equal(e.tag, 5);
    b->conn = e.handle;
    assert_true(bench_is_quiet(b));
    struct hf_info info = bench_info(b, b->conn);
    assert_true(info.held);
    assert_int_equal(info.state, HF_SYN_RCVD);
    assert_int_equal(info.remote.port, 4000);
    assert_int_equal(info.life_deadline_ns, HF_SEC(30));
}

/* The connection is over in this way, and nothing is left of it. */
static void expect_end(struct bench *b, enum hf_closed how, int err)
{
    struct hf_event e = hf_rig_event(&b->rig);
    assert_int_equal(e.handle, b->conn);
    assert_int_equal(e.bits, HF_EV_CLOSED);
    assert_int_equal(e.how, how);
    assert_int_equal(hf_peer_state(&b->peer), HF_CLOSED);
    int again = hf_admit(b->rig.stack, b->conn, bench_now(b));
    assert_int_equal(again, err);
    if (err != HF_E_HANDLE)
        assert_int_equal(hf_close(b->rig.stack, b->conn, bench_now(b)), HF_OK);
    assert_int_equal(bench_sizes(b).connections, 0);
    hf_rig_wait(&b->rig, HF_SEC(200));
    assert_true(bench_is_quiet(b));
}

/* Admitted and finished at once, and before the SYN,ACK leaves data comes from beyond a gap, of a
 * peer that guesses our number: the SYN,ACK is still the first to leave. */
static void nothing_leaves_ahead_of_the_syn_ack(void **state)
{
    (void)state;
    struct bench b;
    hold(&b, false, "S seq 0 <mss 1460>");
    assert_int_equal(hf_admit(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
    assert_int_equal(hf_shutdown(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
    struct hf_segment seg = {
        .seq = b.peer.iss + 101,
        .ack = bench_info(&b, b.conn).iss,
        .flags = HF_ACK,
        .window = 65535,
        .payload_bytes = 10,
    };
    hf_peer_send_segment(&b.peer, &seg, (const uint8_t *)"0123456789");
    assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
    bench_close(&b);
}

/* covers: SM-LIS-3-syn, SM-SYR-5-ack-good: the SYN,ACK waits for hf_admit */
static void an_admitted_request_becomes_a_connection(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct bench b;
        hold(&b, v6, "S seq 0 win 500 <mss 900,sackOK,TS 7 0,wscale 2>");
        hf_rig_run(&b.rig, HF_SEC(20));
        assert_true(bench_is_quiet(&b));
        assert_int_equal(hf_admit(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
        /* It has its time, also where nobody asks for packets. */
        struct hf_info admitted = bench_info(&b, b.conn);
        assert_int_equal(admitted.rto_deadline_ns, bench_now(&b) + admitted.rto_ns);
        assert_int_equal(hf_admit(b.rig.stack, b.conn, bench_now(&b)), HF_E_STATE);
        assert_int_equal(hf_refuse(b.rig.stack, b.conn, HF_REFUSE_RESET, bench_now(&b)),
                         HF_E_STATE);
        hf_rig_pull(&b.rig);
        char syn_ack[100];
        snprintf(syn_ack, sizeof syn_ack,
                 "20.000 S. seq 0 ack 1 win 65535 <mss %u,sackOK,TS,wscale 7>", v6 ? 1440u : 1460u);
        assert_true(hf_peer_expect(&b.peer, syn_ack));
        assert_int_equal(b.peer.last.segment.ts_echo, 7);
        assert_false(bench_info(&b, b.conn).held);
        hf_rig_run(&b.rig, HF_MS(20050));
        hf_peer_send(&b.peer, ". seq 1 ack 1 <TS 8 0>");
        assert_int_equal(bench_event(&b, HF_EV_CONNECTED), b.conn);
        struct hf_info info = bench_info(&b, b.conn);
        assert_int_equal(info.srtt_ns / HF_MS(1), 50); /* from the SYN,ACK, not from the SYN */
        assert_int_equal(info.life_deadline_ns, HF_NEVER);
        hf_rig_run(&b.rig, HF_SEC(60)); /* the time to decide is no concern any more */
        assert_int_equal(hf_peer_state(&b.peer), HF_ESTABLISHED);
        bench_close(&b);
    }
}

/* A stack that does not scale its own window lets the peer scale all the same. */
static void a_held_request_may_scale_by_zero(void **state)
{
    (void)state;
    for (int shift = -1; shift < 2; shift++) {
        struct bench b;
        bench_init(&b);
        b.config.window_scale = shift;
        bench_open(&b, false, 99);
        bench_listen(&b, &(struct hf_listen){.port = 80, .held = true});
        hf_peer_send(&b.peer, "S seq 0 <mss 1460,wscale 3>");
        b.conn = bench_event(&b, HF_EV_SYN);
        assert_int_equal(hf_admit(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
        hf_rig_pull(&b.rig);
        assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
        assert_int_equal(b.peer.last.segment.has_wscale, shift >= 0);
        hf_peer_send(&b.peer, ". seq 1 ack 1");
        assert_int_equal(bench_info(&b, b.conn).snd_shift, shift >= 0 ? 3 : 0);
        bench_close(&b);
    }
}

/* covers: SM-LIS-3-syn: a peer that sends its SYN again meanwhile is heard once */
static void repeated_syns_are_absorbed(void **state)
{
    (void)state;
    struct bench b;
    hold(&b, false, "S seq 0 <mss 900>");
    for (int i = 1; i <= 5; i++) {
        hf_rig_run(&b.rig, HF_SEC(i));
        hf_peer_send(&b.peer, "S seq 0 <mss 900>");
        assert_true(bench_is_quiet(&b));
        assert_int_equal(bench_count(&b, HF_DROP_SYN_HELD), i);
    }
    assert_int_equal(bench_sizes(&b).connections, 1);
    assert_int_equal(hf_admit(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
    hf_rig_pull(&b.rig);
    assert_true(hf_peer_expect(&b.peer, "5.000 S. seq 0 ack 1 <mss 1460>"));
    hf_peer_send(&b.peer, ". seq 1 ack 1");
    assert_int_equal(hf_peer_state(&b.peer), HF_ESTABLISHED);
    bench_close(&b);
}

/* covers: SM-SYR-2-rst-passive, SM-SYR-1b-win-rst: before the answer the same rules hold */
static void other_segments_to_a_held_request_are_dropped(void **state)
{
    (void)state;
    static const char *const segments[] = {
        ". seq 1 ack 1", "P. seq 1:11 ack 1", "F. seq 1 ack 1", "F seq 1",          "- seq 1",
        "R seq 0",       "R seq 2",           "R seq 65536",    ". seq 9000 ack 3",
    };
    struct bench b;
    hold(&b, false, "S seq 0 <mss 900>");
    for (size_t i = 0; i < sizeof segments / sizeof segments[0]; i++) {
        hf_peer_send(&b.peer, segments[i]);
        assert_true(bench_is_quiet(&b));
        assert_int_equal(hf_peer_state(&b.peer), HF_SYN_RCVD);
    }
    bench_close(&b);
}

/* covers: SM-SYR-2-rst-passive: the peer gives up, or begins anew, before the answer */
static void a_request_can_be_withdrawn(void **state)
{
    (void)state;
    static const char *const segments[] = {"R seq 1", "R. seq 1 ack 0", "S seq 5000"};
    for (size_t i = 0; i < 3; i++) {
        struct bench b;
        hold(&b, i & 1, "S seq 0 <mss 900>");
        hf_peer_send(&b.peer, "S seq 70000"); /* beyond the window: anybody's guess */
        hf_peer_send(&b.peer, "R seq 2");
        assert_int_equal(hf_rig_event(&b.rig).bits, 0);
        hf_peer_send(&b.peer, segments[i]);
        assert_int_equal(b.rig.caught_count, 0);
        expect_end(&b, HF_CLOSED_WITHDRAWN, HF_E_RESET);
        hf_peer_send(&b.peer, "S seq 70000");
        assert_int_not_equal(bench_event(&b, HF_EV_SYN), 0);
        bench_close(&b);
    }
}

/* ---- refusing ---- */

static void expect_rst(struct bench *b, uint32_t ack)
{
    struct hf_caught c;
    assert_true(hf_rig_pop(&b->rig, &b->peer.there, &b->peer.here, &c));
    assert_true(c.is_tcp);
    assert_int_equal(c.segment.flags, HF_RST | HF_ACK);
    assert_int_equal(c.segment.seq, 0);
    assert_int_equal(c.segment.ack, ack);
    assert_int_equal(c.segment.header_bytes, 20);
    assert_int_equal(b->rig.caught_count, 0);
}

static void expect_unreachable(struct bench *b, uint8_t type, uint8_t code)
{
    struct hf_caught c;
    assert_true(hf_rig_pop(&b->rig, NULL, NULL, &c));
    bool v4 = hf_addr_is_v4(&b->peer.here.addr);
    assert_false(c.is_tcp);
    assert_true(hf_addr_equal(&c.ip.source, &b->peer.there.addr));
    assert_true(hf_addr_equal(&c.ip.destination, &b->peer.here.addr));
    assert_int_equal(c.icmp.kind, HF_ICMP_ERROR);
    assert_int_equal(c.icmp.type, type);
    assert_int_equal(c.icmp.code, code);
    assert_int_equal(c.icmp.rest, 0);
    assert_int_equal(c.ip.payload_bytes, 8 + (v4 ? 20 : 40) + 8);
    /* It quotes the peer's SYN: addresses, ports, sequence number. */
    assert_true(hf_addr_equal(&c.icmp.quoted.source, &b->peer.here.addr));
    assert_true(hf_addr_equal(&c.icmp.quoted.destination, &b->peer.there.addr));
    assert_int_equal(c.icmp.quoted_tcp, true);
    assert_int_equal(c.icmp.quoted_source_port, 4000);
    assert_int_equal(c.icmp.quoted_destination_port, 80);
    assert_int_equal(c.icmp.quoted_seq, b->peer.iss);
    assert_int_equal(b->rig.caught_count, 0);
}

/* covers: CALL-ABORT-SYR-1: the five ways to say no, to the bit */
static void a_refusal_says_what_it_means(void **state)
{
    (void)state;
    static const uint8_t codes[HF_REFUSE_SILENTLY][2][2] = {
        [HF_REFUSE_HOST_UNREACHABLE] = {{3, 1}, {1, 3}},
        [HF_REFUSE_NET_UNREACHABLE] = {{3, 0}, {1, 0}},
        [HF_REFUSE_PROHIBITED] = {{3, 13}, {1, 1}},
    };
    for (unsigned v6 = 0; v6 < 2; v6++)
        for (enum hf_refusal how = 0; how <= HF_REFUSE_SILENTLY; how++) {
            struct bench b;
            hold(&b, v6, "S seq 0 <mss 900,TS 9 0>");
            hf_rig_run(&b.rig, HF_MS(300));
            assert_int_equal(hf_refuse(b.rig.stack, b.conn, how, bench_now(&b)), HF_OK);
            hf_rig_pull(&b.rig);
            if (how == HF_REFUSE_RESET)
                expect_rst(&b, b.peer.iss + 1);
            else if (how != HF_REFUSE_SILENTLY)
                expect_unreachable(&b, codes[how][v6][0], codes[how][v6][1]);
            assert_int_equal(b.rig.caught_count, 0);
            expect_end(&b, HF_CLOSED_REJECTED, HF_E_HANDLE);
            hf_peer_send(&b.peer, "S seq 0"); /* the next one is a request of its own */
            assert_int_not_equal(bench_event(&b, HF_EV_SYN), 0);
            bench_close(&b);
        }
}

/* covers: CALL-CLOSE-SYR-1: hf_close and hf_abort of a request that is held refuse it */
static void closing_a_held_request_refuses_it(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 2; k++) {
        struct bench b;
        hold(&b, k, "S seq 0 <mss 900>");
        assert_int_equal(hf_shutdown(b.rig.stack, b.conn, 0), HF_E_STATE);
        int err = k ? hf_abort(b.rig.stack, b.conn, 0) : hf_close(b.rig.stack, b.conn, 0);
        assert_int_equal(err, HF_OK);
        hf_rig_pull(&b.rig);
        expect_rst(&b, b.peer.iss + 1);
        expect_end(&b, k ? HF_CLOSED_ABORTED : HF_CLOSED_REJECTED, HF_E_HANDLE);
        bench_close(&b);
    }
}

/* covers: CALL-ABORT-SYR-1: nobody decides in time */
static void the_time_to_decide_runs_out(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct bench b;
        hold(&b, v6, "S seq 0 <mss 900>");
        hf_rig_run(&b.rig, HF_SEC(30) - HF_MS(1));
        assert_true(bench_is_quiet(&b));
        hf_rig_run(&b.rig, HF_SEC(30) + HF_MS(1));
        expect_rst(&b, b.peer.iss + 1);
        expect_end(&b, HF_CLOSED_HOLD_TIMEOUT, HF_E_TIMEOUT);
        bench_close(&b);
    }
}

/* The user timeout is the peer's time to answer: what the application took is not taken from it. */
static void the_user_timeout_counts_from_the_decision(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    b.config.user_timeout_ns = HF_SEC(5);
    bench_open(&b, false, 99);
    bench_listen(&b, &(struct hf_listen){.port = 80, .held = true});
    hf_peer_send(&b.peer, "S seq 0 <mss 1460>");
    b.conn = bench_event(&b, HF_EV_SYN);
    hf_rig_run(&b.rig, HF_SEC(4));
    assert_int_equal(hf_admit(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
    hf_rig_run(&b.rig, HF_SEC(4) + HF_MS(4900));
    assert_int_equal(hf_peer_state(&b.peer), HF_SYN_RCVD);
    hf_rig_run(&b.rig, HF_SEC(4) + HF_MS(5100));
    assert_int_equal(hf_rig_event(&b.rig).how, HF_CLOSED_USER_TIMEOUT);
    bench_close(&b);
}

/* covers: CALL-CLOSE-LIS-1: what is held when the listener closes can still be decided */
static void held_requests_outlive_their_listener(void **state)
{
    (void)state;
    for (unsigned admit = 0; admit < 2; admit++) {
        struct bench b;
        hold(&b, false, "S seq 0 <mss 900>");
        assert_int_equal(hf_close(b.rig.stack, b.listener, 0), HF_OK);
        assert_true(bench_is_quiet(&b));
        if (admit) {
            assert_int_equal(hf_admit(b.rig.stack, b.conn, 0), HF_OK);
            hf_rig_pull(&b.rig);
            assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
            hf_peer_send(&b.peer, ". seq 1 ack 1");
            assert_int_equal(bench_event(&b, HF_EV_CONNECTED), b.conn);
        } else {
            assert_int_equal(hf_refuse(b.rig.stack, b.conn, HF_REFUSE_RESET, 0), HF_OK);
            hf_rig_pull(&b.rig);
            expect_rst(&b, b.peer.iss + 1);
            expect_end(&b, HF_CLOSED_REJECTED, HF_E_HANDLE);
            assert_int_equal(bench_sizes(&b).listeners, 0);
        }
        bench_close(&b);
    }
}

/* covers: CO-4987-01: held requests count against backlog, connections and remote address */
static void held_requests_are_limited(void **state)
{
    (void)state;
    static const enum hf_reason limits[] = {HF_LIMIT_BACKLOG, HF_LIMIT_CONNECTIONS,
                                            HF_LIMIT_PER_REMOTE};
    for (unsigned k = 0; k < 6; k++) {
        struct bench b;
        bench_init(&b);
        b.config.syn_cookies = 2; /* of no use here */
        bench_open(&b, false, 1000);
        struct hf_listen listen = {.port = 80, .held = true, .reset_overflow = !(k & 1)};
        *(k < 2 ? &listen.backlog : k < 4 ? &listen.max_connections : &listen.max_per_remote) = 2;
        bench_listen(&b, &listen);
        for (uint16_t i = 0; i < 3; i++) {
            struct hf_peer p = bench_peer(&b, 2, (uint16_t)(5000 + i), 1000);
            hf_peer_send(&p, "S seq 0");
            if (i == 2 && !(k & 1))
                assert_true(hf_peer_expect(&p, "R. seq 0 ack 1"));
        }
        assert_int_equal(b.rig.caught_count, 0);
        assert_int_equal(bench_sizes(&b).connections, 2);
        assert_int_equal(bench_count(&b, limits[k / 2]), 1);
        hf_handle first = bench_event(&b, HF_EV_SYN);
        assert_int_equal(hf_refuse(b.rig.stack, first, HF_REFUSE_SILENTLY, 0), HF_OK);
        struct hf_peer p = bench_peer(&b, 2, 6000, 1000);
        hf_peer_send(&p, "S seq 0");
        assert_int_equal(hf_peer_state(&p), HF_SYN_RCVD);
        bench_close(&b);
    }
}

/* covers: CALL-OPEN-SYR-1: only what is held can be decided */
static void only_held_requests_can_be_decided(void **state)
{
    (void)state;
    struct bench b;
    hold(&b, false, "S seq 0 <mss 900>");
    struct hf_stack *s = b.rig.stack;
    assert_int_equal(hf_admit(s, 0, 0), HF_E_HANDLE);
    assert_int_equal(hf_admit(s, b.listener, 0), HF_E_HANDLE);
    assert_int_equal(hf_refuse(s, b.listener, HF_REFUSE_RESET, 0), HF_E_HANDLE);
    assert_int_equal(hf_refuse(s, b.conn, (enum hf_refusal)(HF_REFUSE_SILENTLY + 1), 0),
                     HF_E_INVALID);
    struct hf_connect what = {.remote = {hf_addr_v4(10, 0, 0, 9), 9}};
    hf_handle active;
    assert_int_equal(hf_connect(s, &what, &active, 0), HF_OK);
    assert_int_equal(hf_admit(s, active, 0), HF_E_STATE);
    assert_int_equal(hf_refuse(s, active, HF_REFUSE_RESET, 0), HF_E_STATE);
    /* A request for the same pair of ends that is held already: the tuple is taken. */
    what = (struct hf_connect){.local.port = 80, .remote = b.peer.here};
    assert_int_equal(hf_connect(s, &what, &active, 0), HF_E_EXISTS);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_leaves_ahead_of_the_syn_ack),
        cmocka_unit_test(an_admitted_request_becomes_a_connection),
        cmocka_unit_test(a_held_request_may_scale_by_zero),
        cmocka_unit_test(repeated_syns_are_absorbed),
        cmocka_unit_test(other_segments_to_a_held_request_are_dropped),
        cmocka_unit_test(a_request_can_be_withdrawn),
        cmocka_unit_test(a_refusal_says_what_it_means),
        cmocka_unit_test(closing_a_held_request_refuses_it),
        cmocka_unit_test(the_time_to_decide_runs_out),
        cmocka_unit_test(the_user_timeout_counts_from_the_decision),
        cmocka_unit_test(held_requests_outlive_their_listener),
        cmocka_unit_test(held_requests_are_limited),
        cmocka_unit_test(only_held_requests_can_be_decided),
    };
    return cmocka_run_group_tests_name("held_listener", tests, NULL, NULL);
}
