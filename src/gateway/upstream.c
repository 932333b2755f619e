/**
 * Connections to the outside: sockets, and the kernel's ways to tell a FIN from a RST and one
 * refusal from another. Owns the descriptors; leaves polling and buffers to the relay.
 */
#include "gateway/upstream.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
/* Behind netinet/in.h and the libc's time types. */
#include <linux/errqueue.h>

enum {
    /* [RFC792] and [RFC1812#5.2.7.1], [RFC4443#3.1] */
    ICMP4_UNREACHABLE = 3,
    ICMP4_NET_PROHIBITED = 9,
    ICMP4_HOST_PROHIBITED = 10,
    ICMP4_FILTERED = 13,
    ICMP6_UNREACHABLE = 1,
    ICMP6_PROHIBITED = 1,
    ICMP6_SOURCE_POLICY = 5,
    ICMP6_REJECT_ROUTE = 6,
};

void hf_upstream_config_init(struct hf_upstream_config *cfg)
{
    *cfg = (struct hf_upstream_config){
        .host_v4 = hf_addr_v4(10, 0, 2, 2),
        .host_v6 = {{0xfd, [13] = 2, [15] = 2}},
    };
}

/* ---- where to ------------------------------------------------------------------------------- */

static const struct hf_addr loopback_v6 = {{[15] = 1}};

static bool is_routable_v4(const uint8_t *octets)
{
    /* 0/8 is "this network": the kernel takes 0.0.0.0 for itself. 224/4 and above is multicast,
     * reserved or broadcast. [RFC6890#2.2.2] */
    return octets[0] != 0 && octets[0] != 127 && octets[0] < 224;
}

static bool is_routable(const struct hf_addr *a)
{
    if (hf_addr_is_v4(a))
        return is_routable_v4(a->octets + 12);
    return a->octets[0] != 0xff && !hf_addr_equal(a, &HF_ADDR_ANY) &&
           !hf_addr_equal(a, &loopback_v6);
}

bool hf_upstream_target(const struct hf_upstream_config *cfg, const struct hf_endpoint *inner,
                        struct hf_endpoint *outer)
{
    if (inner->port == 0 || !is_routable(&inner->addr))
        return false;
    *outer = *inner;
    if (hf_addr_equal(&inner->addr, &cfg->host_v4))
        outer->addr = hf_addr_v4(127, 0, 0, 1);
    else if (hf_addr_equal(&inner->addr, &cfg->host_v6))
        outer->addr = loopback_v6;
    return true;
}

/** Fills a socket address; returns its length. */
static socklen_t fill_address(struct sockaddr_storage *to, const struct hf_endpoint *e)
{
    memset(to, 0, sizeof *to);
    if (hf_addr_is_v4(&e->addr)) {
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(e->port)};
        memcpy(&v4.sin_addr, e->addr.octets + 12, sizeof v4.sin_addr);
        memcpy(to, &v4, sizeof v4);
        return sizeof v4;
    }
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(e->port)};
    memcpy(&v6.sin6_addr, e->addr.octets, sizeof v6.sin6_addr);
    memcpy(to, &v6, sizeof v6);
    return sizeof v6;
}

/* ---- refusals ------------------------------------------------------------------------------- */

/** Whether the queued ICMP error says "administratively prohibited", which its errno hides: that is
 *  the one of an unreachable host for most of these codes. */
static bool icmp_says_prohibited(int fd)
{
    union {
        struct cmsghdr header;
        char room[256];
    } control;
    char quoted[64];
    struct iovec piece = {quoted, sizeof quoted};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof control.room};
    if (recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
        return false;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        bool v4 = c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR;
        bool v6 = c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_RECVERR;
        struct sock_extended_err e;
        if ((!v4 && !v6) || c->cmsg_len < CMSG_LEN(sizeof e))
            continue;
        memcpy(&e, CMSG_DATA(c), sizeof e);
        if (e.ee_origin == SO_EE_ORIGIN_ICMP && e.ee_type == ICMP4_UNREACHABLE)
            return e.ee_code == ICMP4_NET_PROHIBITED || e.ee_code == ICMP4_HOST_PROHIBITED ||
                   e.ee_code == ICMP4_FILTERED;
        if (e.ee_origin == SO_EE_ORIGIN_ICMP6 && e.ee_type == ICMP6_UNREACHABLE)
            return e.ee_code == ICMP6_PROHIBITED || e.ee_code == ICMP6_SOURCE_POLICY ||
                   e.ee_code == ICMP6_REJECT_ROUTE;
    }
    return false;
}

