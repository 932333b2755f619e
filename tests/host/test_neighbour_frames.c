/* What the table of neighbours makes of frames: whose they are, what is malformed, and noise. */
#include "support/test_random.h"

#include "neighbour_bench.h"

static void packets_are_told_from_messages(void **state)
{
    static const struct {
        const uint8_t *to;
        const char *address;
        enum hf_frame_fate fate;
    } rows[] = {
        {own_mac, "10.9.0.2", HF_FRAME_PACKET},    {own_mac, "fd09::2", HF_FRAME_PACKET},
        {own_mac, "10.9.0.3", HF_FRAME_FOREIGN},   {own_mac, "fd09::3", HF_FRAME_FOREIGN},
        {other_mac, "10.9.0.2", HF_FRAME_FOREIGN}, {other_mac, "fd09::2", HF_FRAME_FOREIGN},
        {all_mac, "10.9.0.2", HF_FRAME_FOREIGN}, /* [RFC1122#3.3.6] */
    };
    (void)state;
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++) {
        uint8_t frame[FRAME_BYTES], packet[60] = {0};
        struct hf_addr to = addr(rows[i].address);
        bool v4 = hf_addr_is_v4(&to);
        const struct hf_ip ip = {.source = addr(v4 ? "10.9.0.7" : "fd09::7"),
                                 .destination = to,
                                 .version = v4 ? 4 : 6,
                                 .protocol = HF_IP_PROTO_TCP,
                                 .ttl = 64,
                                 .payload_bytes = 20};
        size_t bytes = hf_ip_emit(&ip, packet) + 20;
        bytes = frame_make(frame, rows[i].to, peer_mac, v4 ? HF_ETHER_IPV4 : HF_ETHER_IPV6, packet,
                           bytes);
        assert_int_equal(rows[i].fate, hf_neighbours_input(n, frame, bytes, false, now));
        frame[12] = 0x88; /* another protocol */
        assert_int_equal(HF_FRAME_FOREIGN, hf_neighbours_input(n, frame, bytes, false, now));
    }
    expect_silence();
}

/* A good message with one thing wrong. */
struct wrong {
    const char *what;
    bool v6, answers;
    size_t at; /* in the frame */
    uint8_t value;
    bool sum_stays; /* the checksum is not mended */
};

static const struct wrong wrongs[] = {
    {"group as sender", false, false, 6, 0x03, false},
    {"hardware type", false, false, ARP_AT + 1, 6, false},
    {"protocol type", false, false, ARP_AT + 2, 0x86, false},
    {"hardware length", false, false, ARP_AT + 4, 8, false},
    {"protocol length", false, true, ARP_AT + 5, 16, false},
    {"MAC of a group", false, true, ARP_AT + 8, 0x01, false},
    {"sender is a group", false, true, ARP_AT + 14, 224, false},
    {"hop limit", true, false, 14 + 7, 254, false},
    {"version", true, false, 14, 0x40, false},
    {"payload beyond the frame", true, false, 14 + 5, 200, false},
    {"payload too short", true, false, 14 + 5, 23, false},
    {"code", true, false, 14 + 41, 1, false},
    {"checksum", true, false, 14 + 43, 0x5a, true},
    {"target is a group", true, false, 14 + 48, 0xff, false},
    {"option of no length", true, false, 14 + 65, 0, false},
    {"option beyond the end", true, false, 14 + 65, 2, false},
    {"option with the MAC of a group", true, false, 14 + 66, 1, false},
    {"source is a group", true, false, 14 + 8, 0xff, false},
    {"answer: hop limit", true, true, 14 + 7, 1, false},
    {"answer: code", true, true, 14 + 41, 9, false},
    {"answer: checksum", true, true, 14 + 42, 0x5a, true},
    {"answer: target is a group", true, true, 14 + 48, 0xff, false},
    {"answer: solicited, to a group", true, true, 14 + 24, 0xff, false},
    {"answer: option of no length", true, true, 14 + 65, 0, false},
};

static void mend_sum(uint8_t *packet)
{
    struct hf_addr from, to;
    uint16_t bytes = hf_get16(packet + 4);
    if (bytes > 32)
        return;
    memcpy(from.octets, packet + 8, 16);
    memcpy(to.octets, packet + 24, 16);
    hf_put16(packet + 42, 0);
    hf_sum sum = hf_ip_pseudo_sum(&from, &to, 58, bytes);
    hf_put16(packet + 42, hf_sum_checksum(hf_sum_bytes(sum, packet + 40, bytes)));
}

static void malformed_messages_change_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < HF_COUNT_OF(wrongs); i++) {
        const struct wrong *w = &wrongs[i];
        const char *peer = w->v6 ? "fd09::7" : "10.9.0.7", *own = w->v6 ? "fd09::2" : "10.9.0.2";
        uint8_t frame[FRAME_BYTES];
        (void)find(peer, NULL);
        (void)drain();
        uint64_t learned = stats().learned;
        size_t bytes = message_make(frame, own_mac, peer_mac, w->answers, peer, own);
        frame[w->at] = w->value;
        if (w->v6 && !w->sum_stays)
            mend_sum(frame + HF_ETHER_HEADER_BYTES);
        enum hf_frame_fate fate = hf_neighbours_input(n, frame, bytes, false, now);
        if (fate != HF_FRAME_MALFORMED)
            fail_msg("%s: fate %d", w->what, fate);
        assert_int_equal(learned, stats().learned);
        expect_silence();
    }
}

