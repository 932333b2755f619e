/* Packets that are of no connection: echo requests, protocols we do not speak, super-packets that
 * no link makes; and which addresses and handles are ours. */
#include "opening.h"

/* An echo request of the peer with these bytes behind its head. */
struct ping {
    struct hf_addr to;
    uint8_t protocol, type;
    uint32_t echo_bytes;
};

static void send_ping(struct bench *b, const struct ping *ping)
{
    static uint8_t bytes[9000];
    bool v6 = !hf_addr_is_v4(&b->peer.here.addr);
    struct hf_ip ip = {
        .source = b->peer.here.addr,
        .destination = ping->to,
        .version = v6 ? 6 : 4,
        .protocol = ping->protocol,
        .ttl = 64,
        .payload_bytes = HF_ICMP_HEADER_BYTES + ping->echo_bytes,
    };
    size_t n = hf_ip_emit(&ip, bytes);
    uint8_t *icmp = bytes + n;
    memset(icmp, 0, ip.payload_bytes);
    icmp[0] = ping->type;
    hf_put32(icmp + 4, 0x12340007); /* identifier and number */
    for (uint32_t i = 0; i < ping->echo_bytes; i++)
        icmp[HF_ICMP_HEADER_BYTES + i] = (uint8_t)(i * 7);
    hf_sum sum =
        v6 ? hf_ip_pseudo_sum(&ip.source, &ip.destination, ip.protocol, ip.payload_bytes) : 0;
    hf_put16(icmp + 2, hf_sum_checksum(hf_sum_bytes(sum, icmp, ip.payload_bytes)));
    hf_rig_input(&b->rig, bytes, (uint32_t)n + ip.payload_bytes, 0, 0);
}

static struct ping ping_of(const struct bench *b, uint32_t echo_bytes)
{
    bool v6 = !hf_addr_is_v4(&b->peer.here.addr);
    return (struct ping){
        .to = b->peer.there.addr,
        .protocol = v6 ? HF_IP_PROTO_ICMPV6 : HF_IP_PROTO_ICMP,
        .type = v6 ? 128 : 8,
        .echo_bytes = echo_bytes,
    };
}

/* Pops an echo reply, and checks that it is that of such a request. */
static bool answered(struct bench *b, const struct ping *ping)
{
    struct hf_caught c;
    if (!hf_rig_pop(&b->rig, NULL, NULL, &c))
        return false;
    assert_false(c.is_tcp);
    assert_true(hf_addr_equal(&c.ip.source, &ping->to));
    assert_true(hf_addr_equal(&c.ip.destination, &b->peer.here.addr));
    assert_int_equal(c.icmp.kind, HF_ICMP_ECHO_REPLY);
    assert_int_equal(c.icmp.rest, 0x12340007);
    assert_int_equal(c.icmp.echo_bytes, ping->echo_bytes);
    for (uint32_t i = 0; i < ping->echo_bytes; i++)
        assert_int_equal(c.icmp.echo[i], (uint8_t)(i * 7));
    return true;
}

/* [RFC1122#3.2.2.6] All that came goes back, also nothing; more than a block holds does not. */
static void an_echo_request_is_answered(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, v6 != 0, 1);
        static const uint32_t sizes[] = {0, 1, 56, 57, 4096};
        for (size_t i = 0; i < HF_COUNT_OF(sizes); i++) {
            struct ping ping = ping_of(&b, sizes[i]);
            send_ping(&b, &ping);
            assert_true(answered(&b, &ping));
        }
        struct ping large = ping_of(&b, 4097);
        send_ping(&b, &large);
        assert_true(bench_is_quiet(&b));
        assert_int_equal(bench_count(&b, HF_DROP_ICMP_TOO_LARGE), 1);
        assert_int_equal(bench_sizes(&b).pool_used_bytes, 0);
        bench_close(&b);
    }
}

