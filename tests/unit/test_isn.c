/**
 * Initial sequence numbers, timestamp and port offsets: the clock in them, and nothing else that an
 * outsider could use.
 */
#include "core/isn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TUPLES = 10000 };

static const struct hf_sip_key secret = {0x243f6a8885a308d3, 0x13198a2e03707344};

static struct hf_endpoint endpoint_v4(uint8_t last, uint16_t port)
{
    struct hf_endpoint e = {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, last}}, port};
    return e;
}

static uint32_t isn_at(uint16_t local_port, uint16_t remote_port, hf_ns now)
{
    struct hf_endpoint local = endpoint_v4(1, local_port), remote = endpoint_v4(2, remote_port);
    return hf_isn(&secret, &local, &remote, now).v;
}

/* [RFC9293#3.4.1] MUST-8: one step every 4 us, whatever the tuple.
 * covers: CO-6528-01 */
static void clock_steps_every_4_us(void **state)
{
    (void)state;
    uint32_t first = isn_at(80, 40000, 0);
    assert_int_equal(isn_at(80, 40000, 3999), first);
    assert_int_equal(isn_at(80, 40000, 4000), first + 1);
    assert_int_equal(isn_at(80, 40000, HF_SEC(1)), first + 250000);
    /* 2^32 steps are 17180 s: there it wraps, and goes on. */
    assert_int_equal(isn_at(80, 40000, HF_SEC(20000)),
                     first + (uint32_t)(UINT64_C(20000) * 250000));
    assert_int_equal(isn_at(80, 40000, -HF_SEC(1)), first - 250000);
}

