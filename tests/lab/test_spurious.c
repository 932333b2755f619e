/*
 * What was not lost is hardly sent again, and costs no window: reordering of several kinds, and
 * delays that look like losses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base.h"
#include "core/wire/ip.h"
#include "core/wire/tcp.h"
#include "lab/drawn.h"
#include "lab/runs.h"

enum { SAMPLE = 7 };

/** A's sender, as the wire and hf_info show it. */
struct sender {
    uint32_t newest; /**< the end of what left */
    bool started;
    uint64_t sent_bytes, again_bytes; /**< from count_from_ns on */
    hf_ns count_from_ns;
    hf_ns late_from_ns, late_until_ns; /**< what leaves in between is late */
    unsigned late_max, late;           /**< of new segments, at most so many; 0: everything */
    bool mistaken, undone;             /**< a reduction, and its end */
    uint32_t cwnd_before, ssthresh_before, una_before;
    uint32_t cwnd_reduced; /**< the step before the undo */
    uint32_t cwnd_after, ssthresh_after, acked_bytes;
    uint64_t timeouts, undos;
};

struct lab {
    struct hf_pair *pair;
    struct drawn drawn;
    struct sender sender;
};

static bool is_late(const struct sender *t, hf_ns now, bool new_data)
{
    if (now < t->late_from_ns || now >= t->late_until_ns)
        return false;
    return t->late_max == 0 || (new_data && t->late < t->late_max);
}

static enum hf_fate judge_packet(void *ctx, const struct hf_lab_link *l, const struct hf_frame *f,
                                 enum hf_fate planned)
{
    struct sender *t = &((struct lab *)ctx)->sender;
    hf_ns now = l->world->now_ns;
    struct hf_ip ip;
    struct hf_segment seg;
    HF_ASSERT(hf_ip_parse(f->bytes, f->length_bytes, &ip) == HF_NONE);
    HF_ASSERT(hf_tcp_parse(f->bytes + ip.header_bytes, ip.payload_bytes, &seg) == HF_NONE);
    if (seg.flags & HF_SYN) {
        t->newest = seg.seq + 1;
        t->started = true;
    }
    uint32_t end = seg.seq + seg.payload_bytes;
    bool new_data = (int32_t)(end - t->newest) > 0;
    if (now >= t->count_from_ns) {
        t->sent_bytes += seg.payload_bytes;
        t->again_bytes += new_data ? 0 : seg.payload_bytes;
    }
    if (new_data)
        t->newest = end;
    if (!is_late(t, now, new_data))
        return planned;
    t->late++;
    return HF_FATE_LATE;
}

static void stepped(void *ctx, struct hf_pair_side *side)
{
    struct sender *t = &((struct lab *)ctx)->sender;
    struct hf_info info;
    if (side->number != 0 || t->undone || hf_info(side->stack, side->app.conn, &info) != HF_OK)
        return;
    t->timeouts = hf_stack_count(side->stack, HF_TIMER_RTO);
    t->undos = hf_stack_count(side->stack, HF_RECOVERY_UNDO_TIMESTAMP) +
               hf_stack_count(side->stack, HF_RECOVERY_UNDO_DUPLICATE);
    t->mistaken |= t->timeouts + hf_stack_count(side->stack, HF_RECOVERY_BEGINS) > 0;
    if (!t->mistaken) {
        t->cwnd_before = info.cwnd_bytes;
        t->ssthresh_before = info.ssthresh_bytes;
        t->una_before = info.snd_una;
    }
    if (t->undos == 0) {
        t->cwnd_reduced = info.cwnd_bytes;
    } else {
        t->undone = true;
        t->cwnd_after = info.cwnd_bytes;
        t->ssthresh_after = info.ssthresh_bytes;
        t->acked_bytes = info.snd_una - t->una_before;
    }
}

