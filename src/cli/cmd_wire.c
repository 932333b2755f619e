/**
 * handfast wire: joins two TUN devices by a path that limits, delays, loses and reorders. Reads and
 * checks the options; the works are in wire.c.
 */
#include "cli.h"
#include "show/settings.h"
#include "wire.h"

#include "lab/path_text.h"

#include <argp.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** Which directions an option is for: one bit each. */
enum { TO_RIGHT = 1 << WIRE_LEFT_TO_RIGHT, TO_LEFT = 1 << WIRE_RIGHT_TO_LEFT };

enum {
    KEY_LEFT = 'l',
    KEY_RIGHT = 'r',
    KEY_PATH = 'p',
    KEY_JSON = 'j',
    KEY_TO_RIGHT = 1,
    KEY_TO_LEFT,
    KEY_SEED,
    KEY_RECORD,
    KEY_DURATION,
    KEY_WORD = 1000, /**< + directions * WORDS_MAX + word */
    WORDS_MAX = 32,
    NAME_BYTES = 40,
};

static const struct argp_option own_options[] = {
    {"left", KEY_LEFT, "TUN", 0, "Device to make or use (required)", 1},
    {"right", KEY_RIGHT, "TUN", 0, "The other one (required)", 1},
    {"path", KEY_PATH, "WORDS", 0, "Both directions, say 'rate=10mbit delay=20ms loss=1%'", 2},
    {"left-to-right", KEY_TO_RIGHT, "WORDS", 0, "One direction", 2},
    {"right-to-left", KEY_TO_LEFT, "WORDS", 0, "The other one", 2},
    {"seed", KEY_SEED, "N", 0, "Of chance (default 1)", 4},
    {"record", KEY_RECORD, "FILE", 0,
     "Write what arrives to a pcapng file, as the left device sees it: in what arrives at the "
     "left, out what arrives at the right; replaces nothing but recordings",
     4},
    {"duration", KEY_DURATION, "TIME", 0, "End after this (default: Ctrl-C ends it)", 4},
    {"json", KEY_JSON, NULL, 0, "Summary as JSON, one object a direction", 4},
    {NULL, 0, NULL, OPTION_DOC,
     "The words as options of their own, for both directions; with left-to-right- or "
     "right-to-left- before its name each is for one:",
     3},
};
enum { OWN_OPTIONS = sizeof own_options / sizeof own_options[0] };

/* ---- words as options --------------------------------------------------------------------- */

/** What the table of options points into. */
struct word_options {
    struct argp_option all[OWN_OPTIONS + 3 * WORDS_MAX + 1];
    size_t count;
    char names[WORDS_MAX][3][NAME_BYTES];
};

struct options {
    struct wire_config wire;
    const char *seed_text, *duration_text; /**< as given */
    bool json;
    struct word_options words;
};

static void add_word(struct word_options *w, unsigned word, unsigned ways, const char *prefix,
                     const char *help)
{
    char *name = w->names[word][ways - 1];
    size_t n = strcspn(help, "=");
    snprintf(name, NAME_BYTES, "%s%.*s", prefix, (int)n, help);
    w->all[w->count++] = (struct argp_option){
        .name = name,
        .key = KEY_WORD + (int)(ways * WORDS_MAX + word),
        .arg = "VALUE",
        .flags = prefix[0] != '\0' ? OPTION_HIDDEN : 0,
        .doc = help + n + 1,
        .group = 3,
    };
}

/** The words are known to the path's own reader only, which tells them, "rate=10mbit: ...". */
static void make_options(struct word_options *w)
{
    const char *help;
    memcpy(w->all, own_options, sizeof own_options);
    w->count = OWN_OPTIONS;
    for (unsigned i = 0; (help = hf_path_help(i)) != NULL && i < WORDS_MAX; i++) {
        add_word(w, i, TO_RIGHT | TO_LEFT, "", help);
        add_word(w, i, TO_RIGHT, "left-to-right-", help);
        add_word(w, i, TO_LEFT, "right-to-left-", help);
    }
    w->all[w->count] = (struct argp_option){0};
}

/* ---- reading ------------------------------------------------------------------------------ */

/** name NULL: value is words. */
static void take_words(struct options *o, unsigned ways, const char *option, const char *name,
                       const char *value, struct argp_state *state)
{
    char error[HF_PATH_ERROR_MAX_BYTES];
    for (int i = 0; i < WIRE_WAYS; i++) {
        struct hf_path_config *path = &o->wire.paths[i];
        if ((ways & 1u << i) == 0)
            continue;
        if (name != NULL ? !hf_path_set(path, name, value, error)
                         : !hf_path_parse(value, path, error))
            argp_error(state, "--%s: %s", option, error);
    }
}

static void take_word(struct options *o, int key, const char *value, struct argp_state *state)
{
    unsigned ways = (unsigned)(key - KEY_WORD) / WORDS_MAX;
    unsigned word = (unsigned)(key - KEY_WORD) % WORDS_MAX;
    const char *name = o->words.names[word][(TO_RIGHT | TO_LEFT) - 1];
    take_words(o, ways, o->words.names[word][ways - 1], name, value, state);
}

