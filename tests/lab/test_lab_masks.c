/*
 * Every opening with every way of release, under all 4,096 patterns of loss of the first six
 * packets each way, all single and double duplications of them and all single and double swaps of
 * neighbours; with super-packets carried whole and cut into segments.
 *
 * The pair checks the invariants at each step and every byte; here is said how each way may end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab/pair.h"
#include "lab/runs.h"

enum { PACKETS = 6, A_BYTES = 2600, B_BYTES = 2000, SAMPLE = 31 };

/* ---- openings ---- */

enum opening { PASSIVE, HELD, HELD_LONG, COOKIE, SIMULTANEOUS, OPENINGS };

static const char *const opening_names[OPENINGS] = {"passive", "held", "held-long", "cookie",
                                                    "simultaneous"};

static void open_by(struct hf_pair_scenario *s, enum opening o)
{
    s->b.open = HF_APP_LISTEN;
    switch (o) {
    case PASSIVE:
    case COOKIE: break;
    case HELD:
        s->b.open = HF_APP_LISTEN_HELD;
        s->b.decide_after_ns = HF_MS(12);
        break;
    case HELD_LONG: /* the SYN comes again meanwhile */
        s->b.open = HF_APP_LISTEN_HELD;
        s->b.decide_after_ns = HF_MS(1500);
        break;
    case SIMULTANEOUS: s->b.open = HF_APP_CONNECT; break;
    case OPENINGS: break;
    }
}

/* ---- ways of release ---- */

#define HOW(name) (1u << HF_CLOSED_##name)

/**
 * `clean`: whatever is lost, both sides end in order with all data delivered. Otherwise a and b say
 * how each side may end (NOT: it never had a connection).
 */
struct way {
    const char *name;
    bool clean;
    unsigned a, b; /* HOW() bits */
    struct hf_app_script a_app, b_app;
};

/* A RST is sent once and can be lost: what the other side sends next finds nobody, and is answered
 * with another. Which of them gets through, and in which state it is met, depends on the losses. */
#define MET_A_RST (HOW(NOT) | HOW(RESET) | HOW(REFUSED))

static const struct way ways[] = {
    {.name = "both-at-once",
     .clean = true,
     .a_app = {.send_bytes = A_BYTES},
     .b_app = {.send_bytes = B_BYTES}},
    {.name = "a-first",
     .clean = true,
     .a_app = {.send_bytes = A_BYTES, .close = HF_APP_CLOSE_NOW},
     .b_app = {.close = HF_APP_CLOSE_LAST}},
    {.name = "b-first",
     .clean = true,
     .a_app = {.close = HF_APP_CLOSE_LAST},
     .b_app = {.send_bytes = B_BYTES, .close = HF_APP_CLOSE_NOW}},
    {.name = "both-let-go",
     .clean = true,
     .a_app = {.close = HF_APP_CLOSE_NOW},
     .b_app = {.close = HF_APP_CLOSE_NOW}},
    {.name = "half-closed-by-a",
     .clean = true,
     .a_app = {.send_bytes = A_BYTES},
     .b_app = {.send_bytes = B_BYTES, .write_at_end = true, .close = HF_APP_CLOSE_LAST}},
    {.name = "half-closed-by-b",
     .clean = true,
     .a_app = {.send_bytes = A_BYTES, .write_at_end = true, .close = HF_APP_CLOSE_LAST},
     .b_app = {.send_bytes = B_BYTES}},
    {.name = "crossing-fins",
     .clean = true,
     .a_app = {.send_bytes = A_BYTES, .close_wait_ns = HF_MS(50)},
     .b_app = {.send_bytes = B_BYTES, .close_wait_ns = HF_MS(40)}},
    {.name = "a-aborts",
     .a = HOW(ABORTED),
     .b = MET_A_RST,
     .a_app = {.send_bytes = A_BYTES, .close = HF_APP_CLOSE_ABORT},
     .b_app = {.send_bytes = B_BYTES}},
    {.name = "a-aborts-later",
     .a = HOW(ABORTED) | HOW(FIN),
     .b = MET_A_RST | HOW(FIN),
     .a_app = {.send_bytes = A_BYTES, .close = HF_APP_CLOSE_ABORT, .close_wait_ns = HF_MS(45)},
     .b_app = {.send_bytes = B_BYTES}},
    {.name = "b-aborts",
     .a = MET_A_RST,
     .b = HOW(ABORTED),
     .a_app = {.send_bytes = A_BYTES},
     .b_app = {.send_bytes = B_BYTES, .close = HF_APP_CLOSE_ABORT}},
    {.name = "a-leaves-data-unread",
     .a = HOW(DATA_LOST),
     .b = MET_A_RST,
     .a_app = {.close = HF_APP_CLOSE_NOW,
               .close_wait_ns = HF_MS(45),
               .read_from_ns = HF_SEC(100000)},
     .b_app = {.send_bytes = B_BYTES}},
    {.name = "b-leaves-data-unread",
     .a = MET_A_RST,
     .b = HOW(DATA_LOST),
     .a_app = {.send_bytes = A_BYTES},
     .b_app = {.close = HF_APP_CLOSE_NOW,
               .close_wait_ns = HF_MS(45),
               .read_from_ns = HF_SEC(100000)}},
    {.name = "data-after-close",
     .a = HOW(DATA_LOST),
     .b = MET_A_RST,
     .a_app = {.close = HF_APP_CLOSE_NOW},
     .b_app = {.send_bytes = B_BYTES}},
    {.name = "a-gives-up-at-once",
     .a = HOW(ABORTED),
     .b = MET_A_RST,
     .a_app = {.close = HF_APP_CLOSE_NOW, .close_at_ns = HF_MS(5)},
     .b_app = {.close = HF_APP_CLOSE_LAST}},
    {.name = "a-closes-after-15-ms",
     .a = HOW(ABORTED) | HOW(FIN),
     .b = MET_A_RST | HOW(FIN),
     .a_app = {.close = HF_APP_CLOSE_NOW, .close_at_ns = HF_MS(15)},
     .b_app = {.close = HF_APP_CLOSE_LAST}},
    {.name = "b-closes-after-15-ms",
     .a = MET_A_RST | HOW(FIN),
     .b = HOW(NOT) | HOW(ABORTED) | HOW(REJECTED) | HOW(FIN),
     .a_app = {.close = HF_APP_CLOSE_LAST},
     .b_app = {.close = HF_APP_CLOSE_NOW, .close_at_ns = HF_MS(15)}},
};

