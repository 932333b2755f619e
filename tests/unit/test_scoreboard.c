/* The scoreboard's runs: each rule by itself, and any order of events against an array of bytes. */
#include "core/scoreboard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "support/test_random.h"

enum { MSS = 10, SPAN = 600 };
static const enum hf_reason WHY = HF_RETRANSMIT_RACK, OTHER_WHY = HF_RETRANSMIT_GO_BACK;

struct fixture {
    struct hf_run runs[HF_RUNS_MAX + 1]; /* one behind the end, to see that it stays untouched */
    struct hf_board_state state;
    struct hf_board b;
    hf_seq una, nxt;
    hf_ns now;
};

static void fixture_open(struct fixture *f, uint32_t first, uint32_t capacity)
{
    memset(f, 0, sizeof *f);
    memset(&f->runs[capacity], 0xA5, sizeof f->runs[0]);
    f->b = (struct hf_board){&f->state, f->runs, capacity};
    f->una = f->nxt = hf_seq_make(first);
    f->now = HF_SEC(1);
}

static hf_seq at(const struct fixture *f, uint32_t offset)
{
    return hf_seq_add(f->una, offset);
}

static void append(struct fixture *f, uint32_t bytes)
{
    hf_board_append(&f->b, f->nxt, bytes, MSS, f->now, 0);
    f->nxt = hf_seq_add(f->nxt, bytes);
}

static struct hf_delivery delivery(const struct fixture *f)
{
    return (struct hf_delivery){.now_ns = f->now, .fack = f->una, .foremost = f->una};
}

/* A run as "from:to" from SND.UNA on, with its marks. */
struct wanted {
    uint32_t begin, end;
    const char *marks; /* s sacked, l lost, a again */
};

static void check_runs(const struct fixture *f, const struct wanted *wanted, uint32_t count)
{
    assert_int_equal(f->state.count, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct hf_run *r = &f->runs[i];
        assert_int_equal(r->begin.v - f->una.v, wanted[i].begin);
        assert_int_equal(hf_run_end(r).v - f->una.v, wanted[i].end);
        assert_int_equal(r->sacked, strchr(wanted[i].marks, 's') != NULL);
        assert_int_equal(r->lost, strchr(wanted[i].marks, 'l') != NULL);
        if (!r->sacked)
            assert_int_equal(r->again, strchr(wanted[i].marks, 'a') != NULL);
    }
    assert_true(hf_board_is_sound(&f->b, f->una, f->nxt, true));
}

#define CHECK_RUNS(f, ...)                                                                         \
    check_runs(f, (const struct wanted[]){__VA_ARGS__},                                            \
               sizeof((const struct wanted[]){__VA_ARGS__}) / sizeof(struct wanted))

/* ---- sending ---- */

static void what_leaves_together_is_one_run(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 0xFFFFFFF0u, 8);
    append(&f, 30);
    append(&f, 20);
    CHECK_RUNS(&f, {0, 50, ""});
    append(&f, 7); /* short: what follows would hide where it ends */
    CHECK_RUNS(&f, {0, 57, ""});
    append(&f, 10);
    CHECK_RUNS(&f, {0, 57, ""}, {57, 67, ""});
    f.now += 5;
    append(&f, 10);
    CHECK_RUNS(&f, {0, 57, ""}, {57, 67, ""}, {67, 77, ""});
    hf_board_append(&f.b, f.nxt, 10, MSS, f.now + 5, 5); /* near enough */
    f.nxt = hf_seq_add(f.nxt, 10);
    CHECK_RUNS(&f, {0, 57, ""}, {57, 67, ""}, {67, 87, ""});
    assert_int_equal(f.runs[2].sent_at, f.now);
    hf_board_append(&f.b, f.nxt, 20, 2 * MSS, f.now, 5); /* other segments */
    f.nxt = hf_seq_add(f.nxt, 20);
    CHECK_RUNS(&f, {0, 57, ""}, {57, 67, ""}, {67, 87, ""}, {87, 107, ""});
}

