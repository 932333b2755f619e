/**
 * One direction of a link between two nodes: rate, delay, a queue, and all the harm a network does.
 *
 * Trouble is chosen by the packet's number on this link (bit n of a mask is packet n, counted
 * from 0, for the first 64) or by chance in parts of a million. What is cut is cut before it is
 * counted. Each packet is shown to the observer once, when it is sent, with its fate.
 */
#ifndef HF_LAB_LINK_H
#define HF_LAB_LINK_H

#include "show/ladder.h"
#include "world.h"

struct hf_lab_link;

/** Sees a packet as it was sent; the mark it returns is told to the receiving node's `arrived`. */
typedef uint32_t hf_observe_fn(void *ctx, const struct hf_lab_link *link,
                               const struct hf_frame *frame, enum hf_fate fate, hf_ns now);
/** Decides over a packet in place of masks and chance; `planned` is what they chose. */
typedef enum hf_fate hf_decide_fn(void *ctx, const struct hf_lab_link *link,
                                  const struct hf_frame *frame, enum hf_fate planned);

struct hf_lab_link_config {
    int64_t rate_bps; /**< 0: without limit */
    hf_ns delay_ns;
    uint32_t queue_limit_packets; /**< 0: HF_LINK_QUEUE_MAX; matters with a rate only */
    uint64_t lose_mask, duplicate_mask, corrupt_mask;
    uint64_t swap_mask; /**< packet n arrives just after packet n + 1 */
    uint32_t lose_ppm, duplicate_ppm, corrupt_ppm;
    uint32_t late_ppm;  /**< arrives late_ns later than it should */
    hf_ns late_ns;      /**< 0: twice the delay and a millisecond */
    hf_ns swap_wait_ns; /**< a swapped packet without successor arrives after this; 0: 10 ms */
    hf_ns silent_from_ns, silent_until_ns; /**< everything sent in [from, until) is lost */
    bool cut;             /**< super-packets are cut into segments; else they are carried whole */
    bool fill;            /**< checksums left to the link are filled in; cutting does that too */
    hf_decide_fn *decide; /**< or NULL */
    void *decide_ctx;
};

enum { HF_LINK_QUEUE_MAX = 1024 };

/** Fields are for reading only. */
struct hf_lab_link {
    struct hf_lab_link_config config;
    struct hf_world *world;
    struct hf_node *to;
    char from_name, to_name;
    hf_observe_fn *observe; /**< or NULL */
    void *observe_ctx;
    uint64_t packets, bytes;              /**< sent, after cutting */
    uint64_t fates[HF_FATE_OVERFLOW + 1]; /**< how many packets met which fate */
    hf_ns free_at_ns;                     /**< when the last queued packet has left */
    hf_ns departures_ns[HF_LINK_QUEUE_MAX];
    uint32_t departure_head, departure_count;
    struct hf_frame *held; /**< swapped, waits for its successor */
    hf_ns held_until_ns;
};

void hf_lab_link_init(struct hf_lab_link *l, const struct hf_lab_link_config *config,
                      struct hf_world *w, struct hf_node *to, char from_name, char to_name);
/** Gives back what the link holds; before the world is reset. */
void hf_lab_link_close(struct hf_lab_link *l);
/** Sends what a stack gave out. */
void hf_lab_link_send(struct hf_lab_link *l, const struct hf_out_packet *packet);
/** Sends a frame and owns it from now on. */
void hf_lab_link_send_frame(struct hf_lab_link *l, struct hf_frame *f);

/** A frame with a copy of a packet that a stack gave out. */
struct hf_frame *hf_frame_gather(struct hf_world *w, const struct hf_out_packet *packet);

#endif
