/**
 * The place where Handfast and the kernel meet: namespace, TUN, stack, loop. See interop.h.
 */
#include "support/interop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "show/event_text.h"

enum { V4_BITS = 24, V6_BITS = 64, LINE_BYTES = 512 };

static const char tun_name[] = "hf0";
static bool has_v6;

/* ---- the namespace -------------------------------------------------------------------------- */

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    return close(fd) == 0 && written;
}

/* Without root: root of a user namespace of one's own. */
static bool enter_namespace(void)
{
    char map[64];
    if (geteuid() == 0)
        return unshare(CLONE_NEWNET) == 0;
    (void)snprintf(map, sizeof map, "0 %u 1", geteuid());
    return unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 && write_file("/proc/self/uid_map", map);
}

static struct hf_addr addr_of(bool v6, uint8_t host)
{
    return v6 ? (struct hf_addr){{0xfd, 9, [15] = host}} : hf_addr_v4(10, 9, 0, host);
}

static int open_tun(struct hf_link **out, bool plain, bool v6, struct hf_why *why)
{
    const struct hf_tun_config cfg = {.name = tun_name, .plain = plain};
    struct hf_link *link;
    int err = hf_link_tun_open(&link, &cfg, why);
    if (err != HF_OK)
        return err;
    struct hf_addr kernel = addr_of(v6, 1);
    err = hf_netif_up(tun_name, why);
    if (err == HF_OK)
        err = hf_netif_add_address(tun_name, &kernel, v6 ? V6_BITS : V4_BITS, why);
    if (err == HF_OK)
        *out = link;
    else
        hf_link_close(link);
    return err;
}

static interop_open_fn *open_link = open_tun;

void interop_use(interop_open_fn *other)
{
    open_link = other;
}

const char *interop_missing(void)
{
    static char text[HF_WHY_TEXT_BYTES + 32];
    struct hf_why why = {.text = ""};
    struct hf_link *link;
    if (!enter_namespace())
        return "no network namespace can be made";
    int err = open_link(&link, false, false, &why);
    if (err != HF_OK) {
        (void)snprintf(text, sizeof text, "no link: %s", why.text);
        return text;
    }
    hf_link_close(link);
    has_v6 = open_link(&link, false, true, &why) == HF_OK;
    if (has_v6)
        hf_link_close(link);
    else
        (void)fprintf(stderr, "without IPv6: %s\n", why.text);
    return "";
}

bool interop_has_v6(void)
{
    return has_v6;
}

/* ---- what happens --------------------------------------------------------------------------- */

static void follow(struct interop *w, const struct hf_trace_event *e)
{
    static const char *const words[HF_STATE_COUNT] = {
        "CLOSED",     "LISTEN",     "SYN-SENT", "SYN-RCVD", "ESTABLISHED", "FIN-WAIT-1",
        "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING",  "LAST-ACK", "TIME-WAIT"};
    if (e->type != HF_TRACE_STATE || e->local.port != w->trail_own_port ||
        e->remote.port != w->trail_kernel_port)
        return;
    size_t n = strlen(w->trail);
    (void)snprintf(w->trail + n, sizeof w->trail - n, "%s%s", n > 0 ? " " : "", words[e->to]);
    w->trail_before_ns = w->trail_ns;
    w->trail_ns = e->now_ns;
}

/* HF_TEST_TRACE=1 in the environment shows every event of the stack. */
static void trace(void *ctx, const struct hf_trace_event *e)
{
    struct interop *w = ctx;
    char line[HF_EVENT_TEXT_BYTES];
    follow(w, e);
    if (w->trace)
        w->trace(w->trace_ctx, e);
    if (!getenv("HF_TEST_TRACE"))
        return;
    (void)hf_event_text(e, 0, line, sizeof line);
    (void)fprintf(stderr, "%s\n", line);
}

struct interop_ours *interop_ours_add(struct interop *w, hf_handle handle, uint16_t own_port,
                                      uint16_t kernel_port, const struct interop_plan *plan)
{
    struct interop_ours *o = &w->ours[w->ours_count++];
    *o = (struct interop_ours){
        .w = w, .plan = *plan, .handle = handle, .own_port = own_port, .kernel_port = kernel_port};
    int64_t tag = (int64_t)(uintptr_t)o;
    if (hf_set(w->stack, handle, HF_OPT_TAG, tag, hf_host_now()) != HF_OK)
        o->error = HF_E_HANDLE;
    return o;
}

