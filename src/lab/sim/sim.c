/**
 * Simulations. Owns the stacks, the ways between them and the order of events; flow.c measures.
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

#include "core/base.h"
#include "core/wire/ip.h"
#include "core/wire/tcp.h"
#include "lab/cut.h"
#include "lab/lab_link.h"
#include "lab/pattern.h"

enum { SLOTS_FIRST = 256, EXPIRE_MAX = 64, OUTPUT_BATCH = 16, NS_IN_US = 1000 };

/* ---- hosts -------------------------------------------------------------------------------- */

static void run_host(struct hf_sim_host *h, hf_ns now);

/** Time of sending travels with the packet, in microseconds. */
static uint32_t mark_of(hf_ns now)
{
    return (uint32_t)(now / NS_IN_US);
}

static struct hf_sim_way *way_from(const struct hf_sim_host *h)
{
    return h->plan->side == HF_SCENARIO_LEFT ? &h->sim->forward : &h->sim->back;
}

static void host_takes(void *ctx, struct hf_frame *f, hf_ns now)
{
    struct hf_sim_host *h = ctx;
    struct hf_packet packet = {f->bytes, f->length_bytes, f->segment_bytes, f->flags};
    h->sim->arriving_sent_ns = (hf_ns)f->mark * NS_IN_US;
    hf_stack_input(h->stack, &packet, 1, now);
    hf_frame_give(&h->sim->world, f);
    run_host(h, now);
}

/** By its address; NULL: the packet leads nowhere, as one that was damaged may. */
static struct hf_sim_host *find_host(struct hf_sim *sim, const struct hf_frame *f)
{
    struct hf_ip ip;
    if (hf_ip_parse(f->bytes, f->length_bytes, &ip) != HF_NONE)
        return NULL;
    unsigned number = ip.destination.octets[15] - 1u;
    if (number >= sim->scenario->host_count)
        return NULL;
    struct hf_sim_host *h = &sim->hosts[number];
    return hf_addr_equal(&h->addr, &ip.destination) ? h : NULL;
}

/* ---- ways --------------------------------------------------------------------------------- */

static void wake_way(void *ctx, struct hf_frame *none, hf_ns now);

static void plan_way(struct hf_sim_way *w)
{
    hf_ns at_ns = hf_path_deadline(&w->path);
    if (at_ns >= w->planned_ns)
        return;
    w->planned_ns = at_ns;
    hf_world_at(&w->sim->world, at_ns, wake_way, w, NULL);
}

static void note_queue(struct hf_sim_way *w, hf_ns now)
{
    if (w->sim->hooks.curves)
        hf_series_add(&w->queue, now, (double)w->path.stats.queue_packets);
}

static void note_lost(struct hf_sim_way *w, enum hf_path_fate fate, hf_ns now)
{
    if (w->sim->hooks.curves)
        hf_series_add(&w->lost[fate], now, (double)w->path.stats.queue_packets);
}

static void arrive(struct hf_sim_way *w, const struct hf_path_arrival *arrival, hf_ns now)
{
    struct hf_sim *sim = w->sim;
    struct hf_frame *f = arrival->packet;
    if (hf_path_is_lost(arrival->fate)) {
        note_lost(w, arrival->fate, now);
        hf_frame_give(&sim->world, f);
        return;
    }
    if (arrival->again)
        f = hf_frame_copy(&sim->world, f);
    if (arrival->fate == HF_PATH_CORRUPTED) {
        uint8_t *byte = &f->bytes[arrival->corrupt_bit / 8];
        *byte = (uint8_t)(*byte ^ 1u << arrival->corrupt_bit % 8);
    }
    struct hf_sim_host *to = find_host(sim, f);
    if (to == NULL)
        hf_frame_give(&sim->world, f);
    else if (to->plan->delay_ns > 0)
        hf_world_at(&sim->world, now + to->plan->delay_ns, host_takes, to, f);
    else
        host_takes(to, f, now);
}

static void wake_way(void *ctx, struct hf_frame *none, hf_ns now)
{
    struct hf_sim_way *w = ctx;
    struct hf_path_arrival arrival;
    (void)none;
    if (now < w->planned_ns)
        return; /* planned anew for an earlier time, and done then */
    while (hf_path_take(&w->path, now, &arrival)) {
        note_queue(w, now);
        arrive(w, &arrival, now);
    }
    w->planned_ns = HF_NEVER;
    plan_way(w);
}

