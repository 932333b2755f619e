/**
 * The core as a target. Every function first pulls what the stack has to send: in a kernel a call
 * sends before it returns, so two calls at one instant must not melt into one segment.
 */
#include "target_core.h"

/** Timestamps, which are script time in milliseconds plus this, must not begin with 0: that would
 *  hide an echo that was forgotten. */
#define START_NS HF_SEC(1000)

enum { SEED = 1 };

static void settle(struct hf_target_core *t)
{
    hf_sockets_update(t->sockets, t->rig.now_ns);
    hf_rig_pull(&t->rig);
}

static hf_ns target_now(void *self)
{
    const struct hf_target_core *t = self;
    return t->rig.now_ns;
}

static void target_run(void *self, hf_ns until_ns)
{
    struct hf_target_core *t = self;
    hf_rig_pull(&t->rig);
    hf_rig_run(&t->rig, hf_min_ns(until_ns, hf_stack_deadline(t->rig.stack)));
    settle(t);
}

static void target_inject(void *self, const uint8_t *bytes, uint32_t length_bytes)
{
    struct hf_target_core *t = self;
    hf_rig_pull(&t->rig);
    hf_rig_input(&t->rig, bytes, length_bytes, 0, 0);
    settle(t);
}

static bool target_take(void *self, struct hf_drill_packet *packet)
{
    struct hf_target_core *t = self;
    struct hf_caught caught;
    hf_rig_pull(&t->rig);
    if (!hf_rig_pop(&t->rig, NULL, NULL, &caught))
        return false;
    *packet = (struct hf_drill_packet){
        .at_ns = caught.at_ns,
        .bytes = caught.frame->bytes,
        .length_bytes = caught.frame->length_bytes,
    };
    return true;
}

static int target_count(void *self, enum hf_state state)
{
    const struct hf_target_core *t = self;
    uint64_t cursor = 0;
    struct hf_tuple tuple;
    int count = 0;
    while (hf_iterate(t->rig.stack, &cursor, &tuple))
        count += tuple.state == state;
    return count;
}

static const char *target_fault(void *self)
{
    const struct hf_target_core *t = self;
    return t->rig.checks.violations > 0 ? t->rig.checks.first : NULL;
}

int hf_target_core_open(struct hf_target_core *t, const struct hf_config *config,
                        const struct hf_addr *address, struct hf_drill_target *out)
{
    static const struct hf_drill_target_calls calls = {
        .now = target_now,
        .run = target_run,
        .inject = target_inject,
        .take = target_take,
        .count = target_count,
        .fault = target_fault,
        .tells = hf_sockets_tell,
    };
    struct hf_rig_config rig = {
        .config = config, .seed = SEED, .start_ns = START_NS, .address = address};
    int err = hf_rig_open(&t->rig, &rig);
    if (err != HF_OK)
        return err;
    err = hf_sockets_new(&t->sockets, t->rig.stack, t->rig.now_ns);
    if (err != HF_OK) {
        hf_rig_close(&t->rig);
        return err;
    }
    *out =
        (struct hf_drill_target){.self = t, .calls = &calls, .posix = hf_sockets_posix(t->sockets)};
    return HF_OK;
}

void hf_target_core_close(struct hf_target_core *t)
{
    hf_sockets_free(t->sockets);
    hf_rig_close(&t->rig);
}
