/**
 * Socket calls as POSIX has them, as a table: the same caller drives the sockets of a stack (see
 * sockets.h) and those of the kernel.
 *
 * Results are those of the call, or -errno in this host's numbers. Structures and constants are
 * those of this host's headers.
 *
 * A call on a blocking descriptor that has to wait returns HF_POSIX_WAIT instead; it is made again,
 * with the same arguments and the same struct hf_posix_wait, after time has passed or packets have
 * come, until it returns something else. So one thread can have many calls waiting.
 */
#ifndef HF_SOCKETS_POSIX_H
#define HF_SOCKETS_POSIX_H

#include <handfast/handfast.h>
#include <limits.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { HF_POSIX_WAIT = INT_MIN };

/** How far a waiting call has come. Zero before the first try. */
struct hf_posix_wait {
    bool began;
    hf_ns since_ns;    /**< when it was made first */
    hf_ns until_ns;    /**< when it ends by itself, of one that waits; HF_NEVER: it does not */
    size_t done_bytes; /**< of a write that was taken in part, or a read with MSG_WAITALL */
};

struct hf_posix_calls {
    int (*socket)(void *self, int domain, int type, int protocol);
    int (*bind)(void *self, int fd, const struct sockaddr *address, socklen_t length);
    int (*listen)(void *self, int fd, int backlog);
    int (*accept)(void *self, int fd, struct sockaddr *address, socklen_t *length,
                  struct hf_posix_wait *wait);
    int (*connect)(void *self, int fd, const struct sockaddr *address, socklen_t length,
                   struct hf_posix_wait *wait);
    /** write, writev, send, sendto too. Never raises SIGPIPE. */
    ssize_t (*sendmsg)(void *self, int fd, const struct msghdr *message, int flags,
                       struct hf_posix_wait *wait);
    /** read, readv, recv, recvfrom too. */
    ssize_t (*recvmsg)(void *self, int fd, struct msghdr *message, int flags,
                       struct hf_posix_wait *wait);
    int (*shutdown)(void *self, int fd, int how);
    /** Waits only where SO_LINGER has it wait. */
    int (*close)(void *self, int fd, struct hf_posix_wait *wait);
    int (*fcntl)(void *self, int fd, int command, long argument);
    int (*ioctl)(void *self, int fd, unsigned long request, void *argument);
    int (*getsockopt)(void *self, int fd, int level, int name, void *value, socklen_t *length);
    int (*setsockopt)(void *self, int fd, int level, int name, const void *value, socklen_t length);
    int (*poll)(void *self, struct pollfd *fds, nfds_t count, int timeout_ms,
                struct hf_posix_wait *wait);
    int (*epoll_create)(void *self, int size);
    int (*epoll_ctl)(void *self, int epoll_fd, int operation, int fd, struct epoll_event *event);
    int (*epoll_wait)(void *self, int epoll_fd, struct epoll_event *events, int max, int timeout_ms,
                      struct hf_posix_wait *wait);
};

struct hf_posix {
    void *self;
    const struct hf_posix_calls *calls;
};

#endif
