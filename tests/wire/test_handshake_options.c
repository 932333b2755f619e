/* What the two SYNs agree on: every mix of options, in both roles and in every way to open. */
#include "opening.h"

/** What one side puts on its SYN. */
struct offer {
    bool mss, wscale, sack, ts;
};

enum role { LISTENS, LISTENS_HELD, COOKIES, CONNECTS };

static struct offer offer_of(unsigned bits)
{
    return (struct offer){bits & 1, bits & 2, bits & 4, bits & 8};
}

static struct hf_segment syn_of(const struct bench *b, struct offer o, uint16_t flags)
{
    return (struct hf_segment){
        .seq = b->peer.iss,
        .ack = flags & HF_ACK ? b->peer.irs + 1 : 0,
        .flags = flags,
        .window = 5000,
        .has_mss = o.mss,
        .mss_bytes = 900,
        .has_wscale = o.wscale,
        .wscale = 3,
        .has_sack_permitted = o.sack,
        .has_timestamps = o.ts,
        .ts_value = 7000,
        .ts_echo = flags & HF_ACK ? b->peer.ts_recent : 0,
    };
}

static void expect_options(const struct hf_segment *seg, struct offer o, uint8_t wscale)
{
    assert_int_equal(seg->has_mss, o.mss);
    assert_int_equal(seg->has_wscale, o.wscale);
    assert_int_equal(seg->has_sack_permitted, o.sack);
    assert_int_equal(seg->has_timestamps, o.ts);
    if (o.wscale)
        assert_int_equal(seg->wscale, wscale);
}

static hf_handle open_passively(struct bench *b, enum role role, struct offer peer,
                                struct offer both)
{
    struct hf_listen listen = {.port = 80, .held = role == LISTENS_HELD};
    bench_listen(b, &listen);
    struct hf_segment syn = syn_of(b, peer, HF_SYN);
    hf_peer_send_segment(&b->peer, &syn, NULL);
    hf_handle conn = 0;
    if (role == LISTENS_HELD) {
        conn = bench_event(b, HF_EV_SYN);
        assert_int_equal(hf_admit(b->rig.stack, conn, 0), HF_OK);
        hf_rig_pull(&b->rig);
    }
    assert_true(hf_peer_expect(&b->peer, "S. seq 0 ack 1 win 65535"));
    expect_options(&b->peer.last.segment, both, 7);
    assert_int_equal(b->peer.last.segment.ts_echo, both.ts ? 7000 : 0);
    b->peer.timestamps = both.ts;
    b->peer.ts_base = 7000;
    hf_peer_send(&b->peer, ". seq 1 ack 1 win 1000");
    return role == LISTENS_HELD ? conn : bench_event(b, HF_EV_ACCEPTED);
}

static hf_handle open_actively(struct bench *b, struct offer own, struct offer peer)
{
    hf_handle conn = bench_connect(b);
    assert_true(hf_peer_expect(&b->peer, "S seq 0 win 65535"));
    assert_int_equal(b->peer.last.segment.ack, 0);
    expect_options(&b->peer.last.segment, own, 7);
    assert_int_equal(b->peer.last.segment.ts_echo, 0); /* [RFC7323#3.2] */
    struct hf_segment syn_ack = syn_of(b, peer, HF_SYN | HF_ACK);
    hf_peer_send_segment(&b->peer, &syn_ack, NULL);
    assert_true(hf_peer_expect(&b->peer, ". seq 1 ack 1"));
    assert_int_equal(b->peer.last.segment.has_timestamps, own.ts && peer.ts);
    b->peer.timestamps = own.ts && peer.ts;
    b->peer.ts_base = 7000;
    hf_peer_send(&b->peer, ". seq 1 ack 1 win 1000");
    return conn;
}

