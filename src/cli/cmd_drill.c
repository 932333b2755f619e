/**
 * handfast drill: runs packet scripts against the stack in virtual time, against the kernel in real
 * time, or against both and tells where they differ.
 */
#include "cli.h"

#include <argp.h>
#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base.h"
#include "drill_kernel.h"
#include "host/output.h"
#include "lab/drill/capture.h"
#include "lab/drill/compare.h"
#include "lab/drill/report.h"
#include "show/settings.h"

enum {
    KEY_PROFILE = 0x100,
    KEY_SET,
    KEY_MATCH,
    KEY_JSON,
    KEY_PCAP,
    KEY_PYTHON,
    KEY_AGAINST,
    KEY_COMPARE,
    KEY_MAX_TIME,
    KEY_TOLERANCE
};

enum { DEFINES_MAX = 64 };

/** How long a script may take in real time, unless --max-time says; and what the kernel has beyond
 *  the time that the stack took. */
enum { MAX_TIME_S = 30, TIME_LIMIT = 1000000, KERNEL_TRIES = 3 };
#define GRACE_NS HF_SEC(2)

struct options {
    struct hf_drill_config config;
    struct hf_script_define defines[DEFINES_MAX];
    struct hf_drill_setting settings[HF_SETS_MAX];
    const char *pcap;
    bool json, verbose;
    bool kernel;       /**< against it */
    bool compare;      /**< stack and kernel */
    bool has_settings; /**< that are for the stack */
    char **paths;      /**< NULL-terminated */
};

struct drill {
    const struct options *options;
    struct hf_report report;
    struct hf_compare compare;
    struct hf_drill_kernel *kernel; /**< NULL: not asked for */
    struct hf_drill_ground ground;
    struct hf_capture capture;
    FILE *pcap;
    bool is_unreadable; /**< a path could not be read */
};

/* ---- one script --------------------------------------------------------------------------- */

static void put(void *ctx, const char *text, size_t length_bytes)
{
    (void)!fwrite(text, 1, length_bytes, ctx);
}

static hf_ns wall_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return HF_SEC(t.tv_sec) + t.tv_nsec;
}

/** Reads a file; NULL, with a word said, if that fails. */
static char *read_script(const char *path, size_t *length_bytes)
{
    FILE *file = fopen(path, "re");
    char *text = malloc(HF_SCRIPT_MAX_BYTES + 1);
    bool is_read = false;
    if (file == NULL || text == NULL) {
        hf_say("%s: %s", path, strerror(errno));
    } else {
        *length_bytes = fread(text, 1, HF_SCRIPT_MAX_BYTES + 1, file);
        is_read = !ferror(file) && *length_bytes <= HF_SCRIPT_MAX_BYTES;
        if (!is_read)
            hf_say("%s: %s", path, ferror(file) ? strerror(errno) : "too large for a script");
    }
    if (file != NULL)
        fclose(file);
    if (is_read)
        return text;
    free(text);
    return NULL;
}

static void capture(struct drill *d, const char *path, const struct hf_drill_result *result)
{
    if (d->pcap != NULL)
        hf_capture_add(&d->capture, path, &result->log, result->span_ns);
}

/** A machine that is busy elsewhere misses times, but hardly the same one again and again. */
static void run_on_kernel(struct drill *d, const struct hf_drill_config *config, const char *text,
                          size_t length_bytes, struct hf_drill_result *result)
{
    struct hf_drill_config there = *config;
    there.ground = &d->ground;
    for (int i = 1;; i++) {
        hf_drill_text(result, text, length_bytes, &there);
        if (!result->by_time || i == KERNEL_TRIES)
            return;
        hf_drill_result_free(result);
    }
}

static void run_one(struct drill *d, const char *path, const char *text, size_t length_bytes)
{
    struct hf_drill_result result;
    hf_ns before_ns = wall_now();
    if (d->kernel != NULL)
        run_on_kernel(d, &d->options->config, text, length_bytes, &result);
    else
        hf_drill_text(&result, text, length_bytes, &d->options->config);
    hf_report_add(&d->report, path, &result, wall_now() - before_ns);
    capture(d, path, &result);
    hf_drill_result_free(&result);
}

/** Where the stack passed it is known how long the script takes: what the kernel has not sent a
 *  while later does not come. */
