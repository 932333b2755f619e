/* The pair and the bench with real stacks: that they run, repeat themselves, and tell the truth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lab/pair.h"
#include "lab/pattern.h"
#include "lab/peer.h"

static struct hf_pair_scenario plain(uint64_t a_bytes, uint64_t b_bytes)
{
    struct hf_pair_scenario s = {.seed = 1};
    s.a.send_bytes = a_bytes;
    s.b.send_bytes = b_bytes;
    s.b.open = HF_APP_LISTEN;
    s.ab.path.delay_ns = s.ba.path.delay_ns = HF_MS(10);
    return s;
}

/* Says the first violation if there is one. */
static void run(struct hf_pair *p, const struct hf_pair_scenario *s)
{
    hf_pair_run(p, s);
    if (p->report.violations > 0)
        fail_msg("%s", p->report.violation);
    assert_true(p->report.quiet);
}

static void a_transfer_both_ways_is_clean(void **state)
{
    struct hf_pair *p = *state;
    for (int v6 = 0; v6 < 2; v6++) {
        struct hf_pair_scenario s = plain(100000, 50000);
        s.v6 = v6;
        run(p, &s);
        assert_true(hf_pair_is_clean(p));
        assert_int_equal(p->report.a.how, HF_CLOSED_FIN);
        assert_int_equal(p->report.b.how, HF_CLOSED_FIN);
        assert_int_equal(p->report.a.connected_at_ns, HF_MS(20));
        assert_int_equal(p->report.a.closed_events, 1);
        assert_true(p->report.a.event_count > 0);
        assert_true(p->report.a.events[0].bits & HF_EV_CONNECTED);
    }
}

static void the_same_scenario_gives_the_same_transcript(void **state)
{
    struct hf_pair *p = *state;
    struct hf_transcript one, two;
    hf_transcript_init(&one, HF_DETAIL_WINDOW | HF_DETAIL_OPTIONS | HF_DETAIL_TIMESTAMPS);
    hf_transcript_init(&two, one.detail);
    struct hf_pair_scenario s = plain(60000, 60000);
    s.ab.path.loss_ppm = s.ba.path.loss_ppm = 30000;
    s.ab.path.late_ppm = s.ba.path.duplicate_ppm = s.ab.path.corrupt_ppm = 20000;
    s.transcript = &one;
    run(p, &s);
    s.transcript = &two;
    run(p, &s);
    assert_true(one.length_bytes > 1000);
    assert_string_equal(one.text, two.text);
    hf_transcript_clear(&two);
    s.seed = 2;
    run(p, &s);
    assert_string_not_equal(one.text, two.text);
    hf_transcript_free(&one);
    hf_transcript_free(&two);
}

static void every_opening_works(void **state)
{
    struct hf_pair *p = *state;
    struct hf_pair_scenario s = plain(3000, 2000);
    s.b.open = HF_APP_LISTEN_HELD;
    s.b.decide_after_ns = HF_MS(100);
    run(p, &s);
    assert_true(hf_pair_is_clean(p));
    assert_int_equal(p->report.a.connected_at_ns, HF_MS(120));

    s.b.refuse = true;
    run(p, &s);
    assert_int_equal(p->report.a.how, HF_CLOSED_REFUSED);
    assert_int_equal(p->report.b.how, HF_CLOSED_REJECTED);
    assert_false(p->report.a.connected);

    s = plain(3000, 2000);
    s.b.open = HF_APP_CONNECT; /* both at once */
    run(p, &s);
    assert_true(hf_pair_is_clean(p));

    s.b.open = HF_APP_PASSIVE;
    run(p, &s);
    assert_int_equal(p->report.a.how, HF_CLOSED_REFUSED);
    assert_int_equal(p->report.b.closed_events, 0);
}

static void every_closing_ends(void **state)
{
    struct hf_pair *p = *state;
    struct hf_pair_scenario s = plain(5000, 0);
    s.a.close = HF_APP_CLOSE_NOW;
    s.b.close = HF_APP_CLOSE_LAST;
    run(p, &s);
    assert_true(hf_pair_is_clean(p));

    s = plain(200000, 0);
    s.a.close = HF_APP_CLOSE_ABORT;
    s.a.close_at_bytes = 20000;
    s.a.close_wait_ns = HF_MS(50);
    run(p, &s);
    assert_int_equal(p->report.a.how, HF_CLOSED_ABORTED);
    assert_int_equal(p->report.b.how, HF_CLOSED_RESET);

    s = plain(5000, 400000);
    s.a.close = HF_APP_CLOSE_NOW; /* while the peer sends */
    s.a.close_wait_ns = HF_MS(5);
    run(p, &s);
    assert_int_equal(p->report.a.how, HF_CLOSED_DATA_LOST);

    s = plain(5000, 5000);
    s.ab.silent_from_ns = s.ba.silent_from_ns = HF_MS(15);
    s.ab.silent_until_ns = s.ba.silent_until_ns = HF_NEVER;
    s.limit_ns = HF_SEC(7200);
    run(p, &s);
    assert_int_equal(p->report.a.how, HF_CLOSED_TIMED_OUT);
}

