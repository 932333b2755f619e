/* The calls OPEN, SEND and RECEIVE in each state, and how an active open finds its local end. */
#include "opening.h"

/* Leads a connection that was opened actively into a state. In those that come behind ESTABLISHED
 * the peer sent 10 bytes before, which nobody read. */
static void reach(struct bench *b, enum hf_state state)
{
    bench_init(b);
    b->config.abort_on_unread = 0;
    bench_open(b, false, bench_isses[0]);
    b->conn = bench_connect(b);
    assert_true(hf_peer_expect(&b->peer, "S seq 0"));
    if (state == HF_SYN_RCVD) {
        hf_peer_send(&b->peer, "S seq 0 <mss 1000>");
        assert_true(hf_peer_expect(&b->peer, "S. seq 0 ack 1"));
    }
    if (state <= HF_SYN_RCVD)
        return;
    hf_peer_send(&b->peer, "S. seq 0 ack 1 <mss 1000>");
    hf_peer_send(&b->peer, "P. seq 1:11 ack 1");
    bool passive = state == HF_CLOSE_WAIT || state == HF_LAST_ACK;
    if (passive)
        hf_peer_send(&b->peer, "F. seq 11 ack 1");
    if (state != HF_ESTABLISHED && state != HF_CLOSE_WAIT) {
        assert_int_equal(hf_shutdown(b->rig.stack, b->conn, bench_now(b)), HF_OK);
        hf_rig_pull(&b->rig);
    }
    if (state == HF_FIN_WAIT_2 || state == HF_TIME_WAIT)
        hf_peer_send(&b->peer, ". seq 11 ack 2");
    if (state == HF_CLOSING)
        hf_peer_send(&b->peer, "F. seq 11 ack 1");
    if (state == HF_TIME_WAIT)
        hf_peer_send(&b->peer, "F. seq 11 ack 2");
    hf_peer_skip(&b->peer);
    assert_int_equal(hf_peer_state(&b->peer), state);
}

/* ---- OPEN ---- */

/* Field by field: what lies between them is nobody's. */
static void expect_unchanged(const struct hf_info *a, const struct hf_info *b)
{
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->how, b->how);
    assert_int_equal(a->iss, b->iss);
    assert_int_equal(a->snd_una, b->snd_una);
    assert_int_equal(a->snd_nxt, b->snd_nxt);
    assert_int_equal(a->snd_wnd_bytes, b->snd_wnd_bytes);
    assert_int_equal(a->irs, b->irs);
    assert_int_equal(a->rcv_nxt, b->rcv_nxt);
    assert_int_equal(a->rcv_wnd_bytes, b->rcv_wnd_bytes);
    assert_int_equal(a->rto_deadline_ns, b->rto_deadline_ns);
    assert_int_equal(a->life_deadline_ns, b->life_deadline_ns);
    assert_int_equal(a->receive_queue_bytes, b->receive_queue_bytes);
    assert_int_equal(a->remote.port, b->remote.port);
    assert_int_equal(a->orphan, b->orphan);
}

/* covers: CALL-OPEN-SYS-1, CALL-OPEN-SYR-1, CALL-OPEN-EST-1, CALL-OPEN-FW1-1, CALL-OPEN-FW2-1,
 * CALL-OPEN-CLW-1, CALL-OPEN-CLG-1, CALL-OPEN-LAK-1, CALL-OPEN-TMW-1, MUST-41, MUST-42,
 * CALL-STATUS-SYS-1, CALL-STATUS-EST-1 */
static void a_connection_that_exists_is_not_opened_again(void **state)
{
    (void)state;
    for (enum hf_state s = HF_SYN_SENT; s <= HF_TIME_WAIT; s++) {
        struct bench b;
        reach(&b, s);
        struct hf_connect again = {.local.port = 80, .remote = b.peer.here};
        hf_handle other = 99;
        struct hf_info before = bench_info(&b, b.conn);
        assert_int_equal(before.state, s);
        assert_int_equal(hf_connect(b.rig.stack, &again, &other, bench_now(&b)), HF_E_EXISTS);
        assert_int_equal(other, 99);
        /* [MUST-42] A listener of the same port is something else, and leaves the record alone. */
        bench_listen(&b, &(struct hf_listen){.port = 80});
        hf_rig_pull(&b.rig);
        assert_true(hf_peer_expect_nothing(&b.peer));
        struct hf_info after = bench_info(&b, b.conn);
        expect_unchanged(&before, &after);
        struct hf_peer p = bench_peer(&b, 3, 4000, 7);
        assert_true(hf_peer_connect(&p, "<mss 1000>"));
        assert_int_equal(hf_peer_state(&p), HF_ESTABLISHED);
        assert_int_equal(hf_peer_state(&b.peer), s);
        bench_close(&b);
    }
}

