/**
 * Arithmetic of the path model, in billionths of a bit and whole nanoseconds.
 */
#include "path_parts.h"

#include "core/base.h"

/* ---- token buckets ---- */

static int64_t work_of(uint64_t bytes)
{
    return (int64_t)bytes * HF_PATH_WORK_PER_BYTE;
}

void hf_path_tokens_init(struct hf_path_tokens *t, const struct hf_path_bucket *bucket, hf_ns now)
{
    *t = (struct hf_path_tokens){work_of(bucket->burst_bytes), now};
}

static void fill(struct hf_path_tokens *t, const struct hf_path_bucket *bucket, hf_ns now)
{
    if (now <= t->at_ns)
        return;
    int64_t missing = work_of(bucket->burst_bytes) - t->tokens;
    hf_ns span_ns = now - t->at_ns;
    if (span_ns > missing / bucket->rate_bps)
        t->tokens += missing;
    else
        t->tokens += span_ns * bucket->rate_bps;
    t->at_ns = now;
}

bool hf_path_tokens_take(struct hf_path_tokens *t, const struct hf_path_bucket *bucket,
                         uint32_t length_bytes, hf_ns now)
{
    fill(t, bucket, now);
    if (t->tokens < work_of(length_bytes))
        return false;
    t->tokens -= work_of(length_bytes);
    return true;
}

hf_ns hf_path_tokens_wait(struct hf_path_tokens *t, const struct hf_path_bucket *bucket,
                          uint32_t length_bytes, hf_ns now)
{
    fill(t, bucket, now);
    int64_t full = work_of(bucket->burst_bytes), need = work_of(length_bytes);
    int64_t missing = (need < full ? need : full) - t->tokens;
    if (missing > 0) {
        hf_ns wait_ns = missing / bucket->rate_bps + (missing % bucket->rate_bps != 0);
        now += wait_ns;
        fill(t, bucket, now);
    }
    t->tokens -= need;
    return now;
}

/* ---- the link ---- */

hf_ns hf_path_link_finish(const struct hf_path_config *config, hf_ns start_ns,
                          uint32_t length_bytes, hf_ns from_ns, int64_t *remainder)
{
    int64_t work = work_of(length_bytes) + *remainder, rate_bps = config->rate_bps;
    *remainder = 0;
    for (uint32_t i = 0; i < config->rate_change_count; i++) {
        const struct hf_path_rate_change *change = &config->rate_changes[i];
        hf_ns until_ns = start_ns + change->at_ns;
        if (until_ns > from_ns) {
            if (rate_bps == 0)
                return from_ns;
            hf_ns span_ns = until_ns - from_ns;
            if (work / rate_bps < span_ns)
                break;
            work -= span_ns * rate_bps;
            from_ns = until_ns;
        }
        rate_bps = change->rate_bps;
    }
    if (rate_bps == 0)
        return from_ns;
    *remainder = work % rate_bps;
    return from_ns + work / rate_bps;
}

/* ---- CoDel ---- */

/* The largest integer whose square is at most n, by digits of its binary form. */
static uint64_t root_of(uint64_t n)
{
    uint64_t root = 0;
    for (uint64_t bit = 1ull << 62; bit != 0; bit >>= 2) {
        if (n >= root + bit) {
            n -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
    }
    return root;
}

hf_ns hf_path_codel_step(hf_ns interval_ns, uint32_t count)
{
    HF_ASSERT(interval_ns <= HF_PATH_CODEL_MAX_NS && count > 0);
    return (hf_ns)root_of((uint64_t)interval_ns * (uint64_t)interval_ns / count);
}

/* ---- jitter ---- */

hf_ns hf_path_jitter_reach(const struct hf_path_config *config)
{
    return config->jitter_kind == HF_PATH_JITTER_NORMAL ? 3 * config->jitter_ns : config->jitter_ns;
}
