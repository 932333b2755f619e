/**
 * A stack over a TUN device, as the command line describes it: link, wrappers, stack, loop.
 */
#include "cli.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_TUN = 1000,
    KEY_ADDR,
    KEY_KERNEL_ADDR,
    KEY_RECORD,
    KEY_SPOIL,
    KEY_NO_CONFIGURE,
    KEY_PLAIN,
    KEY_PROFILE,
    KEY_SET
};

static const struct argp_option argp_options[] = {
    {"tun", KEY_TUN, "NAME", 0, "TUN device to make or use (required)", 1},
    {"addr", KEY_ADDR, "ADDR/BITS", 0, "The stack's own address, say 10.9.0.2/24 (required)", 1},
    {"kernel-addr", KEY_KERNEL_ADDR, "ADDR", 0,
     "The kernel's address on the device (default: the first other one of the prefix)", 1},
    {"no-configure", KEY_NO_CONFIGURE, NULL, 0, "Leave the interface's addresses alone", 1},
    {"plain", KEY_PLAIN, NULL, 0, "No super-packets, all checksums in software", 1},
    {"record", KEY_RECORD, "FILE", 0, "Write every packet to a pcapng file", 2},
    {"spoil", KEY_SPOIL, "RULES", 0, "Inject faults, say 'drop third-ack once; drop in 1%'", 2},
    {"profile", KEY_PROFILE, "NAME", 0, "Settings of rfc, default, linux or freebsd", 2},
    {"set", KEY_SET, "NAME=VALUE", 0, "Change a setting (see 'handfast --profiles')", 2},
    {0},
};

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

void hf_say_rate(const char *what, uint64_t bytes, hf_ns span_ns)
{
    double seconds = (double)span_ns / 1e9;
    hf_say("%s %" PRIu64 " bytes in %.3f s: %.2f Gbit/s", what, bytes, seconds,
           seconds > 0 ? (double)bytes * 8 / seconds / 1e9 : 0.0);
}

/* ---- options ------------------------------------------------------------------------------ */

void hf_tun_options_init(struct hf_tun_options *o)
{
    *o = (struct hf_tun_options){0};
    hf_config_init(&o->config, sizeof o->config);
}

static void set_profile(struct hf_tun_options *o, const char *name, struct argp_state *state)
{
    for (int p = 0; p < HF_PROFILE_COUNT; p++) {
        if (strcmp(name, hf_profile_name((enum hf_profile)p)) == 0) {
            hf_config_profile(&o->config, sizeof o->config, (enum hf_profile)p);
            return;
        }
    }
    argp_error(state, "'%s' is no profile: rfc, default, linux or freebsd", name);
}

