/**
 * Addresses as values and as text [RFC5952].
 */
#include "wire_random.h"

#include <arpa/inet.h>
#include <stdio.h>

static struct hf_addr v6(const char *text)
{
    struct hf_addr a;
    assert_int_equal(inet_pton(AF_INET6, text, a.octets), 1);
    return a;
}

static void check_text(const struct hf_addr *a, const char *expected)
{
    char text[HF_ADDR_TEXT_BYTES];
    memset(text, '#', sizeof text);
    size_t n = hf_addr_text(a, text);
    assert_string_equal(text, expected);
    assert_int_equal(n, strlen(expected));
}

static void v4_is_mapped(void **state)
{
    (void)state;
    struct hf_addr a = hf_addr_v4(192, 0, 2, 1);
    struct hf_addr b = v6("::ffff:192.0.2.1");
    assert_memory_equal(a.octets, b.octets, 16);
    assert_true(hf_addr_is_v4(&a));
    struct hf_addr any = HF_ADDR_ANY;
    assert_false(hf_addr_is_v4(&any));
    /* Each byte of the prefix counts. */
    for (size_t i = 0; i < 12; i++) {
        b = a;
        b.octets[i] ^= 1;
        assert_false(hf_addr_is_v4(&b));
    }
}

static void equality_covers_every_byte(void **state)
{
    (void)state;
    struct hf_addr a = v6("2001:db8::1"), b = a;
    assert_true(hf_addr_equal(&a, &b));
    for (size_t i = 0; i < 16; i++) {
        b = a;
        b.octets[i] ^= 0x80;
        assert_false(hf_addr_equal(&a, &b));
    }
}

static void text_is_canonical(void **state)
{
    (void)state;
    static const struct {
        const char *from, *expected;
    } rows[] = {
        {"::", "::"},
        {"::1", "::1"},
        {"1::", "1::"},
        {"2001:0db8:0000:0000:0000:0000:0002:0001", "2001:db8::2:1"},
        /* [RFC5952#4.2.2] one group alone is not shortened */
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        {"0:1:1:1:1:1:1:1", "0:1:1:1:1:1:1:1"},
        {"1:1:1:1:1:1:1:0", "1:1:1:1:1:1:1:0"},
        /* [RFC5952#4.2.3] the longest run, of equal ones the first */
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        {"0:0:1:2:3:4:0:0", "::1:2:3:4:0:0"},
        {"1:0:0:2:3:0:0:0", "1:0:0:2:3::"},
        /* [RFC5952#4.3] lower case; [RFC5952#4.1] no leading zeroes, inner ones stay */
        {"2001:DB8:A00B:00C0:0DD0:1001:ABCD:EF01", "2001:db8:a00b:c0:dd0:1001:abcd:ef01"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"fe80::10:200", "fe80::10:200"},
        {"::ffff:0:192.0.2.1", "::ffff:0:c000:201"}, /* not the mapped prefix */
        {"64:ff9b::192.0.2.1", "64:ff9b::c000:201"},
    };
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++) {
        struct hf_addr a = v6(rows[i].from);
        check_text(&a, rows[i].expected);
    }
}

static void mapped_text_is_dotted(void **state)
{
    (void)state;
    struct hf_addr a = hf_addr_v4(192, 0, 2, 1);
    check_text(&a, "192.0.2.1");
    a = hf_addr_v4(0, 0, 0, 0);
    check_text(&a, "0.0.0.0");
    a = hf_addr_v4(255, 100, 10, 9);
    check_text(&a, "255.100.10.9");
}

/* Text is read back as the same address, for random ones rich in zero groups; and it is what the
 * C library writes, which follows the same RFC but writes some low addresses dotted. */
static void text_round_trips(void **state)
{
    (void)state;
    struct random_source r = random_begin("text_round_trips");
    for (int round = 0; round < 200000; round++) {
        struct hf_addr a, back;
        random_bytes(&r, a.octets, 16);
        for (size_t group = 0; group < 8; group++)
            if (random_below(&r, 2) == 0)
                memset(a.octets + 2 * group, 0, 2);
        char text[HF_ADDR_TEXT_BYTES], theirs[INET6_ADDRSTRLEN];
        size_t n = hf_addr_text(&a, text);
        assert_int_equal(n, strlen(text));
        if (hf_addr_is_v4(&a))
            continue;
        assert_int_equal(inet_pton(AF_INET6, text, back.octets), 1);
        assert_true(hf_addr_equal(&a, &back));
        assert_non_null(inet_ntop(AF_INET6, a.octets, theirs, sizeof theirs));
        if (strchr(theirs, '.') == NULL)
            assert_string_equal(text, theirs);
    }
}

static void endpoint_text(void **state)
{
    (void)state;
    char text[HF_ENDPOINT_TEXT_BYTES];
    struct hf_endpoint e = {hf_addr_v4(10, 0, 0, 1), 80};
    assert_int_equal(hf_endpoint_text(&e, text), strlen("10.0.0.1:80"));
    assert_string_equal(text, "10.0.0.1:80");
    e = (struct hf_endpoint){v6("2001:db8::1"), 443};
    assert_int_equal(hf_endpoint_text(&e, text), strlen("[2001:db8::1]:443"));
    assert_string_equal(text, "[2001:db8::1]:443");
    e = (struct hf_endpoint){HF_ADDR_ANY, 0};
    assert_int_equal(hf_endpoint_text(&e, text), strlen("[::]:0"));
    assert_string_equal(text, "[::]:0");
    /* The longest fits. */
    e = (struct hf_endpoint){v6("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 65535};
    hf_endpoint_text(&e, text);
    assert_string_equal(text, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v4_is_mapped),      cmocka_unit_test(equality_covers_every_byte),
        cmocka_unit_test(text_is_canonical), cmocka_unit_test(mapped_text_is_dotted),
        cmocka_unit_test(text_round_trips),  cmocka_unit_test(endpoint_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
