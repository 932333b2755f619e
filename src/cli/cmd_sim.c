/**
 * handfast sim: flows over a bad path in virtual time, out of one readable file.
 */
#include "cli.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lab/path_text.h"
#include "lab/sim/golden.h"
#include "lab/sim/sim_json.h"
#include "lab/sim/sim_plots.h"
#include "show/settings.h"

enum { KEY_JSON = 0x100, KEY_PLOTS, KEY_SEED, KEY_SET, KEY_GOLDEN, KEY_EVENTS };
enum { GOLDEN_BYTES = 256 * 1024, PATH_BYTES = 4096, NS_IN_MS = 1000000, PERMILLE = 1000 };

struct options {
    const char *scenario, *json, *plots, *golden, *events;
    const char *seed_text; /**< as given, or NULL */
    uint64_t seed;
    const char *sets[HF_SETS_MAX];
    size_t set_count;
    bool told[HF_TRACE_COUNT]; /**< events that --events names */
};

struct job {
    const struct options *options;
    struct hf_scenario scenario;
    char name[HF_SCENARIO_NAME_BYTES]; /**< of the scenario: its file without path and ending */
    struct hf_sim_json json;
    FILE *json_file; /**< NULL: no JSON is wanted */
};

static void put(void *ctx, const char *text, size_t length_bytes)
{
    (void)!fwrite(text, 1, length_bytes, ctx);
}

/* ---- files -------------------------------------------------------------------------------- */

/** Reads a whole file; NULL, with a word said, if that fails. */
static char *read_file(const char *path, size_t max_bytes, size_t *length_bytes)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    char *text = malloc(max_bytes + 1);
    bool is_read = false;
    if (file == NULL || text == NULL) {
        hf_say("%s: %s", path, strerror(errno));
    } else {
        *length_bytes = fread(text, 1, max_bytes + 1, file);
        is_read = !ferror(file) && *length_bytes <= max_bytes;
        if (!is_read)
            hf_say("%s: %s", path, ferror(file) ? strerror(errno) : "too large for what it is");
    }
    if (file != NULL && file != stdin)
        fclose(file);
    if (is_read) {
        text[*length_bytes] = '\0';
        return text;
    }
    free(text);
    return NULL;
}

static FILE *create(const char *path)
{
    FILE *file = fopen(path, "we");
    if (file == NULL)
        hf_say("%s: %s", path, strerror(errno));
    return file;
}

static bool close_file(FILE *file, const char *path)
{
    bool is_good = !ferror(file);
    if (fclose(file) != 0 || !is_good) {
        hf_say("%s: %s", path, strerror(errno));
        return false;
    }
    return true;
}

/* ---- what goes in ------------------------------------------------------------------------- */

static void name_scenario(struct job *j, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash == NULL ? path : slash + 1;
    const char *dot = strrchr(base, '.');
    size_t n = dot == NULL || dot == base ? strlen(base) : (size_t)(dot - base);
    snprintf(j->name, sizeof j->name, "%.*s", (int)(n < sizeof j->name ? n : sizeof j->name), base);
}

static bool read_scenario(struct job *j)
{
    const struct options *o = j->options;
    struct hf_scenario_fault fault;
    size_t n;
    char *text = read_file(o->scenario, HF_SCENARIO_MAX_BYTES, &n);
    if (text == NULL)
        return false;
    int err = hf_scenario_parse(&j->scenario, text, n, &fault);
    free(text);
    if (err != HF_OK) {
        fprintf(stderr, "%s:%u:%u: %s\n", o->scenario, fault.line, fault.column, fault.text);
        return false;
    }
    name_scenario(j, o->scenario);
    if (o->seed_text != NULL)
        j->scenario.seed = o->seed;
    return true;
}

/** The scenario's settings with those of the command line; a word said if they don't fit. */
static bool change_settings(struct job *j)
{
    char why[HF_SCENARIO_FAULT_BYTES], fault[HF_FAULT_TEXT_BYTES];
    for (size_t i = 0; i < j->options->set_count; i++) {
        if (hf_scenario_set(&j->scenario, j->options->sets[i], why) != HF_OK) {
            hf_say("--set: %s", why);
            return false;
        }
    }
    for (unsigned i = 0; i < j->scenario.host_count; i++) {
        if (hf_config_fault_text(&j->scenario.hosts[i].config, fault)) {
            hf_say("--set: %s", fault);
            return false;
        }
    }
    return true;
}

