/* Windows: what the peer announces and takes back, what we announce, and what happens when one of
 * them is closed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/wire_calls.h"

enum { MSS = 1460 };

static struct hf_config config;

/* A fresh default profile for each test. */
static void open_with(struct wire *w, unsigned variant, uint16_t window)
{
    struct wire_setup setup = {
        .state = HF_ESTABLISHED, .variant = variant, .config = &config, .window = window};
    wire_open(w, &setup);
}

static int reset_config(void **state)
{
    (void)state;
    hf_config_init(&config, sizeof config);
    return 0;
}

/* ---- the peer's window ---- */

/* A segment that comes again in a gap has an older number than ACKs that came before it; yet it
 * acknowledges more, so it was sent later, and its window counts: nothing leaves beyond its edge.
  *  */
static void the_window_of_a_segment_sent_again_counts(void **state)
{
    (void)state;
    config.congestion_control = 0;
    struct wire w;
    open_with(&w, 0, 4 * MSS);
    wire_send(&w, 20 * MSS, 0);
    assert_int_equal(hf_peer_skip(&w.peer), 4);
    char text[100];
    snprintf(text, sizeof text, ". seq 500 ack %d win %d", MSS, 4 * MSS);
    hf_peer_send(&w.peer, text); /* behind a gap */
    assert_int_equal(hf_peer_skip(&w.peer), 1);
    snprintf(text, sizeof text, ". seq 0:500 ack %d win %d", 2 * MSS, 3 * MSS);
    hf_peer_send(&w.peer, text);
    assert_int_equal(wire_info(&w).snd_wnd_bytes, 3 * MSS);
    assert_int_equal(wire_info(&w).snd_nxt - wire_info(&w).snd_una, 3 * MSS);
    /* Older than that by both numbers, or by its acknowledgment: that came late. */
    snprintf(text, sizeof text, ". seq 500 ack %d win %d", MSS, 9 * MSS);
    hf_peer_send(&w.peer, text);
    assert_int_equal(wire_info(&w).snd_wnd_bytes, 3 * MSS);
    snprintf(text, sizeof text, ". seq 500 ack %d win %d", 2 * MSS, 4 * MSS);
    hf_peer_send(&w.peer, text);
    assert_int_equal(wire_info(&w).snd_wnd_bytes, 4 * MSS);
    wire_close(&w);
}

/* Of two that acknowledge the same the one with the higher number is the newer one, also where both
 * of them were sent again: what an older acknowledgment came with does not matter any more. */
static void of_what_is_sent_again_the_last_counts(void **state)
{
    (void)state;
    struct wire w;
    open_with(&w, 0, 20000);
    wire_send(&w, 2 * MSS, 0);
    assert_int_equal(hf_peer_skip(&w.peer), 2);
    hf_peer_send(&w.peer, ". seq 500 ack 1460 win 20000");
    hf_peer_send(&w.peer, ". seq 0:100 ack 2920 win 0");
    assert_int_equal(wire_info(&w).snd_wnd_bytes, 0);
    hf_peer_send(&w.peer, ". seq 100:200 ack 2920 win 3000");
    assert_int_equal(wire_info(&w).snd_wnd_bytes, 3000);
    hf_peer_send(&w.peer, ". seq 50:200 ack 2920 win 0");
    assert_int_equal(wire_info(&w).snd_wnd_bytes, 3000);
    hf_peer_send(&w.peer, ". seq 500 ack 2920 win 4000");
    assert_int_equal(wire_info(&w).snd_wnd_bytes, 4000);
    wire_close(&w);
}

/* Of a segment with a newer number whose acknowledgment is an old one, the window is old too. */
static void the_window_of_an_old_acknowledgment_is_old(void **state)
{
    (void)state;
    struct wire w;
    open_with(&w, 0, 20000);
    wire_send(&w, 2 * MSS, 0);
    assert_int_equal(hf_peer_skip(&w.peer), 2);
    hf_peer_send(&w.peer, ". seq 0 ack 2920 win 10000");
    hf_peer_send(&w.peer, ". seq 500 ack 1460 win 3000");
    assert_int_equal(wire_info(&w).snd_wnd_bytes, 10000);
    hf_peer_send(&w.peer, ". seq 500 ack 2920 win 3000");
    assert_int_equal(wire_info(&w).snd_wnd_bytes, 3000);
    wire_close(&w);
}

