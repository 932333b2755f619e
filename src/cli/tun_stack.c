/**
 * Stacks over a TUN device or an Ethernet interface, as the command line describes them: links,
 * wrappers, stacks, loops.
 */
#include "cli.h"
#include "core/base.h"
#include "show/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- talking ------------------------------------------------------------------------------ */

void hf_say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s: ", program_invocation_name);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

int hf_say_why(const struct hf_why *why)
{
    hf_say("%s", why->text);
    return HF_EXIT_FAILED;
}

void hf_say_line(void *ctx, const char *line)
{
    (void)ctx;
    hf_say("%s", line);
}

int hf_say_recorded(int exit_code, const char *path, const struct hf_record_stats *stats)
{
    if (stats->unwritten == 0)
        return exit_code;
    hf_say("record %s: %" PRIu64 " packets could not be written, %" PRIu64 " are in it", path,
           stats->unwritten, stats->written);
    return exit_code == HF_EXIT_DONE ? HF_EXIT_FAILED : exit_code;
}

void hf_say_rate(const char *what, uint64_t bytes, hf_ns span_ns)
{
    double seconds = (double)span_ns / 1e9;
    hf_say("%s %" PRIu64 " bytes in %.3f s: %.2f Gbit/s", what, bytes, seconds,
           seconds > 0 ? (double)bytes * 8 / seconds / 1e9 : 0.0);
}

/* ---- opening ------------------------------------------------------------------------------ */

static int fail(struct hf_why *why, const char *format, const char *what)
{
    why->sys_errno = 0;
    snprintf(why->text, sizeof why->text, format, what);
    return HF_E_INVALID;
}

static int configure(const char *name, const struct hf_tun_options *o, struct hf_why *why)
{
    /* First up: an IPv6 address is usable only some time after both. */
    int err = hf_netif_up(name, why);
    return err == HF_OK ? hf_netif_add_address(name, &o->kernel_addr, o->prefix_bits, why) : err;
}

static int wrap(struct hf_tun_stack *t, const struct hf_tun_options *o, struct hf_why *why)
{
    struct hf_spoil_rule rules[HF_SPOIL_RULES_MAX];
    size_t count;
    int err = HF_OK;
    if (o->spoil != NULL) {
        struct hf_why where;
        err = hf_spoil_parse(o->spoil, rules, HF_SPOIL_RULES_MAX, &count, &where);
        if (err != HF_OK)
            return fail(why, "--spoil, %.200s", where.text);
        err = hf_link_spoil(&t->link, t->link, rules, count, NULL, NULL, why);
    }
    if (err == HF_OK && o->record != NULL) {
        struct hf_record_config record = {
            .path = o->record, .interface_name = hf_tun_options_device(o), .warn = hf_say_line};
        err = hf_link_record(&t->link, t->link, &record, why);
        t->record = err == HF_OK ? t->link : NULL;
    }
    return err;
}

/* Whether --set has named it. */
static bool is_set(const struct hf_tun_options *o, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < o->set_count; i++)
        if (strncmp(o->sets[i], name, n) == 0 && o->sets[i][n] == '=')
            return true;
    return false;
}

static int open_stack(struct hf_tun_stack *t, const struct hf_tun_options *o,
                      const struct hf_env *env, struct hf_why *why)
{
    struct hf_config cfg = o->config;
    struct hf_link_caps caps;
    hf_link_caps(t->link, &caps);
    cfg.offload_checksum = caps.checksum;
    cfg.offload_super_bytes = caps.super_bytes;
    if (caps.mtu_bytes > 0 && (!is_set(o, "mtu_bytes") || cfg.mtu_bytes > caps.mtu_bytes))
        cfg.mtu_bytes = caps.mtu_bytes;
    char fault[HF_FAULT_TEXT_BYTES];
    if (hf_config_fault_text(&cfg, fault)) /* with what the interface brings */
        return fail(why, "%.200s", fault);
    int err = hf_stack_new(&t->stack, &cfg, env, hf_host_now());
    if (err == HF_OK)
        err = hf_stack_add_address(t->stack, &t->addr, hf_addr_is_v4(&t->addr) ? 32 : 128);
    return err == HF_OK ? HF_OK : fail(why, "the stack can't be made: %s", hf_err_text(err));
}

