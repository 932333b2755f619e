/* The path model's chance: loss, bursts, reordering, jitter; and that every packet is accounted for
 * whatever is combined. Fixed seeds; HF_TEST_SEED in the environment replaces that of the last. */
#include "path_bench.h"

enum { MANY = 200000 };

/* Sends n packets, one a millisecond, and takes what comes. */
static struct bench *play(const struct hf_path_config *config, uint64_t seed, uint32_t n)
{
    struct bench *b = bench_open(config, seed);
    for (uint32_t i = 0; i < n; i++) {
        bench_run(b, HF_MS(i));
        bench_send(b, 1000, HF_MS(i));
    }
    bench_finish(b);
    return b;
}

/* ---- loss ---- */

static void loss_is_as_often_as_said(void **state)
{
    (void)state;
    struct bench *b = play(&(struct hf_path_config){.loss_ppm = 10000}, 5, MANY);
    /* 2000 of 200,000 expected, standard deviation 44.5: within five of them. */
    assert_in_range(b->path.stats.fates[HF_PATH_LOST_RANDOM], 1778, 2222);
    assert_int_equal(b->arrived + b->path.stats.lost, MANY);
    b = play(&(struct hf_path_config){.loss_ppm = HF_PATH_PPM}, 5, 1000);
    assert_int_equal(b->path.stats.lost, 1000);
    assert_int_equal(b->path.stats.delivered_bytes, 0);
}

struct bursts {
    uint32_t lost, runs;
};

static struct bursts bursts_of(const struct bench *b)
{
    struct bursts r = {0};
    for (uint32_t i = 0; i < b->sent; i++) {
        bool is_lost = b->fates[i] == HF_PATH_LOST_BURST;
        r.lost += is_lost;
        r.runs += is_lost && (i == 0 || b->fates[i - 1] != HF_PATH_LOST_BURST);
    }
    return r;
}

static void burst_loss_has_its_rate_and_length(void **state)
{
    (void)state;
    /* Bad for 1 / 20 % = 5 packets at a time, 1 in 21 of the time. */
    struct hf_path_config config = {.burst_loss = {10000, 200000, HF_PATH_PPM, 0}};
    struct bursts r = bursts_of(play(&config, 11, MANY));
    assert_in_range(r.lost, MANY / 21 * 90 / 100, MANY / 21 * 110 / 100);
    assert_in_range(r.lost * 100 / r.runs, 475, 525);
    /* Half of the packets in a bad state: the rate halves, the runs are short. */
    config.burst_loss.loss_bad_ppm = 500000;
    r = bursts_of(play(&config, 11, MANY));
    assert_in_range(r.lost, MANY / 42 * 90 / 100, MANY / 42 * 110 / 100);
    /* A run goes on with 1/2 * 4/5: 1 / 0.6 packets long. */
    assert_in_range(r.lost * 100 / r.runs, 158, 175);
    /* Loss in the good state alone is as random as any. */
    config.burst_loss = (struct hf_path_burst_loss){.loss_good_ppm = 10000};
    r = bursts_of(play(&config, 11, MANY));
    assert_in_range(r.lost, 1778, 2222);
    assert_in_range(r.lost * 100 / r.runs, 100, 103);
}

static void periodic_loss_takes_every_nth(void **state)
{
    (void)state;
    struct bench *b = play(&(struct hf_path_config){.periodic_loss_packets = 100}, 1, 1000);
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(b->fates[i], i % 100 == 99 ? HF_PATH_LOST_PERIODIC : HF_PATH_DELIVERED);
}

static void ack_loss_takes_acks_only(void **state)
{
    (void)state;
    struct bench *b = bench_open(&(struct hf_path_config){.ack_loss_ppm = 500000}, 1);
    uint32_t lost_acks = 0;
    for (uint32_t i = 0; i < 2000; i++) {
        bool is_lost = bench_send_packet(b, 52, i % 2 == 0, 0) == HF_PATH_LOST_ACK;
        assert_true(!is_lost || i % 2 == 0);
        lost_acks += is_lost;
    }
    assert_in_range(lost_acks, 420, 580);
}

