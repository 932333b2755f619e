/* RACK: the segment sent last, the reordering window, and what is lost by both. */
#include "core/rack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { MSS = 100 };
static const hf_ns start_ns = HF_SEC(100);

static hf_seq at(uint32_t offset)
{
    return hf_seq_make(0xFFFFFF00u + offset);
}

/* An ACK of a segment that left at sent_ms and ends there. */
static struct hf_delivery delivered(hf_ns now_ms, hf_ns sent_ms, uint32_t end)
{
    return (struct hf_delivery){
        .now_ns = start_ns + HF_MS(now_ms),
        .has_newest = true,
        .newest_sent_at = start_ns + HF_MS(sent_ms),
        .newest_end = at(end),
        .foremost = at(end),
    };
}

/* covers: CO-8985-02: the one sent last counts, of several sent at one time the last */
static void the_segment_sent_last_counts(void **state)
{
    (void)state;
    struct hf_rack r;
    struct hf_reordering path = {0};
    hf_rack_init(&r, at(0));
    assert_int_equal(r.sent_at, INT64_MIN);
    struct hf_delivery d = delivered(40, 0, 300);
    hf_rack_take(&r, &path, &d);
    assert_int_equal(r.sent_at, start_ns);
    assert_int_equal(r.rtt_ns, HF_MS(40));
    d = delivered(41, 0, 200); /* the same time, but before it */
    hf_rack_take(&r, &path, &d);
    assert_true(hf_seq_eq(r.end, at(300)));
    assert_int_equal(r.rtt_ns, HF_MS(41));
    d = delivered(42, 0, 400);
    hf_rack_take(&r, &path, &d);
    assert_true(hf_seq_eq(r.end, at(400)));
    d = delivered(45, 1, 100); /* later, wherever it stands */
    hf_rack_take(&r, &path, &d);
    assert_int_equal(r.sent_at, start_ns + HF_MS(1));
    assert_true(hf_seq_eq(r.end, at(100)));
    assert_true(hf_seq_eq(r.fack, at(400)));
    d = (struct hf_delivery){.now_ns = start_ns + HF_MS(90), .foremost = at(500)};
    hf_rack_take(&r, &path, &d); /* tells no time */
    assert_int_equal(r.rtt_ns, HF_MS(44));
    assert_true(hf_seq_eq(r.fack, at(500)));
    assert_false(path.seen);
    d.reordered = true;
    hf_rack_take(&r, &path, &d);
    assert_true(path.seen);
}

static void sample(struct hf_rack *r, hf_ns now_ms, hf_ns rtt_ms, bool again)
{
    struct hf_reordering path = {0};
    struct hf_delivery d = delivered(now_ms, now_ms - rtt_ms, 100);
    d.newest_again = again;
    hf_rack_take(r, &path, &d);
}

static void check_min_rtt_ms(const struct hf_rack *r, hf_ns wanted_ms)
{
    hf_ns got_ns = hf_rack_min_rtt_ns(r, 0);
    assert_in_range(got_ns, HF_MS(wanted_ms), HF_MS(wanted_ms) + HF_US(1));
}

/* covers: CO-8985-03: of the last 10 to 20 s, and of what was sent once */
static void the_least_round_trip_is_of_late(void **state)
{
    (void)state;
    struct hf_rack r;
    hf_rack_init(&r, at(0));
    assert_int_equal(hf_rack_min_rtt_ns(&r, 77), 77);
    sample(&r, 0, 50, false);
    check_min_rtt_ms(&r, 50);
    sample(&r, 10, 20, true);
    check_min_rtt_ms(&r, 50);
    sample(&r, 20, 30, false);
    sample(&r, 30, 40, false);
    check_min_rtt_ms(&r, 30);
    sample(&r, 10500, 60, false);
    check_min_rtt_ms(&r, 30);
    sample(&r, 20400, 70, false); /* the span before still counts */
    check_min_rtt_ms(&r, 30);
    sample(&r, 20600, 65, false);
    check_min_rtt_ms(&r, 60);
    sample(&r, 31000, 80, false);
    check_min_rtt_ms(&r, 65);
}

static void check_window(const struct hf_rack *r, const struct hf_reordering *path, bool sure,
                         hf_ns wanted_us)
{
    hf_ns got_ns = hf_rack_window_ns(r, path, HF_MS(100), sure);
    assert_in_range(got_ns, HF_US(wanted_us), HF_US(wanted_us) + HF_US(2));
}

/* covers: CO-8985-05, CO-8985-06: none where there was no reordering and enough has arrived; else
 * a quarter of the least round trip, one more with each round that told of duplicates, SRTT at
 * most */
