/* The path model's time: rate, delay, queues, buckets. Exact, to the nanosecond. */
#include "path_bench.h"

#include "lab/path_parts.h"

static void a_perfect_wire_does_nothing(void **state)
{
    (void)state;
    struct bench *b = bench_open(&(struct hf_path_config){0}, 1);
    assert_int_equal(hf_path_deadline(&b->path), HF_NEVER);
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(bench_send(b, 1500, 7), HF_PATH_DELIVERED);
    assert_int_equal(hf_path_deadline(&b->path), 7);
    bench_finish(b);
    assert_int_equal(b->arrived, 5);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(b->arrivals[i].number, i);
        assert_int_equal(b->arrivals[i].at_ns, 7);
    }
    assert_int_equal(b->path.stats.delivered_bytes, 7500);
    assert_int_equal(b->path.stats.queue_peak_packets, 0);
}

/* ---- rate ---- */

/* What `bits` take from time 0 on, rounded down; in whole numbers up to 2^63. */
static hf_ns time_of(uint64_t bits, int64_t rate_bps)
{
    uint64_t rate = (uint64_t)rate_bps;
    return (hf_ns)(bits / rate * 1000000000 + bits % rate * 1000000000 / rate);
}

static void a_rate_is_exact_over_many_packets(void **state)
{
    (void)state;
    static const int64_t rates_bps[] = {1000000000, 999999937, 10000000, 3333333, 7777777777};
    for (size_t k = 0; k < sizeof rates_bps / sizeof rates_bps[0]; k++) {
        struct bench *b = bench_open(&(struct hf_path_config){.rate_bps = rates_bps[k],
                                                              .delay_ns = HF_MS(10),
                                                              .queue_limit_packets = 100000},
                                     1);
        uint64_t bits = 0;
        for (uint32_t i = 0; i < 100000; i++)
            assert_int_equal(bench_send(b, k == 0 ? 1500 : 40 + i % 1461, 0), HF_PATH_DELIVERED);
        bench_finish(b);
        assert_int_equal(b->arrived, 100000);
        for (uint32_t i = 0; i < 100000; i++) {
            bits += 8 * (k == 0 ? 1500 : 40 + i % 1461);
            assert_int_equal(b->arrivals[i].number, i);
            assert_int_equal(b->arrivals[i].at_ns, time_of(bits, rates_bps[k]) + HF_MS(10));
        }
        assert_int_equal(b->path.stats.queue_peak_packets, 100000);
        assert_int_equal(b->path.stats.queue_packets, 0);
        assert_int_equal(b->path.stats.queue_bytes, 0);
    }
}

/* A sender that is never late and never early: each packet comes before the last has left. */
static void a_rate_is_exact_when_packets_come_one_by_one(void **state)
{
    (void)state;
    const int64_t rate_bps = 999999937;
    struct bench *b = bench_open(&(struct hf_path_config){.rate_bps = rate_bps}, 1);
    bench_send(b, 1500, 0);
    for (uint32_t i = 1; i < 100000; i++) {
        bench_run(b, time_of(12000ull * i, rate_bps) - 1);
        bench_send(b, 1500, time_of(12000ull * i, rate_bps) - 1);
    }
    bench_finish(b);
    for (uint32_t i = 0; i < 100000; i++)
        assert_int_equal(b->arrivals[i].at_ns, time_of(12000ull * (i + 1), rate_bps));
    assert_int_equal(b->path.stats.queue_peak_packets, 2);
}

