/**
 * Readers that stop, and connections that are idle: windows of zero in both directions, and the
 * probes that Handfast and the Linux kernel send each other meanwhile [RFC9293#3.8.4]
 * [RFC9293#3.8.6.1].
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>

#include "support/interop_bench.h"

enum { BULK_BYTES = 4 * 1000 * 1000, PROBES = 3 };

static const struct interop_plan sender = {.send_bytes = BULK_BYTES, .ending = ENDING_FIRST};
static const struct interop_plan reader = {.expect_bytes = BULK_BYTES, .ending = ENDING_LAST};
static const struct interop_plan idler = {.ending = ENDING_NONE};

/* Else one answer in half a second to what carries no data and lies outside the window. */
static void let_the_kernel_answer_all(void)
{
    FILE *f = fopen("/proc/sys/net/ipv4/tcp_invalid_ratelimit", "we");
    if (!f)
        skip();
    (void)fputs("0", f);
    if (fclose(f) != 0)
        skip();
}

static bool we_have_probed(const struct interop *w)
{
    return hf_stack_count(w->stack, HF_PROBE_ZERO_WINDOW) >= PROBES;
}

/* The kernel's window closes; our probes keep the connection, and it goes on when it opens. */
static void the_kernels_reader_stops(void **state)
{
    struct interop_bench *b = *state;
    struct hf_config cfg;
    struct hf_info info;
    interop_config(&cfg);
    cfg.rto_min_ns = HF_MS(60); /* more than the kernel delays an ACK */
    struct interop *w = bench_open(b, &cfg);
    let_the_kernel_answer_all();
    bench_connect(b, &sender, &reader);
    b->theirs->paused = true;
    bench_until(b, we_have_probed, HF_SEC(10));
    assert_int_equal(HF_OK, hf_info(w->stack, b->ours->handle, &info));
    assert_int_equal(HF_ESTABLISHED, info.state);
    assert_int_equal(0, info.snd_wnd_bytes);
    assert_in_range(info.probe_count, 0, 1); /* they were answered */
    assert_true(b->ours->sent < BULK_BYTES);
    assert_int_equal(TCP_ESTABLISHED, interop_kernel_state(w, b->kernel_port, b->own_port));
    interop_resume_theirs(b->theirs);
    bench_until(b, bench_all_over, HF_SEC(10));
    assert_false(w->wrong_data);
    assert_int_equal(BULK_BYTES, b->theirs->received);
    assert_int_equal(HF_CLOSED_FIN, b->ours->how);
    assert_true(hf_stack_count(w->stack, HF_WINDOW_PEER_CLOSED) > 0);
    assert_true(hf_stack_count(w->stack, HF_WINDOW_PEER_OPENED) > 0);
}

static unsigned kernel_probes(const struct interop_theirs *t)
{
    struct tcp_info info = {.tcpi_probes = 0};
    socklen_t n = sizeof info;
    (void)getsockopt(t->fd, IPPROTO_TCP, TCP_INFO, &info, &n);
    return info.tcpi_probes;
}

/* The kernel probes a closed window as it does an idle connection: with nothing, one octet back. */
static uint64_t probes_answered(const struct interop *w)
{
    return hf_stack_count(w->stack, HF_ACK_ZERO_WINDOW_PROBE) +
           hf_stack_count(w->stack, HF_ACK_KEEPALIVE);
}

static bool the_kernel_has_probed(const struct interop *w)
{
    return probes_answered(w) >= PROBES;
}

/* Our window closes; the kernel's probes are answered, and it goes on when we read. */
static void our_reader_stops(void **state)
{
    struct interop_bench *b = *state;
    struct hf_info info;
    struct interop *w = bench_open(b, NULL);
    bench_connect(b, &reader, &sender);
    b->ours->paused = true;
    bench_until(b, the_kernel_has_probed, HF_SEC(10));
    assert_int_equal(HF_OK, hf_info(w->stack, b->ours->handle, &info));
    assert_int_equal(HF_ESTABLISHED, info.state);
    assert_in_range(info.rcv_wnd_bytes, 0, 127); /* less than its scale can say */
    assert_true(hf_stack_count(w->stack, HF_WINDOW_CLOSED) == 1);
    assert_in_range(kernel_probes(b->theirs), 0, 1);
    assert_true(b->theirs->sent < BULK_BYTES);
    interop_resume_ours(b->ours);
    bench_until(b, bench_all_over, HF_SEC(10));
    assert_false(w->wrong_data);
    assert_int_equal(BULK_BYTES, b->ours->received);
    assert_int_equal(HF_CLOSED_FIN, b->ours->how);
    assert_true(hf_stack_count(w->stack, HF_WINDOW_OPENED) > 0);
}

static void check_alive(struct interop_bench *b)
{
    struct hf_info info;
    assert_int_equal(HF_OK, hf_info(b->w->stack, b->ours->handle, &info));
    assert_int_equal(HF_ESTABLISHED, info.state);
    assert_in_range(info.probe_count, 0, 1);
    assert_int_equal(TCP_ESTABLISHED, interop_kernel_state(b->w, b->kernel_port, b->own_port));
    assert_int_equal(0, b->theirs->error);
}

/* More of our probes than may stay unanswered; the kernel answers them all [MUST-24]. */
static void the_kernel_answers_keep_alives(void **state)
{
    struct interop_bench *b = *state;
    struct interop *w = bench_open(b, NULL);
    hf_ns now = hf_host_now();
    let_the_kernel_answer_all();
    bench_connect(b, &idler, &idler);
    hf_handle c = b->ours->handle;
    assert_int_equal(HF_OK, hf_set(w->stack, c, HF_OPT_KEEPALIVE_IDLE_NS, HF_MS(100), now));
    assert_int_equal(HF_OK, hf_set(w->stack, c, HF_OPT_KEEPALIVE_INTERVAL_NS, HF_MS(50), now));
    assert_int_equal(HF_OK, hf_set(w->stack, c, HF_OPT_KEEPALIVE_PROBES, 2, now));
    assert_int_equal(HF_OK, hf_set(w->stack, c, HF_OPT_KEEPALIVE, 1, now));
    interop_pass(w, HF_MS(1000));
    assert_in_range(hf_stack_count(w->stack, HF_PROBE_KEEPALIVE), 5, 10);
    check_alive(b);
}

/* The kernel's second probe comes only if the first one was answered. */
static void we_answer_keep_alives(void **state)
{
    struct interop_bench *b = *state;
    struct interop *w = bench_open(b, NULL);
    const int on = 1, seconds = 1, probes = 1;
    bench_connect(b, &idler, &idler);
    int fd = b->theirs->fd;
    assert_int_equal(0, setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds));
    assert_int_equal(0, setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof seconds));
    assert_int_equal(0, setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes));
    assert_int_equal(0, setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on));
    uint64_t before = probes_answered(w);
    interop_pass(w, HF_MS(2400));
    uint64_t after = probes_answered(w);
    assert_int_equal(2, after - before);
    check_alive(b);
}

int main(void)
{
    static const struct interop_bench_test tests[] = {
        BENCH_TEST(the_kernels_reader_stops),
        BENCH_TEST(our_reader_stops),
        BENCH_TEST(the_kernel_answers_keep_alives),
        BENCH_TEST(we_answer_keep_alives),
    };
    return bench_run_all("windows", tests, sizeof tests / sizeof tests[0]);
}
