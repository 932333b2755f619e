/**
 * Trace events as JSON. Nothing here needs escaping: every string is one of our own names or an
 * address.
 */
#include "event_json.h"

#include <inttypes.h>

#include "event_text.h"
#include "segment_text.h"

static void add_options(struct hf_text *t, const struct hf_segment *seg)
{
    if (seg->has_mss)
        hf_text_add(t, ",\"mss\":%u", seg->mss_bytes);
    if (seg->has_wscale)
        hf_text_add(t, ",\"wscale\":%u", seg->wscale);
    if (seg->has_sack_permitted)
        hf_text_add(t, ",\"sack_permitted\":true");
    if (seg->has_timestamps)
        hf_text_add(t, ",\"ts_value\":%" PRIu32 ",\"ts_echo\":%" PRIu32, seg->ts_value,
                    seg->ts_echo);
    if (seg->sack_count == 0)
        return;
    hf_text_add(t, ",\"sack\":[");
    for (unsigned i = 0; i < seg->sack_count && i < HF_SACK_BLOCKS_MAX; i++)
        hf_text_add(t, "%s[%" PRIu32 ",%" PRIu32 "]", i == 0 ? "" : ",", seg->sack[i].left,
                    seg->sack[i].right);
    hf_text_add(t, "]");
}

static void add_segment(struct hf_text *t, const struct hf_segment *seg)
{
    char flags[HF_FLAGS_TEXT_BYTES];
    hf_flags_text(seg->flags, flags);
    hf_text_add(t, ",\"segment\":{\"flags\":\"%s\",\"seq\":%" PRIu32, flags, seg->seq);
    if (seg->flags & HF_ACK)
        hf_text_add(t, ",\"ack\":%" PRIu32, seg->ack);
    hf_text_add(t, ",\"window\":%u,\"payload_bytes\":%" PRIu32, seg->window, seg->payload_bytes);
    if (seg->flags & HF_URG)
        hf_text_add(t, ",\"urgent_pointer\":%u", seg->urgent_pointer);
    add_options(t, seg);
    hf_text_add(t, "}");
}

static void add_number(struct hf_text *t, const char *name, int64_t value)
{
    if (name[0] != '\0')
        hf_text_add(t, ",\"%s\":%" PRId64, name, value);
}

size_t hf_event_json(const struct hf_trace_event *event, hf_ns origin_ns, char *text,
                     size_t capacity_bytes)
{
    struct hf_text t;
    hf_text_init(&t, text, capacity_bytes);
    char local[HF_ENDPOINT_TEXT_BYTES], remote[HF_ENDPOINT_TEXT_BYTES];
    hf_endpoint_text(&event->local, local);
    hf_endpoint_text(&event->remote, remote);
    hf_ns at_ns = event->now_ns - origin_ns;
    const char *sign = at_ns < 0 ? "-" : "";
    if (at_ns < 0)
        at_ns = -at_ns;
    hf_text_add(&t, "{\"time\":%s%" PRId64 ".%06" PRId64 ",\"name\":\"tcp:%s\",\"data\":{", sign,
                at_ns / 1000000, at_ns % 1000000, hf_trace_name(event->type));
    hf_text_add(&t, "\"handle\":\"%016" PRIx64 "\",\"local\":\"%s\",\"remote\":\"%s\"",
                event->handle, local, remote);
    if (event->type == HF_TRACE_STATE)
        hf_text_add(&t, ",\"old\":\"%s\",\"new\":\"%s\"", hf_state_name(event->from),
                    hf_state_name(event->to));
    else
        hf_text_add(&t, ",\"state\":\"%s\"", hf_state_name(event->to));
    if (event->reason != HF_NONE)
        hf_text_add(&t, ",\"reason\":\"%s\"", hf_reason_name(event->reason));
    add_number(&t, hf_trace_name_a(event->type), event->a);
    add_number(&t, hf_trace_name_b(event->type), event->b);
    if (event->type == HF_TRACE_CLOSED && event->a >= 0 && event->a < HF_CLOSED_COUNT)
        hf_text_add(&t, ",\"text\":\"%s\"", hf_closed_text((enum hf_closed)event->a));
    if (event->segment != NULL)
        add_segment(&t, event->segment);
    hf_text_add(&t, "}}");
    return t.length_bytes;
}
