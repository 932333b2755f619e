/**
 * The table of common rows and what runs it. Owns no state; wire_states.c makes the connections.
 */
#include "wire_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BIT(state) (1u << (HF_##state))
enum {
    E = BIT(ESTABLISHED),
    F1 = BIT(FIN_WAIT_1),
    F2 = BIT(FIN_WAIT_2),
    CW = BIT(CLOSE_WAIT),
    CL = BIT(CLOSING),
    LA = BIT(LAST_ACK),
    TW = BIT(TIME_WAIT),
    ALL = E | F1 | F2 | CW | CL | LA | TW,
    CONNS = ALL & ~TW, /* states of a whole connection */
    AFTER_FIN = CW | CL | LA,
};

enum { ANY, WITH_OPTIONS, HALF_CLOSED };

/* Where "seq" and "ack" count from. */
enum { FROM_NEXT, SEQ_FROM_EDGE, ACK_FROM_OLDEST };

/* The segment leaves no mark: nothing that hf_info tells may change. */
enum { MARKS, REFUSED };

/* Not STAYS: the state that follows. */
#define STAYS HF_LISTEN

struct row {
    unsigned states;
    int only;
    int from;
    const char *segment;
    const char *answer; /* NULL: nothing */
    int refused;
    enum hf_reason counted; /* once; HF_NONE: no drop at all */
    enum hf_state next;
    int ts_shift_ms; /* added to the timestamp */
    bool no_ts;      /* the timestamp is missing */
};

#define ACK_NOW ". seq 0 ack 0"

