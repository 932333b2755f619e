/**
 * The life of one connection, checked on both sides. See interop_cases.h.
 */
#include "support/interop_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    TALK_BYTES = 50000, /* each way: some full segments and a rest */
    BULK_BYTES = 10 * 1000 * 1000,
    KERNEL_PORT = 20000,
    OWN_PORT = 30000,
    SECOND_PORT = 5000, /* added for the second connection of a case */
    PATIENCE_S = 20,
    SYN_PATIENCE_MS = 300,
};

static const hf_ns msl_ns = HF_MS(60);

static const char *const opening_names[OPENING_COUNT] = {"we accept", "we connect", "both connect"};
static const char *const close_names[CLOSE_COUNT] = {"peer closes first",
                                                     "we close first",
                                                     "both close at once",
                                                     "half-close, 10 MB to us",
                                                     "half-close, 10 MB from us",
                                                     "we abort",
                                                     "peer aborts",
                                                     "closed port",
                                                     "silent port"};

void interop_run_init(struct interop_run *run, const struct interop_case *what, unsigned number)
{
    *run = (struct interop_run){.what = *what, .number = number};
    (void)snprintf(run->name, sizeof run->name, "%s, %s, %s%s%s%s", what->v6 ? "IPv6" : "IPv4",
                   opening_names[what->opening], close_names[what->close], what->drop ? ", " : "",
                   what->drop ? what->drop : "", what->plain ? ", plain" : "");
}

/* ---- plans ---------------------------------------------------------------------------------- */

struct plans {
    struct interop_plan ours, theirs;
};

static struct plans talk(enum interop_ending ours, enum interop_ending theirs)
{
    const struct interop_plan plan = {.send_bytes = TALK_BYTES, .expect_bytes = TALK_BYTES};
    struct plans p = {plan, plan};
    p.ours.ending = ours;
    p.theirs.ending = theirs;
    return p;
}

static struct plans half(void)
{
    return (struct plans){
        {.send_bytes = TALK_BYTES, .expect_bytes = BULK_BYTES, .ending = ENDING_HALF},
        {.send_bytes = BULK_BYTES,
         .expect_bytes = TALK_BYTES,
         .ending = ENDING_LAST,
         .sends_after_end = true}};
}

static struct plans plans_of(enum interop_close close)
{
    struct plans p = half();
    switch (close) {
    case CLOSE_PEER_FIRST: return talk(ENDING_LAST, ENDING_FIRST);
    case CLOSE_WE_FIRST: return talk(ENDING_FIRST, ENDING_LAST);
    case CLOSE_BOTH: return talk(ENDING_TOGETHER, ENDING_TOGETHER);
    case CLOSE_HALF_OURS: return p;
    case CLOSE_HALF_PEERS: return (struct plans){p.theirs, p.ours};
    case CLOSE_WE_ABORT: return talk(ENDING_ABORT, ENDING_NONE);
    case CLOSE_PEER_ABORTS: return talk(ENDING_NONE, ENDING_ABORT);
    case CLOSE_CLOSED_PORT:
    case CLOSE_SILENT_PORT: break;
    }
    return (struct plans){{.ending = ENDING_NONE}, {.ending = ENDING_NONE}};
}

/* ---- what must come of it ------------------------------------------------------------------- */

struct outcome {
    char trail[INTEROP_TRAIL_BYTES];
    enum hf_closed how;
    enum hf_state own_state;
    int kernel_state;
    int own_error, kernel_error; /* of the calls */
};

static const char *opening_trail(const struct interop_case *what)
{
    switch (what->opening) {
    case OPENING_WE_ACCEPT: return "SYN-RCVD ESTABLISHED";
    case OPENING_WE_CONNECT: return "SYN-SENT ESTABLISHED";
    case OPENING_BOTH:
        /* If the kernel's SYN is lost, it answers ours before its own comes again. */
        return what->drop && strstr(what->drop, "in syn ") ? "SYN-SENT ESTABLISHED"
                                                           : "SYN-SENT SYN-RCVD ESTABLISHED";
    }
    return "";
}