/* covers: MUST-1, REC-1, CO-7323-18: 0xFFFF is a large window, not a negative one */
static void the_widest_window_is_used_to_its_end(void **state)
{
    (void)state;
    config.congestion_control = 0;
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire w;
        open_with(&w, variant, 0xFFFF);
        uint32_t window = 0xFFFFu << wire_info(&w).snd_shift, sent = 0;
        assert_int_equal(wire_info(&w).snd_wnd_bytes, window);
        wire_set(&w, HF_OPT_SEND_BUFFER_BYTES, 1 << 20);
        wire_set(&w, HF_OPT_NAGLE, 0);
        wire_send(&w, window + 5000, 0);
        hf_rig_wait(&w.rig, HF_MS(1));
        while (hf_peer_pop(&w.peer))
            sent += w.peer.last.segment.payload_bytes;
        /* What is left of it is no full segment: silly-window avoidance keeps that back. */
        assert_in_range(sent, window - MSS, window);
        hf_peer_send(&w.peer, ".");
        while (hf_peer_pop(&w.peer))
            sent += w.peer.last.segment.payload_bytes;
        assert_int_equal(sent, window + 5000);
        wire_close(&w);
    }
}

/* covers: SHLD-14: the field has not enough bits for every edge: with room to spare it is rounded
 * up, so that the edge that was announced stays or moves to the right. DEVIATION D-14 */
static void rounding_moves_no_edge_to_the_left(void **state)
{
    (void)state;
    struct wire w;
    config.quick_acks = config.quick_acks_after_idle = 0; /* all is read by the time of the ACK */
    open_with(&w, WIRE_OPTIONS, 0);
    uint8_t shift = wire_info(&w).rcv_shift;
    assert_true(shift > 0);
    uint32_t edge = wire_info(&w).rcv_nxt + wire_info(&w).rcv_wnd_bytes;
    for (int i = 0; i < 40; i++) {
        char text[64];
        snprintf(text, sizeof text, "P. seq %d:%d ack 0", i * 3, i * 3 + 3);
        hf_peer_send(&w.peer, text);
        uint8_t bytes[3];
        assert_int_equal(hf_receive(w.rig.stack, w.conn, bytes, 3, w.rig.now_ns), 3);
        hf_rig_wait(&w.rig, HF_MS(300));
        assert_true(hf_peer_pop(&w.peer));
        const struct hf_segment *seg = &w.peer.last.segment;
        uint32_t told = seg->ack + ((uint32_t)seg->window << shift);
        assert_true((int32_t)(told - edge) >= 0);
        edge = told;
    }
    wire_close(&w);
}

/* covers: MUST-39: a window that is open, but not for a segment, is as good as closed: the peer
 * hears when there is room for one, before half of the buffer is free */
static void room_for_a_segment_is_told(void **state)
{
    (void)state;
    struct wire w;
    config.receive_buffer_bytes = 8192;
    config.quick_acks = 0;
    open_with(&w, 0, 0);
    uint32_t size = wire_info(&w).rcv_wnd_bytes;
    assert_int_equal(size, 8192);
    hf_peer_send(&w.peer, "P. seq 0:1460 ack 0");
    hf_peer_send(&w.peer, "P. seq 1460:7192 ack 0");
    hf_rig_wait(&w.rig, HF_SEC(1));
    hf_peer_skip(&w.peer);
    uint8_t bytes[2000];
    assert_int_equal(hf_receive(w.rig.stack, w.conn, bytes, 400, w.rig.now_ns), 400);
    hf_rig_pull(&w.rig);
    WIRE_QUIET(&w);
    assert_int_equal(hf_receive(w.rig.stack, w.conn, bytes, 1600, w.rig.now_ns), 1600);
    hf_rig_pull(&w.rig);
    assert_true(hf_peer_pop(&w.peer));
    assert_int_equal(w.peer.last.segment.window, 3000);
    wire_close(&w);
}

/* A window of just a segment stops nobody: what is read then is told with the next ACK. */
static void a_window_of_a_segment_is_open(void **state)
{
    (void)state;
    for (uint32_t less = 0; less < 2; less++) {
        struct wire w;
        config.receive_buffer_bytes = 10 * MSS - less;
        config.receive_buffer_max_bytes = 0;
        open_with(&w, 0, 0);
        for (int i = 0; i < 9; i++)
            hf_peer_send(&w.peer, "P. len 1460");
        hf_rig_wait(&w.rig, HF_SEC(1));
        hf_peer_skip(&w.peer);
        assert_int_equal(wire_info(&w).rcv_wnd_bytes, MSS - less);
        wire_take(&w, 3 * MSS);
        assert_int_equal(hf_peer_skip(&w.peer), less);
        wire_close(&w);
    }
}

/* Behind the peer's FIN nothing can come: the edge stays where it was, whatever is read. */
static void the_edge_stays_after_the_end(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire w;
        config.receive_buffer_bytes = 20001;
        config.receive_buffer_max_bytes = 0;
        open_with(&w, variant, 0);
        for (int i = 0; i < 5; i++)
            hf_peer_send(&w.peer, "P. len 1001");
        hf_peer_send(&w.peer, "F.");
        hf_peer_skip(&w.peer);
        uint32_t edge = wire_info(&w).rcv_wnd_bytes;
        uint16_t field = w.peer.last.segment.window;
        wire_take(&w, 5 * 1001);
        WIRE_QUIET(&w);
        wire_send(&w, 100, 0);
        assert_true(hf_peer_pop(&w.peer));
        assert_int_equal(w.peer.last.segment.window, field);
        assert_int_equal(wire_info(&w).rcv_wnd_bytes, edge);
        wire_close(&w);
    }
}

