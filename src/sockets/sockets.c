/**
 * A set of sockets over one stack: its life, and what the stack's events do to the sockets.
 *
 * A connection's tag names its socket (slot and serial number), so an event finds it in one step
 * and a late event of a closed one finds nothing. A socket lets go of its connection only when it
 * is closed, aborted or disconnected: until then the core keeps what is unread.
 *
 * Where POSIX leaves room, what Linux does is the model. What differs from Linux:
 *
 *   - SO_SNDBUF and SO_RCVBUF tell what was set, not twice that: no bookkeeping is counted.
 *   - A reset is ECONNRESET in each state, also in CLOSE-WAIT, where Linux says EPIPE; of an active
 *     open that was crossed by the peer's it is ECONNREFUSED [RFC9293#3.10.7.4].
 *   - A reset throws away what was not read yet [RFC9293#3.10.7.4]; on Linux it comes first.
 *   - Of connections without a descriptor (TIME-WAIT, closed ones that still send) nobody knows
 *     whether they had SO_REUSEADDR: that of the socket to be bound decides alone.
 *   - SO_REUSEPORT lets two sockets bind, but only one of them listen.
 *   - There is no loopback: connecting to the unspecified address is ENETUNREACH.
 *   - bind to port 0 takes ports in turn. connect takes them as RFC 6056 has it.
 *   - Writable is whatever can take a byte, not what has a third of its buffer free.
 *   - In TIME-WAIT, TCP_INFO says so; Linux has let go of the connection then and says CLOSE.
 *   - epoll descriptors can't be watched by epoll, no descriptor can be duplicated.
 *   - Options of devices, routing and security are unknown here: ENOPROTOOPT.
 */
#include "socket.h"

#include <errno.h>
#include <stdlib.h>

/* ---- slots -------------------------------------------------------------------------------- */

static uint64_t tag_of(const struct hf_socket *socket)
{
    return (uint64_t)socket->serial << 32 | (socket->slot + 1);
}

static struct hf_socket *socket_of_tag(const struct hf_sockets *s, uint64_t tag)
{
    uint32_t slot = (uint32_t)tag - 1;
    struct hf_socket *socket = (uint32_t)tag > 0 && slot < s->slot_count ? s->slots[slot] : NULL;
    return socket != NULL && socket->serial == tag >> 32 ? socket : NULL;
}

/** A free slot; grows the table. False without memory. */
static bool find_slot(struct hf_sockets *s, uint32_t *slot)
{
    for (*slot = 0; *slot < s->slot_count; ++*slot)
        if (s->slots[*slot] == NULL)
            return true;
    uint32_t count = s->slot_count > 0 ? 2 * s->slot_count : 16;
    struct hf_socket **slots = realloc(s->slots, count * sizeof *slots);
    if (slots == NULL)
        return false;
    for (uint32_t i = s->slot_count; i < count; i++)
        slots[i] = NULL;
    s->slots = slots;
    s->slot_count = count;
    return true;
}

struct hf_socket *hf_socket_new(struct hf_sockets *s, enum hf_socket_kind kind, int family)
{
    uint32_t slot;
    struct hf_socket *socket = calloc(1, sizeof *socket);
    if (socket == NULL)
        return NULL;
    if (!find_slot(s, &slot)) {
        free(socket);
        return NULL;
    }
    socket->kind = kind;
    socket->slot = slot;
    socket->serial = ++s->serial;
    socket->fd = -1;
    socket->family = family;
    hf_socket_options_init(&socket->options);
    s->slots[slot] = socket;
    return socket;
}

void hf_socket_free(struct hf_sockets *s, struct hf_socket *socket)
{
    hf_socket_forget_watches(socket);
    s->slots[socket->slot] = NULL;
    if (socket->fd >= 0)
        s->fds[socket->fd - HF_SOCKETS_FIRST_FD] = NULL;
    free(socket);
}

/* ---- a whole set -------------------------------------------------------------------------- */

int hf_sockets_new(struct hf_sockets **out, struct hf_stack *stack, hf_ns now)
{
    struct hf_sockets *s = calloc(1, sizeof *s);
    if (s == NULL)
        return HF_E_MEMORY;
    s->stack = stack;
    s->now_ns = now;
    *out = s;
    return HF_OK;
}

void hf_sockets_free(struct hf_sockets *s)
{
    if (s == NULL)
        return;
    hf_sockets_take_events(s);
    for (uint32_t i = 0; i < s->slot_count; i++) {
        struct hf_socket *socket = s->slots[i];
        if (socket == NULL)
            continue;
        if (socket->phase == HF_SOCKET_LISTENING)
            hf_socket_drop_queue(s, socket);
        hf_socket_release(s, socket, false);
        hf_socket_free(s, socket);
    }
    free(s->slots);
    free(s->fds);
    free(s);
}

