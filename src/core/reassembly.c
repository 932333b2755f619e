/**
 * Data that came out of order. It is written to its place in blocks that stand at fixed stream
 * offsets, so that many small segments can't pin more than the window; which bytes are there is a
 * bounded set of ranges. Both live in an index block, taken with the first gap:
 *
 *     ranges   an eighth of the block: [begin, end) in sequence numbers
 *     blocks   the rest: number of the block modulo their count -> block, or HF_NIL
 *
 * Where the ranges outgrow their part they get a whole block of their own: a window in which every
 * other segment was lost has hundreds of them, and what is refused has to be sent again.
 *
 * Blocks are numbered from an anchor, which follows RCV.NXT by whole rounds of that count: so no
 * number wraps, however long the stream. Entries that were never needed are not even cleared.
 *
 * Cost: O(log ranges) a segment and the copy, and O(blocks it spans) a gap. What is kept here may
 * be given up at any time for data in order (the peer sends it again), and a connection with a gap
 * holds the block that the next byte in order goes to: so a full pool can't deadlock.
 */
#include "receive.h"

struct gaps {
    uint32_t range_count;
    uint32_t ref_count; /**< entries in use: those behind hold nothing */
    hf_seq anchor;      /**< where block 0 begins */
    uint32_t more;      /**< the ranges' own block, HF_NIL: they are here */
    struct hf_range ranges[];
};

enum { RANGE_SHARE = 8 };

/** Of those in the index block. */
static uint32_t range_capacity(const struct hf_stack *s)
{
    uint32_t bytes = s->blocks.block_bytes / RANGE_SHARE - (uint32_t)sizeof(struct gaps);
    return bytes / (uint32_t)sizeof(struct hf_range);
}

static uint32_t ref_capacity(const struct hf_stack *s)
{
    uint32_t ranges = s->blocks.block_bytes / RANGE_SHARE;
    return (s->blocks.block_bytes - ranges) / (uint32_t)sizeof(uint32_t);
}

static struct gaps *gaps_at(const struct hf_stack *s, const struct hf_flight *f)
{
    return (struct gaps *)(void *)hf_block_at(&s->blocks, f->gaps)->data;
}

static uint32_t *refs_of(const struct hf_stack *s, struct gaps *g)
{
    return (uint32_t *)(void *)((uint8_t *)g + s->blocks.block_bytes / RANGE_SHARE);
}

/** The set in its index block, as the container wants it; store_set puts the count back. */
static struct hf_ranges load_set(const struct hf_stack *s, struct gaps *g)
{
    if (g->more == HF_NIL)
        return (struct hf_ranges){g->ranges, range_capacity(s), g->range_count};
    struct hf_range *items = (struct hf_range *)(void *)hf_block_at(&s->blocks, g->more)->data;
    uint32_t capacity = s->blocks.block_bytes / (uint32_t)sizeof *items;
    return (struct hf_ranges){items, capacity, g->range_count};
}

/** Number of the block that a sequence number lies in. */
static uint32_t block_number(const struct hf_stack *s, const struct gaps *g, hf_seq seq)
{
    return (seq.v - g->anchor.v) >> s->blocks.shift;
}

/** Where in its block a sequence number lies. */
static uint32_t block_offset(const struct hf_stack *s, const struct hf_conn *c, hf_seq seq)
{
    return (seq.v - c->irs.v - 1) & (s->blocks.block_bytes - 1);
}

static struct gaps *gaps_of(const struct hf_stack *s, const struct hf_conn *c)
{
    const struct hf_flight *f = hf_flight_of(s, c);
    return f == NULL || f->gaps == HF_NIL ? NULL : gaps_at(s, f);
}

uint32_t hf_gaps_bytes(const struct hf_stack *s, const struct hf_conn *c)
{
    struct gaps *g = gaps_of(s, c);
    if (g == NULL)
        return 0;
    struct hf_ranges set = load_set(s, g);
    return hf_ranges_bytes(&set);
}

/** The block of this number, taken out of the index. */
static uint32_t take_ref(const struct hf_stack *s, struct gaps *g, uint32_t number)
{
    uint32_t i = number % ref_capacity(s);
    if (i >= g->ref_count)
        return HF_NIL;
    uint32_t ref = refs_of(s, g)[i];
    refs_of(s, g)[i] = HF_NIL;
    return ref;
}

