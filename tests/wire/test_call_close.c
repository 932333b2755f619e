/* The calls CLOSE, ABORT and STATUS in every state, and SEND and RECEIVE in those that close. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/wire_states.h"

static const enum hf_state closing_states[] = {HF_FIN_WAIT_1, HF_FIN_WAIT_2, HF_CLOSING,
                                               HF_LAST_ACK, HF_TIME_WAIT};

static int do_close(struct wire *w)
{
    int err = hf_close(w->rig.stack, w->conn, w->rig.now_ns);
    hf_rig_pull(&w->rig);
    return err;
}

static int do_shutdown(struct wire *w)
{
    int err = hf_shutdown(w->rig.stack, w->conn, w->rig.now_ns);
    hf_rig_pull(&w->rig);
    return err;
}

static int do_abort(struct wire *w)
{
    int err = hf_abort(w->rig.stack, w->conn, w->rig.now_ns);
    hf_rig_pull(&w->rig);
    return err;
}

static int64_t do_send(struct wire *w, size_t bytes)
{
    static const uint8_t zeros[4096];
    int64_t n = hf_send(w->rig.stack, w->conn, zeros, bytes, 0, w->rig.now_ns);
    hf_rig_pull(&w->rig);
    return n;
}

static int64_t do_receive(struct wire *w)
{
    uint8_t bytes[4096];
    int64_t n = hf_receive(w->rig.stack, w->conn, bytes, sizeof bytes, w->rig.now_ns);
    hf_rig_pull(&w->rig);
    return n;
}

static enum hf_closed how_closed(struct wire *w)
{
    enum hf_closed how = HF_CLOSED_NOT;
    assert_true(wire_events(w, &how) & HF_EV_CLOSED);
    return how;
}

/* Nothing of the connection is left in the stack. */
static void check_gone(struct wire *w)
{
    struct hf_info info;
    struct hf_stack_info all;
    assert_int_equal(wire_state(w), HF_CLOSED);
    assert_int_equal(hf_info(w->rig.stack, w->conn, &info), HF_E_HANDLE);
    hf_stack_info(w->rig.stack, &all);
    assert_int_equal(all.connections, 0);
    assert_int_equal(all.time_wait, 0);
    assert_int_equal(all.half_open, 0);
    assert_int_equal(all.pool_used_bytes, 0);
    assert_int_equal(hf_stack_deadline(w->rig.stack), HF_NEVER);
}

/* ---- CLOSED and LISTEN ---- */

static void expect_no_handle(struct wire *w, hf_handle h)
{
    struct hf_stack *s = w->rig.stack;
    hf_ns now = w->rig.now_ns;
    struct hf_info info;
    uint8_t byte = 0;
    void *room;
    assert_int_equal(hf_close(s, h, now), HF_E_HANDLE);
    assert_int_equal(hf_abort(s, h, now), HF_E_HANDLE);
    assert_int_equal(hf_shutdown(s, h, now), HF_E_HANDLE);
    assert_int_equal(hf_send(s, h, &byte, 1, 0, now), HF_E_HANDLE);
    assert_int_equal(hf_send_reserve(s, h, &room, now), HF_E_HANDLE);
    assert_int_equal(hf_receive(s, h, &byte, 1, now), HF_E_HANDLE);
    assert_int_equal(hf_info(s, h, &info), HF_E_HANDLE);
    hf_rig_pull(&w->rig);
    WIRE_QUIET(w);
}

/* covers: CALL-CLOSE-CLO-1, CALL-ABORT-CLO-1, CALL-STATUS-CLO-1, CALL-SEND-CLO-1,
 * CALL-RECEIVE-CLO-1 */
static void a_handle_of_nothing_is_an_error(void **state)
{
    (void)state;
    struct wire w;
    wire_open(&w, &(struct wire_setup){.state = HF_LAST_ACK, .variant = WIRE_CLOSED});
    hf_handle old = w.conn;
    hf_peer_send(&w.peer, ". seq 0 ack 0");
    assert_int_equal(how_closed(&w), HF_CLOSED_FIN);
    expect_no_handle(&w, 0);
    expect_no_handle(&w, UINT64_MAX);
    expect_no_handle(&w, old);
    /* Its slot is used again: the old handle names the new connection as little. */
    struct hf_peer other;
    hf_peer_open(&other, &w.rig, false, WIRE_PEER_PORT + 1, WIRE_STACK_PORT, 1);
    assert_true(hf_peer_connect(&other, ""));
    expect_no_handle(&w, old);
    wire_close(&w);
}

