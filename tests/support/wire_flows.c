/**
 * What conditions of several segments do in each state. Owns no state; wire_states.c makes the
 * connections.
 */
#include "wire_flows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { CHALLENGES = 10, ZERO_WINDOW_BYTES = 2000 };

/* SND.UNA as an "ack". */
static int32_t una(const struct wire *w)
{
    struct hf_info info = wire_info(w);
    return (int32_t)(info.snd_una - w->peer.irs);
}

__attribute__((format(printf, 2, 3))) static void send_text(struct wire *w, const char *format, ...)
{
    char text[128];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    hf_peer_send(&w->peer, text);
}

static struct wire_setup setup_of(enum hf_state state, unsigned variant)
{
    return (struct wire_setup){.state = state, .variant = variant};
}

/* Data of a full-sized segment: 1500 less the headers, and the option of timestamps. */
static int full_size(unsigned variant)
{
    return (variant & WIRE_V6 ? 1440 : 1460) - (variant & WIRE_OPTIONS ? 12 : 0);
}

static bool has_options(const struct wire *w)
{
    return w->setup.variant & WIRE_OPTIONS;
}

/* ---- any state ---- */

void wire_flow_timestamp(enum hf_state state)
{
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire w;
        struct wire_setup setup = setup_of(state, variant | WIRE_OPTIONS);
        wire_open(&w, &setup);
        uint32_t was = wire_info(&w).ts_recent;
        w.peer.ts_base += 500;
        send_text(&w, ". seq 0 ack %d", una(&w) - 1);
        assert_int_equal(wire_info(&w).ts_recent, was + 500);
        /* Behind what was acknowledged: not the segment that the next ACK answers. */
        w.peer.ts_base += 500;
        send_text(&w, "P. seq 10:20 ack %d", una(&w) - 1);
        assert_int_equal(wire_info(&w).ts_recent, was + 500);
        hf_peer_skip(&w.peer);
        /* Beyond the window, and with an impossible ACK: refused, so no mark. */
        send_text(&w, ". seq -1 ack %d", una(&w));
        hf_peer_send(&w.peer, ". seq 0 ack 1000");
        assert_int_equal(wire_info(&w).ts_recent, was + 500);
        hf_peer_skip(&w.peer);
        w.peer.ts_base -= 1;
        send_text(&w, ". seq 0 ack %d", una(&w) - 1);
        assert_int_equal(wire_info(&w).ts_recent, was + 999);
        WIRE_QUIET(&w);
        wire_close(&w);
    }
}

static void check_after_reset(struct wire *w)
{
    uint8_t bytes[16];
    hf_ns now = w->rig.now_ns;
    assert_int_equal(wire_info(w).how, HF_CLOSED_RESET);
    assert_int_equal(hf_send(w->rig.stack, w->conn, "x", 1, 0, now), HF_E_RESET);
    assert_int_equal(hf_shutdown(w->rig.stack, w->conn, now), HF_E_RESET);
    int64_t n = hf_receive(w->rig.stack, w->conn, bytes, sizeof bytes, now);
    bool peer_closed = wire_info(w).peer_closed;
    assert_int_equal(n, peer_closed ? HF_E_END : HF_E_RESET);
    struct hf_stack_info info;
    hf_stack_info(w->rig.stack, &info);
    assert_int_equal(info.flights, 0);
    assert_int_equal(info.pool_used_bytes, 0);
    assert_int_equal(hf_close(w->rig.stack, w->conn, now), HF_OK);
    assert_int_equal(hf_close(w->rig.stack, w->conn, now), HF_E_HANDLE);
    hf_stack_info(w->rig.stack, &info);
    assert_int_equal(info.connections, 0);
}

/* Data of the peer waits unread where a state allows for it, ours unacknowledged. */
static void prepare_unread(struct wire *w, enum hf_state state)
{
    if (state == HF_ESTABLISHED || state == HF_FIN_WAIT_1 || state == HF_FIN_WAIT_2) {
        send_text(w, "P. seq 0:5 ack %d", una(w));
        if (state == HF_ESTABLISHED)
            wire_write(w, 3000);
        hf_peer_skip(&w->peer);
        wire_rebase(w);
    }
}

