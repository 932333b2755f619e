/* Entries whose 32-bit hashes are equal are told apart all the same: tuples, local addresses and
 * the counts of remote addresses. The pairs are found by trying, as an attacker without the key
 * can't. */
#include <stdlib.h>

#include "core/handle.h"
#include "core/tuples.h"
#include "opening.h"

enum { FAMILY = 1 << 16, ROUNDS_MOST = 64 };

/* What candidate i of a family is hashed to. */
typedef uint32_t hash_fn(const struct bench *b, uint32_t round, uint32_t i);

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

typedef bool wanted_fn(uint32_t x, uint32_t y);

static bool any_pair(uint32_t x, uint32_t y)
{
    return x != y;
}

/* Two candidates of one round with the same hash; the test fails if none are found. */
static void find_pair(const struct bench *b, hash_fn *hash, wanted_fn *wanted, uint32_t *round,
                      uint32_t pair[2])
{
    static uint64_t family[FAMILY];
    for (*round = 0; *round < ROUNDS_MOST; ++*round) {
        for (uint32_t i = 0; i < FAMILY; i++)
            family[i] = (uint64_t)hash(b, *round, i) << 32 | i;
        qsort(family, FAMILY, sizeof *family, compare);
        for (size_t k = 1; k < FAMILY; k++) {
            pair[0] = (uint32_t)family[k - 1];
            pair[1] = (uint32_t)family[k];
            if (family[k] >> 32 == family[k - 1] >> 32 && wanted(pair[0], pair[1]))
                return;
        }
    }
    fail_msg("no two of the same hash");
}

/* ---- tuples ---- */

static struct hf_addr addr_of(uint8_t second, uint32_t i)
{
    return hf_addr_v4(10, second, (uint8_t)(i >> 8), (uint8_t)i);
}

/* In one thing they differ, in the others they are equal. */
enum part { REMOTE_PORT, LOCAL_PORT, REMOTE_ADDRESS, LOCAL_ADDRESS, PART_COUNT };
static enum part differing;

static void ends_of(uint32_t round, uint32_t i, struct hf_endpoint *local,
                    struct hf_endpoint *remote)
{
    uint16_t other = (uint16_t)(2000 + round), port = (uint16_t)i;
    *local = (struct hf_endpoint){addr_of(1, 0x101), other};
    *remote = (struct hf_endpoint){addr_of(2, 0x101), other};
    if (differing == REMOTE_PORT)
        remote->port = port;
    else if (differing == LOCAL_PORT)
        local->port = port;
    else if (differing == REMOTE_ADDRESS)
        remote->addr = addr_of(2, i);
    else
        local->addr = addr_of(1, i);
}

static uint32_t hash_tuple(const struct bench *b, uint32_t round, uint32_t i)
{
    struct hf_endpoint local, remote;
    ends_of(round, i, &local, &remote);
    return hf_tuple_hash(b->rig.stack, &local, &remote);
}

/* Neither with port 0, nor the network's own address. */
static bool both_are_ends(uint32_t x, uint32_t y)
{
    return (x & 255u) != 0 && (y & 255u) != 0;
}

/* A byte of each at a time, and all in one batch. */
static void send_by_turns(struct bench *b, struct hf_peer *peers)
{
    enum { COUNT = 8, BYTES = 64 };
    static uint8_t whole[COUNT][65535];
    struct hf_packet packets[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        struct hf_peer *p = &peers[i % 2];
        struct hf_segment seg = {.source_port = p->here.port,
                                 .destination_port = p->there.port,
                                 .seq = p->snd_nxt++,
                                 .ack = p->rcv_nxt,
                                 .flags = HF_ACK,
                                 .window = 1000,
                                 .payload_bytes = 1};
        uint8_t byte = 0;
        uint32_t n = hf_peer_packet(p, &seg, &byte, whole[i]);
        assert_in_range(n, 1, BYTES);
        packets[i] = (struct hf_packet){.bytes = whole[i], .length_bytes = n};
    }
    hf_stack_input(b->rig.stack, packets, COUNT, bench_now(b));
}

static void tuples_of_one_hash_are_two_connections(void **state)
{
    (void)state;
    for (differing = 0; differing < PART_COUNT; differing++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, false, 1);
        b.listener = bench_listen(&b, &(struct hf_listen){0});
        uint32_t round, pair[2];
        find_pair(&b, hash_tuple, both_are_ends, &round, pair);
        struct hf_peer peers[2];
        hf_handle conns[2];
        for (uint32_t k = 0; k < 2; k++) {
            hf_peer_open(&peers[k], &b.rig, false, 1, 1, 1000 * k);
            ends_of(round, pair[k], &peers[k].there, &peers[k].here);
            assert_true(hf_peer_connect(&peers[k], "<mss 1460>"));
            conns[k] = bench_event(&b, HF_EV_ACCEPTED);
            assert_true(conns[k] != 0);
        }
        for (uint32_t k = 0; k < 2; k++) {
            hf_peer_send(&peers[k], k == 0 ? "P. seq 1:6 ack 1" : "P. seq 1:4 ack 1");
            assert_true(bench_event(&b, HF_EV_READABLE) == conns[k]);
        }
        uint8_t bytes[8];
        assert_int_equal(hf_receive(b.rig.stack, conns[0], bytes, 8, bench_now(&b)), 5);
        assert_int_equal(hf_receive(b.rig.stack, conns[1], bytes, 8, bench_now(&b)), 3);
        send_by_turns(&b, peers);
        assert_int_equal(hf_receive(b.rig.stack, conns[0], bytes, 8, bench_now(&b)), 4);
        assert_int_equal(hf_receive(b.rig.stack, conns[1], bytes, 8, bench_now(&b)), 4);
        hf_peer_skip(&peers[0]);
        hf_peer_skip(&peers[1]);
        hf_peer_send(&peers[0], "R seq 10");
        assert_int_equal(hf_peer_state(&peers[0]), HF_CLOSED);
        assert_int_equal(hf_peer_state(&peers[1]), HF_ESTABLISHED);
        bench_close(&b);
    }
}

