/**
 * The path model. Owns the slots and where each packet is: in the queue (a list), or on its way (a
 * heap, by the time of arrival). What chance decides is in path_judge.c, arithmetic in
 * path_parts.c.
 *
 * A packet goes on its way as soon as its turn on the link begins: from then on its arrival is
 * known, since the rates to come are. Turns that have passed are made up for at the next call.
 */
#include "path.h"

#include "core/base.h"
#include "path_parts.h"

enum { NO_SLOT = UINT32_MAX };

/* ---- beginning ---- */

static bool has_queue(const struct hf_path_config *c)
{
    return c->rate_bps > 0 || c->rate_change_count > 0 || c->shaper.rate_bps > 0;
}

static void fill_defaults(struct hf_path_config *c)
{
    if (c->late_ns == 0)
        c->late_ns = 2 * c->delay_ns + HF_MS(1);
    if (c->reorder_min_packets == 0 && c->reorder_max_packets == 0) {
        c->reorder_min_packets = HF_PATH_REORDER_MIN_PACKETS;
        c->reorder_max_packets = HF_PATH_REORDER_MAX_PACKETS;
    }
    if (c->reorder_wait_ns == 0)
        c->reorder_wait_ns = HF_MS(100);
    if (has_queue(c) && c->queue_limit_packets == 0 && c->queue_limit_bytes == 0)
        c->queue_limit_packets = HF_PATH_QUEUE_PACKETS;
    if (c->codel_target_ns == 0)
        c->codel_target_ns = HF_PATH_CODEL_TARGET_NS;
    if (c->codel_interval_ns == 0)
        c->codel_interval_ns = HF_PATH_CODEL_INTERVAL_NS;
}

static void free_slots(struct hf_path *p, uint32_t from)
{
    for (uint32_t i = p->slot_count; i-- > from;) {
        p->slots[i].next = p->free_slot;
        p->free_slot = i;
    }
}

void hf_path_init(struct hf_path *p, const struct hf_path_config *config, uint64_t seed,
                  struct hf_path_slot *slots, uint32_t slot_count, hf_ns now)
{
    HF_ASSERT(hf_path_config_check(config) == NULL && slot_count < NO_SLOT);
    *p = (struct hf_path){
        .config = *config,
        .dice = {seed},
        .start_ns = now,
        .now_ns = now,
        .slots = slots,
        .slot_count = slot_count,
        .free_slot = NO_SLOT,
        .queue_head = NO_SLOT,
        .queue_tail = NO_SLOT,
        .held = NO_SLOT,
        .held_tail = NO_SLOT,
        .codel = {.first_above_ns = HF_NEVER},
        .free_at_ns = now,
        .last_arrival_ns = now,
    };
    fill_defaults(&p->config);
    free_slots(p, 0);
    hf_path_tokens_init(&p->shaper, &config->shaper, now);
    hf_path_tokens_init(&p->policer, &config->policer, now);
}

bool hf_path_has_room(const struct hf_path *p)
{
    return p->free_slot != NO_SLOT;
}

void hf_path_move(struct hf_path *p, struct hf_path_slot *slots, uint32_t slot_count)
{
    HF_ASSERT(slot_count >= p->slot_count && slot_count < NO_SLOT);
    if (p->slot_count > 0)
        memcpy(slots, p->slots, p->slot_count * sizeof *slots);
    uint32_t old_count = p->slot_count;
    p->slots = slots;
    p->slot_count = slot_count;
    free_slots(p, old_count);
}

/* ---- the heap of those on their way ---- */