static const struct row rows[] = {
    /* covers: SM-EST-1a-paws, SM-FW1-1a-paws, SM-FW2-1a-paws, SM-CLW-1a-paws, SM-CLG-1a-paws,
     * SM-LAK-1a-paws, SM-TMW-1a-paws */
    {ALL, WITH_OPTIONS, FROM_NEXT, ". seq 0 ack 0", ACK_NOW, REFUSED, HF_DROP_PAWS, STAYS, -1, 0},
    {ALL, WITH_OPTIONS, FROM_NEXT, "P. seq 0:100 ack 0", ACK_NOW, REFUSED, HF_DROP_PAWS, STAYS,
     -900, 0},
    {ALL, WITH_OPTIONS, FROM_NEXT, "F. seq 0 ack 0", ACK_NOW, REFUSED, HF_DROP_PAWS, STAYS, -1, 0},
    {ALL, WITH_OPTIONS, FROM_NEXT, "S seq 0", ACK_NOW, REFUSED, HF_DROP_PAWS, STAYS, -1, 0},
    {ALL, WITH_OPTIONS, SEQ_FROM_EDGE, "P. seq 0:100 ack 0", ACK_NOW, REFUSED, HF_DROP_PAWS, STAYS,
     -1, 0}, /* before the window test */
    /* covers: SM-EST-1a-nots, SM-FW1-1a-nots, SM-FW2-1a-nots, SM-CLW-1a-nots, SM-CLG-1a-nots,
     * SM-LAK-1a-nots, SM-TMW-1a-nots */
    {ALL, WITH_OPTIONS, FROM_NEXT, ". seq 0 ack 0", NULL, REFUSED, HF_DROP_NO_TIMESTAMP, STAYS, 0,
     true},
    {ALL, WITH_OPTIONS, FROM_NEXT, "P. seq 0:100 ack 0", NULL, REFUSED, HF_DROP_NO_TIMESTAMP, STAYS,
     0, true},
    {ALL, WITH_OPTIONS, FROM_NEXT, "F. seq 0 ack 0", NULL, REFUSED, HF_DROP_NO_TIMESTAMP, STAYS, 0,
     true},
    /* covers: SM-EST-1b-win-rst, SM-FW1-1b-win-rst, SM-FW2-1b-win-rst, SM-CLW-1b-win-rst,
     * SM-CLG-1b-win-rst, SM-LAK-1b-win-rst, SM-TMW-1b-win-rst */
    {ALL, ANY, FROM_NEXT, "R seq -1", NULL, REFUSED, HF_DROP_RST_OUT_OF_WINDOW, STAYS, 0, 0},
    {ALL, ANY, FROM_NEXT, "R. seq -1000 ack 0", NULL, REFUSED, HF_DROP_RST_OUT_OF_WINDOW, STAYS, 0,
     0},
    {ALL, ANY, SEQ_FROM_EDGE, "R seq 0", NULL, REFUSED, HF_DROP_RST_OUT_OF_WINDOW, STAYS, 0, 0},
    {ALL, ANY, SEQ_FROM_EDGE, "R. seq 100000 ack 0", NULL, REFUSED, HF_DROP_RST_OUT_OF_WINDOW,
     STAYS, 0, 0},
    /* covers: SM-EST-1b-win, SM-FW1-1b-win, SM-FW2-1b-win, SM-CLW-1b-win, SM-CLG-1b-win,
     * SM-LAK-1b-win, SM-TMW-1b-win, UN-04 */
    {CONNS, ANY, FROM_NEXT, ". seq -1 ack 0", ACK_NOW, REFUSED, HF_DROP_OLD_DUPLICATE, STAYS, 0, 0},
    {CONNS, ANY, FROM_NEXT, "P. seq -100:0 ack 0", ACK_NOW, REFUSED, HF_DROP_OLD_DUPLICATE, STAYS,
     0, 0},
    {TW, ANY, FROM_NEXT, ". seq -1 ack 0", ACK_NOW, REFUSED, HF_DROP_OUT_OF_WINDOW, STAYS, 0, 0},
    {TW, ANY, FROM_NEXT, "P. seq -100:0 ack 0", ACK_NOW, REFUSED, HF_DROP_OUT_OF_WINDOW, STAYS, 0,
     0},
    {ALL, ANY, SEQ_FROM_EDGE, ". seq 0 ack 0", ACK_NOW, REFUSED, HF_DROP_OUT_OF_WINDOW, STAYS, 0,
     0},
    {ALL, ANY, SEQ_FROM_EDGE, "P. seq 0:1 ack 0", ACK_NOW, REFUSED, HF_DROP_OUT_OF_WINDOW, STAYS, 0,
     0},
    {ALL, ANY, SEQ_FROM_EDGE, "FP. seq 5000:5100 ack 0", ACK_NOW, REFUSED, HF_DROP_OUT_OF_WINDOW,
     STAYS, 0, 0},
    /* covers: SM-EST-2-rst-inwin, SM-FW1-2-rst-inwin, SM-FW2-2-rst-inwin, SM-CLW-2-rst-inwin,
     * SM-CLG-2-rst-inwin, SM-LAK-2-rst-inwin, SM-TMW-2-rst-inwin */
    {ALL, ANY, FROM_NEXT, "R seq 1", ACK_NOW, REFUSED, HF_DROP_RST_CHALLENGED, STAYS, 0, 0},
    {ALL, ANY, FROM_NEXT, "R. seq 1000 ack 0", ACK_NOW, REFUSED, HF_DROP_RST_CHALLENGED, STAYS, 0,
     0},
    {ALL, ANY, SEQ_FROM_EDGE, "R seq -200", ACK_NOW, REFUSED, HF_DROP_RST_CHALLENGED, STAYS, 0, 0},
    /* covers: SM-EST-2-rst, SM-FW1-2-rst, SM-FW2-2-rst, SM-CLW-2-rst, SM-CLG-2-rst, SM-LAK-2-rst,
     * SM-TMW-2-rst, SHLD-2 */
    {ALL, ANY, FROM_NEXT, "R seq 0", NULL, MARKS, HF_RST_IN_EXACT, HF_CLOSED, 0, 0},
    {ALL, ANY, FROM_NEXT, "R. seq 0 ack 0", NULL, MARKS, HF_RST_IN_EXACT, HF_CLOSED, 0, 0},
    {ALL, ANY, FROM_NEXT, "RP. seq 0:100 ack 0", NULL, MARKS, HF_RST_IN_EXACT, HF_CLOSED, 0, 0},
    {ALL, ANY, FROM_NEXT, "R seq 0 ack -5 <TS 1 1>", NULL, MARKS, HF_RST_IN_EXACT, HF_CLOSED, 0,
     0}, /* [RFC7323#5.2] a RST is not subject to PAWS */
    /* covers: SM-EST-4-syn, SM-FW1-4-syn, SM-FW2-4-syn, SM-CLW-4-syn, SM-CLG-4-syn, SM-LAK-4-syn,
     * SM-TMW-4-syn */
    {ALL, ANY, FROM_NEXT, "S seq 0", ACK_NOW, REFUSED, HF_DROP_SYN_CHALLENGED, STAYS, 0, 0},
    {ALL, ANY, FROM_NEXT, "S seq 1000 win 0", ACK_NOW, REFUSED, HF_DROP_SYN_CHALLENGED, STAYS, 0,
     0},
    {ALL, ANY, FROM_NEXT, "S. seq 0 ack 0", ACK_NOW, REFUSED, HF_DROP_SYN_CHALLENGED, STAYS, 0, 0},
    {ALL, ANY, FROM_NEXT, "S. seq -2 ack 0", ACK_NOW, REFUSED, HF_DROP_SYN_CHALLENGED, STAYS, 0, 0},
    {ALL, ANY, FROM_NEXT, "S seq -70000", ACK_NOW, REFUSED, HF_DROP_SYN_CHALLENGED, STAYS, 0, 0},
    {ALL, ANY, SEQ_FROM_EDGE, "S seq 70000", ACK_NOW, REFUSED, HF_DROP_SYN_CHALLENGED, STAYS, 0, 0},
    {ALL, ANY, FROM_NEXT, "SP. seq 0:100 ack 0", ACK_NOW, REFUSED, HF_DROP_SYN_CHALLENGED, STAYS, 0,
     0},
    /* covers: SM-EST-5-noack, SM-FW1-5-noack, SM-FW2-5-noack, SM-CLW-5-noack, SM-CLG-5-noack,
     * SM-LAK-5-noack, SM-TMW-5-noack */
    {ALL, ANY, FROM_NEXT, "- seq 0", NULL, REFUSED, HF_DROP_NO_ACK, STAYS, 0, 0},
    {ALL, ANY, FROM_NEXT, "P seq 0:100", NULL, REFUSED, HF_DROP_NO_ACK, STAYS, 0, 0},
    {ALL, ANY, FROM_NEXT, "FU seq 0 urg 10", NULL, REFUSED, HF_DROP_NO_ACK, STAYS, 0, 0},
    /* covers: SM-EST-5-ack-range, SM-FW1-5-ack-range, SM-FW2-5-ack-range, SM-CLW-5-ack-range,
     * SM-CLG-5-ack-range, SM-LAK-5-ack-range, SM-TMW-5-ack-range, MAY-12
     * covers: SM-EST-5-ack-future, SM-FW1-5-ack-future, SM-FW2-5-ack-future, SM-CLW-5-ack-future,
     * SM-CLG-5-ack-future */
    {ALL, ANY, FROM_NEXT, ". seq 0 ack 1", ACK_NOW, REFUSED, HF_DROP_ACK_UNSENT, STAYS, 0, 0},
    {ALL, ANY, FROM_NEXT, "P. seq 0:100 ack 1", ACK_NOW, REFUSED, HF_DROP_ACK_UNSENT, STAYS, 0, 0},
    {ALL, ANY, FROM_NEXT, "F. seq 0 ack 1000000", ACK_NOW, REFUSED, HF_DROP_ACK_UNSENT, STAYS, 0,
     0},
    {CONNS, ANY, ACK_FROM_OLDEST, ". seq 0 ack -1", ACK_NOW, REFUSED, HF_DROP_ACK_TOO_OLD, STAYS, 0,
     0},
    {CONNS, ANY, ACK_FROM_OLDEST, "FP. seq 0:100 ack -1", ACK_NOW, REFUSED, HF_DROP_ACK_TOO_OLD,
     STAYS, 0, 0},
    /* DEVIATION D-28: a time-wait entry does not keep MAX.SND.WND, and stays silent. */
    {TW, ANY, ACK_FROM_OLDEST, ". seq 0 ack -1", NULL, REFUSED, HF_DROP_OLD_DUPLICATE, STAYS, 0, 0},
    /* covers: SM-EST-5-ack-dup, SM-FW1-5-ack-dup, SM-FW2-5-ack-dup, SM-CLW-5-ack-dup,
     * SM-CLG-5-ack-dup */
    {CONNS, ANY, ACK_FROM_OLDEST, ". seq 0 ack 0", NULL, REFUSED, HF_NONE, STAYS, 0, 0},
    {CONNS, ANY, FROM_NEXT, ". seq 0 ack -1", NULL, REFUSED, HF_NONE, STAYS, 0, 0},
    /* covers: SM-CLW-6-urg, SM-CLG-6-urg, SM-LAK-6-urg, SM-TMW-6-urg */
    {AFTER_FIN, ANY, FROM_NEXT, "U. seq 0 ack -1 urg 10", NULL, REFUSED, HF_NONE, STAYS, 0, 0},
    {TW, ANY, FROM_NEXT, "U. seq 0 ack 0 urg 10", NULL, REFUSED, HF_DROP_OLD_DUPLICATE, STAYS, 0,
     0},
    {AFTER_FIN, ANY, FROM_NEXT, "UP. seq 0:100 ack -1 urg 10", NULL, REFUSED, HF_DROP_AFTER_FIN,
     STAYS, 0, 0},
    /* covers: SM-CLW-7-text, SM-CLG-7-text, SM-LAK-7-text, SM-TMW-7-text */
    {AFTER_FIN, ANY, FROM_NEXT, "P. seq 0:100 ack -1", NULL, REFUSED, HF_DROP_AFTER_FIN, STAYS, 0,
     0},
    {AFTER_FIN, ANY, FROM_NEXT, "P. seq -50:50 ack -1", NULL, REFUSED, HF_DROP_AFTER_FIN, STAYS, 0,
     0},
    {TW, ANY, FROM_NEXT, "P. seq 0:100 ack 0", ACK_NOW, REFUSED, HF_DROP_AFTER_FIN, STAYS, 0, 0},
    /* The peer's FIN again lies left of the window, so that the first check acknowledges it; one
     * at another place is wrong, and told so.
     * covers: SM-CLW-8-fin, SM-CLG-8-fin, SM-LAK-8-fin */
    {AFTER_FIN, ANY, FROM_NEXT, "F. seq -1 ack 0", ACK_NOW, REFUSED, HF_DROP_OLD_DUPLICATE, STAYS,
     0, 0},
    {AFTER_FIN, ANY, FROM_NEXT, "FP. seq -101:-1 ack -1", ACK_NOW, REFUSED, HF_DROP_OLD_DUPLICATE,
     STAYS, 0, 0},
    {AFTER_FIN, ANY, FROM_NEXT, "F. seq 0 ack -1", ACK_NOW, REFUSED, HF_DROP_AFTER_FIN, STAYS, 0,
     0},
    {AFTER_FIN, ANY, FROM_NEXT, "FP. seq 5:100 ack -1", ACK_NOW, REFUSED, HF_DROP_AFTER_FIN, STAYS,
     0, 0},
    /* covers: SM-CLG-5-finnot, SM-LAK-5-finnot */
    {CL | LA, ANY, FROM_NEXT, ". seq 0 ack -1", NULL, REFUSED, HF_NONE, STAYS, 0, 0},
    {CL | LA, ANY, FROM_NEXT, "F. seq -1 ack -1", ACK_NOW, REFUSED, HF_DROP_OLD_DUPLICATE, STAYS, 0,
     0},
    /* covers: SM-FW1-5-finacked, SM-CLG-5-finacked, SM-LAK-5-finacked */
    {F1, ANY, FROM_NEXT, ". seq 0 ack 0", NULL, MARKS, HF_NONE, HF_FIN_WAIT_2, 0, 0},
    {CL, ANY, FROM_NEXT, ". seq 0 ack 0", NULL, MARKS, HF_NONE, HF_TIME_WAIT, 0, 0},
    {LA, ANY, FROM_NEXT, ". seq 0 ack 0", NULL, MARKS, HF_NONE, HF_CLOSED, 0, 0},
    /* covers: SM-EST-8-fin, SM-FW1-8-fin-acked, SM-FW1-8-fin, SM-FW2-8-fin */
    {E, ANY, FROM_NEXT, "F. seq 0 ack 0", ". seq 0 ack 1", MARKS, HF_NONE, HF_CLOSE_WAIT, 0, 0},
    {F1, ANY, FROM_NEXT, "F. seq 0 ack 0", ". seq 0 ack 1", MARKS, HF_NONE, HF_TIME_WAIT, 0, 0},
    {F1, ANY, FROM_NEXT, "F. seq 0 ack -1", ". seq 0 ack 1", MARKS, HF_NONE, HF_CLOSING, 0, 0},
    {F2, ANY, FROM_NEXT, "F. seq 0 ack 0", ". seq 0 ack 1", MARKS, HF_NONE, HF_TIME_WAIT, 0, 0},
    {E, ANY, FROM_NEXT, "FP. seq 0:100 ack 0", ". seq 0 ack 101", MARKS, HF_NONE, HF_CLOSE_WAIT, 0,
     0},
    {F1, HALF_CLOSED, FROM_NEXT, "FP. seq 0:100 ack 0", ". seq 0 ack 101", MARKS, HF_NONE,
     HF_TIME_WAIT, 0, 0},
    {F1, HALF_CLOSED, FROM_NEXT, "FP. seq 0:100 ack -1", ". seq 0 ack 101", MARKS, HF_NONE,
     HF_CLOSING, 0, 0},
    {F2, HALF_CLOSED, FROM_NEXT, "FP. seq 0:100 ack 0", ". seq 0 ack 101", MARKS, HF_NONE,
     HF_TIME_WAIT, 0, 0},
};