static bool find_listener(const struct wire *w, struct hf_tuple *t)
{
    uint64_t cursor = 0;
    while (hf_iterate(w->rig.stack, &cursor, t))
        if (t->kind == HF_KIND_LISTENER)
            return true;
    return false;
}

/* covers: CALL-STATUS-LIS-1, CALL-CLOSE-LIS-1, CALL-ABORT-LIS-1 */
static void a_listener_is_told_closed_and_aborted(void **state)
{
    (void)state;
    for (int abort = 0; abort < 2; abort++) {
        struct wire w;
        struct hf_tuple t;
        wire_open(&w, &(struct wire_setup){.state = HF_ESTABLISHED});
        assert_true(find_listener(&w, &t));
        assert_int_equal(t.state, HF_LISTEN);
        assert_int_equal(t.handle, w.listener);
        hf_ns now = w.rig.now_ns;
        assert_int_equal(abort ? hf_abort(w.rig.stack, w.listener, now)
                               : hf_close(w.rig.stack, w.listener, now),
                         HF_OK);
        hf_rig_pull(&w.rig);
        assert_int_equal(w.rig.caught_count, 0);
        struct hf_peer other;
        hf_peer_open(&other, &w.rig, false, WIRE_PEER_PORT + 1, WIRE_STACK_PORT, 1);
        hf_peer_send(&other, "S seq 0");
        assert_true(hf_peer_expect(&other, "R. seq 0 ack 1"));
        /* What it had accepted lives on. */
        assert_int_equal(wire_state(&w), HF_ESTABLISHED);
        hf_peer_send(&w.peer, "P. seq 0:10 ack 0");
        assert_int_equal(do_receive(&w), 10);
        assert_int_equal(hf_close(w.rig.stack, w.listener, now), HF_E_HANDLE);
        wire_close(&w);
    }
}

/* ---- SYN-SENT and SYN-RECEIVED ---- */

/* A connection in SYN-SENT towards the peer; its SYN was popped. */
static void open_actively(struct wire *w)
{
    *w = (struct wire){.setup = {.state = HF_SYN_SENT}};
    assert_int_equal(hf_rig_open(&w->rig, &(struct hf_rig_config){.seed = 5}), HF_OK);
    hf_peer_open(&w->peer, &w->rig, false, 80, 5000, 1000);
    struct hf_connect what = {.local = {.port = 5000}, .remote = w->peer.here};
    assert_int_equal(hf_connect(w->rig.stack, &what, &w->conn, 0), HF_OK);
    hf_rig_pull(&w->rig);
    WIRE_EXPECT(w, "S seq 0");
}

/* covers: CALL-CLOSE-SYS-1, CALL-ABORT-SYS-1, CALL-STATUS-SYS-1 */
static void in_syn_sent_nothing_is_sent(void **state)
{
    (void)state;
    for (int abort = 0; abort < 2; abort++) {
        struct wire w;
        open_actively(&w);
        assert_int_equal(wire_info(&w).state, HF_SYN_SENT);
        assert_int_equal(do_send(&w, 100), 100); /* waits for the handshake */
        assert_int_equal(abort ? do_abort(&w) : do_close(&w), HF_OK);
        WIRE_QUIET(&w);
        assert_int_equal(how_closed(&w), HF_CLOSED_ABORTED);
        check_gone(&w);
        hf_peer_send(&w.peer, "S. seq 0 ack 1"); /* late: belongs to nobody */
        WIRE_EXPECT(&w, "R seq 1");
        wire_close(&w);
    }
}

