/* Data where little moves: windows of nothing, marks that can't be reached, echoes of timestamps
 * that can't be, reservations of others, links that cut without summing. */
#include "opening.h"

static void establish(struct bench *b, const char *options)
{
    bench_open(b, false, 1);
    bench_syn_rcvd(b, HALF_OPEN, options);
    hf_peer_send(&b->peer, ". ack 1");
    b->conn = bench_established(b, HALF_OPEN);
    assert_true(b->conn != 0);
}

static void write_bytes(struct bench *b, uint32_t n)
{
    static const uint8_t data[65536];
    assert_int_equal(hf_send(b->rig.stack, b->conn, data, n, 0, bench_now(b)), n);
    hf_rig_pull(&b->rig);
}

/* [RFC9293#3.8.6.2.1] A peer that never had a window: nothing goes out into it, empty segments
 * neither; the first byte of a window goes at once, for it is the widest there ever was. */
static void a_window_that_never_was(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    b.config.window_scale = -1;
    bench_open(&b, false, 1);
    b.peer.window = 0;
    bench_syn_rcvd(&b, HALF_OPEN, "win 0 <mss 1460>");
    hf_peer_send(&b.peer, ". ack 1 win 0");
    b.conn = bench_established(&b, HALF_OPEN);
    write_bytes(&b, 10);
    assert_true(hf_peer_expect_nothing(&b.peer));
    hf_peer_send(&b.peer, ". ack 1 win 1");
    assert_true(hf_peer_expect(&b.peer, ". seq 1:2 ack 1"));
    assert_true(hf_peer_expect_nothing(&b.peer));
    bench_close(&b);
}

/* The window is full before the mark is reached: no more can come, so it is told all the same. */
static void a_full_window_is_told_below_the_mark(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    b.config.receive_buffer_bytes = 1000;
    establish(&b, "<mss 1460>");
    struct hf_stack *s = b.rig.stack;
    hf_ns now = bench_now(&b);
    assert_int_equal(hf_set(s, b.conn, HF_OPT_RECEIVE_BUFFER_BYTES, 60000, now), HF_OK);
    assert_int_equal(hf_set(s, b.conn, HF_OPT_RECEIVE_LOW_WATER_BYTES, 20000, now), HF_OK);
    hf_peer_send(&b.peer, "P. seq 1:500 ack 1"); /* before the new window was sent */
    assert_int_equal(bench_event(&b, HF_EV_READABLE), 0);
    bench_close(&b);

    bench_init(&b);
    b.config.receive_buffer_bytes = 1000;
    establish(&b, "<mss 1460>");
    s = b.rig.stack;
    assert_int_equal(hf_set(s, b.conn, HF_OPT_RECEIVE_BUFFER_BYTES, 60000, now), HF_OK);
    assert_int_equal(hf_set(s, b.conn, HF_OPT_RECEIVE_LOW_WATER_BYTES, 20000, now), HF_OK);
    hf_peer_send(&b.peer, "P. seq 1:1001 ack 1");
    assert_true(bench_event(&b, HF_EV_READABLE) == b.conn);
    bench_close(&b);
}

/* Time has passed already, so that echoes may be of long ago. */
static void open_late(struct bench *b)
{
    bench_init(b);
    struct hf_rig_config rig = {.config = &b->config, .seed = 7, .start_ns = HF_SEC(1000)};
    assert_int_equal(hf_rig_open(&b->rig, &rig), HF_OK);
    hf_peer_open(&b->peer, &b->rig, false, 4000, 80, 1);
}

/* [RFC7323#4] What was sent again is timed by the echo, if that is one of ours: none of 0, none
 * from ahead. */
