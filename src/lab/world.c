/**
 * Virtual time. Owns the event heap and the packet buffers; links and nodes belong to their makers.
 */
#include "world.h"

#include <stdlib.h>
#include <string.h>

#include "core/base.h"

enum { SMALL_BYTES = 2048, LARGE_BYTES = 66 * 1024 };

static void *must_have(void *p)
{
    if (p == NULL)
        hf_panic("no memory for the lab", __FILE__, __LINE__);
    return p;
}

/* ---- frames ---- */

static struct hf_frame **free_list_of(struct hf_world *w, uint32_t capacity_bytes)
{
    return capacity_bytes == SMALL_BYTES ? &w->free_small : &w->free_large;
}

struct hf_frame *hf_frame_try(struct hf_world *w, size_t capacity_bytes)
{
    HF_ASSERT(capacity_bytes <= LARGE_BYTES);
    uint32_t capacity = capacity_bytes <= SMALL_BYTES ? SMALL_BYTES : LARGE_BYTES;
    struct hf_frame **list = free_list_of(w, capacity);
    struct hf_frame *f = *list;
    if (f != NULL)
        *list = f->next;
    else
        f = malloc(sizeof *f + capacity);
    if (f == NULL)
        return NULL;
    *f = (struct hf_frame){.capacity_bytes = capacity};
    w->frames_out++;
    return f;
}

struct hf_frame *hf_frame_take(struct hf_world *w, size_t capacity_bytes)
{
    return must_have(hf_frame_try(w, capacity_bytes));
}

void hf_frame_give(struct hf_world *w, struct hf_frame *f)
{
    if (f == NULL)
        return;
    struct hf_frame **list = free_list_of(w, f->capacity_bytes);
    f->next = *list;
    *list = f;
    w->frames_out--;
}

struct hf_frame *hf_frame_copy(struct hf_world *w, const struct hf_frame *f)
{
    struct hf_frame *copy = hf_frame_take(w, f->length_bytes);
    copy->length_bytes = f->length_bytes;
    copy->segment_bytes = f->segment_bytes;
    copy->flags = f->flags;
    copy->mark = f->mark;
    memcpy(copy->bytes, f->bytes, f->length_bytes);
    return copy;
}

/* ---- the heap ---- */

