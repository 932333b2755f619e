/* ICMP errors other than "too big": which of them count, and that none ends a connection that
 * works. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/wire_calls.h"

enum { V6_ERROR = 32768, QUENCH = 4 };

struct message {
    bool v6;
    uint8_t type, code;
};

/* [RFC9293#3.9.2.2] soft at any time */
static const struct message soft[] = {
    {false, 3, 0},  {false, 3, 1},  {false, 3, 5}, {false, 11, 0}, {false, 11, 1},
    {false, 12, 0}, {false, 12, 1}, {true, 1, 0},  {true, 1, 3},   {true, 3, 0},
    {true, 3, 1},   {true, 4, 0},   {true, 4, 1},  {true, 4, 2},
};
/* [RFC5927#5.2] hard, but soft once synchronized */
static const struct message hard[] = {{false, 3, 2}, {false, 3, 3}, {true, 1, 1}, {true, 1, 4}};

static const enum hf_state with_data[] = {HF_ESTABLISHED, HF_FIN_WAIT_1, HF_CLOSE_WAIT, HF_CLOSING,
                                          HF_LAST_ACK};

static struct wire_error error_of(struct message m)
{
    return (struct wire_error){.type = m.type, .code = m.code, .from_router = true};
}

/* 500 bytes (and a FIN, in the states behind it) are in flight; *flight is their packet. */
static void open_flight(struct wire *w, enum hf_state state, unsigned variant,
                        struct wire_packet *flight)
{
    struct wire_setup setup = {.state = state, .variant = variant, .unacked_bytes = 500};
    wire_open(w, &setup);
    hf_rig_wait(&w->rig, HF_SEC(3)); /* popped before: sent again */
    assert_true(hf_peer_pop(&w->peer));
    *flight = wire_last_packet(w);
    hf_peer_skip(&w->peer);
    wire_events(w, NULL);
}

/* The state is SYN-SENT, and the SYN was popped. */
static void open_syn_sent(struct wire *w, bool v6)
{
    *w = (struct wire){.setup = {.state = HF_SYN_SENT}};
    struct hf_rig_config rig = {.seed = 5};
    assert_int_equal(hf_rig_open(&w->rig, &rig), HF_OK);
    hf_peer_open(&w->peer, &w->rig, v6, 80, 5000, 1000);
    struct hf_connect what = {.local = {.port = 5000}, .remote = w->peer.here};
    assert_int_equal(hf_connect(w->rig.stack, &what, &w->conn, 0), HF_OK);
    hf_rig_pull(&w->rig);
    WIRE_EXPECT(w, "S seq 0");
}

static void expect_soft(struct wire *w, struct message m)
{
    assert_int_equal(wire_events(w, NULL), HF_EV_TROUBLE);
    assert_int_equal(wire_info(w).soft_error, m.type * 256 + m.code + (m.v6 ? V6_ERROR : 0));
    assert_int_equal(wire_state(w), w->setup.state);
    WIRE_QUIET(w);
}

/* covers: MUST-47, MUST-54, MUST-56, SHLD-25, UN-16, CO-1122-14 */
static void soft_errors_are_told_and_end_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < HF_COUNT_OF(soft); i++)
        for (size_t s = 0; s < HF_COUNT_OF(with_data); s++)
            for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
                struct wire w;
                struct wire_packet flight;
                if (((variant & WIRE_V6) != 0) != soft[i].v6)
                    continue;
                open_flight(&w, with_data[s], variant, &flight);
                struct wire_error e = error_of(soft[i]);
                for (int n = 0; n < 20; n++) {
                    wire_icmp(&w, &flight, &e);
                    expect_soft(&w, soft[i]);
                }
                hf_peer_send(&w.peer, ". seq 0 ack 0"); /* it got through after all */
                assert_int_equal(wire_info(&w).in_flight_bytes, 0);
                wire_close(&w);
            }
}

/* covers: MUST-56, MUST-47, CO-5927-05: soft errors while the connection is opened */
static void soft_errors_do_not_end_an_open(void **state)
{
    (void)state;
    for (size_t i = 0; i < HF_COUNT_OF(soft); i++) {
        struct wire w;
        open_syn_sent(&w, soft[i].v6);
        struct wire_packet syn = wire_last_packet(&w);
        struct wire_error e = error_of(soft[i]);
        wire_icmp(&w, &syn, &e);
        expect_soft(&w, soft[i]);
        hf_peer_send(&w.peer, "S. seq 0 ack 1");
        WIRE_EXPECT(&w, ". seq 1 ack 1");
        assert_int_equal(wire_state(&w), HF_ESTABLISHED);
        wire_close(&w);
    }
}

