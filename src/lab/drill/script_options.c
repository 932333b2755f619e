/**
 * One table: each option with the function that reads its value; those that mean something to
 * packetdrill's own machinery only are passed over.
 */
#include "script_options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base.h"

enum { PORT = 8080, TOLERANCE_PPM = 125000 };
#define TOLERANCE_NS HF_US(4000)

enum { MTU_MIN_BYTES = 296 };

/** Reads a value; false if it is wrong. */
typedef bool read_fn(struct hf_drill_options *o, const char *value);

static bool read_number(const char *value, int64_t max, int64_t *number)
{
    char *end;
    errno = 0;
    long long n = strtoll(value, &end, 0);
    *number = n;
    return errno == 0 && end != value && *end == '\0' && n >= 0 && n <= max;
}

static bool read_ip_version(struct hf_drill_options *o, const char *value)
{
    if (strcmp(value, "ipv4") == 0)
        o->family = HF_DRILL_V4;
    else if (strcmp(value, "ipv4-mapped-ipv6") == 0)
        o->family = HF_DRILL_V4_MAPPED;
    else if (strcmp(value, "ipv6") == 0)
        o->family = HF_DRILL_V6;
    else
        return false;
    return true;
}

static bool read_address(const char *value, struct hf_addr *addr)
{
    uint8_t v4[4];
    if (inet_pton(AF_INET, value, v4) == 1) {
        *addr = hf_addr_v4(v4[0], v4[1], v4[2], v4[3]);
        return true;
    }
    return inet_pton(AF_INET6, value, addr->octets) == 1 && !hf_addr_is_v4(addr);
}

static bool read_local(struct hf_drill_options *o, const char *value)
{
    return read_address(value, &o->local);
}

static bool read_remote(struct hf_drill_options *o, const char *value)
{
    return read_address(value, &o->remote);
}

static bool read_port(const char *value, uint16_t *port)
{
    int64_t n;
    bool is_good = read_number(value, UINT16_MAX, &n) && n > 0;
    *port = (uint16_t)n;
    return is_good;
}

static bool read_bind_port(struct hf_drill_options *o, const char *value)
{
    return read_port(value, &o->bind_port);
}

static bool read_connect_port(struct hf_drill_options *o, const char *value)
{
    return read_port(value, &o->connect_port);
}

static bool read_mtu(struct hf_drill_options *o, const char *value)
{
    int64_t n;
    bool is_good = read_number(value, UINT16_MAX, &n) && n >= MTU_MIN_BYTES;
    o->mtu_bytes = (uint16_t)n;
    return is_good;
}

static bool read_tolerance_usecs(struct hf_drill_options *o, const char *value)
{
    int64_t n;
    bool is_good = read_number(value, INT32_MAX, &n);
    o->tolerance_ns = is_good ? HF_US(n) : 0;
    return is_good;
}

static bool read_tolerance_percent(struct hf_drill_options *o, const char *value)
{
    char *end;
    double percent = strtod(value, &end);
    if (end == value || *end != '\0' || !(percent >= 0 && percent <= 400))
        return false;
    o->tolerance_ppm = (uint32_t)(percent * 10000);
    return true;
}

static bool read_ts_tick(struct hf_drill_options *o, const char *value)
{
    int64_t n;
    bool is_good = read_number(value, 1000000, &n);
    o->ts_tick_ns = is_good ? HF_US(n) : 0;
    return is_good;
}

static bool read_ts_scaled(struct hf_drill_options *o, const char *value)
{
    (void)value;
    o->ts_echo_is_scaled = true;
    return true;
}

static bool read_strict_segments(struct hf_drill_options *o, const char *value)
{
    (void)value;
    o->strict_segments = true;
    return true;
}

static bool pass_over(struct hf_drill_options *o, const char *value)
{
    (void)o, (void)value;
    return true;
}

