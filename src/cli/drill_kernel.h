/**
 * The running kernel as a ground for packet scripts, in real time. Each script gets a network
 * namespace of its own: the kernel has the script's address there, and a TUN is its only way to
 * everything else, so what it sends is seen and nobody answers but the script.
 *
 * The process itself moves from namespace to namespace, first to a user namespace if it must, and
 * does not come back: no other process takes part, and with this one everything is gone. It must
 * have one thread.
 */
#ifndef HF_CLI_DRILL_KERNEL_H
#define HF_CLI_DRILL_KERNEL_H

#include <handfast/host.h>

#include "kernel_settings.h"
#include "lab/drill/runner.h"

enum { HF_DRILL_KERNEL_PACKET_BYTES = 65535 + 40 };

struct hf_drill_kernel {
    struct hf_link *link; /**< the TUN: where packets go in */
    int watch_fd;         /**< sees packets come out, with the time at which they did */
    struct hf_addr remote;
    struct hf_kernel_settings settings;
    struct hf_posix_calls calls;                  /**< the kernel's, but for socket() */
    uint8_t packet[HF_DRILL_KERNEL_PACKET_BYTES]; /**< the one taken last */
};

/** Fills *ground, whose open and close use *k. */
void hf_drill_kernel_ground(struct hf_drill_kernel *k, struct hf_drill_ground *ground);

/** Makes a namespace with all that a script needs, once, and lets it go: whether scripts can run.
 *  HF_OK, or an error with one line that says what to do. */
HF_MUST_CHECK int hf_drill_kernel_try(struct hf_drill_kernel *k, struct hf_why *why);

#endif