static bool comes_before(const struct hf_path_slot *a, const struct hf_path_slot *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void put_at(struct hf_path *p, uint32_t place, uint32_t slot)
{
    p->slots[place].heap = slot;
    p->slots[slot].place = place;
}

static void sift_up(struct hf_path *p, uint32_t slot)
{
    uint32_t place = p->slots[slot].place;
    while (place > 0) {
        uint32_t parent = p->slots[(place - 1) / 2].heap;
        if (!comes_before(&p->slots[slot], &p->slots[parent]))
            break;
        put_at(p, place, parent);
        place = (place - 1) / 2;
    }
    put_at(p, place, slot);
}

static void sift_down(struct hf_path *p, uint32_t slot)
{
    uint32_t place = p->slots[slot].place;
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= p->heap_count)
            break;
        if (child + 1 < p->heap_count &&
            comes_before(&p->slots[p->slots[child + 1].heap], &p->slots[p->slots[child].heap]))
            child++;
        uint32_t child_slot = p->slots[child].heap;
        if (!comes_before(&p->slots[child_slot], &p->slots[slot]))
            break;
        put_at(p, place, child_slot);
        place = child;
    }
    put_at(p, place, slot);
}

static void heap_add(struct hf_path *p, uint32_t slot, hf_ns at_ns)
{
    p->slots[slot].at_ns = at_ns;
    p->slots[slot].order = p->next_order++;
    p->slots[slot].place = p->heap_count++;
    sift_up(p, slot);
}

static void heap_take_first(struct hf_path *p)
{
    uint32_t last = p->slots[--p->heap_count].heap;
    if (p->heap_count == 0)
        return;
    p->slots[last].place = 0;
    sift_down(p, last);
}

/* ---- delay: from the link to the arrival ---- */

static hf_ns arrival_of(struct hf_path *p, const struct hf_path_slot *s, hf_ns left_at_ns)
{
    const struct hf_path_config *c = &p->config;
    hf_ns arrival_ns = left_at_ns + hf_max_ns(0, c->delay_ns + s->plan.jitter_ns);
    if (c->jitter_keeps_order)
        arrival_ns = hf_max_ns(arrival_ns, p->last_arrival_ns);
    p->last_arrival_ns = arrival_ns;
    if (s->plan.fate == HF_PATH_LATE)
        arrival_ns += s->plan.late_ns;
    if (s->is_pure_ack && c->ack_aggregate_ns > 0) {
        hf_ns over_ns = (arrival_ns - p->start_ns) % c->ack_aggregate_ns;
        arrival_ns += over_ns > 0 ? c->ack_aggregate_ns - over_ns : 0;
    }
    return arrival_ns;
}

/* Takes a packet out of the list of held ones; `before` is the one in front of it there. */
static void unlist_held(struct hf_path *p, uint32_t before, uint32_t slot)
{
    uint32_t next = p->slots[slot].next;
    if (before == NO_SLOT)
        p->held = next;
    else
        p->slots[before].next = next;
    if (p->held_tail == slot)
        p->held_tail = before;
    p->held_count--;
}

static void list_held(struct hf_path *p, uint32_t slot)
{
    p->slots[slot].next = NO_SLOT;
    if (p->held == NO_SLOT)
        p->held = slot;
    else
        p->slots[p->held_tail].next = slot;
    p->held_tail = slot;
    p->held_count++;
}

/* A later packet arrives then: those that waited for it come just behind it. */
static void release_held(struct hf_path *p, hf_ns arrival_ns)
{
    uint32_t before = NO_SLOT;
    for (uint32_t slot = p->held, next; slot != NO_SLOT; slot = next) {
        struct hf_path_slot *s = &p->slots[slot];
        next = s->next;
        if (--s->plan.hold_packets > 0) {
            before = slot;
            continue;
        }
        unlist_held(p, before, slot);
        hf_ns release_ns = hf_max_ns(s->at_ns - s->plan.wait_ns, arrival_ns);
        if (release_ns >= s->at_ns)
            continue; /* its wait is over before that */
        s->at_ns = release_ns;
        s->order = p->next_order++;
        sift_up(p, slot);
    }
}

/* One whose wait is over is held no more. The oldest come first in the list, and here too. */
static void forget_held(struct hf_path *p, uint32_t slot)
{
    uint32_t before = NO_SLOT;
    for (uint32_t i = p->held; i != slot; i = p->slots[i].next)
        before = i;
    unlist_held(p, before, slot);
}