/* covers: TMO-USER-TIMEOUT-EST: before a closed window the user timeout counts from when something
 * began to wait, however long the connection was idle before */
static void idle_time_is_no_part_of_the_user_timeout(void **state)
{
    (void)state;
    struct wire w;
    open_with(&w, 0, 0);
    wire_set(&w, HF_OPT_USER_TIMEOUT_NS, HF_SEC(10));
    hf_peer_send(&w.peer, ". seq 0 ack 0 win 0");
    hf_rig_wait(&w.rig, HF_SEC(60));
    wire_write(&w, 100);
    hf_rig_wait(&w.rig, HF_SEC(9));
    assert_int_equal(wire_state(&w), HF_ESTABLISHED);
    hf_rig_wait(&w.rig, HF_SEC(2));
    assert_int_equal(wire_info(&w).how, HF_CLOSED_USER_TIMEOUT);
    wire_close(&w);
}

/* covers: MUST-1, CO-7323-02, CO-7323-18: a gigabyte, by the largest shift */
static void the_largest_shift_is_no_overflow(void **state)
{
    (void)state;
    struct wire w;
    open_with(&w, 0, 0);
    struct hf_peer other;
    hf_peer_open(&other, &w.rig, false, WIRE_PEER_PORT + 1, WIRE_STACK_PORT, 500);
    assert_true(hf_peer_connect(&other, "<mss 1460,wscale 14>"));
    hf_handle second = hf_rig_event(&w.rig).handle;
    hf_peer_send(&other, ". win 65535");
    struct hf_info info;
    assert_int_equal(hf_info(w.rig.stack, second, &info), HF_OK);
    assert_int_equal(info.snd_wnd_bytes, 65535u << 14);
    /* The oldest acknowledgment that the window makes possible is none too old. */
    hf_peer_send(&other, ". seq 1 ack -1000000000");
    assert_true(hf_peer_expect_nothing(&other));
    wire_close(&w);
}

/* covers: SHLD-15, MUST-34, CO-1122-09: nothing new leaves beyond a window that was taken back */
static void nothing_new_beyond_a_window_taken_back(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire w;
        open_with(&w, variant & WIRE_HIGH, 20000);
        wire_send(&w, 5 * MSS, 0);
        assert_int_equal(hf_peer_skip(&w.peer), 5);
        hf_peer_send(&w.peer, ". seq 0 ack 1460 win 2920");
        wire_send(&w, 5 * MSS, 0);
        WIRE_QUIET(&w);
        hf_peer_send(&w.peer, ". seq 0 ack 4380 win 2920"); /* to what was sent, exactly */
        WIRE_QUIET(&w);
        hf_peer_send(&w.peer, ". seq 0 ack 5840 win 2920");
        WIRE_EXPECT(&w, ". seq 7300:8760 ack 0");
        WIRE_QUIET(&w);
        wire_close(&w);
    }
}

/* [RFC7323#2.4] An edge that moves left by less than a unit of the window was rounded; by a unit or
 * more, the peer took window back. The edge is that of the last acknowledgment, not of an older
 * one. */
static void a_window_taken_back_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool told;
    } steps[] = {
        {". seq 0 ack 4 win 1000", false}, /* edge 8004 */
        {". seq 0 ack 8 win 999", false},  /* edge 8000 */
        {". seq 0 ack 12 win 998", false}, /* edge 7996 */
        {". seq 0 ack 16 win 996", true},  /* edge 7984 */
        {". seq 0 ack 16 win 995", true},  /* edge 7976: a unit */
        {". seq 0 ack 16 win 1000", false}, {". seq 0 ack 16 win 500", true},
    };
    struct wire w;
    open_with(&w, WIRE_OPTIONS, 1000);
    wire_set(&w, HF_OPT_NAGLE, 0);
    for (int i = 0; i < 4; i++)
        wire_write(&w, 4);
    assert_int_equal(wire_info(&w).snd_wnd_bytes, 1000u << WIRE_PEER_SHIFT);
    uint64_t told = 0;
    for (size_t i = 0; i < HF_COUNT_OF(steps); i++) {
        hf_peer_send(&w.peer, steps[i].text);
        told += steps[i].told;
        assert_int_equal(hf_stack_count(w.rig.stack, HF_WINDOW_PEER_SHRANK), told);
    }
    wire_close(&w);
}

