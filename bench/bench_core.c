/**
 * What the core costs, measured in memory: two stacks in one process, every packet copied into a
 * buffer of the link between them, on a virtual clock. No kernel, no thread, no allocation once
 * warm: the same run executes the same instructions.
 *
 *     bench_core [CASE...]       time of each operation, beside a fixed loop of reference
 *     bench_core --list          the cases, and how long a run is to be for counting instructions
 *     bench_core --run CASE N    the warm-up and N operations, silently: what script/bench counts
 *
 * One JSON object a line. docs/BENCH.md says what each case is.
 */
#include <handfast/handfast.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/wire/ip.h"

enum {
    BURST_PACKETS = 32,
    FRAME_BYTES = 1536, /* room for a packet on the link: of segments, of super-packets */
    SUPER_FRAME_BYTES = 65536 + 64,
    SOURCE_BYTES = 1 << 20, /* what is sent is cut from here, at moving offsets */
    SOURCE_STEP = 4093,     /* a prime: no two writes in a row begin alike */
    LIVE_MOST = 10000,      /* lifecycle: entries alive at a time, at most */
    MEMORY_ENTRIES = 16384,
    TIMED_ROUNDS = 7,
};

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            broken(#condition, __LINE__);                                                          \
    } while (0)

static _Noreturn void broken(const char *what, int line)
{
    fprintf(stderr, "bench_core.c:%d: %s does not hold\n", line, what);
    exit(1);
}

/* ---- two stacks and the link between them -------------------------------------------------- */

/** One stack, and the buffers that hold what it has sent. */
struct end {
    struct hf_stack *stack;
    struct hf_endpoint here;
    uint8_t *frames; /* BURST_PACKETS of frame_bytes */
    size_t frame_bytes;
    struct hf_packet packets[BURST_PACKETS];
};

struct bench {
    struct end a, b; /* A opens and closes, B listens */
    hf_ns now_ns;
    hf_ns round_ns; /* how far a round moves the clock */
    uint64_t random;
    uint32_t tuples;        /* made so far */
    uint32_t payload_bytes; /* of a segment */
    uint32_t batch;         /* packets that B gets before it is asked for its answer */
    bool software_sum;      /* super-packets: the link fills the checksum in */
    hf_handle a_conn, b_conn;
    uint8_t *source, *sink;
    uint32_t source_at;
    uint64_t packets; /* carried, both ways */
};

static void *reallocate(void *ctx, void *ptr, size_t old_bytes, size_t new_bytes)
{
    (void)ctx;
    (void)old_bytes;
    if (new_bytes > 0)
        return realloc(ptr, new_bytes);
    free(ptr);
    return NULL;
}

