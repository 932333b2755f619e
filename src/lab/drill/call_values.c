/**
 * Arguments of calls: from the tree to C values.
 */
#include "call_parts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbols.h"

enum { MEMORY_MAX_BYTES = 64 * 1024 * 1024 };

void hf_call_beyond(struct hf_call *c, const char *format, ...)
{
    va_list arguments;
    if (c->is_beyond)
        return;
    c->is_beyond = true;
    va_start(arguments, format);
    vsnprintf(c->result->got, sizeof c->result->got, format, arguments);
    va_end(arguments);
}

void hf_call_differs(struct hf_call *c, const char *what, int64_t expected, int64_t got)
{
    if (c->differs)
        return;
    c->differs = true;
    snprintf(c->result->expected, sizeof c->result->expected, "%s %" PRId64, what, expected);
    snprintf(c->result->got, sizeof c->result->got, "%s %" PRId64, what, got);
}

void *hf_call_memory(struct hf_call *c, int64_t length_bytes)
{
    void *memory = NULL;
    if (length_bytes >= 0 && length_bytes <= MEMORY_MAX_BYTES && c->piece_count < HF_CALL_PIECES)
        memory = calloc(1, length_bytes > 0 ? (size_t)length_bytes : 1);
    if (memory == NULL) {
        hf_call_beyond(c, "%" PRId64 " bytes are too much to supply", length_bytes);
        return NULL;
    }
    c->pieces[c->piece_count++] = memory;
    return memory;
}

const struct hf_value *hf_call_argument(struct hf_call *c, size_t n)
{
    static const struct hf_value missing = {.kind = HF_VALUE_ELLIPSIS};
    if (n < c->script->argument_count)
        return &c->script->arguments[n];
    hf_call_beyond(c, "argument %zu of %s is missing", n + 1, c->script->name);
    return &missing;
}

static int64_t word_number(struct hf_call *c, const char *word)
{
    int64_t number = 0;
    if (strcmp(word, "NULL") != 0 && !hf_symbol_value(word, &number))
        hf_call_beyond(c, "this system has no %.60s", word);
    return number;
}

int64_t hf_call_number(struct hf_call *c, const struct hf_value *v)
{
    int64_t number = 0;
    switch (v->kind) {
    case HF_VALUE_INTEGER: return v->integer;
    case HF_VALUE_WORD: return word_number(c, v->text);
    case HF_VALUE_OR:
        for (size_t i = 0; i < v->item_count; i++)
            number |= hf_call_number(c, &v->items[i]);
        return number;
    case HF_VALUE_LIST:
        if (v->item_count == 1)
            return hf_call_number(c, &v->items[0]);
        break;
    case HF_VALUE_ELLIPSIS:
    case HF_VALUE_DECIMAL:
    case HF_VALUE_STRING:
    case HF_VALUE_STRUCT: break;
    }
    hf_call_beyond(c, "line %u: a number is wanted here", v->place.line);
    return 0;
}

int hf_call_int(struct hf_call *c, size_t n)
{
    int64_t number = hf_call_number(c, hf_call_argument(c, n));
    /* Flags are written as unsigned numbers too. */
    if (number < INT_MIN || number > UINT32_MAX)
        hf_call_beyond(c, "%" PRId64 " is no int", number);
    return (int)(uint32_t)number;
}

size_t hf_call_length(struct hf_call *c, const struct hf_value *v)
{
    int64_t number = hf_call_number(c, v);
    if (number < 0 || number > MEMORY_MAX_BYTES) {
        hf_call_beyond(c, "a length of %" PRId64 " can't be had", number);
        return 0;
    }
    return (size_t)number;
}

bool hf_value_is_null(const struct hf_value *v)
{
    return (v->kind == HF_VALUE_INTEGER && v->integer == 0) ||
           (v->kind == HF_VALUE_WORD && strcmp(v->text, "NULL") == 0);
}

bool hf_value_is_any(const struct hf_value *v)
{
    return v->kind == HF_VALUE_ELLIPSIS;
}

