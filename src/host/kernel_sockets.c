/**
 * The kernel's socket calls, made so that none of them blocks.
 */
#include "kernel_sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { PARTS_MAX = 1024 };

static int result(int r)
{
    return r < 0 ? -errno : r;
}

/* ---- waiting ------------------------------------------------------------------------------ */

static hf_ns now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return HF_SEC((hf_ns)t.tv_sec) + t.tv_nsec;
}

/** Negative: never. */
static bool is_over(struct hf_posix_wait *wait, hf_ns timeout_ns)
{
    if (!wait->began) {
        wait->began = true;
        wait->since_ns = now_ns();
    }
    wait->until_ns = timeout_ns < 0 ? HF_NEVER : wait->since_ns + timeout_ns;
    return wait->until_ns <= now_ns();
}

static bool is_blocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_NONBLOCK) == 0;
}

/** SO_RCVTIMEO or SO_SNDTIMEO; negative: none. */
static hf_ns timeout_of(int fd, int name)
{
    struct timeval t;
    socklen_t length = sizeof t;
    if (getsockopt(fd, SOL_SOCKET, name, &t, &length) < 0 || (t.tv_sec == 0 && t.tv_usec == 0))
        return -1;
    return HF_SEC((hf_ns)t.tv_sec) + HF_US(t.tv_usec);
}

/** What a call says that found nothing: HF_POSIX_WAIT, or `not_yet`. */
static int wait_or(int not_yet, int fd, int timeout_name, int flags, struct hf_posix_wait *wait)
{
    if (!is_blocking(fd) || (flags & MSG_DONTWAIT) != 0)
        return not_yet;
    return is_over(wait, timeout_of(fd, timeout_name)) ? not_yet : HF_POSIX_WAIT;
}

/** Sets O_NONBLOCK; returns what was set before, for restore. */
static int hold(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && (flags & O_NONBLOCK) == 0)
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    return flags;
}

/** Keeps errno. */
static void restore(int fd, int flags)
{
    int error = errno;
    if (flags >= 0 && (flags & O_NONBLOCK) == 0)
        fcntl(fd, F_SETFL, flags);
    errno = error;
}

/* ---- opening ------------------------------------------------------------------------------ */

static int kernel_socket(void *self, int domain, int type, int protocol)
{
    (void)self;
    return result(socket(domain, type, protocol));
}

static int kernel_bind(void *self, int fd, const struct sockaddr *address, socklen_t length)
{
    (void)self;
    return result(bind(fd, address, length));
}

static int kernel_listen(void *self, int fd, int backlog)
{
    (void)self;
    return result(listen(fd, backlog));
}

static int kernel_accept(void *self, int fd, struct sockaddr *address, socklen_t *length,
                         struct hf_posix_wait *wait)
{
    (void)self;
    int flags = hold(fd);
    int r = result(accept(fd, address, length));
    restore(fd, flags);
    return r == -EAGAIN ? wait_or(r, fd, SO_RCVTIMEO, 0, wait) : r;
}

static int kernel_connect(void *self, int fd, const struct sockaddr *address, socklen_t length,
                          struct hf_posix_wait *wait)
{
    (void)self;
    bool again = wait->began;
    int flags = hold(fd);
    int r = result(connect(fd, address, length));
    restore(fd, flags);
    if (r == -EALREADY && again) /* it is this call that goes on */
        r = -EINPROGRESS;
    if (r != -EINPROGRESS && r != -EALREADY)
        return r;
    return wait_or(r, fd, SO_SNDTIMEO, 0, wait);
}

/* ---- data --------------------------------------------------------------------------------- */