/* Without room what is new joins the last run; behind one that is marked it can't be sent. */
static void a_full_board_takes_what_joins(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 5, 4);
    for (int i = 0; i < 6; i++) {
        assert_true(hf_board_may_append(&f.b));
        append(&f, 10);
        f.now++;
    }
    CHECK_RUNS(&f, {0, 10, ""}, {10, 20, ""}, {20, 30, ""}, {30, 60, ""});
    hf_board_lose(&f.b, at(&f, 30), at(&f, 60), WHY);
    assert_false(hf_board_may_append(&f.b));
    hf_board_resent(&f.b, at(&f, 30), 30, MSS, f.now);
    assert_false(hf_board_may_append(&f.b)); /* it would have been sent twice */
    struct hf_delivery d = delivery(&f);
    f.una = at(&f, 10);
    hf_board_ack(&f.b, f.una, &d);
    assert_true(hf_board_may_append(&f.b));
}

/* ---- acknowledgments ---- */

/* [RFC2018#5] Only segments that lie wholly in a block have arrived; where they begin is told from
 * the first, which an ACK may have cut. */
static void whole_segments_are_sacked(void **state)
{
    (void)state;
    static const struct {
        uint32_t left, right, begin, end;
    } rows[] = {{10, 20, 10, 20}, {10, 29, 10, 20}, {9, 20, 10, 20}, {11, 30, 20, 30},
                {1, 9, 0, 0},     {11, 29, 0, 0},   {11, 19, 0, 0},  {60, 67, 60, 67},
                {60, 66, 0, 0},   {0, 67, 0, 67},   {3, 67, 10, 67}, {0, 9, 0, 0}};
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++) {
        struct fixture f;
        fixture_open(&f, UINT32_MAX - 30, 16);
        append(&f, 67);
        struct hf_delivery d = delivery(&f);
        hf_board_sack(&f.b, at(&f, rows[i].left), at(&f, rows[i].right), &d);
        uint32_t bytes = rows[i].end - rows[i].begin;
        assert_int_equal(d.sacked_bytes, bytes);
        assert_int_equal(f.state.sacked_bytes, bytes);
        assert_int_equal(d.has_newest, bytes > 0);
        if (bytes > 0) {
            assert_true(hf_seq_eq(d.newest_end, at(&f, rows[i].end)));
            assert_true(hf_seq_eq(d.foremost, at(&f, rows[i].end)));
        }
        assert_true(hf_board_is_sound(&f.b, f.una, f.nxt, true));
        struct hf_delivery twice = delivery(&f); /* no news */
        hf_board_sack(&f.b, at(&f, rows[i].left), at(&f, rows[i].right), &twice);
        assert_int_equal(twice.sacked_bytes, 0);
        assert_false(twice.has_newest);
    }
}

/* covers: CO-8985-17: an ACK, or a block, of a part of a segment delivers nothing */
static void parts_deliver_nothing(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 100, 16);
    append(&f, 40);
    for (uint32_t n = 1; n <= 9; n++) {
        struct hf_delivery d = delivery(&f);
        f.una = at(&f, 1);
        hf_board_ack(&f.b, f.una, &d);
        assert_int_equal(d.acked_bytes, 1);
        assert_false(d.has_newest);
        CHECK_RUNS(&f, {0, 40 - n, ""});
        hf_board_sack(&f.b, at(&f, 10 - n), at(&f, 19 - n), &d);
        hf_board_sack(&f.b, at(&f, 11 - n), at(&f, 20 - n), &d);
        assert_int_equal(d.sacked_bytes, 0);
        assert_false(d.has_newest);
    }
    struct hf_delivery d = delivery(&f);
    hf_board_sack(&f.b, at(&f, 1), at(&f, 11), &d);
    assert_int_equal(d.sacked_bytes, 10);
    CHECK_RUNS(&f, {0, 1, ""}, {1, 11, "s"}, {11, 31, ""});
    f.una = at(&f, 1);
    hf_board_ack(&f.b, f.una, &d);
    assert_true(hf_board_front_is_sacked(&f.b));
    CHECK_RUNS(&f, {0, 10, "s"}, {10, 30, ""});
}

/* covers: CO-8985-02: what answers a retransmission tells the time unless the echo is older than
 * that; where no echo can tell, as for a SACK or within a tick of its clock, unless it came
 * faster than anything has */
