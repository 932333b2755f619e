/**
 * Urgent data between Handfast and the Linux kernel: a mark in the stream, in line on both sides
 * [RFC6093] [RFC9293#3.8.5].
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "support/interop_bench.h"

enum { BEFORE_BYTES = 1000 };

static const struct interop_plan idler = {.ending = ENDING_NONE};

static bool urgency_came(const struct interop *w)
{
    return (w->ours[0].bits & HF_EV_URGENT) != 0;
}

static bool all_came_to_us(const struct interop *w)
{
    struct hf_info info;
    return hf_info(w->stack, w->ours[0].handle, &info) == HF_OK &&
           info.receive_queue_bytes == BEFORE_BYTES + 4;
}

static uint32_t urgent_bytes(const struct interop_bench *b)
{
    struct hf_info info;
    assert_int_equal(HF_OK, hf_info(b->w->stack, b->ours->handle, &info));
    return info.urgent_bytes;
}

/* MSG_OOB of the kernel: the event, and the mark behind the urgent byte, which stays in line. */
static void the_kernel_is_urgent(void **state)
{
    struct interop_bench *b = *state;
    struct interop *w = bench_open(b, NULL);
    uint8_t before[BEFORE_BYTES], got[BEFORE_BYTES + 4];
    memset(before, 'b', sizeof before);
    bench_connect(b, &idler, &idler);
    b->ours->paused = true;
    int fd = b->theirs->fd;
    assert_int_equal(BEFORE_BYTES, send(fd, before, sizeof before, 0));
    assert_int_equal(1, send(fd, "!", 1, MSG_OOB));
    bench_until(b, urgency_came, HF_SEC(5));
    assert_int_equal(3, send(fd, "end", 3, 0));
    bench_until(b, all_came_to_us, HF_SEC(5));
    assert_int_equal(BEFORE_BYTES + 1, urgent_bytes(b));
    hf_handle c = b->ours->handle;
    assert_int_equal(BEFORE_BYTES, hf_receive(w->stack, c, got, BEFORE_BYTES, hf_host_now()));
    assert_memory_equal(before, got, BEFORE_BYTES);
    assert_int_equal(1, urgent_bytes(b));
    assert_int_equal(1, hf_receive(w->stack, c, got, 1, hf_host_now()));
    assert_int_equal('!', got[0]);
    assert_int_equal(0, urgent_bytes(b));
    assert_int_equal(3, hf_receive(w->stack, c, got, 3, hf_host_now()));
    assert_memory_equal("end", got, 3);
}

/* Reads what there is; the kernel stops at the mark by itself. */
static size_t read_kernel(struct interop_bench *b, char *to, size_t max)
{
    for (int i = 0; i < 500; i++) {
        ssize_t n = recv(b->theirs->fd, to, max, 0);
        if (n > 0)
            return (size_t)n;
        assert_int_equal(EAGAIN, errno);
        interop_pass(b->w, HF_MS(2));
    }
    fail_msg("nothing to read");
    return 0;
}

/* Ours, seen by the kernel in line: it stops reading before the urgent byte. */
static void we_are_urgent(void **state)
{
    struct interop_bench *b = *state;
    struct interop *w = bench_open(b, NULL);
    const int on = 1;
    char got[64] = "";
    bench_connect(b, &idler, &idler);
    b->theirs->paused = true;
    int fd = b->theirs->fd;
    hf_handle c = b->ours->handle;
    assert_int_equal(0, setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on));
    assert_int_equal(4, hf_send(w->stack, c, "abc!", 4, HF_SEND_URGENT, hf_host_now()));
    assert_int_equal(3, hf_send(w->stack, c, "end", 3, 0, hf_host_now()));
    w->has_work = true;
    interop_pass(w, HF_MS(60)); /* Nagle may hold the second piece for an ACK */
    assert_int_equal(0, sockatmark(fd));
    assert_int_equal(3, read_kernel(b, got, sizeof got));
    assert_memory_equal("abc", got, 3);
    assert_int_equal(1, sockatmark(fd));
    assert_int_equal(4, read_kernel(b, got, sizeof got));
    assert_memory_equal("!end", got, 4);
    assert_int_equal(0, sockatmark(fd));
}

int main(void)
{
    static const struct interop_bench_test tests[] = {
        BENCH_TEST(the_kernel_is_urgent),
        BENCH_TEST(we_are_urgent),
    };
    return bench_run_all("urgent", tests, sizeof tests / sizeof tests[0]);
}
