/**
 * The TCP header and its options: what is read, what is refused, and the exact octets written.
 */
#include "wire_random.h"

#include "core/wire/tcp.h"

enum { ROUNDS = 1000000, OPTIONS_MAX = 40 };

static const enum hf_option_layout LAYOUTS[] = {HF_LAYOUT_OWN, HF_LAYOUT_LINUX, HF_LAYOUT_FREEBSD};

/** A header with the options given, which are a multiple of 4 octets. */
static size_t put_header(uint8_t bytes[HF_TCP_HEADER_MAX_BYTES], const uint8_t *options, size_t n)
{
    static const uint8_t fixed[HF_TCP_HEADER_BYTES] = {0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde,
                                                       0xf0, 0x0f, 0xed, 0xcb, 0xa9, 0x50, 0x10,
                                                       0x87, 0x65, 0x43, 0x21, 0x0a, 0x0b};
    assert_true(n % 4 == 0 && n <= OPTIONS_MAX);
    memcpy(bytes, fixed, sizeof fixed);
    bytes[12] = (uint8_t)((20 + n) / 4 << 4);
    if (n != 0)
        memcpy(bytes + 20, options, n);
    return 20 + n;
}

static enum hf_reason parse_with_options(const uint8_t *options, size_t n, struct hf_segment *seg)
{
    uint8_t bytes[HF_TCP_HEADER_MAX_BYTES];
    size_t total = put_header(bytes, options, n);
    uint8_t *copy = exact_copy(bytes, total);
    enum hf_reason reason = hf_tcp_parse(copy, total, seg);
    free(copy);
    return reason;
}

static void fixed_fields(void **state)
{
    (void)state;
    uint8_t bytes[HF_TCP_HEADER_MAX_BYTES + 40];
    struct hf_segment seg;
    put_header(bytes, NULL, 0);
    assert_int_equal(hf_tcp_parse(bytes, 20 + 33, &seg), HF_NONE);
    assert_int_equal(seg.source_port, 0x1234);
    assert_int_equal(seg.destination_port, 0x5678);
    assert_int_equal(seg.seq, 0x9abcdef0);
    assert_int_equal(seg.ack, 0x0fedcba9);
    assert_int_equal(seg.flags, HF_ACK);
    assert_int_equal(seg.window, 0x8765);
    assert_int_equal(seg.checksum, 0x4321);
    assert_int_equal(seg.urgent_pointer, 0x0a0b);
    assert_int_equal(seg.header_bytes, 20);
    assert_int_equal(seg.payload_bytes, 33);
    assert_false(seg.has_mss || seg.has_wscale || seg.has_sack_permitted || seg.has_timestamps);
    assert_int_equal(seg.sack_count, 0);
}

static void each_flag(void **state)
{
    (void)state;
    static const struct {
        uint16_t word;
        enum hf_flag flag;
    } rows[] = {{0x5001, HF_FIN}, {0x5002, HF_SYN}, {0x5004, HF_RST},
                {0x5008, HF_PSH}, {0x5010, HF_ACK}, {0x5020, HF_URG},
                {0x5040, HF_ECE}, {0x5080, HF_CWR}, {0x5100, HF_AE}};
    uint8_t bytes[HF_TCP_HEADER_MAX_BYTES];
    struct hf_segment seg;
    put_header(bytes, NULL, 0);
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++) {
        hf_put16(bytes + 12, rows[i].word);
        assert_int_equal(hf_tcp_parse(bytes, 20, &seg), HF_NONE);
        assert_int_equal(seg.flags, rows[i].flag);
        uint8_t out[HF_TCP_HEADER_MAX_BYTES];
        assert_int_equal(hf_tcp_emit(&seg, HF_LAYOUT_OWN, out), 20);
        assert_int_equal(hf_get16(out + 12), rows[i].word);
    }
    hf_put16(bytes + 12, 0x5e00); /* reserved bits are ignored [RFC9293#3.1] */
    assert_int_equal(hf_tcp_parse(bytes, 20, &seg), HF_NONE);
    assert_int_equal(seg.flags, 0);
}

