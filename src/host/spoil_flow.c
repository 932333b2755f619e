/**
 * Follows connections by the segments that pass, so that rules can name a moment of the handshake
 * or of the close.
 */
#include "spoil_flow.h"

#include "core/wire/ip.h"
#include "core/wire/tcp.h"

static bool read_segment(const uint8_t *bytes, size_t n, struct hf_ip *ip, struct hf_segment *seg)
{
    /* As a quoted header: of a packet to be sent only the header may be in one piece. */
    if (hf_ip_parse_quoted(bytes, n, ip) != HF_NONE || ip->protocol != HF_IP_PROTO_TCP)
        return false;
    size_t have = hf_min_size(n - ip->header_bytes, ip->payload_bytes);
    if (hf_tcp_parse(bytes + ip->header_bytes, have, seg) != HF_NONE)
        return false;
    seg->payload_bytes = ip->payload_bytes - seg->header_bytes;
    return true;
}

static bool endpoints_equal(const struct hf_endpoint *a, const struct hf_endpoint *b)
{
    return a->port == b->port && memcmp(&a->addr, &b->addr, sizeof a->addr) == 0;
}

static bool comes_first(const struct hf_endpoint *a, const struct hf_endpoint *b)
{
    int order = memcmp(&a->addr, &b->addr, sizeof a->addr);
    return order < 0 || (order == 0 && a->port < b->port);
}

static size_t set_of(const struct hf_endpoint ends[2])
{
    uint32_t h = (uint32_t)ends[0].port << 16 | ends[1].port;
    for (size_t i = 0; i < 16; i += 4)
        h = (h ^ hf_get32(ends[0].addr.octets + i)) * 0x9e3779b1u +
            hf_get32(ends[1].addr.octets + i);
    return (h ^ h >> 15) * 0x85ebca6bu >> 24;
}

_Static_assert(HF_SPOIL_FLOW_SETS == 256, "set_of gives eight bits");

/* Finds the entry of both ends, or makes one in place of the oldest of its set. */
static struct hf_spoil_flow *find(struct hf_spoil_flows *flows, const struct hf_endpoint ends[2])
{
    struct hf_spoil_flow *set = flows->table[set_of(ends)], *oldest = set;
    for (size_t i = 0; i < HF_SPOIL_FLOW_WAYS; i++) {
        if (set[i].used && endpoints_equal(&set[i].ends[0], &ends[0]) &&
            endpoints_equal(&set[i].ends[1], &ends[1]))
            return &set[i];
        if (set[i].used < oldest->used)
            oldest = &set[i];
    }
    *oldest = (struct hf_spoil_flow){.ends = {ends[0], ends[1]}};
    return oldest;
}

/* A SYN with another number starts another connection between the same ends. */
static bool starts_anew(const struct hf_spoil_side *me, const struct hf_segment *seg)
{
    return (seg->flags & HF_SYN) && !(seg->flags & HF_ACK) && me->has_isn && me->isn != seg->seq;
}

static void note(struct hf_spoil_flow *f, unsigned side, const struct hf_segment *seg)
{
    struct hf_spoil_side *me = &f->sides[side];
    if (seg->flags & HF_SYN) {
        me->has_isn = true;
        me->isn = seg->seq;
        me->has_data = true;
        me->data_seq = seg->seq + 1;
        me->sent_synack = (seg->flags & HF_ACK) != 0;
    }
    if (seg->payload_bytes > 0 && !me->has_data) {
        me->has_data = true; /* joined in mid-stream: the first data seen is its start */
        me->data_seq = seg->seq;
    }
    if ((seg->flags & HF_FIN) && !f->has_fin[side]) {
        f->has_fin[side] = true;
        f->fins++;
        f->second_fin = (uint8_t)side;
        me->fin_end = seg->seq + hf_segment_length(seg);
    }
}

static unsigned bit(bool is, enum hf_spoil_kind kind)
{
    return is ? 1u << kind : 0;
}

static unsigned kinds_of(const struct hf_spoil_flow *f, unsigned side, const struct hf_segment *seg)
{
    const struct hf_spoil_side *me = &f->sides[side], *peer = &f->sides[1 - side];
    const unsigned shape = HF_SYN | HF_FIN | HF_RST | HF_ACK;
    bool has_data = seg->payload_bytes > 0;
    bool is_ack = (seg->flags & shape) == HF_ACK && !has_data;
    uint32_t data_seq = seg->seq + ((seg->flags & HF_SYN) != 0);
    bool ends_handshake =
        me->has_isn && peer->sent_synack && seg->seq == me->isn + 1 && seg->ack == peer->isn + 1;
    bool ends_close = f->fins == 2 && f->second_fin != side && seg->ack == peer->fin_end;
    return bit(true, HF_SPOIL_ANY) | bit((seg->flags & (HF_SYN | HF_ACK)) == HF_SYN, HF_SPOIL_SYN) |
           bit((seg->flags & (HF_SYN | HF_ACK)) == (HF_SYN | HF_ACK), HF_SPOIL_SYNACK) |
           bit(is_ack && ends_handshake, HF_SPOIL_THIRD_ACK) |
           bit(has_data && me->has_data && data_seq == me->data_seq, HF_SPOIL_FIRST_DATA) |
           bit(has_data, HF_SPOIL_DATA) | bit(is_ack, HF_SPOIL_ACK) |
           bit(seg->flags & HF_FIN, HF_SPOIL_FIN) | bit(is_ack && ends_close, HF_SPOIL_LAST_ACK) |
           bit(seg->flags & HF_RST, HF_SPOIL_RST);
}

unsigned hf_spoil_look(struct hf_spoil_flows *flows, const uint8_t *bytes, size_t n,
                       struct hf_spoil_flow **flow)
{
    struct hf_ip ip;
    struct hf_segment seg;
    *flow = &flows->strangers;
    if (!read_segment(bytes, n, &ip, &seg))
        return bit(true, HF_SPOIL_ANY);
    struct hf_endpoint ends[2] = {{ip.source, seg.source_port},
                                  {ip.destination, seg.destination_port}};
    unsigned side = 0;
    if (comes_first(&ends[1], &ends[0])) {
        struct hf_endpoint swap = ends[0];
        ends[0] = ends[1];
        ends[1] = swap;
        side = 1;
    }
    struct hf_spoil_flow *f = find(flows, ends);
    if (starts_anew(&f->sides[side], &seg))
        *f = (struct hf_spoil_flow){.ends = {ends[0], ends[1]}};
    f->used = ++flows->turn;
    note(f, side, &seg);
    *flow = f;
    return kinds_of(f, side, &seg);
}
