/**
 * SipHash against its published vectors, words against bytes, and the generator.
 */
#include "core/siphash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct hf_sip_key vector_key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

/* Published results for the key 00 01 .. 0f and the messages "", 00, 00 01, ... of 0..63 bytes. */
static const uint64_t vectors24[64] = {
    0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
    0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
    0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
    0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5,
    0x3f2acc7f57c29bdb, 0x699ae9f52cbe4794, 0x4bc1b3f0968dd39c, 0xbb6dc91da77961bd,
    0xbed65cf21aa2ee98, 0xd0f2cbb02e3b67c7, 0x93536795e3a33e88, 0xa80c038ccd5ccec8,
    0xb8ad50c6f649af94, 0xbce192de8a85b8ea, 0x17d835b85bbb15f3, 0x2f2e6163076bcfad,
    0xde4daaaca71dc9a5, 0xa6a2506687956571, 0xad87a3535c49ef28, 0x32d892fad841c342,
    0x7127512f72f27cce, 0xa7f32346f95978e3, 0x12e0b01abb051238, 0x15e034d40fa197ae,
    0x314dffbe0815a3b4, 0x027990f029623981, 0xcadcd4e59ef40c4d, 0x9abfd8766a33735c,
    0x0e3ea96b5304a7d0, 0xad0c42d6fc585992, 0x187306c89bc215a9, 0xd4a60abcf3792b95,
    0xf935451de4f21df2, 0xa9538f0419755787, 0xdb9acddff56ca510, 0xd06c98cd5c0975eb,
    0xe612a3cb9ecba951, 0xc766e62cfcadaf96, 0xee64435a9752fe72, 0xa192d576b245165a,
    0x0a8787bf8ecb74b2, 0x81b3e73d20b49b6f, 0x7fa8220ba3b2ecea, 0x245731c13ca42499,
    0xb78dbfaf3a8d83bd, 0xea1ad565322a1a0b, 0x60e61c23a3795013, 0x6606d7e446282b93,
    0x6ca4ecb15c5f91e1, 0x9f626da15c9625f3, 0xe51b38608ef25f57, 0x958a324ceb064572,
};

static const uint64_t vectors13[64] = {
    0xabac0158050fc4dc, 0xc9f49bf37d57ca93, 0x82cb9b024dc7d44d, 0x8bf80ab8e7ddf7fb,
    0xcf75576088d38328, 0xdef9d52f49533b67, 0xc50d2b50c59f22a7, 0xd3927d989bb11140,
    0x369095118d299a8e, 0x25a48eb36c063de4, 0x79de85ee92ff097f, 0x70c118c1f94dc352,
    0x78a384b157b4d9a2, 0x306f760c1229ffa7, 0x605aa111c0f95d34, 0xd320d86d2a519956,
    0xcc4fdd1a7d908b66, 0x9cf2689063dbd80c, 0x8ffc389cb473e63e, 0xf21f9de58d297d1c,
    0xc0dc2f46a6cce040, 0xb992abfe2b45f844, 0x7ffe7b9ba320872e, 0x525a0e7fdae6c123,
    0xf464aeb267349c8c, 0x45cd5928705b0979, 0x3a3e35e3ca9913a5, 0xa91dc74e4ade3b35,
    0xfb0bed02ef6cd00d, 0x88d93cb44ab1e1f4, 0x540f11d643c5e663, 0x2370dd1f8c21d1bc,
    0x81157b6c16a7b60d, 0x4d54b9e57a8ff9bf, 0x759f12781f2a753e, 0xcea1a3bebf186b91,
    0x2cf508d3ada26206, 0xb6101c2da3c33057, 0xb3f47496ae3a36a1, 0x626b57547b108392,
    0xc1d2363299e41531, 0x667cc1923f1ad944, 0x65704ffec8138825, 0x24f280d1c28949a6,
    0xc2ca1cedfaf8876b, 0xc2164bfc9f042196, 0xa16e9c9368b1d623, 0x49fb169c8b5114fd,
    0x9f3143f8df074c46, 0xc6fdaf2412cc86b3, 0x7eaf49d10a52098f, 0x1cf313559d292f9a,
    0xc44a30dda2f41f12, 0x36fae98943a71ed0, 0x318fb34c73f0bce6, 0xa27abf3670a7e980,
    0xb4bcc0db243c6d75, 0x23f8d852fdb71513, 0x8f035f4da67d8a08, 0xd89cd0e5b7e8f148,
    0xf6f4e6bcf7a644ee, 0xaec59ad80f1837f2, 0xc3b2f6154b6694e0, 0x9d199062b7bbb3a8,
};

static void fill(uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)i;
}

static void hash24_is_as_published(void **state)
{
    (void)state;
    uint8_t message[64];
    fill(message, sizeof message);
    for (size_t n = 0; n < 64; n++)
        assert_int_equal(hf_siphash24(&vector_key, message, n), vectors24[n]);
}

