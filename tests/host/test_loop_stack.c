/**
 * The loop's side of the border to a stack: order of calls, deadlines, and what becomes of packets
 * that the link has no room for. The stack is scripted here; its functions stand in for the core's,
 * which is not linked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fake_link.h"

enum { SCRIPT_MAX = 32 };

struct hf_stack {
    char log[256];         /* one letter a call */
    size_t packets_in;     /* taken */
    size_t to_send, given; /* packets in all, and how many were pulled */
    uint32_t said_bytes;   /* what the next one's length is said to be; 0: what it is */
    hf_ns deadline_ns;
    int expires_left; /* expire says "more" until this is 0 */
    hf_ns last_now_ns;
    uint64_t memory_bytes, used_bytes, table_bytes; /* as hf_stack_info tells */
    uint64_t sticky_bytes;                          /* what no trim gives back */
    uint8_t bytes[SCRIPT_MAX][8];
    struct hf_slice slices[SCRIPT_MAX][2];
};

static void log_call(struct hf_stack *s, char letter)
{
    size_t n = strlen(s->log);
    if (n + 1 < sizeof s->log)
        s->log[n] = letter;
}

/* What was given out is gone with the next call: a loop that keeps pointers sends rubbish. */
static void spoil_old_bytes(struct hf_stack *s)
{
    memset(s->bytes, 0xee, sizeof s->bytes);
    memset(s->slices, 0xee, sizeof s->slices);
}

void hf_stack_input(struct hf_stack *s, const struct hf_packet *packets, size_t n, hf_ns now)
{
    spoil_old_bytes(s);
    log_call(s, 'i');
    assert_non_null(packets);
    s->packets_in += n;
    s->last_now_ns = now;
}

size_t hf_stack_output(struct hf_stack *s, struct hf_out_packet *packets, size_t max, hf_ns now)
{
    size_t n = 0;
    spoil_old_bytes(s);
    log_call(s, 'o');
    s->last_now_ns = now;
    for (; n < max && n < SCRIPT_MAX && s->given < s->to_send; n++) {
        const uint8_t id = (uint8_t)s->given++;
        memset(s->bytes[n], id, sizeof s->bytes[n]);
        s->slices[n][0] = (struct hf_slice){s->bytes[n] + 4, 1};
        s->slices[n][1] = (struct hf_slice){s->bytes[n] + 5, 3};
        packets[n] = (struct hf_out_packet){.header = s->bytes[n],
                                            .header_bytes = 4,
                                            .segment_bytes = id,
                                            .flags = HF_PACKET_CSUM_PARTIAL,
                                            .slice_count = 2,
                                            .slices = s->slices[n],
                                            .length_bytes = s->said_bytes ? s->said_bytes : 8};
    }
    return n;
}

hf_ns hf_stack_deadline(const struct hf_stack *s)
{
    return s->deadline_ns;
}

bool hf_stack_expire(struct hf_stack *s, hf_ns now, size_t max)
{
    spoil_old_bytes(s);
    log_call(s, 'x');
    assert_true(max > 0);
    assert_true(now >= s->deadline_ns);
    if (--s->expires_left > 0)
        return true;
    s->deadline_ns = HF_NEVER;
    return false;
}

void hf_stack_info(const struct hf_stack *s, struct hf_stack_info *info)
{
    *info = (struct hf_stack_info){.memory_bytes = s->memory_bytes,
                                   .used_bytes = s->used_bytes,
                                   .table_bytes = s->table_bytes};
}

void hf_stack_trim(struct hf_stack *s)
{
    spoil_old_bytes(s);
    log_call(s, 't');
    s->memory_bytes = s->used_bytes + s->sticky_bytes;
}

/* ---- the bench ------------------------------------------------------------------------------ */

struct bench {
    struct hf_stack stack;
    struct fake_link fake;
    struct hf_loop *loop;
    int pipe[2]; /* the link's descriptor is the end to write to */
    hf_ns give_back_after_ns;
};

static void events(void *ctx, struct hf_loop *l, hf_ns now)
{
    (void)now;
    (void)l;
    log_call(ctx, 'e');
}

