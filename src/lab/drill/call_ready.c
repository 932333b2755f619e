/**
 * Calls that wait for readiness, and how long any call waits.
 */
#include "call_parts.h"

#include <string.h>
#include <sys/time.h>

/* ---- poll --------------------------------------------------------------------------------- */

static int64_t field_number(struct hf_call *c, const struct hf_value *v, const char *name)
{
    const struct hf_value *field = hf_value_field(v, name);
    return field == NULL || hf_value_is_any(field) ? 0 : hf_call_number(c, field);
}

static void read_pollfds(struct hf_call *c, const struct hf_value *list, struct pollfd *fds)
{
    for (size_t i = 0; fds != NULL && i < list->item_count; i++) {
        const struct hf_value *item = &list->items[i];
        int64_t label = field_number(c, item, "fd");
        fds[i].fd = label < 0 ? -1 : hf_call_fd_of(c->env, label);
        fds[i].events = (short)field_number(c, item, "events");
    }
}

int64_t hf_call_poll(struct hf_call *c)
{
    const struct hf_posix *p = c->env->posix;
    const struct hf_value *list = hf_call_argument(c, 0);
    size_t count = hf_call_length(c, hf_call_argument(c, 1));
    int timeout_ms = hf_call_int(c, 2);
    if (list->kind != HF_VALUE_LIST || count != list->item_count)
        hf_call_beyond(c, "poll() wants a list of as many descriptors as it says");
    struct pollfd *fds = hf_call_memory(c, (int64_t)(list->item_count * sizeof *fds));
    read_pollfds(c, list, fds);
    if (c->is_beyond)
        return 0;
    int got = p->calls->poll(p->self, fds, (nfds_t)count, timeout_ms, c->wait);
    for (size_t i = 0; got >= 0 && i < count; i++) {
        const struct hf_value *revents = hf_value_field(&list->items[i], "revents");
        if (revents == NULL || hf_value_is_any(revents))
            continue;
        int64_t expected = hf_call_number(c, revents);
        if (expected != fds[i].revents)
            hf_call_differs(c, "revents", expected, fds[i].revents);
    }
    return got;
}

/* ---- epoll -------------------------------------------------------------------------------- */

int64_t hf_call_epoll_create(struct hf_call *c)
{
    const struct hf_posix *p = c->env->posix;
    int size = hf_call_int(c, 0);
    if (c->is_beyond)
        return 0;
    int fd = p->calls->epoll_create(p->self, size);
    if (fd >= 0)
        hf_call_label(c, fd);
    return fd;
}

/** The data of an event: a descriptor's label stands for the live one. */
static uint64_t read_data(struct hf_call *c, const struct hf_value *v)
{
    static const char *const plain[] = {"ptr", "u32", "u64"};
    const struct hf_value *fd = hf_value_field(v, "fd");
    if (fd != NULL)
        return (uint32_t)hf_call_fd_of(c->env, hf_call_number(c, fd));
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (hf_value_field(v, plain[i]) != NULL)
            return (uint64_t)field_number(c, v, plain[i]);
    return 0;
}

int64_t hf_call_epoll_ctl(struct hf_call *c)
{
    const struct hf_posix *p = c->env->posix;
    int epoll_fd = hf_call_fd(c, 0), operation = hf_call_int(c, 1), fd = hf_call_fd(c, 2);
    struct epoll_event event = {0};
    const struct hf_value *v = NULL;
    if (c->script->argument_count > 3 && !hf_value_is_null(&c->script->arguments[3])) {
        v = &c->script->arguments[3];
        event.events = (uint32_t)field_number(c, v, "events");
        event.data.u64 = read_data(c, v);
    }
    if (c->is_beyond)
        return 0;
    return p->calls->epoll_ctl(p->self, epoll_fd, operation, fd, v != NULL ? &event : NULL);
}

