/**
 * A reader of XML that only finds fault. See xml.h.
 */
#include "xml.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

enum { DEPTH_MAX = 32, ATTRIBUTES_MAX = 32 };

struct name {
    const char *text;
    size_t n;
};

struct reader {
    const char *at, *end;
    struct name open[DEPTH_MAX];
    size_t depth;
    bool had_root;
    const char *fault;
};

static bool fail(struct reader *r, const char *fault)
{
    if (r->fault == NULL)
        r->fault = fault;
    return false;
}

static bool is_same(struct name a, struct name b)
{
    return a.n == b.n && memcmp(a.text, b.text, a.n) == 0;
}

static bool read_name(struct reader *r, struct name *name)
{
    name->text = r->at;
    while (r->at < r->end && (isalnum((unsigned char)*r->at) || strchr("-_:", *r->at) != NULL))
        r->at++;
    name->n = (size_t)(r->at - name->text);
    return name->n > 0 || fail(r, "a name is missing");
}

static void skip_blanks(struct reader *r)
{
    while (r->at < r->end && isspace((unsigned char)*r->at))
        r->at++;
}

static bool take(struct reader *r, char c)
{
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

/** Text up to one of these characters, which is left: entities are whole in it. */
static bool read_text(struct reader *r, char stop)
{
    for (; r->at < r->end && *r->at != stop; r->at++) {
        if (*r->at == '<')
            return fail(r, "a bare '<'");
        if ((unsigned char)*r->at < 0x20 && *r->at != '\n' && *r->at != '\t')
            return fail(r, "a control character");
        if (*r->at != '&')
            continue;
        const char *semicolon = memchr(r->at, ';', (size_t)(r->end - r->at));
        if (semicolon == NULL || semicolon - r->at > 8 || semicolon == r->at + 1)
            return fail(r, "a bare '&'");
    }
    return true;
}

static bool read_attributes(struct reader *r)
{
    struct name seen[ATTRIBUTES_MAX];
    for (size_t n = 0;; n++) {
        const char *before = r->at;
        skip_blanks(r);
        if (r->at == r->end || *r->at == '>' || *r->at == '/')
            return true;
        if (before == r->at || n == ATTRIBUTES_MAX)
            return fail(r, "no blank before an attribute, or too many of them");
        if (!read_name(r, &seen[n]))
            return false;
        for (size_t i = 0; i < n; i++)
            if (is_same(seen[i], seen[n]))
                return fail(r, "an attribute twice");
        if (!take(r, '=') || !take(r, '"') || !read_text(r, '"') || !take(r, '"'))
            return fail(r, "an attribute without a value in quotes");
    }
}

static bool close_element(struct reader *r)
{
    struct name name;
    if (!read_name(r, &name))
        return false;
    skip_blanks(r);
    if (r->depth == 0 || !is_same(name, r->open[r->depth - 1]))
        return fail(r, "an element is closed that is not open");
    r->depth--;
    return take(r, '>') || fail(r, "an end tag without '>'");
}

static bool read_tag(struct reader *r)
{
    struct name name;
    if (take(r, '/'))
        return close_element(r);
    if (r->depth == 0 && r->had_root)
        return fail(r, "a second root");
    if (!read_name(r, &name) || !read_attributes(r))
        return false;
    r->had_root = true;
    if (take(r, '/'))
        return take(r, '>') || fail(r, "an empty tag without '>'");
    if (r->depth == DEPTH_MAX)
        return fail(r, "too deep");
    r->open[r->depth++] = name;
    return take(r, '>') || fail(r, "a tag without '>'");
}

const char *xml_fault(const char *text, size_t length_bytes)
{
    struct reader r = {.at = text, .end = text + length_bytes};
    while (r.at < r.end) {
        if (take(&r, '<')) {
            if (!read_tag(&r))
                return r.fault;
            continue;
        }
        if (r.depth == 0 && !isspace((unsigned char)*r.at))
            return "text outside of the root";
        const char *next = memchr(r.at, '<', (size_t)(r.end - r.at));
        struct reader part = r;
        part.end = next == NULL ? r.end : next;
        if (!read_text(&part, '\0'))
            return part.fault;
        r.at = part.at < part.end ? r.end : part.end;
    }
    return r.depth > 0 ? "an element is left open" : !r.had_root ? "no root" : NULL;
}
