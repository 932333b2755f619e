/* Data that comes out of order, and segments wider than the window: what is kept, however far the
 * stream has come, and what a super-packet gives beside its segments one by one. */
#include "core/wire/ip.h"
#include "opening.h"

enum {
    MSS = 1460,
    PATTERN_BEGIN = 1, /* the first byte of data, counted from the peer's initial number */
    BULK_BYTES = 65536,
    RUN_BYTES = 44 * MSS,
    TCP_SEQ_AT = HF_IPV4_HEADER_BYTES + 4,
};

static void open_connected(struct bench *b, const char *options)
{
    b->listener = bench_listen(b, &(struct hf_listen){.port = 80});
    assert_true(hf_peer_connect(&b->peer, options));
    b->conn = bench_event(b, HF_EV_ACCEPTED);
    assert_true(b->conn != 0);
}

/* The bytes of the pattern that stand at these stream offsets come; nobody asks for packets yet. */
static void input_at(struct bench *b, uint64_t offset, uint32_t n)
{
    static uint8_t bytes[BULK_BYTES], packet[BULK_BYTES + 128];
    assert_true(n <= sizeof bytes);
    hf_pattern_fill(b->peer.key, offset, bytes, n);
    struct hf_segment seg = {
        .seq = b->peer.iss + PATTERN_BEGIN + (uint32_t)offset,
        .ack = b->peer.irs + 1,
        .flags = HF_ACK,
        .window = 65535,
        .payload_bytes = n,
    };
    struct hf_packet in = {packet, hf_peer_packet(&b->peer, &seg, bytes, packet), 0, 0};
    hf_stack_input(b->rig.stack, &in, 1, bench_now(b));
}

static void send_at(struct bench *b, uint64_t offset, uint32_t n)
{
    input_at(b, offset, n);
    hf_rig_pull(&b->rig);
}

/* Sends `n` bytes of the pattern as a super-packet of segments, whole or as these segments, with
 * the peer's acknowledgment. */
static void send_super(struct bench *b, uint64_t offset, uint32_t n, uint32_t mss, bool whole)
{
    static uint8_t bytes[BULK_BYTES], packet[BULK_BYTES + 128];
    for (uint32_t done = 0; done < n;) {
        struct hf_segment seg = {
            .seq = b->peer.iss + PATTERN_BEGIN + (uint32_t)offset + done,
            .ack = b->peer.rcv_nxt,
            .flags = HF_ACK,
            .window = 65535,
            .payload_bytes = whole ? n : hf_min_u32(mss, n - done),
        };
        hf_pattern_fill(b->peer.key, offset + done, bytes, seg.payload_bytes);
        uint32_t length = hf_peer_packet(&b->peer, &seg, bytes, packet);
        hf_rig_input(&b->rig, packet, length, whole ? (uint16_t)mss : 0, 0);
        done += seg.payload_bytes;
    }
}

/* Reads all there is; it must be the pattern from this offset on. Returns how much. */
static uint32_t read_from(struct bench *b, uint64_t offset)
{
    static uint8_t bytes[1 << 20];
    int64_t got = hf_receive(b->rig.stack, b->conn, bytes, sizeof bytes, bench_now(b));
    if (got < 0)
        return 0;
    hf_rig_pull(&b->rig);
    assert_int_equal(hf_pattern_check(b->peer.key, offset, bytes, (size_t)got), got);
    return (uint32_t)got;
}

/* Zero is a number like any other: a block may begin there. */
static void a_block_that_begins_at_number_zero_is_told(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 0xFFFFFFF0u);
    open_connected(&b, "<mss 1460,sackOK>");
    send_at(&b, 15, 10); /* behind the SYN's number */
    assert_true(hf_peer_expect(&b.peer, ". seq 1 ack 1 <sack 16:26>"));
    assert_int_equal(b.peer.last.segment.sack[0].left, 0);
    bench_close(&b);
}

