/**
 * TCP options as scripts write them: `<mss 1460,nop,wscale 8,sackOK,TS val 1 ecr 2>`.
 */
#include "parser.h"

#include <string.h>

#include "options.h"

enum {
    EXID_FAST_OPEN = 0xf989,
    MD5_BYTES = 16,
    ACCECN_FIELDS = 3,
};

/* ---- bytes in hexadecimal ----------------------------------------------------------------- */

static bool add_hex(struct hf_lexer *l, struct hf_place place, const char *text, size_t n,
                    struct hf_script_option *o)
{
    if (n >= 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        text += 2;
        n -= 2;
    }
    for (size_t i = 0; i < n; i++)
        if (hf_hex_digit(text[i]) < 0)
            return hf_lexer_fail(l, place, "'%c' is no hexadecimal digit", text[i]);
    if (n == 0 || n % 2 != 0)
        return hf_lexer_fail(l, place, "bytes take two hexadecimal digits each");
    size_t room = HF_OPTION_BYTES - (o->raw ? 0 : 2);
    if (o->byte_count + n / 2 > room)
        return hf_lexer_fail(l, place, "an option of more than %d bytes", HF_OPTION_BYTES);
    for (size_t i = 0; i < n; i += 2)
        o->bytes[o->byte_count++] =
            (uint8_t)(hf_hex_digit(text[i]) * 16 + hf_hex_digit(text[i + 1]));
    return true;
}

/** Bytes, or a define that stands for them. */
static bool hex(struct hf_lexer *l, struct hf_script_option *o)
{
    char first = hf_lexer_peek(l);
    struct hf_token token = {.place = hf_lexer_place(l)};
    if (!hf_is_word_char(first))
        return hf_lexer_expected(l, "bytes in hexadecimal");
    if (hf_is_digit(first))
        token.text_bytes = hf_lexer_run(l, "", &token.text);
    else if (!hf_lexer_token(l, "bytes in hexadecimal", &token))
        return false;
    return add_hex(l, token.place, token.text, token.text_bytes, o);
}

static bool ends_option(struct hf_lexer *l)
{
    char next = hf_lexer_peek(l);
    return next == ',' || next == '>';
}

static void add_exid(struct hf_script_option *o, unsigned exid)
{
    hf_put16(o->bytes, (uint16_t)exid);
    o->byte_count = 2;
}

/* ---- options with values ------------------------------------------------------------------ */

static bool mss(struct hf_lexer *l, struct hf_script_option *o)
{
    uint64_t n;
    o->kind = HF_KIND_MSS;
    if (!hf_lexer_number(l, "the MSS", UINT16_MAX, &n))
        return false;
    o->mss = (uint16_t)n;
    return true;
}

static bool wscale(struct hf_lexer *l, struct hf_script_option *o)
{
    uint64_t n;
    o->kind = HF_KIND_WSCALE;
    if (!hf_lexer_number(l, "the window scale", UINT8_MAX, &n))
        return false;
    o->shift = (uint8_t)n;
    return true;
}

static bool sack(struct hf_lexer *l, struct hf_script_option *o)
{
    o->kind = HF_KIND_SACK;
    do {
        uint64_t left, right;
        struct hf_place place = hf_lexer_place(l);
        if (o->block_count == HF_COUNT_OF(o->blocks))
            return hf_lexer_fail(l, place, "more than %zu SACK blocks", HF_COUNT_OF(o->blocks));
        if (!hf_lexer_number(l, "the left edge of a SACK block", UINT32_MAX, &left) ||
            !hf_lexer_expect(l, ":", "between the edges of a SACK block") ||
            !hf_lexer_number(l, "the right edge of a SACK block", UINT32_MAX, &right))
            return false;
        o->blocks[o->block_count++] = (struct hf_script_block){(uint32_t)left, (uint32_t)right};
    } while (hf_lexer_has_number(l));
    return true;
}

