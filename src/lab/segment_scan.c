/**
 * Segments from text. Owns the grammar; what is left out is the caller's to fill in.
 */
#include "segment_scan.h"

#include <stdlib.h>
#include <string.h>

static void skip_blanks(const char **at)
{
    while (**at == ' ')
        (*at)++;
}

/* Takes a word with the blanks around it, if it stands here and ends here. */
static bool take_word(const char **at, const char *word)
{
    size_t n = strlen(word);
    skip_blanks(at);
    if (strncmp(*at, word, n) != 0)
        return false;
    char next = (*at)[n];
    if (next != '\0' && strchr(" ,>:)(", next) == NULL)
        return false;
    *at += n;
    skip_blanks(at);
    return true;
}

static bool take_sign(const char **at, char sign)
{
    skip_blanks(at);
    if (**at != sign)
        return false;
    (*at)++;
    return true;
}

/* Negative numbers are steps before the base and wrap, as sequence numbers do. */
static bool take_number(const char **at, uint32_t *number)
{
    skip_blanks(at);
    char *end;
    long long v = strtoll(*at, &end, 10);
    if (end == *at)
        return false;
    *number = (uint32_t)v;
    *at = end;
    return true;
}

static bool take_u16(const char **at, uint16_t *number)
{
    uint32_t v;
    if (!take_number(at, &v) || v > UINT16_MAX)
        return false;
    *number = (uint16_t)v;
    return true;
}

static bool take_time(const char **at, struct hf_scanned *s)
{
    skip_blanks(at);
    if (**at < '0' || **at > '9')
        return true;
    char *end;
    long long whole = strtoll(*at, &end, 10);
    s->time_ns = HF_SEC(whole);
    s->has_time = true;
    *at = end;
    if (**at != '.')
        return true;
    hf_ns digit_ns = HF_MS(100);
    for ((*at)++; **at >= '0' && **at <= '9'; (*at)++, digit_ns /= 10)
        s->time_ns += (**at - '0') * digit_ns;
    return **at == ' ';
}

static bool take_flags(const char **at, uint16_t *flags)
{
    static const char letters[] = "FSRP.UEWA"; /* in the order of their bits */
    skip_blanks(at);
    if (take_sign(at, '-'))
        return **at == ' ' || **at == '\0';
    const char *start = *at;
    for (; **at != '\0' && **at != ' '; (*at)++) {
        const char *letter = strchr(letters, **at);
        if (letter == NULL)
            return false;
        *flags = (uint16_t)(*flags | 1u << (letter - letters));
    }
    return *at != start;
}

static bool take_timestamps(const char **at, struct hf_scanned *s)
{
    s->segment.has_timestamps = true;
    skip_blanks(at);
    if (**at == ',' || **at == '>')
        return true;
    s->has_ts_values = true;
    return take_number(at, &s->segment.ts_value) && take_number(at, &s->segment.ts_echo);
}

static bool take_sack(const char **at, struct hf_segment *seg)
{
    if (seg->sack_count == HF_SACK_BLOCKS_MAX)
        return false;
    uint32_t *left = &seg->sack[seg->sack_count].left;
    uint32_t *right = &seg->sack[seg->sack_count].right;
    seg->sack_count++;
    return take_number(at, left) && take_sign(at, ':') && take_number(at, right);
}

static bool take_option(const char **at, struct hf_scanned *s)
{
    struct hf_segment *seg = &s->segment;
    uint32_t shift;
    if (take_word(at, "mss"))
        return (seg->has_mss = true) && take_u16(at, &seg->mss_bytes);
    if (take_word(at, "sackOK"))
        return seg->has_sack_permitted = true;
    if (take_word(at, "TS"))
        return take_timestamps(at, s);
    if (take_word(at, "sack"))
        return take_sack(at, seg);
    if (!take_word(at, "wscale") || !take_number(at, &shift) || shift > UINT8_MAX)
        return false;
    seg->has_wscale = true;
    seg->wscale = (uint8_t)shift;
    return true;
}

static bool take_options(const char **at, struct hf_scanned *s)
{
    s->has_options = true;
    if (take_sign(at, '>'))
        return true;
    do {
        if (!take_option(at, s))
            return false;
    } while (take_sign(at, ','));
    return take_sign(at, '>');
}

/* "N", "N:M" or "N:M(L)". */
static bool take_seq(const char **at, struct hf_scanned *s)
{
    uint32_t end, length;
    s->has_seq = true;
    if (!take_number(at, &s->segment.seq))
        return false;
    if (!take_sign(at, ':'))
        return true;
    if (!take_number(at, &end))
        return false;
    s->segment.payload_bytes = end - s->segment.seq;
    s->has_length = true;
    if (!take_sign(at, '('))
        return true;
    return take_number(at, &length) && take_sign(at, ')') && length == s->segment.payload_bytes;
}

static bool take_field(const char **at, struct hf_scanned *s)
{
    if (take_word(at, "seq"))
        return take_seq(at, s);
    if (take_word(at, "ack"))
        return (s->has_ack = true) && take_number(at, &s->segment.ack);
    if (take_word(at, "win"))
        return (s->has_window = true) && take_u16(at, &s->segment.window);
    if (take_word(at, "urg"))
        return (s->has_urgent = true) && take_u16(at, &s->segment.urgent_pointer);
    if (take_word(at, "len"))
        return (s->has_length = true) && take_number(at, &s->segment.payload_bytes);
    return take_sign(at, '<') && take_options(at, s);
}

bool hf_segment_scan(const char *text, struct hf_scanned *scanned)
{
    *scanned = (struct hf_scanned){0};
    const char *at = text;
    bool good = take_time(&at, scanned) && take_flags(&at, &scanned->segment.flags);
    for (skip_blanks(&at); good && *at != '\0'; skip_blanks(&at))
        good = take_field(&at, scanned);
    scanned->fault = good ? NULL : at;
    return good;
}
