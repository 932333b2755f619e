/**
 * A small evaluator of assertions: recursive descent, straight to the value, no tree.
 *
 * Precedence is Python's: or, and, not, comparisons (chained), | ^ &, << >>, + -, * // % (and /
 * where it divides evenly), unary + - ~, calls. Integers have 64 bits here: what would leave them
 * is unknown, not wrong.
 */
#include "python.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base.h"
#include "lexer.h"
#include "show/text.h"

enum { NESTING_MAX = 64, SHIFT_MAX = 62, NAMES_TOLD_MAX = 8 };

struct run {
    struct hf_python *python;
    const char *at;
    unsigned depth;   /**< of parentheses: inside, lines go on */
    unsigned nesting; /**< of the descent */
    bool unknown;
    bool skips; /**< behind a short-circuit: values don't matter, names need not be there */
    struct hf_text words;
    struct told {
        char name[HF_PYTHON_NAME_BYTES];
        int64_t value;
    } told[NAMES_TOLD_MAX]; /**< values of names in this statement */
    size_t told_count;
};

static int64_t expression(struct run *r);

/** Says what is beyond the evaluator, in two pieces. Always 0, to be returned. */
static int64_t unknown(struct run *r, const char *what, const char *text)
{
    if (!r->unknown) {
        r->unknown = true;
        hf_text_init(&r->words, r->words.bytes, r->words.capacity_bytes);
        hf_text_add(&r->words, "%s%s", what, text);
    }
    return 0;
}

/* ---- reading ------------------------------------------------------------------------------ */

/** Blanks, comments, and in parentheses ends of lines; a backslash joins lines anywhere. */
static void skip_blanks(struct run *r)
{
    for (;;) {
        bool joins = r->at[0] == '\\' && r->at[1] == '\n';
        if (*r->at == ' ' || *r->at == '\t' || *r->at == '\r' || (*r->at == '\n' && r->depth > 0))
            r->at++;
        else if (joins)
            r->at += 2;
        else if (*r->at == '#')
            r->at += strcspn(r->at, "\n");
        else
            return;
    }
}

static bool accept(struct run *r, const char *piece)
{
    skip_blanks(r);
    size_t n = strlen(piece);
    if (strncmp(r->at, piece, n) != 0)
        return false;
    if (hf_is_word_char(piece[0]) && hf_is_word_char(r->at[n]))
        return false;
    r->at += n;
    return true;
}

/** One character that is an operator by itself, not the beginning of a longer one. */
static bool accept_operator(struct run *r, char c)
{
    skip_blanks(r);
    if (*r->at != c || r->at[1] == '=' || r->at[1] == c)
        return false;
    r->at++;
    return true;
}

static bool at_end_of_statement(struct run *r)
{
    skip_blanks(r);
    return *r->at == '\0' || *r->at == '\n' || *r->at == ';';
}

/** The word at the cursor; empty if there is none. */
static void word(struct run *r, char text[HF_PYTHON_NAME_BYTES])
{
    skip_blanks(r);
    size_t n = 0;
    while (hf_is_word_char(r->at[n]))
        n++;
    snprintf(text, HF_PYTHON_NAME_BYTES, "%.*s", (int)n, r->at);
    if (n >= HF_PYTHON_NAME_BYTES)
        unknown(r, "a name that begins with ", text);
    r->at += n;
}

static void unexpected(struct run *r, const char *where)
{
    char text[HF_PYTHON_NAME_BYTES];
    skip_blanks(r);
    size_t n = strcspn(r->at, "\n");
    snprintf(text, sizeof text, "%s '%.*s'", where, (int)(n > 20 ? 20 : n), r->at);
    unknown(r, "can't be evaluated: ", text);
}

/** Text in quotes is passed over: it stands in messages only. */
static bool skip_string(struct run *r)
{
    skip_blanks(r);
    char quote = *r->at;
    if (quote != '"' && quote != '\'')
        return false;
    for (r->at++; *r->at != quote && *r->at != '\n' && *r->at != '\0'; r->at++)
        if (*r->at == '\\' && r->at[1] != '\0')
            r->at++;
    if (*r->at != quote)
        unexpected(r, "a string that is never closed");
    else
        r->at++;
    return true;
}

/* ---- names -------------------------------------------------------------------------------- */

static struct hf_python_variable *variable(struct hf_python *p, const char *name)
{
    for (size_t i = 0; i < p->variable_count; i++)
        if (strcmp(p->variables[i].name, name) == 0)
            return &p->variables[i];
    return NULL;
}

