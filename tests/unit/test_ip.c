/**
 * IPv4 and IPv6 headers: what is taken, what is refused and why, and no byte read past the end.
 */
#include "wire_random.h"

#include <arpa/inet.h>

#include "core/wire/ip.h"

enum { PACKET_MAX = 2048, ROUNDS = 1000000 };

/** A packet under construction. */
struct packet {
    uint8_t bytes[PACKET_MAX];
    size_t n;
};

static struct hf_addr v6(const char *text)
{
    struct hf_addr a;
    assert_int_equal(inet_pton(AF_INET6, text, a.octets), 1);
    return a;
}

static void fix_v4_checksum(struct packet *p)
{
    size_t header_bytes = (size_t)(p->bytes[0] & 15) * 4;
    if (header_bytes > p->n || header_bytes < 12)
        return;
    hf_put16(p->bytes + 10, 0);
    hf_put16(p->bytes + 10, (uint16_t)~plain_sum(p->bytes, header_bytes));
}

/** 192.0.2.1 > 198.51.100.2, TCP, with options of option_words and a payload of 0, 1, 2... */
static struct packet v4_packet(size_t option_words, size_t payload_bytes)
{
    struct packet p = {.n = 20 + 4 * option_words + payload_bytes};
    p.bytes[0] = (uint8_t)(0x45 + option_words);
    p.bytes[1] = 0xb9; /* EF, ECT(1) */
    hf_put16(p.bytes + 2, (uint16_t)p.n);
    hf_put16(p.bytes + 4, 0x1234);
    hf_put16(p.bytes + 6, 0x4000);
    p.bytes[8] = 57;
    p.bytes[9] = HF_IP_PROTO_TCP;
    memcpy(p.bytes + 12, (uint8_t[]){192, 0, 2, 1, 198, 51, 100, 2}, 8);
    memset(p.bytes + 20, 1, 4 * option_words);
    for (size_t i = 0; i < payload_bytes; i++)
        p.bytes[20 + 4 * option_words + i] = (uint8_t)i;
    fix_v4_checksum(&p);
    return p;
}

/** 2001:db8::1 > 2001:db8::2 with the given next header and nothing behind. */
static struct packet v6_packet(uint8_t next)
{
    struct packet p = {.n = 40};
    struct hf_addr source = v6("2001:db8::1"), destination = v6("2001:db8::2");
    hf_put32(p.bytes, 0x6b912345); /* traffic class b9, some flow label */
    p.bytes[6] = next;
    p.bytes[7] = 63;
    memcpy(p.bytes + 8, source.octets, 16);
    memcpy(p.bytes + 24, destination.octets, 16);
    return p;
}

static void append(struct packet *p, const uint8_t *bytes, size_t n)
{
    memcpy(p->bytes + p->n, bytes, n);
    p->n += n;
    hf_put16(p->bytes + 4, (uint16_t)(p->n - 40));
}

/** An extension header of 8 * (units + 1) bytes whose body is PadN. */
static void append_extension(struct packet *p, uint8_t next, uint8_t units)
{
    uint8_t header[8 * 256] = {next, units, 1, (uint8_t)(8 * units + 4)};
    HF_ASSERT(units < 31);
    append(p, header, 8 * ((size_t)units + 1));
}

static void append_payload(struct packet *p, size_t n)
{
    static const uint8_t zeroes[PACKET_MAX];
    append(p, zeroes, n);
}

static enum hf_reason parse(const struct packet *p, struct hf_ip *ip)
{
    uint8_t *copy = exact_copy(p->bytes, p->n);
    enum hf_reason reason = hf_ip_parse(copy, p->n, ip);
    free(copy);
    return reason;
}

static enum hf_reason parse_quoted(const struct packet *p, struct hf_ip *ip)
{
    uint8_t *copy = exact_copy(p->bytes, p->n);
    enum hf_reason reason = hf_ip_parse_quoted(copy, p->n, ip);
    free(copy);
    return reason;
}

