/**
 * The loop: descriptors that come, go and change while it runs, time-outs, signals, a link that is
 * full or fails, and a stack over it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_link.h"
#include "segments.h"

static struct hf_loop *open_loop(struct hf_link *link, struct hf_stack *stack,
                                 hf_loop_events_fn *events, void *ctx)
{
    const struct hf_loop_config cfg = {
        .stack = stack, .link = link, .events = events, .events_ctx = ctx};
    struct hf_why why = {.text = ""};
    struct hf_loop *l;
    if (hf_loop_new(&l, &cfg, &why) != HF_OK)
        fail_msg("%s", why.text);
    return l;
}

static int turn(struct hf_loop *l, hf_ns wait_ns)
{
    struct hf_why why = {.text = ""};
    int result = hf_loop_turn(l, wait_ns, &why);
    if (result < 0)
        fail_msg("%s", why.text);
    return result;
}

static int event_fd(uint64_t value)
{
    int fd = eventfd((unsigned)value, EFD_NONBLOCK | EFD_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* ---- descriptors ---------------------------------------------------------------------------- */

struct seen {
    int calls, fd;
    unsigned bits;
};

static void note(void *ctx, struct hf_loop *l, int fd, unsigned bits)
{
    struct seen *s = ctx;
    (void)l;
    s->calls++;
    s->fd = fd;
    s->bits = bits;
}

static void descriptors_are_watched_for_what_was_asked(void **state)
{
    (void)state;
    struct hf_loop *l = open_loop(NULL, NULL, NULL, NULL);
    struct seen s = {0, 0, 0};
    int pair[2];
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
    assert_int_equal(HF_OK, hf_loop_add_fd(l, pair[0], HF_LOOP_READ, note, &s));
    assert_int_equal(HF_E_EXISTS, hf_loop_add_fd(l, pair[0], HF_LOOP_READ, note, &s));
    assert_int_equal(0, turn(l, 0));
    assert_int_equal(0, s.calls);
    assert_int_equal(HF_OK, hf_loop_set_fd(l, pair[0], HF_LOOP_READ | HF_LOOP_WRITE));
    assert_int_equal(0, turn(l, HF_NEVER));
    assert_int_equal(1, s.calls);
    assert_int_equal(pair[0], s.fd);
    assert_int_equal(HF_LOOP_WRITE, s.bits);
    assert_int_equal(1, write(pair[1], "x", 1));
    assert_int_equal(0, turn(l, HF_NEVER));
    assert_int_equal(HF_LOOP_READ | HF_LOOP_WRITE, s.bits);
    assert_int_equal(HF_OK, hf_loop_set_fd(l, pair[0], 0));
    assert_int_equal(0, turn(l, 0));
    assert_int_equal(2, s.calls);
    close(pair[1]);
    assert_int_equal(0, turn(l, HF_NEVER));
    assert_true(s.bits & HF_LOOP_BROKEN);
    assert_int_equal(3, s.calls);
    assert_int_equal(HF_OK, hf_loop_remove_fd(l, pair[0]));
    assert_int_equal(HF_E_HANDLE, hf_loop_remove_fd(l, pair[0]));
    assert_int_equal(HF_E_HANDLE, hf_loop_set_fd(l, pair[0], 0));
    assert_int_equal(0, turn(l, 0));
    assert_int_equal(3, s.calls);
    close(pair[0]);
    hf_loop_free(l);
}

static void what_can_not_be_watched_is_refused(void **state)
{
    (void)state;
    struct hf_loop *l = open_loop(NULL, NULL, NULL, NULL);
    struct seen s = {0, 0, 0};
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(HF_E_INVALID, hf_loop_add_fd(l, -1, HF_LOOP_READ, note, &s));
    assert_int_equal(HF_E_INVALID, hf_loop_add_fd(l, 0, HF_LOOP_READ, NULL, &s));
    assert_int_equal(HF_E_SYSTEM, hf_loop_add_fd(l, 999, HF_LOOP_READ, note, &s));
    int plain = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_int_equal(HF_E_SYSTEM, hf_loop_add_fd(l, plain, HF_LOOP_READ, note, &s));
    assert_int_equal(HF_E_HANDLE, hf_loop_remove_fd(l, plain));
    assert_int_equal(HF_E_HANDLE, hf_loop_remove_fd(l, -1));
    close(plain);
    close(file);
    hf_loop_free(l);
}

/* Each callback removes all others: whichever is first, exactly one is called. */
struct duel {
    int fds[3], calls;
};

static void remove_others(void *ctx, struct hf_loop *l, int fd, unsigned bits)
{
    struct duel *d = ctx;
    (void)bits;
    d->calls++;
    for (size_t i = 0; i < 3; i++)
        if (d->fds[i] != fd)
            assert_int_equal(HF_OK, hf_loop_remove_fd(l, d->fds[i]));
}

