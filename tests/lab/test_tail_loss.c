/*
 * The last one to three segments of a transfer are lost once. A probe leaves within two round trips
 * and what the peer may delay an ACK, and another two later, and what it delays the ACK of the
 * probe, all is acknowledged: no timeout.
 * covers: CO-8985-09, CO-8985-10
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

enum { SEEDS = 10000, SAMPLE = 20, SEGMENTS_MAX = 40, LOST_MAX = 3 };
/** A timer is kept by ticks of the wheel, and rounded up to one. */
static const hf_ns tick_ns = 2 * ((hf_ns)1 << 16);

struct transfer {
    uint64_t lost_bytes; /**< of the tail */
    uint32_t start, end; /**< of the number space: the first byte, and behind the text */
    uint32_t newest;     /**< the end of what left */
    bool started;
    hf_ns last_new_ns;    /**< the last new segment left */
    hf_ns last_ack_ns;    /**< SND.UNA moved, before anything was sent again */
    hf_ns first_again_ns; /**< HF_NEVER: nothing was */
    hf_ns all_acked_ns;   /**< HF_NEVER: not yet */
    hf_ns srtt_ns;        /**< when something was sent again */
    uint32_t una;
    unsigned lost;
    bool probed_early; /**< a probe left before, with new data: there is no second one */
};

struct lab {
    struct hf_pair *pair;
    struct drawn drawn;
    struct transfer transfer;
};

static void draw(struct lab *lab, uint64_t seed)
{
    struct drawn *t = &lab->drawn;
    struct hf_dice d = {seed};
    *t = (struct drawn){.scenario = {.seed = seed, .b.open = HF_APP_LISTEN}};
    struct hf_pair_scenario *s = &t->scenario;
    for (int i = 0; i < 2; i++) {
        t->profile[i] = (enum hf_profile)hf_dice_below(&d, HF_PROFILE_COUNT);
        hf_config_profile(&t->config[i], sizeof t->config[i], t->profile[i]);
        t->config[i].offload_checksum = 1;
        t->config[i].nagle = 0; /* a short last segment waits for nobody */
        if (drawn_one_in(&d, 2))
            t->config[i].offload_super_bytes = 65535;
        if (drawn_one_in(&d, 3))
            t->config[i].timestamps = 0;
    }
    t->config[0].loss_probe = 1; /* as all profiles but one */
    s->a_config = &t->config[0];
    s->b_config = &t->config[1];
    uint32_t mss = t->config[0].timestamps && t->config[1].timestamps ? 1448 : 1460;
    uint32_t segments = (uint32_t)drawn_log(&d, 1, SEGMENTS_MAX);
    uint32_t lost = 1 + (uint32_t)hf_dice_below(&d, segments < LOST_MAX ? segments : LOST_MAX);
    uint32_t last = 1 + (uint32_t)hf_dice_below(&d, mss);
    s->a.send_bytes = (segments - 1) * mss + last;
    if (drawn_one_in(&d, 2))
        s->a.close_wait_ns = HF_SEC(20); /* the FIN comes long after */
    s->ab.cut = s->ba.cut = true;
    s->ab.path.delay_ns = drawn_log(&d, HF_US(100), HF_MS(150));
    s->ba.path.delay_ns = drawn_log(&d, HF_US(100), HF_MS(150));
    s->ab.path.rate_bps = drawn_log(&d, 2000000, 1000000000);
    s->ba.path.rate_bps = drawn_log(&d, 2000000, 1000000000);
    lab->transfer = (struct transfer){
        .lost_bytes = (lost - 1) * mss + last,
        .first_again_ns = HF_NEVER,
        .all_acked_ns = HF_NEVER,
    };
}

/** The first sending of what lies in the tail is lost. */
static enum hf_fate lose_tail(void *ctx, const struct hf_lab_link *l, const struct hf_frame *f,
                              enum hf_fate planned)
{
    struct lab *lab = ctx;
    struct transfer *t = &lab->transfer;
    struct hf_ip ip;
    struct hf_segment seg;
    HF_ASSERT(hf_ip_parse(f->bytes, f->length_bytes, &ip) == HF_NONE);
    HF_ASSERT(hf_tcp_parse(f->bytes + ip.header_bytes, ip.payload_bytes, &seg) == HF_NONE);
    if (seg.flags & HF_SYN) {
        t->start = t->newest = seg.seq + 1;
        t->end = t->start + (uint32_t)lab->drawn.scenario.a.send_bytes;
        t->started = true;
    }
    uint32_t end = seg.seq + seg.payload_bytes;
    if (!t->started || seg.payload_bytes == 0)
        return planned;
    if ((int32_t)(end - t->newest) <= 0) {
        if (t->first_again_ns == HF_NEVER)
            t->first_again_ns = l->world->now_ns;
        return planned;
    }
    t->newest = end;
    t->last_new_ns = l->world->now_ns;
    if (t->end - end >= t->lost_bytes)
        return planned;
    t->lost++;
    return HF_FATE_LOST;
}

