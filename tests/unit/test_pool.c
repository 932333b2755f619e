/* Pools: what is taken, given, walked, trimmed, saved and restored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/store/pool.h"
#include "support/test_memory.h"
#include "support/test_random.h"

enum { MANY = 5000 };

struct object {
    uint64_t number;
    uint64_t more[4];
};

struct bench {
    struct test_memory memory;
    struct hf_mem mem;
    struct hf_pool pool;
};

static void bench_open_sized(struct bench *b, uint32_t object_bytes, uint32_t chunk_bytes,
                             uint32_t limit)
{
    b->memory = TEST_MEMORY_INIT;
    b->mem = (struct hf_mem){.realloc = test_memory_realloc, .ctx = &b->memory};
    hf_pool_init(&b->pool, &b->mem, object_bytes, chunk_bytes, limit);
}

static void bench_open(struct bench *b, uint32_t limit)
{
    bench_open_sized(b, sizeof(struct object), 4096, limit);
}

static void bench_close(struct bench *b)
{
    hf_pool_free(&b->pool);
    assert_int_equal(hf_pool_bytes(&b->pool), 0);
    assert_int_equal(b->mem.taken_bytes, 0);
    assert_int_equal(b->memory.held_bytes, 0);
    assert_int_equal(b->memory.pieces, 0);
}

static uint32_t take_numbered(struct bench *b, uint64_t number)
{
    uint32_t index = hf_pool_take(&b->pool);
    assert_int_not_equal(index, HF_NIL);
    struct object *o = hf_pool_at(&b->pool, index);
    for (size_t i = 0; i < sizeof *o; i++)
        assert_int_equal(((uint8_t *)o)[i], 0);
    o->number = number;
    o->more[3] = ~number;
    return index;
}

static void check_numbered(const struct bench *b, uint32_t index, uint64_t number)
{
    const struct object *o = hf_pool_at(&b->pool, index);
    assert_true(hf_pool_has(&b->pool, index));
    assert_int_equal(o->number, number);
    assert_int_equal(o->more[3], ~number);
}

static void takes_and_gives(void **state)
{
    (void)state;
    struct bench b;
    uint32_t index[MANY];
    bench_open(&b, UINT32_MAX);
    assert_int_equal(b.memory.calls, 0);
    for (uint32_t i = 0; i < MANY; i++)
        index[i] = take_numbered(&b, i);
    for (uint32_t i = 0; i < MANY; i++)
        check_numbered(&b, index[i], i);
    assert_int_equal(b.pool.used, MANY);
    assert_int_equal(hf_pool_bytes(&b.pool), b.memory.held_bytes);
    assert_int_equal(b.mem.taken_bytes, b.memory.held_bytes);
    for (uint32_t i = 0; i < MANY; i++)
        hf_pool_give(&b.pool, index[i]);
    assert_int_equal(b.pool.used, 0);
    assert_int_equal(hf_pool_next(&b.pool, 0), HF_NIL);
    hf_pool_trim(&b.pool);
    assert_int_equal(hf_pool_bytes(&b.pool), 0);
    assert_int_equal(b.memory.held_bytes, 0);
    index[0] = take_numbered(&b, 1); /* and is usable again */
    check_numbered(&b, index[0], 1);
    bench_close(&b);
}

static void asks_for_large_pieces_only(void **state)
{
    (void)state;
    struct bench b;
    bench_open_sized(&b, 64, 64 * 1024, 100000);
    for (uint32_t i = 0; i < 100000; i++)
        assert_int_not_equal(hf_pool_take_dirty(&b.pool), HF_NIL);
    assert_true(b.memory.least_bytes >= 4096);
    assert_true(b.memory.requests < 200);
    bench_close(&b);
}

