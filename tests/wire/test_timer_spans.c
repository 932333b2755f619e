/* Spans that the application or the peer changes while they run: the user timeout, raised and
 * lowered and before a closed window; the RTO after the window opened; and none strikes early.
 * Profile rfc: RTO 1 s doubling to 60 s, persist up to 60 s. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/wire_states.h"

enum { DATA_BYTES = 1000 };

static struct hf_config rfc;

static void open_with(struct wire *w, uint32_t unacked_bytes)
{
    struct wire_setup setup = {HF_ESTABLISHED, WIRE_FROM_ZERO, &rfc, unacked_bytes, 0};
    wire_open(w, &setup);
}

static void set(struct wire *w, enum hf_option o, int64_t value)
{
    assert_int_equal(hf_set(w->rig.stack, w->conn, o, value, w->rig.now_ns), HF_OK);
    hf_rig_pull(&w->rig);
}

static void expect_end_at(struct wire *w, hf_ns at_ns)
{
    enum hf_closed how = HF_CLOSED_NOT;
    hf_ns end_ns = wire_until_state(w, HF_CLOSED, HF_SEC(999));
    if (!wire_is_about(end_ns, at_ns))
        fail_msg("ends at %lld ns, not at %lld", (long long)end_ns, (long long)at_ns);
    wire_events(w, &how);
    assert_int_equal(how, HF_CLOSED_USER_TIMEOUT);
}

/* ---- the user timeout, changed ---- */

static void raised_it_is_no_reason_to_send_again(void **state)
{
    (void)state;
    static const hf_ns later_ns[] = {0, HF_SEC(500)}; /* cleared, and raised */
    for (size_t i = 0; i < HF_COUNT_OF(later_ns); i++) {
        struct wire w;
        open_with(&w, DATA_BYTES);
        set(&w, HF_OPT_USER_TIMEOUT_NS, HF_MS(500));
        set(&w, HF_OPT_USER_TIMEOUT_NS, later_ns[i]);
        WIRE_EXPECT_AT(&w, HF_SEC(1), "P. seq -1000:0 ack 0");
        WIRE_EXPECT_AT(&w, HF_SEC(3), "P. seq -1000:0 ack 0");
        wire_close(&w);
    }
}

/* The time that the oldest data has waited counts, not the time since the call. */
static void lowered_it_counts_from_the_oldest_data(void **state)
{
    (void)state;
    struct wire w;
    open_with(&w, DATA_BYTES);
    set(&w, HF_OPT_USER_TIMEOUT_NS, HF_SEC(100));
    hf_rig_wait(&w.rig, HF_SEC(4)); /* the next retransmission is due at 7 s */
    set(&w, HF_OPT_USER_TIMEOUT_NS, HF_SEC(5));
    expect_end_at(&w, HF_SEC(5));
    wire_close(&w);

    open_with(&w, DATA_BYTES);
    hf_rig_wait(&w.rig, HF_SEC(4));
    set(&w, HF_OPT_USER_TIMEOUT_NS, HF_SEC(2)); /* that is over already */
    expect_end_at(&w, HF_SEC(4));
    wire_close(&w);
}

/* A connection that is opened keeps its round trip, whatever deadline the user timeout sets. */
static void the_handshake_is_timed_beside_it(void **state)
{
    (void)state;
    struct hf_config config = rfc;
    config.user_timeout_ns = HF_MS(400);
    struct hf_rig_config rig = {.config = &config, .seed = 5};
    struct wire w = {.setup = {.state = HF_SYN_SENT}};
    assert_int_equal(hf_rig_open(&w.rig, &rig), HF_OK);
    hf_peer_open(&w.peer, &w.rig, false, 80, 5000, 1000);
    struct hf_connect what = {.local = {.port = 5000}, .remote = w.peer.here};
    assert_int_equal(hf_connect(w.rig.stack, &what, &w.conn, 0), HF_OK);
    hf_rig_pull(&w.rig);
    hf_rig_wait(&w.rig, HF_MS(150));
    assert_true(hf_peer_accept(&w.peer, "<mss 1460>"));
    assert_int_equal(wire_info(&w).srtt_ns, HF_MS(150));
    hf_rig_close(&w.rig);
}