/* ---- running ---- */

static uint64_t drops(const struct hf_stack *s)
{
    uint64_t sum = 0;
    for (int r = HF_DROP_IP_TRUNCATED; r <= HF_DROP_REPLY_RING; r++)
        sum += hf_stack_count(s, (enum hf_reason)r);
    return sum;
}

/* All rows are tried before the test fails: one fault of the stack often shows in several. */
static unsigned failures;

static void fail_row(const struct wire *w, const char *segment, const char *what)
{
    fprintf(stderr, "%s: \"%s\": %s\n", wire_name(&w->setup), segment, what);
    failures++;
}

/* What a refused segment may not change. */
static void compare(const struct wire *w, const char *segment, const struct hf_info *was,
                    hf_ns deadline_was_ns)
{
    struct hf_info is = wire_info(w);
    struct hf_tuple t = {0};
    wire_tuple(w, &t);
    bool numbers = is.snd_una == was->snd_una && is.snd_nxt == was->snd_nxt &&
                   is.rcv_nxt == was->rcv_nxt && is.snd_wnd_bytes == was->snd_wnd_bytes &&
                   is.ts_recent == was->ts_recent;
    bool queues = is.send_queue_bytes == was->send_queue_bytes &&
                  is.receive_queue_bytes == was->receive_queue_bytes &&
                  is.out_of_order_bytes == was->out_of_order_bytes &&
                  is.urgent_bytes == was->urgent_bytes && is.peer_closed == was->peer_closed;
    bool timers = is.rto_deadline_ns == was->rto_deadline_ns &&
                  is.life_deadline_ns == was->life_deadline_ns && is.rto_ns == was->rto_ns;
    if (!numbers)
        fail_row(w, segment, "a refused segment moved a number");
    if (!queues)
        fail_row(w, segment, "a refused segment changed a queue");
    if (!timers || is.cwnd_bytes != was->cwnd_bytes)
        fail_row(w, segment, "a refused segment moved a timer or the congestion window");
    if (wire_state(w) == HF_TIME_WAIT && t.deadline_ns != deadline_was_ns)
        fail_row(w, segment, "a refused segment moved the end of TIME-WAIT");
}

