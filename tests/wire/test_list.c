/* What hf_iterate and hf_info say of entries of each kind: one line each, and one only. */
#include "opening.h"

enum { LINES_MAX = 8 };

struct list {
    struct hf_tuple lines[LINES_MAX];
    size_t count;
};

static struct list list_of(const struct bench *b)
{
    struct list l = {.count = 0};
    uint64_t cursor = 0;
    struct hf_tuple t;
    while (hf_iterate(b->rig.stack, &cursor, &t)) {
        assert_in_range(l.count, 0, LINES_MAX - 1);
        l.lines[l.count++] = t;
    }
    return l;
}

/* The only line but for the listener's. */
static struct hf_tuple only_line(const struct bench *b, enum hf_kind kind, enum hf_state state)
{
    struct list l = list_of(b);
    assert_int_equal(l.count, 2);
    assert_int_equal(l.lines[0].kind, HF_KIND_LISTENER);
    assert_int_equal(l.lines[0].handle, b->listener);
    assert_int_equal(l.lines[1].kind, kind);
    assert_int_equal(l.lines[1].state, state);
    assert_int_equal(l.lines[1].remote.port, b->peer.here.port);
    return l.lines[1];
}

static void open_listening(struct bench *b)
{
    bench_init(b);
    bench_open(b, false, 1000);
    b->listener = bench_listen(b, &(struct hf_listen){.port = 80});
}

static void half_open_then_connection(void **state)
{
    (void)state;
    struct bench b;
    open_listening(&b);
    hf_peer_send(&b.peer, "S seq 0 win 1000");
    struct hf_tuple t = only_line(&b, HF_KIND_HALF_OPEN, HF_SYN_RCVD);
    struct hf_info info;
    assert_int_equal(t.handle, 0);
    assert_int_equal(hf_info(b.rig.stack, t.handle, &info), HF_E_HANDLE);
    assert_int_equal(hf_info(b.rig.stack, b.listener, &info), HF_E_HANDLE);
    assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
    assert_int_equal(t.snd_nxt, b.peer.last.segment.seq + 1);
    assert_int_equal(t.rcv_nxt, b.peer.last.segment.ack);
    hf_peer_send(&b.peer, ". seq 1 ack 1");
    t = only_line(&b, HF_KIND_CONN, HF_ESTABLISHED);
    assert_int_equal(t.handle, bench_event(&b, HF_EV_ACCEPTED));
    assert_int_equal(bench_info(&b, t.handle).state, HF_ESTABLISHED);
    bench_close(&b);
}

/* The connection was shut down by our side first and has data to be read; its tuple is held by a
 * time-wait entry, or, without room for one, by itself. */
static void reach_time_wait(struct bench *b)
{
    assert_true(hf_peer_connect(&b->peer, "<mss 1460>"));
    b->conn = bench_event(b, HF_EV_ACCEPTED);
    assert_int_equal(hf_shutdown(b->rig.stack, b->conn, bench_now(b)), HF_OK);
    hf_rig_pull(&b->rig);
    hf_peer_send(&b->peer, "P. seq 1:11 ack 2");
    hf_peer_send(&b->peer, "F. seq 11 ack 2");
    hf_peer_skip(&b->peer);
}

static void check_deadline(const struct hf_tuple *t, hf_ns at)
{
    assert_true(t->deadline_ns >= at && t->deadline_ns < at + HF_MS(1));
}

/* As long as the application has the connection it stands for both, with its handle and the state
 * that hf_info tells; then the entry stands for itself. */