/** With ACK and nothing else. */
static bool is_pure_ack(const struct hf_frame *f)
{
    struct hf_ip ip;
    struct hf_segment seg;
    return hf_ip_parse(f->bytes, f->length_bytes, &ip) == HF_NONE &&
           ip.protocol == HF_IP_PROTO_TCP &&
           hf_tcp_parse(f->bytes + ip.header_bytes, ip.payload_bytes, &seg) == HF_NONE &&
           (seg.flags & (HF_ACK | HF_SYN | HF_FIN | HF_RST)) == HF_ACK && seg.payload_bytes == 0;
}

/** Room for this packet and a second copy of it. */
static void make_room(struct hf_sim_way *w)
{
    if (w->path.stats.waiting + 2 <= w->slot_count)
        return;
    struct hf_path_slot *more = calloc(2 * (size_t)w->slot_count, sizeof *more);
    HF_ASSERT(more != NULL);
    w->slot_count *= 2;
    hf_path_move(&w->path, more, w->slot_count);
    free(w->slots);
    w->slots = more;
}

static void way_takes(void *ctx, struct hf_frame *f, hf_ns now)
{
    struct hf_sim_way *w = ctx;
    struct hf_path_packet packet = {f, f->length_bytes, is_pure_ack(f)};
    make_room(w);
    enum hf_path_fate fate = hf_path_send(&w->path, &packet, now);
    note_queue(w, now);
    if (hf_path_is_lost(fate)) {
        note_lost(w, fate, now);
        hf_frame_give(&w->sim->world, f);
    }
    plan_way(w);
}

/* ---- running a host ----------------------------------------------------------------------- */

static bool drain(struct hf_sim_host *h, hf_ns now)
{
    struct hf_out_packet packets[OUTPUT_BATCH];
    struct hf_world *w = &h->sim->world;
    size_t n = hf_stack_output(h->stack, packets, OUTPUT_BATCH, now);
    for (size_t i = 0; i < n; i++) {
        struct hf_frame *f = hf_frame_cut(w, hf_frame_gather(w, &packets[i]));
        while (f != NULL) {
            struct hf_frame *next = f->next;
            f->next = NULL;
            f->mark = mark_of(now);
            if (h->plan->delay_ns > 0)
                hf_world_at(w, now + h->plan->delay_ns, way_takes, way_from(h), f);
            else
                way_takes(way_from(h), f, now);
            f = next;
        }
    }
    return n > 0;
}

static bool take_events(struct hf_sim_host *h, hf_ns now)
{
    struct hf_event e;
    bool any = false;
    while (hf_stack_event(h->stack, &e)) {
        HF_ASSERT(e.tag < h->sim->flow_count);
        struct hf_sim_flow *f = &h->sim->flows[e.tag];
        bool is_sender = f->plan->from == h->number;
        hf_sim_flow_event(f, is_sender, h->stack, &e, now);
        any = true;
    }
    return any;
}

static bool is_sender_here(const struct hf_sim_host *h, const struct hf_sim_flow *f)
{
    return f->plan->from == h->number && f->started;
}

static bool write_all(struct hf_sim_host *h, hf_ns now)
{
    bool any = false;
    for (unsigned i = 0; i < h->sim->flow_count; i++)
        if (is_sender_here(h, &h->sim->flows[i]))
            any |= hf_sim_flow_write(&h->sim->flows[i], h->stack, now);
    return any;
}

static void note_common(struct hf_sim *sim, bool is_until)
{
    *(is_until ? &sim->common_until_ns : &sim->common_from_ns) = sim->world.now_ns;
    for (unsigned i = 0; i < sim->flow_count; i++) {
        struct hf_sim_flow *f = &sim->flows[i];
        *(is_until ? &f->common_until_bytes : &f->common_from_bytes) = f->delivered_bytes;
    }
}

/** What the world wants to know of the flows that end here. */
static void look(struct hf_sim_host *h, hf_ns now)
{
    struct hf_sim *sim = h->sim;
    for (unsigned i = 0; i < sim->flow_count; i++) {
        struct hf_sim_flow *f = &sim->flows[i];
        if (!is_sender_here(h, f))
            continue;
        hf_sim_flow_look(f, h->stack, now);
        if (f->is_done && !f->is_counted) {
            f->is_counted = true;
            if (sim->done_count++ == 0)
                note_common(sim, true);
        }
    }
}

static void wake_host(void *ctx, struct hf_frame *none, hf_ns now)
{
    struct hf_sim_host *h = ctx;
    (void)none;
    if (now < h->planned_ns)
        return;
    h->planned_ns = HF_NEVER;
    run_host(h, now);
}

