/**
 * Names in scripts that nobody knows: a slip of the pen must not pass for something that is merely
 * not supported here.
 */
#ifndef HF_LAB_DRILL_NAMES_H
#define HF_LAB_DRILL_NAMES_H

#include "script.h"

/** Looks at the names of calls, symbols, fields and errors of a whole script, whether they will be
 *  reached or not. False with the first one that packetdrill has on no system, and with the name
 *  that is near to it, if there is one. */
bool hf_names_check(const struct hf_script *script, struct hf_script_fault *fault);

#endif