/** The device's queues, one for each; the first one has the kernel choose the name, if it is to. */
static int open_tuns(struct hf_tun_stack *const *stacks, unsigned count,
                     const struct hf_tun_options *o, struct hf_why *why)
{
    struct hf_tun_config tun = {.name = o->tun,
                                .mtu_bytes = (uint32_t)o->config.mtu_bytes,
                                .plain = o->plain,
                                .queue = count > 1};
    for (unsigned i = 0; i < count; i++) {
        int err = hf_link_tun_open(&stacks[i]->link, &tun, why);
        if (err != HF_OK)
            return err;
        tun.name = hf_link_tun_name(stacks[0]->link);
    }
    return o->no_configure ? HF_OK : configure(tun.name, o, why);
}

/* A kernel that forwards does so with what is for us: it looks for us elsewhere, does not find us
 * there, and tells the sender that we can't be reached. */
static void warn_of_forwarding(const struct hf_tun_options *o)
{
    char path[128], flag = '0';
    bool v4 = hf_addr_is_v4(&o->addr); /* of IPv6 the switch of all interfaces decides */
    snprintf(path, sizeof path, "/proc/sys/net/%s/conf/%.15s/forwarding", v4 ? "ipv4" : "ipv6",
             v4 ? o->interface : "all");
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return;
    if (fread(&flag, 1, 1, f) == 1 && flag == '1')
        hf_say("warning: the kernel forwards on %s, and will tell others that %s can't be reached "
               "(echo 0 > %s, or drop it in its forward chain)",
               o->interface, o->addr_text, path);
    fclose(f);
}

/** A number that no other group has, as nearly as chance can tell: the kernel would let two groups
 *  of one number on one interface be one, without a word. */
static int choose_group(uint16_t *group, struct hf_why *why)
{
    struct hf_env env; /* for its seed */
    int err = hf_env_linux(&env, why);
    if (err == HF_OK)
        *group = (uint16_t)(1 + (env.seed[0] << 8 | env.seed[1]) % UINT16_MAX);
    return err;
}

static int open_packets(struct hf_tun_stack *const *stacks, unsigned count,
                        struct hf_packet_link_config *cfg, struct hf_why *why)
{
    int err = count > 1 ? choose_group(&cfg->fanout_group, why) : HF_OK;
    for (unsigned i = 0; err == HF_OK && i < count; i++) {
        cfg->fanout_member = (uint8_t)i;
        err = hf_link_packet_open(&stacks[i]->link, cfg, why);
    }
    return err;
}

static int open_interfaces(struct hf_tun_stack *const *stacks, unsigned count,
                           const struct hf_tun_options *o, struct hf_why *why)
{
    const struct hf_ether_address own = {o->addr, o->prefix_bits};
    struct hf_packet_link_config cfg = {
        .ether = {.interface = o->interface, .addrs = &own, .addr_count = 1}, .plain = o->plain};
    if (hf_addr_is_v4(&o->gateway))
        cfg.ether.gateway_v4 = o->gateway;
    else
        cfg.ether.gateway_v6 = o->gateway;
    const struct hf_xdp_link_config xdp = {.ether = cfg.ether};
    HF_ASSERT(!o->xdp || count == 1); /* it takes one queue: who has several stacks refuses it */
    int err = o->xdp ? hf_link_xdp_open(&stacks[0]->link, &xdp, why)
                     : open_packets(stacks, count, &cfg, why);
    for (unsigned i = 0; err == HF_OK && i < count; i++)
        stacks[i]->ether = stacks[i]->link;
    if (err == HF_OK && !o->xdp)
        warn_of_forwarding(o);
    return err;
}

static int open_links(struct hf_tun_stack *const *stacks, unsigned count,
                      const struct hf_tun_options *o, struct hf_why *why)
{
    return o->tun != NULL ? open_tuns(stacks, count, o, why)
                          : open_interfaces(stacks, count, o, why);
}

