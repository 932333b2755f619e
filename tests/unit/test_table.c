/* The hash table: against a model, at its sizes, without memory, saved and restored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/store/table.h"
#include "support/test_memory.h"
#include "support/test_random.h"

enum { MANY = 20000, MILLION = 1000000 };

struct bench {
    struct test_memory memory;
    struct hf_mem mem;
    struct hf_table table;
};

static void bench_open(struct bench *b)
{
    b->memory = TEST_MEMORY_INIT;
    b->mem = (struct hf_mem){.realloc = test_memory_realloc, .ctx = &b->memory};
    hf_table_init(&b->table, &b->mem);
}

static void bench_close(struct bench *b)
{
    hf_table_free(&b->table);
    assert_int_equal(hf_table_bytes(&b->table), 0);
    assert_int_equal(b->mem.taken_bytes, 0);
    assert_int_equal(b->memory.held_bytes, 0);
    assert_int_equal(b->memory.pieces, 0);
}

/** How often ref is found under hash. */
static uint32_t times_found(const struct hf_table *t, uint32_t hash, uint32_t ref)
{
    uint32_t times = 0;
    struct hf_table_probe probe = hf_table_find(t, hash);
    for (uint32_t r = hf_table_next(&probe); r != HF_NIL; r = hf_table_next(&probe))
        times += r == ref;
    assert_int_equal(hf_table_next(&probe), HF_NIL); /* and stays at the end */
    return times;
}

/** A hash for a reference: well mixed, and other ones for other seeds. */
static uint32_t mixed(uint32_t ref, uint32_t seed)
{
    struct test_random r = {(uint64_t)seed << 32 | ref};
    return (uint32_t)test_random_u64(&r);
}

static void an_empty_table_has_nothing(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    assert_int_equal(times_found(&b.table, 5, 5), 0);
    assert_int_equal(hf_table_bytes(&b.table), 0);
    assert_int_equal(b.memory.calls, 0);
    hf_table_trim(&b.table);
    bench_close(&b);
}

static void finds_all_of_a_hash(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    for (uint32_t ref = 0; ref < 100; ref++)
        assert_true(hf_table_insert(&b.table, 0xABCD0001, ref));
    assert_true(hf_table_insert(&b.table, 0xABCD0041, 1000)); /* the same bucket, another hash */
    for (uint32_t ref = 0; ref < 100; ref++)
        assert_int_equal(times_found(&b.table, 0xABCD0001, ref), 1);
    assert_int_equal(times_found(&b.table, 0xABCD0001, 1000), 0);
    assert_int_equal(times_found(&b.table, 0xABCD0041, 1000), 1);
    hf_table_replace(&b.table, 0xABCD0001, 50, 5000);
    assert_int_equal(times_found(&b.table, 0xABCD0001, 50), 0);
    assert_int_equal(times_found(&b.table, 0xABCD0001, 5000), 1);
    hf_table_remove(&b.table, 0xABCD0001, 5000);
    for (uint32_t ref = 0; ref < 100; ref++)
        if (ref != 50)
            hf_table_remove(&b.table, 0xABCD0001, ref);
    assert_int_equal(b.table.count, 1);
    assert_int_equal(b.table.overflow.used, 0);
    hf_table_remove(&b.table, 0xABCD0041, 1000);
    hf_table_trim(&b.table);
    assert_int_equal(hf_table_bytes(&b.table), 0);
    bench_close(&b);
}

/* ---- against a model ------------------------------------------------------------------------ */

struct entry {
    uint32_t hash;
    uint32_t ref;
};

/** Entries in use come first, so that a random one is found at once. */
struct model {
    struct entry entries[MANY];
    uint32_t count;
    uint32_t next_ref;
};

static void model_insert(struct bench *b, struct model *m, uint32_t hash)
{
    struct entry e = {hash, m->next_ref++};
    if (hf_table_insert(&b->table, e.hash, e.ref))
        m->entries[m->count++] = e;
    else
        assert_int_equal(times_found(&b->table, e.hash, e.ref), 0);
}

static void model_remove(struct bench *b, struct model *m, uint32_t i)
{
    struct entry e = m->entries[i];
    size_t requests = b->memory.requests;
    hf_table_remove(&b->table, e.hash, e.ref);
    assert_int_equal(b->memory.requests, requests); /* never asks for memory */
    assert_int_equal(times_found(&b->table, e.hash, e.ref), 0);
    m->entries[i] = m->entries[--m->count];
}

