/**
 * Fuzz target: the input steers one stack, or two that are connected crosswise, through packets,
 * calls of the API, time and failing memory.
 *
 * All bytes of all streams are a function of their sequence number, whoever sends them: so what is
 * delivered, and what is sent, can be judged without a model of the peer. After each step the
 * invariants are asked for that show from outside; at the end everything is closed, and time
 * runs until nothing is left. The input's first bytes choose the settings, each later one a step.
 */
#include <string.h>

#include "support/conn_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length_bytes);

enum { STEPS_MAX = 400, END_STEPS_MAX = 100000 };

/* What is wanted often stands more than once. */
static fuzz_step_fn *const steps[] = {
    fuzz_step_handshake,   fuzz_step_handshake,   fuzz_step_listen,      fuzz_step_connect,
    fuzz_step_any_segment, fuzz_step_any_segment, fuzz_step_any_segment, fuzz_step_data,
    fuzz_step_data,        fuzz_step_data,        fuzz_step_ack,         fuzz_step_ack,
    fuzz_step_fin,         fuzz_step_reset,       fuzz_step_icmp,        fuzz_step_noise,
    fuzz_step_decide,      fuzz_step_send,        fuzz_step_send,        fuzz_step_receive,
    fuzz_step_receive,     fuzz_step_close,       fuzz_step_close,       fuzz_step_options,
    fuzz_step_time,        fuzz_step_time,        fuzz_step_deadline,    fuzz_step_memory,
    fuzz_step_waiting,     fuzz_step_save,        fuzz_step_data,        fuzz_step_ack,
    fuzz_step_handshake,   fuzz_step_reopen,      fuzz_step_unlisten,    fuzz_step_connect,
    fuzz_step_cookie,      fuzz_step_any_segment, fuzz_step_any_segment, fuzz_step_data,
    fuzz_step_data,        fuzz_step_data,        fuzz_step_ack,         fuzz_step_ack,
    fuzz_step_fin,         fuzz_step_reset,       fuzz_step_reopen,      fuzz_step_cookie,
    fuzz_step_decide,      fuzz_step_send,        fuzz_step_send,        fuzz_step_receive,
    fuzz_step_receive,     fuzz_step_close,       fuzz_step_close,       fuzz_step_options,
    fuzz_step_time,        fuzz_step_time,        fuzz_step_deadline,    fuzz_step_memory,
    fuzz_step_waiting,     fuzz_step_save,        fuzz_step_data,        fuzz_step_ack,
};

/* ---- begin and end ---- */

static void change_setting(struct fuzz_run *r, struct hf_config *cfg)
{
    const struct hf_setting *row = hf_setting_at(fuzz_take(r, 64));
    static const char *const big[] = {"reply_ring", "max_connections", "pool_bytes"};
    if (row == NULL)
        return;
    for (size_t i = 0; i < HF_COUNT_OF(big); i++)
        if (strcmp(row->name, big[i]) == 0)
            return;
    const int64_t values[] = {row->min, row->max, row->min + 1, (row->min + row->max) / 2};
    HF_ASSERT(hf_config_set(cfg, row->name, values[fuzz_take(r, 4)]) == HF_OK);
}

static void choose_config(struct fuzz_run *r, struct hf_config *cfg)
{
    hf_config_profile(cfg, sizeof *cfg, (enum hf_profile)fuzz_take(r, HF_PROFILE_COUNT));
    cfg->max_connections = 1 << fuzz_take(r, 5);
    cfg->max_half_open = 1 + fuzz_take(r, 4);
    cfg->max_time_wait = fuzz_take(r, 4);
    cfg->syn_cookies = fuzz_take(r, 3);
    cfg->reply_ring = 16;
    uint32_t sizes = fuzz_take(r, 256);
    cfg->pool_bytes = 65536;
    cfg->block_bytes = (sizes & 1) != 0 ? 512 : 4096;
    cfg->send_buffer_bytes = 256 << (sizes >> 1 & 7);
    cfg->receive_buffer_bytes = 256 << (sizes >> 4 & 7) * 2;
    cfg->offload_super_bytes = sizes >> 7 != 0 ? 65535 : 0;
    cfg->offload_checksum = sizes >> 7;
    struct hf_config fits = *cfg;
    for (uint32_t n = fuzz_take(r, 6); n > 0; n--) {
        change_setting(r, cfg);
        if (hf_config_check(cfg, NULL) == HF_OK)
            fits = *cfg;
        else
            *cfg = fits;
    }
}

static uint64_t memory_of(const struct fuzz_side *side)
{
    struct hf_stack_info info;
    hf_stack_info(side->stack, &info);
    return info.memory_bytes;
}

