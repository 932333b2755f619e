/**
 * What the tests of opening connections share: a bench with one stack and one peer, and the ways
 * that lead to SYN-RECEIVED.
 */
#ifndef HF_TEST_OPENING_H
#define HF_TEST_OPENING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lab/pattern.h"
#include "lab/peer.h"

struct bench {
    struct hf_config config;
    struct hf_rig rig;
    struct hf_peer peer;
    hf_handle listener, conn;
};

/** Initial numbers with the wrap, of unsigned and of signed numbers, close ahead. */
static const uint32_t bench_isses[] = {0xFFFFFFF0u, 0x7FFFFFF0u};

/** Settings of the default profile, to be changed before bench_open. */
static inline void bench_init(struct bench *b)
{
    *b = (struct bench){0};
    hf_config_init(&b->config, sizeof b->config);
}

/** The stack at port 80, the peer at port 4000. */
static inline void bench_open(struct bench *b, bool v6, uint32_t peer_iss)
{
    struct hf_rig_config config = {.config = &b->config, .seed = 7};
    assert_int_equal(hf_rig_open(&b->rig, &config), HF_OK);
    hf_peer_open(&b->peer, &b->rig, v6, 4000, 80, peer_iss);
}

static inline void bench_close(struct bench *b)
{
    if (b->rig.checks.violations > 0)
        fail_msg("%s", b->rig.checks.first);
    hf_rig_close(&b->rig);
}

static inline hf_ns bench_now(const struct bench *b)
{
    return b->rig.now_ns;
}

static inline uint64_t bench_count(const struct bench *b, enum hf_reason reason)
{
    return hf_stack_count(b->rig.stack, reason);
}

static inline struct hf_stack_info bench_sizes(const struct bench *b)
{
    struct hf_stack_info info;
    hf_stack_info(b->rig.stack, &info);
    return info;
}

static inline struct hf_info bench_info(const struct bench *b, hf_handle conn)
{
    struct hf_info info;
    assert_int_equal(hf_info(b->rig.stack, conn, &info), HF_OK);
    return info;
}

static inline hf_handle bench_listen(struct bench *b, const struct hf_listen *what)
{
    hf_handle listener = 0;
    assert_int_equal(hf_listen(b->rig.stack, what, &listener, bench_now(b)), HF_OK);
    return listener;
}

/** Connects from port 80 to the peer; nobody asks for packets yet. */
static inline hf_handle bench_connect_unasked(struct bench *b)
{
    struct hf_connect what = {.local = {.port = b->peer.there.port}, .remote = b->peer.here};
    hf_handle conn = 0;
    assert_int_equal(hf_connect(b->rig.stack, &what, &conn, bench_now(b)), HF_OK);
    return conn;
}

/** The same; the SYN waits to be popped. */
static inline hf_handle bench_connect(struct bench *b)
{
    hf_handle conn = bench_connect_unasked(b);
    hf_rig_pull(&b->rig);
    return conn;
}

/** A peer at another port, or at 10.0.0.x, of the same stack. */
static inline struct hf_peer bench_peer(struct bench *b, uint8_t host, uint16_t port, uint32_t iss)
{
    struct hf_peer p;
    hf_peer_open(&p, &b->rig, !hf_addr_is_v4(&b->peer.here.addr), port, b->peer.there.port, iss);
    p.here.addr.octets[15] = host;
    return p;
}

/** The handle of an event that has all these bits; 0 if the next event has not. */
static inline hf_handle bench_event(struct bench *b, uint32_t bits)
{
    struct hf_event e = hf_rig_event(&b->rig);
    return (e.bits & bits) == bits ? e.handle : 0;
}

/** True if nothing waits: neither packets nor events. Says what does. */
static inline bool bench_is_quiet(struct bench *b)
{
    struct hf_event e = hf_rig_event(&b->rig);
    if (b->rig.caught_count > 0 || e.bits != 0)
        print_error("%u packets, event bits %x\n", (unsigned)b->rig.caught_count, e.bits);
    return b->rig.caught_count == 0 && e.bits == 0;
}

/* ---- the three forms of SYN-RECEIVED ---- */

enum form {
    HALF_OPEN, /**< an entry of an automatic listener */
    ADMITTED,  /**< a connection of a held listener, after hf_admit */
    CROSSED,   /**< a connection that was opened from both sides at once */
};
enum { FORM_COUNT = CROSSED + 1 };

static const char *const form_names[FORM_COUNT] = {"half-open", "admitted", "crossed"};

/** Leads a bench that was just opened into SYN-RECEIVED; the SYN,ACK was popped. */
static inline void bench_syn_rcvd(struct bench *b, enum form form, const char *options)
{
    char syn[120];
    snprintf(syn, sizeof syn, "S seq 0 %s", options);
    if (form == CROSSED) {
        b->conn = bench_connect(b);
        assert_true(hf_peer_expect(&b->peer, "S seq 0"));
    } else {
        struct hf_listen listen = {.port = 80, .held = form == ADMITTED};
        b->listener = bench_listen(b, &listen);
    }
    hf_peer_send(&b->peer, syn);
    if (form == ADMITTED) {
        b->conn = bench_event(b, HF_EV_SYN);
        assert_int_equal(hf_admit(b->rig.stack, b->conn, bench_now(b)), HF_OK);
        hf_rig_pull(&b->rig);
    }
    assert_true(hf_peer_expect(&b->peer, "S. seq 0 ack 1"));
    assert_true(hf_peer_expect_nothing(&b->peer));
    assert_int_equal(hf_peer_state(&b->peer), HF_SYN_RCVD);
}

/** The connection of a handshake that was completed just now; 0 if there is none. */
static inline hf_handle bench_established(struct bench *b, enum form form)
{
    return bench_event(b, form == HALF_OPEN ? HF_EV_ACCEPTED : HF_EV_CONNECTED);
}

#endif
