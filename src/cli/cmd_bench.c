/**
 * handfast bench: what the core costs, measured in memory.
 */
#include "cli.h"

#include <argp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"

enum {
    KEY_JSON = 0x100,
    KEY_ROUNDS,
    KEY_OPERATIONS,
    KEY_LIST,
    KEY_THREADS,
    KEY_IDLE,
    KEY_CONNECTIONS,
    KEY_AT_ONCE,
    KEY_ADDRESSES,
    KEY_TIMESTAMPS,
    KEY_BATCH,
    KEY_SOFTWARE,
    KEY_COOKIES,
    KEY_V6,
};
enum {
    CASES_MAX = 32, /* more than there are, and than are usual */
    ROUNDS = 7,
    ROUNDS_MAX = 1000,
    CONNECTIONS_MAX = 20000000,
    OPERATIONS_MAX = 1000000000,
    HELP_BYTES = 2048,
};

struct options {
    struct hf_bench_job jobs[CASES_MAX];
    size_t count;
    struct hf_bench_setup setup;
    unsigned set;        /* which fields of it: HF_BENCH_* */
    uint32_t rounds;     /* 0: not told */
    uint32_t operations; /* 0: time is measured */
    uint32_t threads;    /* 0: one, and nothing beside it */
    bool json, list;
    /* As given, or NULL: */
    const char *rounds_text, *operations_text, *threads_text;
};

/* ---- the command line's words ---------------------------------------------------------------- */

/** An option that changes a case: its name is also what --list says of a job. */
struct word {
    const char *name;
    int key;
    const char *argument; /* NULL: a switch */
    enum hf_bench_bit bit;
    const char *help;
};

static const struct word words[] = {
    {"idle", KEY_IDLE, "N", HF_BENCH_IDLE, "lifecycle: beside so many established connections"},
    {"addresses", KEY_ADDRESSES, NULL, HF_BENCH_ADDRESSES,
     "lifecycle: addresses are random, not the ports alone"},
    {"timestamps", KEY_TIMESTAMPS, NULL, HF_BENCH_TIMESTAMPS, "bulk: segments carry them"},
    {"batch", KEY_BATCH, NULL, HF_BENCH_BATCH, "bulk: one ACK for 32 segments, not for two"},
    {"software", KEY_SOFTWARE, NULL, HF_BENCH_SOFTWARE,
     "bulk-super: checksums are made and verified, not vouched for"},
    {"connections", KEY_CONNECTIONS, "N", HF_BENCH_CONNECTIONS,
     "rr: each exchange is of a random one of N; memory, many, expire: so many"},
    {"at-once", KEY_AT_ONCE, "N", HF_BENCH_AT_ONCE,
     "rr: N exchanges of N connections travel together, 32 at most"},
    {"cookies", KEY_COOKIES, NULL, HF_BENCH_COOKIES, "flood, honest: every SYN meets a cookie"},
    {"v6", KEY_V6, NULL, HF_BENCH_V6, "rr, memory, many: IPv6"},
};
enum { WORDS = sizeof words / sizeof words[0] };

/** Where a word's value stands in a setup; exactly one of both is not NULL. */
struct slot {
    bool *flag;
    uint32_t *number;
};

static struct slot slot_of(struct hf_bench_setup *s, enum hf_bench_bit bit)
{
    switch (bit) {
    case HF_BENCH_IDLE: return (struct slot){.number = &s->idle};
    case HF_BENCH_CONNECTIONS: return (struct slot){.number = &s->connections};
    case HF_BENCH_AT_ONCE: return (struct slot){.number = &s->at_once};
    case HF_BENCH_ADDRESSES: return (struct slot){.flag = &s->addresses};
    case HF_BENCH_TIMESTAMPS: return (struct slot){.flag = &s->timestamps};
    case HF_BENCH_BATCH: return (struct slot){.flag = &s->batch};
    case HF_BENCH_SOFTWARE: return (struct slot){.flag = &s->software};
    case HF_BENCH_COOKIES: return (struct slot){.flag = &s->cookies};
    case HF_BENCH_V6: return (struct slot){.flag = &s->v6};
    }
    return (struct slot){0};
}

/* ---- what it does ---------------------------------------------------------------------------- */

static void put(void *ctx, const char *text, size_t length_bytes)
{
    (void)!fwrite(text, 1, length_bytes, ctx);
    fflush(ctx);
}

