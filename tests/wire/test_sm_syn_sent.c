/* SYN-SENT, row by row, and the active side's timers and options. */
#include "opening.h"

/** A segment that comes in, what is answered (NULL: nothing), and the state then. */
struct row {
    const char *name, *send, *answer;
    enum hf_state state;
};

/* A connection in SYN-SENT whose SYN was popped. */
static void open_syn_sent(struct bench *b, bool v6, uint32_t iss)
{
    bench_open(b, v6, iss);
    b->conn = bench_connect(b);
    assert_true(hf_peer_expect(&b->peer, "0.000 S seq 0"));
    assert_true(hf_peer_expect_nothing(&b->peer));
    assert_int_equal(hf_peer_state(&b->peer), HF_SYN_SENT);
}

/* What was refused left no mark: the handshake can still be completed. */
static void then_complete(struct bench *b)
{
    assert_true(bench_is_quiet(b));
    hf_peer_send(&b->peer, "S. seq 0 ack 1 <mss 1460>");
    assert_true(hf_peer_expect(&b->peer, ". seq 1 ack 1"));
    assert_true(hf_peer_expect_nothing(&b->peer));
    assert_int_equal(hf_peer_state(&b->peer), HF_ESTABLISHED);
    assert_int_equal(bench_event(b, HF_EV_CONNECTED | HF_EV_WRITABLE), b->conn);
}

typedef void after_row_fn(struct bench *b);

static void play_all(const struct row *rows, size_t count, after_row_fn *after)
{
    for (size_t i = 0; i < count; i++)
        for (unsigned k = 0; k < 4; k++) {
            struct bench b;
            bench_init(&b);
            open_syn_sent(&b, k & 1, bench_isses[k >> 1]);
            hf_peer_send(&b.peer, rows[i].send);
            bool good = rows[i].answer == NULL || hf_peer_expect(&b.peer, rows[i].answer);
            good = good && hf_peer_expect_nothing(&b.peer);
            if (!good || hf_peer_state(&b.peer) != rows[i].state)
                fail_msg("%s: state %s", rows[i].name, hf_state_name(hf_peer_state(&b.peer)));
            after(&b);
            bench_close(&b);
        }
}
#define PLAY(rows, after) play_all((rows), sizeof(rows) / sizeof((rows)[0]), (after))

/* covers: SM-SYS-1-badack, SM-SYS-1-badack-rst, UN-03 [RFC9293#3.5.2] group 2 */
static void a_wrong_ack_draws_a_rst_unless_it_is_one(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"SYN,ACK of our ISS", "S. seq 0 ack 0", "R seq 0", HF_SYN_SENT},
        {"SYN,ACK beyond", "S. seq 0 ack 2", "R seq 2", HF_SYN_SENT},
        {"ACK before", ". seq 0 ack -1", "R seq -1", HF_SYN_SENT},
        {"ACK beyond", ". seq 7 ack 2", "R seq 2", HF_SYN_SENT},
        {"data", "P. seq 1:11 ack 5000", "R seq 5000", HF_SYN_SENT},
        {"FIN", "F. seq 1 ack 0", "R seq 0", HF_SYN_SENT},
        {"RST of our ISS", "R. seq 0 ack 0", NULL, HF_SYN_SENT},
        {"RST beyond", "R. seq 0 ack 2", NULL, HF_SYN_SENT},
        {"RST far off", "R. seq 0 ack 2147483649", NULL, HF_SYN_SENT},
    };
    PLAY(rows, then_complete);
}

/* covers: SM-SYS-2-rst-noack, SM-SYS-5-other, SM-SYS-8-fin-early, CO-5961-01 */
static void what_says_nothing_about_our_syn_is_dropped(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"RST without ACK", "R seq 0", NULL, HF_SYN_SENT},
        {"RST with data", "R seq 0:20", NULL, HF_SYN_SENT},
        {"bare ACK", ". seq 0 ack 1", NULL, HF_SYN_SENT},
        {"data", "P. seq 1:11 ack 1", NULL, HF_SYN_SENT},
        {"no flags", "- seq 0", NULL, HF_SYN_SENT},
        {"data, no ACK", "P seq 1:11", NULL, HF_SYN_SENT},
        {"FIN", "F seq 5", NULL, HF_SYN_SENT},
        {"FIN,ACK", "F. seq 1 ack 1", NULL, HF_SYN_SENT},
    };
    PLAY(rows, then_complete);
}

