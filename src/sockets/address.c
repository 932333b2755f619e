/**
 * Socket addresses and endpoints; which addresses and ports are taken.
 *
 * An IPv4 address is held in IPv4-mapped form, so the sockets of both families meet in one space:
 * an IPv6 socket that is not IPV6_V6ONLY has both wildcards.
 */
#include "socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

enum { SIN6_LEAST_BYTES = 24, PORT_MIN = 32768, PORT_MAX = 60999 };

/* ---- reading and writing ------------------------------------------------------------------ */

int hf_socket_address_read(int family, const struct sockaddr *address, socklen_t length,
                           struct hf_endpoint *out)
{
    bool v6 = family == AF_INET6;
    socklen_t least = v6 ? SIN6_LEAST_BYTES : sizeof(struct sockaddr_in);
    if (length > sizeof(struct sockaddr_storage) || length < least)
        return -EINVAL;
    if (address == NULL)
        return -EFAULT;
    if (v6) {
        struct sockaddr_in6 sin6;
        memcpy(&sin6, address, least);
        if (sin6.sin6_family != AF_INET6)
            return -EAFNOSUPPORT;
        memcpy(out->addr.octets, &sin6.sin6_addr, sizeof out->addr.octets);
        out->port = ntohs(sin6.sin6_port);
        return 0;
    }
    struct sockaddr_in sin;
    memcpy(&sin, address, sizeof sin);
    if (sin.sin_family != AF_INET)
        return -EAFNOSUPPORT;
    uint32_t host = ntohl(sin.sin_addr.s_addr);
    out->addr = hf_addr_v4((uint8_t)(host >> 24), (uint8_t)(host >> 16), (uint8_t)(host >> 8),
                           (uint8_t)host);
    out->port = ntohs(sin.sin_port);
    return 0;
}

static socklen_t fill(int family, const struct hf_endpoint *endpoint,
                      struct sockaddr_storage *storage)
{
    if (family == AF_INET6) {
        struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_port = htons(endpoint->port)};
        memcpy(&sin6.sin6_addr, endpoint->addr.octets, sizeof sin6.sin6_addr);
        memcpy(storage, &sin6, sizeof sin6);
        return sizeof sin6;
    }
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(endpoint->port)};
    memcpy(&sin.sin_addr, endpoint->addr.octets + 12, sizeof sin.sin_addr);
    memcpy(storage, &sin, sizeof sin);
    return sizeof sin;
}

int hf_socket_address_write(int family, const struct hf_endpoint *endpoint,
                            struct sockaddr *address, socklen_t *length)
{
    if (address == NULL)
        return 0;
    if (length == NULL)
        return -EFAULT;
    if (*length > INT32_MAX)
        return -EINVAL;
    struct sockaddr_storage storage;
    socklen_t whole = fill(family, endpoint, &storage);
    memcpy(address, &storage, *length < whole ? *length : whole);
    *length = whole;
    return 0;
}

/* ---- conflicts ---------------------------------------------------------------------------- */

static bool is_any_v4(const struct hf_addr *a)
{
    struct hf_addr any = hf_addr_v4(0, 0, 0, 0);
    return hf_addr_equal(a, &any);
}

static bool is_any_v6(const struct hf_addr *a)
{
    return hf_addr_equal(a, &HF_ADDR_ANY);
}

bool hf_socket_address_is_any(const struct hf_addr *addr)
{
    return is_any_v4(addr) || is_any_v6(addr);
}

/** Whether a socket that is bound to `wide` has the address `a`, too. */
static bool covers(const struct hf_addr *wide, bool v6_only, const struct hf_addr *a)
{
    bool a_is_v4 = hf_addr_is_v4(a);
    if (is_any_v6(wide))
        return !v6_only || !a_is_v4;
    return (is_any_v4(wide) && a_is_v4) || hf_addr_equal(wide, a);
}

static bool overlap(const struct hf_addr *a, bool a_v6_only, const struct hf_addr *b,
                    bool b_v6_only)
{
    return covers(a, a_v6_only, b) || covers(b, b_v6_only, a);
}

static bool conflicts(const struct hf_socket *socket, const struct hf_endpoint *local,
                      const struct hf_socket *other, bool to_listen)
{
    const struct hf_socket_options *a = &socket->options, *b = &other->options;
    if (other == socket || other->kind != HF_SOCKET_TCP || other->local.port != local->port ||
        !overlap(&local->addr, a->v6_only, &other->local.addr, b->v6_only))
        return false;
    if (other->closing)
        return !a->reuse_address;
    bool listens = other->phase == HF_SOCKET_LISTENING;
    if (a->reuse_address && b->reuse_address && !listens)
        return false;
    return !(a->reuse_port && b->reuse_port && !(listens && to_listen));
}

/** Whether a connection that no socket has any more uses the address. */
static bool is_used_by_others(const struct hf_sockets *s, const struct hf_socket *socket,
                              const struct hf_endpoint *local)
{
    uint64_t cursor = 0;
    struct hf_tuple t;
    while (hf_iterate(s->stack, &cursor, &t)) {
        if (t.kind != HF_KIND_CONN && t.kind != HF_KIND_TIME_WAIT)
            continue;
        int64_t tag = 0;
        bool has_socket =
            t.handle != 0 && hf_get(s->stack, t.handle, HF_OPT_TAG, &tag) == HF_OK && tag != 0;
        if (!has_socket && t.state != HF_CLOSED && t.local.port == local->port &&
            overlap(&local->addr, socket->options.v6_only, &t.local.addr, false))
            return true;
    }
    return false;
}

int hf_socket_address_check(const struct hf_sockets *s, const struct hf_socket *socket,
                            const struct hf_endpoint *local, bool to_listen)
{
    for (uint32_t i = 0; i < s->slot_count; i++)
        if (s->slots[i] != NULL && conflicts(socket, local, s->slots[i], to_listen))
            return -EADDRINUSE;
    if (!socket->options.reuse_address && is_used_by_others(s, socket, local))
        return -EADDRINUSE;
    return 0;
}

uint16_t hf_socket_port_choose(struct hf_sockets *s, const struct hf_socket *socket,
                               const struct hf_addr *addr)
{
    for (uint32_t tries = 0; tries <= PORT_MAX - PORT_MIN; tries++) {
        if (s->next_port < PORT_MIN || s->next_port > PORT_MAX)
            s->next_port = PORT_MIN;
        struct hf_endpoint local = {*addr, s->next_port++};
        bool taken = false;
        for (uint32_t i = 0; i < s->slot_count && !taken; i++)
            taken = s->slots[i] != NULL && s->slots[i] != socket &&
                    s->slots[i]->local.port == local.port;
        if (!taken && !is_used_by_others(s, socket, &local))
            return local.port;
    }
    return 0;
}
