/**
 * ICMP and ICMPv6: quotes are read as far as they go, checksums cover what they must.
 */
#include "wire_random.h"

#include <arpa/inet.h>

#include "core/wire/icmp.h"

enum { MESSAGE_MAX = 1600, ROUNDS = 1000000 };

static struct hf_addr v6(const char *text)
{
    struct hf_addr a;
    assert_int_equal(inet_pton(AF_INET6, text, a.octets), 1);
    return a;
}

/** The header of a message from a router to us. */
static struct hf_ip ip_of(unsigned version)
{
    struct hf_ip ip = {.version = (uint8_t)version, .ttl = 64};
    ip.protocol = version == 4 ? HF_IP_PROTO_ICMP : HF_IP_PROTO_ICMPV6;
    ip.source = version == 4 ? hf_addr_v4(203, 0, 113, 9) : v6("2001:db8:9::9");
    ip.destination = version == 4 ? hf_addr_v4(192, 0, 2, 1) : v6("2001:db8::1");
    return ip;
}

/** The packet of ours that is quoted: TCP, ports 1234 > 80, seq 0xdeadbeef. Returns its length. */
static size_t put_quote(uint8_t *bytes, unsigned version, uint8_t protocol, uint32_t payload_bytes)
{
    struct hf_ip ip = ip_of(version);
    struct hf_addr router = ip.source;
    ip.source = ip.destination;
    ip.destination = router;
    ip.protocol = protocol;
    ip.payload_bytes = payload_bytes;
    size_t n = hf_ip_emit(&ip, bytes);
    memset(bytes + n, 0, payload_bytes);
    if (payload_bytes >= 8) {
        hf_put16(bytes + n, 1234);
        hf_put16(bytes + n + 2, 80);
        hf_put32(bytes + n + 4, 0xdeadbeef);
    }
    return n + payload_bytes;
}

/** The checksum, with the pseudo-header where there is one, without the code under test. */
static uint16_t plain_checksum(const struct hf_ip *ip, const uint8_t *bytes, size_t n)
{
    uint8_t whole[40 + MESSAGE_MAX] = {0};
    if (ip->version == 4)
        return (uint16_t)~plain_sum(bytes, n);
    memcpy(whole, ip->source.octets, 16);
    memcpy(whole + 16, ip->destination.octets, 16);
    hf_put32(whole + 32, (uint32_t)n);
    whole[39] = 58;
    memcpy(whole + 40, bytes, n);
    return (uint16_t)~plain_sum(whole, 40 + n);
}

static void fix_checksum(const struct hf_ip *ip, uint8_t *bytes, size_t n)
{
    if (n < 4)
        return;
    hf_put16(bytes + 2, 0);
    hf_put16(bytes + 2, plain_checksum(ip, bytes, n));
}

static size_t put_message(uint8_t *bytes, const struct hf_ip *ip, uint8_t type, uint8_t code,
                          uint32_t rest, size_t body_bytes)
{
    bytes[0] = type;
    bytes[1] = code;
    hf_put32(bytes + 4, rest);
    fix_checksum(ip, bytes, 8 + body_bytes);
    return 8 + body_bytes;
}

static enum hf_reason parse(const struct hf_ip *ip, const uint8_t *bytes, size_t n,
                            bool checksum_valid, struct hf_icmp *icmp)
{
    uint8_t *copy = exact_copy(bytes, n);
    enum hf_reason reason = hf_icmp_parse(ip, copy, n, checksum_valid, icmp);
    free(copy);
    return reason;
}

