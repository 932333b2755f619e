/**
 * What the files of calls share: one call in the making, and its arguments as C values.
 *
 * A function that can't make something of an argument says so with hf_call_beyond and goes on with
 * any value: the call is then not made. So no function has to look at each argument's fate.
 */
#ifndef HF_LAB_DRILL_CALL_PARTS_H
#define HF_LAB_DRILL_CALL_PARTS_H

#include "calls.h"

enum { HF_CALL_PIECES = 32 };

struct hf_call {
    struct hf_call_env *env;
    const struct hf_script_call *script;
    struct hf_posix_wait *wait;
    struct hf_call_result *result;
    bool is_beyond, differs;
    void *pieces[HF_CALL_PIECES]; /**< memory of this try */
    size_t piece_count;
};

/** Makes one call; returns its result, -errno or HF_POSIX_WAIT. */
typedef int64_t hf_call_fn(struct hf_call *c);

/* call_values.c */
void hf_call_beyond(struct hf_call *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/** What came out is not what was expected; only the first difference is told. */
void hf_call_differs(struct hf_call *c, const char *what, int64_t expected, int64_t got);
/** Zeroed memory that lives as long as this try; NULL (and beyond) if it is too much. */
void *hf_call_memory(struct hf_call *c, int64_t length_bytes);
/** The n-th argument; one that is missing is beyond, and `...` in its place. */
const struct hf_value *hf_call_argument(struct hf_call *c, size_t n);
/** A number: integer, symbol, A|B, or one of these alone in brackets. */
int64_t hf_call_number(struct hf_call *c, const struct hf_value *v);
/** Of the n-th argument, as an int. */
int hf_call_int(struct hf_call *c, size_t n);
/** A length: of bytes or items. */
size_t hf_call_length(struct hf_call *c, const struct hf_value *v);
bool hf_value_is_null(const struct hf_value *v);
bool hf_value_is_any(const struct hf_value *v);
/** A structure's field, or NULL. */
const struct hf_value *hf_value_field(const struct hf_value *v, const char *name);
/** The live descriptor behind a label; -1, which no call takes, if there is none. */
int hf_call_fd_of(const struct hf_call_env *env, int64_t label);
/** Of the n-th argument. */
int hf_call_fd(struct hf_call *c, size_t n);
/** Makes `live` known by the label that the script expects. */
void hf_call_label(struct hf_call *c, int live);

/** An address argument: `...` is the endpoint given. */
struct hf_call_address {
    struct sockaddr_storage bytes;
    socklen_t length;
    bool is_null;
};
void hf_call_address_read(struct hf_call *c, const struct hf_value *v, const struct hf_addr *addr,
                          uint16_t port, struct hf_call_address *out);

/* call_data.c, call_options.c, call_ready.c: the calls of the table in calls.c */
hf_call_fn hf_call_read, hf_call_write, hf_call_readv, hf_call_writev, hf_call_recv, hf_call_send,
    hf_call_recvfrom, hf_call_sendto, hf_call_recvmsg, hf_call_sendmsg;
hf_call_fn hf_call_getsockopt, hf_call_setsockopt, hf_call_fcntl, hf_call_ioctl;
hf_call_fn hf_call_poll, hf_call_epoll_create, hf_call_epoll_ctl, hf_call_epoll_wait;

#endif
