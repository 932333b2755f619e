/**
 * The receiving half of a connection, as other files see it: text in order and out of order, the
 * window, and how large the buffers are. Private to src/core.
 */
#ifndef HF_CORE_RECEIVE_H
#define HF_CORE_RECEIVE_H

#include "stack.h"

/* ---- receiving (receive.c, reassembly.c) ---- */

/** Seventh and eighth check: data and FIN of an acceptable segment. */
void hf_receive_text(struct hf_stack *s, struct hf_conn *c, const struct hf_arrival *in);
/** The window field for a segment that leaves now; moves rcv_adv. */
uint16_t hf_receive_window(struct hf_stack *s, struct hf_conn *c);
/** There may be room for more: tells the peer if it is enough [MUST-39]; where the pool of blocks
 *  has too few, the connection waits for them. */
void hf_receive_reopen(struct hf_stack *s, struct hf_conn *c);
/** Tells the reader, unless less than the low-water mark waits. */
void hf_receive_tell(struct hf_stack *s, struct hf_conn *c);
/** The number of the first byte that was not read; behind all of them that of the FIN, if any. */
static inline hf_seq hf_receive_unread(const struct hf_conn *c)
{
    return hf_seq_sub(c->rcv_nxt, c->receive.bytes + c->peer_fin);
}

/** Data in order was taken: tells the peer when due (at once, if there is a reason), and the
 *  reader. */
void hf_receive_took(struct hf_stack *s, struct hf_conn *c, const struct hf_arrival *in,
                     enum hf_reason at_once);
/** Keeps text and FIN of a SYN that crossed ours, at RCV.NXT and not acknowledged. */
void hf_receive_keep(struct hf_stack *s, struct hf_conn *c, const struct hf_arrival *in);
/** The connection is established and has a flight record: takes what was kept there
 *  [RFC9293#3.10.7.3]. */
void hf_receive_kept(struct hf_stack *s, struct hf_conn *c, const struct hf_segment *seg);
/** Where the data of the next block begins: blocks stand at fixed stream offsets, so that a fresh
 *  queue starts in the middle of its first one. */
static inline uint32_t hf_receive_begin(const struct hf_stack *s, const struct hf_conn *c)
{
    uint32_t offset = c->rcv_nxt.v - c->irs.v - 1;
    return c->receive.tail == HF_NIL ? offset & (s->blocks.block_bytes - 1) : 0;
}
/** Takes n bytes that stand in this block at RCV.NXT's place, or as many as fit; how many. */
uint32_t hf_receive_link(struct hf_stack *s, struct hf_conn *c, uint32_t block, uint32_t n);
/** The same for bytes that stand in the queue's last block; 0 if it is full. */
uint32_t hf_receive_extend(struct hf_stack *s, struct hf_conn *c, uint32_t n);

/** A segment of n numbers at seq is here, and not taken yet: notes what of it came before. The ACK
 *  that the caller owes for it says so. Nothing, if the peer did not permit SACK. */
void hf_twice_note(struct hf_stack *s, struct hf_conn *c, hf_seq seq, uint32_t n);

/** True while out-of-order data is kept. */
static inline bool hf_gaps_exist(const struct hf_stack *s, const struct hf_conn *c)
{
    const struct hf_flight *f = hf_flight_of(s, c);
    return f != NULL && f->gaps != HF_NIL;
}
uint32_t hf_gaps_bytes(const struct hf_stack *s, const struct hf_conn *c);
/** Keeps data that lies beyond a gap; HF_NONE, or why not all of it. */
enum hf_reason hf_gaps_add(struct hf_stack *s, struct hf_conn *c, hf_seq seq, const uint8_t *bytes,
                           uint32_t n);
/** The block that holds data for the next byte in order, taken out of the gaps; HF_NIL if none. */
uint32_t hf_gaps_take_next(struct hf_stack *s, struct hf_conn *c);
/** Keeps a partly filled block that drained, while data beyond it is there. */
void hf_gaps_keep(struct hf_stack *s, struct hf_conn *c, uint32_t block);
/** Moves what is in order now into the receive queue, RCV.NXT with it. */
void hf_gaps_merge(struct hf_stack *s, struct hf_conn *c);
void hf_gaps_drop(struct hf_stack *s, struct hf_conn *c);
/** Gives up out-of-order data, of this connection or another, to free a block. */
bool hf_gaps_reclaim(struct hf_stack *s, struct hf_conn *c);
/** True while the next segment has SACK blocks. */
static inline bool hf_sack_is_due(const struct hf_conn *c, const struct hf_flight *f)
{
    return f != NULL && c->sack_on && (c->twice_due || f->gaps != HF_NIL);
}
/** Fills in the SACK blocks of a segment to send [RFC2018#4] [RFC2883#4]. */
void hf_gaps_sack(const struct hf_stack *s, const struct hf_conn *c, struct hf_segment *seg);
/** True if one ACK could not tell of one more block beside those that grew since the last. */
bool hf_gaps_untold(const struct hf_stack *s, const struct hf_conn *c);

/* ---- sizes of buffers (tuning.c) ---- */

/** A round trip begins: what is read from now on counts. */
void hf_round_begin(const struct hf_stack *s, struct hf_conn *c);
/** Data in order is here. */
static inline void hf_round_on_arrival(const struct hf_stack *s, struct hf_conn *c,
                                       const struct hf_segment *seg)
{
    uint32_t at = c->ts_on ? seg->ts_echo : hf_stack_ticks(s);
    if ((int32_t)(at - c->round_end) >= 0)
        hf_round_begin(s, c);
}
/** `taken` bytes of this round trip were read, more than half of the buffer: it may grow. */
void hf_receive_grow(const struct hf_stack *s, struct hf_conn *c, uint32_t taken);
/** The application has read. */
static inline void hf_receive_tune(const struct hf_stack *s, struct hf_conn *c)
{
    uint32_t taken = hf_receive_unread(c).v - c->round_from.v;
    if (taken > c->options.receive_buffer_bytes / 2)
        hf_receive_grow(s, c, taken);
}
/** How much the send queue may hold. */
uint32_t hf_send_limit(const struct hf_stack *s, const struct hf_conn *c);

#endif
