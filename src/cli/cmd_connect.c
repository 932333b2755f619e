/**
 * handfast connect: standard input -> connection -> standard output, a netcat from the stack
 * itself. At the end of input our direction is closed and the other is read to its end.
 */
#include "cli.h"
#include "show/settings.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum { KEY_DURATION = 1, KEY_STATS };
enum {
    SLICES = 64, /* that are written at a time */
    /* Input is read so far ahead: what waits for long is not in the processor's cache any more when
     * it leaves. */
    AHEAD_BYTES = 512 * 1024,
    /* A block is read into by one call, and there is one connection to need any. */
    BLOCK_BYTES = 64 * 1024,
};

struct options {
    struct hf_tun_options tun;
    const char *host;
    const char *port;
    const char *duration_text; /**< as given */
    hf_ns duration_ns;         /**< HF_NEVER: to the end of both directions */
    bool stats;
};

struct session {
    struct hf_tun_stack t;
    hf_handle conn;
    bool input_open;
    bool input_waits;  /**< is not watched: the next events go on with it */
    bool input_plain;  /**< can't be watched */
    bool input_full;   /**< no room in the stack, which will tell */
    bool output_waits; /**< stdout is full */
    bool at_end, over;
    enum hf_closed how;
    uint64_t sent_bytes, received_bytes;
    int failed_errno;                   /**< reading or writing our own ends */
    hf_ns began_ns, until_ns, ended_ns; /**< until_ns HF_NEVER: as long as it takes */
    bool cut_off;                       /**< the time was over */
    struct hf_info last;                /**< as it was when it was let go of */
};

/* ---- input to connection ------------------------------------------------------------------ */

static void input_ready(void *ctx, struct hf_loop *loop, int fd, unsigned bits);

static void stop_input(struct session *s)
{
    if (s->input_open && !s->input_waits)
        hf_loop_remove_fd(s->t.loop, STDIN_FILENO);
    s->input_open = false;
}

static void pause_input(struct session *s)
{
    s->input_waits = true;
    hf_loop_remove_fd(s->t.loop, STDIN_FILENO);
}

/** Read, and not sent for the first time yet. */
static uint32_t unsent_bytes(const struct session *s)
{
    struct hf_info info;
    if (hf_info(s->t.stack, s->conn, &info) != HF_OK)
        return 0;
    return info.send_queue_bytes - info.in_flight_bytes; /* no SYN or FIN among it */
}

