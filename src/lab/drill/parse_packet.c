/**
 * Packet lines: `< [ect0] P. 1:11(10) ack 1 win 1000 <nop,nop,TS val 1 ecr 2>`. TCP options are in
 * parse_option.c, names of ICMP types in parse_icmp.c.
 */
#include "parser.h"

#include <string.h>

#include "core/base.h"

enum { ACE_DIGITS = 8 };

/* ---- the IP header ------------------------------------------------------------------------ */

static bool ecn_word(struct hf_lexer *l, bool outbound, struct hf_script_ip *ip, bool *known)
{
    static const struct {
        const char *name;
        enum hf_script_ecn ecn;
    } words[] = {{"noecn", HF_SCRIPT_ECN_NONE},
                 {"ect0", HF_SCRIPT_ECN_ECT0},
                 {"ect1", HF_SCRIPT_ECN_ECT1},
                 {"ce", HF_SCRIPT_ECN_CE},
                 {"ect01", HF_SCRIPT_ECN_ECT01}};
    struct hf_place place = hf_lexer_place(l);
    *known = false;
    for (size_t i = 0; i < HF_COUNT_OF(words); i++) {
        if (!hf_lexer_accept_word(l, words[i].name))
            continue;
        *known = true;
        ip->ecn = words[i].ecn;
        if (ip->ecn == HF_SCRIPT_ECN_ECT01 && !outbound)
            return hf_lexer_fail(l, place, "ect01 says too little for a packet to inject");
    }
    return true;
}

/** Code points by name: class selectors, assured and expedited forwarding. */
static bool dscp_name(struct hf_lexer *l, struct hf_script_ip *ip)
{
    static const struct {
        const char *name;
        uint8_t dscp;
    } names[] = {{"cs0", 0},   {"cs1", 8},   {"cs2", 16},  {"cs3", 24},  {"cs4", 32},  {"cs5", 40},
                 {"cs6", 48},  {"cs7", 56},  {"af11", 10}, {"af12", 12}, {"af13", 14}, {"af21", 18},
                 {"af22", 20}, {"af23", 22}, {"af31", 26}, {"af32", 28}, {"af33", 30}, {"af41", 34},
                 {"af42", 36}, {"af43", 38}, {"ef", 46}};
    for (size_t i = 0; i < HF_COUNT_OF(names); i++) {
        if (!hf_lexer_accept_word(l, names[i].name))
            continue;
        ip->tos = (uint8_t)(names[i].dscp << 2);
        ip->has_dscp = true;
        return true;
    }
    return false;
}

static bool ip_item(struct hf_lexer *l, bool outbound, struct hf_script_ip *ip)
{
    bool known;
    uint64_t n;
    if (!ecn_word(l, outbound, ip, &known) || known || dscp_name(l, ip))
        return !l->failed;
    if (hf_lexer_accept_word(l, "tos") || hf_lexer_accept_word(l, "class")) {
        if (!hf_lexer_number(l, "the type of service", UINT8_MAX, &n))
            return false;
        ip->has_tos = true;
        ip->tos = (uint8_t)n;
    } else if (hf_lexer_accept_word(l, "ttl") || hf_lexer_accept_word(l, "hlim")) {
        if (!hf_lexer_number(l, "the hop limit", UINT8_MAX, &n))
            return false;
        ip->has_ttl = true;
        ip->ttl = (uint8_t)n;
    } else if (hf_lexer_accept_word(l, "flowlabel")) {
        if (!hf_lexer_number(l, "the flow label", 0xfffff, &n))
            return false;
        ip->has_flow_label = true;
        ip->flow_label = (uint32_t)n;
    } else if (hf_lexer_accept_word(l, "dscp")) {
        if (dscp_name(l, ip))
            return true;
        if (!hf_lexer_number(l, "the code point", 63, &n))
            return false;
        ip->has_dscp = true;
        ip->tos = (uint8_t)(n << 2);
    } else {
        return hf_lexer_expected(l, "ECN, tos, ttl, dscp or flowlabel");
    }
    return true;
}

bool hf_parse_ip_info(struct hf_lexer *l, bool outbound, const char *closing,
                      struct hf_script_ip *ip)
{
    do {
        struct hf_place place = hf_lexer_place(l);
        if (!ip_item(l, outbound, ip))
            return false;
        if (ip->has_tos && ip->has_dscp)
            return hf_lexer_fail(l, place, "both a type of service and a code point");
    } while (hf_lexer_accept(l, ","));
    return hf_lexer_expect(l, closing, "or ',' in what is said of the IP header");
}

