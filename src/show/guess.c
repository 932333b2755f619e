#include "guess.h"

static bool has(const struct hf_segment *seg, unsigned flags)
{
    return (seg->flags & flags) == flags;
}

static void sent_fin(struct hf_guess *g, const struct hf_segment *seg)
{
    g->fin_sent = true;
    g->fin_end = seg->seq + seg->payload_bytes + 1 + has(seg, HF_SYN);
    if (g->state == HF_CLOSE_WAIT)
        g->state = HF_LAST_ACK;
    else if (g->state == HF_SYN_RCVD || g->state == HF_ESTABLISHED)
        g->state = HF_FIN_WAIT_1;
}

void hf_guess_sent(struct hf_guess *g, const struct hf_segment *seg)
{
    if (has(seg, HF_RST))
        g->state = HF_CLOSED;
    else if (has(seg, HF_SYN))
        g->state = has(seg, HF_ACK) ? HF_SYN_RCVD : HF_SYN_SENT;
    if (has(seg, HF_FIN) && !has(seg, HF_RST))
        sent_fin(g, seg);
}

static void got_ack(struct hf_guess *g, const struct hf_segment *seg)
{
    if (g->state == HF_SYN_RCVD || (g->state == HF_SYN_SENT && has(seg, HF_SYN)))
        g->state = HF_ESTABLISHED;
    if (!g->fin_sent || (int32_t)(seg->ack - g->fin_end) < 0)
        return;
    if (g->state == HF_FIN_WAIT_1)
        g->state = HF_FIN_WAIT_2;
    else if (g->state == HF_CLOSING)
        g->state = HF_TIME_WAIT;
    else if (g->state == HF_LAST_ACK)
        g->state = HF_CLOSED;
}

static void got_fin(struct hf_guess *g)
{
    if (g->state == HF_ESTABLISHED)
        g->state = HF_CLOSE_WAIT;
    else if (g->state == HF_FIN_WAIT_1)
        g->state = HF_CLOSING;
    else if (g->state == HF_FIN_WAIT_2)
        g->state = HF_TIME_WAIT;
}

void hf_guess_got(struct hf_guess *g, const struct hf_segment *seg)
{
    if (has(seg, HF_RST)) {
        g->state = HF_CLOSED;
        return;
    }
    if (has(seg, HF_SYN) && !has(seg, HF_ACK) && g->state == HF_SYN_SENT)
        g->state = HF_SYN_RCVD;
    if (has(seg, HF_ACK))
        got_ack(g, seg);
    if (has(seg, HF_FIN))
        got_fin(g);
}
