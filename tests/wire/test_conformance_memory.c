/* What the RFCs ask of a receiver that takes data back, and of connections that stand still. */
#include "opening.h"

enum { BLOCK_BYTES = 512, BLOCKS = 128 };

static void open_small(struct bench *b)
{
    bench_init(b);
    b->config.block_bytes = BLOCK_BYTES;
    b->config.pool_bytes = BLOCKS * BLOCK_BYTES;
    bench_open(b, false, 1000);
    bench_listen(b, &(struct hf_listen){.port = 80});
}

/* What was kept ahead of a gap is given up for another's data in order: from then on no block says
 * that it is here. covers: CO-2018-06 */
static void what_was_given_up_is_reported_no_more(void **state)
{
    (void)state;
    struct bench b;
    open_small(&b);
    struct hf_peer other = bench_peer(&b, 2, 4001, 1000);
    assert_true(hf_peer_connect(&b.peer, "<mss 1460,sackOK>"));
    assert_true(hf_peer_connect(&other, "<mss 1460,sackOK>"));
    hf_peer_send(&b.peer, ". seq 1001:20001 ack 1");
    assert_true(hf_peer_expect(&b.peer, ". seq 1 ack 1 <sack 1001:20001>"));
    hf_peer_send(&other, ". seq 1:60001 ack 1");
    assert_int_equal(bench_count(&b, HF_DROP_OUT_OF_ORDER_RECLAIMED), 1);
    assert_int_equal(bench_sizes(&b).flights, 0);
    hf_peer_send(&b.peer, ". seq 30001:30101 ack 1");
    assert_true(hf_peer_expect(&b.peer, ". seq 1 ack 1"));
    const struct hf_segment *seg = &b.peer.last.segment;
    assert_in_range(seg->sack_count, 0, 1); /* the new one, if it found room */
    if (seg->sack_count == 1)
        assert_int_equal(seg->sack[0].left - b.peer.iss, 30001);
    bench_close(&b);
}

/* [RFC6429#3] Peers that keep their windows closed hold what was written for them, and no more: the
 * pool has its limit, and each of them can be told apart. covers: CO-6429-04, CO-6429-05 */
static void stalled_peers_hold_no_more_than_the_pool(void **state)
{
    (void)state;
    enum { PEERS = 40 };
    struct bench b;
    open_small(&b);
    static const uint8_t bytes[BLOCKS * BLOCK_BYTES];
    hf_handle conns[PEERS];
    for (uint16_t i = 0; i < PEERS; i++) {
        struct hf_peer p = bench_peer(&b, 2, (uint16_t)(5000 + i), 1000);
        p.window = 0;
        assert_true(hf_peer_connect(&p, "<mss 1000>"));
        conns[i] = bench_event(&b, HF_EV_ACCEPTED);
        int64_t n = hf_send(b.rig.stack, conns[i], bytes, sizeof bytes, 0, bench_now(&b));
        assert_true(i > 0 ? n > 0 || n == HF_E_AGAIN : n > 0);
        hf_rig_pull(&b.rig);
        assert_true(bench_sizes(&b).pool_used_bytes <= sizeof bytes);
    }
    hf_rig_wait(&b.rig, HF_SEC(2));
    struct hf_info info = bench_info(&b, conns[0]);
    assert_int_equal(info.snd_wnd_bytes, 0);
    assert_true(info.send_queue_bytes > 0 && info.probe_count > 0);
    for (int i = 0; i < PEERS; i++)
        assert_int_equal(hf_abort(b.rig.stack, conns[i], bench_now(&b)), HF_OK);
    hf_rig_pull(&b.rig);
    assert_int_equal(bench_sizes(&b).pool_used_bytes, 0);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_given_up_is_reported_no_more),
        cmocka_unit_test(stalled_peers_hold_no_more_than_the_pool),
    };
    return cmocka_run_group_tests_name("conformance_memory", tests, NULL, NULL);
}
