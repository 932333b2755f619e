/**
 * Packets of a script that runs: the one live flow, what comes in, what is expected.
 */
#include "run_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/base.h"
#include "flow.h"

enum { PACKET_MAX_BYTES = 65535 + 40 };

/** How long past its time a packet is waited for; and one with any time at all. */
#define PATIENCE_NS HF_SEC(2)
#define LONG_PATIENCE_NS HF_SEC(86400)

/* ---- the live flow ------------------------------------------------------------------------ */

static void begin_flow(struct hf_run *run, enum hf_run_flow kind, uint16_t local_port,
                       uint16_t remote_port)
{
    struct hf_endpoint local = {run->options->local, local_port};
    struct hf_endpoint remote = {run->options->remote, remote_port};
    run->flow_kind = kind;
    hf_flow_begin(&run->flow, &local, &remote, remote_port != 0);
}

void hf_run_follow_call(struct hf_run *run, const struct hf_script_call *call,
                        const struct hf_call_result *result, bool is_first_try)
{
    const struct hf_drill_options *o = run->options;
    if (strcmp(call->name, "socket") == 0 && result->fd >= 0) {
        run->live_fd = result->fd;
        run->is_bound = false;
        begin_flow(run, HF_RUN_FLOW_PASSIVE, o->bind_port, 0);
    } else if (strcmp(call->name, "bind") == 0 && result->value == 0) {
        run->is_bound = true;
    } else if (strcmp(call->name, "accept") == 0 && result->fd >= 0) {
        run->live_fd = result->fd;
    } else if (strcmp(call->name, "connect") == 0 && is_first_try) {
        bool is_dissolved = hf_call_has_word(call, 1, "AF_UNSPEC");
        if (is_dissolved)
            begin_flow(run, HF_RUN_FLOW_PASSIVE, o->bind_port, 0);
        else if (run->flow_kind != HF_RUN_FLOW_ACTIVE)
            begin_flow(run, HF_RUN_FLOW_ACTIVE, run->is_bound ? o->bind_port : 0, o->connect_port);
    }
}

/** The local port of a connect() shows in its SYN; a SYN from elsewhere is a new attempt. */
static void learn_flow(struct hf_run *run, const struct hf_logged *packet)
{
    struct hf_ip ip;
    struct hf_segment segment;
    if (run->flow_kind != HF_RUN_FLOW_ACTIVE ||
        hf_ip_parse(packet->bytes, packet->length_bytes, &ip) != HF_NONE ||
        ip.protocol != HF_IP_PROTO_TCP ||
        hf_tcp_parse(packet->bytes + ip.header_bytes, ip.payload_bytes, &segment) != HF_NONE)
        return;
    bool opens = (segment.flags & (HF_SYN | HF_ACK)) == HF_SYN;
    bool is_new = segment.source_port != run->flow.local.port ||
                  (run->flow.local_iss_known && segment.seq != run->flow.local_iss);
    if (opens && is_new && segment.destination_port == run->options->connect_port)
        begin_flow(run, HF_RUN_FLOW_ACTIVE, segment.source_port, run->options->connect_port);
}

/** The next packet of the live flow that the script has not come to. */
static const struct hf_logged *next_packet(struct hf_run *run)
{
    const struct hf_logged *packet;
    while ((packet = hf_log_next(&run->result->log)) != NULL) {
        learn_flow(run, packet);
        if (hf_flow_has(&run->flow, packet->bytes, packet->length_bytes))
            return packet;
    }
    return NULL;
}

/* ---- in ----------------------------------------------------------------------------------- */

/** What the log can't keep does not go in: a report would show another course of things. */
static bool inject(struct hf_run *run, const uint8_t *bytes, uint32_t length_bytes)
{
    if (!hf_log_add(&run->result->log, hf_run_now(run), false, bytes, length_bytes))
        return false;
    run->target->calls->inject(run->target->self, bytes, length_bytes);
    return true;
}

void hf_run_inbound(struct hf_run *run)
{
    uint8_t bytes[PACKET_MAX_BYTES];
    char fault[HF_MISMATCH_BYTES];
    const struct hf_script_event *e = run->event;
    if (!run->flow.remote_is_known)
        begin_flow(run, HF_RUN_FLOW_PASSIVE, run->options->bind_port, run->next_port++);
    size_t n = hf_flow_build(&run->flow, &e->packet, bytes, sizeof bytes, fault);
    if (n > 0 && inject(run, bytes, (uint32_t)n))
        return;
    hf_script_packet_text(&e->packet, run->result->expected, sizeof run->result->expected);
    if (n > 0)
        snprintf(run->result->got, sizeof run->result->got, "too many packets to keep");
    else
        snprintf(run->result->got, sizeof run->result->got, "it can't be built: %s", fault);
    hf_run_fail(run, e->place);
}

/* ---- out ---------------------------------------------------------------------------------- */

static void expect_event(struct hf_run *run)
{
    size_t capacity = sizeof run->result->expected;
    char *text = run->result->expected;
    hf_script_packet_text(&run->event->packet, text, capacity);
    size_t used = strlen(text);
    if (run->event->time.kind != HF_SCRIPT_TIME_ANY)
        snprintf(text + used, capacity - used, " at %.6f s", (double)run->due_ns / 1e9);
}