static void go(struct hf_path *p, uint32_t slot, hf_ns left_at_ns)
{
    struct hf_path_slot *s = &p->slots[slot];
    hf_ns arrival_ns = arrival_of(p, s, left_at_ns);
    if (s->plan.fate == HF_PATH_REORDERED) {
        heap_add(p, slot, arrival_ns + s->plan.wait_ns);
        list_held(p, slot);
        return;
    }
    heap_add(p, slot, arrival_ns);
    if (s->plan.fate != HF_PATH_LATE)
        release_held(p, arrival_ns);
}

/* ---- the queue and the link ---- */

static bool queue_is_full(const struct hf_path *p, uint32_t length_bytes)
{
    const struct hf_path_config *c = &p->config;
    const struct hf_path_stats *s = &p->stats;
    return (c->queue_limit_packets > 0 && s->queue_packets >= c->queue_limit_packets) ||
           (c->queue_limit_bytes > 0 && s->queue_bytes + length_bytes > c->queue_limit_bytes);
}

static void enqueue(struct hf_path *p, uint32_t slot, hf_ns now)
{
    struct hf_path_stats *s = &p->stats;
    p->slots[slot].at_ns = now;
    p->slots[slot].next = NO_SLOT;
    if (p->queue_head == NO_SLOT)
        p->queue_head = slot;
    else
        p->slots[p->queue_tail].next = slot;
    p->queue_tail = slot;
    p->backlog_bytes += p->slots[slot].length_bytes;
    p->largest_bytes = hf_max_u32(p->largest_bytes, p->slots[slot].length_bytes);
    s->queue_packets++;
    s->queue_bytes += p->slots[slot].length_bytes;
    s->queue_peak_packets = hf_max_u32(s->queue_peak_packets, s->queue_packets);
    if (s->queue_bytes > s->queue_peak_bytes)
        s->queue_peak_bytes = s->queue_bytes;
}

static void leave_queue(struct hf_path *p, uint32_t length_bytes)
{
    p->stats.queue_packets--;
    p->stats.queue_bytes -= length_bytes;
}

static uint32_t dequeue(struct hf_path *p)
{
    uint32_t slot = p->queue_head;
    p->queue_head = p->slots[slot].next;
    p->backlog_bytes -= p->slots[slot].length_bytes;
    return slot;
}

/* [RFC8289#5] dodequeue: the head, and whether CoDel may drop it. */
static uint32_t codel_head(struct hf_path *p, hf_ns now, bool *may_drop)
{
    struct hf_path_codel *c = &p->codel;
    uint32_t slot = dequeue(p);
    *may_drop = false;
    if (now - p->slots[slot].at_ns < p->config.codel_target_ns ||
        p->backlog_bytes <= p->largest_bytes)
        c->first_above_ns = HF_NEVER;
    else if (c->first_above_ns == HF_NEVER)
        c->first_above_ns = now + p->config.codel_interval_ns;
    else
        *may_drop = now >= c->first_above_ns;
    return slot;
}

/* It comes out of hf_path_take at this instant, as one that was dropped. */
static void codel_drop(struct hf_path *p, uint32_t slot, hf_ns now)
{
    struct hf_path_slot *s = &p->slots[slot];
    leave_queue(p, s->length_bytes);
    p->stats.fates[s->plan.fate]--;
    p->stats.fates[HF_PATH_LOST_CODEL]++;
    p->stats.lost++;
    p->stats.waiting--;
    s->plan.fate = HF_PATH_LOST_CODEL;
    heap_add(p, slot, now);
}

