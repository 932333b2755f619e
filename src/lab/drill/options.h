/**
 * TCP options between the script's form and bytes. Any bytes give options and the other way round:
 * what is malformed stays raw.
 */
#ifndef HF_LAB_DRILL_OPTIONS_H
#define HF_LAB_DRILL_OPTIONS_H

#include "core/base.h"
#include "script.h"

enum { HF_OPTION_BYTES = 40 };

enum hf_option_kind {
    HF_KIND_EOL = 0,
    HF_KIND_NOP = 1,
    HF_KIND_MSS = 2,
    HF_KIND_WSCALE = 3,
    HF_KIND_SACK_PERMITTED = 4,
    HF_KIND_SACK = 5,
    HF_KIND_TIMESTAMPS = 8,
    HF_KIND_MD5 = 19,
    HF_KIND_FAST_OPEN = 34,
    HF_KIND_ACCECN0 = 172,
    HF_KIND_ACCECN1 = 174,
    HF_KIND_EXPERIMENT = 254,
};

/** The bytes of an option, kind and length too, with the numbers that stand in *o. How many. */
size_t hf_option_bytes(const struct hf_script_option *o, uint8_t bytes[HF_OPTION_BYTES]);

/** The options in n <= 40 bytes of a header, padding too, with numbers as on the wire. How many. */
size_t hf_options_read(const uint8_t *bytes, size_t n,
                       struct hf_script_option options[HF_OPTION_BYTES]);

#endif
