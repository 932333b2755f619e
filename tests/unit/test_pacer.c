/* Pacing: the rate, what may leave at once, and the bound over any span of time. */
#include "core/pacer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "support/test_random.h"

enum { MSS = 1460, PACKETS = 400 };

/* A window leaves in a round trip less a sixth, so by a fifth faster; in slow start in half of
 * it. */
static void the_rate_is_that_of_the_window(void **state)
{
    (void)state;
    struct hf_pace p = hf_pace_make(60000, HF_MS(60), false);
    assert_int_equal(p.span_ns, HF_MS(50));
    assert_int_equal(hf_pace_span(&p, 60000), HF_MS(50));
    assert_int_equal(hf_pace_span(&p, 1200), HF_MS(1));
    assert_int_equal(hf_pace_burst_bytes(&p, 100), 1200);
    assert_int_equal(hf_pace_burst_bytes(&p, 2 * MSS), 2 * MSS);
    p = hf_pace_make(60000, HF_MS(60), true);
    assert_int_equal(p.span_ns, HF_MS(30));
    assert_int_equal(hf_pace_burst_bytes(&p, 100), 2000);
    p = hf_pace_make(1u << 30, HF_MS(1), true); /* the largest there is */
    assert_int_equal(hf_pace_span(&p, 1u << 30), HF_US(500));
    assert_int_equal(hf_pace_burst_bytes(&p, MSS), 1u << 31);
}

static void many_flights_send_larger_packets(void **state)
{
    (void)state;
    static const struct {
        uint32_t flights, segs;
    } rows[] = {{0, 2}, {1, 2}, {47, 2}, {48, 3}, {127, 7}, {128, 8}, {1000000, 8}};
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++)
        assert_int_equal(hf_pacer_segs(rows[i].flights), rows[i].segs);
}

/** A packet leaves; the first begins a flight. */
static void leave(struct hf_pacer *p, const struct hf_pace *pace, uint32_t bytes, uint32_t initial,
                  hf_ns now)
{
    if (p->next_at == INT64_MIN)
        hf_pacer_start(p, initial, now);
    hf_pacer_sent(p, bytes, hf_pacer_span(p, pace, bytes), now);
}

/* covers: CO-6928-01: the initial window leaves at once, packet by packet; what follows does not */
static void the_initial_window_is_free(void **state)
{
    (void)state;
    struct hf_pacer pacer = {.next_at = INT64_MIN};
    struct hf_pace pace = hf_pace_make(10 * MSS, HF_MS(100), true);
    for (int i = 0; i < 10; i++) {
        assert_true(pacer.next_at <= HF_SEC(1));
        leave(&pacer, &pace, MSS, 10 * MSS, HF_SEC(1));
    }
    assert_int_equal(pacer.next_at, HF_SEC(1));
    leave(&pacer, &pace, MSS, 10 * MSS, HF_SEC(1));
    assert_int_equal(pacer.next_at, HF_SEC(1) + HF_MS(5));
    leave(&pacer, &pace, MSS, 10 * MSS, HF_SEC(2)); /* not a second time */
    assert_int_equal(pacer.next_at, HF_SEC(2) - HF_PACER_SLACK_NS + HF_MS(5));
}

struct sent {
    hf_ns at;
    uint32_t bytes;
};

/* In any span no more leaves than the header of pacer.h says. */
static void check_bound(const struct sent *sent, const struct hf_pace *pace, uint32_t initial)
{
    uint32_t burst = hf_pace_burst_bytes(pace, MSS);
    for (size_t first = 0; first < PACKETS; first++) {
        uint64_t bytes = 0;
        for (size_t last = first; last < PACKETS; last++) {
            bytes += sent[last].bytes;
            hf_ns span_ns = sent[last].at - sent[first].at + HF_PACER_SLACK_NS;
            /* Each packet's time is rounded down. */
            uint64_t rate =
                ((uint64_t)span_ns + PACKETS) * pace->window_bytes / (uint64_t)pace->span_ns;
            assert_true(bytes <= rate + 1 + burst + initial);
        }
    }
}

/* A sender with always something to send, which is late by less than the slack each time, or one
 * that rests: the bound holds; and the first is as fast as the rate. */
static void any_span_is_bounded(void **state)
{
    (void)state;
    struct test_random r = test_random_make("any_span_is_bounded", 9406);
    static struct sent sent[PACKETS];
    for (uint32_t round = 0; round < test_random_rounds(40); round++) {
        bool rests = round % 2 == 1;
        uint32_t window = MSS * (2 + test_random_below(&r, 3000));
        struct hf_pace pace =
            hf_pace_make(window, HF_MS(1 + test_random_below(&r, 300)), round % 3 == 0);
        uint32_t burst = hf_pace_burst_bytes(&pace, MSS), initial = 10 * MSS;
        struct hf_pacer pacer = {.next_at = INT64_MIN};
        hf_ns now = HF_SEC(5);
        uint64_t bytes = 0;
        for (size_t i = 0; i < PACKETS; i++) {
            now = hf_max_ns(now, pacer.next_at);
            now += (hf_ns)test_random_below(&r, (uint32_t)HF_PACER_SLACK_NS);
            if (rests && test_random_below(&r, 10) == 0)
                now += HF_MS(test_random_below(&r, 100));
            uint32_t segs = 1 + test_random_below(&r, burst / MSS);
            sent[i] = (struct sent){now, rests ? segs * MSS : burst / MSS * MSS};
            leave(&pacer, &pace, sent[i].bytes, initial, now);
            bytes += sent[i].bytes;
        }
        check_bound(sent, &pace, initial);
        /* Lateness within the slack costs nothing. */
        hf_ns span_ns = sent[PACKETS - 1].at - sent[0].at;
        if (!rests && hf_pace_span(&pace, burst / MSS * MSS) >= HF_PACER_SLACK_NS)
            assert_true(hf_pace_span(&pace, (uint32_t)(bytes / 4)) * 4 + HF_MS(1) >= span_ns);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rate_is_that_of_the_window),
        cmocka_unit_test(many_flights_send_larger_packets),
        cmocka_unit_test(the_initial_window_is_free),
        cmocka_unit_test(any_span_is_bounded),
    };
    return cmocka_run_group_tests_name("pacer", tests, NULL, NULL);
}
