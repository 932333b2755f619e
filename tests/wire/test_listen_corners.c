/* Listeners beside each other and at their limits, open requests that change, and ports that are
 * all taken: what decides where two things meet. */
#include "opening.h"

static void expect_listener(struct bench *b, uint8_t third, uint16_t port, hf_handle expected)
{
    static uint16_t from = 5000;
    struct hf_peer peer = bench_peer(b, 2, ++from, 77);
    peer.there = (struct hf_endpoint){hf_addr_v4(10, 7, third, 1), port};
    assert_true(hf_peer_connect(&peer, "<mss 1460>"));
    struct hf_event e = hf_rig_event(&b->rig);
    assert_int_equal(e.bits & HF_EV_ACCEPTED, HF_EV_ACCEPTED);
    assert_true(e.listener == expected);
}

/* The longer prefix wins over a named port, a named port over all ports, whoever was there first;
 * prefixes of one length beside each other are different listeners. */
static void the_most_specific_listener_takes_it(void **state)
{
    (void)state;
    for (unsigned order = 0; order < 2; order++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, false, 1);
        const struct hf_listen what[] = {
            {.addr = hf_addr_v4(10, 7, 1, 0), .prefix_bits = 24, .port = 80},
            {.addr = hf_addr_v4(10, 7, 1, 0), .prefix_bits = 24},
            {.addr = hf_addr_v4(10, 7, 2, 0), .prefix_bits = 24, .port = 80},
            {.addr = hf_addr_v4(10, 7, 3, 0), .prefix_bits = 24},
            {.addr = hf_addr_v4(10, 7, 0, 0), .prefix_bits = 16, .port = 80},
        };
        hf_handle handles[HF_COUNT_OF(what)], again;
        for (size_t i = 0; i < HF_COUNT_OF(what); i++) {
            size_t k = order == 0 ? i : HF_COUNT_OF(what) - 1 - i;
            handles[k] = bench_listen(&b, &what[k]);
        }
        for (size_t i = 0; i < HF_COUNT_OF(what); i++)
            assert_int_equal(hf_listen(b.rig.stack, &what[i], &again, 0), HF_E_EXISTS);
        expect_listener(&b, 1, 80, handles[0]);
        expect_listener(&b, 1, 81, handles[1]);
        expect_listener(&b, 2, 80, handles[2]);
        expect_listener(&b, 3, 80, handles[3]);
        expect_listener(&b, 9, 80, handles[4]);
        assert_int_equal(hf_close(b.rig.stack, handles[0], 0), HF_OK);
        expect_listener(&b, 1, 80, handles[1]);
        bench_close(&b);
    }
}

/* The stack's own limit counts beside the listener's. */
static void the_stack_has_a_limit_of_its_own(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    b.config.max_connections = 2;
    bench_open(&b, false, 1);
    b.listener = bench_listen(&b, &(struct hf_listen){.port = 80});
    for (uint16_t i = 0; i < 3; i++) {
        struct hf_peer peer = bench_peer(&b, 2, (uint16_t)(4000 + i), 77);
        hf_peer_send(&peer, "S seq 0 <mss 1460>");
        assert_int_equal(hf_peer_pop(&peer), i < 2);
        if (i < 2)
            hf_peer_send(&peer, ". ack 1");
    }
    assert_int_equal(bench_count(&b, HF_LIMIT_CONNECTIONS), 1);
    bench_close(&b);
}

/* [RFC9293#3.6.1] A newer SYN to a TIME-WAIT is never answered by a cookie, which would forget the
 * old numbers; with no entry to be had it is not answered at all. */
