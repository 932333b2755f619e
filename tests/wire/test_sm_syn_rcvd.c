/* SYN-RECEIVED, row by row: segments, timers and calls, in each of the forms the state has. */
#include "opening.h"

/** A segment that comes in, what is answered (NULL: nothing), and the state then. */
struct row {
    const char *name, *send, *answer;
    enum hf_state state;
};

typedef void after_row_fn(struct bench *b, enum form form, const struct row *row);

static void play(const struct row *row, enum form form, bool v6, uint32_t iss, const char *options,
                 after_row_fn *after)
{
    struct bench b;
    bench_init(&b);
    bench_open(&b, v6, iss);
    bench_syn_rcvd(&b, form, options);
    hf_peer_send(&b.peer, row->send);
    bool good = row->answer == NULL || hf_peer_expect(&b.peer, row->answer);
    good = good && hf_peer_expect_nothing(&b.peer);
    if (!good || hf_peer_state(&b.peer) != row->state)
        fail_msg("%s, %s, %s: state %s", row->name, form_names[form], v6 ? "IPv6" : "IPv4",
                 hf_state_name(hf_peer_state(&b.peer)));
    if (after != NULL)
        after(&b, form, row);
    bench_close(&b);
}

/* Each row in each of the forms, both families, and at two places of the number space. */
static void play_all(const struct row *rows, size_t count, unsigned forms, const char *options,
                     after_row_fn *after)
{
    for (size_t i = 0; i < count; i++)
        for (enum form form = 0; form <= CROSSED; form++)
            for (unsigned k = 0; k < 4 && (forms & 1u << form); k++)
                play(&rows[i], form, k & 1, bench_isses[k >> 1], options, after);
}

enum { ALL_FORMS = 7, LISTENERS = 1 << HALF_OPEN | 1 << ADMITTED };
#define PLAY(rows, forms, options, after)                                                          \
    play_all((rows), sizeof(rows) / sizeof((rows)[0]), (forms), (options), (after))

/* What was refused left no mark: the handshake can still be completed. */
static void then_complete(struct bench *b, enum form form, const struct row *row)
{
    (void)row;
    assert_true(bench_is_quiet(b));
    hf_peer_send(&b->peer, ". seq 1 ack 1");
    assert_true(hf_peer_expect_nothing(&b->peer));
    assert_int_equal(hf_peer_state(&b->peer), HF_ESTABLISHED);
    assert_int_not_equal(bench_established(b, form), 0);
    assert_int_equal(bench_sizes(b).half_open, 0);
}

static void is_dropped_once(struct bench *b, enum form form, const struct row *row)
{
    uint64_t drops = bench_count(b, HF_DROP_OUT_OF_WINDOW) + bench_count(b, HF_DROP_OLD_DUPLICATE);
    drops += bench_count(b, HF_DROP_RST_OUT_OF_WINDOW);
    assert_int_equal(drops, 1);
    then_complete(b, form, row);
}

/* covers: SM-SYR-1b-win, SM-SYR-1b-win-rst */
static void what_lies_outside_the_window_is_answered_but_for_rst(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"left", ". seq 0 ack 1", ". seq 1 ack 1", HF_SYN_RCVD},
        {"left, data", "P. seq -9:1 ack 1", ". seq 1 ack 1", HF_SYN_RCVD},
        {"right", ". seq 65536 ack 1", ". seq 1 ack 1", HF_SYN_RCVD},
        {"right, data", "P. seq 65536:65546 ack 1", ". seq 1 ack 1", HF_SYN_RCVD},
        {"far", ". seq 2147483000 ack 1", ". seq 1 ack 1", HF_SYN_RCVD},
        {"SYN, right", "S seq 70000", ". seq 1 ack 1", HF_SYN_RCVD},
        {"no ACK bit", "- seq 65536", ". seq 1 ack 1", HF_SYN_RCVD},
        {"RST, left", "R seq 0", NULL, HF_SYN_RCVD},
        {"RST, right", "R seq 65536", NULL, HF_SYN_RCVD},
        {"RST with ACK, far", "R. seq 1000000 ack 1", NULL, HF_SYN_RCVD},
        {"RST with data, left", "R seq -9:1", NULL, HF_SYN_RCVD},
    };
    PLAY(rows, ALL_FORMS, "<mss 1460>", is_dropped_once);
}

static void a_challenge_is_counted(struct bench *b, enum form form, const struct row *row)
{
    assert_int_equal(bench_count(b, HF_ACK_CHALLENGE_RST), 1);
    then_complete(b, form, row);
}

