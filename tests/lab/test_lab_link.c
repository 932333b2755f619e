/* Links: time, queues, harm by number and by chance, cutting and checksums. Fake nodes only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/wire/ip.h"
#include "core/wire/tcp.h"
#include "lab/cut.h"
#include "lab/lab_link.h"
#include "lab/packet_facts.h"
#include "lab/pattern.h"
#include "lab/transcript.h"

enum { INBOX = 512 };

/* Remembers what came. */
struct inbox {
    struct {
        hf_ns at_ns;
        uint32_t seq, length_bytes, mark;
        uint16_t segment_bytes, flags;
        bool good;
    } items[INBOX];
    size_t count;
    hf_sum bytes_sum;
};

static bool checksum_is_good(const uint8_t *bytes, size_t n, uint32_t *seq)
{
    struct hf_ip ip;
    struct hf_segment seg;
    if (hf_ip_parse(bytes, n, &ip) != HF_NONE ||
        hf_tcp_parse(bytes + ip.header_bytes, ip.payload_bytes, &seg) != HF_NONE)
        return false;
    *seq = seg.seq;
    hf_sum sum = hf_ip_pseudo_sum(&ip.source, &ip.destination, ip.protocol, ip.payload_bytes);
    return hf_sum_fold(hf_sum_bytes(sum, bytes + ip.header_bytes, ip.payload_bytes)) == 0xFFFF;
}

static void inbox_input(void *self, const struct hf_packet *p, hf_ns now)
{
    struct inbox *in = self;
    assert_true(in->count < INBOX);
    in->items[in->count].at_ns = now;
    in->items[in->count].length_bytes = p->length_bytes;
    in->items[in->count].segment_bytes = p->segment_bytes;
    in->items[in->count].flags = p->flags;
    in->items[in->count].good =
        checksum_is_good(p->bytes, p->length_bytes, &in->items[in->count].seq);
    in->bytes_sum = hf_sum_bytes(in->bytes_sum + (hf_sum)now, p->bytes, p->length_bytes);
    in->count++;
}

static hf_ns inbox_deadline(void *self)
{
    (void)self;
    return HF_NEVER;
}

static void inbox_run(void *self, hf_ns now)
{
    (void)self;
    (void)now;
}

static void inbox_arrived(void *self, uint32_t mark, hf_ns now)
{
    struct inbox *in = self;
    (void)now;
    in->items[in->count - 1].mark = mark;
}

struct bench {
    struct hf_world world;
    struct inbox inbox;
    struct hf_lab_link link;
    enum hf_fate fates[INBOX];
    size_t seen, dropped;
};

static uint32_t observe(void *ctx, const struct hf_lab_link *link, const struct hf_frame *frame,
                        enum hf_fate fate, hf_ns now)
{
    struct bench *b = ctx;
    (void)link;
    (void)frame;
    (void)now;
    b->fates[b->seen++] = fate;
    return (uint32_t)b->seen;
}

static struct bench *bench_open(const struct hf_lab_link_config *config, uint64_t seed)
{
    static struct bench b;
    memset(&b, 0, sizeof b);
    hf_world_init(&b.world, seed);
    struct hf_node node = {&b.inbox, inbox_input, inbox_deadline, inbox_run, inbox_arrived};
    hf_lab_link_init(&b.link, config, &b.world, hf_world_add(&b.world, &node), 'A', 'B');
    b.link.observe = observe;
    b.link.observe_ctx = &b;
    return &b;
}

static void bench_close(struct bench *b)
{
    hf_lab_link_close(&b->link);
    hf_world_free(&b->world);
}

