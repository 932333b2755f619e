/**
 * A segment in words. Owns nothing; the caller knows the initial sequence numbers.
 */
#include "segment_text.h"

#include <inttypes.h>

size_t hf_flags_text(uint16_t flags, char text[HF_FLAGS_TEXT_BYTES])
{
    static const struct {
        uint16_t flag;
        char letter;
    } letters[] = {{HF_SYN, 'S'}, {HF_FIN, 'F'}, {HF_RST, 'R'}, {HF_PSH, 'P'}, {HF_URG, 'U'},
                   {HF_ECE, 'E'}, {HF_CWR, 'W'}, {HF_AE, 'A'},  {HF_ACK, '.'}};
    size_t n = 0;
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++)
        if (flags & letters[i].flag)
            text[n++] = letters[i].letter;
    if (n == 0)
        text[n++] = '-';
    text[n] = '\0';
    return n;
}

int64_t hf_relative(uint32_t number, uint32_t base)
{
    uint32_t distance = number - base;
    return distance >= 0xF0000000u ? (int64_t)distance - ((int64_t)1 << 32) : distance;
}

static void begin_option(struct hf_text *t, bool *any, const char *separator)
{
    hf_text_add(t, "%s", *any ? separator : "<");
    *any = true;
}

bool hf_options_text(struct hf_text *t, const struct hf_segment *seg, struct hf_segment_bases bases,
                     unsigned detail)
{
    bool any = false;
    const char *separator = detail & HF_DETAIL_PROSE ? ", " : ",";
    const char *to = detail & HF_DETAIL_PROSE ? ".." : ":";
    bool full = (detail & HF_DETAIL_OPTIONS) != 0;
    if (full && seg->has_mss) {
        begin_option(t, &any, separator);
        hf_text_add(t, "mss %u", seg->mss_bytes);
    }
    if (full && seg->has_sack_permitted) {
        begin_option(t, &any, separator);
        hf_text_add(t, "sackOK");
    }
    if (seg->has_timestamps && (detail & HF_DETAIL_TIMESTAMPS)) {
        begin_option(t, &any, separator);
        hf_text_add(t, "TS %" PRIu32 " %" PRIu32, seg->ts_value, seg->ts_echo);
    } else if (seg->has_timestamps && full && (seg->flags & HF_SYN)) {
        begin_option(t, &any, separator);
        hf_text_add(t, "TS");
    }
    if (full && seg->has_wscale) {
        begin_option(t, &any, separator);
        hf_text_add(t, "wscale %u", seg->wscale);
    }
    for (unsigned i = 0; full && i < seg->sack_count && i < HF_SACK_BLOCKS_MAX; i++) {
        begin_option(t, &any, separator);
        /* SACK blocks speak of what the segment's sender received: the numbers of its ACKs. */
        hf_text_add(t, "sack %" PRId64 "%s%" PRId64, hf_relative(seg->sack[i].left, bases.ack), to,
                    hf_relative(seg->sack[i].right, bases.ack));
    }
    if (any)
        hf_text_add(t, ">");
    return any;
}

void hf_segment_text(struct hf_text *t, const struct hf_segment *seg, struct hf_segment_bases bases,
                     unsigned detail)
{
    char flags[HF_FLAGS_TEXT_BYTES];
    hf_flags_text(seg->flags, flags);
    int64_t seq = hf_relative(seg->seq, bases.seq);
    hf_text_add(t, "%s seq %" PRId64, flags, seq);
    if (seg->payload_bytes > 0)
        hf_text_add(t, ":%" PRId64 "(%" PRIu32 ")", seq + seg->payload_bytes, seg->payload_bytes);
    if (seg->flags & HF_ACK)
        hf_text_add(t, " ack %" PRId64, hf_relative(seg->ack, bases.ack));
    bool tells = (detail & HF_DETAIL_WINDOW) || (seg->flags & HF_SYN) || seg->window == 0;
    if (tells && (!(seg->flags & HF_RST) || (detail & HF_DETAIL_WINDOW)))
        hf_text_add(t, " win %u", seg->window);
    if (seg->flags & HF_URG)
        hf_text_add(t, " urg %u", seg->urgent_pointer);
    char options[HF_SEGMENT_TEXT_BYTES];
    struct hf_text o;
    hf_text_init(&o, options, sizeof options);
    if (hf_options_text(&o, seg, bases, detail))
        hf_text_add(t, " %s", options);
}
