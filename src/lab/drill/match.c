/**
 * Packets of the stack against lines of a script: what differs, in words.
 *
 * The value that a timestamp echoes is compared only where a line says `ecr N!`: so does the
 * language's own tool, and scripts rely on it.
 */
#include "flow.h"

#include <inttypes.h>
#include <stdlib.h>

#include "core/wire/tcp.h"
#include "show/segment_text.h"

struct compare {
    struct hf_flow *flow;
    const struct hf_script_packet *line;
    const struct hf_flow_rules *rules;
    struct hf_flow_packet packet;
    size_t packet_bytes;
    const struct hf_flow_gathered *gathered; /**< before this packet */
    bool is_last;                            /**< with this packet the line has all its bytes */
    struct hf_text words;
};

/** Begins one more difference. */
static struct hf_text *differ(struct compare *c)
{
    if (c->words.length_bytes > 0)
        hf_text_add(&c->words, "; ");
    return &c->words;
}

static bool is_strict(const struct compare *c)
{
    return c->rules->match == HF_DRILL_STRICT;
}

/* ---- learning ----------------------------------------------------------------------------- */

/** What the stack chose itself is known by its first packet: its SYN tells the initial number. */
static void learn(struct hf_flow *f, const struct hf_script_packet *line, const uint8_t *bytes,
                  size_t length_bytes)
{
    struct hf_ip ip;
    struct hf_segment seg;
    if (hf_ip_parse(bytes, length_bytes, &ip) != HF_NONE || ip.protocol != HF_IP_PROTO_TCP ||
        hf_tcp_parse(bytes + ip.header_bytes, ip.payload_bytes, &seg) != HF_NONE)
        return;
    if (hf_addr_is_any(&f->local.addr))
        f->local.addr = ip.source;
    if (f->local.port == 0)
        f->local.port = seg.source_port;
    if ((seg.flags & HF_SYN) == 0 || f->local_iss_known)
        return;
    bool is_told = line->protocol == HF_SCRIPT_TCP && (line->tcp.flags & HF_SYN) &&
                   line->tcp.seq_kind == HF_SCRIPT_SEQ_RELATIVE;
    f->local_iss = seg.seq;
    f->local_script_iss = is_told ? line->tcp.seq : 0;
    f->local_iss_known = true;
}

/* ---- IP ----------------------------------------------------------------------------------- */

static const char *ecn_name(unsigned bits)
{
    static const char *const names[] = {"noecn", "ect1", "ect0", "ce"};
    return names[bits & 3];
}

static void compare_ecn(struct compare *c)
{
    static const struct {
        const char *name;
        unsigned allowed; /**< bit n: the field may be n */
    } wanted[] = {
        [HF_SCRIPT_ECN_ANY] = {"any", 15},  [HF_SCRIPT_ECN_NONE] = {"noecn", 1},
        [HF_SCRIPT_ECN_ECT0] = {"ect0", 4}, [HF_SCRIPT_ECN_ECT1] = {"ect1", 2},
        [HF_SCRIPT_ECN_CE] = {"ce", 8},     [HF_SCRIPT_ECN_ECT01] = {"ect01", 6},
    };
    unsigned bits = c->packet.ip.traffic_class & 3;
    enum hf_script_ecn ecn = c->line->ip.ecn;
    if ((wanted[ecn].allowed >> bits & 1) == 0)
        hf_text_add(differ(c), "%s, expected %s", ecn_name(bits), wanted[ecn].name);
}