enum { WAYS = sizeof ways / sizeof ways[0] };

/* ---- a run ---- */

struct lab {
    struct hf_pair *pair;
    struct hf_config a_config, b_config;
    struct hf_transcript wire; /**< of the one run that was asked for */
};

enum trouble { LOSE, DUPLICATE, SWAP };

static const char *const trouble_names[] = {"lose", "duplicate", "swap"};

static void set_mask(struct hf_lab_link_config *l, enum trouble t, unsigned mask)
{
    switch (t) {
    case LOSE: l->lose_mask = mask; return;
    case DUPLICATE: l->duplicate_mask = mask; return;
    case SWAP: l->swap_mask = mask; return;
    }
}

static struct hf_pair_scenario scenario(struct lab *lab, enum opening o, const struct way *w)
{
    struct hf_pair_scenario s = {.seed = 1, .a = w->a_app, .b = w->b_app};
    open_by(&s, o);
    s.ab.path.delay_ns = s.ba.path.delay_ns = HF_MS(10);
    lab->b_config.syn_cookies = o == COOKIE ? 2 : 0;
    /* Where the end may be a RST, and lost, only asking shows the other side that nobody is there;
     * and what comes late must not open the next connection. */
    lab->a_config.keepalive = lab->b_config.keepalive = !w->clean || o == COOKIE;
    s.b.listen_once = (!w->clean || o == COOKIE) && o != SIMULTANEOUS;
    s.a_config = &lab->a_config;
    s.b_config = &lab->b_config;
    return s;
}

/* What a cookie stands for is known to the peer alone. If the segment that brings it back is lost
 * or overtaken, the listener knows nothing of the connection and has to answer with RST
 * [RFC9293#3.10.7.2] [RFC4987#3.6]. */
static bool cookie_came_to_nothing(const struct hf_pair *p)
{
    const struct hf_pair_report *r = &p->report;
    const struct hf_lab_link_config *ab = &p->scenario.ab;
    return p->scenario.b_config->syn_cookies == 2 && (ab->lose_mask | ab->swap_mask) != 0 &&
           r->a.how == HF_CLOSED_RESET &&
           (r->b.how == HF_CLOSED_NOT || r->b.how == HF_CLOSED_RESET);
}