/* [RFC8289#5] dequeue. A packet that may be dropped has others behind it: there is a next. */
static uint32_t codel_dequeue(struct hf_path *p, hf_ns now)
{
    struct hf_path_codel *c = &p->codel;
    hf_ns interval_ns = p->config.codel_interval_ns;
    bool may_drop;
    uint32_t slot = codel_head(p, now, &may_drop);
    if (c->dropping) {
        c->dropping = may_drop;
        while (c->dropping && now >= c->drop_next_ns) {
            codel_drop(p, slot, now);
            c->count++;
            slot = codel_head(p, now, &may_drop);
            c->dropping = may_drop;
            if (may_drop)
                c->drop_next_ns += hf_path_codel_step(interval_ns, c->count);
        }
    } else if (may_drop) {
        codel_drop(p, slot, now);
        slot = codel_head(p, now, &may_drop);
        c->dropping = true;
        /* Soon after the last time the rate of drops that was right then is taken up again. */
        uint32_t more = c->count - c->last_count;
        bool is_soon = now - c->drop_next_ns < 16 * interval_ns;
        c->count = more > 1 && is_soon ? more : 1;
        c->drop_next_ns = now + hf_path_codel_step(interval_ns, c->count);
        c->last_count = c->count;
    }
    return slot;
}

/* When the head's turn begins: the link is free, all that is known then is there. */
static hf_ns next_turn(const struct hf_path *p)
{
    return hf_max_ns(p->free_at_ns, p->slots[p->queue_head].at_ns);
}

static void take_turn(struct hf_path *p, hf_ns now)
{
    const struct hf_path_config *c = &p->config;
    bool is_codel = c->queue == HF_PATH_CODEL;
    uint32_t slot = is_codel ? codel_dequeue(p, now) : dequeue(p);
    uint32_t length_bytes = p->slots[slot].length_bytes;
    hf_ns from_ns = now;
    if (c->shaper.rate_bps > 0)
        from_ns = hf_path_tokens_wait(&p->shaper, &c->shaper, length_bytes, now);
    if (from_ns > p->free_at_ns)
        p->free_remainder = 0; /* the link was idle */
    p->free_at_ns = hf_path_link_finish(c, p->start_ns, length_bytes, from_ns, &p->free_remainder);
    p->on_link_bytes = length_bytes;
    go(p, slot, p->free_at_ns);
}

/* Makes up for all turns up to now. */
static void advance(struct hf_path *p, hf_ns now)
{
    p->now_ns = hf_max_ns(p->now_ns, now);
    for (;;) {
        if (p->on_link_bytes > 0) {
            if (p->free_at_ns > p->now_ns)
                return;
            leave_queue(p, p->on_link_bytes);
            p->on_link_bytes = 0;
        }
        if (p->queue_head == NO_SLOT || next_turn(p) > p->now_ns)
            return;
        take_turn(p, next_turn(p));
    }
}

/* ---- in and out ---- */

static uint32_t slot_take(struct hf_path *p, const struct hf_path_packet *packet,
                          const struct hf_path_plan *plan)
{
    uint32_t slot = p->free_slot;
    struct hf_path_slot *s = &p->slots[slot];
    p->free_slot = s->next;
    s->packet = packet->packet;
    s->length_bytes = packet->length_bytes;
    s->is_pure_ack = packet->is_pure_ack;
    s->is_second = false;
    s->plan = *plan;
    p->stats.waiting++;
    p->stats.waiting_peak = hf_max_u32(p->stats.waiting_peak, p->stats.waiting);
    return slot;
}

static void slot_give(struct hf_path *p, uint32_t slot)
{
    p->slots[slot].next = p->free_slot;
    p->free_slot = slot;
}