static void kinds_by_type(void **state)
{
    (void)state;
    for (unsigned version = 4; version <= 6; version += 2) {
        struct hf_ip ip = ip_of(version);
        for (unsigned type = 0; type < 256; type++) {
            uint8_t bytes[MESSAGE_MAX];
            size_t quote = put_quote(bytes + 8, version, HF_IP_PROTO_TCP, 20);
            size_t n = put_message(bytes, &ip, (uint8_t)type, 0, 0, quote);
            struct hf_icmp icmp;
            assert_int_equal(parse(&ip, bytes, n, false, &icmp), HF_NONE);
            enum hf_icmp_kind expected = HF_ICMP_OTHER;
            if (version == 4 && (type == 3 || type == 4 || type == 11 || type == 12))
                expected = HF_ICMP_ERROR;
            if (version == 6 && type >= 1 && type <= 4)
                expected = HF_ICMP_ERROR;
            if (type == (version == 4 ? 8 : 128))
                expected = HF_ICMP_ECHO_REQUEST;
            if (type == (version == 4 ? 0 : 129))
                expected = HF_ICMP_ECHO_REPLY;
            assert_int_equal(icmp.kind, expected);
            assert_int_equal(icmp.type, type);
            assert_int_equal(icmp.v6, version == 6);
            assert_int_equal(icmp.quoted_tcp, expected == HF_ICMP_ERROR);
        }
    }
}

static void errors_quote_tcp(void **state)
{
    (void)state;
    for (unsigned version = 4; version <= 6; version += 2) {
        struct hf_ip ip = ip_of(version);
        uint8_t bytes[MESSAGE_MAX];
        size_t quote = put_quote(bytes + 8, version, HF_IP_PROTO_TCP, 1000);
        quote -= 1000 - 8; /* cut to what RFC 792 asks for */
        size_t n = put_message(bytes, &ip, version == 4 ? 3 : 1, version == 4 ? 3 : 4, 0, quote);
        struct hf_icmp icmp;
        assert_int_equal(parse(&ip, bytes, n, false, &icmp), HF_NONE);
        assert_int_equal(icmp.kind, HF_ICMP_ERROR);
        assert_int_equal(icmp.code, version == 4 ? 3 : 4);
        assert_true(icmp.quoted_tcp);
        assert_int_equal(icmp.quoted_source_port, 1234);
        assert_int_equal(icmp.quoted_destination_port, 80);
        assert_int_equal(icmp.quoted_seq, 0xdeadbeef);
        assert_true(hf_addr_equal(&icmp.quoted.source, &ip.destination));
        assert_true(hf_addr_equal(&icmp.quoted.destination, &ip.source));
        assert_int_equal(icmp.quoted.payload_bytes, 1000);
        assert_int_equal(icmp.mtu_bytes, 0);

        /* One octet less: the sequence number is not whole, but it is still an error. */
        put_message(bytes, &ip, version == 4 ? 3 : 1, 0, 0, quote - 1);
        assert_int_equal(parse(&ip, bytes, n - 1, false, &icmp), HF_NONE);
        assert_int_equal(icmp.kind, HF_ICMP_ERROR);
        assert_false(icmp.quoted_tcp);
    }
}

/* Octets behind what the quoted packet says it has are not its ports. */
static void a_quoted_packet_may_be_too_short_for_ports(void **state)
{
    (void)state;
    for (unsigned version = 4; version <= 6; version += 2) {
        struct hf_ip ip = ip_of(version);
        uint8_t bytes[MESSAGE_MAX] = {0};
        size_t quote = put_quote(bytes + 8, version, HF_IP_PROTO_TCP, 7);
        size_t n = put_message(bytes, &ip, 3, 0, 0, quote + 20);
        struct hf_icmp icmp;
        assert_int_equal(parse(&ip, bytes, n, false, &icmp), HF_NONE);
        assert_false(icmp.quoted_tcp);
    }
}

static void quotes_that_are_not_tcp(void **state)
{
    (void)state;
    for (unsigned version = 4; version <= 6; version += 2) {
        struct hf_ip ip = ip_of(version);
        uint8_t bytes[MESSAGE_MAX];
        struct hf_icmp icmp;
        static const uint8_t protocols[] = {17, 59};
        for (size_t i = 0; i < sizeof protocols; i++) {
            size_t quote = put_quote(bytes + 8, version, protocols[i], 40);
            size_t n = put_message(bytes, &ip, 3, 1, 0, quote);
            assert_int_equal(parse(&ip, bytes, n, false, &icmp), HF_NONE);
            assert_int_equal(icmp.kind, HF_ICMP_ERROR);
            assert_false(icmp.quoted_tcp);
        }
    }
    /* A later fragment has no ports; a first one has. */
    struct hf_ip ip = ip_of(4);
    for (unsigned offset = 0; offset < 2; offset++) {
        uint8_t bytes[MESSAGE_MAX];
        struct hf_icmp icmp;
        size_t quote = put_quote(bytes + 8, 4, HF_IP_PROTO_TCP, 40);
        hf_put16(bytes + 8 + 6, (uint16_t)(0x2000 | offset));
        size_t n = put_message(bytes, &ip, 11, 1, 0, quote);
        assert_int_equal(parse(&ip, bytes, n, false, &icmp), HF_NONE);
        assert_int_equal(icmp.kind, HF_ICMP_ERROR);
        assert_int_equal(icmp.quoted_tcp, offset == 0);
    }
}