static void set_ref(const struct hf_stack *s, struct gaps *g, uint32_t number, uint32_t ref)
{
    uint32_t i = number % ref_capacity(s), *refs = refs_of(s, g);
    while (g->ref_count <= i)
        refs[g->ref_count++] = HF_NIL;
    HF_ASSERT(refs[i] == HF_NIL);
    refs[i] = ref;
}

/* ---- making and dropping ------------------------------------------------------------------ */

static void list_add(struct hf_stack *s, struct hf_flight *f, uint32_t index)
{
    f->gaps_prev = HF_NIL;
    f->gaps_next = s->p.gaps_head;
    if (f->gaps_next != HF_NIL)
        hf_flight_at(s, f->gaps_next)->gaps_prev = index;
    s->p.gaps_head = index;
}

static void list_remove(struct hf_stack *s, struct hf_flight *f)
{
    if (f->gaps_prev == HF_NIL)
        s->p.gaps_head = f->gaps_next;
    else
        hf_flight_at(s, f->gaps_prev)->gaps_next = f->gaps_next;
    if (f->gaps_next != HF_NIL)
        hf_flight_at(s, f->gaps_next)->gaps_prev = f->gaps_prev;
}

static struct gaps *need_gaps(struct hf_stack *s, struct hf_conn *c)
{
    struct hf_flight *f = hf_conn_need_flight(s, c);
    if (f == NULL)
        return NULL;
    if (f->gaps != HF_NIL)
        return gaps_at(s, f);
    uint32_t index = hf_blocks_take(&s->blocks, HF_BLOCK_OUT_OF_ORDER);
    if (index == HF_NIL)
        return NULL;
    f->gaps = index;
    list_add(s, f, c->flight);
    struct gaps *g = gaps_at(s, f);
    g->range_count = g->ref_count = 0;
    g->more = HF_NIL;
    g->anchor = hf_seq_sub(c->rcv_nxt, block_offset(s, c, c->rcv_nxt));
    return g;
}

void hf_gaps_drop(struct hf_stack *s, struct hf_conn *c)
{
    struct hf_flight *f = hf_flight_of(s, c);
    if (f == NULL || f->gaps == HF_NIL)
        return;
    struct gaps *g = gaps_at(s, f);
    const uint32_t *refs = refs_of(s, g);
    for (uint32_t i = 0; i < g->ref_count; i++)
        if (refs[i] != HF_NIL)
            hf_blocks_give(&s->blocks, refs[i]);
    if (g->more != HF_NIL)
        hf_blocks_give(&s->blocks, g->more);
    hf_blocks_give(&s->blocks, f->gaps);
    f->gaps = HF_NIL;
    list_remove(s, f);
}

bool hf_gaps_reclaim(struct hf_stack *s, struct hf_conn *c)
{
    struct hf_conn *victim = c;
    if (!hf_gaps_exist(s, c)) {
        if (s->p.gaps_head == HF_NIL)
            return false;
        const struct hf_flight *f = hf_flight_at(s, s->p.gaps_head);
        victim = hf_conn_at(s, f->conn);
    }
    hf_trace_conn(s, victim, HF_TRACE_DROP, HF_DROP_OUT_OF_ORDER_RECLAIMED, 0, 0, NULL);
    hf_gaps_drop(s, victim);
    hf_conn_release_flight(s, victim);
    return true;
}

/* ---- adding ------------------------------------------------------------------------------- */

/** Where the bytes of a block number are: the queue's unfinished last block, or one of ours. */
static uint32_t find_block(const struct hf_stack *s, const struct hf_conn *c, struct gaps *g,
                           uint32_t number)
{
    if (number == block_number(s, g, c->rcv_nxt) && hf_queue_tail_room(&s->blocks, &c->receive) > 0)
        return c->receive.tail;
    uint32_t i = number % ref_capacity(s);
    return i < g->ref_count ? refs_of(s, g)[i] : HF_NIL;
}

