/**
 * The option lines at the head of a script, `--name=value`, as values.
 */
#ifndef HF_LAB_DRILL_SCRIPT_OPTIONS_H
#define HF_LAB_DRILL_SCRIPT_OPTIONS_H

#include "script.h"

enum hf_drill_family {
    HF_DRILL_V4,
    HF_DRILL_V4_MAPPED, /**< IPv4 on the wire, AF_INET6 at the sockets */
    HF_DRILL_V6,
};

struct hf_drill_options {
    enum hf_drill_family family;
    struct hf_addr local, remote;
    uint16_t bind_port, connect_port;
    uint16_t mtu_bytes; /**< 0: as the profile says */
    hf_ns tolerance_ns;
    uint32_t tolerance_ppm;
    hf_ns ts_tick_ns;
    bool ts_echo_is_scaled;
    bool strict_segments;
};

enum hf_options_outcome { HF_OPTIONS_READ, HF_OPTIONS_WRONG, HF_OPTIONS_BEYOND };

/** Reads the option lines. Otherwise *fault tells where and why: an option that is wrong, or one
 *  that is not supported. */
enum hf_options_outcome hf_drill_options_read(struct hf_drill_options *o,
                                              const struct hf_script *script,
                                              struct hf_script_fault *fault);

#endif
