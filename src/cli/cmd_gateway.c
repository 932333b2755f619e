/**
 * handfast gateway: runs a command with its TCP carried by Handfast.
 */
#include "cli.h"
#include "gateway/gateway.h"

#include <argp.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { KEY_RECORD = 1000, KEY_SPOIL, KEY_MTU, KEY_STATS, KEY_PROBES };

struct options {
    struct hf_gateway_config cfg;
    char **command;
    const char *mtu; /**< as given */
    bool stats;
};

static const struct argp_option argp_options[] = {
    {"record", KEY_RECORD, "FILE", 0,
     "Write every packet to a pcapng file; replaces nothing but recordings", 1},
    {"spoil", KEY_SPOIL, "RULES", 0, "Inject faults, say 'drop in 1%'", 1},
    {"mtu", KEY_MTU, "BYTES", 0, "MTU inside (default 65520)", 1},
    {"probes", KEY_PROBES, NULL, 0, HF_PROBES_HELP, 1},
    {"stats", KEY_STATS, NULL, 0, "Say at the end what was carried", 1},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    switch (key) {
    case KEY_RECORD: hf_take_once(&o->cfg.record, arg, "--record", state); return 0;
    case KEY_SPOIL: hf_take_once(&o->cfg.spoil, arg, "--spoil", state); return 0;
    case KEY_STATS: o->stats = true; return 0;
    case KEY_PROBES: o->cfg.trace = hf_take_probes(state); return 0;
    case KEY_MTU:
        hf_take_once(&o->mtu, arg, "--mtu", state);
        o->cfg.space.mtu_bytes = hf_take_number(arg, 576, 65535, "--mtu", state);
        return 0;
    case ARGP_KEY_ARG: /* the command and all that follows is its own */
        o->command = &state->argv[state->next - 1];
        state->next = state->argc;
        return 0;
    case ARGP_KEY_END:
        if (o->command == NULL)
            argp_error(state, "no command, say: handfast gateway -- curl http://10.0.2.2:8000/");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static void say_stats(const struct hf_gateway_report *r)
{
    hf_say("%" PRIu64 " connections carried, %" PRIu64 " refused, %" PRIu64 " broken outside; "
           "%" PRIu64 " bytes out, %" PRIu64 " bytes in",
           r->opened, r->refused, r->failed, r->bytes_out, r->bytes_in);
    hf_say("left at the end: %u relays, %u connections, %u in TIME-WAIT, %" PRIu64
           " bytes of data; at most there were %" PRIu64 " bytes of data",
           r->relays_left, r->stack.connections, r->stack.time_wait, r->stack.pool_used_bytes,
           r->stack.pool_peak_bytes);
    if (!r->ipv6)
        hf_say("no IPv6 inside: %s", strerror(r->ipv6_errno));
}

/** True: the rules can be read. Looked at here, so that a mistake in them is one of usage. */
static bool check_spoil(const char *text)
{
    struct hf_spoil_rule rules[HF_SPOIL_RULES_MAX];
    struct hf_why why;
    size_t count;
    if (text == NULL || hf_spoil_parse(text, rules, HF_SPOIL_RULES_MAX, &count, &why) == HF_OK)
        return true;
    hf_say("--spoil: %s", why.text);
    return false;
}

int hf_cmd_gateway(int argc, char **argv)
{
    static const struct argp argp = {
        argp_options,
        parse,
        "-- COMMAND [ARG...]",
        "Runs COMMAND in a network namespace of its own. Each TCP connection that it opens, to any "
        "address and port, is carried by Handfast to the host's network: the SYN is answered when "
        "the connection outside stands, and refused when that is. The host's loopback is 10.0.2.2 "
        "and fd00::2:2 inside. Needs no root where user namespaces and /dev/net/tun are open to "
        "users.\vThe exit status is COMMAND's, 128 and more if a signal ended it, 127 if there is "
        "no such command, 126 if it can't be executed; 1 if the gateway failed, or a recording "
        "where COMMAND did not, 2 for wrong usage. TCP is what is carried, UDP is not: name hosts "
        "by address, or have names resolved over TCP.",
        NULL,
        NULL,
        NULL};
    struct options o = {0};
    hf_gateway_config_init(&o.cfg);
    o.cfg.record_warn = hf_say_line;
    argp_err_exit_status = HF_EXIT_USAGE;
    if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &o) != 0)
        return HF_EXIT_USAGE;
    if (!check_spoil(o.cfg.spoil))
        return HF_EXIT_USAGE;
    struct hf_gateway_report report;
    struct hf_why why;
    int exit_code = HF_EXIT_FAILED;
    if (hf_gateway_run(&o.cfg, o.command, &exit_code, &report, &why) != HF_OK)
        return hf_say_why(&why);
    if (why.text[0] != '\0')
        hf_say("%s", why.text);
    if (report.cut_off > 0)
        hf_say("%u connections outlived the command and were cut off", report.cut_off);
    if (o.stats)
        say_stats(&report);
    return hf_say_recorded(exit_code, o.cfg.record, &report.record);
}
