/**
 * A script in time: when each event is due, calls that wait, commands.
 *
 * `+x` counts from the moment at which the event before ended; between two packets that come in,
 * from the time at which the first one was due. A packet of the stack is judged by the time at
 * which it was sent, everything else by the time at which it could be done.
 */
#include "run_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base.h"
#include "symbols.h"

/** A call that waits has this long to end when the next one comes, and beyond its time when the
 *  script ends. */
#define CALL_PATIENCE_NS HF_SEC(1)

enum { PPM = 1000000, FIRST_PORT = 49152 };

/* ---- outcome ------------------------------------------------------------------------------ */

/** The states of what is there, for the end of a report. */
static void describe_states(struct hf_run *run)
{
    char *text = run->result->state;
    size_t used = 0, capacity = sizeof run->result->state;
    text[0] = '\0';
    for (int i = 0; i < HF_STATE_COUNT; i++) {
        int count = run->target->calls->count(run->target->self, (enum hf_state)i);
        if (i == HF_LISTEN || count <= 0 || used >= capacity)
            continue;
        int n = snprintf(text + used, capacity - used, "%s%s", used > 0 ? ", " : "",
                         hf_state_name((enum hf_state)i));
        used += n > 0 ? (size_t)n : 0;
    }
    if (text[0] == '\0')
        snprintf(text, capacity, "no connection");
}

void hf_run_fail(struct hf_run *run, struct hf_place place)
{
    if (run->is_over)
        return;
    run->is_over = true;
    run->result->outcome = HF_DRILL_FAILED;
    run->result->place = place;
    describe_states(run);
}

void hf_run_skip(struct hf_run *run, struct hf_place place, const char *reason)
{
    if (run->is_over)
        return;
    run->is_over = true;
    run->result->outcome = HF_DRILL_SKIPPED;
    run->result->place = place;
    snprintf(run->result->got, sizeof run->result->got, "%s", reason);
}

static void fail_with(struct hf_run *run, struct hf_place place, const char *expected,
                      const char *got)
{
    if (run->is_over)
        return;
    snprintf(run->result->expected, sizeof run->result->expected, "%s", expected);
    snprintf(run->result->got, sizeof run->result->got, "%s", got);
    hf_run_fail(run, place);
}

/* ---- time --------------------------------------------------------------------------------- */

hf_ns hf_run_now(const struct hf_run *run)
{
    return run->target->calls->now(run->target->self) - run->start_ns;
}

hf_ns hf_run_tolerance(const struct hf_run *run, hf_ns script_span_ns)
{
    hf_ns share_ns = script_span_ns / PPM * run->options->tolerance_ppm;
    return share_ns > run->options->tolerance_ns ? share_ns : run->options->tolerance_ns;
}

void hf_run_off_text(char *text, size_t capacity_bytes, hf_ns at_ns, hf_ns off_ns)
{
    snprintf(text, capacity_bytes, "at %.6f s, %.3f ms too %s", (double)at_ns / 1e9,
             (double)(off_ns < 0 ? -off_ns : off_ns) / 1e6, off_ns < 0 ? "early" : "late");
}

/** Moves what the target sent into the log. */
static void collect(struct hf_run *run)
{
    struct hf_drill_packet packet;
    while (!run->is_over && run->target->calls->take(run->target->self, &packet))
        if (!hf_log_add(&run->result->log, packet.at_ns - run->start_ns, true, packet.bytes,
                        packet.length_bytes))
            fail_with(run, run->event->place, "an end of sending", "too many packets to keep");
    const char *fault = run->target->calls->fault(run->target->self);
    if (fault != NULL && !run->is_over)
        fail_with(run, run->event->place, "invariants that hold", fault);
}

static void try_waiting(struct hf_run *run);

bool hf_run_step(struct hf_run *run, hf_ns until_ns)
{
    hf_ns limit_ns = until_ns;
    if (run->waiting != NULL) {
        hf_ns due_ns = run->wait.until_ns;
        /* A limit that has passed without ending the call must not hold time up. */
        if (due_ns != HF_NEVER && due_ns - run->start_ns < limit_ns &&
            due_ns - run->start_ns > hf_run_now(run))
            limit_ns = due_ns - run->start_ns;
    }
    run->target->calls->run(run->target->self, run->start_ns + limit_ns);
    collect(run);
    if (run->waiting != NULL && !run->is_over)
        try_waiting(run);
    return !run->is_over;
}

static bool pass_time(struct hf_run *run, hf_ns until_ns)
{
    while (hf_run_now(run) < until_ns)
        if (!hf_run_step(run, until_ns))
            return false;
    return !run->is_over;
}

static bool is_inbound(const struct hf_script_event *e)
{
    return e != NULL && e->kind == HF_SCRIPT_PACKET && !e->packet.outbound;
}