/* A held request that was admitted: SYN-RECEIVED with a handle; the SYN,ACK was popped. */
static void open_held(struct wire *w)
{
    *w = (struct wire){.setup = {.state = HF_SYN_RCVD}};
    assert_int_equal(hf_rig_open(&w->rig, &(struct hf_rig_config){.seed = 6}), HF_OK);
    struct hf_listen listen = {.port = 80, .held = true};
    assert_int_equal(hf_listen(w->rig.stack, &listen, &w->listener, 0), HF_OK);
    hf_peer_open(&w->peer, &w->rig, false, 4000, 80, 1000);
    hf_peer_send(&w->peer, "S seq 0");
    struct hf_event e = hf_rig_event(&w->rig);
    assert_int_equal(e.bits, HF_EV_SYN);
    w->conn = e.handle;
    assert_int_equal(hf_admit(w->rig.stack, w->conn, 0), HF_OK);
    hf_rig_pull(&w->rig);
    WIRE_EXPECT(w, "S. seq 0 ack 1");
    assert_int_equal(wire_state(w), HF_SYN_RCVD);
}

/* covers: CALL-CLOSE-SYR-1, CALL-STATUS-SYR-1 */
static void in_syn_received_a_close_sends_a_fin(void **state)
{
    (void)state;
    for (int close = 0; close < 2; close++) {
        struct wire w;
        open_held(&w);
        assert_int_equal(wire_info(&w).state, HF_SYN_RCVD);
        assert_int_equal(close ? do_close(&w) : do_shutdown(&w), HF_OK);
        assert_int_equal(wire_state(&w), HF_FIN_WAIT_1);
        WIRE_EXPECT(&w, "F. seq 1 ack 1");
        WIRE_QUIET(&w);
        hf_peer_send(&w.peer, ". ack 1"); /* of the SYN alone */
        assert_int_equal(wire_state(&w), HF_FIN_WAIT_1);
        hf_peer_send(&w.peer, "F. ack 2");
        assert_int_equal(wire_state(&w), HF_TIME_WAIT);
        WIRE_EXPECT(&w, ". seq 2 ack 2");
        wire_close(&w);
    }
}

/* covers: CALL-CLOSE-SYR-2, CALL-SEND-SYR-1 */
static void in_syn_received_written_data_goes_first(void **state)
{
    (void)state;
    struct wire w;
    open_held(&w);
    assert_int_equal(do_send(&w, 300), 300);
    assert_int_equal(do_shutdown(&w), HF_OK);
    assert_int_equal(wire_state(&w), HF_SYN_RCVD);
    WIRE_QUIET(&w);
    hf_peer_send(&w.peer, ". ack 1");
    assert_int_equal(wire_state(&w), HF_FIN_WAIT_1);
    WIRE_EXPECT(&w, "FP. seq 1:301 ack 1");
    WIRE_QUIET(&w);
    wire_close(&w);
}

/* covers: CALL-ABORT-SYR-1 */
static void in_syn_received_an_abort_resets(void **state)
{
    (void)state;
    struct wire w;
    open_held(&w);
    assert_int_equal(do_abort(&w), HF_OK);
    WIRE_EXPECT(&w, "R. seq 1 ack 1");
    WIRE_QUIET(&w);
    assert_int_equal(how_closed(&w), HF_CLOSED_ABORTED);
    check_gone(&w);
    wire_close(&w);
}

/* ---- CLOSE ---- */

/* covers: CALL-CLOSE-EST-1, CALL-CLOSE-CLW-1 */
static void a_fin_follows_what_was_written(void **state)
{
    (void)state;
    static const enum hf_state states[] = {HF_ESTABLISHED, HF_CLOSE_WAIT};
    for (size_t i = 0; i < HF_COUNT_OF(states); i++)
        for (unsigned variant = 0; variant < 2 * WIRE_VARIANTS; variant++) {
            struct wire w;
            struct wire_setup setup = {.state = states[i], .variant = variant};
            setup.variant &= ~(unsigned)WIRE_CLOSED; /* says here how the test closes */
            enum hf_state next = states[i] == HF_ESTABLISHED ? HF_FIN_WAIT_1 : HF_LAST_ACK;
            wire_open(&w, &setup);
            hf_peer_send(&w.peer, ". seq 0 ack 0 win 0");
            assert_int_equal(do_send(&w, 2000), 2000);
            assert_int_equal(variant & WIRE_CLOSED ? do_close(&w) : do_shutdown(&w), HF_OK);
            assert_int_equal(wire_state(&w), next); /* at once, whatever waits */
            WIRE_QUIET(&w);
            hf_peer_send(&w.peer, ". seq 0 ack 0 win 65535");
            assert_true(hf_peer_pop(&w.peer));
            assert_int_equal(w.peer.last.segment.seq, w.peer.irs);
            assert_int_equal(w.peer.last.segment.flags, HF_ACK);
            WIRE_EXPECT(&w, "FP. ack 0");
            assert_int_equal(w.peer.last.segment.seq + w.peer.last.segment.payload_bytes,
                             w.peer.irs + 2000);
            WIRE_QUIET(&w);
            wire_close(&w);
        }
}

