/* The language of scenarios: what is read, and what is said, and where, about what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab/sim/scenario.h"

static struct hf_scenario s;

static void parse_ok(const char *text)
{
    struct hf_scenario_fault fault;
    if (hf_scenario_parse(&s, text, strlen(text), &fault) != HF_OK)
        fail_msg("%u:%u: %s", fault.line, fault.column, fault.text);
}

static int64_t setting(unsigned host, const char *name)
{
    int64_t value = -1;
    assert_int_equal(hf_config_get(&s.hosts[host].config, name, &value), HF_OK);
    return value;
}

static void reads_all_that_there_is(void **state)
{
    (void)state;
    parse_ok("# a comment, and a line of nothing\n\n"
             "seed 42\n"
             "duration 30s   # with a comment behind\n"
             "sample 50ms\n"
             "plot from=1s until=2s\n"
             "link forward rate=10mbit delay=20ms queue=50p loss=0.1%\n"
             "link\tback delay=5ms\r\n"
             "host server set=nagle=off profile=linux delay=3ms\n"
             "flow a start=1s bytes=10M cc=reno set=sack=0 set=mtu_bytes=1000\n"
             "flow b from=server profile=rfc\n"
             "flow c over=back bytes=endless delay=7ms");
    assert_int_equal(s.seed, 42);
    assert_int_equal(s.duration_ns, HF_SEC(30));
    assert_int_equal(s.sample_ns, HF_MS(50));
    assert_int_equal(s.plot_from_ns, HF_SEC(1));
    assert_int_equal(s.plot_until_ns, HF_SEC(2));
    assert_int_equal(s.forward.rate_bps, 10000000);
    assert_int_equal(s.forward.delay_ns, HF_MS(20));
    assert_int_equal(s.forward.queue_limit_packets, 50);
    assert_int_equal(s.forward.loss_ppm, 1000);
    assert_int_equal(s.back.delay_ns, HF_MS(5));
    assert_int_equal(s.flow_count, 3);
    assert_int_equal(s.host_count, 6);
    assert_string_equal(s.flows[0].name, "a");
    assert_int_equal(s.flows[0].start_ns, HF_SEC(1));
    assert_int_equal(s.flows[0].bytes, 10 << 20);
    assert_true(s.flows[1].bytes == HF_SCENARIO_ENDLESS);
    assert_int_equal(s.flows[1].start_ns, 0);
}

/* A profile counts before the settings of its line, wherever it stands; an own word of a flow goes
 * to those ends that it has for itself. */
static void hosts_are_set_up_by_their_words(void **state)
{
    (void)state;
    parse_ok("duration 1s\nlink forward delay=1ms\n"
             "host h set=nagle=off profile=linux delay=3ms\n"
             "flow a cc=reno set=sack=0\n"
             "flow b from=h profile=rfc delay=7ms\n"
             "flow c over=back cc=none\n");
    assert_int_equal(setting(0, "nagle"), 0);
    assert_int_equal(setting(0, "option_layout"), 1);
    assert_int_equal(s.hosts[0].delay_ns, HF_MS(3));
    assert_int_equal(s.hosts[0].side, HF_SCENARIO_LEFT);
    for (unsigned end = 0; end < 2; end++) {
        unsigned host = end == 0 ? s.flows[0].from : s.flows[0].to;
        assert_int_equal(setting(host, "sack"), 0);
        assert_int_equal(setting(host, "congestion_control"), 1);
        assert_int_equal(s.hosts[host].side, end == 0 ? HF_SCENARIO_LEFT : HF_SCENARIO_RIGHT);
    }
    assert_int_equal(s.flows[1].from, 0);
    assert_int_equal(setting(s.flows[1].to, "initial_window_segs"), 4);
    assert_int_equal(s.hosts[s.flows[1].to].delay_ns, HF_MS(7));
    assert_int_equal(s.hosts[s.flows[2].from].side, HF_SCENARIO_RIGHT);
    assert_int_equal(s.hosts[s.flows[2].to].side, HF_SCENARIO_LEFT);
    assert_int_equal(setting(s.flows[2].from, "congestion_control"), 0);
}

static void what_is_not_said_has_a_default(void **state)
{
    (void)state;
    parse_ok("duration 5s\nlink back delay=1ms\nflow a\n");
    assert_int_equal(s.seed, 1);
    assert_int_equal(s.sample_ns, HF_MS(100));
    assert_int_equal(s.plot_from_ns, 0);
    assert_int_equal(s.plot_until_ns, HF_SEC(5));
    assert_int_equal(s.forward.rate_bps, 0);
}