static void an_impossible_echo_times_nothing(void **state)
{
    (void)state;
    static const struct {
        bool known;
        int32_t age_ms;
    } rows[] = {{true, 40}, {false, 0}, {true, -1}, {true, 0}};
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++) {
        struct bench b;
        open_late(&b);
        b.peer.timestamps = true;
        b.peer.ts_base = 5;
        bench_syn_rcvd(&b, HALF_OPEN, "<mss 1460>");
        hf_peer_send(&b.peer, ". ack 1");
        b.conn = bench_established(&b, HALF_OPEN);
        write_bytes(&b, 100);
        hf_rig_wait(&b.rig, HF_SEC(2));
        assert_true(hf_peer_skip(&b.peer) > 1);
        uint64_t samples = bench_count(&b, HF_RTT_TIMESTAMP);
        struct hf_segment seg = {
            .source_port = b.peer.here.port,
            .destination_port = b.peer.there.port,
            .seq = b.peer.snd_nxt,
            .ack = b.peer.rcv_nxt,
            .flags = HF_ACK,
            .window = 65535,
            .has_timestamps = true,
            .ts_value = b.peer.ts_base + (uint32_t)(bench_now(&b) / HF_MS(1)),
            .ts_echo = rows[i].known ? b.peer.ts_recent - (uint32_t)rows[i].age_ms : 0,
        };
        /* The last segment's timestamp is that of its instant: moved to the present. */
        if (rows[i].known)
            seg.ts_echo += (uint32_t)(bench_now(&b) / HF_MS(1) - b.peer.last.at_ns / HF_MS(1));
        hf_peer_send_segment(&b.peer, &seg, NULL);
        assert_int_equal(bench_info(&b, b.conn).in_flight_bytes, 0);
        bool possible = rows[i].known && rows[i].age_ms >= 0;
        assert_int_equal(bench_count(&b, HF_RTT_TIMESTAMP) - samples, possible);
        bench_close(&b);
    }
}

/* The same for a SYN that was sent again, which no other sending is told from: its answer is timed
 * by any echo that may be one of ours. */
static void only_a_possible_echo_times_a_syn(void **state)
{
    (void)state;
    static const struct {
        int32_t age_ms;
        bool possible;
    } rows[] = {{0, true}, {40, true}, {600000, true}, {600001, false}, {-1, false}};
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++) {
        struct bench b;
        open_late(&b);
        b.conn = bench_connect(&b);
        assert_true(hf_peer_expect(&b.peer, "S seq 0"));
        hf_rig_wait(&b.rig, HF_MS(1500));
        assert_true(hf_peer_expect(&b.peer, "S seq 0"));
        uint32_t since_ms = (uint32_t)(bench_now(&b) / HF_MS(1) - b.peer.last.at_ns / HF_MS(1));
        b.peer.ts_recent += since_ms - (uint32_t)rows[i].age_ms;
        b.peer.timestamps = true;
        hf_peer_send(&b.peer, "S. seq 0 ack 1 <mss 1460,TS>");
        assert_int_equal(bench_info(&b, b.conn).state, HF_ESTABLISHED);
        assert_int_equal(bench_count(&b, HF_RTT_TIMESTAMP), rows[i].possible);
        bench_close(&b);
    }
}

/* [RFC6675#2] An ACK, also one that moves the window, is a duplicate only if it says that something
 * arrived: not what was told before, not what is acknowledged already or was never sent, not a part
 * of a segment [RFC2018#5]. Three such ACKs, or three segments in one: the one before is lost. */
static void news_of_something_in_flight_make_duplicates(void **state)
{
    (void)state;
    static const struct {
        const char *blocks[3];
        bool again;
    } rows[] = {
        {{"<sack 2921:4381>", "<sack 2921:5841>", "<sack 2921:7301>"}, true},
        {{"", "<sack 2921:4381>", "<sack 2921:4381,sack 5841:8761>"}, true},
        {{"", "", "<sack 2921:7301>"}, true},
        {{"<sack 2921:4381>", "<sack 2921:4381>", "<sack 2921:4381>"}, false},
        {{"<sack 2922:4381>", "<sack 2922:5840>", "<sack 2922:5841>"}, false},
        {{"<sack 1:1461>", "<sack 1:1461>", "<sack 1:1461>"}, false},
        {{"<sack 8761:8762>", "<sack 8761:8763>", "<sack 8761:8764>"}, false},
        {{"", "", ""}, false},
    };
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++) {
        struct bench b;
        bench_init(&b);
        establish(&b, "<mss 1460,sackOK>");
        write_bytes(&b, 6 * 1460);
        assert_int_equal(hf_peer_skip(&b.peer), 6);
        hf_peer_send(&b.peer, ". ack 1461 win 20000");
        for (int k = 0; k < 3; k++) {
            char text[80];
            snprintf(text, sizeof text, ". ack 1461 win %d %s", 20001 + k, rows[i].blocks[k]);
            assert_true(hf_peer_expect_nothing(&b.peer));
            hf_peer_send(&b.peer, text);
        }
        if (rows[i].again)
            assert_true(hf_peer_expect(&b.peer, ". seq 1461:2921"));
        else
            assert_true(hf_peer_expect_nothing(&b.peer));
        bench_close(&b);
    }
}