static bool timestamps(struct hf_lexer *l, struct hf_script_option *o)
{
    uint64_t n = 0;
    o->kind = HF_KIND_TIMESTAMPS;
    if (!hf_lexer_accept_word(l, "val"))
        return hf_lexer_expected(l, "'val' behind TS");
    o->ts_value_any = hf_lexer_accept(l, "...");
    if (!o->ts_value_any && !hf_lexer_number(l, "the value of a timestamp", UINT32_MAX, &n))
        return false;
    o->ts_value = (uint32_t)n;
    if (!hf_lexer_accept_word(l, "ecr"))
        return hf_lexer_expected(l, "'ecr' behind the value of a timestamp");
    if (!hf_lexer_number(l, "the echo of a timestamp", UINT32_MAX, &n))
        return false;
    o->ts_echo = (uint32_t)n;
    o->ts_echo_exact = hf_lexer_accept(l, "!");
    return true;
}

static bool fast_open(struct hf_lexer *l, struct hf_script_option *o)
{
    o->kind = HF_KIND_FAST_OPEN;
    return ends_option(l) || hex(l, o);
}

static bool fast_open_experiment(struct hf_lexer *l, struct hf_script_option *o)
{
    o->kind = HF_KIND_EXPERIMENT;
    add_exid(o, EXID_FAST_OPEN);
    return ends_option(l) || hex(l, o);
}

static bool md5(struct hf_lexer *l, struct hf_script_option *o)
{
    struct hf_place place = hf_lexer_place(l);
    o->kind = HF_KIND_MD5;
    if (hf_lexer_accept_word(l, "valid"))
        return hf_lexer_fail(l, place, "md5 valid is not supported");
    if (!hex(l, o))
        return false;
    return o->byte_count == MD5_BYTES ||
           hf_lexer_fail(l, place, "an MD5 signature of %u bytes, not 16", o->byte_count);
}

/* ---- AccECN ------------------------------------------------------------------------------- */

/** Up to three counters of 24 bits, in one of two orders; the kind of the option says which. */
static bool counters(struct hf_lexer *l, struct hf_script_option *o)
{
    static const char *const orders[2][ACCECN_FIELDS] = {{"e0b", "ceb", "e1b"},
                                                         {"e1b", "ceb", "e0b"}};
    const char *const *order = orders[o->kind == HF_KIND_ACCECN1];
    for (size_t i = 0; i < ACCECN_FIELDS && hf_lexer_accept_word(l, order[i]); i++) {
        uint64_t n;
        if (!hf_lexer_number(l, "a counter", 0xffffff, &n))
            return false;
        uint8_t *to = o->bytes + o->byte_count;
        to[0] = (uint8_t)(n >> 16);
        hf_put16(to + 1, (uint16_t)n);
        o->byte_count += 3;
    }
    return ends_option(l) || hf_lexer_expected(l, "e0b, ceb, e1b, or e1b, ceb, e0b in this order");
}

static bool ecn(struct hf_lexer *l, struct hf_script_option *o)
{
    struct hf_lexer before = *l;
    o->kind = hf_lexer_accept_word(l, "e1b") ? HF_KIND_ACCECN1 : HF_KIND_ACCECN0;
    hf_lexer_return(l, &before);
    return counters(l, o);
}

static bool accecn0(struct hf_lexer *l, struct hf_script_option *o)
{
    o->kind = HF_KIND_ACCECN0;
    return counters(l, o);
}

static bool accecn1(struct hf_lexer *l, struct hf_script_option *o)
{
    o->kind = HF_KIND_ACCECN1;
    return counters(l, o);
}

/* ---- options by their words --------------------------------------------------------------- */

static bool no_operation(struct hf_lexer *l, struct hf_script_option *o)
{
    (void)l;
    o->kind = HF_KIND_NOP;
    return true;
}

static bool end_of_list(struct hf_lexer *l, struct hf_script_option *o)
{
    (void)l;
    o->kind = HF_KIND_EOL;
    return true;
}

static bool sack_permitted(struct hf_lexer *l, struct hf_script_option *o)
{
    (void)l;
    o->kind = HF_KIND_SACK_PERMITTED;
    return true;
}

