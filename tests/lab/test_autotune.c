/* Buffers that grow: what that is worth on a long path, and who gets none of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "lab/farm.h"
#include "lab/pair.h"
#include "lab/runs.h"

enum { STREAM_BYTES = 20000000, RATE_BPS = 100000000, BUFFER_BYTES = 256 << 10 };
enum { FARM_CONNECTIONS = 200, FARM_STREAM = 100000, FARM_POOL = 4 << 20, FARM_LIMIT_S = 600 };

/** What a run looked like from the receiver. */
struct seen {
    struct hf_pair *pair;
    bool fix_send, fix_receive, done;  /**< the application says how large that buffer is */
    hf_ns half_at_ns, end_at_ns;       /**< half of the stream was read, all of it */
    int64_t send_bytes, receive_bytes; /**< largest buffers */
};

static int64_t buffer_of(const struct hf_app *a, enum hf_option o)
{
    int64_t size = 0;
    return a->conn != 0 && hf_get(a->stack, a->conn, o, &size) == HF_OK ? size : 0;
}

static void fix(struct seen *seen, const struct hf_app *a, enum hf_option o)
{
    if (hf_set(a->stack, a->conn, o, BUFFER_BYTES, seen->pair->world.now_ns) != HF_OK)
        hf_checks_fail(&seen->pair->checks, 0, "a buffer could not be set");
    seen->done = true;
}

static void look(void *ctx, struct hf_pair_side *side)
{
    struct seen *seen = ctx;
    const struct hf_app *from = &seen->pair->a.app, *to = &seen->pair->b.app;
    if (seen->fix_send && from->connected && !seen->done)
        fix(seen, from, HF_OPT_SEND_BUFFER_BYTES);
    if (seen->fix_receive && to->connected && !seen->done)
        fix(seen, to, HF_OPT_RECEIVE_BUFFER_BYTES);
    if (side->number == 1 && seen->half_at_ns == 0 && to->received_bytes >= STREAM_BYTES / 2)
        seen->half_at_ns = seen->pair->world.now_ns;
    if (side->number == 1 && seen->end_at_ns == 0 && to->received_bytes == STREAM_BYTES)
        seen->end_at_ns = seen->pair->world.now_ns;
    int64_t send = buffer_of(from, HF_OPT_SEND_BUFFER_BYTES);
    int64_t receive = buffer_of(to, HF_OPT_RECEIVE_BUFFER_BYTES);
    seen->send_bytes = send > seen->send_bytes ? send : seen->send_bytes;
    seen->receive_bytes = receive > seen->receive_bytes ? receive : seen->receive_bytes;
}

static struct hf_pair_scenario long_path(struct seen *seen, const struct hf_config *a,
                                         const struct hf_config *b)
{
    struct hf_pair_scenario s = {.seed = 1, .a_config = a, .b_config = b};
    s.a.send_bytes = STREAM_BYTES;
    s.b.open = HF_APP_LISTEN;
    s.ab.path.delay_ns = s.ba.path.delay_ns = HF_MS(100);
    s.ab.path.rate_bps = s.ba.path.rate_bps = RATE_BPS;
    s.ab.path.queue_limit_bytes = s.ba.path.queue_limit_bytes = 8 << 20; /* none is lost */
    s.stepped = look;
    s.hook_ctx = seen;
    return s;
}

/* What of the link's rate the second half of the stream took. */
static double run(struct seen *seen, const struct hf_pair_scenario *s)
{
    hf_pair_run(seen->pair, s);
    if (seen->pair->report.violations > 0)
        fail_msg("%s", seen->pair->report.violation);
    assert_true(hf_pair_is_clean(seen->pair)); /* memory is back where it was, too */
    assert_int_equal(seen->pair->report.b.info.pool_used_bytes, 0);
    assert_true(seen->half_at_ns > 0 && seen->end_at_ns > seen->half_at_ns);
    hf_ns took_ns = seen->end_at_ns - seen->half_at_ns;
    double share = STREAM_BYTES / 2 * 8.0 / ((double)took_ns / 1e9) / RATE_BPS;
    printf("%.3f of the link, buffers of %lld and %lld bytes\n", share, (long long)seen->send_bytes,
           (long long)seen->receive_bytes);
    return share;
}

static void a_long_path_is_filled(void **state)
{
    for (int64_t timestamps = 0; timestamps < 2; timestamps++) {
        struct seen seen = {.pair = *state};
        struct hf_config c;
        hf_config_init(&c, sizeof c);
        c.timestamps = timestamps;
        assert_int_equal(c.send_buffer_bytes, BUFFER_BYTES);
        assert_int_equal(c.receive_buffer_bytes, BUFFER_BYTES);
        struct hf_pair_scenario s = long_path(&seen, &c, &c);
        assert_true(run(&seen, &s) >= 0.85);
        assert_in_range(seen.send_bytes, RATE_BPS / 8 / 5, c.send_buffer_max_bytes);
        assert_in_range(seen.receive_bytes, RATE_BPS / 8 / 5, c.receive_buffer_max_bytes);
    }
}