/* covers: CALL-OPEN-CLO-2, CALL-OPEN-LIS-1, MUST-41, MUST-44, MUST-45, SHLD-5 */
static void an_active_open_sends_a_syn(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 4; k++) {
        bool v6 = k & 1, listens = k & 2;
        struct bench b;
        bench_init(&b);
        bench_open(&b, v6, 5);
        if (listens) /* an own record beside the listener's, from the very same port */
            bench_listen(&b, &(struct hf_listen){.port = 80});
        hf_rig_run(&b.rig, HF_MS(250));
        struct hf_connect what = {.local.port = 80, .remote = b.peer.here, .tag = 31};
        assert_int_equal(hf_connect(b.rig.stack, &what, &b.conn, bench_now(&b)), HF_OK);
        assert_int_equal(b.rig.caught_count, 0); /* with the next output */
        hf_rig_pull(&b.rig);
        assert_true(
            hf_peer_expect(&b.peer, v6 ? "0.250 S seq 0 win 65535 <mss 1440,sackOK,TS,wscale 7>"
                                       : "0.250 S seq 0 win 65535 <mss 1460,sackOK,TS,wscale 7>"));
        struct hf_info info = bench_info(&b, b.conn);
        assert_int_equal(info.state, HF_SYN_SENT);
        assert_int_equal(info.iss, b.peer.irs);
        assert_int_equal(info.snd_una, info.iss);
        assert_int_equal(info.snd_nxt, info.iss + 1);
        assert_true(hf_addr_equal(&info.local.addr, &b.peer.there.addr));
        hf_peer_send(&b.peer, "S. seq 0 ack 1");
        assert_true(hf_peer_expect(&b.peer, ". seq 1 ack 1")); /* [MUST-45] from the same address */
        struct hf_event e = hf_rig_event(&b.rig);
        assert_int_equal(e.bits, HF_EV_CONNECTED | HF_EV_WRITABLE);
        assert_int_equal(e.tag, 31);
        if (listens) {
            struct hf_peer p = bench_peer(&b, 3, 4000, 7);
            assert_true(hf_peer_connect(&p, ""));
            assert_int_equal(hf_peer_state(&p), HF_ESTABLISHED);
        }
        bench_close(&b);
    }
}

/* covers: CALL-OPEN-CLO-3, CALL-OPEN-LIS-2, MUST-46, MUST-43, CO-1122-05 */
static void what_cannot_be_connected_to_fails_at_once(void **state)
{
    (void)state;
    const struct hf_addr own = hf_addr_v4(10, 0, 0, 1), there = hf_addr_v4(10, 0, 0, 2);
    const struct {
        struct hf_endpoint local, remote;
        int err;
    } cases[] = {
        {{HF_ADDR_ANY, 0}, {there, 0}, HF_E_INVALID},
        {{HF_ADDR_ANY, 0}, {HF_ADDR_ANY, 80}, HF_E_UNREACHABLE},
        {{HF_ADDR_ANY, 0}, {hf_addr_v4(0, 0, 0, 0), 80}, HF_E_UNREACHABLE},
        {{HF_ADDR_ANY, 0}, {hf_addr_v4(255, 255, 255, 255), 80}, HF_E_UNREACHABLE},
        {{HF_ADDR_ANY, 0}, {hf_addr_v4(224, 0, 0, 5), 80}, HF_E_UNREACHABLE},
        {{HF_ADDR_ANY, 0}, {hf_addr_v4(10, 7, 255, 255), 80}, HF_E_UNREACHABLE},
        {{HF_ADDR_ANY, 0}, {{{0xFF, 2, [15] = 1}}, 80}, HF_E_UNREACHABLE},
        {{hf_addr_v4(10, 0, 0, 9), 0}, {there, 80}, HF_E_UNREACHABLE}, /* not ours */
        {{own, 0}, {{{0xFD, [15] = 2}}, 80}, HF_E_INVALID},
        {{{{0xFD, [15] = 1}}, 0}, {there, 80}, HF_E_INVALID},
    };
    for (unsigned listens = 0; listens < 2; listens++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, false, 5);
        struct hf_addr net = hf_addr_v4(10, 7, 0, 1);
        assert_int_equal(hf_stack_add_address(b.rig.stack, &net, 16), HF_OK);
        if (listens)
            bench_listen(&b, &(struct hf_listen){.port = 80});
        hf_handle conn = 4711;
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            struct hf_connect what = {.local = cases[i].local, .remote = cases[i].remote};
            assert_int_equal(hf_connect(b.rig.stack, &what, &conn, 0), cases[i].err);
        }
        hf_rig_pull(&b.rig);
        assert_int_equal(conn, 4711);
        assert_true(bench_is_quiet(&b));
        assert_int_equal(bench_sizes(&b).connections, 0);
        assert_int_equal(bench_sizes(&b).local_addresses, 0);
        bench_close(&b);
    }
}

