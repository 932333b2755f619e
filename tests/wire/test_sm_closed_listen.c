/* CLOSED and LISTEN, row by row: what becomes of segments that belong to no connection. */
#include "opening.h"

/** A segment that comes in, and what is answered (NULL: nothing). */
struct row {
    const char *name, *send, *answer;
};

/* Rows are about numbers as on the wire: there is no handshake they could be relative to. */
static void play_all(const struct row *rows, size_t count, const struct hf_listen *listen)
{
    for (size_t i = 0; i < count; i++)
        for (unsigned v6 = 0; v6 < 2; v6++) {
            struct bench b;
            bench_init(&b);
            bench_open(&b, v6, 0);
            b.peer.absolute = true;
            if (listen != NULL)
                bench_listen(&b, listen);
            hf_peer_send(&b.peer, rows[i].send);
            bool good = rows[i].answer == NULL || hf_peer_expect(&b.peer, rows[i].answer);
            if (!good || !hf_peer_expect_nothing(&b.peer))
                fail_msg("%s, %s", rows[i].name, v6 ? "IPv6" : "IPv4");
            assert_true(bench_is_quiet(&b));
            assert_int_equal(hf_peer_state(&b.peer), HF_CLOSED);
            assert_int_equal(bench_sizes(&b).connections + bench_sizes(&b).half_open, 0);
            assert_int_equal(bench_sizes(&b).listeners, listen != NULL);
            bench_close(&b);
        }
}
#define PLAY(rows, listen) play_all((rows), sizeof(rows) / sizeof((rows)[0]), (listen))

/* covers: SM-CLO-1-rst, UN-03: never a RST for a RST */
static void a_rst_to_nobody_is_dropped(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"RST", "R seq 5", NULL},
        {"RST,ACK", "R. seq 5 ack 9", NULL},
        {"with SYN", "SR seq 5", NULL},
        {"with data", "R. seq 5:50 ack 1", NULL},
    };
    PLAY(rows, NULL);
}

/* covers: SM-CLO-2-noack, SM-CLO-8-fin-early, UN-02, UN-03 [RFC9293#3.5.2] group 1 */
static void without_ack_the_rst_acknowledges_the_segment(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"SYN", "S seq 1000", "R. seq 0 ack 1001 win 0 <>"},
        {"SYN with options", "S seq 7 <mss 1460,TS 5 0>", "R. seq 0 ack 8"},
        {"SYN and data", "S seq 1000:1010", "R. seq 0 ack 1011"},
        {"SYN and FIN", "SF seq 1000", "R. seq 0 ack 1002"},
        {"SYN, data and FIN", "SF seq 1000:1100", "R. seq 0 ack 1102"},
        {"data", "P seq 1000:1010", "R. seq 0 ack 1010"},
        {"FIN", "F seq 1000", "R. seq 0 ack 1001"},
        {"nothing", "- seq 1000", "R. seq 0 ack 1000"},
        {"wraps", "S seq 4294967295", "R. seq 0 ack 0"},
        {"data wraps", "P seq 4294967290:4294967300", "R. seq 0 ack 4"},
        {"every other flag", "FSPUEWA seq 3 urg 1", "R. seq 0 ack 5"},
    };
    PLAY(rows, NULL);
}

/* covers: SM-CLO-3-ack, SM-CLO-8-fin-early, UN-03 [RFC9293#3.5.2] group 1 */
static void with_ack_the_rst_stands_where_the_ack_points(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"ACK", ". seq 5 ack 77", "R seq 77 ack 0 win 0 <>"},
        {"SYN,ACK", "S. seq 5 ack 4294967295", "R seq 4294967295"},
        {"data", "P. seq 5:50 ack 0", "R seq 0"},
        {"FIN", "F. seq 5 ack 123456789", "R seq 123456789"},
    };
    PLAY(rows, NULL);
}