/* The peer's window when it was widest: of the SYN it counts bytes, later units. */
static uint32_t widest_window(const struct wire *w)
{
    return (uint32_t)w->peer.window << (w->setup.variant & WIRE_OPTIONS ? WIRE_PEER_SHIFT : 0);
}

static void send_row(struct wire *w, const struct row *row, const struct hf_info *info)
{
    struct hf_peer *p = &w->peer;
    uint32_t iss = p->iss, irs = p->irs, ts_base = p->ts_base;
    bool timestamps = p->timestamps;
    if (row->from == SEQ_FROM_EDGE)
        p->iss += info->rcv_wnd_bytes;
    if (row->from == ACK_FROM_OLDEST)
        p->irs = info->snd_una - widest_window(w);
    p->ts_base += (uint32_t)row->ts_shift_ms;
    p->timestamps = timestamps && !row->no_ts;
    hf_peer_send(p, row->segment);
    p->iss = iss;
    p->irs = irs;
    p->ts_base = ts_base;
    p->timestamps = timestamps;
}

static void run_row(const struct row *row, const struct wire_setup *setup)
{
    struct wire w;
    wire_open(&w, setup);
    struct hf_info was = wire_info(&w);
    struct hf_tuple tuple = {0};
    wire_tuple(&w, &tuple);
    uint64_t counted = hf_stack_count(w.rig.stack, row->counted);
    uint64_t dropped = drops(w.rig.stack);
    send_row(&w, row, &was);
    if (row->answer != NULL ? !hf_peer_expect(&w.peer, row->answer) : false)
        fail_row(&w, row->segment, "a wrong answer");
    if (!hf_peer_expect_nothing(&w.peer))
        fail_row(&w, row->segment, "more than the answer");
    enum hf_state next = row->next == STAYS ? setup->state : row->next;
    if (wire_state(&w) != next)
        fail_row(&w, row->segment, hf_state_name(wire_state(&w)));
    if (row->counted != HF_NONE && hf_stack_count(w.rig.stack, row->counted) != counted + 1)
        fail_row(&w, row->segment, hf_reason_name(row->counted));
    bool drop = row->counted >= HF_DROP_IP_TRUNCATED && row->counted <= HF_DROP_REPLY_RING;
    if (drops(w.rig.stack) != dropped + drop)
        fail_row(&w, row->segment, "the drops are not counted once");
    if (row->refused)
        compare(&w, row->segment, &was, tuple.deadline_ns);
    wire_close(&w);
}