/** A call; false: there is nothing more for now. */
static bool read_input(struct session *s, void *room, size_t room_bytes, uint32_t *unsent,
                       hf_ns now)
{
    ssize_t got = read(STDIN_FILENO, room, room_bytes);
    if (got > 0) {
        s->sent_bytes += (uint64_t)got;
        *unsent += (uint32_t)got;
        if (hf_send_commit(s->t.stack, s->conn, (size_t)got, 0, now) != HF_OK)
            stop_input(s);
        return true;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (got < 0)
        s->failed_errno = errno;
    stop_input(s);
    (void)!hf_shutdown(s->t.stack, s->conn, now);
    return false;
}

static void pump_input(struct session *s, hf_ns now)
{
    uint32_t unsent = unsent_bytes(s);
    bool more = true;
    while (more && s->input_open && !s->over) {
        void *room;
        if (unsent >= AHEAD_BYTES) {
            pause_input(s);
            return;
        }
        int64_t n = hf_send_reserve(s->t.stack, s->conn, &room, now);
        s->input_full = n == HF_E_AGAIN;
        if (s->input_full)
            pause_input(s);
        else if (n < 0)
            stop_input(s);
        more = n > 0 && read_input(s, room, (size_t)n, &unsent, now);
    }
}

/** Watched, if it can be: a regular file or /dev/null is always ready and read from the events. */
static void go_on_with_input(struct session *s, hf_ns now)
{
    struct hf_loop *loop = s->t.loop;
    if (!s->input_plain)
        s->input_plain = hf_loop_add_fd(loop, STDIN_FILENO, HF_LOOP_READ, input_ready, s) != HF_OK;
    s->input_waits = s->input_plain;
    pump_input(s, now);
}

static void input_ready(void *ctx, struct hf_loop *loop, int fd, unsigned bits)
{
    (void)fd, (void)bits;
    pump_input(ctx, hf_loop_now(loop));
}

/* ---- connection to output ----------------------------------------------------------------- */

static void output_ready(void *ctx, struct hf_loop *loop, int fd, unsigned bits);

static void output_failed(struct session *s, hf_ns now)
{
    s->failed_errno = errno;
    hf_abort(s->t.stack, s->conn, now);
}

static ssize_t write_slices(const struct hf_slice *slices, size_t count)
{
    struct iovec iov[SLICES];
    for (size_t i = 0; i < count; i++) /* which does not write to them */
        iov[i] = (struct iovec){(void *)(uintptr_t)slices[i].bytes, slices[i].length_bytes};
    return writev(STDOUT_FILENO, iov, (int)count);
}

static void pump_output(struct session *s, hf_ns now)
{
    struct hf_slice slices[SLICES];
    size_t count;
    while (!s->output_waits && !s->at_end) {
        int64_t n = hf_receive_peek(s->t.stack, s->conn, slices, SLICES, &count);
        if (n == HF_E_END)
            s->at_end = true;
        if (n <= 0)
            return;
        ssize_t put = write_slices(slices, count);
        if (put < 0 && errno == EAGAIN) {
            s->output_waits =
                hf_loop_add_fd(s->t.loop, STDOUT_FILENO, HF_LOOP_WRITE, output_ready, s) == HF_OK;
            return;
        }
        if (put < 0 && errno != EINTR) {
            output_failed(s, now);
            return;
        }
        if (put > 0) {
            s->received_bytes += (uint64_t)put;
            (void)!hf_receive_consume(s->t.stack, s->conn, (size_t)put, now);
        }
    }
}

/** Before it is let go of: then nothing can be asked any more. */
static void look(struct session *s, hf_ns now)
{
    struct hf_info info;
    if (s->t.stack == NULL || hf_info(s->t.stack, s->conn, &info) != HF_OK)
        return;
    s->last = info;
    s->ended_ns = now;
}

static void end_when_done(struct session *s, hf_ns now)
{
    if (s->at_end && !s->input_open && !s->over) {
        look(s, now);
        hf_close(s->t.stack, s->conn, now);
    }
    if (s->over && (s->at_end || s->how != HF_CLOSED_FIN))
        hf_loop_stop(s->t.loop);
}

static void output_ready(void *ctx, struct hf_loop *loop, int fd, unsigned bits)
{
    struct session *s = ctx;
    (void)bits;
    hf_loop_remove_fd(loop, fd);
    s->output_waits = false;
    pump_output(s, hf_loop_now(loop));
    end_when_done(s, hf_loop_now(loop));
}

/* ---- events ------------------------------------------------------------------------------- */

static void cut_off(struct session *s, hf_ns now)
{
    s->cut_off = true;
    look(s, now);
    hf_abort(s->t.stack, s->conn, now);
}

static void on_events(void *ctx, struct hf_loop *loop, hf_ns now)
{
    struct session *s = ctx;
    struct hf_event e;
    if (now >= s->until_ns && !s->over && !s->cut_off)
        cut_off(s, now);
    hf_loop_wake_at(loop, s->cut_off ? HF_NEVER : s->until_ns);
    while (hf_stack_event(s->t.stack, &e)) {
        if ((e.bits & HF_EV_CONNECTED) != 0)
            s->input_open = s->input_waits = true;
        if ((e.bits & HF_EV_WRITABLE) != 0)
            s->input_full = false;
        if ((e.bits & HF_EV_READABLE) != 0)
            pump_output(s, now);
        if ((e.bits & HF_EV_CLOSED) != 0) {
            s->over = true;
            s->how = e.how;
            stop_input(s);
            pump_output(s, now);
        }
    }
    if (s->input_open && s->input_waits && !s->input_full && unsent_bytes(s) < AHEAD_BYTES)
        go_on_with_input(s, now);
    end_when_done(s, now);
}

/* ---- running ------------------------------------------------------------------------------ */

/** Only addresses of the stack's own family are of use. */
static int resolve(const char *host, const char *port, const struct hf_addr *own,
                   struct hf_endpoint *out)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    hints.ai_family = hf_addr_is_v4(own) ? AF_INET : AF_INET6;
    int err = getaddrinfo(host, port, &hints, &list);
    if (err == EAI_ADDRFAMILY) {
        hf_say("%s is %s, --addr is not: no connection can be made to it", host,
               hf_addr_is_v4(own) ? "IPv6" : "IPv4");
        return HF_EXIT_USAGE;
    }
    if (err == EAI_SERVICE) {
        hf_say("there is no service '%s': PORT is a number, or a name as http", port);
        return HF_EXIT_USAGE;
    }
    if (err != 0) {
        hf_say("%s port %s: %s", host, port, gai_strerror(err));
        return HF_EXIT_FAILED;
    }
    if (list->ai_family == AF_INET) {
        const uint8_t *p = (const uint8_t *)list->ai_addr + 4;
        out->addr = hf_addr_v4(p[0], p[1], p[2], p[3]);
    } else {
        memcpy(out->addr.octets, (const uint8_t *)list->ai_addr + 8, 16);
    }
    const uint8_t *p = (const uint8_t *)list->ai_addr + 2;
    out->port = (uint16_t)(p[0] << 8 | p[1]);
    freeaddrinfo(list);
    return HF_EXIT_DONE;
}