/** splitmix64. */
static uint64_t next_random(struct bench *w)
{
    uint64_t z = w->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void open_end(struct end *e, const struct hf_config *cfg, uint8_t number)
{
    struct hf_env env = {.realloc = reallocate};
    memset(env.seed, number, sizeof env.seed);
    e->here.addr = hf_addr_v4(10, 0, 0, number);
    CHECK(hf_stack_new(&e->stack, cfg, &env, 0) == HF_OK);
    CHECK(hf_stack_add_address(e->stack, &e->here.addr, 8) == HF_OK);
    e->frame_bytes = cfg->offload_super_bytes > 0 ? SUPER_FRAME_BYTES : FRAME_BYTES;
    e->frames = malloc(BURST_PACKETS * e->frame_bytes);
    CHECK(e->frames != NULL);
}

static void open_bench(struct bench *w, const struct hf_config *cfg)
{
    *w = (struct bench){.random = 1, .batch = BURST_PACKETS, .round_ns = HF_US(20)};
    open_end(&w->a, cfg, 1);
    open_end(&w->b, cfg, 2);
    w->source = malloc(SOURCE_BYTES);
    w->sink = malloc(SOURCE_BYTES);
    CHECK(w->source != NULL && w->sink != NULL);
    for (size_t i = 0; i < SOURCE_BYTES; i += 8) {
        uint64_t word = next_random(w);
        memcpy(w->source + i, &word, 8);
    }
    struct hf_listen any = {.addr = HF_ADDR_ANY};
    hf_handle listener;
    CHECK(hf_listen(w->b.stack, &any, &listener, 0) == HF_OK);
}

static void close_bench(struct bench *w)
{
    hf_stack_free(w->a.stack);
    hf_stack_free(w->b.stack);
    free(w->a.frames);
    free(w->b.frames);
    free(w->source);
    free(w->sink);
}

/** A link without hardware help sums the whole super-packet in the pass that copies. */
static void copy_and_sum(const struct hf_out_packet *p, uint8_t *frame)
{
    uint8_t *tcp = frame + p->ip_bytes;
    size_t tcp_bytes = p->header_bytes - p->ip_bytes, at = tcp_bytes;
    memcpy(frame, p->header, p->header_bytes);
    hf_sum sum = hf_sum_bytes(0, tcp, tcp_bytes); /* the pseudo-header's sum is in the field */
    for (uint16_t i = 0; i < p->slice_count; i++) {
        const struct hf_slice *slice = &p->slices[i];
        sum = hf_sum_join(sum, hf_sum_copy(0, tcp + at, slice->bytes, slice->length_bytes), at);
        at += slice->length_bytes;
    }
    uint16_t checksum = hf_sum_checksum(sum);
    tcp[p->checksum_offset] = (uint8_t)(checksum >> 8);
    tcp[p->checksum_offset + 1] = (uint8_t)checksum;
}

static void copy_frame(const struct hf_out_packet *p, uint8_t *frame)
{
    memcpy(frame, p->header, p->header_bytes);
    size_t at = p->header_bytes;
    for (uint16_t i = 0; i < p->slice_count; i++) {
        memcpy(frame + at, p->slices[i].bytes, p->slices[i].length_bytes);
        at += p->slices[i].length_bytes;
    }
}

/** Moves what an end wants to send into the link's buffers; how many packets. */
static size_t pull(struct bench *w, struct end *e)
{
    struct hf_out_packet out[BURST_PACKETS];
    size_t n = hf_stack_output(e->stack, out, BURST_PACKETS, w->now_ns);
    for (size_t i = 0; i < n; i++) {
        uint8_t *frame = e->frames + i * e->frame_bytes;
        bool fill_in = w->software_sum && (out[i].flags & HF_PACKET_CSUM_PARTIAL) != 0;
        if (fill_in)
            copy_and_sum(&out[i], frame);
        else
            copy_frame(&out[i], frame);
        e->packets[i] = (struct hf_packet){
            .bytes = frame,
            .length_bytes = out[i].length_bytes,
            .segment_bytes = out[i].segment_bytes,
            .flags = fill_in ? 0 : out[i].flags,
        };
    }
    w->packets += n;
    return n;
}

/** Carries one burst to the other end, whose answers come back after every batch. */
static size_t carry(struct bench *w, struct end *from, struct end *to)
{
    size_t n = pull(w, from);
    for (size_t i = 0; i < n; i += w->batch) {
        size_t k = n - i < w->batch ? n - i : w->batch;
        hf_stack_input(to->stack, from->packets + i, k, w->now_ns);
        size_t back = pull(w, to);
        if (back > 0)
            hf_stack_input(from->stack, to->packets, back, w->now_ns);
    }
    return n;
}

/** Until neither end has anything to send. */
static void carry_all(struct bench *w)
{
    while (carry(w, &w->a, &w->b) + carry(w, &w->b, &w->a) > 0)
        continue;
}

/** Moves the clock, and both ends' deadlines are kept as a loop around a stack keeps them. */
static void pass_time(struct bench *w, hf_ns span_ns)
{
    w->now_ns += span_ns;
    struct hf_stack *stacks[] = {w->a.stack, w->b.stack};
    for (size_t i = 0; i < 2; i++)
        if (hf_stack_deadline(stacks[i]) <= w->now_ns)
            while (hf_stack_expire(stacks[i], w->now_ns, 64))
                continue;
}

static void connect_from(struct bench *w, const struct hf_endpoint *from,
                         const struct hf_endpoint *to)
{
    struct hf_connect what = {.local = *from, .remote = *to};
    CHECK(hf_connect(w->a.stack, &what, &w->a_conn, w->now_ns) == HF_OK);
    carry_all(w);
    struct hf_event event;
    CHECK(hf_stack_event(w->a.stack, &event) && (event.bits & HF_EV_CONNECTED) != 0);
    CHECK(hf_stack_event(w->b.stack, &event) && (event.bits & HF_EV_ACCEPTED) != 0);
    w->b_conn = event.handle;
}

/* ---- lifecycle ----------------------------------------------------------------------------- */

/** One to one: different numbers become different, and look random. */
static uint32_t scatter(uint32_t x)
{
    x = (x ^ x >> 16) * 0x7feb352du;
    x = (x ^ x >> 15) * 0x846ca68bu;
    return x ^ x >> 16;
}

static void random_ends(struct bench *w, bool addresses, struct hf_endpoint *from,
                        struct hf_endpoint *to)
{
    *from = w->a.here;
    *to = w->b.here;
    do {
        uint32_t ports = scatter(++w->tuples);
        from->port = (uint16_t)(ports >> 16);
        to->port = (uint16_t)ports;
    } while (from->port == 0 || to->port == 0);
    if (!addresses)
        return;
    uint64_t r = next_random(w);
    from->addr = hf_addr_v4(10, (uint8_t)r, (uint8_t)(r >> 8), (uint8_t)(1 + (r >> 16) % 250));
    to->addr = hf_addr_v4(11, (uint8_t)(r >> 24), (uint8_t)(r >> 32), (uint8_t)(r >> 40));
}

static void expect_event(struct bench *w, struct end *e, uint32_t bits)
{
    (void)w;
    struct hf_event event;
    CHECK(hf_stack_event(e->stack, &event) && (event.bits & bits) == bits);
}

/** Three segments to open, four to close; A goes through TIME-WAIT. */
static void lifecycle_once(struct bench *w, bool addresses)
{
    struct hf_endpoint from, to;
    uint64_t packets = w->packets;
    random_ends(w, addresses, &from, &to);
    connect_from(w, &from, &to);
    CHECK(hf_close(w->a.stack, w->a_conn, w->now_ns) == HF_OK);
    carry_all(w);
    expect_event(w, &w->b, HF_EV_PEER_CLOSED);
    uint8_t byte;
    CHECK(hf_receive(w->b.stack, w->b_conn, &byte, 1, w->now_ns) == HF_E_END);
    CHECK(hf_close(w->b.stack, w->b_conn, w->now_ns) == HF_OK);
    carry_all(w);
    expect_event(w, &w->a, HF_EV_CLOSED);
    expect_event(w, &w->b, HF_EV_CLOSED);
    CHECK(w->packets == packets + 7);
    pass_time(w, w->round_ns);
}

static void lifecycle_open(struct bench *w, bool addresses)
{
    struct hf_config cfg;
    hf_config_init(&cfg, sizeof cfg);
    open_bench(w, &cfg);
    /* As many enter TIME-WAIT as leave it; the warm-up fills it. */
    w->round_ns = 2 * cfg.msl_ns / (LIVE_MOST * 3 / 4);
    for (unsigned i = 0; i < LIVE_MOST; i++)
        lifecycle_once(w, addresses);
    struct hf_stack_info info;
    hf_stack_info(w->a.stack, &info);
    CHECK(info.time_wait > LIVE_MOST / 2 && info.time_wait < LIVE_MOST && info.connections == 0);
}

static void ports_open(struct bench *w)
{
    lifecycle_open(w, false);
}

static void ports_run(struct bench *w, uint64_t operations)
{
    for (; operations > 0; operations--)
        lifecycle_once(w, false);
}

static void addresses_open(struct bench *w)
{
    lifecycle_open(w, true);
}

static void addresses_run(struct bench *w, uint64_t operations)
{
    for (; operations > 0; operations--)
        lifecycle_once(w, true);
}

/* ---- bulk ---------------------------------------------------------------------------------- */

/** Sends n bytes that were not sent before, and takes them out at the other end. */
static void transfer(struct bench *w, uint32_t n)
{
    const uint8_t *bytes = w->source + w->source_at;
    uint32_t received = 0;
    CHECK(hf_send(w->a.stack, w->a_conn, bytes, n, 0, w->now_ns) == n);
    while (received < n) {
        CHECK(carry(w, &w->a, &w->b) > 0);
        struct hf_event event;
        while (hf_stack_event(w->b.stack, &event)) {
            CHECK(event.bits == HF_EV_READABLE);
            for (;;) {
                int64_t got =
                    hf_receive(w->b.stack, w->b_conn, w->sink + received, SOURCE_BYTES, w->now_ns);
                if (got == HF_E_AGAIN)
                    break;
                CHECK(got > 0);
                received += (uint32_t)got;
            }
        }
        while (hf_stack_event(w->a.stack, &event))
            CHECK((event.bits & HF_EV_CLOSED) == 0);
    }
    CHECK(received == n && memcmp(w->sink, bytes, n) == 0);
    w->source_at = (w->source_at + SOURCE_STEP) % (SOURCE_BYTES / 2);
    pass_time(w, w->round_ns);
}

static void bulk_open(struct bench *w, const struct hf_config *cfg, uint32_t payload_bytes,
                      uint32_t batch)
{
    open_bench(w, cfg);
    w->payload_bytes = payload_bytes;
    w->batch = batch;
    struct hf_endpoint from = w->a.here, to = w->b.here;
    from.port = 40000;
    to.port = 80;
    connect_from(w, &from, &to);
    w->round_ns = HF_US(400);
    for (unsigned i = 0; i < 64; i++) /* past slow start and the quick ACKs */
        transfer(w, BURST_PACKETS * payload_bytes);
}

static void bulk_plain_open(struct bench *w)
{
    struct hf_config cfg;
    hf_config_init(&cfg, sizeof cfg);
    cfg.timestamps = 0;
    bulk_open(w, &cfg, 1460, 2);
}

static void bulk_timestamps_open(struct bench *w)
{
    struct hf_config cfg;
    hf_config_init(&cfg, sizeof cfg);
    bulk_open(w, &cfg, 1448, 2);
}

static void bulk_batch_open(struct bench *w)
{
    struct hf_config cfg;
    hf_config_init(&cfg, sizeof cfg);
    bulk_open(w, &cfg, 1448, BURST_PACKETS);
}

static void bulk_run(struct bench *w, uint64_t operations)
{
    uint64_t packets = w->packets;
    for (uint64_t done = 0; done < operations; done += BURST_PACKETS)
        transfer(w, BURST_PACKETS * w->payload_bytes);
    /* An ACK for each batch, and full segments only. */
    uint64_t expected = operations + operations / w->batch;
    CHECK(w->packets - packets >= expected && w->packets - packets <= expected + expected / 32);
}

static void super_open(struct bench *w, bool software_sum)
{
    struct hf_config cfg;
    hf_config_init(&cfg, sizeof cfg);
    cfg.offload_checksum = 1;
    cfg.offload_super_bytes = 65535;
    bulk_open(w, &cfg, 1448, BURST_PACKETS);
    w->software_sum = software_sum;
    w->payload_bytes = 45 * 1448; /* whole segments that fit in one packet */
}

static void super_facts_open(struct bench *w)
{
    super_open(w, false);
}

static void super_software_open(struct bench *w)
{
    super_open(w, true);
}

static void super_run(struct bench *w, uint64_t operations)
{
    uint64_t packets = w->packets;
    for (uint64_t i = 0; i < operations; i++)
        transfer(w, w->payload_bytes);
    CHECK(w->packets - packets <= 2 * operations + operations / 8); /* one, and its ACK */
}

/* ---- request and response ------------------------------------------------------------------ */

static void pass_byte(struct bench *w, struct end *from, hf_handle from_conn, struct end *to,
                      hf_handle to_conn, uint8_t byte)
{
    uint8_t got = (uint8_t)~byte;
    CHECK(hf_send(from->stack, from_conn, &byte, 1, 0, w->now_ns) == 1);
    carry(w, from, to);
    expect_event(w, to, HF_EV_READABLE);
    CHECK(hf_receive(to->stack, to_conn, &got, 1, w->now_ns) == 1 && got == byte);
    pass_time(w, w->round_ns);
}

static void rr_run(struct bench *w, uint64_t operations)
{
    uint64_t packets = w->packets;
    struct hf_event event;
    for (uint64_t i = 0; i < operations; i++) {
        pass_byte(w, &w->a, w->a_conn, &w->b, w->b_conn, (uint8_t)i);
        pass_byte(w, &w->b, w->b_conn, &w->a, w->a_conn, (uint8_t)(i + 1));
        while (hf_stack_event(w->b.stack, &event))
            CHECK((event.bits & HF_EV_CLOSED) == 0);
    }
    CHECK(w->packets - packets == 2 * operations); /* every ACK travels with data */
}

static void rr_open(struct bench *w)
{
    struct hf_config cfg;
    hf_config_init(&cfg, sizeof cfg);
    cfg.quick_acks = 0;
    open_bench(w, &cfg);
    struct hf_endpoint from = w->a.here, to = w->b.here;
    from.port = 40000;
    to.port = 80;
    connect_from(w, &from, &to);
    rr_run(w, 1000);
}

/* ---- memory -------------------------------------------------------------------------------- */

static uint64_t held_bytes(struct hf_stack *s)
{
    struct hf_stack_info info;
    hf_stack_trim(s);
    hf_stack_info(s, &info);
    return info.memory_bytes;
}

static void print_bytes(const char *kind, uint64_t bytes)
{
    printf("{\"case\":\"memory-%s\",\"value\":%.1f,\"unit\":\"bytes\",\"per\":\"entry\","
           "\"entries\":%d,\"address_family\":4}\n",
           kind, (double)bytes / MEMORY_ENTRIES, MEMORY_ENTRIES);
}

/** Opens one connection a port; closes them all: what each kind of entry adds to a stack. */
static void memory(void)
{
    struct hf_config cfg;
    struct bench w;
    hf_config_init(&cfg, sizeof cfg);
    open_bench(&w, &cfg);
    static hf_handle handles[MEMORY_ENTRIES];
    uint64_t empty_a = held_bytes(w.a.stack), empty_b = held_bytes(w.b.stack);
    struct hf_endpoint from = w.a.here, to = w.b.here;
    to.port = 80;
    for (unsigned i = 0; i < MEMORY_ENTRIES; i++) {
        from.port = (uint16_t)(1024 + i);
        connect_from(&w, &from, &to);
        handles[i] = w.a_conn;
    }
    print_bytes("established", held_bytes(w.b.stack) - empty_b);
    struct hf_event event;
    for (unsigned i = 0; i < MEMORY_ENTRIES; i++) {
        CHECK(hf_close(w.a.stack, handles[i], w.now_ns) == HF_OK);
        carry_all(&w);
        CHECK(hf_stack_event(w.b.stack, &event));
        CHECK(hf_close(w.b.stack, event.handle, w.now_ns) == HF_OK);
        carry_all(&w);
        expect_event(&w, &w.a, HF_EV_CLOSED);
        expect_event(&w, &w.b, HF_EV_CLOSED);
    }
    print_bytes("time-wait", held_bytes(w.a.stack) - empty_a);
    for (unsigned i = 0; i < MEMORY_ENTRIES; i++) { /* SYNs whose answer is lost */
        from.port = (uint16_t)(1024 + MEMORY_ENTRIES + i);
        struct hf_connect what = {.local = from, .remote = to};
        CHECK(hf_connect(w.a.stack, &what, &handles[i], w.now_ns) == HF_OK);
        size_t n = pull(&w, &w.a);
        hf_stack_input(w.b.stack, w.a.packets, n, w.now_ns);
        CHECK(pull(&w, &w.b) == 1);
    }
    print_bytes("half-open", held_bytes(w.b.stack) - empty_b);
    close_bench(&w);
}

/* ---- cases --------------------------------------------------------------------------------- */

struct bench_case {
    const char *name;
    const char *per; /* what an operation is */
    void (*open)(struct bench *w);
    void (*run)(struct bench *w, uint64_t operations);
    uint64_t counted, timed; /* operations of a run */
    uint32_t payload_bytes;  /* of an operation */
};

static const struct bench_case cases[] = {
    {"lifecycle", "connection", ports_open, ports_run, 4000, 50000, 0},
    {"lifecycle-addresses", "connection", addresses_open, addresses_run, 4000, 50000, 0},
    {"bulk", "segment", bulk_plain_open, bulk_run, 6400, 320000, 1460},
    {"bulk-timestamps", "segment", bulk_timestamps_open, bulk_run, 6400, 320000, 1448},
    {"bulk-batch", "segment", bulk_batch_open, bulk_run, 6400, 320000, 1448},
    {"bulk-super", "super-packet", super_facts_open, super_run, 400, 20000, 45 * 1448},
    {"bulk-super-software", "super-packet", super_software_open, super_run, 400, 20000, 45 * 1448},
    {"rr", "exchange", rr_open, rr_run, 4000, 200000, 2},
};
enum { CASES = sizeof cases / sizeof cases[0] };

static hf_ns clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return HF_SEC(t.tv_sec) + t.tv_nsec;
}