static void chunks_stay_near_the_wanted_size(void **state)
{
    (void)state;
    static const struct {
        uint32_t object_bytes, chunk_bytes, shift;
    } cases[] = {
        {64, 64 * 1024, 9},     {312, 64 * 1024, 7},  {4104, 256 * 1024, 5},
        {65544, 256 * 1024, 3}, {8, 1024 * 1024, 10}, {40, 0, 3},
    };
    for (size_t i = 0; i < HF_COUNT_OF(cases); i++) {
        struct bench b;
        bench_open_sized(&b, cases[i].object_bytes, cases[i].chunk_bytes, 100);
        assert_int_equal(b.pool.objects_shift, cases[i].shift);
        bench_close(&b);
    }
}

static void objects_are_aligned(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 8, 12, 40, 64, 72, 128, 320};
    for (size_t i = 0; i < HF_COUNT_OF(sizes); i++)
        for (size_t skew = 0; skew < 64; skew += 16) {
            struct bench b;
            bench_open_sized(&b, sizes[i], 4096, 1000);
            b.memory.skew_bytes = skew;
            uintptr_t wanted = sizes[i] % 64 == 0 ? 64 : 8;
            for (uint32_t n = 0; n < 100; n++) {
                uint32_t index = hf_pool_take(&b.pool);
                assert_int_equal((uintptr_t)hf_pool_at(&b.pool, index) % wanted, 0);
                memset(hf_pool_at(&b.pool, index), 0xFF, sizes[i]);
            }
            bench_close(&b);
        }
}

static void keeps_its_limit(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, 100);
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(take_numbered(&b, i), i);
    assert_int_equal(hf_pool_take(&b.pool), HF_NIL);
    hf_pool_give(&b.pool, 50);
    assert_int_equal(take_numbered(&b, 50), 50);
    assert_int_equal(hf_pool_take_dirty(&b.pool), HF_NIL);
    bench_close(&b);
}

static void fails_the_nth_take_once(void **state)
{
    (void)state;
    struct bench b;
    for (uint32_t n = 1; n < 20; n++) {
        bench_open(&b, 100);
        b.pool.fail_countdown = n;
        for (uint32_t i = 1; i < 40; i++)
            assert_int_equal(hf_pool_take(&b.pool) == HF_NIL, i == n);
        assert_int_equal(b.pool.fail_countdown, 0);
        assert_int_equal(b.pool.used, 38);
        bench_close(&b);
    }
}

static void survives_lack_of_memory(void **state)
{
    (void)state;
    struct bench b;
    for (size_t n = 1; n <= 2; n++) {
        bench_open(&b, 1000);
        b.memory.fail_in = n;
        assert_int_equal(hf_pool_take(&b.pool), HF_NIL);
        assert_int_equal(b.pool.used, 0);
        assert_int_equal(hf_pool_bytes(&b.pool), b.memory.held_bytes);
        hf_pool_trim(&b.pool);
        assert_int_equal(b.memory.held_bytes, 0);
        assert_int_equal(take_numbered(&b, 1), 0);
        bench_close(&b);
    }
    /* The directory can't grow: what is there stays. */
    bench_open_sized(&b, 8, 0, UINT32_MAX);
    uint32_t full = 4096 / sizeof(void *) * 8;
    for (uint32_t i = 0; i < full; i++)
        assert_int_equal(hf_pool_take(&b.pool), i);
    b.memory.fail_in = 1;
    assert_int_equal(hf_pool_take(&b.pool), HF_NIL);
    b.mem.limit_bytes = b.mem.taken_bytes + 1;
    assert_int_equal(hf_pool_take(&b.pool), HF_NIL);
    b.mem.limit_bytes = 0;
    assert_int_equal(hf_pool_take(&b.pool), full);
    assert_int_equal(hf_pool_bytes(&b.pool), b.memory.held_bytes);
    bench_close(&b);
}

