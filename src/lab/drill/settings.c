/**
 * The table of system settings. A value that no row names is not supported, and says so: a script
 * that asks for other behaviour than the stack has must not run as if it had got it.
 */
#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base.h"

#define DEFAULT(name, value)                                                                       \
    {                                                                                              \
        name, value, HF_SETTING_DEFAULT, NULL, 0                                                   \
    }
#define FIXED(name, value, ours, number)                                                           \
    {                                                                                              \
        name, value, HF_SETTING_FIXED, ours, number                                                \
    }
#define SCALED(name, ours, number)                                                                 \
    {                                                                                              \
        name, NULL, HF_SETTING_SCALED, ours, number                                                \
    }
#define SHIFT(name, ours)                                                                          \
    {                                                                                              \
        name, NULL, HF_SETTING_SHIFT, ours, 0                                                      \
    }

static const struct hf_setting_row rows[] = {
    /* FreeBSD */
    DEFAULT("kern.ipc.maxsockbuf", NULL),
    SCALED("net.inet.tcp.abc_l_var", "slow_start_segs", 1),
    DEFAULT("net.inet.tcp.hostcache.purgenow", NULL),
    FIXED("net.inet.tcp.always_keepalive", "0", "keepalive", 0),
    FIXED("net.inet.tcp.always_keepalive", "1", "keepalive", 1),
    DEFAULT("net.inet.tcp.blackhole", "0"),
    FIXED("net.inet.tcp.blackhole", "2", "rst_rate", 0),
    FIXED("net.inet.tcp.delayed_ack", "0", "delayed_ack_segs", 1),
    FIXED("net.inet.tcp.delayed_ack", "1", "delayed_ack_segs", 2),
    SCALED("net.inet.tcp.delacktime", "delayed_ack_ns", HF_MS(1)),
    DEFAULT("net.inet.tcp.drop_synfin", "0"),
    DEFAULT("net.inet.tcp.ecn.enable", "0"),
    DEFAULT("net.inet.tcp.ecn.enable", "2"),
    DEFAULT("net.inet.tcp.ecn.maxretries", NULL),
    SCALED("net.inet.tcp.finwait2_timeout", "fin_wait_2_ns", HF_MS(1)),
    DEFAULT("net.inet.tcp.icmp_may_rst", "1"),
    SCALED("net.inet.tcp.initcwnd_segments", "initial_window_segs", 1),
    DEFAULT("net.inet.tcp.insecure_rst", "0"),
    DEFAULT("net.inet.tcp.insecure_syn", "0"),
    SCALED("net.inet.tcp.keepcnt", "keepalive_probes", 1),
    SCALED("net.inet.tcp.keepidle", "keepalive_idle_ns", HF_MS(1)),
    DEFAULT("net.inet.tcp.keepinit", "75000"),
    SCALED("net.inet.tcp.keepintvl", "keepalive_interval_ns", HF_MS(1)),
    SCALED("net.inet.tcp.minmss", "mss_min_bytes", 1),
    SCALED("net.inet.tcp.msl", "msl_ns", HF_MS(1)),
    SCALED("net.inet.tcp.path_mtu_discovery", "dont_fragment", 1),
    SCALED("net.inet.tcp.recvspace", "receive_buffer_bytes", 1),
    DEFAULT("net.inet.tcp.rexmit_drop_options", "0"),
    SCALED("net.inet.tcp.rexmit_initial", "rto_initial_ns", HF_MS(1)),
    SCALED("net.inet.tcp.rexmit_min", "rto_min_ns", HF_MS(1)),
    DEFAULT("net.inet.tcp.rexmit_slop", "200"),
    FIXED("net.inet.tcp.rfc1323", "0", "timestamps", 0),
    FIXED("net.inet.tcp.rfc1323", "0", "window_scale", -1),
    FIXED("net.inet.tcp.rfc1323", "1", "timestamps", 1),
    FIXED("net.inet.tcp.sack.enable", "0", "sack", 0),
    FIXED("net.inet.tcp.sack.enable", "1", "sack", 1),
    SCALED("net.inet.tcp.sendspace", "send_buffer_bytes", 1),
    FIXED("net.inet.tcp.syncookies", "0", "syn_cookies", 0),
    FIXED("net.inet.tcp.syncookies", "1", "syn_cookies", 1),
    /* Linux */
    DEFAULT("net.core.rmem_max", NULL),
    DEFAULT("net.core.wmem_max", NULL),
    FIXED("net.ipv4.ip_no_pmtu_disc", "0", "dont_fragment", 1),
    FIXED("net.ipv4.ip_no_pmtu_disc", "1", "dont_fragment", 0),
    DEFAULT("net.ipv4.tcp_abort_on_overflow", "0"),
    FIXED("net.ipv4.tcp_early_retrans", "0", "loss_probe", 0),
    FIXED("net.ipv4.tcp_early_retrans", "3", "loss_probe", 1),
    DEFAULT("net.ipv4.tcp_ecn", "0"),
    DEFAULT("net.ipv4.tcp_ecn", "2"),
    SCALED("net.ipv4.tcp_fin_timeout", "fin_wait_2_ns", HF_SEC(1)),
    SCALED("net.ipv4.tcp_keepalive_intvl", "keepalive_interval_ns", HF_SEC(1)),
    SCALED("net.ipv4.tcp_keepalive_probes", "keepalive_probes", 1),
    SCALED("net.ipv4.tcp_keepalive_time", "keepalive_idle_ns", HF_SEC(1)),
    SCALED("net.ipv4.tcp_min_snd_mss", "mss_min_bytes", 1),
    DEFAULT("net.ipv4.tcp_min_tso_segs", NULL),
    DEFAULT("net.ipv4.tcp_mtu_probing", "0"),
    DEFAULT("net.ipv4.tcp_no_metrics_save", NULL),
    DEFAULT("net.ipv4.tcp_reordering", "3"),
    SCALED("net.ipv4.tcp_retries1", "r1_retries", 1),
    SCALED("net.ipv4.tcp_retries2", "r2_retries", 1),
    SHIFT("net.ipv4.tcp_rmem", "window_scale"),
    FIXED("net.ipv4.tcp_rfc1337", "0", "time_wait_rst", 1),
    FIXED("net.ipv4.tcp_rfc1337", "1", "time_wait_rst", 0),
    FIXED("net.ipv4.tcp_sack", "0", "sack", 0),
    FIXED("net.ipv4.tcp_sack", "1", "sack", 1),
    FIXED("net.ipv4.tcp_slow_start_after_idle", "0", "idle_restart", 0),
    FIXED("net.ipv4.tcp_slow_start_after_idle", "1", "idle_restart", 1),
    SCALED("net.ipv4.tcp_syn_retries", "syn_retries", 1),
    SCALED("net.ipv4.tcp_synack_retries", "synack_retries", 1),
    SCALED("net.ipv4.tcp_syncookies", "syn_cookies", 1),
    FIXED("net.ipv4.tcp_timestamps", "0", "timestamps", 0),
    FIXED("net.ipv4.tcp_timestamps", "1", "timestamps", 1),
    DEFAULT("net.ipv4.tcp_tso_win_divisor", NULL),
    FIXED("net.ipv4.tcp_window_scaling", "0", "window_scale", -1),
    DEFAULT("net.ipv4.tcp_window_scaling", "1"),
    DEFAULT("net.ipv4.tcp_wmem", NULL),
};