static void compare_ip(struct compare *c, const uint8_t *bytes)
{
    const struct hf_ip *ip = &c->packet.ip;
    const struct hf_script_ip *line = &c->line->ip;
    unsigned expected_bytes = ip->version == 4 ? HF_IPV4_HEADER_BYTES : HF_IPV6_HEADER_BYTES;
    if (ip->header_bytes != expected_bytes)
        hf_text_add(differ(c), "an IP header of %u bytes, expected %u", ip->header_bytes,
                    expected_bytes);
    size_t ip_bytes = (size_t)ip->header_bytes + ip->payload_bytes;
    if (c->packet_bytes != ip_bytes)
        hf_text_add(differ(c), "%zu bytes behind the packet", c->packet_bytes - ip_bytes);
    compare_ecn(c);
    bool has_code = line->has_dscp || (line->has_tos && line->ecn != HF_SCRIPT_ECN_ANY);
    unsigned mask = has_code ? 0xfc : 0xff;
    if ((line->has_tos || line->has_dscp) && ((ip->traffic_class ^ line->tos) & mask) != 0)
        hf_text_add(differ(c), "tos 0x%02x, expected 0x%02x", ip->traffic_class & mask,
                    line->tos & mask);
    if (line->has_ttl && ip->ttl != line->ttl)
        hf_text_add(differ(c), "ttl %u, expected %u", ip->ttl, line->ttl);
    uint32_t label = ip->version == 6 ? hf_get32(bytes) & 0xfffff : 0;
    if (line->has_flow_label && label != line->flow_label)
        hf_text_add(differ(c), "flowlabel 0x%" PRIx32 ", expected 0x%" PRIx32, label,
                    line->flow_label);
}

/* ---- TCP header --------------------------------------------------------------------------- */

/** Flags that count for this packet: of several that make up a line, the first has CWR, the last
 *  FIN and PSH. */
static uint16_t flags_that_count(const struct compare *c)
{
    unsigned mask = HF_FIN | HF_SYN | HF_RST | HF_PSH | HF_ACK | HF_URG | HF_ECE | HF_CWR | HF_AE;
    if (!is_strict(c))
        mask &= ~(unsigned)HF_PSH;
    if (!c->is_last)
        mask &= ~(unsigned)(HF_FIN | HF_PSH);
    if (c->gathered->segments > 0)
        mask &= ~(unsigned)HF_CWR;
    return (uint16_t)mask;
}

static void compare_flags(struct compare *c)
{
    uint16_t have = c->packet.script.tcp.flags, want = c->line->tcp.flags;
    if (((have ^ want) & flags_that_count(c)) != 0) {
        char have_text[HF_FLAGS_TEXT_BYTES], want_text[HF_FLAGS_TEXT_BYTES];
        hf_flags_text(have, have_text);
        hf_flags_text(want, want_text);
        hf_text_add(differ(c), "flags %s, expected %s", have_text, want_text);
    }
    if (c->packet.reserved != 0)
        hf_text_add(differ(c), "reserved bits 0x%x, expected none", c->packet.reserved);
}

static void compare_number(struct compare *c, const char *name, uint32_t have, uint32_t want)
{
    if (have != want)
        hf_text_add(differ(c), "%s %" PRIu32 ", expected %" PRIu32, name, have, want);
}

static void compare_seq(struct compare *c)
{
    const struct hf_script_tcp *have = &c->packet.script.tcp, *want = &c->line->tcp;
    uint32_t before = c->gathered->bytes;
    switch (want->seq_kind) {
    case HF_SCRIPT_SEQ_ANY: return;
    case HF_SCRIPT_SEQ_RELATIVE: compare_number(c, "seq", have->seq, want->seq + before); return;
    case HF_SCRIPT_SEQ_ABSOLUTE:
        compare_number(c, "seq on the wire", c->packet.seq, want->seq + before);
        return;
    }
}

/** How large an open window is follows from how a system keeps account of its buffers; whether it
 *  is open does not. */
static void compare_window(struct compare *c)
{
    const struct hf_script_tcp *have = &c->packet.script.tcp, *want = &c->line->tcp;
    if (!want->has_window)
        return;
    if (is_strict(c) || (have->window == 0) != (want->window == 0))
        compare_number(c, "window", have->window, want->window);
}