static void doubtful_answers_tell_no_time(void **state)
{
    (void)state;
    static const struct {
        hf_ns after_ns, min_rtt_ns;
        bool has_echo, by_sack;
        uint32_t echo_ms;
        bool tells;
    } rows[] = {
        {HF_MS(32), HF_MS(32), false, false, 0, true},
        {HF_MS(32) - 1, HF_MS(32), false, false, 0, false},
        {HF_MS(32) - 1, 0, false, false, 0, true},
        {HF_MS(50), HF_MS(40), true, false, 2000, true},
        {HF_MS(50), HF_MS(40), true, false, 1999, false},
        {HF_MS(19), HF_MS(40), true, false, 2000, true},
        {HF_MS(1), HF_MS(2), true, false, 2000, true},
        {HF_MS(1), HF_MS(2) - 1, true, false, 2000, false},
        {HF_MS(2), HF_MS(2) - 1, true, false, 2000, true},
        {HF_MS(32), HF_MS(32), true, true, 1999, true},
        {HF_MS(32) - 1, HF_MS(32), true, true, 2000, false},
    };
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++) {
        struct fixture f;
        fixture_open(&f, 1, 8);
        append(&f, 20);
        hf_board_lose(&f.b, at(&f, 0), at(&f, 10), WHY);
        hf_board_resent(&f.b, at(&f, 0), 10, MSS, HF_SEC(2));
        struct hf_delivery d = delivery(&f);
        d.now_ns = HF_SEC(2) + rows[i].after_ns;
        d.min_rtt_ns = rows[i].min_rtt_ns;
        d.has_echo = rows[i].has_echo;
        d.echo_ms = rows[i].echo_ms;
        if (rows[i].by_sack) {
            hf_board_sack(&f.b, at(&f, 0), at(&f, 10), &d);
        } else {
            f.una = at(&f, 10);
            hf_board_ack(&f.b, f.una, &d);
        }
        assert_int_equal(d.acked_bytes + d.sacked_bytes, 10);
        assert_int_equal(d.has_newest, rows[i].tells);
        if (rows[i].tells) {
            assert_true(d.newest_again);
            assert_int_equal(d.newest_sent_at, HF_SEC(2));
        }
    }
}

/* covers: CO-8985-04: below what had arrived, and sent once */
static void late_arrivals_are_reordered(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 1, 8);
    append(&f, 50);
    struct hf_delivery d = delivery(&f);
    hf_board_sack(&f.b, at(&f, 30), at(&f, 40), &d);
    assert_false(d.reordered);
    hf_seq fack = d.foremost;
    assert_true(hf_seq_eq(fack, at(&f, 40)));
    hf_board_lose(&f.b, at(&f, 0), at(&f, 10), WHY);
    hf_board_resent(&f.b, at(&f, 0), 10, MSS, f.now + 1);
    d = delivery(&f);
    d.fack = d.foremost = fack;
    hf_board_sack(&f.b, at(&f, 0), at(&f, 10), &d); /* sent twice: either copy */
    assert_false(d.reordered);
    hf_board_sack(&f.b, at(&f, 40), at(&f, 50), &d);
    assert_false(d.reordered);
    hf_board_sack(&f.b, at(&f, 20), at(&f, 30), &d);
    assert_true(d.reordered);
}

/* When all has arrived nothing is in flight: what the last run was says nothing any more. */
static void an_empty_board_knows_nothing(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 1, 8);
    f.runs[0] = (struct hf_run){.bytes = 5, .mss = MSS, .head = 5}; /* not the board's */
    f.b.runs = &f.runs[1];
    append(&f, 15);
    struct hf_delivery d = delivery(&f);
    hf_board_sack(&f.b, at(&f, 0), at(&f, 15), &d);
    assert_true(hf_board_front_is_sacked(&f.b));
    assert_true(hf_board_fin_has_text(&f.b));
    f.una = at(&f, 15);
    hf_board_ack(&f.b, f.una, &d);
    hf_seq begin;
    assert_int_equal(f.state.count, 0);
    assert_false(hf_board_front_is_sacked(&f.b));
    assert_false(hf_board_fin_has_text(&f.b));
    assert_int_equal(hf_board_last_segment(&f.b, true, &begin), 0);
    hf_board_lose(&f.b, at(&f, 0), at(&f, 10), WHY);
    assert_null(hf_board_first_lost(&f.b));
    assert_true(hf_board_is_sound(&f.b, f.una, f.nxt, true));
}

/* ---- loss ---- */

