/* Options of a connection and a listener that the wire shows. */
#include "opening.h"

static void set(struct bench *b, hf_handle h, enum hf_option o, int64_t value)
{
    int64_t now_is = -1;
    assert_int_equal(hf_set(b->rig.stack, h, o, value, bench_now(b)), HF_OK);
    assert_int_equal(hf_get(b->rig.stack, h, o, &now_is), HF_OK);
    assert_int_equal(now_is, value);
}

/* A SYN with no option but the MSS. */
static void init_plain(struct bench *b)
{
    bench_init(b);
    b->config.window_scale = -1;
    b->config.timestamps = b->config.sack = 0;
}

static hf_handle begin_connect(struct bench *b)
{
    struct hf_connect what = {.local = {.port = b->peer.there.port}, .remote = b->peer.here};
    hf_handle conn = 0;
    assert_int_equal(hf_connect(b->rig.stack, &what, &conn, bench_now(b)), HF_OK);
    return conn;
}

/* covers: SHLD-5, MUST-14, MUST-16
 * The MSS that the application allows goes out with the SYN and limits what is sent. */
static void a_smaller_mss_is_offered_and_kept_to(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct bench b;
        init_plain(&b);
        bench_open(&b, v6 != 0, bench_isses[0]);
        b.conn = begin_connect(&b);
        set(&b, b.conn, HF_OPT_MSS_BYTES, 1100);
        hf_rig_pull(&b.rig);
        assert_true(hf_peer_expect(&b.peer, "S seq 0 <mss 1100>"));
        hf_peer_send(&b.peer, "S. seq 0 ack 1 <mss 1400>");
        assert_true(hf_peer_expect(&b.peer, ". seq 1 ack 1"));
        uint8_t bytes[2500] = {0};
        assert_int_equal(hf_send(b.rig.stack, b.conn, bytes, 2500, 0, bench_now(&b)), 2500);
        hf_rig_pull(&b.rig);
        assert_true(hf_peer_expect(&b.peer, ". seq 1:1101"));
        assert_true(hf_peer_expect(&b.peer, ". seq 1101:2201"));
        bench_close(&b);
    }
}

/* Likewise of a listener: in the SYN,ACK of an entry, of a cookie, and of a held request; what it
 * accepts inherits it. A larger one than the path's changes nothing. */
static void a_listener_offers_its_mss(void **state)
{
    (void)state;
    for (unsigned form = 0; form < 3; form++) {
        struct bench b;
        bench_init(&b);
        b.config.syn_cookies = form == 1 ? 2 : 0;
        bench_open(&b, false, bench_isses[1]);
        b.listener = bench_listen(&b, &(struct hf_listen){.port = 80, .held = form == 2});
        set(&b, b.listener, HF_OPT_MSS_BYTES, 1100);
        hf_peer_send(&b.peer, "S seq 0 <mss 1300>");
        if (form == 2) {
            hf_handle held = bench_event(&b, HF_EV_SYN);
            assert_int_equal(hf_admit(b.rig.stack, held, bench_now(&b)), HF_OK);
            hf_rig_pull(&b.rig);
        }
        assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1 <mss 1100>"));
        hf_peer_send(&b.peer, ". ack 1");
        b.conn = bench_established(&b, form == 2 ? ADMITTED : HALF_OPEN);
        uint8_t bytes[1200] = {0};
        assert_int_equal(hf_send(b.rig.stack, b.conn, bytes, 1200, 0, bench_now(&b)), 1200);
        hf_rig_pull(&b.rig);
        assert_true(hf_peer_expect(&b.peer, ". seq 1:1101"));
        set(&b, b.listener, HF_OPT_MSS_BYTES, 9000);
        struct hf_peer other = bench_peer(&b, 3, 4001, 5);
        if (form == 0) {
            hf_peer_send(&other, "S seq 0 <mss 1300>");
            assert_true(hf_peer_expect(&other, "S. seq 0 ack 1 <mss 1460>"));
        }
        bench_close(&b);
    }
}