static bool need_block(struct hf_stack *s, struct hf_conn *c, struct gaps *g, uint32_t number)
{
    if (find_block(s, c, g, number) != HF_NIL)
        return true;
    uint32_t ref = hf_blocks_take(&s->blocks, HF_BLOCK_OUT_OF_ORDER);
    if (ref != HF_NIL)
        set_ref(s, g, number, ref);
    return ref != HF_NIL;
}

/** How many of n bytes at seq have blocks, taking what is missing. */
static uint32_t need_blocks(struct hf_stack *s, struct hf_conn *c, struct gaps *g, hf_seq seq,
                            uint32_t n)
{
    uint32_t first = block_number(s, g, c->rcv_nxt);
    if (!need_block(s, c, g, first)) /* the next bytes in order must find a place */
        return 0;
    uint32_t have = 0;
    while (have < n) {
        hf_seq at = hf_seq_add(seq, have);
        uint32_t number = block_number(s, g, at);
        if (number - first >= ref_capacity(s) || !need_block(s, c, g, number))
            break;
        have += s->blocks.block_bytes - block_offset(s, c, at);
    }
    return hf_min_u32(have, n);
}

static bool holds_one_of(const struct hf_range *block, const hf_seq *seqs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (seqs[i].v - block->begin < block->end - block->begin)
            return true;
    return false;
}

/**
 * [RFC2018#4] The block of seq is the latest that is told; those before it follow, each once,
 * though some may have become one since, or be gone. If only segments were remembered, a few in one
 * block would make the sender forget all others.
 */
static void remember_recent(const struct hf_stack *s, struct hf_flight *f, struct gaps *g,
                            hf_seq seq)
{
    struct hf_ranges set = load_set(s, g);
    hf_seq recent[HF_SACK_BLOCKS_MAX] = {seq};
    uint32_t count = 1;
    const struct hf_range *latest = hf_ranges_at(&set, seq.v);
    if (!holds_one_of(latest, f->recent, f->untold) && f->untold < HF_SACK_BLOCKS_MAX)
        f->untold++;
    for (uint32_t i = 0; i < HF_SACK_BLOCKS_MAX && count < HF_SACK_BLOCKS_MAX; i++) {
        const struct hf_range *block = hf_ranges_at(&set, f->recent[i].v);
        if (block != NULL && !holds_one_of(block, recent, count))
            recent[count++] = f->recent[i];
    }
    while (count < HF_SACK_BLOCKS_MAX)
        recent[count++] = seq;
    memcpy(f->recent, recent, sizeof recent);
}

/** Copies n bytes to their places in blocks that are there. */
static void copy_in(struct hf_stack *s, const struct hf_conn *c, struct gaps *g, hf_seq seq,
                    const uint8_t *bytes, uint32_t n)
{
    for (uint32_t done = 0; done < n;) {
        hf_seq at = hf_seq_add(seq, done);
        uint32_t offset = block_offset(s, c, at);
        uint32_t k = hf_min_u32(n - done, s->blocks.block_bytes - offset);
        uint32_t ref = find_block(s, c, g, block_number(s, g, at));
        memcpy(hf_block_at(&s->blocks, ref)->data + offset, bytes + done, k);
        done += k;
    }
}

/** Adds a range to the set, which moves to a block of its own when it is full. */
static bool add_range(struct hf_stack *s, struct gaps *g, uint32_t begin, uint32_t end)
{
    struct hf_ranges set = load_set(s, g);
    bool added = hf_ranges_add(&set, begin, end);
    if (!added && g->more == HF_NIL) {
        g->more = hf_blocks_take(&s->blocks, HF_BLOCK_OUT_OF_ORDER);
        if (g->more == HF_NIL)
            return false;
        set = load_set(s, g);
        memcpy(set.items, g->ranges, g->range_count * sizeof *set.items);
        added = hf_ranges_add(&set, begin, end);
    }
    g->range_count = set.count;
    return added;
}