/** One JSON object: the connection as it was last, and what the stack counted. */
static void say_stats(const struct session *s)
{
    const struct hf_info *i = &s->last;
    struct hf_stack_info all;
    hf_stack_info(s->t.stack, &all);
    fprintf(stderr,
            "{\"began_ns\":%" PRId64 ",\"ended_ns\":%" PRId64 ",\"bytes_sent\":%" PRIu64
            ",\"bytes_received\":%" PRIu64 ",\"bytes_retransmitted\":%" PRIu64
            ",\"segments_retransmitted\":%" PRIu64 ",\"segments_in\":%" PRIu64
            ",\"segments_out\":%" PRIu64,
            s->began_ns, s->ended_ns, i->bytes_sent, i->bytes_received, all.bytes_retransmitted,
            all.segments_retransmitted, all.segments_in, all.segments_out);
    fprintf(stderr,
            ",\"in_flight_bytes\":%" PRIu32 ",\"cwnd_bytes\":%" PRIu32
            ",\"ssthresh_bytes\":%" PRIu32 ",\"srtt_ns\":%" PRId64 ",\"rto_ns\":%" PRId64
            ",\"mss_bytes\":%u,\"reasons\":{",
            i->in_flight_bytes, i->cwnd_bytes, i->ssthresh_bytes, i->srtt_ns, i->rto_ns,
            i->snd_mss_bytes);
    const char *between = "";
    for (int r = HF_NONE + 1; r < HF_REASON_COUNT; r++) {
        uint64_t count = hf_stack_count(s->t.stack, (enum hf_reason)r);
        if (count == 0)
            continue;
        fprintf(stderr, "%s\"%s\":%" PRIu64, between, hf_reason_name((enum hf_reason)r), count);
        between = ",";
    }
    fputs("}}\n", stderr);
}

static int say_end(const struct session *s, const struct options *o)
{
    if (hf_loop_signal(s->t.loop) != 0)
        return 128 + hf_loop_signal(s->t.loop);
    if (s->failed_errno != 0) {
        hf_say("reading or writing here: %s", strerror(s->failed_errno));
        return HF_EXIT_FAILED;
    }
    if (s->how != HF_CLOSED_FIN && !s->cut_off) {
        hf_say("%s port %s: %s%s", o->host, o->port, hf_closed_text(s->how),
               hf_tun_stack_hint(&s->t));
        return HF_EXIT_FAILED;
    }
    hf_say_rate("sent", s->sent_bytes, hf_host_now() - s->began_ns);
    hf_say_rate("received", s->received_bytes, hf_host_now() - s->began_ns);
    return HF_EXIT_DONE;
}

