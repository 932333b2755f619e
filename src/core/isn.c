/**
 * Initial sequence numbers, timestamp and port offsets. Holds no state: clock and secret come in.
 */
#include "isn.h"

enum { ISN_TICK_NS = 4000 };

/** Of an IPv4 address in mapped form, the part that differs. */
static uint64_t v4_of(const struct hf_endpoint *e)
{
    return hf_get32(e->addr.octets + 12);
}

uint64_t hf_hash_endpoints(const struct hf_sip_key *secret, enum hf_hash_use use,
                           const struct hf_endpoint *local, const struct hf_endpoint *remote,
                           uint32_t issuer, uint64_t more)
{
    uint64_t what = (uint64_t)issuer << 4 | use;
    uint64_t ports = what << 32 | (uint64_t)local->port << 16 | remote->port;
    if (hf_addr_is_mapped(&local->addr) && hf_addr_is_mapped(&remote->addr)) {
        /* A shorter message, and never one of the longer: its length is part of the hash. */
        uint64_t words[] = {v4_of(local) << 32 | v4_of(remote), ports, more};
        return hf_siphash24_words(secret, words, HF_COUNT_OF(words));
    }
    uint64_t words[] = {
        hf_get64(local->addr.octets),
        hf_get64(local->addr.octets + 8),
        hf_get64(remote->addr.octets),
        hf_get64(remote->addr.octets + 8),
        ports,
        more,
    };
    return hf_siphash24_words(secret, words, HF_COUNT_OF(words));
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
    struct hf_endpoint from = {*local, 0}, to = {*remote, 0};
    return (uint32_t)hf_hash_endpoints(secret, HF_USE_TIMESTAMP, &from, &to, 0, 0);
}

uint32_t hf_port_hash(const struct hf_sip_key *secret, const struct hf_addr *local,
                      const struct hf_endpoint *remote)
{
    struct hf_endpoint from = {*local, 0};
    return (uint32_t)hf_hash_endpoints(secret, HF_USE_PORT, &from, remote, 0, 0);
}
