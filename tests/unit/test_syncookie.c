/**
 * SYN cookies: what they carry, how long they are good, what they refuse, and keys that rotate.
 */
#include "core/syncookie.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct hf_random random;
    struct hf_cookie_keys keys;
    struct hf_cookie_handshake h;
};

static struct fixture fixture_at(hf_ns now)
{
    struct fixture f = {
        .h.local = {{{0x20, 0x01, 0x0d, 0xb8, [15] = 1}}, 443},
        .h.remote = {{{0x20, 0x01, 0x0d, 0xb8, [15] = 99}}, 50123},
        .h.irs = {0xfffffff0},
        .h.issuer = 5,
    };
    uint8_t seed[HF_RANDOM_SEED_BYTES] = {3, 1, 4, 1, 5, 9};
    hf_random_init(&f.random, seed);
    hf_cookie_keys_init(&f.keys, &f.random, now);
    return f;
}

static hf_seq make(const struct fixture *f, uint16_t mss_bytes, hf_ns now)
{
    struct hf_cookie_options o = {.mss_bytes = mss_bytes};
    return hf_cookie_make(&f->keys, &f->h, &o, now);
}

/** The MSS it carries, 0 when it is refused. */
static uint16_t check(const struct fixture *f, hf_seq iss, hf_ns now)
{
    uint16_t mss_bytes = 0;
    bool good = hf_cookie_check(&f->keys, &f->h, iss, now, &mss_bytes);
    assert_int_equal(good, mss_bytes != 0);
    return mss_bytes;
}

/* covers: CO-4987-04 */
static void carries_the_mss_rounded_down(void **state)
{
    (void)state;
    static const struct {
        uint16_t offered, carried;
    } cases[] = {
        {0, 48},      {48, 48},     {255, 48},    {256, 256},    {535, 256},   {536, 536},
        {1219, 536},  {1220, 1220}, {1359, 1220}, {1400, 1360},  {1440, 1440}, {1452, 1440},
        {1460, 1460}, {8959, 1460}, {8960, 8960}, {65535, 8960},
    };
    struct fixture f = fixture_at(HF_SEC(1000));
    for (size_t i = 0; i < HF_COUNT_OF(cases); i++)
        assert_int_equal(check(&f, make(&f, cases[i].offered, HF_SEC(1000)), HF_SEC(1001)),
                         cases[i].carried);
    for (uint32_t mss = HF_COOKIE_MSS_MIN_BYTES; mss <= 65535; mss += 7)
        assert_true(check(&f, make(&f, (uint16_t)mss, HF_SEC(1000)), HF_SEC(1001)) <= mss);
}

/* Good for what is left of its count of 64 s and two more: at least 128 s, less than 192 s.
 * covers: CO-4987-04 */
static void expires(void **state)
{
    (void)state;
    struct fixture f = fixture_at(0);
    for (hf_ns made = 0; made < HF_SEC(400); made += HF_SEC(4)) {
        hf_seq iss = make(&f, 1460, made);
        hf_ns begin = made - made % HF_SEC(64);
        assert_int_equal(check(&f, iss, made), 1460);
        assert_int_equal(check(&f, iss, made + HF_SEC(128)), 1460);
        assert_int_equal(check(&f, iss, begin + HF_SEC(192) - 1), 1460);
        assert_int_equal(check(&f, iss, begin + HF_SEC(192)), 0);
        if (begin > 0) /* none from the future */
            assert_int_equal(check(&f, iss, begin - 1), 0);
    }
}