/* What was agreed shows in the numbers, and in the segments that follow. */
static void expect_agreed(struct bench *b, hf_handle conn, struct offer both, uint16_t mss)
{
    struct hf_info info = bench_info(b, conn);
    assert_int_equal(info.state, HF_ESTABLISHED);
    assert_int_equal(info.window_scale, both.wscale);
    assert_int_equal(info.snd_shift, both.wscale ? 3 : 0);
    assert_int_equal(info.rcv_shift, both.wscale ? 7 : 0);
    assert_int_equal(info.snd_wnd_bytes, both.wscale ? 8000 : 1000);
    assert_int_equal(info.sack, both.sack);
    assert_int_equal(info.timestamps, both.ts);
    assert_int_equal(info.snd_mss_bytes, mss);
    assert_int_equal(hf_send(b->rig.stack, conn, "x", 1, 0, bench_now(b)), 1);
    hf_rig_pull(&b->rig);
    assert_true(hf_peer_expect(&b->peer, "P. seq 1:2 ack 1"));
    const struct hf_segment *seg = &b->peer.last.segment;
    expect_options(seg, (struct offer){.ts = both.ts}, 0); /* [MUST-65] */
    uint32_t edge = (uint32_t)seg->window << info.rcv_shift;
    assert_true(edge >= 65535); /* what the SYN announced is not taken back */
    b->peer.ts_base = 9000;
    hf_peer_send(&b->peer, "P. seq 11:21 ack 1"); /* a gap */
    assert_true(hf_peer_expect(&b->peer, ". seq 2 ack 1"));
    assert_int_equal(b->peer.last.segment.sack_count, both.sack);
}

/* covers: MUST-4, MUST-14, MUST-15, MUST-65, SHLD-5, MAY-3, CO-7323-01, CO-7323-03, CO-7323-05,
 * CO-7323-07, CO-7323-16, CO-4987-05, CO-6928-05 */
static void every_mix_of_offers_is_answered_in_kind(void **state)
{
    (void)state;
    for (enum role role = LISTENS; role <= CONNECTS; role++)
        for (unsigned bits = 0; bits < 32; bits++) {
            bool v6 = bits & 16;
            struct offer peer = offer_of(bits), both = peer;
            both.mss = true; /* always sent by us */
            struct bench b;
            bench_init(&b);
            b.config.syn_cookies = role == COOKIES ? 2 : 0;
            bench_open(&b, v6, bench_isses[bits & 1]);
            if (role == COOKIES && !peer.ts)
                both.wscale = both.sack = false;             /* nothing would bring them back */
            uint16_t mss = peer.mss ? 900 : v6 ? 1220 : 536; /* [MUST-15] */
            if (role == COOKIES && peer.mss)
                mss = 536; /* the next lower one of the cookie's eight */
            hf_handle conn = role == CONNECTS
                                 ? open_actively(&b, (struct offer){true, true, true, true}, peer)
                                 : open_passively(&b, role, peer, both);
            assert_int_not_equal(conn, 0);
            expect_agreed(&b, conn, both, mss);
            bench_close(&b);
        }
}

/* covers: CO-7323-01, CO-7323-05, CO-7323-06: settings decide what is offered and what accepted */
static void settings_decide_what_is_offered(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 18; k++) {
        struct bench b;
        bench_init(&b);
        b.config.timestamps = k % 3;
        b.config.sack = (k / 3) % 3;
        b.config.window_scale = k / 9 ? 7 : -1;
        struct offer all = {true, true, true, true};
        struct offer accepts = {true, k / 9, b.config.sack != 0, b.config.timestamps != 0};
        struct offer offers = {true, k / 9, b.config.sack == 1, b.config.timestamps == 1};
        for (enum role role = LISTENS; role <= CONNECTS; role++) {
            b.config.syn_cookies = role == COOKIES ? 2 : 0;
            bench_open(&b, false, 1);
            struct offer both = role == CONNECTS ? offers : accepts;
            if (role == COOKIES && !both.ts)
                both.wscale = both.sack = false;
            hf_handle conn = role == CONNECTS ? open_actively(&b, offers, all)
                                              : open_passively(&b, role, all, both);
            expect_agreed(&b, conn, both, role == COOKIES ? 536 : 900);
            bench_close(&b);
        }
    }
}