/** Has ICMP errors queued with their codes, or no longer: on an established connection they would
 *  end it, though they are soft errors there [RFC9293#3.9.2.2]. */
static void queue_icmp_errors(int fd, bool v4, bool on)
{
    int value = on;
    if (v4)
        (void)setsockopt(fd, IPPROTO_IP, IP_RECVERR, &value, sizeof value);
    else
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &value, sizeof value);
}

/** What an errno of connect says to the inner side; returns the kind of failure. */
static int classify(int sys_errno, enum hf_refusal *refusal)
{
    switch (sys_errno) {
    case ECONNREFUSED:
    case ECONNRESET: *refusal = HF_REFUSE_RESET; return HF_E_REFUSED;
    case EHOSTUNREACH:
    case EHOSTDOWN: *refusal = HF_REFUSE_HOST_UNREACHABLE; return HF_E_REFUSED;
    /* EINVAL: a link-local destination, whose link an inner address can't name. */
    case ENETUNREACH:
    case ENETDOWN:
    case EAFNOSUPPORT:
    case EINVAL: *refusal = HF_REFUSE_NET_UNREACHABLE; return HF_E_REFUSED;
    case EACCES:
    case EPERM: *refusal = HF_REFUSE_PROHIBITED; return HF_E_REFUSED;
    /* Nobody answered outside, so that nobody answers inside. */
    case ETIMEDOUT: *refusal = HF_REFUSE_SILENTLY; return HF_E_REFUSED;
    case EADDRNOTAVAIL: *refusal = HF_REFUSE_SILENTLY; return HF_E_PORTS;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS: *refusal = HF_REFUSE_SILENTLY; return HF_E_MEMORY;
    default: *refusal = HF_REFUSE_HOST_UNREACHABLE; return HF_E_SYSTEM;
    }
}

static int fail(struct hf_upstream *u, int sys_errno)
{
    int err = classify(sys_errno, &u->refusal);
    if (u->fd >= 0 && err == HF_E_REFUSED && icmp_says_prohibited(u->fd))
        u->refusal = HF_REFUSE_PROHIBITED;
    hf_upstream_abort(u);
    u->sys_errno = sys_errno;
    u->state = HF_UPSTREAM_FAILED;
    return err;
}

/* ---- connecting ----------------------------------------------------------------------------- */

static int become_connected(struct hf_upstream *u)
{
    int family = AF_INET;
    socklen_t length = sizeof family;
    (void)getsockopt(u->fd, SOL_SOCKET, SO_DOMAIN, &family, &length);
    queue_icmp_errors(u->fd, family == AF_INET, false);
    u->state = HF_UPSTREAM_CONNECTED;
    return HF_OK;
}