/** One object a line: the usual jobs whose instructions are counted, and how to run them. */
static void list_jobs(void)
{
    const struct hf_bench_job *job;
    for (size_t i = 0; (job = hf_bench_usual(i)) != NULL; i++) {
        char name[HF_BENCH_NAME_BYTES];
        struct hf_bench_setup setup = job->setup;
        /* To make a crowd would take longer than to count what is done beside it. */
        if (job->what->open == NULL || setup.idle > 0 || setup.connections > 0)
            continue;
        hf_bench_name(job->what, &setup, name);
        printf("{\"case\":\"%s\",\"per\":\"%s\",\"operations\":%" PRIu64
               ",\"compiler\":\"%s\",\"words\":[\"%s\"",
               name, job->what->per, job->what->counted, __VERSION__, job->what->name);
        for (size_t k = 0; k < WORDS; k++) {
            struct slot slot = slot_of(&setup, words[k].bit);
            if (slot.flag != NULL && *slot.flag)
                printf(",\"--%s\"", words[k].name);
            if (slot.number != NULL && *slot.number > 0)
                printf(",\"--%s=%" PRIu32 "\"", words[k].name, *slot.number);
        }
        printf("]}\n");
    }
}

/** The warm-up and so many operations, without a word. */
static void run_silently(const struct hf_bench_job *job, uint32_t operations)
{
    struct hf_bench *w = hf_bench_memory(1, sizeof *w);
    hf_bench_open(w, job->what, &job->setup);
    (void)job->what->run(w, operations);
    hf_bench_close(w);
    free(w);
}

static int run(struct options *o)
{
    struct hf_bench_report report = {.sink = put, .ctx = stdout, .json = o->json};
    const struct hf_bench_job *job;
    if (o->list) {
        list_jobs();
        return HF_EXIT_DONE;
    }
    if (o->operations > 0) {
        run_silently(&o->jobs[0], o->operations);
        return HF_EXIT_DONE;
    }
    uint32_t rounds = o->rounds > 0 ? o->rounds : ROUNDS;
    if (o->threads > 0) {
        hf_bench_run_threads(o->jobs, o->count, o->threads, rounds, &report);
        return HF_EXIT_DONE;
    }
    if (o->count == 0)
        while (o->count < CASES_MAX && (job = hf_bench_usual(o->count)) != NULL)
            o->jobs[o->count++] = *job;
    hf_bench_run(o->jobs, o->count, rounds, &report);
    return HF_EXIT_DONE;
}

/* ---- the command line ------------------------------------------------------------------------ */

/** Cases that need a kernel at the other end, and namespaces. */
static bool is_of_beside(const char *name)
{
    return strncmp(name, "tun", 3) == 0 || strncmp(name, "gateway", 7) == 0;
}

static void add_case(struct options *o, const char *name, struct argp_state *state)
{
    const struct hf_bench_case *c = hf_bench_find(name);
    if (c == NULL)
        argp_error(state,
                   is_of_beside(name) ? "the case '%s' is one of script/beside's: see its --help"
                                      : "there is no case '%s'; --help lists them",
                   name);
    for (size_t i = 0; i < o->count; i++)
        if (o->jobs[i].what == c)
            argp_error(state, "the case '%s' is named twice", name);
    o->jobs[o->count++].what = c;
}

static void take_word(struct options *o, const struct word *word, const char *arg,
                      struct argp_state *state)
{
    struct slot slot = slot_of(&o->setup, word->bit);
    char name[HF_BENCH_NAME_BYTES];
    snprintf(name, sizeof name, "--%s", word->name);
    if ((o->set & word->bit) != 0)
        argp_error(state, "%s is given twice", name);
    o->set |= word->bit;
    if (slot.flag != NULL)
        *slot.flag = true;
    else
        *slot.number = hf_take_number(
            arg, 1, word->bit == HF_BENCH_AT_ONCE ? HF_BENCH_BURST : CONNECTIONS_MAX, name, state);
}

/** Each word has a case to change. */
static void check_words(struct options *o, struct argp_state *state)
{
    for (size_t i = 0; i < WORDS; i++) {
        bool is_known = (o->set & words[i].bit) == 0;
        for (size_t k = 0; k < o->count; k++)
            is_known |= (o->jobs[k].what->knows & words[i].bit) != 0;
        if (!is_known)
            argp_error(state, "--%s changes no case that is named", words[i].name);
    }
}

static void check_threads(const struct options *o, struct argp_state *state)
{
    if (o->operations > 0)
        argp_error(state, "--operations and --threads exclude each other");
    for (size_t i = 0; i < o->count; i++)
        if (o->jobs[i].what->open == NULL)
            argp_error(state, "--threads wants cases that are made of operations, not '%s'",
                       o->jobs[i].what->name);
}