static void is_refused(struct bench *b)
{
    struct hf_stack *s = b->rig.stack;
    struct hf_event e = hf_rig_event(&b->rig);
    assert_int_equal(e.handle, b->conn);
    assert_int_equal(e.bits, HF_EV_CLOSED);
    assert_int_equal(e.how, HF_CLOSED_REFUSED);
    uint8_t byte = 0;
    assert_int_equal(hf_send(s, b->conn, &byte, 1, 0, bench_now(b)), HF_E_REFUSED);
    assert_int_equal(hf_receive(s, b->conn, &byte, 1, bench_now(b)), HF_E_REFUSED);
    assert_int_equal(bench_info(b, b->conn).how, HF_CLOSED_REFUSED);
    assert_int_equal(hf_close(s, b->conn, bench_now(b)), HF_OK);
    assert_int_equal(bench_sizes(b).connections, 0);
    hf_rig_wait(&b->rig, HF_SEC(300));
    assert_true(bench_is_quiet(b));
}

/* covers: SM-SYS-2-rst-ok, SHLD-2, CO-5961-01 */
static void a_rst_that_acknowledges_our_syn_refuses(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"as from CLOSED", "R. seq 0 ack 1", NULL, HF_CLOSED},
        {"any number", "R. seq 123456 ack 1", NULL, HF_CLOSED},
        {"with SYN", "SR. seq 0 ack 1", NULL, HF_CLOSED},
        {"with data", "R. seq 0:99 ack 1", NULL, HF_CLOSED},
    };
    PLAY(rows, is_refused);
}

/* covers: SM-SYS-4-synack, CO-1122-07 */
static void the_syn_ack_establishes(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 4; k++) {
        struct bench b;
        bench_init(&b);
        open_syn_sent(&b, k & 1, bench_isses[k >> 1]);
        hf_rig_run(&b.rig, HF_MS(80));
        hf_peer_send(&b.peer, "S. seq 0 ack 1 win 1000 <mss 700,wscale 4>");
        assert_true(hf_peer_expect(&b.peer, "0.080 . seq 1 ack 1"));
        assert_true(hf_peer_expect_nothing(&b.peer));
        struct hf_info info = bench_info(&b, b.conn);
        assert_int_equal(info.state, HF_ESTABLISHED);
        assert_int_equal(info.irs, b.peer.iss);
        assert_int_equal(info.rcv_nxt, b.peer.iss + 1);
        assert_int_equal(info.snd_una, info.iss + 1);
        assert_int_equal(info.snd_wnd_bytes, 1000); /* of a SYN: not scaled */
        assert_int_equal(info.srtt_ns / HF_MS(1), 80);
        assert_int_equal(info.rto_deadline_ns, HF_NEVER);
        /* SND.WL1 and SND.WL2 were set: the same numbers again are new enough. */
        hf_peer_send(&b.peer, ". seq 1 ack 1 win 60");
        assert_int_equal(bench_info(&b, b.conn).snd_wnd_bytes, 960);
        bench_close(&b);
    }
}

static void has_taken_the_text(struct bench *b)
{
    uint8_t bytes[32];
    int64_t n = hf_receive(b->rig.stack, b->conn, bytes, sizeof bytes, bench_now(b));
    if (n != HF_E_END) {
        assert_int_equal(n, 10);
        assert_int_equal(hf_pattern_check(b->peer.key, 0, bytes, 10), 10);
    }
    assert_int_equal(bench_event(b, HF_EV_CONNECTED | HF_EV_READABLE), b->conn);
}

/* covers: SM-SYS-4-synack: on to the sixth step with what else the segment carries */
static void text_and_fin_of_the_syn_ack_count(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"data", "SP. seq 0:10 ack 1", ". seq 1 ack 11", HF_ESTABLISHED},
        {"FIN", "SF. seq 0 ack 1", ". seq 1 ack 2", HF_CLOSE_WAIT},
        {"data and FIN", "SFP. seq 0:10 ack 1", ". seq 1 ack 12", HF_CLOSE_WAIT},
    };
    PLAY(rows, has_taken_the_text);
}

