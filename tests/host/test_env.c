/**
 * What a stack gets from Linux: seed, memory, clock; and the reading of addresses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/why.h"

static void seeds_differ(void **state)
{
    (void)state;
    static const uint8_t zero[32];
    struct hf_env a, b;
    assert_int_equal(HF_OK, hf_env_linux(&a, NULL));
    assert_int_equal(HF_OK, hf_env_linux(&b, NULL));
    assert_memory_not_equal(a.seed, b.seed, sizeof a.seed);
    assert_memory_not_equal(a.seed, zero, sizeof a.seed);
    assert_memory_not_equal(a.seed + 16, zero, 16);
    assert_int_equal(0, a.shard);
    assert_null(a.trace);
}

static uint8_t pattern(size_t i)
{
    return (uint8_t)(i * 31 + (i >> 8));
}

/* Grows and shrinks over the border between heap and kernel; the contents stay. */
static void memory_keeps_its_contents(void **state)
{
    (void)state;
    static const size_t sizes[] = {4096,   60000, 65535, 65536, 65537, 1 << 20, 3 << 20,
                                   300000, 65536, 65535, 4096,  70000, 8192,    1 << 22};
    struct hf_env env;
    assert_int_equal(HF_OK, hf_env_linux(&env, NULL));
    uint8_t *p = NULL;
    size_t have = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t n = sizes[i], kept = have < n ? have : n;
        uint8_t *grown = env.realloc(env.realloc_ctx, p, have, n);
        assert_non_null(grown);
        for (size_t k = 0; k < kept; k++)
            if (grown[k] != pattern(k))
                fail_msg("step %zu: byte %zu is lost", i, k);
        for (size_t k = 0; k < n; k++)
            grown[k] = pattern(k);
        p = grown;
        have = n;
    }
    assert_null(env.realloc(env.realloc_ctx, p, have, 0));
    assert_null(env.realloc(env.realloc_ctx, NULL, 0, 0));
}

static void no_memory_leaves_the_old_piece(void **state)
{
    (void)state;
    struct hf_env env;
    assert_int_equal(HF_OK, hf_env_linux(&env, NULL));
    const size_t absurd = SIZE_MAX / 2;
    uint8_t *small = env.realloc(env.realloc_ctx, NULL, 0, 5000);
    uint8_t *large = env.realloc(env.realloc_ctx, NULL, 0, 200000);
    assert_non_null(small);
    assert_non_null(large);
    small[4999] = 1;
    large[199999] = 2;
    assert_null(env.realloc(env.realloc_ctx, small, 5000, absurd));
    assert_null(env.realloc(env.realloc_ctx, large, 200000, absurd));
    assert_null(env.realloc(env.realloc_ctx, NULL, 0, absurd));
    assert_int_equal(1, small[4999]);
    assert_int_equal(2, large[199999]);
    assert_null(env.realloc(env.realloc_ctx, small, 5000, 0));
    assert_null(env.realloc(env.realloc_ctx, large, 200000, 0));
}

static void clocks_count_nanoseconds(void **state)
{
    (void)state;
    struct timespec pause = {0, 2000000};
    hf_ns before = hf_host_now();
    assert_true(before > 0);
    assert_int_equal(0, nanosleep(&pause, NULL));
    hf_ns span = hf_host_now() - before;
    assert_true(span >= HF_MS(2) && span < HF_SEC(60));
    /* After 2020, before 2200. */
    assert_true(hf_host_wall_clock() > HF_SEC(1577836800));
    assert_true(hf_host_wall_clock() < HF_SEC(7258118400));
}

static void prefixes_are_read(void **state)
{
    (void)state;
    struct hf_addr a;
    unsigned bits;
    assert_int_equal(HF_OK, hf_prefix_parse("10.1.2.3/24", &a, &bits, NULL));
    static const struct hf_addr v4 = {{[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 1, 2, 3}};
    assert_memory_equal(&v4, &a, sizeof a);
    assert_int_equal(24, bits);
    assert_int_equal(HF_OK, hf_prefix_parse("0.0.0.0/0", &a, &bits, NULL));
    assert_int_equal(0, bits);
    assert_int_equal(HF_OK, hf_prefix_parse("10.1.2.3", &a, &bits, NULL));
    assert_int_equal(32, bits);
    assert_int_equal(HF_OK, hf_prefix_parse("fd00::9/64", &a, &bits, NULL));
    static const struct hf_addr v6 = {{0xfd, [15] = 9}};
    assert_memory_equal(&v6, &a, sizeof a);
    assert_int_equal(64, bits);
    assert_int_equal(HF_OK, hf_prefix_parse("::", &a, &bits, NULL));
    assert_int_equal(128, bits);
    static const char *const wrong[] = {"",
                                        "10.1.2",
                                        "10.1.2.3/",
                                        "10.1.2.3/33",
                                        "10.1.2.3/-1",
                                        "10.1.2.3/8x",
                                        "fd00::/129",
                                        "10.1.2.3/ 8",
                                        "example.org",
                                        "fd00::9%lo/64",
                                        "10.1.2.3/99999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct hf_why why = {.text = ""};
        bits = 7;
        if (hf_prefix_parse(wrong[i], &a, &bits, &why) != HF_E_INVALID || bits != 7)
            fail_msg("\"%s\" was taken", wrong[i]);
        assert_true(strlen(why.text) > 10);
    }
}

static void a_reason_is_cut_and_not_overrun(void **state)
{
    (void)state;
    struct {
        struct hf_why why;
        char guard[8];
    } s;
    char text[1000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    memset(&s, 7, sizeof s);
    assert_int_equal(HF_E_SYSTEM, hf_why_set(&s.why, HF_E_SYSTEM, 5, "%s", text));
    assert_int_equal(HF_WHY_TEXT_BYTES - 1, strlen(s.why.text));
    assert_int_equal(5, s.why.sys_errno);
    assert_int_equal(7, s.guard[0]);
    assert_int_equal(HF_E_DEVICE, hf_why_set(NULL, HF_E_DEVICE, 5, "nobody listens"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seeds_differ),
        cmocka_unit_test(memory_keeps_its_contents),
        cmocka_unit_test(no_memory_leaves_the_old_piece),
        cmocka_unit_test(clocks_count_nanoseconds),
        cmocka_unit_test(prefixes_are_read),
        cmocka_unit_test(a_reason_is_cut_and_not_overrun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
