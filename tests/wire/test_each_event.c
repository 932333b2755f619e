/* What is sent again, and each limit that is reached, has an event of its own: no more, no less. */
#include "opening.h"

/** How often each reason came as an event of each type. */
struct tally {
    uint32_t of[HF_TRACE_COUNT][HF_REASON_COUNT];
    uint32_t states_unchanged;
    int64_t held_ns; /**< of the last open request admitted */
};

static void count_event(void *ctx, const struct hf_trace_event *e)
{
    struct tally *tally = ctx;
    tally->of[e->type][e->reason]++;
    if (e->type == HF_TRACE_STATE)
        tally->states_unchanged += e->from == e->to;
    if (e->type == HF_TRACE_ADMIT)
        tally->held_ns = e->a;
}

static void open_traced(struct bench *b, struct tally *tally)
{
    *tally = (struct tally){0};
    struct hf_rig_config config = {
        .config = &b->config, .seed = 7, .trace = count_event, .trace_ctx = tally};
    assert_int_equal(hf_rig_open(&b->rig, &config), HF_OK);
    hf_peer_open(&b->peer, &b->rig, false, 4000, 80, 1000);
}

static uint32_t sum_of(const struct tally *tally, enum hf_trace type)
{
    uint32_t sum = 0;
    for (size_t r = 0; r < HF_REASON_COUNT; r++)
        sum += tally->of[type][r];
    return sum;
}

/* A whole flight is lost: each of its segments that goes out again is told. A link that takes
 * super-packets changes nothing in what is counted as retransmitted. */
static void each_segment_sent_again_is_told(void **state)
{
    (void)state;
    for (int super = 0; super < 2; super++) {
        struct bench b;
        struct tally tally;
        bench_init(&b);
        b.config.offload_checksum = super;
        b.config.offload_super_bytes = super ? 65535 : 0;
        open_traced(&b, &tally);
        bench_listen(&b, &(struct hf_listen){.port = 80});
        assert_true(hf_peer_connect(&b.peer, "<mss 1000>"));
        b.conn = bench_event(&b, HF_EV_ACCEPTED);
        static const uint8_t zeros[8000];
        assert_int_equal(hf_send(b.rig.stack, b.conn, zeros, sizeof zeros, 0, bench_now(&b)), 8000);
        hf_rig_pull(&b.rig);
        hf_peer_skip(&b.peer); /* lost */
        assert_int_equal(sum_of(&tally, HF_TRACE_RETRANSMIT), 0);
        uint32_t packets = 0;
        for (uint32_t acked = 1; acked < 8001; acked = b.peer.rcv_nxt - b.peer.irs) {
            if (b.rig.caught_count == 0)
                hf_rig_wait(&b.rig, HF_MS(300)); /* once: one RTO */
            b.peer.rcv_nxt = b.peer.irs + acked;
            while (hf_peer_pop(&b.peer)) {
                packets++;
                b.peer.rcv_nxt = b.peer.last.segment.seq + b.peer.last.segment.payload_bytes;
            }
            hf_peer_send(&b.peer, ".");
        }
        assert_int_equal(sum_of(&tally, HF_TRACE_RETRANSMIT), packets);
        assert_int_equal(tally.of[HF_TRACE_RETRANSMIT][HF_RETRANSMIT_RTO], 1);
        assert_int_equal(tally.of[HF_TRACE_RETRANSMIT][HF_RETRANSMIT_GO_BACK], packets - 1);
        assert_int_equal(bench_info(&b, b.conn).segments_retransmitted, 8);
        bench_close(&b);
    }
}

/* Beyond the limit of challenge ACKs a SYN draws no SYN,ACK, and no event says that it did. */
static void what_a_limit_keeps_back_is_not_told_as_sent(void **state)
{
    (void)state;
    for (int held = 0; held < 2; held++) {
        struct bench b;
        struct tally tally;
        bench_init(&b);
        b.config.challenge_acks = 3;
        open_traced(&b, &tally);
        bench_syn_rcvd(&b, held ? ADMITTED : HALF_OPEN, "<mss 1460>");
        for (int i = 0; i < 5; i++)
            hf_peer_send(&b.peer, "S seq 0 <mss 1460>");
        assert_int_equal(hf_peer_skip(&b.peer), 3);
        assert_int_equal(tally.of[HF_TRACE_ACK_OUT][HF_ACK_SYN_AGAIN], 3);
        assert_int_equal(tally.of[HF_TRACE_LIMIT][HF_LIMIT_CHALLENGE], 2);
        bench_close(&b);
    }
}

/* To admit a request changes no state, and still is told: once, with the time it took. */
static void an_admission_is_told(void **state)
{
    (void)state;
    struct bench b;
    struct tally tally;
    bench_init(&b);
    open_traced(&b, &tally);
    b.listener = bench_listen(&b, &(struct hf_listen){.port = 80, .held = true});
    hf_peer_send(&b.peer, "S seq 0 <mss 1460>");
    hf_rig_run(&b.rig, HF_MS(1500));
    hf_peer_send(&b.peer, "S seq 0 <mss 1460>");
    hf_rig_run(&b.rig, HF_MS(2500));
    b.conn = bench_event(&b, HF_EV_SYN);
    assert_int_equal(hf_admit(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
    hf_rig_pull(&b.rig);
    assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
    hf_peer_send(&b.peer, ". seq 1 ack 1");
    assert_int_equal(tally.of[HF_TRACE_ADMIT][HF_WHY_ADMIT], 1);
    assert_int_equal(sum_of(&tally, HF_TRACE_ADMIT), 1);
    assert_int_equal(tally.held_ns, HF_MS(2500));
    assert_int_equal(bench_count(&b, HF_WHY_ADMIT), 1);
    assert_int_equal(tally.of[HF_TRACE_STATE][HF_WHY_HELD], 1);
    assert_int_equal(tally.of[HF_TRACE_STATE][HF_WHY_HANDSHAKE_ACK], 1);
    assert_int_equal(tally.states_unchanged, 0);
    bench_close(&b);
}

static void a_limited_rst_is_told(void **state)
{
    (void)state;
    struct bench b;
    struct tally tally;
    bench_init(&b);
    b.config.rst_rate = 2;
    open_traced(&b, &tally);
    for (int i = 0; i < 5; i++)
        hf_peer_send(&b.peer, "S seq 0");
    assert_int_equal(hf_peer_skip(&b.peer), 2);
    assert_int_equal(tally.of[HF_TRACE_RST_OUT][HF_RST_NO_LISTENER], 2);
    assert_int_equal(tally.of[HF_TRACE_LIMIT][HF_LIMIT_RST_RATE], 3);
    assert_int_equal(tally.of[HF_TRACE_DROP][HF_DROP_STRANGER_SILENT], 3);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_segment_sent_again_is_told),
        cmocka_unit_test(what_a_limit_keeps_back_is_not_told_as_sent),
        cmocka_unit_test(an_admission_is_told),
        cmocka_unit_test(a_limited_rst_is_told),
    };
    return cmocka_run_group_tests_name("each_event", tests, NULL, NULL);
}