static void run_host(struct hf_sim_host *h, hf_ns now)
{
    while (hf_stack_expire(h->stack, now, EXPIRE_MAX))
        continue;
    bool is_busy = true;
    while (is_busy) {
        is_busy = take_events(h, now);
        is_busy |= write_all(h, now);
        is_busy |= drain(h, now);
    }
    look(h, now);
    hf_ns at_ns = hf_stack_deadline(h->stack);
    if (at_ns >= h->planned_ns || at_ns == HF_NEVER)
        return;
    h->planned_ns = hf_max_ns(at_ns, now + 1);
    hf_world_at(&h->sim->world, h->planned_ns, wake_host, h, NULL);
}

/* ---- what is told ------------------------------------------------------------------------- */

/** Flows are told by the receiver's port. NULL: the event is of none. */
static struct hf_sim_flow *flow_of(struct hf_sim *sim, const struct hf_trace_event *event,
                                   bool *is_sender)
{
    unsigned remote = event->remote.port - (unsigned)HF_SIM_PORT;
    unsigned local = event->local.port - (unsigned)HF_SIM_PORT;
    *is_sender = remote < sim->flow_count;
    unsigned number = *is_sender ? remote : local;
    return number < sim->flow_count ? &sim->flows[number] : NULL;
}

static void trace(void *ctx, const struct hf_trace_event *event)
{
    struct hf_sim_host *h = ctx;
    struct hf_sim *sim = h->sim;
    bool is_sender;
    struct hf_sim_flow *f = flow_of(sim, event, &is_sender);
    if (f == NULL)
        return;
    hf_sim_flow_trace(f, is_sender, h->stack, event, sim->arriving_sent_ns);
    if (sim->hooks.event != NULL)
        sim->hooks.event(sim->hooks.ctx, f, is_sender, event);
}

static void sample(void *ctx, struct hf_frame *none, hf_ns now)
{
    struct hf_sim *sim = ctx;
    (void)none;
    for (unsigned i = 0; i < sim->flow_count; i++)
        if (sim->flows[i].started && !sim->flows[i].is_done)
            hf_sim_flow_sample(&sim->flows[i], now);
    if (sim->hooks.sample != NULL)
        sim->hooks.sample(sim->hooks.ctx, sim);
    if (now < sim->scenario->duration_ns)
        hf_world_at(&sim->world, now + sim->scenario->sample_ns, sample, sim, NULL);
}

/* ---- making ------------------------------------------------------------------------------- */

static void init_curve(const struct hf_sim *sim, struct hf_series *s, enum hf_series_kind kind)
{
    *s = (struct hf_series){
        .kind = kind,
        .from_ns = sim->scenario->plot_from_ns,
        .until_ns = sim->scenario->plot_until_ns,
    };
}

static void init_way(struct hf_sim *sim, struct hf_sim_way *w, const struct hf_path_config *config,
                     uint64_t seed)
{
    w->sim = sim;
    w->slot_count = SLOTS_FIRST;
    w->slots = calloc(w->slot_count, sizeof *w->slots);
    HF_ASSERT(w->slots != NULL);
    w->planned_ns = HF_NEVER;
    hf_path_init(&w->path, config, seed, w->slots, w->slot_count, 0);
    init_curve(sim, &w->queue, HF_SERIES_VALUES);
    for (int i = 0; i < HF_PATH_FATES; i++)
        init_curve(sim, &w->lost[i], HF_SERIES_ALL);
}

static void init_flow(struct hf_sim *sim, unsigned i)
{
    struct hf_sim_curves *curves = NULL;
    if (sim->hooks.curves) {
        curves = calloc(1, sizeof *curves);
        HF_ASSERT(curves != NULL);
        curves->from_ns = sim->scenario->plot_from_ns;
        curves->until_ns = sim->scenario->plot_until_ns;
    }
    hf_sim_flow_init(&sim->flows[i], &sim->scenario->flows[i], i, curves);
    sim->flows[i].pattern = sim->pattern;
}

struct hf_sim *hf_sim_new(const struct hf_scenario *scenario, const struct hf_sim_hooks *hooks)
{
    struct hf_sim *sim = calloc(1, sizeof *sim);
    HF_ASSERT(sim != NULL);
    sim->scenario = scenario;
    sim->hooks = *hooks;
    sim->flow_count = scenario->flow_count;
    hf_world_init(&sim->world, scenario->seed);
    struct hf_dice *dice = &sim->world.random;
    hf_pattern_fill(1, 0, sim->pattern, HF_SIM_PATTERN_BYTES);
    memcpy(sim->pattern + HF_SIM_PATTERN_BYTES, sim->pattern, HF_SIM_PATTERN_BYTES);
    init_way(sim, &sim->forward, &scenario->forward, hf_dice_next(dice));
    init_way(sim, &sim->back, &scenario->back, hf_dice_next(dice));
    for (unsigned i = 0; i < sim->flow_count; i++)
        init_flow(sim, i);
    return sim;
}