/* covers: CO-7323-06: timestamps that nobody agreed on are no timestamps */
static void timestamps_out_of_the_blue_are_ignored(void **state)
{
    (void)state;
    for (enum role role = LISTENS; role <= CONNECTS; role++) {
        struct bench b;
        bench_init(&b);
        b.config.syn_cookies = role == COOKIES ? 2 : 0;
        b.config.timestamps = 0;
        bench_open(&b, false, 1);
        struct offer none = {true, false, false, false};
        hf_handle conn;
        if (role == CONNECTS) {
            conn = open_actively(&b, (struct offer){true, true, true, false}, none);
        } else {
            bench_listen(&b, &(struct hf_listen){.port = 80, .held = role == LISTENS_HELD});
            hf_peer_send(&b.peer, "S seq 0 <mss 900>");
            conn = bench_event(&b, HF_EV_SYN);
            if (role == LISTENS_HELD)
                assert_int_equal(hf_admit(b.rig.stack, conn, 0), HF_OK);
            hf_rig_pull(&b.rig);
            assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1 <mss 1460>"));
            hf_peer_send(&b.peer, ". seq 1 ack 1 <TS 50 0>");
            if (role != LISTENS_HELD)
                conn = bench_event(&b, HF_EV_ACCEPTED);
        }
        hf_peer_send(&b.peer, "P. seq 1:11 ack 1 <TS 50 0>");
        hf_peer_send(&b.peer, "P. seq 11:21 ack 1 <TS 49 0>");
        hf_peer_send(&b.peer, "P. seq 21:31 ack 1");
        hf_peer_skip(&b.peer);
        struct hf_info info = bench_info(&b, conn);
        assert_false(info.timestamps);
        assert_false(info.window_scale);
        assert_int_equal(info.receive_queue_bytes, 30);
        assert_false(b.peer.last.segment.has_timestamps);
        bench_close(&b);
    }
}

/* covers: CO-7323-02: larger shifts count as 14 */
static void shifts_above_14_count_as_14(void **state)
{
    (void)state;
    static const uint8_t shifts[] = {0, 1, 13, 14, 15, 16, 30, 255};
    for (enum role role = LISTENS; role <= CONNECTS; role++)
        for (size_t i = 0; i < sizeof shifts; i++) {
            struct bench b;
            bench_init(&b);
            b.config.syn_cookies = role == COOKIES ? 2 : 0;
            b.config.window_scale = 14;
            bench_open(&b, false, 1);
            struct offer all = {true, true, true, true};
            struct hf_segment syn = syn_of(&b, all, HF_SYN);
            hf_handle conn = 0;
            if (role == CONNECTS) {
                conn = bench_connect(&b);
                assert_true(hf_peer_expect(&b.peer, "S seq 0"));
                syn = syn_of(&b, all, HF_SYN | HF_ACK);
            } else {
                bench_listen(&b, &(struct hf_listen){.port = 80, .held = role == LISTENS_HELD});
            }
            syn.wscale = shifts[i];
            hf_peer_send_segment(&b.peer, &syn, NULL);
            if (role == LISTENS_HELD) {
                conn = bench_event(&b, HF_EV_SYN);
                assert_int_equal(hf_admit(b.rig.stack, conn, 0), HF_OK);
                hf_rig_pull(&b.rig);
            }
            assert_true(hf_peer_expect(&b.peer, role == CONNECTS ? "." : "S."));
            if (role != CONNECTS)
                assert_int_equal(b.peer.last.segment.wscale, 14);
            b.peer.timestamps = true;
            b.peer.ts_base = 8000;
            hf_peer_send(&b.peer, ". seq 1 ack 1 win 2");
            if (conn == 0)
                conn = bench_event(&b, HF_EV_ACCEPTED);
            uint32_t shift = shifts[i] > 14 ? 14 : shifts[i];
            assert_int_equal(bench_info(&b, conn).snd_shift, shift);
            assert_int_equal(bench_info(&b, conn).snd_wnd_bytes, 2u << shift);
            bench_close(&b);
        }
}

