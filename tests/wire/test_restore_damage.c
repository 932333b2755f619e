/* What hf_stack_restore refuses: saved state that was cut short or is not a stack's, though its
 * checksum is right. Nothing is left behind then. */
#include <stdlib.h>

#include "core/stack.h"
#include "opening.h"
#include "support/test_memory.h"

/* Of save.c's head: seven numbers and padding, and the checksum of all that follows. */
enum { HEAD_BYTES = 40, CHECKSUM_AT = 32 };

struct image {
    uint8_t *bytes;
    size_t length_bytes;
    struct test_memory memory;
    struct hf_env env;
};

static void open_image(struct image *m, struct bench *b)
{
    bench_init(b);
    bench_open(b, false, 1);
    bench_syn_rcvd(b, HALF_OPEN, "<mss 1460>");
    hf_peer_send(&b->peer, ". ack 1");
    b->conn = bench_established(b, HALF_OPEN);
    uint8_t data[2000] = {0};
    assert_int_equal(hf_send(b->rig.stack, b->conn, data, sizeof data, 0, bench_now(b)), 2000);
    *m = (struct image){.memory = TEST_MEMORY_INIT};
    m->env = (struct hf_env){.realloc = test_memory_realloc, .realloc_ctx = &m->memory};
    m->length_bytes = hf_stack_save(b->rig.stack, NULL, 0, bench_now(b));
    m->bytes = malloc(m->length_bytes + 1);
    assert_non_null(m->bytes);
    assert_int_equal(hf_stack_save(b->rig.stack, m->bytes, m->length_bytes, bench_now(b)),
                     m->length_bytes);
}

static void close_image(struct image *m, struct bench *b)
{
    free(m->bytes);
    bench_close(b);
}

/* Restores the first n bytes, with their own checksum, from a piece that ends there. */
static int restore_first(struct image *m, size_t n, hf_ns now)
{
    uint8_t *cut = malloc(n > 0 ? n : 1);
    assert_non_null(cut);
    memcpy(cut, m->bytes, n);
    if (n >= HEAD_BYTES) {
        const struct hf_sip_key key = {0x48466173u, 0};
        uint64_t sum = hf_siphash13(&key, cut + HEAD_BYTES, n - HEAD_BYTES);
        memcpy(cut + CHECKSUM_AT, &sum, sizeof sum);
    }
    struct hf_stack *s = NULL;
    int err = hf_stack_restore(&s, cut, n, &m->env, now);
    if (err == HF_OK)
        hf_stack_free(s);
    else
        assert_null(s);
    assert_int_equal(m->memory.held_bytes, 0);
    free(cut);
    return err;
}

/* The ends of the fields in front of the stores: each is cut by a byte. */
static size_t ends_of_fields(const struct hf_stack *s, size_t *ends)
{
    const size_t fields[] = {
        HEAD_BYTES,
        sizeof s->p,
        sizeof(hf_ns),
        sizeof s->blocks.send_used,
        sizeof s->blocks.peak,
        sizeof s->blocks.turnover,
        (size_t)s->p.cfg.reply_ring * sizeof *s->replies,
        sizeof s->reserved_block,
        sizeof s->given_count,
        sizeof s->given_blocks,
        sizeof s->wheel.now_tick,
        sizeof s->wheel.used,
        sizeof s->wheel.heads,
        sizeof s->wheel.count,
    };
    size_t at = 0;
    for (size_t i = 0; i < HF_COUNT_OF(fields); i++)
        ends[i] = at += fields[i];
    return HF_COUNT_OF(fields);
}

static void what_was_cut_short_is_refused(void **state)
{
    (void)state;
    struct image m;
    struct bench b;
    open_image(&m, &b);
    size_t ends[32], count = ends_of_fields(b.rig.stack, ends);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(restore_first(&m, ends[i] - 1, 0), HF_E_VERSION);
        assert_int_equal(restore_first(&m, ends[i], 0), HF_E_VERSION);
    }
    for (size_t n = ends[count - 1]; n < m.length_bytes; n += 401)
        assert_int_equal(restore_first(&m, n, 0), HF_E_VERSION);
    for (size_t n = m.length_bytes - 200; n < m.length_bytes; n++)
        assert_int_equal(restore_first(&m, n, 0), HF_E_VERSION);
    assert_int_equal(restore_first(&m, 0, 0), HF_E_VERSION);
    assert_int_equal(restore_first(&m, m.length_bytes, 0), HF_OK);
    m.bytes[m.length_bytes] = 0; /* what goes on behind its end is no stack either */
    assert_int_equal(restore_first(&m, m.length_bytes + 1, 0), HF_E_VERSION);
    close_image(&m, &b);
}