/* ---- far into the stream ---- */

/* Brings the stream to this offset, by packets of zeros that are read away at once. */
static void run_to(struct bench *b, uint64_t from, uint64_t to)
{
    static uint8_t packet[BULK_BYTES + 128];
    static const uint8_t zeros[BULK_BYTES];
    struct hf_segment seg = {.ack = b->peer.irs + 1, .flags = HF_ACK, .window = 65535};
    uint32_t length = 0;
    while (from < to) {
        uint32_t n = to - from < RUN_BYTES ? (uint32_t)(to - from) : RUN_BYTES;
        if (seg.payload_bytes != n) {
            seg.payload_bytes = n;
            length = hf_peer_packet(&b->peer, &seg, zeros, packet);
        }
        hf_put32(packet + TCP_SEQ_AT, b->peer.iss + PATTERN_BEGIN + (uint32_t)from);
        hf_rig_input(&b->rig, packet, length, MSS, HF_PACKET_CSUM_VALID);
        assert_int_equal(hf_receive_consume(b->rig.stack, b->conn, n, bench_now(b)), HF_OK);
        hf_rig_pull(&b->rig);
        hf_peer_skip(&b->peer);
        from += n;
    }
}

/* The 4 GB boundary of the stream lies behind a gap, in it, and before it. */
static void gaps_are_kept_across_4_gb(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 0x12345678);
    open_connected(&b, "<mss 1460,sackOK,wscale 7>");
    uint64_t at = (1ull << 32) - 40000;
    run_to(&b, 0, at);
    assert_int_equal(bench_info(&b, b.conn).bytes_received, at);
    while (at < (1ull << 32) + 40000) {
        send_at(&b, at + 1000, 9000);
        send_at(&b, at + 20000, 9000);
        assert_int_equal(bench_info(&b, b.conn).out_of_order_bytes, 18000);
        send_at(&b, at, 1000);
        assert_int_equal(read_from(&b, at), 10000);
        send_at(&b, at + 10000, 10000);
        assert_int_equal(read_from(&b, at + 10000), 19000);
        at += 29000;
    }
    assert_int_equal(bench_info(&b, b.conn).out_of_order_bytes, 0);
    assert_int_equal(bench_sizes(&b).pool_used_bytes, 0);
    bench_close(&b);
}

/* Old data is told as what came twice, however far the stream is: behind 4 GB the first numbers are
 * those of bytes again, and not of what lay before the stream. */
static void what_straddles_4_gb_is_told(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 0x12345678);
    open_connected(&b, "<mss 1460,sackOK,wscale 7>");
    uint64_t at = (1ull << 32) + 100;
    run_to(&b, 0, at);
    send_at(&b, at - 300, 300);
    assert_true(hf_peer_expect(&b.peer, ". ack 101"));
    const struct hf_segment *seg = &b.peer.last.segment;
    assert_int_equal(seg->sack_count, 1);
    assert_int_equal(seg->sack[0].right, seg->ack);
    assert_int_equal(seg->sack[0].right - seg->sack[0].left, 300);
    bench_close(&b);
}

/* Each gap is filled when the next one is there already: some data is kept all the time, until the
 * places in its index were all used, and more than once. */
static void a_gap_stays_for_megabytes(void **state)
{
    (void)state;
    enum { STEP = 5000, STEPS = 2000 };
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 99);
    open_connected(&b, "<mss 1460,sackOK,wscale 7>");
    send_at(&b, STEP, STEP);
    for (uint64_t at = 0; at < (uint64_t)STEP * STEPS; at += 2 * STEP) {
        send_at(&b, at + 3 * STEP, STEP);
        send_at(&b, at, STEP);
        assert_int_equal(read_from(&b, at), 2 * STEP);
        assert_int_equal(bench_info(&b, b.conn).out_of_order_bytes, STEP);
        hf_peer_skip(&b.peer);
    }
    bench_close(&b);
}

