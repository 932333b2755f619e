/* Blocks and queues of them: what is taken, kept and given back, exactly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/store/blocks.h"
#include "support/test_memory.h"

enum { BLOCK_BYTES = 512, BLOCKS = 64 };

struct bench {
    struct test_memory memory;
    struct hf_mem mem;
    struct hf_blocks blocks;
    struct hf_queue queue;
};

static void bench_open(struct bench *b)
{
    b->memory = TEST_MEMORY_INIT;
    b->mem = (struct hf_mem){.realloc = test_memory_realloc, .ctx = &b->memory};
    hf_blocks_init(&b->blocks, &b->mem, BLOCK_BYTES, (uint64_t)BLOCKS * BLOCK_BYTES);
    hf_queue_init(&b->queue);
}

static void bench_close(struct bench *b)
{
    hf_queue_clear(&b->blocks, &b->queue);
    assert_int_equal(b->blocks.pool.used, 0);
    hf_pool_free(&b->blocks.pool);
    assert_int_equal(b->memory.held_bytes, 0);
}

static void link_block(struct bench *b, uint32_t begin, uint32_t bytes)
{
    uint32_t ref = hf_blocks_take(&b->blocks, HF_BLOCK_IN_ORDER);
    assert_int_not_equal(ref, HF_NIL);
    hf_queue_link(&b->blocks, &b->queue, ref, begin, bytes);
}

/* A block goes back with its last byte, not with the one before nor with the next block's first. */
static void a_block_goes_with_its_last_byte(void **state)
{
    (void)state;
    static const uint32_t begins[] = {0, 1, 100, BLOCK_BYTES - 1};
    for (size_t i = 0; i < HF_COUNT_OF(begins); i++) {
        struct bench b;
        bench_open(&b);
        uint32_t first = BLOCK_BYTES - begins[i];
        link_block(&b, begins[i], first);
        link_block(&b, 0, BLOCK_BYTES);
        link_block(&b, 0, 10);
        hf_queue_drop(&b.blocks, &b.queue, first - 1);
        assert_int_equal(b.blocks.pool.used, 3);
        hf_queue_drop(&b.blocks, &b.queue, 1);
        assert_int_equal(b.blocks.pool.used, 2);
        assert_int_equal(b.queue.begin, 0);
        hf_queue_drop(&b.blocks, &b.queue, BLOCK_BYTES + 4);
        assert_int_equal(b.blocks.pool.used, 1);
        assert_int_equal(b.queue.begin, 4);
        assert_int_equal(b.queue.bytes, 6);
        hf_queue_drop(&b.blocks, &b.queue, 6);
        assert_int_equal(b.blocks.pool.used, 0);
        bench_close(&b);
    }
}

/* Each block that is taken or given back moves the count by which those who wait know it. */
static void taking_and_giving_move_the_turnover(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    uint64_t before = b.blocks.turnover;
    uint32_t ref = hf_blocks_take(&b.blocks, HF_BLOCK_SEND);
    assert_int_not_equal(ref, HF_NIL);
    assert_int_equal(b.blocks.turnover, before + 1);
    hf_blocks_give(&b.blocks, ref);
    assert_int_equal(b.blocks.turnover, before + 2);
    assert_int_equal(b.blocks.send_used, 0);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_goes_with_its_last_byte),
        cmocka_unit_test(taking_and_giving_move_the_turnover),
    };
    return cmocka_run_group_tests_name("blocks", tests, NULL, NULL);
}
