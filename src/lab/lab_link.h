/**
 * One direction of a link between two nodes: a path (path.h) in the virtual time of a world, and
 * harm that is chosen packet by packet.
 *
 * Trouble is chosen by the packet's number on this link (bit n of a mask is packet n, counted
 * from 0, for the first 64) or by the path. What is cut is cut before it is counted. Each packet is
 * shown to the observer once, when it is sent, with its fate; what CoDel drops later is told again,
 * to `dropped`.
 */
#ifndef HF_LAB_LINK_H
#define HF_LAB_LINK_H

#include "path.h"
#include "show/ladder.h"
#include "world.h"

struct hf_lab_link;

/** Sees a packet as it was sent; the mark it returns is told to the receiving node's `arrived`. */
typedef uint32_t hf_observe_fn(void *ctx, const struct hf_lab_link *link,
                               const struct hf_frame *frame, enum hf_fate fate, hf_ns now);
/** Sees a packet that was lost on its way, after it was observed as sent; with its mark. */
typedef void hf_dropped_fn(void *ctx, const struct hf_lab_link *link, const struct hf_frame *frame,
                           hf_ns now);
/** Decides over a packet in place of masks and chance; `planned` is what they chose. */
typedef enum hf_fate hf_decide_fn(void *ctx, const struct hf_lab_link *link,
                                  const struct hf_frame *frame, enum hf_fate planned);

struct hf_lab_link_config {
    struct hf_path_config path;
    uint64_t lose_mask, duplicate_mask, corrupt_mask;
    uint64_t swap_mask; /**< packet n arrives just after packet n + 1 */
    hf_ns swap_wait_ns; /**< a swapped packet without successor arrives after this; 0: 10 ms */
    hf_ns silent_from_ns, silent_until_ns; /**< everything sent in [from, until) is lost */
    bool cut;             /**< super-packets are cut into segments; else they are carried whole */
    bool fill;            /**< checksums left to the link are filled in; cutting does that too */
    hf_decide_fn *decide; /**< or NULL */
    void *decide_ctx;
};

/** Fields are for reading only. */
struct hf_lab_link {
    struct hf_lab_link_config config;
    struct hf_world *world;
    struct hf_node *to;
    char from_name, to_name;
    hf_observe_fn *observe;               /**< or NULL */
    hf_dropped_fn *dropped;               /**< or NULL */
    void *observe_ctx;                    /**< of both */
    uint64_t packets, bytes;              /**< sent, after cutting */
    uint64_t fates[HF_FATE_OVERFLOW + 1]; /**< how many packets met which fate, when sent */
    struct hf_path path;                  /**< its statistics tell more */
    hf_ns wake_ns;                        /**< the next event that is planned, or HF_NEVER */
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