hf_handle hf_sockets_handle(const struct hf_sockets *s, int fd)
{
    const struct hf_socket *socket = hf_socket_of_fd(s, fd);
    return socket != NULL ? socket->handle : 0;
}

struct hf_posix hf_sockets_posix(struct hf_sockets *s)
{
    static const struct hf_posix_calls calls = {
        .socket = hf_sockets_socket,
        .bind = hf_sockets_bind,
        .listen = hf_sockets_listen,
        .accept = hf_sockets_accept,
        .connect = hf_sockets_connect,
        .sendmsg = hf_sockets_sendmsg,
        .recvmsg = hf_sockets_recvmsg,
        .shutdown = hf_sockets_shutdown,
        .close = hf_sockets_close,
        .fcntl = hf_sockets_fcntl,
        .ioctl = hf_sockets_ioctl,
        .getsockopt = hf_sockets_getsockopt,
        .setsockopt = hf_sockets_setsockopt,
        .poll = hf_sockets_poll,
        .epoll_create = hf_sockets_epoll_create,
        .epoll_ctl = hf_sockets_epoll_ctl,
        .epoll_wait = hf_sockets_epoll_wait,
    };
    return (struct hf_posix){s, &calls};
}

/* ---- connections -------------------------------------------------------------------------- */

void hf_socket_adopt(struct hf_sockets *s, struct hf_socket *socket, hf_handle handle)
{
    socket->handle = handle;
    if (hf_set(s->stack, handle, HF_OPT_TAG, (int64_t)tag_of(socket), s->now_ns) != HF_OK)
        socket->handle = 0;
}

void hf_socket_release(struct hf_sockets *s, struct hf_socket *socket, bool abort)
{
    if (socket->handle == 0)
        return;
    /* Its last event is nobody's. A listener's connections that come late find nobody either. */
    if (hf_set(s->stack, socket->handle, HF_OPT_TAG, 0, s->now_ns) == HF_OK) {
        if (abort)
            hf_abort(s->stack, socket->handle, s->now_ns);
        else
            hf_close(s->stack, socket->handle, s->now_ns);
    }
    socket->handle = 0;
}

struct hf_info hf_socket_info(const struct hf_sockets *s, const struct hf_socket *socket)
{
    struct hf_info info = {.state = HF_CLOSED};
    if (socket->handle == 0 || socket->phase == HF_SOCKET_LISTENING ||
        hf_info(s->stack, socket->handle, &info) != HF_OK)
        return (struct hf_info){.state = HF_CLOSED};
    return info;
}

int hf_socket_take_error(struct hf_socket *socket)
{
    int error = socket->error;
    socket->error = 0;
    return error;
}

/* ---- waiting ------------------------------------------------------------------------------ */

bool hf_wait_is_over(const struct hf_sockets *s, struct hf_posix_wait *wait, hf_ns timeout_ns)
{
    if (!wait->began) {
        wait->began = true;
        wait->since_ns = s->now_ns;
    }
    wait->until_ns = timeout_ns < 0 ? HF_NEVER : wait->since_ns + timeout_ns;
    return wait->until_ns <= s->now_ns;
}

int hf_socket_wait(const struct hf_sockets *s, const struct hf_socket *socket, int flags,
                   hf_ns timeout_ns, struct hf_posix_wait *wait)
{
    bool over = hf_wait_is_over(s, wait, timeout_ns > 0 ? timeout_ns : -1);
    if (over || socket->nonblocking || (flags & MSG_DONTWAIT) != 0)
        return -EAGAIN;
    return HF_POSIX_WAIT;
}

/* ---- events ------------------------------------------------------------------------------- */

/** What an ICMP error of IPv4 says, as an errno; 0: nothing. */
static int errno_of_icmp_v4(unsigned type, unsigned code)
{
    static const int unreachable[] = {
        ENETUNREACH,  EHOSTUNREACH, ENOPROTOOPT,  ECONNREFUSED, EMSGSIZE,     EOPNOTSUPP,
        ENETUNREACH,  EHOSTDOWN,    ENONET,       ENETUNREACH,  EHOSTUNREACH, ENETUNREACH,
        EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH,
    };
    enum { UNREACHABLE = 3, TIME_EXCEEDED = 11, PARAMETER_PROBLEM = 12 };
    if (type == UNREACHABLE && code < sizeof unreachable / sizeof *unreachable)
        return unreachable[code];
    if (type == PARAMETER_PROBLEM)
        return EPROTO;
    return type == TIME_EXCEEDED ? EHOSTUNREACH : 0;
}

