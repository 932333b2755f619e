/**
 * Saving a stack and making one again from what was saved.
 *
 * State is plain data and containers that name their objects by index: it is copied as it is,
 * behind a head that says what wrote it. Only the very same layout is taken back; everything that
 * can differ between builds goes into the head.
 */
#include "stack.h"

#define SAVE_MAGIC 0x48466173u /* "HFas" in this machine's byte order */
/** One more whenever what is saved changes, or what it means, and no size shows it. */
enum { SAVE_LAYOUT = 2 };

struct head {
    uint32_t magic;
    uint32_t version;
    uint32_t plain_bytes, conn_bytes, flight_bytes, listener_bytes;
    uint32_t reply_bytes;
    uint32_t reason_count;
    uint64_t checksum; /**< of all that follows */
};

static struct head own_head(void)
{
    return (struct head){
        .magic = SAVE_MAGIC,
        .version =
            HF_VERSION_MAJOR << 24 | HF_VERSION_MINOR << 16 | HF_VERSION_PATCH << 8 | SAVE_LAYOUT,
        .plain_bytes = sizeof(struct hf_stack_plain),
        .conn_bytes = sizeof(struct hf_conn),
        .flight_bytes = sizeof(struct hf_flight),
        .listener_bytes = sizeof(struct hf_listener),
        .reply_bytes = sizeof(struct hf_reply),
        .reason_count = HF_REASON_COUNT,
    };
}

/** Indices are taken back unchecked: damage has to show before anything is believed. It is no
 *  protection against those who mean harm, so the key is none. */
static uint64_t checksum(const uint8_t *bytes, size_t n)
{
    static const struct hf_sip_key key = {SAVE_MAGIC, 0};
    return hf_siphash13(&key, bytes, n);
}

/** The wheel without its pointers. */
static void save_wheel(const struct hf_wheel *w, struct hf_writer *out)
{
    hf_write(out, &w->now_tick, sizeof w->now_tick);
    hf_write(out, w->used, sizeof w->used);
    hf_write(out, w->heads, sizeof w->heads);
    hf_write(out, &w->count, sizeof w->count);
}

static bool restore_wheel(struct hf_wheel *w, struct hf_reader *in)
{
    return hf_read(in, &w->now_tick, sizeof w->now_tick) && hf_read(in, w->used, sizeof w->used) &&
           hf_read(in, w->heads, sizeof w->heads) && hf_read(in, &w->count, sizeof w->count);
}

/** Blocks that are lent to a caller at this moment: saved too, and taken back by the restored
 *  stack, whose callers never had them. */
static void save_loans(const struct hf_stack *s, struct hf_writer *out)
{
    hf_write(out, &s->reserved_block, sizeof s->reserved_block);
    hf_write(out, &s->given_count, sizeof s->given_count);
    hf_write(out, s->given_blocks, sizeof s->given_blocks);
}

static bool restore_loans(struct hf_stack *s, struct hf_reader *in)
{
    return hf_read(in, &s->reserved_block, sizeof s->reserved_block) &&
           hf_read(in, &s->given_count, sizeof s->given_count) &&
           s->given_count <= HF_OUTPUT_BATCH &&
           hf_read(in, s->given_blocks, sizeof s->given_blocks);
}

static void save_stores(const struct hf_stack *s, struct hf_writer *w)
{
#define SAVE_POOL(name, member) hf_pool_save(&s->member, w);
#define SAVE_TABLE(name, member) hf_table_save(&s->member, w);
    HF_STACK_POOLS(SAVE_POOL)
    HF_STACK_TABLES(SAVE_TABLE)
#undef SAVE_POOL
#undef SAVE_TABLE
}