static void expect(const struct packet *p, enum hf_reason expected)
{
    struct hf_ip ip;
    assert_int_equal(parse(p, &ip), expected);
}

static void v4_fields(void **state)
{
    (void)state;
    struct packet p = v4_packet(0, 100);
    struct hf_ip ip;
    assert_int_equal(parse(&p, &ip), HF_NONE);
    struct hf_addr source = hf_addr_v4(192, 0, 2, 1), destination = hf_addr_v4(198, 51, 100, 2);
    assert_true(hf_addr_equal(&ip.source, &source));
    assert_true(hf_addr_equal(&ip.destination, &destination));
    assert_int_equal(ip.version, 4);
    assert_int_equal(ip.protocol, HF_IP_PROTO_TCP);
    assert_int_equal(ip.ttl, 57);
    assert_int_equal(ip.traffic_class, 0xb9);
    assert_true(ip.dont_fragment);
    assert_int_equal(ip.id, 0x1234);
    assert_int_equal(ip.header_bytes, 20);
    assert_int_equal(ip.payload_bytes, 100);
}

static void v4_options_are_skipped(void **state)
{
    (void)state;
    for (size_t words = 0; words <= 10; words++) {
        struct packet p = v4_packet(words, 8);
        struct hf_ip ip;
        assert_int_equal(parse(&p, &ip), HF_NONE);
        assert_int_equal(ip.header_bytes, 20 + 4 * words);
        assert_int_equal(ip.payload_bytes, 8);
    }
}

static void v4_padding_is_not_payload(void **state)
{
    (void)state;
    struct packet p = v4_packet(0, 6);
    p.n = 46; /* as a short Ethernet frame would leave it */
    struct hf_ip ip;
    assert_int_equal(parse(&p, &ip), HF_NONE);
    assert_int_equal(ip.payload_bytes, 6);
}

static void v4_refusals(void **state)
{
    (void)state;
    struct packet p = v4_packet(3, 20);
    size_t whole = p.n;
    for (p.n = 0; p.n < whole; p.n++)
        expect(&p, HF_DROP_IP_TRUNCATED);
    p.n = whole;
    expect(&p, HF_NONE);
    p.bytes[0] = 0x44; /* a header of 16 bytes */
    fix_v4_checksum(&p);
    expect(&p, HF_DROP_IP_HEADER);

    p = v4_packet(3, 20);
    hf_put16(p.bytes + 2, 31); /* total length inside the header */
    fix_v4_checksum(&p);
    expect(&p, HF_DROP_IP_HEADER);
    hf_put16(p.bytes + 2, 32); /* header alone: fine */
    fix_v4_checksum(&p);
    expect(&p, HF_NONE);

    for (unsigned version = 0; version < 16; version++) {
        if (version == 4 || version == 6)
            continue;
        p = v4_packet(0, 20);
        p.bytes[0] = (uint8_t)(version << 4 | 5);
        expect(&p, HF_DROP_IP_VERSION);
    }
}

/* Every single bit of the header is under its checksum (those that say how long it is aside). */
static void v4_checksum_covers_the_header(void **state)
{
    (void)state;
    for (size_t at = 4; at < 32; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            struct packet p = v4_packet(3, 20);
            p.bytes[at] ^= (uint8_t)(1u << bit);
            expect(&p, HF_DROP_IP_CHECKSUM);
        }
    }
    struct packet p = v4_packet(3, 20);
    p.bytes[32] ^= 1; /* payload */
    expect(&p, HF_NONE);
}

