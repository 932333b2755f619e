/**
 * Socket options, fcntl, ioctl.
 */
#include "call_parts.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>

#include "core/base.h"

enum { VALUE_MAX_BYTES = 4096 };

/** The structures that options have, as a list of their fields. */
static const struct {
    int level, name;
    const char *fields[2];
    size_t field_bytes; /**< of each */
} structures[] = {
    {SOL_SOCKET, SO_LINGER, {"onoff", "linger"}, sizeof(int)},
    {SOL_SOCKET, SO_RCVTIMEO, {"tv_sec", "tv_usec"}, sizeof(long)},
    {SOL_SOCKET, SO_SNDTIMEO, {"tv_sec", "tv_usec"}, sizeof(long)},
};
_Static_assert(sizeof(struct timeval) == 2 * sizeof(long), "two fields of one size");
_Static_assert(sizeof(struct linger) == 2 * sizeof(int), "two fields of one size");

/** `linger` and `l_linger` are the same field. */
static const struct hf_value *find_field(const struct hf_value *v, const char *name, size_t place)
{
    char long_name[32];
    const struct hf_value *field = hf_value_field(v, name);
    snprintf(long_name, sizeof long_name, "l_%s", name);
    if (field == NULL)
        field = hf_value_field(v, long_name);
    if (field == NULL && place < v->item_count && v->items[place].name == NULL)
        field = &v->items[place];
    return field;
}

/** The row of an option's structure, or -1. */
static int find_structure(int level, int name)
{
    for (size_t i = 0; i < HF_COUNT_OF(structures); i++)
        if (structures[i].level == level && structures[i].name == name)
            return (int)i;
    return -1;
}

static int64_t get_field(const uint8_t *bytes, size_t field_bytes)
{
    int narrow;
    long wide;
    if (field_bytes == sizeof narrow) {
        memcpy(&narrow, bytes, sizeof narrow);
        return narrow;
    }
    memcpy(&wide, bytes, sizeof wide);
    return wide;
}

static void put_field(uint8_t *bytes, size_t field_bytes, int64_t value)
{
    int narrow = (int)value;
    long wide = (long)value;
    memcpy(bytes, field_bytes == sizeof narrow ? (const void *)&narrow : (const void *)&wide,
           field_bytes);
}

/** Writes an option's value; returns its length. */
static size_t put_value(struct hf_call *c, const struct hf_value *v, int level, int name,
                        uint8_t bytes[VALUE_MAX_BYTES])
{
    int row = find_structure(level, name);
    if (v->kind == HF_VALUE_STRING) {
        size_t n = v->text_bytes < VALUE_MAX_BYTES ? v->text_bytes : VALUE_MAX_BYTES;
        memcpy(bytes, v->text, n);
        return n;
    }
    if (v->kind != HF_VALUE_STRUCT || row < 0) {
        put_field(bytes, sizeof(int), hf_call_number(c, v));
        return sizeof(int);
    }
    for (size_t i = 0; i < 2; i++) {
        const struct hf_value *field = find_field(v, structures[row].fields[i], i);
        if (field != NULL)
            put_field(bytes + i * structures[row].field_bytes, structures[row].field_bytes,
                      hf_call_number(c, field));
    }
    return 2 * structures[row].field_bytes;
}

int64_t hf_call_setsockopt(struct hf_call *c)
{
    const struct hf_posix *p = c->env->posix;
    uint8_t bytes[VALUE_MAX_BYTES] = {0};
    int fd = hf_call_fd(c, 0), level = hf_call_int(c, 1), name = hf_call_int(c, 2);
    const struct hf_value *v = hf_call_argument(c, 3), *length = hf_call_argument(c, 4);
    bool is_null = hf_value_is_null(v);
    size_t n = is_null ? 0 : put_value(c, v, level, name, bytes);
    if (!hf_value_is_any(length))
        n = hf_call_length(c, length);
    if (n > sizeof bytes)
        hf_call_beyond(c, "a value of %zu bytes is too long", n);
    if (c->is_beyond)
        return 0;
    return p->calls->setsockopt(p->self, fd, level, name, is_null ? NULL : bytes, (socklen_t)n);
}

/* ---- getsockopt --------------------------------------------------------------------------- */

/** How large a system makes its buffers is its own accounting. */
static bool is_accounting(const struct hf_call *c, int level, int name)
{
    return c->env->match == HF_DRILL_SEMANTIC && level == SOL_SOCKET &&
           (name == SO_RCVBUF || name == SO_SNDBUF);
}

