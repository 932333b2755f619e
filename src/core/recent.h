/**
 * What was found last, and is likely to be asked for next. Nothing of it is saved: a stack that
 * knows none of it finds it anew.
 */
#ifndef HF_CORE_RECENT_H
#define HF_CORE_RECENT_H

#include "base.h"

/** The destination towards which no port was free last. */
struct hf_full_ports {
    bool known;
    struct hf_addr local;
    struct hf_endpoint remote;
    uint64_t freed; /**< tuples and listeners that had ended then: it holds until another does */
};

/** The timestamp offset that was asked for last: of a handshake it is asked for three times, and
 *  many come from one host. */
struct hf_recent_offset {
    struct hf_addr local, remote; /**< both unspecified: none yet */
    uint32_t offset;
};

/** The tuple in the table that was found last, or put there: the next segment is likely to be of
 *  the same conversation. */
struct hf_recent_tuple {
    struct hf_endpoint local, remote;
    uint32_t hash;
    uint32_t ref; /**< HF_NIL: none, or it has left the table since */
};

/** The listener that was found last: of a flood of SYNs each one asks for it. */
struct hf_recent_listener {
    struct hf_endpoint local;
    uint32_t index; /**< HF_NIL: none, or others have come or gone since */
};

#endif
