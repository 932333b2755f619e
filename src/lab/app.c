/**
 * Scripted applications. Owns the script's progress; pair.c gives it time and carries packets.
 */
#include "app.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "core/base.h"
#include "pattern.h"

void hf_app_init(struct hf_app *a, const struct hf_app_script *script, const char *name,
                 unsigned side, struct hf_stack *stack, struct hf_checks *checks)
{
    memset(a, 0, offsetof(struct hf_app, buffer));
    a->script = *script;
    a->name = name;
    a->side = side;
    a->stack = stack;
    a->checks = checks;
    a->decide_at_ns = a->next_read_ns = a->close_at_ns = HF_NEVER;
    a->connected_at_ns = a->closed_at_ns = HF_NEVER;
}

static void fail(struct hf_app *a, hf_ns now, const char *what, int64_t value)
{
    hf_checks_fail(a->checks, now, "%s: %s (%" PRId64 ")", a->name, what, value);
}

/* ---- opening ---- */

void hf_app_listen(struct hf_app *a, hf_ns now)
{
    enum hf_app_open open = a->script.open;
    if (open == HF_APP_CONNECT || open == HF_APP_PASSIVE)
        return;
    struct hf_listen what = {
        .addr = a->local.addr,
        .prefix_bits = hf_addr_is_v4(&a->local.addr) ? 32 : 128,
        .port = a->local.port,
        .held = open == HF_APP_LISTEN_HELD,
        .max_per_remote = a->script.max_per_remote,
        .reset_overflow = a->script.reset_overflow,
    };
    a->open_error = hf_listen(a->stack, &what, &a->listener, now);
}

static void close_listener(struct hf_app *a, hf_ns now)
{
    if (hf_close(a->stack, a->listener, now) != HF_OK)
        fail(a, now, "the listener could not be closed", 0);
}

void hf_app_finish(struct hf_app *a, hf_ns now)
{
    if (a->script.listen_once && a->listener != 0 && a->conn == 0)
        close_listener(a, now);
}

static bool has_to_connect(const struct hf_app *a)
{
    return !a->opened &&
           (a->script.open == HF_APP_CONNECT || a->script.open == HF_APP_CONNECT_AND_LISTEN);
}

static bool connect_in_time(struct hf_app *a, hf_ns now)
{
    if (!has_to_connect(a) || now < a->script.open_at_ns)
        return false;
    a->opened = true;
    struct hf_connect what = {.local = a->local, .remote = a->remote, .tag = a->side + 1u};
    a->open_error = hf_connect(a->stack, &what, &a->conn, now);
    return true;
}

static bool decide_in_time(struct hf_app *a, hf_ns now)
{
    if (now < a->decide_at_ns)
        return false;
    a->decide_at_ns = HF_NEVER;
    if (a->over)
        return false;
    int err = a->script.refuse ? hf_refuse(a->stack, a->conn, a->script.refusal, now)
                               : hf_admit(a->stack, a->conn, now);
    if (err != HF_OK && err != HF_E_MEMORY)
        fail(a, now, "a held request could not be decided", err);
    /* Refusing lets go of the handle as well: only the closed event is left to come. */
    a->released = a->script.refuse && err == HF_OK;
    return true;
}

/* ---- events ---- */

static void take_connected(struct hf_app *a, hf_ns now)
{
    if (a->connected)
        fail(a, now, "connected twice", 0);
    a->connected = a->may_read = a->may_write = true;
    a->connected_at_ns = now;
}

static void take_closed(struct hf_app *a, const struct hf_event *e, hf_ns now)
{
    if (++a->closed_events > 1)
        fail(a, now, "more than one closed event", a->closed_events);
    if (e->how <= HF_CLOSED_NOT || e->how >= HF_CLOSED_COUNT)
        fail(a, now, "closed without saying how", e->how);
    a->how = e->how;
    a->over = true;
    a->closed_at_ns = now;
    a->may_read = true; /* what came before the end can still be read */
}

