/**
 * Text built piece by piece in a caller's buffer, and the sink that takes finished text.
 */
#ifndef HF_SHOW_TEXT_H
#define HF_SHOW_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/** Takes text; it is not NUL-terminated and valid during the call only. */
typedef void hf_sink_fn(void *ctx, const char *text, size_t length_bytes);

/** Always NUL-terminated. What does not fit is cut off but counted, as snprintf does. */
struct hf_text {
    char *bytes;
    size_t capacity_bytes; /**< at least 1 */
    size_t length_bytes;   /**< needed so far, may exceed the capacity */
};

void hf_text_init(struct hf_text *t, char *bytes, size_t capacity_bytes);
void hf_text_add(struct hf_text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Adds n times the same piece. */
void hf_text_repeat(struct hf_text *t, const char *piece, size_t n);
/** Bytes that are really in the buffer. */
size_t hf_text_stored(const struct hf_text *t);
/** Columns that UTF-8 text takes on a terminal, one a character. */
size_t hf_text_columns(const char *text, size_t length_bytes);

#endif