/** What is left of a message behind `offset` bytes. False: too many parts to say. */
static bool rest_of(const struct msghdr *message, size_t offset, struct iovec parts[PARTS_MAX],
                    struct msghdr *rest)
{
    *rest = *message;
    if (offset == 0)
        return true;
    size_t count = 0;
    for (size_t i = 0; i < message->msg_iovlen; i++) {
        struct iovec v = message->msg_iov[i];
        size_t skip = offset < v.iov_len ? offset : v.iov_len;
        offset -= skip;
        if (v.iov_len == skip)
            continue;
        if (count == PARTS_MAX)
            return false;
        parts[count++] = (struct iovec){(uint8_t *)v.iov_base + skip, v.iov_len - skip};
    }
    rest->msg_iov = parts;
    rest->msg_iovlen = count;
    return true;
}

static size_t length_of(const struct msghdr *message)
{
    size_t sum = 0;
    for (size_t i = 0; message->msg_iov != NULL && i < message->msg_iovlen; i++)
        sum += message->msg_iov[i].iov_len;
    return sum;
}

static ssize_t kernel_sendmsg(void *self, int fd, const struct msghdr *message, int flags,
                              struct hf_posix_wait *wait)
{
    (void)self;
    struct iovec parts[PARTS_MAX];
    struct msghdr rest;
    if (!rest_of(message, wait->done_bytes, parts, &rest))
        return -EMSGSIZE;
    ssize_t n = sendmsg(fd, &rest, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
    int error = n < 0 ? -errno : 0;
    if (n > 0)
        wait->done_bytes += (size_t)n;
    if (n >= 0 && wait->done_bytes >= length_of(message))
        return (ssize_t)wait->done_bytes;
    if (n >= 0 || error == -EAGAIN)
        error = wait_or(-EAGAIN, fd, SO_SNDTIMEO, flags, wait);
    return error != HF_POSIX_WAIT && wait->done_bytes > 0 ? (ssize_t)wait->done_bytes : error;
}

/** The end, or an error, is there to be read: nothing more comes. */
static bool is_ended(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLRDHUP};
    return poll(&p, 1, 0) > 0;
}

static bool is_listener(int fd)
{
    int is = 0;
    socklen_t length = sizeof is;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is, &length) == 0 && is != 0;
}

/** SO_RCVLOWAT counts for calls that wait. What a listener gets ready for is no data. */
static bool is_below_low_water(int fd, int flags)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (!is_blocking(fd) || (flags & (MSG_DONTWAIT | MSG_OOB)) != 0 || is_listener(fd))
        return false;
    return poll(&p, 1, 0) == 0;
}

static ssize_t kernel_recvmsg(void *self, int fd, struct msghdr *message, int flags,
                              struct hf_posix_wait *wait)
{
    (void)self;
    struct iovec parts[PARTS_MAX];
    struct msghdr rest;
    int error = -EAGAIN;
    if (!rest_of(message, wait->done_bytes, parts, &rest))
        return -EMSGSIZE;
    if (!is_below_low_water(fd, flags)) {
        ssize_t n = recvmsg(fd, &rest, flags | MSG_DONTWAIT);
        error = n < 0 ? -errno : 0;
        message->msg_namelen = rest.msg_namelen;
        message->msg_controllen = rest.msg_controllen;
        message->msg_flags = rest.msg_flags;
        size_t done = wait->done_bytes + (n > 0 ? (size_t)n : 0);
        bool all = (flags & MSG_WAITALL) == 0 || done >= length_of(message);
        if (n == 0 || (n > 0 && (all || is_ended(fd))))
            return (ssize_t)done;
        if (n > 0 && (flags & MSG_PEEK) == 0)
            wait->done_bytes = done;
    }
    if (error == 0 || error == -EAGAIN)
        error = (flags & MSG_OOB) != 0 ? -EAGAIN : wait_or(-EAGAIN, fd, SO_RCVTIMEO, flags, wait);
    return error != HF_POSIX_WAIT && wait->done_bytes > 0 ? (ssize_t)wait->done_bytes : error;
}

/* ---- closing ------------------------------------------------------------------------------ */

static int kernel_shutdown(void *self, int fd, int how)
{
    (void)self;
    return result(shutdown(fd, how));
}