enum hf_reason hf_gaps_add(struct hf_stack *s, struct hf_conn *c, hf_seq seq, const uint8_t *bytes,
                           uint32_t n)
{
    struct gaps *g = need_gaps(s, c);
    if (g == NULL) {
        hf_conn_release_flight(s, c); /* it may be there for this alone */
        return HF_DROP_NO_BLOCK;
    }
    uint32_t wanted = n;
    n = need_blocks(s, c, g, seq, n);
    bool added = n > 0 && add_range(s, g, seq.v, seq.v + n);
    if (!added) {
        if (g->range_count == 0) {
            hf_gaps_drop(s, c);
            hf_conn_release_flight(s, c);
        }
        return n > 0 ? HF_DROP_TOO_MANY_GAPS : HF_DROP_NO_BLOCK;
    }
    copy_in(s, c, g, seq, bytes, n);
    remember_recent(s, hf_flight_of(s, c), g, seq);
    return n < wanted ? HF_DROP_NO_BLOCK : HF_NONE;
}

/* ---- joining what is in order -------------------------------------------------------------- */

uint32_t hf_gaps_take_next(struct hf_stack *s, struct hf_conn *c)
{
    struct gaps *g = gaps_of(s, c);
    if (g == NULL)
        return HF_NIL;
    return take_ref(s, g, block_number(s, g, c->rcv_nxt));
}

void hf_gaps_keep(struct hf_stack *s, struct hf_conn *c, uint32_t block)
{
    struct gaps *g = gaps_of(s, c);
    set_ref(s, g, block_number(s, g, c->rcv_nxt), block);
}

static void join_until(struct hf_stack *s, struct hf_conn *c, hf_seq end)
{
    while (hf_seq_lt(c->rcv_nxt, end)) {
        uint32_t n = end.v - c->rcv_nxt.v;
        if (hf_receive_extend(s, c, n) > 0)
            continue;
        uint32_t block = hf_gaps_take_next(s, c);
        HF_ASSERT(block != HF_NIL);
        hf_receive_link(s, c, block, n);
    }
}

/** Moves the anchor on by as many whole rounds as RCV.NXT has gone. */
static void follow(const struct hf_stack *s, const struct hf_conn *c, struct gaps *g)
{
    uint32_t rounds = block_number(s, g, c->rcv_nxt) / ref_capacity(s);
    g->anchor = hf_seq_add(g->anchor, (rounds * ref_capacity(s)) << s->blocks.shift);
}

void hf_gaps_merge(struct hf_stack *s, struct hf_conn *c)
{
    struct gaps *g = gaps_of(s, c);
    if (g == NULL)
        return;
    struct hf_ranges set = load_set(s, g);
    hf_ranges_drop_before(&set, c->rcv_nxt.v);
    while (set.count > 0 && set.items[0].begin == c->rcv_nxt.v) {
        join_until(s, c, hf_seq_make(set.items[0].end));
        hf_ranges_drop_before(&set, c->rcv_nxt.v);
    }
    g->range_count = set.count;
    if (set.count == 0)
        hf_gaps_drop(s, c);
    else
        follow(s, c, g);
}

/* ---- telling the sender -------------------------------------------------------------------- */

/** The bytes of a segment that are here already: those before RCV.NXT or, of those kept beyond a
 *  gap, the first that lie together. Empty: there are none. */
static struct hf_range find_twice(const struct hf_stack *s, const struct hf_conn *c, hf_seq seq,
                                  uint32_t n)
{
    if (hf_seq_lt(seq, c->rcv_nxt)) {
        uint32_t old = c->rcv_nxt.v - seq.v, all = c->rcv_nxt.v - c->irs.v - 1;
        /* The number of a probe may lie before the stream: there is no byte. */
        uint32_t before = c->rcv_wraps == 0 && old > all ? old - all : 0;
        n = hf_min_u32(n, old);
        return (struct hf_range){seq.v + hf_min_u32(before, n), seq.v + n};
    }
    hf_seq end = hf_seq_add(seq, n);
    struct gaps *g = gaps_of(s, c);
    struct hf_ranges set = {0};
    if (g != NULL)
        set = load_set(s, g);
    const struct hf_range *kept = hf_ranges_overlap(&set, seq.v, end.v);
    if (kept == NULL)
        return (struct hf_range){0, 0};
    return (struct hf_range){hf_seq_max(seq, hf_seq_make(kept->begin)).v,
                             hf_seq_min(end, hf_seq_make(kept->end)).v};
}

/** Makes r larger by `more` if that touches it; false: it does not. By lengths: they may lie
 *  anywhere. */
