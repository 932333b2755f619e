/**
 * The program of a packet filter. See packet_filter.h.
 *
 * A jump reaches 255 instructions at most: so every comparison that decides is followed by its own
 * `ret`, and nothing jumps further than over one address.
 */
#include "packet_filter.h"
#include "resolve.h"

#include <linux/if_packet.h>
#include <string.h>

#include "core/wire/ip.h"

enum {
    TYPE_AT = 12,
    V4_DESTINATION_AT = 14 + 16,
    V6_NEXT_AT = 14 + 6,
    V6_DESTINATION_AT = 14 + 24,
    ICMP_TYPE_AT = 14 + 40,
    ND_FIRST = 133,
    ND_LAST = 137,
};

#define LOAD_BYTE (BPF_LD | BPF_B | BPF_ABS)
#define LOAD_HALF (BPF_LD | BPF_H | BPF_ABS)
#define LOAD_WORD (BPF_LD | BPF_W | BPF_ABS)
#define IF_EQUAL (BPF_JMP | BPF_JEQ | BPF_K)
#define IF_ABOVE (BPF_JMP | BPF_JGT | BPF_K)
#define IF_NOT_BELOW (BPF_JMP | BPF_JGE | BPF_K)
#define AND (BPF_ALU | BPF_AND | BPF_K)
#define RETURN (BPF_RET | BPF_K)
#define EXTRA(what) ((uint32_t)SKF_AD_OFF + (what)) /* what the kernel knows beside the bytes */
#define WHOLE 0xffffffffu

struct program {
    struct sock_filter *at;
    size_t length;
};

static void put(struct program *p, unsigned code, uint32_t k, unsigned then, unsigned otherwise)
{
    HF_ASSERT(p->length < HF_PACKET_FILTER_MAX);
    p->at[p->length++] = (struct sock_filter){(uint16_t)code, (uint8_t)then, (uint8_t)otherwise, k};
}

/* Behind a load: a frame that is equal is judged here. */
static void decide_if_equal(struct program *p, uint32_t k, uint32_t verdict)
{
    put(p, IF_EQUAL, k, 0, 1);
    put(p, RETURN, verdict, 0, 0);
}

/* For other stations (the interface may listen to everything), and of a VLAN that has an interface
 * of its own: the tag is not in the bytes any more. */
static void refuse_others(struct program *p)
{
    put(p, LOAD_WORD, EXTRA(SKF_AD_PKTTYPE), 0, 0);
    decide_if_equal(p, PACKET_OTHERHOST, 0);
    put(p, LOAD_BYTE, EXTRA(SKF_AD_VLAN_TAG_PRESENT), 0, 0);
    put(p, IF_EQUAL, 0, 4, 0);
    put(p, LOAD_HALF, EXTRA(SKF_AD_VLAN_TAG), 0, 0);
    put(p, AND, 0xfff, 0, 0);
    put(p, IF_EQUAL, 0, 1, 0); /* VLAN 0 is only a priority */
    put(p, RETURN, 0, 0, 0);
}

static void take_v6(struct program *p, const struct hf_addr *addr)
{
    for (unsigned i = 0; i < 4; i++) {
        put(p, LOAD_WORD, V6_DESTINATION_AT + 4 * i, 0, 0);
        put(p, IF_EQUAL, hf_get32(addr->octets + (size_t)4 * i), 0, 7 - 2 * i);
    }
    put(p, RETURN, WHOLE, 0, 0);
}

static void judge_v4(struct program *p, const struct hf_ether_address *addrs, size_t count)
{
    size_t jump = p->length;
    put(p, IF_EQUAL, HF_ETHER_IPV4, 0, 0);
    put(p, LOAD_WORD, V4_DESTINATION_AT, 0, 0);
    for (size_t i = 0; i < count; i++)
        if (hf_addr_is_v4(&addrs[i].addr))
            decide_if_equal(p, hf_get32(addrs[i].addr.octets + 12), WHOLE);
    put(p, RETURN, 0, 0, 0);
    p->at[jump].jf = (uint8_t)(p->length - jump - 1);
}

/* What is left is a neighbour's message, or is none, as wanted. */
static void judge_kind(struct program *p, bool wants_messages)
{
    unsigned if_not = wants_messages ? 0 : 1;
    put(p, LOAD_BYTE, V6_NEXT_AT, 0, 0);
    put(p, IF_EQUAL, HF_IP_PROTO_ICMPV6, 0, 3 + if_not);
    put(p, LOAD_BYTE, ICMP_TYPE_AT, 0, 0);
    put(p, IF_ABOVE, ND_LAST, 1 + if_not, 0);
    put(p, IF_NOT_BELOW, ND_FIRST, 1 - if_not, if_not);
    put(p, RETURN, 0, 0, 0);
}

size_t hf_packet_filter(struct sock_filter program[HF_PACKET_FILTER_MAX], enum hf_filter_part part,
                        const struct hf_ether_address *addrs, size_t count)
{
    static const struct hf_addr all_nodes = {{0xff, 0x02, [15] = 1}};
    struct program p = {program, 0};
    refuse_others(&p);
    put(&p, LOAD_HALF, TYPE_AT, 0, 0);
    decide_if_equal(&p, HF_ETHER_ARP, part == HF_FILTER_PACKETS ? 0 : WHOLE);
    if (part != HF_FILTER_MESSAGES)
        judge_v4(&p, addrs, count);
    put(&p, IF_EQUAL, HF_ETHER_IPV6, 1, 0);
    put(&p, RETURN, 0, 0, 0);
    if (part != HF_FILTER_ALL)
        judge_kind(&p, part == HF_FILTER_MESSAGES);
    for (size_t i = 0; i < count; i++) {
        if (hf_addr_is_v4(&addrs[i].addr))
            continue;
        struct hf_addr group = hf_solicited_node(&addrs[i].addr);
        take_v6(&p, &addrs[i].addr);
        if (part != HF_FILTER_PACKETS)
            take_v6(&p, &group);
    }
    if (part != HF_FILTER_PACKETS)
        take_v6(&p, &all_nodes);
    put(&p, RETURN, 0, 0, 0);
    return p.length;
}
