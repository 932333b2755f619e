/* TIME-WAIT: every row; how long it lasts, what ends it, and what opens the same tuple again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/wire_flows.h"
#include "support/wire_rows.h"

#define TIME_WAIT_NS HF_SEC(60) /* twice the default profile's MSL of 30 s */

/* TIME-WAIT in an entry, or in the connection itself: there is no room for entries. */
enum { IN_ENTRY, IN_CONN, PLACES };

static struct hf_config config_of(int place)
{
    struct hf_config config;
    hf_config_init(&config, sizeof config);
    if (place == IN_CONN)
        config.max_time_wait = 0;
    return config;
}

/* What a test that is run for both places has. */
static struct hf_config place_config;

static int wait_in_entry(void **state)
{
    (void)state;
    place_config = config_of(IN_ENTRY);
    return 0;
}

static int wait_in_conn(void **state)
{
    (void)state;
    place_config = config_of(IN_CONN);
    return 0;
}

static struct wire_setup setup_of(unsigned variant)
{
    return (struct wire_setup){.state = HF_TIME_WAIT, .variant = variant, .config = &place_config};
}

/* By the letter of RFC 9293: RST by its number, no SYN opens it again. */
static void common_rows(void **state)
{
    (void)state;
    assert_true(wire_rows_run(HF_TIME_WAIT) > 200);
    wire_broken_run(HF_TIME_WAIT);
}

/* covers: TMO-TIME-WAIT-TMW, MUST-13, CO-1337-05 */
static void it_lasts_two_msl(void **state)
{
    (void)state;
    for (int profile = 0; profile < HF_PROFILE_COUNT; profile++)
        for (unsigned variant = 0; variant < 2 * WIRE_VARIANTS; variant++) {
            struct hf_config config;
            hf_config_profile(&config, sizeof config, (enum hf_profile)profile);
            struct wire w;
            struct wire_setup setup = setup_of(variant);
            setup.config = &config;
            wire_open(&w, &setup);
            hf_ns end_ns = wire_until_state(&w, HF_CLOSED, HF_SEC(3600));
            assert_true(wire_is_about(end_ns, 2 * config.msl_ns));
            WIRE_QUIET(&w);
            struct hf_stack_info info;
            hf_stack_info(w.rig.stack, &info);
            assert_int_equal(info.time_wait, 0);
            assert_int_equal(hf_stack_deadline(w.rig.stack), HF_NEVER);
            assert_int_equal(wire_info(&w).state, HF_CLOSED);
            wire_close(&w);
        }
}

/* Our last ACK was lost: the peer's FIN comes again, as often as it takes.
 * covers: SM-TMW-1b-finrtx, SM-TMW-5-any, SM-TMW-8-fin */
static void a_fin_again_is_acknowledged_and_restarts_the_time(void **state)
{
    (void)state;
    static const char *const fins[] = {"F. seq -1 ack 0", "FP. seq -101:-1 ack 0",
                                       "F. seq 0 ack 0"};
    for (size_t i = 0; i < HF_COUNT_OF(fins); i++)
        for (unsigned variant = 0; variant < 2 * WIRE_VARIANTS; variant++) {
            struct wire w;
            struct wire_setup setup = setup_of(variant);
            wire_open(&w, &setup);
            for (int k = 1; k <= 4; k++) {
                hf_rig_wait(&w.rig, HF_SEC(40));
                hf_peer_send(&w.peer, fins[i]);
                WIRE_EXPECT(&w, ". seq 0 ack 0");
                WIRE_QUIET(&w);
            }
            hf_ns end_ns = wire_until_state(&w, HF_CLOSED, HF_SEC(3600));
            assert_true(wire_is_about(end_ns, 4 * HF_SEC(40) + TIME_WAIT_NS));
            wire_close(&w);
        }
}

/* Only a FIN restarts the time: an ACK or an old duplicate could come for ever.
 * covers: SM-TMW-1a-paws, SM-TMW-1b-win */
