/* The words of a path's configuration: each by itself, what is refused and how, and both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab/path_text.h"

static struct hf_path_config parsed(const char *text)
{
    char error[HF_PATH_ERROR_MAX_BYTES] = "";
    struct hf_path_config c;
    memset(&c, 0, sizeof c);
    if (!hf_path_parse(text, &c, error))
        fail_msg("\"%s\": %s", text, error);
    return c;
}

/* Reads the words, and expects the same again when they are written. */
static struct hf_path_config same(const char *text)
{
    char printed[HF_PATH_TEXT_MAX_BYTES];
    struct hf_path_config c = parsed(text);
    hf_path_print(&c, printed);
    assert_string_equal(printed, text);
    return c;
}

static void each_word_means_its_field(void **state)
{
    (void)state;
    assert_int_equal(same("rate=10mbit").rate_bps, 10000000);
    assert_int_equal(same("delay=20ms").delay_ns, HF_MS(20));
    assert_int_equal(same("loss=1%").loss_ppm, 10000);
    struct hf_path_config c = same("burst-loss=0.1%:20%:50%");
    assert_int_equal(c.burst_loss.good_to_bad_ppm, 1000);
    assert_int_equal(c.burst_loss.bad_to_good_ppm, 200000);
    assert_int_equal(c.burst_loss.loss_bad_ppm, 500000);
    assert_int_equal(c.burst_loss.loss_good_ppm, 0);
    assert_int_equal(same("burst-loss=0.1%:20%:50%:0.0001%").burst_loss.loss_good_ppm, 1);
    assert_int_equal(same("periodic=100").periodic_loss_packets, 100);
    assert_int_equal(same("ack-loss=5%").ack_loss_ppm, 50000);
    assert_int_equal(same("corrupt=0.1%").corrupt_ppm, 1000);
    assert_int_equal(same("duplicate=100%").duplicate_ppm, HF_PATH_PPM);
    c = same("reorder=1%:3-10");
    assert_int_equal(c.reorder_ppm, 10000);
    assert_int_equal(c.reorder_min_packets, 3);
    assert_int_equal(c.reorder_max_packets, 10);
    assert_int_equal(same("reorder=1%:2-2:30ms").reorder_wait_ns, HF_MS(30));
    assert_int_equal(same("reorder=1%").reorder_max_packets, 0);
    assert_int_equal(parsed("reorder=1%:4").reorder_max_packets, 4);
    c = same("late=0.05%:30ms");
    assert_int_equal(c.late_ppm, 500);
    assert_int_equal(c.late_ns, HF_MS(30));
    assert_int_equal(same("late=2%").late_ns, 0);
    c = same("jitter=5ms");
    assert_int_equal(c.jitter_ns, HF_MS(5));
    assert_int_equal(c.jitter_kind, HF_PATH_JITTER_UNIFORM);
    assert_int_equal(same("jitter=5ms:normal").jitter_kind, HF_PATH_JITTER_NORMAL);
    assert_true(same("jitter=5ms jitter-order=keep").jitter_keeps_order);
    assert_false(parsed("jitter-order=keep jitter-order=free").jitter_keeps_order);
    assert_int_equal(same("ack-aggregate=5ms").ack_aggregate_ns, HF_MS(5));
}

