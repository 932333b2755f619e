/**
 * HyStart++: rounds, the thresholds, and the way into conservative slow start, back and out.
 */
#include "core/hystart.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { SEGMENT = 1000 };

/** A flow that has a window's worth in flight; each ACK covers one segment. */
struct flow {
    struct hf_hystart h;
    hf_seq snd_una, snd_nxt;
    enum hf_hystart_phase phase;
};

static struct flow started(uint32_t first)
{
    return (struct flow){.snd_una = hf_seq_make(first),
                         .snd_nxt = hf_seq_make(first + 100 * SEGMENT)};
}

/** One ACK within the round. */
static void ack(struct flow *f, hf_ns rtt_ns)
{
    f->snd_una = hf_seq_add(f->snd_una, SEGMENT);
    f->phase = hf_hystart_ack(&f->h, rtt_ns, f->snd_una, f->snd_nxt);
}

/** The last ACK of the round, with as much in flight again as in each round. */
static void end_round(struct flow *f, hf_ns rtt_ns)
{
    f->snd_una = f->snd_nxt;
    f->snd_nxt = hf_seq_add(f->snd_una, 100 * SEGMENT);
    f->phase = hf_hystart_ack(&f->h, rtt_ns, f->snd_una, f->snd_nxt);
}

/** A round of `samples` ACKs, all of which take as long. */
static void go_round(struct flow *f, int samples, hf_ns rtt_ns)
{
    for (int i = 1; i < samples; i++)
        ack(f, rtt_ns);
    end_round(f, rtt_ns);
}

/* [RFC9406#4.2] max(2 ms (DEVIATION D-40), min(last / 8, 16 ms)): what is less is noise.
 * covers: CO-9406-03 */
static void rises_by_the_threshold(void **state)
{
    (void)state;
    static const struct {
        hf_ns last_ns, threshold_ns;
    } rows[] = {
        {HF_US(100), HF_MS(2)},  {HF_MS(16), HF_MS(2)},      {HF_MS(32), HF_MS(4)},
        {HF_MS(40), HF_MS(5)},   {HF_MS(100), HF_US(12500)}, {HF_MS(128), HF_MS(16)},
        {HF_MS(300), HF_MS(16)}, {HF_SEC(59), HF_MS(16)},
    };
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++) {
        struct flow f = started(0);
        go_round(&f, 8, rows[i].last_ns);
        struct flow less = f;
        go_round(&less, 8, rows[i].last_ns + rows[i].threshold_ns - HF_US(2));
        assert_int_equal(less.phase, HF_HYSTART_SLOW_START);
        go_round(&f, 8, rows[i].last_ns + rows[i].threshold_ns);
        assert_int_equal(f.phase, HF_HYSTART_CONSERVATIVE);
    }
}

/* DEVIATION D-40: five in a row show a queue, wherever in the round they stand.
 * covers: CO-9406-03, CO-9406-01 */
static void five_samples_in_a_row_are_needed(void **state)
{
    (void)state;
    struct flow f = started(5);
    go_round(&f, 8, HF_MS(40));
    for (int i = 0; i < 4; i++) {
        ack(&f, HF_MS(90));
        assert_int_equal(f.phase, HF_HYSTART_SLOW_START);
    }
    struct flow low = f;
    ack(&f, 0); /* an ACK without a sample is none */
    assert_int_equal(f.phase, HF_HYSTART_SLOW_START);
    ack(&f, HF_MS(90));
    assert_int_equal(f.phase, HF_HYSTART_CONSERVATIVE);
    ack(&low, HF_MS(44)); /* one among them is no rise, and they are counted anew */
    for (int i = 0; i < 4; i++) {
        ack(&low, HF_MS(90));
        assert_int_equal(low.phase, HF_HYSTART_SLOW_START);
    }
    ack(&low, HF_MS(90));
    assert_int_equal(low.phase, HF_HYSTART_CONSERVATIVE);
}

/* Or a quarter of those that the round before had, up to 16: of many a few are high by chance.
 * Also where it had more than the counter holds. */