/* All but the loop. */
static struct bench *bench_make(void)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    assert_int_equal(0, pipe2(b->pipe, O_NONBLOCK | O_CLOEXEC));
    fake_init(&b->fake);
    b->fake.fd = b->pipe[1];
    b->stack.deadline_ns = HF_NEVER;
    return b;
}

static void bench_start(struct bench *b, hf_loop_events_fn *on_events, void *ctx)
{
    const struct hf_loop_config cfg = {.stack = &b->stack,
                                       .link = &b->fake.link,
                                       .events = on_events,
                                       .events_ctx = ctx,
                                       .give_back_after_ns = b->give_back_after_ns};
    assert_int_equal(HF_OK, hf_loop_new(&b->loop, &cfg, NULL));
}

static struct bench *bench_open(void)
{
    struct bench *b = bench_make();
    bench_start(b, events, &b->stack);
    return b;
}

static void bench_close(struct bench *b)
{
    hf_loop_free(b->loop);
    close(b->pipe[0]);
    close(b->pipe[1]);
    free(b);
}

static void turn(struct bench *b, hf_ns wait_ns)
{
    assert_int_equal(0, hf_loop_turn(b->loop, wait_ns, NULL));
}

static void fill_pipe(struct bench *b)
{
    static const char junk[4096];
    while (write(b->pipe[1], junk, sizeof junk) > 0)
        continue;
}

static void drain_pipe(struct bench *b)
{
    char junk[4096];
    while (read(b->pipe[0], junk, sizeof junk) > 0)
        continue;
}