/* The farthest byte of the window, then the rest: one gap, as wide as the window. */
static void a_gap_may_be_as_wide_as_the_window(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 0xFFFFF000);
    open_connected(&b, "<mss 1460,sackOK,wscale 7>");
    uint32_t window = bench_info(&b, b.conn).rcv_wnd_bytes;
    send_at(&b, window - 1, 1);
    assert_int_equal(bench_info(&b, b.conn).out_of_order_bytes, 1);
    assert_true(bench_sizes(&b).pool_used_bytes <= 3 * (uint64_t)b.config.block_bytes);
    for (uint32_t at = 0; at < window - 1;) {
        uint32_t n = hf_min_u32(MSS, window - 1 - at);
        send_at(&b, at, n);
        at += n;
        hf_peer_skip(&b.peer);
    }
    assert_int_equal(read_from(&b, 0), window);
    assert_int_equal(bench_sizes(&b).pool_used_bytes, 0);
    bench_close(&b);
}

/* Every other segment is missing: more ranges than the index has room for move to a block of their
 * own, and none of them is lost by that. */
static void many_gaps_are_kept(void **state)
{
    (void)state;
    enum { STEP = 100, GAPS = 300 };
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 0xFFFFF000);
    open_connected(&b, "<mss 1460,sackOK,wscale 7>");
    for (uint32_t i = 0; i < GAPS; i++) {
        send_at(&b, (2ull * i + 1) * STEP, STEP);
        assert_int_equal(bench_info(&b, b.conn).out_of_order_bytes, (i + 1) * STEP);
    }
    assert_int_equal(bench_count(&b, HF_DROP_TOO_MANY_GAPS), 0);
    for (uint32_t i = 0; i < GAPS; i++) {
        send_at(&b, 2ull * i * STEP, STEP);
        assert_int_equal(read_from(&b, 2ull * i * STEP), 2 * STEP);
    }
    assert_int_equal(bench_sizes(&b).pool_used_bytes, 0);
    bench_close(&b);
}

/* A gap takes a block for what is kept, one for what comes next, and its index; none for what may
 * follow. */
static void a_gap_takes_no_more_than_it_needs(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    b.config.block_bytes = 512;
    bench_open(&b, false, 1000);
    open_connected(&b, "<mss 1460,sackOK>");
    send_at(&b, 512, 512); /* up to the end of its block */
    assert_int_equal(bench_sizes(&b).pool_used_bytes, 3 * 512);
    bench_close(&b);
}

/* What a block held before is no part of an index: data that fills a gap goes on behind all that is
 * kept. */
static void an_index_begins_empty(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    b.config.block_bytes = 512;
    b.config.pool_bytes = 128 * 512;
    bench_open(&b, false, 1000);
    open_connected(&b, "<mss 1460,sackOK>");
    for (uint32_t at = 0; at < 40960; at += 1024)
        send_at(&b, at, 1024);
    assert_int_equal(read_from(&b, 0), 40960);
    for (uint64_t at = 40960; at < 60000; at += 3072) {
        send_at(&b, at + 100, 100);
        send_at(&b, at, 3072);
        assert_int_equal(read_from(&b, at), 3072);
    }
    assert_int_equal(bench_sizes(&b).pool_used_bytes, 0);
    bench_close(&b);
}

/* What was kept beyond a gap and is in order by now is nobody's to give up: another's is found,
 * whichever came first and however often. */
