/*
 * No stall: transfers over links drawn from a seed. Each completes, with every invariant that the
 * pair checks, in at most 20 times the ideal time; or there is a cause, which is named and measured
 * here, and what it cost does not count.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base.h"
#include "lab/drawn.h"
#include "lab/packet_facts.h"
#include "lab/runs.h"
#include "show/event_text.h"

enum { SEEDS = 2000, SEEDS_LONG = 100000, SAMPLE = 25 };
enum { FACTOR = 20, SMALL_WINDOW_FACTOR = 4, DOUBT_ONE_IN = 1000 };

/* ---- what the links saw -------------------------------------------------------------------- */

/** What ends a silence, when neither direction has anything on its way and both ends wait. */
enum cause {
    CAUSE_TAIL,    /**< what one end sent last was lost, data or ACK: only a timer can help */
    CAUSE_HOLE,    /**< something that was lost is not yet acknowledged, and without SACK the sender
                        cannot know what has arrived besides */
    CAUSE_DELAYED, /**< one end delays its ACK, as it may */
    CAUSE_DOUBT, /**< the same hole with SACK, and more than that one has arrived: RACK may not use
                        what came faster than any answer before [RFC8985#6.2]; to be rare */
    CAUSE_NONE,  /**< that counts */
    CAUSES,
};

/** One direction. A packet's fate is known behind the call that judged it: its link counts. */
struct log_side {
    uint64_t harmed_before; /**< by then, when the last packet was judged */
    bool judged;            /**< the last packet's fate is not noted yet */
    bool judged_data;       /**< it carried data, SYN or FIN */
    bool last_harmed, last_data_harmed;
    bool hole;
    uint32_t
        hole_end; /**< SND.NXT when data was lost last; acknowledged up to there all is whole */
    uint64_t data_packets, data_harmed, dropped_in_queue;
};

struct log {
    struct log_side side[2];
    hf_ns silent_since_ns; /**< HF_NEVER: something is on its way */
    uint64_t packets;      /**< that were sent before it */
    enum cause cause;      /**< of the present silence, but for CAUSE_DELAYED */
    hf_ns ack_due_ns;      /**< one end delays an ACK until then */
    hf_ns done_at_ns;      /**< both ends have read to the end; HF_NEVER: not yet */
    hf_ns silent_ns[CAUSES];
};

static uint64_t harmed(const struct hf_lab_link *l)
{
    return l->fates[HF_FATE_LOST] + l->fates[HF_FATE_OVERFLOW] + l->fates[HF_FATE_CORRUPTED];
}

static bool info_of(const struct hf_pair_side *side, struct hf_info *info)
{
    return hf_info(side->stack, side->app.conn, info) == HF_OK;
}

static void note_hole(struct log_side *s, const struct hf_pair_side *side)
{
    struct hf_info info;
    s->data_harmed++;
    if (info_of(side, &info)) {
        s->hole = true;
        s->hole_end = info.snd_nxt;
    }
}

static void settle(struct log_side *s, const struct hf_pair_side *side)
{
    uint64_t dropped = side->out.path.stats.fates[HF_PATH_LOST_CODEL];
    if (dropped > s->dropped_in_queue) /* never the last one in it */
        note_hole(s, side);
    s->dropped_in_queue = dropped;
    if (!s->judged)
        return;
    s->judged = false;
    s->last_harmed = harmed(&side->out) > s->harmed_before;
    if (!s->judged_data)
        return;
    s->last_data_harmed = s->last_harmed;
    s->data_packets++;
    if (s->last_harmed)
        note_hole(s, side);
}

static enum hf_fate judge(void *ctx, const struct hf_lab_link *l, const struct hf_frame *f,
                          enum hf_fate planned)
{
    const struct hf_pair_side *side = l->observe_ctx;
    struct log_side *s = &((struct log *)ctx)->side[side->number];
    settle(s, side);
    s->judged = true;
    s->judged_data = !hf_packet_is_pure_ack(f->bytes, f->length_bytes);
    s->harmed_before = harmed(l);
    return planned;
}