/* covers: CO-4987-04 */
static void belongs_to_its_tuple(void **state)
{
    (void)state;
    hf_ns now = HF_SEC(77);
    struct fixture f = fixture_at(now);
    hf_seq iss = make(&f, 1460, now);
    for (size_t i = 0; i < 16; i++) {
        struct fixture g = f;
        g.h.local.addr.octets[i] ^= 1;
        assert_int_equal(check(&g, iss, now), 0);
        g = f;
        g.h.remote.addr.octets[i] ^= 1;
        assert_int_equal(check(&g, iss, now), 0);
    }
    struct fixture g = f;
    g.h.local.port++;
    assert_int_equal(check(&g, iss, now), 0);
    g = f;
    g.h.remote.port++;
    assert_int_equal(check(&g, iss, now), 0);
    g = f;
    g.h.irs = hf_seq_add(g.h.irs, 1);
    assert_int_equal(check(&g, iss, now), 0);
    for (int bit = 0; bit < 28; bit++) {
        g = f;
        g.h.issuer ^= 1u << bit;
        assert_int_equal(check(&g, iss, now), 0);
    }
    g = fixture_at(now + HF_SEC(64)); /* the same keys: the fixture's seed is fixed */
    assert_memory_equal(g.keys.key, f.keys.key, sizeof f.keys.key);
    g.keys.key[0].k1 ^= 1;
    g.keys.key[1].k1 ^= 1;
    assert_int_equal(check(&g, iss, now), 0);
}

/* Of the neighbours of a cookie only the 8 that differ in the MSS bits pass. Among 2^19 random
 * guesses 2^-8.4 are expected to pass: not one does with this seed. */
static void forgeries_fail(void **state)
{
    (void)state;
    hf_ns now = HF_SEC(640);
    struct fixture f = fixture_at(0);
    hf_seq iss = make(&f, 1460, now);
    int passed = 0;
    for (uint32_t i = 0; i < 65536; i++)
        passed += check(&f, hf_seq_make(iss.v ^ i), now) != 0;
    assert_int_equal(passed, 8);
    for (int bit = 3; bit < 32; bit++)
        assert_int_equal(check(&f, hf_seq_make(iss.v ^ 1u << bit), now), 0);
    passed = 0;
    for (uint32_t i = 0; i < 1u << 19; i++)
        passed += check(&f, hf_seq_make((uint32_t)hf_random_next(&f.random)), now) != 0;
    assert_int_equal(passed, 0);
}

/* Before the first rotation, too, each key is one that nobody knows: that of the counts before the
 * keys were made, for which no cookie was ever sent. */
static void no_key_is_known(void **state)
{
    (void)state;
    hf_ns now = HF_SEC(6400);
    struct fixture f = fixture_at(now), forger = fixture_at(now);
    memset(&forger.keys.key, 0, sizeof forger.keys.key);
    for (int age_s = 0; age_s <= 128; age_s += 64)
        assert_int_equal(check(&f, make(&forger, 1460, now - HF_SEC(age_s)), now), 0);
}

/* Whenever keys rotate, every cookie stays good as long as without. */
static void rotation_keeps_cookies_good(void **state)
{
    (void)state;
    struct fixture f = fixture_at(HF_SEC(10));
    enum { STEP_S = 16, KEPT = 128 / STEP_S };
    hf_seq made[KEPT] = {{0}};
    uint32_t n = 0, rotations = 0;
    for (hf_ns now = HF_SEC(10); now < HF_SEC(8000); now += HF_SEC(STEP_S)) {
        struct hf_sip_key before = f.keys.key[0];
        hf_cookie_keys_rotate(&f.keys, &f.random, now);
        if (memcmp(&before, &f.keys.key[0], sizeof before) != 0) {
            assert_memory_equal(&before, &f.keys.key[1], sizeof before);
            rotations++;
        }
        for (uint32_t age = 1; age <= KEPT && age <= n; age++)
            assert_int_equal(check(&f, made[(n - age) % KEPT], now), 1440);
        made[n++ % KEPT] = make(&f, 1440, now);
        assert_int_equal(check(&f, made[(n - 1) % KEPT], now), 1440);
    }
    assert_in_range(rotations, 10, 13); /* every 10 min or so in 7990 s */
}

/* Cookies that left before the rotation, in the same count, stay good too. */
static void rotation_within_a_count(void **state)
{
    (void)state;
    struct fixture f = fixture_at(0);
    hf_ns now = HF_SEC(64 * 30);
    hf_seq iss = make(&f, 1220, now);
    hf_cookie_keys_rotate(&f.keys, &f.random, now + HF_SEC(1));
    assert_int_equal(check(&f, iss, now + HF_SEC(2)), 1220);
    assert_int_equal(check(&f, iss, now + HF_SEC(128)), 1220);
    assert_int_equal(make(&f, 1220, now + HF_SEC(2)).v, iss.v);
}

