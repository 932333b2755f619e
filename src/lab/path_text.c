/**
 * A path's configuration as words, both ways, by one table: each word's name, how it is read, how
 * it is written, and what it means.
 */
#include "path_text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base.h"

/* ---- numbers with units ---- */

struct unit {
    const char *name;
    uint64_t size;
};

/* From the largest to the smallest: the first that divides a value is the one to write it in. */
static const struct unit time_units[] = {
    {"s", 1000000000}, {"ms", 1000000}, {"us", 1000}, {"ns", 1}, {NULL, 0}};
static const struct unit rate_units[] = {
    {"gbit", 1000000000}, {"mbit", 1000000}, {"kbit", 1000}, {"bit", 1}, {NULL, 0}};
static const struct unit byte_units[] = {{"M", 1048576}, {"K", 1024}, {"B", 1}, {NULL, 0}};
static const struct unit packet_units[] = {{"p", 1}, {NULL, 0}};
static const struct unit chance_units[] = {{"%", HF_PATH_PPM / 100}, {NULL, 0}};

static const struct unit *find_unit(const struct unit *units, const char *text, size_t n)
{
    for (; units->name != NULL; units++)
        if (strlen(units->name) == n && strncmp(units->name, text, n) == 0)
            return units;
    return NULL;
}

static bool read_digits(const char **at, uint64_t *value, unsigned *count)
{
    *value = 0;
    for (*count = 0; isdigit((unsigned char)**at); (*at)++, (*count)++) {
        if (*count == 15)
            return false;
        *value = *value * 10 + (uint64_t)(**at - '0');
    }
    return *count > 0;
}

/* A number with its unit, such as 2.5ms, exactly, at most max; units that no fraction can be told
 * in take none. Zero needs no unit. */
static bool read_value(const char **at, const struct unit *units, uint64_t max, uint64_t *value)
{
    uint64_t whole, part = 0, scale = 1;
    unsigned digits;
    if (!read_digits(at, &whole, &digits))
        return false;
    if (**at == '.') {
        (*at)++;
        if (!read_digits(at, &part, &digits) || digits > 9)
            return false;
        for (; digits > 0; digits--)
            scale *= 10;
    }
    size_t n = 0;
    while (isalpha((unsigned char)(*at)[n]) || (*at)[n] == '%')
        n++;
    const struct unit *unit = find_unit(units, *at, n);
    *at += n;
    if (unit == NULL) {
        *value = 0;
        return n == 0 && whole == 0 && part == 0;
    }
    if (whole > max / unit->size || part * unit->size % scale != 0)
        return false;
    *value = whole * unit->size + part * unit->size / scale;
    return *value <= max;
}

static bool read_time(const char **at, hf_ns max_ns, hf_ns *time_ns)
{
    uint64_t value;
    if (!read_value(at, time_units, (uint64_t)max_ns, &value))
        return false;
    *time_ns = (hf_ns)value;
    return true;
}

static bool read_span(const char **at, hf_ns *span_ns)
{
    return read_time(at, HF_PATH_SPAN_MAX_NS, span_ns);
}

static bool read_rate(const char **at, int64_t *rate_bps)
{
    uint64_t value;
    if (!read_value(at, rate_units, HF_PATH_RATE_MAX_BPS, &value))
        return false;
    *rate_bps = (int64_t)value;
    return true;
}

static bool read_chance(const char **at, uint32_t *ppm)
{
    uint64_t value;
    if (!read_value(at, chance_units, HF_PATH_PPM, &value))
        return false;
    *ppm = (uint32_t)value;
    return true;
}

static bool read_count(const char **at, uint32_t *count)
{
    uint64_t value;
    unsigned digits;
    if (!read_digits(at, &value, &digits) || value > UINT32_MAX)
        return false;
    *count = (uint32_t)value;
    return true;
}