/* TIME-WAIT that goes by the letter of RFC 9293: a RST may end it, a SYN may not open it. */
static struct hf_config config_of(enum hf_state state)
{
    struct hf_config config;
    hf_config_init(&config, sizeof config);
    if (state == HF_TIME_WAIT) {
        config.time_wait_rst = 1;
        config.time_wait_reuse = 0;
    }
    return config;
}

size_t wire_rows_run(enum hf_state state)
{
    struct hf_config config = config_of(state);
    size_t runs = 0;
    failures = 0;
    bool closes = state != HF_ESTABLISHED && state != HF_CLOSE_WAIT;
    unsigned variants = closes ? 2 * WIRE_VARIANTS : WIRE_VARIANTS;
    for (size_t i = 0; i < HF_COUNT_OF(rows); i++)
        for (unsigned variant = 0; variant < variants; variant++) {
            const struct row *row = &rows[i];
            if (!(row->states & 1u << state) ||
                (row->only == WITH_OPTIONS && !(variant & WIRE_OPTIONS)) ||
                (row->only == HALF_CLOSED && (variant & WIRE_CLOSED)))
                continue;
            run_row(row, &(struct wire_setup){state, variant, &config, 0, 0});
            runs++;
        }
    assert_int_equal(failures, 0);
    return runs;
}

