/**
 * The fast path does what the eight checks do, to the last event: every scenario runs with it and
 * without, over plain packets whose checksums the stacks verify and over super-packets with facts
 * that vouch for them, and both tell the same story.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drawn.h"
#include "lab/pair.h"
#include "lab/pattern.h"
#include "lab/peer.h"
#include "scenarios.h"
#include "show/event_text.h"
#include "support/test_random.h"

/* ---- the same story ------------------------------------------------------------------------- */

/** All trace events of a run, a line each. */
struct story {
    char *text;
    size_t length_bytes, capacity_bytes;
};

struct teller {
    struct story *story;
    char name;
};

static void tell(void *ctx, const struct hf_trace_event *event)
{
    const struct teller *teller = ctx;
    struct story *story = teller->story;
    if (story->capacity_bytes - story->length_bytes < HF_EVENT_TEXT_BYTES + 4) {
        story->capacity_bytes = 2 * story->capacity_bytes + (1 << 20);
        story->text = realloc(story->text, story->capacity_bytes);
        assert_non_null(story->text);
    }
    char *line = story->text + story->length_bytes;
    line[0] = teller->name;
    line[1] = ' ';
    size_t n = hf_event_text(event, 0, line + 2, HF_EVENT_TEXT_BYTES);
    line[n + 2] = '\n';
    line[n + 3] = '\0';
    story->length_bytes += n + 3;
}

/** What is left of both stacks when a run is over. */
struct ending {
    uint64_t counts[2][HF_REASON_COUNT];
    struct hf_stack_info info[2];
    uint64_t bytes[2];
    enum hf_closed how[2];
    hf_ns ended_at_ns;
};

static void note_side(struct ending *e, unsigned i, const struct hf_pair_side *side,
                      const struct hf_pair_side_report *report)
{
    for (int r = 0; r < HF_REASON_COUNT; r++)
        e->counts[i][r] = hf_stack_count(side->stack, (enum hf_reason)r);
    e->info[i] = report->info;
    e->bytes[i] = report->verified_bytes;
    e->how[i] = report->how;
}

static void run_told(struct hf_pair *p, struct hf_pair_scenario *s, struct story *story,
                     struct ending *ending)
{
    struct teller a = {story, 'A'}, b = {story, 'B'};
    s->trace = tell;
    s->trace_ctx[0] = &a;
    s->trace_ctx[1] = &b;
    story->length_bytes = 0;
    hf_pair_run(p, s);
    memset(ending, 0, sizeof *ending);
    note_side(ending, 0, &p->a, &p->report.a);
    note_side(ending, 1, &p->b, &p->report.b);
    ending->ended_at_ns = p->report.ended_at_ns;
}

/** What both stacks are told. */
struct way {
    bool facts;   /**< the link vouches for checksums, and takes super-packets */
    bool unpaced; /**< where the rate has a say data leaves by the list of reasons in any case */
    bool fast;
};

static void run(struct hf_pair *p, const struct scenario *from, uint64_t seed, struct way way,
                struct story *story, struct ending *ending)
{
    struct hf_config a_config, b_config;
    struct hf_pair_scenario s = scenario_make(from, &a_config, &b_config);
    a_config.offload_checksum = b_config.offload_checksum = way.facts;
    a_config.offload_super_bytes = b_config.offload_super_bytes = way.facts ? 65535 : 0;
    a_config.fast_path = b_config.fast_path = way.fast;
    a_config.pacing = b_config.pacing = !way.unpaced;
    s.seed = seed;
    run_told(p, &s, story, ending);
    if (p->report.violations > 0)
        fail_msg("%s, seed %u: %s", from->name, (unsigned)seed, p->report.violation);
}

static void tell_the_same(struct hf_pair *p, struct way way)
{
    struct way fast = way, slow = way;
    fast.fast = true;
    struct story with = {0}, without = {0};
    struct ending with_end, without_end;
    for (size_t i = 0; i < SCENARIOS; i++) {
        for (uint64_t seed = 1; seed <= (scenarios[i].lossy ? 20 : 2); seed++) {
            run(p, &scenarios[i], seed, fast, &with, &with_end);
            run(p, &scenarios[i], seed, slow, &without, &without_end);
            if (strcmp(with.text, without.text) != 0)
                fail_msg("%s, seed %u: the traces differ", scenarios[i].name, (unsigned)seed);
            assert_memory_equal(&with_end, &without_end, sizeof with_end);
        }
    }
    free(with.text);
    free(without.text);
}

static void plain_packets_tell_the_same(void **state)
{
    tell_the_same(*state, (struct way){0});
}

static void super_packets_tell_the_same(void **state)
{
    tell_the_same(*state, (struct way){.facts = true});
}

static void unpaced_packets_tell_the_same(void **state)
{
    tell_the_same(*state, (struct way){.unpaced = true});
}

