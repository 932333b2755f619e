/**
 * What a descriptor stands for, and what the files of this room share.
 *
 *   sockets.c      life of a set of sockets, events of the stack
 *   descriptors.c  numbers, socket, close, fcntl, ioctl
 *   address.c      socket addresses <-> endpoints, which are taken
 *   open.c         bind, listen, accept, connect
 *   data.c         sendmsg, recvmsg, shutdown
 *   urgent.c       the urgent byte
 *   options.c      getsockopt, setsockopt     tcp_info.c   TCP_INFO
 *   ready.c        what poll sees, poll       epoll.c      epoll
 *
 * Calls return -errno; helpers that return int do too.
 */
#ifndef HF_SOCKETS_SOCKET_H
#define HF_SOCKETS_SOCKET_H

#include "sockets.h"

enum hf_socket_kind { HF_SOCKET_TCP, HF_SOCKET_EPOLL };

/** What the calls of a socket's user have made of it. */
enum hf_socket_phase {
    HF_SOCKET_IDLE,       /**< new, or its connect failed and was told of that */
    HF_SOCKET_CONNECTING, /**< until connect has told how it went */
    HF_SOCKET_CONNECTED,
    HF_SOCKET_LISTENING,
};

/** Socket options that are no options of the core. */
struct hf_socket_options {
    bool reuse_address, reuse_port, v6_only, urgent_inline, broadcast, dont_route;
    struct {
        bool on;
        int seconds;
    } linger;
    int receive_low_water_bytes;
    hf_ns receive_timeout_ns, send_timeout_ns; /**< 0: none */
    int priority, mark;
    int mtu_discover_v4, mtu_discover_v6;
    int linger2_s;
    uint64_t core_set; /**< bit o: option o of the core was set to core[o] */
    int64_t core[HF_OPT_COUNT];
};

/** The urgent byte: the one before the mark, as Linux and BSD have it. */
struct hf_socket_urgent {
    bool known;  /**< there is one at or ahead of the read position */
    bool taken;  /**< with MSG_OOB */
    uint64_t at; /**< its offset in the stream */
};

struct hf_watch;

struct hf_socket {
    enum hf_socket_kind kind;
    uint32_t slot, serial; /**< its number among all, and the how-manieth it is */
    int fd;                /**< -1: it waits to be accepted */
    bool nonblocking, close_on_exec;
    bool closing; /**< close waits for it to linger */
    /* TCP */
    int family;
    enum hf_socket_phase phase;
    bool is_bound; /**< by bind, or by listen */
    struct hf_endpoint local;
    hf_handle handle; /**< of a connection or listener; 0: none, or the core let go of it */
    bool established; /**< it was, at some time */
    bool ended;       /**< the closed event came */
    bool peer_closed;
    bool read_shut, write_shut;
    uint64_t shut_at_bytes; /**< how much had come when both were */
    bool no_room;           /**< somebody was told that it is not writable */
    int error;              /**< pending, SO_ERROR; positive */
    struct hf_socket_options options;
    struct hf_socket_urgent urgent;
    /* listening: connections to be accepted, the oldest first */
    struct hf_socket *queue_head, *queue_tail, *queue_next;
    uint32_t queue_length, backlog;
    /* who watches it; of an epoll descriptor: whom it watches */
    struct hf_watch *watchers, *watches;
};

/** An entry of an epoll descriptor. */
struct hf_watch {
    struct hf_socket *epoll, *socket;
    int fd;
    uint32_t events; /**< asked for */
    epoll_data_t data;
    bool fired;    /**< something happened since it was told last */
    bool spent;    /**< EPOLLONESHOT: told once */
    uint64_t turn; /**< place in the order of telling */
    struct hf_watch *next_watcher, *next_watch;
};

struct hf_sockets {
    struct hf_stack *stack;
    hf_ns now_ns;
    struct hf_socket **slots; /**< all sockets, NULL between them */
    uint32_t slot_count, serial;
    struct hf_socket **fds; /**< from HF_SOCKETS_FIRST_FD on */
    uint32_t fd_count;
    uint16_t next_port;
    uint64_t turn;
};