/* A segment with `payload` bytes; with `segment_bytes` a super-packet with a partial checksum. */
static struct hf_frame *make_frame(struct hf_world *w, bool v6, uint32_t seq, uint32_t payload,
                                   uint16_t segment_bytes, uint16_t flags, bool partial)
{
    struct hf_frame *f = hf_frame_take(w, 100 + (size_t)payload);
    struct hf_segment seg = {.source_port = 1,
                             .destination_port = 2,
                             .seq = seq,
                             .ack = 9,
                             .flags = flags,
                             .window = 500,
                             .has_timestamps = true,
                             .ts_value = 77,
                             .ts_echo = 88,
                             .payload_bytes = payload};
    uint8_t header[HF_TCP_HEADER_MAX_BYTES];
    size_t header_bytes = hf_tcp_emit(&seg, HF_LAYOUT_OWN, header);
    struct hf_ip ip = {.source = hf_addr_v4(10, 0, 0, 1),
                       .destination = hf_addr_v4(10, 0, 0, 2),
                       .version = 4,
                       .protocol = HF_IP_PROTO_TCP,
                       .ttl = 64,
                       .id = 0xFFFE,
                       .payload_bytes = (uint32_t)header_bytes + payload};
    if (v6) {
        ip.version = 6;
        ip.source = (struct hf_addr){{0xFD, [15] = 1}};
        ip.destination = (struct hf_addr){{0xFD, [15] = 2}};
    }
    size_t ip_bytes = hf_ip_emit(&ip, f->bytes);
    uint8_t *tcp = f->bytes + ip_bytes;
    memcpy(tcp, header, header_bytes);
    hf_pattern_fill(1, seq, tcp + header_bytes, payload);
    hf_sum sum = hf_ip_pseudo_sum(&ip.source, &ip.destination, ip.protocol, ip.payload_bytes);
    if (partial)
        hf_put16(tcp + 16, hf_sum_fold(sum));
    else
        hf_put16(tcp + 16, hf_sum_checksum(hf_sum_bytes(sum, tcp, ip.payload_bytes)));
    f->length_bytes = (uint32_t)ip_bytes + ip.payload_bytes;
    f->segment_bytes = segment_bytes;
    f->flags = partial ? HF_PACKET_CSUM_PARTIAL : 0;
    return f;
}

static void send_seq(struct bench *b, uint32_t seq, uint32_t payload)
{
    hf_lab_link_send_frame(&b->link, make_frame(&b->world, false, seq, payload, 0, HF_ACK, false));
}

static void delay_and_rate_add_up(void **state)
{
    (void)state;
    /* 52 bytes of header and 948 of payload: 1000 bytes are 8 ms at 1 Mbit/s. */
    struct bench *b = bench_open(
        &(struct hf_lab_link_config){.path = {.rate_bps = 1000000, .delay_ns = HF_MS(10)}}, 1);
    for (uint32_t i = 0; i < 3; i++)
        send_seq(b, i, 948);
    hf_world_run(&b->world, HF_SEC(1));
    assert_int_equal(b->inbox.count, 3);
    assert_int_equal(b->inbox.items[0].at_ns, HF_MS(18));
    assert_int_equal(b->inbox.items[1].at_ns, HF_MS(26));
    assert_int_equal(b->inbox.items[2].at_ns, HF_MS(34));
    assert_int_equal(b->inbox.items[2].mark, 3);
    assert_true(b->inbox.items[0].good);
    send_seq(b, 3, 948); /* the line was idle: no waiting */
    hf_world_run(&b->world, HF_SEC(2));
    assert_int_equal(b->inbox.items[3].at_ns, HF_MS(1018));
    bench_close(b);
}

static void a_full_queue_drops_the_newest(void **state)
{
    (void)state;
    struct bench *b = bench_open(
        &(struct hf_lab_link_config){.path = {.rate_bps = 1000000, .queue_limit_packets = 2}}, 1);
    for (uint32_t i = 0; i < 4; i++)
        send_seq(b, i, 948);
    assert_int_equal(b->fates[1], HF_FATE_DELIVERED);
    assert_int_equal(b->fates[2], HF_FATE_OVERFLOW);
    assert_int_equal(b->fates[3], HF_FATE_OVERFLOW);
    hf_world_run(&b->world, HF_MS(8));
    send_seq(b, 9, 948); /* one has left */
    hf_world_run(&b->world, HF_SEC(1));
    assert_int_equal(b->inbox.count, 3);
    assert_int_equal(b->inbox.items[2].seq, 9);
    assert_int_equal(b->link.fates[HF_FATE_OVERFLOW], 2);
    bench_close(b);
}

