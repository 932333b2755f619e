/**
 * Links. Owns the order of what happens to a packet: cut, counted, judged, carried by the path; and
 * the events that bring out what arrives.
 */
#include "lab_link.h"

#include <stdlib.h>
#include <string.h>

#include "core/base.h"
#include "cut.h"
#include "packet_facts.h"

enum { FIRST_SLOTS = 32 };

void hf_lab_link_init(struct hf_lab_link *l, const struct hf_lab_link_config *config,
                      struct hf_world *w, struct hf_node *to, char from_name, char to_name)
{
    *l = (struct hf_lab_link){
        .config = *config,
        .world = w,
        .to = to,
        .from_name = from_name,
        .to_name = to_name,
        .wake_ns = HF_NEVER,
    };
    if (config->swap_wait_ns == 0)
        l->config.swap_wait_ns = HF_MS(10);
    hf_path_init(&l->path, &config->path, hf_dice_next(&w->random), NULL, 0, w->now_ns);
}

void hf_lab_link_close(struct hf_lab_link *l)
{
    if (l->world == NULL)
        return;
    for (struct hf_frame *f; (f = hf_path_drain(&l->path)) != NULL;)
        hf_frame_give(l->world, f);
    free(l->path.slots);
    l->world = NULL;
}

/* ---- out of the path ---- */

/* Facts about the checksum no longer hold: the receiver has to look itself. */
static void corrupt(struct hf_frame *f, uint64_t bit)
{
    hf_frame_fill(f);
    f->flags = 0;
    f->segment_bytes = 0;
    f->bytes[bit / 8] = (uint8_t)(f->bytes[bit / 8] ^ 1u << bit % 8);
}

static void arrive(struct hf_lab_link *l, const struct hf_path_arrival *arrival)
{
    struct hf_frame *f = arrival->packet;
    if (hf_path_is_lost(arrival->fate)) {
        if (l->dropped != NULL)
            l->dropped(l->observe_ctx, l, f, arrival->at_ns);
        hf_frame_give(l->world, f);
        return;
    }
    if (arrival->again)
        f = hf_frame_copy(l->world, f);
    if (arrival->fate == HF_PATH_CORRUPTED)
        corrupt(f, arrival->corrupt_bit);
    hf_world_deliver(l->world, l->to, f);
}

static void wake(void *ctx, struct hf_frame *none, hf_ns now);

/* Among events at one instant a packet's turn is that of its sending. */
static void plan_wake(struct hf_lab_link *l)
{
    hf_ns at_ns = hf_path_deadline(&l->path);
    if (at_ns >= l->wake_ns)
        return;
    l->wake_ns = at_ns;
    const struct hf_frame *next = hf_path_next(&l->path);
    uint64_t order = next != NULL ? next->order : hf_world_turn(l->world);
    hf_world_at_turn(l->world, at_ns, order, wake, l);
}

/* One packet an event, so that a step of the world is small. */
static void wake(void *ctx, struct hf_frame *none, hf_ns now)
{
    struct hf_lab_link *l = ctx;
    struct hf_path_arrival arrival;
    (void)none;
    if (l->world == NULL)
        return; /* closed */
    if (now >= l->wake_ns)
        l->wake_ns = HF_NEVER;
    if (hf_path_take(&l->path, now, &arrival))
        arrive(l, &arrival);
    plan_wake(l);
}

/* ---- into the path ---- */

static bool in_mask(uint64_t mask, uint64_t n)
{
    return n < 64 && (mask >> n & 1) != 0;
}

static bool is_silent(const struct hf_lab_link *l)
{
    hf_ns now = l->world->now_ns;
    return now >= l->config.silent_from_ns && now < l->config.silent_until_ns;
}

/* What the masks have to say, in the order of the path's own fates; else what the path says. */
static enum hf_path_fate mask_fate(const struct hf_lab_link *l, uint64_t n, enum hf_path_fate fate)
{
    const struct hf_lab_link_config *c = &l->config;
    if (hf_path_is_lost(fate))
        return fate;
    if (in_mask(c->lose_mask, n) || is_silent(l))
        return HF_PATH_LOST_BY_CALLER;
    if (in_mask(c->corrupt_mask, n) || fate == HF_PATH_CORRUPTED)
        return HF_PATH_CORRUPTED;
    if (in_mask(c->duplicate_mask, n) || fate == HF_PATH_DUPLICATED)
        return HF_PATH_DUPLICATED;
    return in_mask(c->swap_mask, n) ? HF_PATH_REORDERED : fate;
}

static enum hf_fate fate_shown(enum hf_path_fate fate)
{
    switch (fate) {
    case HF_PATH_DELIVERED: return HF_FATE_DELIVERED;
    case HF_PATH_CORRUPTED: return HF_FATE_CORRUPTED;
    case HF_PATH_DUPLICATED: return HF_FATE_DUPLICATED;
    case HF_PATH_REORDERED:
    case HF_PATH_LATE: return HF_FATE_LATE;
    case HF_PATH_LOST_RANDOM:
    case HF_PATH_LOST_BURST:
    case HF_PATH_LOST_PERIODIC:
    case HF_PATH_LOST_ACK:
    case HF_PATH_LOST_POLICER:
    case HF_PATH_LOST_CODEL:
    case HF_PATH_LOST_BY_CALLER: return HF_FATE_LOST;
    case HF_PATH_LOST_QUEUE:
    case HF_PATH_LOST_NO_SLOT: return HF_FATE_OVERFLOW;
    case HF_PATH_FATES: break;
    }
    HF_UNREACHABLE("a packet of no fate");
}

