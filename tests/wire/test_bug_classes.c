/* Classes of bugs that TCP stacks had again and again, as far as no other test looks for them. */
#include "opening.h"

static void listen_and_connect(struct bench *b, const char *options)
{
    struct hf_listen listen = {.port = 80};
    b->listener = bench_listen(b, &listen);
    assert_true(hf_peer_connect(&b->peer, options));
    b->conn = bench_event(b, HF_EV_ACCEPTED);
    assert_true(b->conn != 0);
}

static void open_connected(struct bench *b, const char *options)
{
    bench_init(b);
    bench_open(b, false, 1000);
    listen_and_connect(b, options);
}

static void write_bytes(struct bench *b, size_t n)
{
    static uint8_t bytes[1 << 18];
    assert_int_equal(hf_send(b->rig.stack, b->conn, bytes, n, 0, bench_now(b)), n);
    hf_rig_pull(&b->rig);
}

static int64_t read_bytes(struct bench *b, size_t n)
{
    static uint8_t bytes[1 << 18];
    int64_t got = hf_receive(b->rig.stack, b->conn, bytes, n, bench_now(b));
    hf_rig_pull(&b->rig);
    return got;
}

/* Class 1: initial numbers of many tuples say nothing about each other, nor another seed's.
 * covers: CO-6528-03, CO-6528-05, MUST-9 */
static void initial_numbers_cannot_be_guessed(void **state)
{
    (void)state;
    enum { TUPLES = 2000 };
    static uint32_t numbers[2][TUPLES];
    for (unsigned seed = 0; seed < 2; seed++) {
        struct bench b;
        bench_init(&b);
        b.config.max_half_open = TUPLES;
        struct hf_rig_config config = {.config = &b.config, .seed = seed + 1};
        assert_int_equal(hf_rig_open(&b.rig, &config), HF_OK);
        bench_listen(&b, &(struct hf_listen){.port = 80});
        for (uint16_t i = 0; i < TUPLES; i++) {
            struct hf_peer p;
            hf_peer_open(&p, &b.rig, false, (uint16_t)(2000 + i), 80, 1);
            hf_peer_send(&p, "S seq 0");
            assert_true(hf_peer_pop(&p));
            numbers[seed][i] = p.irs;
        }
        hf_rig_close(&b.rig);
    }
    for (unsigned bit = 0; bit < 32; bit++) {
        unsigned ones = 0, steps = 0, same = 0;
        for (unsigned i = 0; i < TUPLES; i++) {
            uint32_t before = numbers[0][i > 0 ? i - 1 : TUPLES - 1];
            ones += numbers[0][i] >> bit & 1;
            steps += (numbers[0][i] - before) >> bit & 1;
            same += (numbers[0][i] ^ numbers[1][i]) >> bit & 1;
        }
        assert_in_range(ones, TUPLES * 2 / 5, TUPLES * 3 / 5);
        assert_in_range(steps, TUPLES * 2 / 5, TUPLES * 3 / 5);
        assert_in_range(same, TUPLES * 2 / 5, TUPLES * 3 / 5);
    }
}

/* Class 2: a peer that wants the smallest segments and reports every second byte of them. Segments
 * have a floor, the reports are no reason to send, and nothing is kept for them. */
static void tiny_segments_and_every_other_byte_reported(void **state)
{
    (void)state;
    enum { ROUNDS = 2000, WRITTEN = 100000 };
    struct bench b;
    open_connected(&b, "<mss 48,sackOK,wscale 7>");
    hf_peer_send(&b.peer, ". seq 1 ack 1 win 65535");
    write_bytes(&b, WRITTEN);
    uint32_t floor = (uint32_t)b.config.mss_min_bytes, packets = 0, sent = 0;
    uint64_t queue_bytes = bench_sizes(&b).pool_used_bytes;
    char text[120];
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint32_t at = 3 + i % 500;
        snprintf(text, sizeof text, ". seq 1 ack 1 <sack %u:%u,sack %u:%u,sack %u:%u>", at, at + 1,
                 at + 2, at + 3, at + 4, at + 5);
        hf_peer_send(&b.peer, text);
        for (; hf_peer_pop(&b.peer); packets++) {
            assert_true(b.peer.last.segment.payload_bytes >= floor - 12);
            sent += b.peer.last.segment.payload_bytes;
        }
        assert_true(bench_sizes(&b).pool_used_bytes <= queue_bytes);
    }
    assert_true(bench_count(&b, HF_RETRANSMIT_FAST) <= 1);
    assert_true(sent <= WRITTEN + floor && packets <= WRITTEN / (floor - 12));
    snprintf(text, sizeof text, ". seq 1 ack %u", 1 + bench_info(&b, b.conn).in_flight_bytes);
    hf_peer_send(&b.peer, text);
    assert_true(bench_info(&b, b.conn).send_queue_bytes < WRITTEN);
    bench_close(&b);
}

