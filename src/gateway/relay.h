/**
 * Relays: each ties a held open request of the stack to a connection outside, and once both exist,
 * carries bytes, half-closes and resets between them, exactly.
 *
 *   SYN inside        the outside is asked; nothing is answered yet
 *   connected         the SYN is admitted
 *   refused           so is the SYN: by RST, by ICMP, or by silence as outside
 *   bytes             only as many are taken from one side as the other has room for: the windows
 *                     of both sides carry the back-pressure, nothing is buffered here
 *   FIN, RST          passed on, behind the last byte that came before them
 */
#ifndef HF_GATEWAY_RELAY_H
#define HF_GATEWAY_RELAY_H

#include "upstream.h"

#include <handfast/host.h>

struct hf_relay;

/** All relays of a stack. Plain counts are for reading. */
struct hf_relays {
    struct hf_stack *stack;
    struct hf_loop *loop;
    struct hf_upstream_config upstream;
    struct hf_relay *list;
    uint32_t alive;
    uint64_t opened, refused, failed;
    uint64_t bytes_out, bytes_in; /**< to the outside, from the outside */
    hf_ns progress_at;            /**< when last a byte or an end was passed on */
    hf_ns deadline;               /**< see hf_relays_deadline */
};

/** Relays whose inner side may still send. */
struct hf_relays_left {
    uint32_t open;
    uint32_t held_back; /**< of them those with bytes that the outside has no room for */
};

void hf_relays_init(struct hf_relays *r, struct hf_stack *stack, struct hf_loop *loop,
                    const struct hf_upstream_config *upstream);
/** Takes an event of the stack. */
void hf_relays_event(struct hf_relays *r, const struct hf_event *e, hf_ns now);
/** When hf_relays_expire has work; HF_NEVER: nothing waits. */
hf_ns hf_relays_deadline(const struct hf_relays *r);
void hf_relays_expire(struct hf_relays *r, hf_ns now);
/** Counts by walking over all of them. */
struct hf_relays_left hf_relays_left(const struct hf_relays *r);
/** Ends all relays: outside by RST, where the inner side had not come to its end. */
void hf_relays_free(struct hf_relays *r);

#endif
