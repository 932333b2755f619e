/**
 * One stack on the bench: driven by hand, in virtual time, by peers that the test plays itself.
 *
 * After every call that could make the stack send, its packets are pulled and kept until a peer
 * pops them. Each is parsed, and its checksums are verified, as it is pulled.
 */
#ifndef HF_LAB_RIG_H
#define HF_LAB_RIG_H

#include "checks.h"
#include "core/wire/icmp.h"
#include "core/wire/tcp.h"
#include "lab_link.h"
#include "transcript.h"

/** A packet of the stack. */
struct hf_caught {
    hf_ns at_ns;
    struct hf_ip ip;
    bool is_tcp;
    struct hf_segment segment; /**< of TCP */
    struct hf_icmp icmp;       /**< of ICMP */
    uint16_t segment_bytes;    /**< of a super-packet */
    const uint8_t *payload;    /**< behind the TCP header; of others, behind the IP header */
    struct hf_frame *frame;    /**< holds the bytes; the rig's */
};

struct hf_rig_config {
    const struct hf_config *config; /**< NULL: the default profile */
    uint64_t seed;
    hf_ns start_ns;
    bool cut;                      /**< super-packets of the stack are cut before they are caught */
    const struct hf_addr *address; /**< the stack's; NULL: 10.0.0.1 and fd00::1 */
    hf_trace_fn *trace;
    void *trace_ctx;
};

/** Fields are for reading only, but for account's fail_nth and the transcript. */
struct hf_rig {
    struct hf_stack *stack;
    hf_ns now_ns;
    struct hf_account account;
    struct hf_checks checks;
    struct hf_world world; /**< for its buffers; its clock is not used */
    struct hf_rig_config config;
    struct hf_caught *caught; /**< waiting, the oldest first */
    size_t caught_count, caught_capacity;
    struct hf_frame *popped;          /**< bytes of what was popped last */
    struct hf_transcript *transcript; /**< or NULL: sees both directions, S is the stack */
};

/** Makes a stack. HF_OK or the stack's error. */
HF_MUST_CHECK int hf_rig_open(struct hf_rig *r, const struct hf_rig_config *config);
void hf_rig_close(struct hf_rig *r);
/** Saves the stack and goes on with one restored from that, which is told another time: `now`. */
HF_MUST_CHECK int hf_rig_replace(struct hf_rig *r, hf_ns now);
/** Injects a packet at the present instant. */
void hf_rig_input(struct hf_rig *r, const uint8_t *bytes, uint32_t length_bytes,
                  uint16_t segment_bytes, uint16_t flags);
/** Pulls what the stack wants to send: after calls of the API. */
void hf_rig_pull(struct hf_rig *r);
/** Lets time pass up to and including until_ns, with every deadline kept on the way. */
void hf_rig_run(struct hf_rig *r, hf_ns until_ns);
/** Lets this much time pass. */
void hf_rig_wait(struct hf_rig *r, hf_ns span_ns);
/** It is `at_ns`, and what is due fires; nobody asks for packets yet. */
void hf_rig_fire(struct hf_rig *r, hf_ns at_ns);
/** From here on the stack gets no memory; or gets it again. */
void hf_rig_starve(struct hf_rig *r);
void hf_rig_feed(struct hf_rig *r);
/** The next event of the stack; all zero if there is none. */
struct hf_event hf_rig_event(struct hf_rig *r);
/** Takes the oldest caught packet between these ends (NULL: any) out; false if there is none. The
 *  bytes stay until the next pop. */
bool hf_rig_pop(struct hf_rig *r, const struct hf_endpoint *from, const struct hf_endpoint *to,
                struct hf_caught *caught);
/** The state of the stack's end towards `remote`: CLOSED if it knows none. */
enum hf_state hf_rig_state(const struct hf_rig *r, const struct hf_endpoint *local,
                           const struct hf_endpoint *remote);

#endif