static void set_setting(struct hf_tun_options *o, char *arg, struct argp_state *state)
{
    char *equals = strchr(arg, '=');
    if (equals == NULL) {
        argp_error(state, "--set wants NAME=VALUE, not '%s'", arg);
        return;
    }
    *equals = '\0';
    char *end;
    errno = 0;
    long long value = strtoll(equals + 1, &end, 0);
    if (errno != 0 || end == equals + 1 || *end != '\0' ||
        hf_config_set(&o->config, arg, value) != HF_OK)
        argp_error(state,
                   "'%s' is no setting, or '%s' is out of its range; see "
                   "'handfast --profiles'",
                   arg, equals + 1);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct hf_tun_options *o = state->input;
    switch (key) {
    case KEY_TUN: o->tun = arg; return 0;
    case KEY_ADDR: o->addr = arg; return 0;
    case KEY_KERNEL_ADDR: o->kernel_addr = arg; return 0;
    case KEY_RECORD: o->record = arg; return 0;
    case KEY_SPOIL: o->spoil = arg; return 0;
    case KEY_NO_CONFIGURE: o->no_configure = true; return 0;
    case KEY_PLAIN: o->plain = true; return 0;
    case KEY_PROFILE: set_profile(o, arg, state); return 0;
    case KEY_SET: set_setting(o, arg, state); return 0;
    case ARGP_KEY_END:
        if (o->tun == NULL || o->addr == NULL)
            argp_error(state, "--tun and --addr are required, say: --tun hf0 --addr 10.9.0.2/24");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

const struct argp hf_tun_argp = {argp_options, parse, NULL, NULL, NULL, NULL, NULL};

/* ---- opening ------------------------------------------------------------------------------ */

static int fail(struct hf_why *why, const char *format, const char *what)
{
    why->sys_errno = 0;
    snprintf(why->text, sizeof why->text, format, what);
    return HF_E_INVALID;
}

static unsigned host_bits_of(const struct hf_addr *addr, unsigned bits)
{
    return (hf_addr_is_v4(addr) ? 32 : 128) - bits;
}

/** The kernel's end of the device: the prefix's first address that is not the stack's. */
static struct hf_addr other_address(const struct hf_addr *addr, unsigned host_bits)
{
    struct hf_addr other = *addr;
    if (host_bits == 1) { /* two addresses, and both are hosts [RFC3021] [RFC6164] */
        other.octets[15] ^= 1;
        return other;
    }
    for (unsigned b = 0; b < host_bits; b++)
        other.octets[15 - b / 8] &= (uint8_t) ~(1u << b % 8);
    other.octets[15] |= 1;
    if (hf_addr_equal(&other, addr))
        other.octets[15] ^= 3;
    return other;
}

static int configure(const char *name, const struct hf_tun_options *o, const struct hf_addr *addr,
                     unsigned bits, struct hf_why *why)
{
    struct hf_addr kernel = other_address(addr, host_bits_of(addr, bits));
    struct hf_why where;
    unsigned unused;
    int err = HF_OK;
    if (host_bits_of(addr, bits) == 0)
        err = fail(why, "--addr %s leaves no room for the kernel: give the prefix, say 10.9.0.2/24",
                   o->addr);
    else if (o->kernel_addr != NULL &&
             hf_prefix_parse(o->kernel_addr, &kernel, &unused, &where) != HF_OK)
        err = fail(why, "--kernel-addr: %.200s", where.text);
    /* First up: an IPv6 address is usable only some time after both. */
    if (err == HF_OK)
        err = hf_netif_up(name, why);
    return err == HF_OK ? hf_netif_add_address(name, &kernel, bits, why) : err;
}

static int wrap(struct hf_link **link, const struct hf_tun_options *o, struct hf_why *why)
{
    struct hf_spoil_rule rules[HF_SPOIL_RULES_MAX];
    size_t count;
    int err = HF_OK;
    if (o->spoil != NULL) {
        struct hf_why where;
        err = hf_spoil_parse(o->spoil, rules, HF_SPOIL_RULES_MAX, &count, &where);
        if (err != HF_OK)
            return fail(why, "--spoil, %.200s", where.text);
        err = hf_link_spoil(link, *link, rules, count, NULL, NULL, why);
    }
    if (err == HF_OK && o->record != NULL) {
        struct hf_record_config record = {.path = o->record, .interface_name = o->tun};
        err = hf_link_record(link, *link, &record, why);
    }
    return err;
}

static int open_stack(struct hf_tun_stack *t, const struct hf_tun_options *o, hf_trace_fn *trace,
                      void *trace_ctx, struct hf_why *why)
{
    struct hf_config cfg = o->config;
    struct hf_link_caps caps;
    hf_link_caps(t->link, &caps);
    cfg.offload_checksum = caps.checksum;
    cfg.offload_super_bytes = caps.super_bytes;
    if (caps.mtu_bytes > 0)
        cfg.mtu_bytes = caps.mtu_bytes;
    const char *culprit = "";
    if (hf_config_check(&cfg, &culprit) != HF_OK)
        return fail(why, "setting %s is out of range; see 'handfast --profiles'", culprit);
    struct hf_env env;
    int err = hf_env_linux(&env, why);
    if (err != HF_OK)
        return err;
    env.trace = trace;
    env.trace_ctx = trace_ctx;
    err = hf_stack_new(&t->stack, &cfg, &env, hf_host_now());
    if (err == HF_OK)
        err = hf_stack_add_address(t->stack, &t->addr, hf_addr_is_v4(&t->addr) ? 32 : 128);
    return err == HF_OK ? HF_OK : fail(why, "the stack can't be made: %s", hf_err_text(err));
}

int hf_tun_stack_open(struct hf_tun_stack *t, const struct hf_tun_options *o, hf_trace_fn *trace,
                      void *trace_ctx, hf_loop_events_fn *events, void *events_ctx,
                      struct hf_why *why)
{
    struct hf_why where;
    unsigned bits;
    *t = (struct hf_tun_stack){0};
    if (hf_prefix_parse(o->addr, &t->addr, &bits, &where) != HF_OK)
        return fail(why, "--addr: %.200s", where.text);
    struct hf_tun_config tun = {
        .name = o->tun, .mtu_bytes = (uint32_t)o->config.mtu_bytes, .plain = o->plain};
    int err = hf_link_tun_open(&t->link, &tun, why);
    if (err != HF_OK)
        return err;
    if (!o->no_configure)
        err = configure(hf_link_tun_name(t->link), o, &t->addr, bits, why);
    if (err == HF_OK)
        err = wrap(&t->link, o, why);
    if (err == HF_OK)
        err = open_stack(t, o, trace, trace_ctx, why);
    if (err == HF_OK) {
        struct hf_loop_config loop = {
            .stack = t->stack, .link = t->link, .events = events, .events_ctx = events_ctx};
        err = hf_loop_new(&t->loop, &loop, why);
    }
    if (err == HF_OK)
        err = hf_loop_stop_on_signals(t->loop, why);
    if (err != HF_OK)
        hf_tun_stack_close(t);
    return err;
}

void hf_tun_stack_close(struct hf_tun_stack *t)
{
    hf_loop_free(t->loop);
    hf_stack_free(t->stack);
    hf_link_close(t->link);
    *t = (struct hf_tun_stack){0};
}