/* covers: SM-SYS-4-synack, CALL-SEND-SYS-1: queued data leaves with the ACK */
static void queued_data_leaves_with_the_ack(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    open_syn_sent(&b, false, 1);
    assert_int_equal(hf_send(b.rig.stack, b.conn, "hello", 5, 0, bench_now(&b)), 5);
    hf_rig_pull(&b.rig);
    assert_true(hf_peer_expect_nothing(&b.peer));
    hf_peer_send(&b.peer, "S. seq 0 ack 1 <mss 1460>");
    assert_true(hf_peer_expect(&b.peer, "P. seq 1:6 ack 1"));
    assert_memory_equal(b.peer.last.payload, "hello", 5);
    assert_true(hf_peer_expect_nothing(&b.peer));
    bench_close(&b);
}

static void then_meet(struct bench *b)
{
    struct hf_info info = bench_info(b, b->conn);
    assert_int_equal(info.rcv_nxt, b->peer.iss + 1);
    assert_int_equal(info.snd_una, info.iss);
    assert_int_equal(info.snd_nxt, info.iss + 1);
    b->peer.snd_nxt = b->peer.iss + 1;
    hf_peer_send(&b->peer, "S. seq 0 ack 1"); /* the peer is in SYN-RECEIVED too */
    assert_true(hf_peer_expect(&b->peer, ". seq 1 ack 1"));
    hf_peer_send(&b->peer, ". seq 1 ack 1");
    assert_true(hf_peer_expect_nothing(&b->peer));
    assert_int_equal(hf_peer_state(&b->peer), HF_ESTABLISHED);
    assert_int_equal(bench_event(b, HF_EV_CONNECTED), b->conn);
    assert_int_equal(bench_info(b, b->conn).snd_wnd_bytes, 65535);
}

/* covers: SM-SYS-4-syn-cross, MUST-10, UN-13 */
static void crossing_syns_meet(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 2; k++) {
        struct bench b;
        bench_init(&b);
        open_syn_sent(&b, false, bench_isses[k]);
        hf_peer_send(&b.peer, "S seq 0 win 1234 <mss 1000>");
        assert_int_equal(bench_info(&b, b.conn).snd_wnd_bytes, 1234);
        assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1 <mss 1460>"));
        assert_int_equal(hf_peer_state(&b.peer), HF_SYN_RCVD);
        assert_int_equal(bench_info(&b, b.conn).snd_wnd_bytes, 1234);
        then_meet(&b);
        bench_close(&b);
    }
}

/* covers: SM-SYS-4-syn-cross: text and FIN of such a SYN wait until the
 * connection is established, not acknowledged and not to be read */