/* ---- copies and damage ---- */

static void duplicates_come_twice_at_one_instant(void **state)
{
    (void)state;
    struct hf_path_config config = {.duplicate_ppm = 100000, .delay_ns = HF_MS(3)};
    struct bench *b = play(&config, 2, 5000);
    uint64_t twice = b->path.stats.fates[HF_PATH_DUPLICATED];
    assert_in_range(twice, 400, 600);
    assert_int_equal(b->arrived, 5000 + twice);
    assert_int_equal(b->path.stats.delivered, 5000);
    for (uint32_t i = 0; i < b->arrived; i++) {
        const struct bench_arrival *a = &b->arrivals[i];
        assert_int_equal(a->at_ns, HF_MS(a->number + 3));
        bool is_first =
            b->fates[a->number] == HF_PATH_DUPLICATED && (i == 0 || a[-1].number != a->number);
        assert_int_equal(a->again, is_first);
        if (a->again)
            assert_int_equal(a[1].number, a->number);
    }
}

static void corruption_may_turn_any_bit(void **state)
{
    (void)state;
    struct bench *b = bench_open(&(struct hf_path_config){.corrupt_ppm = HF_PATH_PPM}, 2);
    bool seen[40] = {false};
    for (uint32_t i = 0; i < 2000; i++)
        assert_int_equal(bench_send(b, 5, 0), HF_PATH_CORRUPTED);
    bench_finish(b);
    for (uint32_t i = 0; i < 2000; i++) {
        assert_true(b->arrivals[i].corrupt_bit < 40);
        seen[b->arrivals[i].corrupt_bit] = true;
    }
    for (size_t i = 0; i < 40; i++)
        assert_true(seen[i]);
}

/* ---- order ---- */

static void reordered_packets_arrive_so_many_later(void **state)
{
    (void)state;
    static uint32_t place[MANY];
    struct hf_path_config config = {
        .reorder_ppm = 10000, .rate_bps = 8000000, .delay_ns = HF_MS(7)};
    struct bench *b = play(&config, 9, MANY);
    assert_in_range(b->path.stats.fates[HF_PATH_REORDERED], 1778, 2222);
    assert_int_equal(b->arrived, MANY);
    for (uint32_t i = 0; i < MANY; i++)
        place[b->arrivals[i].number] = i;
    uint32_t distances[12] = {0}, last = 0;
    for (uint32_t n = 0; n < MANY - 20; n++) {
        if (b->fates[n] != HF_PATH_REORDERED) {
            assert_true(n == 0 || place[n] > last); /* all others in their order */
            last = place[n];
            continue;
        }
        uint32_t distance = 0, i = n + 1;
        for (; place[i] < place[n] || b->fates[i] == HF_PATH_REORDERED; i++)
            distance += b->fates[i] != HF_PATH_REORDERED;
        assert_in_range(distance, 3, 10);
        distances[distance]++;
        /* It comes at the same instant as the one before it. */
        assert_int_equal(b->arrivals[place[n]].at_ns, b->arrivals[place[n] - 1].at_ns);
    }
    for (uint32_t d = 3; d <= 10; d++)
        assert_in_range(distances[d], 180, 320); /* an eighth each */
    assert_int_equal(b->path.held_count, 0);
}

static void the_range_of_reordering_can_be_set(void **state)
{
    (void)state;
    struct hf_path_config config = {
        .reorder_ppm = 50000, .reorder_min_packets = 2, .reorder_max_packets = 2};
    struct bench *b = play(&config, 4, 1000);
    for (uint32_t i = 2; i < b->arrived - 1; i++) {
        uint32_t n = b->arrivals[i].number;
        if (b->fates[n] != HF_PATH_REORDERED)
            continue;
        uint32_t before = 0;
        for (uint32_t k = n + 1; k < n + 10 && k < 1000 && before < 2; k++)
            before += b->fates[k] != HF_PATH_REORDERED;
        assert_true(before == 2 || n > 990);
        if (before == 2)
            assert_true(b->arrivals[i].at_ns >= HF_MS(n + 2) &&
                        b->arrivals[i].at_ns < HF_MS(n + 10));
    }
}