static void check_sent(const struct bench *b, size_t count)
{
    assert_int_equal(count, b->fake.sent_count);
    for (size_t i = 0; i < count; i++) {
        uint8_t expected[8];
        memset(expected, (int)i, sizeof expected);
        assert_int_equal(8, b->fake.sent[i].length_bytes);
        assert_memory_equal(expected, b->fake.sent[i].bytes, 8);
        assert_int_equal(i, b->fake.sent[i].segment_bytes);
        assert_int_equal(HF_PACKET_CSUM_PARTIAL, b->fake.sent[i].flags);
        assert_int_equal(4, b->fake.sent[i].header_bytes);
    }
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void a_round_has_its_order(void **state)
{
    (void)state;
    struct bench *b = bench_open();
    b->stack.to_send = 3;
    b->stack.deadline_ns = hf_host_now();
    turn(b, 0);
    /* Timer; then events and output by turns, until there is no more to send. */
    assert_string_equal("xeoeo", b->stack.log);
    check_sent(b, 3);
    bench_close(b);
}

static void take_a_while(void *ctx, struct hf_loop *l, hf_ns now)
{
    (void)l;
    hf_ns *seen_ns = ctx;
    *seen_ns = now;
    while (hf_host_now() < now + HF_MS(5))
        continue;
}

/* The round trip of a packet begins when it leaves, not before the application made its data. */
static void what_leaves_is_not_dated_before_the_application_was_done(void **state)
{
    (void)state;
    struct bench *b = bench_make();
    hf_ns seen_ns = 0;
    bench_start(b, take_a_while, &seen_ns);
    b->stack.to_send = 1;
    turn(b, 0);
    assert_true(seen_ns > 0);
    assert_true(b->stack.last_now_ns >= seen_ns + HF_MS(5));
    bench_close(b);
}

static void a_deadline_is_waited_for(void **state)
{
    (void)state;
    struct bench *b = bench_open();
    hf_ns at = hf_host_now() + HF_US(3300);
    b->stack.deadline_ns = at;
    b->stack.expires_left = 3;
    turn(b, HF_NEVER);
    assert_string_equal("xeo", b->stack.log);
    assert_true(b->stack.last_now_ns >= at);
    turn(b, HF_NEVER); /* more are due: no waiting */
    turn(b, HF_NEVER);
    assert_string_equal("xeoxeoxeo", b->stack.log);
    turn(b, 0);
    assert_string_equal("xeoxeoxeoeo", b->stack.log);
    bench_close(b);
}

static void a_full_link_slows_down_and_loses_nothing(void **state)
{
    (void)state;
    struct bench *b = bench_open();
    b->stack.to_send = 5;
    b->fake.room = 2;
    fill_pipe(b);
    turn(b, 0);
    check_sent(b, 2);
    assert_int_equal(5, b->stack.given);
    b->stack.to_send = 20;
    b->stack.log[0] = '\0';
    turn(b, HF_MS(1));
    turn(b, HF_MS(1));
    check_sent(b, 2);
    assert_int_equal(5, b->stack.given); /* nothing is pulled while something waits */
    b->fake.room = 1;
    turn(b, HF_MS(1));
    check_sent(b, 3);
    b->fake.room = SIZE_MAX;
    drain_pipe(b);
    turn(b, HF_NEVER); /* woken by the descriptor */
    check_sent(b, 20);
    /* With nothing waiting, the writable descriptor wakes nobody. */
    hf_ns before = hf_host_now();
    turn(b, HF_MS(5));
    assert_true(hf_host_now() - before >= HF_MS(5));
    bench_close(b);
}

/* Large packets end a round's output sooner than their number; the next one goes on at once. */
static void a_round_sends_so_many_bytes(void **state)
{
    (void)state;
    struct bench *b = bench_open();
    b->stack.to_send = SCRIPT_MAX + 8;
    b->stack.said_bytes = 60000;
    turn(b, 0);
    assert_string_equal("eo", b->stack.log);
    check_sent(b, SCRIPT_MAX);
    memset(b->stack.log, 0, sizeof b->stack.log);
    const hf_ns before = hf_host_now();
    turn(b, HF_SEC(20));
    assert_true(hf_host_now() - before < HF_SEC(10));
    assert_string_equal("eoeo", b->stack.log);
    check_sent(b, SCRIPT_MAX + 8);
    bench_close(b);
}

static void what_waits_is_freed_with_the_loop(void **state)
{
    (void)state;
    struct bench *b = bench_open();
    b->stack.to_send = 10;
    b->fake.room = 0;
    turn(b, 0);
    assert_int_equal(0, b->fake.sent_count);
    bench_close(b); /* the leak checker watches */
}

static void read_one(void *ctx, struct hf_loop *l, int fd, unsigned bits)
{
    (void)l;
    (void)fd;
    assert_int_equal(HF_LOOP_READ, bits);
    (*(int *)ctx)++;
}

/* A link that is never empty and a descriptor that is always ready: both get on. */
static void packets_and_descriptors_share(void **state)
{
    (void)state;
    struct bench *b = bench_make();
    int other = eventfd(1, EFD_CLOEXEC), calls = 0;
    int link_fd = eventfd(1, EFD_CLOEXEC); /* readable for ever */
    b->fake.fd = link_fd;
    bench_start(b, events, &b->stack);
    assert_int_equal(HF_OK, hf_loop_add_fd(b->loop, other, HF_LOOP_READ, read_one, &calls));
    for (int i = 0; i < FAKE_MAX; i++)
        fake_put(&b->fake, "packet", 6);
    for (int i = 1; i <= 10; i++) {
        b->fake.in_taken = 0;
        turn(b, HF_NEVER);
        assert_int_equal(i, calls);
        assert_int_equal(i * FAKE_MAX, b->stack.packets_in);
    }
    assert_memory_equal("ieoieo", b->stack.log, 6);
    bench_close(b);
    close(link_fd);
    close(other);
}

/* ---- memory --------------------------------------------------------------------------------- */

enum { MIB = 1 << 20 };
#define GIVE_BACK_AFTER_NS HF_MS(40)

static struct bench *bench_with_memory(uint64_t memory_bytes, uint64_t used_bytes)
{
    struct bench *b = bench_make();
    b->give_back_after_ns = GIVE_BACK_AFTER_NS;
    b->stack.memory_bytes = memory_bytes;
    b->stack.used_bytes = used_bytes;
    bench_start(b, NULL, NULL);
    return b;
}

/* Something happens, then nothing, three times as long as memory is kept: how many trims. */
static unsigned trims_after_work(struct bench *b)
{
    unsigned trims = 0;
    hf_ns until = hf_host_now() + 3 * GIVE_BACK_AFTER_NS;
    memset(b->stack.log, 0, sizeof b->stack.log);
    b->stack.deadline_ns = 0;
    while (hf_host_now() < until)
        turn(b, until - hf_host_now());
    for (const char *call = b->stack.log; *call; call++)
        trims += *call == 't';
    return trims;
}

static void what_a_burst_took_is_given_back(void **state)
{
    (void)state;
    struct bench *b = bench_with_memory(10 * MIB, 2 * MIB);
    hf_ns began_ns = hf_host_now();
    b->stack.deadline_ns = 0;
    while (!strchr(b->stack.log, 't'))
        turn(b, HF_NEVER); /* the loop wakes by itself */
    assert_true(hf_host_now() - began_ns >= GIVE_BACK_AFTER_NS);
    assert_int_equal(2 * MIB, b->stack.memory_bytes);
    assert_int_equal(0, trims_after_work(b));
    turn(b, HF_MS(1));
    began_ns = hf_host_now();
    turn(b, HF_MS(30)); /* nothing is left to look at */
    assert_true(hf_host_now() - began_ns >= HF_MS(30));
    b->stack.memory_bytes = 20 * MIB; /* another burst */
    assert_int_equal(1, trims_after_work(b));
    bench_close(b);
}

static void what_is_used_is_kept(void **state)
{
    (void)state;
    struct bench *b = bench_with_memory(10 * MIB, 5 * MIB);
    assert_int_equal(0, trims_after_work(b)); /* half of it */
    b->stack.used_bytes = 5 * MIB + MIB / 2;
    b->stack.table_bytes = 2 * MIB; /* that few entries need no longer */
    assert_int_equal(1, trims_after_work(b));
    b->stack.memory_bytes = MIB - 1; /* little */
    b->stack.used_bytes = b->stack.table_bytes = 0;
    assert_int_equal(0, trims_after_work(b));
    bench_close(b);
}

/* Of what is wanted now and then, the rest must last. */
static void what_is_used_again_is_kept(void **state)
{
    (void)state;
    struct bench *b = bench_with_memory(10 * MIB, MIB);
    hf_ns until = hf_host_now() + 3 * GIVE_BACK_AFTER_NS;
    for (unsigned i = 0; hf_host_now() < until; i++) {
        b->stack.used_bytes = i % 4 == 3 ? 6 * MIB : MIB;
        b->stack.deadline_ns = 0;
        turn(b, HF_NEVER);
        turn(b, HF_NEVER); /* a look */
    }
    assert_null(strchr(b->stack.log, 't'));
    bench_close(b);
}

/* A few entries can keep whatever lies beside them: what was tried in vain is not tried again. */
static void what_few_entries_keep_is_tried_seldom(void **state)
{
    (void)state;
    struct bench *b = bench_with_memory(10 * MIB, 2 * MIB);
    b->stack.sticky_bytes = 8 * MIB;
    assert_int_equal(1, trims_after_work(b));
    assert_int_equal(0, trims_after_work(b));
    b->stack.used_bytes = MIB;
    assert_int_equal(0, trims_after_work(b));
    b->stack.used_bytes = MIB - 1; /* less than half of them are left */
    assert_int_equal(1, trims_after_work(b));
    b->stack.used_bytes = 9 * MIB; /* all is used again */
    assert_int_equal(0, trims_after_work(b));
    b->stack.used_bytes = 2 * MIB;
    assert_int_equal(1, trims_after_work(b));
    bench_close(b);
}

static void memory_can_be_kept(void **state)
{
    (void)state;
    struct bench *b = bench_make();
    b->give_back_after_ns = HF_NEVER;
    b->stack.memory_bytes = 10 * MIB;
    bench_start(b, NULL, NULL);
    assert_int_equal(0, trims_after_work(b));
    bench_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_round_has_its_order),
        cmocka_unit_test(what_leaves_is_not_dated_before_the_application_was_done),
        cmocka_unit_test(a_deadline_is_waited_for),
        cmocka_unit_test(a_full_link_slows_down_and_loses_nothing),
        cmocka_unit_test(a_round_sends_so_many_bytes),
        cmocka_unit_test(what_waits_is_freed_with_the_loop),
        cmocka_unit_test(packets_and_descriptors_share),
        cmocka_unit_test(what_a_burst_took_is_given_back),
        cmocka_unit_test(what_is_used_is_kept),
        cmocka_unit_test(what_is_used_again_is_kept),
        cmocka_unit_test(what_few_entries_keep_is_tried_seldom),
        cmocka_unit_test(memory_can_be_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
