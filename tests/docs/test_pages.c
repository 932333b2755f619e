/* The reference pages docs/TRACE.md and docs/SETTINGS.md are made here, from the lists that the
 * code itself is made of, and compared with what is in the tree. script/docs writes them anew: it
 * runs this program with HF_DOCS_WRITE=1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <handfast/handfast.h>

enum { PAGE_BYTES = 128 * 1024 };

struct page {
    char text[PAGE_BYTES];
    size_t length_bytes;
};

static void add(struct page *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct page *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(p->text + p->length_bytes, PAGE_BYTES - p->length_bytes, format, args);
    va_end(args);
    assert_true(n >= 0 && (size_t)n < PAGE_BYTES - p->length_bytes);
    p->length_bytes += (size_t)n;
}

/* ---- comparing ---------------------------------------------------------------------------- */

static size_t lines_before(const char *text, size_t at)
{
    size_t lines = 1;
    for (size_t i = 0; i < at; i++)
        lines += text[i] == '\n';
    return lines;
}

static void write_page(const char *path, const struct page *p)
{
    FILE *f = fopen(path, "w");
    if (f == NULL) {
        fail_msg("%s: %s", path, strerror(errno));
        return;
    }
    assert_int_equal(fwrite(p->text, 1, p->length_bytes, f), p->length_bytes);
    assert_int_equal(fclose(f), 0);
}

static void check_page(const char *name, const struct page *p)
{
    static char there[PAGE_BYTES];
    char path[4096];
    snprintf(path, sizeof path, "%s/docs/%s", HF_SOURCE_DIR, name);
    if (getenv("HF_DOCS_WRITE") != NULL) {
        write_page(path, p);
        return;
    }
    FILE *f = fopen(path, "r");
    if (f == NULL) {
        fail_msg("%s: %s; script/docs makes it", path, strerror(errno));
        return;
    }
    size_t n = fread(there, 1, sizeof there - 1, f);
    fclose(f);
    there[n] = '\0';
    size_t same = 0;
    while (same < n && there[same] == p->text[same])
        same++;
    if (n != p->length_bytes || same != n)
        fail_msg("docs/%s:%zu is not what the code says now; script/docs makes it anew", name,
                 lines_before(there, same));
}

/* ---- docs/TRACE.md ------------------------------------------------------------------------ */

static const char trace_head[] =
    "# Trace events and reasons\n"
    "\n"
    "<!-- Made from include/handfast/events.h by script/docs. Do not edit. -->\n"
    "\n"
    "A stack tells what it does by trace events. Set `trace` and `trace_ctx` in `struct hf_env`;\n"
    "the function gets a `struct hf_trace_event` for each. Without a function the cost is one "
    "branch\n"
    "an event. Each event has a type and a reason. A reason is counted whether or not anybody\n"
    "listens: `hf_stack_count(stack, HF_DROP_PAWS)`.\n"
    "\n"
    "What every event carries: the instant (`now_ns`), the connection's handle (0 if there is "
    "none),\n"
    "the local and the remote endpoint, the state (`from` and `to` of a state change), and the\n"
    "segment, if it is about one.\n"
    "\n"
    "## Events\n"
    "\n"
    "The identifier is the name in capitals with `HF_TRACE_` before it. The numbers are the "
    "fields\n"
    "`a` and `b`.\n"
    "\n"
    "| name | what happened | `a` | `b` |\n"
    "|---|---|---|---|\n";

/* A group of reasons: those whose names begin with the word. The first group that fits counts. */
struct group {
    const char *prefix;
    const char *title;
    const char *text;
};

static const struct group groups[] = {
    {"WHY_", "State changes", "Reasons of `state` and `admit`."},
    {"DROP_", "Drops",
     "Reasons of `drop`: the packet changed nothing but this counter, and whatever answer it "
     "drew."},
    {"RST_IN_", "RSTs received", "Reasons of `rst_in`."},
    {"RST_", "RSTs sent", "Reasons of `rst_out`."},
    {"ACK_", "ACKs out of turn", "Reasons of `ack_out`."},
    {"TIMER_", "Timers", "Reasons of `timer`."},
    {"RETRANSMIT_", "Retransmissions", "Reasons of `retransmit`."},
    {"PROBE_", "Probes", "Reasons of `retransmit` that send nothing of the stream again."},
    {"WINDOW_", "Windows", "Reasons of `window`."},
    {"LIMIT_", "Limits", "Reasons of `limit`."},
    {"ICMP_", "ICMP", "Reasons of `icmp_in`."},
    {"RTT_", "Round trips", "Reasons of `rtt`."},
    {"", "Others", "Reasons that belong to no group."},
};

enum { GROUPS = sizeof groups / sizeof groups[0] };

static size_t group_of(const char *reason)
{
    size_t g = 0;
    while (strncmp(reason, groups[g].prefix, strlen(groups[g].prefix)) != 0)
        g++;
    return g; /* the last one fits all */
}

static const char *const number_names[HF_TRACE_COUNT][2] = {
#define NUMBERS(NAME, name, a, b, text) [HF_TRACE_##NAME] = {a, b},
    HF_TRACE_LIST(NUMBERS)
#undef NUMBERS
};

