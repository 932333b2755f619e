/** Fills struct hf_why; for the rooms that report failures of the system. */
#ifndef HF_HOST_WHY_H
#define HF_HOST_WHY_H

#include <handfast/host.h>

/**
 * Writes the line (cut at the struct's size) and returns err, so that a failure is one statement.
 * sys_errno is stored, and not added to the text. why may be NULL.
 */
__attribute__((format(printf, 4, 5))) int hf_why_set(struct hf_why *why, int err, int sys_errno,
                                                     const char *format, ...);

/** The error class of an errno: privilege, memory, device or system. */
int hf_why_class(int sys_errno);

#endif
