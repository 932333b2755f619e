/* What comes twice is told to the sender, once, as the first SACK block [RFC2883#4]. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/wire_calls.h"

static struct hf_config rfc; /* no quick ACKs, delay 200 ms */

struct start {
    bool timestamps, super, v6;
};

/* The stack's RCV.NXT is 500, as in the examples of the RFC; the window is not scaled. */
static void open_sack(struct wire *w, struct start start)
{
    *w = (struct wire){.setup = {.state = HF_ESTABLISHED, .config = &rfc}};
    struct hf_config config = rfc;
    config.offload_checksum = start.super;
    config.offload_super_bytes = start.super ? 65535 : 0;
    struct hf_rig_config rig = {.config = &config, .seed = 3, .cut = true};
    assert_int_equal(hf_rig_open(&w->rig, &rig), HF_OK);
    struct hf_listen listen = {.port = WIRE_STACK_PORT};
    assert_int_equal(hf_listen(w->rig.stack, &listen, &w->listener, 0), HF_OK);
    hf_peer_open(&w->peer, &w->rig, start.v6, WIRE_PEER_PORT, WIRE_STACK_PORT, 499);
    w->peer.timestamps = start.timestamps;
    const char *options = start.timestamps ? "<mss 500,sackOK,TS>" : "<mss 500,sackOK>";
    assert_true(hf_peer_connect(&w->peer, options));
    w->conn = hf_rig_event(&w->rig).handle;
    assert_true(w->conn != 0);
    wire_rebase(w);
    w->peer.iss = 0;
}

/* A segment, and the ACK that it draws at once (NULL: none). */
struct step {
    const char *send, *answer;
};

static void play(const struct step *steps, size_t count, struct start start)
{
    struct wire w;
    open_sack(&w, start);
    for (size_t i = 0; i < count; i++) {
        hf_peer_send(&w.peer, steps[i].send);
        if (steps[i].answer != NULL)
            WIRE_EXPECT(&w, steps[i].answer);
        WIRE_QUIET(&w);
    }
    wire_close(&w);
}
#define PLAY(steps)                                                                                \
    do {                                                                                           \
        for (unsigned v6 = 0; v6 < 2; v6++)                                                        \
            play((steps), HF_COUNT_OF(steps), (struct start){.v6 = v6 != 0});                      \
    } while (0)

/* covers: CO-2883-01, CO-2883-02, CO-2883-10: the examples of [RFC2883#4.1] */
static void whole_segments_as_in_the_rfc(void **state)
{
    (void)state;
    static const struct step below[] = {
        {". seq 500:3000", NULL},
        {". seq 3000:3500", NULL},
        {". seq 3500:4000", NULL},
        {". seq 3000:3500", ". ack 4000 <sack 3000:3500>"},
    };
    static const struct step below_with_a_gap[] = {
        {". seq 500:4000", NULL},
        {". seq 4500:5000", ". ack 4000 <sack 4500:5000>"},
        {". seq 3000:3500", ". ack 4000 <sack 3000:3500,sack 4500:5000>"},
    };
    static const struct step beyond_a_gap[] = {
        {". seq 500:4000", NULL},
        {". seq 4500:5000", ". ack 4000 <sack 4500:5000>"},
        {". seq 5000:5500", ". ack 4000 <sack 4500:5500>"},
        {". seq 5000:5500", ". ack 4000 <sack 5000:5500,sack 4500:5500>"},
    };
    static const struct step as_large_as_its_block[] = {
        {". seq 1000:1500", ". ack 500 <sack 1000:1500>"},
        {". seq 1000:1500", ". ack 500 <sack 1000:1500,sack 1000:1500>"},
        {". seq 2000:2500", ". ack 500 <sack 2000:2500,sack 1000:1500>"},
        {". seq 1000:1200", ". ack 500 <sack 1000:1200,sack 1000:1500,sack 2000:2500>"},
    };
    PLAY(below);
    PLAY(below_with_a_gap);
    PLAY(beyond_a_gap);
    PLAY(as_large_as_its_block);
}