/* covers: SM-LIS-1-rst, SM-LIS-4-other, SM-LIS-8-fin-early */
static void a_listener_drops_what_opens_nothing(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"RST", "R seq 5", NULL},
        {"RST,ACK", "R. seq 5 ack 9", NULL},
        {"RST,SYN", "SR seq 5", NULL},
        {"nothing", "- seq 5", NULL},
        {"data", "P seq 5:50", NULL},
        {"FIN", "F seq 5", NULL},
        {"FIN and data", "FP seq 5:50", NULL},
    };
    PLAY(rows, (&(struct hf_listen){.port = 80}));
    PLAY(rows, (&(struct hf_listen){.port = 80, .held = true}));
}

/* covers: SM-LIS-2-ack, UN-03 [RFC9293#3.5.2] group 2 */
static void an_ack_to_a_listener_draws_a_rst(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"ACK", ". seq 5 ack 77", "R seq 77 win 0 <>"},
        {"SYN,ACK", "S. seq 5 ack 1", "R seq 1"},
        {"data", "P. seq 5:50 ack 0", "R seq 0"},
        {"FIN", "F. seq 5 ack 1234", "R seq 1234"},
        {"everything but RST", "FSPU. seq 5:50 ack 9", "R seq 9"},
    };
    PLAY(rows, (&(struct hf_listen){.port = 80}));
    PLAY(rows, (&(struct hf_listen){.port = 80, .held = true}));
}

/* covers: SM-LIS-3-syn, MUST-11, SM-LIS-8-fin-early: text and FIN of the SYN come again later */
static void a_syn_to_a_listener_is_answered(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"bare", "S seq 0 win 10", "0.000 S. seq 0 ack 1 win 65535"},
        {"data", "SP seq 0:100", "S. seq 0 ack 1"},
        {"FIN", "SF seq 0", "S. seq 0 ack 1"},
        {"flags of no concern", "SPU seq 0 urg 7", "S. seq 0 ack 1"},
    };
    for (size_t i = 0; i < 4; i++)
        for (unsigned k = 0; k < 4; k++) {
            struct bench b;
            bench_init(&b);
            bench_open(&b, k >> 1, bench_isses[k & 1]);
            b.listener = bench_listen(&b, &(struct hf_listen){.port = 80, .tag = 77});
            hf_peer_send(&b.peer, rows[i].send);
            assert_true(hf_peer_expect(&b.peer, rows[i].answer));
            assert_true(bench_is_quiet(&b)); /* nobody is told yet */
            assert_int_equal(hf_peer_state(&b.peer), HF_SYN_RCVD);
            assert_int_equal(bench_sizes(&b).half_open, 1);
            assert_int_equal(bench_sizes(&b).connections, 0);
            hf_peer_send(&b.peer, "P. seq 1:11 ack 1"); /* again what the SYN carried, maybe */
            assert_true(hf_peer_expect(&b.peer, ". seq 1 ack 11"));
            struct hf_event e = hf_rig_event(&b.rig);
            assert_int_equal(e.bits, HF_EV_ACCEPTED | HF_EV_READABLE);
            assert_int_equal(e.listener, b.listener);
            assert_int_equal(e.tag, 77);
            struct hf_info info = bench_info(&b, e.handle);
            assert_int_equal(info.remote.port, 4000);
            assert_true(hf_addr_equal(&info.remote.addr, &b.peer.here.addr));
            assert_int_equal(info.receive_queue_bytes, 10);
            bench_close(&b);
        }
}

