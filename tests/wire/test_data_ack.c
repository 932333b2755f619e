/* When data that arrives is acknowledged, and what the acknowledgment carries: delays, batches,
 * gaps, SACK blocks, echoed timestamps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/wire_calls.h"

static struct hf_config rfc; /* no quick ACKs, delay 200 ms */

static void open_with(struct wire *w, unsigned variant)
{
    struct wire_setup setup = {.state = HF_ESTABLISHED, .variant = variant, .config = &rfc};
    wire_open(w, &setup);
}

/* One full segment, so that the size of full ones is known. */
static void show_full_size(struct wire *w)
{
    hf_peer_send(&w->peer, ". seq 0:1460");
    hf_peer_skip(&w->peer);
    hf_rig_wait(&w->rig, HF_SEC(1));
    hf_peer_skip(&w->peer);
    wire_rebase(w);
}

/* covers: MUST-58, MUST-40, SHLD-18, SHLD-19, CO-5681-12, CO-1122-04 */
static void every_second_full_segment_is_acknowledged(void **state)
{
    (void)state;
    struct wire w;
    open_with(&w, 0);
    show_full_size(&w);
    for (int i = 0; i < 20; i++) {
        hf_peer_send(&w.peer, ". len 1460");
        assert_int_equal(hf_peer_skip(&w.peer), i % 2);
    }
    /* Small ones count by their bytes: 2 * 1460 of them. */
    for (int i = 1; i <= 30; i++) {
        hf_peer_send(&w.peer, "P. len 100");
        assert_int_equal(hf_peer_skip(&w.peer), i == 30);
    }
    wire_close(&w);
}

/* A setting: with it an ACK waits for one segment only, however small that is; also for a
 * super-packet of two. covers: MUST-58, CO-5681-12 */
static void every_second_segment_of_any_size(void **state)
{
    (void)state;
    struct wire w;
    struct hf_config any_size = rfc;
    any_size.delayed_ack_any_size = 1;
    struct wire_setup setup = {.state = HF_ESTABLISHED, .config = &any_size};
    wire_open(&w, &setup);
    for (int i = 0; i < 10; i++) {
        hf_peer_send(&w.peer, "P. len 10");
        assert_int_equal(hf_peer_skip(&w.peer), i % 2);
    }
    wire_rebase(&w);
    struct wire_packet two = wire_packet_of(&w, "P. seq 0:20");
    hf_rig_input(&w.rig, two.bytes, two.length_bytes, 10, HF_PACKET_CSUM_VALID);
    WIRE_EXPECT(&w, ". ack 20");
    w.start_ns = w.rig.now_ns;
    hf_peer_send(&w.peer, "P. seq 20:30");
    WIRE_EXPECT_AT(&w, HF_MS(200), ". ack 30");
    WIRE_QUIET(&w);
    wire_close(&w);
}

/* The peer was silent for longer than our RTO: it may have begun anew with one segment, or its last
 * one was lost. */
static void quick_again_after_silence(void **state)
{
    (void)state;
    for (int64_t segs = 0; segs < 4; segs += 3) {
        struct wire w;
        struct hf_config quick = rfc;
        quick.quick_acks_after_idle = segs;
        struct wire_setup setup = {.state = HF_ESTABLISHED, .config = &quick};
        wire_open(&w, &setup);
        hf_ns rto_ns = wire_info(&w).rto_ns;
        for (int pause = 0; pause < 3; pause++) {
            bool idle = pause != 1; /* in that round it is not quite */
            hf_rig_wait(&w.rig, idle ? rto_ns + rto_ns / 20 : rto_ns - HF_MS(10));
            hf_peer_skip(&w.peer);
            for (int64_t i = 0; i < 5; i++) {
                hf_peer_send(&w.peer, "P. len 10");
                assert_int_equal(hf_peer_skip(&w.peer), idle && i < segs);
            }
        }
        wire_close(&w);
    }
}

