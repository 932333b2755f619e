/**
 * The loops of several stacks, each in a thread of its own. They share no state but the rings that
 * packets are handed over by; whoever ends first ends all.
 */
#include "cli.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct runner {
    struct hf_tun_stack *const *stacks;
    unsigned own, count;
    pthread_t thread;
    int err;
    struct hf_why why;
};

/** A connection whose stack is gone would be one that nobody answers: all end together. */
static void run_one(struct runner *r)
{
    r->err = hf_loop_run(r->stacks[r->own]->loop, &r->why);
    for (unsigned i = 0; i < r->count; i++)
        if (i != r->own)
            hf_loop_stop(r->stacks[i]->loop);
}

static void *run_in_thread(void *ctx)
{
    run_one(ctx);
    return NULL;
}

int hf_tun_stacks_run(struct hf_tun_stack *const *stacks, unsigned count, struct hf_why *why)
{
    struct runner runners[HF_THREADS_MAX] = {{.stacks = stacks, .count = count}};
    unsigned started = 1;
    int failure = 0;
    for (unsigned i = 1; i < count; i++)
        runners[i] = (struct runner){.stacks = stacks, .own = i, .count = count, .err = HF_OK};
    for (; started < count && failure == 0; started += failure == 0)
        failure = pthread_create(&runners[started].thread, NULL, run_in_thread, &runners[started]);
    if (failure != 0) {
        snprintf(why->text, sizeof why->text, "start thread %u of %u: %s", started + 1, count,
                 strerror(failure));
        why->sys_errno = failure;
        for (unsigned i = 0; i < count; i++)
            hf_loop_stop(stacks[i]->loop);
    }
    run_one(&runners[0]);
    int err = failure != 0 ? HF_E_SYSTEM : HF_OK;
    for (unsigned i = 0; i < started; i++) {
        if (i > 0)
            (void)pthread_join(runners[i].thread, NULL);
        if (err == HF_OK && runners[i].err != HF_OK) {
            err = runners[i].err;
            *why = runners[i].why;
        }
    }
    return err;
}
