/**
 * The pair. Owns stacks, nodes and the order of a step: input or timers, events, application,
 * output, checks.
 */
#include "pair.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/wire/ip.h"
#include "core/wire/tcp.h"

enum { OUTPUT_BATCH = 16, OUTPUTS_MAX = 1000000, ROUNDS_MAX = 100000 };

static const char *const side_names[2] = {"A", "B"};

static struct hf_pair_side *other_side(struct hf_pair_side *side)
{
    return side->number == 0 ? &side->pair->b : &side->pair->a;
}

/** The state of a side's end of the connection, by what its stack says. */
static enum hf_state state_of(const struct hf_pair_side *side)
{
    uint64_t cursor = 0;
    struct hf_tuple t;
    enum hf_state state = HF_CLOSED;
    while (hf_iterate(side->stack, &cursor, &t)) {
        if (t.kind == HF_KIND_LISTENER)
            state = HF_LISTEN;
        /* A closed connection stays until it is released; its successor tells more. */
        else if (t.state != HF_CLOSED)
            return t.state;
    }
    return state;
}

/* ---- a side as a node ---- */

static bool drain(struct hf_pair_side *side, hf_ns now)
{
    struct hf_out_packet packets[OUTPUT_BATCH];
    size_t n, total = 0;
    while ((n = hf_stack_output(side->stack, packets, OUTPUT_BATCH, now)) > 0) {
        for (size_t i = 0; i < n; i++) {
            hf_checks_packet(&side->pair->checks, side_names[side->number], &packets[i], now);
            hf_lab_link_send(&side->out, &packets[i]);
        }
        total += n;
        if (total > OUTPUTS_MAX) {
            hf_checks_fail(&side->pair->checks, now, "%s: output never ends",
                           side_names[side->number]);
            break;
        }
    }
    return total > 0;
}

static void run(void *self, hf_ns now)
{
    struct hf_pair_side *side = self;
    struct hf_pair *p = side->pair;
    const char *name = side_names[side->number];
    if (p->scenario.picture != NULL)
        hf_picture_turn(p->scenario.picture, side->number);
    if (hf_stack_deadline(side->stack) <= now)
        hf_checks_expire(&p->checks, name, side->stack, now);
    bool busy = true;
    for (int round = 0; busy; round++) {
        busy = hf_app_run(&side->app, now);
        busy |= drain(side, now);
        if (round == ROUNDS_MAX) {
            hf_checks_fail(&p->checks, now, "%s: never done at one instant", name);
            return;
        }
    }
    hf_checks_stack(&p->checks, name, side->stack, now);
}

static void input(void *self, const struct hf_packet *packet, hf_ns now)
{
    struct hf_pair_side *side = self;
    if (side->pair->scenario.picture != NULL)
        hf_picture_turn(side->pair->scenario.picture, side->number);
    hf_stack_input(side->stack, packet, 1, now);
}

static hf_ns deadline(void *self)
{
    const struct hf_pair_side *side = self;
    hf_ns app_ns = hf_app_deadline(&side->app);
    hf_ns stack_ns = hf_stack_deadline(side->stack);
    return app_ns < stack_ns ? app_ns : stack_ns;
}

static void tell_state(struct hf_pair_side *side, uint32_t mark, hf_ns now)
{
    struct hf_picture *picture = side->pair->scenario.picture;
    if (picture != NULL)
        hf_picture_state(picture, side->number, (int)state_of(side), mark, now);
}

static void run_and_tell(void *self, hf_ns now)
{
    run(self, now);
    tell_state(self, 0, now);
}

static void arrived(void *self, uint32_t mark, hf_ns now)
{
    tell_state(self, mark, now);
}

/* ---- what is seen ---- */

static uint32_t observe(void *ctx, const struct hf_lab_link *link, const struct hf_frame *f,
                        enum hf_fate fate, hf_ns now)
{
    struct hf_pair_side *side = ctx;
    struct hf_pair *p = side->pair;
    struct hf_ip ip;
    struct hf_segment seg;
    if (hf_ip_parse(f->bytes, f->length_bytes, &ip) != HF_NONE) {
        hf_checks_fail(&p->checks, now, "%s: sent a malformed packet", side_names[side->number]);
    } else if (ip.protocol == HF_IP_PROTO_TCP) {
        const uint8_t *tcp = f->bytes + ip.header_bytes;
        if (hf_tcp_parse(tcp, ip.payload_bytes, &seg) != HF_NONE)
            hf_checks_fail(&p->checks, now, "%s: sent malformed TCP", side_names[side->number]);
        else
            hf_checks_segment(&p->checks, side->number, &seg, tcp + seg.header_bytes, now);
    }
    if (p->scenario.transcript != NULL)
        hf_transcript_add(p->scenario.transcript, now, link->from_name, link->to_name, f->bytes,
                          f->length_bytes, fate);
    if (p->scenario.picture == NULL)
        return 0;
    return hf_picture_sent(p->scenario.picture, side->number, (int)state_of(side), now, f->bytes,
                           f->length_bytes, fate);
}