/* covers: MUST-54, SHLD-26, CO-1122-18: nobody is there, and never was */
static void hard_errors_end_an_open(void **state)
{
    (void)state;
    for (size_t i = 0; i < HF_COUNT_OF(hard); i++) {
        struct wire w;
        enum hf_closed how = HF_CLOSED_NOT;
        open_syn_sent(&w, hard[i].v6);
        struct wire_packet syn = wire_last_packet(&w);
        struct wire_error e = error_of(hard[i]);
        wire_icmp(&w, &syn, &e);
        assert_true(wire_events(&w, &how) & HF_EV_CLOSED);
        assert_int_equal(how, HF_CLOSED_UNREACHABLE);
        assert_int_equal(wire_info(&w).soft_error,
                         hard[i].type * 256 + hard[i].code + (hard[i].v6 ? V6_ERROR : 0));
        assert_int_equal(hf_send(w.rig.stack, w.conn, "x", 1, 0, w.rig.now_ns), HF_E_UNREACHABLE);
        WIRE_QUIET(&w);
        assert_int_equal(hf_stack_deadline(w.rig.stack), HF_NEVER);
        wire_close(&w);
    }
}

/* covers: CO-5927-02, SHLD-26: DEVIATION D-30, a connection that worked is not ended by anybody who
 * can guess its numbers */
static void hard_errors_are_soft_once_synchronized(void **state)
{
    (void)state;
    for (size_t i = 0; i < HF_COUNT_OF(hard); i++)
        for (size_t s = 0; s < HF_COUNT_OF(with_data); s++) {
            struct wire w;
            struct wire_packet flight;
            open_flight(&w, with_data[s], hard[i].v6 ? WIRE_V6 : 0, &flight);
            struct wire_error e = error_of(hard[i]);
            wire_icmp(&w, &flight, &e);
            expect_soft(&w, hard[i]);
            wire_close(&w);
        }
}

/* A connection whose SYN,ACK is outstanding has worked as little as one in SYN-SENT, but its peer
 * has spoken. covers: MUST-56 */
static void errors_in_syn_received_are_soft(void **state)
{
    (void)state;
    for (size_t i = 0; i < HF_COUNT_OF(hard); i++) {
        struct wire w;
        open_syn_sent(&w, hard[i].v6);
        hf_peer_send(&w.peer, "S seq 0");
        WIRE_EXPECT(&w, "S. seq 0 ack 1");
        struct wire_packet synack = wire_last_packet(&w);
        struct wire_error e = error_of(hard[i]);
        wire_icmp(&w, &synack, &e);
        w.setup.state = HF_SYN_RCVD;
        expect_soft(&w, hard[i]);
        wire_close(&w);
    }
}

/* covers: MUST-55, CO-5927-03 */
static void source_quench_does_nothing(void **state)
{
    (void)state;
    struct wire w;
    struct wire_packet flight;
    open_flight(&w, HF_ESTABLISHED, 0, &flight);
    struct hf_info before = wire_info(&w);
    struct wire_error e = {.type = QUENCH};
    wire_icmp(&w, &flight, &e);
    struct hf_info after = wire_info(&w);
    assert_int_equal(wire_events(&w, NULL), 0);
    assert_int_equal(after.soft_error, 0);
    assert_int_equal(after.cwnd_bytes, before.cwnd_bytes);
    assert_int_equal(after.ssthresh_bytes, before.ssthresh_bytes);
    assert_int_equal(after.rto_deadline_ns, before.rto_deadline_ns);
    assert_int_equal(after.path_mtu_bytes, before.path_mtu_bytes);
    WIRE_QUIET(&w);
    wire_close(&w);
}