/* Sends a packet of 100 bytes with a plan. */
static void carry(struct bench *b, const struct hf_path_plan *plan)
{
    struct hf_path_packet packet = {&b->packets[b->sent], 100, false};
    b->fates[b->sent++] = hf_path_carry(&b->path, &packet, plan, 0);
}

/* Behind the next that is on time: a late one does not count, nor one that is held, too; and never
 * before its own time. */
static void what_a_held_packet_waits_for(void **state)
{
    (void)state;
    const struct hf_path_plan on_time = {0}, late = {.fate = HF_PATH_LATE, .late_ns = HF_MS(30)};
    struct hf_path_plan held = {.fate = HF_PATH_REORDERED, .hold_packets = 1, .wait_ns = HF_MS(50)};
    struct bench *b = bench_open(&(struct hf_path_config){.delay_ns = HF_MS(1)}, 1);
    carry(b, &held);
    carry(b, &late);
    held.jitter_ns = HF_MS(5);
    carry(b, &held);
    assert_int_equal(b->path.held_count, 2);
    carry(b, &on_time);
    assert_int_equal(b->path.held_count, 0);
    bench_finish(b);
    static const uint32_t order[] = {3, 0, 2, 1};
    static const hf_ns at_ms[] = {1, 1, 6, 31};
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(b->arrivals[i].number, order[i]);
        assert_int_equal(b->arrivals[i].at_ns, HF_MS(at_ms[i]));
    }
}

static void a_held_packet_without_successors_comes_in_the_end(void **state)
{
    (void)state;
    struct hf_path_config config = {
        .reorder_ppm = HF_PATH_PPM, .delay_ns = HF_MS(5), .reorder_wait_ns = HF_MS(30)};
    struct bench *b = play(&config, 4, 100);
    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(b->arrivals[i].number, i);
        assert_int_equal(b->arrivals[i].at_ns, HF_MS(i + 35));
    }
    assert_int_equal(b->path.held_count, 0);
}

static void late_packets_are_late(void **state)
{
    (void)state;
    struct hf_path_config config = {.late_ppm = 100000, .delay_ns = HF_MS(5), .late_ns = HF_MS(30)};
    struct bench *b = play(&config, 4, 2000);
    assert_in_range(b->path.stats.fates[HF_PATH_LATE], 130, 270);
    for (uint32_t i = 0; i < b->arrived; i++) {
        uint32_t n = b->arrivals[i].number;
        assert_int_equal(b->arrivals[i].at_ns, HF_MS(n + (b->fates[n] == HF_PATH_LATE ? 35 : 5)));
    }
    config.late_ns = 0;
    b = play(&config, 4, 100);
    for (uint32_t i = 0; i < b->arrived; i++)
        if (b->fates[b->arrivals[i].number] == HF_PATH_LATE)
            assert_int_equal(b->arrivals[i].at_ns, HF_MS(b->arrivals[i].number + 5 + 11));
}

/* ---- jitter ---- */

/* Of the delays: mean and standard deviation in microseconds, extremes, how often order changed. */
struct spread {
    int64_t mean_us, deviation_us;
    hf_ns least_ns, most_ns;
    uint32_t overtaken;
};