static void nothing_else_restarts_the_time(void **state)
{
    (void)state;
    static const char *const others[] = {
        ". seq 0 ack 0",      ". seq -1 ack 0", "P. seq -100:0 ack 0",
        "P. seq 0:100 ack 0", "R seq 0",        ". seq 0 ack 5"};
    for (size_t i = 0; i < HF_COUNT_OF(others); i++)
        for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
            struct wire w;
            struct wire_setup setup = setup_of(variant);
            wire_open(&w, &setup);
            hf_rig_wait(&w.rig, HF_SEC(40));
            hf_peer_send(&w.peer, others[i]);
            w.peer.ts_base -= 50000;
            hf_peer_send(&w.peer, "F. seq -1 ack 0");
            hf_peer_skip(&w.peer);
            hf_ns end_ns = wire_until_state(&w, HF_CLOSED, HF_SEC(3600));
            bool paws = variant & WIRE_OPTIONS;
            assert_true(wire_is_about(end_ns, TIME_WAIT_NS + (paws ? 0 : HF_SEC(40))));
            wire_close(&w);
        }
}

/* [RFC9293#3.10.7.4] fifth check: the one thing that is acknowledged here is the FIN that comes
 * again. An answer to an acceptable empty ACK could be answered itself, for ever. */
static void empty_acks_inside_the_window_are_not_answered(void **state)
{
    (void)state;
    static const char *const acks[] = {". seq 0 ack 0", ". seq 1 ack 0", ". seq 1000 ack 0",
                                       ". seq 1000 ack -1"};
    for (unsigned k = 0; k < 2; k++)
        for (size_t i = 0; i < HF_COUNT_OF(acks); i++) {
            struct wire w;
            struct wire_setup setup = setup_of(k ? WIRE_V6 : 0);
            wire_open(&w, &setup);
            hf_peer_send(&w.peer, acks[i]);
            WIRE_QUIET(&w);
            wire_close(&w);
        }
}

/* covers: SM-TMW-1b-tsrec */
static void the_latest_timestamp_is_echoed(void **state)
{
    (void)state;
    static const char *const segments[] = {". seq 0 ack 0", "F. seq -1 ack 0"};
    for (size_t i = 0; i < HF_COUNT_OF(segments); i++)
        for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
            struct wire w;
            struct wire_setup setup = setup_of(variant | WIRE_OPTIONS);
            wire_open(&w, &setup);
            uint32_t was = wire_info(&w).ts_recent;
            w.peer.ts_base += 700;
            hf_peer_send(&w.peer, ". seq -1 ack 0"); /* unacceptable: no mark */
            WIRE_EXPECT(&w, ". seq 0 ack 0");
            assert_int_equal(w.peer.last.segment.ts_echo, was);
            hf_peer_send(&w.peer, segments[i]);
            hf_peer_skip(&w.peer);
            hf_peer_send(&w.peer, ". seq -1 ack 0");
            WIRE_EXPECT(&w, ". seq 0 ack 0");
            assert_int_equal(w.peer.last.segment.ts_echo, was + 700);
            wire_close(&w);
        }
}

/* RFC 1337, F1: no RST ends it, and none is answered.
 * covers: SM-TMW-2-rst-1337, SM-TMW-2-rst-1337ts, CO-1337-01 */
static void no_reset_ends_it(void **state)
{
    (void)state;
    static const char *const resets[] = {"R seq 0",         "R. seq 0 ack 0", "R seq 1",
                                         "R seq -1",        "R seq 1000",     "RF. seq 0 ack 0",
                                         "R seq 0 <TS 1 1>"};
    for (unsigned variant = 0; variant < 2 * WIRE_VARIANTS; variant++) {
        struct wire w;
        struct wire_setup setup = setup_of(variant);
        wire_open(&w, &setup);
        for (int k = 0; k < 5; k++) {
            for (size_t i = 0; i < HF_COUNT_OF(resets); i++)
                hf_peer_send(&w.peer, resets[i]);
            hf_rig_wait(&w.rig, HF_SEC(10));
        }
        WIRE_QUIET(&w);
        assert_int_equal(wire_state(&w), HF_TIME_WAIT);
        hf_ns end_ns = wire_until_state(&w, HF_CLOSED, HF_SEC(3600));
        assert_true(wire_is_about(end_ns, TIME_WAIT_NS));
        wire_close(&w);
    }
}

/* [RFC1337#2] An old segment draws an ACK, to which the peer, which knows nothing any more, answers
 * with a RST. covers: CO-1337-03, CO-1337-04 */