/* Of any size, over links of any kind; both ends take it, or neither. */
static void drawn_transfers_tell_the_same(void **state)
{
    struct hf_pair *p = *state;
    struct test_random first = test_random_make("drawn_transfers_tell_the_same", 1);
    struct story story[2] = {{0}, {0}};
    struct ending ending[2];
    uint32_t rounds = test_random_rounds(1000);
    for (uint64_t seed = first.state; seed < first.state + rounds; seed++) {
        for (int fast = 0; fast <= 1; fast++) {
            struct drawn drawn;
            drawn_make(&drawn, seed);
            drawn.config[0].fast_path = drawn.config[1].fast_path = fast;
            if (seed % 2 == 0)
                drawn.config[0].pacing = drawn.config[1].pacing = 0;
            run_told(p, &drawn.scenario, &story[fast], &ending[fast]);
        }
        if (strcmp(story[0].text, story[1].text) != 0)
            fail_msg("seed %" PRIu64 ": the traces differ", seed);
        assert_memory_equal(&ending[0], &ending[1], sizeof ending[0]);
    }
    free(story[0].text);
    free(story[1].text);
}

enum { PAYLOAD_MOST = 4600, UNREAD_BYTES = 100 };

/* ---- a wrong checksum leaves no mark --------------------------------------------------------- */

static struct hf_info info_of(const struct hf_rig *r, hf_handle conn)
{
    struct hf_info info;
    memset(&info, 0, sizeof info);
    assert_int_equal(hf_info(r->stack, conn, &info), HF_OK);
    return info;
}

/* A connection that a peer opened to the stack. */
static hf_handle open_conn(struct hf_rig *rig, struct hf_peer *peer, const struct hf_config *config,
                           const char *syn_options)
{
    const struct hf_rig_config rig_config = {.config = config, .seed = 1};
    const struct hf_listen any = {.port = 80};
    hf_handle listener;
    assert_int_equal(hf_rig_open(rig, &rig_config), HF_OK);
    assert_int_equal(hf_listen(rig->stack, &any, &listener, 0), HF_OK);
    hf_peer_open(peer, rig, false, 4000, 80, 1000);
    assert_true(hf_peer_connect(peer, syn_options));
    return hf_rig_event(rig).handle;
}

static void a_wrong_one_leaves_no_mark(struct hf_peer *peer, hf_handle conn,
                                       const struct hf_segment *seg)
{
    struct hf_rig *r = peer->rig;
    struct hf_info before = info_of(r, conn);
    struct hf_stack_info stack_before, stack_after;
    uint64_t dropped = hf_stack_count(r->stack, HF_DROP_TCP_CHECKSUM);
    uint32_t snd_nxt = peer->snd_nxt;
    hf_stack_info(r->stack, &stack_before);

    peer->add_to_checksum = (uint16_t)(1 + seg->payload_bytes);
    hf_peer_send_segment(peer, seg, NULL);
    peer->add_to_checksum = 0;
    peer->snd_nxt = snd_nxt;

    struct hf_info after = info_of(r, conn);
    assert_memory_equal(&before, &after, sizeof before);
    hf_stack_info(r->stack, &stack_after);
    assert_int_equal(stack_after.pool_used_bytes, stack_before.pool_used_bytes);
    assert_int_equal(stack_after.pool_peak_bytes, stack_before.pool_peak_bytes);
    assert_int_equal(stack_after.segments_in, stack_before.segments_in);
    assert_int_equal(hf_stack_count(r->stack, HF_DROP_TCP_CHECKSUM), dropped + 1);
    assert_true(hf_peer_expect_nothing(peer));
}

static void the_right_one_arrives(struct hf_peer *peer, hf_handle conn,
                                  const struct hf_segment *seg)
{
    static uint8_t bytes[PAYLOAD_MOST];
    struct hf_rig *r = peer->rig;
    uint32_t n = seg->payload_bytes;
    hf_peer_send_segment(peer, seg, NULL);
    hf_peer_skip(peer);
    assert_int_equal(hf_receive(r->stack, conn, bytes, n, r->now_ns), n);
    uint32_t offset = seg->seq - peer->iss - 1 - UNREAD_BYTES;
    assert_int_equal(hf_pattern_check(peer->key, offset, bytes, n), n);
}

/* Of blocks of 512 bytes the payload fills the last one's rest and up to 9 fresh ones. Some bytes
 * stay unread, so that there is a last one. */
static void a_wrong_checksum_changes_nothing(void **state)
{
    (void)state;
    struct hf_config config;
    struct hf_rig rig;
    hf_config_init(&config, sizeof config);
    config.block_bytes = 512;
    struct hf_peer peer;
    hf_handle conn = open_conn(&rig, &peer, &config, "<mss 1460>");
    hf_peer_send(&peer, "P. seq 1:101 ack 1");
    assert_int_equal(info_of(&rig, conn).receive_queue_bytes, UNREAD_BYTES);
    hf_peer_skip(&peer);
    for (uint32_t n = 1; n < PAYLOAD_MOST; n += 173) {
        struct hf_segment seg = {.source_port = 4000,
                                 .destination_port = 80,
                                 .seq = peer.snd_nxt,
                                 .ack = peer.rcv_nxt,
                                 .flags = HF_ACK | HF_PSH,
                                 .window = 65535,
                                 .payload_bytes = n};
        a_wrong_one_leaves_no_mark(&peer, conn, &seg);
        the_right_one_arrives(&peer, conn, &seg);
    }
    hf_rig_close(&rig);
}