static void set_due(struct hf_run *run)
{
    const struct hf_script_time *t = &run->event->time;
    hf_ns base_ns = 0;
    if (t->kind == HF_SCRIPT_TIME_RELATIVE)
        base_ns =
            is_inbound(run->before) && is_inbound(run->event) ? run->before_ns : hf_run_now(run);
    run->due_ns = t->kind == HF_SCRIPT_TIME_ANY ? hf_run_now(run) : base_ns + t->start_ns;
    run->end_ns = t->is_range || t->is_blocking ? base_ns + t->end_ns : run->due_ns;
}

/** Waits for the event's time; it may have passed already, but not by more than the tolerance. */
static bool reach_event(struct hf_run *run)
{
    if (!pass_time(run, run->due_ns))
        return false;
    hf_ns now_ns = hf_run_now(run), off_ns = now_ns - run->due_ns;
    if (run->before == NULL || off_ns <= hf_run_tolerance(run, run->due_ns - run->before_ns))
        return true;
    char expected[64], got[96];
    snprintf(expected, sizeof expected, "at %.6f s", (double)run->due_ns / 1e9);
    hf_run_off_text(got, sizeof got, now_ns, off_ns);
    fail_with(run, run->event->place, expected, got);
    run->result->by_time = true;
    return false;
}

/* ---- calls -------------------------------------------------------------------------------- */

static void report_call(struct hf_run *run, const struct hf_script_event *e,
                        enum hf_call_outcome outcome, const struct hf_call_result *result)
{
    char expected[HF_DRILL_WORDS_BYTES], got[HF_DRILL_WORDS_BYTES];
    if (outcome == HF_CALL_BEYOND) {
        hf_run_skip(run, e->place, result->got);
    } else if (outcome == HF_CALL_DIFFERS) {
        snprintf(expected, sizeof expected, "%s() = %s", e->call.name, result->expected);
        snprintf(got, sizeof got, "%s() = %s", e->call.name, result->got);
        fail_with(run, e->place, expected, got);
    }
}

/** A call that waited has returned: at the right time? */
static void check_return(struct hf_run *run, const struct hf_script_event *e)
{
    hf_ns now_ns = hf_run_now(run), off_ns = now_ns - run->wait_end_ns;
    char expected[128], got[96];
    if (!e->time.is_blocking)
        return;
    if (llabs(off_ns) <= hf_run_tolerance(run, run->wait_end_ns - run->wait_due_ns))
        return;
    snprintf(expected, sizeof expected, "%s() returns at %.6f s", e->call.name,
             (double)run->wait_end_ns / 1e9);
    hf_run_off_text(got, sizeof got, now_ns, off_ns);
    fail_with(run, e->place, expected, got);
    run->result->by_time = true;
}

static void try_waiting(struct hf_run *run)
{
    const struct hf_script_event *e = run->waiting;
    struct hf_call_result result;
    bool is_first_try = !run->wait.began;
    enum hf_call_outcome outcome = hf_call_try(&run->calls, &e->call, &run->wait, &result);
    hf_run_follow_call(run, &e->call, &result, is_first_try);
    if (outcome == HF_CALL_WAITS)
        return;
    run->waiting = NULL;
    run->target->calls->run(run->target->self, run->start_ns + hf_run_now(run));
    collect(run);
    report_call(run, e, outcome, &result);
    if (!run->is_over)
        check_return(run, e);
}

/** Lets a call that waits end, if it does so within the time. */
static bool await_call(struct hf_run *run, hf_ns span_ns)
{
    hf_ns until_ns = hf_run_now(run) + span_ns;
    while (run->waiting != NULL && hf_run_now(run) < until_ns)
        if (!hf_run_step(run, until_ns))
            return false;
    if (run->waiting == NULL)
        return !run->is_over;
    char expected[96], got[96];
    snprintf(expected, sizeof expected, "%s() returns", run->waiting->call.name);
    snprintf(got, sizeof got, "it still waits at %.6f s", (double)hf_run_now(run) / 1e9);
    fail_with(run, run->waiting->place, expected, got);
    return false;
}

/** A call that is not written as a waiting one holds the script up until its own limit is over. */
static void run_call(struct hf_run *run)
{
    if (run->waiting != NULL && !await_call(run, CALL_PATIENCE_NS))
        return;
    run->waiting = run->event;
    run->wait = (struct hf_posix_wait){0};
    run->wait_due_ns = run->due_ns;
    run->wait_end_ns = run->end_ns;
    try_waiting(run);
    if (run->is_over || run->waiting == NULL)
        return;
    run->target->calls->run(run->target->self, run->start_ns + hf_run_now(run));
    collect(run);
    if (run->event->time.is_blocking)
        return;
    hf_ns limit_ns = 0;
    if (run->wait.until_ns != HF_NEVER)
        limit_ns = run->wait.until_ns - run->start_ns - hf_run_now(run);
    await_call(run, hf_max_ns(limit_ns, run->target->patience_ns));
}

/* ---- commands ----------------------------------------------------------------------------- */

