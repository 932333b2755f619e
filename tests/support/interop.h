/**
 * Handfast against the Linux kernel, in one process and one thread: a network namespace with a TUN,
 * our stack at one end of it, the kernel's sockets at the other. Both ends follow plans made of the
 * same words, and what became of both is looked up where they keep it.
 *
 *     ours      10.9.0.2  fd09::2     connections of the stack
 *     theirs    10.9.0.1  fd09::1     non-blocking sockets of the kernel
 *     nobody    10.9.0.9  fd09::9     the kernel does not answer for it
 *
 * What an end sends depends on the ports of the connection, its direction and the offset alone, so
 * that a byte at a wrong place is seen.
 */
#ifndef HF_TEST_INTEROP_H
#define HF_TEST_INTEROP_H

#include <handfast/host.h>

enum { INTEROP_SKIP = 77, INTEROP_ENDS_MAX = 256, INTEROP_TRAIL_BYTES = 256 };

/** How an end ends; "all" is what its plan says it sends and expects. */
enum interop_ending {
    ENDING_FIRST,    /**< shuts its direction down after all, closes at the other's end */
    ENDING_LAST,     /**< waits for the other's end, sends what is left, closes */
    ENDING_HALF,     /**< shuts its direction down once it has sent all, and reads on */
    ENDING_TOGETHER, /**< as FIRST, but both ends in the same moment */
    ENDING_ABORT,    /**< resets after all, of both ends */
    ENDING_NONE,     /**< leaves it to the other end, or to the test */
};

struct interop_plan {
    uint64_t send_bytes, expect_bytes;
    enum interop_ending ending;
    bool speaks_second;   /**< sends nothing before something came in */
    bool sends_after_end; /**< sends nothing before the other's end came in */
};

struct interop;

/** A connection of our stack. */
struct interop_ours {
    struct interop *w;
    struct interop_plan plan;
    hf_handle handle;
    uint16_t own_port, kernel_port;
    uint64_t sent, received;
    bool paused; /**< does not read */
    bool opened, shut, at_end, let_go;
    bool over; /**< the closed event came: see how */
    enum hf_closed how;
    int error;     /**< first failure of a call, 0: none */
    unsigned bits; /**< of all events so far */
    uint32_t closed_events;
};

/** A socket of the kernel. */
struct interop_theirs {
    struct interop *w;
    struct interop_plan plan;
    int fd; /**< -1: closed */
    uint16_t own_port, kernel_port;
    uint64_t sent, received;
    bool paused;
    bool connecting, opened, shut, at_end;
    int error; /**< errno of the first failure, 0: none */
};

struct interop_setup {
    bool v6;
    bool plain;               /**< no super-packets */
    const char *spoil;        /**< rules, NULL or "": none */
    struct hf_config *config; /**< NULL: interop_config */
    /** Puts another link around the TUN, NULL: none. */
    struct hf_link *(*wrap)(struct hf_link *inner, void *ctx);
    void *wrap_ctx;
};

struct interop {
    struct hf_link *link;  /**< the outermost */
    struct hf_link *spoil; /**< NULL: none */
    struct hf_stack *stack;
    struct hf_loop *loop;
    bool v6, has_work;
    struct hf_addr own, kernel, nobody;
    struct interop_plan our_plan, their_plan; /**< of what is accepted */
    int listen_fd;
    struct interop_ours ours[INTEROP_ENDS_MAX];
    struct interop_theirs theirs[INTEROP_ENDS_MAX];
    size_t ours_count, theirs_count;
    bool wrong_data; /**< some end read something that was not sent */
    /** States that the connection with these ports went through here, with blanks between. */
    uint16_t trail_own_port, trail_kernel_port;
    char trail[INTEROP_TRAIL_BYTES];
    hf_ns trail_ns, trail_before_ns; /**< when the last one was entered, and that before it */
    hf_trace_fn *trace;              /**< hears all events, or NULL */
    void *trace_ctx;
};

/** Opens a link of ours, with the kernel's addresses (above) at its other end. */
typedef int interop_open_fn(struct hf_link **out, bool plain, bool v6, struct hf_why *why);
/** In place of TUN. It is called in the kernel's namespace, and stays there. */
void interop_use(interop_open_fn *open_link);

/** Enters a network namespace of its own; "" or what is missing for that. Call it first. */
const char *interop_missing(void);
bool interop_has_v6(void);

/** The default profile, with a maximum segment lifetime that a test can wait for. */
void interop_config(struct hf_config *cfg);

/** Never NULL: fails the test. */
struct interop *interop_open(const struct interop_setup *setup);
void interop_close(struct interop *w);

/** Our stack listens; connections follow w->our_plan. */
void interop_listen(struct interop *w, uint16_t own_port);
void interop_kernel_listen(struct interop *w, uint16_t kernel_port);
struct interop_ours *interop_connect(struct interop *w, uint16_t own_port, uint16_t kernel_port,
                                     const struct interop_plan *plan);
/** The same to an address that nobody answers for. */
struct interop_ours *interop_connect_nobody(struct interop *w, uint16_t own_port,
                                            uint16_t kernel_port);
struct interop_theirs *interop_kernel_connect(struct interop *w, uint16_t kernel_port,
                                              uint16_t own_port, const struct interop_plan *plan);

/** Lets time pass until done says so; false: the limit came first. */
bool interop_run(struct interop *w, bool (*done)(const struct interop *w), hf_ns limit_ns);
/** Lets time pass. */
void interop_pass(struct interop *w, hf_ns span_ns);
/** Goes on reading. */
void interop_resume_ours(struct interop_ours *o);
void interop_resume_theirs(struct interop_theirs *t);

/** The kernel's state of a connection as in <netinet/tcp.h>, TCP_TIME_WAIT too; 0: none. */
int interop_kernel_state(const struct interop *w, uint16_t kernel_port, uint16_t own_port);
/** The stack's, by its entries of all kinds; HF_CLOSED: none. */
enum hf_state interop_own_state(const struct interop *w, uint16_t own_port, uint16_t kernel_port);
/** All that a failure should show. */
void interop_tell(const struct interop *w);

/* ---- between the files of this harness ------------------------------------------------------ */

struct interop_ours *interop_ours_add(struct interop *w, hf_handle handle, uint16_t own_port,
                                      uint16_t kernel_port, const struct interop_plan *plan);
struct interop_theirs *interop_theirs_add(struct interop *w, int fd, uint16_t kernel_port,
                                          uint16_t own_port, const struct interop_plan *plan);
void interop_ours_pump(struct interop_ours *o, hf_ns now);
void interop_theirs_pump(struct interop_theirs *t);
/** Ends what waits for both ends of the first connection to have sent and received all. */
void interop_end_both(struct interop *w);

#endif
