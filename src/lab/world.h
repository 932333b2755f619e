/**
 * Virtual time: a heap of events, a free list of packet buffers, and nodes that are woken.
 *
 * Events at one instant come in the order they were made. Nothing reads a clock; the same seed and
 * the same calls give the same run. A packet buffer is a frame; frames are reused, so that a run
 * takes no memory once the world has seen one like it.
 */
#ifndef HF_LAB_WORLD_H
#define HF_LAB_WORLD_H

#include <handfast/handfast.h>

#include "dice.h"

/** A packet under way; owned by whoever holds it, given back with hf_frame_give. */
struct hf_frame {
    struct hf_frame *next;
    uint32_t capacity_bytes;
    uint32_t length_bytes;
    uint16_t segment_bytes; /**< as in struct hf_packet */
    uint16_t flags;         /**< enum of struct hf_packet's flags */
    uint32_t mark;          /**< what the observer called this packet */
    uint64_t order;         /**< its turn: when it was sent, among events of one instant */
    uint8_t bytes[];
};

/** Something that lives in a world. Woken at its deadline and after each packet that came in. */
struct hf_node {
    void *self;
    void (*input)(void *self, const struct hf_packet *packet, hf_ns now);
    hf_ns (*deadline)(void *self);
    void (*run)(void *self, hf_ns now);
    /** Or NULL. Tells that the packet with this mark was taken; run follows. */
    void (*arrived)(void *self, uint32_t mark, hf_ns now);
};

/** An event's action; ctx and frame as given. It owns the frame. */
typedef void hf_fire_fn(void *ctx, struct hf_frame *frame, hf_ns now);

struct hf_event_entry {
    hf_ns at_ns;
    uint64_t order;
    hf_fire_fn *fire;
    void *ctx;
    struct hf_frame *frame;
};

enum { HF_WORLD_NODES = 8 };

/** Fields are for reading only. */
struct hf_world {
    hf_ns now_ns;
    struct hf_dice random;
    struct hf_event_entry *heap;
    size_t heap_count, heap_capacity;
    uint64_t next_order;
    struct hf_node nodes[HF_WORLD_NODES];
    size_t node_count;
    struct hf_frame *free_small, *free_large;
    uint64_t frames_out; /**< taken and not given back */
    uint64_t steps;
};

void hf_world_init(struct hf_world *w, uint64_t seed);
/** Begins anew: time 0, no events, no nodes; buffers are kept. */
void hf_world_reset(struct hf_world *w, uint64_t seed);
void hf_world_free(struct hf_world *w);

/** A frame with room for this many bytes, empty. Ends the program without memory: the lab cannot
 *  go on then. */
struct hf_frame *hf_frame_take(struct hf_world *w, size_t capacity_bytes);
/** The same for who can go on without: NULL, there is no memory. */
struct hf_frame *hf_frame_try(struct hf_world *w, size_t capacity_bytes);
void hf_frame_give(struct hf_world *w, struct hf_frame *f);
struct hf_frame *hf_frame_copy(struct hf_world *w, const struct hf_frame *f);

/** Adds a node; at most HF_WORLD_NODES. Returns its place, stable until the next reset. */
struct hf_node *hf_world_add(struct hf_world *w, const struct hf_node *node);
/** Plans an event, not before now. frame may be NULL. */
void hf_world_at(struct hf_world *w, hf_ns at_ns, hf_fire_fn *fire, void *ctx,
                 struct hf_frame *frame);
/** The next turn among events of one instant; each is given once. */
uint64_t hf_world_turn(struct hf_world *w);
/** As hf_world_at, with a turn that was taken before and without a frame. */
void hf_world_at_turn(struct hf_world *w, hf_ns at_ns, uint64_t turn, hf_fire_fn *fire, void *ctx);
/** Hands a frame's packet to a node, wakes it, and gives the frame back. */
void hf_world_deliver(struct hf_world *w, struct hf_node *to, struct hf_frame *f);

/** When the next thing happens, HF_NEVER if nothing will. */
hf_ns hf_world_next(struct hf_world *w);
/** Does the next thing at or before limit_ns; false, with the clock untouched, if there is none. */
bool hf_world_step(struct hf_world *w, hf_ns limit_ns);
/** Steps up to and including until_ns, and sets the clock to it. */
void hf_world_run(struct hf_world *w, hf_ns until_ns);

#endif
