/**
 * Steps of fuzz_conn that call the API, let time pass, and make memory fail.
 */
#include <stdlib.h>
#include <string.h>

#include "conn_run.h"

enum { APP_BYTES = 4096 };

static uint8_t app_bytes[APP_BYTES];

/* ---- steps: calls ---- */

void fuzz_step_connect(struct fuzz_run *r, struct fuzz_side *side)
{
    struct hf_connect what = {.tag = 1};
    struct hf_tuple t;
    fuzz_fresh_tuple(r, side, &t);
    what.remote = t.remote;
    if (r->side_count == 2) {
        const struct fuzz_side *other = &r->sides[side == &r->sides[0]];
        what.remote.addr = hf_addr_is_v4(&t.remote.addr) ? other->v4 : other->v6;
        what.remote.port = t.local.port;
    }
    if (fuzz_chance(r, 2))
        what.local = t.local;
    hf_handle h = 0;
    if (hf_connect(side->stack, &what, &h, fuzz_now(r, side)) == HF_OK)
        fuzz_model_add(side, h);
}

void fuzz_step_listen(struct fuzz_run *r, struct fuzz_side *side)
{
    uint32_t what = fuzz_take(r, 256), slot = fuzz_take(r, HF_COUNT_OF(side->listeners));
    struct hf_listen listen = {
        .addr = (what & 1) != 0 ? side->v4 : HF_ADDR_ANY,
        .prefix_bits = 32 - (what & 7),
        .port = (uint16_t)((what & 2) != 0 ? 80 + (what >> 2 & 1) : 0),
        .held = (what & 8) != 0,
        .reset_overflow = (what & 16) != 0,
        .max_half_open = what >> 5 & 3,
        .backlog = (what & 128) != 0 ? 1 : 0,
    };
    if (fuzz_chance(r, 2)) {
        listen.max_connections = fuzz_take(r, 4);
        listen.max_per_remote = fuzz_take(r, 3);
    }
    hf_handle h = 0;
    if (hf_listen(side->stack, &listen, &h, fuzz_now(r, side)) != HF_OK)
        return;
    if (side->listeners[slot] != 0)
        (void)hf_close(side->stack, side->listeners[slot], fuzz_now(r, side));
    side->listeners[slot] = h;
}

/* Closes a listener; its port may be listened on again at once. */
void fuzz_step_unlisten(struct fuzz_run *r, struct fuzz_side *side)
{
    hf_handle *h = &side->listeners[fuzz_take(r, HF_COUNT_OF(side->listeners))];
    uint32_t what = fuzz_take(r, 256);
    if (*h != 0) {
        int err = (what & 1) != 0 ? hf_close(side->stack, *h, fuzz_now(r, side))
                                  : hf_abort(side->stack, *h, fuzz_now(r, side));
        HF_ASSERT(err == HF_OK && hf_close(side->stack, *h, fuzz_now(r, side)) == HF_E_HANDLE);
        *h = 0;
    }
    struct hf_listen again = {.held = (what & 2) != 0};
    if ((what & 4) == 0 || hf_listen(side->stack, &again, h, fuzz_now(r, side)) != HF_OK)
        return;
    int64_t room = 1 << (what >> 3 & 15);
    HF_ASSERT(hf_set(side->stack, *h, HF_OPT_RECEIVE_BUFFER_BYTES, room, fuzz_now(r, side)) ==
              HF_OK);
}

void fuzz_step_decide(struct fuzz_run *r, struct fuzz_side *side)
{
    const struct fuzz_model *m = fuzz_model_choose(r, side);
    uint32_t what = fuzz_take(r, 8);
    int err = what < 4 ? hf_admit(side->stack, m->handle, fuzz_now(r, side))
                       : hf_refuse(side->stack, m->handle, (enum hf_refusal)(what - 4),
                                   fuzz_now(r, side));
    if (err == HF_OK && what >= 4)
        ((struct fuzz_model *)(uintptr_t)m)->let_go = true;
}

/* Where the next written byte stands in the stream. */
static uint32_t write_seq(const struct hf_info *info)
{
    return info->iss + 1 + (uint32_t)info->bytes_sent + info->send_queue_bytes;
}

