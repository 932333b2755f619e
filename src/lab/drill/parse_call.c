/**
 * Calls and their values: `name(arguments) = result [ERRNO] [(note)]`.
 */
#include "parser.h"

#include <string.h>

#include "core/base.h"

static bool value(struct hf_lexer *l, unsigned depth, struct hf_value *v);

static bool add_item(struct hf_lexer *l, struct hf_value *v, const struct hf_value *item)
{
    if (v->item_count == HF_SCRIPT_MAX_ITEMS)
        return hf_lexer_fail(l, item->place, "more than %d values in one", HF_SCRIPT_MAX_ITEMS);
    v->items = hf_arena_grow(l->arena, v->items, v->item_count, sizeof *item);
    if (v->items == NULL)
        return hf_lexer_no_memory(l);
    v->items[v->item_count++] = *item;
    return true;
}

/* ---- plain values ------------------------------------------------------------------------- */

static bool negative(struct hf_lexer *l, struct hf_value *v)
{
    uint64_t number;
    if (!hf_lexer_number(l, "a number behind '-'", (uint64_t)INT64_MAX, &number))
        return false;
    v->kind = HF_VALUE_INTEGER;
    v->integer = -(int64_t)number;
    return true;
}

static bool number(struct hf_lexer *l, struct hf_value *v)
{
    struct hf_lexer before = *l;
    const char *digits;
    size_t n = hf_lexer_run(l, "", &digits);
    bool has_fraction = l->at + 1 < l->end && *l->at == '.' && hf_is_digit(l->at[1]);
    bool is_fraction = n == 0;
    hf_lexer_return(l, &before);
    if (has_fraction || is_fraction) {
        v->kind = HF_VALUE_DECIMAL;
        return hf_lexer_seconds(l, "a number", &v->integer);
    }
    uint64_t all;
    /* Of 64 bits without a sign: `u64=0xffffffffffffffff`. */
    if (!hf_lexer_number(l, "a number", UINT64_MAX, &all))
        return false;
    v->kind = HF_VALUE_INTEGER;
    v->integer = (int64_t)all;
    return true;
}

static bool token_value(struct hf_lexer *l, const struct hf_token *token, struct hf_value *v)
{
    v->place = token->place;
    v->text = token->text;
    v->text_bytes = token->text_bytes;
    uint64_t all;
    switch (token->kind) {
    case HF_TOKEN_WORD: v->kind = HF_VALUE_WORD; return true;
    case HF_TOKEN_STRING: v->kind = HF_VALUE_STRING; return true;
    case HF_TOKEN_INTEGER:
        v->kind = HF_VALUE_INTEGER;
        if (hf_text_number(token->text, token->text_bytes, &all))
            v->integer = (int64_t)all;
        return true;
    case HF_TOKEN_SHELL: break;
    }
    return hf_lexer_fail(l, token->place, "a command can't stand for a value");
}

/** Words for a change of form: numbers and addresses stand as they are written, so these say
 *  nothing that the runner does not know. */
static bool is_conversion(const struct hf_token *token)
{
    static const char *const names[] = {"htons", "htonl", "inet_addr", "inet6_addr", "inet_pton"};
    for (size_t i = 0; i < HF_COUNT_OF(names); i++)
        if (strcmp(token->text, names[i]) == 0)
            return token->kind == HF_TOKEN_WORD;
    return false;
}

static bool word(struct hf_lexer *l, unsigned depth, struct hf_value *v)
{
    struct hf_token token;
    if (!hf_lexer_token(l, "a value", &token))
        return false;
    if (!is_conversion(&token))
        return token_value(l, &token, v);
    return hf_lexer_expect(l, "(", "behind a conversion") && value(l, depth + 1, v) &&
           hf_lexer_expect(l, ")", "behind a converted value");
}

/* ---- lists and structures ----------------------------------------------------------------- */

static bool list(struct hf_lexer *l, unsigned depth, struct hf_value *v)
{
    v->kind = HF_VALUE_LIST;
    if (hf_lexer_accept(l, "]"))
        return true;
    do {
        struct hf_value item;
        if (!value(l, depth + 1, &item) || !add_item(l, v, &item))
            return false;
    } while (hf_lexer_accept(l, ","));
    return hf_lexer_expect(l, "]", "or ',' in a list");
}

/** The name of a field with its `=`, if that is what comes next: `events=`, `msg_iov(2)=`. */
static bool field_name(struct hf_lexer *l, unsigned depth, const char **name)
{
    *name = NULL;
    char first = hf_lexer_peek(l);
    if (!hf_is_word_char(first) || hf_is_digit(first))
        return true;
    struct hf_lexer before = *l;
    struct hf_value length;
    const char *text;
    size_t n = hf_lexer_run(l, "", &text);
    struct hf_token token = {.text = hf_arena_text(l->arena, text, n), .text_bytes = n};
    if (token.text == NULL)
        return hf_lexer_no_memory(l);
    bool has_length = !is_conversion(&token) && hf_lexer_accept(l, "(");
    if (has_length && (!value(l, depth + 1, &length) ||
                       !hf_lexer_expect(l, ")", "behind the length of a field") ||
                       !hf_lexer_expect(l, "=", "behind the name of a field")))
        return false;
    if (!has_length && !hf_lexer_accept(l, "=")) {
        hf_lexer_return(l, &before);
        return true;
    }
    *name = token.text;
    return true;
}