static void v4_fragments_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint16_t field;
        enum hf_reason whole, quoted;
    } rows[] = {
        {0x0000, HF_NONE, HF_NONE},
        {0x4000, HF_NONE, HF_NONE},
        {0x8000, HF_NONE, HF_NONE}, /* the reserved bit means nothing */
        {0x2000, HF_DROP_IP_FRAGMENT, HF_NONE},
        {0x0001, HF_DROP_IP_FRAGMENT, HF_DROP_IP_FRAGMENT},
        {0x1000, HF_DROP_IP_FRAGMENT, HF_DROP_IP_FRAGMENT},
        {0x1fff, HF_DROP_IP_FRAGMENT, HF_DROP_IP_FRAGMENT},
        {0x2010, HF_DROP_IP_FRAGMENT, HF_DROP_IP_FRAGMENT},
    };
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++) {
        struct packet p = v4_packet(0, 64);
        struct hf_ip ip;
        hf_put16(p.bytes + 6, rows[i].field);
        fix_v4_checksum(&p);
        assert_int_equal(parse(&p, &ip), rows[i].whole);
        assert_int_equal(ip.dont_fragment, rows[i].field == 0x4000);
        assert_int_equal(parse_quoted(&p, &ip), rows[i].quoted);
    }
}

static void v4_quotes_may_be_cut(void **state)
{
    (void)state;
    struct packet p = v4_packet(2, 1000);
    struct hf_ip ip;
    p.bytes[10] ^= 0x55; /* routers change the header and leave the checksum */
    p.n = 28;
    assert_int_equal(parse_quoted(&p, &ip), HF_NONE);
    assert_int_equal(ip.header_bytes, 28);
    assert_int_equal(ip.payload_bytes, 1000);
    p.n = 27;
    assert_int_equal(parse_quoted(&p, &ip), HF_DROP_IP_TRUNCATED);
}

static void v6_fields(void **state)
{
    (void)state;
    struct packet p = v6_packet(HF_IP_PROTO_TCP);
    append_payload(&p, 321);
    struct hf_ip ip;
    assert_int_equal(parse(&p, &ip), HF_NONE);
    struct hf_addr source = v6("2001:db8::1"), destination = v6("2001:db8::2");
    assert_true(hf_addr_equal(&ip.source, &source));
    assert_true(hf_addr_equal(&ip.destination, &destination));
    assert_int_equal(ip.version, 6);
    assert_int_equal(ip.protocol, HF_IP_PROTO_TCP);
    assert_int_equal(ip.ttl, 63);
    assert_int_equal(ip.traffic_class, 0xb9);
    assert_int_equal(ip.header_bytes, 40);
    assert_int_equal(ip.payload_bytes, 321);

    p.n += 5; /* link padding */
    assert_int_equal(parse(&p, &ip), HF_NONE);
    assert_int_equal(ip.payload_bytes, 321);
    for (p.n = 1; p.n < 361; p.n++)
        expect(&p, HF_DROP_IP_TRUNCATED);
}

static void v6_mapped_addresses_are_refused(void **state)
{
    (void)state;
    struct hf_addr mapped = hf_addr_v4(192, 0, 2, 1);
    for (size_t at = 8; at <= 24; at += 16) {
        struct packet p = v6_packet(HF_IP_PROTO_TCP);
        append_payload(&p, 20);
        memcpy(p.bytes + at, mapped.octets, 16);
        expect(&p, HF_DROP_IP_ADDRESS);
    }
}

static void v6_extensions_are_skipped(void **state)
{
    (void)state;
    struct hf_ip ip;
    struct packet p = v6_packet(0);
    append_extension(&p, 60, 0);                                /* hop-by-hop, 8 */
    append_extension(&p, 43, 2);                                /* destination, 24 */
    append(&p, (uint8_t[]){44, 0, 0, 0, 0, 0, 0, 0}, 8);        /* routing, no segments left */
    append(&p, (uint8_t[]){51, 0, 0, 0, 1, 2, 3, 4}, 8);        /* atomic fragment */
    append(&p, (uint8_t[]){60, 4, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, /* AH, 24 */
                           9,  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0},
           24);
    append_extension(&p, HF_IP_PROTO_TCP, 1); /* destination, 16 */
    append_payload(&p, 33);
    assert_int_equal(parse(&p, &ip), HF_NONE);
    assert_int_equal(ip.protocol, HF_IP_PROTO_TCP);
    assert_int_equal(ip.header_bytes, 40 + 8 + 24 + 8 + 8 + 24 + 16);
    assert_int_equal(ip.payload_bytes, 33);

    /* Cut anywhere, with the IP length agreeing: the chain is malformed up to its end. */
    size_t chain_end = ip.header_bytes;
    for (p.n = 40; p.n < chain_end; p.n++) {
        hf_put16(p.bytes + 4, (uint16_t)(p.n - 40));
        expect(&p, HF_DROP_IP_EXTENSION);
    }
}