static void trace(void *ctx, const struct hf_trace_event *event)
{
    struct hf_pair_side *side = ctx;
    const struct hf_pair_scenario *s = &side->pair->scenario;
    if (s->picture != NULL)
        hf_picture_trace(s->picture, side_names[side->number], event);
    if (s->trace != NULL)
        s->trace(s->trace_ctx[side->number], event);
}

/* ---- a run ---- */

static struct hf_endpoint endpoint_of(bool v6, unsigned number)
{
    struct hf_endpoint e = {.port = number == 0 ? 40000 : 80};
    if (v6)
        e.addr = (struct hf_addr){{0xFD, [15] = (uint8_t)(number + 1)}};
    else
        e.addr = hf_addr_v4(10, 0, 0, (uint8_t)(number + 1));
    return e;
}

static struct hf_env env_of(struct hf_pair_side *side)
{
    const struct hf_pair_scenario *s = &side->pair->scenario;
    struct hf_env env = {.realloc = hf_account_realloc, .realloc_ctx = &side->account};
    if (s->trace != NULL || s->picture != NULL) {
        env.trace = trace;
        env.trace_ctx = side;
    }
    return env;
}

int hf_pair_restore(struct hf_pair_side *side, const void *bytes, size_t length_bytes)
{
    struct hf_env env = env_of(side);
    struct hf_stack *restored;
    int err = hf_stack_restore(&restored, bytes, length_bytes, &env, side->pair->world.now_ns);
    if (err != HF_OK)
        return err;
    hf_stack_free(side->stack);
    side->stack = side->app.stack = restored;
    return HF_OK;
}

static int make_stack(struct hf_pair_side *side, const struct hf_config *config, uint64_t fail_nth)
{
    const struct hf_pair_scenario *s = &side->pair->scenario;
    side->account = (struct hf_account){
        .spares = &side->spares,
        .fail_nth = fail_nth,
        .fail_from = s->fail_from,
    };
    struct hf_env env = env_of(side);
    struct hf_dice seed = {s->seed * 2 + side->number};
    for (size_t i = 0; i < sizeof env.seed; i++)
        env.seed[i] = (uint8_t)hf_dice_next(&seed);
    struct hf_config standard;
    if (config == NULL) {
        hf_config_init(&standard, sizeof standard);
        config = &standard;
    }
    int err = hf_stack_new(&side->stack, config, &env, 0);
    if (err != HF_OK && (side->stack != NULL || side->account.held_bytes != 0))
        hf_checks_fail(&side->pair->checks, 0, "%s: a stack that failed left something behind",
                       side_names[side->number]);
    if (err != HF_OK)
        return err;
    struct hf_endpoint me = endpoint_of(s->v6, side->number);
    err = hf_stack_add_address(side->stack, &me.addr, s->v6 ? 128 : 32);
    if (err != HF_OK) {
        hf_stack_free(side->stack);
        side->stack = NULL;
    }
    return err;
}

static void start_side(struct hf_pair_side *side, const struct hf_app_script *script,
                       const struct hf_lab_link_config *out)
{
    struct hf_pair *p = side->pair;
    if (p->scenario.made != NULL)
        p->scenario.made(p->scenario.hook_ctx, side);
    static const struct hf_node model = {NULL, input, deadline, run, arrived};
    struct hf_node node = model;
    node.self = side;
    if (p->scenario.picture != NULL)
        node.run = run_and_tell;
    side->node = hf_world_add(&p->world, &node);
    hf_app_init(&side->app, script, side_names[side->number], side->number, side->stack,
                &p->checks);
    side->app.local = endpoint_of(p->scenario.v6, side->number);
    side->app.remote = endpoint_of(p->scenario.v6, 1 - side->number);
    side->app.other = &other_side(side)->app;
    hf_lab_link_init(&side->out, out, &p->world, NULL, side_names[side->number][0],
                     side_names[1 - side->number][0]);
    side->out.observe = observe;
    side->out.observe_ctx = side;
    /* A listener that goes with its first connection is not among what is there at the end. */
    if (!script->listen_once)
        hf_app_listen(&side->app, 0);
    hf_stack_trim(side->stack);
    struct hf_stack_info info;
    hf_stack_info(side->stack, &info);
    side->base_memory_bytes = info.memory_bytes;
    if (script->listen_once)
        hf_app_listen(&side->app, 0);
}