static bool comes_before(const struct hf_event_entry *a, const struct hf_event_entry *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void sift_up(struct hf_event_entry *heap, size_t i)
{
    struct hf_event_entry e = heap[i];
    while (i > 0 && comes_before(&e, &heap[(i - 1) / 2])) {
        heap[i] = heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    heap[i] = e;
}

static void sift_down(struct hf_event_entry *heap, size_t count)
{
    struct hf_event_entry e = heap[0];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= count)
            break;
        if (child + 1 < count && comes_before(&heap[child + 1], &heap[child]))
            child++;
        if (!comes_before(&heap[child], &e))
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = e;
}

static void add_event(struct hf_world *w, const struct hf_event_entry *e)
{
    if (w->heap_count == w->heap_capacity) {
        w->heap_capacity = w->heap_capacity == 0 ? 64 : 2 * w->heap_capacity;
        w->heap = must_have(realloc(w->heap, w->heap_capacity * sizeof *w->heap));
    }
    w->heap[w->heap_count] = *e;
    sift_up(w->heap, w->heap_count++);
}

void hf_world_at(struct hf_world *w, hf_ns at_ns, hf_fire_fn *fire, void *ctx,
                 struct hf_frame *frame)
{
    add_event(w, &(struct hf_event_entry){
                     .at_ns = hf_max_ns(at_ns, w->now_ns),
                     .order = hf_world_turn(w),
                     .fire = fire,
                     .ctx = ctx,
                     .frame = frame,
                 });
}

uint64_t hf_world_turn(struct hf_world *w)
{
    return w->next_order++;
}

void hf_world_at_turn(struct hf_world *w, hf_ns at_ns, uint64_t turn, hf_fire_fn *fire, void *ctx)
{
    add_event(w,
              &(struct hf_event_entry){
                  .at_ns = hf_max_ns(at_ns, w->now_ns), .order = turn, .fire = fire, .ctx = ctx});
}

static struct hf_event_entry pop(struct hf_world *w)
{
    struct hf_event_entry first = w->heap[0];
    w->heap[0] = w->heap[--w->heap_count];
    if (w->heap_count > 0)
        sift_down(w->heap, w->heap_count);
    return first;
}

/* ---- running ---- */

struct hf_node *hf_world_add(struct hf_world *w, const struct hf_node *node)
{
    HF_ASSERT(w->node_count < HF_WORLD_NODES);
    w->nodes[w->node_count] = *node;
    return &w->nodes[w->node_count++];
}

void hf_world_deliver(struct hf_world *w, struct hf_node *to, struct hf_frame *f)
{
    struct hf_packet packet = {f->bytes, f->length_bytes, f->segment_bytes, f->flags};
    to->input(to->self, &packet, w->now_ns);
    uint32_t mark = f->mark;
    hf_frame_give(w, f);
    if (to->arrived != NULL)
        to->arrived(to->self, mark, w->now_ns);
    to->run(to->self, w->now_ns);
}

static struct hf_node *earliest_node(struct hf_world *w, hf_ns *at_ns)
{
    struct hf_node *first = NULL;
    *at_ns = HF_NEVER;
    for (size_t i = 0; i < w->node_count; i++) {
        hf_ns deadline_ns = w->nodes[i].deadline(w->nodes[i].self);
        if (deadline_ns < *at_ns) {
            *at_ns = deadline_ns;
            first = &w->nodes[i];
        }
    }
    return first;
}

hf_ns hf_world_next(struct hf_world *w)
{
    hf_ns node_ns;
    earliest_node(w, &node_ns);
    hf_ns heap_ns = w->heap_count > 0 ? w->heap[0].at_ns : HF_NEVER;
    return hf_max_ns(w->now_ns, hf_min_ns(node_ns, heap_ns));
}

bool hf_world_step(struct hf_world *w, hf_ns limit_ns)
{
    hf_ns node_ns;
    struct hf_node *node = earliest_node(w, &node_ns);
    hf_ns heap_ns = w->heap_count > 0 ? w->heap[0].at_ns : HF_NEVER;
    hf_ns next_ns = hf_min_ns(node_ns, heap_ns);
    if (next_ns == HF_NEVER || next_ns > limit_ns)
        return false;
    w->now_ns = hf_max_ns(w->now_ns, next_ns);
    w->steps++;
    /* Packets before timers: an ACK that comes at the very instant of a timeout counts. */
    if (heap_ns <= node_ns) {
        struct hf_event_entry e = pop(w);
        e.fire(e.ctx, e.frame, w->now_ns);
    } else {
        node->run(node->self, w->now_ns);
    }
    return true;
}

void hf_world_run(struct hf_world *w, hf_ns until_ns)
{
    while (hf_world_step(w, until_ns))
        ;
    w->now_ns = hf_max_ns(w->now_ns, until_ns);
}

/* ---- making and ending ---- */

void hf_world_init(struct hf_world *w, uint64_t seed)
{
    *w = (struct hf_world){.random = {seed}};
}

void hf_world_reset(struct hf_world *w, uint64_t seed)
{
    while (w->heap_count > 0)
        hf_frame_give(w, pop(w).frame);
    w->now_ns = 0;
    w->random.state = seed;
    w->next_order = 0;
    w->node_count = 0;
    w->steps = 0;
}

static void free_list(struct hf_frame *f)
{
    while (f != NULL) {
        struct hf_frame *next = f->next;
        free(f);
        f = next;
    }
}

void hf_world_free(struct hf_world *w)
{
    hf_world_reset(w, 0);
    free_list(w->free_small);
    free_list(w->free_large);
    free(w->heap);
    *w = (struct hf_world){0};
}
