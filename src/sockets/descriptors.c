/**
 * Descriptors: numbers from 3 upward, the lowest free one first; socket, close, fcntl, ioctl.
 */
#include "socket.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/ioctl.h>

static int grow(struct hf_sockets *s)
{
    uint32_t count = s->fd_count > 0 ? 2 * s->fd_count : 16;
    if (s->fd_count >= HF_SOCKETS_FDS_MAX)
        return -EMFILE;
    struct hf_socket **fds = realloc(s->fds, count * sizeof *fds);
    if (fds == NULL)
        return -ENOMEM;
    for (uint32_t i = s->fd_count; i < count; i++)
        fds[i] = NULL;
    s->fds = fds;
    s->fd_count = count;
    return 0;
}

int hf_socket_give_fd(struct hf_sockets *s, struct hf_socket *socket)
{
    uint32_t i = 0;
    while (i < s->fd_count && s->fds[i] != NULL)
        i++;
    if (i == s->fd_count) {
        int err = grow(s);
        if (err != 0)
            return err;
    }
    s->fds[i] = socket;
    socket->fd = (int)i + HF_SOCKETS_FIRST_FD;
    return socket->fd;
}

struct hf_socket *hf_socket_of_fd(const struct hf_sockets *s, int fd)
{
    if (fd < HF_SOCKETS_FIRST_FD || (uint32_t)(fd - HF_SOCKETS_FIRST_FD) >= s->fd_count)
        return NULL;
    struct hf_socket *socket = s->fds[fd - HF_SOCKETS_FIRST_FD];
    return socket != NULL && !socket->closing ? socket : NULL;
}

int hf_socket_find(const struct hf_sockets *s, int fd, struct hf_socket **out)
{
    *out = hf_socket_of_fd(s, fd);
    if (*out == NULL)
        return -EBADF;
    return (*out)->kind == HF_SOCKET_TCP ? 0 : -ENOTSOCK;
}

/* ---- socket ------------------------------------------------------------------------------- */

static int check_kind(int domain, int type, int protocol)
{
    enum { TYPE_MAX = 11 };
    int kind = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (kind < 0 || kind >= TYPE_MAX)
        return -EINVAL;
    if (domain != AF_INET && domain != AF_INET6)
        return -EAFNOSUPPORT;
    if (kind != SOCK_STREAM)
        return -ESOCKTNOSUPPORT;
    return protocol == 0 || protocol == IPPROTO_TCP ? 0 : -EPROTONOSUPPORT;
}

int hf_sockets_socket(void *self, int domain, int type, int protocol)
{
    struct hf_sockets *s = self;
    int err = check_kind(domain, type, protocol);
    if (err != 0)
        return err;
    struct hf_socket *socket = hf_socket_new(s, HF_SOCKET_TCP, domain);
    if (socket == NULL)
        return -ENOBUFS;
    socket->nonblocking = (type & SOCK_NONBLOCK) != 0;
    socket->close_on_exec = (type & SOCK_CLOEXEC) != 0;
    int fd = hf_socket_give_fd(s, socket);
    if (fd < 0)
        hf_socket_free(s, socket);
    return fd;
}

/* ---- close -------------------------------------------------------------------------------- */

/** Something was written that the peer has not acknowledged, or our FIN is not. */
static bool has_to_linger(const struct hf_sockets *s, const struct hf_socket *socket)
{
    struct hf_info info;
    if (hf_info(s->stack, socket->handle, &info) != HF_OK || info.how != HF_CLOSED_NOT)
        return false;
    return info.state != HF_FIN_WAIT_2 && info.state != HF_TIME_WAIT && info.state != HF_CLOSED;
}

static int finish_close(struct hf_sockets *s, struct hf_socket *socket)
{
    hf_socket_free(s, socket);
    return 0;
}

/** After the time the connection goes on by itself, as on Linux: only a time of 0 resets. */
static int go_on_lingering(struct hf_sockets *s, struct hf_socket *socket,
                           struct hf_posix_wait *wait)
{
    hf_ns span_ns = HF_SEC((hf_ns)socket->options.linger.seconds);
    if (has_to_linger(s, socket) && !hf_wait_is_over(s, wait, span_ns))
        return HF_POSIX_WAIT;
    return finish_close(s, socket);
}

