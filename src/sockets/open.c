/**
 * Opening: bind, listen, accept, connect.
 *
 * A listener's backlog is the core's: what waits here to be accepted is taken off it. Linux takes
 * one connection more than listen was told, and so do we.
 */
#include "socket.h"

#include <errno.h>
#include <netinet/in.h>

static struct hf_addr any_of(int family)
{
    return family == AF_INET6 ? HF_ADDR_ANY : hf_addr_v4(0, 0, 0, 0);
}

/* ---- bind --------------------------------------------------------------------------------- */

/** Gives the socket an address, and a port if it asks for none. */
static int take_address(struct hf_sockets *s, struct hf_socket *socket, struct hf_endpoint local)
{
    if (local.port == 0) {
        local.port = hf_socket_port_choose(s, socket, &local.addr);
        if (local.port == 0)
            return -EADDRINUSE;
    } else {
        int err = hf_socket_address_check(s, socket, &local, false);
        if (err != 0)
            return err;
    }
    socket->local = local;
    socket->is_bound = true;
    return 0;
}

/** Linux takes AF_UNSPEC for AF_INET, if the address is the wildcard. */
static bool is_unspecified_v4(const struct hf_socket *socket, const struct sockaddr *address,
                              socklen_t length)
{
    if (socket->family != AF_INET || address == NULL || length < sizeof(struct sockaddr_in))
        return false;
    const struct sockaddr_in *sin = (const struct sockaddr_in *)(const void *)address;
    return sin->sin_family == AF_UNSPEC && sin->sin_addr.s_addr == htonl(INADDR_ANY);
}

int hf_sockets_bind(void *self, int fd, const struct sockaddr *address, socklen_t length)
{
    struct hf_sockets *s = self;
    struct hf_socket *socket;
    struct hf_endpoint local;
    int err = hf_socket_find(s, fd, &socket);
    if (err != 0)
        return err;
    if (is_unspecified_v4(socket, address, length)) {
        const struct sockaddr_in *sin = (const struct sockaddr_in *)(const void *)address;
        local = (struct hf_endpoint){any_of(AF_INET), ntohs(sin->sin_port)};
    } else {
        err = hf_socket_address_read(socket->family, address, length, &local);
        if (err != 0)
            return err;
    }
    if (socket->is_bound || socket->phase != HF_SOCKET_IDLE)
        return -EINVAL;
    if (socket->family == AF_INET6 && socket->options.v6_only && hf_addr_is_v4(&local.addr))
        return -EINVAL;
    if (!hf_socket_address_is_any(&local.addr) && !hf_stack_has_address(s->stack, &local.addr))
        return -EADDRNOTAVAIL;
    return take_address(s, socket, local);
}

/* ---- listen ------------------------------------------------------------------------------- */

static void tell_backlog(struct hf_sockets *s, const struct hf_socket *listener)
{
    uint32_t limit = listener->backlog + 1;
    uint32_t room = limit > listener->queue_length ? limit - listener->queue_length : 0;
    int err = hf_set(s->stack, listener->handle, HF_OPT_BACKLOG, room, s->now_ns);
    (void)err; /* a listener's handle is good until close, and every number will do */
}

static int start_listening(struct hf_sockets *s, struct hf_socket *socket)
{
    struct hf_listen what = {.addr = socket->local.addr, .port = socket->local.port};
    if (hf_addr_equal(&what.addr, &HF_ADDR_ANY))
        what.v6_only = socket->options.v6_only;
    else if (!hf_socket_address_is_any(&what.addr))
        what.prefix_bits = hf_addr_is_v4(&what.addr) ? 32 : 128;
    hf_handle handle;
    int err = hf_listen(s->stack, &what, &handle, s->now_ns);
    if (err == HF_E_MEMORY)
        return -ENOBUFS;
    if (err != HF_OK)
        return -EADDRINUSE;
    socket->phase = HF_SOCKET_LISTENING;
    hf_socket_adopt(s, socket, handle);
    hf_socket_options_apply(s, socket);
    return 0;
}