static void an_idle_link_saves_nothing_up(void **state)
{
    (void)state;
    struct bench *b = bench_open(&(struct hf_path_config){.rate_bps = 1000000}, 1);
    bench_send(b, 1000, 0);
    bench_run(b, HF_MS(20));
    bench_send(b, 1000, HF_MS(20));
    bench_send(b, 1000, HF_MS(20));
    bench_finish(b);
    assert_int_equal(b->arrivals[0].at_ns, HF_MS(8));
    assert_int_equal(b->arrivals[1].at_ns, HF_MS(28));
    assert_int_equal(b->arrivals[2].at_ns, HF_MS(36));
    /* Nor owes it anything: a byte at 3 bit/s takes 2.67 s, alone and again. */
    b = bench_open(&(struct hf_path_config){.rate_bps = 3}, 1);
    for (uint32_t i = 0; i < 3; i++) {
        bench_run(b, HF_SEC(10 * i));
        bench_send(b, 1, HF_SEC(10 * i));
    }
    bench_finish(b);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(b->arrivals[i].at_ns, HF_SEC(10 * i) + 2666666666);
}

static void a_rate_changes_in_the_midst_of_a_packet(void **state)
{
    (void)state;
    struct hf_path_config config = {
        .rate_bps = 1000000,
        .rate_changes = {{HF_MS(4), 2000000}, {HF_MS(7), 500000}, {HF_MS(100), 4000000}},
        .rate_change_count = 3};
    struct bench *b = bench_open(&config, 1);
    for (int i = 0; i < 3; i++)
        bench_send(b, 1000, 0); /* 8000 bits: 4000 at 1, 4000 at 2; 2000 at 2, 6000 at 0.5; ... */
    bench_run(b, HF_MS(200));
    bench_send(b, 1000, HF_MS(200));
    bench_finish(b);
    assert_int_equal(b->arrivals[0].at_ns, HF_MS(6));
    assert_int_equal(b->arrivals[1].at_ns, HF_MS(19));
    assert_int_equal(b->arrivals[2].at_ns, HF_MS(35));
    assert_int_equal(b->arrivals[3].at_ns, HF_MS(202));
}

/* The same by another way: how much work the link has done by an instant, and when it is enough. */
static void many_packets_over_many_rates_lose_nothing(void **state)
{
    (void)state;
    struct hf_path_config config = {.rate_bps = 99999989, .queue_limit_packets = 100000};
    for (uint32_t i = 0; i < HF_PATH_RATE_CHANGES_MAX; i++)
        config.rate_changes[config.rate_change_count++] = (struct hf_path_rate_change){
            (hf_ns)(i + 1) * 123456789, i % 2 ? 99999989 + i : 1000003 * (int64_t)(i + 7)};
    struct bench *b = bench_open(&config, 1);
    for (uint32_t i = 0; i < 50000; i++)
        bench_send(b, 1500, 0);
    bench_finish(b);
    uint64_t done = 0; /* until `from`, in billionths of a bit */
    hf_ns from_ns = 0;
    int64_t rate_bps = config.rate_bps;
    uint32_t next = 0;
    for (uint32_t i = 0; i < 50000; i++) {
        uint64_t need = 12000000000000ull * (i + 1);
        for (; next < config.rate_change_count; next++) {
            const struct hf_path_rate_change *c = &config.rate_changes[next];
            uint64_t then = done + (uint64_t)((c->at_ns - from_ns) * rate_bps);
            if (then > need)
                break;
            done = then;
            from_ns = c->at_ns;
            rate_bps = c->rate_bps;
        }
        assert_int_equal(b->arrivals[i].at_ns,
                         from_ns + (hf_ns)((need - done) / (uint64_t)rate_bps));
    }
    assert_int_equal(next, config.rate_change_count);
}

static void a_rate_that_begins_later_makes_a_queue_then(void **state)
{
    (void)state;
    struct hf_path_config config = {.rate_changes = {{HF_MS(10), 1000000}}, .rate_change_count = 1};
    struct bench *b = bench_open(&config, 1);
    bench_send(b, 1000, HF_MS(9));
    bench_run(b, HF_MS(10));
    bench_send(b, 1000, HF_MS(10));
    bench_finish(b);
    assert_int_equal(b->arrivals[0].at_ns, HF_MS(9));
    assert_int_equal(b->arrivals[1].at_ns, HF_MS(18));
}