static void the_window_grows_with_duplicates(void **state)
{
    (void)state;
    struct hf_rack r;
    struct hf_reordering path = {0};
    hf_rack_init(&r, at(0));
    sample(&r, 0, 80, false);
    check_window(&r, &path, true, 0);
    check_window(&r, &path, false, 20000);
    path.seen = true;
    check_window(&r, &path, true, 20000);
    hf_rack_duplicate(&r, &path, at(0), at(1000));
    check_window(&r, &path, true, 40000);
    hf_rack_duplicate(&r, &path, at(999), at(2000)); /* of the same round */
    check_window(&r, &path, true, 40000);
    hf_rack_duplicate(&r, &path, at(1000), at(2000));
    check_window(&r, &path, true, 60000);
    for (uint32_t n = 2; n < 10; n++)
        hf_rack_duplicate(&r, &path, at(1000 * n), at(1000 * n + 1000));
    check_window(&r, &path, true, 100000);
    assert_int_equal(path.steps, 7);
}

/* The end of a round that is over lies ahead again after half of the number space: it counts no
 * more. */
static void a_round_of_long_ago_is_over(void **state)
{
    (void)state;
    struct hf_rack r;
    struct hf_reordering path = {.seen = true};
    hf_rack_init(&r, at(0));
    sample(&r, 0, 80, false);
    hf_rack_duplicate(&r, &path, at(0), at(1000));
    check_window(&r, &path, true, 40000);
    hf_rack_duplicate(&r, &path, at(2000 + (1u << 31)), at(3000 + (1u << 31)));
    check_window(&r, &path, true, 60000);
}

/* covers: CO-8985-06: kept for 16 recoveries, counted from the last duplicate */
static void the_window_shrinks_after_recoveries(void **state)
{
    (void)state;
    struct hf_rack r;
    struct hf_reordering path = {.seen = true};
    hf_rack_init(&r, at(0));
    sample(&r, 0, 80, false);
    hf_rack_duplicate(&r, &path, at(0), at(100));
    for (int n = 0; n < 10; n++)
        hf_reordering_recovered(&path);
    hf_rack_duplicate(&r, &path, at(100), at(200));
    for (int n = 0; n < 15; n++) {
        hf_reordering_recovered(&path);
        check_window(&r, &path, true, 60000);
    }
    hf_reordering_recovered(&path);
    check_window(&r, &path, true, 20000);
    assert_true(path.seen);
}

/* ---- loss ---- */

struct fixture {
    struct hf_run runs[16];
    struct hf_board_state state;
    struct hf_board b;
    struct hf_rack r;
    hf_seq nxt;
};

/* Segments that leave at 0, 10, 20, ... ms; a round trip of 40 ms is known. */
static void fixture_open(struct fixture *f, uint32_t segs)
{
    *f = (struct fixture){.nxt = at(0)};
    f->b = (struct hf_board){&f->state, f->runs, 16};
    hf_rack_init(&f->r, at(0));
    for (uint32_t i = 0; i < segs; i++) {
        hf_board_append(&f->b, f->nxt, MSS, MSS, start_ns + HF_MS(10 * i), 0);
        f->nxt = hf_seq_add(f->nxt, MSS);
    }
}

static void arrive(struct fixture *f, hf_ns now_ms, uint32_t segment)
{
    struct hf_reordering path = {0};
    struct hf_delivery d = {
        .now_ns = start_ns + HF_MS(now_ms), .fack = f->r.fack, .foremost = f->r.fack};
    hf_board_sack(&f->b, at(segment * MSS), at(segment * MSS + MSS), &d);
    hf_rack_take(&f->r, &path, &d);
}

static hf_ns find_lost(struct fixture *f, hf_ns now_ms, hf_ns window_ms)
{
    hf_ns wait_ns = hf_rack_find_lost(&f->r, &f->b, start_ns + HF_MS(now_ms), HF_MS(window_ms));
    assert_true(hf_board_is_sound(&f->b, at(0), f->nxt, true));
    return wait_ns;
}

/* covers: CO-8985-07: what left before what arrived, a round trip and the window ago; until the
 * last of them may be lost it is waited */
