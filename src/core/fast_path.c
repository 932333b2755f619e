/**
 * The common segment: on an established connection, next in order, with text that is new or an ACK
 * that says how far all of ours has arrived, or both, and nothing else. Its payload is copied to
 * its place and summed in one pass; only then is it known to be whole, and only then does anything
 * count. All that it does is what the eight checks of input.c would have done: whatever they might
 * see differently is left to them. The setting fast_path leaves all to them. Only where in memory
 * data lies is not part of this: room is taken here before what is acknowledged gives some back.
 */
#include "receive.h"

enum { FRESH_BLOCKS_MOST = 20 };

/** Where the payload was copied to: the free room of the queue's last block, then these. */
struct copied {
    uint32_t count;
    uint32_t blocks[FRESH_BLOCKS_MOST];
    uint32_t peak;     /**< of the pool, before */
    uint64_t turnover; /**< likewise */
};

static bool timestamp_is_fresh(const struct hf_conn *c, const struct hf_segment *seg)
{
    return !c->ts_on || (seg->has_timestamps && (int32_t)(seg->ts_value - c->ts_recent) >= 0);
}

/** Text, or nothing, that is all new and in the window. */
static bool is_next_in_order(const struct hf_conn *c, const struct hf_flight *f,
                             const struct hf_segment *seg)
{
    return seg->payload_bytes <= hf_conn_rcv_wnd(c) && hf_seq_le(c->snd_wl1, c->rcv_nxt) &&
           timestamp_is_fresh(c, seg) &&
           (f == NULL || (f->gaps == HF_NIL && !f->fin_waits && seg->sack_count == 0));
}

/** It brings no news of ours. */
static bool says_nothing(const struct hf_conn *c, const struct hf_segment *seg)
{
    return seg->payload_bytes > 0 && seg->ack == c->snd_wl2.v &&
           (uint32_t)seg->window << c->snd_shift == c->snd_wnd;
}

/** It acknowledges where nothing is in doubt: see hf_send_acked_plain. */
static bool acks_plainly(const struct hf_conn *c, const struct hf_flight *f,
                         const struct hf_segment *seg)
{
    return f != NULL && seg->ack - c->snd_una.v <= hf_conn_in_flight(c) && hf_flight_is_plain(f) &&
           f->pending_mtu == 0 && c->snd_wnd > 0 && c->rtx_count == 0 && !c->urgent_out &&
           !c->wants_room;
}

/** Header prediction. */
static bool is_common(const struct hf_stack *s, const struct hf_conn *c,
                      const struct hf_segment *seg)
{
    if (seg->seq != c->rcv_nxt.v || c->state != HF_ESTABLISHED ||
        (seg->flags & ~HF_PSH) != HF_ACK || s->p.cfg.fast_path == 0)
        return false;
    HF_DEBUG_ASSERT(!c->app_closed); /* who lets go leaves ESTABLISHED in the same call */
    const struct hf_flight *f = hf_flight_of(s, c);
    return is_next_in_order(c, f, seg) &&
           (seg->ack == c->snd_una.v ? says_nothing(c, seg) : acks_plainly(c, f, seg));
}

/** The sum of what was copied is asked for only where nobody vouches for it. */
static hf_sum copy(uint8_t *to, const uint8_t *from, uint32_t n, bool vouched)
{
    if (!vouched)
        return hf_sum_copy(0, to, from, n);
    memcpy(to, from, n);
    return 0;
}

/** Copies the payload; its sum added to `sum`. False where it takes more room than is at hand. */
static bool copy_payload(struct hf_stack *s, const struct hf_conn *c, const struct hf_arrival *in,
                         bool vouched, struct copied *copied, hf_sum *sum)
{
    uint32_t n = in->seg->payload_bytes, block_bytes = s->blocks.block_bytes;
    uint32_t done = hf_min_u32(n, hf_queue_tail_room(&s->blocks, &c->receive));
    uint32_t begin = hf_receive_begin(s, c);
    if (n - done > FRESH_BLOCKS_MOST * block_bytes - begin)
        return false;
    if (done > 0)
        *sum += copy(hf_queue_end(&s->blocks, &c->receive), in->payload, done, vouched);
    while (done < n) {
        if (!hf_pool_may_lend(&s->blocks.pool))
            return false;
        uint32_t block = hf_blocks_take(&s->blocks, HF_BLOCK_IN_ORDER);
        HF_ASSERT(block != HF_NIL);
        copied->blocks[copied->count++] = block;
        uint32_t k = hf_min_u32(n - done, block_bytes - begin);
        uint8_t *to = hf_block_at(&s->blocks, block)->data + begin;
        *sum = hf_sum_join(*sum, copy(to, in->payload + done, k, vouched), done);
        done += k;
        begin = 0;
    }
    return true;
}