void fuzz_step_send(struct fuzz_run *r, struct fuzz_side *side)
{
    const struct fuzz_model *m = fuzz_model_choose(r, side);
    struct hf_info info = {0};
    bool known = fuzz_info(side, m, &info);
    uint32_t n = 1 + fuzz_take(r, APP_BYTES);
    unsigned flags = fuzz_take(r, 4);
    fuzz_fill(app_bytes, n, write_seq(&info));
    if (fuzz_chance(r, 2)) {
        int64_t done = hf_send(side->stack, m->handle, app_bytes, n, flags, fuzz_now(r, side));
        HF_ASSERT(done != 0 && done <= n && (known || done == HF_E_HANDLE));
        return;
    }
    void *room;
    int64_t given = hf_send_reserve(side->stack, m->handle, &room, fuzz_now(r, side));
    if (given <= 0)
        return;
    n = n < given ? n : (uint32_t)given;
    memcpy(room, app_bytes, n);
    HF_ASSERT(hf_send_commit(side->stack, m->handle, n, flags, fuzz_now(r, side)) == HF_OK);
}

static void took(struct fuzz_model *m, const struct hf_info *info, const uint8_t *bytes, size_t n)
{
    HF_ASSERT(info->bytes_received - info->receive_queue_bytes == m->read_bytes);
    HF_ASSERT(fuzz_is_right(bytes, n, info->irs + 1 + m->read_bytes));
    m->read_bytes += (uint32_t)n;
}

void fuzz_step_receive(struct fuzz_run *r, struct fuzz_side *side)
{
    struct fuzz_model *m = fuzz_model_choose(r, side);
    struct hf_info info;
    if (!fuzz_info(side, m, &info)) {
        HF_ASSERT(hf_receive(side->stack, m->handle, app_bytes, 1, fuzz_now(r, side)) ==
                  HF_E_HANDLE);
        return;
    }
    uint32_t n = 1 + fuzz_take(r, APP_BYTES);
    if (fuzz_chance(r, 2)) {
        int64_t got = hf_receive(side->stack, m->handle, app_bytes, n, fuzz_now(r, side));
        HF_ASSERT(got != 0 && got <= n && (got > 0) == (info.receive_queue_bytes > 0));
        if (got > 0)
            took(m, &info, app_bytes, (size_t)got);
        return;
    }
    struct hf_slice slices[4];
    size_t count = 0;
    int64_t seen = hf_receive_peek(side->stack, m->handle, slices, 1 + fuzz_take(r, 4), &count);
    uint32_t before = m->read_bytes;
    for (size_t i = 0; i < count; i++) {
        took(m, &info, slices[i].bytes, slices[i].length_bytes);
        info.receive_queue_bytes -= (uint32_t)slices[i].length_bytes;
    }
    HF_ASSERT(seen <= 0 || m->read_bytes - before == seen);
    m->read_bytes = before;
    if (seen <= 0)
        return;
    n = n < seen ? n : (uint32_t)seen;
    HF_ASSERT(hf_receive_consume(side->stack, m->handle, n, fuzz_now(r, side)) == HF_OK);
    m->read_bytes += n;
}

void fuzz_step_close(struct fuzz_run *r, struct fuzz_side *side)
{
    struct fuzz_model *m = fuzz_model_choose(r, side);
    uint32_t how = fuzz_take(r, 4);
    if (how < 2) {
        HF_ASSERT(hf_shutdown(side->stack, m->handle, fuzz_now(r, side)) <= HF_OK);
        return;
    }
    int err = how == 2 ? hf_close(side->stack, m->handle, fuzz_now(r, side))
                       : hf_abort(side->stack, m->handle, fuzz_now(r, side));
    m->let_go |= err == HF_OK;
}

