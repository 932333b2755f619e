/**
 * The options of a stack over TUN or Ethernet: read and checked to the end before anything is
 * opened, so that a mistake in them is one of usage.
 */
#include "cli.h"
#include "show/settings.h"

#include <argp.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

enum {
    KEY_TUN = 1000,
    KEY_INTERFACE,
    KEY_GATEWAY,
    KEY_XDP,
    KEY_ADDR,
    KEY_KERNEL_ADDR,
    KEY_RECORD,
    KEY_SPOIL,
    KEY_NO_CONFIGURE,
    KEY_PLAIN,
    KEY_PROBES,
    KEY_PROFILE,
    KEY_SET
};

static const struct argp_option argp_options[] = {
    {"tun", KEY_TUN, "NAME", 0, "TUN device to make or use (this or --interface is required)", 1},
    {"interface", KEY_INTERFACE, "NAME", 0,
     "Ethernet interface of the kernel's to use, for an --addr that nobody has", 1},
    {"addr", KEY_ADDR, "ADDR/BITS", 0, "The stack's own address, say 10.9.0.2/24 (required)", 1},
    {"kernel-addr", KEY_KERNEL_ADDR, "ADDR", 0,
     "The kernel's address on the TUN device (default: the first other one of the prefix)", 1},
    {"no-configure", KEY_NO_CONFIGURE, NULL, 0, "Leave the TUN device's addresses alone", 1},
    {"gateway", KEY_GATEWAY, "ADDR", 0,
     "Who takes what is for other networks than --addr's (with --interface)", 1},
    {"xdp", KEY_XDP, NULL, 0,
     "Take the interface's frames before the kernel's network stack does (with --interface)", 1},
    {"plain", KEY_PLAIN, NULL, 0, "No super-packets, all checksums in software", 1},
    {"record", KEY_RECORD, "FILE", 0,
     "Write every packet to a pcapng file; replaces nothing but recordings", 2},
    {"spoil", KEY_SPOIL, "RULES", 0, "Inject faults, say 'drop third-ack once; drop in 1%'", 2},
    {"probes", KEY_PROBES, NULL, 0, HF_PROBES_HELP, 2},
    {"profile", KEY_PROFILE, "NAME", 0, "Settings of rfc, default, linux or freebsd", 2},
    {"set", KEY_SET, "NAME=VALUE", 0,
     "Change a setting, any number of them (see 'handfast --profiles'): " HF_SETTING_FORMS, 2},
    {0},
};

void hf_tun_options_init(struct hf_tun_options *o)
{
    *o = (struct hf_tun_options){0};
    hf_config_init(&o->config, sizeof o->config);
}

const char *hf_tun_options_device(const struct hf_tun_options *o)
{
    return o->tun != NULL ? o->tun : o->interface;
}

/* ---- reading ------------------------------------------------------------------------------ */

void hf_take_once(const char **slot, const char *value, const char *option,
                  struct argp_state *state)
{
    if (*slot != NULL)
        argp_error(state, "%s is given twice", option);
    if (*value == '\0')
        argp_error(state, "%s is empty", option);
    *slot = value;
}

uint32_t hf_take_number(const char *text, uint32_t min, uint32_t max, const char *what,
                        struct argp_state *state)
{
    int64_t value = 0;
    if (strpbrk(text, ".-") != NULL || !hf_quantity_read(text, "count", &value) || value < min ||
        value > max)
        argp_error(state, "%s wants %u to %u, not '%s'", what, min, max, text);
    return (uint32_t)value;
}

enum hf_profile hf_take_profile(const char *name, struct argp_state *state)
{
    for (int p = 0; p < HF_PROFILE_COUNT; p++)
        if (strcmp(name, hf_profile_name((enum hf_profile)p)) == 0)
            return (enum hf_profile)p;
    argp_error(state, "'%s' is no profile: rfc, default, linux or freebsd", name);
    return HF_PROFILE_DEFAULT;
}