static void text_of_a_crossing_syn_waits(void **state)
{
    (void)state;
    static const struct {
        const char *syn, *ack, *answer;
        uint32_t bytes;
        enum hf_state state;
    } rows[] = {
        {"SP seq 0:10", ". seq 11 ack 1", ". seq 1 ack 11", 10, HF_ESTABLISHED},
        {"SP seq 0:10", "P. seq 1:11 ack 1", ". seq 1 ack 11", 10, HF_ESTABLISHED},
        {"SP seq 0:10", "P. seq 11:15 ack 1", ". seq 1 ack 15", 14, HF_ESTABLISHED},
        {"SF seq 0", ". seq 1 ack 1", ". seq 1 ack 2", 0, HF_CLOSE_WAIT},
        {"SFP seq 0:10", ". seq 12 ack 1", ". seq 1 ack 12", 10, HF_CLOSE_WAIT},
    };
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++)
        for (unsigned k = 0; k < 2; k++) {
            struct bench b;
            uint8_t bytes[100];
            bench_init(&b);
            open_syn_sent(&b, false, bench_isses[k]);
            hf_peer_send(&b.peer, rows[i].syn);
            assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
            assert_int_equal(hf_receive(b.rig.stack, b.conn, bytes, sizeof bytes, bench_now(&b)),
                             HF_E_AGAIN);
            if (k == 1) /* half-closed meanwhile */
                assert_int_equal(hf_shutdown(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
            hf_peer_send(&b.peer, rows[i].ack);
            if (k == 1) {
                assert_true(hf_peer_pop(&b.peer));
                assert_true(b.peer.last.segment.flags & HF_FIN);
                assert_int_equal(bench_info(&b, b.conn).bytes_received, rows[i].bytes);
                bench_close(&b);
                continue;
            }
            assert_true(hf_peer_expect(&b.peer, rows[i].answer));
            assert_true(hf_peer_expect_nothing(&b.peer));
            assert_int_equal(hf_peer_state(&b.peer), rows[i].state);
            assert_int_equal(bench_info(&b, b.conn).bytes_received, rows[i].bytes);
            assert_int_equal(bench_sizes(&b).flights, 0);
            bench_close(&b);
        }
}

/* Let go before it was established, nobody reads what waited. The peer hears so at once or, where
 * unread data is no reason to reset, is not told that it came and hears when it sends it again.
 * covers: SHLD-3 */
static void nobody_reads_what_waited(void **state)
{
    (void)state;
    for (int abort_on_unread = 0; abort_on_unread < 2; abort_on_unread++) {
        struct bench b;
        bench_init(&b);
        b.config.abort_on_unread = abort_on_unread;
        open_syn_sent(&b, false, 9);
        hf_peer_send(&b.peer, "SP seq 0:10");
        assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
        assert_int_equal(hf_close(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
        hf_rig_pull(&b.rig);
        if (!abort_on_unread) {
            hf_peer_send(&b.peer, ". seq 11 ack 1");
            assert_true(hf_peer_expect(&b.peer, "F. seq 1 ack 1"));
            hf_peer_send(&b.peer, "P. seq 1:11 ack 1");
        }
        assert_true(hf_peer_expect(&b.peer, abort_on_unread ? "R. seq 1 ack 1" : "R. seq 2 ack 1"));
        assert_true(hf_peer_expect_nothing(&b.peer));
        bench_close(&b);
    }
}

/* covers: SM-SYS-0-csum, MUST-3 */
static void what_is_broken_leaves_no_mark(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct bench b;
        bench_init(&b);
        open_syn_sent(&b, v6, 9);
        b.peer.add_to_checksum = 256;
        hf_peer_send(&b.peer, "S. seq 0 ack 1");
        hf_peer_send(&b.peer, "R. seq 0 ack 1");
        b.peer.add_to_checksum = 0;
        struct hf_segment seg = {.ack = b.peer.irs + 1, .flags = HF_RST | HF_ACK};
        uint8_t bytes[200];
        uint32_t n = hf_peer_packet(&b.peer, &seg, NULL, bytes);
        bytes[n - 20 + 12] = 0x40;
        hf_rig_input(&b.rig, bytes, n, 0, HF_PACKET_CSUM_VALID);
        bytes[n - 20 + 12] = 0xF0;
        hf_rig_input(&b.rig, bytes, n, 0, HF_PACKET_CSUM_VALID);
        assert_int_equal(bench_count(&b, HF_DROP_TCP_CHECKSUM), 2);
        assert_int_equal(bench_count(&b, HF_DROP_TCP_HEADER), 2);
        then_complete(&b);
        bench_close(&b);
    }
}

/* covers: SM-SYS-0-mcast, MUST-57, MUST-63 */
static void group_addresses_are_nobodys(void **state)
{
    (void)state;
    static const uint8_t odd[][4] = {{224, 0, 0, 1}, {255, 255, 255, 255}, {0, 0, 0, 0}};
    for (size_t i = 0; i < 6; i++) {
        struct bench b;
        bench_init(&b);
        open_syn_sent(&b, false, 9);
        struct hf_peer p = b.peer;
        const uint8_t *o = odd[i / 2];
        *(i & 1 ? &p.here.addr : &p.there.addr) = hf_addr_v4(o[0], o[1], o[2], o[3]);
        hf_peer_send(&p, "S. seq 0 ack 1");
        hf_peer_send(&p, "R. seq 0 ack 1");
        assert_int_equal(bench_count(&b, HF_DROP_IP_ADDRESS), 2);
        then_complete(&b);
        bench_close(&b);
    }
}

/* ---- timers ---- */

/* covers: TMO-RTO-SYS, MUST-20, MUST-22, MUST-23, SHLD-9, SHLD-10, CO-6298-01, CO-6298-11 */
static void the_syn_comes_again_until_it_is_given_up(void **state)
{
    (void)state;
    static const int64_t at_s[] = {1, 3, 7, 15, 31, 63, 123, 183};
    static const unsigned retries[] = {7, 6, 6, 5};
    static const int64_t given_up_s[] = {183, 127, 127, 63};
    for (enum hf_profile profile = 0; profile <= HF_PROFILE_FREEBSD; profile++) {
        struct bench b;
        hf_config_profile(&b.config, sizeof b.config, profile);
        open_syn_sent(&b, profile & 1, 5);
        for (unsigned i = 0; i < retries[profile]; i++) {
            hf_rig_run(&b.rig, HF_SEC(at_s[i]) - HF_MS(1));
            assert_true(hf_peer_expect_nothing(&b.peer));
            hf_rig_run(&b.rig, HF_SEC(at_s[i]) + HF_MS(1));
            assert_true(hf_peer_expect(&b.peer, "S seq 0"));
            /* [SHLD-9] told of trouble at the third */
            assert_int_equal(hf_rig_event(&b.rig).bits, i == 2 ? HF_EV_TROUBLE : 0);
        }
        hf_rig_run(&b.rig, HF_SEC(given_up_s[profile]) - HF_MS(1));
        assert_true(hf_peer_expect_nothing(&b.peer));
        assert_int_equal(hf_peer_state(&b.peer), HF_SYN_SENT);
        hf_rig_wait(&b.rig, HF_MS(2));
        assert_int_equal(hf_peer_state(&b.peer), HF_CLOSED);
        struct hf_event e = hf_rig_event(&b.rig);
        assert_int_equal(e.bits, HF_EV_CLOSED);
        assert_int_equal(e.how, HF_CLOSED_TIMED_OUT);
        assert_true(bench_is_quiet(&b)); /* a peer that never answered gets no RST */
        bench_close(&b);
    }
    assert_true(given_up_s[HF_PROFILE_RFC] >= 180); /* [MUST-23] */
}

/* covers: CO-6298-12 [RFC6298#5.7] [RFC5681#3.1], MUST-18 */
static void after_a_lost_syn_data_starts_slowly(void **state)
{
    (void)state;
    for (int lost = 0; lost < 2; lost++) {
        struct bench b;
        bench_init(&b);
        open_syn_sent(&b, false, 5);
        hf_rig_run(&b.rig, lost ? HF_MS(1200) : HF_MS(200));
        hf_peer_skip(&b.peer);
        hf_peer_send(&b.peer, "S. seq 0 ack 1 <mss 1000>");
        struct hf_info info = bench_info(&b, b.conn);
        assert_int_equal(info.cwnd_bytes, lost ? 1000 : 10000);
        assert_int_equal(info.rto_ns / HF_MS(1), lost ? 3000 : 600);
        assert_int_equal(info.srtt_ns / HF_MS(1), lost ? 0 : 200);
        bench_close(&b);
    }
}

/* covers: SM-SYS-4-synack: the SYN is about to leave again, and its answer comes first: the ACK of
 * the handshake leaves in its place */
static void an_answer_ahead_of_the_syn_is_acknowledged(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    open_syn_sent(&b, false, 5);
    hf_rig_fire(&b.rig, HF_MS(1010));
    assert_int_equal(bench_count(&b, HF_RETRANSMIT_SYN), 1);
    hf_peer_send(&b.peer, "S. seq 0 ack 1 <mss 1000>");
    assert_true(hf_peer_expect(&b.peer, ". seq 1 ack 1"));
    assert_true(hf_peer_expect_nothing(&b.peer));
    assert_int_equal(hf_peer_state(&b.peer), HF_ESTABLISHED);
    bench_close(&b);
}

/* What the application does between hf_connect and the next packets is no part of the path. */
static void the_round_trip_begins_when_the_syn_leaves(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 5);
    b.conn = bench_connect_unasked(&b);
    b.rig.now_ns = HF_MS(300);
    hf_rig_pull(&b.rig);
    assert_true(hf_peer_expect(&b.peer, "S seq 0"));
    hf_rig_run(&b.rig, HF_MS(340));
    hf_peer_send(&b.peer, "S. seq 0 ack 1 <mss 1000>");
    assert_int_equal(bench_info(&b, b.conn).srtt_ns / HF_MS(1), 40);
    bench_close(&b);
}

/* covers: MUST-22, CO-6298-12 [RFC6298#5.7] [RFC5681#3.1]: a link that takes nothing for minutes
 * ends no attempt that was not made; and nothing was lost */
static void a_syn_that_can_not_leave_does_not_count(void **state)
{
    (void)state;
    for (int again = 0; again < 2; again++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, false, 5);
        b.conn = bench_connect_unasked(&b);
        if (again) {
            hf_rig_pull(&b.rig);
            assert_true(hf_peer_expect(&b.peer, "S seq 0"));
        }
        for (int s = 1; s <= 600; s++)
            hf_rig_fire(&b.rig, HF_SEC(s) + HF_MS(1));
        assert_int_equal(hf_peer_state(&b.peer), HF_SYN_SENT);
        assert_int_equal(bench_count(&b, HF_RETRANSMIT_SYN), again);
        hf_rig_pull(&b.rig);
        assert_true(hf_peer_expect(&b.peer, "S seq 0"));
        assert_true(hf_peer_expect_nothing(&b.peer));
        hf_rig_wait(&b.rig, HF_MS(200));
        hf_peer_send(&b.peer, "S. seq 0 ack 1 <mss 1000>");
        struct hf_info info = bench_info(&b, b.conn);
        assert_int_equal(info.cwnd_bytes, again ? 1000 : 10000);
        assert_int_equal(info.rto_ns / HF_MS(1), again ? 3000 : 600);
        assert_int_equal(info.srtt_ns / HF_MS(1), again ? 0 : 200);
        bench_close(&b);
    }
}

