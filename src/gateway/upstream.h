/**
 * Connections to the outside, through the kernel's own TCP: what the relay ties an inner connection
 * to. Non-blocking throughout; the caller polls the descriptor.
 *
 * The purpose is a faithful mirror: a refusal outside becomes the same refusal inside, a FIN a FIN,
 * a RST a RST. What the relay has to know of the kernel for that stands here and nowhere else.
 */
#ifndef HF_GATEWAY_UPSTREAM_H
#define HF_GATEWAY_UPSTREAM_H

#include <sys/uio.h>

#include <handfast/handfast.h>

/** Where inner addresses lead. */
struct hf_upstream_config {
    struct hf_addr host_v4; /**< means the host's 127.0.0.1; HF_ADDR_ANY: no address does */
    struct hf_addr host_v6; /**< means the host's ::1; HF_ADDR_ANY: no address does */
};

enum hf_upstream_state {
    HF_UPSTREAM_CONNECTING, /**< poll for writing, then call hf_upstream_progress */
    HF_UPSTREAM_CONNECTED,
    HF_UPSTREAM_FAILED, /**< refusal and sys_errno tell; the descriptor is closed */
};

struct hf_upstream {
    int fd; /**< -1: closed */
    enum hf_upstream_state state;
    enum hf_refusal refusal; /**< of HF_UPSTREAM_FAILED: what to tell the inner side */
    int sys_errno;           /**< of a failure; 0: none */
    int ended;               /**< HF_OK, or how the connection broke: HF_E_RESET, HF_E_TIMEOUT,
                                  HF_E_UNREACHABLE */
    bool peer_closed;        /**< the outer peer's FIN was read */
    bool shut;               /**< we sent our FIN */
};

/** 10.0.2.2 and fd00::2:2. */
void hf_upstream_config_init(struct hf_upstream_config *cfg);

/**
 * Where a connection to this inner endpoint leads outside. False: nowhere, since no packet on a
 * wire has such a destination (unspecified, loopback, multicast, broadcast); the inner side must
 * not get at the host's own loopback but by the configured address.
 */
bool hf_upstream_target(const struct hf_upstream_config *cfg, const struct hf_endpoint *inner,
                        struct hf_endpoint *outer);

/**
 * Starts a connection to what an inner endpoint stands for. Always fills *u; returns HF_OK when it
 * is connecting or connected, HF_E_REFUSED when the outcome is already known to be a refusal, and
 * HF_E_MEMORY, HF_E_PORTS or HF_E_SYSTEM when we lack something: the inner SYN is then best ignored
 * (refusal says so), it will come again.
 */
HF_MUST_CHECK int hf_upstream_open(struct hf_upstream *u, const struct hf_upstream_config *cfg,
                                   const struct hf_endpoint *inner);

/** Looks what became of a connection that was being made, once its descriptor is writable or
 *  broken. As hf_upstream_open; the state is still HF_UPSTREAM_CONNECTING if it is undecided. */
HF_MUST_CHECK int hf_upstream_progress(struct hf_upstream *u);

/** Reads into pieces; the number of bytes (> 0), HF_E_AGAIN, HF_E_END after the peer's FIN, or how
 *  the connection broke (u->ended). Bytes that came before a RST are still given. */
HF_MUST_CHECK int64_t hf_upstream_read(struct hf_upstream *u, const struct iovec *pieces,
                                       size_t count);
/** Writes from pieces; the number of bytes taken (> 0), HF_E_AGAIN, HF_E_CLOSING after
 *  hf_upstream_shut, or how the connection broke. */
HF_MUST_CHECK int64_t hf_upstream_write(struct hf_upstream *u, const struct iovec *pieces,
                                        size_t count);

/** Half-close: a FIN after what was written. HF_OK, or how the connection broke. */
HF_MUST_CHECK int hf_upstream_shut(struct hf_upstream *u);

/** For a descriptor that polls as broken, and without reading: has the connection ended by other
 *  means than FINs? HF_OK: it has not. The answer, once an error, stays. */
HF_MUST_CHECK int hf_upstream_trouble(struct hf_upstream *u);

/** Closes in order: the kernel sends what was written, and a FIN (a RST, if data came unread). */
void hf_upstream_close(struct hf_upstream *u);
/** Closes with a RST and drops what was not sent; a connection that is being made is given up. */
void hf_upstream_abort(struct hf_upstream *u);

#endif