/* After a long rest both keys are replaced within two rotations: old cookies are gone for good. */
static void rotation_after_a_rest(void **state)
{
    (void)state;
    struct fixture f = fixture_at(0);
    struct hf_sip_key first = f.keys.key[0];
    hf_cookie_keys_rotate(&f.keys, &f.random, HF_SEC(100000));
    hf_seq iss = make(&f, 536, HF_SEC(100000));
    hf_cookie_keys_rotate(&f.keys, &f.random, HF_SEC(100001));
    assert_int_equal(check(&f, iss, HF_SEC(100100)), 536);
    hf_cookie_keys_rotate(&f.keys, &f.random, HF_SEC(200000));
    assert_memory_not_equal(&f.keys.key[0], &first, sizeof first);
    assert_memory_not_equal(&f.keys.key[1], &first, sizeof first);
    assert_int_equal(check(&f, iss, HF_SEC(200000)), 0);
}

/* covers: CO-4987-05 */
static void timestamps_carry_the_options(void **state)
{
    (void)state;
    static const uint32_t instants[] = {0, 1, 30, 31, 32, 1000000, 0x7fffffff, 0xffffffff};
    for (size_t i = 0; i < HF_COUNT_OF(instants); i++)
        for (uint32_t later = 0; later < 70; later++)
            for (uint8_t wscale = 0; wscale <= 15; wscale++)
                for (int sack = 0; sack < 2; sack++) {
                    struct hf_cookie_options o = {
                        .wscale = wscale, .has_wscale = wscale < 15, .sack = sack != 0};
                    struct hf_cookie_options back = {.mss_bytes = 1234};
                    uint32_t now = instants[i] + later;
                    uint32_t ts = hf_cookie_timestamp(&o, now);
                    assert_in_range(now - ts, 0, 31); /* modulo 2^32: never ahead */
                    hf_cookie_timestamp_decode(ts, &back);
                    assert_true(back.timestamps);
                    assert_int_equal(back.sack, sack != 0);
                    assert_int_equal(back.has_wscale, wscale < 15);
                    assert_int_equal(back.wscale, wscale < 15 ? wscale : 0);
                    assert_int_equal(back.mss_bytes, 1234);
                }
}

/* [RFC7323#5.4] The clock does not go back while the options stay the same. */
static void timestamps_do_not_go_back(void **state)
{
    (void)state;
    struct hf_cookie_options o = {.wscale = 7, .has_wscale = true, .sack = true};
    uint32_t last = hf_cookie_timestamp(&o, 0xffffff00);
    for (uint32_t later = 1; later < 1000; later++) {
        uint32_t next = hf_cookie_timestamp(&o, 0xffffff00 + later);
        assert_true((int32_t)(next - last) >= 0);
        last = next;
    }
}

/* [RFC7323#2.3] A shift above 14 counts as 14, and 15 is not taken for "none". */
static void large_shift_is_14(void **state)
{
    (void)state;
    struct hf_cookie_options o = {.wscale = 255, .has_wscale = true}, back = {0};
    hf_cookie_timestamp_decode(hf_cookie_timestamp(&o, 5000), &back);
    assert_true(back.has_wscale);
    assert_int_equal(back.wscale, 14);
    assert_false(back.sack);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(carries_the_mss_rounded_down),
        cmocka_unit_test(expires),
        cmocka_unit_test(belongs_to_its_tuple),
        cmocka_unit_test(forgeries_fail),
        cmocka_unit_test(no_key_is_known),
        cmocka_unit_test(rotation_keeps_cookies_good),
        cmocka_unit_test(rotation_within_a_count),
        cmocka_unit_test(rotation_after_a_rest),
        cmocka_unit_test(timestamps_carry_the_options),
        cmocka_unit_test(timestamps_do_not_go_back),
        cmocka_unit_test(large_shift_is_14),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
