/**
 * Fuzz target: any bytes as a packet script. The parser must stay inside the text, keep to its
 * bounds, and say where a fault is. What it reads is walked; its packets are written and read
 * again, built and held against each other; its code is evaluated.
 *
 * The first byte of the input chooses the IP version and whether there are defines.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base.h"
#include "lab/drill/match.h"
#include "lab/drill/python.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length_bytes);

static void check_place(struct hf_place place)
{
    HF_ASSERT(place.line >= 1 && place.column >= 1);
}

static void check_value(const struct hf_value *v)
{
    bool has_text = v->kind == HF_VALUE_WORD || v->kind == HF_VALUE_STRING;
    bool has_items =
        v->kind == HF_VALUE_OR || v->kind == HF_VALUE_LIST || v->kind == HF_VALUE_STRUCT;
    check_place(v->place);
    HF_ASSERT(!has_text || (v->text != NULL && v->text[v->text_bytes] == '\0'));
    HF_ASSERT(has_items || v->item_count == 0);
    for (size_t i = 0; i < v->item_count; i++)
        check_value(&v->items[i]);
}

enum { TEXT_BYTES = 8192, PACKET_BYTES = 2000 };

/** A packet written in the script's notation means the same packet. */
static void check_written(const struct hf_script_packet *packet, bool v6)
{
    static char text[TEXT_BYTES], again[TEXT_BYTES];
    struct hf_script_settings settings = {.v6 = v6};
    struct hf_script script;
    struct hf_script_fault fault;
    text[0] = '0';
    hf_script_packet_text(packet, text + 1, sizeof text - 1);
    HF_ASSERT(hf_script_parse(&script, text, strlen(text), &settings, &fault) == HF_OK);
    HF_ASSERT(script.event_count == 1);
    hf_script_packet_text(&script.events[0].packet, again, sizeof again);
    HF_ASSERT(strcmp(text + 1, again) == 0);
    hf_script_free(&script);
}

static void begin_flow(struct hf_flow *f, bool v6, bool turned)
{
    struct hf_endpoint ends[2] = {{hf_addr_v4(192, 0, 2, 1), 1}, {hf_addr_v4(192, 0, 2, 2), 2}};
    for (int i = 0; i < 2 && v6; i++)
        ends[i].addr = (struct hf_addr){{0xfd, [15] = (uint8_t)(i + 1)}};
    hf_flow_begin(f, &ends[turned], &ends[!turned], true);
}

/** What is built can be read, and meets the line that it was made of. */
static void check_built(const struct hf_script_packet *packet, bool v6)
{
    static struct hf_flow peer, stack;
    static uint8_t bytes[PACKET_BYTES];
    char words[HF_MISMATCH_BYTES], text[TEXT_BYTES];
    peer.ts_echo_is_scaled = true;
    begin_flow(&peer, v6, false);
    begin_flow(&stack, v6, true);
    peer.stamps_known = true;
    size_t n = hf_flow_build(&peer, packet, bytes, sizeof bytes, words);
    HF_ASSERT(n <= sizeof bytes && (n > 0) == (words[0] == '\0'));
    if (n == 0)
        return;
    hf_flow_text(&stack, true, bytes, n, text, sizeof text);
    struct hf_flow_rules rules = {.match = HF_DRILL_STRICT};
    struct hf_flow_gathered gathered = {0};
    enum hf_flow_verdict verdict =
        hf_flow_match(&stack, packet, &rules, bytes, n, &gathered, words);
    bool has_ack = packet->protocol == HF_SCRIPT_TCP && (packet->tcp.flags & HF_ACK);
    bool is_plain = packet->protocol == HF_SCRIPT_TCP && packet->ip.ecn == HF_SCRIPT_ECN_ANY &&
                    !packet->ip.has_flow_label && packet->tcp.option_count == 0 &&
                    packet->tcp.seq_kind == HF_SCRIPT_SEQ_RELATIVE && !has_ack;
    HF_ASSERT(!is_plain || verdict == HF_FLOW_MATCHES);
    HF_ASSERT((verdict == HF_FLOW_DIFFERS) == (words[0] != '\0'));
}

static void check_packet(const struct hf_script_packet *packet, bool v6)
{
    for (size_t i = 0; i < packet->tcp.option_count; i++)
        HF_ASSERT(packet->tcp.option[i].byte_count <= sizeof packet->tcp.option[i].bytes);
    check_written(packet, v6);
    check_built(packet, v6);
}

static bool seven(void *ctx, const char *name, int64_t *value)
{
    (void)ctx;
    *value = 7;
    return name[0] == 't';
}

static void check_event(const struct hf_script_event *e, bool v6, struct hf_python *python)
{
    check_place(e->place);
    check_place(e->end);
    HF_ASSERT(e->end.line > e->place.line ||
              (e->end.line == e->place.line && e->end.column >= e->place.column));
    HF_ASSERT(e->time.start_ns >= 0 && e->time.end_ns >= e->time.start_ns);
    switch (e->kind) {
    case HF_SCRIPT_PACKET: check_packet(&e->packet, v6); return;
    case HF_SCRIPT_CALL:
        HF_ASSERT(e->call.name != NULL);
        for (size_t i = 0; i < e->call.argument_count; i++)
            check_value(&e->call.arguments[i]);
        check_value(&e->call.result);
        return;
    case HF_SCRIPT_SHELL: HF_ASSERT(e->text != NULL); return;
    case HF_SCRIPT_CODE: {
        char words[64] = "";
        enum hf_python_verdict verdict = hf_python_run(python, e->text, words, sizeof words);
        HF_ASSERT((verdict == HF_PYTHON_PASSED) == (words[0] == '\0'));
        return;
    }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length_bytes)
{
    static const struct hf_script_define defines[] = {
        {"NUMBER", "7"}, {"TEXT", "\"text\""}, {"SHELL", "`true`"}, {"WORD", "port_unreachable"}};
    if (length_bytes == 0)
        return 0;
    struct hf_script_settings settings = {
        .defines = defines,
        .define_count = bytes[0] & 2 ? HF_COUNT_OF(defines) : 0,
        .v6 = (bytes[0] & 1) != 0,
    };
    struct hf_script script;
    struct hf_script_fault fault;
    int err =
        hf_script_parse(&script, (const char *)bytes + 1, length_bytes - 1, &settings, &fault);
    if (err != HF_OK) {
        check_place(fault.place);
        HF_ASSERT(fault.text[0] != '\0' && script.arena == NULL);
        return 0;
    }
    const char *version = hf_script_option(&script, "ip_version");
    bool v6 = version == NULL ? settings.v6 : strcmp(version, "ipv6") == 0;
    struct hf_python python = {.name = seven};
    for (size_t i = 0; i < script.event_count; i++)
        check_event(&script.events[i], v6, &python);
    hf_script_free(&script);
    return 0;
}
