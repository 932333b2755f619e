/**
 * Fuzz target: any bytes as a packet script. The parser must stay inside the text, keep to its
 * bounds, and say where a fault is; what it reads must be whole enough to be walked.
 *
 * The first byte of the input chooses the IP version and whether there are defines.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base.h"
#include "lab/drill/script.h"

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

static void check_event(const struct hf_script_event *e)
{
    check_place(e->place);
    check_place(e->end);
    HF_ASSERT(e->end.line > e->place.line ||
              (e->end.line == e->place.line && e->end.column >= e->place.column));
    HF_ASSERT(e->time.start_ns >= 0 && e->time.end_ns >= e->time.start_ns);
    switch (e->kind) {
    case HF_SCRIPT_PACKET:
        for (size_t i = 0; i < e->packet.tcp.option_count; i++)
            HF_ASSERT(e->packet.tcp.option[i].byte_count <= sizeof e->packet.tcp.option[i].bytes);
        return;
    case HF_SCRIPT_CALL:
        HF_ASSERT(e->call.name != NULL);
        for (size_t i = 0; i < e->call.argument_count; i++)
            check_value(&e->call.arguments[i]);
        check_value(&e->call.result);
        return;
    case HF_SCRIPT_SHELL:
    case HF_SCRIPT_CODE: HF_ASSERT(e->text != NULL); return;
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
    for (size_t i = 0; i < script.event_count; i++)
        check_event(&script.events[i]);
    hf_script_free(&script);
    return 0;
}
