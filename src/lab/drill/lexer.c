/**
 * Reading: places, blanks and comments, #ifdef, and the pieces that all parts of the parser share.
 * Literals (numbers, strings, raw text) are in literal.c.
 */
#include "lexer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FOUND_MAX_CHARS = 24, COVERS_MAX_BYTES = 4096 };

bool hf_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool hf_is_word_char(char c)
{
    return hf_is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

int hf_hex_digit(char c)
{
    if (hf_is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void hf_lexer_begin(struct hf_lexer *l, const char *text, size_t length_bytes)
{
    l->at = text;
    l->end = text + length_bytes;
    l->place = (struct hf_place){1, 1};
    l->last = l->place;
    l->covers_to = text;
}

bool hf_lexer_fail(struct hf_lexer *l, struct hf_place place, const char *format, ...)
{
    if (l->failed)
        return false;
    l->failed = true;
    l->at = l->end;
    l->fault->place = place;
    va_list args;
    va_start(args, format);
    vsnprintf(l->fault->text, sizeof l->fault->text, format, args);
    va_end(args);
    return false;
}

bool hf_lexer_no_memory(struct hf_lexer *l)
{
    l->no_memory = true;
    return hf_lexer_fail(l, l->place, "out of memory");
}

void hf_lexer_return(struct hf_lexer *l, const struct hf_lexer *to)
{
    if (l->failed)
        return;
    l->at = to->at;
    l->place = to->place;
    l->last = to->last;
    l->began = to->began;
    l->in_ifdef = to->in_ifdef;
    l->ifdef_place = to->ifdef_place;
}

static void step(struct hf_lexer *l)
{
    if (*l->at == '\n') {
        l->place.line++;
        l->place.column = 1;
    } else {
        l->place.column++;
    }
    l->at++;
}

void hf_lexer_take(struct hf_lexer *l, size_t n)
{
    for (; n > 0; n--) {
        l->last = l->place;
        l->began = true;
        step(l);
    }
}

static bool starts_with(const struct hf_lexer *l, const char *piece)
{
    size_t n = strlen(piece);
    return (size_t)(l->end - l->at) >= n && memcmp(l->at, piece, n) == 0;
}

/* ---- what is skipped ---------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

/* `// covers: A, B`: which requirements a script is about; it may say so in several lines. */
static void note_covers(struct hf_lexer *l, const char *comment, size_t n)
{
    static const char key[] = "covers:";
    while (n > 0 && (is_blank(*comment) || *comment == '/'))
        comment++, n--;
    if (n < sizeof key - 1 || memcmp(comment, key, sizeof key - 1) != 0)
        return;
    comment += sizeof key - 1;
    n -= sizeof key - 1;
    while (n > 0 && (is_blank(*comment) || *comment == ','))
        comment++, n--;
    while (n > 0 && (is_blank(comment[n - 1]) || comment[n - 1] == ','))
        n--;
    size_t before = l->covers == NULL ? 0 : strlen(l->covers);
    if (n == 0 || before + n > COVERS_MAX_BYTES)
        return;
    char *joined = hf_arena_take(l->arena, before + n + 3);
    if (joined == NULL) {
        hf_lexer_no_memory(l);
        return;
    }
    snprintf(joined, before + n + 3, "%s%s%.*s", before == 0 ? "" : l->covers,
             before == 0 ? "" : ", ", (int)n, comment);
    l->covers = joined;
}

static void skip_line_comment(struct hf_lexer *l)
{
    const char *comment = l->at;
    while (l->at < l->end && *l->at != '\n')
        step(l);
    if (l->at <= l->covers_to)
        return;
    l->covers_to = l->at;
    note_covers(l, comment, (size_t)(l->at - comment));
}

static void skip_block_comment(struct hf_lexer *l)
{
    struct hf_place opened = l->place;
    step(l);
    step(l);
    while (l->at < l->end && !starts_with(l, "*/"))
        step(l);
    if (l->at == l->end) {
        hf_lexer_fail(l, opened, "a comment that is never closed");
        return;
    }
    step(l);
    step(l);
}

const char *hf_lexer_define(const struct hf_lexer *l, const char *name, size_t n)
{
    const char *value = NULL;
    for (size_t i = 0; i < l->settings->define_count; i++) {
        const struct hf_script_define *d = &l->settings->defines[i];
        if (strlen(d->name) == n && memcmp(d->name, name, n) == 0)
            value = d->value;
    }
    return value;
}

static bool directive(struct hf_lexer *l, const char *name)
{
    size_t n = strlen(name);
    if (!starts_with(l, name) || (l->at + n < l->end && hf_is_word_char(l->at[n])))
        return false;
    while (n-- > 0)
        step(l);
    return true;
}

/* Text under an #ifdef that does not hold isn't read at all: it may be of another dialect. */
static void skip_to_endif(struct hf_lexer *l, struct hf_place opened)
{
    while (l->at < l->end) {
        while (l->at < l->end && is_blank(*l->at))
            step(l);
        if (directive(l, "#endif"))
            return;
        if (directive(l, "#ifdef")) {
            hf_lexer_fail(l, opened, "an #ifdef inside this one");
            return;
        }
        while (l->at < l->end && *l->at != '\n')
            step(l);
    }
    hf_lexer_fail(l, opened, "an #ifdef without its #endif");
}

static void skip_directive(struct hf_lexer *l)
{
    struct hf_place place = l->place;
    if (directive(l, "#endif")) {
        if (!l->in_ifdef)
            hf_lexer_fail(l, place, "an #endif without its #ifdef");
        l->in_ifdef = false;
        return;
    }
    if (!directive(l, "#ifdef")) {
        hf_lexer_fail(l, place, "'#' begins only #ifdef and #endif: a comment begins with //");
        return;
    }
    if (l->in_ifdef) {
        hf_lexer_fail(l, place, "an #ifdef inside another");
        return;
    }
    while (l->at < l->end && (*l->at == ' ' || *l->at == '\t'))
        step(l);
    const char *name = l->at;
    while (l->at < l->end && hf_is_word_char(*l->at))
        step(l);
    if (l->at == name) {
        hf_lexer_fail(l, place, "an #ifdef without a name");
        return;
    }
    if (hf_lexer_define(l, name, (size_t)(l->at - name)) == NULL) {
        skip_to_endif(l, place);
        return;
    }
    l->in_ifdef = true;
    l->ifdef_place = place;
}

static void skip_blanks(struct hf_lexer *l)
{
    while (l->at < l->end) {
        if (is_blank(*l->at))
            step(l);
        else if (starts_with(l, "//"))
            skip_line_comment(l);
        else if (starts_with(l, "/*"))
            skip_block_comment(l);
        else if (*l->at == '#')
            skip_directive(l);
        else
            return;
    }
    if (l->in_ifdef)
        hf_lexer_fail(l, l->ifdef_place, "an #ifdef without its #endif");
}

/* ---- pieces ------------------------------------------------------------------------------- */

char hf_lexer_peek(struct hf_lexer *l)
{
    skip_blanks(l);
    return l->at < l->end ? *l->at : '\0';
}

struct hf_place hf_lexer_place(struct hf_lexer *l)
{
    skip_blanks(l);
    return l->place;
}

void hf_lexer_begin_unit(struct hf_lexer *l)
{
    l->began = false;
}

/** What lacks at the end of a line is told there: the next line may be as it should. */
static bool expected_on_line(struct hf_lexer *l, const char *what)
{
    struct hf_place behind = {l->last.line, l->last.column + 1};
    return hf_lexer_fail(l, behind, "expected %s, found the end of the %s", what,
                         l->at == l->end ? "script" : "line");
}

bool hf_lexer_expected(struct hf_lexer *l, const char *what)
{
    skip_blanks(l);
    if (l->began && l->place.line > l->last.line)
        return expected_on_line(l, what);
    if (l->at == l->end)
        return hf_lexer_fail(l, l->place, "expected %s, found the end of the script", what);
    if ((unsigned char)*l->at < ' ' || (unsigned char)*l->at > '~')
        return hf_lexer_fail(l, l->place, "expected %s, found a byte 0x%02x", what,
                             (unsigned char)*l->at);
    size_t n = 1;
    if (hf_is_word_char(*l->at))
        while (l->at + n < l->end && n < FOUND_MAX_CHARS && hf_is_word_char(l->at[n]))
            n++;
    if (starts_with(l, "..."))
        n = 3;
    return hf_lexer_fail(l, l->place, "expected %s, found '%.*s'", what, (int)n, l->at);
}

bool hf_lexer_accept(struct hf_lexer *l, const char *piece)
{
    skip_blanks(l);
    if (!starts_with(l, piece))
        return false;
    hf_lexer_take(l, strlen(piece));
    return true;
}

bool hf_lexer_expect(struct hf_lexer *l, const char *piece, const char *where)
{
    if (hf_lexer_accept(l, piece))
        return true;
    char what[80];
    snprintf(what, sizeof what, "'%s' %s", piece, where);
    return hf_lexer_expected(l, what);
}

bool hf_lexer_accept_word(struct hf_lexer *l, const char *word)
{
    skip_blanks(l);
    size_t n = strlen(word);
    if (!starts_with(l, word) || (l->at + n < l->end && hf_is_word_char(l->at[n])))
        return false;
    hf_lexer_take(l, n);
    return true;
}

size_t hf_lexer_run(struct hf_lexer *l, const char *more, const char **text)
{
    skip_blanks(l);
    *text = l->at;
    while (l->at < l->end &&
           (hf_is_word_char(*l->at) || (*l->at != '\0' && strchr(more, *l->at) != NULL)))
        hf_lexer_take(l, 1);
    return (size_t)(l->at - *text);
}

/* A define's value says by its form what it stands for. */
static void apply_define(struct hf_token *token, const char *value)
{
    size_t n = strlen(value);
    uint64_t number;
    token->text = value;
    token->text_bytes = n;
    bool is_quoted = n >= 2 && value[0] == value[n - 1];
    if (is_quoted && (value[0] == '"' || value[0] == '`')) {
        token->kind = value[0] == '"' ? HF_TOKEN_STRING : HF_TOKEN_SHELL;
        token->text++;
        token->text_bytes = n - 2;
    } else if (hf_text_number(value, n, &number)) {
        token->kind = HF_TOKEN_INTEGER;
    }
}

bool hf_lexer_token(struct hf_lexer *l, const char *what, struct hf_token *token)
{
    char first = hf_lexer_peek(l);
    if (!hf_is_word_char(first) || hf_is_digit(first))
        return hf_lexer_expected(l, what);
    *token = (struct hf_token){.kind = HF_TOKEN_WORD, .place = l->place};
    token->text_bytes = hf_lexer_run(l, "", &token->text);
    const char *value = hf_lexer_define(l, token->text, token->text_bytes);
    if (value != NULL)
        apply_define(token, value);
    const char *copy = hf_arena_text(l->arena, token->text, token->text_bytes);
    if (copy == NULL)
        return hf_lexer_no_memory(l);
    token->text = copy;
    return true;
}