/* Data, or a FIN, from beyond a gap with an old acknowledgment: it moves no window, and what comes
 * next in order is still no common segment but one that is acknowledged at once. */
static void a_gap_with_an_old_acknowledgment(void **state)
{
    (void)state;
    for (int fin = 0; fin < 2; fin++) {
        struct bench b;
        uint8_t bytes[400];
        bench_init(&b);
        b.config.quick_acks = 0;
        establish(&b, "<mss 1460>");
        write_bytes(&b, 1000);
        assert_int_equal(hf_peer_skip(&b.peer), 1);
        hf_peer_send(&b.peer, ". seq 1 ack 1001");
        hf_peer_send(&b.peer, fin ? "F. seq 201 ack 1" : ". seq 201:301 ack 1");
        assert_true(hf_peer_expect(&b.peer, ". seq 1001 ack 1"));
        hf_peer_send(&b.peer, ". seq 1:101 ack 1001");
        assert_int_equal(hf_peer_skip(&b.peer), fin ? 0 : 1);
        hf_peer_send(&b.peer, ". seq 101:201 ack 1001");
        assert_true(hf_peer_expect(&b.peer, fin ? ". seq 1001 ack 202" : ". seq 1001 ack 301"));
        assert_int_equal(hf_peer_state(&b.peer), fin ? HF_CLOSE_WAIT : HF_ESTABLISHED);
        assert_int_equal(hf_receive(b.rig.stack, b.conn, bytes, 400, bench_now(&b)),
                         fin ? 200 : 300);
        bench_close(&b);
    }
}

/* Options that can't be read spoil a segment with data as one without; it is never delivered. */
static void data_behind_bad_options_is_dropped(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    establish(&b, "<mss 1460>");
    struct hf_segment seg = {
        .source_port = b.peer.here.port,
        .destination_port = b.peer.there.port,
        .seq = b.peer.snd_nxt,
        .ack = b.peer.rcv_nxt,
        .flags = HF_ACK,
        .window = 65535,
        .has_timestamps = true,
        .payload_bytes = 10,
    };
    static uint8_t bytes[65536], payload[10];
    uint32_t n = hf_peer_packet(&b.peer, &seg, payload, bytes);
    uint8_t *kind = bytes + 20 + 20 + 2, *sum = bytes + 20 + 16;
    assert_int_equal(kind[0], 8);
    assert_int_equal(kind[1], 10);
    kind[1] = 1; /* shorter than its own head */
    hf_put16(sum, (uint16_t)(hf_get16(sum) + 9));
    hf_rig_input(&b.rig, bytes, n, 0, 0);
    assert_int_equal(bench_count(&b, HF_DROP_TCP_OPTION), 1);
    assert_true(bench_is_quiet(&b));
    hf_peer_send(&b.peer, "P. seq 1:11 ack 1");
    assert_true(bench_event(&b, HF_EV_READABLE) == b.conn);
    bench_close(&b);
}