int hf_upstream_open(struct hf_upstream *u, const struct hf_upstream_config *cfg,
                     const struct hf_endpoint *inner)
{
    struct hf_endpoint outer;
    struct sockaddr_storage address;
    int on = 1;
    *u = (struct hf_upstream){.fd = -1, .state = HF_UPSTREAM_CONNECTING};
    if (!hf_upstream_target(cfg, inner, &outer))
        return fail(u, ENETUNREACH);
    socklen_t length = fill_address(&address, &outer);
    u->fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (u->fd < 0)
        return fail(u, errno);
    /* The inner side has decided already when small segments go. */
    (void)setsockopt(u->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    queue_icmp_errors(u->fd, address.ss_family == AF_INET, true);
    if (connect(u->fd, (const struct sockaddr *)&address, length) == 0)
        return become_connected(u);
    /* An interrupted connect goes on by itself. */
    if (errno == EINPROGRESS || errno == EINTR)
        return HF_OK;
    return fail(u, errno);
}

int hf_upstream_progress(struct hf_upstream *u)
{
    if (u->state == HF_UPSTREAM_FAILED)
        return HF_E_REFUSED;
    if (u->state == HF_UPSTREAM_CONNECTED)
        return HF_OK;
    int sys_errno = 0;
    socklen_t length = sizeof sys_errno;
    if (getsockopt(u->fd, SOL_SOCKET, SO_ERROR, &sys_errno, &length) < 0)
        sys_errno = errno;
    if (sys_errno != 0)
        return fail(u, sys_errno);
    struct tcp_info info;
    length = sizeof info;
    if (getsockopt(u->fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0)
        return fail(u, errno);
    /* Without an error the socket may still be undecided: a caller may ask too early. */
    if (info.tcpi_state == TCP_SYN_SENT || info.tcpi_state == TCP_SYN_RECV)
        return HF_OK;
    return become_connected(u);
}

/* ---- connected ------------------------------------------------------------------------------ */

/** Notes how the connection broke; the first account stays. */
static int note_end(struct hf_upstream *u, int sys_errno)
{
    if (u->ended != HF_OK)
        return u->ended;
    u->sys_errno = sys_errno;
    switch (sys_errno) {
    case ETIMEDOUT: u->ended = HF_E_TIMEOUT; break;
    case EHOSTUNREACH:
    case ENETUNREACH: u->ended = HF_E_UNREACHABLE; break;
    /* ECONNRESET, and EPIPE where the kernel has told of the RST before. */
    default: u->ended = HF_E_RESET; break;
    }
    return u->ended;
}

/** Without room 0 bytes say nothing about the end. */
static bool has_room(const struct iovec *pieces, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (pieces[i].iov_len != 0)
            return true;
    return false;
}

int64_t hf_upstream_read(struct hf_upstream *u, const struct iovec *pieces, size_t count)
{
    if (u->state != HF_UPSTREAM_CONNECTED || u->fd < 0)
        return HF_E_STATE;
    if (u->peer_closed)
        return HF_E_END;
    ssize_t length;
    do {
        length = readv(u->fd, pieces, count > IOV_MAX ? IOV_MAX : (int)count);
    } while (length < 0 && errno == EINTR);
    if (length > 0)
        return length;
    if (length < 0)
        return errno == EAGAIN ? HF_E_AGAIN : note_end(u, errno);
    if (!has_room(pieces, count))
        return HF_E_INVALID;
    /* Once an error was told, elsewhere, the kernel shows a reset connection as one that ended. */
    if (u->ended != HF_OK)
        return u->ended;
    u->peer_closed = true;
    return HF_E_END;
}

int64_t hf_upstream_write(struct hf_upstream *u, const struct iovec *pieces, size_t count)
{
    if (u->state != HF_UPSTREAM_CONNECTED || u->fd < 0)
        return HF_E_STATE;
    if (u->shut)
        return HF_E_CLOSING;
    if (u->ended != HF_OK)
        return u->ended;
    /* sendmsg takes pieces that it does not change by a pointer that would allow it. */
    union {
        const struct iovec *in;
        struct iovec *out;
    } same = {.in = pieces};
    struct msghdr message = {.msg_iov = same.out, .msg_iovlen = count > IOV_MAX ? IOV_MAX : count};
    ssize_t length;
    do {
        length = sendmsg(u->fd, &message, MSG_NOSIGNAL);
    } while (length < 0 && errno == EINTR);
    if (length > 0)
        return length;
    if (length == 0)
        return HF_E_INVALID; /* nothing given */
    return errno == EAGAIN ? HF_E_AGAIN : note_end(u, errno);
}

int hf_upstream_shut(struct hf_upstream *u)
{
    if (u->state != HF_UPSTREAM_CONNECTED || u->fd < 0)
        return HF_E_STATE;
    if (u->shut)
        return HF_OK;
    if (u->ended != HF_OK)
        return u->ended;
    if (shutdown(u->fd, SHUT_WR) < 0)
        return hf_upstream_trouble(u) != HF_OK ? u->ended : note_end(u, ECONNRESET);
    u->shut = true;
    return HF_OK;
}

int hf_upstream_trouble(struct hf_upstream *u)
{
    if (u->ended != HF_OK)
        return u->ended;
    if (u->state != HF_UPSTREAM_CONNECTED || u->fd < 0)
        return HF_E_STATE;
    int sys_errno = 0;
    socklen_t length = sizeof sys_errno;
    if (getsockopt(u->fd, SOL_SOCKET, SO_ERROR, &sys_errno, &length) < 0)
        sys_errno = errno;
    return sys_errno == 0 ? HF_OK : note_end(u, sys_errno);
}

/* ---- the end -------------------------------------------------------------------------------- */

void hf_upstream_close(struct hf_upstream *u)
{
    if (u->fd >= 0)
        (void)close(u->fd);
    u->fd = -1;
}

void hf_upstream_abort(struct hf_upstream *u)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    if (u->fd >= 0)
        (void)setsockopt(u->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    hf_upstream_close(u);
}
