/**
 * The two kinds of ends: what each does when it can read, write or end. See interop.h.
 */
#include "support/interop.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lab/pattern.h"

enum {
    PIECE_BYTES = 65536,
    TABLE_BYTES = 1048573, /* a prime: no power of two that is lost or doubled looks right */
    KEY_OURS = 1,
    KEY_THEIRS = 2,
};

/* A stream is this table, over and over, from a place of its own on; the table's first bytes stand
 * behind its end once more, so that a piece is always in one part. */
static uint8_t table[TABLE_BYTES + PIECE_BYTES];

static const uint8_t *data_at(uint16_t own_port, uint16_t kernel_port, unsigned direction,
                              uint64_t offset)
{
    uint64_t key = (uint64_t)own_port << 32 | (uint64_t)kernel_port << 8 | direction;
    if (table[0] == 0) {
        hf_pattern_fill(1, 0, table, TABLE_BYTES);
        memcpy(table + TABLE_BYTES, table, PIECE_BYTES);
        table[0] = table[TABLE_BYTES] = 1;
    }
    return table + (key * 0x9e3779b9u + offset) % TABLE_BYTES;
}

static bool may_send(const struct interop_plan *plan, uint64_t received, bool at_end)
{
    return (!plan->speaks_second || received > 0) && (!plan->sends_after_end || at_end);
}

static size_t piece_of(uint64_t left)
{
    return left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
}

/* ---- ours ----------------------------------------------------------------------------------- */

static void ours_take(struct interop_ours *o, hf_ns now)
{
    uint8_t bytes[PIECE_BYTES];
    while (!o->paused && !o->at_end) {
        int64_t n = hf_receive(o->w->stack, o->handle, bytes, sizeof bytes, now);
        if (n == HF_E_END)
            o->at_end = true;
        else if (n < 0 && n != HF_E_AGAIN && o->error == 0)
            o->error = (int)n;
        if (n <= 0)
            return;
        const uint8_t *right = data_at(o->own_port, o->kernel_port, KEY_THEIRS, o->received);
        if (memcmp(right, bytes, (size_t)n) != 0)
            o->w->wrong_data = true;
        o->received += (uint64_t)n;
    }
}

static void ours_give(struct interop_ours *o, hf_ns now)
{
    while (o->sent < o->plan.send_bytes && may_send(&o->plan, o->received, o->at_end)) {
        size_t piece = piece_of(o->plan.send_bytes - o->sent);
        const uint8_t *bytes = data_at(o->own_port, o->kernel_port, KEY_OURS, o->sent);
        int64_t n = hf_send(o->w->stack, o->handle, bytes, piece, 0, now);
        if (n < 0 && n != HF_E_AGAIN && o->error == 0)
            o->error = (int)n;
        if (n <= 0)
            return;
        o->sent += (uint64_t)n;
    }
}

static bool ours_has_all(const struct interop_ours *o)
{
    return o->opened && o->sent == o->plan.send_bytes && o->received >= o->plan.expect_bytes;
}

static void ours_shut(struct interop_ours *o, hf_ns now)
{
    int err = o->shut ? HF_OK : hf_shutdown(o->w->stack, o->handle, now);
    o->shut = true;
    if (err != HF_OK && o->error == 0)
        o->error = err;
}

static void ours_let_go(struct interop_ours *o, bool abort, hf_ns now)
{
    int err = abort ? hf_abort(o->w->stack, o->handle, now) : hf_close(o->w->stack, o->handle, now);
    o->let_go = true;
    if (err != HF_OK && o->error == 0)
        o->error = err;
}

static void ours_end(struct interop_ours *o, hf_ns now)
{
    bool sent = o->opened && o->sent == o->plan.send_bytes;
    bool closes = o->at_end;
    switch (o->plan.ending) {
    case ENDING_FIRST:
        if (ours_has_all(o))
            ours_shut(o, now);
        break;
    case ENDING_HALF:
        if (sent)
            ours_shut(o, now);
        break;
    case ENDING_LAST: closes = o->at_end && sent; break;
    case ENDING_TOGETHER: break;
    case ENDING_ABORT:
    case ENDING_NONE: closes = false; break;
    }
    if (closes || o->over)
        ours_let_go(o, false, now);
}

void interop_ours_pump(struct interop_ours *o, hf_ns now)
{
    if (o->let_go)
        return;
    if (o->opened) {
        ours_take(o, now);
        if (!o->over)
            ours_give(o, now);
    }
    ours_end(o, now);
}

void interop_resume_ours(struct interop_ours *o)
{
    o->paused = false;
    interop_ours_pump(o, hf_host_now());
    o->w->has_work = true;
}

/* ---- theirs --------------------------------------------------------------------------------- */

static void theirs_ready(void *ctx, struct hf_loop *loop, int fd, unsigned bits)
{
    (void)loop, (void)fd, (void)bits;
    interop_theirs_pump(ctx);
}

static void theirs_close(struct interop_theirs *t, bool abort)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (abort)
        (void)setsockopt(t->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    hf_loop_remove_fd(t->w->loop, t->fd);
    close(t->fd);
    t->fd = -1;
}

static void theirs_failed(struct interop_theirs *t, int error)
{
    if (t->error == 0)
        t->error = error;
    theirs_close(t, false);
}

