/**
 * Packets in the script's notation: what the parser reads, written.
 */
#include "flow.h"

#include <inttypes.h>

#include "icmp_names.h"
#include "show/segment_text.h"

/* ---- options ------------------------------------------------------------------------------ */

static void hex(struct hf_text *t, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        hf_text_add(t, "%02x", bytes[i]);
}

/** `WORD` or `WORD 0102`. */
static void word_and_bytes(struct hf_text *t, const char *word, const uint8_t *bytes, size_t n)
{
    hf_text_add(t, n > 0 ? "%s " : "%s", word);
    hex(t, bytes, n);
}

static void any_kind(struct hf_text *t, const struct hf_script_option *o)
{
    hf_text_add(t, o->byte_count > 0 ? "gen-%u " : "gen-%u", o->kind);
    hex(t, o->bytes, o->byte_count);
}

static void experiment(struct hf_text *t, const struct hf_script_option *o)
{
    if (o->byte_count < 2) {
        any_kind(t, o);
        return;
    }
    hf_text_add(t, o->byte_count > 2 ? "exp-%04x " : "exp-%04x", hf_get16(o->bytes));
    hex(t, o->bytes + 2, o->byte_count - 2u);
}

static void counters(struct hf_text *t, const struct hf_script_option *o)
{
    static const char *const orders[2][3] = {{"e0b", "ceb", "e1b"}, {"e1b", "ceb", "e0b"}};
    bool second = o->kind == HF_KIND_ACCECN1;
    if (o->byte_count % 3 != 0 || o->byte_count > 9) {
        any_kind(t, o);
        return;
    }
    hf_text_add(t, "AccECN%d", second);
    for (size_t i = 0; i < o->byte_count / 3u; i++)
        hf_text_add(t, " %s %u", orders[second][i],
                    (unsigned)o->bytes[i * 3] << 16 | hf_get16(o->bytes + i * 3 + 1));
}

static void sack(struct hf_text *t, const struct hf_script_option *o)
{
    hf_text_add(t, "sack");
    for (size_t i = 0; i < o->block_count; i++)
        hf_text_add(t, " %" PRIu32 ":%" PRIu32, o->blocks[i].left, o->blocks[i].right);
}

static void timestamps(struct hf_text *t, const struct hf_script_option *o)
{
    if (o->ts_value_any)
        hf_text_add(t, "TS val ...");
    else
        hf_text_add(t, "TS val %" PRIu32, o->ts_value);
    hf_text_add(t, " ecr %" PRIu32 "%s", o->ts_echo, o->ts_echo_exact ? "!" : "");
}

static void option(struct hf_text *t, const struct hf_script_option *o)
{
    if (o->raw) {
        hf_text_add(t, "0x");
        hex(t, o->bytes, o->byte_count);
        return;
    }
    switch (o->kind) {
    case HF_KIND_EOL: hf_text_add(t, "eol"); return;
    case HF_KIND_NOP: hf_text_add(t, "nop"); return;
    case HF_KIND_MSS: hf_text_add(t, "mss %u", o->mss); return;
    case HF_KIND_WSCALE: hf_text_add(t, "wscale %u", o->shift); return;
    case HF_KIND_SACK_PERMITTED: hf_text_add(t, "sackOK"); return;
    case HF_KIND_SACK: sack(t, o); return;
    case HF_KIND_TIMESTAMPS: timestamps(t, o); return;
    case HF_KIND_FAST_OPEN: word_and_bytes(t, "FO", o->bytes, o->byte_count); return;
    case HF_KIND_EXPERIMENT: experiment(t, o); return;
    case HF_KIND_ACCECN0:
    case HF_KIND_ACCECN1: counters(t, o); return;
    default: any_kind(t, o);
    }
}

void hf_script_options_text(struct hf_text *t, const struct hf_script_tcp *tcp)
{
    if (tcp->options == HF_SCRIPT_OPTIONS_ANY) {
        hf_text_add(t, "<...>");
        return;
    }
    for (size_t i = 0; i < tcp->option_count; i++) {
        hf_text_add(t, i == 0 ? "<" : ",");
        option(t, &tcp->option[i]);
    }
    if (tcp->option_count > 0)
        hf_text_add(t, ">");
}

/* ---- IP ----------------------------------------------------------------------------------- */

static void ip_item(struct hf_text *t, bool *any)
{
    hf_text_add(t, *any ? ", " : "[");
    *any = true;
}