/* A room is its connection's alone, and is given back with every other call. */
static void a_reservation_is_of_one_connection(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    establish(&b, "<mss 1460>");
    struct hf_peer second = bench_peer(&b, 3, 4001, 5);
    assert_true(hf_peer_connect(&second, "<mss 1460>"));
    hf_handle other = bench_event(&b, HF_EV_ACCEPTED);
    struct hf_stack *s = b.rig.stack;
    void *room;
    assert_true(hf_send_reserve(s, b.conn, &room, bench_now(&b)) > 0);
    assert_int_equal(hf_send_commit(s, other, 10, 0, bench_now(&b)), HF_E_STATE);
    assert_int_equal(bench_sizes(&b).pool_used_bytes, 0);
    assert_int_equal(hf_send_commit(s, b.conn, 10, 0, bench_now(&b)), HF_E_STATE);
    assert_true(hf_send_reserve(s, b.conn, &room, bench_now(&b)) > 0);
    hf_peer_send(&b.peer, "R seq 1"); /* the input took it back */
    assert_int_equal(hf_send_commit(s, b.conn, 10, 0, bench_now(&b)), HF_E_RESET);
    assert_int_equal(bench_sizes(&b).pool_used_bytes, 0);
    assert_int_equal(hf_send_reserve(s, b.conn, &room, bench_now(&b)), HF_E_RESET);
    bench_close(&b);
}

/* A link that cuts has to sum what it cuts: without that, segments go one by one. */
static void no_super_packets_without_checksums(void **state)
{
    (void)state;
    for (int64_t checksum = 0; checksum < 2; checksum++) {
        struct bench b;
        bench_init(&b);
        b.config.offload_super_bytes = 65535;
        b.config.offload_checksum = checksum;
        establish(&b, "<mss 1460>");
        write_bytes(&b, 4 * 1460);
        assert_true(hf_peer_pop(&b.peer));
        assert_int_equal(b.peer.last.segment.payload_bytes, checksum == 0 ? 1460 : 4 * 1460);
        assert_int_equal(hf_peer_skip(&b.peer), checksum == 0 ? 3 : 0);
        bench_close(&b);
    }
}

/* Without memory for a record of what is in flight, one segment goes at a time, also where the link
 * would cut more of them. */
static void no_super_packets_without_a_record(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    b.config.offload_super_bytes = 65535;
    b.config.offload_checksum = 1;
    establish(&b, "<mss 1460>");
    static const uint8_t data[4 * 1460];
    assert_int_equal(hf_send(b.rig.stack, b.conn, data, sizeof data, 0, bench_now(&b)),
                     sizeof data);
    hf_rig_starve(&b.rig);
    hf_rig_pull(&b.rig);
    assert_true(hf_peer_expect(&b.peer, ". seq 1:1461 ack 1"));
    assert_true(hf_peer_expect_nothing(&b.peer));
    hf_rig_feed(&b.rig);
    hf_peer_send(&b.peer, ".");
    assert_true(hf_peer_expect(&b.peer, "P. seq 1461:5841 ack 1"));
    bench_close(&b);
}

/* Data in order that finds no memory: the peer hears at once that it has to come again, although an
 * ACK of it would have waited. */
static void data_in_order_without_memory_is_answered(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    b.config.quick_acks = 0;
    establish(&b, "<mss 1460>");
    hf_rig_starve(&b.rig);
    hf_peer_send(&b.peer, "P. seq 1:101 ack 1");
    assert_int_equal(bench_count(&b, HF_DROP_NO_BLOCK), 1);
    assert_true(hf_peer_expect(&b.peer, ". seq 1 ack 1"));
    hf_rig_feed(&b.rig);
    hf_peer_send(&b.peer, "P. seq 1:101 ack 1");
    assert_true(hf_peer_expect_nothing(&b.peer));
    hf_rig_wait(&b.rig, HF_SEC(1));
    assert_true(hf_peer_expect(&b.peer, ". seq 1 ack 101"));
    bench_close(&b);
}

/* Many blocks make one packet: an output gives no more of them than it has slices for, and the
 * next one goes on. Blocks of 512 bytes, super-packets of 64 each, a dozen connections. */