/** A fixed piece of work of dependent steps: how fast the machine is at this moment. */
static hf_ns reference_ns(void)
{
    hf_ns begin = clock_ns();
    volatile uint64_t x = 1;
    uint64_t y = x;
    for (unsigned i = 0; i < 20000000; i++)
        y = y * 6364136223846793005u + 1442695040888963407u;
    x = y;
    return clock_ns() - begin;
}

/** The quickest of some rounds, each beside the reference: the machine's speed drifts. */
static void time_case(const struct bench_case *c)
{
    struct bench w;
    double best = 0, reference = 0;
    c->open(&w);
    for (unsigned round = 0; round < TIMED_ROUNDS; round++) {
        hf_ns loop_ns = reference_ns(), begin = clock_ns();
        c->run(&w, c->timed);
        double each = (double)(clock_ns() - begin) / (double)c->timed;
        if (round == 0 || each / (double)loop_ns < best / reference) {
            best = each;
            reference = (double)loop_ns;
        }
    }
    close_bench(&w);
    printf("{\"case\":\"%s\",\"value\":%.1f,\"unit\":\"ns\",\"per\":\"%s\",\"operations\":%" PRIu64
           ",\"reference_ns\":%.0f",
           c->name, best, c->per, c->timed, reference);
    if (c->payload_bytes > 0)
        printf(",\"payload_bytes\":%" PRIu32 ",\"gbit_per_s\":%.2f", c->payload_bytes,
               8.0 * c->payload_bytes / best);
    printf("}\n");
    fflush(stdout);
}