static void hash13_is_as_published(void **state)
{
    (void)state;
    uint8_t message[64];
    fill(message, sizeof message);
    for (size_t n = 0; n < 64; n++)
        assert_int_equal(hf_siphash13(&vector_key, message, n), vectors13[n]);
}

static void words_are_little_endian_bytes(void **state)
{
    (void)state;
    uint64_t words[7];
    for (size_t i = 0; i < 7; i++) {
        words[i] = 0;
        for (size_t j = 0; j < 8; j++)
            words[i] |= (uint64_t)(i * 8 + j) << j * 8;
    }
    for (size_t n = 0; n <= 7; n++) {
        assert_int_equal(hf_siphash24_words(&vector_key, words, n), vectors24[n * 8]);
        assert_int_equal(hf_siphash13_words(&vector_key, words, n), vectors13[n * 8]);
    }
}

static void twelve_bytes_likewise(void **state)
{
    (void)state;
    assert_int_equal(hf_siphash13_12(&vector_key, 0x0706050403020100, 0x0b0a0908), vectors13[12]);
}

/* Beyond 255 bytes the length counts modulo 256, but the bytes all count. */
static void long_messages_differ(void **state)
{
    (void)state;
    uint8_t message[600] = {0};
    uint64_t seen[600];
    for (size_t n = 0; n < sizeof message; n++) {
        seen[n] = hf_siphash24(&vector_key, message, n);
        for (size_t i = 0; i < n; i++)
            assert_int_not_equal(seen[i], seen[n]);
    }
}

static void alignment_does_not_matter(void **state)
{
    (void)state;
    uint8_t shifted[64 + 8];
    for (size_t shift = 0; shift < 8; shift++) {
        fill(shifted + shift, 63);
        assert_int_equal(hf_siphash24(&vector_key, shifted + shift, 63), vectors24[63]);
    }
}

static void seed_from(uint8_t seed[HF_RANDOM_SEED_BYTES], uint8_t first)
{
    for (size_t i = 0; i < HF_RANDOM_SEED_BYTES; i++)
        seed[i] = (uint8_t)(first + i);
}

static void generator_repeats_from_its_seed(void **state)
{
    (void)state;
    uint8_t seed[HF_RANDOM_SEED_BYTES];
    struct hf_random a, b;
    seed_from(seed, 7);
    hf_random_init(&a, seed);
    hf_random_init(&b, seed);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(hf_random_next(&a), hf_random_next(&b));

    struct hf_random saved = a;
    uint64_t next = hf_random_next(&a);
    assert_int_equal(hf_random_next(&saved), next);
    struct hf_sip_key one = hf_random_key(&a), two = hf_random_key(&a);
    assert_memory_not_equal(&one, &two, sizeof one);
    assert_int_not_equal(one.k0, one.k1);
}

/* A key is two numbers of the generator, the next ones: no half of it is known. */
static void both_halves_of_a_key_are_random(void **state)
{
    (void)state;
    uint8_t seed[HF_RANDOM_SEED_BYTES];
    struct hf_random r;
    seed_from(seed, 21);
    hf_random_init(&r, seed);
    struct hf_random numbers = r;
    for (int i = 0; i < 10; i++) {
        struct hf_sip_key key = hf_random_key(&r);
        assert_int_equal(key.k0, hf_random_next(&numbers));
        assert_int_equal(key.k1, hf_random_next(&numbers));
    }
}

static void every_seed_bit_counts(void **state)
{
    (void)state;
    uint8_t seed[HF_RANDOM_SEED_BYTES];
    struct hf_random r;
    seed_from(seed, 0);
    hf_random_init(&r, seed);
    uint64_t first = hf_random_next(&r);
    for (size_t bit = 0; bit < HF_RANDOM_SEED_BYTES * 8; bit++) {
        seed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        hf_random_init(&r, seed);
        assert_int_not_equal(hf_random_next(&r), first);
        seed[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

/* Each of the 64 bits is set in about half of 65536 numbers: 6 standard deviations are 768. */
static void generator_bits_are_even(void **state)
{
    (void)state;
    uint8_t seed[HF_RANDOM_SEED_BYTES];
    struct hf_random r;
    int set[64] = {0};
    seed_from(seed, 99);
    hf_random_init(&r, seed);
    for (int i = 0; i < 65536; i++) {
        uint64_t x = hf_random_next(&r);
        for (int bit = 0; bit < 64; bit++)
            set[bit] += (int)(x >> bit & 1);
    }
    for (int bit = 0; bit < 64; bit++)
        assert_in_range(set[bit], 32768 - 768, 32768 + 768);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash24_is_as_published),
        cmocka_unit_test(hash13_is_as_published),
        cmocka_unit_test(words_are_little_endian_bytes),
        cmocka_unit_test(twelve_bytes_likewise),
        cmocka_unit_test(long_messages_differ),
        cmocka_unit_test(alignment_does_not_matter),
        cmocka_unit_test(generator_repeats_from_its_seed),
        cmocka_unit_test(both_halves_of_a_key_are_random),
        cmocka_unit_test(every_seed_bit_counts),
        cmocka_unit_test(generator_bits_are_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
