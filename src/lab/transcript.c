/**
 * Transcripts. Owns the numbering of connections; segment_text.c words the segments.
 */
#include "transcript.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/wire/icmp.h"
#include "core/wire/tcp.h"

enum { LINE_BYTES = 512 };

void hf_transcript_init(struct hf_transcript *t, unsigned detail)
{
    *t = (struct hf_transcript){.detail = detail};
}

void hf_transcript_free(struct hf_transcript *t)
{
    free(t->text);
    t->text = NULL;
    t->length_bytes = t->capacity_bytes = 0;
}

void hf_transcript_clear(struct hf_transcript *t)
{
    t->length_bytes = 0;
    t->flow_count = 0;
    if (t->text != NULL)
        t->text[0] = '\0';
}

static void append(struct hf_transcript *t, const char *bytes, size_t n)
{
    if (t->length_bytes + n + 1 > t->capacity_bytes) {
        t->capacity_bytes = 2 * (t->capacity_bytes + n) + 4096;
        t->text = realloc(t->text, t->capacity_bytes);
        HF_ASSERT(t->text != NULL);
    }
    memcpy(t->text + t->length_bytes, bytes, n);
    t->length_bytes += n;
    t->text[t->length_bytes] = '\0';
}

static void begin_line(const struct hf_transcript *t, struct hf_text *line, hf_ns now)
{
    hf_ns us = (now - t->origin_ns) / 1000;
    if (t->microseconds)
        hf_text_add(line, "%" PRId64 ".%06" PRId64, us / 1000000, us % 1000000);
    else
        hf_text_add(line, "%" PRId64 ".%03" PRId64, us / 1000000, us / 1000 % 1000);
}

static int compare_ends(const struct hf_endpoint *a, const struct hf_endpoint *b)
{
    int order = memcmp(&a->addr, &b->addr, sizeof a->addr);
    return order != 0 ? order : (int)a->port - (int)b->port;
}

static bool same_ends(const struct hf_transcript_flow *f, const struct hf_endpoint *low,
                      const struct hf_endpoint *high)
{
    return compare_ends(&f->ends[0], low) == 0 && compare_ends(&f->ends[1], high) == 0;
}

/* The connection between two ends, made when it is new. When the table is full the last entry is
 * used again: its numbers start over. */
static struct hf_transcript_flow *flow_between(struct hf_transcript *t,
                                               const struct hf_endpoint *source,
                                               const struct hf_endpoint *destination)
{
    bool up = compare_ends(source, destination) <= 0;
    const struct hf_endpoint *low = up ? source : destination;
    const struct hf_endpoint *high = up ? destination : source;
    for (size_t i = 0; i < t->flow_count; i++)
        if (same_ends(&t->flows[i], low, high))
            return &t->flows[i];
    if (t->flow_count < HF_TRANSCRIPT_FLOWS)
        t->flow_count++;
    struct hf_transcript_flow *f = &t->flows[t->flow_count - 1];
    *f = (struct hf_transcript_flow){.ends = {*low, *high}};
    return f;
}

static struct hf_segment_bases learn_bases(struct hf_transcript_flow *f, unsigned from,
                                           const struct hf_segment *seg)
{
    unsigned to = 1 - from;
    bool reset = (seg->flags & HF_RST) != 0;
    if (seg->flags & HF_SYN) {
        f->base[from] = seg->seq;
        f->known[from] = true;
    } else if (!f->known[from] && !reset) {
        f->base[from] = seg->seq - 1;
        f->known[from] = true;
    }
    if (!f->known[to] && (seg->flags & HF_ACK) && !reset) {
        f->base[to] = seg->ack - 1;
        f->known[to] = true;
    }
    return (struct hf_segment_bases){f->known[from] ? f->base[from] : 0,
                                     f->known[to] ? f->base[to] : 0};
}

static void add_tcp(struct hf_transcript *t, struct hf_text *line, const struct hf_ip *ip,
                    const uint8_t *bytes)
{
    struct hf_segment seg;
    if (hf_tcp_parse(bytes + ip->header_bytes, ip->payload_bytes, &seg) != HF_NONE) {
        hf_text_add(line, " malformed TCP (%" PRIu32 ")", ip->payload_bytes);
        return;
    }
    struct hf_endpoint source = {ip->source, seg.source_port};
    struct hf_endpoint destination = {ip->destination, seg.destination_port};
    struct hf_transcript_flow *f = flow_between(t, &source, &destination);
    size_t number = (size_t)(f - t->flows) + 1;
    if (number > 1)
        hf_text_add(line, "#%zu", number);
    hf_text_add(line, " ");
    unsigned from = compare_ends(&f->ends[0], &source) == 0 ? 0 : 1;
    hf_segment_text(line, &seg, learn_bases(f, from, &seg), t->detail);
}

