/**
 * The settings: one table with unit, value in each profile, range and meaning of every field of
 * struct hf_config. Filling, checking, setting by name and `handfast --profiles` read it.
 *
 * Profiles: rfc does what the RFCs recommend; default is for today's networks; linux and freebsd
 * show a peer the timing and the options of those systems.
 */
#include "config.h"

/* X(field, unit, rfc, default, linux, freebsd, min, max, text). Notes on values:
 * msl_ns            [RFC9293#3.4.2] 2 min, engineering choice; today's systems take 30 s
 * rto_min_ns        [RFC6298#2.4] SHOULD be 1 s. DEVIATION D-2: 200 ms, or a tail loss costs 25
 *                   round trips
 * rto_max_ns        [RFC6298#2.5] at least 60 s
 * syn_retries       [RFC9293#3.8.3] [MUST-23] 1+2+4+8+16+32+60+60 s >= 3 min needs 7; other systems
 *                   end at 127 s (6) and 75 s (5): DEVIATION D-4 in all profiles but rfc
 * r1, r2            [RFC9293#3.8.3] [SHLD-10] [SHLD-11] at least 3, at least 100 s
 * delayed_ack_ns    [RFC9293#3.8.6.3] [MUST-40] below 500 ms
 * sws_override_ns   [RFC9293#3.8.6.2.1] 0.1 to 1 s
 * keepalive         [MUST-25] off unless asked for
 * keepalive_idle_ns [RFC9293#3.8.4] [MUST-28] by default not below 2 h
 * time_wait_rst     [RFC1337] ends the hazards of a RST in TIME-WAIT; Linux heeds it
 * mss_min_bytes     48 leaves 8 bytes of data beside 40 of options; below, each byte costs dearly
 * ttl               [MUST-49]
 * initial_window    4 follows [RFC5681#3.1], 3 segments of 1460 bytes; 10 [RFC6928#2]
 * delayed_ack_any_size  what FreeBSD does; [RFC5681#4.2] asks for full-sized segments only
 * slow_start_segs   [RFC3465#2.2] L; 1 follows [RFC5681#3.1]. DEVIATION D-3. Linux has no limit
 * idle_restart      [RFC5681#4.1] SHOULD; Linux's tcp_slow_start_after_idle
 * port_min          [RFC6056#3.2] the whole range above the well-known ports */