/** Each conversation is one stack's, by a hash under a key of this run. */
static int share_out(struct hf_tun_stack *const *stacks, unsigned count, struct hf_why *why)
{
    struct hf_link *links[HF_THREADS_MAX];
    struct hf_env random;
    if (count == 1)
        return HF_OK;
    int err = hf_env_linux(&random, why);
    for (unsigned i = 0; i < count; i++)
        links[i] = stacks[i]->link;
    if (err == HF_OK)
        err = hf_link_shards(links, count, random.seed, why);
    for (unsigned i = 0; err == HF_OK && i < count; i++)
        stacks[i]->link = stacks[i]->shard = links[i];
    return err;
}

/** One seed, so one set of secrets: any of them knows the initial sequence numbers of all, and
 *  their cookies until it makes new keys. That is enough: a SYN and its ACK come to one owner. */
static int open_stacks(struct hf_tun_stack *const *stacks, unsigned count,
                       const struct hf_tun_options *o, struct hf_why *why)
{
    struct hf_env env;
    int err = hf_env_linux(&env, why);
    env.trace = o->probes ? hf_probe_trace : NULL;
    for (unsigned i = 0; err == HF_OK && i < count; i++) {
        env.shard = (uint8_t)i;
        err = open_stack(stacks[i], o, &env, why);
    }
    return err;
}

static int open_loops(struct hf_tun_stack *const *stacks, unsigned count, hf_loop_events_fn *events,
                      void *const *events_ctx, struct hf_why *why)
{
    for (unsigned i = 0; i < count; i++) {
        struct hf_loop_config loop = {.stack = stacks[i]->stack,
                                      .link = stacks[i]->link,
                                      .events = events,
                                      .events_ctx = events_ctx[i]};
        int err = hf_loop_new(&stacks[i]->loop, &loop, why);
        if (err != HF_OK)
            return err;
        if (stacks[i]->shard != NULL)
            hf_link_shard_set_loop(stacks[i]->shard, stacks[i]->loop);
    }
    return hf_loop_stop_on_signals(stacks[0]->loop, why);
}

int hf_tun_stacks_open(struct hf_tun_stack *const *stacks, unsigned count,
                       const struct hf_tun_options *o, hf_loop_events_fn *events,
                       void *const *events_ctx, struct hf_why *why)
{
    for (unsigned i = 0; i < count; i++)
        *stacks[i] = (struct hf_tun_stack){.addr = o->addr};
    int err = open_links(stacks, count, o, why);
    if (err == HF_OK)
        err = share_out(stacks, count, why);
    for (unsigned i = 0; err == HF_OK && i < count; i++)
        err = wrap(stacks[i], o, why);
    if (err == HF_OK)
        err = open_stacks(stacks, count, o, why);
    if (err == HF_OK)
        err = open_loops(stacks, count, events, events_ctx, why);
    if (err != HF_OK)
        hf_tun_stacks_close(stacks, count);
    return err;
}

/** Loops first: links that hand packets over wake them. */
void hf_tun_stacks_close(struct hf_tun_stack *const *stacks, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        hf_loop_free(stacks[i]->loop);
    for (unsigned i = 0; i < count; i++) {
        hf_stack_free(stacks[i]->stack);
        hf_link_close(stacks[i]->link);
        *stacks[i] = (struct hf_tun_stack){0};
    }
}

int hf_tun_stack_open(struct hf_tun_stack *t, const struct hf_tun_options *o,
                      hf_loop_events_fn *events, void *events_ctx, struct hf_why *why)
{
    return hf_tun_stacks_open(&t, 1, o, events, &events_ctx, why);
}

void hf_tun_stack_close(struct hf_tun_stack *t)
{
    hf_tun_stacks_close(&t, 1);
}

int hf_tun_stack_recorded(const struct hf_tun_stack *t, const struct hf_tun_options *o,
                          int exit_code)
{
    struct hf_record_stats stats;
    if (t->record == NULL)
        return exit_code;
    hf_link_record_stats(t->record, &stats);
    return hf_say_recorded(exit_code, o->record, &stats);
}

const char *hf_tun_stack_hint(const struct hf_tun_stack *t)
{
    struct hf_ether_stats stats;
    if (t->ether == NULL)
        return "";
    hf_link_ether_stats(t->ether, &stats);
    return stats.silent > 0 ? " (the next host on the way has not answered who it is)" : "";
}