/* Class 3: one-byte segments from the end to the start, every second one missing. Neither memory
 * nor the list of gaps grows with their number, and what was refused comes again. */
static void tiny_segments_in_reverse(void **state)
{
    (void)state;
    enum { SPAN = 20000 };
    struct bench b;
    open_connected(&b, "<mss 1460,sackOK>");
    char text[64];
    for (uint32_t at = SPAN; at > 1; at -= 2) {
        snprintf(text, sizeof text, ". seq %u:%u ack 1", at, at + 1);
        hf_peer_send(&b.peer, text);
        hf_peer_skip(&b.peer);
    }
    assert_true(bench_sizes(&b).pool_used_bytes <= SPAN + 3 * 4096);
    assert_true(bench_count(&b, HF_DROP_TOO_MANY_GAPS) > 0);
    assert_in_range(bench_info(&b, b.conn).out_of_order_bytes, 10, 4096 / 8);
    for (uint32_t at = 1; at <= SPAN; at += 1000) {
        snprintf(text, sizeof text, ". seq %u:%u ack 1", at, at + 1000);
        hf_peer_send(&b.peer, text);
    }
    uint8_t bytes[SPAN];
    int64_t got = hf_receive(b.rig.stack, b.conn, bytes, sizeof bytes, bench_now(&b));
    assert_int_equal(got, SPAN);
    assert_int_equal(hf_pattern_check(b.peer.key, 0, bytes, SPAN), SPAN);
    assert_int_equal(bench_sizes(&b).pool_used_bytes, 0);
    bench_close(&b);
}

/* Class 5: the urgent pointer is a mark and nothing else, wherever it points.
 * covers: MUST-32, CO-6093-02 */
static void urgent_pointers_move_no_byte(void **state)
{
    (void)state;
    static const char *const segments[] = {
        "PU. seq 1:101 ack 1 urg 0",        "U. seq 101 ack 1 urg 65535",
        "PU. seq 301:401 ack 1 urg 1",      "PU. seq 101:201 ack 1 urg 65535",
        "PU. seq 151:301 ack 1 urg 60",     "U. seq 60000:60001 ack 1 urg 9",
        "FPU. seq 401:501 ack 1 urg 65000",
    };
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 0xFFFFFFA0u);
    bench_listen(&b, &(struct hf_listen){.port = 80});
    hf_peer_send(&b.peer, "SU seq 0 urg 99");
    assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
    hf_peer_send(&b.peer, "U. seq 1 ack 1 urg 40000");
    for (size_t i = 0; i < HF_COUNT_OF(segments); i++)
        hf_peer_send(&b.peer, segments[i]);
    struct hf_event e = hf_rig_event(&b.rig);
    assert_int_equal(e.bits & (HF_EV_ACCEPTED | HF_EV_PEER_CLOSED),
                     HF_EV_ACCEPTED | HF_EV_PEER_CLOSED);
    uint8_t bytes[600];
    int64_t got = hf_receive(b.rig.stack, e.handle, bytes, sizeof bytes, bench_now(&b));
    assert_int_equal(got, 500);
    assert_int_equal(hf_pattern_check(b.peer.key, 0, bytes, 500), 500);
    hf_peer_skip(&b.peer);
    bench_close(&b);
}

/* Sends all that was caught back, with its ends changed over; how much that was. */
static size_t reflect(struct bench *b)
{
    size_t n = 0;
    struct hf_caught c;
    for (size_t left = b->rig.caught_count; left > 0 && hf_rig_pop(&b->rig, NULL, NULL, &c);
         left--) {
        struct hf_peer echo = b->peer;
        struct hf_segment seg = c.segment;
        echo.here = (struct hf_endpoint){c.ip.destination, seg.source_port};
        echo.there = (struct hf_endpoint){c.ip.source, seg.destination_port};
        hf_peer_send_segment(&echo, &seg, c.payload);
        echo.here.port = seg.destination_port;
        echo.there.port = seg.source_port;
        hf_peer_send_segment(&echo, &seg, c.payload);
        n += 2;
    }
    return n;
}