static void run_both(struct drill *d, const char *path, const char *text, size_t length_bytes)
{
    struct hf_drill_config config = d->options->config;
    struct hf_drill_result results[2] = {0};
    config.limit_ns = 0; /* virtual time may be long */
    hf_drill_text(&results[0], text, length_bytes, &config);
    config.limit_ns = d->options->config.limit_ns;
    if (results[0].outcome != HF_DRILL_SKIPPED) {
        if (results[0].outcome == HF_DRILL_PASSED && results[0].span_ns < config.limit_ns)
            config.limit_ns = hf_min_ns(config.limit_ns, 2 * results[0].span_ns + GRACE_NS);
        run_on_kernel(d, &config, text, length_bytes, &results[1]);
    }
    hf_compare_add(&d->compare, path, results);
    for (int i = 0; i < 2; i++) {
        capture(d, path, &results[i]);
        hf_drill_result_free(&results[i]);
    }
}

static void run_script(struct drill *d, const char *path)
{
    size_t length_bytes;
    char *text = read_script(path, &length_bytes);
    if (text == NULL)
        d->is_unreadable = true;
    else if (d->options->compare)
        run_both(d, path, text, length_bytes);
    else
        run_one(d, path, text, length_bytes);
    /* Whoever reads along sees a script as it ends: in real time that matters. */
    (void)fflush(stdout);
    free(text);
}

/* ---- all of them -------------------------------------------------------------------------- */

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

/** Who names a path wants it run, be it a pipe; of a directory it is files by their name. */
static bool is_script(const FTSENT *entry)
{
    const char *dot = strrchr(entry->fts_name, '.');
    if (entry->fts_level == FTS_ROOTLEVEL)
        return true;
    return entry->fts_info != FTS_DEFAULT && dot != NULL && strcmp(dot, ".pkt") == 0;
}

static void say_unreadable(struct drill *d, const FTSENT *entry)
{
    hf_say("%s: %s", entry->fts_path, strerror(entry->fts_errno));
    d->is_unreadable = true;
}

static void visit(struct drill *d, const FTSENT *entry)
{
    switch (entry->fts_info) {
    case FTS_F:
    case FTS_DEFAULT: /* a pipe, a device */
    case FTS_SLNONE:  /* a link that leads nowhere: to open it says so */
        if (is_script(entry))
            run_script(d, entry->fts_path);
        return;
    case FTS_NS:
    case FTS_DNR:
    case FTS_ERR: say_unreadable(d, entry); return;
    default: return; /* open-ended: what is no file, or was seen */
    }
}

static void walk(struct drill *d)
{
    FTS *tree = fts_open(d->options->paths, FTS_LOGICAL | FTS_NOCHDIR, by_name);
    FTSENT *entry;
    if (tree == NULL) {
        hf_say("%s", strerror(errno));
        d->is_unreadable = true;
        return;
    }
    while ((entry = fts_read(tree)) != NULL)
        visit(d, entry);
    fts_close(tree);
}

static bool close_file(FILE *file, const char *name)
{
    bool is_good = !ferror(file);
    if (fclose(file) != 0 || !is_good) {
        hf_say("%s: %s", name, strerror(errno));
        return false;
    }
    return true;
}

static bool open_pcap(struct drill *d, const char *name)
{
    if (name == NULL)
        return true;
    int fd = hf_output_open(name);
    d->pcap = fd < 0 ? NULL : fdopen(fd, "w");
    if (d->pcap == NULL) {
        hf_say("%s: %s", name, errno == EEXIST ? HF_OUTPUT_IN_THE_WAY : strerror(errno));
        return false;
    }
    d->capture = (struct hf_capture){.sink = put, .sink_ctx = d->pcap};
    return true;
}

/** Says at once, rather than once a script, that the kernel can't be had. */
static bool open_kernel(struct drill *d, struct hf_drill_kernel *kernel)
{
    struct hf_why why = {.text = ""};
    if (!d->options->kernel && !d->options->compare)
        return true;
    d->kernel = kernel;
    hf_drill_kernel_ground(kernel, &d->ground);
    if (hf_drill_kernel_try(kernel, &why) == HF_OK)
        return true;
    hf_say("scripts can't run against the kernel: %s", why.text);
    return false;
}