static void fail_missing(struct hf_run *run)
{
    expect_event(run);
    snprintf(run->result->got, sizeof run->result->got, "nothing until %.6f s",
             (double)hf_run_now(run) / 1e9);
    hf_run_fail(run, run->event->place);
}

static void fail_packet(struct hf_run *run, const struct hf_logged *packet, const char *words)
{
    char text[HF_DRILL_WORDS_BYTES / 2];
    expect_event(run);
    hf_flow_text(&run->flow, true, packet->bytes, packet->length_bytes, text, sizeof text);
    snprintf(run->result->got, sizeof run->result->got, "%s\n%s", text, words);
    hf_run_fail(run, run->event->place);
}

static void check_time(struct hf_run *run, const struct hf_logged *packet)
{
    if (run->event->time.kind == HF_SCRIPT_TIME_ANY || run->before == NULL)
        return;
    hf_ns tolerance_ns = hf_run_tolerance(run, run->due_ns - run->before_ns), off_ns = 0;
    if (packet->at_ns < run->due_ns)
        off_ns = packet->at_ns - run->due_ns;
    else if (packet->at_ns > run->end_ns)
        off_ns = packet->at_ns - run->end_ns;
    if (off_ns >= -tolerance_ns && off_ns <= tolerance_ns)
        return;
    char words[160], off[96];
    hf_run_off_text(off, sizeof off, packet->at_ns, off_ns);
    snprintf(words, sizeof words, "%s; tolerance %.3f ms", off, (double)tolerance_ns / 1e6);
    fail_packet(run, packet, words);
    run->result->by_time = true;
}

/** Waits for the next packet of the flow. NULL: none came in time, or the script is over. */
static const struct hf_logged *await_packet(struct hf_run *run)
{
    hf_ns now_ns = hf_run_now(run), until_ns = now_ns + LONG_PATIENCE_NS;
    if (run->config->limit_ns > 0)
        until_ns = hf_max_ns(now_ns, run->config->limit_ns);
    if (run->event->time.kind != HF_SCRIPT_TIME_ANY)
        until_ns = hf_max_ns(now_ns, run->end_ns) + PATIENCE_NS;
    for (;;) {
        const struct hf_logged *packet = next_packet(run);
        if (packet != NULL)
            return packet;
        if (hf_run_now(run) >= until_ns) {
            fail_missing(run);
            return NULL;
        }
        if (!hf_run_step(run, until_ns))
            return NULL;
    }
}

void hf_run_outbound(struct hf_run *run)
{
    struct hf_flow_gathered gathered = {0};
    struct hf_flow_rules rules = {
        .match = run->config->match,
        .strict_segments = run->options->strict_segments,
        .tolerance_ns = run->options->tolerance_ns,
        .tolerance_ppm = run->options->tolerance_ppm,
    };
    for (;;) {
        char words[HF_MISMATCH_BYTES];
        const struct hf_logged *packet = await_packet(run);
        if (packet == NULL)
            return;
        rules.since_start_ns = packet->at_ns;
        switch (hf_flow_match(&run->flow, &run->event->packet, &rules, packet->bytes,
                              packet->length_bytes, &gathered, words)) {
        case HF_FLOW_MATCHES: check_time(run, packet); return;
        case HF_FLOW_PARTLY: continue;
        case HF_FLOW_DIFFERS: fail_packet(run, packet, words); return;
        }
    }
}

/* ---- the end ------------------------------------------------------------------------------ */

/** The last packet that the stack sent on the flow, to which a RST is an answer. */
static bool find_last(struct hf_run *run, struct hf_ip *ip, struct hf_segment *segment)
{
    const struct hf_drill_log *log = &run->result->log;
    for (size_t i = log->count; i > 0; i--) {
        const struct hf_logged *p = &log->packets[i - 1];
        if (p->outbound && hf_flow_has(&run->flow, p->bytes, p->length_bytes) &&
            hf_ip_parse(p->bytes, p->length_bytes, ip) == HF_NONE &&
            ip->protocol == HF_IP_PROTO_TCP &&
            hf_tcp_parse(p->bytes + ip->header_bytes, ip->payload_bytes, segment) == HF_NONE)
            return true;
    }
    return false;
}

void hf_run_reset_flow(struct hf_run *run)
{
    struct hf_ip ip;
    struct hf_segment last;
    uint8_t bytes[HF_IP_EMIT_MAX_BYTES + HF_TCP_HEADER_MAX_BYTES];
    if (run->flow_kind == HF_RUN_FLOW_NONE || !find_last(run, &ip, &last) ||
        (last.flags & HF_RST) != 0)
        return;
    struct hf_segment reset = {
        .source_port = last.destination_port,
        .destination_port = last.source_port,
        .flags = HF_RST | HF_ACK,
        .seq = last.ack,
        .ack = last.seq + hf_segment_length(&last),
    };
    struct hf_ip back = {.source = ip.destination,
                         .destination = ip.source,
                         .version = ip.version,
                         .protocol = HF_IP_PROTO_TCP,
                         .ttl = UINT8_MAX,
                         .payload_bytes = HF_TCP_HEADER_BYTES};
    size_t ip_bytes = hf_ip_emit(&back, bytes);
    size_t tcp_bytes = hf_flow_put_segment(&back, &reset, NULL, 0, bytes + ip_bytes);
    run->target->calls->inject(run->target->self, bytes, (uint32_t)(ip_bytes + tcp_bytes));
}