/* covers: CO-6528-04 */
static void grows_for_one_tuple(void **state)
{
    (void)state;
    for (uint16_t port = 1; port < 500; port++) {
        hf_seq last = hf_seq_make(isn_at(80, port, 0));
        for (hf_ns now = HF_US(4); now < HF_SEC(4000); now = now * 3 + port) {
            hf_seq next = hf_seq_make(isn_at(80, port, now));
            assert_true(hf_seq_gt(next, last));
            last = next;
        }
    }
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* 10,000 random numbers of 32 bits hold 11.6 equal pairs on average; more than 40 never happens. */
static void assert_rarely_equal(uint32_t *values, size_t n)
{
    size_t equal = 0;
    qsort(values, n, sizeof *values, compare_u32);
    for (size_t i = 1; i < n; i++)
        equal += values[i] == values[i - 1];
    assert_in_range(equal, 0, 40);
}

/* [RFC9293#3.4.1] MUST-9: what one tuple shows tells nothing of the next, one port further: the
 * differences between neighbours are spread evenly, and don't repeat.
 * covers: CO-6528-02, CO-6528-05 */
static void neighbours_are_unrelated(void **state)
{
    (void)state;
    static uint32_t isns[TUPLES], steps[TUPLES - 1];
    uint32_t sixteenths[16] = {0};
    int bits[32] = {0};
    for (uint32_t i = 0; i < TUPLES; i++)
        isns[i] = isn_at(80, (uint16_t)(10000 + i), HF_SEC(5));
    for (uint32_t i = 0; i < TUPLES - 1; i++) {
        steps[i] = isns[i + 1] - isns[i];
        sixteenths[steps[i] >> 28]++;
        for (int bit = 0; bit < 32; bit++)
            bits[bit] += (int)((isns[i] ^ isns[i + 1]) >> bit & 1);
    }
    for (int i = 0; i < 16; i++) /* 625 expected, 6 standard deviations are 145 */
        assert_in_range(sixteenths[i], 625 - 145, 625 + 145);
    for (int bit = 0; bit < 32; bit++) /* 5000 expected, 6 standard deviations are 300 */
        assert_in_range(bits[bit], 5000 - 300, 5000 + 300);
    assert_rarely_equal(steps, TUPLES - 1);
    assert_rarely_equal(isns, TUPLES);
}

static uint64_t hash_of(const struct hf_endpoint *local, const struct hf_endpoint *remote)
{
    return hf_hash_endpoints(&secret, HF_USE_ISN, local, remote, 0, 0);
}

/* covers: CO-6528-02 */
static void everything_counts(void **state)
{
    (void)state;
    struct hf_endpoint local = endpoint_v4(1, 80), remote = endpoint_v4(2, 40000);
    uint64_t base = hash_of(&local, &remote);
    assert_int_not_equal(hash_of(&remote, &local), base);
    for (size_t i = 0; i < 16; i++) {
        struct hf_endpoint other = local;
        other.addr.octets[i] ^= 1;
        assert_int_not_equal(hash_of(&other, &remote), base);
        other = remote;
        other.addr.octets[i] ^= 0x80;
        assert_int_not_equal(hash_of(&local, &other), base);
    }
    struct hf_endpoint other = local;
    other.port ^= 0x100;
    assert_int_not_equal(hash_of(&other, &remote), base);
    other = remote;
    other.port ^= 1;
    assert_int_not_equal(hash_of(&local, &other), base);
    assert_int_not_equal(hf_hash_endpoints(&secret, HF_USE_ISN, &local, &remote, 0, 1), base);
    assert_int_not_equal(hf_hash_endpoints(&secret, HF_USE_ISN, &local, &remote, 1, 0), base);
    assert_int_not_equal(hf_hash_endpoints(&secret, HF_USE_COOKIE, &local, &remote, 0, 0), base);
    struct hf_sip_key restarted = {secret.k0, secret.k1 ^ 1};
    assert_int_not_equal(hf_hash_endpoints(&restarted, HF_USE_ISN, &local, &remote, 0, 0), base);
}

/* One secret may serve all: a number of one use is not that of another. */
static void uses_are_apart(void **state)
{
    (void)state;
    struct hf_endpoint local = endpoint_v4(1, 0), remote = endpoint_v4(2, 0);
    uint32_t isn = hf_isn(&secret, &local, &remote, 0).v;
    uint32_t ts = hf_ts_offset(&secret, &local.addr, &remote.addr);
    uint32_t port = hf_port_hash(&secret, &local.addr, &remote);
    assert_int_not_equal(isn, ts);
    assert_int_not_equal(isn, port);
    assert_int_not_equal(ts, port);
}

/* [RFC6056#3.3.3] The offset depends on addresses and remote port: each destination has its own.
 * covers: CO-6056-03 */
static void port_offsets_differ_by_destination(void **state)
{
    (void)state;
    static uint32_t offsets[TUPLES];
    struct hf_endpoint local = endpoint_v4(1, 0);
    for (uint32_t i = 0; i < TUPLES; i++) {
        struct hf_endpoint remote = endpoint_v4((uint8_t)(i % 100), (uint16_t)(1000 + i / 100));
        offsets[i] = hf_port_hash(&secret, &local.addr, &remote);
        assert_int_equal(hf_port_hash(&secret, &local.addr, &remote), offsets[i]);
    }
    assert_rarely_equal(offsets, TUPLES);
}

/* covers: CO-7323-15 */
static void timestamp_offsets_differ_by_address(void **state)
{
    (void)state;
    struct hf_endpoint local = endpoint_v4(1, 0);
    uint32_t offsets[200];
    for (uint8_t i = 0; i < 200; i++) {
        struct hf_endpoint remote = endpoint_v4(i, 0);
        offsets[i] = hf_ts_offset(&secret, &local.addr, &remote.addr);
        for (uint8_t j = 0; j < i; j++)
            assert_int_not_equal(offsets[j], offsets[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clock_steps_every_4_us),
        cmocka_unit_test(grows_for_one_tuple),
        cmocka_unit_test(neighbours_are_unrelated),
        cmocka_unit_test(everything_counts),
        cmocka_unit_test(uses_are_apart),
        cmocka_unit_test(port_offsets_differ_by_destination),
        cmocka_unit_test(timestamp_offsets_differ_by_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
