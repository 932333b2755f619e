/**
 * What the tests of time-outs share. Times are exact, in the profile rfc unless a test says
 * otherwise: RTO 1 s doubling to 60 s, R1 3, R2 8, delayed ACK 200 ms.
 */
#ifndef HF_TEST_TMO_H
#define HF_TEST_TMO_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/wire_calls.h"
#include "support/wire_states.h"

enum { R2 = 8, DATA_BYTES = 1000 };

/* When the n-th retransmission or probe leaves; the one after the R2-th is the end. */
static const int backoff_s[R2 + 1] = {1, 3, 7, 15, 31, 63, 123, 183, 243};

static struct hf_config rfc;

static inline struct wire_setup setup_of(enum hf_state state, unsigned variant,
                                         uint32_t unacked_bytes)
{
    return (struct wire_setup){state, variant, &rfc, unacked_bytes, 0};
}

static inline bool sends_fin(enum hf_state state)
{
    return state != HF_ESTABLISHED && state != HF_CLOSE_WAIT;
}

static inline void set(struct wire *w, enum hf_option o, int64_t value)
{
    assert_int_equal(hf_set(w->rig.stack, w->conn, o, value, w->rig.now_ns), HF_OK);
}

static inline void expect_closed(struct wire *w, enum hf_closed how, int err)
{
    enum hf_closed is = HF_CLOSED_NOT;
    if (!(w->setup.variant & WIRE_CLOSED))
        assert_int_equal(hf_send(w->rig.stack, w->conn, "x", 1, 0, w->rig.now_ns), err);
    assert_true(wire_events(w, &is) & HF_EV_CLOSED);
    assert_int_equal(is, how);
    assert_int_equal(wire_state(w), HF_CLOSED);
    hf_close(w->rig.stack, w->conn, w->rig.now_ns);
    struct hf_stack_info info;
    hf_stack_info(w->rig.stack, &info);
    assert_int_equal(info.connections, 0);
    assert_int_equal(info.pool_used_bytes, 0);
    assert_int_equal(hf_stack_deadline(w->rig.stack), HF_NEVER);
}

static inline int fill_rfc(void **state)
{
    (void)state;
    hf_config_profile(&rfc, sizeof rfc, HF_PROFILE_RFC);
    rfc.loss_probe = 0; /* it would come ahead of the first timeout */
    return 0;
}

#endif