/* covers: MUST-40, CO-5681-12: the delay counts from the first segment that waits */
static void the_delay_counts_from_the_first_segment(void **state)
{
    (void)state;
    struct wire w;
    open_with(&w, 0);
    show_full_size(&w);
    w.start_ns = w.rig.now_ns;
    for (int i = 0; i < 19; i++) {
        hf_peer_send(&w.peer, "P. len 10");
        hf_rig_wait(&w.rig, HF_MS(10));
        WIRE_QUIET(&w);
    }
    WIRE_EXPECT_AT(&w, HF_MS(200), ". seq 0 ack 190");
    assert_int_equal(wire_until_sent(&w, HF_SEC(5)), HF_NEVER);
    wire_close(&w);
}

/* covers: MUST-58, MUST-59, CO-1122-12: what comes at one time is acknowledged at one time */
static void a_batch_draws_one_acknowledgment(void **state)
{
    (void)state;
    static const char *const in_order[] = {". seq 0:1460", ". seq 1460:2920", ". seq 2920:4380",
                                           ". seq 4380:5840", "P. seq 5840:7300"};
    static const char *const upside_down[] = {"P. seq 4380:5840", ". seq 2920:4380",
                                              ". seq 1460:2920", ". seq 0:1460"};
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire w;
        open_with(&w, variant & ~(unsigned)WIRE_OPTIONS);
        wire_send_batch(&w, in_order, HF_COUNT_OF(in_order));
        WIRE_EXPECT(&w, ". seq 0 ack 7300");
        WIRE_QUIET(&w);
        wire_rebase(&w);
        wire_send_batch(&w, upside_down, HF_COUNT_OF(upside_down));
        for (int i = 0; i < 3; i++) /* without SACK the peer counts them [RFC5681#4.2] */
            WIRE_EXPECT(&w, ". seq 0 ack 0");
        WIRE_EXPECT(&w, ". seq 0 ack 5840");
        WIRE_QUIET(&w);
        wire_close(&w);
    }
}

/* covers: CO-5681-13, CO-6582-09, MAY-13: beyond and into a gap all is answered at once */
static void gaps_are_acknowledged_at_once(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire w;
        open_with(&w, variant & ~(unsigned)WIRE_OPTIONS);
        hf_peer_send(&w.peer, "P. seq 100:200");
        WIRE_EXPECT(&w, ". seq 0 ack 0");
        hf_peer_send(&w.peer, "P. seq 300:400");
        WIRE_EXPECT(&w, ". seq 0 ack 0");
        hf_peer_send(&w.peer, "P. seq 200:300");
        WIRE_EXPECT(&w, ". seq 0 ack 0");
        hf_peer_send(&w.peer, "P. seq 0:50"); /* a part of the gap */
        WIRE_EXPECT(&w, ". seq 0 ack 50");
        hf_peer_send(&w.peer, "P. seq 50:100");
        WIRE_EXPECT(&w, ". seq 0 ack 400");
        WIRE_QUIET(&w);
        assert_int_equal(wire_read(&w), 400);
        wire_close(&w);
    }
}

/* covers: UN-11: old octets before new ones are passed over */
static void what_straddles_old_and_new_is_trimmed(void **state)
{
    (void)state;
    struct wire w;
    open_with(&w, 0);
    hf_peer_send(&w.peer, "P. seq 0:100");
    hf_peer_send(&w.peer, "P. seq 50:150");
    hf_peer_send(&w.peer, "P. seq 300:400");
    hf_peer_send(&w.peer, "P. seq 140:350");
    assert_int_equal(wire_read(&w), 400);
    assert_int_equal(wire_info(&w).bytes_received, 400);
    wire_close(&w);
}

/* ---- SACK ---- */