static bool extend(struct hf_range *r, const struct hf_range *more)
{
    uint32_t behind = more->begin - r->begin, before = r->begin - more->begin;
    uint32_t length = r->end - r->begin, more_length = more->end - more->begin;
    if (behind <= length) {
        r->end = r->begin + hf_max_u32(length, behind + more_length);
        return true;
    }
    if (before <= more_length) {
        r->begin = more->begin;
        r->end = r->begin + hf_max_u32(more_length, before + length);
        return true;
    }
    return false;
}

/** Between two ACKs what touches is one, so that the segments of a super-packet say the same one by
 *  one. What does not is told by the next ACK, or by none if there is no room for another. */
void hf_twice_note(struct hf_stack *s, struct hf_conn *c, hf_seq seq, uint32_t n)
{
    if (!c->sack_on)
        return;
    struct hf_range twice = find_twice(s, c, seq, n);
    if (twice.begin == twice.end)
        return;
    struct hf_flight *f = hf_conn_need_flight(s, c);
    if (f == NULL) /* not told: neither is it when the ACK is lost */
        return;
    if (c->twice_due && (extend(&f->twice, &twice) || !hf_output_ack_apart(s, c)))
        return;
    f = hf_conn_need_flight(s, c); /* it may have gone with what it had to tell */
    if (f == NULL)
        return;
    f->twice = twice;
    c->twice_due = true;
}

static void add_sack(struct hf_segment *seg, const struct hf_range *r, uint32_t from, uint32_t max)
{
    if (r == NULL || seg->sack_count >= max)
        return;
    for (uint32_t i = from; i < seg->sack_count; i++)
        if (seg->sack[i].left == r->begin)
            return;
    seg->sack[seg->sack_count].left = r->begin;
    seg->sack[seg->sack_count].right = r->end;
    seg->sack_count++;
}

/** What came twice is the first block; the second is the one it lies in, which may be as large.
 *  Returns how many blocks are no news of what is kept: 1 or 0. */
static uint32_t add_twice(const struct hf_conn *c, const struct hf_flight *f,
                          const struct hf_ranges *set, struct hf_segment *seg, uint32_t max)
{
    if (!c->twice_due)
        return 0;
    const struct hf_range *around = NULL;
    if (hf_seq_gt(hf_seq_make(f->twice.end), c->rcv_nxt)) {
        around = hf_ranges_at(set, f->twice.begin);
        /* Given up since, or in part: the block would promise what is not here. */
        if (around == NULL || f->twice.end - around->begin > around->end - around->begin)
            return 0;
    }
    add_sack(seg, &f->twice, 0, max);
    add_sack(seg, around, 1, max);
    return 1;
}

static uint32_t blocks_max(const struct hf_conn *c)
{
    return c->ts_on ? HF_SACK_BLOCKS_MAX - 1 : HF_SACK_BLOCKS_MAX;
}

bool hf_gaps_untold(const struct hf_stack *s, const struct hf_conn *c)
{
    const struct hf_flight *f = hf_flight_of(s, c);
    uint32_t twice = c->twice_due ? 2 : 0; /* with the block around it */
    return f != NULL && f->untold + twice >= blocks_max(c);
}

void hf_gaps_sack(const struct hf_stack *s, const struct hf_conn *c, struct hf_segment *seg)
{
    uint32_t max = blocks_max(c);
    const struct hf_flight *f = hf_flight_of(s, c);
    struct hf_ranges set = {0};
    if (f->gaps != HF_NIL)
        set = load_set(s, gaps_at(s, f));
    uint32_t from = add_twice(c, f, &set, seg, max);
    if (set.count == 0)
        return;
    /* [RFC2018#4] the block of the latest segment first, then those reported before. */
    for (uint32_t i = 0; i < HF_SACK_BLOCKS_MAX; i++)
        add_sack(seg, hf_ranges_at(&set, f->recent[i].v), from, max);
    for (uint32_t i = 0; i < set.count; i++)
        add_sack(seg, &set.items[i], from, max);
    /* A FIN takes a number too: a sender that misses it takes the segment for lost. */
    for (uint32_t i = from; f->fin_waits && i < seg->sack_count; i++)
        seg->sack[i].right += seg->sack[i].right == f->fin_seq.v;
}
