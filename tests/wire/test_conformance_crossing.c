/* What meets itself on the way: a connection whose two ends are one, window probes that cross
 * [RFC9293#A.2]; and that whatever leaves has a right checksum. */
#include "opening.h"
#include "support/wire_calls.h"

/* ---- a connection with itself ---- */

/** Hands all that the stack sends back to it, until it is quiet; how many packets that were. */
static unsigned hand_back(struct bench *b)
{
    unsigned n = 0;
    struct hf_caught c;
    while (hf_rig_pop(&b->rig, NULL, NULL, &c)) {
        hf_rig_input(&b->rig, c.frame->bytes, c.frame->length_bytes, 0, 0);
        if (++n > 1000)
            fail_msg("it never falls silent");
    }
    return n;
}

/* covers: UN-13, MUST-10: it opens as SYNs that cross do, carries data, and closes as FINs that
 * cross do */
static void a_connection_with_itself(void **state)
{
    (void)state;
    static uint8_t bytes[20000], back[20000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 256);
    for (int v6 = 0; v6 < 2; v6++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, v6, 1);
        struct hf_connect what = {.local = b.peer.there, .remote = b.peer.there};
        assert_int_equal(hf_connect(b.rig.stack, &what, &b.conn, 0), HF_OK);
        hf_rig_pull(&b.rig);
        hand_back(&b);
        assert_int_equal(bench_info(&b, b.conn).state, HF_ESTABLISHED);
        assert_int_equal(hf_send(b.rig.stack, b.conn, bytes, sizeof bytes, 0, 0), sizeof bytes);
        hf_rig_pull(&b.rig);
        hand_back(&b);
        hf_rig_wait(&b.rig, HF_SEC(1)); /* the last ACK was delayed */
        hand_back(&b);
        int64_t got = hf_receive(b.rig.stack, b.conn, back, sizeof back, bench_now(&b));
        assert_int_equal(got, sizeof back);
        assert_memory_equal(back, bytes, sizeof back);
        assert_int_equal(bench_info(&b, b.conn).send_queue_bytes, 0);
        assert_int_equal(hf_shutdown(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
        hf_rig_pull(&b.rig);
        hand_back(&b);
        assert_int_equal(bench_info(&b, b.conn).state, HF_TIME_WAIT);
        assert_int_equal(bench_info(&b, b.conn).how, HF_CLOSED_FIN);
        bench_close(&b);
    }
}

/* ---- both windows closed ---- */

/* covers: UN-13, UN-10: each side's probe is answered although it has data waiting itself */
static void probes_of_closed_windows_cross(void **state)
{
    (void)state;
    enum { BUFFER = 4096 };
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire w;
        struct hf_config config;
        hf_config_init(&config, sizeof config);
        config.receive_buffer_bytes = BUFFER;
        struct wire_setup setup = {.state = HF_ESTABLISHED, .variant = variant, .config = &config};
        wire_open(&w, &setup);
        uint32_t edge = wire_info(&w).rcv_wnd_bytes;
        char text[64];
        snprintf(text, sizeof text, "P. seq 0:%u ack 0", (unsigned)edge);
        hf_peer_send(&w.peer, text);
        w.peer.window = 0;
        hf_peer_send(&w.peer, ".");
        wire_write(&w, 1000);
        hf_peer_skip(&w.peer);
        assert_int_equal(wire_info(&w).rcv_wnd_bytes, 0);
        unsigned answered = 0;
        for (int round = 0; round < 60; round++) {
            hf_rig_wait(&w.rig, HF_SEC(5));
            hf_peer_skip(&w.peer);      /* our probe */
            hf_peer_send(&w.peer, "."); /* its answer */
            snprintf(text, sizeof text, ". seq %u ack 0", (unsigned)edge - 1);
            hf_peer_send(&w.peer, text); /* the peer's probe */
            answered += hf_peer_pop(&w.peer);
            assert_true(hf_peer_skip(&w.peer) <= 1);
        }
        assert_int_equal(answered, 60);
        assert_int_equal(wire_state(&w), HF_ESTABLISHED);
        w.peer.window = 5000;
        hf_peer_send(&w.peer, ".");
        WIRE_EXPECT(&w, "P. seq 0:1000");
        assert_int_equal(wire_read(&w), edge);
        assert_true(hf_peer_pop(&w.peer) && w.peer.last.segment.window > 0);
        wire_close(&w);
    }
}

/* ---- checksums ---- */

/* The rig verifies each packet that it catches. covers: MUST-2: over data of any length, which
 * begins at even and at odd places of a block and goes on in the next */
static void every_segment_has_a_right_checksum(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire w;
        struct hf_config config;
        hf_config_init(&config, sizeof config);
        config.block_bytes = 512;
        config.nagle = 0;
        struct wire_setup setup = {.state = HF_ESTABLISHED, .variant = variant, .config = &config};
        wire_open(&w, &setup);
        uint32_t sent = 0;
        char text[64];
        for (uint32_t n = 1; n < 1400; n += 1 + n / 16) {
            wire_send(&w, n, 0);
            assert_true(hf_peer_pop(&w.peer));
            assert_int_equal(w.peer.last.segment.payload_bytes, n);
            sent += n; /* the last byte keeps its block, and the next ones begin behind it */
            snprintf(text, sizeof text, ". seq 0 ack %u", (unsigned)sent - 1);
            hf_peer_send(&w.peer, text);
        }
        wire_close(&w); /* fails on a wrong checksum */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_with_itself),
        cmocka_unit_test(probes_of_closed_windows_cross),
        cmocka_unit_test(every_segment_has_a_right_checksum),
    };
    return cmocka_run_group_tests_name("conformance_crossing", tests, NULL, NULL);
}
