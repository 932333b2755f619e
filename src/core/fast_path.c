/**
 * The common segment: data that is next in order, on an established connection, and says nothing
 * else that is new. Its payload is copied to its place and summed in one pass; only then is it
 * known to be whole, and only then does anything count. All that it does is what the eight checks
 * of input.c would have done: whatever they might see differently is left to them.
 *
 * Only for segments whose checksum is ours to verify: without that there is no pass to save.
 */
#include "receive.h"

enum { FRESH_BLOCKS_MOST = 20 };

/** Where the payload was copied to: the free room of the queue's last block, then these. */
struct copied {
    uint32_t count;
    uint32_t blocks[FRESH_BLOCKS_MOST];
    uint32_t peak; /**< of the pool, before */
};

static bool timestamp_is_fresh(const struct hf_conn *c, const struct hf_segment *seg)
{
    return !c->ts_on || (seg->has_timestamps && (int32_t)(seg->ts_value - c->ts_recent) >= 0);
}

/** Header prediction: nothing but text, all of it new and in the window, no news of ours. */
static bool is_next_in_order(const struct hf_stack *s, const struct hf_conn *c,
                             const struct hf_segment *seg)
{
    /* First what most segments fail that are not for us: an answer acknowledges its question. */
    if (seg->ack != c->snd_una.v || seg->seq != c->rcv_nxt.v)
        return false;
    if (c->state != HF_ESTABLISHED || (seg->flags & ~HF_PSH) != HF_ACK || c->app_closed)
        return false;
    const struct hf_flight *f = hf_flight_of(s, c);
    return seg->payload_bytes <= hf_conn_rcv_wnd(c) && seg->ack == c->snd_wl2.v &&
           (uint32_t)seg->window << c->snd_shift == c->snd_wnd &&
           hf_seq_le(c->snd_wl1, c->rcv_nxt) && timestamp_is_fresh(c, seg) &&
           (f == NULL || (f->gaps == HF_NIL && !f->fin_waits && seg->sack_count == 0));
}

/** Copies the payload; its sum added to `sum`. False without room: the slow path finds some. */
static bool copy_payload(struct hf_stack *s, const struct hf_conn *c, const struct hf_arrival *in,
                         struct copied *copied, hf_sum *sum)
{
    uint32_t n = in->seg->payload_bytes, block_bytes = s->blocks.block_bytes;
    uint32_t done = hf_min_u32(n, hf_queue_tail_room(&s->blocks, &c->receive));
    if (done > 0)
        *sum = hf_sum_copy(*sum, hf_queue_end(&s->blocks, &c->receive), in->payload, done);
    uint32_t begin = hf_receive_begin(s, c);
    while (done < n) {
        if (copied->count == FRESH_BLOCKS_MOST)
            return false;
        uint32_t block = hf_blocks_take(&s->blocks, HF_BLOCK_IN_ORDER);
        if (block == HF_NIL)
            return false;
        copied->blocks[copied->count++] = block;
        uint32_t k = hf_min_u32(n - done, block_bytes - begin);
        uint8_t *to = hf_block_at(&s->blocks, block)->data + begin;
        *sum = hf_sum_join(*sum, hf_sum_copy(0, to, in->payload + done, k), done);
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
}

static void commit(struct hf_stack *s, struct hf_conn *c, const struct hf_arrival *in,
                   const struct copied *copied)
{
    const struct hf_segment *seg = in->seg;
    s->p.segments_in++;
    if (s->trace != NULL)
        hf_trace_conn(s, c, HF_TRACE_SEGMENT_IN, HF_NONE, 0, 0, seg);
    hf_conn_heard(s, c, seg);
    c->snd_wl1 = hf_seq_make(seg->seq);
    uint32_t left = seg->payload_bytes;
    left -= hf_receive_extend(s, c, left);
    for (uint32_t i = 0; i < copied->count; i++)
        left -= hf_receive_link(s, c, copied->blocks[i], left);
    HF_ASSERT(left == 0);
    hf_receive_took(s, c, in, HF_NONE);
}

/** Out of line, so that what is not for us needs no registers saved. */
__attribute__((noinline)) static enum hf_fast_path take(struct hf_stack *s, struct hf_conn *c,
                                                        const struct hf_arrival *in)
{
    struct copied copied;
    copied.count = 0;
    copied.peak = s->blocks.peak;
    hf_sum sum = hf_arrival_header_sum(in);
    if (!copy_payload(s, c, in, &copied, &sum)) {
        forget(s, &copied);
        return HF_FAST_PATH_NOT;
    }
    if (!hf_sum_is_right(sum)) { /* [MUST-3] */
        forget(s, &copied);
        return HF_FAST_PATH_WRONG;
    }
    commit(s, c, in, &copied);
    return HF_FAST_PATH_TAKEN;
}

enum hf_fast_path hf_fast_path_input(struct hf_stack *s, struct hf_conn *c,
                                     const struct hf_arrival *in)
{
    return is_next_in_order(s, c, in->seg) ? take(s, c, in) : HF_FAST_PATH_NOT;
}