hf_trace_fn *hf_take_probes(struct argp_state *state)
{
    if (!hf_probe_available())
        argp_error(state, "--probes: this was built where there was no <sys/sdt.h>");
    return hf_probe_trace;
}

static error_t parse(int key, char *arg, struct argp_state *state);
const struct argp hf_tun_argp = {argp_options, parse, NULL, NULL, NULL, NULL, NULL};

/* ---- addresses ---------------------------------------------------------------------------- */

static unsigned host_bits_of(const struct hf_tun_options *o)
{
    return (hf_addr_is_v4(&o->addr) ? 32 : 128) - o->prefix_bits;
}

/** The address with all bits behind the prefix as this bit. */
static struct hf_addr edge_of(const struct hf_addr *addr, unsigned host_bits, bool ones)
{
    struct hf_addr edge = *addr;
    for (unsigned b = 0; b < host_bits; b++) {
        uint8_t bit = (uint8_t)(1u << b % 8), *octet = &edge.octets[15 - b / 8];
        *octet = (uint8_t)(ones ? *octet | bit : *octet & ~bit);
    }
    return edge;
}

/** The kernel's end of the device: the prefix's first address that is not the stack's. */
static struct hf_addr other_address(const struct hf_addr *addr, unsigned host_bits)
{
    struct hf_addr other = *addr;
    if (host_bits == 1) { /* two addresses, and both are hosts [RFC3021] [RFC6164] */
        other.octets[15] ^= 1;
        return other;
    }
    other = edge_of(addr, host_bits, false);
    other.octets[15] |= 1;
    if (hf_addr_equal(&other, addr))
        other.octets[15] ^= 3;
    return other;
}

static const char *kind_of_v4(const uint8_t octets[4])
{
    switch (octets[0]) {
    case 0: return "of no host (0.0.0.0/8)";
    case 127: return "a loopback address";
    case 255: return "a broadcast address";
    default: break;
    }
    if (octets[0] < 224)
        return NULL;
    return octets[0] < 240 ? "a multicast address" : "reserved (240.0.0.0/4)";
}

static const char *kind_of(const struct hf_addr *addr)
{
    static const struct hf_addr unspecified = {{0}}, loopback = {{[15] = 1}};
    if (hf_addr_is_v4(addr))
        return kind_of_v4(addr->octets + 12);
    if (addr->octets[0] == 0xff)
        return "a multicast address";
    if (hf_addr_equal(addr, &unspecified))
        return "of no host";
    return hf_addr_equal(addr, &loopback) ? "a loopback address" : NULL;
}

/** IPv4: of the stack's own network, its first address and its last [RFC1122#3.2.1.3]. */
static const char *kind_in_prefix(const struct hf_tun_options *o, const struct hf_addr *addr)
{
    unsigned host_bits = host_bits_of(o);
    if (!hf_addr_is_v4(&o->addr) || host_bits < 2)
        return NULL;
    struct hf_addr first = edge_of(&o->addr, host_bits, false);
    struct hf_addr last = edge_of(&o->addr, host_bits, true);
    if (hf_addr_equal(addr, &last))
        return "the broadcast address of --addr's network";
    return hf_addr_equal(addr, &first) ? "the network of --addr itself" : NULL;
}

static bool is_on_own_network(const struct hf_tun_options *o, const struct hf_addr *addr)
{
    if (!hf_addr_is_v4(addr) && addr->octets[0] == 0xfe && (addr->octets[1] & 0xc0) == 0x80)
        return true; /* link-local: on every one */
    struct hf_addr ours = edge_of(&o->addr, host_bits_of(o), false);
    struct hf_addr its = edge_of(addr, host_bits_of(o), false);
    return hf_addr_equal(&ours, &its);
}