enum { NAME_BYTES = 96, BUFFER_NUMBERS = 3, WINDOW_BITS = 16, SHIFT_MAX = 14 };

const struct hf_setting_row *hf_setting_row_at(size_t i)
{
    return i < HF_COUNT_OF(rows) ? &rows[i] : NULL;
}

/** /proc/sys/net/ipv4/tcp_sack and net.ipv4.tcp_sack are one setting. */
static bool normalise(const char *name, char *normal, size_t capacity_bytes)
{
    static const char prefix[] = "/proc/sys/";
    if (strncmp(name, prefix, sizeof prefix - 1) == 0)
        name += sizeof prefix - 1;
    size_t n = strlen(name);
    if (n >= capacity_bytes)
        return false;
    for (size_t i = 0; i <= n; i++)
        normal[i] = name[i];
    for (char *p = normal; *p != '\0'; p++)
        if (*p == '/')
            *p = '.';
    return true;
}

/** Takes a number, which may stand behind blanks; false if there is none. */
static bool read_number(const char **text, int64_t *number)
{
    char *end;
    errno = 0;
    *number = strtoll(*text, &end, 10);
    bool is_read = errno == 0 && end != *text && *number >= 0;
    *text = end;
    return is_read;
}

/** As Linux: the least shift with which a window of 16 bits shows the largest of the buffer sizes
 *  "4096 131072 6291456". */
static bool read_shift(const char *value, int64_t *shift)
{
    int64_t largest = 0;
    for (int i = 0; i < BUFFER_NUMBERS; i++)
        if (!read_number(&value, &largest))
            return false;
    for (*shift = 0; *shift < SHIFT_MAX && largest >> (WINDOW_BITS + *shift) > 0; ++*shift)
        continue;
    return *value == '\0';
}

static bool read_value(const struct hf_setting_row *row, const char *value, int64_t *number)
{
    int64_t given;
    switch (row->kind) {
    case HF_SETTING_DEFAULT:
    case HF_SETTING_FIXED: return true;
    case HF_SETTING_SHIFT: return read_shift(value, number);
    case HF_SETTING_SCALED:
        return read_number(&value, &given) && *value == '\0' &&
               !__builtin_mul_overflow(given, row->number, number);
    }
    HF_UNREACHABLE("read_value: a kind beyond the enum");
}

static int apply_row(struct hf_config *config, const struct hf_setting_row *row, const char *value,
                     char words[HF_SETTING_WORDS_BYTES])
{
    int64_t number = row->number;
    if (row->kind == HF_SETTING_DEFAULT)
        return HF_OK;
    if (!read_value(row, value, &number)) {
        snprintf(words, HF_SETTING_WORDS_BYTES, "%s=%s: %s", row->name, value,
                 row->kind == HF_SETTING_SHIFT ? "not three numbers" : "not a number");
        return HF_E_INVALID;
    }
    int err = hf_config_set(config, row->ours, number);
    if (err != HF_OK)
        snprintf(words, HF_SETTING_WORDS_BYTES, "%s=%s: %s can't be %lld", row->name, value,
                 row->ours, (long long)number);
    return err;
}

int hf_setting_apply(struct hf_config *config, const char *name, const char *value,
                     char words[HF_SETTING_WORDS_BYTES])
{
    char normal[NAME_BYTES];
    bool is_known = false, is_met = false;
    if (!normalise(name, normal, sizeof normal))
        normal[0] = '\0';
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++) {
        if (strcmp(rows[i].name, normal) != 0)
            continue;
        is_known = true;
        if (rows[i].value != NULL && strcmp(rows[i].value, value) != 0)
            continue;
        is_met = true;
        int err = apply_row(config, &rows[i], value, words);
        if (err != HF_OK)
            return err;
    }
    if (is_met)
        return HF_OK;
    snprintf(words, HF_SETTING_WORDS_BYTES, "%.80s=%.60s: %s", name, value,
             is_known ? "this value is not supported" : "no such setting");
    return HF_E_INVALID;
}