static void compare_ports(struct compare *c)
{
    if (!c->line->has_ports)
        return;
    compare_number(c, "source port", c->packet.script.source_port, c->line->source_port);
    compare_number(c, "destination port", c->packet.script.destination_port,
                   c->line->destination_port);
}

/** Segments that meet a line together are alike: the line holds each of them to one ACK and one
 *  urgent pointer, here are the rest. */
static void compare_with_gathered(struct compare *c)
{
    const struct hf_flow_gathered *g = c->gathered;
    uint32_t bytes = c->packet.script.tcp.length_bytes;
    if (g->segments == 0)
        return;
    if (c->packet.seq != g->next_seq)
        hf_text_add(differ(c), "a gap of %" PRId32 " bytes between segments of one line",
                    (int32_t)(c->packet.seq - g->next_seq));
    bool is_alike = c->is_last ? bytes <= g->segment_bytes : bytes == g->segment_bytes;
    if (is_strict(c) && !is_alike)
        hf_text_add(differ(c), "segments of %" PRIu32 " and %" PRIu32 " bytes for one line",
                    g->segment_bytes, bytes);
    if (is_strict(c) && c->packet.tcp_header_bytes != g->header_bytes)
        hf_text_add(differ(c), "headers of %u and %u bytes for one line", g->header_bytes,
                    c->packet.tcp_header_bytes);
    if (is_strict(c) && c->packet.script.tcp.window != g->window)
        hf_text_add(differ(c), "windows %u and %u for one line", g->window,
                    c->packet.script.tcp.window);
}

static void compare_payload(struct compare *c)
{
    for (uint32_t i = 0; i < c->packet.script.tcp.length_bytes; i++) {
        if (c->packet.payload[i] != 0) {
            hf_text_add(differ(c), "payload byte %" PRIu32 " is 0x%02x, expected 0", i,
                        c->packet.payload[i]);
            return;
        }
    }
}

/* ---- options ------------------------------------------------------------------------------ */

/** The line's options with the wire's numbers; raw bytes parted into options. */
struct wanted {
    struct hf_script_option options[HF_OPTION_BYTES];
    bool exact[HF_OPTION_BYTES]; /**< of raw bytes: to the last bit */
    size_t count;
};

static void add_wanted(struct wanted *w, const struct hf_script_option *o, bool exact)
{
    if (w->count == HF_OPTION_BYTES)
        return;
    w->exact[w->count] = exact;
    w->options[w->count++] = *o;
}

static void make_wanted(const struct compare *c, struct wanted *w)
{
    const struct hf_script_tcp *tcp = &c->line->tcp;
    uint32_t offset = hf_flow_remote_offset(c->flow, (tcp->flags & HF_SYN) != 0);
    w->count = 0;
    for (size_t i = 0; i < tcp->option_count; i++) {
        struct hf_script_option o = tcp->option[i], parts[HF_OPTION_BYTES];
        if (o.raw) {
            size_t n = hf_options_read(o.bytes, o.byte_count, parts);
            for (size_t k = 0; k < n; k++)
                add_wanted(w, &parts[k], true);
            continue;
        }
        for (size_t k = 0; k < o.block_count; k++) {
            o.blocks[k].left += offset;
            o.blocks[k].right += offset;
        }
        add_wanted(w, &o, false);
    }
}

/** |a - b| ticks within the tolerance. */
static bool is_stamp_near(const struct compare *c, uint32_t script, uint32_t live)
{
    const struct hf_flow_rules *r = c->rules;
    if (c->flow->ts_tick_ns == 0 || !c->flow->stamps_known)
        return true;
    int64_t off = (int32_t)(hf_flow_script_stamp(c->flow, live) - script);
    double off_ns = (double)(off < 0 ? -off : off) * (double)c->flow->ts_tick_ns;
    double part_ns = (double)r->since_start_ns / 1e6 * r->tolerance_ppm;
    return off_ns <= (double)r->tolerance_ns || off_ns <= part_ns;
}