static const char *const trace_texts[HF_TRACE_COUNT] = {
#define TEXT(NAME, name, a, b, text) [HF_TRACE_##NAME] = text,
    HF_TRACE_LIST(TEXT)
#undef TEXT
};

static void add_number_name(struct page *p, const char *name)
{
    if (name[0] == '\0')
        add(p, " |");
    else
        add(p, " `%s` |", name);
}

static void add_group(struct page *p, size_t g)
{
    add(p, "\n## %s\n\n%s\n\n| reason | meaning |\n|---|---|\n", groups[g].title, groups[g].text);
    for (int r = 0; r < HF_REASON_COUNT; r++) {
        const char *name = hf_reason_name((enum hf_reason)r);
        if (group_of(name) == g)
            add(p, "| `HF_%s` | %s |\n", name, hf_reason_text((enum hf_reason)r));
    }
}

static void add_outcomes(struct page *p)
{
    static const char *const names[HF_CLOSED_COUNT] = {
#define NAME(NAME_, text) [HF_CLOSED_##NAME_] = #NAME_,
        HF_CLOSED_LIST(NAME)
#undef NAME
    };
    add(p, "\n## How a connection ends\n\n"
           "`how` of `closed`, of the event `HF_EV_CLOSED`, and of `hf_info`.\n\n"
           "| outcome | meaning |\n|---|---|\n");
    for (int how = 0; how < HF_CLOSED_COUNT; how++)
        add(p, "| `HF_CLOSED_%s` | %s |\n", names[how], hf_closed_text((enum hf_closed)how));
}

static void trace_page_is_current(void **state)
{
    static struct page p;
    (void)state;
    add(&p, "%s", trace_head);
    for (int t = 0; t < HF_TRACE_COUNT; t++) {
        add(&p, "| `%s` | %s |", hf_trace_name((enum hf_trace)t), trace_texts[t]);
        add_number_name(&p, number_names[t][0]);
        add_number_name(&p, number_names[t][1]);
        add(&p, "\n");
    }
    for (size_t g = 0; g < GROUPS; g++)
        add_group(&p, g);
    add_outcomes(&p);
    check_page("TRACE.md", &p);
}

/* ---- docs/SETTINGS.md --------------------------------------------------------------------- */

static const char settings_head[] =
    "# Settings\n"
    "\n"
    "<!-- Made from the table in src/core/config.c by script/docs. Do not edit. -->\n"
    "\n"
    "The fields of `struct hf_config`. `hf_config_init` fills one with the profile *default*,\n"
    "`hf_config_profile` with another; `hf_config_set` changes a field by its name. "
    "`hf_stack_new`\n"
    "refuses what is out of range, and `hf_config_check` names the setting. `handfast --profiles`\n"
    "prints the same table; the commands take `--profile NAME` and `--set NAME=VALUE`.\n"
    "\n"
    "- *rfc* does what the RFCs recommend.\n"
    "- *default* is for today's networks.\n"
    "- *linux* and *freebsd* show a peer the timing and the options of those systems.\n"
    "\n"
    "All values are 64-bit integers. Times are in nanoseconds; the table writes them with a unit, "
    "and\n"
    "`hf_config_set` takes the plain number. `--set` takes units too: `msl_ns=2.5s`, "
    "`pool_bytes=16M`,\n"
    "`nagle=off`.\n"
    "\n"
    "| setting | rfc | default | linux | freebsd | least | most | unit | meaning |\n"
    "|---|--:|--:|--:|--:|--:|--:|---|---|\n";

/* A time in the largest unit that leaves a whole number. */
static void add_time(struct page *p, int64_t ns)
{
    static const struct {
        int64_t ns;
        const char *name;
    } units[] = {{HF_SEC(86400), "d"}, {HF_SEC(3600), "h"}, {HF_SEC(1), "s"},
                 {HF_MS(1), "ms"},     {HF_US(1), "us"},    {1, "ns"}};
    size_t u = 0;
    while (ns % units[u].ns != 0)
        u++;
    if (ns == 0)
        add(p, " 0 |");
    else
        add(p, " %" PRId64 " %s |", ns / units[u].ns, units[u].name);
}

static void add_value(struct page *p, const struct hf_setting *s, int64_t value)
{
    if (strcmp(s->unit, "ns") == 0)
        add_time(p, value);
    else
        add(p, " %" PRId64 " |", value);
}

static void settings_page_is_current(void **state)
{
    static struct page p;
    (void)state;
    add(&p, "%s", settings_head);
    const struct hf_setting *s;
    for (size_t i = 0; (s = hf_setting_at(i)) != NULL; i++) {
        add(&p, "| `%s` |", s->name);
        for (int profile = 0; profile < HF_PROFILE_COUNT; profile++)
            add_value(&p, s, s->value[profile]);
        add_value(&p, s, s->min);
        add_value(&p, s, s->max);
        add(&p, " %s | %s |\n", s->unit, s->text);
    }
    check_page("SETTINGS.md", &p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trace_page_is_current),
        cmocka_unit_test(settings_page_is_current),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