static void truncated_or_malformed(void **state)
{
    (void)state;
    uint8_t bytes[HF_TCP_HEADER_MAX_BYTES] = {0};
    struct hf_segment seg;
    for (size_t n = 0; n < 20; n++) {
        uint8_t *copy = exact_copy(bytes, n);
        assert_int_equal(hf_tcp_parse(copy, n, &seg), HF_DROP_TCP_TRUNCATED);
        free(copy);
    }
    for (unsigned words = 0; words < 16; words++) {
        put_header(bytes, NULL, 0);
        memset(bytes + 20, 1, 40);
        bytes[12] = (uint8_t)(words << 4);
        for (size_t n = 20; n <= 60; n++) {
            uint8_t *copy = exact_copy(bytes, n);
            bool fits = words >= 5 && words * 4 <= n;
            assert_int_equal(hf_tcp_parse(copy, n, &seg), fits ? HF_NONE : HF_DROP_TCP_HEADER);
            if (fits)
                assert_int_equal(seg.header_bytes + seg.payload_bytes, n);
            free(copy);
        }
    }
}

static void known_options(void **state)
{
    (void)state;
    static const uint8_t options[] = {2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2,
                                      3, 4, 5,    6,    7, 8, 1, 3,  3, 7};
    struct hf_segment seg;
    assert_int_equal(parse_with_options(options, sizeof options, &seg), HF_NONE);
    assert_true(seg.has_mss && seg.has_wscale && seg.has_sack_permitted && seg.has_timestamps);
    assert_int_equal(seg.mss_bytes, 1460);
    assert_int_equal(seg.wscale, 7);
    assert_int_equal(seg.ts_value, 0x01020304);
    assert_int_equal(seg.ts_echo, 0x05060708);
    assert_int_equal(seg.header_bytes, 40);
}

static void sack_blocks(void **state)
{
    (void)state;
    for (size_t count = 1; count <= 4; count++) {
        uint8_t options[OPTIONS_MAX] = {1, 1, 5, (uint8_t)(2 + 8 * count)};
        for (size_t i = 0; i < 2 * count; i++)
            hf_put32(options + 4 + 4 * i, 0xfffffff0u + (uint32_t)i * 0x101);
        struct hf_segment seg;
        assert_int_equal(parse_with_options(options, 4 + 8 * count, &seg), HF_NONE);
        assert_int_equal(seg.sack_count, count);
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(seg.sack[i].left, 0xfffffff0u + 2 * i * 0x101);
            assert_int_equal(seg.sack[i].right, 0xfffffff0u + (2 * i + 1) * 0x101);
        }
    }
}

/* The list ends at the end-of-list option; garbage behind it is not looked at. */
static void end_of_list(void **state)
{
    (void)state;
    static const uint8_t options[] = {2, 4, 2, 0, 0, 3, 1, 0xff};
    struct hf_segment seg;
    assert_int_equal(parse_with_options(options, sizeof options, &seg), HF_NONE);
    assert_true(seg.has_mss && !seg.has_wscale);
    assert_int_equal(seg.mss_bytes, 512);
}

/* [RFC9293#3.1, MUST-6] unknown kinds, and known ones of another length, are passed over. */
static void unknown_options_are_skipped(void **state)
{
    (void)state;
    struct hf_segment seg;
    for (unsigned kind = 2; kind < 256; kind++) {
        for (unsigned length = 2; length <= 36; length++) {
            uint8_t options[OPTIONS_MAX];
            memset(options, 1, sizeof options);
            options[0] = (uint8_t)kind;
            options[1] = (uint8_t)length;
            memcpy(options + length, (uint8_t[]){2, 4, 0x12, 0x34}, 4);
            assert_int_equal(parse_with_options(options, sizeof options, &seg), HF_NONE);
            assert_true(seg.has_mss);
            assert_int_equal(seg.mss_bytes, kind == 2 && length == 4 ? 0x0101 : 0x1234);
            assert_int_equal(seg.has_wscale, kind == 3 && length == 3);
            assert_int_equal(seg.has_sack_permitted, kind == 4 && length == 2);
            assert_int_equal(seg.has_timestamps, kind == 8 && length == 10);
            bool sack = kind == 5 && length > 2 && length % 8 == 2;
            assert_int_equal(seg.sack_count, sack ? length / 8 : 0);
        }
    }
}