/* covers: MUST-15, MUST-16, CO-879-01, CO-879-02, CO-879-03, CO-879-04, CO-879-05, MUST-67,
 * UN-08 */
static void the_mss_option_bounds_segments_within_reason(void **state)
{
    (void)state;
    static const struct {
        const char *options;
        bool v6;
        uint32_t mss, segment; /**< taken from the option; sent */
    } cases[] = {
        {"<>", false, 536, 536},
        {"<>", true, 1220, 1220},
        {"<TS 1 0>", false, 536, 524},
        {"<TS 1 0>", true, 1220, 1208},
        {"<mss 0>", false, 64, 64},
        {"<mss 1>", true, 64, 64},
        {"<mss 63,TS 1 0>", false, 64, 52},
        {"<mss 64>", false, 64, 64},
        {"<mss 1000,TS 1 0>", true, 1000, 988},
        {"<mss 1460>", false, 1460, 1460},
        {"<mss 1461>", false, 1461, 1460},
        {"<mss 65535>", false, 65535, 1460},
        {"<mss 65535>", true, 65535, 1440},
        {"<mss 65535,TS 1 0>", true, 65535, 1428},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (enum form form = 0; form <= CROSSED; form++) {
            struct bench b;
            bench_init(&b);
            bench_open(&b, cases[i].v6, 1);
            bench_syn_rcvd(&b, form, cases[i].options);
            assert_int_equal(b.peer.last.segment.mss_bytes, cases[i].v6 ? 1440 : 1460);
            b.peer.timestamps = b.peer.last.segment.has_timestamps;
            hf_peer_send(&b.peer, ". seq 1 ack 1");
            hf_handle conn = bench_established(&b, form);
            assert_int_equal(bench_info(&b, conn).snd_mss_bytes, cases[i].mss);
            static const uint8_t bytes[3000];
            assert_int_equal(hf_send(b.rig.stack, conn, bytes, sizeof bytes, 0, 0), sizeof bytes);
            hf_rig_pull(&b.rig);
            assert_true(hf_peer_pop(&b.peer));
            assert_int_equal(b.peer.last.segment.payload_bytes, cases[i].segment);
            bench_close(&b);
        }
}

/* covers: MUST-67, SHLD-5, CO-879-01, CO-1191-11: our own MSS follows the link's MTU */
static void our_mss_is_the_mtu_less_fixed_headers(void **state)
{
    (void)state;
    static const int64_t mtus[] = {296, 576, 1280, 1500, 9000, 65535};
    for (size_t i = 0; i < sizeof mtus / sizeof mtus[0]; i++)
        for (unsigned k = 0; k < 4; k++) {
            struct bench b;
            bench_init(&b);
            b.config.mtu_bytes = mtus[i];
            bench_open(&b, k & 1, 1);
            if (k & 2) {
                bench_connect(&b);
            } else {
                bench_listen(&b, &(struct hf_listen){.port = 80});
                hf_peer_send(&b.peer, "S seq 0");
            }
            assert_true(hf_peer_pop(&b.peer));
            assert_true(b.peer.last.segment.has_mss);
            assert_int_equal(b.peer.last.segment.mss_bytes, mtus[i] - (k & 1 ? 60 : 40));
            bench_close(&b);
        }
}

/* covers: MUST-5, MUST-6, MUST-64, MUST-68: unknown options between known ones, unaligned */
static void unknown_options_are_skipped(void **state)
{
    (void)state;
    static const uint8_t options[] = {1,  254, 5, 9, 9, 9, 2, 4, 3, 132,
                                      77, 2,   1, 3, 3, 5, 1, 0, 0, 0};
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 1);
    bench_listen(&b, &(struct hf_listen){.port = 80});
    struct hf_segment syn = {.seq = 1, .flags = HF_SYN, .window = 100};
    uint8_t bytes[200];
    uint32_t n = hf_peer_packet(&b.peer, &syn, options, bytes);
    memcpy(bytes + n, options, sizeof options);
    bytes[32] = 0xA0;
    hf_put16(bytes + 2, (uint16_t)(n + sizeof options));
    hf_put16(bytes + 10, 0);
    hf_put16(bytes + 10, hf_sum_checksum(hf_sum_bytes(0, bytes, 20)));
    hf_rig_input(&b.rig, bytes, n + (uint32_t)sizeof options, 0, HF_PACKET_CSUM_VALID);
    b.peer.snd_nxt = 2;
    assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1 <mss 1460,wscale 7>"));
    hf_peer_send(&b.peer, ". seq 1 ack 1 win 10");
    struct hf_info info = bench_info(&b, bench_event(&b, HF_EV_ACCEPTED));
    assert_int_equal(info.snd_mss_bytes, 900);
    assert_int_equal(info.snd_wnd_bytes, 320);
    bench_close(&b);
}