static void v6_at_most_eight_extensions(void **state)
{
    (void)state;
    for (int count = 1; count <= 10; count++) {
        struct packet p = v6_packet(60);
        for (int i = 1; i < count; i++)
            append_extension(&p, 60, 0);
        append_extension(&p, HF_IP_PROTO_TCP, 0);
        append_payload(&p, 20);
        expect(&p, count <= HF_IPV6_EXTENSIONS_MAX ? HF_NONE : HF_DROP_IP_EXTENSION);
    }
}

static void v6_hop_by_hop_stands_first(void **state)
{
    (void)state;
    struct packet p = v6_packet(60);
    append_extension(&p, 0, 0);
    append_extension(&p, HF_IP_PROTO_TCP, 0);
    append_payload(&p, 20);
    expect(&p, HF_DROP_IP_EXTENSION);
}

static void v6_routing_with_segments_left(void **state)
{
    (void)state;
    struct hf_ip ip;
    struct packet p = v6_packet(43);
    append(&p, (uint8_t[]){6, 0, 4, 1, 0, 0, 0, 0}, 8);
    append_payload(&p, 20);
    assert_int_equal(parse(&p, &ip), HF_DROP_IP_EXTENSION);
    assert_int_equal(parse_quoted(&p, &ip), HF_NONE);
    assert_int_equal(ip.header_bytes, 48);
}

/* [RFC8200#4.2] the first two bits of an unknown option say whether the packet is kept. */
static void v6_unknown_options(void **state)
{
    (void)state;
    for (unsigned type = 2; type < 256; type++) {
        struct packet p = v6_packet(60);
        append(&p, (uint8_t[]){6, 0, (uint8_t)type, 2, 0, 0, 0, 0}, 8);
        append_payload(&p, 20);
        expect(&p, type < 64 ? HF_NONE : HF_DROP_IP_EXTENSION);
    }
    struct packet p = v6_packet(60);
    append(&p, (uint8_t[]){6, 0, 1, 5, 0, 0, 0, 0}, 8); /* PadN that leads out of its header */
    append_payload(&p, 20);
    expect(&p, HF_DROP_IP_EXTENSION);
    p = v6_packet(60);
    append(&p, (uint8_t[]){6, 0, 1, 3, 0, 0, 0, 1}, 8); /* one without room for its length */
    append_payload(&p, 20);
    expect(&p, HF_DROP_IP_EXTENSION);
    p = v6_packet(51); /* in an authentication header, whatever its bytes, there are none */
    append(&p,
           (uint8_t[]){6, 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                       0xff, 0xff},
           16);
    append_payload(&p, 20);
    expect(&p, HF_NONE);
}

static void v6_fragments_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint16_t field;
        enum hf_reason whole, quoted;
    } rows[] = {
        {0x0000, HF_NONE, HF_NONE}, /* atomic [RFC6946] */
        {0x0006, HF_NONE, HF_NONE}, /* reserved bits */
        {0x0001, HF_DROP_IP_FRAGMENT, HF_NONE},
        {0x0008, HF_DROP_IP_FRAGMENT, HF_DROP_IP_FRAGMENT},
        {0x8000, HF_DROP_IP_FRAGMENT, HF_DROP_IP_FRAGMENT},
        {0xfff9, HF_DROP_IP_FRAGMENT, HF_DROP_IP_FRAGMENT},
    };
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++) {
        struct packet p = v6_packet(44);
        struct hf_ip ip;
        append(&p,
               (uint8_t[]){6, 0, (uint8_t)(rows[i].field >> 8), (uint8_t)rows[i].field, 0, 0, 0, 1},
               8);
        append_payload(&p, 24);
        assert_int_equal(parse(&p, &ip), rows[i].whole);
        assert_int_equal(parse_quoted(&p, &ip), rows[i].quoted);
    }
}

