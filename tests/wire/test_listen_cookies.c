/* SYN cookies on the wire: a handshake that is kept by the peer alone. */
#include "opening.h"

/* A listener that answers every SYN with a cookie, and a SYN that was answered. */
static void ask(struct bench *b, bool v6, const char *syn)
{
    bench_init(b);
    b->config.syn_cookies = 2;
    bench_open(b, v6, 0xFFFFFFFFu);
    b->listener = bench_listen(b, &(struct hf_listen){.port = 80});
    hf_peer_send(&b->peer, syn);
    assert_true(hf_peer_expect(&b->peer, "S. seq 0 ack 1 win 65535"));
    assert_true(bench_is_quiet(b));
}

/* covers: SM-LIS-2-cookie, CO-4987-04: nothing is kept, and the ACK brings everything back */
static void the_ack_of_a_cookie_makes_a_connection(void **state)
{
    (void)state;
    static const struct {
        const char *send, *answer;
        enum hf_state state;
        int64_t bytes;
    } cases[] = {
        {". seq 1 ack 1", NULL, HF_ESTABLISHED, HF_E_AGAIN},
        {"P. seq 1:11 ack 1", ". seq 1 ack 11", HF_ESTABLISHED, 10}, /* the bare ACK was lost */
        {"F. seq 1 ack 1", ". seq 1 ack 2", HF_CLOSE_WAIT, HF_E_END},
        {"FP. seq 1:11 ack 1", ". seq 1 ack 12", HF_CLOSE_WAIT, 10},
    };
    for (size_t i = 0; i < 8; i++) {
        struct bench b;
        ask(&b, i & 1, "S seq 0 <mss 1460>");
        assert_int_equal(bench_sizes(&b).half_open + bench_sizes(&b).connections, 0);
        assert_int_equal(hf_stack_deadline(b.rig.stack), HF_NEVER); /* no SYN,ACK comes again */
        assert_int_equal(hf_peer_state(&b.peer), HF_CLOSED);
        hf_peer_send(&b.peer, cases[i / 2].send);
        if (cases[i / 2].answer != NULL)
            assert_true(hf_peer_expect(&b.peer, cases[i / 2].answer));
        assert_true(hf_peer_expect_nothing(&b.peer));
        assert_int_equal(hf_peer_state(&b.peer), cases[i / 2].state);
        struct hf_event e = hf_rig_event(&b.rig);
        assert_int_equal(e.bits & HF_EV_ACCEPTED, HF_EV_ACCEPTED);
        assert_int_equal(e.listener, b.listener);
        struct hf_info info = bench_info(&b, e.handle);
        assert_int_equal(info.iss, b.peer.irs);
        assert_int_equal(info.irs, b.peer.iss);
        assert_int_equal(info.srtt_ns, 0);
        uint8_t bytes[20];
        assert_int_equal(hf_receive(b.rig.stack, e.handle, bytes, 20, 0), cases[i / 2].bytes);
        bench_close(&b);
    }
}

/* covers: CO-4987-05: the options ride in the timestamp */
static void options_come_back_in_the_timestamp(void **state)
{
    (void)state;
    for (int shift = -1; shift <= 15; shift++)
        for (unsigned sack = 0; sack < 2; sack++)
            for (hf_ns at_ns = 0; at_ns < HF_MS(40); at_ns += HF_MS(13)) {
                struct bench b;
                bench_init(&b);
                b.config.syn_cookies = 2;
                bench_open(&b, sack, 99);
                bench_listen(&b, &(struct hf_listen){.port = 80});
                hf_rig_run(&b.rig, at_ns);
                struct hf_segment syn = {
                    .seq = 99,
                    .flags = HF_SYN,
                    .has_timestamps = true,
                    .ts_value = 1,
                    .has_wscale = shift >= 0,
                    .wscale = (uint8_t)shift,
                    .has_sack_permitted = sack,
                };
                hf_peer_send_segment(&b.peer, &syn, NULL);
                assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
                uint32_t ts_sent = b.peer.last.segment.ts_value;
                b.peer.timestamps = true;
                hf_rig_wait(&b.rig, HF_MS(1));
                hf_peer_send(&b.peer, ". seq 1 ack 1 win 3");
                hf_handle conn = bench_event(&b, HF_EV_ACCEPTED);
                struct hf_info info = bench_info(&b, conn);
                assert_int_equal(info.window_scale, shift >= 0);
                assert_int_equal(info.snd_shift, shift < 0 ? 0 : shift > 14 ? 14 : shift);
                assert_int_equal(info.sack, sack);
                assert_true(info.timestamps);
                /* Later timestamps are not behind the bent one: the peer's PAWS would drop them. */
                assert_int_equal(hf_send(b.rig.stack, conn, "x", 1, 0, bench_now(&b)), 1);
                hf_rig_pull(&b.rig);
                assert_true(hf_peer_expect(&b.peer, "P. seq 1:2 ack 1"));
                assert_true((int32_t)(b.peer.last.segment.ts_value - ts_sent) >= 0);
                bench_close(&b);
            }
}

