/**
 * The flight record: taken with the first segment, given back when nothing is in flight, nothing
 * out of order, and nothing more can be told of either. Owns where the scoreboard's runs are.
 */
#include "receive.h"

/** What left while there was no record, one segment or a FIN: nobody noted when. Out of line: there
 *  is hardly ever none to be had. */
__attribute__((noinline)) static void remember_sent(const struct hf_stack *s,
                                                    const struct hf_conn *c, struct hf_flight *f)
{
    struct hf_board b = {&f->board, f->own_runs, HF_RUNS_OWN};
    hf_board_append(&b, c->snd_una, hf_conn_in_flight(c), hf_conn_mss(c), s->p.now_ns, 0);
    f->own_runs[0].again = true; /* so its ACK tells no time */
    f->rto_at = c->rtx_at;
}

struct hf_flight *hf_conn_take_flight(struct hf_stack *s, struct hf_conn *c)
{
    void *object;
    uint32_t index = hf_pool_lend(&s->flights, sizeof(struct hf_flight), HF_FLIGHT_SHIFT, &object);
    if (index == HF_NIL)
        return NULL;
    c->flight = index;
    /* Of a size that the compiler does not know: it would write word by word. */
    struct hf_flight *f = memset(object, 0, s->flights.object_bytes);
    f->cursor = (struct hf_place){HF_NIL, 0};
    f->cursor_seq = c->snd_una;
    f->timed_at = f->rto_at = f->reorder_at = f->probe.at = HF_NEVER;
    f->pacer.next_at = f->planned_at = INT64_MIN;
    f->resent_at = s->p.now_ns - HF_SEC(3600); /* long ago */
    f->gaps = f->gaps_next = f->gaps_prev = f->runs = HF_NIL;
    f->runs_capacity = HF_RUNS_OWN;
    f->conn = c->index;
    hf_rack_init(&f->rack, c->snd_una);
    if (!c->syn_unacked && hf_conn_in_flight(c) > 0)
        remember_sent(s, c, f);
    return f;
}

static struct hf_pool *pool_of_runs(struct hf_stack *s, uint32_t capacity)
{
    if (capacity == HF_RUNS_SOME)
        return &s->runs_some;
    return capacity == HF_RUNS_MANY ? &s->runs_many : &s->runs_most;
}

/** Those that are not in the record itself. */
static struct hf_run *runs_outside(const struct hf_stack *s, const struct hf_flight *f)
{
    const struct hf_pool *pool = f->runs_capacity == HF_RUNS_SOME   ? &s->runs_some
                                 : f->runs_capacity == HF_RUNS_MANY ? &s->runs_many
                                                                    : &s->runs_most;
    return hf_pool_at(pool, f->runs);
}

static struct hf_run *runs_of(const struct hf_stack *s, struct hf_flight *f)
{
    return f->runs == HF_NIL ? f->own_runs : runs_outside(s, f);
}

uint32_t hf_flight_resent_bytes(const struct hf_stack *s, const struct hf_flight *f)
{
    const struct hf_run *runs = f->runs == HF_NIL ? f->own_runs : runs_outside(s, f);
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < f->board.count; i++)
        bytes += runs[i].again && !runs[i].sacked && !runs[i].lost ? runs[i].bytes : 0;
    return bytes;
}

static void give_runs(struct hf_stack *s, struct hf_flight *f)
{
    if (f->runs != HF_NIL)
        hf_pool_give(pool_of_runs(s, f->runs_capacity), f->runs);
    f->runs = HF_NIL;
}

/** Moves the runs to the next larger place; they stay where they are if it can't be had. */
static void grow(struct hf_stack *s, struct hf_flight *f)
{
    uint32_t capacity = HF_RUNS_MAX;
    if (f->runs_capacity < HF_RUNS_MANY)
        capacity = f->runs_capacity == HF_RUNS_OWN ? HF_RUNS_SOME : HF_RUNS_MANY;
    uint32_t index = hf_pool_take_dirty(pool_of_runs(s, capacity));
    if (index == HF_NIL)
        return;
    memcpy(hf_pool_at(pool_of_runs(s, capacity), index), runs_of(s, f),
           f->board.count * sizeof(struct hf_run));
    give_runs(s, f);
    f->runs = index;
    f->runs_capacity = (uint16_t)capacity;
}

struct hf_board hf_flight_large_board(struct hf_stack *s, struct hf_flight *f, uint32_t more)
{
    while (f->board.count + more > f->runs_capacity && f->runs_capacity < HF_RUNS_MAX) {
        uint32_t before = f->runs_capacity;
        grow(s, f);
        if (f->runs_capacity == before)
            break;
    }
    return (struct hf_board){&f->board, runs_of(s, f), f->runs_capacity};
}

void hf_conn_drop_flight(struct hf_stack *s, struct hf_conn *c)
{
    struct hf_flight *f = hf_flight_of(s, c);
    if (f == NULL)
        return;
    if (f->gaps != HF_NIL)
        hf_gaps_drop(s, c);
    give_runs(s, f);
    hf_pool_return(&s->flights, c->flight, HF_FLIGHT_SHIFT, f);
    c->flight = HF_NIL;
    c->twice_due = false;
}
