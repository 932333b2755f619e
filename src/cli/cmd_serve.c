/**
 * handfast serve: files over HTTP/1.1, from the stack itself. File contents are read straight into
 * the stack's blocks, uploads are written straight out of them.
 */
#include "cli.h"
#include "http.h"
#include "show/settings.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    REPLY_BYTES = 2048,
    PART_NAME_BYTES = HTTP_PATH_BYTES + 32,
    PORT_DEFAULT = 80,
    SLICES = 8,
    /* A file is read by the block, so a block is large; and of large ones the budget is larger. */
    BLOCK_BYTES = 32 * 1024,
    POOL_BYTES = 256 * 1024 * 1024,
    KEY_PORT = 'p',
    KEY_WRITABLE = 'w',
    KEY_IDLE = 1,
    KEY_THREADS,
    LINE_BYTES = 64, /* of the processor's cache */
};
#define IDLE_DEFAULT_NS HF_SEC(30)

struct options {
    struct hf_tun_options tun;
    uint16_t port;
    const char *port_text; /**< as given */
    bool writable;
    const char *idle_text; /**< as given */
    hf_ns idle_ns;
    const char *threads_text; /**< as given */
    unsigned threads;
    const char *folder;
};

struct client;

/** One for each thread, which alone uses it while the loops run. */
struct server {
    _Alignas(LINE_BYTES) struct hf_tun_stack t;
    struct client *clients; /**< all that are there, the one that rests longest first */
    struct client **end;    /**< the list's last pointer */
    int folder_fd;
    bool writable;
    hf_ns idle_ns; /**< a client may rest this long */
    uint64_t requests, failed_requests, bytes_out, bytes_in;
};

enum phase {
    PHASE_REQUEST, /**< a head is awaited */
    PHASE_UPLOAD,  /**< a body is written to a file */
    PHASE_ANSWER,  /**< head, then file */
    PHASE_CLOSING, /**< all is said */
};

struct client {
    struct server *server;
    struct client *next, **place; /**< in the server's list: what points here */
    hf_handle conn;
    hf_ns moved_ns; /**< when it last got a step further */
    enum phase phase;
    int fd; /**< of the file, -1: none */
    off_t offset;
    uint64_t left_bytes; /**< of the file to send, or of the body to take */
    char path[HTTP_PATH_BYTES];
    char reply[REPLY_BYTES];
    size_t reply_bytes, reply_sent;
    bool keep_alive;
    bool skip_body; /**< of a refused request */
    bool head_only; /**< the answer has no body */
};

/* ---- answering ---------------------------------------------------------------------------- */