static const struct bench_case *find_case(const char *name)
{
    for (size_t i = 0; i < CASES; i++)
        if (strcmp(cases[i].name, name) == 0)
            return &cases[i];
    return NULL;
}

static void list_cases(void)
{
    for (size_t i = 0; i < CASES; i++)
        printf("{\"case\":\"%s\",\"per\":\"%s\",\"operations\":%" PRIu64
               ",\"payload_bytes\":%" PRIu32 ",\"compiler\":\"%s\"}\n",
               cases[i].name, cases[i].per, cases[i].counted, cases[i].payload_bytes, __VERSION__);
}

static int usage(void)
{
    fprintf(stderr, "usage: bench_core [CASE...] | --list | --run CASE OPERATIONS\ncases: memory");
    for (size_t i = 0; i < CASES; i++)
        fprintf(stderr, " %s", cases[i].name);
    fprintf(stderr, "\n");
    return 2;
}

static int run_case(const char *name, const char *operations)
{
    const struct bench_case *c = find_case(name);
    char *end;
    unsigned long long n = strtoull(operations, &end, 10);
    if (c == NULL || *end != '\0')
        return usage();
    struct bench w;
    c->open(&w);
    c->run(&w, n);
    close_bench(&w);
    return 0;
}

static int time_cases(int count, char **names)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], "memory") != 0 && find_case(names[i]) == NULL)
            return usage();
    for (int i = 0; i < count; i++) {
        const struct bench_case *c = find_case(names[i]);
        if (c != NULL)
            time_case(c);
        else
            memory();
    }
    for (size_t i = 0; i < CASES && count == 0; i++)
        time_case(&cases[i]);
    if (count == 0)
        memory();
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--run") == 0)
        return run_case(argv[2], argv[3]);
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        list_cases();
        return 0;
    }
    return time_cases(argc - 1, argv + 1);
}