static bool is_same_option(const struct compare *c, const struct hf_script_option *have,
                           const struct hf_script_option *want, bool exact)
{
    uint8_t have_bytes[HF_OPTION_BYTES], want_bytes[HF_OPTION_BYTES];
    if (have->kind != want->kind || have->raw != want->raw)
        return false;
    if (have->kind == HF_KIND_TIMESTAMPS && !have->raw && !exact)
        return (want->ts_value_any || is_stamp_near(c, want->ts_value, have->ts_value)) &&
               (!want->ts_echo_exact || want->ts_echo == have->ts_echo);
    size_t n = hf_option_bytes(have, have_bytes);
    return n == hf_option_bytes(want, want_bytes) && memcmp(have_bytes, want_bytes, n) == 0;
}

static bool are_options_equal(const struct compare *c, const struct wanted *w)
{
    if (w->count != c->packet.script.tcp.option_count)
        return false;
    for (size_t i = 0; i < w->count; i++)
        if (!is_same_option(c, &c->packet.wire[i], &w->options[i], w->exact[i]))
            return false;
    return true;
}

static bool is_padding(const struct hf_script_option *o)
{
    return o->kind == HF_KIND_EOL || o->kind == HF_KIND_NOP;
}

/** As sets without padding: each of the line's has its own among the packet's, and none is left. */
static bool are_options_alike(const struct compare *c, const struct wanted *w)
{
    bool used[HF_OPTION_BYTES] = {false};
    size_t left = 0, count = c->packet.script.tcp.option_count;
    for (size_t i = 0; i < count; i++)
        left += !is_padding(&c->packet.wire[i]);
    for (size_t i = 0; i < w->count; i++) {
        size_t k = 0;
        if (is_padding(&w->options[i]))
            continue;
        while (k < count &&
               (used[k] || !is_same_option(c, &c->packet.wire[k], &w->options[i], w->exact[i])))
            k++;
        if (k == count)
            return false;
        used[k] = true;
        left--;
    }
    return left == 0;
}

static void compare_options(struct compare *c)
{
    struct wanted w;
    if (c->line->tcp.options == HF_SCRIPT_OPTIONS_ANY)
        return;
    make_wanted(c, &w);
    if (is_strict(c) ? are_options_equal(c, &w) : are_options_alike(c, &w))
        return;
    struct hf_text *t = differ(c);
    bool have_none = c->packet.script.tcp.option_count == 0, want_none = w.count == 0;
    hf_text_add(t, have_none ? "no options" : "options ");
    hf_script_options_text(t, &c->packet.script.tcp);
    hf_text_add(t, want_none ? ", expected none" : ", expected ");
    hf_script_options_text(t, &c->line->tcp);
}

/** Later lines echo this value by the name that the script gives it. */
static void remember_stamp(struct compare *c)
{
    const struct hf_script_tcp *line = &c->line->tcp;
    const struct hf_script_option *live = NULL;
    for (size_t i = 0; i < c->packet.script.tcp.option_count; i++)
        if (c->packet.wire[i].kind == HF_KIND_TIMESTAMPS && !c->packet.wire[i].raw)
            live = &c->packet.wire[i];
    for (size_t i = 0; live != NULL && i < line->option_count; i++) {
        const struct hf_script_option *o = &line->option[i];
        if (o->kind == HF_KIND_TIMESTAMPS && !o->raw && !o->ts_value_any)
            hf_flow_remember(c->flow, o->ts_value, live->ts_value);
    }
}

/* ---- the whole ---------------------------------------------------------------------------- */

static void gather(const struct compare *c, struct hf_flow_gathered *g)
{
    const struct hf_script_tcp *tcp = &c->packet.script.tcp;
    if (g->segments++ == 0) {
        g->segment_bytes = tcp->length_bytes;
        g->window = tcp->window;
        g->header_bytes = c->packet.tcp_header_bytes;
    }
    g->bytes += tcp->length_bytes;
    g->next_seq = c->packet.seq + tcp->length_bytes;
}

