/* What stands around the data of outgoing packets (TTL, Diffserv, option bytes), and what of
 * incoming IP headers is passed over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/wire_calls.h"

static void expect_ip(struct wire *w, uint8_t ttl, uint8_t dscp)
{
    assert_true(hf_peer_pop(&w->peer));
    assert_int_equal(w->peer.last.ip.ttl, ttl);
    assert_int_equal(w->peer.last.ip.traffic_class, dscp << 2);
}

/* covers: MUST-48, MUST-49, SHLD-21, SHLD-22, CO-1122-16: data, ACKs, FIN and RST alike, as chosen
 * at that moment */
static void ttl_and_diffserv_are_chosen_per_connection(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire w;
        struct wire_setup setup = {.state = HF_ESTABLISHED, .variant = variant};
        wire_open(&w, &setup);
        wire_send(&w, 10, 0);
        expect_ip(&w, 64, 0);
        wire_set(&w, HF_OPT_TTL, 3);
        wire_set(&w, HF_OPT_DSCP, 46);
        assert_int_equal(wire_get(&w, HF_OPT_TTL), 3);
        assert_int_equal(wire_get(&w, HF_OPT_DSCP), 46);
        hf_peer_send(&w.peer, "P. seq 100:110"); /* an ACK */
        expect_ip(&w, 3, 46);
        wire_send(&w, 10, 0);
        expect_ip(&w, 3, 46);
        wire_set(&w, HF_OPT_DSCP, 63);
        wire_set(&w, HF_OPT_TTL, 255);
        assert_int_equal(hf_shutdown(w.rig.stack, w.conn, w.rig.now_ns), HF_OK);
        hf_rig_pull(&w.rig);
        expect_ip(&w, 255, 63);
        assert_int_equal(hf_abort(w.rig.stack, w.conn, w.rig.now_ns), HF_OK);
        hf_rig_pull(&w.rig);
        expect_ip(&w, 255, 63);
        assert_true(w.peer.last.segment.flags & HF_RST);
        wire_close(&w);
    }
}

/* covers: MUST-48, MUST-49: a listener's connections have them from the SYN,ACK on; those of an
 * active open come from the settings */
static void a_listener_hands_them_on(void **state)
{
    (void)state;
    struct hf_config config;
    hf_config_init(&config, sizeof config);
    config.ttl = 17;
    config.dscp = 10;
    struct wire w;
    struct wire_setup setup = {.state = HF_ESTABLISHED, .config = &config};
    wire_open(&w, &setup);
    wire_send(&w, 1, 0);
    expect_ip(&w, 17, 10);
    hf_ns now = w.rig.now_ns;
    assert_int_equal(hf_set(w.rig.stack, w.listener, HF_OPT_TTL, 5, now), HF_OK);
    assert_int_equal(hf_set(w.rig.stack, w.listener, HF_OPT_DSCP, 8, now), HF_OK);
    w.peer.here.port++;
    w.peer.snd_nxt = w.peer.iss;
    hf_peer_send(&w.peer, "S");
    expect_ip(&w, 5, 8);
    assert_int_equal(w.peer.last.segment.flags, HF_SYN | HF_ACK);
    struct hf_connect what = {.remote = w.peer.here};
    what.remote.port = w.peer.here.port = 99;
    hf_handle conn;
    assert_int_equal(hf_connect(w.rig.stack, &what, &conn, now), HF_OK);
    hf_rig_pull(&w.rig);
    w.peer.there.port = w.rig.caught[0].segment.source_port;
    expect_ip(&w, 17, 10);
    wire_close(&w);
}

/* covers: MUST-48, MUST-49: to the last ACK, and those that are repeated in TIME-WAIT */
static void they_hold_to_the_end(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire w;
        struct wire_setup setup = {.state = HF_FIN_WAIT_2, .variant = variant};
        wire_open(&w, &setup);
        wire_set(&w, HF_OPT_TTL, 255);
        wire_set(&w, HF_OPT_DSCP, 46);
        for (int i = 0; i < 2; i++) {
            hf_peer_send(&w.peer, "F. seq 0 ack 0");
            expect_ip(&w, 255, 46);
            assert_int_equal(wire_state(&w), HF_TIME_WAIT);
        }
        wire_close(&w);
    }
}

static void values_out_of_range_are_refused(void **state)
{
    (void)state;
    static const struct {
        enum hf_option option;
        int64_t value;
    } cases[] = {{HF_OPT_TTL, 0},   {HF_OPT_TTL, 256}, {HF_OPT_TTL, -1},  {HF_OPT_DSCP, -1},
                 {HF_OPT_DSCP, 64}, {HF_OPT_NAGLE, 2}, {HF_OPT_CORK, -1}, {HF_OPT_COUNT, 1}};
    struct wire w;
    struct wire_setup setup = {.state = HF_ESTABLISHED};
    wire_open(&w, &setup);
    for (size_t i = 0; i < HF_COUNT_OF(cases); i++)
        assert_int_equal(hf_set(w.rig.stack, w.conn, cases[i].option, cases[i].value, w.rig.now_ns),
                         HF_E_INVALID);
    assert_int_equal(wire_get(&w, HF_OPT_TTL), 64);
    wire_close(&w);
}