static void queues_and_buckets(void **state)
{
    (void)state;
    struct hf_path_config c = same("rate=1gbit queue=10p");
    assert_int_equal(c.queue_limit_packets, 10);
    assert_int_equal(c.queue_limit_bytes, 0);
    assert_int_equal(c.queue, HF_PATH_DROP_TAIL);
    assert_int_equal(same("rate=1gbit queue=64K").queue_limit_bytes, 65536);
    c = same("rate=1gbit queue=10p,1500B,codel");
    assert_int_equal(c.queue_limit_packets, 10);
    assert_int_equal(c.queue_limit_bytes, 1500);
    assert_int_equal(c.queue, HF_PATH_CODEL);
    c = parsed("rate=1gbit queue=codel:5ms:100ms|2M|1000p");
    assert_int_equal(c.codel_target_ns, HF_MS(5));
    assert_int_equal(c.codel_interval_ns, HF_MS(100));
    assert_int_equal(c.queue_limit_bytes, 2097152);
    assert_int_equal(c.queue_limit_packets, 1000);
    c = same("shaper=10mbit:30K policer=500kbit:1500B");
    assert_int_equal(c.shaper.rate_bps, 10000000);
    assert_int_equal(c.shaper.burst_bytes, 30720);
    assert_int_equal(c.policer.rate_bps, 500000);
    assert_int_equal(c.policer.burst_bytes, 1500);
    c = same("rate=10mbit rate-at=5s:5mbit rate-at=7500ms:20mbit");
    assert_int_equal(c.rate_change_count, 2);
    assert_int_equal(c.rate_changes[1].at_ns, HF_MS(7500));
    assert_int_equal(c.rate_changes[1].rate_bps, 20000000);
    assert_int_equal(parsed("rate-at=5s:5mbit rate-at=none").rate_change_count, 0);
}

static void numbers_are_exact(void **state)
{
    (void)state;
    assert_int_equal(parsed("rate=2.5gbit").rate_bps, 2500000000);
    assert_int_equal(parsed("rate=0.001kbit").rate_bps, 1);
    assert_int_equal(parsed("delay=0.000000001s").delay_ns, 1);
    assert_int_equal(parsed("delay=3600s").delay_ns, HF_SEC(3600));
    assert_int_equal(parsed("delay=1.5us").delay_ns, 1500);
    assert_int_equal(parsed("loss=0.0001%").loss_ppm, 1);
    assert_int_equal(parsed("loss=33.3333%").loss_ppm, 333333);
    assert_int_equal(parsed("policer=1bit:0.5K").policer.burst_bytes, 512);
    assert_int_equal(parsed("rate=0 delay=0 loss=0").rate_bps, 0);
    same("rate=999999999bit delay=1ns loss=99.9999%");
}

/* Later words win, and say the whole of their field. */
static void words_come_over_what_is_there(void **state)
{
    (void)state;
    struct hf_path_config c = parsed("rate=1mbit rate=2mbit\tqueue=10p\n queue=codel  ");
    assert_int_equal(c.rate_bps, 2000000);
    assert_int_equal(c.queue_limit_packets, 0);
    char error[HF_PATH_ERROR_MAX_BYTES];
    assert_true(hf_path_parse("delay=3ms", &c, error));
    assert_int_equal(c.rate_bps, 2000000);
    assert_int_equal(c.delay_ns, HF_MS(3));
    assert_true(hf_path_parse("", &c, error));
    assert_int_equal(c.delay_ns, HF_MS(3));
    struct hf_path_config none = parsed("");
    char text[HF_PATH_TEXT_MAX_BYTES] = "x";
    hf_path_print(&none, text);
    assert_string_equal(text, "");
    none = parsed("reorder=1%:3-5:9ms late=1%:3ms jitter=1ms:normal "
                  "reorder=0%:3-5:9ms late=0%:3ms jitter=0:normal");
    hf_path_print(&none, text);
    assert_string_equal(text, "");
    assert_int_equal(none.reorder_max_packets, 0);
    assert_int_equal(none.jitter_kind, HF_PATH_JITTER_UNIFORM);
}

#define NAMES                                                                                      \
    "expected one of rate, rate-at, delay, loss, burst-loss, periodic, ack-loss, corrupt, "        \
    "duplicate, reorder, late, jitter, jitter-order, ack-aggregate, queue, shaper, policer"
#define A_RATE "expected a rate such as 10mbit (bit, kbit, mbit, gbit; up to 1000gbit)"
#define A_TIME "expected a time such as 20ms (ns, us, ms, s; up to 3600s)"
#define A_CHANCE "expected a chance such as 1% or 0.05% (four digits behind the point; up to 100%)"
#define A_BUCKET "expected a rate and a burst such as 10mbit:30K (B, K, M; up to 512M)"
#define A_CHANGE                                                                                   \
    "expected a time and a rate such as 5s:5mbit, each time later than the one before, "           \
    "32 at most; or none"