/* The edge that counts first is that of the answer to our SYN. */
static void what_a_syn_announced_and_is_taken_back_is_told(void **state)
{
    (void)state;
    for (int less = 0; less < 2; less++) {
        struct hf_rig_config rig = {.config = &config, .seed = 5};
        struct wire w = {.setup = {.state = HF_SYN_SENT}};
        assert_int_equal(hf_rig_open(&w.rig, &rig), HF_OK);
        hf_peer_open(&w.peer, &w.rig, false, 80, 5000, 1000);
        struct hf_connect what = {.local = {.port = 5000}, .remote = w.peer.here};
        assert_int_equal(hf_connect(w.rig.stack, &what, &w.conn, 0), HF_OK);
        hf_rig_pull(&w.rig);
        w.peer.window = 1000;
        assert_true(hf_peer_accept(&w.peer, "<mss 1460>"));
        w.peer.window = (uint16_t)(1000 - less);
        hf_peer_send(&w.peer, ".");
        assert_int_equal(hf_stack_count(w.rig.stack, HF_WINDOW_PEER_SHRANK), less);
        hf_rig_close(&w.rig);
    }
}

/* A FIN takes a number of the window as a byte does: where data fills that, or there is none, it
 * waits. DEVIATION D-13 */
static void a_fin_waits_for_the_window(void **state)
{
    (void)state;
    for (uint32_t more = 0; more < 2; more++) {
        struct wire w;
        uint8_t bytes[1000] = {0};
        char text[32];
        open_with(&w, 0, (uint16_t)(sizeof bytes + more));
        assert_int_equal(hf_send(w.rig.stack, w.conn, bytes, sizeof bytes, 0, w.rig.now_ns), 1000);
        wire_finish(&w);
        WIRE_EXPECT(&w, more ? "FP. seq 0:1000 ack 0" : "P. seq 0:1000 ack 0");
        WIRE_QUIET(&w);
        hf_peer_send(&w.peer, ". seq 0 ack 1000 win 0");
        WIRE_QUIET(&w);
        snprintf(text, sizeof text, ". seq 0 ack %u win 1", 1000 + more);
        hf_peer_send(&w.peer, text);
        if (!more)
            WIRE_EXPECT(&w, "F. seq 1000 ack 0");
        WIRE_QUIET(&w);
        wire_close(&w);
    }
}

/* covers: SHLD-16, CO-1122-09: what lies in the smaller window is sent again as usual */
static void old_data_in_a_smaller_window_is_sent_again(void **state)
{
    (void)state;
    struct wire w;
    open_with(&w, 0, 20000);
    wire_send(&w, 4 * MSS, 0);
    hf_peer_skip(&w.peer);
    w.peer.window = 2000;
    hf_peer_send(&w.peer, ". seq 0 ack 0");
    assert_true(wire_until_sent(&w, HF_SEC(5)) != HF_NEVER);
    WIRE_EXPECT(&w, ". seq 0:1460 ack 0");
    WIRE_QUIET(&w);
    hf_peer_send(&w.peer, ". seq 0 ack 1460");
    hf_peer_skip(&w.peer);
    hf_rig_wait(&w.rig, HF_SEC(2));
    assert_true(w.peer.last.segment.seq + w.peer.last.segment.payload_bytes - w.peer.irs <=
                1460 + 2000);
    w.peer.window = 20000;
    hf_peer_send(&w.peer, ". seq 0 ack 2920");
    uint32_t end = 0;
    while (hf_peer_pop(&w.peer))
        end = w.peer.last.segment.seq + w.peer.last.segment.payload_bytes - w.peer.irs;
    hf_peer_send(&w.peer, ". seq 0 ack 5840");
    assert_in_range(end, 2920, 4 * MSS);
    assert_true(wire_events(&w, NULL) & HF_EV_SENT_ALL);
    wire_close(&w);
}

/* covers: SHLD-17: silence about what lies beyond the window ends nothing, as long as the peer
 * speaks */
static void data_beyond_the_window_is_no_timeout(void **state)
{
    (void)state;
    config.r2_retries = 3;
    struct wire w;
    open_with(&w, 0, 20000);
    wire_send(&w, 4 * MSS, 0);
    hf_peer_skip(&w.peer);
    hf_peer_send(&w.peer, ". seq 0 ack 1460 win 0");
    for (int i = 0; i < 50; i++) {
        assert_true(wire_until_sent(&w, HF_SEC(150) * (i + 1)) != HF_NEVER);
        hf_peer_skip(&w.peer);
        hf_peer_send(&w.peer, ". seq 0 ack 1460 win 0");
    }
    assert_int_equal(wire_state(&w), HF_ESTABLISHED);
    hf_peer_send(&w.peer, ". seq 0 ack 1460 win 20000");
    assert_true(hf_peer_pop(&w.peer));
    assert_int_equal(w.peer.last.segment.seq - w.peer.irs, 1460);
    wire_close(&w);
}

