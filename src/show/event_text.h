/**
 * A trace event as one line of text for people.
 *
 *     0.010000 10.0.0.1:40000 > 10.0.0.2:80 state SYN-SENT -> ESTABLISHED: our SYN is acknowledged
 *     0.210000 10.0.0.1:40000 > 10.0.0.2:80 retransmit in ESTABLISHED seq 101 count 1: ...
 */
#ifndef HF_SHOW_EVENT_TEXT_H
#define HF_SHOW_EVENT_TEXT_H

#include <handfast/handfast.h>

enum { HF_EVENT_TEXT_BYTES = 640 };

/** Writes the line without an end of line, NUL-terminated; times count from origin_ns. Returns the
 *  length needed, as snprintf: HF_EVENT_TEXT_BYTES always suffice. */
size_t hf_event_text(const struct hf_trace_event *event, hf_ns origin_ns, char *text,
                     size_t capacity_bytes);

/** The names of an event's two numbers, "" if unused. */
const char *hf_trace_name_a(enum hf_trace type);
const char *hf_trace_name_b(enum hf_trace type);

#endif
