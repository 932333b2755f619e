/**
 * getsockopt, setsockopt.
 *
 * Options that the core has are kept there once there is a connection or listener, and here before
 * that; the rest is a socket's own. A few are only kept and told back, for nothing in the stack
 * depends on them: SO_BROADCAST, SO_DONTROUTE, SO_PRIORITY, SO_MARK, TCP_LINGER2 (FIN-WAIT-2 is a
 * setting of the stack), IP_MTU_DISCOVER and IPV6_MTU_DISCOVER (so is DF).
 */
#include "socket.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/time.h>

enum { KEEP_SECONDS_MAX = 32767, SYN_COUNT_MAX = 127, ECN_MASK = 3, MSS_MAX = 32767 };

void hf_socket_options_init(struct hf_socket_options *o)
{
    *o = (struct hf_socket_options){
        .receive_low_water_bytes = 1,
        .mtu_discover_v4 = IP_PMTUDISC_WANT,
        .mtu_discover_v6 = IPV6_PMTUDISC_WANT,
    };
}

/* ---- options of the core ------------------------------------------------------------------ */

void hf_socket_options_apply(struct hf_sockets *s, const struct hf_socket *socket)
{
    const struct hf_socket_options *o = &socket->options;
    for (unsigned i = 0; i < HF_OPT_COUNT; i++) {
        if ((o->core_set >> i & 1) == 0)
            continue;
        int err = hf_set(s->stack, socket->handle, (enum hf_option)i, o->core[i], s->now_ns);
        (void)err; /* its range was checked when it was set */
    }
}

int64_t hf_socket_core_option(const struct hf_sockets *s, const struct hf_socket *socket,
                              enum hf_option o)
{
    int64_t value = 0;
    if (socket->handle != 0 && hf_get(s->stack, socket->handle, o, &value) == HF_OK)
        return value;
    if ((socket->options.core_set >> o & 1) != 0)
        return socket->options.core[o];
    return hf_get(s->stack, 0, o, &value) == HF_OK ? value : 0;
}

static int set_core(struct hf_sockets *s, struct hf_socket *socket, enum hf_option o, int64_t value)
{
    bool has_it = socket->phase != HF_SOCKET_LISTENING || o != HF_OPT_SYN_RETRIES;
    hf_handle handle = has_it ? socket->handle : 0; /* 0: only the range is looked at */
    if (hf_set(s->stack, handle, o, value, s->now_ns) == HF_E_INVALID)
        return -EINVAL;
    socket->options.core_set |= UINT64_C(1) << o;
    socket->options.core[o] = value;
    return 0;
}

/* ---- SOL_SOCKET --------------------------------------------------------------------------- */

static int get_socket(struct hf_sockets *s, struct hf_socket *socket, int name, int *value)
{
    const struct hf_socket_options *o = &socket->options;
    switch (name) {
    case SO_REUSEADDR: *value = o->reuse_address; return 0;
    case SO_REUSEPORT: *value = o->reuse_port; return 0;
    case SO_ERROR: *value = hf_socket_take_error(socket); return 0;
    case SO_TYPE: *value = SOCK_STREAM; return 0;
    case SO_PROTOCOL: *value = IPPROTO_TCP; return 0;
    case SO_DOMAIN: *value = socket->family; return 0;
    case SO_ACCEPTCONN: *value = socket->phase == HF_SOCKET_LISTENING; return 0;
    case SO_KEEPALIVE: *value = (int)hf_socket_core_option(s, socket, HF_OPT_KEEPALIVE); return 0;
    case SO_SNDBUF:
        *value = (int)hf_socket_core_option(s, socket, HF_OPT_SEND_BUFFER_BYTES);
        return 0;
    case SO_RCVBUF:
        *value = (int)hf_socket_core_option(s, socket, HF_OPT_RECEIVE_BUFFER_BYTES);
        return 0;
    case SO_RCVLOWAT: *value = o->receive_low_water_bytes; return 0;
    case SO_SNDLOWAT: *value = 1; return 0;
    case SO_OOBINLINE: *value = o->urgent_inline; return 0;
    case SO_BROADCAST: *value = o->broadcast; return 0;
    case SO_DONTROUTE: *value = o->dont_route; return 0;
    case SO_PRIORITY: *value = o->priority; return 0;
    case SO_MARK: *value = o->mark; return 0;
    default: return -ENOPROTOOPT; /* open-ended: a number of the caller's */
    }
}