static void the_answer_to_our_answer_does_not_end_it(void **state)
{
    (void)state;
    static const char *const old[] = {"P. seq -101:-1 ack 0", ". seq -1 ack 0",
                                      "P. seq 100000:100100 ack 0"};
    for (size_t i = 0; i < HF_COUNT_OF(old); i++)
        for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
            struct wire w;
            char reset[32];
            struct wire_setup setup = setup_of(variant);
            wire_open(&w, &setup);
            hf_rig_wait(&w.rig, HF_SEC(5));
            hf_peer_send(&w.peer, old[i]);
            WIRE_EXPECT(&w, ". seq 0 ack 0");
            snprintf(reset, sizeof reset, "R seq %d", (int)(w.peer.last.segment.ack - w.peer.iss));
            hf_peer_send(&w.peer, reset);
            WIRE_QUIET(&w);
            assert_int_equal(wire_state(&w), HF_TIME_WAIT);
            hf_ns end_ns = wire_until_state(&w, HF_CLOSED, HF_SEC(3600));
            assert_true(wire_is_about(end_ns, TIME_WAIT_NS));
            wire_close(&w);
        }
}

/* ---- the same addresses and ports again ---- */

/* Ways to stand to the old connection's last timestamp. */
enum stamp { NEWER, EQUAL, OLDER, ABSENT };

struct reuse {
    const char *syn;
    bool old_ts;
    enum stamp stamp;
    bool accepted;
};

/* The old connection's last number is its FIN's, -1 here. */
static const struct reuse reuses[] = {
    /* covers: SM-TMW-1s-tw-ts-new, CO-6191-01 */
    {"S seq 1000000 <mss 1460,TS>", true, NEWER, true},
    {"S seq 0 <mss 1460,TS>", true, NEWER, true},
    {"S seq -1 <mss 1460,TS>", true, NEWER, true},
    {"S seq -1000000 <mss 1460,TS>", true, NEWER, true},
    /* covers: SM-TMW-1s-tw-ts-eq, CO-6191-02 */
    {"S seq 0 <mss 1460,TS>", true, EQUAL, true},
    {"S seq 2000000000 <mss 1460,TS>", true, EQUAL, true},
    /* covers: SM-TMW-1s-tw-ts-off, CO-6191-03 */
    {"S seq 0 <mss 1460>", true, ABSENT, true},
    {"S seq 1000000 <mss 1460>", true, ABSENT, true},
    /* covers: SM-TMW-1s-tw-ts-old */
    {"S seq -1 <mss 1460,TS>", true, EQUAL, false},
    {"S seq -1000 <mss 1460,TS>", true, EQUAL, false},
    {"S seq 1000000 <mss 1460,TS>", true, OLDER, false},
    {"S seq -1 <mss 1460,TS>", true, OLDER, false},
    {"S seq -1 <mss 1460>", true, ABSENT, false},
    {"S seq -1000000 <mss 1460>", true, ABSENT, false},
    /* covers: SM-TMW-1s-tw-nots-ts, CO-6191-04 */
    {"S seq 1000000 <mss 1460,TS>", false, NEWER, true},
    {"S seq -1000000 <mss 1460,TS>", false, NEWER, true},
    /* covers: SM-TMW-1s-tw-nots-seq, CO-6191-05 */
    {"S seq 0 <mss 1460>", false, ABSENT, true},
    {"S seq 2000000000 <mss 1460>", false, ABSENT, true},
    /* covers: SM-TMW-1s-tw-nots-old */
    {"S seq -1 <mss 1460>", false, ABSENT, false},
    {"S seq -1000000 <mss 1460>", false, ABSENT, false},
};

static void send_reuse(struct wire *w, const struct reuse *r)
{
    uint32_t last = wire_info(w).ts_recent;
    uint32_t now_ms = (uint32_t)(w->rig.now_ns / HF_MS(1));
    w->peer.timestamps = r->stamp != ABSENT;
    w->peer.ts_base = last - now_ms + (r->stamp == NEWER ? 1 : r->stamp == OLDER ? UINT32_MAX : 0);
    hf_peer_send(&w->peer, r->syn);
}

