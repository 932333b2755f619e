/**
 * Settings of other systems, as scripts make them, in terms of ours: one table.
 */
#ifndef HF_LAB_DRILL_SETTINGS_H
#define HF_LAB_DRILL_SETTINGS_H

#include <handfast/handfast.h>

enum { HF_SETTING_WORDS_BYTES = 200 };

/** What scripts do with a system's setting. */
enum hf_setting_kind {
    HF_SETTING_DEFAULT, /**< the stack does so anyway, or it has nothing that this could change */
    HF_SETTING_FIXED,   /**< sets ours to `number` */
    HF_SETTING_SCALED,  /**< sets ours to the value times `number` */
    HF_SETTING_SHIFT,   /**< sets ours to the window shift for the last of three buffer sizes */
};

/** A row. Of one system setting all rows with the value apply; NULL is any value. */
struct hf_setting_row {
    const char *name, *value;
    enum hf_setting_kind kind;
    const char *ours;
    int64_t number;
};

/** The i-th row, NULL beyond the last. */
const struct hf_setting_row *hf_setting_row_at(size_t i);

/** Makes a system's setting ("net.ipv4.tcp_sack", or with /proc/sys/ and slashes) in a config.
 *  HF_OK, or HF_E_INVALID with words that say why not. */
HF_MUST_CHECK int hf_setting_apply(struct hf_config *config, const char *name, const char *value,
                                   char words[HF_SETTING_WORDS_BYTES]);

#endif