int hf_sockets_listen(void *self, int fd, int backlog)
{
    struct hf_sockets *s = self;
    struct hf_socket *socket;
    int err = hf_socket_find(s, fd, &socket);
    if (err != 0)
        return err;
    bool listening = socket->phase == HF_SOCKET_LISTENING;
    if (!listening && socket->phase != HF_SOCKET_IDLE)
        return -EINVAL;
    socket->backlog = backlog < 0 || backlog > HF_SOCKETS_BACKLOG_MAX ? HF_SOCKETS_BACKLOG_MAX
                                                                      : (uint32_t)backlog;
    if (!listening) {
        err = socket->is_bound
                  ? hf_socket_address_check(s, socket, &socket->local, true)
                  : take_address(s, socket, (struct hf_endpoint){any_of(socket->family), 0});
        if (err == 0)
            err = start_listening(s, socket);
        if (err != 0)
            return err;
    }
    tell_backlog(s, socket);
    return 0;
}

/* ---- accept ------------------------------------------------------------------------------- */

struct hf_socket *hf_socket_queue(struct hf_sockets *s, struct hf_socket *listener,
                                  hf_handle handle)
{
    struct hf_socket *child = hf_socket_new(s, HF_SOCKET_TCP, listener->family);
    if (child == NULL) {
        hf_abort(s->stack, handle, s->now_ns);
        return NULL;
    }
    child->options = listener->options;
    child->phase = HF_SOCKET_CONNECTED;
    child->established = true;
    hf_socket_adopt(s, child, handle);
    child->local = hf_socket_info(s, child).local;
    if (listener->queue_tail != NULL)
        listener->queue_tail->queue_next = child;
    else
        listener->queue_head = child;
    listener->queue_tail = child;
    listener->queue_length++;
    tell_backlog(s, listener);
    hf_socket_tell_watchers(s, listener, EPOLLIN | EPOLLRDNORM);
    return child;
}

static struct hf_socket *unqueue(struct hf_socket *listener)
{
    struct hf_socket *child = listener->queue_head;
    if (child == NULL)
        return NULL;
    listener->queue_head = child->queue_next;
    if (listener->queue_head == NULL)
        listener->queue_tail = NULL;
    child->queue_next = NULL;
    listener->queue_length--;
    return child;
}

void hf_socket_drop_queue(struct hf_sockets *s, struct hf_socket *listener)
{
    for (struct hf_socket *child; (child = unqueue(listener)) != NULL;) {
        hf_socket_release(s, child, true);
        hf_socket_free(s, child);
    }
}

int hf_sockets_accept(void *self, int fd, struct sockaddr *address, socklen_t *length,
                      struct hf_posix_wait *wait)
{
    struct hf_sockets *s = self;
    struct hf_socket *listener;
    int err = hf_socket_find(s, fd, &listener);
    if (err != 0)
        return err;
    if (listener->phase != HF_SOCKET_LISTENING)
        return -EINVAL;
    struct hf_socket *child = listener->queue_head;
    if (child == NULL)
        return hf_socket_wait(s, listener, 0, listener->options.receive_timeout_ns, wait);
    struct hf_info info = hf_socket_info(s, child);
    err = hf_socket_address_write(child->family, &info.remote, address, length);
    if (err != 0)
        return err;
    int child_fd = hf_socket_give_fd(s, child);
    if (child_fd < 0)
        return child_fd;
    unqueue(listener);
    tell_backlog(s, listener);
    return child_fd;
}

/* ---- connect ------------------------------------------------------------------------------ */