void wire_flow_reset(enum hf_state state)
{
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire w;
        struct wire_setup setup = setup_of(state, variant);
        bool ours = state == HF_CLOSE_WAIT || state == HF_LAST_ACK || state == HF_CLOSING;
        setup.unacked_bytes = ours ? 3000 : 0;
        wire_open(&w, &setup);
        prepare_unread(&w, state);
        wire_events(&w, NULL);
        hf_peer_send(&w.peer, "R seq 0");
        enum hf_closed how = HF_CLOSED_NOT;
        assert_int_equal(wire_events(&w, &how), HF_EV_CLOSED);
        assert_int_equal(how, HF_CLOSED_RESET);
        WIRE_QUIET(&w);
        check_after_reset(&w);
        assert_int_equal(hf_stack_deadline(w.rig.stack), HF_NEVER);
        /* The tuple is free: what comes for it now belongs to nobody. */
        hf_peer_send(&w.peer, "P. seq 0:10 ack 0");
        WIRE_EXPECT(&w, "R seq 0");
        wire_close(&w);
    }
}

static void challenge_one_by_one(struct wire *w, const char *segment, unsigned expected)
{
    for (unsigned i = 0; i < expected; i++) {
        hf_peer_send(&w->peer, segment);
        WIRE_EXPECT(w, ". seq 0 ack 0");
        WIRE_QUIET(w);
    }
    uint64_t limited = hf_stack_count(w->rig.stack, HF_LIMIT_CHALLENGE);
    for (unsigned i = 0; i < 50; i++)
        hf_peer_send(&w->peer, segment);
    WIRE_QUIET(w);
    assert_int_equal(hf_stack_count(w->rig.stack, HF_LIMIT_CHALLENGE), limited + 50);
}

/* Another connection of the stack has a count of its own: a common one would tell a stranger what
 * goes on in it. */
static void check_other_connection(struct wire *w)
{
    struct hf_peer other;
    hf_peer_open(&other, &w->rig, w->setup.variant & WIRE_V6, WIRE_PEER_PORT + 1, WIRE_STACK_PORT,
                 77);
    assert_true(hf_peer_connect(&other, "<mss 1460>"));
    for (unsigned i = 0; i < CHALLENGES; i++) {
        hf_peer_send(&other, "R seq 2");
        assert_true(hf_peer_expect(&other, ". seq 1 ack 1"));
    }
}

void wire_flow_challenge_limit(enum hf_state state)
{
    static const char *const segments[] = {"R seq 1", "S seq 0", "S seq -1000", ". seq 0 ack 10",
                                           ". seq -1 ack 0"};
    for (size_t i = 0; i < HF_COUNT_OF(segments); i++)
        for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
            struct wire w;
            struct wire_setup setup = setup_of(state, variant);
            wire_open(&w, &setup);
            challenge_one_by_one(&w, segments[i], CHALLENGES);
            check_other_connection(&w);
            assert_int_equal(wire_state(&w), state);
            struct hf_info info = wire_info(&w);
            if (info.rto_deadline_ns == HF_NEVER) {
                /* Nothing else happens meanwhile: a new span, and ten more. */
                hf_rig_wait(&w.rig, HF_SEC(5));
                challenge_one_by_one(&w, segments[i], CHALLENGES);
            }
            wire_close(&w);
        }
}

/* Hands everything that one stack said over to the other, as from its peer. */
static unsigned hand_over(struct wire *from, struct wire *to)
{
    unsigned n = 0;
    while (hf_peer_pop(&from->peer)) {
        struct hf_segment seg = from->peer.last.segment;
        hf_peer_send_segment(&to->peer, &seg, from->peer.last.payload);
        n++;
    }
    return n;
}

void wire_flow_ack_loop(enum hf_state a, enum hf_state b)
{
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire one, two;
        struct wire_setup first = setup_of(a, variant);
        struct wire_setup second = setup_of(b, variant ^ WIRE_HIGH);
        wire_open(&one, &first);
        wire_open(&two, &second);
        hf_peer_send(&one.peer, ". seq -1 ack 0");
        unsigned total = 0, n;
        do {
            n = hand_over(&one, &two) + hand_over(&two, &one);
            total += n;
        } while (n > 0 && total < 1000);
        assert_true(total >= 2);
        assert_true(total <= 2 * CHALLENGES + 1);
        assert_int_equal(wire_state(&one), a);
        assert_int_equal(wire_state(&two), b);
        wire_close(&one);
        wire_close(&two);
    }
}