/* covers: MUST-43, MUST-44: the source that is named, or else the first of its family */
static void the_source_address_is_chosen_or_given(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 5);
    struct hf_addr second = hf_addr_v4(10, 0, 5, 5);
    assert_int_equal(hf_stack_add_address(b.rig.stack, &second, 32), HF_OK);
    struct hf_connect what = {.remote = b.peer.here};
    hf_handle conn;
    assert_int_equal(hf_connect(b.rig.stack, &what, &conn, 0), HF_OK);
    struct hf_info info = bench_info(&b, conn);
    assert_true(hf_addr_equal(&info.local.addr, &b.peer.there.addr));
    what.local.addr = second;
    assert_int_equal(hf_connect(b.rig.stack, &what, &conn, 0), HF_OK);
    info = bench_info(&b, conn);
    assert_true(hf_addr_equal(&info.local.addr, &second));
    hf_rig_pull(&b.rig);
    struct hf_caught c;
    assert_true(hf_rig_pop(&b.rig, &info.local, &b.peer.here, &c));
    assert_int_equal(c.segment.flags, HF_SYN);
    bench_close(&b);

    struct hf_env env = {.realloc = hf_account_realloc, .realloc_ctx = &b.rig.account};
    struct hf_stack *s;
    assert_int_equal(hf_stack_new(&s, &b.config, &env, 0), HF_OK);
    what = (struct hf_connect){.remote = b.peer.here};
    assert_int_equal(hf_connect(s, &what, &conn, 0), HF_E_UNREACHABLE); /* none of this family */
    hf_stack_free(s);
}

/* covers: CALL-OPEN-CLO-1, CALL-OPEN-CLO-2: insufficient resources */
static void an_open_without_room_fails_and_leaves_nothing(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    b.config.max_connections = 2;
    bench_open(&b, false, 5);
    struct hf_connect what = {.remote = b.peer.here};
    hf_handle conns[2], none = 5;
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(hf_connect(b.rig.stack, &what, &conns[i], 0), HF_OK);
    assert_int_equal(hf_connect(b.rig.stack, &what, &none, 0), HF_E_MEMORY);
    assert_int_equal(none, 5);
    assert_int_equal(hf_abort(b.rig.stack, conns[0], 0), HF_OK);
    assert_int_equal(bench_event(&b, HF_EV_CLOSED), conns[0]);
    assert_int_equal(hf_connect(b.rig.stack, &what, &none, 0), HF_OK);
    bench_close(&b);
    /* Every piece of memory that an open asks for may be refused. */
    for (unsigned passive = 0; passive < 2; passive++) {
        int err = HF_E_MEMORY;
        for (uint64_t nth = 1; err != HF_OK; nth++) {
            assert_true(nth < 20);
            bench_init(&b);
            bench_open(&b, false, 5);
            b.rig.account.fail_nth = b.rig.account.asked + nth;
            struct hf_listen listen = {.port = 80};
            hf_handle handle = 0;
            err = passive ? hf_listen(b.rig.stack, &listen, &handle, 0)
                          : hf_connect(b.rig.stack, &what, &handle, 0);
            assert_int_equal(err, b.rig.account.failed ? HF_E_MEMORY : HF_OK);
            assert_int_equal(bench_sizes(&b).connections + bench_sizes(&b).listeners, err == HF_OK);
            assert_int_equal(bench_sizes(&b).local_addresses, err == HF_OK && !passive);
            bench_close(&b);
        }
    }
}