static void times_of_a_config_count_from_the_beginning(void **state)
{
    (void)state;
    static struct hf_path_slot slots[4];
    struct hf_path p;
    struct hf_path_arrival a;
    uint8_t byte = 0;
    struct hf_path_config config = {
        .rate_bps = 1000000, .rate_changes = {{HF_MS(4), 2000000}}, .rate_change_count = 1};
    hf_path_init(&p, &config, 1, slots, 4, HF_SEC(1000));
    struct hf_path_packet packet = {&byte, 1000, false};
    hf_path_send(&p, &packet, HF_SEC(1000));
    assert_false(hf_path_take(&p, HF_SEC(1000) + HF_MS(6) - 1, &a));
    assert_true(hf_path_take(&p, HF_SEC(1000) + HF_MS(60), &a));
    assert_int_equal(a.at_ns, HF_SEC(1000) + HF_MS(6)); /* exactly, also when it is taken late */
    config = (struct hf_path_config){.ack_aggregate_ns = HF_MS(5)};
    hf_path_init(&p, &config, 1, slots, 4, HF_MS(1));
    packet.is_pure_ack = true;
    hf_path_send(&p, &packet, HF_MS(4));
    assert_int_equal(hf_path_deadline(&p), HF_MS(6));
}

/* ---- drop-tail ---- */

static void a_full_queue_loses_what_comes(void **state)
{
    (void)state;
    struct bench *b =
        bench_open(&(struct hf_path_config){.rate_bps = 1000000, .queue_limit_packets = 10}, 1);
    for (uint32_t i = 0; i < 15; i++)
        assert_int_equal(bench_send(b, 1000, 0), i < 10 ? HF_PATH_DELIVERED : HF_PATH_LOST_QUEUE);
    assert_int_equal(bench_send(b, 1000, HF_MS(8) - 1), HF_PATH_LOST_QUEUE);
    assert_int_equal(bench_send(b, 1000, HF_MS(8)), HF_PATH_DELIVERED); /* one has left */
    assert_int_equal(bench_send(b, 1000, HF_MS(8)), HF_PATH_LOST_QUEUE);
    assert_int_equal(b->path.stats.queue_packets, 10);
    assert_int_equal(b->path.stats.queue_bytes, 10000);
    bench_finish(b);
    assert_int_equal(b->arrived, 11);
    assert_int_equal(b->arrivals[10].at_ns, HF_MS(88));
    assert_int_equal(b->path.stats.fates[HF_PATH_LOST_QUEUE], 7);
    assert_int_equal(b->path.stats.queue_peak_packets, 10);
    assert_int_equal(b->path.stats.queue_peak_bytes, 10000);
}

static void a_queue_may_be_limited_in_bytes(void **state)
{
    (void)state;
    struct bench *b =
        bench_open(&(struct hf_path_config){.rate_bps = 1000000, .queue_limit_bytes = 3000}, 1);
    assert_int_equal(bench_send(b, 1500, 0), HF_PATH_DELIVERED);
    assert_int_equal(bench_send(b, 1000, 0), HF_PATH_DELIVERED);
    assert_int_equal(bench_send(b, 501, 0), HF_PATH_LOST_QUEUE);
    assert_int_equal(bench_send(b, 500, 0), HF_PATH_DELIVERED);
    assert_int_equal(bench_send(b, 1, 0), HF_PATH_LOST_QUEUE);
    assert_int_equal(bench_send(b, 1500, HF_MS(12)), HF_PATH_DELIVERED);
    bench_finish(b);
    assert_int_equal(b->path.stats.queue_peak_bytes, 3000);
}

static void a_queue_without_a_limit_has_one(void **state)
{
    (void)state;
    struct bench *b = bench_open(&(struct hf_path_config){.rate_bps = 1000000}, 1);
    for (uint32_t i = 0; i < HF_PATH_QUEUE_PACKETS; i++)
        assert_int_equal(bench_send(b, 100, 0), HF_PATH_DELIVERED);
    assert_int_equal(bench_send(b, 100, 0), HF_PATH_LOST_QUEUE);
}

