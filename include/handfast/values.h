/**
 * The values that all of Handfast's interfaces speak in: time, addresses, handles, errors, states.
 */
#ifndef HANDFAST_VALUES_H
#define HANDFAST_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HF_VERSION_MAJOR 0
#define HF_VERSION_MINOR 1
#define HF_VERSION_PATCH 0
#define HF_VERSION_TEXT "0.1.0"

#if defined(__GNUC__)
#define HF_API __attribute__((visibility("default")))
#define HF_MUST_CHECK __attribute__((warn_unused_result))
#else
#define HF_API
#define HF_MUST_CHECK
#endif

/* ---- values ------------------------------------------------------------------------------ */

typedef int64_t hf_ns;      /**< nanoseconds: an instant or a span */
typedef uint64_t hf_handle; /**< names a connection or a listener; 0 names nothing */

#define HF_NEVER INT64_MAX
#define HF_US(n) ((hf_ns)(n)*1000)
#define HF_MS(n) ((hf_ns)(n)*1000000)
#define HF_SEC(n) ((hf_ns)(n)*1000000000)

/** An IPv6 address in network order, or an IPv4 address in IPv4-mapped form [RFC4291#2.5.5.2]. */
struct hf_addr {
    uint8_t octets[16];
};

struct hf_endpoint {
    struct hf_addr addr;
    uint16_t port; /**< host order */
};

/** All-zero: the unspecified address, of either family. */
#define HF_ADDR_ANY ((struct hf_addr){{0}})

HF_API struct hf_addr hf_addr_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d);
HF_API bool hf_addr_is_v4(const struct hf_addr *a);
HF_API bool hf_addr_equal(const struct hf_addr *a, const struct hf_addr *b);

enum { HF_ADDR_TEXT_BYTES = 48, HF_ENDPOINT_TEXT_BYTES = 56 };
/** Writes the address as text [RFC5952], NUL-terminated; returns its length. */
HF_API size_t hf_addr_text(const struct hf_addr *a, char text[HF_ADDR_TEXT_BYTES]);
/** Writes "address:port", IPv6 in brackets; returns its length. */
HF_API size_t hf_endpoint_text(const struct hf_endpoint *e, char text[HF_ENDPOINT_TEXT_BYTES]);

/* ---- errors ------------------------------------------------------------------------------ */

/** X(name, value, text): what a call can answer. */
#define HF_ERR_LIST(X)                                                                             \
    X(OK, 0, "done")                                                                               \
    X(E_INVALID, -1, "an argument is out of range")                                                \
    X(E_HANDLE, -2, "no such connection or listener")                                              \
    X(E_MEMORY, -3, "a memory limit is reached")                                                   \
    X(E_AGAIN, -4, "nothing to read, or no room to write, at present")                             \
    X(E_END, -5, "the peer has closed its direction and all was read")                             \
    X(E_CLOSING, -6, "the connection is closing: this direction is shut")                          \
    X(E_EXISTS, -7, "a connection or listener with these addresses exists")                        \
    X(E_PORTS, -8, "no free local port towards this remote address")                               \
    X(E_UNREACHABLE, -9, "no local address, or the remote address can't be connected to")          \
    X(E_RESET, -10, "the connection was reset")                                                    \
    X(E_REFUSED, -11, "the connection was refused")                                                \
    X(E_TIMEOUT, -12, "the connection timed out")                                                  \
    X(E_STATE, -13, "not possible in this state")                                                  \
    X(E_VERSION, -14, "saved by another version or with other settings")                           \
    X(E_SYSTEM, -15, "the operating system refused")                                               \
    X(E_PRIVILEGE, -16, "a privilege is missing")                                                  \
    X(E_DEVICE, -17, "the device is missing or in use")

enum hf_err {
#define HF_ERR_ENUM(name, value, text) HF_##name = (value),
    HF_ERR_LIST(HF_ERR_ENUM)
#undef HF_ERR_ENUM
};

/** The name of an error ("HF_E_AGAIN"); of a value that is none, "unknown". */
HF_API const char *hf_err_name(int err);
/** One line that says what an error means. */
HF_API const char *hf_err_text(int err);

/* ---- states and outcomes ------------------------------------------------------------------ */

/** The states of RFC 9293 3.3.2. */
#define HF_STATE_LIST(X)                                                                           \
    X(CLOSED, "CLOSED")                                                                            \
    X(LISTEN, "LISTEN")                                                                            \
    X(SYN_SENT, "SYN-SENT")                                                                        \
    X(SYN_RCVD, "SYN-RECEIVED")                                                                    \
    X(ESTABLISHED, "ESTABLISHED")                                                                  \
    X(FIN_WAIT_1, "FIN-WAIT-1")                                                                    \
    X(FIN_WAIT_2, "FIN-WAIT-2")                                                                    \
    X(CLOSE_WAIT, "CLOSE-WAIT")                                                                    \
    X(CLOSING, "CLOSING")                                                                          \
    X(LAST_ACK, "LAST-ACK")                                                                        \
    X(TIME_WAIT, "TIME-WAIT")

enum hf_state {
#define HF_STATE_ENUM(name, text) HF_##name,
    HF_STATE_LIST(HF_STATE_ENUM)
#undef HF_STATE_ENUM
};
#define HF_STATE_COUNT (HF_TIME_WAIT + 1)

/** The state's name as the RFC writes it. */
HF_API const char *hf_state_name(enum hf_state s);

/** X(name, text): how a connection ended. Exactly one closed event tells it. */
#define HF_CLOSED_LIST(X)                                                                          \
    X(NOT, "still open")                                                                           \
    X(FIN, "both sides closed in order")                                                           \
    X(RESET, "reset by the peer")                                                                  \
    X(REFUSED, "refused by the peer")                                                              \
    X(ABORTED, "aborted by the application")                                                       \
    X(DATA_LOST, "closed with data unread, or data came after close: peer was reset")              \
    X(TIMED_OUT, "retransmissions went unanswered")                                                \
    X(USER_TIMEOUT, "the user timeout expired")                                                    \
    X(KEEPALIVE, "keep-alive probes went unanswered")                                              \
    X(ORPHAN, "closed by the application, and the peer did not finish in time")                    \
    X(LINGER, "closed by the application, and its linger time ran out")                            \
    X(UNREACHABLE, "the network says the peer can't be reached")                                   \
    X(HOLD_TIMEOUT, "held open request: not decided in time")                                      \
    X(REJECTED, "held open request: rejected by the application")                                  \
    X(WITHDRAWN, "held open request: the peer gave up")

enum hf_closed {
#define HF_CLOSED_ENUM(name, text) HF_CLOSED_##name,
    HF_CLOSED_LIST(HF_CLOSED_ENUM)
#undef HF_CLOSED_ENUM
};
#define HF_CLOSED_COUNT (HF_CLOSED_WITHDRAWN + 1)

HF_API const char *hf_closed_text(enum hf_closed how);

#ifdef __cplusplus
}
#endif
#endif
