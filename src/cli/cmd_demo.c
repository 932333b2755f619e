/**
 * handfast demo: a real client of the kernel in a namespace of its own, a real server on loopback,
 * Handfast between them, and its connection drawn as it happens. Without TUN the same over the lab's
 * virtual wire.
 */
#include "cli.h"
#include "demo_draw.h"
#include "gateway/gateway.h"
#include "lab/pair.h"

#include <argp.h>
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    KEY_NO_TUN = 1000,
    KEY_ASCII,
    KEY_CLIENT,
    DOWN_BYTES = 4000, /**< the server's file */
    UP_BYTES = 3000,   /**< the client's */
};
#define MSL_NS HF_MS(2500)

struct options {
    bool no_tun;
    bool ascii;
    const char *client_port; /**< set: be the client inside the namespace */
};

/* ---- the two programs ---------------------------------------------------------------------- */

static uint8_t file_byte(size_t i, unsigned key)
{
    return (uint8_t)((i * 131 + i / 251 + key * 77) & 0xFF);
}

static int write_file(int fd, size_t n, unsigned key)
{
    uint8_t bytes[1000];
    for (size_t done = 0; done < n;) {
        size_t piece = n - done < sizeof bytes ? n - done : sizeof bytes;
        for (size_t i = 0; i < piece; i++)
            bytes[i] = file_byte(done + i, key);
        ssize_t put = write(fd, bytes, piece);
        if (put <= 0)
            return -1;
        done += (size_t)put;
    }
    return 0;
}

/** Reads to the end; 0 if it was exactly this file. */
static int read_file(int fd, size_t n, unsigned key)
{
    uint8_t bytes[1000];
    size_t done = 0;
    ssize_t got;
    while ((got = read(fd, bytes, sizeof bytes)) > 0) {
        for (ssize_t i = 0; i < got; i++, done++)
            if (done >= n || bytes[i] != file_byte(done, key))
                return -1;
    }
    return got == 0 && done == n ? 0 : -1;
}

/** The server: its file, a FIN, then the client's file to its end. */
static int be_server(int listening)
{
    int fd = accept(listening, NULL, NULL);
    if (fd < 0 || write_file(fd, DOWN_BYTES, 1) != 0 || shutdown(fd, SHUT_WR) != 0)
        return 1;
    int code = read_file(fd, UP_BYTES, 2) == 0 ? 0 : 1;
    close(fd);
    return code;
}

/** The client, inside the namespace: reads to the end, then sends its own file and closes. */
static int be_client(const char *port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    inet_pton(AF_INET, "10.0.2.2", &to.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        hf_say("the client could not connect: %s", strerror(errno));
        return 1;
    }
    int code = read_file(fd, DOWN_BYTES, 1) == 0 && write_file(fd, UP_BYTES, 2) == 0 ? 0 : 1;
    close(fd);
    return code;
}

static int listen_on_loopback(uint16_t *port)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof here;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof here) != 0 || listen(fd, 1) != 0 ||
        getsockname(fd, (struct sockaddr *)&here, &length) != 0) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    *port = ntohs(here.sin_port);
    return fd;
}

/* ---- drawing ------------------------------------------------------------------------------ */

static struct hf_ladder_style style_of(const struct options *o)
{
    return (struct hf_ladder_style){
        .ascii = o->ascii,
        .colour = isatty(STDOUT_FILENO) != 0 && getenv("NO_COLOR") == NULL && !o->ascii,
        .gap_ns = HF_SEC(60),
    };
}

static void say_time_wait(hf_ns left_ns)
{
    printf("      TIME-WAIT: %.1f s left\n", (double)left_ns / 1e9);
    fflush(stdout);
}

struct countdown {
    struct hf_demo_draw *draw;
    hf_ns next_ns;
};

/** After the client: counts TIME-WAIT down. */
static bool count_down(void *ctx, struct hf_stack *stack, hf_ns now, hf_ns *again_at)
{
    struct countdown *c = ctx;
    struct hf_stack_info info;
    hf_stack_info(stack, &info);
    hf_demo_draw_flush(c->draw);
    if (info.time_wait == 0)
        return true;
    if (now >= c->next_ns && c->draw->time_wait_until_ns > now) {
        say_time_wait(c->draw->time_wait_until_ns - now);
        c->next_ns = now + HF_SEC(1);
    }
    *again_at = c->next_ns;
    return false;
}

static void say_summary(const struct hf_demo_draw *d, bool intact)
{
    printf("\n%" PRIu64 " segments; %d bytes to the client, then %d bytes back: %s.\n", d->segments,
           DOWN_BYTES, UP_BYTES, intact ? "both files arrived intact" : "NOT intact");
    fflush(stdout);
}

/* ---- over TUN ----------------------------------------------------------------------------- */

