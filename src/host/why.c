/**
 * One line that says what failed and what to do.
 */
#include "why.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int hf_why_set(struct hf_why *why, int err, int sys_errno, const char *format, ...)
{
    if (!why)
        return err;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(why->text, sizeof why->text, format, args);
    va_end(args);
    why->sys_errno = sys_errno;
    return err;
}

int hf_why_class(int sys_errno)
{
    switch (sys_errno) {
    case EPERM:
    case EACCES: return HF_E_PRIVILEGE;
    case ENOMEM: return HF_E_MEMORY;
    case ENOENT:
    case ENODEV:
    case ENXIO:
    case EBUSY:
    case EBADFD: return HF_E_DEVICE;
    default: return HF_E_SYSTEM;
    }
}