static int set_socket(struct hf_sockets *s, struct hf_socket *socket, int name, int value)
{
    struct hf_socket_options *o = &socket->options;
    switch (name) {
    case SO_REUSEADDR: o->reuse_address = value != 0; return 0;
    case SO_REUSEPORT: o->reuse_port = value != 0; return 0;
    case SO_KEEPALIVE: return set_core(s, socket, HF_OPT_KEEPALIVE, value != 0);
    case SO_SNDBUF: return set_core(s, socket, HF_OPT_SEND_BUFFER_BYTES, value);
    case SO_RCVBUF: return set_core(s, socket, HF_OPT_RECEIVE_BUFFER_BYTES, value);
    case SO_RCVLOWAT: /* as on Linux: below 0 without limit, 0 as 1 */
        o->receive_low_water_bytes = value < 0 ? INT_MAX : value > 0 ? value : 1;
        return 0;
    case SO_OOBINLINE: o->urgent_inline = value != 0; return 0;
    case SO_BROADCAST: o->broadcast = value != 0; return 0;
    case SO_DONTROUTE: o->dont_route = value != 0; return 0;
    case SO_PRIORITY: o->priority = value; return 0;
    case SO_MARK: o->mark = value; return 0;
    default: return -ENOPROTOOPT; /* read-only ones too; open-ended */
    }
}

static int set_linger(struct hf_socket *socket, const void *value, socklen_t length)
{
    struct linger linger;
    if (length < sizeof linger)
        return -EINVAL;
    memcpy(&linger, value, sizeof linger);
    socket->options.linger.on = linger.l_onoff != 0;
    socket->options.linger.seconds = linger.l_linger < 0 ? INT_MAX : linger.l_linger;
    return 0;
}

static int set_timeout(hf_ns *timeout_ns, const void *value, socklen_t length)
{
    enum { US_PER_S = 1000000 };
    struct timeval t;
    if (length < sizeof t)
        return -EINVAL;
    memcpy(&t, value, sizeof t);
    if (t.tv_usec < 0 || t.tv_usec >= US_PER_S)
        return -EDOM;
    if (t.tv_sec < 0)
        *timeout_ns = 1; /* as on Linux: over at once */
    else
        *timeout_ns = t.tv_sec > INT32_MAX ? 0 : HF_SEC((hf_ns)t.tv_sec) + HF_US(t.tv_usec);
    return 0;
}

/* ---- IPPROTO_TCP -------------------------------------------------------------------------- */

static int seconds_of(int64_t ns)
{
    return (int)(ns / HF_SEC(1));
}