/* covers: CALL-CLOSE-FW1-1, CALL-CLOSE-FW2-1, CALL-CLOSE-CLG-1, CALL-CLOSE-LAK-1,
 * CALL-CLOSE-TMW-1 */
static void a_second_close_sends_no_second_fin(void **state)
{
    (void)state;
    for (size_t i = 0; i < HF_COUNT_OF(closing_states); i++)
        for (unsigned variant = 0; variant < 2 * WIRE_VARIANTS; variant++) {
            struct wire w;
            struct wire_setup setup = {.state = closing_states[i], .variant = variant};
            wire_open(&w, &setup);
            assert_int_equal(do_shutdown(&w), HF_E_CLOSING);
            assert_int_equal(do_close(&w), variant & WIRE_CLOSED ? HF_E_CLOSING : HF_OK);
            WIRE_QUIET(&w);
            assert_int_equal(wire_state(&w), closing_states[i]);
            wire_close(&w);
        }
}

/* Data that the application did not read, in order or beyond a gap, is lost by closing: the peer
 * has to know. covers: SHLD-3, MUST-12 */
static void closing_with_unread_data_resets(void **state)
{
    (void)state;
    static const enum hf_state states[] = {HF_ESTABLISHED, HF_FIN_WAIT_1, HF_FIN_WAIT_2};
    for (size_t i = 0; i < HF_COUNT_OF(states); i++)
        for (int gap = 0; gap < 2; gap++)
            for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
                struct wire w;
                struct wire_setup setup = {.state = states[i], .variant = variant};
                wire_open(&w, &setup);
                hf_peer_send(&w.peer, gap ? "P. seq 50:150 ack -1" : "P. seq 0:150 ack -1");
                hf_peer_skip(&w.peer);
                assert_int_equal(do_close(&w), HF_OK);
                WIRE_EXPECT(&w, gap ? "R. seq 0 ack 0" : "R. seq 0 ack 150");
                WIRE_QUIET(&w);
                assert_int_equal(how_closed(&w), HF_CLOSED_DATA_LOST);
                check_gone(&w);
                wire_close(&w);
            }
}

/* Both FINs are exchanged or on their way: unread data and a close afterwards. */
static void closing_with_unread_data_after_the_peers_fin(void **state)
{
    (void)state;
    struct wire w;
    wire_open(&w, &(struct wire_setup){.state = HF_ESTABLISHED});
    hf_peer_send(&w.peer, "FP. seq 0:100 ack 0");
    hf_peer_skip(&w.peer);
    assert_int_equal(do_close(&w), HF_OK);
    WIRE_EXPECT(&w, "R. seq 0 ack 101");
    assert_int_equal(how_closed(&w), HF_CLOSED_DATA_LOST);
    check_gone(&w);
    wire_close(&w);
}

static void unread_data_may_be_let_go_by_setting(void **state)
{
    (void)state;
    struct hf_config config;
    hf_config_init(&config, sizeof config);
    config.abort_on_unread = 0;
    struct wire w;
    wire_open(&w, &(struct wire_setup){.state = HF_ESTABLISHED, .config = &config});
    hf_peer_send(&w.peer, "P. seq 0:100 ack 0");
    hf_peer_skip(&w.peer);
    assert_int_equal(do_close(&w), HF_OK);
    WIRE_EXPECT(&w, "F. seq 0 ack 100");
    assert_int_equal(wire_state(&w), HF_FIN_WAIT_1);
    struct hf_stack_info info; /* nobody can read it any more: its memory is back at once */
    hf_stack_info(w.rig.stack, &info);
    assert_int_equal(info.pool_used_bytes, 0);
    wire_close(&w);
}

