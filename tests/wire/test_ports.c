/* Ports to connect from, when nearly all towards one destination are taken: by connections, by
 * TIME-WAIT, by half-open entries, by listeners [RFC6056]. */
#include "opening.h"

enum { PORT_MIN = 20000, PORTS = 3000 };

static hf_handle conns[PORTS];

static void open_narrow(struct bench *b)
{
    bench_init(b);
    b->config.port_min = PORT_MIN;
    b->config.port_max = PORT_MIN + PORTS - 1;
    bench_open(b, false, 1000);
}

static int connect_to(struct bench *b, const struct hf_endpoint *remote, hf_handle *conn)
{
    struct hf_connect what = {.remote = *remote};
    return hf_connect(b->rig.stack, &what, conn, bench_now(b));
}

static uint16_t port_of(const struct bench *b, hf_handle conn)
{
    return bench_info(b, conn).local.port;
}

/* Takes all ports towards the peer that are left: each once, then none. */
static size_t take_all(struct bench *b)
{
    static bool taken[PORTS];
    memset(taken, 0, sizeof taken);
    size_t n = 0;
    while (connect_to(b, &b->peer.here, &conns[n]) == HF_OK) {
        uint16_t port = port_of(b, conns[n++]);
        assert_in_range(port, PORT_MIN, PORT_MIN + PORTS - 1);
        assert_false(taken[port - PORT_MIN]);
        taken[port - PORT_MIN] = true;
        if (n == PORTS)
            break;
    }
    hf_handle none;
    assert_int_equal(connect_to(b, &b->peer.here, &none), HF_E_PORTS);
    hf_rig_pull(&b->rig);
    return n;
}

static void let_go(struct bench *b, hf_handle conn)
{
    assert_int_equal(hf_abort(b->rig.stack, conn, bench_now(b)), HF_OK);
    while (hf_rig_event(&b->rig).bits != 0)
        continue;
}

/* The last free port is found wherever it is, and when there is none that is said: whether most
 * connections of the stack are to this destination, or few of very many. */
static void find_the_last_port(size_t others)
{
    struct bench b;
    open_narrow(&b);
    for (size_t i = 0; i < others; i++) {
        struct hf_endpoint remote = {hf_addr_v4(10, 0, 1, 1), (uint16_t)(1 + i)};
        hf_handle conn;
        assert_int_equal(connect_to(&b, &remote, &conn), HF_OK);
    }
    assert_int_equal(take_all(&b), PORTS);
    struct hf_endpoint elsewhere = b.peer.here;
    elsewhere.port++;
    hf_handle other;
    assert_int_equal(connect_to(&b, &elsewhere, &other), HF_OK);
    for (size_t i = 0; i < PORTS; i += 37) {
        uint16_t port = port_of(&b, conns[i]);
        let_go(&b, conns[i]);
        assert_int_equal(connect_to(&b, &b.peer.here, &conns[i]), HF_OK);
        assert_int_equal(port_of(&b, conns[i]), port);
        assert_int_equal(connect_to(&b, &b.peer.here, &other), HF_E_PORTS);
    }
    bench_close(&b);
}

static void the_last_port_is_found(void **state)
{
    (void)state;
    find_the_last_port(0);
}

static void the_last_port_is_found_beside_many_connections(void **state)
{
    (void)state;
    find_the_last_port((size_t)4 * PORTS);
}

/* A listener that goes lets go of its port. */
static void a_closed_listeners_port_is_free(void **state)
{
    (void)state;
    struct bench b;
    open_narrow(&b);
    hf_handle listener = bench_listen(&b, &(struct hf_listen){.port = PORT_MIN + 5}), conn;
    assert_int_equal(take_all(&b), PORTS - 1);
    assert_int_equal(hf_close(b.rig.stack, listener, bench_now(&b)), HF_OK);
    assert_int_equal(connect_to(&b, &b.peer.here, &conn), HF_OK);
    assert_int_equal(port_of(&b, conn), PORT_MIN + 5);
    bench_close(&b);
}

/* Tuples that are no connections of ours hold their ports as well, and so do listeners. */
static void ports_held_by_others_are_left_alone(void **state)
{
    (void)state;
    struct bench b;
    open_narrow(&b);
    bench_listen(&b, &(struct hf_listen){.port = 0}); /* any port: takes none of them by itself */
    bench_listen(&b, &(struct hf_listen){.port = PORT_MIN + 5});
    struct hf_peer half_open = b.peer, leaving = b.peer;
    half_open.there.port = PORT_MIN + 6;
    hf_peer_send(&half_open, "S seq 0 win 1000");
    leaving.there.port = PORT_MIN + 7;
    assert_true(hf_peer_connect(&leaving, ""));
    hf_handle left = bench_event(&b, HF_EV_ACCEPTED);
    assert_int_equal(hf_close(b.rig.stack, left, bench_now(&b)), HF_OK);
    hf_rig_pull(&b.rig);
    hf_peer_send(&leaving, "F. seq 1 ack 2");
    assert_true(bench_event(&b, HF_EV_CLOSED) != 0);
    assert_int_equal(hf_peer_state(&leaving), HF_TIME_WAIT);
    assert_int_equal(take_all(&b), PORTS - 3);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_port_is_found),
        cmocka_unit_test(the_last_port_is_found_beside_many_connections),
        cmocka_unit_test(a_closed_listeners_port_is_free),
        cmocka_unit_test(ports_held_by_others_are_left_alone),
    };
    return cmocka_run_group_tests_name("wire_ports", tests, NULL, NULL);
}