#define SETTINGS(X)                                                                                \
    /* timers */                                                                                   \
    X(msl_ns, "ns", HF_SEC(120), HF_SEC(30), HF_SEC(30), HF_SEC(30), HF_MS(1), HOUR,               \
      "maximum segment lifetime")                                                                  \
    X(rto_initial_ns, "ns", HF_SEC(1), HF_SEC(1), HF_SEC(1), HF_SEC(1), HF_MS(1), HOUR,            \
      "retransmission timeout before the round trip is measured")                                  \
    X(rto_min_ns, "ns", HF_SEC(1), HF_MS(200), HF_MS(200), HF_MS(230), HF_MS(1), HF_SEC(60),       \
      "shortest retransmission timeout")                                                           \
    X(rto_max_ns, "ns", HF_SEC(60), HF_SEC(120), HF_SEC(120), HF_SEC(64), HF_SEC(1), HOUR,         \
      "longest retransmission timeout")                                                            \
    X(rto_min_on_variance, "flag", 0, 1, 1, 0, 0, 1, "the shortest timeout counts from SRTT on")   \
    X(syn_retries, "count", 7, 6, 6, 5, 0, 30, "a SYN is sent again this often")                   \
    X(synack_retries, "count", 7, 5, 5, 3, 0, 30, "a SYN,ACK is sent again this often")            \
    X(r1_retries, "count", 3, 3, 3, 3, 1, 255,                                                     \
      "R1: retransmissions until the application hears of trouble")                                \
    X(r2_retries, "count", 8, 15, 15, 12, 0, 63,                                                   \
      "R2: retransmissions until the connection is given up; 0 = never")                           \
    X(delayed_ack_ns, "ns", HF_MS(200), HF_MS(40), HF_MS(40), HF_MS(40), 0, HF_MS(499),            \
      "an acknowledgment may wait this long")                                                      \
    X(delayed_ack_segs, "segs", 2, 2, 2, 2, 1, 64,                                                 \
      "every n-th full-sized segment is acknowledged at once")                                     \
    X(delayed_ack_any_size, "flag", 0, 0, 0, 1, 0, 1,                                              \
      "an acknowledgment waits for one segment only, whatever the size of the next")               \
    X(quick_acks, "segs", 0, 16, 16, 0, 0, 255,                                                    \
      "segments acknowledged at once at the start of a connection")                                \
    X(quick_acks_after_idle, "segs", 0, 2, 16, 0, 0, 255,                                          \
      "segments acknowledged at once after the peer was silent for longer than the RTO")           \
    X(hold_timeout_ns, "ns", HF_SEC(30), HF_SEC(30), HF_SEC(30), HF_SEC(30), HF_MS(1), HOUR,       \
      "time for the application to decide on a held open request")                                 \
    X(fin_wait_2_ns, "ns", 0, 0, HF_SEC(60), HF_SEC(60), 0, DAY,                                   \
      "FIN-WAIT-2 of a closed handle; 0 = 2 MSL")                                                  \
    X(orphan_ns, "ns", 0, 0, HF_SEC(102), 0, 0, DAY,                                               \
      "other closing states of a closed handle without progress; 0 = 2 MSL")                       \
    X(keepalive_idle_ns, "ns", 2 * HOUR, 2 * HOUR, 2 * HOUR, 2 * HOUR, HF_MS(1), 30 * DAY,         \
      "idle time until the first keep-alive probe")                                                \
    X(keepalive_interval_ns, "ns", HF_SEC(75), HF_SEC(75), HF_SEC(75), HF_SEC(75), HF_MS(1),       \
      30 * DAY, "time between keep-alive probes")                                                  \
    X(keepalive_probes, "count", 9, 9, 9, 8, 2, 63,                                                \
      "unanswered keep-alive probes that end a connection")                                        \
    X(user_timeout_ns, "ns", 0, 0, 0, 0, 0, 30 * DAY,                                              \
      "unacknowledged data ends a connection after this; 0 = R2 alone decides")                    \
    X(sws_override_ns, "ns", HF_MS(200), HF_MS(200), HF_MS(200), HF_MS(200), HF_MS(10), HF_SEC(1), \
      "data held back to avoid small segments leaves after this")                                  \
    X(persist_max_ns, "ns", HF_SEC(60), HF_SEC(120), HF_SEC(120), HF_SEC(60), HF_SEC(1), HOUR,     \
      "longest time between zero-window probes")                                                   \
    X(time_wait_ns, "ns", 0, 0, 0, 0, 0, DAY, "TIME-WAIT; 0 = 2 MSL")                              \
    /* policies */                                                                                 \
    X(time_wait_reuse, "flag", 1, 1, 1, 1, 0, 1, "a newer SYN reopens TIME-WAIT")                  \
    X(time_wait_rst, "flag", 0, 0, 1, 0, 0, 1, "a RST ends TIME-WAIT")                             \
    X(challenge_acks, "count", 10, 10, 10, 5, 1, 255,                                              \
      "challenge ACKs of a connection in each challenge_window_ns")                                \
    X(challenge_window_ns, "ns", HF_SEC(5), HF_SEC(5), HF_SEC(5), HF_SEC(1), HF_MS(10),            \
      HF_SEC(60), "the time over which challenge ACKs are counted")                                \
    X(rst_rate, "per second", 1000, 1000, 1000, 200, 0, 1000000,                                   \
      "RSTs to segments that belong to no connection; 0 = stay silent")                            \
    X(icmp_rate, "per second", 1000, 1000, 1000, 200, 0, 1000000, "ICMP answers; 0 = stay silent") \
    X(syn_cookies, "choice", 0, 1, 1, 1, 0, 2,                                                     \
      "0 never, 1 when half-open entries run out, 2 always")                                       \
    X(abort_on_unread, "flag", 1, 1, 1, 0, 0, 1, "closing with data unread resets the peer")       \
    /* options and sizes */                                                                        \
    X(mtu_bytes, "bytes", 1500, 1500, 1500, 1500, 296, 65535, "largest IP packet of the link")     \
    X(mss_min_bytes, "bytes", 64, 64, 48, 216, 48, 536,                                            \
      "a smaller MSS option of the peer counts as this")                                           \
    X(window_scale, "count", 7, 7, 7, 6, -1, 14, "window shift offered; -1 = no option")           \
    X(timestamps, "choice", 1, 1, 1, 1, 0, 2, "0 never, 1 offer and accept, 2 accept only")        \
    X(sack, "choice", 1, 1, 1, 1, 0, 2, "0 never, 1 offer and accept, 2 accept only")              \
    X(option_layout, "choice", 0, 0, 1, 2, 0, 2,                                                   \
      "order and padding of options: 0 own, 1 as Linux, 2 as FreeBSD")                             \
    X(initial_window_segs, "segs", 4, 10, 10, 10, 1, 64,                                           \
      "initial congestion window; up to 4 as RFC 5681, more as RFC 6928")                          \
    X(dont_fragment, "flag", 1, 1, 1, 1, 0, 1, "set DF in IPv4 and discover the path MTU")         \
    X(ttl, "count", 64, 64, 64, 64, 1, 255, "time to live, hop limit")                             \
    X(dscp, "count", 0, 0, 0, 0, 0, 63, "differentiated services code point")                      \
    X(nagle, "flag", 1, 1, 1, 1, 0, 1, "gather small writes while data is unacknowledged")         \
    X(keepalive, "flag", 0, 0, 0, 0, 0, 1, "probe idle connections")                               \
    X(send_buffer_bytes, "bytes", 256 * KB, 256 * KB, 256 * KB, 64 * KB, 256, GB,                  \
      "data written and not yet acknowledged, per connection")                                     \
    X(receive_buffer_bytes, "bytes", 256 * KB, 256 * KB, 128 * KB, 64 * KB, 256, GB,               \
      "data received and not yet read, per connection: the window")                                \
    X(send_buffer_max_bytes, "bytes", 0, 4 * MB, 4 * MB, 2 * MB, 0, GB,                            \
      "the send buffer grows with the congestion window up to this; 0 = never")                    \
    X(receive_buffer_max_bytes, "bytes", 0, 6 * MB, 6 * MB, 2 * MB, 0, GB,                         \
      "the receive buffer grows with what is read in a round trip up to this; 0 = never")          \
    X(congestion_control, "choice", 1, 2, 2, 1, 0, 2, "0 none (fixed window), 1 Reno, 2 CUBIC")    \
    X(pacing, "flag", 0, 1, 0, 0, 0, 1, "packets leave at the rate of the window, not in bursts")  \
    X(loss_probe, "flag", 1, 1, 1, 0, 0, 1,                                                        \
      "a lost tail is probed for before the timeout, if the peer has SACK")                        \
    X(loss_probe_ack_delay_ns, "ns", HF_MS(200), HF_MS(200), HF_MS(200), HF_MS(200), 0, HF_SEC(1), \
      "the peer may delay the acknowledgment of a lone segment this long")                         \
    X(slow_start_segs, "segs", 2, 8, 0, 2, 0, 64,                                                  \
      "slow start grows by this many segments an ACK at most; 0 = no limit")                       \
    X(idle_restart, "flag", 1, 1, 1, 1, 0, 1,                                                      \
      "after an idle time the congestion window is the initial one at most")                       \
    X(port_min, "count", 1024, 1024, 32768, 10000, 1, 65535, "first port chosen to connect from")  \
    X(port_max, "count", 65535, 65535, 60999, 65535, 1, 65535, "last port chosen to connect from") \
    /* limits of the stack */                                                                      \
    X(block_bytes, "bytes", 4096, 4096, 4096, 4096, 512, 65536,                                    \
      "size of a data block, a power of two")                                                      \
    X(pool_bytes, "bytes", 64 * MB, 64 * MB, 64 * MB, 64 * MB, 64 * KB, 1024 * GB,                 \
      "budget of all data blocks, 16 blocks or more")                                              \
    X(max_connections, "count", 1000000, 1000000, 1000000, 1000000, 1, 1 << 28,                    \
      "connections at most")                                                                       \
    X(max_half_open, "count", 65536, 65536, 65536, 65536, 1, 1 << 28, "half-open entries at most") \
    X(max_time_wait, "count", 262144, 262144, 262144, 262144, 0, 1 << 28,                          \
      "time-wait entries at most; beyond, TIME-WAIT stays in the connection")                      \
    X(memory_bytes, "bytes", 0, 0, 0, 0, 0, 1024 * GB,                                             \
      "memory of all kinds that the stack may take; 0 = no limit")                                 \
    X(reply_ring, "count", 256, 256, 256, 256, 16, 65536,                                          \
      "answers waiting to be sent, a power of two")                                                \
    X(fast_path, "flag", 1, 1, 1, 1, 0, 1,                                                         \
      "the common segment takes a shorter way to the same result")                                 \
    /* offloads of the link */                                                                     \
    X(offload_checksum, "flag", 0, 0, 0, 0, 0, 1, "the link fills in outgoing checksums")          \
    X(offload_super_bytes, "bytes", 0, 0, 0, 0, 0, 65535,                                          \
      "the link cuts outgoing packets of up to this many bytes; 0 = it does not")