/* ---- IP options ---- */

/* covers: MUST-50, MAY-10, MAY-11: options in the IP header of a SYN and of data are passed over */
static void ip_options_are_passed_over(void **state)
{
    (void)state;
    static const uint8_t options[][12] = {
        {7, 7, 4, 0, 0, 0, 0, 0, 1, 1, 1, 1},            /* record route */
        {68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0},          /* timestamp */
        {136, 4, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0},          /* stream identifier */
        {0x9E, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10},       /* nobody's */
        {0x9E, 200, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10},      /* beyond the header */
        {0x9E, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},         /* of no length */
        {148, 4, 0, 0, 1, 1, 1, 0, 0xFF, 0xFF, 0xFF, 1}, /* router alert, padding */
    };
    for (size_t i = 0; i < HF_COUNT_OF(options); i++) {
        struct wire w;
        struct wire_setup setup = {.state = HF_ESTABLISHED};
        wire_open(&w, &setup);
        struct wire_packet p = wire_packet_of(&w, "P. seq 0:100 ack 0");
        wire_packet_ip_options(&p, options[i], sizeof options[i]);
        wire_packet_send(&w, &p);
        WIRE_EXPECT(&w, ". seq 0 ack 100");
        assert_int_equal(w.peer.last.ip.header_bytes, HF_IPV4_HEADER_BYTES);
        assert_int_equal(wire_read(&w), 100);
        w.peer.here.port++;
        w.peer.snd_nxt = w.peer.iss;
        p = wire_packet_of(&w, "S <mss 1000>");
        wire_packet_ip_options(&p, options[i], sizeof options[i]);
        wire_packet_send(&w, &p);
        assert_true(hf_peer_pop(&w.peer));
        assert_int_equal(w.peer.last.segment.flags, HF_SYN | HF_ACK);
        wire_close(&w);
    }
}

/* covers: MUST-51, MUST-52, MUST-53, SHLD-24: there are no source routes here: one that arrives is
 * no reason to send one, or to send elsewhere. DEVIATION D-32 */
static void source_routes_are_not_followed(void **state)
{
    (void)state;
    static const uint8_t routes[][8] = {
        {131, 7, 8, 10, 0, 0, 77, 0}, /* loose, completed */
        {137, 7, 8, 10, 0, 0, 77, 0}, /* strict, completed */
        {131, 7, 4, 10, 0, 0, 77, 0}, /* not completed */
    };
    for (size_t i = 0; i < HF_COUNT_OF(routes); i++) {
        struct wire w;
        struct wire_setup setup = {.state = HF_ESTABLISHED};
        wire_open(&w, &setup);
        w.peer.here.port++;
        w.peer.snd_nxt = w.peer.iss;
        struct wire_packet p = wire_packet_of(&w, "S <mss 1000>");
        wire_packet_ip_options(&p, routes[i], sizeof routes[i]);
        wire_packet_send(&w, &p);
        assert_true(hf_peer_pop(&w.peer)); /* it went to the source address */
        assert_int_equal(w.peer.last.segment.flags, HF_SYN | HF_ACK);
        assert_int_equal(w.peer.last.ip.header_bytes, HF_IPV4_HEADER_BYTES);
        wire_close(&w);
    }
}

/* covers: MUST-53: an IPv6 routing header that was walked to its end is passed over too, one that
 * was not is dropped. DEVIATION D-32 */
static void routing_headers_are_not_followed(void **state)
{
    (void)state;
    for (uint8_t left = 0; left < 2; left++) {
        struct wire w;
        struct wire_setup setup = {.state = HF_ESTABLISHED, .variant = WIRE_V6};
        wire_open(&w, &setup);
        struct wire_packet p = wire_packet_of(&w, "P. seq 0:100 ack 0");
        const uint8_t header[24] = {HF_IP_PROTO_TCP, 2, 0, left};
        memmove(p.bytes + 64, p.bytes + 40, p.length_bytes - 40);
        memcpy(p.bytes + 40, header, sizeof header);
        p.length_bytes += 24;
        p.bytes[6] = 43;
        hf_put16(p.bytes + 4, (uint16_t)(p.length_bytes - 40));
        wire_packet_send(&w, &p);
        assert_int_equal(wire_read(&w), left == 0 ? 100 : 0);
        if (left == 0)
            WIRE_EXPECT(&w, ". seq 0 ack 100");
        WIRE_QUIET(&w);
        wire_close(&w);
    }
}

/* ---- option bytes of TCP ---- */

