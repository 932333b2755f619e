/**
 * Address resolution by frames alone, in virtual time: questions, answers, what is believed and
 * what is not, packets that wait, silence and floods.
 */
#include "neighbour_bench.h"

/* ---- asking --------------------------------------------------------------------------------- */

static void a_question_has_the_bytes_of_the_rfc(void **state)
{
    static const uint8_t expected[HF_ARP_BYTES] = {0,  1, 8, 0, 6, 4, 0, 1, 2, 0, 0,  0, 0, 1,
                                                   10, 9, 0, 2, 0, 0, 0, 0, 0, 0, 10, 9, 0, 7};
    static const uint8_t group_mac[] = {0x33, 0x33, 0xff, 0, 0, 7};
    struct hf_ether_frame f;
    (void)state;
    assert_int_equal(HF_WAY_ASKED, find("10.9.0.7", NULL));
    assert_true(hf_neighbours_output(n, &f));
    assert_int_equal(sizeof expected, f.packet.length_bytes);
    assert_memory_equal(expected, f.packet.header, sizeof expected);
    hf_neighbours_sent(n);
    assert_int_equal(HF_WAY_ASKED, find("fd09::7", NULL));
    assert_true(hf_neighbours_output(n, &f));
    const uint8_t *p = f.packet.header;
    assert_memory_equal(group_mac, f.to, sizeof group_mac);
    assert_int_equal(72, f.packet.length_bytes);
    assert_int_equal(255, p[7]);
    assert_memory_equal("\xff\x02\0\0\0\0\0\0\0\0\0\1\xff\0\0\7", p + 24, 16);
    assert_int_equal(135, p[40]);
    assert_memory_equal("\1\1\2\0\0\0\0\1", p + 64, 8); /* the source's MAC */
}

static void packets_wait_for_the_answer(void **state)
{
    static const char *const whom[] = {"10.9.0.7", "fd09::7"};
    static const uint8_t group_mac[] = {0x33, 0x33, 0xff, 0, 0, 7};
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(HF_WAY_ASKED, find(whom[i], NULL));
        keep(whom[i], 1, 60);
        assert_int_equal(HF_WAY_ASKED, find(whom[i], NULL));
        keep(whom[i], 2, 1500);
        expect_question(whom[i], i ? group_mac : all_mac);
        expect_silence();
        answer_from(peer_mac, whom[i]);
        expect_packet(1, 60, peer_mac);
        expect_packet(2, 1500, peer_mac);
        expect_silence();
        assert_int_equal(HF_WAY_KNOWN, find(whom[i], peer_mac));
    }
    pass(HF_SEC(1)); /* when the question would be repeated */
    expect_silence();
    assert_int_equal(HF_NEVER, hf_neighbours_deadline(n));
    assert_int_equal(0, stats().packets_lost);
    assert_int_equal(2, stats().questions);
}

static void a_lost_question_is_repeated_each_second(void **state)
{
    (void)state;
    assert_int_equal(HF_WAY_ASKED, find("10.9.0.7", NULL));
    keep("10.9.0.7", 1, 60);
    expect_question("10.9.0.7", all_mac);
    for (int i = 1; i < 3; i++) {
        assert_int_equal(now + HF_SEC(1), hf_neighbours_deadline(n));
        pass(HF_SEC(1) - 1);
        for (int k = 0; k < 5; k++) /* more packets ask no more often */
            assert_int_equal(HF_WAY_ASKED, find("10.9.0.7", NULL));
        expect_silence();
        pass(1);
        expect_question("10.9.0.7", all_mac);
    }
    answer_from(peer_mac, "10.9.0.7");
    expect_packet(1, 60, peer_mac);
    assert_int_equal(0, stats().silent);
}

static void who_keeps_silent_is_forgotten(void **state)
{
    (void)state;
    assert_int_equal(HF_WAY_ASKED, find("10.9.0.7", NULL));
    keep("10.9.0.7", 1, 60);
    pass(HF_SEC(1));
    pass(HF_SEC(1));
    assert_int_equal(3, drain());
    pass(HF_SEC(1));
    assert_int_equal(1, stats().silent);
    assert_int_equal(1, stats().packets_lost);
    assert_int_equal(HF_NEVER, hf_neighbours_deadline(n));
    answer_from(peer_mac, "10.9.0.7"); /* too late: nobody waits for it */
    expect_silence();
    assert_int_equal(1, stats().unasked);
    assert_int_equal(HF_WAY_ASKED, find("10.9.0.7", NULL)); /* anew */
    expect_question("10.9.0.7", all_mac);
}

