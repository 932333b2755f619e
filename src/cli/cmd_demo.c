/**
 * handfast demo: a real client of the kernel in a namespace of its own, a real server on loopback,
 * Handfast between them, and its connection drawn as it happens. Without TUN the same over the
 * lab's virtual wire.
 */
#include "cli.h"
#include "demo_draw.h"
#include "gateway/gateway.h"
#include "lab/pair.h"

#include <argp.h>
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    KEY_NO_TUN = 1000,
    KEY_ASCII,
    KEY_CLIENT,
    DOWN_BYTES = 4000, /**< the server's file */
    UP_BYTES = 3000,   /**< the client's */
    FILE_BYTES_MAX = 4096,
    THINK_MS = 150, /**< between two acts of the programs: each gets a segment of its own */
    WIDTH_MIN = 80,
    WIDTH_MAX = 110,
};
#define MSL_NS HF_MS(2500)
#define LAB_THINK_NS HF_MS(60)

struct options {
    bool no_tun;
    bool ascii;
    uint16_t client_port; /**< not 0: be the client inside the namespace */
};

/* ---- the two programs ---------------------------------------------------------------------- */

static uint8_t file_byte(size_t i, unsigned key)
{
    return (uint8_t)((i * 131 + i / 251 + key * 77) & 0xFF);
}

static void think(void)
{
    (void)usleep(THINK_MS * 1000);
}

/** In one call, so that the segments are as large as they may be. */
static int write_file(int fd, size_t n, unsigned key)
{
    uint8_t bytes[FILE_BYTES_MAX];
    for (size_t i = 0; i < n; i++)
        bytes[i] = file_byte(i, key);
    return write(fd, bytes, n) == (ssize_t)n ? 0 : -1;
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
    if (fd < 0)
        return 1;
    think();
    if (write_file(fd, DOWN_BYTES, 1) != 0)
        return 1;
    think();
    if (shutdown(fd, SHUT_WR) != 0)
        return 1;
    int code = read_file(fd, UP_BYTES, 2) == 0 ? 0 : 1;
    close(fd);
    return code;
}

/** The client, inside the namespace: reads to the end, then sends its own file and closes. */
static int be_client(uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, "10.0.2.2", &to.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        hf_say("the client could not connect: %s", strerror(errno));
        return 1;
    }
    int code = read_file(fd, DOWN_BYTES, 1) == 0 ? 0 : 1;
    think();
    if (write_file(fd, UP_BYTES, 2) != 0)
        code = 1;
    think();
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

/** Of the terminal; WIDTH_MIN where there is none. */
static unsigned width(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < WIDTH_MIN)
        return WIDTH_MIN;
    return size.ws_col < WIDTH_MAX ? size.ws_col : WIDTH_MAX;
}

/** Colour for a terminal that can, unless https://no-color.org/ asks for none. */
static bool may_colour(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    bool unwanted = no != NULL && no[0] != '\0';
    bool dumb = term == NULL || strcmp(term, "dumb") == 0;
    return isatty(STDOUT_FILENO) == 1 && !unwanted && !dumb;
}

static struct hf_ladder_style style_of(const struct options *o)
{
    return (struct hf_ladder_style){
        .width_columns = width(),
        .ascii = o->ascii || strcmp(nl_langinfo(CODESET), "UTF-8") != 0,
        .colour = may_colour(),
        .windows = true,
        .gap_ns = HF_SEC(60),
    };
}

/** After the client: counts TIME-WAIT down. */
static bool count_down(void *ctx, struct hf_stack *stack, hf_ns now, hf_ns *again_at)
{
    struct hf_stack_info info;
    hf_stack_info(stack, &info);
    if (info.time_wait == 0)
        return true;
    *again_at = hf_demo_draw_count_down(ctx, now);
    return false;
}

static void say_summary(const struct hf_demo_draw *d, bool intact)
{
    printf("\n%" PRIu64 " segments. %d bytes to the client, then %d back: %s.\n", d->segments,
           DOWN_BYTES, UP_BYTES, intact ? "both files intact" : "NOT intact");
    fflush(stdout);
}

#define INTRO_HEAD "One TCP connection, from its SYN to the end of TIME-WAIT.\n\n"
#define INTRO_TAIL                                                                                 \
    "The server sends 4000 bytes and closes its direction; then the client sends 3000\n"           \
    "and closes the other. Numbers are relative: the SYN is 0, the first byte is 1.\n\n"           \
    "The maximum segment lifetime (MSL) is shortened to 2.5 s for this demo. It is\n"              \
    "30 s by default, and 2 minutes in RFC 9293.\n\n"

