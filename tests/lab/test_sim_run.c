/* Simulations: the same again and again, measured as it is, told and drawn in bounded files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab/sim/golden.h"
#include "lab/sim/sim_json.h"
#include "lab/sim/sim_plots.h"
#include "support/xml.h"

enum { TEXT_BYTES = 8 << 20, ROWS_BYTES = 65536 };

static struct hf_scenario scenario;

static struct hf_sim *run_with(const char *text, const struct hf_sim_hooks *hooks)
{
    struct hf_scenario_fault fault;
    if (hf_scenario_parse(&scenario, text, strlen(text), &fault) != HF_OK)
        fail_msg("%u:%u: %s", fault.line, fault.column, fault.text);
    struct hf_sim *sim = hf_sim_new(&scenario, hooks);
    assert_int_equal(hf_sim_run(sim), HF_OK);
    for (unsigned i = 0; i < sim->flow_count; i++)
        assert_false(sim->flows[i].is_wrong);
    return sim;
}

static struct hf_sim *run(const char *text)
{
    const struct hf_sim_hooks hooks = {.event = NULL};
    return run_with(text, &hooks);
}

/* ---- what is told ---- */

struct sink {
    char *text;
    size_t length_bytes;
};

static void keep(void *ctx, const char *piece, size_t n)
{
    struct sink *s = ctx;
    assert_true(s->length_bytes + n < TEXT_BYTES);
    memcpy(s->text + s->length_bytes, piece, n);
    s->length_bytes += n;
    s->text[s->length_bytes] = '\0';
}

/** All that a run can tell: every event, sample, summary, plot. */
static struct sink tell(const char *text)
{
    struct sink sink = {.text = calloc(1, TEXT_BYTES)};
    struct hf_sim_json json = {.sink = keep, .sink_ctx = &sink, .samples = true};
    assert_non_null(sink.text);
    for (int i = 0; i < HF_TRACE_COUNT; i++)
        json.events[i] = true;
    struct hf_sim_hooks hooks = {
        .event = hf_sim_json_event, .sample = hf_sim_json_sample, .ctx = &json, .curves = true};
    struct hf_sim *sim = run_with(text, &hooks);
    hf_sim_json_summary(&json, sim, "test");
    char name[HF_SIM_PLOT_NAME_BYTES];
    for (unsigned i = 0; hf_sim_plot(sim, i, name, keep, &sink); i++)
        continue;
    hf_sim_free(sim);
    return sink;
}

#define ROUGH                                                                                      \
    "duration 3s\n"                                                                                \
    "link forward rate=5mbit delay=10ms queue=20p loss=1% reorder=1% duplicate=1% corrupt=1% "     \
    "jitter=1ms\n"                                                                                 \
    "link back delay=10ms ack-loss=5% ack-aggregate=2ms\n"                                         \
    "flow a bytes=300K\nflow b start=200ms\nflow c over=back bytes=100K\n"

static void the_same_seed_gives_the_same_bytes(void **state)
{
    (void)state;
    struct sink first = tell("seed 5\n" ROUGH), again = tell("seed 5\n" ROUGH);
    struct sink other = tell("seed 6\n" ROUGH);
    assert_true(first.length_bytes > 100000);
    assert_int_equal(first.length_bytes, again.length_bytes);
    assert_memory_equal(first.text, again.text, first.length_bytes);
    assert_true(other.length_bytes != first.length_bytes ||
                memcmp(other.text, first.text, first.length_bytes) != 0);
    free(first.text);
    free(again.text);
    free(other.text);
}

/* Whoever listens does not change what happens. */
static void watching_changes_nothing(void **state)
{
    char rows[2][ROWS_BYTES];
    const struct hf_sim_hooks curves = {.curves = true};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct hf_sim *sim =
            i == 0 ? run("seed 5\n" ROUGH) : run_with("seed 5\nsample 7ms\n" ROUGH, &curves);
        struct hf_text t;
        hf_text_init(&t, rows[i], ROWS_BYTES);
        hf_golden_rows(&t, sim, "rough");
        hf_sim_free(sim);
    }
    assert_string_equal(rows[0], rows[1]);
}

