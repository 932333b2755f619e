/* What is promised of every call, or of every packet, alike: the time is taken, the checksum is
 * made by whom the settings say, the bytes in use are counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base.h"
#include "support/wire_calls.h"

/* ---- time ----------------------------------------------------------------------------------- */

enum call {
    LISTEN,
    CONNECT,
    ADMIT,
    REFUSE,
    SEND,
    RESERVE,
    COMMIT,
    RECEIVE,
    CONSUME,
    SHUTDOWN,
    SET,
    INPUT,
    OUTPUT,
    EXPIRE,
    CLOSE,
    ABORT,
    CALLS
};

/** Whether it does anything is of no interest here, only when it was made. */
static void make(struct wire *w, enum call call, hf_ns now)
{
    struct hf_stack *s = w->rig.stack;
    struct hf_listen listen = {.addr = HF_ADDR_ANY, .port = 7777};
    struct hf_connect connect = {.remote = w->peer.here};
    struct hf_out_packet packet;
    uint8_t byte = 0;
    void *room;
    hf_handle h;
    int64_t done = 0;
    switch (call) {
    case LISTEN: done = hf_listen(s, &listen, &h, now); break;
    case CONNECT: done = hf_connect(s, &connect, &h, now); break;
    case ADMIT: done = hf_admit(s, w->conn, now); break;
    case REFUSE: done = hf_refuse(s, w->conn, HF_REFUSE_RESET, now); break;
    case SEND: done = hf_send(s, w->conn, &byte, 1, 0, now); break;
    case RESERVE: done = hf_send_reserve(s, w->conn, &room, now); break;
    case COMMIT: done = hf_send_commit(s, w->conn, 0, 0, now); break;
    case RECEIVE: done = hf_receive(s, w->conn, &byte, 1, now); break;
    case CONSUME: done = hf_receive_consume(s, w->conn, 0, now); break;
    case SHUTDOWN: done = hf_shutdown(s, w->conn, now); break;
    case SET: done = hf_set(s, w->conn, HF_OPT_TTL, 9, now); break;
    case INPUT: hf_stack_input(s, NULL, 0, now); break;
    case OUTPUT: done = (int64_t)hf_stack_output(s, &packet, 1, now); break;
    case EXPIRE: done = hf_stack_expire(s, now, 1); break;
    case CLOSE: done = hf_close(s, w->conn, now); break;
    case ABORT: done = hf_abort(s, w->conn, now); break;
    case CALLS: break;
    }
    (void)done;
}

static uint64_t went_back(const struct wire *w)
{
    struct hf_stack_info info;
    hf_stack_info(w->rig.stack, &info);
    return info.clock_went_back;
}

/* A call that did not take its time would work with an older one: what it arms came too early. */
static void every_call_takes_the_time(void **state)
{
    (void)state;
    for (int call = 0; call < CALLS; call++) {
        struct wire w;
        struct wire_setup setup = {.state = HF_ESTABLISHED};
        wire_open(&w, &setup);
        make(&w, (enum call)call, w.rig.now_ns + HF_SEC(2));
        assert_int_equal(went_back(&w), 0);
        make(&w, EXPIRE, w.rig.now_ns + HF_SEC(1));
        if (went_back(&w) != 1)
            fail_msg("call %d did not take the time that it was given", call);
        wire_close(&w);
    }
}

static void every_call_counts_a_clock_that_went_back(void **state)
{
    (void)state;
    for (int call = 0; call < CALLS; call++) {
        struct wire w;
        struct wire_setup setup = {.state = HF_ESTABLISHED};
        wire_open(&w, &setup);
        make(&w, EXPIRE, w.rig.now_ns + HF_SEC(2));
        make(&w, (enum call)call, w.rig.now_ns + HF_SEC(1));
        if (went_back(&w) != 1)
            fail_msg("call %d did not count that the clock went back", call);
        wire_close(&w);
    }
}

/* ---- loans ---------------------------------------------------------------------------------- */