_Static_assert(DOWN_BYTES == 4000 && UP_BYTES == 3000 && MSL_NS == HF_MS(2500),
               "the introduction says so");

static const char intro_tun[] =
    INTRO_HEAD "On the left a client, on the TCP of this Linux kernel, in a network namespace\n"
               "of its own. On the right Handfast, which carries the connection to a server on\n"
               "this host's loopback.\n\n" INTRO_TAIL;

static const char intro_lab[] =
    INTRO_HEAD "On the left a client, on the right Handfast, which carries the connection to a\n"
               "server. Both are Handfast's TCP here, over a wire with a delay of 10 ms, in\n"
               "virtual time: what takes seconds below passes at once.\n\n" INTRO_TAIL;

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
    if (server == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(be_server(listening));
    }
    close(listening);
    if (server < 0) {
        snprintf(why->text, sizeof why->text, "fork: %s", strerror(errno));
        return HF_E_SYSTEM;
    }
    struct hf_gateway_config cfg;
    hf_gateway_config_init(&cfg);
    cfg.space.mtu_bytes = 1500;
    cfg.plain = true; /* a row is a segment */
    cfg.stack.msl_ns = MSL_NS;
    struct hf_demo_draw draw;
    struct hf_ladder_style style = style_of(o);
    hf_demo_draw_init(&draw, &style, intro_tun, "Linux client", "Handfast", 2 * MSL_NS);
    cfg.trace = hf_demo_trace;
    cfg.trace_ctx = &draw;
    cfg.after = count_down;
    cfg.after_ctx = &draw;
    char port_text[8];
    snprintf(port_text, sizeof port_text, "%u", port);
    char *command[] = {"/proc/self/exe", "demo", "--client", port_text, NULL};
    struct hf_gateway_report report;
    int client_code = 1;
    int err = hf_gateway_run(&cfg, command, &client_code, &report, why);
    if (err != HF_OK || client_code != 0)
        kill(server, SIGTERM); /* it may wait for a client that will not come */
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
    hf_demo_draw_init(&draw, &style, intro_lab, "client", "Handfast", 2 * MSL_NS);
    struct hf_pair *pair = hf_pair_new();
    struct hf_pair_scenario s = {
        .a = {.open = HF_APP_CONNECT,
              .send_bytes = UP_BYTES,
              .close = HF_APP_CLOSE_LAST,
              .write_at_end = true,
              .read_every_ns = LAB_THINK_NS,
              .close_wait_ns = LAB_THINK_NS},
        .b = {.open = HF_APP_LISTEN_HELD,
              .decide_after_ns = HF_MS(15),
              .send_bytes = DOWN_BYTES,
              .close_wait_ns = LAB_THINK_NS},
        .ab = {.path.delay_ns = HF_MS(10)},
        .ba = {.path.delay_ns = HF_MS(10)},
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
    case KEY_CLIENT:
        o->client_port = (uint16_t)hf_take_number(arg, 1, 65535, "--client", state);
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

int hf_cmd_demo(int argc, char **argv)
{
    static const struct argp_option argp_options[] = {
        {"no-tun", KEY_NO_TUN, NULL, 0, "Over a virtual wire: needs no device, no rights", 0},
        {"ascii", KEY_ASCII, NULL, 0, "Plain characters only; so by itself where UTF-8 is not", 0},
        {"client", KEY_CLIENT, "PORT", OPTION_HIDDEN, NULL, 0},
        {0},
    };
    static const struct argp argp = {
        argp_options,
        parse,
        NULL,
        "Shows one connection from SYN to the end of TIME-WAIT: a client of the Linux kernel in a "
        "namespace of its own, a server on the host's loopback, and Handfast between them. Where "
        "there is no TUN, over a virtual wire.",
        NULL,
        NULL,
        NULL};
    struct options o = {0};
    argp_err_exit_status = HF_EXIT_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &o) != 0)
        return HF_EXIT_USAGE;
    if (o.client_port != 0)
        return be_client(o.client_port);
    (void)setlocale(LC_CTYPE, ""); /* for its character set */
    if (!o.no_tun) {
        struct hf_why why = {0};
        int code = HF_EXIT_FAILED;
        if (run_over_tun(&o, &code, &why) == HF_OK)
            return code;
        printf("No TUN here, so over a virtual wire: %s\n\n", why.text);
    }
    return run_over_lab(&o);
}