static void end_silence(struct log *log, hf_ns now)
{
    enum cause cause = log->cause;
    if ((cause == CAUSE_NONE || cause == CAUSE_DOUBT) && now <= log->ack_due_ns + HF_MS(1))
        cause = CAUSE_DELAYED;
    log->silent_ns[cause] += now - log->silent_since_ns;
}

static void look_at_end(struct log *log, const struct hf_pair_side *side)
{
    struct log_side *s = &log->side[side->number];
    struct hf_info info;
    if (!info_of(side, &info))
        return;
    s->hole = s->hole && (int32_t)(info.snd_una - s->hole_end) < 0;
    if (log->cause == CAUSE_NONE && s->hole)
        log->cause = info.sack ? CAUSE_DOUBT : CAUSE_HOLE;
    if (info.ack_deadline_ns != HF_NEVER)
        log->ack_due_ns = hf_max_ns(log->ack_due_ns, info.ack_deadline_ns);
}

static void begin_silence(struct log *log, const struct hf_pair *p)
{
    const struct log_side *a = &log->side[0], *b = &log->side[1];
    log->silent_since_ns = p->world.now_ns;
    uint64_t packets = p->a.out.packets + p->b.out.packets;
    if (packets == log->packets)
        return; /* somebody woke up for nothing: the same silence goes on */
    log->packets = packets;
    log->ack_due_ns = 0;
    log->cause = CAUSE_NONE;
    if (a->last_harmed || a->last_data_harmed || b->last_harmed || b->last_data_harmed)
        log->cause = CAUSE_TAIL;
    look_at_end(log, &p->a);
    look_at_end(log, &p->b);
}

static void stepped(void *ctx, struct hf_pair_side *side)
{
    struct log *log = ctx;
    const struct hf_pair *p = side->pair;
    if (side->number == 0 || log->done_at_ns != HF_NEVER)
        return; /* once a step */
    settle(&log->side[0], &p->a);
    settle(&log->side[1], &p->b);
    if (log->silent_since_ns != HF_NEVER && p->world.now_ns > log->silent_since_ns)
        end_silence(log, p->world.now_ns);
    log->silent_since_ns = HF_NEVER;
    if (p->a.app.at_end && p->b.app.at_end)
        log->done_at_ns = p->world.now_ns;
    else if (p->a.out.path.stats.waiting + p->b.out.path.stats.waiting == 0)
        begin_silence(log, p);
}

/* ---- the ideal time ------------------------------------------------------------------------- */

enum { PACKET_BYTES = 1500, MSS_BYTES = 1400, ACK_BYTES = 80 };

static int64_t least_rate(const struct hf_path_config *p)
{
    int64_t rate = p->rate_bps;
    for (uint32_t i = 0; i < p->rate_change_count; i++)
        rate = rate < p->rate_changes[i].rate_bps ? rate : p->rate_changes[i].rate_bps;
    return p->policer.rate_bps > 0 && p->policer.rate_bps < rate ? p->policer.rate_bps : rate;
}

static hf_ns wire_time(const struct hf_path_config *p, uint64_t packets, uint64_t packet_bytes)
{
    return (hf_ns)(packets * packet_bytes * 8 * 1000000000u / (uint64_t)least_rate(p));
}

static hf_ns way(const struct hf_path_config *p)
{
    return p->delay_ns + p->jitter_ns + p->ack_aggregate_ns + wire_time(p, 1, PACKET_BYTES);
}

static hf_ns round_trip(const struct hf_pair_scenario *s)
{
    return way(&s->ab.path) + way(&s->ba.path);
}

/** Data and every second segment's ACK through the slower of their directions, no faster than a
 *  buffer in a round trip, and the rounds of slow start. */
