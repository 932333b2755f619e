/**
 * HyStart++ [RFC9406]. Owns struct hf_hystart; the window is the business of who asks.
 */
#include "hystart.h"

/* [RFC9406#4.3] the recommended values, but for the last */
enum {
    MIN_RTT_THRESH_US = 4000,
    MAX_RTT_THRESH_US = 16000,
    MIN_RTT_DIVISOR = 8,
    N_RTT_SAMPLE = 8,
    CSS_ROUNDS = 2, /* DEVIATION D-40 */
};

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
    if (h->conservative)
        return;
    h->few = h->few == N_RTT_SAMPLE ? 1 : h->few + 1;
    if (h->few == 1 || sample_us < h->few_min_us)
        h->few_min_us = sample_us;
}

/** [RFC9406#4.2] Has the least round trip grown by more than noise since the last round?
 *  DEVIATION D-40: the least of every eight samples, not of the whole round. */
static bool round_trip_has_grown(const struct hf_hystart *h)
{
    if (h->last_min_us == 0)
        return false;
    uint32_t threshold_us = hf_max_u32(
        MIN_RTT_THRESH_US, hf_min_u32(h->last_min_us / MIN_RTT_DIVISOR, MAX_RTT_THRESH_US));
    return h->few == N_RTT_SAMPLE && h->few_min_us >= (uint64_t)h->last_min_us + threshold_us;
}

static void judge(struct hf_hystart *h)
{
    if (h->samples < N_RTT_SAMPLE)
        return;
    if (!h->conservative) {
        if (!round_trip_has_grown(h))
            return;
        h->conservative = true;
        h->css_rounds = 0;
        h->current_min_us = h->few_min_us; /* what came before was another queue */
    } else if (h->current_min_us < h->few_min_us) {
        /* The rise was jitter: no queue has built up. */
        h->conservative = false;
    }
}

static void begin_round(struct hf_hystart *h, hf_seq snd_nxt)
{
    h->round_end = snd_nxt;
    h->last_min_us = h->current_min_us;
    h->current_min_us = 0;
    h->samples = h->few = 0;
}

enum hf_hystart_phase hf_hystart_ack(struct hf_hystart *h, hf_ns rtt_ns, hf_seq snd_una,
                                     hf_seq snd_nxt)
{
    if (!h->running) {
        h->running = true;
        begin_round(h, snd_nxt);
    }
    take_sample(h, rtt_ns);
    judge(h);
    if (hf_seq_ge(snd_una, h->round_end)) {
        begin_round(h, snd_nxt);
        /* [RFC9406#4.2] The round in whose middle it began counts. */
        if (h->conservative && ++h->css_rounds >= CSS_ROUNDS)
            return HF_HYSTART_OVER;
    }
    return h->conservative ? HF_HYSTART_CONSERVATIVE : HF_HYSTART_SLOW_START;
}
