/**
 * Data: sendmsg, recvmsg, and shutdown.
 *
 * The order in which things are looked at is that of Linux: what was received first, then the end,
 * then the pending error, then what this side has shut.
 */
#include "socket.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

enum { IOV_MAX_COUNT = 1024, PEEK_SLICES = 16 };

int hf_socket_check_iov(const struct msghdr *message, bool copies, size_t *total_bytes)
{
    *total_bytes = 0;
    if (message == NULL || (message->msg_iovlen > 0 && message->msg_iov == NULL))
        return -EFAULT;
    if (message->msg_iovlen > IOV_MAX_COUNT)
        return -EMSGSIZE;
    for (size_t i = 0; i < message->msg_iovlen; i++) {
        const struct iovec *v = &message->msg_iov[i];
        if (v->iov_len > (size_t)SSIZE_MAX - *total_bytes)
            return -EINVAL;
        if (copies && v->iov_base == NULL && v->iov_len > 0)
            return -EFAULT;
        *total_bytes += v->iov_len;
    }
    return 0;
}

/** A place in a list of buffers. */
struct cursor {
    const struct iovec *iov;
    size_t count, offset;
};

static void pass(struct cursor *c, size_t bytes)
{
    while (c->count > 0 && bytes >= c->iov->iov_len - c->offset) {
        bytes -= c->iov->iov_len - c->offset;
        c->iov++;
        c->count--;
        c->offset = 0;
    }
    c->offset += bytes;
}

static struct cursor cursor_at(const struct msghdr *message, size_t offset)
{
    struct cursor c = {message->msg_iov, message->msg_iovlen, 0};
    pass(&c, offset);
    return c;
}

/* ---- sending ------------------------------------------------------------------------------ */

/** 0 when bytes can be written; else what a write of this moment says. */
static ssize_t why_not_send(struct hf_sockets *s, struct hf_socket *socket, int flags,
                            struct hf_posix_wait *wait)
{
    bool over = socket->ended || socket->phase == HF_SOCKET_IDLE;
    bool shut = socket->write_shut || socket->phase == HF_SOCKET_LISTENING;
    if ((over || shut) && wait->done_bytes > 0)
        return (ssize_t)wait->done_bytes; /* the error is for the next call to tell */
    if (over && socket->error != 0)
        return -hf_socket_take_error(socket);
    if (over || shut)
        return -EPIPE;
    if (!socket->established) /* queued only once there is a peer, as on Linux */
        return hf_socket_wait(s, socket, flags, socket->options.send_timeout_ns, wait);
    return 0;
}

/** Gives the core what it takes; adds that to *done_bytes. 0, or why it went no further. */
static int write_some(struct hf_sockets *s, struct hf_socket *socket, const struct msghdr *message,
                      int flags, size_t total_bytes, size_t *done_bytes)
{
    struct cursor c = cursor_at(message, *done_bytes);
    while (*done_bytes < total_bytes) {
        size_t n = c.iov->iov_len - c.offset;
        bool last = *done_bytes + n == total_bytes;
        unsigned how = (flags & MSG_MORE) != 0 || !last ? HF_SEND_MORE : 0;
        if (last && (flags & MSG_OOB) != 0)
            how |= HF_SEND_URGENT;
        int64_t taken = hf_send(s->stack, socket->handle,
                                (const uint8_t *)c.iov->iov_base + c.offset, n, how, s->now_ns);
        if (taken < 0)
            return (int)taken;
        *done_bytes += (size_t)taken;
        pass(&c, (size_t)taken);
    }
    return 0;
}

ssize_t hf_sockets_sendmsg(void *self, int fd, const struct msghdr *message, int flags,
                           struct hf_posix_wait *wait)
{
    struct hf_sockets *s = self;
    struct hf_socket *socket;
    size_t total_bytes;
    int err = hf_socket_find(s, fd, &socket);
    if (err == 0)
        err = hf_socket_check_iov(message, true, &total_bytes);
    if (err != 0)
        return err;
    ssize_t says = why_not_send(s, socket, flags, wait);
    if (says != 0)
        return says;
    size_t done_bytes = wait->done_bytes;
    err = write_some(s, socket, message, flags, total_bytes, &done_bytes);
    wait->done_bytes = done_bytes;
    if (err == 0)
        return (ssize_t)done_bytes;
    if (err == HF_E_AGAIN) {
        socket->no_room = true;
        err = hf_socket_wait(s, socket, flags, socket->options.send_timeout_ns, wait);
        return err == -EAGAIN && done_bytes > 0 ? (ssize_t)done_bytes : err;
    }
    if (done_bytes > 0)
        return (ssize_t)done_bytes;
    int error = hf_socket_take_error(socket);
    return error != 0 ? -error : -EPIPE;
}