static int wait_for(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return 1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/** HF_OK and the exit code; or why there can't be a TUN demo here. */
static int run_over_tun(const struct options *o, int *code, struct hf_why *why)
{
    uint16_t port = 0;
    int listening = listen_on_loopback(&port);
    if (listening < 0) {
        snprintf(why->text, sizeof why->text, "a server on loopback: %s", strerror(errno));
        return HF_E_SYSTEM;
    }
    fflush(stdout);
    pid_t server = fork();
    if (server == 0)
        _exit(be_server(listening));
    close(listening);
    if (server < 0) {
        snprintf(why->text, sizeof why->text, "fork: %s", strerror(errno));
        return HF_E_SYSTEM;
    }
    struct hf_gateway_config cfg;
    hf_gateway_config_init(&cfg);
    cfg.space.mtu_bytes = 1500;
    cfg.stack.msl_ns = MSL_NS;
    struct hf_demo_draw draw;
    struct hf_ladder_style style = style_of(o);
    hf_demo_draw_init(&draw, &style, "Linux client", "Handfast", 2 * MSL_NS);
    struct countdown countdown = {.draw = &draw};
    cfg.trace = hf_demo_trace;
    cfg.trace_ctx = &draw;
    cfg.after = count_down;
    cfg.after_ctx = &countdown;
    char port_text[8];
    snprintf(port_text, sizeof port_text, "%u", port);
    char *command[] = {"/proc/self/exe", "demo", "--client", port_text, NULL};
    struct hf_gateway_report report;
    int client_code = 1;
    int err = hf_gateway_run(&cfg, command, &client_code, &report, why);
    if (err != HF_OK)
        kill(server, SIGTERM);
    int server_code = wait_for(server);
    if (err != HF_OK)
        return err;
    hf_demo_draw_end(&draw);
    bool intact = client_code == 0 && server_code == 0;
    say_summary(&draw, intact);
    *code = intact ? HF_EXIT_DONE : HF_EXIT_FAILED;
    return HF_OK;
}

/* ---- over the virtual wire ------------------------------------------------------------------ */

static int run_over_lab(const struct options *o)
{
    struct hf_config config;
    hf_config_init(&config, sizeof config);
    config.msl_ns = MSL_NS;
    struct hf_demo_draw draw;
    struct hf_ladder_style style = style_of(o);
    hf_demo_draw_init(&draw, &style, "client", "Handfast", 2 * MSL_NS);
    struct hf_pair *pair = hf_pair_new();
    struct hf_pair_scenario s = {
        .a = {.open = HF_APP_CONNECT,
              .send_bytes = UP_BYTES,
              .close = HF_APP_CLOSE_LAST,
              .write_at_end = true},
        .b = {.open = HF_APP_LISTEN_HELD, .decide_after_ns = HF_MS(15), .send_bytes = DOWN_BYTES},
        .ab = {.delay_ns = HF_MS(10)},
        .ba = {.delay_ns = HF_MS(10)},
        .a_config = &config,
        .b_config = &config,
        .trace = hf_demo_trace,
        .trace_ctx = {NULL, &draw},
        .seed = 1,
    };
    hf_pair_run(pair, &s);
    bool intact = hf_pair_is_clean(pair);
    hf_demo_draw_end(&draw);
    say_summary(&draw, intact);
    hf_pair_free(pair);
    return intact ? HF_EXIT_DONE : HF_EXIT_FAILED;
}

/* ---- running ------------------------------------------------------------------------------ */

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    switch (key) {
    case KEY_NO_TUN: o->no_tun = true; return 0;
    case KEY_ASCII: o->ascii = true; return 0;
    case KEY_CLIENT: o->client_port = arg; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

int hf_cmd_demo(int argc, char **argv)
{
    static const struct argp_option argp_options[] = {
        {"no-tun", KEY_NO_TUN, NULL, 0, "Over a virtual wire: needs no device, no rights", 0},
        {"ascii", KEY_ASCII, NULL, 0, "Plain characters, no colour", 0},
        {"client", KEY_CLIENT, "PORT", OPTION_HIDDEN, NULL, 0},
        {0},
    };
    static const struct argp argp = {
        argp_options,
        parse,
        NULL,
        "Shows one connection from SYN to the end of TIME-WAIT: a client of the Linux kernel in a "
        "namespace of its own, a server on the host's loopback, and Handfast between them.",
        NULL,
        NULL,
        NULL};
    struct options o = {0};
    argp_err_exit_status = HF_EXIT_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &o) != 0)
        return HF_EXIT_USAGE;
    if (o.client_port != NULL)
        return be_client(o.client_port);
    printf("A connection from SYN to TIME-WAIT. The maximum segment lifetime is %.1f s here, to be "
           "over soon;\nit is 30 s by default, and 2 minutes in the RFC.\n\n",
           (double)MSL_NS / 1e9);
    struct hf_why why = {0};
    int code = HF_EXIT_FAILED;
    if (!o.no_tun) {
        if (run_over_tun(&o, &code, &why) == HF_OK)
            return code;
        printf("No TUN here (%s).\nThe same over a virtual wire:\n\n", why.text);
    }
    return run_over_lab(&o);
}
