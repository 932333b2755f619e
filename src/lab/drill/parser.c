/**
 * A script as a whole: option lines, the untimed commands at both ends, and events with their
 * times. Calls are in parse_call.c, packets in parse_packet.c.
 */
#include "parser.h"

#include <stdlib.h>
#include <string.h>

#include "core/base.h"

struct parse {
    struct hf_lexer lexer;
    struct hf_script *script;
    bool v6;
};

/* ---- option lines ------------------------------------------------------------------------- */

static bool option_value(struct hf_lexer *l, const char **value)
{
    size_t n;
    if (hf_lexer_peek(l) == '"')
        return hf_lexer_string(l, value, &n);
    const char *start = l->at;
    while (l->at<l->end && * l->at> ' ' && *l->at <= '~') {
        bool is_comment =
            *l->at == '/' && l->at + 1 < l->end && (l->at[1] == '/' || l->at[1] == '*');
        if (is_comment)
            break;
        hf_lexer_take(l, 1);
    }
    if (l->at == start)
        return hf_lexer_expected(l, "the value of the option");
    *value = hf_arena_text(l->arena, start, (size_t)(l->at - start));
    return *value != NULL || hf_lexer_no_memory(l);
}

static bool apply_ip_version(struct parse *p, const struct hf_script_option_line *line)
{
    static const char *const names[] = {"ipv4", "ipv4-mapped-ipv6", "ipv6"};
    if (strcmp(line->name, "ip_version") != 0)
        return true;
    for (size_t i = 0; line->value != NULL && i < HF_COUNT_OF(names); i++) {
        if (strcmp(line->value, names[i]) == 0) {
            p->v6 = i == 2;
            return true;
        }
    }
    return hf_lexer_fail(&p->lexer, line->place,
                         "--ip_version is ipv4, ipv4-mapped-ipv6 or ipv6, not '%s'",
                         line->value == NULL ? "" : line->value);
}

static bool option_line(struct parse *p, struct hf_place place)
{
    struct hf_lexer *l = &p->lexer;
    struct hf_script *s = p->script;
    if (s->option_count == HF_SCRIPT_MAX_OPTION_LINES)
        return hf_lexer_fail(l, place, "more than %d options", HF_SCRIPT_MAX_OPTION_LINES);
    struct hf_script_option_line line = {.place = place};
    const char *name = l->at;
    size_t n = l->at < l->end && hf_is_word_char(*l->at) ? hf_lexer_run(l, "-", &name) : 0;
    if (n == 0)
        return hf_lexer_expected(l, "the name of an option right behind '--'");
    line.name = hf_arena_text(l->arena, name, n);
    s->options = hf_arena_grow(l->arena, s->options, s->option_count, sizeof line);
    if (line.name == NULL || s->options == NULL)
        return hf_lexer_no_memory(l);
    if (hf_lexer_accept(l, "=") && !option_value(l, &line.value))
        return false;
    s->options[s->option_count++] = line;
    return apply_ip_version(p, &line);
}

static bool option_lines(struct parse *p)
{
    for (;;) {
        struct hf_place place = hf_lexer_place(&p->lexer);
        hf_lexer_begin_unit(&p->lexer);
        if (!hf_lexer_accept(&p->lexer, "--"))
            return !p->lexer.failed;
        if (!option_line(p, place))
            return false;
    }
}

/* ---- times -------------------------------------------------------------------------------- */

static bool event_time(struct hf_lexer *l, struct hf_script_time *time)
{
    struct hf_place place = hf_lexer_place(l);
    if (hf_lexer_accept(l, "*")) {
        time->kind = HF_SCRIPT_TIME_ANY;
        return true;
    }
    bool is_relative = hf_lexer_accept(l, "+");
    time->kind = is_relative ? HF_SCRIPT_TIME_RELATIVE : HF_SCRIPT_TIME_ABSOLUTE;
    if (!hf_lexer_seconds(l, is_relative ? "seconds behind '+'" : "the time of an event",
                          &time->start_ns))
        return false;
    time->end_ns = time->start_ns;
    if (hf_lexer_accept(l, "~")) {
        time->is_range = true;
        if (is_relative && !hf_lexer_expect(l, "+", "before the end of a relative range"))
            return false;
    } else if (hf_lexer_accept(l, "...")) {
        time->is_blocking = true;
    } else {
        return true;
    }
    if (!hf_lexer_seconds(l, "the end of the time", &time->end_ns))
        return false;
    return time->end_ns >= time->start_ns ||
           hf_lexer_fail(l, place, "a time that ends before it starts");
}

/** Not every kind of event can take every form of time. */
static bool check_time(struct hf_lexer *l, const struct hf_script_event *e)
{
    bool is_expected = e->kind == HF_SCRIPT_PACKET && e->packet.outbound;
    if (e->time.kind == HF_SCRIPT_TIME_ANY && !is_expected)
        return hf_lexer_fail(l, e->place, "'*' is a time for expected packets only");
    if (e->time.is_range && !is_expected)
        return hf_lexer_fail(l, e->place, "a range is a time for expected packets only");
    if (e->time.is_blocking && e->kind != HF_SCRIPT_CALL)
        return hf_lexer_fail(l, e->place, "a...b is a time for calls only");
    return true;
}

/* ---- events ------------------------------------------------------------------------------- */

