/**
 * The two stacks and what carries packets between them.
 */
#include "bench/pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/wire/ip.h"

enum {
    FRAME_BYTES = 1536, /* room for a packet on the link: of segments, of super-packets */
    SUPER_FRAME_BYTES = 65536 + 64,
    FIRST_PORT = 1024,
    PORTS = 64000, /* of an address */
    SERVICE_PORT = 80,
    PREFIX_BITS = 8, /* of the addresses of an end */
};

_Noreturn void hf_bench_broken(const char *file, int line, const char *what)
{
    fprintf(stderr, "handfast bench: %s:%d: %s does not hold\n", file, line, what);
    exit(1);
}

void hf_bench_must(int err)
{
    if (err == HF_OK)
        return;
    fprintf(stderr, "handfast bench: %s\n", hf_err_text(err));
    exit(1);
}

void *hf_bench_memory(size_t count, size_t each_bytes)
{
    void *p = calloc(count, each_bytes);
    if (p == NULL && count > 0) {
        fprintf(stderr, "handfast bench: no memory for %zu times %zu bytes\n", count, each_bytes);
        exit(1);
    }
    return p;
}

static void *reallocate(void *ctx, void *ptr, size_t old_bytes, size_t new_bytes)
{
    struct hf_bench_end *e = ctx;
    if (new_bytes > old_bytes)
        e->allocations++;
    if (new_bytes > 0)
        return realloc(ptr, new_bytes);
    free(ptr);
    return NULL;
}

