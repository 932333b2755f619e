/**
 * What is in flight, as the sender remembers it: one run for all segments next to each other that
 * left at one time and have fared alike. Runs lie in order and without gaps from SND.UNA to
 * SND.NXT; a FIN counts as the byte it takes of the number space.
 *
 * Knows no connection. The runs' memory is the caller's: a few in the flight record itself, more in
 * one of its pools. An array, not a tree: 24 bytes a run, found by halving, so that what a peer can
 * ask for costs O(log runs) to find and one move of at most HF_RUNS_MAX runs to note.
 *
 * Runs end at the bounds of segments. A run holds `head` bytes of its first segment, then segments
 * of mss bytes; the last may be short. When there is no room for another run, what would need one
 * is not noted, which sends too much again at worst, or is put to the run beside it.
 *
 * Invariants, checked in debug builds: sacked_bytes and lost_bytes are the sums over the runs so
 * marked; no run is both. Two runs side by side that need not be told apart are joined when either
 * is marked.
 */
#ifndef HF_CORE_SCOREBOARD_H
#define HF_CORE_SCOREBOARD_H

#include "base.h"

enum { HF_RUNS_OWN = 4, HF_RUNS_SOME = 32, HF_RUNS_MANY = 256, HF_RUNS_MAX = 2048 };
/** Kept free by marks, so that what is sent anew finds a place after any number of them. */
enum { HF_RUNS_RESERVE = 2 };

struct hf_run {
    hf_seq begin;
    uint32_t bytes;
    hf_ns sent_at; /**< last time; of the first of its segments */
    uint16_t mss, head;
    uint16_t why;    /**< enum hf_reason: why it was lost, for who sends it again */
    bool sacked : 1; /**< the peer has it */
    bool lost : 1;   /**< taken for lost, and not sent again since */
    bool again : 1;  /**< sent more than once */
};
_Static_assert(sizeof(struct hf_run) == 24, "there may be many");

/** Part of a flight; where the runs are is the caller's to know. */
struct hf_board_state {
    uint32_t sacked_bytes; /**< without SACK: as many as duplicate ACKs say have arrived */
    uint32_t lost_bytes;
    uint16_t count;
};

/** A board at work: made for a call, from state and memory. */
struct hf_board {
    struct hf_board_state *state;
    struct hf_run *runs;
    uint32_t capacity;
};

/** What an ACK brought: made by the caller with the first part, filled by the board. */
struct hf_delivery {
    /* in */
    bool has_echo;
    uint32_t echo_ms; /**< by our clock: when what drew this ACK was sent */
    hf_ns now_ns;
    hf_ns min_rtt_ns; /**< an answer to a retransmission can't come faster; 0: not known */
    hf_seq fack;      /**< right end of the foremost segment that had arrived before */
    /* out */
    uint32_t acked_bytes;  /**< cumulatively, not selectively before */
    uint32_t sacked_bytes; /**< selectively, for the first time */
    bool reordered;        /**< of something sent once, below fack */
    bool has_newest;
    hf_ns newest_sent_at; /**< of what arrived, what was sent last [RFC8985#6.2] */
    hf_seq newest_end;
    bool newest_again;
    hf_seq foremost; /**< the new fack */
};

/** Makes a run of what is sent for the first time. */
static inline void hf_run_begin(struct hf_run *r, hf_seq seq, uint32_t bytes, uint32_t mss,
                                hf_ns now)
{
    *r = (struct hf_run){
        .begin = seq,
        .bytes = bytes,
        .sent_at = now,
        .mss = (uint16_t)mss,
        .head = (uint16_t)hf_min_u32(bytes, mss),
    };
}
/** Whole segments of this size. */
static inline bool hf_run_is_whole(const struct hf_run *r, uint32_t mss)
{
    return r->mss == mss && (r->bytes - r->head) % mss == 0;
}
/** Notes that [seq, seq + bytes) was sent for the first time, at SND.NXT. What was sent within
 *  grain_ns of a run's beginning may join it. There must be room: hf_board_may_append. */
void hf_board_append(struct hf_board *b, hf_seq seq, uint32_t bytes, uint32_t mss, hf_ns now,
                     hf_ns grain_ns);
/** What is sent anew may go along with the last run. */
static inline bool hf_run_may_grow(const struct hf_run *last)
{
    return !last->sacked && !last->lost && !last->again;
}
static inline bool hf_board_may_append(const struct hf_board *b)
{
    uint32_t count = b->state->count;
    return count < b->capacity || hf_run_may_grow(&b->runs[count - 1]);
}
/** Notes that [seq, seq + bytes) was sent again. */
void hf_board_resent(struct hf_board *b, hf_seq seq, uint32_t bytes, uint32_t mss, hf_ns now);
/** Everything before `una` is acknowledged: gone. */
void hf_board_ack(struct hf_board *b, hf_seq una, struct hf_delivery *d);
/** The peer has [left, right), which lies in the flight: whole segments count [RFC2018#5]. */
void hf_board_sack(struct hf_board *b, hf_seq left, hf_seq right, struct hf_delivery *d);
/** Takes [begin, end) for lost, as far as it is not sacked or lost. */
void hf_board_lose(struct hf_board *b, hf_seq begin, hf_seq end, enum hf_reason why);
/** Takes everything for lost that is not sacked and was last sent at or before `sent_before`. */
void hf_board_lose_old(struct hf_board *b, hf_ns sent_before, enum hf_reason why);
/** Nothing is taken for lost any more: it is in flight. */
void hf_board_find_all(struct hf_board *b);
/** Forgets what the peer said that it has: it may have thrown it away [RFC2018#8]. */
void hf_board_unsack(struct hf_board *b);
/** The peer said that it has the very first segment, which yet is not acknowledged. */
bool hf_board_front_is_sacked(const struct hf_board *b);
/** The first run that is taken for lost; NULL: none is. */
const struct hf_run *hf_board_first_lost(const struct hf_board *b);
/** The last segment, if the peer does not have it: its bytes and where it begins; 0: it has. A FIN
 *  at the end goes along with the text before it. */
uint32_t hf_board_last_segment(const struct hf_board *b, bool fin, hf_seq *begin);
/** The FIN at the end of what is in flight goes along with text before it. False also where the
 *  runs can't tell, behind a full segment. */
bool hf_board_fin_has_text(const struct hf_board *b);
/** Whether a byte of [left, right) is in flight for the second time or more. */
bool hf_board_was_resent(const struct hf_board *b, hf_seq left, hf_seq right);
/** Everything marked right, and from una to nxt: for debug builds and tests. */
bool hf_board_is_sound(const struct hf_board *b, hf_seq una, hf_seq nxt, bool sack);

static inline hf_seq hf_run_end(const struct hf_run *r)
{
    return hf_seq_add(r->begin, r->bytes);
}

#endif