static bool ip_header(struct hf_lexer *l, struct hf_script_packet *packet)
{
    if (hf_lexer_accept(l, "["))
        return hf_parse_ip_info(l, packet->outbound, "]", &packet->ip);
    if (hf_lexer_accept(l, "("))
        return hf_parse_ip_info(l, packet->outbound, ")", &packet->ip);
    return true;
}

/** Protocols of the language that this runner knows nothing of. */
static bool other_protocol(struct hf_lexer *l)
{
    static const char *const names[] = {"ipv4", "ipv6", "gre", "mpls", "udp", "udplite", "sctp"};
    struct hf_place place = hf_lexer_place(l);
    for (size_t i = 0; i < HF_COUNT_OF(names); i++)
        if (hf_lexer_accept_word(l, names[i]))
            return hf_lexer_fail(l, place, "%s is not supported", names[i]);
    return true;
}

/* ---- the TCP header ----------------------------------------------------------------------- */

/** `1234 > 8080`: nothing else on a line begins so. */
static bool ports(struct hf_lexer *l, struct hf_script_packet *packet)
{
    if (!hf_lexer_has_number(l))
        return true;
    struct hf_lexer before = *l;
    const char *text;
    hf_lexer_run(l, "", &text);
    bool are_ports = hf_lexer_peek(l) == '>';
    hf_lexer_return(l, &before);
    if (!are_ports)
        return !l->failed;
    uint64_t from, to;
    if (!hf_lexer_number(l, "the source port", UINT16_MAX, &from) ||
        !hf_lexer_expect(l, ">", "between the ports") ||
        !hf_lexer_number(l, "the destination port", UINT16_MAX, &to))
        return false;
    packet->has_ports = true;
    packet->source_port = (uint16_t)from;
    packet->destination_port = (uint16_t)to;
    return true;
}

static uint16_t flag_of(char letter)
{
    static const struct {
        char letter;
        uint16_t flag;
    } flags[] = {{'S', HF_SYN}, {'F', HF_FIN}, {'R', HF_RST}, {'P', HF_PSH}, {'U', HF_URG},
                 {'E', HF_ECE}, {'W', HF_CWR}, {'A', HF_AE},  {'.', HF_ACK}};
    for (size_t i = 0; i < HF_COUNT_OF(flags); i++)
        if (flags[i].letter == letter)
            return flags[i].flag;
    return 0;
}

/** The counter of AccECN: three flags read as one number. */
static uint16_t flags_of_ace(unsigned ace)
{
    return (uint16_t)((ace & 4 ? HF_AE : 0) | (ace & 2 ? HF_CWR : 0) | (ace & 1 ? HF_ECE : 0));
}

static bool one_flag(struct hf_lexer *l, char c, struct hf_place place, struct hf_script_tcp *tcp)
{
    if (c >= '0' && c < '0' + ACE_DIGITS) {
        if (tcp->has_ace)
            return hf_lexer_fail(l, place, "a second ACE digit");
        tcp->has_ace = true;
        tcp->ace = (uint8_t)(c - '0');
        return true;
    }
    uint16_t flag = flag_of(c);
    if (flag == 0)
        return hf_lexer_fail(l, place, "'%c' is no TCP flag: they are S F R P U E W A 0-7 .", c);
    if (tcp->flags & flag)
        return hf_lexer_fail(l, place, "the flag '%c' twice", c);
    tcp->flags |= flag;
    return true;
}

/** The letters, or what a word is defined as that stands for them: `S.`, `OPENING`, `SYN.` */
static size_t flag_letters(struct hf_lexer *l, const char **text)
{
    size_t n = hf_lexer_run(l, ".", text), word = 0;
    while (word < n && (*text)[word] != '.')
        word++;
    const char *defined = word == 0 ? NULL : hf_lexer_define(l, *text, word);
    if (defined == NULL)
        return n;
    size_t defined_bytes = strlen(defined), joined_bytes = defined_bytes + n - word;
    char *joined = hf_arena_take(l->arena, joined_bytes + 1);
    if (joined == NULL) {
        hf_lexer_no_memory(l);
        return 0;
    }
    memcpy(joined, defined, defined_bytes);
    memcpy(joined + defined_bytes, *text + word, n - word);
    *text = joined;
    return joined_bytes;
}