static void has_answers_for_any_index(void **state)
{
    (void)state;
    struct bench b;
    struct test_random r = test_random_make("has_answers_for_any_index", 1);
    bench_open(&b, 1000);
    assert_false(hf_pool_has(&b.pool, 0));
    assert_false(hf_pool_has(&b.pool, HF_NIL));
    for (uint32_t i = 0; i < 200; i++)
        take_numbered(&b, i);
    for (uint32_t i = 64; i < 128; i++)
        hf_pool_give(&b.pool, i);
    hf_pool_trim(&b.pool);
    for (uint32_t i = 0; i < 4096; i++)
        assert_int_equal(hf_pool_has(&b.pool, i), i < 64 || (i >= 128 && i < 200));
    for (uint32_t i = 0; i < 100000; i++) {
        uint32_t index = (uint32_t)test_random_u64(&r) | 0x10000;
        assert_false(hf_pool_has(&b.pool, index));
        assert_int_equal(hf_pool_next(&b.pool, index), HF_NIL);
    }
    assert_false(hf_pool_has(&b.pool, HF_NIL));
    assert_int_equal(hf_pool_next(&b.pool, HF_NIL), HF_NIL);
    assert_int_equal(hf_pool_next(&b.pool, 64), 128);
    assert_int_equal(hf_pool_next(&b.pool, 63), 63);
    assert_int_equal(hf_pool_next(&b.pool, 200), HF_NIL);
    bench_close(&b);
}

/** As take_numbered, lent. */
static uint32_t lend_numbered(struct bench *b, uint64_t number)
{
    void *at;
    uint32_t index = hf_pool_lend(&b->pool, b->pool.object_bytes, b->pool.objects_shift, &at);
    assert_int_not_equal(index, HF_NIL);
    assert_ptr_equal(at, hf_pool_at(&b->pool, index));
    struct object *o = at;
    o->number = number;
    o->more[3] = ~number;
    return index;
}

static void give_back(struct bench *b, uint32_t index)
{
    hf_pool_return(&b->pool, index, b->pool.objects_shift, hf_pool_at(&b->pool, index));
}

/** What came back last is at hand: free to all who ask, and lent next. */
static void lends_what_came_back_last(void **state)
{
    (void)state;
    struct bench b;
    bench_open_sized(&b, sizeof(struct object), 1024, 100); /* 16 a chunk */
    for (uint32_t i = 0; i < 50; i++)
        assert_int_equal(lend_numbered(&b, i), i);
    give_back(&b, 49);
    give_back(&b, 48);
    give_back(&b, 20); /* of a full chunk, which comes to the front: nothing is at hand any more */
    assert_int_equal(b.pool.at_hand, HF_NIL);
    assert_int_equal(lend_numbered(&b, 20), 20);
    assert_int_equal(lend_numbered(&b, 49), 49);
    assert_int_equal(lend_numbered(&b, 48), 48);
    give_back(&b, 49);
    assert_int_equal(b.pool.at_hand, 49);
    assert_int_equal(b.pool.used, 49);
    assert_false(hf_pool_has(&b.pool, 49));
    assert_int_equal(hf_pool_next(&b.pool, 48), 48);
    assert_int_equal(hf_pool_next(&b.pool, 49), HF_NIL);
    assert_int_equal(lend_numbered(&b, 49), 49);
    assert_int_equal(lend_numbered(&b, 50), 50);
    /* Mixed with give and take: to take puts it away. */
    give_back(&b, 50);
    hf_pool_give(&b.pool, 49);
    give_back(&b, 48);
    assert_int_equal(b.pool.at_hand, 50);
    assert_int_equal(take_numbered(&b, 50), 50);
    assert_int_equal(lend_numbered(&b, 48), 48);
    assert_int_equal(take_numbered(&b, 49), 49);
    bench_close(&b);
}

