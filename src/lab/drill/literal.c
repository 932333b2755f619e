/**
 * Literals: numbers, times, strings, raw text.
 */
#include "lexer.h"

#include <stdio.h>
#include <string.h>

enum { SECONDS_MAX = 1000000000, DEFINE_CHARS = 24 };

static bool has_char(const struct hf_lexer *l, char c)
{
    return l->at < l->end && *l->at == c;
}

static bool has_digit(const struct hf_lexer *l)
{
    return l->at < l->end && hf_is_digit(*l->at);
}

bool hf_text_number(const char *text, size_t n, uint64_t *number)
{
    unsigned base = 10;
    if (n > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        base = 16;
        text += 2;
        n -= 2;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++) {
        int digit = hf_hex_digit(text[i]);
        if (digit < 0 || (unsigned)digit >= base || value > (UINT64_MAX - (unsigned)digit) / base)
            return false;
        value = value * base + (unsigned)digit;
    }
    *number = value;
    return n > 0;
}

/** What the word that comes next is defined as; NULL if it is no word, or none that is defined. */
static const char *peek_define(struct hf_lexer *l)
{
    char first = hf_lexer_peek(l);
    size_t n = 0;
    if (!hf_is_word_char(first) || hf_is_digit(first))
        return NULL;
    while (l->at + n < l->end && hf_is_word_char(l->at[n]))
        n++;
    return hf_lexer_define(l, l->at, n);
}

bool hf_lexer_has_number(struct hf_lexer *l)
{
    uint64_t number;
    const char *value = peek_define(l);
    if (value != NULL)
        return hf_text_number(value, strlen(value), &number);
    return hf_is_digit(hf_lexer_peek(l));
}

/** Takes the word; false with a fault. */
static bool take_define(struct hf_lexer *l, const char *what, bool is_good, const char *value)
{
    const char *name;
    struct hf_place place = l->place;
    size_t n = hf_lexer_run(l, "", &name);
    return is_good ||
           hf_lexer_fail(l, place, "expected %s, found '%.*s', which is defined as '%.24s'", what,
                         n < DEFINE_CHARS ? (int)n : DEFINE_CHARS, name, value);
}

static bool check_max(struct hf_lexer *l, struct hf_place place, const char *what, uint64_t max,
                      uint64_t value)
{
    return value <= max || hf_lexer_fail(l, place, "%s is at most %llu, not %llu", what,
                                         (unsigned long long)max, (unsigned long long)value);
}

bool hf_lexer_number(struct hf_lexer *l, const char *what, uint64_t max, uint64_t *number)
{
    const char *defined = peek_define(l);
    if (defined != NULL) {
        struct hf_place at = l->place;
        bool is_good = hf_text_number(defined, strlen(defined), number);
        return take_define(l, what, is_good, defined) && check_max(l, at, what, max, *number);
    }
    if (!hf_is_digit(hf_lexer_peek(l)))
        return hf_lexer_expected(l, what);
    struct hf_lexer before = *l;
    const char *text;
    size_t n = hf_lexer_run(l, "", &text);
    struct hf_place place = before.place;
    uint64_t value;
    if (!hf_text_number(text, n, &value)) {
        /* All digits and still no number: then it is its size. */
        size_t digits = 0;
        while (digits < n && hf_is_digit(text[digits]))
            digits++;
        if (digits == n)
            return hf_lexer_fail(l, place, "%s is too large", what);
        hf_lexer_return(l, &before);
        return hf_lexer_expected(l, what);
    }
    *number = value;
    return check_max(l, place, what, max, value);
}

