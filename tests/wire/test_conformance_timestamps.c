/* What RFC 7323 and RFC 6191 ask of timestamps where no state and no call is concerned. */
#include "opening.h"
#include "support/wire_states.h"

static const enum hf_state states[] = {HF_ESTABLISHED, HF_FIN_WAIT_1, HF_FIN_WAIT_2,
                                       HF_CLOSE_WAIT,  HF_CLOSING,    HF_LAST_ACK};

/* [RFC7323#5.2] A RST is not subject to PAWS, and what it says of the time is not taken over, also
 * when it is challenged. covers: CO-7323-12 */
static void the_timestamp_of_a_rst_means_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < HF_COUNT_OF(states); i++) {
        struct wire w;
        struct wire_setup setup = {.state = states[i], .variant = WIRE_OPTIONS};
        wire_open(&w, &setup);
        uint32_t was = wire_info(&w).ts_recent;
        w.peer.ts_base += 500;
        hf_peer_send(&w.peer, "R seq 1");
        WIRE_EXPECT(&w, ". seq 0 ack 0");
        assert_int_equal(w.peer.last.segment.ts_echo, was);
        assert_int_equal(wire_info(&w).ts_recent, was);
        w.peer.ts_base -= 5000;
        hf_peer_send(&w.peer, "R seq 0");
        assert_int_equal(wire_state(&w), HF_CLOSED);
        wire_close(&w);
    }
}

/* [RFC5961#4.2] Who sends a SYN has forgotten the connection, and its timestamps: it is challenged
 * whatever it carries, or nobody would find out. covers: CO-5961-02 */
static void a_syn_without_timestamps_is_challenged(void **state)
{
    (void)state;
    for (size_t i = 0; i < HF_COUNT_OF(states); i++) {
        struct wire w;
        struct wire_setup setup = {.state = states[i], .variant = WIRE_OPTIONS};
        wire_open(&w, &setup);
        w.peer.timestamps = false;
        hf_peer_send(&w.peer, "S seq 5000");
        WIRE_EXPECT(&w, ". seq 0 ack 0");
        hf_peer_send(&w.peer, "P. seq 0:10 ack 0"); /* another is dropped, as before */
        WIRE_QUIET(&w);
        assert_int_equal(wire_state(&w), states[i]);
        wire_close(&w);
    }
}

/** The timestamp of a SYN that this stack sends to that address and port. */
static uint32_t stamp_towards(struct bench *b, uint8_t host, uint16_t port)
{
    struct hf_peer p = bench_peer(b, host, port, 1);
    struct hf_connect what = {.local = {.port = b->peer.there.port}, .remote = p.here};
    hf_handle conn;
    assert_int_equal(hf_connect(b->rig.stack, &what, &conn, bench_now(b)), HF_OK);
    hf_rig_pull(&b->rig);
    assert_true(hf_peer_expect(&p, "S seq 0"));
    assert_true(p.last.segment.has_timestamps);
    assert_int_equal(hf_abort(b->rig.stack, conn, bench_now(b)), HF_OK);
    return p.last.segment.ts_value;
}

/* [RFC6191#3] A peer in TIME-WAIT takes a new connection by its timestamp: they go on from one
 * connection to the next. Another peer learns nothing of them. covers: CO-6191-07, CO-7323-21 */
static void timestamps_rise_from_connection_to_connection(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, v6, 1);
        uint32_t last = stamp_towards(&b, 2, 4000), other = stamp_towards(&b, 3, 4000);
        assert_true(other - last > 1000 && last - other > 1000);
        for (uint16_t i = 1; i < 50; i++) {
            hf_rig_wait(&b.rig, HF_MS(i));
            uint32_t now = stamp_towards(&b, 2, (uint16_t)(4000 + i % 7));
            assert_int_equal(now - last, i);
            last = now;
        }
        bench_close(&b);
    }
}

/* The clock of a connection can be read: a timestamp less the offset that is told is the time. */
static void the_offset_is_told(void **state)
{
    (void)state;
    struct wire w;
    struct wire_setup setup = {.state = HF_ESTABLISHED, .variant = WIRE_OPTIONS};
    wire_open(&w, &setup);
    hf_rig_wait(&w.rig, HF_MS(1234));
    wire_write(&w, 1);
    WIRE_EXPECT(&w, "P. seq 0:1 ack 0");
    uint32_t now_ms = (uint32_t)(w.rig.now_ns / HF_MS(1));
    assert_int_equal(w.peer.last.segment.ts_value - wire_info(&w).ts_offset, now_ms);
    wire_close(&w);
}

/* [RFC7323#3.2] The RST of an abort carries what any segment would: the time, and the peer's. */
static void a_rst_tells_the_time(void **state)
{
    (void)state;
    struct wire w;
    struct wire_setup setup = {.state = HF_ESTABLISHED, .variant = WIRE_OPTIONS};
    wire_open(&w, &setup);
    struct hf_info info = wire_info(&w);
    hf_rig_wait(&w.rig, HF_MS(1234));
    assert_int_equal(hf_abort(w.rig.stack, w.conn, w.rig.now_ns), HF_OK);
    hf_rig_pull(&w.rig);
    WIRE_EXPECT(&w, "R. seq 0 ack 0");
    assert_true(w.peer.last.segment.has_timestamps);
    uint32_t now_ms = (uint32_t)(w.rig.now_ns / HF_MS(1));
    assert_int_equal(w.peer.last.segment.ts_value - info.ts_offset, now_ms);
    assert_int_equal(w.peer.last.segment.ts_echo, info.ts_recent);
    wire_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_timestamp_of_a_rst_means_nothing),
        cmocka_unit_test(a_syn_without_timestamps_is_challenged),
        cmocka_unit_test(timestamps_rise_from_connection_to_connection),
        cmocka_unit_test(the_offset_is_told),
        cmocka_unit_test(a_rst_tells_the_time),
    };
    return cmocka_run_group_tests_name("conformance_timestamps", tests, NULL, NULL);
}
