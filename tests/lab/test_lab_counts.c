/* Counters say what the trace events say, and the same when nobody listens to those. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base.h"
#include "lab/pair.h"

struct tally {
    uint64_t of[HF_REASON_COUNT];
};

static void count_event(void *ctx, const struct hf_trace_event *e)
{
    struct tally *tally = ctx;
    tally->of[e->reason]++;
}

/** Losses, copies, a simultaneous open or a held one, half-closes and aborts: much of what can
 *  happen. */
static struct hf_pair_scenario scenario_of(unsigned number)
{
    struct hf_pair_scenario s = {.seed = number + 1};
    static const enum hf_app_open opens[] = {HF_APP_LISTEN, HF_APP_LISTEN_HELD, HF_APP_CONNECT,
                                             HF_APP_PASSIVE};
    static const enum hf_app_close closes[] = {HF_APP_CLOSE_SHUTDOWN, HF_APP_CLOSE_LAST,
                                               HF_APP_CLOSE_NOW, HF_APP_CLOSE_ABORT};
    s.b.open = opens[number % 4];
    s.a.close = closes[number / 4 % 4];
    s.a.send_bytes = 200000;
    s.b.send_bytes = 30000;
    s.b.read_every_ns = HF_MS(20);
    s.ab.path.delay_ns = s.ba.path.delay_ns = HF_MS(10);
    s.ab.lose_mask = 0x2491u >> number % 3;
    s.ba.lose_mask = 0x1124u >> number % 2;
    return s;
}

static void counters_agree_with_events(void **state)
{
    (void)state;
    struct hf_pair *pair = hf_pair_new();
    for (unsigned number = 0; number < 16; number++) {
        struct hf_pair_scenario s = scenario_of(number);
        struct tally tally[2] = {0};
        s.trace = count_event;
        s.trace_ctx[0] = &tally[0];
        s.trace_ctx[1] = &tally[1];
        hf_pair_run(pair, &s);
        uint64_t counts[2][HF_REASON_COUNT];
        for (unsigned r = 0; r < HF_REASON_COUNT; r++) {
            counts[0][r] = hf_stack_count(pair->a.stack, (enum hf_reason)r);
            counts[1][r] = hf_stack_count(pair->b.stack, (enum hf_reason)r);
            if (r == HF_NONE)
                continue; /* events whose type says it all */
            assert_int_equal(counts[0][r], tally[0].of[r]);
            assert_int_equal(counts[1][r], tally[1].of[r]);
        }
        s.trace = NULL;
        hf_pair_run(pair, &s);
        for (unsigned r = 1; r < HF_REASON_COUNT; r++) {
            assert_int_equal(hf_stack_count(pair->a.stack, (enum hf_reason)r), counts[0][r]);
            assert_int_equal(hf_stack_count(pair->b.stack, (enum hf_reason)r), counts[1][r]);
        }
    }
    hf_pair_free(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(counters_agree_with_events)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
