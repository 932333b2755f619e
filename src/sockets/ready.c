/**
 * What a descriptor is ready for, and poll.
 */
#include "socket.h"

#include <errno.h>

static bool is_readable(const struct hf_socket *socket, const struct hf_info *info)
{
    uint64_t there = hf_socket_before_urgent(socket, info);
    uint64_t least = (uint64_t)socket->options.receive_low_water_bytes;
    if (least > info->receive_queue_bytes + (uint64_t)info->rcv_wnd_bytes)
        least = info->receive_queue_bytes + (uint64_t)info->rcv_wnd_bytes; /* more can't come */
    return there > 0 && there >= least;
}

static uint32_t tcp_ready(struct hf_socket *socket, const struct hf_info *info)
{
    bool ended = socket->ended || socket->handle == 0;
    bool no_more_read = socket->read_shut || socket->peer_closed || socket->ended;
    bool no_more_write = socket->write_shut || ended;
    uint32_t ready = 0;
    if (socket->error != 0)
        ready |= EPOLLERR;
    if (ended || (no_more_read && no_more_write))
        ready |= EPOLLHUP;
    if (no_more_read)
        ready |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
    if (!ended && !socket->established)
        return ready; /* still connecting */
    if (is_readable(socket, info))
        ready |= EPOLLIN | EPOLLRDNORM;
    if (no_more_write || info->send_room_bytes > 0)
        ready |= EPOLLOUT | EPOLLWRNORM;
    else
        socket->no_room = true;
    if (hf_socket_urgent_is_there(socket, info))
        ready |= EPOLLPRI;
    return ready;
}

uint32_t hf_socket_ready(struct hf_sockets *s, struct hf_socket *socket)
{
    if (socket->kind == HF_SOCKET_EPOLL)
        return hf_epoll_is_ready(s, socket) ? EPOLLIN | EPOLLRDNORM : 0;
    if (socket->phase == HF_SOCKET_LISTENING)
        return socket->queue_head != NULL ? EPOLLIN | EPOLLRDNORM : 0;
    struct hf_info info = hf_socket_info(s, socket);
    hf_socket_note_urgent(socket, &info);
    return tcp_ready(socket, &info);
}

_Static_assert(POLLIN == EPOLLIN && POLLOUT == EPOLLOUT && POLLERR == EPOLLERR &&
                   POLLHUP == EPOLLHUP && POLLPRI == EPOLLPRI && POLLRDHUP == EPOLLRDHUP,
               "poll and epoll name the same bits");

int hf_sockets_poll(void *self, struct pollfd *fds, nfds_t count, int timeout_ms,
                    struct hf_posix_wait *wait)
{
    struct hf_sockets *s = self;
    int found = 0;
    if (count > HF_SOCKETS_FDS_MAX)
        return -EINVAL;
    if (fds == NULL && count > 0)
        return -EFAULT;
    for (nfds_t i = 0; i < count; i++) {
        struct hf_socket *socket = fds[i].fd < 0 ? NULL : hf_socket_of_fd(s, fds[i].fd);
        uint32_t asked = (uint16_t)fds[i].events | EPOLLERR | EPOLLHUP;
        fds[i].revents = 0;
        if (socket != NULL)
            fds[i].revents = (short)(hf_socket_ready(s, socket) & asked);
        else if (fds[i].fd >= 0)
            fds[i].revents = POLLNVAL;
        found += fds[i].revents != 0;
    }
    if (found > 0 || timeout_ms == 0)
        return found;
    return hf_wait_is_over(s, wait, timeout_ms < 0 ? -1 : HF_MS((hf_ns)timeout_ms)) ? 0
                                                                                    : HF_POSIX_WAIT;
}