static void ip_header(struct hf_text *t, const struct hf_script_ip *ip)
{
    static const char *const ecn[] = {"", "noecn", "ect0", "ect1", "ce", "ect01"};
    bool any = false;
    if (ip->ecn != HF_SCRIPT_ECN_ANY) {
        ip_item(t, &any);
        hf_text_add(t, "%s", ecn[ip->ecn]);
    }
    if (ip->has_tos) {
        ip_item(t, &any);
        hf_text_add(t, "tos 0x%02x", ip->tos);
    }
    if (ip->has_dscp) {
        ip_item(t, &any);
        hf_text_add(t, "dscp %u", ip->tos >> 2);
    }
    if (ip->has_ttl) {
        ip_item(t, &any);
        hf_text_add(t, "ttl %u", ip->ttl);
    }
    if (ip->has_flow_label) {
        ip_item(t, &any);
        hf_text_add(t, "flowlabel 0x%" PRIx32, ip->flow_label);
    }
    if (any)
        hf_text_add(t, "] ");
}

/* ---- the packet --------------------------------------------------------------------------- */

static void tcp_text(struct hf_text *t, const struct hf_script_packet *packet)
{
    const struct hf_script_tcp *tcp = &packet->tcp;
    char flags[HF_FLAGS_TEXT_BYTES];
    if (packet->has_ports)
        hf_text_add(t, "%u > %u ", packet->source_port, packet->destination_port);
    uint16_t letters = tcp->flags;
    if (tcp->has_ace) {
        letters &= (uint16_t) ~(HF_AE | HF_CWR | HF_ECE | HF_ACK);
        bool ack = (tcp->flags & HF_ACK) != 0;
        hf_flags_text(letters, flags);
        hf_text_add(t, "%s%u%s ", letters == 0 ? "" : flags, tcp->ace, ack ? "." : "");
    } else {
        hf_flags_text(letters, flags);
        hf_text_add(t, "%s ", flags);
    }
    if (tcp->seq_kind == HF_SCRIPT_SEQ_ANY)
        hf_text_add(t, "...(%" PRIu32 ")", tcp->length_bytes);
    else
        hf_text_add(t, "%" PRIu32 ":%" PRIu32 "(%" PRIu32 ")%s", tcp->seq,
                    tcp->seq + tcp->length_bytes, tcp->length_bytes,
                    tcp->seq_kind == HF_SCRIPT_SEQ_ABSOLUTE ? "!" : "");
    if (tcp->has_ack)
        hf_text_add(t, " ack %" PRIu32, tcp->ack);
    if (tcp->has_window)
        hf_text_add(t, " win %u", tcp->window);
    if (tcp->has_urgent)
        hf_text_add(t, " urg %u", tcp->urgent);
    if (tcp->options != HF_SCRIPT_OPTIONS_NONE)
        hf_text_add(t, " ");
    hf_script_options_text(t, tcp);
}

static void name_or_number(struct hf_text *t, const char *name, const char *prefix, unsigned n)
{
    if (name != NULL)
        hf_text_add(t, " %s", name);
    else
        hf_text_add(t, " %s%u", prefix, n);
}

static void icmp_text(struct hf_text *t, const struct hf_script_icmp *icmp)
{
    const char *code = hf_icmp_code_name(icmp->v6, icmp->type, icmp->code);
    hf_text_add(t, "icmp");
    name_or_number(t, hf_icmp_type_name(icmp->v6, icmp->type), "type_", icmp->type);
    if (code != NULL || icmp->code != 0)
        name_or_number(t, code, "code_", icmp->code);
    if (icmp->has_mtu)
        hf_text_add(t, " mtu %" PRIu32, icmp->mtu);
    if (icmp->has_id)
        hf_text_add(t, " id %" PRIu32, icmp->id);
    if (icmp->has_quote)
        hf_text_add(t, " [%" PRIu32 ":%" PRIu32 "(%" PRIu32 ")]", icmp->quote_seq,
                    icmp->quote_seq + icmp->quote_length_bytes, icmp->quote_length_bytes);
}

void hf_script_packet_text(const struct hf_script_packet *packet, char *text, size_t capacity_bytes)
{
    struct hf_text t;
    hf_text_init(&t, text, capacity_bytes);
    hf_text_add(&t, packet->outbound ? "> " : "< ");
    ip_header(&t, &packet->ip);
    if (packet->protocol == HF_SCRIPT_TCP)
        tcp_text(&t, packet);
    else
        icmp_text(&t, &packet->icmp);
}

void hf_flow_text(const struct hf_flow *f, bool outbound, const uint8_t *bytes, size_t length_bytes,
                  char *text, size_t capacity_bytes)
{
    struct hf_flow_packet p;
    struct hf_text t;
    if (hf_flow_read(f, outbound, bytes, length_bytes, &p)) {
        hf_script_packet_text(&p.script, text, capacity_bytes);
        return;
    }
    hf_text_init(&t, text, capacity_bytes);
    hf_text_add(&t, "%c a packet of %zu bytes that can't be read: %s", outbound ? '>' : '<',
                length_bytes, p.fault);
}