static void what_is_at_hand_counts_as_free(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, 10);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(lend_numbered(&b, i), i);
    give_back(&b, 3);
    assert_true(hf_pool_may_lend(&b.pool));
    b.pool.fail_countdown = 1;
    assert_false(hf_pool_may_lend(&b.pool));
    void *at;
    assert_int_equal(hf_pool_lend(&b.pool, b.pool.object_bytes, b.pool.objects_shift, &at), HF_NIL);
    assert_int_equal(lend_numbered(&b, 3), 3);
    assert_false(hf_pool_may_lend(&b.pool));
    assert_int_equal(hf_pool_lend(&b.pool, b.pool.object_bytes, b.pool.objects_shift, &at), HF_NIL);
    for (uint32_t i = 0; i < 10; i++)
        give_back(&b, i);
    assert_int_equal(b.pool.used, 0);
    hf_pool_trim(&b.pool);
    assert_int_equal(hf_pool_bytes(&b.pool), 0);
    bench_close(&b);
}

/** Compares a pool with a model: numbers by index, 0 for free. */
static void check_against_model(const struct bench *b, const uint64_t *model, uint32_t size)
{
    uint32_t walked = hf_pool_next(&b->pool, 0), used = 0;
    for (uint32_t i = 0; i < size; i++) {
        assert_int_equal(hf_pool_has(&b->pool, i), model[i] != 0);
        if (model[i] == 0)
            continue;
        used++;
        check_numbered(b, i, model[i]);
        assert_int_equal(walked, i);
        walked = hf_pool_next(&b->pool, i + 1);
    }
    assert_int_equal(walked, HF_NIL);
    assert_int_equal(used, b->pool.used);
    assert_int_equal(hf_pool_bytes(&b->pool), b->memory.held_bytes);
}

static void behaves_as_the_model(void **state)
{
    (void)state;
    static uint64_t model[MANY + 1024];
    struct bench b;
    struct test_random r = test_random_make("behaves_as_the_model", 2);
    uint32_t rounds = test_random_rounds(400000), fill = 50;
    memset(model, 0, sizeof model);
    bench_open_sized(&b, sizeof(struct object), 2048, MANY);
    for (uint32_t round = 1; round <= rounds; round++) {
        if (round % 5000 == 0)
            fill = test_random_below(&r, 101);
        if (test_random_below(&r, 100) < fill && b.pool.used < MANY) {
            bool lent = test_random_below(&r, 2) == 0;
            uint32_t index = lent ? lend_numbered(&b, round) : take_numbered(&b, round);
            assert_true(index < HF_COUNT_OF(model) && model[index] == 0);
            model[index] = round;
        } else if (b.pool.used > 0) {
            uint32_t index = hf_pool_next(&b.pool, test_random_below(&r, MANY));
            if (index == HF_NIL)
                index = hf_pool_next(&b.pool, 0);
            check_numbered(&b, index, model[index]);
            if (test_random_below(&r, 2) == 0)
                hf_pool_give(&b.pool, index);
            else
                give_back(&b, index);
            model[index] = 0;
        }
        if (test_random_below(&r, 3000) == 0)
            hf_pool_trim(&b.pool);
        if (round % 2000 == 0)
            check_against_model(&b, model, HF_COUNT_OF(model));
    }
    bench_close(&b);
}

static void trim_gives_free_chunks_back(void **state)
{
    (void)state;
    struct bench b;
    bench_open_sized(&b, 64, 64 * 64 + HF_POOL_CHUNK_HEAD_BYTES, 100000);
    for (uint32_t i = 0; i < 6400; i++)
        assert_int_equal(hf_pool_take(&b.pool), i);
    uint64_t full = hf_pool_bytes(&b.pool);
    for (uint32_t i = 0; i < 6400; i++)
        if (i != 3 && i != 3000 && i != 4000)
            hf_pool_give(&b.pool, i);
    hf_pool_trim(&b.pool);
    assert_true(hf_pool_bytes(&b.pool) < full / 20);
    assert_int_equal(hf_pool_bytes(&b.pool), b.memory.held_bytes);
    /* Holes are filled from below, so that the directory stays short. */
    for (uint32_t i = 0; i < 64 * 100 - 3; i++)
        assert_true(hf_pool_take(&b.pool) < 6400);
    assert_int_equal(hf_pool_bytes(&b.pool), full);
    bench_close(&b);
}