static void on_event(struct interop *w, const struct hf_event *e, hf_ns now)
{
    struct interop_ours *o = (struct interop_ours *)(uintptr_t)e->tag;
    struct hf_info info;
    if (e->bits & HF_EV_ACCEPTED) {
        if (w->ours_count == INTEROP_ENDS_MAX || hf_info(w->stack, e->handle, &info) != HF_OK)
            return;
        o = interop_ours_add(w, e->handle, info.local.port, info.remote.port, &w->our_plan);
    }
    if (!o)
        return;
    o->bits |= e->bits;
    o->opened = o->opened || (e->bits & (HF_EV_ACCEPTED | HF_EV_CONNECTED)) != 0;
    if (e->bits & HF_EV_CLOSED) {
        o->over = true;
        o->how = e->how;
        o->closed_events++;
    }
    interop_ours_pump(o, now);
}

static void on_events(void *ctx, struct hf_loop *loop, hf_ns now)
{
    struct interop *w = ctx;
    struct hf_event e;
    (void)loop;
    while (hf_stack_event(w->stack, &e))
        on_event(w, &e, now);
}

/* ---- opening and closing the place ---------------------------------------------------------- */

void interop_config(struct hf_config *cfg)
{
    hf_config_init(cfg, sizeof *cfg);
    cfg->msl_ns = HF_MS(100);
    /* A handle that is closed waits longer for a slow machine than TIME-WAIT lasts. */
    cfg->orphan_ns = cfg->fin_wait_2_ns = HF_SEC(20);
}

static void must(int result, const struct hf_why *why)
{
    if (result < 0)
        fail_msg("%s: %s", hf_err_name(result), why->text);
}

static void wrap(struct interop *w, const struct interop_setup *setup)
{
    struct hf_why why = {.text = ""};
    struct hf_spoil_rule rules[HF_SPOIL_RULES_MAX];
    size_t count = 0;
    if (setup->wrap)
        w->link = setup->wrap(w->link, setup->wrap_ctx);
    if (!setup->spoil || setup->spoil[0] == '\0')
        return;
    must(hf_spoil_parse(setup->spoil, rules, HF_SPOIL_RULES_MAX, &count, &why), &why);
    must(hf_link_spoil(&w->link, w->link, rules, count, NULL, NULL, &why), &why);
    w->spoil = w->link;
}

static void make_stack(struct interop *w, struct hf_config *cfg)
{
    struct hf_why why = {.text = ""};
    struct hf_link_caps caps;
    struct hf_env env;
    hf_link_caps(w->link, &caps);
    cfg->offload_checksum = caps.checksum;
    cfg->offload_super_bytes = caps.super_bytes;
    must(hf_env_linux(&env, &why), &why);
    env.trace = trace;
    env.trace_ctx = w;
    must(hf_stack_new(&w->stack, cfg, &env, hf_host_now()), &why);
    must(hf_stack_add_address(w->stack, &w->own, w->v6 ? 128 : 32), &why);
    const struct hf_loop_config loop = {
        .stack = w->stack, .link = w->link, .events = on_events, .events_ctx = w};
    must(hf_loop_new(&w->loop, &loop, &why), &why);
}

struct interop *interop_open(const struct interop_setup *setup)
{
    struct hf_why why = {.text = ""};
    struct hf_config cfg;
    struct interop *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->listen_fd = -1;
    w->v6 = setup->v6;
    w->kernel = addr_of(w->v6, 1);
    w->own = addr_of(w->v6, 2);
    w->nobody = addr_of(w->v6, 9);
    interop_config(&cfg);
    must(open_link(&w->link, setup->plain, w->v6, &why), &why);
    wrap(w, setup);
    make_stack(w, setup->config ? setup->config : &cfg);
    return w;
}

void interop_close(struct interop *w)
{
    for (size_t i = 0; i < w->theirs_count; i++)
        if (w->theirs[i].fd >= 0)
            close(w->theirs[i].fd);
    if (w->listen_fd >= 0)
        close(w->listen_fd);
    hf_loop_free(w->loop);
    hf_stack_free(w->stack);
    hf_link_close(w->link);
    free(w);
}

/* ---- opening connections -------------------------------------------------------------------- */

static socklen_t sockaddr_of(const struct hf_addr *addr, uint16_t port, struct sockaddr_storage *to)
{
    memset(to, 0, sizeof *to);
    if (hf_addr_is_v4(addr)) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
        memcpy(&in.sin_addr, addr->octets + 12, 4);
        memcpy(to, &in, sizeof in);
        return sizeof in;
    }
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    memcpy(&in6.sin6_addr, addr->octets, 16);
    memcpy(to, &in6, sizeof in6);
    return sizeof in6;
}

static int bound_socket(const struct interop *w, uint16_t kernel_port)
{
    struct sockaddr_storage sa;
    socklen_t n = sockaddr_of(&w->kernel, kernel_port, &sa);
    const int on = 1;
    int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&sa, n) < 0) {
        close(fd);
        fail_msg("bind port %u: %s", kernel_port, strerror(errno));
    }
    return fd;
}

