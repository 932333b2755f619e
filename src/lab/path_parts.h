/**
 * Parts of the path model that are plain arithmetic: token buckets, the time on the link, CoDel's
 * control law. All exact: what is less than a nanosecond is carried on and never lost.
 */
#ifndef HF_LAB_PATH_PARTS_H
#define HF_LAB_PATH_PARTS_H

#include "path.h"

/** Billionths of a bit in a byte: work at a rate of r bits a second is done at r of them a
 *  nanosecond. */
#define HF_PATH_WORK_PER_BYTE (8 * HF_SEC(1))

/** A full bucket. */
void hf_path_tokens_init(struct hf_path_tokens *t, const struct hf_path_bucket *bucket, hf_ns now);
/** Takes tokens for a packet if there are enough at this instant. */
bool hf_path_tokens_take(struct hf_path_tokens *t, const struct hf_path_bucket *bucket,
                         uint32_t length_bytes, hf_ns now);
/** Takes tokens for a packet as soon as there are enough, and says when, not before now. A packet
 *  larger than the bucket leaves when that is full, and the bucket owes the rest. */
hf_ns hf_path_tokens_wait(struct hf_path_tokens *t, const struct hf_path_bucket *bucket,
                          uint32_t length_bytes, hf_ns now);

/**
 * When a packet has left the link whose first bit enters it at from_ns and *remainder: in, by how
 * much later than from_ns in fact, in billionths of a bit at the rate of that instant; out, the
 * same for the result. start_ns is what the rate changes count from.
 */
hf_ns hf_path_link_finish(const struct hf_path_config *config, hf_ns start_ns,
                          uint32_t length_bytes, hf_ns from_ns, int64_t *remainder);

/** The control law: interval / sqrt(count), rounded down [RFC8289#5]; interval_ns is at most
 *  HF_PATH_CODEL_MAX_NS, count > 0. */
hf_ns hf_path_codel_step(hf_ns interval_ns, uint32_t count);

/** The most that jitter adds to a delay, or takes away from it. */
hf_ns hf_path_jitter_reach(const struct hf_path_config *config);

#endif
