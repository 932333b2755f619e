#include "gateway.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { SIGNALS_READ = 8, BLOCK_BYTES = 32768, BUFFER_BYTES = 1 << 20, BACKLOG = 4096 };
#define HOLD_NS HF_SEC(1800)

/** Everything that one run holds, in the order in which it is taken. */
struct gateway {
    const struct hf_gateway_config *cfg;
    struct hf_namespace space;
    struct hf_link *link;
    struct hf_link *record; /**< in link; NULL: nothing is recorded */
    struct hf_stack *stack;
    struct hf_loop *loop;
    struct hf_relays relays;
    int space_fd; /**< keeps the namespace while the command's connections finish */
    int signal_fd;
    sigset_t old_mask;
    bool mask_changed;
    bool spawned, command_over;
    int exit_code;
    hf_ns over_at;
    hf_ns wake_at;
    uint32_t cut_off;
};

void hf_gateway_config_init(struct hf_gateway_config *cfg)
{
    *cfg = (struct hf_gateway_config){.drain_ns = HF_SEC(5), .stalled_ns = HF_SEC(60)};
    hf_namespace_config_init(&cfg->space);
    hf_upstream_config_init(&cfg->upstream);
    hf_config_init(&cfg->stack, sizeof cfg->stack);
    /* Few connections carry much: large blocks make large reads and writes outside. */
    cfg->stack.block_bytes = BLOCK_BYTES;
    cfg->stack.pool_bytes = (int64_t)256 << 20;
    cfg->stack.send_buffer_bytes = BUFFER_BYTES;
    cfg->stack.receive_buffer_bytes = BUFFER_BYTES;
    /* Whoever writes outside has decided already when small segments go. */
    cfg->stack.nagle = 0;
    /* The host's connect ends by itself, and so does the SYN inside: who waits for a host that is
     * silent has to see a time-out, and no refusal of ours before. */
    cfg->stack.hold_timeout_ns = HOLD_NS;
}

static int fail(struct hf_why *why, const char *what)
{
    why->sys_errno = errno;
    snprintf(why->text, sizeof why->text, "%s: %s", what, strerror(errno));
    return HF_E_SYSTEM;
}

/* ---- what happens while it runs ------------------------------------------------------------ */

static void command_is_over(void *ctx, struct hf_loop *loop, int fd, unsigned bits)
{
    struct gateway *g = ctx;
    (void)bits;
    hf_loop_remove_fd(loop, fd);
    if (hf_namespace_wait(&g->space, &g->exit_code) != HF_OK)
        g->exit_code = 1;
    g->command_over = true;
    g->over_at = hf_loop_now(loop);
}

static void signals_came(void *ctx, struct hf_loop *loop, int fd, unsigned bits)
{
    struct gateway *g = ctx;
    struct signalfd_siginfo came[SIGNALS_READ];
    (void)bits;
    ssize_t n = read(fd, came, sizeof came);
    for (size_t i = 0; n > 0 && i < (size_t)n / sizeof came[0]; i++) {
        if (g->command_over)
            hf_loop_stop(loop);
        else
            hf_namespace_forward(&g->space, (int)came[i].ssi_signo, came[i].ssi_code);
    }
}

/**
 * After the command: what it has sent is passed on. That is done when the inside has come to its
 * end on every connection; then nobody is left there to read. Connections that don't get on are
 * not waited for longer than drain_ns, or stalled_ns where the outside is what holds them up.
 */
static void end_when_drained(struct gateway *g, hf_ns now)
{
    const struct hf_gateway_config *cfg = g->cfg;
    struct hf_relays_left left = hf_relays_left(&g->relays);
    hf_ns since = g->relays.progress_at > g->over_at ? g->relays.progress_at : g->over_at;
    hf_ns until = since + (left.held_back > 0 ? cfg->stalled_ns : cfg->drain_ns);
    if (left.open > 0 && now < until) {
        g->wake_at = until;
        return;
    }
    g->cut_off = left.open;
    if (cfg->after == NULL || cfg->after(cfg->after_ctx, g->stack, now, &g->wake_at))
        hf_loop_stop(g->loop);
}

static void on_events(void *ctx, struct hf_loop *loop, hf_ns now)
{
    struct gateway *g = ctx;
    struct hf_event e;
    while (hf_stack_event(g->stack, &e))
        hf_relays_event(&g->relays, &e, now);
    hf_relays_expire(&g->relays, now);
    g->wake_at = HF_NEVER;
    if (g->command_over)
        end_when_drained(g, now);
    hf_ns relays_at = hf_relays_deadline(&g->relays);
    hf_loop_wake_at(loop, relays_at < g->wake_at ? relays_at : g->wake_at);
}

/* ---- setting up --------------------------------------------------------------------------- */

static int open_link(struct gateway *g, struct hf_why *why)
{
    const struct hf_gateway_config *cfg = g->cfg;
    struct hf_tun_config tun = {.mtu_bytes = cfg->space.mtu_bytes, .plain = cfg->plain};
    int fd = hf_namespace_take_tun(&g->space);
    int err = hf_link_tun_from_fd(&g->link, fd, &tun, why);
    if (err != HF_OK) {
        close(fd);
        return err;
    }
    if (cfg->spoil != NULL) {
        struct hf_spoil_rule rules[HF_SPOIL_RULES_MAX];
        size_t count;
        err = hf_spoil_parse(cfg->spoil, rules, HF_SPOIL_RULES_MAX, &count, why);
        if (err == HF_OK)
            err = hf_link_spoil(&g->link, g->link, rules, count, NULL, NULL, why);
    }
    if (err == HF_OK && cfg->record != NULL) {
        struct hf_record_config record = {
            .path = cfg->record, .interface_name = cfg->space.interface, .warn = cfg->record_warn};
        err = hf_link_record(&g->link, g->link, &record, why);
        g->record = err == HF_OK ? g->link : NULL;
    }
    return err;
}