#define A_QUEUE "expected limits such as 10p or 64K, codel or codel:5ms:100ms, with a comma between"

static const struct {
    const char *text, *error;
} refused[] = {
    {"delay=1ms fast", "\"fast\": expected name=value"},
    {"delay=1ms speed=3 loss=1%", "\"speed=3\": " NAMES},
    {"=3", "\"=3\": " NAMES},
    {"delay=20", "\"delay=20\": " A_TIME},
    {"delay=", "\"delay=\": " A_TIME},
    {"delay=20 ms", "\"delay=20\": " A_TIME},
    {"delay=-1ms", "\"delay=-1ms\": " A_TIME},
    {"delay=1.ms", "\"delay=1.ms\": " A_TIME},
    {"delay=.5ms", "\"delay=.5ms\": " A_TIME},
    {"delay=0.5ns", "\"delay=0.5ns\": " A_TIME},
    {"delay=3600.000000001s", "\"delay=3600.000000001s\": " A_TIME},
    {"delay=9999999999999999999s", "\"delay=9999999999999999999s\": " A_TIME},
    {"delay=1msx", "\"delay=1msx\": " A_TIME},
    {"delay=1ms,", "\"delay=1ms,\": " A_TIME},
    {"delay=1mbit", "\"delay=1mbit\": " A_TIME},
    {"rate=10", "\"rate=10\": " A_RATE},
    {"rate=10Mbit", "\"rate=10Mbit\": " A_RATE},
    {"rate=1001gbit", "\"rate=1001gbit\": " A_RATE},
    {"rate=0.5bit", "\"rate=0.5bit\": " A_RATE},
    {"loss=101%", "\"loss=101%\": " A_CHANCE},
    {"loss=100.0001%", "\"loss=100.0001%\": " A_CHANCE},
    {"loss=0.00001%", "\"loss=0.00001%\": " A_CHANCE},
    {"loss=1", "\"loss=1\": " A_CHANCE},
    {"periodic=1.5", "\"periodic=1.5\": expected a number of packets such as 100"},
    {"periodic=4294967296", "\"periodic=4294967296\": expected a number of packets such as 100"},
    {"burst-loss=1%:2%", "\"burst-loss=1%:2%\": expected chances such as 0.1%:20%:50% (into "
                         "bursts, out of them, loss in them[, loss outside])"},
    {"reorder=1%:0-3", "\"reorder=1%:0-3\": expected a chance, and how many packets later, such "
                       "as 1%:3-10 (then, after a colon, at most how long)"},
    {"reorder=1%:5-4", "\"reorder=1%:5-4\": expected a chance, and how many packets later, such "
                       "as 1%:3-10 (then, after a colon, at most how long)"},
    {"late=1%:", "\"late=1%:\": expected a chance, and how much later, such as 1%:30ms"},
    {"jitter=1ms:odd", "\"jitter=1ms:odd\": expected a time such as 5ms, then :normal or "
                       ":uniform"},
    {"jitter-order=keeps", "\"jitter-order=keeps\": expected keep or free"},
    {"rate=1mbit queue=10", "\"queue=10\": " A_QUEUE},
    {"rate=1mbit queue=0p", "\"queue=0p\": " A_QUEUE},
    {"rate=1mbit queue=10p,", "\"queue=10p,\": " A_QUEUE},
    {"rate=1mbit queue=red", "\"queue=red\": " A_QUEUE},
    {"rate=1mbit queue=codel:5ms", "\"queue=codel:5ms\": " A_QUEUE},
    {"rate=1mbit queue=codel:5ms:5s", "\"queue=codel:5ms:5s\": " A_QUEUE},
    {"shaper=10mbit", "\"shaper=10mbit\": " A_BUCKET},
    {"shaper=0bit:3K", "\"shaper=0bit:3K\": " A_BUCKET},
    {"policer=1mbit:0K", "\"policer=1mbit:0K\": " A_BUCKET},
    {"policer=1mbit:513M", "\"policer=1mbit:513M\": " A_BUCKET},
    {"rate-at=5s", "\"rate-at=5s\": " A_CHANGE},
    {"rate-at=5s:0", "\"rate-at=5s:0\": " A_CHANGE},
    {"rate-at=5s:1mbit rate-at=5s:2mbit", "\"rate-at=5s:2mbit\": " A_CHANGE},
    {"delay=\x01\n", "\"delay=?\": " A_TIME},
};

