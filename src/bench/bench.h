/**
 * The cases of `handfast bench`: what each does, what of it can be set, how it is measured.
 */
#ifndef HF_BENCH_BENCH_H
#define HF_BENCH_BENCH_H

#include "bench/pair.h"
#include "show/text.h"

/** What can be set of a case; which case knows what, the command line's help tells. */
struct hf_bench_setup {
    uint32_t idle;        /**< so many other connections are established */
    uint32_t connections; /**< of a random one each exchange is; or entries that are made */
    uint32_t at_once;     /**< exchanges whose packets travel together; 0 is 1 */
    bool addresses;       /**< addresses are random, not the ports alone */
    bool timestamps;      /**< segments carry them */
    bool batch;           /**< one ACK for 32 segments, not one for two */
    bool software;        /**< the link fills the sum in, and it is verified */
    bool cookies;         /**< each SYN is answered by a cookie */
    bool v6;
};

/** A bit for each field above that a case knows. */
enum hf_bench_bit {
    HF_BENCH_IDLE = 1,
    HF_BENCH_CONNECTIONS = 2,
    HF_BENCH_AT_ONCE = 4,
    HF_BENCH_ADDRESSES = 8,
    HF_BENCH_TIMESTAMPS = 16,
    HF_BENCH_BATCH = 32,
    HF_BENCH_SOFTWARE = 64,
    HF_BENCH_COOKIES = 128,
    HF_BENCH_V6 = 256,
};

enum { HF_BENCH_SYN_BYTES = 80 };

/** The SYN that a flood's are made from, its sums without what differs, and the burst at hand. */
struct hf_bench_syn {
    uint8_t bytes[HF_BENCH_SYN_BYTES], burst[HF_BENCH_BURST][HF_BENCH_SYN_BYTES];
    uint32_t length_bytes;
    uint16_t ip_sum, tcp_sum;
};

/** A case while it runs. */
struct hf_bench {
    struct hf_bench_setup setup;
    struct hf_bench_pair pair;
    hf_handle *a_conns, *b_conns; /**< of the connections of `setup`, or one of each */
    uint32_t tuples;              /**< lifecycle: made so far */
    uint32_t payload_bytes;       /**< of an operation */
    uint32_t source_at;
    struct hf_bench_syn syn; /**< flood */
};

struct hf_bench_report;

struct hf_bench_case {
    const char *name;
    const char *line; /**< what it does, for --help */
    unsigned knows;   /**< HF_BENCH_* */
    /* One that is timed and counted by operations: */
    const char *per; /**< what an operation is */
    /** Makes everything and warms it up. setup and nothing else is set. */
    void (*open)(struct hf_bench *w);
    /** Does so many at least, as whole bursts have them; returns how many. */
    uint64_t (*run)(struct hf_bench *w, uint64_t operations);
    uint64_t counted, timed; /**< operations of a run: to count instructions, to measure time */
    /* One that measures in its own way: open is NULL. */
    void (*measure)(const struct hf_bench_setup *setup, const struct hf_bench_report *r);
    uint32_t connections; /**< unless told */
};

extern const struct hf_bench_case hf_bench_lifecycle, hf_bench_bulk, hf_bench_bulk_super,
    hf_bench_rr, hf_bench_flood, hf_bench_honest, hf_bench_expiry, hf_bench_memory_kinds,
    hf_bench_many;

/** Every case; NULL behind the last. */
const struct hf_bench_case *hf_bench_case_at(size_t i);
/** The case of this name, or NULL. */
const struct hf_bench_case *hf_bench_find(const char *name);

/** A case and its setup. */
struct hf_bench_job {
    const struct hf_bench_case *what;
    struct hf_bench_setup setup;
};

/** What is run when no case is named; NULL behind the last. */
const struct hf_bench_job *hf_bench_usual(size_t i);

void hf_bench_open(struct hf_bench *w, const struct hf_bench_case *c,
                   const struct hf_bench_setup *setup);
void hf_bench_close(struct hf_bench *w);

/** Tells results as JSON lines or as lines of a table. */
struct hf_bench_report {
    hf_sink_fn *sink;
    void *ctx;
    bool json;
};

/** One figure. `more` is further members of the JSON object, ",\"name\":value" each; or "". */
struct hf_bench_figure {
    const char *name; /**< of the case, its setup included */
    const char *kind; /**< what of it, or NULL */
    double value;
    const char *unit, *per;
    bool has_range;
    double min, max;
    const char *more;
    const char *note; /**< what stands behind it in the table, or NULL */
};
void hf_bench_tell(const struct hf_bench_report *r, const struct hf_bench_figure *f);

/** The name of a case with what its setup adds to it, say "bulk-super-software". */
enum { HF_BENCH_NAME_BYTES = 64 };
void hf_bench_name(const struct hf_bench_case *c, const struct hf_bench_setup *setup,
                   char name[HF_BENCH_NAME_BYTES]);

/** Bytes of this process that lie in memory, none that were freed, as far as the C library gives
 *  them back; -1: not known. */
int64_t hf_bench_resident_bytes(void);
/** Nanoseconds of a fixed loop of dependent steps: how fast the machine is at this moment. */
hf_ns hf_bench_reference_ns(void);
/** The least of n values, 1 or more, that is not exceeded by this share of them; sorts them. */
double hf_bench_quantile(double *values, size_t n, double share);
/** The one in the middle, or between the two; sorts them. */
double hf_bench_median(double *values, size_t n);

/** Runs jobs and tells what they come to. Those by operations are timed in turns, `rounds` times,
 *  each run beside a fixed loop, for the machine's speed drifts; all are open at the same time. The
 *  others follow, one by one. */
void hf_bench_run(const struct hf_bench_job *jobs, size_t count, unsigned rounds,
                  const struct hf_bench_report *r);

enum { HF_BENCH_THREADS_MAX = 64 };
/** Runs jobs by operations, one after the other, in so many threads at once and in one of them, in
 *  turns, and tells operations a second and how many times one's that is. Each thread stays on a
 *  processor as long as there are some left. */
void hf_bench_run_threads(const struct hf_bench_job *jobs, size_t count, unsigned threads,
                          unsigned rounds, const struct hf_bench_report *r);

#endif