/* False: not yet, or it failed. */
static bool theirs_connected(struct interop_theirs *t)
{
    int error = 0;
    socklen_t n = sizeof error;
    struct tcp_info info;
    socklen_t info_bytes = sizeof info;
    if (!t->connecting)
        return true;
    (void)getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &n);
    if (error != 0) {
        theirs_failed(t, error);
        return false;
    }
    (void)getsockopt(t->fd, IPPROTO_TCP, TCP_INFO, &info, &info_bytes);
    if (info.tcpi_state == TCP_SYN_SENT || info.tcpi_state == TCP_SYN_RECV)
        return false;
    t->connecting = false;
    t->opened = true;
    return true;
}

static void theirs_take(struct interop_theirs *t)
{
    uint8_t bytes[PIECE_BYTES];
    while (t->fd >= 0 && !t->paused && !t->at_end) {
        ssize_t n = recv(t->fd, bytes, sizeof bytes, 0);
        if (n == 0)
            t->at_end = true;
        else if (n < 0 && errno != EAGAIN)
            theirs_failed(t, errno);
        if (n <= 0)
            return;
        const uint8_t *right = data_at(t->own_port, t->kernel_port, KEY_OURS, t->received);
        if (memcmp(right, bytes, (size_t)n) != 0)
            t->w->wrong_data = true;
        t->received += (uint64_t)n;
    }
}

static void theirs_give(struct interop_theirs *t)
{
    while (t->fd >= 0 && t->sent < t->plan.send_bytes &&
           may_send(&t->plan, t->received, t->at_end)) {
        size_t piece = piece_of(t->plan.send_bytes - t->sent);
        const uint8_t *bytes = data_at(t->own_port, t->kernel_port, KEY_THEIRS, t->sent);
        ssize_t n = send(t->fd, bytes, piece, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            theirs_failed(t, errno);
        if (n <= 0)
            return;
        t->sent += (uint64_t)n;
    }
}

static bool theirs_has_all(const struct interop_theirs *t)
{
    return t->opened && t->sent == t->plan.send_bytes && t->received >= t->plan.expect_bytes;
}

static void theirs_shut(struct interop_theirs *t)
{
    if (!t->shut && shutdown(t->fd, SHUT_WR) < 0 && t->error == 0)
        t->error = errno;
    t->shut = true;
}

static void theirs_end(struct interop_theirs *t)
{
    bool sent = t->sent == t->plan.send_bytes;
    bool closes = t->at_end;
    switch (t->plan.ending) {
    case ENDING_FIRST:
        if (theirs_has_all(t))
            theirs_shut(t);
        break;
    case ENDING_HALF:
        if (sent)
            theirs_shut(t);
        break;
    case ENDING_LAST: closes = t->at_end && sent; break;
    case ENDING_TOGETHER: break;
    case ENDING_ABORT:
    case ENDING_NONE: closes = false; break;
    }
    if (closes)
        theirs_close(t, false);
}

/* Waits for what the kernel can tell: no turns for nothing. */
static void theirs_watch(struct interop_theirs *t)
{
    bool waits_to_send = t->sent < t->plan.send_bytes && may_send(&t->plan, t->received, t->at_end);
    unsigned bits = (t->paused || t->at_end ? 0 : (unsigned)HF_LOOP_READ) |
                    (t->connecting || waits_to_send ? (unsigned)HF_LOOP_WRITE : 0);
    (void)!hf_loop_set_fd(t->w->loop, t->fd, bits);
}

void interop_theirs_pump(struct interop_theirs *t)
{
    if (t->fd >= 0 && theirs_connected(t)) {
        theirs_take(t);
        theirs_give(t);
        if (t->fd >= 0)
            theirs_end(t);
    }
    if (t->fd >= 0)
        theirs_watch(t);
}

void interop_resume_theirs(struct interop_theirs *t)
{
    t->paused = false;
    interop_theirs_pump(t);
}

struct interop_theirs *interop_theirs_add(struct interop *w, int fd, uint16_t kernel_port,
                                          uint16_t own_port, const struct interop_plan *plan)
{
    struct interop_theirs *t = &w->theirs[w->theirs_count++];
    *t = (struct interop_theirs){
        .w = w, .plan = *plan, .fd = fd, .own_port = own_port, .kernel_port = kernel_port};
    if (hf_loop_add_fd(w->loop, fd, HF_LOOP_READ | HF_LOOP_WRITE, theirs_ready, t) != HF_OK)
        t->error = EBADF;
    return t;
}

/* ---- both ----------------------------------------------------------------------------------- */

void interop_end_both(struct interop *w)
{
    struct interop_ours *o = &w->ours[0];
    struct interop_theirs *t = &w->theirs[0];
    if (w->ours_count == 0 || w->theirs_count == 0 || o->let_go || o->shut || o->over ||
        t->fd < 0 || !ours_has_all(o) || !theirs_has_all(t))
        return;
    if (t->plan.ending == ENDING_ABORT)
        theirs_close(t, true);
    if (o->plan.ending == ENDING_ABORT) {
        ours_let_go(o, true, hf_host_now());
        w->has_work = true;
    }
    if (o->plan.ending != ENDING_TOGETHER)
        return;
    theirs_shut(t);
    ours_shut(o, hf_host_now());
    w->has_work = true;
}