/* ---- below the state machine ---- */

enum fault {
    CHECKSUM,
    OFFSET_SMALL,
    OFFSET_LONG,
    CUT_SHORT,
    FROM_MULTICAST,
    FROM_BROADCAST,
    FROM_ANY,
    TO_MULTICAST,
    TO_BROADCAST,
    FAULTS
};

static enum hf_reason reason_of(enum fault f)
{
    switch (f) {
    case CHECKSUM: return HF_DROP_TCP_CHECKSUM;
    case OFFSET_SMALL:
    case OFFSET_LONG: return HF_DROP_TCP_HEADER;
    case CUT_SHORT: return HF_DROP_TCP_TRUNCATED;
    case FROM_MULTICAST:
    case FROM_BROADCAST:
    case FROM_ANY:
    case TO_MULTICAST:
    case TO_BROADCAST: return HF_DROP_IP_ADDRESS;
    case FAULTS: break;
    }
    return HF_NONE;
}

static struct hf_addr bad_address(enum fault f, bool v6)
{
    if (f == FROM_ANY)
        return v6 ? HF_ADDR_ANY : hf_addr_v4(0, 0, 0, 0);
    if (v6)
        return (struct hf_addr){{0xFF, 0x02, [15] = 1}};
    bool multicast = f == FROM_MULTICAST || f == TO_MULTICAST;
    return multicast ? hf_addr_v4(224, 0, 0, 1) : hf_addr_v4(255, 255, 255, 255);
}