static void model_replace(struct bench *b, struct model *m, uint32_t i)
{
    struct entry *e = &m->entries[i];
    uint32_t old = e->ref;
    e->ref = m->next_ref++;
    hf_table_replace(&b->table, e->hash, old, e->ref);
    assert_int_equal(times_found(&b->table, e->hash, old), 0);
    assert_int_equal(times_found(&b->table, e->hash, e->ref), 1);
}

static void check_all(const struct bench *b, const struct model *m)
{
    assert_int_equal(b->table.count, m->count);
    for (uint32_t i = 0; i < m->count; i++)
        assert_int_equal(times_found(&b->table, m->entries[i].hash, m->entries[i].ref), 1);
    assert_int_equal(hf_table_bytes(&b->table), b->memory.held_bytes);
    assert_int_equal(b->mem.taken_bytes, b->memory.held_bytes);
}

/** Inserts and removes under hashes of the mask, growing and shrinking by turns; memory fails now
 *  and then if `without_memory`. */
static void run_model(const char *name, uint64_t seed, uint32_t mask, uint32_t most,
                      bool without_memory)
{
    static struct model m;
    struct bench b;
    struct test_random r = test_random_make(name, seed);
    uint32_t rounds = test_random_rounds(200000), fill = 90;
    memset(&m, 0, sizeof m);
    bench_open(&b);
    for (uint32_t round = 1; round <= rounds; round++) {
        if (round % 20000 == 0)
            fill = round % 40000 == 0 ? 85 : 10;
        if (without_memory)
            b.memory.fail_in = test_random_below(&r, 3);
        uint32_t what = test_random_below(&r, 100);
        if (what == 99 && m.count > 0)
            model_replace(&b, &m, test_random_below(&r, m.count));
        else if (what < fill && m.count < most)
            model_insert(&b, &m, (uint32_t)test_random_u64(&r) & mask);
        else if (m.count > 0)
            model_remove(&b, &m, test_random_below(&r, m.count));
        if (test_random_below(&r, 5000) == 0)
            hf_table_trim(&b.table);
        if (round % 5000 == 0)
            check_all(&b, &m);
    }
    while (m.count > 0)
        model_remove(&b, &m, test_random_below(&r, m.count));
    hf_table_trim(&b.table);
    assert_int_equal(b.memory.held_bytes, 0);
    bench_close(&b);
}

static void behaves_as_the_model(void **state)
{
    (void)state;
    run_model("behaves_as_the_model", 5, UINT32_MAX, MANY, false);
}

static void behaves_as_the_model_with_few_hashes(void **state)
{
    (void)state;
    run_model("behaves_as_the_model_with_few_hashes", 6, 0x8000C03F, 3000, false);
}

static void behaves_as_the_model_without_memory(void **state)
{
    (void)state;
    run_model("behaves_as_the_model_without_memory", 7, UINT32_MAX, MANY, true);
}

static void fails_the_nth_insert_once(void **state)
{
    (void)state;
    struct bench b;
    for (uint32_t n = 1; n < 20; n++) {
        bench_open(&b);
        b.table.fail_countdown = n;
        for (uint32_t i = 1; i < 40; i++)
            assert_int_equal(hf_table_insert(&b.table, mixed(i, 1), i), i != n);
        for (uint32_t i = 1; i < 40; i++)
            assert_int_equal(times_found(&b.table, mixed(i, 1), i), i != n);
        assert_int_equal(b.table.fail_countdown, 0);
        bench_close(&b);
    }
}

static void survives_lack_of_memory(void **state)
{
    (void)state;
    struct bench b;
    for (size_t n = 1; n <= 2; n++) {
        bench_open(&b);
        b.memory.fail_in = n;
        assert_false(hf_table_insert(&b.table, 1, 1));
        assert_int_equal(times_found(&b.table, 1, 1), 0);
        assert_int_equal(hf_table_bytes(&b.table), b.memory.held_bytes);
        assert_true(hf_table_insert(&b.table, 1, 1));
        bench_close(&b);
    }
    /* Without memory for a split, buckets get fuller; later the splits catch up. */
    bench_open(&b);
    for (uint32_t i = 0; i < 64 * 5; i++)
        assert_true(hf_table_insert(&b.table, i, i));
    for (uint32_t i = 320; i < 64 * 7; i++) {
        b.memory.fail_in = 1;
        assert_true(hf_table_insert(&b.table, i, i));
    }
    assert_int_equal(b.table.bucket_count, 64);
    b.memory.fail_in = 1;
    assert_false(hf_table_insert(&b.table, 448, 448)); /* needs an overflow bucket */
    assert_int_equal(b.table.count, 448);
    b.memory.fail_in = 0;
    for (uint32_t i = 448; i < 1000; i++)
        assert_true(hf_table_insert(&b.table, i, i));
    assert_true(b.table.bucket_count >= 1000 * 2 / 11);
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(times_found(&b.table, i, i), 1);
    bench_close(&b);
}