/* Class 11: a stack whose answers come back to it, as a stranger's and a peer's, falls silent. */
static void reflected_answers_decay(void **state)
{
    (void)state;
    static const char *const first[] = {
        ". seq 1 ack 1",     ". seq 40000:40001 ack 1", ". seq 1 ack 9999999",
        "S seq 5",           "S. seq 7 ack 1",          "R seq 3",
        ". seq 1:101 ack 1", "F. seq 1 ack 1",
    };
    for (size_t i = 0; i < HF_COUNT_OF(first); i++) {
        struct bench b;
        open_connected(&b, i % 2 ? "<mss 1000,sackOK>" : "");
        struct hf_peer stranger = bench_peer(&b, 9, 4321, 99);
        hf_peer_send(&stranger, first[i]);
        hf_peer_send(&b.peer, first[i]);
        size_t rounds = 0, packets = 0, n;
        while ((n = reflect(&b)) > 0 && rounds++ < 100)
            packets += n;
        assert_true(rounds < 60 && packets < 200);
        bench_close(&b);
    }
}

/* Class 13: a RST that ends SYN-RECEIVED does so with and without the ACK bit. */
static void a_rst_with_or_without_ack_ends_syn_received(void **state)
{
    (void)state;
    for (unsigned form = 0; form < FORM_COUNT; form++)
        for (unsigned ack = 0; ack < 2; ack++) {
            struct bench b;
            bench_init(&b);
            bench_open(&b, false, bench_isses[ack]);
            bench_syn_rcvd(&b, (enum form)form, "<mss 1000>");
            hf_peer_send(&b.peer, ack ? "R. seq 1 ack 1" : "R seq 1");
            enum hf_state left = hf_peer_state(&b.peer);
            if (left != HF_CLOSED)
                fail_msg("%s: %s", form_names[form], hf_state_name(left));
            assert_true(hf_peer_expect_nothing(&b.peer));
            bench_close(&b);
        }
}

/* Class 14: a repeated SYN,ACK opens no window. */
static void repeated_syn_acks_do_not_open_the_window(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 1000);
    b.conn = bench_connect(&b);
    assert_true(hf_peer_accept(&b.peer, "<mss 1000>"));
    struct hf_info before = bench_info(&b, b.conn);
    for (int i = 0; i < 50; i++)
        hf_peer_send(&b.peer, "S. seq 0 ack 1 win 65535 <mss 1000>");
    struct hf_info after = bench_info(&b, b.conn);
    assert_int_equal(after.cwnd_bytes, before.cwnd_bytes);
    assert_int_equal(after.snd_wnd_bytes, before.snd_wnd_bytes);
    assert_true(hf_peer_skip(&b.peer) <= (size_t)b.config.challenge_acks);
    bench_close(&b);
}

/* Class 17: a third ACK without the agreed timestamp strands neither handshake nor backlog. */
static void a_third_ack_without_timestamp(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 1000);
    bench_listen(&b, &(struct hf_listen){.port = 80, .backlog = 1});
    hf_peer_send(&b.peer, "S seq 0 <mss 1000,TS 100 0>");
    assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
    hf_peer_send(&b.peer, ". seq 1 ack 1");
    assert_int_equal(hf_peer_state(&b.peer), HF_SYN_RCVD);
    hf_rig_wait(&b.rig, HF_MS(1100));
    assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
    hf_peer_send(&b.peer, ". seq 1 ack 1 <TS 101 0>");
    assert_int_equal(hf_peer_state(&b.peer), HF_ESTABLISHED);
    assert_true(bench_event(&b, HF_EV_ACCEPTED) != 0);
    struct hf_peer next = bench_peer(&b, 2, 4001, 1000);
    assert_true(hf_peer_connect(&next, ""));
    assert_int_equal(hf_peer_state(&next), HF_ESTABLISHED);
    bench_close(&b);
}

/* Class 18: a SYN with everything that does not belong there opens a connection all the same, and
 * what came with it is neither kept nor acknowledged. covers: CO-4987-03 */