/* ---- buckets ---- */

static void a_policer_lets_burst_and_rate_pass(void **state)
{
    (void)state;
    struct hf_path_config config = {.policer = {10000000, 30000}, .delay_ns = HF_MS(1)};
    struct bench *b = bench_open(&config, 1);
    for (uint32_t i = 0; i < 25; i++)
        assert_int_equal(bench_send(b, 1500, 0), i < 20 ? HF_PATH_DELIVERED : HF_PATH_LOST_POLICER);
    /* 1500 bytes of tokens are there after 1.2 ms, and not a nanosecond before. */
    assert_int_equal(bench_send(b, 1500, HF_US(1200) - 1), HF_PATH_LOST_POLICER);
    assert_int_equal(bench_send(b, 1500, HF_US(1200)), HF_PATH_DELIVERED);
    assert_int_equal(bench_send(b, 1, HF_US(1200)), HF_PATH_LOST_POLICER);
    bench_run(b, HF_SEC(10)); /* long idle: full, and not more */
    for (uint32_t i = 0; i < 25; i++)
        assert_int_equal(bench_send(b, 1500, HF_SEC(10)),
                         i < 20 ? HF_PATH_DELIVERED : HF_PATH_LOST_POLICER);
    bench_finish(b);
    assert_int_equal(b->arrivals[0].at_ns, HF_MS(1)); /* it drops, and delays nothing */
}

/* At twice its rate, a crooked one, over a long time: of burst + rate * time all that is whole. */
static void a_policer_is_exact_over_a_long_time(void **state)
{
    (void)state;
    const int64_t rate_bps = 9999991;
    struct bench *b = bench_open(&(struct hf_path_config){.policer = {rate_bps, 30000}}, 1);
    uint64_t passed = 0;
    for (uint32_t i = 0; i < 100000; i++) {
        hf_ns now = (hf_ns)i * 600001;
        passed += bench_send(b, 1500, now) == HF_PATH_DELIVERED;
        bench_run(b, now);
        uint64_t allowed_bits = 240000 + (uint64_t)now * (uint64_t)rate_bps / 1000000000;
        if (passed == i + 1)
            assert_true(passed * 12000 <= allowed_bits);
        else
            assert_int_equal(passed, allowed_bits / 12000);
    }
    assert_in_range(passed, 50000, 50100);
}

static void a_shaper_lets_a_burst_pass_and_then_its_rate(void **state)
{
    (void)state;
    const int64_t rate_bps = 9999991;
    struct hf_path_config config = {
        .shaper = {rate_bps, 30000}, .delay_ns = HF_MS(1), .queue_limit_packets = 100000};
    struct bench *b = bench_open(&config, 1);
    for (uint32_t i = 0; i < 100000; i++)
        assert_int_equal(bench_send(b, 1500, 0), HF_PATH_DELIVERED);
    bench_finish(b);
    for (uint32_t i = 0; i < 100000; i++) {
        /* The first 20 at once; then when enough tokens are there: rounded up. */
        uint64_t bits = i < 20 ? 0 : 12000ull * (i - 19);
        hf_ns at_ns = time_of(bits, rate_bps);
        if (bits * 1000000000 % (uint64_t)rate_bps != 0)
            at_ns++;
        assert_int_equal(b->arrivals[i].at_ns, at_ns + HF_MS(1));
    }
}

static void a_shaper_in_front_of_a_link(void **state)
{
    (void)state;
    /* Bursts leave at the link's 8 Mbit (1 ms each), all in all at the shaper's 4 (2 ms). */
    struct hf_path_config config = {.rate_bps = 8000000, .shaper = {4000000, 3000}};
    struct bench *b = bench_open(&config, 1);
    for (uint32_t i = 0; i < 7; i++)
        bench_send(b, 1000, 0);
    bench_finish(b);
    static const hf_ns at_ms[] = {1, 2, 3, 4, 5, 7, 9};
    /* Tokens for 3 at 0; for the 4th at 2 ms, the 5th at 4 ms, the 6th at 6, the 7th at 8. */
    for (uint32_t i = 0; i < 7; i++)
        assert_int_equal(b->arrivals[i].at_ns, HF_MS(at_ms[i]));
}