static void time_wait_is_listed_once(void **state)
{
    (void)state;
    struct bench b;
    open_listening(&b);
    reach_time_wait(&b);
    hf_ns end = bench_now(&b) + HF_SEC(60);
    assert_int_equal(bench_sizes(&b).time_wait, 1);
    struct hf_tuple t = only_line(&b, HF_KIND_CONN, HF_TIME_WAIT);
    assert_int_equal(t.handle, b.conn);
    check_deadline(&t, end);
    assert_int_equal(bench_info(&b, b.conn).state, HF_TIME_WAIT);
    assert_int_equal(hf_close(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
    t = only_line(&b, HF_KIND_CONN, HF_TIME_WAIT); /* its closed event is to be pulled yet */
    assert_true(bench_event(&b, HF_EV_CLOSED) != 0);
    t = only_line(&b, HF_KIND_TIME_WAIT, HF_TIME_WAIT);
    assert_int_equal(t.handle, 0);
    check_deadline(&t, end);
    hf_rig_wait(&b.rig, HF_SEC(61));
    assert_int_equal(list_of(&b).count, 1);
    bench_close(&b);
}

/* The entry is over and the application has not let go: closed, says one as well as the other. */
static void over_but_not_let_go(void **state)
{
    (void)state;
    struct bench b;
    open_listening(&b);
    reach_time_wait(&b);
    hf_rig_wait(&b.rig, HF_SEC(61));
    assert_int_equal(bench_sizes(&b).time_wait, 0);
    struct hf_tuple t = only_line(&b, HF_KIND_CONN, HF_CLOSED);
    assert_int_equal(t.deadline_ns, HF_NEVER);
    assert_int_equal(bench_info(&b, b.conn).state, HF_CLOSED);
    bench_close(&b);
}

/* The same without room for an entry. */
static void time_wait_without_an_entry(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    b.config.max_time_wait = 0;
    bench_open(&b, false, 1000);
    b.listener = bench_listen(&b, &(struct hf_listen){.port = 80});
    reach_time_wait(&b);
    hf_ns end = bench_now(&b) + HF_SEC(60);
    struct hf_tuple t = only_line(&b, HF_KIND_CONN, HF_TIME_WAIT);
    assert_int_equal(t.handle, b.conn);
    check_deadline(&t, end);
    assert_int_equal(hf_close(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
    assert_true(bench_event(&b, HF_EV_CLOSED) != 0);
    t = only_line(&b, HF_KIND_TIME_WAIT, HF_TIME_WAIT);
    check_deadline(&t, end);
    assert_int_equal(t.handle, 0);
    struct hf_info info;
    assert_int_equal(hf_info(b.rig.stack, b.conn, &info), HF_E_HANDLE);
    bench_close(&b);
}

/* A newer SYN takes the tuple while the application still has the old connection, and the new one
 * ends in TIME-WAIT as well: each connection stands for itself, the entry only for its own. */
static void old_and_new_connection(void **state)
{
    (void)state;
    struct bench b;
    open_listening(&b);
    reach_time_wait(&b);
    hf_handle old = b.conn;
    hf_rig_wait(&b.rig, HF_SEC(1));
    while (hf_rig_event(&b.rig).bits != 0)
        continue;
    b.peer.iss += 100000;
    b.peer.irs_known = false;
    reach_time_wait(&b);
    struct list l = list_of(&b);
    assert_int_equal(l.count, 3);
    for (size_t i = 1; i < l.count; i++) {
        assert_int_equal(l.lines[i].kind, HF_KIND_CONN);
        assert_int_equal(l.lines[i].state, l.lines[i].handle == old ? HF_CLOSED : HF_TIME_WAIT);
        assert_true(l.lines[i].handle == old || l.lines[i].handle == b.conn);
    }
    bench_close(&b);
}

/* A newer SYN holds the tuple, the TIME-WAIT below it runs on: it can come back, and is told as
 * what it is. With an entry, and without room for one. */
static void open_shadowed(struct bench *b, bool entry, hf_ns *end)
{
    bench_init(b);
    b->config.max_time_wait = entry;
    bench_open(b, false, 1000);
    b->listener = bench_listen(b, &(struct hf_listen){.port = 80});
    reach_time_wait(b);
    *end = bench_now(b) + HF_SEC(60);
    while (hf_rig_event(&b->rig).bits != 0)
        continue;
    hf_rig_wait(&b->rig, HF_SEC(1));
    b->peer.iss += 100000;
    b->peer.irs_known = false;
    hf_peer_send(&b->peer, "S seq 0");
    assert_true(hf_peer_expect(&b->peer, "S. seq 0 ack 1"));
}

static void a_shadowed_time_wait_is_listed_once(void **state)
{
    (void)state;
    for (int entry = 0; entry < 2; entry++)
        for (int gone = 0; gone < 2; gone++) {
            struct bench b;
            hf_ns end;
            open_shadowed(&b, entry, &end);
            if (gone)
                assert_int_equal(hf_close(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
            else
                assert_int_equal(bench_info(&b, b.conn).state, HF_TIME_WAIT);
            struct list l = list_of(&b);
            assert_int_equal(l.count, 3);
            bool half_first = l.lines[1].kind == HF_KIND_HALF_OPEN;
            const struct hf_tuple *t = &l.lines[1 + half_first];
            assert_int_equal(l.lines[2 - half_first].kind, HF_KIND_HALF_OPEN);
            assert_int_equal(t->kind, gone ? HF_KIND_TIME_WAIT : HF_KIND_CONN);
            assert_int_equal(t->state, HF_TIME_WAIT);
            assert_int_equal(t->handle, gone ? 0 : b.conn);
            check_deadline(t, end);
            assert_int_equal(hf_peer_state(&b.peer), HF_SYN_RCVD);
            bench_close(&b);
        }
}

/* The SYN comes to nothing by time, while the stack talks to somebody else. */
static void a_shadowed_time_wait_comes_back_by_itself(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    b.config.synack_retries = 1;
    bench_open(&b, false, 1000);
    b.listener = bench_listen(&b, &(struct hf_listen){.port = 80});
    reach_time_wait(&b);
    hf_rig_wait(&b.rig, HF_SEC(1));
    b.peer.iss += 100000;
    b.peer.irs_known = false;
    hf_peer_send(&b.peer, "S seq 0");
    assert_true(hf_peer_expect(&b.peer, "S. seq 0 ack 1"));
    struct hf_peer other = bench_peer(&b, 3, 4001, 1000);
    hf_rig_wait(&b.rig, HF_SEC(2));
    assert_true(hf_peer_connect(&other, "<mss 1000>"));
    hf_rig_wait(&b.rig, HF_SEC(8));
    assert_int_equal(hf_peer_state(&b.peer), HF_TIME_WAIT);
    hf_peer_send(&other, "P. seq 1:11 ack 1");
    assert_true(hf_peer_expect(&other, ". seq 1 ack 11"));
    bench_close(&b);
}

/* hf_abort ends TIME-WAIT in the shadow too: whatever becomes of the SYN, nothing comes back. */
static void a_shadowed_time_wait_can_be_aborted(void **state)
{
    (void)state;
    static const char *const sequels[] = {". seq 1 ack 1", "R seq 1", NULL};
    for (int entry = 0; entry < 2; entry++)
        for (size_t i = 0; i < HF_COUNT_OF(sequels); i++) {
            struct bench b;
            hf_ns end;
            open_shadowed(&b, entry, &end);
            assert_int_equal(hf_abort(b.rig.stack, b.conn, bench_now(&b)), HF_OK);
            assert_int_equal(bench_sizes(&b).time_wait, 0);
            assert_int_equal(bench_sizes(&b).connections, 0);
            assert_int_equal(hf_peer_state(&b.peer), HF_SYN_RCVD);
            struct hf_info info;
            assert_int_equal(hf_info(b.rig.stack, b.conn, &info), HF_E_HANDLE);
            assert_true(bench_is_quiet(&b));
            if (sequels[i] != NULL)
                hf_peer_send(&b.peer, sequels[i]);
            else
                hf_rig_run(&b.rig, end + HF_SEC(400));
            hf_peer_skip(&b.peer);
            assert_int_equal(hf_peer_state(&b.peer), i == 0 ? HF_ESTABLISHED : HF_CLOSED);
            assert_int_equal(bench_sizes(&b).time_wait, 0);
            assert_int_equal(bench_sizes(&b).connections, i == 0);
            bench_close(&b);
        }
}

static void into_time_wait(struct bench *b, struct hf_peer *p, hf_handle conn)
{
    assert_int_equal(hf_close(b->rig.stack, conn, bench_now(b)), HF_OK);
    hf_rig_pull(&b->rig);
    hf_peer_skip(p);
    hf_peer_send(p, "F. seq 1 ack 2");
    assert_int_equal(bench_event(b, HF_EV_CLOSED), conn);
}

/* The memory of the connections that they were made for goes back, though others have some. */
static void time_waits_are_listed_without_their_connections(void **state)
{
    (void)state;
    enum { PEERS = 150, LEFT = 10 };
    static struct hf_peer peers[PEERS];
    hf_handle conns[PEERS];
    struct bench b;
    bench_init(&b);
    bench_open(&b, false, 1000);
    bench_listen(&b, &(struct hf_listen){.port = 80});
    for (unsigned i = 0; i < PEERS; i++) {
        peers[i] = bench_peer(&b, 3, (uint16_t)(4000 + i), 1000);
        assert_true(hf_peer_connect(&peers[i], "<mss 1460>"));
        conns[i] = bench_event(&b, HF_EV_ACCEPTED);
    }
    for (unsigned i = 0; i < PEERS - LEFT; i++)
        into_time_wait(&b, &peers[i], conns[i]);
    hf_stack_trim(b.rig.stack);
    assert_int_equal(bench_sizes(&b).connections, LEFT);
    uint64_t cursor = 0;
    struct hf_tuple t;
    unsigned waiting = 0;
    while (hf_iterate(b.rig.stack, &cursor, &t))
        waiting += t.kind == HF_KIND_TIME_WAIT && t.state == HF_TIME_WAIT && t.handle == 0;
    assert_int_equal(waiting, PEERS - LEFT);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_open_then_connection),
        cmocka_unit_test(time_wait_is_listed_once),
        cmocka_unit_test(over_but_not_let_go),
        cmocka_unit_test(time_wait_without_an_entry),
        cmocka_unit_test(old_and_new_connection),
        cmocka_unit_test(a_shadowed_time_wait_is_listed_once),
        cmocka_unit_test(a_shadowed_time_wait_comes_back_by_itself),
        cmocka_unit_test(a_shadowed_time_wait_can_be_aborted),
        cmocka_unit_test(time_waits_are_listed_without_their_connections),
    };
    return cmocka_run_group_tests_name("wire_list", tests, NULL, NULL);
}