static void compare_length(struct compare *c)
{
    uint32_t have = c->packet.script.tcp.length_bytes + c->gathered->bytes;
    compare_number(c, "length", have, c->line->tcp.length_bytes);
}

/** Whether the packet may be one of several for its line. */
static bool may_be_part(const struct compare *c)
{
    uint32_t bytes = c->packet.script.tcp.length_bytes;
    return !c->rules->strict_segments && bytes > 0 &&
           bytes < c->line->tcp.length_bytes - c->gathered->bytes;
}

static enum hf_flow_verdict compare_tcp(struct compare *c, struct hf_flow_gathered *g)
{
    const struct hf_script_tcp *have = &c->packet.script.tcp, *want = &c->line->tcp;
    c->is_last = !may_be_part(c);
    compare_ports(c);
    compare_flags(c);
    compare_seq(c);
    if (c->is_last)
        compare_length(c);
    compare_number(c, "ack", have->ack, want->ack);
    compare_window(c);
    compare_number(c, "urgent pointer", have->urgent, want->urgent);
    compare_with_gathered(c);
    if (c->is_last)
        compare_options(c);
    if (is_strict(c))
        compare_payload(c);
    remember_stamp(c);
    if (c->words.length_bytes > 0)
        return HF_FLOW_DIFFERS;
    gather(c, g);
    return c->is_last ? HF_FLOW_MATCHES : HF_FLOW_PARTLY;
}

static enum hf_flow_verdict compare_icmp(struct compare *c)
{
    const struct hf_script_icmp *have = &c->packet.script.icmp, *want = &c->line->icmp;
    compare_number(c, "type", have->type, want->type);
    compare_number(c, "code", have->code, want->code);
    if (want->has_mtu)
        compare_number(c, "mtu", have->mtu, want->mtu);
    if (want->has_id)
        compare_number(c, "id", have->id, want->id);
    if (want->has_quote && !have->has_quote)
        hf_text_add(differ(c), "no packet quoted");
    if (want->has_quote && have->has_quote) {
        compare_number(c, "quoted seq", have->quote_seq, want->quote_seq);
        compare_number(c, "quoted length", have->quote_length_bytes, want->quote_length_bytes);
    }
    return c->words.length_bytes > 0 ? HF_FLOW_DIFFERS : HF_FLOW_MATCHES;
}

enum hf_flow_verdict hf_flow_match(struct hf_flow *f, const struct hf_script_packet *packet,
                                   const struct hf_flow_rules *rules, const uint8_t *bytes,
                                   size_t length_bytes, struct hf_flow_gathered *gathered,
                                   char words[HF_MISMATCH_BYTES])
{
    struct compare c = {
        .flow = f,
        .line = packet,
        .rules = rules,
        .packet_bytes = length_bytes,
        .gathered = gathered,
    };
    hf_text_init(&c.words, words, HF_MISMATCH_BYTES);
    learn(f, packet, bytes, length_bytes);
    if (!hf_flow_read(f, true, bytes, length_bytes, &c.packet)) {
        hf_text_add(&c.words, "a packet that can't be read: %s", c.packet.fault);
        return HF_FLOW_DIFFERS;
    }
    if (c.packet.script.protocol != packet->protocol) {
        bool is_tcp = packet->protocol == HF_SCRIPT_TCP;
        hf_text_add(&c.words, "%s, expected %s", is_tcp ? "ICMP" : "TCP", is_tcp ? "TCP" : "ICMP");
        return HF_FLOW_DIFFERS;
    }
    compare_ip(&c, bytes);
    return packet->protocol == HF_SCRIPT_TCP ? compare_tcp(&c, gathered) : compare_icmp(&c);
}