static hf_ns ideal_direction(const struct hf_pair_scenario *s, bool from_a)
{
    uint64_t bytes = from_a ? s->a.send_bytes : s->b.send_bytes, packets = bytes / MSS_BYTES + 1;
    const struct hf_config *from = from_a ? s->a_config : s->b_config;
    const struct hf_config *to = from_a ? s->b_config : s->a_config;
    const struct hf_path_config *there = from_a ? &s->ab.path : &s->ba.path;
    const struct hf_path_config *back = from_a ? &s->ba.path : &s->ab.path;
    int64_t buffer = from->send_buffer_bytes < to->receive_buffer_bytes ? from->send_buffer_bytes
                                                                        : to->receive_buffer_bytes;
    hf_ns rtt_ns = round_trip(s);
    if (bytes == 0)
        return 0;
    hf_ns span_ns = hf_max_ns(wire_time(there, packets, PACKET_BYTES),
                              wire_time(back, packets / 2 + 1, ACK_BYTES));
    span_ns = hf_max_ns(span_ns, (hf_ns)bytes / buffer * rtt_ns);
    for (uint64_t window = (uint64_t)from->initial_window_segs; window < packets; window *= 2)
        span_ns += rtt_ns;
    return span_ns;
}

/** With a round trip for the handshake, and one for the FINs. */
static hf_ns ideal_time(const struct hf_pair_scenario *s)
{
    return 2 * round_trip(s) + ideal_direction(s, true) + ideal_direction(s, false);
}

static uint64_t root(uint64_t n)
{
    uint64_t r = 1;
    while ((r + 1) * (r + 1) <= n)
        r++;
    return r;
}

/** The other cause: what is taken for loss keeps the window small. As many packets as were sent, in
 *  windows of sqrt(3/2p) for the share p of them that was lost [Mathis et al. 1997]; of four where
 *  packets overtake each other by more than a quarter of a round trip, all that RACK waits for. */
static hf_ns small_window_time(const struct hf_pair_scenario *s, const struct log_side *l,
                               const struct hf_path_config *p)
{
    uint64_t window = UINT64_MAX;
    hf_ns spread_ns = p->jitter_ns * (p->jitter_kind == HF_PATH_JITTER_NORMAL ? 6 : 2);
    if (l->data_harmed > 0)
        window = root(3 * l->data_packets / (2 * l->data_harmed));
    if (!p->jitter_keeps_order && spread_ns > round_trip(s) / 4 && window > 4)
        window = 4;
    return (hf_ns)(l->data_packets / window) * round_trip(s);
}

/* ---- runs ------------------------------------------------------------------------------------ */

enum verdict { IN_TIME, BY_SILENCE, BY_SMALL_WINDOW, BY_DOUBT, STALLED, VERDICTS };

struct lab {
    struct hf_pair *pair;
    struct drawn drawn;
    struct log log;
    struct hf_transcript wire; /**< of the one run that was asked for */
    uint64_t verdicts[VERDICTS];
};

/** Without the silences that have a cause. */
static hf_ns busy_time(const struct log *log)
{
    return log->done_at_ns - log->silent_ns[CAUSE_TAIL] - log->silent_ns[CAUSE_HOLE] -
           log->silent_ns[CAUSE_DELAYED];
}

static enum verdict judge_time(const struct hf_pair_scenario *s, const struct log *log)
{
    hf_ns ideal_ns = ideal_time(s);
    if (log->done_at_ns <= FACTOR * ideal_ns)
        return IN_TIME;
    if (busy_time(log) <= FACTOR * ideal_ns)
        return BY_SILENCE;
    hf_ns small_ns = small_window_time(s, &log->side[0], &s->ab.path) +
                     small_window_time(s, &log->side[1], &s->ba.path);
    if (busy_time(log) <= SMALL_WINDOW_FACTOR * (ideal_ns + small_ns))
        return BY_SMALL_WINDOW;
    return busy_time(log) - log->silent_ns[CAUSE_DOUBT] <= FACTOR * ideal_ns ? BY_DOUBT : STALLED;
}

static void say_time(const struct lab *lab, char *text, size_t capacity_bytes)
{
    const struct log *log = &lab->log;
    double ideal_s = (double)ideal_time(&lab->drawn.scenario) / 1e9;
    snprintf(text, capacity_bytes,
             "%.3f s, ideal %.3f s; silence %.3f s for lost tails, %.3f s for holes, %.3f s for "
             "delayed ACKs, %.3f s in doubt, %.3f s for nothing; lost %" PRIu64 " of %" PRIu64
             " and %" PRIu64 " of %" PRIu64 " packets",
             (double)log->done_at_ns / 1e9, ideal_s, (double)log->silent_ns[CAUSE_TAIL] / 1e9,
             (double)log->silent_ns[CAUSE_HOLE] / 1e9, (double)log->silent_ns[CAUSE_DELAYED] / 1e9,
             (double)log->silent_ns[CAUSE_DOUBT] / 1e9, (double)log->silent_ns[CAUSE_NONE] / 1e9,
             log->side[0].data_harmed, log->side[0].data_packets, log->side[1].data_harmed,
             log->side[1].data_packets);
}