/* [RFC9293#3.1, MUST-7] lengths of 0 and 1, and such as lead out of the header. */
static void impossible_lengths(void **state)
{
    (void)state;
    struct hf_segment seg;
    for (unsigned kind = 2; kind < 256; kind++) {
        for (unsigned length = 0; length < 256; length++) {
            uint8_t options[8] = {1, 1, (uint8_t)kind, (uint8_t)length, 1, 1, 1, 1};
            bool fits = length >= 2 && length <= 6;
            assert_int_equal(parse_with_options(options, sizeof options, &seg),
                             fits ? HF_NONE : HF_DROP_TCP_OPTION);
            assert_int_equal(seg.source_port, 0x1234); /* the fixed part is valid all the same */
            assert_int_equal(seg.seq, 0x9abcdef0);
        }
        uint8_t last[4] = {1, 1, 1, (uint8_t)kind}; /* no room for a length */
        assert_int_equal(parse_with_options(last, sizeof last, &seg), HF_DROP_TCP_OPTION);
    }
}

static void the_first_of_two_counts(void **state)
{
    (void)state;
    static const uint8_t mss[] = {2, 4, 0, 1, 2, 4, 0, 2, 3, 3, 5, 3, 3, 6, 1, 1};
    struct hf_segment seg;
    assert_int_equal(parse_with_options(mss, sizeof mss, &seg), HF_NONE);
    assert_int_equal(seg.mss_bytes, 1);
    assert_int_equal(seg.wscale, 5);
    static const uint8_t ts[] = {8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 8, 10,
                                 0, 0,  0, 3, 0, 0, 0, 4, 4, 2, 4, 2};
    assert_int_equal(parse_with_options(ts, sizeof ts, &seg), HF_NONE);
    assert_int_equal(seg.ts_value, 1);
    assert_int_equal(seg.ts_echo, 2);
    static const uint8_t sack[] = {5, 10, 0, 0, 0, 1, 0, 0, 0, 2, 5, 18, 0, 0, 0,
                                   3, 0,  0, 0, 4, 0, 0, 0, 5, 0, 0, 0,  6, 1, 1};
    uint8_t padded[32] = {0};
    memcpy(padded, sack, sizeof sack);
    assert_int_equal(parse_with_options(padded, sizeof padded, &seg), HF_NONE);
    assert_int_equal(seg.sack_count, 1);
    assert_int_equal(seg.sack[0].left, 1);
}

/** The same, written differently: each option is cut off the front of what is left. */
static enum hf_reason model_options(const uint8_t *o, size_t left, struct hf_segment *seg)
{
    if (left == 0 || o[0] == 0)
        return HF_NONE;
    if (o[0] == 1)
        return model_options(o + 1, left - 1, seg);
    if (left == 1 || o[1] < 2 || o[1] > left)
        return HF_DROP_TCP_OPTION;
    unsigned shape = (unsigned)o[0] << 8 | o[1];
    if (shape == 0x0204 && !seg->has_mss) {
        seg->has_mss = true;
        seg->mss_bytes = (uint16_t)(o[2] * 256 + o[3]);
    } else if (shape == 0x0303 && !seg->has_wscale) {
        seg->has_wscale = true;
        seg->wscale = o[2];
    } else if (shape == 0x0402) {
        seg->has_sack_permitted = true;
    } else if (shape == 0x080a && !seg->has_timestamps) {
        seg->has_timestamps = true;
        seg->ts_value = hf_get32(o + 2);
        seg->ts_echo = hf_get32(o + 6);
    } else if (o[0] == 5 && o[1] % 8 == 2 && seg->sack_count == 0) {
        for (unsigned at = 2; at < o[1]; at += 8) {
            seg->sack[seg->sack_count].left = hf_get32(o + at);
            seg->sack[seg->sack_count++].right = hf_get32(o + at + 4);
        }
    }
    return model_options(o + o[1], left - o[1], seg);
}

