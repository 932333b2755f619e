/**
 * The bench. Owns the stack, its memory account and the packets it sent; peer.c plays the other
 * side.
 */
#include "rig.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cut.h"

enum { OUTPUT_BATCH = 16, OUTPUTS_MAX = 1000000 };

static struct hf_env env_of(struct hf_rig *r)
{
    return (struct hf_env){
        .realloc = hf_account_realloc,
        .realloc_ctx = &r->account,
        .trace = r->config.trace,
        .trace_ctx = r->config.trace_ctx,
    };
}

static int make_stack(struct hf_rig *r)
{
    struct hf_env env = env_of(r);
    struct hf_dice seed = {r->config.seed};
    for (size_t i = 0; i < sizeof env.seed; i++)
        env.seed[i] = (uint8_t)hf_dice_next(&seed);
    struct hf_config standard;
    hf_config_init(&standard, sizeof standard);
    const struct hf_config *config = r->config.config != NULL ? r->config.config : &standard;
    return hf_stack_new(&r->stack, config, &env, r->now_ns);
}

static int add_address(struct hf_rig *r, const struct hf_addr *address)
{
    return hf_stack_add_address(r->stack, address, hf_addr_is_v4(address) ? 32 : 128);
}

static int add_addresses(struct hf_rig *r)
{
    if (r->config.address != NULL)
        return add_address(r, r->config.address);
    struct hf_addr v4 = hf_addr_v4(10, 0, 0, 1);
    struct hf_addr v6 = {{0xFD, [15] = 1}};
    int err = add_address(r, &v4);
    return err == HF_OK ? add_address(r, &v6) : err;
}

int hf_rig_open(struct hf_rig *r, const struct hf_rig_config *config)
{
    *r = (struct hf_rig){.config = *config, .now_ns = config->start_ns};
    hf_world_init(&r->world, config->seed);
    int err = make_stack(r);
    if (err != HF_OK)
        return err;
    err = add_addresses(r);
    if (err != HF_OK)
        hf_rig_close(r);
    return err;
}

int hf_rig_replace(struct hf_rig *r, hf_ns now)
{
    size_t n = hf_stack_save(r->stack, NULL, 0, r->now_ns);
    uint8_t *bytes = malloc(n);
    HF_ASSERT(bytes != NULL && hf_stack_save(r->stack, bytes, n, r->now_ns) == n);
    struct hf_env env = env_of(r);
    struct hf_stack *restored;
    int err = hf_stack_restore(&restored, bytes, n, &env, now);
    free(bytes);
    if (err != HF_OK)
        return err;
    hf_stack_free(r->stack);
    r->stack = restored;
    r->now_ns = now;
    return HF_OK;
}

void hf_rig_close(struct hf_rig *r)
{
    hf_stack_free(r->stack);
    r->stack = NULL;
    for (size_t i = 0; i < r->caught_count; i++)
        hf_frame_give(&r->world, r->caught[i].frame);
    hf_frame_give(&r->world, r->popped);
    free(r->caught);
    r->caught = NULL;
    r->popped = NULL;
    r->caught_count = r->caught_capacity = 0;
    hf_world_free(&r->world);
}

/* ---- what the stack sends ---- */

static bool has_good_checksum(const struct hf_caught *c, const uint8_t *transport)
{
    uint8_t protocol = c->ip.protocol;
    hf_sum sum = 0;
    if (protocol != HF_IP_PROTO_ICMP)
        sum = hf_ip_pseudo_sum(&c->ip.source, &c->ip.destination, protocol, c->ip.payload_bytes);
    return hf_sum_fold(hf_sum_bytes(sum, transport, c->ip.payload_bytes)) == 0xFFFF;
}

static void parse_caught(struct hf_rig *r, struct hf_caught *c)
{
    const struct hf_frame *f = c->frame;
    enum hf_reason fault = hf_ip_parse(f->bytes, f->length_bytes, &c->ip);
    if (fault != HF_NONE) {
        hf_checks_fail(&r->checks, r->now_ns, "sent malformed IP: %s", hf_reason_name(fault));
        return;
    }
    const uint8_t *transport = f->bytes + c->ip.header_bytes;
    c->payload = transport;
    c->is_tcp = c->ip.protocol == HF_IP_PROTO_TCP;
    if (c->is_tcp)
        fault = hf_tcp_parse(transport, c->ip.payload_bytes, &c->segment);
    else
        fault = hf_icmp_parse(&c->ip, transport, c->ip.payload_bytes, true, &c->icmp);
    if (fault != HF_NONE)
        hf_checks_fail(&r->checks, r->now_ns, "sent a malformed packet: %s", hf_reason_name(fault));
    else if (c->is_tcp)
        c->payload += c->segment.header_bytes;
    if (!(f->flags & HF_PACKET_CSUM_PARTIAL) && !has_good_checksum(c, transport))
        hf_checks_fail(&r->checks, r->now_ns, "sent a wrong checksum");
}