enum hf_path_fate hf_path_carry(struct hf_path *p, const struct hf_path_packet *packet,
                                const struct hf_path_plan *plan, hf_ns now)
{
    enum hf_path_fate fate = plan->fate;
    HF_ASSERT(packet->packet != NULL && packet->length_bytes > 0 &&
              packet->length_bytes <= HF_PATH_PACKET_MAX_BYTES);
    HF_ASSERT(fate != HF_PATH_REORDERED || plan->hold_packets > 0);
    advance(p, now);
    if (!hf_path_is_lost(fate) && has_queue(&p->config) && queue_is_full(p, packet->length_bytes))
        fate = HF_PATH_LOST_QUEUE;
    if (!hf_path_is_lost(fate) && !hf_path_has_room(p))
        fate = HF_PATH_LOST_NO_SLOT;
    p->stats.sent++;
    p->stats.sent_bytes += packet->length_bytes;
    p->stats.fates[fate]++;
    if (hf_path_is_lost(fate)) {
        p->stats.lost++;
        return fate;
    }
    uint32_t slot = slot_take(p, packet, plan);
    if (has_queue(&p->config)) {
        enqueue(p, slot, p->now_ns);
        advance(p, p->now_ns);
    } else {
        go(p, slot, p->now_ns);
    }
    return fate;
}

enum hf_path_fate hf_path_send(struct hf_path *p, const struct hf_path_packet *packet, hf_ns now)
{
    struct hf_path_plan plan = hf_path_judge(p, packet, now);
    return hf_path_carry(p, packet, &plan, now);
}

hf_ns hf_path_deadline(const struct hf_path *p)
{
    hf_ns first_ns = p->heap_count > 0 ? p->slots[p->slots[0].heap].at_ns : HF_NEVER;
    if (p->queue_head == NO_SLOT)
        return first_ns;
    /* Who has not had his turn arrives no sooner than this; CoDel drops at the turn. */
    hf_ns turn_ns = next_turn(p);
    if (p->config.queue == HF_PATH_DROP_TAIL)
        turn_ns += hf_max_ns(0, p->config.delay_ns - hf_path_jitter_reach(&p->config));
    return hf_min_ns(first_ns, turn_ns);
}

void *hf_path_next(const struct hf_path *p)
{
    return p->heap_count > 0 ? p->slots[p->slots[0].heap].packet : NULL;
}

bool hf_path_take(struct hf_path *p, hf_ns now, struct hf_path_arrival *out)
{
    advance(p, now);
    if (p->heap_count == 0)
        return false;
    uint32_t slot = p->slots[0].heap;
    struct hf_path_slot *s = &p->slots[slot];
    if (s->at_ns > p->now_ns)
        return false;
    *out = (struct hf_path_arrival){
        .packet = s->packet,
        .length_bytes = s->length_bytes,
        .at_ns = s->at_ns,
        .fate = s->plan.fate,
        .corrupt_bit = s->plan.corrupt_bit,
        .again = s->plan.fate == HF_PATH_DUPLICATED && !s->is_second,
    };
    if (out->again) {
        s->is_second = true;
        return true;
    }
    if (s->plan.fate == HF_PATH_REORDERED && s->plan.hold_packets > 0)
        forget_held(p, slot);
    heap_take_first(p);
    if (!hf_path_is_lost(s->plan.fate)) {
        p->stats.waiting--;
        p->stats.delivered++;
        p->stats.delivered_bytes += s->length_bytes;
    }
    slot_give(p, slot);
    return true;
}

void *hf_path_drain(struct hf_path *p)
{
    uint32_t slot;
    p->held = p->held_tail = NO_SLOT;
    p->held_count = p->stats.queue_packets = p->on_link_bytes = 0;
    p->stats.queue_bytes = 0;
    if (p->heap_count > 0) {
        slot = p->slots[--p->heap_count].heap;
    } else if (p->queue_head != NO_SLOT) {
        slot = dequeue(p);
    } else {
        return NULL;
    }
    struct hf_path_slot *s = &p->slots[slot];
    if (!hf_path_is_lost(s->plan.fate)) {
        p->stats.fates[s->plan.fate]--;
        p->stats.fates[HF_PATH_LOST_BY_CALLER]++;
        p->stats.lost++;
        p->stats.waiting--;
    }
    slot_give(p, slot);
    return s->packet;
}