static void stepped(void *ctx, struct hf_pair_side *side)
{
    struct transfer *t = &((struct lab *)ctx)->transfer;
    struct hf_info info;
    hf_ns now = side->pair->world.now_ns;
    if (side->number != 0 || !t->started || t->all_acked_ns != HF_NEVER)
        return;
    if (hf_info(side->stack, side->app.conn, &info) != HF_OK) {
        t->all_acked_ns = now; /* both FINs were acknowledged as well: it is gone */
        return;
    }
    if (info.snd_una != t->una && t->first_again_ns == HF_NEVER)
        t->last_ack_ns = now;
    t->una = info.snd_una;
    if (t->first_again_ns == HF_NEVER)
        t->probed_early = hf_stack_count(side->stack, HF_TIMER_LOSS_PROBE) > 0;
    if (t->first_again_ns == HF_NEVER || t->first_again_ns == now)
        t->srtt_ns = info.srtt_ns;
    if ((int32_t)(info.snd_una - t->end) >= 0)
        t->all_acked_ns = now;
}

/** What went wrong with one run, or NULL; *late: it took longer than it should to be repaired. */
static const char *judge(const struct lab *lab, bool *late)
{
    const struct transfer *t = &lab->transfer;
    const struct hf_pair_scenario *s = &lab->drawn.scenario;
    hf_ns delay_ns = s->a_config->loss_probe_ack_delay_ns;
    if (!hf_pair_is_clean(lab->pair) || t->all_acked_ns == HF_NEVER)
        return "does not complete";
    if (t->lost == 0 || t->first_again_ns == HF_NEVER)
        return "nothing was lost";
    hf_ns armed_ns = hf_max_ns(t->last_new_ns, t->last_ack_ns);
    if (t->first_again_ns - armed_ns > 2 * t->srtt_ns + delay_ns + tick_ns && !t->probed_early)
        return "the probe is late";
    delay_ns += s->b_config->delayed_ack_ns;
    *late = t->all_acked_ns - armed_ns > 4 * t->srtt_ns + delay_ns + tick_ns;
    return NULL;
}

static void run(struct lab *lab, struct runs *r, uint64_t seed, uint64_t *late_runs)
{
    struct hf_pair_scenario *s = &lab->drawn.scenario;
    struct transfer *t = &lab->transfer;
    struct hf_transcript wire;
    bool late = false;
    draw(lab, seed);
    s->ab.decide = lose_tail;
    s->ab.decide_ctx = lab;
    s->stepped = stepped;
    s->hook_ctx = lab;
    hf_transcript_init(&wire, HF_DETAIL_WINDOW | HF_DETAIL_OPTIONS);
    if (r->only != NULL)
        s->transcript = &wire;
    hf_pair_run(lab->pair, s);
    const char *why = judge(lab, &late);
    if (why != NULL)
        runs_fail(r, why);
    *late_runs += late;
    if (r->only == NULL)
        return;
    printf("%s", wire.text != NULL ? wire.text : "");
    drawn_print(&lab->drawn);
    printf("  last sent %.6f s, last ACK %.6f s, probe %.6f s, all acknowledged %.6f s; SRTT %.6f "
           "s%s\n",
           (double)t->last_new_ns / 1e9, (double)t->last_ack_ns / 1e9,
           (double)t->first_again_ns / 1e9, (double)t->all_acked_ns / 1e9, (double)t->srtt_ns / 1e9,
           late ? ": late" : "");
    hf_transcript_free(&wire);
}

static void a_lost_tail_is_repaired_by_a_probe(void **state)
{
    struct runs r = runs_begin("tail loss", SAMPLE);
    uint64_t late = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        if (runs_next(&r, "seed %" PRIu64, seed)) {
            uint64_t before = late;
            run(*state, &r, seed, &late);
            if (late > before && late <= 5 && r.only == NULL)
                printf("tail loss: late with HF_TEST_RUN='%s'\n", r.name);
        }
    printf("tail loss: %" PRIu64 " of %" PRIu64
           " took longer than four round trips and the delays\n",
           late, r.made);
    assert_true(runs_end(&r));
    assert_true(r.only != NULL || late * 100 <= r.made);
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
        cmocka_unit_test(a_lost_tail_is_repaired_by_a_probe),
    };
    return cmocka_run_group_tests_name("tail_loss", tests, make_lab, free_lab);
}