/* Not for others, not to groups, not what was not asked, not under the other family's protocol. */
static void what_is_no_question_to_us_is_not_answered(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, v6 != 0, 1);
        const struct ping good = ping_of(&b, 56);
        struct ping bad = good;
        bad.to.octets[15] ^= 0x40;
        bad.to.octets[1 + 12 * !v6] = 77;
        send_ping(&b, &bad);
        assert_int_equal(bench_count(&b, HF_DROP_NOT_OURS), 1);
        bad = good;
        bad.to.octets[v6 ? 0 : 12] = v6 ? 0xff : 224;
        send_ping(&b, &bad);
        assert_int_equal(bench_count(&b, HF_DROP_IP_ADDRESS), 1);
        bad = good;
        bad.type = v6 ? 129 : 0; /* an answer that nobody asked for */
        send_ping(&b, &bad);
        bad.type = v6 ? 200 : 13; /* unknown, or about the time */
        send_ping(&b, &bad);
        assert_int_equal(bench_count(&b, HF_DROP_ICMP_IGNORED), 2);
        bad = good;
        bad.protocol = v6 ? HF_IP_PROTO_ICMP : HF_IP_PROTO_ICMPV6;
        send_ping(&b, &bad);
        bad.protocol = 17; /* UDP */
        send_ping(&b, &bad);
        assert_int_equal(bench_count(&b, HF_DROP_IP_PROTOCOL), 2);
        assert_true(bench_is_quiet(&b));
        bench_close(&b);
    }
}

/* The rate of ICMP answers, echo replies and refusals alike, and none at all. */
static void answers_keep_to_their_rate(void **state)
{
    (void)state;
    for (int64_t rate = 0; rate < 4; rate += 3) {
        struct bench b;
        bench_init(&b);
        b.config.icmp_rate = rate;
        bench_open(&b, false, 1);
        b.listener = bench_listen(&b, &(struct hf_listen){.port = 80, .held = true});
        struct ping ping = ping_of(&b, 8);
        for (int64_t i = 0; i < 5; i++) {
            send_ping(&b, &ping);
            assert_int_equal(answered(&b, &ping), i < rate);
        }
        assert_int_equal(bench_count(&b, HF_LIMIT_ICMP_RATE), 5 - rate);
        hf_peer_send(&b.peer, "S seq 0");
        hf_handle held = bench_event(&b, HF_EV_SYN);
        assert_int_equal(hf_refuse(b.rig.stack, held, HF_REFUSE_HOST_UNREACHABLE, bench_now(&b)),
                         HF_OK);
        hf_rig_pull(&b.rig);
        assert_int_equal(b.rig.caught_count, 0);
        hf_rig_wait(&b.rig, HF_SEC(1));
        send_ping(&b, &ping);
        assert_int_equal(answered(&b, &ping), rate > 0);
        bench_close(&b);
    }
}

/* Without a block for the bytes, or a place in the ring of answers, it stays without an answer. */
static void an_answer_without_room_is_counted(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    b.config.pool_bytes = 16 * b.config.block_bytes;
    b.config.send_buffer_bytes = b.config.pool_bytes;
    bench_open(&b, false, 1);
    bench_syn_rcvd(&b, HALF_OPEN, "<mss 1460>");
    hf_peer_send(&b.peer, ". ack 1");
    b.conn = bench_established(&b, HALF_OPEN);
    static uint8_t data[1 << 16];
    while (hf_send(b.rig.stack, b.conn, data, sizeof data, 0, bench_now(&b)) > 0)
        ;
    hf_rig_pull(&b.rig);
    hf_peer_skip(&b.peer);
    struct ping ping = ping_of(&b, 8), bare = ping_of(&b, 0);
    send_ping(&b, &ping);
    assert_false(answered(&b, &ping));
    assert_int_equal(bench_count(&b, HF_DROP_NO_BLOCK), 1);
    send_ping(&b, &bare); /* no bytes, no block */
    assert_true(answered(&b, &bare));
    bench_close(&b);
}