static void a_name_may_be_that_of_a_word(void **state)
{
    (void)state;
    parse_ok("duration 9s\nlink forward delay=1ms\nhost delay delay=2ms\n"
             "flow start start=5s\nflow from from=delay\n");
    assert_string_equal(s.hosts[0].name, "delay");
    assert_int_equal(s.hosts[0].delay_ns, HF_MS(2));
    assert_string_equal(s.flows[0].name, "start");
    assert_int_equal(s.flows[0].start_ns, HF_SEC(5));
    assert_int_equal(s.flows[1].from, 0);
}

#define HEAD "duration 9s\nlink forward delay=1ms\n" /* two lines */

static const struct {
    const char *text;
    unsigned line, column;
    const char *said;
} bad[] = {
    {"", 1, 1, "expected a line 'duration TIME'"},
    {HEAD, 3, 1, "expected a line 'flow NAME'"},
    {"duration 9s\nflow a\n", 3, 1, "expected a rate or a delay"},
    {"  frob 1\n", 1, 3, "expected seed, duration, sample, plot, link, host or flow, not 'frob'"},
    {"seed=1\n", 1, 1, "expected seed, duration"},
    {"seed\n", 1, 1, "expected 'seed NUMBER' alone"},
    {"seed 1 2\n", 1, 8, "expected 'seed NUMBER' alone"},
    {"seed x\n", 1, 6, "expected a whole number, not 'x'"},
    {"seed -1\n", 1, 6, "expected a whole number, not '-1'"},
    {"seed 1\nseed 2\n", 2, 1, "seed is given twice"},
    {"duration 0s\n", 1, 10, "expected a time of at least 100 us, not '0s'"},
    {"sample 100\n", 1, 8, "say 1.5s or 20ms, not '100'"},
    {"sample 99us\n", 1, 8, "expected a time of at least 100 us, not '99us'"},
    {"duration 0\n", 1, 10, "expected a time of at least 100 us, not '0'"},
    {"plot from=-1s\n", 1, 11, "expected a time of at least 0 us, not '-1s'"},
    {"duration 2h\n", 1, 10, "expected a time of at most an hour"},
    {"duration 9q\n", 1, 10, "not '9q'"},
    {"plot from=1s to=2s\n", 1, 14, "expected from=TIME or until=TIME, not 'to'"},
    {"plot from=2s until=1s\n", 1, 1, "expected 'until' to be later than 'from'"},
    {"plot from=1x\n", 1, 11, "not '1x'"},
    {"plot from=1\n", 1, 11, "say 1.5s or 20ms, not '1'"},
    {"plot from=0 until=2\n", 1, 19, "say 1.5s or 20ms, not '2'"},
    {"plot from=1s\nplot from=1s\n", 2, 1, "plot is given twice"},
    {"link\n", 1, 1, "expected 'link forward' or 'link back'"},
    {"link left\n", 1, 6, "expected 'link forward' or 'link back'"},
    {"link forward frob=1\n", 1, 14, "frob"},
    {"link forward rate=fast\n", 1, 14, "rate"},
    {"link forward rate\n", 1, 14, "expected rate=VALUE"},
    {"link forward rate=1mbit rate=2mbit\n", 1, 25, "'rate' is given twice"},
    {"link forward rate=1mbit queue=9p queue=codel\n", 1, 34, "'queue' is given twice"},
    {"link back delay=1ms\nlink back delay=1ms\n", 2, 6, "link back is given twice"},
    {HEAD "flow\n", 3, 1, "expected a name behind 'flow'"},
    {HEAD "flow a/b\n", 3, 6, "expected the name of a flow"},
    {HEAD "flow a123456789012345678901234567890x\n", 3, 6, "at most 31 letters"},
    {HEAD "flow a\nflow a\n", 4, 6, "flow 'a' is given twice"},
    {HEAD "flow a b\n", 3, 8, "not 'b'"},
    {HEAD "flow start start=1s start=2s\n", 3, 21, "'start' is given twice"},
    {HEAD "flow a start=soon\n", 3, 14, "expected a time"},
    {HEAD "flow a start=5\n", 3, 14, "say 1.5s or 20ms, not '5'"},
    {HEAD "host h delay=20\n", 3, 14, "say 1.5s or 20ms, not '20'"},
    {HEAD "flow a start\n", 3, 8, "expected start=TIME"},
    {HEAD "flow a bytes=0\n", 3, 14, "expected a number of bytes"},
    {HEAD "flow a bytes=many\n", 3, 14, "not 'many'"},
    {HEAD "flow a cc=frob\n", 3, 11, "congestion_control takes"},
    {HEAD "flow a set=frob=1\n", 3, 12, "there is no setting 'frob'"},
    {HEAD "flow a set=nagle\n", 3, 12, "NAME=VALUE is wanted"},
    {HEAD "flow a set=\n", 3, 8, "expected set=NAME=VALUE"},
    {HEAD "flow a profile=beos\n", 3, 16, "expected rfc, default, linux or freebsd"},
    {HEAD "flow a set=rto_min_ns=2s\n", 3, 1, "rto_min_ns"},
    {HEAD "flow a over=there\n", 3, 13, "expected over=forward or over=back"},
    {HEAD "flow a from=h\n", 3, 13, "there is no host 'h' above"},
    {HEAD "host h cc=reno bytes=1\n", 3, 16, "expected profile=, cc=, set= or delay="},
    {HEAD "host h\nhost h\n", 4, 6, "host 'h' is given twice"},
    {HEAD "host h\nflow a from=h\nflow b to=h\n", 5, 11, "on the other side"},
    {HEAD "host h\nhost i\nflow a from=h to=i cc=reno\n", 5, 20, "belongs to the line of a host"},
    {HEAD "flow a start=9s\n", 4, 1, "flow 'a' starts when all is over"},
    {HEAD "plot from=9s\nflow a\n", 5, 1, "the plots begin when all is over"},
};