static int errno_of_icmp_v6(unsigned type, unsigned code)
{
    static const int unreachable[] = {ENETUNREACH,  EACCES, EHOSTUNREACH, EHOSTUNREACH,
                                      ECONNREFUSED, EACCES, EACCES};
    enum { UNREACHABLE = 1, TOO_BIG = 2, TIME_EXCEEDED = 3, PARAMETER_PROBLEM = 4 };
    if (type == UNREACHABLE && code < sizeof unreachable / sizeof *unreachable)
        return unreachable[code];
    if (type == PARAMETER_PROBLEM)
        return EPROTO;
    if (type == TOO_BIG)
        return EMSGSIZE;
    return type == TIME_EXCEEDED ? EHOSTUNREACH : 0;
}

int hf_socket_errno_of(enum hf_closed how, uint16_t soft_error)
{
    enum { V6_FLAG = 0x8000 };
    unsigned bits = soft_error, type = (bits & ~(unsigned)V6_FLAG) >> 8, code = bits & 0xff;
    int soft =
        (soft_error & V6_FLAG) != 0 ? errno_of_icmp_v6(type, code) : errno_of_icmp_v4(type, code);
    switch (how) {
    case HF_CLOSED_NOT:
    case HF_CLOSED_FIN: return 0;
    case HF_CLOSED_RESET:
    case HF_CLOSED_DATA_LOST: return ECONNRESET;
    case HF_CLOSED_REFUSED: return ECONNREFUSED;
    case HF_CLOSED_ABORTED:
    case HF_CLOSED_LINGER:
    case HF_CLOSED_REJECTED:
    case HF_CLOSED_WITHDRAWN: return ECONNABORTED;
    case HF_CLOSED_TIMED_OUT: /* what the network said explains more than the silence did */
    case HF_CLOSED_USER_TIMEOUT:
    case HF_CLOSED_KEEPALIVE:
    case HF_CLOSED_ORPHAN:
    case HF_CLOSED_HOLD_TIMEOUT: return soft != 0 ? soft : ETIMEDOUT;
    case HF_CLOSED_UNREACHABLE: return soft != 0 ? soft : EHOSTUNREACH;
    }
    return ECONNRESET;
}

static uint32_t bits_to_watch(uint32_t bits)
{
    uint32_t watch = 0;
    if ((bits & HF_EV_READABLE) != 0)
        watch |= EPOLLIN | EPOLLRDNORM;
    if ((bits & (HF_EV_WRITABLE | HF_EV_CONNECTED)) != 0)
        watch |= EPOLLOUT | EPOLLWRNORM;
    if ((bits & HF_EV_PEER_CLOSED) != 0)
        watch |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
    if ((bits & HF_EV_URGENT) != 0)
        watch |= EPOLLPRI;
    if ((bits & HF_EV_CLOSED) != 0)
        watch |= EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
    return watch;
}

/** Both directions were shut here, and data comes: it is lost, and the peer must know [SHLD-3]. */
static bool data_is_lost(const struct hf_socket *socket, const struct hf_info *info)
{
    return socket->read_shut && socket->write_shut && !socket->ended &&
           info->bytes_received > socket->shut_at_bytes;
}

static void take_event(struct hf_sockets *s, struct hf_socket *socket, const struct hf_event *e)
{
    struct hf_info info = hf_socket_info(s, socket);
    uint32_t watch = bits_to_watch(e->bits);
    socket->established |= (e->bits & (HF_EV_CONNECTED | HF_EV_ACCEPTED)) != 0;
    socket->peer_closed |= info.peer_closed;
    if ((e->bits & HF_EV_CLOSED) != 0) {
        socket->ended = true;
        socket->error = hf_socket_errno_of(e->how, info.soft_error);
    }
    hf_socket_note_urgent(socket, &info);
    if ((e->bits & HF_EV_READABLE) != 0 && data_is_lost(socket, &info)) {
        hf_socket_release(s, socket, true);
        socket->ended = true;
        socket->error = ECONNRESET;
        watch |= bits_to_watch(HF_EV_CLOSED);
    }
    if ((e->bits & HF_EV_SENT_ALL) != 0 && socket->no_room)
        watch |= EPOLLOUT | EPOLLWRNORM;
    if ((watch & EPOLLOUT) != 0)
        socket->no_room = false;
    if (watch != 0)
        hf_socket_tell_watchers(s, socket, watch);
}

void hf_sockets_take_events(struct hf_sockets *s)
{
    struct hf_event e;
    while (hf_stack_event(s->stack, &e)) {
        struct hf_socket *socket = socket_of_tag(s, e.tag);
        if ((e.bits & HF_EV_ACCEPTED) != 0) {
            if (socket != NULL)
                socket = hf_socket_queue(s, socket, e.handle);
            else
                hf_abort(s->stack, e.handle, s->now_ns);
        }
        if (socket != NULL)
            take_event(s, socket, &e);
    }
}

void hf_sockets_update(struct hf_sockets *s, hf_ns now)
{
    s->now_ns = now;
    hf_sockets_take_events(s);
}
