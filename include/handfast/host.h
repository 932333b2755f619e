/**
 * Handfast on Linux: links that carry packets, a loop that drives a stack, and what a stack needs
 * from the system (clock, seed, memory). The core needs none of this; it is one way to use it.
 *
 * Functions return HF_OK or more on success and a negative enum hf_err otherwise. Those that take a
 * struct hf_why say in one line what failed and what to do about it; it may be NULL.
 */
#ifndef HANDFAST_HOST_H
#define HANDFAST_HOST_H

#include <handfast/handfast.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { HF_WHY_TEXT_BYTES = 256 };

/** Why something failed: one line, and the errno behind it (0: none). */
struct hf_why {
    char text[HF_WHY_TEXT_BYTES];
    int sys_errno;
};

/* ---- environment --------------------------------------------------------------------------- */

/** Fills env for a stack: memory from the heap (large pieces from the kernel), a seed from the
 *  kernel's random generator, shard 0, no trace. */
HF_API HF_MUST_CHECK int hf_env_linux(struct hf_env *env, struct hf_why *why);
/** hf_stack_trim, and what the heap keeps of it goes on to the kernel. Goes over all that is free:
 *  milliseconds after a hundred thousand connections. A loop does it by itself. */
HF_API void hf_host_trim(struct hf_stack *s);

/** The instant to hand to a stack: monotonic, stands still while the machine sleeps, so that a
 *  suspended laptop does not wake up with all its connections timed out. */
HF_API hf_ns hf_host_now(void);
/** Wall-clock time since 1970, for records; never for a stack: it can go back. */
HF_API hf_ns hf_host_wall_clock(void);

/** A clock that tests can turn by hand. */
typedef hf_ns hf_clock_fn(void *ctx);

/**
 * A trace sink for struct hf_env: fires the static probe (USDT) handfast:NAME for each event, NAME
 * as in HF_TRACE_LIST ("state", "drop", "retransmit"). Its arguments are handle, reason, from, to,
 * a, b of the event, then pointers to its local and remote struct hf_endpoint. ctx is not used.
 * Nothing is fired if the library was built where there was no <sys/sdt.h>.
 */
HF_API void hf_probe_trace(void *ctx, const struct hf_trace_event *event);
/** Whether it was built with it. */
HF_API bool hf_probe_available(void);

/* ---- links --------------------------------------------------------------------------------- */

struct hf_link;

/** What a link does for a stack: to be copied to offload_checksum and offload_super_bytes. */
struct hf_link_caps {
    bool checksum;        /**< fills in outgoing checksums (HF_PACKET_CSUM_PARTIAL) */
    uint32_t super_bytes; /**< takes IP packets of up to this many bytes to be cut; 0: none */
    uint32_t mtu_bytes;   /**< of the interface; 0: not known */
};

/** Counts of what passed a link; each wrapper counts for itself what passed it. */
struct hf_link_stats {
    uint64_t packets_in, bytes_in;
    uint64_t packets_out, bytes_out;
    uint64_t in_malformed; /**< read, but not understood: not handed on */
    uint64_t out_refused;  /**< the kernel would not have it: counted as taken, and gone */
    uint64_t out_busy;     /**< times that the device was full */
    int last_errno;        /**< of the last refusal or failure; 0: none yet */
};

/**
 * A driver, or a wrapper around another link. receive and send are required; a wrapper's fd, caps,
 * deadline and expire may be NULL and are then those of the inner link. close frees the link; the
 * inner one is closed afterwards.
 */
struct hf_link_ops {
    int (*receive)(struct hf_link *l, struct hf_packet *packets, size_t max);
    int (*send)(struct hf_link *l, const struct hf_out_packet *packets, size_t n);
    int (*fd)(const struct hf_link *l);
    void (*caps)(const struct hf_link *l, struct hf_link_caps *caps);
    hf_ns (*deadline)(const struct hf_link *l);
    void (*expire)(struct hf_link *l);
    void (*close)(struct hf_link *l);
};

/** The head of every link: drivers put it first in their own struct. */
struct hf_link {
    const struct hf_link_ops *ops;
    struct hf_link *inner; /**< of a wrapper; NULL in a driver */
    struct hf_link_stats stats;
};

/** Gives at most max packets that came in and returns how many, perhaps not all that are there; 0:
 *  none now. The bytes stay valid until the next receive on this link. */
