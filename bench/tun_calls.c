/**
 * What bench/caller and bench/callee do, done by Handfast on a TUN device, with the kernel at its
 * other end.
 *
 *     tun_calls answer TUN OWN-ADDRESS PORT PORTS
 *     tun_calls call TUN OWN-ADDRESS KERNEL-ADDRESS PORT PORTS AT-ONCE SECONDS
 *
 * `answer` listens until it is ended, and says "ready" first; `call` opens and closes connections,
 * and prints one JSON object when its time is over. The device is set up by others.
 */
#include <handfast/host.h>

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/words.h"

enum { AT_ONCE_MAX = 1024, BACKLOG = 4096, PIECE_BYTES = 4096 };

struct calls {
    bool answers;
    const char *device;
    struct sockaddr_in own, kernel; /* with the first port, of whoever listens */
    uint32_t ports, at_once;
    int64_t span_ns;
    struct hf_link *link;
    struct hf_stack *stack;
    struct hf_loop *loop;
    hf_ns began_ns, ended_ns;
    uint64_t opened, closed, failed;
};

static _Noreturn void fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "tun_calls: %s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

static void must(int err, const char *what)
{
    if (err != HF_OK)
        fail(what, hf_err_text(err));
}

static struct hf_addr address_of(const struct sockaddr_in *a)
{
    uint8_t o[4];
    memcpy(o, &a->sin_addr, sizeof o);
    return hf_addr_v4(o[0], o[1], o[2], o[3]);
}

/* ---- answering ------------------------------------------------------------------------------ */

/* The tag of a connection is that of its listener: the index of its port. */
static void answer_event(struct calls *c, const struct hf_event *e, hf_ns now)
{
    char bytes[PIECE_BYTES];
    int64_t n = HF_E_AGAIN;
    if ((e->bits & HF_EV_ACCEPTED) != 0 && bench_listener_closes_first((uint32_t)e->tag))
        hf_close(c->stack, e->handle, now);
    else if ((e->bits & HF_EV_READABLE) != 0)
        while ((n = hf_receive(c->stack, e->handle, bytes, sizeof bytes, now)) > 0)
            if (hf_send(c->stack, e->handle, bytes, (size_t)n, 0, now) != n)
                fail("echo", "no room");
    if (n == HF_E_END || (e->bits & HF_EV_CLOSED) != 0)
        hf_close(c->stack, e->handle, now);
}

static void listen_to_all(struct calls *c)
{
    for (uint32_t i = 0; i < c->ports; i++) {
        struct hf_listen what = {.addr = address_of(&c->own),
                                 .prefix_bits = 32,
                                 .port = (uint16_t)(ntohs(c->own.sin_port) + i),
                                 .backlog = BACKLOG,
                                 .tag = i};
        hf_handle listener;
        must(hf_listen(c->stack, &what, &listener, hf_host_now()), "listen");
    }
}

/* ---- calling -------------------------------------------------------------------------------- */

static void open_call(struct calls *c, hf_ns now)
{
    uint32_t index = (uint32_t)(c->opened++ % c->ports);
    struct hf_connect what = {
        .remote = {address_of(&c->kernel), (uint16_t)(ntohs(c->kernel.sin_port) + index)},
        .tag = index};
    hf_handle handle;
    must(hf_connect(c->stack, &what, &handle, now), "connect");
}

static void call_event(struct calls *c, const struct hf_event *e, hf_ns now)
{
    uint32_t turn =
        bench_listener_closes_first((uint32_t)e->tag) ? HF_EV_PEER_CLOSED : HF_EV_CONNECTED;
    if ((e->bits & (turn | HF_EV_CLOSED)) != 0)
        hf_close(c->stack, e->handle, now);
    if ((e->bits & HF_EV_CLOSED) == 0)
        return;
    if (e->how == HF_CLOSED_FIN)
        c->closed++;
    else
        c->failed++;
    open_call(c, now);
}

