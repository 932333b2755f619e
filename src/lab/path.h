/**
 * One direction of a network path, as a pure model: what happens to each packet, and when it
 * arrives.
 *
 * It knows no clock, no world and no packet format: time is an argument that never goes back, a
 * packet is an opaque pointer with a length, chance is its own generator. All its memory is the
 * array of slots that it is given. The order of things:
 *
 *   policer -> loss -> queue (drop-tail or CoDel), shaper, link rate -> delay, jitter, reordering,
 *   ACK aggregation -> arrival
 *
 * Always: sent == delivered + lost + waiting. The same config, seed and calls give the same run.
 *
 * Use: hf_path_send when a packet comes; sleep until hf_path_deadline; then hf_path_take until it
 * says false. What the path holds is the path's; what it refuses stays with the caller.
 */
#ifndef HF_LAB_PATH_H
#define HF_LAB_PATH_H

#include <handfast/handfast.h>

#include "dice.h"

enum {
    HF_PATH_RATE_CHANGES_MAX = 32,
    HF_PATH_PPM = 1000000,             /**< always */
    HF_PATH_BURST_MAX_BYTES = 1 << 29, /**< of a token bucket */
    HF_PATH_QUEUE_PACKETS = 1024,      /**< the limit of a queue that was given none */
    HF_PATH_REORDER_MIN_PACKETS = 3,   /**< the range, where there is none */
    HF_PATH_REORDER_MAX_PACKETS = 10,
};
/** No rate is above this, no span longer, no packet larger. */
#define HF_PATH_RATE_MAX_BPS 1000000000000
#define HF_PATH_SPAN_MAX_NS HF_SEC(3600)
#define HF_PATH_CODEL_MAX_NS HF_SEC(4)
/** Where a config has none [RFC8289#4]. */
#define HF_PATH_CODEL_TARGET_NS HF_MS(5)
#define HF_PATH_CODEL_INTERVAL_NS HF_MS(100)
#define HF_PATH_CHANGE_MAX_NS HF_SEC(1000000)
#define HF_PATH_PACKET_MAX_BYTES (1u << 20)

struct hf_path_rate_change {
    hf_ns at_ns;      /**< since hf_path_init */
    int64_t rate_bps; /**< > 0 */
};

/** A loss model with two states [Gilbert 1960, Elliott 1963]: for each packet, first a change of
 *  state by chance, then loss with the chance of the state. All zero: off. */
struct hf_path_burst_loss {
    uint32_t good_to_bad_ppm, bad_to_good_ppm;
    uint32_t loss_bad_ppm, loss_good_ppm;
};

/** Tokens of rate_bps, at most burst_bytes of them; full at first. rate_bps 0: off. */
struct hf_path_bucket {
    int64_t rate_bps;
    uint64_t burst_bytes; /**< > 0 with a rate, at most HF_PATH_BURST_MAX_BYTES */
};

enum hf_path_queue_kind { HF_PATH_DROP_TAIL, HF_PATH_CODEL };
enum hf_path_jitter_kind { HF_PATH_JITTER_UNIFORM, HF_PATH_JITTER_NORMAL };

/** All zero: a perfect wire. */
struct hf_path_config {
    int64_t rate_bps; /**< 0: without limit, and then without queue */
    struct hf_path_rate_change rate_changes[HF_PATH_RATE_CHANGES_MAX]; /**< in order of time */
    uint32_t rate_change_count;
    hf_ns delay_ns;

    uint32_t loss_ppm; /**< each packet by itself */
    struct hf_path_burst_loss burst_loss;
    uint32_t periodic_loss_packets; /**< every n-th packet is lost; 0: none */
    uint32_t ack_loss_ppm;          /**< of pure ACKs only */

    uint32_t duplicate_ppm; /**< arrives twice, at one instant */
    uint32_t corrupt_ppm;   /**< one bit is turned, by the caller */
    uint32_t late_ppm;      /**< arrives late_ns later than it should */
    hf_ns late_ns;          /**< 0: twice the delay and a millisecond */
    uint32_t reorder_ppm;   /**< is held back and arrives just behind a later packet: */
    uint32_t reorder_min_packets, reorder_max_packets; /**< the how manieth; both 0: 3 and 10 */
    hf_ns reorder_wait_ns; /**< held for no longer than this; 0: 100 ms */

