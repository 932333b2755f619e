/**
 * The words on an arrow. Owns what is worth telling about a segment; leaves drawing to ladder.c.
 */
#include "ladder_words.h"

#include <inttypes.h>

#include "segment_text.h"

/* Both numberings are learnt from the SYNs. Where the start was not seen, numbers begin at 1 with
 * the first segment, so that the rows still read as offsets into the stream. */
static void learn_bases(struct hf_ladder_side *from, struct hf_ladder_side *to,
                        const struct hf_segment *seg)
{
    if (seg->flags & HF_SYN) {
        if (from->has_base && from->base != seg->seq) /* the addresses are used again */
            from->has_sent = from->has_acked = to->has_acked = false;
        from->base = seg->seq;
        from->has_base = true;
        from->offered_wscale = seg->has_wscale;
        from->wscale = seg->wscale;
    }
    bool reset = (seg->flags & HF_RST) != 0;
    if (!from->has_base && !reset) {
        from->base = seg->seq - 1;
        from->has_base = true;
    }
    if (!to->has_base && (seg->flags & HF_ACK) && !(reset && seg->ack == 0)) {
        to->base = seg->ack - 1;
        to->has_base = true;
    }
}

static uint32_t segment_end(const struct hf_segment *seg)
{
    return seg->seq + seg->payload_bytes + ((seg->flags & HF_SYN) != 0) +
           ((seg->flags & HF_FIN) != 0);
}

static bool is_repeated(const struct hf_ladder_side *from, const struct hf_segment *seg)
{
    uint32_t end = segment_end(seg);
    return from->has_sent && end != seg->seq && (int32_t)(end - from->sent_max) <= 0;
}

/* A probe repeats the last number before what is new, to provoke an ACK. */
static bool is_probe(const struct hf_ladder_side *from, const struct hf_segment *seg)
{
    return from->has_sent && seg->payload_bytes == 0 && seg->flags == HF_ACK &&
           seg->seq == from->sent_max - 1;
}

static void add_ack(struct hf_text *t, const struct hf_ladder_side *from,
                    const struct hf_ladder_side *to, const struct hf_segment *seg, bool always)
{
    if (!(seg->flags & HF_ACK))
        return;
    if (always || !from->has_acked || from->acked != seg->ack)
        hf_text_add(t, " ack %" PRId64, hf_relative(seg->ack, to->base));
}

static void add_window(struct hf_text *t, struct hf_ladder *l, struct hf_ladder_side *from,
                       const struct hf_ladder_side *to, const struct hf_segment *seg)
{
    /* [RFC7323#2.2] the window of a SYN is never scaled; scaling needs both offers. */
    bool syn = (seg->flags & HF_SYN) != 0;
    bool scaled = !syn && from->offered_wscale && to->offered_wscale;
    uint32_t bytes = scaled ? (uint32_t)seg->window << (from->wscale & 31) : seg->window;
    if (seg->flags & HF_RST)
        return;
    bool turned = (bytes == 0) != from->window_closed;
    from->window_closed = bytes == 0;
    if (syn || turned || bytes == 0 || l->style.windows)
        hf_text_add(t, " win %" PRIu32, bytes);
    else
        return;
    if (l->style.scales && scaled && from->wscale > 0)
        hf_text_add(t, " (%u << %u)", seg->window, from->wscale & 31);
}

static void add_numbers(struct hf_text *t, const struct hf_ladder_side *from,
                        const struct hf_ladder_side *to, const struct hf_segment *seg)
{
    int64_t seq = hf_relative(seg->seq, from->base);
    bool fin = (seg->flags & HF_FIN) != 0;
    if (seg->flags & HF_RST) {
        hf_text_add(t, "RST seq %" PRId64, seq);
        add_ack(t, from, to, seg, true);
    } else if (seg->flags & HF_SYN) {
        hf_text_add(t, "%s seq %" PRId64, seg->flags & HF_ACK ? "SYN ACK" : "SYN", seq);
        add_ack(t, from, to, seg, true);
        if (seg->payload_bytes > 0)
            hf_text_add(t, " data (%" PRIu32 ")", seg->payload_bytes);
    } else if (seg->payload_bytes > 0) {
        hf_text_add(t, "data %" PRId64 "..%" PRId64 " (%" PRIu32 ")%s", seq,
                    seq + seg->payload_bytes, seg->payload_bytes, fin ? " FIN" : "");
        add_ack(t, from, to, seg, fin);
    } else if (fin) {
        hf_text_add(t, "FIN seq %" PRId64, seq);
        add_ack(t, from, to, seg, true);
    } else if (is_probe(from, seg)) {
        hf_text_add(t, "probe seq %" PRId64, seq);
        add_ack(t, from, to, seg, true);
    } else if (seg->flags & HF_ACK) {
        hf_text_add(t, "ACK %" PRId64, hf_relative(seg->ack, to->base));
    } else {
        hf_text_add(t, "no flags seq %" PRId64, seq);
    }
}

static void add_marks(struct hf_text *t, const struct hf_ladder_side *from,
                      const struct hf_ladder_row *row)
{
    const struct hf_segment *seg = &row->segment;
    if (seg->flags & HF_URG)
        hf_text_add(t, " URG +%u", seg->urgent_pointer);
    if (seg->flags & HF_CWR)
        hf_text_add(t, " CWR");
    if (seg->flags & HF_ECE)
        hf_text_add(t, " ECE");
    if (seg->flags & HF_AE)
        hf_text_add(t, " AE");
    if (is_repeated(from, seg))
        hf_text_add(t, ", again");
    if (row->fate == HF_FATE_DUPLICATED)
        hf_text_add(t, ", arrives twice");
    if (row->fate == HF_FATE_LATE)
        hf_text_add(t, ", arrives late");
}

static void note_sent(struct hf_ladder_side *from, const struct hf_segment *seg)
{
    if (seg->flags & HF_RST)
        return;
    uint32_t end = segment_end(seg);
    if (!from->has_sent || (int32_t)(end - from->sent_max) > 0)
        from->sent_max = end;
    from->has_sent = true;
    if (seg->flags & HF_ACK) {
        from->acked = seg->ack;
        from->has_acked = true;
    }
}

void hf_ladder_words(struct hf_ladder *l, const struct hf_ladder_row *row,
                     struct hf_ladder_words *words)
{
    struct hf_ladder_side *from = row->left_to_right ? &l->left : &l->right;
    struct hf_ladder_side *to = row->left_to_right ? &l->right : &l->left;
    const struct hf_segment *seg = &row->segment;
    learn_bases(from, to, seg);
    struct hf_text t;
    hf_text_init(&t, words->main, sizeof words->main);
    add_numbers(&t, from, to, seg);
    add_window(&t, l, from, to, seg);
    add_marks(&t, from, row);
    unsigned detail = HF_DETAIL_OPTIONS | HF_DETAIL_PROSE;
    if (l->style.timestamps)
        detail |= HF_DETAIL_TIMESTAMPS;
    hf_text_init(&t, words->options, sizeof words->options);
    hf_options_text(&t, seg, (struct hf_segment_bases){from->base, to->base}, detail);
    note_sent(from, seg);
}
