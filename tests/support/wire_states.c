/**
 * Ways into the states of a connection, by packets and calls only.
 */
#include "wire_states.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lab/pattern.h"

enum { SEED = 7, READ_MAX = 65536 };

/* [RFC9293#3.4.1] the clock part of an initial number moves once in this time. */
static const hf_ns isn_tick_ns = HF_US(4);
/* Timers fire late by a tick at most; an answer that waits for the one before it adds its own. */
static const hf_ns slack_ns = HF_MS(1);

static uint32_t initial_number(unsigned variant)
{
    return variant & WIRE_HIGH ? 0x7FFFFFF0u : 0xFFFFFFF0u;
}

const char *wire_name(const struct wire_setup *setup)
{
    static char text[128];
    snprintf(text, sizeof text, "%s, IPv%c, %s options, numbers at %x%s",
             hf_state_name(setup->state), setup->variant & WIRE_V6 ? '6' : '4',
             setup->variant & WIRE_OPTIONS ? "all" : "no", initial_number(setup->variant),
             setup->variant & WIRE_CLOSED ? ", let go" : "");
    return text;
}

/* ---- opening ---- */

static void open_rig(struct wire *w, hf_ns start_ns)
{
    struct hf_rig_config rig = {
        .config = w->setup.config, .seed = SEED, .start_ns = start_ns, .cut = true};
    assert_int_equal(hf_rig_open(&w->rig, &rig), HF_OK);
    struct hf_listen listen = {.port = WIRE_STACK_PORT};
    assert_int_equal(hf_listen(w->rig.stack, &listen, &w->listener, w->rig.now_ns), HF_OK);
    hf_peer_open(&w->peer, &w->rig, w->setup.variant & WIRE_V6, WIRE_PEER_PORT, WIRE_STACK_PORT,
                 initial_number(w->setup.variant));
    w->peer.timestamps = w->setup.variant & WIRE_OPTIONS;
    if (w->setup.window > 0)
        w->peer.window = w->setup.window;
}

static void handshake(struct wire *w)
{
    char options[64] = "<mss 1460>";
    if (w->setup.variant & WIRE_OPTIONS)
        snprintf(options, sizeof options, "<mss 1460,sackOK,TS,wscale %d>", WIRE_PEER_SHIFT);
    assert_true(hf_peer_connect(&w->peer, options));
}

/* When to start so that the clock part brings the stack's initial number where it shall be. */
static hf_ns start_for(struct wire *w)
{
    open_rig(w, 0);
    handshake(w);
    uint32_t ticks = initial_number(w->setup.variant) - w->peer.irs;
    hf_rig_close(&w->rig);
    return (hf_ns)ticks * isn_tick_ns;
}

/* ---- ways ---- */

void wire_write(struct wire *w, uint32_t bytes)
{
    static uint8_t data[READ_MAX];
    assert_true(bytes <= sizeof data);
    hf_pattern_fill(w->conn, 0, data, bytes);
    assert_int_equal(hf_send(w->rig.stack, w->conn, data, bytes, 0, w->rig.now_ns), bytes);
    hf_rig_pull(&w->rig);
}

void wire_finish(struct wire *w)
{
    int err = w->setup.variant & WIRE_CLOSED ? hf_close(w->rig.stack, w->conn, w->rig.now_ns)
                                             : hf_shutdown(w->rig.stack, w->conn, w->rig.now_ns);
    assert_int_equal(err, HF_OK);
    hf_rig_pull(&w->rig);
}

static bool peer_finishes_first(enum hf_state state)
{
    return state == HF_CLOSE_WAIT || state == HF_LAST_ACK;
}

static void walk(struct wire *w)
{
    enum hf_state state = w->setup.state;
    struct hf_peer *p = &w->peer;
    if (peer_finishes_first(state)) {
        hf_peer_send(p, "F. seq 1 ack 1");
        hf_peer_skip(p);
    }
    if (w->setup.unacked_bytes > 0)
        wire_write(w, w->setup.unacked_bytes);
    if (state != HF_ESTABLISHED && state != HF_CLOSE_WAIT)
        wire_finish(w);
    if (state == HF_CLOSING)
        hf_peer_send(p, "F. seq 1 ack 1");
    hf_peer_skip(p);
    if (state == HF_FIN_WAIT_2 || state == HF_TIME_WAIT)
        hf_peer_send(p, ". seq 1");
    if (state == HF_TIME_WAIT)
        hf_peer_send(p, "F. seq 1");
    hf_peer_skip(p);
}

void wire_open(struct wire *w, const struct wire_setup *setup)
{
    *w = (struct wire){.setup = *setup};
    open_rig(w, setup->variant & WIRE_FROM_ZERO ? 0 : start_for(w));
    handshake(w);
    if (!(setup->variant & WIRE_FROM_ZERO))
        assert_int_equal(w->peer.irs, initial_number(setup->variant));
    struct hf_event e = hf_rig_event(&w->rig);
    assert_true(e.bits & HF_EV_ACCEPTED);
    w->conn = e.handle;
    walk(w);
    if (wire_state(w) != setup->state)
        fail_msg("%s could not be reached: it is in %s", wire_name(setup),
                 hf_state_name(wire_state(w)));
    if (!(setup->variant & WIRE_CLOSED))
        wire_events(w, NULL);
    wire_rebase(w);
    w->start_ns = w->rig.now_ns;
}