static void odd_syns_open_connections(void **state)
{
    (void)state;
    static const char *const syns[] = {"SEW seq 0", "SP seq 0:100", "SF seq 0", "SFPUEW seq 0:500",
                                       "S seq 0 win 0"};
    for (size_t i = 0; i < HF_COUNT_OF(syns); i++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, i % 2, bench_isses[i % 2]);
        bench_listen(&b, &(struct hf_listen){.port = 80});
        hf_peer_send(&b.peer, syns[i]);
        assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
        hf_peer_send(&b.peer, ". seq 1 ack 1");
        assert_int_equal(hf_peer_state(&b.peer), HF_ESTABLISHED);
        b.conn = bench_event(&b, HF_EV_ACCEPTED);
        hf_peer_send(&b.peer, "P. seq 1:101 ack 1");
        assert_int_equal(read_bytes(&b, 1000), 100);
        bench_close(&b);
    }
}

/* Class 21: requests for hosts that never answer keep their places for so long and no longer, and
 * one that is refused gives its place to the next. */
static void dead_destinations_do_not_block_live_ones(void **state)
{
    (void)state;
    enum { PLACES = 8 };
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 1000);
    bench_listen(&b, &(struct hf_listen){.port = 80, .held = true, .max_connections = PLACES});
    hf_handle dead[PLACES];
    for (uint16_t i = 0; i < PLACES; i++) {
        struct hf_peer p = bench_peer(&b, 2, (uint16_t)(5000 + i), 1000);
        hf_peer_send(&p, "S seq 0");
        dead[i] = bench_event(&b, HF_EV_SYN);
        assert_true(dead[i] != 0);
    }
    hf_peer_send(&b.peer, "S seq 0");
    assert_true(bench_is_quiet(&b));
    hf_ns now = bench_now(&b);
    assert_int_equal(hf_refuse(b.rig.stack, dead[0], HF_REFUSE_HOST_UNREACHABLE, now), HF_OK);
    hf_rig_pull(&b.rig);
    assert_int_equal(bench_event(&b, HF_EV_CLOSED), dead[0]);
    hf_peer_send(&b.peer, "S seq 0");
    b.conn = bench_event(&b, HF_EV_SYN);
    assert_int_equal(hf_admit(b.rig.stack, b.conn, now), HF_OK);
    hf_rig_pull(&b.rig);
    assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
    hf_peer_send(&b.peer, ". seq 1 ack 1");
    assert_int_equal(hf_peer_state(&b.peer), HF_ESTABLISHED);
    hf_rig_wait(&b.rig, b.config.hold_timeout_ns + HF_SEC(1));
    for (uint16_t i = 1; i < PLACES; i++)
        assert_int_equal(bench_info(&b, dead[i]).how, HF_CLOSED_HOLD_TIMEOUT);
    assert_int_equal(hf_peer_state(&b.peer), HF_ESTABLISHED);
    bench_close(&b);
}

/* Class 22: of a listener and two connections at one port, a RST ends the one that it names. */
static void a_rst_ends_the_connection_it_names(void **state)
{
    (void)state;
    struct bench b;
    open_connected(&b, "");
    struct hf_peer other = bench_peer(&b, 2, 4001, 1000), third = bench_peer(&b, 2, 4002, 1000);
    assert_true(hf_peer_connect(&other, ""));
    hf_peer_send(&other, "R seq 1");
    assert_int_equal(hf_peer_state(&other), HF_CLOSED);
    assert_int_equal(hf_peer_state(&b.peer), HF_ESTABLISHED);
    hf_peer_send(&third, "R seq 1");
    assert_true(hf_peer_connect(&third, ""));
    assert_int_equal(hf_peer_state(&third), HF_ESTABLISHED);
    assert_true(hf_peer_expect_nothing(&other));
    bench_close(&b);
}

/* Class 24: closed before the answer comes, whatever state the peer went to, it hears of it. */
static void close_races_with_the_syn_ack(void **state)
{
    (void)state;
    for (int aborted = 0; aborted < 2; aborted++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, false, 1000);
        b.conn = bench_connect(&b);
        assert_true(hf_peer_expect(&b.peer, "S seq 0"));
        hf_ns now = bench_now(&b);
        int err = aborted ? hf_abort(b.rig.stack, b.conn, now) : hf_close(b.rig.stack, b.conn, now);
        assert_int_equal(err, HF_OK);
        hf_rig_pull(&b.rig);
        hf_peer_send(&b.peer, "S. seq 0 ack 1");
        assert_true(hf_peer_expect(&b.peer, "R seq 1"));
        assert_true(bench_event(&b, HF_EV_CLOSED) != 0);
        assert_int_equal(bench_sizes(&b).connections, 0);
        bench_close(&b);
    }
}