static bool word_event(struct parse *p, struct hf_script_event *e)
{
    struct hf_token token;
    if (!hf_lexer_token(&p->lexer, "an event ('<', '>', a call, `command` or %{ code }%)", &token))
        return false;
    if (token.kind == HF_TOKEN_SHELL) {
        e->kind = HF_SCRIPT_SHELL;
        e->text = token.text;
        return true;
    }
    if (token.kind != HF_TOKEN_WORD)
        return hf_lexer_fail(&p->lexer, token.place, "expected the name of a call, found '%.*s'",
                             (int)token.text_bytes, token.text);
    e->kind = HF_SCRIPT_CALL;
    return hf_parse_call(&p->lexer, &token, &e->call);
}

static bool event_action(struct parse *p, struct hf_script_event *e)
{
    struct hf_lexer *l = &p->lexer;
    struct hf_place place = hf_lexer_place(l);
    if (hf_lexer_accept(l, "`")) {
        e->kind = HF_SCRIPT_SHELL;
        return hf_lexer_raw(l, place, "`", "a command", &e->text);
    }
    if (hf_lexer_accept(l, "%{")) {
        e->kind = HF_SCRIPT_CODE;
        return hf_lexer_raw(l, place, "}%", "code", &e->text);
    }
    char next = hf_lexer_peek(l);
    if (next == '<' || next == '>') {
        e->kind = HF_SCRIPT_PACKET;
        return hf_parse_packet(l, p->v6, &e->packet);
    }
    return word_event(p, e);
}

static bool event(struct parse *p)
{
    struct hf_lexer *l = &p->lexer;
    struct hf_script *s = p->script;
    struct hf_script_event e = {.place = hf_lexer_place(l)};
    hf_lexer_begin_unit(l);
    if (s->event_count == HF_SCRIPT_MAX_EVENTS)
        return hf_lexer_fail(l, e.place, "more than %d events", HF_SCRIPT_MAX_EVENTS);
    if (!event_time(l, &e.time))
        return false;
    if (s->event_count == 0 && e.time.start_ns != 0)
        return hf_lexer_fail(l, e.place, "the first event must be at time 0");
    if (!event_action(p, &e) || !check_time(l, &e))
        return false;
    e.end = l->last;
    s->events = hf_arena_grow(l->arena, s->events, s->event_count, sizeof e);
    if (s->events == NULL)
        return hf_lexer_no_memory(l);
    s->events[s->event_count++] = e;
    return true;
}

static bool untimed(struct hf_lexer *l, const char **text, struct hf_place *place)
{
    *place = hf_lexer_place(l);
    return !hf_lexer_accept(l, "`") || hf_lexer_raw(l, *place, "`", "a command", text);
}

static bool whole(struct parse *p)
{
    struct hf_lexer *l = &p->lexer;
    struct hf_script *s = p->script;
    if (!option_lines(p) || !untimed(l, &s->init, &s->init_place))
        return false;
    while (hf_lexer_peek(l) != '\0' && hf_lexer_peek(l) != '`') {
        struct hf_place place = hf_lexer_place(l);
        if (hf_lexer_accept(l, "--"))
            return hf_lexer_fail(l, place, "an option must stand before everything else");
        if (!event(p))
            return false;
    }
    if (!untimed(l, &s->final, &s->final_place))
        return false;
    if (l->failed)
        return false;
    hf_lexer_begin_unit(l);
    if (hf_lexer_peek(l) != '\0')
        return hf_lexer_expected(l, "nothing behind the final command");
    return !l->failed;
}

/* ---- the border --------------------------------------------------------------------------- */

static struct hf_place place_of(const char *text, const char *at)
{
    struct hf_place place = {1, 1};
    for (; text < at; text++) {
        place.column = *text == '\n' ? 1 : place.column + 1;
        place.line += *text == '\n';
    }
    return place;
}

/** What can be said of a text without reading it. */
static bool check_text(struct hf_lexer *l, const char *text, size_t length_bytes)
{
    if (length_bytes > HF_SCRIPT_MAX_BYTES)
        return hf_lexer_fail(l, (struct hf_place){1, 1}, "a script of more than %d bytes",
                             HF_SCRIPT_MAX_BYTES);
    const char *zero = length_bytes == 0 ? NULL : memchr(text, 0, length_bytes);
    return zero == NULL || hf_lexer_fail(l, place_of(text, zero), "a byte 0: this is no text");
}

int hf_script_parse(struct hf_script *script, const char *text, size_t length_bytes,
                    const struct hf_script_settings *settings, struct hf_script_fault *fault)
{
    *script = (struct hf_script){0};
    *fault = (struct hf_script_fault){0};
    struct hf_arena *arena = calloc(1, sizeof *arena);
    if (arena == NULL)
        return HF_E_MEMORY;
    script->arena = arena;
    struct parse p = {
        .lexer = {.settings = settings, .arena = arena, .fault = fault},
        .script = script,
        .v6 = settings->v6,
    };
    hf_lexer_begin(&p.lexer, text, length_bytes);
    if (check_text(&p.lexer, text, length_bytes) && whole(&p)) {
        script->covers = p.lexer.covers;
        return HF_OK;
    }
    hf_script_free(script);
    return p.lexer.no_memory ? HF_E_MEMORY : HF_E_INVALID;
}

void hf_script_free(struct hf_script *script)
{
    if (script->arena != NULL)
        hf_arena_free(script->arena);
    free(script->arena);
    *script = (struct hf_script){0};
}

const char *hf_script_option(const struct hf_script *script, const char *name)
{
    for (size_t i = script->option_count; i > 0; i--) {
        const struct hf_script_option_line *line = &script->options[i - 1];
        if (strcmp(line->name, name) == 0)
            return line->value == NULL ? "" : line->value;
    }
    return NULL;
}