/* ---- SEND ---- */

/* covers: CALL-SEND-SYS-1, CALL-SEND-SYR-1, CALL-SEND-EST-1, CALL-SEND-CLW-1 */
static void data_is_queued_or_sent_while_our_direction_is_open(void **state)
{
    (void)state;
    static const enum hf_state states[] = {HF_SYN_SENT, HF_SYN_RCVD, HF_ESTABLISHED, HF_CLOSE_WAIT};
    for (size_t i = 0; i < 4; i++)
        for (unsigned urgent = 0; urgent < 2; urgent++) {
            struct bench b;
            reach(&b, states[i]);
            unsigned flags = urgent ? HF_SEND_URGENT : 0;
            assert_int_equal(hf_send(b.rig.stack, b.conn, "hello", 5, flags, 0), 5);
            hf_rig_pull(&b.rig);
            uint32_t ack = states[i] < HF_ESTABLISHED ? 1 : states[i] == HF_ESTABLISHED ? 11 : 12;
            if (ack == 1) {
                assert_true(hf_peer_expect_nothing(&b.peer));
                hf_peer_send(&b.peer, i == 0 ? "S. seq 0 ack 1" : ". seq 1 ack 1");
            }
            char text[60];
            snprintf(text, sizeof text, "P%s. seq 1:6 ack %u urg %u", urgent ? "U" : "", ack,
                     urgent ? 5u : 0u);
            assert_true(hf_peer_expect(&b.peer, text));
            assert_memory_equal(b.peer.last.payload, "hello", 5);
            bench_close(&b);
        }
}

/* covers: CALL-SEND-SYS-1, CALL-SEND-EST-1: no room */
static void a_full_queue_takes_no_more(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    b.config.send_buffer_bytes = 300;
    b.config.send_buffer_max_bytes = 0;
    bench_open(&b, false, 5);
    b.conn = bench_connect(&b);
    assert_true(hf_peer_expect(&b.peer, "S seq 0"));
    static const uint8_t bytes[400];
    struct hf_stack *s = b.rig.stack;
    assert_int_equal(hf_send(s, b.conn, bytes, 400, 0, 0), 300);
    assert_int_equal(hf_send(s, b.conn, bytes, 1, 0, 0), HF_E_AGAIN);
    hf_peer_send(&b.peer, "S. seq 0 ack 1 <mss 1000>");
    assert_true(hf_peer_expect(&b.peer, "P. seq 1:301 ack 1"));
    assert_int_equal(hf_send(s, b.conn, bytes, 1, 0, 0), HF_E_AGAIN);
    assert_int_equal(bench_event(&b, HF_EV_CONNECTED), b.conn);
    hf_peer_send(&b.peer, ". seq 1 ack 301");
    assert_int_equal(bench_event(&b, HF_EV_WRITABLE), b.conn);
    assert_int_equal(hf_send(s, b.conn, bytes, 1, 0, 0), 1);
    bench_close(&b);
}

/* covers: CALL-SEND-CLO-1, CALL-SEND-LIS-1, CALL-SEND-LIS-2, CALL-SEND-FW1-1, CALL-SEND-FW2-1,
 * CALL-SEND-CLG-1, CALL-SEND-LAK-1, CALL-SEND-TMW-1 */
