/**
 * Numbers that a peer can follow and nobody else can foresee: initial sequence numbers, timestamp
 * offsets, port offsets. Each is a keyed hash of addresses; the secret is the caller's to choose
 * anew for every stack.
 */
#ifndef HF_CORE_ISN_H
#define HF_CORE_ISN_H

#include "siphash.h"

/** What a hash is for. A part of its message: one use tells nothing of another under one secret. */
enum hf_hash_use { HF_USE_ISN = 1, HF_USE_TIMESTAMP, HF_USE_PORT, HF_USE_COOKIE };

/** SipHash-2-4 of use, both endpoints and two numbers more, the first below 2^28. */
uint64_t hf_hash_endpoints(const struct hf_sip_key *secret, enum hf_hash_use use,
                           const struct hf_endpoint *local, const struct hf_endpoint *remote,
                           uint32_t issuer, uint64_t more);

/** ISN = M + F(local, remote, secret), M a clock of 4 us [RFC9293#3.4.1]: grows from one connection
 *  of the same tuple to the next (for 4.7 h, then it wraps). */
hf_seq hf_isn(const struct hf_sip_key *secret, const struct hf_endpoint *local,
              const struct hf_endpoint *remote, hf_ns now);

/** What is added to the timestamp clock towards this address: one for all its ports, so that the
 *  timestamps of a new connection are above those of the last [RFC6191#3] [RFC7323#5.4]. */
uint32_t hf_ts_offset(const struct hf_sip_key *secret, const struct hf_addr *local,
                      const struct hf_addr *remote);

/** Where the search for a local port towards this endpoint begins: F of [RFC6056#3.3.3]. */
uint32_t hf_port_hash(const struct hf_sip_key *secret, const struct hf_addr *local,
                      const struct hf_endpoint *remote);

#endif
