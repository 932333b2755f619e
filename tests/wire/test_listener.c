/* Listeners: which one gets a SYN, how many it takes, and what its end means. */
#include "opening.h"

static void send_syn_from(struct bench *b, uint8_t host, uint16_t port)
{
    struct hf_peer p = bench_peer(b, host, port, 1000);
    hf_peer_send(&p, "S seq 0 <mss 1000>");
}

/* The whole handshake; false when the SYN or the ACK came to nothing. */
static bool connect_from(struct bench *b, uint8_t host, uint16_t port)
{
    struct hf_peer p = bench_peer(b, host, port, 1000);
    hf_peer_send(&p, "S seq 0 <mss 1000>");
    if (!hf_peer_pop(&p) || p.last.segment.flags != (HF_SYN | HF_ACK))
        return false;
    hf_peer_send(&p, ". seq 1 ack 1");
    return hf_peer_state(&p) == HF_ESTABLISHED;
}

/* ---- which ---- */

/* covers: MUST-43, CALL-OPEN-CLO-1: the longer prefix first, then the named port */
static void the_most_specific_listener_gets_the_syn(void **state)
{
    (void)state;
    enum { COUNT = 8 };
    struct hf_addr one = hf_addr_v4(10, 0, 0, 1), net = hf_addr_v4(10, 0, 0, 0);
    const struct hf_listen listens[COUNT] = {
        {.addr = one, .prefix_bits = 32, .port = 80},
        {.addr = one, .prefix_bits = 32},
        {.addr = net, .prefix_bits = 24, .port = 80},
        {.addr = net, .prefix_bits = 24},
        {.addr = net, .prefix_bits = 8, .port = 80},
        {.addr = net, .prefix_bits = 8},
        {.port = 80},
        {.port = 0},
    };
    for (unsigned reversed = 0; reversed < 2; reversed++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, false, 1000);
        hf_handle handles[COUNT];
        for (unsigned i = 0; i < COUNT; i++) {
            unsigned k = reversed ? COUNT - 1 - i : i;
            handles[k] = bench_listen(&b, &listens[k]);
        }
        for (unsigned i = 0; i < COUNT; i++) {
            assert_true(connect_from(&b, 2, (uint16_t)(5000 + i)));
            struct hf_event e = hf_rig_event(&b.rig);
            assert_int_equal(e.bits, HF_EV_ACCEPTED);
            assert_int_equal(e.listener, handles[i]);
            assert_int_equal(hf_close(b.rig.stack, handles[i], bench_now(&b)), HF_OK);
        }
        assert_false(connect_from(&b, 2, 6000));
        bench_close(&b);
    }
}

/* Though there is no other that could be better. */
static void the_only_listener_is_asked_for_its_address(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 1000);
    struct hf_listen what = {.addr = b.peer.there.addr, .prefix_bits = 32, .port = 80};
    b.listener = bench_listen(&b, &what);
    struct hf_peer other = b.peer;
    other.there.addr.octets[15] = 77;
    assert_int_equal(hf_stack_add_address(b.rig.stack, &other.there.addr, 32), HF_OK);
    for (uint16_t k = 0; k < 2; k++) {
        hf_peer_send(&other, "S seq 0");
        assert_true(hf_peer_expect(&other, "R. seq 0 ack 1"));
        assert_int_equal(bench_count(&b, HF_RST_NO_LISTENER), k + 1);
        assert_true(connect_from(&b, 2, (uint16_t)(5000 + k)));
    }
    bench_close(&b);
}

/* A SYN has found one already: whether a better one comes or goes, the next finds what is best. */
static void listeners_come_and_go(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 1000);
    hf_handle wide = bench_listen(&b, &(struct hf_listen){.port = 80});
    assert_true(connect_from(&b, 2, 5000));
    assert_int_equal(hf_rig_event(&b.rig).listener, wide);
    hf_handle narrow = bench_listen(
        &b, &(struct hf_listen){.addr = hf_addr_v4(10, 0, 0, 0), .prefix_bits = 24, .port = 80});
    assert_true(connect_from(&b, 2, 5001));
    assert_int_equal(hf_rig_event(&b.rig).listener, narrow);
    assert_int_equal(hf_close(b.rig.stack, narrow, bench_now(&b)), HF_OK);
    assert_true(connect_from(&b, 2, 5002));
    assert_int_equal(hf_rig_event(&b.rig).listener, wide);
    bench_close(&b);
}