/* covers: SM-CLO-0-csum, SM-LIS-0-csum, MUST-3, MUST-7 */
static void what_is_broken_leaves_no_mark(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 4; k++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, k & 1, 9);
        if (k & 2)
            bench_listen(&b, &(struct hf_listen){.port = 80});
        for (uint16_t bit = 0; bit < 16; bit++) {
            b.peer.add_to_checksum = (uint16_t)(1u << bit);
            hf_peer_send(&b.peer, "S seq 0");
            hf_peer_send(&b.peer, ". seq 1 ack 1");
        }
        b.peer.add_to_checksum = 0;
        struct hf_segment seg = {.seq = 9, .flags = HF_SYN, .has_mss = true, .mss_bytes = 1};
        uint8_t bytes[200];
        uint32_t n = hf_peer_packet(&b.peer, &seg, NULL, bytes);
        uint8_t *tcp = &bytes[n - 24];
        for (unsigned offset = 0; offset < 16; offset++) {
            tcp[12] = (uint8_t)(offset << 4);
            if (offset != 5 && offset != 6)
                hf_rig_input(&b.rig, bytes, n, 0, HF_PACKET_CSUM_VALID);
        }
        assert_int_equal(bench_count(&b, HF_DROP_TCP_HEADER), 14);
        tcp[12] = 0x60;
        for (uint8_t length = 0; length < 2; length++) {
            tcp[21] = length;
            hf_rig_input(&b.rig, bytes, n, 0, HF_PACKET_CSUM_VALID);
        }
        assert_int_equal(bench_count(&b, HF_DROP_TCP_OPTION), 2);
        assert_int_equal(bench_count(&b, HF_DROP_TCP_CHECKSUM), 32);
        assert_true(bench_is_quiet(&b));
        assert_int_equal(bench_sizes(&b).half_open, 0);
        bench_close(&b);
    }
}

/* covers: SM-CLO-0-mcast, SM-LIS-0-mcast, MUST-57, MUST-63, CO-1122-05, CO-1122-08 */
static void group_and_odd_addresses_are_nobodys(void **state)
{
    (void)state;
    struct hf_addr odd[] = {
        hf_addr_v4(224, 0, 0, 1),
        hf_addr_v4(239, 255, 255, 255),
        hf_addr_v4(255, 255, 255, 255),
        hf_addr_v4(0, 0, 0, 0),
        hf_addr_v4(10, 7, 255, 255), /* of our own prefix */
        {{0xFF, 2, [15] = 1}},       /* IPv6: multicast, unspecified */
        {{0}},
    };
    for (size_t i = 0; i < 2 * sizeof odd / sizeof odd[0]; i++)
        for (unsigned listens = 0; listens < 2; listens++) {
            struct bench b;
            bench_init(&b);
            bench_open(&b, !hf_addr_is_v4(&odd[i / 2]), 9);
            struct hf_addr own = hf_addr_v4(10, 7, 0, 1);
            assert_int_equal(hf_stack_add_address(b.rig.stack, &own, 16), HF_OK);
            if (listens)
                bench_listen(&b, &(struct hf_listen){.port = 80});
            *(i & 1 ? &b.peer.here.addr : &b.peer.there.addr) = odd[i / 2];
            hf_peer_send(&b.peer, "S seq 0");
            hf_peer_send(&b.peer, ". seq 1 ack 1");
            hf_peer_send(&b.peer, "F seq 1");
            assert_int_equal(bench_count(&b, HF_DROP_IP_ADDRESS), 3);
            assert_true(bench_is_quiet(&b));
            bench_close(&b);
        }
}

/* covers: SM-CLO-2-noack, SM-LIS-3-syn: port 0 is no port, and a foreign address is not ours to
 * refuse */
static void port_0_and_foreign_addresses_get_no_answer(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, v6, 9);
        struct hf_peer p = b.peer;
        p.here.port = 0;
        hf_peer_send(&p, "S seq 0");
        p = b.peer;
        p.there.port = 0;
        hf_peer_send(&p, "S seq 0");
        bench_listen(&b, &(struct hf_listen){.port = 0}); /* any port: still not 0 */
        hf_peer_send(&p, "S seq 0");
        assert_int_equal(bench_count(&b, HF_DROP_TCP_PORT), 3);
        bench_close(&b);
        bench_open(&b, v6, 9);
        b.peer.there.addr.octets[15] = 99;
        hf_peer_send(&b.peer, "S seq 0");
        hf_peer_send(&b.peer, ". seq 1 ack 1");
        hf_peer_send(&b.peer, "R seq 1");
        assert_int_equal(bench_count(&b, HF_DROP_NOT_OURS), 3);
        assert_true(bench_is_quiet(&b));
        bench_close(&b);
    }
}

