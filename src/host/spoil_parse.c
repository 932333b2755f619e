/**
 * The text of fault rules -> struct hf_spoil_rule. A rule is words in any order behind its action;
 * what is given twice, or means nothing, is an error that names its position.
 */
#include "why.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* What a rule has been told so far. */
enum given {
    GIVEN_KIND = 1,
    GIVEN_DIRECTION = 2,
    GIVEN_ORDINAL = 4,
    GIVEN_ONCE = 8,
    GIVEN_EVERY = 16,
    GIVEN_CHANCE = 32,
    GIVEN_DELAY = 64,
    GIVEN_SEED = 128,
};

enum { WORD_MAX_BYTES = 24 };

struct reader {
    const char *text;
    size_t at;         /* behind the present word */
    size_t word_at;    /* where it starts */
    size_t word_bytes; /* 0: the rule or the text ends here */
    struct hf_why *why;
};

static int wrong(const struct reader *r, const char *what)
{
    int shown = (int)(r->word_bytes < WORD_MAX_BYTES ? r->word_bytes : WORD_MAX_BYTES);
    if (shown == 0)
        return hf_why_set(r->why, HF_E_INVALID, 0, "position %zu: %s", r->word_at + 1, what);
    return hf_why_set(r->why, HF_E_INVALID, 0, "position %zu: \"%.*s\": %s", r->word_at + 1, shown,
                      r->text + r->word_at, what);
}

/* Moves on to the next word of this rule; false at its end. */
static bool next_word(struct reader *r)
{
    while (isspace((unsigned char)r->text[r->at]))
        r->at++;
    r->word_at = r->at;
    while (r->text[r->at] && r->text[r->at] != ';' && !isspace((unsigned char)r->text[r->at]))
        r->at++;
    r->word_bytes = r->at - r->word_at;
    return r->word_bytes > 0;
}

static bool word_is(const struct reader *r, const char *word)
{
    return strlen(word) == r->word_bytes &&
           strncasecmp(r->text + r->word_at, word, r->word_bytes) == 0;
}

/* The number that the present word starts with, at most max; *rest is what follows it within the
 * word. False: none, or too large. */