static void a_newer_syn_gets_no_cookie(void **state)
{
    (void)state;
    for (int64_t cookies = 0; cookies < 3; cookies++) {
        for (uint32_t room = 0; room < 2; room++) {
            struct bench b;
            bench_init(&b);
            b.config.syn_cookies = cookies;
            b.config.max_half_open = 1;
            bench_open(&b, false, 1);
            b.listener = bench_listen(&b, &(struct hf_listen){.port = 80});
            assert_true(hf_peer_connect(&b.peer, "<mss 1460>"));
            b.conn = bench_event(&b, HF_EV_ACCEPTED);
            assert_int_equal(hf_close(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
            hf_rig_pull(&b.rig);
            hf_peer_send(&b.peer, "F. seq 1 ack 2");
            assert_int_equal(hf_peer_state(&b.peer), HF_TIME_WAIT);
            hf_peer_skip(&b.peer);
            if (room == 0 && cookies < 2) { /* another takes the one entry */
                struct hf_peer other = bench_peer(&b, 3, 4001, 5);
                hf_peer_send(&other, "S seq 0");
                assert_true(hf_peer_pop(&other));
            } else if (room == 0) {
                assert_int_equal(hf_set(b.rig.stack, b.listener, HF_OPT_BACKLOG, 0, bench_now(&b)),
                                 HF_OK);
            }
            hf_peer_send(&b.peer, "S seq 100000");
            assert_int_equal(b.rig.caught_count, room); /* a cookie would be one too */
            assert_int_equal(bench_count(&b, HF_LIMIT_HALF_OPEN), room == 0 && cookies < 2);
            assert_int_equal(hf_peer_state(&b.peer), room == 1 ? HF_SYN_RCVD : HF_TIME_WAIT);
            bench_close(&b);
        }
    }
}

/* [RFC7323#4.3] A SYN that comes again may bring a newer timestamp, not an older one. */
static void the_newest_syn_is_echoed(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 1);
    b.listener = bench_listen(&b, &(struct hf_listen){.port = 80});
    static const struct {
        const char *syn;
        uint32_t echo;
    } rows[] = {{"S seq 0 <mss 1460,TS 100 0>", 100},
                {"S seq 0 <mss 1460,TS 90 0>", 100},
                {"S seq 0 <mss 1460,TS 110 0>", 110},
                {"S seq 0 <mss 1460>", 110}};
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++) {
        hf_peer_send(&b.peer, rows[i].syn);
        assert_true(hf_peer_pop(&b.peer));
        assert_int_equal(b.peer.last.segment.ts_echo, rows[i].echo);
    }
    bench_close(&b);
}

/* A held request ends when its peer begins another: with a number in what would be the window,
 * neither before it nor behind. */
static void another_syn_withdraws_a_held_request(void **state)
{
    (void)state;
    static const struct {
        const char *segment;
        bool withdrawn;
    } rows[] = {{"S seq 0", false},          {"S seq 1", true},
                {"S seq 65535", true},       {"S seq 200000", false},
                {"S seq 4294967290", false}, {"SR seq 2", false},
                {". seq 1 ack 1", false},    {"R seq 1", true}};
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, false, 1);
        b.listener = bench_listen(&b, &(struct hf_listen){.port = 80, .held = true});
        hf_peer_send(&b.peer, "S seq 0 win 1000");
        b.conn = bench_event(&b, HF_EV_SYN);
        hf_peer_send(&b.peer, rows[i].segment);
        struct hf_event e = hf_rig_event(&b.rig);
        assert_int_equal(e.how, rows[i].withdrawn ? HF_CLOSED_WITHDRAWN : HF_CLOSED_NOT);
        assert_int_equal(b.rig.caught_count, 0);
        bench_close(&b);
    }
}

/* That all ports towards one destination are taken says nothing of another, nor of another address
 * of ours towards the same. */
static void taken_ports_are_taken_between_two_ends(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    b.config.port_min = 50000;
    b.config.port_max = 50001;
    bench_open(&b, false, 1);
    struct hf_addr second = hf_addr_v4(10, 0, 0, 9);
    assert_int_equal(hf_stack_add_address(b.rig.stack, &second, 32), HF_OK);
    struct hf_connect what = {.remote = b.peer.here};
    for (int i = 0; i < 4; i++)
        assert_int_equal(hf_connect(b.rig.stack, &what, &b.conn, 0), i < 2 ? HF_OK : HF_E_PORTS);
    what.local.addr = second;
    assert_int_equal(hf_connect(b.rig.stack, &what, &b.conn, 0), HF_OK);
    what.local.addr = (struct hf_addr){0};
    what.remote.addr.octets[15] = 77;
    assert_int_equal(hf_connect(b.rig.stack, &what, &b.conn, 0), HF_OK);
    what.remote = b.peer.here;
    what.remote.port++;
    assert_int_equal(hf_connect(b.rig.stack, &what, &b.conn, 0), HF_OK);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_specific_listener_takes_it),
        cmocka_unit_test(the_stack_has_a_limit_of_its_own),
        cmocka_unit_test(a_newer_syn_gets_no_cookie),
        cmocka_unit_test(the_newest_syn_is_echoed),
        cmocka_unit_test(another_syn_withdraws_a_held_request),
        cmocka_unit_test(taken_ports_are_taken_between_two_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
