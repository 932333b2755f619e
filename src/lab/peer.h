/**
 * A peer that a test plays by hand against the stack of a rig:
 *
 *     hf_peer_open(&peer, &rig, false, 4000, 80, 1000000);
 *     hf_peer_send(&peer, "S seq 0 win 1000 <mss 1000>");
 *     assert_true(hf_peer_expect(&peer, "S. seq 0 ack 1 <mss 1460>"));
 *     hf_peer_send(&peer, ". ack 1");
 *     hf_peer_send(&peer, "P. seq 1:101 ack 1");
 *
 * Numbers are relative: seq to the peer's initial number, ack to the stack's, which the peer learns
 * from the stack's SYN. What is left out of a segment to send is what a good peer would put there:
 * seq the next number, ack all that was popped, win the peer's window, TS the present time. The
 * payload is the pattern of the peer's key. What is left out of an expectation does not matter;
 * flags must be exact.
 */
#ifndef HF_LAB_PEER_H
#define HF_LAB_PEER_H

#include "rig.h"
#include "segment_scan.h"

struct hf_peer {
    struct hf_rig *rig;
    struct hf_endpoint here, there; /**< the peer's end, the stack's */
    uint32_t iss, irs;              /**< irs 0 until the stack's SYN was popped */
    bool irs_known;
    bool absolute;             /**< numbers in text are as on the wire */
    uint32_t snd_nxt, rcv_nxt; /**< absolute */
    uint16_t window;           /**< sent unless told otherwise; 65535 at first */
    uint8_t ttl;
    bool timestamps;             /**< put TS on every segment */
    uint32_t ts_base, ts_recent; /**< value at time 0 (in ms); last value of the stack */
    uint64_t key;                /**< of the pattern sent */
    uint16_t add_to_checksum;    /**< not 0: the checksum is wrong by this */
    struct hf_caught last;       /**< popped last; its payload is valid until the next pop */
};

/** The usual ends: the stack at 10.0.0.1 or fd00::1, the peer at ...2, with these ports. */
void hf_peer_open(struct hf_peer *p, struct hf_rig *rig, bool v6, uint16_t peer_port,
                  uint16_t stack_port, uint32_t iss);

/** Sends a segment given as text. Panics on text that is not understood: the test is wrong. */
void hf_peer_send(struct hf_peer *p, const char *text);
/** Sends a segment as it is, absolute numbers, ports filled in, with this payload (NULL: the
 *  pattern). */
void hf_peer_send_segment(struct hf_peer *p, const struct hf_segment *seg, const uint8_t *payload);
/** Writes the packet of a segment into bytes (of 65535); returns its length. */
uint32_t hf_peer_packet(const struct hf_peer *p, const struct hf_segment *seg,
                        const uint8_t *payload, uint8_t *bytes);
/** Sends an ICMP error that quotes the segment popped last. */
void hf_peer_send_icmp(struct hf_peer *p, uint8_t type, uint8_t code, uint32_t rest);

/** Pops the next segment that the stack sent to this peer into p->last; false if there is none. */
bool hf_peer_pop(struct hf_peer *p);
/** Pops the next segment and compares; says on stderr what differs. */
bool hf_peer_expect(struct hf_peer *p, const char *text);
/** True if the stack sent nothing more; says on stderr what it did send. */
bool hf_peer_expect_nothing(struct hf_peer *p);
/** Pops everything and forgets it. Returns how many segments it was. */
size_t hf_peer_skip(struct hf_peer *p);
/** Pops segments and copies their payload, while any is there: the bytes from stack offset
 *  `offset` on (0: the first byte). Returns how many new bytes in order there were, at most max. */
size_t hf_peer_collect(struct hf_peer *p, uint32_t offset, uint8_t *bytes, size_t max);

/** The handshake with a listener of the stack; `options` as in "<mss 1460,sackOK>", may be "". */
bool hf_peer_connect(struct hf_peer *p, const char *options);
/** The handshake that the stack began with hf_connect, answered. */
bool hf_peer_accept(struct hf_peer *p, const char *options);
/** The state of the stack's end. */
enum hf_state hf_peer_state(const struct hf_peer *p);

#endif