/* covers: MUST-54 */
static void quotes_that_are_malformed(void **state)
{
    (void)state;
    for (unsigned version = 4; version <= 6; version += 2) {
        struct hf_ip ip = ip_of(version);
        size_t header_bytes = version == 4 ? 20 : 40;
        uint8_t bytes[MESSAGE_MAX];
        struct hf_icmp icmp;
        put_quote(bytes + 8, version, HF_IP_PROTO_TCP, 20);
        for (size_t quote = 0; quote < header_bytes; quote++) {
            size_t n = put_message(bytes, &ip, 3, 0, 0, quote);
            assert_int_equal(parse(&ip, bytes, n, false, &icmp), HF_DROP_ICMP_MALFORMED);
        }
        /* A packet of the other family can't have been answered by this one. */
        size_t quote = put_quote(bytes + 8, 10 - version, HF_IP_PROTO_TCP, 20);
        size_t n = put_message(bytes, &ip, 3, 0, 0, quote);
        assert_int_equal(parse(&ip, bytes, n, false, &icmp), HF_DROP_ICMP_MALFORMED);
    }
}

/* covers: CO-1191-02 */
static void path_mtu(void **state)
{
    (void)state;
    static const struct {
        unsigned version;
        uint8_t type, code;
        uint32_t rest, mtu_bytes;
    } rows[] = {
        {4, 3, 4, 1400, 1400},
        {4, 3, 4, 0xabcd0578, 0x0578}, /* the upper half is unused [RFC1191#4] */
        {4, 3, 4, 0, 0},               /* a router from before RFC 1191 */
        {4, 3, 3, 1400, 0},
        {4, 11, 4, 1400, 0},
        {6, 2, 0, 1280, 1280},
        {6, 2, 0, 100000, 100000},
        {6, 2, 7, 1300, 1300}, /* [RFC4443#3.2] the code is ignored */
        {6, 1, 4, 1280, 0},
        {6, 3, 4, 1280, 0},
    };
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++) {
        struct hf_ip ip = ip_of(rows[i].version);
        uint8_t bytes[MESSAGE_MAX];
        struct hf_icmp icmp;
        size_t quote = put_quote(bytes + 8, rows[i].version, HF_IP_PROTO_TCP, 20);
        size_t n = put_message(bytes, &ip, rows[i].type, rows[i].code, rows[i].rest, quote);
        assert_int_equal(parse(&ip, bytes, n, false, &icmp), HF_NONE);
        assert_int_equal(icmp.mtu_bytes, rows[i].mtu_bytes);
        assert_int_equal(icmp.rest, rows[i].rest);
    }
}

