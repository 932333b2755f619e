/**
 * A case in several threads at once, beside one of them alone, in turns: what more processors bring
 * where stacks share nothing. Each thread has two stacks of its own and all that they need, made by
 * itself, so that no memory is near to another's; while one runs alone the others sleep.
 */
#include "bench/bench.h"

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { LINE_BYTES = 64, MORE_BYTES = 300, UNIT_BYTES = 32, EVERYBODY = -1, NOBODY = -2 };
static const double NS_IN_S = 1e9;

struct group {
    const struct hf_bench_job *job;
    pthread_barrier_t gate; /* before each run and after it */
    int who;                /* runs next: a worker's number, EVERYBODY, NOBODY any more */
};

struct worker {
    _Alignas(LINE_BYTES) struct group *group;
    int own;
    int processor; /* to stay on; -1: any */
    pthread_t thread;
    uint64_t done;
    hf_ns began_ns, ended_ns;
    hf_ns used_ns; /* of the processor's time: others may have had some */
};

/* Operations a second, and by those seconds that the threads had of the processors. */
struct rate {
    double of_wall, of_use;
};

/* What the rounds came to: operations a second, and how many times one's all had. */
struct rates {
    double *one, *all, *times, *times_by_use;
};

static hf_ns used_ns(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return HF_SEC(t.tv_sec) + t.tv_nsec;
}

/* ---- a worker ------------------------------------------------------------------------------ */

/** Where it is not allowed, the scheduler does as it likes. */
static void stay_on(int processor)
{
    cpu_set_t set;
    if (processor < 0)
        return;
    CPU_ZERO(&set);
    CPU_SET((size_t)processor, &set);
    (void)pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

/** The n-th of those that this process may use, round and round; -1: not known. */
static int processor_of(unsigned n)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0 || CPU_COUNT(&set) == 0)
        return -1;
    int left = (int)(n % (unsigned)CPU_COUNT(&set)), i = 0;
    while (!CPU_ISSET((size_t)i, &set) || left-- > 0)
        i++;
    return i;
}

static void *work(void *ctx)
{
    struct worker *me = ctx;
    struct group *g = me->group;
    const struct hf_bench_case *c = g->job->what;
    stay_on(me->processor);
    struct hf_bench *w = hf_bench_memory(1, sizeof *w);
    hf_bench_open(w, c, &g->job->setup);
    for (;;) {
        (void)pthread_barrier_wait(&g->gate);
        if (g->who == NOBODY)
            break;
        if (g->who == EVERYBODY || g->who == me->own) {
            hf_ns used_before_ns = used_ns();
            me->began_ns = hf_bench_clock_ns();
            me->done = c->run(w, c->timed);
            me->ended_ns = hf_bench_clock_ns();
            me->used_ns = used_ns() - used_before_ns;
        }
        (void)pthread_barrier_wait(&g->gate);
    }
    hf_bench_close(w);
    free(w);
    return NULL;
}

/* ---- rounds -------------------------------------------------------------------------------- */

/** Lets them run; the wall's time is from the first one's begin to the last one's end. */
static struct rate run(struct group *g, const struct worker *workers, unsigned threads, int who)
{
    uint64_t done = 0;
    hf_ns began_ns = HF_NEVER, ended_ns = 0;
    struct rate rate = {0};
    g->who = who;
    (void)pthread_barrier_wait(&g->gate);
    (void)pthread_barrier_wait(&g->gate);
    for (unsigned i = 0; i < threads; i++) {
        const struct worker *w = &workers[i];
        if (who != EVERYBODY && who != w->own)
            continue;
        done += w->done;
        rate.of_use += (double)w->done * NS_IN_S / (double)w->used_ns;
        began_ns = w->began_ns < began_ns ? w->began_ns : began_ns;
        ended_ns = w->ended_ns > ended_ns ? w->ended_ns : ended_ns;
    }
    rate.of_wall = (double)done * NS_IN_S / (double)(ended_ns - began_ns);
    return rate;
}

/** Each is the one alone in its turn, and goes first in every other round: processors differ, and
 *  the machine's speed drifts. */