static void what_is_lost_is_sent_again(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 1, 16);
    append(&f, 55);
    struct hf_delivery d = delivery(&f);
    hf_board_sack(&f.b, at(&f, 20), at(&f, 30), &d);
    assert_null(hf_board_first_lost(&f.b));
    hf_board_lose(&f.b, at(&f, 10), at(&f, 40), WHY);
    CHECK_RUNS(&f, {0, 10, ""}, {10, 20, "l"}, {20, 30, "s"}, {30, 40, "l"}, {40, 55, ""});
    assert_int_equal(f.state.lost_bytes, 20);
    assert_ptr_equal(hf_board_first_lost(&f.b), &f.runs[1]);
    assert_int_equal(f.runs[1].why, WHY);
    f.now++;
    hf_board_resent(&f.b, at(&f, 10), 10, MSS, f.now);
    assert_ptr_equal(hf_board_first_lost(&f.b), &f.runs[3]);
    assert_true(hf_board_was_resent(&f.b, at(&f, 19), at(&f, 20)));
    assert_false(hf_board_was_resent(&f.b, at(&f, 0), at(&f, 10)));
    assert_false(hf_board_was_resent(&f.b, at(&f, 20), at(&f, 55)));
    hf_board_lose_old(&f.b, f.now - 1, OTHER_WHY); /* not the one that was sent again since */
    CHECK_RUNS(&f, {0, 10, "l"}, {10, 20, "a"}, {20, 30, "s"}, {30, 40, "l"}, {40, 55, "l"});
    assert_int_equal(f.runs[3].why, WHY);
    hf_board_find_all(&f.b);
    assert_int_equal(f.state.lost_bytes, 0);
    assert_null(hf_board_first_lost(&f.b));
    hf_seq begin;
    assert_int_equal(hf_board_last_segment(&f.b, false, &begin), 5);
    assert_true(hf_seq_eq(begin, at(&f, 50)));
    d = delivery(&f);
    hf_board_sack(&f.b, at(&f, 50), at(&f, 55), &d);
    assert_int_equal(hf_board_last_segment(&f.b, false, &begin), 0);
    hf_board_unsack(&f.b);
    assert_int_equal(f.state.sacked_bytes, 0);
    assert_false(hf_board_front_is_sacked(&f.b));
    assert_true(hf_board_is_sound(&f.b, f.una, f.nxt, true));
}

/* What is sent again is cut anew: of a smaller size, and from where it begins. */
static void segments_are_cut_anew(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 1, 16);
    append(&f, 40);
    hf_board_lose(&f.b, at(&f, 10), at(&f, 40), WHY);
    hf_board_resent(&f.b, at(&f, 10), 30, 4, f.now + 1);
    struct hf_delivery d = delivery(&f);
    hf_board_sack(&f.b, at(&f, 14), at(&f, 21), &d);
    assert_int_equal(d.sacked_bytes, 4);
    CHECK_RUNS(&f, {0, 10, ""}, {10, 14, "a"}, {14, 18, "s"}, {18, 40, "a"});
    hf_board_sack(&f.b, at(&f, 38), at(&f, 40), &d); /* the last is what is left */
    CHECK_RUNS(&f, {0, 10, ""}, {10, 14, "a"}, {14, 18, "s"}, {18, 38, "a"}, {38, 40, "s"});
}

/* Without SACK what is lost is counted from an ACK on that may stand inside a segment. */
static void a_cut_inside_a_segment_makes_two(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 1, 16);
    append(&f, 30);
    struct hf_delivery d = delivery(&f);
    f.una = at(&f, 4);
    hf_board_ack(&f.b, f.una, &d);
    hf_board_lose(&f.b, at(&f, 0), at(&f, 10), WHY);
    CHECK_RUNS(&f, {0, 10, "l"}, {10, 26, ""});
    hf_board_lose(&f.b, at(&f, 20), at(&f, 21), WHY);
    assert_true(hf_board_is_sound(&f.b, f.una, f.nxt, true));
    assert_int_equal(f.state.lost_bytes, 11);
    fixture_open(&f, 1, 16);
    append(&f, 30);
    hf_board_lose(&f.b, at(&f, 0), at(&f, 4), WHY);
    CHECK_RUNS(&f, {0, 4, "l"}, {4, 30, ""});
}

/* What lies before or behind the flight, or is nothing at all, takes no run with it. */
static void only_what_is_in_flight_is_lost(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 0xFFFFFFF0u, 8);
    append(&f, 30);
    hf_board_lose(&f.b, hf_seq_sub(f.una, 10), f.una, WHY);
    hf_board_lose(&f.b, f.nxt, hf_seq_add(f.nxt, 10), WHY);
    hf_board_lose(&f.b, f.una, f.una, WHY);
    CHECK_RUNS(&f, {0, 30, ""});
    hf_board_lose(&f.b, at(&f, 20), at(&f, 40), WHY);
    CHECK_RUNS(&f, {0, 20, ""}, {20, 30, "l"});
}

