/**
 * The scoreboard's runs. Owns their order, their joining and splitting, and the sums over them.
 */
#include "scoreboard.h"

/* ---- runs --------------------------------------------------------------------------------- */

/** Index of the run that holds seq, or count if it lies behind all. */
static uint32_t find(const struct hf_board *b, hf_seq seq)
{
    uint32_t low = 0, high = b->state->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (hf_seq_le(hf_run_end(&b->runs[middle]), seq))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void remove_runs(struct hf_board *b, uint32_t at, uint32_t n)
{
    uint32_t behind = b->state->count - at - n;
    if (behind > 0)
        memmove(&b->runs[at], &b->runs[at + n], behind * sizeof *b->runs);
    b->state->count = (uint16_t)(b->state->count - n);
}

/** Cuts run i in two at `offset` bytes: of a segment across it each part is one. False: no room. */
static bool split(struct hf_board *b, uint32_t i, uint32_t offset)
{
    if (b->state->count + (uint32_t)HF_RUNS_RESERVE >= b->capacity)
        return false;
    uint32_t behind = b->state->count - i;
    memmove(&b->runs[i + 1], &b->runs[i], behind * sizeof *b->runs);
    b->state->count++;
    struct hf_run *left = &b->runs[i], *right = &b->runs[i + 1];
    right->begin = hf_seq_add(left->begin, offset);
    right->bytes = left->bytes - offset;
    right->head = (uint16_t)hf_min_u32(right->bytes, right->mss);
    left->bytes = offset;
    left->head = (uint16_t)hf_min_u32(left->head, offset);
    return true;
}

/** Where the segment that holds `offset` begins, and ends. */
static uint32_t segment_begin(const struct hf_run *r, uint32_t offset)
{
    return offset < r->head ? 0 : offset - (offset - r->head) % r->mss;
}

static uint32_t segment_end(const struct hf_run *r, uint32_t offset)
{
    if (offset < r->head)
        return r->head;
    return hf_min_u32(r->bytes, segment_begin(r, offset) + r->mss);
}

/** Nothing is lost by taking both for one: what the peer has needs no times, nor what is lost. */
static bool are_alike(const struct hf_run *left, const struct hf_run *right)
{
    if (left->sacked != right->sacked || left->lost != right->lost)
        return false;
    if (left->sacked)
        return true;
    bool whole = left->mss == right->mss && (left->bytes - left->head) % left->mss == 0 &&
                 (right->head == right->mss || right->bytes == right->head);
    if (!whole || left->again != right->again)
        return false;
    return left->lost ? left->why == right->why : left->sent_at == right->sent_at;
}

static void join_behind(struct hf_board *b, uint32_t i)
{
    if (i + 1 >= b->state->count || !are_alike(&b->runs[i], &b->runs[i + 1]))
        return;
    struct hf_run *left = &b->runs[i];
    left->again |= b->runs[i + 1].again;
    left->bytes += b->runs[i + 1].bytes;
    remove_runs(b, i + 1, 1);
}

/** Joins run i with its neighbours. */
static void join(struct hf_board *b, uint32_t i)
{
    join_behind(b, i);
    if (i > 0)
        join_behind(b, i - 1);
}

/** The run at `begin`, or the first behind it, split from what lies outside of [begin, end); where
 *  there is no room for that it is the whole run. count, if no run begins before `end`. */
static uint32_t cut_out(struct hf_board *b, hf_seq begin, hf_seq end)
{
    uint32_t i = find(b, begin);
    if (i == b->state->count || hf_seq_ge(b->runs[i].begin, end))
        return b->state->count;
    if (hf_seq_lt(b->runs[i].begin, begin) && split(b, i, begin.v - b->runs[i].begin.v))
        i++;
    if (hf_seq_gt(hf_run_end(&b->runs[i]), end))
        (void)split(b, i, end.v - b->runs[i].begin.v);
    return i;
}

/** The one after run i, which is done with and joined to its neighbours; count: there is none. */
static uint32_t next_in(struct hf_board *b, uint32_t i, hf_seq end)
{
    hf_seq next = hf_run_end(&b->runs[i]);
    join(b, i); /* also with what lies behind the end */
    return hf_seq_lt(next, end) ? cut_out(b, next, end) : b->state->count;
}

/* ---- marks: each keeps the sums ------------------------------------------------------------ */

static void clear_lost(struct hf_board *b, struct hf_run *r)
{
    if (r->lost)
        b->state->lost_bytes -= r->bytes;
    r->lost = false;
}

static void set_lost(struct hf_board *b, struct hf_run *r, enum hf_reason why)
{
    r->lost = true;
    r->why = (uint16_t)why;
    b->state->lost_bytes += r->bytes;
}

/* ---- sending ------------------------------------------------------------------------------ */

void hf_board_append(struct hf_board *b, hf_seq seq, uint32_t bytes, uint32_t mss, hf_ns now,
                     hf_ns grain_ns)
{
    uint32_t count = b->state->count;
    if (count > 0) {
        struct hf_run *last = &b->runs[count - 1];
        bool near = hf_run_is_whole(last, mss) && now - last->sent_at <= grain_ns;
        if (hf_run_may_grow(last) && (near || count == b->capacity)) {
            last->bytes += bytes;
            return;
        }
    }
    HF_ASSERT(count < b->capacity);
    hf_run_begin(&b->runs[count], seq, bytes, mss, now);
    b->state->count++;
}

/** Run i is sent again: at a new time, not lost any more, and cut anew [RFC8985#6.1]. */
static void send_again(struct hf_board *b, uint32_t i, uint32_t mss, hf_ns now)
{
    struct hf_run *r = &b->runs[i];
    if (r->sacked)
        return;
    clear_lost(b, r);
    r->sent_at = now;
    r->again = true;
    r->mss = (uint16_t)mss;
    r->head = (uint16_t)hf_min_u32(r->bytes, mss);
}

void hf_board_resent(struct hf_board *b, hf_seq seq, uint32_t bytes, uint32_t mss, hf_ns now)
{
    hf_seq end = hf_seq_add(seq, bytes);
    for (uint32_t i = cut_out(b, seq, end); i < b->state->count;) {
        send_again(b, i, mss, now);
        i = next_in(b, i, end);
    }
}

/* ---- acknowledgments ----------------------------------------------------------------------- */

/** Where a round trip takes longer than this, no two sendings of a segment carry one timestamp. */
#define STAMP_IS_SURE_NS HF_MS(2)

/** [RFC8985#6.2] step 2: an answer that came too soon for what was sent again may be one to what
 *  was sent before, and tells nothing of the time. A timestamp decides that, but beyond a gap the
 *  one that is echoed is not that of what arrived [RFC7323#4.3]; else the least round trip does. */
static bool tells_time(const struct hf_run *r, const struct hf_delivery *d, bool selectively)
{
    if (!r->again)
        return true;
    if (!selectively && d->has_echo) {
        if ((int32_t)(d->echo_ms - (uint32_t)(r->sent_at / HF_MS(1))) < 0)
            return false;
        if (d->min_rtt_ns >= STAMP_IS_SURE_NS)
            return true;
    }
    return d->now_ns - r->sent_at >= d->min_rtt_ns;
}

/** The segments of a run up to `end` have arrived, and were not known to. */
static void deliver(const struct hf_run *r, hf_seq end, struct hf_delivery *d, bool selectively)
{
    /* [RFC8985#6.2] step 3 */
    d->reordered |= !r->again && hf_seq_lt(end, d->fack);
    d->foremost = hf_seq_max(d->foremost, end);
    if (!tells_time(r, d, selectively))
        return;
    bool newer = r->sent_at > d->newest_sent_at ||
                 (r->sent_at == d->newest_sent_at && hf_seq_gt(end, d->newest_end));
    if (d->has_newest && !newer)
        return;
    d->has_newest = true;
    d->newest_sent_at = r->sent_at;
    d->newest_end = end;
    d->newest_again = r->again;
}

/** Takes n bytes off the front of the first run. */
static void drop_front(struct hf_board *b, struct hf_run *r, uint32_t n, struct hf_delivery *d)
{
    if (r->sacked)
        b->state->sacked_bytes -= n;
    else
        d->acked_bytes += n;
    if (r->lost)
        b->state->lost_bytes -= n;
    if (!r->sacked && n >= r->head) { /* a whole segment at least [CO-8985-17] */
        uint32_t whole = segment_begin(r, n);
        deliver(r, hf_seq_add(r->begin, n == r->bytes ? n : whole), d, false);
    }
}

static void shorten(struct hf_run *r, uint32_t n)
{
    uint32_t end = segment_end(r, n);
    r->head = (uint16_t)(end - n);
    r->begin = hf_seq_add(r->begin, n);
    r->bytes -= n;
}

void hf_board_ack(struct hf_board *b, hf_seq una, struct hf_delivery *d)
{
    uint32_t i = 0;
    while (i < b->state->count && hf_seq_le(hf_run_end(&b->runs[i]), una)) {
        drop_front(b, &b->runs[i], b->runs[i].bytes, d);
        i++;
    }
    if (i < b->state->count && hf_seq_lt(b->runs[i].begin, una)) {
        uint32_t n = una.v - b->runs[i].begin.v;
        drop_front(b, &b->runs[i], n, d);
        shorten(&b->runs[i], n);
    }
    if (i > 0)
        remove_runs(b, 0, i);
}

/** Marks run i, as far as whole segments of it lie in [left, right). Returns the index to go on
 *  from. */
static uint32_t sack_run(struct hf_board *b, uint32_t i, hf_seq left, hf_seq right,
                         struct hf_delivery *d)
{
    struct hf_run *r = &b->runs[i];
    if (r->sacked)
        return i + 1;
    uint32_t from = 0, to = r->bytes;
    if (hf_seq_gt(left, r->begin)) {
        uint32_t offset = left.v - r->begin.v;
        from = segment_begin(r, offset) == offset ? offset : segment_end(r, offset);
    }
    if (hf_seq_lt(right, hf_run_end(r)))
        to = segment_begin(r, right.v - r->begin.v);
    if (from >= to || (to < r->bytes && !split(b, i, to)) || (from > 0 && !split(b, i, from)))
        return i + 1;
    i += from > 0;
    r = &b->runs[i];
    deliver(r, hf_run_end(r), d, true);
    clear_lost(b, r);
    r->sacked = true;
    b->state->sacked_bytes += r->bytes;
    d->sacked_bytes += r->bytes;
    hf_seq end = hf_run_end(r);
    join(b, i);
    return find(b, end);
}

void hf_board_sack(struct hf_board *b, hf_seq left, hf_seq right, struct hf_delivery *d)
{
    uint32_t i = find(b, left);
    while (i < b->state->count && hf_seq_lt(b->runs[i].begin, right))
        i = sack_run(b, i, left, right, d);
}

/* ---- loss --------------------------------------------------------------------------------- */

void hf_board_lose(struct hf_board *b, hf_seq begin, hf_seq end, enum hf_reason why)
{
    for (uint32_t i = cut_out(b, begin, end); i < b->state->count;) {
        if (!b->runs[i].sacked && !b->runs[i].lost)
            set_lost(b, &b->runs[i], why);
        i = next_in(b, i, end);
    }
}

void hf_board_lose_old(struct hf_board *b, hf_ns sent_before, enum hf_reason why)
{
    for (uint32_t i = 0; i < b->state->count; i++) {
        struct hf_run *r = &b->runs[i];
        if (r->sacked || r->lost || r->sent_at > sent_before)
            continue;
        set_lost(b, r, why);
    }
    for (uint32_t i = b->state->count; i > 1; i--)
        join_behind(b, i - 2);
}

void hf_board_find_all(struct hf_board *b)
{
    for (uint32_t i = 0; i < b->state->count; i++)
        clear_lost(b, &b->runs[i]);
}

void hf_board_unsack(struct hf_board *b)
{
    for (uint32_t i = 0; i < b->state->count; i++)
        b->runs[i].sacked = false;
    b->state->sacked_bytes = 0;
}

bool hf_board_front_is_sacked(const struct hf_board *b)
{
    return b->state->count > 0 && b->runs[0].sacked;
}

const struct hf_run *hf_board_first_lost(const struct hf_board *b)
{
    if (b->state->lost_bytes == 0)
        return NULL;
    for (uint32_t i = 0; i < b->state->count; i++)
        if (b->runs[i].lost)
            return &b->runs[i];
    HF_UNREACHABLE("scoreboard: bytes are lost, but no run is");
}

uint32_t hf_board_last_segment(const struct hf_board *b, bool fin, hf_seq *begin)
{
    uint32_t count = b->state->count;
    if (count == 0 || b->runs[count - 1].sacked)
        return 0;
    const struct hf_run *last = &b->runs[count - 1];
    hf_seq end = hf_run_end(last);
    bool bare = fin && last->bytes == 1;
    if (bare && count > 1 && !b->runs[count - 2].sacked)
        last--;
    bool with_fin = fin && last->bytes > 1 && hf_seq_eq(hf_run_end(last), end);
    *begin = hf_seq_add(last->begin, segment_begin(last, last->bytes - 1 - with_fin));
    return end.v - begin->v;
}

bool hf_board_fin_has_text(const struct hf_board *b)
{
    if (b->state->count == 0)
        return false;
    const struct hf_run *last = &b->runs[b->state->count - 1];
    return segment_begin(last, last->bytes - 1) + 1 < last->bytes;
}

bool hf_board_was_resent(const struct hf_board *b, hf_seq left, hf_seq right)
{
    for (uint32_t i = find(b, left); i < b->state->count; i++) {
        if (hf_seq_ge(b->runs[i].begin, right))
            return false;
        if (b->runs[i].again)
            return true;
    }
    return false;
}

bool hf_board_is_sound(const struct hf_board *b, hf_seq una, hf_seq nxt, bool sack)
{
    uint32_t sacked = 0, lost = 0;
    hf_seq at = una;
    for (uint32_t i = 0; i < b->state->count; i++) {
        const struct hf_run *r = &b->runs[i];
        if (!hf_seq_eq(r->begin, at) || r->bytes == 0 || (r->sacked && r->lost) || r->head == 0 ||
            r->head > r->bytes)
            return false;
        sacked += r->sacked ? r->bytes : 0;
        lost += r->lost ? r->bytes : 0;
        at = hf_run_end(r);
    }
    return hf_seq_eq(at, nxt) && lost == b->state->lost_bytes &&
           (!sack || sacked == b->state->sacked_bytes);
}
