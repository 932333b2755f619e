/**
 * What came of scripts, for people or as JSON lines:
 *
 *     pass 0.4 ms tests/drill/scripts/half_close.pkt
 *     FAIL tests/drill/scripts/late.pkt:12
 *     skip scripts/tfo.pkt:3: --udp_encapsulation: this option is not supported
 *     17 passed, 1 failed, 1 skipped
 */
#ifndef HF_LAB_DRILL_REPORT_H
#define HF_LAB_DRILL_REPORT_H

#include "runner.h"
#include "show/text.h"

struct hf_report {
    hf_sink_fn *sink;
    void *sink_ctx;
    bool json;
    bool verbose; /**< every packet of every script */
    unsigned passed, failed, skipped;
};

/** Tells a result; wall_ns is what the script took. */
void hf_report_add(struct hf_report *r, const char *path, const struct hf_drill_result *result,
                   hf_ns wall_ns);
/** The last line, of text. */
void hf_report_end(struct hf_report *r);

/* ---- pieces of it, for other reports ------------------------------------------------------ */

void hf_report_say(struct hf_report *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/** What was expected, what came, and the states, of a failure. */
void hf_report_failure(struct hf_report *r, const struct hf_drill_result *result);
/** Draws the packets from..to-1 of a run, by the script's clock; `left` is who it ran against. */
void hf_report_draw(struct hf_report *r, const struct hf_drill_log *log, size_t from, size_t to,
                    const char *left);
/** Members of a JSON object: what became of a script; and which one, unless path is NULL. */
void hf_report_json(struct hf_report *r, const char *path, const struct hf_drill_result *result);
/** A further member of a JSON object. */
void hf_report_json_text(struct hf_report *r, const char *name, const char *text);

#endif
