/**
 * Calls that wait for readiness.
 */
#include "call_parts.h"

#include <string.h>

#include "core/base.h"

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
    for (size_t i = 0; i < HF_COUNT_OF(plain); i++)
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
    for (size_t i = 0; i < wanted && i < (size_t)got; i++)
        compare_event(c, list->kind == HF_VALUE_LIST ? &list->items[i] : list, &events[i]);
    return got;
}
