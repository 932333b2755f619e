/* An open connection is the same however it was opened: keep-alive runs, an urgent mark that came
 * with a SYN is told, and so is that all has arrived. */
#include "opening.h"

enum way { PASSIVE, HELD, CROSSING, ACTIVE, WAYS };
#define TICK HF_MS(1) /* more than an instant kept in a stamp is rounded by */

/* The stack's end is established by `last`, or the peer's SYN,ACK with it; its event is left. */
static void open_by(struct bench *b, enum way way, const char *last)
{
    static const enum form forms[] = {
        [PASSIVE] = HALF_OPEN, [HELD] = ADMITTED, [CROSSING] = CROSSED};
    if (way == ACTIVE) {
        b->conn = bench_connect(b);
        assert_true(hf_peer_expect(&b->peer, "S seq 0"));
    } else {
        bench_syn_rcvd(b, forms[way], "<mss 1460>");
    }
    hf_peer_send(&b->peer, last);
}

/* covers: MUST-24, MUST-29: a peer that completes the handshake and falls silent is asked */
static void keep_alive_runs_however_it_was_opened(void **state)
{
    (void)state;
    for (enum way way = 0; way < WAYS; way++) {
        struct bench b;
        bench_init(&b);
        b.config.keepalive = 1;
        b.config.keepalive_idle_ns = HF_SEC(60);
        b.config.keepalive_interval_ns = HF_SEC(10);
        b.config.keepalive_probes = 2;
        bench_open(&b, false, 1000);
        hf_rig_run(&b.rig, HF_SEC(1));
        open_by(&b, way, way == ACTIVE ? "S. seq 0 ack 1 <mss 1460>" : ". seq 1 ack 1");
        struct hf_event e = hf_rig_event(&b.rig);
        assert_true((e.bits & (HF_EV_ACCEPTED | HF_EV_CONNECTED)) != 0);
        hf_peer_skip(&b.peer);
        hf_rig_run(&b.rig, HF_SEC(61) - 1);
        assert_true(bench_is_quiet(&b));
        hf_rig_run(&b.rig, HF_SEC(61) + TICK);
        assert_true(hf_peer_expect(&b.peer, ". seq 0 ack 1"));
        hf_rig_run(&b.rig, HF_SEC(71) + 2 * TICK);
        assert_true(hf_peer_expect(&b.peer, ". seq 0 ack 1"));
        hf_rig_run(&b.rig, HF_SEC(81) + 3 * TICK);
        assert_true(hf_peer_expect(&b.peer, "R. seq 1 ack 1"));
        e = hf_rig_event(&b.rig);
        assert_int_equal(e.how, HF_CLOSED_KEEPALIVE);
        bench_close(&b);
    }
}

/* The FIN leaves with the handshake under way, and one ACK covers our SYN and it. */
static void one_ack_of_syn_and_fin_tells_that_all_was_sent(void **state)
{
    (void)state;
    for (int at_once = 0; at_once < 2; at_once++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, false, 1000);
        bench_syn_rcvd(&b, ADMITTED, "<mss 1460>");
        assert_int_equal(hf_shutdown(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
        hf_rig_pull(&b.rig);
        assert_true(hf_peer_expect(&b.peer, "F. seq 1 ack 1"));
        if (!at_once) {
            hf_peer_send(&b.peer, ". seq 1 ack 1");
            assert_int_equal(hf_rig_event(&b.rig).bits & HF_EV_SENT_ALL, 0);
        }
        hf_peer_send(&b.peer, ". seq 1 ack 2");
        assert_true((hf_rig_event(&b.rig).bits & HF_EV_SENT_ALL) != 0);
        assert_int_equal(bench_info(&b, b.conn).state, HF_FIN_WAIT_2);
        bench_close(&b);
    }
}

/* A FIN that left before the SYN was acknowledged keeps its timer when it is. */
static void what_is_in_flight_keeps_its_timer(void **state)
{
    (void)state;
    for (int keepalive = 0; keepalive < 2; keepalive++) {
        struct bench b;
        bench_init(&b);
        b.config.keepalive = keepalive;
        bench_open(&b, false, 1000);
        bench_syn_rcvd(&b, ADMITTED, "<mss 1460>");
        assert_int_equal(hf_shutdown(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
        hf_rig_pull(&b.rig);
        assert_true(hf_peer_expect(&b.peer, "F. seq 1 ack 1")); /* and is lost */
        hf_peer_send(&b.peer, ". seq 1 ack 1");
        hf_rig_wait(&b.rig, HF_SEC(2));
        assert_true(hf_peer_expect(&b.peer, "F. seq 1 ack 1"));
        bench_close(&b);
    }
}

/* Of an ACK of the SYN alone nobody hears that anything was sent. */
static void an_ack_of_the_syn_is_not_told_as_sent(void **state)
{
    (void)state;
    for (enum way way = HELD; way < WAYS; way++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, false, 1000);
        open_by(&b, way, way == ACTIVE ? "S. seq 0 ack 1 <mss 1460>" : ". seq 1 ack 1");
        assert_int_equal(hf_rig_event(&b.rig).bits, HF_EV_CONNECTED | HF_EV_WRITABLE);
        bench_close(&b);
    }
}

/* covers: MUST-32: the mark of a SYN that has text behind it, told once the connection is open */
static void an_urgent_mark_on_a_syn_is_told(void **state)
{
    (void)state;
    for (enum way way = CROSSING; way <= ACTIVE; way++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, false, 1000);
        b.conn = bench_connect(&b);
        assert_true(hf_peer_expect(&b.peer, "S seq 0"));
        if (way == CROSSING) {
            hf_peer_send(&b.peer, "SU seq 0:10 urg 6 <mss 1460>");
            assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
            assert_int_equal(hf_rig_event(&b.rig).bits, 0);
            hf_peer_send(&b.peer, ". seq 11 ack 1");
        } else {
            hf_peer_send(&b.peer, "SU. seq 0:10 ack 1 urg 6 <mss 1460>");
        }
        uint32_t bits = hf_rig_event(&b.rig).bits;
        assert_int_equal(bits & (HF_EV_CONNECTED | HF_EV_READABLE | HF_EV_URGENT),
                         HF_EV_CONNECTED | HF_EV_READABLE | HF_EV_URGENT);
        assert_int_equal(bench_info(&b, b.conn).receive_queue_bytes, 10);
        assert_int_equal(bench_info(&b, b.conn).urgent_bytes, 5);
        hf_peer_skip(&b.peer);
        bench_close(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keep_alive_runs_however_it_was_opened),
        cmocka_unit_test(one_ack_of_syn_and_fin_tells_that_all_was_sent),
        cmocka_unit_test(what_is_in_flight_keeps_its_timer),
        cmocka_unit_test(an_ack_of_the_syn_is_not_told_as_sent),
        cmocka_unit_test(an_urgent_mark_on_a_syn_is_told),
    };
    return cmocka_run_group_tests_name("after_opening", tests, NULL, NULL);
}
