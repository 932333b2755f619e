/**
 * Results of scripts as text and as JSON lines.
 */
#include "report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/wire/ip.h"
#include "core/wire/tcp.h"
#include "show/ladder.h"

enum { LAST_PACKETS = 10, LADDER_COLUMNS = 110, PIECE_BYTES = 2048 };

void hf_report_say(struct hf_report *r, const char *format, ...)
{
    char piece[PIECE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(piece, sizeof piece, format, arguments);
    va_end(arguments);
    if (n > 0)
        r->sink(r->sink_ctx, piece, (size_t)n < sizeof piece ? (size_t)n : sizeof piece - 1);
}

/* ---- the packets -------------------------------------------------------------------------- */

/** A ladder's text, of which the first rows are not shown: it learns from them what numbers count
 *  from. */
struct muted {
    struct hf_report *report;
    bool is_muted;
};

static void pass_on(void *ctx, const char *text, size_t length_bytes)
{
    const struct muted *m = ctx;
    if (!m->is_muted)
        m->report->sink(m->report->sink_ctx, text, length_bytes);
}

static void draw_packet(struct hf_ladder *ladder, const struct hf_logged *p)
{
    struct hf_ip ip;
    struct hf_ladder_row row = {
        .time_ns = p->at_ns,
        .left_to_right = p->outbound,
        .fate = HF_FATE_DELIVERED,
        .left_state = HF_LADDER_STATE_UNKNOWN,
        .right_state = HF_LADDER_STATE_UNKNOWN,
    };
    bool is_ip = hf_ip_parse(p->bytes, p->length_bytes, &ip) == HF_NONE;
    if (is_ip && ip.protocol == HF_IP_PROTO_TCP &&
        hf_tcp_parse(p->bytes + ip.header_bytes, ip.payload_bytes, &row.segment) == HF_NONE)
        hf_ladder_add(ladder, &row);
    else
        hf_ladder_note(ladder, p->outbound ? "the stack sends a packet that is no TCP"
                                           : "a packet comes in that is no TCP");
}

void hf_report_draw(struct hf_report *r, const struct hf_drill_log *log, size_t from, size_t to,
                    const char *left)
{
    struct muted muted = {.report = r};
    struct hf_ladder ladder;
    const struct hf_ladder_style style = {
        .width_columns = LADDER_COLUMNS, .windows = true, .scales = true, .clock = "script ms"};
    hf_ladder_begin(&ladder, &style, pass_on, &muted, left, "script");
    for (size_t i = 0; i < to && i < log->count; i++) {
        muted.is_muted = i < from;
        draw_packet(&ladder, &log->packets[i]);
    }
    hf_ladder_end(&ladder);
}

/* ---- text --------------------------------------------------------------------------------- */

/** A label, and below it all lines of a text at the same indent. */
static void say_lines(struct hf_report *r, const char *label, const char *text)
{
    const char *lead = label;
    while (*text != '\0') {
        size_t n = strcspn(text, "\n");
        hf_report_say(r, "    %-10s%.*s\n", lead, (int)n, text);
        text += n + (text[n] == '\n');
        lead = "";
    }
}

void hf_report_failure(struct hf_report *r, const struct hf_drill_result *result)
{
    say_lines(r, "expected", result->expected);
    say_lines(r, "got", result->got);
    say_lines(r, "state", result->state);
}

static void say_failure(struct hf_report *r, const char *path, const struct hf_drill_result *result)
{
    size_t count = result->log.count;
    hf_report_say(r, "FAIL %s:%u:%u\n", path, result->place.line, result->place.column);
    hf_report_failure(r, result);
    if (count > 0 && !r->verbose)
        hf_report_draw(r, &result->log, count > LAST_PACKETS ? count - LAST_PACKETS : 0, count,
                       "stack");
}

static void say_text(struct hf_report *r, const char *path, const struct hf_drill_result *result,
                     hf_ns wall_ns)
{
    switch (result->outcome) {
    case HF_DRILL_PASSED: hf_report_say(r, "pass %.1f ms %s\n", (double)wall_ns / 1e6, path); break;
    case HF_DRILL_FAILED: say_failure(r, path, result); break;
    case HF_DRILL_SKIPPED:
        if (result->place.line > 0)
            hf_report_say(r, "skip %s:%u: %s\n", path, result->place.line, result->got);
        else
            hf_report_say(r, "skip %s: %s\n", path, result->got);
        break;
    }
    if (r->verbose && result->log.count > 0)
        hf_report_draw(r, &result->log, 0, result->log.count, "stack");
}

/* ---- JSON --------------------------------------------------------------------------------- */

void hf_report_json_text(struct hf_report *r, const char *name, const char *text)
{
    hf_report_say(r, ",\"%s\":\"", name);
    for (const char *p = text; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\')
            hf_report_say(r, "\\%c", c);
        else if (c < 0x20)
            hf_report_say(r, "\\u%04x", c);
        else
            hf_report_say(r, "%c", c);
    }
    hf_report_say(r, "\"");
}

void hf_report_json(struct hf_report *r, const char *path, const struct hf_drill_result *result)
{
    static const char *const outcomes[] = {
        [HF_DRILL_PASSED] = "pass", [HF_DRILL_FAILED] = "fail", [HF_DRILL_SKIPPED] = "skip"};
    hf_report_say(r, "\"outcome\":\"%s\"", outcomes[result->outcome]);
    if (path != NULL)
        hf_report_json_text(r, "script", path);
    if (result->place.line > 0)
        hf_report_say(r, ",\"line\":%u,\"column\":%u", result->place.line, result->place.column);
    if (result->outcome == HF_DRILL_FAILED) {
        hf_report_json_text(r, "expected", result->expected);
        hf_report_json_text(r, "got", result->got);
        hf_report_json_text(r, "state", result->state);
    } else if (result->outcome == HF_DRILL_SKIPPED) {
        hf_report_json_text(r, "reason", result->got);
    }
    if (path != NULL && result->covers != NULL)
        hf_report_json_text(r, "covers", result->covers);
    hf_report_say(r, ",\"packets\":%zu,\"script_ms\":%.6f", result->log.count,
                  (double)result->span_ns / 1e6);
}

static void say_json(struct hf_report *r, const char *path, const struct hf_drill_result *result,
                     hf_ns wall_ns)
{
    hf_report_say(r, "{");
    hf_report_json(r, path, result);
    hf_report_say(r, ",\"wall_ms\":%.3f}\n", (double)wall_ns / 1e6);
}

void hf_report_add(struct hf_report *r, const char *path, const struct hf_drill_result *result,
                   hf_ns wall_ns)
{
    switch (result->outcome) {
    case HF_DRILL_PASSED: r->passed++; break;
    case HF_DRILL_FAILED: r->failed++; break;
    case HF_DRILL_SKIPPED: r->skipped++; break;
    }
    if (r->json)
        say_json(r, path, result, wall_ns);
    else
        say_text(r, path, result, wall_ns);
}

void hf_report_end(struct hf_report *r)
{
    if (!r->json)
        hf_report_say(r, "%u passed, %u failed, %u skipped\n", r->passed, r->failed, r->skipped);
}