static void open_sack(struct wire *w, bool timestamps)
{
    *w = (struct wire){.setup = {.state = HF_ESTABLISHED, .config = &rfc}};
    struct hf_rig_config rig = {.config = &rfc, .seed = 3};
    assert_int_equal(hf_rig_open(&w->rig, &rig), HF_OK);
    struct hf_listen listen = {.port = WIRE_STACK_PORT};
    assert_int_equal(hf_listen(w->rig.stack, &listen, &w->listener, 0), HF_OK);
    hf_peer_open(&w->peer, &w->rig, false, WIRE_PEER_PORT, WIRE_STACK_PORT, 4999);
    w->peer.timestamps = timestamps;
    assert_true(hf_peer_connect(&w->peer, timestamps ? "<mss 500,sackOK,TS>" : "<mss 500,sackOK>"));
    w->conn = hf_rig_event(&w->rig).handle;
    assert_true(w->conn != 0);
    wire_rebase(w);
    w->peer.iss = 0; /* numbers of the peer as in the RFC's example: from 5000 on */
}

/* covers: CO-2018-02, CO-2018-03, CO-2018-04, CO-2018-05, CO-2018-09, CO-2018-11, CO-2018-14: the
 * examples of [RFC2018#7] */
static void sack_blocks_as_in_the_rfc(void **state)
{
    (void)state;
    struct wire w;
    char text[80];
    open_sack(&w, false); /* case 2: the first segment is lost */
    for (unsigned right = 6000; right <= 9000; right += 500) {
        snprintf(text, sizeof text, ". seq %u:%u", right - 500, right);
        hf_peer_send(&w.peer, text);
        snprintf(text, sizeof text, ". seq 0 ack 5000 <sack 5500:%u>", right);
        WIRE_EXPECT(&w, text);
    }
    wire_close(&w);

    open_sack(&w, false); /* case 3: the second, fourth, sixth and eighth are lost */
    hf_peer_send(&w.peer, ". seq 5000:5500");
    hf_peer_skip(&w.peer);
    hf_peer_send(&w.peer, ". seq 6000:6500");
    WIRE_EXPECT(&w, ". seq 0 ack 5500 <sack 6000:6500>");
    hf_peer_send(&w.peer, ". seq 7000:7500");
    WIRE_EXPECT(&w, ". seq 0 ack 5500 <sack 7000:7500,sack 6000:6500>");
    hf_peer_send(&w.peer, ". seq 8000:8500");
    WIRE_EXPECT(&w, ". seq 0 ack 5500 <sack 8000:8500,sack 7000:7500,sack 6000:6500>");
    hf_peer_send(&w.peer, ". seq 6500:7000");
    WIRE_EXPECT(&w, ". seq 0 ack 5500 <sack 6000:7500,sack 8000:8500>");
    hf_peer_send(&w.peer, ". seq 5500:6000");
    WIRE_EXPECT(&w, ". seq 0 ack 7500 <sack 8000:8500>");
    WIRE_QUIET(&w);
    wire_close(&w);
}

/* One segment of 100 bytes at each of these hundreds, all in one batch. */
static void send_hundreds(struct wire *w, const unsigned *hundreds, size_t count)
{
    char texts[16][24];
    const char *batch[16];
    assert_true(count <= HF_COUNT_OF(texts));
    for (size_t i = 0; i < count; i++) {
        snprintf(texts[i], sizeof texts[i], ". seq %u:%u", 5000 + hundreds[i] * 100,
                 5100 + hundreds[i] * 100);
        batch[i] = texts[i];
    }
    wire_send_batch(w, batch, count);
}

/* covers: CO-2018-05: however much comes of one block, and though blocks become one, those reported
 * or grown before it follow, not the lowest ones: what is told only once is lost with its ACK, or
 * between two ACKs */