static int get_tcp(struct hf_sockets *s, struct hf_socket *socket, int name, int *value)
{
    const struct hf_sockets *c = s;
    switch (name) {
    case TCP_NODELAY: *value = hf_socket_core_option(c, socket, HF_OPT_NAGLE) == 0; return 0;
    case TCP_CORK: *value = (int)hf_socket_core_option(c, socket, HF_OPT_CORK); return 0;
    case TCP_MAXSEG: *value = (int)hf_socket_mss(c, socket); return 0;
    case TCP_KEEPIDLE:
        *value = seconds_of(hf_socket_core_option(c, socket, HF_OPT_KEEPALIVE_IDLE_NS));
        return 0;
    case TCP_KEEPINTVL:
        *value = seconds_of(hf_socket_core_option(c, socket, HF_OPT_KEEPALIVE_INTERVAL_NS));
        return 0;
    case TCP_KEEPCNT:
        *value = (int)hf_socket_core_option(c, socket, HF_OPT_KEEPALIVE_PROBES);
        return 0;
    case TCP_USER_TIMEOUT:
        *value = (int)(hf_socket_core_option(c, socket, HF_OPT_USER_TIMEOUT_NS) / HF_MS(1));
        return 0;
    case TCP_SYNCNT: *value = (int)hf_socket_core_option(c, socket, HF_OPT_SYN_RETRIES); return 0;
    case TCP_QUICKACK: *value = hf_socket_core_option(c, socket, HF_OPT_QUICK_ACKS) > 0; return 0;
    case TCP_LINGER2: *value = socket->options.linger2_s; return 0;
    default: return -ENOPROTOOPT; /* open-ended: a number of the caller's */
    }
}

static int set_span(struct hf_sockets *s, struct hf_socket *socket, enum hf_option o, int seconds)
{
    if (seconds < 1 || seconds > KEEP_SECONDS_MAX)
        return -EINVAL;
    return set_core(s, socket, o, HF_SEC((hf_ns)seconds));
}

/** Of a connection at this moment only: nothing that one to come would inherit. */
static int set_quick_ack(struct hf_sockets *s, const struct hf_socket *socket, int value)
{
    enum { MANY = 255 };
    int err = hf_set(s->stack, socket->handle, HF_OPT_QUICK_ACKS, value != 0 ? MANY : 0, s->now_ns);
    (void)err; /* without a connection there is nothing to set */
    return 0;
}

static int set_tcp(struct hf_sockets *s, struct hf_socket *socket, int name, int value)
{
    switch (name) {
    case TCP_NODELAY: return set_core(s, socket, HF_OPT_NAGLE, value == 0);
    case TCP_CORK: return set_core(s, socket, HF_OPT_CORK, value != 0);
    case TCP_MAXSEG:
        return value > MSS_MAX ? -EINVAL : set_core(s, socket, HF_OPT_MSS_BYTES, value);
    case TCP_KEEPIDLE: return set_span(s, socket, HF_OPT_KEEPALIVE_IDLE_NS, value);
    case TCP_KEEPINTVL: return set_span(s, socket, HF_OPT_KEEPALIVE_INTERVAL_NS, value);
    case TCP_KEEPCNT: return set_core(s, socket, HF_OPT_KEEPALIVE_PROBES, value);
    case TCP_USER_TIMEOUT: return set_core(s, socket, HF_OPT_USER_TIMEOUT_NS, HF_MS((hf_ns)value));
    case TCP_SYNCNT:
        return value < 1 || value > SYN_COUNT_MAX ? -EINVAL
                                                  : set_core(s, socket, HF_OPT_SYN_RETRIES, value);
    case TCP_QUICKACK: return set_quick_ack(s, socket, value);
    case TCP_LINGER2: socket->options.linger2_s = value; return 0;
    default: return -ENOPROTOOPT; /* open-ended: a number of the caller's */
    }
}

/* ---- IPPROTO_IP, IPPROTO_IPV6 ------------------------------------------------------------- */

static int traffic_class(const struct hf_sockets *s, const struct hf_socket *socket)
{
    return (int)hf_socket_core_option(s, socket, HF_OPT_DSCP) << 2;
}

/** The two bits of ECN are TCP's, not the application's. */
static int set_traffic_class(struct hf_sockets *s, struct hf_socket *socket, int value)
{
    int64_t dscp = 0;
    if (value < -1 || value > UINT8_MAX)
        return -EINVAL;
    if (value < 0 && hf_get(s->stack, 0, HF_OPT_DSCP, &dscp) != HF_OK)
        return -EINVAL;
    return set_core(s, socket, HF_OPT_DSCP, value < 0 ? dscp : value >> 2);
}

