/**
 * Settings of scripts, made in the kernel: in the network namespace of the process, never outside.
 */
#ifndef HF_CLI_KERNEL_SETTINGS_H
#define HF_CLI_KERNEL_SETTINGS_H

#include "lab/drill/target.h"

/** What can't be set for a namespace, but for each socket in it. */
struct hf_kernel_settings {
    char congestion[32]; /**< congestion control */
};

/** Makes a setting ("net.ipv4.tcp_sack", or with /proc/sys/ and slashes). One that the kernel does
 *  not have is fine if no stack has to do anything for it. HF_OK, or an error with words. */
HF_MUST_CHECK int hf_kernel_setting_make(struct hf_kernel_settings *s, const char *name,
                                         const char *value,
                                         char words[HF_DRILL_TARGET_WORDS_BYTES]);
/** Makes those of a new socket. */
void hf_kernel_setting_apply(const struct hf_kernel_settings *s, int fd);

#endif
