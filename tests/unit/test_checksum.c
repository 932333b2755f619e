/**
 * The Internet checksum against a byte-wise reference.
 */
#include "wire_random.h"

#include "core/wire/checksum.h"

enum { LENGTHS = 300, ALIGNMENTS = 16 };

/* The example of RFC 1071, section 3. */
static void known_sums(void **state)
{
    (void)state;
    static const uint8_t rfc1071[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    assert_int_equal(hf_sum_fold(hf_sum_bytes(0, rfc1071, sizeof rfc1071)), 0xddf2);
    assert_int_equal(hf_sum_checksum(hf_sum_bytes(0, rfc1071, sizeof rfc1071)), 0x220d);

    static const uint8_t ipv4[] = {0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
                                   0x00, 0x00, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7};
    assert_int_equal(hf_sum_checksum(hf_sum_bytes(0, ipv4, sizeof ipv4)), 0xb861);
}

static void nothing_is_zero(void **state)
{
    (void)state;
    static const uint8_t zeroes[200];
    static uint8_t ones[200];
    memset(ones, 0xff, sizeof ones);
    assert_int_equal(hf_sum_fold(0), 0);
    assert_int_equal(hf_sum_checksum(0), 0xffff);
    assert_int_equal(hf_sum_bytes(77, NULL, 0), 77);
    assert_int_equal(hf_sum_copy(77, NULL, NULL, 0), 77);
    for (size_t n = 0; n <= sizeof zeroes; n++)
        assert_int_equal(hf_sum_fold(hf_sum_bytes(0, zeroes, n)), 0);
    /* Minus zero stays minus zero: a sum of something is not the empty sum. */
    for (size_t n = 2; n <= sizeof ones; n += 2)
        assert_int_equal(hf_sum_fold(hf_sum_bytes(0, ones, n)), 0xffff);
}

static void all_lengths_and_alignments(void **state)
{
    (void)state;
    struct random_source r = random_begin("all_lengths_and_alignments");
    for (size_t n = 0; n <= LENGTHS; n++) {
        for (size_t shift = 0; shift < ALIGNMENTS; shift++) {
            uint8_t *block = malloc(shift + n);
            assert_true(block != NULL || shift + n == 0);
            random_bytes(&r, block, shift + n);
            uint16_t expected = plain_sum(block + shift, n);
            assert_int_equal(hf_sum_fold(hf_sum_bytes(0, block + shift, n)), expected);
            free(block);
        }
    }
}

static void long_inputs(void **state)
{
    (void)state;
    struct random_source r = random_begin("long_inputs");
    enum { BYTES = 70000 };
    uint8_t *block = malloc(BYTES), *to = malloc(BYTES);
    assert_non_null(block);
    assert_non_null(to);
    for (int round = 0; round < 300; round++) {
        size_t n = random_below(&r, BYTES + 1);
        size_t begin = BYTES - n;
        if (round % 3 == 0)
            memset(block, 0xff, BYTES); /* most carries */
        else
            random_bytes(&r, block + begin, n);
        uint16_t expected = plain_sum(block + begin, n);
        assert_int_equal(hf_sum_fold(hf_sum_bytes(0, block + begin, n)), expected);
        assert_int_equal(hf_sum_fold(hf_sum_copy(0, to + begin, block + begin, n)), expected);
        assert_memory_equal(to + begin, block + begin, n);
    }
    free(block);
    free(to);
}

/* The copy is exact, sums the same, and touches no byte around it. */
static void copies_while_summing(void **state)
{
    (void)state;
    struct random_source r = random_begin("copies_while_summing");
    enum { GUARD = 16 };
    uint8_t from[ALIGNMENTS + LENGTHS], to[GUARD + ALIGNMENTS + LENGTHS + GUARD];
    for (size_t n = 0; n <= LENGTHS; n++) {
        for (size_t shift = 0; shift < ALIGNMENTS; shift++) {
            size_t to_shift = GUARD + random_below(&r, ALIGNMENTS);
            random_bytes(&r, from, sizeof from);
            memset(to, 0xa5, sizeof to);
            hf_sum before = random_u32(&r);
            hf_sum sum = hf_sum_copy(before, to + to_shift, from + shift, n);
            assert_int_equal(hf_sum_fold(sum), hf_sum_fold(hf_sum_bytes(before, from + shift, n)));
            assert_int_equal(hf_sum_fold(sum - before), plain_sum(from + shift, n));
            for (size_t i = 0; i < sizeof to; i++) {
                bool copied = i >= to_shift && i < to_shift + n;
                assert_int_equal(to[i], copied ? from[shift + i - to_shift] : 0xa5);
            }
        }
    }
}

/* Parts cut at any byte, odd ones too, give the sum of the whole. */
static void joins_at_all_splits(void **state)
{
    (void)state;
    struct random_source r = random_begin("joins_at_all_splits");
    uint8_t bytes[LENGTHS];
    for (size_t n = 0; n <= LENGTHS; n++) {
        random_bytes(&r, bytes, n);
        uint16_t expected = plain_sum(bytes, n);
        for (size_t cut = 0; cut <= n; cut++) {
            hf_sum head = hf_sum_bytes(0, bytes, cut);
            hf_sum tail = hf_sum_bytes(0, bytes + cut, n - cut);
            assert_int_equal(hf_sum_fold(hf_sum_join(head, tail, cut)), expected);
            assert_int_equal(hf_sum_fold(hf_sum_join(hf_sum_join(0, tail, cut), head, 0)),
                             expected);
        }
    }
}

static void joins_many_parts(void **state)
{
    (void)state;
    struct random_source r = random_begin("joins_many_parts");
    uint8_t bytes[4000];
    for (int round = 0; round < 2000; round++) {
        size_t n = random_below(&r, sizeof bytes + 1);
        random_bytes(&r, bytes, n);
        hf_sum whole = 0;
        for (size_t at = 0; at < n;) {
            size_t part = 1 + random_below(&r, (uint32_t)(n - at));
            whole = hf_sum_join(whole, hf_sum_bytes(0, bytes + at, part), at);
            at += part;
        }
        assert_int_equal(hf_sum_fold(whole), plain_sum(bytes, n));
    }
}

static void numbers_are_in_host_order(void **state)
{
    (void)state;
    struct random_source r = random_begin("numbers_are_in_host_order");
    for (int round = 0; round < 10000; round++) {
        uint16_t a = random_u16(&r);
        uint32_t b = random_u32(&r);
        uint8_t bytes[6];
        hf_put16(bytes, a);
        hf_put32(bytes + 2, b);
        assert_int_equal(hf_sum_fold(hf_sum_u32(hf_sum_u16(0, a), b)), plain_sum(bytes, 6));
        assert_int_equal(hf_sum_checksum(hf_sum_u32(hf_sum_u16(0, a), b)),
                         (uint16_t)~plain_sum(bytes, 6));
    }
    assert_int_equal(hf_sum_fold(hf_sum_u16(0, 0x1234)), 0x1234);
    assert_int_equal(hf_sum_fold(hf_sum_u32(0, 0x12340001)), 0x1235);
    assert_int_equal(hf_sum_fold(UINT64_MAX), 0xffff);
    assert_int_equal(hf_sum_fold((uint64_t)0xffff << 48 | 1), 1);
}

/* What a receiver checks: with the checksum in its field, everything sums to 0xffff. */
static void verifies_what_it_makes(void **state)
{
    (void)state;
    struct random_source r = random_begin("verifies_what_it_makes");
    uint8_t bytes[1500];
    for (int round = 0; round < 5000; round++) {
        size_t n = 2 + random_below(&r, sizeof bytes - 1);
        random_bytes(&r, bytes, n);
        size_t field = random_below(&r, (uint32_t)(n / 2)) * 2;
        hf_put16(bytes + field, 0);
        hf_put16(bytes + field, hf_sum_checksum(hf_sum_bytes(0, bytes, n)));
        assert_int_equal(hf_sum_fold(hf_sum_bytes(0, bytes, n)), 0xffff);
        bytes[random_below(&r, (uint32_t)n)] ^= (uint8_t)(1u << random_below(&r, 8));
        assert_int_not_equal(hf_sum_fold(hf_sum_bytes(0, bytes, n)), 0xffff);
    }
}

/* Whatever is summed, but nothing at all. */
static void right_is_a_fold_of_ones(void **state)
{
    (void)state;
    static const hf_sum sums[] = {1,          0xfffe,     0xffff,      0x10000,      0x1fffe,
                                  0xffffffff, UINT64_MAX, 0xffff0000u, 0x1234567890, 3ull << 62};
    for (size_t i = 0; i < HF_COUNT_OF(sums); i++)
        assert_int_equal(hf_sum_is_right(sums[i]), hf_sum_fold(sums[i]) == 0xffff);
    for (hf_sum times = 1; times < 100000; times++) {
        assert_true(hf_sum_is_right(times * 0xffff));
        assert_int_equal(hf_sum_fold(times * 0xffff), 0xffff);
        assert_false(hf_sum_is_right(times * 0xffff + 1 + times % 0xfffe));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_is_a_fold_of_ones),
        cmocka_unit_test(known_sums),
        cmocka_unit_test(nothing_is_zero),
        cmocka_unit_test(all_lengths_and_alignments),
        cmocka_unit_test(long_inputs),
        cmocka_unit_test(copies_while_summing),
        cmocka_unit_test(joins_at_all_splits),
        cmocka_unit_test(joins_many_parts),
        cmocka_unit_test(numbers_are_in_host_order),
        cmocka_unit_test(verifies_what_it_makes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