/* A FIN that left by itself goes along with the last of the text, unless that has arrived. */
static void a_bare_fin_goes_with_text_that_is_missing(void **state)
{
    (void)state;
    struct fixture f;
    hf_seq begin;
    fixture_open(&f, 1, 8);
    append(&f, 25);
    f.now++;
    append(&f, 1);
    CHECK_RUNS(&f, {0, 25, ""}, {25, 26, ""});
    assert_int_equal(hf_board_last_segment(&f.b, true, &begin), 6);
    assert_true(hf_seq_eq(begin, at(&f, 20)));
    struct hf_delivery d = delivery(&f);
    hf_board_sack(&f.b, at(&f, 20), at(&f, 25), &d);
    assert_int_equal(hf_board_last_segment(&f.b, true, &begin), 1);
    assert_true(hf_seq_eq(begin, at(&f, 25)));
    f.una = at(&f, 25);
    hf_board_ack(&f.b, f.una, &d);
    assert_int_equal(hf_board_last_segment(&f.b, true, &begin), 1);
    assert_true(hf_seq_eq(begin, f.una));
}

/* Whether the last segment is more than the FIN: also where it ends with the last full one. */
static void text_beside_the_fin(void **state)
{
    (void)state;
    for (uint32_t bytes = 1; bytes <= 3 * MSS + 1; bytes++) {
        struct fixture f;
        fixture_open(&f, 1, 8);
        append(&f, bytes);
        assert_int_equal(hf_board_fin_has_text(&f.b), bytes % MSS != 1);
    }
}

/* Splitting keeps two places free; a mark that needs one more is not noted, or notes too much. */
static void without_room_marks_are_coarse(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 1, 4);
    append(&f, 60);
    struct hf_delivery d = delivery(&f);
    hf_board_sack(&f.b, at(&f, 10), at(&f, 60), &d); /* at the end: one cut */
    CHECK_RUNS(&f, {0, 10, ""}, {10, 60, "s"});
    fixture_open(&f, 1, 4);
    append(&f, 60);
    d = delivery(&f);
    hf_board_sack(&f.b, at(&f, 10), at(&f, 20), &d); /* in the middle: two */
    assert_int_equal(d.sacked_bytes, 0);
    assert_int_equal(f.state.sacked_bytes, 0);
    assert_true(f.state.count <= 2);
    assert_true(hf_board_is_sound(&f.b, f.una, f.nxt, true));
    hf_board_lose(&f.b, at(&f, 30), at(&f, 40), WHY);
    assert_true(f.state.lost_bytes >= 10);
    assert_true(hf_board_is_sound(&f.b, f.una, f.nxt, true));
    assert_true(hf_board_may_append(&f.b));
    append(&f, 10);
    assert_true(hf_board_may_append(&f.b));
    append(&f, 10);
}

/* ---- against an array of bytes -------------------------------------------------------------- */

/* What a byte of the flight is. A sacked byte's time and place in a segment don't matter any more,
 * nor a lost one's time. */
struct cell {
    bool sacked, lost, again;
    uint16_t why;
    hf_ns sent_at;
    uint32_t segment; /* where its segment begins */
};

struct model {
    struct cell cells[SPAN];
    uint32_t count;
};

/* The board, spelt out. */
static void spell(const struct fixture *f, struct model *m)
{
    m->count = 0;
    for (uint32_t i = 0; i < f->state.count; i++) {
        const struct hf_run *r = &f->runs[i];
        for (uint32_t n = 0; n < r->bytes; n++) {
            uint32_t start = n < r->head ? 0 : n - (n - r->head) % r->mss;
            m->cells[m->count++] = (struct cell){
                .sacked = r->sacked,
                .lost = r->lost,
                .again = r->again,
                .why = r->why,
                .sent_at = r->sent_at,
                .segment = r->begin.v - f->una.v + start,
            };
        }
    }
}

static uint32_t segment_end(const struct model *m, uint32_t begin)
{
    uint32_t end = begin + 1;
    while (end < m->count && m->cells[end].segment == begin && !m->cells[end].sacked)
        end++;
    return end;
}

