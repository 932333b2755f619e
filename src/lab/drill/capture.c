/**
 * Packets of scripts in a file.
 */
#include "capture.h"

#include "show/pcapng.h"

enum { BLOCK_BYTES = 80 * 1024 };

/** Scripts stand a second apart. */
#define PAUSE_NS HF_SEC(1)

static void put(const struct hf_capture *c, const uint8_t *bytes, size_t n)
{
    c->sink(c->sink_ctx, (const char *)bytes, n);
}

void hf_capture_add(struct hf_capture *c, const char *name, const struct hf_drill_log *log,
                    hf_ns span_ns)
{
    uint8_t block[BLOCK_BYTES];
    if (c->interfaces == 0)
        put(c, block, hf_pcapng_section(block, sizeof block, "handfast drill", NULL));
    put(c, block, hf_pcapng_interface(block, sizeof block, HF_PCAPNG_LINKTYPE_RAW, name));
    for (size_t i = 0; i < log->count; i++) {
        const struct hf_logged *p = &log->packets[i];
        struct hf_slice slice = {p->bytes, p->length_bytes};
        struct hf_pcapng_packet packet = {
            .interface = c->interfaces,
            .time_ns = c->base_ns + p->at_ns,
            .direction = p->outbound ? HF_PCAPNG_OUT : HF_PCAPNG_IN,
            .slices = &slice,
            .slice_count = 1,
        };
        put(c, block, hf_pcapng_packet(block, sizeof block, &packet));
    }
    c->interfaces++;
    c->base_ns += span_ns + PAUSE_NS;
}