/* covers: MUST-43: what a listener does not name it does not get, but everything else it does */
static void addresses_and_ports_that_do_not_match_are_left(void **state)
{
    (void)state;
    const struct {
        struct hf_listen listen;
        struct hf_addr to;
        uint16_t port;
        bool taken;
    } cases[] = {
        {{.addr = hf_addr_v4(10, 0, 0, 1), .prefix_bits = 32, .port = 80},
         hf_addr_v4(10, 0, 0, 1),
         81,
         false},
        {{.addr = hf_addr_v4(10, 0, 0, 1), .prefix_bits = 32}, hf_addr_v4(10, 0, 0, 2), 80, false},
        {{.addr = hf_addr_v4(10, 0, 0, 1), .prefix_bits = 32},
         hf_addr_v4(10, 0, 0, 1),
         65535,
         true},
        {{.addr = hf_addr_v4(172, 16, 0, 0), .prefix_bits = 12},
         hf_addr_v4(172, 31, 255, 254),
         1,
         true}, /* of no local address: a gateway's listener */
        {{.addr = hf_addr_v4(172, 16, 0, 0), .prefix_bits = 12},
         hf_addr_v4(172, 32, 0, 1),
         1,
         false},
        {{.addr = hf_addr_v4(0, 0, 0, 0), .prefix_bits = 0}, hf_addr_v4(8, 8, 8, 8), 53, true},
        {{.addr = hf_addr_v4(0, 0, 0, 0), .prefix_bits = 0}, {{0xFD, [15] = 1}}, 53, false},
        {{.addr = {{0xFD}}, .prefix_bits = 64}, {{0xFD, [15] = 77}}, 53, true},
        {{.addr = {{0xFD}}, .prefix_bits = 64}, {{0xFD, [7] = 1, [15] = 77}}, 53, false},
        {{.port = 53}, {{0x20, 1, [15] = 77}}, 53, true},
        {{.port = 53}, hf_addr_v4(8, 8, 8, 8), 53, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, !hf_addr_is_v4(&cases[i].to), 1);
        bench_listen(&b, &cases[i].listen);
        b.peer.there = (struct hf_endpoint){cases[i].to, cases[i].port};
        hf_peer_send(&b.peer, "S seq 0");
        assert_int_equal(bench_sizes(&b).half_open, cases[i].taken);
        if (cases[i].taken) { /* [MUST-45] answered from the address the SYN named */
            assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
            hf_peer_send(&b.peer, ". seq 1 ack 1");
            assert_int_equal(hf_peer_state(&b.peer), HF_ESTABLISHED);
            struct hf_info info = bench_info(&b, bench_event(&b, HF_EV_ACCEPTED));
            assert_true(hf_addr_equal(&info.local.addr, &cases[i].to));
            assert_int_equal(info.local.port, cases[i].port);
        }
        bench_close(&b);
    }
}

/* A prefix may be as long as the address: it names that one. */
static void a_prefix_may_be_the_whole_address(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, v6, 1);
        struct hf_listen listen = {
            .addr = b.peer.there.addr, .prefix_bits = v6 ? 128 : 32, .port = 80};
        bench_listen(&b, &listen);
        hf_peer_send(&b.peer, "S seq 0");
        assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
        listen.prefix_bits++;
        hf_handle other;
        assert_int_equal(hf_listen(b.rig.stack, &listen, &other, 0), HF_E_INVALID);
        bench_close(&b);
    }
}

/* covers: CALL-OPEN-LIS-1, MUST-41: a second listener of the same name is an error */
static void the_same_listener_twice_is_an_error(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 1);
    struct hf_listen listens[] = {
        {.port = 80},
        {.port = 0},
        {.addr = hf_addr_v4(10, 0, 0, 1), .prefix_bits = 32, .port = 80},
        {.addr = hf_addr_v4(10, 0, 0, 0), .prefix_bits = 24, .port = 80},
        {.addr = {{0xFD}}, .prefix_bits = 8, .port = 80},
    };
    hf_handle handles[5], other = 12345;
    for (size_t i = 0; i < 5; i++)
        handles[i] = bench_listen(&b, &listens[i]);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(hf_listen(b.rig.stack, &listens[i], &other, 0), HF_E_EXISTS);
    struct hf_listen same = {.addr = hf_addr_v4(10, 0, 0, 0), .prefix_bits = 24, .port = 80};
    assert_int_equal(hf_listen(b.rig.stack, &same, &other, 0), HF_E_EXISTS);
    same.addr = hf_addr_v4(10, 0, 0, 200); /* goes on behind its prefix */
    assert_int_equal(hf_listen(b.rig.stack, &same, &other, 0), HF_E_INVALID);
    same.prefix_bits = 33;
    assert_int_equal(hf_listen(b.rig.stack, &same, &other, 0), HF_E_INVALID);
    assert_int_equal(other, 12345);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(hf_close(b.rig.stack, handles[i], 0), HF_OK);
        assert_int_equal(hf_close(b.rig.stack, handles[i], 0), HF_E_HANDLE);
        assert_int_equal(hf_listen(b.rig.stack, &listens[i], &handles[i], 0), HF_OK);
    }
    assert_int_equal(bench_sizes(&b).listeners, 5);
    bench_close(&b);
}