static void where_nothing_can_be_sent_that_is_an_error(void **state)
{
    (void)state;
    static const enum hf_state states[] = {HF_FIN_WAIT_1, HF_FIN_WAIT_2, HF_CLOSING, HF_LAST_ACK,
                                           HF_TIME_WAIT};
    struct bench b;
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        reach(&b, states[i]);
        void *room;
        assert_int_equal(hf_send(b.rig.stack, b.conn, "x", 1, 0, 0), HF_E_CLOSING);
        assert_int_equal(hf_send_reserve(b.rig.stack, b.conn, &room, 0), HF_E_CLOSING);
        hf_rig_pull(&b.rig);
        assert_true(hf_peer_expect_nothing(&b.peer));
        assert_int_equal(hf_peer_state(&b.peer), states[i]);
        bench_close(&b);
    }
    bench_init(&b);
    bench_open(&b, false, 5);
    hf_handle listener = bench_listen(&b, &(struct hf_listen){.port = 80});
    assert_int_equal(hf_send(b.rig.stack, 0, "x", 1, 0, 0), HF_E_HANDLE);
    assert_int_equal(hf_send(b.rig.stack, listener, "x", 1, 0, 0), HF_E_HANDLE);
    assert_true(hf_peer_connect(&b.peer, ""));
    b.conn = bench_event(&b, HF_EV_ACCEPTED);
    hf_peer_send(&b.peer, "R seq 1");
    assert_int_equal(hf_send(b.rig.stack, b.conn, "x", 1, 0, 0), HF_E_RESET);
    assert_int_equal(hf_close(b.rig.stack, b.conn, 0), HF_OK);
    assert_int_equal(bench_event(&b, HF_EV_CLOSED), b.conn);
    assert_int_equal(hf_send(b.rig.stack, b.conn, "x", 1, 0, 0), HF_E_HANDLE); /* stale now */
    bench_close(&b);
}

/* ---- RECEIVE ---- */

/* covers: CALL-RECEIVE-SYS-1, CALL-RECEIVE-SYR-1, CALL-RECEIVE-EST-1, CALL-RECEIVE-FW1-1,
 * CALL-RECEIVE-FW2-1, CALL-RECEIVE-CLW-1, CALL-RECEIVE-CLW-2, and by deviation as in CLOSE-WAIT:
 * CALL-RECEIVE-CLG-1, CALL-RECEIVE-LAK-1, CALL-RECEIVE-TMW-1 */
static void what_came_can_be_read_then_comes_the_end(void **state)
{
    (void)state;
    for (enum hf_state st = HF_SYN_SENT; st <= HF_TIME_WAIT; st++) {
        struct bench b;
        reach(&b, st);
        uint8_t bytes[20];
        bool fin =
            st == HF_CLOSE_WAIT || st == HF_CLOSING || st == HF_LAST_ACK || st == HF_TIME_WAIT;
        struct hf_stack *s = b.rig.stack;
        if (st >= HF_ESTABLISHED) {
            assert_int_equal(hf_receive(s, b.conn, bytes, 4, 0), 4);
            assert_int_equal(hf_receive(s, b.conn, bytes + 4, 16, 0), 6);
            assert_int_equal(hf_pattern_check(b.peer.key, 0, bytes, 10), 10);
        }
        struct hf_slice slice;
        size_t count = 7;
        int end = fin ? HF_E_END : HF_E_AGAIN;
        assert_int_equal(hf_receive(s, b.conn, bytes, 20, 0), end);
        assert_int_equal(hf_receive_peek(s, b.conn, &slice, 1, &count), end);
        assert_int_equal(hf_receive(s, b.conn, bytes, 20, 0), end); /* again and again */
        if (st == HF_FIN_WAIT_1 || st == HF_FIN_WAIT_2) { /* the peer's direction is open still */
            hf_peer_send(&b.peer,
                         st == HF_FIN_WAIT_1 ? "P. seq 11:21 ack 1" : "P. seq 11:21 ack 2");
            assert_int_equal(hf_receive(s, b.conn, bytes, 20, 0), 10);
            assert_int_equal(hf_pattern_check(b.peer.key, 10, bytes, 10), 10);
        }
        bench_close(&b);
    }
}

/* covers: CALL-RECEIVE-CLO-1, CALL-RECEIVE-LIS-1, MUST-12 */
static void reading_where_nothing_can_come_is_an_error(void **state)
{
    (void)state;
    struct bench b;
    uint8_t byte;
    reach(&b, HF_ESTABLISHED);
    hf_handle listener = bench_listen(&b, &(struct hf_listen){.port = 80});
    assert_int_equal(hf_receive(b.rig.stack, 0, &byte, 1, 0), HF_E_HANDLE);
    assert_int_equal(hf_receive(b.rig.stack, listener, &byte, 1, 0), HF_E_HANDLE);
    hf_peer_send(&b.peer, "R seq 11"); /* a reset is not an end: data unread is gone with it */
    assert_int_equal(hf_receive(b.rig.stack, b.conn, &byte, 1, 0), HF_E_RESET);
    bench_close(&b);
}