enum {
    HF_SOCKETS_FIRST_FD = 3,
    HF_SOCKETS_FDS_MAX = 1024, /**< beyond: EMFILE */
    HF_SOCKETS_BACKLOG_MAX = 4096,
};

/* ---- sockets.c ---- */

/** A socket without a descriptor; NULL without memory. */
struct hf_socket *hf_socket_new(struct hf_sockets *s, enum hf_socket_kind kind, int family);
/** Takes it out of everything; its connection must be let go. */
void hf_socket_free(struct hf_sockets *s, struct hf_socket *socket);
/** Takes the stack's events. */
void hf_sockets_take_events(struct hf_sockets *s);
/** The errno of how a connection ended; soft_error as in hf_info. */
int hf_socket_errno_of(enum hf_closed how, uint16_t soft_error);
/** The pending error, which is then no more; 0: none. */
int hf_socket_take_error(struct hf_socket *socket);
/** Makes a connection or listener of the core this socket's: its events come here. */
void hf_socket_adopt(struct hf_sockets *s, struct hf_socket *socket, hf_handle handle);
/** Lets the core close the connection or listener, if there is one. */
void hf_socket_release(struct hf_sockets *s, struct hf_socket *socket, bool abort);
/** What the core says of the connection; all zero, in state CLOSED, if there is none. */
struct hf_info hf_socket_info(const struct hf_sockets *s, const struct hf_socket *socket);
/** A call of this socket can't go on: HF_POSIX_WAIT, or -EAGAIN if it may not wait (longer). */
int hf_socket_wait(const struct hf_sockets *s, const struct hf_socket *socket, int flags,
                   hf_ns timeout_ns, struct hf_posix_wait *wait);
/** Whether the timeout of a waiting call is over; begins to count at the first call. Negative: it
 *  never is. */
bool hf_wait_is_over(const struct hf_sockets *s, struct hf_posix_wait *wait, hf_ns timeout_ns);

/* ---- descriptors.c ---- */

/** The lowest free descriptor, or -EMFILE, -ENOMEM. */
int hf_socket_give_fd(struct hf_sockets *s, struct hf_socket *socket);
/** NULL: EBADF. */
struct hf_socket *hf_socket_of_fd(const struct hf_sockets *s, int fd);
/** HF_OK with a TCP socket, else -EBADF, -ENOTSOCK. */
int hf_socket_find(const struct hf_sockets *s, int fd, struct hf_socket **out);

int hf_sockets_socket(void *self, int domain, int type, int protocol);
int hf_sockets_close(void *self, int fd, struct hf_posix_wait *wait);
int hf_sockets_fcntl(void *self, int fd, int command, long argument);
int hf_sockets_ioctl(void *self, int fd, unsigned long request, void *argument);

/* ---- address.c ---- */

/** Reads a socket address for a socket of that family: 0, -EINVAL, -EFAULT or -EAFNOSUPPORT. */
int hf_socket_address_read(int family, const struct sockaddr *address, socklen_t length,
                           struct hf_endpoint *out);
/** Writes at most *length bytes and tells the whole length; 0, -EFAULT or -EINVAL. An address of
 *  NULL is passed over. */
int hf_socket_address_write(int family, const struct hf_endpoint *endpoint,
                            struct sockaddr *address, socklen_t *length);
/** 0, or -EADDRINUSE if the socket may not have this address and port. */
int hf_socket_address_check(const struct hf_sockets *s, const struct hf_socket *socket,
                            const struct hf_endpoint *local, bool to_listen);
/** Whether it is a wildcard, of either family. */
bool hf_socket_address_is_any(const struct hf_addr *addr);
/** A port that is free for this address; 0: none. */
uint16_t hf_socket_port_choose(struct hf_sockets *s, const struct hf_socket *socket,
                               const struct hf_addr *addr);

/* ---- open.c ---- */

int hf_sockets_bind(void *self, int fd, const struct sockaddr *address, socklen_t length);
int hf_sockets_listen(void *self, int fd, int backlog);
int hf_sockets_accept(void *self, int fd, struct sockaddr *address, socklen_t *length,
                      struct hf_posix_wait *wait);
int hf_sockets_connect(void *self, int fd, const struct sockaddr *address, socklen_t length,
                       struct hf_posix_wait *wait);