/** Counts, says the last line; the exit code as far as scripts go. */
static int conclude(struct drill *d)
{
    const unsigned *counts = d->compare.counts;
    unsigned total = d->report.passed + d->report.failed + d->report.skipped;
    unsigned bad = d->report.failed;
    if (d->options->compare) {
        bad = counts[HF_COMPARE_DIFFER] + counts[HF_COMPARE_BOTH_FAIL];
        total = bad + counts[HF_COMPARE_SAME] + counts[HF_COMPARE_SKIPPED];
        hf_compare_end(&d->compare);
    } else {
        hf_report_end(&d->report);
    }
    if (total == 0 && !d->is_unreadable)
        hf_say("no script (*.pkt) in these directories");
    if (bad > 0)
        return HF_EXIT_FAILED;
    return d->is_unreadable || total == 0 ? HF_EXIT_USAGE : HF_EXIT_DONE;
}

static int run(const struct options *o)
{
    static struct hf_drill_kernel kernel;
    const struct hf_report report = {
        .sink = put, .sink_ctx = stdout, .json = o->json, .verbose = o->verbose};
    struct drill d = {
        .options = o,
        .report = report,
        .compare = {.report = report, .names = {"core", "linux"}},
    };
    /* The kernel first: where it can't be had, nothing is written. */
    if (!open_kernel(&d, &kernel) || !open_pcap(&d, o->pcap))
        return HF_EXIT_FAILED;
    walk(&d);
    int code = conclude(&d);
    bool is_kept = d.pcap == NULL || close_file(d.pcap, o->pcap);
    return code == HF_EXIT_DONE && !is_kept ? HF_EXIT_FAILED : code;
}

/* ---- the command line --------------------------------------------------------------------- */

/** Cuts NAME=VALUE in two; returns the value. */
static char *split(char *arg, const char *option, struct argp_state *state)
{
    char *equals = strchr(arg, '=');
    if (equals == NULL || equals == arg) {
        argp_error(state, "%s wants NAME=VALUE, not '%s'", option, arg);
        return arg;
    }
    *equals = '\0';
    return equals + 1;
}

static void add_setting(struct options *o, char *arg, struct argp_state *state)
{
    struct hf_config scratch;
    char why[HF_FAULT_TEXT_BYTES];
    int64_t value = 0;
    hf_config_init(&scratch, sizeof scratch);
    if (hf_setting_read(&scratch, arg, why) != HF_OK)
        argp_error(state, "--set: %s", why);
    (void)split(arg, "--set", state);
    if (hf_config_get(&scratch, arg, &value) != HF_OK || o->config.setting_count == HF_SETS_MAX)
        argp_error(state, "--set: at most %d of them", HF_SETS_MAX);
    o->settings[o->config.setting_count++] = (struct hf_drill_setting){arg, value};
}

static void add_define(struct options *o, char *arg, struct argp_state *state)
{
    const char *value = split(arg, "-D", state);
    if (o->config.define_count == DEFINES_MAX)
        argp_error(state, "more than %d definitions", DEFINES_MAX);
    else
        o->defines[o->config.define_count++] = (struct hf_script_define){arg, value};
}

static void set_match(struct options *o, const char *name, struct argp_state *state)
{
    if (strcmp(name, "strict") == 0)
        o->config.match = HF_DRILL_STRICT;
    else if (strcmp(name, "semantic") == 0)
        o->config.match = HF_DRILL_SEMANTIC;
    else
        argp_error(state, "--match is strict or semantic, not '%s'", name);
}

static void set_against(struct options *o, const char *name, struct argp_state *state)
{
    o->kernel = strcmp(name, "linux") == 0;
    if (!o->kernel && strcmp(name, "core") != 0)
        argp_error(state, "--against is core or linux, not '%s'", name);
}

/** A number above 0, in some unit. */
static hf_ns read_time(const char *option, const char *unit, hf_ns unit_ns, const char *text,
                       struct argp_state *state)
{
    char *end;
    double number = strtod(text, &end);
    if (end == text || *end != '\0' || !(number > 0 && number <= TIME_LIMIT))
        argp_error(state, "%s wants %s, not '%s'", option, unit, text);
    return (hf_ns)(number * (double)unit_ns);
}

/** Settings that contradict each other whatever a script says: each would be skipped. */
static void check_settings(const struct options *o, struct argp_state *state)
{
    struct hf_config scratch;
    char why[HF_FAULT_TEXT_BYTES];
    hf_config_profile(&scratch, sizeof scratch, o->config.profile);
    for (size_t i = 0; i < o->config.setting_count; i++)
        if (hf_config_set(&scratch, o->settings[i].name, o->settings[i].value) != HF_OK)
            argp_error(state, "--set: %s is out of its range", o->settings[i].name);
    if (hf_config_fault_text(&scratch, why))
        argp_error(state, "%s", why);
}

