/* ACKs of a receiver that wants more than its share, or wants the sender to work and to remember
 * without end: of what was not sent, divided, with any blocks, and floods of all kinds. */
#include "recovery.h"

enum { FLOOD = 10000 };

static struct hf_config config;

static int reset_config(void **state)
{
    (void)state;
    recovery_config(&config);
    return 0;
}

static uint32_t cwnd(const struct wire *w)
{
    return wire_info(w).cwnd_bytes;
}

static uint64_t wire_memory(const struct wire *w)
{
    struct hf_stack_info info;
    hf_stack_info(w->rig.stack, &info);
    return info.memory_bytes;
}

/* ---- windows -------------------------------------------------------------------------------- */

/* covers: CO-5681-01, CO-6298-09: a window that closes and opens says nothing of what is in flight:
 * all of it again for each such pair would be a stream without end, and without a timeout */
static void a_window_that_flaps_draws_nothing(void **state)
{
    (void)state;
    for (unsigned with = 0; with <= (WITH_SACK | WITH_STAMPS); with++) {
        struct wire w;
        recovery_open(&w, &config, with);
        send_segs(&w, 10, 10);
        hf_rig_wait(&w.rig, HF_MS(500));
        for (int i = 0; i < FLOOD; i++) {
            hf_peer_send(&w.peer,
                         with & WITH_STAMPS ? ". seq 0 ack 0 win 0 <TS>" : ". seq 0 ack 0 win 0");
            hf_peer_send(&w.peer, with & WITH_STAMPS ? ". seq 0 ack 0 win 10000 <TS>"
                                                     : ". seq 0 ack 0 win 10000");
        }
        WIRE_QUIET(&w);
        EXPECT_BYTES_AT(&w, HF_SEC(1), 0, 1000); /* the timeout, as if nothing had been said */
        WIRE_QUIET(&w);
        wire_close(&w);
    }
}

/* ---- optimistic ACKs ------------------------------------------------------------------------ */

/* covers: CO-5961-03, CO-5961-04: what was not sent can't be acknowledged: the ACK is dropped,
 * answered a few times, and moves nothing */
static void acks_of_unsent_data_move_nothing(void **state)
{
    (void)state;
    for (unsigned with = 0; with <= WITH_SACK; with++) {
        struct wire w;
        recovery_open(&w, &config, with);
        send_segs(&w, 40, 10);
        for (uint32_t i = 0; i < FLOOD; i++)
            tell(&w, 10001 + i % 5000, NULL);
        assert_int_equal(counted(&w, HF_DROP_ACK_UNSENT), FLOOD);
        assert_true(hf_peer_skip(&w.peer) <= (size_t)config.challenge_acks);
        check_windows(&w, 10 * SEG, 1u << 30);
        assert_int_equal(wire_info(&w).in_flight_bytes, 10 * SEG);
        wire_close(&w);
    }
}

/* covers: CO-5681-03, CO-5681-04: whoever acknowledges what has not arrived yet is believed, and
 * gets what the rule gives for so many bytes, and no more */
static void acks_ahead_of_arrival_grow_by_the_rule(void **state)
{
    (void)state;
    for (int cc = 1; cc <= 2; cc++) {
        struct wire w;
        config.congestion_control = cc;
        recovery_open(&w, &config, WITH_SACK);
        wire_send(&w, 200 * SEG, 0);
        hf_peer_skip(&w.peer);
        for (uint32_t acked = 0; acked < 200 * SEG;) {
            struct hf_info before = wire_info(&w);
            uint32_t n = before.in_flight_bytes < 3 * SEG ? before.in_flight_bytes : 3 * SEG;
            acked += n; /* it left in this instant */
            tell(&w, acked, NULL);
            hf_peer_skip(&w.peer);
            uint32_t most = (uint32_t)config.slow_start_segs * SEG;
            assert_in_range(cwnd(&w), before.cwnd_bytes, before.cwnd_bytes + (n < most ? n : most));
        }
        wire_close(&w);
    }
}

/* ---- ACK division --------------------------------------------------------------------------- */

/** The window after everything in flight was acknowledged by ACKs of `piece` bytes each, a few
 *  rounds long; with losses before, so that it is congestion avoidance that grows it, or not. */
static uint32_t grown(int cc, bool avoidance, uint32_t piece)
{
    struct wire w;
    uint32_t acked = 0;
    config.congestion_control = cc;
    recovery_open(&w, &config, WITH_SACK);
    wire_send(&w, 120 * SEG, 0);
    if (avoidance) {
        wait_rtt(&w);
        tell(&w, 0, "1000:5000");
        wait_rtt(&w);
        acked = wire_info(&w).in_flight_bytes;
        tell(&w, acked, NULL);
        assert_int_equal(cwnd(&w), wire_info(&w).ssthresh_bytes);
    }
    for (int round = 0; round < 4; round++) {
        wait_rtt(&w);
        uint32_t end = acked + wire_info(&w).in_flight_bytes;
        while (acked < end) {
            acked += end - acked < piece ? end - acked : piece;
            tell(&w, acked, NULL);
        }
        hf_peer_skip(&w.peer);
    }
    uint32_t window = cwnd(&w);
    wire_close(&w);
    return window;
}