static void take_event(struct hf_app *a, const struct hf_event *e, hf_ns now)
{
    if ((e->bits & (HF_EV_ACCEPTED | HF_EV_SYN)) && e->handle != a->conn) {
        if (a->conn != 0)
            fail(a, now, "a second connection", (int64_t)e->bits);
        if (e->listener != a->listener)
            fail(a, now, "accepted from an unknown listener", 0);
        a->conn = e->handle;
        if (a->script.listen_once)
            close_listener(a, now);
    }
    if (e->handle != a->conn || a->conn == 0 || (a->released && a->closed_events > 0)) {
        fail(a, now, "an event for a handle that is not in use", (int64_t)e->bits);
        return;
    }
    if (a->seen_count < HF_APP_EVENTS)
        a->seen[a->seen_count] = (struct hf_app_seen){now, e->bits, e->how};
    a->seen_count++;
    if (e->bits & HF_EV_SYN)
        a->decide_at_ns = now + a->script.decide_after_ns;
    if (e->bits & (HF_EV_ACCEPTED | HF_EV_CONNECTED))
        take_connected(a, now);
    if (e->bits & (HF_EV_READABLE | HF_EV_PEER_CLOSED))
        a->may_read = true;
    if (e->bits & HF_EV_WRITABLE)
        a->may_write = true;
    if (e->bits & HF_EV_CLOSED)
        take_closed(a, e, now);
}

static bool take_events(struct hf_app *a, hf_ns now)
{
    struct hf_event e;
    bool any = false;
    while (hf_stack_event(a->stack, &e)) {
        take_event(a, &e, now);
        any = true;
    }
    return any;
}

/* ---- data ---- */

static void take_bytes(struct hf_app *a, size_t n, hf_ns now)
{
    uint64_t key = a->checks->key[1 - a->side];
    size_t right = hf_pattern_check(key, a->received_bytes, a->buffer, n);
    if (right != n)
        fail(a, now, "received a wrong byte at offset", (int64_t)(a->received_bytes + right));
    a->received_bytes += n;
    if (a->other != NULL && a->received_bytes > a->other->written_bytes)
        fail(a, now, "received more than was sent", (int64_t)a->received_bytes);
}

/* The end may be told only after the peer's last byte, and when the peer did close. */
static void take_end(struct hf_app *a, hf_ns now)
{
    a->at_end = true;
    a->may_read = false;
    if (a->other == NULL)
        return;
    if (a->received_bytes != a->other->written_bytes)
        fail(a, now, "the end came before the last byte", (int64_t)a->received_bytes);
    if (!a->other->shut && !a->other->released)
        fail(a, now, "the end came although the peer did not close", 0);
}

static bool read_once(struct hf_app *a, hf_ns now)
{
    size_t n = a->script.read_bytes;
    if (n == 0 || n > sizeof a->buffer)
        n = sizeof a->buffer;
    int64_t got = hf_receive(a->stack, a->conn, a->buffer, n, now);
    if (got > 0) {
        take_bytes(a, (size_t)got, now);
    } else if (got == HF_E_END) {
        take_end(a, now);
    } else {
        a->may_read = false;
        if (got == 0 || got == HF_E_INVALID || got == HF_E_HANDLE)
            fail(a, now, "hf_receive answered", got);
        if (got != HF_E_AGAIN)
            a->receive_error = (int)got;
    }
    return got > 0 || got == HF_E_END;
}

static bool can_read(const struct hf_app *a, hf_ns now)
{
    return a->may_read && !a->at_end && !a->released && a->conn != 0 &&
           (a->over || (a->connected && now >= a->script.read_from_ns &&
                        (a->next_read_ns == HF_NEVER || now >= a->next_read_ns)));
}

static bool read_all(struct hf_app *a, hf_ns now)
{
    bool any = false;
    while (can_read(a, now)) {
        any |= read_once(a, now);
        if (a->script.read_every_ns > 0 && !a->over)
            a->next_read_ns = now + a->script.read_every_ns;
    }
    return any;
}

static bool write_once(struct hf_app *a, hf_ns now)
{
    uint64_t left = a->script.send_bytes - a->written_bytes;
    size_t n = a->script.write_bytes;
    if (n == 0 || n > sizeof a->buffer)
        n = sizeof a->buffer;
    if (n > left)
        n = (size_t)left;
    hf_pattern_fill(a->checks->key[a->side], a->written_bytes, a->buffer, n);
    int64_t took = hf_send(a->stack, a->conn, a->buffer, n, 0, now);
    if (took > 0) {
        a->written_bytes += (uint64_t)took;
        if ((size_t)took > n)
            fail(a, now, "hf_send took more than it was given", took);
        return true;
    }
    a->may_write = false;
    if (took == 0 || took == HF_E_INVALID || took == HF_E_HANDLE)
        fail(a, now, "hf_send answered", took);
    if (took != HF_E_AGAIN)
        a->send_error = (int)took;
    return false;
}