static const char *closing_trail(enum interop_close close)
{
    switch (close) {
    case CLOSE_PEER_FIRST:
    case CLOSE_HALF_PEERS: return "CLOSE-WAIT LAST-ACK CLOSED";
    case CLOSE_WE_FIRST:
    case CLOSE_HALF_OURS: return "FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT";
    case CLOSE_BOTH: return "FIN-WAIT-1 CLOSING TIME-WAIT";
    case CLOSE_WE_ABORT:
    case CLOSE_PEER_ABORTS:
    case CLOSE_CLOSED_PORT:
    case CLOSE_SILENT_PORT: break;
    }
    return "CLOSED";
}

static bool ends_in_time_wait(enum interop_close close)
{
    return close == CLOSE_WE_FIRST || close == CLOSE_HALF_OURS || close == CLOSE_BOTH;
}

static struct outcome outcome_of(const struct interop_case *what)
{
    struct outcome o = {.how = HF_CLOSED_FIN, .own_state = HF_CLOSED};
    bool waits = ends_in_time_wait(what->close);
    (void)snprintf(o.trail, sizeof o.trail, "%s %s%s", opening_trail(what),
                   closing_trail(what->close), waits && !what->keeps_time_wait ? " CLOSED" : "");
    if (waits && what->keeps_time_wait)
        o.own_state = HF_TIME_WAIT;
    if (what->close == CLOSE_PEER_FIRST || what->close == CLOSE_HALF_PEERS ||
        what->close == CLOSE_BOTH)
        o.kernel_state = TCP_TIME_WAIT;
    if (what->close == CLOSE_WE_ABORT) {
        o.how = HF_CLOSED_ABORTED;
        o.kernel_error = ECONNRESET;
    }
    if (what->close == CLOSE_PEER_ABORTS) {
        o.how = HF_CLOSED_RESET;
        o.own_error = HF_E_RESET;
    }
    return o;
}

static bool is_over(const struct interop *w)
{
    return w->ours_count == 1 && w->theirs_count == 1 && w->ours[0].over && w->ours[0].let_go &&
           w->theirs[0].fd < 0;
}

/* The ends are done, and both sides have come to the state that must be left. */
static bool has_settled(const struct interop *w)
{
    const struct interop_ours *o = &w->ours[0];
    if (!is_over(w))
        return false;
    enum hf_state own = interop_own_state(w, o->own_port, o->kernel_port);
    int kernel = interop_kernel_state(w, o->kernel_port, o->own_port);
    return (own == HF_CLOSED || own == HF_TIME_WAIT) && (kernel == 0 || kernel == TCP_TIME_WAIT);
}

static bool time_wait_is_over(const struct interop *w)
{
    struct hf_stack_info info;
    hf_stack_info(w->stack, &info);
    return info.time_wait == 0;
}

/* ---- opening -------------------------------------------------------------------------------- */

/* Handshake packets take their time, so that the SYNs cross; likewise FINs and the ACKs of them. */
static void rules_of(const struct interop_case *what, char text[256])
{
    (void)snprintf(
        text, 256, "%s%s%s", what->drop ? what->drop : "",
        what->opening == OPENING_BOTH ? ";delay 5ms syn;delay 5ms synack;delay 5ms third-ack" : "",
        what->close == CLOSE_BOTH ? ";delay 5ms fin;delay 5ms ack" : "");
    if (text[0] == ';')
        memmove(text, text + 1, strlen(text));
}

static void open_place(struct interop_run *run)
{
    struct hf_config cfg;
    char rules[256];
    interop_config(&cfg);
    cfg.msl_ns = msl_ns;
    if (run->what.keeps_time_wait)
        cfg.msl_ns = HF_SEC(30);
    if (run->what.drop)
        cfg.rto_initial_ns = HF_MS(300);
    if (run->what.close == CLOSE_SILENT_PORT) {
        cfg.rst_rate = 0; /* our closed ports are silent ones */
        cfg.rto_initial_ns = cfg.rto_min_ns = HF_MS(50);
        cfg.syn_retries = 2;
    }
    rules_of(&run->what, rules);
    const struct interop_setup setup = {
        .v6 = run->what.v6, .spoil = rules, .config = &cfg, .plain = run->what.plain};
    run->w = interop_open(&setup);
}

