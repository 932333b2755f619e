/**
 * How large a connection's buffers are, as long as the application leaves that to us.
 *
 * Receiving [Fisk and Feng 2001, "Dynamic Right-Sizing in TCP"]: the buffer has to hold twice what
 * the application reads in a round trip, so that the window is never what limits a sender that
 * doubles its own each time. A round trip is over when data arrives that the peer sent after it had
 * heard from us since its begin: its echo of our timestamp tells; without timestamps SRTT does, of
 * the handshake at least. What is read after the reader had let the window close tells of the
 * reader's pace only, and does not count.
 *
 * Sending: the buffer follows the congestion window, within what the peer's ever was.
 *
 * A size is a promise, no memory: blocks are taken as bytes come. It never grows beyond a share of
 * the pool, so that of those that want more each may have as much as is left for all others.
 */
#include "receive.h"

enum { TICK_SHIFT = HF_ROUND_TICK_SHIFT };

void hf_round_begin(const struct hf_stack *s, struct hf_conn *c)
{
    if (c->urgent_in || c->urgent_out) /* they use the place; it begins when both are over */
        return;
    c->round_from = hf_receive_unread(c);
    /* The very tick may have begun before: an echo of it may be of something earlier. */
    if (c->ts_on)
        c->round_end = hf_stack_timestamp(s, c->ts_offset) + 1;
    else
        c->round_end = hf_stack_ticks(s) + 1 + (uint32_t)(hf_rtt_srtt_ns(&c->rtt) >> TICK_SHIFT);
}

/** The peer could send nothing, and knew it, until now: the reader is what it waits for. */
static bool reader_was_late(const struct hf_conn *c)
{
    return hf_conn_rcv_wnd(c) < c->rcv_mss && hf_seq_eq(c->last_ack_sent, c->rcv_nxt);
}

void hf_receive_grow(const struct hf_stack *s, struct hf_conn *c, uint32_t taken)
{
    if (c->options.receive_fixed || c->urgent_in || c->urgent_out || c->peer_fin)
        return;
    if (reader_was_late(c)) {
        hf_round_begin(s, c);
        return;
    }
    uint32_t most = hf_min_u32((uint32_t)s->p.cfg.receive_buffer_max_bytes,
                               (uint32_t)UINT16_MAX << c->rcv_shift);
    most = hf_min_u32(most, c->receive.bytes + hf_blocks_window_bytes(&s->blocks));
    uint32_t size = taken >= most / 2 ? most : 2 * taken;
    if (size > c->options.receive_buffer_bytes)
        c->options.receive_buffer_bytes = size & HF_BUFFER_MASK;
}

uint32_t hf_send_limit(const struct hf_stack *s, const struct hf_conn *c)
{
    uint32_t chosen = c->options.send_buffer_bytes;
    if (c->options.send_fixed)
        return chosen;
    /* What is unacknowledged, which in a recovery may be more than the window; and a window's worth
     * to send next. */
    uint32_t window = hf_min_u32(c->cc.cwnd_bytes, c->max_snd_wnd);
    uint32_t wanted = window + hf_max_u32(window, hf_conn_in_flight(c));
    wanted = hf_min_u32(wanted, (uint32_t)s->p.cfg.send_buffer_max_bytes);
    return hf_max_u32(chosen, hf_min_u32(wanted, hf_blocks_send_bytes(&s->blocks)));
}