/* covers: SM-SYR-2-rst-inwin, CO-5961-01 */
static void a_rst_inside_the_window_is_challenged(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"one off", "R seq 2", ". seq 1 ack 1", HF_SYN_RCVD},
        {"last place", "R seq 65535", ". seq 1 ack 1", HF_SYN_RCVD},
        {"with ACK", "R. seq 2 ack 1", ". seq 1 ack 1", HF_SYN_RCVD},
        {"with data across the edge", "R seq 0:10", ". seq 1 ack 1", HF_SYN_RCVD},
    };
    PLAY(rows, ALL_FORMS, "<mss 1460>", a_challenge_is_counted);
}

/* covers: SM-SYR-5-noack */
static void without_ack_nothing_happens(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"empty", "- seq 1", NULL, HF_SYN_RCVD},
        {"data", "P seq 1:11", NULL, HF_SYN_RCVD},
        {"FIN", "F seq 1", NULL, HF_SYN_RCVD},
        {"URG", "U seq 1:11 urg 5", NULL, HF_SYN_RCVD},
    };
    PLAY(rows, ALL_FORMS, "<mss 1460>", then_complete);
}

static void is_counted_as_a_wrong_ack(struct bench *b, enum form form, const struct row *row)
{
    assert_int_equal(bench_count(b, HF_DROP_ACK_HANDSHAKE), 1);
    then_complete(b, form, row);
}

/* covers: SM-SYR-5-ack-bad, UN-03 [RFC9293#3.5.2] group 2 */
static void a_wrong_ack_draws_a_rst_from_its_own_number(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"our ISS", ". seq 1 ack 0", "R seq 0", HF_SYN_RCVD},
        {"one beyond", ". seq 1 ack 2", "R seq 2", HF_SYN_RCVD},
        {"data", "P. seq 1:11 ack 70000", "R seq 70000", HF_SYN_RCVD},
        {"FIN", "F. seq 1 ack -1", "R seq -1", HF_SYN_RCVD},
        {"out of order", ". seq 500 ack 2", "R seq 2", HF_SYN_RCVD},
    };
    PLAY(rows, ALL_FORMS, "<mss 1460>", is_counted_as_a_wrong_ack);
}

static void has_entered(struct bench *b, enum form form, const struct row *row)
{
    (void)row;
    hf_handle conn = bench_established(b, form);
    assert_int_not_equal(conn, 0);
    struct hf_info info = bench_info(b, conn);
    assert_int_equal(info.snd_una, info.iss + 1);
    assert_int_equal(info.irs, b->peer.iss);
    assert_int_equal(bench_sizes(b).half_open, 0);
    assert_int_equal(bench_sizes(b).connections, 1);
    bool data = strchr(row->send, ':') != NULL;
    uint8_t bytes[32];
    int64_t n = hf_receive(b->rig.stack, conn, bytes, sizeof bytes, bench_now(b));
    if (!data) {
        assert_int_equal(n, row->state == HF_CLOSE_WAIT ? HF_E_END : HF_E_AGAIN);
        return;
    }
    assert_int_equal(n, 10);
    assert_int_equal(hf_pattern_check(b->peer.key, 0, bytes, 10), 10);
}

/* covers: SM-SYR-5-ack-good, SM-SYR-8-fin, SHLD-31 */
static void the_ack_of_our_syn_completes_the_handshake(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"bare", ". seq 1 ack 1", NULL, HF_ESTABLISHED},
        {"data", "P. seq 1:11 ack 1", ". seq 1 ack 11", HF_ESTABLISHED},
        {"FIN", "F. seq 1 ack 1", ". seq 1 ack 2", HF_CLOSE_WAIT},
        {"data and FIN", "FP. seq 1:11 ack 1", ". seq 1 ack 12", HF_CLOSE_WAIT},
    };
    PLAY(rows, ALL_FORMS, "<mss 1460>", has_entered);
}

static void then_fill_the_gap(struct bench *b, enum form form, const struct row *row)
{
    hf_handle conn = bench_established(b, form);
    assert_int_not_equal(conn, 0);
    bool fin = strchr(row->send, 'F') != NULL;
    hf_peer_send(&b->peer, ". seq 1:11 ack 1");
    assert_true(hf_peer_expect(&b->peer, fin ? ". seq 1 ack 22 <>" : ". seq 1 ack 21 <>"));
    uint8_t bytes[32];
    assert_int_equal(hf_receive(b->rig.stack, conn, bytes, sizeof bytes, bench_now(b)), 20);
    assert_int_equal(hf_pattern_check(b->peer.key, 0, bytes, 20), 20);
    assert_int_equal(hf_peer_state(&b->peer), fin ? HF_CLOSE_WAIT : HF_ESTABLISHED);
}