static void open_again(const struct reuse *r, unsigned variant, int place)
{
    struct wire w;
    struct hf_config config = config_of(place);
    struct wire_setup setup = setup_of(variant);
    setup.config = &config;
    wire_open(&w, &setup);
    uint32_t old_nxt = w.peer.irs;
    send_reuse(&w, r);
    if (!r->accepted) {
        WIRE_QUIET(&w);
        assert_int_equal(wire_state(&w), HF_TIME_WAIT);
        assert_int_equal(hf_stack_count(w.rig.stack, HF_DROP_SYN_TIME_WAIT), 1);
        assert_true(wire_is_about(wire_until_state(&w, HF_CLOSED, HF_SEC(99)), TIME_WAIT_NS));
    } else {
        assert_true(hf_peer_pop(&w.peer));
        assert_int_equal(w.peer.last.segment.flags, HF_SYN | HF_ACK);
        assert_true((int32_t)(w.peer.last.segment.seq - old_nxt) > 65535);
        assert_int_equal(wire_state(&w), HF_SYN_RCVD);
    }
    WIRE_QUIET(&w);
    wire_close(&w);
}

/* covers: SM-TMW-1s-tw-isn, SHLD-4, CO-1122-11, CO-6191-06 */
static void a_newer_syn_opens_it_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < HF_COUNT_OF(reuses); i++)
        for (unsigned variant = 0; variant < 2 * WIRE_VARIANTS; variant++)
            for (int place = 0; place < PLACES; place++)
                if (reuses[i].old_ts == ((variant & WIRE_OPTIONS) != 0))
                    open_again(&reuses[i], variant, place);
}

/* Opens the tuple anew by a SYN at number 100000 and pops the SYN,ACK. */
static void reopen(struct wire *w)
{
    hf_peer_send(&w->peer,
                 w->peer.timestamps ? "S seq 100000 <mss 1460,TS>" : "S seq 100000 <mss 1460>");
    assert_true(hf_peer_pop(&w->peer));
    assert_int_equal(w->peer.last.segment.flags, HF_SYN | HF_ACK);
    w->peer.iss += 100000;
    w->peer.snd_nxt = w->peer.iss + 1;
}

/* covers: SM-TMW-1s-tw-isn, MAY-2 */
static void the_new_connection_works(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 2 * WIRE_VARIANTS * PLACES; k++) {
        struct wire w;
        struct hf_config config = config_of(k % PLACES);
        struct wire_setup setup = setup_of(k / PLACES);
        setup.config = &config;
        wire_open(&w, &setup);
        w.peer.ts_base += 10;
        reopen(&w);
        hf_peer_send(&w.peer, ".");
        assert_int_equal(wire_state(&w), HF_ESTABLISHED);
        struct hf_stack_info info;
        hf_stack_info(w.rig.stack, &info);
        assert_int_equal(info.time_wait, 0);
        assert_int_equal(info.half_open, 0);
        hf_handle old = w.conn;
        bool let_go = setup.variant & WIRE_CLOSED;
        if (!let_go) {
            assert_int_equal(wire_state(&w), HF_ESTABLISHED);
            assert_int_equal(wire_info(&w).state, HF_CLOSED); /* the old one is over at once */
        }
        struct hf_event e = {0};
        while (!(e.bits & HF_EV_ACCEPTED))
            assert_true(hf_stack_event(w.rig.stack, &e));
        assert_true(e.handle != old);
        if (!let_go)
            assert_int_equal(hf_close(w.rig.stack, old, w.rig.now_ns), HF_OK);
        hf_stack_info(w.rig.stack, &info);
        assert_int_equal(info.connections, 1);
        w.conn = e.handle;
        hf_peer_send(&w.peer, "P. len 500");
        assert_int_equal(wire_info(&w).receive_queue_bytes, 500);
        wire_write(&w, 700);
        assert_true(hf_peer_pop(&w.peer));
        while (w.peer.last.segment.payload_bytes == 0)
            assert_true(hf_peer_pop(&w.peer));
        assert_int_equal(w.peer.last.segment.payload_bytes, 700);
        wire_close(&w);
    }
}

/* The SYN was an old duplicate after all: the peer resets, and TIME-WAIT is what it was.
 * covers: SM-TMW-1s-tw-isn, MAY-2 */