/* covers: SHLD-20, CO-1122-14 */
static void reports_can_be_switched_off(void **state)
{
    (void)state;
    struct wire w;
    struct wire_packet flight;
    open_flight(&w, HF_ESTABLISHED, 0, &flight);
    wire_set(&w, HF_OPT_SOFT_ERRORS, 0);
    hf_peer_send_icmp(&w.peer, 3, 1, 0);
    assert_int_equal(wire_events(&w, NULL), 0);
    assert_int_equal(wire_info(&w).soft_error, 3 * 256 + 1); /* who asks is told */
    wire_close(&w);
}

static void expect_refused(struct wire *w, enum hf_reason reason, uint64_t times)
{
    assert_int_equal(wire_events(w, NULL), 0);
    assert_int_equal(wire_info(w).soft_error, 0);
    assert_int_equal(hf_stack_count(w->rig.stack, reason), times);
    assert_int_equal(wire_state(w), HF_ESTABLISHED);
    WIRE_QUIET(w);
}

/* covers: CO-5927-01, CO-1191-06: from SND.UNA on, and before SND.NXT */
static void the_quoted_number_must_be_in_flight(void **state)
{
    (void)state;
    static const int32_t outside[] = {-1, -1000, 500, 501, 100000, INT32_MIN};
    static const int32_t inside[] = {0, 1, 499};
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire w;
        struct wire_packet flight;
        open_flight(&w, HF_ESTABLISHED, variant, &flight);
        struct wire_error e = {.type = variant & WIRE_V6 ? 1 : 3, .from_router = true};
        for (size_t i = 0; i < HF_COUNT_OF(outside); i++) {
            e.seq_offset = outside[i];
            wire_icmp(&w, &flight, &e);
            expect_refused(&w, HF_DROP_ICMP_SEQUENCE, i + 1);
        }
        for (size_t i = 0; i < HF_COUNT_OF(inside); i++) {
            e.seq_offset = inside[i];
            wire_icmp(&w, &flight, &e);
            assert_int_equal(wire_events(&w, NULL), HF_EV_TROUBLE);
        }
        /* With nothing in flight there is nothing to be said about. */
        hf_peer_send(&w.peer, ". seq 0 ack 0");
        wire_events(&w, NULL);
        e.seq_offset = 0;
        wire_icmp(&w, &flight, &e);
        assert_int_equal(wire_events(&w, NULL), 0);
        wire_close(&w);
    }
}

/* covers: MUST-54: by addresses and ports, as they were sent */
static void the_quote_must_name_a_connection(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < 2; variant++) {
        struct wire w;
        struct wire_packet flight;
        open_flight(&w, HF_ESTABLISHED, variant, &flight);
        struct wire_error e = {.type = variant & WIRE_V6 ? 1 : 3, .from_router = true};
        const uint32_t ip = flight.ip_bytes;
        const uint32_t places[] = {ip - 1, ip - 5, ip + 1, ip + 3}; /* addresses, ports */
        for (size_t i = 0; i < HF_COUNT_OF(places); i++) {
            struct wire_packet other = flight;
            other.bytes[places[i]] ^= 8;
            wire_icmp(&w, &other, &e);
            expect_refused(&w, HF_DROP_ICMP_STRANGER, i + 1);
        }
        struct wire_packet other = flight;
        other.bytes[variant & WIRE_V6 ? 6 : 9] = 17; /* UDP */
        wire_icmp(&w, &other, &e);
        expect_refused(&w, HF_DROP_ICMP_STRANGER, HF_COUNT_OF(places) + 1);
        wire_icmp(&w, &flight, &e);
        assert_int_equal(wire_events(&w, NULL), HF_EV_TROUBLE);
        wire_close(&w);
    }
}

/* covers: MUST-54: quotes and messages that were cut or damaged */
static void a_damaged_message_is_dropped(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < 2; variant++) {
        struct wire w;
        struct wire_packet flight;
        open_flight(&w, HF_ESTABLISHED, variant, &flight);
        struct wire_error e = {.type = variant & WIRE_V6 ? 1 : 3, .from_router = true};
        for (uint32_t n = 1; n < flight.ip_bytes; n++) {
            e.quote_bytes = n;
            wire_icmp(&w, &flight, &e);
            expect_refused(&w, HF_DROP_ICMP_MALFORMED, n);
        }
        for (uint32_t n = 0; n < 8; n++) { /* no room for the sequence number */
            e.quote_bytes = flight.ip_bytes + n;
            wire_icmp(&w, &flight, &e);
            expect_refused(&w, HF_DROP_ICMP_STRANGER, n + 1);
        }
        e.quote_bytes = flight.length_bytes; /* all of it: allowed */
        e.wrong_checksum = true;
        wire_icmp(&w, &flight, &e);
        expect_refused(&w, HF_DROP_ICMP_MALFORMED, flight.ip_bytes);
        e.wrong_checksum = false;
        wire_icmp(&w, &flight, &e);
        assert_int_equal(wire_events(&w, NULL), HF_EV_TROUBLE);
        wire_close(&w);
    }
}