/* covers: SM-SYR-1b-ooo, SHLD-31: the ACK counts now, text and FIN later */
static void an_ack_ahead_of_lost_data_completes_it_too(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"data", "P. seq 11:21 ack 1", ". seq 1 ack 1 <sack 11:21>", HF_ESTABLISHED},
        {"and FIN", "FP. seq 11:21 ack 1", ". seq 1 ack 1 <sack 11:22>", HF_ESTABLISHED},
    };
    PLAY(rows, ALL_FORMS, "<mss 1460,sackOK>", then_fill_the_gap);
}

static void is_gone(struct bench *b, enum form form, const struct row *row)
{
    (void)row;
    struct hf_event e = hf_rig_event(&b->rig);
    assert_int_equal(bench_sizes(b).half_open, 0);
    if (form == HALF_OPEN) { /* the user is not told */
        assert_int_equal(e.bits, 0);
    } else {
        assert_int_equal(e.bits & HF_EV_CLOSED, HF_EV_CLOSED);
        assert_int_equal(e.how, form == CROSSED ? HF_CLOSED_REFUSED : HF_CLOSED_RESET);
        assert_int_equal(hf_close(b->rig.stack, b->conn, bench_now(b)), HF_OK);
    }
    assert_int_equal(bench_sizes(b).connections, 0);
    hf_rig_wait(&b->rig, HF_SEC(300));
    assert_true(bench_is_quiet(b)); /* no timer was left running */
    if (form == CROSSED)
        return;
    assert_int_equal(bench_sizes(b).listeners, 1); /* back in LISTEN */
    hf_peer_send(&b->peer, "S seq 100000");
    if (form == HALF_OPEN)
        assert_true(hf_peer_expect(&b->peer, "S. seq 0 ack 100001"));
    else
        assert_int_not_equal(bench_event(b, HF_EV_SYN), 0);
}

/* covers: SM-SYR-2-rst-passive, SM-SYR-2-rst-active, MUST-11, SHLD-2 */
static void an_exact_rst_ends_it(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"bare", "R seq 1", NULL, HF_CLOSED},
        {"with ACK", "R. seq 1 ack 1", NULL, HF_CLOSED},
        {"its ACK does not matter", "R. seq 1 ack 12345", NULL, HF_CLOSED},
        {"with data", "R seq 1:51", NULL, HF_CLOSED},
    };
    PLAY(rows, ALL_FORMS, "<mss 1460>", is_gone);
}

/* covers: SM-SYR-4-syn-passive, MUST-11 */
static void a_syn_in_the_window_ends_a_passive_open(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"newer SYN", "S seq 100", NULL, HF_CLOSED},
        {"at the edge", "S seq 1", NULL, HF_CLOSED},
        {"with ACK", "S. seq 7 ack 1", NULL, HF_CLOSED},
    };
    PLAY(rows, LISTENERS, "<mss 1460>", is_gone);
}

/* covers: SM-SYR-4-syn-active, MUST-11, CO-5961-02 */
static void a_syn_in_the_window_is_challenged_after_an_active_open(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"newer SYN", "S seq 100", ". seq 1 ack 1", HF_SYN_RCVD},
        {"at the edge", "S seq 1", ". seq 1 ack 1", HF_SYN_RCVD},
        {"with ACK", "S. seq 7 ack 1", ". seq 1 ack 1", HF_SYN_RCVD},
    };
    PLAY(rows, 1 << CROSSED, "<mss 1460>", then_complete);
}

/* covers: SM-SYR-1b-win: the peer's own SYN again. DEVIATION D-1: SYN,ACK in place of an ACK. */
static void the_same_syn_again_brings_the_same_syn_ack(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"the same", "S seq 0 <mss 1460>", "S. seq 0 ack 1 <mss 1460>", HF_SYN_RCVD},
        {"other options", "S seq 0 <mss 500,sackOK>", "S. seq 0 ack 1 <mss 1460>", HF_SYN_RCVD},
    };
    for (size_t i = 0; i < 2; i++)
        for (enum form form = 0; form <= CROSSED; form++)
            play(&rows[i], form, false, bench_isses[i], "<mss 1460>", then_complete);
}

