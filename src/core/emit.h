/**
 * How packets are made of segments: headers, of those of connections, where every packet passes,
 * and of answers without one; payload; and what is noted when they leave.
 */
#ifndef HF_CORE_EMIT_H
#define HF_CORE_EMIT_H

#include "stack.h"

/* ---- a connection's turn (output.c) ---- */

/** What came of a connection's turn to send. */
enum hf_turn { HF_TURN_NOTHING, HF_TURN_LAST, HF_TURN_MORE };
/** Builds the next packet of a connection, if there is one; HF_TURN_MORE: another may follow. */
enum hf_turn hf_output_conn(struct hf_stack *s, struct hf_conn *c, uint8_t *header,
                            struct hf_out_packet *out);
/** The same of the most common segments; HF_TURN_NOTHING: there is none, or another.
 *  (fast_output.c) */
enum hf_turn hf_output_usual(struct hf_stack *s, struct hf_conn *c, uint8_t *header,
                             struct hf_out_packet *out);
/** For debug builds: nothing else is to be sent, and of new data so much in such a segment. */
bool hf_output_agrees(const struct hf_stack *s, const struct hf_conn *c, uint32_t bytes,
                      uint32_t mss);
/** Nothing leaves any more for now: what waits has a timer, or the connection is idle. */
void hf_output_arm(struct hf_stack *s, struct hf_conn *c);

/* ---- packets ---- */

/** Writes IP header and TCP header of a segment; returns the header's length. The checksum covers
 *  payload_sum too, or stays partial. */
static inline size_t hf_emit_segment(struct hf_stack *s, const struct hf_addr *local,
                                     const struct hf_addr *remote, uint8_t ttl,
                                     uint8_t traffic_class, struct hf_segment *seg,
                                     hf_sum payload_sum, bool partial, uint8_t *header,
                                     uint16_t *ip_bytes)
{
    bool v4 = hf_addr_is_mapped(remote);
    size_t ip_length = v4 ? HF_IPV4_HEADER_BYTES : HF_IPV6_HEADER_BYTES;
    uint8_t *tcp = header + ip_length;
    hf_sum header_sum;
    size_t tcp_length =
        hf_tcp_emit_summed(seg, (enum hf_option_layout)s->p.cfg.option_layout, tcp, &header_sum);
    struct hf_ip ip = {
        .version = v4 ? 4 : 6,
        .protocol = HF_IP_PROTO_TCP,
        .ttl = ttl,
        .traffic_class = traffic_class,
        .dont_fragment = s->p.cfg.dont_fragment != 0,
        .payload_bytes = (uint32_t)tcp_length + seg->payload_bytes,
    };
    if (!ip.dont_fragment)
        ip.id = s->p.ip_id++; /* with DF set, 0 will do [RFC6864#4.1] */
    /* First, so that what is written to the header can't have changed the addresses. */
    hf_sum sum = hf_ip_pseudo_sum_of(v4, local, remote, HF_IP_PROTO_TCP, ip.payload_bytes);
    hf_ip_emit_between(&ip, local, remote, header);
    if (partial) {
        hf_put16(tcp + HF_TCP_CHECKSUM_OFFSET,
                 hf_sum_fold(sum)); /* the link adds the rest [MUST-2] */
    } else {
        sum += header_sum + payload_sum; /* an even offset */
        hf_put16(tcp + HF_TCP_CHECKSUM_OFFSET, hf_sum_checksum(sum));
    }
    *ip_bytes = (uint16_t)ip_length;
    return ip_length + tcp_length;
}

/** Where a sequence number stands in the send queue; remembered for the next segment. */
static inline struct hf_place hf_emit_place(struct hf_stack *s, const struct hf_conn *c,
                                            struct hf_flight *f, hf_seq seq)
{
    hf_seq base = hf_conn_data_base(c);
    struct hf_place from = hf_queue_front(&c->send);
    uint32_t distance = seq.v - base.v;
    if (f != NULL && f->cursor.block != HF_NIL && hf_seq_gt(f->cursor_seq, base) &&
        hf_seq_le(f->cursor_seq, seq)) {
        from = f->cursor;
        distance = seq.v - f->cursor_seq.v;
    }
    struct hf_place place = hf_place_advance(&s->blocks, from, distance);
    if (f != NULL) {
        f->cursor = place;
        f->cursor_seq = seq;
    }
    return place;
}