/* What a listener, or nobody, has no use for is dropped and counted. */
static void what_opens_nothing_is_counted(void **state)
{
    (void)state;
    static const struct {
        const char *segment;
        uint16_t port;
        uint8_t host; /* the last octet of the stack's address */
        enum hf_reason reason;
    } rows[] = {
        {"R seq 0", 80, 1, HF_DROP_LISTEN_RST},     {"SR. seq 0 ack 9", 80, 1, HF_DROP_LISTEN_RST},
        {"F seq 0", 80, 1, HF_DROP_LISTEN_NOTHING}, {"R seq 0", 81, 1, HF_DROP_STRANGER_RST},
        {"S seq 0", 81, 200, HF_DROP_NOT_OURS},
    };
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, false, 1);
        bench_listen(&b, &(struct hf_listen){.port = 80});
        b.peer.there.port = rows[i].port;
        b.peer.there.addr.octets[15] = rows[i].host;
        hf_peer_send(&b.peer, rows[i].segment);
        assert_int_equal(bench_count(&b, rows[i].reason), 1);
        assert_true(bench_is_quiet(&b));
        bench_close(&b);
    }
}

/* ---- how many ---- */

/* What a SYN above a limit draws by each policy. */
static void expect_overflow(struct bench *b, bool silent, uint8_t host, uint16_t port,
                            enum hf_reason limit)
{
    uint64_t limits = bench_count(b, limit), drops = bench_count(b, HF_DROP_SYN_LIMIT);
    struct hf_peer p = bench_peer(b, host, port, 1000);
    hf_peer_send(&p, "S seq 0 <mss 1000>");
    if (!silent)
        assert_true(hf_peer_expect(&p, "R. seq 0 ack 1"));
    assert_true(hf_peer_expect_nothing(&p));
    assert_int_equal(hf_peer_state(&p), HF_CLOSED);
    assert_int_equal(bench_count(b, limit), limits + 1);
    assert_int_equal(bench_count(b, HF_DROP_SYN_LIMIT), drops + 1);
}

/* covers: CO-4987-01: half-open entries of a listener, both policies */
static void half_open_entries_are_limited(void **state)
{
    (void)state;
    for (unsigned silent = 0; silent < 2; silent++) {
        struct bench b;
        bench_init(&b);
        b.config.syn_cookies = 0;
        bench_open(&b, false, 1000);
        bench_listen(
            &b, &(struct hf_listen){.port = 80, .max_half_open = 3, .reset_overflow = !silent});
        for (uint8_t host = 2; host < 5; host++)
            send_syn_from(&b, host, 4000);
        assert_int_equal(bench_sizes(&b).half_open, 3);
        expect_overflow(&b, silent, 9, 4000, HF_LIMIT_HALF_OPEN);
        struct hf_peer p = bench_peer(&b, 3, 4000, 1000);
        assert_true(hf_peer_expect(&p, "S. seq 0 ack 1"));
        hf_peer_send(&p, ". seq 1 ack 1"); /* one completes: room for one */
        assert_int_equal(bench_sizes(&b).half_open, 2);
        send_syn_from(&b, 9, 4000);
        assert_int_equal(bench_sizes(&b).half_open, 3);
        expect_overflow(&b, silent, 10, 4000, HF_LIMIT_HALF_OPEN);
        hf_rig_run(&b.rig, HF_SEC(200)); /* the others never answer */
        assert_int_equal(bench_sizes(&b).half_open, 0);
        bench_close(&b);
    }
}

