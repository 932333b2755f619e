/**
 * HyStart++ [RFC9406]. Owns struct hf_hystart; the window is the business of who asks.
 *
 * DEVIATION D-40. A window leaves within half a round trip, and its first packets meet the queue
 * that the idle half has emptied: the least round trip of a round tells of a queue one round late,
 * when the window is twice as large. So a rise counts that some samples in a row show, wherever in
 * the round, and it was jitter if a whole round shows none. A row of them is no noise, so less of a
 * rise is asked for.
 */
#include "hystart.h"

/* [RFC9406#4.3] the recommended values, but for those of D-40 */
enum {
    MAX_RTT_THRESH_US = 16000,
    MIN_RTT_DIVISOR = 8,
    MIN_RTT_THRESH_US = 2000,
    CSS_ROUNDS = 2,
    HIGH_SHARE = 4, /**< a quarter of the last round's samples in a row, within bounds */
    HIGH_LEAST = 5,
    HIGH_MOST = 16,
};

/** [RFC9406#4.2] The sample is longer than the last round's least by more than noise. */
static bool is_high(const struct hf_hystart *h, uint32_t sample_us)
{
    uint32_t threshold_us = hf_max_u32(
        MIN_RTT_THRESH_US, hf_min_u32(h->last_min_us / MIN_RTT_DIVISOR, MAX_RTT_THRESH_US));
    return h->last_min_us > 0 && sample_us >= (uint64_t)h->last_min_us + threshold_us;
}

static void take_sample(struct hf_hystart *h, hf_ns rtt_ns)
{
    if (rtt_ns <= 0)
        return;
    /* 0 stands for none, so every sample counts as one microsecond more. */
    uint64_t rtt_us = (uint64_t)rtt_ns / 1000 + 1;
    uint32_t sample_us = rtt_us > UINT32_MAX ? UINT32_MAX : (uint32_t)rtt_us;
    if (h->current_min_us == 0 || sample_us < h->current_min_us)
        h->current_min_us = sample_us;
    if (h->samples < UINT8_MAX)
        h->samples++;
    h->high = is_high(h, sample_us) ? h->high + 1 : 0;
    if (h->high == h->high_enough) {
        h->high = 0;
        h->risen = h->conservative = true;
    }
}

static void begin_round(struct hf_hystart *h, hf_seq snd_nxt)
{
    if (!h->conservative)
        h->last_min_us = h->current_min_us;
    h->high_enough =
        (uint8_t)hf_min_u32(hf_max_u32(h->samples / HIGH_SHARE, HIGH_LEAST), HIGH_MOST);
    h->round_end = snd_nxt;
    h->current_min_us = 0;
    h->samples = h->high = 0;
    h->risen = false;
}

enum hf_hystart_phase hf_hystart_ack(struct hf_hystart *h, hf_ns rtt_ns, hf_seq snd_una,
                                     hf_seq snd_nxt)
{
    if (!h->running) {
        h->running = true;
        begin_round(h, snd_nxt);
    }
    take_sample(h, rtt_ns);
    /* A round of long ago seems to end ahead again, but then beyond all that was sent. */
    if (hf_seq_ge(snd_una, h->round_end) || hf_seq_gt(h->round_end, snd_nxt)) {
        h->conservative = h->risen;
        /* [RFC9406#4.2] The round in whose middle it began counts. */
        h->css_rounds = h->risen ? h->css_rounds + 1 : 0;
        if (h->css_rounds >= CSS_ROUNDS)
            return HF_HYSTART_OVER;
        begin_round(h, snd_nxt);
    }
    return h->conservative ? HF_HYSTART_CONSERVATIVE : HF_HYSTART_SLOW_START;
}
