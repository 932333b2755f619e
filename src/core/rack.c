/**
 * RACK: which segment that arrived was sent last, how much reordering the path shows, and what is
 * lost by that. When the answer has to wait, the caller arms a timer.
 */
#include "rack.h"

enum { QUARTERS = 4 };
static const unsigned steps_max = 7, more_recoveries = 15;
/** How long a least round trip counts at most is twice this. */
#define MIN_RTT_SPAN_NS HF_SEC(10)

/** [RFC8985#6.2] step 1: the least of a window of time, so that a longer path is found out. */
static void note_min_rtt(struct hf_rack *r, hf_ns now, hf_ns rtt_ns)
{
    if (now - r->min_since > MIN_RTT_SPAN_NS) {
        r->min_rtt_us[1] = r->min_rtt_us[0];
        r->min_rtt_us[0] = 0;
        r->min_since = now;
    }
    /* Rounded down: an answer to a retransmission may take just as long. */
    hf_ns us = hf_max_ns(rtt_ns / HF_US(1), 1);
    uint32_t rtt_us = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
    if (r->min_rtt_us[0] == 0 || rtt_us < r->min_rtt_us[0])
        r->min_rtt_us[0] = rtt_us;
}

static bool is_sent_after(hf_ns sent_at, hf_seq end, hf_ns other_sent_at, hf_seq other_end)
{
    return sent_at > other_sent_at || (sent_at == other_sent_at && hf_seq_gt(end, other_end));
}

void hf_rack_take(struct hf_rack *r, struct hf_reordering *path, const struct hf_delivery *d)
{
    if (d->reordered)
        path->seen = true;
    r->fack = hf_seq_max(r->fack, d->foremost);
    if (!d->has_newest)
        return;
    r->rtt_ns = d->now_ns - d->newest_sent_at;
    if (!d->newest_again)
        note_min_rtt(r, d->now_ns, r->rtt_ns);
    if (is_sent_after(d->newest_sent_at, d->newest_end, r->sent_at, r->end)) {
        r->sent_at = d->newest_sent_at;
        r->end = d->newest_end;
    }
}

void hf_rack_duplicate(struct hf_rack *r, struct hf_reordering *path, hf_seq una, hf_seq nxt)
{
    /* A round of long ago seems to end ahead again, but then beyond all that was sent. */
    if (r->in_round && hf_seq_lt(una, r->round) && hf_seq_le(r->round, nxt))
        return;
    r->in_round = true;
    r->round = nxt;
    path->steps = (path->steps + (path->steps < steps_max ? 1u : 0u)) & steps_max;
    path->recoveries = more_recoveries;
}

void hf_reordering_recovered(struct hf_reordering *path)
{
    if (path->recoveries == 0)
        path->steps = 0;
    else
        path->recoveries = (path->recoveries - 1u) & more_recoveries;
}

hf_ns hf_rack_window_ns(const struct hf_rack *r, const struct hf_reordering *path, hf_ns srtt_ns,
                        bool sure)
{
    if (!path->seen && sure)
        return 0;
    hf_ns quarter_ns = hf_rack_min_rtt_ns(r, srtt_ns) / QUARTERS;
    return hf_min_ns((1 + path->steps) * quarter_ns, srtt_ns);
}

/** What is known to have arrived left after this. Where both left in this very instant, what was
 *  sent again is given the time to arrive: ACKs of one instant would draw it without end. */
static bool was_overtaken(const struct hf_rack *r, const struct hf_run *run, hf_ns now)
{
    if (run->again && run->sent_at == now)
        return false;
    return is_sent_after(r->sent_at, r->end, run->sent_at, hf_run_end(run));
}

hf_ns hf_rack_find_lost(const struct hf_rack *r, struct hf_board *b, hf_ns now, hf_ns window_ns)
{
    hf_ns wait_ns = 0;
    for (uint32_t i = 0; i < b->state->count; i++) {
        const struct hf_run *run = &b->runs[i];
        if (run->sacked || run->lost)
            continue;
        if (!was_overtaken(r, run, now)) {
            if (!run->again)
                break; /* what stands behind it was sent later still */
            continue;
        }
        hf_ns left_ns = run->sent_at + r->rtt_ns + window_ns - now;
        if (left_ns > 0) {
            wait_ns = hf_max_ns(wait_ns, left_ns);
            continue;
        }
        uint32_t count = b->state->count;
        hf_board_lose(b, run->begin, hf_run_end(run), HF_RETRANSMIT_RACK);
        i -= hf_min_u32(i, count - b->state->count); /* joined with what stands before it */
    }
    return wait_ns;
}
