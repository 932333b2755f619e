/**
 * handfast drill: runs packet scripts against the stack, in virtual time.
 */
#include "cli.h"

#include <argp.h>
#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lab/drill/capture.h"
#include "lab/drill/report.h"
#include "settings.h"

enum { KEY_PROFILE = 0x100, KEY_SET, KEY_MATCH, KEY_JSON, KEY_PCAP, KEY_PYTHON };

enum { DEFINES_MAX = 64, SETTINGS_MAX = 64, SCRIPT_MAX_BYTES = 4 * 1024 * 1024 };

struct options {
    struct hf_drill_config config;
    struct hf_script_define defines[DEFINES_MAX];
    struct hf_drill_setting settings[SETTINGS_MAX];
    const char *pcap;
    bool json, verbose;
    char **paths; /**< NULL-terminated */
};

struct drill {
    const struct options *options;
    struct hf_report report;
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
    char *text = malloc(SCRIPT_MAX_BYTES + 1);
    bool is_read = false;
    if (file == NULL || text == NULL) {
        hf_say("%s: %s", path, strerror(errno));
    } else {
        *length_bytes = fread(text, 1, SCRIPT_MAX_BYTES + 1, file);
        is_read = !ferror(file) && *length_bytes <= SCRIPT_MAX_BYTES;
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

static void run_script(struct drill *d, const char *path)
{
    size_t length_bytes;
    struct hf_drill_result result;
    char *text = read_script(path, &length_bytes);
    if (text == NULL) {
        d->is_unreadable = true;
        return;
    }
    hf_ns before_ns = wall_now();
    hf_drill_text(&result, text, length_bytes, &d->options->config);
    hf_report_add(&d->report, path, &result, wall_now() - before_ns);
    if (d->pcap != NULL)
        hf_capture_add(&d->capture, path, &result.log, result.span_ns);
    hf_drill_result_free(&result);
    free(text);
}

/* ---- all of them -------------------------------------------------------------------------- */

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static bool is_script(const FTSENT *entry)
{
    const char *dot = strrchr(entry->fts_name, '.');
    return entry->fts_level == FTS_ROOTLEVEL || (dot != NULL && strcmp(dot, ".pkt") == 0);
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
    while ((entry = fts_read(tree)) != NULL) {
        if (entry->fts_info == FTS_F && is_script(entry)) {
            run_script(d, entry->fts_path);
        } else if (entry->fts_info == FTS_NS || entry->fts_info == FTS_DNR ||
                   entry->fts_info == FTS_ERR) {
            hf_say("%s: %s", entry->fts_path, strerror(entry->fts_errno));
            d->is_unreadable = true;
        }
    }
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

static int run(const struct options *o)
{
    struct drill d = {
        .options = o,
        .report = {.sink = put, .sink_ctx = stdout, .json = o->json, .verbose = o->verbose},
    };
    if (o->pcap != NULL) {
        d.pcap = fopen(o->pcap, "we");
        if (d.pcap == NULL) {
            hf_say("%s: %s", o->pcap, strerror(errno));
            return HF_EXIT_FAILED;
        }
        d.capture = (struct hf_capture){.sink = put, .sink_ctx = d.pcap};
    }
    walk(&d);
    hf_report_end(&d.report);
    bool is_kept = d.pcap == NULL || close_file(d.pcap, o->pcap);
    if (d.report.passed + d.report.failed + d.report.skipped == 0 && !d.is_unreadable)
        hf_say("no script (*.pkt) in these directories");
    if (d.is_unreadable || d.report.passed + d.report.failed + d.report.skipped == 0)
        return HF_EXIT_USAGE;
    return d.report.failed == 0 && is_kept ? HF_EXIT_DONE : HF_EXIT_FAILED;
}

/* ---- the command line --------------------------------------------------------------------- */

static void set_profile(struct options *o, const char *name, struct argp_state *state)
{
    for (int p = 0; p < HF_PROFILE_COUNT; p++)
        if (strcmp(name, hf_profile_name((enum hf_profile)p)) == 0) {
            o->config.profile = (enum hf_profile)p;
            return;
        }
    argp_error(state, "'%s' is no profile: rfc, default, linux or freebsd", name);
}

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
    if (hf_config_get(&scratch, arg, &value) != HF_OK || o->config.setting_count == SETTINGS_MAX)
        argp_error(state, "--set: at most %d of them", SETTINGS_MAX);
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

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    switch (key) {
    case KEY_PROFILE: set_profile(o, arg, state); return 0;
    case KEY_SET: add_setting(o, arg, state); return 0;
    case KEY_MATCH: set_match(o, arg, state); return 0;
    case 'D': add_define(o, arg, state); return 0;
    case KEY_JSON: o->json = true; return 0;
    case KEY_PCAP: o->pcap = arg; return 0;
    case KEY_PYTHON: o->config.use_python = true; return 0;
    case 'v': o->verbose = true; return 0;
    case ARGP_KEY_ARGS: o->paths = state->argv + state->next; return 0;
    case ARGP_KEY_NO_ARGS: argp_error(state, "PATH is missing"); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

int hf_cmd_drill(int argc, char **argv)
{
    static const struct argp_option table[] = {
        {"profile", KEY_PROFILE, "NAME", 0, "Settings of rfc, default, linux or freebsd", 1},
        {"set", KEY_SET, "NAME=VALUE", 0,
         "Change a setting, whatever the script says (see 'handfast "
         "--profiles'): " HF_SETTING_FORMS,
         1},
        {"match", KEY_MATCH, "HOW", 0,
         "strict: as packetdrill compares; semantic: options as a set, PSH and buffer sizes not at "
         "all",
         1},
        {"define", 'D', "NAME=VALUE", 0, "Let NAME in scripts stand for VALUE; for #ifdef too", 1},
        {"python", KEY_PYTHON, NULL, 0, "Let python3 run the %{ }% blocks", 1},
        {"json", KEY_JSON, NULL, 0, "One JSON object a script", 2},
        {"verbose", 'v', NULL, 0, "Draw the packets of every script", 2},
        {"pcap", KEY_PCAP, "FILE", 0, "Write all packets to FILE, an interface a script", 2},
        {0}};
    static const struct argp argp = {table,
                                     parse,
                                     "PATH...",
                                     "Runs packet scripts (packetdrill's language) against the "
                                     "stack, in virtual time. A PATH is "
                                     "a script, or a directory whose *.pkt are run.\vExit status: "
                                     "0 no script failed, 1 one did, "
                                     "2 wrong usage. docs/DRILL.md tells the language.\n\n"
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