static void check(struct options *o, struct argp_state *state)
{
    bool names_none = o->count == 0;
    if (names_none && o->threads > 0) {
        o->jobs[o->count++].what = &hf_bench_lifecycle;
        o->jobs[o->count++].what = &hf_bench_bulk;
    }
    check_words(o, state);
    if (o->setup.connections > 0 && o->setup.connections < o->setup.at_once)
        argp_error(state, "--connections: fewer than --at-once");
    if (o->list && (!names_none || o->operations > 0 || o->rounds > 0 || o->json || o->threads > 0))
        argp_error(state, "--list stands alone");
    if (o->operations > 0 && (o->rounds > 0 || o->json))
        argp_error(state, "--operations measures nothing");
    if (o->operations > 0 && (o->count != 1 || o->jobs[0].what->open == NULL))
        argp_error(state, "--operations wants one case that is made of operations");
    if (o->threads > 0)
        check_threads(o, state);
    for (size_t i = 0; i < o->count; i++)
        o->jobs[i].setup = o->setup;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    switch (key) {
    case KEY_JSON: o->json = true; return 0;
    case KEY_LIST: o->list = true; return 0;
    case KEY_ROUNDS:
        hf_take_once(&o->rounds_text, arg, "--rounds", state);
        o->rounds = hf_take_number(arg, 1, ROUNDS_MAX, "--rounds", state);
        return 0;
    case KEY_OPERATIONS:
        hf_take_once(&o->operations_text, arg, "--operations", state);
        o->operations = hf_take_number(arg, 1, OPERATIONS_MAX, "--operations", state);
        return 0;
    case KEY_THREADS:
        hf_take_once(&o->threads_text, arg, "--threads", state);
        o->threads = hf_take_number(arg, 2, HF_BENCH_THREADS_MAX, "--threads", state);
        return 0;
    case ARGP_KEY_ARG: add_case(o, arg, state); return 0;
    case ARGP_KEY_END: check(o, state); return 0;
    default: break;
    }
    for (size_t i = 0; i < WORDS; i++) {
        if (words[i].key == key) {
            take_word(o, &words[i], arg, state);
            return 0;
        }
    }
    return ARGP_ERR_UNKNOWN;
}

/** Of --help: the cases come from the list of them. */
static char *add_cases(int key, const char *text, void *input)
{
    (void)input;
    char *all = key == ARGP_KEY_HELP_POST_DOC && text != NULL ? malloc(HELP_BYTES) : NULL;
    if (all == NULL)
        return (char *)(uintptr_t)text;
    struct hf_text t;
    hf_text_init(&t, all, HELP_BYTES);
    hf_text_add(&t, "Cases:");
    const struct hf_bench_case *c;
    for (size_t i = 0; (c = hf_bench_case_at(i)) != NULL; i++)
        hf_text_add(&t, "\n  %-11s %s", c->name, c->line);
    hf_text_add(&t, "\n\n%s", text);
    return all;
}

int hf_cmd_bench(int argc, char **argv)
{
    static struct argp_option table[WORDS + 6] = {
        {"json", KEY_JSON, NULL, 0, "One JSON object a line, not a table", 1},
        {"rounds", KEY_ROUNDS, "N", 0,
         "Time each case of operations so often, in turns (default: 7)", 1},
        {"threads", KEY_THREADS, "N", 0,
         "Run a case in N threads at once, 2 to 64, each with stacks of its own, beside one of "
         "them alone "
         "(without CASE: lifecycle and bulk)",
         1},
        {"operations", KEY_OPERATIONS, "N", 0,
         "Run one case silently: its warm-up and N operations, or a few more: for a profiler", 1},
        {"list", KEY_LIST, NULL, 0,
         "The cases whose instructions script/bench counts, as JSON lines", 1},
    };
    for (size_t i = 0; i < WORDS; i++)
        table[5 + i] = (struct argp_option){
            words[i].name, words[i].key, words[i].argument, 0, words[i].help, 2};
    static const struct argp argp = {
        table,
        parse,
        "[CASE...]",
        "What the core costs: two stacks in one process, each packet copied into a buffer between "
        "them, on a virtual clock. Without CASE the usual ones with their variants.\v"
        "Times of operations are medians of rounds in turns, with the least and the most, and "
        "beside them their share of a fixed loop's time in millionths (ppm): a machine's speed "
        "drifts. docs/BENCH.md says what each case does, and what --json tells besides.\n\n"
        "Over TUN beside the kernel, and the gateway beside other user-mode networks, it is "
        "script/beside of the sources that measures.\n\n"
        "Exit status: 0 done, 1 it could not be measured, 2 wrong usage.",
        NULL,
        add_cases,
        NULL};
    static struct options o;
    argp_err_exit_status = HF_EXIT_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &o) != 0)
        return HF_EXIT_USAGE;
    return run(&o);
}