/* ---- receiving ---------------------------------------------------------------------------- */

size_t hf_socket_peek(const struct hf_sockets *s, const struct hf_socket *socket, size_t offset,
                      void *bytes, size_t length_bytes)
{
    struct hf_slice slices[PEEK_SLICES];
    uint8_t *to = bytes;
    size_t count, done = 0, at = 0;
    if (hf_receive_peek(s->stack, socket->handle, slices, PEEK_SLICES, &count) < 0)
        return 0;
    for (size_t i = 0; i < count && done < length_bytes; i++) {
        size_t end = at + slices[i].length_bytes;
        if (end > offset) {
            size_t skip = offset > at ? offset - at : 0;
            size_t n = slices[i].length_bytes - skip;
            n = n < length_bytes - done ? n : length_bytes - done;
            memcpy(to + done, slices[i].bytes + skip, n);
            done += n;
            offset += n;
        }
        at = end;
    }
    return done;
}

/** How a reading call goes on. */
struct reading {
    struct hf_sockets *s;
    struct hf_socket *socket;
    const struct msghdr *message;
    int flags;
    size_t total_bytes, done_bytes;
};

/** Takes n bytes that are there, or only looks; returns how many it were. To NULL nothing is
 *  copied. */
static size_t take(struct reading *r, uint8_t *to, size_t n)
{
    int64_t taken;
    if ((r->flags & MSG_PEEK) != 0)
        return to != NULL ? hf_socket_peek(r->s, r->socket, r->done_bytes, to, n) : n;
    if (to == NULL)
        taken = hf_receive_consume(r->s->stack, r->socket->handle, n, r->s->now_ns) == HF_OK
                    ? (int64_t)n
                    : 0;
    else
        taken = hf_receive(r->s->stack, r->socket->handle, to, n, r->s->now_ns);
    return taken > 0 ? (size_t)taken : 0;
}

/** The urgent byte is no part of what is read, unless it is in line: passes over it. True if it
 *  did, and reading may go on. */
static bool pass_urgent(struct reading *r, const struct hf_info *info)
{
    if (!hf_socket_is_at_mark(r->socket, info) || r->socket->options.urgent_inline ||
        info->receive_queue_bytes == 0)
        return false;
    if (r->done_bytes > 0 || (r->flags & MSG_PEEK) != 0)
        return false; /* a read ends at the mark */
    r->socket->urgent.known = false;
    return hf_receive_consume(r->s->stack, r->socket->handle, 1, r->s->now_ns) == HF_OK;
}

/** Copies what is there, up to the urgent byte. */
static void read_some(struct reading *r)
{
    struct hf_info info = hf_socket_info(r->s, r->socket);
    hf_socket_note_urgent(r->socket, &info);
    if (pass_urgent(r, &info))
        info = hf_socket_info(r->s, r->socket);
    uint64_t before = hf_socket_before_urgent(r->socket, &info);
    size_t from = (r->flags & MSG_PEEK) != 0 ? r->done_bytes : 0;
    size_t there = before > from ? (size_t)before - from : 0;
    struct cursor c = cursor_at(r->message, r->done_bytes);
    while (there > 0 && r->done_bytes < r->total_bytes) {
        size_t n = c.iov->iov_len - c.offset;
        n = n < there ? n : there;
        bool copies = (r->flags & MSG_TRUNC) == 0;
        size_t taken = take(r, copies ? (uint8_t *)c.iov->iov_base + c.offset : NULL, n);
        if (taken == 0)
            return;
        there -= taken;
        r->done_bytes += taken;
        pass(&c, taken);
    }
}

static size_t least_bytes(const struct reading *r)
{
    size_t low = (size_t)r->socket->options.receive_low_water_bytes;
    size_t least = (r->flags & MSG_WAITALL) != 0 || low > r->total_bytes ? r->total_bytes : low;
    return least > 0 ? least : 1;
}