static void an_emptied_chunk_is_left_alone(void **state)
{
    (void)state;
    struct bench b;
    bench_open_sized(&b, 64, 64 * 64 + HF_POOL_CHUNK_HEAD_BYTES, 100000);
    for (uint32_t i = 0; i < 4 * 64; i++)
        assert_int_equal(hf_pool_take(&b.pool), i);
    hf_pool_give(&b.pool, 200);
    for (uint32_t i = 64; i < 128; i++)
        hf_pool_give(&b.pool, i);
    assert_int_equal(hf_pool_take(&b.pool), 200);
    bench_close(&b);
}

/* ---- save and restore ----------------------------------------------------------------------- */

/** A pool with holes, a free list, untouched objects, full chunks, and an object at hand. */
static void fill_with_a_bit_of_all(struct bench *b)
{
    bench_open_sized(b, sizeof(struct object), 1024, 500);
    for (uint32_t i = 0; i < 200; i++)
        take_numbered(b, i);
    for (uint32_t i = 32; i < 64; i++)
        hf_pool_give(&b->pool, i);
    hf_pool_trim(&b->pool);
    for (uint32_t i = 100; i < 160; i += 3)
        hf_pool_give(&b->pool, i);
    hf_pool_give(&b->pool, 180);
    give_back(b, 181);
    assert_int_equal(b->pool.at_hand, 181);
}

static uint8_t *save(const struct hf_pool *p, size_t *n)
{
    struct hf_writer count = {0};
    hf_pool_save(p, &count);
    struct hf_writer w = {.bytes = malloc(count.used_bytes), .capacity_bytes = count.used_bytes};
    assert_non_null(w.bytes);
    hf_pool_save(p, &w);
    assert_int_equal(w.used_bytes, count.used_bytes);
    *n = w.used_bytes;
    return w.bytes;
}

static int restore(struct bench *b, const uint8_t *bytes, size_t n)
{
    struct hf_reader r = {.bytes = bytes, .length_bytes = n};
    int err = hf_pool_restore(&b->pool, &r);
    if (err == HF_OK)
        assert_true(r.used_bytes <= n);
    return err;
}

static void restores_what_was_saved(void **state)
{
    (void)state;
    struct bench a, b;
    size_t n, again;
    fill_with_a_bit_of_all(&a);
    uint8_t *bytes = save(&a.pool, &n);
    bench_open_sized(&b, sizeof(struct object), 1024, 500);
    b.memory.skew_bytes = 16;
    assert_int_equal(restore(&b, bytes, n), HF_OK);
    assert_int_equal(hf_pool_bytes(&b.pool), b.memory.held_bytes);
    uint8_t *copy = save(&b.pool, &again);
    assert_int_equal(n, again);
    assert_memory_equal(bytes, copy, n);
    for (uint32_t i = 0; i < 600; i++) {
        assert_int_equal(hf_pool_has(&a.pool, i), hf_pool_has(&b.pool, i));
        if (hf_pool_has(&a.pool, i))
            check_numbered(&b, i, i);
    }
    /* Both go on in the same way: through the free list, the holes, and behind the last chunk. */
    for (uint32_t i = 0; i < 200; i++) {
        assert_int_equal(hf_pool_take(&a.pool), hf_pool_take(&b.pool));
        hf_pool_give(&a.pool, i % 20);
        hf_pool_give(&b.pool, i % 20);
    }
    while (a.pool.used < 500)
        assert_int_equal(hf_pool_take(&a.pool), hf_pool_take(&b.pool));
    free(bytes);
    free(copy);
    bench_close(&a);
    bench_close(&b);
}