static bool plain_seconds(struct hf_lexer *l, const char *what, hf_ns *ns)
{
    char first = hf_lexer_peek(l);
    struct hf_place place = l->place;
    bool is_fraction = first == '.' && l->at + 1 < l->end && hf_is_digit(l->at[1]);
    if (!hf_is_digit(first) && !is_fraction)
        return hf_lexer_expected(l, what);
    hf_ns seconds = 0, fraction = 0;
    for (; has_digit(l); hf_lexer_take(l, 1)) {
        seconds = seconds * 10 + (*l->at - '0');
        if (seconds > SECONDS_MAX)
            return hf_lexer_fail(l, place, "%s is too large", what);
    }
    /* In `0...0.1` the dots belong to what follows. */
    if (has_char(l, '.') && l->at + 1 < l->end && hf_is_digit(l->at[1])) {
        hf_lexer_take(l, 1);
        hf_ns unit = HF_SEC(1) / 10;
        for (; has_digit(l); hf_lexer_take(l, 1), unit /= 10)
            fraction += (*l->at - '0') * unit;
    }
    *ns = seconds * HF_SEC(1) + fraction;
    return true;
}

bool hf_lexer_seconds(struct hf_lexer *l, const char *what, hf_ns *ns)
{
    const char *defined = peek_define(l);
    if (defined == NULL)
        return plain_seconds(l, what, ns);
    struct hf_script_fault unsaid;
    struct hf_lexer inner = *l;
    inner.at = defined;
    inner.end = defined + strlen(defined);
    inner.fault = &unsaid;
    bool is_good = plain_seconds(&inner, what, ns) && inner.at == inner.end;
    return take_define(l, what, is_good, defined);
}

bool hf_lexer_raw(struct hf_lexer *l, struct hf_place opened, const char *closing, const char *what,
                  const char **text)
{
    size_t closing_bytes = strlen(closing);
    const char *start = l->at;
    while ((size_t)(l->end - l->at) >= closing_bytes && memcmp(l->at, closing, closing_bytes) != 0)
        hf_lexer_take(l, 1);
    if ((size_t)(l->end - l->at) < closing_bytes)
        return hf_lexer_fail(l, opened, "%s that is never closed", what);
    *text = hf_arena_text(l->arena, start, (size_t)(l->at - start));
    if (*text == NULL)
        return hf_lexer_no_memory(l);
    hf_lexer_take(l, closing_bytes);
    return true;
}

/* At the character behind the backslash; false if it begins no escape that we know. */
static bool take_escape(struct hf_lexer *l, char *out)
{
    static const char letters[] = "nrtabfv0\\\"'", values[] = "\n\r\t\a\b\f\v\0\\\"'";
    if (has_char(l, 'x')) {
        hf_lexer_take(l, 1);
        unsigned value = 0, digits = 0;
        for (; digits < 2 && l->at < l->end && hf_hex_digit(*l->at) >= 0;
             digits++, hf_lexer_take(l, 1))
            value = value * 16 + (unsigned)hf_hex_digit(*l->at);
        *out = (char)value;
        return digits > 0;
    }
    const char *letter = l->at < l->end ? memchr(letters, *l->at, sizeof letters - 1) : NULL;
    if (letter == NULL)
        return false;
    *out = values[letter - letters];
    hf_lexer_take(l, 1);
    return true;
}

static const char *closing_quote(const struct hf_lexer *l)
{
    for (const char *c = l->at; c < l->end && *c != '\n'; c++) {
        if (*c == '"')
            return c;
        if (*c == '\\' && c + 1 < l->end && c[1] != '\n')
            c++;
    }
    return NULL;
}

bool hf_lexer_string(struct hf_lexer *l, const char **text, size_t *text_bytes)
{
    struct hf_place opened = l->place;
    hf_lexer_take(l, 1);
    const char *limit = closing_quote(l);
    if (limit == NULL)
        return hf_lexer_fail(l, opened, "a string that is never closed on its line");
    char *out = hf_arena_take(l->arena, (size_t)(limit - l->at) + 1);
    if (out == NULL)
        return hf_lexer_no_memory(l);
    size_t n = 0;
    while (l->at < limit) {
        struct hf_place place = l->place;
        char c = *l->at;
        hf_lexer_take(l, 1);
        if (c == '\\' && !take_escape(l, &c))
            return hf_lexer_fail(l, place, "an escape that is not known in a string");
        out[n++] = c;
    }
    hf_lexer_take(l, 1);
    *text = out;
    *text_bytes = n;
    return true;
}
