/**
 * ICMP messages: echo is answered; errors are matched to a connection by what they quote and acted
 * on with the caution of RFC 5927: only if they quote data in flight, and a connection that once
 * worked is never ended by one.
 */
#include "tuples.h"

enum {
    V4_UNREACHABLE = 3,
    V4_SOURCE_QUENCH = 4,
    V4_FRAGMENTATION_NEEDED = 4,
    V4_PROTOCOL = 2,
    V4_PORT = 3,
    V6_UNREACHABLE = 1,
    V6_TOO_BIG = 2,
    V6_PROHIBITED = 1,
    V6_PORT = 4,
    V6_ERROR_FLAG = 32768, /* hf_info.soft_error: ICMPv6 types are told apart by this */
    V4_MTU_MIN = 68,
    V6_MTU_MIN = 1280,
    HEADERS_MAX = 100, /* IPv6 and TCP with all options: what must leave room for data */
};

static void drop(struct hf_stack *s, const struct hf_ip *ip, enum hf_reason reason)
{
    struct hf_endpoint local = {ip->destination, 0}, remote = {ip->source, 0};
    hf_trace_stranger(s, HF_TRACE_DROP, reason, &local, &remote, 0, 0, NULL);
}

static bool is_too_big(const struct hf_icmp *icmp)
{
    return icmp->v6 ? icmp->type == V6_TOO_BIG
                    : icmp->type == V4_UNREACHABLE && icmp->code == V4_FRAGMENTATION_NEEDED;
}

/** Hard: nobody there can ever take this connection [SHLD-26]. */
static bool is_hard(const struct hf_icmp *icmp)
{
    if (icmp->v6)
        return icmp->type == V6_UNREACHABLE &&
               (icmp->code == V6_PROHIBITED || icmp->code == V6_PORT);
    return icmp->type == V4_UNREACHABLE && (icmp->code == V4_PROTOCOL || icmp->code == V4_PORT);
}

/** [RFC5927#4.1] the quoted segment must be one that is in flight. */
static bool quotes_flight(const struct hf_conn *c, uint32_t seq)
{
    return hf_seq_ge(hf_seq_make(seq), c->snd_una) && hf_seq_lt(hf_seq_make(seq), c->snd_nxt);
}

/* ---- the path's MTU [RFC1191] [RFC8201] [UN-07] -------------------------------------------- */

static void lower_mtu(struct hf_stack *s, struct hf_conn *c, uint32_t mtu)
{
    uint32_t old_mss = hf_conn_mss(c);
    c->path_mtu = (uint16_t)mtu;
    hf_trace_conn(s, c, HF_TRACE_ICMP_IN, HF_ICMP_TOO_BIG, 0, mtu, NULL);
    hf_recovery_resend_all(s, c, HF_RETRANSMIT_MTU); /* ends a recovery: its window is scaled too */
    struct hf_cc_event e = hf_recovery_event(s, c);
    hf_stack_cc(s)->on_smaller_mss(&c->cc, &e, old_mss);
}

void hf_path_on_rto(struct hf_stack *s, struct hf_conn *c)
{
    struct hf_flight *f = hf_flight_of(s, c);
    if (f == NULL || f->pending_mtu == 0)
        return;
    uint32_t mtu = f->pending_mtu;
    f->pending_mtu = 0;
    if (mtu >= c->path_mtu) /* the application wants still less since */
        return;
    c->max_acked = (uint16_t)mtu;
    lower_mtu(s, c, mtu);
}

/** For a router that does not tell its MTU: the next one that links have [RFC1191#7]. */
static uint32_t plateau_below(uint32_t mtu)
{
    static const uint16_t plateaus[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68};
    HF_ASSERT(mtu > V4_MTU_MIN); /* every path of ours leaves room for headers */
    size_t i = 0;
    while (plateaus[i] >= mtu)
        i++;
    return plateaus[i];
}

