/**
 * Socket calls of the kernel as the table of sockets/posix.h: so what drives the sockets of a stack
 * can drive those of the kernel, and an expectation can be put to both.
 *
 * No call blocks. One on a blocking descriptor is made as if it were not, and says HF_POSIX_WAIT
 * where it would wait; time-outs count from its first try. O_NONBLOCK is set for the moment of a
 * call only, so nobody else may use the same descriptors meanwhile.
 */
#ifndef HF_HOST_KERNEL_SOCKETS_H
#define HF_HOST_KERNEL_SOCKETS_H

#include "sockets/posix.h"

/** The kernel's calls; there is nothing to free, but the descriptors that they gave. */
struct hf_posix hf_kernel_sockets(void);

#endif