static void checksums_are_verified(void **state)
{
    (void)state;
    for (unsigned version = 4; version <= 6; version += 2) {
        struct hf_ip ip = ip_of(version);
        uint8_t bytes[MESSAGE_MAX];
        struct hf_icmp icmp;
        memset(bytes, 0x42, sizeof bytes);
        size_t n = put_message(bytes, &ip, version == 4 ? 8 : 128, 0, 0x00010002, 33);
        assert_int_equal(parse(&ip, bytes, n, false, &icmp), HF_NONE);
        for (size_t bit = 0; bit < 8 * n; bit++) {
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_equal(parse(&ip, bytes, n, false, &icmp), HF_DROP_ICMP_MALFORMED);
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        bytes[2] ^= 1;
        assert_int_equal(parse(&ip, bytes, n, true, &icmp), HF_NONE);
        bytes[2] ^= 1;
        /* The addresses are part of ICMPv6's checksum and not of ICMP's. */
        ip.source.octets[15] ^= 1;
        assert_int_equal(parse(&ip, bytes, n, false, &icmp),
                         version == 4 ? HF_NONE : HF_DROP_ICMP_MALFORMED);
    }
}

static void truncated(void **state)
{
    (void)state;
    struct hf_ip ip = ip_of(4);
    uint8_t bytes[8] = {0};
    struct hf_icmp icmp;
    for (size_t n = 0; n < 8; n++) {
        fix_checksum(&ip, bytes, n);
        assert_int_equal(parse(&ip, bytes, n, false, &icmp), HF_DROP_ICMP_MALFORMED);
        assert_int_equal(parse(&ip, bytes, n, true, &icmp), HF_DROP_ICMP_MALFORMED);
    }
}

/* A ping as a common system sends it, with the checksum it puts there. */
static void a_known_echo_request(void **state)
{
    (void)state;
    uint8_t bytes[41] = "\x08\x00\x4d\x5a\x00\x01\x00\x01"
                        "abcdefghijklmnopqrstuvwabcdefghi";
    struct hf_ip ip = ip_of(4);
    struct hf_icmp icmp;
    assert_int_equal(hf_icmp_parse(&ip, bytes, 40, false, &icmp), HF_NONE);
    assert_int_equal(icmp.kind, HF_ICMP_ECHO_REQUEST);
    assert_int_equal(icmp.rest, 0x00010001);
    assert_ptr_equal(icmp.echo, bytes + 8);
    assert_int_equal(icmp.echo_bytes, 32);
    uint8_t reply[HF_ICMP_HEADER_BYTES];
    hf_icmp_emit_echo_reply(&ip, &icmp, reply);
    assert_memory_equal(reply, "\x00\x00\x55\x5a\x00\x01\x00\x01", 8);
}

static void echo_replies_parse_again(void **state)
{
    (void)state;
    struct random_source r = random_begin("echo_replies_parse_again");
    for (int round = 0; round < 20000; round++) {
        unsigned version = random_bool(&r) ? 4 : 6;
        struct hf_ip ip = ip_of(version);
        uint8_t bytes[MESSAGE_MAX];
        size_t body_bytes = random_below(&r, 300);
        random_bytes(&r, bytes + 8, body_bytes);
        size_t n = put_message(bytes, &ip, version == 4 ? 8 : 128, 0, random_u32(&r), body_bytes);
        struct hf_icmp request, reply;
        assert_int_equal(hf_icmp_parse(&ip, bytes, n, false, &request), HF_NONE);

        struct hf_ip reply_ip = ip;
        reply_ip.source = ip.destination;
        reply_ip.destination = ip.source;
        uint8_t out[MESSAGE_MAX];
        memset(out, 0xee, sizeof out);
        hf_icmp_emit_echo_reply(&reply_ip, &request, out);
        assert_int_equal(out[8], 0xee);
        memcpy(out + 8, request.echo, request.echo_bytes);
        assert_int_equal(parse(&reply_ip, out, n, false, &reply), HF_NONE);
        assert_int_equal(reply.kind, HF_ICMP_ECHO_REPLY);
        assert_int_equal(reply.rest, request.rest);
        assert_int_equal(reply.echo_bytes, body_bytes);
    }
}

static void errors_parse_again(void **state)
{
    (void)state;
    struct random_source r = random_begin("errors_parse_again");
    for (int round = 0; round < 20000; round++) {
        unsigned version = random_bool(&r) ? 4 : 6;
        struct hf_ip ip = ip_of(version);
        uint8_t quote[MESSAGE_MAX], out[8 + MESSAGE_MAX];
        uint32_t payload_bytes = 8 + random_below(&r, 1000);
        size_t quote_bytes = put_quote(quote, version, HF_IP_PROTO_TCP, payload_bytes);
        quote_bytes -= random_below(&r, payload_bytes - 7);
        uint8_t type = version == 4 ? 3 : 2, code = (uint8_t)random_below(&r, 16);
        uint32_t rest = random_u32(&r);
        memset(out, 0xee, sizeof out);
        size_t n = hf_icmp_emit_error(&ip, type, code, rest, quote, quote_bytes, out);
        assert_int_equal(n, 8 + quote_bytes);
        assert_int_equal(out[n], 0xee);
        assert_memory_equal(out + 8, quote, quote_bytes);
        struct hf_icmp icmp;
        assert_int_equal(parse(&ip, out, n, false, &icmp), HF_NONE);
        assert_int_equal(icmp.kind, HF_ICMP_ERROR);
        assert_int_equal(icmp.type, type);
        assert_int_equal(icmp.code, code);
        assert_int_equal(icmp.rest, rest);
        assert_true(icmp.quoted_tcp);
        assert_int_equal(icmp.quoted_seq, 0xdeadbeef);
        assert_int_equal(icmp.quoted.payload_bytes, payload_bytes);
    }
}

static void check_bounds(const struct hf_icmp *icmp, const uint8_t *bytes, size_t n)
{
    switch (icmp->kind) {
    case HF_ICMP_ECHO_REQUEST:
    case HF_ICMP_ECHO_REPLY:
        assert_ptr_equal(icmp->echo, bytes + 8);
        assert_int_equal(icmp->echo_bytes, n - 8);
        return;
    case HF_ICMP_ERROR:
        assert_int_equal(icmp->quoted.version, icmp->v6 ? 6 : 4);
        if (!icmp->quoted_tcp)
            return;
        assert_int_equal(icmp->quoted.protocol, HF_IP_PROTO_TCP);
        assert_true(8 + (size_t)icmp->quoted.header_bytes + 8 <= n);
        assert_int_equal(icmp->quoted_seq, hf_get32(bytes + 8 + icmp->quoted.header_bytes + 4));
        return;
    case HF_ICMP_OTHER: assert_null(icmp->echo); return;
    }
    fail();
}

static void any_bytes_give_a_struct_or_a_reason(void **state)
{
    (void)state;
    struct random_source r = random_begin("any_bytes_give_a_struct_or_a_reason");
    static const uint8_t types[] = {0, 1, 2, 3, 3, 3, 4, 5, 8, 11, 12, 128, 129, 135};
    struct hf_ip headers[2] = {ip_of(4), ip_of(6)};
    int taken = 0;
    for (int round = 0; round < ROUNDS; round++) {
        unsigned version = random_bool(&r) ? 4 : 6;
        const struct hf_ip *ip = &headers[version == 6];
        uint8_t bytes[200];
        size_t n = random_below(&r, 100);
        random_bytes(&r, bytes, n);
        if (random_below(&r, 4) != 0)
            n = 8 + put_quote(bytes + 8, version, HF_IP_PROTO_TCP, random_below(&r, 40));
        if (n >= 8)
            bytes[0] = types[random_below(&r, HF_COUNT_OF(types))];
        random_mutate(&r, bytes, n);
        if (random_bool(&r))
            n = random_below(&r, (uint32_t)n + 1);
        bool checksum_valid = random_below(&r, 4) == 0;
        if (!checksum_valid && random_below(&r, 8) != 0)
            fix_checksum(ip, bytes, n);
        struct hf_icmp icmp;
        uint8_t *copy = exact_copy(bytes, n);
        enum hf_reason reason = hf_icmp_parse(ip, copy, n, checksum_valid, &icmp);
        assert_true(reason == HF_NONE || reason == HF_DROP_ICMP_MALFORMED);
        if (reason == HF_NONE)
            check_bounds(&icmp, copy, n);
        taken += reason == HF_NONE;
        free(copy);
    }
    assert_true(taken > ROUNDS / 10);
    assert_true(taken < ROUNDS / 10 * 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_by_type),
        cmocka_unit_test(errors_quote_tcp),
        cmocka_unit_test(a_quoted_packet_may_be_too_short_for_ports),
        cmocka_unit_test(quotes_that_are_not_tcp),
        cmocka_unit_test(quotes_that_are_malformed),
        cmocka_unit_test(path_mtu),
        cmocka_unit_test(checksums_are_verified),
        cmocka_unit_test(truncated),
        cmocka_unit_test(a_known_echo_request),
        cmocka_unit_test(echo_replies_parse_again),
        cmocka_unit_test(errors_parse_again),
        cmocka_unit_test(any_bytes_give_a_struct_or_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