static void the_directory_doubles_when_it_is_full(void **state)
{
    (void)state;
    enum { DIRECTORY_BYTES = 4096, CHUNKS = DIRECTORY_BYTES / sizeof(void *), OBJECTS = 8 };
    struct bench b;
    bench_open_sized(&b, 8, 0, UINT32_MAX);
    assert_int_equal(hf_pool_take_dirty(&b.pool), 0);
    uint64_t chunk_bytes = hf_pool_bytes(&b.pool) - DIRECTORY_BYTES;
    while (b.pool.used < CHUNKS * OBJECTS)
        assert_int_not_equal(hf_pool_take_dirty(&b.pool), HF_NIL);
    assert_int_equal(b.memory.held_bytes, DIRECTORY_BYTES + CHUNKS * chunk_bytes);
    size_t n;
    struct bench restored;
    uint8_t *bytes = save(&b.pool, &n);
    bench_open_sized(&restored, 8, 0, UINT32_MAX);
    assert_int_equal(restore(&restored, bytes, n), HF_OK);
    assert_int_equal(restored.memory.held_bytes, b.memory.held_bytes);
    free(bytes);
    bench_close(&restored);
    assert_int_not_equal(hf_pool_take_dirty(&b.pool), HF_NIL);
    assert_int_equal(b.memory.held_bytes, 2 * DIRECTORY_BYTES + (CHUNKS + 1) * chunk_bytes);
    bench_close(&b);
}

/* At its limit, in the middle of a chunk: what is there is no more than fits. */
static void restores_a_full_pool(void **state)
{
    (void)state;
    struct bench a, b;
    size_t n;
    bench_open(&a, 500);
    for (uint32_t i = 0; i < 500; i++)
        take_numbered(&a, i);
    uint8_t *bytes = save(&a.pool, &n);
    bench_open(&b, 500);
    assert_int_equal(restore(&b, bytes, n), HF_OK);
    assert_int_equal(b.pool.used, 500);
    assert_int_equal(hf_pool_take(&b.pool), HF_NIL);
    free(bytes);
    bench_close(&a);
    bench_close(&b);
}

static void restores_an_empty_pool(void **state)
{
    (void)state;
    struct bench a, b;
    size_t n;
    bench_open(&a, 10);
    uint8_t *bytes = save(&a.pool, &n);
    bench_open(&b, 10);
    assert_int_equal(restore(&b, bytes, n), HF_OK);
    assert_int_equal(b.memory.calls, 0);
    take_numbered(&b, 1);
    free(bytes);
    bench_close(&a);
    bench_close(&b);
}

static void refuses_other_sizes(void **state)
{
    (void)state;
    struct bench a, b;
    size_t n;
    fill_with_a_bit_of_all(&a);
    uint8_t *bytes = save(&a.pool, &n);
    bench_open_sized(&b, sizeof(struct object) + 8, 1024, 500);
    assert_int_equal(restore(&b, bytes, n), HF_E_VERSION);
    bench_close(&b);
    bench_open_sized(&b, sizeof(struct object), 4096, 500);
    assert_int_equal(restore(&b, bytes, n), HF_E_VERSION);
    bench_close(&b);
    bench_open_sized(&b, sizeof(struct object), 1024, 100);
    assert_int_equal(restore(&b, bytes, n), HF_E_VERSION);
    bench_close(&b);
    bench_open_sized(&b, sizeof(struct object), 1024, 500);
    bytes[0] ^= 1; /* of the magic number, which stands first */
    assert_int_equal(restore(&b, bytes, n), HF_E_VERSION);
    bench_close(&b);
    free(bytes);
    bench_close(&a);
    /* One object alone, as a smaller one would find all its bytes. */
    bench_open_sized(&a, sizeof(struct object), 1024, 500);
    take_numbered(&a, 1);
    bytes = save(&a.pool, &n);
    bench_open_sized(&b, sizeof(struct object) - 8, 1024, 500);
    assert_int_equal(restore(&b, bytes, n), HF_E_VERSION);
    bench_close(&b);
    free(bytes);
    bench_close(&a);
}