static void masks_choose_packets_by_number(void **state)
{
    (void)state;
    struct bench *b = bench_open(&(struct hf_lab_link_config){.lose_mask = 1u << 1,
                                                              .duplicate_mask = 1u << 2,
                                                              .corrupt_mask = 1u << 3,
                                                              .swap_mask = 1u << 4},
                                 1);
    for (uint32_t i = 0; i < 7; i++)
        send_seq(b, i, 100);
    hf_world_run(&b->world, HF_SEC(1));
    static const uint32_t order[] = {0, 2, 2, 3, 5, 4, 6};
    static const bool good[] = {true, true, true, false, true, true, true};
    assert_int_equal(b->inbox.count, 7);
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(b->inbox.items[i].good, good[i]);
        if (good[i])
            assert_int_equal(b->inbox.items[i].seq, order[i]);
    }
    static const enum hf_fate fates[] = {HF_FATE_DELIVERED, HF_FATE_LOST, HF_FATE_DUPLICATED,
                                         HF_FATE_CORRUPTED, HF_FATE_LATE};
    assert_memory_equal(b->fates, fates, sizeof fates);
    bench_close(b);
}

static void a_swapped_last_packet_arrives_in_the_end(void **state)
{
    (void)state;
    struct bench *b = bench_open(&(struct hf_lab_link_config){.path.delay_ns = HF_MS(5),
                                                              .swap_mask = 3,
                                                              .swap_wait_ns = HF_MS(7)},
                                 1);
    send_seq(b, 0, 0);
    hf_world_run(&b->world, HF_SEC(1));
    assert_int_equal(b->inbox.count, 1);
    assert_int_equal(b->inbox.items[0].at_ns, HF_MS(12));
    assert_int_equal(b->world.frames_out, 0);
    send_seq(b, 1, 0); /* held again, and closed with it */
    hf_lab_link_close(&b->link);
    assert_int_equal(b->world.frames_out, 0);
    bench_close(b);
}

static void silence_loses_everything_in_its_time(void **state)
{
    (void)state;
    struct bench *b = bench_open(
        &(struct hf_lab_link_config){.silent_from_ns = HF_MS(10), .silent_until_ns = HF_MS(20)}, 1);
    for (uint32_t i = 0; i < 3; i++) {
        send_seq(b, i, 0);
        hf_world_run(&b->world, HF_MS(10) * (i + 1));
    }
    assert_int_equal(b->inbox.count, 2);
    assert_int_equal(b->inbox.items[1].seq, 2);
    bench_close(b);
}

static hf_sum random_run(uint64_t seed, uint64_t fates[HF_FATE_OVERFLOW + 1])
{
    struct hf_lab_link_config config = {.path.delay_ns = HF_MS(3),
                                        .path.loss_ppm = 100000,
                                        .path.late_ppm = 50000,
                                        .path.duplicate_ppm = 50000,
                                        .path.corrupt_ppm = 50000};
    struct bench *b = bench_open(&config, seed);
    for (uint32_t i = 0; i < 400; i++) {
        send_seq(b, i, 200);
        hf_world_run(&b->world, HF_MS(1) * i);
    }
    hf_world_run(&b->world, HF_SEC(2));
    assert_int_equal(b->world.frames_out, 0);
    assert_int_equal(b->inbox.count,
                     400 - b->link.fates[HF_FATE_LOST] + b->link.fates[HF_FATE_DUPLICATED]);
    uint64_t bad = 0;
    for (size_t i = 0; i < b->inbox.count; i++)
        bad += !b->inbox.items[i].good;
    assert_true(bad <= b->link.fates[HF_FATE_CORRUPTED]);
    memcpy(fates, b->link.fates, sizeof b->link.fates);
    hf_sum sum = b->inbox.bytes_sum;
    bench_close(b);
    return sum;
}