static void what_left_before_is_lost_in_time(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 6);
    arrive(&f, 70, 3); /* sent at 30 */
    assert_int_equal(f.r.rtt_ns, HF_MS(40));
    /* 0 and 1 would have to be here by 55 and 65, 2 by 75. */
    assert_int_equal(find_lost(&f, 70, 15), HF_MS(5));
    assert_int_equal(f.state.lost_bytes, 2 * MSS);
    assert_true(f.runs[0].lost);
    assert_int_equal(f.runs[0].why, HF_RETRANSMIT_RACK);
    assert_int_equal(f.runs[0].bytes, 2 * MSS);
    assert_int_equal(find_lost(&f, 74, 15), HF_MS(1));
    assert_int_equal(f.state.lost_bytes, 2 * MSS);
    assert_int_equal(find_lost(&f, 75, 15), 0);
    assert_int_equal(f.state.lost_bytes, 3 * MSS);
    assert_int_equal(find_lost(&f, 9000, 0), 0); /* 4 and 5 left later: nothing tells of them */
    assert_int_equal(f.state.lost_bytes, 3 * MSS);
}

/* The largest of the times is waited for, so that one timer finds all. */
static void the_longest_wait_is_told(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 4);
    arrive(&f, 70, 3);
    assert_int_equal(find_lost(&f, 70, 45), HF_MS(35));
    assert_int_equal(f.state.lost_bytes, 0);
    assert_int_equal(find_lost(&f, 100, 45), HF_MS(5));
    assert_int_equal(f.state.lost_bytes, 2 * MSS);
}

/* What is sent again in the instant in which something behind it arrives may arrive yet: else ACKs
 * of one instant would draw it without end. Later it is lost as any other. */
static void what_was_sent_just_now_may_arrive(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 4);
    hf_board_resent(&f.b, at(0), MSS, MSS, start_ns + HF_MS(30));
    arrive(&f, 30, 3); /* sent at 30 as well: no time has passed */
    find_lost(&f, 30, 0);
    assert_false(f.runs[0].lost);
    assert_int_equal(f.state.lost_bytes, 2 * MSS); /* 1 and 2, sent once */
    find_lost(&f, 31, 0);
    assert_true(f.runs[0].lost);
}

/* A retransmission is lost as any other: by what left after it and arrived. And one that stands
 * before what left earlier does not hide that. */
static void a_retransmission_is_lost_again(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 5);
    arrive(&f, 70, 3);
    (void)find_lost(&f, 70, 0);
    assert_int_equal(f.state.lost_bytes, 3 * MSS);
    hf_board_resent(&f.b, at(0), MSS, MSS, start_ns + HF_MS(70));
    hf_board_resent(&f.b, at(MSS), 2 * MSS, MSS, start_ns + HF_MS(72));
    arrive(&f, 80, 4); /* sent at 40: before them */
    assert_int_equal(find_lost(&f, 80, 0), 0);
    assert_int_equal(f.state.lost_bytes, 0);
    arrive(&f, 112, 2); /* the second copy: 40 ms */
    assert_int_equal(f.r.rtt_ns, HF_MS(40));
    assert_int_equal(find_lost(&f, 112, 0), 0);
    assert_int_equal(f.state.lost_bytes, 2 * MSS); /* 1 left with it, and ends before it */

    fixture_open(&f, 5);
    arrive(&f, 55, 1);
    (void)find_lost(&f, 55, 0);
    assert_int_equal(f.state.lost_bytes, MSS);
    hf_board_resent(&f.b, at(0), MSS, MSS, start_ns + HF_MS(55));
    arrive(&f, 80, 4); /* sent at 40: after 2 and 3, not after the copy of 0 */
    assert_int_equal(find_lost(&f, 80, 0), 0);
    assert_int_equal(f.state.lost_bytes, 2 * MSS);
    assert_false(f.runs[0].lost);
}

/* Of what left at one time those are judged that stand before what arrived. */
static void order_counts_within_one_time(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 0);
    hf_board_append(&f.b, f.nxt, 6 * MSS, MSS, start_ns, 0);
    f.nxt = hf_seq_add(f.nxt, 6 * MSS);
    arrive(&f, 40, 3);
    assert_int_equal(find_lost(&f, 40, 0), 0);
    assert_int_equal(f.state.lost_bytes, 3 * MSS);
    assert_int_equal(f.state.count, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_segment_sent_last_counts),
        cmocka_unit_test(the_least_round_trip_is_of_late),
        cmocka_unit_test(the_window_grows_with_duplicates),
        cmocka_unit_test(a_round_of_long_ago_is_over),
        cmocka_unit_test(the_window_shrinks_after_recoveries),
        cmocka_unit_test(what_left_before_is_lost_in_time),
        cmocka_unit_test(the_longest_wait_is_told),
        cmocka_unit_test(what_was_sent_just_now_may_arrive),
        cmocka_unit_test(a_retransmission_is_lost_again),
        cmocka_unit_test(order_counts_within_one_time),
    };
    return cmocka_run_group_tests_name("rack", tests, NULL, NULL);
}
