/**
 * A path that takes smaller packets than both interfaces say: a router in the middle drops what is
 * too big and tells the sender by ICMP, as the Linux kernel and Handfast understand it [RFC1191]
 * [RFC8201]; and one that lies, which is not believed [RFC5927#7.2].
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/wire/icmp.h"
#include "support/interop_bench.h"

enum {
    BYTES = 500 * 1000,
    MTU_V4 = 1000,
    MTU_V6 = 1300,
    LIE_BEFORE = 40,
    LIE_BYTES = 700, /* of IPv4; IPv6 has a minimum */
    LIE_V6_BYTES = 1280,
    FRESH_MAX = 32,
    ERROR_MAX_BYTES = 512,
    V4_TOO_BIG_TYPE = 3,
    V4_TOO_BIG_CODE = 4,
    V6_TOO_BIG_TYPE = 2,
};

/* The router: a wrapper around the TUN. */
struct router {
    struct hf_link link;
    uint32_t mtu_bytes; /* 0: takes everything */
    uint32_t lies_left; /* counts down with packets from us; at 1 a lie is told; 0: no lies */
    uint32_t lie_bytes;
    struct hf_addr address;
    uint32_t too_big_out, too_big_in; /* packets from us and from the kernel */
    bool waits;                       /* an error for us */
    uint8_t error[ERROR_MAX_BYTES];
    size_t error_bytes;
};

static struct router *of(struct hf_link *l)
{
    return (struct router *)l;
}

/* An ICMP error about a packet whose first bytes are these; its length. */
static size_t make_error(const struct router *r, const uint8_t *packet, size_t n, uint32_t mtu,
                         uint8_t *bytes)
{
    struct hf_ip about;
    if (hf_ip_parse_quoted(packet, n, &about) != HF_NONE)
        return 0;
    size_t quote_bytes = hf_min_size(n, (size_t)about.header_bytes + 20);
    bool v4 = about.version == 4;
    const struct hf_ip ip = {
        .source = r->address,
        .destination = about.source,
        .version = about.version,
        .protocol = v4 ? HF_IP_PROTO_ICMP : HF_IP_PROTO_ICMPV6,
        .ttl = 64,
        .payload_bytes = (uint32_t)(HF_ICMP_HEADER_BYTES + quote_bytes),
    };
    size_t ip_bytes = hf_ip_emit(&ip, bytes);
    return ip_bytes + hf_icmp_emit_error(&ip, v4 ? V4_TOO_BIG_TYPE : V6_TOO_BIG_TYPE,
                                         v4 ? V4_TOO_BIG_CODE : 0, mtu, packet, quote_bytes,
                                         bytes + ip_bytes);
}

static void tell_us(struct router *r, const struct hf_out_packet *p, uint32_t mtu)
{
    if (r->waits)
        return;
    r->error_bytes = make_error(r, p->header, p->header_bytes, mtu, r->error);
    r->waits = r->error_bytes > 0;
}

static int router_send(struct hf_link *l, const struct hf_out_packet *packets, size_t n)
{
    struct router *r = of(l);
    for (size_t i = 0; i < n; i++) {
        if (r->mtu_bytes > 0 && packets[i].length_bytes > r->mtu_bytes) {
            r->too_big_out++;
            tell_us(r, &packets[i], r->mtu_bytes);
            continue;
        }
        if (hf_link_send(l->inner, &packets[i], 1) != 1)
            return (int)i;
        bool full = packets[i].length_bytes > 1400;
        if (r->lies_left > 0 && full && --r->lies_left == 0)
            tell_us(r, &packets[i], r->lie_bytes);
    }
    return (int)n;
}

static void tell_kernel(struct router *r, const struct hf_packet *p)
{
    uint8_t bytes[ERROR_MAX_BYTES];
    size_t n = make_error(r, p->bytes, p->length_bytes, r->mtu_bytes, bytes);
    const struct hf_out_packet error = {
        .header = bytes, .header_bytes = (uint16_t)n, .length_bytes = (uint32_t)n};
    r->too_big_in++;
    if (n > 0)
        (void)!hf_link_send(r->link.inner, &error, 1);
}

static int router_receive(struct hf_link *l, struct hf_packet *packets, size_t max)
{
    struct router *r = of(l);
    struct hf_packet fresh[FRESH_MAX];
    size_t n = 0;
    if (r->waits) {
        r->waits = false;
        packets[n++] =
            (struct hf_packet){.bytes = r->error, .length_bytes = (uint32_t)r->error_bytes};
    }
    int got = hf_link_receive(l->inner, fresh, hf_min_size(max - n, FRESH_MAX));
    for (int i = 0; i < got; i++) {
        if (r->mtu_bytes > 0 && fresh[i].length_bytes > r->mtu_bytes)
            tell_kernel(r, &fresh[i]);
        else
            packets[n++] = fresh[i];
    }
    return got < 0 && n == 0 ? got : (int)n;
}