/* ---- the end of a run ---- */

static void check_empty(struct hf_pair_side *side)
{
    struct hf_checks *c = &side->pair->checks;
    hf_ns now = side->pair->world.now_ns;
    const char *name = side_names[side->number];
    uint64_t overhead = side->account.held_bytes;
    struct hf_stack_info info;
    hf_stack_info(side->stack, &info);
    if (info.connections + info.half_open + info.time_wait > 0)
        hf_checks_fail(c, now,
                       "%s: left over: %" PRIu32 " connections, %" PRIu32 " half-open, %" PRIu32
                       " time-wait",
                       name, info.connections, info.half_open, info.time_wait);
    if (info.pool_used_bytes > 0)
        hf_checks_fail(c, now, "%s: %" PRIu64 " bytes of blocks left over", name,
                       info.pool_used_bytes);
    overhead -= info.memory_bytes;
    hf_stack_trim(side->stack);
    hf_stack_info(side->stack, &info);
    if (info.memory_bytes != side->base_memory_bytes)
        hf_checks_fail(c, now, "%s: memory %" PRIu64 " at the end, %" PRIu64 " at the start", name,
                       info.memory_bytes, side->base_memory_bytes);
    if (side->account.held_bytes - info.memory_bytes != overhead)
        hf_checks_fail(c, now, "%s: the account of memory is wrong by %" PRId64, name,
                       (int64_t)(side->account.held_bytes - info.memory_bytes - overhead));
}

/* Each handle had its closed event; in order on both sides means that every byte came over. */
static void check_outcome(struct hf_pair_side *side, bool lossless)
{
    struct hf_checks *c = &side->pair->checks;
    const struct hf_app *a = &side->app, *b = &other_side(side)->app;
    hf_ns now = side->pair->world.now_ns;
    if (a->conn != 0 && a->closed_events != 1)
        hf_checks_fail(c, now, "%s: %u closed events", a->name, a->closed_events);
    if (lossless && a->how == HF_CLOSED_FIN && b->how == HF_CLOSED_FIN &&
        a->received_bytes != b->written_bytes)
        hf_checks_fail(c, now, "%s: closed in order with %" PRIu64 " of %" PRIu64 " bytes", a->name,
                       a->received_bytes, b->written_bytes);
}

static void report_side(struct hf_pair_side *side, struct hf_pair_side_report *r)
{
    const struct hf_app *a = &side->app;
    *r = (struct hf_pair_side_report){
        .made = true,
        .connected = a->connected,
        .how = a->how,
        .closed_events = a->closed_events,
        .written_bytes = a->written_bytes,
        .verified_bytes = a->received_bytes,
        .open_error = a->open_error,
        .send_error = a->send_error,
        .receive_error = a->receive_error,
        .connected_at_ns = a->connected_at_ns,
        .closed_at_ns = a->closed_at_ns,
        .events = a->seen,
        .event_count = a->seen_count < HF_APP_EVENTS ? a->seen_count : HF_APP_EVENTS,
        .packets_sent = side->out.packets,
        .memory_refused = side->account.failed,
    };
    hf_stack_info(side->stack, &r->info);
}

static bool is_lossless(const struct hf_config *config)
{
    return config == NULL || config->abort_on_unread != 0;
}

static void finish(struct hf_pair *p)
{
    const struct hf_pair_scenario *s = &p->scenario;
    report_side(&p->a, &p->report.a);
    report_side(&p->b, &p->report.b);
    if (p->report.quiet) {
        hf_app_finish(&p->a.app, p->world.now_ns);
        hf_app_finish(&p->b.app, p->world.now_ns);
        bool lossless = is_lossless(s->a_config) && is_lossless(s->b_config);
        check_outcome(&p->a, lossless);
        check_outcome(&p->b, lossless);
        check_empty(&p->a);
        check_empty(&p->b);
        if (p->world.frames_out != 0)
            hf_checks_fail(&p->checks, p->world.now_ns, "the lab lost packet buffers");
    }
    if (p->a.account.wrong_size || p->b.account.wrong_size)
        hf_checks_fail(&p->checks, p->world.now_ns, "memory was given back with a wrong size");
    p->report.ended_at_ns = p->world.now_ns;
    p->report.steps = p->world.steps;
    p->report.violations = p->checks.violations;
    p->report.violation = p->checks.first;
}