struct run_through {
    struct fixture f;
    struct model before, wanted, got;
    struct test_random *r;
    bool exact;      /* there is room for every mark */
    hf_seq fack;     /* of all that has arrived */
    uint64_t told;   /* bytes that deliveries counted */
    uint32_t passed; /* by SND.UNA */
};

static uint32_t below(struct run_through *t, uint32_t n)
{
    return test_random_below(t->r, n);
}

/* A bound between segments, or any byte's offset if `any`. */
static uint32_t some_offset(struct run_through *t, bool any)
{
    if (t->before.count == 0)
        return 0;
    uint32_t offset = below(t, t->before.count + 1);
    if (any || offset == t->before.count || t->before.cells[offset].sacked)
        return offset;
    return t->before.cells[offset].segment;
}

/* The newest of a delivery, as the array has it. */
static void expect_delivered(struct run_through *t, uint32_t from, uint32_t to,
                             struct hf_delivery *d)
{
    const struct model *m = &t->before;
    for (uint32_t i = from; i < to; i = m->cells[i].sacked ? i + 1 : segment_end(m, i)) {
        const struct cell *c = &m->cells[i];
        uint32_t end = c->sacked ? 0 : segment_end(m, i);
        if (c->sacked || end > to)
            continue;
        hf_seq end_seq = at(&t->f, end);
        d->reordered |= !c->again && hf_seq_lt(end_seq, d->fack);
        d->foremost = hf_seq_max(d->foremost, end_seq);
        if (c->again && d->now_ns - c->sent_at < d->min_rtt_ns)
            continue;
        if (d->has_newest &&
            (c->sent_at < d->newest_sent_at ||
             (c->sent_at == d->newest_sent_at && hf_seq_le(end_seq, d->newest_end))))
            continue;
        d->has_newest = true;
        d->newest_sent_at = c->sent_at;
        d->newest_end = end_seq;
        d->newest_again = c->again;
    }
}

static void check_delivery(struct run_through *t, const struct hf_delivery *d,
                           const struct hf_delivery *wanted)
{
    t->told += d->acked_bytes + d->sacked_bytes;
    t->fack = hf_seq_max(t->fack, d->foremost);
    if (!t->exact)
        return;
    assert_int_equal(d->acked_bytes, wanted->acked_bytes);
    assert_int_equal(d->sacked_bytes, wanted->sacked_bytes);
    assert_int_equal(d->has_newest, wanted->has_newest);
    assert_true(hf_seq_eq(d->foremost, wanted->foremost));
    if (!d->has_newest)
        return;
    assert_int_equal(d->newest_sent_at, wanted->newest_sent_at);
    assert_true(hf_seq_eq(d->newest_end, wanted->newest_end));
    assert_int_equal(d->newest_again, wanted->newest_again);
}

static struct hf_delivery next_delivery(const struct run_through *t)
{
    struct hf_delivery d = delivery(&t->f);
    d.min_rtt_ns = 3;
    d.fack = d.foremost = hf_seq_max(t->fack, t->f.una);
    return d;
}

static void step_append(struct run_through *t)
{
    uint32_t bytes = 1 + below(t, 3 * MSS);
    if (below(t, 2) == 0)
        bytes = (1 + below(t, 4)) * MSS;
    if (t->before.count + bytes > SPAN || !hf_board_may_append(&t->f.b))
        return;
    for (uint32_t n = 0; n < bytes; n++)
        t->wanted.cells[t->wanted.count + n] =
            (struct cell){.sent_at = t->f.now, .segment = t->wanted.count + n / MSS * MSS};
    t->wanted.count += bytes;
    append(&t->f, bytes);
}

static void step_ack(struct run_through *t)
{
    uint32_t n = some_offset(t, below(t, 4) == 0);
    struct hf_delivery d = next_delivery(t), wanted = d;
    expect_delivered(t, 0, n, &wanted);
    for (uint32_t i = 0; i < n; i++)
        wanted.acked_bytes += !t->before.cells[i].sacked;
    t->wanted.count -= n;
    memmove(t->wanted.cells, t->wanted.cells + n, t->wanted.count * sizeof t->wanted.cells[0]);
    for (uint32_t i = 0; i < t->wanted.count; i++)
        t->wanted.cells[i].segment -= hf_min_u32(t->wanted.cells[i].segment, n);
    t->f.una = at(&t->f, n);
    t->passed += n;
    hf_board_ack(&t->f.b, t->f.una, &d);
    check_delivery(t, &d, &wanted);
}