static int make_host(struct hf_sim *sim, unsigned i)
{
    struct hf_sim_host *h = &sim->hosts[i];
    h->sim = sim;
    h->plan = &sim->scenario->hosts[i];
    h->number = i;
    h->planned_ns = HF_NEVER;
    h->addr = hf_addr_v4(10, 0, 0, (uint8_t)(i + 1)); /* find_host reads it back */
    struct hf_env env = {
        .realloc = hf_account_realloc,
        .realloc_ctx = &h->account,
        .trace = trace,
        .trace_ctx = h,
    };
    for (size_t k = 0; k < sizeof env.seed; k++)
        env.seed[k] = (uint8_t)hf_dice_next(&sim->world.random);
    int err = hf_stack_new(&h->stack, &h->plan->config, &env, 0);
    return err == HF_OK ? hf_stack_add_address(h->stack, &h->addr, 32) : err;
}

static void start_flow(void *ctx, struct hf_frame *none, hf_ns now)
{
    struct hf_sim_flow *f = ctx;
    struct hf_sim_host *from = f->from, *to = f->to;
    struct hf_sim *sim = from->sim;
    (void)none;
    f->error = hf_sim_flow_connect(f, from->stack, &from->addr, &to->addr, now);
    if (++sim->started_count == sim->flow_count)
        note_common(sim, false);
    run_host(from, now);
}

static int make_all(struct hf_sim *sim)
{
    const struct hf_scenario *s = sim->scenario;
    int err = HF_OK;
    for (unsigned i = 0; i < s->host_count && err == HF_OK; i++)
        err = make_host(sim, i);
    for (unsigned i = 0; i < s->flow_count && err == HF_OK; i++) {
        struct hf_sim_flow *f = &sim->flows[i];
        f->from = &sim->hosts[f->plan->from];
        f->to = &sim->hosts[f->plan->to];
        err = hf_sim_flow_listen(f, f->to->stack, &f->to->addr);
        hf_world_at(&sim->world, f->plan->start_ns, start_flow, f, NULL);
    }
    return err;
}

/* ---- the run ------------------------------------------------------------------------------ */

static void finish_way(struct hf_sim_way *w)
{
    hf_series_finish(&w->queue);
    for (int i = 0; i < HF_PATH_FATES; i++)
        hf_series_finish(&w->lost[i]);
}

int hf_sim_run(struct hf_sim *sim)
{
    hf_ns duration_ns = sim->scenario->duration_ns;
    int err = make_all(sim);
    if (err != HF_OK)
        return err;
    hf_world_at(&sim->world, sim->scenario->sample_ns, sample, sim, NULL);
    while (sim->done_count < sim->flow_count && hf_world_step(&sim->world, duration_ns))
        continue;
    bool is_over = sim->done_count == sim->flow_count;
    sim->ended_ns = is_over ? sim->world.now_ns : duration_ns;
    if (sim->done_count == 0) {
        sim->world.now_ns = sim->ended_ns;
        note_common(sim, true);
    }
    for (unsigned i = 0; i < sim->flow_count; i++) {
        struct hf_sim_flow *f = &sim->flows[i];
        hf_sim_flow_sample(f, sim->ended_ns);
        hf_sim_flow_finish(f, sim->ended_ns);
        if (err == HF_OK)
            err = f->error;
    }
    finish_way(&sim->forward);
    finish_way(&sim->back);
    return err;
}

static void free_way(struct hf_sim_way *w)
{
    struct hf_frame *f;
    while ((f = hf_path_drain(&w->path)) != NULL)
        hf_frame_give(&w->sim->world, f);
    free(w->slots);
    hf_series_free(&w->queue);
    for (int i = 0; i < HF_PATH_FATES; i++)
        hf_series_free(&w->lost[i]);
}

void hf_sim_free(struct hf_sim *sim)
{
    if (sim == NULL)
        return;
    for (unsigned i = 0; i < sim->flow_count; i++) {
        struct hf_sim_curves *curves = sim->flows[i].curves;
        hf_sim_flow_free(&sim->flows[i]);
        free(curves);
    }
    for (unsigned i = 0; i < sim->scenario->host_count; i++)
        hf_stack_free(sim->hosts[i].stack);
    free_way(&sim->forward);
    free_way(&sim->back);
    hf_world_free(&sim->world);
    free(sim);
}