size_t hf_stack_save(const struct hf_stack *s, void *bytes, size_t capacity_bytes, hf_ns now)
{
    hf_ns saved_at = hf_max_ns(hf_stack_own_time(s, now), s->p.now_ns);
    struct hf_writer count = {NULL, 0, 0};
    struct hf_writer *w = &count;
    struct hf_writer real = {bytes, capacity_bytes, 0};
    for (int pass = 0; pass < 2; pass++) {
        struct head head = own_head();
        hf_write(w, &head, sizeof head);
        hf_write(w, &s->p, sizeof s->p);
        hf_write(w, &saved_at, sizeof saved_at);
        hf_write(w, &s->blocks.send_used, sizeof s->blocks.send_used);
        hf_write(w, &s->blocks.peak, sizeof s->blocks.peak);
        hf_write(w, &s->blocks.turnover, sizeof s->blocks.turnover);
        hf_write(w, s->replies, (size_t)s->p.cfg.reply_ring * sizeof *s->replies);
        save_loans(s, w);
        save_wheel(&s->wheel, w);
        save_stores(s, w);
        if (bytes == NULL || count.used_bytes > capacity_bytes)
            break;
        w = &real;
    }
    if (real.used_bytes > 0) {
        uint64_t sum =
            checksum(real.bytes + sizeof(struct head), real.used_bytes - sizeof(struct head));
        memcpy(real.bytes + offsetof(struct head, checksum), &sum, sizeof sum);
    }
    return count.used_bytes;
}

static int restore_stores(struct hf_stack *s, struct hf_reader *r)
{
    int err = HF_OK;
#define RESTORE_POOL(name, member)                                                                 \
    if (err == HF_OK)                                                                              \
        err = hf_pool_restore(&s->member, r);
#define RESTORE_TABLE(name, member)                                                                \
    if (err == HF_OK)                                                                              \
        err = hf_table_restore(&s->member, r);
    HF_STACK_POOLS(RESTORE_POOL)
    HF_STACK_TABLES(RESTORE_TABLE)
#undef RESTORE_POOL
#undef RESTORE_TABLE
    return err;
}

/** Our clock goes on from the instant of saving, and `now` is what the caller calls that. False if
 *  the two lie too far apart to be told by one number. */
static bool set_clock(struct hf_stack *s, hf_ns saved_at, hf_ns now)
{
    hf_ns ahead_ns;
    if (__builtin_sub_overflow(saved_at, now, &ahead_ns) || ahead_ns == INT64_MIN)
        return false;
    s->p.clock_ahead_ns = ahead_ns;
    s->p.told_ns = hf_stack_caller_time(s, s->p.now_ns);
    return true;
}

static bool restore_plain(struct hf_stack *s, struct hf_reader *r)
{
    return hf_read(r, &s->blocks.send_used, sizeof s->blocks.send_used) &&
           hf_read(r, &s->blocks.peak, sizeof s->blocks.peak) &&
           hf_read(r, &s->blocks.turnover, sizeof s->blocks.turnover) &&
           hf_read(r, s->replies, (size_t)s->p.cfg.reply_ring * sizeof *s->replies) &&
           restore_loans(s, r) && restore_wheel(&s->wheel, r);
}

int hf_stack_restore(struct hf_stack **out, const void *bytes, size_t length_bytes,
                     const struct hf_env *env, hf_ns now)
{
    struct hf_reader r = {bytes, length_bytes, 0};
    struct head head, own = own_head();
    if (env == NULL || env->realloc == NULL)
        return HF_E_INVALID;
    if (!hf_read(&r, &head, sizeof head) ||
        memcmp(&head, &own, offsetof(struct head, checksum)) != 0 ||
        head.checksum != checksum(r.bytes + r.used_bytes, length_bytes - r.used_bytes))
        return HF_E_VERSION;
    _Static_assert(offsetof(struct hf_stack_plain, cfg) == 0, "the settings are read ahead");
    struct hf_config cfg;
    struct hf_reader ahead = r;
    if (!hf_read(&ahead, &cfg, sizeof cfg) || hf_config_check(&cfg, NULL) != HF_OK)
        return HF_E_VERSION;
    struct hf_stack *s = hf_stack_allocate(&cfg, env, 0);
    if (s == NULL)
        return HF_E_MEMORY;
    hf_ns saved_at;
    int err = HF_E_VERSION;
    if (!hf_read(&r, &s->p, sizeof s->p) || !hf_read(&r, &saved_at, sizeof saved_at) ||
        !restore_plain(s, &r))
        goto free_stack;
    err = HF_E_INVALID;
    if (s->p.shard != env->shard || !set_clock(s, saved_at, now))
        goto free_stack;
    err = restore_stores(s, &r);
    if (err == HF_OK && r.used_bytes != length_bytes)
        err = HF_E_VERSION;
    if (err != HF_OK)
        goto free_stack;
    hf_local_find_idle(s);
    hf_stack_end_loans(s);
    *out = s;
    return HF_OK;
free_stack:
    hf_stack_free(s);
    return err;
}
