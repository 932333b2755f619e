/**
 * The packets of a run.
 */
#include "log.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 64 };

static bool make_room(struct hf_drill_log *log)
{
    if (log->count < log->capacity)
        return true;
    size_t capacity = log->capacity == 0 ? FIRST_CAPACITY : 2 * log->capacity;
    struct hf_logged *packets = realloc(log->packets, capacity * sizeof *packets);
    if (packets == NULL)
        return false;
    log->packets = packets;
    log->capacity = capacity;
    return true;
}

bool hf_log_add(struct hf_drill_log *log, hf_ns at_ns, bool outbound, const uint8_t *bytes,
                uint32_t length_bytes)
{
    if (log->bytes + length_bytes > HF_LOG_MAX_BYTES || !make_room(log))
        return false;
    struct hf_logged *packet = &log->packets[log->count];
    *packet = (struct hf_logged){at_ns, outbound, malloc(length_bytes), length_bytes};
    if (packet->bytes == NULL)
        return false;
    memcpy(packet->bytes, bytes, length_bytes);
    log->count++;
    log->bytes += length_bytes;
    return true;
}

const struct hf_logged *hf_log_next(struct hf_drill_log *log)
{
    while (log->next < log->count) {
        const struct hf_logged *packet = &log->packets[log->next++];
        if (packet->outbound)
            return packet;
    }
    return NULL;
}

void hf_log_free(struct hf_drill_log *log)
{
    for (size_t i = 0; i < log->count; i++)
        free(log->packets[i].bytes);
    free(log->packets);
    *log = (struct hf_drill_log){0};
}