/* covers: CO-2883-04, CO-2883-11: the examples of [RFC2883#4.2] */
static void parts_of_segments_as_in_the_rfc(void **state)
{
    (void)state;
    static const struct step old_and_new[] = {
        {". seq 500:1000", NULL},
        {". seq 1000:1500", ". ack 1500"},
        {". seq 2000:2500", ". ack 1500 <sack 2000:2500>"},
        {". seq 1000:2000", ". ack 2500 <sack 1000:1500>"},
    };
    static const struct step around_a_block[] = {
        {". seq 500:1000", NULL},
        {". seq 1500:2000", ". ack 1000 <sack 1500:2000>"},
        {". seq 2500:3000", ". ack 1000 <sack 2500:3000,sack 1500:2000>"},
        {". seq 1500:3000", ". ack 1000 <sack 1500:2000,sack 1500:3000>"},
    };
    static const struct step two_parts[] = {
        {". seq 1000:1500", ". ack 500 <sack 1000:1500>"},
        {". seq 2000:2500", ". ack 500 <sack 2000:2500,sack 1000:1500>"},
        {". seq 500:3000", ". ack 3000 <sack 1000:1500>"}, /* the first of them */
    };
    static const struct step old_part_only[] = {
        {". seq 500:1000", NULL},
        {". seq 900:1100", ". ack 1100 <sack 900:1000>"}, /* at once */
        {". seq 1050:1060", ". ack 1100 <sack 1050:1060>"},
    };
    static const struct step filled_by_more_than_the_gap[] = {
        {". seq 600:700", ". ack 500 <sack 600:700>"},
        {". seq 500:650", ". ack 700 <sack 600:650>"},
    };
    PLAY(old_and_new);
    PLAY(around_a_block);
    PLAY(two_parts);
    PLAY(old_part_only);
    PLAY(filled_by_more_than_the_gap);
}

/* covers: CO-2883-01, CO-2883-09: each duplicate in one ACK, and the next does not repeat it */
static void each_is_told_once(void **state)
{
    (void)state;
    static const struct step steps[] = {
        {". seq 500:1500", NULL},
        {". seq 500:600", ". ack 1500 <sack 500:600>"},
        {". seq 1500:1600", NULL},
        {". seq 1700:1800", ". ack 1600 <sack 1700:1800>"},
        {". seq 500:600", ". ack 1600 <sack 500:600,sack 1700:1800>"},
        {". seq 1900:2000", ". ack 1600 <sack 1900:2000,sack 1700:1800>"},
        {". seq 500:600", ". ack 1600 <sack 500:600,sack 1900:2000,sack 1700:1800>"},
    };
    PLAY(steps);
}

/* A FIN that is here takes a number like a byte; one beyond a gap was never reported as here. */
static void a_fin_that_comes_again(void **state)
{
    (void)state;
    static const struct step in_order[] = {
        {"F. seq 500:600", ". ack 601"},
        {"F. seq 500:600", ". ack 601 <sack 500:601>"},
        {"F. seq 600", ". ack 601 <sack 600:601>"},
        {". seq 500:600", ". ack 601 <sack 500:600>"},
    };
    static const struct step too_early[] = {
        {"F. seq 700:800", ". ack 500 <sack 700:801>"},
        {"F. seq 800", ". ack 500 <sack 700:801>"},
        {"F. seq 750:800", ". ack 500 <sack 750:800,sack 700:801>"},
        {". seq 500:700", ". ack 801"},
    };
    PLAY(in_order);
    PLAY(too_early);
}

/* Numbers without bytes: a probe before the first byte, an empty segment; and one whole probe. */
static void probes(void **state)
{
    (void)state;
    static const struct step nothing_yet[] = {
        {". seq 499", ". ack 500"},
        {". seq 499:500", ". ack 500"},
        {". seq 0:501", ". ack 501"},
    };
    static const struct step a_byte[] = {
        {". seq 500:1500", NULL},
        {". seq 1499", ". ack 1500"},
        {". seq 1499:1500", ". ack 1500 <sack 1499:1500>"},
        {". seq 0:600", ". ack 1500 <sack 500:600>"},
    };
    PLAY(nothing_yet);
    PLAY(a_byte);
}