static void slow_readers_get_everything(void **state)
{
    struct hf_pair *p = *state;
    struct hf_pair_scenario s = plain(300000, 0);
    s.b.read_bytes = 5000;
    s.b.read_every_ns = HF_MS(20);
    s.b.read_from_ns = HF_SEC(2);
    run(p, &s);
    assert_true(hf_pair_is_clean(p));
    assert_true(p->report.b.closed_at_ns > HF_SEC(2));
}

/* Cut or whole: the same bytes come over, and the wire is watched either way. */
static void super_packets_whole_or_cut(void **state)
{
    struct hf_pair *p = *state;
    struct hf_config config;
    hf_config_init(&config, sizeof config);
    config.offload_super_bytes = 65535;
    config.offload_checksum = 1;
    for (int cut = 0; cut < 2; cut++) {
        struct hf_pair_scenario s = plain(300000, 100000);
        s.a_config = s.b_config = &config;
        s.ab.cut = s.ba.cut = cut;
        s.ab.lose_mask = 0x24;
        run(p, &s);
        assert_true(hf_pair_is_clean(p));
    }
}

static void losses_by_mask_are_survived(void **state)
{
    struct hf_pair *p = *state;
    for (uint64_t mask = 0; mask < 256; mask++) {
        struct hf_pair_scenario s = plain(4000, 1000);
        s.ab.lose_mask = mask & 15;
        s.ba.lose_mask = mask >> 4;
        hf_pair_run(p, &s);
        if (!hf_pair_is_clean(p))
            fail_msg("masks %x %x", (unsigned)(mask & 15), (unsigned)(mask >> 4));
    }
}

static void refused_memory_breaks_no_invariant(void **state)
{
    struct hf_pair *p = *state;
    bool refused = true;
    uint64_t nth = 1;
    for (; refused && nth < 500; nth++) {
        struct hf_pair_scenario s = plain(20000, 20000);
        s.a_fail_nth = s.b_fail_nth = nth;
        hf_pair_run(p, &s);
        if (p->report.violations > 0)
            fail_msg("allocation %u: %s", (unsigned)nth, p->report.violation);
        refused = p->report.a.memory_refused || p->report.b.memory_refused;
    }
    assert_true(nth > 2);
    assert_false(refused);
}

static void to_text(void *ctx, const char *bytes, size_t n)
{
    hf_text_add(ctx, "%.*s", (int)n, bytes);
}

static void a_run_can_be_drawn(void **state)
{
    struct hf_pair *p = *state;
    struct hf_picture picture;
    hf_picture_init(&picture);
    struct hf_pair_scenario s = plain(2000, 100);
    s.picture = &picture;
    s.ab.lose_mask = 1;
    s.b.close = HF_APP_CLOSE_LAST;
    run(p, &s);
    static char text[32768];
    struct hf_text t;
    hf_text_init(&t, text, sizeof text);
    struct hf_ladder_style style = {.ascii = true};
    hf_picture_draw(&picture, &style, to_text, &t, "A", "B");
    assert_non_null(strstr(text, "SYN-SENT |"));
    assert_non_null(strstr(text, "x lost"));
    assert_non_null(strstr(text, "| SYN-RECEIVED"));
    assert_non_null(strstr(text, "TIME-WAIT |"));
    assert_non_null(strstr(text, "| LAST-ACK"));
    assert_non_null(strstr(text, "* A: the SYN again"));
    hf_picture_free(&picture);
}

/* ---- by hand ---- */