static bool same_options(const struct hf_segment *a, const struct hf_segment *b)
{
    bool same = a->has_mss == b->has_mss && a->mss_bytes == b->mss_bytes &&
                a->has_wscale == b->has_wscale && a->wscale == b->wscale &&
                a->has_sack_permitted == b->has_sack_permitted &&
                a->has_timestamps == b->has_timestamps && a->ts_value == b->ts_value &&
                a->ts_echo == b->ts_echo && a->sack_count == b->sack_count;
    for (size_t i = 0; same && i < a->sack_count; i++)
        same = a->sack[i].left == b->sack[i].left && a->sack[i].right == b->sack[i].right;
    return same;
}

static bool same_fixed_part(const struct hf_segment *a, const struct hf_segment *b)
{
    return a->source_port == b->source_port && a->destination_port == b->destination_port &&
           a->seq == b->seq && a->ack == b->ack && a->flags == b->flags && a->window == b->window &&
           a->urgent_pointer == b->urgent_pointer && a->payload_bytes == b->payload_bytes;
}

static void check_against_model(const uint8_t *header, size_t n)
{
    struct hf_segment seg, model = {0};
    enum hf_reason reason = hf_tcp_parse(header, n, &seg);
    assert_int_equal(reason, model_options(header + 20, n - 20, &model));
    if (reason == HF_NONE)
        assert_true(same_options(&seg, &model));
}

/* Every string of up to three octets, before an end of list and at the header's very end. */
static void all_short_option_strings(void **state)
{
    (void)state;
    uint8_t bytes[HF_TCP_HEADER_MAX_BYTES];
    uint8_t *header = exact_copy(bytes, put_header(bytes, (uint8_t[]){0, 0, 0, 0}, 4));
    for (uint32_t string = 0; string < 1u << 24; string++) {
        hf_put32(header + 20, string << 8);
        check_against_model(header, 24);
        hf_put32(header + 20, 1u << 24 | string);
        check_against_model(header, 24);
    }
    free(header);
}

/** Option octets that come near to real lists. */
static void random_options(struct random_source *r, uint8_t *o, size_t n)
{
    static const uint8_t kinds[] = {0, 1, 1, 2, 3, 4, 5, 5, 8, 30, 254};
    static const uint8_t lengths[] = {0, 1, 2, 3, 4, 10, 18, 26, 34, 2, 4, 10};
    random_bytes(r, o, n);
    if (random_below(r, 8) == 0)
        return;
    for (size_t at = 0; at < n;) {
        uint8_t kind = kinds[random_below(r, HF_COUNT_OF(kinds))];
        uint8_t natural[] = {2, 2, 4, 3, 2, (uint8_t)(2 + 8 * random_below(r, 5)), 6, 6, 10};
        uint8_t length = kind < sizeof natural && random_below(r, 8) != 0
                             ? natural[kind]
                             : lengths[random_below(r, HF_COUNT_OF(lengths))];
        o[at++] = kind;
        if (kind <= 1)
            continue;
        if (at < n)
            o[at] = length;
        at += length > 1 ? length - 1u : 1;
    }
}

static void random_option_strings(void **state)
{
    (void)state;
    struct random_source r = random_begin("random_option_strings");
    for (int round = 0; round < ROUNDS; round++) {
        uint8_t options[OPTIONS_MAX], bytes[HF_TCP_HEADER_MAX_BYTES];
        size_t n = 4 * random_below(&r, OPTIONS_MAX / 4 + 1);
        random_options(&r, options, n);
        size_t total = put_header(bytes, options, n);
        uint8_t *copy = exact_copy(bytes, total);
        check_against_model(copy, total);
        free(copy);
    }
}