HF_API HF_MUST_CHECK int hf_link_receive(struct hf_link *l, struct hf_packet *packets, size_t max);
/** Sends; returns how many were taken. Less than n: the device is full, wait until the descriptor
 *  is writable or hf_link_deadline is due, whatever is first; the rest is the caller's to send
 *  again or to drop. A packet that the kernel refuses for itself is counted and passed over. */
HF_API HF_MUST_CHECK int hf_link_send(struct hf_link *l, const struct hf_out_packet *packets,
                                      size_t n);
/** The descriptor to poll, readable when receive has something; -1: none. */
HF_API int hf_link_fd(const struct hf_link *l);
HF_API void hf_link_caps(const struct hf_link *l, struct hf_link_caps *caps);
HF_API void hf_link_stats(const struct hf_link *l, struct hf_link_stats *stats);
/** When hf_link_expire and then hf_link_receive are due though the descriptor is quiet: a wrapper
 *  holds packets back, a neighbour is to be asked again, a full device may have room, an interface
 *  is looked after. By hf_host_now; HF_NEVER: nothing waits. */
HF_API hf_ns hf_link_deadline(const struct hf_link *l);
/** Sends what was held back and is due. */
HF_API void hf_link_expire(struct hf_link *l);
/** Closes a link and all links that it wraps. NULL is allowed. */
HF_API void hf_link_close(struct hf_link *l);

/* ---- TUN ----------------------------------------------------------------------------------- */

struct hf_tun_config {
    const char *name;       /**< at most 15 bytes, "hf%d" lets the kernel count; NULL: "tun%d" */
    const char *device;     /**< NULL: /dev/net/tun */
    uint32_t mtu_bytes;     /**< open: set on the interface, 0: left alone; from_fd: as it is */
    uint32_t batch_packets; /**< buffers of 64 KB, hence packets a receive; 0: 32; 1024 at most */
    bool plain;             /**< no super-packets, all checksums filled in */
    bool queue;             /**< one of several queues: see hf_link_tun_open */
    bool one_by_one;        /**< a system call for each packet, though io_uring is there */
};

/** Creates a TUN interface, or takes an idle one of that name. It goes with the link. With `queue`
 *  it takes one that has queues already, be they another process's, and adds one; the interface
 *  goes with the last of them. All are opened alike; where the kernel chose the name, the others
 *  take that. What comes to a queue that nobody reads is lost. */
HF_API HF_MUST_CHECK int hf_link_tun_open(struct hf_link **out, const struct hf_tun_config *cfg,
                                          struct hf_why *why);
/** The same over a descriptor made elsewhere, say in another network namespace, with IFF_NO_PI and
 *  IFF_VNET_HDR. On success the link owns fd. name and device are not used. */
HF_API HF_MUST_CHECK int hf_link_tun_from_fd(struct hf_link **out, int fd,
                                             const struct hf_tun_config *cfg, struct hf_why *why);
/** Whether many packets go by one system call: the kernel is Linux 6.4 or later and lets us use
 *  io_uring, nobody has set a limit for what the device may hold, and one_by_one was not asked for.
 *  In the child of a fork each packet takes a call. l must be a TUN. */
HF_API bool hf_link_tun_is_batched(const struct hf_link *l);
/** The interface's name, as the kernel chose it. l must be a TUN. */
HF_API const char *hf_link_tun_name(const struct hf_link *l);

/* ---- Ethernet ------------------------------------------------------------------------------- */

enum { HF_ETHER_ADDRS_MAX = 16 };

/** An address of the stack on an Ethernet. */
struct hf_ether_address {
    struct hf_addr addr;
    unsigned prefix_bits; /**< what is on the link: reached without a gateway; 0..32 or 0..128 */
};

/** Whose packets a link to an Ethernet carries. */
struct hf_ether_config {
    const char *interface;                /**< that is up, and has a MAC */
    const struct hf_ether_address *addrs; /**< of the stack; copied */
    size_t addr_count;                    /**< 1 to HF_ETHER_ADDRS_MAX */
    /** Where packets go that are for nobody on the link; unspecified: they are lost. */
    struct hf_addr gateway_v4, gateway_v6;
};