static hf_ns router_deadline(const struct hf_link *l)
{
    return ((const struct router *)l)->waits ? 0 : hf_link_deadline(l->inner);
}

static void router_close(struct hf_link *l)
{
    free(l);
}

static const struct hf_link_ops router_ops = {.receive = router_receive,
                                              .send = router_send,
                                              .deadline = router_deadline,
                                              .close = router_close};

/* ctx is a template of the router; it gets the address of the real one. */
static struct hf_link *put_router(struct hf_link *inner, void *ctx)
{
    struct router **template = ctx;
    struct router *r = malloc(sizeof *r);
    assert_non_null(r);
    *r = **template;
    r->link = (struct hf_link){.ops = &router_ops, .inner = inner};
    *template = r;
    return &r->link;
}

static struct router *open_place(struct interop_bench *b, struct router *template)
{
    struct router *r = template;
    r->address = b->v6 ? (struct hf_addr){{0xfd, 9, [15] = 9}} : hf_addr_v4(10, 9, 0, 9);
    bench_open_plain(b, NULL, put_router, &r);
    return r;
}

static bool all_came(const struct interop *w)
{
    return w->theirs[0].received >= w->theirs[0].plan.expect_bytes &&
           w->ours[0].received >= w->ours[0].plan.expect_bytes;
}

static uint32_t path_mtu(const struct interop_bench *b)
{
    struct hf_info info;
    assert_int_equal(HF_OK, hf_info(b->w->stack, b->ours->handle, &info));
    return info.path_mtu_bytes;
}

static void our_packets_are_too_big(void **state)
{
    struct interop_bench *b = *state;
    struct router template = {.mtu_bytes = b->v6 ? MTU_V6 : MTU_V4};
    const struct interop_plan ours = {.send_bytes = BYTES, .ending = ENDING_NONE};
    const struct interop_plan theirs = {.expect_bytes = BYTES, .ending = ENDING_NONE};
    const struct router *r = open_place(b, &template);
    bench_connect(b, &ours, &theirs);
    bench_until(b, all_came, HF_SEC(10));
    assert_false(b->w->wrong_data);
    assert_int_equal(r->mtu_bytes, path_mtu(b));
    assert_in_range(r->too_big_out, 1, 10); /* the initial window at most */
    assert_int_equal(1, hf_stack_count(b->w->stack, HF_ICMP_TOO_BIG));
    assert_int_equal(0, hf_stack_count(b->w->stack, HF_TIMER_RTO)); /* no time was lost */
}

static int kernel_path_mtu(const struct interop_bench *b)
{
    int mtu = 0;
    socklen_t n = sizeof mtu;
    (void)getsockopt(b->theirs->fd, b->v6 ? IPPROTO_IPV6 : IPPROTO_IP, b->v6 ? IPV6_MTU : IP_MTU,
                     &mtu, &n);
    return mtu;
}

static void the_kernels_packets_are_too_big(void **state)
{
    struct interop_bench *b = *state;
    struct router template = {.mtu_bytes = b->v6 ? MTU_V6 : MTU_V4};
    const struct interop_plan ours = {.expect_bytes = BYTES, .ending = ENDING_NONE};
    const struct interop_plan theirs = {.send_bytes = BYTES, .ending = ENDING_NONE};
    const struct router *r = open_place(b, &template);
    bench_connect(b, &ours, &theirs);
    bench_until(b, all_came, HF_SEC(10));
    assert_false(b->w->wrong_data);
    assert_int_equal(r->mtu_bytes, kernel_path_mtu(b));
    assert_true(r->too_big_in > 0);
    assert_int_equal(0, r->too_big_out);
}

/* Packets of the full size have arrived: the claim waits for a time-out that never comes. */
static void a_lie_is_not_believed(void **state)
{
    struct interop_bench *b = *state;
    struct router template = {.lies_left = LIE_BEFORE,
                              .lie_bytes = b->v6 ? LIE_V6_BYTES : LIE_BYTES};
    const struct interop_plan ours = {.send_bytes = BYTES, .ending = ENDING_NONE};
    const struct interop_plan theirs = {.expect_bytes = BYTES, .ending = ENDING_NONE};
    const struct router *r = open_place(b, &template);
    bench_connect(b, &ours, &theirs);
    bench_until(b, all_came, HF_SEC(10));
    assert_false(b->w->wrong_data);
    assert_int_equal(0, r->lies_left); /* it was told */
    assert_int_equal(1, hf_stack_count(b->w->stack, HF_ICMP_TOO_BIG_PENDING));
    assert_int_equal(0, hf_stack_count(b->w->stack, HF_ICMP_TOO_BIG));
    assert_int_equal(1500, path_mtu(b));
}

int main(void)
{
    static const struct interop_bench_test tests[] = {
        BENCH_TEST(our_packets_are_too_big),
        BENCH_TEST(the_kernels_packets_are_too_big),
        BENCH_TEST(a_lie_is_not_believed),
    };
    return bench_run_all("path MTU", tests, sizeof tests / sizeof tests[0]);
}
