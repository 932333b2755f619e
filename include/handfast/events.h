/**
 * What a stack can tell about itself: trace events and reasons. Each stands once, in the two lists
 * of this file; enums, names, counters, text and the reference page are made from them.
 *
 * Every state change, dropped segment, RST sent or received, timer that fired, retransmission,
 * closed window and reached limit emits exactly one trace event, and counts its reason.
 */
#ifndef HANDFAST_EVENTS_H
#define HANDFAST_EVENTS_H

#include <handfast/values.h>

#ifdef __cplusplus
extern "C" {
#endif

/** X(NAME, name, a, b, text): event types, the names of their two numbers ("" = unused). */
#define HF_TRACE_LIST(X)                                                                           \
    X(STATE, state, "", "", "the state changed")                                                   \
    X(SEGMENT_IN, segment_in, "", "", "a segment came in")                                         \
    X(SEGMENT_OUT, segment_out, "", "", "a segment was sent")                                      \
    X(DROP, drop, "", "", "a packet was dropped")                                                  \
    X(RST_IN, rst_in, "", "", "a RST was accepted")                                                \
    X(RST_OUT, rst_out, "", "", "a RST was sent")                                                  \
    X(ACK_OUT, ack_out, "", "", "an ACK is owed out of turn")                                      \
    X(TIMER, timer, "count", "", "a timer fired")                                                  \
    X(RETRANSMIT, retransmit, "seq", "count", "something is sent again")                           \
    X(RECOVERY, recovery, "cwnd_bytes", "ssthresh_bytes", "recovery from loss begins or ends")     \
    X(WINDOW, window, "bytes", "", "a window closed or opened again")                              \
    X(LIMIT, limit, "have", "limit", "a limit is reached")                                         \
    X(RTT, rtt, "sample_ns", "rto_ns", "the round trip was measured")                              \
    X(ICMP_IN, icmp_in, "type_code", "mtu", "an ICMP error was taken for a connection")            \
    X(ADMIT, admit, "held_ns", "", "a held open request was admitted")                             \
    X(CLOSED, closed, "how", "", "the connection is over")

enum hf_trace {
#define HF_TRACE_ENUM(NAME, name, a, b, text) HF_TRACE_##NAME,
    HF_TRACE_LIST(HF_TRACE_ENUM)
#undef HF_TRACE_ENUM
        HF_TRACE_COUNT
};

/** X(NAME, text): reasons. */
#define HF_REASON_LIST(X)                                                                          \
    X(NONE, "no particular reason")                                                                \
    /* state changes */                                                                            \
    X(WHY_CONNECT, "the application opens actively")                                               \
    X(WHY_LISTEN, "the application listens")                                                       \
    X(WHY_HELD, "a SYN came to a held listener: the application decides")                          \
    X(WHY_SYN, "a SYN came to a listener and is answered")                                         \
    X(WHY_ADMIT, "the application admits the held open request")                                   \
    X(WHY_REFUSE, "the application refuses the held open request")                                 \
    X(WHY_SYNACK, "our SYN is acknowledged by a SYN,ACK")                                          \
    X(WHY_CROSSED_SYN, "the peer's SYN crossed ours: simultaneous open")                           \
    X(WHY_HANDSHAKE_ACK, "our SYN,ACK is acknowledged: the handshake is complete")                 \
    X(WHY_COOKIE, "the ACK carries a SYN cookie of ours: the handshake is complete")               \
    X(WHY_SHUTDOWN, "the application closes its direction")                                        \
    X(WHY_CLOSE, "the application closes the connection")                                          \
    X(WHY_FIN, "the peer's FIN is in order")                                                       \
    X(WHY_FIN_ACKED, "our FIN is acknowledged")                                                    \
    X(WHY_RST, "the peer reset the connection")                                                    \
    X(WHY_SYN_AGAIN, "the peer began anew before the handshake was complete")                      \
    X(WHY_ABORT, "the application aborts the connection")                                          \
    X(WHY_UNREAD, "the application closed with data unread: the peer must learn of the loss")      \
    X(WHY_DATA_AFTER_CLOSE, "data came after the application let go of the connection")            \
    X(WHY_TIME_WAIT_OVER, "twice the maximum segment lifetime is over")                            \
    X(WHY_TIME_WAIT_REUSED, "a newer SYN opens the same addresses and ports again")                \
    X(WHY_R2, "the retransmission limit R2 is reached")                                            \
    X(WHY_USER_TIMEOUT, "the user timeout expired")                                                \
    X(WHY_KEEPALIVE, "keep-alive probes stay unanswered")                                          \
    X(WHY_ORPHAN, "the peer did not finish in time after the application let go")                  \
    X(WHY_LINGER, "the linger time ran out")                                                       \
    X(WHY_HOLD_TIMEOUT, "the application did not decide in time")                                  \
    X(WHY_HARD_ERROR, "ICMP says that the peer can't be reached")                                  \
    X(WHY_LISTENER_CLOSED, "the listener was closed")                                              \
    /* drops below TCP */                                                                          \
    X(DROP_IP_TRUNCATED, "shorter than its IP header says")                                        \
    X(DROP_IP_VERSION, "neither IPv4 nor IPv6")                                                    \
    X(DROP_IP_HEADER, "the IP header is malformed")                                                \
    X(DROP_IP_CHECKSUM, "the IP header checksum is wrong")                                         \
    X(DROP_IP_FRAGMENT, "an IP fragment: reassembly is left to the link's other end")              \
    X(DROP_IP_EXTENSION, "too many or malformed IPv6 extension headers")                           \
    X(DROP_IP_PROTOCOL, "a protocol that is not carried here")                                     \
    X(DROP_IP_ADDRESS, "a source or destination address that no unicast packet can have")          \
    X(DROP_NOT_OURS, "not addressed to us")                                                        \
    X(DROP_SUPER_PACKET, "a super-packet's offload facts don't fit it")                            \
    X(DROP_ICMP_MALFORMED, "an ICMP message is malformed or its checksum is wrong")                \
    X(DROP_ICMP_IGNORED, "an ICMP message of a type that is ignored")                              \
    X(DROP_ICMP_TOO_LARGE, "an echo request with more data than a block holds")                    \
    X(DROP_ICMP_STRANGER, "an ICMP error that quotes no connection of ours")                       \
    X(DROP_ICMP_SEQUENCE, "an ICMP error that quotes data that is not in flight")                  \
    /* drops in TCP */                                                                             \
    X(DROP_TCP_TRUNCATED, "shorter than a TCP header")                                             \
    X(DROP_TCP_HEADER, "the TCP header is malformed, or longer than the segment")                  \
    X(DROP_TCP_CHECKSUM, "the TCP checksum is wrong")                                              \
    X(DROP_TCP_OPTION, "an option has an impossible length")                                       \
    X(DROP_TCP_PORT, "port 0")                                                                     \
    X(DROP_STRANGER_RST, "a RST for no connection of ours")                                        \
    X(DROP_STRANGER_SILENT, "for no connection of ours: RSTs are switched off or used up")         \
    X(DROP_LISTEN_RST, "a RST to a listener")                                                      \
    X(DROP_LISTEN_NOTHING, "neither SYN, ACK nor RST to a listener")                               \
    X(DROP_SYN_LIMIT, "a SYN above the listener's limits")                                         \
    X(DROP_SYN_HELD, "a repeated SYN of a held open request")                                      \
    X(DROP_SYN_SENT_ACK, "acknowledges something else than our SYN")                               \
    X(DROP_SYN_SENT_RST, "a RST that does not acknowledge our SYN")                                \
    X(DROP_SYN_SENT_NOTHING, "neither SYN nor RST in SYN-SENT")                                    \
    X(DROP_PAWS, "an old duplicate by its timestamp")                                              \
    X(DROP_NO_TIMESTAMP, "the agreed timestamp is missing")                                        \
    X(DROP_OUT_OF_WINDOW, "outside the receive window")                                            \
    X(DROP_OLD_DUPLICATE, "everything in it was received before")                                  \
    X(DROP_RST_OUT_OF_WINDOW, "a RST outside the receive window")                                  \
    X(DROP_RST_CHALLENGED, "a RST in the window but not at its left edge: challenged")             \
    X(DROP_RST_TIME_WAIT, "a RST may not end TIME-WAIT")                                           \
    X(DROP_SYN_CHALLENGED, "a SYN on an existing connection: challenged")                          \
    X(DROP_SYN_TIME_WAIT, "a SYN in TIME-WAIT that is not newer than the old connection")          \
    X(DROP_SYN_RCVD, "a SYN in the window of a half-open connection ends it")                      \
    X(DROP_NO_ACK, "no ACK bit")                                                                   \
    X(DROP_ACK_UNSENT, "acknowledges data that was not sent")                                      \
    X(DROP_ACK_TOO_OLD, "acknowledges data from before any window of ours")                        \
    X(DROP_ACK_HANDSHAKE, "does not acknowledge our SYN,ACK: answered with RST")                   \
    X(DROP_TIME_WAIT_TEXT, "data or FIN again in TIME-WAIT")                                       \
    X(DROP_AFTER_FIN, "data behind the peer's FIN")                                                \
    X(DROP_NO_BLOCK, "no memory for the data or its FIN: the peer will send it again")             \
    X(DROP_NO_CONN, "no memory for the connection: the peer will send again")                      \
    X(DROP_BACKLOG, "the handshake is complete but the backlog is full")                           \
    X(DROP_TOO_MANY_GAPS, "too many gaps in the received data")                                    \
    X(DROP_OUT_OF_ORDER_RECLAIMED, "out-of-order data given up for data in order")                 \
    X(DROP_REPLY_RING, "too many answers are waiting to be sent")                                  \
    /* RSTs sent */                                                                                \
    X(RST_NO_LISTENER, "nobody listens there")                                                     \
    X(RST_LISTEN_ACK, "an ACK to a listener that belongs to no handshake")                         \
    X(RST_SYN_SENT_ACK, "acknowledged something else than our SYN")                                \
    X(RST_HANDSHAKE_ACK, "did not acknowledge our SYN,ACK")                                        \
    X(RST_REFUSED, "the application refused")                                                      \
    X(RST_OVERFLOW, "above the listener's limits")                                                 \
    X(RST_ABORT, "the application aborted")                                                        \
    X(RST_UNREAD, "closed with data unread")                                                       \
    X(RST_DATA_AFTER_CLOSE, "data came after close")                                               \
    X(RST_TIMEOUT, "given up after a time-out")                                                    \
    /* RSTs received */                                                                            \
    X(RST_IN_EXACT, "a RST at the left edge of the window")                                        \
    X(RST_IN_REFUSED, "a RST that acknowledges our SYN")                                           \
    /* ACKs out of turn */                                                                         \
    X(ACK_OUT_OF_WINDOW, "tells an unacceptable segment what is expected")                         \
    X(ACK_PAWS, "answers an old duplicate by its timestamp")                                       \
    X(ACK_CHALLENGE_RST, "challenges a RST")                                                       \
    X(ACK_CHALLENGE_SYN, "challenges a SYN")                                                       \
    X(ACK_CHALLENGE_ACK, "challenges an impossible acknowledgment")                                \
    X(ACK_TIME_WAIT, "acknowledges the peer's FIN again")                                          \
    X(ACK_OUT_OF_ORDER, "data is missing: duplicate ACK")                                          \
    X(ACK_GAP_FILLED, "a gap was filled")                                                          \
    X(ACK_DUPLICATE, "data came again, and new data with it")                                      \
    X(ACK_FIN, "acknowledges the peer's FIN")                                                      \
    X(ACK_EVERY_SECOND, "enough segments came")                                                    \
    X(ACK_QUICK, "the start of a connection")                                                      \
    X(ACK_WINDOW_UPDATE, "the receive window opened")                                              \
    X(ACK_ZERO_WINDOW_PROBE, "answers a zero-window probe")                                        \
    X(ACK_KEEPALIVE, "answers a keep-alive probe")                                                 \
    X(ACK_SYN_AGAIN, "the SYN came again")                                                         \
    /* timers */                                                                                   \
    X(TIMER_RTO, "the retransmission time ran out")                                                \
    X(TIMER_LOSS_PROBE, "two round trips without an ACK: time to probe for a lost tail")           \
    X(TIMER_REORDER, "what is missing did not come late")                                          \
    X(TIMER_SYN, "the SYN was not answered in time")                                               \
    X(TIMER_SYNACK, "the SYN,ACK was not acknowledged in time")                                    \
    X(TIMER_DELAYED_ACK, "the acknowledgment was delayed long enough")                             \
    X(TIMER_PERSIST, "the peer's window is closed: time to probe")                                 \
    X(TIMER_SWS_OVERRIDE, "data was held back long enough")                                        \
    X(TIMER_KEEPALIVE, "the connection was idle long enough to probe")                             \
    X(TIMER_USER, "the user timeout")                                                              \
    X(TIMER_ORPHAN, "the time for the peer to finish")                                             \
    X(TIMER_LINGER, "the linger time")                                                             \
    X(TIMER_HOLD, "the time to decide on an open request")                                         \
    X(TIMER_TIME_WAIT, "twice the maximum segment lifetime")                                       \
    /* retransmissions and probes */                                                               \
    X(RETRANSMIT_SYN, "the SYN again")                                                             \
    X(RETRANSMIT_SYNACK, "the SYN,ACK again")                                                      \
    X(RETRANSMIT_RTO, "the first unacknowledged segment again, after the RTO")                     \
    X(RETRANSMIT_GO_BACK, "what was sent behind that one again")                                   \
    X(RETRANSMIT_FAST, "fast retransmit: three duplicate ACKs")                                    \
    X(RETRANSMIT_RACK, "what was sent after it has arrived")                                       \
    X(RETRANSMIT_PARTIAL_ACK, "NewReno: a partial ACK shows the next hole")                        \
    X(RETRANSMIT_LOSS_PROBE, "a probe for a lost tail: the last segment again")                    \
    X(RETRANSMIT_FIN, "the FIN again")                                                             \
    X(RETRANSMIT_MTU, "a smaller path MTU: cut and sent again")                                    \
    X(PROBE_ZERO_WINDOW, "a zero-window probe")                                                    \
    X(PROBE_KEEPALIVE, "a keep-alive probe")                                                       \
    /* recovery */                                                                                 \
    X(RECOVERY_BEGINS, "loss was found: what is lost is sent again, at a lower rate")              \
    X(RECOVERY_ENDS, "everything sent before the loss was found is acknowledged")                  \
    X(RECOVERY_AGAIN, "what is in flight is sent again, without blame")                            \
    X(RECOVERY_PROBE_REPAIRED, "the probe repaired a lost tail: the rate is lowered once")         \
    X(RECOVERY_UNDO_TIMESTAMP, "undone: the original drew the ACK, its timestamp says")            \
    X(RECOVERY_UNDO_DUPLICATE, "undone: all that was sent again came twice")                       \
    X(RECOVERY_UNDO_LATE, "undone: all came before anything was sent again")                       \
    /* windows */                                                                                  \
    X(WINDOW_PEER_CLOSED, "the peer's window is zero")                                             \
    X(WINDOW_PEER_OPENED, "the peer's window is open again")                                       \
    X(WINDOW_PEER_SHRANK, "the peer moved its window's right edge to the left")                    \
    X(WINDOW_CLOSED, "our window is zero")                                                         \
    X(WINDOW_OPENED, "our window is open again")                                                   \
    /* limits */                                                                                   \
    X(LIMIT_CONNECTIONS, "connections")                                                            \
    X(LIMIT_HALF_OPEN, "half-open entries")                                                        \
    X(LIMIT_BACKLOG, "the listener's backlog")                                                     \
    X(LIMIT_PER_REMOTE, "connections from one remote address")                                     \
    X(LIMIT_TIME_WAIT, "time-wait entries")                                                        \
    X(LIMIT_POOL, "the pool of data blocks")                                                       \
    X(LIMIT_CHALLENGE, "challenge ACKs of a connection")                                           \
    X(LIMIT_RST_RATE, "RSTs to strangers")                                                         \
    X(LIMIT_ICMP_RATE, "ICMP answers")                                                             \
    X(LIMIT_COOKIES, "SYN cookies are sent instead of keeping half-open entries")                  \
    X(LIMIT_R1, "retransmission limit R1")                                                         \
    X(LIMIT_FLIGHT, "no flight record: one segment at a time")                                     \
    /* path */                                                                                     \
    X(ICMP_SOFT, "a soft error: the connection goes on")                                           \
    X(ICMP_HARD, "a hard error while connecting")                                                  \
    X(ICMP_TOO_BIG, "the path takes smaller packets only")                                         \
    X(ICMP_TOO_BIG_PENDING, "a claim of a smaller path MTU waits for a retransmission")            \
    X(RTT_TIMED, "a timed segment was acknowledged")                                               \
    X(RTT_TIMESTAMP, "by the echoed timestamp")                                                    \
    X(CLOCK_BACK, "the clock went back and was held")

enum hf_reason {
#define HF_REASON_ENUM(NAME, text) HF_##NAME,
    HF_REASON_LIST(HF_REASON_ENUM)
#undef HF_REASON_ENUM
        HF_REASON_COUNT
};

/** Flags of the TCP header as on the wire. */
enum hf_flag {
    HF_FIN = 0x01,
    HF_SYN = 0x02,
    HF_RST = 0x04,
    HF_PSH = 0x08,
    HF_ACK = 0x10,
    HF_URG = 0x20,
    HF_ECE = 0x40,
    HF_CWR = 0x80,
    HF_AE = 0x100,
};

enum { HF_SACK_BLOCKS_MAX = 4 };

/** A TCP segment, parsed: all of its header in host order, and how much payload it has. */
struct hf_segment {
    uint16_t source_port, destination_port;
    uint32_t seq, ack;
    uint16_t flags;  /**< enum hf_flag */
    uint16_t window; /**< as on the wire, unscaled */
    uint16_t urgent_pointer;
    uint16_t checksum;    /**< as parsed; not used to emit */
    uint8_t header_bytes; /**< as parsed; not used to emit */
    bool has_mss, has_wscale, has_sack_permitted, has_timestamps;
    uint8_t wscale;
    uint8_t sack_count;
    uint16_t mss_bytes;
    uint32_t ts_value, ts_echo;
    struct {
        uint32_t left, right;
    } sack[HF_SACK_BLOCKS_MAX];
    uint32_t payload_bytes;
};

struct hf_trace_event {
    hf_ns now_ns;
    hf_handle handle; /**< 0: no connection */
    enum hf_trace type;
    enum hf_reason reason;
    enum hf_state from, to; /**< of HF_TRACE_STATE; otherwise both the state at that moment */
    struct hf_endpoint local, remote;
    int64_t a, b;                     /**< named in HF_TRACE_LIST */
    const struct hf_segment *segment; /**< of a segment, RST or drop; else NULL */
};

/** The event's name in lower case, "state". */
HF_API const char *hf_trace_name(enum hf_trace t);
/** The reason's identifier, "DROP_PAWS". */
HF_API const char *hf_reason_name(enum hf_reason r);
/** The reason in words. */
HF_API const char *hf_reason_text(enum hf_reason r);

#ifdef __cplusplus
}
#endif
#endif
