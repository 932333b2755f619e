/**
 * Settings inside the core.
 */
#ifndef HF_CORE_CONFIG_H
#define HF_CORE_CONFIG_H

#include "base.h"

/** Copies what the writer of `given` knew; the rest is that of the default profile. */
void hf_config_complete(struct hf_config *full, const struct hf_config *given);

#endif