static void a_packet_larger_than_the_bucket_is_shaped_too(void **state)
{
    (void)state;
    struct bench *b = bench_open(&(struct hf_path_config){.shaper = {8000000, 500}}, 1);
    bench_send(b, 1500, 0); /* the bucket is full; it owes 1000 bytes, 1 ms, then fills for 0.5 */
    bench_send(b, 1500, 0);
    bench_send(b, 1500, 0);
    bench_finish(b);
    assert_int_equal(b->arrivals[0].at_ns, 0);
    assert_int_equal(b->arrivals[1].at_ns, HF_US(1500));
    assert_int_equal(b->arrivals[2].at_ns, HF_US(3000));
    b = bench_open(&(struct hf_path_config){.policer = {8000000, 500}}, 1);
    assert_int_equal(bench_send(b, 501, HF_SEC(9)), HF_PATH_LOST_POLICER);
}

/* ---- CoDel ---- */

enum { CODEL_RATE_BPS = 10000000, CODEL_PACKET_NS = 1200000 };

/* 1500-byte packets at twice the link's rate from one instant to another. */
static void overload(struct bench *b, hf_ns from_ns, hf_ns until_ns)
{
    for (hf_ns now = from_ns; now < until_ns; now += CODEL_PACKET_NS / 2) {
        bench_run(b, now);
        bench_send(b, 1500, now);
    }
}

/* The next drop at or after arrival number *i. */
static hf_ns next_drop(const struct bench *b, uint32_t *i)
{
    while (*i < b->arrived && b->arrivals[*i].fate != HF_PATH_LOST_CODEL)
        ++*i;
    return *i < b->arrived ? b->arrivals[(*i)++].at_ns : HF_NEVER;
}

/* Square root by Newton's way, without a library. */
static double root(double x)
{
    double r = x;
    for (int i = 0; i < 60; i++)
        r = (r + x / r) / 2;
    return r;
}

/* Between a time and the turn of a packet after it. */
static void assert_within_a_packet(hf_ns at_ns, double law_ns)
{
    assert_true((double)at_ns >= law_ns - 1000 && (double)at_ns <= law_ns + CODEL_PACKET_NS + 1000);
}

static const struct hf_path_config codel_config = {
    .rate_bps = CODEL_RATE_BPS, .queue = HF_PATH_CODEL, .queue_limit_packets = 100000};

/* [RFC8289#5] Steady overload: the first drop an interval after the queue's time went above the
 * target, then ever closer: the n-th at interval / sqrt(n) behind the one before. */
static void codel_drops_by_its_law(void **state)
{
    (void)state;
    struct bench *b = bench_open(&codel_config, 1);
    overload(b, 0, HF_SEC(10));
    uint32_t i = 0, n = 1;
    hf_ns at_ns = next_drop(b, &i);
    /* Packet k comes at 0.6 k ms, its turn is at 1.2 k: 5 ms are reached at the 9th, at 10.8. */
    assert_int_equal(at_ns, 9 * CODEL_PACKET_NS + HF_MS(100) +
                                (CODEL_PACKET_NS - HF_MS(100) % CODEL_PACKET_NS) % CODEL_PACKET_NS);
    double law_ns = (double)at_ns;
    for (; (at_ns = next_drop(b, &i)) != HF_NEVER; n++) {
        law_ns += (double)(int64_t)(100e6 / root(n)); /* in whole nanoseconds, too */
        assert_within_a_packet(at_ns, law_ns);
    }
    /* The sum of 100 ms / sqrt(k) reaches 9.88 s at about (9.88 / 0.2)^2. */
    assert_in_range(n, 2350, 2550);
    assert_int_equal(b->path.stats.fates[HF_PATH_LOST_CODEL], n);
    bench_finish(b);
}