static void compare_event(struct hf_call *c, const struct hf_value *v,
                          const struct epoll_event *event)
{
    uint64_t expected = read_data(c, v), got = event->data.u64;
    int64_t events = field_number(c, v, "events");
    if (hf_value_field(v, "events") != NULL && events != (int64_t)event->events)
        hf_call_differs(c, "events", events, event->events);
    if (v->item_count > 1 && expected != got)
        hf_call_differs(c, "data", (int64_t)expected, (int64_t)got);
}

int64_t hf_call_epoll_wait(struct hf_call *c)
{
    const struct hf_posix *p = c->env->posix;
    int epoll_fd = hf_call_fd(c, 0), timeout_ms = hf_call_int(c, 3);
    const struct hf_value *list = hf_call_argument(c, 1);
    size_t max = hf_call_length(c, hf_call_argument(c, 2));
    struct epoll_event *events = hf_call_memory(c, (int64_t)(max * sizeof *events));
    if (c->is_beyond)
        return 0;
    int got = p->calls->epoll_wait(p->self, epoll_fd, events, (int)max, timeout_ms, c->wait);
    if (got < 0 || hf_value_is_any(list))
        return got;
    size_t wanted = list->kind == HF_VALUE_LIST ? list->item_count : 1;
    for (size_t i = 0; i < wanted && i < max; i++)
        compare_event(c, list->kind == HF_VALUE_LIST ? &list->items[i] : list, &events[i]);
    return got;
}

/* ---- limits of waiting -------------------------------------------------------------------- */

/** What of a call's waiting is limited by which option of its socket. */
static const struct {
    const char *name;
    int option; /**< of SOL_SOCKET */
} limits[] = {
    {"accept", SO_RCVTIMEO},  {"read", SO_RCVTIMEO},     {"readv", SO_RCVTIMEO},
    {"recv", SO_RCVTIMEO},    {"recvfrom", SO_RCVTIMEO}, {"recvmsg", SO_RCVTIMEO},
    {"connect", SO_SNDTIMEO}, {"write", SO_SNDTIMEO},    {"writev", SO_SNDTIMEO},
    {"send", SO_SNDTIMEO},    {"sendto", SO_SNDTIMEO},   {"sendmsg", SO_SNDTIMEO},
    {"close", SO_LINGER},
};

/** The span an option sets; 0: none. */
static hf_ns option_span(struct hf_call_env *env, int fd, int option)
{
    struct timeval time = {0};
    struct linger linger = {0};
    socklen_t length = option == SO_LINGER ? sizeof linger : sizeof time;
    void *value = option == SO_LINGER ? (void *)&linger : (void *)&time;
    if (env->posix->calls->getsockopt(env->posix->self, fd, SOL_SOCKET, option, value, &length) < 0)
        return 0;
    if (option == SO_LINGER)
        return linger.l_onoff != 0 ? HF_SEC(linger.l_linger) : 0;
    return HF_SEC(time.tv_sec) + HF_US(time.tv_usec);
}

/** The limit in milliseconds that a call has among its arguments. */
static hf_ns argument_due(struct hf_call_env *env, const struct hf_script_call *call,
                          const struct hf_posix_wait *wait, size_t n)
{
    struct hf_call_result result;
    struct hf_call c = {.env = env, .script = call, .result = &result};
    int timeout_ms = hf_call_int(&c, n);
    return timeout_ms < 0 ? HF_NEVER : wait->since_ns + HF_MS(timeout_ms);
}

hf_ns hf_call_due(struct hf_call_env *env, const struct hf_script_call *call,
                  const struct hf_posix_wait *wait)
{
    if (strcmp(call->name, "poll") == 0)
        return argument_due(env, call, wait, 2);
    if (strcmp(call->name, "epoll_wait") == 0)
        return argument_due(env, call, wait, 3);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        if (strcmp(limits[i].name, call->name) != 0)
            continue;
        hf_ns span_ns = option_span(env, hf_call_live_fd(env, call, 0), limits[i].option);
        return span_ns > 0 ? wait->since_ns + span_ns : HF_NEVER;
    }
    return HF_NEVER;
}