static struct hf_segment random_segment(struct random_source *r)
{
    struct hf_segment seg = {.source_port = random_u16(r),
                             .destination_port = random_u16(r),
                             .seq = random_u32(r),
                             .ack = random_u32(r),
                             .flags = random_u16(r) & 0x1ff,
                             .window = random_u16(r),
                             .urgent_pointer = random_u16(r),
                             .has_mss = random_bool(r),
                             .has_wscale = random_bool(r),
                             .has_sack_permitted = random_bool(r),
                             .has_timestamps = random_bool(r),
                             .sack_count = (uint8_t)random_below(r, HF_SACK_BLOCKS_MAX + 1),
                             .payload_bytes = random_below(r, 100)};
    if (seg.has_mss)
        seg.mss_bytes = random_u16(r);
    if (seg.has_wscale)
        seg.wscale = random_u8(r);
    if (seg.has_timestamps) {
        seg.ts_value = random_u32(r);
        seg.ts_echo = random_u32(r);
    }
    for (size_t i = 0; i < seg.sack_count; i++) {
        seg.sack[i].left = random_u32(r);
        seg.sack[i].right = random_u32(r);
    }
    return seg;
}

/** How many blocks fit beside the other options, worked out from their octets. */
static size_t fitting_blocks(const struct hf_segment *seg)
{
    size_t others = (seg->has_mss ? 4u : 0) + (seg->has_wscale ? 4u : 0) +
                    (seg->has_timestamps ? 12u : 0) +
                    (seg->has_sack_permitted && !seg->has_timestamps ? 2u : 0);
    size_t best = 0;
    for (size_t blocks = 1; blocks <= seg->sack_count; blocks++)
        if ((others + 3) / 4 * 4 + (others % 4 == 0 ? 4 : 0) + 8 * blocks <= OPTIONS_MAX)
            best = blocks;
    return best;
}

static void parse_of_emit_is_identity(void **state)
{
    (void)state;
    struct random_source r = random_begin("parse_of_emit_is_identity");
    for (int round = 0; round < ROUNDS / 2; round++) {
        struct hf_segment seg = random_segment(&r), sent = seg, back;
        enum hf_option_layout layout = LAYOUTS[round % 3];
        uint8_t bytes[HF_TCP_HEADER_MAX_BYTES + 100];
        memset(bytes, 0xee, sizeof bytes);
        size_t n = hf_tcp_emit(&sent, layout, bytes);
        assert_true(n >= 20 && n <= 60 && n % 4 == 0);
        assert_int_equal(hf_tcp_header_bytes(&seg, layout), n);
        assert_int_equal(bytes[n], 0xee);
        assert_int_equal(hf_get16(bytes + 16), 0); /* checksum */
        assert_int_equal(bytes[12], n / 4 << 4 | seg.flags >> 8);

        struct hf_segment again = seg;
        uint8_t same[HF_TCP_HEADER_MAX_BYTES];
        hf_sum sum;
        assert_int_equal(hf_tcp_emit_summed(&again, layout, same, &sum), n);
        assert_memory_equal(same, bytes, n);
        assert_int_equal(hf_sum_fold(sum), hf_sum_fold(hf_sum_bytes(0, bytes, n)));

        uint8_t *copy = exact_copy(bytes, n + seg.payload_bytes);
        assert_int_equal(hf_tcp_parse(copy, n + seg.payload_bytes, &back), HF_NONE);
        free(copy);
        assert_true(same_fixed_part(&seg, &back));
        assert_true(same_options(&sent, &back));
        assert_int_equal(back.header_bytes, n);
        /* Blocks alone may be left out, and only from the end. */
        assert_true(sent.sack_count <= seg.sack_count);
        if (layout == HF_LAYOUT_FREEBSD)
            assert_int_equal(sent.sack_count, fitting_blocks(&seg));
        seg.sack_count = sent.sack_count;
        assert_true(same_options(&seg, &back));
    }
}