static void open_connection(struct interop *w, enum interop_opening opening, uint16_t own_port,
                            uint16_t kernel_port, const struct plans *plans)
{
    w->our_plan = plans->ours;
    w->their_plan = plans->theirs;
    w->trail_own_port = own_port;
    w->trail_kernel_port = kernel_port;
    switch (opening) {
    case OPENING_WE_ACCEPT:
        interop_listen(w, own_port);
        interop_kernel_connect(w, kernel_port, own_port, &plans->theirs);
        return;
    case OPENING_WE_CONNECT:
        interop_kernel_listen(w, kernel_port);
        interop_connect(w, own_port, kernel_port, &plans->ours);
        return;
    case OPENING_BOTH:
        interop_kernel_connect(w, kernel_port, own_port, &plans->theirs);
        interop_connect(w, own_port, kernel_port, &plans->ours);
        return;
    }
}

/* ---- running -------------------------------------------------------------------------------- */

static void check_outcome(const struct interop_run *run, const struct outcome *expected)
{
    const struct interop *w = run->w;
    const struct interop_ours *o = &w->ours[0];
    const struct interop_theirs *t = &w->theirs[0];
    struct hf_info info;
    assert_string_equal(expected->trail, w->trail);
    assert_int_equal(expected->how, o->how);
    assert_int_equal(1, o->closed_events);
    assert_int_equal(expected->own_error, o->error);
    assert_int_equal(expected->kernel_error, t->error);
    assert_int_equal(expected->own_state, interop_own_state(w, o->own_port, o->kernel_port));
    assert_int_equal(expected->kernel_state, interop_kernel_state(w, o->kernel_port, o->own_port));
    assert_int_equal(HF_E_HANDLE, hf_info(w->stack, o->handle, &info));
    assert_false(w->wrong_data);
    assert_int_equal(o->plan.send_bytes, t->received);
    assert_int_equal(t->plan.send_bytes, o->received);
    hf_ns lasted_ns = w->trail_ns - w->trail_before_ns;
    if (ends_in_time_wait(run->what.close) && !run->what.keeps_time_wait)
        assert_in_range(lasted_ns, 2 * msl_ns, 2 * msl_ns + HF_SEC(1));
    if (run->what.drop)
        assert_int_equal(1, hf_link_spoil_hits(w->spoil, 0));
}

static void check_memory(const struct interop *w)
{
    struct hf_stack_info info;
    hf_stack_info(w->stack, &info);
    assert_int_equal(0, info.connections);
    assert_int_equal(0, info.half_open);
    assert_int_equal(0, info.flights);
    assert_int_equal(0, info.pool_used_bytes);
}

static bool settles(const struct interop *w, bool time_wait_too)
{
    return has_settled(w) && (!time_wait_too || time_wait_is_over(w));
}

static bool settles_at_all(const struct interop *w)
{
    return settles(w, false);
}

static bool settles_for_good(const struct interop *w)
{
    return settles(w, true);
}

static void run_connection(struct interop_run *run)
{
    struct outcome expected = outcome_of(&run->what);
    struct plans plans = plans_of(run->what.close);
    if (run->what.drop && strstr(run->what.drop, "third-ack"))
        *(run->what.opening == OPENING_WE_ACCEPT ? &plans.theirs : &plans.ours) =
            (struct interop_plan){.send_bytes = TALK_BYTES,
                                  .expect_bytes = TALK_BYTES,
                                  .ending = run->what.opening == OPENING_WE_ACCEPT
                                                ? plans.theirs.ending
                                                : plans.ours.ending,
                                  .speaks_second = true}; /* its data would do instead of the ACK */
    open_connection(run->w, run->what.opening, (uint16_t)(OWN_PORT + run->number),
                    (uint16_t)(KERNEL_PORT + run->number), &plans);
    bool settled = interop_run(
        run->w, run->what.keeps_time_wait ? settles_at_all : settles_for_good, HF_SEC(PATIENCE_S));
    if (!settled)
        fail_msg("not over after %d s", PATIENCE_S);
    check_outcome(run, &expected);
    check_memory(run->w);
}