/* ---- what an older segment says -------------------------------------------------------------- */

/* Text that fills a gap acknowledges more than what came ahead of it, so it tells the window
 * (D-41); what comes next acknowledges no more than that, and tells it again. */
static void a_window_is_that_of_the_newest_segment(void **state)
{
    (void)state;
    struct hf_info after[2];
    for (uint32_t fast_path = 0; fast_path < 2; fast_path++) {
        static const uint8_t bytes[200];
        struct hf_config config;
        struct hf_rig rig;
        hf_config_init(&config, sizeof config);
        config.fast_path = fast_path;
        struct hf_peer peer;
        hf_handle conn = open_conn(&rig, &peer, &config, "<mss 1460>");
        assert_int_equal(hf_send(rig.stack, conn, bytes, 200, 0, rig.now_ns), 200);
        hf_rig_pull(&rig);
        hf_peer_send(&peer, ". seq 101:201 ack 101 win 250");
        hf_peer_send(&peer, ". seq 1:101 ack 201 win 9000");
        assert_int_equal(info_of(&rig, conn).snd_wnd_bytes, 9000);
        hf_peer_send(&peer, ". seq 201:301 ack 201 win 250");
        assert_int_equal(info_of(&rig, conn).snd_wnd_bytes, 250);
        hf_peer_skip(&peer);
        after[fast_path] = info_of(&rig, conn);
        hf_rig_close(&rig);
    }
    assert_memory_equal(&after[0], &after[1], sizeof after[0]);
}

/* ---- no more memory than the other way ------------------------------------------------------- */

enum { BLOCK_BYTES = 4096, QUEUE_MOST = 40 };

static uint64_t memory_of(const struct hf_rig *r)
{
    struct hf_stack_info info;
    hf_stack_info(r->stack, &info);
    return info.memory_bytes;
}

/* Text for a block, with an ACK that gives one back, where `queued` blocks are in use besides: what
 * the stack has taken from its allocator after it. A wrong checksum before it takes nothing. */
static uint64_t memory_with(uint32_t queued, uint32_t fast_path)
{
    static uint8_t bytes[BLOCK_BYTES];
    struct hf_config config;
    struct hf_rig rig;
    hf_config_init(&config, sizeof config);
    config.block_bytes = BLOCK_BYTES;
    config.receive_buffer_bytes = (QUEUE_MOST + 1) * BLOCK_BYTES;
    config.window_scale = 4;
    config.fast_path = fast_path;
    struct hf_peer peer;
    hf_handle conn = open_conn(&rig, &peer, &config, "<mss 1460,wscale 4>");
    char text[80];
    for (uint32_t i = 0; i < queued; i++) {
        snprintf(text, sizeof text, ". seq %u:%u ack 1", 1 + i * BLOCK_BYTES,
                 1 + (i + 1) * BLOCK_BYTES);
        hf_peer_send(&peer, text);
    }
    assert_int_equal(hf_send(rig.stack, conn, bytes, 100, 0, rig.now_ns), 100);
    hf_rig_pull(&rig);
    hf_peer_skip(&peer);
    snprintf(text, sizeof text, ". seq %u:%u ack 101", 1 + queued * BLOCK_BYTES,
             1 + (queued + 1) * BLOCK_BYTES);
    uint64_t before = memory_of(&rig);
    peer.add_to_checksum = 7;
    hf_peer_send(&peer, text);
    assert_int_equal(memory_of(&rig), before);
    peer.add_to_checksum = 0;
    hf_peer_send(&peer, text);
    assert_int_equal(info_of(&rig, conn).receive_queue_bytes, (queued + 1) * BLOCK_BYTES);
    uint64_t after = memory_of(&rig);
    hf_rig_close(&rig);
    return after;
}

static void room_that_an_ack_gives_serves_its_text(void **state)
{
    (void)state;
    for (uint32_t queued = 0; queued < QUEUE_MOST; queued++)
        assert_int_equal(memory_with(queued, 1), memory_with(queued, 0));
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
        cmocka_unit_test_setup_teardown(plain_packets_tell_the_same, make_pair, free_pair),
        cmocka_unit_test_setup_teardown(super_packets_tell_the_same, make_pair, free_pair),
        cmocka_unit_test_setup_teardown(unpaced_packets_tell_the_same, make_pair, free_pair),
        cmocka_unit_test_setup_teardown(drawn_transfers_tell_the_same, make_pair, free_pair),
        cmocka_unit_test(a_wrong_checksum_changes_nothing),
        cmocka_unit_test(room_that_an_ack_gives_serves_its_text),
        cmocka_unit_test(a_window_is_that_of_the_newest_segment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