static void run_rounds(struct group *g, const struct worker *workers, unsigned threads,
                       unsigned rounds, struct rates *rates)
{
    for (unsigned i = 0; i < rounds; i++) {
        int alone = (int)(i / 2 % threads);
        struct rate one = {0};
        if (i % 2 == 0)
            one = run(g, workers, threads, alone);
        struct rate all = run(g, workers, threads, EVERYBODY);
        if (i % 2 == 1)
            one = run(g, workers, threads, alone);
        rates->one[i] = one.of_wall;
        rates->all[i] = all.of_wall;
        rates->times[i] = all.of_wall / one.of_wall;
        rates->times_by_use[i] = all.of_use / one.of_use;
    }
    g->who = NOBODY;
    (void)pthread_barrier_wait(&g->gate);
}

static void tell(const struct hf_bench_job *job, unsigned threads, unsigned rounds,
                 const struct rates *rates, const struct hf_bench_report *r)
{
    char name[HF_BENCH_NAME_BYTES], unit[UNIT_BYTES], more[MORE_BYTES], note[MORE_BYTES];
    double all = hf_bench_median(rates->all, rounds), one = hf_bench_median(rates->one, rounds);
    double times = hf_bench_median(rates->times, rounds);
    double by_use = hf_bench_median(rates->times_by_use, rounds);
    hf_bench_name(job->what, &job->setup, name);
    snprintf(unit, sizeof unit, "%ss", job->what->per);
    snprintf(
        more, sizeof more,
        ",\"threads\":%u,\"one_thread\":%.6g,\"times_one_thread\":%.4g,\"times_min\":%.4g,"
        "\"times_max\":%.4g,\"times_by_processor_time\":%.4g,\"rounds\":%u,\"operations\":%" PRIu64,
        threads, one, times, rates->times[0], rates->times[rounds - 1], by_use, rounds,
        job->what->timed);
    snprintf(note, sizeof note, "%u threads: %.2f times one [%.2f .. %.2f], %.2f by processor time",
             threads, times, rates->times[0], rates->times[rounds - 1], by_use);
    struct hf_bench_figure f = {
        .name = name,
        .kind = "threads",
        .value = all,
        .unit = unit,
        .per = "s",
        .has_range = true,
        .min = rates->all[0],
        .max = rates->all[rounds - 1],
        .more = more,
        .note = note,
    };
    hf_bench_tell(r, &f);
}

static void must(int failure, const char *what)
{
    if (failure == 0)
        return;
    fprintf(stderr, "handfast bench: %s: error %d\n", what, failure);
    exit(1);
}

static void run_job(const struct hf_bench_job *job, unsigned threads, unsigned rounds,
                    const struct hf_bench_report *r)
{
    struct group g = {.job = job};
    struct rates rates = {
        hf_bench_memory(rounds, sizeof(double)), hf_bench_memory(rounds, sizeof(double)),
        hf_bench_memory(rounds, sizeof(double)), hf_bench_memory(rounds, sizeof(double))};
    struct worker workers[HF_BENCH_THREADS_MAX];
    must(pthread_barrier_init(&g.gate, NULL, threads + 1), "pthread_barrier_init");
    for (unsigned i = 0; i < threads; i++) {
        workers[i] = (struct worker){.group = &g, .own = (int)i, .processor = processor_of(i)};
        must(pthread_create(&workers[i].thread, NULL, work, &workers[i]), "pthread_create");
    }
    run_rounds(&g, workers, threads, rounds, &rates);
    for (unsigned i = 0; i < threads; i++)
        (void)pthread_join(workers[i].thread, NULL);
    (void)pthread_barrier_destroy(&g.gate);
    tell(job, threads, rounds, &rates, r);
    free(rates.one);
    free(rates.all);
    free(rates.times);
    free(rates.times_by_use);
}

void hf_bench_run_threads(const struct hf_bench_job *jobs, size_t count, unsigned threads,
                          unsigned rounds, const struct hf_bench_report *r)
{
    for (size_t i = 0; i < count; i++)
        run_job(&jobs[i], threads, rounds, r);
}
