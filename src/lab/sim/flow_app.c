/**
 * The two applications of a flow. Owns its handles; leaves the stacks and the time to sim.c.
 */
#include "core/base.h"
#include "flow.h"

#include <string.h>

enum { SLICES = 16, SENDER_PORT = 40000 };

/** What the stream holds from an offset on, for HF_SIM_PATTERN_BYTES at least. Flows differ. */
static const uint8_t *stream_at(const struct hf_sim_flow *f, uint64_t offset)
{
    return f->pattern + (offset + f->number) % HF_SIM_PATTERN_BYTES;
}

int hf_sim_flow_listen(const struct hf_sim_flow *f, struct hf_stack *receiver,
                       const struct hf_addr *addr)
{
    struct hf_listen what = {.addr = *addr,
                             .prefix_bits = 32,
                             .port = (uint16_t)(HF_SIM_PORT + f->number),
                             .tag = f->number};
    hf_handle listener;
    return hf_listen(receiver, &what, &listener, 0);
}

int hf_sim_flow_connect(struct hf_sim_flow *f, struct hf_stack *sender, const struct hf_addr *from,
                        const struct hf_addr *to, hf_ns now)
{
    struct hf_connect what = {
        .local = {*from, (uint16_t)(SENDER_PORT + f->number)},
        .remote = {*to, (uint16_t)(HF_SIM_PORT + f->number)},
        .tag = f->number,
    };
    f->started = true;
    f->sampled_at_ns = now;
    return hf_connect(sender, &what, &f->sender, now);
}

/* ---- sending ------------------------------------------------------------------------------ */

bool hf_sim_flow_write(struct hf_sim_flow *f, struct hf_stack *sender, hf_ns now)
{
    bool any = false;
    while (f->may_write && f->written_bytes < f->plan->bytes) {
        uint64_t left = f->plan->bytes - f->written_bytes;
        size_t n = left < HF_SIM_PATTERN_BYTES ? (size_t)left : HF_SIM_PATTERN_BYTES;
        const uint8_t *bytes = stream_at(f, f->written_bytes);
        int64_t took = hf_send(sender, f->sender, bytes, n, 0, now);
        f->may_write = took > 0;
        if (took > 0)
            f->written_bytes += (uint64_t)took;
        any |= took > 0;
    }
    if (f->may_write && !f->shut) {
        f->shut = true;
        any |= hf_shutdown(sender, f->sender, now) == HF_OK;
    }
    return any;
}

static void let_go(struct hf_sim_flow *f, struct hf_stack *sender, hf_ns now)
{
    if (!f->is_done)
        f->done_at_ns = now;
    f->is_done = true;
    f->may_write = false;
    if (f->released)
        return;
    f->released = true;
    (void)hf_close(sender, f->sender, now);
}

static void sender_event(struct hf_sim_flow *f, struct hf_stack *sender, const struct hf_event *e,
                         hf_ns now)
{
    if ((e->bits & (HF_EV_CONNECTED | HF_EV_WRITABLE)) != 0)
        f->may_write = !f->released && !f->shut;
    if ((e->bits & HF_EV_CLOSED) != 0)
        f->how = e->how;
    if ((e->bits & (HF_EV_CLOSED | HF_EV_PEER_CLOSED)) != 0)
        let_go(f, sender, now);
}

/* ---- receiving ---------------------------------------------------------------------------- */

static bool is_as_sent(const struct hf_sim_flow *f, uint64_t offset, const uint8_t *bytes, size_t n)
{
    while (n > 0) {
        size_t part = n < HF_SIM_PATTERN_BYTES ? n : HF_SIM_PATTERN_BYTES;
        if (memcmp(bytes, stream_at(f, offset), part) != 0)
            return false;
        bytes += part;
        offset += part;
        n -= part;
    }
    return true;
}

static void take_bytes(struct hf_sim_flow *f, const struct hf_slice *slices, size_t count,
                       hf_ns now)
{
    for (size_t i = 0; i < count; i++) {
        size_t n = slices[i].length_bytes;
        f->is_wrong |= !is_as_sent(f, f->delivered_bytes, slices[i].bytes, n);
        f->delivered_bytes += n;
    }
    if (f->delivered_bytes == f->plan->bytes)
        f->completed_at_ns = now;
}

static void receiver_event(struct hf_sim_flow *f, struct hf_stack *receiver,
                           const struct hf_event *e, hf_ns now)
{
    struct hf_slice slices[SLICES];
    size_t count;
    int64_t n;
    f->receiver = e->handle;
    while ((n = hf_receive_peek(receiver, e->handle, slices, SLICES, &count)) > 0) {
        take_bytes(f, slices, count, now);
        if (hf_receive_consume(receiver, e->handle, (size_t)n, now) != HF_OK)
            return;
    }
    if (n == HF_E_END || (e->bits & HF_EV_CLOSED) != 0)
        (void)hf_close(receiver, e->handle, now);
}

void hf_sim_flow_event(struct hf_sim_flow *f, bool is_sender, struct hf_stack *stack,
                       const struct hf_event *e, hf_ns now)
{
    if (is_sender)
        sender_event(f, stack, e, now);
    else
        receiver_event(f, stack, e, now);
}