/* A RST that would end the connection if it were whole. */
static uint32_t broken_packet(const struct wire *w, enum fault f, uint8_t *bytes)
{
    struct hf_peer p = w->peer;
    if (f >= FROM_MULTICAST && f <= FROM_ANY)
        p.here.addr = bad_address(f, w->setup.variant & WIRE_V6);
    if (f >= TO_MULTICAST)
        p.there.addr = bad_address(f, w->setup.variant & WIRE_V6);
    p.add_to_checksum = f == CHECKSUM;
    struct hf_segment rst = {.seq = p.iss, .ack = p.irs, .flags = HF_RST | HF_ACK};
    uint32_t n = hf_peer_packet(&p, &rst, NULL, bytes);
    uint8_t *tcp = bytes + n - HF_TCP_HEADER_BYTES;
    uint8_t words = f == OFFSET_SMALL ? 4 : 6;
    if (f == OFFSET_SMALL || f == OFFSET_LONG) {
        tcp[12] = (uint8_t)(words << 4);
        hf_put16(tcp + 16, 0);
        hf_sum sum =
            hf_ip_pseudo_sum(&p.here.addr, &p.there.addr, HF_IP_PROTO_TCP, HF_TCP_HEADER_BYTES);
        sum = hf_sum_bytes(sum, tcp, HF_TCP_HEADER_BYTES);
        hf_put16(tcp + 16, hf_sum_checksum(sum));
    }
    return n;
}

static void shorten(uint8_t *bytes, uint32_t *n, bool v6)
{
    *n -= 4;
    if (v6) {
        hf_put16(bytes + 4, (uint16_t)(*n - HF_IPV6_HEADER_BYTES));
        return;
    }
    hf_put16(bytes + 2, (uint16_t)*n);
    hf_put16(bytes + 10, 0);
    hf_put16(bytes + 10, hf_sum_checksum(hf_sum_bytes(0, bytes, HF_IPV4_HEADER_BYTES)));
}

static void run_fault(enum fault f, const struct wire_setup *setup)
{
    struct wire w;
    uint8_t bytes[128];
    wire_open(&w, setup);
    struct hf_info was = wire_info(&w);
    struct hf_tuple tuple = {0};
    wire_tuple(&w, &tuple);
    uint32_t n = broken_packet(&w, f, bytes);
    if (f == CUT_SHORT)
        shorten(bytes, &n, setup->variant & WIRE_V6);
    uint64_t counted = hf_stack_count(w.rig.stack, reason_of(f));
    hf_rig_input(&w.rig, bytes, n, 0, 0);
    char name[32];
    snprintf(name, sizeof name, "fault %d", f);
    if (w.rig.caught_count > 0)
        fail_row(&w, name, "an answer");
    if (hf_stack_count(w.rig.stack, reason_of(f)) != counted + 1)
        fail_row(&w, name, hf_reason_name(reason_of(f)));
    if (wire_state(&w) != setup->state)
        fail_row(&w, name, "the state changed");
    compare(&w, name, &was, tuple.deadline_ns);
    wire_close(&w);
}

/* covers: SM-EST-0-csum, SM-FW1-0-csum, SM-FW2-0-csum, SM-CLW-0-csum, SM-CLG-0-csum, SM-LAK-0-csum,
 * SM-TMW-0-csum, MUST-3
 * covers: SM-EST-0-mcast, SM-FW1-0-mcast, SM-FW2-0-mcast, SM-CLW-0-mcast, SM-CLG-0-mcast,
 * SM-LAK-0-mcast, SM-TMW-0-mcast, MUST-57, MUST-63 */
void wire_broken_run(enum hf_state state)
{
    struct hf_config config = config_of(state);
    failures = 0;
    for (int f = 0; f < FAULTS; f++)
        for (unsigned variant = 0; variant < WIRE_VARIANTS; variant++)
            run_fault((enum fault)f, &(struct wire_setup){state, variant, &config, 0, 0});
    assert_int_equal(failures, 0);
}
