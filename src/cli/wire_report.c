/**
 * What wire says: warnings while it runs, a summary at the end. See wire.h.
 */
#include "cli.h"
#include "wire.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/** X(fate, JSON name, text): the causes of loss. */
#define CAUSE_LIST(X)                                                                              \
    X(HF_PATH_LOST_RANDOM, "random", "by chance")                                                  \
    X(HF_PATH_LOST_BURST, "burst", "in bursts")                                                    \
    X(HF_PATH_LOST_PERIODIC, "periodic", "periodically")                                           \
    X(HF_PATH_LOST_ACK, "ack", "as ACKs")                                                          \
    X(HF_PATH_LOST_POLICER, "policer", "by the policer")                                           \
    X(HF_PATH_LOST_QUEUE, "queue", "queue full")                                                   \
    X(HF_PATH_LOST_CODEL, "codel", "by CoDel")                                                     \
    X(HF_PATH_LOST_NO_SLOT, "no_slot", "no room in wire itself")                                   \
    X(HF_PATH_LOST_BY_CALLER, "no_memory", "no memory in wire itself")

static const struct {
    enum hf_path_fate fate;
    const char *name, *text;
} causes[] = {
#define CAUSE_ROW(fate, name, text) {fate, name, text},
    CAUSE_LIST(CAUSE_ROW)
#undef CAUSE_ROW
};

enum { CAUSES = sizeof causes / sizeof causes[0], PPM = 1000000 };

static double share(const struct wire_spell *s)
{
    return s->packets > 0 ? (double)s->late / (double)s->packets : 0;
}

static double us(hf_ns ns)
{
    return (double)ns / 1e3;
}

/* ---- while it runs -------------------------------------------------------------------------- */

enum { WARNING_BYTES = 512 };

/* Adds to the line what there is to say. */
static void add_spell(char line[WARNING_BYTES], const struct wire_way *way,
                      const struct wire_spell *s, const char *what)
{
    size_t n = strlen(line);
    if (s->late > 0)
        snprintf(line + n, WARNING_BYTES - n,
                 "%s%s %.2f %% of %" PRIu64
                 " packets %s more than %.0f us too late (at worst %.0f)",
                 n > 0 ? "; " : "", way->name, 100 * share(s), s->packets, what, us(way->limit_ns),
                 us(s->worst_ns));
}

hf_ns wire_warn(struct wire *w, hf_ns now)
{
    char line[WARNING_BYTES] = "";
    bool has_news = false;
    for (int i = 0; i < WIRE_WAYS; i++)
        has_news = has_news || w->ways[i].fresh_read.late > 0 || w->ways[i].fresh_wrote.late > 0;
    if (now < w->warn_at_ns)
        return has_news ? w->warn_at_ns : HF_NEVER;
    for (int i = 0; i < WIRE_WAYS; i++) {
        struct wire_way *way = &w->ways[i];
        add_spell(line, way, &way->fresh_wrote, "left");
        add_spell(line, way, &way->fresh_read, "may have been read");
        way->fresh_read = way->fresh_wrote = (struct wire_spell){0};
    }
    if (has_news)
        hf_say("can't keep up: %s", line);
    w->warn_at_ns = now + HF_SEC(1);
    return HF_NEVER;
}

/* ---- at the end ----------------------------------------------------------------------------- */

/* Of what arrived, from the first arrival to the last. */
static double mean_bps(const struct wire_way *way)
{
    hf_ns span = way->last_ns - way->first_ns;
    return way->rate_bytes > 0 && span > 0 ? (double)way->rate_bytes * 8e9 / (double)span : 0;
}

static uint64_t refused(const struct wire_way *way)
{
    struct hf_link_stats stats;
    hf_link_stats(way->to, &stats);
    return stats.out_refused + stats.out_busy;
}