    hf_ns jitter_ns; /**< uniform: delay +- this; normal: its standard deviation, cut at +- 3 */
    enum hf_path_jitter_kind jitter_kind;
    bool jitter_keeps_order; /**< no packet arrives before the one sent before it */
    hf_ns ack_aggregate_ns;  /**< pure ACKs arrive at multiples of this since hf_path_init only */

    enum hf_path_queue_kind queue;
    uint32_t queue_limit_packets; /**< with the one that is being sent; 0: no such limit */
    uint64_t queue_limit_bytes;   /**< the same; both 0: HF_PATH_QUEUE_PACKETS */
    hf_ns codel_target_ns, codel_interval_ns; /**< 0: 5 ms and 100 ms [RFC8289#4] */
    struct hf_path_bucket shaper;             /**< packets wait for tokens */
    struct hf_path_bucket policer;            /**< packets without tokens are lost */
};

/** What becomes of a packet; from HF_PATH_LOST_RANDOM on it is lost. Only one thing happens to
 *  each: loss comes before corruption, then duplication, reordering, and being late. */
enum hf_path_fate {
    HF_PATH_DELIVERED,
    HF_PATH_CORRUPTED,
    HF_PATH_DUPLICATED,
    HF_PATH_REORDERED,
    HF_PATH_LATE,
    HF_PATH_LOST_RANDOM,
    HF_PATH_LOST_BURST,
    HF_PATH_LOST_PERIODIC,
    HF_PATH_LOST_ACK,
    HF_PATH_LOST_POLICER,
    HF_PATH_LOST_QUEUE,     /**< the queue was full */
    HF_PATH_LOST_CODEL,     /**< found by hf_path_take, not by hf_path_send */
    HF_PATH_LOST_NO_SLOT,   /**< not the model's doing: the caller gave too few slots */
    HF_PATH_LOST_BY_CALLER, /**< a plan of the caller's own */
    HF_PATH_FATES,
};

static inline bool hf_path_is_lost(enum hf_path_fate fate)
{
    return fate >= HF_PATH_LOST_RANDOM;
}

/** Facts about a packet that the model cannot see. */
struct hf_path_packet {
    void *packet; /**< never looked at; not NULL */
    uint32_t length_bytes;
    bool is_pure_ack; /**< a TCP segment with ACK and nothing else: no data, SYN, FIN, RST */
};

/** What is meant to happen to a packet, before it meets the queue. */
struct hf_path_plan {
    enum hf_path_fate fate;
    uint32_t hold_packets; /**< REORDERED: arrives behind this many later ones, > 0 */
    hf_ns wait_ns;         /**< REORDERED: but no longer than this after its time */
    hf_ns late_ns;         /**< LATE: this much later */
    uint64_t corrupt_bit;  /**< CORRUPTED: which bit to turn; bit b is in byte b / 8 */
    hf_ns jitter_ns;       /**< what is added to the delay, or taken from it */
};

/** What comes out of a path. */
struct hf_path_arrival {
    void *packet;
    uint32_t length_bytes;
    hf_ns at_ns;            /**< exactly; at or before the `now` it was taken with */
    enum hf_path_fate fate; /**< HF_PATH_LOST_CODEL: dropped now, to be freed; else arrived */
    uint64_t corrupt_bit;   /**< HF_PATH_CORRUPTED: the bit to turn now */
    bool again;             /**< the same pointer comes once more: hand on a copy this time */
};

struct hf_path_stats {
    uint64_t sent, sent_bytes;
    uint64_t delivered, delivered_bytes; /**< arrived and taken; second copies do not count */
    uint64_t lost;                       /**< the sum of fates[HF_PATH_LOST_...] */
    uint64_t fates[HF_PATH_FATES];       /**< decided so far: by send, CoDel's also by take */
    uint32_t queue_packets, queue_peak_packets; /**< waiting for the link, or on it */
    uint64_t queue_bytes, queue_peak_bytes;
    uint32_t waiting; /**< all that are inside: in the queue, on the way, or not yet taken */
    uint32_t waiting_peak;
};

/** Room for one packet inside a path; for the path only. */
struct hf_path_slot {
    void *packet;
    hf_ns at_ns; /* queued: since when; on the way: until when */
    uint64_t order;
    struct hf_path_plan plan;
    uint32_t length_bytes;
    uint32_t next;  /* in the free list, the queue or the list of held packets */
    uint32_t place; /* of this slot in the heap */
    uint32_t heap;  /* the slot that is at this place in the heap */
    bool is_pure_ack, is_second;
};

