/* What is sent again, and each limit that is reached, has an event of its own: no more, no less. */
#include "opening.h"

/** How often each reason came as an event of each type, and the numbers of the latest limit. */
struct tally {
    uint32_t of[HF_TRACE_COUNT][HF_REASON_COUNT];
    uint32_t states_unchanged;
    uint32_t states_apart; /**< that do not begin where the one before ended */
    enum hf_state last;    /**< where that was: of one connection */
    int64_t held_ns;       /**< of the last open request admitted */
    int64_t have, limit;
    struct hf_endpoint limited; /**< the stack's end of the latest limit */
    uint32_t nameless_out;      /**< segments out that name no connection */
    hf_handle limited_handle;
};

static void count_event(void *ctx, const struct hf_trace_event *e)
{
    struct tally *tally = ctx;
    tally->of[e->type][e->reason]++;
    if (e->type == HF_TRACE_STATE) {
        tally->states_unchanged += e->from == e->to;
        tally->states_apart += e->from != tally->last;
        tally->last = e->to;
    }
    if (e->type == HF_TRACE_ADMIT)
        tally->held_ns = e->a;
    if (e->type == HF_TRACE_LIMIT) {
        tally->have = e->a;
        tally->limit = e->b;
        tally->limited = e->local;
        tally->limited_handle = e->handle;
    }
    tally->nameless_out += e->type == HF_TRACE_SEGMENT_OUT && e->handle == 0;
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
        struct hf_stack_info all;
        hf_stack_info(b.rig.stack, &all);
        assert_int_equal(all.segments_retransmitted, 8);
        assert_int_equal(all.bytes_retransmitted, 8000);
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
        assert_int_equal(tally.limited.port, 80);
        assert_int_equal(tally.limited_handle, held ? b.conn : 0);
        bench_close(&b);
    }
}

/* Whatever a connection sends names it: also the ACKs that don't wait for its turn, a challenge
 * that is kept back, and its RST. */