static void refuses_cut_bytes(void **state)
{
    (void)state;
    struct bench a, b;
    size_t n;
    fill_with_a_bit_of_all(&a);
    uint8_t *bytes = save(&a.pool, &n);
    bench_open_sized(&b, sizeof(struct object), 1024, 500);
    for (size_t cut = 0; cut < n; cut++) {
        assert_int_equal(restore(&b, bytes, cut), HF_E_VERSION);
        assert_int_equal(b.memory.held_bytes, 0);
        assert_int_equal(b.pool.used, 0);
    }
    assert_int_equal(restore(&b, bytes, n), HF_OK);
    free(bytes);
    bench_close(&a);
    bench_close(&b);
}

/* Three objects are in use, the first three there are; the bytes say so of one that was never given
 * out instead of the third. The count is the same, and no free slot is missed. */
static void refuses_an_object_that_never_was(void **state)
{
    (void)state;
    struct bench a, b;
    size_t n;
    unsigned met = 0;
    bench_open_sized(&a, sizeof(struct object), 1024, 500);
    for (uint64_t number = 100; number < 103; number++)
        take_numbered(&a, number);
    uint8_t *bytes = save(&a.pool, &n);
    bench_open_sized(&b, sizeof(struct object), 1024, 500);
    for (size_t at = 0; at + sizeof(uint64_t) <= n; at += sizeof(uint32_t)) {
        uint64_t word;
        const uint64_t first_three = 7, another = 3 | 1u << 6;
        memcpy(&word, bytes + at, sizeof word);
        if (word != first_three)
            continue;
        met++;
        memcpy(bytes + at, &another, sizeof another);
        assert_int_equal(restore(&b, bytes, n), HF_E_VERSION);
        memcpy(bytes + at, &first_three, sizeof first_three);
    }
    assert_int_equal(met, 1); /* the bits of the only chunk */
    assert_int_equal(restore(&b, bytes, n), HF_OK);
    free(bytes);
    bench_close(&a);
    bench_close(&b);
}

/** Uses a pool that was restored from doubtful bytes as far as its interface goes. */
static void exercise(struct bench *b)
{
    uint32_t used = 0;
    for (uint32_t i = hf_pool_next(&b->pool, 0); i != HF_NIL; i = hf_pool_next(&b->pool, i + 1))
        used++;
    assert_int_equal(used, b->pool.used);
    while (b->pool.used < b->pool.limit)
        assert_int_not_equal(hf_pool_take(&b->pool), HF_NIL);
    for (uint32_t i = hf_pool_next(&b->pool, 0); i != HF_NIL; i = hf_pool_next(&b->pool, i + 1))
        hf_pool_give(&b->pool, i);
    assert_int_equal(b->pool.used, 0);
    hf_pool_trim(&b->pool);
    assert_int_equal(b->memory.held_bytes, 0);
}

static void survives_damaged_bytes(void **state)
{
    (void)state;
    struct bench a, b;
    struct test_random r = test_random_make("survives_damaged_bytes", 3);
    uint32_t rounds = test_random_rounds(20000), refused = 0;
    size_t n;
    fill_with_a_bit_of_all(&a);
    uint8_t *bytes = save(&a.pool, &n);
    uint8_t *bad = malloc(n);
    bench_open_sized(&b, sizeof(struct object), 1024, 500);
    for (uint32_t round = 0; round < rounds; round++) {
        memcpy(bad, bytes, n);
        for (uint32_t hits = 1 + test_random_below(&r, 3); hits > 0; hits--) {
            uint32_t at = test_random_below(&r, (uint32_t)n);
            /* Small numbers are the likely ones to be taken for indices. */
            bad[at] = (uint8_t)test_random_below(&r, test_random_below(&r, 2) ? 4 : 256);
        }
        int err = restore(&b, bad, n);
        if (err == HF_OK)
            exercise(&b);
        refused += err == HF_E_VERSION;
        assert_true(err == HF_OK || err == HF_E_VERSION);
        assert_int_equal(b.memory.held_bytes, 0);
    }
    assert_true(refused > rounds / 20);
    free(bad);
    free(bytes);
    bench_close(&a);
    bench_close(&b);
}