/** The state of CoDel [RFC8289#5]; for the path only. */
struct hf_path_codel {
    hf_ns first_above_ns; /* HF_NEVER: the packets' time in the queue is below the target */
    hf_ns drop_next_ns;
    uint32_t count, last_count;
    bool dropping;
};

/** Tokens at an instant, in billionths of a bit, so that nothing is rounded; for the path only. */
struct hf_path_tokens {
    int64_t tokens;
    hf_ns at_ns;
};

/** Fields are for reading only, and of those `config` and `stats`. */
struct hf_path {
    struct hf_path_config config; /**< with the defaults filled in */
    struct hf_path_stats stats;
    struct hf_dice dice;
    hf_ns start_ns, now_ns;
    struct hf_path_slot *slots;
    uint32_t slot_count, free_slot;
    uint32_t queue_head, queue_tail;      /* without the one on the link */
    uint64_t backlog_bytes;               /* the same */
    uint32_t largest_bytes;               /* packet that was ever queued */
    uint32_t held, held_tail, held_count; /* back, until later ones have passed */
    uint32_t heap_count;
    uint64_t next_order, judged;
    bool is_bad; /* the state of the burst loss model */
    /* The link: when the last packet has left it, and by how much of a nanosecond later in fact,
     * in bits times billionths at its rate. */
    hf_ns free_at_ns;
    int64_t free_remainder;
    uint32_t on_link_bytes; /* 0: none */
    hf_ns last_arrival_ns;
    struct hf_path_codel codel;
    struct hf_path_tokens shaper, policer;
};

/**
 * Begins: config is copied and must be valid (hf_path_config_check), slots live as long as the
 * path. There have to be as many as packets can be inside: rate times (delay + jitter + queue);
 * see hf_path_slots_needed. now is the instant from which the config's times count.
 */
void hf_path_init(struct hf_path *p, const struct hf_path_config *config, uint64_t seed,
                  struct hf_path_slot *slots, uint32_t slot_count, hf_ns now);

/** NULL, or what is wrong with a config, as a sentence without a point. */
const char *hf_path_config_check(const struct hf_path_config *config);

/** Enough slots for a config when each packet has at least this many bytes and no sender is faster
 *  than ingress_bps (for a path without a rate), at most max. */
uint32_t hf_path_slots_needed(const struct hf_path_config *config, uint32_t packet_bytes,
                              int64_t ingress_bps, uint32_t max);

/** False: the next packet would be lost for want of a slot. */
bool hf_path_has_room(const struct hf_path *p);
/** Moves to another array of at least as many slots; the old one is the caller's again. */
void hf_path_move(struct hf_path *p, struct hf_path_slot *slots, uint32_t slot_count);

/**
 * Sends a packet. The fate says whether it was lost at once: then it is still the caller's; else it
 * is the path's until it is taken.
 */
enum hf_path_fate hf_path_send(struct hf_path *p, const struct hf_path_packet *packet, hf_ns now);

/** The two halves of hf_path_send, for a caller who has a word to say in between: policer and
 *  chance, then queue and delay. Each packet has to go through hf_path_carry, also a lost one. */
struct hf_path_plan hf_path_judge(struct hf_path *p, const struct hf_path_packet *packet,
                                  hf_ns now);
enum hf_path_fate hf_path_carry(struct hf_path *p, const struct hf_path_packet *packet,
                                const struct hf_path_plan *plan, hf_ns now);

/** When hf_path_take may have something next (it may still have nothing then); HF_NEVER if the
 *  path is empty. */
hf_ns hf_path_deadline(const struct hf_path *p);

/** The packet that hf_path_take gives out next, as far as is known; NULL: nothing is on its way. */
void *hf_path_next(const struct hf_path *p);

/** The next packet that arrives, or is dropped by CoDel, at or before now; false if there is none.
 *  Arrivals come in the order of their time. */
bool hf_path_take(struct hf_path *p, hf_ns now, struct hf_path_arrival *out);

/** A packet that is inside, to be freed by the caller; NULL if none is left. It counts as lost by
 *  the caller. For the end: nothing can be sent afterwards. */
void *hf_path_drain(struct hf_path *p);

#endif
