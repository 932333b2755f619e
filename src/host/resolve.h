/**
 * Messages that tell who has an address on an Ethernet: ARP [RFC826] and neighbour discovery
 * [RFC4861], bytes <-> one struct for both. Total functions: any bytes give a struct or a verdict.
 * What to make of them is neighbour.c's.
 */
#ifndef HF_HOST_RESOLVE_H
#define HF_HOST_RESOLVE_H

#include <handfast/host.h>

enum {
    HF_MAC_BYTES = 6,
    HF_ETHER_HEADER_BYTES = 14,
    HF_ETHER_ARP = 0x0806,
    HF_ETHER_IPV4 = 0x0800,
    HF_ETHER_IPV6 = 0x86dd,
    HF_ARP_BYTES = 28,
    HF_RESOLVE_MAX_BYTES = 72, /**< of what is written: IPv6 header, message, one option */
};

enum hf_resolve_verdict {
    HF_RESOLVE_OTHER,     /**< none of these messages */
    HF_RESOLVE_MALFORMED, /**< to be dropped without a word [RFC4861#7.1] */
    HF_RESOLVE_QUESTION,  /**< ARP request, neighbour solicitation */
    HF_RESOLVE_ANSWER,    /**< ARP reply, neighbour advertisement */
    HF_RESOLVE_UNUSED,    /**< router messages and redirects: well, but nothing for us */
};

struct hf_resolve {
    struct hf_addr about; /**< whose MAC this is; of a question, who asks: unspecified when an
                               address is only tried out [RFC5227#2.1.1] [RFC4862#5.4] */
    struct hf_addr asked; /**< of a question: the address that is looked for; of an ARP reply, whom
                               it is for */
    bool has_mac;
    uint8_t mac[HF_MAC_BYTES];
    bool solicited;   /**< of an answer: it says that it is one */
    bool is_override; /**< what is known may be replaced */
};

/** Reads what follows the Ethernet header. */
enum hf_resolve_verdict hf_arp_read(const uint8_t *bytes, size_t n, struct hf_resolve *m);
/** Reads an IPv6 packet; sum_known: its checksum need not be verified. */
enum hf_resolve_verdict hf_nd_read(const uint8_t *bytes, size_t n, bool sum_known,
                                   struct hf_resolve *m);

/** What is written: from whom, about what, to whom. */
struct hf_resolve_out {
    bool answers;
    uint8_t mac[HF_MAC_BYTES];       /**< ours */
    struct hf_addr own;              /**< ours: who asks, or whom the answer is about */
    struct hf_addr other;            /**< who is asked for, or who is answered; unspecified: all */
    uint8_t other_mac[HF_MAC_BYTES]; /**< of an ARP reply */
    bool is_unicast;                 /**< a solicitation to one known neighbour */
};

/** Writes ARP if `own` is IPv4, else an IPv6 packet with neighbour discovery; its length. */
size_t hf_resolve_write(const struct hf_resolve_out *m, uint8_t bytes[HF_RESOLVE_MAX_BYTES]);

/** ff02::1:ffXX:XXXX of an IPv6 address [RFC4291#2.7.1]. */
struct hf_addr hf_solicited_node(const struct hf_addr *addr);
/** The MAC of an IPv6 multicast address [RFC2464#7]. */
void hf_multicast_mac(const struct hf_addr *group, uint8_t mac[HF_MAC_BYTES]);

#endif