/* A quoted header may have options, and the quote of the peer itself is as good as a router's.
 * covers: MUST-54 */
static void the_quote_may_have_options(void **state)
{
    (void)state;
    struct wire w;
    struct wire_packet flight;
    open_flight(&w, HF_ESTABLISHED, 0, &flight);
    static const uint8_t options[8] = {7, 7, 4, 0, 0, 0, 0, 0}; /* a router records its route */
    wire_packet_ip_options(&flight, options, sizeof options);
    struct wire_error e = {.type = 11};
    wire_icmp(&w, &flight, &e);
    assert_int_equal(wire_events(&w, NULL), HF_EV_TROUBLE);
    wire_close(&w);
}

/* covers: CO-5927-06: an error about one connection says nothing of the next */
static void other_connections_hear_nothing(void **state)
{
    (void)state;
    struct wire w;
    struct wire_packet flight;
    open_flight(&w, HF_ESTABLISHED, 0, &flight);
    struct hf_peer other;
    hf_peer_open(&other, &w.rig, false, WIRE_PEER_PORT + 1, WIRE_STACK_PORT, 500);
    assert_true(hf_peer_connect(&other, ""));
    hf_handle second = hf_rig_event(&w.rig).handle;
    assert_int_equal(hf_send(w.rig.stack, second, "12345", 5, 0, w.rig.now_ns), 5);
    hf_rig_pull(&w.rig);
    struct wire_error e = {.type = 3, .code = 1};
    wire_icmp(&w, &flight, &e);
    struct hf_event event = hf_rig_event(&w.rig);
    assert_int_equal(event.handle, w.conn);
    assert_int_equal(hf_rig_event(&w.rig).bits, 0);
    struct hf_info info;
    assert_int_equal(hf_info(w.rig.stack, second, &info), HF_OK);
    assert_int_equal(info.soft_error, 0);
    wire_close(&w);
}

/* Half-open and TIME-WAIT entries have nobody to tell. DEVIATION D-30 */
static void entries_without_a_handle_hear_nothing(void **state)
{
    (void)state;
    struct wire w;
    struct wire_setup setup = {.state = HF_TIME_WAIT};
    wire_open(&w, &setup);
    struct hf_peer other;
    hf_peer_open(&other, &w.rig, false, WIRE_PEER_PORT + 1, WIRE_STACK_PORT, 500);
    hf_peer_send(&other, "S seq 0");
    assert_true(hf_peer_expect(&other, "S. seq 0 ack 1"));
    hf_peer_send_icmp(&other, 3, 3, 0);
    assert_int_equal(hf_stack_count(w.rig.stack, HF_DROP_ICMP_STRANGER), 1);
    hf_peer_send(&other, ". seq 1 ack 1");
    assert_int_equal(hf_peer_state(&other), HF_ESTABLISHED);
    wire_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(soft_errors_are_told_and_end_nothing),
        cmocka_unit_test(soft_errors_do_not_end_an_open),
        cmocka_unit_test(hard_errors_end_an_open),
        cmocka_unit_test(hard_errors_are_soft_once_synchronized),
        cmocka_unit_test(errors_in_syn_received_are_soft),
        cmocka_unit_test(source_quench_does_nothing),
        cmocka_unit_test(reports_can_be_switched_off),
        cmocka_unit_test(the_quoted_number_must_be_in_flight),
        cmocka_unit_test(the_quote_must_name_a_connection),
        cmocka_unit_test(a_damaged_message_is_dropped),
        cmocka_unit_test(the_quote_may_have_options),
        cmocka_unit_test(other_connections_hear_nothing),
        cmocka_unit_test(entries_without_a_handle_hear_nothing),
    };
    return cmocka_run_group_tests_name("icmp_errors", tests, NULL, NULL);
}
