/**
 * The fast path of segments in order does what the eight checks do, to the last event: every
 * scenario runs twice, once with checksums that the stacks have to verify (the fast path takes what
 * it can), once with facts that vouch for them (it takes nothing), and both tell the same story. So
 * does the fast way out what the list of reasons does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab/pair.h"
#include "lab/pattern.h"
#include "lab/peer.h"
#include "scenarios.h"
#include "show/event_text.h"

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

/** What both stacks of a run are told. */
struct link {
    bool facts;   /**< checksums are right */
    bool larger;  /**< packets may be larger than a segment, though none that hold two */
    bool unpaced; /**< what the rate has a say in leaves by the list of reasons */
};

static void run(struct hf_pair *p, const struct scenario *from, uint64_t seed, struct link link,
                struct story *story, struct ending *ending)
{
    struct hf_config a_config, b_config;
    struct hf_pair_scenario s = scenario_make(from, &a_config, &b_config);
    a_config.offload_checksum = b_config.offload_checksum = link.facts;
    a_config.offload_super_bytes = link.larger ? a_config.mtu_bytes : 0;
    b_config.offload_super_bytes = link.larger ? b_config.mtu_bytes : 0;
    if (link.unpaced)
        a_config.pacing = b_config.pacing = 0;
    struct teller a = {story, 'A'}, b = {story, 'B'};
    s.seed = seed;
    s.trace = tell;
    s.trace_ctx[0] = &a;
    s.trace_ctx[1] = &b;
    story->length_bytes = 0;
    hf_pair_run(p, &s);
    if (p->report.violations > 0)
        fail_msg("%s, seed %u: %s", from->name, (unsigned)seed, p->report.violation);
    memset(ending, 0, sizeof *ending);
    note_side(ending, 0, &p->a, &p->report.a);
    note_side(ending, 1, &p->b, &p->report.b);
    ending->ended_at_ns = p->report.ended_at_ns;
}

static void compare(struct hf_pair *p, struct link one, struct link other)
{
    struct story with = {0}, without = {0};
    struct ending with_end, without_end;
    for (size_t i = 0; i < SCENARIOS; i++) {
        for (uint64_t seed = 1; seed <= (scenarios[i].lossy ? 20 : 2); seed++) {
            run(p, &scenarios[i], seed, one, &with, &with_end);
            run(p, &scenarios[i], seed, other, &without, &without_end);
            if (strcmp(with.text, without.text) != 0)
                fail_msg("%s, seed %u: the traces differ", scenarios[i].name, (unsigned)seed);
            assert_memory_equal(&with_end, &without_end, sizeof with_end);
        }
    }
    free(with.text);
    free(without.text);
}

static void both_ways_tell_the_same(void **state)
{
    struct link without = {.facts = false}, with = {.facts = true};
    compare(*state, without, with);
}

/** Over a link that takes larger packets full segments are left to the list of reasons (output.c),
 *  over any other they leave ahead of it (fast_output.c). */
static void both_ways_out_tell_the_same(void **state)
{
    struct link plain = {.facts = true, .unpaced = true}, larger = plain;
    larger.larger = true;
    compare(*state, plain, larger);
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
    struct hf_rig_config rig_config = {.config = &config, .seed = 1};
    assert_int_equal(hf_rig_open(&rig, &rig_config), HF_OK);
    hf_handle listener;
    struct hf_listen any = {.port = 80};
    assert_int_equal(hf_listen(rig.stack, &any, &listener, 0), HF_OK);
    struct hf_peer peer;
    hf_peer_open(&peer, &rig, false, 4000, 80, 1000);
    assert_true(hf_peer_connect(&peer, "<mss 1460>"));
    hf_handle conn = hf_rig_event(&rig).handle;
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
        cmocka_unit_test_setup_teardown(both_ways_tell_the_same, make_pair, free_pair),
        cmocka_unit_test_setup_teardown(both_ways_out_tell_the_same, make_pair, free_pair),
        cmocka_unit_test(a_wrong_checksum_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