static bool skip(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

static bool skip_word(const char **at, const char *word)
{
    size_t n = strlen(word);
    if (strncmp(*at, word, n) != 0 || isalnum((unsigned char)(*at)[n]))
        return false;
    *at += n;
    return true;
}

/* ---- writing ---- */

struct writer {
    char *text;
    size_t used;
};

__attribute__((format(printf, 2, 3))) static void write_text(struct writer *w, const char *format,
                                                             ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t room = HF_PATH_TEXT_MAX_BYTES - w->used;
    int n = vsnprintf(w->text + w->used, room, format, arguments);
    va_end(arguments);
    HF_ASSERT(n >= 0 && (size_t)n < room);
    w->used += (size_t)n;
}

static void write_value(struct writer *w, const struct unit *units, uint64_t value)
{
    while (value % units->size != 0)
        units++;
    write_text(w, "%" PRIu64 "%s", value / units->size, units->name);
}

static void write_time(struct writer *w, hf_ns time_ns)
{
    write_value(w, time_units, (uint64_t)time_ns);
}

static void write_rate(struct writer *w, int64_t rate_bps)
{
    write_value(w, rate_units, (uint64_t)rate_bps);
}

static void write_chance(struct writer *w, uint32_t ppm)
{
    uint32_t part = ppm % 10000;
    int digits = 4;
    for (; digits > 0 && part % 10 == 0; digits--)
        part /= 10;
    if (digits > 0)
        write_text(w, "%" PRIu32 ".%0*" PRIu32 "%%", ppm / 10000, digits, part);
    else
        write_text(w, "%" PRIu32 "%%", ppm / 10000);
}

/* Between two words there is a space. */
static void write_name(struct writer *w, const char *name)
{
    write_text(w, "%s%s=", w->used > 0 ? " " : "", name);
}

/* ---- words that are more than one number ---- */

static bool read_burst_loss(struct hf_path_config *c, const char **at)
{
    struct hf_path_burst_loss b = {0};
    bool good = read_chance(at, &b.good_to_bad_ppm) && skip(at, ':') &&
                read_chance(at, &b.bad_to_good_ppm) && skip(at, ':') &&
                read_chance(at, &b.loss_bad_ppm) &&
                (!skip(at, ':') || read_chance(at, &b.loss_good_ppm));
    c->burst_loss = b;
    return good;
}

static void write_burst_loss(struct writer *w, const struct hf_path_config *c, const char *name)
{
    const struct hf_path_burst_loss *b = &c->burst_loss;
    if ((b->good_to_bad_ppm | b->bad_to_good_ppm | b->loss_bad_ppm | b->loss_good_ppm) == 0)
        return;
    write_name(w, name);
    write_chance(w, b->good_to_bad_ppm);
    write_text(w, ":");
    write_chance(w, b->bad_to_good_ppm);
    write_text(w, ":");
    write_chance(w, b->loss_bad_ppm);
    if (b->loss_good_ppm > 0) {
        write_text(w, ":");
        write_chance(w, b->loss_good_ppm);
    }
}

static bool read_late(struct hf_path_config *c, const char **at)
{
    hf_ns late_ns = 0;
    bool good = read_chance(at, &c->late_ppm) &&
                (!skip(at, ':') || (read_span(at, &late_ns) && late_ns > 0));
    c->late_ns = c->late_ppm > 0 ? late_ns : 0;
    return good;
}

static void write_late(struct writer *w, const struct hf_path_config *c, const char *name)
{
    if (c->late_ppm == 0)
        return;
    write_name(w, name);
    write_chance(w, c->late_ppm);
    if (c->late_ns > 0) {
        write_text(w, ":");
        write_time(w, c->late_ns);
    }
}

static bool read_range(const char **at, uint32_t *first, uint32_t *last)
{
    if (!read_count(at, first))
        return false;
    *last = *first;
    return (!skip(at, '-') || read_count(at, last)) && *first > 0 && *first <= *last;
}

static bool read_reorder(struct hf_path_config *c, const char **at)
{
    uint32_t first = 0, last = 0;
    hf_ns wait_ns = 0;
    if (!read_chance(at, &c->reorder_ppm))
        return false;
    bool good = true;
    if (skip(at, ':'))
        good = read_range(at, &first, &last) &&
               (!skip(at, ':') || (read_span(at, &wait_ns) && wait_ns > 0));
    bool is_on = c->reorder_ppm > 0;
    c->reorder_min_packets = is_on ? first : 0;
    c->reorder_max_packets = is_on ? last : 0;
    c->reorder_wait_ns = is_on ? wait_ns : 0;
    return good;
}

static void write_reorder(struct writer *w, const struct hf_path_config *c, const char *name)
{
    uint32_t least = c->reorder_min_packets, most = c->reorder_max_packets;
    if (c->reorder_ppm == 0)
        return;
    write_name(w, name);
    write_chance(w, c->reorder_ppm);
    if (most == 0 && c->reorder_wait_ns == 0)
        return;
    /* A wait is told behind a range: where there is none, behind the one that none stands for. */
    if (most == 0) {
        least = HF_PATH_REORDER_MIN_PACKETS;
        most = HF_PATH_REORDER_MAX_PACKETS;
    }
    write_text(w, ":%" PRIu32 "-%" PRIu32, least, most);
    if (c->reorder_wait_ns > 0) {
        write_text(w, ":");
        write_time(w, c->reorder_wait_ns);
    }
}

static bool read_jitter(struct hf_path_config *c, const char **at)
{
    c->jitter_kind = HF_PATH_JITTER_UNIFORM;
    if (!read_span(at, &c->jitter_ns))
        return false;
    if (!skip(at, ':'))
        return true;
    if (!skip_word(at, "normal"))
        return skip_word(at, "uniform");
    if (c->jitter_ns > 0)
        c->jitter_kind = HF_PATH_JITTER_NORMAL;
    return true;
}

static void write_jitter(struct writer *w, const struct hf_path_config *c, const char *name)
{
    if (c->jitter_ns == 0)
        return;
    write_name(w, name);
    write_time(w, c->jitter_ns);
    if (c->jitter_kind == HF_PATH_JITTER_NORMAL)
        write_text(w, ":normal");
}

static bool read_jitter_order(struct hf_path_config *c, const char **at)
{
    c->jitter_keeps_order = skip_word(at, "keep");
    return c->jitter_keeps_order || skip_word(at, "free");
}

static void write_jitter_order(struct writer *w, const struct hf_path_config *c, const char *name)
{
    if (!c->jitter_keeps_order)
        return;
    write_name(w, name);
    write_text(w, "keep");
}

/* Behind "codel": nothing, or its target and its interval. */
static bool read_codel(struct hf_path_config *c, const char **at)
{
    c->queue = HF_PATH_CODEL;
    if (!skip(at, ':'))
        return true;
    return read_span(at, &c->codel_target_ns) && c->codel_target_ns > 0 && skip(at, ':') &&
           read_time(at, HF_PATH_CODEL_MAX_NS, &c->codel_interval_ns) && c->codel_interval_ns > 0;
}

static bool read_queue_part(struct hf_path_config *c, const char **at)
{
    uint64_t value;
    const char *start = *at;
    if (skip_word(at, "codel"))
        return read_codel(c, at);
    if (read_value(at, packet_units, UINT32_MAX, &value) && value > 0) {
        c->queue_limit_packets = (uint32_t)value;
        return true;
    }
    *at = start;
    if (!read_value(at, byte_units, 1ull << 40, &value) || value == 0)
        return false;
    c->queue_limit_bytes = value;
    return true;
}

static bool read_queue(struct hf_path_config *c, const char **at)
{
    c->queue = HF_PATH_DROP_TAIL;
    c->queue_limit_packets = 0;
    c->queue_limit_bytes = 0;
    c->codel_target_ns = c->codel_interval_ns = 0;
    do {
        if (!read_queue_part(c, at))
            return false;
    } while (skip(at, '|') || skip(at, ','));
    return true;
}

static void write_queue(struct writer *w, const struct hf_path_config *c, const char *name)
{
    const char *between = "";
    if (c->queue == HF_PATH_DROP_TAIL && c->queue_limit_packets == 0 && c->queue_limit_bytes == 0)
        return;
    write_name(w, name);
    if (c->queue_limit_packets > 0) {
        write_value(w, packet_units, c->queue_limit_packets);
        between = ",";
    }
    if (c->queue_limit_bytes > 0) {
        write_text(w, "%s", between);
        write_value(w, byte_units, c->queue_limit_bytes);
        between = ",";
    }
    if (c->queue == HF_PATH_CODEL) {
        write_text(w, "%scodel", between);
        if (c->codel_target_ns > 0 || c->codel_interval_ns > 0) {
            write_text(w, ":");
            write_time(w, c->codel_target_ns > 0 ? c->codel_target_ns : HF_PATH_CODEL_TARGET_NS);
            write_text(w, ":");
            write_time(w,
                       c->codel_interval_ns > 0 ? c->codel_interval_ns : HF_PATH_CODEL_INTERVAL_NS);
        }
    }
}

static bool read_bucket(struct hf_path_bucket *b, const char **at)
{
    *b = (struct hf_path_bucket){0};
    return read_rate(at, &b->rate_bps) && b->rate_bps > 0 && skip(at, ':') &&
           read_value(at, byte_units, HF_PATH_BURST_MAX_BYTES, &b->burst_bytes) &&
           b->burst_bytes > 0;
}

static void write_bucket(struct writer *w, const struct hf_path_bucket *b, const char *name)
{
    if (b->rate_bps == 0)
        return;
    write_name(w, name);
    write_rate(w, b->rate_bps);
    write_text(w, ":");
    write_value(w, byte_units, b->burst_bytes);
}

static bool read_shaper(struct hf_path_config *c, const char **at)
{
    return read_bucket(&c->shaper, at);
}

static void write_shaper(struct writer *w, const struct hf_path_config *c, const char *name)
{
    write_bucket(w, &c->shaper, name);
}

static bool read_policer(struct hf_path_config *c, const char **at)
{
    return read_bucket(&c->policer, at);
}

static void write_policer(struct writer *w, const struct hf_path_config *c, const char *name)
{
    write_bucket(w, &c->policer, name);
}

static bool read_rate_at(struct hf_path_config *c, const char **at)
{
    uint32_t n = c->rate_change_count;
    struct hf_path_rate_change change;
    if (skip_word(at, "none")) {
        memset(c->rate_changes, 0, sizeof c->rate_changes);
        c->rate_change_count = 0;
        return true;
    }
    if (n == HF_PATH_RATE_CHANGES_MAX || !read_time(at, HF_PATH_CHANGE_MAX_NS, &change.at_ns) ||
        !skip(at, ':') || !read_rate(at, &change.rate_bps) || change.rate_bps == 0)
        return false;
    if (n > 0 && change.at_ns <= c->rate_changes[n - 1].at_ns)
        return false;
    c->rate_changes[n] = change;
    c->rate_change_count++;
    return true;
}

static void write_rate_at(struct writer *w, const struct hf_path_config *c, const char *name)
{
    for (uint32_t i = 0; i < c->rate_change_count; i++) {
        write_name(w, name);
        write_time(w, c->rate_changes[i].at_ns);
        write_text(w, ":");
        write_rate(w, c->rate_changes[i].rate_bps);
    }
}

/* ---- the table ---- */

enum word_kind { WORD_RATE, WORD_SPAN, WORD_CHANCE, WORD_COUNT, WORD_OWN };

struct word {
    const char *name;
    enum word_kind kind;
    size_t offset; /* of the one field in the configuration, unless the word has its own: */
    bool (*read)(struct hf_path_config *c, const char **at);
    void (*write)(struct writer *w, const struct hf_path_config *c, const char *name);
    const char *expected; /* of its own; others by their kind */
    const char *help;
};

#define ONE_FIELD(kind, field) kind, offsetof(struct hf_path_config, field), NULL, NULL, NULL
#define OWN(name) WORD_OWN, 0, read_##name, write_##name

static const struct word words[] = {
    {"rate", ONE_FIELD(WORD_RATE, rate_bps), "rate=10mbit: of the link; without it, no limit"},
    {"rate-at", OWN(rate_at),
     "a time and a rate such as 5s:5mbit, each time later than the one before, 32 at most; or none",
     "rate-at=5s:5mbit: the rate from then on; again for later times; none: no change"},
    {"delay", ONE_FIELD(WORD_SPAN, delay_ns), "delay=20ms: of one direction"},
    {"loss", ONE_FIELD(WORD_CHANCE, loss_ppm), "loss=1%: each packet by itself"},
    {"burst-loss", OWN(burst_loss),
     "chances such as 0.1%:20%:50% (into bursts, out of them, loss in them[, loss outside])",
     "burst-loss=0.1%:20%:50%[:0.01%]: Gilbert-Elliott; good to bad, bad to good, loss in bad, "
     "in good"},
    {"periodic", ONE_FIELD(WORD_COUNT, periodic_loss_packets),
     "periodic=100: every 100th packet is lost"},
    {"ack-loss", ONE_FIELD(WORD_CHANCE, ack_loss_ppm), "ack-loss=5%: of pure ACKs only"},
    {"corrupt", ONE_FIELD(WORD_CHANCE, corrupt_ppm), "corrupt=0.1%: one bit is turned"},
    {"duplicate", ONE_FIELD(WORD_CHANCE, duplicate_ppm), "duplicate=0.1%: arrives twice"},
    {"reorder", OWN(reorder),
     "a chance, and how many packets later, such as 1%:3-10 (then, after a colon, at most how "
     "long)",
     "reorder=1%[:3-10[:100ms]]: held back until 3 to 10 later packets have arrived, or so long"},
    {"late", OWN(late), "a chance, and how much later, such as 1%:30ms",
     "late=1%[:30ms]: arrives so much later than it should"},
    {"jitter", OWN(jitter), "a time such as 5ms, then :normal or :uniform",
     "jitter=5ms[:normal]: of the delay, for each packet; evenly between -5ms and 5ms, or normal"},
    {"jitter-order", OWN(jitter_order), "keep or free",
     "jitter-order=keep: jitter lets no packet overtake another; free: it may"},
    {"ack-aggregate", ONE_FIELD(WORD_SPAN, ack_aggregate_ns),
     "ack-aggregate=5ms: pure ACKs arrive together, every 5 ms"},
    {"queue", OWN(queue),
     "limits such as 10p or 64K, codel or codel:5ms:100ms, with a comma between",
     "queue=10p,64K,codel: a limit in packets, in bytes (1024p without any), CoDel "
     "[target:interval]"},
    {"shaper", OWN(shaper), "a rate and a burst such as 10mbit:30K (B, K, M; up to 512M)",
     "shaper=10mbit:30K: a token bucket; packets wait for tokens"},
    {"policer", OWN(policer), "a rate and a burst such as 10mbit:30K (B, K, M; up to 512M)",
     "policer=10mbit:30K: a token bucket; packets without tokens are lost"},
};

static const char *expected_by(const struct word *word)
{
    switch (word->kind) {
    case WORD_RATE: return "a rate such as 10mbit (bit, kbit, mbit, gbit; up to 1000gbit)";
    case WORD_SPAN: return "a time such as 20ms (ns, us, ms, s; up to 3600s)";
    case WORD_CHANCE:
        return "a chance such as 1% or 0.05% (four digits behind the point; up to 100%)";
    case WORD_COUNT: return "a number of packets such as 100";
    case WORD_OWN: return word->expected;
    }
    HF_UNREACHABLE("a word of no kind");
}

static bool read_word(const struct word *word, struct hf_path_config *c, const char **at)
{
    void *field = (char *)c + word->offset;
    switch (word->kind) {
    case WORD_RATE: return read_rate(at, field);
    case WORD_SPAN: return read_span(at, field);
    case WORD_CHANCE: return read_chance(at, field);
    case WORD_COUNT: return read_count(at, field);
    case WORD_OWN: return word->read(c, at);
    }
    HF_UNREACHABLE("a word of no kind");
}

static uint64_t value_of(const struct word *word, const struct hf_path_config *c)
{
    const void *field = (const char *)c + word->offset;
    switch (word->kind) {
    case WORD_RATE:
    case WORD_SPAN: return (uint64_t) * (const int64_t *)field;
    case WORD_CHANCE:
    case WORD_COUNT: return *(const uint32_t *)field;
    case WORD_OWN: break;
    }
    HF_UNREACHABLE("a word without a field of its own");
}

static void write_field(struct writer *w, enum word_kind kind, uint64_t value)
{
    switch (kind) {
    case WORD_RATE: write_value(w, rate_units, value); return;
    case WORD_SPAN: write_value(w, time_units, value); return;
    case WORD_CHANCE: write_chance(w, (uint32_t)value); return;
    case WORD_COUNT: write_text(w, "%" PRIu64, value); return;
    case WORD_OWN: break;
    }
    HF_UNREACHABLE("a word without a field of its own");
}

static void write_word(struct writer *w, const struct word *word, const struct hf_path_config *c)
{
    if (word->kind == WORD_OWN) {
        word->write(w, c, word->name);
    } else if (value_of(word, c) > 0) {
        write_name(w, word->name);
        write_field(w, word->kind, value_of(word, c));
    }
}

/* ---- from and to text ---- */

enum { SHOWN_MAX_BYTES = 64 };

/* What is shown of a word is printable and not too long. */
static bool complain(char *error, const char *word, size_t n, const char *what)
{
    char shown[SHOWN_MAX_BYTES + 1];
    size_t i = 0;
    for (; i < n && i < SHOWN_MAX_BYTES; i++)
        shown[i] = isprint((unsigned char)word[i]) ? word[i] : '?';
    shown[i] = '\0';
    int room = HF_PATH_ERROR_MAX_BYTES - (int)sizeof shown - (int)sizeof "\"...\": ";
    snprintf(error, HF_PATH_ERROR_MAX_BYTES, "\"%s%s\": %.*s", shown, i < n ? "..." : "", room,
             what);
    return false;
}

static bool complain_name(char *error, const char *text, size_t n)
{
    char names[HF_PATH_ERROR_MAX_BYTES];
    size_t used = 0;
    for (size_t i = 0; i < HF_COUNT_OF(words); i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "",
                                 words[i].name);
    char what[HF_PATH_ERROR_MAX_BYTES];
    snprintf(what, sizeof what, "expected one of %.*s", 300, names);
    return complain(error, text, n, what);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The word name=value of n bytes, in text that may go on behind it. */
static bool take_word(const char *text, size_t n, struct hf_path_config *config, char *error)
{
    const char *equals = memchr(text, '=', n);
    if (equals == NULL)
        return complain(error, text, n, "expected name=value");
    size_t name_bytes = (size_t)(equals - text);
    for (size_t i = 0; i < HF_COUNT_OF(words); i++) {
        const struct word *word = &words[i];
        if (strlen(word->name) != name_bytes || memcmp(word->name, text, name_bytes) != 0)
            continue;
        const char *at = equals + 1;
        if (read_word(word, config, &at) && at == text + n)
            return true;
        char what[HF_PATH_ERROR_MAX_BYTES];
        snprintf(what, sizeof what, "expected %s", expected_by(word));
        return complain(error, text, n, what);
    }
    return complain_name(error, text, n);
}

bool hf_path_parse(const char *text, struct hf_path_config *config,
                   char error[static HF_PATH_ERROR_MAX_BYTES])
{
    struct hf_path_config with = *config;
    const char *at = text;
    for (;;) {
        while (is_space(*at))
            at++;
        const char *start = at;
        while (*at != '\0' && !is_space(*at))
            at++;
        if (at == start)
            break;
        if (!take_word(start, (size_t)(at - start), &with, error))
            return false;
    }
    *config = with;
    return true;
}

bool hf_path_set(struct hf_path_config *config, const char *name, const char *value,
                 char error[static HF_PATH_ERROR_MAX_BYTES])
{
    char text[HF_PATH_TEXT_MAX_BYTES];
    int n = snprintf(text, sizeof text, "%s=%s", name, value);
    if (n < 0 || (size_t)n >= sizeof text)
        return complain(error, name, strlen(name), "the value is too long");
    if (strchr(name, '=') != NULL)
        return complain_name(error, name, strlen(name));
    struct hf_path_config with = *config;
    if (!take_word(text, (size_t)n, &with, error))
        return false;
    *config = with;
    return true;
}

void hf_path_print(const struct hf_path_config *config, char text[static HF_PATH_TEXT_MAX_BYTES])
{
    struct writer w = {.text = text};
    text[0] = '\0';
    for (size_t i = 0; i < HF_COUNT_OF(words); i++)
        write_word(&w, &words[i], config);
}

const char *hf_path_help(unsigned i)
{
    return i < HF_COUNT_OF(words) ? words[i].help : NULL;
}

const char *hf_path_fate_text(enum hf_path_fate fate)
{
    switch (fate) {
    case HF_PATH_DELIVERED: return "delivered";
    case HF_PATH_CORRUPTED: return "corrupted";
    case HF_PATH_DUPLICATED: return "duplicated";
    case HF_PATH_REORDERED: return "reordered";
    case HF_PATH_LATE: return "late";
    case HF_PATH_LOST_RANDOM: return "lost at random";
    case HF_PATH_LOST_BURST: return "lost in a burst";
    case HF_PATH_LOST_PERIODIC: return "lost in turn";
    case HF_PATH_LOST_ACK: return "lost as an ACK";
    case HF_PATH_LOST_POLICER: return "lost to the policer";
    case HF_PATH_LOST_QUEUE: return "lost to a full queue";
    case HF_PATH_LOST_CODEL: return "lost to CoDel";
    case HF_PATH_LOST_NO_SLOT: return "lost for want of memory";
    case HF_PATH_LOST_BY_CALLER: return "lost by decision";
    case HF_PATH_FATES: break;
    }
    HF_UNREACHABLE("a packet of no fate");
}
