/**
 * RACK [RFC8985]: a segment is lost when one that was sent after it has arrived, and what is known
 * of reordering on this path would have let it arrive by now.
 *
 * Knows no connection: fed with what ACKs deliver, it marks runs of a scoreboard.
 */
#ifndef HF_CORE_RACK_H
#define HF_CORE_RACK_H

#include "scoreboard.h"

/** What is known of a path's reordering: survives the flight. All zeros: nothing. A byte, and so
 *  the window ends at 8 quarters; [RFC8985#6.2] bounds it by SRTT, which is rarely more.
 *  DEVIATION D-35 */
struct hf_reordering {
    uint8_t steps : 3;      /**< the window is 1 + steps quarters of the least round trip */
    uint8_t recoveries : 4; /**< after one more than these, steps are forgotten */
    bool seen : 1;
};
_Static_assert(sizeof(struct hf_reordering) == 1, "part of a connection that is laid out by hand");

struct hf_rack {
    hf_ns sent_at; /**< of the segment sent last among those that have arrived; INT64_MIN: none */
    hf_ns rtt_ns;  /**< of the latest that tells */
    hf_seq end;    /**< of that segment */
    hf_seq fack;   /**< right end of the foremost that has arrived */
    hf_seq round;  /**< duplicates told before this is acknowledged count once */
    bool in_round;
    uint32_t min_rtt_us[2]; /**< in this span and the one before; 0: no sample */
    hf_ns min_since;        /**< when this span began */
};

/** At the start of a flight, before anything is sent. */
static inline void hf_rack_init(struct hf_rack *r, hf_seq una)
{
    *r = (struct hf_rack){.sent_at = INT64_MIN, .end = una, .fack = una};
}
/** Takes what an ACK delivered [RFC8985#6.2] steps 1 to 3. */
void hf_rack_take(struct hf_rack *r, struct hf_reordering *path, const struct hf_delivery *d);
/** The least round trip lately, `otherwise` if none was measured. */
static inline hf_ns hf_rack_min_rtt_ns(const struct hf_rack *r, hf_ns otherwise)
{
    uint32_t now_us = r->min_rtt_us[0], before_us = r->min_rtt_us[1];
    if (now_us == 0 && before_us == 0)
        return otherwise;
    return HF_US(now_us == 0 || (before_us != 0 && before_us < now_us) ? before_us : now_us);
}
/** An ACK told of a duplicate: the window was too small [RFC8985#6.2] step 4. */
void hf_rack_duplicate(struct hf_rack *r, struct hf_reordering *path, hf_seq una, hf_seq nxt);
/** A recovery is over. */
void hf_reordering_recovered(struct hf_reordering *path);
/** How long a segment may come late. `sure`: in recovery, or enough came to the right of a gap. */
hf_ns hf_rack_window_ns(const struct hf_rack *r, const struct hf_reordering *path, hf_ns srtt_ns,
                        bool sure);
/** Marks what is lost by now [RFC8985#6.2] step 5. Returns how long until another may be; 0: none
 *  waits. */
hf_ns hf_rack_find_lost(const struct hf_rack *r, struct hf_board *b, hf_ns now, hf_ns window_ns);

#endif
