/**
 * epoll: level and edge triggered, one shot.
 *
 * Entries are told in turn: who was told goes to the end. An entry without EPOLLET is looked at in
 * each call; one with it only when something happened that it asks for.
 */
#include "socket.h"

#include <errno.h>
#include <stdlib.h>

void hf_socket_tell_watchers(struct hf_sockets *s, const struct hf_socket *socket, uint32_t events)
{
    for (struct hf_watch *w = socket->watchers; w != NULL; w = w->next_watcher) {
        uint32_t asked = w->events | EPOLLERR | EPOLLHUP;
        if ((events & asked) == 0 || w->fired)
            continue;
        w->fired = true;
        w->turn = ++s->turn;
    }
}

static void remove_watch(struct hf_watch *watch)
{
    struct hf_watch **w = &watch->socket->watchers;
    while (*w != watch)
        w = &(*w)->next_watcher;
    *w = watch->next_watcher;
    w = &watch->epoll->watches;
    while (*w != watch)
        w = &(*w)->next_watch;
    *w = watch->next_watch;
    free(watch);
}

void hf_socket_forget_watches(struct hf_socket *socket)
{
    while (socket->watchers != NULL)
        remove_watch(socket->watchers);
    while (socket->watches != NULL)
        remove_watch(socket->watches);
}

/** What an entry has to tell now. */
static uint32_t news(struct hf_sockets *s, const struct hf_watch *w)
{
    if (w->spent || ((w->events & EPOLLET) != 0 && !w->fired))
        return 0;
    return hf_socket_ready(s, w->socket) & (w->events | EPOLLERR | EPOLLHUP);
}

bool hf_epoll_is_ready(struct hf_sockets *s, struct hf_socket *epoll)
{
    for (const struct hf_watch *w = epoll->watches; w != NULL; w = w->next_watch)
        if (news(s, w) != 0)
            return true;
    return false;
}

static int find_epoll(const struct hf_sockets *s, int fd, struct hf_socket **out)
{
    *out = hf_socket_of_fd(s, fd);
    if (*out == NULL)
        return -EBADF;
    return (*out)->kind == HF_SOCKET_EPOLL ? 0 : -EINVAL;
}

int hf_sockets_epoll_create(void *self, int size)
{
    struct hf_sockets *s = self;
    if (size <= 0)
        return -EINVAL;
    struct hf_socket *epoll = hf_socket_new(s, HF_SOCKET_EPOLL, AF_UNSPEC);
    if (epoll == NULL)
        return -ENOMEM;
    int fd = hf_socket_give_fd(s, epoll);
    if (fd < 0)
        hf_socket_free(s, epoll);
    return fd;
}

/* ---- epoll_ctl ---------------------------------------------------------------------------- */

static void set_watch(struct hf_sockets *s, struct hf_watch *w, const struct epoll_event *event)
{
    w->events = event->events;
    w->data = event->data;
    w->spent = false;
    w->fired = true; /* what is ready already is news */
    w->turn = ++s->turn;
}

static int add_watch(struct hf_sockets *s, struct hf_socket *epoll, struct hf_socket *socket,
                     const struct epoll_event *event)
{
    struct hf_watch *w = calloc(1, sizeof *w);
    if (w == NULL)
        return -ENOMEM;
    w->epoll = epoll;
    w->socket = socket;
    w->fd = socket->fd;
    w->next_watch = epoll->watches;
    epoll->watches = w;
    w->next_watcher = socket->watchers;
    socket->watchers = w;
    set_watch(s, w, event);
    return 0;
}

int hf_sockets_epoll_ctl(void *self, int epoll_fd, int operation, int fd, struct epoll_event *event)
{
    struct hf_sockets *s = self;
    struct hf_socket *epoll = hf_socket_of_fd(s, epoll_fd), *socket = hf_socket_of_fd(s, fd);
    if (event == NULL && operation != EPOLL_CTL_DEL)
        return -EFAULT;
    if (epoll == NULL || socket == NULL)
        return -EBADF;
    if (epoll->kind != HF_SOCKET_EPOLL || socket->kind == HF_SOCKET_EPOLL)
        return -EINVAL;
    struct hf_watch *w = epoll->watches;
    while (w != NULL && w->socket != socket)
        w = w->next_watch;
    switch (operation) {
    case EPOLL_CTL_ADD: return w != NULL ? -EEXIST : add_watch(s, epoll, socket, event);
    case EPOLL_CTL_MOD:
        if (w != NULL)
            set_watch(s, w, event);
        return w != NULL ? 0 : -ENOENT;
    case EPOLL_CTL_DEL:
        if (w != NULL)
            remove_watch(w);
        return w != NULL ? 0 : -ENOENT;
    default: return -EINVAL; /* open-ended: a number of the caller's */
    }
}

/* ---- epoll_wait --------------------------------------------------------------------------- */

/** The entry whose turn is next after `turn`, up to `last`. */
static struct hf_watch *next_in_turn(const struct hf_socket *epoll, uint64_t turn, uint64_t last)
{
    struct hf_watch *next = NULL;
    for (struct hf_watch *w = epoll->watches; w != NULL; w = w->next_watch)
        if (w->turn > turn && w->turn <= last && (next == NULL || w->turn < next->turn))
            next = w;
    return next;
}

static int collect(struct hf_sockets *s, const struct hf_socket *epoll, struct epoll_event *events,
                   int max)
{
    uint64_t turn = 0, last = s->turn;
    int found = 0;
    while (found < max) {
        struct hf_watch *w = next_in_turn(epoll, turn, last);
        if (w == NULL)
            return found;
        turn = w->turn;
        uint32_t ready = news(s, w);
        w->fired = false;
        if (ready == 0)
            continue;
        events[found++] = (struct epoll_event){.events = ready, .data = w->data};
        w->turn = ++s->turn;
        w->spent = (w->events & EPOLLONESHOT) != 0;
    }
    return found;
}

int hf_sockets_epoll_wait(void *self, int epoll_fd, struct epoll_event *events, int max,
                          int timeout_ms, struct hf_posix_wait *wait)
{
    struct hf_sockets *s = self;
    struct hf_socket *epoll;
    if (max <= 0)
        return -EINVAL;
    if (events == NULL)
        return -EFAULT;
    int err = find_epoll(s, epoll_fd, &epoll);
    if (err != 0)
        return err;
    int found = collect(s, epoll, events, max);
    if (found > 0 || timeout_ms == 0)
        return found;
    return hf_wait_is_over(s, wait, timeout_ms < 0 ? -1 : HF_MS((hf_ns)timeout_ms)) ? 0
                                                                                    : HF_POSIX_WAIT;
}
