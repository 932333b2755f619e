/**
 * Links. Owns the order of what happens to a packet: cut, counted, judged, queued, delayed.
 */
#include "lab_link.h"

#include <string.h>

#include "core/base.h"
#include "cut.h"

void hf_lab_link_init(struct hf_lab_link *l, const struct hf_lab_link_config *config,
                      struct hf_world *w, struct hf_node *to, char from_name, char to_name)
{
    /* Not the ring of departures: it is large, and counted by departure_count. */
    memset(l, 0, offsetof(struct hf_lab_link, departures_ns));
    l->departure_head = l->departure_count = 0;
    l->held = NULL;
    l->config = *config;
    l->world = w;
    l->to = to;
    l->from_name = from_name;
    l->to_name = to_name;
    uint32_t limit = config->queue_limit_packets;
    l->config.queue_limit_packets =
        limit == 0 || limit > HF_LINK_QUEUE_MAX ? HF_LINK_QUEUE_MAX : limit;
    if (config->late_ns == 0)
        l->config.late_ns = 2 * config->delay_ns + HF_MS(1);
    if (config->swap_wait_ns == 0)
        l->config.swap_wait_ns = HF_MS(10);
}

void hf_lab_link_close(struct hf_lab_link *l)
{
    hf_frame_give(l->world, l->held);
    l->held = NULL;
}

static void arrive(void *ctx, struct hf_frame *f, hf_ns now)
{
    struct hf_lab_link *l = ctx;
    (void)now;
    hf_world_deliver(l->world, l->to, f);
}

static void release_held(void *ctx, struct hf_frame *none, hf_ns now)
{
    struct hf_lab_link *l = ctx;
    (void)none;
    if (l->held == NULL || now < l->held_until_ns)
        return; /* its successor took it along */
    struct hf_frame *f = l->held;
    l->held = NULL;
    hf_world_deliver(l->world, l->to, f);
}

static void forget_departed(struct hf_lab_link *l)
{
    while (l->departure_count > 0 && l->departures_ns[l->departure_head] <= l->world->now_ns) {
        l->departure_head = (l->departure_head + 1) % HF_LINK_QUEUE_MAX;
        l->departure_count--;
    }
}

static bool queue_is_full(struct hf_lab_link *l)
{
    if (l->config.rate_bps <= 0)
        return false;
    forget_departed(l);
    return l->departure_count >= l->config.queue_limit_packets;
}

/* When a packet of this length has left the sender, behind all that wait. */
static hf_ns depart(struct hf_lab_link *l, uint32_t length_bytes)
{
    if (l->config.rate_bps <= 0)
        return l->world->now_ns;
    hf_ns start_ns = hf_max_ns(l->world->now_ns, l->free_at_ns);
    l->free_at_ns = start_ns + (hf_ns)length_bytes * 8 * HF_SEC(1) / l->config.rate_bps;
    uint32_t tail = (l->departure_head + l->departure_count) % HF_LINK_QUEUE_MAX;
    l->departures_ns[tail] = l->free_at_ns;
    l->departure_count++;
    return l->free_at_ns;
}

static bool in_mask(uint64_t mask, uint64_t n)
{
    return n < 64 && (mask >> n & 1) != 0;
}

static bool is_silent(const struct hf_lab_link *l)
{
    hf_ns now = l->world->now_ns;
    return now >= l->config.silent_from_ns && now < l->config.silent_until_ns;
}

/* All chances are drawn in the same order for every packet that is not lost by mask. */
static enum hf_fate judge(struct hf_lab_link *l, uint64_t n)
{
    const struct hf_lab_link_config *c = &l->config;
    struct hf_dice *r = &l->world->random;
    if (in_mask(c->lose_mask, n) || is_silent(l) || hf_dice_chance(r, c->lose_ppm))
        return HF_FATE_LOST;
    if (in_mask(c->corrupt_mask, n) || hf_dice_chance(r, c->corrupt_ppm))
        return HF_FATE_CORRUPTED;
    if (in_mask(c->duplicate_mask, n) || hf_dice_chance(r, c->duplicate_ppm))
        return HF_FATE_DUPLICATED;
    if (in_mask(c->swap_mask, n) || hf_dice_chance(r, c->late_ppm))
        return HF_FATE_LATE;
    return HF_FATE_DELIVERED;
}

/* One bit anywhere. Facts about the checksum no longer hold: the receiver has to look itself. */
static void corrupt(struct hf_lab_link *l, struct hf_frame *f)
{
    hf_frame_fill(f);
    f->flags = 0;
    f->segment_bytes = 0;
    uint64_t bit = hf_dice_below(&l->world->random, (uint64_t)f->length_bytes * 8);
    f->bytes[bit / 8] = (uint8_t)(f->bytes[bit / 8] ^ 1u << bit % 8);
}

static void hold(struct hf_lab_link *l, struct hf_frame *f, hf_ns arrival_ns)
{
    l->held = f;
    l->held_until_ns = arrival_ns + l->config.swap_wait_ns;
    hf_world_at(l->world, l->held_until_ns, release_held, l, NULL);
}

static void carry(struct hf_lab_link *l, struct hf_frame *f, uint64_t n, enum hf_fate fate)
{
    hf_ns arrival_ns = depart(l, f->length_bytes) + l->config.delay_ns;
    bool swapped = fate == HF_FATE_LATE && in_mask(l->config.swap_mask, n);
    if (fate == HF_FATE_CORRUPTED)
        corrupt(l, f);
    if (swapped && l->held == NULL) {
        hold(l, f, arrival_ns);
        return;
    }
    if (fate == HF_FATE_LATE && !swapped)
        arrival_ns += l->config.late_ns;
    struct hf_frame *twin = fate == HF_FATE_DUPLICATED ? hf_frame_copy(l->world, f) : NULL;
    hf_world_at(l->world, arrival_ns, arrive, l, f);
    if (twin != NULL)
        hf_world_at(l->world, arrival_ns, arrive, l, twin);
    if (l->held != NULL) {
        hf_world_at(l->world, arrival_ns, arrive, l, l->held);
        l->held = NULL;
    }
}

static void send_one(struct hf_lab_link *l, struct hf_frame *f)
{
    uint64_t n = l->packets++;
    l->bytes += f->length_bytes;
    enum hf_fate fate = judge(l, n);
    if (l->config.decide != NULL)
        fate = l->config.decide(l->config.decide_ctx, l, f, fate);
    if (fate != HF_FATE_LOST && queue_is_full(l))
        fate = HF_FATE_OVERFLOW;
    l->fates[fate]++;
    if (l->observe != NULL)
        f->mark = l->observe(l->observe_ctx, l, f, fate, l->world->now_ns);
    if (fate == HF_FATE_LOST || fate == HF_FATE_OVERFLOW)
        hf_frame_give(l->world, f);
    else
        carry(l, f, n, fate);
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