/* covers: SM-CLO-2-noack: as many RSTs as the setting allows, and none at 0 */
static void rsts_to_strangers_keep_to_their_rate(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    b.config.rst_rate = 10;
    bench_open(&b, false, 9);
    for (int second = 0; second < 3; second++) {
        size_t answers = 0;
        for (int i = 0; i < 30; i++) {
            hf_peer_send(&b.peer, "S seq 0");
            answers += hf_peer_skip(&b.peer);
        }
        assert_int_equal(answers, 10);
        hf_rig_wait(&b.rig, HF_SEC(1));
    }
    assert_int_equal(bench_count(&b, HF_LIMIT_RST_RATE), 60);
    assert_int_equal(bench_count(&b, HF_DROP_STRANGER_SILENT), 60);
    assert_int_equal(bench_count(&b, HF_RST_NO_LISTENER), 30);
    hf_rig_wait(&b.rig, HF_SEC(1));
    for (int i = 0; i < 40; i++) { /* spread out over a second: each tenth of it brings one back */
        hf_peer_send(&b.peer, "S seq 0");
        hf_rig_wait(&b.rig, HF_MS(25));
    }
    assert_in_range(hf_peer_skip(&b.peer), 19, 20);
    bench_close(&b);

    b.config.rst_rate = 0;
    bench_open(&b, false, 9);
    bench_listen(&b, &(struct hf_listen){.port = 81});
    hf_peer_send(&b.peer, "S seq 0");
    hf_peer_send(&b.peer, ". seq 0 ack 1");
    b.peer.there.port = 81;
    hf_peer_send(&b.peer, ". seq 0 ack 1");
    assert_true(bench_is_quiet(&b));
    bench_close(&b);
}

/* covers: MUST-2, MUST-49: a stranger's RST has good checksums, and TTL and DF of the settings */
static void answers_to_strangers_are_good_packets(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 4; k++) {
        struct bench b;
        bench_init(&b);
        b.config.ttl = 33;
        b.config.dont_fragment = k >> 1;
        bench_open(&b, k & 1, 9);
        hf_peer_send(&b.peer, "S seq 0:7");
        assert_true(hf_peer_expect(&b.peer, "R. seq 0 ack 8"));
        assert_int_equal(b.peer.last.ip.ttl, 33);
        assert_int_equal(b.peer.last.ip.payload_bytes, 20);
        if (!(k & 1))
            assert_int_equal(b.peer.last.ip.dont_fragment, k >> 1);
        bench_close(&b); /* fails on a wrong checksum */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rst_to_nobody_is_dropped),
        cmocka_unit_test(without_ack_the_rst_acknowledges_the_segment),
        cmocka_unit_test(with_ack_the_rst_stands_where_the_ack_points),
        cmocka_unit_test(a_listener_drops_what_opens_nothing),
        cmocka_unit_test(an_ack_to_a_listener_draws_a_rst),
        cmocka_unit_test(a_syn_to_a_listener_is_answered),
        cmocka_unit_test(what_is_broken_leaves_no_mark),
        cmocka_unit_test(group_and_odd_addresses_are_nobodys),
        cmocka_unit_test(port_0_and_foreign_addresses_get_no_answer),
        cmocka_unit_test(rsts_to_strangers_keep_to_their_rate),
        cmocka_unit_test(answers_to_strangers_are_good_packets),
    };
    return cmocka_run_group_tests_name("sm_closed_listen", tests, NULL, NULL);
}