static void clear(struct hf_pair *p)
{
    if (p->a.stack != NULL)
        hf_lab_link_close(&p->a.out);
    if (p->b.stack != NULL)
        hf_lab_link_close(&p->b.out);
    hf_stack_free(p->a.stack);
    hf_stack_free(p->b.stack);
    p->a.stack = p->b.stack = NULL;
}

static void run_steps(struct hf_pair *p)
{
    const struct hf_pair_scenario *s = &p->scenario;
    hf_ns limit_ns = s->limit_ns > 0 ? s->limit_ns : HF_SEC(3600);
    uint64_t max_steps = s->max_steps > 0 ? s->max_steps : 4000000;
    if (s->picture != NULL) {
        tell_state(&p->a, 0, 0);
        tell_state(&p->b, 0, 0);
    }
    while (hf_world_step(&p->world, limit_ns)) {
        if (s->stepped != NULL) {
            s->stepped(s->hook_ctx, &p->a);
            s->stepped(s->hook_ctx, &p->b);
        }
        if (p->world.steps >= max_steps) {
            hf_checks_fail(&p->checks, p->world.now_ns, "no end after %" PRIu64 " steps",
                           p->world.steps);
            break;
        }
    }
    p->report.quiet = hf_world_next(&p->world) == HF_NEVER;
}

void hf_pair_run(struct hf_pair *p, const struct hf_pair_scenario *scenario)
{
    clear(p);
    hf_world_reset(&p->world, scenario->seed);
    p->scenario = *scenario;
    p->checks.violations = 0;
    p->checks.first[0] = '\0';
    memset(p->checks.wire, 0, sizeof p->checks.wire);
    p->checks.key[0] = scenario->seed * 2 + 1;
    p->checks.key[1] = scenario->seed * 2 + 2;
    p->report = (struct hf_pair_report){.violation = p->checks.first};
    int a_err = make_stack(&p->a, scenario->a_config, scenario->a_fail_nth);
    int b_err = make_stack(&p->b, scenario->b_config, scenario->b_fail_nth);
    if (a_err != HF_OK || b_err != HF_OK) {
        p->report.a = (struct hf_pair_side_report){
            .made = a_err == HF_OK, .open_error = a_err, .memory_refused = p->a.account.failed};
        p->report.b = (struct hf_pair_side_report){
            .made = b_err == HF_OK, .open_error = b_err, .memory_refused = p->b.account.failed};
        p->report.quiet = true;
        p->report.violations = p->checks.violations;
        return;
    }
    start_side(&p->a, &scenario->a, &scenario->ab);
    start_side(&p->b, &scenario->b, &scenario->ba);
    p->a.out.to = p->b.node;
    p->b.out.to = p->a.node;
    run_steps(p);
    finish(p);
}

struct hf_pair *hf_pair_new(void)
{
    struct hf_pair *p = calloc(1, sizeof *p);
    HF_ASSERT(p != NULL);
    hf_world_init(&p->world, 0);
    p->a.pair = p->b.pair = p;
    p->b.number = 1;
    return p;
}

void hf_pair_free(struct hf_pair *p)
{
    if (p == NULL)
        return;
    clear(p);
    hf_spares_free(&p->a.spares);
    hf_spares_free(&p->b.spares);
    hf_world_free(&p->world);
    free(p);
}

bool hf_pair_is_clean(const struct hf_pair *p)
{
    const struct hf_pair_report *r = &p->report;
    bool whole = r->a.verified_bytes == r->b.written_bytes &&
                 r->b.verified_bytes == r->a.written_bytes &&
                 r->a.written_bytes == p->scenario.a.send_bytes &&
                 r->b.written_bytes == p->scenario.b.send_bytes;
    bool clean = r->violations == 0 && r->quiet && whole && r->a.made && r->b.made;
    if (!clean)
        fprintf(stderr,
                "not clean (seed %" PRIu64 "): %u violations, first: %s\n"
                "  quiet %d at %" PRId64 " ns; A %s, %" PRIu64 " written, %" PRIu64
                " verified; B %s, %" PRIu64 " written, %" PRIu64 " verified\n",
                p->scenario.seed, r->violations, r->violation, r->quiet, r->ended_at_ns,
                hf_closed_text(r->a.how), r->a.written_bytes, r->a.verified_bytes,
                hf_closed_text(r->b.how), r->b.written_bytes, r->b.verified_bytes);
    return clean;
}