/* covers: MUST-18, UN-13: our SYN is lost, the peer's comes shortly before ours would go again:
 * what acknowledges our SYN,ACK does not measure the SYN, only what its timestamp echoes */
static void an_answer_to_the_syn_ack_does_not_measure_the_syn(void **state)
{
    (void)state;
    for (int timestamps = 0; timestamps < 2; timestamps++) {
        struct bench b;
        bench_init(&b);
        open_syn_sent(&b, false, 5);
        b.peer.timestamps = timestamps;
        hf_rig_run(&b.rig, HF_MS(900));
        hf_peer_send(&b.peer, "S seq 0 <mss 1000>");
        assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
        hf_rig_run(&b.rig, HF_MS(950));
        hf_peer_send(&b.peer, ". seq 1 ack 1");
        assert_int_equal(hf_peer_state(&b.peer), HF_ESTABLISHED);
        assert_int_equal(bench_info(&b, b.conn).srtt_ns / HF_MS(1), timestamps ? 50 : 0);
        bench_close(&b);
    }
}

/* covers: TMO-USER-TIMEOUT-SYS: also if the SYN never left */
static void the_user_timeout_ends_an_attempt_not_made(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    b.config.user_timeout_ns = HF_SEC(10);
    bench_open(&b, false, 5);
    b.conn = bench_connect_unasked(&b);
    for (int s = 1; s <= 9; s++)
        hf_rig_fire(&b.rig, HF_SEC(s) + HF_MS(1));
    assert_int_equal(hf_peer_state(&b.peer), HF_SYN_SENT);
    hf_rig_fire(&b.rig, HF_MS(10001));
    struct hf_event e = hf_rig_event(&b.rig);
    assert_int_equal(e.bits, HF_EV_CLOSED);
    assert_int_equal(e.how, HF_CLOSED_USER_TIMEOUT);
    hf_rig_pull(&b.rig);
    assert_true(bench_is_quiet(&b));
    bench_close(&b);
}