/** The slices behind the first one of a payload that begins at a place. Out of line: of few bytes
 *  there is one. */
hf_sum hf_emit_more_slices(struct hf_stack *s, struct hf_place at, uint32_t bytes, bool summed,
                           struct hf_out_packet *out);

/** The payload as slices, which become the packet's; its sum, if that is asked for. */
static inline hf_sum hf_emit_payload(struct hf_stack *s, const struct hf_conn *c,
                                     struct hf_flight *f, hf_seq seq, uint32_t bytes, bool summed,
                                     struct hf_out_packet *out)
{
    struct hf_slice *slices = &s->slices[s->slices_used];
    struct hf_place at = hf_emit_place(s, c, f, seq);
    HF_ASSERT(at.block != HF_NIL);
    slices[0] = hf_place_slice(&s->blocks, at, bytes);
    out->slices = slices;
    out->slice_count = 1;
    s->slices_used++;
    hf_sum sum = summed ? hf_sum_bytes(0, slices[0].bytes, slices[0].length_bytes) : 0;
    if (slices[0].length_bytes < bytes)
        sum += hf_emit_more_slices(s, at, bytes, summed, out);
    return sum;
}

/** What the slices of one packet hold, wherever in a block it begins. */
static inline uint32_t hf_slices_limit(const struct hf_stack *s)
{
    return (HF_OUTPUT_SLICES_EACH - 2) * s->blocks.block_bytes;
}

/* ---- noting what was sent ------------------------------------------------------------------ */

/** What leaves now, and may go along with the last run because that left at this very instant: near
 *  enough, whatever the round trip. False: it has not been noted. */
static inline bool hf_run_joins_last(const struct hf_stack *s, struct hf_flight *f, uint32_t bytes,
                                     uint32_t mss)
{
    if (f->runs != HF_NIL)
        return false;
    HF_DEBUG_ASSERT(f->board.count > 0 && f->board.count <= HF_RUNS_OWN);
    struct hf_run *last = &f->own_runs[f->board.count - 1];
    if (last->sent_at != s->p.now_ns || f->resent_at >= s->p.now_ns || !hf_run_may_grow(last) ||
        !hf_run_is_whole(last, mss))
        return false;
    last->bytes += bytes;
    return true;
}
/** Output has sent [seq, seq + bytes), a FIN counted, for the first time. */
static inline void hf_recovery_sent_new(struct hf_stack *s, const struct hf_conn *c,
                                        struct hf_flight *f, hf_seq seq, uint32_t bytes,
                                        uint32_t mss)
{
    hf_prr_sent(f, bytes);
    if (f->runs == HF_NIL && f->board.count == 0) {
        hf_run_begin(&f->own_runs[0], seq, bytes, mss, s->p.now_ns);
        f->board.count = 1;
    } else if (!hf_run_joins_last(s, f, bytes, mss)) {
        hf_recovery_note_new(s, c, f, seq, bytes, mss);
    }
}

/** So many bytes from SND.NXT on, and the FIN, leave for the first time. f may be NULL. */
static inline void hf_emit_sent_new(struct hf_stack *s, struct hf_conn *c, struct hf_flight *f,
                                    uint32_t bytes, bool fin, uint32_t mss, hf_ns pace_ns)
{
    hf_seq seq = c->snd_nxt;
    if (hf_conn_in_flight(c) == 0) {
        c->progress = hf_stamp_make(s->p.now_ns);
        c->rtx_count = 0;
    }
    c->snd_nxt = hf_seq_add(seq, bytes + fin);
    if (f == NULL)
        return;
    hf_recovery_sent_new(s, c, f, seq, bytes + fin, mss);
    hf_pacer_sent(&f->pacer, bytes, pace_ns, s->p.now_ns);
    if (f->timed_at == HF_NEVER && f->phase == HF_PHASE_OPEN) {
        f->timed_at = s->p.now_ns;
        f->timed_seq = c->snd_nxt;
    }
}

/** An ACK of all that is here leaves, and no duplicate is told with it. */
static inline void hf_emit_sent_ack(struct hf_conn *c, struct hf_flight *f)
{
    c->ack_due = false;
    c->last_ack_sent = c->rcv_nxt;
    if (f != NULL)
        f->untold = 0;
    c->ack_at = HF_NEVER;
}

#endif