/* covers: CO-2883-08: without permission nothing is told */
static void no_report_without_permission(void **state)
{
    (void)state;
    struct wire w;
    struct wire_setup setup = {.state = HF_ESTABLISHED, .config = &rfc};
    wire_open(&w, &setup);
    hf_peer_send(&w.peer, "P. seq 0:100");
    hf_peer_send(&w.peer, "P. seq 0:100");
    assert_true(hf_peer_pop(&w.peer));
    assert_int_equal(w.peer.last.segment.sack_count, 0);
    WIRE_QUIET(&w);
    wire_close(&w);
}

/* Beside timestamps three blocks fit: the duplicate, the block around it, one more. */
static void the_report_counts_as_a_block(void **state)
{
    (void)state;
    struct wire w;
    open_sack(&w, (struct start){.timestamps = true});
    hf_peer_send(&w.peer, ". seq 1000:1100");
    hf_peer_send(&w.peer, ". seq 2000:2100");
    hf_peer_send(&w.peer, ". seq 3000:3100");
    hf_peer_skip(&w.peer);
    hf_peer_send(&w.peer, ". seq 2000:2100");
    WIRE_EXPECT(&w, ". ack 500 <sack 2000:2100,sack 2000:2100,sack 3000:3100,TS>");
    WIRE_QUIET(&w);
    wire_close(&w);
}

/* covers: CO-2883-01: what touches is told as one, so it is the same for a super-packet and for its
 * segments; what does not has an ACK of its own, though it came at the same time */
static void each_of_a_batch_is_told(void **state)
{
    (void)state;
    static const char *const touching[] = {". seq 700:800", ". seq 600:700", ". seq 800:900"};
    static const char *const around[] = {". seq 700:750", ". seq 600:900"};
    static const char *const apart[] = {". seq 600:700", ". seq 900:1000"};
    static const char *const joined[] = {". seq 1600:1700", ". seq 600:700", ". seq 1500:1600"};
    static const char *const followed[] = {". seq 600:700", ". seq 1700:1800"};
    struct wire w;
    open_sack(&w, (struct start){0});
    hf_peer_send(&w.peer, ". seq 500:1500");
    hf_peer_skip(&w.peer);
    wire_send_batch(&w, touching, HF_COUNT_OF(touching));
    WIRE_EXPECT(&w, ". ack 1500 <sack 600:900>");
    wire_send_batch(&w, around, HF_COUNT_OF(around));
    WIRE_EXPECT(&w, ". ack 1500 <sack 600:900>");
    wire_send_batch(&w, apart, HF_COUNT_OF(apart));
    WIRE_EXPECT(&w, ". ack 1500 <sack 600:700>");
    WIRE_EXPECT(&w, ". ack 1500 <sack 900:1000>");
    hf_peer_send(&w.peer, ". seq 1600:1700");
    hf_peer_skip(&w.peer);
    wire_send_batch(&w, joined, HF_COUNT_OF(joined));
    WIRE_EXPECT(&w, ". ack 1500 <sack 1600:1700,sack 1600:1700>");
    WIRE_EXPECT(&w, ". ack 1700 <sack 600:700>");
    wire_send_batch(&w, followed, HF_COUNT_OF(followed)); /* by one for the fast path */
    WIRE_EXPECT(&w, ". ack 1800 <sack 600:700>");
    WIRE_QUIET(&w);
    wire_close(&w);
}

/* More of them than half of the places for answers: of the last ones the first is told. */
static void a_report_that_finds_no_place_is_left_out(void **state)
{
    (void)state;
    enum { PLACES = 16, MANY = 40 };
    struct wire w;
    struct hf_config saved = rfc;
    rfc.reply_ring = PLACES;
    open_sack(&w, (struct start){0});
    hf_peer_send(&w.peer, ". seq 500:9500");
    hf_peer_skip(&w.peer);
    char text[40];
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(text, sizeof text, ". seq %u:%u", 500 + 200 * i, 600 + 200 * i);
        wire_input_one(&w, text);
    }
    hf_rig_pull(&w.rig);
    for (unsigned i = 0; i <= PLACES / 2; i++) {
        snprintf(text, sizeof text, ". ack 9500 <sack %u:%u>", 500 + 200 * i, 600 + 200 * i);
        WIRE_EXPECT(&w, text);
    }
    WIRE_QUIET(&w);
    wire_close(&w);
    rfc = saved;
}