/* covers: TMO-USER-TIMEOUT-SYS */
static void the_user_timeout_ends_the_attempt(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    b.config.user_timeout_ns = HF_SEC(10);
    open_syn_sent(&b, false, 5);
    hf_rig_run(&b.rig, HF_MS(9999));
    assert_int_equal(hf_peer_skip(&b.peer), 3);
    assert_int_equal(hf_peer_state(&b.peer), HF_SYN_SENT);
    hf_rig_run(&b.rig, HF_MS(10010));
    assert_int_equal(hf_peer_state(&b.peer), HF_CLOSED);
    bool closed = false;
    for (struct hf_event e = hf_rig_event(&b.rig); e.bits != 0; e = hf_rig_event(&b.rig))
        closed |= e.how == HF_CLOSED_USER_TIMEOUT;
    assert_true(closed);
    assert_true(bench_is_quiet(&b));
    bench_close(&b);
}

/* SYNs that were sent again are no probes of the window that their answer closes. */
static void a_window_closed_by_the_answer_counts_its_own_probes(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    open_syn_sent(&b, false, 5);
    hf_rig_run(&b.rig, HF_MS(1500));
    assert_int_equal(bench_info(&b, b.conn).retransmit_count, 1);
    hf_peer_skip(&b.peer);
    hf_peer_send(&b.peer, "S. seq 0 ack 1 win 0 <mss 1460>");
    assert_int_equal(hf_peer_state(&b.peer), HF_ESTABLISHED);
    assert_int_equal(bench_info(&b, b.conn).retransmit_count, 0);
    bench_close(&b);
}