/* covers: MUST-36, MUST-37, SHLD-29, SHLD-30, CO-1122-10, CO-6429-01: by the measured RTO */
static void a_closed_window_is_probed_from_the_first_timeout_on(void **state)
{
    (void)state;
    struct wire w;
    open_with(&w, 0, 0);
    wire_send(&w, 10, 0);
    hf_peer_skip(&w.peer);
    hf_rig_wait(&w.rig, HF_MS(100));
    w.peer.window = 0;
    hf_peer_send(&w.peer, ". seq 0 ack 10");
    wire_send(&w, 1000, 0);
    hf_ns at_ns = 0, gap_ns = wire_info(&w).rto_ns;
    w.start_ns = w.rig.now_ns;
    for (int n = 0; n < 8; n++) {
        at_ns += gap_ns;
        hf_ns sent_ns = wire_until_sent(&w, at_ns + HF_MS(10));
        assert_in_range(sent_ns, at_ns, at_ns + HF_MS(2));
        at_ns = sent_ns;
        gap_ns *= 2;
        WIRE_EXPECT(&w, ". seq 9 ack 0");
        assert_int_equal(wire_info(&w).probe_count, 1);
        hf_peer_send(&w.peer, ". seq 0 ack 10");
    }
    hf_peer_send(&w.peer, ". seq 0 ack 10 win 500"); /* it opens, if only by so much */
    assert_true(wire_until_sent(&w, at_ns + HF_SEC(1)) != HF_NEVER);
    WIRE_EXPECT(&w, ". seq 10:510 ack 0");
    wire_close(&w);
}

/* covers: SHLD-30: timeouts before the window was closed are no probes: the second one comes twice
 * the RTO after the first */
static void timeouts_before_are_no_probes(void **state)
{
    (void)state;
    struct wire w;
    open_with(&w, 0, 20000);
    wire_send(&w, 1000, 0);
    hf_peer_skip(&w.peer);
    for (int n = 1; n <= 2; n++) {
        assert_true(wire_until_sent(&w, HF_SEC(10)) != HF_NEVER);
        WIRE_EXPECT(&w, "P. seq 0:1000 ack 0");
    }
    hf_peer_send(&w.peer, ". seq 0 ack 0 win 0");
    hf_ns first_ns = wire_until_sent(&w, HF_SEC(30));
    WIRE_EXPECT(&w, ". seq -1 ack 0");
    hf_ns second_ns = wire_until_sent(&w, HF_SEC(100));
    WIRE_EXPECT(&w, ". seq -1 ack 0");
    assert_true(wire_is_about(second_ns - first_ns, 2 * wire_info(&w).rto_ns));
    wire_close(&w);
}

/* covers: SHLD-9: a reader that is slow is no trouble, probes without answers are */
static void only_unanswered_probes_are_trouble(void **state)
{
    (void)state;
    for (int in_flight = 0; in_flight < 2; in_flight++)
        for (int answered = 0; answered < 2; answered++) {
            struct wire w;
            open_with(&w, 0, 0);
            if (in_flight) {
                wire_send(&w, 1000, 0);
                hf_peer_skip(&w.peer);
            }
            w.peer.window = 0;
            hf_peer_send(&w.peer, ". seq 0 ack 0");
            if (!in_flight)
                wire_send(&w, 1000, 0);
            for (int n = 1; n <= 10; n++) {
                assert_true(wire_until_sent(&w, HF_SEC(130) * n) != HF_NEVER);
                WIRE_EXPECT(&w, ". seq -1 ack 0");
                assert_int_equal(wire_events(&w, NULL),
                                 !answered && n == config.r1_retries ? HF_EV_TROUBLE : 0);
                if (answered)
                    hf_peer_send(&w.peer, ". seq 0 ack 0");
            }
            wire_close(&w);
        }
}

/* covers: CO-7323-03: fields of all segments but SYNs are shifted, both ways */
static void windows_are_scaled_both_ways(void **state)
{
    (void)state;
    struct wire w;
    open_with(&w, WIRE_OPTIONS, 0);
    hf_peer_send(&w.peer, ". seq 0 ack 0 win 1000");
    assert_int_equal(wire_info(&w).snd_wnd_bytes, 1000u << WIRE_PEER_SHIFT);
    hf_peer_send(&w.peer, "P. len 100");
    hf_rig_wait(&w.rig, HF_SEC(1));
    assert_true(hf_peer_pop(&w.peer));
    struct hf_info info = wire_info(&w);
    uint32_t told = (uint32_t)w.peer.last.segment.window << info.rcv_shift;
    assert_in_range(told, info.rcv_wnd_bytes + 1 - (1u << info.rcv_shift), info.rcv_wnd_bytes);
    assert_int_equal(info.rcv_shift, config.window_scale);
    wire_close(&w);
}

/* ---- our window ---- */

/* covers: SHLD-14, MUST-39, CO-1122-03, CO-7323-17: however it is filled and read, the right edge
 * stays or opens by a segment or half the buffer, but for what the unit of the field takes */