/* [RFC1122#2.3.2.2] */
static void the_newest_packets_are_kept(void **state)
{
    (void)state;
    for (uint8_t i = 1; i <= 5; i++) {
        assert_int_equal(HF_WAY_ASKED, find("10.9.0.7", NULL));
        keep("10.9.0.7", i, 100);
    }
    assert_int_equal(1, drain());
    answer_from(peer_mac, "10.9.0.7");
    for (uint8_t i = 3; i <= 5; i++)
        expect_packet(i, 100, peer_mac);
    expect_silence();
    assert_int_equal(2, stats().packets_lost);
}

static void what_waits_is_bounded(void **state)
{
    char text[32];
    size_t sent = 0;
    (void)state;
    for (int i = 10; i < 40; i++) { /* 30 times 65 KB wait, a megabyte is kept */
        (void)snprintf(text, sizeof text, "10.9.0.%d", i);
        assert_int_equal(HF_WAY_ASKED, find(text, NULL));
        keep(text, 1, 65000);
    }
    assert_int_equal(30, drain());
    for (int i = 10; i < 40; i++) {
        (void)snprintf(text, sizeof text, "10.9.0.%d", i);
        answer_from(peer_mac, text);
        sent += drain();
    }
    assert_int_equal(HF_NEIGHBOURS_KEPT_BYTES / 65000, sent);
    assert_int_equal(30 - sent, stats().packets_lost);
}

static void questions_are_limited(void **state)
{
    char text[32];
    size_t asked = 0;
    (void)state;
    for (int i = 0; i < 250; i++) {
        (void)snprintf(text, sizeof text, "10.9.0.%d", i + 3);
        asked += find(text, NULL) == HF_WAY_ASKED;
    }
    assert_in_range(asked, 32, 33);
    assert_int_equal(250 - asked, stats().packets_lost);
    now += HF_MS(100);
    asked = 0;
    for (int i = 100; i < 200; i++) {
        (void)snprintf(text, sizeof text, "10.9.0.%d", i);
        asked += find(text, NULL) == HF_WAY_ASKED;
    }
    assert_in_range(asked, 9, 11);
}

/* ---- the way -------------------------------------------------------------------------------- */

static void what_is_far_goes_to_the_gateway(void **state)
{
    (void)state;
    assert_int_equal(HF_WAY_ASKED, find("192.0.2.1", NULL));
    keep("192.0.2.1", 1, 60);
    expect_question("10.9.0.1", all_mac);
    answer_from(peer_mac, "10.9.0.1");
    expect_packet(1, 60, peer_mac);
    assert_int_equal(HF_WAY_KNOWN, find("198.51.100.7", peer_mac));
    assert_int_equal(HF_WAY_KNOWN, find("10.9.0.1", peer_mac));
    assert_int_equal(HF_WAY_NOWHERE, find("2001:db8::1", NULL)); /* no gateway for IPv6 */
    assert_int_equal(1, stats().packets_lost);
    expect_silence();
}

static void link_local_is_near(void **state)
{
    static const uint8_t group_mac[] = {0x33, 0x33, 0xff, 0, 0, 0x17};
    (void)state;
    assert_int_equal(HF_WAY_ASKED, find("fe80::17", NULL));
    expect_question("fe80::17", group_mac);
}

static void nobody_to_ask(void **state)
{
    static const char *const whom[] = {"10.9.0.2", "fd09::2", "224.0.0.1", "ff02::1", "0.0.0.0"};
    (void)state;
    for (size_t i = 0; i < HF_COUNT_OF(whom); i++)
        assert_int_equal(HF_WAY_NOWHERE, find(whom[i], NULL));
    expect_silence();
}

/* ---- answering ------------------------------------------------------------------------------ */