/* An IPv6 message about an address in mapped form would be one about an IPv4 neighbour. */
static void a_mapped_address_is_malformed(void **state)
{
    enum { TARGET_AT = HF_ETHER_HEADER_BYTES + HF_IPV6_HEADER_BYTES + 8 };
    uint8_t frame[FRAME_BYTES];
    struct hf_addr mapped = addr("10.9.0.7");
    (void)state;
    assert_int_equal(HF_WAY_ASKED, find("10.9.0.7", NULL));
    answer_from(peer_mac, "10.9.0.7");
    size_t bytes = message_make(frame, own_mac, other_mac, true, "fd09::7", "fd09::2");
    memcpy(frame + TARGET_AT, mapped.octets, sizeof mapped.octets);
    mend_sum(frame + HF_ETHER_HEADER_BYTES);
    assert_int_equal(HF_FRAME_MALFORMED, hf_neighbours_input(n, frame, bytes, false, now));
    assert_int_equal(HF_WAY_KNOWN, find("10.9.0.7", peer_mac));
}

static void cut_messages_are_malformed(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        uint8_t frame[FRAME_BYTES];
        size_t whole = message_make(frame, own_mac, peer_mac, false, v6 ? "fd09::7" : "10.9.0.7",
                                    v6 ? "fd09::2" : "10.9.0.2");
        for (size_t bytes = 0; bytes < whole; bytes++) {
            uint8_t *cut = malloc(bytes + 1); /* its end is watched */
            assert_non_null(cut);
            memcpy(cut, frame, bytes);
            /* A bare IPv6 header is no message yet, and goes to a group. */
            bool is_header = v6 && bytes == HF_ETHER_HEADER_BYTES + HF_IPV6_HEADER_BYTES;
            assert_int_equal(is_header ? HF_FRAME_FOREIGN : HF_FRAME_MALFORMED,
                             hf_neighbours_input(n, cut, bytes, false, now));
            free(cut);
        }
        assert_int_equal(HF_FRAME_TAKEN, hf_neighbours_input(n, frame, whole, false, now));
        assert_int_equal(1, drain());
    }
}

static void router_messages_are_passed_over(void **state)
{
    (void)state;
    static const uint8_t types[] = {133, 134, 137};
    for (size_t i = 0; i < HF_COUNT_OF(types); i++) {
        uint8_t frame[FRAME_BYTES];
        size_t bytes = message_make(frame, own_mac, peer_mac, false, "fd09::7", "fd09::2");
        frame[14 + 40] = types[i];
        assert_int_equal(HF_FRAME_TAKEN, hf_neighbours_input(n, frame, bytes, true, now));
    }
    expect_silence();
    assert_int_equal(0, stats().learned);
}

/* Whatever comes, in any order with packets and time, what is kept stays bounded. */
static void noise_does_no_harm(void **state)
{
    struct test_random r = test_random_make("noise_does_no_harm", 20261130);
    (void)state;
    for (uint32_t i = test_random_rounds(30000); i > 0; i--) {
        uint8_t frame[FRAME_BYTES];
        char peer[32];
        bool v6 = test_random_below(&r, 2) != 0;
        (void)snprintf(peer, sizeof peer, v6 ? "fd09::%u" : "10.9.0.%u",
                       10 + test_random_below(&r, 80));
        size_t bytes = message_make(frame, own_mac, peer_mac, test_random_below(&r, 2) != 0, peer,
                                    v6 ? "fd09::2" : "10.9.0.2");
        for (size_t k = test_random_below(&r, 3); k > 0; k--)
            frame[test_random_below(&r, (uint32_t)bytes)] = (uint8_t)test_random_below(&r, 256);
        bytes -= test_random_below(&r, 20) == 0 ? test_random_below(&r, (uint32_t)bytes) : 0;
        (void)hf_neighbours_input(n, frame, bytes, test_random_below(&r, 2) != 0, now);
        if (find(peer, NULL) == HF_WAY_ASKED)
            keep(peer, 1, 60 + test_random_below(&r, 60000));
        if (test_random_below(&r, 4) == 0)
            (void)drain();
        pass((hf_ns)test_random_below(&r, (uint32_t)HF_MS(200)));
        assert_true(hf_neighbours_deadline(n) > now);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_mapped_address_is_malformed),     CASE(packets_are_told_from_messages),
        CASE(malformed_messages_change_nothing), CASE(cut_messages_are_malformed),
        CASE(router_messages_are_passed_over),   CASE(noise_does_no_harm),
    };
    return cmocka_run_group_tests_name("neighbour_frames", tests, NULL, NULL);
}
