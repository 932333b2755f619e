/**
 * Settings as a person writes and reads them: "rto_min_ns=150ms", "pool_bytes=256M", "nagle=off".
 */
#ifndef HF_SHOW_SETTINGS_H
#define HF_SHOW_SETTINGS_H

#include <handfast/handfast.h>

enum { HF_VALUE_TEXT_BYTES = 40, HF_FAULT_TEXT_BYTES = 256 };

/** The forms that hf_quantity_read takes, for --help. */
#define HF_SETTING_FORMS                                                                           \
    "times 1.5s, 200ms, 50us, 2min, 1h, 1d or plain nanoseconds; bytes 1500, 64K, 64KiB, 1M, 1G; " \
    "flags on, off"

/** Reads a number with what may stand behind it in this unit (of struct hf_setting). False, and
 *  *value is untouched: it is none, or not a whole number of that unit, or too large. */
bool hf_quantity_read(const char *text, const char *unit, int64_t *value);

/** Reads a time that has its unit, or "0": a plain number would be nanoseconds, which nobody means
 *  who types a time by itself. False, and *time_ns is untouched: it is none. */
bool hf_time_read(const char *text, hf_ns *time_ns);

/** Does what "NAME=VALUE" says; HF_E_INVALID, and why in one line. */
HF_MUST_CHECK int hf_setting_read(struct hf_config *cfg, const char *assignment,
                                  char why[HF_FAULT_TEXT_BYTES]);

/** A value of a setting with its unit. */
void hf_setting_value_text(const struct hf_setting *s, int64_t value,
                           char text[HF_VALUE_TEXT_BYTES]);

/** True, and what is wrong with it in one line; false: nothing. */
bool hf_config_fault_text(const struct hf_config *cfg, char text[HF_FAULT_TEXT_BYTES]);

#endif