static void open_side(struct fuzz_run *r, struct fuzz_side *side, const struct hf_config *cfg,
                      uint8_t host)
{
    struct hf_env env = {
        .realloc = hf_account_realloc, .realloc_ctx = &side->account, .seed = {host}};
    side->v4 = hf_addr_v4(10, 0, 0, host);
    side->v6 = (struct hf_addr){{0xFD, [15] = host}};
    HF_ASSERT(hf_stack_new(&side->stack, cfg, &env, r->now) == HF_OK);
    HF_ASSERT(hf_stack_add_address(side->stack, &side->v4, 32) == HF_OK);
    HF_ASSERT(hf_stack_add_address(side->stack, &side->v6, 128) == HF_OK);
    side->base_bytes = memory_of(side);
}

static void let_go_of_all(struct fuzz_run *r, struct fuzz_side *side, bool abort)
{
    for (size_t i = 0; i < HF_COUNT_OF(side->listeners); i++)
        if (side->listeners[i] != 0)
            HF_ASSERT(hf_close(side->stack, side->listeners[i], fuzz_now(r, side)) == HF_OK);
    for (size_t i = 0; i < FUZZ_MODELS; i++) {
        struct fuzz_model *m = &side->models[i];
        if (m->handle == 0 || m->let_go)
            continue;
        int err = abort ? hf_abort(side->stack, m->handle, fuzz_now(r, side))
                        : hf_close(side->stack, m->handle, fuzz_now(r, side));
        HF_ASSERT(err == HF_OK);
        m->let_go = true;
    }
}

static void close_side(struct fuzz_side *side)
{
    struct hf_stack_info info;
    for (size_t i = 0; i < FUZZ_MODELS; i++)
        HF_ASSERT(side->models[i].handle == 0 || side->models[i].closed);
    hf_stack_info(side->stack, &info);
    HF_ASSERT(info.connections + info.half_open + info.time_wait + info.listeners == 0);
    HF_ASSERT(info.flights == 0 && info.local_addresses == 0 && info.pool_used_bytes == 0);
    hf_stack_trim(side->stack);
    HF_ASSERT(memory_of(side) == side->base_bytes);
    hf_stack_free(side->stack);
    HF_ASSERT(side->account.held_bytes == 0);
}

/* Everything is let go, and time passes until nothing is left. */
static void finish(struct fuzz_run *r)
{
    r->events_wait = r->packets_wait = false;
    fuzz_settle(r);
    bool abort = r->now % 2 != 0;
    for (unsigned i = 0; i < r->side_count; i++)
        let_go_of_all(r, &r->sides[i], abort);
    fuzz_settle(r);
    for (int i = 0;; i++) {
        hf_ns deadline = HF_NEVER;
        for (unsigned k = 0; k < r->side_count; k++)
            deadline = hf_min_ns(deadline, fuzz_deadline(&r->sides[k]));
        if (deadline == HF_NEVER)
            break;
        HF_ASSERT(i < END_STEPS_MAX);
        fuzz_pass(r, deadline);
        for (unsigned k = 0; k < r->side_count; k++)
            fuzz_expire(r, &r->sides[k]);
        fuzz_settle(r);
    }
    for (unsigned i = 0; i < r->side_count; i++)
        close_side(&r->sides[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length_bytes)
{
    static struct fuzz_run run;
    static const hf_ns starts[] = {0, -HF_SEC(100), HF_NEVER / 2, -HF_NEVER / 2};
    struct fuzz_run *r = &run;
    *r = (struct fuzz_run){.bytes = bytes, .left_bytes = length_bytes};
    uint32_t mode = fuzz_take(r, 256);
    r->side_count = 1 + (mode & 1);
    r->now = starts[mode >> 1 & 3] + (mode >> 3 & 1);
    struct hf_config cfg;
    choose_config(r, &cfg);
    for (unsigned i = 0; i < r->side_count; i++)
        open_side(r, &r->sides[i], &cfg, (uint8_t)(1 + i));
    if ((mode & 16) != 0) {
        struct hf_listen any = {.held = (mode & 32) != 0};
        HF_ASSERT(hf_listen(r->sides[0].stack, &any, &r->sides[0].listeners[0], r->now) == HF_OK);
    }
    for (int i = 0; i < STEPS_MAX && r->left_bytes > 0; i++) {
        uint32_t what = fuzz_take(r, 256);
        struct fuzz_side *side = &r->sides[what >> 7 & (r->side_count - 1)];
        steps[what & 127 & (HF_COUNT_OF(steps) - 1)](r, side);
        fuzz_settle(r);
    }
    finish(r);
    return 0;
}