static void the_same_seed_gives_the_same_bytes(void **state)
{
    (void)state;
    uint64_t one[HF_FATE_OVERFLOW + 1], two[HF_FATE_OVERFLOW + 1];
    hf_sum first = random_run(42, one);
    assert_true(first == random_run(42, two));
    assert_memory_equal(one, two, sizeof one);
    assert_true(first != random_run(43, two));
    /* 10 % and 5 %: between a half and twice what is expected of 400. */
    assert_in_range(one[HF_FATE_LOST], 20, 80);
    assert_in_range(one[HF_FATE_LATE], 8, 40);
    assert_in_range(one[HF_FATE_CORRUPTED], 8, 40);
    assert_in_range(one[HF_FATE_DUPLICATED], 8, 40);
}

/* ---- the path below ---- */

/* More on their way than there was room for at first; each at its time, in order. */
static void a_link_has_room_for_all(void **state)
{
    (void)state;
    struct bench *b = bench_open(&(struct hf_lab_link_config){.path.delay_ns = HF_MS(50)}, 1);
    for (uint32_t i = 0; i < 500; i++) {
        hf_world_run(&b->world, HF_US(i));
        send_seq(b, i, 10);
    }
    hf_world_run(&b->world, HF_SEC(1));
    assert_int_equal(b->inbox.count, 500);
    for (uint32_t i = 0; i < 500; i++) {
        assert_int_equal(b->inbox.items[i].seq, i);
        assert_int_equal(b->inbox.items[i].at_ns, HF_MS(50) + HF_US(i));
        assert_int_equal(b->inbox.items[i].mark, i + 1);
    }
    assert_int_equal(b->world.frames_out, 0);
    bench_close(b);
}

static void a_rate_may_change(void **state)
{
    (void)state;
    struct hf_lab_link_config config = {.path = {.rate_bps = 1000000,
                                                 .rate_changes = {{HF_MS(8), 4000000}},
                                                 .rate_change_count = 1}};
    struct bench *b = bench_open(&config, 1);
    for (uint32_t i = 0; i < 3; i++)
        send_seq(b, i, 948);
    hf_world_run(&b->world, HF_SEC(1));
    assert_int_equal(b->inbox.items[0].at_ns, HF_MS(8));
    assert_int_equal(b->inbox.items[1].at_ns, HF_MS(10));
    assert_int_equal(b->inbox.items[2].at_ns, HF_MS(12));
    bench_close(b);
}

static void dropped(void *ctx, const struct hf_lab_link *link, const struct hf_frame *frame,
                    hf_ns now)
{
    struct bench *b = ctx;
    assert_ptr_equal(link, &b->link);
    assert_int_equal(now, b->world.now_ns);
    assert_true(frame->mark > 0 && frame->mark <= b->seen);
    b->dropped++;
}

/* What CoDel drops was seen as sent, is told when it is dropped, and does not arrive. */
static void codel_tells_what_it_drops(void **state)
{
    (void)state;
    struct hf_lab_link_config config = {.path = {.rate_bps = 1000000, .queue = HF_PATH_CODEL}};
    struct bench *b = bench_open(&config, 1);
    b->link.dropped = dropped;
    for (uint32_t i = 0; i < 400; i++) {
        hf_world_run(&b->world, HF_MS(4) * i);
        send_seq(b, i, 948); /* twice the rate */
    }
    hf_world_run(&b->world, HF_SEC(60));
    assert_int_equal(b->link.fates[HF_FATE_DELIVERED], 400);
    assert_true(b->dropped > 10);
    assert_int_equal(b->inbox.count + b->dropped, 400);
    assert_int_equal(b->link.path.stats.fates[HF_PATH_LOST_CODEL], b->dropped);
    assert_int_equal(b->world.frames_out, 0);
    bench_close(b);
}

static void send_flags(struct bench *b, uint32_t payload, uint16_t flags)
{
    hf_lab_link_send_frame(&b->link, make_frame(&b->world, false, 0, payload, 0, flags, false));
}