static void keep(struct hf_rig *r, struct hf_frame *f)
{
    if (r->caught_count == r->caught_capacity) {
        r->caught_capacity = r->caught_capacity == 0 ? 32 : 2 * r->caught_capacity;
        r->caught = realloc(r->caught, r->caught_capacity * sizeof *r->caught);
        HF_ASSERT(r->caught != NULL);
    }
    struct hf_caught *c = &r->caught[r->caught_count++];
    *c = (struct hf_caught){.at_ns = r->now_ns, .frame = f, .segment_bytes = f->segment_bytes};
    if (f->segment_bytes == 0)
        hf_frame_fill(f);
    parse_caught(r, c);
    if (r->transcript != NULL)
        hf_transcript_add(r->transcript, r->now_ns, 'S', 'P', f->bytes, f->length_bytes,
                          HF_FATE_DELIVERED);
}

static void keep_all(struct hf_rig *r, struct hf_frame *f)
{
    f->next = NULL;
    if (r->config.cut)
        f = hf_frame_cut(&r->world, f);
    while (f != NULL) {
        struct hf_frame *next = f->next;
        keep(r, f);
        f = next;
    }
}

void hf_rig_pull(struct hf_rig *r)
{
    struct hf_out_packet packets[OUTPUT_BATCH];
    size_t n, total = 0;
    while ((n = hf_stack_output(r->stack, packets, OUTPUT_BATCH, r->now_ns)) > 0) {
        for (size_t i = 0; i < n; i++) {
            hf_checks_packet(&r->checks, "stack", &packets[i], r->now_ns);
            keep_all(r, hf_frame_gather(&r->world, &packets[i]));
        }
        total += n;
        if (total > OUTPUTS_MAX) {
            hf_checks_fail(&r->checks, r->now_ns, "output never ends");
            return;
        }
    }
    hf_checks_stack(&r->checks, "stack", r->stack, r->now_ns);
}

bool hf_rig_pop(struct hf_rig *r, const struct hf_endpoint *from, const struct hf_endpoint *to,
                struct hf_caught *caught)
{
    for (size_t i = 0; i < r->caught_count; i++) {
        const struct hf_caught *c = &r->caught[i];
        if (from != NULL && !hf_addr_equal(&c->ip.source, &from->addr))
            continue;
        if (to != NULL && !hf_addr_equal(&c->ip.destination, &to->addr))
            continue;
        if (c->is_tcp && ((from != NULL && c->segment.source_port != from->port) ||
                          (to != NULL && c->segment.destination_port != to->port)))
            continue;
        *caught = *c;
        hf_frame_give(&r->world, r->popped);
        r->popped = c->frame;
        r->caught_count--;
        memmove(&r->caught[i], &r->caught[i + 1], (r->caught_count - i) * sizeof *r->caught);
        return true;
    }
    return false;
}

/* ---- driving ---- */

void hf_rig_input(struct hf_rig *r, const uint8_t *bytes, uint32_t length_bytes,
                  uint16_t segment_bytes, uint16_t flags)
{
    if (r->transcript != NULL)
        hf_transcript_add(r->transcript, r->now_ns, 'P', 'S', bytes, length_bytes,
                          HF_FATE_DELIVERED);
    struct hf_packet packet = {bytes, length_bytes, segment_bytes, flags};
    hf_stack_input(r->stack, &packet, 1, r->now_ns);
    hf_rig_pull(r);
}

void hf_rig_run(struct hf_rig *r, hf_ns until_ns)
{
    hf_ns deadline_ns;
    while ((deadline_ns = hf_stack_deadline(r->stack)) <= until_ns) {
        r->now_ns = hf_max_ns(r->now_ns, deadline_ns);
        unsigned before = r->checks.violations;
        hf_checks_expire(&r->checks, "stack", r->stack, r->now_ns);
        hf_rig_pull(r);
        if (r->checks.violations != before)
            break; /* a deadline that does not move would hold us here */
    }
    r->now_ns = hf_max_ns(r->now_ns, until_ns);
}

void hf_rig_wait(struct hf_rig *r, hf_ns span_ns)
{
    hf_rig_run(r, r->now_ns + span_ns);
}

void hf_rig_fire(struct hf_rig *r, hf_ns at_ns)
{
    r->now_ns = at_ns;
    hf_checks_expire(&r->checks, "stack", r->stack, at_ns);
}

void hf_rig_starve(struct hf_rig *r)
{
    r->account.fail_nth = r->account.asked + 1;
    r->account.fail_from = true;
}

void hf_rig_feed(struct hf_rig *r)
{
    r->account.fail_nth = 0;
    r->account.fail_from = false;
}

struct hf_event hf_rig_event(struct hf_rig *r)
{
    struct hf_event e = {0};
    if (!hf_stack_event(r->stack, &e))
        e = (struct hf_event){0};
    return e;
}

static bool same_endpoint(const struct hf_endpoint *a, const struct hf_endpoint *b)
{
    return a->port == b->port && hf_addr_equal(&a->addr, &b->addr);
}

enum hf_state hf_rig_state(const struct hf_rig *r, const struct hf_endpoint *local,
                           const struct hf_endpoint *remote)
{
    uint64_t cursor = 0;
    struct hf_tuple t;
    enum hf_state state = HF_CLOSED;
    bool found = false;
    while (hf_iterate(r->stack, &cursor, &t)) {
        if (t.kind == HF_KIND_LISTENER || !same_endpoint(&t.local, local) ||
            !same_endpoint(&t.remote, remote))
            continue;
        /* A newer SYN holds the tuple rather than the TIME-WAIT that may come back. */
        if (t.state != HF_CLOSED && (!found || t.kind == HF_KIND_HALF_OPEN)) {
            state = t.state;
            found = true;
        }
    }
    return state;
}