static void too_big(struct hf_stack *s, struct hf_conn *c, const struct hf_icmp *icmp)
{
    uint32_t mtu = icmp->mtu_bytes > 0 || icmp->v6 ? icmp->mtu_bytes : plateau_below(c->path_mtu);
    bool impossible = icmp->v6 && mtu < V6_MTU_MIN; /* discarded, not rounded up [RFC8201#4] */
    mtu = hf_max_u32(mtu, V4_MTU_MIN + HEADERS_MAX);
    if (impossible || mtu >= c->path_mtu) {
        hf_drop(s, c, HF_DROP_ICMP_IGNORED, NULL); /* says nothing that we do not do already */
        return;
    }
    if (c->syn_unacked) { /* the MSS option goes by our link alone [RFC1191#3.1] */
        c->syn_mtu = (uint16_t)(c->syn_mtu > 0 ? hf_min_u32(mtu, c->syn_mtu) : mtu);
        hf_trace_conn(s, c, HF_TRACE_ICMP_IN, HF_ICMP_TOO_BIG, 0, mtu, NULL);
        return;
    }
    /* [RFC5927#7.2] packets larger than this have arrived: believed only if it times out too. */
    struct hf_flight *f = hf_flight_of(s, c);
    if (mtu < c->max_acked && f != NULL) {
        f->pending_mtu = mtu;
        f->pending_seq = hf_seq_make(icmp->quoted_seq);
        hf_trace_conn(s, c, HF_TRACE_ICMP_IN, HF_ICMP_TOO_BIG_PENDING, 0, mtu, NULL);
        return;
    }
    lower_mtu(s, c, mtu);
}

/* ---- errors ------------------------------------------------------------------------------- */

static void conn_error(struct hf_stack *s, struct hf_conn *c, const struct hf_icmp *icmp)
{
    if (!quotes_flight(c, icmp->quoted_seq)) {
        hf_drop(s, c, HF_DROP_ICMP_SEQUENCE, NULL);
        return;
    }
    if (is_too_big(icmp)) {
        too_big(s, c, icmp);
        return;
    }
    int64_t type_code = icmp->type * 256 + icmp->code;
    c->soft_error = (uint16_t)(type_code | (icmp->v6 ? V6_ERROR_FLAG : 0));
    if (is_hard(icmp) && c->state == HF_SYN_SENT) { /* [RFC5927#5.2] DEVIATION D-30 */
        hf_trace_conn(s, c, HF_TRACE_ICMP_IN, HF_ICMP_HARD, type_code, 0, NULL);
        hf_conn_end(s, c, HF_CLOSED_UNREACHABLE, HF_WHY_HARD_ERROR, false);
        return;
    }
    /* [MUST-56] told, and no more [SHLD-25] */
    hf_trace_conn(s, c, HF_TRACE_ICMP_IN, HF_ICMP_SOFT, type_code, 0, NULL);
    if (c->options.soft_errors) /* [MUST-47] [SHLD-20] */
        hf_conn_raise(s, c, HF_EV_TROUBLE);
}

static void error_input(struct hf_stack *s, const struct hf_ip *ip, const struct hf_icmp *icmp)
{
    if (!icmp->v6 && icmp->type == V4_SOURCE_QUENCH) { /* [MUST-55] */
        drop(s, ip, HF_DROP_ICMP_IGNORED);
        return;
    }
    if (!icmp->quoted_tcp) {
        drop(s, ip, HF_DROP_ICMP_STRANGER);
        return;
    }
    /* [MUST-54], of both kinds [UN-16] */
    struct hf_endpoint local = {icmp->quoted.source, icmp->quoted_source_port};
    struct hf_endpoint remote = {icmp->quoted.destination, icmp->quoted_destination_port};
    uint32_t ref = hf_tuple_find(s, hf_tuple_hash(s, &local, &remote), &local, &remote);
    if (ref == HF_NIL || hf_ref_kind(ref) != HF_REF_CONN) {
        drop(s, ip, HF_DROP_ICMP_STRANGER);
        return;
    }
    conn_error(s, hf_conn_at(s, hf_ref_index(ref)), icmp);
}

void hf_icmp_input(struct hf_stack *s, const struct hf_ip *ip, const uint8_t *bytes,
                   bool checksum_valid)
{
    struct hf_icmp icmp;
    enum hf_reason reason = hf_icmp_parse(ip, bytes, ip->payload_bytes, checksum_valid, &icmp);
    if (reason != HF_NONE) {
        drop(s, ip, reason);
        return;
    }
    switch (icmp.kind) {
    case HF_ICMP_ECHO_REQUEST:
        if (hf_local_is_ours(s, &ip->destination))
            hf_reply_echo(s, ip, &icmp);
        else
            drop(s, ip, HF_DROP_NOT_OURS);
        return;
    case HF_ICMP_ERROR: error_input(s, ip, &icmp); return;
    case HF_ICMP_ECHO_REPLY:
    case HF_ICMP_OTHER: drop(s, ip, HF_DROP_ICMP_IGNORED); return;
    }
}
