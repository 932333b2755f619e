/**
 * TCP options between the script's form and bytes.
 */
#include "options.h"

enum { TIMESTAMPS_BYTES = 10, BLOCK_BYTES = 8 };

size_t hf_option_bytes(const struct hf_script_option *o, uint8_t bytes[HF_OPTION_BYTES])
{
    size_t n = 2;
    if (o->raw) {
        memcpy(bytes, o->bytes, o->byte_count);
        return o->byte_count;
    }
    bytes[0] = o->kind;
    switch (o->kind) {
    case HF_KIND_EOL:
    case HF_KIND_NOP: return 1;
    case HF_KIND_MSS:
        hf_put16(bytes + n, o->mss);
        n += 2;
        break;
    case HF_KIND_WSCALE: bytes[n++] = o->shift; break;
    case HF_KIND_SACK:
        for (size_t i = 0; i < o->block_count; i++, n += BLOCK_BYTES) {
            hf_put32(bytes + n, o->blocks[i].left);
            hf_put32(bytes + n + 4, o->blocks[i].right);
        }
        break;
    case HF_KIND_TIMESTAMPS:
        hf_put32(bytes + n, o->ts_value);
        hf_put32(bytes + n + 4, o->ts_echo);
        n += 8;
        break;
    default: memcpy(bytes + n, o->bytes, o->byte_count); n += o->byte_count;
    }
    bytes[1] = (uint8_t)n;
    return n;
}

/** The values of a kind that is known; anything else stays bytes. */
static void read_value(const uint8_t *value, size_t n, struct hf_script_option *o)
{
    if (o->kind == HF_KIND_MSS && n == 2) {
        o->mss = hf_get16(value);
    } else if (o->kind == HF_KIND_WSCALE && n == 1) {
        o->shift = value[0];
    } else if (o->kind == HF_KIND_SACK && n > 0 && n % BLOCK_BYTES == 0 &&
               n / BLOCK_BYTES <= HF_COUNT_OF(o->blocks)) {
        for (; n > 0; n -= BLOCK_BYTES, value += BLOCK_BYTES)
            o->blocks[o->block_count++] =
                (struct hf_script_block){hf_get32(value), hf_get32(value + 4)};
    } else if (o->kind == HF_KIND_TIMESTAMPS && n + 2 == TIMESTAMPS_BYTES) {
        o->ts_value = hf_get32(value);
        o->ts_echo = hf_get32(value + 4);
    } else {
        bool has_fixed_form = o->kind == HF_KIND_MSS || o->kind == HF_KIND_WSCALE ||
                              o->kind == HF_KIND_SACK || o->kind == HF_KIND_TIMESTAMPS ||
                              (o->kind == HF_KIND_SACK_PERMITTED && n > 0);
        memcpy(o->bytes, value, n);
        o->byte_count = (uint8_t)n;
        if (has_fixed_form) {
            memmove(o->bytes + 2, o->bytes, n);
            o->bytes[0] = o->kind;
            o->bytes[1] = (uint8_t)(n + 2);
            o->byte_count = (uint8_t)(n + 2);
            o->raw = true;
        }
    }
}

size_t hf_options_read(const uint8_t *bytes, size_t n,
                       struct hf_script_option options[HF_OPTION_BYTES])
{
    size_t count = 0;
    for (size_t at = 0; at < n && count < HF_OPTION_BYTES;) {
        struct hf_script_option *o = &options[count++];
        *o = (struct hf_script_option){.kind = bytes[at]};
        if (o->kind == HF_KIND_EOL || o->kind == HF_KIND_NOP) {
            at++;
            continue;
        }
        size_t length = at + 1 < n ? bytes[at + 1] : 0;
        if (length < 2 || length > n - at) {
            /* Malformed: the rest as it is. */
            o->raw = true;
            memcpy(o->bytes, bytes + at, n - at);
            o->byte_count = (uint8_t)(n - at);
            return count;
        }
        read_value(bytes + at + 2, length - 2, o);
        at += length;
    }
    return count;
}
