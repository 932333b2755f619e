/**
 * The works of `handfast wire`: two TUN devices joined by a path each way, in real time.
 *
 * A packet that is read is cut into segments, and each of them goes its own way through the path.
 * What arrives is written at its time. One thread does it all: reads what is there, writes what is
 * due, sleeps until the next packet is due or one comes.
 *
 * It says of itself when it is too slow: each packet has a time at which it was to be written, and
 * the distance to the instant at which it was is its lateness. More than 2 % of the path's delay
 * and 100 us counts as late. The same limit holds for how long a packet may have waited to be read.
 */
#ifndef HF_CLI_WIRE_H
#define HF_CLI_WIRE_H

#include <handfast/host.h>

#include "lab/histogram.h"
#include "lab/path.h"
#include "lab/world.h"

enum { WIRE_LEFT_TO_RIGHT, WIRE_RIGHT_TO_LEFT, WIRE_WAYS };

/** Packets of a time, and those of them that were late. */
struct wire_spell {
    uint64_t packets, late;
    hf_ns worst_ns;
};

struct wire;

/** One direction. */
struct wire_way {
    struct wire *wire;
    const char *name; /**< "left to right" */
    struct hf_link *from, *to;
    struct hf_path path;
    struct hf_path_slot *slots;
    hf_ns limit_ns;                            /**< of lateness */
    hf_ns empty_ns;                            /**< then nothing waited to be read */
    struct hf_histogram lateness;              /**< of all that were written */
    struct wire_spell read, wrote;             /**< of the whole run */
    struct wire_spell fresh_read, fresh_wrote; /**< since the last warning */
    hf_ns first_ns, last_ns;                   /**< of the arrivals */
    uint64_t rate_bytes;                       /**< that arrived behind the first one */
};

struct wire_config {
    const char *names[2]; /**< of the devices: left, right */
    struct hf_path_config paths[WIRE_WAYS];
    uint64_t seed;
    const char *record; /**< pcapng file of what arrives, or NULL */
    hf_ns duration_ns;  /**< HF_NEVER: until a signal comes */
};

struct wire {
    struct wire_way ways[WIRE_WAYS];
    struct hf_link *tun[2];               /**< left, right */
    struct hf_link *record;               /**< or NULL; fed with what arrives */
    struct hf_link tape;                  /**< its inner link */
    const struct hf_packet *tape_packets; /**< what it has to receive */
    size_t tape_count;
    struct hf_world frames; /**< only their pool */
    uint64_t held_bytes;    /**< in frames */
    hf_ns duration_ns;
    hf_ns wake_ns;    /**< how long a sleep lasts over its time, as learned */
    hf_ns warn_at_ns; /**< no warning before this */
    int signal_fd;
};

/** Makes both devices, and what else is needed. On failure nothing is left. */
HF_MUST_CHECK int wire_open(struct wire *w, const struct wire_config *cfg, struct hf_why *why);
/** Carries packets until SIGINT, SIGTERM or the end of the duration. */
HF_MUST_CHECK int wire_run(struct wire *w, struct hf_why *why);
/** Says what was too late since the last time, at most once a second. Returns when it has something
 *  to say that it had to keep back; HF_NEVER: nothing. */
hf_ns wire_warn(struct wire *w, hf_ns now);
/** The summary on stdout: text, or a JSON object a direction. */
void wire_report(const struct wire *w, bool json);
void wire_close(struct wire *w);

#endif