static struct spread spread_of(const struct bench *b)
{
    struct spread s = {.least_ns = HF_NEVER};
    int64_t sum_us = 0, squares_us2 = 0;
    for (uint32_t i = 0; i < b->arrived; i++) {
        hf_ns delay_ns = b->arrivals[i].at_ns - HF_MS(b->arrivals[i].number);
        sum_us += delay_ns / 1000;
        squares_us2 += delay_ns / 1000 * (delay_ns / 1000);
        if (delay_ns < s.least_ns)
            s.least_ns = delay_ns;
        if (delay_ns > s.most_ns)
            s.most_ns = delay_ns;
        s.overtaken += i > 0 && b->arrivals[i].number < b->arrivals[i - 1].number;
    }
    int64_t n = b->arrived;
    s.mean_us = sum_us / n;
    int64_t variance_us2 = squares_us2 / n - s.mean_us * s.mean_us;
    while ((s.deviation_us + 1) * (s.deviation_us + 1) <= variance_us2)
        s.deviation_us++;
    return s;
}

static void jitter_is_even_between_its_ends(void **state)
{
    (void)state;
    struct hf_path_config config = {.delay_ns = HF_MS(20), .jitter_ns = HF_MS(5)};
    struct spread s = spread_of(play(&config, 6, MANY));
    assert_in_range(s.mean_us, 19950, 20050);
    assert_in_range(s.deviation_us, 2850, 2925); /* 5 ms / sqrt 3 = 2887 us */
    assert_in_range(s.least_ns, HF_MS(15), HF_MS(15) + HF_US(1));
    assert_in_range(s.most_ns, HF_MS(25) - HF_US(1), HF_MS(25));
    assert_true(s.overtaken > MANY / 5);
    /* No packet arrives before it was sent. */
    config.delay_ns = HF_MS(1);
    s = spread_of(play(&config, 6, 1000));
    assert_int_equal(s.least_ns, 0);
}

static void jitter_may_be_normal(void **state)
{
    (void)state;
    struct hf_path_config config = {
        .delay_ns = HF_MS(20), .jitter_ns = HF_MS(2), .jitter_kind = HF_PATH_JITTER_NORMAL};
    struct bench *b = play(&config, 6, MANY);
    struct spread s = spread_of(b);
    assert_in_range(s.mean_us, 19970, 20030);
    assert_in_range(s.deviation_us, 1950, 2020);
    assert_int_equal(s.least_ns, HF_MS(14));
    assert_int_equal(s.most_ns, HF_MS(26));
    uint32_t within = 0;
    for (uint32_t i = 0; i < b->arrived; i++) {
        hf_ns off_ns = b->arrivals[i].at_ns - HF_MS(b->arrivals[i].number + 20);
        within += off_ns >= -HF_MS(2) && off_ns <= HF_MS(2);
    }
    assert_in_range(within / (MANY / 1000), 670, 695); /* 68.3 % within one deviation */
}

static void jitter_that_keeps_order_keeps_it(void **state)
{
    (void)state;
    struct hf_path_config config = {
        .delay_ns = HF_MS(20), .jitter_ns = HF_MS(5), .jitter_keeps_order = true};
    struct bench *b = play(&config, 6, MANY);
    struct spread s = spread_of(b);
    assert_int_equal(s.overtaken, 0);
    assert_int_equal(b->arrived, MANY);
    assert_true(s.most_ns <= HF_MS(25) && s.least_ns >= HF_MS(15));
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(b->arrivals[i].number, i);
    /* Each arrival is its own, or that of the one before it. */
    uint32_t together = 0;
    for (uint32_t i = 1; i < MANY; i++)
        together += b->arrivals[i].at_ns == b->arrivals[i - 1].at_ns;
    assert_true(together > MANY / 5 && together < MANY);
}

/* ---- chance as a whole ---- */

static void the_same_seed_gives_the_same_run(void **state)
{
    (void)state;
    static struct bench_arrival first[20000];
    struct hf_path_config config = {.loss_ppm = 50000,
                                    .duplicate_ppm = 50000,
                                    .reorder_ppm = 50000,
                                    .jitter_ns = HF_MS(4),
                                    .delay_ns = HF_MS(9)};
    struct bench *b = play(&config, 77, 10000);
    uint32_t n = b->arrived;
    memcpy(first, b->arrivals, n * sizeof first[0]);
    b = play(&config, 77, 10000);
    assert_int_equal(b->arrived, n);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(b->arrivals[i].number, first[i].number);
        assert_int_equal(b->arrivals[i].at_ns, first[i].at_ns);
    }
    uint32_t same = 0;
    b = play(&config, 78, 10000);
    for (uint32_t i = 0; i < n && i < b->arrived; i++)
        same += b->arrivals[i].at_ns == first[i].at_ns;
    assert_true(same < n / 100);
}