/* covers: SM-SYR-1a-paws, SM-SYR-1a-nots, CO-7323-06, CO-7323-11 */
static void old_and_missing_timestamps_are_refused(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"old", ". seq 1 ack 1 <TS 999 0>", ". seq 1 ack 1", HF_SYN_RCVD},
        {"much older", "P. seq 1:11 ack 1 <TS 2147484649 0>", ". seq 1 ack 1", HF_SYN_RCVD},
        {"old before the window test", ". seq 70000 ack 1 <TS 1 0>", ". seq 1 ack 1", HF_SYN_RCVD},
        {"old SYN", "S seq 100 <TS 999 0>", ". seq 1 ack 1", HF_SYN_RCVD},
        {"missing", ". seq 1 ack 1", NULL, HF_SYN_RCVD},
        {"missing, data", "P. seq 1:11 ack 1", NULL, HF_SYN_RCVD},
        {"missing, outside", ". seq 70000 ack 1", NULL, HF_SYN_RCVD},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (enum form form = 0; form <= CROSSED; form++)
            play(&rows[i], form, i & 1, bench_isses[i & 1], "<mss 1460,TS 1000 0>", NULL);
    /* A RST needs none, and an old one does no harm [RFC7323#5.2] (CO-7323-12). */
    static const struct row resets[] = {
        {"none", "R seq 1", NULL, HF_CLOSED},
        {"old", "R seq 1 <TS 1 0>", NULL, HF_CLOSED},
    };
    PLAY(resets, ALL_FORMS, "<mss 1460,TS 1000 0>", NULL);
}

/* covers: SM-SYR-1b-tsrec, CO-7323-08 */
static void a_timestamp_counts_if_it_stands_at_the_edge(void **state)
{
    (void)state;
    static const struct {
        const char *send;
        uint32_t recent;
    } cases[] = {
        {". seq 1 ack 1 <TS 1500 0>", 1500},
        {". seq 1 ack 1 <TS 1000 0>", 1000},
        {"P. seq 1:11 ack 1 <TS 1001 0>", 1001},
        {"P. seq 11:21 ack 1 <TS 2000 0>", 1000}, /* beyond Last.ACK.sent */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (enum form form = 0; form <= CROSSED; form++) {
            struct bench b;
            bench_init(&b);
            bench_open(&b, i & 1, bench_isses[i & 1]);
            bench_syn_rcvd(&b, form, "<mss 1460,TS 1000 0>");
            hf_peer_send(&b.peer, cases[i].send);
            hf_handle conn = bench_established(&b, form);
            assert_int_not_equal(conn, 0);
            assert_int_equal(bench_info(&b, conn).ts_recent, cases[i].recent);
            bench_close(&b);
        }
}

/* covers: SM-SYR-1a-paws: the comparison is modulo 2^32, UN-01 */
static void timestamps_wrap(void **state)
{
    (void)state;
    for (enum form form = 0; form <= CROSSED; form++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, false, 1);
        bench_syn_rcvd(&b, form, "<mss 1460,TS 4294967290 0>");
        hf_peer_send(&b.peer, ". seq 1 ack 1 <TS 4294967289 0>");
        assert_true(hf_peer_expect(&b.peer, ". seq 1 ack 1"));
        hf_peer_send(&b.peer, ". seq 1 ack 1 <TS 5 0>");
        assert_int_equal(bench_info(&b, bench_established(&b, form)).ts_recent, 5);
        bench_close(&b);
    }
}

/* covers: SM-SYR-1b-simopen, MUST-10: however many challenges were spent before */
static void a_crossing_syn_ack_is_always_answered(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, bench_isses[0]);
    bench_syn_rcvd(&b, CROSSED, "<mss 1460>");
    for (int i = 0; i < 30; i++) {
        hf_peer_send(&b.peer, "R seq 9");
        hf_peer_skip(&b.peer);
    }
    for (int i = 0; i < 30; i++) {
        hf_peer_send(&b.peer, "S. seq 0 ack 1");
        assert_true(hf_peer_expect(&b.peer, ". seq 1 ack 1"));
        assert_int_equal(hf_peer_state(&b.peer), HF_SYN_RCVD);
    }
    hf_peer_send(&b.peer, ". seq 1 ack 1");
    assert_int_equal(hf_peer_state(&b.peer), HF_ESTABLISHED);
    assert_int_equal(bench_event(&b, HF_EV_CONNECTED), b.conn);
    bench_close(&b);
}

