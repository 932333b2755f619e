/**
 * Calls that move data. All of them are sendmsg or recvmsg below.
 */
#include "call_parts.h"

#include <string.h>
#include <sys/uio.h>

static int64_t send_message(struct hf_call *c, int fd, const struct msghdr *message, int flags)
{
    const struct hf_posix *p = c->env->posix;
    return c->is_beyond ? 0 : p->calls->sendmsg(p->self, fd, message, flags, c->wait);
}

static int64_t receive_message(struct hf_call *c, int fd, struct msghdr *message, int flags)
{
    const struct hf_posix *p = c->env->posix;
    return c->is_beyond ? 0 : p->calls->recvmsg(p->self, fd, message, flags, c->wait);
}

/** Memory for a buffer argument: zeros, a string's bytes, or NULL where the script says so. */
static struct iovec read_buffer(struct hf_call *c, const struct hf_value *buffer,
                                const struct hf_value *length)
{
    struct iovec iov = {.iov_len = hf_call_length(c, length)};
    if (hf_value_is_null(buffer))
        return iov;
    iov.iov_base = hf_call_memory(c, (int64_t)iov.iov_len);
    if (buffer->kind == HF_VALUE_STRING && iov.iov_base != NULL) {
        size_t n = buffer->text_bytes < iov.iov_len ? buffer->text_bytes : iov.iov_len;
        memcpy(iov.iov_base, buffer->text, n);
    }
    return iov;
}

/** The buffer and length that most calls have as second and third argument. */
static struct iovec read_plain(struct hf_call *c)
{
    return read_buffer(c, hf_call_argument(c, 1), hf_call_argument(c, 2));
}

/** `[{..., 1000}, {..., 2000}]` */
static void read_vector(struct hf_call *c, const struct hf_value *list, struct msghdr *message)
{
    if (list->kind != HF_VALUE_LIST) {
        hf_call_beyond(c, "line %u: a list of {buffer, length} is wanted here", list->place.line);
        return;
    }
    struct iovec *iov = hf_call_memory(c, (int64_t)(list->item_count * sizeof *iov));
    for (size_t i = 0; iov != NULL && i < list->item_count; i++) {
        const struct hf_value *item = &list->items[i];
        if (item->kind != HF_VALUE_STRUCT || item->item_count != 2)
            hf_call_beyond(c, "line %u: {buffer, length} is wanted here", item->place.line);
        else
            iov[i] = read_buffer(c, &item->items[0], &item->items[1]);
    }
    message->msg_iov = iov;
    message->msg_iovlen = list->item_count;
}

int64_t hf_call_read(struct hf_call *c)
{
    int fd = hf_call_fd(c, 0);
    struct iovec iov = read_plain(c);
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    return receive_message(c, fd, &message, 0);
}

int64_t hf_call_write(struct hf_call *c)
{
    int fd = hf_call_fd(c, 0);
    struct iovec iov = read_plain(c);
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    return send_message(c, fd, &message, 0);
}

int64_t hf_call_readv(struct hf_call *c)
{
    int fd = hf_call_fd(c, 0);
    struct msghdr message = {0};
    read_vector(c, hf_call_argument(c, 1), &message);
    return receive_message(c, fd, &message, 0);
}

int64_t hf_call_writev(struct hf_call *c)
{
    int fd = hf_call_fd(c, 0);
    struct msghdr message = {0};
    read_vector(c, hf_call_argument(c, 1), &message);
    return send_message(c, fd, &message, 0);
}

/* recvfrom tells an address that scripts leave open: it is recv. */
int64_t hf_call_recv(struct hf_call *c)
{
    int fd = hf_call_fd(c, 0), flags = hf_call_int(c, 3);
    struct iovec iov = read_plain(c);
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    return receive_message(c, fd, &message, flags);
}

int64_t hf_call_recvfrom(struct hf_call *c)
{
    const struct hf_value *address = hf_call_argument(c, 4);
    if (!hf_value_is_any(address) && !hf_value_is_null(address))
        hf_call_beyond(c, "recvfrom() compares no address");
    return hf_call_recv(c);
}

int64_t hf_call_send(struct hf_call *c)
{
    int fd = hf_call_fd(c, 0), flags = hf_call_int(c, 3);
    struct iovec iov = read_plain(c);
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    return send_message(c, fd, &message, flags);
}

int64_t hf_call_sendto(struct hf_call *c)
{
    const struct hf_drill_options *o = c->env->options;
    struct hf_call_address address;
    int fd = hf_call_fd(c, 0), flags = hf_call_int(c, 3);
    struct iovec iov = read_plain(c);
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    hf_call_address_read(c, hf_call_argument(c, 4), &o->remote, o->connect_port, &address);
    if (!address.is_null) {
        message.msg_name = &address.bytes;
        message.msg_namelen = address.length;
    }
    return send_message(c, fd, &message, flags);
}

/* ---- sendmsg, recvmsg --------------------------------------------------------------------- */

/** `{msg_name(...)=..., msg_iov(1)=[{..., 40}], msg_flags=0}` */
static void read_message(struct hf_call *c, const struct hf_value *v, struct msghdr *message)
{
    const struct hf_value *vector = hf_value_field(v, "msg_iov");
    if (vector == NULL) {
        hf_call_beyond(c, "line %u: a message without msg_iov", v->place.line);
        return;
    }
    if (hf_value_field(v, "msg_control") != NULL)
        hf_call_beyond(c, "msg_control is not supported");
    read_vector(c, vector, message);
}

int64_t hf_call_sendmsg(struct hf_call *c)
{
    struct msghdr message = {0};
    int fd = hf_call_fd(c, 0), flags = hf_call_int(c, 2);
    read_message(c, hf_call_argument(c, 1), &message);
    return send_message(c, fd, &message, flags);
}

int64_t hf_call_recvmsg(struct hf_call *c)
{
    struct msghdr message = {0};
    struct sockaddr_storage address;
    const struct hf_value *v = hf_call_argument(c, 1), *out = hf_value_field(v, "msg_flags");
    int fd = hf_call_fd(c, 0), flags = hf_call_int(c, 2);
    read_message(c, v, &message);
    message.msg_name = &address;
    message.msg_namelen = sizeof address;
    int64_t got = receive_message(c, fd, &message, flags);
    if (got >= 0 && out != NULL && !hf_value_is_any(out)) {
        int64_t expected = hf_call_number(c, out);
        if (expected != message.msg_flags)
            hf_call_differs(c, "msg_flags", expected, message.msg_flags);
    }
    return got;
}