static void tell(struct run *r, const char *name, int64_t value)
{
    for (size_t i = 0; i < r->told_count; i++)
        if (strcmp(r->told[i].name, name) == 0)
            return;
    if (r->told_count == NAMES_TOLD_MAX)
        return;
    struct told *t = &r->told[r->told_count++];
    snprintf(t->name, sizeof t->name, "%s", name);
    t->value = value;
}

static int64_t named_value(struct run *r, const char *name)
{
    int64_t value = 0;
    const struct hf_python_variable *v = variable(r->python, name);
    if (strcmp(name, "True") == 0 || strcmp(name, "False") == 0)
        return name[0] == 'T';
    if (v != NULL)
        value = v->value;
    else if (r->python->name == NULL || !r->python->name(r->python->name_ctx, name, &value))
        return r->skips ? 0 : unknown(r, "a name that is not known: ", name);
    tell(r, name, value);
    return value;
}

/* ---- values ------------------------------------------------------------------------------- */

static int64_t integer(struct run *r)
{
    size_t n = 0;
    uint64_t value;
    while (hf_is_word_char(r->at[n]))
        n++;
    if (r->at[n] == '.' || !hf_text_number(r->at, n, &value) || value > INT64_MAX) {
        unexpected(r, "the number");
        return 0;
    }
    r->at += n;
    return (int64_t)value;
}

/** Behind the parenthesis of abs, min, max, int. */
static int64_t call(struct run *r, const char *name)
{
    r->depth++;
    int64_t value = expression(r);
    size_t count = 1;
    for (; accept(r, ",") && !r->unknown; count++) {
        int64_t next = expression(r);
        bool is_better = strcmp(name, "min") == 0 ? next < value : next > value;
        value = is_better ? next : value;
    }
    if (!accept(r, ")"))
        unexpected(r, "what is called with");
    r->depth--;
    bool is_abs = strcmp(name, "abs") == 0,
         takes_many = strcmp(name, "min") == 0 || strcmp(name, "max") == 0;
    if (takes_many ? count < 2 : count > 1)
        return unknown(r, "another number of values than it takes: ", name);
    if (is_abs && value == INT64_MIN)
        return unknown(r, "", "a number beyond 64 bits");
    return is_abs && value < 0 ? -value : value;
}

static int64_t primary(struct run *r)
{
    static const char *const functions[] = {"abs", "min", "max", "int"};
    char name[HF_PYTHON_NAME_BYTES];
    skip_blanks(r);
    if (hf_is_digit(*r->at))
        return integer(r);
    if (accept(r, "(")) {
        r->depth++;
        int64_t value = expression(r);
        if (!accept(r, ")"))
            unexpected(r, "what is in parentheses ends with");
        r->depth--;
        return value;
    }
    word(r, name);
    if (name[0] == '\0') {
        unexpected(r, "instead of a value");
        return 0;
    }
    skip_blanks(r);
    if (*r->at != '(')
        return *r->at == '.' || *r->at == '[' ? unknown(r, "a part of ", name)
                                              : named_value(r, name);
    r->at++;
    for (size_t i = 0; i < HF_COUNT_OF(functions); i++)
        if (strcmp(name, functions[i]) == 0)
            return call(r, name);
    return unknown(r, "a function that is not known: ", name);
}

/* ---- operators ---------------------------------------------------------------------------- */

static int64_t checked(struct run *r, bool overflows, int64_t value)
{
    if (overflows && !r->skips)
        return unknown(r, "", "a number beyond 64 bits");
    return overflows ? 0 : value;
}

static int64_t add(struct run *r, int64_t a, int64_t b)
{
    int64_t value;
    bool overflows = __builtin_add_overflow(a, b, &value);
    return checked(r, overflows, value);
}

static int64_t subtract(struct run *r, int64_t a, int64_t b)
{
    int64_t value;
    bool overflows = __builtin_sub_overflow(a, b, &value);
    return checked(r, overflows, value);
}

static int64_t multiply(struct run *r, int64_t a, int64_t b)
{
    int64_t value;
    bool overflows = __builtin_mul_overflow(a, b, &value);
    return checked(r, overflows, value);
}

/** One more level of the descent; the caller leaves it again. False if there are too many. */
static bool enter(struct run *r)
{
    if (r->nesting++ < NESTING_MAX)
        return true;
    unknown(r, "", "an expression nested too deep");
    return false;
}

