/* The allocator has nothing more to give, though the budget of blocks has: who wants to write is
 * asked again after a while, not at once for ever. */
#include "opening.h"

enum { CONNS = 3, MANY = 300, ROUNDS_MAX = 20 };

static void open_dry(struct bench *b, hf_handle *conns, uint16_t count)
{
    bench_init(b);
    bench_open(b, false, 1);
    b->listener = bench_listen(b, &(struct hf_listen){.port = 80});
    for (uint16_t i = 0; i < count; i++) {
        struct hf_peer p = bench_peer(b, 2, (uint16_t)(5000 + i), 1);
        assert_true(hf_peer_connect(&p, "<mss 1460>"));
        conns[i] = bench_event(b, HF_EV_ACCEPTED);
        assert_true(conns[i] != 0);
    }
    hf_rig_starve(&b->rig);
}

/* Tries twice, whatever the first one says. */
static void write_stubbornly(struct bench *b, hf_handle c)
{
    for (int i = 0; i < 2; i++)
        assert_int_equal(hf_send(b->rig.stack, c, "x", 1, 0, bench_now(b)), HF_E_AGAIN);
}

/* Does what an event loop does at one instant, this many timers a call; how many rounds that
 * took. */
static int settle(struct bench *b, size_t max)
{
    int rounds = 0;
    for (; hf_stack_deadline(b->rig.stack) <= bench_now(b) && rounds < ROUNDS_MAX; rounds++) {
        while (hf_stack_expire(b->rig.stack, bench_now(b), max))
            continue;
        struct hf_event e;
        while (hf_stack_event(b->rig.stack, &e))
            if ((e.bits & HF_EV_WRITABLE) != 0)
                write_stubbornly(b, e.handle);
    }
    return rounds;
}

static void stubborn_writers_do_not_stop_time(void **state)
{
    (void)state;
    hf_handle conns[CONNS];
    struct bench b;
    open_dry(&b, conns, CONNS);
    for (size_t i = 0; i < CONNS; i++)
        write_stubbornly(&b, conns[i]);
    for (int k = 0; k < 4; k++) {
        assert_in_range(settle(&b, 16), 0, ROUNDS_MAX - 1);
        assert_int_not_equal(hf_stack_deadline(b.rig.stack), HF_NEVER);
        b.rig.now_ns = hf_stack_deadline(b.rig.stack);
    }
    hf_rig_feed(&b.rig); /* there is memory again: each hears of it */
    unsigned heard = 0;
    for (int k = 0; k < 10 && heard != (1u << CONNS) - 1; k++) {
        b.rig.now_ns += HF_SEC(1);
        while (hf_stack_expire(b.rig.stack, bench_now(&b), 16))
            continue;
        struct hf_event e;
        while (hf_stack_event(b.rig.stack, &e))
            for (size_t i = 0; i < CONNS; i++)
                if (conns[i] == e.handle && (e.bits & HF_EV_WRITABLE) != 0) {
                    assert_int_equal(hf_send(b.rig.stack, e.handle, "x", 1, 0, bench_now(&b)), 1);
                    heard |= 1u << i;
                }
    }
    assert_int_equal(heard, (1u << CONNS) - 1);
    bench_close(&b);
}

/* More of them than a call gives turns to, however many calls there are at an instant. */
static void many_stubborn_writers_do_not_stop_time_either(void **state)
{
    (void)state;
    static hf_handle conns[MANY];
    for (int at_once = 0; at_once < 2; at_once++) {
        struct bench b;
        open_dry(&b, conns, MANY);
        for (size_t i = 0; i < MANY; i++)
            write_stubbornly(&b, conns[i]);
        for (int k = 0; k < 4; k++) {
            assert_in_range(settle(&b, at_once ? MANY : 16), 0, ROUNDS_MAX - 1);
            b.rig.now_ns = hf_stack_deadline(b.rig.stack);
        }
        hf_rig_feed(&b.rig);
        bench_close(&b);
    }
}

/* covers: SHLD-27, MUST-38: the timer that looked for memory held nothing back: a short write that
 * follows waits to be joined as ever */
static void looking_for_memory_lets_nothing_out(void **state)
{
    (void)state;
    for (int pulled = 0; pulled < 2; pulled++) {
        hf_handle conn;
        struct bench b;
        open_dry(&b, &conn, 1);
        assert_int_equal(hf_send(b.rig.stack, conn, "x", 1, 0, bench_now(&b)), HF_E_AGAIN);
        hf_rig_feed(&b.rig);
        hf_rig_fire(&b.rig, bench_now(&b) + HF_MS(201));
        assert_int_equal(bench_count(&b, HF_TIMER_SWS_OVERRIDE), 1);
        if (pulled)
            hf_rig_pull(&b.rig);
        assert_int_equal(bench_event(&b, HF_EV_WRITABLE), conn);
        assert_int_equal(hf_send(b.rig.stack, conn, "x", 1, HF_SEND_MORE, bench_now(&b)), 1);
        hf_rig_pull(&b.rig);
        assert_int_equal(b.rig.caught_count, 0);
        hf_rig_wait(&b.rig, HF_MS(201));
        assert_int_equal(b.rig.caught_count, 1);
        bench_close(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stubborn_writers_do_not_stop_time),
        cmocka_unit_test(many_stubborn_writers_do_not_stop_time_either),
        cmocka_unit_test(looking_for_memory_lets_nothing_out),
    };
    return cmocka_run_group_tests_name("dry", tests, NULL, NULL);
}