/* covers: CO-5961-04, CO-5961-05: the limit is each connection's own */
/* Closed before our SYN is acknowledged, which is all that is in flight, and was sent again: when
 * the peer's window opens the FIN leaves, and nothing is sent again for it. */
static void a_window_that_opens_ahead_of_the_ack_of_our_syn(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 5);
    b.peer.window = 0;
    bench_syn_rcvd(&b, CROSSED, "<mss 1460>");
    assert_int_equal(hf_close(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
    hf_rig_pull(&b.rig);
    assert_true(hf_peer_expect_nothing(&b.peer));
    hf_rig_wait(&b.rig, HF_MS(1100));
    assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
    hf_peer_send(&b.peer, ". seq 1 ack 0 win 1000");
    assert_true(hf_peer_expect(&b.peer, "F. seq 1 ack 1"));
    assert_true(hf_peer_expect_nothing(&b.peer));
    assert_int_equal(hf_peer_state(&b.peer), HF_FIN_WAIT_1);
    hf_peer_send(&b.peer, ". seq 1 ack 2 win 1000");
    assert_int_equal(hf_peer_state(&b.peer), HF_FIN_WAIT_2);
    bench_close(&b);
}

static void challenges_are_throttled(void **state)
{
    (void)state;
    for (enum form form = 0; form <= CROSSED; form++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, false, 5);
        bench_syn_rcvd(&b, form, "<mss 1460>");
        size_t answers = 0;
        for (int i = 0; i < 25; i++) {
            hf_peer_send(&b.peer, "R seq 9");
            answers += hf_peer_skip(&b.peer);
        }
        assert_int_equal(answers, 10);
        assert_int_equal(bench_count(&b, HF_LIMIT_CHALLENGE), 15);
        hf_rig_run(&b.rig, HF_SEC(5));
        hf_peer_skip(&b.peer);
        hf_peer_send(&b.peer, "R seq 9");
        assert_true(hf_peer_expect(&b.peer, ". seq 1 ack 1"));
        bench_close(&b);
    }
}

/* covers: SM-SYR-0-csum, MUST-3 */
static void what_is_broken_leaves_no_mark(void **state)
{
    (void)state;
    for (enum form form = 0; form <= CROSSED; form++)
        for (unsigned k = 0; k < 6; k++) {
            struct bench b;
            bench_init(&b);
            bench_open(&b, k & 1, 5);
            bench_syn_rcvd(&b, form, "<mss 1460>");
            b.peer.add_to_checksum = 1;
            hf_peer_send(&b.peer, k < 2   ? ". seq 1 ack 1"
                                  : k < 4 ? "R seq 1"
                                          : "P. seq 1:11 ack 1");
            assert_int_equal(hf_peer_state(&b.peer), HF_SYN_RCVD);
            b.peer.add_to_checksum = 0;
            b.peer.snd_nxt = b.peer.iss + 1;
            struct hf_segment seg = {.seq = b.peer.iss + 1, .ack = b.peer.irs + 1, .flags = HF_ACK};
            uint8_t bytes[200];
            uint32_t n = hf_peer_packet(&b.peer, &seg, NULL, bytes);
            uint8_t *offset = &bytes[n - 20 + 12];
            *offset = 0x40; /* shorter than a header */
            hf_rig_input(&b.rig, bytes, n, 0, HF_PACKET_CSUM_VALID);
            *offset = 0x60; /* longer than the segment */
            hf_rig_input(&b.rig, bytes, n, 0, HF_PACKET_CSUM_VALID);
            assert_int_equal(bench_count(&b, HF_DROP_TCP_CHECKSUM), 1);
            assert_int_equal(bench_count(&b, HF_DROP_TCP_HEADER), 2);
            then_complete(&b, form, NULL);
            bench_close(&b);
        }
}