static void pure_acks_are_known(void **state)
{
    (void)state;
    struct bench *b = bench_open(&(struct hf_lab_link_config){.path.ack_loss_ppm = HF_PATH_PPM}, 1);
    static const struct {
        uint32_t payload;
        uint16_t flags;
        bool is_lost;
    } cases[] = {{0, HF_ACK, true},           {0, HF_ACK | HF_ECE, true},
                 {1, HF_ACK, false},          {0, HF_ACK | HF_SYN, false},
                 {0, HF_ACK | HF_FIN, false}, {0, HF_ACK | HF_RST, false},
                 {0, HF_SYN, false},          {0, HF_ACK | HF_PSH, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        send_flags(b, cases[i].payload, cases[i].flags);
        assert_int_equal(b->fates[i], cases[i].is_lost ? HF_FATE_LOST : HF_FATE_DELIVERED);
    }
    /* No TCP, or no packet at all. */
    struct hf_frame *f = make_frame(&b->world, true, 0, 0, 0, HF_ACK, false);
    assert_true(hf_packet_is_pure_ack(f->bytes, f->length_bytes));
    f->bytes[6] = HF_IP_PROTO_ICMPV6;
    assert_false(hf_packet_is_pure_ack(f->bytes, f->length_bytes));
    f->bytes[6] = HF_IP_PROTO_TCP;
    for (size_t n = 0; n < f->length_bytes; n++)
        assert_false(hf_packet_is_pure_ack(f->bytes, n));
    hf_frame_give(&b->world, f);
    bench_close(b);
}

static enum hf_fate decide(void *ctx, const struct hf_lab_link *link, const struct hf_frame *frame,
                           enum hf_fate planned)
{
    (void)frame;
    assert_int_equal(planned, link->packets == 1 ? HF_FATE_LOST : HF_FATE_DELIVERED);
    return ((const enum hf_fate *)ctx)[link->packets - 1];
}

static void a_decision_overrides_the_path(void **state)
{
    (void)state;
    enum hf_fate fates[] = {HF_FATE_DELIVERED, HF_FATE_LOST, HF_FATE_CORRUPTED, HF_FATE_DUPLICATED,
                            HF_FATE_OVERFLOW,  HF_FATE_LATE, HF_FATE_DELIVERED};
    struct hf_lab_link_config config = {
        .path.delay_ns = HF_MS(2), .lose_mask = 1, .decide = decide, .decide_ctx = fates};
    struct bench *b = bench_open(&config, 1);
    for (uint32_t i = 0; i < 7; i++)
        send_seq(b, i, 40);
    assert_memory_equal(b->fates, fates, sizeof fates);
    hf_world_run(&b->world, HF_SEC(1));
    assert_int_equal(b->inbox.count, 6);
    assert_int_equal(b->inbox.items[0].seq, 0);
    assert_false(b->inbox.items[1].good);
    assert_true(b->inbox.items[2].seq == 3 && b->inbox.items[3].seq == 3);
    assert_int_equal(b->inbox.items[4].seq, 6);
    assert_int_equal(b->inbox.items[5].seq, 5);
    assert_int_equal(b->inbox.items[5].at_ns, HF_MS(7)); /* later by twice the delay and 1 ms */
    bench_close(b);
}

/* Two neighbours that are to be swapped: the second takes the first along, both are shown late. */
static void of_two_swapped_neighbours_one_is_held(void **state)
{
    (void)state;
    struct bench *b = bench_open(&(struct hf_lab_link_config){.swap_mask = 3}, 1);
    for (uint32_t i = 0; i < 3; i++)
        send_seq(b, i, 40);
    hf_world_run(&b->world, HF_SEC(1));
    assert_int_equal(b->link.fates[HF_FATE_LATE], 2);
    static const uint32_t order[] = {1, 0, 2};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(b->inbox.items[i].seq, order[i]);
    bench_close(b);
}

/* ---- cutting ---- */

struct piece {
    uint32_t seq, payload_bytes;
    uint16_t flags, ip_id;
};

static size_t cut_all(struct hf_frame *f, struct hf_world *w, struct piece *pieces)
{
    size_t n = 0;
    f = hf_frame_cut(w, f);
    while (f != NULL) {
        struct hf_frame *next = f->next;
        struct hf_ip ip;
        struct hf_segment seg;
        uint32_t seq;
        assert_true(checksum_is_good(f->bytes, f->length_bytes, &seq));
        assert_int_equal(f->segment_bytes, 0);
        assert_int_equal(f->flags, 0);
        assert_int_equal(hf_ip_parse(f->bytes, f->length_bytes, &ip), HF_NONE);
        assert_int_equal(ip.header_bytes + ip.payload_bytes, f->length_bytes);
        const uint8_t *tcp = f->bytes + ip.header_bytes;
        assert_int_equal(hf_tcp_parse(tcp, ip.payload_bytes, &seg), HF_NONE);
        assert_int_equal(seg.ts_value, 77);
        assert_int_equal(hf_pattern_check(1, seg.seq, tcp + seg.header_bytes, seg.payload_bytes),
                         seg.payload_bytes);
        pieces[n++] = (struct piece){seg.seq, seg.payload_bytes, seg.flags, ip.id};
        hf_frame_give(w, f);
        f = next;
    }
    return n;
}

static void super_packets_are_cut_as_by_a_card(void **state)
{
    (void)state;
    struct hf_world w;
    struct piece p[64];
    hf_world_init(&w, 0);
    uint16_t flags = HF_ACK | HF_PSH | HF_FIN | HF_CWR | HF_ECE;
    for (int v6 = 0; v6 < 2; v6++)
        for (int partial = 0; partial < 2; partial++) {
            size_t n =
                cut_all(make_frame(&w, v6, UINT32_MAX - 999, 2501, 1000, flags, partial), &w, p);
            assert_int_equal(n, 3);
            assert_int_equal(p[0].seq, UINT32_MAX - 999);
            assert_int_equal(p[1].seq, 0); /* over the end of the number space */
            assert_int_equal(p[2].seq, 1000);
            assert_int_equal(p[2].payload_bytes, 501);
            assert_int_equal(p[0].flags, HF_ACK | HF_CWR | HF_ECE);
            assert_int_equal(p[1].flags, HF_ACK | HF_ECE);
            assert_int_equal(p[2].flags, HF_ACK | HF_ECE | HF_PSH | HF_FIN);
            assert_int_equal(p[1].ip_id, v6 ? 0 : 0xFFFF);
            assert_int_equal(p[2].ip_id, 0);
        }
    assert_int_equal(cut_all(make_frame(&w, false, 5, 60000, 1460, flags, true), &w, p), 42);
    assert_int_equal(cut_all(make_frame(&w, false, 5, 2000, 1000, flags, true), &w, p), 2);
    assert_int_equal(cut_all(make_frame(&w, false, 5, 1000, 1000, flags, true), &w, p), 1);
    assert_int_equal(p[0].flags, flags);
    assert_int_equal(cut_all(make_frame(&w, false, 5, 0, 0, flags, true), &w, p), 1);
    assert_int_equal(w.frames_out, 0);
    hf_world_free(&w);
}

/* A sender that puts a wrong sum into the field must not be healed by the lab. */
static void a_wrong_partial_checksum_stays_wrong(void **state)
{
    (void)state;
    struct hf_world w;
    uint32_t seq;
    hf_world_init(&w, 0);
    struct hf_frame *f = make_frame(&w, false, 5, 3000, 1000, HF_ACK, true);
    hf_put16(f->bytes + 36, (uint16_t)(hf_get16(f->bytes + 36) + 1));
    for (f = hf_frame_cut(&w, f); f != NULL;) {
        struct hf_frame *next = f->next;
        assert_false(checksum_is_good(f->bytes, f->length_bytes, &seq));
        hf_frame_give(&w, f);
        f = next;
    }
    f = make_frame(&w, true, 5, 30, 0, HF_ACK, true);
    hf_frame_fill(f);
    assert_true(checksum_is_good(f->bytes, f->length_bytes, &seq));
    hf_frame_give(&w, f);
    hf_world_free(&w);
}

static void a_link_cuts_or_carries_whole(void **state)
{
    (void)state;
    struct bench *b = bench_open(&(struct hf_lab_link_config){.cut = true, .lose_mask = 2}, 1);
    hf_lab_link_send_frame(&b->link, make_frame(&b->world, false, 0, 3000, 1000, HF_ACK, true));
    hf_world_run(&b->world, HF_SEC(1));
    assert_int_equal(b->seen, 3);
    assert_int_equal(b->inbox.count, 2);
    assert_int_equal(b->inbox.items[1].seq, 2000);
    bench_close(b);

    b = bench_open(&(struct hf_lab_link_config){.fill = false}, 1);
    hf_lab_link_send_frame(&b->link, make_frame(&b->world, false, 0, 3000, 1000, HF_ACK, true));
    hf_lab_link_send_frame(&b->link, make_frame(&b->world, false, 0, 30, 0, HF_ACK, true));
    hf_world_run(&b->world, HF_SEC(1));
    assert_int_equal(b->inbox.count, 2);
    assert_int_equal(b->inbox.items[0].segment_bytes, 1000);
    assert_int_equal(b->inbox.items[0].flags, HF_PACKET_CSUM_PARTIAL);
    assert_int_equal(b->inbox.items[1].flags, HF_PACKET_CSUM_PARTIAL);
    bench_close(b);

    b = bench_open(&(struct hf_lab_link_config){.fill = true, .corrupt_mask = 2}, 1);
    hf_lab_link_send_frame(&b->link, make_frame(&b->world, false, 0, 30, 0, HF_ACK, true));
    hf_lab_link_send_frame(&b->link, make_frame(&b->world, false, 0, 3000, 1000, HF_ACK, true));
    hf_world_run(&b->world, HF_SEC(1));
    assert_int_equal(b->inbox.items[0].flags, 0);
    assert_true(b->inbox.items[0].good);
    /* What was harmed carries no promise about its checksum. */
    assert_int_equal(b->inbox.items[1].flags, 0);
    assert_int_equal(b->inbox.items[1].segment_bytes, 0);
    assert_false(b->inbox.items[1].good);
    bench_close(b);
}

static void slices_are_gathered(void **state)
{
    (void)state;
    struct bench *b = bench_open(&(struct hf_lab_link_config){0}, 1);
    struct hf_frame *f = make_frame(&b->world, false, 11, 300, 0, HF_ACK, false);
    struct hf_slice slices[2] = {{f->bytes + 52, 100}, {f->bytes + 152, 200}};
    struct hf_out_packet out = {.header = f->bytes,
                                .header_bytes = 52,
                                .ip_bytes = 20,
                                .slices = slices,
                                .slice_count = 2,
                                .length_bytes = 352};
    hf_lab_link_send(&b->link, &out);
    hf_frame_give(&b->world, f);
    hf_world_run(&b->world, 0);
    assert_int_equal(b->inbox.count, 1);
    assert_true(b->inbox.items[0].good);
    assert_int_equal(b->inbox.items[0].length_bytes, 352);
    bench_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delay_and_rate_add_up),
        cmocka_unit_test(a_full_queue_drops_the_newest),
        cmocka_unit_test(masks_choose_packets_by_number),
        cmocka_unit_test(a_swapped_last_packet_arrives_in_the_end),
        cmocka_unit_test(silence_loses_everything_in_its_time),
        cmocka_unit_test(the_same_seed_gives_the_same_bytes),
        cmocka_unit_test(a_link_has_room_for_all),
        cmocka_unit_test(a_rate_may_change),
        cmocka_unit_test(codel_tells_what_it_drops),
        cmocka_unit_test(pure_acks_are_known),
        cmocka_unit_test(a_decision_overrides_the_path),
        cmocka_unit_test(of_two_swapped_neighbours_one_is_held),
        cmocka_unit_test(super_packets_are_cut_as_by_a_card),
        cmocka_unit_test(a_wrong_partial_checksum_stays_wrong),
        cmocka_unit_test(a_link_cuts_or_carries_whole),
        cmocka_unit_test(slices_are_gathered),
    };
    return cmocka_run_group_tests_name("lab_link", tests, NULL, NULL);
}