/* ---- before a closed window ---- */

static void close_window(struct wire *w)
{
    w->peer.window = 0;
    hf_peer_send(&w->peer, ". seq 0 ack 0");
    wire_write(w, DATA_BYTES);
    WIRE_QUIET(w);
}

/* Answers each probe until the connection ends, or until_ns. */
static void answer_probes(struct wire *w, hf_ns until_ns)
{
    while (wire_state(w) == HF_ESTABLISHED && wire_until_sent(w, until_ns) != HF_NEVER) {
        assert_true(hf_peer_pop(&w->peer));
        if (w->peer.last.segment.flags == HF_ACK)
            hf_peer_send(&w->peer, ". seq 0 ack 0");
    }
}

/* covers: MUST-37: answered probes keep the connection, unless the application set a time of its
 * own [RFC9293#3.9.1] */
static void answered_probes_do_not_hold_the_user_timeout(void **state)
{
    (void)state;
    for (int own = 0; own < 2; own++) {
        struct wire w;
        open_with(&w, 0);
        set(&w, HF_OPT_USER_TIMEOUT_NS, own ? HF_SEC(100) : 0);
        close_window(&w);
        answer_probes(&w, HF_SEC(3600));
        enum hf_closed how = HF_CLOSED_NOT;
        wire_events(&w, &how);
        assert_int_equal(how, own ? HF_CLOSED_USER_TIMEOUT : HF_CLOSED_NOT);
        if (own)
            assert_true(wire_is_about(w.rig.now_ns - w.start_ns, HF_SEC(100)));
        wire_close(&w);
    }
}

/* covers: MUST-37: a peer that answers gives no trouble, however often it is probed */
static void answered_probes_are_no_trouble(void **state)
{
    (void)state;
    struct wire w;
    open_with(&w, 0);
    close_window(&w);
    answer_probes(&w, HF_SEC(600));
    assert_int_equal(wire_events(&w, NULL) & HF_EV_TROUBLE, 0);
    w.peer.window = 65535;
    wire_close(&w);
}

/* ---- the window opened ---- */

/* [RFC6298#5.1] What is sent when the window opens has its retransmission time from then on: the
 * probes' interval, up to a minute by now, says nothing of the path. */
static void data_after_the_window_opened_has_its_rto(void **state)
{
    (void)state;
    for (int shrank = 0; shrank < 2; shrank++) {
        struct wire w;
        open_with(&w, shrank ? DATA_BYTES : 0);
        if (shrank) { /* the window is taken back from under the data */
            w.peer.window = 0;
            w.peer.rcv_nxt = w.peer.irs - DATA_BYTES;
            hf_peer_send(&w.peer, ". seq 0");
        } else {
            close_window(&w);
        }
        uint32_t acked = w.peer.rcv_nxt - w.peer.irs;
        for (int n = 0; n < 12; n++) {
            assert_true(wire_until_sent(&w, HF_SEC(3600)) != HF_NEVER);
            hf_peer_skip(&w.peer);
            w.peer.rcv_nxt = w.peer.irs + acked;
            hf_peer_send(&w.peer, ". seq 0");
        }
        hf_ns opened_ns = w.rig.now_ns - w.start_ns;
        w.peer.window = 65535;
        hf_peer_send(&w.peer, ". seq 0");
        const char *data = shrank ? "P. seq -1000:0 ack 0" : "P. seq 0:1000 ack 0";
        WIRE_EXPECT(&w, data);
        WIRE_EXPECT_AT(&w, opened_ns + HF_SEC(1), data);
        wire_close(&w);
    }
}

/* ---- never early ---- */

/* Spans that are kept in milliseconds, begun in the middle of one.
 * covers: TMO-USER-TIMEOUT-EST, TMO-KEEPALIVE-EST */