static void our_addresses_are_announced(void **state)
{
    static const uint8_t nodes_mac[] = {0x33, 0x33, 0, 0, 0, 1};
    struct hf_ether_frame f;
    (void)state;
    hf_neighbours_free(n);
    open_as(false);
    assert_true(hf_neighbours_output(n, &f));
    assert_memory_equal(all_mac, f.to, sizeof f.to);
    assert_int_equal(1, f.packet.header[7]); /* a request that nobody answers [RFC5227#3] */
    assert_memory_equal("\x0a\x09\0\2", f.packet.header + 14, 4);
    assert_memory_equal("\x0a\x09\0\2", f.packet.header + 24, 4);
    hf_neighbours_sent(n);
    assert_true(hf_neighbours_output(n, &f));
    assert_int_equal(0x20, f.packet.header[44]); /* override, not solicited */
    expect_answer("fd09::2", nodes_mac);
    expect_silence();
    hf_neighbours_free(n);
    open_as(true);
    expect_silence(); /* another link does it */
    assert_int_equal(HF_FRAME_TAKEN, hear(all_mac, peer_mac, false, "10.9.0.7", "10.9.0.2"));
    expect_silence();
    assert_int_equal(HF_WAY_KNOWN, find("10.9.0.7", peer_mac)); /* but it has heard */
}

static void who_asks_for_us_is_answered_and_known(void **state)
{
    static const char *const whom[] = {"10.9.0.7", "fd09::7"};
    static const char *const us[] = {"10.9.0.2", "fd09::2"};
    static const uint8_t group_mac[] = {0x33, 0x33, 0xff, 0, 0, 2};
    (void)state;
    for (int i = 0; i < 2; i++) {
        const uint8_t *to = i ? group_mac : all_mac;
        assert_int_equal(HF_FRAME_TAKEN, hear(to, peer_mac, false, whom[i], us[i]));
        expect_answer(us[i], peer_mac);
        expect_silence();
        /* Only heard of: it is used, and asked whether it is right. */
        assert_int_equal(HF_WAY_KNOWN, find(whom[i], peer_mac));
        expect_question(whom[i], peer_mac);
        answer_from(peer_mac, whom[i]);
        assert_int_equal(HF_WAY_KNOWN, find(whom[i], peer_mac));
        expect_silence();
    }
}

static void others_are_not_answered_for(void **state)
{
    static const uint8_t group_mac[] = {0x33, 0x33, 0xff, 0, 0, 9};
    (void)state;
    assert_int_equal(HF_FRAME_TAKEN, hear(all_mac, peer_mac, false, "10.9.0.7", "10.9.0.9"));
    assert_int_equal(HF_FRAME_TAKEN, hear(group_mac, peer_mac, false, "fd09::7", "fd09::9"));
    expect_silence();
    assert_int_equal(HF_WAY_ASKED, find("10.9.0.7", NULL)); /* and nothing was learned */
    assert_int_equal(HF_WAY_ASKED, find("fd09::7", NULL));
}

/* [RFC5227#2.1.1] [RFC4862#5.4.3] */
static void who_tries_our_address_is_told(void **state)
{
    static const uint8_t nodes_mac[] = {0x33, 0x33, 0, 0, 0, 1},
                         group_mac[] = {0x33, 0x33, 0xff, 0, 0, 2};
    uint8_t frame[FRAME_BYTES], probe[64] = {0x60, [5] = 24, [6] = 58, [7] = 255};
    struct hf_ether_frame f;
    (void)state;
    assert_int_equal(HF_FRAME_TAKEN, hear(all_mac, peer_mac, false, "0.0.0.0", "10.9.0.2"));
    assert_true(hf_neighbours_output(n, &f));
    assert_memory_equal(all_mac, f.to, sizeof f.to);
    assert_memory_equal("\x0a\x09\0\2", f.packet.header + 14, 4);
    hf_neighbours_sent(n);
    struct hf_addr own = addr("fd09::2"), group = hf_solicited_node(&own), any = HF_ADDR_ANY;
    memcpy(probe + 24, group.octets, 16);
    probe[40] = 135;
    memcpy(probe + 48, own.octets, 16);
    hf_sum sum = hf_ip_pseudo_sum(&any, &group, 58, 24);
    hf_put16(probe + 42, hf_sum_checksum(hf_sum_bytes(sum, probe + 40, 24)));
    size_t bytes = frame_make(frame, group_mac, peer_mac, HF_ETHER_IPV6, probe, sizeof probe);
    assert_int_equal(HF_FRAME_TAKEN, hf_neighbours_input(n, frame, bytes, false, now));
    expect_answer("fd09::2", nodes_mac);
    expect_silence();
}