/* The report goes along with data too, on one segment only: also where the link cuts, and that
 * segment is as much shorter as the block takes. */
static void data_takes_the_report_along(void **state)
{
    (void)state;
    for (unsigned super = 0; super < 2; super++) {
        struct wire w;
        open_sack(&w, (struct start){.super = super != 0});
        hf_peer_send(&w.peer, ". seq 500:1500 win 65535");
        hf_peer_skip(&w.peer);
        wire_input_one(&w, ". seq 500:600 win 65535");
        wire_write(&w, 1500);
        unsigned reports = 0;
        for (unsigned i = 0; i < 3; i++) {
            assert_true(hf_peer_pop(&w.peer));
            const struct hf_segment *seg = &w.peer.last.segment;
            assert_int_equal(seg->payload_bytes, i == 0 ? 488 : 500);
            assert_int_equal(seg->sack_count, i == 0);
            reports += seg->sack_count;
        }
        assert_int_equal(reports, 1);
        wire_close(&w);
    }
}

/* A super-packet that is old in part is as one large segment. */
static void super_packets_are_reported(void **state)
{
    (void)state;
    struct wire w;
    open_sack(&w, (struct start){0});
    hf_peer_send(&w.peer, ". seq 500:1500");
    hf_peer_send(&w.peer, ". seq 2000:2500");
    hf_peer_skip(&w.peer);
    struct wire_packet p = wire_packet_of(&w, ". seq 700:1900");
    hf_rig_input(&w.rig, p.bytes, p.length_bytes, 400, HF_PACKET_CSUM_VALID);
    WIRE_EXPECT(&w, ". ack 1900 <sack 700:1500,sack 2000:2500>");
    p = wire_packet_of(&w, ". seq 2100:2900");
    hf_rig_input(&w.rig, p.bytes, p.length_bytes, 400, HF_PACKET_CSUM_VALID);
    WIRE_EXPECT(&w, ". ack 1900 <sack 2100:2500,sack 2000:2900>");
    WIRE_QUIET(&w);
    wire_close(&w);
}

/* The record that remembers the duplicate is given back with the ACK; without memory for it the
 * ACK leaves all the same. */
static void the_record_lives_until_the_ack(void **state)
{
    (void)state;
    struct wire w;
    struct hf_stack_info info;
    open_sack(&w, (struct start){0});
    hf_peer_send(&w.peer, ". seq 500:1500");
    hf_peer_skip(&w.peer);
    wire_input_one(&w, ". seq 500:600");
    hf_stack_info(w.rig.stack, &info);
    assert_int_equal(info.flights, 1);
    hf_rig_pull(&w.rig);
    WIRE_EXPECT(&w, ". ack 1500 <sack 500:600>");
    hf_stack_info(w.rig.stack, &info);
    assert_int_equal(info.flights, 0);
    wire_input_one(&w, ". seq 500:600");
    assert_int_equal(hf_abort(w.rig.stack, w.conn, w.rig.now_ns), HF_OK);
    hf_stack_info(w.rig.stack, &info);
    assert_int_equal(info.flights, 0);
    wire_close(&w);
}

/* Data beyond a gap that was given up is here no more: to report it as a duplicate, with nothing
 * around it, would say that it is. */