static void blocks_reported_before_follow(void **state)
{
    (void)state;
    static const struct {
        unsigned hundreds[16];
        size_t count;
        unsigned left[HF_SACK_BLOCKS_MAX]; /* of the blocks that are told, in this order */
    } rows[] = {
        {{1, 3, 5, 7, 10, 11, 12, 13, 14}, 9, {10, 7, 5, 3}}, /* five in one block */
        {{1, 3, 5, 7, 10, 11, 12, 3}, 8, {3, 10, 7, 5}},      /* what came twice, first alone */
        {{2, 12, 6, 8, 10, 7, 9, 16}, 8, {16, 6, 12, 2}},     /* three became one */
        {{2, 12, 6, 8, 7, 16, 18}, 7, {18, 16, 6, 12}},
    };
    for (size_t i = 0; i < HF_COUNT_OF(rows) * 2; i++) {
        struct wire w;
        bool timestamps = i & 1;
        open_sack(&w, timestamps);
        send_hundreds(&w, rows[i / 2].hundreds, rows[i / 2].count);
        while (hf_peer_pop(&w.peer)) /* the last one of those that this many take */
            ;
        const struct hf_segment *seg = &w.peer.last.segment;
        unsigned twice = seg->sack_count > 1 && seg->sack[0].left == seg->sack[1].left;
        assert_int_equal(seg->sack_count, timestamps ? 3 : 4);
        for (unsigned k = twice; k < seg->sack_count; k++)
            assert_int_equal(seg->sack[k].left, 5000 + rows[i / 2].left[k - twice] * 100);
        wire_close(&w);
    }
}

/* covers: CO-2018-05, CO-2018-09: more blocks in one batch than one ACK can tell: the next
 * tells the rest, each block once */
static void all_blocks_of_a_batch_are_told(void **state)
{
    (void)state;
    for (int timestamps = 0; timestamps < 2; timestamps++)
        for (unsigned blocks = 1; blocks <= 8; blocks++) {
            struct wire w;
            unsigned hundreds[8], acks = 0;
            uint32_t told = 0;
            open_sack(&w, timestamps);
            for (unsigned i = 0; i < blocks; i++)
                hundreds[i] = 2 * i + 1;
            send_hundreds(&w, hundreds, blocks);
            for (; hf_peer_pop(&w.peer); acks++) {
                const struct hf_segment *seg = &w.peer.last.segment;
                for (unsigned i = 0; i < seg->sack_count; i++)
                    told |= 1u << ((seg->sack[i].left - 5100) / 200);
            }
            unsigned fit = timestamps ? 3 : 4;
            assert_int_equal(told, (1u << blocks) - 1);
            assert_int_equal(acks, (blocks + fit - 1) / fit);
            wire_close(&w);
        }
}

/* An ACK that is due for data in order has room for the first block. */
static void a_block_joins_what_is_due(void **state)
{
    (void)state;
    struct wire w;
    open_sack(&w, false);
    wire_send_batch(&w, (const char *[]){". seq 5000:5500", ". seq 5500:6000", ". seq 7000:7500"},
                    3);
    WIRE_EXPECT(&w, ". seq 0 ack 6000 <sack 7000:7500>");
    WIRE_QUIET(&w);
    wire_close(&w);
}

/** A SYN in the batch at hand. */
static void input_syn(struct hf_peer *p)
{
    uint8_t packet[128];
    struct hf_segment seg = {.flags = HF_SYN, .seq = p->iss, .window = 65535};
    struct hf_packet in = {packet, hf_peer_packet(p, &seg, NULL, packet), 0, 0};
    hf_stack_input(p->rig->stack, &in, 1, p->rig->now_ns);
}

/* More of them than half of the places for answers: the last ones share an ACK, and who else is
 * answered in that batch has the other half. */