/** Primary buckets and the longest chain. */
static uint32_t longest_chain(const struct hf_table *t, uint32_t count, uint32_t seed)
{
    uint32_t longest = 0;
    for (uint32_t ref = 0; ref < count; ref++) {
        uint32_t buckets = 1;
        struct hf_table_probe probe = hf_table_find(t, mixed(ref, seed));
        const struct hf_table_bucket *b = probe.bucket;
        for (; b->overflow != HF_NIL; buckets++)
            b = hf_pool_at(&t->overflow, b->overflow);
        longest = hf_max_u32(longest, buckets);
    }
    return longest;
}

static void a_million_entries_cost_16_bytes_each(void **state)
{
    (void)state;
    struct bench b;
    size_t requests = 0, most_requests = 0;
    bench_open(&b);
    for (uint32_t ref = 0; ref < MILLION; ref++) {
        assert_true(hf_table_insert(&b.table, mixed(ref, 8), ref));
        size_t now = b.memory.requests;
        most_requests = now - requests > most_requests ? now - requests : most_requests;
        requests = now;
        /* Also on the way there, once past the smallest size. */
        if (ref >= 100000 && ref % 10000 == 0)
            assert_true(hf_table_bytes(&b.table) <= 16ull * ref);
    }
    assert_int_equal(hf_table_bytes(&b.table), b.memory.held_bytes);
    assert_true(b.memory.held_bytes <= 16ull * MILLION);
    assert_true(most_requests <= 4);
    assert_true(b.memory.least_bytes >= 4096);
    assert_true(longest_chain(&b.table, MILLION, 8) <= 4);
    print_message("%.2f bytes an entry at 1,000,000\n", (double)b.memory.held_bytes / MILLION);
    for (uint32_t ref = 0; ref < MILLION; ref += 7)
        assert_int_equal(times_found(&b.table, mixed(ref, 8), ref), 1);
    for (uint32_t ref = 0; ref < MILLION - 1000; ref++)
        hf_table_remove(&b.table, mixed(ref, 8), ref);
    hf_table_trim(&b.table);
    assert_true(hf_table_bytes(&b.table) < 200000);
    for (uint32_t ref = MILLION - 1000; ref < MILLION; ref++)
        hf_table_remove(&b.table, mixed(ref, 8), ref);
    assert_int_equal(b.table.bucket_count, 64);
    hf_table_trim(&b.table);
    assert_int_equal(hf_table_bytes(&b.table), 0);
    bench_close(&b);
}

static void buckets_are_cache_lines(void **state)
{
    (void)state;
    struct bench b;
    for (size_t skew = 0; skew < 64; skew += 16) {
        bench_open(&b);
        b.memory.skew_bytes = skew;
        for (uint32_t ref = 0; ref < 12000; ref++)
            assert_true(hf_table_insert(&b.table, mixed(ref, 9), ref));
        for (uint32_t ref = 0; ref < 12000; ref++) {
            struct hf_table_probe probe = hf_table_find(&b.table, mixed(ref, 9));
            assert_int_equal((uintptr_t)probe.bucket % 64, 0);
        }
        bench_close(&b);
    }
}

/* ---- save and restore ----------------------------------------------------------------------- */

static uint8_t *save(const struct hf_table *t, size_t *n)
{
    struct hf_writer count = {0};
    hf_table_save(t, &count);
    struct hf_writer w = {.bytes = malloc(count.used_bytes), .capacity_bytes = count.used_bytes};
    assert_non_null(w.bytes);
    hf_table_save(t, &w);
    assert_int_equal(w.used_bytes, count.used_bytes);
    *n = w.used_bytes;
    return w.bytes;
}

static int restore(struct bench *b, const uint8_t *bytes, size_t n)
{
    struct hf_reader r = {.bytes = bytes, .length_bytes = n};
    return hf_table_restore(&b->table, &r);
}

/** A table with chains and, as removals leave it, with room in them. */
static void fill(struct bench *b, uint32_t count)
{
    bench_open(b);
    for (uint32_t ref = 0; ref < count; ref++)
        assert_true(hf_table_insert(&b->table, mixed(ref, 10) & 0xFFFF, ref));
    for (uint32_t ref = 0; ref < count; ref += 5)
        hf_table_remove(&b->table, mixed(ref, 10) & 0xFFFF, ref);
}

