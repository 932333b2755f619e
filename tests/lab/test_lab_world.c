/* Virtual time: order of events, repeatability, reuse of buffers, the allocator, the pattern. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lab/account.h"
#include "lab/pattern.h"
#include "lab/world.h"

struct log {
    int ids[400];
    hf_ns times[400];
    size_t count;
};

struct entry {
    struct log *log;
    int id;
};

static void note(void *ctx, struct hf_frame *frame, hf_ns now)
{
    struct entry *e = ctx;
    assert_null(frame);
    e->log->ids[e->log->count] = e->id;
    e->log->times[e->log->count++] = now;
}

static void events_come_in_order_of_time_and_then_of_making(void **state)
{
    (void)state;
    struct hf_world w;
    struct log log = {0};
    struct entry entries[300];
    hf_world_init(&w, 7);
    for (int i = 0; i < 300; i++) {
        entries[i] = (struct entry){&log, i};
        hf_world_at(&w, HF_MS((hf_ns)hf_dice_below(&w.random, 10)), note, &entries[i], NULL);
    }
    hf_world_run(&w, HF_SEC(1));
    assert_int_equal(log.count, 300);
    for (size_t i = 1; i < log.count; i++) {
        assert_true(log.times[i - 1] <= log.times[i]);
        if (log.times[i - 1] == log.times[i])
            assert_true(log.ids[i - 1] < log.ids[i]);
    }
    assert_int_equal(w.now_ns, HF_SEC(1));
    assert_int_equal(hf_world_next(&w), HF_NEVER);
    hf_world_free(&w);
}

/* Who took a turn early comes early, though the event is made late; its time counts first. */
static void a_turn_can_be_taken_before_the_event_is_made(void **state)
{
    (void)state;
    struct hf_world w;
    struct log log = {0};
    struct entry entries[3] = {{&log, 0}, {&log, 1}, {&log, 2}};
    hf_world_init(&w, 7);
    uint64_t turn = hf_world_turn(&w), other = hf_world_turn(&w);
    assert_true(turn < other);
    hf_world_at(&w, HF_MS(5), note, &entries[0], NULL);
    hf_world_at_turn(&w, HF_MS(5), turn, note, &entries[1]);
    hf_world_at_turn(&w, HF_MS(6), other, note, &entries[2]);
    hf_world_run(&w, HF_SEC(1));
    static const int order[] = {1, 0, 2};
    assert_int_equal(log.count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(log.ids[i], order[i]);
    hf_world_free(&w);
}

static void an_event_in_the_past_happens_now_and_the_limit_holds(void **state)
{
    (void)state;
    struct hf_world w;
    struct log log = {0};
    struct entry e = {&log, 1};
    hf_world_init(&w, 0);
    hf_world_run(&w, HF_MS(5));
    hf_world_at(&w, HF_MS(1), note, &e, NULL);
    hf_world_at(&w, HF_MS(9), note, &e, NULL);
    assert_true(hf_world_step(&w, HF_MS(8)));
    assert_int_equal(log.times[0], HF_MS(5));
    assert_false(hf_world_step(&w, HF_MS(8)));
    assert_int_equal(w.now_ns, HF_MS(5));
    assert_int_equal(hf_world_next(&w), HF_MS(9));
    hf_world_free(&w);
}

/* A node that ticks every millisecond, five times. */
struct ticker {
    hf_ns next_ns;
    int ticks;
};

static hf_ns ticker_deadline(void *self)
{
    return ((struct ticker *)self)->next_ns;
}

static void ticker_run(void *self, hf_ns now)
{
    struct ticker *t = self;
    assert_int_equal(now, t->next_ns);
    t->next_ns = ++t->ticks == 5 ? HF_NEVER : now + HF_MS(1);
}

static void ticker_input(void *self, const struct hf_packet *packet, hf_ns now)
{
    (void)self;
    (void)packet;
    (void)now;
    fail();
}

static void nodes_wake_at_their_deadlines(void **state)
{
    (void)state;
    struct hf_world w;
    struct ticker t = {.next_ns = HF_MS(3)};
    hf_world_init(&w, 0);
    hf_world_add(&w, &(struct hf_node){&t, ticker_input, ticker_deadline, ticker_run, NULL});
    hf_world_run(&w, HF_MS(4));
    assert_int_equal(t.ticks, 2);
    hf_world_run(&w, HF_MS(100));
    assert_int_equal(t.ticks, 5);
    assert_int_equal(w.steps, 5);
    hf_world_free(&w);
}

static void frames_are_reused_and_counted(void **state)
{
    (void)state;
    struct hf_world w;
    hf_world_init(&w, 0);
    struct hf_frame *a = hf_frame_take(&w, 1500);
    memset(a->bytes, 0xA5, 1500);
    a->length_bytes = 1500;
    struct hf_frame *b = hf_frame_copy(&w, a);
    assert_memory_equal(a->bytes, b->bytes, 1500);
    struct hf_frame *large = hf_frame_take(&w, 65535);
    assert_int_equal(w.frames_out, 3);
    hf_frame_give(&w, a);
    hf_frame_give(&w, large);
    hf_frame_give(&w, b);
    assert_int_equal(w.frames_out, 0);
    assert_ptr_equal(hf_frame_take(&w, 100), b);
    struct hf_frame *again = hf_frame_take(&w, 3000);
    assert_ptr_equal(again, large);
    /* A reset takes back what events still hold. */
    hf_frame_give(&w, b);
    hf_world_at(&w, HF_SEC(1), note, NULL, again);
    hf_world_reset(&w, 0);
    assert_int_equal(w.frames_out, 0);
    hf_world_free(&w);
}

static void the_account_knows_every_byte(void **state)
{
    (void)state;
    struct hf_account account = {.fail_nth = 3};
    char *p = hf_account_realloc(&account, NULL, 0, 100);
    memcpy(p, "kept", 5);
    p = hf_account_realloc(&account, p, 100, 5000);
    assert_string_equal(p, "kept");
    assert_int_equal(account.held_bytes, 5000);
    assert_int_equal(account.pieces, 1);
    assert_null(hf_account_realloc(&account, p, 5000, 6000)); /* the third: refused */
    assert_true(account.failed);
    assert_string_equal(p, "kept");
    void *q = hf_account_realloc(&account, NULL, 0, 10);
    assert_non_null(q);
    hf_account_realloc(&account, q, 10, 0);
    assert_false(account.wrong_size);
    hf_account_realloc(&account, p, 4999, 0);
    assert_true(account.wrong_size);
    assert_int_equal(account.held_bytes, 0);
    assert_int_equal(account.peak_bytes, 5100);
    account = (struct hf_account){.fail_nth = 1, .fail_from = true};
    assert_null(hf_account_realloc(&account, NULL, 0, 10));
    assert_null(hf_account_realloc(&account, NULL, 0, 10));
}

static void the_pattern_depends_on_key_and_offset(void **state)
{
    (void)state;
    uint8_t whole[1000], part[1000];
    hf_pattern_fill(5, 3, whole, sizeof whole);
    for (size_t at = 0; at < 900; at += 37) {
        hf_pattern_fill(5, 3 + at, part, 61);
        assert_memory_equal(whole + at, part, 61);
        assert_int_equal(hf_pattern_check(5, 3 + at, whole + at, 61), 61);
    }
    hf_pattern_fill(6, 3, part, sizeof part);
    assert_memory_not_equal(whole, part, sizeof whole);
    assert_true(hf_pattern_check(5, 4, whole, sizeof whole) < 8);
    whole[500] ^= 1;
    assert_int_equal(hf_pattern_check(5, 3, whole, sizeof whole), 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_come_in_order_of_time_and_then_of_making),
        cmocka_unit_test(a_turn_can_be_taken_before_the_event_is_made),
        cmocka_unit_test(an_event_in_the_past_happens_now_and_the_limit_holds),
        cmocka_unit_test(nodes_wake_at_their_deadlines),
        cmocka_unit_test(frames_are_reused_and_counted),
        cmocka_unit_test(the_account_knows_every_byte),
        cmocka_unit_test(the_pattern_depends_on_key_and_offset),
    };
    return cmocka_run_group_tests_name("lab_world", tests, NULL, NULL);
}