void wire_flow_window(enum hf_state state)
{
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire w;
        struct wire_setup setup = setup_of(state, variant);
        wire_open(&w, &setup);
        unsigned shift = has_options(&w) ? WIRE_PEER_SHIFT : 0;
        assert_int_equal(wire_info(&w).snd_shift, shift);
        int32_t newest = una(&w);
        send_text(&w, ". seq 0 ack %d win 1000", newest);
        assert_int_equal(wire_info(&w).snd_wnd_bytes, 1000u << shift);
        /* WL1 is the same, WL2 is younger: an old segment that came late. */
        send_text(&w, ". seq 0 ack %d win 2000", newest - 1);
        assert_int_equal(wire_info(&w).snd_wnd_bytes, 1000u << shift);
        send_text(&w, ". seq 0 ack %d win 2001", newest);
        assert_int_equal(wire_info(&w).snd_wnd_bytes, 2001u << shift);
        send_text(&w, ". seq 0 ack %d win 0", newest);
        assert_int_equal(wire_info(&w).snd_wnd_bytes, 0);
        /* An unacceptable segment does not count, whatever it says. */
        send_text(&w, ". seq -1 ack %d win 3000", newest);
        assert_int_equal(wire_info(&w).snd_wnd_bytes, 0);
        send_text(&w, ". seq 0 ack %d win 65535", newest);
        assert_int_equal(wire_info(&w).snd_wnd_bytes, 65535u << shift);
        assert_int_equal(wire_state(&w), state);
        wire_close(&w);
    }
}

void wire_flow_small_window_range(enum hf_state state)
{
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire w;
        struct wire_setup setup = setup_of(state, variant & ~(unsigned)WIRE_OPTIONS);
        setup.window = 500;
        wire_open(&w, &setup);
        send_text(&w, ". seq 0 ack %d", una(&w) - 500);
        WIRE_QUIET(&w);
        send_text(&w, ". seq 0 ack %d", una(&w) - 501);
        WIRE_EXPECT(&w, ". seq 0 ack 0");
        assert_int_equal(hf_stack_count(w.rig.stack, HF_DROP_ACK_TOO_OLD), 1);
        wire_close(&w);
    }
}

/* ---- with data in flight ---- */

void wire_flow_new_ack(enum hf_state state, enum hf_state after_fin_ack)
{
    struct hf_config config;
    hf_config_init(&config, sizeof config);
    config.loss_probe = 0; /* of the RTO's timer, which it would restart */
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire w;
        struct wire_setup setup = setup_of(state, variant);
        int size = full_size(variant);
        setup.config = &config;
        setup.unacked_bytes = (uint32_t)(2 * size);
        wire_open(&w, &setup);
        bool fin = state != HF_ESTABLISHED && state != HF_CLOSE_WAIT;
        struct hf_info info = wire_info(&w);
        assert_int_equal(info.send_queue_bytes, 2 * size);
        assert_int_equal(info.in_flight_bytes, 2 * size + fin);
        hf_rig_wait(&w.rig, HF_MS(100));
        hf_ns was_ns = info.rto_deadline_ns;
        uint32_t cwnd = info.cwnd_bytes;

        send_text(&w, ". seq 0 ack %d", -size - fin);
        info = wire_info(&w);
        assert_int_equal(info.snd_una - w.peer.irs, (uint32_t)(-size - fin));
        assert_int_equal(info.send_queue_bytes, size);
        assert_int_equal(info.rto_deadline_ns, w.rig.now_ns + info.rto_ns); /* restarted */
        assert_true(info.rto_deadline_ns > was_ns && info.cwnd_bytes >= cwnd);
        assert_int_equal(wire_events(&w, NULL) & HF_EV_SENT_ALL, 0);
        assert_int_equal(wire_state(&w), state);

        send_text(&w, ". seq 0 ack %d", -fin);
        info = wire_info(&w);
        assert_int_equal(info.send_queue_bytes, 0);
        assert_int_equal(wire_state(&w), state);
        assert_int_equal(info.rto_deadline_ns == HF_NEVER, !fin);
        if (fin) {
            assert_int_equal(wire_events(&w, NULL) & HF_EV_SENT_ALL, 0);
            hf_peer_send(&w.peer, ". seq 0 ack 0");
            assert_int_equal(wire_info(&w).rto_deadline_ns, HF_NEVER);
        }
        assert_int_equal(wire_state(&w), after_fin_ack);
        assert_int_equal(wire_info(&w).bytes_sent, 2 * size);
        assert_true(wire_events(&w, NULL) & (HF_EV_SENT_ALL | HF_EV_CLOSED));
        WIRE_QUIET(&w);
        wire_close(&w);
    }
}

/* [RFC5681#2] Without SACK three ACKs that are nothing else. */
static void duplicates_by_form(struct wire *w, int first)
{
    send_text(w, ". seq 0 ack %d", first);
    send_text(w, ". seq 0 ack %d", first);
    send_text(w, ". seq 0 ack %d win 65534", first); /* another window: none */
    WIRE_QUIET(w);
    send_text(w, ". seq 0 ack %d win 65534", first);
}

