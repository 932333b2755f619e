/**
 * What the parts of the target fuzz_conn share. fuzz_conn.c has begin and end, conn_run.c the input
 * and what is asked after each step, conn_segments.c packets that come in, conn_calls.c
 * everything else that can happen.
 */
#ifndef HF_FUZZ_CONN_RUN_H
#define HF_FUZZ_CONN_RUN_H

#include "core/wire/tcp.h"
#include "lab/checks.h"

enum { FUZZ_MODELS = 64, FUZZ_LISTENERS = 4, FUZZ_PACKET_BYTES = 65535 + 40 };

/** What is known of a connection by its handle. */
struct fuzz_model {
    hf_handle handle;
    bool closed, let_go;
    uint32_t read_bytes;
    bool edge_known;
    bool settled;       /**< no answer of an earlier connection waits any more */
    uint32_t edge, ack; /**< as sent last: neither moves left */
};

/** A SYN,ACK that was sent: a cookie may be in it, which nobody else remembers. */
struct fuzz_syn_ack {
    struct hf_endpoint local, remote;
    uint32_t seq, ack, edge, ts_value;
    bool timestamps;
};

struct fuzz_side {
    struct hf_stack *stack;
    struct hf_account account;
    struct fuzz_model models[FUZZ_MODELS];
    uint64_t base_bytes;
    struct hf_addr v4, v6;
    hf_handle listeners[FUZZ_LISTENERS];
    hf_ns clock_ns; /**< its clock, less that of the run: changed when it is restored */
    struct fuzz_syn_ack syn_ack; /**< the last one */
};

struct fuzz_run {
    const uint8_t *bytes;
    size_t left_bytes;
    struct fuzz_side sides[2];
    unsigned side_count;
    hf_ns now;
    struct hf_checks checks;
    bool events_wait, packets_wait;
    uint8_t loss; /**< between the sides: one in so many packets; 0: none */
    uint32_t packets_moved;
};

/** A number below bound from the input; 0 when that is at its end. */
uint32_t fuzz_take(struct fuzz_run *r, uint32_t bound);
bool fuzz_chance(struct fuzz_run *r, uint32_t one_in);
/** The present by a side's own clock. */
hf_ns fuzz_now(const struct fuzz_run *r, const struct fuzz_side *side);
/** When a side wants expire to be called, by the clock of the run. */
hf_ns fuzz_deadline(const struct fuzz_side *side);
/** Time passes, up to the end of what can be told. */
void fuzz_pass(struct fuzz_run *r, hf_ns until_ns);
/** The bytes of every stream, from a sequence number on. */
void fuzz_fill(uint8_t *bytes, uint32_t n, uint32_t seq);
bool fuzz_is_right(const uint8_t *bytes, size_t n, uint32_t seq);
struct fuzz_model *fuzz_model_of(struct fuzz_side *side, hf_handle h);
struct fuzz_model *fuzz_model_add(struct fuzz_side *side, hf_handle h);
/** A handle of the past or present, or one that never was. */
struct fuzz_model *fuzz_model_choose(struct fuzz_run *r, struct fuzz_side *side);
bool fuzz_info(const struct fuzz_side *side, const struct fuzz_model *m, struct hf_info *info);
/** After each step: events and packets are taken until there are none, and the invariants hold. */
void fuzz_settle(struct fuzz_run *r);
/** Until expire says that it is done. */
void fuzz_expire(struct fuzz_run *r, struct fuzz_side *side);
/** Addresses and ports of a few that come again and again. */
void fuzz_fresh_tuple(struct fuzz_run *r, const struct fuzz_side *side, struct hf_tuple *t);

typedef void fuzz_step_fn(struct fuzz_run *r, struct fuzz_side *side);
fuzz_step_fn fuzz_step_handshake, fuzz_step_any_segment, fuzz_step_data, fuzz_step_ack,
    fuzz_step_fin, fuzz_step_reset, fuzz_step_icmp, fuzz_step_noise, fuzz_step_connect,
    fuzz_step_listen, fuzz_step_decide, fuzz_step_send, fuzz_step_receive, fuzz_step_close,
    fuzz_step_options, fuzz_step_time, fuzz_step_deadline, fuzz_step_memory, fuzz_step_waiting,
    fuzz_step_save, fuzz_step_cookie, fuzz_step_reopen, fuzz_step_unlisten;

#endif
