/**
 * What a script is run against: a stack with sockets on one side and a wire on the other. The core
 * in virtual time, or the kernel in real time.
 */
#ifndef HF_LAB_DRILL_TARGET_H
#define HF_LAB_DRILL_TARGET_H

#include "sockets/posix.h"

enum { HF_DRILL_TARGET_WORDS_BYTES = 256 };

/** A packet that the stack sent. */
struct hf_drill_packet {
    hf_ns at_ns;
    const uint8_t *bytes; /**< valid until the next call of the target */
    uint32_t length_bytes;
};

struct hf_drill_target_calls {
    hf_ns (*now)(void *self);
    /** Lets time pass up to until_ns, but returns as soon as anything happened that may matter: a
     *  packet was sent, a timer fired. */
    void (*run)(void *self, hf_ns until_ns);
    /** A packet comes in now. */
    void (*inject)(void *self, const uint8_t *bytes, uint32_t length_bytes);
    /** Takes the oldest packet that was sent and not yet taken; false if there is none. */
    bool (*take)(void *self, struct hf_drill_packet *packet);
    /** How many connections are in a state; -1: can't be told. */
    int (*count)(void *self, enum hf_state state);
    /** What the target itself did that it must never do, in words, or NULL. Of the core: an
     *  invariant that does not hold. */
    const char *(*fault)(void *self);
    /** Whether TCP_INFO of a connection tells that field of struct tcp_info. NULL: all. */
    bool (*tells)(const char *field);
    /** Makes a system's setting, by the name that the system gives it. HF_OK, or an error with
     *  words that say why not. NULL: a target's settings stand when it is made. */
    int (*set)(void *self, const char *name, const char *value,
               char words[HF_DRILL_TARGET_WORDS_BYTES]);
};

struct hf_drill_target {
    void *self;
    const struct hf_drill_target_calls *calls;
    struct hf_posix posix;
    /** How long a packet that came in may take to show at the sockets; 0: it does at once. */
    hf_ns patience_ns;
};

#endif