static void restores_what_was_saved(void **state)
{
    (void)state;
    struct bench a, b;
    size_t n, again;
    static const uint32_t counts[] = {0, 1, 300, 5000};
    for (size_t i = 0; i < HF_COUNT_OF(counts); i++) {
        fill(&a, counts[i]);
        uint8_t *bytes = save(&a.table, &n);
        bench_open(&b);
        assert_int_equal(restore(&b, bytes, n), HF_OK);
        assert_int_equal(hf_table_bytes(&b.table), b.memory.held_bytes);
        assert_int_equal(b.table.count, a.table.count);
        uint8_t *copy = save(&b.table, &again);
        assert_int_equal(n, again);
        assert_memory_equal(bytes, copy, n);
        for (uint32_t ref = 0; ref < counts[i]; ref++)
            assert_int_equal(times_found(&b.table, mixed(ref, 10) & 0xFFFF, ref), ref % 5 != 0);
        for (uint32_t ref = 0; ref < counts[i]; ref++)
            if (ref % 5 != 0)
                hf_table_remove(&b.table, mixed(ref, 10) & 0xFFFF, ref);
        hf_table_trim(&b.table);
        assert_int_equal(b.memory.held_bytes, 0);
        free(bytes);
        free(copy);
        bench_close(&a);
        bench_close(&b);
    }
}

/* However many buckets it has, also one less than a power of two: the restored table grows on from
 * there, and has every entry in its place. */
static void restores_any_number_of_buckets(void **state)
{
    (void)state;
    struct bench a, b;
    size_t n;
    uint32_t ref = 0;
    bench_open(&a);
    for (uint32_t buckets = 64; buckets <= 260; buckets++) {
        while (a.table.bucket_count < buckets) {
            assert_true(hf_table_insert(&a.table, mixed(ref, 13), ref));
            ref++;
        }
        assert_int_equal(a.table.bucket_count, buckets);
        uint8_t *bytes = save(&a.table, &n);
        bench_open(&b);
        assert_int_equal(restore(&b, bytes, n), HF_OK);
        assert_int_equal(b.table.level_mask, a.table.level_mask);
        for (uint32_t more = ref; more < ref + 20; more++)
            assert_true(hf_table_insert(&b.table, mixed(more, 13), more));
        for (uint32_t i = 0; i < ref + 20; i++)
            assert_int_equal(times_found(&b.table, mixed(i, 13), i), 1);
        free(bytes);
        bench_close(&b);
    }
    bench_close(&a);
}

static void refuses_cut_bytes(void **state)
{
    (void)state;
    struct bench a, b;
    size_t n;
    fill(&a, 600);
    uint8_t *bytes = save(&a.table, &n);
    bench_open(&b);
    size_t head_bytes = 3 * sizeof(uint32_t);
    size_t least_bytes = head_bytes + a.table.bucket_count * sizeof(uint32_t);
    for (size_t cut = 0; cut < n; cut++) {
        assert_int_equal(restore(&b, bytes, cut), HF_E_VERSION);
        if (cut < least_bytes) /* fewer than the buckets take: no memory is asked for */
            assert_int_equal(b.memory.requests, 0);
        assert_int_equal(b.memory.held_bytes, 0);
        assert_int_equal(b.table.count, 0);
    }
    assert_int_equal(restore(&b, bytes, n), HF_OK);
    free(bytes);
    bench_close(&a);
    bench_close(&b);
}

static void refuses_an_entry_in_the_wrong_bucket(void **state)
{
    (void)state;
    struct bench a, b;
    size_t n;
    bench_open(&a);
    assert_true(hf_table_insert(&a.table, 0x12345678, 77));
    uint8_t *bytes = save(&a.table, &n);
    uint8_t *hash = NULL;
    for (size_t at = 0; at + 4 <= n; at += 4)
        if (memcmp(bytes + at, &(uint32_t){0x12345678}, 4) == 0)
            hash = bytes + at;
    assert_non_null(hash);
    bench_open(&b);
    memcpy(hash, &(uint32_t){0x12345679}, 4);
    assert_int_equal(restore(&b, bytes, n), HF_E_VERSION);
    assert_int_equal(b.memory.held_bytes, 0);
    memcpy(hash, &(uint32_t){0x02345678}, 4); /* another hash of that bucket is as good */
    assert_int_equal(restore(&b, bytes, n), HF_OK);
    assert_int_equal(times_found(&b.table, 0x02345678, 77), 1);
    free(bytes);
    bench_close(&a);
    bench_close(&b);
}

