/* What strangers must not foretell is made from the stack's own seed: who knows another stack's
 * numbers, timestamps, ports and places in the table for the same addresses knows nothing of this
 * one's. */
#include "core/tuples.h"
#include "opening.h"

enum { STACKS = 8, PORTS = 60000 };

/* What a stack of this seed chooses for its first connections, to the peer and to another host. */
struct chosen {
    uint32_t iss, timestamp, hash;
    uint16_t port[2];
};

static struct chosen choices_of(uint64_t seed)
{
    struct bench b;
    bench_init(&b);
    b.config.port_min = 1;
    b.config.port_max = PORTS;
    struct hf_rig_config config = {.config = &b.config, .seed = seed};
    assert_int_equal(hf_rig_open(&b.rig, &config), HF_OK);
    hf_peer_open(&b.peer, &b.rig, false, 4000, 80, 1000);
    struct chosen c;
    (void)bench_connect(&b);
    assert_true(hf_peer_expect(&b.peer, "S seq 0"));
    c.iss = b.peer.last.segment.seq;
    c.timestamp = b.peer.last.segment.ts_value;
    c.hash = hf_tuple_hash(b.rig.stack, &b.peer.there, &b.peer.here);
    for (uint8_t i = 0; i < 2; i++) {
        struct hf_connect what = {.remote = bench_peer(&b, 2 + i, 5000, 1).here};
        hf_handle conn;
        assert_int_equal(hf_connect(b.rig.stack, &what, &conn, bench_now(&b)), HF_OK);
        c.port[i] = bench_info(&b, conn).local.port;
    }
    bench_close(&b);
    return c;
}

/* The initial number that a SYN is answered with where nothing is kept of it. */
static uint32_t cookie_of(uint64_t seed)
{
    struct bench b;
    bench_init(&b);
    b.config.syn_cookies = 2;
    struct hf_rig_config config = {.config = &b.config, .seed = seed};
    assert_int_equal(hf_rig_open(&b.rig, &config), HF_OK);
    hf_peer_open(&b.peer, &b.rig, false, 4000, 80, 1000);
    bench_listen(&b, &(struct hf_listen){.port = 80});
    hf_peer_send(&b.peer, "S seq 0");
    assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
    assert_int_equal(bench_sizes(&b).half_open, 0);
    uint32_t cookie = b.peer.last.segment.seq;
    bench_close(&b);
    return cookie;
}

/* covers: MUST-9, SHLD-1 */
static void stacks_of_other_seeds_choose_otherwise(void **state)
{
    (void)state;
    struct chosen c[STACKS];
    uint32_t cookies[STACKS];
    for (size_t i = 0; i < STACKS; i++) {
        c[i] = choices_of(i + 1);
        cookies[i] = cookie_of(i + 1);
        for (size_t k = 0; k < i; k++) {
            assert_int_not_equal(cookies[i], cookies[k]);
            assert_int_not_equal(c[i].iss, c[k].iss);
            assert_int_not_equal(c[i].timestamp, c[k].timestamp);
            assert_int_not_equal(c[i].hash, c[k].hash);
            assert_int_not_equal(c[i].port[0], c[k].port[0]);
            /* Nor does one port tell of the next: each destination has an offset of its own. */
            int apart = c[i].port[1] - c[i].port[0] - (c[k].port[1] - c[k].port[0]);
            assert_int_not_equal(apart % PORTS, 0);
        }
    }
}

static void stacks_of_one_seed_choose_alike(void **state)
{
    (void)state;
    struct chosen a = choices_of(1), b = choices_of(1);
    assert_memory_equal(&a, &b, sizeof a);
    assert_int_equal(cookie_of(1), cookie_of(1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stacks_of_other_seeds_choose_otherwise),
        cmocka_unit_test(stacks_of_one_seed_choose_alike),
    };
    return cmocka_run_group_tests_name("secrets", tests, NULL, NULL);
}