/** What goes together, once all is read. */
static void check(struct options *o, struct argp_state *state)
{
    if (o->kernel && o->compare)
        argp_error(state, "--compare runs scripts against both: no --against with it");
    if (o->kernel && o->has_settings)
        argp_error(state, "--profile and --set are for the stack, not for the kernel");
    check_settings(o, state);
    if ((o->kernel || o->compare) && o->config.limit_ns == 0)
        o->config.limit_ns = HF_SEC(MAX_TIME_S);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    switch (key) {
    case KEY_PROFILE:
        o->config.profile = hf_take_profile(arg, state);
        o->has_settings = true;
        return 0;
    case KEY_SET:
        add_setting(o, arg, state);
        o->has_settings = true;
        return 0;
    case KEY_AGAINST: set_against(o, arg, state); return 0;
    case KEY_COMPARE: o->compare = true; return 0;
    case KEY_MAX_TIME:
        o->config.limit_ns = read_time("--max-time", "seconds", HF_SEC(1), arg, state);
        return 0;
    case KEY_TOLERANCE:
        o->config.tolerance_ns = read_time("--tolerance", "milliseconds", HF_MS(1), arg, state);
        return 0;
    case KEY_MATCH: set_match(o, arg, state); return 0;
    case 'D': add_define(o, arg, state); return 0;
    case KEY_JSON: o->json = true; return 0;
    case KEY_PCAP: o->pcap = arg; return 0;
    case KEY_PYTHON: o->config.use_python = true; return 0;
    case 'v': o->verbose = true; return 0;
    case ARGP_KEY_ARGS: o->paths = state->argv + state->next; return 0;
    case ARGP_KEY_NO_ARGS: argp_error(state, "PATH is missing"); return 0;
    case ARGP_KEY_END: check(o, state); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

int hf_cmd_drill(int argc, char **argv)
{
    static const struct argp_option table[] = {
        {"against", KEY_AGAINST, "STACK", 0,
         "core (default): the stack, in virtual time; linux: the running kernel, in real time", 1},
        {"compare", KEY_COMPARE, NULL, 0,
         "Run each script against both and tell where they differ; --profile and --set act on the "
         "stack",
         1},
        {"max-time", KEY_MAX_TIME, "SECONDS", 0,
         "Skip scripts that take longer; 30 where the kernel takes part", 1},
        {"tolerance", KEY_TOLERANCE, "MS", 0,
         "Let times be off by MS at least, whatever the script says", 1},
        {"profile", KEY_PROFILE, "NAME", 0, "Settings of rfc, default, linux or freebsd", 1},
        {"set", KEY_SET, "NAME=VALUE", 0,
         "Change a setting, whatever the script says (see 'handfast "
         "--profiles'): " HF_SETTING_FORMS,
         1},
        {"match", KEY_MATCH, "HOW", 0,
         "strict: as packetdrill compares; semantic: options as a set, PSH and buffer sizes not at "
         "all",
         1},
        {"define", 'D', "NAME=VALUE", 0,
         "Let NAME stand for VALUE in calls, packets and times; for #ifdef too", 1},
        {"python", KEY_PYTHON, NULL, 0, "Let python3 run the %{ }% blocks", 1},
        {"json", KEY_JSON, NULL, 0, "One JSON object a script", 2},
        {"verbose", 'v', NULL, 0, "Draw the packets of every script", 2},
        {"pcap", KEY_PCAP, "FILE", 0,
         "Write all packets to FILE, an interface a script; replaces nothing but recordings", 2},
        {0}};
    static const struct argp argp = {
        table,
        parse,
        "PATH...",
        "Runs packet scripts (packetdrill's language) against the "
        "stack in virtual time, or against the kernel. A PATH is "
        "a script, or a directory whose *.pkt are run.\vExit status: "
        "0 no script failed (--compare: or differs), 1 one did, "
        "2 wrong usage, or a PATH that can't be read. docs/DRILL.md tells the language.\n\n"
        "handfast drill --profile linux --verbose half_close.pkt",
        NULL,
        NULL,
        NULL};
    static struct options o;
    o.config.profile = HF_PROFILE_DEFAULT;
    o.config.defines = o.defines;
    o.config.settings = o.settings;
    argp_err_exit_status = HF_EXIT_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &o) != 0)
        return HF_EXIT_USAGE;
    return run(&o);
}