static void gaps_that_come_back_are_found(void **state)
{
    (void)state;
    struct bench b;
    struct hf_peer peers[3];
    hf_handle conns[3];
    bench_init(&b);
    b.config.block_bytes = 512;
    b.config.pool_bytes = 128 * 512;
    bench_open(&b, false, 1000);
    b.listener = bench_listen(&b, &(struct hf_listen){.port = 80});
    for (uint16_t i = 0; i < 3; i++) {
        peers[i] = bench_peer(&b, 2, (uint16_t)(5000 + i), 1000);
        assert_true(hf_peer_connect(&peers[i], "<mss 1460,sackOK>"));
        conns[i] = bench_event(&b, HF_EV_ACCEPTED);
    }
    /* What is in flight keeps the record that the gaps are in. */
    assert_int_equal(hf_send(b.rig.stack, conns[0], "x", 1, 0, bench_now(&b)), 1);
    hf_rig_pull(&b.rig);
    hf_peer_send(&peers[0], ". seq 101:201 ack 1");
    hf_peer_send(&peers[1], ". seq 1001:20001 ack 1");
    hf_peer_send(&peers[0], ". seq 1:101 ack 1");
    hf_peer_send(&peers[0], ". seq 301:401 ack 1");
    hf_peer_send(&peers[0], ". seq 201:301 ack 1");
    assert_int_equal(bench_info(&b, conns[0]).out_of_order_bytes, 0);
    assert_int_equal(bench_info(&b, conns[1]).out_of_order_bytes, 19000);
    hf_peer_send(&peers[2], ". seq 1:60001 ack 1");
    assert_int_equal(bench_info(&b, conns[1]).out_of_order_bytes, 0);
    assert_int_equal(bench_info(&b, conns[0]).receive_queue_bytes, 400);
    assert_int_equal(bench_count(&b, HF_DROP_OUT_OF_ORDER_RECLAIMED), 1);
    bench_close(&b);
}

/* ---- too little memory ---- */

enum { SMALL_BYTES = 512, SMALL_BLOCKS = 128, LEFT_FOR_ORDER = SMALL_BLOCKS / 8, OTHERS = 2 };

/* A pool of small blocks, and who else wants them. */
struct small {
    struct bench b;
    struct hf_peer peers[OTHERS];
    hf_handle conns[OTHERS];
};

static void small_open(struct small *t)
{
    bench_init(&t->b);
    t->b.config.block_bytes = SMALL_BYTES;
    t->b.config.pool_bytes = SMALL_BLOCKS * SMALL_BYTES;
    bench_open(&t->b, false, 1000);
    open_connected(&t->b, "<mss 1460,sackOK>");
    for (uint16_t i = 0; i < OTHERS; i++) {
        t->peers[i] = bench_peer(&t->b, 2, (uint16_t)(5000 + i), 1000);
        assert_true(hf_peer_connect(&t->peers[i], "<mss 1460,sackOK>"));
        t->conns[i] = bench_event(&t->b, HF_EV_ACCEPTED);
    }
    hf_peer_skip(&t->b.peer);
}

/* The others send so much that this many blocks are left. */
static void small_fill(struct small *t, uint32_t left)
{
    uint64_t used_bytes = (uint64_t)(SMALL_BLOCKS - left) * SMALL_BYTES;
    for (uint32_t i = 0; i < OTHERS; i++) {
        uint64_t more_bytes = used_bytes - bench_sizes(&t->b).pool_used_bytes;
        uint64_t share_bytes = more_bytes / (OTHERS - i) / SMALL_BYTES * SMALL_BYTES;
        char text[64];
        snprintf(text, sizeof text, ". seq 1:%u ack 1", 1 + (unsigned)share_bytes);
        hf_peer_send(&t->peers[i], text);
    }
    assert_int_equal(bench_sizes(&t->b).pool_used_bytes, used_bytes);
    hf_rig_pull(&t->b.rig);
    hf_peer_skip(&t->b.peer);
}

static void small_free(struct small *t)
{
    for (uint32_t i = 0; i < OTHERS; i++)
        assert_int_equal(hf_abort(t->b.rig.stack, t->conns[i], bench_now(&t->b)), HF_OK);
    hf_rig_pull(&t->b.rig);
    hf_peer_skip(&t->b.peer);
}

