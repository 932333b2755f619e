/* What a SYN or SYN,ACK said of the window holds, though the pool of blocks fills up before the
 * handshake is complete [RFC9293#3.8.6 SHLD-14]. */
#include "opening.h"

enum { FULL_WINDOW = 49152 }; /* three quarters of the pool */

/* A stack with a small pool that listens at port 80, and 44 KB that it can be filled with. */
static void open_small(struct bench *b, int64_t syn_cookies, struct hf_peer *filler)
{
    bench_init(b);
    b->config.pool_bytes = 65536;
    b->config.syn_cookies = syn_cookies;
    bench_open(b, false, 0xFFFFF000u);
    b->listener = bench_listen(b, &(struct hf_listen){.port = 80});
    *filler = bench_peer(b, 9, 999, 5);
    assert_true(hf_peer_connect(filler, "<mss 1460>"));
    assert_int_not_equal(bench_event(b, HF_EV_ACCEPTED), 0);
}

/* Nobody reads it: what new windows may promise shrinks to two blocks. */
static void fill(struct bench *b, struct hf_peer *filler)
{
    for (int i = 0; i < 44; i++)
        hf_peer_send(filler, "P. len 1000");
    assert_int_equal(bench_sizes(b).pool_used_bytes, 45056);
    hf_peer_skip(filler);
    while (hf_rig_event(&b->rig).bits != 0)
        continue;
}

/* The right edge that the stack's segment popped last announces, relative to the peer's number. */
static uint32_t edge_of(const struct bench *b, unsigned shift)
{
    const struct hf_segment *seg = &b->peer.last.segment;
    return seg->ack + ((uint32_t)seg->window << shift) - b->peer.iss - 1;
}

/* A cookie keeps nothing, and still nothing of its window is taken back. */
static void a_cookie_keeps_its_window(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 4; k++) {
        bool options = k & 1, set = k & 2;
        struct bench b;
        struct hf_peer filler;
        open_small(&b, 2, &filler);
        b.peer.timestamps = options;
        hf_peer_send(&b.peer, options ? "S seq 0 <mss 1460,TS,wscale 7>" : "S seq 0 <mss 1460>");
        assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
        assert_int_equal(b.peer.last.segment.window, FULL_WINDOW);
        fill(&b, &filler);
        if (set) /* nor does a listener's smaller buffer take anything back */
            assert_int_equal(
                hf_set(b.rig.stack, b.listener, HF_OPT_RECEIVE_BUFFER_BYTES, 4096, bench_now(&b)),
                HF_OK);
        hf_peer_send(&b.peer, "P. seq 1:11 ack 1");
        assert_true(hf_peer_expect(&b.peer, ". seq 1 ack 11"));
        unsigned unit = options ? 128 : 1;
        assert_true(edge_of(&b, options ? 7 : 0) + unit > FULL_WINDOW);
        hf_handle conn = bench_event(&b, HF_EV_ACCEPTED);
        assert_true(bench_info(&b, conn).rcv_wnd_bytes + 10 >= FULL_WINDOW);
        bench_close(&b);
    }
}

/* Said while the pool was full, it may grow: the edge moves to the right only. */
static void a_cookie_says_the_same_in_need(void **state)
{
    (void)state;
    struct bench b;
    struct hf_peer filler;
    open_small(&b, 2, &filler);
    fill(&b, &filler);
    hf_peer_send(&b.peer, "S seq 0 <mss 1460>");
    assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
    uint32_t said = b.peer.last.segment.window;
    hf_peer_send(&b.peer, ". seq 1 ack 1");
    assert_true(bench_info(&b, bench_event(&b, HF_EV_ACCEPTED)).rcv_wnd_bytes >= said);
    bench_close(&b);
}