/* Room that was lent is the stack's again with the next call, whatever that is. */
static void every_call_ends_a_loan(void **state)
{
    (void)state;
    for (int call = 0; call < CALLS; call++) {
        if (call == COMMIT || call == RESERVE)
            continue; /* one takes what was lent, the other lends anew */
        struct wire w;
        struct wire_setup setup = {.state = HF_ESTABLISHED};
        void *room;
        wire_open(&w, &setup);
        hf_ns now = w.rig.now_ns;
        assert_true(hf_send_reserve(w.rig.stack, w.conn, &room, now) > 0);
        make(&w, (enum call)call, now);
        if (hf_send_commit(w.rig.stack, w.conn, 1, 0, now) >= 0)
            fail_msg("after call %d what was lent before could be written to", call);
        wire_close(&w);
    }
}

/* ---- checksums ------------------------------------------------------------------------------ */

/** Pulls one packet with data as a driver sees it. */
static struct hf_out_packet pull_data(struct wire *w)
{
    uint8_t bytes[100] = {1, 2, 3};
    struct hf_out_packet packet;
    assert_int_equal(hf_send(w->rig.stack, w->conn, bytes, sizeof bytes, 0, w->rig.now_ns), 100);
    assert_int_equal(hf_stack_output(w->rig.stack, &packet, 1, w->rig.now_ns), 1);
    assert_int_equal(packet.length_bytes, packet.header_bytes + sizeof bytes);
    return packet;
}

/* covers: MUST-2: whole by itself, or partial and said so: never the one called the other */
static void the_checksum_is_made_by_whom_the_settings_say(void **state)
{
    (void)state;
    for (int offload = 0; offload < 2; offload++) {
        struct wire w;
        struct hf_config config;
        hf_config_init(&config, sizeof config);
        config.offload_checksum = offload;
        struct wire_setup setup = {.state = HF_ESTABLISHED, .config = &config};
        wire_open(&w, &setup);
        struct hf_out_packet p = pull_data(&w);
        const uint8_t *tcp = p.header + p.ip_bytes;
        uint32_t tcp_bytes = (uint32_t)p.header_bytes - p.ip_bytes;
        hf_sum pseudo = hf_ip_pseudo_sum(&w.peer.there.addr, &w.peer.here.addr, HF_IP_PROTO_TCP,
                                         tcp_bytes + 100);
        assert_int_equal(p.flags, offload ? HF_PACKET_CSUM_PARTIAL : 0);
        assert_int_equal(p.checksum_offset, 16);
        if (offload) {
            assert_int_equal(hf_get16(tcp + 16), hf_sum_fold(pseudo));
        } else {
            hf_sum sum = hf_sum_bytes(pseudo, tcp, tcp_bytes);
            for (size_t i = 0; i < p.slice_count; i++)
                sum = hf_sum_bytes(sum, p.slices[i].bytes, p.slices[i].length_bytes);
            assert_int_equal(hf_sum_fold(sum), 0xFFFF);
        }
        wire_close(&w);
    }
}

/* ---- memory --------------------------------------------------------------------------------- */

static void blocks_are_bytes_in_use(void **state)
{
    (void)state;
    struct wire w;
    struct wire_setup setup = {.state = HF_ESTABLISHED};
    wire_open(&w, &setup);
    struct hf_stack_info before, after;
    wire_send(&w, 100, 0); /* in flight from here on: what comes now takes blocks alone */
    hf_stack_info(w.rig.stack, &before);
    wire_send(&w, 50000, 0);
    hf_stack_info(w.rig.stack, &after);
    assert_true(after.pool_used_bytes >= before.pool_used_bytes + 49152);
    assert_int_equal(after.used_bytes - before.used_bytes,
                     after.pool_used_bytes - before.pool_used_bytes);
    assert_true(after.used_bytes <= after.memory_bytes);
    wire_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_takes_the_time),
        cmocka_unit_test(every_call_counts_a_clock_that_went_back),
        cmocka_unit_test(every_call_ends_a_loan),
        cmocka_unit_test(the_checksum_is_made_by_whom_the_settings_say),
        cmocka_unit_test(blocks_are_bytes_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