static bool leading_number(const struct reader *r, uint64_t max, uint64_t *value, size_t *rest)
{
    const char *word = r->text + r->word_at;
    size_t i = 0;
    uint64_t v = 0;
    for (; i < r->word_bytes && isdigit((unsigned char)word[i]); i++) {
        uint64_t digit = (uint64_t)(word[i] - '0');
        if (v > (max - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *value = v;
    *rest = i;
    return i > 0;
}

static bool rest_is(const struct reader *r, size_t rest, const char *what)
{
    return r->word_bytes - rest == strlen(what) &&
           strncasecmp(r->text + r->word_at + rest, what, r->word_bytes - rest) == 0;
}

static bool read_ordinal(const struct reader *r, struct hf_spoil_rule *rule)
{
    uint64_t n;
    size_t rest;
    if (!leading_number(r, UINT32_MAX, &n, &rest) || n == 0)
        return false;
    rule->occurrence = (uint32_t)n;
    return rest_is(r, rest, "st") || rest_is(r, rest, "nd") || rest_is(r, rest, "rd") ||
           rest_is(r, rest, "th");
}

static bool read_time(const struct reader *r, struct hf_spoil_rule *rule)
{
    uint64_t n;
    size_t rest;
    if (!leading_number(r, 1000000, &n, &rest))
        return false;
    if (rest_is(r, rest, "us"))
        rule->delay_ns = HF_US(n);
    else if (rest_is(r, rest, "ms"))
        rule->delay_ns = HF_MS(n);
    else if (rest_is(r, rest, "s"))
        rule->delay_ns = HF_SEC(n);
    else
        return false;
    return true;
}

/* "20%" or "0.05%": up to four digits behind the point, more than nothing, at most all. */
static bool read_percent(const struct reader *r, struct hf_spoil_rule *rule)
{
    uint64_t n;
    size_t i;
    const char *word = r->text + r->word_at;
    if (!leading_number(r, 100, &n, &i))
        return false;
    uint32_t millionths = (uint32_t)n * 10000;
    if (word[i] == '.') {
        uint32_t weight = 1000;
        for (i++; i < r->word_bytes && isdigit((unsigned char)word[i]); i++, weight /= 10)
            millionths += (uint32_t)(word[i] - '0') * weight;
    }
    rule->per_million = millionths;
    return rest_is(r, i, "%") && millionths > 0 && millionths <= HF_SPOIL_ALWAYS;
}

static bool read_kind(const struct reader *r, struct hf_spoil_rule *rule)
{
    static const char *const words[HF_SPOIL_KIND_COUNT] = {
#define KIND_WORD(NAME, word, text) word,
        HF_SPOIL_KIND_LIST(KIND_WORD)
#undef KIND_WORD
    };
    for (unsigned k = 0; k < HF_SPOIL_KIND_COUNT; k++) {
        if (word_is(r, words[k])) {
            rule->kind = (enum hf_spoil_kind)k;
            return true;
        }
    }
    return false;
}

static bool read_action(const struct reader *r, struct hf_spoil_rule *rule)
{
    static const char *const words[] = {"drop", "delay", "duplicate", "corrupt"};
    for (unsigned a = 0; a < sizeof words / sizeof words[0]; a++) {
        if (word_is(r, words[a])) {
            rule->action = (enum hf_spoil_action)a;
            return true;
        }
    }
    return false;
}

/* Takes the present word into the rule; returns what it gave, 0 when it means nothing. */
static unsigned read_word(struct reader *r, struct hf_spoil_rule *rule)
{
    struct hf_spoil_rule with = *rule;
    unsigned given = 0;
    if (word_is(r, "once")) {
        given = GIVEN_ONCE;
    } else if (word_is(r, "every")) {
        given = GIVEN_EVERY;
    } else if (word_is(r, "in") || word_is(r, "out")) {
        with.direction = word_is(r, "in") ? HF_SPOIL_IN : HF_SPOIL_OUT;
        given = GIVEN_DIRECTION;
    } else if (read_kind(r, &with)) {
        given = GIVEN_KIND;
    } else if (r->text[r->at - 1] == '%') {
        given = read_percent(r, &with) ? GIVEN_CHANCE : 0;
    } else if (read_time(r, &with)) {
        given = GIVEN_DELAY;
    } else if (read_ordinal(r, &with)) {
        given = GIVEN_ORDINAL;
    } else if (word_is(r, "seed") && next_word(r)) {
        size_t rest;
        bool whole = leading_number(r, UINT64_MAX, &with.seed, &rest) && rest == r->word_bytes;
        given = whole ? GIVEN_SEED : 0;
    }
    if (given)
        *rule = with;
    return given;
}

static int check_word(const struct reader *r, const struct hf_spoil_rule *rule, unsigned given,
                      unsigned before)
{
    if (!given)
        return wrong(r, "not understood (a kind such as syn, third-ack or data; in, out, once, "
                        "every, 3rd, 1%, 50ms, seed 7)");
    if (given & before)
        return wrong(r, "the rule has this already");
    const unsigned both = GIVEN_ONCE | GIVEN_EVERY;
    if (((given | before) & both) == both)
        return wrong(r, "once and every exclude each other");
    if (given == GIVEN_DELAY && rule->action != HF_SPOIL_DELAY)
        return wrong(r, "only delay takes a time");
    return HF_OK;
}

static int parse_rule(struct reader *r, struct hf_spoil_rule *rule)
{
    *rule = (struct hf_spoil_rule){.occurrence = 1, .per_million = HF_SPOIL_ALWAYS, .seed = 1};
    if (!read_action(r, rule))
        return wrong(r, "a rule starts with drop, delay, duplicate or corrupt");
    unsigned before = 0;
    while (next_word(r)) {
        unsigned given = read_word(r, rule);
        int err = check_word(r, rule, given, before);
        if (err < 0)
            return err;
        before |= given;
    }
    if (rule->action == HF_SPOIL_DELAY && !(before & GIVEN_DELAY))
        return wrong(r, "delay needs a time, such as 50ms");
    rule->once = (before & GIVEN_ONCE) || ((before & GIVEN_ORDINAL) && !(before & GIVEN_EVERY));
    return HF_OK;
}

int hf_spoil_parse(const char *text, struct hf_spoil_rule *rules, size_t max, size_t *count,
                   struct hf_why *why)
{
    struct reader r = {.text = text, .why = why};
    size_t n = 0;
    for (;;) {
        if (next_word(&r)) {
            if (n == max)
                return wrong(&r, "one rule too many");
            int err = parse_rule(&r, &rules[n]);
            if (err < 0)
                return err;
            n++;
        }
        if (!text[r.at])
            break;
        r.at++; /* the ';' */
    }
    if (n == 0)
        return wrong(&r, "no rule here (such as: drop third-ack once)");
    *count = n;
    return HF_OK;
}