/* Our own SYN's window, when it is answered and when it meets the peer's SYN. */
static void a_syn_keeps_its_window(void **state)
{
    (void)state;
    for (unsigned crossed = 0; crossed < 2; crossed++) {
        struct bench b;
        struct hf_peer filler;
        open_small(&b, 0, &filler);
        b.conn = bench_connect(&b);
        assert_true(hf_peer_expect(&b.peer, "S seq 0"));
        assert_int_equal(b.peer.last.segment.window, FULL_WINDOW);
        fill(&b, &filler);
        hf_rig_run(&b.rig, HF_MS(1001));
        assert_true(hf_peer_expect(&b.peer, "S seq 0"));
        assert_int_equal(b.peer.last.segment.window, FULL_WINDOW);
        hf_peer_send(&b.peer, crossed ? "S seq 0 <mss 1460>" : "S. seq 0 ack 1 <mss 1460>");
        assert_true(hf_peer_expect(&b.peer, crossed ? "S. seq 0 ack 1" : ". seq 1 ack 1"));
        assert_true(edge_of(&b, 0) >= FULL_WINDOW);
        assert_true(bench_info(&b, b.conn).rcv_wnd_bytes >= FULL_WINDOW);
        bench_close(&b);
    }
}

/* The SYN,ACK may have to go out again, and its window is not scaled: no ACK that leaves before it
 * was acknowledged says more. */
static void an_ack_says_no_more_than_the_syn_ack(void **state)
{
    (void)state;
    for (enum form form = ADMITTED; form <= CROSSED; form++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, false, 1000);
        bench_syn_rcvd(&b, form, "<mss 1460,wscale 3>");
        uint16_t told = b.peer.last.segment.window;
        hf_peer_send(&b.peer, ". seq 1000000 ack 1"); /* outside of the window */
        assert_true(hf_peer_expect(&b.peer, ". seq 1 ack 1"));
        assert_true(b.peer.last.segment.window > 0);
        assert_in_range(b.peer.last.segment.window << b.config.window_scale, 1, told);
        hf_rig_wait(&b.rig, HF_MS(1100));
        assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
        assert_int_equal(b.peer.last.segment.window, told);
        bench_close(&b);
    }
}

/* A SYN that never left has promised nothing: what the options say by then counts. */
static void a_syn_that_never_left_promised_nothing(void **state)
{
    (void)state;
    for (unsigned crossed = 0; crossed < 2; crossed++) {
        struct bench b;
        struct hf_peer filler;
        open_small(&b, 0, &filler);
        struct hf_connect what = {.local = {.port = 80}, .remote = b.peer.here};
        assert_int_equal(hf_connect(b.rig.stack, &what, &b.conn, bench_now(&b)), HF_OK);
        assert_int_equal(
            hf_set(b.rig.stack, b.conn, HF_OPT_RECEIVE_BUFFER_BYTES, 5000, bench_now(&b)), HF_OK);
        if (crossed) /* the peer's SYN is there first */
            hf_peer_send(&b.peer, "S seq 0 <mss 1460>");
        else
            hf_rig_pull(&b.rig);
        assert_true(hf_peer_expect(&b.peer, crossed ? "S. seq 0 ack 1 win 5000" : "S win 5000"));
        bench_close(&b);
    }
}

/* A buffer that is made larger before the answer to our SYN came: there is nobody yet to tell. */
static void a_larger_buffer_waits_for_the_answer(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    b.config.receive_buffer_bytes = 5000;
    bench_open(&b, false, 1);
    b.conn = bench_connect(&b);
    assert_true(hf_peer_expect(&b.peer, "S seq 0 win 5000"));
    assert_int_equal(hf_set(b.rig.stack, b.conn, HF_OPT_RECEIVE_BUFFER_BYTES, 50000, bench_now(&b)),
                     HF_OK);
    hf_rig_pull(&b.rig);
    assert_true(hf_peer_expect_nothing(&b.peer));
    hf_peer_send(&b.peer, "S. seq 0 ack 1");
    assert_true(hf_peer_expect(&b.peer, ". seq 1 ack 1 win 50000"));
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cookie_keeps_its_window),
        cmocka_unit_test(a_cookie_says_the_same_in_need),
        cmocka_unit_test(a_syn_keeps_its_window),
        cmocka_unit_test(an_ack_says_no_more_than_the_syn_ack),
        cmocka_unit_test(a_syn_that_never_left_promised_nothing),
        cmocka_unit_test(a_larger_buffer_waits_for_the_answer),
    };
    return cmocka_run_group_tests_name("syn_window", tests, NULL, NULL);
}