/* Making one chance greater leaves the others as they were. */
static void chances_do_not_reshuffle_each_other(void **state)
{
    (void)state;
    static enum hf_path_fate fates[10000];
    struct hf_path_config config = {
        .loss_ppm = 20000, .corrupt_ppm = 20000, .duplicate_ppm = 20000, .reorder_ppm = 20000};
    struct bench *b = play(&config, 3, 10000);
    memcpy(fates, b->fates, sizeof fates);
    config.corrupt_ppm = 200000;
    config.loss_ppm = 60000;
    b = play(&config, 3, 10000);
    for (uint32_t i = 0; i < 10000; i++)
        if (b->fates[i] != HF_PATH_LOST_RANDOM && b->fates[i] != HF_PATH_CORRUPTED)
            assert_int_equal(b->fates[i], fates[i]);
        else
            assert_true(fates[i] != HF_PATH_LOST_RANDOM || b->fates[i] == HF_PATH_LOST_RANDOM);
}

/* Policer before loss, loss before the queue: what one takes the next does not see. */
static void trouble_has_its_order(void **state)
{
    (void)state;
    struct hf_path_config config = {.policer = {8000, 2000}, .periodic_loss_packets = 2};
    struct bench *b = bench_open(&config, 1);
    assert_int_equal(bench_send(b, 1000, 0), HF_PATH_DELIVERED);
    assert_int_equal(bench_send(b, 1000, 0), HF_PATH_LOST_PERIODIC);
    assert_int_equal(bench_send(b, 1000, 0), HF_PATH_LOST_POLICER);
    assert_int_equal(bench_send(b, 1000, HF_SEC(1)), HF_PATH_DELIVERED);
    config = (struct hf_path_config){
        .rate_bps = 8000, .queue_limit_packets = 2, .periodic_loss_packets = 2};
    b = bench_open(&config, 1);
    for (uint32_t i = 0; i < 6; i++)
        bench_send(b, 1000, 0);
    static const enum hf_path_fate fates[] = {HF_PATH_DELIVERED,  HF_PATH_LOST_PERIODIC,
                                              HF_PATH_DELIVERED,  HF_PATH_LOST_PERIODIC,
                                              HF_PATH_LOST_QUEUE, HF_PATH_LOST_PERIODIC};
    assert_memory_equal(b->fates, fates, sizeof fates);
}

/* A caller's own plan. */
static void a_plan_may_be_replaced(void **state)
{
    (void)state;
    struct bench *b = bench_open(&(struct hf_path_config){.delay_ns = HF_MS(1)}, 1);
    for (uint32_t i = 0; i < 4; i++) {
        struct hf_path_packet packet = {&b->packets[i], 100, false};
        struct hf_path_plan plan = hf_path_judge(&b->path, &packet, 0);
        assert_int_equal(plan.fate, HF_PATH_DELIVERED);
        if (i == 0)
            plan = (struct hf_path_plan){
                .fate = HF_PATH_REORDERED, .hold_packets = 2, .wait_ns = HF_MS(50)};
        if (i == 1)
            plan.fate = HF_PATH_LOST_BY_CALLER;
        assert_int_equal(hf_path_carry(&b->path, &packet, &plan, 0), plan.fate);
    }
    bench_finish(b);
    assert_int_equal(b->arrived, 3);
    assert_int_equal(b->arrivals[0].number, 2);
    assert_int_equal(b->arrivals[1].number, 3);
    assert_int_equal(b->arrivals[2].number, 0);
    assert_int_equal(b->arrivals[2].at_ns, HF_MS(1));
    assert_int_equal(b->path.stats.fates[HF_PATH_LOST_BY_CALLER], 1);
}