/** What a link to an Ethernet counts beside struct hf_link_stats, since it was opened. */
struct hf_ether_stats {
    uint64_t questions;      /**< ARP requests and neighbour solicitations that were sent */
    uint64_t answers;        /**< answers and announcements */
    uint64_t learned;        /**< MACs that were learned or confirmed */
    uint64_t silent;         /**< neighbours that did not answer */
    uint64_t packets_lost;   /**< to them, to nobody (no gateway), or too many that waited */
    uint64_t unasked;        /**< answers about an address that nobody asked for: ignored */
    uint64_t conflicts;      /**< another station says that it has an address of ours */
    uint64_t frames_foreign; /**< came, but were for somebody else */
    uint64_t frames_lost;    /**< there was no room for them: this end did not read in time */
};

/** l must be a link to an Ethernet. Called by the thread that uses it. */
HF_API void hf_link_ether_stats(struct hf_link *l, struct hf_ether_stats *stats);

struct hf_packet_link_config {
    struct hf_ether_config ether;
    uint32_t batch_packets; /**< buffers of 64 KB, hence packets a receive; 0: 32; 1024 at most */
    bool plain;             /**< no super-packets go out, all checksums filled in; what comes in may
                                 be super all the same */
    /** Not 0: links with the same number, one each for a stack on a thread of its own, share what
     *  comes in by flows (PACKET_FANOUT); nobody else in the namespace may use it. The kernel's
     *  hash is not that of hf_link_shards, which hands on what came to the wrong one. */
    uint16_t fanout_group;
    uint8_t fanout_member; /**< which of them: number 0 answers for the addresses, and is needed */
};

/**
 * Opens an interface of the kernel's by a packet socket, for addresses that nobody has. Needs
 * CAP_NET_RAW in the user namespace of the network namespace. The MAC is the interface's; ARP and
 * neighbour discovery are the link's own. Checksums are left to the kernel or the device, and
 * super-packets go both ways. A filter in the kernel lets nothing up but what is for us.
 *
 * The kernel sees these frames too:
 * - It would reset our connections if it had one of our addresses: then the link is not opened,
 *   HF_E_DEVICE. It must not be given one later either.
 * - If it forwards packets (net.ipv4.ip_forward, net.ipv6.conf.all.forwarding), it sends on what
 *   is for us, or answers with errors: switch that off (of IPv6 for all interfaces), or drop it,
 *   as by `nft add rule inet filter forward ip daddr ADDRESS drop`.
 * - A firewall of its does not see our packets.
 * The host itself does not reach us by this interface, nor we the host: what it sends does not come
 * back to it.
 *
 * Nobody is asked beforehand whether an address is free: a station that says that it has it is
 * counted as a conflict. Gateways are those of the configuration; what routers announce, and
 * redirects, are passed over.
 *
 * A frame with a VLAN tag is for the interface of that VLAN: open that one. While the interface is
 * down nothing comes and nothing goes; one that is removed is an error of receive.
 */
HF_API HF_MUST_CHECK int hf_link_packet_open(struct hf_link **out,
                                             const struct hf_packet_link_config *cfg,
                                             struct hf_why *why);

struct hf_xdp_link_config {
    struct hf_ether_config ether;
    bool copy; /**< frames are copied even where the device could do without */
};

/**
 * The same by AF_XDP: a program in front of the kernel's network stack hands what is for us to the
 * link, and nothing else, so that neither forwarding nor a firewall of the kernel's matters; an
 * address that it has is refused all the same. Frames are not copied by the kernel where the
 * driver can do without. 16 MB. Needs CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF, Linux 5.9, a driver
 * that knows XDP, a device with one queue (ethtool -L NAME combined 1) and an MTU of at most 3822.
 *
 * VLAN tags have to be in the frame to be seen, else a tagged one passes for one of this network:
 * ethtool -K NAME rxvlan off, or of a veth's other end txvlan off.
 *
 * There are no offloads: no super-packets, and checksums are made and verified by the stack. So a
 * veth's other end has to fill in its own: ethtool -K PEER tx off. Announcements to all stations
 * stay the kernel's. The program goes when the link is closed or the process ends, however.
 */
HF_API HF_MUST_CHECK int hf_link_xdp_open(struct hf_link **out,
                                          const struct hf_xdp_link_config *cfg, struct hf_why *why);
/** Whether the device does without copies. l must be such a link. */
HF_API bool hf_link_xdp_is_zero_copy(const struct hf_link *l);

/* ---- interfaces of the current network namespace -------------------------------------------- */