static void compare_text(struct hf_call *c, const struct hf_value *v, const char *got, size_t n)
{
    size_t got_bytes = strnlen(got, n), expected_bytes = strnlen(v->text, v->text_bytes);
    if (c->differs || (got_bytes == expected_bytes && memcmp(got, v->text, expected_bytes) == 0))
        return;
    c->differs = true;
    snprintf(c->result->expected, sizeof c->result->expected, "value \"%.*s\"",
             (int)(expected_bytes < 100 ? expected_bytes : 100), v->text);
    snprintf(c->result->got, sizeof c->result->got, "value \"%.*s\"",
             (int)(got_bytes < 100 ? got_bytes : 100), got);
}

static void compare_value(struct hf_call *c, const struct hf_value *v, int level, int name,
                          const uint8_t *bytes, size_t n)
{
    int row = find_structure(level, name);
    if (hf_value_is_any(v) || is_accounting(c, level, name))
        return;
    if (v->kind == HF_VALUE_STRING) {
        compare_text(c, v, (const char *)bytes, n);
    } else if (v->kind == HF_VALUE_STRUCT && row >= 0) {
        for (size_t i = 0; i < 2; i++) {
            const struct hf_value *field = find_field(v, structures[row].fields[i], i);
            size_t size = structures[row].field_bytes;
            if (field == NULL || hf_value_is_any(field))
                continue;
            int64_t expected = hf_call_number(c, field), got = get_field(bytes + i * size, size);
            if (expected != got)
                hf_call_differs(c, structures[row].fields[i], expected, got);
        }
    } else {
        int64_t expected = hf_call_number(c, v), got = get_field(bytes, sizeof(int));
        if (expected != got)
            hf_call_differs(c, "value", expected, got);
    }
}

int64_t hf_call_getsockopt(struct hf_call *c)
{
    const struct hf_posix *p = c->env->posix;
    uint8_t bytes[VALUE_MAX_BYTES] = {0};
    socklen_t length = sizeof(int);
    int fd = hf_call_fd(c, 0), level = hf_call_int(c, 1), name = hf_call_int(c, 2);
    const struct hf_value *v = hf_call_argument(c, 3), *wanted = hf_call_argument(c, 4);
    if (!hf_value_is_any(wanted))
        length = (socklen_t)hf_call_length(c, wanted);
    if (length > sizeof bytes)
        hf_call_beyond(c, "a value of %u bytes is too long", length);
    if (c->is_beyond)
        return 0;
    int result =
        p->calls->getsockopt(p->self, fd, level, name, hf_value_is_null(v) ? NULL : bytes, &length);
    if (result < 0)
        return result;
    if (wanted->kind == HF_VALUE_LIST && hf_call_number(c, wanted) != (int64_t)length)
        hf_call_differs(c, "length", hf_call_number(c, wanted), length);
    if (!hf_value_is_null(v))
        compare_value(c, v, level, name, bytes, length);
    return result;
}

/* ---- fcntl, ioctl ------------------------------------------------------------------------- */

int64_t hf_call_fcntl(struct hf_call *c)
{
    const struct hf_posix *p = c->env->posix;
    int fd = hf_call_fd(c, 0), command = hf_call_int(c, 1);
    long argument = c->script->argument_count > 2 ? hf_call_int(c, 2) : 0;
    return c->is_beyond ? 0 : p->calls->fcntl(p->self, fd, command, argument);
}

int64_t hf_call_ioctl(struct hf_call *c)
{
    const struct hf_posix *p = c->env->posix;
    int fd = hf_call_fd(c, 0), value = 0;
    int64_t request = hf_call_number(c, hf_call_argument(c, 1));
    const struct hf_value *v = hf_call_argument(c, 2);
    bool is_null = hf_value_is_null(v), goes_in = request == FIONBIO;
    if (!is_null && (goes_in || !hf_value_is_any(v)))
        value = (int)hf_call_number(c, v);
    if (c->is_beyond)
        return 0;
    int64_t expected = value;
    /* What comes out must be written: a value left as it was would meet any expectation. */
    if (!goes_in)
        value = ~value;
    int result = p->calls->ioctl(p->self, fd, (unsigned long)request, is_null ? NULL : &value);
    if (result >= 0 && !goes_in && !is_null && !hf_value_is_any(v) && value != expected)
        hf_call_differs(c, "value", expected, value);
    return result;
}