static void spans_begun_between_milliseconds_are_not_cut_short(void **state)
{
    (void)state;
    for (hf_ns part_ns = HF_US(100); part_ns < HF_MS(1); part_ns += HF_US(100)) {
        struct wire w;
        open_with(&w, 0);
        hf_rig_wait(&w.rig, part_ns);
        wire_write(&w, DATA_BYTES);
        hf_ns at_ns = w.rig.now_ns - w.start_ns;
        set(&w, HF_OPT_USER_TIMEOUT_NS, HF_MS(500));
        hf_ns took_ns = wire_until_state(&w, HF_CLOSED, HF_SEC(9)) - at_ns;
        assert_in_range(took_ns, HF_MS(500), HF_MS(500) + HF_US(200));
        wire_close(&w);

        open_with(&w, 0);
        hf_rig_wait(&w.rig, part_ns);
        hf_peer_send(&w.peer, ". seq 0 ack 0");
        at_ns = w.rig.now_ns - w.start_ns;
        hf_rig_wait(&w.rig, HF_MS(1) - part_ns);
        set(&w, HF_OPT_KEEPALIVE_IDLE_NS, HF_MS(500));
        set(&w, HF_OPT_KEEPALIVE, 1);
        took_ns = wire_until_sent(&w, HF_SEC(9)) - at_ns;
        assert_in_range(took_ns, HF_MS(500), HF_MS(500) + HF_US(200));
        wire_close(&w);
    }
}

/* The timer wheel tells ticks modulo some days. A deadline that is farther away comes when it is
 * due, and hides none that is near. */
static void a_deadline_of_days_hides_none_that_is_near(void **state)
{
    (void)state;
    for (int days = 1; days <= 30; days += days < 6 ? 1 : 6) {
        struct wire w;
        open_with(&w, 0);
        set(&w, HF_OPT_KEEPALIVE_IDLE_NS, days * HF_SEC(86400));
        set(&w, HF_OPT_KEEPALIVE, 1);
        wire_write(&w, DATA_BYTES);
        WIRE_EXPECT(&w, "P. seq 0:1000 ack 0");
        WIRE_EXPECT_AT(&w, HF_SEC(1), "P. seq 0:1000 ack 0");
        hf_peer_send(&w.peer, ". seq 0 ack 1000");
        hf_ns heard_ns = w.rig.now_ns - w.start_ns, span_ns = days * HF_SEC(86400);
        hf_ns probed_ns = wire_until_sent(&w, heard_ns + span_ns + HF_SEC(1));
        assert_in_range(probed_ns, heard_ns + span_ns, heard_ns + span_ns + HF_MS(2));
        WIRE_EXPECT(&w, ". seq 999 ack 0");
        wire_close(&w);
    }
}

/* A machine that slept for weeks: what is long due stays due, whatever else is set meanwhile. */
static void what_is_long_due_stays_due(void **state)
{
    (void)state;
    for (int days = 1; days < 100; days += 7) {
        struct wire w;
        open_with(&w, DATA_BYTES);
        w.rig.now_ns += HF_SEC(86400) * days;
        hf_peer_send(&w.peer, ". seq 0:100 ack -1000"); /* its ACK may wait */
        assert_true(hf_stack_deadline(w.rig.stack) <= w.rig.now_ns);
        wire_close(&w);
    }
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
        cmocka_unit_test(raised_it_is_no_reason_to_send_again),
        cmocka_unit_test(lowered_it_counts_from_the_oldest_data),
        cmocka_unit_test(the_handshake_is_timed_beside_it),
        cmocka_unit_test(answered_probes_do_not_hold_the_user_timeout),
        cmocka_unit_test(answered_probes_are_no_trouble),
        cmocka_unit_test(data_after_the_window_opened_has_its_rto),
        cmocka_unit_test(spans_begun_between_milliseconds_are_not_cut_short),
        cmocka_unit_test(a_deadline_of_days_hides_none_that_is_near),
        cmocka_unit_test(what_is_long_due_stays_due),
    };
    return cmocka_run_group_tests_name("timer_spans", tests, fill_rfc, NULL);
}