static void v6_what_is_no_transport(void **state)
{
    (void)state;
    static const uint8_t none[] = {50, 59, 135, 139, 140};
    for (size_t i = 0; i < sizeof none; i++) {
        struct packet p = v6_packet(60);
        append_extension(&p, none[i], 0);
        append_payload(&p, 20);
        expect(&p, HF_DROP_IP_PROTOCOL);
    }
    /* A jumbogram [RFC2675]: a length of 0 and the size in an option. */
    struct packet p = v6_packet(0);
    append(&p, (uint8_t[]){6, 0, 0xc2, 4, 0, 1, 0, 0}, 8);
    hf_put16(p.bytes + 4, 0);
    expect(&p, HF_DROP_IP_EXTENSION);
}

static void v6_quotes_may_be_cut(void **state)
{
    (void)state;
    struct hf_ip ip;
    struct packet p = v6_packet(60);
    append_extension(&p, HF_IP_PROTO_TCP, 0);
    append_payload(&p, 1000);
    p.n = 48;
    assert_int_equal(parse_quoted(&p, &ip), HF_NONE);
    assert_int_equal(ip.header_bytes, 48);
    assert_int_equal(ip.payload_bytes, 1000);
    p.n = 47;
    assert_int_equal(parse_quoted(&p, &ip), HF_DROP_IP_EXTENSION);
}

static void known_header_is_emitted(void **state)
{
    (void)state;
    static const uint8_t expected[] = {0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
                                       0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7};
    struct hf_ip ip = {.source = hf_addr_v4(192, 168, 0, 1),
                       .destination = hf_addr_v4(192, 168, 0, 199),
                       .version = 4,
                       .protocol = 17,
                       .ttl = 64,
                       .dont_fragment = true,
                       .payload_bytes = 95};
    uint8_t bytes[HF_IP_EMIT_MAX_BYTES];
    assert_int_equal(hf_ip_emit(&ip, bytes), 20);
    assert_memory_equal(bytes, expected, 20);
}

static void check_equal(const struct hf_ip *a, const struct hf_ip *b)
{
    assert_true(hf_addr_equal(&a->source, &b->source));
    assert_true(hf_addr_equal(&a->destination, &b->destination));
    assert_int_equal(a->version, b->version);
    assert_int_equal(a->protocol, b->protocol);
    assert_int_equal(a->ttl, b->ttl);
    assert_int_equal(a->traffic_class, b->traffic_class);
    assert_int_equal(a->dont_fragment, b->dont_fragment);
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->payload_bytes, b->payload_bytes);
}

static struct hf_ip random_ip(struct random_source *r)
{
    struct hf_ip ip = {.version = random_bool(r) ? 4 : 6,
                       .protocol = random_bool(r) ? HF_IP_PROTO_TCP : HF_IP_PROTO_ICMP,
                       .ttl = random_u8(r),
                       .traffic_class = random_u8(r)};
    if (ip.version == 4) {
        ip.source = hf_addr_v4(random_u8(r), random_u8(r), random_u8(r), random_u8(r));
        ip.destination = hf_addr_v4(random_u8(r), random_u8(r), random_u8(r), random_u8(r));
        ip.dont_fragment = random_bool(r);
        ip.id = random_u16(r);
        ip.payload_bytes = random_below(r, 65535 - 20 + 1);
    } else {
        random_bytes(r, ip.source.octets, 16);
        random_bytes(r, ip.destination.octets, 16);
        ip.source.octets[0] = ip.destination.octets[0] = 0x20;
        ip.payload_bytes = random_below(r, 65536);
    }
    return ip;
}

