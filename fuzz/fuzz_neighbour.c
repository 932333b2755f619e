/**
 * Fuzz target: a table of neighbours among any frames, packets and times. It must stay inside the
 * frames, send what is well-formed and no more than was asked for, and be quiet in bounded time.
 *
 * The input is a row of steps: two bytes each, what to do and how much, and the bytes of a frame.
 */
#include <stdlib.h>
#include <string.h>

#include "core/wire/ip.h"
#include "host/neighbour.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length_bytes);

enum { STEP_FRAME, STEP_FIND_V4, STEP_FIND_V6, STEP_DRAIN, STEP_PASS, STEPS, PACKET_BYTES = 60 };

static const uint8_t own_mac[HF_MAC_BYTES] = {2, 0, 0, 0, 0, 1};

struct table {
    struct hf_neighbours *n;
    hf_ns now_ns;
    uint64_t frames, found; /* that came, and packets that were to be sent */
};

static void drain(struct table *t)
{
    struct hf_ether_frame f;
    size_t count = 0;
    for (; hf_neighbours_output(t->n, &f); count++) {
        struct hf_resolve m;
        if (f.type == HF_ETHER_ARP)
            HF_ASSERT(hf_arp_read(f.packet.header, f.packet.header_bytes, &m) !=
                      HF_RESOLVE_MALFORMED);
        else if (f.packet.slice_count == 0)
            HF_ASSERT(hf_nd_read(f.packet.header, f.packet.header_bytes, false, &m) !=
                      HF_RESOLVE_MALFORMED);
        HF_ASSERT(f.packet.length_bytes <= HF_RESOLVE_MAX_BYTES);
        hf_neighbours_sent(t->n);
    }
    HF_ASSERT(count <= HF_NEIGHBOURS_WORDS_MAX + HF_NEIGHBOURS_MAX * HF_NEIGHBOUR_KEPT_MAX);
}

static void find(struct table *t, const struct hf_addr *to)
{
    uint8_t mac[HF_MAC_BYTES], header[40] = {0}, payload[PACKET_BYTES - sizeof header] = {0};
    const struct hf_slice slice = {payload, sizeof payload};
    const struct hf_out_packet p = {.header = header,
                                    .header_bytes = sizeof header,
                                    .slice_count = 1,
                                    .slices = &slice,
                                    .length_bytes = PACKET_BYTES};
    t->found++;
    enum hf_way way = hf_neighbours_find(t->n, to, t->now_ns, mac);
    if (way == HF_WAY_ASKED)
        hf_neighbours_keep(t->n, to, &p);
    HF_ASSERT(way != HF_WAY_KNOWN || (mac[0] & 1) == 0);
}

/* A frame of its own on the heap, so that a read beyond its end is seen. */
static void take_frame(struct table *t, const uint8_t *bytes, size_t n)
{
    uint8_t *frame = malloc(n + 1);
    HF_ASSERT(frame != NULL);
    memcpy(frame, bytes, n);
    t->frames++;
    (void)hf_neighbours_input(t->n, frame, n, (n & 1) != 0, t->now_ns);
    free(frame);
}

static void take_time(struct table *t, hf_ns span_ns)
{
    t->now_ns += span_ns;
    hf_neighbours_expire(t->n, t->now_ns);
    HF_ASSERT(hf_neighbours_deadline(t->n) > t->now_ns);
}

static void check_stats(const struct table *t)
{
    struct hf_ether_stats s;
    hf_neighbours_stats(t->n, &s);
    HF_ASSERT(s.answers <= t->frames + 2); /* two announcements */
    HF_ASSERT(s.questions <= 3 * (t->found + t->frames));
    HF_ASSERT(s.learned <= t->frames && s.packets_lost <= t->found);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length_bytes)
{
    const struct hf_ether_address own[] = {{hf_addr_v4(10, 9, 0, 2), 24},
                                           {{{0xfd, 9, [15] = 2}}, 64}};
    struct hf_neighbours_config cfg = {
        .addrs = own, .addr_count = 2, .gateway_v4 = hf_addr_v4(10, 9, 0, 1)};
    memcpy(cfg.mac, own_mac, sizeof cfg.mac);
    struct table t = {.n = hf_neighbours_new(&cfg), .now_ns = HF_SEC(1)};
    HF_ASSERT(t.n != NULL);
    for (size_t at = 0; at + 2 <= length_bytes;) {
        uint8_t step = bytes[at] % STEPS, much = bytes[at + 1];
        const struct hf_addr v4 = hf_addr_v4(much & 1 ? 10 : 11, 9, 0, much),
                             v6 = {{0xfd, 9, [15] = much}};
        size_t n = step == STEP_FRAME ? hf_min_size(much, length_bytes - at - 2) : 0;
        if (step == STEP_FRAME)
            take_frame(&t, bytes + at + 2, n);
        else if (step == STEP_FIND_V4 || step == STEP_FIND_V6)
            find(&t, step == STEP_FIND_V4 ? &v4 : &v6);
        else if (step == STEP_DRAIN)
            drain(&t);
        else
            take_time(&t, HF_MS(10) * much);
        at += 2 + n;
    }
    for (int i = 0; i < 4; i++)
        take_time(&t, HF_SEC(1)); /* what was asked is given up */
    HF_ASSERT(hf_neighbours_deadline(t.n) == HF_NEVER);
    check_stats(&t);
    drain(&t);
    hf_neighbours_free(t.n);
    return 0;
}