static void an_old_syn_gives_time_wait_back(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 2 * WIRE_VARIANTS * PLACES * 2; k++) {
        struct wire w;
        struct hf_config config = config_of(k % PLACES);
        struct wire_setup setup = setup_of(k / PLACES % (2 * WIRE_VARIANTS));
        setup.config = &config;
        wire_open(&w, &setup);
        uint32_t iss = w.peer.iss, irs = w.peer.irs;
        hf_rig_wait(&w.rig, HF_SEC(10));
        reopen(&w);
        assert_int_equal(wire_state(&w), HF_SYN_RCVD);
        if (k / PLACES >= 2 * WIRE_VARIANTS) { /* the application lets go meanwhile */
            wire_events(&w, NULL);
            if (!(setup.variant & WIRE_CLOSED))
                assert_int_equal(hf_close(w.rig.stack, w.conn, w.rig.now_ns), HF_OK);
        }
        hf_peer_send(&w.peer, "R seq 1");
        assert_int_equal(wire_state(&w), HF_TIME_WAIT);
        WIRE_QUIET(&w);
        w.peer.iss = iss;
        w.peer.irs = irs;
        hf_peer_send(&w.peer, ". seq -1 ack 0"); /* the old numbers are in force */
        WIRE_EXPECT(&w, ". seq 0 ack 0");
        assert_true(wire_is_about(wire_until_state(&w, HF_CLOSED, HF_SEC(999)), TIME_WAIT_NS));
        wire_close(&w);
    }
}

/* Nobody answers our SYN,ACK: back to TIME-WAIT while it lasts, and to nothing afterwards. */
static void a_syn_without_sequel_gives_time_wait_back(void **state)
{
    (void)state;
    for (int k = 0; k < 2 * PLACES; k++) {
        bool late = k / PLACES;
        struct hf_config config = config_of(k % PLACES);
        config.synack_retries = 2;
        struct wire w;
        struct wire_setup setup = setup_of(0);
        setup.config = &config;
        wire_open(&w, &setup);
        hf_rig_wait(&w.rig, late ? HF_SEC(55) : HF_SEC(10));
        reopen(&w);
        hf_rig_wait(&w.rig, HF_MS(7100)); /* 1 + 2 + 4 s */
        assert_int_equal(hf_peer_skip(&w.peer), 2);
        assert_int_equal(wire_state(&w), late ? HF_CLOSED : HF_TIME_WAIT);
        struct hf_stack_info info;
        hf_stack_info(w.rig.stack, &info);
        assert_int_equal(info.half_open, 0);
        if (!late)
            assert_true(wire_is_about(wire_until_state(&w, HF_CLOSED, HF_SEC(99)), TIME_WAIT_NS));
        hf_stack_info(w.rig.stack, &info);
        assert_int_equal(info.time_wait, 0);
        wire_close(&w);
    }
}

/* What a held listener has no memory for leaves no mark: TIME-WAIT is what it was. */
static void a_hold_that_fails_gives_time_wait_back(void **state)
{
    (void)state;
    for (int place = 0; place < PLACES; place++) {
        unsigned failed = 0;
        for (unsigned nth = 1;; nth++) {
            struct wire w;
            struct hf_config config = config_of(place);
            struct wire_setup setup = setup_of(WIRE_CLOSED);
            setup.config = &config;
            wire_open(&w, &setup);
            assert_int_equal(hf_close(w.rig.stack, w.listener, w.rig.now_ns), HF_OK);
            struct hf_listen what = {.port = WIRE_STACK_PORT, .held = true, .max_per_remote = 1};
            assert_int_equal(hf_listen(w.rig.stack, &what, &w.listener, w.rig.now_ns), HF_OK);
            wire_events(&w, NULL);
            w.rig.account.failed = false;
            w.rig.account.fail_nth = w.rig.account.asked + nth;
            hf_peer_send(&w.peer, "S seq 100000 <mss 1460>");
            WIRE_QUIET(&w);
            if (!w.rig.account.failed) {
                assert_int_equal(wire_state(&w), HF_SYN_RCVD);
                wire_close(&w);
                break;
            }
            failed++;
            assert_int_equal(wire_state(&w), HF_TIME_WAIT);
            assert_int_equal(hf_stack_count(w.rig.stack, HF_DROP_SYN_LIMIT), 1);
            assert_int_equal(hf_rig_event(&w.rig).bits, 0);
            hf_peer_send(&w.peer, ". seq -1 ack 0");
            WIRE_EXPECT(&w, ". seq 0 ack 0");
            assert_true(wire_is_about(wire_until_state(&w, HF_CLOSED, HF_SEC(99)), TIME_WAIT_NS));
            struct hf_stack_info info;
            hf_stack_info(w.rig.stack, &info);
            assert_int_equal(info.connections + info.time_wait + info.local_addresses, 0);
            wire_close(&w);
        }
        assert_true(failed >= 2); /* the count of the remote address, and its table */
    }
}