void interop_listen(struct interop *w, uint16_t own_port)
{
    const struct hf_listen what = {.addr = w->own,
                                   .prefix_bits = w->v6 ? 128 : 32,
                                   .port = own_port,
                                   .backlog = INTEROP_ENDS_MAX};
    hf_handle listener;
    assert_int_equal(HF_OK, hf_listen(w->stack, &what, &listener, hf_host_now()));
}

static uint16_t port_of(const struct sockaddr_storage *sa)
{
    struct sockaddr_in in; /* the port stands at the same place in both */
    memcpy(&in, sa, sizeof in);
    return ntohs(in.sin_port);
}

static void accept_ready(void *ctx, struct hf_loop *loop, int fd, unsigned bits)
{
    struct interop *w = ctx;
    (void)loop, (void)bits;
    while (w->theirs_count < INTEROP_ENDS_MAX) {
        struct sockaddr_storage own, kernel;
        socklen_t own_bytes = sizeof own, kernel_bytes = sizeof kernel;
        int peer = accept4(fd, (struct sockaddr *)&own, &own_bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (peer < 0)
            return;
        (void)getsockname(peer, (struct sockaddr *)&kernel, &kernel_bytes);
        struct interop_theirs *t =
            interop_theirs_add(w, peer, port_of(&kernel), port_of(&own), &w->their_plan);
        t->opened = true;
        interop_theirs_pump(t);
    }
}

void interop_kernel_listen(struct interop *w, uint16_t kernel_port)
{
    w->listen_fd = bound_socket(w, kernel_port);
    assert_int_equal(0, listen(w->listen_fd, INTEROP_ENDS_MAX));
    assert_int_equal(HF_OK, hf_loop_add_fd(w->loop, w->listen_fd, HF_LOOP_READ, accept_ready, w));
}

static struct interop_ours *connect_to(struct interop *w, const struct hf_addr *remote,
                                       uint16_t own_port, uint16_t kernel_port,
                                       const struct interop_plan *plan)
{
    const struct hf_connect what = {.local = {w->own, own_port}, .remote = {*remote, kernel_port}};
    hf_handle handle;
    assert_true(w->ours_count < INTEROP_ENDS_MAX);
    assert_int_equal(HF_OK, hf_connect(w->stack, &what, &handle, hf_host_now()));
    w->has_work = true;
    return interop_ours_add(w, handle, own_port, kernel_port, plan);
}

struct interop_ours *interop_connect(struct interop *w, uint16_t own_port, uint16_t kernel_port,
                                     const struct interop_plan *plan)
{
    return connect_to(w, &w->kernel, own_port, kernel_port, plan);
}

struct interop_ours *interop_connect_nobody(struct interop *w, uint16_t own_port,
                                            uint16_t kernel_port)
{
    const struct interop_plan nothing = {.ending = ENDING_NONE};
    return connect_to(w, &w->nobody, own_port, kernel_port, &nothing);
}

struct interop_theirs *interop_kernel_connect(struct interop *w, uint16_t kernel_port,
                                              uint16_t own_port, const struct interop_plan *plan)
{
    struct sockaddr_storage sa;
    socklen_t n = sockaddr_of(&w->own, own_port, &sa);
    assert_true(w->theirs_count < INTEROP_ENDS_MAX);
    int fd = bound_socket(w, kernel_port);
    int result = connect(fd, (struct sockaddr *)&sa, n);
    if (result < 0 && errno != EINPROGRESS) {
        close(fd);
        fail_msg("connect from port %u: %s", kernel_port, strerror(errno));
    }
    struct interop_theirs *t = interop_theirs_add(w, fd, kernel_port, own_port, plan);
    t->connecting = true;
    return t;
}

/* ---- time ----------------------------------------------------------------------------------- */

static void turn(struct interop *w)
{
    struct hf_why why = {.text = ""};
    hf_ns wait_ns = w->has_work ? 0 : HF_MS(2);
    w->has_work = false;
    must(hf_loop_turn(w->loop, wait_ns, &why), &why);
    interop_end_both(w);
}

bool interop_run(struct interop *w, bool (*done)(const struct interop *w), hf_ns limit_ns)
{
    hf_ns until = hf_host_now() + limit_ns;
    while (!done(w)) {
        if (hf_host_now() > until)
            return false;
        turn(w);
    }
    return true;
}

void interop_pass(struct interop *w, hf_ns span_ns)
{
    hf_ns until = hf_host_now() + span_ns;
    while (hf_host_now() < until)
        turn(w);
}

/* ---- looking -------------------------------------------------------------------------------- */

/* As the kernel prints it: each 32-bit word of the address as a number of this machine. */
static void proc_text(const struct hf_addr *addr, uint16_t port, char text[64])
{
    size_t n = 0;
    for (size_t i = hf_addr_is_v4(addr) ? 12 : 0; i < 16; i += 4) {
        uint32_t word;
        memcpy(&word, addr->octets + i, sizeof word);
        n += (size_t)snprintf(text + n, 64 - n, "%08X", word);
    }
    (void)snprintf(text + n, 64 - n, ":%04X", port);
}

int interop_kernel_state(const struct interop *w, uint16_t kernel_port, uint16_t own_port)
{
    char kernel[64], own[64], line[LINE_BYTES], local[64], remote[64];
    unsigned state, found = 0;
    proc_text(&w->kernel, kernel_port, kernel);
    proc_text(&w->own, own_port, own);
    FILE *f = fopen(w->v6 ? "/proc/self/net/tcp6" : "/proc/self/net/tcp", "re");
    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "%*[ 0-9]: %63s %63s %x", local, remote, &state) == 3 &&
            strcmp(local, kernel) == 0 && strcmp(remote, own) == 0)
            found = state;
    (void)fclose(f);
    return (int)found;
}

