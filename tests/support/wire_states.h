/**
 * A connection of a stack on the bench, brought by packets into a given state.
 *
 * When it is there, numbers are counted from that moment on: "seq 0" is the stack's RCV.NXT and
 * "ack 0" its SND.NXT, in every state, so that one line of text means the same in all of them.
 */
#ifndef HF_TESTS_SUPPORT_WIRE_STATES_H
#define HF_TESTS_SUPPORT_WIRE_STATES_H

#include "lab/peer.h"

/** What connections may differ in. The first three bits make the matrix of WIRE_VARIANTS. */
enum wire_variant {
    WIRE_V6 = 1,
    WIRE_OPTIONS = 2,    /**< timestamps, window scale and SACK were agreed on; else none of them */
    WIRE_HIGH = 4,       /**< initial numbers of both sides 0x7FFFFFF0 rather than 0xFFFFFFF0 */
    WIRE_CLOSED = 8,     /**< the application let go by hf_close; else hf_shutdown */
    WIRE_FROM_ZERO = 16, /**< time starts at 0, and the stack's initial number is as it comes */
};
enum { WIRE_VARIANTS = 8 };

/** The peer's window shift with WIRE_OPTIONS. */
enum { WIRE_PEER_SHIFT = 3, WIRE_PEER_PORT = 4000, WIRE_STACK_PORT = 80 };

struct wire_setup {
    enum hf_state state; /**< ESTABLISHED or a later one */
    unsigned variant;
    const struct hf_config *config; /**< NULL: the default profile */
    uint32_t unacked_bytes;         /**< written before the FIN, if any, and not acknowledged */
    uint16_t window;                /**< of the peer; 0: 65535 */
};

struct wire {
    struct hf_rig rig;
    struct hf_peer peer;
    struct wire_setup setup;
    hf_handle listener, conn;
    hf_ns start_ns; /**< when the state was reached */
};

/** The test fails if the state can't be reached. */
void wire_open(struct wire *w, const struct wire_setup *setup);
/** The test fails if an invariant was violated. */
void wire_close(struct wire *w);
/** Counts "seq" from RCV.NXT and "ack" from SND.NXT as they are now. */
void wire_rebase(struct wire *w);
/** The connection's snapshot; the test fails if there is none. */
struct hf_info wire_info(const struct wire *w);
enum hf_state wire_state(const struct wire *w);
/** The entry of this connection's tuple in the stack's list; false: none is there. */
bool wire_tuple(const struct wire *w, struct hf_tuple *tuple);
/** Pulls all events; returns the OR of this connection's bits, and how it ended in *how (which may
 *  be NULL). The test fails if more than one of them says that it is over. */
uint32_t wire_events(struct wire *w, enum hf_closed *how);
/** Queues this many bytes of a pattern and lets them leave. */
void wire_write(struct wire *w, uint32_t bytes);
/** Half-closes or, with WIRE_CLOSED, lets go; the FIN leaves if it may. */
void wire_finish(struct wire *w);
/** Reads all that is there; the test fails unless these are the peer's bytes from "seq 0" of the
 *  last rebase on. Returns how many. */
uint32_t wire_read(struct wire *w);
/** "ESTABLISHED, IPv6, options, numbers at 0x7FFFFFF0", for messages. */
const char *wire_name(const struct wire_setup *setup);

/** Fails the test unless the stack's next segment to the peer is this one. */
#define WIRE_EXPECT(w, text) wire_expect((w), (text), __FILE__, __LINE__)
/** Fails the test if the stack sent anything more. */
#define WIRE_QUIET(w) wire_quiet((w), __FILE__, __LINE__)
void wire_expect(struct wire *w, const char *text, const char *file, int line);
void wire_quiet(struct wire *w, const char *file, int line);

/** Lets time pass until the stack sends something, `limit_ns` after the state was reached at most.
 *  Returns the instant, counted from there; HF_NEVER: nothing was sent. */
hf_ns wire_until_sent(struct wire *w, hf_ns limit_ns);
/** Fails the test unless the next segment leaves at at_ns after the state was reached, to within a
 *  tick of the timer wheel for each timer on the way, and nothing before it. */
#define WIRE_EXPECT_AT(w, at_ns, text) wire_expect_at((w), (at_ns), (text), __FILE__, __LINE__)
void wire_expect_at(struct wire *w, hf_ns at_ns, const char *text, const char *file, int line);
/** Lets time pass until the connection is in this state; returns the instant as wire_until_sent. */
hf_ns wire_until_state(struct wire *w, enum hf_state state, hf_ns limit_ns);
/** True if an instant is the expected one or later by ticks of the timer wheel. */
bool wire_is_about(hf_ns at_ns, hf_ns expected_ns);

#endif