/** From A to B: 50 Mbit/s, 40 ms, no losses: the window of the receiver ends before the queue. */
static struct hf_pair_scenario *draw(struct lab *lab, enum hf_profile profile, bool timestamps,
                                     uint64_t bytes)
{
    struct drawn *t = &lab->drawn;
    *t = (struct drawn){.scenario = {.seed = 1, .b.open = HF_APP_LISTEN}};
    struct hf_pair_scenario *s = &t->scenario;
    for (int i = 0; i < 2; i++) {
        t->profile[i] = profile;
        hf_config_profile(&t->config[i], sizeof t->config[i], profile);
        t->config[i].timestamps = timestamps;
        t->config[i].send_buffer_bytes = t->config[i].receive_buffer_bytes = 512 << 10;
        t->config[i].send_buffer_max_bytes = t->config[i].receive_buffer_max_bytes = 0;
    }
    s->a_config = &t->config[0];
    s->b_config = &t->config[1];
    s->a.send_bytes = bytes;
    s->ab.path.rate_bps = s->ba.path.rate_bps = 50000000;
    s->ab.path.delay_ns = s->ba.path.delay_ns = HF_MS(20);
    s->ab.path.queue_limit_packets = 2000;
    s->ab.decide = judge_packet;
    s->ab.decide_ctx = lab;
    s->stepped = stepped;
    s->hook_ctx = lab;
    lab->sender = (struct sender){.count_from_ns = HF_SEC(1)};
    return s;
}

static void run(struct lab *lab, struct runs *r)
{
    struct hf_transcript wire;
    hf_transcript_init(&wire, HF_DETAIL_WINDOW | HF_DETAIL_OPTIONS);
    if (r->only != NULL)
        lab->drawn.scenario.transcript = &wire;
    hf_pair_run(lab->pair, &lab->drawn.scenario);
    if (!hf_pair_is_clean(lab->pair))
        runs_fail(r, "not clean");
    if (r->only != NULL) {
        printf("%s", wire.text != NULL ? wire.text : "");
        drawn_print(&lab->drawn);
    }
    hf_transcript_free(&wire);
}

/* ---- reordering ---- */

enum disorder { FEW_PACKETS, LATE_PACKETS, JITTER, NORMAL_JITTER, DISORDERS };

static const char *const disorder_names[DISORDERS] = {"few-packets", "late-packets", "jitter",
                                                      "normal-jitter"};

static void disturb(struct hf_path_config *p, enum disorder d)
{
    switch (d) {
    case FEW_PACKETS: p->reorder_ppm = 10000; return; /* by 3 to 10 */
    case LATE_PACKETS:
        p->late_ppm = 10000;
        p->late_ns = HF_MS(5);
        return;
    case JITTER: p->jitter_ns = HF_MS(5); return;
    case NORMAL_JITTER:
        p->jitter_ns = HF_US(1700); /* 5 ms is three times that */
        p->jitter_kind = HF_PATH_JITTER_NORMAL;
        return;
    case DISORDERS: break;
    }
    HF_UNREACHABLE("a disorder of no kind");
}

static void judge_reordering(const struct lab *lab, struct runs *r)
{
    const struct sender *t = &lab->sender;
    char why[200];
    snprintf(why, sizeof why, "%" PRIu64 " of %" PRIu64 " bytes were sent again after a second",
             t->again_bytes, t->sent_bytes);
    if (r->only != NULL)
        printf("  %s\n", why);
    if (t->sent_bytes < 1000000 || t->again_bytes * 100 > t->sent_bytes)
        runs_fail(r, why);
}

static void reordering_is_hardly_taken_for_loss(void **state)
{
    struct lab *lab = *state;
    struct runs r = runs_begin("reordering", SAMPLE);
    for (unsigned d = 0; d < DISORDERS; d++)
        for (unsigned profile = 0; profile < HF_PROFILE_COUNT; profile++)
            for (unsigned variant = 0; variant < 4; variant++) {
                if (!runs_next(&r, "%s/%s/%u", disorder_names[d],
                               hf_profile_name((enum hf_profile)profile), variant))
                    continue;
                struct hf_pair_scenario *s =
                    draw(lab, (enum hf_profile)profile, variant & 1, 20000000);
                s->seed = variant;
                disturb(&s->ab.path, (enum disorder)d);
                if (variant & 2)
                    disturb(&s->ba.path, (enum disorder)d);
                run(lab, &r);
                judge_reordering(lab, &r);
            }
    assert_true(runs_end(&r));
}

/* ---- mistakes ---- */

/** Both windows are as before, but for what slow start or avoidance added since; a window that has
 *  outgrown the one before already stays as it is. Slow start may have been ended by HyStart++,
 *  which sees the delay: at the window of before or more [RFC9406#4.2]. */
