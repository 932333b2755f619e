/**
 * Emission of trace events. Every event counts its reason; with no sink that is all it costs.
 */
#include "stack.h"

static void emit(struct hf_stack *s, struct hf_trace_event *e)
{
    e->now_ns = hf_stack_caller_time(s, s->p.now_ns);
    s->trace(s->trace_ctx, e);
}

void hf_trace_tell(struct hf_stack *s, const struct hf_conn *c, enum hf_trace type,
                   enum hf_reason reason, int64_t a, int64_t b, const struct hf_segment *seg)
{
    struct hf_trace_event e = {
        .handle = hf_conn_handle(s, c),
        .type = type,
        .reason = reason,
        .from = (enum hf_state)c->state,
        .to = (enum hf_state)c->state,
        .local = hf_conn_local(s, c),
        .remote = hf_conn_remote(c),
        .a = a,
        .b = b,
        .segment = seg,
    };
    emit(s, &e);
}

void hf_trace_tell_stranger(struct hf_stack *s, enum hf_trace type, enum hf_reason reason,
                            const struct hf_endpoint *local, const struct hf_endpoint *remote,
                            int64_t a, int64_t b, const struct hf_segment *seg)
{
    struct hf_trace_event e = {.type = type, .reason = reason, .a = a, .b = b, .segment = seg};
    if (local != NULL)
        e.local = *local;
    if (remote != NULL)
        e.remote = *remote;
    emit(s, &e);
}

void hf_trace_tell_state(struct hf_stack *s, hf_handle handle, const struct hf_endpoint *local,
                         const struct hf_endpoint *remote, enum hf_state from, enum hf_state to,
                         enum hf_reason reason)
{
    struct hf_trace_event e = {
        .handle = handle,
        .type = HF_TRACE_STATE,
        .reason = reason,
        .from = from,
        .to = to,
        .local = *local,
        .remote = *remote,
    };
    emit(s, &e);
}
