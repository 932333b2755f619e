/**
 * What the parts of the parser know of each other. All return false after a fault.
 */
#ifndef HF_LAB_DRILL_PARSER_H
#define HF_LAB_DRILL_PARSER_H

#include "lexer.h"

/** Bounds: no text, however hostile, gets more memory or stack than these allow. */
enum {
    HF_SCRIPT_MAX_EVENTS = 20000,
    HF_SCRIPT_MAX_OPTION_LINES = 256,
    HF_SCRIPT_MAX_ARGUMENTS = 16,
    HF_SCRIPT_MAX_ITEMS = 1024, /**< of a list */
    HF_SCRIPT_MAX_DEPTH = 16,   /**< of lists and structures within each other */
    HF_SCRIPT_MAX_TCP_OPTIONS = 40,
};

/** From the name on: `connect(3, ..., ...) = 0`. `name` was taken. */
bool hf_parse_call(struct hf_lexer *l, const struct hf_token *name, struct hf_script_call *call);
/** From the direction on: `< S 0:0(0) win 1000`. */
bool hf_parse_packet(struct hf_lexer *l, bool v6, struct hf_script_packet *packet);

/* Parts of a packet. */

/** `1:11(10)`; behind a fault's words stands which. */
bool hf_parse_extent(struct hf_lexer *l, uint32_t *seq, uint32_t *length_bytes);
/** From the opening `<` on, which was taken. */
bool hf_parse_tcp_options(struct hf_lexer *l, bool outbound, struct hf_script_tcp *tcp);
/** Behind `icmp`. */
bool hf_parse_icmp(struct hf_lexer *l, struct hf_script_icmp *icmp);
/** Between the brackets of `[ect0, ttl 3]`; `closing` is what ends it. */
bool hf_parse_ip_info(struct hf_lexer *l, bool outbound, const char *closing,
                      struct hf_script_ip *ip);

#endif
