/**
 * The table of calls, those that deal with whole sockets, and the comparison of results.
 */
#include "call_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base.h"
#include "symbols.h"

/* ---- sockets ------------------------------------------------------------------------------ */

static int64_t call_socket(struct hf_call *c)
{
    const struct hf_posix *p = c->env->posix;
    const struct hf_value *domain = hf_call_argument(c, 0);
    int family = c->env->options->family == HF_DRILL_V4 ? AF_INET : AF_INET6;
    if (!hf_value_is_any(domain))
        family = hf_call_int(c, 0);
    int type = hf_call_int(c, 1), protocol = hf_call_int(c, 2);
    if (c->is_beyond)
        return 0;
    int fd = p->calls->socket(p->self, family, type, protocol);
    if (fd >= 0)
        hf_call_label(c, fd);
    return fd;
}

static int64_t call_bind(struct hf_call *c)
{
    const struct hf_posix *p = c->env->posix;
    const struct hf_drill_options *o = c->env->options;
    struct hf_call_address address;
    int fd = hf_call_fd(c, 0);
    hf_call_address_read(c, hf_call_argument(c, 1), &o->local, o->bind_port, &address);
    if (c->is_beyond)
        return 0;
    return p->calls->bind(p->self, fd,
                          address.is_null ? NULL : (const struct sockaddr *)&address.bytes,
                          address.length);
}

static int64_t call_listen(struct hf_call *c)
{
    const struct hf_posix *p = c->env->posix;
    int fd = hf_call_fd(c, 0), backlog = hf_call_int(c, 1);
    return c->is_beyond ? 0 : p->calls->listen(p->self, fd, backlog);
}

static int64_t call_accept(struct hf_call *c)
{
    const struct hf_posix *p = c->env->posix;
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    int listener = hf_call_fd(c, 0);
    bool is_null = hf_value_is_null(hf_call_argument(c, 1));
    if (c->is_beyond)
        return 0;
    int fd = p->calls->accept(p->self, listener, is_null ? NULL : (struct sockaddr *)&address,
                              is_null ? NULL : &length, c->wait);
    if (fd >= 0)
        hf_call_label(c, fd);
    return fd;
}

static int64_t call_connect(struct hf_call *c)
{
    const struct hf_posix *p = c->env->posix;
    const struct hf_drill_options *o = c->env->options;
    struct hf_call_address address;
    int fd = hf_call_fd(c, 0);
    hf_call_address_read(c, hf_call_argument(c, 1), &o->remote, o->connect_port, &address);
    if (c->is_beyond)
        return 0;
    return p->calls->connect(p->self, fd,
                             address.is_null ? NULL : (const struct sockaddr *)&address.bytes,
                             address.length, c->wait);
}

static int64_t call_shutdown(struct hf_call *c)
{
    const struct hf_posix *p = c->env->posix;
    int fd = hf_call_fd(c, 0), how = hf_call_int(c, 1);
    return c->is_beyond ? 0 : p->calls->shutdown(p->self, fd, how);
}

static int64_t call_close(struct hf_call *c)
{
    const struct hf_posix *p = c->env->posix;
    int64_t label = hf_call_number(c, hf_call_argument(c, 0));
    if (c->is_beyond)
        return 0;
    int result = p->calls->close(p->self, hf_call_fd_of(c->env, label), c->wait);
    if (result != HF_POSIX_WAIT && result != -EBADF && label >= 0 && label < HF_CALL_LABELS)
        c->env->live[label] = 0;
    return result;
}

