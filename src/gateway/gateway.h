/**
 * The gateway: a command in a network namespace of its own, its TCP carried by Handfast to the
 * host's network.
 */
#ifndef HF_GATEWAY_H
#define HF_GATEWAY_H

#include "namespace.h"
#include "relay.h"

/** Called in each round once the command is over and its connections are done; true: the gateway
 *  may end. Else it is called again at *again_at, or earlier. */
typedef bool hf_gateway_after_fn(void *ctx, struct hf_stack *stack, hf_ns now, hf_ns *again_at);

struct hf_gateway_config {
    struct hf_namespace_config space;
    struct hf_upstream_config upstream;
    struct hf_config stack;
    const char *record; /**< pcapng file, or NULL */
    const char *spoil;  /**< fault rules, or NULL */
    bool plain;         /**< no super-packets on TUN: slower, each segment by itself */
    hf_ns drain_ns;     /**< how long connections may last without progress after the command */
    hf_ns stalled_ns;   /**< the same where bytes wait for the outside */
    hf_trace_fn *trace; /**< or NULL */
    void *trace_ctx;
    hf_gateway_after_fn *after; /**< or NULL */
    void *after_ctx;
    void (*record_warn)(void *ctx, const char *line); /**< hf_record_config.warn; ctx is NULL */
};

struct hf_gateway_report {
    uint64_t opened, refused, failed; /**< connections */
    uint32_t cut_off; /**< connections that outlived the command, and were ended with it */
    uint64_t bytes_out, bytes_in;
    uint32_t relays_left;
    struct hf_record_stats record; /**< 0 without a recording */
    struct hf_stack_info stack;
    bool ipv6;      /**< the namespace has it */
    int ipv6_errno; /**< why not */
};

void hf_gateway_config_init(struct hf_gateway_config *cfg);

/**
 * Runs the command to its end. HF_OK and its exit code (128 + signal; 126, 127 with a text in *why
 * if it could not be executed); or an error and why: then nothing is left behind.
 */
HF_MUST_CHECK int hf_gateway_run(const struct hf_gateway_config *cfg, char *const argv[],
                                 int *exit_code, struct hf_gateway_report *report,
                                 struct hf_why *why);

#endif
