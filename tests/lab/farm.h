/**
 * Two stacks, many connections between them at once, each with a stream of its own both ways, over
 * links that lose packets: what happens when all of them want more memory than there is.
 */
#ifndef HF_TEST_LAB_FARM_H
#define HF_TEST_LAB_FARM_H

#include <stdlib.h>

#include "lab/account.h"
#include "lab/checks.h"
#include "lab/lab_link.h"
#include "lab/pattern.h"

enum { FARM_PORT = 10000, FARM_BUFFER_BYTES = 16384 };

struct farm_conn {
    hf_handle handle;
    uint32_t sent_bytes, received_bytes;
    bool may_read, at_end, shut, over;
    enum hf_closed how;
};

struct farm_side {
    struct farm *farm;
    unsigned number;
    struct hf_stack *stack;
    struct hf_account account;
    struct hf_lab_link out;
    struct hf_node *node;
    struct farm_conn *conns;
    hf_ns next_read_ns; /**< readers come by at times: until then data waits in blocks */
    uint64_t received_bytes;
    uint32_t over;
    uint64_t peak_bytes;
};

struct farm {
    struct hf_world world;
    struct hf_checks checks;
    struct farm_side sides[2];
    uint32_t n, stream_bytes;
    hf_ns read_every_ns;
    uint32_t *at_half; /**< bytes that each connection had received, both ends, half-way */
    bool half_way;
};

static inline struct hf_endpoint farm_end(unsigned number, uint16_t port)
{
    return (struct hf_endpoint){hf_addr_v4(10, 0, 0, (uint8_t)(number + 1)), port};
}

static inline void farm_read(struct farm_side *s, uint32_t i, hf_ns now)
{
    static uint8_t bytes[FARM_BUFFER_BYTES];
    struct farm_conn *c = &s->conns[i];
    int64_t n;
    while (c->may_read && !c->at_end) {
        n = hf_receive(s->stack, c->handle, bytes, sizeof bytes, now);
        if (n <= 0) {
            c->may_read = false;
            c->at_end = n == HF_E_END;
            return;
        }
        /* Each stream has a pattern of its own: a byte in the wrong one is seen. */
        uint64_t key = 2 * i + 1 - s->number;
        if (hf_pattern_check(key, c->received_bytes, bytes, (size_t)n) != (size_t)n)
            hf_checks_fail(&s->farm->checks, now, "connection %u: a wrong byte", (unsigned)i);
        c->received_bytes += (uint32_t)n;
        s->received_bytes += (uint64_t)n;
    }
}

static inline void farm_write(struct farm_side *s, uint32_t i, hf_ns now)
{
    struct farm_conn *c = &s->conns[i];
    while (!c->shut && !c->over) {
        uint32_t left = s->farm->stream_bytes - c->sent_bytes;
        if (left == 0) {
            c->shut = true;
            if (hf_shutdown(s->stack, c->handle, now) != HF_OK)
                hf_checks_fail(&s->farm->checks, now, "connection %u: no shutdown", (unsigned)i);
            return;
        }
        void *room;
        int64_t n = hf_send_reserve(s->stack, c->handle, &room, now);
        if (n <= 0)
            return;
        uint32_t size = (uint32_t)n < left ? (uint32_t)n : left;
        hf_pattern_fill(2 * i + s->number, c->sent_bytes, room, size);
        if (hf_send_commit(s->stack, c->handle, size, 0, now) != HF_OK)
            hf_checks_fail(&s->farm->checks, now, "connection %u: no commit", (unsigned)i);
        c->sent_bytes += size;
    }
}

/* The index stands in the client's port; the server writes it into the connection's tag. */
static inline uint32_t farm_index(struct farm_side *s, const struct hf_event *e, hf_ns now)
{
    struct hf_info info;
    if (e->tag > 0)
        return (uint32_t)e->tag - 1;
    if (hf_info(s->stack, e->handle, &info) != HF_OK)
        return 0;
    uint32_t i = info.remote.port - FARM_PORT;
    s->conns[i].handle = e->handle;
    if (hf_set(s->stack, e->handle, HF_OPT_TAG, i + 1, now) != HF_OK)
        hf_checks_fail(&s->farm->checks, now, "connection %u: no tag", (unsigned)i);
    return i;
}

static inline void farm_event(struct farm_side *s, const struct hf_event *e, hf_ns now)
{
    uint32_t i = farm_index(s, e, now);
    struct farm_conn *c = &s->conns[i];
    if (e->bits & (HF_EV_READABLE | HF_EV_PEER_CLOSED))
        c->may_read = true;
    if (e->bits & HF_EV_CLOSED) {
        c->may_read = true;
        farm_read(s, i, now);
        c->over = true;
        c->how = e->how;
        s->over++;
        (void)hf_close(s->stack, c->handle, now);
    } else if (e->bits & (HF_EV_ACCEPTED | HF_EV_CONNECTED | HF_EV_WRITABLE)) {
        farm_write(s, i, now);
    }
}

