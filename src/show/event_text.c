/**
 * Trace events as text. Owns the names of the numbers; all other words come from the core's lists.
 */
#include "event_text.h"

#include <inttypes.h>

#include "segment_text.h"

const char *hf_trace_name_a(enum hf_trace type)
{
    static const char *const names[HF_TRACE_COUNT] = {
#define NAME_A(NAME, name, a, b, text) [HF_TRACE_##NAME] = a,
        HF_TRACE_LIST(NAME_A)
#undef NAME_A
    };
    return (unsigned)type < HF_TRACE_COUNT ? names[type] : "";
}

const char *hf_trace_name_b(enum hf_trace type)
{
    static const char *const names[HF_TRACE_COUNT] = {
#define NAME_B(NAME, name, a, b, text) [HF_TRACE_##NAME] = b,
        HF_TRACE_LIST(NAME_B)
#undef NAME_B
    };
    return (unsigned)type < HF_TRACE_COUNT ? names[type] : "";
}

static void add_number(struct hf_text *t, const char *name, int64_t value)
{
    if (name[0] != '\0')
        hf_text_add(t, " %s %" PRId64, name, value);
}

size_t hf_event_text(const struct hf_trace_event *event, hf_ns origin_ns, char *text,
                     size_t capacity_bytes)
{
    struct hf_text t;
    hf_text_init(&t, text, capacity_bytes);
    char local[HF_ENDPOINT_TEXT_BYTES], remote[HF_ENDPOINT_TEXT_BYTES];
    hf_endpoint_text(&event->local, local);
    hf_endpoint_text(&event->remote, remote);
    hf_ns at_ns = event->now_ns - origin_ns;
    const char *sign = at_ns < 0 ? "-" : "";
    hf_ns at_us = (at_ns < 0 ? -at_ns : at_ns) / 1000;
    hf_text_add(&t, "%s%" PRId64 ".%06" PRId64 " %s > %s %s", sign, at_us / 1000000,
                at_us % 1000000, local, remote, hf_trace_name(event->type));
    if (event->type == HF_TRACE_STATE)
        hf_text_add(&t, " %s -> %s", hf_state_name(event->from), hf_state_name(event->to));
    else
        hf_text_add(&t, " in %s", hf_state_name(event->to));
    add_number(&t, hf_trace_name_a(event->type), event->a);
    add_number(&t, hf_trace_name_b(event->type), event->b);
    if (event->segment != NULL) {
        hf_text_add(&t, " [");
        hf_segment_text(&t, event->segment, (struct hf_segment_bases){0, 0},
                        HF_DETAIL_WINDOW | HF_DETAIL_OPTIONS | HF_DETAIL_TIMESTAMPS);
        hf_text_add(&t, "]");
    }
    if (event->type == HF_TRACE_CLOSED && event->a >= 0 && event->a < HF_CLOSED_COUNT)
        hf_text_add(&t, ": %s", hf_closed_text((enum hf_closed)event->a));
    else if (event->reason != HF_NONE)
        hf_text_add(&t, ": %s", hf_reason_text(event->reason));
    return t.length_bytes;
}
