/**
 * Initial sequence numbers, timestamp and port offsets. Holds no state: clock and secret come in.
 */
#include "isn.h"

enum { ISN_TICK_NS = 4000 };

/** Of an IPv4 address in mapped form, the part that differs. */
static inline uint64_t v4_of(const struct hf_addr *a)
{
    return hf_get32(a->octets + 12);
}

/** hf_hash_endpoints, of the endpoints' parts. */
static uint64_t hash_parts(const struct hf_sip_key *secret, const struct hf_addr *local,
                           const struct hf_addr *remote, uint64_t ports, uint64_t more)
{
    if (hf_addr_is_mapped(local) && hf_addr_is_mapped(remote)) {
        /* A shorter message, and never one of the longer: its length is part of the hash. */
        return hf_siphash24_three(secret, v4_of(local) << 32 | v4_of(remote), ports, more);
    }
    uint64_t words[] = {
        hf_get64(local->octets),
        hf_get64(local->octets + 8),
        hf_get64(remote->octets),
        hf_get64(remote->octets + 8),
        ports,
        more,
    };
    return hf_siphash24_words(secret, words, HF_COUNT_OF(words));
}

/** What it is for, and the ports: a word of the message. */
static inline uint64_t ports_word(enum hf_hash_use use, uint32_t issuer, uint16_t local,
                                  uint16_t remote)
{
    uint64_t what = (uint64_t)issuer << 4 | use;
    return what << 32 | (uint64_t)local << 16 | remote;
}

uint64_t hf_hash_endpoints(const struct hf_sip_key *secret, enum hf_hash_use use,
                           const struct hf_endpoint *local, const struct hf_endpoint *remote,
                           uint32_t issuer, uint64_t more)
{
    return hash_parts(secret, &local->addr, &remote->addr,
                      ports_word(use, issuer, local->port, remote->port), more);
}

hf_seq hf_isn(const struct hf_sip_key *secret, const struct hf_endpoint *local,
              const struct hf_endpoint *remote, hf_ns now)
{
    /* [RFC9293#3.4.1] [SHLD-1] The clock part [MUST-8] keeps old duplicates below the new
     * connection, the keyed part [MUST-9] keeps outsiders from inferring one tuple's numbers from
     * another's. */
    uint32_t clock = (uint32_t)(now / ISN_TICK_NS);
    uint32_t keyed = (uint32_t)hf_hash_endpoints(secret, HF_USE_ISN, local, remote, 0, 0);
    return hf_seq_make(clock + keyed);
}

uint32_t hf_ts_offset(const struct hf_sip_key *secret, const struct hf_addr *local,
                      const struct hf_addr *remote)
{
    return (uint32_t)hash_parts(secret, local, remote, ports_word(HF_USE_TIMESTAMP, 0, 0, 0), 0);
}

uint32_t hf_port_hash(const struct hf_sip_key *secret, const struct hf_addr *local,
                      const struct hf_endpoint *remote)
{
    uint64_t ports = ports_word(HF_USE_PORT, 0, 0, remote->port);
    return (uint32_t)hash_parts(secret, local, &remote->addr, ports, 0);
}