static const struct {
    const char *word;
    bool (*parse)(struct hf_lexer *l, struct hf_script_option *o);
} words[] = {
    {"mss", mss},
    {"wscale", wscale},
    {"sackOK", sack_permitted},
    {"sack", sack},
    {"TS", timestamps},
    {"nop", no_operation},
    {"eol", end_of_list},
    {"FO", fast_open},
    {"FOEXP", fast_open_experiment},
    {"exp-FO", fast_open_experiment},
    {"md5", md5},
    {"ECN", ecn},
    {"AccECN0", accecn0},
    {"AccECN1", accecn1},
};

/** `gen-77 0102`: any kind, by its number. */
static bool any_kind(struct hf_lexer *l, struct hf_place place, const char *text, size_t n,
                     struct hf_script_option *o)
{
    uint64_t kind;
    if (!hf_text_number(text, n, &kind) || kind <= HF_KIND_NOP || kind > UINT8_MAX)
        return hf_lexer_fail(l, place, "an option's kind is from 2 to 255");
    o->kind = (uint8_t)kind;
    return ends_option(l) || hex(l, o);
}

/** `exp-f989 0102`: a shared experiment, by its identifier. */
static bool experiment(struct hf_lexer *l, struct hf_place place, const char *text, size_t n,
                       struct hf_script_option *o)
{
    o->kind = HF_KIND_EXPERIMENT;
    if (!add_hex(l, place, text, n, o))
        return false;
    if (o->byte_count != 2 && o->byte_count != 4)
        return hf_lexer_fail(l, place, "an experiment's identifier has 2 or 4 bytes");
    return ends_option(l) || hex(l, o);
}

static bool is_word(const char *text, size_t n, const char *word)
{
    return strlen(word) == n && memcmp(text, word, n) == 0;
}

static bool begins(const char *text, size_t n, const char *prefix)
{
    return n > strlen(prefix) && memcmp(text, prefix, strlen(prefix)) == 0;
}

static bool option(struct hf_lexer *l, struct hf_script_option *o)
{
    struct hf_lexer before = *l;
    o->place = hf_lexer_place(l);
    const char *text;
    size_t n = hf_lexer_run(l, "-", &text);
    for (size_t i = 0; i < HF_COUNT_OF(words); i++)
        if (is_word(text, n, words[i].word))
            return words[i].parse(l, o);
    if (begins(text, n, "gen-"))
        return any_kind(l, o->place, text + 4, n - 4, o);
    if (begins(text, n, "exp-"))
        return experiment(l, o->place, text + 4, n - 4, o);
    bool is_hex = n > 0;
    size_t from = begins(text, n, "0x") ? 2 : 0;
    for (size_t i = from; i < n; i++)
        is_hex &= hf_hex_digit(text[i]) >= 0;
    if (is_hex) {
        o->raw = true;
        return add_hex(l, o->place, text, n, o) && (o->kind = o->bytes[0], true);
    }
    hf_lexer_return(l, &before);
    return hf_lexer_expected(l, "a TCP option");
}

bool hf_parse_tcp_options(struct hf_lexer *l, bool outbound, struct hf_script_tcp *tcp)
{
    struct hf_place place = hf_lexer_place(l);
    tcp->options = HF_SCRIPT_OPTIONS_LIST;
    if (hf_lexer_accept(l, "...")) {
        tcp->options = HF_SCRIPT_OPTIONS_ANY;
        if (!outbound)
            return hf_lexer_fail(l, place, "a packet to inject needs its options told");
        return hf_lexer_expect(l, ">", "behind '...'");
    }
    do {
        struct hf_script_option o = {0};
        place = hf_lexer_place(l);
        if (tcp->option_count == HF_SCRIPT_MAX_TCP_OPTIONS)
            return hf_lexer_fail(l, place, "more than %d options", HF_SCRIPT_MAX_TCP_OPTIONS);
        if (!option(l, &o))
            return false;
        tcp->option = hf_arena_grow(l->arena, tcp->option, tcp->option_count, sizeof o);
        if (tcp->option == NULL)
            return hf_lexer_no_memory(l);
        tcp->option[tcp->option_count++] = o;
    } while (hf_lexer_accept(l, ","));
    return hf_lexer_expect(l, ">", "or ',' behind a TCP option");
}