/* ---- what comes out ----------------------------------------------------------------------- */

static void print_ms(hf_ns ns)
{
    printf(" %7" PRId64 ".%03" PRId64, ns / NS_IN_MS, ns % NS_IN_MS * PERMILLE / NS_IN_MS);
}

static void print_permille(const char *before, int64_t permille)
{
    if (permille < 0)
        printf("%sno", before);
    else
        printf("%s%" PRId64 ".%03" PRId64, before, permille / PERMILLE, permille % PERMILLE);
}

static void print_flow(const struct hf_sim *sim, unsigned i)
{
    const struct hf_sim_flow *f = &sim->flows[i];
    struct hf_sim_figures figures;
    hf_sim_figures(sim, i, &figures);
    printf("%-12s %11" PRIu64 "%s", f->plan->name, figures.bytes,
           figures.is_complete ? "  " : "..");
    print_ms(figures.duration_ns);
    printf(" %9" PRId64 ".%03" PRId64, figures.goodput_bps / 1000000,
           figures.goodput_bps / 1000 % 1000);
    if (figures.ideal_ns > 0)
        printf(" %4" PRId64 ".%02" PRId64, figures.ratio_permille / PERMILLE,
               figures.ratio_permille % PERMILLE / 10);
    else
        printf(" %7s", "no");
    printf(" %8" PRIu64 " %5" PRIu64 " %8" PRIu64, f->resent.segs, f->rtos, f->spurious_rtos);
    print_ms(figures.rtt_mean_ns);
    print_ms(f->rtt_max_ns);
    printf("\n");
}

static void print_link(const struct hf_sim *sim, bool is_back)
{
    const struct hf_path_stats *s = is_back ? &sim->back.path.stats : &sim->forward.path.stats;
    printf("link %s: %" PRIu64 " packets, %" PRIu64 " lost", is_back ? "back" : "forward", s->sent,
           s->lost);
    for (int i = HF_PATH_LOST_RANDOM; i < HF_PATH_FATES; i++)
        if (s->fates[i] > 0)
            printf(", %s %" PRIu64, hf_sim_fate_name((enum hf_path_fate)i), s->fates[i]);
    print_permille(", utilisation ", hf_sim_utilisation_permille(sim, is_back));
    printf(", queue up to %u packets\n", s->queue_peak_packets);
}

static void print_table(const struct hf_sim *sim)
{
    printf("%-12s %11s   %11s %13s %7s %8s %5s %8s %11s %11s\n", "flow", "bytes", "time ms",
           "Mbit/s", "ideal x", "resent", "RTOs", "spurious", "RTT mean ms", "RTT max ms");
    for (unsigned i = 0; i < sim->flow_count; i++)
        print_flow(sim, i);
    print_link(sim, false);
    print_link(sim, true);
    if (sim->flow_count > 1) {
        print_permille("Jain's index ", hf_sim_jain_permille(sim));
        printf("\n");
    }
}

static bool write_plots(const struct hf_sim *sim, const char *directory)
{
    char name[HF_SIM_PLOT_NAME_BYTES], path[PATH_BYTES];
    if (mkdir(directory, 0777) != 0 && errno != EEXIST) {
        hf_say("%s: %s", directory, strerror(errno));
        return false;
    }
    for (unsigned i = 0; hf_sim_plot_name(sim, i, name); i++) {
        if (snprintf(path, sizeof path, "%s/%s.svg", directory, name) >= (int)sizeof path) {
            hf_say("%s: %s", directory, strerror(ENAMETOOLONG));
            return false;
        }
        FILE *file = create(path);
        if (file == NULL)
            return false;
        (void)hf_sim_plot(sim, i, name, put, file);
        if (!close_file(file, path))
            return false;
    }
    return true;
}