/* Against another load that stops it: soon after, it begins with the rate that was right. */
static void codel_takes_up_its_rate_again(void **state)
{
    (void)state;
    struct bench *b = bench_open(&codel_config, 1);
    overload(b, 0, HF_SEC(1));
    bench_run(b, HF_SEC(2)); /* empty since about 1.9 s */
    uint32_t drops = (uint32_t)b->path.stats.fates[HF_PATH_LOST_CODEL], i = b->arrived;
    assert_in_range(drops, 80, 100);
    overload(b, HF_SEC(2), HF_SEC(3));
    hf_ns first_ns = next_drop(b, &i), second_ns = next_drop(b, &i);
    assert_within_a_packet(second_ns, (double)first_ns + 100e6 / root(drops - 1));
    bench_run(b, HF_SEC(4));
    uint32_t drops_again = (uint32_t)b->path.stats.fates[HF_PATH_LOST_CODEL] - drops;
    i = b->arrived;
    overload(b, HF_SEC(4), HF_SEC(5));
    first_ns = next_drop(b, &i);
    second_ns = next_drop(b, &i);
    assert_within_a_packet(second_ns, (double)first_ns + 100e6 / root(drops_again - 1));
    /* Long after, it begins anew. */
    bench_run(b, HF_SEC(10));
    i = b->arrived;
    overload(b, HF_SEC(10), HF_SEC(11));
    first_ns = next_drop(b, &i);
    second_ns = next_drop(b, &i);
    assert_within_a_packet(second_ns, (double)first_ns + 100e6);
    bench_finish(b);
}

static void codel_leaves_short_bursts_and_light_load_alone(void **state)
{
    (void)state;
    struct bench *b = bench_open(&codel_config, 1);
    /* Every 300 ms 80 packets at once, 96 ms: above the target for less than an interval. */
    for (hf_ns now = 0; now < HF_SEC(30); now += HF_MS(300)) {
        bench_run(b, now);
        for (int k = 0; k < 80; k++)
            bench_send(b, 1500, now);
    }
    /* And just below the rate. */
    for (hf_ns now = HF_SEC(30); now < HF_SEC(60); now += CODEL_PACKET_NS) {
        bench_run(b, now);
        bench_send(b, 1500, now);
    }
    bench_finish(b);
    assert_int_equal(b->path.stats.lost, 0);
}

/* [RFC8289#5] A slow link always takes longer than the target for a packet: one that waits alone is
 * not dropped. */
static void codel_leaves_the_last_packet_alone(void **state)
{
    (void)state;
    struct hf_path_config config = {.rate_bps = 64000, .queue = HF_PATH_CODEL};
    struct bench *b = bench_open(&config, 1);
    for (int k = 0; k < 200; k++) {
        hf_ns now = (hf_ns)k * HF_US(187500); /* the time of one packet */
        bench_run(b, now);
        bench_send(b, 1500, now);
        if (k == 0)
            bench_send(b, 1500, now);
    }
    bench_finish(b);
    assert_int_equal(b->path.stats.lost, 0);
    assert_int_equal(b->path.stats.queue_peak_packets, 2);
}

static void codel_has_settings_of_its_own(void **state)
{
    (void)state;
    struct hf_path_config config = codel_config;
    config.codel_target_ns = HF_MS(50);
    config.codel_interval_ns = HF_MS(300);
    struct bench *b = bench_open(&config, 1);
    overload(b, 0, HF_SEC(2));
    uint32_t i = 0;
    hf_ns first_ns = next_drop(b, &i), second_ns = next_drop(b, &i);
    assert_within_a_packet(first_ns, (double)HF_MS(100) + 300e6);
    assert_within_a_packet(second_ns, (double)first_ns + 300e6);
    bench_finish(b);
}