/* A burst in one call, of more questions than the ring has places for answers. */
static void a_full_ring_drops_answers(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    b.config.reply_ring = 16;
    bench_open(&b, false, 1);
    uint8_t bytes[20 + HF_ICMP_HEADER_BYTES] = {0};
    struct hf_ip ip = {.source = b.peer.here.addr,
                       .destination = b.peer.there.addr,
                       .version = 4,
                       .protocol = HF_IP_PROTO_ICMP,
                       .ttl = 64,
                       .payload_bytes = HF_ICMP_HEADER_BYTES};
    assert_int_equal(hf_ip_emit(&ip, bytes), 20);
    bytes[20] = 8;
    hf_put16(bytes + 22, hf_sum_checksum(hf_sum_bytes(0, bytes + 20, HF_ICMP_HEADER_BYTES)));
    struct hf_packet burst[20];
    for (size_t i = 0; i < HF_COUNT_OF(burst); i++)
        burst[i] = (struct hf_packet){.bytes = bytes, .length_bytes = sizeof bytes};
    hf_stack_input(b.rig.stack, burst, HF_COUNT_OF(burst), bench_now(&b));
    hf_rig_pull(&b.rig);
    assert_int_equal(b.rig.caught_count, 16);
    assert_int_equal(bench_count(&b, HF_DROP_REPLY_RING), 4);
    bench_close(&b);
}

/* ---- super-packets ---- */

/* A link that joins segments joins data: a SYN or RST with data is none of its making. */
static void a_super_packet_is_of_data_alone(void **state)
{
    (void)state;
    static const struct {
        uint8_t flags;
        uint32_t payload_bytes;
        bool refused;
    } rows[] = {
        {HF_SYN, 1000, true}, {HF_RST, 1000, true}, {HF_ACK, 1000, false}, {HF_SYN, 0, false}};
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, false, 1);
        struct hf_segment seg = {
            .source_port = b.peer.here.port,
            .destination_port = 80,
            .seq = 100,
            .ack = 1,
            .flags = rows[i].flags,
            .payload_bytes = rows[i].payload_bytes,
        };
        static uint8_t bytes[65536], payload[1000];
        uint32_t n = hf_peer_packet(&b.peer, &seg, payload, bytes);
        hf_rig_input(&b.rig, bytes, n, 500, 0);
        assert_int_equal(bench_count(&b, HF_DROP_SUPER_PACKET), rows[i].refused);
        assert_int_equal(bench_count(&b, HF_RST_NO_LISTENER), !rows[i].refused);
        bench_close(&b);
    }
}

/* ---- what is ours ---- */

static void addresses_are_checked_and_counted(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 1);
    struct hf_addr group = hf_addr_v4(224, 0, 0, 1), addr = hf_addr_v4(10, 9, 0, 0);
    assert_int_equal(hf_stack_add_address(b.rig.stack, &group, 24), HF_E_INVALID);
    assert_int_equal(hf_stack_add_address(b.rig.stack, &addr, 33), HF_E_INVALID);
    int err = HF_OK, count = 0;
    for (uint8_t k = 1; err == HF_OK; k++) {
        addr.octets[15] = k;
        err = hf_stack_add_address(b.rig.stack, &addr, 24);
        count += err == HF_OK;
        if (err == HF_OK)
            assert_int_equal(hf_stack_add_address(b.rig.stack, &addr, 24), HF_E_EXISTS);
    }
    assert_int_equal(err, HF_E_MEMORY);
    assert_int_equal(count, 16 - 2); /* the bench's own are two */
    addr.octets[15] = 1;
    assert_int_equal(hf_stack_add_address(b.rig.stack, &addr, 25), HF_E_MEMORY);
    bench_close(&b);
}

/* [RFC1122#3.2.1.3] (e): the last address of a network with room for one is nobody's; of a pair or
 * of a single address, and of a network of everything, it is one like others. */