/* covers: CO-5681-03: bytes count, not ACKs. Slow start with one ACK for two segments
 * grows as with one for each; divided by 1, 7 or 100 no faster */
static void divided_acks_grow_no_faster(void **state)
{
    (void)state;
    static const uint32_t pieces[] = {1, 7, 100, 999};
    for (int cc = 1; cc <= 2; cc++)
        for (int avoidance = 0; avoidance < 2; avoidance++) {
            uint32_t whole = grown(cc, avoidance, SEG);
            assert_true(whole > 5 * SEG);
            for (size_t i = 0; i < HF_COUNT_OF(pieces); i++) {
                uint32_t divided = grown(cc, avoidance, pieces[i]);
                if (divided > whole)
                    fail_msg("algorithm %d: %u bytes with ACKs of %u, %u with whole ones", cc,
                             divided, pieces[i], whole);
            }
        }
}

/* ---- SACK ----------------------------------------------------------------------------------- */

/* covers: CO-2018-10: blocks of what was never sent, or backwards, or of old data */
static void blocks_of_unsent_data_say_nothing(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 40, 10);
    uint64_t memory_bytes = 0;
    char blocks[100];
    for (uint32_t i = 0; i < FLOOD; i++) {
        snprintf(blocks, sizeof blocks, "%u:%u,%u:%u,%u:%u", 10001 + i, 12000 + i, 9000u, 10001 + i,
                 3000 + i % 5000, 2000u);
        tell(&w, 0, blocks);
        if (i == 0)
            memory_bytes = wire_memory(&w); /* room for three blocks was made */
    }
    WIRE_QUIET(&w);
    assert_int_equal(wire_info(&w).segments_retransmitted, 0);
    assert_int_equal(wire_memory(&w), memory_bytes);
    check_windows(&w, 10 * SEG, 1u << 30);
    wire_close(&w);
}

/* The scoreboard is an array of at most 2,048 runs of 24 bytes, 48 KB. The pools of such arrays
 * take memory for several at a time: for the first of each of three sizes it is no more than
 * this. */
enum { BOARD_MOST_BYTES = 512 * 1024, TINY = 48, TINY_WINDOW = 260000 };

/** Thousands of segments in flight, of a peer that wants them as small as we make them. */
static void open_tiny(struct wire *w)
{
    *w = (struct wire){.setup = {.state = HF_ESTABLISHED, .config = &config}};
    config.mss_min_bytes = TINY;
    config.congestion_control = 0;
    config.send_buffer_bytes = 1 << 20;
    struct hf_rig_config rig = {.config = &config, .seed = 6, .start_ns = HF_SEC(10), .cut = true};
    assert_int_equal(hf_rig_open(&w->rig, &rig), HF_OK);
    hf_peer_open(&w->peer, &w->rig, false, WIRE_PEER_PORT, 5000, 1000);
    struct hf_connect what = {.local = {.port = 5000}, .remote = w->peer.here};
    assert_int_equal(hf_connect(w->rig.stack, &what, &w->conn, w->rig.now_ns), HF_OK);
    hf_rig_pull(&w->rig);
    hf_rig_wait(&w->rig, RTT_NS);
    assert_true(hf_peer_accept(&w->peer, "<mss 48,sackOK,wscale 2>"));
    wire_rebase(w);
    wire_events(w, NULL);
    hf_peer_send(&w->peer, ". seq 0 ack 0 win 65000");
    wire_send(w, TINY_WINDOW, 0);
    assert_true(hf_peer_skip(&w->peer) >= TINY_WINDOW / TINY);
}

/* covers: CO-2018-10: single bytes are no segments, and every second segment is: neither takes more
 * memory than the scoreboard's bound, sends more than was in flight, or ends in disorder */
static void interleaved_blocks_take_bounded_memory(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {1, TINY, TINY + 1};
    for (size_t k = 0; k < HF_COUNT_OF(lengths); k++)
        for (int backwards = 0; backwards < 2; backwards++) {
            struct wire w;
            char blocks[100];
            open_tiny(&w);
            uint64_t before = wire_memory(&w), most = 0;
            uint32_t count = TINY_WINDOW / (2 * TINY) - 4, packets = 0;
            for (uint32_t i = 0; i < count; i += 3) {
                uint32_t at = (1 + 2 * (backwards ? count - i : i)) * TINY, n = lengths[k];
                snprintf(blocks, sizeof blocks, "%u:%u,%u:%u,%u:%u", at, at + n, at + 2 * TINY,
                         at + 2 * TINY + n, at + 4 * TINY, at + 4 * TINY + n);
                tell(&w, 0, blocks);
                packets += (uint32_t)hf_peer_skip(&w.peer);
                most = wire_memory(&w) > most ? wire_memory(&w) : most;
            }
            if (most > before + BOARD_MOST_BYTES)
                fail_msg("blocks of %u bytes took %u more", lengths[k], (unsigned)(most - before));
            if (lengths[k] == TINY)
                print_message("interleaved blocks: %u bytes more\n", (unsigned)(most - before));
            assert_true(packets <= TINY_WINDOW / TINY + 4);
            tell(&w, wire_info(&w).in_flight_bytes, NULL);
            hf_rig_wait(&w.rig, HF_SEC(1)); /* the short rest, and what may still be told */
            hf_peer_skip(&w.peer);
            tell(&w, TINY_WINDOW, NULL);
            assert_int_equal(wire_info(&w).in_flight_bytes, 0);
            assert_int_equal(wire_info(&w).send_queue_bytes, 0);
            wire_close(&w);
        }
}