/** A close that would linger aborts instead: nobody waits for it any more. */
static void close_at_once(const struct hf_posix *p, int fd)
{
    struct hf_posix_wait wait = {0}, again = {0};
    const struct linger abort = {.l_onoff = 1, .l_linger = 0};
    if (p->calls->close(p->self, fd, &wait) != HF_POSIX_WAIT)
        return;
    (void)p->calls->setsockopt(p->self, fd, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    (void)p->calls->close(p->self, fd, &again);
}

void hf_calls_end(struct hf_call_env *env)
{
    for (int i = 0; i < HF_CALL_LABELS; i++) {
        if (env->live[i] > 0)
            close_at_once(env->posix, env->live[i] - 1);
        env->live[i] = 0;
    }
}

/* ---- the table ---------------------------------------------------------------------------- */

static const struct {
    const char *name;
    hf_call_fn *make;   /**< NULL: known and not supported */
    bool is_descriptor; /**< the result is a descriptor: the script's number is a label */
} table[] = {
    {"accept", call_accept, true},
    {"bind", call_bind, false},
    {"cap_set", NULL, false},
    {"close", call_close, false},
    {"connect", call_connect, false},
    {"epoll_create", hf_call_epoll_create, true},
    {"epoll_ctl", hf_call_epoll_ctl, false},
    {"epoll_wait", hf_call_epoll_wait, false},
    {"fcntl", hf_call_fcntl, false},
    {"getsockopt", hf_call_getsockopt, false},
    {"ioctl", hf_call_ioctl, false},
    {"listen", call_listen, false},
    {"open", NULL, true},
    {"pipe", NULL, false},
    {"poll", hf_call_poll, false},
    {"read", hf_call_read, false},
    {"readv", hf_call_readv, false},
    {"recv", hf_call_recv, false},
    {"recvfrom", hf_call_recvfrom, false},
    {"recvmsg", hf_call_recvmsg, false},
    {"send", hf_call_send, false},
    {"sendfile", NULL, false},
    {"sendmsg", hf_call_sendmsg, false},
    {"sendto", hf_call_sendto, false},
    {"setsockopt", hf_call_setsockopt, false},
    {"shutdown", call_shutdown, false},
    {"socket", call_socket, true},
    {"splice", NULL, false},
    {"write", hf_call_write, false},
    {"writev", hf_call_writev, false},
};

const char *hf_call_name(size_t n)
{
    return n < HF_COUNT_OF(table) ? table[n].name : NULL;
}

/** "-1 ECONNRESET", or the number. */
static void result_text(char text[HF_CALL_WORDS_BYTES], int64_t value)
{
    const char *name = value < 0 ? hf_errno_name((int)-value) : NULL;
    if (name != NULL)
        snprintf(text, HF_CALL_WORDS_BYTES, "-1 %s", name);
    else if (value < 0)
        snprintf(text, HF_CALL_WORDS_BYTES, "-1 errno %" PRId64, -value);
    else
        snprintf(text, HF_CALL_WORDS_BYTES, "%" PRId64, value);
}

static void result_differs(struct hf_call *c, int64_t expected, int64_t got)
{
    c->differs = true;
    if (c->script->error != NULL)
        snprintf(c->result->expected, sizeof c->result->expected, "%" PRId64 " %s", expected,
                 c->script->error);
    else
        snprintf(c->result->expected, sizeof c->result->expected, "%" PRId64, expected);
    result_text(c->result->got, got);
}

/** A result that differs says more than what came out beside it. */
static void compare_result(struct hf_call *c, bool is_descriptor, int64_t got)
{
    if (hf_value_is_any(&c->script->result))
        return;
    int64_t expected = hf_call_number(c, &c->script->result), error = 0;
    if (c->is_beyond)
        return;
    if (got < 0 && expected == -1) {
        if (c->script->error == NULL)
            return;
        if (!hf_symbol_value(c->script->error, &error))
            hf_call_beyond(c, "this system has no %.60s", c->script->error);
        else if (got != -error)
            result_differs(c, expected, got);
        return;
    }
    if (is_descriptor && got >= 0 && expected >= 0)
        return;
    if (got != expected)
        result_differs(c, expected, got);
}

static enum hf_call_outcome make(struct hf_call *c, size_t row)
{
    if (table[row].make == NULL) {
        hf_call_beyond(c, "%s() is not supported", c->script->name);
        return HF_CALL_BEYOND;
    }
    int64_t got = table[row].make(c);
    c->result->value = got;
    if (c->is_beyond)
        return HF_CALL_BEYOND;
    if (got == HF_POSIX_WAIT)
        return HF_CALL_WAITS;
    compare_result(c, table[row].is_descriptor, got);
    if (c->is_beyond)
        return HF_CALL_BEYOND;
    return c->differs ? HF_CALL_DIFFERS : HF_CALL_MET;
}

enum hf_call_outcome hf_call_try(struct hf_call_env *env, const struct hf_script_call *call,
                                 struct hf_posix_wait *wait, struct hf_call_result *result)
{
    struct hf_call c = {.env = env, .script = call, .wait = wait, .result = result};
    *result = (struct hf_call_result){.fd = -1};
    for (size_t i = 0; i < HF_COUNT_OF(table); i++) {
        if (strcmp(table[i].name, call->name) != 0)
            continue;
        enum hf_call_outcome outcome = make(&c, i);
        for (size_t k = 0; k < c.piece_count; k++)
            free(c.pieces[k]);
        return outcome;
    }
    hf_call_beyond(&c, "no such call: %.60s()", call->name);
    return HF_CALL_BEYOND;
}