static void the_right_edge_never_moves_left(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 100, 1460, 700, 3, 1460, 1459, 50};
    static const uint32_t reads[] = {1, 5000, 7, 300, 2000, 1, 64, 4000};
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire w;
        config.receive_buffer_bytes = 10000;
        open_with(&w, variant, 0);
        uint32_t unit = 1u << wire_info(&w).rcv_shift, edge = 0, unread = 0, next = 0;
        for (int i = 0; i < 2000; i++) {
            uint32_t n = sizes[(unsigned)i % 8], window = wire_info(&w).rcv_wnd_bytes;
            char text[48];
            n = n < window ? n : window;
            snprintf(text, sizeof text, ". seq %u:%u", next, next + n);
            if (n > 0)
                hf_peer_send(&w.peer, text);
            next += n;
            unread += n;
            if (i % 3 == 0 && unread > 0) {
                uint32_t k = reads[(unsigned)i % 8] < unread ? reads[(unsigned)i % 8] : unread;
                wire_take(&w, k);
                unread -= k;
            }
            hf_rig_wait(&w.rig, HF_MS(50));
            while (hf_peer_pop(&w.peer)) {
                const struct hf_segment *seg = &w.peer.last.segment;
                uint32_t now = seg->ack - w.peer.iss + seg->window * unit;
                assert_true(now + unit > edge);
                if (now >= edge + unit)
                    assert_true(edge == 0 || now - edge + unit > 1460);
                edge = now > edge ? now : edge;
            }
        }
        wire_close(&w);
    }
}

/* covers: MUST-39, UN-10: probes of a closed window are answered; it opens with half of the buffer
 * or a segment free, not before */
static void a_closed_window_opens_by_reading(void **state)
{
    (void)state;
    for (int small = 0; small < 2; small++) {
        struct wire w;
        config.receive_buffer_bytes = small ? 2000 : 5840;
        uint32_t step = small ? 1000 : 1460;
        open_with(&w, 0, 0);
        while (wire_info(&w).rcv_wnd_bytes > 0) {
            char text[32];
            uint32_t n = wire_info(&w).rcv_wnd_bytes;
            snprintf(text, sizeof text, ". len %u", n < 1460 ? n : 1460);
            hf_peer_send(&w.peer, text);
        }
        hf_peer_skip(&w.peer);
        for (int i = 0; i < 3; i++) {
            hf_peer_send(&w.peer, "P. len 1");
            assert_true(hf_peer_pop(&w.peer));
            assert_int_equal(w.peer.last.segment.window, 0);
            assert_int_equal(w.peer.last.segment.ack, wire_info(&w).rcv_nxt);
            w.peer.snd_nxt = wire_info(&w).rcv_nxt;
        }
        wire_take(&w, step - 1);
        WIRE_QUIET(&w);
        wire_take(&w, 1);
        assert_true(hf_peer_pop(&w.peer));
        assert_int_equal(w.peer.last.segment.window, step);
        WIRE_QUIET(&w);
        wire_close(&w);
    }
}

/* That our window closed and that it opened is told once each: by the segment that said so. */
static void closing_and_opening_is_told_once(void **state)
{
    (void)state;
    struct wire w;
    config.receive_buffer_bytes = 2920;
    open_with(&w, 0, 0);
    hf_peer_send(&w.peer, "P. len 1460");
    assert_true(hf_peer_skip(&w.peer) > 0);
    assert_int_equal(hf_stack_count(w.rig.stack, HF_WINDOW_OPENED), 0); /* it never was closed */
    assert_int_equal(hf_stack_count(w.rig.stack, HF_WINDOW_CLOSED), 0);
    hf_peer_send(&w.peer, "P. len 1460");
    for (int i = 0; i < 2; i++) {
        assert_true(hf_peer_skip(&w.peer) > 0);
        assert_int_equal(hf_stack_count(w.rig.stack, HF_WINDOW_CLOSED), 1);
        assert_int_equal(hf_stack_count(w.rig.stack, HF_WINDOW_OPENED), 0);
        hf_peer_send(&w.peer, "P. seq 2920:2921"); /* a probe */
    }
    hf_peer_skip(&w.peer);
    wire_take(&w, 2920);
    for (int i = 0; i < 2; i++) {
        assert_true(hf_peer_skip(&w.peer) > 0);
        assert_int_equal(hf_stack_count(w.rig.stack, HF_WINDOW_OPENED), 1);
        assert_int_equal(hf_stack_count(w.rig.stack, HF_WINDOW_CLOSED), 1);
        hf_peer_send(&w.peer, "P. seq 2919:2920"); /* old: it is acknowledged at once */
    }
    wire_close(&w);
}

/* covers: CO-7323-04: what was inside a window that we announced is taken, although its rounded
 * successor says less */
