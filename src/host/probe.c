/**
 * A trace sink that fires one static probe (USDT) for each event: handfast:state, handfast:drop and
 * so on, for bpftrace, perf and SystemTap. They are made from HF_TRACE_LIST. A probe that nobody
 * listens to is one instruction that does nothing.
 */
#include <handfast/host.h>

#if __has_include(<sys/sdt.h>)
#include <sys/sdt.h>

bool hf_probe_available(void)
{
    return true;
}

void hf_probe_trace(void *ctx, const struct hf_trace_event *e)
{
    (void)ctx;
    switch (e->type) {
#define FIRE(NAME, name, a_name, b_name, text)                                                     \
    case HF_TRACE_##NAME:                                                                          \
        DTRACE_PROBE8(handfast, name, e->handle, (int)e->reason, (int)e->from, (int)e->to, e->a,   \
                      e->b, &e->local, &e->remote);                                                \
        return;
        HF_TRACE_LIST(FIRE)
#undef FIRE
    case HF_TRACE_COUNT: return;
    }
}

#else

bool hf_probe_available(void)
{
    return false;
}

void hf_probe_trace(void *ctx, const struct hf_trace_event *e)
{
    (void)ctx, (void)e;
}

#endif