static void the_control_law_is_exact(void **state)
{
    (void)state;
    static const hf_ns intervals_ns[] = {1, 999, HF_MS(100), HF_PATH_CODEL_MAX_NS};
    for (size_t k = 0; k < 4; k++) {
        uint64_t square = (uint64_t)intervals_ns[k] * (uint64_t)intervals_ns[k];
        for (uint32_t n = 1; n < 4000000; n += 1 + n / 7) {
            uint64_t step = (uint64_t)hf_path_codel_step(intervals_ns[k], n);
            assert_true(step * step <= square / n && (step + 1) * (step + 1) > square / n);
        }
    }
    assert_int_equal(hf_path_codel_step(HF_MS(100), 4), HF_MS(50));
}

/* ---- ACKs together ---- */

static void acks_arrive_together(void **state)
{
    (void)state;
    struct hf_path_config config = {.delay_ns = HF_MS(2), .ack_aggregate_ns = HF_MS(5)};
    struct bench *b = bench_open(&config, 1);
    for (uint32_t i = 0; i < 20; i++) {
        bench_run(b, HF_MS(i));
        bench_send_packet(b, 52, i % 4 != 3, HF_MS(i));
    }
    bench_finish(b);
    for (uint32_t i = 0; i < b->arrived; i++) {
        uint32_t n = b->arrivals[i].number;
        hf_ns own_ms = (hf_ns)n + 2, next_ms = (own_ms + 4) / 5 * 5;
        assert_int_equal(b->arrivals[i].at_ns, HF_MS(n % 4 == 3 ? own_ms : next_ms));
        /* Those of one batch in their order. */
        if (i > 0 && n % 4 != 3 && b->arrivals[i - 1].number % 4 != 3)
            assert_true(b->arrivals[i - 1].number < n);
    }
}

/* ---- slots ---- */

static void slots_run_out_and_grow(void **state)
{
    (void)state;
    static struct hf_path_slot few[3], more[8];
    uint8_t bytes[9];
    struct hf_path p;
    struct hf_path_config config = {.delay_ns = HF_MS(5)};
    hf_path_init(&p, &config, 1, few, 3, 0);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(hf_path_has_room(&p));
        struct hf_path_packet packet = {&bytes[i], 100, false};
        assert_int_equal(hf_path_send(&p, &packet, (hf_ns)i), HF_PATH_DELIVERED);
    }
    assert_false(hf_path_has_room(&p));
    struct hf_path_packet packet = {&bytes[3], 100, false};
    assert_int_equal(hf_path_send(&p, &packet, 3), HF_PATH_LOST_NO_SLOT);
    hf_path_move(&p, more, 8);
    memset(few, 0xEE, sizeof few);
    for (uint32_t i = 4; i < 9; i++) {
        packet.packet = &bytes[i];
        assert_int_equal(hf_path_send(&p, &packet, (hf_ns)i), HF_PATH_DELIVERED);
    }
    assert_false(hf_path_has_room(&p));
    struct hf_path_arrival a;
    for (uint32_t i = 0; i < 9; i++) {
        if (i == 3)
            continue;
        assert_ptr_equal(hf_path_next(&p), &bytes[i]);
        assert_true(hf_path_take(&p, HF_SEC(1), &a));
        assert_ptr_equal(a.packet, &bytes[i]);
        assert_int_equal(a.at_ns, HF_MS(5) + (hf_ns)i);
    }
    assert_null(hf_path_next(&p));
}