/* Class 26: after a time-out the FIN still follows the data, and comes again with it. */
static void a_fin_stays_behind_its_data(void **state)
{
    (void)state;
    struct bench b;
    open_connected(&b, "<mss 1000>");
    write_bytes(&b, 2500);
    assert_int_equal(hf_shutdown(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
    hf_rig_pull(&b.rig);
    hf_peer_skip(&b.peer);
    hf_rig_wait(&b.rig, HF_MS(300));
    assert_true(hf_peer_expect(&b.peer, "0.200 . seq 1:1001 ack 1"));
    assert_true(hf_peer_expect_nothing(&b.peer));
    hf_peer_send(&b.peer, ". seq 1 ack 1001");
    assert_true(hf_peer_expect(&b.peer, ". seq 1001:2001 ack 1"));
    assert_true(hf_peer_expect(&b.peer, "FP. seq 2001:2501 ack 1"));
    assert_true(hf_peer_expect_nothing(&b.peer));
    hf_peer_send(&b.peer, ". seq 1 ack 2502");
    assert_int_equal(hf_peer_state(&b.peer), HF_FIN_WAIT_2);
    bench_close(&b);
}

/* Class 29: the end is told although the buffer was full when it came. */
static void the_end_is_told_behind_a_full_buffer(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    b.config.receive_buffer_bytes = 4000;
    bench_open(&b, false, 1000);
    listen_and_connect(&b, "<mss 1000>");
    hf_peer_send(&b.peer, "P. seq 1:4001 ack 1");
    hf_peer_send(&b.peer, "F. seq 4001 ack 1");
    hf_peer_skip(&b.peer);
    assert_int_equal(b.peer.last.segment.window, 0);
    assert_int_equal(read_bytes(&b, 5000), 4000);
    hf_peer_skip(&b.peer);
    hf_rig_event(&b.rig);
    hf_peer_send(&b.peer, "F. seq 4001 ack 1");
    assert_int_equal(hf_peer_state(&b.peer), HF_CLOSE_WAIT);
    assert_true(bench_event(&b, HF_EV_PEER_CLOSED | HF_EV_READABLE) != 0);
    assert_int_equal(read_bytes(&b, 1), HF_E_END);
    bench_close(&b);
}

/* Class 34: a reader of single bytes opens no window of single bytes.
 * covers: MUST-39, CO-1122-03 */
static void no_silly_window_is_announced(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    b.config.receive_buffer_bytes = 8000;
    b.config.window_scale = -1;
    bench_open(&b, false, 1000);
    listen_and_connect(&b, "<mss 1460>");
    hf_peer_send(&b.peer, "P. seq 1:8001 ack 1");
    hf_peer_skip(&b.peer);
    unsigned updates = 0;
    for (int i = 0; i < 8000; i++) {
        assert_int_equal(read_bytes(&b, 1), 1);
        while (hf_peer_pop(&b.peer)) {
            assert_true(b.peer.last.segment.window >= 1460);
            updates++;
        }
    }
    assert_in_range(updates, 1, 6);
    bench_close(&b);
}

/* Class 35: nothing of a connection's windows is left for the next one in its place. */
static void old_windows_do_not_leak(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 1000);
    b.peer.timestamps = true;
    listen_and_connect(&b, "<mss 1460,sackOK,wscale 9>");
    hf_peer_send(&b.peer, ". seq 1 ack 1 win 60000");
    write_bytes(&b, 5000);
    assert_int_equal(hf_abort(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
    while (hf_rig_event(&b.rig).bits != 0)
        continue;
    hf_rig_pull(&b.rig);
    hf_peer_skip(&b.peer);
    struct hf_peer next = bench_peer(&b, 2, 4001, 77);
    hf_peer_send(&next, "S seq 0 win 300 <mss 500>");
    assert_true(hf_peer_expect(&next, "S. seq 0 ack 1 <mss 1460>"));
    hf_peer_send(&next, ". seq 1 ack 1 win 300");
    b.conn = bench_event(&b, HF_EV_ACCEPTED);
    struct hf_info info = bench_info(&b, b.conn);
    assert_false(info.timestamps || info.sack || info.window_scale);
    assert_int_equal(info.snd_wnd_bytes, 300);
    assert_int_equal(info.snd_shift + info.rcv_shift, 0);
    write_bytes(&b, 5000);
    assert_true(hf_peer_expect(&next, ". seq 1:301 ack 1"));
    assert_true(hf_peer_expect_nothing(&next));
    bench_close(&b);
}

/* Class 36: a flood of duplicate ACKs is one loss, and no way to a window without end.
 * covers: CO-6582-01 */
static void a_thousand_duplicate_acks(void **state)
{
    (void)state;
    struct bench b;
    open_connected(&b, "<mss 1000,wscale 2>");
    write_bytes(&b, 200000);
    assert_true(hf_peer_skip(&b.peer) >= 10);
    for (int i = 0; i < 1000; i++)
        hf_peer_send(&b.peer, ". seq 1 ack 1 win 65535");
    assert_int_equal(bench_count(&b, HF_RETRANSMIT_FAST), 1);
    assert_true(bench_info(&b, b.conn).in_flight_bytes <= 200000);
    hf_peer_skip(&b.peer);
    hf_peer_send(&b.peer, ". seq 1 ack 200001 win 65535");
    assert_in_range(bench_info(&b, b.conn).cwnd_bytes, 1000, 10000);
    bench_close(&b);
}

/* Class 37: two segments that changed places cost nothing. */
static void slight_reordering_does_not_halve_the_window(void **state)
{
    (void)state;
    struct bench b;
    open_connected(&b, "<mss 1000,wscale 2>");
    write_bytes(&b, 100000);
    uint32_t before = bench_info(&b, b.conn).cwnd_bytes;
    for (int i = 0; i < 2; i++)
        hf_peer_send(&b.peer, ". seq 1 ack 1 win 65535");
    hf_peer_send(&b.peer, ". seq 1 ack 3001 win 65535");
    assert_true(bench_info(&b, b.conn).cwnd_bytes >= before);
    assert_int_equal(bench_count(&b, HF_RETRANSMIT_FAST), 0);
    bench_close(&b);
}

/* Class 38: the first flight is the initial window, no more and no less.
 * covers: CO-5681-02, CO-6928-01 */
static void the_first_flight_is_the_initial_window(void **state)
{
    (void)state;
    static const uint32_t flights[HF_PROFILE_COUNT] = {4, 10, 10, 10};
    for (int profile = 0; profile < HF_PROFILE_COUNT; profile++) {
        struct bench b;
        bench_init(&b);
        hf_config_profile(&b.config, sizeof b.config, (enum hf_profile)profile);
        bench_open(&b, false, 1000);
        listen_and_connect(&b, "<mss 1000,wscale 7>");
        hf_peer_send(&b.peer, ". seq 1 ack 1 win 65535");
        write_bytes(&b, 40000);
        assert_int_equal(hf_peer_skip(&b.peer), flights[profile]);
        assert_int_equal(bench_info(&b, b.conn).in_flight_bytes, flights[profile] * 1000);
        bench_close(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(initial_numbers_cannot_be_guessed),
        cmocka_unit_test(tiny_segments_and_every_other_byte_reported),
        cmocka_unit_test(tiny_segments_in_reverse),
        cmocka_unit_test(urgent_pointers_move_no_byte),
        cmocka_unit_test(reflected_answers_decay),
        cmocka_unit_test(a_rst_with_or_without_ack_ends_syn_received),
        cmocka_unit_test(repeated_syn_acks_do_not_open_the_window),
        cmocka_unit_test(a_third_ack_without_timestamp),
        cmocka_unit_test(odd_syns_open_connections),
        cmocka_unit_test(dead_destinations_do_not_block_live_ones),
        cmocka_unit_test(a_rst_ends_the_connection_it_names),
        cmocka_unit_test(close_races_with_the_syn_ack),
        cmocka_unit_test(a_fin_stays_behind_its_data),
        cmocka_unit_test(the_end_is_told_behind_a_full_buffer),
        cmocka_unit_test(no_silly_window_is_announced),
        cmocka_unit_test(old_windows_do_not_leak),
        cmocka_unit_test(a_thousand_duplicate_acks),
        cmocka_unit_test(slight_reordering_does_not_halve_the_window),
        cmocka_unit_test(the_first_flight_is_the_initial_window),
    };
    return cmocka_run_group_tests_name("bug_classes", tests, NULL, NULL);
}