/* covers: CALL-RECEIVE-EST-1, MUST-39: reading from a full buffer opens the window */
static void reading_opens_the_window(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    b.config.receive_buffer_bytes = 4000;
    b.config.window_scale = -1;
    bench_open(&b, false, 5);
    b.conn = bench_connect(&b);
    assert_true(hf_peer_accept(&b.peer, "<mss 1000>"));
    hf_peer_send(&b.peer, "P. seq 1:2001 ack 1");
    hf_peer_send(&b.peer, "P. seq 2001:4001 ack 1");
    hf_rig_wait(&b.rig, HF_MS(500));
    hf_peer_skip(&b.peer);
    assert_int_equal(b.peer.last.segment.window, 0);
    static uint8_t bytes[4000];
    assert_int_equal(hf_receive(b.rig.stack, b.conn, bytes, 100, bench_now(&b)), 100);
    hf_rig_pull(&b.rig);
    assert_true(hf_peer_expect_nothing(&b.peer));
    assert_int_equal(hf_receive(b.rig.stack, b.conn, bytes, 4000, bench_now(&b)), 3900);
    hf_rig_pull(&b.rig);
    assert_true(hf_peer_expect(&b.peer, "0.500 . seq 1 ack 4001 win 4000"));
    bench_close(&b);
}

/* ---- ports ---- */

static uint16_t port_towards(struct bench *b, uint8_t host, uint16_t port, hf_handle *conn)
{
    struct hf_connect what = {.remote = {b->peer.here.addr, port}};
    what.remote.addr.octets[15] = host;
    hf_handle h;
    int err = hf_connect(b->rig.stack, &what, &h, bench_now(b));
    if (err != HF_OK) {
        assert_int_equal(err, HF_E_PORTS);
        return 0;
    }
    if (conn != NULL)
        *conn = h;
    return bench_info(b, h).local.port;
}

static void open_with_ports(struct bench *b, bool v6, int64_t least, int64_t most)
{
    bench_init(b);
    b->config.port_min = least;
    b->config.port_max = most;
    bench_open(b, v6, 5);
}

/* covers: CO-6056-01, CO-6056-03: one step up for each open, back to the start at the end */
static void ports_rise_for_each_destination(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct bench b;
        open_with_ports(&b, v6, 5000, 5099);
        uint16_t last[2] = {0, 0};
        bool wrapped = false;
        for (unsigned i = 0; i < 80; i++) {
            uint16_t port = port_towards(&b, (uint8_t)(2 + i % 2), 80, NULL);
            assert_in_range(port, 5000, 5099);
            if (i >= 2) /* the counter is common: two destinations in turn, two steps each */
                assert_int_equal((port - last[i % 2] + 100) % 100, 2);
            wrapped |= port < last[i % 2];
            last[i % 2] = port;
        }
        assert_true(wrapped);
        bench_close(&b);
    }
}

/* covers: CO-6056-02, CO-6056-05, CO-5927-07: where it starts depends on the destination and on the
 * secret */
static void the_first_port_cannot_be_guessed(void **state)
{
    (void)state;
    unsigned steps = 0;
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 5);
    uint16_t last = port_towards(&b, 2, 80, NULL);
    for (uint8_t host = 3; host < 13; host++) {
        uint16_t port = port_towards(&b, host, 80, NULL);
        assert_true(port >= 1024);
        steps += port - last == 1;
        last = port;
    }
    last = port_towards(&b, 2, 81, NULL);
    steps += port_towards(&b, 2, 82, NULL) - last == 1;
    assert_true(steps <= 1);
    bench_close(&b);
}