/* ---- floods --------------------------------------------------------------------------------- */

/* covers: CO-5681-08, CO-5681-10, CO-6582-01, CO-9937-02: without SACK duplicates are counted up to
 * what was in flight; with SACK they say nothing */
static void duplicate_floods_send_a_bounded_number(void **state)
{
    (void)state;
    for (int cc = 1; cc <= 2; cc++)
        for (unsigned with = 0; with <= WITH_SACK; with++) {
            struct wire w;
            config.congestion_control = cc;
            recovery_open(&w, &config, with);
            send_segs(&w, 120, 10);
            size_t packets = 0;
            uint32_t most = 0;
            for (int i = 0; i < FLOOD; i++) {
                tell(&w, 0, NULL);
                packets += hf_peer_skip(&w.peer);
                most = cwnd(&w) > most ? cwnd(&w) : most;
            }
            /* two by limited transmit, the lost one, and then at most one for each in flight */
            assert_true(packets <= (with ? 0 : 2 + 1 + 10));
            assert_true(most <= 10 * SEG);
            wait_rtt(&w);
            tell(&w, 10 * SEG, NULL);
            assert_true(cwnd(&w) <= 12 * SEG); /* the rule for one ACK */
            wire_close(&w);
        }
}

/* covers: CO-2883-06: what comes twice may undo one reduction, to the window before it, and nothing
 * after that; nor do duplicates of anything else */
static void floods_of_told_duplicates_undo_once(void **state)
{
    (void)state;
    for (int cc = 1; cc <= 2; cc++) {
        struct wire w;
        config.congestion_control = cc;
        recovery_open(&w, &config, WITH_SACK);
        send_segs(&w, 120, 10);
        for (int i = 0; i < FLOOD; i++)
            tell(&w, 0, "-1000:0"); /* of old data, before anything was sent again */
        WIRE_QUIET(&w);
        check_windows(&w, 10 * SEG, 1u << 30);
        wait_rtt(&w);
        tell(&w, 0, "1000:4000");
        hf_rig_wait(&w.rig, 2 * RTT_NS); /* it waits for reordering: a duplicate was told */
        size_t packets = hf_peer_skip(&w.peer);
        assert_true(packets > 0 && counted(&w, HF_RECOVERY_BEGINS) == 1);
        uint32_t most = 0;
        for (int i = 0; i < FLOOD; i++) {
            tell(&w, 4000, "0:1000");
            packets += hf_peer_skip(&w.peer);
            most = cwnd(&w) > most ? cwnd(&w) : most;
        }
        assert_int_equal(counted(&w, HF_RECOVERY_UNDO_DUPLICATE), 1);
        /* four segments were acknowledged: slow start, which the undo restored, adds two at most */
        assert_true(most <= 12 * SEG);
        assert_true(packets <= 20);
        wire_close(&w);
    }
}

/* A board grows by steps: a few holes do not take the memory of many. */
static void a_few_runs_take_little_memory(void **state)
{
    (void)state;
    struct wire w;
    recovery_open(&w, &config, WITH_SACK);
    send_segs(&w, 10, 10);
    uint64_t before = wire_memory(&w);
    tell(&w, 0, "1000:2000,3000:4000,5000:6000");
    assert_in_range(wire_memory(&w) - before, 1, 64 << 10);
    wire_close(&w);
}

int main(void)
{
#define ACK_TEST(f) cmocka_unit_test_setup(f, reset_config)
    const struct CMUnitTest tests[] = {
        ACK_TEST(a_window_that_flaps_draws_nothing),
        ACK_TEST(acks_of_unsent_data_move_nothing),
        ACK_TEST(acks_ahead_of_arrival_grow_by_the_rule),
        ACK_TEST(divided_acks_grow_no_faster),
        ACK_TEST(blocks_of_unsent_data_say_nothing),
        ACK_TEST(interleaved_blocks_take_bounded_memory),
        ACK_TEST(duplicate_floods_send_a_bounded_number),
        ACK_TEST(floods_of_told_duplicates_undo_once),
        ACK_TEST(a_few_runs_take_little_memory),
    };
    return cmocka_run_group_tests_name("hostile_acks", tests, NULL, NULL);
}
