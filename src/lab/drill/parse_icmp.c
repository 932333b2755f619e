/**
 * ICMP lines: `icmp unreachable frag_needed mtu 1400 [1:1001(1000)]`, and the names in them.
 */
#include "parser.h"

#include <string.h>

enum { ANY_TYPE = -1 };

struct name {
    const char *name;
    uint8_t value;
    int type; /**< that a code belongs to */
};

static const struct name types_v4[] = {
    {"echo_reply", 0, ANY_TYPE},         {"unreachable", 3, ANY_TYPE},
    {"source_quench", 4, ANY_TYPE},      {"redirect", 5, ANY_TYPE},
    {"echo_request", 8, ANY_TYPE},       {"time_exceeded", 11, ANY_TYPE},
    {"parameter_problem", 12, ANY_TYPE},
};

static const struct name codes_v4[] = {
    {"net_unreachable", 0, 3},
    {"host_unreachable", 1, 3},
    {"protocol_unreachable", 2, 3},
    {"port_unreachable", 3, 3},
    {"frag_needed", 4, 3},
    {"source_route_failed", 5, 3},
    {"net_unknown", 6, 3},
    {"host_unknown", 7, 3},
    {"source_host_isolated", 8, 3},
    {"net_prohibited", 9, 3},
    {"host_prohibited", 10, 3},
    {"net_unreachable_for_tos", 11, 3},
    {"host_unreachable_for_tos", 12, 3},
    {"packet_filtered", 13, 3},
    {"precedence_violation", 14, 3},
    {"precedence_cutoff", 15, 3},
    {"ttl_exceeded_in_transit", 0, 11},
    {"fragment_reassembly_time_exceeded", 1, 11},
};

static const struct name types_v6[] = {
    {"unreachable", 1, ANY_TYPE},    {"packet_too_big", 2, ANY_TYPE},
    {"time_exceeded", 3, ANY_TYPE},  {"parameter_problem", 4, ANY_TYPE},
    {"echo_request", 128, ANY_TYPE}, {"echo_reply", 129, ANY_TYPE},
};

static const struct name codes_v6[] = {
    {"no_route", 0, 1},
    {"admin_prohibited", 1, 1},
    {"not_neighbour", 2, 1},
    {"address_unreachable", 3, 1},
    {"port_unreachable", 4, 1},
    {"hop_limit_exceeded_in_transit", 0, 3},
    {"fragment_reassembly_time_exceeded", 1, 3},
};

static const struct name *find(const struct name *names, size_t count, const char *text, int type)
{
    for (size_t i = 0; i < count; i++)
        if (names[i].type == type && strcmp(names[i].name, text) == 0)
            return &names[i];
    return NULL;
}

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
    const struct name *name =
        icmp->v6 ? find(types_v6, sizeof types_v6 / sizeof types_v6[0], token.text, ANY_TYPE)
                 : find(types_v4, sizeof types_v4 / sizeof types_v4[0], token.text, ANY_TYPE);
    if (name != NULL)
        icmp->type = name->value;
    else if (!by_number(token.text, "type_", &icmp->type))
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
    const struct name *name =
        icmp->v6 ? find(codes_v6, sizeof codes_v6 / sizeof codes_v6[0], token.text, icmp->type)
                 : find(codes_v4, sizeof codes_v4 / sizeof codes_v4[0], token.text, icmp->type);
    if (name != NULL)
        icmp->code = name->value;
    else if (!by_number(token.text, "code_", &icmp->code))
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