static void long_rounds_need_more(void **state)
{
    (void)state;
    static const struct {
        int before, enough;
    } rows[] = {{2, 5}, {20, 5}, {23, 5}, {24, 6}, {40, 10}, {63, 15}, {64, 16}, {90, 16}};
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++) {
        struct flow f = started(0);
        go_round(&f, rows[i].before, HF_MS(20));
        for (int n = 1; n <= rows[i].enough; n++) {
            ack(&f, HF_MS(50));
            assert_int_equal(f.phase,
                             n < rows[i].enough ? HF_HYSTART_SLOW_START : HF_HYSTART_CONSERVATIVE);
        }
    }
}

/* More ACKs in one round than the counters hold. covers: CO-9406-01 */
static void a_long_round_is_one_round(void **state)
{
    (void)state;
    struct flow f = started(0);
    go_round(&f, 8, HF_MS(20));
    f.snd_nxt = hf_seq_add(f.snd_una, 2000 * SEGMENT);
    go_round(&f, 8, HF_MS(20)); /* ends the round that began before */
    for (int i = 0; i < 600; i++) {
        f.snd_una = hf_seq_add(f.snd_una, 1);
        f.phase = hf_hystart_ack(&f.h, HF_MS(50), f.snd_una, f.snd_nxt);
        assert_int_equal(f.phase, i < 4 ? HF_HYSTART_SLOW_START : HF_HYSTART_CONSERVATIVE);
    }
    end_round(&f, HF_MS(50));
    assert_int_equal(f.phase, HF_HYSTART_CONSERVATIVE);
    for (int n = 1; n <= 16; n++) { /* it had more than 255 */
        assert_false(f.h.risen);
        ack(&f, HF_MS(50));
    }
    assert_true(f.h.risen);
}

/* The first round has nothing to be compared with; nor has one after a round without samples.
 * covers: CO-9406-03 */
static void both_rounds_must_have_been_measured(void **state)
{
    (void)state;
    struct flow f = started(0);
    for (int i = 0; i < 50; i++)
        ack(&f, HF_MS(10 + i));
    assert_int_equal(f.phase, HF_HYSTART_SLOW_START);
    end_round(&f, HF_MS(10));
    go_round(&f, 9, 0);
    go_round(&f, 9, HF_MS(100));
    assert_int_equal(f.phase, HF_HYSTART_SLOW_START);
    go_round(&f, 9, HF_MS(200));
    assert_int_equal(f.phase, HF_HYSTART_CONSERVATIVE);
}

/* [RFC9406#4.2] A round ends when what was next to be sent at its start is acknowledged, not
 * before; sequence numbers wrap. covers: CO-9406-01 */
static void rounds_are_told_by_numbers(void **state)
{
    (void)state;
    static const uint32_t starts[] = {0, 77, UINT32_MAX - 50 * SEGMENT, 0x7fffffff};
    for (size_t i = 0; i < HF_COUNT_OF(starts); i++) {
        struct flow f = started(starts[i]);
        hf_seq end = f.snd_nxt;
        go_round(&f, 8, HF_MS(20));
        assert_true(hf_seq_eq(f.snd_una, end));
        hf_seq next_end = f.snd_nxt;
        assert_true(hf_seq_eq(f.h.round_end, next_end));
        f.snd_nxt = hf_seq_add(f.snd_nxt, 7 * SEGMENT); /* sent during the round: of the next */
        f.snd_una = hf_seq_sub(next_end, 1);
        f.phase = hf_hystart_ack(&f.h, HF_MS(20), f.snd_una, f.snd_nxt);
        assert_true(hf_seq_eq(f.h.round_end, next_end));
        f.snd_una = next_end;
        f.phase = hf_hystart_ack(&f.h, HF_MS(20), f.snd_una, f.snd_nxt);
        assert_true(hf_seq_eq(f.h.round_end, f.snd_nxt));
    }
}

/* [RFC9406#4.2] Two rounds (DEVIATION D-40), of which the one it began in is the first; what stood
 * before them is what they are compared with. covers: CO-9406-05 */