/** How long close would block; 0: not at all. */
static hf_ns linger_of(int fd)
{
    struct linger linger;
    socklen_t length = sizeof linger;
    int unread = 0;
    if (getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &length) < 0 || linger.l_onoff == 0)
        return 0;
    if (ioctl(fd, FIONREAD, &unread) < 0 || unread > 0)
        return 0; /* a reset waits for nothing */
    return HF_SEC((hf_ns)linger.l_linger);
}

static int kernel_close(void *self, int fd, struct hf_posix_wait *wait)
{
    (void)self;
    hf_ns linger_ns = linger_of(fd);
    int unsent = 0;
    if (linger_ns == 0)
        return result(close(fd));
    if (!wait->began)
        shutdown(fd, SHUT_WR); /* ENOTCONN: then there is nothing to wait for */
    if (ioctl(fd, TIOCOUTQ, &unsent) == 0 && unsent > 0 && !is_over(wait, linger_ns))
        return HF_POSIX_WAIT;
    struct linger none = {0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    return result(close(fd));
}

/* ---- settings ----------------------------------------------------------------------------- */

static int kernel_fcntl(void *self, int fd, int command, long argument)
{
    (void)self;
    return result(fcntl(fd, command, argument));
}

static int kernel_ioctl(void *self, int fd, unsigned long request, void *argument)
{
    (void)self;
    return result(ioctl(fd, request, argument));
}

static int kernel_getsockopt(void *self, int fd, int level, int name, void *value,
                             socklen_t *length)
{
    (void)self;
    return result(getsockopt(fd, level, name, value, length));
}

static int kernel_setsockopt(void *self, int fd, int level, int name, const void *value,
                             socklen_t length)
{
    (void)self;
    return result(setsockopt(fd, level, name, value, length));
}

/* ---- readiness ---------------------------------------------------------------------------- */

static int found_or_wait(int r, int timeout_ms, struct hf_posix_wait *wait)
{
    if (r != 0 || timeout_ms == 0)
        return r;
    return is_over(wait, timeout_ms < 0 ? -1 : HF_MS((hf_ns)timeout_ms)) ? 0 : HF_POSIX_WAIT;
}

static int kernel_poll(void *self, struct pollfd *fds, nfds_t count, int timeout_ms,
                       struct hf_posix_wait *wait)
{
    (void)self;
    return found_or_wait(result(poll(fds, count, 0)), timeout_ms, wait);
}

static int kernel_epoll_create(void *self, int size)
{
    (void)self;
    return result(epoll_create(size));
}

static int kernel_epoll_ctl(void *self, int epoll_fd, int operation, int fd,
                            struct epoll_event *event)
{
    (void)self;
    return result(epoll_ctl(epoll_fd, operation, fd, event));
}

static int kernel_epoll_wait(void *self, int epoll_fd, struct epoll_event *events, int max,
                             int timeout_ms, struct hf_posix_wait *wait)
{
    (void)self;
    return found_or_wait(result(epoll_wait(epoll_fd, events, max, 0)), timeout_ms, wait);
}

struct hf_posix hf_kernel_sockets(void)
{
    static const struct hf_posix_calls calls = {
        .socket = kernel_socket,
        .bind = kernel_bind,
        .listen = kernel_listen,
        .accept = kernel_accept,
        .connect = kernel_connect,
        .sendmsg = kernel_sendmsg,
        .recvmsg = kernel_recvmsg,
        .shutdown = kernel_shutdown,
        .close = kernel_close,
        .fcntl = kernel_fcntl,
        .ioctl = kernel_ioctl,
        .getsockopt = kernel_getsockopt,
        .setsockopt = kernel_setsockopt,
        .poll = kernel_poll,
        .epoll_create = kernel_epoll_create,
        .epoll_ctl = kernel_epoll_ctl,
        .epoll_wait = kernel_epoll_wait,
    };
    return (struct hf_posix){NULL, &calls};
}