static void close_file(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

static void answer(struct client *c, int status, const char *type, uint64_t length_bytes,
                   const char *more)
{
    c->reply_bytes =
        http_head(c->reply, sizeof c->reply, status, type, length_bytes, c->keep_alive, more);
    c->reply_sent = 0;
    c->phase = PHASE_ANSWER;
    c->server->requests++;
}

static void answer_text(struct client *c, int status)
{
    char body[128];
    int n = snprintf(body, sizeof body, "%d %s\n", status, http_status_text(status));
    close_file(c);
    c->left_bytes = 0;
    answer(c, status, "text/plain; charset=utf-8", (uint64_t)n, "");
    if (!c->head_only) {
        memcpy(c->reply + c->reply_bytes, body, (size_t)n);
        c->reply_bytes += (size_t)n;
    }
    c->server->failed_requests += status >= 400;
}

static int status_of_errno(int err)
{
    switch (err) {
    case ENOENT:
    case ENOTDIR: return 404;
    case EACCES:
    case EPERM:
    case EISDIR:
    case ELOOP: return 403;
    case ENOSPC:
    case EDQUOT: return 507;
    default: return 500;
    }
}

/** A folder is answered with its index. */
static int open_file(const struct client *c, const char *path, const char **type)
{
    *type = http_type_of(path);
    int fd = openat(c->server->folder_fd, path[0] == '\0' ? "." : path,
                    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISDIR(st.st_mode))
        return fd;
    *type = http_type_of("index.html");
    int index = openat(fd, "index.html", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    close(fd);
    return index;
}

static void answer_file(struct client *c, const struct http_request *r)
{
    struct stat st;
    const char *type;
    c->fd = open_file(c, r->path, &type);
    if (c->fd < 0 || fstat(c->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        answer_text(c, c->fd < 0 ? status_of_errno(errno) : 403);
        return;
    }
    uint64_t size = (uint64_t)st.st_size, first = 0, length = size;
    char more[96] = "";
    if (r->has_range && r->range_first >= size) {
        answer_text(c, 416);
        return;
    }
    if (r->has_range) {
        first = r->range_first;
        uint64_t last = r->range_last < size ? r->range_last : size - 1;
        length = last - first + 1;
        snprintf(more, sizeof more, "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n",
                 first, last, size);
    }
    c->offset = (off_t)first;
    c->left_bytes = r->method == HTTP_HEAD ? 0 : length;
    answer(c, r->has_range ? 206 : 200, type, length, more);
}

/* ---- uploads ------------------------------------------------------------------------------ */

static void refuse(struct client *c, int status)
{
    /* A body may follow all the same: the connection ends with the answer. */
    c->keep_alive = false;
    c->skip_body = true;
    answer_text(c, status);
}

/** Two uploads of one file don't write into each other's. */
static void part_name(const struct client *c, char name[PART_NAME_BYTES])
{
    snprintf(name, PART_NAME_BYTES, "%s.%" PRIx64 ".part", c->path, c->conn);
}

static void start_upload(struct client *c, const struct http_request *r, hf_ns now)
{
    char name[PART_NAME_BYTES];
    if (!c->server->writable || r->path[0] == '\0') {
        refuse(c, 405);
        return;
    }
    if (!r->has_length || r->chunked) {
        refuse(c, 411);
        return;
    }
    memcpy(c->path, r->path, sizeof c->path);
    part_name(c, name);
    c->fd = openat(c->server->folder_fd, name,
                   O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (c->fd < 0) {
        refuse(c, status_of_errno(errno));
        return;
    }
    c->left_bytes = r->length_bytes;
    c->phase = PHASE_UPLOAD;
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (r->expects_continue)
        (void)!hf_send(c->server->t.stack, c->conn, go_on, sizeof go_on - 1, 0, now);
}

static void finish_upload(struct client *c)
{
    char name[PART_NAME_BYTES];
    part_name(c, name);
    int folder = c->server->folder_fd, status = 201;
    if (close(c->fd) != 0 || renameat(folder, name, folder, c->path) != 0) {
        status = status_of_errno(errno);
        unlinkat(folder, name, 0);
    }
    c->fd = -1;
    answer_text(c, status);
}

/** An upload that came to nothing leaves nothing behind. */
static void drop_upload(struct client *c)
{
    char name[PART_NAME_BYTES];
    if (c->phase != PHASE_UPLOAD)
        return;
    part_name(c, name);
    unlinkat(c->server->folder_fd, name, 0);
}

/** True while something moved. */
static bool take_body(struct client *c, hf_ns now)
{
    struct hf_slice slices[SLICES];
    size_t count;
    if (c->left_bytes == 0) {
        finish_upload(c);
        return true;
    }
    int64_t n = hf_receive_peek(c->server->t.stack, c->conn, slices, SLICES, &count);
    if (n == HF_E_END) { /* less than was promised */
        drop_upload(c);
        refuse(c, 400);
        return true;
    }
    if (n <= 0)
        return false;
    uint64_t taken = 0;
    for (size_t i = 0; i < count && c->left_bytes > 0; i++) {
        size_t piece =
            slices[i].length_bytes < c->left_bytes ? slices[i].length_bytes : (size_t)c->left_bytes;
        if (write(c->fd, slices[i].bytes, piece) != (ssize_t)piece) {
            int status = status_of_errno(errno);
            drop_upload(c);
            refuse(c, status);
            return true;
        }
        c->left_bytes -= piece;
        taken += piece;
    }
    c->server->bytes_in += taken;
    return hf_receive_consume(c->server->t.stack, c->conn, taken, now) == HF_OK;
}

/* ---- the conversation --------------------------------------------------------------------- */

static bool peer_has_closed(const struct client *c)
{
    struct hf_info info;
    return hf_info(c->server->t.stack, c->conn, &info) == HF_OK && info.peer_closed;
}

static bool take_request(struct client *c, hf_ns now)
{
    char head[HTTP_HEAD_MAX_BYTES];
    struct hf_slice slices[SLICES];
    size_t count, n = 0, head_bytes = 0;
    struct hf_stack *stack = c->server->t.stack;
    int64_t have = hf_receive_peek(stack, c->conn, slices, SLICES, &count);
    if (have == HF_E_END) {
        c->phase = PHASE_CLOSING;
        return true;
    }
    if (have <= 0)
        return false;
    for (size_t i = 0; i < count && n < sizeof head; i++) {
        size_t piece = slices[i].length_bytes;
        piece = piece < sizeof head - n ? piece : sizeof head - n;
        memcpy(head + n, slices[i].bytes, piece);
        n += piece;
    }
    struct http_request r;
    enum http_parse parsed = http_parse(head, n, &r, &head_bytes);
    if (parsed == HTTP_INCOMPLETE && peer_has_closed(c))
        parsed = HTTP_BAD; /* the rest never comes */
    if (parsed == HTTP_INCOMPLETE)
        return false;
    c->head_only = parsed == HTTP_COMPLETE && r.method == HTTP_HEAD;
    c->keep_alive = parsed == HTTP_COMPLETE && r.keep_alive;
    if (parsed == HTTP_BAD) {
        refuse(c, 400);
        return true;
    }
    if (hf_receive_consume(stack, c->conn, head_bytes, now) != HF_OK)
        return false;
    if (r.method == HTTP_PUT)
        start_upload(c, &r, now);
    else if (r.method == HTTP_OTHER)
        refuse(c, 405);
    else
        answer_file(c, &r);
    return true;
}

static bool send_reply(struct client *c, hf_ns now)
{
    unsigned flags = c->left_bytes > 0 ? HF_SEND_MORE : 0;
    int64_t n = hf_send(c->server->t.stack, c->conn, c->reply + c->reply_sent,
                        c->reply_bytes - c->reply_sent, flags, now);
    if (n <= 0)
        return false;
    c->reply_sent += (size_t)n;
    return true;
}

static bool send_file(struct client *c, hf_ns now)
{
    void *room;
    int64_t n = hf_send_reserve(c->server->t.stack, c->conn, &room, now);
    if (n <= 0)
        return false;
    size_t wanted = (uint64_t)n < c->left_bytes ? (size_t)n : (size_t)c->left_bytes;
    ssize_t got = pread(c->fd, room, wanted, c->offset);
    if (got <= 0) { /* the file shrank: the promised length can't be kept, and the peer must know */
        hf_abort(c->server->t.stack, c->conn, now);
        return false;
    }
    c->offset += got;
    c->left_bytes -= (uint64_t)got;
    c->server->bytes_out += (uint64_t)got;
    unsigned flags = c->left_bytes > 0 ? HF_SEND_MORE : 0;
    return hf_send_commit(c->server->t.stack, c->conn, (size_t)got, flags, now) == HF_OK;
}

static bool end_answer(struct client *c)
{
    close_file(c);
    c->phase = c->keep_alive ? PHASE_REQUEST : PHASE_CLOSING;
    return true;
}

static bool discard_rest(struct client *c, hf_ns now)
{
    struct hf_slice slices[SLICES];
    size_t count;
    int64_t n = hf_receive_peek(c->server->t.stack, c->conn, slices, SLICES, &count);
    return n > 0 && hf_receive_consume(c->server->t.stack, c->conn, (size_t)n, now) == HF_OK;
}

/** One step; false when it has to wait. */
static bool step(struct client *c, hf_ns now)
{
    switch (c->phase) {
    case PHASE_REQUEST: return take_request(c, now);
    case PHASE_UPLOAD: return take_body(c, now);
    case PHASE_ANSWER:
        if (c->reply_sent < c->reply_bytes)
            return send_reply(c, now);
        return c->left_bytes > 0 ? send_file(c, now) : end_answer(c);
    case PHASE_CLOSING: break;
    }
    (void)!hf_shutdown(c->server->t.stack, c->conn, now);
    /* What still comes is read: unread data would reset the connection, and the answer with it. */
    return discard_rest(c, now);
}

/* ---- the list of clients ------------------------------------------------------------------ */

static void unlink_client(struct client *c)
{
    *c->place = c->next;
    if (c->next != NULL)
        c->next->place = c->place;
    else
        c->server->end = c->place;
}

/** To the end of the list, which is so in the order of moved_ns. */
static void link_client(struct client *c, hf_ns now)
{
    struct server *s = c->server;
    c->moved_ns = now;
    c->next = NULL;
    c->place = s->end;
    *s->end = c;
    s->end = &c->next;
}

static void touch(struct client *c, hf_ns now)
{
    unlink_client(c);
    link_client(c, now);
}

static struct client *client_new(struct server *s, hf_handle conn, hf_ns now)
{
    struct client *c = calloc(1, sizeof *c);
    if (c == NULL || hf_set(s->t.stack, conn, HF_OPT_TAG, (int64_t)(uintptr_t)c, now) != HF_OK) {
        free(c);
        hf_abort(s->t.stack, conn, now);
        return NULL;
    }
    c->server = s;
    c->conn = conn;
    c->fd = -1;
    link_client(c, now);
    return c;
}

static void client_free(struct client *c)
{
    unlink_client(c);
    drop_upload(c);
    close_file(c);
    free(c);
}

/** What is left is the stack's. */
static void let_go(struct client *c, hf_ns now)
{
    (void)!hf_set(c->server->t.stack, c->conn, HF_OPT_TAG, 0, now);
    hf_close(c->server->t.stack, c->conn, now);
    client_free(c);
}

/* ---- events ------------------------------------------------------------------------------- */

/** Bytes of a request that is not complete do not count as a step: neither do those of a body that
 *  nobody wants. So a client that trickles comes to its end as well. */
static void go_on(struct client *c, hf_ns now)
{
    bool moved = false;
    while (step(c, now))
        moved |= c->phase != PHASE_CLOSING;
    if (moved)
        touch(c, now);
}

/** The peer has closed too, or has our last byte and nothing of a refused body to send. */
static bool all_is_said(const struct client *c)
{
    struct hf_info info;
    if (hf_info(c->server->t.stack, c->conn, &info) != HF_OK || info.receive_queue_bytes > 0)
        return false;
    return info.peer_closed || (info.state == HF_FIN_WAIT_2 && !c->skip_body);
}

static void on_event(struct server *s, const struct hf_event *e, hf_ns now)
{
    struct client *c = (struct client *)(uintptr_t)e->tag;
    if ((e->bits & HF_EV_ACCEPTED) != 0)
        c = client_new(s, e->handle, now);
    if (c == NULL)
        return;
    if ((e->bits & HF_EV_CLOSED) != 0) {
        hf_close(s->t.stack, e->handle, now);
        client_free(c);
        return;
    }
    go_on(c, now);
    if (c->phase == PHASE_CLOSING && all_is_said(c))
        let_go(c, now);
}

/* ---- clients that rest -------------------------------------------------------------------- */

static bool has_sent_something(const struct client *c)
{
    struct hf_info info;
    return hf_info(c->server->t.stack, c->conn, &info) == HF_OK && info.receive_queue_bytes > 0;
}

/** One that asked for nothing is let go without a word; half a request or half a body is answered
 *  with 408 [RFC9110#15.5.9]; one that does not take its answer is cut off. */
static void end_rest(struct client *c, hf_ns now)
{
    switch (c->phase) {
    case PHASE_REQUEST:
        if (!has_sent_something(c)) {
            let_go(c, now);
            return;
        }
        break;
    case PHASE_UPLOAD: drop_upload(c); break;
    case PHASE_ANSWER:
        touch(c, now);
        hf_abort(c->server->t.stack, c->conn, now);
        return;
    case PHASE_CLOSING: let_go(c, now); return;
    }
    c->head_only = false;
    refuse(c, 408);
    touch(c, now);
    go_on(c, now);
}

static void end_rests(struct server *s, struct hf_loop *loop, hf_ns now)
{
    if (s->idle_ns == 0)
        return;
    while (s->clients != NULL && s->clients->moved_ns + s->idle_ns <= now)
        end_rest(s->clients, now);
    hf_loop_wake_at(loop, s->clients == NULL ? HF_NEVER : s->clients->moved_ns + s->idle_ns);
}

static void on_events(void *ctx, struct hf_loop *loop, hf_ns now)
{
    struct server *s = ctx;
    struct hf_event e;
    while (hf_stack_event(s->t.stack, &e))
        on_event(s, &e, now);
    end_rests(s, loop, now);
}

/* ---- running ------------------------------------------------------------------------------ */

static int open_folder(const struct options *o)
{
    struct rlimit limit;
    int fd = open(o->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        hf_say("%s: %s (DIR must be a folder that can be read)", o->folder, strerror(errno));
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    return fd;
}

static int listen_on_all(struct server *servers, const struct options *o)
{
    struct hf_listen what = {.addr = o->tun.addr,
                             .prefix_bits = hf_addr_is_v4(&o->tun.addr) ? 32 : 128,
                             .port = o->port,
                             .backlog = 4096};
    hf_handle listener;
    int err = HF_OK;
    for (unsigned i = 0; err == HF_OK && i < o->threads; i++)
        err = hf_listen(servers[i].t.stack, &what, &listener, hf_host_now());
    return err;
}

static void say_sums(const struct server *servers, unsigned count)
{
    struct server sum = {0};
    for (unsigned i = 0; i < count; i++) {
        sum.requests += servers[i].requests;
        sum.failed_requests += servers[i].failed_requests;
        sum.bytes_out += servers[i].bytes_out;
        sum.bytes_in += servers[i].bytes_in;
    }
    hf_say("%" PRIu64 " requests, %" PRIu64 " failed; %" PRIu64 " bytes out, %" PRIu64 " in",
           sum.requests, sum.failed_requests, sum.bytes_out, sum.bytes_in);
}

/** How many requests each answered: the hash shares conversations out evenly, if there are many. */
static void say_shares(const struct server *servers, unsigned count)
{
    for (unsigned i = 0; count > 1 && i < count; i++) {
        struct hf_shard_stats stats;
        hf_link_shard_stats(servers[i].t.shard, &stats);
        hf_say("thread %u: %" PRIu64 " requests; %" PRIu64 " packets handed to others, %" PRIu64
               " of them lost",
               i + 1, servers[i].requests, stats.handed + stats.lost, stats.lost);
    }
}

static int serve(struct server *servers, struct hf_tun_stack *const *stacks,
                 const struct options *o)
{
    char text[HF_ENDPOINT_TEXT_BYTES];
    struct hf_endpoint here = {o->tun.addr, o->port};
    struct hf_why why;
    int err = listen_on_all(servers, o);
    if (err != HF_OK) {
        hf_say("port %u: %s", o->port, hf_err_text(err));
        return HF_EXIT_FAILED;
    }
    hf_endpoint_text(&here, text);
    hf_say("serving %s at http://%s/ (Ctrl-C ends)", o->folder, text);
    if (hf_tun_stacks_run(stacks, o->threads, &why) != HF_OK)
        return hf_say_why(&why);
    say_shares(servers, o->threads);
    say_sums(servers, o->threads);
    return HF_EXIT_DONE;
}

static int run(const struct options *o)
{
    struct server servers[HF_THREADS_MAX];
    struct hf_tun_stack *stacks[HF_THREADS_MAX];
    void *contexts[HF_THREADS_MAX];
    struct hf_why why;
    int folder_fd = open_folder(o), code;
    if (folder_fd < 0)
        return HF_EXIT_FAILED;
    for (unsigned i = 0; i < o->threads; i++) {
        struct server *s = &servers[i];
        *s =
            (struct server){.folder_fd = folder_fd, .writable = o->writable, .idle_ns = o->idle_ns};
        s->end = &s->clients;
        stacks[i] = &s->t;
        contexts[i] = s;
    }
    if (hf_tun_stacks_open(stacks, o->threads, &o->tun, on_events, contexts, &why) == HF_OK)
        code = serve(servers, stacks, o);
    else
        code = hf_say_why(&why);
    for (unsigned i = 0; i < o->threads; i++)
        while (servers[i].clients != NULL) /* uploads that are cut short leave nothing either */
            client_free(servers[i].clients);
    code = hf_tun_stack_recorded(stacks[0], &o->tun, code); /* of more none is recorded */
    hf_tun_stacks_close(stacks, o->threads);
    close(folder_fd);
    return code;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &o->tun; return 0;
    case KEY_PORT:
        hf_take_once(&o->port_text, arg, "--port", state);
        o->port = (uint16_t)hf_take_number(arg, 1, 65535, "--port", state);
        return 0;
    case KEY_WRITABLE: o->writable = true; return 0;
    case KEY_IDLE:
        hf_take_once(&o->idle_text, arg, "--idle", state);
        if (!hf_time_read(arg, &o->idle_ns) || o->idle_ns < 0)
            argp_error(state, "--idle takes a time, say 30s or 2min, or 0 for ever, not '%s'", arg);
        return 0;
    case KEY_THREADS:
        hf_take_once(&o->threads_text, arg, "--threads", state);
        o->threads = hf_take_number(arg, 1, HF_THREADS_MAX, "--threads", state);
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            return ARGP_ERR_UNKNOWN;
        o->folder = arg;
        return 0;
    case ARGP_KEY_END:
        if (o->folder == NULL)
            argp_error(state, "DIR is missing");
        if (o->threads > 1 && o->tun.record != NULL)
            argp_error(state, "--record and --threads exclude each other: several threads can't "
                              "write one file in the order of time");
        if (o->threads > 1 && o->tun.xdp)
            argp_error(state, "--xdp and --threads exclude each other: XDP takes one queue, and "
                              "so has one stack");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

int hf_cmd_serve(int argc, char **argv)
{
    static const struct argp_option own[] = {
        {"port", KEY_PORT, "N", 0, "Port to listen on (default 80)", 0},
        {"idle", KEY_IDLE, "TIME", 0,
         "Let clients go that don't get further for this long: nothing or half a request sent, "
         "nothing read (default 30s; 0: never)",
         0},
        {"threads", KEY_THREADS, "N", 0,
         "N threads, each with a stack and a queue of the device for its share of the connections, "
         "1 to 16 (default 1); settings are those of each stack; not with --record or --xdp",
         0},
        {"writable", KEY_WRITABLE, NULL, 0, "Take files by PUT", 0},
        {0},
    };
    static const struct argp_child children[] = {{&hf_tun_argp, 0, "Stack:", 1}, {0}};
    static const struct argp argp = {
        own,
        parse,
        "DIR",
        "Serves the files of DIR over HTTP/1.1 from Handfast's own TCP, on a TUN device or an "
        "Ethernet interface. Unless set otherwise, block_bytes is 32K and pool_bytes 256M."
        "\vThe exit status is 0 when a signal ended it, 1 on failure, also of a recording, 2 for "
        "wrong usage.\n\n"
        "handfast serve --tun hf0 --addr 10.9.0.2/24 . &  curl http://10.9.0.2/README.md\n\n"
        "handfast serve --interface eth0 --addr 192.168.1.77/24 --gateway 192.168.1.1 .",
        children,
        NULL,
        NULL};
    struct options o = {.port = PORT_DEFAULT, .idle_ns = IDLE_DEFAULT_NS, .threads = 1};
    hf_tun_options_init(&o.tun);
    o.tun.block_bytes = BLOCK_BYTES;
    o.tun.pool_bytes = POOL_BYTES;
    argp_err_exit_status = HF_EXIT_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &o) != 0)
        return HF_EXIT_USAGE;
    return run(&o);
}