/** Compares with the table, and shows where they differ. */
static bool is_golden(const struct job *j, const struct hf_sim *sim)
{
    size_t n;
    char *table = read_file(j->options->golden, GOLDEN_BYTES, &n);
    char *rows = malloc(GOLDEN_BYTES), *shown = malloc(2 * GOLDEN_BYTES);
    bool is_same = false;
    if (rows == NULL || shown == NULL) {
        hf_say("%s", strerror(errno));
    } else if (table != NULL) {
        struct hf_text t, difference;
        hf_text_init(&t, rows, GOLDEN_BYTES);
        hf_text_init(&difference, shown, 2 * (size_t)GOLDEN_BYTES);
        hf_golden_rows(&t, sim, j->name);
        is_same = hf_golden_compare(table, rows, j->name, &difference);
        if (!is_same) {
            hf_say("%s: not what %s says", j->name, j->options->golden);
            fputs(shown, stdout);
        }
    }
    free(table);
    free(rows);
    free(shown);
    return is_same;
}

static bool is_right(const struct hf_sim *sim)
{
    for (unsigned i = 0; i < sim->flow_count; i++) {
        if (sim->flows[i].is_wrong) {
            hf_say("flow %s delivered a byte that was not sent", sim->flows[i].plan->name);
            return false;
        }
    }
    return true;
}

static bool conclude(const struct job *j, const struct hf_sim *sim)
{
    const struct options *o = j->options;
    bool is_good = is_right(sim);
    if (j->json_file != NULL)
        hf_sim_json_summary(&j->json, sim, j->name);
    if (j->json_file != stdout && o->golden == NULL)
        print_table(sim);
    if (o->golden != NULL)
        is_good &= is_golden(j, sim);
    if (o->plots != NULL)
        is_good &= write_plots(sim, o->plots);
    return is_good;
}

static bool open_json(struct job *j)
{
    const char *path = j->options->json;
    if (path == NULL)
        return true;
    j->json_file = strcmp(path, "-") == 0 ? stdout : create(path);
    j->json = (struct hf_sim_json){.sink = put, .sink_ctx = j->json_file, .samples = true};
    memcpy(j->json.events, j->options->told, sizeof j->json.events);
    return j->json_file != NULL;
}

static int run(const struct options *o)
{
    static struct job j;
    j.options = o;
    if (!read_scenario(&j))
        return HF_EXIT_FAILED;
    if (!change_settings(&j))
        return HF_EXIT_USAGE;
    if (!open_json(&j))
        return HF_EXIT_FAILED;
    struct hf_sim_hooks hooks = {.ctx = &j.json, .curves = o->plots != NULL};
    if (j.json_file != NULL) {
        hooks.event = hf_sim_json_event;
        hooks.sample = hf_sim_json_sample;
    }
    struct hf_sim *sim = hf_sim_new(&j.scenario, &hooks);
    int err = hf_sim_run(sim);
    bool is_good = err == HF_OK;
    if (is_good)
        is_good = conclude(&j, sim);
    else
        hf_say("%s: %s", o->scenario, hf_err_text(err));
    hf_sim_free(sim);
    if (j.json_file != NULL && j.json_file != stdout)
        is_good &= close_file(j.json_file, o->json);
    return is_good ? HF_EXIT_DONE : HF_EXIT_FAILED;
}

/* ---- the command line --------------------------------------------------------------------- */

static void add_set(struct options *o, const char *arg, struct argp_state *state)
{
    struct hf_config scratch;
    char why[HF_FAULT_TEXT_BYTES];
    hf_config_init(&scratch, sizeof scratch);
    if (hf_setting_read(&scratch, arg, why) != HF_OK)
        argp_error(state, "--set: %s", why);
    if (o->set_count == HF_SETS_MAX)
        argp_error(state, "--set: at most %d of them", HF_SETS_MAX);
    o->sets[o->set_count++] = arg;
}