static void what_no_stack_saves_is_refused(void **state)
{
    (void)state;
    struct image m;
    struct bench b;
    open_image(&m, &b);
    size_t ends[32];
    ends_of_fields(b.rig.stack, ends);
    /* More blocks lent than one output can lend. */
    uint32_t lent = HF_OUTPUT_BATCH + 1, before;
    uint8_t *at = m.bytes + ends[7];
    memcpy(&before, at, sizeof before);
    memcpy(at, &lent, sizeof lent);
    assert_int_equal(restore_first(&m, m.length_bytes, 0), HF_E_VERSION);
    memcpy(at, &before, sizeof before);
    assert_int_equal(restore_first(&m, m.length_bytes, 0), HF_OK);
    /* Settings that no stack can have. */
    int64_t ttl = 256;
    at = m.bytes + HEAD_BYTES + offsetof(struct hf_stack_plain, cfg) +
         offsetof(struct hf_config, ttl);
    memcpy(at, &ttl, sizeof ttl);
    assert_int_equal(restore_first(&m, m.length_bytes, 0), HF_E_VERSION);
    close_image(&m, &b);
}

/* Memory that can't be had, at each request: the error says so, and all is given back. */
static void a_restore_without_memory_leaves_nothing(void **state)
{
    (void)state;
    struct image m;
    struct bench b;
    open_image(&m, &b);
    int err = HF_E_MEMORY;
    for (size_t nth = 1; err != HF_OK; nth++) {
        m.memory.fail_in = nth;
        err = restore_first(&m, m.length_bytes, 0);
        assert_true(err == HF_OK ? nth > 5 : err == HF_E_MEMORY);
        m.memory.fail_in = 0;
    }
    close_image(&m, &b);
}

static void a_caller_who_gives_nothing_is_told(void **state)
{
    (void)state;
    struct image m;
    struct bench b;
    open_image(&m, &b);
    struct hf_stack *s = NULL;
    const struct hf_env none = {0};
    assert_int_equal(hf_stack_restore(&s, m.bytes, m.length_bytes, NULL, 0), HF_E_INVALID);
    assert_int_equal(hf_stack_restore(&s, m.bytes, m.length_bytes, &none, 0), HF_E_INVALID);
    assert_int_equal(hf_stack_new(&s, NULL, &m.env, 0), HF_E_INVALID);
    assert_int_equal(hf_stack_new(&s, &b.config, NULL, 0), HF_E_INVALID);
    assert_int_equal(hf_stack_new(&s, &b.config, &none, 0), HF_E_INVALID);
    struct hf_config wrong = b.config;
    wrong.ttl = 256;
    assert_int_equal(hf_stack_new(&s, &wrong, &m.env, 0), HF_E_INVALID);
    assert_null(s);
    /* Room for less than all: how much it would be, and nothing is written. */
    uint8_t few[8] = {0}, zero[8] = {0};
    assert_int_equal(hf_stack_save(b.rig.stack, few, sizeof few, bench_now(&b)), m.length_bytes);
    assert_memory_equal(few, zero, sizeof few);
    close_image(&m, &b);
}

/* Clocks that lie farther apart than one number tells. */
static void a_clock_too_far_off_is_refused(void **state)
{
    (void)state;
    struct image m;
    struct bench b;
    open_image(&m, &b);
    assert_int_equal(restore_first(&m, m.length_bytes, INT64_MIN), HF_E_INVALID);
    size_t ends[32];
    ends_of_fields(b.rig.stack, ends);
    hf_ns saved_at = -1; /* and the one distance whose opposite there is no number for */
    memcpy(m.bytes + ends[1], &saved_at, sizeof saved_at);
    assert_int_equal(restore_first(&m, m.length_bytes, INT64_MAX), HF_E_INVALID);
    assert_int_equal(restore_first(&m, m.length_bytes, INT64_MAX - 1), HF_OK);
    close_image(&m, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_cut_short_is_refused),
        cmocka_unit_test(what_no_stack_saves_is_refused),
        cmocka_unit_test(a_restore_without_memory_leaves_nothing),
        cmocka_unit_test(a_caller_who_gives_nothing_is_told),
        cmocka_unit_test(a_clock_too_far_off_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