static inline void farm_note_half(struct farm *f)
{
    uint64_t all = 2ull * f->n * f->stream_bytes;
    if (f->half_way || 2 * (f->sides[0].received_bytes + f->sides[1].received_bytes) < all)
        return;
    f->half_way = true;
    for (uint32_t i = 0; i < f->n; i++)
        f->at_half[i] = f->sides[0].conns[i].received_bytes + f->sides[1].conns[i].received_bytes;
}

static inline void farm_run_side(void *self, hf_ns now)
{
    struct farm_side *s = self;
    struct hf_out_packet out[16];
    struct hf_event e;
    if (hf_stack_deadline(s->stack) <= now)
        hf_checks_expire(&s->farm->checks, s->number == 0 ? "A" : "B", s->stack, now);
    while (hf_stack_event(s->stack, &e))
        farm_event(s, &e, now);
    if (now >= s->next_read_ns) {
        s->next_read_ns = s->over < s->farm->n ? now + s->farm->read_every_ns : HF_NEVER;
        for (uint32_t i = 0; i < s->farm->n; i++)
            farm_read(s, i, now);
        farm_note_half(s->farm);
    }
    for (size_t n; (n = hf_stack_output(s->stack, out, 16, now)) > 0;)
        for (size_t i = 0; i < n; i++)
            hf_lab_link_send(&s->out, &out[i]);
}

static inline void farm_input(void *self, const struct hf_packet *packet, hf_ns now)
{
    hf_stack_input(((struct farm_side *)self)->stack, packet, 1, now);
}

static inline hf_ns farm_deadline(void *self)
{
    const struct farm_side *s = self;
    hf_ns stack_ns = hf_stack_deadline(s->stack);
    return stack_ns < s->next_read_ns ? stack_ns : s->next_read_ns;
}

static inline void farm_open_side(struct farm *f, unsigned number, const struct hf_config *config,
                                  const struct hf_lab_link_config *link)
{
    struct farm_side *s = &f->sides[number];
    *s = (struct farm_side){.farm = f, .number = number, .next_read_ns = f->read_every_ns};
    struct hf_env env = {.realloc = hf_account_realloc, .realloc_ctx = &s->account};
    env.seed[0] = (uint8_t)(number + 1);
    struct hf_addr me = farm_end(number, 0).addr;
    s->conns = calloc(f->n, sizeof *s->conns);
    if (s->conns == NULL || hf_stack_new(&s->stack, config, &env, 0) != HF_OK ||
        hf_stack_add_address(s->stack, &me, 32) != HF_OK)
        abort();
    struct hf_node node = {s, farm_input, farm_deadline, farm_run_side, NULL};
    s->node = hf_world_add(&f->world, &node);
    hf_lab_link_init(&s->out, link, &f->world, NULL, "AB"[number], "BA"[number]);
}

/** Connects all at once. */
static inline void farm_open(struct farm *f, uint32_t n, uint32_t stream_bytes, hf_ns read_every_ns,
                             const struct hf_config *config, const struct hf_lab_link_config *link)
{
    *f = (struct farm){.n = n, .stream_bytes = stream_bytes, .read_every_ns = read_every_ns};
    hf_world_init(&f->world, 1);
    f->at_half = calloc(n, sizeof *f->at_half);
    farm_open_side(f, 0, config, link);
    farm_open_side(f, 1, config, link);
    f->sides[0].out.to = f->sides[1].node;
    f->sides[1].out.to = f->sides[0].node;
    struct hf_listen listen = {.port = 80, .backlog = n};
    hf_handle listener;
    if (f->at_half == NULL || hf_listen(f->sides[1].stack, &listen, &listener, 0) != HF_OK)
        abort();
    for (uint32_t i = 0; i < n; i++) {
        struct hf_connect what = {farm_end(0, (uint16_t)(FARM_PORT + i)), farm_end(1, 80), i + 1};
        if (hf_connect(f->sides[0].stack, &what, &f->sides[0].conns[i].handle, 0) != HF_OK)
            abort();
    }
    farm_run_side(&f->sides[0], 0);
}

/** Runs until all is over and nothing is left to happen, or the limit; when that was. */
static inline hf_ns farm_run(struct farm *f, hf_ns limit_ns)
{
    while (hf_world_step(&f->world, limit_ns))
        continue;
    return f->world.now_ns;
}

static inline void farm_close(struct farm *f)
{
    for (unsigned k = 0; k < 2; k++) {
        hf_lab_link_close(&f->sides[k].out);
        hf_stack_free(f->sides[k].stack);
        free(f->sides[k].conns);
    }
    free(f->at_half);
    hf_world_free(&f->world);
}

#endif