static void slices_of_one_output_are_bounded(void **state)
{
    (void)state;
    enum { CONNS = 12, BYTES = 30 * 1024 };
    struct bench b;
    bench_init(&b);
    b.config.block_bytes = 512;
    b.config.offload_super_bytes = 65535;
    b.config.offload_checksum = 1;
    b.config.initial_window_segs = 30;
    b.config.congestion_control = 0;
    b.config.max_connections = 100;
    bench_open(&b, false, 1);
    b.listener = bench_listen(&b, &(struct hf_listen){.port = 80});
    hf_handle conns[CONNS];
    static const uint8_t data[BYTES];
    for (uint8_t i = 0; i < CONNS; i++) {
        struct hf_peer peer = bench_peer(&b, (uint8_t)(2 + i), 4000, 9);
        assert_true(hf_peer_connect(&peer, "<mss 1460>"));
        conns[i] = bench_event(&b, HF_EV_ACCEPTED);
    }
    for (uint8_t i = 0; i < CONNS; i++)
        assert_int_equal(hf_send(b.rig.stack, conns[i], data, BYTES, 0, bench_now(&b)), BYTES);
    struct hf_out_packet packets[32];
    size_t first = hf_stack_output(b.rig.stack, packets, 32, bench_now(&b));
    size_t slices = 0;
    for (size_t i = 0; i < first; i++)
        slices += packets[i].slice_count;
    assert_in_range(first, 5, CONNS - 1);
    assert_in_range(slices, 300, 640);
    assert_in_range(hf_stack_output(b.rig.stack, packets, 32, bench_now(&b)), CONNS - first, 32);
    bench_close(&b);
}

/* Five segments, the third of which came ahead of them, or one super-packet of them all. */
static void send_around_the_third(struct bench *b, bool as_one, uint16_t window)
{
    enum { SIZE = 1000, SEGMENTS = 5 };
    static uint8_t packet[65535];
    struct hf_segment seg = {.ack = b->peer.rcv_nxt, .flags = HF_ACK, .window = window};
    for (uint32_t i = 0; i < (as_one ? 1 : SEGMENTS); i++) {
        seg.seq = b->peer.iss + 1 + i * SIZE;
        seg.payload_bytes = as_one ? SEGMENTS * SIZE : SIZE;
        uint32_t n = hf_peer_packet(&b->peer, &seg, NULL, packet);
        hf_rig_input(&b->rig, packet, n, as_one ? SIZE : 0, HF_PACKET_CSUM_VALID);
    }
}

/* The window of a super-packet is that of its last segment [RFC9293#3.10.7.4]. */
static void a_super_packet_tells_the_window_of_its_last_segment(void **state)
{
    (void)state;
    for (int fast_path = 0; fast_path < 2; fast_path++)
        for (int ahead = 0; ahead < 2; ahead++)
            for (int as_one = 0; as_one < 2; as_one++) {
                struct bench b;
                bench_init(&b);
                b.config.fast_path = fast_path;
                establish(&b, "<mss 1460>");
                if (ahead)
                    hf_peer_send(&b.peer, ". seq 2001:3001 ack 1 win 0");
                uint16_t window = ahead ? 9000 : b.peer.window; /* a new one, or the same */
                send_around_the_third(&b, as_one, window);
                assert_int_equal(bench_info(&b, b.conn).snd_wnd_bytes, window);
                assert_int_equal(bench_info(&b, b.conn).receive_queue_bytes, 5000);
                /* What begins before the last of them is older, though it brings more. */
                hf_peer_send(&b.peer, ". seq 3501:5501 ack 1 win 100");
                assert_int_equal(bench_info(&b, b.conn).receive_queue_bytes, 5500);
                assert_int_equal(bench_info(&b, b.conn).snd_wnd_bytes, window);
                hf_peer_skip(&b.peer);
                bench_close(&b);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_super_packet_tells_the_window_of_its_last_segment),
        cmocka_unit_test(a_window_that_never_was),
        cmocka_unit_test(a_full_window_is_told_below_the_mark),
        cmocka_unit_test(an_impossible_echo_times_nothing),
        cmocka_unit_test(only_a_possible_echo_times_a_syn),
        cmocka_unit_test(news_of_something_in_flight_make_duplicates),
        cmocka_unit_test(a_gap_with_an_old_acknowledgment),
        cmocka_unit_test(data_behind_bad_options_is_dropped),
        cmocka_unit_test(a_reservation_is_of_one_connection),
        cmocka_unit_test(no_super_packets_without_checksums),
        cmocka_unit_test(no_super_packets_without_a_record),
        cmocka_unit_test(data_in_order_without_memory_is_answered),
        cmocka_unit_test(slices_of_one_output_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