/* covers: MUST-9, CO-6528-01, CO-6528-04, SHLD-1, MUST-8: seen from outside */
static void initial_numbers_rise_for_each_pair_of_ends(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    open_syn_sent(&b, false, 5);
    uint32_t first = b.peer.irs;
    assert_int_equal(hf_abort(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
    hf_rig_run(&b.rig, HF_MS(400));
    hf_rig_event(&b.rig);
    b.conn = bench_connect(&b);
    assert_true(hf_peer_expect(&b.peer, "S seq 0"));
    assert_int_equal(b.peer.irs - first, 100000); /* a step each 4 us */
    struct hf_peer other = bench_peer(&b, 2, 4001, 5);
    struct hf_connect what = {.local.port = 80, .remote = other.here};
    hf_handle conn;
    assert_int_equal(hf_connect(b.rig.stack, &what, &conn, bench_now(&b)), HF_OK);
    hf_rig_pull(&b.rig);
    assert_true(hf_peer_expect(&other, "S seq 0"));
    uint32_t distance = other.irs - b.peer.irs;
    assert_in_range(distance, 1000000, UINT32_MAX - 1000000);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_ack_draws_a_rst_unless_it_is_one),
        cmocka_unit_test(what_says_nothing_about_our_syn_is_dropped),
        cmocka_unit_test(a_rst_that_acknowledges_our_syn_refuses),
        cmocka_unit_test(the_syn_ack_establishes),
        cmocka_unit_test(text_and_fin_of_the_syn_ack_count),
        cmocka_unit_test(queued_data_leaves_with_the_ack),
        cmocka_unit_test(crossing_syns_meet),
        cmocka_unit_test(text_of_a_crossing_syn_waits),
        cmocka_unit_test(nobody_reads_what_waited),
        cmocka_unit_test(what_is_broken_leaves_no_mark),
        cmocka_unit_test(group_addresses_are_nobodys),
        cmocka_unit_test(the_syn_comes_again_until_it_is_given_up),
        cmocka_unit_test(after_a_lost_syn_data_starts_slowly),
        cmocka_unit_test(an_answer_ahead_of_the_syn_is_acknowledged),
        cmocka_unit_test(the_round_trip_begins_when_the_syn_leaves),
        cmocka_unit_test(a_syn_that_can_not_leave_does_not_count),
        cmocka_unit_test(an_answer_to_the_syn_ack_does_not_measure_the_syn),
        cmocka_unit_test(the_user_timeout_ends_an_attempt_not_made),
        cmocka_unit_test(the_user_timeout_ends_the_attempt),
        cmocka_unit_test(a_window_closed_by_the_answer_counts_its_own_probes),
        cmocka_unit_test(initial_numbers_rise_for_each_pair_of_ends),
    };
    return cmocka_run_group_tests_name("sm_syn_sent", tests, NULL, NULL);
}