static void forget(struct hf_stack *s, const struct copied *copied)
{
    for (uint32_t i = 0; i < copied->count; i++)
        hf_blocks_give(&s->blocks, copied->blocks[i]);
    s->blocks.peak = copied->peak;
    s->blocks.turnover = copied->turnover;
}

/** What it says of ours. */
static void take_ack(struct hf_stack *s, struct hf_conn *c, const struct hf_arrival *in)
{
    const struct hf_segment *seg = in->seg;
    if (seg->ack != c->snd_una.v)
        hf_send_acked_plain(s, c, hf_flight_of(s, c), seg);
    if ((uint32_t)seg->window << c->snd_shift == c->snd_wnd) {
        c->snd_wl1 = hf_arrival_last_seq(in);
        c->snd_wl2 = hf_seq_make(seg->ack);
    } else {
        hf_send_window(s, c, in);
    }
}

static void take_text(struct hf_stack *s, struct hf_conn *c, const struct hf_arrival *in,
                      const struct copied *copied)
{
    uint32_t left = in->seg->payload_bytes;
    left -= hf_receive_extend(s, c, left);
    for (uint32_t i = 0; i < copied->count; i++)
        left -= hf_receive_link(s, c, copied->blocks[i], left);
    HF_ASSERT(left == 0);
    hf_receive_took(s, c, in, HF_NONE);
    if (c->flight != HF_NIL)
        hf_conn_release_flight(s, c);
}

static void take_what_it_says(struct hf_stack *s, struct hf_conn *c, const struct hf_arrival *in)
{
    s->p.segments_in++;
    if (s->trace != NULL)
        hf_trace_conn(s, c, HF_TRACE_SEGMENT_IN, HF_NONE, 0, 0, in->seg);
    hf_conn_heard(s, c, in->seg);
    take_ack(s, c, in);
}

/** Where the room at hand does not do: what is acknowledged may give some back first. Out of line,
 *  as it is rare. */
__attribute__((noinline)) static enum hf_fast_path take_in_turn(struct hf_stack *s,
                                                                struct hf_conn *c,
                                                                const struct hf_arrival *in,
                                                                bool vouched)
{
    if (!vouched && !hf_arrival_is_whole(in)) /* [MUST-3] */
        return HF_FAST_PATH_WRONG;
    take_what_it_says(s, c, in);
    hf_receive_text(s, c, in);
    return HF_FAST_PATH_TAKEN;
}

/** Out of line, so that what is not for us needs no registers saved. */
__attribute__((noinline)) static enum hf_fast_path take(struct hf_stack *s, struct hf_conn *c,
                                                        const struct hf_arrival *in, bool vouched)
{
    struct copied copied;
    copied.count = 0;
    copied.peak = s->blocks.peak;
    copied.turnover = s->blocks.turnover;
    hf_sum sum = vouched ? 0 : hf_arrival_header_sum(in);
    if (!copy_payload(s, c, in, vouched, &copied, &sum)) {
        forget(s, &copied);
        return take_in_turn(s, c, in, vouched);
    }
    if (!vouched && !hf_sum_is_right(sum)) { /* [MUST-3] */
        forget(s, &copied);
        return HF_FAST_PATH_WRONG;
    }
    take_what_it_says(s, c, in);
    if (in->seg->payload_bytes > 0)
        take_text(s, c, in, &copied);
    /* As if what was acknowledged had been given back before room for this was taken. */
    s->blocks.peak = hf_max_u32(copied.peak, s->blocks.pool.used);
    return HF_FAST_PATH_TAKEN;
}

enum hf_fast_path hf_fast_path_input(struct hf_stack *s, struct hf_conn *c,
                                     const struct hf_arrival *in, bool vouched)
{
    return is_common(s, c, in->seg) ? take(s, c, in, vouched) : HF_FAST_PATH_NOT;
}