static void what_is_wrong_is_told_exactly(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        char error[HF_PATH_ERROR_MAX_BYTES] = "none";
        struct hf_path_config c, before;
        memset(&c, 7, sizeof c);
        c = (struct hf_path_config){.delay_ns = 77};
        before = c;
        assert_false(hf_path_parse(refused[i].text, &c, error));
        assert_string_equal(error, refused[i].error);
        assert_memory_equal(&c, &before, sizeof c);
    }
}

static void what_is_too_long_is_cut_in_the_error_only(void **state)
{
    (void)state;
    char text[HF_PATH_TEXT_MAX_BYTES * 2], error[HF_PATH_ERROR_MAX_BYTES];
    struct hf_path_config c = {0};
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_false(hf_path_parse(text, &c, error));
    assert_non_null(strstr(error, "xxx...\": expected name=value"));
    assert_int_equal(strlen(error), 1 + 64 + strlen("...\": expected name=value"));
    assert_false(hf_path_set(&c, "rate", text, error));
    assert_string_equal(error, "\"rate\": the value is too long");
    /* 32 changes are the most. */
    size_t n = 0;
    for (int i = 1; i <= 32; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "rate-at=%ds:1mbit ", i);
    assert_int_equal(parsed(text).rate_change_count, 32);
    snprintf(text + n, sizeof text - n, "rate-at=99s:1mbit");
    assert_false(hf_path_parse(text, &c, error));
    assert_string_equal(error, "\"rate-at=99s:1mbit\": " A_CHANGE);
}

/* What a word needs may come behind it, in other words too: the check comes in the end. */
static void the_order_of_words_does_not_matter(void **state)
{
    (void)state;
    char error[HF_PATH_ERROR_MAX_BYTES];
    struct hf_path_config c = parsed("queue=10p");
    assert_string_equal(hf_path_config_check(&c),
                        "a queue needs a rate or a shaper that makes packets wait");
    assert_true(hf_path_parse("rate=10mbit", &c, error));
    assert_null(hf_path_config_check(&c));
}

static void one_setting_by_name_and_value(void **state)
{
    (void)state;
    char error[HF_PATH_ERROR_MAX_BYTES];
    struct hf_path_config c = {0};
    assert_true(hf_path_set(&c, "queue", "10p", error)); /* before its rate: checked in the end */
    assert_string_equal(hf_path_config_check(&c),
                        "a queue needs a rate or a shaper that makes packets wait");
    assert_true(hf_path_set(&c, "rate", "10mbit", error));
    assert_null(hf_path_config_check(&c));
    assert_false(hf_path_set(&c, "rate", "10 mbit", error));
    assert_string_equal(error, "\"rate=10 mbit\": " A_RATE);
    assert_false(hf_path_set(&c, "rate=1", "2", error));
    assert_string_equal(error, "\"rate=1\": " NAMES);
    assert_false(hf_path_set(&c, "", "2", error));
    assert_int_equal(c.rate_bps, 10000000);
}

