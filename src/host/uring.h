/**
 * Many reads or writes of one descriptor by one system call, where the kernel offers io_uring. A
 * system call costs as much as a small packet's way through a TUN device, or twice that.
 */
#ifndef HF_HOST_URING_H
#define HF_HOST_URING_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

struct hf_uring;

/** One read or write, as of readv and writev. */
struct hf_transfer {
    struct iovec *iov;
    int count;
    int result; /**< when done: bytes, or a negative errno */
};

enum hf_transfer_kind { HF_TRANSFER_READ, HF_TRANSFER_WRITE };

/** For `most` transfers at once, a power of two; NULL, with errno: the kernel has no io_uring, or
 *  it is forbidden here. */
struct hf_uring *hf_uring_open(unsigned most);
void hf_uring_close(struct hf_uring *u); /**< NULL is allowed */
/** True if reads and writes of this TUN device can be done where they are asked for, without
 *  waiting: then they are done in order. Linux 6.4 or later. */
bool hf_uring_suits(int fd);
/** Does n <= most transfers in order; those that find nothing or no room, too, end with a result.
 *  Returns how many were done: fewer where the kernel can take no more of them now. 0, with errno:
 *  none. EAGAIN, EBUSY, ENOMEM: of memory; anything else will not pass: so in the child of a fork,
 *  ECHILD. */
unsigned hf_uring_run(struct hf_uring *u, int fd, enum hf_transfer_kind kind,
                      struct hf_transfer *transfers, unsigned n);

#endif