static void what_was_announced_once_is_taken(void **state)
{
    (void)state;
    struct wire w;
    config.receive_buffer_bytes = 5000;
    open_with(&w, WIRE_OPTIONS, 0);
    uint32_t edge = wire_info(&w).rcv_wnd_bytes, at = 0;
    char text[48];
    for (; at + 1001 < edge; at += 1001) {
        snprintf(text, sizeof text, "P. seq %u:%u", at, at + 1001);
        hf_peer_send(&w.peer, text);
        hf_peer_skip(&w.peer);
        assert_true(wire_info(&w).rcv_wnd_bytes + at + 1001 >= edge);
    }
    snprintf(text, sizeof text, "P. seq %u:%u", at, edge);
    hf_peer_send(&w.peer, text);
    assert_int_equal(wire_info(&w).receive_queue_bytes, edge);
    wire_close(&w);
}

/* A larger buffer opens the window at once; a smaller one lets it close by and by, and never takes
 * back what was announced. covers: SHLD-14 */
static void the_buffer_is_changed_while_it_is_used(void **state)
{
    (void)state;
    struct wire w;
    config.receive_buffer_bytes = 2920;
    config.window_scale = -1;
    open_with(&w, 0, 0);
    hf_peer_send(&w.peer, ". len 1460");
    hf_peer_send(&w.peer, ". len 1460");
    hf_peer_skip(&w.peer);
    assert_int_equal(wire_info(&w).rcv_wnd_bytes, 0);
    wire_set(&w, HF_OPT_RECEIVE_BUFFER_BYTES, 29200);
    WIRE_EXPECT(&w, ". seq 0 ack 2920 win 26280");
    wire_set(&w, HF_OPT_RECEIVE_BUFFER_BYTES, 1000);
    hf_peer_send(&w.peer, "P. len 1460");
    assert_true(hf_peer_pop(&w.peer));
    assert_int_equal(w.peer.last.segment.window, 26280 - 1460);
    assert_int_equal(wire_info(&w).receive_queue_bytes, 4380);
    wire_close(&w);
}

/* A buffer smaller than a unit of the window: an empty one is told of as a unit, or the connection
 * would stand still. covers: MUST-37 */
static void a_buffer_below_the_unit_opens(void **state)
{
    (void)state;
    struct wire w;
    config.receive_buffer_bytes = 1 << 20;
    config.receive_buffer_max_bytes = 1 << 20;
    config.window_scale = 10;
    open_with(&w, WIRE_OPTIONS, 0);
    assert_true(1u << wire_info(&w).rcv_shift > 100);
    wire_set(&w, HF_OPT_RECEIVE_BUFFER_BYTES, 100);
    for (uint32_t i = 0; i < 2000 && wire_info(&w).rcv_wnd_bytes > 0; i++) {
        uint32_t n = wire_info(&w).rcv_wnd_bytes < MSS ? wire_info(&w).rcv_wnd_bytes : MSS - 100;
        char text[40];
        snprintf(text, sizeof text, "P. len %u", n);
        hf_peer_send(&w.peer, text);
        hf_peer_skip(&w.peer);
        if (wire_info(&w).receive_queue_bytes > 0 && wire_info(&w).rcv_wnd_bytes > 0)
            wire_take(&w, wire_info(&w).receive_queue_bytes);
    }
    assert_int_equal(wire_info(&w).rcv_wnd_bytes, 0);
    hf_peer_send(&w.peer, "P. len 1"); /* a probe: what lies unread is no empty buffer */
    assert_true(hf_peer_pop(&w.peer));
    assert_int_equal(w.peer.last.segment.window, 0);
    wire_take(&w, wire_info(&w).receive_queue_bytes);
    assert_true(hf_peer_pop(&w.peer));
    assert_int_equal(w.peer.last.segment.window, 1);
    wire_close(&w);
}

/* Less than a unit of the window is more than a segment, yet the field can't say it: to the peer
 * the window is closed, and it hears of the first unit. covers: MUST-39 */
static void a_window_below_its_unit_is_closed(void **state)
{
    (void)state;
    struct wire w;
    config.receive_buffer_bytes = 1 << 16;
    config.receive_buffer_max_bytes = 0;
    config.window_scale = 14;
    open_with(&w, WIRE_OPTIONS, 0);
    assert_int_equal(wire_info(&w).rcv_shift, 14);
    while (wire_info(&w).rcv_wnd_bytes >= 4000)
        hf_peer_send(&w.peer, "P. len 1400");
    assert_in_range(wire_info(&w).rcv_wnd_bytes, 1460, 4000);
    hf_rig_wait(&w.rig, HF_SEC(1));
    assert_true(hf_peer_skip(&w.peer) > 0);
    assert_int_equal(w.peer.last.segment.window, 0);
    wire_take(&w, 20000);
    assert_true(hf_peer_pop(&w.peer));
    assert_int_equal(w.peer.last.segment.window, 1);
    WIRE_QUIET(&w);
    wire_close(&w);
}

/* What the SYN announced holds, although the buffer was made smaller before the answer came.
 * covers: SHLD-14 */
