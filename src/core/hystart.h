/**
 * HyStart++ [RFC9406]: ends the first slow start when round trips grow, before packets are lost.
 *
 * Knows no window: fed with round-trip samples and sequence numbers, it says in which phase slow
 * start is. All zeros is where it begins.
 */
#ifndef HF_CORE_HYSTART_H
#define HF_CORE_HYSTART_H

#include "base.h"

struct hf_hystart {
    uint32_t last_min_us;    /**< least round trip of the last round; in conservative slow start, of
                                  the last before it; 0: none */
    uint32_t current_min_us; /**< of this round so far */
    hf_seq round_end;        /**< the round ends when this is acknowledged */
    uint8_t samples;         /**< in this round, saturating */
    uint8_t high;            /**< how many in a row have risen */
    uint8_t high_enough;     /**< so many show a queue */
    uint8_t css_rounds;      /**< rounds of conservative slow start so far */
    bool running : 1, conservative : 1;
    bool risen : 1; /**< so many were high in this round */
};

enum hf_hystart_phase {
    HF_HYSTART_SLOW_START,
    HF_HYSTART_CONSERVATIVE, /**< the window waits until it is known whether a queue built up */
    HF_HYSTART_OVER,         /**< the window is large enough: congestion avoidance. Not to be asked
                                  again */
};

/**
 * The phase after an ACK of new data that came in slow start, which has set snd_una and finds
 * snd_nxt. rtt_ns: what it measured, or 0.
 */
enum hf_hystart_phase hf_hystart_ack(struct hf_hystart *h, hf_ns rtt_ns, hf_seq snd_una,
                                     hf_seq snd_nxt);

#endif