#define HOUR HF_SEC(3600)
#define DAY HF_SEC(86400)
#define KB INT64_C(1024)
#define MB (1024 * KB)
#define GB (1024 * MB)

#define COUNT_ROW(...) +1
enum { SETTING_COUNT = 0 SETTINGS(COUNT_ROW) };
_Static_assert((SETTING_COUNT + 1) * sizeof(int64_t) == sizeof(struct hf_config),
               "the table has one row for each field of struct hf_config but config_bytes");

/* Each row stands where its field does, whatever the order in the list; two rows for one field are
 * a warning of the compiler. */
#define INDEX_OF(field) (offsetof(struct hf_config, field) / sizeof(int64_t) - 1)
#define TABLE_ROW(field, unit, rfc, own, linux_, freebsd, min, max, text)                          \
    [INDEX_OF(field)] = {#field, unit, {rfc, own, linux_, freebsd}, min, max, text},
static const struct hf_setting settings[SETTING_COUNT] = {SETTINGS(TABLE_ROW)};

static const char *const profile_names[HF_PROFILE_COUNT] = {"rfc", "default", "linux", "freebsd"};

static int64_t read_field(const struct hf_config *cfg, size_t i)
{
    int64_t value;
    memcpy(&value, (const uint8_t *)cfg + (i + 1) * sizeof value, sizeof value);
    return value;
}

static void write_field(struct hf_config *cfg, size_t i, int64_t value)
{
    memcpy((uint8_t *)cfg + (i + 1) * sizeof value, &value, sizeof value);
}

static bool is_in_range(size_t i, int64_t value)
{
    return value >= settings[i].min && value <= settings[i].max;
}

/** How many of our fields the struct's writer knew. */
static size_t fields_known(const struct hf_config *cfg)
{
    int64_t fields = cfg->config_bytes / (int64_t)sizeof(int64_t) - 1;
    if (fields < 0)
        return 0;
    return fields < (int64_t)SETTING_COUNT ? (size_t)fields : SETTING_COUNT;
}

void hf_config_complete(struct hf_config *full, const struct hf_config *given)
{
    hf_config_init(full, sizeof *full);
    for (size_t i = 0; i < fields_known(given); i++)
        write_field(full, i, read_field(given, i));
}

void hf_config_init(struct hf_config *cfg, size_t config_bytes)
{
    hf_config_profile(cfg, config_bytes, HF_PROFILE_DEFAULT);
}

void hf_config_profile(struct hf_config *cfg, size_t config_bytes, enum hf_profile p)
{
    HF_ASSERT((unsigned)p < HF_PROFILE_COUNT && config_bytes >= sizeof cfg->config_bytes);
    cfg->config_bytes = (int64_t)config_bytes;
    for (size_t i = 0; i < fields_known(cfg); i++)
        write_field(cfg, i, settings[i].value[p]);
    /* A newer program's fields that this library does not know. */
    if (config_bytes > sizeof *cfg)
        memset((uint8_t *)cfg + sizeof *cfg, 0, config_bytes - sizeof *cfg);
}

static bool is_power_of_two(int64_t n)
{
    return n > 0 && (n & (n - 1)) == 0;
}

/** Settings that are in range each but don't fit together. */
static bool find_conflict(const struct hf_config *cfg, struct hf_config_fault *fault)
{
    static const char above[] = "must not be above", below[] = "must not be below",
                      power[] = "must be a power of two";
    const struct {
        bool is_broken;
        struct hf_config_fault fault;
    } rules[] = {
        {cfg->rto_min_ns > cfg->rto_initial_ns, {"rto_min_ns", above, "rto_initial_ns"}},
        {cfg->rto_max_ns < cfg->rto_initial_ns, {"rto_max_ns", below, "rto_initial_ns"}},
        /* [RFC9293#3.8.3] MUST-20: trouble is told before the connection is given up. */
        {cfg->r2_retries != 0 && cfg->r2_retries < cfg->r1_retries,
         {"r2_retries", below, "r1_retries"}},
        {cfg->port_max < cfg->port_min, {"port_max", below, "port_min"}},
        {!is_power_of_two(cfg->block_bytes), {"block_bytes", power, NULL}},
        {cfg->pool_bytes < 16 * cfg->block_bytes,
         {"pool_bytes", "must be at least 16 times", "block_bytes"}},
        {cfg->memory_bytes != 0 && cfg->memory_bytes < 32 * cfg->block_bytes,
         {"memory_bytes", "must be 0 or at least 32 times", "block_bytes"}},
        {!is_power_of_two(cfg->reply_ring), {"reply_ring", power, NULL}},
        {cfg->offload_super_bytes != 0 && cfg->offload_super_bytes < cfg->mtu_bytes,
         {"offload_super_bytes", below, "mtu_bytes"}},
    };
    for (size_t i = 0; i < HF_COUNT_OF(rules); i++) {
        if (rules[i].is_broken) {
            *fault = rules[i].fault;
            return true;
        }
    }
    return false;
}

int hf_config_explain(const struct hf_config *cfg, struct hf_config_fault *fault)
{
    static const char range[] = "is out of its range";
    struct hf_config full;
    if (fields_known(cfg) == 0) { /* zeroed: somebody forgot hf_config_init */
        *fault = (struct hf_config_fault){"config_bytes", range, NULL};
        return HF_E_INVALID;
    }
    hf_config_complete(&full, cfg);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (!is_in_range(i, read_field(&full, i))) {
            *fault = (struct hf_config_fault){settings[i].name, range, NULL};
            return HF_E_INVALID;
        }
    }
    return find_conflict(&full, fault) ? HF_E_INVALID : HF_OK;
}