/* A held request ends TIME-WAIT at once, in either place. */
static void a_held_request_ends_time_wait(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 2 * WIRE_VARIANTS * PLACES; k++) {
        struct wire w;
        struct hf_config config = config_of(k % PLACES);
        struct wire_setup setup = setup_of(k / PLACES);
        setup.config = &config;
        wire_open(&w, &setup);
        bool let_go = setup.variant & WIRE_CLOSED;
        assert_int_equal(hf_close(w.rig.stack, w.listener, w.rig.now_ns), HF_OK);
        struct hf_listen what = {.port = WIRE_STACK_PORT, .held = true};
        assert_int_equal(hf_listen(w.rig.stack, &what, &w.listener, w.rig.now_ns), HF_OK);
        uint32_t old_nxt = w.peer.irs;
        w.peer.ts_base += 10;
        hf_peer_send(&w.peer, w.peer.timestamps ? "S seq 100000 <mss 1460,TS>" : "S seq 100000");
        struct hf_event e = {0};
        while (!(e.bits & HF_EV_SYN))
            assert_true(hf_stack_event(w.rig.stack, &e));
        if (!let_go)
            assert_int_equal(hf_close(w.rig.stack, w.conn, w.rig.now_ns), HF_OK);
        struct hf_stack_info info;
        hf_stack_info(w.rig.stack, &info);
        assert_int_equal(info.connections, 1);
        assert_int_equal(info.time_wait, 0);
        assert_int_equal(hf_admit(w.rig.stack, e.handle, w.rig.now_ns), HF_OK);
        hf_rig_pull(&w.rig);
        assert_true(hf_peer_pop(&w.peer));
        assert_int_equal(w.peer.last.segment.flags, HF_SYN | HF_ACK);
        assert_true((int32_t)(w.peer.last.segment.seq - old_nxt) > 65535);
        wire_close(&w);
    }
}

/* The last ACK, said again, is the connection's in its IP header too. */
static void answers_carry_the_options_of_the_connection(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 2 * PLACES; k++) {
        struct wire w;
        struct hf_config config = config_of((int)k % PLACES);
        struct wire_setup setup = {
            .state = HF_FIN_WAIT_2, .variant = k / PLACES ? WIRE_V6 : 0, .config = &config};
        wire_open(&w, &setup);
        assert_int_equal(hf_set(w.rig.stack, w.conn, HF_OPT_TTL, 9, w.rig.now_ns), HF_OK);
        assert_int_equal(hf_set(w.rig.stack, w.conn, HF_OPT_DSCP, 46, w.rig.now_ns), HF_OK);
        for (int i = 0; i < 2; i++) {
            hf_peer_send(&w.peer, "F. seq 0 ack 0");
            WIRE_EXPECT(&w, ". seq 0 ack 1");
            assert_int_equal(w.peer.last.ip.ttl, 9);
            assert_int_equal(w.peer.last.ip.traffic_class, 46 << 2);
            assert_int_equal(wire_state(&w), HF_TIME_WAIT);
        }
        wire_close(&w);
    }
}

/* Without a listener there is nothing to open: a SYN is challenged like any other. */
static void without_a_listener_a_syn_is_challenged(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++) {
        struct wire w;
        struct wire_setup setup = setup_of(variant);
        wire_open(&w, &setup);
        assert_int_equal(hf_close(w.rig.stack, w.listener, w.rig.now_ns), HF_OK);
        hf_peer_send(&w.peer, "S seq 1000000");
        WIRE_EXPECT(&w, ". seq 0 ack 0");
        assert_int_equal(wire_state(&w), HF_TIME_WAIT);
        wire_close(&w);
    }
}

/* ---- limits ---- */