/* ---- everything at once ---- */

static bool maybe(struct hf_dice *d)
{
    return hf_dice_below(d, 3) == 0;
}

static uint32_t some_ppm(struct hf_dice *d)
{
    return maybe(d) ? (uint32_t)hf_dice_below(d, 300000) : 0;
}

static hf_ns some_ns(struct hf_dice *d, hf_ns below_ns)
{
    return maybe(d) ? (hf_ns)hf_dice_below(d, (uint64_t)below_ns) : 0;
}

static struct hf_path_config any_config(struct hf_dice *d)
{
    struct hf_path_config c = {.delay_ns = some_ns(d, HF_MS(50)),
                               .jitter_ns = some_ns(d, HF_MS(9))};
    if (maybe(d) || maybe(d))
        c.rate_bps = 1 + (int64_t)hf_dice_below(d, 20000000);
    for (hf_ns at_ns = 0; maybe(d) && c.rate_change_count < HF_PATH_RATE_CHANGES_MAX;) {
        at_ns += 1 + (hf_ns)hf_dice_below(d, HF_MS(500));
        c.rate_changes[c.rate_change_count++] =
            (struct hf_path_rate_change){at_ns, 100000 + (int64_t)hf_dice_below(d, 20000000)};
    }
    c.loss_ppm = some_ppm(d);
    c.burst_loss = (struct hf_path_burst_loss){some_ppm(d), some_ppm(d), some_ppm(d), some_ppm(d)};
    c.periodic_loss_packets = maybe(d) ? (uint32_t)hf_dice_below(d, 50) : 0;
    c.ack_loss_ppm = some_ppm(d);
    c.duplicate_ppm = some_ppm(d);
    c.corrupt_ppm = some_ppm(d);
    c.late_ppm = some_ppm(d);
    c.late_ns = some_ns(d, HF_MS(80));
    c.reorder_ppm = some_ppm(d);
    c.reorder_wait_ns = some_ns(d, HF_MS(40));
    c.jitter_kind = maybe(d) ? HF_PATH_JITTER_NORMAL : HF_PATH_JITTER_UNIFORM;
    c.jitter_keeps_order = maybe(d);
    c.ack_aggregate_ns = some_ns(d, HF_MS(20));
    if (maybe(d))
        c.shaper = (struct hf_path_bucket){1 + (int64_t)hf_dice_below(d, 20000000),
                                           1 + hf_dice_below(d, 50000)};
    if (maybe(d))
        c.policer = (struct hf_path_bucket){1 + (int64_t)hf_dice_below(d, 20000000),
                                            1 + hf_dice_below(d, 50000)};
    bool has_queue = c.rate_bps > 0 || c.rate_change_count > 0 || c.shaper.rate_bps > 0;
    c.queue = has_queue && maybe(d) ? HF_PATH_CODEL : HF_PATH_DROP_TAIL;
    c.queue_limit_packets = has_queue && maybe(d) ? 1 + (uint32_t)hf_dice_below(d, 100) : 0;
    c.queue_limit_bytes = has_queue && maybe(d) ? 1500 + hf_dice_below(d, 90000) : 0;
    return c;
}

/* What has come out so often. */
struct tally {
    uint8_t times[2000];
    hf_ns last_ns;
};

static void take_all(struct bench *b, struct tally *t, hf_ns now)
{
    struct hf_path_arrival a;
    hf_ns deadline_ns = hf_path_deadline(&b->path);
    while (hf_path_take(&b->path, now, &a)) {
        uint32_t n = (uint32_t)((uint8_t *)a.packet - b->packets);
        assert_true(a.at_ns >= deadline_ns); /* nothing came before it was told */
        assert_true(a.at_ns >= t->last_ns && a.at_ns <= now);
        assert_true(!hf_path_is_lost(b->fates[n]) && t->times[n] == (a.again ? 0 : t->times[n]));
        t->last_ns = a.at_ns;
        t->times[n]++;
        bench_account(b);
        deadline_ns = hf_path_deadline(&b->path);
    }
    assert_true(hf_path_deadline(&b->path) > now);
}