static int64_t unary(struct run *r)
{
    skip_blanks(r);
    char sign = *r->at;
    if (sign != '-' && sign != '+' && sign != '~')
        return primary(r);
    r->at++;
    int64_t value = enter(r) ? unary(r) : 0;
    r->nesting--;
    if (sign == '-')
        return subtract(r, 0, value);
    return sign == '~' ? ~value : value;
}

/** Division and remainder go downwards, as Python has them. */
static int64_t divide(struct run *r, char operation, int64_t a, int64_t b)
{
    if (b == 0)
        return r->skips ? 0 : unknown(r, "", "a division by zero");
    if (b == -1)
        return operation == '%' ? 0 : checked(r, a == INT64_MIN, a == INT64_MIN ? 0 : -a);
    int64_t quotient = a / b, rest = a % b;
    bool is_between = rest != 0 && (rest < 0) != (b < 0);
    if (operation == '/' && rest != 0)
        return r->skips ? 0 : unknown(r, "", "a division that leaves the integers");
    if (operation == '%')
        return is_between ? rest + b : rest;
    return is_between ? quotient - 1 : quotient;
}

static int64_t product(struct run *r)
{
    int64_t value = unary(r);
    while (!r->unknown) {
        if (accept(r, "//"))
            value = divide(r, 'd', value, unary(r));
        else if (accept_operator(r, '/'))
            value = divide(r, '/', value, unary(r));
        else if (accept_operator(r, '%'))
            value = divide(r, '%', value, unary(r));
        else if (accept_operator(r, '*'))
            value = multiply(r, value, unary(r));
        else
            return value;
    }
    return 0;
}

static int64_t sum(struct run *r)
{
    int64_t value = product(r);
    while (!r->unknown) {
        if (accept_operator(r, '+'))
            value = add(r, value, product(r));
        else if (accept_operator(r, '-'))
            value = subtract(r, value, product(r));
        else
            return value;
    }
    return 0;
}

static int64_t shift(struct run *r)
{
    int64_t value = sum(r);
    while (!r->unknown) {
        bool left = accept(r, "<<");
        if (!left && !accept(r, ">>"))
            return value;
        int64_t by = sum(r);
        if (by < 0 || by > SHIFT_MAX)
            return r->skips ? 0 : unknown(r, "", "a shift out of range");
        if (left)
            value = multiply(r, value, (int64_t)1 << by);
        else
            value >>= by;
    }
    return 0;
}

static int64_t bit_and(struct run *r)
{
    int64_t value = shift(r);
    while (!r->unknown && accept_operator(r, '&'))
        value &= shift(r);
    return value;
}

static int64_t bit_xor(struct run *r)
{
    int64_t value = bit_and(r);
    while (!r->unknown && accept_operator(r, '^'))
        value ^= bit_and(r);
    return value;
}

static int64_t bit_or(struct run *r)
{
    int64_t value = bit_xor(r);
    while (!r->unknown && accept_operator(r, '|'))
        value |= bit_xor(r);
    return value;
}

enum comparison { NO_COMPARISON, EQUAL, UNEQUAL, AT_MOST, AT_LEAST, LESS, MORE };

static enum comparison comparison(struct run *r)
{
    static const struct {
        const char *text;
        enum comparison comparison;
    } all[] = {{"==", EQUAL},    {"!=", UNEQUAL}, {"<=", AT_MOST},
               {">=", AT_LEAST}, {"<", LESS},     {">", MORE}};
    for (size_t i = 0; i < HF_COUNT_OF(all); i++)
        if (accept(r, all[i].text))
            return all[i].comparison;
    return NO_COMPARISON;
}

static bool holds(enum comparison c, int64_t a, int64_t b)
{
    switch (c) {
    case EQUAL: return a == b;
    case UNEQUAL: return a != b;
    case AT_MOST: return a <= b;
    case AT_LEAST: return a >= b;
    case LESS: return a < b;
    case MORE: return a > b;
    case NO_COMPARISON: break;
    }
    return false;
}

/** `a < b <= c` means both. */
static int64_t comparisons(struct run *r)
{
    int64_t left = bit_or(r);
    bool all = true, any = false;
    while (!r->unknown) {
        enum comparison c = comparison(r);
        if (c == NO_COMPARISON)
            return any ? all : left;
        int64_t right = bit_or(r);
        all &= holds(c, left, right);
        any = true;
        left = right;
    }
    return 0;
}