/* covers: CO-4987-01, CO-4987-11: of the whole stack; other listeners' connections go on */
static void a_flood_leaves_the_rest_alone(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    b.config.syn_cookies = 0;
    b.config.max_half_open = 20;
    bench_open(&b, false, 1000);
    bench_listen(&b, &(struct hf_listen){.port = 80});
    bench_listen(&b, &(struct hf_listen){.port = 81, .max_half_open = 10});
    assert_true(connect_from(&b, 2, 999));
    hf_handle conn = bench_event(&b, HF_EV_ACCEPTED);
    b.peer.there.port = 81;
    for (uint16_t i = 0; i < 300; i++)
        send_syn_from(&b, 66, (uint16_t)(1024 + i));
    assert_int_equal(bench_sizes(&b).half_open, 10);
    b.peer.there.port = 80;
    assert_true(connect_from(&b, 3, 999)); /* the other listener has its own share */
    assert_int_equal(hf_send(b.rig.stack, conn, "x", 1, 0, bench_now(&b)), 1);
    struct hf_connect what = {.remote = {hf_addr_v4(10, 0, 0, 7), 99}};
    assert_int_equal(hf_connect(b.rig.stack, &what, &conn, bench_now(&b)), HF_OK);
    hf_rig_pull(&b.rig);
    struct hf_peer p = bench_peer(&b, 2, 999, 1000);
    size_t sent = hf_peer_skip(&p);
    assert_int_equal(sent, 1);
    for (uint16_t i = 0; i < 300; i++)
        send_syn_from(&b, 67, (uint16_t)(1024 + i));
    assert_int_equal(bench_sizes(&b).half_open, 20);
    bench_close(&b);
}

/* covers: CO-4987-01: connections that wait to be accepted, both policies */
static void the_backlog_is_limited(void **state)
{
    (void)state;
    for (unsigned silent = 0; silent < 2; silent++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, false, 1000);
        bench_listen(&b, &(struct hf_listen){.port = 80, .backlog = 2, .reset_overflow = !silent});
        struct hf_peer late = bench_peer(&b, 7, 4000, 1000);
        hf_peer_send(&late, "S seq 0 <mss 1000>");
        assert_true(hf_peer_expect(&late, "S. seq 0 ack 1"));
        assert_true(connect_from(&b, 2, 4000));
        assert_true(connect_from(&b, 3, 4000));
        expect_overflow(&b, silent, 4, 4000, HF_LIMIT_BACKLOG);
        /* Its SYN was answered before the backlog was full: its ACK is dropped, it is not lost. */
        hf_peer_send(&late, ". seq 1 ack 1");
        assert_true(hf_peer_expect_nothing(&late));
        assert_int_equal(hf_peer_state(&late), HF_SYN_RCVD);
        assert_int_equal(bench_count(&b, HF_DROP_BACKLOG), 1);
        hf_handle first = bench_event(&b, HF_EV_ACCEPTED); /* pulled: room for one */
        assert_int_not_equal(first, 0);
        hf_rig_run(&b.rig, HF_MS(1001));
        assert_true(hf_peer_expect(&late, "1.000 S. seq 0 ack 1"));
        hf_peer_send(&late, ". seq 1 ack 1");
        assert_int_equal(hf_peer_state(&late), HF_ESTABLISHED);
        expect_overflow(&b, silent, 4, 4000, HF_LIMIT_BACKLOG);
        assert_int_equal(hf_abort(b.rig.stack, first, bench_now(&b)), HF_OK);
        expect_overflow(&b, silent, 5, 4000, HF_LIMIT_BACKLOG); /* it had left the backlog before */
        assert_int_not_equal(bench_event(&b, HF_EV_ACCEPTED), 0);
        assert_true(connect_from(&b, 4, 4001));
        bench_close(&b);
    }
}

