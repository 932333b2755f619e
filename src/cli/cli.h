/**
 * What the subcommands share: how they are called, how they talk, and a stack over a TUN device or
 * an Ethernet interface.
 *
 * Data goes to stdout, talk to stderr. Exit codes: 0 done, 1 failed or a negative finding, 2 usage.
 */
#ifndef HF_CLI_H
#define HF_CLI_H

#include <handfast/host.h>

enum { HF_EXIT_DONE = 0, HF_EXIT_FAILED = 1, HF_EXIT_USAGE = 2 };

struct hf_command {
    const char *name;
    int (*run)(int argc, char **argv); /**< argv[0] is "handfast NAME"; returns the exit code */
    const char *line;                  /**< one line for `handfast --help` */
};

int hf_cmd_bench(int argc, char **argv);
int hf_cmd_connect(int argc, char **argv);
int hf_cmd_demo(int argc, char **argv);
int hf_cmd_drill(int argc, char **argv);
int hf_cmd_gateway(int argc, char **argv);
int hf_cmd_serve(int argc, char **argv);
int hf_cmd_sim(int argc, char **argv);
int hf_cmd_wire(int argc, char **argv);

/** One line on stderr: "handfast NAME: ...". */
void hf_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** The same for a failure of the lower layers; returns HF_EXIT_FAILED. */
int hf_say_why(const struct hf_why *why);

/** The same as hf_record_config.warn. */
void hf_say_line(void *ctx, const char *line);
/** At the end of a recording. Packets that are not in it are told, and turn success into failure:
 *  returns the exit code to end with. */
int hf_say_recorded(int exit_code, const char *path, const struct hf_record_stats *stats);

struct argp_state;
/** What --probes says, and the sink that it means; an error of usage in a build without them. */
#define HF_PROBES_HELP "Fire the static probes handfast:* (USDT) for bpftrace, perf, SystemTap"
hf_trace_fn *hf_take_probes(struct argp_state *state);
/** Stores an option's value that may be given once: a second one, or "", is an error of usage. */
void hf_take_once(const char **slot, const char *value, const char *option,
                  struct argp_state *state);
/** Reads a whole number of this range in decimal digits; anything else is an error of usage. */
uint32_t hf_take_number(const char *text, uint32_t min, uint32_t max, const char *what,
                        struct argp_state *state);
/** Finds a profile by its name; no such name is an error of usage. */
enum hf_profile hf_take_profile(const char *name, struct argp_state *state);

enum { HF_SETS_MAX = 64 };

/** What the command line says about a stack over TUN or an Ethernet interface, checked when the
 *  options are read. */
struct hf_tun_options {
    const char *tun;              /**< name of the device; this or the next is required */
    const char *interface;        /**< name of an Ethernet interface; NULL: TUN */
    const char *gateway_text;     /**< NULL: not given */
    const char *addr_text;        /**< as given: required */
    const char *kernel_addr_text; /**< NULL: not given */
    const char *profile;          /**< NULL: the default one */
    const char *sets[HF_SETS_MAX];
    size_t set_count;
    const char *record; /**< pcapng file, or NULL */
    const char *spoil;  /**< rules, or NULL */
    bool no_configure;  /**< the interface is set up by somebody else */
    bool plain;         /**< no super-packets */
    bool xdp;           /**< the interface by XDP */
    bool probes;        /**< fire static probes */
    /** The command's own values of these settings, unless they are set; 0: the profile's. */
    int64_t block_bytes, pool_bytes;
    /* Made of these: */
    struct hf_addr addr; /**< the stack's */
    unsigned prefix_bits;
    struct hf_addr kernel_addr; /**< the kernel's side of a TUN device */
    struct hf_addr gateway;     /**< of an interface; unspecified: none */
    struct hf_config config;
};

/** A stack with its link and loop. */
struct hf_tun_stack {
    struct hf_link *link;   /**< the outermost */
    struct hf_link *ether;  /**< the driver of an interface; NULL: TUN */
    struct hf_link *shard;  /**< of several stacks: what hands packets over, in link; or NULL */
    struct hf_link *record; /**< in link; NULL: nothing is recorded */
    struct hf_stack *stack;
    struct hf_loop *loop;
    struct hf_addr addr; /**< of the stack */
};

struct argp;
/** argp child of every command with such a stack; its input is a struct hf_tun_options. */
extern const struct argp hf_tun_argp;
void hf_tun_options_init(struct hf_tun_options *o);
/** The name of the device or interface. */
const char *hf_tun_options_device(const struct hf_tun_options *o);
/** Why no connection can be made to this address from there, in words that follow "is"; NULL: it
 *  can. */
const char *hf_tun_options_unfit(const struct hf_tun_options *o, const struct hf_addr *addr);

/** Opens everything; HF_OK, or says why not in *why and leaves nothing behind. SIGINT and SIGTERM
 *  stop the loop. */
HF_MUST_CHECK int hf_tun_stack_open(struct hf_tun_stack *t, const struct hf_tun_options *o,
                                    hf_loop_events_fn *events, void *events_ctx,
                                    struct hf_why *why);
void hf_tun_stack_close(struct hf_tun_stack *t);
/** hf_say_recorded of its recording, if it has one. */
int hf_tun_stack_recorded(const struct hf_tun_stack *t, const struct hf_tun_options *o,
                          int exit_code);
/** What the link knows about why nobody answers, in words to put behind a failure; "": nothing. */
const char *hf_tun_stack_hint(const struct hf_tun_stack *t);

enum { HF_THREADS_MAX = 16 };
/**
 * The same for several stacks as one, each over a queue of the device: a conversation belongs to
 * one of them (hf_link_shards), secrets are those of all. Each tells events with the events_ctx of
 * its place. Signals stop the first loop, and are blocked in threads that are started afterwards.
 * More than one can't have xdp or record of the options.
 */
HF_MUST_CHECK int hf_tun_stacks_open(struct hf_tun_stack *const *stacks, unsigned count,
                                     const struct hf_tun_options *o, hf_loop_events_fn *events,
                                     void *const *events_ctx, struct hf_why *why);
/** Runs each loop, the first in this thread and every other in one of its own, until one ends, and
 *  then ends the others. */
HF_MUST_CHECK int hf_tun_stacks_run(struct hf_tun_stack *const *stacks, unsigned count,
                                    struct hf_why *why);
/** None of them may run any more. */
void hf_tun_stacks_close(struct hf_tun_stack *const *stacks, unsigned count);
/** How many bytes, how fast, in words: for the last line. */
void hf_say_rate(const char *what, uint64_t bytes, hf_ns span_ns);

#endif