static int run(struct session *s, const struct options *o)
{
    struct hf_connect what = {0};
    struct hf_why why;
    int code = resolve(o->host, o->port, &o->tun.addr, &what.remote);
    if (code != HF_EXIT_DONE)
        return code;
    const char *kind = hf_tun_options_unfit(&o->tun, &what.remote.addr);
    if (kind != NULL) {
        hf_say("%s is %s: no connection can be made to it", o->host, kind);
        return HF_EXIT_USAGE;
    }
    if (hf_tun_stack_open(&s->t, &o->tun, on_events, s, &why) != HF_OK)
        return hf_say_why(&why);
    s->began_ns = hf_host_now();
    s->until_ns = o->duration_ns < HF_NEVER - s->began_ns ? s->began_ns + o->duration_ns : HF_NEVER;
    int err = hf_connect(s->t.stack, &what, &s->conn, s->began_ns);
    if (err != HF_OK) {
        hf_say("%s port %s: %s", o->host, o->port, hf_err_text(err));
        return HF_EXIT_FAILED;
    }
    hf_loop_wake_at(s->t.loop, s->until_ns);
    if (hf_loop_run(s->t.loop, &why) != HF_OK)
        return hf_say_why(&why);
    if (!s->cut_off)
        look(s, hf_host_now());
    code = say_end(s, o);
    if (o->stats)
        say_stats(s);
    return code;
}

static int make_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0)
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    return flags;
}

static void put_back(int fd, int flags)
{
    if (flags >= 0)
        fcntl(fd, F_SETFL, flags);
}

/** A name of a service, or a number; the latter getaddrinfo would take modulo 65536. */
static const char *take_port(const char *text, struct argp_state *state)
{
    if (text[strspn(text, "0123456789+-.")] == '\0')
        (void)hf_take_number(text, 1, 65535, "PORT", state);
    return text;
}

static void take_duration(struct options *o, const char *text, struct argp_state *state)
{
    hf_take_once(&o->duration_text, text, "--duration", state);
    if (!hf_time_read(text, &o->duration_ns) || o->duration_ns <= 0)
        argp_error(state, "--duration takes a time, say 30s or 2min, not '%s'", text);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &o->tun; return 0;
    case KEY_DURATION: take_duration(o, arg, state); return 0;
    case KEY_STATS: o->stats = true; return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 1)
            return ARGP_ERR_UNKNOWN;
        if (state->arg_num == 0)
            o->host = arg;
        else
            o->port = take_port(arg, state);
        return 0;
    case ARGP_KEY_END:
        if (o->port == NULL)
            argp_error(state, o->host == NULL ? "HOST and PORT are missing" : "PORT is missing");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

int hf_cmd_connect(int argc, char **argv)
{
    static const struct argp_option own[] = {
        {"duration", KEY_DURATION, "TIME", 0,
         "Reset the connection this long after it was begun, if it has not ended by then", 0},
        {"stats", KEY_STATS, NULL, 0,
         "At the end, one JSON object on standard error: bytes, what was sent again, and every "
         "reason that was met",
         0},
        {0},
    };
    static const struct argp_child children[] = {{&hf_tun_argp, 0, "Stack:", 1}, {0}};
    static const struct argp argp = {
        own,
        parse,
        "HOST PORT",
        "Connects to HOST PORT through a TUN device or an Ethernet interface: standard input goes "
        "out, what comes back goes to standard output. At the end of input this direction is "
        "closed and the other is read to its end. Unless it is set otherwise, block_bytes is 64K."
        "\vThe exit status is 0 when both directions have ended or --duration is over, 1 on "
        "failure, also of a recording, 128 and more if a signal ended it, 2 for wrong usage.\n\n"
        "handfast connect --tun hf0 --addr 10.9.0.2/24 10.9.0.1 7 < file > echo\n\n"
        "handfast connect --interface eth0 --addr 192.168.1.77/24 --gateway 192.168.1.1 "
        "example.org 80",
        children,
        NULL,
        NULL};
    struct options o = {.duration_ns = HF_NEVER};
    hf_tun_options_init(&o.tun);
    o.tun.block_bytes = BLOCK_BYTES;
    argp_err_exit_status = HF_EXIT_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &o) != 0)
        return HF_EXIT_USAGE;
    struct session s = {0};
    /* A reader or writer that is slow must not keep the stack from answering; one that is gone is
     * told like any other failure. Both may be the same terminal: flags go back in reverse. */
    signal(SIGPIPE, SIG_IGN);
    int in_flags = make_nonblocking(STDIN_FILENO), out_flags = make_nonblocking(STDOUT_FILENO);
    int code = run(&s, &o);
    put_back(STDOUT_FILENO, out_flags);
    put_back(STDIN_FILENO, in_flags);
    code = hf_tun_stack_recorded(&s.t, &o.tun, code);
    hf_tun_stack_close(&s.t);
    return code;
}