void fuzz_step_options(struct fuzz_run *r, struct fuzz_side *side)
{
    const struct fuzz_model *m = fuzz_model_choose(r, side);
    enum hf_option o = (enum hf_option)fuzz_take(r, HF_OPT_COUNT + 1);
    int64_t value = fuzz_take(r, 4);
    if (fuzz_chance(r, 2))
        value = HF_MS((int64_t)fuzz_take(r, 65536));
    bool listener = fuzz_chance(r, 8);
    hf_handle h = listener ? side->listeners[0] : m->handle;
    int64_t back = 0;
    if (hf_set(side->stack, h, o, value, fuzz_now(r, side)) == HF_OK)
        HF_ASSERT(hf_get(side->stack, h, o, &back) == HF_OK);
}

/* ---- steps: time, memory, everything else ---- */

void fuzz_step_time(struct fuzz_run *r, struct fuzz_side *side)
{
    static const hf_ns spans[] = {
        0,         HF_US(100),  HF_MS(1),     HF_MS(40),       HF_MS(200),
        HF_SEC(1), HF_SEC(10),  HF_SEC(60),   HF_SEC(3600),    HF_SEC(86400),
        -1,        HF_SEC(300), -HF_SEC(999), HF_SEC(3000000), HF_SEC(20000000),
    };
    hf_ns span = spans[fuzz_take(r, HF_COUNT_OF(spans))];
    hf_ns deadline = fuzz_deadline(side);
    if (span == 0 && deadline != HF_NEVER && deadline > r->now)
        span = deadline - r->now;
    if (span < 0) { /* the clock goes back for one call */
        (void)hf_stack_expire(side->stack, fuzz_now(r, side) + span, fuzz_take(r, 3));
        return;
    }
    fuzz_pass(r, hf_ns_add(r->now, span));
    if (fuzz_chance(r, 8)) {
        (void)hf_stack_expire(side->stack, fuzz_now(r, side), fuzz_take(r, 3));
        return;
    }
    for (unsigned i = 0; i < r->side_count; i++)
        fuzz_expire(r, &r->sides[i]);
}

void fuzz_step_deadline(struct fuzz_run *r, struct fuzz_side *side)
{
    for (uint32_t n = 1 + fuzz_take(r, 8); n > 0; n--) {
        hf_ns deadline = fuzz_deadline(side);
        if (deadline == HF_NEVER)
            return;
        fuzz_pass(r, deadline);
        fuzz_expire(r, side);
        fuzz_settle(r);
    }
}

void fuzz_step_memory(struct fuzz_run *r, struct fuzz_side *side)
{
    uint32_t what = fuzz_take(r, 8);
    side->account.fail_from = what == 7;
    side->account.fail_nth = what == 0 ? 0 : side->account.asked + what;
    if (fuzz_chance(r, 4))
        hf_stack_trim(side->stack);
}

void fuzz_step_waiting(struct fuzz_run *r, struct fuzz_side *side)
{
    (void)side;
    uint32_t what = fuzz_take(r, 8);
    r->events_wait = (what & 3) == 1;
    r->packets_wait = (what & 3) == 2;
    r->loss = (uint8_t)((what & 4) != 0 ? 1 + fuzz_take(r, 5) : 0);
}

void fuzz_step_save(struct fuzz_run *r, struct fuzz_side *side)
{
    static const hf_ns clocks[] = {
        0, 1, -HF_SEC(1), HF_SEC(77777), -HF_SEC(100000000), HF_SEC(100000000)};
    size_t n = hf_stack_save(side->stack, NULL, 0, fuzz_now(r, side));
    uint8_t *saved = malloc(n);
    HF_ASSERT(saved != NULL && hf_stack_save(side->stack, saved, n, fuzz_now(r, side)) == n);
    struct hf_env env = {.realloc = hf_account_realloc, .realloc_ctx = &side->account};
    struct hf_stack *again = NULL;
    uint64_t held = side->account.held_bytes;
    hf_ns clock_ns = clocks[fuzz_take(r, HF_COUNT_OF(clocks))];
    int err = hf_stack_restore(&again, saved, n, &env, r->now + clock_ns);
    free(saved);
    HF_ASSERT(err == HF_OK || (err == HF_E_MEMORY && side->account.failed));
    HF_ASSERT(err == HF_OK || side->account.held_bytes == held);
    if (err != HF_OK)
        return;
    hf_stack_free(side->stack);
    side->stack = again;
    side->clock_ns = clock_ns;
}