static void what_finds_no_place_is_told_together(void **state)
{
    (void)state;
    enum { PLACES = 16, MANY = 120 };
    struct hf_config saved = rfc;
    rfc.reply_ring = PLACES;
    for (int sack = 0; sack < 2; sack++) {
        struct wire w;
        unsigned acks = 0;
        open_sack(&w, true);
        if (!sack) {
            wire_close(&w);
            open_with(&w, 0);
            w.peer.iss -= 5000; /* the same numbers */
        }
        for (unsigned i = 0; i < MANY; i++) {
            char text[40];
            snprintf(text, sizeof text, ". seq %u:%u", 5100 + 200 * i, 5200 + 200 * i);
            wire_input_one(&w, text);
        }
        struct hf_peer others[PLACES / 2 + 1];
        for (unsigned i = 0; i < HF_COUNT_OF(others); i++) {
            hf_peer_open(&others[i], &w.rig, false, (uint16_t)(7000 + i), 4444, 1);
            input_syn(&others[i]);
        }
        hf_rig_pull(&w.rig);
        for (unsigned i = 0; i < HF_COUNT_OF(others); i++)
            assert_int_equal(hf_peer_pop(&others[i]), i < PLACES / 2);
        while (hf_peer_pop(&w.peer))
            acks++;
        assert_int_equal(acks, PLACES / 2 + 1);
        assert_int_equal(hf_stack_count(w.rig.stack, HF_DROP_REPLY_RING), 1);
        wire_close(&w);
    }
    rfc = saved;
}

/* [RFC2018#3] the right edge is the number behind the last one that is here, and a FIN has a
 * number: of the block that touches it alone. */
static void a_block_ends_behind_the_fin(void **state)
{
    (void)state;
    struct wire w;
    open_sack(&w, false);
    hf_peer_send(&w.peer, "F. seq 5500:6000");
    WIRE_EXPECT(&w, ". seq 0 ack 5000 <sack 5500:6001>");
    hf_peer_send(&w.peer, ". seq 5100:5200");
    WIRE_EXPECT(&w, ". seq 0 ack 5000 <sack 5100:5200,sack 5500:6001>");
    hf_peer_send(&w.peer, ". seq 5600:5700"); /* came twice */
    WIRE_EXPECT(&w, ". seq 0 ack 5000 <sack 5600:5700,sack 5500:6001,sack 5100:5200>");
    hf_peer_send(&w.peer, ". seq 5000:5500");
    WIRE_EXPECT(&w, ". seq 0 ack 6001 <sack 5100:5200>");
    WIRE_QUIET(&w);
    wire_close(&w);
}

/* covers: CO-2018-05: four blocks, three beside timestamps; the newest first */
static void as_many_blocks_as_fit(void **state)
{
    (void)state;
    for (int timestamps = 0; timestamps < 2; timestamps++) {
        struct wire w;
        open_sack(&w, timestamps);
        for (unsigned left = 5100; left < 5900; left += 200) {
            char text[80];
            snprintf(text, sizeof text, ". seq %u:%u", left, left + 100);
            hf_peer_send(&w.peer, text);
        }
        while (hf_peer_pop(&w.peer))
            ;
        const struct hf_segment *seg = &w.peer.last.segment;
        assert_int_equal(seg->sack_count, timestamps ? 3 : 4);
        for (unsigned i = 0; i < seg->sack_count; i++)
            assert_int_equal(seg->sack[i].left, 5700 - 200 * i);
        wire_close(&w);
    }
}

/* covers: CO-2018-02: a peer that did not permit SACK gets none */
static void no_blocks_without_permission(void **state)
{
    (void)state;
    struct wire w;
    open_with(&w, 0);
    hf_peer_send(&w.peer, "P. seq 100:200");
    assert_true(hf_peer_pop(&w.peer));
    assert_int_equal(w.peer.last.segment.sack_count, 0);
    wire_close(&w);
}

/* covers: CO-5681-13 [RFC5681#4.2]: it is their number that tells of a loss, also if many come at
 * once, and data that leaves beside them makes none of them less. The ACK that was due before is
 * one more. */