static void judge_undo(const struct lab *lab, struct runs *r, bool by_timeout)
{
    const struct sender *t = &lab->sender;
    char why[240];
    snprintf(why, sizeof why,
             "%" PRIu64 " timeouts, %" PRIu64 " undone; cwnd %u, then %u, ssthresh %u, then %u; %u "
             "acknowledged",
             t->timeouts, t->undos, t->cwnd_before, t->cwnd_after, t->ssthresh_before,
             t->ssthresh_after, t->acked_bytes);
    if (r->only != NULL)
        printf("  %s\n", why);
    bool outgrown = t->cwnd_reduced > t->cwnd_before;
    bool ended = t->ssthresh_before == 1u << 30 && t->ssthresh_after == t->cwnd_after;
    bool as_before = t->cwnd_after >= t->cwnd_before &&
                     t->cwnd_after <= t->cwnd_before + t->acked_bytes &&
                     (outgrown || ended || t->ssthresh_after == t->ssthresh_before);
    if (!t->undone || !as_before || (t->timeouts > 0) != by_timeout)
        runs_fail(r, why);
}

/* covers: CO-9438-10: nothing leaves the path for longer than the RTO, then all comes */
static void a_spurious_timeout_costs_no_window(void **state)
{
    struct lab *lab = *state;
    struct runs r = runs_begin("spurious timeout", SAMPLE);
    for (unsigned at_ms = 80; at_ms <= 400; at_ms += 160)
        for (unsigned profile = 0; profile < HF_PROFILE_COUNT; profile++)
            for (unsigned variant = 0; variant < 8; variant++) {
                if (!runs_next(&r, "%u/%s/%u", at_ms, hf_profile_name((enum hf_profile)profile),
                               variant))
                    continue;
                uint64_t bytes = profile == HF_PROFILE_RFC ? 20000000 : 8000000; /* RTO 1 s */
                struct hf_pair_scenario *s =
                    draw(lab, (enum hf_profile)profile, variant & 1, bytes);
                struct hf_config *c = &lab->drawn.config[0];
                c->loss_probe = variant >> 1 & 1;
                c->congestion_control = variant & 4 ? 1 : 2;
                s->ab.path.late_ns = c->rto_min_ns + HF_MS(300);
                lab->sender.late_from_ns = HF_MS(at_ms);
                lab->sender.late_until_ns = HF_MS(at_ms) + s->ab.path.late_ns;
                run(lab, &r);
                judge_undo(lab, &r, true);
            }
    assert_true(runs_end(&r));
}

/* Some segments come later than RACK waits for, and before what is sent again in their place. */
static void a_spurious_recovery_costs_no_window(void **state)
{
    struct lab *lab = *state;
    struct runs r = runs_begin("spurious recovery", SAMPLE);
    for (unsigned at_ms = 150; at_ms <= 450; at_ms += 100)
        for (unsigned profile = 0; profile < HF_PROFILE_COUNT; profile++)
            for (unsigned variant = 0; variant < 8; variant++) {
                if (!runs_next(&r, "%u/%s/%u", at_ms, hf_profile_name((enum hf_profile)profile),
                               variant))
                    continue;
                struct hf_pair_scenario *s =
                    draw(lab, (enum hf_profile)profile, variant & 1, 4000000);
                lab->drawn.config[0].congestion_control = variant & 4 ? 1 : 2;
                s->ab.path.late_ns = HF_MS(30);
                lab->sender.late_from_ns = HF_MS(at_ms);
                lab->sender.late_until_ns = HF_SEC(10);
                lab->sender.late_max = variant & 2 ? 3 : 1;
                run(lab, &r);
                judge_undo(lab, &r, false);
            }
    assert_true(runs_end(&r));
}

static int make_lab(void **state)
{
    static struct lab lab;
    lab.pair = hf_pair_new();
    *state = &lab;
    return 0;
}

static int free_lab(void **state)
{
    hf_pair_free(((struct lab *)*state)->pair);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reordering_is_hardly_taken_for_loss),
        cmocka_unit_test(a_spurious_timeout_costs_no_window),
        cmocka_unit_test(a_spurious_recovery_costs_no_window),
    };
    return cmocka_run_group_tests_name("spurious", tests, make_lab, free_lab);
}