/* ---- linger ---- */

static void set_linger(struct wire *w, int64_t linger_ns)
{
    assert_int_equal(hf_set(w->rig.stack, w->conn, HF_OPT_LINGER_NS, linger_ns, w->rig.now_ns),
                     HF_OK);
}

static void linger_of_nothing_resets_at_once(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire w;
        struct wire_setup setup = {.state = HF_ESTABLISHED, .variant = variant};
        wire_open(&w, &setup);
        set_linger(&w, 0);
        assert_int_equal(do_send(&w, 100), 100);
        hf_peer_skip(&w.peer);
        assert_int_equal(do_close(&w), HF_OK);
        WIRE_EXPECT(&w, "R. seq 100 ack 0");
        WIRE_QUIET(&w);
        assert_int_equal(how_closed(&w), HF_CLOSED_LINGER);
        check_gone(&w);
        wire_close(&w);
    }
}

static void linger_gives_the_peer_so_much_time(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire w;
        struct wire_setup setup = {.state = HF_ESTABLISHED, .variant = variant};
        wire_open(&w, &setup);
        set_linger(&w, HF_SEC(3));
        hf_peer_send(&w.peer, ". seq 0 ack 0 win 0");
        assert_int_equal(do_send(&w, 100), 100);
        assert_int_equal(do_close(&w), HF_OK);
        hf_ns end_ns = wire_until_state(&w, HF_CLOSED, HF_SEC(99));
        assert_true(wire_is_about(end_ns, HF_SEC(3)));
        while (hf_peer_pop(&w.peer))
            ; /* probes of the closed window */
        assert_int_equal(w.peer.last.segment.flags, HF_RST | HF_ACK);
        assert_int_equal(w.peer.last.segment.seq, w.peer.irs);
        assert_int_equal(how_closed(&w), HF_CLOSED_LINGER);
        check_gone(&w);
        wire_close(&w);

        wire_open(&w, &setup); /* the peer is in time */
        set_linger(&w, HF_SEC(3));
        assert_int_equal(do_send(&w, 100), 100);
        assert_int_equal(do_close(&w), HF_OK);
        hf_peer_skip(&w.peer);
        hf_peer_send(&w.peer, ".");
        hf_peer_send(&w.peer, "F.");
        assert_int_equal(wire_state(&w), HF_TIME_WAIT);
        assert_int_equal(how_closed(&w), HF_CLOSED_FIN);
        wire_close(&w);
    }
}

/* What linger waits for is there once the FIN is acknowledged: a peer that goes on for longer is
 * not reset for it. */
static void linger_is_over_when_all_is_acknowledged(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < 2 * WIRE_VARIANTS; variant++) {
        struct wire w; /* in one half FIN-WAIT-2 was there before the close */
        bool early = variant >= WIRE_VARIANTS;
        struct wire_setup setup = {.state = early ? HF_FIN_WAIT_2 : HF_ESTABLISHED,
                                   .variant = variant % WIRE_VARIANTS};
        wire_open(&w, &setup);
        set_linger(&w, HF_SEC(3));
        if (!early)
            assert_int_equal(do_send(&w, 100), 100);
        assert_int_equal(do_close(&w), HF_OK);
        hf_peer_skip(&w.peer);
        hf_peer_send(&w.peer, ".");
        assert_int_equal(wire_state(&w), HF_FIN_WAIT_2);
        hf_rig_wait(&w.rig, HF_SEC(10));
        WIRE_QUIET(&w);
        hf_peer_send(&w.peer, "F.");
        assert_int_equal(wire_state(&w), HF_TIME_WAIT);
        assert_int_equal(how_closed(&w), HF_CLOSED_FIN);
        wire_close(&w);
    }
}