static void any_bytes_give_a_struct_or_a_reason(void **state)
{
    (void)state;
    struct random_source r = random_begin("any_bytes_give_a_struct_or_a_reason");
    int taken = 0;
    for (int round = 0; round < ROUNDS; round++) {
        uint8_t bytes[160];
        struct hf_segment seg = random_segment(&r);
        size_t n = hf_tcp_emit(&seg, LAYOUTS[round % 3], bytes);
        random_bytes(&r, bytes + n, sizeof bytes - n);
        n = random_below(&r, 4) == 0 ? random_below(&r, sizeof bytes) : n + random_below(&r, 20);
        if (random_below(&r, 4) == 0)
            random_bytes(&r, bytes, n);
        random_mutate(&r, bytes, n);
        uint8_t *copy = exact_copy(bytes, n);
        enum hf_reason reason = hf_tcp_parse(copy, n, &seg);
        free(copy);
        assert_true(reason == HF_NONE || reason == HF_DROP_TCP_TRUNCATED ||
                    reason == HF_DROP_TCP_HEADER || reason == HF_DROP_TCP_OPTION);
        if (reason != HF_NONE)
            continue;
        taken++;
        assert_int_equal(seg.header_bytes + seg.payload_bytes, n);
        /* What was read can be written; the blocks may not fit beside better aligned options. */
        struct hf_segment sent = seg, back;
        uint8_t out[HF_TCP_HEADER_MAX_BYTES];
        size_t header_bytes = hf_tcp_emit(&sent, LAYOUTS[round % 3], out);
        assert_int_equal(hf_tcp_parse(out, header_bytes, &back), HF_NONE);
        assert_true(same_options(&sent, &back));
    }
    assert_true(taken > ROUNDS / 10);
    assert_true(taken < ROUNDS / 10 * 9);
}

/** The options written for a segment, compared octet by octet. */
static void expect_options(struct hf_segment seg, enum hf_option_layout layout,
                           const uint8_t *expected, size_t n)
{
    uint8_t bytes[HF_TCP_HEADER_MAX_BYTES];
    memset(bytes, 0xee, sizeof bytes);
    assert_int_equal(hf_tcp_header_bytes(&seg, layout), 20 + n);
    assert_int_equal(hf_tcp_emit(&seg, layout, bytes), 20 + n);
    assert_memory_equal(bytes + 20, expected, n);
}

#define EXPECT_OPTIONS(seg, layout, ...)                                                           \
    expect_options(seg, layout, (uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}))

static void syn_layouts(void **state)
{
    (void)state;
    struct hf_segment full = {.flags = HF_SYN,
                              .has_mss = true,
                              .mss_bytes = 1460,
                              .has_sack_permitted = true,
                              .has_timestamps = true,
                              .ts_value = 0x01020304,
                              .has_wscale = true,
                              .wscale = 7};
    for (size_t i = 0; i < 2; i++)
        EXPECT_OPTIONS(full, LAYOUTS[i], 2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3,
                       3, 7);
    EXPECT_OPTIONS(full, HF_LAYOUT_FREEBSD, 2, 4, 5, 0xb4, 1, 3, 3, 7, 4, 2, 8, 10, 1, 2, 3, 4, 0,
                   0, 0, 0);

    struct hf_segment no_ts = full;
    no_ts.has_timestamps = false;
    for (size_t i = 0; i < 2; i++)
        EXPECT_OPTIONS(no_ts, LAYOUTS[i], 2, 4, 5, 0xb4, 1, 1, 4, 2, 1, 3, 3, 7);
    EXPECT_OPTIONS(no_ts, HF_LAYOUT_FREEBSD, 2, 4, 5, 0xb4, 1, 3, 3, 7, 4, 2, 0, 0);

    struct hf_segment no_sack = full;
    no_sack.has_sack_permitted = false;
    for (size_t i = 0; i < 2; i++)
        EXPECT_OPTIONS(no_sack, LAYOUTS[i], 2, 4, 5, 0xb4, 1, 1, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1,
                       3, 3, 7);
    EXPECT_OPTIONS(no_sack, HF_LAYOUT_FREEBSD, 2, 4, 5, 0xb4, 1, 3, 3, 7, 1, 1, 8, 10, 1, 2, 3, 4,
                   0, 0, 0, 0);

    struct hf_segment mss_sack = {
        .flags = HF_SYN, .has_mss = true, .mss_bytes = 536, .has_sack_permitted = true};
    EXPECT_OPTIONS(mss_sack, HF_LAYOUT_LINUX, 2, 4, 2, 0x18, 1, 1, 4, 2);
    EXPECT_OPTIONS(mss_sack, HF_LAYOUT_FREEBSD, 2, 4, 2, 0x18, 4, 2, 0, 0);

    struct hf_segment mss_only = {.flags = HF_SYN, .has_mss = true, .mss_bytes = 536};
    for (size_t i = 0; i < 3; i++)
        EXPECT_OPTIONS(mss_only, LAYOUTS[i], 2, 4, 2, 0x18);
}