const char *hf_tun_options_unfit(const struct hf_tun_options *o, const struct hf_addr *addr)
{
    const char *kind = kind_of(addr);
    if (kind == NULL)
        kind = kind_in_prefix(o, addr);
    if (kind == NULL && hf_addr_equal(addr, &o->addr))
        kind = "the stack's own address";
    if (kind == NULL && o->interface != NULL && o->gateway_text == NULL &&
        !is_on_own_network(o, addr))
        kind = "on another network, and no --gateway is given";
    return kind;
}

/* ---- checking ----------------------------------------------------------------------------- */

static void check_device(const struct hf_tun_options *o, struct argp_state *state)
{
    const char *name = hf_tun_options_device(o);
    if (o->tun != NULL && o->interface != NULL)
        argp_error(state, "--tun and --interface exclude each other");
    if (strlen(name) >= IFNAMSIZ || strpbrk(name, "/: \t\n") != NULL)
        argp_error(state, "--%s '%s': a name has 1 to %d bytes, without '/', ':' and blanks",
                   o->tun != NULL ? "tun" : "interface", name, IFNAMSIZ - 1);
    if (o->tun != NULL && o->gateway_text != NULL)
        argp_error(state,
                   "--gateway is for --interface: on a TUN device the kernel is the gateway");
    if (o->tun != NULL && o->xdp)
        argp_error(state, "--xdp is for --interface: a TUN device has no frames");
    if (o->interface != NULL && o->kernel_addr_text != NULL)
        argp_error(state, "--kernel-addr is for --tun: the kernel has no part in --interface");
    if (o->interface != NULL && o->no_configure)
        argp_error(state, "--no-configure is for --tun: --interface configures nothing");
}

static void check_gateway(struct hf_tun_options *o, struct argp_state *state)
{
    struct hf_why why;
    unsigned unused;
    if (o->gateway_text == NULL)
        return;
    if (strchr(o->gateway_text, '/') != NULL)
        argp_error(state, "--gateway %s: an address without a prefix is wanted", o->gateway_text);
    if (hf_prefix_parse(o->gateway_text, &o->gateway, &unused, &why) != HF_OK)
        argp_error(state, "--gateway: %s", why.text);
    if (hf_addr_is_v4(&o->gateway) != hf_addr_is_v4(&o->addr))
        argp_error(state, "--gateway %s and --addr %s: one is IPv4, the other IPv6",
                   o->gateway_text, o->addr_text);
    const char *kind = hf_tun_options_unfit(o, &o->gateway);
    if (kind != NULL)
        argp_error(state, "--gateway %s is %s", o->gateway_text, kind);
    if (!is_on_own_network(o, &o->gateway))
        argp_error(state, "--gateway %s is not on the network of --addr %s: it can't be reached",
                   o->gateway_text, o->addr_text);
}

static void check_addresses(struct hf_tun_options *o, struct argp_state *state)
{
    struct hf_why why;
    unsigned unused;
    if (hf_prefix_parse(o->addr_text, &o->addr, &o->prefix_bits, &why) != HF_OK)
        argp_error(state, "--addr: %s", why.text);
    const char *kind = kind_of(&o->addr);
    if (kind == NULL)
        kind = kind_in_prefix(o, &o->addr);
    if (kind != NULL)
        argp_error(state, "--addr %s is %s: no host can have it", o->addr_text, kind);
    if (o->tun == NULL) {
        if (host_bits_of(o) == 0)
            argp_error(state,
                       "--addr %s leaves no room for others: give the prefix, say 10.9.0.2/24",
                       o->addr_text);
        check_gateway(o, state);
        return;
    }
    if (host_bits_of(o) == 0 && !o->no_configure)
        argp_error(state,
                   "--addr %s leaves no room for the kernel: give the prefix, say 10.9.0.2/24",
                   o->addr_text);
    o->kernel_addr = other_address(&o->addr, host_bits_of(o));
    if (o->kernel_addr_text == NULL)
        return;
    if (o->no_configure)
        argp_error(state, "--kernel-addr and --no-configure exclude each other");
    if (hf_prefix_parse(o->kernel_addr_text, &o->kernel_addr, &unused, &why) != HF_OK)
        argp_error(state, "--kernel-addr: %s", why.text);
    if (hf_addr_is_v4(&o->kernel_addr) != hf_addr_is_v4(&o->addr))
        argp_error(state, "--kernel-addr %s and --addr %s: one is IPv4, the other IPv6",
                   o->kernel_addr_text, o->addr_text);
    kind = hf_tun_options_unfit(o, &o->kernel_addr);
    if (kind != NULL)
        argp_error(state, "--kernel-addr %s is %s", o->kernel_addr_text, kind);
}