void wire_close(struct wire *w)
{
    if (w->rig.checks.violations > 0)
        fail_msg("%s: %s", wire_name(&w->setup), w->rig.checks.first);
    hf_rig_close(&w->rig);
}

void wire_rebase(struct wire *w)
{
    struct hf_info info = wire_info(w);
    w->peer.iss = info.rcv_nxt;
    w->peer.irs = info.snd_nxt;
}

/* ---- looking ---- */

struct hf_info wire_info(const struct wire *w)
{
    struct hf_info info;
    if (hf_info(w->rig.stack, w->conn, &info) != HF_OK)
        fail_msg("%s: the connection is gone", wire_name(&w->setup));
    return info;
}

enum hf_state wire_state(const struct wire *w)
{
    struct hf_tuple t;
    return wire_tuple(w, &t) ? t.state : HF_CLOSED;
}

/* A connection that gave its tuple to a time-wait entry waits for nothing itself. */
static bool holds_tuple(const struct hf_tuple *t)
{
    return t->kind != HF_KIND_LISTENER && t->state != HF_CLOSED &&
           !(t->kind == HF_KIND_CONN && t->state == HF_TIME_WAIT && t->deadline_ns == HF_NEVER);
}

bool wire_tuple(const struct wire *w, struct hf_tuple *tuple)
{
    uint64_t cursor = 0;
    struct hf_tuple t;
    bool found = false;
    while (hf_iterate(w->rig.stack, &cursor, &t)) {
        bool same =
            t.remote.port == w->peer.here.port && hf_addr_equal(&t.remote.addr, &w->peer.here.addr);
        /* A newer SYN holds the tuple rather than the TIME-WAIT that may come back. */
        if (same && holds_tuple(&t) && (!found || t.kind == HF_KIND_HALF_OPEN)) {
            *tuple = t;
            found = true;
        }
    }
    return found;
}

uint32_t wire_events(struct wire *w, enum hf_closed *how)
{
    struct hf_event e;
    uint32_t bits = 0;
    unsigned closed = 0;
    while (hf_stack_event(w->rig.stack, &e)) {
        if (e.handle != w->conn)
            continue;
        bits |= e.bits;
        if (!(e.bits & HF_EV_CLOSED))
            continue;
        closed++;
        if (how != NULL)
            *how = e.how;
    }
    assert_true(closed <= 1);
    return bits;
}

uint32_t wire_read(struct wire *w)
{
    static uint8_t data[READ_MAX];
    int64_t n = hf_receive(w->rig.stack, w->conn, data, sizeof data, w->rig.now_ns);
    hf_rig_pull(&w->rig);
    if (n < 0)
        return 0;
    /* The peer's pattern counts from the number behind its `iss`. */
    size_t right = hf_pattern_check(w->peer.key, (uint32_t)-1, data, (size_t)n);
    if (right != (size_t)n)
        fail_msg("byte %zu of what was read is wrong", right);
    return (uint32_t)n;
}

/* ---- expecting ---- */

void wire_expect(struct wire *w, const char *text, const char *file, int line)
{
    if (!hf_peer_expect(&w->peer, text))
        _fail(file, line);
}

void wire_quiet(struct wire *w, const char *file, int line)
{
    if (!hf_peer_expect_nothing(&w->peer))
        _fail(file, line);
}

bool wire_is_about(hf_ns at_ns, hf_ns expected_ns)
{
    return at_ns >= expected_ns && at_ns < expected_ns + slack_ns;
}

hf_ns wire_until_sent(struct wire *w, hf_ns limit_ns)
{
    hf_ns end_ns = w->start_ns + limit_ns, deadline_ns;
    while (w->rig.caught_count == 0 && (deadline_ns = hf_stack_deadline(w->rig.stack)) <= end_ns) {
        hf_ns before_ns = w->rig.now_ns;
        hf_rig_run(&w->rig, hf_max_ns(deadline_ns, before_ns));
    }
    if (w->rig.caught_count > 0)
        return w->rig.caught[0].at_ns - w->start_ns;
    hf_rig_run(&w->rig, end_ns);
    return w->rig.caught_count > 0 ? w->rig.caught[0].at_ns - w->start_ns : HF_NEVER;
}

void wire_expect_at(struct wire *w, hf_ns at_ns, const char *text, const char *file, int line)
{
    hf_ns sent_ns = wire_until_sent(w, at_ns + slack_ns);
    if (!wire_is_about(sent_ns, at_ns)) {
        fprintf(stderr, "expected \"%s\" after %.6f s, sent after %.6f s\n", text,
                (double)at_ns / 1e9, (double)sent_ns / 1e9);
        _fail(file, line);
    }
    wire_expect(w, text, file, line);
}

hf_ns wire_until_state(struct wire *w, enum hf_state state, hf_ns limit_ns)
{
    hf_ns end_ns = w->start_ns + limit_ns, deadline_ns;
    while (wire_state(w) != state && (deadline_ns = hf_stack_deadline(w->rig.stack)) <= end_ns)
        hf_rig_run(&w->rig, hf_max_ns(deadline_ns, w->rig.now_ns));
    return wire_state(w) == state ? w->rig.now_ns - w->start_ns : HF_NEVER;
}
