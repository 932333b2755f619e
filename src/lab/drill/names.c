/**
 * Which names of a script are known, and which known one is near to one that is not.
 */
#include "names.h"

#include <stdio.h>
#include <string.h>

#include "calls.h"
#include "core/base.h"
#include "symbols.h"

enum { NAME_MAX_CHARS = 40, EDITS_MAX = 2 };

/** Of structures. Those of control messages belong to what is not supported. */
static const char *const fields[] = {
    "cmsg_data", "cmsg_level", "cmsg_type",   "ee_code",     "ee_data",  "ee_errno",   "ee_info",
    "ee_origin", "ee_type",    "events",      "fd",          "iov_base", "iov_len",    "l_linger",
    "l_onoff",   "linger",     "msg_control", "msg_flags",   "msg_iov",  "msg_iovlen", "msg_name",
    "onoff",     "ptr",        "revents",     "sa_family",   "scm_nsec", "scm_sec",    "sin6_addr",
    "sin6_port", "sin_addr",   "sin_family",  "sin6_family", "sin_port", "tv_sec",     "tv_usec",
    "u32",       "u64",
};

/** Looks for a name, and for the one that is nearest to it. */
struct search {
    const char *wanted, *nearest;
    size_t edits; /**< from the wanted one to the nearest */
};

/* ---- nearness ----------------------------------------------------------------------------- */

static size_t least(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/** How many letters have to be put in, taken out, replaced or swapped with the next one. */
static size_t edits_between(const char *a, const char *b)
{
    size_t rows[3][NAME_MAX_CHARS + 1];
    size_t n = strlen(a), m = strlen(b);
    if (n > NAME_MAX_CHARS || m > NAME_MAX_CHARS)
        return SIZE_MAX;
    for (size_t j = 0; j <= m; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            row[j] = least(row[j - 1] + 1, above[j] + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], row[j], two_above[j - 2] + 1);
        }
    }
    return rows[n % 3][m];
}

static void offer(struct search *s, const char *name)
{
    size_t edits = edits_between(s->wanted, name);
    if (edits < s->edits) {
        s->edits = edits;
        s->nearest = name;
    }
}

/** In a short word two letters are too much to guess. */
static bool is_near(const struct search *s)
{
    return s->nearest != NULL && s->edits <= EDITS_MAX && s->edits * 3 < strlen(s->wanted);
}

static bool refuse(struct hf_script_fault *fault, struct hf_place place, const char *what,
                   const struct search *s)
{
    fault->place = place;
    if (is_near(s))
        snprintf(fault->text, sizeof fault->text, "%s %.60s: did you mean %s?", what, s->wanted,
                 s->nearest);
    else
        snprintf(fault->text, sizeof fault->text, "%s %.60s", what, s->wanted);
    return false;
}

/* ---- the names ---------------------------------------------------------------------------- */

static bool check_symbol(const char *name, struct hf_place place, const char *what,
                         struct hf_script_fault *fault)
{
    struct search s = {.wanted = name, .edits = SIZE_MAX};
    int64_t value;
    const char *known;
    if (hf_symbol_value(name, &value) || hf_symbol_is_elsewhere(name))
        return true;
    for (size_t i = 0; (known = hf_symbol_name(i)) != NULL; i++)
        offer(&s, known);
    return refuse(fault, place, what, &s);
}

static bool check_field(const struct hf_value *v, struct hf_script_fault *fault)
{
    struct search s = {.wanted = v->name, .edits = SIZE_MAX};
    if (v->name == NULL)
        return true;
    for (size_t i = 0; i < HF_COUNT_OF(fields); i++)
        offer(&s, fields[i]);
    return s.edits == 0 || refuse(fault, v->name_place, "no such field:", &s);
}

static bool check_value(const struct hf_value *v, struct hf_script_fault *fault)
{
    if (!check_field(v, fault))
        return false;
    if (v->kind == HF_VALUE_WORD && !check_symbol(v->text, v->place, "unknown symbol", fault))
        return false;
    for (size_t i = 0; i < v->item_count; i++)
        if (!check_value(&v->items[i], fault))
            return false;
    return true;
}

static bool check_call(const struct hf_script_call *call, struct hf_script_fault *fault)
{
    struct search s = {.wanted = call->name, .edits = SIZE_MAX};
    const char *known;
    for (size_t i = 0; (known = hf_call_name(i)) != NULL; i++)
        offer(&s, known);
    if (s.edits != 0)
        return refuse(fault, call->place, "no such call:", &s);
    for (size_t i = 0; i < call->argument_count; i++)
        if (!check_value(&call->arguments[i], fault))
            return false;
    if (!check_value(&call->result, fault))
        return false;
    return call->error == NULL ||
           check_symbol(call->error, call->error_place, "unknown error", fault);
}

bool hf_names_check(const struct hf_script *script, struct hf_script_fault *fault)
{
    for (size_t i = 0; i < script->event_count; i++) {
        const struct hf_script_event *e = &script->events[i];
        if (e->kind == HF_SCRIPT_CALL && !check_call(&e->call, fault))
            return false;
    }
    return true;
}