static void parse_of_emit_is_identity(void **state)
{
    (void)state;
    struct random_source r = random_begin("parse_of_emit_is_identity");
    static uint8_t bytes[40 + 65535];
    for (int round = 0; round < 200000; round++) {
        struct hf_ip ip = random_ip(&r), back;
        memset(bytes, 0xee, HF_IP_EMIT_MAX_BYTES + 4);
        size_t n = hf_ip_emit(&ip, bytes);
        assert_int_equal(n, ip.version == 4 ? 20 : 40);
        assert_int_equal(bytes[n], 0xee);
        assert_int_equal(hf_ip_parse(bytes, n + ip.payload_bytes, &back), HF_NONE);
        check_equal(&ip, &back);
        assert_int_equal(back.header_bytes, n);
        uint8_t *quote = exact_copy(bytes, n);
        assert_int_equal(hf_ip_parse_quoted(quote, n, &back), HF_NONE);
        free(quote);
        check_equal(&ip, &back);
    }
}

/** A valid packet of random shape, as a start for mutations. */
static struct packet random_packet(struct random_source *r)
{
    if (random_bool(r))
        return v4_packet(random_below(r, 11), random_below(r, 60));
    static const uint8_t kinds[] = {0, 43, 44, 51, 60, 60, 6, 58, 59};
    struct packet p = v6_packet(kinds[random_below(r, HF_COUNT_OF(kinds))]);
    for (uint32_t i = random_below(r, 10); i > 0; i--) {
        uint8_t next = kinds[random_below(r, HF_COUNT_OF(kinds))];
        if (random_bool(r))
            append_extension(&p, next, (uint8_t)random_below(r, 4));
        else
            append(&p, (uint8_t[]){next, 0, 0, 0, 0, 0, 0, 0}, 8);
    }
    append_payload(&p, random_below(r, 60));
    return p;
}

static void check_bounds(const struct packet *p, enum hf_reason reason, const struct hf_ip *ip,
                         bool quoted)
{
    assert_true(reason == HF_NONE ||
                (reason >= HF_DROP_IP_TRUNCATED && reason <= HF_DROP_IP_ADDRESS));
    if (reason != HF_NONE)
        return;
    assert_true(ip->version == 4 || ip->version == 6);
    assert_true(ip->header_bytes >= (ip->version == 4 ? 20 : 40));
    assert_true(ip->header_bytes <= p->n);
    if (!quoted)
        assert_true(ip->header_bytes + ip->payload_bytes <= p->n);
    if (!quoted && ip->version == 4)
        assert_int_equal(plain_sum(p->bytes, ip->header_bytes), 0xffff);
    if (ip->version == 6) {
        assert_false(hf_addr_is_v4(&ip->source) || hf_addr_is_v4(&ip->destination));
        static const uint8_t extensions[] = {0, 43, 44, 50, 51, 59, 60, 135, 139, 140};
        assert_null(memchr(extensions, ip->protocol, sizeof extensions));
    }
    struct hf_ip back;
    uint8_t bytes[HF_IP_EMIT_MAX_BYTES];
    size_t n = hf_ip_emit(ip, bytes);
    assert_int_equal(hf_ip_parse_quoted(bytes, n, &back), HF_NONE);
    check_equal(ip, &back);
}

/** What is asked first of every packet says the same, of those that it knows. */
static void check_plain(const uint8_t *bytes, size_t n, enum hf_reason reason,
                        const struct hf_ip *ip)
{
    bool plain = reason == HF_NONE && ip->version == 4 && ip->header_bytes == 20 &&
                 ip->protocol == HF_IP_PROTO_TCP;
    assert_int_equal(hf_ip_is_plain_tcp(bytes, n), plain);
    if (!plain)
        return;
    struct hf_addr source = hf_ip_plain_source(bytes);
    struct hf_addr destination = hf_ip_plain_destination(bytes);
    assert_true(hf_addr_equal(&source, &ip->source));
    assert_true(hf_addr_equal(&destination, &ip->destination));
    assert_int_equal(hf_ip_plain_payload_bytes(bytes), ip->payload_bytes);
}