/* covers: SM-SYR-0-mcast, MUST-57, MUST-63 */
static void group_addresses_are_nobodys(void **state)
{
    (void)state;
    static const uint8_t odd[][4] = {{224, 0, 0, 1}, {255, 255, 255, 255}, {0, 0, 0, 0}};
    for (enum form form = 0; form <= CROSSED; form++)
        for (size_t i = 0; i < 6; i++) {
            struct bench b;
            bench_init(&b);
            bench_open(&b, false, 5);
            bench_syn_rcvd(&b, form, "<mss 1460>");
            struct hf_peer p = b.peer;
            const uint8_t *o = odd[i / 2];
            *(i & 1 ? &p.here.addr : &p.there.addr) = hf_addr_v4(o[0], o[1], o[2], o[3]);
            hf_peer_send(&p, ". seq 1 ack 1");
            hf_peer_send(&p, "R seq 1");
            assert_int_equal(bench_count(&b, HF_DROP_IP_ADDRESS), 2);
            then_complete(&b, form, NULL);
            bench_close(&b);
        }
}

/* ---- what the handshake leaves behind ---- */

/* covers: SM-SYR-5-ack-good, CO-7323-03, CO-1122-07: unscaled in the SYN, scaled from then on */
static void the_window_is_scaled_from_the_third_segment_on(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 2 * FORM_COUNT; n++) {
        enum form form = n / 2;
        struct bench b;
        bench_init(&b);
        /* A shift of 0 is offered too, and lets the peer scale. */
        b.config.window_scale = n % 2 * 7;
        bench_open(&b, false, 5);
        b.peer.window = 1000;
        bench_syn_rcvd(&b, form, "<mss 1460,wscale 3>");
        if (form != HALF_OPEN)
            assert_int_equal(bench_info(&b, b.conn).snd_wnd_bytes, 1000);
        hf_peer_send(&b.peer, ". seq 1 ack 1 win 900");
        hf_handle conn = bench_established(&b, form);
        struct hf_info info = bench_info(&b, conn);
        assert_int_equal(info.snd_wnd_bytes, 7200);
        assert_int_equal(info.snd_shift, 3);
        assert_int_equal(info.rcv_shift, b.config.window_scale);
        bench_close(&b);
    }
}

/* covers: CO-7323-03, SM-SYR-1b-win: ours too; the ACK announces as much as the SYN,ACK did, but
 * for less than a unit of the scaled window [RFC7323#2.4] */
static void the_window_of_an_answer_is_scaled(void **state)
{
    (void)state;
    for (enum form form = 0; form <= CROSSED; form++)
        for (int scaled = 0; scaled < 2; scaled++) {
            struct bench b;
            bench_init(&b);
            bench_open(&b, false, 5);
            bench_syn_rcvd(&b, form, scaled ? "<mss 1460,wscale 0>" : "<mss 1460>");
            assert_int_equal(b.peer.last.segment.window, 65535);
            hf_peer_send(&b.peer, ". seq 0 ack 1");
            assert_true(hf_peer_expect(&b.peer, ". seq 1 ack 1"));
            uint32_t window = (uint32_t)b.peer.last.segment.window << (scaled ? 7 : 0);
            assert_in_range(window, scaled ? 65535 - 127 : 65535, 256 * 1024);
            bench_close(&b);
        }
}

/* covers: MUST-18: what acknowledges one of two SYN,ACKs measures neither; nor does what
 * acknowledges a SYN,ACK or the SYN that crossed the peer's */
static void the_round_trip_of_a_syn_ack_sent_twice_is_unknown(void **state)
{
    (void)state;
    for (enum form form = 0; form <= CROSSED; form++)
        for (int repeated = 0; repeated < 2; repeated++) {
            struct bench b;
            bench_init(&b);
            bench_open(&b, false, 5);
            bench_syn_rcvd(&b, form, "<mss 1460>");
            hf_rig_wait(&b.rig, HF_MS(400));
            if (repeated)
                hf_peer_send(&b.peer, "S seq 0 <mss 1460>");
            hf_peer_skip(&b.peer);
            hf_rig_wait(&b.rig, HF_MS(20));
            hf_peer_send(&b.peer, ". seq 1 ack 1");
            hf_ns srtt_ns = bench_info(&b, bench_established(&b, form)).srtt_ns;
            if (repeated || form == CROSSED)
                assert_int_equal(srtt_ns, 0);
            else
                assert_in_range(srtt_ns, HF_MS(419), HF_MS(421));
            bench_close(&b);
        }
}