void hf_socket_disconnect(struct hf_sockets *s, struct hf_socket *socket, bool abort)
{
    hf_sockets_take_events(s);
    bool was_alive = socket->handle != 0 && !socket->ended;
    if (socket->phase == HF_SOCKET_LISTENING) {
        hf_socket_drop_queue(s, socket);
        was_alive = false;
    }
    hf_socket_release(s, socket, abort);
    socket->phase = HF_SOCKET_IDLE;
    socket->established = socket->ended = socket->peer_closed = false;
    socket->read_shut = socket->write_shut = false;
    socket->error = was_alive ? ECONNRESET : 0;
    socket->urgent = (struct hf_socket_urgent){0};
    if (!socket->is_bound)
        socket->local = (struct hf_endpoint){0};
    hf_socket_tell_watchers(s, socket, EPOLLOUT | EPOLLERR | EPOLLHUP);
}

static int errno_of_connect(int err)
{
    switch (err) {
    case HF_E_EXISTS:
    case HF_E_PORTS: return -EADDRNOTAVAIL;
    case HF_E_UNREACHABLE: return -ENETUNREACH;
    case HF_E_MEMORY: return -ENOBUFS;
    default: return -EINVAL; /* open-ended: what is left is a wrong argument */
    }
}

static int start_connecting(struct hf_sockets *s, struct hf_socket *socket,
                            const struct sockaddr *address, socklen_t length)
{
    struct hf_connect what = {.local = socket->local};
    int err = hf_socket_address_read(socket->family, address, length, &what.remote);
    if (err != 0)
        return err;
    if (what.remote.port == 0)
        return -EADDRNOTAVAIL;
    bool v4 = hf_addr_is_v4(&what.remote.addr);
    if (socket->family == AF_INET6 && socket->options.v6_only && v4)
        return -ENETUNREACH;
    if (hf_socket_address_is_any(&what.local.addr))
        what.local.addr = HF_ADDR_ANY;
    else if (hf_addr_is_v4(&what.local.addr) != v4)
        return -ENETUNREACH;
    hf_handle handle;
    err = hf_connect(s->stack, &what, &handle, s->now_ns);
    if (err != HF_OK)
        return errno_of_connect(err);
    socket->phase = HF_SOCKET_CONNECTING;
    socket->error = 0;
    hf_socket_adopt(s, socket, handle);
    hf_socket_options_apply(s, socket);
    if (!socket->is_bound)
        socket->local = hf_socket_info(s, socket).local;
    return 0;
}

/** How the attempt went, as far as it has. */
static int outcome(struct hf_sockets *s, struct hf_socket *socket, int not_yet,
                   struct hf_posix_wait *wait)
{
    if (socket->ended) {
        int error = hf_socket_take_error(socket);
        hf_socket_disconnect(s, socket, false);
        return error != 0 ? -error : -ECONNABORTED;
    }
    if (socket->established) {
        socket->phase = HF_SOCKET_CONNECTED;
        return 0;
    }
    int err = hf_socket_wait(s, socket, 0, socket->options.send_timeout_ns, wait);
    return err == -EAGAIN ? not_yet : err;
}

int hf_sockets_connect(void *self, int fd, const struct sockaddr *address, socklen_t length,
                       struct hf_posix_wait *wait)
{
    struct hf_sockets *s = self;
    struct hf_socket *socket;
    int err = hf_socket_find(s, fd, &socket);
    if (err != 0)
        return err;
    if (length < sizeof address->sa_family || length > sizeof(struct sockaddr_storage))
        return -EINVAL;
    if (address == NULL)
        return -EFAULT;
    if (address->sa_family == AF_UNSPEC) {
        hf_socket_disconnect(s, socket, true);
        return 0;
    }
    bool again = wait->began && socket->phase == HF_SOCKET_CONNECTING;
    switch (socket->phase) {
    case HF_SOCKET_CONNECTED:
    case HF_SOCKET_LISTENING: return -EISCONN;
    case HF_SOCKET_CONNECTING: return outcome(s, socket, again ? -EINPROGRESS : -EALREADY, wait);
    case HF_SOCKET_IDLE: break;
    }
    err = start_connecting(s, socket, address, length);
    return err != 0 ? err : outcome(s, socket, -EINPROGRESS, wait);
}