/* ---- what is believed ----------------------------------------------------------------------- */

static void what_was_not_asked_for_is_not_believed(void **state)
{
    static const char *const whom[] = {"10.9.0.7", "fd09::7"};
    static const uint8_t nodes_mac[] = {0x33, 0x33, 0, 0, 0, 1};
    (void)state;
    for (int i = 0; i < 2; i++) {
        answer_from(other_mac, whom[i]);
        assert_int_equal(HF_FRAME_TAKEN, hear(i ? nodes_mac : all_mac, other_mac, true, whom[i],
                                              i ? "::" : "0.0.0.0")); /* an announcement */
        assert_int_equal(HF_WAY_ASKED, find(whom[i], NULL));
    }
    /* An announcement by ARP is a request about itself, so only the answers count. */
    assert_int_equal(3, stats().unasked);
    assert_int_equal(0, stats().learned);
}

static void who_is_not_of_the_link_is_not_learned(void **state)
{
    (void)state;
    assert_int_equal(HF_FRAME_TAKEN, hear(all_mac, peer_mac, false, "192.0.2.7", "10.9.0.2"));
    expect_answer("10.9.0.2", peer_mac); /* it has asked, and may know why */
    assert_int_equal(0, stats().learned);
}

static void a_known_one_may_move(void **state)
{
    static const char *const whom[] = {"10.9.0.7", "fd09::7"};
    static const uint8_t nodes_mac[] = {0x33, 0x33, 0, 0, 0, 1};
    (void)state;
    for (int i = 0; i < 2; i++) {
        (void)find(whom[i], NULL);
        answer_from(peer_mac, whom[i]);
        (void)drain();
        assert_int_equal(HF_FRAME_TAKEN, hear(i ? nodes_mac : all_mac, other_mac, true, whom[i],
                                              i ? "::" : "0.0.0.0"));
        assert_int_equal(HF_WAY_KNOWN, find(whom[i], other_mac));
        expect_question(whom[i], other_mac); /* nobody has asked it yet */
    }
}

/* [RFC4861#7.2.5] without the override flag it is a reason to doubt only. */
static void an_answer_that_may_not_override(void **state)
{
    uint8_t frame[FRAME_BYTES];
    (void)state;
    (void)find("fd09::7", NULL);
    answer_from(peer_mac, "fd09::7");
    (void)drain();
    size_t bytes = message_make(frame, own_mac, other_mac, true, "fd09::7", "fd09::2");
    frame[14 + 44] &= 0xdf;
    assert_int_equal(HF_FRAME_TAKEN, hf_neighbours_input(n, frame, bytes, true, now));
    assert_int_equal(HF_WAY_KNOWN, find("fd09::7", peer_mac));
    expect_question("fd09::7", peer_mac);
}

static void trust_ends_and_comes_back(void **state)
{
    (void)state;
    (void)find("10.9.0.7", NULL);
    answer_from(peer_mac, "10.9.0.7");
    (void)drain();
    pass(HF_SEC(30) - 1);
    assert_int_equal(HF_WAY_KNOWN, find("10.9.0.7", peer_mac));
    expect_silence();
    pass(1);
    expect_silence(); /* nobody sends to it */
    assert_int_equal(HF_WAY_KNOWN, find("10.9.0.7", peer_mac));
    expect_question("10.9.0.7", peer_mac);
    pass(HF_SEC(1));
    expect_question("10.9.0.7", peer_mac);
    answer_from(peer_mac, "10.9.0.7");
    pass(HF_SEC(29));
    assert_int_equal(HF_WAY_KNOWN, find("10.9.0.7", peer_mac));
    expect_silence();
}

