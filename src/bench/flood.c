/**
 * SYNs from addresses that answer nothing: in bursts of 32, each from another one.
 */
#include "bench/flood.h"

#include <string.h>

#include "core/wire/ip.h"
#include "core/wire/tcp.h"

enum {
    IP_SUM_AT = 10,
    SOURCE_AT = 12, /* of the IP header; what follows counts from the packet's begin too */
    PORT_AT = HF_IPV4_HEADER_BYTES,
    SEQ_AT = HF_IPV4_HEADER_BYTES + 4,
    SUM_AT = HF_IPV4_HEADER_BYTES + 16,
    WINDOW = 64240,
    MSS = 1460,
    WSCALE = 7,
    PACE_NS = 300, /* virtual, from one to the next */
    WARM_UP = 80000,
};

/** Makes the SYN that all others are made from, as Linux sends it: source, port and number are 0,
 *  the sums those of the rest. */
static void make_template(struct hf_bench *w)
{
    struct hf_bench_syn *syn = &w->syn;
    struct hf_segment seg = {
        .destination_port = 80,
        .flags = HF_SYN,
        .window = WINDOW,
        .has_mss = true,
        .mss_bytes = MSS,
        .has_sack_permitted = true,
        .has_timestamps = true,
        .ts_value = 1,
        .has_wscale = true,
        .wscale = WSCALE,
    };
    uint8_t tcp[HF_TCP_HEADER_MAX_BYTES];
    size_t tcp_bytes = hf_tcp_emit(&seg, HF_LAYOUT_LINUX, tcp);
    struct hf_ip ip = {
        .source = hf_addr_v4(0, 0, 0, 0),
        .destination = w->pair.b.here.addr,
        .version = 4,
        .protocol = HF_IP_PROTO_TCP,
        .ttl = 64,
        .payload_bytes = (uint32_t)tcp_bytes,
    };
    size_t ip_bytes = hf_ip_emit(&ip, syn->bytes);
    HF_BENCH_CHECK(ip_bytes + tcp_bytes <= sizeof syn->bytes);
    memcpy(syn->bytes + ip_bytes, tcp, tcp_bytes);
    syn->length_bytes = (uint32_t)(ip_bytes + tcp_bytes);
    syn->ip_sum = (uint16_t)~hf_get16(syn->bytes + IP_SUM_AT);
    hf_sum sum = hf_ip_pseudo_sum(&ip.source, &ip.destination, ip.protocol, ip.payload_bytes);
    syn->tcp_sum = (uint16_t)~hf_sum_checksum(hf_sum_bytes(sum, tcp, tcp_bytes));
}

static uint16_t fold(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t) ~((sum & 0xffff) + (sum >> 16));
}

/** One from another address, of another port, with another number. */
static void make_syn(struct hf_bench *w, uint8_t *bytes)
{
    const struct hf_bench_syn *syn = &w->syn;
    uint64_t r = hf_bench_random(&w->pair);
    uint16_t net = (uint16_t)(11 << 8 | (r & 0xff)), host = (uint16_t)(1 + (r >> 8) % 0xfffe);
    uint16_t port = (uint16_t)(1 + (r >> 24) % 0xffff);
    uint16_t high = (uint16_t)(r >> 32), low = (uint16_t)(r >> 48);
    memcpy(bytes, syn->bytes, syn->length_bytes);
    hf_put16(bytes + SOURCE_AT, net);
    hf_put16(bytes + SOURCE_AT + 2, host);
    hf_put16(bytes + IP_SUM_AT, fold((uint32_t)syn->ip_sum + net + host));
    hf_put16(bytes + PORT_AT, port);
    hf_put16(bytes + SEQ_AT, high);
    hf_put16(bytes + SEQ_AT + 2, low);
    hf_put16(bytes + SUM_AT, fold((uint32_t)syn->tcp_sum + net + host + port + high + low));
}

struct hf_packet hf_bench_flood_syn(struct hf_bench *w, unsigned n)
{
    make_syn(w, w->syn.burst[n]);
    return (struct hf_packet){w->syn.burst[n], w->syn.length_bytes, 0, 0};
}

void hf_bench_flood_burst(struct hf_bench *w)
{
    struct hf_packet packets[HF_BENCH_BURST];
    for (unsigned i = 0; i < HF_BENCH_BURST; i++)
        packets[i] = hf_bench_flood_syn(w, i);
    hf_stack_input(w->pair.b.stack, packets, HF_BENCH_BURST, w->pair.now_ns);
}

bool hf_bench_flood_is_full(const struct hf_bench *w)
{
    struct hf_stack_info info;
    struct hf_config cfg;
    hf_config_init(&cfg, sizeof cfg);
    hf_stack_info(w->pair.b.stack, &info);
    HF_BENCH_CHECK(hf_stack_count(w->pair.b.stack, HF_DROP_REPLY_RING) == 0);
    return info.half_open == (w->setup.cookies ? 0 : (uint32_t)cfg.max_half_open);
}

/** The answers go nowhere: each SYN has one. */
static uint64_t run_flood(struct hf_bench *w, uint64_t operations)
{
    uint64_t done = 0;
    for (; done < operations; done += HF_BENCH_BURST) {
        hf_bench_flood_burst(w);
        HF_BENCH_CHECK(hf_bench_pull(&w->pair, &w->pair.b) == HF_BENCH_BURST);
        hf_bench_pass(&w->pair, (hf_ns)HF_BENCH_BURST * PACE_NS);
    }
    return done;
}

void hf_bench_flood_open(struct hf_bench *w)
{
    struct hf_config cfg;
    hf_config_init(&cfg, sizeof cfg);
    cfg.syn_cookies = w->setup.cookies ? 2 : 1;
    cfg.rto_initial_ns = cfg.rto_max_ns; /* entries do not answer again while it lasts */
    hf_bench_pair_open(&w->pair, &cfg, false);
    make_template(w);
}

static void open_flood(struct hf_bench *w)
{
    hf_bench_flood_open(w);
    (void)run_flood(w, WARM_UP);
    HF_BENCH_CHECK(hf_bench_flood_is_full(w));
}

const struct hf_bench_case hf_bench_flood = {
    .name = "flood",
    .line = "a SYN from an address that answers nothing",
    .per = "SYN",
    .knows = HF_BENCH_COOKIES,
    .open = open_flood,
    .run = run_flood,
    .counted = 16000,
    .timed = 640000,
};
