/**
 * A trace event as one JSON object, in the manner of qlog [draft-ietf-quic-qlog-main-schema]:
 *
 *     {"time":10.000000,"name":"tcp:state","data":{"old":"SYN-SENT","new":"ESTABLISHED",...}}
 *
 * Time is in milliseconds with nanoseconds as decimals. Handles are strings: they have 64 bits.
 */
#ifndef HF_SHOW_EVENT_JSON_H
#define HF_SHOW_EVENT_JSON_H

#include <handfast/handfast.h>

enum { HF_EVENT_JSON_BYTES = 1024 };

/** Writes the object on one line without an end of line, NUL-terminated; times count from
 *  origin_ns. Returns the length needed, as snprintf: HF_EVENT_JSON_BYTES always suffice. */
size_t hf_event_json(const struct hf_trace_event *event, hf_ns origin_ns, char *text,
                     size_t capacity_bytes);

#endif