/* Three pairs of hosts, which differ by one end from the first, in handshakes that take turns. The
 * offset of each is what it is when nobody else is there [RFC7323#5.4]. */
static void each_pair_of_hosts_has_its_offset(void **state)
{
    enum { PAIRS = 3 };
    uint32_t alone[PAIRS];
    (void)state;
    for (uint32_t k = 0; k <= PAIRS; k++) { /* the last time all of them */
        struct bench b;
        struct hf_peer peers[PAIRS];
        bench_init(&b);
        bench_open(&b, false, 1000);
        b.listener = bench_listen(&b, &(struct hf_listen){0});
        for (uint32_t i = 0; i < PAIRS; i++) {
            peers[i] = bench_peer(&b, i == 1 ? 9 : 2, (uint16_t)(4000 + i), 1000);
            peers[i].there.addr.octets[15] = i == 2 ? 9 : 1;
            peers[i].timestamps = true;
        }
        uint32_t from = k < PAIRS ? k : 0, to = k < PAIRS ? k + 1 : PAIRS;
        for (uint32_t i = from; i < to; i++)
            hf_peer_send(&peers[i], "S seq 0 win 1000 <mss 1460>");
        for (uint32_t i = from; i < to; i++)
            assert_true(hf_peer_expect(&peers[i], "S. seq 0 ack 1"));
        for (uint32_t i = from; i < to; i++) {
            hf_peer_send(&peers[i], ". seq 1 ack 1");
            uint32_t offset = bench_info(&b, bench_event(&b, HF_EV_ACCEPTED)).ts_offset;
            uint32_t now_ms = (uint32_t)(bench_now(&b) / HF_MS(1));
            assert_int_equal(peers[i].last.segment.ts_value - now_ms, offset);
            if (k < PAIRS)
                alone[i] = offset;
            assert_int_equal(offset, alone[i]);
        }
        bench_close(&b);
    }
    assert_true(alone[0] != alone[1] && alone[0] != alone[2] && alone[1] != alone[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_pair_of_hosts_has_its_offset),
        cmocka_unit_test(every_mix_of_offers_is_answered_in_kind),
        cmocka_unit_test(settings_decide_what_is_offered),
        cmocka_unit_test(timestamps_out_of_the_blue_are_ignored),
        cmocka_unit_test(shifts_above_14_count_as_14),
        cmocka_unit_test(the_mss_option_bounds_segments_within_reason),
        cmocka_unit_test(our_mss_is_the_mtu_less_fixed_headers),
        cmocka_unit_test(unknown_options_are_skipped),
    };
    return cmocka_run_group_tests_name("handshake_options", tests, NULL, NULL);
}