static void the_window_of_the_syn_holds(void **state)
{
    (void)state;
    for (int crossed = 0; crossed < 2; crossed++) {
        struct wire w = {.setup = {.state = HF_SYN_SENT}};
        struct hf_rig_config rig = {.config = &config, .seed = 5};
        assert_int_equal(hf_rig_open(&w.rig, &rig), HF_OK);
        hf_peer_open(&w.peer, &w.rig, false, 80, 5000, 1000);
        struct hf_connect what = {.local = {.port = 5000}, .remote = w.peer.here};
        assert_int_equal(hf_connect(w.rig.stack, &what, &w.conn, 0), HF_OK);
        hf_rig_pull(&w.rig);
        WIRE_EXPECT(&w, "S seq 0 win 65535");
        wire_set(&w, HF_OPT_RECEIVE_BUFFER_BYTES, 1000);
        hf_peer_send(&w.peer, crossed ? "S seq 0" : "S. seq 0 ack 1");
        WIRE_EXPECT(&w, crossed ? "S. seq 0 ack 1 win 65535" : ". seq 1 ack 1 win 65535");
        if (crossed)
            hf_peer_send(&w.peer, "S. seq 0 ack 1");
        hf_peer_skip(&w.peer);
        for (int i = 0; i < 20; i++)
            hf_peer_send(&w.peer, ". len 1460");
        assert_int_equal(wire_info(&w).receive_queue_bytes, 20 * 1460);
        wire_close(&w);
    }
}

/* covers: MUST-37, MAY-8: a send buffer is what waits for the window, and no more */
static void the_send_buffer_bounds_what_waits(void **state)
{
    (void)state;
    struct wire w;
    uint8_t bytes[5000] = {0};
    open_with(&w, 0, 0);
    w.peer.window = 0;
    hf_peer_send(&w.peer, ". seq 0 ack 0");
    wire_set(&w, HF_OPT_SEND_BUFFER_BYTES, 3000);
    assert_int_equal(wire_info(&w).send_room_bytes, 3000);
    assert_int_equal(hf_send(w.rig.stack, w.conn, bytes, 5000, 0, w.rig.now_ns), 3000);
    assert_int_equal(hf_send(w.rig.stack, w.conn, bytes, 1, 0, w.rig.now_ns), HF_E_AGAIN);
    assert_int_equal(wire_events(&w, NULL), 0);
    wire_set(&w, HF_OPT_SEND_BUFFER_BYTES, 4000); /* room came back */
    assert_int_equal(wire_events(&w, NULL), HF_EV_WRITABLE);
    assert_int_equal(hf_send(w.rig.stack, w.conn, bytes, 5000, 0, w.rig.now_ns), 1000);
    wire_close(&w);
}

int main(void)
{
#define WINDOW_TEST(f) cmocka_unit_test_setup(f, reset_config)
    const struct CMUnitTest tests[] = {
        WINDOW_TEST(the_window_of_a_segment_sent_again_counts),
        WINDOW_TEST(of_what_is_sent_again_the_last_counts),
        WINDOW_TEST(the_window_of_an_old_acknowledgment_is_old),
        WINDOW_TEST(the_widest_window_is_used_to_its_end),
        WINDOW_TEST(the_largest_shift_is_no_overflow),
        WINDOW_TEST(idle_time_is_no_part_of_the_user_timeout),
        WINDOW_TEST(room_for_a_segment_is_told),
        WINDOW_TEST(a_window_of_a_segment_is_open),
        WINDOW_TEST(the_edge_stays_after_the_end),
        WINDOW_TEST(rounding_moves_no_edge_to_the_left),
        WINDOW_TEST(nothing_new_beyond_a_window_taken_back),
        WINDOW_TEST(a_window_taken_back_is_told),
        WINDOW_TEST(what_a_syn_announced_and_is_taken_back_is_told),
        WINDOW_TEST(a_fin_waits_for_the_window),
        WINDOW_TEST(old_data_in_a_smaller_window_is_sent_again),
        WINDOW_TEST(data_beyond_the_window_is_no_timeout),
        WINDOW_TEST(a_closed_window_is_probed_from_the_first_timeout_on),
        WINDOW_TEST(timeouts_before_are_no_probes),
        WINDOW_TEST(only_unanswered_probes_are_trouble),
        WINDOW_TEST(windows_are_scaled_both_ways),
        WINDOW_TEST(the_right_edge_never_moves_left),
        WINDOW_TEST(a_closed_window_opens_by_reading),
        WINDOW_TEST(closing_and_opening_is_told_once),
        WINDOW_TEST(what_was_announced_once_is_taken),
        WINDOW_TEST(the_buffer_is_changed_while_it_is_used),
        WINDOW_TEST(a_buffer_below_the_unit_opens),
        WINDOW_TEST(a_window_below_its_unit_is_closed),
        WINDOW_TEST(the_window_of_the_syn_holds),
        WINDOW_TEST(the_send_buffer_bounds_what_waits),
    };
    return cmocka_run_group_tests_name("data_window", tests, NULL, NULL);
}