HF_API HF_MUST_CHECK int hf_netif_up(const char *name, struct hf_why *why);
HF_API HF_MUST_CHECK int hf_netif_set_mtu(const char *name, uint32_t mtu_bytes, struct hf_why *why);
/** How many packets may wait in the interface's queue towards its reader; beyond, they are lost.
 *  hf_link_tun_open sets it to 5000 where it may. */
HF_API HF_MUST_CHECK int hf_netif_set_queue(const char *name, uint32_t packets, struct hf_why *why);
/** Gives the kernel's side an address; prefix_bits is 0..32 or 0..128. IPv4: it replaces the first
 *  one; IPv6: it is added, and if the interface is up, in use when this returns (the kernel takes
 *  some milliseconds: up first, then addresses). */
HF_API HF_MUST_CHECK int hf_netif_add_address(const char *name, const struct hf_addr *addr,
                                              unsigned prefix_bits, struct hf_why *why);
/** Routes a prefix to the interface, which must be up. The unspecified address with
 *  prefix_bits 0 is IPv6's default route; IPv4's is ::ffff:0.0.0.0. One that exists is kept. */
HF_API HF_MUST_CHECK int hf_netif_add_route(const char *name, const struct hf_addr *addr,
                                            unsigned prefix_bits, struct hf_why *why);
/** Reads "10.0.0.1/24" or "fd00::1/64"; without a slash prefix_bits is 32 or 128. */
HF_API HF_MUST_CHECK int hf_prefix_parse(const char *text, struct hf_addr *addr,
                                         unsigned *prefix_bits, struct hf_why *why);

/* ---- record: a wrapper that writes pcapng --------------------------------------------------- */

struct hf_record_config {
    const char *path;           /**< written anew; a file that is no such recording is left alone */
    const char *interface_name; /**< in the file; NULL: none */
    const char *comment;        /**< of the whole file; NULL: none */
    hf_clock_fn *wall_clock;    /**< NULL: hf_host_wall_clock */
    /** Hears, once, that writing failed; NULL: one line on stderr. */
    void (*warn)(void *ctx, const char *line);
    void *ctx; /**< of wall_clock and warn */
};

struct hf_record_stats {
    uint64_t written;   /**< packets in the file */
    uint64_t unwritten; /**< packets that came after writing failed */
};

/** Wraps a link: each packet in and out is written, as it passes this point: super-packets whole,
 *  checksums that the link is to fill in not filled in. A full disk ends the recording, never the
 *  traffic. On failure inner is untouched; afterwards closing *out closes it too. */
HF_API HF_MUST_CHECK int hf_link_record(struct hf_link **out, struct hf_link *inner,
                                        const struct hf_record_config *cfg, struct hf_why *why);
/** l must be such a wrapper. */
HF_API void hf_link_record_stats(const struct hf_link *l, struct hf_record_stats *stats);

/* ---- spoil: a wrapper that injects faults --------------------------------------------------- */

enum hf_spoil_action { HF_SPOIL_DROP, HF_SPOIL_DELAY, HF_SPOIL_DUPLICATE, HF_SPOIL_CORRUPT };

enum hf_spoil_direction { HF_SPOIL_BOTH, HF_SPOIL_IN, HF_SPOIL_OUT };

/** X(NAME, word, text): what a rule looks for. A segment that is sent again matches again. */
#define HF_SPOIL_KIND_LIST(X)                                                                      \
    X(ANY, "any", "every packet, also such as are not TCP")                                        \
    X(SYN, "syn", "SYN without ACK")                                                               \
    X(SYNACK, "synack", "SYN with ACK")                                                            \
    X(THIRD_ACK, "third-ack", "the ACK without data that completes the handshake")                 \
    X(FIRST_DATA, "first-data", "the data that starts a direction")                                \
    X(DATA, "data", "a segment with data")                                                         \
    X(ACK, "ack", "ACK without data, SYN, FIN or RST")                                             \
    X(FIN, "fin", "a segment with FIN")                                                            \
    X(LAST_ACK, "last-ack", "the ACK without data that acknowledges the second FIN")               \
    X(RST, "rst", "a segment with RST")