static void data_layouts(void **state)
{
    (void)state;
    struct hf_segment plain = {.flags = HF_ACK}, ts = plain;
    ts.has_timestamps = true;
    ts.ts_value = 0x0a0b0c0d;
    ts.ts_echo = 0x11121314;
    struct hf_segment sack = plain;
    sack.sack_count = 1;
    sack.sack[0].left = 0x01020304;
    sack.sack[0].right = 0x05060708;
    struct hf_segment both = ts;
    both.sack_count = 1;
    both.sack[0] = sack.sack[0];
    for (size_t i = 0; i < 3; i++) {
        expect_options(plain, LAYOUTS[i], (uint8_t[]){0}, 0);
        EXPECT_OPTIONS(ts, LAYOUTS[i], 1, 1, 8, 10, 10, 11, 12, 13, 17, 18, 19, 20);
        EXPECT_OPTIONS(sack, LAYOUTS[i], 1, 1, 5, 10, 1, 2, 3, 4, 5, 6, 7, 8);
        EXPECT_OPTIONS(both, LAYOUTS[i], 1, 1, 8, 10, 10, 11, 12, 13, 17, 18, 19, 20, 1, 1, 5, 10,
                       1, 2, 3, 4, 5, 6, 7, 8);
    }
}

/* [RFC2018#3] three blocks beside timestamps, four without.
 * covers: CO-2018-05 */
static void sack_blocks_that_fit(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        uint8_t bytes[HF_TCP_HEADER_MAX_BYTES];
        struct hf_segment seg = {.flags = HF_ACK, .sack_count = 4};
        assert_int_equal(hf_tcp_emit(&seg, LAYOUTS[i], bytes), 20 + 4 + 32);
        assert_int_equal(seg.sack_count, 4);
        seg.has_timestamps = true;
        assert_int_equal(hf_tcp_emit(&seg, LAYOUTS[i], bytes), 20 + 12 + 4 + 24);
        assert_int_equal(seg.sack_count, 3);
        seg = (struct hf_segment){.flags = HF_SYN,
                                  .has_mss = true,
                                  .has_wscale = true,
                                  .has_sack_permitted = true,
                                  .has_timestamps = true,
                                  .sack_count = 4};
        assert_int_equal(hf_tcp_emit(&seg, LAYOUTS[i], bytes), 60);
        assert_int_equal(seg.sack_count, 2);
    }
}

static void segment_length(void **state)
{
    (void)state;
    struct hf_segment seg = {.flags = HF_ACK | HF_PSH, .payload_bytes = 10};
    assert_int_equal(hf_segment_length(&seg), 10);
    seg.flags = HF_FIN | HF_ACK;
    assert_int_equal(hf_segment_length(&seg), 11);
    seg.flags = HF_SYN | HF_FIN;
    assert_int_equal(hf_segment_length(&seg), 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_fields),
        cmocka_unit_test(each_flag),
        cmocka_unit_test(truncated_or_malformed),
        cmocka_unit_test(known_options),
        cmocka_unit_test(sack_blocks),
        cmocka_unit_test(end_of_list),
        cmocka_unit_test(unknown_options_are_skipped),
        cmocka_unit_test(impossible_lengths),
        cmocka_unit_test(the_first_of_two_counts),
        cmocka_unit_test(all_short_option_strings),
        cmocka_unit_test(random_option_strings),
        cmocka_unit_test(parse_of_emit_is_identity),
        cmocka_unit_test(any_bytes_give_a_struct_or_a_reason),
        cmocka_unit_test(syn_layouts),
        cmocka_unit_test(data_layouts),
        cmocka_unit_test(sack_blocks_that_fit),
        cmocka_unit_test(segment_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
