/**
 * Text building. Owns nothing; leaves what to say to the callers.
 */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>

void hf_text_init(struct hf_text *t, char *bytes, size_t capacity_bytes)
{
    t->bytes = bytes;
    t->capacity_bytes = capacity_bytes;
    t->length_bytes = 0;
    bytes[0] = '\0';
}

size_t hf_text_stored(const struct hf_text *t)
{
    return t->length_bytes < t->capacity_bytes ? t->length_bytes : t->capacity_bytes - 1;
}

void hf_text_add(struct hf_text *t, const char *format, ...)
{
    size_t at = hf_text_stored(t);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->bytes + at, t->capacity_bytes - at, format, args);
    va_end(args);
    if (n > 0)
        t->length_bytes += (size_t)n;
}

void hf_text_repeat(struct hf_text *t, const char *piece, size_t n)
{
    for (size_t i = 0; i < n; i++)
        hf_text_add(t, "%s", piece);
}

size_t hf_text_columns(const char *text, size_t length_bytes)
{
    size_t columns = 0;
    for (size_t i = 0; i < length_bytes; i++)
        columns += ((unsigned char)text[i] & 0xC0) != 0x80;
    return columns;
}