/* A stack that does not scale its own window lets the peer scale all the same, in a cookie too; one
 * whose option is off does not. */
static void a_cookie_may_offer_a_shift_of_zero(void **state)
{
    (void)state;
    for (int shift = -1; shift < 2; shift++) {
        struct bench b;
        bench_init(&b);
        b.config.syn_cookies = 2;
        b.config.window_scale = shift;
        bench_open(&b, false, 99);
        bench_listen(&b, &(struct hf_listen){.port = 80});
        hf_peer_send(&b.peer, "S seq 0 <mss 1460,TS 1 0,wscale 3>");
        assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
        assert_int_equal(b.peer.last.segment.has_wscale, shift >= 0);
        b.peer.timestamps = true;
        hf_peer_send(&b.peer, ". seq 1 ack 1");
        struct hf_info info = bench_info(&b, bench_event(&b, HF_EV_ACCEPTED));
        assert_int_equal(info.window_scale, shift >= 0);
        assert_int_equal(info.snd_shift, shift >= 0 ? 3 : 0);
        bench_close(&b);
    }
}

/* covers: CO-4987-04: the MSS comes back as the next lower one of eight */
static void the_mss_comes_back_in_the_number(void **state)
{
    (void)state;
    static const uint16_t mss[][2] = {{536, 536},   {1219, 536},  {1220, 1220}, {1400, 1360},
                                      {1440, 1440}, {1460, 1460}, {8959, 1460}, {9000, 8960}};
    for (size_t i = 0; i < sizeof mss / sizeof mss[0]; i++) {
        struct bench b;
        char syn[40];
        snprintf(syn, sizeof syn, "S seq 0 <mss %u>", mss[i][0]);
        ask(&b, false, syn);
        hf_peer_send(&b.peer, ". seq 1 ack 1");
        struct hf_info info = bench_info(&b, bench_event(&b, HF_EV_ACCEPTED));
        assert_int_equal(info.snd_mss_bytes, mss[i][1]);
        bench_close(&b);
    }
}

/* covers: SM-LIS-2-ack, CO-4987-06: every other number, port and address is refused */
static void what_is_no_cookie_is_refused(void **state)
{
    (void)state;
    struct bench b;
    ask(&b, false, "S seq 0 <mss 1460>");
    b.peer.absolute = true;
    uint32_t good = b.peer.irs + 1, seq = b.peer.iss + 1;
    char text[80], answer[40];
    for (unsigned bit = 0; bit < 32; bit++) { /* the lowest three are the MSS: see above */
        uint32_t ack = bit < 3 ? good + (8u << bit) : ((good - 1) ^ 1u << bit) + 1;
        snprintf(text, sizeof text, ". seq %u ack %u", seq, ack);
        snprintf(answer, sizeof answer, "R seq %u", ack);
        hf_peer_send(&b.peer, text);
        assert_true(hf_peer_expect(&b.peer, answer));
        snprintf(text, sizeof text, ". seq %u ack %u", seq ^ 1u << bit, good);
        hf_peer_send(&b.peer, text);
        assert_true(hf_peer_expect(&b.peer, "R"));
    }
    snprintf(text, sizeof text, ". seq %u ack %u", seq, good);
    snprintf(answer, sizeof answer, "R seq %u", good);
    for (unsigned k = 0; k < 4; k++) {
        struct hf_peer p = bench_peer(&b, k == 1 ? 3 : 2, k == 2 ? 4001 : 4000, b.peer.iss);
        p.absolute = true;
        p.there.port = k == 3 ? 81 : 80;
        hf_peer_send(&p, k == 0 ? "S. seq 0 ack 7" : text);
        assert_true(hf_peer_expect(&p, k == 0 ? "R seq 7" : answer));
    }
    assert_int_equal(bench_sizes(&b).connections, 0);
    assert_int_equal(bench_count(&b, HF_WHY_COOKIE), 0);
    hf_peer_send(&b.peer, text); /* the right one still works */
    assert_int_equal(hf_peer_state(&b.peer), HF_ESTABLISHED);
    bench_close(&b);
}