/** Nothing was read, and nothing more comes by itself: true with what the call says then. */
static bool is_over(struct hf_socket *socket, ssize_t *says)
{
    *says = 0;
    if (socket->peer_closed)
        return true;
    if (socket->error != 0) {
        *says = -hf_socket_take_error(socket);
        return true;
    }
    if (socket->read_shut || socket->ended)
        return true;
    *says = -ENOTCONN;
    return socket->phase == HF_SOCKET_IDLE;
}

static ssize_t receive(struct reading *r, struct hf_posix_wait *wait)
{
    struct hf_socket *socket = r->socket;
    ssize_t says;
    r->done_bytes = wait->done_bytes;
    if (r->total_bytes == 0 && hf_socket_info(r->s, socket).receive_queue_bytes > 0)
        return 0;
    read_some(r);
    if ((r->flags & MSG_PEEK) == 0)
        wait->done_bytes = r->done_bytes;
    struct hf_info info = hf_socket_info(r->s, socket);
    bool at_mark = r->done_bytes > 0 && hf_socket_is_at_mark(socket, &info);
    if (r->done_bytes >= least_bytes(r) || at_mark)
        return (ssize_t)r->done_bytes;
    if (r->done_bytes > 0 &&
        (socket->peer_closed || socket->error != 0 || socket->ended || socket->read_shut))
        return (ssize_t)r->done_bytes;
    if (r->done_bytes == 0 && is_over(socket, &says))
        return says;
    int err = hf_socket_wait(r->s, socket, r->flags, socket->options.receive_timeout_ns, wait);
    return err == -EAGAIN && r->done_bytes > 0 ? (ssize_t)r->done_bytes : err;
}

ssize_t hf_sockets_recvmsg(void *self, int fd, struct msghdr *message, int flags,
                           struct hf_posix_wait *wait)
{
    struct hf_sockets *s = self;
    struct reading r = {.s = s, .message = message, .flags = flags};
    int err = hf_socket_find(s, fd, &r.socket);
    if (err == 0)
        err = hf_socket_check_iov(message, (flags & MSG_TRUNC) == 0, &r.total_bytes);
    if (err != 0)
        return err;
    if (r.socket->phase == HF_SOCKET_LISTENING)
        return -ENOTCONN;
    message->msg_namelen = 0; /* a stream's bytes have no sender but the peer */
    message->msg_controllen = 0;
    message->msg_flags = 0;
    if ((flags & MSG_OOB) != 0)
        return hf_socket_receive_urgent(s, r.socket, message, flags);
    return receive(&r, wait);
}

/* ---- shutdown ----------------------------------------------------------------------------- */

static bool is_open(const struct hf_socket *socket)
{
    return socket->handle != 0 && !socket->ended;
}

/** A listener that is shut for reading, and an attempt to connect that is shut at all, are over;
 *  the latter would else go on without anybody to tell. */
static bool is_ended_by(const struct hf_socket *socket, bool read)
{
    if (socket->phase == HF_SOCKET_LISTENING)
        return read;
    return socket->phase == HF_SOCKET_CONNECTING && !socket->established && !socket->ended;
}

int hf_sockets_shutdown(void *self, int fd, int how)
{
    struct hf_sockets *s = self;
    struct hf_socket *socket;
    int err = hf_socket_find(s, fd, &socket);
    if (err != 0)
        return err;
    if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
        return -EINVAL;
    bool read = how != SHUT_WR, write = how != SHUT_RD;
    if (is_ended_by(socket, read)) {
        hf_socket_disconnect(s, socket, true);
        return 0;
    }
    if (socket->phase == HF_SOCKET_LISTENING)
        return 0;
    if (!is_open(socket)) {
        socket->read_shut |= read;
        socket->write_shut |= write;
        return -ENOTCONN;
    }
    bool sends_fin = write && !socket->write_shut;
    socket->read_shut |= read;
    socket->write_shut |= write;
    if (socket->read_shut && socket->write_shut)
        socket->shut_at_bytes = hf_socket_info(s, socket).bytes_received;
    if (sends_fin && hf_shutdown(s->stack, socket->handle, s->now_ns) != HF_OK)
        return -ENOTCONN;
    hf_socket_tell_watchers(s, socket, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
    return 0;
}