static void answers_are_limited(void **state)
{
    (void)state;
    static const char *const segments[] = {". seq -1 ack 0", ". seq 0 ack 10", "P. seq 0:10 ack 0"};
    for (size_t i = 0; i < HF_COUNT_OF(segments); i++) {
        struct wire w;
        struct wire_setup setup = setup_of(WIRE_OPTIONS);
        wire_open(&w, &setup);
        for (int k = 0; k < 50; k++)
            hf_peer_send(&w.peer, segments[i]);
        assert_int_equal(hf_peer_skip(&w.peer), 10);
        hf_rig_wait(&w.rig, HF_SEC(5));
        hf_peer_send(&w.peer, segments[i]);
        WIRE_EXPECT(&w, ". seq 0 ack 0");
        wire_close(&w);
    }
}

/* No room for an entry: the connection itself waits, by the same rules. */
static void a_connection_without_an_entry_waits_itself(void **state)
{
    (void)state;
    struct hf_config config;
    hf_config_init(&config, sizeof config);
    config.max_time_wait = 0;
    for (unsigned variant = 0; variant < 2 * WIRE_VARIANTS; variant++) {
        struct wire w;
        struct wire_setup setup = setup_of(variant);
        setup.config = &config;
        wire_open(&w, &setup);
        assert_int_equal(hf_stack_count(w.rig.stack, HF_LIMIT_TIME_WAIT), 1);
        hf_rig_wait(&w.rig, HF_SEC(20));
        hf_peer_send(&w.peer, "F. seq -1 ack 0");
        WIRE_EXPECT(&w, ". seq 0 ack 0");
        hf_peer_send(&w.peer, "R seq 0");
        hf_peer_send(&w.peer, ". seq 0 ack 0");
        WIRE_QUIET(&w);
        enum hf_closed how = HF_CLOSED_NOT;
        if (variant & WIRE_CLOSED)
            assert_int_equal(wire_events(&w, &how), HF_EV_CLOSED);
        hf_ns end_ns = wire_until_state(&w, HF_CLOSED, HF_SEC(3600));
        assert_true(wire_is_about(end_ns, HF_SEC(20) + TIME_WAIT_NS));
        assert_int_equal(wire_events(&w, &how), 0);
        if (!(variant & WIRE_CLOSED))
            assert_int_equal(hf_close(w.rig.stack, w.conn, w.rig.now_ns), HF_OK);
        struct hf_stack_info info;
        hf_stack_info(w.rig.stack, &info);
        assert_int_equal(info.connections, 0);
        wire_close(&w);
    }
}

#define IN_BOTH_PLACES(f)                                                                          \
    {#f, f, wait_in_entry, NULL, NULL},                                                            \
    {                                                                                              \
#f " in_conn", f, wait_in_conn, wait_in_entry, NULL                                        \
    }

int main(void)
{
    wait_in_entry(NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(common_rows),
        cmocka_unit_test(it_lasts_two_msl),
        IN_BOTH_PLACES(a_fin_again_is_acknowledged_and_restarts_the_time),
        IN_BOTH_PLACES(nothing_else_restarts_the_time),
        IN_BOTH_PLACES(empty_acks_inside_the_window_are_not_answered),
        IN_BOTH_PLACES(the_latest_timestamp_is_echoed),
        IN_BOTH_PLACES(no_reset_ends_it),
        IN_BOTH_PLACES(the_answer_to_our_answer_does_not_end_it),
        cmocka_unit_test(a_newer_syn_opens_it_again),
        cmocka_unit_test(the_new_connection_works),
        cmocka_unit_test(an_old_syn_gives_time_wait_back),
        cmocka_unit_test(a_syn_without_sequel_gives_time_wait_back),
        cmocka_unit_test(a_hold_that_fails_gives_time_wait_back),
        cmocka_unit_test(a_held_request_ends_time_wait),
        IN_BOTH_PLACES(answers_carry_the_options_of_the_connection),
        IN_BOTH_PLACES(without_a_listener_a_syn_is_challenged),
        IN_BOTH_PLACES(answers_are_limited),
        cmocka_unit_test(a_connection_without_an_entry_waits_itself),
    };
    return cmocka_run_group_tests_name("sm_time_wait", tests, NULL, NULL);
}