static void play_any(uint64_t seed)
{
    struct hf_dice d = {seed};
    struct hf_path_config config = any_config(&d);
    const char *wrong = hf_path_config_check(&config);
    assert_null(wrong);
    struct bench *b = bench_open(&config, seed);
    struct tally t = {{0}, 0};
    hf_ns now = 0;
    while (b->sent < 2000) {
        for (uint64_t k = hf_dice_below(&d, 20); k > 0 && b->sent < 2000; k--)
            bench_send_packet(b, 40 + (uint32_t)hf_dice_below(&d, 1461), maybe(&d), now);
        const struct hf_path_stats *s = &b->path.stats;
        assert_true(config.queue_limit_packets == 0 ||
                    s->queue_peak_packets <= config.queue_limit_packets);
        assert_true(config.queue_limit_bytes == 0 ||
                    s->queue_peak_bytes <= config.queue_limit_bytes);
        bench_account(b);
        now += (hf_ns)hf_dice_below(&d, HF_MS(20));
        if (maybe(&d) || maybe(&d))
            take_all(b, &t, now);
    }
    for (hf_ns next_ns; (next_ns = hf_path_deadline(&b->path)) != HF_NEVER;)
        take_all(b, &t, next_ns > now ? next_ns : now);
    for (uint32_t i = 0; i < 2000; i++) {
        bool is_twice = b->fates[i] == HF_PATH_DUPLICATED && t.times[i] != 1;
        assert_int_equal(t.times[i], hf_path_is_lost(b->fates[i]) ? 0 : is_twice ? 2 : 1);
    }
    assert_int_equal(b->path.stats.waiting, 0);
    assert_int_equal(b->path.stats.queue_packets, 0);
    assert_int_equal(b->path.stats.queue_bytes, 0);
    assert_int_equal(b->path.held_count, 0);
}

static void every_packet_is_accounted_for(void **state)
{
    (void)state;
    const char *text = getenv("HF_TEST_SEED");
    uint64_t first = text != NULL ? strtoull(text, NULL, 0) : 1;
    for (uint64_t seed = first; seed < first + (text != NULL ? 1 : 600); seed++) {
        print_message("\rrepeat with HF_TEST_SEED=%llu ", (unsigned long long)seed);
        play_any(seed);
    }
    print_message("\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loss_is_as_often_as_said),
        cmocka_unit_test(burst_loss_has_its_rate_and_length),
        cmocka_unit_test(periodic_loss_takes_every_nth),
        cmocka_unit_test(ack_loss_takes_acks_only),
        cmocka_unit_test(duplicates_come_twice_at_one_instant),
        cmocka_unit_test(corruption_may_turn_any_bit),
        cmocka_unit_test(reordered_packets_arrive_so_many_later),
        cmocka_unit_test(the_range_of_reordering_can_be_set),
        cmocka_unit_test(what_a_held_packet_waits_for),
        cmocka_unit_test(a_held_packet_without_successors_comes_in_the_end),
        cmocka_unit_test(late_packets_are_late),
        cmocka_unit_test(jitter_is_even_between_its_ends),
        cmocka_unit_test(jitter_may_be_normal),
        cmocka_unit_test(jitter_that_keeps_order_keeps_it),
        cmocka_unit_test(the_same_seed_gives_the_same_run),
        cmocka_unit_test(chances_do_not_reshuffle_each_other),
        cmocka_unit_test(trouble_has_its_order),
        cmocka_unit_test(a_plan_may_be_replaced),
        cmocka_unit_test(every_packet_is_accounted_for),
    };
    return cmocka_run_group_tests_name("path_chance", tests, NULL, NULL);
}