static void a_plain_header_has_room_for_itself(void **state)
{
    (void)state;
    for (uint16_t total = 0; total < 60; total++) {
        struct packet p = v4_packet(0, 20);
        struct hf_ip ip;
        hf_put16(p.bytes + 2, total);
        fix_v4_checksum(&p);
        check_plain(p.bytes, p.n, hf_ip_parse(p.bytes, p.n, &ip), &ip);
        assert_int_equal(hf_ip_is_plain_tcp(p.bytes, p.n), total >= 20 && total <= 40);
    }
}

static void any_bytes_give_a_struct_or_a_reason(void **state)
{
    (void)state;
    struct random_source r = random_begin("any_bytes_give_a_struct_or_a_reason");
    int taken = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct packet p;
        if (random_below(&r, 4) == 0) {
            p.n = random_below(&r, 120);
            random_bytes(&r, p.bytes, p.n);
            if (p.n > 0 && random_bool(&r))
                p.bytes[0] = random_bool(&r) ? 0x45 : 0x60;
        } else {
            p = random_packet(&r);
            random_mutate(&r, p.bytes, p.n);
            if (random_below(&r, 4) == 0)
                p.n = random_below(&r, (uint32_t)p.n + 1);
        }
        if (p.n >= 20 && p.bytes[0] >> 4 == 4 && random_below(&r, 4) != 0)
            fix_v4_checksum(&p);
        struct hf_ip ip;
        uint8_t *copy = exact_copy(p.bytes, p.n);
        enum hf_reason reason = hf_ip_parse(copy, p.n, &ip);
        check_bounds(&p, reason, &ip, false);
        check_plain(copy, p.n, reason, &ip);
        taken += reason == HF_NONE;
        reason = hf_ip_parse_quoted(copy, p.n, &ip);
        check_bounds(&p, reason, &ip, true);
        free(copy);
    }
    assert_true(taken > ROUNDS / 10); /* or the mutations are too wild to reach anything */
    assert_true(taken < ROUNDS / 10 * 9);
}

/* The pseudo-header written out [RFC9293#3.1] [RFC8200#8.1]. */
static void pseudo_header_sums(void **state)
{
    (void)state;
    struct random_source r = random_begin("pseudo_header_sums");
    for (int round = 0; round < 20000; round++) {
        struct hf_ip ip = random_ip(&r);
        uint8_t header[40] = {0};
        size_t n;
        if (ip.version == 4) {
            memcpy(header, ip.source.octets + 12, 4);
            memcpy(header + 4, ip.destination.octets + 12, 4);
            header[9] = ip.protocol;
            hf_put16(header + 10, (uint16_t)ip.payload_bytes);
            n = 12;
        } else {
            memcpy(header, ip.source.octets, 16);
            memcpy(header + 16, ip.destination.octets, 16);
            hf_put32(header + 32, ip.payload_bytes);
            header[39] = ip.protocol;
            n = 40;
        }
        hf_sum sum = hf_ip_pseudo_sum(&ip.source, &ip.destination, ip.protocol, ip.payload_bytes);
        assert_int_equal(hf_sum_fold(sum), plain_sum(header, n));
    }
}