enum hf_spoil_kind {
#define HF_SPOIL_KIND_ENUM(NAME, word, text) HF_SPOIL_##NAME,
    HF_SPOIL_KIND_LIST(HF_SPOIL_KIND_ENUM)
#undef HF_SPOIL_KIND_ENUM
};
enum { HF_SPOIL_KIND_COUNT = HF_SPOIL_RST + 1 };

enum { HF_SPOIL_RULES_MAX = 16, HF_SPOIL_ALWAYS = 1000000 };

/**
 * One rule. Matching packets are counted per connection (those that are not TCP all together).
 * once: only the n-th match is hit; otherwise the n-th, 2n-th, ... The first rule that hits decides
 * what becomes of the packet; the others count it all the same.
 * A super-packet is one packet: it is hit whole. Corrupting it would spoil each of its segments
 * and is a drop; in any other packet one bit behind the IP header is flipped, its checksum first
 * filled in, so that the checksum tells.
 */
struct hf_spoil_rule {
    enum hf_spoil_action action;
    enum hf_spoil_direction direction;
    enum hf_spoil_kind kind;
    uint32_t occurrence;  /**< n: 1 or more */
    bool once;            /**< per connection */
    uint32_t per_million; /**< of the hits, this many act: HF_SPOIL_ALWAYS = all */
    hf_ns delay_ns;       /**< of HF_SPOIL_DELAY */
    uint64_t seed;        /**< of chance, and of the bit that is flipped */
};

/**
 * Reads rules, separated by ';': an action, then in any order a kind, a direction, "3rd", "once",
 * "every", "1%", "seed 7".
 *
 *     drop third-ack once; delay 50ms syn; duplicate 1%; corrupt out 3rd data; drop every 5th ack
 *
 * An ordinal alone means once. Errors name the position, counted from 1.
 */
HF_API HF_MUST_CHECK int hf_spoil_parse(const char *text, struct hf_spoil_rule *rules, size_t max,
                                        size_t *count, struct hf_why *why);

/** Wraps a link. clock: what delays are measured by, NULL: hf_host_now. On failure inner is
 *  untouched; afterwards closing *out closes it too. */
HF_API HF_MUST_CHECK int hf_link_spoil(struct hf_link **out, struct hf_link *inner,
                                       const struct hf_spoil_rule *rules, size_t count,
                                       hf_clock_fn *clock, void *clock_ctx, struct hf_why *why);
/** How often rule i acted. l must be such a wrapper. */
HF_API uint64_t hf_link_spoil_hits(const struct hf_link *l, size_t i);
/** Packets lost because the room for delayed ones was full; no rule asked for that. */
HF_API uint64_t hf_link_spoil_overflow(const struct hf_link *l);

struct hf_loop;

/* ---- shards: wrappers that let several stacks be one ---------------------------------------- */

/**
 * Wraps `count` links (1 to 16), as a rule the queues of one device, each for a stack and a loop on
 * a thread of its own. Each conversation belongs to one of them, by a hash of its ends under a
 * secret key: a packet that comes in by another link is handed over, without locks, in the order of
 * its link. ICMP errors go with the conversation that they quote; what belongs to none stays where
 * it came in. A stack's own packets leave by its own link, and a multi-queue TUN sends the answers
 * there, for as many flows as the kernel remembers (4096, 3 s each). What a ring of 4 MB from one
 * to another has no room for is lost, and counted.
 *
 * All stacks have the same addresses and listeners, each its own shard number in struct hf_env. A
 * connection from here needs a local address, and a port of its shard (hf_link_shard_port). A saved
 * stack is restored to the same place among as many, under the same key. A thread that ends takes
 * its conversations along: end all. When none of them runs any more, free the loops, then close the
 * wrappers, which closes the links in them. On failure the links are untouched.
 */
HF_API HF_MUST_CHECK int hf_link_shards(struct hf_link **links, unsigned count,
                                        const uint8_t key[16], struct hf_why *why);
/** The loop to be woken for what is handed over: to be told before the threads run. l must be such
 *  a wrapper, as below. */
HF_API void hf_link_shard_set_loop(struct hf_link *l, struct hf_loop *loop);
/** Which of the wrappers a conversation belongs to. */
HF_API unsigned hf_link_shard_of(const struct hf_link *l, const struct hf_endpoint *local,
                                 const struct hf_endpoint *remote);
/** A local port with which a conversation belongs to l: the first one of 1024 to 65535 from `from`
 *  on, round the end; 0: there is none. `from` should be what nobody else can guess [RFC6056];
 *  hf_connect says if the port is taken. */