static void faults_say_where_and_what(void **state)
{
    struct hf_scenario_fault fault;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *text = bad[i].text;
        if (hf_scenario_parse(&s, text, strlen(text), &fault) != HF_E_INVALID)
            fail_msg("taken: %s", text);
        if (fault.line != bad[i].line || fault.column != bad[i].column ||
            strstr(fault.text, bad[i].said) == NULL)
            fail_msg("%s: %u:%u: %s", text, fault.line, fault.column, fault.text);
    }
}

static void text_that_is_none(void **state)
{
    static char text[8000];
    struct hf_scenario_fault fault;
    (void)state;
    assert_int_equal(hf_scenario_parse(&s, "seed\0 1\n", 8, &fault), HF_E_INVALID);
    assert_non_null(strstr(fault.text, "a byte that is 0"));
    memset(text, 'x', sizeof text);
    assert_int_equal(hf_scenario_parse(&s, text, sizeof text, &fault), HF_E_INVALID);
    assert_non_null(strstr(fault.text, "a line of at most 2047 bytes"));
    for (size_t i = 0; i < 1000; i += 2) {
        text[i] = 'x';
        text[i + 1] = ' ';
    }
    assert_int_equal(hf_scenario_parse(&s, text, 1000, &fault), HF_E_INVALID);
    assert_int_equal(fault.column, 129);
    assert_non_null(strstr(fault.text, "at most 64 words"));
}

static void limits_hold(void **state)
{
    static char text[HF_SCENARIO_MAX_BYTES];
    struct hf_scenario_fault fault;
    (void)state;
    size_t n = (size_t)snprintf(text, sizeof text, HEAD);
    for (int i = 0; i < HF_SCENARIO_FLOWS_MAX; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "flow f%d\n", i);
    parse_ok(text);
    assert_int_equal(s.flow_count, HF_SCENARIO_FLOWS_MAX);
    snprintf(text + n, sizeof text - n, "flow more\n");
    assert_int_equal(hf_scenario_parse(&s, text, strlen(text), &fault), HF_E_INVALID);
    assert_string_equal(fault.text, "more than 64 flows");
    n = 0;
    for (int i = 0; i <= HF_SCENARIO_HOSTS_MAX; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "host h%d\n", i);
    assert_int_equal(hf_scenario_parse(&s, text, strlen(text), &fault), HF_E_INVALID);
    assert_string_equal(fault.text, "more than 128 hosts");
}

static void a_setting_for_all(void **state)
{
    char why[HF_SCENARIO_FAULT_BYTES];
    (void)state;
    parse_ok(HEAD "flow a set=nagle=on\nflow b\n");
    assert_int_equal(hf_scenario_set(&s, "nagle=off", why), HF_OK);
    for (unsigned i = 0; i < s.host_count; i++)
        assert_int_equal(setting(i, "nagle"), 0);
    assert_int_equal(hf_scenario_set(&s, "frob=1", why), HF_E_INVALID);
    assert_non_null(strstr(why, "there is no setting 'frob'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_all_that_there_is),
        cmocka_unit_test(hosts_are_set_up_by_their_words),
        cmocka_unit_test(what_is_not_said_has_a_default),
        cmocka_unit_test(a_name_may_be_that_of_a_word),
        cmocka_unit_test(faults_say_where_and_what),
        cmocka_unit_test(text_that_is_none),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(a_setting_for_all),
    };
    return cmocka_run_group_tests_name("sim_scenario", tests, NULL, NULL);
}