static int64_t negation(struct run *r)
{
    if (!accept(r, "not"))
        return comparisons(r);
    int64_t value = enter(r) ? negation(r) : 0;
    r->nesting--;
    return value == 0;
}

static int64_t conjunction(struct run *r)
{
    int64_t value = negation(r);
    while (!r->unknown && accept(r, "and")) {
        bool skipped = r->skips;
        r->skips = skipped || value == 0;
        int64_t next = negation(r);
        r->skips = skipped;
        value = value == 0 ? 0 : next;
    }
    return value;
}

/** `a or b`, the whole of the language that is known. */
static int64_t expression(struct run *r)
{
    int64_t value = enter(r) ? conjunction(r) : 0;
    while (!r->unknown && accept(r, "or")) {
        bool skipped = r->skips;
        r->skips = skipped || value != 0;
        int64_t next = conjunction(r);
        r->skips = skipped;
        value = value != 0 ? value : next;
    }
    r->nesting--;
    return value;
}

/* ---- statements --------------------------------------------------------------------------- */

/** What stays of a statement is of no interest: a message, what is printed. */
static void skip_statement(struct run *r)
{
    while (!r->unknown && !at_end_of_statement(r)) {
        if (skip_string(r))
            continue;
        if (*r->at == '(' || *r->at == '[' || *r->at == '{')
            r->depth++;
        if ((*r->at == ')' || *r->at == ']' || *r->at == '}') && r->depth > 0)
            r->depth--;
        r->at++;
    }
    r->depth = 0;
}

static enum hf_python_verdict assertion(struct run *r)
{
    skip_blanks(r);
    const char *start = r->at;
    r->told_count = 0;
    int64_t value = expression(r);
    const char *end = r->at;
    if (!r->unknown && !at_end_of_statement(r) && *r->at != ',')
        unexpected(r, "behind an assertion");
    skip_statement(r);
    if (r->unknown)
        return HF_PYTHON_UNKNOWN;
    if (value != 0)
        return HF_PYTHON_PASSED;
    while (end > start && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
        end--;
    hf_text_add(&r->words, "assert %.*s", (int)(end - start), start);
    for (size_t i = 0; i < r->told_count; i++)
        hf_text_add(&r->words, "%s%s is %" PRId64, i == 0 ? ": " : ", ", r->told[i].name,
                    r->told[i].value);
    return HF_PYTHON_FAILED;
}

static enum hf_python_verdict assignment(struct run *r, const char *name)
{
    int64_t value = expression(r);
    if (!r->unknown && !at_end_of_statement(r))
        unexpected(r, "behind an assignment");
    struct hf_python *p = r->python;
    struct hf_python_variable *v = variable(p, name);
    if (v == NULL && p->variable_count == HF_PYTHON_VARIABLES)
        unknown(r, "one variable too many: ", name);
    if (r->unknown)
        return HF_PYTHON_UNKNOWN;
    if (v == NULL) {
        v = &p->variables[p->variable_count++];
        snprintf(v->name, sizeof v->name, "%s", name);
    }
    v->value = value;
    return HF_PYTHON_PASSED;
}

static enum hf_python_verdict statement(struct run *r)
{
    char name[HF_PYTHON_NAME_BYTES];
    if (skip_string(r)) {
        skip_statement(r);
        return r->unknown ? HF_PYTHON_UNKNOWN : HF_PYTHON_PASSED;
    }
    const char *start = r->at;
    word(r, name);
    if (strcmp(name, "assert") == 0)
        return assertion(r);
    if (strcmp(name, "print") == 0 || strcmp(name, "pass") == 0) {
        skip_statement(r);
        return r->unknown ? HF_PYTHON_UNKNOWN : HF_PYTHON_PASSED;
    }
    if (name[0] != '\0' && !hf_is_digit(name[0]) && accept_operator(r, '='))
        return assignment(r, name);
    r->at = start;
    unexpected(r, "the statement");
    return HF_PYTHON_UNKNOWN;
}

enum hf_python_verdict hf_python_run(struct hf_python *p, const char *block, char *words,
                                     size_t words_bytes)
{
    struct run r = {.python = p, .at = block};
    hf_text_init(&r.words, words, words_bytes);
    for (;;) {
        while (*r.at != '\0' && at_end_of_statement(&r))
            r.at += *r.at != '\0';
        if (*r.at == '\0')
            return HF_PYTHON_PASSED;
        enum hf_python_verdict verdict = statement(&r);
        if (verdict != HF_PYTHON_PASSED)
            return verdict;
    }
}