/* covers: CO-4987-01: opening and resetting buys no more of what waits to be pulled than opening */
static void a_reset_connection_keeps_its_place_until_it_is_pulled(void **state)
{
    (void)state;
    for (unsigned held = 0; held < 2; held++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, false, 1000);
        bench_listen(&b, &(struct hf_listen){.port = 80, .backlog = 2, .held = held});
        for (uint16_t round = 0; round < 3; round++) {
            for (uint16_t i = 0; i < 5; i++) {
                struct hf_peer p = bench_peer(&b, 2, (uint16_t)(4000 + 10 * round + i), 1000);
                hf_peer_send(&p, "S seq 0 <mss 1000>");
                if (hf_peer_pop(&p))
                    hf_peer_send(&p, ". seq 1 ack 1");
                hf_peer_send(&p, "R seq 1");
                assert_int_equal(hf_peer_state(&p), HF_CLOSED);
            }
            assert_int_equal(bench_sizes(&b).connections, 2);
            assert_int_equal(bench_count(&b, HF_LIMIT_BACKLOG), 3 * (round + 1));
            for (int i = 0; i < 2; i++) {
                hf_handle conn = bench_event(&b, HF_EV_CLOSED);
                assert_int_not_equal(conn, 0);
                assert_int_equal(hf_close(b.rig.stack, conn, bench_now(&b)), HF_OK);
            }
            assert_int_equal(bench_sizes(&b).connections, 0);
        }
        bench_close(&b);
    }
}

/* An end that came before the event was pulled does not hide where the connection came from; nor
 * does the listener's end. */
static void an_event_names_its_listener_though_the_end_came_too(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 4; k++) {
        bool held = k & 1, closed = k & 2;
        struct bench b;
        bench_init(&b);
        bench_open(&b, false, 1000);
        for (uint16_t port = 80; port < 82; port++) {
            hf_handle listener = bench_listen(&b, &(struct hf_listen){.port = port, .held = held});
            struct hf_peer p = bench_peer(&b, 2, (uint16_t)(4000 + port), 1000);
            p.there.port = port;
            hf_peer_send(&p, "S seq 0 <mss 1000>");
            if (hf_peer_pop(&p))
                hf_peer_send(&p, ". seq 1 ack 1");
            hf_peer_send(&p, "R seq 1");
            if (closed)
                assert_int_equal(hf_close(b.rig.stack, listener, bench_now(&b)), HF_OK);
            struct hf_event e = hf_rig_event(&b.rig);
            assert_int_equal(e.bits, (held ? HF_EV_SYN : HF_EV_ACCEPTED) | HF_EV_CLOSED);
            assert_int_equal(e.how, held ? HF_CLOSED_WITHDRAWN : HF_CLOSED_RESET);
            assert_int_equal(e.listener, listener);
            assert_int_equal(hf_close(b.rig.stack, e.handle, bench_now(&b)), HF_OK);
            if (!closed)
                assert_int_equal(hf_close(b.rig.stack, listener, bench_now(&b)), HF_OK);
            assert_int_equal(bench_sizes(&b).listeners, 0);
            assert_int_equal(bench_sizes(&b).connections, 0);
        }
        bench_close(&b);
    }
}

/* Who finds a connection by hf_iterate and ends it pulls no event of it: its place is free, and
 * nothing keeps the closed listener. */
static void an_end_before_the_event_leaves_the_backlog(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 4; k++) {
        bool held = k & 1, refuse = k & 2;
        struct bench b;
        bench_init(&b);
        bench_open(&b, false, 1000);
        b.listener = bench_listen(&b, &(struct hf_listen){.port = 80, .backlog = 1, .held = held});
        for (uint16_t i = 0; i < 3; i++) {
            struct hf_peer p = bench_peer(&b, 2, (uint16_t)(4000 + i), 1000);
            hf_peer_send(&p, "S seq 0 <mss 1000>");
            if (hf_peer_pop(&p))
                hf_peer_send(&p, ". seq 1 ack 1");
            uint64_t cursor = 0;
            struct hf_tuple t = {0};
            while (t.kind != HF_KIND_CONN || t.state == HF_CLOSED)
                assert_true(hf_iterate(b.rig.stack, &cursor, &t));
            int err = held && refuse
                          ? hf_refuse(b.rig.stack, t.handle, HF_REFUSE_SILENTLY, bench_now(&b))
                          : hf_abort(b.rig.stack, t.handle, bench_now(&b));
            assert_int_equal(err, HF_OK);
            struct hf_event e = hf_rig_event(&b.rig);
            assert_int_equal(e.bits, HF_EV_CLOSED);
            assert_int_equal(e.listener, 0);
        }
        assert_int_equal(bench_count(&b, HF_LIMIT_BACKLOG), 0);
        assert_int_equal(hf_close(b.rig.stack, b.listener, bench_now(&b)), HF_OK);
        assert_int_equal(bench_sizes(&b).listeners + bench_sizes(&b).connections, 0);
        bench_close(&b);
    }
}