/* covers: CO-4987-04: an old cookie fails; so does any when none was sent lately (CO-4987-06) */
static void cookies_grow_old(void **state)
{
    (void)state;
    static const struct {
        hf_ns sent_ns, back_ns;
        bool good;
    } cases[] = {
        {0, HF_SEC(120), true},           {0, HF_MS(191999), true},
        {0, HF_SEC(192), false},          {HF_SEC(63), HF_MS(191999), true},
        {HF_SEC(63), HF_SEC(192), false}, {HF_SEC(64), HF_SEC(192), true},
        {HF_SEC(700), HF_SEC(820), true}, {0, HF_SEC(100000), false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench b;
        bench_init(&b);
        b.config.syn_cookies = 2;
        bench_open(&b, i & 1, 77);
        bench_listen(&b, &(struct hf_listen){.port = 80});
        hf_rig_run(&b.rig, cases[i].sent_ns);
        hf_peer_send(&b.peer, "S seq 0 <mss 1460>");
        assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
        hf_rig_run(&b.rig, cases[i].back_ns);
        hf_peer_send(&b.peer, ". seq 1 ack 1");
        if (!cases[i].good)
            assert_true(hf_peer_expect(&b.peer, "R seq 1"));
        assert_true(hf_peer_expect_nothing(&b.peer));
        assert_int_equal(hf_peer_state(&b.peer), cases[i].good ? HF_ESTABLISHED : HF_CLOSED);
        bench_close(&b);
    }
}

/* covers: CO-4987-04: a new key, drawn while cookies are out, leaves them good */
static void a_change_of_keys_loses_no_cookie(void **state)
{
    (void)state;
    struct bench b;
    ask(&b, false, "S seq 0 <mss 1460>");
    for (int64_t at_s = 520; at_s < 1300; at_s += 20) {
        struct hf_peer early = bench_peer(&b, 3, (uint16_t)(1000 + at_s), 5);
        struct hf_peer other = bench_peer(&b, 4, (uint16_t)(1000 + at_s), 5);
        hf_rig_run(&b.rig, HF_SEC(at_s));
        hf_peer_send(&early, "S seq 0");
        assert_true(hf_peer_expect(&early, "S. seq 0 ack 1"));
        hf_rig_run(&b.rig, HF_SEC(at_s + 10));
        hf_peer_send(&other, "S seq 0"); /* keys change when one is sent */
        assert_true(hf_peer_expect(&other, "S. seq 0 ack 1"));
        hf_peer_send(&early, ". seq 1 ack 1");
        assert_int_equal(hf_peer_state(&early), HF_ESTABLISHED);
    }
    bench_close(&b);
}

/* covers: CO-4987-01, CO-4987-04, CO-4987-07, CO-4987-08, CO-4987-11: a flood takes no memory */
static void a_flood_takes_no_memory(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    b.config.max_half_open = 8;
    bench_open(&b, false, 77);
    bench_listen(&b, &(struct hf_listen){.port = 80});
    for (uint16_t port = 1; port <= 8; port++) {
        struct hf_peer p = bench_peer(&b, 2, port, 1);
        hf_peer_send(&p, "S seq 0");
        assert_int_equal(hf_peer_state(&p), HF_SYN_RCVD);
    }
    assert_int_equal(bench_count(&b, HF_LIMIT_COOKIES), 0); /* not before entries run out */
    struct hf_stack_info before = bench_sizes(&b);
    for (uint16_t port = 100; port < 2100; port++) {
        struct hf_peer p = bench_peer(&b, 66, port, port);
        hf_peer_send(&p, "S seq 0 <mss 1460,sackOK,TS 1 0,wscale 7>");
        assert_true(hf_peer_expect(&p, "S. seq 0 ack 1"));
    }
    struct hf_stack_info after = bench_sizes(&b);
    assert_int_equal(bench_count(&b, HF_LIMIT_COOKIES), 2000);
    assert_int_equal(after.memory_bytes, before.memory_bytes);
    assert_int_equal(after.used_bytes, before.used_bytes);
    assert_int_equal(after.half_open, 8);
    assert_true(hf_peer_connect(&b.peer, "<mss 1000>")); /* a genuine one comes through */
    assert_int_equal(hf_peer_state(&b.peer), HF_ESTABLISHED);
    bench_close(&b);
}

/* covers: CO-4987-06, SM-LIS-2-ack: a cookie counts only where cookies are sent */
static void cookies_are_not_looked_for_needlessly(void **state)
{
    (void)state;
    struct bench b;
    ask(&b, false, "S seq 0 <mss 1460>");
    uint32_t irs = b.peer.irs;
    bench_close(&b);
    /* The same stack, by the same seed, that never sent a cookie: it can't have been one of its. */
    bench_open(&b, false, 0xFFFFFFFFu);
    bench_listen(&b, &(struct hf_listen){.port = 80});
    b.peer.irs = irs;
    b.peer.irs_known = true;
    hf_peer_send(&b.peer, ". seq 1 ack 1");
    assert_true(hf_peer_expect(&b.peer, "R seq 1"));
    assert_int_equal(bench_sizes(&b).connections, 0);
    bench_close(&b);
}

/* covers: CO-4987-01: the backlog holds for cookies too, and the ACK can come again */
static void a_full_backlog_refuses_cookies(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    b.config.syn_cookies = 2;
    bench_open(&b, false, 77);
    bench_listen(&b, &(struct hf_listen){.port = 80, .backlog = 1});
    struct hf_peer p = bench_peer(&b, 3, 4000, 5);
    hf_peer_send(&p, "S seq 0");
    assert_true(hf_peer_expect(&p, "S. seq 0 ack 1"));
    assert_true(hf_peer_connect(&b.peer, "<mss 1460>"));
    hf_peer_send(&p, "P. seq 1:11 ack 1");
    assert_true(hf_peer_expect_nothing(&p));
    assert_int_equal(hf_peer_state(&p), HF_CLOSED);
    assert_int_equal(bench_count(&b, HF_DROP_BACKLOG), 1);
    assert_int_not_equal(bench_event(&b, HF_EV_ACCEPTED), 0);
    hf_peer_send(&p, "P. seq 1:11 ack 1");
    assert_int_equal(hf_peer_state(&p), HF_ESTABLISHED);
    bench_close(&b);
}

/* A closed listener takes nobody any more: what it promised in a cookie, a window above all, is not
 * kept by another one that is found in its place. Handles survive a restart, and so do cookies. */
static void a_cookie_is_good_for_its_listener_only(void **state)
{
    (void)state;
    enum { REOPENED, MORE_SPECIFIC, RESTORED, CASES };
    for (int k = 0; k < CASES; k++) {
        struct bench b;
        ask(&b, false, "S seq 0 <mss 1460>");
        struct hf_listen what = {.port = 80};
        if (k == REOPENED) {
            assert_int_equal(hf_close(b.rig.stack, b.listener, bench_now(&b)), HF_OK);
        } else {
            what.addr = b.peer.there.addr;
            what.prefix_bits = 32;
        }
        if (k == RESTORED) {
            assert_int_equal(hf_rig_replace(&b.rig, HF_SEC(7)), HF_OK);
        } else {
            hf_handle other = bench_listen(&b, &what);
            assert_int_equal(
                hf_set(b.rig.stack, other, HF_OPT_RECEIVE_BUFFER_BYTES, 4096, bench_now(&b)),
                HF_OK);
        }
        hf_peer_send(&b.peer, ". seq 1 ack 1");
        assert_int_equal(bench_sizes(&b).connections, k == RESTORED);
        if (k != RESTORED) {
            assert_true(hf_peer_expect(&b.peer, "R seq 1"));
            hf_peer_send(&b.peer, "S seq 0 <mss 1460>");
            assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1 win 4096"));
            hf_peer_send(&b.peer, ". seq 1 ack 1");
        }
        assert_int_equal(hf_peer_state(&b.peer), HF_ESTABLISHED);
        bench_close(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ack_of_a_cookie_makes_a_connection),
        cmocka_unit_test(options_come_back_in_the_timestamp),
        cmocka_unit_test(a_cookie_may_offer_a_shift_of_zero),
        cmocka_unit_test(the_mss_comes_back_in_the_number),
        cmocka_unit_test(what_is_no_cookie_is_refused),
        cmocka_unit_test(cookies_grow_old),
        cmocka_unit_test(a_change_of_keys_loses_no_cookie),
        cmocka_unit_test(a_flood_takes_no_memory),
        cmocka_unit_test(cookies_are_not_looked_for_needlessly),
        cmocka_unit_test(a_full_backlog_refuses_cookies),
        cmocka_unit_test(a_cookie_is_good_for_its_listener_only),
    };
    return cmocka_run_group_tests_name("listen_cookies", tests, NULL, NULL);
}