/* covers: CO-6056-06, CO-6056-04: never one that somebody listens at, or that is in use */
static void listening_ports_are_not_given_out(void **state)
{
    (void)state;
    static const struct {
        struct hf_listen listen;
        bool takes;
    } cases[] = {
        {{.port = 5003}, true},
        {{.port = 5003, .held = true}, true},
        {{.addr = {{[10] = 255, 255, 10, 0, 0, 1}}, .prefix_bits = 32, .port = 5003}, true},
        {{.addr = {{[10] = 255, 255, 10, 0, 0, 0}}, .prefix_bits = 8, .port = 5003}, true},
        {{.addr = {{[10] = 255, 255, 10, 0, 0, 9}}, .prefix_bits = 32, .port = 5003}, false},
        {{.addr = {{0xFD}}, .prefix_bits = 8, .port = 5003}, false},
        {{.port = 0}, false}, /* any port: that would leave none */
        {{.port = 6000}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench b;
        open_with_ports(&b, false, 5000, 5009);
        bench_listen(&b, &cases[i].listen);
        unsigned seen = 0;
        unsigned count = cases[i].takes ? 9 : 10;
        for (unsigned k = 0; k < count; k++) {
            uint16_t port = port_towards(&b, 2, 80, NULL);
            assert_in_range(port, 5000, 5009);
            assert_int_equal(seen & 1u << (port - 5000), 0);
            seen |= 1u << (port - 5000);
        }
        assert_int_equal(seen, cases[i].takes ? 0x3F7 : 0x3FF);
        assert_int_equal(port_towards(&b, 2, 80, NULL), 0);
        bench_close(&b);
    }
}

/* covers: CO-6056-03, CO-6056-07: as many tries as there are ports, then an error */
static void ports_run_out_towards_one_destination(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct bench b;
        open_with_ports(&b, v6, 65530, 65535);
        hf_handle conns[6];
        for (unsigned k = 0; k < 6; k++)
            assert_in_range(port_towards(&b, 2, 80, &conns[k]), 65530, 65535);
        assert_int_equal(port_towards(&b, 2, 80, NULL), 0);
        for (unsigned k = 0; k < 6; k++) { /* others have theirs */
            assert_int_not_equal(port_towards(&b, 2, 81, NULL), 0);
            assert_int_not_equal(port_towards(&b, 3, 80, NULL), 0);
        }
        uint16_t freed = bench_info(&b, conns[4]).local.port;
        assert_int_equal(hf_abort(b.rig.stack, conns[4], 0), HF_OK);
        assert_int_equal(port_towards(&b, 2, 80, NULL), freed);
        assert_int_equal(port_towards(&b, 2, 80, NULL), 0);
        bench_close(&b);
    }
}

/* covers: CO-6056-04: a port in TIME-WAIT towards this destination is in use */
static void a_port_in_time_wait_is_in_use(void **state)
{
    (void)state;
    struct bench b;
    open_with_ports(&b, false, 5000, 5000);
    b.peer.here.port = 80;
    b.peer.there.port = port_towards(&b, 2, 80, &b.conn);
    assert_int_equal(b.peer.there.port, 5000);
    hf_rig_pull(&b.rig);
    assert_true(hf_peer_accept(&b.peer, ""));
    assert_int_equal(hf_close(b.rig.stack, b.conn, 0), HF_OK);
    hf_rig_pull(&b.rig);
    hf_peer_skip(&b.peer);
    hf_peer_send(&b.peer, "F.");
    assert_int_equal(hf_peer_state(&b.peer), HF_TIME_WAIT);
    assert_int_equal(port_towards(&b, 2, 80, NULL), 0);
    hf_rig_wait(&b.rig, HF_SEC(61));
    assert_int_equal(port_towards(&b, 2, 80, NULL), 5000);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_that_exists_is_not_opened_again),
        cmocka_unit_test(an_active_open_sends_a_syn),
        cmocka_unit_test(what_cannot_be_connected_to_fails_at_once),
        cmocka_unit_test(the_source_address_is_chosen_or_given),
        cmocka_unit_test(an_open_without_room_fails_and_leaves_nothing),
        cmocka_unit_test(data_is_queued_or_sent_while_our_direction_is_open),
        cmocka_unit_test(a_full_queue_takes_no_more),
        cmocka_unit_test(where_nothing_can_be_sent_that_is_an_error),
        cmocka_unit_test(what_came_can_be_read_then_comes_the_end),
        cmocka_unit_test(reading_where_nothing_can_come_is_an_error),
        cmocka_unit_test(reading_opens_the_window),
        cmocka_unit_test(ports_rise_for_each_destination),
        cmocka_unit_test(the_first_port_cannot_be_guessed),
        cmocka_unit_test(listening_ports_are_not_given_out),
        cmocka_unit_test(ports_run_out_towards_one_destination),
        cmocka_unit_test(a_port_in_time_wait_is_in_use),
    };
    return cmocka_run_group_tests_name("call_open", tests, NULL, NULL);
}
