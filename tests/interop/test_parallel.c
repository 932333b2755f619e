/**
 * 200 connections at once, half of them opened by each side, 1 MB each way on each: all bytes come,
 * all close, nothing is left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/interop_bench.h"

enum { CONNECTIONS = 200, BYTES = 1000 * 1000, OWN_FIRST = 30000, KERNEL_FIRST = 20000 };

/* With the kernel's own queue of 500 packets it sends 25,000 to 35,000 segments again; with ours
 * some dozens, or some thousands when we are slow to read. */
enum { RETRANSMISSIONS_MAX = 12000 };

/* Segments that the kernel sent again in this namespace: what its queue to us had no room for. */
static long kernel_retransmissions(void)
{
    char line[512];
    long counts[12] = {0};
    FILE *f = fopen("/proc/self/net/snmp", "re");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        char *next = line + 4;
        if (strncmp(line, "Tcp: ", 5) != 0 || (line[5] != '-' && (line[5] < '0' || line[5] > '9')))
            continue;
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
            counts[i] = strtol(next, &next, 10);
    }
    (void)fclose(f);
    return counts[11];
}

static bool all_are_over(const struct interop *w)
{
    struct hf_stack_info info;
    hf_stack_info(w->stack, &info);
    return w->ours_count == CONNECTIONS && w->theirs_count == CONNECTIONS && bench_all_over(w) &&
           info.connections == 0 && info.time_wait == 0;
}

static void check_all(const struct interop *w)
{
    struct hf_stack_info info;
    hf_stack_info(w->stack, &info);
    assert_false(w->wrong_data);
    assert_int_equal(CONNECTIONS, w->ours_count);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        assert_int_equal(HF_CLOSED_FIN, w->ours[i].how);
        assert_int_equal(1, w->ours[i].closed_events);
        assert_int_equal(BYTES, w->ours[i].received);
        assert_int_equal(BYTES, w->theirs[i].received);
        assert_int_equal(0, w->ours[i].error);
        assert_int_equal(0, w->theirs[i].error);
    }
    assert_int_equal(0, info.flights);
    assert_int_equal(0, info.pool_used_bytes);
}

/* Over IPv6 the pool of blocks is a fifth of what their windows could hold. */
static void two_hundred_connections(void **state)
{
    struct interop_bench *b = *state;
    struct hf_config cfg;
    interop_config(&cfg);
    if (b->v6)
        cfg.pool_bytes = CONNECTIONS * cfg.receive_buffer_bytes / 5;
    struct interop *w = bench_open(b, &cfg);
    const struct interop_plan first = {
        .send_bytes = BYTES, .expect_bytes = BYTES, .ending = ENDING_FIRST};
    const struct interop_plan last = {
        .send_bytes = BYTES, .expect_bytes = BYTES, .ending = ENDING_LAST};
    w->our_plan = w->their_plan = last;
    interop_listen(w, b->own_port);
    interop_kernel_listen(w, b->kernel_port);
    for (unsigned i = 0; i < CONNECTIONS / 2; i++) {
        interop_connect(w, (uint16_t)(OWN_FIRST + i), b->kernel_port, &first);
        interop_kernel_connect(w, (uint16_t)(KERNEL_FIRST + i), b->own_port, &first);
    }
    long before = kernel_retransmissions();
    bench_until(b, all_are_over, HF_SEC(60));
    long again = kernel_retransmissions() - before;
    print_message("the kernel sent %ld segments again\n", again);
    assert_in_range(again, 0, RETRANSMISSIONS_MAX);
    check_all(w);
}

int main(void)
{
    static const struct interop_bench_test tests[] = {BENCH_TEST(two_hundred_connections)};
    return bench_run_all("parallel", tests, sizeof tests / sizeof tests[0]);
}