static void a_peer_by_hand_goes_through_a_connection(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        struct hf_rig rig;
        struct hf_peer peer;
        assert_int_equal(hf_rig_open(&rig, &(struct hf_rig_config){.seed = 3}), HF_OK);
        struct hf_listen listen = {.port = 80};
        hf_handle listener, conn;
        assert_int_equal(hf_listen(rig.stack, &listen, &listener, rig.now_ns), HF_OK);
        hf_peer_open(&peer, &rig, v6, 4000, 80, 0xFFFFFFF0u);
        hf_peer_send(&peer, "S seq 0 win 1000 <mss 1000>");
        assert_true(hf_peer_expect(&peer, "0.000 S. seq 0 ack 1"));
        assert_int_equal(hf_peer_state(&peer), HF_SYN_RCVD);
        hf_peer_send(&peer, ".");
        struct hf_event e = hf_rig_event(&rig);
        assert_int_equal(e.bits & HF_EV_ACCEPTED, HF_EV_ACCEPTED);
        conn = e.handle;
        assert_int_equal(hf_peer_state(&peer), HF_ESTABLISHED);

        hf_peer_send(&peer, "P. seq 1:101 ack 1");
        uint8_t bytes[200];
        assert_int_equal(hf_receive(rig.stack, conn, bytes, sizeof bytes, rig.now_ns), 100);
        assert_int_equal(hf_pattern_check(peer.key, 0, bytes, 100), 100);
        hf_rig_pull(&rig);
        hf_rig_wait(&rig, HF_SEC(1));
        assert_true(hf_peer_expect(&peer, ". seq 1 ack 101"));
        assert_true(hf_peer_expect_nothing(&peer));

        assert_int_equal(hf_send(rig.stack, conn, "hello", 5, 0, rig.now_ns), 5);
        hf_rig_pull(&rig);
        assert_true(hf_peer_expect(&peer, "1.000 P. seq 1:6(5) ack 101"));
        assert_memory_equal(peer.last.payload, "hello", 5);
        hf_peer_send(&peer, "F. seq 101");
        assert_true(hf_peer_expect(&peer, ". seq 6 ack 102"));
        assert_int_equal(hf_peer_state(&peer), HF_CLOSE_WAIT);
        assert_int_equal(hf_close(rig.stack, conn, rig.now_ns), HF_OK);
        hf_rig_pull(&rig);
        assert_true(hf_peer_expect(&peer, "F. seq 6 ack 102"));
        assert_int_equal(hf_peer_state(&peer), HF_LAST_ACK);
        hf_peer_send(&peer, ".");
        assert_int_equal(hf_peer_state(&peer), HF_CLOSED);
        assert_true(hf_peer_expect_nothing(&peer));
        assert_int_equal(rig.checks.violations, 0);
        hf_rig_close(&rig);
    }
}

static void the_stack_opens_towards_a_peer(void **state)
{
    (void)state;
    struct hf_rig rig;
    struct hf_peer peer;
    assert_int_equal(hf_rig_open(&rig, &(struct hf_rig_config){.seed = 4}), HF_OK);
    hf_peer_open(&peer, &rig, false, 80, 0, 5000);
    struct hf_connect what = {.remote = peer.here};
    hf_handle conn;
    assert_int_equal(hf_connect(rig.stack, &what, &conn, rig.now_ns), HF_OK);
    hf_rig_pull(&rig);
    assert_true(hf_peer_accept(&peer, "<mss 1200>"));
    struct hf_info info;
    assert_int_equal(hf_info(rig.stack, conn, &info), HF_OK);
    assert_int_equal(info.state, HF_ESTABLISHED);
    assert_int_equal(info.snd_mss_bytes, 1200);
    hf_peer_send(&peer, "R seq 1");
    assert_int_equal(hf_peer_state(&peer), HF_CLOSED);
    hf_rig_close(&rig);
}

static int make_pair(void **state)
{
    *state = hf_pair_new();
    return 0;
}

static int free_pair(void **state)
{
    hf_pair_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_transfer_both_ways_is_clean),
        cmocka_unit_test(the_same_scenario_gives_the_same_transcript),
        cmocka_unit_test(every_opening_works),
        cmocka_unit_test(every_closing_ends),
        cmocka_unit_test(slow_readers_get_everything),
        cmocka_unit_test(super_packets_whole_or_cut),
        cmocka_unit_test(losses_by_mask_are_survived),
        cmocka_unit_test(refused_memory_breaks_no_invariant),
        cmocka_unit_test(a_run_can_be_drawn),
        cmocka_unit_test(a_peer_by_hand_goes_through_a_connection),
        cmocka_unit_test(the_stack_opens_towards_a_peer),
    };
    return cmocka_run_group_tests_name("lab_pair", tests, make_pair, free_pair);
}