/** -1: that of the stack. */
static int set_hops(struct hf_sockets *s, struct hf_socket *socket, int value)
{
    int64_t hops = value;
    if (value == -1 && hf_get(s->stack, 0, HF_OPT_TTL, &hops) != HF_OK)
        return -EINVAL;
    return set_core(s, socket, HF_OPT_TTL, hops);
}

static int get_mtu(const struct hf_sockets *s, const struct hf_socket *socket, int *value)
{
    struct hf_info info = hf_socket_info(s, socket);
    if (!socket->established || info.state == HF_CLOSED)
        return -ENOTCONN;
    *value = info.path_mtu_bytes;
    return 0;
}

static int get_ip(struct hf_sockets *s, struct hf_socket *socket, int name, int *value)
{
    switch (name) {
    case IP_TOS: *value = traffic_class(s, socket); return 0;
    case IP_TTL: *value = (int)hf_socket_core_option(s, socket, HF_OPT_TTL); return 0;
    case IP_MTU_DISCOVER: *value = socket->options.mtu_discover_v4; return 0;
    case IP_MTU: return get_mtu(s, socket, value);
    default: return -ENOPROTOOPT; /* open-ended: a number of the caller's */
    }
}

static int set_ip(struct hf_sockets *s, struct hf_socket *socket, int name, int value)
{
    switch (name) {
    case IP_TOS: return set_traffic_class(s, socket, value & UINT8_MAX);
    case IP_TTL: return set_hops(s, socket, value);
    case IP_MTU_DISCOVER:
        if (value < IP_PMTUDISC_DONT || value > IP_PMTUDISC_OMIT)
            return -EINVAL;
        socket->options.mtu_discover_v4 = value;
        return 0;
    default: return -ENOPROTOOPT; /* open-ended: a number of the caller's */
    }
}

static int get_ipv6(struct hf_sockets *s, struct hf_socket *socket, int name, int *value)
{
    switch (name) {
    case IPV6_TCLASS: *value = traffic_class(s, socket); return 0;
    case IPV6_UNICAST_HOPS: *value = (int)hf_socket_core_option(s, socket, HF_OPT_TTL); return 0;
    case IPV6_V6ONLY: *value = socket->options.v6_only; return 0;
    case IPV6_MTU_DISCOVER: *value = socket->options.mtu_discover_v6; return 0;
    case IPV6_MTU: return get_mtu(s, socket, value);
    default: return -ENOPROTOOPT; /* open-ended: a number of the caller's */
    }
}

static int set_ipv6(struct hf_sockets *s, struct hf_socket *socket, int name, int value)
{
    switch (name) {
    case IPV6_TCLASS: return set_traffic_class(s, socket, value);
    case IPV6_UNICAST_HOPS: return set_hops(s, socket, value);
    case IPV6_V6ONLY:
        if (socket->is_bound || socket->phase != HF_SOCKET_IDLE)
            return -EINVAL;
        socket->options.v6_only = value != 0;
        return 0;
    case IPV6_MTU_DISCOVER:
        if (value < IPV6_PMTUDISC_DONT || value > IPV6_PMTUDISC_OMIT)
            return -EINVAL;
        socket->options.mtu_discover_v6 = value;
        return 0;
    default: return -ENOPROTOOPT; /* open-ended: a number of the caller's */
    }
}

/* ---- the calls ---------------------------------------------------------------------------- */

static int write_value(void *value, socklen_t *length, const void *from, size_t bytes)
{
    if (*length > INT32_MAX)
        return -EINVAL;
    if (*length > bytes)
        *length = (socklen_t)bytes;
    memcpy(value, from, *length);
    return 0;
}

