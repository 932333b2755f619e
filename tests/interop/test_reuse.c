/**
 * The same addresses and ports again while the old connection is in TIME-WAIT, on either side:
 * the newer SYN opens a new one at once [RFC6191] [RFC9293#3.6.1].
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <netinet/tcp.h>

#include "support/interop_bench.h"

enum { TALK_BYTES = 30000 };

/* A SYN within the same tick of the timestamp clock is not known to be newer, and is dropped. */
#define NEWER_NS HF_MS(20)

static struct interop_plan talk(enum interop_ending ending)
{
    return (struct interop_plan){
        .send_bytes = TALK_BYTES, .expect_bytes = TALK_BYTES, .ending = ending};
}

static struct interop *open_place(struct interop_bench *b)
{
    struct hf_config cfg;
    interop_config(&cfg);
    cfg.msl_ns = HF_SEC(30); /* longer than the test: nothing ends by itself */
    return bench_open(b, &cfg);
}

static bool two_are_over(const struct interop *w)
{
    return w->ours_count == 2 && w->theirs_count == 2 && bench_all_over(w);
}

static void check_two(struct interop_bench *b, const char *trail)
{
    const struct interop *w = b->w;
    assert_false(w->wrong_data);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(TALK_BYTES, w->ours[i].received);
        assert_int_equal(TALK_BYTES, w->theirs[i].received);
        assert_int_equal(HF_CLOSED_FIN, w->ours[i].how);
        assert_int_equal(0, w->ours[i].error);
        assert_int_equal(0, w->theirs[i].error);
    }
    assert_string_equal(trail, w->trail);
    assert_int_equal(0, hf_stack_count(w->stack, HF_RETRANSMIT_SYN));
}

static bool one_is_over(const struct interop *w)
{
    return w->ours_count == 1 && bench_all_over(w);
}

static void the_kernel_reopens_our_time_wait(void **state)
{
    struct interop_bench *b = *state;
    struct interop *w = open_place(b);
    struct interop_plan first = talk(ENDING_FIRST), last = talk(ENDING_LAST);
    w->our_plan = first;
    interop_listen(w, b->own_port);
    interop_kernel_connect(w, b->kernel_port, b->own_port, &last);
    bench_until(b, one_is_over, HF_SEC(10));
    assert_int_equal(HF_TIME_WAIT, interop_own_state(w, b->own_port, b->kernel_port));
    w->our_plan = last;
    interop_pass(w, NEWER_NS);
    hf_ns start_ns = hf_host_now();
    interop_kernel_connect(w, b->kernel_port, b->own_port, &first);
    bench_until(b, two_are_over, HF_SEC(10));
    assert_true(hf_host_now() - start_ns < HF_MS(900)); /* the first SYN did it */
    check_two(b, "SYN-RCVD ESTABLISHED FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT "
                 "SYN-RCVD ESTABLISHED CLOSE-WAIT LAST-ACK CLOSED");
    assert_int_equal(1, hf_stack_count(w->stack, HF_WHY_TIME_WAIT_REUSED));
    assert_int_equal(TCP_TIME_WAIT, interop_kernel_state(w, b->kernel_port, b->own_port));
}

static void we_reopen_the_kernels_time_wait(void **state)
{
    struct interop_bench *b = *state;
    struct interop *w = open_place(b);
    struct interop_plan first = talk(ENDING_FIRST), last = talk(ENDING_LAST);
    w->their_plan = first;
    interop_kernel_listen(w, b->kernel_port);
    interop_connect(w, b->own_port, b->kernel_port, &last);
    bench_until(b, one_is_over, HF_SEC(10));
    assert_int_equal(TCP_TIME_WAIT, interop_kernel_state(w, b->kernel_port, b->own_port));
    w->their_plan = last;
    interop_pass(w, NEWER_NS);
    hf_ns start_ns = hf_host_now();
    interop_connect(w, b->own_port, b->kernel_port, &first);
    bench_until(b, two_are_over, HF_SEC(10));
    assert_true(hf_host_now() - start_ns < HF_MS(900));
    check_two(b, "SYN-SENT ESTABLISHED CLOSE-WAIT LAST-ACK CLOSED "
                 "SYN-SENT ESTABLISHED FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT");
    assert_int_equal(0, interop_kernel_state(w, b->kernel_port, b->own_port));
}

/* Ten times over: each new connection comes into the TIME-WAIT of the last one. */
static void the_kernel_reopens_again_and_again(void **state)
{
    struct interop_bench *b = *state;
    struct interop *w = open_place(b);
    struct interop_plan last = talk(ENDING_LAST);
    w->our_plan = talk(ENDING_FIRST);
    interop_listen(w, b->own_port);
    for (unsigned i = 0; i < 10; i++) {
        interop_pass(w, NEWER_NS);
        interop_kernel_connect(w, b->kernel_port, b->own_port, &last);
        bench_until(b, bench_all_over, HF_SEC(10));
        assert_int_equal(i + 1, w->ours_count);
        assert_int_equal(TALK_BYTES, w->theirs[i].received);
        assert_int_equal(HF_TIME_WAIT, interop_own_state(w, b->own_port, b->kernel_port));
    }
    assert_int_equal(9, hf_stack_count(w->stack, HF_WHY_TIME_WAIT_REUSED));
    assert_false(w->wrong_data);
}

int main(void)
{
    static const struct interop_bench_test tests[] = {
        BENCH_TEST(the_kernel_reopens_our_time_wait),
        BENCH_TEST(we_reopen_the_kernels_time_wait),
        BENCH_TEST(the_kernel_reopens_again_and_again),
    };
    return bench_run_all("reuse", tests, sizeof tests / sizeof tests[0]);
}