static void add_icmp(struct hf_text *line, const struct hf_ip *ip, const uint8_t *bytes)
{
    struct hf_icmp icmp;
    if (hf_icmp_parse(ip, bytes + ip->header_bytes, ip->payload_bytes, false, &icmp) != HF_NONE)
        hf_text_add(line, " malformed ICMP (%" PRIu32 ")", ip->payload_bytes);
    else
        hf_text_add(line, " icmp%s %u/%u", icmp.v6 ? "6" : "", icmp.type, icmp.code);
}

static const char *fate_mark(enum hf_fate fate)
{
    switch (fate) {
    case HF_FATE_DELIVERED: return "";
    case HF_FATE_LOST: return " LOST";
    case HF_FATE_DUPLICATED: return " TWICE";
    case HF_FATE_CORRUPTED: return " CORRUPT";
    case HF_FATE_LATE: return " LATE";
    case HF_FATE_OVERFLOW: return " FULL";
    }
    return "";
}

void hf_transcript_add(struct hf_transcript *t, hf_ns now, char from, char to, const uint8_t *bytes,
                       size_t length_bytes, enum hf_fate fate)
{
    char text[LINE_BYTES];
    struct hf_text line;
    hf_text_init(&line, text, sizeof text);
    begin_line(t, &line, now);
    hf_text_add(&line, " %c>%c", from, to);
    struct hf_ip ip;
    if (hf_ip_parse(bytes, length_bytes, &ip) != HF_NONE)
        hf_text_add(&line, " malformed IP (%zu)", length_bytes);
    else if (ip.protocol == HF_IP_PROTO_TCP)
        add_tcp(t, &line, &ip, bytes);
    else if (ip.protocol == HF_IP_PROTO_ICMP || ip.protocol == HF_IP_PROTO_ICMPV6)
        add_icmp(&line, &ip, bytes);
    else
        hf_text_add(&line, " protocol %u (%zu)", ip.protocol, length_bytes);
    hf_text_add(&line, "%s\n", fate_mark(fate));
    append(t, text, hf_text_stored(&line));
}

void hf_transcript_note(struct hf_transcript *t, hf_ns now, const char *words)
{
    char text[LINE_BYTES];
    struct hf_text line;
    hf_text_init(&line, text, sizeof text);
    begin_line(t, &line, now);
    hf_text_add(&line, " -- %s\n", words);
    append(t, text, hf_text_stored(&line));
}

/* ---- comparing ---- */

static size_t line_length(const char *text)
{
    const char *end = strchr(text, '\n');
    return end == NULL ? strlen(text) : (size_t)(end - text);
}

/* Takes blanks before a line off, so that expectations may be indented. */
static const char *skip_indent(const char *text)
{
    while (*text == ' ' || *text == '\t')
        text++;
    return text;
}

static const char *next_line(const char *text)
{
    size_t n = line_length(text);
    return text[n] == '\n' ? text + n + 1 : text + n;
}

static bool same_line(const char *expected, const char *got)
{
    size_t n = line_length(expected);
    return n == line_length(got) && memcmp(expected, got, n) == 0;
}

static void print_difference(const char *expected, const char *got, const char *file, int line)
{
    fprintf(stderr, "%s:%d: the transcript differs (- expected, + got):\n", file, line);
    while (*expected != '\0' || *got != '\0') {
        expected = skip_indent(expected);
        if (same_line(expected, got)) {
            fprintf(stderr, "  %.*s\n", (int)line_length(got), got);
        } else {
            if (*expected != '\0')
                fprintf(stderr, "- %.*s\n", (int)line_length(expected), expected);
            if (*got != '\0')
                fprintf(stderr, "+ %.*s\n", (int)line_length(got), got);
        }
        expected = next_line(expected);
        got = next_line(got);
    }
}

bool hf_transcript_matches(struct hf_transcript *t, const char *expected, const char *file,
                           int line)
{
    const char *got = t->text == NULL ? "" : t->text;
    const char *e = skip_indent(expected), *g = got;
    while (*e != '\0' && *g != '\0' && same_line(e, g)) {
        e = skip_indent(next_line(e));
        g = next_line(g);
    }
    bool same = *e == '\0' && *g == '\0';
    if (!same)
        print_difference(expected, got, file, line);
    t->length_bytes = 0;
    if (t->text != NULL)
        t->text[0] = '\0';
    return same;
}