static const struct {
    const char *name;
    bool has_value;
    read_fn *read; /**< NULL: not supported */
} table[] = {
    {"bind_port", true, read_bind_port},
    {"connect_port", true, read_connect_port},
    {"debug", false, pass_over},
    {"dry_run", false, NULL},
    {"gateway_ip", true, pass_over},
    {"init_scripts", true, NULL},
    {"ip_version", true, read_ip_version},
    {"local_ip", true, read_local},
    {"mtu", true, read_mtu},
    {"netmask_ip", true, pass_over},
    {"non_fatal", true, NULL},
    {"persistent_tun_dev", false, pass_over},
    {"remote_ip", true, read_remote},
    {"speed", true, pass_over},
    {"strict_segments", false, read_strict_segments},
    {"tcp_ts_ecr_scaled", false, read_ts_scaled},
    {"tcp_ts_tick_usecs", true, read_ts_tick},
    {"tolerance_percent", true, read_tolerance_percent},
    {"tolerance_usecs", true, read_tolerance_usecs},
    {"tun_dev", true, pass_over},
    {"udp_encapsulation", true, NULL},
    {"verbose", false, pass_over},
};

static enum hf_options_outcome fail(struct hf_script_fault *fault,
                                    const struct hf_script_option_line *line,
                                    enum hf_options_outcome outcome, const char *what)
{
    fault->place = line->place;
    snprintf(fault->text, sizeof fault->text, "--%.40s%s%.40s: %s", line->name,
             line->value != NULL ? "=" : "", line->value != NULL ? line->value : "", what);
    return outcome;
}

static enum hf_options_outcome read_line(struct hf_drill_options *o,
                                         const struct hf_script_option_line *line,
                                         struct hf_script_fault *fault)
{
    for (size_t i = 0; i < HF_COUNT_OF(table); i++) {
        if (strcmp(table[i].name, line->name) != 0)
            continue;
        if (table[i].read == NULL)
            return fail(fault, line, HF_OPTIONS_BEYOND, "this option is not supported");
        if (table[i].has_value && line->value == NULL)
            return fail(fault, line, HF_OPTIONS_WRONG, "the value is missing");
        if (!table[i].has_value && line->value != NULL)
            return fail(fault, line, HF_OPTIONS_WRONG, "this option takes no value");
        if (!table[i].read(o, line->value))
            return fail(fault, line, HF_OPTIONS_WRONG, "wrong value");
        return HF_OPTIONS_READ;
    }
    return fail(fault, line, HF_OPTIONS_WRONG, "no such option");
}

static bool is_unset(const struct hf_addr *addr)
{
    return hf_addr_equal(addr, &HF_ADDR_ANY);
}

/** Addresses of documentation and of private networks, unless the script names its own. */
static bool complete_addresses(struct hf_drill_options *o)
{
    static const struct hf_addr local_v6 = {{0xFD, 0x3D, 0xFA, 0x7B, 0xD1, 0x7D, [15] = 1}};
    static const struct hf_addr remote_v6 = {{0x20, 0x01, 0x0D, 0xB8, [15] = 1}};
    bool is_v6 = o->family == HF_DRILL_V6;
    if (is_unset(&o->local))
        o->local = is_v6 ? local_v6 : hf_addr_v4(192, 168, 0, 1);
    if (is_unset(&o->remote))
        o->remote = is_v6 ? remote_v6 : hf_addr_v4(192, 0, 2, 1);
    return hf_addr_is_v4(&o->local) == !is_v6 && hf_addr_is_v4(&o->remote) == !is_v6;
}

enum hf_options_outcome hf_drill_options_read(struct hf_drill_options *o,
                                              const struct hf_script *script,
                                              struct hf_script_fault *fault)
{
    *o = (struct hf_drill_options){
        .bind_port = PORT,
        .connect_port = PORT,
        .tolerance_ns = TOLERANCE_NS,
        .tolerance_ppm = TOLERANCE_PPM,
    };
    for (size_t i = 0; i < script->option_count; i++) {
        enum hf_options_outcome outcome = read_line(o, &script->options[i], fault);
        if (outcome != HF_OPTIONS_READ)
            return outcome;
    }
    if (complete_addresses(o))
        return HF_OPTIONS_READ;
    fault->place = (struct hf_place){1, 1};
    snprintf(fault->text, sizeof fault->text, "addresses are not of the family of --ip_version");
    return HF_OPTIONS_WRONG;
}
