/**
 * Two stacks in one process and the link between them: every packet is copied into a buffer that
 * stands for the link, on a virtual clock. No kernel, no thread, no allocation once warm: the same
 * run executes the same instructions.
 */
#ifndef HF_BENCH_PAIR_H
#define HF_BENCH_PAIR_H

#include <handfast/handfast.h>

enum {
    HF_BENCH_BURST = 32, /**< packets that are carried at a time, at most */
    HF_BENCH_SOURCE_BYTES = 1 << 20,
};

/** What a benchmark takes for granted: if it does not hold, its figures mean nothing. */
#define HF_BENCH_CHECK(condition)                                                                  \
    do {                                                                                           \
        if (!(condition))                                                                          \
            hf_bench_broken(__FILE__, __LINE__, #condition);                                       \
    } while (0)
_Noreturn void hf_bench_broken(const char *file, int line, const char *what);

/** Ends the program, with a word said, unless a call has succeeded. */
void hf_bench_must(int err);
/** calloc that ends the program, with a word said, when there is none. */
void *hf_bench_memory(size_t count, size_t each_bytes);

/** One stack, and the buffers that hold what it has sent. */
struct hf_bench_end {
    struct hf_stack *stack;
    struct hf_endpoint here;
    uint8_t *frames; /**< HF_BENCH_BURST of frame_bytes */
    size_t frame_bytes;
    struct hf_packet packets[HF_BENCH_BURST];
    uint64_t allocations; /**< so often the stack has asked for memory */
};

struct hf_bench_pair {
    struct hf_bench_end a, b; /**< A opens and closes, B listens on any address and port */
    hf_ns now_ns;
    hf_ns round_ns; /**< how far an operation moves the clock */
    uint64_t random;
    uint32_t batch;    /**< packets that B gets before it is asked for its answer */
    bool software_sum; /**< super-packets: the link fills the checksum in */
    bool v6;
    uint8_t *source, *sink; /**< HF_BENCH_SOURCE_BYTES: what is sent, room for what is received */
    uint64_t packets;       /**< carried, both ways */
};

/** The default settings with room for so many entries of each kind, and one. */
void hf_bench_config(struct hf_config *cfg, uint32_t entries);
/** Opens both with this configuration. The pair must not move while it is open. */
void hf_bench_pair_open(struct hf_bench_pair *w, const struct hf_config *cfg, bool v6);
void hf_bench_pair_close(struct hf_bench_pair *w);

/** splitmix64; the same numbers in each run. */
uint64_t hf_bench_random(struct hf_bench_pair *w);

/** Moves what an end wants to send, HF_BENCH_BURST packets at most, into the link's buffers;
 *  returns how many they are. */
size_t hf_bench_pull(struct hf_bench_pair *w, struct hf_bench_end *e);
/** Carries one burst to the other end, whose answers come back after every batch; returns its
 *  packets. */
size_t hf_bench_carry(struct hf_bench_pair *w, struct hf_bench_end *from, struct hf_bench_end *to);
/** Until neither end has anything to send. */
void hf_bench_carry_all(struct hf_bench_pair *w);
/** Moves the clock, and both ends' deadlines are kept as a loop around a stack keeps them. */
void hf_bench_pass(struct hf_bench_pair *w, hf_ns span_ns);

/** What is due at an end fires, in calls of HF_BENCH_EXPIRED entries; how long the longest took. */
enum { HF_BENCH_EXPIRED = 64 };
hf_ns hf_bench_expire(const struct hf_bench_pair *w, struct hf_bench_end *e);

/** Opens a connection from A to B; both handles. */
void hf_bench_connect(struct hf_bench_pair *w, const struct hf_endpoint *from,
                      const struct hf_endpoint *to, hf_handle *a, hf_handle *b);
/** A closes, then B, in order; A goes through TIME-WAIT. All that happened is pulled. */
void hf_bench_disconnect(struct hf_bench_pair *w, hf_handle a, hf_handle b);
/** The two endpoints of the n-th connection, no pair of them twice: A's addresses and ports change.
 */
void hf_bench_ends(const struct hf_bench_pair *w, uint32_t n, struct hf_endpoint *from,
                   struct hf_endpoint *to);
/** The next event of an end has these bits. */
void hf_bench_expect(struct hf_bench_end *e, uint32_t bits);

/** The time by the wall's clock, which only rises. */
hf_ns hf_bench_clock_ns(void);

#endif
