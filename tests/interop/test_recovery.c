/**
 * One segment of ours is lost in the midst of many: the Linux kernel's duplicate ACKs bring it back
 * at once, without a time-out [RFC5681#3.2]; likewise the kernel's own by ours.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "support/interop_bench.h"

enum { BYTES = 2 * 1000 * 1000 };

static const struct interop_plan sender = {.send_bytes = BYTES, .ending = ENDING_FIRST};
static const struct interop_plan reader = {.expect_bytes = BYTES, .ending = ENDING_LAST};

static struct interop *open_with_loss(struct interop_bench *b, bool plain, const char *spoil)
{
    const struct interop_setup setup = {.v6 = b->v6, .plain = plain, .spoil = spoil};
    b->w = interop_open(&setup);
    return b->w;
}

static void our_loss(struct interop_bench *b, bool plain, const char *spoil)
{
    struct interop *w = open_with_loss(b, plain, spoil);
    bench_connect(b, &sender, &reader);
    bench_until(b, bench_all_over, HF_SEC(10));
    assert_false(w->wrong_data);
    assert_int_equal(BYTES, b->theirs->received);
    assert_int_equal(1, hf_link_spoil_hits(w->spoil, 0));
    assert_int_equal(1, hf_stack_count(w->stack, HF_RETRANSMIT_RACK));
    assert_int_equal(0, hf_stack_count(w->stack, HF_TIMER_RTO));
}

/* The kernel's buffer grows while we send: each of its duplicate ACKs announces another window, and
 * only their SACK blocks tell them from window updates [RFC6675#2]. */
static void our_lost_segment_comes_back_at_once(void **state)
{
    our_loss(*state, true, "drop out 100th data once");
}

/* In the very first flight, when few come behind it. */
static void our_early_lost_segment_comes_back_at_once(void **state)
{
    our_loss(*state, true, "drop out 3rd data once");
}

static void the_kernels_lost_segment_comes_back_at_once(void **state)
{
    struct interop_bench *b = *state;
    struct interop *w = open_with_loss(b, true, "drop in 100th data once");
    bench_connect(b, &reader, &sender);
    bench_until(b, bench_all_over, HF_SEC(10));
    assert_false(w->wrong_data);
    assert_int_equal(BYTES, b->ours->received);
    assert_int_equal(1, hf_link_spoil_hits(w->spoil, 0));
    assert_true(hf_stack_count(w->stack, HF_ACK_OUT_OF_ORDER) >= 3);
}

int main(void)
{
    static const struct interop_bench_test tests[] = {
        BENCH_TEST(our_lost_segment_comes_back_at_once),
        BENCH_TEST(our_early_lost_segment_comes_back_at_once),
        BENCH_TEST(the_kernels_lost_segment_comes_back_at_once),
    };
    return bench_run_all("recovery", tests, sizeof tests / sizeof tests[0]);
}
