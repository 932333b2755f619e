/* Closing where little is left: before the handshake, after the end, with a window of nothing, and
 * in a TIME-WAIT of other lengths and settings. */
#include "opening.h"

static void start(struct bench *b)
{
    bench_open(b, false, 1);
    bench_syn_rcvd(b, HALF_OPEN, "<mss 1460>");
    hf_peer_send(&b->peer, ". ack 1");
    b->conn = bench_established(b, HALF_OPEN);
    assert_true(b->conn != 0);
}

/* We close, the peer answers with this many bytes and its FIN. */
static void into_time_wait(struct bench *b, uint32_t bytes)
{
    char text[60];
    assert_int_equal(hf_shutdown(b->rig.stack, b->conn, bench_now(b)), HF_OK);
    hf_rig_pull(&b->rig);
    assert_true(hf_peer_expect(&b->peer, "F. seq 1 ack 1"));
    snprintf(text, sizeof text, "F. seq 1:%u ack 2", bytes + 1);
    hf_peer_send(&b->peer, text);
    assert_int_equal(hf_peer_state(&b->peer), HF_TIME_WAIT);
    hf_peer_skip(&b->peer);
}

/* [RFC9293#3.10.4] SYN-SENT: the FIN waits for the handshake. */
static void a_shutdown_in_syn_sent_waits(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 1);
    b.conn = bench_connect(&b);
    assert_true(hf_peer_expect(&b.peer, "S seq 0"));
    assert_int_equal(hf_shutdown(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
    assert_int_equal(hf_shutdown(b.rig.stack, b.conn, bench_now(&b)), HF_E_CLOSING);
    hf_rig_pull(&b.rig);
    assert_true(hf_peer_expect_nothing(&b.peer));
    assert_int_equal(hf_peer_state(&b.peer), HF_SYN_SENT);
    hf_peer_send(&b.peer, "S. seq 0 ack 1");
    assert_true(hf_peer_expect(&b.peer, "F. seq 1 ack 1"));
    assert_int_equal(hf_peer_state(&b.peer), HF_FIN_WAIT_1);
    bench_close(&b);
}

/* [RFC9293#3.10.5] Nothing is sent for what is over; the handle goes. */
static void an_abort_after_the_end_is_silent(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    start(&b);
    hf_peer_send(&b.peer, "P. seq 1:11 ack 1");
    hf_peer_skip(&b.peer);
    hf_peer_send(&b.peer, "R seq 11");
    assert_true(bench_event(&b, HF_EV_CLOSED) != 0);
    assert_int_equal(hf_abort(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
    assert_int_equal(hf_abort(b.rig.stack, b.conn, bench_now(&b)), HF_E_HANDLE);
    hf_rig_pull(&b.rig);
    assert_true(bench_is_quiet(&b));
    assert_int_equal(bench_sizes(&b).connections, 0);
    assert_int_equal(bench_sizes(&b).pool_used_bytes, 0);
    bench_close(&b);
}

/* What waited to be told is told no more to who has let go; but the end is. */
static void who_has_let_go_hears_of_the_end_alone(void **state)
{
    (void)state;
    for (int ended = 0; ended < 2; ended++) {
        struct bench b;
        bench_init(&b);
        start(&b);
        hf_peer_send(&b.peer, ended ? "R seq 1" : "F. seq 1 ack 1");
        assert_int_equal(hf_close(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
        struct hf_event e = hf_rig_event(&b.rig);
        assert_int_equal(e.handle, ended ? b.conn : 0);
        assert_int_equal(e.bits, ended ? HF_EV_CLOSED : 0);
        assert_int_equal(bench_sizes(&b).connections, !ended);
        bench_close(&b);
    }
}

/* Who has let go reads no more. */
static void a_closed_handle_reads_nothing(void **state)
{
    (void)state;
    struct bench b;
    uint8_t byte;
    bench_init(&b);
    start(&b);
    assert_int_equal(hf_close(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
    assert_int_equal(hf_receive(b.rig.stack, b.conn, &byte, 1, bench_now(&b)), HF_E_CLOSING);
    assert_int_equal(hf_close(b.rig.stack, b.conn, bench_now(&b)), HF_E_CLOSING);
    assert_int_equal(hf_send(b.rig.stack, b.conn, "x", 1, 0, bench_now(&b)), HF_E_CLOSING);
    bench_close(&b);
}

/* ---- TIME-WAIT ---- */

/* [RFC9293#3.4.2] Twice the MSL, or the setting of its own. */
static void time_wait_lasts_as_long_as_it_is_set(void **state)
{
    (void)state;
    static const hf_ns settings[] = {0, HF_SEC(5)};
    for (size_t i = 0; i < HF_COUNT_OF(settings); i++) {
        struct bench b;
        bench_init(&b);
        b.config.msl_ns = HF_SEC(10);
        b.config.time_wait_ns = settings[i];
        start(&b);
        into_time_wait(&b, 0);
        hf_ns span_ns = settings[i] > 0 ? settings[i] : HF_SEC(20);
        hf_rig_wait(&b.rig, span_ns - HF_MS(1));
        assert_int_equal(hf_peer_state(&b.peer), HF_TIME_WAIT);
        hf_rig_wait(&b.rig, HF_MS(2));
        assert_int_equal(hf_peer_state(&b.peer), HF_CLOSED);
        /* The connection is still there to be read; an abort finds no entry, and lets it go. */
        assert_true(bench_event(&b, HF_EV_CLOSED) != 0);
        assert_int_equal(hf_abort(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
        assert_int_equal(bench_sizes(&b).connections, 0);
        bench_close(&b);
    }
}

/* [RFC6191#2] Who does not use timestamps does not believe those of a SYN. */
static void without_timestamps_the_number_decides(void **state)
{
    (void)state;
    for (int64_t timestamps = 0; timestamps < 2; timestamps++) {
        struct bench b;
        bench_init(&b);
        b.config.timestamps = timestamps;
        start(&b);
        into_time_wait(&b, 0);
        hf_peer_send(&b.peer, "S seq 1 <mss 1460,TS 7 0>");
        assert_int_equal(bench_count(&b, HF_DROP_SYN_TIME_WAIT), timestamps == 0);
        assert_int_equal(hf_peer_state(&b.peer), timestamps == 0 ? HF_TIME_WAIT : HF_SYN_RCVD);
        bench_close(&b);
    }
}

/* The window that was left when the peer's FIN came: 2000 bytes, less what nobody has read. */
static void time_wait_keeps_to_its_window(void **state)
{
    (void)state;
    for (int64_t entries = 0; entries < 2; entries++) {
        struct bench b;
        bench_init(&b);
        b.config.receive_buffer_bytes = 2000;
        b.config.max_time_wait = entries;
        start(&b);
        into_time_wait(&b, 1500); /* RCV.NXT is 1502, the window ends at 2001 */
        hf_peer_send(&b.peer, ". seq 1502 ack 2");
        assert_int_equal(bench_count(&b, HF_DROP_OLD_DUPLICATE), 1);
        hf_peer_send(&b.peer, ". seq 1:1502 ack 2"); /* ends before */
        assert_int_equal(bench_count(&b, HF_DROP_OUT_OF_WINDOW), 1);
        hf_peer_send(&b.peer, ". seq 1:1503 ack 2"); /* begins before, ends inside */
        assert_int_equal(bench_count(&b, HF_DROP_AFTER_FIN), 1);
        hf_peer_send(&b.peer, ". seq 1:2002 ack 2"); /* begins before, ends behind */
        hf_peer_send(&b.peer, ". seq 2001:2002 ack 2");
        assert_int_equal(bench_count(&b, HF_DROP_OUT_OF_WINDOW), 3);
        hf_peer_send(&b.peer, "SR seq 1502");
        assert_int_equal(bench_count(&b, HF_DROP_RST_TIME_WAIT), 1);
        hf_peer_send(&b.peer, "SR seq 2001");
        assert_int_equal(bench_count(&b, HF_DROP_RST_OUT_OF_WINDOW), 1);
        assert_int_equal(hf_peer_state(&b.peer), HF_TIME_WAIT);
        bench_close(&b);
    }
}

/* [RFC9293#3.10.7.4] first check, with a window of 0: only what is empty and stands at RCV.NXT. */
static void time_wait_with_a_window_of_nothing(void **state)
{
    (void)state;
    for (int64_t entries = 0; entries < 2; entries++) {
        struct bench b;
        bench_init(&b);
        b.config.receive_buffer_bytes = 2000;
        b.config.max_time_wait = entries;
        start(&b);
        into_time_wait(&b, 1999); /* and the FIN took the last number */
        hf_peer_send(&b.peer, ". seq 2001 ack 2");
        assert_int_equal(bench_count(&b, HF_DROP_OLD_DUPLICATE), 1);
        hf_peer_send(&b.peer, ". seq 2002 ack 2");
        hf_peer_send(&b.peer, ". seq 2001:2002 ack 2");
        assert_int_equal(bench_count(&b, HF_DROP_OUT_OF_WINDOW), 2);
        assert_int_equal(hf_peer_skip(&b.peer), 2);
        assert_int_equal(hf_peer_state(&b.peer), HF_TIME_WAIT);
        bench_close(&b);
    }
}

/* A TIME-WAIT that found no entry of its own: an exact RST ends it where that is set, a wrong one
 * is asked about, ten times. */
static void a_connection_that_waits_itself_takes_rsts(void **state)
{
    (void)state;
    for (int64_t entries = 0; entries < 2; entries++) {
        struct bench b;
        bench_init(&b);
        b.config.time_wait_rst = 1;
        b.config.max_time_wait = entries;
        start(&b);
        into_time_wait(&b, 0);
        for (int i = 0; i < 12; i++)
            hf_peer_send(&b.peer, "R seq 3");
        assert_int_equal(bench_count(&b, HF_DROP_RST_CHALLENGED), 12);
        assert_int_equal(hf_peer_skip(&b.peer), b.config.challenge_acks);
        assert_int_equal(hf_peer_state(&b.peer), HF_TIME_WAIT);
        hf_peer_send(&b.peer, "R seq 2");
        assert_int_equal(hf_peer_state(&b.peer), HF_CLOSED);
        assert_int_equal(bench_info(&b, b.conn).how, HF_CLOSED_FIN);
        bench_close(&b);
    }
}

/* ---- behind the peer's FIN ---- */

/* CLOSE-WAIT with a window of nothing: what comes is no news and no loss either; with a window a
 * FIN at a wrong place is answered, and no more often than challenges are. */
static void what_follows_a_fin_is_dropped(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    b.config.receive_buffer_bytes = 2000;
    start(&b);
    hf_peer_send(&b.peer, "F. seq 1:2000 ack 1");
    assert_int_equal(hf_peer_state(&b.peer), HF_CLOSE_WAIT);
    hf_peer_skip(&b.peer);
    hf_peer_send(&b.peer, "F. seq 2001:2005 ack 1");
    assert_int_equal(bench_count(&b, HF_DROP_AFTER_FIN), 0);
    hf_peer_skip(&b.peer);
    assert_int_equal(bench_count(&b, HF_WINDOW_CLOSED), 0); /* nobody waits for it to open */
    bench_close(&b);

    bench_init(&b);
    start(&b);
    hf_peer_send(&b.peer, "F. seq 1 ack 1");
    assert_true(hf_peer_expect(&b.peer, ". seq 1 ack 2"));
    for (int i = 0; i < 12; i++)
        hf_peer_send(&b.peer, "F. seq 5 ack 1");
    assert_int_equal(bench_count(&b, HF_DROP_AFTER_FIN), 12);
    assert_int_equal(hf_peer_skip(&b.peer), b.config.challenge_acks);
    assert_int_equal(hf_peer_state(&b.peer), HF_CLOSE_WAIT);
    bench_close(&b);
}

/* A connection that takes the place of one that ended by a segment is not taken for that one. */
static void a_place_is_used_again(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 1);
    bench_listen(&b, &(struct hf_listen){.port = 80});
    struct hf_peer peer = bench_peer(&b, 2, 6001, 77);
    assert_true(hf_peer_connect(&peer, "<mss 1460>"));
    hf_handle conn = hf_rig_event(&b.rig).handle;
    hf_peer_send(&peer, "R seq 1");
    assert_int_equal(hf_rig_event(&b.rig).bits & HF_EV_CLOSED, HF_EV_CLOSED);
    assert_int_equal(hf_close(b.rig.stack, conn, bench_now(&b)), HF_OK);
    struct hf_connect what = {.remote = {hf_addr_v4(10, 0, 0, 2), 9}};
    hf_handle again;
    assert_int_equal(hf_connect(b.rig.stack, &what, &again, bench_now(&b)), HF_OK);
    assert_int_equal((uint32_t)again & 0xffffff, (uint32_t)conn & 0xffffff); /* the place */
    assert_int_equal(hf_abort(b.rig.stack, again, bench_now(&b)), HF_OK);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shutdown_in_syn_sent_waits),
        cmocka_unit_test(an_abort_after_the_end_is_silent),
        cmocka_unit_test(who_has_let_go_hears_of_the_end_alone),
        cmocka_unit_test(a_closed_handle_reads_nothing),
        cmocka_unit_test(time_wait_lasts_as_long_as_it_is_set),
        cmocka_unit_test(without_timestamps_the_number_decides),
        cmocka_unit_test(time_wait_keeps_to_its_window),
        cmocka_unit_test(time_wait_with_a_window_of_nothing),
        cmocka_unit_test(a_connection_that_waits_itself_takes_rsts),
        cmocka_unit_test(what_follows_a_fin_is_dropped),
        cmocka_unit_test(a_place_is_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