const struct hf_value *hf_value_field(const struct hf_value *v, const char *name)
{
    for (size_t i = 0; i < v->item_count; i++)
        if (v->items[i].name != NULL && strcmp(v->items[i].name, name) == 0)
            return &v->items[i];
    return NULL;
}

/* ---- descriptors -------------------------------------------------------------------------- */

int hf_call_fd_of(const struct hf_call_env *env, int64_t label)
{
    return label >= 0 && label < HF_CALL_LABELS ? env->live[label] - 1 : -1;
}

int hf_call_fd(struct hf_call *c, size_t n)
{
    return hf_call_fd_of(c->env, hf_call_number(c, hf_call_argument(c, n)));
}

void hf_call_label(struct hf_call *c, int live)
{
    const struct hf_value *label = &c->script->result;
    c->result->fd = live;
    /* A script that expected a failure has no name for it: what differs is told elsewhere. */
    if (label->kind == HF_VALUE_INTEGER && label->integer >= 0 && label->integer < HF_CALL_LABELS)
        c->env->live[label->integer] = live + 1;
}

bool hf_call_has_word(const struct hf_script_call *call, size_t n, const char *word)
{
    return n < call->argument_count && call->arguments[n].kind == HF_VALUE_WORD &&
           strcmp(call->arguments[n].text, word) == 0;
}

/* ---- addresses ---------------------------------------------------------------------------- */

static void put_address(const struct hf_call *c, const struct hf_addr *addr, uint16_t port,
                        struct hf_call_address *out)
{
    if (c->env->options->family == HF_DRILL_V4) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
        memcpy(&in.sin_addr, addr->octets + 12, sizeof in.sin_addr);
        memcpy(&out->bytes, &in, sizeof in);
        out->length = sizeof in;
        return;
    }
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    memcpy(&in6.sin6_addr, addr->octets, sizeof in6.sin6_addr);
    memcpy(&out->bytes, &in6, sizeof in6);
    out->length = sizeof in6;
}

/** `{sa_family = AF_INET, sin_port = htons(8080), sin_addr = inet_addr("192.0.2.1")}` */
static void read_written(struct hf_call *c, const struct hf_value *v, struct hf_call_address *out)
{
    const struct hf_value *family = hf_value_field(v, "sa_family");
    const struct hf_value *port = hf_value_field(v, "sin_port"), *addr = NULL;
    bool is_v4 = family != NULL && hf_call_number(c, family) == AF_INET;
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    if (port == NULL)
        port = hf_value_field(v, "sin6_port");
    addr = hf_value_field(v, is_v4 ? "sin_addr" : "sin6_addr");
    if (port == NULL || addr == NULL || addr->kind != HF_VALUE_STRING ||
        inet_pton(is_v4 ? AF_INET : AF_INET6, addr->text,
                  is_v4 ? (void *)&in.sin_addr : (void *)&in6.sin6_addr) != 1) {
        hf_call_beyond(c, "line %u: not an address with family, port and number", v->place.line);
        return;
    }
    in.sin_port = in6.sin6_port = htons((uint16_t)hf_call_number(c, port));
    out->length = is_v4 ? sizeof in : sizeof in6;
    memcpy(&out->bytes, is_v4 ? (const void *)&in : (const void *)&in6, out->length);
}

void hf_call_address_read(struct hf_call *c, const struct hf_value *v, const struct hf_addr *addr,
                          uint16_t port, struct hf_call_address *out)
{
    *out = (struct hf_call_address){.length = sizeof(struct sockaddr_in)};
    if (hf_value_is_any(v)) {
        put_address(c, addr, port, out);
    } else if (hf_value_is_null(v)) {
        out->is_null = true;
        out->length = 0;
    } else if (v->kind == HF_VALUE_WORD && strcmp(v->text, "AF_UNSPEC") == 0) {
        out->bytes.ss_family = AF_UNSPEC;
    } else if (v->kind == HF_VALUE_STRUCT) {
        read_written(c, v, out);
    } else {
        hf_call_beyond(c, "line %u: an address is wanted here", v->place.line);
    }
}