static void unicast_addresses(void **state)
{
    (void)state;
    static const struct {
        uint8_t v4[4];
        bool unicast;
    } rows[] = {
        {{0, 0, 0, 0}, false},        {{0, 1, 2, 3}, false},        {{1, 0, 0, 0}, true},
        {{10, 0, 0, 255}, true},      {{127, 0, 0, 1}, true},       {{192, 0, 2, 1}, true},
        {{223, 255, 255, 255}, true}, {{224, 0, 0, 1}, false},      {{239, 255, 255, 255}, false},
        {{240, 0, 0, 1}, true},       {{255, 255, 255, 254}, true}, {{255, 255, 255, 255}, false},
    };
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++) {
        const uint8_t *o = rows[i].v4;
        struct hf_addr a = hf_addr_v4(o[0], o[1], o[2], o[3]);
        assert_int_equal(hf_addr_is_unicast(&a), rows[i].unicast);
    }
    static const struct {
        const char *text;
        bool unicast;
    } rows6[] = {
        {"::", false},     {"::1", true},     {"2001:db8::1", true},
        {"fe80::1", true}, {"fd00::1", true}, {"ff02::1", false},
        {"ff00::", false}, {"feff::1", true}, {"::ffff:0:0:1", true}, /* not the mapped prefix */
    };
    for (size_t i = 0; i < HF_COUNT_OF(rows6); i++) {
        struct hf_addr a = v6(rows6[i].text);
        assert_int_equal(hf_addr_is_unicast(&a), rows6[i].unicast);
    }
}

static void unspecified_addresses(void **state)
{
    (void)state;
    struct hf_addr any = HF_ADDR_ANY, v4_any = hf_addr_v4(0, 0, 0, 0);
    assert_true(hf_addr_is_any(&any));
    assert_true(hf_addr_is_any(&v4_any));
    for (size_t i = 0; i < 16; i++) {
        struct hf_addr a = HF_ADDR_ANY;
        a.octets[i] = 1;
        assert_false(hf_addr_is_any(&a));
        a = v4_any;
        a.octets[i] ^= 1;
        assert_false(hf_addr_is_any(&a));
    }
}

static void prefixes(void **state)
{
    (void)state;
    struct random_source r = random_begin("prefixes");
    for (unsigned different = 0; different <= 128; different++) {
        struct hf_addr a = HF_ADDR_ANY, b;
        random_bytes(&r, a.octets, 16);
        b = a;
        /* The first different bit is `different`, what follows is arbitrary. */
        if (different < 128)
            b.octets[different / 8] ^= (uint8_t)(0x80u >> different % 8);
        for (unsigned bit = different + 1; bit < 128; bit++)
            if (random_bool(&r))
                b.octets[bit / 8] ^= (uint8_t)(0x80u >> bit % 8);
        for (unsigned bits = 0; bits <= 128; bits++)
            assert_int_equal(hf_addr_prefix_equal(&a, &b, bits), bits <= different);
    }
    struct hf_addr a = hf_addr_v4(10, 1, 2, 3), b = hf_addr_v4(10, 1, 2, 200);
    assert_true(hf_addr_prefix_equal(&a, &b, 96 + 24));
    assert_false(hf_addr_prefix_equal(&a, &b, 96 + 25));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v4_fields),
        cmocka_unit_test(v4_options_are_skipped),
        cmocka_unit_test(v4_padding_is_not_payload),
        cmocka_unit_test(v4_refusals),
        cmocka_unit_test(v4_checksum_covers_the_header),
        cmocka_unit_test(v4_fragments_are_refused),
        cmocka_unit_test(v4_quotes_may_be_cut),
        cmocka_unit_test(v6_fields),
        cmocka_unit_test(v6_mapped_addresses_are_refused),
        cmocka_unit_test(v6_extensions_are_skipped),
        cmocka_unit_test(v6_at_most_eight_extensions),
        cmocka_unit_test(v6_hop_by_hop_stands_first),
        cmocka_unit_test(v6_routing_with_segments_left),
        cmocka_unit_test(v6_unknown_options),
        cmocka_unit_test(v6_fragments_are_refused),
        cmocka_unit_test(v6_what_is_no_transport),
        cmocka_unit_test(v6_quotes_may_be_cut),
        cmocka_unit_test(known_header_is_emitted),
        cmocka_unit_test(parse_of_emit_is_identity),
        cmocka_unit_test(a_plain_header_has_room_for_itself),
        cmocka_unit_test(any_bytes_give_a_struct_or_a_reason),
        cmocka_unit_test(pseudo_header_sums),
        cmocka_unit_test(unicast_addresses),
        cmocka_unit_test(unspecified_addresses),
        cmocka_unit_test(prefixes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