/* What no words can say is refused by the check all the same. */
static void a_config_is_checked(void **state)
{
    (void)state;
    static const struct {
        struct hf_path_config config;
        const char *wrong;
    } cases[] = {
        {{.rate_bps = -1}, "a rate is from 0 (without limit) to 1000gbit"},
        {{.rate_bps = HF_PATH_RATE_MAX_BPS + 1}, "a rate is from 0 (without limit) to 1000gbit"},
        {{.loss_ppm = HF_PATH_PPM + 1}, "a chance is from 0% to 100%"},
        {{.burst_loss.loss_good_ppm = HF_PATH_PPM + 1}, "a chance is from 0% to 100%"},
        {{.reorder_ppm = UINT32_MAX}, "a chance is from 0% to 100%"},
        {{.delay_ns = -1}, "a time is from 0 to 3600s"},
        {{.codel_interval_ns = HF_SEC(3601)}, "a time is from 0 to 3600s"},
        {{.codel_interval_ns = HF_SEC(5)}, "CoDel's interval is at most 4s"},
        {{.shaper = {1000, 0}},
         "a shaper or policer has a rate up to 1000gbit and a burst from 1 byte to 512M"},
        {{.policer = {0, 1000}},
         "a shaper or policer has a rate up to 1000gbit and a burst from 1 byte to 512M"},
        {{.policer = {-1, 1000}},
         "a shaper or policer has a rate up to 1000gbit and a burst from 1 byte to 512M"},
        {{.policer = {1, HF_PATH_BURST_MAX_BYTES + 1ull}},
         "a shaper or policer has a rate up to 1000gbit and a burst from 1 byte to 512M"},
        {{.reorder_min_packets = 3, .reorder_max_packets = 2},
         "a packet is held back for at least 1 packet, and at most for not fewer"},
        {{.reorder_max_packets = 2}, "a packet is held back for at least 1 packet"},
        {{.rate_change_count = 33}, "there are more than 32 changes of the rate"},
        {{.rate_change_count = 1}, "a rate that is changed to is from 1bit to 1000gbit"},
        {{.rate_change_count = 1, .rate_changes = {{-1, 1}}},
         "the rate changes in the first 1000000s"},
        {{.rate_change_count = 2, .rate_changes = {{5, 1}, {5, 2}}},
         "changes of the rate are in the order of time, each at another"},
        {{.queue = HF_PATH_CODEL}, "a queue needs a rate or a shaper that makes packets wait"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(hf_path_config_check(&cases[i].config), cases[i].wrong);
}

/* ---- both ways ---- */

static uint32_t any_ppm(struct hf_dice *d)
{
    return 1 + (uint32_t)hf_dice_below(d, HF_PATH_PPM);
}

static hf_ns any_ns(struct hf_dice *d)
{
    static const hf_ns units_ns[] = {1, 1000, 1000000, 1000000000};
    return (1 + (hf_ns)hf_dice_below(d, 3599)) * units_ns[hf_dice_below(d, 4)];
}

static int64_t any_bps(struct hf_dice *d)
{
    static const int64_t units_bps[] = {1, 1000, 1000000, 1000000000};
    return (1 + (int64_t)hf_dice_below(d, 999)) * units_bps[hf_dice_below(d, 4)];
}

static struct hf_path_config any_config(struct hf_dice *d)
{
    uint64_t on = hf_dice_next(d);
    struct hf_path_config c;
    memset(&c, 0, sizeof c);
    c.rate_bps = any_bps(d);
    c.delay_ns = on & 1 ? any_ns(d) : 0;
    c.loss_ppm = on & 2 ? any_ppm(d) : 0;
    if (on & 4)
        c.burst_loss = (struct hf_path_burst_loss){any_ppm(d), any_ppm(d), any_ppm(d),
                                                   on & 8 ? any_ppm(d) : 0};
    c.periodic_loss_packets = on & 16 ? (uint32_t)hf_dice_next(d) : 0;
    c.ack_loss_ppm = on & 32 ? any_ppm(d) : 0;
    c.corrupt_ppm = on & 64 ? any_ppm(d) : 0;
    c.duplicate_ppm = on & 128 ? any_ppm(d) : 0;
    c.reorder_ppm = on & 256 ? any_ppm(d) : 0;
    if (c.reorder_ppm > 0 && on & 512) {
        c.reorder_min_packets = 1 + (uint32_t)hf_dice_below(d, 20);
        c.reorder_max_packets = c.reorder_min_packets + (uint32_t)hf_dice_below(d, 20);
        c.reorder_wait_ns = on & 1024 ? any_ns(d) : 0;
    }
    c.late_ppm = on & 2048 ? any_ppm(d) : 0;
    c.late_ns = c.late_ppm > 0 && on & 4096 ? any_ns(d) : 0;
    c.jitter_ns = on & 8192 ? any_ns(d) : 0;
    c.jitter_kind = c.jitter_ns > 0 && on & 1 << 14 ? HF_PATH_JITTER_NORMAL : 0;
    c.jitter_keeps_order = on & 1 << 15;
    c.ack_aggregate_ns = on & 1 << 16 ? any_ns(d) : 0;
    c.queue = on & 1 << 17 ? HF_PATH_CODEL : HF_PATH_DROP_TAIL;
    c.queue_limit_packets = on & 1 << 18 ? 1 + (uint32_t)hf_dice_below(d, UINT32_MAX) : 0;
    c.queue_limit_bytes = on & 1 << 19 ? 1 + hf_dice_below(d, 1ull << 40) : 0;
    if (c.queue == HF_PATH_CODEL && on & 1 << 20) {
        c.codel_target_ns = any_ns(d);
        c.codel_interval_ns = 1 + (hf_ns)hf_dice_below(d, (uint64_t)HF_PATH_CODEL_MAX_NS);
    }
    if (on & 1 << 21)
        c.shaper = (struct hf_path_bucket){any_bps(d), 1 + hf_dice_below(d, 1 << 29)};
    if (on & 1 << 22)
        c.policer = (struct hf_path_bucket){any_bps(d), (1 + hf_dice_below(d, 512)) << 20};
    hf_ns at_ns = 0;
    for (uint64_t n = hf_dice_below(d, 33); n > 0; n--) {
        at_ns += any_ns(d);
        c.rate_changes[c.rate_change_count++] = (struct hf_path_rate_change){at_ns, any_bps(d)};
    }
    return c;
}

static void words_give_the_same_config_again(void **state)
{
    (void)state;
    const char *given = getenv("HF_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : 20;
    print_message("repeat with HF_TEST_SEED=%llu\n", (unsigned long long)seed);
    struct hf_dice d = {seed};
    for (int i = 0; i < 20000; i++) {
        struct hf_path_config c = any_config(&d), again;
        char text[HF_PATH_TEXT_MAX_BYTES], error[HF_PATH_ERROR_MAX_BYTES];
        memset(&again, 0, sizeof again);
        assert_null(hf_path_config_check(&c));
        hf_path_print(&c, text);
        if (!hf_path_parse(text, &again, error))
            fail_msg("%s in %s", error, text);
        assert_null(hf_path_config_check(&again));
        char text_again[HF_PATH_TEXT_MAX_BYTES];
        hf_path_print(&again, text_again);
        assert_string_equal(text, text_again);
        /* Field by field where there is no padding to differ in. */
        assert_memory_equal(c.rate_changes, again.rate_changes, sizeof c.rate_changes);
        assert_memory_equal(&c.burst_loss, &again.burst_loss, sizeof c.burst_loss);
        assert_memory_equal(&c.shaper, &again.shaper, sizeof c.shaper);
        assert_memory_equal(&c.policer, &again.policer, sizeof c.policer);
        assert_true(c.rate_bps == again.rate_bps && c.delay_ns == again.delay_ns &&
                    c.loss_ppm == again.loss_ppm && c.ack_loss_ppm == again.ack_loss_ppm &&
                    c.periodic_loss_packets == again.periodic_loss_packets &&
                    c.corrupt_ppm == again.corrupt_ppm && c.duplicate_ppm == again.duplicate_ppm);
        assert_true(c.reorder_ppm == again.reorder_ppm &&
                    c.reorder_min_packets == again.reorder_min_packets &&
                    c.reorder_max_packets == again.reorder_max_packets &&
                    c.reorder_wait_ns == again.reorder_wait_ns && c.late_ppm == again.late_ppm &&
                    c.late_ns == again.late_ns);
        assert_true(c.jitter_ns == again.jitter_ns && c.jitter_kind == again.jitter_kind &&
                    c.jitter_keeps_order == again.jitter_keeps_order &&
                    c.ack_aggregate_ns == again.ack_aggregate_ns);
        assert_true(c.queue == again.queue && c.queue_limit_packets == again.queue_limit_packets &&
                    c.queue_limit_bytes == again.queue_limit_bytes &&
                    c.codel_target_ns == again.codel_target_ns &&
                    c.codel_interval_ns == again.codel_interval_ns);
    }
}

/* Half-set fields of a caller that fills the struct itself, and those that an init filled in. */
static void what_was_filled_in_is_written_too(void **state)
{
    (void)state;
    char text[HF_PATH_TEXT_MAX_BYTES];
    struct hf_path_config c = {
        .rate_bps = 1000, .queue = HF_PATH_CODEL, .codel_target_ns = HF_MS(7)};
    hf_path_print(&c, text);
    assert_string_equal(text, "rate=1kbit queue=codel:7ms:100ms");
    c = (struct hf_path_config){.reorder_ppm = 5, .reorder_wait_ns = HF_MS(7)};
    hf_path_print(&c, text);
    assert_string_equal(text, "reorder=0.0005%:3-10:7ms");
    struct hf_path p;
    hf_path_init(&p, &(struct hf_path_config){.delay_ns = 5}, 1, NULL, 0, 0);
    hf_path_print(&p.config, text);
    assert_string_equal(text, "delay=5ns");
    hf_path_init(&p, &(struct hf_path_config){.rate_bps = 1000}, 1, NULL, 0, 0);
    hf_path_print(&p.config, text);
    assert_string_equal(text, "rate=1kbit queue=1024p");
}

/* Each line of the help starts with a word that can be read. */
static void help_tells_words_that_are_understood(void **state)
{
    (void)state;
    unsigned i = 0;
    for (const char *line; (line = hf_path_help(i)) != NULL; i++) {
        char word[64], text[128], error[HF_PATH_ERROR_MAX_BYTES];
        size_t n = 0;
        bool is_optional = false;
        for (const char *c = line; strncmp(c, ": ", 2) != 0; c++) {
            is_optional = (is_optional || *c == '[') && *c != ']';
            if (!is_optional && *c != ']')
                word[n++] = *c;
        }
        word[n] = '\0';
        snprintf(text, sizeof text, "rate=1mbit %s", word);
        struct hf_path_config c = {0};
        if (!hf_path_parse(text, &c, error))
            fail_msg("%s: %s", line, error);
        assert_null(hf_path_config_check(&c));
    }
    assert_int_equal(i, 17);
}

static void every_fate_has_a_text(void **state)
{
    (void)state;
    for (unsigned i = 0; i < HF_PATH_FATES; i++) {
        const char *text = hf_path_fate_text((enum hf_path_fate)i);
        assert_int_equal(strncmp(text, "lost", 4) == 0, hf_path_is_lost((enum hf_path_fate)i));
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(text, hf_path_fate_text((enum hf_path_fate)k));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_word_means_its_field),
        cmocka_unit_test(queues_and_buckets),
        cmocka_unit_test(numbers_are_exact),
        cmocka_unit_test(words_come_over_what_is_there),
        cmocka_unit_test(what_is_wrong_is_told_exactly),
        cmocka_unit_test(what_is_too_long_is_cut_in_the_error_only),
        cmocka_unit_test(the_order_of_words_does_not_matter),
        cmocka_unit_test(one_setting_by_name_and_value),
        cmocka_unit_test(a_config_is_checked),
        cmocka_unit_test(words_give_the_same_config_again),
        cmocka_unit_test(what_was_filled_in_is_written_too),
        cmocka_unit_test(help_tells_words_that_are_understood),
        cmocka_unit_test(every_fate_has_a_text),
    };
    return cmocka_run_group_tests_name("path_text", tests, NULL, NULL);
}