static enum hf_path_fate fate_decided(enum hf_fate fate)
{
    switch (fate) {
    case HF_FATE_DELIVERED: return HF_PATH_DELIVERED;
    case HF_FATE_LOST: return HF_PATH_LOST_BY_CALLER;
    case HF_FATE_DUPLICATED: return HF_PATH_DUPLICATED;
    case HF_FATE_CORRUPTED: return HF_PATH_CORRUPTED;
    case HF_FATE_LATE: return HF_PATH_LATE;
    case HF_FATE_OVERFLOW: return HF_PATH_LOST_QUEUE;
    }
    HF_UNREACHABLE("a packet of no fate");
}

/* The path's plan, if neither a mask nor `decide` has another; and what is shown of it. */
static struct hf_path_plan judge(struct hf_lab_link *l, const struct hf_path_packet *packet,
                                 uint64_t n, enum hf_fate *shown)
{
    const struct hf_lab_link_config *c = &l->config;
    struct hf_path_plan plan = hf_path_judge(&l->path, packet, l->world->now_ns);
    enum hf_path_fate fate = mask_fate(l, n, plan.fate);
    if (c->decide != NULL) {
        enum hf_fate decided = c->decide(c->decide_ctx, l, packet->packet, fate_shown(fate));
        if (decided != fate_shown(fate))
            fate = fate_decided(decided);
    }
    *shown = fate_shown(fate);
    if (fate == plan.fate)
        return plan;
    plan.fate = fate;
    plan.late_ns = l->path.config.late_ns;
    /* Not two at a time: the second of two neighbours takes the first along. */
    if (fate == HF_PATH_REORDERED && l->path.held_count > 0)
        plan.fate = HF_PATH_DELIVERED;
    plan.hold_packets = 1;
    plan.wait_ns = c->swap_wait_ns;
    if (fate == HF_PATH_CORRUPTED)
        plan.corrupt_bit = hf_dice_below(&l->world->random, 8 * (uint64_t)packet->length_bytes);
    return plan;
}

static void make_room(struct hf_lab_link *l)
{
    struct hf_path *p = &l->path;
    if (hf_path_has_room(p))
        return;
    struct hf_path_slot *old = p->slots;
    uint32_t count = p->slot_count > 0 ? 2 * p->slot_count : FIRST_SLOTS;
    struct hf_path_slot *slots = malloc(count * sizeof *slots);
    HF_ASSERT(slots != NULL);
    hf_path_move(p, slots, count);
    free(old);
}

static bool wants_acks_told(const struct hf_path_config *c)
{
    return c->ack_loss_ppm > 0 || c->ack_aggregate_ns > 0;
}

static void send_one(struct hf_lab_link *l, struct hf_frame *f)
{
    uint64_t n = l->packets++;
    l->bytes += f->length_bytes;
    f->order = hf_world_turn(l->world);
    struct hf_path_packet packet = {.packet = f, .length_bytes = f->length_bytes};
    if (wants_acks_told(&l->config.path))
        packet.is_pure_ack = hf_packet_is_pure_ack(f->bytes, f->length_bytes);
    make_room(l);
    enum hf_fate shown;
    struct hf_path_plan plan = judge(l, &packet, n, &shown);
    enum hf_path_fate fate = hf_path_carry(&l->path, &packet, &plan, l->world->now_ns);
    if (fate != plan.fate)
        shown = fate_shown(fate);
    l->fates[shown]++;
    if (l->observe != NULL)
        f->mark = l->observe(l->observe_ctx, l, f, shown, l->world->now_ns);
    if (hf_path_is_lost(fate))
        hf_frame_give(l->world, f);
    plan_wake(l);
}

void hf_lab_link_send_frame(struct hf_lab_link *l, struct hf_frame *f)
{
    if (l->config.cut)
        f = hf_frame_cut(l->world, f);
    else
        f->next = NULL;
    if (l->config.fill && f->segment_bytes == 0)
        hf_frame_fill(f);
    while (f != NULL) {
        struct hf_frame *next = f->next;
        f->next = NULL;
        send_one(l, f);
        f = next;
    }
}

struct hf_frame *hf_frame_gather(struct hf_world *w, const struct hf_out_packet *packet)
{
    struct hf_frame *f = hf_frame_take(w, packet->length_bytes);
    memcpy(f->bytes, packet->header, packet->header_bytes);
    uint32_t at = packet->header_bytes;
    for (size_t i = 0; i < packet->slice_count; i++) {
        HF_ASSERT(at + packet->slices[i].length_bytes <= packet->length_bytes);
        memcpy(f->bytes + at, packet->slices[i].bytes, packet->slices[i].length_bytes);
        at += (uint32_t)packet->slices[i].length_bytes;
    }
    HF_ASSERT(at == packet->length_bytes);
    f->length_bytes = at;
    f->segment_bytes = packet->segment_bytes;
    f->flags = packet->flags;
    return f;
}

void hf_lab_link_send(struct hf_lab_link *l, const struct hf_out_packet *packet)
{
    hf_lab_link_send_frame(l, hf_frame_gather(l->world, packet));
}