enum hf_state interop_own_state(const struct interop *w, uint16_t own_port, uint16_t kernel_port)
{
    uint64_t cursor = 0;
    struct hf_tuple tuple;
    while (hf_iterate(w->stack, &cursor, &tuple))
        if (tuple.kind != HF_KIND_LISTENER && tuple.local.port == own_port &&
            tuple.remote.port == kernel_port)
            return tuple.state;
    return HF_CLOSED;
}

static void tell_ours(const struct interop *w, const struct interop_ours *o)
{
    struct hf_info info;
    (void)fprintf(stderr,
                  "  ours   %u: sent %llu received %llu events %#x%s%s%s%s%s: %s, error %s\n",
                  o->own_port, (unsigned long long)o->sent, (unsigned long long)o->received,
                  o->bits, o->opened ? " opened" : "", o->shut ? " shut" : "",
                  o->at_end ? " at_end" : "", o->let_go ? " let_go" : "", o->over ? " over" : "",
                  hf_closed_text(o->how), hf_err_name(o->error));
    if (hf_info(w->stack, o->handle, &info) != HF_OK)
        return;
    (void)fprintf(stderr,
                  "         %s una %u nxt %u wnd %u cwnd %u rto %lld ms queue %u; nxt %u wnd %u "
                  "queue %u beyond %u; sent again %u\n",
                  hf_state_name(info.state), info.snd_una, info.snd_nxt, info.snd_wnd_bytes,
                  info.cwnd_bytes, (long long)(info.rto_ns / HF_MS(1)), info.send_queue_bytes,
                  info.rcv_nxt, info.rcv_wnd_bytes, info.receive_queue_bytes,
                  info.out_of_order_bytes, info.segments_retransmitted);
}

static void tell_info(const struct interop_theirs *t)
{
    struct tcp_info i = {.tcpi_state = 0};
    socklen_t n = sizeof i;
    if (t->fd < 0 || getsockopt(t->fd, IPPROTO_TCP, TCP_INFO, &i, &n) < 0)
        return;
    (void)fprintf(
        stderr,
        "         rto %u ms backoff %u unacked %u sacked %u lost %u resent %u of %u cwnd %u "
        "ssthresh %u mss %u rtt %u us, last sent %u ms ago, heard %u ms ago\n",
        i.tcpi_rto / 1000, i.tcpi_backoff, i.tcpi_unacked, i.tcpi_sacked, i.tcpi_lost,
        i.tcpi_retrans, i.tcpi_total_retrans, i.tcpi_snd_cwnd, i.tcpi_snd_ssthresh, i.tcpi_snd_mss,
        i.tcpi_rtt, i.tcpi_last_data_sent, i.tcpi_last_ack_recv);
}

void interop_tell(const struct interop *w)
{
    (void)fprintf(stderr, "  trail  %s%s\n", w->trail, w->wrong_data ? " WRONG DATA" : "");
    for (size_t i = 0; i < w->ours_count; i++)
        if (i == 0 || !w->ours[i].let_go)
            tell_ours(w, &w->ours[i]);
    for (size_t i = 0; i < w->theirs_count; i++) {
        const struct interop_theirs *t = &w->theirs[i];
        if (i > 0 && t->fd < 0 && t->error == 0)
            continue;
        int state = interop_kernel_state(w, t->kernel_port, t->own_port);
        (void)fprintf(stderr, "  theirs %u: sent %llu received %llu%s%s%s%s state %d error %s\n",
                      t->kernel_port, (unsigned long long)t->sent, (unsigned long long)t->received,
                      t->opened ? " opened" : "", t->shut ? " shut" : "",
                      t->at_end ? " at_end" : "", t->fd < 0 ? " closed" : "", state,
                      t->error ? strerror(t->error) : "none");
        tell_info(t);
    }
}