static void two_conservative_rounds_end_it(void **state)
{
    (void)state;
    struct flow f = started(0);
    go_round(&f, 20, HF_MS(40));
    for (int round = 1; round <= 2; round++) {
        for (int i = 0; i < 19; i++) {
            ack(&f, HF_MS(45));
            bool conservative = round > 1 || i >= 4;
            assert_int_equal(f.phase,
                             conservative ? HF_HYSTART_CONSERVATIVE : HF_HYSTART_SLOW_START);
        }
        end_round(&f, HF_MS(40)); /* the first of what left after a pause: the queue is empty */
        assert_int_equal(f.phase, round < 2 ? HF_HYSTART_CONSERVATIVE : HF_HYSTART_OVER);
    }
}

/* [RFC9406#4.2] A round without a rise: it was jitter. Slow start goes on, and a later rise begins
 * its rounds anew. covers: CO-9406-04 */
static void a_spurious_rise_is_taken_back(void **state)
{
    (void)state;
    struct flow f = started(0);
    go_round(&f, 10, HF_MS(40));
    go_round(&f, 10, HF_MS(60));
    assert_int_equal(f.phase, HF_HYSTART_CONSERVATIVE);
    for (int i = 0; i < 9; i++) {
        ack(&f, i == 4 ? HF_MS(44) : HF_MS(60)); /* never five in a row */
        assert_int_equal(f.phase, HF_HYSTART_CONSERVATIVE);
    }
    end_round(&f, HF_MS(44));
    assert_int_equal(f.phase, HF_HYSTART_SLOW_START);
    go_round(&f, 10, HF_MS(48)); /* 44 is the measure now */
    assert_int_equal(f.phase, HF_HYSTART_SLOW_START);
    for (int round = 1; round <= 2; round++) {
        go_round(&f, 10, HF_MS(60));
        assert_int_equal(f.phase, round < 2 ? HF_HYSTART_CONSERVATIVE : HF_HYSTART_OVER);
    }
}

/* Times that are out of all proportion are no harm. */
static void odd_times(void **state)
{
    (void)state;
    struct flow f = started(0);
    go_round(&f, 10, 1);
    go_round(&f, 10, HF_SEC(1000000));
    assert_int_equal(f.phase, HF_HYSTART_CONSERVATIVE);
    f = started(0);
    go_round(&f, 10, HF_NEVER);
    go_round(&f, 10, HF_NEVER);
    assert_int_equal(f.phase, HF_HYSTART_SLOW_START);
    go_round(&f, 10, -5);
    assert_int_equal(f.phase, HF_HYSTART_SLOW_START);
    f = started(0);
    go_round(&f, 10, HF_MS(20));
    go_round(&f, 10, HF_US(1ll << 32) + HF_MS(20));
    assert_int_equal(f.phase, HF_HYSTART_CONSERVATIVE);
}

/* Nobody asks while the application sets the pace. The end of a round of long ago lies ahead again
 * after half of the number space: it counts no more. */
static void a_round_of_long_ago_is_over(void **state)
{
    (void)state;
    struct flow f = started(1000);
    go_round(&f, 20, HF_MS(20));
    f.snd_una = hf_seq_add(f.snd_una, (1u << 31) + 200 * SEGMENT);
    f.snd_nxt = hf_seq_add(f.snd_una, 100 * SEGMENT);
    ack(&f, HF_MS(20));
    assert_true(hf_seq_eq(f.h.round_end, f.snd_nxt));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rises_by_the_threshold),
        cmocka_unit_test(five_samples_in_a_row_are_needed),
        cmocka_unit_test(long_rounds_need_more),
        cmocka_unit_test(a_long_round_is_one_round),
        cmocka_unit_test(both_rounds_must_have_been_measured),
        cmocka_unit_test(rounds_are_told_by_numbers),
        cmocka_unit_test(a_round_of_long_ago_is_over),
        cmocka_unit_test(two_conservative_rounds_end_it),
        cmocka_unit_test(a_spurious_rise_is_taken_back),
        cmocka_unit_test(odd_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
