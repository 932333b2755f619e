/**
 * Opening cases, their names, and time: runs in turns, each beside a fixed loop.
 */
#include "bench/bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REFERENCE_STEPS = 20000000, MORE_BYTES = 300, LINE_BYTES = 1024, BITS_IN_BYTE = 8 };
enum { DECIMALS = 2 };
static const double HALF = 0.5;

void hf_bench_open(struct hf_bench *w, const struct hf_bench_case *c,
                   const struct hf_bench_setup *setup)
{
    *w = (struct hf_bench){.setup = *setup};
    size_t conns = setup->connections > HF_BENCH_BURST ? setup->connections : HF_BENCH_BURST;
    w->a_conns = hf_bench_memory(conns, sizeof *w->a_conns);
    w->b_conns = hf_bench_memory(conns, sizeof *w->b_conns);
    c->open(w);
}

void hf_bench_close(struct hf_bench *w)
{
    hf_bench_pair_close(&w->pair);
    free(w->a_conns);
    free(w->b_conns);
}

void hf_bench_name(const struct hf_bench_case *c, const struct hf_bench_setup *setup,
                   char name[HF_BENCH_NAME_BYTES])
{
    struct hf_text t;
    hf_text_init(&t, name, HF_BENCH_NAME_BYTES);
    hf_text_add(&t, "%s", c->name);
    const struct {
        enum hf_bench_bit bit;
        bool is_set;
        const char *word;
    } words[] = {
        {HF_BENCH_ADDRESSES, setup->addresses, "-addresses"},
        {HF_BENCH_TIMESTAMPS, setup->timestamps, "-timestamps"},
        {HF_BENCH_BATCH, setup->batch, "-batch"},
        {HF_BENCH_SOFTWARE, setup->software, "-software"},
        {HF_BENCH_COOKIES, setup->cookies, "-cookies"},
        {HF_BENCH_V6, setup->v6, "-v6"},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if ((c->knows & words[i].bit) != 0 && words[i].is_set)
            hf_text_add(&t, "%s", words[i].word);
    if ((c->knows & HF_BENCH_IDLE) != 0 && setup->idle > 0)
        hf_text_add(&t, "-idle-%" PRIu32, setup->idle);
    bool is_of = (c->knows & HF_BENCH_CONNECTIONS) != 0 && c->open != NULL;
    if (is_of && setup->connections > 0) /* else it is told beside the figures */
        hf_text_add(&t, "-of-%" PRIu32, setup->connections);
    if ((c->knows & HF_BENCH_AT_ONCE) != 0 && setup->at_once > 1)
        hf_text_add(&t, "-by-%" PRIu32, setup->at_once);
}

/* ---- telling ------------------------------------------------------------------------------- */

static void tell_json(struct hf_text *t, const struct hf_bench_figure *f)
{
    hf_text_add(t, "{\"case\":\"%s\"", f->name);
    if (f->kind != NULL)
        hf_text_add(t, ",\"kind\":\"%s\"", f->kind);
    hf_text_add(t, ",\"value\":%.6g,\"unit\":\"%s\"", f->value, f->unit);
    if (f->per != NULL)
        hf_text_add(t, ",\"per\":\"%s\"", f->per);
    if (f->has_range)
        hf_text_add(t, ",\"min\":%.6g,\"max\":%.6g", f->min, f->max);
    hf_text_add(t, "%s}\n", f->more);
}

static void tell_row(struct hf_text *t, const struct hf_bench_figure *f)
{
    char what[2 * HF_BENCH_NAME_BYTES], unit[HF_BENCH_NAME_BYTES];
    snprintf(what, sizeof what, "%s%s%s", f->name, f->kind != NULL ? " " : "",
             f->kind != NULL ? f->kind : "");
    snprintf(unit, sizeof unit, "%s%s%s", f->unit, f->per != NULL ? "/" : "",
             f->per != NULL ? f->per : "");
    hf_text_add(t, "%-42s %12.*f %-16s", what, DECIMALS, f->value, unit);
    if (f->has_range)
        hf_text_add(t, " [%.*f .. %.*f]", DECIMALS, f->min, DECIMALS, f->max);
    if (f->note != NULL)
        hf_text_add(t, " %s", f->note);
    while (t->length_bytes > 0 && t->bytes[t->length_bytes - 1] == ' ')
        t->length_bytes--;
    hf_text_add(t, "\n");
}

void hf_bench_tell(const struct hf_bench_report *r, const struct hf_bench_figure *f)
{
    char line[LINE_BYTES];
    struct hf_text t;
    hf_text_init(&t, line, sizeof line);
    if (r->json)
        tell_json(&t, f);
    else
        tell_row(&t, f);
    r->sink(r->ctx, line, hf_text_stored(&t));
}

/* ---- time ---------------------------------------------------------------------------------- */

hf_ns hf_bench_reference_ns(void)
{
    hf_ns begin = hf_bench_clock_ns();
    volatile uint64_t x = 1;
    uint64_t y = x;
    for (unsigned i = 0; i < REFERENCE_STEPS; i++)
        y = y * 6364136223846793005u + 1442695040888963407u;
    x = y;
    return hf_bench_clock_ns() - begin;
}

/** One job, open, and what each of its rounds took. */
struct timed {
    struct hf_bench bench;
    double packets;    /**< of an operation, in the last round */
    double *ns;        /**< of an operation */
    double *reference; /**< nanoseconds of the loop beside it */
    double *ratio;     /**< nanoseconds by those of the loop, in millionths */
};

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double hf_bench_quantile(double *values, size_t n, double share)
{
    qsort(values, n, sizeof *values, compare);
    size_t rank = (size_t)(share * (double)n);
    rank += (double)rank < share * (double)n; /* the nearest rank */
    return values[rank > 0 ? rank - 1 : 0];
}

double hf_bench_median(double *values, size_t n)
{
    double low = hf_bench_quantile(values, n, HALF);
    return n % 2 == 1 ? low : (low + values[n / 2]) * HALF;
}

static void measure_round(struct timed *t, const struct hf_bench_case *c, unsigned round)
{
    hf_ns loop_ns = hf_bench_reference_ns(), begin = hf_bench_clock_ns();
    uint64_t packets = t->bench.pair.packets, done = c->run(&t->bench, c->timed);
    t->ns[round] = (double)(hf_bench_clock_ns() - begin) / (double)done;
    t->packets = (double)(t->bench.pair.packets - packets) / (double)done;
    t->reference[round] = (double)loop_ns;
    t->ratio[round] = t->ns[round] / (double)loop_ns * 1e6;
}

static void tell_time(struct timed *t, const struct hf_bench_job *job, unsigned rounds,
                      const struct hf_bench_report *r)
{
    char name[HF_BENCH_NAME_BYTES], more[MORE_BYTES], note[MORE_BYTES];
    struct hf_text m, n;
    hf_bench_name(job->what, &job->setup, name);
    double ns = hf_bench_median(t->ns, rounds), ratio = hf_bench_median(t->ratio, rounds);
    hf_text_init(&m, more, sizeof more);
    hf_text_init(&n, note, sizeof note);
    hf_text_add(&m, ",\"rounds\":%u,\"operations\":%" PRIu64 ",\"packets\":%.2f", rounds,
                job->what->timed, t->packets);
    hf_text_add(&m, ",\"reference_ns\":%.0f,\"millionths_of_reference\":%.4g",
                hf_bench_median(t->reference, rounds), ratio);
    hf_text_add(&n, "%.0f ppm", ratio);
    if (t->bench.payload_bytes > 0) {
        double gbps = (double)BITS_IN_BYTE * t->bench.payload_bytes / ns;
        hf_text_add(&m, ",\"payload_bytes\":%" PRIu32 ",\"gbit_per_s\":%.2f",
                    t->bench.payload_bytes, gbps);
        hf_text_add(&n, ", %.1f Gbit/s", gbps);
    }
    struct hf_bench_figure f = {
        .name = name,
        .value = ns,
        .unit = "ns",
        .per = job->what->per,
        .has_range = true,
        .min = t->ns[0],
        .max = t->ns[rounds - 1],
        .more = more,
        .note = note,
    };
    hf_bench_tell(r, &f);
}

static void open_timed(struct timed *t, const struct hf_bench_job *job, unsigned rounds)
{
    t->ns = hf_bench_memory(rounds, sizeof(double));
    t->reference = hf_bench_memory(rounds, sizeof(double));
    t->ratio = hf_bench_memory(rounds, sizeof(double));
    hf_bench_open(&t->bench, job->what, &job->setup);
}

static void close_timed(struct timed *t)
{
    hf_bench_close(&t->bench);
    free(t->ns);
    free(t->reference);
    free(t->ratio);
}

static void measure_otherwise(const struct hf_bench_job *job, const struct hf_bench_report *r)
{
    struct hf_bench_setup setup = job->setup;
    if (setup.connections == 0)
        setup.connections = job->what->connections;
    job->what->measure(&setup, r);
}

void hf_bench_run(const struct hf_bench_job *jobs, size_t count, unsigned rounds,
                  const struct hf_bench_report *r)
{
    struct timed *timed = hf_bench_memory(count, sizeof *timed);
    for (size_t i = 0; i < count; i++)
        if (jobs[i].what->open != NULL)
            open_timed(&timed[i], &jobs[i], rounds);
    for (unsigned round = 0; round < rounds; round++)
        for (size_t i = 0; i < count; i++)
            if (jobs[i].what->open != NULL)
                measure_round(&timed[i], jobs[i].what, round);
    for (size_t i = 0; i < count; i++) {
        if (jobs[i].what->open == NULL)
            continue;
        tell_time(&timed[i], &jobs[i], rounds, r);
        close_timed(&timed[i]);
    }
    free(timed);
    for (size_t i = 0; i < count; i++)
        if (jobs[i].what->open == NULL)
            measure_otherwise(&jobs[i], r);
}