/* Data in order finds room in what its own connection keeps beyond a gap, before another's is given
 * up. That is told no more; sent again, it follows. */
static void a_connection_gives_up_its_own_gap(void **state)
{
    (void)state;
    struct small t;
    small_open(&t);
    send_at(&t.b, 30000, 10000);
    small_fill(&t, LEFT_FOR_ORDER + 3);
    hf_peer_send(&t.peers[0], ". seq 40001:40101 ack 1");
    send_at(&t.b, 0, 12000);
    assert_int_equal(bench_count(&t.b, HF_DROP_OUT_OF_ORDER_RECLAIMED), 1);
    assert_int_equal(bench_info(&t.b, t.conns[0]).out_of_order_bytes, 100);
    hf_peer_skip(&t.peers[0]);
    assert_true(hf_peer_expect(&t.b.peer, ". ack 12001"));
    assert_int_equal(t.b.peer.last.segment.sack_count, 0);
    assert_int_equal(read_from(&t.b, 0), 12000);
    send_at(&t.b, 12000, 10000);
    assert_int_equal(read_from(&t.b, 12000), 10000);
    bench_close(&t.b);
}

/* What came twice was given up in the same batch, and came again in part: no more is told than is
 * here. covers: CO-2018-06 */
static void what_was_given_up_is_not_told(void **state)
{
    (void)state;
    struct small t;
    small_open(&t);
    send_at(&t.b, 30000, 10000);
    small_fill(&t, LEFT_FOR_ORDER + 3);
    hf_peer_skip(&t.b.peer);
    input_at(&t.b, 30000, 10000);
    input_at(&t.b, 0, 10500);
    assert_int_equal(bench_count(&t.b, HF_DROP_OUT_OF_ORDER_RECLAIMED), 1);
    input_at(&t.b, 30000, 200);
    assert_int_equal(bench_info(&t.b, t.b.conn).out_of_order_bytes, 200);
    hf_rig_pull(&t.b.rig);
    assert_true(hf_peer_expect(&t.b.peer, ". ack 10501 <sack 30001:30201>"));
    assert_true(hf_peer_expect_nothing(&t.b.peer));
    bench_close(&t.b);
}

/* The blocks that are left for data in order are not for the ranges of a full index either: one
 * more is refused, and kept when there is memory again. */
static void a_full_index_without_memory_refuses(void **state)
{
    (void)state;
    enum { RANGES = 6 }; /* in an index of this size */
    struct small t;
    small_open(&t);
    for (uint64_t i = 0; i < RANGES; i++)
        send_at(&t.b, 20 * i + 10, 10);
    small_fill(&t, LEFT_FOR_ORDER);
    send_at(&t.b, 20 * RANGES + 10, 10);
    assert_int_equal(bench_count(&t.b, HF_DROP_TOO_MANY_GAPS), 1);
    assert_int_equal(bench_info(&t.b, t.b.conn).out_of_order_bytes, RANGES * 10);
    small_free(&t);
    send_at(&t.b, 20 * RANGES + 10, 10);
    assert_int_equal(bench_count(&t.b, HF_DROP_TOO_MANY_GAPS), 1);
    for (uint64_t i = 0; i <= RANGES; i++)
        send_at(&t.b, 20 * i, 10);
    assert_int_equal(read_from(&t.b, 0), 20 * RANGES + 20);
    bench_close(&t.b);
}

/* Where the last block that data beyond a gap may take became its index, and none is left for the
 * data, it goes back. */
static void an_index_of_nothing_is_given_back(void **state)
{
    (void)state;
    struct small t;
    small_open(&t);
    small_fill(&t, LEFT_FOR_ORDER + 1);
    uint64_t used_bytes = bench_sizes(&t.b).pool_used_bytes;
    send_at(&t.b, 1000, 100);
    assert_int_equal(bench_count(&t.b, HF_DROP_NO_BLOCK), 1);
    assert_int_equal(bench_sizes(&t.b).pool_used_bytes, used_bytes);
    bench_close(&t.b);
}