static void check_rules(const struct hf_tun_options *o, struct argp_state *state)
{
    struct hf_spoil_rule rules[HF_SPOIL_RULES_MAX];
    struct hf_why why;
    size_t count;
    if (o->spoil != NULL &&
        hf_spoil_parse(o->spoil, rules, HF_SPOIL_RULES_MAX, &count, &why) != HF_OK)
        argp_error(state, "--spoil, %s", why.text);
}

/** The profile first, wherever it stands: it would take back what was set before it. */
static void make_config(struct hf_tun_options *o, struct argp_state *state)
{
    char why[HF_FAULT_TEXT_BYTES];
    hf_config_profile(&o->config, sizeof o->config,
                      o->profile != NULL ? hf_take_profile(o->profile, state) : HF_PROFILE_DEFAULT);
    if (o->block_bytes > 0)
        o->config.block_bytes = o->block_bytes;
    if (o->pool_bytes > 0)
        o->config.pool_bytes = o->pool_bytes;
    for (size_t i = 0; i < o->set_count; i++)
        if (hf_setting_read(&o->config, o->sets[i], why) != HF_OK)
            argp_error(state, "--set: %s", why);
    if (hf_config_fault_text(&o->config, why))
        argp_error(state, "%s", why);
}

static void check(struct hf_tun_options *o, struct argp_state *state)
{
    if ((o->tun == NULL && o->interface == NULL) || o->addr_text == NULL)
        argp_error(state, "--tun and --addr are required, say: --tun hf0 --addr 10.9.0.2/24 "
                          "(or, in place of --tun, --interface with an Ethernet interface)");
    check_device(o, state);
    check_addresses(o, state);
    check_rules(o, state);
    make_config(o, state);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct hf_tun_options *o = state->input;
    switch (key) {
    case KEY_TUN: hf_take_once(&o->tun, arg, "--tun", state); return 0;
    case KEY_INTERFACE: hf_take_once(&o->interface, arg, "--interface", state); return 0;
    case KEY_GATEWAY: hf_take_once(&o->gateway_text, arg, "--gateway", state); return 0;
    case KEY_ADDR: hf_take_once(&o->addr_text, arg, "--addr", state); return 0;
    case KEY_KERNEL_ADDR: hf_take_once(&o->kernel_addr_text, arg, "--kernel-addr", state); return 0;
    case KEY_RECORD: hf_take_once(&o->record, arg, "--record", state); return 0;
    case KEY_SPOIL: hf_take_once(&o->spoil, arg, "--spoil", state); return 0;
    case KEY_NO_CONFIGURE: o->no_configure = true; return 0;
    case KEY_XDP: o->xdp = true; return 0;
    case KEY_PLAIN: o->plain = true; return 0;
    case KEY_PROBES: o->probes = hf_take_probes(state) != NULL; return 0;
    case KEY_PROFILE: hf_take_once(&o->profile, arg, "--profile", state); return 0;
    case KEY_SET:
        if (o->set_count == HF_SETS_MAX)
            argp_error(state, "--set: at most %d of them", HF_SETS_MAX);
        o->sets[o->set_count++] = arg;
        return 0;
    case ARGP_KEY_END: check(o, state); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}
