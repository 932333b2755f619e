/**
 * The live flow: which packets are its own, and what relative numbers stand for.
 */
#include "flow.h"

#include "core/wire/icmp.h"
#include "core/wire/tcp.h"

void hf_flow_begin(struct hf_flow *f, const struct hf_endpoint *local,
                   const struct hf_endpoint *remote, bool remote_is_known)
{
    f->local = *local;
    f->remote = *remote;
    f->remote_is_known = remote_is_known;
    f->local_iss_known = false;
    f->remote_iss_known = false;
    f->local_iss = f->local_script_iss = f->remote_iss = 0;
    f->stamps_known = false;
    f->stamp_script = f->stamp_live = 0;
    f->stamp_count = 0;
}

/* ---- whose packet ------------------------------------------------------------------------- */

static bool is_end(const struct hf_endpoint *end, const struct hf_addr *addr, uint16_t port)
{
    bool any_addr = hf_addr_is_any(&end->addr);
    return (any_addr || hf_addr_equal(&end->addr, addr)) && (end->port == 0 || end->port == port);
}

static bool has_ends(const struct hf_flow *f, const struct hf_addr *local, uint16_t local_port,
                     const struct hf_addr *remote, uint16_t remote_port)
{
    return is_end(&f->local, local, local_port) &&
           (!f->remote_is_known || is_end(&f->remote, remote, remote_port));
}

static bool has_addresses(const struct hf_flow *f, const struct hf_ip *ip)
{
    return has_ends(f, &ip->source, f->local.port, &ip->destination, f->remote.port);
}

bool hf_flow_has(const struct hf_flow *f, const uint8_t *bytes, size_t length_bytes)
{
    struct hf_ip ip;
    struct hf_segment seg;
    struct hf_icmp icmp;
    if (hf_ip_parse(bytes, length_bytes, &ip) != HF_NONE)
        return false;
    const uint8_t *transport = bytes + ip.header_bytes;
    if (ip.protocol == HF_IP_PROTO_TCP) {
        enum hf_reason reason = hf_tcp_parse(transport, ip.payload_bytes, &seg);
        /* Options that can't be parsed belong to somebody all the same. */
        return (reason == HF_NONE || reason == HF_DROP_TCP_OPTION) &&
               has_ends(f, &ip.source, seg.source_port, &ip.destination, seg.destination_port);
    }
    if (hf_icmp_parse(&ip, transport, ip.payload_bytes, true, &icmp) != HF_NONE)
        return false;
    if (icmp.kind != HF_ICMP_ERROR)
        return has_addresses(f, &ip);
    /* What the stack complains of came from the peer. */
    return icmp.quoted_tcp && has_ends(f, &icmp.quoted.destination, icmp.quoted_destination_port,
                                       &icmp.quoted.source, icmp.quoted_source_port);
}

/* ---- numbers ------------------------------------------------------------------------------ */

uint32_t hf_flow_local_offset(const struct hf_flow *f, bool syn)
{
    if (!f->local_iss_known)
        return 0;
    return syn ? f->local_iss - f->local_script_iss : f->local_iss;
}

uint32_t hf_flow_remote_offset(const struct hf_flow *f, bool syn)
{
    return syn || !f->remote_iss_known ? 0 : f->remote_iss;
}

void hf_flow_remember(struct hf_flow *f, uint32_t script, uint32_t live)
{
    if (!f->stamps_known) {
        f->stamps_known = true;
        f->stamp_script = script;
        f->stamp_live = live;
    }
    /* A ring: stamp_count counts on, and the newest with a name is the one that is meant. */
    f->stamps[f->stamp_count++ % HF_FLOW_STAMPS] = (struct hf_flow_stamp){script, live};
}

bool hf_flow_live_stamp(const struct hf_flow *f, uint32_t script, uint32_t *live)
{
    size_t kept = hf_min_size(f->stamp_count, HF_FLOW_STAMPS);
    for (size_t i = 1; i <= kept; i++) {
        const struct hf_flow_stamp *s = &f->stamps[(f->stamp_count - i) % HF_FLOW_STAMPS];
        if (s->script == script) {
            *live = s->live;
            return true;
        }
    }
    *live = f->stamp_live + (script - f->stamp_script);
    return f->ts_echo_is_scaled && f->stamps_known;
}

uint32_t hf_flow_script_stamp(const struct hf_flow *f, uint32_t live)
{
    return f->stamps_known ? f->stamp_script + (live - f->stamp_live) : live;
}