/** A listener's connection is established: queues it. NULL: it could not, and was aborted. */
struct hf_socket *hf_socket_queue(struct hf_sockets *s, struct hf_socket *listener,
                                  hf_handle handle);
/** Resets what waits to be accepted. */
void hf_socket_drop_queue(struct hf_sockets *s, struct hf_socket *listener);
/** Back to what it was before connect or listen; a port that was asked for stays bound. Who
 *  watches it is told. */
void hf_socket_disconnect(struct hf_sockets *s, struct hf_socket *socket, bool abort);

/* ---- data.c ---- */

ssize_t hf_sockets_sendmsg(void *self, int fd, const struct msghdr *message, int flags,
                           struct hf_posix_wait *wait);
ssize_t hf_sockets_recvmsg(void *self, int fd, struct msghdr *message, int flags,
                           struct hf_posix_wait *wait);
int hf_sockets_shutdown(void *self, int fd, int how);
/** Copies bytes that are `offset` behind the read position, without taking them; how many. */
size_t hf_socket_peek(const struct hf_sockets *s, const struct hf_socket *socket, size_t offset,
                      void *bytes, size_t length_bytes);
/** 0, -EFAULT, -EMSGSIZE or -EINVAL; the sum of the lengths in *total_bytes. Only a call that
 *  copies wants buffers there. */
int hf_socket_check_iov(const struct msghdr *message, bool copies, size_t *total_bytes);

/* ---- urgent.c ---- */

/** Takes note of the core's mark. */
void hf_socket_note_urgent(struct hf_socket *socket, const struct hf_info *info);
/** Bytes that can be read up to the urgent byte, or all if it is in line or there is none. */
uint64_t hf_socket_before_urgent(const struct hf_socket *socket, const struct hf_info *info);
/** True if the byte at the read position is the urgent one. */
bool hf_socket_is_at_mark(const struct hf_socket *socket, const struct hf_info *info);
/** True if it has arrived and MSG_OOB did not take it. */
bool hf_socket_urgent_is_there(const struct hf_socket *socket, const struct hf_info *info);
ssize_t hf_socket_receive_urgent(struct hf_sockets *s, struct hf_socket *socket,
                                 struct msghdr *message, int flags);

/* ---- options.c, tcp_info.c ---- */

void hf_socket_options_init(struct hf_socket_options *o);
/** Gives the core what was set before there was a connection or listener. */
void hf_socket_options_apply(struct hf_sockets *s, const struct hf_socket *socket);
/** An option of the core: what it is, or will be. */
int64_t hf_socket_core_option(const struct hf_sockets *s, const struct hf_socket *socket,
                              enum hf_option o);
/** Payload of a full segment; without a connection what was asked for, or 536. */
uint32_t hf_socket_mss(const struct hf_sockets *s, const struct hf_socket *socket);
/** Writes a struct tcp_info of the host, cut to *length. */
int hf_socket_tcp_info(const struct hf_sockets *s, const struct hf_socket *socket, void *value,
                       socklen_t *length);
int hf_sockets_getsockopt(void *self, int fd, int level, int name, void *value, socklen_t *length);
int hf_sockets_setsockopt(void *self, int fd, int level, int name, const void *value,
                          socklen_t length);

/* ---- ready.c, epoll.c ---- */

/** What poll would tell of it, all bits. */
uint32_t hf_socket_ready(struct hf_sockets *s, struct hf_socket *socket);
int hf_sockets_poll(void *self, struct pollfd *fds, nfds_t count, int timeout_ms,
                    struct hf_posix_wait *wait);
/** Something happened that may have set these bits. */
void hf_socket_tell_watchers(struct hf_sockets *s, const struct hf_socket *socket, uint32_t events);
/** Removes the entries of a socket, and those of an epoll descriptor. */
void hf_socket_forget_watches(struct hf_socket *socket);
bool hf_epoll_is_ready(struct hf_sockets *s, struct hf_socket *epoll);
int hf_sockets_epoll_create(void *self, int size);
int hf_sockets_epoll_ctl(void *self, int epoll_fd, int operation, int fd,
                         struct epoll_event *event);
int hf_sockets_epoll_wait(void *self, int epoll_fd, struct epoll_event *events, int max,
                          int timeout_ms, struct hf_posix_wait *wait);

#endif