static void trace(void *ctx, const struct hf_trace_event *e)
{
    char text[HF_EVENT_TEXT_BYTES];
    if (e->type == HF_TRACE_SEGMENT_IN || e->type == HF_TRACE_SEGMENT_OUT)
        return;
    hf_event_text(e, 0, text, sizeof text);
    hf_transcript_note(ctx, e->now_ns, text);
}

static void watch(struct lab *lab)
{
    struct hf_pair_scenario *s = &lab->drawn.scenario;
    hf_transcript_init(&lab->wire, HF_DETAIL_WINDOW | HF_DETAIL_OPTIONS);
    s->transcript = &lab->wire;
    s->trace = trace;
    s->trace_ctx[0] = s->trace_ctx[1] = &lab->wire;
}

static void show(struct lab *lab, const char *time)
{
    printf("%s", lab->wire.text != NULL ? lab->wire.text : "");
    hf_transcript_free(&lab->wire);
    drawn_print(&lab->drawn);
    printf("  %s\n", time);
}

static void run(struct lab *lab, struct runs *r, uint64_t seed)
{
    struct log *log = &lab->log;
    struct hf_pair_scenario *s = &lab->drawn.scenario;
    char time[400];
    drawn_make(&lab->drawn, seed);
    *log = (struct log){.silent_since_ns = HF_NEVER, .done_at_ns = HF_NEVER};
    s->ab.decide = s->ba.decide = judge;
    s->ab.decide_ctx = s->ba.decide_ctx = log;
    s->stepped = stepped;
    s->hook_ctx = log;
    if (r->only != NULL)
        watch(lab);
    hf_pair_run(lab->pair, s);
    say_time(lab, time, sizeof time);
    if (r->only != NULL)
        show(lab, time);
    const struct hf_pair_report *report = &lab->pair->report;
    bool in_order = report->a.how == HF_CLOSED_FIN && report->b.how == HF_CLOSED_FIN;
    if (!hf_pair_is_clean(lab->pair) || !in_order || log->done_at_ns == HF_NEVER) {
        runs_fail(r, "does not complete");
        return;
    }
    enum verdict verdict = judge_time(s, log);
    lab->verdicts[verdict]++;
    if (verdict == STALLED)
        runs_fail(r, time);
}

static void every_transfer_completes_in_time(void **state)
{
    struct lab *lab = *state;
    struct runs r = runs_begin("no stall", SAMPLE);
    uint64_t seeds = runs_are_long() || r.only != NULL ? SEEDS_LONG : SEEDS;
    for (uint64_t seed = 1; seed <= seeds; seed++)
        if (runs_next(&r, "seed %" PRIu64, seed))
            run(lab, &r, seed);
    printf("no stall: %" PRIu64 " in %d times the ideal time; %" PRIu64
           " without silence that has a cause; %" PRIu64 " with a window that losses keep small; "
           "%" PRIu64 " in doubt; %" PRIu64 " stalled\n",
           lab->verdicts[IN_TIME], FACTOR, lab->verdicts[BY_SILENCE],
           lab->verdicts[BY_SMALL_WINDOW], lab->verdicts[BY_DOUBT], lab->verdicts[STALLED]);
    assert_true(runs_end(&r));
    assert_true(r.only != NULL || lab->verdicts[BY_DOUBT] * DOUBT_ONE_IN <= r.made);
}

static int make_lab(void **state)
{
    static struct lab lab;
    lab.pair = hf_pair_new();
    *state = &lab;
    return 0;
}

static int free_lab(void **state)
{
    hf_pair_free(((struct lab *)*state)->pair);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_transfer_completes_in_time),
    };
    return cmocka_run_group_tests_name("recovery_seeds", tests, make_lab, free_lab);
}