static void print_text(const struct wire_way *way)
{
    const struct hf_path_stats *s = &way->path.stats;
    const struct hf_histogram *h = &way->lateness;
    const char *comma = ": ";
    printf("%s: %" PRIu64 " packets, %" PRIu64 " bytes; arrived %" PRIu64 " packets, %" PRIu64
           " bytes\n",
           way->name, s->sent, s->sent_bytes, s->delivered, s->delivered_bytes);
    printf("  lost %" PRIu64, s->lost);
    for (size_t i = 0; i < CAUSES; i++) {
        if (s->fates[causes[i].fate] == 0)
            continue;
        printf("%s%s %" PRIu64, comma, causes[i].text, s->fates[causes[i].fate]);
        comma = ", ";
    }
    printf("; on the way %" PRIu32 "; not taken by the device %" PRIu64 "\n", s->waiting,
           refused(way));
    printf("  reordered %" PRIu64 ", made late %" PRIu64 ", duplicated %" PRIu64
           ", corrupted %" PRIu64 "\n",
           s->fates[HF_PATH_REORDERED], s->fates[HF_PATH_LATE], s->fates[HF_PATH_DUPLICATED],
           s->fates[HF_PATH_CORRUPTED]);
    printf("  mean rate %.3f Mbit/s; queue at most %" PRIu32 " packets, %" PRIu64 " bytes\n",
           mean_bps(way) / 1e6, s->queue_peak_packets, s->queue_peak_bytes);
    printf("  lateness median %.1f us, p99 %.1f us, max %.1f us; %" PRIu64
           " packets (%.3f %%) left more than %.0f us late\n",
           us(hf_histogram_quantile(h, PPM / 2)), us(hf_histogram_quantile(h, PPM / 100 * 99)),
           us(h->max_ns), way->wrote.late, 100 * share(&way->wrote), us(way->limit_ns));
    printf("  %" PRIu64 " reads (%.3f %%) may have been more than %.0f us late, %.1f us at worst\n",
           way->read.late, 100 * share(&way->read), us(way->limit_ns), us(way->read.worst_ns));
}

static void print_json(const struct wire_way *way, const char *direction)
{
    const struct hf_path_stats *s = &way->path.stats;
    const struct hf_histogram *h = &way->lateness;
    printf("{\"direction\":\"%s\",\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64
           ",\"arrived_packets\":%" PRIu64 ",\"arrived_bytes\":%" PRIu64 ",\"on_the_way\":%" PRIu32
           ",\"refused_by_device\":%" PRIu64 ",\"lost_packets\":%" PRIu64 ",\"lost\":{",
           direction, s->sent, s->sent_bytes, s->delivered, s->delivered_bytes, s->waiting,
           refused(way), s->lost);
    for (size_t i = 0; i < CAUSES; i++)
        printf("%s\"%s\":%" PRIu64, i > 0 ? "," : "", causes[i].name, s->fates[causes[i].fate]);
    printf("},\"reordered\":%" PRIu64 ",\"made_late\":%" PRIu64 ",\"duplicated\":%" PRIu64
           ",\"corrupted\":%" PRIu64 ",\"mean_rate_bps\":%.0f,\"queue_peak_packets\":%" PRIu32
           ",\"queue_peak_bytes\":%" PRIu64,
           s->fates[HF_PATH_REORDERED], s->fates[HF_PATH_LATE], s->fates[HF_PATH_DUPLICATED],
           s->fates[HF_PATH_CORRUPTED], mean_bps(way), s->queue_peak_packets, s->queue_peak_bytes);
    printf(",\"lateness_median_ns\":%" PRId64 ",\"lateness_p99_ns\":%" PRId64
           ",\"lateness_max_ns\":%" PRId64 ",\"lateness_limit_ns\":%" PRId64
           ",\"left_late\":%" PRIu64 ",\"left_late_share\":%.6f",
           hf_histogram_quantile(h, PPM / 2), hf_histogram_quantile(h, PPM / 100 * 99), h->max_ns,
           way->limit_ns, way->wrote.late, share(&way->wrote));
    printf(",\"read_late\":%" PRIu64 ",\"read_late_share\":%.6f,\"read_late_max_ns\":%" PRId64
           "}\n",
           way->read.late, share(&way->read), way->read.worst_ns);
}

void wire_report(const struct wire *w, bool json)
{
    static const char *const directions[WIRE_WAYS] = {"left-to-right", "right-to-left"};
    for (int i = 0; i < WIRE_WAYS; i++) {
        if (json)
            print_json(&w->ways[i], directions[i]);
        else
            print_text(&w->ways[i]);
    }
}