/** Names of trace events with commas between, or "all". */
static void take_events(struct options *o, const char *arg, struct argp_state *state)
{
    for (const char *at = arg;;) {
        size_t n = strcspn(at, ",");
        bool is_all = n == 3 && strncmp(at, "all", n) == 0, is_known = is_all;
        for (int i = 0; i < HF_TRACE_COUNT; i++) {
            const char *name = hf_trace_name((enum hf_trace)i);
            bool is_it = strlen(name) == n && strncmp(name, at, n) == 0;
            o->told[i] |= is_it || is_all;
            is_known |= is_it;
        }
        if (!is_known)
            argp_error(state, "--events: there is no event '%.*s'; docs/TRACE.md lists them",
                       (int)n, at);
        if (at[n] == '\0')
            return;
        at += n + 1;
    }
}

static void check(const struct options *o, struct argp_state *state)
{
    if (o->scenario == NULL)
        argp_error(state, "SCENARIO is missing");
    if (o->events != NULL && o->json == NULL)
        argp_error(state, "--events are told by --json");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    switch (key) {
    case KEY_JSON: hf_take_once(&o->json, arg, "--json", state); return 0;
    case KEY_PLOTS: hf_take_once(&o->plots, arg, "--plots", state); return 0;
    case KEY_GOLDEN: hf_take_once(&o->golden, arg, "--golden", state); return 0;
    case KEY_EVENTS:
        hf_take_once(&o->events, arg, "--events", state);
        take_events(o, arg, state);
        return 0;
    case KEY_SEED:
        hf_take_once(&o->seed_text, arg, "--seed", state);
        if (!hf_scenario_seed(arg, &o->seed))
            argp_error(state, "--seed wants a whole number, not '%s'", arg);
        return 0;
    case KEY_SET: add_set(o, arg, state); return 0;
    case ARGP_KEY_ARG: hf_take_once(&o->scenario, arg, "SCENARIO", state); return 0;
    case ARGP_KEY_END: check(o, state); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/** Of --help: the words of links come from the list that reads them. */
static char *add_words(int key, const char *text, void *input)
{
    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC || text == NULL)
        return (char *)(uintptr_t)text;
    char *all = malloc(PATH_BYTES);
    if (all == NULL)
        return (char *)(uintptr_t)text;
    struct hf_text t;
    hf_text_init(&t, all, PATH_BYTES);
    hf_text_add(&t, "%s", text);
    const char *line;
    for (unsigned i = 0; (line = hf_path_help(i)) != NULL; i++)
        hf_text_add(&t, "\n  %s", line);
    return all;
}

int hf_cmd_sim(int argc, char **argv)
{
    static const struct argp_option table[] = {
        {"json", KEY_JSON, "FILE", 0,
         "Samples, and a summary at the end, as JSON lines; - is standard output", 1},
        {"events", KEY_EVENTS, "NAMES", 0,
         "Trace events too: retransmit,timer,... or all (docs/TRACE.md)", 1},
        {"plots", KEY_PLOTS, "DIR", 0,
         "Draw SVG files in DIR: sequence numbers, windows, round trips, rates, queues", 1},
        {"golden", KEY_GOLDEN, "FILE", 0,
         "Compare with the rows of this scenario in a table; differences end with 1", 1},
        {"seed", KEY_SEED, "N", 0, "Another seed than the scenario's", 2},
        {"set", KEY_SET, "NAME=VALUE", 0,
         "Change a setting of all hosts (see 'handfast --profiles'): " HF_SETTING_FORMS, 2},
        {0}};
    static const struct argp argp = {
        table,
        parse,
        "SCENARIO",
        "Runs flows over a bottleneck in virtual time, as SCENARIO (a file, or - for standard "
        "input) says. The same scenario and seed give the same output.\v"
        "A scenario (docs/SIM.md tells all of it):\n\n"
        "  seed 1\n"
        "  duration 30s\n"
        "  link forward rate=10mbit delay=20ms queue=50p loss=0.1%\n"
        "  link back delay=20ms\n"
        "  flow a bytes=10M cc=reno\n"
        "  flow b start=5s bytes=endless profile=linux set=nagle=off\n\n"
        "Exit status: 0 done, 1 the scenario can't be run or differs from --golden, 2 wrong "
        "usage.\n\nThe words of links:",
        NULL,
        add_words,
        NULL};
    static struct options o;
    argp_err_exit_status = HF_EXIT_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &o) != 0)
        return HF_EXIT_USAGE;
    return run(&o);
}