/* ---- ABORT ---- */

/* covers: CALL-ABORT-EST-1, CALL-ABORT-FW1-1, CALL-ABORT-FW2-1, CALL-ABORT-CLW-1 */
static void an_abort_resets_the_peer(void **state)
{
    (void)state;
    static const enum hf_state states[] = {HF_ESTABLISHED, HF_FIN_WAIT_1, HF_FIN_WAIT_2,
                                           HF_CLOSE_WAIT};
    for (size_t i = 0; i < HF_COUNT_OF(states); i++)
        for (unsigned variant = 0; variant < 2 * WIRE_VARIANTS; variant++) {
            struct wire w;
            struct wire_setup setup = {.state = states[i], .variant = variant};
            setup.unacked_bytes = states[i] == HF_FIN_WAIT_2 ? 0 : 500;
            wire_open(&w, &setup);
            assert_int_equal(do_abort(&w), HF_OK);
            WIRE_EXPECT(&w, "R. seq 0 ack 0");
            WIRE_QUIET(&w);
            assert_int_equal(wire_state(&w), HF_CLOSED);
            assert_int_equal(do_send(&w, 1), HF_E_RESET);
            assert_int_equal(how_closed(&w), HF_CLOSED_ABORTED);
            check_gone(&w);
            wire_close(&w);
        }
}

/* covers: CALL-ABORT-CLG-1, CALL-ABORT-LAK-1, CALL-ABORT-TMW-1 */
static void an_abort_after_both_fins_is_silent(void **state)
{
    (void)state;
    static const enum hf_state states[] = {HF_CLOSING, HF_LAST_ACK, HF_TIME_WAIT};
    for (size_t i = 0; i < HF_COUNT_OF(states); i++)
        for (unsigned variant = 0; variant < 2 * WIRE_VARIANTS; variant++) {
            struct wire w;
            struct wire_setup setup = {.state = states[i], .variant = variant};
            wire_open(&w, &setup);
            assert_int_equal(do_abort(&w), HF_OK);
            WIRE_QUIET(&w);
            assert_int_equal(wire_state(&w), HF_CLOSED);
            if (states[i] != HF_TIME_WAIT)
                assert_int_equal(how_closed(&w), HF_CLOSED_ABORTED);
            else if (variant & WIRE_CLOSED) /* it was over when TIME-WAIT began */
                assert_int_equal(how_closed(&w), HF_CLOSED_FIN);
            check_gone(&w);
            hf_peer_send(&w.peer, "F. seq -1 ack 0");
            WIRE_EXPECT(&w, "R seq 0");
            wire_close(&w);
        }
}

/* ---- STATUS ---- */

/* covers: CALL-STATUS-EST-1, CALL-STATUS-FW1-1, CALL-STATUS-FW2-1, CALL-STATUS-CLW-1,
 * CALL-STATUS-CLG-1, CALL-STATUS-LAK-1, CALL-STATUS-TMW-1 */
static void the_state_is_told(void **state)
{
    (void)state;
    for (int wanted = HF_ESTABLISHED; wanted <= HF_TIME_WAIT; wanted++)
        for (unsigned variant = 0; variant < 2 * WIRE_VARIANTS; variant++) {
            struct wire w;
            struct wire_setup setup = {.state = (enum hf_state)wanted, .variant = variant};
            wire_open(&w, &setup);
            struct hf_info info = wire_info(&w);
            assert_int_equal(info.state, wanted);
            assert_string_equal(hf_state_name(info.state), hf_state_name((enum hf_state)wanted));
            assert_int_equal(info.how, wanted == HF_TIME_WAIT ? HF_CLOSED_FIN : HF_CLOSED_NOT);
            struct hf_tuple t;
            assert_true(wire_tuple(&w, &t));
            assert_int_equal(t.state, wanted);
            assert_int_equal(t.handle, w.conn); /* also of TIME-WAIT, until it is let go of */
            assert_int_equal(t.snd_nxt, w.peer.irs);
            assert_int_equal(t.rcv_nxt, w.peer.iss);
            wire_close(&w);
        }
}

/* ---- SEND ---- */

