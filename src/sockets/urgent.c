/**
 * The urgent byte: the last one before the core's mark, as Linux and BSD have it. The core keeps it
 * in the stream [RFC6093]; here it is taken out of what is read, unless SO_OOBINLINE is set.
 */
#include "socket.h"

#include <errno.h>

static uint64_t read_position(const struct hf_info *info)
{
    return info->bytes_received - info->receive_queue_bytes;
}

void hf_socket_note_urgent(struct hf_socket *socket, const struct hf_info *info)
{
    struct hf_socket_urgent *u = &socket->urgent;
    uint64_t position = read_position(info);
    if (u->known && position > u->at)
        u->known = false; /* it was passed */
    if (info->urgent_bytes == 0)
        return;
    uint64_t at = position + info->urgent_bytes - 1;
    if (!u->known || at > u->at)
        *u = (struct hf_socket_urgent){.known = true, .at = at};
}

uint64_t hf_socket_before_urgent(const struct hf_socket *socket, const struct hf_info *info)
{
    const struct hf_socket_urgent *u = &socket->urgent;
    uint64_t position = read_position(info);
    if (socket->options.urgent_inline) { /* a read stops at it all the same, but not on it */
        bool ahead = u->known && u->at > position;
        return ahead && u->at - position < info->receive_queue_bytes ? u->at - position
                                                                     : info->receive_queue_bytes;
    }
    if (!u->known || u->at < position || u->at - position >= info->receive_queue_bytes)
        return info->receive_queue_bytes;
    return u->at - position;
}

bool hf_socket_is_at_mark(const struct hf_socket *socket, const struct hf_info *info)
{
    return socket->urgent.known && socket->urgent.at == read_position(info);
}

bool hf_socket_urgent_is_there(const struct hf_socket *socket, const struct hf_info *info)
{
    const struct hf_socket_urgent *u = &socket->urgent;
    return u->known && !u->taken && u->at < info->bytes_received;
}

ssize_t hf_socket_receive_urgent(struct hf_sockets *s, struct hf_socket *socket,
                                 struct msghdr *message, int flags)
{
    struct hf_info info = hf_socket_info(s, socket);
    struct hf_socket_urgent *u = &socket->urgent;
    hf_socket_note_urgent(socket, &info);
    if (socket->options.urgent_inline || !u->known || u->taken)
        return -EINVAL;
    if (!hf_socket_urgent_is_there(socket, &info))
        return socket->ended || socket->peer_closed || socket->read_shut ? 0 : -EAGAIN;
    uint8_t byte;
    size_t total_bytes;
    if (hf_socket_peek(s, socket, (size_t)(u->at - read_position(&info)), &byte, 1) != 1)
        return -EAGAIN;
    int err = hf_socket_check_iov(message, (flags & MSG_TRUNC) == 0, &total_bytes);
    if (err != 0)
        return err;
    u->taken = (flags & MSG_PEEK) == 0;
    message->msg_flags |= MSG_OOB;
    if (total_bytes == 0) {
        message->msg_flags |= MSG_TRUNC;
        return 0;
    }
    size_t i = 0;
    while (message->msg_iov[i].iov_len == 0)
        i++;
    if ((flags & MSG_TRUNC) == 0)
        *(uint8_t *)message->msg_iov[i].iov_base = byte;
    return 1;
}