static void without_sack_each_has_a_duplicate_of_its_own(void **state)
{
    (void)state;
    struct wire w;
    open_with(&w, 0);
    wire_send_batch(&w, (const char *[]){". seq 500:600", ". seq 600:700", ". seq 800:900"}, 3);
    for (int i = 0; i < 3; i++)
        WIRE_EXPECT(&w, ". seq 0 ack 0");
    WIRE_QUIET(&w);
    wire_input(&w, (const char *[]){". seq 900:1000", ". seq 1000:1100"}, 2);
    wire_write(&w, 5);
    WIRE_EXPECT(&w, ". seq 0 ack 0");
    WIRE_EXPECT(&w, ". seq 0 ack 0");
    WIRE_EXPECT(&w, "P. seq 0:5 ack 0");
    WIRE_QUIET(&w);
    wire_send_batch(&w, (const char *[]){". seq 0:100", ". seq 2000:2100"}, 2);
    WIRE_EXPECT(&w, ". seq 5 ack 100"); /* a gap lies behind it: at once */
    WIRE_EXPECT(&w, ". seq 5 ack 100");
    WIRE_QUIET(&w);
    wire_close(&w);
}

/* [RFC9293#3.10.7.4] The peer drops the probe of its window unread, as it lies before what it
 * expects: what else there was to say needs a segment of its own. */
static void a_window_probe_takes_no_ack_along(void **state)
{
    (void)state;
    struct wire w;
    open_with(&w, 0);
    show_full_size(&w);
    w.peer.window = 0;
    hf_peer_send(&w.peer, ". seq 0 ack 0");
    wire_write(&w, 100);
    WIRE_QUIET(&w);
    hf_rig_wait(&w.rig, HF_MS(990));
    hf_peer_send(&w.peer, ". seq 0:10");
    WIRE_QUIET(&w); /* its ACK may wait */
    hf_rig_wait(&w.rig, HF_MS(20));
    WIRE_EXPECT(&w, ". seq -1 ack 10");
    hf_rig_wait(&w.rig, HF_MS(200));
    WIRE_EXPECT(&w, ". seq 0 ack 10");
    WIRE_QUIET(&w);
    wire_close(&w);
}

/* ---- timestamps ---- */

/* Sends "A(1)": the segment at `place` of ten bytes, with this timestamp. */
static void send_stamped(struct wire *w, unsigned place, unsigned value)
{
    char text[80];
    struct hf_info info = wire_info(w);
    snprintf(text, sizeof text, "P. seq %u:%u ack 0 <TS %u %u>", 10 * place, 10 * place + 10,
             w->peer.ts_base + value, info.ts_recent);
    hf_peer_send(&w->peer, text);
}

static unsigned echoed(struct wire *w)
{
    assert_true(hf_peer_pop(&w->peer));
    assert_true(w->peer.last.segment.has_timestamps);
    unsigned value = w->peer.last.segment.ts_echo - w->peer.ts_base;
    assert_true(hf_peer_expect_nothing(&w->peer));
    return value;
}

/* Timestamps of the example count from the one of the handshake. */
static void open_stamped(struct wire *w, const struct hf_config *config)
{
    struct wire_setup setup = {.state = HF_ESTABLISHED, .variant = WIRE_OPTIONS, .config = config};
    wire_open(w, &setup);
    w->peer.ts_base = wire_info(w).ts_recent;
}

/* covers: CO-7323-08, CO-7323-22, CO-7323-05: the examples of [RFC7323#4.3] */
static void echoes_as_in_the_rfc(void **state)
{
    (void)state;
    struct wire w;
    struct hf_config at_once = rfc;
    at_once.quick_acks = 16;
    static const struct {
        unsigned place, value, echo;
    } steps[] = {{0, 1, 1}, {2, 3, 1}, {1, 2, 2}, {4, 5, 2}, {3, 4, 4}};
    open_stamped(&w, &at_once);
    for (size_t i = 0; i < HF_COUNT_OF(steps); i++) {
        send_stamped(&w, steps[i].place, steps[i].value);
        assert_int_equal(echoed(&w), steps[i].echo);
    }
    wire_close(&w);

    open_stamped(&w, &rfc); /* in order, one delayed ACK: it echoes the first */
    for (unsigned i = 0; i < 3; i++)
        send_stamped(&w, i, i + 1);
    WIRE_QUIET(&w);
    hf_rig_wait(&w.rig, HF_MS(201));
    assert_int_equal(echoed(&w), 1);
    wire_close(&w);
}