/* ---- wider than the window ---- */

/* [RFC5681#4.2] A sender without SACK counts duplicates: a super-packet beyond a gap draws as many
 * as its segments would, the last of them not full. */
static void a_super_packet_beyond_a_gap_is_many(void **state)
{
    (void)state;
    for (int whole = 0; whole < 2; whole++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, false, 1);
        open_connected(&b, "<mss 1460>");
        send_super(&b, 5000, 3 * MSS + 1, MSS, whole);
        for (int i = 0; i < 4; i++)
            assert_true(hf_peer_expect(&b.peer, ". seq 1 ack 1"));
        assert_true(hf_peer_expect_nothing(&b.peer));
        bench_close(&b);
    }
}

/* A super-packet from before RCV.NXT to behind the window: segment by segment, those in the window
 * count. Cut and whole it comes to the same. */
static void a_super_packet_may_cover_the_window(void **state)
{
    (void)state;
    for (int whole = 0; whole < 2; whole++) {
        struct bench b;
        bench_init(&b);
        b.config.receive_buffer_bytes = 4000;
        bench_open(&b, false, 0xFFFFF000);
        open_connected(&b, "<mss 1000>");
        send_at(&b, 0, 1000);
        assert_int_equal(read_from(&b, 0), 1000);
        hf_peer_skip(&b.peer);
        uint32_t window = bench_info(&b, b.conn).rcv_wnd_bytes;
        send_super(&b, 0, 10000, 1000, whole);
        assert_int_equal(read_from(&b, 1000), window);
        bench_close(&b);
    }
}

/* [MUST-66] With a closed window the segment at RCV.NXT still acknowledges, in a super-packet too;
 * one that only runs across RCV.NXT does not. */
static void a_super_packet_may_acknowledge_into_a_closed_window(void **state)
{
    (void)state;
    for (int whole = 0; whole < 2; whole++)
        for (int aligned = 0; aligned < 2; aligned++) {
            struct bench b;
            bench_init(&b);
            b.config.receive_buffer_bytes = 4000;
            bench_open(&b, false, 1);
            open_connected(&b, "<mss 1000>");
            for (int i = 0; i < 4; i++)
                send_at(&b, (uint64_t)i * 1000, 1000);
            assert_int_equal(bench_info(&b, b.conn).rcv_wnd_bytes, 0);
            assert_int_equal(hf_send(b.rig.stack, b.conn, "hello", 5, 0, bench_now(&b)), 5);
            hf_rig_pull(&b.rig);
            b.peer.rcv_nxt = b.peer.irs + 6;
            send_super(&b, aligned ? 2000 : 2500, 4000, 1000, whole);
            assert_int_equal(bench_info(&b, b.conn).in_flight_bytes, aligned ? 0 : 5);
            bench_close(&b);
        }
}

/* ---- a FIN beyond a gap ---- */

/* A peer that sends data on behind its FIN: the FIN is not believed, and not waited for until the
 * stream comes by that number again, 4 GB later. */
static void a_fin_that_data_passes_is_forgotten(void **state)
{
    (void)state;
    for (int gaps = 0; gaps < 2; gaps++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, false, 1);
        open_connected(&b, "<mss 1460>");
        if (gaps) /* the data was there before */
            send_at(&b, 50, 150);
        hf_peer_send(&b.peer, "F. seq 101 ack 1");
        assert_int_equal(bench_info(&b, b.conn).state, HF_ESTABLISHED);
        send_at(&b, 0, gaps ? 50 : 200);
        assert_int_equal(bench_count(&b, HF_DROP_AFTER_FIN), 1);
        struct hf_info info = bench_info(&b, b.conn);
        assert_int_equal(info.state, HF_ESTABLISHED);
        assert_int_equal(info.receive_queue_bytes, 200);
        assert_int_equal(bench_sizes(&b).flights, 0);
        hf_peer_send(&b.peer, "F. seq 201 ack 1");
        assert_int_equal(bench_info(&b, b.conn).state, HF_CLOSE_WAIT);
        bench_close(&b);
    }
}