/* covers: CO-6298-12 [RFC6298#5.7] [RFC5681#3.1]: a lost SYN,ACK makes the start a careful one */
static void after_a_lost_syn_ack_data_starts_slowly(void **state)
{
    (void)state;
    for (enum form form = 0; form <= CROSSED; form++)
        for (int lost = 0; lost < 2; lost++) {
            struct bench b;
            bench_init(&b);
            bench_open(&b, false, 5);
            bench_syn_rcvd(&b, form, "<mss 1000>");
            hf_rig_wait(&b.rig, lost ? HF_MS(1500) : HF_MS(200));
            hf_peer_skip(&b.peer);
            hf_peer_send(&b.peer, ". seq 1 ack 1");
            struct hf_info info = bench_info(&b, bench_established(&b, form));
            assert_int_equal(info.cwnd_bytes, lost ? 1000 : 10000);
            if (lost || form == CROSSED)
                assert_int_equal(info.rto_ns, lost ? HF_SEC(3) : HF_SEC(1));
            else
                assert_in_range(info.rto_ns, HF_MS(599), HF_MS(601)); /* R + 4 R/2 */
            bench_close(&b);
        }
}

/* covers: MUST-18, CO-6298-12 [RFC6298#5.7] [RFC5681#3.1]: a SYN that comes again while our answer
 * has not left: that leaves once, and was not lost */
static void a_syn_again_ahead_of_our_answer_is_no_loss(void **state)
{
    (void)state;
    for (int has_left = 0; has_left < 2; has_left++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, false, 5);
        struct hf_listen listen = {.port = 80, .held = true};
        b.listener = bench_listen(&b, &listen);
        hf_peer_send(&b.peer, "S seq 0 <mss 1000>");
        b.conn = bench_event(&b, HF_EV_SYN);
        assert_int_equal(hf_admit(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
        if (has_left) {
            hf_rig_pull(&b.rig);
            assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
        }
        hf_peer_send(&b.peer, "S seq 0 <mss 1000>");
        assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
        assert_true(hf_peer_expect_nothing(&b.peer));
        hf_rig_wait(&b.rig, HF_MS(200));
        hf_peer_send(&b.peer, ". seq 1 ack 1");
        struct hf_info info = bench_info(&b, b.conn);
        assert_int_equal(info.cwnd_bytes, has_left ? 1000 : 10000);
        assert_int_equal(info.rto_ns / HF_MS(1), has_left ? 3000 : 600);
        assert_int_equal(info.srtt_ns / HF_MS(1), has_left ? 0 : 200);
        bench_close(&b);
    }
}

/* A SYN,ACK acknowledges too: what was to be told by an ACK of its own goes along. */
static void a_syn_ack_takes_what_is_due_along(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 5);
    bench_syn_rcvd(&b, CROSSED, "<mss 1000>");
    for (int due = 0; due < 2; due++) {
        if (due) /* nobody has asked for it yet */
            hf_rig_fire(&b.rig, bench_now(&b) + HF_SEC(10));
        hf_peer_send(&b.peer, ". seq 200000:200010 ack 1"); /* outside of the window */
        assert_true(hf_peer_expect(&b.peer, due ? "S. seq 0 ack 1" : ". seq 1 ack 1"));
        assert_true(hf_peer_expect_nothing(&b.peer));
    }
    bench_close(&b);
}

/* ---- timers ---- */

/* covers: TMO-RTO-SYR, MUST-20, MUST-22, CO-4987-09 */
static void the_syn_ack_comes_again_until_it_is_given_up(void **state)
{
    (void)state;
    static const unsigned at_s[] = {1, 3, 7, 15, 31, 63, 123, 183}; /* the last: given up */
    static const unsigned retries[] = {7, 5, 5, 3};
    for (enum hf_profile profile = 0; profile <= HF_PROFILE_FREEBSD; profile++)
        for (enum form form = 0; form <= CROSSED; form++) {
            struct bench b;
            hf_config_profile(&b.config, sizeof b.config, profile);
            bench_open(&b, profile & 1, 5);
            bench_syn_rcvd(&b, form, "<mss 1460>");
            for (unsigned i = 0; i < retries[profile]; i++) {
                hf_rig_run(&b.rig, HF_SEC((int64_t)at_s[i]) - HF_MS(1));
                assert_true(hf_peer_expect_nothing(&b.peer));
                hf_rig_run(&b.rig, HF_SEC((int64_t)at_s[i]) + HF_MS(1));
                assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
            }
            hf_rig_run(&b.rig, HF_SEC((int64_t)at_s[retries[profile]]) - HF_MS(1));
            assert_true(hf_peer_expect_nothing(&b.peer));
            assert_int_equal(hf_peer_state(&b.peer), HF_SYN_RCVD);
            hf_rig_wait(&b.rig, HF_MS(2));
            assert_int_equal(hf_peer_state(&b.peer), HF_CLOSED);
            if (form != HALF_OPEN) {
                assert_true(hf_peer_expect(&b.peer, "R. seq 1 ack 1"));
                struct hf_event e = hf_rig_event(&b.rig);
                assert_int_equal(e.bits & HF_EV_TROUBLE, HF_EV_TROUBLE);
                assert_int_equal(e.how, HF_CLOSED_TIMED_OUT);
            }
            assert_true(bench_is_quiet(&b));
            bench_close(&b);
        }
}