uint64_t hf_bench_random(struct hf_bench_pair *w)
{
    uint64_t z = w->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* ---- opening and closing ------------------------------------------------------------------- */

void hf_bench_config(struct hf_config *cfg, uint32_t entries)
{
    hf_config_init(cfg, sizeof *cfg);
    cfg->max_connections = (int64_t)entries + 1;
    cfg->max_half_open = (int64_t)entries + 1;
    cfg->max_time_wait = (int64_t)entries + 1;
}

static struct hf_addr address(bool v6, uint32_t host)
{
    if (!v6)
        return hf_addr_v4(10, (uint8_t)(host >> 16), (uint8_t)(host >> 8), (uint8_t)host);
    struct hf_addr a = {.octets = {[0] = 0xfd}};
    hf_put32(a.octets + 12, host);
    return a;
}

static void open_end(struct hf_bench_pair *w, struct hf_bench_end *e, const struct hf_config *cfg,
                     uint8_t number)
{
    struct hf_env env = {.realloc = reallocate, .realloc_ctx = e};
    memset(env.seed, number, sizeof env.seed);
    e->here.addr = address(w->v6, number);
    hf_bench_must(hf_stack_new(&e->stack, cfg, &env, 0));
    hf_bench_must(hf_stack_add_address(e->stack, &e->here.addr, PREFIX_BITS));
    e->frame_bytes = cfg->offload_super_bytes > 0 ? SUPER_FRAME_BYTES : FRAME_BYTES;
    e->frames = hf_bench_memory(HF_BENCH_BURST, e->frame_bytes);
}

void hf_bench_pair_open(struct hf_bench_pair *w, const struct hf_config *cfg, bool v6)
{
    *w = (struct hf_bench_pair){
        .random = 1, .batch = HF_BENCH_BURST, .round_ns = HF_US(20), .v6 = v6};
    open_end(w, &w->a, cfg, 1);
    open_end(w, &w->b, cfg, 2);
    w->source = hf_bench_memory(HF_BENCH_SOURCE_BYTES, 1);
    w->sink = hf_bench_memory(HF_BENCH_SOURCE_BYTES, 1);
    for (size_t i = 0; i < HF_BENCH_SOURCE_BYTES; i += 8) {
        uint64_t word = hf_bench_random(w);
        memcpy(w->source + i, &word, 8);
    }
    struct hf_listen any = {.addr = HF_ADDR_ANY};
    hf_handle listener;
    HF_BENCH_CHECK(hf_listen(w->b.stack, &any, &listener, 0) == HF_OK);
}

void hf_bench_pair_close(struct hf_bench_pair *w)
{
    hf_stack_free(w->a.stack);
    hf_stack_free(w->b.stack);
    free(w->a.frames);
    free(w->b.frames);
    free(w->source);
    free(w->sink);
}

/* ---- the link ------------------------------------------------------------------------------ */

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
    hf_put16(tcp + p->checksum_offset, hf_sum_checksum(sum));
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

size_t hf_bench_pull(struct hf_bench_pair *w, struct hf_bench_end *e)
{
    struct hf_out_packet out[HF_BENCH_BURST];
    size_t n = hf_stack_output(e->stack, out, HF_BENCH_BURST, w->now_ns);
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

size_t hf_bench_carry(struct hf_bench_pair *w, struct hf_bench_end *from, struct hf_bench_end *to)
{
    size_t n = hf_bench_pull(w, from);
    for (size_t i = 0; i < n; i += w->batch) {
        size_t k = n - i < w->batch ? n - i : w->batch;
        hf_stack_input(to->stack, from->packets + i, k, w->now_ns);
        size_t back = hf_bench_pull(w, to);
        if (back > 0)
            hf_stack_input(from->stack, to->packets, back, w->now_ns);
    }
    return n;
}

void hf_bench_carry_all(struct hf_bench_pair *w)
{
    do {
        while (hf_bench_carry(w, &w->a, &w->b) > 0)
            continue;
    } while (hf_bench_carry(w, &w->b, &w->a) > 0);
}

void hf_bench_pass(struct hf_bench_pair *w, hf_ns span_ns)
{
    w->now_ns += span_ns;
    struct hf_stack *stacks[] = {w->a.stack, w->b.stack};
    for (size_t i = 0; i < 2; i++)
        if (hf_stack_deadline(stacks[i]) <= w->now_ns)
            while (hf_stack_expire(stacks[i], w->now_ns, HF_BENCH_EXPIRED))
                continue;
}

hf_ns hf_bench_expire(const struct hf_bench_pair *w, struct hf_bench_end *e)
{
    hf_ns longest_ns = 0;
    for (bool more = true; more;) {
        hf_ns began_ns = hf_bench_clock_ns();
        more = hf_stack_expire(e->stack, w->now_ns, HF_BENCH_EXPIRED);
        hf_ns took_ns = hf_bench_clock_ns() - began_ns;
        longest_ns = took_ns > longest_ns ? took_ns : longest_ns;
    }
    return longest_ns;
}

/* ---- connections --------------------------------------------------------------------------- */

void hf_bench_connect(struct hf_bench_pair *w, const struct hf_endpoint *from,
                      const struct hf_endpoint *to, hf_handle *a, hf_handle *b)
{
    struct hf_connect what = {.local = *from, .remote = *to};
    hf_bench_must(hf_connect(w->a.stack, &what, a, w->now_ns));
    hf_bench_carry_all(w);
    struct hf_event event;
    HF_BENCH_CHECK(hf_stack_event(w->a.stack, &event) && (event.bits & HF_EV_CONNECTED) != 0);
    HF_BENCH_CHECK(hf_stack_event(w->b.stack, &event) && (event.bits & HF_EV_ACCEPTED) != 0);
    *b = event.handle;
}

void hf_bench_disconnect(struct hf_bench_pair *w, hf_handle a, hf_handle b)
{
    HF_BENCH_CHECK(hf_close(w->a.stack, a, w->now_ns) == HF_OK);
    hf_bench_carry_all(w);
    HF_BENCH_CHECK(hf_close(w->b.stack, b, w->now_ns) == HF_OK);
    hf_bench_carry_all(w);
    struct hf_event event;
    while (hf_stack_event(w->a.stack, &event) || hf_stack_event(w->b.stack, &event))
        HF_BENCH_CHECK((event.bits & (HF_EV_CLOSED | HF_EV_PEER_CLOSED)) != 0);
}

void hf_bench_ends(const struct hf_bench_pair *w, uint32_t n, struct hf_endpoint *from,
                   struct hf_endpoint *to)
{
    *from = (struct hf_endpoint){address(w->v6, 3 + n / PORTS), (uint16_t)(FIRST_PORT + n % PORTS)};
    *to = (struct hf_endpoint){w->b.here.addr, SERVICE_PORT};
}

void hf_bench_expect(struct hf_bench_end *e, uint32_t bits)
{
    struct hf_event event;
    HF_BENCH_CHECK(hf_stack_event(e->stack, &event) && (event.bits & bits) == bits);
}

hf_ns hf_bench_clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return HF_SEC(t.tv_sec) + t.tv_nsec;
}