static void one_that_has_gone_is_looked_for_anew(void **state)
{
    (void)state;
    (void)find("10.9.0.7", NULL);
    answer_from(peer_mac, "10.9.0.7");
    pass(HF_SEC(31));
    (void)drain();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(HF_WAY_KNOWN, find("10.9.0.7", peer_mac));
        expect_question("10.9.0.7", peer_mac);
        pass(HF_SEC(1));
    }
    assert_int_equal(1, stats().silent);
    assert_int_equal(HF_WAY_ASKED, find("10.9.0.7", NULL));
    expect_question("10.9.0.7", all_mac);
    answer_from(other_mac, "10.9.0.7");
    assert_int_equal(HF_WAY_KNOWN, find("10.9.0.7", other_mac));
}

static void who_has_our_address_is_a_conflict(void **state)
{
    (void)state;
    assert_int_equal(HF_FRAME_TAKEN, hear(all_mac, other_mac, false, "10.9.0.2", "10.9.0.2"));
    assert_int_equal(HF_FRAME_TAKEN, hear(own_mac, other_mac, true, "10.9.0.2", "10.9.0.7"));
    answer_from(other_mac, "fd09::2");
    assert_int_equal(3, stats().conflicts);
    assert_int_equal(HF_FRAME_TAKEN, hear(all_mac, own_mac, false, "10.9.0.2", "10.9.0.2"));
    assert_int_equal(3, stats().conflicts); /* those were our own words */
    expect_silence();
}

/* Twenty neighbours that packets go to. */
static void meet_many(void)
{
    char text[32];
    for (int i = 0; i < 20; i++) {
        (void)snprintf(text, sizeof text, "10.9.0.%d", i + 10);
        assert_int_equal(HF_WAY_ASKED, find(text, NULL));
        answer_from(peer_mac, text);
        (void)find(text, NULL);
    }
}

static void assert_many_known(void)
{
    char text[32];
    for (int i = 0; i < 20; i++) {
        (void)snprintf(text, sizeof text, "10.9.0.%d", i + 10);
        assert_int_equal(HF_WAY_KNOWN, find(text, peer_mac));
    }
}

static void a_flood_of_askers_pushes_nobody_out(void **state)
{
    char text[32];
    (void)state;
    meet_many();
    for (uint32_t i = 0; i < 20000; i++) {
        (void)snprintf(text, sizeof text, "fd09::%x:%x", i / 65536 + 1, i % 65536);
        assert_int_equal(HF_FRAME_TAKEN, hear(own_mac, other_mac, false, text, "fd09::2"));
        now += HF_US(100);
    }
    (void)drain();
    assert_many_known();
    expect_silence();
}

/* Packets to many who are not there, as answers to SYNs with made-up sources are. */
static void a_flood_of_questions_pushes_nobody_out(void **state)
{
    char text[32];
    (void)state;
    meet_many();
    for (uint32_t i = 0; i < 2000; i++) {
        (void)snprintf(text, sizeof text, "fd09::%x", i + 1000);
        (void)find(text, NULL);
        now += HF_MS(5);
        hf_neighbours_expire(n, now);
        (void)drain();
    }
    assert_many_known();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_question_has_the_bytes_of_the_rfc),
        CASE(packets_wait_for_the_answer),
        CASE(a_lost_question_is_repeated_each_second),
        CASE(who_keeps_silent_is_forgotten),
        CASE(the_newest_packets_are_kept),
        CASE(what_waits_is_bounded),
        CASE(questions_are_limited),
        CASE(what_is_far_goes_to_the_gateway),
        CASE(link_local_is_near),
        CASE(nobody_to_ask),
        CASE(our_addresses_are_announced),
        CASE(who_asks_for_us_is_answered_and_known),
        CASE(others_are_not_answered_for),
        CASE(who_tries_our_address_is_told),
        CASE(what_was_not_asked_for_is_not_believed),
        CASE(who_is_not_of_the_link_is_not_learned),
        CASE(a_known_one_may_move),
        CASE(an_answer_that_may_not_override),
        CASE(trust_ends_and_comes_back),
        CASE(one_that_has_gone_is_looked_for_anew),
        CASE(who_has_our_address_is_a_conflict),
        CASE(a_flood_of_askers_pushes_nobody_out),
        CASE(a_flood_of_questions_pushes_nobody_out),
    };
    return cmocka_run_group_tests_name("neighbour", tests, NULL, NULL);
}