int hf_config_check(const struct hf_config *cfg, const char **culprit)
{
    struct hf_config_fault fault;
    int err = hf_config_explain(cfg, &fault);
    if (err != HF_OK && culprit != NULL)
        *culprit = fault.name;
    return err;
}

const struct hf_setting *hf_setting_at(size_t i)
{
    return i < SETTING_COUNT ? &settings[i] : NULL;
}

const char *hf_profile_name(enum hf_profile p)
{
    return (unsigned)p < HF_PROFILE_COUNT ? profile_names[p] : "unknown";
}

static bool texts_equal(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

/** SETTING_COUNT when there is none of that name. */
static size_t find_setting(const char *name)
{
    size_t i = 0;
    while (i < SETTING_COUNT && !texts_equal(settings[i].name, name))
        i++;
    return i;
}

int hf_config_set(struct hf_config *cfg, const char *name, int64_t value)
{
    size_t i = find_setting(name);
    if (i >= fields_known(cfg) || !is_in_range(i, value))
        return HF_E_INVALID;
    write_field(cfg, i, value);
    return HF_OK;
}

int hf_config_get(const struct hf_config *cfg, const char *name, int64_t *value)
{
    size_t i = find_setting(name);
    if (i >= fields_known(cfg))
        return HF_E_INVALID;
    *value = read_field(cfg, i);
    return HF_OK;
}
