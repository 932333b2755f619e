/**
 * Two results of a script, side by side.
 */
#include "compare.h"

enum { ROWS = 10 };

enum hf_compare_verdict hf_compare_verdict(const struct hf_drill_result results[2])
{
    const struct hf_drill_result *a = &results[0], *b = &results[1];
    if (a->outcome == HF_DRILL_SKIPPED || b->outcome == HF_DRILL_SKIPPED)
        return HF_COMPARE_SKIPPED;
    if (a->outcome == HF_DRILL_PASSED && b->outcome == HF_DRILL_PASSED)
        return HF_COMPARE_SAME;
    return a->outcome == b->outcome && a->place.line == b->place.line ? HF_COMPARE_BOTH_FAIL
                                                                      : HF_COMPARE_DIFFER;
}

/* ---- text --------------------------------------------------------------------------------- */

static void say_outcome(struct hf_report *r, const char *name, const struct hf_drill_result *result)
{
    if (result->outcome == HF_DRILL_FAILED)
        hf_report_say(r, "    %-10sfailed at line %u\n", name, result->place.line);
    else
        hf_report_say(r, "    %-10spassed\n", name);
}

/** What both sent up to where the one that got less far failed. */
static void draw_both(struct hf_compare *c, const struct hf_drill_result results[2])
{
    struct hf_report *r = &c->report;
    size_t to = 0;
    for (int i = 0; i < 2; i++)
        if (results[i].outcome == HF_DRILL_FAILED && (to == 0 || results[i].log.count < to))
            to = results[i].log.count;
    for (int i = 0; i < 2; i++) {
        size_t end = results[i].log.count < to ? results[i].log.count : to;
        size_t from = r->verbose || end < ROWS ? 0 : end - ROWS;
        if (r->verbose)
            end = results[i].log.count;
        if (end > 0)
            hf_report_draw(r, &results[i].log, from, end, c->names[i]);
    }
}

static void say_skip(struct hf_compare *c, const char *path,
                     const struct hf_drill_result results[2])
{
    int i = results[0].outcome == HF_DRILL_SKIPPED ? 0 : 1;
    if (results[i].place.line > 0)
        hf_report_say(&c->report, "skip   %s:%u: %s: %s\n", path, results[i].place.line,
                      c->names[i], results[i].got);
    else
        hf_report_say(&c->report, "skip   %s: %s: %s\n", path, c->names[i], results[i].got);
}

static void say_text(struct hf_compare *c, const char *path, enum hf_compare_verdict verdict,
                     const struct hf_drill_result results[2])
{
    struct hf_report *r = &c->report;
    switch (verdict) {
    case HF_COMPARE_SAME:
        hf_report_say(r, "same   %s\n", path);
        if (r->verbose)
            draw_both(c, results);
        return;
    case HF_COMPARE_SKIPPED: say_skip(c, path, results); return;
    case HF_COMPARE_DIFFER: hf_report_say(r, "DIFFER %s\n", path); break;
    case HF_COMPARE_BOTH_FAIL: hf_report_say(r, "FAIL   %s\n", path); break;
    }
    for (int i = 0; i < 2; i++) {
        say_outcome(r, c->names[i], &results[i]);
        if (results[i].outcome == HF_DRILL_FAILED)
            hf_report_failure(r, &results[i]);
    }
    draw_both(c, results);
}

/* ---- JSON --------------------------------------------------------------------------------- */

static void say_json(struct hf_compare *c, const char *path, enum hf_compare_verdict verdict,
                     const struct hf_drill_result results[2])
{
    static const char *const verdicts[] = {[HF_COMPARE_SAME] = "same",
                                           [HF_COMPARE_DIFFER] = "differ",
                                           [HF_COMPARE_BOTH_FAIL] = "both fail",
                                           [HF_COMPARE_SKIPPED] = "skip"};
    struct hf_report *r = &c->report;
    hf_report_say(r, "{\"verdict\":\"%s\"", verdicts[verdict]);
    hf_report_json_text(r, "script", path);
    for (int i = 0; i < 2; i++) {
        if (i == 1 && results[0].outcome == HF_DRILL_SKIPPED)
            break;
        hf_report_say(r, ",\"%s\":{", c->names[i]);
        hf_report_json(r, NULL, &results[i]);
        hf_report_say(r, "}");
    }
    hf_report_say(r, "}\n");
}

void hf_compare_add(struct hf_compare *c, const char *path, const struct hf_drill_result results[2])
{
    enum hf_compare_verdict verdict = hf_compare_verdict(results);
    c->counts[verdict]++;
    if (c->report.json)
        say_json(c, path, verdict, results);
    else
        say_text(c, path, verdict, results);
}

void hf_compare_end(struct hf_compare *c)
{
    if (!c->report.json)
        hf_report_say(&c->report, "%u same, %u differ, %u fail on both, %u skipped\n",
                      c->counts[HF_COMPARE_SAME], c->counts[HF_COMPARE_DIFFER],
                      c->counts[HF_COMPARE_BOTH_FAIL], c->counts[HF_COMPARE_SKIPPED]);
}