/* ---- both ----------------------------------------------------------------------------------- */

static void take_events(void *ctx, struct hf_loop *loop, hf_ns now)
{
    struct calls *c = ctx;
    struct hf_event e;
    while (hf_stack_event(c->stack, &e)) {
        if (c->answers)
            answer_event(c, &e, now);
        else
            call_event(c, &e, now);
    }
    if (c->answers)
        return;
    if (now - c->began_ns >= c->span_ns)
        hf_loop_stop(loop);
    else
        hf_loop_wake_at(loop, c->began_ns + c->span_ns);
}

static void open_stack(struct calls *c)
{
    struct hf_why why;
    struct hf_tun_config tun = {.name = c->device};
    if (hf_link_tun_open(&c->link, &tun, &why) != HF_OK)
        fail("open the device", why.text);
    struct hf_config cfg;
    struct hf_link_caps caps;
    struct hf_env env;
    struct hf_addr own = address_of(&c->own);
    hf_config_init(&cfg, sizeof cfg);
    hf_link_caps(c->link, &caps);
    cfg.offload_checksum = caps.checksum;
    cfg.offload_super_bytes = caps.super_bytes;
    if (caps.mtu_bytes > 0)
        cfg.mtu_bytes = caps.mtu_bytes;
    cfg.nagle = 0;
    if (hf_env_linux(&env, &why) != HF_OK)
        fail("environment", why.text);
    must(hf_stack_new(&c->stack, &cfg, &env, hf_host_now()), "make the stack");
    must(hf_stack_add_address(c->stack, &own, 32), "add the address");
    struct hf_loop_config loop = {
        .stack = c->stack, .link = c->link, .events = take_events, .events_ctx = c};
    if (hf_loop_new(&c->loop, &loop, &why) != HF_OK ||
        hf_loop_stop_on_signals(c->loop, &why) != HF_OK)
        fail("make the loop", why.text);
}

static void run(struct calls *c)
{
    struct hf_why why;
    if (c->answers) {
        listen_to_all(c);
        (void)puts("ready");
        (void)fflush(stdout);
    } else {
        c->began_ns = hf_host_now();
        for (uint32_t i = 0; i < c->at_once; i++)
            open_call(c, c->began_ns);
    }
    if (hf_loop_run(c->loop, &why) != HF_OK)
        fail("run", why.text);
    c->ended_ns = hf_host_now();
}

static void close_stack(struct calls *c)
{
    hf_loop_free(c->loop);
    hf_stack_free(c->stack);
    hf_link_close(c->link);
}

static bool read_words(struct calls *c, int argc, char **argv)
{
    uint32_t one;
    c->answers = argc == 6 && strcmp(argv[1], "answer") == 0;
    if (!c->answers && (argc != 9 || strcmp(argv[1], "call") != 0))
        return false;
    c->device = argv[2];
    if (c->answers)
        return bench_read_ports(argv[3], argv[4], argv[5], &c->own, &c->ports);
    return bench_read_ports(argv[3], "1", "1", &c->own, &one) &&
           bench_read_ports(argv[4], argv[5], argv[6], &c->kernel, &c->ports) &&
           bench_read_number(argv[7], 1, AT_ONCE_MAX, &c->at_once) &&
           bench_read_seconds(argv[8], &c->span_ns);
}

int main(int argc, char **argv)
{
    struct calls c = {0};
    if (!read_words(&c, argc, argv))
        bench_usage("answer TUN OWN-ADDRESS PORT PORTS\n"
                    "       tun_calls call TUN OWN-ADDRESS KERNEL-ADDRESS PORT PORTS AT-ONCE "
                    "SECONDS");
    open_stack(&c);
    run(&c);
    close_stack(&c);
    if (c.answers)
        return EXIT_SUCCESS;
    printf("{\"connections\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"seconds\":%.6f}\n", c.closed,
           c.failed, (double)(c.ended_ns - c.began_ns) / 1e9);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
