/* Packets that are handed over together mean what they mean one by one: what an earlier one makes
 * or ends is so for a later one, although all were taken apart before. And a hint is but a hint. */
#include <stdlib.h>

#include "opening.h"

enum { PACKETS = 70, PACKET_BYTES = 128, SAVED_BYTES = 4 * 1024 * 1024 };

struct batch {
    uint8_t bytes[PACKETS][PACKET_BYTES];
    struct hf_packet packets[PACKETS];
    size_t count;
};

static void add(struct batch *t, const struct hf_peer *p, struct hf_segment seg)
{
    uint8_t whole[65535], payload[PACKET_BYTES] = {0};
    uint32_t n = hf_peer_packet(p, &seg, payload, whole);
    assert_in_range(n, 1, PACKET_BYTES);
    memcpy(t->bytes[t->count], whole, n);
    t->packets[t->count] = (struct hf_packet){t->bytes[t->count], n, 0, 0};
    t->count++;
}

/* On a connection: data, the same again, a FIN, more behind it. Beside it a peer after the other
 * opens, does so again, and resets what was made of it; and what is no segment at all. */
static void fill(struct batch *t, const struct hf_peer *conn)
{
    struct hf_peer other = *conn;
    uint32_t seq = conn->snd_nxt, ack = conn->rcv_nxt;
    t->count = 0;
    for (uint16_t i = 0; t->count + 9 <= PACKETS; i++) {
        other.here.port = (uint16_t)(5000 + i);
        struct hf_segment data = {
            .seq = seq, .ack = ack, .flags = HF_ACK, .window = 1000, .payload_bytes = 10};
        add(t, conn, data);
        add(t, &other, (struct hf_segment){.seq = 7, .flags = HF_SYN, .window = 1000});
        add(t, &other, (struct hf_segment){.seq = 7, .flags = HF_SYN, .window = 1000});
        add(t, conn, data);
        t->packets[t->count - 1].length_bytes = i; /* cut off, anywhere */
        add(t, &other, (struct hf_segment){.seq = 9, .flags = HF_SYN, .has_mss = true});
        t->bytes[t->count - 1][41] = 1; /* the option's length: none can be so short */
        t->packets[t->count - 1].flags = HF_PACKET_CSUM_VALID;
        add(t, conn, data); /* so that the other is not the one found last */
        if (i % 2 == 0)
            add(t, &other, (struct hf_segment){.seq = 8, .flags = HF_RST});
        add(t, conn, data);
        t->bytes[t->count - 1][26] ^= 1; /* its checksum is wrong */
        seq += 10;
    }
    add(t, conn, (struct hf_segment){.seq = seq, .ack = ack, .flags = HF_ACK | HF_FIN});
}

/* SYNs of as many peers as a batch holds, the first of them from this port. */
static void strangers_come(struct bench *b, uint16_t port)
{
    struct batch t = {.count = 0};
    while (t.count < PACKETS) {
        struct hf_peer other = b->peer;
        other.here.port = (uint16_t)(port + t.count);
        add(&t, &other, (struct hf_segment){.seq = 7, .flags = HF_SYN, .window = 1000});
    }
    hf_stack_input(b->rig.stack, t.packets, t.count, bench_now(b));
}

/* Nothing is known yet, no table was made; then there are others, one beside the other, and then
 * they come again. */
static void strangers_in_a_batch_are_strangers(void **state)
{
    enum { MANY = 100 };
    (void)state;
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 1000);
    strangers_come(&b, 5000);
    assert_int_equal(bench_count(&b, HF_RST_NO_LISTENER), PACKETS);
    bench_listen(&b, &(struct hf_listen){.port = 80});
    for (uint32_t n = 1; n <= MANY; n++) {
        strangers_come(&b, (uint16_t)(5000 + n * PACKETS));
        assert_int_equal(bench_sizes(&b).half_open, n * PACKETS);
    }
    /* Now all are known, though some buckets of the table have run over. */
    for (uint32_t n = 1; n <= MANY; n++)
        strangers_come(&b, (uint16_t)(5000 + n * PACKETS));
    assert_int_equal(bench_sizes(&b).half_open, MANY * PACKETS);
    assert_int_equal(bench_count(&b, HF_RST_NO_LISTENER), PACKETS);
    bench_close(&b);
}

static size_t save(const struct bench *b, uint8_t *saved)
{
    size_t n = hf_stack_save(b->rig.stack, saved, SAVED_BYTES, bench_now(b));
    assert_in_range(n, 1, SAVED_BYTES);
    return n;
}

static void open_connected(struct bench *b)
{
    bench_init(b);
    bench_open(b, false, 1000);
    b->listener = bench_listen(b, &(struct hf_listen){.port = 80});
    assert_true(hf_peer_connect(&b->peer, "<mss 1460>"));
    b->conn = bench_event(b, HF_EV_ACCEPTED);
}

/* The state that `count` packets lead to, `at_once` of them in a call; its size. */
static size_t state_after(size_t at_once, uint8_t *saved)
{
    struct bench b;
    struct batch t;
    open_connected(&b);
    fill(&t, &b.peer);
    for (size_t i = 0; i < t.count; i += at_once) {
        size_t n = hf_min_size(at_once, t.count - i);
        hf_stack_input(b.rig.stack, t.packets + i, n, bench_now(&b));
    }
    assert_int_equal(bench_info(&b, b.conn).state, HF_CLOSE_WAIT);
    assert_in_range(bench_sizes(&b).half_open, 1, PACKETS);
    size_t n = save(&b, saved);
    bench_close(&b);
    return n;
}

static void a_batch_is_its_packets_one_by_one(void **state)
{
    (void)state;
    static const size_t sizes[] = {2, 3, 4, 31, 32, 33, PACKETS};
    uint8_t *one_by_one = malloc(SAVED_BYTES), *together = malloc(SAVED_BYTES);
    assert_non_null(one_by_one);
    assert_non_null(together);
    size_t n = state_after(1, one_by_one);
    for (size_t i = 0; i < HF_COUNT_OF(sizes); i++) {
        assert_int_equal(state_after(sizes[i], together), n);
        assert_memory_equal(together, one_by_one, n);
    }
    free(one_by_one);
    free(together);
}

static void a_hint_changes_nothing(void **state)
{
    (void)state;
    struct bench b;
    open_connected(&b);
    uint8_t *before = malloc(SAVED_BYTES), *after = malloc(SAVED_BYTES);
    assert_non_null(before);
    assert_non_null(after);
    const hf_handle handles[] = {b.conn, b.listener, 0, UINT64_MAX, b.conn + 1, b.conn + 100000};
    size_t n = save(&b, before);
    hf_prefetch(b.rig.stack, handles, HF_COUNT_OF(handles));
    hf_prefetch(b.rig.stack, NULL, 0);
    assert_int_equal(save(&b, after), n);
    assert_memory_equal(after, before, n);
    free(before);
    free(after);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_is_its_packets_one_by_one),
        cmocka_unit_test(strangers_in_a_batch_are_strangers),
        cmocka_unit_test(a_hint_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