static bool write_all(struct hf_app *a, hf_ns now)
{
    bool any = false;
    if (a->script.write_at_end && !a->at_end)
        return false;
    while (a->connected && a->may_write && !a->shut && !a->released && !a->over &&
           a->written_bytes < a->script.send_bytes)
        any |= write_once(a, now);
    return any;
}

/* ---- closing ---- */

static bool all_sent(const struct hf_app *a)
{
    return a->connected && a->written_bytes == a->script.send_bytes;
}

static bool is_ready_to_close(const struct hf_app *a, hf_ns now)
{
    switch (a->script.close) {
    case HF_APP_CLOSE_SHUTDOWN: return all_sent(a) && (!a->shut || a->at_end);
    case HF_APP_CLOSE_LAST: return all_sent(a) && a->at_end;
    case HF_APP_CLOSE_NOW:
    case HF_APP_CLOSE_ABORT:
        if (a->script.close_at_ns > 0)
            return now >= a->script.close_at_ns;
        if (a->script.close_at_bytes > 0)
            return a->written_bytes + a->received_bytes >= a->script.close_at_bytes;
        return all_sent(a);
    case HF_APP_CLOSE_NEVER: break;
    }
    return false;
}

static void let_go(struct hf_app *a, bool abort, hf_ns now)
{
    a->released = true;
    a->close_at_ns = HF_NEVER;
    int err = abort ? hf_abort(a->stack, a->conn, now) : hf_close(a->stack, a->conn, now);
    if (err != HF_OK)
        fail(a, now, "could not let go", err);
}

/* Over: nothing is left to read, so the handle can go; after that it must be unknown. */
static bool bury(struct hf_app *a, hf_ns now)
{
    let_go(a, false, now);
    struct hf_info info;
    int err = hf_info(a->stack, a->conn, &info);
    if (err != HF_E_HANDLE)
        fail(a, now, "a closed and released handle is still known", err);
    return true;
}

static bool shut_down(struct hf_app *a, hf_ns now)
{
    a->shut = true;
    a->close_at_ns = HF_NEVER;
    int err = hf_shutdown(a->stack, a->conn, now);
    if (err == HF_E_HANDLE || err == HF_E_INVALID)
        fail(a, now, "hf_shutdown answered", err);
    return true;
}

static bool close_in_time(struct hf_app *a, hf_ns now)
{
    if (a->conn == 0 || a->released)
        return false;
    if (a->over)
        return bury(a, now);
    if (!is_ready_to_close(a, now))
        return false;
    if (a->close_at_ns == HF_NEVER)
        a->close_at_ns = now + a->script.close_wait_ns;
    if (now < a->close_at_ns)
        return false;
    if (a->script.close == HF_APP_CLOSE_SHUTDOWN && !a->shut)
        return shut_down(a, now);
    let_go(a, a->script.close == HF_APP_CLOSE_ABORT, now);
    return true;
}

bool hf_app_run(struct hf_app *a, hf_ns now)
{
    bool any = connect_in_time(a, now);
    any |= take_events(a, now);
    any |= decide_in_time(a, now);
    any |= read_all(a, now);
    any |= write_all(a, now);
    any |= close_in_time(a, now);
    return any;
}

hf_ns hf_app_deadline(const struct hf_app *a)
{
    hf_ns at_ns = has_to_connect(a) ? a->script.open_at_ns : HF_NEVER;
    if (a->conn == 0 || a->released)
        return at_ns;
    at_ns = hf_min_ns(at_ns, hf_min_ns(a->decide_at_ns, a->close_at_ns));
    if (a->may_read && !a->at_end && a->connected && !a->over)
        at_ns = hf_min_ns(at_ns, a->next_read_ns != HF_NEVER
                                     ? hf_max_ns(a->next_read_ns, a->script.read_from_ns)
                                     : a->script.read_from_ns);
    bool by_time = a->script.close == HF_APP_CLOSE_NOW || a->script.close == HF_APP_CLOSE_ABORT;
    if (by_time && a->script.close_at_ns > 0 && a->close_at_ns == HF_NEVER && !a->over)
        at_ns = hf_min_ns(at_ns, a->script.close_at_ns);
    return at_ns;
}