/* covers: CALL-SEND-FW1-1, CALL-SEND-FW2-1, CALL-SEND-CLG-1, CALL-SEND-LAK-1, CALL-SEND-TMW-1 */
static void a_closing_connection_takes_no_data(void **state)
{
    (void)state;
    for (size_t i = 0; i < HF_COUNT_OF(closing_states); i++)
        for (unsigned variant = 0; variant < 2 * WIRE_VARIANTS; variant++) {
            struct wire w;
            struct wire_setup setup = {.state = closing_states[i], .variant = variant};
            wire_open(&w, &setup);
            void *room;
            assert_int_equal(do_send(&w, 100), HF_E_CLOSING);
            assert_int_equal(hf_send_reserve(w.rig.stack, w.conn, &room, w.rig.now_ns),
                             HF_E_CLOSING);
            WIRE_QUIET(&w);
            assert_int_equal(wire_info(&w).send_queue_bytes, 0);
            assert_int_equal(wire_info(&w).send_room_bytes, 0);
            wire_close(&w);
        }
}

/* covers: CALL-SEND-EST-1, CALL-SEND-CLW-1, MUST-62 */
static void an_open_connection_sends(void **state)
{
    (void)state;
    static const enum hf_state states[] = {HF_ESTABLISHED, HF_CLOSE_WAIT};
    struct hf_config config;
    hf_config_init(&config, sizeof config);
    config.send_buffer_bytes = 1000;
    config.send_buffer_max_bytes = 0;
    for (size_t i = 0; i < HF_COUNT_OF(states); i++)
        for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
            struct wire w;
            struct wire_setup setup = {states[i], variant, &config, 0, 0};
            wire_open(&w, &setup);
            assert_int_equal(do_send(&w, 600), 600);
            WIRE_EXPECT(&w, "P. seq 0:600 ack 0");
            assert_int_equal(do_send(&w, 600), 400);
            assert_int_equal(do_send(&w, 1), HF_E_AGAIN);
            wire_events(&w, NULL);
            hf_peer_send(&w.peer, ".");
            assert_true(wire_events(&w, NULL) & HF_EV_WRITABLE);
            WIRE_EXPECT(&w, "P. seq 600:1000 ack 0");
            hf_peer_send(&w.peer, ".");
            uint8_t bytes[10] = {0};
            assert_int_equal(hf_send(w.rig.stack, w.conn, bytes, 10, HF_SEND_URGENT, w.rig.now_ns),
                             10);
            hf_rig_pull(&w.rig);
            WIRE_EXPECT(&w, "PU. seq 1000:1010 ack 0 urg 10");
            WIRE_QUIET(&w);
            wire_close(&w);
        }
}

/* ---- RECEIVE ---- */

/* covers: CALL-RECEIVE-EST-1, CALL-RECEIVE-FW1-1, CALL-RECEIVE-FW2-1 */
static void received_data_is_delivered(void **state)
{
    (void)state;
    static const enum hf_state states[] = {HF_ESTABLISHED, HF_FIN_WAIT_1, HF_FIN_WAIT_2};
    struct hf_config config;
    hf_config_init(&config, sizeof config);
    config.receive_buffer_bytes = 2000;
    for (size_t i = 0; i < HF_COUNT_OF(states); i++)
        for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
            struct wire w;
            struct wire_setup setup = {states[i], variant & ~(unsigned)WIRE_OPTIONS, &config, 0, 0};
            wire_open(&w, &setup);
            assert_int_equal(do_receive(&w), HF_E_AGAIN);
            hf_peer_send(&w.peer, "P. seq 0:1000 ack -1");
            hf_peer_send(&w.peer, "UP. seq 1000:2000 ack -1 urg 500");
            hf_peer_skip(&w.peer);
            assert_int_equal(wire_info(&w).urgent_bytes, 1500);
            assert_int_equal(wire_read(&w), 2000);
            WIRE_EXPECT(&w, ". seq 0 ack 2000 win 2000"); /* the window opens again */
            assert_int_equal(do_receive(&w), HF_E_AGAIN);
            WIRE_QUIET(&w);
            wire_close(&w);
        }
}