static void run_command(struct hf_run *run)
{
    char words[HF_COMMAND_WORDS_BYTES];
    size_t index = (size_t)(run->event - run->script->events);
    run->commands.is_over = index >= run->final_commands;
    run->commands.is_ahead = index < run->first_other_event;
    switch (hf_commands_run(&run->commands, run->event->text, words)) {
    case HF_COMMAND_DONE: return;
    case HF_COMMAND_FAILED: fail_with(run, run->event->place, run->event->text, words); return;
    case HF_COMMAND_BEYOND: hf_run_skip(run, run->event->place, words); return;
    }
}

/* ---- the whole ---------------------------------------------------------------------------- */

static void run_event(struct hf_run *run)
{
    const struct hf_script_event *e = run->event;
    bool is_outbound = e->kind == HF_SCRIPT_PACKET && e->packet.outbound;
    set_due(run);
    if (!is_outbound && !reach_event(run))
        return;
    switch (e->kind) {
    case HF_SCRIPT_PACKET:
        if (is_outbound)
            hf_run_outbound(run);
        else
            hf_run_inbound(run);
        break;
    case HF_SCRIPT_CALL: run_call(run); break;
    case HF_SCRIPT_SHELL: run_command(run); break;
    case HF_SCRIPT_CODE: hf_run_code(run); break;
    }
    run->target->calls->run(run->target->self, run->start_ns + hf_run_now(run));
    collect(run);
    if (run->waiting != NULL && !run->is_over)
        try_waiting(run);
    run->before = e;
    run->before_ns = run->due_ns;
}

static size_t find_first_other(const struct hf_script *script)
{
    size_t first = 0;
    while (first < script->event_count && script->events[first].kind == HF_SCRIPT_SHELL)
        first++;
    return first;
}

static size_t find_final_commands(const struct hf_script *script)
{
    size_t first = script->event_count;
    while (first > 0 && script->events[first - 1].kind == HF_SCRIPT_SHELL)
        first--;
    return first;
}

/** The least that a script takes: the times it names, one after the other. */
static hf_ns find_span(const struct hf_script *script)
{
    hf_ns span_ns = 0;
    for (size_t i = 0; i < script->event_count; i++) {
        const struct hf_script_time *t = &script->events[i].time;
        if (t->kind == HF_SCRIPT_TIME_RELATIVE)
            span_ns += t->start_ns;
        else if (t->kind == HF_SCRIPT_TIME_ABSOLUTE)
            span_ns = hf_max_ns(span_ns, t->start_ns);
    }
    return span_ns;
}

static void check_span(struct hf_run *run)
{
    char words[96];
    hf_ns span_ns = find_span(run->script), limit_ns = run->config->limit_ns;
    if (limit_ns == 0 || span_ns <= limit_ns)
        return;
    snprintf(words, sizeof words, "takes %.3f s or more, the limit is %.3f s",
             (double)span_ns / 1e9, (double)limit_ns / 1e9);
    hf_run_skip(run, (struct hf_place){0}, words);
}

static void begin(struct hf_run *run)
{
    run->start_ns = run->target->calls->now(run->target->self);
    run->first_other_event = find_first_other(run->script);
    run->final_commands = find_final_commands(run->script);
    run->calls.posix = &run->target->posix;
    run->calls.options = run->options;
    run->calls.match = run->config->match;
    run->flow.ts_tick_ns = run->options->ts_tick_ns;
    run->flow.ts_echo_is_scaled = run->options->ts_echo_is_scaled;
    run->next_port = FIRST_PORT;
    run->live_fd = -1;
    check_span(run);
}

/** Also after a failure: a target that lives on must be left in order. */
static void end(struct hf_run *run)
{
    if (!run->is_over && run->waiting != NULL)
        await_call(run, hf_max_ns(run->wait_end_ns - hf_run_now(run), 0) + CALL_PATIENCE_NS);
    if (!run->is_over)
        hf_run_program(run);
    run->result->span_ns = hf_run_now(run);
    hf_calls_end(&run->calls);
    hf_run_reset_flow(run);
    if (run->event != NULL)
        collect(run);
    free(run->program);
}

void hf_drill_script(struct hf_drill_result *result, const struct hf_script *script,
                     const struct hf_drill_options *options, const struct hf_drill_config *config,
                     const struct hf_commands *commands)
{
    struct hf_run *run = calloc(1, sizeof *run);
    if (run == NULL) {
        snprintf(result->got, sizeof result->got, "out of memory");
        result->outcome = HF_DRILL_SKIPPED;
        return;
    }
    run->script = script;
    run->options = options;
    run->config = config;
    run->target = commands->target;
    run->commands = *commands;
    run->result = result;
    begin(run);
    for (size_t i = 0; i < script->event_count && !run->is_over; i++) {
        run->event = &script->events[i];
        run_event(run);
    }
    end(run);
    free(run);
}
