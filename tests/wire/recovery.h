/**
 * A connection whose round trip takes 100 ms, with ten segments of 1000 bytes to begin with: what
 * tests of loss recovery start from. It was opened by the stack; numbers count from the first byte
 * of data on. Reno, no pacing, and no loss probe unless the test asks for it.
 */
#ifndef HF_TESTS_WIRE_RECOVERY_H
#define HF_TESTS_WIRE_RECOVERY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/wire_calls.h"

enum { SEG = 1000 };
/** What the peer agrees to. */
enum { WITH_SACK = 1, WITH_STAMPS = 2 };
#define RTT_NS HF_MS(100)

static inline void recovery_config(struct hf_config *config)
{
    hf_config_profile(config, sizeof *config, HF_PROFILE_RFC);
    config->initial_window_segs = 10;
    config->congestion_control = 1;
    config->loss_probe = 0;
}

/** trace hears what the stack does; or NULL. */
static inline void recovery_open_traced(struct wire *w, const struct hf_config *config,
                                        unsigned with, hf_trace_fn *trace, void *trace_ctx)
{
    *w = (struct wire){.setup = {.state = HF_ESTABLISHED, .config = config}};
    struct hf_rig_config rig = {.config = config,
                                .seed = 6,
                                .start_ns = HF_SEC(10),
                                .cut = true,
                                .trace = trace,
                                .trace_ctx = trace_ctx};
    assert_int_equal(hf_rig_open(&w->rig, &rig), HF_OK);
    hf_peer_open(&w->peer, &w->rig, false, WIRE_PEER_PORT, 5000, 1000);
    struct hf_connect what = {.local = {.port = 5000}, .remote = w->peer.here};
    assert_int_equal(hf_connect(w->rig.stack, &what, &w->conn, w->rig.now_ns), HF_OK);
    hf_rig_pull(&w->rig);
    hf_rig_wait(&w->rig, RTT_NS);
    w->peer.timestamps = with & WITH_STAMPS;
    char options[64];
    snprintf(options, sizeof options, "<mss %d%s%s>", with & WITH_STAMPS ? SEG + 12 : SEG,
             with & WITH_SACK ? ",sackOK" : "", with & WITH_STAMPS ? ",TS" : "");
    assert_true(hf_peer_accept(&w->peer, options));
    wire_rebase(w);
    wire_events(w, NULL);
    w->start_ns = w->rig.now_ns;
    if (config->congestion_control != 0)
        assert_int_equal(wire_info(w).cwnd_bytes, config->initial_window_segs * SEG);
}

static inline void recovery_open(struct wire *w, const struct hf_config *config, unsigned with)
{
    recovery_open_traced(w, config, with, NULL, NULL);
}

/** Writes segments; how many left at once is known. */
static inline void send_segs(struct wire *w, uint32_t written, size_t leave)
{
    wire_send(w, written * SEG, 0);
    assert_int_equal(hf_peer_skip(&w->peer), leave);
}

/** An ACK of all before `ack`, with blocks as "2000:3000,5000:6000" ("" or NULL: none). */
static inline void tell(struct wire *w, uint32_t ack, const char *blocks)
{
    char text[160];
    int n = snprintf(text, sizeof text, ". seq 0 ack %u <%s", ack, w->peer.timestamps ? "TS," : "");
    while (blocks != NULL && *blocks != '\0') {
        size_t length = strcspn(blocks, ",");
        n += snprintf(text + n, sizeof text - (size_t)n, "sack %.*s,", (int)length, blocks);
        blocks += length + (blocks[length] == ',');
    }
    if (text[n - 1] == ',')
        n--;
    snprintf(text + n, sizeof text - (size_t)n, ">");
    hf_peer_send(&w->peer, text);
}

/** Fails the test unless the next segment holds these bytes, whatever its flags. */
#define EXPECT_BYTES(w, begin, end) expect_bytes((w), (begin), (end), __LINE__)
static inline void expect_bytes(struct wire *w, uint32_t begin, uint32_t end, int line)
{
    if (!hf_peer_pop(&w->peer))
        fail_msg("line %d: expected %u:%u, but nothing was sent", line, begin, end);
    const struct hf_segment *seg = &w->peer.last.segment;
    uint32_t from = seg->seq - w->peer.irs;
    if (from != begin || from + seg->payload_bytes != end)
        fail_msg("line %d: expected %u:%u, got %u:%u", line, begin, end, from,
                 from + seg->payload_bytes);
}

/** The same, and it leaves this long after the connection was opened. */
#define EXPECT_BYTES_AT(w, at_ns, begin, end)                                                      \
    expect_bytes_at((w), (at_ns), (begin), (end), __LINE__)
static inline void expect_bytes_at(struct wire *w, hf_ns at_ns, uint32_t begin, uint32_t end,
                                   int line)
{
    hf_ns sent_ns = wire_until_sent(w, at_ns + HF_MS(1));
    if (!wire_is_about(sent_ns, at_ns))
        fail_msg("line %d: expected %u:%u after %.6f s, sent after %.6f s", line, begin, end,
                 (double)at_ns / 1e9, sent_ns == HF_NEVER ? -1.0 : (double)sent_ns / 1e9);
    expect_bytes(w, begin, end, line);
}

static inline uint32_t flights(const struct wire *w)
{
    struct hf_stack_info info;
    hf_stack_info(w->rig.stack, &info);
    return info.flights;
}

/** Now, counted from the opening. */
static inline hf_ns since_start(const struct wire *w)
{
    return w->rig.now_ns - w->start_ns;
}

static inline void wait_rtt(struct wire *w)
{
    hf_rig_wait(&w->rig, RTT_NS);
}

static inline void check_windows(const struct wire *w, uint32_t cwnd_bytes, uint32_t ssthresh_bytes)
{
    struct hf_info info = wire_info(w);
    assert_int_equal(info.cwnd_bytes, cwnd_bytes);
    assert_int_equal(info.ssthresh_bytes, ssthresh_bytes);
}

static inline uint64_t counted(const struct wire *w, enum hf_reason reason)
{
    return hf_stack_count(w->rig.stack, reason);
}

/** recovery_open with a window of twenty segments, still in slow start. */
static inline void recovery_open_twenty(struct wire *w, const struct hf_config *config,
                                        unsigned with)
{
    recovery_open(w, config, with);
    send_segs(w, 10, 10);
    wait_rtt(w);
    for (uint32_t n = 1; n <= 10; n++)
        tell(w, n * SEG, NULL);
    assert_int_equal(wire_info(w).cwnd_bytes, 20 * SEG);
    wire_rebase(w);
    w->start_ns = w->rig.now_ns;
}

#endif