static void take_duration(struct options *o, const char *text, struct argp_state *state)
{
    hf_take_once(&o->duration_text, text, "--duration", state);
    hf_ns *span = &o->wire.duration_ns;
    if (!hf_time_read(text, span) || *span <= 0)
        argp_error(state, "--duration takes a time, say 30s or 2min, not '%s'", text);
}

static void take_seed(struct options *o, const char *text, struct argp_state *state)
{
    hf_take_once(&o->seed_text, text, "--seed", state);
    o->wire.seed = hf_take_number(text, 0, UINT32_MAX, "--seed", state);
}

/* ---- checking ----------------------------------------------------------------------------- */

static void check_name(const char *option, const char *name, struct argp_state *state)
{
    if (name == NULL)
        argp_error(state, "--left and --right are required, say: --left hfl --right hfr");
    if (strlen(name) >= IFNAMSIZ || strpbrk(name, "/:% \t\n") != NULL)
        argp_error(state, "%s '%s': a name has 1 to %d bytes, without '/', ':', '%%' and blanks",
                   option, name, IFNAMSIZ - 1);
}

static void check(struct options *o, struct argp_state *state)
{
    static const char *const names[WIRE_WAYS] = {"left to right", "right to left"};
    check_name("--left", o->wire.names[0], state);
    check_name("--right", o->wire.names[1], state);
    if (strcmp(o->wire.names[0], o->wire.names[1]) == 0)
        argp_error(state, "--left and --right are both '%s': a wire has two ends",
                   o->wire.names[0]);
    for (int i = 0; i < WIRE_WAYS; i++) {
        const char *fault = hf_path_config_check(&o->wire.paths[i]);
        if (fault != NULL)
            argp_error(state, "%s: %s", names[i], fault);
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    if (key >= KEY_WORD && key < KEY_WORD + 4 * WORDS_MAX) {
        take_word(o, key, arg, state);
        return 0;
    }
    switch (key) {
    case KEY_LEFT: hf_take_once(&o->wire.names[0], arg, "--left", state); return 0;
    case KEY_RIGHT: hf_take_once(&o->wire.names[1], arg, "--right", state); return 0;
    case KEY_PATH: take_words(o, TO_RIGHT | TO_LEFT, "path", NULL, arg, state); return 0;
    case KEY_TO_RIGHT: take_words(o, TO_RIGHT, "left-to-right", NULL, arg, state); return 0;
    case KEY_TO_LEFT: take_words(o, TO_LEFT, "right-to-left", NULL, arg, state); return 0;
    case KEY_SEED: take_seed(o, arg, state); return 0;
    case KEY_RECORD: hf_take_once(&o->wire.record, arg, "--record", state); return 0;
    case KEY_DURATION: take_duration(o, arg, state); return 0;
    case KEY_JSON: o->json = true; return 0;
    case ARGP_KEY_END: check(o, state); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* ---- running ------------------------------------------------------------------------------ */

static void say_path(const char *name, const struct hf_path_config *path)
{
    char text[HF_PATH_TEXT_MAX_BYTES];
    hf_path_print(path, text);
    hf_say("%s: %s", name, text[0] != '\0' ? text : "nothing happens to packets");
}

static int run(const struct options *o)
{
    static struct wire w; /* large */
    struct hf_why why;
    if (wire_open(&w, &o->wire, &why) != HF_OK)
        return hf_say_why(&why);
    for (int i = 0; i < WIRE_WAYS; i++)
        say_path(w.ways[i].name, &o->wire.paths[i]);
    hf_say("ready");
    int code = HF_EXIT_DONE;
    if (wire_run(&w, &why) != HF_OK)
        code = hf_say_why(&why);
    wire_report(&w, o->json);
    if (w.record != NULL) {
        struct hf_record_stats stats;
        hf_link_record_stats(w.record, &stats);
        code = hf_say_recorded(code, o->wire.record, &stats);
    }
    wire_close(&w);
    return code;
}

int hf_cmd_wire(int argc, char **argv)
{
    static struct options o = {.wire = {.seed = 1, .duration_ns = HF_NEVER}};
    const struct argp argp = {
        o.words.all,
        parse,
        NULL,
        "Joins two TUN devices by a path in each direction, in real time: rate, delay, loss, "
        "reordering and more between any two stacks, where there is no netem. Both devices are "
        "made here, in this network namespace; once it says that it is ready they can be moved to "
        "others."
        "\vThe summary goes to standard output. docs/WIRE.md has an example.\n\n"
        "Exit status: 0 done, 1 on failure, also of a recording, 2 wrong usage.\n\n"
        "handfast wire --left hfl --right hfr --rate 10mbit --delay 20ms --left-to-right-loss 1%",
        NULL,
        NULL,
        NULL};
    make_options(&o.words);
    argp_err_exit_status = HF_EXIT_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &o) != 0)
        return HF_EXIT_USAGE;
    return run(&o);
}
