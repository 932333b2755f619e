/**
 * Files that recordings are written to.
 */
#ifndef HF_HOST_OUTPUT_H
#define HF_HOST_OUTPUT_H

#include <handfast/handfast.h>

/** What to say where hf_output_open fails with EEXIST. */
#define HF_OUTPUT_IN_THE_WAY                                                                       \
    "it exists and is no recording of handfast's: remove it, or name another"

/** Opens a file to be written from its beginning: one that is new or empty, that is no file at all
 *  (a pipe, a device), or that begins as our own recordings do, which are replaced. Any other one
 *  may be somebody's work: it is left as it is, and errno is EEXIST. -1 with errno on failure. */
HF_MUST_CHECK int hf_output_open(const char *path);

#endif