HF_API uint16_t hf_link_shard_port(const struct hf_link *l, const struct hf_addr *local,
                                   const struct hf_endpoint *remote, uint16_t from);

struct hf_shard_stats {
    uint64_t handed; /**< packets that came in here and were put into the rings of others */
    uint64_t taken;  /**< packets that others have handed over */
    uint64_t lost;   /**< packets of others, whose ring was full */
};
/** Called by the thread that receives on l, or when it runs no more. */
HF_API void hf_link_shard_stats(const struct hf_link *l, struct hf_shard_stats *stats);

/* ---- loop ---------------------------------------------------------------------------------- */

/** Called in each round, after packets, descriptors and timers: pull hf_stack_event until false. */
typedef void hf_loop_events_fn(void *ctx, struct hf_loop *loop, hf_ns now);

enum hf_loop_bit {
    HF_LOOP_READ = 1,
    HF_LOOP_WRITE = 2,
    HF_LOOP_BROKEN = 4, /**< error or hang-up; told without being asked for */
};

/** A descriptor is ready; bits of enum hf_loop_bit. */
typedef void hf_loop_fd_fn(void *ctx, struct hf_loop *loop, int fd, unsigned bits);

struct hf_loop_config {
    struct hf_stack *stack; /**< NULL: a loop over descriptors only */
    struct hf_link *link;   /**< likewise; both stay the caller's */
    hf_loop_events_fn *events;
    void *events_ctx;
    /** What a burst took goes back to the system (hf_host_trim) when less than half of it has been
     *  in use for this long. 0: 8 s; HF_NEVER: it is kept. */
    hf_ns give_back_after_ns;
};

/**
 * A loop for one stack and one link, in one thread. All callbacks may call the stack, add, change
 * and remove descriptors (their own too, also to close it and get the same number again) and stop
 * the loop; they may not run or free it.
 */
HF_API HF_MUST_CHECK int hf_loop_new(struct hf_loop **out, const struct hf_loop_config *cfg,
                                     struct hf_why *why);
HF_API void hf_loop_free(struct hf_loop *loop);
/** Runs until hf_loop_stop, or until the link fails. */
HF_API HF_MUST_CHECK int hf_loop_run(struct hf_loop *loop, struct hf_why *why);
/** One round: waits at most max_wait_ns (0: not at all; HF_NEVER: as long as it takes), then does a
 *  bounded amount of work. Returns 1 when stopped, else 0. */
HF_API HF_MUST_CHECK int hf_loop_turn(struct hf_loop *loop, hf_ns max_wait_ns, struct hf_why *why);
/** Ends hf_loop_run after the present round. May be called in a signal handler and in another
 *  thread. */
HF_API void hf_loop_stop(struct hf_loop *loop);
/** Lets the loop go round once more. As hf_loop_stop, from anywhere. */
HF_API void hf_loop_wake(struct hf_loop *loop);
/** From now on SIGINT and SIGTERM stop the loop; they are blocked in this thread until
 *  hf_loop_free. */
HF_API HF_MUST_CHECK int hf_loop_stop_on_signals(struct hf_loop *loop, struct hf_why *why);
/** The signal that stopped the loop; 0: none. */
HF_API int hf_loop_signal(const struct hf_loop *loop);
/** The present round's instant: hand this to the stack in callbacks. */
HF_API hf_ns hf_loop_now(const struct hf_loop *loop);
/** Goes round no later than at this instant, once; HF_NEVER takes the wish back. */
HF_API void hf_loop_wake_at(struct hf_loop *loop, hf_ns at_ns);

/** Watches a descriptor; HF_E_EXISTS if it is being watched. */
HF_API HF_MUST_CHECK int hf_loop_add_fd(struct hf_loop *loop, int fd, unsigned bits,
                                        hf_loop_fd_fn *callback, void *ctx);
/** Changes what a watched descriptor is watched for; 0: nothing but HF_LOOP_BROKEN. */
HF_API HF_MUST_CHECK int hf_loop_set_fd(struct hf_loop *loop, int fd, unsigned bits);
/** Stops watching, before the descriptor is closed. Its callback is not called any more, not even
 *  for what was ready already. */
HF_API int hf_loop_remove_fd(struct hf_loop *loop, int fd);

#ifdef __cplusplus
}
#endif
#endif