static void what_a_connection_sends_names_it(void **state)
{
    (void)state;
    struct bench b;
    struct tally tally;
    bench_init(&b);
    b.config.challenge_acks = 3;
    open_traced(&b, &tally);
    bench_listen(&b, &(struct hf_listen){.port = 80});
    assert_true(hf_peer_connect(&b.peer, "<mss 1460>"));
    b.conn = bench_event(&b, HF_EV_ACCEPTED);
    tally.nameless_out = 0; /* the SYN,ACK was of no connection yet */
    for (int i = 0; i < 4; i++)
        hf_peer_send(&b.peer, ". seq 101:201 ack 1"); /* beyond a gap: an ACK each */
    assert_int_equal(hf_peer_skip(&b.peer), 4);
    for (int i = 0; i < 5; i++)
        hf_peer_send(&b.peer, "S seq 0");
    assert_int_equal(hf_peer_skip(&b.peer), 3);
    assert_int_equal(tally.limited_handle, b.conn);
    assert_int_equal(hf_abort(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
    hf_rig_pull(&b.rig);
    assert_true(hf_peer_expect(&b.peer, "R. seq 1 ack 1"));
    assert_int_equal(tally.nameless_out, 0);
    bench_close(&b);
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

/* From CLOSED to CLOSED, each change of state begins where the one before ended. */
static void states_follow_each_other(void **state)
{
    (void)state;
    struct bench b;
    struct tally tally;
    bench_init(&b);
    open_traced(&b, &tally);
    bench_listen(&b, &(struct hf_listen){.port = 80});
    assert_int_equal(tally.last, HF_LISTEN);
    hf_peer_send(&b.peer, "S seq 0");
    assert_int_equal(tally.last, HF_SYN_RCVD);
    assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
    hf_peer_send(&b.peer, ". seq 1 ack 1");
    b.conn = bench_event(&b, HF_EV_ACCEPTED);
    assert_int_equal(tally.last, HF_ESTABLISHED);
    hf_peer_send(&b.peer, "F. seq 1 ack 1");
    assert_int_equal(hf_shutdown(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
    hf_rig_pull(&b.rig);
    hf_peer_send(&b.peer, ". seq 2 ack 2");
    assert_int_equal(tally.last, HF_CLOSED);
    assert_int_equal(tally.states_apart, 0);
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

/* The drop is one event, the end of what it belonged to another: each reason is counted once. */
static void a_syn_that_ends_an_opening_is_counted_once(void **state)
{
    (void)state;
    for (enum form form = HALF_OPEN; form <= CROSSED; form++) { /* CROSSED: held, not admitted */
        struct bench b;
        struct tally tally;
        bench_init(&b);
        open_traced(&b, &tally);
        if (form == CROSSED) {
            bench_listen(&b, &(struct hf_listen){.port = 80, .held = true});
            hf_peer_send(&b.peer, "S seq 0");
        } else {
            bench_syn_rcvd(&b, form, "<mss 1460>");
        }
        hf_peer_send(&b.peer, "S seq 100");
        assert_int_equal(hf_peer_state(&b.peer), HF_CLOSED);
        assert_int_equal(bench_count(&b, HF_DROP_SYN_RCVD), 1);
        assert_int_equal(tally.of[HF_TRACE_DROP][HF_DROP_SYN_RCVD], 1);
        assert_int_equal(tally.of[HF_TRACE_STATE][HF_WHY_SYN_AGAIN], 1);
        bench_close(&b);
    }
}

/* A limit that is reached tells how much there is, and how much there may be. */
static void a_listeners_limits_tell_their_size(void **state)
{
    (void)state;
    static const struct {
        struct hf_listen listen;
        enum hf_reason reason;
        int64_t limit;
    } cases[] = {
        {{.port = 80, .backlog = 2}, HF_LIMIT_BACKLOG, 2},
        {{.port = 80, .max_connections = 3}, HF_LIMIT_CONNECTIONS, 3},
        {{.port = 80, .max_per_remote = 2}, HF_LIMIT_PER_REMOTE, 2},
        {{.port = 80, .max_half_open = 4}, HF_LIMIT_HALF_OPEN, 4},
    };
    for (size_t i = 0; i < HF_COUNT_OF(cases); i++) {
        struct bench b;
        struct tally tally;
        bench_init(&b);
        b.config.syn_cookies = 0;
        open_traced(&b, &tally);
        bench_listen(&b, &cases[i].listen);
        for (uint16_t n = 0; n < 10; n++) {
            struct hf_peer p = bench_peer(&b, 2, (uint16_t)(5000 + n), 1);
            hf_peer_send(&p, "S seq 0");
            if (cases[i].reason != HF_LIMIT_HALF_OPEN && hf_peer_pop(&p))
                hf_peer_send(&p, ". seq 1 ack 1");
        }
        assert_true(tally.of[HF_TRACE_LIMIT][cases[i].reason] > 0);
        assert_int_equal(tally.have, cases[i].limit);
        assert_int_equal(tally.limit, cases[i].limit);
        bench_close(&b);
    }
}

/* All were let in while there was room, and come back when there is none. */
static void a_limit_met_by_the_last_ack_is_told(void **state)
{
    (void)state;
    enum { PEERS = 5, PLACES = 2 };
    for (int cookies = 0; cookies <= 2; cookies += 2) {
        struct bench b;
        struct tally tally;
        struct hf_peer p[PEERS];
        bench_init(&b);
        b.config.syn_cookies = cookies;
        open_traced(&b, &tally);
        bench_listen(&b, &(struct hf_listen){.port = 80, .backlog = PLACES});
        for (uint16_t n = 0; n < PEERS; n++) {
            p[n] = bench_peer(&b, 2, (uint16_t)(5000 + n), 1);
            hf_peer_send(&p[n], "S seq 0");
            assert_true(hf_peer_expect(&p[n], "S. seq 0 ack 1"));
        }
        for (uint16_t n = 0; n < PEERS; n++)
            hf_peer_send(&p[n], ". seq 1 ack 1");
        assert_int_equal(tally.of[HF_TRACE_LIMIT][HF_LIMIT_BACKLOG], PEERS - PLACES);
        assert_int_equal(tally.of[HF_TRACE_DROP][HF_DROP_BACKLOG], PEERS - PLACES);
        assert_int_equal(tally.have, PLACES);
        assert_int_equal(tally.limit, PLACES);
        bench_close(&b);
    }
}

static void r1_tells_its_size(void **state)
{
    (void)state;
    struct bench b;
    struct tally tally;
    bench_init(&b);
    open_traced(&b, &tally);
    bench_connect(&b);
    hf_rig_wait(&b.rig, HF_SEC(60));
    assert_int_equal(tally.of[HF_TRACE_LIMIT][HF_LIMIT_R1], 1);
    assert_int_equal(tally.have, b.config.r1_retries);
    assert_int_equal(tally.limit, b.config.r1_retries);
    bench_close(&b);
}

/* Data beyond a gap that finds no block is refused for that, and not for the number of gaps; also
 * when a part of it found one. */
static void no_memory_is_not_too_many_gaps(void **state)
{
    (void)state;
    struct bench b;
    struct tally tally;
    bench_init(&b);
    b.config.pool_bytes = 16 * 4096;
    b.config.receive_buffer_bytes = 65535;
    open_traced(&b, &tally);
    bench_listen(&b, &(struct hf_listen){.port = 80});
    assert_true(hf_peer_connect(&b.peer, "<mss 1460,wscale 7>"));
    for (uint16_t n = 0; n < 2; n++) { /* what others keep unread takes most of the blocks */
        struct hf_peer p = bench_peer(&b, 2, (uint16_t)(5000 + n), 1);
        assert_true(hf_peer_connect(&p, "<mss 1460>"));
        for (unsigned at = 1; at < 20000; at += 1000) {
            char text[64];
            snprintf(text, sizeof text, ". seq %u:%u ack 1", at, at + 1000);
            hf_peer_send(&p, text);
        }
    }
    hf_peer_send(&b.peer, ". seq 101:16101 ack 1"); /* for a part of it only there are blocks */
    uint32_t kept = 0;
    struct hf_event e;
    while ((e = hf_rig_event(&b.rig)).bits != 0)
        kept += bench_info(&b, e.handle).out_of_order_bytes;
    assert_in_range(kept, 1, 15999);
    assert_int_equal(tally.of[HF_TRACE_DROP][HF_DROP_NO_BLOCK], 1);
    hf_peer_send(&b.peer, ". seq 17001:17002 ack 1");
    assert_int_equal(tally.of[HF_TRACE_DROP][HF_DROP_NO_BLOCK], 2);
    assert_int_equal(tally.of[HF_TRACE_DROP][HF_DROP_TOO_MANY_GAPS], 0);
    bench_close(&b);
}

/* An echo request of a block's size is answered, a larger one has a reason of its own. */
static void a_large_echo_has_its_reason(void **state)
{
    (void)state;
    for (uint32_t more = 0; more < 2; more++) {
        struct bench b;
        struct tally tally;
        bench_init(&b);
        open_traced(&b, &tally);
        static uint8_t packet[8192];
        uint32_t echo_bytes = (uint32_t)b.config.block_bytes + more;
        struct hf_ip ip = {
            .source = b.peer.here.addr,
            .destination = b.peer.there.addr,
            .version = 4,
            .protocol = HF_IP_PROTO_ICMP,
            .ttl = 64,
            .payload_bytes = HF_ICMP_HEADER_BYTES + echo_bytes,
        };
        size_t n = hf_ip_emit(&ip, packet);
        memset(packet + n, 0, ip.payload_bytes);
        packet[n] = 8; /* echo request */
        hf_put16(packet + n + 2, 0xF7FF);
        hf_rig_input(&b.rig, packet, (uint32_t)n + ip.payload_bytes, 0, 0);
        assert_int_equal(b.rig.caught_count, more ? 0 : 1);
        assert_int_equal(tally.of[HF_TRACE_DROP][HF_DROP_ICMP_TOO_LARGE], more);
        assert_int_equal(tally.of[HF_TRACE_DROP][HF_DROP_NO_BLOCK], 0);
        bench_close(&b);
    }
}

/* A FIN without data is acknowledged for one reason: there is no text that would be another. */
static void a_bare_fin_is_acknowledged_as_such(void **state)
{
    (void)state;
    struct bench b;
    struct tally tally;
    bench_init(&b);
    open_traced(&b, &tally);
    bench_listen(&b, &(struct hf_listen){.port = 80});
    assert_true(hf_peer_connect(&b.peer, "<mss 1460>"));
    hf_peer_send(&b.peer, "F. seq 1 ack 1");
    assert_true(hf_peer_expect(&b.peer, ". seq 1 ack 2"));
    assert_int_equal(tally.of[HF_TRACE_ACK_OUT][HF_ACK_FIN], 1);
    assert_int_equal(sum_of(&tally, HF_TRACE_ACK_OUT), 1);
    bench_close(&b);
}

/* Whom events are about. */
struct ends {
    struct hf_endpoint local, remote;
    uint32_t events, of_others;
};

static bool is_same(const struct hf_endpoint *a, const struct hf_endpoint *b)
{
    return a->port == b->port && hf_addr_equal(&a->addr, &b->addr);
}

static void look_at_ends(void *ctx, const struct hf_trace_event *e)
{
    struct ends *ends = ctx;
    ends->events++;
    ends->of_others += !is_same(&e->local, &ends->local) || !is_same(&e->remote, &ends->remote);
}

/* From a stranger's SYN over a whole connection to the end of TIME-WAIT. */
static void each_event_names_both_ends(void **state)
{
    (void)state;
    struct bench b;
    struct ends ends = {0};
    bench_init(&b);
    struct hf_rig_config config = {
        .config = &b.config, .seed = 7, .trace = look_at_ends, .trace_ctx = &ends};
    assert_int_equal(hf_rig_open(&b.rig, &config), HF_OK);
    hf_peer_open(&b.peer, &b.rig, false, 4000, 80, 1000);
    ends.local = b.peer.there;
    ends.remote = b.peer.here;
    hf_peer_send(&b.peer, "S seq 0");
    assert_true(hf_peer_expect(&b.peer, "R. seq 0 ack 1"));
    assert_int_equal(ends.of_others, 0);
    bench_listen(&b, &(struct hf_listen){.port = 80});
    assert_int_equal(ends.of_others, 1); /* the listener has nobody opposite */
    hf_peer_send(&b.peer, "S seq 0 <mss 1460>");
    hf_peer_send(&b.peer, "S seq 0 <mss 1460>");
    hf_peer_skip(&b.peer);
    hf_peer_send(&b.peer, ". seq 1 ack 1");
    b.conn = bench_event(&b, HF_EV_ACCEPTED);
    assert_int_equal(hf_close(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
    hf_rig_pull(&b.rig);
    hf_peer_send(&b.peer, "F. seq 1 ack 2");
    hf_peer_send(&b.peer, "F. seq 1 ack 2");
    assert_int_equal(hf_peer_state(&b.peer), HF_TIME_WAIT);
    hf_rig_wait(&b.rig, HF_SEC(300));
    assert_int_equal(hf_peer_state(&b.peer), HF_CLOSED);
    assert_int_equal(ends.of_others, 1);
    assert_in_range(ends.events, 25, 60);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_segment_sent_again_is_told),
        cmocka_unit_test(what_a_limit_keeps_back_is_not_told_as_sent),
        cmocka_unit_test(what_a_connection_sends_names_it),
        cmocka_unit_test(an_admission_is_told),
        cmocka_unit_test(states_follow_each_other),
        cmocka_unit_test(a_limited_rst_is_told),
        cmocka_unit_test(a_syn_that_ends_an_opening_is_counted_once),
        cmocka_unit_test(a_listeners_limits_tell_their_size),
        cmocka_unit_test(a_limit_met_by_the_last_ack_is_told),
        cmocka_unit_test(r1_tells_its_size),
        cmocka_unit_test(no_memory_is_not_too_many_gaps),
        cmocka_unit_test(a_large_echo_has_its_reason),
        cmocka_unit_test(a_bare_fin_is_acknowledged_as_such),
        cmocka_unit_test(each_event_names_both_ends),
    };
    return cmocka_run_group_tests_name("each_event", tests, NULL, NULL);
}