static bool ended_well(const struct hf_pair *p, const struct way *w)
{
    const struct hf_pair_report *r = &p->report;
    if (cookie_came_to_nothing(p))
        return r->violations == 0 && r->quiet;
    if (w->clean)
        return hf_pair_is_clean(p) && r->a.how == HF_CLOSED_FIN && r->b.how == HF_CLOSED_FIN;
    return r->violations == 0 && r->quiet && (w->a >> r->a.how & 1) != 0 &&
           (w->b >> r->b.how & 1) != 0;
}

static void describe(struct runs *r, const struct hf_pair *p)
{
    char why[400];
    snprintf(why, sizeof why, "A: %s, B: %s%s%s%s", hf_closed_text(p->report.a.how),
             hf_closed_text(p->report.b.how), p->report.quiet ? "" : ", never quiet",
             p->report.violations > 0 ? "; " : "", p->report.violation);
    runs_fail(r, why);
}

static void run(struct lab *lab, struct runs *r, struct hf_pair_scenario *s, const struct way *w)
{
    if (r->only != NULL) {
        hf_transcript_init(&lab->wire, HF_DETAIL_WINDOW);
        s->transcript = &lab->wire;
    }
    hf_pair_run(lab->pair, s);
    if (!ended_well(lab->pair, w))
        describe(r, lab->pair);
    if (r->only != NULL) {
        printf("%s", lab->wire.text != NULL ? lab->wire.text : "");
        hf_transcript_free(&lab->wire);
    }
}

/* One pattern, for all openings and ways, whole and cut. */
static void run_pattern(struct lab *lab, struct runs *r, enum trouble t, unsigned ab, unsigned ba)
{
    for (unsigned o = 0; o < OPENINGS; o++)
        for (unsigned i = 0; i < WAYS; i++)
            for (unsigned cut = 0; cut < 2; cut++) {
                if (!runs_next(r, "%s/%s/%s/%s/%x/%x", opening_names[o], ways[i].name,
                               cut ? "cut" : "whole", trouble_names[t], ab, ba))
                    continue;
                struct hf_pair_scenario s = scenario(lab, (enum opening)o, &ways[i]);
                s.ab.cut = s.ba.cut = cut != 0;
                set_mask(&s.ab, t, ab);
                set_mask(&s.ba, t, ba);
                run(lab, r, &s, &ways[i]);
            }
}

/* Every one and every two of the first packets of both directions. */
static void run_ones_and_twos(struct lab *lab, struct runs *r, enum trouble t)
{
    for (unsigned i = 0; i < 2 * PACKETS; i++)
        for (unsigned j = i; j < 2 * PACKETS; j++) {
            unsigned both = 1u << i | 1u << j;
            run_pattern(lab, r, t, both & ((1u << PACKETS) - 1), both >> PACKETS);
        }
}

static void all_losses(void **state)
{
    struct runs r = runs_begin("losses", SAMPLE);
    for (unsigned mask = 0; mask < 1u << 2 * PACKETS; mask++)
        run_pattern(*state, &r, LOSE, mask & ((1u << PACKETS) - 1), mask >> PACKETS);
    assert_true(runs_end(&r));
}

static void all_duplications(void **state)
{
    struct runs r = runs_begin("duplications", SAMPLE);
    run_ones_and_twos(*state, &r, DUPLICATE);
    assert_true(runs_end(&r));
}

static void all_swaps(void **state)
{
    struct runs r = runs_begin("swaps", SAMPLE);
    run_ones_and_twos(*state, &r, SWAP);
    assert_true(runs_end(&r));
}

/* Patience for twelve losses of the same thing, so that every run has the end that its way
 * promises: giving up is the matter of other tests. */
static void be_patient(struct hf_config *c)
{
    c->syn_retries = c->synack_retries = 20;
    c->r2_retries = 30;
    c->rto_max_ns = HF_SEC(10);
    c->orphan_ns = c->fin_wait_2_ns = HF_SEC(600);
}

static int make_lab(void **state)
{
    static struct lab lab;
    lab.pair = hf_pair_new();
    struct hf_config *c = &lab.a_config;
    hf_config_init(c, sizeof *c);
    c->offload_super_bytes = 65535;
    c->offload_checksum = 1;
    c->keepalive_idle_ns = HF_SEC(20);
    c->keepalive_probes = 20;
    /* Small, so that making a stack costs little. */
    c->pool_bytes = 256 * 1024;
    c->reply_ring = 16;
    be_patient(c);
    lab.b_config = *c;
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
        cmocka_unit_test(all_losses),
        cmocka_unit_test(all_duplications),
        cmocka_unit_test(all_swaps),
    };
    return cmocka_run_group_tests_name("lab_masks", tests, make_lab, free_lab);
}