/* True if the option bytes of the segment popped last are well formed and 0 behind their end. */
static bool ends_in_zeroes(const struct wire *w)
{
    const struct wire_packet p = wire_last_packet(w);
    const uint8_t *tcp = p.bytes + p.ip_bytes;
    size_t end = (size_t)(tcp[12] >> 4) * 4, at = 20;
    while (at < end && tcp[at] != 0) {
        size_t n = tcp[at] == 1 ? 1 : tcp[at + 1];
        if (n == 0 || at + n > end)
            return false;
        at += n;
    }
    for (; at < end; at++)
        if (tcp[at] != 0)
            return false;
    return true;
}

/* covers: MUST-69, MUST-65, CO-2018-01: whatever is offered, in each order: nothing but zeroes
 * behind the end of the list, MSS and SACK-permitted on SYNs only */
static void options_end_in_zeroes(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 3 * 16; n++) {
        struct hf_config config;
        hf_config_init(&config, sizeof config);
        config.option_layout = n / 16;
        config.timestamps = n & 1 ? 1 : 0;
        config.sack = n & 2 ? 1 : 0;
        config.window_scale = n & 4 ? 7 : -1;
        struct wire w = {.setup = {.state = HF_SYN_SENT}};
        struct hf_rig_config rig = {.config = &config, .seed = n, .cut = true};
        assert_int_equal(hf_rig_open(&w.rig, &rig), HF_OK);
        hf_peer_open(&w.peer, &w.rig, n & 8, 80, 5000, 1000);
        struct hf_connect what = {.local = {.port = 5000}, .remote = w.peer.here};
        assert_int_equal(hf_connect(w.rig.stack, &what, &w.conn, 0), HF_OK);
        hf_rig_pull(&w.rig);
        WIRE_EXPECT(&w, "S seq 0");
        assert_true(ends_in_zeroes(&w));
        hf_peer_send(&w.peer, "S. seq 0 ack 1 <mss 1000,sackOK,TS 1 0,wscale 1>");
        w.peer.timestamps = config.timestamps == 1;
        for (int right = 200; right < 1000; right += 200) {
            char text[32];
            snprintf(text, sizeof text, "P. seq %d:%d", right - 100, right);
            hf_peer_send(&w.peer, text);
        }
        wire_send(&w, 10, 0);
        unsigned count = 0;
        for (; hf_peer_pop(&w.peer); count++) {
            assert_true(ends_in_zeroes(&w));
            assert_false(w.peer.last.segment.has_mss);
            assert_false(w.peer.last.segment.has_sack_permitted);
        }
        assert_true(count >= 5);
        wire_close(&w);
    }
}

/* What stands behind the end of a peer's list is no option, whatever it looks like.
 * covers: MUST-4 */
static void nothing_counts_behind_the_end_of_the_list(void **state)
{
    (void)state;
    struct wire w;
    struct wire_setup setup = {.state = HF_ESTABLISHED};
    wire_open(&w, &setup);
    w.peer.here.port++;
    w.peer.snd_nxt = w.peer.iss;
    struct wire_packet p = wire_packet_of(&w, "S <mss 1000,wscale 3>");
    uint8_t *tcp = p.bytes + p.ip_bytes;
    size_t header_bytes = (size_t)(tcp[12] >> 4) * 4;
    assert_int_equal(header_bytes, 28);
    static const uint8_t options[8] = {0, 2, 4, 0, 100, 3, 3, 7};
    memcpy(tcp + 20, options, sizeof options);
    hf_put16(tcp + 16, 0);
    hf_sum sum = hf_ip_pseudo_sum(&w.peer.here.addr, &w.peer.there.addr, HF_IP_PROTO_TCP, 28);
    hf_put16(tcp + 16, hf_sum_checksum(hf_sum_bytes(sum, tcp, 28)));
    wire_packet_send(&w, &p);
    assert_true(hf_peer_pop(&w.peer));
    assert_false(w.peer.last.segment.has_wscale);
    hf_peer_send(&w.peer, ".");
    struct hf_info info;
    assert_int_equal(hf_info(w.rig.stack, hf_rig_event(&w.rig).handle, &info), HF_OK);
    assert_int_equal(info.snd_mss_bytes, 536);
    wire_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ttl_and_diffserv_are_chosen_per_connection),
        cmocka_unit_test(a_listener_hands_them_on),
        cmocka_unit_test(they_hold_to_the_end),
        cmocka_unit_test(values_out_of_range_are_refused),
        cmocka_unit_test(ip_options_are_passed_over),
        cmocka_unit_test(source_routes_are_not_followed),
        cmocka_unit_test(routing_headers_are_not_followed),
        cmocka_unit_test(options_end_in_zeroes),
        cmocka_unit_test(nothing_counts_behind_the_end_of_the_list),
    };
    return cmocka_run_group_tests_name("options_packet", tests, NULL, NULL);
}