static bool all_have_failed(const struct interop *w)
{
    for (size_t i = 0; i < w->ours_count; i++)
        if (!w->ours[i].over)
            return false;
    for (size_t i = 0; i < w->theirs_count; i++)
        if (w->theirs[i].error == 0)
            return false;
    return true;
}

/* Nobody answers or takes it: one attempt from each side that opens. */
static void run_refusal(struct interop_run *run)
{
    struct interop *w = run->w;
    bool silent = run->what.close == CLOSE_SILENT_PORT;
    const struct interop_plan nothing = {.ending = ENDING_NONE};
    uint16_t own = (uint16_t)(OWN_PORT + run->number);
    uint16_t kernel = (uint16_t)(KERNEL_PORT + run->number);
    const int patience_ms = SYN_PATIENCE_MS;
    if (run->what.opening != OPENING_WE_CONNECT) {
        const struct interop_theirs *t = interop_kernel_connect(
            w, (uint16_t)(kernel + SECOND_PORT), (uint16_t)(own + SECOND_PORT), &nothing);
        (void)setsockopt(t->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience_ms, sizeof patience_ms);
    }
    w->trail_own_port = own;
    w->trail_kernel_port = kernel;
    if (run->what.opening != OPENING_WE_ACCEPT && silent)
        interop_connect_nobody(w, own, kernel);
    else if (run->what.opening != OPENING_WE_ACCEPT)
        interop_connect(w, own, kernel, &nothing);
    if (!interop_run(w, all_have_failed, HF_SEC(PATIENCE_S)))
        fail_msg("not over after %d s", PATIENCE_S);
    if (w->ours_count > 0) {
        assert_string_equal("SYN-SENT CLOSED", w->trail);
        assert_int_equal(silent ? HF_CLOSED_TIMED_OUT : HF_CLOSED_REFUSED, w->ours[0].how);
        assert_int_equal(1, w->ours[0].closed_events);
        assert_false(w->ours[0].opened);
    }
    if (w->theirs_count > 0) {
        assert_int_equal(silent ? ETIMEDOUT : ECONNREFUSED, w->theirs[0].error);
        assert_int_equal(0, interop_kernel_state(w, (uint16_t)(kernel + SECOND_PORT),
                                                 (uint16_t)(own + SECOND_PORT)));
    }
    check_memory(w);
}

void interop_run_test(void **state)
{
    struct interop_run *run = *state;
    hf_ns start_ns = hf_host_now();
    open_place(run);
    if (run->what.close == CLOSE_CLOSED_PORT || run->what.close == CLOSE_SILENT_PORT)
        run_refusal(run);
    else
        run_connection(run);
    print_message("%s: %lld ms\n", run->name, (long long)((hf_host_now() - start_ns) / HF_MS(1)));
    interop_close(run->w);
    run->w = NULL;
}

int interop_run_teardown(void **state)
{
    struct interop_run *run = *state;
    if (run->w) { /* it failed */
        interop_tell(run->w);
        interop_close(run->w);
        run->w = NULL;
    }
    return 0;
}

int interop_run_all(const char *group, struct interop_run *runs, size_t count)
{
    struct CMUnitTest *tests = calloc(count, sizeof *tests);
    if (!tests)
        return 1;
    for (size_t i = 0; i < count; i++)
        tests[i] = (struct CMUnitTest){.name = runs[i].name,
                                       .test_func = interop_run_test,
                                       .teardown_func = interop_run_teardown,
                                       .initial_state = &runs[i]};
    int failed = _cmocka_run_group_tests(group, tests, count, NULL, NULL);
    free(tests);
    return failed;
}