/* Segments that could not hold data beside all options are not asked for; 0 takes it back. */
static void a_tiny_mss_is_refused(void **state)
{
    (void)state;
    struct bench b;
    init_plain(&b);
    bench_open(&b, false, 1);
    b.conn = begin_connect(&b);
    for (int64_t mss = 1; mss < 88; mss++)
        assert_int_equal(hf_set(b.rig.stack, b.conn, HF_OPT_MSS_BYTES, mss, 0), HF_E_INVALID);
    set(&b, b.conn, HF_OPT_MSS_BYTES, 88);
    assert_int_equal(hf_set(b.rig.stack, b.conn, HF_OPT_MSS_BYTES, 0, 0), HF_OK);
    hf_rig_pull(&b.rig);
    assert_true(hf_peer_expect(&b.peer, "S seq 0 <mss 1460>"));
    bench_close(&b);
}

/* The SYN goes out once and as often again as the option says; the stack's setting is what it
 * begins with. */
static void syn_retries_can_be_chosen(void **state)
{
    (void)state;
    for (int64_t retries = 0; retries < 4; retries++) {
        struct bench b;
        int64_t begins_with = 0;
        bench_init(&b);
        bench_open(&b, false, 1);
        assert_int_equal(hf_get(b.rig.stack, 0, HF_OPT_SYN_RETRIES, &begins_with), HF_OK);
        assert_int_equal(begins_with, b.config.syn_retries);
        b.conn = begin_connect(&b);
        set(&b, b.conn, HF_OPT_SYN_RETRIES, retries);
        hf_rig_wait(&b.rig, HF_SEC(200));
        assert_int_equal(hf_peer_skip(&b.peer), retries + 1);
        assert_int_equal(bench_info(&b, b.conn).how, HF_CLOSED_TIMED_OUT);
        bench_close(&b);
    }
}

/* Whether an ACK leaves at once is the application's choice, segment by segment. */
static void quick_acks_can_be_switched(void **state)
{
    (void)state;
    struct bench b;
    int64_t value;
    bench_init(&b);
    b.config.quick_acks_after_idle = 0;
    bench_open(&b, false, 1);
    bench_syn_rcvd(&b, HALF_OPEN, "<mss 1000>");
    hf_peer_send(&b.peer, ". ack 1");
    b.conn = bench_established(&b, HALF_OPEN);
    set(&b, b.conn, HF_OPT_QUICK_ACKS, 0);
    hf_peer_send(&b.peer, "P. seq 1:11 ack 1");
    assert_true(hf_peer_expect_nothing(&b.peer));
    hf_rig_wait(&b.rig, HF_MS(500));
    assert_true(hf_peer_expect(&b.peer, ". seq 1 ack 11"));
    set(&b, b.conn, HF_OPT_QUICK_ACKS, 1);
    hf_peer_send(&b.peer, "P. seq 11:21 ack 1");
    assert_true(hf_peer_expect(&b.peer, ". seq 1 ack 21"));
    hf_peer_send(&b.peer, "P. seq 21:31 ack 1");
    assert_true(hf_peer_expect_nothing(&b.peer));
    assert_int_equal(hf_set(b.rig.stack, b.listener, HF_OPT_QUICK_ACKS, 1, bench_now(&b)),
                     HF_E_INVALID);
    assert_int_equal(hf_get(b.rig.stack, b.listener, HF_OPT_QUICK_ACKS, &value), HF_E_INVALID);
    bench_close(&b);
}

/* Events are of what happened: an option that is set tells of unread data again only if it moves
 * the mark that data is told at, and of no data never. */
static void options_raise_no_events(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 1);
    bench_syn_rcvd(&b, HALF_OPEN, "<mss 1000>");
    hf_peer_send(&b.peer, ". ack 1");
    b.conn = bench_established(&b, HALF_OPEN);
    set(&b, b.conn, HF_OPT_RECEIVE_BUFFER_BYTES, 1);
    set(&b, b.conn, HF_OPT_RECEIVE_LOW_WATER_BYTES, 1);
    assert_int_equal(hf_rig_event(&b.rig).bits, 0);
    hf_peer_send(&b.peer, "P. seq 1:11 ack 1");
    assert_int_equal(hf_rig_event(&b.rig).bits, HF_EV_READABLE);
    set(&b, b.conn, HF_OPT_NAGLE, 0);
    set(&b, b.conn, HF_OPT_TTL, 7);
    assert_int_equal(hf_rig_event(&b.rig).bits, 0);
    set(&b, b.conn, HF_OPT_RECEIVE_LOW_WATER_BYTES, 2);
    assert_int_equal(hf_rig_event(&b.rig).bits, HF_EV_READABLE);
    bench_close(&b);
}