/* Each of the two is enough to hold it back: 256 KB in 200 ms. */
static void without_growth_the_buffers_limit(void **state)
{
    for (int which = 0; which < 3; which++) {
        struct seen seen = {.pair = *state};
        struct hf_config a, b;
        hf_config_init(&a, sizeof a);
        b = a;
        a.send_buffer_max_bytes = which == 1 ? a.send_buffer_max_bytes : 0;
        b.receive_buffer_max_bytes = which == 2 ? b.receive_buffer_max_bytes : 0;
        struct hf_pair_scenario s = long_path(&seen, &a, &b);
        double share = run(&seen, &s);
        assert_true(share > 0.08 && share < 0.12);
        assert_true(which == 1 || seen.send_bytes == BUFFER_BYTES);
        assert_true(which == 2 || seen.receive_bytes == BUFFER_BYTES);
    }
}

/* What the application sets is what it gets, though it be the very size that it was. */
static void the_application_decides(void **state)
{
    for (int which = 0; which < 2; which++) {
        struct seen seen = {.pair = *state, .fix_send = which == 0, .fix_receive = which == 1};
        struct hf_config c;
        hf_config_init(&c, sizeof c);
        struct hf_pair_scenario s = long_path(&seen, &c, &c);
        assert_true(run(&seen, &s) < 0.12);
        assert_true(seen.done);
        assert_int_equal(which == 0 ? seen.send_bytes : seen.receive_bytes, BUFFER_BYTES);
    }
}

/* A reader who takes 800 KB a second needs no more than it has: 16 KB a round trip. */
static void a_slow_reader_gets_no_larger_buffer(void **state)
{
    for (int64_t timestamps = 0; timestamps < 2; timestamps++) {
        struct seen seen = {.pair = *state};
        struct hf_config c;
        hf_config_init(&c, sizeof c);
        c.timestamps = timestamps;
        struct hf_pair_scenario s = long_path(&seen, &c, &c);
        s.ab.path.delay_ns = s.ba.path.delay_ns = HF_MS(10);
        s.b.read_every_ns = HF_MS(20);
        assert_true(run(&seen, &s) < 0.08);
        assert_int_equal(seen.receive_bytes, BUFFER_BYTES);
    }
}

/* All would like more than there is: windows of 256 KB already are twelve times the pool. */
static void many_share_a_small_pool(void **state)
{
    (void)state;
    uint32_t n = HF_TEST_SANITIZED && !runs_are_long() ? FARM_CONNECTIONS / 4 : FARM_CONNECTIONS;
    struct hf_config config;
    hf_config_init(&config, sizeof config);
    config.pool_bytes = FARM_POOL;
    struct hf_lab_link_config link = {
        .path = {.rate_bps = RATE_BPS, .delay_ns = HF_MS(20), .loss_ppm = 5000}};
    struct farm f;
    farm_open(&f, n, FARM_STREAM, HF_MS(5), &config, &link);
    hf_ns end_ns = farm_run(&f, HF_SEC(2 * FARM_LIMIT_S));
    if (f.checks.violations > 0)
        fail_msg("%s", f.checks.first);
    for (unsigned side = 0; side < 2; side++) {
        struct hf_stack_info info;
        for (uint32_t i = 0; i < n; i++)
            assert_int_equal(f.sides[side].conns[i].received_bytes, FARM_STREAM);
        hf_stack_info(f.sides[side].stack, &info);
        assert_int_equal(info.pool_used_bytes, 0);
        assert_true(info.pool_peak_bytes >= FARM_POOL / 2); /* it was scarce */
    }
    printf("%u connections over after %.1f s\n", (unsigned)n, (double)end_ns / 1e9);
    assert_true(end_ns < HF_SEC(FARM_LIMIT_S));
    farm_close(&f);
}

static int make_pair(void **state)
{
    *state = hf_pair_new();
    return 0;
}

static int free_pair(void **state)
{
    hf_pair_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_path_is_filled),
        cmocka_unit_test(without_growth_the_buffers_limit),
        cmocka_unit_test(the_application_decides),
        cmocka_unit_test(a_slow_reader_gets_no_larger_buffer),
        cmocka_unit_test(many_share_a_small_pool),
    };
    return cmocka_run_group_tests_name("autotune", tests, make_pair, free_pair);
}