/* ---- calls ---- */

/* covers: CALL-SEND-SYR-1, CALL-RECEIVE-SYR-1, CALL-STATUS-SYR-1 */
static void calls_wait_for_the_handshake(void **state)
{
    (void)state;
    for (enum form form = ADMITTED; form <= CROSSED; form++) {
        struct bench b;
        bench_init(&b);
        b.config.send_buffer_bytes = 1000;
        b.config.send_buffer_max_bytes = 0;
        bench_open(&b, form == CROSSED, bench_isses[0]);
        bench_syn_rcvd(&b, form, "<mss 1460>");
        struct hf_stack *s = b.rig.stack;
        uint8_t bytes[1200] = "hello";
        assert_int_equal(hf_receive(s, b.conn, bytes, 10, bench_now(&b)), HF_E_AGAIN);
        assert_int_equal(hf_send(s, b.conn, bytes, sizeof bytes, 0, bench_now(&b)), 1000);
        assert_int_equal(hf_send(s, b.conn, bytes, 1, 0, bench_now(&b)), HF_E_AGAIN);
        hf_rig_pull(&b.rig);
        assert_true(hf_peer_expect_nothing(&b.peer));
        assert_int_equal(bench_info(&b, b.conn).state, HF_SYN_RCVD);
        assert_int_equal(bench_info(&b, b.conn).send_queue_bytes, 1000);
        hf_peer_send(&b.peer, ". seq 1 ack 1");
        assert_true(hf_peer_expect(&b.peer, "P. seq 1:1001 ack 1"));
        assert_memory_equal(b.peer.last.payload, bytes, 1000);
        hf_peer_send(&b.peer, ".");
        assert_int_equal(bench_event(&b, HF_EV_CONNECTED | HF_EV_WRITABLE), b.conn);
        bench_close(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_lies_outside_the_window_is_answered_but_for_rst),
        cmocka_unit_test(a_rst_inside_the_window_is_challenged),
        cmocka_unit_test(without_ack_nothing_happens),
        cmocka_unit_test(a_wrong_ack_draws_a_rst_from_its_own_number),
        cmocka_unit_test(the_ack_of_our_syn_completes_the_handshake),
        cmocka_unit_test(an_ack_ahead_of_lost_data_completes_it_too),
        cmocka_unit_test(an_exact_rst_ends_it),
        cmocka_unit_test(a_syn_in_the_window_ends_a_passive_open),
        cmocka_unit_test(a_syn_in_the_window_is_challenged_after_an_active_open),
        cmocka_unit_test(the_same_syn_again_brings_the_same_syn_ack),
        cmocka_unit_test(old_and_missing_timestamps_are_refused),
        cmocka_unit_test(a_timestamp_counts_if_it_stands_at_the_edge),
        cmocka_unit_test(timestamps_wrap),
        cmocka_unit_test(a_crossing_syn_ack_is_always_answered),
        cmocka_unit_test(a_window_that_opens_ahead_of_the_ack_of_our_syn),
        cmocka_unit_test(challenges_are_throttled),
        cmocka_unit_test(what_is_broken_leaves_no_mark),
        cmocka_unit_test(group_addresses_are_nobodys),
        cmocka_unit_test(the_window_is_scaled_from_the_third_segment_on),
        cmocka_unit_test(the_window_of_an_answer_is_scaled),
        cmocka_unit_test(the_round_trip_of_a_syn_ack_sent_twice_is_unknown),
        cmocka_unit_test(after_a_lost_syn_ack_data_starts_slowly),
        cmocka_unit_test(a_syn_again_ahead_of_our_answer_is_no_loss),
        cmocka_unit_test(a_syn_ack_takes_what_is_due_along),
        cmocka_unit_test(the_syn_ack_comes_again_until_it_is_given_up),
        cmocka_unit_test(calls_wait_for_the_handshake),
    };
    return cmocka_run_group_tests_name("sm_syn_rcvd", tests, NULL, NULL);
}