/* The backlog of a listener moves; 0 lets nobody in, which no setting of hf_listen says. */
static void the_backlog_can_be_moved(void **state)
{
    (void)state;
    struct bench b;
    int64_t value;
    bench_init(&b);
    bench_open(&b, false, 1);
    b.listener = bench_listen(&b, &(struct hf_listen){.port = 80});
    set(&b, b.listener, HF_OPT_BACKLOG, 0);
    hf_peer_send(&b.peer, "S seq 0");
    assert_true(hf_peer_expect_nothing(&b.peer));
    set(&b, b.listener, HF_OPT_BACKLOG, 1);
    hf_peer_send(&b.peer, "S seq 0");
    assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
    hf_peer_send(&b.peer, ". ack 1");
    struct hf_peer second = bench_peer(&b, 3, 4001, 5);
    hf_peer_send(&second, "S seq 0");
    assert_true(hf_peer_expect_nothing(&second));
    b.conn = bench_established(&b, HALF_OPEN);
    assert_int_equal(hf_set(b.rig.stack, b.conn, HF_OPT_BACKLOG, 1, bench_now(&b)), HF_E_INVALID);
    assert_int_equal(hf_get(b.rig.stack, b.conn, HF_OPT_BACKLOG, &value), HF_E_INVALID);
    bench_close(&b);
}

/* Two wildcards beside each other: one for IPv6 alone, one for IPv4 or for both. */
static void a_wildcard_can_be_of_ipv6_alone(void **state)
{
    (void)state;
    for (unsigned both = 0; both < 2; both++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, false, 1);
        b.listener = bench_listen(&b, &(struct hf_listen){.port = 80, .v6_only = true});
        hf_peer_send(&b.peer, "S seq 0");
        assert_true(hf_peer_expect(&b.peer, "R. seq 0 ack 1"));
        struct hf_listen other = {.port = 80};
        if (both == 0)
            other.addr = hf_addr_v4(0, 0, 0, 0);
        hf_handle v4 = bench_listen(&b, &other);
        struct hf_peer p4 = bench_peer(&b, 2, 4001, 5), p6;
        hf_peer_open(&p6, &b.rig, true, 4000, 80, 7);
        assert_true(hf_peer_connect(&p4, ""));
        struct hf_event e = hf_rig_event(&b.rig);
        assert_true(e.listener == v4);
        assert_true(hf_peer_connect(&p6, ""));
        e = hf_rig_event(&b.rig);
        assert_true(e.listener == b.listener);
        bench_close(&b);
    }
}

/* An address, not a family: v6_only says nothing there. */
static void only_a_wildcard_can_be_of_ipv6_alone(void **state)
{
    (void)state;
    struct bench b;
    hf_handle h;
    bench_init(&b);
    bench_open(&b, false, 1);
    struct hf_listen what = {.port = 80, .v6_only = true, .addr = hf_addr_v4(10, 0, 0, 1)};
    what.prefix_bits = 32;
    assert_int_equal(hf_listen(b.rig.stack, &what, &h, 0), HF_E_INVALID);
    struct hf_addr ours = hf_addr_v4(10, 0, 0, 1), other = hf_addr_v4(10, 0, 0, 9);
    assert_true(hf_stack_has_address(b.rig.stack, &ours));
    assert_false(hf_stack_has_address(b.rig.stack, &other));
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_smaller_mss_is_offered_and_kept_to),
        cmocka_unit_test(a_listener_offers_its_mss),
        cmocka_unit_test(a_tiny_mss_is_refused),
        cmocka_unit_test(syn_retries_can_be_chosen),
        cmocka_unit_test(quick_acks_can_be_switched),
        cmocka_unit_test(options_raise_no_events),
        cmocka_unit_test(the_backlog_can_be_moved),
        cmocka_unit_test(a_wildcard_can_be_of_ipv6_alone),
        cmocka_unit_test(only_a_wildcard_can_be_of_ipv6_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