/** Options that are structures; 1: it is none. */
static int get_structure(const struct hf_sockets *s, const struct hf_socket *socket, int level,
                         int name, void *value, socklen_t *length)
{
    const struct hf_socket_options *o = &socket->options;
    if (level == IPPROTO_TCP && name == TCP_INFO)
        return hf_socket_tcp_info(s, socket, value, length);
    if (level != SOL_SOCKET)
        return 1;
    if (name == SO_LINGER) {
        struct linger linger = {o->linger.on, o->linger.seconds};
        return write_value(value, length, &linger, sizeof linger);
    }
    if (name != SO_RCVTIMEO && name != SO_SNDTIMEO)
        return 1;
    hf_ns timeout_ns = name == SO_RCVTIMEO ? o->receive_timeout_ns : o->send_timeout_ns;
    struct timeval t = {.tv_sec = timeout_ns / HF_SEC(1),
                        .tv_usec = timeout_ns % HF_SEC(1) / HF_US(1)};
    return write_value(value, length, &t, sizeof t);
}

static int get_int(struct hf_sockets *s, struct hf_socket *socket, int level, int name, int *value)
{
    switch (level) {
    case SOL_SOCKET: return get_socket(s, socket, name, value);
    case IPPROTO_TCP: return get_tcp(s, socket, name, value);
    case IPPROTO_IP: return get_ip(s, socket, name, value);
    case IPPROTO_IPV6:
        return socket->family == AF_INET6 ? get_ipv6(s, socket, name, value) : -ENOPROTOOPT;
    default: return -EOPNOTSUPP; /* open-ended: a number of the caller's */
    }
}

int hf_sockets_getsockopt(void *self, int fd, int level, int name, void *value, socklen_t *length)
{
    struct hf_sockets *s = self;
    struct hf_socket *socket;
    int err = hf_socket_find(s, fd, &socket);
    if (err != 0)
        return err;
    if (length == NULL || (value == NULL && *length > 0))
        return -EFAULT;
    err = get_structure(s, socket, level, name, value, length);
    if (err != 1)
        return err;
    int number = 0;
    err = get_int(s, socket, level, name, &number);
    if (err != 0)
        return err;
    if (level == IPPROTO_IP && *length > 0 && *length < sizeof number && number >= 0 &&
        number <= UINT8_MAX) { /* options of IP may be a byte */
        *(uint8_t *)value = (uint8_t)number;
        *length = 1;
        return 0;
    }
    return write_value(value, length, &number, sizeof number);
}

static int read_int(int level, const void *value, socklen_t length, int *number)
{
    if (length >= sizeof *number)
        memcpy(number, value, sizeof *number);
    else if (level == IPPROTO_IP && length >= 1)
        *number = *(const uint8_t *)value;
    else
        return -EINVAL;
    return 0;
}

int hf_sockets_setsockopt(void *self, int fd, int level, int name, const void *value,
                          socklen_t length)
{
    struct hf_sockets *s = self;
    struct hf_socket *socket;
    int number, err = hf_socket_find(s, fd, &socket);
    if (err != 0)
        return err;
    if (length > INT32_MAX)
        return -EINVAL;
    if (value == NULL && length > 0)
        return -EFAULT;
    if (level == SOL_SOCKET && name == SO_LINGER)
        return set_linger(socket, value, length);
    if (level == SOL_SOCKET && name == SO_RCVTIMEO)
        return set_timeout(&socket->options.receive_timeout_ns, value, length);
    if (level == SOL_SOCKET && name == SO_SNDTIMEO)
        return set_timeout(&socket->options.send_timeout_ns, value, length);
    err = read_int(level, value, length, &number);
    if (err != 0)
        return err;
    switch (level) {
    case SOL_SOCKET: return set_socket(s, socket, name, number);
    case IPPROTO_TCP: return set_tcp(s, socket, name, number);
    case IPPROTO_IP: return set_ip(s, socket, name, number);
    case IPPROTO_IPV6:
        return socket->family == AF_INET6 ? set_ipv6(s, socket, name, number) : -ENOPROTOOPT;
    default: return -ENOPROTOOPT; /* open-ended: a number of the caller's */
    }
}