static void lines_are_json_objects(void **state)
{
    (void)state;
    struct sink told = tell("seed 5\n" ROUGH);
    unsigned lines = 0;
    for (char *line = told.text; *line == '{'; lines++) {
        size_t n = strcspn(line, "\n");
        int depth = 0;
        bool in_text = false;
        for (size_t i = 0; i < n; i++) {
            in_text ^= line[i] == '"';
            depth += in_text ? 0 : line[i] == '{' || line[i] == '[';
            depth -= in_text ? 0 : line[i] == '}' || line[i] == ']';
            assert_true(depth > 0 || i == n - 1);
        }
        assert_true(!in_text && depth == 0 && strncmp(line, "{\"type\":\"", 9) == 0);
        line += n + 1;
    }
    assert_true(lines > 1000);
    static const char *const wanted[] = {
        "{\"type\":\"sample\",\"time\":100.000000,\"flow\":\"a\"",
        "{\"type\":\"queue\",\"time\":100.000000,\"link\":\"forward\",\"packets\":",
        "{\"type\":\"event\",\"flow\":\"b\",\"end\":\"receiver\",\"event\":{\"time\":",
        "{\"type\":\"flow\",\"flow\":\"a\",\"complete\":true,\"closed\":\"both sides closed",
        "{\"type\":\"flow\",\"flow\":\"b\",\"complete\":false",
        "{\"type\":\"run\",\"scenario\":\"test\",\"seed\":5",
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (strstr(told.text, wanted[i]) == NULL)
            fail_msg("%s is not there", wanted[i]);
    free(told.text);
}

/* ---- what is measured ---- */

static void a_perfect_path_takes_the_ideal_time(void **state)
{
    struct hf_sim_figures figures;
    (void)state;
    /* 100 segments of 1448 bytes at 8 Mbit/s: 1.5 ms each, 150 ms in all; three ways of 1 ms. */
    struct hf_sim *sim = run("duration 9s\nlink forward rate=8mbit delay=1ms queue=300p\n"
                             "link back delay=1ms\nflow a bytes=144800\n");
    hf_sim_figures(sim, 0, &figures);
    assert_true(figures.is_complete);
    assert_int_equal(figures.bytes, 144800);
    assert_int_equal(figures.ideal_ns, HF_MS(153));
    assert_in_range(figures.duration_ns, HF_MS(153), HF_MS(154));
    assert_in_range(figures.goodput_bps, 7500000, 7580000);
    assert_int_equal(sim->flows[0].how, HF_CLOSED_FIN);
    assert_true(sim->flows[0].is_done && sim->ended_ns < HF_MS(160));
    assert_int_equal(sim->flows[0].sent.segs, 101); /* the FIN goes with the last data */
    assert_int_equal(sim->flows[0].resent.segs, 0);
    assert_int_equal(sim->flows[0].arrived_again_bytes, 0);
    assert_true(sim->flows[0].rtt_min_ns >= HF_MS(2));
    assert_in_range(hf_sim_utilisation_permille(sim, false), 970, 1000);
    assert_int_equal(hf_sim_utilisation_permille(sim, true), -1);
    assert_int_equal(hf_sim_jain_permille(sim), -1);
    hf_sim_free(sim);
}

/* Rates that change are summed up over their times: 1 Mbit/s for 100 ms, then 10. */
static void ideal_time_knows_of_changes(void **state)
{
    struct hf_sim_figures figures;
    (void)state;
    struct hf_sim *sim = run("duration 9s\nlink forward rate=1mbit delay=0ms rate-at=100ms:10mbit\n"
                             "link back delay=10ms\nflow a bytes=14480\n");
    hf_sim_figures(sim, 0, &figures);
    /* The handshake takes 10 ms; 120,000 bits: 90,000 until 100 ms, 30,000 in 3 ms more. */
    assert_int_equal(figures.ideal_ns, HF_MS(103));
    hf_sim_free(sim);
}

/* Nothing to divide by: no limit on the way there, or less than a microsecond of it. */
static void no_ideal_time_has_no_ratio(void **state)
{
    static const char *const texts[] = {
        "duration 9s\nlink forward\nlink back rate=10mbit\nflow a bytes=1M\n",
        "duration 9s\nlink forward rate=10gbit\nlink back rate=10gbit\nflow a bytes=100\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct sink told = tell(texts[i]);
        assert_non_null(strstr(told.text, "\"complete\":true"));
        assert_non_null(strstr(told.text, "\"ratio\":null"));
        free(told.text);
    }
}

static void delays_of_hosts_count_each_way(void **state)
{
    (void)state;
    struct hf_sim *sim =
        run("duration 9s\nlink forward rate=80mbit delay=5ms\nlink back delay=5ms\n"
            "host far delay=20ms\nflow a from=far delay=3ms bytes=1000\n");
    assert_in_range(sim->flows[0].rtt_min_ns, HF_MS(56), HF_MS(57));
    hf_sim_free(sim);
}

/* What is lost and what is sent again must be the same number where nothing is sent in vain. */
static void retransmissions_are_counted_by_reason(void **state)
{
    (void)state;
    struct hf_sim *sim = run("duration 60s\nlink forward rate=10mbit delay=20ms periodic=101\n"
                             "link back delay=20ms\nflow a bytes=1M cc=reno\n");
    const struct hf_sim_flow *f = &sim->flows[0];
    const struct hf_path_stats *stats = &sim->forward.path.stats;
    uint64_t segs = 0, bytes = 0;
    for (int i = 0; i < HF_REASON_COUNT; i++) {
        segs += f->resent_by[i].segs;
        bytes += f->resent_by[i].bytes;
    }
    assert_true(f->resent.segs > 0 && f->completed_at_ns != HF_NEVER);
    assert_int_equal(segs, f->resent.segs);
    assert_int_equal(bytes, f->resent.bytes);
    assert_int_equal(f->sent.bytes, f->delivered_bytes + f->resent.bytes);
    assert_int_equal(f->resent.bytes - f->arrived_again_bytes,
                     stats->fates[HF_PATH_LOST_PERIODIC] * 1448);
    hf_sim_free(sim);
}

static void tell_sender(struct hf_sim_flow *f, hf_ns at_ns, enum hf_reason reason, uint32_t seq)
{
    struct hf_segment seg = {.seq = seq, .flags = HF_ACK, .payload_bytes = 1};
    struct hf_trace_event e = {.now_ns = at_ns, .type = HF_TRACE_SEGMENT_OUT, .segment = &seg};
    if (reason != HF_NONE) {
        e.type = HF_TRACE_RETRANSMIT;
        e.reason = reason;
        e.a = seq;
        e.segment = NULL;
    }
    hf_sim_flow_trace(f, true, NULL, &e, 0);
}

/* Before its segment, behind it, or once for many: each is counted by its own. */
static void a_reason_may_be_told_before_or_after(void **state)
{
    static const struct hf_scenario_flow plan = {.name = "a", .bytes = 10};
    struct hf_sim_flow f;
    (void)state;
    hf_sim_flow_init(&f, &plan, 0, NULL);
    for (uint32_t seq = 1; seq <= 3; seq++)
        tell_sender(&f, 1, HF_NONE, seq);
    assert_int_equal(f.resent.segs, 0);
    tell_sender(&f, 2, HF_RETRANSMIT_FAST, 1);
    tell_sender(&f, 2, HF_NONE, 4); /* something new in between */
    tell_sender(&f, 3, HF_NONE, 1);
    assert_int_equal(f.resent_by[HF_RETRANSMIT_FAST].segs, 1);
    tell_sender(&f, 4, HF_NONE, 2);
    tell_sender(&f, 4, HF_RETRANSMIT_RTO, 2);
    assert_int_equal(f.resent_by[HF_RETRANSMIT_RTO].segs, 1);
    tell_sender(&f, 5, HF_RETRANSMIT_MTU, 1);
    for (uint32_t seq = 1; seq <= 3; seq++)
        tell_sender(&f, 5, HF_NONE, seq);
    hf_sim_flow_finish(&f, 6);
    assert_int_equal(f.resent_by[HF_RETRANSMIT_MTU].segs, 3);
    assert_int_equal(f.resent_by[HF_RETRANSMIT_FAST].segs, 1);
    assert_int_equal(f.resent_by[HF_RETRANSMIT_RTO].segs, 1);
    assert_int_equal(f.resent.segs, 5);
    assert_int_equal(f.resent.bytes, 5);
    hf_sim_flow_free(&f);
}

/* The delay of the way forward jumps beyond the RTO: nothing is lost, every RTO is spurious. */
static void an_rto_in_vain_is_known(void **state)
{
    (void)state;
    struct hf_sim *sim =
        run("duration 60s\nlink forward rate=10mbit delay=20ms rate-at=500ms:20kbit "
            "rate-at=3s:10mbit\nlink back delay=20ms\nflow a bytes=1M\n");
    const struct hf_sim_flow *f = &sim->flows[0];
    assert_true(f->rtos > 0 && f->completed_at_ns != HF_NEVER);
    assert_int_equal(sim->forward.path.stats.lost, 0);
    assert_int_equal(f->spurious_rtos, f->rtos);
    assert_int_equal(f->arrived_again_bytes, f->resent.bytes);
    hf_sim_free(sim);
    /* And here the first flight is lost as a whole: none is. */
    sim = run("duration 60s\nlink forward rate=10mbit delay=20ms burst-loss=100%:0.1%:100%\n"
              "link back delay=20ms\nflow a bytes=100K set=syn_retries=3\n");
    assert_true(sim->flows[0].syns > 1);
    assert_int_equal(sim->flows[0].resent_by[HF_RETRANSMIT_SYN].segs, sim->flows[0].syns - 1);
    assert_int_equal(sim->flows[0].spurious_rtos, 0);
    assert_int_equal(sim->flows[0].delivered_bytes, 0);
    assert_int_equal(sim->flows[0].how, HF_CLOSED_TIMED_OUT);
    hf_sim_free(sim);
}

static void flows_of_one_kind_share(void **state)
{
    (void)state;
    struct hf_sim *sim = run("duration 20s\nlink forward rate=10mbit delay=20ms queue=60p\n"
                             "link back delay=20ms\nhost s\nhost r\n"
                             "flow a from=s to=r\nflow b from=s to=r\n");
    int64_t jain = hf_sim_jain_permille(sim);
    assert_in_range(jain, 900, 1000);
    assert_int_equal(sim->common_from_ns, 0);
    assert_int_equal(sim->common_until_ns, HF_SEC(20));
    hf_sim_free(sim);
    /* One that is hardly let through beside one that is not. */
    sim = run("duration 20s\nlink forward rate=10mbit delay=20ms queue=250p\nlink back delay=20ms\n"
              "flow a\nflow b set=receive_buffer_bytes=2000 set=receive_buffer_max_bytes=0\n");
    assert_in_range(hf_sim_jain_permille(sim), 500, 560);
    hf_sim_free(sim);
}

/* As many as there can be, over one pair of hosts. */
static void many_flows(void **state)
{
    char text[8192];
    (void)state;
    size_t n = (size_t)snprintf(text, sizeof text,
                                "duration 60s\nlink forward rate=50mbit delay=5ms queue=400p\n"
                                "link back delay=5ms\nhost s\nhost r\n");
    for (int i = 0; i < HF_SCENARIO_FLOWS_MAX; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "flow f%d from=s to=r bytes=50K\n", i);
    struct hf_sim *sim = run(text);
    assert_int_equal(sim->done_count, HF_SCENARIO_FLOWS_MAX);
    for (unsigned i = 0; i < sim->flow_count; i++)
        assert_int_equal(sim->flows[i].delivered_bytes, 50 * 1024);
    hf_sim_free(sim);
}

/* Super-packets are cut before they enter the path: segments are counted. */
static void super_packets_are_segments_on_the_path(void **state)
{
    (void)state;
    struct hf_sim *sim = run("duration 60s\nlink forward rate=100mbit delay=5ms queue=400p\n"
                             "link back delay=5ms\n"
                             "flow a bytes=1448000 set=offload_super_bytes=60000 "
                             "set=offload_checksum=on\n");
    assert_true(sim->flows[0].completed_at_ns != HF_NEVER);
    assert_in_range(sim->flows[0].sent.segs, 1001, 1003);
    assert_int_equal(sim->flows[0].sent.bytes, 1448000);
    hf_sim_free(sim);
}

/* ---- plots ---- */

static void check_plots(const struct hf_sim *sim, size_t max_bytes)
{
    struct sink sink = {.text = calloc(1, TEXT_BYTES)};
    char name[HF_SIM_PLOT_NAME_BYTES];
    unsigned n = 0;
    assert_non_null(sink.text);
    for (; hf_sim_plot(sim, n, name, keep, &sink); n++) {
        const char *fault = xml_fault(sink.text, sink.length_bytes);
        if (fault != NULL || sink.length_bytes > max_bytes)
            fail_msg("%s: %zu bytes, %s", name, sink.length_bytes, fault == NULL ? "" : fault);
        sink.length_bytes = 0;
    }
    assert_int_equal(n, 3 * sim->flow_count + 3);
    free(sink.text);
}

static void plots_are_well_formed_and_bounded(void **state)
{
    const struct hf_sim_hooks curves = {.curves = true};
    (void)state;
    struct hf_sim *sim = run_with("seed 5\n" ROUGH, &curves);
    check_plots(sim, 200000);
    hf_sim_free(sim);
    /* A hundred thousand packets and some thousand losses. */
    sim = run_with("duration 20s\nlink forward rate=60mbit delay=1ms loss=3%\nlink back delay=1ms\n"
                   "flow a set=rto_min_ns=10ms\n",
                   &curves);
    assert_true(sim->forward.path.stats.sent > 40000 && sim->flows[0].resent.segs > 1000);
    assert_true(sim->flows[0].curves->sent.count <= HF_SERIES_POINTS_MAX);
    check_plots(sim, 250000);
    hf_sim_free(sim);
}

static void marks_tell_their_reason(void **state)
{
    (void)state;
    struct sink told = tell("duration 9s\nlink forward rate=10mbit delay=20ms periodic=11\n"
                            "link back delay=20ms\nflow a bytes=14480\n");
    assert_non_null(strstr(told.text, ">RETRANSMIT_LOSS_PROBE</text>"));
    assert_non_null(strstr(told.text, ">lost_periodic</text>"));
    assert_non_null(strstr(told.text, ">Flow a: congestion window</text>"));
    free(told.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_bytes),
        cmocka_unit_test(watching_changes_nothing),
        cmocka_unit_test(lines_are_json_objects),
        cmocka_unit_test(a_perfect_path_takes_the_ideal_time),
        cmocka_unit_test(ideal_time_knows_of_changes),
        cmocka_unit_test(no_ideal_time_has_no_ratio),
        cmocka_unit_test(delays_of_hosts_count_each_way),
        cmocka_unit_test(retransmissions_are_counted_by_reason),
        cmocka_unit_test(a_reason_may_be_told_before_or_after),
        cmocka_unit_test(an_rto_in_vain_is_known),
        cmocka_unit_test(flows_of_one_kind_share),
        cmocka_unit_test(many_flows),
        cmocka_unit_test(super_packets_are_segments_on_the_path),
        cmocka_unit_test(plots_are_well_formed_and_bounded),
        cmocka_unit_test(marks_tell_their_reason),
    };
    return cmocka_run_group_tests_name("sim_run", tests, NULL, NULL);
}
