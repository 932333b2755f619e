/**
 * Names and texts of errors, states, endings, trace events and reasons, made from the lists in the
 * public headers. A value that is none of the list has the name "unknown", never NULL.
 */
#include "base.h"

static const char unknown[] = "unknown";

static const char *at(const char *const *names, size_t count, size_t i)
{
    return i < count ? names[i] : unknown;
}

const char *hf_err_name(int err)
{
#define NAME_CASE(name, value, text)                                                               \
    case value: return "HF_" #name;
    switch (err) {
        HF_ERR_LIST(NAME_CASE)
    }
#undef NAME_CASE
    return unknown;
}

const char *hf_err_text(int err)
{
#define TEXT_CASE(name, value, text)                                                               \
    case value: return text;
    switch (err) {
        HF_ERR_LIST(TEXT_CASE)
    }
#undef TEXT_CASE
    return unknown;
}

#define TEXT_OF(name, text) text,

const char *hf_state_name(enum hf_state s)
{
    static const char *const names[] = {HF_STATE_LIST(TEXT_OF)};
    return at(names, HF_COUNT_OF(names), (size_t)s);
}

const char *hf_closed_text(enum hf_closed how)
{
    static const char *const texts[] = {HF_CLOSED_LIST(TEXT_OF)};
    return at(texts, HF_COUNT_OF(texts), (size_t)how);
}

const char *hf_reason_text(enum hf_reason r)
{
    static const char *const texts[] = {HF_REASON_LIST(TEXT_OF)};
    return at(texts, HF_COUNT_OF(texts), (size_t)r);
}

#define NAME_OF(name, text) #name,

const char *hf_reason_name(enum hf_reason r)
{
    static const char *const names[] = {HF_REASON_LIST(NAME_OF)};
    return at(names, HF_COUNT_OF(names), (size_t)r);
}

#define TRACE_NAME_OF(NAME, name, a, b, text) #name,

const char *hf_trace_name(enum hf_trace t)
{
    static const char *const names[] = {HF_TRACE_LIST(TRACE_NAME_OF)};
    return at(names, HF_COUNT_OF(names), (size_t)t);
}
