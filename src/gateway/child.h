/**
 * What the child of hf_namespace_spawn does, up to and including the command's exec.
 */
#ifndef HF_GATEWAY_CHILD_H
#define HF_GATEWAY_CHILD_H

#include "gateway/namespace.h"

enum { HF_CHILD_NAME_BYTES = 16 }; /**< an interface's name with its NUL, as in IFNAMSIZ */

struct hf_child {
    const struct hf_namespace_config *cfg;
    char *const *argv;
    int control_fd; /**< SOCK_SEQPACKET, close-on-exec */
    pid_t parent;   /**< whose death ends the child */
};

/** Sent after the set-up, with the TUN descriptor if err is HF_OK, and again if exec fails. */
struct hf_child_report {
    int err; /**< an enum hf_err */
    bool ipv6;
    int ipv6_errno;
    struct hf_why why;
};

/** Sets the namespace up, reports, waits for one byte, executes the command. For a process that was
 *  just forked, with all signals blocked. */
_Noreturn void hf_child_run(const struct hf_child *child);

#endif