/* covers: CO-4987-01: connections alive at once, of the listener and of one remote address */
static void connections_are_limited(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 4; k++) {
        bool silent = k & 1, each = k & 2;
        struct bench b;
        bench_init(&b);
        bench_open(&b, false, 1000);
        struct hf_listen listen = {.port = 80, .reset_overflow = !silent};
        *(each ? &listen.max_per_remote : &listen.max_connections) = 2;
        enum hf_reason limit = each ? HF_LIMIT_PER_REMOTE : HF_LIMIT_CONNECTIONS;
        bench_listen(&b, &listen);
        assert_true(connect_from(&b, 2, 4000));
        hf_handle first = bench_event(&b, HF_EV_ACCEPTED);
        struct hf_peer slow = bench_peer(&b, 2, 4009, 1000);
        hf_peer_send(&slow, "S seq 0 <mss 1000>");
        assert_true(hf_peer_expect(&slow, "S. seq 0 ack 1"));
        assert_true(connect_from(&b, 2, 4001));
        expect_overflow(&b, silent, 2, 4002, limit);
        hf_peer_send(&slow, ". seq 1 ack 1"); /* half-open ones don't count: the ACK does */
        assert_int_equal(hf_peer_state(&slow), HF_SYN_RCVD);
        if (each)
            assert_true(connect_from(&b, 3, 4000)); /* another remote address has its own count */
        assert_int_equal(hf_abort(b.rig.stack, first, bench_now(&b)), HF_OK);
        hf_peer_send(&slow, ". seq 1 ack 1");
        assert_int_equal(hf_peer_state(&slow), HF_ESTABLISHED);
        expect_overflow(&b, silent, 2, 4002, limit);
        bench_close(&b);
    }
}

/* ---- the end ---- */

/* covers: CALL-CLOSE-LIS-1, CALL-ABORT-LIS-1: half-open entries go with it, connections stay */
static void a_closed_listener_drops_what_is_half_open(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 4; k++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, k & 1, 0xFFFFFFF0u);
        b.listener = bench_listen(&b, &(struct hf_listen){.port = 80});
        hf_handle other = bench_listen(&b, &(struct hf_listen){.port = 81});
        struct hf_peer done = bench_peer(&b, 3, 3000, 50), half = bench_peer(&b, 4, 3000, 60);
        struct hf_peer elsewhere = bench_peer(&b, 5, 3000, 60);
        elsewhere.there.port = 81;
        assert_true(hf_peer_connect(&done, "<mss 1000>"));
        hf_peer_send(&b.peer, "S seq 0");
        assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
        hf_peer_send(&half, "S seq 0 <TS 5 0>");
        assert_true(hf_peer_expect(&half, "S. seq 0 ack 1"));
        hf_peer_send(&elsewhere, "S seq 0");
        assert_int_equal(bench_sizes(&b).half_open, 3);
        int err =
            k & 2 ? hf_abort(b.rig.stack, b.listener, 0) : hf_close(b.rig.stack, b.listener, 0);
        assert_int_equal(err, HF_OK);
        hf_rig_pull(&b.rig);
        assert_true(hf_peer_expect_nothing(&b.peer));
        /* One peer is told when it speaks, whatever it says; the other one when it is silent. */
        hf_peer_send(&b.peer, k & 1 ? "S seq 0" : "P. seq 1:11 ack 1");
        assert_true(hf_peer_expect(&b.peer, "R. seq 1 ack 1"));
        assert_int_equal(hf_peer_state(&b.peer), HF_CLOSED);
        assert_int_equal(hf_peer_state(&half), HF_SYN_RCVD);
        hf_peer_skip(&elsewhere);
        hf_rig_run(&b.rig, HF_MS(1001));
        assert_true(hf_peer_expect(&half, "1.000 R. seq 1 ack 1"));
        assert_int_equal(hf_peer_state(&half), HF_CLOSED);
        assert_true(hf_peer_expect(&elsewhere, "1.000 S. seq 0 ack 1"));
        assert_int_equal(bench_count(&b, HF_WHY_LISTENER_CLOSED), 2);
        assert_int_equal(bench_count(&b, HF_RST_REFUSED), 2);
        assert_int_equal(hf_peer_state(&done), HF_ESTABLISHED);
        assert_int_equal(bench_sizes(&b).half_open, 1);
        assert_int_equal(bench_sizes(&b).listeners, 2); /* kept for its connection */
        hf_peer_open(&b.peer, &b.rig, k & 1, 4000, 80, 1);
        hf_peer_send(&b.peer, "S seq 0");
        assert_true(hf_peer_expect(&b.peer, "R. seq 0 ack 1"));
        hf_handle conn = bench_event(&b, HF_EV_ACCEPTED);
        assert_int_equal(hf_abort(b.rig.stack, conn, bench_now(&b)), HF_OK);
        assert_int_equal(bench_sizes(&b).listeners, 1);
        assert_int_equal(hf_close(b.rig.stack, other, bench_now(&b)), HF_OK);
        assert_int_equal(bench_sizes(&b).listeners, 1); /* kept for what is half-open */
        hf_rig_run(&b.rig, HF_MS(3001));
        assert_int_equal(bench_sizes(&b).listeners, 0);
        bench_close(&b);
    }
}