static void step_sack(struct run_through *t)
{
    uint32_t left = some_offset(t, below(t, 3) == 0);
    uint32_t right = hf_min_u32(left + 1 + below(t, 5 * MSS), t->before.count);
    if (left >= right)
        return;
    struct hf_delivery d = next_delivery(t), wanted = d;
    for (uint32_t i = left; i < right; i++) {
        const struct cell *c = &t->before.cells[i];
        if (c->sacked || c->segment < left || segment_end(&t->before, c->segment) > right)
            continue;
        t->wanted.cells[i].sacked = true;
        t->wanted.cells[i].lost = false;
        wanted.sacked_bytes++;
    }
    uint32_t from = left;
    while (from < right && !t->before.cells[from].sacked && t->before.cells[from].segment < left)
        from++;
    expect_delivered(t, from, right, &wanted);
    hf_board_sack(&t->f.b, at(&t->f, left), at(&t->f, right), &d);
    check_delivery(t, &d, &wanted);
}

static void step_lose(struct run_through *t)
{
    uint32_t from = some_offset(t, false), to = some_offset(t, false);
    bool old = below(t, 4) == 0;
    hf_ns before_ns = t->f.now - (hf_ns)below(t, 20);
    enum hf_reason why = below(t, 2) == 0 ? WHY : OTHER_WHY;
    for (uint32_t i = 0; i < t->wanted.count; i++) {
        struct cell *c = &t->wanted.cells[i];
        bool hit = old ? c->sent_at <= before_ns : i >= from && i < to;
        if (!hit || c->sacked || c->lost)
            continue;
        c->lost = true;
        c->why = (uint16_t)why;
    }
    if (old)
        hf_board_lose_old(&t->f.b, before_ns, why);
    else if (from < to)
        hf_board_lose(&t->f.b, at(&t->f, from), at(&t->f, to), why);
}

/* Some of the first that is lost, as output does it, or the last segment, as a probe. */
static void step_resend(struct run_through *t)
{
    const struct hf_run *run = hf_board_first_lost(&t->f.b);
    hf_seq begin;
    uint32_t bytes, run_end = t->before.count;
    if (run != NULL && below(t, 4) > 0) {
        begin = run->begin;
        run_end = hf_run_end(run).v - t->f.una.v;
        bytes = hf_min_u32(run->bytes, (1 + below(t, 4)) * MSS);
    } else {
        bytes = hf_board_last_segment(&t->f.b, false, &begin);
        if (bytes == 0)
            return;
    }
    uint32_t from = begin.v - t->f.una.v;
    for (uint32_t i = from; i < from + bytes; i++) {
        struct cell *c = &t->wanted.cells[i];
        *c = (struct cell){
            .again = true, .sent_at = t->f.now, .segment = from + (i - from) / MSS * MSS};
    }
    /* Behind it the run is counted in segments from there on: it may have begun with a part of
     * one. */
    for (uint32_t i = from + bytes; i < run_end; i++)
        t->wanted.cells[i].segment = i - (i - from - bytes) % MSS;
    hf_board_resent(&t->f.b, begin, bytes, MSS, t->f.now);
    spell(&t->f, &t->got);
    for (uint32_t i = from; i < from + bytes; i++)
        assert_true(t->got.cells[i].again && !t->got.cells[i].lost); /* room or not */
}

static void step_forget(struct run_through *t)
{
    bool unsack = below(t, 4) == 0;
    if (unsack)
        hf_board_unsack(&t->f.b);
    else
        hf_board_find_all(&t->f.b);
    spell(&t->f,
          &t->got); /* times and bounds of what was sacked or lost are as the runs have them */
    for (uint32_t i = 0; i < t->wanted.count; i++) {
        assert_false(unsack ? t->got.cells[i].sacked : t->got.cells[i].lost);
        assert_int_equal(unsack ? t->got.cells[i].lost : t->got.cells[i].sacked,
                         unsack ? t->before.cells[i].lost : t->before.cells[i].sacked);
    }
    t->wanted = t->got;
}

/* All cells as wanted, where there was room; else as the header says: too little is taken for
 * arrived, never too much. */
