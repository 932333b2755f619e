/**
 * The packets of scripts as one pcapng file: an interface a script, named by its path; the scripts
 * one after the other in time.
 */
#ifndef HF_LAB_DRILL_CAPTURE_H
#define HF_LAB_DRILL_CAPTURE_H

#include "log.h"
#include "show/text.h"

/** Zero it but for the sink. */
struct hf_capture {
    hf_sink_fn *sink; /**< takes the file's bytes */
    void *sink_ctx;
    uint32_t interfaces;
    hf_ns base_ns; /**< when the next script begins */
};

void hf_capture_add(struct hf_capture *c, const char *name, const struct hf_drill_log *log,
                    hf_ns span_ns);

#endif