/* ---- local addresses ---- */

static uint32_t hash_local(const struct bench *b, uint32_t round, uint32_t i)
{
    struct hf_addr addr = addr_of((uint8_t)(1 + round), i);
    return (uint32_t)hf_siphash13_pair(&b->rig.stack->p.table_key, hf_get64(addr.octets),
                                       hf_get64(addr.octets + 8));
}

/* The third connection asks for the first address again, when the second was the last one taken. */
static void local_addresses_of_one_hash_are_two(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 1);
    b.listener = bench_listen(&b, &(struct hf_listen){0});
    uint32_t round, pair[2];
    find_pair(&b, hash_local, any_pair, &round, pair);
    for (uint32_t k = 0; k < 4; k++) {
        struct hf_peer peer = bench_peer(&b, 2, (uint16_t)(4000 + k), 1000);
        peer.there.addr = addr_of((uint8_t)(1 + round), pair[k % 2]);
        assert_true(hf_peer_connect(&peer, "<mss 1460>"));
        hf_handle conn = bench_event(&b, HF_EV_ACCEPTED);
        assert_true(conn != 0);
        struct hf_info info = bench_info(&b, conn);
        assert_true(hf_addr_equal(&info.local.addr, &peer.there.addr));
        assert_int_equal(b.rig.stack->locals.used, k == 0 ? 1 : 2);
    }
    const struct hf_stack *s = b.rig.stack;
    assert_int_equal(hf_local_at(s, 0)->hash, hf_local_at(s, 1)->hash);
    bench_close(&b);
}

/* ---- counts of remote addresses ---- */

static hf_handle listeners[2];

static struct hf_addr remote_of(uint32_t round, uint32_t i)
{
    return addr_of((uint8_t)(2 + round), i & ~1u);
}

static uint32_t hash_count(const struct bench *b, uint32_t round, uint32_t i)
{
    struct hf_addr addr = remote_of(round, i);
    uint64_t words[3] = {0, 0, hf_handle_slot(listeners[i % 2])};
    memcpy(words, addr.octets, sizeof addr.octets);
    return (uint32_t)hf_siphash13_words(&b->rig.stack->p.table_key, words, 3);
}

static bool connects(struct bench *b, const struct hf_addr *from, uint32_t listener, uint16_t port)
{
    struct hf_peer peer;
    hf_peer_open(&peer, &b->rig, false, port, (uint16_t)(80 + listener), 1000);
    peer.here.addr = *from;
    hf_peer_send(&peer, "S seq 0");
    if (!hf_peer_pop(&peer))
        return false;
    hf_peer_send(&peer, ". ack 1");
    return bench_event(b, HF_EV_ACCEPTED) != 0;
}

static bool of_one_listener(uint32_t x, uint32_t y)
{
    return (x ^ y) % 2 == 0;
}

static bool of_two_listeners(uint32_t x, uint32_t y)
{
    return (x ^ y) % 2 == 1;
}

/* Each may have its one connection, and no more than that. */
static void counts_of_one_hash_are_two(void **state)
{
    (void)state;
    static wanted_fn *const wanted[] = {of_one_listener, of_two_listeners};
    for (size_t w = 0; w < HF_COUNT_OF(wanted); w++) {
        struct bench b;
        bench_init(&b);
        bench_open(&b, false, 1);
        for (uint16_t k = 0; k < 2; k++) {
            struct hf_listen what = {.port = (uint16_t)(80 + k), .max_per_remote = 1};
            listeners[k] = bench_listen(&b, &what);
        }
        uint32_t round, pair[2];
        find_pair(&b, hash_count, wanted[w], &round, pair);
        for (uint16_t k = 0; k < 4; k++) {
            struct hf_addr from = remote_of(round, pair[k % 2]);
            assert_int_equal(connects(&b, &from, pair[k % 2] % 2, (uint16_t)(4000 + k)), k < 2);
        }
        bench_close(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tuples_of_one_hash_are_two_connections),
        cmocka_unit_test(local_addresses_of_one_hash_are_two),
        cmocka_unit_test(counts_of_one_hash_are_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