static void as_many_slots_as_are_needed(void **state)
{
    (void)state;
    static const struct hf_path_config configs[] = {
        {0},
        {.rate_bps = 1000000000, .delay_ns = HF_MS(20), .queue_limit_packets = 100},
        {.rate_bps = 100000000,
         .delay_ns = HF_MS(10),
         .jitter_ns = HF_MS(5),
         .queue_limit_bytes = 64000},
        {.shaper = {50000000, 1000000}, .delay_ns = HF_MS(30)},
        {.rate_bps = 10000000,
         .rate_changes = {{HF_MS(50), 500000000}},
         .rate_change_count = 1,
         .delay_ns = HF_MS(10),
         .queue = HF_PATH_CODEL},
        {.delay_ns = HF_MS(5), .late_ppm = HF_PATH_PPM / 2, .late_ns = HF_MS(30)},
        {.delay_ns = HF_MS(5), .reorder_ppm = HF_PATH_PPM / 2, .ack_aggregate_ns = HF_MS(3)}};
    for (size_t k = 0; k < sizeof configs / sizeof configs[0]; k++) {
        uint32_t slots = hf_path_slots_needed(&configs[k], 1500, 1000000000, BENCH_PACKETS);
        assert_in_range(slots, 64, 20000);
        struct bench *b = bench_open(&configs[k], 1);
        for (hf_ns now = 0; now < HF_MS(400); now += HF_US(12)) {
            bench_run(b, now);
            bench_send(b, 1500, now);
        }
        assert_true(b->path.stats.waiting_peak <= slots);
    }
    assert_int_equal(hf_path_slots_needed(&configs[1], 1500, 0, 500), 500);
}

static void what_is_inside_can_be_drained(void **state)
{
    (void)state;
    struct hf_path_config config = codel_config;
    config.reorder_ppm = 100000;
    config.delay_ns = HF_MS(300);
    struct bench *b = bench_open(&config, 3);
    overload(b, 0, HF_MS(500));
    uint32_t left = 0;
    static bool seen[BENCH_PACKETS];
    memset(seen, 0, sizeof seen);
    for (uint8_t *packet; (packet = hf_path_drain(&b->path)) != NULL; left++) {
        assert_false(seen[packet - b->packets]);
        seen[packet - b->packets] = true;
    }
    assert_int_equal(left + b->arrived, b->sent);
    bench_account(b);
    assert_int_equal(b->path.stats.waiting, 0);
    assert_int_equal(hf_path_deadline(&b->path), HF_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_perfect_wire_does_nothing),
        cmocka_unit_test(a_rate_is_exact_over_many_packets),
        cmocka_unit_test(a_rate_is_exact_when_packets_come_one_by_one),
        cmocka_unit_test(an_idle_link_saves_nothing_up),
        cmocka_unit_test(a_rate_changes_in_the_midst_of_a_packet),
        cmocka_unit_test(many_packets_over_many_rates_lose_nothing),
        cmocka_unit_test(a_rate_that_begins_later_makes_a_queue_then),
        cmocka_unit_test(times_of_a_config_count_from_the_beginning),
        cmocka_unit_test(a_full_queue_loses_what_comes),
        cmocka_unit_test(a_queue_may_be_limited_in_bytes),
        cmocka_unit_test(a_queue_without_a_limit_has_one),
        cmocka_unit_test(a_policer_lets_burst_and_rate_pass),
        cmocka_unit_test(a_policer_is_exact_over_a_long_time),
        cmocka_unit_test(a_shaper_lets_a_burst_pass_and_then_its_rate),
        cmocka_unit_test(a_shaper_in_front_of_a_link),
        cmocka_unit_test(a_packet_larger_than_the_bucket_is_shaped_too),
        cmocka_unit_test(codel_drops_by_its_law),
        cmocka_unit_test(codel_takes_up_its_rate_again),
        cmocka_unit_test(codel_leaves_short_bursts_and_light_load_alone),
        cmocka_unit_test(codel_leaves_the_last_packet_alone),
        cmocka_unit_test(codel_has_settings_of_its_own),
        cmocka_unit_test(the_control_law_is_exact),
        cmocka_unit_test(acks_arrive_together),
        cmocka_unit_test(slots_run_out_and_grow),
        cmocka_unit_test(as_many_slots_as_are_needed),
        cmocka_unit_test(what_is_inside_can_be_drained),
    };
    return cmocka_run_group_tests_name("path", tests, NULL, NULL);
}
