/**
 * All packets of a script's run, both ways, in the order in which they passed. What the stack sent
 * waits here until the script comes to it.
 */
#ifndef HF_LAB_DRILL_LOG_H
#define HF_LAB_DRILL_LOG_H

#include <handfast/handfast.h>

struct hf_logged {
    hf_ns at_ns; /**< since the script's start */
    bool outbound;
    uint8_t *bytes;
    uint32_t length_bytes;
};

struct hf_drill_log {
    struct hf_logged *packets;
    size_t count, capacity;
    size_t next; /**< the first that the script has not come to */
    uint64_t bytes;
};

enum { HF_LOG_MAX_BYTES = 256 * 1024 * 1024 };

/** Adds a copy; false without memory, or beyond HF_LOG_MAX_BYTES: a stack that never falls
 *  silent. */
bool hf_log_add(struct hf_drill_log *log, hf_ns at_ns, bool outbound, const uint8_t *bytes,
                uint32_t length_bytes);
/** The next outbound packet that the script has not come to, or NULL; it stays until the log's
 *  end. */
const struct hf_logged *hf_log_next(struct hf_drill_log *log);
void hf_log_free(struct hf_drill_log *log);

#endif