static struct hf_socket *lingering_of(const struct hf_sockets *s, int fd)
{
    uint32_t i = (uint32_t)(fd - HF_SOCKETS_FIRST_FD);
    bool is_one = fd >= HF_SOCKETS_FIRST_FD && i < s->fd_count && s->fds[i] != NULL;
    return is_one && s->fds[i]->closing ? s->fds[i] : NULL;
}

int hf_sockets_close(void *self, int fd, struct hf_posix_wait *wait)
{
    struct hf_sockets *s = self;
    struct hf_socket *lingering = lingering_of(s, fd);
    if (lingering != NULL && wait->began)
        return go_on_lingering(s, lingering, wait);
    struct hf_socket *socket = hf_socket_of_fd(s, fd);
    if (socket == NULL)
        return -EBADF;
    hf_sockets_take_events(s);
    if (socket->phase == HF_SOCKET_LISTENING)
        hf_socket_drop_queue(s, socket);
    bool lingers = socket->options.linger.on && socket->phase != HF_SOCKET_LISTENING;
    hf_handle handle = socket->handle;
    hf_socket_release(s, socket, lingers && socket->options.linger.seconds == 0);
    if (!lingers || handle == 0 || !socket->established || socket->options.linger.seconds == 0)
        return finish_close(s, socket);
    hf_socket_forget_watches(socket);
    socket->handle = handle; /* to see how far it is; its events are nobody's */
    socket->closing = true;
    return go_on_lingering(s, socket, wait);
}

/* ---- fcntl, ioctl ------------------------------------------------------------------------- */

int hf_sockets_fcntl(void *self, int fd, int command, long argument)
{
    struct hf_socket *socket = hf_socket_of_fd(self, fd);
    if (socket == NULL)
        return -EBADF;
    switch (command) {
    case F_GETFL: return O_RDWR | (socket->nonblocking ? O_NONBLOCK : 0);
    case F_SETFL: socket->nonblocking = (argument & O_NONBLOCK) != 0; return 0;
    case F_GETFD: return socket->close_on_exec ? FD_CLOEXEC : 0;
    case F_SETFD: socket->close_on_exec = (argument & FD_CLOEXEC) != 0; return 0;
    default: return -EINVAL; /* open-ended: commands are numbers of the host */
    }
}

static int to_int(uint64_t value)
{
    return value > INT_MAX ? INT_MAX : (int)value;
}

/** Bytes that can be read at once: up to the urgent byte. */
static int readable_bytes(const struct hf_sockets *s, const struct hf_socket *socket)
{
    struct hf_info info = hf_socket_info(s, socket);
    return to_int(hf_socket_before_urgent(socket, &info));
}

static int tcp_ioctl(const struct hf_sockets *s, const struct hf_socket *socket,
                     unsigned long request, int *value)
{
    struct hf_info info = hf_socket_info(s, socket);
    bool listening = socket->phase == HF_SOCKET_LISTENING;
    bool synchronized = info.state != HF_SYN_SENT && info.state != HF_SYN_RCVD;
    switch (request) {
    case SIOCINQ:
        if (listening)
            return -EINVAL;
        *value = readable_bytes(s, socket);
        return 0;
    case SIOCATMARK: *value = hf_socket_is_at_mark(socket, &info); return 0;
    case SIOCOUTQ:
        if (listening)
            return -EINVAL;
        *value = synchronized ? to_int(info.send_queue_bytes) : 0;
        return 0;
    case SIOCOUTQNSD:
        if (listening)
            return -EINVAL;
        *value = synchronized && info.send_queue_bytes > info.in_flight_bytes
                     ? to_int(info.send_queue_bytes - info.in_flight_bytes)
                     : 0;
        return 0;
    default: return -ENOTTY; /* open-ended: requests are numbers of the host */
    }
}

int hf_sockets_ioctl(void *self, int fd, unsigned long request, void *argument)
{
    struct hf_sockets *s = self;
    struct hf_socket *socket = hf_socket_of_fd(s, fd);
    if (socket == NULL)
        return -EBADF;
    if (argument == NULL)
        return -EFAULT;
    if (request == FIONBIO) {
        socket->nonblocking = *(const int *)argument != 0;
        return 0;
    }
    if (socket->kind != HF_SOCKET_TCP)
        return -ENOTTY;
    return tcp_ioctl(s, socket, request, argument);
}