/* [RFC6675#2] With SACK those that say of a segment that it came, and whatever else. */
static void duplicates_by_news(struct wire *w, int first, int size)
{
    for (int i = 0; i < 5; i++)
        send_text(w, ". seq 0 ack %d", first);
    for (int end = 2; end < 4; end++) {
        send_text(w, ". seq 0 ack %d <TS,sack %d:%d>", first, first + size, first + end * size);
        WIRE_QUIET(w);
    }
    send_text(w, ". seq 0 ack %d win 65534 <TS,sack %d:%d>", first, first + size, first + 4 * size);
}

void wire_flow_duplicate_acks(enum hf_state state)
{
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire w;
        struct wire_setup setup = setup_of(state, variant);
        int size = full_size(variant);
        setup.unacked_bytes = (uint32_t)(6 * size);
        wire_open(&w, &setup);
        int first = una(&w);
        if (has_options(&w))
            duplicates_by_news(&w, first, size);
        else
            duplicates_by_form(&w, first);
        char again[64];
        snprintf(again, sizeof again, ". seq %d:%d ack 0", first, first + size);
        WIRE_EXPECT(&w, again);
        WIRE_QUIET(&w);
        assert_int_equal(wire_info(&w).segments_retransmitted, 1);
        assert_int_equal(wire_state(&w), state);
        wire_close(&w);
    }
}

/* ---- while the peer may send ---- */

void wire_flow_text(enum hf_state state)
{
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire w;
        struct wire_setup setup = setup_of(state, variant);
        wire_open(&w, &setup);
        send_text(&w, "P. seq 0:100 ack %d", una(&w));
        WIRE_EXPECT(&w, ". seq 0 ack 100");
        assert_int_equal(wire_events(&w, NULL), HF_EV_READABLE);
        send_text(&w, "P. seq 0:100 ack %d", una(&w)); /* again: our ACK may be lost */
        WIRE_EXPECT(&w, ". seq 0 ack 100");
        send_text(&w, "P. seq 50:150 ack %d", una(&w));
        WIRE_EXPECT(&w, ". seq 0 ack 150");
        struct hf_info info = wire_info(&w);
        assert_int_equal(info.receive_queue_bytes, 150);
        assert_int_equal(info.out_of_order_bytes, 0);
        assert_int_equal(wire_read(&w), 150);
        WIRE_QUIET(&w);
        assert_int_equal(wire_state(&w), state);
        wire_close(&w);
    }
}

static void expect_gap(struct wire *w, const char *blocks)
{
    char text[128];
    if (has_options(w))
        snprintf(text, sizeof text, ". seq 0 ack 0 <TS,%s>", blocks);
    else
        snprintf(text, sizeof text, ". seq 0 ack 0 <>");
    WIRE_EXPECT(w, text);
}

static void trim_to_window(struct wire *w)
{
    struct hf_info info = wire_info(w);
    unsigned wnd = info.rcv_wnd_bytes;
    char blocks[64];
    snprintf(blocks, sizeof blocks, "sack %u:%u,sack 10:20", wnd - 5, wnd);
    send_text(w, "P. seq %u:%u ack %d", wnd - 5, wnd + 5, una(w));
    expect_gap(w, blocks);
    assert_int_equal(wire_info(w).out_of_order_bytes, 15);
}

void wire_flow_out_of_order(enum hf_state state, enum hf_state after_fin)
{
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire w;
        struct wire_setup setup = setup_of(state, variant);
        wire_open(&w, &setup);
        send_text(&w, "P. seq 10:20 ack %d", una(&w));
        expect_gap(&w, "sack 10:20");
        assert_int_equal(wire_info(&w).out_of_order_bytes, 10);
        if (variant & WIRE_HIGH) { /* with the FIN there, nothing may lie behind it */
            trim_to_window(&w);
            wire_close(&w);
            continue;
        }
        send_text(&w, "F. seq 20 ack %d", una(&w));
        expect_gap(&w, "sack 10:21");
        WIRE_QUIET(&w);
        assert_int_equal(wire_state(&w), state);
        assert_int_equal(wire_events(&w, NULL), 0);
        assert_false(wire_info(&w).peer_closed);
        /* [RFC7323#5.3] what waits was checked when it came: not again, with an older TS.Recent. */
        w.peer.ts_base += 10;
        send_text(&w, "P. seq 0:10 ack %d", una(&w));
        WIRE_EXPECT(&w, ". seq 0 ack 21");
        WIRE_QUIET(&w);
        assert_int_equal(wire_state(&w), after_fin);
        assert_int_equal(wire_read(&w), 20);
        wire_close(&w);
    }
}