/* Brings a connection with 100 unread bytes into a state behind the peer's FIN. */
static void open_unread(struct wire *w, enum hf_state wanted, unsigned variant)
{
    struct wire_setup setup = {.state = HF_ESTABLISHED, .variant = variant};
    wire_open(w, &setup);
    if (wanted == HF_CLOSING || wanted == HF_TIME_WAIT)
        assert_int_equal(do_shutdown(w), HF_OK);
    hf_peer_send(&w->peer, wanted == HF_TIME_WAIT ? "FP. seq 0:100 ack 1" : "FP. seq 0:100 ack 0");
    if (wanted == HF_LAST_ACK)
        assert_int_equal(do_shutdown(w), HF_OK);
    assert_int_equal(wire_state(w), wanted);
    hf_peer_skip(&w->peer);
}

/* DEVIATION D-15: in CLOSING, LAST-ACK and TIME-WAIT the RFC has RECEIVE answered by an error, and
 * would lose what arrived before the peer's FIN.
 * covers: CALL-RECEIVE-CLW-1, CALL-RECEIVE-CLW-2, CALL-RECEIVE-CLG-1, CALL-RECEIVE-LAK-1,
 * CALL-RECEIVE-TMW-1 */
static void what_is_left_is_delivered_and_then_the_end(void **state)
{
    (void)state;
    static const enum hf_state states[] = {HF_CLOSE_WAIT, HF_CLOSING, HF_LAST_ACK, HF_TIME_WAIT};
    for (size_t i = 0; i < HF_COUNT_OF(states); i++)
        for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
            struct wire w;
            open_unread(&w, states[i], variant);
            assert_int_equal(wire_read(&w), 100);
            assert_int_equal(do_receive(&w), HF_E_END);
            assert_int_equal(do_receive(&w), HF_E_END);
            WIRE_QUIET(&w);
            assert_int_equal(wire_state(&w), states[i]);
            wire_close(&w);
            /* Also when it is read after all is over. */
            open_unread(&w, states[i], variant);
            if (states[i] == HF_CLOSE_WAIT)
                assert_int_equal(do_shutdown(&w), HF_OK);
            hf_peer_skip(&w.peer);
            hf_peer_send(&w.peer, ".");
            wire_until_state(&w, HF_CLOSED, HF_SEC(600));
            assert_int_equal(how_closed(&w), HF_CLOSED_FIN);
            assert_int_equal(wire_read(&w), 100);
            assert_int_equal(do_receive(&w), HF_E_END);
            assert_int_equal(do_close(&w), HF_OK);
            check_gone(&w);
            wire_close(&w);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handle_of_nothing_is_an_error),
        cmocka_unit_test(a_listener_is_told_closed_and_aborted),
        cmocka_unit_test(in_syn_sent_nothing_is_sent),
        cmocka_unit_test(in_syn_received_a_close_sends_a_fin),
        cmocka_unit_test(in_syn_received_written_data_goes_first),
        cmocka_unit_test(in_syn_received_an_abort_resets),
        cmocka_unit_test(a_fin_follows_what_was_written),
        cmocka_unit_test(a_second_close_sends_no_second_fin),
        cmocka_unit_test(closing_with_unread_data_resets),
        cmocka_unit_test(closing_with_unread_data_after_the_peers_fin),
        cmocka_unit_test(unread_data_may_be_let_go_by_setting),
        cmocka_unit_test(linger_of_nothing_resets_at_once),
        cmocka_unit_test(linger_gives_the_peer_so_much_time),
        cmocka_unit_test(linger_is_over_when_all_is_acknowledged),
        cmocka_unit_test(an_abort_resets_the_peer),
        cmocka_unit_test(an_abort_after_both_fins_is_silent),
        cmocka_unit_test(the_state_is_told),
        cmocka_unit_test(a_closing_connection_takes_no_data),
        cmocka_unit_test(an_open_connection_sends),
        cmocka_unit_test(received_data_is_delivered),
        cmocka_unit_test(what_is_left_is_delivered_and_then_the_end),
    };
    return cmocka_run_group_tests_name("call_close", tests, NULL, NULL);
}