static void what_was_given_up_is_not_reported(void **state)
{
    (void)state;
    struct wire w;
    struct hf_config saved = rfc;
    rfc.pool_bytes = 64 * 1024;
    rfc.send_buffer_bytes = 1 << 20;
    open_sack(&w, (struct start){0});
    struct hf_peer other;
    hf_peer_open(&other, &w.rig, false, WIRE_PEER_PORT + 1, WIRE_STACK_PORT, 499);
    assert_true(hf_peer_connect(&other, "<mss 1000>"));
    hf_peer_send(&w.peer, ". seq 1000:1500 win 0");
    hf_peer_skip(&w.peer);
    static uint8_t bytes[4096];
    while (hf_send(w.rig.stack, w.conn, bytes, sizeof bytes, 0, w.rig.now_ns) > 0)
        ;
    wire_input_one(&w, ". seq 1000:1500 win 0");
    struct hf_peer mine = w.peer;
    w.peer = other;
    char text[40]; /* the other connection takes what blocks there are, and then ours */
    for (uint32_t at = 1; hf_stack_count(w.rig.stack, HF_DROP_OUT_OF_ORDER_RECLAIMED) == 0; at++) {
        assert_true(at < 64);
        snprintf(text, sizeof text, ". seq %u:%u ack 1", 1000 * at - 999, 1000 * at + 1);
        wire_input_one(&w, text);
    }
    w.peer = mine;
    hf_rig_pull(&w.rig);
    assert_true(hf_peer_pop(&w.peer));
    assert_int_equal(w.peer.last.segment.ack, w.peer.iss + 500);
    assert_int_equal(w.peer.last.segment.sack_count, 0);
    wire_close(&w);
    rfc = saved;
}

/* ---- as the sender sees it ---- */

/* covers: CO-2883-03, CO-2883-05, CO-2883-06: an ACK that reports a duplicate says nothing of what
 * was lost. Below its own number, or in the second block: both are duplicates */
static void reports_are_no_signs_of_loss(void **state)
{
    (void)state;
    static const char *const harmless[] = {
        ". seq 500 ack 0 win 65535 <sack -500:0>",
        ". seq 500 ack 0 win 60000 <sack -500:0>", /* another window is no sign either */
        ". seq 500 ack 0 win 65535 <sack 500:1000,sack 500:1000>",
        ". seq 500 ack 0 win 65535 <sack 600:700,sack 500:1000>",
    };
    for (size_t i = 0; i < HF_COUNT_OF(harmless); i++) {
        struct wire w;
        open_sack(&w, (struct start){0});
        hf_peer_send(&w.peer, ". seq 500 win 65535");
        wire_write(&w, 2000);
        assert_int_equal(hf_peer_skip(&w.peer), 4);
        for (int k = 0; k < 5; k++)
            hf_peer_send(&w.peer, harmless[i]);
        WIRE_QUIET(&w);
        hf_peer_send(&w.peer, ". seq 500 ack 0 win 65535 <sack 500:1000>"); /* these are */
        hf_peer_send(&w.peer, ". seq 500 ack 0 win 65535 <sack 500:1500>");
        WIRE_QUIET(&w);
        hf_peer_send(&w.peer, ". seq 500 ack 0 win 65535 <sack 500:2000>");
        WIRE_EXPECT(&w, ". seq 0:500");
        WIRE_QUIET(&w);
        assert_int_equal(wire_info(&w).segments_retransmitted, 1);
        wire_close(&w);
    }
}

int main(void)
{
    hf_config_profile(&rfc, sizeof rfc, HF_PROFILE_RFC);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_segments_as_in_the_rfc),
        cmocka_unit_test(parts_of_segments_as_in_the_rfc),
        cmocka_unit_test(each_is_told_once),
        cmocka_unit_test(a_fin_that_comes_again),
        cmocka_unit_test(probes),
        cmocka_unit_test(no_report_without_permission),
        cmocka_unit_test(the_report_counts_as_a_block),
        cmocka_unit_test(each_of_a_batch_is_told),
        cmocka_unit_test(a_report_that_finds_no_place_is_left_out),
        cmocka_unit_test(data_takes_the_report_along),
        cmocka_unit_test(super_packets_are_reported),
        cmocka_unit_test(the_record_lives_until_the_ack),
        cmocka_unit_test(what_was_given_up_is_not_reported),
        cmocka_unit_test(reports_are_no_signs_of_loss),
    };
    return cmocka_run_group_tests_name("data_dsack", tests, NULL, NULL);
}
