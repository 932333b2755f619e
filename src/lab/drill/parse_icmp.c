/**
 * ICMP lines: `icmp unreachable frag_needed mtu 1400 [1:1001(1000)]`.
 */
#include "parser.h"

#include <string.h>

#include "icmp_names.h"

/** `type_13`, `code_2`: those without a name. */
static bool by_number(const char *text, const char *prefix, uint8_t *value)
{
    size_t n = strlen(prefix);
    uint64_t number;
    if (strncmp(text, prefix, n) != 0 || !hf_text_number(text + n, strlen(text + n), &number) ||
        number > UINT8_MAX)
        return false;
    *value = (uint8_t)number;
    return true;
}

static bool icmp_type(struct hf_lexer *l, struct hf_script_icmp *icmp)
{
    struct hf_token token;
    if (!hf_lexer_token(l, "the type of an ICMP packet", &token))
        return false;
    if (!hf_icmp_type_value(icmp->v6, token.text, &icmp->type) &&
        !by_number(token.text, "type_", &icmp->type))
        return hf_lexer_fail(l, token.place, "'%s' is no type of %s", token.text,
                             icmp->v6 ? "ICMPv6" : "ICMP");
    return true;
}

static bool icmp_code(struct hf_lexer *l, struct hf_script_icmp *icmp)
{
    char first = hf_lexer_peek(l);
    struct hf_lexer before = *l;
    if (!hf_is_word_char(first) || hf_is_digit(first) || hf_lexer_accept_word(l, "mtu") ||
        hf_lexer_accept_word(l, "id")) {
        hf_lexer_return(l, &before);
        return true;
    }
    struct hf_token token;
    if (!hf_lexer_token(l, "the code of an ICMP packet", &token))
        return false;
    if (!hf_icmp_code_value(icmp->v6, icmp->type, token.text, &icmp->code) &&
        !by_number(token.text, "code_", &icmp->code))
        return hf_lexer_fail(l, token.place, "'%s' is no code of %s type %u", token.text,
                             icmp->v6 ? "ICMPv6" : "ICMP", icmp->type);
    return true;
}

static bool quote(struct hf_lexer *l, struct hf_script_icmp *icmp)
{
    struct hf_place place = hf_lexer_place(l);
    if (!hf_lexer_accept(l, "["))
        return true;
    if (hf_lexer_accept_word(l, "udp") || hf_lexer_accept_word(l, "sctp"))
        return hf_lexer_fail(l, place, "a quoted packet other than of TCP is not supported");
    icmp->has_quote = true;
    return hf_parse_extent(l, &icmp->quote_seq, &icmp->quote_length_bytes) &&
           hf_lexer_expect(l, "]", "behind the quoted packet");
}

bool hf_parse_icmp(struct hf_lexer *l, struct hf_script_icmp *icmp)
{
    uint64_t n;
    if (!icmp_type(l, icmp) || !icmp_code(l, icmp))
        return false;
    if (hf_lexer_accept_word(l, "mtu")) {
        if (!hf_lexer_number(l, "the MTU", UINT32_MAX, &n))
            return false;
        icmp->has_mtu = true;
        icmp->mtu = (uint32_t)n;
    }
    if (hf_lexer_accept_word(l, "id")) {
        if (!hf_lexer_number(l, "the id", UINT16_MAX, &n))
            return false;
        icmp->has_id = true;
        icmp->id = (uint32_t)n;
    }
    return quote(l, icmp);
}
