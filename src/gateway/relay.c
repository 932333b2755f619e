#include "relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PIECES = 16, PUMP_ROUNDS = 64 };

/** How long the inside may take to acknowledge what came before a RST outside. */
#define LAST_WORDS_NS HF_SEC(1)

struct hf_relay {
    struct hf_relays *all;
    struct hf_relay *next, *prev;
    hf_handle inner;
    struct hf_upstream outer;
    unsigned watched; /**< enum hf_loop_bit; 0: the descriptor is not in the loop */
    bool admitted;
    bool outer_is_full; /**< wait until it can be written */
    bool inner_is_full; /**< wait for HF_EV_WRITABLE */
    bool outer_ended;   /**< its FIN was passed on */
    bool inner_ended;   /**< likewise */
    bool inner_over;    /**< the stack has closed it, in order: unread bytes may be left */
    bool hung_up;       /**< FINs went both ways outside, and bytes wait for room inside */
    bool closing;       /**< outside all is done: only the inner connection has to end */
    hf_ns doomed_at; /**< the outside broke: when the inside does, at the latest; 0: it did not */
};

static void outer_ready(void *ctx, struct hf_loop *loop, int fd, unsigned bits);

/* ---- making and freeing ------------------------------------------------------------------- */

void hf_relays_init(struct hf_relays *r, struct hf_stack *stack, struct hf_loop *loop,
                    const struct hf_upstream_config *upstream)
{
    *r = (struct hf_relays){
        .stack = stack, .loop = loop, .upstream = *upstream, .deadline = HF_NEVER};
}

static struct hf_relay *relay_new(struct hf_relays *all, hf_handle inner)
{
    struct hf_relay *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    r->all = all;
    r->inner = inner;
    r->outer.fd = -1;
    r->next = all->list;
    if (r->next != NULL)
        r->next->prev = r;
    all->list = r;
    all->alive++;
    return r;
}

static void unwatch(struct hf_relay *r)
{
    if (r->watched != 0)
        hf_loop_remove_fd(r->all->loop, r->outer.fd);
    r->watched = 0;
}

/** Frees the record; both ends were let go of. */
static void relay_free(struct hf_relay *r)
{
    if (r->prev != NULL)
        r->prev->next = r->next;
    else
        r->all->list = r->next;
    if (r->next != NULL)
        r->next->prev = r->prev;
    r->all->alive--;
    free(r);
}

/** The inner connection goes its own way from here: its last event concerns nobody. */
static void forget_inner(struct hf_relay *r, hf_ns now)
{
    (void)!hf_set(r->all->stack, r->inner, HF_OPT_TAG, 0, now);
}

/* ---- ending ------------------------------------------------------------------------------- */

/** Resets the inside. */
static void reset_inner(struct hf_relay *r, hf_ns now)
{
    forget_inner(r, now);
    hf_abort(r->all->stack, r->inner, now);
    relay_free(r);
}

/** Bytes for the inside that it has not acknowledged. */
static bool inner_owes_acks(const struct hf_relay *r)
{
    struct hf_info info;
    return !r->inner_over && hf_info(r->all->stack, r->inner, &info) == HF_OK &&
           info.send_queue_bytes > 0;
}

/** The outside broke, and so does the inside; but what came before the RST arrives before it, as it
 *  does where a kernel queues what was received: the answer of a server that did not read the
 *  whole request would be lost otherwise. */
static void outer_broke(struct hf_relay *r, hf_ns now)
{
    r->all->failed++;
    unwatch(r);
    hf_upstream_abort(&r->outer);
    if (!inner_owes_acks(r)) {
        reset_inner(r, now);
        return;
    }
    r->doomed_at = now + LAST_WORDS_NS;
    if (r->doomed_at < r->all->deadline)
        r->all->deadline = r->doomed_at;
}

/** The inside broke: so does the outside. */
static void inner_broke(struct hf_relay *r, hf_ns now)
{
    unwatch(r);
    hf_upstream_abort(&r->outer);
    forget_inner(r, now);
    hf_close(r->all->stack, r->inner, now);
    relay_free(r);
}

/** The inner connection is over, and the outer one was let go of. */
static void finish(struct hf_relay *r, hf_ns now)
{
    forget_inner(r, now);
    hf_close(r->all->stack, r->inner, now);
    relay_free(r);
}

/** Both directions were passed on to their end. The inner connection stays ours until its last byte
 *  is acknowledged: if we let go of it now, a reader who pauses would lose the rest. */
static void both_ended(struct hf_relay *r, hf_ns now)
{
    unwatch(r);
    hf_upstream_close(&r->outer);
    r->closing = true;
    if (r->inner_over)
        finish(r, now);
}

/* ---- watching ----------------------------------------------------------------------------- */