static bool structure(struct hf_lexer *l, unsigned depth, struct hf_value *v)
{
    v->kind = HF_VALUE_STRUCT;
    if (hf_lexer_accept(l, "}"))
        return true;
    do {
        struct hf_value item;
        const char *name;
        struct hf_place place = hf_lexer_place(l);
        if (!field_name(l, depth, &name) || !value(l, depth + 1, &item))
            return false;
        item.name = name;
        item.name_place = place;
        if (!add_item(l, v, &item))
            return false;
    } while (hf_lexer_accept(l, ","));
    return hf_lexer_expect(l, "}", "or ',' in a structure");
}

/* ---- any value ---------------------------------------------------------------------------- */

static bool single(struct hf_lexer *l, unsigned depth, struct hf_value *v)
{
    char first = hf_lexer_peek(l);
    *v = (struct hf_value){.place = hf_lexer_place(l)};
    if (depth > HF_SCRIPT_MAX_DEPTH)
        return hf_lexer_fail(l, v->place, "values nested more than %d deep", HF_SCRIPT_MAX_DEPTH);
    if (hf_lexer_accept(l, "..."))
        return true;
    if (hf_lexer_accept(l, "["))
        return list(l, depth, v);
    if (hf_lexer_accept(l, "{"))
        return structure(l, depth, v);
    if (hf_lexer_accept(l, "-"))
        return negative(l, v);
    if (first == '"') {
        v->kind = HF_VALUE_STRING;
        return hf_lexer_string(l, &v->text, &v->text_bytes);
    }
    if (hf_is_digit(first) || first == '.')
        return number(l, v);
    return word(l, depth, v);
}

static bool value(struct hf_lexer *l, unsigned depth, struct hf_value *v)
{
    if (!single(l, depth, v))
        return false;
    if (hf_lexer_peek(l) != '|')
        return true;
    struct hf_value all = {.kind = HF_VALUE_OR, .place = v->place};
    for (;;) {
        if (v->kind != HF_VALUE_WORD && v->kind != HF_VALUE_INTEGER)
            return hf_lexer_fail(l, v->place, "only words and numbers can be joined by '|'");
        if (!add_item(l, &all, v))
            return false;
        if (!hf_lexer_accept(l, "|")) {
            *v = all;
            return true;
        }
        if (!single(l, depth, v))
            return false;
    }
}

/* ---- the call ----------------------------------------------------------------------------- */

static bool arguments(struct hf_lexer *l, struct hf_script_call *call)
{
    if (hf_lexer_accept(l, ")"))
        return true;
    do {
        struct hf_value v;
        if (!value(l, 0, &v))
            return false;
        if (call->argument_count == HF_SCRIPT_MAX_ARGUMENTS)
            return hf_lexer_fail(l, v.place, "more than %d arguments", HF_SCRIPT_MAX_ARGUMENTS);
        call->arguments = hf_arena_grow(l->arena, call->arguments, call->argument_count, sizeof v);
        if (call->arguments == NULL)
            return hf_lexer_no_memory(l);
        call->arguments[call->argument_count++] = v;
    } while (hf_lexer_accept(l, ","));
    return hf_lexer_expect(l, ")", "or ',' behind an argument");
}

/** `(Operation now in progress)`: for people. */
static bool note(struct hf_lexer *l)
{
    struct hf_place opened = hf_lexer_place(l);
    if (!hf_lexer_accept(l, "("))
        return true;
    while (l->at < l->end && *l->at != ')' && *l->at != '(' && *l->at != '\n')
        hf_lexer_take(l, 1);
    if (l->at == l->end || *l->at != ')')
        return hf_lexer_fail(l, opened, "a note that is not closed on its line");
    hf_lexer_take(l, 1);
    return true;
}

bool hf_parse_call(struct hf_lexer *l, const struct hf_token *name, struct hf_script_call *call)
{
    call->name = name->text;
    call->place = name->place;
    if (!hf_lexer_expect(l, "(", "behind the name of a call") || !arguments(l, call) ||
        !hf_lexer_expect(l, "=", "and the result of the call") || !value(l, 0, &call->result))
        return false;
    char next = hf_lexer_peek(l);
    if (hf_is_word_char(next) && !hf_is_digit(next)) {
        struct hf_token error;
        if (!hf_lexer_token(l, "an errno", &error))
            return false;
        if (error.kind != HF_TOKEN_WORD || error.text[0] != 'E')
            return hf_lexer_fail(l, error.place,
                                 "expected an errno behind the result, found '%.*s'",
                                 (int)error.text_bytes, error.text);
        call->error = error.text;
        call->error_place = error.place;
    }
    return note(l);
}