/* The reference that means "none" would end every search before what stands behind it. */
static void refuses_an_entry_of_nothing(void **state)
{
    (void)state;
    struct bench a, b;
    size_t n;
    bench_open(&a);
    assert_true(hf_table_insert(&a.table, 0x12345678, 0x77777777));
    uint8_t *bytes = save(&a.table, &n);
    uint8_t *ref = NULL;
    for (size_t at = 0; at + 4 <= n; at += 4)
        if (memcmp(bytes + at, &(uint32_t){0x77777777}, 4) == 0)
            ref = bytes + at;
    assert_non_null(ref);
    bench_open(&b);
    memcpy(ref, &(uint32_t){HF_NIL}, 4);
    assert_int_equal(restore(&b, bytes, n), HF_E_VERSION);
    assert_int_equal(b.memory.held_bytes, 0);
    memcpy(ref, &(uint32_t){HF_NIL - 1}, 4);
    assert_int_equal(restore(&b, bytes, n), HF_OK);
    free(bytes);
    bench_close(&a);
    bench_close(&b);
}

static void survives_damaged_bytes(void **state)
{
    (void)state;
    struct bench a, b;
    struct test_random r = test_random_make("survives_damaged_bytes", 11);
    uint32_t rounds = test_random_rounds(5000), refused = 0;
    size_t n;
    fill(&a, 600);
    uint8_t *bytes = save(&a.table, &n);
    uint8_t *bad = malloc(n);
    bench_open(&b);
    for (uint32_t round = 0; round < rounds; round++) {
        memcpy(bad, bytes, n);
        for (uint32_t hits = 1 + test_random_below(&r, 3); hits > 0; hits--) {
            uint32_t at = test_random_below(&r, test_random_below(&r, 2) ? 64 : (uint32_t)n);
            bad[at] = (uint8_t)test_random_below(&r, test_random_below(&r, 2) ? 4 : 256);
        }
        int err = restore(&b, bad, n);
        assert_true(err == HF_OK || err == HF_E_VERSION);
        refused += err == HF_E_VERSION;
        for (uint32_t ref = 0; ref < 600; ref++)
            assert_true(times_found(&b.table, mixed(ref, 10) & 0xFFFF, ref) <= 600);
        for (uint32_t i = 0; i < 100; i++)
            assert_true(hf_table_insert(&b.table, mixed(i, 12), i));
        hf_table_free(&b.table);
        assert_int_equal(b.memory.held_bytes, 0);
    }
    assert_true(refused > rounds / 20);
    free(bad);
    free(bytes);
    bench_close(&a);
    bench_close(&b);
}

static void restore_without_memory_leaves_nothing(void **state)
{
    (void)state;
    struct bench a, b;
    size_t n, tries = 0;
    fill(&a, 12000);
    uint8_t *bytes = save(&a.table, &n);
    bench_open(&b);
    for (int err = HF_E_MEMORY; err != HF_OK;) {
        b.memory.fail_in = ++tries;
        err = restore(&b, bytes, n);
        assert_true(err == HF_OK || err == HF_E_MEMORY);
        if (err != HF_OK)
            assert_int_equal(b.memory.held_bytes, 0);
    }
    assert_true(tries > 6);
    assert_int_equal(b.table.count, a.table.count);
    b.memory.fail_in = 0;
    free(bytes);
    bench_close(&a);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_table_has_nothing),
        cmocka_unit_test(finds_all_of_a_hash),
        cmocka_unit_test(behaves_as_the_model),
        cmocka_unit_test(behaves_as_the_model_with_few_hashes),
        cmocka_unit_test(behaves_as_the_model_without_memory),
        cmocka_unit_test(fails_the_nth_insert_once),
        cmocka_unit_test(survives_lack_of_memory),
        cmocka_unit_test(a_million_entries_cost_16_bytes_each),
        cmocka_unit_test(buckets_are_cache_lines),
        cmocka_unit_test(restores_what_was_saved),
        cmocka_unit_test(restores_any_number_of_buckets),
        cmocka_unit_test(refuses_cut_bytes),
        cmocka_unit_test(refuses_an_entry_in_the_wrong_bucket),
        cmocka_unit_test(refuses_an_entry_of_nothing),
        cmocka_unit_test(survives_damaged_bytes),
        cmocka_unit_test(restore_without_memory_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