/* A peer that gives up by itself needs no answer. */
static void a_reset_ends_what_a_closed_listener_left(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 1000);
    b.listener = bench_listen(&b, &(struct hf_listen){.port = 80});
    hf_peer_send(&b.peer, "S seq 0");
    assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
    assert_int_equal(hf_close(b.rig.stack, b.listener, 0), HF_OK);
    assert_int_equal(bench_sizes(&b).listeners, 1);
    hf_peer_send(&b.peer, "R seq 1");
    assert_true(bench_is_quiet(&b));
    assert_int_equal(bench_sizes(&b).half_open + bench_sizes(&b).listeners, 0);
    bench_close(&b);
}

/* However many are half-open, closing is one step, and no RST is lost in the ring of answers: they
 * leave as time passes, as many at once as the driver asks for. */
static void closing_a_busy_listener_is_one_step(void **state)
{
    (void)state;
    enum { PEERS = 2000, STEP = 16 };
    struct bench b;
    bench_init(&b);
    b.config.reply_ring = STEP;
    bench_open(&b, false, 1000);
    b.listener = bench_listen(&b, &(struct hf_listen){.port = 80});
    for (uint16_t i = 0; i < PEERS; i++)
        send_syn_from(&b, 66, (uint16_t)(1024 + i));
    while (hf_rig_pop(&b.rig, NULL, NULL, &(struct hf_caught){0}))
        continue;
    assert_int_equal(bench_sizes(&b).half_open, PEERS);
    assert_int_equal(hf_close(b.rig.stack, b.listener, bench_now(&b)), HF_OK);
    hf_rig_pull(&b.rig);
    assert_int_equal(b.rig.caught_count, 0);
    size_t told = 0;
    for (bool more = true; more;) {
        more = hf_stack_expire(b.rig.stack, HF_MS(1001), STEP);
        hf_rig_pull(&b.rig);
        assert_in_range(b.rig.caught_count, 0, STEP);
        struct hf_caught c;
        for (; hf_rig_pop(&b.rig, NULL, NULL, &c); told++)
            assert_int_equal(c.segment.flags, HF_RST | HF_ACK);
    }
    assert_int_equal(told, PEERS);
    assert_int_equal(bench_count(&b, HF_DROP_REPLY_RING), 0);
    assert_int_equal(bench_sizes(&b).half_open + bench_sizes(&b).listeners, 0);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_specific_listener_gets_the_syn),
        cmocka_unit_test(the_only_listener_is_asked_for_its_address),
        cmocka_unit_test(listeners_come_and_go),
        cmocka_unit_test(addresses_and_ports_that_do_not_match_are_left),
        cmocka_unit_test(a_prefix_may_be_the_whole_address),
        cmocka_unit_test(the_same_listener_twice_is_an_error),
        cmocka_unit_test(what_opens_nothing_is_counted),
        cmocka_unit_test(half_open_entries_are_limited),
        cmocka_unit_test(a_flood_leaves_the_rest_alone),
        cmocka_unit_test(the_backlog_is_limited),
        cmocka_unit_test(a_reset_connection_keeps_its_place_until_it_is_pulled),
        cmocka_unit_test(an_event_names_its_listener_though_the_end_came_too),
        cmocka_unit_test(an_end_before_the_event_leaves_the_backlog),
        cmocka_unit_test(connections_are_limited),
        cmocka_unit_test(a_closed_listener_drops_what_is_half_open),
        cmocka_unit_test(a_reset_ends_what_a_closed_listener_left),
        cmocka_unit_test(closing_a_busy_listener_is_one_step),
    };
    return cmocka_run_group_tests_name("listener", tests, NULL, NULL);
}
