/**
 * Packets as lines of text that tests compare:
 *
 *     0.000 A>B S seq 0 win 64240 <mss 1460,sackOK,TS,wscale 7>
 *     1.000 A>B F. seq 1 ack 1 LOST
 *
 * Time is in seconds since the origin. Numbers are relative to the SYN of each direction of each
 * connection (where none was seen, to the first segment, which then stands at 1). A second
 * connection's lines read A>B#2, and so on. Packets that are not TCP say what they are.
 */
#ifndef HF_LAB_TRANSCRIPT_H
#define HF_LAB_TRANSCRIPT_H

#include "show/ladder.h"
#include "show/segment_text.h"

enum { HF_TRANSCRIPT_FLOWS = 16 };

/** Initial sequence numbers of one connection as far as they were seen; [0] is the end with the
 *  lower address and port, or the first sender where both are equal. */
struct hf_transcript_flow {
    struct hf_endpoint ends[2];
    uint32_t base[2];
    bool known[2];
};

struct hf_transcript {
    unsigned detail;   /**< enum hf_segment_detail */
    bool microseconds; /**< six decimals in place of three */
    hf_ns origin_ns;
    char *text; /**< NUL-terminated lines, or NULL when there are none */
    size_t length_bytes, capacity_bytes;
    struct hf_transcript_flow flows[HF_TRANSCRIPT_FLOWS];
    size_t flow_count;
};

void hf_transcript_init(struct hf_transcript *t, unsigned detail);
void hf_transcript_free(struct hf_transcript *t);
/** Forgets lines and connections. */
void hf_transcript_clear(struct hf_transcript *t);
/** Adds the line of an IP packet. */
void hf_transcript_add(struct hf_transcript *t, hf_ns now, char from, char to, const uint8_t *bytes,
                       size_t length_bytes, enum hf_fate fate);
/** Adds a line of words: "0.000 -- words". */
void hf_transcript_note(struct hf_transcript *t, hf_ns now, const char *words);
/** Compares the lines since the last call with what is expected, and takes them out. On a
 *  difference prints both, line by line, to stderr; false. */
bool hf_transcript_matches(struct hf_transcript *t, const char *expected, const char *file,
                           int line);

/** For tests with cmocka. */
#define EXPECT_TRANSCRIPT(t, expected)                                                             \
    assert_true(hf_transcript_matches((t), (expected), __FILE__, __LINE__))

#endif