/* Each word in turn becomes each number at the edge of what an index or a count may be. */
static void survives_numbers_at_the_edge(void **state)
{
    (void)state;
    struct bench a, b;
    size_t n;
    fill_with_a_bit_of_all(&a);
    uint8_t *bytes = save(&a.pool, &n);
    const uint32_t objects = 1u << a.pool.objects_shift, chunks = a.pool.chunk_count;
    const uint32_t numbers[] = {0,       chunks - 1,  chunks,      chunks + 1,
                                objects, objects - 1, objects + 1, HF_NIL};
    bench_open_sized(&b, sizeof(struct object), 1024, 500);
    for (size_t at = 0; at + 4 <= n; at += 4)
        for (size_t i = 0; i < HF_COUNT_OF(numbers); i++) {
            uint32_t before;
            memcpy(&before, bytes + at, 4);
            memcpy(bytes + at, &numbers[i], 4);
            int err = restore(&b, bytes, n);
            if (err == HF_OK)
                exercise(&b);
            assert_true(err == HF_OK || err == HF_E_VERSION);
            assert_int_equal(b.memory.held_bytes, 0);
            memcpy(bytes + at, &before, 4);
        }
    free(bytes);
    bench_close(&a);
    bench_close(&b);
}

static void restore_without_memory_leaves_nothing(void **state)
{
    (void)state;
    struct bench a, b;
    size_t n, tries = 0;
    fill_with_a_bit_of_all(&a);
    uint8_t *bytes = save(&a.pool, &n);
    bench_open_sized(&b, sizeof(struct object), 1024, 500);
    for (int err = HF_E_MEMORY; err != HF_OK;) {
        b.memory.fail_in = ++tries;
        err = restore(&b, bytes, n);
        assert_true(err == HF_OK || err == HF_E_MEMORY);
        if (err != HF_OK)
            assert_int_equal(b.memory.held_bytes, 0);
    }
    assert_true(tries > 5);
    assert_int_equal(b.pool.used, a.pool.used);
    b.memory.fail_in = 0;
    free(bytes);
    bench_close(&a);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_and_gives),
        cmocka_unit_test(asks_for_large_pieces_only),
        cmocka_unit_test(chunks_stay_near_the_wanted_size),
        cmocka_unit_test(objects_are_aligned),
        cmocka_unit_test(keeps_its_limit),
        cmocka_unit_test(fails_the_nth_take_once),
        cmocka_unit_test(survives_lack_of_memory),
        cmocka_unit_test(has_answers_for_any_index),
        cmocka_unit_test(lends_what_came_back_last),
        cmocka_unit_test(what_is_at_hand_counts_as_free),
        cmocka_unit_test(behaves_as_the_model),
        cmocka_unit_test(trim_gives_free_chunks_back),
        cmocka_unit_test(an_emptied_chunk_is_left_alone),
        cmocka_unit_test(restores_what_was_saved),
        cmocka_unit_test(the_directory_doubles_when_it_is_full),
        cmocka_unit_test(restores_a_full_pool),
        cmocka_unit_test(restores_an_empty_pool),
        cmocka_unit_test(refuses_other_sizes),
        cmocka_unit_test(refuses_cut_bytes),
        cmocka_unit_test(refuses_an_object_that_never_was),
        cmocka_unit_test(survives_damaged_bytes),
        cmocka_unit_test(survives_numbers_at_the_edge),
        cmocka_unit_test(restore_without_memory_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