/* covers: CO-7323-05, CO-7323-20: agreed on, they are on every segment, the RST of an abort too */
static void every_segment_is_stamped(void **state)
{
    (void)state;
    struct wire w;
    open_stamped(&w, NULL);
    wire_send(&w, 100, 0);
    hf_peer_send(&w.peer, "P. seq 0:10");
    hf_peer_send(&w.peer, "P. seq 20:30");
    hf_rig_wait(&w.rig, HF_SEC(2));
    assert_int_equal(hf_abort(w.rig.stack, w.conn, w.rig.now_ns), HF_OK);
    hf_rig_pull(&w.rig);
    unsigned count = 0;
    for (; hf_peer_pop(&w.peer); count++)
        assert_true(w.peer.last.segment.has_timestamps);
    assert_true(count >= 4);
    assert_true(w.peer.last.segment.flags & HF_RST);
    wire_close(&w);
}

/* covers: CO-7323-13, CO-7323-21: the clock of stamps is one of milliseconds, and goes on where it
 * was */
static void stamps_follow_the_clock(void **state)
{
    (void)state;
    struct wire w;
    open_stamped(&w, NULL);
    uint32_t first = 0;
    for (uint32_t i = 0; i < 50; i++) {
        wire_send(&w, 1, 0);
        assert_true(hf_peer_pop(&w.peer));
        const struct hf_segment *seg = &w.peer.last.segment;
        first = i == 0 ? seg->ts_value : first;
        assert_int_equal(seg->ts_value - first, 1234 * i);
        hf_rig_wait(&w.rig, HF_MS(1));
        hf_peer_send(&w.peer, ".");
        hf_rig_wait(&w.rig, HF_MS(1233));
    }
    wire_close(&w);
}

static int fill_rfc(void **state)
{
    (void)state;
    hf_config_profile(&rfc, sizeof rfc, HF_PROFILE_RFC);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_second_full_segment_is_acknowledged),
        cmocka_unit_test(every_second_segment_of_any_size),
        cmocka_unit_test(quick_again_after_silence),
        cmocka_unit_test(the_delay_counts_from_the_first_segment),
        cmocka_unit_test(a_batch_draws_one_acknowledgment),
        cmocka_unit_test(gaps_are_acknowledged_at_once),
        cmocka_unit_test(what_straddles_old_and_new_is_trimmed),
        cmocka_unit_test(sack_blocks_as_in_the_rfc),
        cmocka_unit_test(blocks_reported_before_follow),
        cmocka_unit_test(all_blocks_of_a_batch_are_told),
        cmocka_unit_test(a_block_joins_what_is_due),
        cmocka_unit_test(what_finds_no_place_is_told_together),
        cmocka_unit_test(without_sack_each_has_a_duplicate_of_its_own),
        cmocka_unit_test(a_window_probe_takes_no_ack_along),
        cmocka_unit_test(a_block_ends_behind_the_fin),
        cmocka_unit_test(as_many_blocks_as_fit),
        cmocka_unit_test(no_blocks_without_permission),
        cmocka_unit_test(echoes_as_in_the_rfc),
        cmocka_unit_test(every_segment_is_stamped),
        cmocka_unit_test(stamps_follow_the_clock),
    };
    return cmocka_run_group_tests_name("data_ack", tests, fill_rfc, NULL);
}
