/**
 * The configuration of a path as text: words name=value with a space between, in any order.
 *
 *   rate=10mbit delay=20ms loss=1% burst-loss=0.1%:20%:50% periodic=100 reorder=1%:3-10
 *   duplicate=0.1% corrupt=0.1% late=1%:30ms jitter=5ms jitter-order=keep queue=10p,64K,codel
 *   policer=10mbit:30K shaper=10mbit:30K ack-loss=5% ack-aggregate=5ms rate-at=5s:5mbit
 */
#ifndef HF_LAB_PATH_TEXT_H
#define HF_LAB_PATH_TEXT_H

#include "path.h"

enum { HF_PATH_TEXT_MAX_BYTES = 2048, HF_PATH_ERROR_MAX_BYTES = 512 };

/**
 * Reads words over what is in config (zero it first); later words win, rate-at adds to the list.
 * False: `error` says which word and what was expected, on one line without its end, and config is
 * as it was. Whether the whole is right is for hf_path_config_check to say, in the end: what a word
 * needs may be said later.
 */
bool hf_path_parse(const char *text, struct hf_path_config *config,
                   char error[static HF_PATH_ERROR_MAX_BYTES]);

/** One setting by its name and value, as a command's option --name value. The same rules. */
bool hf_path_set(struct hf_path_config *config, const char *name, const char *value,
                 char error[static HF_PATH_ERROR_MAX_BYTES]);

/** Writes the words that give a valid config again; nothing for a perfect wire. Never cut short. */
void hf_path_print(const struct hf_path_config *config, char text[static HF_PATH_TEXT_MAX_BYTES]);

/** The words and what they mean, for a help page: "name=example: meaning"; NULL behind the last. */
const char *hf_path_help(unsigned i);

/** What became of a packet, in a few words: "delivered", "lost to a full queue". */
const char *hf_path_fate_text(enum hf_path_fate fate);

#endif