/** Tells the descriptor's readiness by what the relay waits for. */
static void watch(struct hf_relay *r, hf_ns now)
{
    unsigned wanted = HF_LOOP_BROKEN;
    if (r->outer.state == HF_UPSTREAM_CONNECTING || r->outer_is_full)
        wanted |= HF_LOOP_WRITE;
    if (r->admitted && !r->outer_ended && !r->inner_is_full)
        wanted |= HF_LOOP_READ;
    if (wanted == HF_LOOP_BROKEN && r->hung_up) {
        unwatch(r); /* the hang-up, which can't be masked, would be told again and again */
        return;
    }
    if (wanted == r->watched)
        return;
    int err = r->watched == 0 ? hf_loop_add_fd(r->all->loop, r->outer.fd, wanted, outer_ready, r)
                              : hf_loop_set_fd(r->all->loop, r->outer.fd, wanted);
    r->watched = err == HF_OK ? wanted : r->watched;
    if (err != HF_OK) /* without the kernel's word nothing would go on */
        outer_broke(r, now);
}

/* ---- carrying ----------------------------------------------------------------------------- */

enum pumped { PUMPED, BROKEN };

/** Inside to outside, as much as the outside takes; at most what lies in the receive buffer. */
static enum pumped pump_out(struct hf_relay *r, hf_ns now)
{
    struct hf_slice slices[PIECES];
    struct iovec pieces[PIECES];
    size_t count;
    while (!r->inner_ended && !r->outer_is_full) {
        int64_t n = hf_receive_peek(r->all->stack, r->inner, slices, PIECES, &count);
        if (n == HF_E_END) {
            if (hf_upstream_shut(&r->outer) != HF_OK)
                return BROKEN;
            r->inner_ended = true;
            r->all->progress_at = now;
            return PUMPED;
        }
        if (n <= 0)
            return PUMPED; /* nothing yet, or its closed event says more */
        for (size_t k = 0; k < count; k++)
            pieces[k] = (struct iovec){(void *)(uintptr_t)slices[k].bytes, slices[k].length_bytes};
        int64_t put = hf_upstream_write(&r->outer, pieces, count);
        if (put == HF_E_AGAIN) {
            r->outer_is_full = true;
            return PUMPED;
        }
        if (put <= 0)
            return BROKEN;
        r->all->bytes_out += (uint64_t)put;
        r->all->progress_at = now;
        if (hf_receive_consume(r->all->stack, r->inner, (size_t)put, now) != HF_OK)
            return PUMPED;
    }
    return PUMPED;
}

/** Outside to inside, as much as the stack has room for. */
static enum pumped pump_in(struct hf_relay *r, hf_ns now)
{
    for (int i = 0; i < PUMP_ROUNDS && !r->outer_ended && !r->inner_is_full; i++) {
        void *room;
        int64_t n = hf_send_reserve(r->all->stack, r->inner, &room, now);
        if (n == HF_E_AGAIN) {
            r->inner_is_full = true;
            return PUMPED;
        }
        if (n <= 0)
            return PUMPED; /* closing: its event says more */
        struct iovec piece = {room, (size_t)n};
        int64_t got = hf_upstream_read(&r->outer, &piece, 1);
        if (got == HF_E_AGAIN)
            return PUMPED;
        if (got == HF_E_END) {
            r->outer_ended = true;
            r->all->progress_at = now;
            (void)!hf_shutdown(r->all->stack, r->inner, now);
            return PUMPED;
        }
        if (got < 0)
            return BROKEN;
        r->all->bytes_in += (uint64_t)got;
        r->all->progress_at = now;
        if (hf_send_commit(r->all->stack, r->inner, (size_t)got, 0, now) != HF_OK)
            return PUMPED;
    }
    return PUMPED;
}

/** Carries what can be carried, and draws the consequences. The relay may be gone afterwards. */
static void carry(struct hf_relay *r, hf_ns now)
{
    bool broken = pump_out(r, now) == BROKEN;
    /* Also when writing failed: what came before the RST can still be read. */
    if (pump_in(r, now) == BROKEN || broken)
        outer_broke(r, now);
    else if (r->inner_ended && r->outer_ended)
        both_ended(r, now);
    else
        watch(r, now);
}

/* ---- opening ------------------------------------------------------------------------------ */

static void refuse(struct hf_relay *r, hf_ns now)
{
    r->all->refused++;
    unwatch(r);
    hf_upstream_close(&r->outer);
    forget_inner(r, now);
    (void)!hf_refuse(r->all->stack, r->inner, r->outer.refusal, now);
    relay_free(r);
}

static void admit(struct hf_relay *r, hf_ns now)
{
    if (hf_admit(r->all->stack, r->inner, now) != HF_OK) {
        inner_broke(r, now);
        return;
    }
    r->all->opened++;
    r->admitted = true;
    watch(r, now);
}