/* Data beyond a gap that finds no memory, whatever it is asked for, is dropped and counted; sent
 * again, it is kept. */
static void data_without_memory_is_counted(void **state)
{
    (void)state;
    bool failed = true;
    uint64_t nth = 1;
    for (; failed; nth++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, false, 1);
        open_connected(&b, "<mss 1460,sackOK>");
        hf_peer_skip(&b.peer);
        b.rig.account.fail_nth = b.rig.account.asked + nth;
        send_at(&b, 100, 100);
        failed = b.rig.account.failed;
        assert_int_equal(bench_count(&b, HF_DROP_NO_BLOCK), failed);
        assert_true(hf_peer_expect(&b.peer, failed ? ". seq 1 ack 1" : ". ack 1 <sack 101:201>"));
        assert_int_equal(b.peer.last.segment.sack_count, !failed);
        assert_int_equal(bench_sizes(&b).flights, !failed); /* a record of nothing is not kept */
        b.rig.account.fail_nth = 0;
        send_at(&b, 100, 100);
        send_at(&b, 0, 100);
        assert_int_equal(read_from(&b, 0), 200);
        bench_close(&b);
    }
    assert_in_range(nth, 3, 9);
}

/* A FIN beyond a gap that finds no memory is dropped, and counted as such. */
static void a_fin_without_memory_is_counted(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 1);
    open_connected(&b, "<mss 1460>");
    hf_peer_skip(&b.peer);
    b.rig.account.fail_nth = b.rig.account.asked + 1;
    hf_peer_send(&b.peer, "F. seq 101 ack 1");
    assert_true(b.rig.account.failed);
    assert_int_equal(bench_count(&b, HF_DROP_NO_BLOCK), 1);
    assert_true(hf_peer_expect(&b.peer, ". seq 1 ack 1"));
    send_at(&b, 0, 100);
    assert_int_equal(bench_info(&b, b.conn).state, HF_ESTABLISHED);
    hf_peer_send(&b.peer, "F. seq 101 ack 1");
    assert_int_equal(bench_info(&b, b.conn).state, HF_CLOSE_WAIT);
    assert_int_equal(bench_count(&b, HF_DROP_NO_BLOCK), 1);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_that_begins_at_number_zero_is_told),
        cmocka_unit_test(gaps_are_kept_across_4_gb),
        cmocka_unit_test(what_straddles_4_gb_is_told),
        cmocka_unit_test(a_gap_stays_for_megabytes),
        cmocka_unit_test(a_gap_may_be_as_wide_as_the_window),
        cmocka_unit_test(many_gaps_are_kept),
        cmocka_unit_test(gaps_that_come_back_are_found),
        cmocka_unit_test(a_gap_takes_no_more_than_it_needs),
        cmocka_unit_test(an_index_begins_empty),
        cmocka_unit_test(a_connection_gives_up_its_own_gap),
        cmocka_unit_test(what_was_given_up_is_not_told),
        cmocka_unit_test(a_full_index_without_memory_refuses),
        cmocka_unit_test(an_index_of_nothing_is_given_back),
        cmocka_unit_test(a_super_packet_beyond_a_gap_is_many),
        cmocka_unit_test(a_super_packet_may_cover_the_window),
        cmocka_unit_test(a_super_packet_may_acknowledge_into_a_closed_window),
        cmocka_unit_test(a_fin_that_data_passes_is_forgotten),
        cmocka_unit_test(data_without_memory_is_counted),
        cmocka_unit_test(a_fin_without_memory_is_counted),
    };
    return cmocka_run_group_tests_name("gaps", tests, NULL, NULL);
}