void wire_flow_urgent(enum hf_state state)
{
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire w;
        struct wire_setup setup = setup_of(state, variant);
        wire_open(&w, &setup);
        send_text(&w, "UP. seq 0:10 ack %d urg 25", una(&w));
        assert_int_equal(wire_events(&w, NULL), HF_EV_URGENT | HF_EV_READABLE);
        assert_int_equal(wire_info(&w).urgent_bytes, 25);
        send_text(&w, "UP. seq 10:20 ack %d urg 15", una(&w)); /* the same mark */
        assert_int_equal(wire_events(&w, NULL), HF_EV_READABLE);
        send_text(&w, "UP. seq 20:21 ack %d urg 1", una(&w)); /* it never recedes */
        assert_int_equal(wire_events(&w, NULL), HF_EV_READABLE);
        assert_int_equal(wire_info(&w).urgent_bytes, 25);
        assert_int_equal(wire_read(&w), 21); /* in line [RFC6093] */
        assert_int_equal(wire_info(&w).urgent_bytes, 4);
        send_text(&w, "UP. seq 21:30 ack %d urg 9", una(&w)); /* forward */
        assert_int_equal(wire_events(&w, NULL), HF_EV_URGENT | HF_EV_READABLE);
        assert_int_equal(wire_info(&w).urgent_bytes, 9);
        hf_peer_skip(&w.peer);
        assert_int_equal(hf_receive(w.rig.stack, w.conn, (uint8_t[64]){0}, 64, w.rig.now_ns), 9);
        assert_int_equal(wire_info(&w).urgent_bytes, 0);
        assert_int_equal(wire_state(&w), state);
        wire_close(&w);
    }
}

static void close_window(struct wire *w)
{
    send_text(w, "P. seq 0:1000 ack %d", una(w));
    send_text(w, "P. seq 1000:%d ack %d", ZERO_WINDOW_BYTES, una(w));
    hf_peer_skip(&w->peer);
    assert_int_equal(wire_info(w).rcv_wnd_bytes, 0);
    wire_events(w, NULL);
    wire_rebase(w);
}

static void check_zero_window(struct wire *w, enum hf_state state)
{
    int old = una(w);
    send_text(w, ". seq 0 ack %d", old); /* acceptable: no answer */
    WIRE_QUIET(w);
    static const char *const refused[] = {". seq 1 ack -1",      "P. seq 0:1 ack -1",
                                          "P. seq 0:500 ack -1", "FP. seq 0:10 ack -1",
                                          "F. seq 1 ack -1",     "P. seq -1:5 ack -1"};
    for (size_t i = 0; i < HF_COUNT_OF(refused); i++) {
        hf_peer_send(&w->peer, refused[i]);
        WIRE_EXPECT(w, ". seq 0 ack 0 win 0");
        WIRE_QUIET(w);
        struct hf_info info = wire_info(w);
        assert_int_equal(info.receive_queue_bytes, ZERO_WINDOW_BYTES);
        assert_int_equal(info.out_of_order_bytes, 0);
        assert_int_equal(info.rcv_nxt, w->peer.iss);
        assert_int_equal(wire_state(w), state);
    }
}

void wire_flow_zero_window(enum hf_state state)
{
    struct hf_config config;
    hf_config_init(&config, sizeof config);
    config.receive_buffer_bytes = ZERO_WINDOW_BYTES;
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire w;
        struct wire_setup setup = setup_of(state, variant & ~(unsigned)WIRE_OPTIONS);
        setup.config = &config;
        wire_open(&w, &setup);
        close_window(&w);
        check_zero_window(&w, state);
        /* [MUST-66] The ACK, the urgent mark and the RST of such a segment count. */
        if (state == HF_FIN_WAIT_1) {
            hf_peer_send(&w.peer, "P. seq 0:1 ack 0");
            WIRE_EXPECT(&w, ". seq 0 ack 0 win 0");
            assert_int_equal(wire_state(&w), HF_FIN_WAIT_2);
        }
        hf_peer_send(&w.peer, "UP. seq 0:1 ack 0 urg 7");
        WIRE_EXPECT(&w, ". seq 0 ack 0 win 0");
        assert_true(wire_events(&w, NULL) & HF_EV_URGENT);
        hf_peer_send(&w.peer, "R seq 1");
        WIRE_QUIET(&w);
        hf_peer_send(&w.peer, "RP. seq 0:1 ack 0");
        assert_int_equal(wire_state(&w), HF_CLOSED);
        WIRE_QUIET(&w);
        wire_close(&w);
    }
}