/** The outer connection is made, refused, or still being made. */
static void opened_so_far(struct hf_relay *r, hf_ns now)
{
    switch (r->outer.state) {
    case HF_UPSTREAM_CONNECTING: watch(r, now); return;
    case HF_UPSTREAM_CONNECTED: admit(r, now); return;
    case HF_UPSTREAM_FAILED: refuse(r, now); return;
    }
}

static void open_request(struct hf_relays *all, const struct hf_event *e, hf_ns now)
{
    struct hf_info info;
    struct hf_relay *r = relay_new(all, e->handle);
    if (r == NULL || hf_info(all->stack, e->handle, &info) != HF_OK) {
        (void)!hf_refuse(all->stack, e->handle, HF_REFUSE_SILENTLY, now);
        if (r != NULL)
            relay_free(r);
        return;
    }
    (void)!hf_set(all->stack, e->handle, HF_OPT_TAG, (int64_t)(uintptr_t)r, now);
    (void)!hf_upstream_open(&r->outer, &all->upstream, &info.local);
    opened_so_far(r, now);
}

/* ---- what happens ------------------------------------------------------------------------- */

static void outer_ready(void *ctx, struct hf_loop *loop, int fd, unsigned bits)
{
    struct hf_relay *r = ctx;
    hf_ns now = hf_loop_now(loop);
    if (r->outer.state == HF_UPSTREAM_CONNECTING) {
        (void)!hf_upstream_progress(&r->outer);
        if (r->outer.state == HF_UPSTREAM_FAILED) {
            hf_loop_remove_fd(loop, fd); /* closed, and its number may come again at once */
            r->watched = 0;
        }
        opened_so_far(r, now);
        return;
    }
    if ((bits & HF_LOOP_WRITE) != 0)
        r->outer_is_full = false;
    if ((bits & HF_LOOP_BROKEN) != 0 && (r->inner_is_full || r->outer_ended)) {
        if (hf_upstream_trouble(&r->outer) != HF_OK) {
            outer_broke(r, now);
            return;
        }
        r->hung_up = true;
    }
    carry(r, now);
}

/** An event of a connection whose outer side is gone. */
static void late_event(struct hf_relay *r, const struct hf_event *e, hf_ns now)
{
    if ((e->bits & HF_EV_CLOSED) != 0)
        finish(r, now);
    else if (r->doomed_at != 0 && (e->bits & HF_EV_SENT_ALL) != 0)
        reset_inner(r, now);
}

void hf_relays_event(struct hf_relays *all, const struct hf_event *e, hf_ns now)
{
    if ((e->bits & HF_EV_SYN) != 0) {
        if ((e->bits & HF_EV_CLOSED) != 0)
            hf_close(all->stack, e->handle, now); /* withdrawn before we looked */
        else
            open_request(all, e, now);
        return;
    }
    struct hf_relay *r = (struct hf_relay *)(uintptr_t)e->tag;
    if (r == NULL)
        return;
    if (r->closing || r->doomed_at != 0) {
        late_event(r, e, now);
        return;
    }
    if ((e->bits & HF_EV_CLOSED) != 0 && e->how != HF_CLOSED_FIN) {
        inner_broke(r, now);
        return;
    }
    if ((e->bits & HF_EV_CLOSED) != 0)
        r->inner_over = true;
    if ((e->bits & HF_EV_WRITABLE) != 0)
        r->inner_is_full = false;
    if (r->admitted)
        carry(r, now);
}

hf_ns hf_relays_deadline(const struct hf_relays *all)
{
    return all->deadline;
}

void hf_relays_expire(struct hf_relays *all, hf_ns now)
{
    if (now < all->deadline)
        return;
    all->deadline = HF_NEVER;
    for (struct hf_relay *r = all->list, *next; r != NULL; r = next) {
        next = r->next;
        if (r->doomed_at == 0)
            continue;
        if (r->doomed_at <= now)
            reset_inner(r, now);
        else if (r->doomed_at < all->deadline)
            all->deadline = r->doomed_at;
    }
}

struct hf_relays_left hf_relays_left(const struct hf_relays *all)
{
    struct hf_relays_left left = {0, 0};
    for (const struct hf_relay *r = all->list; r != NULL; r = r->next) {
        bool inner_may_send = r->admitted && !r->inner_ended && !r->closing && r->doomed_at == 0;
        left.open += inner_may_send;
        left.held_back += inner_may_send && r->outer_is_full;
    }
    return left;
}

void hf_relays_free(struct hf_relays *all)
{
    while (all->list != NULL) {
        struct hf_relay *r = all->list;
        unwatch(r);
        if (r->inner_ended)
            hf_upstream_close(&r->outer); /* all that was to be sent is the kernel's to send */
        else
            hf_upstream_abort(&r->outer);
        relay_free(r);
    }
}