static void removal_during_dispatch_is_final(void **state)
{
    (void)state;
    struct hf_loop *l = open_loop(NULL, NULL, NULL, NULL);
    struct duel d = {.calls = 0};
    for (size_t i = 0; i < 3; i++) {
        d.fds[i] = event_fd(1);
        assert_int_equal(HF_OK, hf_loop_add_fd(l, d.fds[i], HF_LOOP_READ, remove_others, &d));
    }
    assert_int_equal(0, turn(l, HF_NEVER));
    assert_int_equal(1, d.calls);
    for (size_t i = 0; i < 3; i++)
        close(d.fds[i]);
    hf_loop_free(l);
}

/* A callback closes the other descriptor and gets its number for a new one, which is quiet: what
 * was ready under that number belongs to the old one. */
struct swap {
    int fds[2], old_calls;
    struct seen fresh;
    bool done;
};

static void swap_other(void *ctx, struct hf_loop *l, int fd, unsigned bits)
{
    struct swap *s = ctx;
    int other = s->fds[s->fds[0] == fd];
    (void)bits;
    s->old_calls++;
    if (s->done)
        return;
    s->done = true;
    assert_int_equal(HF_OK, hf_loop_remove_fd(l, other));
    close(other);
    int made = event_fd(0);
    assert_int_equal(other, made);
    assert_int_equal(HF_OK, hf_loop_add_fd(l, made, HF_LOOP_READ, note, &s->fresh));
    /* Many more, so that the table moves under the callback. */
    for (int i = 0; i < 100; i++)
        assert_int_equal(HF_OK, hf_loop_add_fd(l, dup(made), HF_LOOP_READ, note, &s->fresh));
}

static void a_number_that_lives_again_is_another_descriptor(void **state)
{
    (void)state;
    struct hf_loop *l = open_loop(NULL, NULL, NULL, NULL);
    struct swap s = {.done = false};
    for (size_t i = 0; i < 2; i++) {
        s.fds[i] = event_fd(1);
        assert_int_equal(HF_OK, hf_loop_add_fd(l, s.fds[i], HF_LOOP_READ, swap_other, &s));
    }
    assert_int_equal(0, turn(l, HF_NEVER));
    assert_int_equal(1, s.old_calls);
    assert_int_equal(0, s.fresh.calls);
    hf_loop_free(l);
    for (int fd = 3; fd < 300; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            close(fd);
}

/* ---- time and wake-up ----------------------------------------------------------------------- */

static void count_rounds(void *ctx, struct hf_loop *l, hf_ns now)
{
    assert_int_equal(now, hf_loop_now(l));
    (*(int *)ctx)++;
}

static void wishes_are_kept_and_never_early(void **state)
{
    (void)state;
    int rounds = 0;
    struct hf_loop *l = open_loop(NULL, NULL, count_rounds, &rounds);
    for (int i = 0; i < 5; i++) {
        hf_ns at = hf_host_now() + HF_US(2500);
        hf_loop_wake_at(l, at);
        assert_int_equal(0, turn(l, HF_SEC(20)));
        assert_true(hf_loop_now(l) >= at);
        assert_true(hf_loop_now(l) < at + HF_SEC(10));
    }
    assert_int_equal(5, rounds);
    hf_loop_wake_at(l, hf_host_now() + HF_SEC(3600));
    hf_loop_wake_at(l, HF_NEVER);
    hf_ns before = hf_host_now();
    assert_int_equal(0, turn(l, HF_MS(3)));
    assert_true(hf_host_now() - before >= HF_MS(3));
    hf_loop_free(l);
}

static void stop_on_third_round(void *ctx, struct hf_loop *l, hf_ns now)
{
    (void)now;
    if (++*(int *)ctx == 3)
        hf_loop_stop(l);
    else
        hf_loop_wake(l);
}

static void stop_ends_run_and_run_can_follow(void **state)
{
    (void)state;
    int rounds = 0;
    struct hf_loop *l = open_loop(NULL, NULL, stop_on_third_round, &rounds);
    assert_int_equal(HF_OK, hf_loop_run(l, NULL));
    assert_int_equal(3, rounds);
    rounds = 0;
    assert_int_equal(HF_OK, hf_loop_run(l, NULL));
    assert_int_equal(3, rounds);
    hf_loop_stop(l); /* before it runs: one round */
    rounds = 10;
    assert_int_equal(HF_OK, hf_loop_run(l, NULL));
    assert_int_equal(11, rounds);
    hf_loop_free(l);
}

static void *stop_from_thread(void *loop)
{
    usleep(2000);
    hf_loop_stop(loop);
    return NULL;
}

static void another_thread_may_stop_it(void **state)
{
    (void)state;
    pthread_t thread;
    struct hf_loop *l = open_loop(NULL, NULL, NULL, NULL);
    assert_int_equal(0, pthread_create(&thread, NULL, stop_from_thread, l));
    assert_int_equal(HF_OK, hf_loop_run(l, NULL));
    assert_int_equal(0, pthread_join(thread, NULL));
    hf_loop_free(l);
}

static void signals_stop_it_and_are_given_back(void **state)
{
    (void)state;
    sigset_t before, during, after;
    sigprocmask(SIG_SETMASK, NULL, &before);
    struct hf_loop *l = open_loop(NULL, NULL, NULL, NULL);
    assert_int_equal(HF_OK, hf_loop_stop_on_signals(l, NULL));
    assert_int_equal(0, hf_loop_signal(l));
    sigprocmask(SIG_SETMASK, NULL, &during);
    assert_true(sigismember(&during, SIGTERM) && sigismember(&during, SIGINT));
    assert_int_equal(0, raise(SIGTERM));
    assert_int_equal(HF_OK, hf_loop_run(l, NULL));
    assert_int_equal(SIGTERM, hf_loop_signal(l));
    hf_loop_free(l);
    sigprocmask(SIG_SETMASK, NULL, &after);
    assert_int_equal(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));
}