static bool flags(struct hf_lexer *l, struct hf_script_tcp *tcp)
{
    struct hf_place place = hf_lexer_place(l);
    if (hf_lexer_accept(l, "-"))
        return true;
    const char *text;
    struct hf_lexer before = *l;
    size_t n = flag_letters(l, &text);
    bool has_letter = false;
    for (size_t i = 0; i < n; i++)
        has_letter |= !hf_is_digit(text[i]);
    if (!has_letter) {
        hf_lexer_return(l, &before);
        return hf_lexer_expected(l, "the flags of a TCP packet");
    }
    for (size_t i = 0; i < n; i++, place.column++)
        if (!one_flag(l, text[i], place, tcp))
            return false;
    if (tcp->has_ace && (tcp->flags & (HF_AE | HF_CWR | HF_ECE)))
        return hf_lexer_fail(l, before.place, "an ACE digit beside the flags it is made of");
    if (tcp->has_ace)
        tcp->flags |= flags_of_ace(tcp->ace);
    return true;
}

static bool length(struct hf_lexer *l, uint32_t *length_bytes)
{
    uint64_t n;
    if (!hf_lexer_expect(l, "(", "before the length") ||
        !hf_lexer_number(l, "the length", INT32_MAX, &n) ||
        !hf_lexer_expect(l, ")", "after the length"))
        return false;
    *length_bytes = (uint32_t)n;
    return true;
}

bool hf_parse_extent(struct hf_lexer *l, uint32_t *seq, uint32_t *length_bytes)
{
    uint64_t first, last;
    struct hf_place place = hf_lexer_place(l);
    if (!hf_lexer_number(l, "a sequence number", UINT32_MAX, &first) ||
        !hf_lexer_expect(l, ":", "after the sequence number") ||
        !hf_lexer_number(l, "the sequence number of the end", UINT32_MAX, &last) ||
        !length(l, length_bytes))
        return false;
    *seq = (uint32_t)first;
    uint32_t end = *seq + *length_bytes;
    return end == last || hf_lexer_fail(l, place, "%u and a length of %u end at %u, not at %u",
                                        *seq, *length_bytes, end, (unsigned)last);
}

static bool sequence(struct hf_lexer *l, struct hf_script_packet *packet)
{
    struct hf_script_tcp *tcp = &packet->tcp;
    struct hf_place place = hf_lexer_place(l);
    if (hf_lexer_accept(l, "...")) {
        tcp->seq_kind = HF_SCRIPT_SEQ_ANY;
        if (!packet->outbound)
            return hf_lexer_fail(l, place, "a packet to inject needs a sequence number");
        return length(l, &tcp->length_bytes);
    }
    if (!hf_parse_extent(l, &tcp->seq, &tcp->length_bytes))
        return false;
    if (hf_lexer_accept(l, "!"))
        tcp->seq_kind = HF_SCRIPT_SEQ_ABSOLUTE;
    return true;
}

static bool acknowledgment(struct hf_lexer *l, struct hf_script_packet *packet)
{
    struct hf_script_tcp *tcp = &packet->tcp;
    uint64_t n;
    if (hf_lexer_accept_word(l, "ack")) {
        if (!hf_lexer_number(l, "the acknowledgment number", UINT32_MAX, &n))
            return false;
        tcp->has_ack = true;
        tcp->ack = (uint32_t)n;
    }
    if (hf_lexer_accept_word(l, "win")) {
        if (!hf_lexer_number(l, "the window", UINT16_MAX, &n))
            return false;
        tcp->has_window = true;
        tcp->window = (uint16_t)n;
    } else if (!packet->outbound) {
        return hf_lexer_expected(l, "'win' of a packet to inject");
    }
    if (hf_lexer_accept_word(l, "urg")) {
        if (!hf_lexer_number(l, "the urgent pointer", UINT16_MAX, &n))
            return false;
        tcp->has_urgent = true;
        tcp->urgent = (uint16_t)n;
    }
    return true;
}

static bool tcp_packet(struct hf_lexer *l, struct hf_script_packet *packet)
{
    if (!ports(l, packet) || !flags(l, &packet->tcp) || !sequence(l, packet) ||
        !acknowledgment(l, packet))
        return false;
    if (!hf_lexer_accept(l, "<"))
        return true;
    return hf_parse_tcp_options(l, packet->outbound, &packet->tcp);
}

bool hf_parse_packet(struct hf_lexer *l, bool v6, struct hf_script_packet *packet)
{
    packet->outbound = hf_lexer_accept(l, ">");
    if (!packet->outbound && !hf_lexer_expect(l, "<", "or '>' of a packet"))
        return false;
    if (!other_protocol(l) || !ip_header(l, packet) || !other_protocol(l))
        return false;
    if (!hf_lexer_accept_word(l, "icmp"))
        return tcp_packet(l, packet);
    packet->protocol = HF_SCRIPT_ICMP;
    packet->icmp.v6 = v6;
    return hf_parse_icmp(l, &packet->icmp);
}