static void check_cells(const struct run_through *t)
{
    assert_int_equal(t->got.count, t->wanted.count);
    for (uint32_t i = 0; i < t->got.count; i++) {
        const struct cell *got = &t->got.cells[i], *wanted = &t->wanted.cells[i];
        assert_true(wanted->sacked || !got->sacked);
        if (!t->exact)
            continue;
        assert_int_equal(got->sacked, wanted->sacked);
        assert_int_equal(got->lost, wanted->lost);
        if (got->sacked)
            continue;
        assert_int_equal(got->again, wanted->again);
        assert_int_equal(got->segment, wanted->segment);
        if (got->lost)
            assert_int_equal(got->why, wanted->why);
        else
            assert_int_equal(got->sent_at, wanted->sent_at);
    }
}

static void check_step(struct run_through *t)
{
    struct fixture *f = &t->f;
    assert_true(hf_board_is_sound(&f->b, f->una, f->nxt, true));
    assert_true(f->state.count <= f->b.capacity);
    const uint8_t *behind = (const uint8_t *)&f->runs[f->b.capacity];
    for (size_t i = 0; i < sizeof f->runs[0]; i++)
        assert_int_equal(behind[i], 0xA5);
    for (uint32_t i = 1; i < f->state.count; i++)
        assert_false(f->runs[i - 1].sacked && f->runs[i].sacked);
    spell(f, &t->got);
    check_cells(t);
    uint32_t lost = 0;
    while (lost < t->got.count && !t->got.cells[lost].lost)
        lost++;
    const struct hf_run *first = hf_board_first_lost(&f->b);
    assert_int_equal(first != NULL, lost < t->got.count);
    if (first != NULL)
        assert_true(hf_seq_eq(first->begin, at(f, lost)));
}

static void one_step(struct run_through *t)
{
    spell(&t->f, &t->before);
    t->wanted = t->before;
    uint32_t sacked = t->f.state.sacked_bytes;
    bool forgets = false;
    switch (below(t, 16)) {
    case 0: step_forget(t), forgets = true; break;
    case 1:
    case 2: step_ack(t); break;
    case 3:
    case 4:
    case 5: step_lose(t); break;
    case 6:
    case 7:
    case 8: step_resend(t); break;
    case 9:
    case 10:
    case 11: step_append(t); break;
    default: step_sack(t); break;
    }
    if (forgets)
        t->told -= sacked - t->f.state.sacked_bytes;
    t->f.now += below(t, 3);
    check_step(t);
    /* Each byte was told once: by the ACK that passed it, or by a block before. */
    assert_int_equal(t->told, t->passed + t->f.state.sacked_bytes);
}

static void any_order_is_as_in_an_array(void **state)
{
    (void)state;
    static const uint32_t capacities[] = {HF_RUNS_MAX, HF_RUNS_OWN, 5, 8, HF_RUNS_SOME};
    struct test_random r = test_random_make("any_order_is_as_in_an_array", 8985);
    static struct run_through t;
    for (uint32_t round = 0; round < test_random_rounds(200); round++) {
        uint32_t capacity = capacities[round % HF_COUNT_OF(capacities)];
        memset(&t, 0, sizeof t);
        t.r = &r;
        t.exact = capacity == HF_RUNS_MAX;
        fixture_open(&t.f, (uint32_t)test_random_u64(&r) | 0xFFFFF000u, capacity);
        t.fack = t.f.una;
        for (uint32_t i = 0; i < 400; i++)
            one_step(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_leaves_together_is_one_run),
        cmocka_unit_test(a_full_board_takes_what_joins),
        cmocka_unit_test(whole_segments_are_sacked),
        cmocka_unit_test(parts_deliver_nothing),
        cmocka_unit_test(doubtful_answers_tell_no_time),
        cmocka_unit_test(late_arrivals_are_reordered),
        cmocka_unit_test(an_empty_board_knows_nothing),
        cmocka_unit_test(what_is_lost_is_sent_again),
        cmocka_unit_test(segments_are_cut_anew),
        cmocka_unit_test(a_cut_inside_a_segment_makes_two),
        cmocka_unit_test(only_what_is_in_flight_is_lost),
        cmocka_unit_test(a_bare_fin_goes_with_text_that_is_missing),
        cmocka_unit_test(text_beside_the_fin),
        cmocka_unit_test(without_room_marks_are_coarse),
        cmocka_unit_test(any_order_is_as_in_an_array),
    };
    return cmocka_run_group_tests_name("scoreboard", tests, NULL, NULL);
}