static size_t count_fds(void)
{
    size_t n = 0;
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static void nothing_is_left_open(void **state)
{
    (void)state;
    size_t before = count_fds();
    for (int i = 0; i < 3; i++) {
        struct hf_loop *l = open_loop(NULL, NULL, NULL, NULL);
        assert_int_equal(HF_OK, hf_loop_stop_on_signals(l, NULL));
        assert_int_equal(0, turn(l, 0));
        hf_loop_free(l);
    }
    assert_int_equal(before, count_fds());
    hf_loop_free(NULL);
}

/* ---- links ---------------------------------------------------------------------------------- */

static void a_link_is_drained_in_batches(void **state)
{
    (void)state;
    struct fake_link fake;
    fake_init(&fake);
    fake.fd = event_fd(1);
    for (int i = 0; i < FAKE_MAX; i++)
        fake_put(&fake, "packet", 6);
    struct hf_loop *l = open_loop(&fake.link, NULL, NULL, NULL);
    assert_int_equal(0, turn(l, HF_NEVER));
    assert_int_equal(FAKE_MAX, fake.in_taken);
    hf_loop_free(l);
    assert_int_equal(0, fake.closed);
    close(fake.fd);
}

static void a_link_that_fails_ends_the_run(void **state)
{
    (void)state;
    struct fake_link fake;
    struct hf_why why = {.text = ""};
    fake_init(&fake);
    fake.fd = event_fd(1);
    fake.fail = HF_E_DEVICE;
    fake.link.stats.last_errno = EBADFD;
    struct hf_loop *l = open_loop(&fake.link, NULL, NULL, NULL);
    assert_int_equal(HF_E_DEVICE, hf_loop_run(l, &why));
    assert_non_null(strstr(why.text, "the link failed: the device is missing or in use: "));
    assert_int_equal(EBADFD, why.sys_errno);
    hf_loop_free(l);
    close(fake.fd);
}

/* The delay of a wrapper is waited for, though no descriptor says anything. */
static void held_packets_come_out_in_time(void **state)
{
    (void)state;
    struct fake_link fake;
    struct hf_link *spoiled;
    struct hf_spoil_rule rule;
    size_t count;
    fake_init(&fake);
    fake.fd = event_fd(0);
    assert_int_equal(HF_OK, hf_spoil_parse("delay 3ms", &rule, 1, &count, NULL));
    assert_int_equal(HF_OK, hf_link_spoil(&spoiled, &fake.link, &rule, 1, NULL, NULL, NULL));
    const struct hf_out_packet p = {
        .header = (const uint8_t *)"junk", .header_bytes = 4, .length_bytes = 4};
    hf_ns before = hf_host_now();
    assert_int_equal(1, hf_link_send(spoiled, &p, 1));
    struct hf_loop *l = open_loop(spoiled, NULL, NULL, NULL);
    while (fake.sent_count == 0)
        assert_int_equal(0, turn(l, HF_NEVER));
    assert_true(hf_host_now() - before >= HF_MS(3));
    hf_loop_free(l);
    hf_link_close(spoiled);
    close(fake.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptors_are_watched_for_what_was_asked),
        cmocka_unit_test(what_can_not_be_watched_is_refused),
        cmocka_unit_test(removal_during_dispatch_is_final),
        cmocka_unit_test(a_number_that_lives_again_is_another_descriptor),
        cmocka_unit_test(wishes_are_kept_and_never_early),
        cmocka_unit_test(stop_ends_run_and_run_can_follow),
        cmocka_unit_test(another_thread_may_stop_it),
        cmocka_unit_test(signals_stop_it_and_are_given_back),
        cmocka_unit_test(nothing_is_left_open),
        cmocka_unit_test(a_link_is_drained_in_batches),
        cmocka_unit_test(a_link_that_fails_ends_the_run),
        cmocka_unit_test(held_packets_come_out_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