static int listen_to_all(struct gateway *g)
{
    const struct hf_upstream_config *u = &g->cfg->upstream;
    int err = hf_stack_add_address(g->stack, &u->host_v4, 32);
    if (err == HF_OK)
        err = hf_stack_add_address(g->stack, &u->host_v6, 128);
    struct hf_listen what = {.held = true, .backlog = BACKLOG};
    hf_handle listener;
    return err == HF_OK ? hf_listen(g->stack, &what, &listener, hf_host_now()) : err;
}

static int open_stack(struct gateway *g, struct hf_why *why)
{
    struct hf_config cfg = g->cfg->stack;
    struct hf_link_caps caps;
    hf_link_caps(g->link, &caps);
    cfg.offload_checksum = caps.checksum;
    cfg.offload_super_bytes = caps.super_bytes;
    cfg.mtu_bytes = g->cfg->space.mtu_bytes;
    struct hf_env env;
    int err = hf_env_linux(&env, why);
    if (err != HF_OK)
        return err;
    env.trace = g->cfg->trace;
    env.trace_ctx = g->cfg->trace_ctx;
    err = hf_stack_new(&g->stack, &cfg, &env, hf_host_now());
    if (err == HF_OK)
        err = listen_to_all(g);
    if (err != HF_OK)
        snprintf(why->text, sizeof why->text, "the stack can't be made: %s", hf_err_text(err));
    return err;
}

static int open_loop(struct gateway *g, struct hf_why *why)
{
    struct hf_loop_config cfg = {
        .stack = g->stack, .link = g->link, .events = on_events, .events_ctx = g};
    int err = hf_loop_new(&g->loop, &cfg, why);
    if (err != HF_OK)
        return err;
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGHUP);
    sigaddset(&mask, SIGQUIT);
    sigaddset(&mask, SIGUSR1);
    sigaddset(&mask, SIGUSR2);
    sigprocmask(SIG_BLOCK, &mask, &g->old_mask);
    g->mask_changed = true;
    g->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (g->signal_fd < 0)
        return fail(why, "signalfd");
    err = hf_loop_add_fd(g->loop, g->signal_fd, HF_LOOP_READ, signals_came, g);
    if (err == HF_OK)
        err = hf_loop_add_fd(g->loop, hf_namespace_pidfd(&g->space), HF_LOOP_READ, command_is_over,
                             g);
    return err == HF_OK ? HF_OK : fail(why, "epoll");
}

/** Descriptors are what connections cost here: as many as we may have. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int open_space(struct gateway *g, char *const argv[], struct hf_why *why)
{
    int err = hf_namespace_spawn(&g->cfg->space, argv, &g->space, why);
    if (err != HF_OK)
        return err;
    g->spawned = true;
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)g->space.pid);
    g->space_fd = open(path, O_RDONLY | O_CLOEXEC);
    return g->space_fd >= 0 ? HF_OK : fail(why, path);
}

/* ---- running ------------------------------------------------------------------------------ */

static void fill_report(const struct gateway *g, struct hf_gateway_report *report)
{
    *report = (struct hf_gateway_report){
        .opened = g->relays.opened,
        .refused = g->relays.refused,
        .failed = g->relays.failed,
        .cut_off = g->cut_off,
        .relays_left = g->relays.alive,
        .bytes_out = g->relays.bytes_out,
        .bytes_in = g->relays.bytes_in,
        .ipv6 = g->space.ipv6,
        .ipv6_errno = g->space.ipv6_errno,
    };
    hf_stack_info(g->stack, &report->stack);
    if (g->record != NULL)
        hf_link_record_stats(g->record, &report->record);
}

static int run_command(struct gateway *g, struct hf_why *why)
{
    hf_relays_init(&g->relays, g->stack, g->loop, &g->cfg->upstream);
    int err = hf_namespace_go(&g->space, why);
    if (err == HF_OK)
        return hf_loop_run(g->loop, why);
    /* It could not be executed: the text says why, the exit code is the shell's. */
    if (hf_namespace_wait(&g->space, &g->exit_code) != HF_OK)
        return err;
    return HF_OK;
}

int hf_gateway_run(const struct hf_gateway_config *cfg, char *const argv[], int *exit_code,
                   struct hf_gateway_report *report, struct hf_why *why)
{
    struct gateway g = {.cfg = cfg, .space_fd = -1, .signal_fd = -1};
    *why = (struct hf_why){0};
    *report = (struct hf_gateway_report){0};
    int err = open_space(&g, argv, why);
    if (err == HF_OK)
        err = open_link(&g, why);
    if (err == HF_OK)
        err = open_stack(&g, why);
    if (err == HF_OK)
        err = open_loop(&g, why);
    if (err == HF_OK) {
        raise_descriptor_limit();
        err = run_command(&g, why);
        fill_report(&g, report);
        hf_relays_free(&g.relays);
        *exit_code = g.exit_code;
    }
    if (g.spawned)
        hf_namespace_close(&g.space);
    hf_loop_free(g.loop);
    hf_stack_free(g.stack);
    hf_link_close(g.link);
    if (g.signal_fd >= 0)
        close(g.signal_fd);
    if (g.space_fd >= 0)
        close(g.space_fd);
    if (g.mask_changed)
        sigprocmask(SIG_SETMASK, &g.old_mask, NULL);
    return err;
}