static void a_directed_broadcast_is_of_nobody(void **state)
{
    (void)state;
    static const struct {
        unsigned bits;
        uint8_t last;
        bool broadcast;
    } rows[] = {{24, 255, true}, {24, 254, false}, {30, 3, true},   {31, 1, false},
                {32, 5, false},  {0, 255, false},  {24, 127, false}};
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, false, 1);
        struct hf_addr ours = hf_addr_v4(10, 9, 8, rows[i].bits == 32 ? 5 : 0);
        if (rows[i].bits == 24 || rows[i].bits == 30)
            ours.octets[15] = 1;
        assert_int_equal(hf_stack_add_address(b.rig.stack, &ours, rows[i].bits), HF_OK);
        b.peer.there.addr = hf_addr_v4(10, 9, 8, rows[i].last);
        hf_peer_send(&b.peer, "S seq 0");
        assert_int_equal(bench_count(&b, HF_DROP_IP_ADDRESS), rows[i].broadcast);
        assert_int_equal(hf_peer_pop(&b.peer), !rows[i].broadcast);
        /* The last address of a network that is not ours is an address. */
        b.peer.there.addr = hf_addr_v4(10, 10, 8, 255);
        hf_peer_send(&b.peer, "S seq 0");
        assert_int_equal(bench_count(&b, HF_DROP_IP_ADDRESS), rows[i].broadcast);
        bench_close(&b);
    }
}

/* Handles of another stack, of another kind, of an earlier life; reasons that there are none of. */
static void handles_of_others_are_refused(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 1);
    bench_syn_rcvd(&b, HALF_OPEN, "<mss 1460>");
    hf_peer_send(&b.peer, ". ack 1");
    b.conn = bench_established(&b, HALF_OPEN);
    struct hf_stack *s = b.rig.stack;
    uint8_t byte;
    size_t count;
    struct hf_slice slice;
    for (unsigned bit = 0; bit < 64; bit++) {
        hf_handle conn = b.conn ^ 1ull << bit, listener = b.listener ^ 1ull << bit;
        assert_int_equal(hf_receive(s, conn, &byte, 1, 0), HF_E_HANDLE);
        assert_int_equal(hf_receive_peek(s, conn, &slice, 1, &count), HF_E_HANDLE);
        assert_int_equal(hf_receive_consume(s, conn, 1, 0), HF_E_HANDLE);
        assert_int_equal(hf_send(s, conn, &byte, 1, 0, 0), HF_E_HANDLE);
        assert_int_equal(hf_send_commit(s, conn, 0, 0, 0), HF_E_HANDLE);
        assert_int_equal(hf_shutdown(s, conn, 0), HF_E_HANDLE);
        assert_int_equal(hf_close(s, listener, 0), HF_E_HANDLE);
    }
    assert_int_equal(hf_close(s, b.listener, 0), HF_OK);
    assert_int_equal(hf_close(s, b.listener, 0), HF_E_HANDLE);
    assert_int_equal(hf_stack_count(s, HF_REASON_COUNT), 0);
    bench_close(&b);
}

/* A RST has its own reason, for nobody as for a half-open entry: dropped there, accepted here. */
static void resets_are_counted_as_such(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 1000);
    hf_peer_send(&b.peer, "R seq 1");
    hf_peer_send(&b.peer, "R. seq 1 ack 1");
    assert_int_equal(bench_count(&b, HF_DROP_STRANGER_RST), 2);
    assert_int_equal(bench_count(&b, HF_RST_NO_LISTENER), 0);
    bench_listen(&b, &(struct hf_listen){.port = 80});
    hf_peer_send(&b.peer, "S seq 0 win 1000 <mss 1000>");
    assert_true(hf_peer_pop(&b.peer));
    assert_int_equal(bench_count(&b, HF_RST_IN_EXACT), 0);
    hf_peer_send(&b.peer, "R seq 1");
    assert_int_equal(bench_count(&b, HF_RST_IN_EXACT), 1);
    assert_true(bench_is_quiet(&b));
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resets_are_counted_as_such),
        cmocka_unit_test(an_echo_request_is_answered),
        cmocka_unit_test(what_is_no_question_to_us_is_not_answered),
        cmocka_unit_test(answers_keep_to_their_rate),
        cmocka_unit_test(an_answer_without_room_is_counted),
        cmocka_unit_test(a_full_ring_drops_answers),
        cmocka_unit_test(a_super_packet_is_of_data_alone),
        cmocka_unit_test(addresses_are_checked_and_counted),
        cmocka_unit_test(a_directed_broadcast_is_of_nobody),
        cmocka_unit_test(handles_of_others_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
