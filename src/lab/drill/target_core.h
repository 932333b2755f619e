/**
 * The target of packet scripts that is the core itself: one stack with its sockets on the rig, in
 * virtual time. Seconds of script time cost what the stack does in them, not more.
 */
#ifndef HF_LAB_DRILL_TARGET_CORE_H
#define HF_LAB_DRILL_TARGET_CORE_H

#include "lab/rig.h"
#include "sockets/sockets.h"
#include "target.h"

struct hf_target_core {
    struct hf_rig rig;
    struct hf_sockets *sockets;
};

/** Makes a stack with one address, of which the caller keeps the bytes, and its sockets. HF_OK, or
 *  the stack's error with nothing left behind. */
HF_MUST_CHECK int hf_target_core_open(struct hf_target_core *t, const struct hf_config *config,
                                      const struct hf_addr *address, struct hf_drill_target *out);
void hf_target_core_close(struct hf_target_core *t);

#endif
